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
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.social._shapes import Shapes
from tweetclf.social._values import as_id, as_number, as_seconds, is_text
from tweetclf.tasks.lines import open_binary, open_text, suffix_of
from tweetclf.tasks.rows import JSON_SUFFIXES
from tweetclf.utils.optional import import_optional
from tweetclf.utils.registry import suggest

__all__ = ["ROLES", "BadRows", "BadRowsError", "Columns", "Rows", "read_rows"]

ROLES = ("user", "post", "action", "weight", "time")
_NAMES = {
    "user": ("user", "user_id", "userid", "author_id"),
    "post": ("post", "post_id", "tweet", "tweet_id", "tweetid", "status_id", "item"),
    "action": ("action", "type", "engagement", "relation"),
    "weight": ("weight",),
    "time": ("time", "timestamp", "created_at"),
}
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_KEPT = 20
_BATCH = 1 << 16
Field = tuple[Any, ...]
Columns = Mapping[str, str | int | None]
"""Role -> name of its column, position without a header, or None: leave it out."""


class _Absent:
    """What a row has in place of a field that is not there: JSON has null, too."""


_ABSENT = _Absent()


class BadRowsError(DataError):
    """More rows cannot be used than the caller allows."""


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

    def add(self, place: str, reason: str, value: Any = _ABSENT) -> None:
        """Count a row; refuse the input where there are too many.

        Raises
        ------
        BadRowsError
            If there are more than the limit.
        """
        self.reasons[reason] += 1
        if len(self.examples) < _KEPT:
            shown = "" if value is _ABSENT else f" ({_short(value)})"
            self.examples.append(f"{place}: {reason}{shown}")
        if self.limit is not None and self.total > self.limit:
            raise BadRowsError(
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


@dataclass
class _Source:
    """A file that is read: its rows, and what is known of its columns.

    Parameters
    ----------
    fields : iterator of (int, tuple)
        Number of each row, and its fields in the order of ROLES.
    roles : collection of str
        Which columns there are; of JSON Lines, which there were so far.
    check : callable
        Refuses columns that are needed and were in no row that was read.
    """

    fields: Iterator[tuple[int, Field]]
    roles: Collection[str]
    check: Callable[[], None] = lambda: None


def read_rows(
    path: Path,
    *,
    columns: Columns | None,
    default_action: str,
    bad: BadRows,
    block: int,
) -> Iterator[tuple[Rows, frozenset[str]]]:
    """Yield the good rows of a file in blocks, and which of the roles it has.

    Parameters
    ----------
    path : Path
        CSV, TSV, JSON Lines (all also ``.gz``) or Parquet.
    columns : mapping of str to str, int or None, optional
        Role ("user", "post", "action", "weight", "time") -> name of the column, or
        its position where the file has no header, or None, which leaves it out.
    default_action : str
        Action of the rows without such a column.
    bad : BadRows
        Where the others are counted.
    block : int
        Most rows of a block.

    Yields
    ------
    rows : Rows
        As many rows as `block` says, the last time fewer. Each row of JSON Lines has
        fields of its own: one without a weight weighs 1, one without a time has NaN.
    roles : frozenset of str
        Which columns the file has, so far.

    Raises
    ------
    DataError
        If the file cannot be read, a column is missing, or too many rows are bad.
    """
    source = _open(path, columns, bad)
    try:
        yield from _blocks(path, source, default_action, bad, block)
    except BadRowsError:
        # A column that no row has is why so many are bad.
        source.check()
        raise
    source.check()


def _blocks(
    path: Path, source: _Source, default_action: str, bad: BadRows, block: int
) -> Iterator[tuple[Rows, frozenset[str]]]:
    rows = Rows()
    n_free = block
    for number, (user_id, post_id, action, weight, time) in source.fields:
        reason, value = "", None
        user, post = as_id(user_id), as_id(post_id)
        if user is None:
            reason, value = "no usable user id", user_id
        elif post is None:
            reason, value = "no usable post id", post_id
        elif action is _ABSENT:
            action = default_action
        elif (name := as_id(action)) is None:
            reason, value = "no usable action", action
        else:
            action = name
        if weight is _ABSENT:
            weight = 1.0
        elif not reason:
            weight, value = as_number(weight), weight
            if not weight > 0 or weight == math.inf:
                reason = "the weight is not a number above 0"
        if time is _ABSENT:
            time = math.nan
        elif not reason:
            time, value = as_seconds(time), time
            if time is None:
                reason = "the time is neither seconds, ISO 8601 nor Twitter's"
        if reason or user is None or post is None:
            bad.add(_place(path, number), reason, value)
            continue
        rows.users.append(user)
        rows.posts.append(post)
        rows.actions.append(action)
        rows.weights.append(weight)
        rows.times.append(time)
        n_free -= 1
        if not n_free:
            yield rows, frozenset(source.roles)
            rows, n_free = Rows(), block
    yield rows, frozenset(source.roles)


def _place(path: Path, number: int) -> str:
    return f"{path}, {'row' if path.suffix == '.parquet' else 'line'} {number}"


def _open(path: Path, columns: Columns | None, bad: BadRows) -> _Source:
    """Open a file by its suffix."""
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


def _match(names: Sequence[str], columns: Columns | None) -> dict[str, str]:
    """Return the column of each role that has one, named or guessed."""
    given = columns or {}
    folded = {name.strip().lower(): name for name in reversed(names)}
    found = {}
    for role in ROLES:
        if role not in given:
            known = next((name for name in _NAMES[role] if name in folded), None)
            if known is not None:
                found[role] = folded[known]
        elif given[role] in names:
            found[role] = str(given[role])
    return found


def _refuse_missing(
    found: Collection[str], names: Sequence[str], columns: Columns | None, path: Path
) -> None:
    """Refuse columns that are named or needed, and not found among these."""
    for role in ROLES:
        given = (columns or {}).get(role)
        if role in found or (given is None and role not in ("user", "post")):
            continue
        said = ", ".join(map(repr, names))
        if given is not None:
            near = suggest(str(given), names)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise DataError(
                f"{path}: there is no column {given!r} for the {role}s; the columns "
                f"are {said}.{hint}"
            )
        raise DataError(
            f"{path}: no column is called {', '.join(_NAMES[role])}; the columns "
            f"are {said}. Name it: columns={{{role!r}: ...}} (--{role} COLUMN)."
        )


def _find(names: Sequence[str], columns: Columns | None, path: Path) -> dict[str, int]:
    """Return the position of each role's column."""
    found = _match(names, columns)
    _refuse_missing(found, names, columns, path)
    return {role: names.index(name) for role, name in found.items()}


def _lines(path: Path, bad: BadRows) -> Iterator[tuple[int, str]]:
    """Yield numbered lines without their ends; blank and undecodable ones are not."""
    with open_binary(path) as file, open_text(file, str(path)) as text:
        number = 0
        try:
            for number, line in enumerate(text, start=1):
                line = line.rstrip("\r\n")
                if not line.isascii() and not is_text(line):
                    bad.add(_place(path, number), "bytes that are not UTF-8")
                elif line and not line.isspace():
                    yield number, line
        except (OSError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                f"{path} is damaged after line {number}: {error}. Get it again."
            ) from error


def _positions(columns: Columns | None) -> dict[str, int] | None:
    """Return the positions that columns are named by, if they are."""
    given = {role: at for role, at in (columns or {}).items() if at is not None}
    places = {role: at for role, at in given.items() if isinstance(at, int)}
    if not places:
        return None
    if len(places) < len(given):
        raise DataError(
            "columns: give positions for all columns (a file without a header) or "
            f"names for all. Got {given!r}."
        )
    if not {"user", "post"} <= places.keys():
        raise DataError("columns: positions must be given for user and post.")
    if min(places.values()) < 0:
        raise DataError(f"columns: positions count from 0 on. Got {places!r} instead.")
    return places


def _table(
    path: Path, delimiter: str, columns: Columns | None, bad: BadRows
) -> _Source:
    lines = _lines(path, bad)
    places = _positions(columns)
    if places is not None:
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
            yield number, pick([*parts, _ABSENT])

    return _Source(fields(), places)


def _split(line: str, delimiter: str) -> list[str] | None:
    """Return the fields of a line; None where quotation marks do not match."""
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return None


def _json(path: Path, columns: Columns | None, bad: BadRows) -> _Source:
    roles: set[str] = set()

    def find(names: tuple[str, ...]) -> tuple[str | None, ...]:
        found = _match(names, columns)
        roles.update(found)
        return tuple(found.get(role) for role in ROLES)

    shapes = Shapes(find)

    def check() -> None:
        if shapes.names:
            _refuse_missing(roles, list(shapes.names), columns, path)

    def fields() -> Iterator[tuple[int, Field]]:
        n_found = 0
        for number, line in _lines(path, bad):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            if not isinstance(record, dict):
                bad.add(_place(path, number), "no JSON object", line)
                continue
            n_found += 1
            # No field is called None: what has no column is absent.
            user, post, action, weight, time = shapes.of(record)
            get = record.get
            yield (
                number,
                (
                    get(user, _ABSENT),
                    get(post, _ABSENT),
                    get(action, _ABSENT),
                    get(weight, _ABSENT),
                    get(time, _ABSENT),
                ),
            )
        if not n_found:
            raise DataError(f"{path} holds no JSON object; expected one a line.")

    return _Source(fields(), roles, check)


def _parquet(path: Path, columns: Columns | None) -> _Source:
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
                nothing = [_ABSENT] * batch.num_rows
                taken = {
                    role: batch[names[at]].to_pylist() for role, at in places.items()
                }
                for row in zip(*(taken.get(r, nothing) for r in ROLES), strict=True):
                    number += 1
                    yield number, row
        except (arrow.ArrowException, OSError) as error:
            raise DataError(f"{path}, row {number + 1}: damaged: {error}") from error

    return _Source(fields(), places)
