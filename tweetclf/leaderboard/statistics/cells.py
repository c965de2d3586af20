"""Evaluated tweets as cells: distinct rows of gold label and predictions, counted.

Tweets with equal gold label and equal predictions of every system are one cell. To
resample tweets is to draw the counts of the cells, to leave one out is to lower one
count by 1, and to exchange two systems on some tweets is to move some of the counts;
what is scored are sums over cells, not tweets.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tweetclf.tasks import Metric

__all__ = ["Cells", "ConfusionCells", "LinearCells", "MeanCells", "RowCells"]

Array = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Up to here float32 counts exactly.
_EXACT_FLOAT32 = 2**24
# Rows of the jackknife scored at a time, in numbers.
_CHUNK = 2**20


class Cells(ABC):
    """Counted cells of one test set that can be scored under any other counts.

    Parameters
    ----------
    counts : ndarray of int, shape (n_cells,)
        Tweets of each cell.
    n_systems : int
        Systems whose predictions the cells hold.
    """

    def __init__(self, counts: Ints, n_systems: int) -> None:
        self.counts = counts
        self.n_systems = n_systems
        self.n_samples = int(counts.sum())

    @property
    def width(self) -> int:
        """Numbers that are kept for one resample, beside its counts."""
        return self.n_systems

    @abstractmethod
    def scores(self, weights: Array) -> Floats:
        """Score every row of counts.

        Parameters
        ----------
        weights : ndarray of shape (n_rows, n_cells)
            Counts of the cells; each row sums to the number of tweets.

        Returns
        -------
        ndarray of shape (n_systems, n_rows)
            The scores.
        """

    @abstractmethod
    def swapped_scores(self, swapped: Array) -> Floats:
        """Score two systems that exchange their predictions on some tweets.

        Parameters
        ----------
        swapped : ndarray of int, shape (n_rows, n_cells)
            Tweets of each cell on which the predictions are exchanged.

        Returns
        -------
        ndarray of shape (2, n_rows)
            The scores.
        """

    @abstractmethod
    def jackknife(self) -> Floats:
        """Score without one tweet of each cell in turn.

        Returns
        -------
        ndarray of shape (n_systems, n_cells)
            The scores; each stands for as many tweets as its cell has.
        """

    def reach(self) -> Floats:
        """Return how much one tweet can change each score, times the number of tweets.

        The largest difference that a further tweet makes between a system that is right
        on it and one that is wrong: 1 for accuracy, more where some tweets count for
        many. Scores of ranks and means over groups are taken for means over tweets.

        Returns
        -------
        ndarray of shape (n_systems,)
            At least 1.
        """
        return np.ones(self.n_systems)

    def observed(self) -> Floats:
        """Return the scores of the tweets as they are, one a system."""
        return self.scores(self.counts[None, :])[:, 0]


class LinearCells(Cells):
    """Cells of a metric that is a function of sums over tweets."""

    @abstractmethod
    def _sums(self, weights: Array) -> Floats:
        """Return sums (or means), (n_systems, n_rows, n_statistics)."""

    @abstractmethod
    def _without_one(self, start: int, stop: int) -> Floats:
        """Return the sums without a tweet of the cells, shaped like `_sums`."""

    @abstractmethod
    def _finish(self, sums: Floats) -> Floats:
        """Return the scores of sums (n_rows, n_statistics)."""

    def scores(self, weights: Array) -> Floats:
        """Score every row of counts."""
        return np.array([self._finish(sums) for sums in self._sums(weights)])

    def swapped_scores(self, swapped: Array) -> Floats:
        """Score two systems that exchange their predictions on some tweets."""
        first, second = self._sums(swapped)
        whole_first, whole_second = self._sums(self.counts[None, :])
        moved = second - first
        return np.array(
            [self._finish(whole_first + moved), self._finish(whole_second - moved)]
        )

    def _farther(self, reach: float, right: Floats, wrong: Floats) -> float:
        """Return the larger of a reach and of that of further tweets."""
        changes = (self.n_samples + 1) * np.abs(right - wrong)
        # What is not defined tells nothing.
        return float(np.fmax.reduce(changes, initial=reach))

    def jackknife(self) -> Floats:
        """Score without one tweet of each cell in turn."""
        n_cells = len(self.counts)
        scores = np.empty((self.n_systems, n_cells))
        step = max(1, _CHUNK // self.width)
        for start in range(0, n_cells, step):
            left = self._without_one(start, min(start + step, n_cells))
            for system, sums in enumerate(left):
                scores[system, start : start + step] = self._finish(sums)
        return scores


class ConfusionCells(LinearCells):
    """Cells of a metric of the confusion matrix.

    Parameters
    ----------
    metric : Metric
        The metric.
    rows : ndarray of int, shape (n_cells, 1 + n_systems)
        Codes of the gold label and of each system's prediction.
    counts : ndarray of int, shape (n_cells,)
        Tweets of each cell.
    n_classes : int
        Number of labels.
    """

    def __init__(
        self, metric: Metric, rows: Ints, counts: Ints, n_classes: int
    ) -> None:
        from scipy.sparse import csr_array

        n_cells, n_systems = len(rows), rows.shape[1] - 1
        super().__init__(counts, n_systems)
        self._metric = metric
        self._n_classes = n_classes
        # Entry of each system's flattened confusion matrix.
        self._entries = rows[:, :1] * n_classes + rows[:, 1:]
        self._exact = np.float32 if self.n_samples < _EXACT_FLOAT32 else np.float64
        columns = self._entries + np.arange(n_systems) * n_classes**2
        self._matrix = csr_array(
            (
                np.ones(columns.size, dtype=self._exact),
                columns.ravel(),
                np.arange(n_cells + 1) * n_systems,
            ),
            shape=(n_cells, n_systems * n_classes**2),
        )

    def _sums(self, weights: Array) -> Floats:
        # Counts are exact in single precision, whatever the order of the sum.
        sums = (weights.astype(self._exact, copy=False) @ self._matrix).T
        shape = self.n_systems, self._n_classes**2, len(weights)
        return sums.astype(np.float64).reshape(shape).swapaxes(1, 2)

    def _without_one(self, start: int, stop: int) -> Floats:
        sums = np.repeat(self._sums(self.counts[None, :]), stop - start, axis=1)
        rows = np.arange(stop - start)
        for system in range(self.n_systems):
            sums[system, rows, self._entries[start:stop, system]] -= 1.0
        return sums

    def _finish(self, sums: Floats) -> Floats:
        shape = len(sums), self._n_classes, self._n_classes
        return self._metric.from_confusion(sums.reshape(shape))

    def reach(self) -> Floats:
        """Return how much one tweet can change each score, times their number."""
        k = self._n_classes
        gold, other = np.nonzero(~np.eye(k, dtype=bool))
        right, wrong = gold * (k + 1), gold * k + other
        step = max(1, _CHUNK // k**2)
        reach = np.ones(self.n_systems)
        for system, sums in enumerate(self._sums(self.counts[None, :])):
            for start in range(0, len(gold), step):
                scores = []
                for entries in (right, wrong):
                    more = np.repeat(sums, len(gold[start : start + step]), axis=0)
                    more[np.arange(len(more)), entries[start : start + step]] += 1
                    scores.append(self._finish(more))
                reach[system] = self._farther(reach[system], *scores)
        return reach

    @property
    def width(self) -> int:
        """Sums that are kept for one resample."""
        return self._matrix.shape[1]


class MeanCells(LinearCells):
    """Cells of a metric of row means.

    Parameters
    ----------
    metric : Metric
        The metric.
    counts : ndarray of int, shape (n_cells,)
        Tweets of each cell.
    rows : sequence of ndarray of shape (n_cells, n_statistics)
        Row statistics of each system.
    y_true : ndarray of shape (n_cells, ...)
        Gold of each cell.
    """

    def __init__(
        self, metric: Metric, counts: Ints, rows: Sequence[Floats], y_true: Array
    ) -> None:
        super().__init__(counts, len(rows))
        self._metric = metric
        self._rows = list(rows)
        self._y_true = y_true

    def _sums(self, weights: Array) -> Floats:
        shares = weights / self.n_samples
        return np.array([shares @ rows for rows in self._rows])

    def _without_one(self, start: int, stop: int) -> Floats:
        return np.array(
            [
                (self.counts @ rows - rows[start:stop]) / (self.n_samples - 1)
                for rows in self._rows
            ]
        )

    def _finish(self, sums: Floats) -> Floats:
        return self._metric.from_rows(sums)

    def reach(self) -> Floats:
        """Return how much one tweet can change each score, times their number."""
        right = self._metric.per_row(self._y_true, self._y_true)
        wrong = list(self._rows)
        if self._y_true.ndim == 2:
            # Rows of labels of which none was found.
            none = np.zeros_like(self._y_true)
            wrong.append(self._metric.per_row(self._y_true, none))
        reach = np.ones(self.n_systems)
        for system, rows in enumerate(self._rows):
            whole = self.counts @ rows
            best = self._finish((whole + right) / (self.n_samples + 1))
            for other in wrong:
                scores = self._finish((whole + other) / (self.n_samples + 1))
                reach[system] = self._farther(reach[system], best, scores)
        return reach

    @property
    def width(self) -> int:
        """Sums that are kept for one resample."""
        return sum(rows.shape[1] for rows in self._rows)


class RowCells(Cells):
    """Cells of a metric of ranks or group means: tweets are written out and scored.

    Parameters
    ----------
    counts : ndarray of int, shape (n_cells,)
        Tweets of each cell.
    metric : Metric
        The metric.
    y_true : ndarray of shape (n_cells, ...)
        Gold of each cell.
    predictions : sequence of ndarray of shape (n_cells, ...)
        Predictions of each system.
    groups : ndarray of shape (n_cells,) or None
        Groups, for means over groups.
    """

    def __init__(
        self,
        counts: Ints,
        metric: Metric,
        y_true: Array,
        predictions: Sequence[Array],
        groups: Array | None,
    ) -> None:
        super().__init__(counts, len(predictions))
        self._metric = metric
        self._y_true = y_true
        self._predictions = list(predictions)
        self._groups = groups

    def _score(self, index: Ints, predictions: Sequence[Array]) -> list[float]:
        groups = None if self._groups is None else self._groups[index].tolist()
        gold = self._y_true[index]
        return [self._metric(gold, found, groups=groups) for found in predictions]

    def scores(self, weights: Array) -> Floats:
        """Score every row of counts."""
        scores = np.empty((self.n_systems, len(weights)))
        for row, drawn in enumerate(weights):
            index = np.repeat(np.arange(len(drawn)), drawn)
            found = [predicted[index] for predicted in self._predictions]
            scores[:, row] = self._score(index, found)
        return scores

    def swapped_scores(self, swapped: Array) -> Floats:
        """Score two systems that exchange their predictions on some tweets."""
        index = np.repeat(np.arange(len(self.counts)), self.counts)
        starts = np.cumsum(self.counts) - self.counts
        place = np.arange(len(index)) - starts[index]
        first, second = (predicted[index] for predicted in self._predictions)
        scores = np.empty((2, len(swapped)))
        for row, moved in enumerate(swapped):
            change = place < moved[index]
            change = change.reshape(-1, *(1,) * (first.ndim - 1))
            found = np.where(change, second, first), np.where(change, first, second)
            scores[:, row] = self._score(index, found)
        return scores

    def jackknife(self) -> Floats:
        """Score without one tweet of each cell in turn."""
        scores = np.empty((self.n_systems, len(self.counts)))
        for cell in range(len(self.counts)):
            weights = self.counts.copy()
            weights[cell] -= 1
            scores[:, cell] = self.scores(weights[None, :])[:, 0]
        return scores
