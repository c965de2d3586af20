"""Ranked systems against each other: who is better, by how much, on which tweets.

The differences are those of the resamples that the scores' own intervals rest on, so
that a table, its daggers and its verdicts never say two things.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.leaderboard.boards import Contrast
from tweetclf.leaderboard.statistics import (
    Comparison,
    adjust_family,
    paired_p_values,
    percentile_interval,
)

if TYPE_CHECKING:
    from tweetclf.tasks import Metric

__all__ = ["Contestants"]

Array = NDArray[Any]
Floats = NDArray[np.float64]

LEVEL = 0.95


class Contestants:
    """The systems of one task, with all that comparing them needs.

    Parameters
    ----------
    metric : Metric
        Official metric.
    names : sequence of str
        The systems.
    observed : ndarray of shape (n_systems,)
        Their scores, mean over runs.
    resampled : ndarray of shape (n_systems, n_resamples)
        Their scores on paired resamples, mean over runs.
    y_true : ndarray of shape (n_samples,) or (n_samples, n_labels)
        Gold labels.
    predictions : sequence of sequence of ndarray
        Predictions of the runs of each system.
    classes : bool
        Whether predictions are right or wrong; numbers are neither.
    """

    def __init__(
        self,
        metric: Metric,
        names: Sequence[str],
        observed: Floats,
        resampled: Floats,
        y_true: Array,
        predictions: Sequence[Sequence[Array]],
        classes: bool,
    ) -> None:
        self._metric = metric
        self._names = names
        self._observed = observed
        self._resampled = resampled
        self._n_samples = len(y_true)
        # Two systems predict the same if no run of either says something else.
        self._least = [np.min(runs, axis=0) for runs in predictions]
        self._most = [np.max(runs, axis=0) for runs in predictions]
        self._right: list[Floats] | None = None
        if classes:
            self._right = [
                np.mean([_rows(run == y_true).all(axis=1) for run in runs], axis=0)
                for runs in predictions
            ]

    def against(self, best: int, others: Sequence[int]) -> tuple[Contrast, ...]:
        """Compare one system with others, as one family of tests.

        Parameters
        ----------
        best : int
            Position of the one.
        others : sequence of int
            Positions of the others.
        """
        pairs = [(best, other) for other in others]
        return self._family(pairs, f"{len(pairs)} systems against the best")

    def neighbours(self, order: Sequence[int]) -> tuple[Contrast, ...]:
        """Compare each system below the best with the next one, as one family.

        Parameters
        ----------
        order : sequence of int
            Positions of the systems, best first.
        """
        pairs = list(zip(order[1:], order[2:], strict=False))
        return self._family(pairs, f"{len(pairs)} pairs of neighbours below the best")

    def _family(
        self, pairs: Sequence[tuple[int, int]], what: str
    ) -> tuple[Contrast, ...]:
        found = adjust_family([self._compare(*pair) for pair in pairs], what)
        return tuple(
            Contrast(comparison, *self._flips(*pair))
            for comparison, pair in zip(found, pairs, strict=True)
        )

    def _compare(self, first: int, second: int) -> Comparison:
        pair = [first, second]
        draws, observed = self._resampled[pair], self._observed[pair]
        drawn = draws[0] - draws[1]
        n_different = int(self._differ(first, second).sum())
        # As in compare_systems: no fewer than an exchange test of so many tweets.
        p_value = max(
            float(paired_p_values(draws, observed, 0)[1]),
            min(1.0, 2.0 ** (1 - n_different)),
        )
        return Comparison(
            names=(self._names[first], self._names[second]),
            metric=self._metric.name,
            greater_is_better=self._metric.greater_is_better,
            n_samples=self._n_samples,
            n_different=n_different,
            scores=(float(observed[0]), float(observed[1])),
            interval=percentile_interval(drawn, LEVEL),
            level=LEVEL,
            standard_error=float(np.std(drawn, ddof=1)),
            p_value=p_value,
            n_resamples=len(drawn),
        )

    def _differ(self, first: int, second: int) -> Array:
        low = np.minimum(self._least[first], self._least[second])
        high = np.maximum(self._most[first], self._most[second])
        return np.asarray(_rows(low != high).any(axis=1))

    def _flips(self, first: int, second: int) -> tuple[float | None, float | None]:
        """Count the tweets that the first gets right and the second not; and back.

        With several runs it is the mean over all pairs of runs.
        """
        if self._right is None:
            return None, None
        a, b = self._right[first], self._right[second]
        return float(a @ (1.0 - b)), float(b @ (1.0 - a))


def _rows(values: Array) -> Array:
    """Return one row a tweet, of one column or more."""
    return values.reshape(len(values), -1)
