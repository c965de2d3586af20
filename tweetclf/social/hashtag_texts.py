"""Hashtags in texts: which there are, and the text without one of them."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from tweetclf.preprocessing.patterns import hashtag_pattern

__all__ = ["find_hashtags", "remove_hashtag"]


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    return re.compile(hashtag_pattern())


def _fold(tag: str) -> str:
    return unicodedata.normalize("NFC", tag.casefold())


def _names(match: str) -> list[str]:
    """Return the hashtags of a match, which may be several glued together."""
    return [_fold(part) for part in re.split("[#＃]+", match) if part]


def find_hashtags(text: str) -> list[str]:
    """Return the different hashtags of a text, folded and without their sign.

    Examples
    --------
    >>> from tweetclf.social.hashtag_texts import find_hashtags
    >>> find_hashtags("#Gol de #MESSI #gol #1")
    ['gol', 'messi']
    """
    found = (name for m in _pattern().finditer(text) for name in _names(m.group()))
    return list(dict.fromkeys(found))


def remove_hashtag(text: str, tag: str) -> str:
    """Return a text without a hashtag, wherever and in whatever case it stands.

    Parameters
    ----------
    text : str
        The text.
    tag : str
        The hashtag, folded, without its sign.

    Examples
    --------
    >>> from tweetclf.social.hashtag_texts import remove_hashtag
    >>> remove_hashtag("Gooool #Messi #GOL!! #gol", "gol")
    'Gooool #Messi !!'
    """

    def kept(match: re.Match[str]) -> str:
        parts = re.findall("[#＃]+[^#＃]+", match.group())
        return "".join(p for p in parts if _fold(p.lstrip("#＃")) != tag)

    return " ".join(_pattern().sub(kept, text).split())
