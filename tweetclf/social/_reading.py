"""Rows of engagement logs, read one by one from files of any size.

A log of a thousand million rows has bad ones. They are counted, the first of them kept
with file and line, and reading ends only where there are more than the caller allows.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.tasks.lines import open_binary, open_text, suffix_of
from tweetclf.tasks.rows import JSON_SUFFIXES
from tweetclf.utils.optional import import_optional
from tweetclf.utils.registry import suggest

__all__ = ["ROLES", "BadRows", "Rows", "read_rows"]

ROLES = ("user", "post", "action", "weight", "time")
_NAMES = {
    "user": ("user", "user_id", "userid", "author_id"),
    "post": ("post", "post_id", "tweet", "tweet_id", "tweetid", "status_id", "item"),
    "action": ("action", "type", "engagement", "relation"),
    "weight": ("weight",),
    "time": ("time", "timestamp", "created_at"),
}
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
# Longer ones are no ids: a quotation mark was never closed, or texts were taken.
_LONGEST = 256
_KEPT = 20
_BATCH = 1 << 16

Field = tuple[Any, ...]


@dataclass
class BadRows:
    """Rows that could not be used: how many, why, and where the first are.

    Parameters
    ----------
    limit : int or None
        With more than these reading ends; None: never.
    reasons : Counter of str
        Reason -> rows.
    examples : list of str
        The first twenty, with file, line and value.
    """

    limit: int | None = None
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many there are."""
        return self.reasons.total()

    def add(self, place: str, reason: str, value: Any = None) -> None:
        """Count a row; refuse the input where there are too many.

        Raises
        ------
        DataError
            If there are more than the limit.
        """
        self.reasons[reason] += 1
        if len(self.examples) < _KEPT:
            shown = "" if value is None else f" ({_short(value)})"
            self.examples.append(f"{place}: {reason}{shown}")
        if self.limit is not None and self.total > self.limit:
            raise DataError(
                f"{self.total:,} bad rows, more than max_bad_rows={self.limit}. The "
                f"first: {'; '.join(self.examples[:3])}. Mend the files, name the "
                "columns, or allow more."
            )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@dataclass
class Rows:
    """A block of rows, column by column."""

    users: list[str] = field(default_factory=list)
    posts: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.users)


def read_rows(
    path: Path,
    *,
    columns: Mapping[str, str | int] | None,
    default_action: str,
    bad: BadRows,
    block: int,
) -> Iterator[tuple[Rows, frozenset[str]]]:
    """Yield the good rows of a file in blocks, and which of the roles it has.

    Parameters
    ----------
    path : Path
        CSV, TSV, JSON Lines (all also ``.gz``) or Parquet.
    columns : mapping of str to str or int, optional
        Role ("user", "post", "action", "weight", "time") -> name of the column, or
        its position where the file has no header.
    default_action : str
        Action of the rows of a file without such a column.
    bad : BadRows
        Where the others are counted.
    block : int
        Most rows of a block.

    Yields
    ------
    rows : Rows
        As many rows as `block` says, the last time fewer.
    roles : frozenset of str
        Which columns the file has.

    Raises
    ------
    DataError
        If the file cannot be read, a column is missing, or too many rows are bad.
    """
    fields, roles = _open(path, columns, bad)
    has_action, has_weight, has_time = (role in roles for role in ROLES[2:])
    rows, known = Rows(), frozenset(roles)
    n_free = block
    for number, (user, post, action, weight, time) in fields:
        reason, value = None, None
        user, post = _as_id(user), _as_id(post)
        if user is None or post is None:
            reason = f"no usable {'user' if user is None else 'post'} id"
        elif not has_action:
            action = default_action
        elif (action := _as_id(action)) is None:
            reason = "no usable action"
        if has_weight and reason is None:
            weight, value = _number(weight), weight
            if not weight > 0 or weight == math.inf:
                reason = "the weight is not a number above 0"
        if has_time and reason is None:
            time, value = _seconds(time), time
            if not math.isfinite(time):
                reason = "the time is neither seconds nor ISO 8601"
        if reason is not None:
            bad.add(_place(path, number), reason, value)
            continue
        rows.users.append(user)
        rows.posts.append(post)
        rows.actions.append(action)
        rows.weights.append(weight if has_weight else 1.0)
        rows.times.append(time if has_time else math.nan)
        n_free -= 1
        if not n_free:
            yield rows, known
            rows, n_free = Rows(), block
    yield rows, known


def _place(path: Path, number: int) -> str:
    return f"{path}, {'row' if path.suffix == '.parquet' else 'line'} {number}"


def _as_id(value: Any) -> str | None:
    """Return an id as a text: JSON and Parquet may hold whole numbers."""
    if isinstance(value, str):
        value = value.strip()
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    else:
        return None
    if not 0 < len(value) <= _LONGEST:
        return None
    return value if value.isascii() or _is_text(value) else None


def _is_text(value: str) -> bool:
    """Tell whether an id has no half of a surrogate pair, which JSON can escape."""
    return not any("\ud800" <= c <= "\udfff" for c in value)


def _number(value: Any) -> float:
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _seconds(value: Any) -> float:
    """Return seconds since 1970; times without a zone are taken for UTC."""
    number = _number(value)
    if math.isfinite(number):
        return number
    try:
        when = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _open(
    path: Path, columns: Mapping[str, str | int] | None, bad: BadRows
) -> tuple[Iterator[tuple[int, Field]], Sequence[str]]:
    """Return numbered fields in the order of ROLES, and which of them there are."""
    suffix = suffix_of(path)
    if suffix in _DELIMITERS:
        return _table(path, _DELIMITERS[suffix], columns, bad)
    if suffix in JSON_SUFFIXES:
        return _json(path, columns, bad)
    if suffix == ".parquet":
        return _parquet(path, columns)
    raise DataError(
        f"{path}: engagements are read from .tsv, .csv, .jsonl, .ndjson (all also .gz) "
        "and .parquet files. Rename or convert it."
    )


def _find(
    names: Sequence[str], columns: Mapping[str, str | int] | None, path: Path
) -> dict[str, int]:
    """Return the position of each role's column."""
    given = dict(columns or {})
    found = {}
    for role in ROLES:
        if role in given:
            name = given[role]
            if name not in names:
                near = suggest(str(name), names)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise DataError(
                    f"{path}: there is no column {name!r} for the {role}s; the columns "
                    f"are {', '.join(map(repr, names))}.{hint}"
                )
            found[role] = names.index(str(name))
            continue
        lower = [name.strip().lower() for name in names]
        fitting = [lower.index(name) for name in _NAMES[role] if name in lower]
        if fitting:
            found[role] = fitting[0]
        elif role in ("user", "post"):
            raise DataError(
                f"{path}: no column is called {', '.join(_NAMES[role])}; the columns "
                f"are {', '.join(map(repr, names))}. Name it: "
                f"columns={{{role!r}: ...}} (--{role} COLUMN)."
            )
    return found


def _lines(path: Path, bad: BadRows) -> Iterator[tuple[int, str]]:
    """Yield numbered lines without their ends; blank and undecodable ones are not."""
    with open_binary(path) as file, open_text(file, str(path)) as text:
        number = 0
        try:
            for number, line in enumerate(text, start=1):
                line = line.rstrip("\r\n")
                if not line.isascii() and not _is_text(line):
                    bad.add(_place(path, number), "bytes that are not UTF-8")
                elif line and not line.isspace():
                    yield number, line
        except (OSError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                f"{path} is damaged after line {number}: {error}. Get it again."
            ) from error


def _table(
    path: Path, delimiter: str, columns: Mapping[str, str | int] | None, bad: BadRows
) -> tuple[Iterator[tuple[int, Field]], Sequence[str]]:
    lines = _lines(path, bad)
    positions = [v for v in (columns or {}).values() if isinstance(v, int)]
    if positions:
        if columns is None or len(positions) < len(columns):
            raise DataError(
                "columns: give positions for all columns (a file without a header) or "
                f"names for all. Got {dict(columns or {})!r}."
            )
        places = {role: int(columns[role]) for role in ROLES if role in columns}
        if not {"user", "post"} <= places.keys():
            raise DataError("columns: positions must be given for user and post.")
        if min(places.values()) < 0:
            raise DataError(
                f"columns: positions count from 0 on. Got {dict(columns)!r} instead."
            )
        least, exact = max(places.values()) + 1, None
    else:
        _, header = next(lines, (0, ""))
        if not header:
            raise DataError(f"{path} is empty; expected a header and rows.")
        names = [name.strip() for name in _split(header, delimiter) or ()]
        places = _find(names, columns, path)
        least = exact = len(names)

    def fields() -> Iterator[tuple[int, Field]]:
        # A role without a column gets what is put behind the last one.
        pick = itemgetter(*(places.get(role, -1) for role in ROLES))
        for number, line in lines:
            parts = _split(line, delimiter)
            n = -1 if parts is None else len(parts)
            if parts is None or n < least or (exact is not None and n != exact):
                said = f"{least} fields" if exact else f"at least {least} fields"
                bad.add(_place(path, number), f"not {said}", line)
                continue
            yield number, pick([*parts, None])

    return fields(), list(places)


def _split(line: str, delimiter: str) -> list[str] | None:
    """Return the fields of a line; None where quotation marks do not match."""
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return None


def _json(
    path: Path, columns: Mapping[str, str | int] | None, bad: BadRows
) -> tuple[Iterator[tuple[int, Field]], Sequence[str]]:
    lines = _lines(path, bad)

    def records() -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in lines:
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            if isinstance(record, dict):
                yield number, record
            else:
                bad.add(_place(path, number), "no JSON object", line)

    found = records()
    first = next(found, None)
    if first is None:
        raise DataError(f"{path} holds no JSON object; expected one a line.")
    # The columns of the first row are taken for those of all.
    names = list(first[1])
    places = _find(names, columns, path)
    keys = [names[places[role]] if role in places else None for role in ROLES]

    def fields() -> Iterator[tuple[int, Field]]:
        for number, record in _chain(first, found):
            yield number, tuple(None if k is None else record.get(k) for k in keys)

    return fields(), list(places)


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _parquet(
    path: Path, columns: Mapping[str, str | int] | None
) -> tuple[Iterator[tuple[int, Field]], Sequence[str]]:
    parquet = import_optional(
        "pyarrow.parquet", extra="tables", caller="Reading Parquet"
    )
    arrow = import_optional("pyarrow", extra="tables", caller="Reading Parquet")
    try:
        file = parquet.ParquetFile(path)
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is no Parquet file or damaged: {error}") from error
    names = list(file.schema_arrow.names)
    places = _find(names, columns, path)

    def fields() -> Iterator[tuple[int, Field]]:
        number = 0
        wanted = [names[at] for at in places.values()]
        try:
            for batch in file.iter_batches(batch_size=_BATCH, columns=wanted):
                nothing = [None] * batch.num_rows
                taken = {
                    role: batch[names[at]].to_pylist() for role, at in places.items()
                }
                for row in zip(*(taken.get(r, nothing) for r in ROLES), strict=True):
                    number += 1
                    yield number, row
        except (arrow.ArrowException, OSError) as error:
            raise DataError(f"{path}, row {number + 1}: damaged: {error}") from error

    return fields(), list(places)
