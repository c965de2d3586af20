"""Tables of the user's own: CSV, TSV, JSON Lines, Parquet, Hugging Face on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.tasks.lines import read_lines, suffix_of
from tweetclf.tasks.rows import (
    JSON_SUFFIXES,
    TABLE_SUFFIXES,
    read_jsonl,
    read_table_rows,
)
from tweetclf.utils.optional import import_optional
from tweetclf.utils.registry import suggest

__all__ = ["MISSING", "SUFFIXES", "Table", "is_hf_dataset", "read_hf", "read_table"]

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


class _Missing:
    """A field that a JSON object does not have."""

    def __repr__(self) -> str:
        return "missing"


MISSING = _Missing()


@dataclass(frozen=True)
class Table:
    """Columns of one file, with what is needed to name a place in it."""

    path: Path
    columns: Mapping[str, Sequence[Any]]
    lines: Sequence[int] | None = None
    notes: tuple[str, ...] = ()
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def place(self, row: int) -> str:
        """Return "file, line 17" of a row."""
        if self.lines is None:
            return f"{self.path}, row {row}"
        return f"{self.path}, line {self.lines[row]}"

    def column(self, name: str, argument: str) -> Sequence[Any]:
        """Return a column, or say which columns there are."""
        if name not in self.columns:
            folded = [c for c in self.columns if c.casefold() == name.casefold()]
            near = folded or suggest(name, self.columns)
            hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise DataError(
                f"{self.path}: there is no column {name!r} ({argument}=...). The "
                f"columns are {', '.join(map(repr, self.columns))}.{hint}"
            )
        return self.columns[name]


def read_table(
    path: Path, *, encoding: str = "utf-8", quoting: bool | None = None
) -> Table:
    """Read a table by the suffix of its file."""
    suffix = suffix_of(path)
    if suffix in JSON_SUFFIXES:
        table = _from_jsonl(path, encoding)
    elif suffix in TABLE_SUFFIXES:
        table = _from_text(path, encoding, suffix == ".tsv", quoting)
    elif suffix == ".parquet":
        table = _from_parquet(path)
    else:
        raise DataError(
            f"{path}: files of the kind {suffix or 'without suffix'!r} are not read. "
            f"Rename or convert it; known are {', '.join(SUFFIXES)}, the text formats "
            "also with .gz."
        )
    if len(table) == 0:
        raise DataError(f"{path} has no rows.")
    return table


# -- JSON Lines -------------------------------------------------------------------


def _from_jsonl(path: Path, encoding: str) -> Table:
    rows = read_jsonl(path, encoding)
    names = dict.fromkeys(name for _, row in rows for name in row)
    return Table(
        path=path,
        columns={name: [row.get(name, MISSING) for _, row in rows] for name in names},
        lines=[line for line, _ in rows],
    )


# -- CSV and TSV ------------------------------------------------------------------


def _from_text(path: Path, encoding: str, tabs: bool, quoting: bool | None) -> Table:
    delimiter = "\t" if tabs else None
    if quoting is not None or not tabs:
        return _parse(path, encoding, delimiter, quoting is not False)
    try:
        return _parse(path, encoding, delimiter, True)
    except DataError:
        # Tweets in TSV files are mostly written as they are, quotes included.
        table = _parse(path, encoding, delimiter, False)
    note = "Quotation marks are read as part of the fields."
    return replace(table, notes=(*table.notes, note))


def _parse(path: Path, encoding: str, delimiter: str | None, quoted: bool) -> Table:
    header, records = read_table_rows(
        read_lines(path, encoding=encoding, table=True),
        str(path),
        delimiter=delimiter,
        quoted=quoted,
    )
    lines: list[int] = []
    rows: list[list[str]] = []
    for line, fields in records:
        lines.append(line)
        rows.append(fields)
    usual = header.delimiter in {",", delimiter}
    notes = () if usual else (f"Columns are separated by {header.delimiter!r}.",)
    columns = dict(zip(header.names, map(list, zip(*rows, strict=True)), strict=False))
    return Table(path, columns, lines, notes)


# -- Parquet and Arrow ------------------------------------------------------------


def _from_parquet(path: Path) -> Table:
    parquet = import_optional(
        "pyarrow.parquet", extra="tables", caller="Reading Parquet"
    )
    arrow = import_optional("pyarrow", extra="tables", caller="Reading Parquet")
    try:
        table = parquet.read_table(path)
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is no Parquet file or damaged: {error}") from error
    return Table(path, {name: table[name].to_pylist() for name in table.column_names})


def is_hf_dataset(path: Path) -> bool:
    """Tell whether a folder was written by ``save_to_disk``."""
    return (path / "dataset_dict.json").is_file() or (path / "state.json").is_file()


def read_hf(path: Path) -> dict[str, Table]:
    """Read a dataset saved by Hugging Face ``save_to_disk``, without its package.

    Returns
    -------
    dict of str to Table
        One table a split; a dataset that has no splits is called "".
    """
    if (path / "dataset_dict.json").is_file():
        splits = _json(path / "dataset_dict.json").get("splits", [])
        unsafe = [s for s in splits if Path(s).name != s or s in {".", ".."}]
        if unsafe:
            raise DataError(f"{path}: {unsafe[0]!r} is not the name of a split.")
        return {name: _hf_split(path / name) for name in splits}
    return {"": _hf_split(path)}


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads("".join(read_lines(path)))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no valid JSON: {error}.") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a JSON object.")
    return content


def _hf_split(path: Path) -> Table:
    arrow = import_optional("pyarrow", extra="tables", caller="Reading Arrow files")
    state = _json(path / "state.json")
    if state.get("_indices_data_files"):
        raise DataError(
            f"{path} holds a selection over its rows. Call flatten_indices() on the "
            "dataset before save_to_disk()."
        )
    columns: dict[str, list[Any]] = {}
    for entry in state.get("_data_files", []):
        file = path / Path(entry["filename"]).name
        try:
            with arrow.memory_map(str(file)) as source:
                table = arrow.ipc.open_stream(source).read_all()
        except (arrow.ArrowException, OSError) as error:
            raise DataError(f"{file} is no Arrow file or damaged: {error}") from error
        for name in table.column_names:
            columns.setdefault(name, []).extend(table[name].to_pylist())
    info = path / "dataset_info.json"
    features = _json(info).get("features") or {} if info.is_file() else {}
    names = {
        column: found
        for column, feature in features.items()
        if (found := _class_names(feature)) is not None
    }
    table_ = Table(path, columns, None, (), names)
    if len(table_) == 0:
        raise DataError(f"{path} has no rows.")
    return table_


def _class_names(feature: Any) -> list[str] | None:
    """Return the names of a ClassLabel, or of a list of them."""
    if isinstance(feature, list) and len(feature) == 1:
        return _class_names(feature[0])
    if not isinstance(feature, dict):
        return None
    if feature.get("_type") == "ClassLabel":
        return list(feature.get("names") or [])
    return _class_names(feature.get("feature"))
