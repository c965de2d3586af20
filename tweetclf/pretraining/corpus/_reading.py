"""Rows of the sources of a corpus, one by one; bad ones are counted and passed by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from tweetclf.exceptions import DataError, UnknownNameError
from tweetclf.pretraining.corpus.plan import CorpusSource
from tweetclf.tasks.columns import find_text
from tweetclf.tasks.lines import suffix_of
from tweetclf.tasks.locations import data_folder
from tweetclf.tasks.registry import corpus_info
from tweetclf.tasks.rows import JSON_SUFFIXES, TABLE_SUFFIXES, read_fields
from tweetclf.utils.optional import import_optional

__all__ = ["BadRows", "Located", "Row", "locate", "read_rows"]

_EXAMPLES = 20
_ARROW_ROWS = 10_000


class Row(NamedTuple):
    """What a row says."""

    text: str
    reply: str | None
    id: str | None
    parent: str | None
    author: str | None
    language: str | None
    conversation: str | None


@dataclass
class BadRows:
    """How many rows of a file could not be read, and why the first could not."""

    path: Path
    n: int = 0
    examples: list[str] = field(default_factory=list)

    def __call__(self, line: int, fault: DataError | str) -> None:
        """Count a bad row."""
        self.n += 1
        if len(self.examples) < _EXAMPLES:
            # The place stands before it already.
            said = " ".join(str(fault).split())
            said = said.removeprefix(f"{self.path}, line {line}").lstrip(":, ")
            self.examples.append(f"line {line}: {said:.300}")


@dataclass(frozen=True)
class Located:
    """A source, and where it lies.

    Parameters
    ----------
    source : CorpusSource
        With the columns that are known of a registered corpus.
    path : Path
        The file.
    language : str or None
        Language of all its rows, where that is registered.
    """

    source: CorpusSource
    path: Path
    language: str | None = None


def locate(source: CorpusSource, data_dir: Any) -> Located:
    """Return where a source lies.

    Raises
    ------
    UnknownNameError
        If it is neither a file nor the name of a corpus.
    DataError
        If the file of a registered corpus is not there.
    """
    path = Path(source.path).expanduser()
    try:
        info = corpus_info(source.path)
    except UnknownNameError as error:
        if not path.is_file():
            raise UnknownNameError(f"{error} There is no file {path} either.") from None
        return Located(source, path)
    path = data_folder(data_dir) / info.folder / info.file
    if not path.is_file():
        raise DataError(
            f"The corpus {info.name!r} is not there: looked for {path}. Its source is "
            f"{info.source}. Another data folder is named by data_dir=..., --data-dir "
            "or the environment variable TWEETCLF_DATA."
        )
    known = replace(
        source, text=source.text or "text", reply=source.reply or info.text_b
    )
    return Located(known, path, info.language)


def read_rows(located: Located, bad: BadRows) -> Iterator[Row]:
    """Yield the rows of a source that can be read.

    Parameters
    ----------
    located : Located
        The source.
    bad : BadRows
        Told of those that cannot.

    Yields
    ------
    Row
        A row whose text, and reply where that has a column, are texts.

    Raises
    ------
    DataError
        If the file as a whole cannot be read, or lacks a column.
    """
    source = located.source
    text = source.text
    for line, fields in _fields(located, bad):
        # The columns of the first row are taken for those of all.
        text = text or find_text(list(fields), None, str(located.path))
        values = [_value(fields, text), *(_value(fields, c) for c in _others(source))]
        wanted = 1 if source.reply is None else 2
        faulty = [v for v in values[:wanted] if not _is_text(v)]
        if faulty:
            bad(line, f"expected a text, found {faulty[0]!a:.80}.")
            continue
        row = Row(values[0], values[1], *map(_plain, values[2:]))
        yield row if row.language else row._replace(language=located.language)


def _is_text(value: Any) -> bool:
    """Tell whether a value is a text, of which half a surrogate pair is no part."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _others(source: CorpusSource) -> tuple[str | None, ...]:
    return (
        source.reply,
        source.id,
        source.parent,
        source.author,
        source.language,
        source.conversation,
    )


def _value(fields: Mapping[str, Any], column: str | None) -> Any:
    """Return ``fields["a.b"]``, or else ``fields["a"]["b"]``."""
    if column is None or column in fields or "." not in column:
        return None if column is None else fields.get(column)
    value: Any = fields
    for step in column.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _plain(value: Any) -> str | None:
    """Return an id, a name or a tag as text; None for what stands for nothing."""
    if value is None or value == "" or value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        # A column of ids with gaps was read as numbers by what wrote it.
        value = int(value)
    return str(value)


def _fields(located: Located, bad: BadRows) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the number of each line or row, and its fields."""
    source, path = located.source, located.path
    suffix = suffix_of(path)
    if suffix == ".parquet":
        yield from _arrow_rows(source, path)
        return
    quoted = suffix == ".csv" if source.quoted is None else source.quoted
    names, rows = read_fields(
        path,
        columns=source.columns,
        encoding=source.encoding,
        quoted=quoted,
        bad=bad,
    )
    if names is not None:
        _check_columns(source, names, path)
    if suffix in TABLE_SUFFIXES | JSON_SUFFIXES:
        yield from rows
    else:
        yield from (row for row in rows if row[1]["text"].strip())


def _check_columns(source: CorpusSource, names: Any, path: Path) -> None:
    for column in source.columns:
        find_text(list(names), column, str(path))


def _arrow_rows(
    source: CorpusSource, path: Path
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    parquet = import_optional(
        "pyarrow.parquet", extra="tables", caller="Reading Parquet"
    )
    arrow = import_optional("pyarrow", extra="tables", caller="Reading Parquet")
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            _check_columns(source, names, path)
            text = find_text(names, source.text, str(path))
            columns = sorted({text, *source.columns})
            for batch in file.iter_batches(_ARROW_ROWS, columns=columns):
                for fields in batch.to_pylist():
                    number += 1
                    yield number, fields
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is no Parquet file or damaged: {error}") from error
