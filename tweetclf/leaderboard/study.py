"""Search of hyper-parameters: trials of one system on one task, each a run record.

Trials are scored on dev or by cross-validation of train and dev; the test split is
taken out of the task before anything is done.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from tweetclf._version import __version__
from tweetclf.exceptions import DataError, TweetclfWarning
from tweetclf.leaderboard.journal import Journal, Ledger
from tweetclf.leaderboard.records import Protocol, RunRecord, RunSpec, TaskFacts
from tweetclf.leaderboard.runner import check_runs, describe_task
from tweetclf.leaderboard.search_protocol import N_TRIALS, SearchProtocol
from tweetclf.leaderboard.selection import forget_features
from tweetclf.leaderboard.spaces import Space
from tweetclf.leaderboard.strategies import (
    Halving,
    Listed,
    Proposal,
    Strategy,
    halving_schedule,
    sample_settings,
)
from tweetclf.leaderboard.trial_runs import (
    Material,
    execute_trial,
    forget_material,
    make_trial_spec,
    trial_of,
    without_test,
)
from tweetclf.leaderboard.trials import Sweep, Trial
from tweetclf.leaderboard.workers import ALONE, Workers, unordered

if TYPE_CHECKING:
    from tweetclf.leaderboard.store import RunStore
    from tweetclf.leaderboard.systems import System
    from tweetclf.tasks import Task

__all__ = ["run_search"]


@dataclass(frozen=True)
class _Search:
    """A search with all that its runs need."""

    task: Task
    system: System
    space: Space
    protocol: SearchProtocol
    facts: TaskFacts

    @property
    def run_protocol(self) -> Protocol:
        folds = self.protocol.n_folds or Protocol.n_folds
        return Protocol(str(self.protocol.evaluation), folds)

    @property
    def seeds(self) -> tuple[int, ...]:
        return self.protocol.seeds or (0,)

    def spec(self, proposal: Proposal, seed: int) -> RunSpec:
        resource = proposal.resource
        if resource is not None and resource >= self.most:
            resource = None
        return make_trial_spec(
            self.task,
            self.system,
            proposal.params,
            facts=self.facts,
            protocol=self.run_protocol,
            seed=seed,
            resource=resource,
            new_folds=self.protocol.new_folds,
        )

    @property
    def most(self) -> int:
        """Number of training tweets that every fold has."""
        material = Material.of(self.task)
        specs = (
            make_trial_spec(
                self.task,
                self.system,
                {},
                facts=self.facts,
                protocol=self.run_protocol,
                seed=seed,
                new_folds=self.protocol.new_folds,
            )
            for seed in self.seeds
        )
        return min(len(inside) for spec in specs for inside, _ in material.parts(spec))

    @property
    def identity(self) -> dict[str, Any]:
        """What determines the trials; of endless strategies not their number."""
        facts = make_trial_spec(
            self.task,
            self.system,
            {},
            facts=self.facts,
            protocol=self.run_protocol,
            seed=0,
        ).to_document()
        settings = {
            field.name: getattr(self.protocol, field.name)
            for field in fields(self.protocol)
        }
        settings["seeds"] = list(self.seeds)
        if self.protocol.strategy != "halving":
            for name in ("n_trials", "factor", "min_resources"):
                del settings[name]
        return {"run": facts, "search": settings, "space": self.space.to_document()}

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits that name the search."""
        text = json.dumps(self.identity, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def strategy(self, width: int | None) -> Strategy:
        """Return what proposes the trials; `width` of them at a time."""
        protocol = self.protocol
        n_trials = protocol.n_trials or N_TRIALS
        greater = self.task.metric.greater_is_better
        if protocol.strategy == "tpe":
            from tweetclf.leaderboard.bayesian import TPE

            return TPE(self.space, n_trials, protocol.seed, greater, width)
        if protocol.n_trials is None:
            settings = list(self.space.settings())
        else:
            settings = sample_settings(self.space, n_trials, protocol.seed)
        if protocol.strategy != "halving":
            return Listed(settings)
        n_splits = protocol.n_folds or 1
        n_labels = max(1, len(self.task.label_names))
        rungs = halving_schedule(
            len(settings),
            factor=protocol.factor,
            min_resources=protocol.min_resources,
            least=2 * n_splits * n_labels,
            most=self.most,
            fewest=2 * n_labels,
        )
        return Halving(settings, rungs, greater)


@dataclass(frozen=True)
class _Job:
    number: int
    place: int
    task: Task
    system: System
    spec: RunSpec
    alone: bool


def _execute(job: _Job) -> tuple[_Job, RunRecord, Any]:
    # Workers of Dask may have several threads, whatever the system can stand.
    with ALONE if job.alone else nullcontext():
        return (job, *execute_trial(job.task, job.system, job.spec))


def _evaluate(
    search: _Search,
    proposals: Iterable[Proposal],
    store: RunStore,
    workers: Workers,
) -> Iterator[Trial]:
    """Run what is not stored yet; yield each trial when all its runs are there."""
    waiting = {proposal.number: proposal for proposal in proposals}
    found: dict[int, dict[int, RunRecord]] = {number: {} for number in waiting}
    jobs: list[_Job] = []
    for number, proposal in waiting.items():
        for place, seed in enumerate(search.seeds):
            spec = search.spec(proposal, seed)
            stored = store.get(spec)
            if stored is None:
                jobs.append(
                    _Job(
                        number,
                        place,
                        search.task,
                        search.system,
                        spec,
                        not workers.threads,
                    )
                )
            else:
                found[number][place] = stored

    def complete(number: int) -> Trial | None:
        records = found[number]
        if len(records) < len(search.seeds):
            return None
        return trial_of(waiting[number], [records[i] for i in range(len(records))])

    for number in waiting:
        trial = complete(number)
        if trial:
            yield trial
    n_jobs, backend = workers.n_jobs, workers.backend
    if len(jobs) == 1 and backend != "dask":
        # A pool for one run would only be started and stopped.
        n_jobs, backend = 1, None
    for job, record, predictions in unordered(_execute, jobs, n_jobs, backend):
        found[job.number][job.place] = store.put(record, predictions)
        trial = complete(job.number)
        if trial:
            yield trial


def _stored(search: _Search, store: RunStore, proposal: Proposal) -> Trial | None:
    """Return a trial as its records say; None unless all its runs are finished."""
    found = [store.get(search.spec(proposal, seed)) for seed in search.seeds]
    records = [record for record in found if record is not None]
    return trial_of(proposal, records) if len(records) == len(found) else None


def _open_journal(
    search: _Search, store: RunStore, strategy: Strategy, retry_failed: bool
) -> Journal:
    """Open the journal of a search; a trial whose runs are gone is run again."""
    spec = search.spec(Proposal(0, {}), search.seeds[0])
    _, task, system, _ = spec.path.split("/")
    path = store.path / "searches" / task / system / f"{search.key}.jsonl"
    journal = Journal(path, search.identity)
    remarks = journal.reconcile(
        strategy, lambda proposal: _stored(search, store, proposal)
    )
    _warn_of(str(path), remarks)
    if retry_failed:
        journal.retry_failed(strategy)
    return journal


def _warn_of(place: str, remarks: Sequence[str]) -> None:
    if remarks:
        warnings.warn(
            f"{place} does not agree with the runs in the store, and the runs count: "
            f"{'; '.join(remarks)}.",
            TweetclfWarning,
            stacklevel=4,
        )


def _as_recorded(
    search: _Search, store: RunStore, trials: Iterable[Trial], storage: str
) -> list[Trial]:
    """Return trials of a shared study with the scores of the runs that are at hand.

    What others ran may stand in stores of their own; of that the study is believed.
    """
    found, remarks = [], []
    for said in trials:
        proposal = Proposal(said.number, said.params, said.resource)
        trial = _stored(search, store, proposal)
        if trial is not None and trial.outcome != said.outcome:
            remarks.append(
                f"trial {said.number}: the study says {said.outcome}, the records say "
                f"{trial.outcome}"
            )
            said = trial
        found.append(said)
    _warn_of(f"the study in {storage}", remarks)
    return found


def _is_whole(search: _Search, n_trials: int) -> bool:
    """Tell whether every setting of a finite space was tried."""
    if search.protocol.strategy not in ("grid", "random") or not search.space.finite:
        return False
    # A sample of a finite space has no setting twice.
    return n_trials >= sum(1 for _ in search.space.settings())


def _sweep(search: _Search, trials: Sequence[Trial]) -> Sweep:
    protocol = search.protocol
    return Sweep(
        task=search.task.name,
        system=search.system.name,
        space=str(protocol.space),
        strategy=str(protocol.strategy),
        metric=search.facts.metric,
        evaluation=str(protocol.evaluation),
        trials=tuple(trials),
        greater_is_better=search.task.metric.greater_is_better,
        n_folds=protocol.n_folds,
        seeds=search.seeds,
        seed=protocol.seed,
        scales=search.space.scales,
        version=__version__,
        task_version=search.facts.version,
        whole=_is_whole(search, len(trials)),
    )


def _run_trials(
    search: _Search,
    ledger: Ledger,
    strategy: Strategy,
    store: RunStore,
    workers: Workers,
    on_trial: Callable[[Trial, int, int], None] | None,
) -> None:
    """Run what is not finished, until all trials are."""
    total = strategy.n_trials
    seen: set[int] = set()

    def report(trials: Iterable[Trial]) -> None:
        for trial in trials:
            if trial.number < total and trial.number not in seen:
                seen.add(trial.number)
                if on_trial:
                    on_trial(trial, len(seen), total)

    while True:
        report(ledger.finished().values())
        if len(seen) >= total:
            break
        batch = ledger.take(strategy, workers.n_jobs) or ledger.wait(strategy)
        for trial in _evaluate(search, batch, store, workers):
            ledger.finish(trial)
            report([trial])


def run_search(
    task: Task,
    system: System,
    store: RunStore,
    protocol: SearchProtocol | None = None,
    *,
    storage: str | None = None,
    n_jobs: int | None = None,
    backend: str | None = None,
    retry_failed: bool = False,
    on_trial: Callable[[Trial, int, int], None] | None = None,
) -> Sweep:
    """Search the hyper-parameters of a system on a task.

    Every run is stored as soon as it ends, failed ones included. A call that was
    killed goes on where it stopped when it is made again, with the same trials as if
    it had not been killed. The test split is never looked at.

    Parameters
    ----------
    task : Task
        The task.
    system : System
        The system.
    store : RunStore
        Where runs are looked up and stored, and the journal of the search.
    protocol : SearchProtocol, optional
        Space, strategy, evaluation.
    storage : str, optional
        A storage of Optuna's (path of a journal file, or SQL URL) in which many
        processes share the trials; each is called with the same arguments, and
        returns when all trials have ended. They share the store, too, or have one
        each.
    n_jobs : int, optional
        Number of runs at the same time, as in joblib. By default 1 where the strategy
        learns from the trials; else as many as a Dask cluster has workers, with that
        backend, or as many threads as there are processors where the system can run in
        threads, else 1.
    backend : str, optional
        Any joblib backend; by default threads where the system can run in them, else
        processes.
    retry_failed : bool, default=False
        Run trials that failed in an earlier call once more, and propose anew the
        trials that followed from them; not with `storage`.
    on_trial : callable, optional
        Called with each trial, the number done and the number of all.

    Returns
    -------
    Sweep
        All trials.

    Raises
    ------
    DataError
        If the system has no such search space, or lacks a parameter of it, or the
        task has not what the evaluation needs, or options do not go together.
    MissingDependencyError
        If strategy "tpe" or a storage is asked for and Optuna is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf import load_task
    >>> from tweetclf.leaderboard import RunStore, get_system, run_search
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sweep = run_search(
    ...         load_task("sample-humor"), get_system("tfidf-lr"), RunStore(folder)
    ...     )
    >>> len(sweep.trials), sweep.evaluation, list(sweep.best.params)
    (6, 'dev', ['lr__C'])
    """
    if storage is not None and retry_failed:
        raise DataError(
            "retry_failed does not go with a storage: a shared study keeps what failed."
        )
    task = without_test(task)
    check_runs(task, system)
    settled, space = (protocol or SearchProtocol()).settle(system, task)
    system.check_parameters(task, space.dimensions, f"search space {settled.space!r}")
    facts = describe_task(task, str(settled.evaluation))
    search = _Search(task, system, space, settled, facts)
    one_by_one = settled.strategy == "tpe"
    workers = Workers.choose(
        system.build(task), space, n_jobs, backend, one_by_one=one_by_one
    )
    ledger: Ledger
    if storage is None:
        strategy = search.strategy(workers.n_jobs)
        ledger = _open_journal(search, store, strategy, retry_failed)
    else:
        from tweetclf.leaderboard.shared_study import SharedStudy

        strategy = search.strategy(None)
        name = f"{task.name} {system.name} {search.key}"
        greater = task.metric.greater_is_better
        ledger = SharedStudy(storage, name, space, greater)
    try:
        _run_trials(search, ledger, strategy, store, workers, on_trial)
    finally:
        ledger.close()
        forget_features()
        forget_material()
    finished = ledger.finished()
    trials = [finished[number] for number in range(strategy.n_trials)]
    if storage is not None:
        trials = _as_recorded(search, store, trials, storage)
    return _sweep(search, trials)
