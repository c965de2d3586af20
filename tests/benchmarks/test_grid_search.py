"""Every grid search script runs on the bundled sample and prints what it claims."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "grid_search"
SCRIPTS = sorted(FOLDER.glob("*.py"))


def _run(path: Path, folder: Path, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, str(path), *options],
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_names_every_script() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    assert set(re.findall(r"\]\((\w+\.py)\)", text)) == {p.name for p in SCRIPTS}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_script_runs(path: Path, tmp_path: Path) -> None:
    if path.stem == "optuna_search":
        pytest.importorskip("optuna")
    said = _run(path, tmp_path)
    assert re.search(r"0\.\d{3}", said)
    assert list(tmp_path.iterdir()) == []


def test_the_heat_map_is_drawn(tmp_path: Path) -> None:
    path = FOLDER / "grid_search_atalaya.py"
    _run(path, tmp_path, "--figure", "grid.png", "--folds", "2")
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")
