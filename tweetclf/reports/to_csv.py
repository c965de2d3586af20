"""The report as one tidy table: a line for each cell of each table."""

from __future__ import annotations

import csv
import io

from tweetclf.reports.formatting import make_safe
from tweetclf.reports.model import Report, Scalar, Table

__all__ = ["COLUMNS", "guard", "render_csv", "unguard"]

COLUMNS = (
    "section",
    "table",
    "row",
    "kind",
    "name",
    "quantity",
    "value",
    "text",
    "mark",
    "best",
)
"""Columns of the file."""

# What spreadsheet programs take for the start of a formula, full-width forms included.
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")


def guard(text: str) -> str:
    """Return `text` so that no spreadsheet runs it as a formula.

    A text that begins like a formula, even after white space, gets an apostrophe in
    front, and so does one that begins with an apostrophe: taking one leading
    apostrophe off (:func:`unguard`) gives the text back.

    Examples
    --------
    >>> from tweetclf.reports.to_csv import guard
    >>> guard("=1+1"), guard("nbsvm"), guard(" @x"), guard("'s")
    ("'=1+1", 'nbsvm', "' @x", "''s")
    """
    if text.startswith("'") or text.lstrip().startswith(_FORMULA):
        return f"'{text}"
    return text


def unguard(text: str) -> str:
    """Undo :func:`guard`."""
    return text.removeprefix("'")


def _value(value: Scalar) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    # Numbers are ours and unrounded; a minus sign of theirs must stay a minus sign.
    if isinstance(value, int | float):
        return repr(value)
    return guard(make_safe(value))


def _lines(section: str, table: Table) -> list[list[str]]:
    keys = [column.key for column in table.columns]
    named = keys.index(table.header_column) if table.header_column in keys else 0
    lines = []
    for number, row in enumerate(table.rows, start=1):
        for position, cell in enumerate(row.cells):
            if cell.value is None and not cell.text:
                continue
            lines.append(
                [
                    section,
                    table.key,
                    str(number),
                    row.kind,
                    guard(make_safe(row.cells[named].text)),
                    keys[position],
                    _value(cell.value),
                    guard(make_safe(cell.text)),
                    cell.mark,
                    "best" if cell.bold else "",
                ]
            )
    return lines


def render_csv(report: Report) -> str:
    """Return all tables, those behind figures included, as one long CSV (RFC 4180).

    Each line is one cell: section, table, row, kind of row, name of the row,
    quantity, value (unrounded; empty where missing), text as shown, mark, "best".
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for section in report.sections:
        for block in section.blocks:
            table = getattr(block, "data", block)
            if isinstance(table, Table):
                writer.writerows(_lines(guard(make_safe(section.title)), table))
    return buffer.getvalue()
