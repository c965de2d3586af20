"""TOML and JSON files: read, and turned into settings with words for what is wrong."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from tweetclf.exceptions import DataError
from tweetclf.utils.registry import suggest

__all__ = ["check_keys", "make_settings", "read_json", "read_toml"]

T = TypeVar("T")


def read_toml(path: str | os.PathLike[str], what: str = "file") -> dict[str, Any]:
    """Return the document in a TOML file.

    Parameters
    ----------
    path : path
        The file.
    what : str, default="file"
        What it is, for the message.

    Raises
    ------
    DataError
        If it is missing or no TOML.
    """
    return _read(path, what, "TOML", tomllib.loads)


def read_json(path: str | os.PathLike[str], what: str = "file") -> dict[str, Any]:
    """Return the object in a JSON file.

    Parameters
    ----------
    path : path
        The file.
    what : str, default="file"
        What it is, for the message.

    Raises
    ------
    DataError
        If it is missing, no JSON, or no object.
    """
    document = _read(path, what, "JSON", json.loads)
    if not isinstance(document, dict):
        raise DataError(f"{path} holds no JSON object, but {document!r:.60}.")
    return document


def _read(
    path: str | os.PathLike[str], what: str, kind: str, loads: Callable[[str], Any]
) -> Any:
    path = Path(path)
    try:
        return loads(path.read_text("utf-8"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise DataError(f"there is no {what} at {path}.") from error
    except ValueError as error:
        raise DataError(f"{path} is not {kind}: {error}.") from error


def check_keys(given: Iterable[str], known: Iterable[str], place: str) -> None:
    """Refuse keys that mean nothing, with a suggestion.

    Raises
    ------
    DataError
        If a key is not known.

    Examples
    --------
    >>> check_keys(["layers"], ["n_layers"], "x.toml")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tweetclf.exceptions.DataError: x.toml: unknown key 'layers'. Did you mean ...
    """
    known = sorted(known)
    for key in given:
        if key not in known:
            near = suggest(key, known)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise DataError(
                f"{place}: unknown key {key!r}.{hint} Known keys: {', '.join(known)}."
            )


def make_settings(
    kind: type[T], table: Mapping[str, Any], place: str, **more: Any
) -> T:
    """Return a dataclass of settings from a table; lists become tuples.

    Parameters
    ----------
    kind : type
        A dataclass that checks what it is given, with a ValueError.
    table : mapping
        Values of some of its fields.
    place : str
        Where the table stands, for messages.
    **more
        Values of further fields, which the table may not name.

    Raises
    ------
    DataError
        If a key is unknown or a value wrong.
    """
    known = {field.name for field in fields(kind)} - set(more)  # type: ignore[arg-type]
    check_keys(table, known, place)
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
    try:
        return kind(**values, **more)
    except (TypeError, ValueError) as error:
        raise DataError(f"{place}: {error}") from error
