"""The runner: many systems x tasks x seeds, each run stored once."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from tweetclf._version import __version__
from tweetclf.exceptions import DataError, MissingDependencyError
from tweetclf.leaderboard.execution import execute_run
from tweetclf.leaderboard.records import Protocol, RunRecord, RunSpec, TaskFacts
from tweetclf.leaderboard.selection import forget_features
from tweetclf.leaderboard.systems import System
from tweetclf.leaderboard.workers import ALONE, unordered
from tweetclf.tasks.duplicates import text_key

if TYPE_CHECKING:
    from tweetclf.leaderboard.store import RunStore
    from tweetclf.tasks import Task

__all__ = [
    "LeaderboardRun",
    "Skipped",
    "check_runs",
    "describe_task",
    "make_spec",
    "run_leaderboard",
]


@dataclass(frozen=True)
class Skipped:
    """A task, or a system on a task, that was not run, and why.

    Parameters
    ----------
    task : str
        Name of the task.
    system : str or None
        Name of the system; None if the whole task was left out.
    reason : str
        Why, and how to change it.
    """

    task: str
    system: str | None
    reason: str


@dataclass
class LeaderboardRun:
    """What a call of :func:`run_leaderboard` did.

    Parameters
    ----------
    records : list of RunRecord
        Finished and failed runs, in order of task, system and seed.
    skipped : list of Skipped
        What was not run, and why.
    n_reused : int
        How many of the records stood in the store before.
    """

    records: list[RunRecord] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    n_reused: int = 0

    @property
    def failed(self) -> list[RunRecord]:
        """The runs that failed."""
        return [record for record in self.records if record.status == "failed"]


def describe_task(task: Task, evaluation: str) -> TaskFacts:
    """Return the facts of a task that a record holds.

    Parameters
    ----------
    task : Task
        The task.
    evaluation : {"test", "cv"}
        What is scored; decides which tweets are compared with train.
    """
    used = {
        name: task.splits[name]
        for name in ("train", "dev", "test")
        if name in task.splits
    }
    sizes = {name: len(split) for name, split in used.items()}
    n_shared = 0
    if evaluation == "test":
        seen = {text_key(text, str.strip) for text in used["train"].texts} - {""}
        n_shared = sum(text_key(t, str.strip) in seen for t in used["test"].texts)
    else:
        sizes["cv"] = sizes["train"] + sizes.get("dev", 0)
    return TaskFacts(
        name=task.name,
        version=str(task.version),
        language=task.language,
        kind=task.kind,
        metric=task.metric.signature(),
        metric_options={
            field.name: list(value) if isinstance(value, tuple) else value
            for field in fields(task.metric)
            if (value := getattr(task.metric, field.name)) not in (None, ())
        },
        greater_is_better=task.metric.greater_is_better,
        label_names=tuple(task.label_names or ()),
        data={name: split.sha256 for name, split in used.items()},
        sizes=sizes,
        n_shared=n_shared,
    )


def _settle(task: Task, protocol: Protocol) -> Protocol:
    """Cross-validate a task whose test labels are withheld."""
    if protocol.evaluation == "test" and task.test is None:
        return replace(protocol, evaluation="cv")
    return protocol


def _normalise(task: Task, system: System, protocol: Protocol) -> Protocol:
    """Drop what has no effect: runs with equal numbers have one name."""
    return _settle(task, protocol).normalise(
        has_grid=bool(system.grid), has_dev="dev" in task.splits
    )


def make_spec(
    task: Task,
    system: System,
    seed: int,
    protocol: Protocol,
    facts: TaskFacts | None = None,
) -> RunSpec:
    """Return the specification of one run.

    Parameters
    ----------
    task : Task
        The task. If its test labels are withheld it is cross-validated, whatever the
        protocol says.
    system : System
        The system.
    seed : int
        Seed of the run.
    protocol : Protocol
        How the system is trained and scored; options that have no effect on this
        task and system are dropped.
    facts : TaskFacts, optional
        What :func:`describe_task` gave for the task; computed if not given.
    """
    protocol = _normalise(task, system, protocol)
    grid = {key: list(values) for key, values in system.grid.items()}
    return RunSpec(
        task=facts or describe_task(task, protocol.evaluation),
        system=system.name,
        target=system.target,
        arguments=system.recorded_arguments(task),
        grid=grid if protocol.grid else None,
        seed=seed,
        protocol=protocol,
        version=__version__,
    )


def _obstacle(task: Task, system: System) -> str | None:
    """Return why `system` cannot run on `task`, or None."""
    kind = task.kind
    if kind == "pair" and task.target_kind not in {"binary", "multiclass"}:
        kind = f"pair-{task.target_kind}"
    if not system.supports(kind):
        return f"does not do {kind} tasks"
    if system.module and importlib.util.find_spec(system.module) is None:
        return (
            f"needs {system.module}, which is not installed; run: "
            f'pip install "tweetclf[{system.extra}]"'
        )
    given = {name for name, value in system.params.items() if value}
    if system.needs and not given & {system.needs, "preset"}:
        return (
            f"needs its parameter {system.needs!r}: --param "
            f"{system.name}.{system.needs}=PATH"
        )
    return None


def check_runs(task: Task, system: System) -> None:
    """Refuse a system that cannot run on `task`.

    Raises
    ------
    DataError
        If the kind of task is not the system's.
    MissingDependencyError
        If an extra is not installed.
    """
    reason = _obstacle(task, system)
    if reason:
        kind = MissingDependencyError if "not installed" in reason else DataError
        raise kind(f"{system.name} {reason} ({task.name}).")


@dataclass(frozen=True)
class _Job:
    position: int
    task: Task
    system: System
    spec: RunSpec


def _execute(job: _Job) -> tuple[int, RunRecord, Any]:
    # Beside another run of the process time and memory would be those of both.
    with ALONE:
        return (job.position, *execute_run(job.task, job.system, job.spec))


def _counted(jobs: Iterable[_Job], store: RunStore) -> Iterator[_Job]:
    """Write a line into the ledger for each job that is handed out.

    Here and not in the worker, since a worker may run on a machine without the store.
    """
    for job in jobs:
        if job.spec.protocol.evaluation == "test":
            store.count_test_scoring(job.spec)
        yield job


def run_leaderboard(
    tasks: Iterable[Task],
    systems: Iterable[System],
    store: RunStore,
    *,
    seeds: Sequence[int] = (0,),
    protocol: Protocol | None = None,
    n_jobs: int = 1,
    backend: str | None = None,
    on_record: Callable[[RunRecord, int, int], None] | None = None,
) -> LeaderboardRun:
    """Run all systems on all tasks with all seeds; reuse what is stored.

    Parameters
    ----------
    tasks : iterable of Task
        Tasks with their data at hand.
    systems : iterable of System
        Systems.
    store : RunStore
        Where records are looked up and stored.
    seeds : sequence of int, default=(0,)
        Seeds; each is a run.
    protocol : Protocol, optional
        How systems are trained and scored; by default on test, without a grid.
    n_jobs : int, default=1
        Number of runs at the same time, as in joblib (-1: all cores).
    backend : str, optional
        Any joblib backend, e.g. ``"loky"`` (the default when ``n_jobs`` is not 1)
        or ``"dask"`` within a client's context. In threads runs take turns, as
        their time and memory would not be their own.
    on_record : callable, optional
        Called with each record, the number done and the number of all runs.

    Returns
    -------
    LeaderboardRun
        Records in order, whether computed now or reused, and what was skipped.

    Notes
    -----
    Every record is stored as soon as it comes back, so that a killed call goes on
    where it stopped. A failing system is recorded as failed; it is tried again by the
    next call.
    """
    protocol = protocol or Protocol()
    outcome = LeaderboardRun()
    systems = list(systems)
    found: dict[int, RunRecord] = {}
    jobs: list[_Job] = []
    position = 0
    for task in tasks:
        facts = describe_task(task, _settle(task, protocol).evaluation)
        for system in systems:
            reason = _obstacle(task, system)
            if reason:
                outcome.skipped.append(Skipped(task.name, system.name, reason))
                continue
            for seed in seeds:
                spec = make_spec(task, system, seed, protocol, facts)
                stored = store.get(spec)
                if stored is None:
                    jobs.append(_Job(position, task, system, spec))
                else:
                    found[position] = stored
                    outcome.n_reused += 1
                position += 1
    done = 0
    for done, record in enumerate(found.values(), start=1):
        if on_record:
            on_record(record, done, position)
    counted = _counted(jobs, store)
    for place, record, predictions in unordered(_execute, counted, n_jobs, backend):
        stored = store.put(record, predictions)
        found[place] = stored
        done += 1
        if on_record:
            on_record(stored, done, position)
    forget_features()
    outcome.records = [found[place] for place in sorted(found)]
    return outcome
