"""Ranking: from run records to leaderboards.

Nothing here knows an estimator or reads a tweet: records and stored predictions are
enough to rebuild every table.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.leaderboard.records import RunRecord, TaskFacts
from tweetclf.leaderboard.statistics import (
    bootstrap_scores,
    holm,
    paired_p_values,
    percentile_interval,
)
from tweetclf.tasks.metric import Metric
from tweetclf.utils.random import stream

if TYPE_CHECKING:
    from tweetclf.tasks import PublishedResult

__all__ = ["Entry", "Leaderboard", "Overall", "TaskBoard", "build_leaderboard"]

ALPHA = 0.05
"""Family-wise error of the statement that a system is not tied with the best."""

Predictions = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Entry:
    """One system on one task.

    Parameters
    ----------
    system : str
        Name of the system.
    score : float
        Official metric, mean over seeds.
    low, high : float
        95 % paired-bootstrap interval over tweets.
    seed_scores : tuple of float
        Score of each seed.
    fold_scores : tuple of float
        Score of each fold of the first seed, under cross-validation.
    rank : int
        Position, 1 is best; systems with equal scores share it.
    p_best : float
        Holm-adjusted p-value of the difference from the best; 1 for the best.
    records : tuple of RunRecord
        The runs, in order of seed.
    """

    system: str
    score: float
    low: float
    high: float
    seed_scores: tuple[float, ...]
    fold_scores: tuple[float, ...]
    rank: int
    p_best: float
    records: tuple[RunRecord, ...]

    @property
    def tied(self) -> bool:
        """Whether the system cannot be told apart from the best."""
        return self.p_best >= ALPHA

    @property
    def spread(self) -> float:
        """Standard deviation over seeds; NaN with one seed."""
        if len(self.seed_scores) < 2:
            return math.nan
        return float(np.std(self.seed_scores, ddof=1))

    def mean_cost(self, attribute: str) -> float:
        """Mean over seeds of an attribute of :class:`Cost`; NaN where not measured."""
        values = [getattr(record.cost, attribute) for record in self.records]
        if not values or any(value is None for value in values):
            return math.nan
        return float(np.mean(values))


@dataclass(frozen=True)
class TaskBoard:
    """The ranked systems of one task.

    Parameters
    ----------
    facts : TaskFacts
        The task.
    split : {"test", "cv"}
        What was scored.
    n_scored : int
        Number of tweets scored.
    entries : tuple of Entry
        Finished systems, best first.
    failed : tuple of RunRecord
        Failed runs.
    published : tuple of PublishedResult
        Published results of the same task.
    confusion : ndarray of shape (n_labels, n_labels) or None
        Of the best system's first seed; rows are gold labels.
    n_test_scorings : int or None
        How often the test split was scored in the store.
    """

    facts: TaskFacts
    split: str
    n_scored: int
    entries: tuple[Entry, ...]
    failed: tuple[RunRecord, ...] = ()
    published: tuple[PublishedResult, ...] = ()
    confusion: NDArray[np.int64] | None = None
    n_test_scorings: int | None = None


@dataclass(frozen=True)
class Overall:
    """One system over all tasks.

    Parameters
    ----------
    system : str
        Name of the system.
    mean_rank : float
        Mean of its ranks among the systems that finished every task.
    mean_score : float
        Mean score; NaN where the metrics are not all scores to maximise.
    low, high : float
        95 % bootstrap interval of the mean score over tweets.
    scores : mapping of str to float
        Task -> score.
    """

    system: str
    mean_rank: float
    mean_score: float
    low: float
    high: float
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Leaderboard:
    """All tables of a report.

    Parameters
    ----------
    title : str
        Title of the report.
    boards : tuple of TaskBoard
        One a task.
    overall : tuple of Overall
        Systems that finished every task, by mean rank; empty with one task.
    skipped : tuple of (task, system or None, reason)
        What was not run.
    n_resamples : int
        Bootstrap resamples behind the intervals.
    """

    title: str
    boards: tuple[TaskBoard, ...]
    overall: tuple[Overall, ...] = ()
    skipped: tuple[tuple[str, str | None, str], ...] = ()
    n_resamples: int = 0


@dataclass
class _Scored:
    """Runs of one task with their resampled scores."""

    systems: list[str] = field(default_factory=list)
    runs: list[list[RunRecord]] = field(default_factory=list)
    observed: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    resampled: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))


def _competition_ranks(scores: Sequence[float]) -> list[int]:
    """Rank scores that are sorted best first; equal ones share the smaller rank."""
    ranks: list[int] = []
    for position, score in enumerate(scores):
        tied = position > 0 and score == scores[position - 1]
        ranks.append(ranks[-1] if tied else position + 1)
    return ranks


def _resample(
    by_system: Mapping[str, Sequence[RunRecord]],
    predictions: Callable[[RunRecord], Predictions],
    metric: Metric,
    n_resamples: int,
    seed: int,
) -> tuple[_Scored, Predictions]:
    """Bootstrap all runs of a task together, then average the seeds of a system."""
    runs = [run for group in by_system.values() for run in group]
    arrays = [predictions(run) for run in runs]
    facts = runs[0].spec.task
    y_true = arrays[0]["y_true"]
    resampled = bootstrap_scores(
        metric,
        y_true,
        [array["y_pred"] for array in arrays],
        label_names=facts.label_names,
        groups=arrays[0].get("groups"),
        n_resamples=n_resamples,
        rng=stream(seed, "bootstrap", facts.name),
    )
    scored = _Scored()
    start = 0
    means, rows = [], []
    for system, group in by_system.items():
        stop = start + len(group)
        scored.systems.append(system)
        scored.runs.append(list(group))
        means.append(float(np.mean([run.score for run in group])))
        rows.append(resampled[start:stop].mean(axis=0))
        start = stop
    scored.observed = np.array(means)
    scored.resampled = np.array(rows)
    best = np.argmax(scored.observed if metric.greater_is_better else -scored.observed)
    first_run = runs.index(scored.runs[int(best)][0])
    return scored, arrays[first_run]


def _entries(scored: _Scored, greater_is_better: bool) -> tuple[Entry, ...]:
    sign = 1.0 if greater_is_better else -1.0
    keyed = np.where(np.isfinite(scored.observed), sign * scored.observed, -np.inf)
    order = sorted(range(len(keyed)), key=lambda i: (-keyed[i], scored.systems[i]))
    best = order[0]
    p_values = paired_p_values(scored.resampled, scored.observed, best)
    others = [i for i in order if i != best]
    adjusted = np.ones(len(keyed))
    if others:
        adjusted[others] = holm(p_values[others])
    ranks = _competition_ranks([float(keyed[i]) for i in order])
    return tuple(
        Entry(
            scored.systems[i],
            float(scored.observed[i]),
            *percentile_interval(scored.resampled[i]),
            tuple(run.score for run in scored.runs[i]),
            scored.runs[i][0].fold_scores,
            rank,
            float(adjusted[i]),
            tuple(scored.runs[i]),
        )
        for i, rank in zip(order, ranks, strict=True)
    )


def _confusion(arrays: Predictions, n_labels: int) -> NDArray[np.int64] | None:
    y_true, y_pred = arrays["y_true"], arrays["y_pred"]
    if not n_labels or y_true.ndim > 1:
        return None
    flat = y_true.astype(np.int64) * n_labels + y_pred
    counts = np.bincount(flat, minlength=n_labels**2)
    return counts.reshape(n_labels, n_labels)


def _overall(
    boards: Sequence[TaskBoard], scored: Sequence[_Scored]
) -> tuple[Overall, ...]:
    """Rank the systems that finished every task by their mean rank.

    Ranks are relative to who competes, so they are computed anew among these.
    """
    if len(boards) < 2:
        return ()
    names = set.intersection(*({e.system for e in board.entries} for board in boards))
    if not names:
        return ()
    from scipy.stats import rankdata

    systems = sorted(names)
    scores = np.array(
        [
            [{e.system: e.score for e in board.entries}[name] for board in boards]
            for name in systems
        ]
    )
    signs = np.array([1.0 if b.facts.greater_is_better else -1.0 for b in boards])
    ranks = rankdata(-scores * signs, axis=0)
    comparable = bool((signs > 0).all())
    rows = []
    for i, name in enumerate(systems):
        draws = np.mean([s.resampled[s.systems.index(name)] for s in scored], axis=0)
        low, high = percentile_interval(draws) if comparable else (math.nan, math.nan)
        rows.append(
            Overall(
                name,
                float(ranks[i].mean()),
                float(scores[i].mean()) if comparable else math.nan,
                low,
                high,
                {
                    b.facts.name: float(s)
                    for b, s in zip(boards, scores[i], strict=True)
                },
            )
        )
    return tuple(sorted(rows, key=lambda row: (row.mean_rank, row.system)))


def _by_system(runs: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    """Group the seeds of each system; tell its variants apart where there are any."""
    variants: dict[str, dict[str, list[RunRecord]]] = {}
    for run in runs:
        spec = run.spec
        variant = repr(
            (spec.version, spec.grid, spec.arguments, spec.protocol, spec.target)
        )
        variants.setdefault(spec.system, {}).setdefault(variant, []).append(run)
    grouped = {}
    for system, groups in variants.items():
        for group in groups.values():
            label = system
            if len(groups) > 1:
                label = f"{system} [{group[0].key[:6]}]"
            grouped[label] = sorted(group, key=lambda run: run.spec.seed)
    return grouped


def build_leaderboard(
    records: Iterable[RunRecord],
    predictions: Callable[[RunRecord], Predictions],
    *,
    title: str = "Leaderboard",
    published: Callable[[TaskFacts], Iterable[PublishedResult]] | None = None,
    n_test_scorings: Callable[[str], int] | None = None,
    skipped: Iterable[tuple[str, str | None, str]] = (),
    n_resamples: int = 2000,
    seed: int = 0,
) -> Leaderboard:
    """Rank the systems of every task, and over the tasks.

    Parameters
    ----------
    records : iterable of RunRecord
        Finished and failed runs; tasks and systems keep the order in which they
        appear.
    predictions : callable
        Record -> ``{"y_true": ..., "y_pred": ...}``, e.g. ``RunStore.predictions``.
    title : str, default="Leaderboard"
        Title of the report.
    published : callable, optional
        Facts of a task -> its published results.
    n_test_scorings : callable, optional
        Task name -> number of test scorings, e.g. ``RunStore.test_scorings``.
    skipped : iterable of (task, system or None, reason), optional
        What was not run.
    n_resamples : int, default=2000
        Bootstrap resamples.
    seed : int, default=0
        Seed of the bootstrap; each task has a stream of its own, so that adding a
        task changes no number of another.

    Returns
    -------
    Leaderboard
        The tables.
    """
    by_task: dict[tuple[str, str, str], list[RunRecord]] = defaultdict(list)
    for record in records:
        facts = record.spec.task
        # Runs on other data, or scored otherwise, do not stand in one table.
        data = repr(sorted(facts.data.items()))
        by_task[facts.name, record.split, data].append(record)
    boards: list[TaskBoard] = []
    all_scored: list[_Scored] = []
    for (name, split, _), runs in by_task.items():
        facts = runs[0].spec.task
        by_system = _by_system([run for run in runs if run.status == "finished"])
        entries: tuple[Entry, ...] = ()
        confusion = None
        n_scored = facts.sizes.get(split, 0)
        if by_system:
            metric = Metric(**facts.metric_options)
            scored, best = _resample(by_system, predictions, metric, n_resamples, seed)
            all_scored.append(scored)
            entries = _entries(scored, metric.greater_is_better)
            confusion = _confusion(best, len(facts.label_names))
            n_scored = len(best["y_true"])
        boards.append(
            TaskBoard(
                facts,
                split,
                n_scored,
                entries,
                tuple(run for run in runs if run.status != "finished"),
                tuple(published(facts)) if published else (),
                confusion,
                n_test_scorings(name) if n_test_scorings and split == "test" else None,
            )
        )
    ranked = [board for board in boards if board.entries]
    return Leaderboard(
        title,
        tuple(boards),
        _overall(ranked, all_scored),
        tuple(skipped),
        n_resamples,
    )
