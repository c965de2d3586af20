"""What a field of an engagement log says: an id, a number, a time."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

__all__ = ["as_id", "as_number", "as_seconds", "is_text"]

# Longer ones are no ids: a quotation mark was never closed, or texts were taken.
_LONGEST = 256
# Larger whole numbers share their float with others.
_EXACT = 2**53
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
# Twitter's own: Wed Oct 10 20:19:24 +0000 2018. strptime would depend on the locale.
_TWITTER_DATE = re.compile(
    rf"[A-Z][a-z]{{2}} ({'|'.join(_MONTHS)}) ([0-9]{{2}}) ([0-9:]{{8}}) "
    r"([+-][0-9]{4}) ([0-9]{4})"
)


def as_id(value: Any) -> str | None:
    """Return an id as a text: JSON and Parquet may hold whole numbers."""
    if isinstance(value, str):
        value = value.strip()
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    # pandas makes floats of whole numbers where one is missing. In a table of texts
    # "7.0" is an id of its own.
    elif isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = str(int(value))
    else:
        return None
    if not 0 < len(value) <= _LONGEST:
        return None
    return value if value.isascii() or is_text(value) else None


def is_text(value: str) -> bool:
    """Tell whether a text has no half of a surrogate pair, which JSON can escape."""
    if value.isascii():
        return True
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def as_number(value: Any) -> float:
    """Return a number, NaN where it is none."""
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def as_seconds(value: Any) -> float | None:
    """Return seconds since 1970, NaN where the time is empty, None where it is none.

    Times without a zone are taken for UTC.
    """
    number = as_number(value)
    if math.isfinite(number):
        return number
    if (
        value is None
        or value != value
        or (isinstance(value, str) and not value.strip())
    ):
        return math.nan
    try:
        if isinstance(value, str):
            date = _TWITTER_DATE.fullmatch(value := value.strip())
            value = datetime.fromisoformat(_as_iso(date) if date else value)
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None


def _as_iso(date: re.Match[str]) -> str:
    month, day, time, zone, year = date.groups()
    return f"{year}-{_MONTHS.index(month) + 1:02}-{day}T{time}{zone}"
