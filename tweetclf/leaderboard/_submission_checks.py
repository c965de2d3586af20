"""Checks of predictions before they become a submission, and what to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.leaderboard._submission_rows import as_labels, fields_of
from tweetclf.leaderboard.submission_formats import SubmissionFormat, submission_format

if TYPE_CHECKING:
    from tweetclf.tasks import Split, Task

__all__ = [
    "check_partner",
    "checked_labels",
    "filled_fields",
    "groups_of",
    "remarks_of",
]


def check_partner(layout: SubmissionFormat, name: str) -> None:
    """Refuse a task whose predictions have no place in the files of another.

    Parameters
    ----------
    layout : SubmissionFormat
        What the files look like.
    name : str
        The task that is to go into them, too.

    Raises
    ------
    DataError
        If it shares no file with the task of `layout`.
    """
    if name == layout.partner and name:
        return
    only = (
        f"only {layout.partner} stands in the same file"
        if layout.partner
        else f"no other task stands in the same file ({layout.family} format)"
    )
    raise DataError(f"{name!r} cannot be submitted with {layout.task}: {only}.")


def filled_fields(
    layout: SubmissionFormat, also: tuple[Task, Sequence[Any]] | None, rows: Split
) -> list[dict[str, str]]:
    """Return what the other task of the file puts into each row."""
    if also is None:
        return [{}] * len(rows)
    task, predictions = also
    check_partner(layout, task.name)
    theirs = submission_format(task)
    return [
        fields_of(theirs, task.label_names, value)
        for value in checked_labels(task, predictions, rows)
    ]


def checked_labels(task: Task, predictions: Sequence[Any], rows: Split) -> np.ndarray:
    """Return predictions as the metrics take them, if they are the task's."""
    if len(predictions) != len(rows):
        raise DataError(
            f"{len(predictions)} predictions for {len(rows)} test rows of {task.name}; "
            "there must be one for each, in order."
        )
    labels = as_labels(list(predictions), task.target_kind)
    if task.target_kind == "regression":
        bad = np.flatnonzero(~np.isfinite(labels))
        if len(bad):
            raise DataError(f"predictions[{bad[0]}] is {labels[bad[0]]}, not finite.")
    elif task.target_kind == "multilabel":
        shape = (len(rows), len(task.label_names))
        if labels.shape != shape or not np.isin(labels, (0, 1)).all():
            raise DataError(
                f"predictions of {task.name} must be 0 and 1 of shape {shape}, one "
                f"column for each of {', '.join(task.label_names)}."
            )
    else:
        for i, label in enumerate(labels.tolist()):
            if label not in task.label_names:
                raise DataError(
                    f"predictions[{i}] is {label!r}; the labels of {task.name} are "
                    f"{', '.join(task.label_names)}."
                )
    return labels


def groups_of(layout: SubmissionFormat, rows: Split) -> tuple[str, ...] | None:
    """Return the group of each row, checked where there is a file for each."""
    if set(layout.files) == {None}:
        return rows.groups
    if rows.groups is None:
        raise DataError(
            f"A submission for {layout.task} has one file for each of "
            f"{', '.join(map(str, layout.files))}, so the test rows must be the task's "
            "own, which have groups. Submit the parts one by one instead."
        )
    unknown = set(rows.groups) ^ set(map(str, layout.files))
    if unknown:
        raise DataError(
            f"The groups of the test rows of {layout.task} are not "
            f"{', '.join(map(str, layout.files))}: {sorted(unknown)[0]!r}."
        )
    return rows.groups


def remarks_of(
    task: Task,
    layout: SubmissionFormat,
    labels: np.ndarray,
    also: tuple[Task, Sequence[Any]] | None = None,
) -> tuple[str, ...]:
    """Return what one should look at before uploading."""
    remarks = []
    if not layout.certain:
        remarks.append(
            f"the format of {layout.family} could not be checked ({layout.source}): "
            "compare it with the task's page"
        )
    if also is None:
        return (*remarks, *_constants(layout), *_doubts(task, labels))
    other, predictions = also
    theirs = _doubts(other, as_labels(list(predictions), other.target_kind))
    said = (f"{other.name}: {remark}" for remark in theirs)
    return (*remarks, *_doubts(task, labels), *said)


def _constants(layout: SubmissionFormat) -> list[str]:
    if not layout.partner:
        return []
    return [
        f"no predictions of {layout.partner} were given (--also): the column "
        f"{column.name} is {column.option} in every row"
        for column in layout.columns
        if column.role == "fixed"
    ]


def _doubts(task: Task, labels: np.ndarray) -> list[str]:
    """Say what predictions look as if they were not meant."""
    remarks = []
    if task.target_kind in {"binary", "multiclass"}:
        counts = Counter(labels.tolist())
        never = [name for name in task.label_names if not counts[name]]
        if never:
            remarks.append(f"never predicted: {', '.join(never)}")
    elif task.target_kind == "regression" and len(labels) and np.ptp(labels) == 0:
        remarks.append("all predictions are the same number")
    return remarks
