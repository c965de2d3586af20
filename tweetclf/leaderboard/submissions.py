"""Submissions to shared tasks: written, checked and scored in the organisers' format.

A submission is built from predictions for the test rows, read back as the organisers'
scorer would read it, and only then written: whole or not at all.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetclf.exceptions import DataError
from tweetclf.leaderboard._prediction_files import read_predictions, read_test_file
from tweetclf.leaderboard._submission_checks import (
    check_partner,
    checked_labels,
    filled_fields,
    groups_of,
    remarks_of,
)
from tweetclf.leaderboard._submission_files import archive_bytes, read_files
from tweetclf.leaderboard._submission_rows import (
    as_labels,
    parse_file,
    render_file,
)
from tweetclf.leaderboard.submission_formats import SubmissionFormat, submission_format
from tweetclf.utils.files import atomic_directory, write_bytes_atomic

if TYPE_CHECKING:
    from tweetclf.tasks import Split, Task

__all__ = [
    "Submission",
    "check_partner",
    "make_submission",
    "read_predictions",
    "read_test_file",
    "score_submission",
    "submission_rows",
    "task_for",
    "write_submission",
]


@dataclass(frozen=True)
class Submission:
    """The files of one submission, ready to be written.

    Parameters
    ----------
    layout : SubmissionFormat
        What the files look like.
    files : mapping of str to bytes
        Content by name.
    n_rows : int
        Rows in all files.
    scores : mapping of str to float
        Score by metric signature where gold labels are at hand, the official one
        first; else empty.
    remarks : tuple of str
        What one should look at before uploading.
    """

    layout: SubmissionFormat
    files: Mapping[str, bytes]
    n_rows: int
    scores: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def task_for(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    needs_data: bool = True,
) -> Task:
    """Return a task, without its splits where its data are neither there nor needed.

    Parameters
    ----------
    name : str
        A registered task or a file of one's own.
    data_dir : path, optional
        Folder of the datasets, as in `load_task`.
    needs_data : bool, default=True
        Whether absent data are an error; they are not where test rows or gold labels
        are given as files.
    """
    from tweetclf.tasks import load_task, task_info
    from tweetclf.tasks.registered import described_task

    try:
        return load_task(name, data_dir=data_dir)
    except DataError:
        if needs_data:
            raise
    return described_task(task_info(name), {})


def submission_rows(task: Task) -> Split:
    """Return the rows that a submission is for: the test split, labelled or not.

    Parameters
    ----------
    task : Task
        The task.

    Raises
    ------
    DataError
        If the task has neither.
    """
    for name in ("test", "test_unlabelled"):
        if name in task.splits:
            return task.splits[name]
    raise DataError(
        f"Task {task.name!r} has no test rows at hand ({task.test_source}). Name the "
        "organisers' unlabelled test file with --test (test rows: read_test_file)."
    )


def make_submission(
    task: Task,
    predictions: Sequence[Any],
    rows: Split | None = None,
    *,
    generic: bool = False,
    also: tuple[Task, Sequence[Any]] | None = None,
) -> Submission:
    """Build the files that the organisers of a task ask for.

    Parameters
    ----------
    task : Task
        The task.
    predictions : sequence
        Label names, numbers, or rows of 0 and 1 in the order of ``task.label_names``;
        one for each test row, in order.
    rows : Split, optional
        The test rows; by default those of the task (`submission_rows`).
    generic : bool, default=False
        As in `submission_format`.
    also : (Task, sequence), optional
        The other task of the same file (`check_partner`) and its predictions for the
        same rows. Without it the other task's column holds a constant, and a remark
        says so.

    Returns
    -------
    Submission
        The files, with the score where gold labels are at hand.

    Raises
    ------
    DataError
        If there is not one valid prediction for each row.

    Examples
    --------
    >>> from tweetclf import load_task
    >>> from tweetclf.leaderboard.submissions import make_submission
    >>> task = load_task("sample-humor")
    >>> made = make_submission(task, ["humor"] * len(task.test))
    >>> made.files["predictions.csv"].decode().splitlines()[0]
    'id,label'
    """
    rows = submission_rows(task) if rows is None else rows
    layout = submission_format(task, generic=generic)
    labels = checked_labels(task, predictions, rows)
    filled = filled_fields(layout, also, rows)
    groups = groups_of(layout, rows)
    files: dict[str, bytes] = {}
    for group, name in layout.files.items():
        chosen = [
            {
                "id": rows.ids[i],
                "text": rows.texts[i],
                "group": "" if groups is None else groups[i],
                "value": labels[i],
                "filled": filled[i],
            }
            for i in range(len(rows))
            if group is None or (groups is not None and groups[i] == group)
        ]
        files[name] = render_file(layout, task.label_names, chosen)
    scores: dict[str, float] = {}
    if rows.labels is not None:
        # What was written is read back: the score is that of the files.
        scores = _score(task, layout, files, rows)
    remarks = remarks_of(task, layout, labels, also)
    return Submission(layout, files, len(rows), scores, remarks)


# -- files ------------------------------------------------------------------------


def write_submission(submission: Submission, path: str | os.PathLike[str]) -> Path:
    """Write a submission as a zip file or a folder, whole or not at all.

    Parameters
    ----------
    submission : Submission
        What `make_submission` returns.
    path : str or path-like
        A name that ends in ``.zip``, or a folder that is new or empty. The archive
        has no folder around its files, no hidden files, and fixed dates.

    Returns
    -------
    pathlib.Path
        What was written.
    """
    target = Path(path)
    if target.suffix.lower() == ".zip":
        write_bytes_atomic(target, archive_bytes(submission.files))
        return target
    with atomic_directory(target) as temporary:
        for name, content in submission.files.items():
            file = temporary / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    return target


# -- scores -----------------------------------------------------------------------


def _aligned(
    layout: SubmissionFormat,
    name: str,
    ids: list[str] | None,
    values: list[Any],
    wanted: Sequence[str],
) -> list[Any]:
    """Put the values of one file in the order of the gold rows."""
    if ids is None or ids == list(wanted):
        if len(values) != len(wanted):
            raise DataError(
                f"{name}: {len(values)} lines; the gold labels of {layout.task} are "
                f"{len(wanted)}."
            )
        return values
    twice = [i for i, times in Counter(ids).items() if times > 1]
    if twice:
        raise DataError(f"{name}: the id {twice[0]!r} stands twice.")
    by_id = dict(zip(ids, values, strict=True))
    missing = [i for i in wanted if i not in by_id]
    if missing:
        raise DataError(
            f"{name}: {len(missing)} of {len(wanted)} ids are missing, the first is "
            f"{missing[0]!r}."
        )
    extra = by_id.keys() - set(wanted)
    if extra:
        raise DataError(
            f"{name}: {len(extra)} ids are not among the gold labels of "
            f"{layout.task}, such as {min(extra)!r}."
        )
    return [by_id[i] for i in wanted]


def _score(
    task: Task, layout: SubmissionFormat, files: Mapping[str, bytes], gold: Split
) -> dict[str, float]:
    groups = groups_of(layout, gold)
    predicted: list[Any] = [None] * len(gold)
    for group, name in layout.files.items():
        places = [
            i
            for i in range(len(gold))
            if group is None or (groups is not None and groups[i] == group)
        ]
        parsed = parse_file(
            layout, task.label_names, task.target_kind, files[name], name
        )
        wanted = [gold.ids[i] for i in places]
        values = _aligned(layout, name, parsed.ids, parsed.values, wanted)
        for i, value in zip(places, values, strict=True):
            predicted[i] = value
    labels = as_labels(predicted, task.target_kind)
    scores = {}
    for metric in (task.metric, *task.secondary_metrics):
        grouped = {"groups": gold.groups} if metric.by_group else {}
        scores[metric.signature()] = metric(gold.labels, labels, **grouped)
    return scores


def score_submission(
    task: Task,
    path: str | os.PathLike[str],
    *,
    split: str = "test",
    gold: str | os.PathLike[str] | None = None,
    generic: bool = False,
) -> dict[str, float]:
    """Score files in the organisers' own format.

    Parameters
    ----------
    task : Task
        The task.
    path : str or path-like
        The file, or the folder or zip file of all files.
    split : str, default="test"
        Split of the task whose gold labels are taken.
    gold : str or path-like, optional
        Gold labels in the same format, where the task has none at hand.
    generic : bool, default=False
        As in `submission_format`.

    Returns
    -------
    dict of str to float
        Score by metric signature, the official one first.

    Raises
    ------
    DataError
        If gold labels are not at hand, or a file is not as the organisers ask; the
        message names file and line.
    """
    layout = submission_format(task, generic=generic)
    files = read_files(layout, Path(path))
    if gold is not None:
        rows = _gold_rows(task, layout, Path(gold))
    else:
        if split not in task.splits or task.splits[split].labels is None:
            raise DataError(
                f"The gold labels of {task.name}, {split}, are not at hand "
                f"({task.test_source}). Name a file of them in the same format with "
                "--gold (gold=...)."
            )
        rows = task.splits[split]
    return _score(task, layout, files, rows)


def _gold_rows(task: Task, layout: SubmissionFormat, path: Path) -> Split:
    from tweetclf.tasks import Split

    ids: list[str] = []
    values: list[Any] = []
    groups: list[str] = []
    for name, data in read_files(layout, path).items():
        parsed = parse_file(
            layout, task.label_names, task.target_kind, data, f"{path}: {name}"
        )
        group = next(g for g, file in layout.files.items() if file == name)
        ids += parsed.ids or [str(i) for i in range(len(parsed.values))]
        values += parsed.values
        groups += [str(group)] * len(parsed.values)
    return Split(
        "gold",
        ("",) * len(values),
        as_labels(values, task.target_kind),
        tuple(ids),
        None if set(layout.files) == {None} else tuple(groups),
    )
