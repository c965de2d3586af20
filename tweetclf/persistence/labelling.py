"""Label files of any size with a fitted model, in batches, with flat memory."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.tasks.columns import find_text
from tweetclf.tasks.lines import checked_lines, open_text
from tweetclf.tasks.rows import Header, read_json_rows, read_table_rows

__all__ = ["FORMATS", "label_stream", "open_source", "takes_pairs"]

FORMATS = ("csv", "tsv", "jsonl", "lines")
PREDICTION = "prediction"
_TABLES = {"csv": None, "tsv": "\t"}
"""The delimiters of tables; that of a CSV file is seen from its header."""

Row = tuple[int, dict[str, Any]]
"""The line a row begins in, and its values by column."""


# -- reading ----------------------------------------------------------------------


@dataclass
class _Source:
    """Rows of an input, its columns if they are the same for all, a table's header."""

    rows: Iterator[Row]
    columns: tuple[str, ...] | None = None
    header: Header | None = None


def open_source(
    file: IO[bytes], format: str, *, encoding: str = "utf-8", name: str = "input"
) -> io.TextIOWrapper:
    """Decode an input the way `label_stream` expects it.

    Parameters
    ----------
    file : binary file
        The input, with or without a byte-order mark.
    format : {"csv", "tsv", "jsonl", "lines"}
        In tables every kind of line end counts, in the others the line feed alone
        (a carriage return before it is dropped).
    encoding : str, default="utf-8"
        Encoding of the input.
    name : str, default="input"
        Name of the input, for messages.

    Returns
    -------
    TextIOWrapper
        Bytes that are not of the encoding come as lone surrogates, so that
        `label_stream` can name their line.
    """
    return open_text(file, name, encoding=encoding, table=format in _TABLES)


def _read(
    file: Iterable[str], name: str, format: str, encoding: str, quoted: bool
) -> _Source:
    table = format in _TABLES
    lines = checked_lines(file, name, encoding=encoding, table=table)
    if format == "lines":
        texts = (line.rstrip("\n").removesuffix("\r") for line in lines)
        numbered = enumerate(texts, start=1)
        return _Source(((n, {"text": text}) for n, text in numbered), ("text",))
    if format == "jsonl":
        return _Source(read_json_rows(lines, name))
    header, rows = read_table_rows(
        lines, name, delimiter=_TABLES[format], quoted=quoted
    )
    named = ((n, dict(zip(header.names, row, strict=True))) for n, row in rows)
    return _Source(named, header.names, header)


# -- columns ----------------------------------------------------------------------


def _find_column(columns: Sequence[str], wanted: str | None, name: str) -> str:
    return find_text(columns, wanted, name, remedy="; name one with --text.")


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


# -- writing ----------------------------------------------------------------------


class _TableWriter:
    """A CSV writer whose rows end in a line feed, and that can be read back."""

    def __init__(self, target: IO[str], delimiter: str, quoted: bool) -> None:
        self._target = target
        self._delimiter = delimiter
        self._may_quote = quoted
        self._plain = csv.writer(target, delimiter=delimiter, lineterminator="\n")
        self._quoted = csv.writer(
            target, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL
        )

    def writerow(self, row: list[Any]) -> None:
        if not self._may_quote:
            # The fields that were read hold neither delimiters nor line ends.
            fields = [*map(str, row)]
            if any(self._delimiter in field for field in fields):
                raise DataError(
                    f"a label holds the delimiter {self._delimiter!r}, and --no-quotes "
                    "leaves no way to write it. Give JSON Lines instead."
                )
            self._target.write(self._delimiter.join(fields) + "\n")
            return
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


def _dumps(row: dict[str, Any]) -> str:
    """Return one JSON line; half a surrogate pair stays the escape it was."""
    line = json.dumps(row, ensure_ascii=False)
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        line = json.dumps(row)
    return line


class _Writer:
    """Writes rows with their predictions, in the format of the input."""

    def __init__(
        self,
        target: IO[str],
        format: str,
        added: Sequence[str],
        header: Header | None,
        quoted: bool,
    ) -> None:
        self._target = target
        self._format = format
        self._added = added
        self._header = header
        self._table = (
            None if header is None else _TableWriter(target, header.delimiter, quoted)
        )

    def header(self) -> None:
        if self._table is not None and self._header is not None:
            self._table.writerow([*self._header.fields, *self._added])

    def row(self, row: dict[str, Any], values: Sequence[Any]) -> None:
        if self._table is not None:
            self._table.writerow([*row.values(), *map(_field, values)])
        elif self._format == "jsonl":
            added = dict(zip(self._added, values, strict=True))
            self._target.write(_dumps(row | added) + "\n")
        else:
            self._target.write(f"{_field(values[0])}\n")


# -- labelling --------------------------------------------------------------------


def takes_pairs(model: Any) -> bool | None:
    """Tell whether a loaded model reads text pairs; None if its parts do not say."""
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import FunctionTransformer

    from tweetclf.features import PairFeatures

    parts = {"": model, **model.get_params(deep=True)}
    for name, part in parts.items():
        if isinstance(part, PairFeatures):
            return True
        if name.rpartition("__")[2] == "pairs" and part is True:
            return True
    # These two read whatever columns they are told to.
    free = (ColumnTransformer, FunctionTransformer)
    return None if any(isinstance(part, free) for part in parts.values()) else False


def _check_request(
    format: str, text: str | None, text_b: str | None, proba: bool, pair: bool | None
) -> None:
    """Refuse what cannot be done, whatever the input holds."""
    if format not in FORMATS:
        raise ValueError(f"format must be one of {FORMATS}. Got {format!r} instead.")
    if format == "lines" and proba:
        raise DataError(
            "--proba adds columns, and plain lines have none. Give a CSV, TSV or JSON "
            "Lines input (--format names it)."
        )
    if format == "lines" and text:
        raise DataError(
            f"plain lines have no columns, so there is none called {text!r}: leave "
            "--text out, or say with --format that the input is CSV, TSV or JSON Lines."
        )
    if format == "lines" and (text_b or pair):
        raise DataError(
            "plain lines hold one text each. Give the pairs as CSV, TSV or JSON Lines "
            "(--format names it)."
        )
    if pair is False and text_b:
        raise DataError("this model reads single texts; leave --text-b out.")
    if pair and not text_b:
        raise DataError(
            "this model reads pairs of texts; name the column of the second text with "
            "--text-b."
        )


def _batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _refuse_taken(columns: Iterable[str], added: Iterable[str], place: str) -> None:
    taken = sorted(set(added).intersection(columns))
    if taken:
        raise DataError(
            f"{place} already has a column {taken[0]!r}; rename it first, so that "
            "nothing is lost."
        )


@dataclass(frozen=True)
class _Job:
    """What is read from a row, and what is added to it."""

    model: Any
    format: str
    name: str
    text: str | None
    text_b: str | None
    proba: bool
    added: tuple[str, ...]

    def choose(self, columns: Sequence[str]) -> tuple[str, str | None]:
        """Return the columns of the text and of the second text."""
        if self.format != "lines":
            _refuse_taken(columns, self.added, self.name)
        first = _find_column(columns, self.text, self.name)
        if self.text_b is None:
            return first, None
        return first, _find_column(columns, self.text_b, self.name)

    def texts(self, batch: Sequence[Row], chosen: tuple[str, str | None]) -> list[Any]:
        """Return the texts or pairs of a batch; refuse rows that cannot be done."""
        first, second = chosen
        texts: list[Any] = []
        for number, row in batch:
            place = f"{self.name}, line {number}"
            if self.format == "jsonl":  # Each row has columns of its own.
                _refuse_taken(row, self.added, place)
            text = _text_of(row, first, place)
            texts.append((text, _text_of(row, second, place)) if second else text)
        return texts

    def values(self, texts: list[Any]) -> list[list[Any]]:
        """Return what is added to each row."""
        values = [[_plain(label)] for label in self.model.predict(texts)]
        if self.proba:
            chances = self.model.predict_proba(texts)
            for value, chance in zip(values, chances, strict=True):
                value.extend(_plain(np.asarray(chance)))
        return values


def label_stream(
    model: Any,
    source: IO[str],
    target: IO[str],
    *,
    format: str = "lines",
    text: str | None = None,
    text_b: str | None = None,
    proba: bool = False,
    pair: bool | None = None,
    encoding: str = "utf-8",
    quoted: bool = True,
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
        Input and output; see `open_source`. Tables are to be written with
        ``newline=""``.
    format : {"csv", "tsv", "jsonl", "lines"}, default="lines"
        Format of both. Tables and JSON Lines keep all columns and gain
        ``prediction``; ``"lines"`` reads one text a line and writes one label a line.
    text : str, optional
        Column of the text; by default guessed by its name as `load_task` does, or the
        only one.
    text_b : str, optional
        Column of the second text, for models of text pairs.
    proba : bool, default=False
        Add a column ``p_<class>`` for each class (tables and JSON Lines only).
    pair : bool, optional
        Whether the model reads text pairs, so that a missing or needless `text_b` is
        refused at once; by default the model is left to refuse the texts.
    encoding : str, default="utf-8"
        Encoding that `source` was opened with, for messages.
    quoted : bool, default=True
        Whether quotation marks around the fields of a table are no part of them.
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
        If a row cannot be read, or already has a column that would be added; the
        message names the input, the line and the fix.
    """
    _check_request(format, text, text_b, proba, pair)
    added = tuple(_columns_added(model, proba))
    job = _Job(model, format, name, text, text_b or None, proba, added)
    rows = _read(source, name, format, encoding, quoted)
    writer = _Writer(target, format, added, rows.header, quoted)
    chosen = None if rows.columns is None else job.choose(rows.columns)
    done = 0
    for batch in _batches(rows.rows, batch_size):
        if chosen is None:
            chosen = job.choose(list(batch[0][1]))
        values = job.values(job.texts(batch, chosen))
        # Only now: a model that refuses the texts leaves nothing behind.
        if not done:
            writer.header()
        for (_, row), value in zip(batch, values, strict=True):
            writer.row(row, value)
        done += len(batch)
        target.flush()
        yield done
    if not done:
        writer.header()
