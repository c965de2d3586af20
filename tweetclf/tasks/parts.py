"""Files, folders and saved datasets as the tables of train, dev and test."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.tasks.tables import SUFFIXES, Table, is_hf_dataset, read_hf, read_table

__all__ = ["by_split_column", "find_parts", "split_column", "stem_of"]

_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
}


def find_parts(
    path: Path, encoding: str, quoting: bool | None
) -> tuple[dict[str, Table], bool]:
    """Return the tables of the parts, and whether it is one undivided table."""
    if path.is_dir() and is_hf_dataset(path):
        tables = read_hf(path)
        if "" not in tables:
            return _canonical(path, tables), False
        return {"train": tables[""]}, True
    if path.is_dir():
        files: dict[str, Path] = {}
        for file in sorted(path.iterdir()):
            stem, suffix = stem_of(file)
            if suffix in SUFFIXES and stem.casefold() in _SPLIT_NAMES:
                if stem in files:
                    raise DataError(
                        f"{path} has both {files[stem].name} and {file.name}. Keep one."
                    )
                files[stem] = file
        if not files:
            found = ", ".join(sorted(f.name for f in path.iterdir())[:10])
            raise DataError(
                f"{path} has no file called train with one of the suffixes "
                f"{', '.join(SUFFIXES)}; it holds {found or 'nothing'}."
            )
        tables = {
            stem: read_table(file, encoding=encoding, quoting=quoting)
            for stem, file in files.items()
        }
        named = _canonical(path, tables)
        left = _left_out(path, files.values())
        named["train"] = replace(named["train"], notes=(*named["train"].notes, *left))
        return named, False
    if not path.exists():
        raise DataError(f"There is no file or folder at {path}.")
    return {"train": read_table(path, encoding=encoding, quoting=quoting)}, True


def _left_out(path: Path, read: Collection[Path]) -> list[str]:
    """Return a note on files that look like data and are not read."""
    left = [
        file.name
        for file in sorted(path.iterdir())
        if file.is_file()
        and file not in read
        and (
            stem_of(file)[1] in SUFFIXES or stem_of(file)[0].casefold() in _SPLIT_NAMES
        )
    ]
    if not left:
        return []
    more = f" and {len(left) - 10} more" if len(left) > 10 else ""
    return [
        f"Not read: {', '.join(left[:10])}{more}. Of a folder, files called "
        f"{', '.join(_SPLIT_NAMES)} are read, with the suffixes {', '.join(SUFFIXES)}."
    ]


def stem_of(path: Path) -> tuple[str, str]:
    """Return the name without suffixes, and the suffix without .gz."""
    plain = Path(path.name.removesuffix(".gz"))
    return plain.stem, plain.suffix.lower()


def _canonical(path: Path, tables: Mapping[str, Table]) -> dict[str, Table]:
    named: dict[str, Table] = {}
    for name, table in tables.items():
        split = _SPLIT_NAMES.get(name.casefold(), name)
        if split in named:
            raise DataError(f"{path} has more than one {split} part. Keep one.")
        named[split] = table
    if "train" not in named:
        raise DataError(
            f"{path} has no train part; it has {', '.join(tables)}. Rename one."
        )
    return named


def split_column(table: Table, used: Collection[str]) -> str | None:
    """Return the column called "split" in any case, unless it is used otherwise."""
    found = [
        name
        for name in table.columns
        if name.strip().casefold() == "split" and name not in used
    ]
    if len(found) > 1:
        raise DataError(
            f"{table.path} has the columns {', '.join(map(repr, found))}, and only one "
            "can name the splits. Rename the others."
        )
    return found[0] if found else None


def by_split_column(table: Table, column: str) -> dict[str, Table]:
    """Return the parts that the values of a column name.

    A value that names no split is refused: taking such a table as undivided would
    put rows that are meant for test into train.
    """
    rows: dict[str, list[int]] = {}
    for row, value in enumerate(table.columns[column]):
        rows.setdefault(_split_name(table, column, row, value), []).append(row)
    if "train" not in rows:
        raise DataError(
            f"{table.path}: no row is of the split train; column {column!r} names "
            f"{', '.join(rows)} only."
        )
    return {
        name: Table(
            path=table.path,
            columns={c: [v[i] for i in part] for c, v in table.columns.items()},
            lines=None if table.lines is None else [table.lines[i] for i in part],
            class_names=table.class_names,
        )
        for name, part in rows.items()
    }


def _split_name(table: Table, column: str, row: int, value: Any) -> str:
    name = value.strip().casefold() if isinstance(value, str) else None
    if name not in _SPLIT_NAMES:
        raise DataError(
            f"{table.place(row)}: the split (column {column!r}) is {value!r}; known "
            f"are {', '.join(_SPLIT_NAMES)}. Mend the value, drop the row, or rename "
            "the column if it does not name splits."
        )
    return _SPLIT_NAMES[name]
