"""Whether probabilities can be believed: calibration error and Brier score.

What is asked of several labels is the top label: how probable the model calls the
label that it calls most probable, and how often that one is right. Where each label of
a tweet is decided by itself (multi-label), each decision is one such answer: its
probability is that of the more probable of "applies" and "does not apply".

References
----------
Brier, Verification of forecasts expressed in terms of probability, Monthly Weather
Review 78, 1950; Guo, Pleiss, Sun & Weinberger, On Calibration of Modern Neural
Networks, ICML 2017, section 2 (top label, equal bins); Nguyen & O'Connor, Posterior
calibration and exploratory analysis for natural language processing models, EMNLP 2015,
section 3.2 (adaptive bins).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "BINNINGS",
    "Calibration",
    "brier_score",
    "expected_calibration_error",
    "measure_calibration",
    "proba_flaw",
    "top_label",
]

BINNINGS = ("uniform", "quantile")
"""Bins that are equally wide, and bins that hold equally many answers (adaptive)."""

# Largest gap between 1 and a sum of probabilities: half precision keeps within it.
_ROUNDING = 2e-3


@dataclass(frozen=True, eq=False)
class Calibration:
    """How often answers are right, by the probability that they were given.

    Parameters
    ----------
    confidence : ndarray of shape (n_filled,)
        Mean probability of the answers of each bin that holds any, from below.
    accuracy : ndarray of shape (n_filled,)
        Share of them that is right.
    count : ndarray of shape (n_filled,)
        Number of them.
    brier : float
        Brier score, of all labels.
    strategy : {"uniform", "quantile"}
        How the bins were cut.
    n_bins : int
        Number of bins, with those that hold nothing.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    count: NDArray[np.int64]
    brier: float
    strategy: str
    n_bins: int

    @property
    def n(self) -> int:
        """Number of answers: tweets, or, of several labels each, decisions."""
        return int(self.count.sum())

    @property
    def ece(self) -> float:
        """Expected calibration error: mean gap of the bins, weighted by answers."""
        return float(
            np.average(np.abs(self.confidence - self.accuracy), weights=self.count)
        )


def proba_flaw(y_proba: NDArray[Any], *, add_up: bool = True) -> str | None:
    """Say why an array holds no probabilities, or None.

    Parameters
    ----------
    y_proba : ndarray of shape (n_samples, n_labels) or (n_samples,)
        The array.
    add_up : bool, default=True
        Whether those of each tweet must add up to 1: not where each of several labels
        is decided by itself.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.leaderboard.statistics import proba_flaw
    >>> proba_flaw(np.array([[0.5, 0.4]]))
    'the probabilities of a tweet must add up to 1; those of tweet 1 add up to 0.9'
    """
    proba = np.asarray(y_proba, dtype=np.float64)
    if not ((proba >= 0) & (proba <= 1)).all():
        return "probabilities must lie within 0 and 1"
    if proba.ndim < 2 or not add_up or not len(proba):
        return None
    sums = proba.sum(axis=1)
    worst = int(np.abs(sums - 1).argmax())
    if abs(sums[worst] - 1) <= _ROUNDING:
        return None
    return (
        "the probabilities of a tweet must add up to 1; those of tweet "
        f"{worst + 1} add up to {sums[worst]:.4g}"
    )


def _read(
    y_true: ArrayLike, y_proba: ArrayLike
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return gold labels and probabilities that fit each other."""
    gold, proba = np.asarray(y_true), np.asarray(y_proba, dtype=np.float64)
    expected = gold.shape if gold.ndim == 2 else (len(gold), *proba.shape[1:])
    if proba.ndim > 2 or proba.shape != expected or not gold.size:
        raise ValueError(
            f"probabilities of shape {proba.shape} do not belong to gold labels of "
            f"shape {gold.shape}."
        )
    n_labels = 2 if proba.ndim == 1 or gold.ndim == 2 else proba.shape[1]
    if gold.min() < 0 or gold.max() >= n_labels:
        raise ValueError(
            f"gold labels must be codes from 0 to {n_labels - 1}. Got "
            f"{gold.min()} to {gold.max()} instead."
        )
    flaw = proba_flaw(proba, add_up=gold.ndim == 1)
    if flaw:
        raise ValueError(f"{flaw}. Scores that are none have to be calibrated first.")
    return gold, proba


def top_label(
    y_true: ArrayLike, y_proba: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the probability of each answer, and whether it is right.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_labels)
        Gold labels as columns of `y_proba`; or indicator rows.
    y_proba : array-like of shape (n_samples,) or (n_samples, n_labels)
        Probability of every label; or of the second of two, which is then what the
        answers are about.

    Returns
    -------
    confidence : ndarray of shape (n_answers,)
        Probability of the most probable label (of equals, the first). Of indicator rows
        there are as many answers as labels for each row, one row after the other.
    right : ndarray of bool, shape (n_answers,)
        Whether the gold label is that one.

    Examples
    --------
    >>> from tweetclf.leaderboard.statistics import top_label
    >>> confidence, right = top_label([0, 1], [[0.75, 0.25], [0.5, 0.5]])
    >>> confidence.tolist(), right.tolist()
    ([0.75, 0.5], [True, False])
    >>> confidence, right = top_label([[1, 0]], [[0.75, 0.125]])
    >>> confidence.tolist(), right.tolist()
    ([0.75, 0.875], [True, True])
    """
    gold, proba = _read(y_true, y_proba)
    if proba.ndim == 1:
        return proba, gold == 1
    if gold.ndim == 2:
        applies = proba > 0.5
        confidence = np.where(applies, proba, 1.0 - proba)
        return confidence.ravel(), (applies == (gold == 1)).ravel()
    return proba.max(axis=1), proba.argmax(axis=1) == gold


def brier_score(y_true: ArrayLike, y_proba: ArrayLike) -> float:
    """Return the mean squared error of probabilities: 0 at best, and no bins.

    Parameters
    ----------
    y_true, y_proba : array-like
        As of `top_label`.

    Returns
    -------
    float
        At most 1 for two labels, where both columns hold the same error, which counts
        once, and for indicator rows, over whose labels it is averaged; at most 2 for
        more labels, over which it is summed.

    Examples
    --------
    >>> from tweetclf.leaderboard.statistics import brier_score
    >>> brier_score([0, 1], [[0.75, 0.25], [0.5, 0.5]])
    0.15625
    """
    gold, proba = _read(y_true, y_proba)
    if proba.ndim == 1:
        return float(np.mean((proba - (gold == 1)) ** 2))
    if gold.ndim == 2:
        return float(np.mean((proba - gold) ** 2))
    n_labels = proba.shape[1]
    wrong = proba - np.eye(n_labels)[gold]
    share = 0.5 if n_labels == 2 else 1.0
    return float(share * np.mean((wrong**2).sum(axis=1)))


def measure_calibration(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    n_bins: int = 10,
    strategy: str = "uniform",
) -> Calibration:
    """Bin answers by their probability, and count how many are right.

    Parameters
    ----------
    y_true, y_proba : array-like
        As of `top_label`.
    n_bins : int, default=10
        Number of bins between 0 and 1, closed on the right.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins that are equally wide, or that hold equally many answers.

    Returns
    -------
    Calibration
        The bins that hold any, their error and the Brier score.

    Raises
    ------
    ValueError
        If `strategy` or `n_bins` is none, or `y_proba` holds no probabilities.

    Examples
    --------
    >>> from tweetclf.leaderboard.statistics import measure_calibration
    >>> found = measure_calibration([1, 0, 1, 0], [0.9, 0.9, 0.8, 0.3], n_bins=5)
    >>> found.count.tolist(), found.accuracy.tolist(), round(found.ece, 3)
    ([1, 1, 2], [0.0, 1.0, 0.5], 0.325)
    """
    if strategy not in BINNINGS or n_bins < 1:
        raise ValueError(
            "measure_calibration: strategy must be 'uniform' or 'quantile', and n_bins "
            f"at least 1. Got {strategy!r} and {n_bins!r} instead."
        )
    confidence, right = top_label(y_true, y_proba)
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    if strategy == "quantile":
        edges = np.quantile(confidence, edges)
    bins = np.searchsorted(edges[1:-1], confidence)
    count = np.bincount(bins)
    filled = count > 0
    mean, share = (
        np.bincount(bins, weights)[filled] / count[filled]
        for weights in (confidence, right)
    )
    return Calibration(
        mean, share, count[filled], brier_score(y_true, y_proba), strategy, n_bins
    )


def expected_calibration_error(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    n_bins: int = 10,
    strategy: str = "uniform",
) -> float:
    """Return how far the share of right answers is from what was believed, on average.

    Parameters
    ----------
    y_true, y_proba : array-like
        As of `top_label`.
    n_bins : int, default=10
        Number of bins; the error depends on it.
    strategy : {"uniform", "quantile"}, default="uniform"
        How they are cut, see `measure_calibration`.

    Returns
    -------
    float
        Mean gap of the bins, weighted by their answers: 0 at best. It is biased upwards
        on few answers.

    Examples
    --------
    >>> from tweetclf.leaderboard.statistics import expected_calibration_error
    >>> expected_calibration_error([0, 1], [[0.75, 0.25], [0.75, 0.25]])
    0.25
    """
    return measure_calibration(y_true, y_proba, n_bins=n_bins, strategy=strategy).ece
