"""Every code block of the README and the docs is executed as it stands."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tweetclf.cli import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Set-up commands are run by CI itself, from a clean clone.
SETUP = ("make ", "python3 -m venv", ".venv/bin/")


def _blocks(language: str) -> list[tuple[str, str]]:
    return [
        (f"{page.relative_to(ROOT)}-{number}", body)
        for page in PAGES
        for number, (kind, body) in enumerate(BLOCK.findall(page.read_text("utf-8")))
        if kind == language
    ]


def _ids(blocks: Sequence[tuple[str, object]]) -> list[str]:
    return [name for name, _ in blocks]


def _sessions() -> list[tuple[str, str]]:
    """Return the interactive blocks of each page, joined: they share their names."""
    pages: dict[str, str] = {}
    for name, body in _blocks("python"):
        if ">>> " in body:
            page = name.rpartition("-")[0]
            pages[page] = pages.get(page, "") + body + "\n"
    return list(pages.items())


def _scripts() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the other blocks of each page: they share nothing but their process."""
    pages: dict[str, list[tuple[str, str]]] = {}
    for name, body in _blocks("python"):
        if ">>> " not in body:
            pages.setdefault(name.rpartition("-")[0], []).append((name, body))
    return list(pages.items())


SESSIONS = _sessions()
PYTHON = _scripts()
CONSOLE = _blocks("console")


def test_no_block_has_a_language_that_is_not_run() -> None:
    shown = {"toml", "json", "text"}
    for page in PAGES:
        kinds = {kind for kind, _ in BLOCK.findall(page.read_text("utf-8"))}
        assert kinds <= {"python", "console", *shown}, page.name


# Most of a small block is the start of Python and the imports, which this process has
# behind it; as in processes of their own, warnings are errors.
@pytest.mark.parametrize(("page", "blocks"), PYTHON, ids=_ids(PYTHON))
@pytest.mark.usefixtures("own_folder")
def test_python_blocks_run(page: str, blocks: list[tuple[str, str]]) -> None:
    for name, body in blocks:
        # The traceback names the block.
        exec(compile(body, name, "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("session", SESSIONS, ids=_ids(SESSIONS))
def test_interactive_blocks_print_what_they_show(
    session: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, body = session
    test = doctest.DocTestParser().get_doctest(body, {}, name, name, 0)
    printed: list[str] = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    doctest.DocTestRunner(optionflags=flags).run(test, out=printed.append)
    assert not printed, "".join(printed)


# Anything that the shell would read otherwise than `shlex` does.
SHELL = set("|&;<>()$`*?[]{}~")


def _run_in_the_shell(command: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    assert shutil.which("tweetclf", path=path), "tweetclf is not installed"
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{command}"],
        env={**os.environ, "PATH": path, "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", CONSOLE, ids=_ids(CONSOLE))
@pytest.mark.usefixtures("own_folder")
def test_console_blocks_run(block: tuple[str, str]) -> None:
    lines = [line.removeprefix("$ ") for line in block[1].splitlines()]
    commands = [line.partition(" #")[0] for line in lines if not line.startswith(SETUP)]
    for command in commands:
        # Downloads need the network, which tests do without.
        if " fetch " in command:
            continue
        if command.startswith("tweetclf ") and not SHELL & set(command):
            assert main(shlex.split(command)[1:]) == 0, command
        else:
            _run_in_the_shell(command)


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
