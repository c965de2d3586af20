"""Comparisons of two systems, of all pairs, and of all with one, on the same tweets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import UnknownNameError
from tweetclf.leaderboard.statistics.bootstrap import (
    ALPHA,
    TOLERANCE,
    bca_interval,
    enough_resamples,
    holm,
    least_p_value,
    paired_p_values,
    percentile_interval,
    symmetric_interval,
)
from tweetclf.leaderboard.statistics.cells import Cells
from tweetclf.leaderboard.statistics.coding import (
    CodedTweets,
    code_tweets,
    order_pair,
    paired_cells,
)
from tweetclf.leaderboard.statistics.drawing import resample
from tweetclf.leaderboard.statistics.power import (
    equivalence_p_value,
    least_equivalence_p_value,
    minimal_detectable_difference,
)
from tweetclf.leaderboard.statistics.verdicts import verdict

if TYPE_CHECKING:
    from tweetclf.tasks import Metric

__all__ = [
    "Comparison",
    "adjust_family",
    "compare_pairs",
    "compare_systems",
]

Floats = NDArray[np.float64]

INTERVALS = ("bca", "percentile")


@dataclass(frozen=True)
class Comparison:
    """Two systems on the same tweets: difference, uncertainty, tests, verdict.

    Parameters
    ----------
    names : tuple of (str, str)
        The systems.
    metric : str
        Name of the metric.
    greater_is_better : bool
        Whether a higher score is better.
    n_samples : int
        Tweets.
    n_different : int
        Tweets that are predicted differently.
    scores : tuple of (float, float)
        Scores of both.
    interval : tuple of (float, float)
        Bootstrap interval of the difference, first minus second.
    level : float
        Nominal coverage of the interval.
    standard_error : float
        Standard deviation of the bootstrap differences.
    p_value : float
        Of the paired bootstrap, for "no difference".
    n_resamples : int
        Resamples drawn.
    margin : float, optional
        Largest difference that does not matter; None if none was named.
    p_equivalence : float, optional
        Of the test that the difference is smaller than the margin.
    family : str, optional
        The comparisons that p-values are adjusted for, in words.
    family_size : int, default=1
        How many they are.
    p_adjusted : float, optional
        `p_value` after Holm's adjustment; the same for a family of one.
    p_equivalence_adjusted : float, optional
        `p_equivalence` after Holm's adjustment.
    """

    names: tuple[str, str]
    metric: str
    greater_is_better: bool
    n_samples: int
    n_different: int
    scores: tuple[float, float]
    interval: tuple[float, float]
    level: float
    standard_error: float
    p_value: float
    n_resamples: int
    margin: float | None = None
    p_equivalence: float | None = None
    family: str = "this comparison alone"
    family_size: int = 1
    p_adjusted: float | None = None
    p_equivalence_adjusted: float | None = None

    def __post_init__(self) -> None:
        if self.p_adjusted is None:
            object.__setattr__(self, "p_adjusted", self.p_value)
        if self.p_equivalence_adjusted is None:
            object.__setattr__(self, "p_equivalence_adjusted", self.p_equivalence)

    @property
    def difference(self) -> float:
        """Score of the first minus that of the second."""
        return self.scores[0] - self.scores[1]

    @property
    def detectable(self) -> float:
        """Difference that these tweets would show with 80 % power, at worst of Holm."""
        return minimal_detectable_difference(
            self.standard_error, alpha=ALPHA / self.family_size
        )

    @property
    def verdict(self) -> str:
        """What the comparison says, in one line."""
        return verdict(self)


def compare_systems(
    metric: Metric,
    y_true: Any,
    y_pred_a: Any,
    y_pred_b: Any,
    *,
    names: tuple[str, str] = ("A", "B"),
    label_names: Sequence[str] = (),
    groups: Any = None,
    n_resamples: int = 10_000,
    interval: str = "bca",
    level: float = 0.95,
    margin: float | None = None,
    rng: np.random.Generator,
) -> Comparison:
    """Compare two systems by the paired bootstrap of their predictions.

    Parameters
    ----------
    metric : Metric
        Official metric.
    y_true, y_pred_a, y_pred_b : array-like
        Gold labels and predictions: codes of `label_names` if those are given, else
        what `metric` accepts.
    names : tuple of (str, str), default=("A", "B")
        What to call the systems.
    label_names : sequence of str, optional
        Labels in order of their codes.
    groups : array-like, optional
        Groups of the tweets, for metrics that are means over groups.
    n_resamples : int, default=10000
        Number of resamples.
    interval : {"bca", "percentile"}, default="bca"
        Kind of the interval of the difference.
    level : float, default=0.95
        Its nominal coverage.
    margin : float, optional
        Largest difference that does not matter, in units of the score (0.01 is one
        point); if given, equivalence is tested, too.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Comparison
        Difference, interval, p-values and verdict.

    Notes
    -----
    The counts of the cells (gold, A, B) of a confusion-matrix metric are multinomial;
    other metrics are resampled tweet by tweet. The result depends on the tweets as a
    set: neither their order nor that of the two systems changes a number, save signs.
    Where exchanging the systems leaves the table of cells as it is, the difference is 0
    and its interval symmetric.
    Systems with equal predictions have p = 1; with m tweets that are predicted
    differently, p is at least ``2 / 2**m``, the least of an exchange test.

    References
    ----------
    Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapters 14 and 16.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.leaderboard.statistics import compare_systems
    >>> from tweetclf.tasks import get_metric
    >>> gold = ["no", "yes"] * 60
    >>> a = ["yes"] * 10 + gold[10:]
    >>> b = ["yes"] * 50 + gold[50:]
    >>> result = compare_systems(
    ...     get_metric("macro_f1", labels=("no", "yes")),
    ...     gold, a, b, names=("nbsvm", "svm"), rng=np.random.default_rng(0),
    ... )
    >>> round(result.difference, 3), result.n_different
    (0.176, 20)
    """
    _check(interval, margin)
    pair = paired_cells(
        metric, y_true, y_pred_a, y_pred_b, label_names=label_names, groups=groups
    )
    common = _resampled(metric, pair.cells, n_resamples, interval, level, margin, rng)
    different = np.asarray(y_pred_a) != np.asarray(y_pred_b)
    different = different.reshape(pair.cells.n_samples, -1).any(axis=1)
    systems = (1, 0) if pair.exchanged else (0, 1)
    return _comparison(common, names, systems, int(different.sum()), pair.mirrored)


def compare_pairs(
    metric: Metric,
    y_true: Any,
    predictions: Mapping[str, Any],
    *,
    reference: str | None = None,
    label_names: Sequence[str] = (),
    groups: Any = None,
    n_resamples: int = 10_000,
    interval: str = "bca",
    level: float = 0.95,
    margin: float | None = None,
    rng: np.random.Generator,
) -> tuple[Comparison, ...]:
    """Compare all pairs of systems, or all systems with one, on the same resamples.

    Parameters
    ----------
    metric : Metric
        Official metric.
    y_true : array-like
        Gold labels: codes of `label_names` if those are given, else what `metric`
        accepts.
    predictions : mapping of str to array-like
        Predictions of each system.
    reference : str, optional
        System that the others are compared with; by default all pairs are compared.
    label_names : sequence of str, optional
        Labels in order of their codes.
    groups : array-like, optional
        Groups of the tweets, for metrics that are means over groups.
    n_resamples : int, default=10000
        Number of resamples.
    interval : {"bca", "percentile"}, default="bca"
        Kind of the intervals of the differences.
    level : float, default=0.95
        Their nominal coverage.
    margin : float, optional
        Largest difference that does not matter, in units of the score.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    tuple of Comparison
        In order of the systems; p-values are adjusted for all of them after Holm. More
        resamples are drawn than `n_resamples` where that adjustment could not fall
        below 5 % otherwise.

    Raises
    ------
    UnknownNameError
        If `reference` is not one of the systems.
    """
    _check(interval, margin)
    names = list(predictions)
    if reference is not None and reference not in names:
        raise UnknownNameError(
            f"compare_pairs: the reference {reference!r} is not one of the systems "
            f"{', '.join(names)}."
        )
    tweets = code_tweets(
        metric, y_true, [*predictions.values()], label_names=label_names, groups=groups
    )
    pairs = list(combinations(range(len(names)), 2))
    if reference is not None:
        first = names.index(reference)
        pairs = [(first, i) for i in range(len(names)) if i != first]
    n_resamples = enough_resamples(n_resamples, len(pairs) + 1)
    common = _resampled(
        metric, tweets.cells(), n_resamples, interval, level, margin, rng
    )
    found = [_compared(common, tweets, names, pair) for pair in pairs]
    what = f"all pairs of {len(names)} systems"
    if reference is not None:
        what = f"{len(names) - 1} systems against {reference}"
    return adjust_family(found, what)


def adjust_family(
    comparisons: Sequence[Comparison], family: str
) -> tuple[Comparison, ...]:
    """Adjust the p-values of comparisons that are read together (Holm 1979).

    Parameters
    ----------
    comparisons : sequence of Comparison
        All comparisons of the family, also those nobody will look at.
    family : str
        What they have in common, in words.

    Returns
    -------
    tuple of Comparison
        The same with `family`, `family_size` and adjusted p-values.
    """
    if not comparisons:
        return ()
    adjusted = holm(np.array([c.p_value for c in comparisons])).tolist()
    equivalent: list[float | None] = [None] * len(comparisons)
    tested = [c.p_equivalence for c in comparisons if c.p_equivalence is not None]
    if len(tested) == len(comparisons):
        equivalent = list(holm(np.array(tested)).tolist())
    return tuple(
        replace(
            comparison,
            family=family,
            family_size=len(comparisons),
            p_adjusted=p,
            p_equivalence_adjusted=q,
        )
        for comparison, p, q in zip(comparisons, adjusted, equivalent, strict=True)
    )


def _check(interval: str, margin: float | None) -> None:
    if interval not in INTERVALS:
        raise ValueError(
            "The 'interval' parameter of a comparison must be 'bca' or 'percentile'. "
            f"Got {interval!r} instead."
        )
    if margin is not None and not margin > 0:
        raise ValueError(
            "The 'margin' parameter of a comparison must be above 0: the largest "
            f"difference that does not matter. Got {margin} instead."
        )


def _jackknife(cells: Cells, interval: str) -> Floats | None:
    # Without its only tweet a sample has no score.
    return cells.jackknife() if interval == "bca" and cells.n_samples > 1 else None


class _Resampled(NamedTuple):
    """Systems on the same resamples: what all comparisons of a call have in common."""

    metric: Metric
    cells: Cells
    observed: Floats
    draws: Floats
    jackknife: Floats | None
    reach: Floats | None
    level: float
    margin: float | None


def _resampled(
    metric: Metric,
    cells: Cells,
    n_resamples: int,
    interval: str,
    level: float,
    margin: float | None,
    rng: np.random.Generator,
) -> _Resampled:
    # Without its only tweet a sample has no score.
    corrected = interval == "bca" and cells.n_samples > 1
    return _Resampled(
        metric,
        cells,
        observed=cells.observed(),
        draws=resample(cells, n_resamples, rng),
        jackknife=cells.jackknife() if corrected else None,
        reach=None if margin is None else cells.reach(),
        level=level,
        margin=margin,
    )


def _compared(
    common: _Resampled, tweets: CodedTweets, names: Sequence[str], pair: tuple[int, int]
) -> Comparison:
    """Compare two of many systems."""
    i, j = pair
    gold, *rows = tweets.numbers
    different = (rows[i] != rows[j]).any(axis=1)
    # Only systems with the same score can mirror each other.
    tied = bool(abs(common.observed[i] - common.observed[j]) <= TOLERANCE)
    mirrored = tied and order_pair(gold, rows[i], rows[j], tweets.groups).mirrored
    return _comparison(
        common, (names[i], names[j]), pair, int(different.sum()), mirrored
    )


def _comparison(
    common: _Resampled,
    names: tuple[str, str],
    systems: tuple[int, int],
    n_different: int,
    mirrored: bool,
) -> Comparison:
    pair = list(systems)
    # The order of a sum must not make one of two mirrored systems better.
    observed = common.observed[[pair[0]] * 2 if mirrored else pair]
    difference = float(observed[0] - observed[1])
    draws = common.draws[pair]
    drawn = draws[0] - draws[1]
    p_value = max(
        float(paired_p_values(draws, observed, 0)[1]),
        least_p_value(n_different),
    )
    return Comparison(
        names=names,
        metric=common.metric.name,
        greater_is_better=common.metric.greater_is_better,
        n_samples=common.cells.n_samples,
        n_different=n_different,
        scores=(float(observed[0]), float(observed[1])),
        interval=_interval(common, pair, difference, drawn, mirrored),
        level=common.level,
        standard_error=float(np.std(drawn, ddof=1)),
        p_value=p_value,
        n_resamples=len(drawn),
        margin=common.margin,
        p_equivalence=_p_equivalence(common, pair, difference, drawn),
    )


def _interval(
    common: _Resampled,
    pair: list[int],
    difference: float,
    drawn: Floats,
    mirrored: bool,
) -> tuple[float, float]:
    if mirrored:
        return symmetric_interval(drawn, common.level)
    if common.jackknife is None:
        return percentile_interval(drawn, common.level)
    left_out = common.jackknife[pair[0]] - common.jackknife[pair[1]]
    return bca_interval(drawn, difference, left_out, common.cells.counts, common.level)


def _p_equivalence(
    common: _Resampled, pair: list[int], difference: float, drawn: Floats
) -> float | None:
    if common.margin is None or common.reach is None:
        return None
    return max(
        equivalence_p_value(drawn, difference, common.margin),
        least_equivalence_p_value(
            difference,
            common.cells.n_samples,
            common.margin,
            reach=float(common.reach[pair].max()),
        ),
    )
