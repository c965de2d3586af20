"""Search spaces of one's own, in a TOML or JSON file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.named_spaces import OWN, SPACES
from tweetclf.leaderboard.spaces import (
    Choice,
    Dimension,
    Integer,
    LogUniform,
    Plan,
    Space,
    Uniform,
)
from tweetclf.utils.documents import check_keys, make_settings, read_json, read_toml

__all__ = ["is_space_file", "read_space"]

_KEYS = ("description", "name", "parameters", "plan", "source")
_RANGE = ("high", "log", "low", "when")
_VALUES = ("values", "when")


def is_space_file(name: str) -> bool:
    """Tell whether a space is meant as a file and not as a name."""
    return name.lower().endswith((".toml", ".json"))


def read_space(path: str | os.PathLike[str]) -> Space:
    """Read a search space.

    Parameters
    ----------
    path : path
        A TOML file, or a JSON file of the same keys (which knows null). Its table
        ``parameters`` has, for each parameter, a list of values, or a table with
        ``values``, or one with ``low`` and ``high`` (both whole numbers: an integer,
        both ends included) and, if wanted, ``log = true``; and ``when = {PARAMETER =
        [VALUES]}`` where it is there for some values of an earlier one only. Further
        keys: ``name`` (by default the file's), ``description``, ``source`` and a table
        ``plan`` with what `Plan` has.

    Returns
    -------
    Space
        The space.

    Raises
    ------
    DataError
        If the file is missing, or something in it is not as told above; the message
        names the file and the parameter.

    Examples
    --------
    >>> from pathlib import Path
    >>> path = Path(getfixture("tmp_path"), "mine.toml")
    >>> _ = path.write_text('''
    ... [parameters]
    ... svm__C = {low = 0.01, high = 10.0, log = true}
    ... tfidf__binary = [true, false]
    ... ''')
    >>> read_space(path).dimensions["svm__C"]
    LogUniform(low=0.01, high=10.0)
    """
    path, what = Path(path), "search space"
    reads_json = path.suffix.lower() == ".json"
    document = read_json(path, what) if reads_json else read_toml(path, what)
    place = str(path)
    check_keys(document, _KEYS, place)
    for key in ("name", "description", "source"):
        if not isinstance(document.get(key, ""), str):
            raise DataError(f"{place}: {key!r} must be a string.")
    name = document.get("name") or path.stem
    if name in OWN or name in SPACES:
        raise DataError(
            f"{place}: there is a space {name!r} already; give this one another name "
            '(name = "...").'
        )
    parameters = _table(document, "parameters", place)
    if not parameters:
        raise DataError(f"{place}: 'parameters' is missing or empty.")
    dimensions, conditions = {}, {}
    for parameter, said in parameters.items():
        where = f"{place}, parameter {parameter!r}"
        dimensions[parameter] = _dimension(said, where)
        if isinstance(said, dict) and "when" in said:
            conditions[parameter] = _condition(said["when"], where)
    plan = make_settings(Plan, _table(document, "plan", place), f"{place}, plan")
    try:
        return Space(
            dimensions,
            conditions,
            name,
            document.get("description", ""),
            document.get("source", ""),
            plan,
        )
    except DataError as error:
        raise DataError(f"{place}: {error}") from error


def _table(document: Mapping[str, Any], key: str, place: str) -> dict[str, Any]:
    table = document.get(key, {})
    if not isinstance(table, dict):
        raise DataError(f"{place}: {key!r} must be a table, got {table!r}.")
    return table


def _dimension(said: Any, where: str) -> Dimension:
    if isinstance(said, list):
        said = {"values": said}
    if isinstance(said, dict) and isinstance(said.get("values"), list):
        check_keys(said, _VALUES, where)
    elif isinstance(said, dict) and {"low", "high"} <= set(said):
        check_keys(said, _RANGE, where)
        _check_range(said, where)
    else:
        raise DataError(
            f"{where}: expected a list of values, {{values = [...]}} or "
            f"{{low = ..., high = ...}}, got {said!r}."
        )
    try:
        return _make_dimension(said)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def _check_range(said: Mapping[str, Any], where: str) -> None:
    for key in ("low", "high"):
        bound = said[key]
        if isinstance(bound, bool) or not isinstance(bound, int | float):
            raise DataError(f"{where}: {key!r} must be a number, got {bound!r}.")
    log = said.get("log", False)
    if not isinstance(log, bool):
        raise DataError(f"{where}: 'log' must be true or false, got {log!r}.")


def _make_dimension(said: Mapping[str, Any]) -> Dimension:
    if "values" in said:
        return Choice(tuple(said["values"]))
    low, high, log = said["low"], said["high"], said.get("log", False)
    if isinstance(low, int) and isinstance(high, int):
        return Integer(low, high, log)
    return (LogUniform if log else Uniform)(float(low), float(high))


def _condition(when: Any, where: str) -> tuple[str, tuple[Any, ...]]:
    if isinstance(when, dict) and len(when) == 1:
        ((parent, values),) = when.items()
        return parent, tuple(values) if isinstance(values, list) else (values,)
    raise DataError(
        f"{where}: 'when' must name one earlier parameter and its values, as in "
        f'when = {{loss = ["hinge"]}}; got {when!r}.'
    )
