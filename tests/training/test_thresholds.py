"""Thresholds against every threshold there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score

from tweetclf.training.thresholds import best_threshold, best_thresholds

SCORES = st.sampled_from([0.0, 0.1, 0.2, 0.35, 0.5, 0.6, 0.75, 0.9, 1.0])


def micro_f1(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    return f1_score(y_true, y_pred, average="micro", zero_division=0)


@given(arrays(bool, (9, 2)), arrays(float, (9, 2), elements=SCORES))
@settings(deadline=None, max_examples=15)
def test_no_other_thresholds_are_better(y_true, y_score):
    ours = best_thresholds(y_true, y_score)
    every = np.concatenate([[-1.0], np.unique(y_score), [2.0]])
    for label in range(2):
        truth, scores = y_true[:, label], y_score[:, label]
        f1 = f1_score(truth, scores >= ours[label], zero_division=0)
        best = max(f1_score(truth, scores >= t, zero_division=0) for t in every)
        assert f1 == pytest.approx(best)
        default = f1_score(truth, scores >= 0.5, zero_division=0)
        if default == pytest.approx(best):
            assert ours[label] == 0.5
    one = best_threshold(y_true, y_score, micro_f1)
    best = max(micro_f1(y_true, y_score >= t) for t in every)
    assert micro_f1(y_true, y_score >= one) == pytest.approx(best)


def test_neighbouring_floats_are_told_apart():
    low = 0.3
    high = np.nextafter(low, 1)
    thresholds = best_thresholds([[0], [1]], [[low], [high]])
    assert low < thresholds[0] <= high


def test_candidates_are_bounded():
    calls = []

    def metric(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        calls.append(1)
        return micro_f1(y_true, y_pred)

    rng = np.random.default_rng(0)
    y_score = rng.random((500, 2))
    y_true = y_score > 0.7
    threshold = best_threshold(y_true, y_score, metric, n_candidates=50)
    assert len(calls) == 50
    assert threshold == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize(
    ("y_true", "y_score", "message"),
    [
        ([1, 0], [0.5, 0.5], "two matrices of the same shape"),
        ([[1]], [[0.5], [0.2]], "two matrices of the same shape"),
        ([[1]], [[float("nan")]], "NaN or infinity"),
    ],
)
def test_arguments_are_checked(y_true, y_score, message):
    with pytest.raises(ValueError, match=message):
        best_thresholds(y_true, y_score)
