"""From labels and predictions to cells, in an order that means nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.statistics.cells import (
    Cells,
    ConfusionCells,
    MeanCells,
    RowCells,
)

if TYPE_CHECKING:
    from tweetclf.tasks import Metric

__all__ = [
    "CodedTweets",
    "PairOrder",
    "PairedCells",
    "cells_in_order",
    "code_tweets",
    "coded_labels",
    "joint_columns",
    "order_pair",
    "paired_cells",
]

Array = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class PairOrder(NamedTuple):
    """The distinct rows of (gold, first, second), and which system comes first.

    Parameters
    ----------
    places, counts : ndarray of int, shape (n_cells,)
        A tweet of each cell, and how many there are.
    exchanged : bool
        Whether the second system comes first: of both orders the one is taken whose
        table of cells is the smaller.
    mirrored : bool
        Whether both orders give the same table, so that neither system is first.
    """

    places: Ints
    counts: Ints
    exchanged: bool
    mirrored: bool


class PairedCells(NamedTuple):
    """Cells of two systems, in an order that depends on nothing but them.

    Parameters
    ----------
    cells : Cells
        The cells.
    exchanged : bool
        Whether the second system is the first of the cells.
    mirrored : bool
        Whether exchanging the systems leaves the cells as they are. What is drawn then
        is the same for both orders: a resample is as likely as its mirror, and only
        what is made symmetric about 0 changes its sign with the order.
    """

    cells: Cells
    exchanged: bool
    mirrored: bool

    def as_given(self, scores: Floats) -> Floats:
        """Return rows of the cells' two systems in the order of the caller."""
        return scores[::-1] if self.exchanged else scores


@dataclass(frozen=True)
class CodedTweets:
    """Gold labels and predictions of many systems, in codes and in numbers.

    Parameters
    ----------
    metric : Metric
        The metric.
    arrays : list of ndarray
        Gold labels, then predictions of each system, as `coded_labels` returns them.
    label_names : sequence of str
        Labels in order of their codes; empty where nothing is coded.
    groups : ndarray of shape (n_samples,) or None
        Groups of the tweets.
    numbers : ndarray of shape (1 + n_systems, n_samples, n_columns)
        The arrays as numbers, whatever they hold; equal names have equal numbers.
    """

    metric: Metric
    arrays: list[Array]
    label_names: Sequence[str]
    groups: Array | None
    numbers: Floats

    def of_systems(self, systems: Sequence[int]) -> CodedTweets:
        """Return the same tweets with other systems, or these in another order.

        Parameters
        ----------
        systems : sequence of int
            Numbers of the systems, from 0.
        """
        index = [0, *(1 + system for system in systems)]
        arrays = [self.arrays[i] for i in index]
        return replace(self, arrays=arrays, numbers=self.numbers[index])

    def cells(self) -> Cells:
        """Return the cells, which do not depend on the order of the tweets."""
        arrays, groups = self.arrays, self.groups
        if not self.label_names:
            # Cells of the confusion matrix are sorted; other tweets are here.
            order = np.lexsort(np.column_stack(list(self.numbers)).T)
            arrays = [y[order] for y in arrays]
            groups = None if groups is None else groups[order]
        return cells_in_order(
            self.metric,
            arrays[0],
            arrays[1:],
            label_names=self.label_names,
            groups=groups,
        )


def code_tweets(
    metric: Metric,
    y_true: Any,
    predictions: Sequence[Any],
    *,
    label_names: Sequence[str] = (),
    groups: Any = None,
) -> CodedTweets:
    """Code the gold labels and the predictions of many systems.

    Parameters
    ----------
    metric : Metric
        The metric.
    y_true : array-like
        Codes of `label_names` if those are given, else what `metric` accepts.
    predictions : sequence of array-like
        Predictions of each system.
    label_names : sequence of str, optional
        Labels in order of their codes.
    groups : array-like, optional
        Groups of the tweets, for metrics that are means over groups.

    Returns
    -------
    CodedTweets
        The tweets, in their order.
    """
    arrays, label_names = coded_labels(metric, [y_true, *predictions], label_names)
    columns = joint_columns(arrays)
    numbers = np.moveaxis(columns.reshape(len(columns), len(arrays), -1), 1, 0)
    tags = None if groups is None else np.asarray(groups)
    return CodedTweets(metric, arrays, label_names, tags, numbers)


def cells_in_order(
    metric: Metric,
    y_true: Array,
    predictions: Sequence[Array],
    *,
    label_names: Sequence[str] = (),
    groups: Array | None = None,
) -> Cells:
    """Return cells for many systems: of the confusion matrices, or one a tweet.

    Parameters
    ----------
    metric : Metric
        The metric.
    y_true : ndarray of shape (n_samples,) or (n_samples, n_labels)
        Gold labels: codes of `label_names`, indicator rows or numbers.
    predictions : sequence of ndarray
        Predictions of each system, shaped like `y_true`.
    label_names : sequence of str, optional
        Labels in order of their codes; empty for numbers.
    groups : ndarray of shape (n_samples,), optional
        Groups of the tweets, for metrics that are means over groups.

    Returns
    -------
    Cells
        The cells; those of confusion matrices are in lexicographic order.
    """
    coded = bool(label_names) and y_true.ndim == 1
    if coded and metric.supports_confusion:
        columns = np.column_stack([y_true, *predictions]).astype(np.int64)
        rows, counts = np.unique(columns, axis=0, return_counts=True)
        return ConfusionCells(metric, rows, counts, len(label_names))
    ones = np.ones(len(y_true), dtype=np.int64)
    if coded:
        names = np.asarray(label_names)
        y_true = names[y_true]
        predictions = [names[predicted] for predicted in predictions]
    return _uncoded_cells(metric, ones, y_true, predictions, groups)


def paired_cells(
    metric: Metric,
    y_true: Any,
    y_pred_a: Any,
    y_pred_b: Any,
    *,
    label_names: Sequence[str] = (),
    groups: Any = None,
) -> PairedCells:
    """Return the cells of two systems in an order that depends on nothing but them.

    What is drawn for the cells is then the same whatever the order of the tweets,
    whichever system comes first, and whatever the classes are called (as long as no
    two classes have the same counts).

    Parameters
    ----------
    metric : Metric
        The metric.
    y_true, y_pred_a, y_pred_b : array-like
        Codes of `label_names` if those are given, else what `metric` accepts.
    label_names : sequence of str, optional
        Labels in order of their codes.
    groups : array-like, optional
        Groups of the tweets, for metrics that are means over groups.

    Returns
    -------
    PairedCells
        The cells, and which system is their first.
    """
    found, label_names = coded_labels(metric, [y_true, y_pred_a, y_pred_b], label_names)
    if label_names and metric.supports_confusion:
        codes = np.column_stack(found).astype(np.int64)
        order = order_pair(*_recoded(codes, len(label_names)).T)
        rows = codes[order.places]
        if order.exchanged:
            rows = rows[:, [0, 2, 1]]
        cells: Cells = ConfusionCells(metric, rows, order.counts, len(label_names))
        return PairedCells(cells, order.exchanged, order.mirrored)
    tags = None if groups is None else np.asarray(groups)
    numbers = np.split(joint_columns(found), 3, axis=1)
    order = order_pair(numbers[0], numbers[1], numbers[2], tags)
    gold, first, second = (y[order.places] for y in found)
    pair = [second, first] if order.exchanged else [first, second]
    tags = None if tags is None else tags[order.places]
    cells = _uncoded_cells(metric, order.counts, gold, pair, tags)
    return PairedCells(cells, order.exchanged, order.mirrored)


def coded_labels(
    metric: Metric, arrays: Sequence[Any], label_names: Sequence[str]
) -> tuple[list[Array], Sequence[str]]:
    """Return gold labels and predictions as codes where the metric counts classes.

    Parameters
    ----------
    metric : Metric
        The metric.
    arrays : sequence of array-like
        Gold labels, then predictions of each system: codes of `label_names` if those
        are given, else what `metric` accepts.
    label_names : sequence of str
        Labels in order of their codes; may be empty.

    Returns
    -------
    arrays : list of ndarray
        Codes of the second result for metrics of the confusion matrix, else names,
        numbers or indicator rows.
    label_names : sequence of str
        Empty where nothing is coded.

    Raises
    ------
    DataError
        If lengths differ, there is nothing to compare, or the labels are not known.
    """
    found = [np.asarray(y) for y in arrays]
    lengths = [len(y) for y in found]
    if len(set(lengths)) > 1:
        raise DataError(
            f"There are {lengths[0]} gold labels and "
            f"{', '.join(map(str, lengths[1:]))} predictions; every system needs one "
            "a tweet."
        )
    if not lengths[0]:
        raise DataError("There are no tweets to compare systems on.")
    if label_names and found[0].ndim == 1:
        if metric.supports_confusion:
            return found, label_names
        names = np.asarray(label_names)
        return [names[y] for y in found], ()
    if not metric.supports_confusion:
        return found, ()
    if not metric.labels:
        raise DataError(
            f"Metric {metric.name!r} needs the task's labels to compare systems: "
            "metric.with_labels(task.label_names)."
        )
    n_classes = len(metric.labels)
    predictions = [metric.cells(found[0], y)[0] for y in found[1:]]
    gold = predictions[0] // n_classes
    return [gold, *(cells % n_classes for cells in predictions)], metric.labels


def joint_columns(arrays: Sequence[Array]) -> Floats:
    """Return the arrays side by side as numbers; equal names get equal numbers.

    Parameters
    ----------
    arrays : sequence of ndarray of shape (n_samples,) or (n_samples, n_labels)
        Names, numbers or indicator rows.

    Returns
    -------
    ndarray of shape (n_samples, n_columns)
        The columns.
    """
    numbers = list(arrays)
    if not all(y.dtype.kind in "biuf" for y in numbers):
        flat = np.concatenate([y.ravel().astype(str) for y in numbers])
        codes = np.unique(flat, return_inverse=True)[1]
        parts = np.split(codes, np.cumsum([y.size for y in numbers])[:-1])
        numbers = [p.reshape(y.shape) for p, y in zip(parts, arrays, strict=True)]
    return np.column_stack([y.reshape(len(y), -1).astype(np.float64) for y in numbers])


def order_pair(
    gold: Array, first: Array, second: Array, groups: Array | None = None
) -> PairOrder:
    """Order the distinct rows of (gold, first, second), and the two systems.

    Parameters
    ----------
    gold, first, second : ndarray of shape (n_samples,) or (n_samples, n_columns)
        Numbers of the gold labels and of the predictions of both systems, which have as
        many columns.
    groups : ndarray of shape (n_samples,), optional
        Groups of the tweets.

    Returns
    -------
    PairOrder
        Cells, and which system comes first.
    """
    tags = [] if groups is None else [np.unique(groups, return_inverse=True)[1]]
    (rows, index, counts), (other_rows, other_index, other_counts) = (
        np.unique(
            np.column_stack([gold, *pair, *tags]),
            axis=0,
            return_index=True,
            return_counts=True,
        )
        for pair in ((first, second), (second, first))
    )
    ours = np.column_stack([rows, counts]).ravel()
    theirs = np.column_stack([other_rows, other_counts]).ravel()
    differ = np.flatnonzero(ours != theirs)
    if len(differ) and theirs[differ[0]] < ours[differ[0]]:
        return PairOrder(other_index, other_counts, True, False)
    return PairOrder(index, counts, False, not len(differ))


def _uncoded_cells(
    metric: Metric,
    counts: Ints,
    y_true: Array,
    predictions: Sequence[Array],
    groups: Array | None,
) -> Cells:
    if metric.supports_rows:
        rows = [metric.per_row(y_true, predicted) for predicted in predictions]
        return MeanCells(metric, counts, rows, y_true)
    return RowCells(counts, metric, y_true, predictions, groups)


def _recoded(codes: Ints, n_classes: int) -> Ints:
    """Give the classes numbers by their counts, so that names do not matter."""
    gold, first, second = codes.T
    profile = [
        np.bincount(first, minlength=n_classes)
        + np.bincount(second, minlength=n_classes),
        np.bincount(gold[gold == first], minlength=n_classes)
        + np.bincount(gold[gold == second], minlength=n_classes),
        np.bincount(gold, minlength=n_classes),
    ]
    rank = np.empty(n_classes, dtype=np.int64)
    rank[np.lexsort(profile)] = np.arange(n_classes)
    return rank[codes]
