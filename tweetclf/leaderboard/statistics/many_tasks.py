"""Systems over many tasks: Bayesian signed ranks, Friedman, Wilcoxon, Nemenyi."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tweetclf.leaderboard.statistics.bootstrap import ALPHA, holm
from tweetclf.utils.p_values import p_equals

__all__ = [
    "ManyTasks",
    "SignedRank",
    "bayesian_signed_rank",
    "compare_over_tasks",
    "nemenyi_critical_difference",
]

Floats = NDArray[np.float64]


class SignedRank(NamedTuple):
    """Result of `bayesian_signed_rank`.

    Parameters
    ----------
    p_better : float
        Posterior probability that the first system is practically better.
    p_equivalent : float
        That the difference lies in the region of practical equivalence.
    p_worse : float
        That the first system is practically worse.
    """

    p_better: float
    p_equivalent: float
    p_worse: float


@dataclass(frozen=True)
class ManyTasks:
    """Systems compared over many tasks.

    Parameters
    ----------
    systems : tuple of str
        The systems, in the order given.
    n_tasks : int
        Number of tasks.
    mean_ranks : tuple of float
        Mean rank of each system; 1 is best.
    friedman_statistic : float
        Friedman's chi-square, corrected for ties.
    friedman_p : float
        Its p-value.
    iman_davenport_p : float
        P-value of the F statistic of Iman and Davenport, which is less conservative.
    critical_difference : float
        Nemenyi's: mean ranks closer than this are not told apart.
    pairs : tuple of (str, str)
        The family of comparisons.
    wilcoxon_p : tuple of float
        P-values of Wilcoxon's signed-rank test for each pair.
    holm_p : tuple of float
        The same after Holm's adjustment for the family.
    alpha : float
        Level of the critical difference, and of the tests that the verdict rests on.
    """

    systems: tuple[str, ...]
    n_tasks: int
    mean_ranks: tuple[float, ...]
    friedman_statistic: float
    friedman_p: float
    iman_davenport_p: float
    critical_difference: float
    pairs: tuple[tuple[str, str], ...]
    wilcoxon_p: tuple[float, ...]
    holm_p: tuple[float, ...]
    alpha: float = ALPHA

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Largest sets of systems whose mean ranks lie within the critical difference.

        They are the bars of a critical-difference diagram.
        """
        order = np.argsort(self.mean_ranks, kind="stable")
        ranks = np.asarray(self.mean_ranks)[order]
        reach = np.searchsorted(ranks, ranks + self.critical_difference, side="left")
        found = []
        last = 0
        for start, stop in enumerate(reach.tolist()):
            if stop > max(last, start + 1):
                found.append(tuple(self.systems[i] for i in order[start:stop]))
            last = max(last, stop)
        return tuple(found)

    @property
    def verdict(self) -> str:
        """What the comparison says, in one line."""
        n = len(self.systems)
        if self.friedman_p >= self.alpha:
            return (
                f"{n} systems cannot be told apart over {self.n_tasks} tasks "
                f"(Friedman, {p_equals(self.friedman_p)})."
            )
        different = [
            f"{a} and {b}"
            for (a, b), p in zip(self.pairs, self.holm_p, strict=True)
            if p < self.alpha
        ]
        found = "; ".join(different) if different else "no single pair"
        return (
            f"{n} systems differ over {self.n_tasks} tasks (Friedman, "
            f"{p_equals(self.friedman_p)}); told apart after Holm over "
            f"{len(self.pairs)} comparisons: {found}."
        )


def bayesian_signed_rank(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    *,
    rope: float = 0.01,
    prior_strength: float = 0.5,
    n_draws: int = 50_000,
    greater_is_better: bool = True,
    rng: np.random.Generator,
) -> SignedRank:
    """Return how likely one system is practically better than another over tasks.

    Parameters
    ----------
    scores_a, scores_b : array-like of shape (n_tasks,)
        Scores of both systems on each task.
    rope : float, default=0.01
        Half the width of the region of practical equivalence: differences up to it do
        not matter.
    prior_strength : float, default=0.5
        Weight of the one task that the prior adds, with a difference of 0.
    n_draws : int, default=50000
        Draws from the posterior.
    greater_is_better : bool, default=True
        Whether a higher score is better.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    SignedRank
        Shares of the draws in which each of the three regions is the likeliest for
        the mean of the differences on two random tasks; they sum to 1.

    References
    ----------
    Benavoli, Corani, Demsar & Zaffalon, Time for a Change: a Tutorial for Comparing
    Multiple Classifiers Through Bayesian Analysis, JMLR 18(77), 2017, section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.leaderboard.statistics import bayesian_signed_rank
    >>> b = np.linspace(0.5, 0.8, 12)
    >>> result = bayesian_signed_rank(b + 0.03, b, rng=np.random.default_rng(0))
    >>> result.p_better > 0.99
    True
    """
    first, second = _scores(scores_a), _scores(scores_b)
    if first.shape != second.shape or first.ndim != 1 or len(first) < 2:
        raise ValueError(
            "bayesian_signed_rank needs the scores of both systems on the same two "
            f"tasks or more. Got shapes {first.shape} and {second.shape}."
        )
    if rope < 0 or prior_strength <= 0:
        raise ValueError(
            "bayesian_signed_rank: rope must be at least 0 and prior_strength above 0. "
            f"Got {rope} and {prior_strength}."
        )
    sign = 1.0 if greater_is_better else -1.0
    # The order of the tasks must not decide which weight is drawn for which.
    differences = np.append(0.0, np.sort(sign * (first - second)))
    sums = differences[:, None] + differences[None, :]
    better, worse = sums > 2 * rope, sums < -2 * rope
    shape = np.ones(len(differences))
    shape[0] = prior_strength
    wins = np.zeros(3)
    step = max(1, 2**20 // len(differences))
    for start in range(0, n_draws, step):
        weights = rng.dirichlet(shape, size=min(step, n_draws - start))
        up = ((weights @ better) * weights).sum(axis=1)
        down = ((weights @ worse) * weights).sum(axis=1)
        mass = np.stack([up, 1.0 - up - down, down])
        largest = mass == mass.max(axis=0)
        wins += (largest / largest.sum(axis=0)).sum(axis=1)
    return SignedRank(*(wins / n_draws).tolist())


def nemenyi_critical_difference(
    n_systems: int, n_tasks: int, *, alpha: float = ALPHA
) -> float:
    """Return the difference of mean ranks from which on two systems differ.

    Parameters
    ----------
    n_systems : int
        Systems compared.
    n_tasks : int
        Tasks that they are ranked on.
    alpha : float, default=0.05
        Level over all pairs.

    Returns
    -------
    float
        ``q / sqrt(2) * sqrt(k (k + 1) / (6 N))`` with q the quantile of the studentised
        range of k means with infinite degrees of freedom.

    References
    ----------
    Demsar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7,
    2006, section 3.2.2. Its table 5 holds q / sqrt(2); a formula that takes q from a
    table of the studentised range must divide.

    Examples
    --------
    >>> from tweetclf.leaderboard.statistics import nemenyi_critical_difference
    >>> round(nemenyi_critical_difference(4, 14), 2)
    1.25
    """
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - alpha, n_systems, np.inf)) / np.sqrt(2.0)
    return float(q * np.sqrt(n_systems * (n_systems + 1) / (6.0 * n_tasks)))


def compare_over_tasks(
    scores: ArrayLike,
    systems: Sequence[str],
    *,
    reference: str | None = None,
    greater_is_better: bool | Sequence[bool] = True,
    alpha: float = ALPHA,
) -> ManyTasks:
    """Compare three systems or more over many tasks by their ranks.

    Parameters
    ----------
    scores : array-like of shape (n_tasks, n_systems)
        Score of every system on every task.
    systems : sequence of str
        Names of the systems.
    reference : str, optional
        System that the others are compared with; by default all pairs are the family.
    greater_is_better : bool or sequence of bool, default=True
        Whether a higher score is better, for all tasks or for each.
    alpha : float, default=0.05
        Level of the critical difference, and of the tests that the verdict rests on.

    Returns
    -------
    ManyTasks
        Mean ranks, tests and verdict.

    Raises
    ------
    ValueError
        For fewer than three systems or two tasks, or scores that are not finite.

    Notes
    -----
    Tied scores share their mean rank. Wilcoxon's test leaves tasks without a difference
    out (SciPy's ``zero_method="wilcox"``) and is exact for up to 50 tasks without ties.
    With fewer than six tasks its p-value cannot fall below 0.05.

    References
    ----------
    Demsar, JMLR 7, 2006; Benavoli, Corani & Mangili, Should We Really Use Post-Hoc
    Tests Based on Mean-Ranks?, JMLR 17(5), 2016, on preferring Wilcoxon's test to
    Nemenyi's: the verdict on two systems must not depend on the others.

    Examples
    --------
    >>> from tweetclf.leaderboard.statistics import compare_over_tasks
    >>> result = compare_over_tasks(
    ...     [[0.7 + i / 100, 0.6 + i / 50, 0.5 + i / 90] for i in range(8)],
    ...     ["svm", "nbsvm", "majority"],
    ... )
    >>> result.mean_ranks
    (1.0, 2.0, 3.0)
    """
    from scipy.stats import f, friedmanchisquare, rankdata

    table = _scores(scores)
    _check_table(table, systems)
    directions = np.broadcast_to(np.where(greater_is_better, 1.0, -1.0), len(table))
    table = table * directions[:, None]
    n, k = table.shape
    names = tuple(systems)
    ranks = rankdata(-table, axis=1)
    if (table == table[:, :1]).all():
        statistic, p_value = 0.0, 1.0
    else:
        statistic, p_value = map(float, friedmanchisquare(*table.T))
    # Perfect agreement of all tasks leaves nothing to divide by.
    left = n * (k - 1) - statistic
    davenport = (n - 1) * statistic / left if left > 1e-9 else np.inf
    pairs = _family(names, reference)
    raw = np.array([_wilcoxon(*table[:, list(pair)].T) for pair in pairs])
    return ManyTasks(
        names,
        n,
        tuple(ranks.mean(axis=0).tolist()),
        statistic,
        p_value,
        float(f.sf(davenport, k - 1, (k - 1) * (n - 1))),
        nemenyi_critical_difference(k, n, alpha=alpha),
        tuple((names[i], names[j]) for i, j in pairs),
        tuple(raw.tolist()),
        tuple(holm(raw).tolist()),
        alpha,
    )


def _scores(values: ArrayLike) -> Floats:
    scores = np.asarray(values, dtype=np.float64)
    if not np.isfinite(scores).all():
        raise ValueError(
            "Scores over tasks must be finite; leave out tasks that a system did not "
            "finish, or give the system up."
        )
    return scores


def _check_table(table: Floats, systems: Sequence[str]) -> None:
    if table.ndim != 2 or table.shape[1] != len(systems):
        raise ValueError(
            f"compare_over_tasks needs a column for each of the {len(systems)} "
            f"systems. Got scores of shape {table.shape}."
        )
    if table.shape[1] < 3 or table.shape[0] < 2:
        raise ValueError(
            "compare_over_tasks needs three systems and two tasks or more. Got "
            f"{table.shape[1]} systems and {table.shape[0]} tasks. Two systems are "
            "compared by bayesian_signed_rank, or by scipy.stats.wilcoxon."
        )


def _family(names: tuple[str, ...], reference: str | None) -> list[tuple[int, int]]:
    if reference is None:
        return list(combinations(range(len(names)), 2))
    if reference not in names:
        raise ValueError(
            f"compare_over_tasks: the reference {reference!r} is not one of the "
            f"systems {', '.join(names)}."
        )
    first = names.index(reference)
    return [(first, i) for i in range(len(names)) if i != first]


def _wilcoxon(a: Floats, b: Floats) -> float:
    from scipy.stats import wilcoxon

    # Differences that are equal but for rounding are ties.
    differences = np.round(a - b, 12)
    if not differences.any():
        return 1.0
    return float(wilcoxon(differences).pvalue)
