"""Numbers and names as people read them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

from tweetclf.utils.p_values import round_p

__all__ = [
    "DASH",
    "display_width",
    "finite",
    "format_bytes",
    "format_count",
    "format_interval",
    "format_p",
    "format_rate",
    "format_score",
    "format_seconds",
    "make_safe",
    "plural",
    "shorten",
    "slug",
    "unique_slugs",
]

DASH = "\N{EN DASH}"
"""Stands for a value that is missing."""

_MINUS = "\N{MINUS SIGN}"
_UNITS = ("B", "kB", "MB", "GB", "TB")

# Controls, and the signs that turn the direction of the text after them: a name must
# not be able to rearrange the line it stands in. Joiners stay, emoji need them.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e"
    "\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)


def make_safe(text: str, *, newlines: bool = False) -> str:
    """Return text without controls, direction signs and halves of characters.

    Each is shown by its code point in angle brackets, so that it is seen, and does
    nothing. Tabs and line breaks become spaces, unless `newlines` are kept.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    if not newlines:
        text = text.replace("\n", " ")
    return _UNSAFE.sub(lambda match: f"\u27e8U+{ord(match[0]):04X}\u27e9", text)


def finite(value: float | None) -> float | None:
    """Return `value`, or None where it is missing, NaN or infinite."""
    return None if value is None or not math.isfinite(value) else float(value)


def format_score(value: float | None) -> str:
    """Three decimals; four significant digits from 10 on.

    Examples
    --------
    >>> from tweetclf.reports.formatting import format_score
    >>> format_score(0.61549), format_score(132.456), format_score(float("nan"))
    ('0.615', '132.5', '–')
    """
    value = finite(value)
    if value is None:
        return DASH
    decimals = 3 if abs(value) < 10 else max(0, 3 - math.floor(math.log10(abs(value))))
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", _MINUS)


def format_interval(low: float | None, high: float | None) -> str:
    """Two scores with a dash between, or "to" where one is negative."""
    if finite(low) is None or finite(high) is None:
        return DASH
    ends = format_score(low), format_score(high)
    return (" to " if _MINUS in ends[0] + ends[1] else DASH).join(ends)


def _significant(value: float, digits: int = 2) -> str:
    if value <= 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(value)))
    text = f"{value:,.{decimals}f}"
    # 9.99 rounds up to one digit more than it had.
    if decimals and float(text.replace(",", "")) >= 10 ** (digits - decimals):
        text = f"{value:,.{decimals - 1}f}"
    return text


def format_seconds(value: float | None) -> str:
    """Milliseconds to hours, two or three significant digits.

    Examples
    --------
    >>> from tweetclf.reports.formatting import format_seconds
    >>> format_seconds(0.0123), format_seconds(1.94), format_seconds(75.2)
    ('12 ms', '1.9 s', '1 min 15 s')
    """
    value = finite(value)
    if value is None or value < 0:
        return DASH
    if value < 0.9995:
        return f"{_significant(value * 1000)} ms"
    if value < 59.5:
        return f"{_significant(value)} s"
    seconds = round(value)
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    minutes = round(value / 60)
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def format_bytes(value: float | None) -> str:
    """Decimal units (1 MB is 1,000,000 bytes).

    Examples
    --------
    >>> from tweetclf.reports.formatting import format_bytes
    >>> format_bytes(512), format_bytes(1_234_567), format_bytes(None)
    ('512 B', '1.2 MB', '–')
    """
    value = finite(value)
    if value is None or value < 0:
        return DASH
    if value < 1000:
        return f"{value:.0f} B"
    power = 1
    while value / 1000**power >= 999.5 and power < len(_UNITS) - 1:
        power += 1
    return f"{_significant(value / 1000**power)} {_UNITS[power]}"


def format_rate(value: float | None) -> str:
    """Three significant digits, grouped by thousands."""
    value = finite(value)
    if value is None or value < 0:
        return DASH
    if value >= 1000:
        value = round(value, 2 - math.floor(math.log10(value)))
        return f"{value:,.0f}"
    return _significant(value, 2 if value < 100 else 3)


def format_count(value: float | None) -> str:
    """Whole number, grouped by thousands."""
    value = finite(value)
    return DASH if value is None else f"{value:,.0f}".replace("-", _MINUS)


def format_p(value: float | None) -> str:
    """Three decimals, and no false zero."""
    value = finite(value)
    if value is None:
        return DASH
    return round_p(value)


def plural(n: int, singular: str, many: str | None = None) -> str:
    """Return a number with its noun: "1 tweet", "2,970 tweets"."""
    noun = singular if n == 1 else (many or f"{singular}s")
    return f"{format_count(n)} {noun}"


def slug(text: str) -> str:
    """Return an identifier for `text`: ASCII letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "x"


def unique_slugs(texts: Sequence[str]) -> list[str]:
    """Return one identifier a text, all different."""
    taken: set[str] = set()
    slugs = []
    for text in texts:
        base = candidate = slug(text)
        number = 2
        while candidate in taken:
            candidate = f"{base}-{number}"
            number += 1
        taken.add(candidate)
        slugs.append(candidate)
    return slugs


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def display_width(text: str) -> int:
    """Return the number of columns that `text` takes in a terminal."""
    return sum(map(_columns, text))


def shorten(text: str, width: int) -> str:
    """Cut `text` to `width` columns, with an ellipsis where something was cut."""
    # Marks take no column; a name of nothing but marks is cut all the same.
    if len(text) <= 4 * width and display_width(text) <= width:
        return text
    stop = taken = 0
    while stop < min(len(text), 4 * width):
        taken += _columns(text[stop])
        if taken > width - 1:
            break
        stop += 1
    # A cut emoji sequence must not end in a joiner.
    return text[:stop].rstrip(" \u200d\ufe0f") + "\N{HORIZONTAL ELLIPSIS}"
