"""Rows of CSV, TSV and JSON Lines, read one by one; errors name the line."""

from __future__ import annotations

import csv
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.tasks.lines import BadLine, read_lines, suffix_of

__all__ = [
    "JSON_SUFFIXES",
    "TABLE_SUFFIXES",
    "Header",
    "read_fields",
    "read_json_rows",
    "read_jsonl",
    "read_table_rows",
]

JSON_SUFFIXES = frozenset({".jsonl", ".ndjson"})
"""Of files of JSON Lines."""

TABLE_SUFFIXES = frozenset({".csv", ".tsv"})
"""Of tables: the first by whatever separates the first line, the second by tabs."""

_DELIMITERS = ",;\t|"
# Longer fields are not tweets: a quotation mark was never closed.
_MAX_FIELD = 2**24


@dataclass(frozen=True)
class Header:
    """The first record of a table.

    Parameters
    ----------
    names : tuple of str
        Names of the columns, without white space around them; the third column is
        called "column_3" where it has no name.
    fields : tuple of str
        The record as it stands.
    delimiter : str
        What separates its fields.
    """

    names: tuple[str, ...]
    fields: tuple[str, ...]
    delimiter: str


def read_table_rows(
    lines: Iterable[str],
    name: str,
    *,
    delimiter: str | None = None,
    quoted: bool = True,
    bad: BadLine | None = None,
) -> tuple[Header, Iterator[tuple[int, list[str]]]]:
    """Read the header of a table; return it and the rows, which are read as asked for.

    Blank lines are skipped.

    Parameters
    ----------
    lines : iterable of str
        Of `tweetclf.tasks.lines.checked_lines`.
    name : str
        Name of the input, for messages.
    delimiter : str, optional
        What separates the fields; by default that of ``,;|`` and the tabulator that
        the header has most of.
    quoted : bool, default=True
        Whether quotation marks around fields are no part of them.
    bad : callable, optional
        Called with the line and the fault of a row that cannot be read, which is left
        out; by default the fault is raised.

    Returns
    -------
    header : Header
        Names of the columns.
    rows : iterator of (int, list of str)
        The line a row begins in, and its fields, as many as the header has.

    Raises
    ------
    DataError
        If the table is empty, a name is repeated, a row has more or fewer fields than
        the header, or quotation marks do not match; the message names the line.
    """
    head = _until_filled(lines := iter(lines))
    first = head[-1] if head else ""
    delimiter = delimiter or _sniff(first)
    records = _records(itertools.chain(head, lines), name, delimiter, quoted, bad)
    start, fields = next((r for r in records if _is_filled(r[1])), (0, []))
    if not fields:
        raise DataError(f"{name} is empty; a header line was expected.")
    names = tuple(
        field.strip() or f"column_{i}" for i, field in enumerate(fields, start=1)
    )
    repeated = [column for column, n in Counter(names).items() if n > 1]
    if repeated:
        raise DataError(
            f"{name}, line {start}: the header has {', '.join(map(repr, repeated))} "
            "more than once. Rename columns, so that nothing is lost."
        )
    header = Header(names, tuple(fields), delimiter)
    return header, _full_rows(records, header, name, bad)


def _is_filled(line: Iterable[str]) -> bool:
    """Tell whether anything but blanks and delimiters is there."""
    return bool("".join(line).strip(f" \r\n{_DELIMITERS}"))


def _until_filled(lines: Iterator[str]) -> list[str]:
    """Take lines up to the first that is not blank."""
    head = []
    for line in lines:
        head.append(line)
        if _is_filled(line):
            break
    return head


def _sniff(line: str) -> str:
    best = max(_DELIMITERS, key=line.count)
    return best if best in line else ","


def _records(
    lines: Iterable[str],
    name: str,
    delimiter: str,
    quoted: bool,
    bad: BadLine | None,
) -> Iterator[tuple[int, list[str]]]:
    """Yield the records that are no blank lines, with the line each begins in."""
    # The limit is the module's; others may have set a higher one.
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_FIELD))
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    start = 1
    while True:
        try:
            record = next(reader, None)
        except csv.Error as error:
            fault = _csv_fault(error, f"{name}, line {start}")
            if bad is None:
                raise fault from error
            bad(start, fault)
            record = []
        if record is None:
            return
        if record:
            yield start, record
        start = reader.line_num + 1


def _csv_fault(error: csv.Error, place: str) -> DataError:
    if "field limit" in str(error):
        said = f"a field has more than {csv.field_size_limit():,} characters"
    else:
        said = str(error)
    return DataError(
        f"{place}: {said}. Quotation marks inside a quoted text must "
        "be doubled and every one closed; if they are part of the texts, pass "
        "quoting=False (or --no-quotes)."
    )


def _full_rows(
    records: Iterator[tuple[int, list[str]]],
    header: Header,
    name: str,
    bad: BadLine | None,
) -> Iterator[tuple[int, list[str]]]:
    width = len(header.names)
    for start, fields in records:
        if len(fields) == width:
            yield start, fields
            continue
        fault = DataError(
            f"{name}, line {start}: {len(fields)} fields, but the header has "
            f"{width} ({', '.join(header.names)}). A text that holds "
            f"{header.delimiter!r} or a line break must be in quotation marks."
        )
        if bad is None:
            raise fault
        bad(start, fault)


def read_json_rows(
    lines: Iterable[str], name: str, *, bad: BadLine | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the line number and the object of every line that is not blank.

    Parameters
    ----------
    lines : iterable of str
        Of `tweetclf.tasks.lines.checked_lines`.
    name : str
        Name of the input, for messages.
    bad : callable, optional
        Called with the number and the fault of a line that cannot be read, which is
        left out; by default the fault is raised.

    Yields
    ------
    (int, dict)
        Number of the line, and its fields.

    Raises
    ------
    DataError
        If a line is no JSON object; the message names line and column.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = _json_object(line, number, name)
        except DataError as fault:
            if bad is None:
                raise
            bad(number, fault)
        else:
            yield number, row


def _json_object(line: str, number: int, name: str) -> dict[str, Any]:
    try:
        row = json.loads(line.rstrip("\n"))
    # Besides JSONDecodeError: numbers of thousands of digits, and depth.
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        message = "nested too deeply" if deep else getattr(error, "msg", error)
        column = getattr(error, "colno", 1)
        raise DataError(
            f"{name}, line {number}, column {column}: no valid JSON ({message})."
            f"{_array_hint(number, line)}"
        ) from error
    if not isinstance(row, dict):
        raise DataError(
            f"{name}, line {number}: expected a JSON object with named fields; "
            f"found a {type(row).__name__}.{_array_hint(number, line)}"
        )
    return row


def _array_hint(number: int, line: str) -> str:
    if number == 1 and line.lstrip().startswith("["):
        return " A JSON array is not JSON Lines: write one object a line."
    return ""


def read_fields(
    path: Path,
    *,
    columns: Sequence[str] = (),
    encoding: str = "utf-8",
    quoted: bool = True,
    bad: BadLine | None = None,
) -> tuple[tuple[str, ...] | None, Iterator[tuple[int, Mapping[str, Any]]]]:
    """Read a table or JSON Lines by the suffix of its file, others as a text a line.

    Parameters
    ----------
    path : path
        The file, also packed (``.gz``).
    columns : sequence of str
        Those that are asked for: a file without columns is refused if there are any.
    encoding : str, default="utf-8"
        Encoding of the file.
    quoted : bool, default=True
        Whether quotation marks around the fields of a table are no part of them.
    bad : callable, optional
        Told of lines that cannot be read, which are passed by then.

    Returns
    -------
    names : tuple of str or None
        Names of the columns; None of JSON Lines, which may have others in each row.
    rows : iterator of (int, mapping)
        Number of each line and its fields, read as they are asked for. A text without
        columns is the field "text"; blank ones are not left out.

    Raises
    ------
    DataError
        If the file cannot be read, or a row without `bad`; the message names the line.
    """
    suffix = suffix_of(path)
    is_table = suffix in TABLE_SUFFIXES
    lines = read_lines(path, encoding=encoding, table=is_table, bad=bad)
    if suffix in JSON_SUFFIXES:
        return None, read_json_rows(lines, str(path), bad=bad)
    if is_table:
        delimiter = "\t" if suffix == ".tsv" else None
        header, rows = read_table_rows(
            lines, str(path), delimiter=delimiter, quoted=quoted, bad=bad
        )
        names = header.names
        return names, ((n, dict(zip(names, row, strict=True))) for n, row in rows)
    if columns:
        raise DataError(
            f"{path} holds one text a line and has no column {columns[0]!r}. Name it "
            ".csv, .tsv or .jsonl if it has columns."
        )
    numbered = enumerate(lines, start=1)
    return ("text",), (
        (n, {"text": line.rstrip("\n").removesuffix("\r")}) for n, line in numbered
    )


def read_jsonl(path: Path, encoding: str = "utf-8") -> list[tuple[int, dict[str, Any]]]:
    """Return all of `read_json_rows` of a file, plain or gzip."""
    lines = read_lines(path, encoding=encoding)
    return list(read_json_rows(lines, str(path)))
