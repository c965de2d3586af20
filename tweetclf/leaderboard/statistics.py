"""Uncertainty of scores and of their differences, from stored predictions.

Pure functions: arrays in, arrays out, a generator for the randomness.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tweetclf.tasks import Metric

__all__ = [
    "ALPHA",
    "bootstrap_scores",
    "enough_resamples",
    "holm",
    "paired_p_values",
    "percentile_interval",
]

Floats = NDArray[np.float64]

ALPHA = 0.05
"""Family-wise error of the statement that a system is not tied with the best."""

CHUNK_CELLS = 2**23
"""Resampled counts held at a time (64 MB of int64)."""


def enough_resamples(wanted: int, n_systems: int) -> int:
    """Return the resamples with which a difference from the best can be found.

    The smallest p-value of ``n`` resamples is ``1 / (n + 1)``, and Holm's adjustment
    multiplies it by the number of comparisons; if that is not below 5 %, every system
    would be called tied.

    Parameters
    ----------
    wanted : int
        Number asked for.
    n_systems : int
        Systems compared, the best included.

    Examples
    --------
    >>> from tweetclf.leaderboard.statistics import enough_resamples
    >>> enough_resamples(100, 4), enough_resamples(100, 8)
    (100, 140)
    """
    # (n_systems - 1) / (n + 1) < ALPHA
    return max(wanted, round((n_systems - 1) / ALPHA))


def bootstrap_scores(
    metric: Metric,
    y_true: NDArray[Any],
    predictions: Sequence[NDArray[Any]],
    *,
    label_names: Sequence[str] = (),
    groups: NDArray[Any] | None = None,
    n_resamples: int = 2000,
    rng: np.random.Generator,
) -> Floats:
    """Score paired bootstrap resamples of the evaluated tweets.

    Every resample draws the same tweets for all systems, so that differences of
    columns are paired. For metrics of the confusion matrix the tweets are not drawn
    one by one: tweets with equal gold label and equal predictions of every system are
    one cell, and the counts of the cells are multinomial, which is the same
    distribution at a fraction of the work. Metrics of row means are weighted means of
    the rows; only what is neither (ranks, means over groups) is scored row by row.

    Parameters
    ----------
    metric : Metric
        Official metric.
    y_true : ndarray of shape (n_samples,) or (n_samples, n_labels)
        Gold labels: codes of `label_names`, indicator rows or numbers.
    predictions : sequence of ndarray
        Predictions of each system, shaped like `y_true`.
    label_names : sequence of str, optional
        Labels in order of their codes; empty for numbers.
    groups : ndarray of shape (n_samples,), optional
        Groups of the tweets, for metrics that are means over groups.
    n_resamples : int, default=2000
        Number of resamples.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (n_systems, n_resamples)
        Scores; float64.

    References
    ----------
    Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    if metric.supports_confusion and label_names and y_true.ndim == 1:
        return _bootstrap_confusion(
            metric, y_true, predictions, len(label_names), n_resamples, rng
        )
    coded = bool(label_names) and y_true.ndim == 1
    if coded:
        names = np.asarray(label_names)
        y_true = names[y_true]
        predictions = [names[predicted] for predicted in predictions]
    if metric.supports_rows:
        return _bootstrap_means(metric, y_true, predictions, n_resamples, rng)
    return _bootstrap_rows(metric, y_true, predictions, groups, n_resamples, rng)


def _bootstrap_confusion(
    metric: Metric,
    y_true: NDArray[Any],
    predictions: Sequence[NDArray[Any]],
    n_classes: int,
    n_resamples: int,
    rng: np.random.Generator,
) -> Floats:
    from scipy.sparse import csr_array

    columns = np.column_stack([y_true, *predictions]).astype(np.int64)
    cells, counts = np.unique(columns, axis=0, return_counts=True)
    n_cells, n_samples = len(cells), len(columns)
    # Cell -> entry of each system's flattened confusion matrix.
    entries = [
        csr_array(
            (
                np.ones(n_cells),
                (np.arange(n_cells), cells[:, 0] * n_classes + cells[:, system]),
            ),
            shape=(n_cells, n_classes**2),
        )
        for system in range(1, cells.shape[1])
    ]
    scores = np.empty((len(entries), n_resamples))
    for start, drawn in _draws(counts, n_samples, n_resamples, rng):
        size = len(drawn)
        for system, entry in enumerate(entries):
            confusion = (drawn @ entry).reshape(size, n_classes, n_classes)
            scores[system, start : start + size] = metric.from_confusion(confusion)
    return scores


def _draws(
    counts: NDArray[Any], n_samples: int, n_resamples: int, rng: np.random.Generator
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield multinomial counts of the cells in blocks of bounded memory."""
    step = max(1, CHUNK_CELLS // max(len(counts), 1))
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        yield start, rng.multinomial(n_samples, counts / n_samples, size=size)


def _bootstrap_means(
    metric: Metric,
    y_true: NDArray[Any],
    predictions: Sequence[NDArray[Any]],
    n_resamples: int,
    rng: np.random.Generator,
) -> Floats:
    n_samples = len(y_true)
    rows = [metric.per_row(y_true, predicted) for predicted in predictions]
    scores = np.empty((len(rows), n_resamples))
    for start, drawn in _draws(np.ones(n_samples), n_samples, n_resamples, rng):
        weights = drawn / n_samples
        for system, statistics in enumerate(rows):
            scores[system, start : start + len(drawn)] = metric.from_rows(
                weights @ statistics
            )
    return scores


def _bootstrap_rows(
    metric: Metric,
    y_true: NDArray[Any],
    predictions: Sequence[NDArray[Any]],
    groups: NDArray[Any] | None,
    n_resamples: int,
    rng: np.random.Generator,
) -> Floats:
    scores = np.empty((len(predictions), n_resamples))
    for resample in range(n_resamples):
        index = rng.integers(len(y_true), size=len(y_true))
        gold = y_true[index]
        drawn = None if groups is None else groups[index].tolist()
        for system, predicted in enumerate(predictions):
            scores[system, resample] = metric(gold, predicted[index], groups=drawn)
    return scores


def percentile_interval(scores: Floats, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of bootstrap scores.

    Parameters
    ----------
    scores : ndarray of shape (n_resamples,)
        Scores of the resamples; NaN ones are left out.
    level : float, default=0.95
        Nominal coverage.
    """
    finite = scores[np.isfinite(scores)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_p_values(resampled: Floats, observed: Floats, reference: int) -> Floats:
    """Test each system against one of them by the paired bootstrap.

    The null hypothesis is that the two scores do not differ on the population; the
    bootstrap distribution of the difference is centred for it, and
    ``p = (1 + #{|d* - d| >= |d|}) / (R + 1)``. Resamples without a defined score
    count as exceeding.

    Parameters
    ----------
    resampled : ndarray of shape (n_systems, n_resamples)
        Scores of paired resamples.
    observed : ndarray of shape (n_systems,)
        Scores on the tweets themselves.
    reference : int
        Row that the others are compared with.

    Returns
    -------
    ndarray of shape (n_systems,)
        Two-sided p-values; 1 for the reference itself.
    """
    difference = observed - observed[reference]
    centred = (resampled - resampled[reference]) - difference[:, None]
    # Rounding must not decide between two systems with equal predictions. What is not
    # defined is no evidence against the hypothesis: it counts as exceeding.
    exceed = ~(np.abs(centred) < np.abs(difference)[:, None] - 1e-12)
    return (1 + exceed.sum(axis=1)) / (1 + resampled.shape[1])


def holm(p_values: Floats) -> Floats:
    """Adjust p-values for the number of comparisons (Holm 1979).

    Parameters
    ----------
    p_values : ndarray of shape (n_comparisons,)
        Raw p-values.

    Returns
    -------
    ndarray of shape (n_comparisons,)
        Adjusted p-values, at most 1.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.leaderboard.statistics import holm
    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.maximum.accumulate(p_values[order] * factors)
    result = np.empty(len(p_values))
    result[order] = np.minimum(adjusted, 1.0)
    return result
