"""Thresholds of a multi-label classifier, tuned on held-out examples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["best_threshold", "best_thresholds"]


def _check(y_true: ArrayLike, y_score: ArrayLike) -> tuple[NDArray, NDArray]:
    truth, scores = np.asarray(y_true), np.asarray(y_score, dtype=np.float64)
    if truth.ndim != 2 or truth.shape != scores.shape or not truth.size:
        raise ValueError(
            "Labels and scores must be two matrices of the same shape, (n_samples, "
            f"n_labels). Got {truth.shape} and {scores.shape} instead."
        )
    if not np.isfinite(scores).all():
        raise ValueError("The scores hold NaN or infinity; no threshold can be set.")
    return truth.astype(bool), scores


def _cuts(scores: NDArray, default: float) -> NDArray:
    """Return a threshold below all scores, one between neighbours, and `default`."""
    distinct = np.unique(scores)
    between = (distinct[:-1] + distinct[1:]) / 2
    # The middle of two floats next to each other may round to the lower one.
    between = np.where(between > distinct[:-1], between, distinct[1:])
    lowest = min(default, float(distinct[0]))
    return np.concatenate([[lowest], between, [default]])


def _label_threshold(truth: NDArray, scores: NDArray, default: float) -> float:
    """Return the cut with the highest F1; the one nearest `default` of equals."""
    n_true = int(truth.sum())
    if n_true == 0:
        return default
    order = np.argsort(scores, kind="stable")
    cuts = _cuts(scores, default)
    # Everything at or above a cut is predicted.
    first = np.searchsorted(scores[order], cuts, side="left")
    hits_below = np.concatenate([[0], np.cumsum(truth[order])])
    hits = n_true - hits_below[first]
    f1 = 2 * hits / (len(scores) - first + n_true)
    best = np.flatnonzero(f1 == f1.max())
    return float(cuts[best[np.argmin(np.abs(cuts[best] - default))]])


def best_thresholds(
    y_true: ArrayLike, y_score: ArrayLike, *, default: float = 0.5
) -> NDArray[np.float64]:
    """Return for each label the threshold with the highest F1: the best macro-F1.

    Parameters
    ----------
    y_true : array of shape (n_samples, n_labels)
        Indicator rows of examples that were not trained on.
    y_score : array of shape (n_samples, n_labels)
        Their probabilities.
    default : float, default=0.5
        Threshold of a label without a positive example; of equally good ones the
        nearest to it is taken.

    Returns
    -------
    ndarray of shape (n_labels,)
        A label is predicted where its score is at or above its threshold.

    Examples
    --------
    >>> y_true = [[1, 0], [1, 0], [0, 0]]
    >>> best_thresholds(y_true, [[0.4, 0.1], [0.3, 0.2], [0.1, 0.1]]).tolist()
    [0.2, 0.5]
    """
    truth, scores = _check(y_true, y_score)
    return np.array(
        [
            _label_threshold(truth[:, label], scores[:, label], default)
            for label in range(truth.shape[1])
        ]
    )


def best_threshold(
    y_true: ArrayLike,
    y_score: ArrayLike,
    metric: Callable[[NDArray, NDArray], float],
    *,
    default: float = 0.5,
    n_candidates: int = 100,
) -> float:
    """Return the threshold for all labels alike with the highest value of a metric.

    Parameters
    ----------
    y_true : array of shape (n_samples, n_labels)
        Indicator rows of examples that were not trained on.
    y_score : array of shape (n_samples, n_labels)
        Their probabilities.
    metric : callable
        ``metric(y_true, y_pred)`` of indicator matrices, higher is better.
    default : float, default=0.5
        Always tried; of equally good thresholds the nearest to it is taken.
    n_candidates : int, default=100
        At most so many thresholds are tried, spread over the distinct scores.

    Returns
    -------
    float
        A label is predicted where its score is at or above the threshold.

    Examples
    --------
    >>> from sklearn.metrics import jaccard_score
    >>> y_true = [[1, 0], [1, 0], [0, 1]]
    >>> y_score = [[0.4, 0.1], [0.3, 0.2], [0.1, 0.4]]
    >>> best_threshold(
    ...     y_true, y_score, lambda t, p: jaccard_score(t, p, average="samples")
    ... )
    0.25
    """
    truth, scores = _check(y_true, y_score)
    cuts = _cuts(scores.ravel(), default)
    if len(cuts) > n_candidates:
        # The last one is the default.
        places = np.linspace(0, len(cuts) - 1, n_candidates).round().astype(int)
        cuts = cuts[places]
    values = np.array(
        [metric(truth.astype(int), (scores >= cut).astype(int)) for cut in cuts]
    )
    best = np.flatnonzero(values == values.max())
    return float(cuts[best[np.argmin(np.abs(cuts[best] - default))]])
