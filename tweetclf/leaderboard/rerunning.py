"""Run again what a record says was run, and compare every number.

The system is looked up by its name and is never what the record points to: a record is
data, and reading one must not decide which code runs.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tweetclf._version import __version__
from tweetclf.exceptions import DataError, RecordError
from tweetclf.leaderboard.checking import refuse_trial
from tweetclf.leaderboard.environment import describe_environment
from tweetclf.leaderboard.records import RunRecord, RunSpec
from tweetclf.leaderboard.runner import check_runs, make_spec, run_leaderboard
from tweetclf.leaderboard.shared import ARRAYS
from tweetclf.leaderboard.store import RunStore
from tweetclf.leaderboard.systems import System, get_system

if TYPE_CHECKING:
    import os

    from tweetclf.tasks import Task

__all__ = ["Change", "Rerun", "rerun"]

Predictions = Mapping[str, NDArray[Any]]

# What determines the numbers, besides the data: a run with another of these is another
# run. Names, version numbers and language tags are not among them.
_OF_TASK = ("kind", "metric", "metric_options", "label_names")
_OF_SPEC = ("target", "arguments", "grid", "seed", "protocol")
# Arrays that records of old do not hold: what is found in the texts, probabilities.
_LATER = (*ARRAYS, "proba")


@dataclass(frozen=True)
class Change:
    """Something that is not what it was.

    Parameters
    ----------
    what : str
        What it is.
    before, now : object
        What the record says, and what was found.
    """

    what: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.what} was {_shown(self.before)}, is {_shown(self.now)}"


@dataclass(frozen=True)
class Rerun:
    """A run that was made again.

    Parameters
    ----------
    before, now : RunRecord
        The record, and that of the new run.
    conditions : tuple of Change
        What is different about code, libraries and machine; it may explain
        differences, and is none itself.
    differences : tuple of Change
        Scores, settings and predictions that are not the same, bit for bit.
    n_predictions, n_different : int
        Predictions, and how many of them differ.
    """

    before: RunRecord
    now: RunRecord
    conditions: tuple[Change, ...]
    differences: tuple[Change, ...]
    n_predictions: int
    n_different: int

    @property
    def equal(self) -> bool:
        """Whether every score, setting and prediction is the same."""
        return not self.differences

    @property
    def verdict(self) -> str:
        """What came out, in one line."""
        spec = self.before.spec
        run = f"{spec.system} on {spec.task.name}, seed {spec.seed}"
        if self.equal:
            return (
                f"equal: {run}: the score {self.now.score!r} and all "
                f"{self.n_predictions:,} predictions are the same, bit for bit."
            )
        return (
            f"not equal: {run}: {self.n_different:,} of {self.n_predictions:,} "
            f"predictions differ; the score was {self.before.score!r}, is "
            f"{self.now.score!r}."
        )


def rerun(
    record: RunRecord,
    predictions: Predictions,
    *,
    task: Task | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    store: RunStore | None = None,
) -> Rerun:
    """Run what a record says was run again, and compare scores and predictions.

    The run is made in a temporary store, so that no stored one is taken for it.

    Parameters
    ----------
    record : RunRecord
        A finished run.
    predictions : mapping of str to ndarray
        Its predictions, e.g. of :func:`tweetclf.leaderboard.store.find_run`.
    task : Task, optional
        The task, where it is a file of one's own; by default the registered one.
    data_dir : path, optional
        Folder of the registered datasets.
    store : RunStore, optional
        Store whose ledger counts the run, if it scores a test split; that of the
        record, see :func:`tweetclf.leaderboard.store.home_of`.

    Returns
    -------
    Rerun
        What is the same and what is not.

    Raises
    ------
    DataError
        If the data are not at hand, or are not those of the run.
    RecordError
        If the run failed, or the task's metric or the system's settings are other ones
        by now, so that it cannot be made again with this version.
    UnknownNameError
        If there is no such task or system.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from tweetclf import load_task
    >>> from tweetclf.leaderboard import RunStore, get_system, run_leaderboard
    >>> from tweetclf.leaderboard.rerunning import rerun
    >>> with TemporaryDirectory() as folder:
    ...     store = RunStore(folder)
    ...     runs = run_leaderboard(
    ...         [load_task("sample-humor")], [get_system("majority")], store
    ...     )
    ...     again = rerun(runs.records[0], store.predictions(runs.records[0]))
    >>> again.equal, again.n_different
    (True, 0)
    """
    if record.status != "finished":
        raise RecordError(
            f"run {record.key} failed ({record.error}): there is nothing to compare."
        )
    refuse_trial(record)
    task = task or _load(record.spec, data_dir)
    system = get_system(record.spec.system)
    check_runs(task, system)
    spec = make_spec(task, system, record.spec.seed, record.spec.protocol)
    _check_data(record.spec, spec)
    _check_definition(record, spec)
    if store is not None and spec.protocol.evaluation == "test":
        store.count_test_scoring(spec)
    now, again = _run(task, system, spec)
    changes, n_different = _compare_arrays(record, predictions, again)
    return Rerun(
        record,
        now,
        tuple(_conditions(record, spec)),
        (*_compare_scores(record, now), *changes),
        len(predictions["y_pred"]),
        n_different,
    )


def _load(spec: RunSpec, data_dir: str | os.PathLike[str] | None) -> Task:
    from tweetclf.tasks import load_task

    if spec.task.version == "local":
        raise DataError(
            f"the run is on data of your own, called {spec.task.name!r}: a record "
            "holds their hashes and no text. Name the file too (--data)."
        )
    return load_task(spec.task.name, data_dir=data_dir)


def _check_data(before: RunSpec, now: RunSpec) -> None:
    """Refuse other data than those of the run."""
    for split in dict.fromkeys([*before.task.data, *now.task.data]):
        expected, found = before.task.data.get(split), now.task.data.get(split)
        if expected == found:
            continue
        if found is None or expected is None:
            what = "is not there now" if found is None else "was not there then"
            raise DataError(
                f"the data of {before.task.name!r} are not those of the run: split "
                f"{split!r} {what}."
            )
        raise DataError(
            f"the data of {before.task.name!r} are not those of the run: split "
            f"{split!r} had sha256 {expected}, has {found} "
            f"({now.task.sizes.get(split)} rows, then {before.task.sizes.get(split)}). "
            "The run cannot be made again without the same data."
        )


def _plain(spec: RunSpec) -> dict[str, Any]:
    """Return a spec as a record's file holds it."""
    found: dict[str, Any] = json.loads(RunRecord(spec, "failed").to_json())["spec"]
    return found


def _check_definition(record: RunRecord, now: RunSpec) -> None:
    """Refuse a task or system that is defined otherwise than it was."""
    # In normal form: what has no effect may be written in either way.
    old, new = _plain(replace(record.spec, protocol=record.spec.way)), _plain(now)
    pairs = [(f"its {key}", old[key], new[key]) for key in _OF_SPEC]
    pairs += [
        (f"the task's {key}", old["task"][key], new["task"][key]) for key in _OF_TASK
    ]
    changed = [Change(*pair) for pair in pairs if pair[1] != pair[2]]
    if changed:
        raise RecordError(
            f"run {record.key} cannot be made again by tweetclf {__version__}: "
            f"{'; '.join(map(str, changed))}. Use tweetclf {record.spec.version}, "
            "which made it."
        )


def _run(
    task: Task, system: System, spec: RunSpec
) -> tuple[RunRecord, dict[str, NDArray[Any]]]:
    with tempfile.TemporaryDirectory(prefix="tweetclf-rerun-") as folder:
        store = RunStore(folder)
        outcome = run_leaderboard(
            [task], [system], store, seeds=(spec.seed,), protocol=spec.protocol
        )
        now = outcome.records[0]
        if now.status != "finished":
            raise RecordError(
                f"{system.name} on {task.name}, seed {spec.seed}, failed this time: "
                f"{now.error}"
            )
        return now, store.predictions(now)


def _conditions(record: RunRecord, spec: RunSpec) -> list[Change]:
    """Return what is different about code, libraries and machine."""
    before, now = record.environment, describe_environment()
    pairs: list[tuple[str, Any, Any]] = [("tweetclf", record.spec.version, __version__)]
    then, here = dict(before.get("versions", {})), dict(now["versions"])
    pairs += [
        (package, then.get(package), here.get(package))
        for package in dict.fromkeys([*then, *here])
        if package != "tweetclf"
    ]
    pairs += [(key, before.get(key), now[key]) for key in ("cpu", "system")]
    pairs += [
        (f"the task's {key}", getattr(record.spec.task, key), getattr(spec.task, key))
        for key in ("name", "version", "language")
    ]
    return [Change(*pair) for pair in pairs if pair[1] != pair[2]]


def _same(a: Any, b: Any) -> bool:
    """Tell whether two values of records are equal; a missing score is NaN."""
    a, b = (math.nan if value is None else value for value in (a, b))
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)
    return bool(a == b)


def _compare_scores(before: RunRecord, now: RunRecord) -> list[Change]:
    """Compare scores, folds, the chosen setting and the scores of all settings."""
    pairs: list[tuple[str, Any, Any]] = []
    for split in dict.fromkeys([*before.scores, *now.scores]):
        old, new = before.scores.get(split, {}), now.scores.get(split, {})
        pairs += [
            (f"the score {name} on {split}", old.get(name), new.get(name))
            for name in dict.fromkeys([*old, *new])
        ]
    folds = [list(before.fold_scores), list(now.fold_scores)]
    if len(folds[0]) == len(folds[1]):
        pairs += [
            (f"the score of fold {number}", *two)
            for number, two in enumerate(zip(*folds, strict=True), start=1)
        ]
    else:
        pairs.append(("the number of folds", len(folds[0]), len(folds[1])))
    pairs.append(("the chosen setting", before.selected, now.selected))
    tried = [
        [{k: v for k, v in c.items() if not k.endswith("seconds")} for c in candidates]
        for candidates in (before.candidates, now.candidates)
    ]
    if len(tried[0]) == len(tried[1]):
        pairs += [
            (f"setting {number} on dev", *two)
            for number, two in enumerate(zip(*tried, strict=True), start=1)
        ]
    else:
        pairs.append(("the number of settings tried", len(tried[0]), len(tried[1])))
    return [Change(*pair) for pair in pairs if not _same(pair[1], pair[2])]


def _compare_arrays(
    record: RunRecord, before: Predictions, now: Predictions
) -> tuple[list[Change], int]:
    """Compare stored arrays byte by byte; count the predictions that differ."""
    changes: list[Change] = []
    n_different = 0
    for name in dict.fromkeys([*before, *now]):
        old, new = before.get(name), now.get(name)
        if old is None and name in _LATER:
            continue
        if old is None or new is None or old.shape != new.shape:
            shapes = (None if a is None else list(a.shape) for a in (old, new))
            changes.append(Change(f"the shape of {name}", *shapes))
            n_different = len(before["y_pred"]) if name == "y_pred" else n_different
            continue
        if old.dtype != new.dtype:
            changes.append(
                Change(f"the type of {name}", str(old.dtype), str(new.dtype))
            )
        # Compared as bytes, so that 0 and -0, or two NaN, are what they are.
        rows = np.array(
            [a.tobytes() != b.tobytes() for a, b in zip(old, new, strict=True)]
        )
        if rows.any() and old.dtype == new.dtype:
            first = int(np.flatnonzero(rows)[0])
            n = int(rows.sum())
            what = (
                f"{name} of {n} of {len(rows)} tweets differ: that of tweet {first + 1}"
            )
            shown = (_label(record, name, array[first]) for array in (old, new))
            changes.append(Change(what, *shown))
        if name == "y_pred":
            n_different = int(rows.sum())
    return changes, n_different


def _label(record: RunRecord, name: str, value: Any) -> Any:
    """Return a stored value as people know it: the name of a label."""
    names = record.spec.task.label_names
    if name in {"y_true", "y_pred"} and names and np.ndim(value) == 0:
        return names[int(value)]
    return np.asarray(value).tolist()


def _shown(value: Any) -> str:
    """Return a value on one line of a message, cut where it is long."""
    text = (
        "nothing" if value is None else value if isinstance(value, str) else repr(value)
    )
    return text if len(text) <= 200 else f"{text[:197]}..."
