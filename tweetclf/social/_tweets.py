"""Tweets with id and language from files of any size, read as often as need be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tweetclf.exceptions import DataError
from tweetclf.tasks.columns import find_text
from tweetclf.tasks.lines import suffix_of
from tweetclf.tasks.rows import JSON_SUFFIXES, TABLE_SUFFIXES, read_fields
from tweetclf.utils.registry import suggest

__all__ = ["Detector", "Tweet", "TweetFiles", "as_tweets", "language_of"]

Detector = Callable[[str], str]
"""Text -> code of its language."""

UNKNOWN = "und"
"""ISO 639-3: undetermined."""

_IDS = ("id", "tweet_id", "id_str", "tweetid", "tweet", "post_id", "post")
_LANGUAGES = ("lang", "language", "lang_code")


class Tweet(NamedTuple):
    """A tweet as builders of sets read it.

    Parameters
    ----------
    id, text : str
        Its id and its text.
    language : str or None
        Code of its language, where that is known.
    """

    id: str
    text: str
    language: str | None = None


def as_tweets(rows: Iterable[Any]) -> Iterator[Tweet]:
    """Yield tweets from tweets, or from tuples of id, text and perhaps language."""
    for row in rows:
        yield row if isinstance(row, Tweet) else Tweet(*row)


def language_of(tweet: Tweet, detect: Detector | None) -> str:
    """Return the language that a tweet names, else what is detected, else "und"."""
    if tweet.language:
        return tweet.language
    return detect(tweet.text) if detect is not None else UNKNOWN


class TweetFiles:
    """Tweets of CSV, TSV and JSON Lines files, read anew by every loop over them.

    Parameters
    ----------
    paths : sequence of path
        The files, plain or ``.gz``.
    text, id, language : str, optional
        Columns; by default guessed by name. Without a column of ids the id is the
        place, ``FILE:LINE``.
    encoding : str, default="utf-8"
        Encoding of the files.
    quoted : bool, default=True
        Whether quotation marks around the fields of a table are no part of them.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        text: str | None = None,
        id: str | None = None,
        language: str | None = None,
        encoding: str = "utf-8",
        quoted: bool = True,
    ) -> None:
        self.paths = [Path(path) for path in paths]
        self.text = text
        self.id = id
        self.language = language
        self.encoding = encoding
        self.quoted = quoted

    def __iter__(self) -> Iterator[Tweet]:
        for path in self.paths:
            yield from self._file(path)

    def _file(self, path: Path) -> Iterator[Tweet]:
        columns: tuple[str, str | None, str | None] | None = None
        for line, row in self._rows(path):
            columns = columns or self._columns(list(row), path)
            text, id_, language = (row.get(name) if name else None for name in columns)
            if not isinstance(text, str):
                raise DataError(
                    f"{path}, line {line}: {columns[0]!r} is {text!r}; expected a text."
                )
            name = f"{path.name}:{line}" if id_ is None else str(id_)
            yield Tweet(name, text, str(language) if language else None)

    def _columns(
        self, names: list[str], path: Path
    ) -> tuple[str, str | None, str | None]:
        return (
            find_text(names, self.text, str(path)),
            _column(names, self.id, _IDS, path),
            _column(names, self.language, _LANGUAGES, path),
        )

    def _rows(self, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
        if suffix_of(path) not in TABLE_SUFFIXES | JSON_SUFFIXES:
            raise DataError(
                f"{path}: tweets are read from .csv, .tsv, .jsonl and .ndjson, also "
                "with .gz. Rename or convert the file."
            )
        return read_fields(path, encoding=self.encoding, quoted=self.quoted)[1]


def _column(
    names: list[str], wanted: str | None, known: Sequence[str], path: Path
) -> str | None:
    """Return the column that is asked for, or the first that is known; or None."""
    if wanted is None:
        folded = {name.casefold(): name for name in reversed(names)}
        return next((folded[name] for name in known if name in folded), None)
    if wanted not in names:
        near = suggest(wanted, names)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise DataError(
            f"{path} has no column {wanted!r}.{hint} Its columns are "
            f"{', '.join(names)}."
        )
    return wanted
