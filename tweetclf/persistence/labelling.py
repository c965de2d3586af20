"""Label files of any size with a fitted model, in batches, with flat memory."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.utils.registry import suggest

__all__ = ["FORMATS", "label_stream"]

FORMATS = ("csv", "tsv", "jsonl", "lines")
TEXT_COLUMNS = ("text", "tweet", "texto", "content", "full_text", "sentence")
"""Columns that are taken for the text where none is named, in this order."""

PREDICTION = "prediction"


@dataclass
class _Source:
    """Rows of an input with the place of each, for messages."""

    name: str
    rows: Iterator[tuple[int, dict[str, Any]]]
    columns: list[str] | None


def _lines(file: IO[str], name: str) -> _Source:
    rows = (
        (number, {"text": line.rstrip("\n").removesuffix("\r")})
        for number, line in enumerate(file, start=1)
    )
    return _Source(name, rows, ["text"])


def _jsonl(file: IO[str], name: str) -> _Source:
    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(
                    f"{name}, line {number}: not JSON ({error})."
                ) from error
            if not isinstance(row, dict):
                raise DataError(
                    f"{name}, line {number}: expected a JSON object, found a "
                    f"{type(row).__name__}."
                )
            yield number, row

    return _Source(name, rows(), None)


def _table(file: IO[str], name: str, delimiter: str) -> _Source:
    reader = csv.reader(file, delimiter=delimiter)
    try:
        header = next(reader)
    except StopIteration:
        raise DataError(f"{name} is empty; a header line was expected.") from None
    except csv.Error as error:
        raise DataError(f"{name}, line 1: {error}.") from error
    header[0] = header[0].removeprefix("\ufeff")

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise DataError(f"{name}, line {reader.line_num}: {error}.") from error
            if not row:
                continue
            if len(row) != len(header):
                raise DataError(
                    f"{name}, line {reader.line_num}: {len(row)} fields, but the "
                    f"header has {len(header)}. Quote fields that hold the delimiter "
                    "or line breaks."
                )
            yield reader.line_num, dict(zip(header, row, strict=True))

    return _Source(name, rows(), header)


def _open_source(file: IO[str], name: str, format: str) -> _Source:
    if format == "lines":
        return _lines(file, name)
    if format == "jsonl":
        return _jsonl(file, name)
    return _table(file, name, "\t" if format == "tsv" else ",")


def _find_column(columns: Iterable[str], wanted: str | None, name: str) -> str:
    columns = list(columns)
    if wanted is not None:
        if wanted in columns:
            return wanted
        near = suggest(wanted, columns)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise DataError(
            f"{name} has no column {wanted!r}.{hint} Its columns are "
            f"{', '.join(columns)}."
        )
    folded = {column.casefold(): column for column in reversed(columns)}
    for candidate in TEXT_COLUMNS:
        if candidate in folded:
            return folded[candidate]
    if len(columns) == 1:
        return columns[0]
    raise DataError(
        f"{name}: which column holds the text? Its columns are {', '.join(columns)}; "
        "name one with --text."
    )


def _text_of(row: dict[str, Any], column: str, place: str) -> str:
    text = row.get(column)
    if not isinstance(text, str):
        found = "missing" if column not in row else f"a {type(text).__name__}"
        raise DataError(f"{place}: {column!r} must be a string; it is {found}.")
    return text


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _field(value: Any) -> Any:
    """One CSV field: a list of indicators becomes a space-separated text."""
    return " ".join(map(str, value)) if isinstance(value, list) else value


class _TableWriter:
    """A CSV writer whose rows end in a line feed, and that can be read back."""

    def __init__(self, target: IO[str], delimiter: str) -> None:
        self._plain = csv.writer(target, delimiter=delimiter, lineterminator="\n")
        self._quoted = csv.writer(
            target, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL
        )

    def writerow(self, row: list[Any]) -> None:
        # The csv module quotes a carriage return only if it ends lines with one.
        quote = any(isinstance(field, str) and "\r" in field for field in row)
        (self._quoted if quote else self._plain).writerow(row)


def _columns_added(model: Any, proba: bool) -> list[str]:
    if not proba:
        return [PREDICTION]
    if not hasattr(model, "predict_proba"):
        raise DataError(
            "this model has no predict_proba, so --proba cannot be given: its learner "
            "yields no probabilities."
        )
    return [PREDICTION, *(f"p_{label}" for label in model.classes_)]


def _batches(
    rows: Iterable[tuple[int, dict[str, Any]]], size: int
) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def label_stream(
    model: Any,
    source: IO[str],
    target: IO[str],
    *,
    format: str = "lines",
    text: str | None = None,
    text_b: str | None = None,
    proba: bool = False,
    batch_size: int = 2000,
    name: str = "input",
) -> Iterator[int]:
    """Predict a label for each row of `source` and write the rows to `target`.

    Memory is bounded by `batch_size` rows, whatever the size of the input.

    Parameters
    ----------
    model : estimator
        A fitted text estimator.
    source, target : text files
        Input and output; tables should be opened with ``newline=""``.
    format : {"csv", "tsv", "jsonl", "lines"}, default="lines"
        Format of both. Tables and JSON Lines keep all columns and gain
        ``prediction``; ``"lines"`` reads one text a line and writes one label a line.
    text : str, optional
        Column of the text; by default the first of ``text``, ``tweet``, ``texto``,
        ``content``, ``full_text``, ``sentence`` that is there.
    text_b : str, optional
        Column of the second text, for models of text pairs.
    proba : bool, default=False
        Add a column ``p_<class>`` for each class (tables and JSON Lines).
    batch_size : int, default=2000
        Rows predicted at a time.
    name : str, default="input"
        Name of the input, for messages.

    Yields
    ------
    int
        Number of rows written so far, after each batch.

    Raises
    ------
    DataError
        If a row cannot be read; the message names the input, the line and the fix.
    """
    if format not in FORMATS:
        raise ValueError(f"format must be one of {FORMATS}. Got {format!r} instead.")
    rows = _open_source(source, name, format)
    added = _columns_added(model, proba)
    writer: _TableWriter | None = None
    column: str | None = None
    done = 0
    for batch in _batches(rows.rows, batch_size):
        if column is None:
            columns = rows.columns or list(batch[0][1])
            column = _find_column(columns, text, name)
            second = _find_column(columns, text_b, name) if text_b else None
            taken = sorted(set(added) & set(columns))
            if taken and format != "lines":
                raise DataError(
                    f"{name} already has a column {taken[0]!r}; rename it first, so "
                    "that nothing is lost."
                )
            if format in {"csv", "tsv"}:
                writer = _TableWriter(target, "\t" if format == "tsv" else ",")
                writer.writerow([*columns, *added])
        texts: list[Any] = [
            _text_of(row, column, f"{name}, line {number}") for number, row in batch
        ]
        if second:
            texts = [
                (first, _text_of(row, second, f"{name}, line {number}"))
                for first, (number, row) in zip(texts, batch, strict=True)
            ]
        values = [[_plain(label)] for label in model.predict(texts)]
        if proba:
            for value, chances in zip(values, model.predict_proba(texts), strict=True):
                value.extend(_plain(np.asarray(chances)))
        for (_, row), value in zip(batch, values, strict=True):
            if writer is not None:
                writer.writerow([*row.values(), *map(_field, value)])
            elif format == "jsonl":
                row.update(zip(added, value, strict=True))
                target.write(json.dumps(row, ensure_ascii=False) + "\n")
            else:
                target.write(f"{_field(value[0])}\n")
        done += len(batch)
        target.flush()
        yield done
