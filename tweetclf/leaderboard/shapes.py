"""Tests of what a JSON document holds, before anything is made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = [
    "Test",
    "is_count",
    "first_flaw",
    "is_flag",
    "list_of",
    "is_mapping",
    "mapping_of",
    "is_number",
    "one_of",
    "optional",
    "is_plain",
    "shown",
    "is_text",
]

Test = Callable[[Any], bool]


def is_text(value: Any) -> bool:
    """Tell whether a value is a text."""
    return isinstance(value, str)


def is_flag(value: Any) -> bool:
    """Tell whether a value is true or false."""
    return isinstance(value, bool)


def is_count(value: Any) -> bool:
    """Tell whether a value is a whole number from 0 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_number(value: Any) -> bool:
    """Tell whether a value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_mapping(value: Any) -> bool:
    """Tell whether a value is an object of JSON."""
    return isinstance(value, Mapping)


def is_plain(value: Any) -> bool:
    """Tell whether a value may be that of a parameter: no object is in it."""
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def optional(test: Test) -> Test:
    """Return a test that null passes, too."""
    return lambda value: value is None or test(value)


def list_of(test: Test) -> Test:
    """Return a test of lists whose items pass a test."""
    return lambda value: isinstance(value, list | tuple) and all(map(test, value))


def mapping_of(test: Test) -> Test:
    """Return a test of objects whose values pass a test."""
    return lambda value: isinstance(value, Mapping) and all(map(test, value.values()))


def one_of(*words: str) -> Test:
    """Return a test that some words pass."""
    return lambda value: isinstance(value, str) and value in words


def shown(value: Any) -> str:
    """Return a value for a message, cut where it is long."""
    found = repr(value)
    return found if len(found) <= 60 else f"{found[:57]}..."


def first_flaw(
    found: Mapping[str, Any],
    schema: Mapping[str, Test],
    where: str = "",
    *,
    needed: bool = True,
) -> str | None:
    """Say what is wrong with a document, or None.

    Parameters
    ----------
    found : mapping
        The document.
    schema : mapping of str to callable
        Key -> test of its value.
    where : str, default=""
        Path of the document in its file, before each key.
    needed : bool, default=True
        Whether all keys must be there.
    """
    for key, test in schema.items():
        if key not in found:
            if needed:
                return f"{where + key!r} is missing"
        elif not test(found[key]):
            return f"{where + key!r} is {shown(found[key])}"
    return None
