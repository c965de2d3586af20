"""Calibration error and Brier score, against scikit-learn and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from tweetclf.leaderboard.statistics import (
    brier_score,
    expected_calibration_error,
    measure_calibration,
    proba_flaw,
    top_label,
)


def believed(n_labels: int, n: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Return codes of gold labels, and probabilities that overstate a bit."""
    rng = np.random.default_rng(n_labels)
    proba = rng.dirichlet(np.full(n_labels, 0.7), size=n)
    honest = 0.7 * proba + 0.3 / n_labels
    return np.array([rng.choice(n_labels, p=row) for row in honest]), proba


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("n_labels", [2, 3, 20])
@pytest.mark.parametrize("n_bins", [1, 7, 15])
def test_bins_are_those_of_scikit_learn(
    strategy: str, n_labels: int, n_bins: int
) -> None:
    gold, proba = believed(n_labels)
    top, right = proba.max(axis=1), proba.argmax(axis=1) == gold
    share, mean = calibration_curve(right, top, n_bins=n_bins, strategy=strategy)
    found = measure_calibration(gold, proba, n_bins=n_bins, strategy=strategy)
    assert_allclose(found.accuracy, share)
    assert_allclose(found.confidence, mean)
    assert found.n == found.count.sum() == len(gold)
    assert found.n_bins == n_bins
    assert found.strategy == strategy
    ece = np.average(np.abs(share - mean), weights=found.count)
    assert found.ece == pytest.approx(ece, abs=1e-12)
    assert found.ece == expected_calibration_error(
        gold, proba, n_bins=n_bins, strategy=strategy
    )
    assert np.average(share, weights=found.count) == pytest.approx(right.mean())
    if strategy == "quantile":
        assert np.ptp(found.count) <= 1


@pytest.mark.parametrize("n_labels", [2, 3, 20])
def test_brier_score_is_that_of_scikit_learn(n_labels: int) -> None:
    gold, proba = believed(n_labels)
    expected = brier_score_loss(gold, proba, labels=list(range(n_labels)))
    assert brier_score(gold, proba) == pytest.approx(expected, abs=1e-12)
    assert measure_calibration(gold, proba).brier == brier_score(gold, proba)
    if n_labels == 2:
        assert brier_score(gold, proba[:, 1]) == pytest.approx(expected, abs=1e-12)


def test_of_label_sets_each_decision_counts() -> None:
    rng = np.random.default_rng(0)
    proba = rng.random((200, 4))
    gold = (rng.random((200, 4)) < proba**1.3).astype(np.int8)
    columns = [brier_score_loss(gold[:, i], proba[:, i]) for i in range(4)]
    assert brier_score(gold, proba) == pytest.approx(np.mean(columns), abs=1e-12)
    confidence, right = top_label(gold, proba)
    assert len(confidence) == 800
    assert confidence.min() >= 0.5
    assert right.mean() == pytest.approx(np.mean((proba > 0.5) == (gold == 1)))
    # Each decision is one of two labels.
    both = np.column_stack([1 - proba.ravel(), proba.ravel()])
    found = measure_calibration(gold, proba)
    two = measure_calibration(gold.ravel(), both)
    assert found.ece == pytest.approx(two.ece, abs=1e-12)
    assert found.brier == pytest.approx(two.brier, abs=1e-12)
    assert found.n == 800


def test_by_hand() -> None:
    proba = [[0.6, 0.3, 0.1], [0.1, 0.85, 0.05], [0.05, 0.1, 0.85], [0.2, 0.2, 0.6]]
    # 0.6 twice, right once; 0.85 twice, right once.
    gold = [0, 1, 0, 1]
    found = measure_calibration(gold, proba, n_bins=10)
    assert found.confidence.tolist() == pytest.approx([0.6, 0.85])
    assert found.accuracy.tolist() == [0.5, 0.5]
    assert found.count.tolist() == [2, 2]
    assert found.ece == pytest.approx((0.1 + 0.35) / 2)
    squares = (
        (0.16 + 0.09 + 0.01)
        + (0.01 + 0.0225 + 0.0025)
        + (0.9025 + 0.01 + 0.7225)
        + (0.04 + 0.64 + 0.36)
    )
    assert found.brier == pytest.approx(squares / 4)
    # An edge belongs to the bin below it, and 0 to the first.
    edges = measure_calibration([1, 1, 0], [0.5, 0.51, 0.0], n_bins=2)
    assert edges.count.tolist() == [2, 1]


def test_who_is_sure_and_right_has_no_error_and_who_is_wrong_all() -> None:
    gold = np.array([0, 1, 2, 1])
    assert measure_calibration(gold, np.eye(3)[gold]).ece == 0
    assert brier_score(gold, np.eye(3)[gold]) == 0
    assert expected_calibration_error(gold, np.eye(3)[(gold + 1) % 3]) == 1
    assert brier_score(gold, np.eye(3)[(gold + 1) % 3]) == 2
    assert brier_score([0, 1], [[0.0, 1.0], [1.0, 0.0]]) == 1


@pytest.mark.parametrize("n_labels", [2, 20])
def test_half_precision_changes_little(n_labels: int) -> None:
    gold, proba = believed(n_labels, 3000)
    half = proba.astype(np.float16)
    assert proba_flaw(half) is None
    assert brier_score(gold, half) == pytest.approx(brier_score(gold, proba), abs=5e-4)
    # Ties that rounding makes, and answers that cross an edge, may move a few.
    assert expected_calibration_error(gold, half) == pytest.approx(
        expected_calibration_error(gold, proba), abs=2e-3
    )


@pytest.mark.parametrize(
    ("gold", "proba", "changes", "said"),
    [
        ([0], [[0.9, 0.9]], {}, "add up to 1; those of tweet 1 add up to 1.8"),
        ([0, 0], [[1.0, 0.0], [0.5, 0.4]], {}, "tweet 2 add up to 0.9"),
        ([0], [[1.5, -0.5]], {}, "within 0 and 1"),
        ([0], [[np.nan, 1.0]], {}, "within 0 and 1"),
        ([[1, 0]], [[0.9, 1.2]], {}, "within 0 and 1"),
        ([0, 1], [[0.5, 0.5]], {}, r"shape \(1, 2\) do not belong"),
        ([[1, 0]], [[0.5, 0.5, 0.0]], {}, "do not belong"),
        ([], [], {}, "do not belong"),
        ([2], [[0.5, 0.5]], {}, "codes from 0 to 1. Got 2 to 2"),
        ([-1], [0.5], {}, "codes from 0 to 1"),
        ([[3, 0]], [[0.5, 0.5]], {}, "codes from 0 to 1"),
        ([0], [0.5], {"strategy": "x"}, "strategy must be 'uniform' or 'quantile'"),
        ([0], [0.5], {"n_bins": 0}, "n_bins at least 1"),
    ],
)
def test_what_are_no_probabilities_is_told(
    gold: Any, proba: Any, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        measure_calibration(gold, proba, **changes)
