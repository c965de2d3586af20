"""Files, folders and saved datasets as the tables of train, dev and test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tweetclf.exceptions import DataError
from tweetclf.tasks.tables import SUFFIXES, Table, is_hf_dataset, read_hf, read_table

__all__ = ["by_split_column", "find_parts", "stem_of"]

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
        return _canonical(path, tables), False
    if not path.exists():
        raise DataError(f"There is no file or folder at {path}.")
    return {"train": read_table(path, encoding=encoding, quoting=quoting)}, True


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


def by_split_column(table: Table) -> dict[str, Table] | None:
    """Return the parts that a column "split" names, if there is one."""
    values = table.columns.get("split")
    if values is None or not all(
        isinstance(v, str) and v.casefold() in _SPLIT_NAMES for v in values
    ):
        return None
    rows: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        rows.setdefault(_SPLIT_NAMES[value.casefold()], []).append(row)
    if "train" not in rows:
        return None
    return {
        name: Table(
            path=table.path,
            columns={c: [v[i] for i in part] for c, v in table.columns.items()},
            lines=None if table.lines is None else [table.lines[i] for i in part],
            class_names=table.class_names,
        )
        for name, part in rows.items()
    }
