"""Confidence bands of the best of so many trials, whatever the scores' distribution.

A band of the distribution function of one trial's score is a band of the best of k
trials, whose distribution function is its k-th power.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special
from scipy.optimize import brentq
from scipy.stats import kstwo

from tweetclf.leaderboard.budget.estimates import budgets_of, trial_scores

__all__ = [
    "BANDS",
    "band_of_best",
    "best_of_steps",
    "cdf_band",
    "crossing_free",
    "is_open",
]

Floats = NDArray[np.float64]

BANDS = ("ld", "ks")
"""Names of the bands of a distribution function."""

STATISTICS = ("mean", "median")
"""What of the best score a curve shows."""

_LARGEST = 20_000


def is_open(end: float, bound: float, value: float) -> bool:
    """Tell whether an end of a band says less of the value than of possible scores.

    Parameters
    ----------
    end : float
        End of a band.
    bound : float
        Lowest or highest possible score.
    value : float
        What the band is about.
    """
    return not math.isfinite(end) or abs(end - bound) <= abs(end - value)


def crossing_free(lower: Floats, upper: Floats) -> float:
    """Return the probability that no uniform order statistic leaves its interval.

    Parameters
    ----------
    lower, upper : ndarray of shape (n,)
        Ends of the intervals, each from the smallest of n uniform variables to the
        largest; neither falls.

    Returns
    -------
    float
        P(lower[i] <= U_(i+1) <= upper[i] for all i).

    Notes
    -----
    The number of variables below t is followed from one end to the next as a Poisson
    process, which must end with n points (Moscovich & Nadler, Fast calculation of
    boundary crossing probabilities for Poisson processes, Statistics and Probability
    Letters 123, 2017). Only counts that can still stay inside are kept.
    """
    n = len(lower)
    ends = np.concatenate([lower, upper, [1.0]])
    log_factorials = special.gammaln(np.arange(n + 2) + 1.0)
    state = np.ones(1)
    now, first, passed = 0.0, 0, 0
    for event in np.argsort(ends, kind="stable").tolist():
        # Below lower[i] there are at most i variables, and `first` at least.
        last = min(passed, n)
        width = last - first + 1
        if width <= 0:
            return 0.0
        rate = n * (ends[event] - now)
        if rate > 0:
            jumps = np.arange(width)
            chances = np.exp(jumps * np.log(rate) - rate - log_factorials[:width])
            state = np.convolve(state, chances)[:width]
        else:
            state = np.pad(state, (0, width - len(state)))
        now = float(ends[event])
        if event < n:
            passed += 1
        elif event < 2 * n:
            state = state[event - n + 1 - first :]
            first = event - n + 1
    whole = np.exp(n * np.log(n) - n - log_factorials[n])
    return float(state[n - first] / whole)


@lru_cache(maxsize=256)
def _ks_width(n_trials: int, level: float) -> float:
    return float(kstwo(n_trials).ppf(level))


@lru_cache(maxsize=256)
def _ld_ends(n_trials: int, level: float) -> tuple[float, ...]:
    """Return the lower ends of equal-tailed intervals that hold all at once."""
    ranks = np.arange(1, n_trials + 1, dtype=np.float64)

    def lower(log_tail: float) -> Floats:
        tail = np.exp(log_tail)
        return np.asarray(special.betaincinv(ranks, n_trials + 1 - ranks, tail / 2))

    def surplus(log_tail: float) -> float:
        ends = lower(log_tail)
        return crossing_free(ends, 1.0 - ends[::-1]) - level

    if n_trials == 1:
        return tuple(lower(np.log(1 - level)).tolist())
    # By Bonferroni's inequality the first is too wide, and the second too narrow.
    widest, narrowest = np.log((1 - level) / n_trials), np.log(1 - level)
    return tuple(lower(brentq(surplus, widest, narrowest, xtol=1e-6)).tolist())


def cdf_band(
    n_trials: int, level: float = 0.95, kind: str = "ld"
) -> tuple[Floats, Floats]:
    """Return a simultaneous band of the distribution function of trials' scores.

    Parameters
    ----------
    n_trials : int
        Number of independent trials.
    level : float, default=0.95
        Probability that the whole function lies in the band; exact for continuous
        scores, and more where scores can be equal.
    kind : {"ld", "ks"}, default="ld"
        Intervals of the order statistics with equal tails, widened until they hold at
        once (Learned-Miller & DeSalvo 2008); or of constant width, the exact form of
        the inequality of Dvoretzky, Kiefer & Wolfowitz, which is wider at the best
        scores and so tells less about curves.

    Returns
    -------
    lower, upper : ndarray of shape (n_trials + 1,)
        Ends between neighbouring scores: element i holds from the i-th smallest score
        (from below all of them, for 0) to the next.

    Examples
    --------
    >>> from tweetclf.leaderboard.budget import cdf_band
    >>> lower, upper = cdf_band(3, 0.9)
    >>> lower.round(3).tolist(), upper.round(3).tolist()
    ([0.0, 0.007, 0.083, 0.269], [0.731, 0.917, 0.993, 1.0])
    """
    if kind not in BANDS:
        raise ValueError(
            f"cdf_band: the 'kind' parameter must be among {BANDS}. Got {kind!r} "
            "instead."
        )
    if not 0 < level < 1:
        raise ValueError(
            f"cdf_band: the 'level' parameter must be between 0 and 1. Got {level:g} "
            "instead."
        )
    if not 1 <= n_trials <= _LARGEST:
        raise ValueError(
            f"cdf_band: the 'n_trials' parameter must be from 1 to {_LARGEST:,}. Got "
            f"{n_trials} instead."
        )
    if kind == "ks":
        share = np.arange(n_trials + 1) / n_trials
        width = _ks_width(n_trials, float(level))
        return np.maximum(share - width, 0.0), np.minimum(share + width, 1.0)
    ends = np.array(_ld_ends(n_trials, float(level)))
    return np.concatenate([[0.0], ends]), np.concatenate([1.0 - ends[::-1], [1.0]])


def best_of_steps(
    points: Floats, shares: Floats, budgets: NDArray[np.int64], statistic: str
) -> Floats:
    """Return mean or median of the best of k draws from steps.

    Parameters
    ----------
    points : ndarray of shape (n_points,)
        Values in rising order; the ends may be infinite.
    shares : ndarray of shape (n_points,)
        Probability of a value up to each point; the last is 1.
    budgets : ndarray of int
        Numbers of draws.
    statistic : {"mean", "median"}
        What is returned.
    """
    best = np.empty(len(budgets))
    for place, k in enumerate(budgets.tolist()):
        if statistic == "median":
            # Rounding must not move the median to the next point.
            found = np.searchsorted(shares, 0.5 ** (1 / k) - 1e-12, side="left")
            best[place] = points[found]
            continue
        weights = np.diff(shares**k, prepend=0.0)
        used = weights > 0
        best[place] = points[used] @ weights[used]
    return best


def band_of_best(
    scores: ArrayLike,
    budgets: ArrayLike | None = None,
    *,
    level: float = 0.95,
    kind: str = "ld",
    bounds: tuple[float, float] = (-np.inf, np.inf),
    statistic: str = "mean",
    greater_is_better: bool = True,
) -> tuple[Floats, Floats]:
    """Return a band that holds the whole curve of the best of so many trials.

    Parameters
    ----------
    scores : array-like of shape (n_trials,)
        Scores of independent trials; NaN as in `expected_best`.
    budgets : array-like of int, optional
        Numbers of trials; by default 1, 2, ..., `n_trials`.
    level : float, default=0.95
        Probability that the band holds the curve at all budgets at once.
    kind : {"ld", "ks"}, default="ld"
        As in `cdf_band`.
    bounds : tuple of (float, float), default=(-inf, inf)
        Lowest and highest possible score. Nothing is known of what the trials did not
        reach, so that the band of a large budget has no end but the highest score; the
        mean has no end at all without bounds.
    statistic : {"mean", "median"}, default="mean"
        Whether the curve is the mean of the best score or its median.
    greater_is_better : bool, default=True
        Direction of the scores.

    Returns
    -------
    low, high : ndarray of shape (n_budgets,)
        Ends of the band.

    Raises
    ------
    ValueError
        If a score is outside the bounds, or a budget more than the trials there are.

    References
    ----------
    Lourie, Cho & He, Show Your Work with Confidence: Confidence Bands for Tuning
    Curves, NAACL 2024. Learned-Miller & DeSalvo, A probabilistic upper bound on
    differential entropy, IEEE Trans. Information Theory, 2008.

    Examples
    --------
    >>> from tweetclf.leaderboard.budget import band_of_best
    >>> low, high = band_of_best([0.2, 0.4, 0.6], [1, 3], bounds=(0, 1))
    >>> bool(low[0] < 0.4 < high[0])
    True
    """
    caller = "band_of_best"
    if statistic not in STATISTICS:
        raise ValueError(
            f"{caller}: the 'statistic' parameter must be among {STATISTICS}. Got "
            f"{statistic!r} instead."
        )
    values = np.sort(trial_scores(scores, caller, greater_is_better))
    floor, top = bounds if greater_is_better else (-bounds[1], -bounds[0])
    if values[0] < floor or values[-1] > top:
        raise ValueError(
            f"{caller}: the scores must be within the bounds {bounds}. Got scores from "
            f"{np.nanmin(scores):g} to {np.nanmax(scores):g} instead."
        )
    asked = budgets_of(budgets, len(values), caller)
    lower, upper = cdf_band(len(values), level, kind)
    # Where the distribution function is largest, scores are lowest.
    low = best_of_steps(np.append(floor, values), upper, asked, statistic)
    shares = np.append(lower[1:], 1.0)
    high = best_of_steps(np.append(values, top), shares, asked, statistic)
    return (low, high) if greater_is_better else (-high, -low)
