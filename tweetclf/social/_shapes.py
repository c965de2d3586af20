"""Rows of JSON Lines, each with fields of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

__all__ = ["Shapes"]

# Sets of fields that are remembered, and names of fields for messages.
_MOST_SHAPES, _MOST_NAMES = 1024, 100

T = TypeVar("T")


class Shapes(Generic[T]):
    """Which fields rows of JSON Lines have: each row for itself, and yet fast.

    Rows come in few shapes. What is found for one is remembered for all others of it.

    Parameters
    ----------
    find : callable
        Names of the fields of a row -> what is wanted of them.

    Attributes
    ----------
    names : dict of str to None
        The first names that were seen, in their order, for messages.
    """

    def __init__(self, find: Callable[[tuple[str, ...]], T]) -> None:
        self._find = find
        self._found: dict[tuple[str, ...], T] = {}
        self.names: dict[str, None] = {}

    def of(self, row: Mapping[str, Any]) -> T:
        """Return what was found for rows with these fields."""
        shape = tuple(row)
        try:
            return self._found[shape]
        except KeyError:
            if len(self._found) == _MOST_SHAPES:  # of a hostile file
                self._found.clear()
            if len(self.names) < _MOST_NAMES:
                self.names.update(dict.fromkeys(shape[:_MOST_NAMES]))
            return self._found.setdefault(shape, self._find(shape))
