"""Leaderboard definitions: which tasks, systems and seeds, in a TOML file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.records import Protocol
from tweetclf.utils.documents import check_keys, read_toml

__all__ = ["DEFAULT", "MIN_RESAMPLES", "Definition", "read_definition"]

MIN_RESAMPLES = 100
"""Fewer bootstrap resamples say nothing about the ends of a 95 % interval."""


@dataclass(frozen=True)
class Definition:
    """What ``tweetclf leaderboard`` is to run.

    Parameters
    ----------
    tasks : tuple of str
        Names of registered tasks, or paths.
    systems : tuple of str
        Names of registered systems; ``"beto=transformer"`` gives one a name of its
        own.
    title : str, default="Leaderboard"
        Title of the report.
    seeds : tuple of int, default=(0,)
        Seeds; each is a run.
    protocol : Protocol
        How systems are trained and scored.
    n_resamples : int, default=2000
        Bootstrap resamples behind the intervals, at least 100.
    params : mapping of str to mapping, default={}
        System -> keyword arguments of its factory.
    by_language : str, default=""
        A published dataset with scores by language, such as "TwHIN hashtag
        prediction": where tasks are one thing in several languages, the report has a
        table of all languages with averages, and the published rows in it.
    data : mapping of str to object, default={}
        What `load_task` is told of those tasks that are files of one's own: columns
        (``text``, ``text_b``, ``label``, ``id``, ``group``), ``kind``, ``metric``,
        ``pos``, ``language``, ``encoding``, ``quoting`` and ``seed``.
    """

    tasks: tuple[str, ...]
    systems: tuple[str, ...]
    title: str = "Leaderboard"
    seeds: tuple[int, ...] = (0,)
    protocol: Protocol = Protocol()
    n_resamples: int = 2000
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    by_language: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


DEFAULT = Definition(
    tasks=("sample-sentiment", "sample-humor"),
    systems=(
        "majority",
        "stratified",
        "tfidf-lr",
        "char-svm",
        "nbsvm",
        "haha-nbsvm",
        "atalaya-svm",
        "atalaya-lr",
        "ngram-ensemble",
    ),
    title="Classical systems on the bundled sample",
)
"""What ``tweetclf leaderboard`` runs when nothing is asked for."""

_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "title": (str, "a string"),
    "tasks": (list, "a list of task names"),
    "systems": (list, "a list of system names"),
    "seeds": (list, "a list of integers"),
    "n_resamples": (int, "an integer"),
    "grid": (bool, "true or false"),
    "refit_on_dev": (bool, "true or false"),
    "evaluation": (str, '"test" or "cv"'),
    "n_folds": (int, "an integer"),
    "params": (dict, "a table of tables, as in [params.transformer]"),
    "by_language": (str, "the name of a published dataset"),
    "data": (dict, "a table of what your own files are like, as in [data]"),
}

_COLUMN = (str, "the name of a column")
_DATA: dict[str, tuple[type | tuple[type, ...], str]] = {
    "text": _COLUMN,
    "text_b": _COLUMN,
    "label": ((str, list), "the name of a column, or a list of them"),
    "id": _COLUMN,
    "group": _COLUMN,
    "kind": (str, "a kind of task"),
    "metric": (str, "the name of a metric"),
    "pos": (str, "a label"),
    "language": (str, "a language tag"),
    "encoding": (str, "the name of an encoding"),
    "quoting": (bool, "true or false"),
    "seed": (int, "an integer"),
}


def _check_types(
    table: Mapping[str, Any],
    types: Mapping[str, tuple[type | tuple[type, ...], str]],
    place: str,
) -> None:
    check_keys(table, types, place)
    for key, value in table.items():
        kind, words = types[key]
        # bool is an int to Python, but not to a reader of the file.
        wrong = isinstance(value, bool) and kind is int
        if not isinstance(value, kind) or wrong:
            raise DataError(f"{place}: {key!r} must be {words}. Got {value!r} instead.")


def _check(document: dict[str, Any], place: str) -> None:
    _check_types(document, _TYPES, place)
    _check_types(document.get("data", {}), _DATA, f"{place}, [data]")
    for key in ("tasks", "systems"):
        if not document.get(key):
            raise DataError(f"{place}: {key!r} is missing or empty.")
        for item in document[key]:
            if not isinstance(item, str):
                raise DataError(f"{place}: {key!r} must hold strings. Got {item!r}.")
    for key in ("tasks", "systems", "seeds"):
        items = document.get(key, [])
        twice = [item for item in items if items.count(item) > 1]
        if twice:
            raise DataError(f"{place}: {twice[0]!r} stands twice in {key!r}.")
    if document.get("seeds") == []:
        raise DataError(f"{place}: 'seeds' is empty; leave it out for seed 0.")
    for seed in document.get("seeds", []):
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise DataError(f"{place}: seeds must be integers from 0. Got {seed!r}.")
    for name, given in document.get("params", {}).items():
        if not isinstance(given, dict):
            raise DataError(
                f"{place}: 'params' must hold a table a system, as in "
                f"[params.{name}]. Got {given!r}."
            )
    if document.get("evaluation", "test") not in {"test", "cv"}:
        raise DataError(
            f'{place}: evaluation must be "test" or "cv". Got '
            f"{document['evaluation']!r} instead."
        )
    for key, least in (("n_folds", 2), ("n_resamples", MIN_RESAMPLES)):
        if document.get(key, least) < least:
            raise DataError(
                f"{place}: {key!r} must be at least {least}. Got {document[key]} "
                "instead."
            )


def read_definition(path: str | os.PathLike[str]) -> Definition:
    """Read a definition from a TOML file.

    Parameters
    ----------
    path : str or path-like
        The file; keys are those of :class:`Definition` and
        :class:`~tweetclf.leaderboard.Protocol`, at top level.

    Returns
    -------
    Definition
        The definition.

    Raises
    ------
    DataError
        If the file is missing, no TOML, or a key is unknown or of the wrong type.
    """
    document = read_toml(path, "definition")
    _check(document, str(path))
    own = {field.name for field in fields(Protocol)}
    protocol = Protocol(**{k: v for k, v in document.items() if k in own})
    rest = {k: v for k, v in document.items() if k not in own}
    for key in ("tasks", "systems", "seeds"):
        if key in rest:
            rest[key] = tuple(rest[key])
    return Definition(protocol=protocol, **rest)
