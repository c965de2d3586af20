"""Published results as tidy CSV, their references as BibTeX."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path

from tweetclf.exceptions import DataError
from tweetclf.tasks._published_row import PublishedResult
from tweetclf.tasks.locations import PACKAGE_DATA
from tweetclf.utils.registry import suggest

__all__ = ["COLUMNS", "aliases", "packaged", "parse", "references", "render"]

FOLDER = PACKAGE_DATA / "published"

COLUMNS = (
    "cite",
    "table",
    "dataset",
    "language",
    "system",
    "metric",
    "split",
    "value",
    "scale",
    "task",
    "version",
    "signature",
    "n",
    "note",
)
_NEEDED = ("system", "split", "value")

_ENTRY = re.compile(r"^@\w+\{([^,\s]+),$.*?^\}$", re.MULTILINE | re.DOTALL)
_LABEL = re.compile(r"^\s*label = \{(.*)\},?$", re.MULTILINE)


@lru_cache(maxsize=1)
def references() -> Mapping[str, str]:
    """Return the BibTeX entry of every source, by key."""
    text = (FOLDER / "references.bib").read_text(encoding="utf-8")
    return {match[1]: match[0] for match in _ENTRY.finditer(text)}


@lru_cache(maxsize=1)
def _labels() -> Mapping[str, str]:
    found = {key: _LABEL.search(entry) for key, entry in references().items()}
    return {key: match[1] if match else key for key, match in found.items()}


@lru_cache(maxsize=1)
def aliases() -> Mapping[tuple[str, str], str]:
    """Return the common name of systems, by source (empty: any) and printed name."""
    text = (FOLDER / "aliases.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(io.StringIO(text))
    return {(row["cite"], row["printed"]): row["system"] for row in rows}


@lru_cache(maxsize=1)
def packaged() -> tuple[PublishedResult, ...]:
    """Return the rows of the package."""
    rows: list[PublishedResult] = []
    for name in ("papers.csv", "leaderboards.csv"):
        rows += read_file(FOLDER / name)
    return tuple(rows)


def read_file(path: Path) -> list[PublishedResult]:
    """Read one CSV file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8: {error}. Save it as UTF-8 CSV."
        ) from None
    return parse(text, str(path))


def parse(text: str, name: str) -> list[PublishedResult]:
    """Read rows of CSV text; `name` stands in errors."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        header = list(reader.fieldnames or ())
        _check_header(header, name)
        return [
            _row(fields, f"{name}, line {reader.line_num}")
            for fields in reader
            if any(fields.values())
        ]
    except csv.Error as error:
        raise DataError(f"{name}, line {reader.line_num}: {error}.") from None


def _check_header(header: list[str], name: str) -> None:
    for column in header:
        if column not in COLUMNS:
            near = suggest(column, COLUMNS)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise DataError(
                f"{name}: there is no column {column!r} in a file of published "
                f"results.{hint} The columns are {', '.join(COLUMNS)}."
            )
    if len(set(header)) < len(header):
        raise DataError(f"{name}: a column stands twice in {', '.join(header)}.")
    missing = [column for column in _NEEDED if column not in header]
    if not {"task", "dataset"} & set(header):
        missing.append("task (or dataset)")
    if missing:
        raise DataError(
            f"{name}: no column {', '.join(missing)}. The columns are "
            f"{', '.join(COLUMNS)}; all but system, split, value and one of task and "
            "dataset may be left out."
        )


def _row(fields: Mapping[str | None, str | None], where: str) -> PublishedResult:
    if None in fields or None in fields.values():
        raise DataError(f"{where}: the line has not as many fields as the header.")
    row = {str(key): str(value).strip() for key, value in fields.items()}
    for column in _NEEDED:
        if not row[column]:
            raise DataError(f"{where}: the column {column!r} is empty.")
    if not row.get("task") and not row.get("dataset"):
        raise DataError(f"{where}: one of the columns 'task' and 'dataset' is needed.")
    scale = row.get("scale") or "1"
    if scale not in {"1", "100"}:
        raise DataError(
            f"{where}: scale is {scale!r}; it must be 1, or 100 where percents are "
            "printed."
        )
    value = _number(row["value"], where)
    n = row.get("n", "")
    if n and not (n.isascii() and n.isdigit() and int(n)):
        raise DataError(f"{where}: n is {n!r}; it must be a number of texts.")
    cite, table = row.get("cite", ""), row.get("table", "")
    label = _labels().get(cite, cite)
    return PublishedResult(
        system=row["system"],
        task=row.get("task", ""),
        signature=row.get("signature", ""),
        split=row["split"],
        # Decimal: 67.65 % is the float 0.6765, which a division of floats may miss.
        score=float(value / int(scale)),
        source=", ".join(part for part in (label, table) if part),
        note=row.get("note", ""),
        version=row.get("version", ""),
        cite=cite,
        table=table,
        dataset=row.get("dataset", ""),
        language=row.get("language", ""),
        metric=row.get("metric", ""),
        value=float(value),
        scale=int(scale),
        n=int(n) if n else None,
    )


def _number(text: str, where: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not (value.is_finite() and math.isfinite(float(value))):
        hint = " Write decimals with a point." if "," in text else ""
        raise DataError(f"{where}: value is {text!r}; expected a number.{hint}")
    return value


def render(rows: Iterable[PublishedResult]) -> str:
    """Return rows as CSV text with LF line ends."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        value = row.score * row.scale if row.value is None else row.value
        fields = {
            **{key: getattr(row, key) for key in COLUMNS if key != "value"},
            "value": repr(float(value)).removesuffix(".0"),
            "n": "" if row.n is None else row.n,
        }
        writer.writerow([fields[column] for column in COLUMNS])
    return file.getvalue()
