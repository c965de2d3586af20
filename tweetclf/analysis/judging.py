"""What people said of the texts of acceptability sheets: scores by rank, agreement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tweetclf.analysis._intervals import mean_interval
from tweetclf.analysis.acceptability import AcceptabilityItem
from tweetclf.exceptions import DataError

__all__ = ["Acceptability", "Agreement", "score_judgements"]


@dataclass(frozen=True)
class Agreement:
    """How two annotators agree on the texts that both have judged.

    Parameters
    ----------
    first, second : str
        Names of their sheets.
    n_items : int
        Texts that both have judged.
    agreement : float
        Share of equal judgements.
    kappa : float
        Cohen's kappa; NaN where all judgements are equal, and chance agrees as well.
    """

    first: str
    second: str
    n_items: int
    agreement: float
    kappa: float


@dataclass(frozen=True)
class Acceptability:
    """Share of texts that people accept, by rank.

    Parameters
    ----------
    ks : tuple of int
        The ranks.
    n_items : ndarray of int64 of shape (n_ks,)
        Judged texts of each.
    scores : ndarray of float64 of shape (n_ks,)
        Mean judgement; a text that several have judged counts once, by its mean.
    low, high : ndarray of float64 of shape (n_ks,)
        Bootstrap intervals, over texts.
    level : float
        Their nominal coverage.
    agreements : tuple of Agreement
        One for each two annotators with texts in common.
    """

    ks: tuple[int, ...]
    n_items: NDArray[np.int64]
    scores: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    level: float
    agreements: tuple[Agreement, ...]


def score_judgements(
    items: Sequence[AcceptabilityItem],
    judgements: Mapping[str, Mapping[int, bool]],
    *,
    level: float = 0.95,
    n_resamples: int = 2000,
    random_state: int = 0,
) -> Acceptability:
    """Score judgements by rank, and measure how annotators agree.

    Parameters
    ----------
    items : sequence of AcceptabilityItem
        The key.
    judgements : mapping of str to mapping of int to bool
        As of `read_sheets`.
    level : float, default=0.95
        Nominal coverage of the intervals.
    n_resamples : int, default=2000
        Bootstrap resamples of the texts.
    random_state : int, default=0
        Their seed.

    Returns
    -------
    Acceptability
        Scores by rank, and agreements.

    Raises
    ------
    DataError
        If nothing was judged, or an item that is not in the key.

    Examples
    --------
    >>> from tweetclf.analysis import AcceptabilityItem, score_judgements
    >>> items = [AcceptabilityItem(i, k, "", "") for i, k in enumerate([1, 1, 10, 10])]
    >>> said = {"a": {0: True, 1: True, 2: False}, "b": {1: True, 2: False, 3: True}}
    >>> found = score_judgements(items, said)
    >>> found.scores.tolist(), found.agreements[0].kappa
    ([1.0, 0.5], 1.0)
    """
    known = {item.item: item for item in items}
    by_item: dict[int, list[bool]] = {}
    for name, judged in judgements.items():
        for number, said in judged.items():
            if number not in known:
                raise DataError(
                    f"score_judgements: item {number} of sheet {name!r} is not in the "
                    "key."
                )
            by_item.setdefault(number, []).append(bool(said))
    if not by_item:
        raise DataError("score_judgements: no item was judged; fill in the sheets.")
    values: dict[int, list[float]] = {}
    for number in sorted(by_item):
        values.setdefault(known[number].k, []).append(float(np.mean(by_item[number])))
    ks = tuple(sorted(values))
    ends = np.array(
        [
            mean_interval(
                np.array(values[k]),
                level=level,
                n_resamples=n_resamples,
                random_state=random_state,
            )
            for k in ks
        ]
    )
    return Acceptability(
        ks,
        np.array([len(values[k]) for k in ks], dtype=np.int64),
        np.array([np.mean(values[k]) for k in ks]),
        ends[:, 0],
        ends[:, 1],
        level,
        tuple(
            found
            for pair in combinations(judgements, 2)
            if (found := _agreement(*pair, judgements)) is not None
        ),
    )


def _agreement(
    first: str, second: str, judgements: Mapping[str, Mapping[int, bool]]
) -> Agreement | None:
    one, two = judgements[first], judgements[second]
    both = sorted(one.keys() & two.keys())
    if not both:
        return None
    a = np.array([one[i] for i in both], dtype=float)
    b = np.array([two[i] for i in both], dtype=float)
    same = float((a == b).mean())
    chance = float(a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean()))
    kappa = math.nan if chance == 1 else (same - chance) / (1 - chance)
    return Agreement(first, second, len(both), same, kappa)
