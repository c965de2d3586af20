"""Stop words and negation cues of Spanish and English."""

from __future__ import annotations

__all__ = ["negation_cues", "stop_words"]


def stop_words(language: str, *, negators: bool = False) -> frozenset[str]:
    """Return the stop words of `language`, with or without its negators."""
    return frozenset()


def negation_cues(language: str) -> frozenset[str]:
    """Return the negation cues of `language`."""
    return frozenset({"no"})
