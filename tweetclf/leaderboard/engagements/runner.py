"""Engagement prediction by many systems in many languages, each run stored once."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tweetclf._version import __version__
from tweetclf.estimators.engagement_evaluation import engagement_runs
from tweetclf.exceptions import DataError, RecordError
from tweetclf.leaderboard.engagements.records import (
    EngagementProtocol,
    EngagementRecord,
    EngagementSpec,
    EngagementStore,
)
from tweetclf.leaderboard.engagements.sets import SPLITS, LanguagePart

if TYPE_CHECKING:
    from tweetclf.leaderboard.system import System

__all__ = ["EngagementRun", "run_engagements"]

_FIXED = ("k", "n_candidates", "ties", "random_state")


@dataclass
class EngagementRun:
    """What a call of `run_engagements` did.

    Parameters
    ----------
    records : list of EngagementRecord
        Finished and failed runs, in order of language, system and run.
    skipped : list of (str, str)
        Systems that were not run, and why.
    n_reused : int
        How many of the records stood in the store before.
    damaged : list of str
        What is wrong with stored runs that could not be read, and were left out.
    """

    records: list[EngagementRecord] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    n_reused: int = 0
    damaged: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[EngagementRecord]:
        """The runs that failed."""
        return [record for record in self.records if record.status == "failed"]


def _obstacle(system: System) -> str | None:
    """Return why a system cannot run here, or None."""
    if system.module and importlib.util.find_spec(system.module) is None:
        return (
            f"needs {system.module}, which is not installed; run: "
            f'pip install "tweetclf[{system.extra}]"'
        )
    if system.needs and not system.params.get(system.needs):
        return (
            f"needs its parameter {system.needs!r}: --param "
            f"{system.name}.{system.needs}=PATH"
        )
    return None


def _check(system: System) -> None:
    fixed = [name for name in _FIXED if name in system.params]
    if fixed:
        raise DataError(
            f"{system.name}.{fixed[0]} cannot be set: it is part of the protocol, "
            "which is the same for all systems."
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _build(part: LanguagePart, system: System, protocol: EngagementProtocol) -> Any:
    predictor = system.build(part, seed=0)  # type: ignore[arg-type]
    return predictor.set_params(
        k=protocol.k, n_candidates=protocol.n_candidates, ties=protocol.ties
    )


def _run(
    part: LanguagePart,
    system: System,
    specs: Sequence[EngagementSpec],
    store: EngagementStore,
) -> Iterator[EngagementRecord]:
    """Make the runs of a system in a language; the first failure ends them.

    A system that fails once, as with a model that is not there, would fail again.
    """
    todo = iter(specs)
    spec = next(todo)
    try:
        start = time.perf_counter()
        found = engagement_runs(
            _build(part, system, spec.protocol),
            tuple(part.records[name] for name in SPLITS),  # type: ignore[arg-type]
            user_vectors=part.user_vectors,
            texts=part.texts,
            runs=[spec.run for spec in specs],
            pool=part.pool,
            seed=spec.protocol.seed,
        )
        for predictor, ranked in found:
            record = EngagementRecord(
                spec,
                "finished",
                score=ranked.mean,
                n_candidates=ranked.n_candidates,
                chance=ranked.chance,
                n_iter=predictor.n_iter_,
                fit_seconds=time.perf_counter() - start,
                created=_now(),
            )
            yield store.put(record, ranked.hits)
            start, spec = time.perf_counter(), next(todo, spec)
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        yield store.put(EngagementRecord(spec, "failed", error=said, created=_now()))


def run_engagements(
    parts: Iterable[LanguagePart],
    systems: Iterable[System],
    store: EngagementStore,
    *,
    protocol: EngagementProtocol | None = None,
    on_record: Callable[[EngagementRecord, int, int], None] | None = None,
) -> EngagementRun:
    """Predict engagements with every system in every language; reuse what is stored.

    Parameters
    ----------
    parts : iterable of LanguagePart
        The languages.
    systems : iterable of System
        Systems whose factories make an `EngagementPredictor`.
    store : EngagementStore
        Where runs are looked up and stored.
    protocol : EngagementProtocol, optional
        How they are evaluated; the paper's by default.
    on_record : callable, optional
        Called with each record, the number done and the number of all runs.

    Returns
    -------
    EngagementRun
        Records, whether computed now or reused, and what was skipped.

    Raises
    ------
    DataError
        If a system sets what the protocol sets.

    Notes
    -----
    A run is stored as soon as it is done: a call that was killed goes on where it
    stopped. The features of a language are computed once a system, and only if one of
    its runs is missing. What failed is tried again by the next call.
    """
    protocol = protocol or EngagementProtocol()
    outcome = EngagementRun()
    usable = []
    for system in systems:
        _check(system)
        reason = _obstacle(system)
        if reason:
            outcome.skipped.append((system.name, reason))
        else:
            usable.append(system)
    parts = list(parts)
    done, total = 0, len(parts) * len(usable) * protocol.n_runs
    for part in parts:
        for system in usable:
            before = done
            for record in _all_runs(part, system, store, protocol, outcome):
                outcome.records.append(record)
                done += 1
                if on_record:
                    on_record(record, done, total)
            # Runs that a failure has kept from being started.
            total -= protocol.n_runs - (done - before)
    return outcome


def _all_runs(
    part: LanguagePart,
    system: System,
    store: EngagementStore,
    protocol: EngagementProtocol,
    outcome: EngagementRun,
) -> Iterator[EngagementRecord]:
    """Yield the runs of a system in a language: first the stored ones."""
    try:
        arguments = system.recorded_arguments(part)  # type: ignore[arg-type]
    except DataError as error:
        arguments, obstacle = dict(system.params), str(error)
    else:
        obstacle = ""
    specs = [
        EngagementSpec(
            part.language,
            part.digest,
            system.name,
            system.target,
            arguments,
            number,
            protocol,
            __version__,
        )
        for number in range(protocol.n_runs)
    ]
    if obstacle:
        yield store.put(
            EngagementRecord(specs[0], "failed", error=obstacle, created=_now())
        )
        return
    missing = []
    for spec in specs:
        try:
            stored = store.get(spec)
        except RecordError as error:
            outcome.damaged.append(str(error))
            continue
        if stored is None:
            missing.append(spec)
        else:
            outcome.n_reused += 1
            yield stored
    if missing:
        yield from _run(part, system, missing, store)
