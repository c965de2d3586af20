"""Rows of submission files: from labels to fields and back."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.submission_formats import Column, SubmissionFormat
from tweetclf.utils.registry import suggest

__all__ = [
    "Parsed",
    "as_labels",
    "fields_of",
    "finite_number",
    "label_of",
    "parse_file",
    "render_file",
]

_CONTROLS = dict.fromkeys([*range(32), 0x7F, 0x85, 0x2028, 0x2029], " ")


@dataclass(frozen=True)
class Parsed:
    """What one submission file says: ids (or None) and one value a row."""

    ids: list[str] | None
    values: list[Any]


def label_of(
    value: Any, layout: SubmissionFormat, names: Sequence[str], where: str
) -> str:
    """Return the label that a name or a code of the organisers means."""
    text = str(value).strip()
    if text in names:
        return text
    meant = {code: label for label, code in layout.codes.items()}
    if text in meant:
        return meant[text]
    near = suggest(text, names)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    codes = [c for c in layout.codes.values() if c not in names]
    also = f", or as codes {', '.join(codes)}" if codes else ""
    raise DataError(
        f"{where}: {text!r} is not a label of {layout.task}.{hint} The labels are "
        f"{', '.join(names)}{also}."
    )


def finite_number(text: Any, where: str) -> float:
    """Return a number that stands in a file; `where` names its place in the error."""
    try:
        number = float(text)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        hint = " Write decimals with a point." if "," in str(text) else ""
        raise DataError(f"{where}: {text!r} is no finite number.{hint}")
    return number


# -- writing ----------------------------------------------------------------------


def _field(
    column: Column,
    layout: SubmissionFormat,
    names: Sequence[str],
    row: Mapping[str, Any],
) -> str:
    value = row["value"]
    if column.role == "fixed":
        # What the other task of the file says, if it was given.
        return str(row.get("filled", {}).get(column.name, column.option))
    if column.role == "label":
        return layout.codes[value]
    if column.role == "bit":
        return str(value)[int(column.option)]
    if column.role == "flag":
        return str(int(value[names.index(column.option)]))
    if column.role == "number":
        return repr(float(value))
    # A tab or a line end within a field would break the file.
    return str(row[column.role]).translate(_CONTROLS)


def fields_of(
    layout: SubmissionFormat, names: Sequence[str], value: Any
) -> dict[str, str]:
    """Return what a prediction puts into the columns of its own, by their names."""
    row = {"value": value}
    return {
        column.name: _field(column, layout, names, row)
        for column in layout.columns
        if column.role in {"label", "bit", "flag", "number"}
    }


def render_file(
    layout: SubmissionFormat, names: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> bytes:
    """Return one file: UTF-8 without a byte order mark, line feeds alone."""
    lines = [[_field(c, layout, names, row) for c in layout.columns] for row in rows]
    if layout.header:
        lines.insert(0, [column.name for column in layout.columns])
    if not layout.quoted:
        return "".join(layout.delimiter.join(line) + "\n" for line in lines).encode()
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=layout.delimiter, lineterminator="\n").writerows(lines)
    return file.getvalue().encode()


# -- reading ----------------------------------------------------------------------


def _records(
    layout: SubmissionFormat, data: bytes, name: str
) -> Iterator[tuple[str, list[str]]]:
    """Yield each record with its place; the header is checked and left out."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8: {error}.") from None
    if layout.quoted:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        try:
            found = [(reader.line_num, fields) for fields in reader if fields]
        except csv.Error as error:
            raise DataError(f"{name}, line {reader.line_num}: {error}.") from None
    else:
        lines = [line.removesuffix("\r") for line in text.split("\n")]
        if lines and not lines[-1]:
            lines.pop()
        found = [
            (number, line.split(layout.delimiter))
            for number, line in enumerate(lines, start=1)
        ]
    columns = [column.name for column in layout.columns]
    if layout.header:
        if not found or found[0][1] != columns:
            got = layout.delimiter.join(found[0][1])[:80] if found else "nothing"
            raise DataError(
                f"{name}: the first line must name the columns "
                f"{layout.delimiter.join(columns)!r}; it is {got!r}."
            )
        found.pop(0)
    for number, fields in found:
        where = f"{name}, line {number}"
        if len(fields) != len(columns):
            raise DataError(
                f"{where}: {len(fields)} fields; expected {len(columns)}: "
                f"{', '.join(columns)}."
            )
        yield where, fields


def parse_file(
    layout: SubmissionFormat, names: Sequence[str], kind: str, data: bytes, name: str
) -> Parsed:
    """Read one file in the organisers' format."""
    ids: list[str] = []
    values: list[Any] = []
    roles = [column.role for column in layout.columns]
    for where, fields in _records(layout, data, name):
        by_role: dict[str, list[str]] = {}
        for role, text in zip(roles, fields, strict=True):
            by_role.setdefault(role, []).append(text)
        if layout.has_ids:
            ids.append(by_role["id"][0])
        if kind == "multilabel":
            values.append([_bit(text, where) for text in by_role["flag"]])
        elif kind == "regression":
            values.append(finite_number(by_role["number"][0], where))
        elif "bit" in by_role:
            # Any combination: the organisers score those that no label has, too.
            values.append("".join(str(_bit(text, where)) for text in by_role["bit"]))
        else:
            # SemEval's ordinal classes may be followed by their description.
            text = by_role["label"][0]
            if layout.family == "SemEval-2018 Task 1":
                text = text.partition(":")[0]
            values.append(label_of(text, layout, names, where))
    return Parsed(ids if layout.has_ids else None, values)


def _bit(text: str, where: str) -> int:
    if text not in {"0", "1"}:
        raise DataError(f"{where}: {text!r} must be 0 or 1.")
    return int(text)


def as_labels(values: Sequence[Any], kind: str) -> np.ndarray:
    """Return values as the array that metrics take."""
    if kind == "regression":
        return np.array(values, dtype=np.float64)
    if kind == "multilabel":
        return np.array(values, dtype=np.int8)
    return np.array(values, dtype=np.str_)
