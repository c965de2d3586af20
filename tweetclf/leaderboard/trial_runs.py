"""One run of a trial: fit a setting and score it on dev or on folds, never on test.

Features that trials have in common are computed once a process; nothing here writes a
file, and a failure becomes a failed record.
"""

from __future__ import annotations

import math
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tweetclf._version import __version__
from tweetclf.exceptions import DataError
from tweetclf.leaderboard.folds import FOLD_SEED, make_folds, rows_together
from tweetclf.leaderboard.outcomes import (
    Outcome,
    all_metrics,
    failed_record,
    finished_record,
    predictions_of,
    remarks_on,
)
from tweetclf.leaderboard.records import Protocol, RunRecord, RunSpec, TaskFacts
from tweetclf.leaderboard.selection import (
    GroupedModel,
    Rows,
    features_of,
    make_model,
    rows_of,
    score_of,
)
from tweetclf.leaderboard.strategies import Proposal
from tweetclf.leaderboard.trials import Trial
from tweetclf.leaderboard.warming import few_rows, warm_up, warm_up_once

if TYPE_CHECKING:
    from tweetclf.leaderboard.systems import System
    from tweetclf.tasks import Task

__all__ = [
    "Material",
    "check_dev",
    "execute_trial",
    "forget_material",
    "make_trial_spec",
    "trial_of",
    "without_test",
]

Part = tuple[np.ndarray, np.ndarray]


def without_test(task: Task) -> Task:
    """Return a task that has train and dev only: what a search may see.

    A split is read when it is first asked for, so that the test file is not opened.
    """
    names = [name for name in ("train", "dev") if name in task.splits]
    return replace(task, splits={name: task.splits[name] for name in names})


@dataclass(frozen=True)
class Material:
    """The rows of a search and how they are divided.

    Parameters
    ----------
    rows : Rows
        Train and dev together.
    together : ndarray
        Rows with equal numbers stay in one fold.
    n_train : int
        Number of rows that are train.
    """

    rows: Rows
    together: np.ndarray
    n_train: int
    _folds: dict[tuple[int, int], list[Part]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, task: Task) -> Material:
        """Return the material of a task; the process keeps that of the last one."""
        splits = [task.splits[name] for name in ("train", "dev") if name in task.splits]
        key = tuple(split.sha256 for split in splits)
        # Threads may come here together; each goes on with what it has found or made.
        for kept, material in tuple(_KEPT):
            if kept == key:
                return material
        rows = Rows.join(*map(rows_of, splits))
        made = cls(rows, rows_together(splits), len(splits[0]))
        _KEPT[:] = [(key, made)]
        return made

    def parts(self, spec: RunSpec) -> list[Part]:
        """Return the positions to train on and to score: folds, or train and dev."""
        if spec.protocol.evaluation == "dev":
            everything = np.arange(len(self.rows))
            return [(everything[: self.n_train], everything[self.n_train :])]
        assert spec.trial is not None
        key = (spec.protocol.n_folds, spec.trial["fold_seed"])
        if key not in self._folds:
            self._folds[key] = make_folds(
                self.rows.labels,
                self.together,
                key[0],
                groups=self.rows.groups,
                seed=key[1],
            )
        return self._folds[key]


_KEPT: list[tuple[Any, Material]] = []


def forget_material() -> None:
    """Free the rows and folds of the last search."""
    _KEPT.clear()


def make_trial_spec(
    task: Task,
    system: System,
    params: Mapping[str, Any],
    *,
    facts: TaskFacts,
    protocol: Protocol,
    seed: int,
    resource: int | None = None,
    new_folds: bool = False,
) -> RunSpec:
    """Return the specification of one run of a trial.

    Parameters
    ----------
    task : Task
        The task.
    system : System
        The system.
    params : mapping
        The setting, by the names of the search space.
    facts : TaskFacts
        Of the task without its test split.
    protocol : Protocol
        Evaluation ``"dev"`` or ``"cv"``.
    seed : int
        Seed of the system.
    resource : int, optional
        Number of training tweets, if fewer than all.
    new_folds : bool, default=False
        Cut other folds for another seed; those of seed 0 are the leaderboard's.
    """
    trial: dict[str, Any] = {"params": dict(params)}
    if protocol.evaluation == "cv":
        trial["fold_seed"] = FOLD_SEED + seed if new_folds else FOLD_SEED
    if resource is not None:
        trial["resource"] = resource
    return RunSpec(
        task=facts,
        system=system.name,
        target=system.target,
        arguments=system.recorded_arguments(task),
        grid=None,
        seed=seed,
        protocol=protocol,
        version=__version__,
        trial=trial,
    )


def _stratified_order(rows: Rows, index: np.ndarray, seed: int) -> np.ndarray:
    """Shuffle positions so that every beginning has the labels of the whole.

    Each label, within each group, is spread evenly from its first tweet at the very
    beginning on. Larger beginnings hold the smaller ones.
    """
    shuffled = np.random.default_rng(seed).permutation(index)
    labels = rows.labels[shuffled]
    if labels.ndim > 1 or labels.dtype.kind == "f":
        return shuffled
    strata = labels.astype(str)
    if rows.groups is not None:
        groups = rows.groups[shuffled].astype(str)
        strata = np.char.add(np.char.add(strata, "\x1f"), groups)
    place = np.empty(len(shuffled))
    for stratum in np.unique(strata):
        inside = np.flatnonzero(strata == stratum)
        place[inside] = np.arange(len(inside)) / len(inside)
    return shuffled[np.argsort(place, kind="stable")]


def _evaluate(system: System, task: Task, spec: RunSpec) -> Outcome:
    from tweetclf.leaderboard.search import prepared

    assert spec.trial is not None
    material = Material.of(task)
    rows = material.rows
    cache = features_of(rows.texts)
    names = system.parameter_names(task, spec.trial["params"])
    params = {names[name]: value for name, value in spec.trial["params"].items()}
    make = make_model(system, task, spec.seed, params)
    resource = spec.trial.get("resource")
    y_pred: np.ndarray | None = None
    folds = np.full(len(rows), -1, dtype=np.int16)
    fold_scores = []
    fit_seconds = predict_seconds = 0.0
    for number, (inside, outside) in enumerate(material.parts(spec)):
        if resource is not None:
            inside = _stratified_order(rows, inside, FOLD_SEED + number)[:resource]
        start = time.perf_counter()
        model = GroupedModel(lambda: prepared(make(), cache)).fit(rows.take(inside))
        fitted = time.perf_counter()
        held_out = rows.take(outside)
        predicted = model.predict(held_out)
        predict_seconds += time.perf_counter() - fitted
        fit_seconds += fitted - start
        fold_scores.append(score_of(task.metric, held_out, predicted))
        if y_pred is None:
            y_pred = np.empty((len(rows), *predicted.shape[1:]), dtype=object)
        y_pred[outside] = predicted
        folds[outside] = number
    assert y_pred is not None
    scored = np.flatnonzero(folds >= 0)
    rows = rows.take(scored) if len(scored) < len(rows) else rows
    y_pred = np.array(y_pred[scored].tolist())
    folded = spec.protocol.evaluation == "cv"
    return Outcome(
        rows,
        y_pred,
        {spec.protocol.evaluation: all_metrics(task, rows, y_pred)},
        fold_scores if folded else [],
        folds if folded else None,
        dict(spec.trial["params"]),
        [],
        fit_seconds,
        0.0,
        predict_seconds,
        None,
        None,
    )


def _warm_up(system: System, task: Task, spec: RunSpec) -> None:
    """Pay once in a process, and in no trial, for imports, kernels and the like."""
    from tweetclf.leaderboard.fold_cache import FoldCache
    from tweetclf.leaderboard.search import prepared

    material = Material.of(task)
    few = few_rows(material.rows, material.parts(spec)[0][0])
    make = make_model(system, task, spec.seed, None)
    warm_up(lambda: prepared(make(), FoldCache(few.texts)), few)


class _Listening:
    """Warnings of each thread apart, and BLAS with one thread, while runs go on.

    Filters of warnings and limits of BLAS belong to the process: the first of several
    threads sets them and the last one puts them back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_inside = 0
        self._stack = ExitStack()
        self._heard = threading.local()

    def __enter__(self) -> list[str]:
        from threadpoolctl import threadpool_limits

        self._heard.messages = []
        with self._lock:
            if not self._n_inside:
                self._stack.enter_context(warnings.catch_warnings())
                self._stack.enter_context(threadpool_limits(1))
                warnings.simplefilter("always")
                warnings.showwarning = self._hear
            self._n_inside += 1
        messages: list[str] = self._heard.messages
        return messages

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if not self._n_inside:
                self._stack.close()

    def _hear(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: Any = None,
        line: str | None = None,
    ) -> None:
        text = f"{category.__name__}: {message}".split("\n")[0]
        getattr(self._heard, "messages", []).append(text)


_LISTENING = _Listening()


def execute_trial(
    task: Task, system: System, spec: RunSpec
) -> tuple[RunRecord, dict[str, np.ndarray] | None]:
    """Run one trial with one seed.

    It may be called by several threads at a time.

    Parameters
    ----------
    task : Task
        The task; its test split is not looked at.
    system : System
        The system.
    spec : RunSpec
        With a trial.

    Returns
    -------
    record : RunRecord
        Finished, or failed with the error.
    predictions : dict of str to ndarray or None
        ``y_true``, ``y_pred`` and, under cross-validation, ``folds``; None where the
        run failed.
    """
    task = without_test(task)
    with _LISTENING as messages:
        try:
            warm_up_once(
                (system.target, task.name), lambda: _warm_up(system, task, spec)
            )
            messages.clear()
            outcome = _evaluate(system, task, spec)
            predictions = predictions_of(task, outcome)
        except Exception as error:
            return failed_record(spec, error), None
    remarks = (*remarks_on(task, spec, outcome), *dict.fromkeys(messages))
    return finished_record(spec, outcome, remarks), predictions


def trial_of(proposal: Proposal, records: Sequence[RunRecord]) -> Trial:
    """Put the runs of a trial together.

    Parameters
    ----------
    proposal : Proposal
        What was to be tried.
    records : sequence of RunRecord
        Its runs, in order of the seeds.
    """
    failed = [record for record in records if record.status != "finished"]
    scores = [record.score for record in records]
    mean = math.nan if failed else math.fsum(scores) / len(scores)
    per_fold = [
        score
        for record in records
        if record.status == "finished"
        for score in (record.fold_scores or (record.score,))
    ]
    return Trial(
        number=proposal.number,
        params=proposal.params,
        score=mean if math.isfinite(mean) else None,
        state="failed" if failed else "complete",
        fold_scores=tuple(per_fold),
        fit_seconds=math.fsum(r.cost.fit_seconds for r in records if r.cost),
        record=records[0].key,
        records=tuple(record.key for record in records),
        resource=proposal.resource,
        error=failed[0].error if failed else None,
    )


def check_dev(task: Task) -> None:
    """Refuse to score trials on a dev split that there is not.

    Raises
    ------
    DataError
        With what to do instead.
    """
    if "dev" not in task.splits:
        raise DataError(
            f"task {task.name!r} has no dev split to score trials on; cross-validate "
            'on train in place of it (evaluation "cv").'
        )
