"""Every grid search script runs on the bundled sample and prints what it claims."""

from __future__ import annotations

import re
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tweetclf
from tweetclf.tasks import get_metric

FOLDER = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "grid_search"
SCRIPTS = sorted(FOLDER.glob("*.py"))

# Fewer folds than by default and fewer tweets, so that the suite stays quick.
N_TRAIN = {"grid_search_atalaya": 120, "halving_random_search": 300}
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
    if path.stem in N_TRAIN:
        task = tweetclf.load_task("sample-humor")
        train = task.train.take(range(N_TRAIN[path.stem]))
        task = replace(task, splits={**task.splits, "train": train})
        monkeypatch.setattr(tweetclf, "load_task", lambda *_, **__: task)
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


def test_nested_scores_keep_their_sign(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Of labels that say nothing of the texts, some folds correlate negatively.
    task = tweetclf.load_task("sample-humor")
    labels = np.random.default_rng(1).permutation(task.train.labels)
    train = replace(task.train, labels=labels)
    task = replace(
        task,
        metric=get_metric("mcc", labels=task.label_names),
        splits={**task.splits, "train": train},
    )
    monkeypatch.setattr(tweetclf, "load_task", lambda *_, **__: task)
    path = FOLDER / "nested_cross_validation.py"
    monkeypatch.setattr(sys, "argv", [str(path), "--outer", "4", "--inner", "2"])
    runpy.run_path(str(path), run_name="__main__")
    said = capsys.readouterr().out
    folds = [float(line.split()[0]) for line in said.splitlines()[:4]]
    (mean,) = re.findall(r"nested: (-?[\d.]+) ", said)
    assert min(folds) < 0
    assert float(mean) == pytest.approx(np.mean(folds), abs=0.002)
