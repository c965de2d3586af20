"""Paired bootstrap of the scores of systems on the same tweets.

Pure functions: arrays in, arrays out, a generator for the randomness.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.leaderboard.statistics.cells import Cells, LinearCells
from tweetclf.leaderboard.statistics.coding import cells_in_order
from tweetclf.leaderboard.statistics.drawing import resample

if TYPE_CHECKING:
    from tweetclf.tasks import Metric

__all__ = [
    "ALPHA",
    "bca_interval",
    "bootstrap_scores",
    "enough_resamples",
    "holm",
    "least_p_value",
    "paired_p_values",
    "percentile_interval",
    "symmetric_interval",
]

Floats = NDArray[np.float64]

ALPHA = 0.05
"""Family-wise error of the statement that a system is not tied with the best."""

# Rounding must not decide between two systems with equal predictions.
TOLERANCE = 1e-12


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
    draw: str = "cells",
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
    draw : {"cells", "tweets"}, default="cells"
        Whether counts of cells or tweets are drawn. The distribution is the same, the
        numbers are not; "tweets" is quicker for many systems, whose cells hold few
        tweets each.

    Returns
    -------
    ndarray of shape (n_systems, n_resamples)
        Scores; float64.

    Raises
    ------
    ValueError
        If `draw` is something else.

    References
    ----------
    Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    if draw not in {"cells", "tweets"}:
        raise ValueError(
            "bootstrap_scores: the 'draw' parameter must be 'cells' or 'tweets'. Got "
            f"{draw!r} instead."
        )
    cells = cells_in_order(
        metric, y_true, predictions, label_names=label_names, groups=groups
    )
    if draw == "cells" and not isinstance(cells, LinearCells):
        return _resample_rows(cells, n_resamples, rng)
    return resample(cells, n_resamples, rng, draw=draw)


def _resample_rows(cells: Cells, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Draw tweet by tweet, from one stream."""
    scores = np.empty((cells.n_systems, n_resamples))
    for number in range(n_resamples):
        index = rng.integers(cells.n_samples, size=cells.n_samples)
        counts = np.bincount(index, minlength=cells.n_samples)
        scores[:, number] = cells.scores(counts[None, :])[:, 0]
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


def symmetric_interval(scores: Floats, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of differences that are symmetric about 0.

    Where exchanging two systems leaves the table of cells as it is, a resample is as
    likely as its mirror. Each difference d then stands for d and -d, and the ends are
    the quantile of their sizes; bias and acceleration are 0.

    Parameters
    ----------
    scores : ndarray of shape (n_resamples,)
        Differences of the resamples; NaN ones are left out.
    level : float, default=0.95
        Nominal coverage.
    """
    finite = np.abs(scores[np.isfinite(scores)])
    if not len(finite):
        return float("nan"), float("nan")
    half = float(np.quantile(finite, level))
    return 0.0 - half, half


def bca_interval(
    scores: Floats,
    observed: float,
    jackknife: Floats,
    counts: NDArray[Any],
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the bias-corrected and accelerated interval of bootstrap scores.

    Parameters
    ----------
    scores : ndarray of shape (n_resamples,)
        Scores of the resamples, or differences of two systems' scores.
    observed : float
        The same of the tweets themselves.
    jackknife : ndarray of shape (n_cells,)
        The same without one tweet of each cell.
    counts : ndarray of shape (n_cells,)
        Tweets of each cell.
    level : float, default=0.95
        Nominal coverage.

    Returns
    -------
    low, high : float
        The interval. It is the percentile interval where no correction can be
        computed: not all scores are defined, or all lie on one side of `observed`.

    Notes
    -----
    With z0 the normal quantile of the share of scores below `observed` (ties count
    half) and the acceleration a from the skewness of the jackknife, the ends are the
    quantiles at Phi(z0 + (z0 + z) / (1 - a (z0 + z))) for z = +-1.96.

    References
    ----------
    Efron, Better Bootstrap Confidence Intervals, JASA 82, 1987, sections 3 and 6.
    """
    from scipy.special import ndtr, ndtri

    below = (scores < observed - TOLERANCE).mean()
    equal = (np.abs(scores - observed) <= TOLERANCE).mean()
    share = below + equal / 2
    defined = np.isfinite(scores).all() and np.isfinite(jackknife).all()
    if not defined or not 0 < share < 1:
        return percentile_interval(scores, level)
    deviation = np.average(jackknife, weights=counts) - jackknife
    spread = counts @ deviation**2
    acceleration = 0.0
    if spread > 0:
        acceleration = float(counts @ deviation**3 / (6 * spread**1.5))
    bias = ndtri(share)
    z = bias + ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    low, high = np.quantile(scores, ndtr(bias + z / (1 - acceleration * z)))
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
    # What is not defined is no evidence against the hypothesis: it counts as exceeding.
    exceed = ~(np.abs(centred) < np.abs(difference)[:, None] - TOLERANCE)
    return (1 + exceed.sum(axis=1)) / (1 + resampled.shape[1])


def least_p_value(n_different: int) -> float:
    """Return what the p-value of systems that differ on few tweets cannot fall below.

    A bootstrap does not see how little a few tweets are: resamples of four that all
    speak for the first system do so, too. The p-value of an exact exchange test of
    systems that differ on m tweets is at least ``2 / 2**m``.

    Parameters
    ----------
    n_different : int
        Tweets that two systems predict differently.
    """
    return float(min(1.0, 2.0 ** (1 - n_different)))


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
