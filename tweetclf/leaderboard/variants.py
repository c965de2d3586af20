"""Variants of a system: what tells its runs apart, in words."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tweetclf.leaderboard.records import RunRecord, RunSpec

__all__ = ["label_variants"]

Words = list[str]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _protocol_words(runs: Sequence[RunRecord]) -> dict[str, Words]:
    """Key -> what the protocol of a run has that other runs of the system have not.

    Folds are compared among cross-validated runs alone.
    """
    ways = {run.key: run.spec.way for run in runs}
    mixed_grid = len({way.grid for way in ways.values()}) > 1
    mixed_refit = len({way.refit_on_dev for way in ways.values()}) > 1
    folds = {way.n_folds for way in ways.values() if way.evaluation == "cv"}
    words: dict[str, Words] = {}
    for key, way in ways.items():
        found = words.setdefault(key, [])
        if mixed_grid and way.grid:
            found.append("grid")
        if mixed_refit and way.refit_on_dev:
            found.append("refit on dev")
        if len(folds) > 1 and way.evaluation == "cv":
            found.append(f"{way.n_folds} folds")
    return words


def _details(spec: RunSpec) -> dict[str, Any]:
    """Return what determines the numbers of a run besides protocol and seed."""
    # No keyword argument has a blank in its name.
    details: dict[str, Any] = {" version": spec.version, " factory": spec.target}
    details |= spec.arguments
    details["values tried"] = None if spec.grid is None else dict(spec.grid)
    return {name: _text(value) for name, value in details.items()}


def _detail_words(runs: Sequence[RunRecord]) -> dict[str, Words]:
    """Key -> the details in which runs of one board and one protocol differ."""
    details = {run.key: _details(run.spec) for run in runs}
    names = dict.fromkeys(name for found in details.values() for name in found)
    differ = [
        name
        for name in names
        if len({found.get(name) for found in details.values()}) > 1
    ]
    words: dict[str, Words] = {}
    for key, found in details.items():
        words[key] = []
        for name in differ:
            value = found.get(name)
            if name in {" version", " factory"}:
                words[key].append(f"{name.strip()} {value}")
            elif value is not None and len(value) <= 40:
                words[key].append(f"{name}={value}")
            elif value is not None:
                # Too long to be read: some run of the variant names it.
                words[key].append(f"{name} of run {_first(details, name, value)}")
    return words


def _first(details: Mapping[str, Mapping[str, Any]], name: str, value: Any) -> str:
    return min(key for key, found in details.items() if found.get(name) == value)[:6]


def label_variants(
    records: Iterable[RunRecord], board: Callable[[RunRecord], Any]
) -> dict[str, str]:
    """Name the system of each run, with what tells its variants apart in brackets.

    One variant has one name over all tasks: ``"tfidf-lr (grid)"`` is so called on
    each task as soon as ``"tfidf-lr"`` without a grid was run on any.

    Parameters
    ----------
    records : iterable of RunRecord
        Runs of all tasks.
    board : callable
        Record -> the table it stands in. Versions, arguments and search spaces are
        told apart only where they differ within a table.

    Returns
    -------
    dict of str to str
        Key of the run -> name.
    """
    by_system: dict[str, list[RunRecord]] = defaultdict(list)
    for record in records:
        by_system[record.spec.system].append(record)
    labels = {}
    for system, runs in by_system.items():
        words = _protocol_words(runs)
        boards: dict[Any, list[RunRecord]] = defaultdict(list)
        for run in runs:
            boards[board(run), run.spec.way].append(run)
        for together in boards.values():
            details = _detail_words(together)
            for run in together:
                said = [*words[run.key], *details[run.key]]
                labels[run.key] = f"{system} ({', '.join(said)})" if said else system
    return labels
