"""Texts that are empty, and traces of a wrong encoding or of half-done cleaning."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from typing import Any

from tweetclf.tasks.base import Split
from tweetclf.tasks.duplicates import Labels, normalise, place
from tweetclf.tasks.findings import TextFault

__all__ = ["KINDS", "find_faults", "is_mojibake", "locate"]


def _cp1252(byte: int) -> str:
    """Return the character that Windows shows for a byte; Latin-1 where it has none."""
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


def _one_of(characters: set[str]) -> str:
    return "[" + "".join(re.escape(c) for c in sorted(characters)) + "]"


# UTF-8 that was read as cp1252 or Latin-1: a lead byte and 1 to 3 that continue it.
# French and German put closing quotation marks after capitals with accents ("CAFÉ»"),
# which would be such a pair, so these and dashes count in longer sequences only.
_CONTINUES = {_cp1252(b) for b in range(0x80, 0xC0)} | set(map(chr, range(0x80, 0xC0)))
_CLOSING = set("\u00bb\u201d\u2019\u201c\u2018\u2026\u2013\u2014\u203a\u00b7\u2122")
_MOJIBAKE = re.compile(
    "|".join(
        (
            # Latin: é -> Ã©, ¿ -> Â¿.
            f"[\xc2\xc3]{_one_of(_CONTINUES - _CLOSING)}",
            # Greek, Cyrillic, Hebrew, Arabic: words, so two characters at least.
            f"(?:[\xc4-\xdf]{_one_of(_CONTINUES - _CLOSING)}){{2}}",
            # Punctuation, CJK: ’ -> â€™; the first of the two is no closing mark.
            f"[\xe0-\xef]{_one_of(_CONTINUES - _CLOSING)}{_one_of(_CONTINUES)}",
            # Emoji: 😂 -> ðŸ˜‚.
            f"[\xf0-\xf4]{_one_of(_CONTINUES)}{{3}}",
        )
    )
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8}\d{0,2});")
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|n)")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Joiners and direction signs have their uses; these have none in a tweet.
_INVISIBLE = re.compile("[\ufeff\u00ad\u2060\ufff9-\ufffb]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def is_mojibake(text: str) -> bool:
    """Tell whether a text holds UTF-8 that was read as Latin-1 or Windows-1252.

    Parameters
    ----------
    text : str
        A tweet.

    Returns
    -------
    bool
        True only where a part, encoded again, is valid UTF-8.

    Examples
    --------
    >>> from tweetclf.tasks.faults import is_mojibake
    >>> is_mojibake("Ã‰l estÃ¡"), is_mojibake("Él está: «CAFÉ»")
    (True, False)
    """
    return _mojibake(text) is not None


def _mojibake(text: str) -> int | None:
    if text.isascii():
        return None
    found = (m.start() for m in _MOJIBAKE.finditer(text) if _is_utf8(m[0]))
    return next(found, None)


def _is_utf8(part: str) -> bool:
    encoded = b"".join(
        c.encode("latin-1") if ord(c) < 256 else c.encode("cp1252") for c in part
    )
    try:
        encoded.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _entity(text: str) -> int | None:
    found = (m.start() for m in _ENTITY.finditer(text) if html.unescape(m[0]) != m[0])
    return next(found, None)


def _finder(pattern: re.Pattern[str]) -> Callable[[str], int | None]:
    def find(text: str) -> int | None:
        match = pattern.search(text)
        return None if match is None else match.start()

    return find


_FINDERS: dict[str, Callable[[str], int | None]] = {
    "empty": lambda text: None if text.strip() else 0,
    "no words": lambda text: None if normalise(text) or not text.strip() else 0,
    "U+FFFD": _finder(re.compile("\ufffd")),
    "mojibake": _mojibake,
    "HTML entity": _entity,
    "escape sequence": _finder(_ESCAPE),
    "control character": _finder(_CONTROL),
    "invisible mark": _finder(_INVISIBLE),
    "lone surrogate": _finder(_SURROGATE),
}

KINDS = {
    "empty": "nothing but white space",
    "no words": "nothing but user names, URLs and punctuation",
    "U+FFFD": "a character was lost in decoding",
    "mojibake": "UTF-8 read as Latin-1 or Windows-1252",
    "HTML entity": "such as &amp;, not decoded",
    "escape sequence": "such as \\u2019 or \\n, written out",
    "control character": "other than tabs and line ends",
    "invisible mark": "byte-order mark, soft hyphen, word joiner",
    "lone surrogate": "half of a character",
}
"""Kinds of fault, and what they mean."""


def locate(kind: str, text: str) -> int | None:
    """Return where a fault begins in a text; None if the text has no such fault.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    text : str
        A tweet.
    """
    return _FINDERS[kind](text)


def find_faults(
    splits: Mapping[str, Split], labels: Labels, *, n_examples: int = 5
) -> tuple[TextFault, ...]:
    """Find empty and damaged texts.

    Parameters
    ----------
    splits : mapping of str to Split
        The splits.
    labels : Labels
        Their labels.
    n_examples : int, default=5
        Examples of each finding.

    Returns
    -------
    tuple of TextFault
        One a kind and split where there are such rows. Of a pair, one text suffices.
    """
    found = []
    for kind, find in _FINDERS.items():
        for name, split in splits.items():
            rows = tuple(i for i, text in enumerate(split.texts) if _any(text, find))
            if rows:
                shown = tuple(place(split, row, labels) for row in rows[:n_examples])
                found.append(TextFault(kind, name, len(split), rows, shown))
    return tuple(found)


def _any(text: Any, find: Callable[[str], int | None]) -> bool:
    parts = (text,) if isinstance(text, str) else text
    return any(find(part) is not None for part in parts)
