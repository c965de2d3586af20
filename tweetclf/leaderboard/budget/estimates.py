"""Expected validation performance: the best of so many trials, or of so many seconds.

Trials are the draws of a random search: settings drawn independently, each scored once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tweetclf.utils.random import stream

__all__ = [
    "ESTIMATORS",
    "best_so_far",
    "budgets_of",
    "default_times",
    "expected_best",
    "expected_best_in_time",
    "in_orders",
    "shuffled",
    "times_of",
    "trial_scores",
    "weights_of_best",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ESTIMATORS = ("unbiased", "plug-in")
"""Names of the estimators of `expected_best`."""

# Sums of times that differ by less are the same budget.
_ROUNDING = 1e-9


def trial_scores(scores: ArrayLike, caller: str, greater_is_better: bool) -> Floats:
    """Return scores of which greater ones are better; failed trials get the worst.

    Raises
    ------
    ValueError
        If they are not a row of numbers, or no trial has a score.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(
            f"{caller}: the 'scores' parameter must hold one number a trial. Got an "
            f"array of shape {values.shape} instead."
        )
    if np.isinf(values).any():
        place = int(np.flatnonzero(np.isinf(values))[0])
        raise ValueError(
            f"{caller}: the score of trial {place} is {values[place]}. A trial that "
            "failed has score NaN."
        )
    failed = np.isnan(values)
    if failed.all():
        raise ValueError(
            f"{caller}: none of {len(values)} trials has a score. Look at the errors "
            "of the trials first."
        )
    values = values if greater_is_better else -values
    return np.where(failed, values[~failed].min(), values)


def budgets_of(budgets: ArrayLike | None, n_trials: int, caller: str) -> Integers:
    """Return budgets in trials, all of them by default.

    Raises
    ------
    ValueError
        If one is not a whole number from 1 to the number of trials.
    """
    if budgets is None:
        return np.arange(1, n_trials + 1)
    asked = np.atleast_1d(np.asarray(budgets, dtype=np.float64))
    for budget in asked.tolist():
        if budget != round(budget) or budget < 1:
            raise ValueError(
                f"{caller}: a budget must be a whole number of trials from 1 on. Got "
                f"{budget:g} instead."
            )
        if budget > n_trials:
            raise ValueError(
                f"{caller}: a budget of {budget:g} trials is more than the "
                f"{n_trials} there are. Run more trials, or ask for at most "
                f"{n_trials}."
            )
    return asked.astype(np.int64)


def weights_of_best(n_trials: int, budget: int, estimator: str = "unbiased") -> Floats:
    """Return how much each trial, from the worst to the best, counts in the best.

    Parameters
    ----------
    n_trials : int
        Number of trials.
    budget : int
        Trials of which the best is taken.
    estimator : {"unbiased", "plug-in"}, default="unbiased"
        As in `expected_best`.

    Returns
    -------
    ndarray of shape (n_trials,)
        Weights; they add up to 1.
    """
    ranks = np.arange(1, n_trials + 1, dtype=np.float64)
    if estimator == "plug-in":
        reached: Floats = (ranks / n_trials) ** budget
        return np.diff(reached, prepend=0.0)
    # C(i - 1, k - 1) / C(n, k), from the best trial down; no binomial gets too large.
    weights = np.empty(n_trials)
    weights[-1] = budget / n_trials
    steps = np.maximum(ranks[1:] - budget, 0.0) / np.maximum(ranks[1:] - 1, 1.0)
    weights[:-1] = (weights[-1] * np.cumprod(steps[::-1]))[::-1]
    return weights


def expected_best(
    scores: ArrayLike,
    budgets: ArrayLike | None = None,
    *,
    greater_is_better: bool = True,
    estimator: str = "unbiased",
) -> Floats:
    """Estimate the expected best score of a random search of so many trials.

    Parameters
    ----------
    scores : array-like of shape (n_trials,)
        Score of each trial. NaN is a failed trial: it spends its part of the budget,
        and counts as the worst trial that did not fail.
    budgets : array-like of int, optional
        Numbers of trials, each at most `n_trials`; by default 1, 2, ..., `n_trials`.
    greater_is_better : bool, default=True
        Direction of the scores.
    estimator : {"unbiased", "plug-in"}, default="unbiased"
        The mean of the best over all subsets of trials (Tang et al. 2020), or over all
        draws with replacement (Dodge et al. 2019), which is biased towards worse
        scores and varies less.

    Returns
    -------
    ndarray of shape (n_budgets,)
        Expected best score at each budget.

    Raises
    ------
    ValueError
        If a budget is more than the trials there are.

    References
    ----------
    Dodge, Gururangan, Card, Schwartz & Smith, Show Your Work: Improved Reporting of
    Experimental Results, EMNLP-IJCNLP 2019. Tang, Lee, Xin, Liu, Yu & Lin, Showing
    Your Work Doesn't Always Work, ACL 2020. Dodge, Gururangan, Card, Schwartz & Smith,
    Expected Validation Performance and Estimation of a Random Variable's Maximum,
    Findings of EMNLP 2021 (bias and variance of both).

    Examples
    --------
    >>> from tweetclf.leaderboard.budget import expected_best
    >>> expected_best([0.2, 0.4, 0.6]).round(3).tolist()
    [0.4, 0.533, 0.6]
    """
    if estimator not in ESTIMATORS:
        raise ValueError(
            f"expected_best: the 'estimator' parameter must be among {ESTIMATORS}. Got "
            f"{estimator!r} instead."
        )
    values = np.sort(trial_scores(scores, "expected_best", greater_is_better))
    asked = budgets_of(budgets, len(values), "expected_best")
    best = [values @ weights_of_best(len(values), k, estimator) for k in asked.tolist()]
    return np.array(best) if greater_is_better else -np.array(best)


def best_so_far(scores: ArrayLike, *, greater_is_better: bool = True) -> Floats:
    """Return the best score that a search had seen after each of its trials.

    For searches whose trials depend on earlier ones (Bayesian, halving), in the place
    of `expected_best`: it is what one search did, and no expectation.

    Parameters
    ----------
    scores : array-like of shape (n_trials,)
        Score of each trial in order of the search; NaN is a failed trial.
    greater_is_better : bool, default=True
        Direction of the scores.

    Returns
    -------
    ndarray of shape (n_trials,)
        Best score; NaN before the first trial with a score.

    Examples
    --------
    >>> from tweetclf.leaderboard.budget import best_so_far
    >>> best_so_far([0.5, 0.4, float("nan"), 0.6]).tolist()
    [0.5, 0.5, 0.5, 0.6]
    """
    trial_scores(scores, "best_so_far", greater_is_better)
    better = np.fmax if greater_is_better else np.fmin
    return np.asarray(better.accumulate(np.asarray(scores, dtype=np.float64)))


def times_of(seconds: ArrayLike, n_trials: int, caller: str) -> Floats:
    """Return the cost of each trial; one that is not known is the mean of the others.

    Raises
    ------
    ValueError
        If there is not one time a trial, one is negative, or none is known.
    """
    times = np.asarray(seconds, dtype=np.float64)
    if times.shape != (n_trials,):
        raise ValueError(
            f"{caller}: the 'seconds' parameter must hold one time for each of "
            f"{n_trials} trials. Got an array of shape {times.shape} instead."
        )
    known = np.isfinite(times)
    if (times[known] < 0).any() or not (times[known] > 0).any():
        raise ValueError(
            f"{caller}: the 'seconds' parameter must hold times from 0 on, not all of "
            f"them 0. Got {times.tolist()[:5]} first instead."
        )
    return np.where(known, times, times[known].mean())


def default_times(times: Floats) -> Floats:
    """Return budgets in seconds, from that of the dearest trial to that of all."""
    return np.unique(np.geomspace(float(times.max()), float(times.sum()), 60))


def _time_budgets(budgets: ArrayLike | None, times: Floats, caller: str) -> Floats:
    if budgets is None:
        return default_times(times)
    whole = float(times.sum())
    asked = np.atleast_1d(np.asarray(budgets, dtype=np.float64))
    for budget in asked.tolist():
        if not budget > 0:
            raise ValueError(
                f"{caller}: a budget must be more than 0 seconds. Got {budget:g} "
                "instead."
            )
        if budget > whole * (1 + _ROUNDING):
            raise ValueError(
                f"{caller}: a budget of {budget:g} s is more than the {whole:.4g} s "
                "that all trials took. Run more trials, or ask for less."
            )
    return asked


def shuffled(n_trials: int, n_orders: int, rng: np.random.Generator) -> Integers:
    """Return random orders of trials, one a row."""
    return rng.permuted(np.tile(np.arange(n_trials), (n_orders, 1)), axis=1)


def in_orders(
    values: Floats, times: Floats, budgets: Floats, orders: Integers
) -> Floats:
    """Return the mean over orders of trials of the best one finished in time.

    Parameters
    ----------
    values, times : ndarray of shape (n_trials,)
        Scores, greater ones better, and costs.
    budgets : ndarray of shape (n_budgets,)
        Budgets in seconds.
    orders : ndarray of shape (n_orders, n_trials)
        Trials in the order in which they are run.

    Returns
    -------
    ndarray of shape (n_budgets,)
        NaN for a budget in which some order finishes nothing.
    """
    n_orders, n_trials = orders.shape
    ends = budgets * (1 + _ROUNDING)
    spent = np.cumsum(times[orders], axis=1)
    # All orders are searched at once, each beyond the reach of the one before.
    row = np.arange(n_orders)[:, None]
    reach = 2 * max(float(spent[:, -1].max()), float(ends.max()))
    found = np.searchsorted(
        (spent + row * reach).ravel(), (ends + row * reach).ravel(), side="right"
    )
    done = found.reshape(n_orders, -1) - row * n_trials
    best = np.maximum.accumulate(values[orders], axis=1)
    reached = np.take_along_axis(best, np.maximum(done, 1) - 1, axis=1)
    return np.asarray(np.where(done > 0, reached, np.nan).mean(axis=0))


def expected_best_in_time(
    scores: ArrayLike,
    seconds: ArrayLike,
    budgets: ArrayLike | None = None,
    *,
    greater_is_better: bool = True,
    n_orders: int = 2000,
    random_state: int = 0,
) -> Floats:
    """Estimate the expected best score of a random search of so many seconds.

    The trials are run one after another in random orders; what is not finished when the
    time is over does not count. Cheap trials come in larger numbers, as they would in a
    search: the usual approximation, trials times the mean cost of one, leaves that out.

    Parameters
    ----------
    scores : array-like of shape (n_trials,)
        Score of each trial; NaN as in `expected_best`.
    seconds : array-like of shape (n_trials,)
        Cost of each trial, such as the time of its fits. NaN is taken as the mean of
        the others.
    budgets : array-like of float, optional
        Seconds, at most the sum over all trials; by default 60 budgets from the dearest
        trial to that sum.
    greater_is_better : bool, default=True
        Direction of the scores.
    n_orders : int, default=2000
        Random orders of the trials.
    random_state : int, default=0
        Seed of the orders.

    Returns
    -------
    ndarray of shape (n_budgets,)
        Expected best score at each budget; NaN where the budget does not suffice for
        the dearest trial, as a search may then end with nothing.

    Raises
    ------
    ValueError
        If a budget is more than all trials took.

    Examples
    --------
    >>> from tweetclf.leaderboard.budget import expected_best_in_time
    >>> expected_best_in_time([0.2, 0.4, 0.6], [1, 1, 1], [1, 3]).round(1).tolist()
    [0.4, 0.6]
    """
    caller = "expected_best_in_time"
    values = trial_scores(scores, caller, greater_is_better)
    times = times_of(seconds, len(values), caller)
    asked = _time_budgets(budgets, times, caller)
    rng = stream(random_state, "budget", "orders")
    orders = shuffled(len(values), n_orders, rng)
    best = in_orders(values, times, asked, orders)
    # Not left to chance: some order begins with the dearest trial.
    best[asked * (1 + _ROUNDING) < times.max()] = np.nan
    return best if greater_is_better else -best
