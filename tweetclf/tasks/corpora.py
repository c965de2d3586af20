"""Texts of a corpus, one after another: a file of any size, or what is registered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tweetclf.exceptions import DataError, UnknownNameError
from tweetclf.tasks.columns import find_text
from tweetclf.tasks.loading import load_corpus, load_task
from tweetclf.tasks.registry import corpus_info
from tweetclf.tasks.rows import read_fields

__all__ = ["TASK_PREFIX", "stream_corpus", "stream_texts"]

TASK_PREFIX = "task:"
"""Before the name of a task whose training split is meant."""


def stream_corpus(
    name_or_path: str, *, data_dir: Any = None, **reading: Any
) -> Iterator[Any]:
    """Yield the texts of a registered corpus, of a task's training split, or of a file.

    Parameters
    ----------
    name_or_path : str
        One of `list_corpora`, a file, or "task:" and one of `list_tasks`, of which the
        training split is read and no other.
    data_dir : path, optional
        Folder of the registered datasets, as in `load_task`.
    **reading
        Of `stream_texts`; for files only.

    Yields
    ------
    str or (str, str)
        A text or, of corpora and tasks of pairs, a pair.

    Raises
    ------
    UnknownNameError
        If the name is not registered and no file is there.
    DataError
        If the data are missing or cannot be read.
    """
    if name_or_path.startswith(TASK_PREFIX):
        task = load_task(name_or_path.removeprefix(TASK_PREFIX), data_dir=data_dir)
        yield from task.train.texts
        return
    path = Path(name_or_path).expanduser()
    try:
        corpus_info(name_or_path)
    except UnknownNameError as error:
        if not path.is_file():
            raise UnknownNameError(f"{error} There is no file {path} either.") from None
        yield from stream_texts(path, **reading)
        return
    yield from load_corpus(name_or_path, data_dir=data_dir).texts


def stream_texts(
    path: str | Path,
    *,
    text: str | None = None,
    encoding: str = "utf-8",
    quoted: bool = True,
) -> Iterator[str]:
    """Yield the texts of a file row by row, without holding it.

    Parameters
    ----------
    path : path
        A CSV, TSV or JSON Lines file; any other holds one text a line. All of them
        may be packed (``.gz``).
    text : str, optional
        Column of the texts; by default guessed by its name as `load_task` does, or
        the only one.
    encoding : str, default="utf-8"
        Encoding of the file.
    quoted : bool, default=True
        Whether quotation marks around the fields of a table are no part of them.

    Yields
    ------
    str
        A text.

    Raises
    ------
    DataError
        If a row cannot be read; the message names the line.
    """
    path = Path(path)
    names, rows = read_fields(
        path,
        columns=() if text is None else (text,),
        encoding=encoding,
        quoted=quoted,
    )
    column = None if names is None else find_text(names, text, str(path))
    for line, fields in rows:
        # The columns of the first row are taken for those of all.
        column = column or find_text(list(fields), text, str(path))
        value = fields.get(column)
        if not isinstance(value, str):
            raise DataError(
                f"{path}, line {line}: {column!r} is {value!r}; expected a text."
            )
        yield value
