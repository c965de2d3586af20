"""Results remembered for each piece of text: tweets repeat their words."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar

__all__ = ["MOST_ENTRIES", "Memo", "cached_entries", "clear_caches"]

T = TypeVar("T")

# All caches of this process together hold no more than this.
MOST_ENTRIES = 1 << 18
# No word is longer; what is, is noise that would fill the cache.
_LONGEST = 40
# How often the sizes are added up; the bound holds with this much to spare.
_STRIDE = 1 << 10

_MEMOS: list[weakref.ref[Memo[Any]]] = []
_added = count(1)


class Memo(dict[str, T]):
    """What a function gives for a piece of text, computed once: ``memo[piece]``.

    A dict, so that ``map(memo.__getitem__, pieces)`` runs without any Python code for
    the pieces that are there. No result depends on what it holds: pieces that are long
    or hold an address are computed each time, and any entry may go at any time, also
    while another thread reads.

    Parameters
    ----------
    function : callable
        Piece to result, without side effects.
    """

    __slots__ = ("__weakref__", "function")

    def __init__(self, function: Callable[[str], T]) -> None:
        super().__init__()
        self.function = function
        _MEMOS.append(weakref.ref(self))

    def __missing__(self, piece: str) -> T:
        result = self.function(piece)
        if len(piece) <= _LONGEST and "/" not in piece:
            # Other than a sum, the counter misses nothing when threads use it.
            if next(_added) % _STRIDE == 0 and cached_entries() > (
                MOST_ENTRIES - 2 * _STRIDE
            ):
                clear_caches()
            self[piece] = result
        return result


def _memos() -> list[Memo[Any]]:
    return [memo for ref in tuple(_MEMOS) if (memo := ref()) is not None]


def cached_entries() -> int:
    """Return how many results all caches of this process hold."""
    return sum(map(len, _memos()))


def clear_caches() -> None:
    """Forget all results; they are computed again when they are needed."""
    memos = _memos()
    for memo in memos:
        memo.clear()
    _MEMOS[:] = [ref for ref in tuple(_MEMOS) if ref() is not None]
