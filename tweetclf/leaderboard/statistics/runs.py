"""Systems run several times: seeds beside tweets, and almost stochastic order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tweetclf.leaderboard.statistics.bootstrap import (
    ALPHA,
    least_p_value,
    paired_p_values,
    percentile_interval,
    symmetric_interval,
)
from tweetclf.leaderboard.statistics.coding import (
    CodedTweets,
    code_tweets,
    order_pair,
)
from tweetclf.leaderboard.statistics.drawing import resample

if TYPE_CHECKING:
    from tweetclf.tasks import Metric

__all__ = [
    "MIN_RUNS",
    "HierarchicalBootstrap",
    "StochasticOrder",
    "almost_stochastic_order",
    "hierarchical_bootstrap",
]

Floats = NDArray[np.float64]

MIN_RUNS = 5
"""Runs of a system below which its distribution of scores is not estimated."""

# Ulmer, Hardmeier & Frellsen 2022, section 4: 0.2 keeps the error at the level that 0.5
# promises and, with few runs, does not keep.
THRESHOLD = 0.2


class HierarchicalBootstrap(NamedTuple):
    """Result of `hierarchical_bootstrap`.

    Parameters
    ----------
    difference : float
        Mean score of the first system's runs minus that of the second's.
    interval : tuple of (float, float)
        Percentile interval over seeds and tweets.
    standard_error : float
        Standard deviation over both.
    tweets_error : float
        Standard deviation over tweets alone, the runs held fixed.
    p_value : float
        Two-sided p-value for "no difference".
    n_different : int
        Tweets that the runs of the two systems do not predict alike: another label, or
        the same as often.
    """

    difference: float
    interval: tuple[float, float]
    standard_error: float
    tweets_error: float
    p_value: float
    n_different: int


class StochasticOrder(NamedTuple):
    """Result of `almost_stochastic_order`.

    Parameters
    ----------
    violation : float
        Share of the squared Wasserstein distance on which the first system is worse:
        0 if it is never worse at the same quantile, 1 if it is always.
    epsilon_min : float
        Upper confidence bound of `violation`.
    threshold : float
        Bound below which the first system is said to be better.
    """

    violation: float
    epsilon_min: float
    threshold: float

    @property
    def better(self) -> bool:
        """Whether the first system is almost stochastically greater."""
        return self.epsilon_min < self.threshold


def hierarchical_bootstrap(
    metric: Metric,
    y_true: Any,
    runs_a: Sequence[Any],
    runs_b: Sequence[Any],
    *,
    same_seeds: bool = False,
    label_names: Sequence[str] = (),
    groups: Any = None,
    n_resamples: int = 10_000,
    level: float = 0.95,
    rng: np.random.Generator,
) -> HierarchicalBootstrap:
    """Compare the mean scores of two systems over seeds and over tweets.

    Each resample draws runs of both systems with replacement, one fewer than there are,
    and tweets that are the same for all runs. Intervals over tweets alone hold the runs
    fixed and say nothing about other seeds.

    Parameters
    ----------
    metric : Metric
        Official metric.
    y_true : array-like
        Gold labels: codes of `label_names` if those are given, else what `metric`
        accepts.
    runs_a, runs_b : sequence of array-like
        Predictions of each run of both systems, two or more.
    same_seeds : bool, default=False
        Whether the runs of both are paired (same seed, same split), so that pairs are
        drawn.
    label_names : sequence of str, optional
        Labels in order of their codes.
    groups : array-like, optional
        Groups of the tweets, for metrics that are means over groups.
    n_resamples : int, default=10000
        Number of resamples.
    level : float, default=0.95
        Nominal coverage of the interval.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    HierarchicalBootstrap
        Difference, interval, standard errors and p-value.

    Raises
    ------
    ValueError
        If a system has one run, or the numbers of paired runs differ.

    Notes
    -----
    Of n runs, n draws would show (n - 1) / n of the variance between seeds; n - 1 draws
    show the whole. Still, two runs are hardly better than one. If the runs of the two
    systems differ on m tweets, p is at least ``2 / 2**m``, as for single runs. Which
    system comes first changes signs and nothing else; the order of the runs decides
    what is drawn.

    References
    ----------
    Davison & Hinkley, Bootstrap Methods and their Application, 1997, section 3.8;
    Hesterberg, What Teachers Should Know about the Bootstrap, The American Statistician
    69, 2015, section 3.
    """
    n_a, n_b = len(runs_a), len(runs_b)
    _check_runs(n_a, n_b, same_seeds)
    tweets = code_tweets(
        metric, y_true, [*runs_a, *runs_b], label_names=label_names, groups=groups
    )
    exchanged, mirrored = _order_of_systems(tweets, n_a)
    if exchanged:
        # The smaller table comes first, and signs are turned at the end.
        tweets = tweets.of_systems([*range(n_a, n_a + n_b), *range(n_a)])
        n_a, n_b = n_b, n_a
    cells = tweets.cells()
    scores = resample(cells, n_resamples, rng)
    # One run fewer than there are: the variance of means of n - 1 draws is unbiased.
    seeds_a = rng.integers(n_a, size=(n_a - 1, n_resamples))
    seeds_b = seeds_a
    if not same_seeds:
        seeds_b = rng.integers(n_b, size=(n_b - 1, n_resamples))
    drawn_a = np.take_along_axis(scores[:n_a], seeds_a, axis=0).mean(axis=0)
    drawn_b = np.take_along_axis(scores[n_a:], seeds_b, axis=0).mean(axis=0)
    fixed = scores[:n_a].mean(axis=0) - scores[n_a:].mean(axis=0)
    observed = cells.observed()
    means = np.array([observed[:n_a].mean(), observed[n_a:].mean()])
    if mirrored:
        # The order of a sum must not make one of them better.
        means = means[[0, 0]]
    n_different = _n_different(tweets, n_a)
    p_value = float(paired_p_values(np.array([drawn_a, drawn_b]), means, 0)[1])
    sign = -1.0 if exchanged else 1.0
    drawn = sign * (drawn_a - drawn_b)
    interval = symmetric_interval if mirrored else percentile_interval
    return HierarchicalBootstrap(
        sign * float(means[0] - means[1]),
        interval(drawn, level),
        float(np.std(drawn, ddof=1)),
        float(np.std(fixed, ddof=1)),
        max(p_value, least_p_value(n_different)),
        n_different,
    )


def _check_runs(n_a: int, n_b: int, same_seeds: bool) -> None:
    if min(n_a, n_b) < 2:
        raise ValueError(
            "hierarchical_bootstrap needs two runs or more of each system, to see what "
            f"another seed does. Got {n_a} and {n_b}; compare single runs with "
            "compare_systems."
        )
    if same_seeds and n_a != n_b:
        raise ValueError(
            "hierarchical_bootstrap: with same_seeds=True both systems need as many "
            f"runs. Got {n_a} and {n_b}."
        )


def _order_of_systems(tweets: CodedTweets, n_a: int) -> tuple[bool, bool]:
    """Return whether the second system comes first, and whether neither does."""
    gold, *runs = tweets.numbers
    n_b = len(runs) - n_a
    if n_a != n_b:
        return n_b < n_a, False
    first, second = np.column_stack(runs[:n_a]), np.column_stack(runs[n_a:])
    order = order_pair(gold, first, second, tweets.groups)
    return order.exchanged, order.mirrored


def _n_different(tweets: CodedTweets, n_a: int) -> int:
    """Count the tweets whose predictions are not shared out alike by both systems."""
    runs = tweets.numbers[1:]
    n_b = len(runs) - n_a
    rows = runs.reshape(-1, runs.shape[2])
    codes = np.unique(rows, axis=0, return_inverse=True)[1].reshape(runs.shape[:2])
    # As many predictions of both, so that shares are compared.
    first = np.repeat(np.sort(codes[:n_a], axis=0), n_b, axis=0)
    second = np.repeat(np.sort(codes[n_a:], axis=0), n_a, axis=0)
    return int((first != second).any(axis=0).sum())


def almost_stochastic_order(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    *,
    greater_is_better: bool = True,
    alpha: float = ALPHA,
    threshold: float = THRESHOLD,
    n_resamples: int = 1000,
    rng: np.random.Generator,
) -> StochasticOrder:
    """Test whether a system's scores over seeds are almost stochastically greater.

    Unlike a test of means it compares the whole distributions, without assuming their
    form: at how many quantiles, and by how much, is the first system worse?

    Parameters
    ----------
    scores_a, scores_b : array-like of shape (n_runs,)
        Scores of the runs of both systems, five or more each.
    greater_is_better : bool, default=True
        Whether a higher score is better.
    alpha : float, default=0.05
        Level of the confidence bound.
    threshold : float, default=0.2
        Bound below which the first system is said to be better. Dror et al. take 0.5;
        Ulmer et al. find that this errs too often with few runs, and take 0.2.
    n_resamples : int, default=1000
        Bootstrap resamples behind the bound.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    StochasticOrder
        Violation ratio, its bound, and the decision.

    Raises
    ------
    ValueError
        If a system has fewer than five runs.

    Notes
    -----
    ``epsilon_min = violation - sqrt((n + m) / (n m)) sigma z(alpha)`` with sigma the
    bootstrap standard deviation of ``sqrt(n m / (n + m)) (violation* - violation)``.
    Quantile functions are steps, so the integrals are sums, without a grid. Two equal
    sets of scores have a violation of 0.5: neither is better.

    References
    ----------
    Dror, Shlomov & Reichart, Deep Dominance: How to Properly Compare Deep Neural
    Models, ACL 2019, sections 3-4; Ulmer, Hardmeier & Frellsen, deep-significance,
    2022, arXiv:2204.06815.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.leaderboard.statistics import almost_stochastic_order
    >>> a, b = [0.71, 0.72, 0.73, 0.74, 0.75], [0.61, 0.60, 0.65, 0.66, 0.62]
    >>> almost_stochastic_order(a, b, rng=np.random.default_rng(0)).better
    True
    """
    first, second = _run_scores(scores_a, "scores_a"), _run_scores(scores_b, "scores_b")
    if not greater_is_better:
        first, second = -first, -second
    n, m = len(first), len(second)
    # Ends of the steps of either quantile function, exactly: multiples of 1 / (n m).
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    lengths = np.diff(ends, prepend=0) / (n * m)
    step_a, step_b = (ends - 1) // m, (ends - 1) // n

    def violation(a: Floats, b: Floats) -> Floats:
        gap = np.sort(a, axis=-1)[..., step_a] - np.sort(b, axis=-1)[..., step_b]
        whole = gap**2 @ lengths
        worse = np.minimum(gap, 0.0) ** 2 @ lengths
        safe = np.where(whole > 0, whole, 1.0)
        return np.where(whole > 0, worse / safe, 0.5)

    observed = float(violation(first, second))
    drawn = violation(
        rng.choice(first, size=(n_resamples, n)),
        rng.choice(second, size=(n_resamples, m)),
    )
    from scipy.special import ndtri

    # sqrt((n + m) / (n m)) and its inverse in sigma cancel.
    bound = observed - float(np.std(drawn)) * float(ndtri(alpha))
    return StochasticOrder(observed, min(max(bound, 0.0), 1.0), threshold)


def _run_scores(scores: ArrayLike, name: str) -> Floats:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"almost_stochastic_order: {name} must be finite numbers.")
    if len(values) < MIN_RUNS:
        raise ValueError(
            f"almost_stochastic_order needs {MIN_RUNS} runs or more of each system; "
            f"{name} has {len(values)}. The distribution of scores cannot be seen in "
            "fewer, and the bootstrap then promises an order that is not there. Run "
            "more seeds, or compare the stored predictions with hierarchical_bootstrap."
        )
    # The order of the runs must not decide what is drawn.
    return np.sort(values)
