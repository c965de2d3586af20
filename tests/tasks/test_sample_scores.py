"""The scores that the sample's README states are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tweetclf.tasks
from tweetclf.estimators import atalaya_svm, majority, tfidf_lr
from tweetclf.tasks import load_task

README = Path(tweetclf.tasks.__file__).parent / "data" / "sample" / "README.md"
ROW = r"\| `{}` \| ([\d.]+) \| ([\d.]+) \|"


@pytest.mark.parametrize(
    ("system", "make", "tolerance"),
    [
        ("majority", majority, 0.0005),
        ("tfidf-lr", tfidf_lr, 0.0005),
        # Trained vectors differ in the last bits from machine to machine.
        ("atalaya-svm", atalaya_svm, 0.02),
    ],
)
def test_stated_scores_are_reached(system: str, make, tolerance: float) -> None:
    found = re.search(ROW.format(system), README.read_text("utf-8"))
    assert found, f"{README} states no scores of {system}"
    for name, stated in zip(
        ("sample-sentiment", "sample-humor"), found.groups(), strict=True
    ):
        task = load_task(name)
        assert task.test is not None
        predicted = make().fit(*task.train).predict(task.test.texts)
        score = task.metric(task.test.labels, predicted)
        assert score == pytest.approx(float(stated), abs=tolerance), name
