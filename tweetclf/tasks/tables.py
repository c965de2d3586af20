"""Tables of the user's own: CSV, TSV, JSON Lines, Parquet, Hugging Face on disk."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.tasks.jsonlines import decode, read_bytes, read_jsonl
from tweetclf.utils.optional import import_optional
from tweetclf.utils.registry import suggest

__all__ = ["MISSING", "SUFFIXES", "Table", "is_hf_dataset", "read_hf", "read_table"]

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
_DELIMITERS = ",;\t|"


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
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix in {".jsonl", ".ndjson"}:
        table = _from_jsonl(path, encoding)
    elif suffix in {".csv", ".tsv"}:
        text = decode(read_bytes(path), path, encoding)
        table = _from_text(path, text, suffix == ".tsv", quoting)
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


def _from_text(path: Path, text: str, tabs: bool, quoting: bool | None) -> Table:
    if (at := text.find("\0")) >= 0:
        raise DataError(
            f"{path}, line {text.count(chr(10), 0, at) + 1}: a NUL character, which "
            "text files do not hold. Is the file UTF-16 (pass encoding='utf-16') or "
            "damaged? Remove the character."
        )
    if not text.strip():
        raise DataError(f"{path} is empty.")
    delimiter = "\t" if tabs else _sniff(text)
    notes = (
        ()
        if tabs or delimiter == ","
        else (f"Columns are separated by {delimiter!r}.",)
    )
    if quoting is not None or not tabs:
        return _parse(path, text, delimiter, quoting is not False, notes)
    try:
        return _parse(path, text, delimiter, True, notes)
    except DataError:
        # Tweets in TSV files are mostly written as they are, quotes included.
        table = _parse(path, text, delimiter, False, notes)
    return Table(
        path,
        table.columns,
        table.lines,
        (*table.notes, "Quotation marks are read as part of the fields."),
    )


def _sniff(text: str) -> str:
    header = text.lstrip("\r\n").split("\n", 1)[0]
    best = max(_DELIMITERS, key=header.count)
    return best if header.count(best) else ","


def _parse(
    path: Path, text: str, delimiter: str, quoted: bool, notes: tuple[str, ...]
) -> Table:
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    header: list[str] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    start = 1
    try:
        for row in reader:
            if row and not header:
                header = _header(path, row)
            elif row:
                if len(row) != len(header):
                    raise DataError(
                        f"{path}, line {start}: {len(row)} fields, but the header has "
                        f"{len(header)} ({', '.join(header)}). A text that holds "
                        f"{delimiter!r} or a line break must be in quotation marks."
                    )
                rows.append(row)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path}, line {start}: {error}. Quotation marks inside a quoted text must "
            "be doubled and every one closed; pass quoting=False if they are part of "
            "the texts."
        ) from error
    columns = dict(zip(header, map(list, zip(*rows, strict=True)), strict=False))
    return Table(path, columns, lines, notes)


def _header(path: Path, row: list[str]) -> list[str]:
    names = [name.strip() or f"column_{i}" for i, name in enumerate(row, start=1)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(
            f"{path}, line 1: the header has {repeated[0]!r} more than once. Rename "
            "one of the columns."
        )
    return names


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
        content = json.loads(decode(read_bytes(path), path))
    except json.JSONDecodeError as error:
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
