"""From sweeps to curves: which expectation fits which strategy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tweetclf.leaderboard.budget.comparison import BudgetComparison, compare_budgets
from tweetclf.leaderboard.budget.curves import (
    UNITS,
    BudgetCurve,
    budget_curve,
    spread_budgets,
)
from tweetclf.leaderboard.budget.estimates import best_so_far, times_of
from tweetclf.leaderboard.trials import Sweep

__all__ = [
    "compare_sweeps",
    "comparison_key",
    "curve_kind",
    "differences",
    "metric_bounds",
    "names_of",
    "sweep_curve",
]

Floats = NDArray[np.float64]

# Formulas of signatures by the scores that they can give.
_SHARES = ("f1", "accuracy", "precision", "recall", "exact_match", "jaccard")
_CORRELATIONS = ("mcc", "kappa", "pearson", "spearman")
_ERRORS = ("rmse", "mae")


def metric_bounds(signature: str) -> tuple[float, float]:
    """Return the lowest and the highest score of a metric; infinite if not known.

    Parameters
    ----------
    signature : str
        As of :meth:`tweetclf.tasks.Metric.signature`.

    Examples
    --------
    >>> from tweetclf.leaderboard.budget.sweeps import metric_bounds
    >>> metric_bounds("f1|average:macro|zero:0|v1"), metric_bounds("mae|v1")
    ((0.0, 1.0), (0.0, inf))
    """
    formula = signature.partition("|")[0]
    if formula in _SHARES:
        return 0.0, 1.0
    if formula in _CORRELATIONS:
        return -1.0, 1.0
    return (0.0, math.inf) if formula in _ERRORS else (-math.inf, math.inf)


def _arrays(sweep: Sweep) -> tuple[Floats, Floats]:
    """Return scores and seconds; of trials on fewer tweets than others, no score."""
    whole = {trial.number for trial in sweep.comparable}
    scores = [
        t.score if t.scored and t.number in whole else math.nan for t in sweep.trials
    ]
    # A failed trial whose time was not taken has none.
    seconds = [
        t.fit_seconds if t.fit_seconds > 0 or t.state == "complete" else math.nan
        for t in sweep.trials
    ]
    return np.array(scores, dtype=np.float64), np.array(seconds, dtype=np.float64)


def curve_kind(sweep: Sweep) -> str:
    """Return which expectation fits the trials of a sweep, as in `BudgetCurve`.

    A random search that has drawn all of a finite space has tried a grid: there is
    nothing that another draw would find.
    """
    if sweep.strategy not in ("random", "grid"):
        return "observed"
    return "grid" if sweep.whole else sweep.strategy


def sweep_curve(
    sweep: Sweep,
    *,
    unit: str = "trials",
    budgets: Sequence[float] | None = None,
    band: str | None = "ld",
    level: float = 0.95,
    name: str | None = None,
    random_state: int = 0,
) -> BudgetCurve:
    """Return the best score of a sweep against its budget.

    What is shown depends on the strategy. The trials of a random search are
    independent: the curve is its expectation, with a band. Those of a grid (or of a
    random search that has drawn all of a finite space) are all there are: the curve is
    the expectation over random orders of the cells, and needs no band. Those of
    Bayesian search and of halving depend on each other: the curve is the best that this
    search had seen, in its own order, on all tweets.

    Parameters
    ----------
    sweep : Sweep
        The search.
    unit : {"trials", "seconds"}, default="trials"
        Unit of the budgets; seconds are those of the fits.
    budgets : sequence of float, optional
        As in `budget_curve`; the curve of a Bayesian search or of halving has one
        budget a trial.
    band : {"ld", "ks", "bootstrap"} or None, default="ld"
        As in `budget_curve`, of a random search; in seconds it is always the
        bootstrap, if there is one.
    level : float, default=0.95
        Confidence of the band.
    name : str, optional
        Name of the curve; by default the system.
    random_state : int, default=0
        Seed of resamples and orders.

    Returns
    -------
    BudgetCurve
        The curve.

    Raises
    ------
    ValueError
        If no trial has a score.
    """
    if unit not in UNITS:
        raise ValueError(
            f"sweep_curve: the 'unit' parameter must be among {UNITS}. Got {unit!r} "
            "instead."
        )
    name = sweep.system if name is None else name
    scores, seconds = _arrays(sweep)
    kind = curve_kind(sweep)
    if kind == "observed":
        return _observed(sweep, scores, seconds, unit, name)
    bounds = metric_bounds(sweep.metric)
    worst = bounds[0] if sweep.greater_is_better else bounds[1]
    if kind == "grid":
        band = None
    elif band and unit == "seconds":
        band = "bootstrap"
    # Without a worst possible score the band of the mean has no end on that side.
    bounded = unit == "seconds" or math.isfinite(worst)
    curve = budget_curve(
        scores,
        seconds if unit == "seconds" else None,
        name=name,
        budgets=None if budgets is None else np.asarray(budgets, dtype=np.float64),
        band=band,
        level=level,
        bounds=bounds,
        statistic="mean" if bounded else "median",
        greater_is_better=sweep.greater_is_better,
        n_resamples=2000 if unit == "trials" else 400,
        random_state=random_state,
    )
    return replace(curve, kind=kind)


def _observed(
    sweep: Sweep, scores: Floats, seconds: Floats, unit: str, name: str
) -> BudgetCurve:
    best = best_so_far(scores, greater_is_better=sweep.greater_is_better)
    budgets = np.arange(1.0, len(scores) + 1)
    if unit == "seconds":
        budgets = np.cumsum(times_of(seconds, len(scores), "sweep_curve"))
    none = (math.nan,) * len(best)
    return BudgetCurve(
        name=name,
        unit=unit,
        budgets=tuple(budgets.tolist()),
        values=tuple(best.tolist()),
        low=none,
        high=none,
        n_trials=len(best),
        n_failed=len(sweep.failed),
        kind="observed",
        greater_is_better=sweep.greater_is_better,
    )


def names_of(sweeps: Sequence[Sweep]) -> list[str]:
    """Return a name for each sweep: the system, and what tells it from others."""
    names = [sweep.system for sweep in sweeps]
    for details in (
        lambda s: f"{s.system} ({s.strategy})",
        lambda s: f"{s.system} ({s.strategy}, {s.space})",
    ):
        counted = Counter(names)
        names = [
            details(sweep) if counted[name] > 1 else name
            for sweep, name in zip(sweeps, names, strict=True)
        ]
    counted = Counter(names)
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if counted[name] == 1 else f"{name} #{seen[name]}")
    return unique


# What the scores of two sweeps must share to be compared.
_SHARED: dict[str, Callable[[Sweep], object]] = {
    "task": lambda s: s.task,
    "version of the task": lambda s: s.task_version,
    "metric": lambda s: s.metric,
    "evaluation": lambda s: s.evaluation,
    "number of folds": lambda s: s.n_folds,
    # A mean of several runs varies less, and so its best is lower.
    "number of seeds": lambda s: len(s.seeds),
}


def comparison_key(sweep: Sweep) -> tuple[str, ...]:
    """Return what is equal in sweeps whose scores can be compared."""
    return tuple(str(fact(sweep)) for fact in _SHARED.values())


def differences(sweeps: Sequence[Sweep]) -> dict[str, list[str]]:
    """Return why the scores of sweeps cannot be compared; empty if they can.

    Parameters
    ----------
    sweeps : sequence of Sweep
        The sweeps.

    Returns
    -------
    dict of str to list of str
        What must be the same and is not -> its values.
    """
    columns = zip(*map(comparison_key, sweeps), strict=True)
    found = {
        what: list(dict.fromkeys(values))
        for what, values in zip(_SHARED, columns, strict=True)
    }
    return {what: values for what, values in found.items() if len(values) > 1}


def compare_sweeps(
    sweeps: Sequence[Sweep],
    *,
    n_trials: int | None = None,
    seconds: float | None = None,
    names: Sequence[str] | None = None,
    level: float = 0.95,
    random_state: int = 0,
) -> BudgetComparison:
    """Compare sweeps at the same number of trials, or of seconds of fitting.

    Parameters
    ----------
    sweeps : sequence of Sweep
        Two or more, of one task, metric and evaluation, each setting run with as many
        seeds.
    n_trials : int, optional
        The budget in trials; by default the largest that all have.
    seconds : float, optional
        The budget in seconds of fitting, in the place of trials.
    names : sequence of str, optional
        Names of the sweeps; by default the systems, and what tells them apart.
    level : float, default=0.95
        Confidence with which the bands of all random searches hold at once.
    random_state : int, default=0
        Seed of resamples and orders.

    Returns
    -------
    BudgetComparison
        Scores at the budget, and who is ahead where.

    Raises
    ------
    ValueError
        If the budget is more than one of the sweeps has spent, or the sweeps cannot be
        compared.
    """
    if n_trials is not None and seconds is not None:
        raise ValueError(
            "compare_sweeps: a budget is in trials or in seconds. Give one of "
            "'n_trials' and 'seconds'."
        )
    for what, values in differences(sweeps).items():
        raise ValueError(
            f"compare_sweeps: all sweeps must have the same {what}. Got "
            f"{' and '.join(values)} instead."
        )
    unit = "trials" if seconds is None else "seconds"
    curves = []
    names = names_of(sweeps) if names is None else names
    for sweep, name in zip(sweeps, names, strict=True):
        budgets = None
        if n_trials is not None and curve_kind(sweep) != "observed":
            spread = spread_budgets(len(sweep.trials)).tolist()
            # One that is too large is refused with the others.
            budgets = sorted({*spread, min(n_trials, len(sweep.trials))})
        curves.append(
            sweep_curve(
                sweep,
                unit=unit,
                budgets=budgets,
                level=1 - (1 - level) / len(sweeps),
                name=name,
                random_state=random_state,
            )
        )
    return compare_budgets(
        curves,
        n_trials if seconds is None else seconds,
        level=level,
        bounds=metric_bounds(sweeps[0].metric),
    )
