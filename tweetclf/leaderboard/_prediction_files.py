"""Files of predictions, as ``tweetclf predict`` and others write them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetclf.exceptions import DataError
from tweetclf.leaderboard._submission_rows import finite_number, label_of
from tweetclf.tasks.lines import read_lines, suffix_of
from tweetclf.tasks.tables import SUFFIXES, Table, read_table

if TYPE_CHECKING:
    from tweetclf.leaderboard.submission_formats import SubmissionFormat
    from tweetclf.tasks import Split, Task

__all__ = ["read_predictions", "read_test_file", "row_ids"]

_ID = ("id", "tweetid", "tweet_id", "id_str")
_TEXT = ("text", "tweet", "full_text", "message")
_SEPARATORS = re.compile(r"[|,;]")


def _named(table: Table, names: Iterable[str]) -> str | None:
    """Return the column called one of `names`, in any case."""
    folded = {column.casefold(): column for column in table.columns}
    return next((folded[name] for name in names if name in folded), None)


def read_predictions(
    path: Path,
    task: Task,
    layout: SubmissionFormat,
    rows: Split,
    *,
    column: str = "prediction",
    id: str | None = None,
) -> list[Any]:
    """Return the predictions in the order of `rows`.

    Tables are matched by their ids where they have some, else by order; text files hold
    one label a line, in order.

    Parameters
    ----------
    path : pathlib.Path
        CSV, TSV, JSON Lines or Parquet file, or a text file.
    task : Task
        The task.
    layout : SubmissionFormat
        Its codes are taken for the labels they stand for.
    rows : Split
        The test rows.
    column : str, default="prediction"
        Column of the predictions; of several labels in a row there may be one column
        of 0 and 1 each instead.
    id : str, optional
        Column of the ids; by default one called "id", if there is.

    Raises
    ------
    DataError
        If there is not one valid prediction for each row; the message names file, line
        and what is wrong.
    """
    suffix = suffix_of(path)
    if suffix not in SUFFIXES:
        lines = [
            line.removesuffix("\n").removesuffix("\r") for line in read_lines(path)
        ]
        places = [f"{path}, line {i}" for i in range(1, len(lines) + 1)]
        values = _values(lines, places, task, layout)
        return _matched(path, values, None, rows)
    table = read_table(path)
    places = [table.place(row) for row in range(len(table))]
    flags = set(task.label_names) <= set(table.columns)
    if task.target_kind == "multilabel" and column not in table.columns and flags:
        cells: list[Any] = [
            [table.columns[name][row] for name in task.label_names]
            for row in range(len(table))
        ]
        values = [
            [_flag(cell, place) for cell in row]
            for row, place in zip(cells, places, strict=True)
        ]
    else:
        found = table.column(column, "column")
        values = _values(found, places, task, layout)
    name = id or _named(table, _ID)
    ids = None if name is None else [str(v) for v in table.column(name, "id")]
    return _matched(path, values, ids, rows)


def row_ids(path: Path, id: str | None = None) -> tuple[int, list[str] | None]:
    """Return how many predictions a file holds, and their ids where it has some.

    Parameters
    ----------
    path : pathlib.Path
        As of `read_predictions`.
    id : str, optional
        Column of the ids; by default one called "id".
    """
    suffix = suffix_of(path)
    if suffix not in SUFFIXES:
        return sum(1 for _ in read_lines(path)), None
    table = read_table(path)
    name = id or _named(table, _ID)
    if name is None:
        return len(table), None
    return len(table), [str(value) for value in table.column(name, "id")]


def _values(
    cells: Sequence[Any], places: Sequence[str], task: Task, layout: SubmissionFormat
) -> list[Any]:
    names = task.label_names
    if task.target_kind == "regression":
        return [finite_number(c, p) for c, p in zip(cells, places, strict=True)]
    if task.target_kind != "multilabel":
        return [
            label_of(c, layout, names, p) for c, p in zip(cells, places, strict=True)
        ]
    values = []
    for cell, place in zip(cells, places, strict=True):
        members = cell if isinstance(cell, list) else _members(str(cell), names)
        chosen = {label_of(member, layout, names, place) for member in members}
        values.append([int(name in chosen) for name in names])
    return values


def _members(text: str, names: Sequence[str]) -> list[str]:
    if _SEPARATORS.search(text) or any(" " in name for name in names):
        parts = _SEPARATORS.split(text)
    else:
        parts = text.split()
    return [part.strip() for part in parts if part.strip()]


def _flag(cell: Any, place: str) -> int:
    if str(cell) not in {"0", "1"}:
        raise DataError(f"{place}: columns of labels hold 0 and 1, not {cell!r}.")
    return int(cell)


def _matched(
    path: Path, values: list[Any], ids: list[str] | None, rows: Split
) -> list[Any]:
    """Put values in the order of the test rows; say what is missing or too many."""
    wanted = list(rows.ids)
    if ids is None or ids == wanted:
        if len(values) != len(wanted):
            raise DataError(
                f"{path}: {len(values)} predictions; the test file has {len(wanted)} "
                "rows, and there must be one for each, in order."
            )
        return values
    for what, seen in (("predictions", ids), ("test rows", wanted)):
        twice = [name for name, times in Counter(seen).items() if times > 1]
        if twice:
            raise DataError(
                f"{path}: the id {twice[0]!r} stands twice among the {what}, so ids "
                "do not say which row is meant. Give the rows in the order of the test "
                "file."
            )
    given, asked = set(ids), set(wanted)
    missing = [name for name in wanted if name not in given]
    extra = [name for name in ids if name not in asked]
    problems = [
        f"{len(names)} ids {what}, the first is {names[0]!r}"
        for names, what in (
            (missing, "of the test file have no prediction"),
            (extra, "are not in the test file"),
        )
        if names
    ]
    if problems:
        raise DataError(
            f"{path}: {'; '.join(problems)}. There must be one prediction for each of "
            f"the {len(wanted)} test rows."
        )
    by_id = dict(zip(ids, values, strict=True))
    return [by_id[name] for name in wanted]


def read_test_file(path: Path, id: str | None = None) -> Split:
    """Return the rows of an unlabelled test file as the organisers gave it.

    Parameters
    ----------
    path : pathlib.Path
        A table.
    id : str, optional
        Column of the ids; by default one called "id".
    """
    from tweetclf.tasks import Split

    table = read_table(path)
    name = id or _named(table, _ID)
    if name is None:
        raise DataError(
            f"{path}: which column holds the ids? Its columns are "
            f"{', '.join(table.columns)}; name it with id=..., --id."
        )
    ids = tuple(str(value) for value in table.column(name, "id"))
    text = _named(table, _TEXT)
    texts = table.columns[text] if text else [""] * len(ids)
    return Split("test", tuple(str(value) for value in texts), None, ids)
