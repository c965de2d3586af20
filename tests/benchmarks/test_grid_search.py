"""Every grid search script runs on the bundled sample and prints what it claims."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "grid_search"
SCRIPTS = sorted(FOLDER.glob("*.py"))

# Fewer folds than by default, so that the suite stays quick.
OPTIONS = {
    "grid_search_atalaya": ["--folds", "2", "--figure", "grid.png"],
    "halving_random_search": ["--folds", "2"],
    "nested_cross_validation": ["--outer", "2", "--inner", "2"],
    "optuna_search": ["--folds", "2", "--trials", "6"],
    "resampling_inside_folds": ["--folds", "2"],
}


def test_the_readme_names_every_script() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    assert set(re.findall(r"\]\((\w+\.py)\)", text)) == {p.name for p in SCRIPTS}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_script_runs(
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if path.stem == "optuna_search":
        pytest.importorskip("optuna")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(path), *OPTIONS[path.stem]])
    runpy.run_path(str(path), run_name="__main__")
    said = capsys.readouterr().out
    assert re.search(r"0\.\d{3}", said)
    drawn = [file.name for file in tmp_path.iterdir()]
    assert drawn == (["grid.png"] if "--figure" in OPTIONS[path.stem] else [])
    if path.stem == "resampling_inside_folds":
        *honest, leaking = (float(line.split()[0]) for line in said.splitlines())
        assert leaking > max(honest)
