"""Checks of single settings, which NumPy's numbers pass as Python's do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

__all__ = ["check_choice", "check_count", "check_flag", "check_number"]


def _refuse(owner: str, name: str, wanted: str, value: Any) -> ValueError:
    return ValueError(
        f"{owner}: the {name!r} parameter must be {wanted}. Got {value!r} instead."
    )


def check_count(owner: str, name: str, value: Any, most: int | None = None) -> int:
    """Return a whole number of at least 1 as an int.

    Parameters
    ----------
    owner, name : str
        Class and parameter, named in the error.
    value : int
        The setting.
    most : int, optional
        The largest it may be.

    Returns
    -------
    int
        The same.

    Raises
    ------
    ValueError
        If it is none.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or not 1 <= value <= (most or value):
        wanted = "an int of at least 1" if most is None else f"an int of 1 to {most}"
        raise _refuse(owner, name, wanted, value)
    return int(value)


def check_number(
    owner: str, name: str, value: Any, below: float | None = None
) -> float:
    """Return a finite number of at least 0 as a float.

    Parameters
    ----------
    owner, name : str
        Class and parameter, named in the error.
    value : float
        The setting.
    below : float, optional
        What it must be less than.

    Returns
    -------
    float
        The same.

    Raises
    ------
    ValueError
        If it is none.
    """
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not 0 <= value < (math.inf if below is None else below):
        wanted = "a finite number of at least 0"
        if below is not None:
            wanted = f"a number of at least 0 and less than {below:g}"
        raise _refuse(owner, name, wanted, value)
    return float(value)


def check_flag(owner: str, name: str, value: Any) -> bool:
    """Return a truth value as a bool.

    Parameters
    ----------
    owner, name : str
        Class and parameter, named in the error.
    value : bool
        The setting; 0 and 1 are none.

    Returns
    -------
    bool
        The same.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not isinstance(value, bool | np.bool_):
        raise _refuse(owner, name, "a bool", value)
    return bool(value)


def check_choice(owner: str, name: str, value: Any, choices: Sequence[str]) -> str:
    """Return one of some words.

    Parameters
    ----------
    owner, name : str
        Class and parameter, named in the error.
    value : str
        The setting.
    choices : sequence of str
        What it may be.

    Returns
    -------
    str
        The same.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        raise _refuse(owner, name, " or ".join(map(repr, choices)), value)
    return str(value)
