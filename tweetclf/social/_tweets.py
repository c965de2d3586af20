"""Tweets with id and language from files of any size, read as often as need be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from tweetclf.exceptions import DataError
from tweetclf.social._reading import BadRows, BadRowsError
from tweetclf.social._shapes import Shapes
from tweetclf.social._values import as_id, is_text
from tweetclf.tasks.columns import find_text, guess_text
from tweetclf.tasks.lines import suffix_of
from tweetclf.tasks.rows import JSON_SUFFIXES, TABLE_SUFFIXES, read_fields
from tweetclf.utils.registry import suggest

__all__ = [
    "Detector",
    "Tweet",
    "TweetFiles",
    "as_tweets",
    "bad_rows_of",
    "code_of",
    "codes_of",
    "language_of",
]

Detector = Callable[[str], str]
"""Text -> code of its language."""

UNKNOWN = "und"
"""ISO 639-3: undetermined."""

_IDS = ("id", "tweet_id", "id_str", "tweetid", "tweet", "post_id", "post")
_LANGUAGES = ("lang", "language", "lang_code")
# Codes name folders, and tweets are hostile input. RFC 5646, section 4.4.1: 35 suffice.
_CODE = re.compile(r"[a-z0-9_-]{1,35}")


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


def bad_rows_of(tweets: Iterable[Any]) -> BadRows:
    """Return where the rows of these tweets that cannot be used are to be counted."""
    return BadRows(tweets.max_bad_rows if isinstance(tweets, TweetFiles) else None)


def as_tweets(rows: Iterable[Any], bad: BadRows) -> Iterator[Tweet]:
    """Yield the usable tweets of tweets, or of tuples of id, text, perhaps language.

    Parameters
    ----------
    rows : iterable
        `TweetFiles`, or tweets.
    bad : BadRows
        Where the others are counted: of files by line, else by number.
    """
    if isinstance(rows, TweetFiles):
        yield from rows.read(bad)
        return
    for number, row in enumerate(rows, start=1):
        tweet = row if isinstance(row, Tweet) else Tweet(*row)
        if (reason := _fault(tweet)) is None:
            yield tweet
        else:
            bad.add(f"tweet {number}", *reason)


def _fault(tweet: Tweet) -> tuple[Any, ...] | None:
    """Return why a tweet cannot be used, and what is at fault."""
    if tweet.text is None:
        return ("no text",)
    if not isinstance(tweet.text, str):
        return "the text is no string", tweet.text
    if not is_text(tweet.text):
        return "half of a surrogate pair in the text", tweet.text
    if isinstance(tweet.id, str) and not is_text(tweet.id):
        return "half of a surrogate pair in the id", tweet.id
    return None


@lru_cache(maxsize=1024)
def code_of(language: str | None) -> str | None:
    """Return a language's code in lower case; None if it is none, as "../x" is.

    Examples
    --------
    >>> from tweetclf.social._tweets import code_of
    >>> code_of("EN"), code_of("zh_TW"), code_of("../x"), code_of("")
    ('en', 'zh_tw', None, None)
    """
    code = language.strip().lower() if isinstance(language, str) else ""
    return code if _CODE.fullmatch(code) else None


def codes_of(languages: Iterable[str] | None, *, caller: str) -> set[str] | None:
    """Return the codes of the languages that are asked for.

    Raises
    ------
    ValueError
        If one of them is none.
    """
    if languages is None:
        return None
    codes = set()
    for language in languages:
        code = code_of(language)
        if code is None:
            raise ValueError(
                f"{caller}: the 'languages' must be codes of letters, digits, '-' and "
                f"'_', such as 'es' and 'zh-tw'. Got {language!r} among them."
            )
        codes.add(code)
    return codes


def language_of(tweet: Tweet, detect: Detector | None) -> str:
    """Return the code that a tweet names, else what is detected, else "und"."""
    code = code_of(tweet.language)
    if code is None and detect is not None:
        code = code_of(detect(tweet.text))
    return code or UNKNOWN


class TweetFiles:
    """Tweets of CSV, TSV and JSON Lines files, read anew by every loop over them.

    Parameters
    ----------
    paths : sequence of path
        The files, plain or ``.gz``.
    text, id, language : str, optional
        Columns; by default guessed by name. Without an id it is the place,
        ``FILE:LINE``. In JSON Lines each row is looked up for itself.
    encoding : str, default="utf-8"
        Encoding of the files.
    quoted : bool, default=True
        Whether quotation marks around the fields of a table are no part of them.
    max_bad_rows : int or None, default=1000
        Rows whose id is none, or whose text is missing, no string or no Unicode (half
        of a surrogate pair) are counted and left out, up to this many; None: any
        number. What is no table and no JSON object is refused.

    Attributes
    ----------
    bad_rows : BadRows
        The rows that the last loop left out: `total`, `reasons` and, with file and
        line, the first `examples`.
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
        max_bad_rows: int | None = 1000,
    ) -> None:
        self.paths = [Path(path) for path in paths]
        self.text = text
        self.id = id
        self.language = language
        self.encoding = encoding
        self.quoted = quoted
        self.max_bad_rows = max_bad_rows
        self.bad_rows = BadRows(max_bad_rows)

    def __iter__(self) -> Iterator[Tweet]:
        return self.read(BadRows(self.max_bad_rows))

    def read(self, bad: BadRows) -> Iterator[Tweet]:
        """Yield the usable tweets.

        Parameters
        ----------
        bad : BadRows
            Where the other rows are counted.
        """
        self.bad_rows = bad
        for path in self.paths:
            yield from self._file(path, bad)

    def _file(self, path: Path, bad: BadRows) -> Iterator[Tweet]:
        names, rows = self._rows(path)
        columns = _Columns(path, self.text, self.id, self.language)
        if names is not None:
            columns.of(dict.fromkeys(names))
            columns.check()
        try:
            for line, row in rows:
                text_at, id_at, language_at = columns.of(row)
                get = row.get
                id_, language = get(id_at), get(language_at)
                if id_ is None or id_ == "":
                    id_ = f"{path.name}:{line}"
                # As logs of engagements are read, or the two would not meet.
                name = as_id(id_)
                if name is None:
                    bad.add(f"{path}, line {line}", "no usable id", id_)
                    continue
                code = str(language) if language else None
                tweet = Tweet(name, cast(str, get(text_at)), code)
                if (fault := _fault(tweet)) is None:
                    yield tweet
                else:
                    bad.add(f"{path}, line {line}", *fault)
        except BadRowsError:
            # A column that no row has is why so many are bad.
            columns.check()
            raise
        columns.check()

    def _rows(
        self, path: Path
    ) -> tuple[Sequence[str] | None, Iterator[tuple[int, Mapping[Any, Any]]]]:
        if suffix_of(path) not in TABLE_SUFFIXES | JSON_SUFFIXES:
            raise DataError(
                f"{path}: tweets are read from .csv, .tsv, .jsonl and .ndjson, also "
                "with .gz. Rename or convert the file."
            )
        return read_fields(path, encoding=self.encoding, quoted=self.quoted)


class _Columns:
    """Which columns of a file are text, id and language.

    Parameters
    ----------
    path : Path
        The file, for messages.
    text, id, language : str or None
        The columns that are asked for; None: guessed by name.
    """

    def __init__(
        self, path: Path, text: str | None, id: str | None, language: str | None
    ) -> None:
        self._path = path
        self._text = text
        self._others = ((id, _IDS), (language, _LANGUAGES))
        self._shapes = Shapes(self._find)
        self._seen: set[int] = set()
        self._only: str | None = None

    def of(self, row: Mapping[str, Any]) -> tuple[str | None, ...]:
        """Return the columns of a row's text, id and language; None: it has none."""
        return self._shapes.of(row)

    def _find(self, names: tuple[str, ...]) -> tuple[str | None, ...]:
        # Where the first row has one field alone, that is the text, whatever its name.
        if self._text is None and len(self._shapes.names) == 1 == len(names):
            self._only = names[0]
        text = self._text or guess_text(names) or self._only
        found = [text, *(_column(names, *other) for other in self._others)]
        found = [name if name in names else None for name in found]
        self._seen.update(i for i, name in enumerate(found) if name is not None)
        return tuple(found)

    def check(self) -> None:
        """Refuse columns that were asked for, or are needed, and no row had."""
        names = list(self._shapes.names)
        if not names:
            return
        if 0 not in self._seen:
            find_text(names, self._text, str(self._path))
        for i, (wanted, _) in enumerate(self._others, start=1):
            if wanted is not None and i not in self._seen:
                near = suggest(wanted, names)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise DataError(
                    f"{self._path} has no column {wanted!r}.{hint} Its columns are "
                    f"{', '.join(names)}."
                )


def _column(
    names: Sequence[str], wanted: str | None, known: Sequence[str]
) -> str | None:
    """Return the column that is asked for, or the first that is known; or None."""
    if wanted is not None:
        return wanted
    folded = {name.casefold(): name for name in reversed(names)}
    return next((folded[name] for name in known if name in folded), None)
