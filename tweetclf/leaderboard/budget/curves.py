"""Curves of the best score against the budget, with their bands."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tweetclf.leaderboard.budget.bands import (
    BANDS,
    STATISTICS,
    band_of_best,
    best_of_steps,
)
from tweetclf.leaderboard.budget.estimates import (
    ESTIMATORS,
    budgets_of,
    default_times,
    expected_best,
    expected_best_in_time,
    in_orders,
    shuffled,
    times_of,
    trial_scores,
    weights_of_best,
)
from tweetclf.utils.random import stream

__all__ = ["BudgetCurve", "budget_curve", "spread_budgets"]

Floats = NDArray[np.float64]

UNITS = ("trials", "seconds")

# Budgets of a curve; more are not told apart in a figure.
_MOST = 200
# A resampled search is put in that many orders.
_ORDERS = 20


@dataclass(frozen=True)
class BudgetCurve:
    """The best score of a search against its budget.

    Parameters
    ----------
    name : str
        Of the search, or the system that it tunes.
    unit : {"trials", "seconds"}
        Unit of the budgets.
    budgets : tuple of float
        Budgets, rising.
    values : tuple of float
        Best score at each budget.
    low, high : tuple of float
        Ends of the band; NaN where there is none, infinite or the bound of the metric
        where the trials set no end.
    n_trials : int
        Trials behind it.
    n_failed : int, default=0
        How many of them have no score.
    band : {"ld", "ks", "bootstrap", ""}, default=""
        How the band was made; empty for none.
    level : float or None, default=None
        Confidence of the band.
    statistic : {"mean", "median"}, default="mean"
        What of the best score the values are.
    kind : {"random", "grid", "observed"}, default="random"
        Whether values are expected over random draws of settings, over random orders
        of a grid's cells, or what one search saw in its own order.
    greater_is_better : bool, default=True
        Direction of the scores.
    """

    name: str
    unit: str
    budgets: tuple[float, ...]
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    n_trials: int
    n_failed: int = 0
    band: str = ""
    level: float | None = None
    statistic: str = "mean"
    kind: str = "random"
    greater_is_better: bool = True

    def at(self, budget: float) -> tuple[float, float, float]:
        """Return best score, low and high end at the largest budget up to this one.

        Parameters
        ----------
        budget : float
            Budget in the unit of the curve.

        Raises
        ------
        ValueError
            If it is more than the search has spent, or less than it needs to find
            anything.
        """
        said = f"{budget:g} trials"
        if self.unit == "seconds":
            said = f"{budget:.4g} seconds of fitting"
        slack = budget * 1e-9
        if budget > self.budgets[-1] + slack:
            raise ValueError(
                f"BudgetCurve: a budget of {said} is more than the "
                f"{self.budgets[-1]:.4g} of {self.name}. Run more trials, or ask for "
                "less."
            )
        place = int(np.searchsorted(self.budgets, budget + slack, side="right")) - 1
        if place < 0 or math.isnan(self.values[place]):
            raise ValueError(
                f"BudgetCurve: a budget of {said} is too small for "
                f"{self.name} to be sure of a single score."
            )
        return self.values[place], self.low[place], self.high[place]


def spread_budgets(n_trials: int) -> NDArray[np.int64]:
    """Return all numbers of trials, or some of them if they are many."""
    if n_trials <= _MOST:
        return np.arange(1, n_trials + 1)
    return np.unique(np.geomspace(1, n_trials, _MOST).round().astype(np.int64))


def budget_curve(
    scores: ArrayLike,
    seconds: ArrayLike | None = None,
    *,
    name: str = "search",
    budgets: ArrayLike | None = None,
    band: str | None = "ld",
    level: float = 0.95,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    statistic: str = "mean",
    estimator: str = "unbiased",
    greater_is_better: bool = True,
    n_resamples: int = 2000,
    random_state: int = 0,
) -> BudgetCurve:
    """Estimate the best score of a random search against its budget.

    Parameters
    ----------
    scores : array-like of shape (n_trials,)
        Score of each trial; NaN is a trial that failed, see `expected_best`.
    seconds : array-like of shape (n_trials,), optional
        Cost of each trial. With it the budget is in seconds, else in trials.
    name : str, default="search"
        Name of the curve.
    budgets : array-like, optional
        Budgets; by default all numbers of trials (or 200 of them), or 60 times from
        that of the dearest trial to that of all.
    band : {"ld", "ks", "bootstrap"} or None, default="ld"
        The band. "ld" and "ks" hold for any distribution of scores and for all
        budgets at once (see `band_of_best`); they are for budgets in trials. The
        percentile bootstrap is pointwise and too narrow for budgets near the number of
        trials: no resample finds more than the trials found. For budgets in seconds it
        is all there is; there "ld" and "ks" mean no band.
    level : float, default=0.95
        Confidence of the band.
    bounds : tuple of (float, float), default=(-inf, inf)
        Lowest and highest possible score.
    statistic : {"mean", "median"}, default="mean"
        What of the best score is shown. The median needs no bounds; it is for budgets
        in trials.
    estimator : {"unbiased", "plug-in"}, default="unbiased"
        Of the mean, as in `expected_best`.
    greater_is_better : bool, default=True
        Direction of the scores.
    n_resamples : int, default=2000
        Resamples of the bootstrap.
    random_state : int, default=0
        Seed of resamples and orders.

    Returns
    -------
    BudgetCurve
        The curve.

    Examples
    --------
    >>> from tweetclf.leaderboard.budget import budget_curve
    >>> curve = budget_curve([0.2, 0.4, 0.6], name="nbsvm", bounds=(0, 1))
    >>> [round(value, 3) for value in curve.values]
    [0.4, 0.533, 0.6]
    """
    _check(band, statistic, estimator, seconds is not None)
    values = trial_scores(scores, "budget_curve", greater_is_better)
    if seconds is None:
        ends = bounds if greater_is_better else (-bounds[1], -bounds[0])
        asked, best, low, high = _in_trials(
            values,
            budgets,
            band,
            level=level,
            bounds=ends,
            statistic=statistic,
            estimator=estimator,
            n_resamples=n_resamples,
            random_state=random_state,
        )
    else:
        # There is no band of a time's best that holds for every distribution.
        band = band if band == "bootstrap" else None
        times = times_of(seconds, len(values), "budget_curve")
        spent = default_times(times) if budgets is None else budgets
        asked = np.atleast_1d(np.asarray(spent, dtype=np.float64))
        best = expected_best_in_time(values, times, asked, random_state=random_state)
        low = high = np.full(len(best), np.nan)
        if band:
            low, high = _bootstrap_in_time(
                values, times, asked, level, n_resamples, random_state
            )
    if not greater_is_better:
        best, low, high = -best, -high, -low
    return BudgetCurve(
        name=name,
        unit="trials" if seconds is None else "seconds",
        budgets=tuple(asked.tolist()),
        values=tuple(best.tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        n_trials=len(values),
        n_failed=int(np.isnan(np.asarray(scores, dtype=np.float64)).sum()),
        band=band or "",
        level=level if band else None,
        statistic=statistic,
        greater_is_better=greater_is_better,
    )


def _check(band: str | None, statistic: str, estimator: str, in_time: bool) -> None:
    for word, given, known in (
        ("band", band, (*BANDS, "bootstrap", None)),
        ("statistic", statistic, STATISTICS),
        ("estimator", estimator, ESTIMATORS),
    ):
        if given not in known:
            raise ValueError(
                f"budget_curve: the {word!r} parameter must be among {known}. Got "
                f"{given!r} instead."
            )
    if in_time and statistic != "mean":
        raise ValueError(
            "budget_curve: the 'statistic' parameter must be 'mean' for budgets in "
            f"seconds. Got {statistic!r} instead."
        )


def _in_trials(
    values: Floats,
    budgets: ArrayLike | None,
    band: str | None,
    *,
    level: float,
    bounds: tuple[float, float],
    statistic: str,
    estimator: str,
    n_resamples: int,
    random_state: int,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return budgets in trials, the curve, and the ends of its band."""
    n = len(values)
    if budgets is None:
        budgets = spread_budgets(n)
    asked = budgets_of(budgets, n, "budget_curve")
    best = _best(values, asked, statistic, estimator)
    low = high = np.full(len(best), np.nan)
    if band == "bootstrap":
        low, high = _bootstrap(
            values, asked, statistic, estimator, level, n_resamples, random_state
        )
    elif band:
        low, high = band_of_best(
            values, asked, level=level, kind=band, bounds=bounds, statistic=statistic
        )
    return asked.astype(np.float64), best, low, high


def _best(
    values: Floats, budgets: NDArray[np.int64], statistic: str, estimator: str
) -> Floats:
    if statistic == "mean":
        return expected_best(values, budgets, estimator=estimator)
    shares = np.arange(1, len(values) + 1) / len(values)
    return best_of_steps(np.sort(values), shares, budgets, statistic)


def _ends(resampled: Floats, level: float) -> tuple[Floats, Floats]:
    tail = 50 * (1 - level)
    low, high = np.percentile(resampled, [tail, 100 - tail], axis=0)
    return low, high


def _bootstrap(
    values: Floats,
    budgets: NDArray[np.int64],
    statistic: str,
    estimator: str,
    level: float,
    n_resamples: int,
    random_state: int,
) -> tuple[Floats, Floats]:
    """Return the pointwise percentile interval of a curve over trials."""
    n = len(values)
    rng = stream(random_state, "budget", "bootstrap")
    drawn = np.sort(values[rng.integers(n, size=(n_resamples, n))], axis=1)
    if statistic == "mean":
        weights = [weights_of_best(n, k, estimator) for k in budgets.tolist()]
        return _ends(drawn @ np.array(weights).T, level)
    places = best_of_steps(
        np.arange(n, dtype=np.float64), np.arange(1, n + 1) / n, budgets, statistic
    )
    return _ends(drawn[:, places.astype(np.int64)], level)


def _bootstrap_in_time(
    values: Floats,
    times: Floats,
    budgets: Floats,
    level: float,
    n_resamples: int,
    random_state: int,
) -> tuple[Floats, Floats]:
    """Return the pointwise percentile interval of a curve over seconds."""
    n = len(values)
    rng = stream(random_state, "budget", "bootstrap in time")
    resampled = np.empty((n_resamples, len(budgets)))
    for row in resampled:
        drawn = rng.integers(n, size=n)
        orders = shuffled(n, _ORDERS, rng)
        row[:] = in_orders(values[drawn], times[drawn], budgets, orders)
    # A budget that a resample cannot be sure of has no interval.
    low, high = _ends(resampled, level)
    return low, high
