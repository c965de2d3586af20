"""Rows of JSON Lines, each with fields of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

__all__ = ["Shapes"]

# Of a hostile file: sets of fields that are remembered, fields of such a set, and names
# of fields, and letters of them, for messages.
_MOST_SHAPES, _MOST_FIELDS, _MOST_NAMES, _LONGEST_NAME = 1024, 100, 100, 60

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
            if len(self.names) < _MOST_NAMES:
                cut = [name[:_LONGEST_NAME] for name in shape[:_MOST_NAMES]]
                self.names.update(dict.fromkeys(cut))
            found = self._find(shape)
            longest = max(map(len, shape), default=0)
            if len(shape) <= _MOST_FIELDS and longest <= _LONGEST_NAME:
                if len(self._found) == _MOST_SHAPES:
                    self._found.clear()
                self._found[shape] = found
            return found
