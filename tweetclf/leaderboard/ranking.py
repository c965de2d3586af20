"""Ranking: from run records to leaderboards.

Nothing here knows an estimator or reads a tweet: records and stored predictions are
enough to rebuild every table.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import RecordError
from tweetclf.leaderboard.boards import (
    Contrast,
    Entry,
    Leaderboard,
    Overall,
    TaskBoard,
)
from tweetclf.leaderboard.checking import check_arrays, check_score
from tweetclf.leaderboard.contrasts import Contestants
from tweetclf.leaderboard.definitions import MIN_RESAMPLES
from tweetclf.leaderboard.probabilities import calibrations
from tweetclf.leaderboard.records import RunRecord, TaskFacts
from tweetclf.leaderboard.shared import FindSeen, share_with_training
from tweetclf.leaderboard.statistics import (
    bootstrap_scores,
    enough_resamples,
    percentile_interval,
)
from tweetclf.leaderboard.variants import label_variants
from tweetclf.tasks.metric import Metric
from tweetclf.utils.random import stream

if TYPE_CHECKING:
    from tweetclf.tasks import PublishedResult

__all__ = ["Entry", "Leaderboard", "Overall", "TaskBoard", "build_leaderboard"]

Predictions = Mapping[str, NDArray[Any]]


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
    arrays: Mapping[str, Predictions],
    metric: Metric,
    n_resamples: int,
    seed: int,
) -> _Scored:
    """Bootstrap all runs of a task together, then average the seeds of a system."""
    runs = [run for group in by_system.values() for run in group]
    facts = runs[0].spec.task
    first = arrays[runs[0].key]
    resampled = bootstrap_scores(
        metric,
        first["y_true"],
        [arrays[run.key]["y_pred"] for run in runs],
        label_names=facts.label_names,
        groups=first.get("groups"),
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
    return scored


def _order(scored: _Scored, greater_is_better: bool) -> tuple[list[int], list[float]]:
    """Return the systems best first, and the scores that they are ranked by.

    Undefined scores come last; equal ones by name.
    """
    sign = 1.0 if greater_is_better else -1.0
    keyed = np.where(np.isfinite(scored.observed), sign * scored.observed, -np.inf)
    order = sorted(range(len(keyed)), key=lambda i: (-keyed[i], scored.systems[i]))
    return order, [float(keyed[i]) for i in order]


def _entries(
    scored: _Scored,
    order: Sequence[int],
    keyed: Sequence[float],
    contrasts: Sequence[Contrast],
) -> tuple[Entry, ...]:
    p_best = [1.0, *(float(c.comparison.p_adjusted or 0.0) for c in contrasts)]
    return tuple(
        Entry(
            scored.systems[i],
            float(scored.observed[i]),
            *percentile_interval(scored.resampled[i]),
            tuple(run.score for run in scored.runs[i]),
            scored.runs[i][0].fold_scores,
            rank,
            p,
            tuple(scored.runs[i]),
        )
        for i, rank, p in zip(order, _competition_ranks(keyed), p_best, strict=True)
    )


def _ranked(
    board: TaskBoard,
    by_system: Mapping[str, Sequence[RunRecord]],
    arrays: Mapping[str, Predictions],
    seen: FindSeen | None,
    n_resamples: int,
    seed: int,
) -> tuple[TaskBoard, _Scored]:
    """Rank the systems of a board, compare them, and look at what they had seen."""
    metric = Metric(**board.facts.metric_options)
    scored = _resample(by_system, arrays, metric, n_resamples, seed)
    order, keyed = _order(scored, metric.greater_is_better)
    gold = arrays[scored.runs[0][0].key]["y_true"]
    contestants = Contestants(
        metric,
        scored.systems,
        scored.observed,
        scored.resampled,
        gold,
        [[arrays[run.key]["y_pred"] for run in runs] for runs in scored.runs],
        bool(board.facts.label_names),
    )
    contrasts = contestants.against(order[0], order[1:])
    entries = _entries(scored, order, keyed, contrasts)
    # The leader is the first entry, for the matrix as for the tables.
    best = arrays[entries[0].records[0].key]
    defined = [i for i, key in zip(order, keyed, strict=True) if math.isfinite(key)]
    board = replace(
        board,
        entries=entries,
        confusion=_confusion(best, len(board.facts.label_names)),
        n_scored=len(gold),
        contrasts=contrasts,
        neighbours=contestants.neighbours(defined),
        shared=share_with_training(
            by_system, arrays, metric, find=seen, n_resamples=n_resamples, seed=seed
        ),
        calibration=calibrations(by_system, arrays),
    )
    return board, scored


def _confusion(arrays: Predictions, n_labels: int) -> NDArray[np.int64] | None:
    y_true, y_pred = arrays["y_true"], arrays["y_pred"]
    if not n_labels or y_true.ndim > 1:
        return None
    flat = y_true.astype(np.int64) * n_labels + y_pred
    counts = np.bincount(flat, minlength=n_labels**2)
    return counts.reshape(n_labels, n_labels)


def _overall(boards: Sequence[TaskBoard], scored: Sequence[_Scored]) -> list[Overall]:
    """Rank the systems that finished every task by their mean rank.

    Ranks are relative to who competes, so they are computed anew among these. A task
    that stands here in several versions of its data has no score of its own.
    """
    if len(boards) < 2 or len({b.facts.name for b in boards}) < len(boards):
        return []
    names = set.intersection(*({e.system for e in board.entries} for board in boards))
    if not names:
        return []
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
    # A task on which the score of one of them is not defined ranks none of them.
    defined = np.isfinite(scores).all(axis=0)
    comparable = bool((signs > 0).all())
    rows = []
    for i, name in enumerate(systems):
        draws = np.mean([s.resampled[s.systems.index(name)] for s in scored], axis=0)
        low, high = percentile_interval(draws) if comparable else (math.nan, math.nan)
        rows.append(
            Overall(
                name,
                float(ranks[i, defined].mean()) if defined.any() else math.nan,
                float(scores[i].mean()) if comparable else math.nan,
                low,
                high,
                {
                    b.facts.name: float(s)
                    for b, s in zip(boards, scores[i], strict=True)
                },
                boards[0].split,
            )
        )
    return sorted(rows, key=lambda row: (row.mean_rank, row.system))


def _board_of(run: RunRecord) -> tuple[str, str, str]:
    """Return the table of a run: one a task, version of its data and evaluation."""
    facts = run.spec.task
    return facts.name, run.split, repr(sorted(facts.data.items()))


def _by_system(
    runs: Sequence[RunRecord], labels: Mapping[str, str]
) -> dict[str, list[RunRecord]]:
    """Group the seeds of each variant of a system.

    Two runs of one variant and seed have the same numbers: one of them is enough.
    Systems come by name: resampled cells follow the order of the runs, and the same
    runs must give the same intervals, wherever they were read from.
    """
    grouped: dict[str, dict[int, RunRecord]] = {}
    for run in runs:
        grouped.setdefault(labels[run.key], {}).setdefault(run.spec.seed, run)
    return {
        label: [by_seed[seed] for seed in sorted(by_seed)]
        for label, by_seed in sorted(grouped.items())
    }


def _read_all(
    records: Iterable[RunRecord],
    predictions: Callable[[RunRecord], Predictions],
    on_damage: Callable[[RecordError], None] | None,
) -> tuple[list[RunRecord], dict[str, Predictions]]:
    """Read and check the predictions of finished runs; leave damaged ones out."""
    kept: list[RunRecord] = []
    arrays: dict[str, Predictions] = {}
    first: dict[tuple[str, str, str], Predictions] = {}
    for record in records:
        if record.status == "finished":
            try:
                found = predictions(record)
                check_arrays(record, found, record.spec.path.replace(".json", ".npz"))
                check_score(record, found)
                _check_gold(record, found, first.setdefault(_board_of(record), found))
            except RecordError as error:
                if on_damage is None:
                    raise
                on_damage(error)
                continue
            arrays[record.key] = found
        kept.append(record)
    return kept, arrays


def _check_gold(record: RunRecord, found: Predictions, first: Predictions) -> None:
    """Refuse predictions for other gold labels than those of the other runs."""
    for name in ("y_true", "groups"):
        ours, theirs = found.get(name), first.get(name)
        if (ours is None) != (theirs is None) or (
            ours is not None and not np.array_equal(ours, theirs)  # type: ignore[arg-type]
        ):
            raise RecordError(
                f"run {record.key} was scored against other values of {name} than "
                f"another run on the same data of {record.spec.task.name}. "
                f"{record.remedy}"
            )


def build_leaderboard(
    records: Iterable[RunRecord],
    predictions: Callable[[RunRecord], Predictions],
    *,
    title: str = "Leaderboard",
    published: Callable[[TaskFacts], Iterable[PublishedResult]] | None = None,
    n_test_scorings: Callable[[str, str | None], int] | None = None,
    skipped: Iterable[tuple[str, str | None, str]] = (),
    n_resamples: int = 2000,
    seed: int = 0,
    on_damage: Callable[[RecordError], None] | None = None,
    seen: FindSeen | None = None,
) -> Leaderboard:
    """Rank the systems of every task, and over the tasks.

    Every finished run is scored again from its predictions first.

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
        Task name and hash of the test split -> number of test scorings, e.g.
        ``RunStore.test_scorings``.
    skipped : iterable of (task, system or None, reason), optional
        What was not run.
    n_resamples : int, default=2000
        Bootstrap resamples, at least 100. More are drawn where with so few no
        difference between so many systems could be found; see
        :func:`tweetclf.leaderboard.statistics.enough_resamples`.
    seed : int, default=0
        Seed of the bootstrap; each task has a stream of its own, so that adding a
        task changes no number of another.
    on_damage : callable, optional
        Called with the error of each damaged run, which is left out; without it the
        error is raised.
    seen : callable, optional
        Record and its predictions -> which of its tweets were trained on, or None, for
        records of old that do not hold it; e.g.
        :class:`tweetclf.leaderboard.shared.SeenAtHand`.

    Returns
    -------
    Leaderboard
        The tables.

    Raises
    ------
    RecordError
        If the score of a record is not that of its predictions.
    ValueError
        If `n_resamples` is too small.
    """
    if n_resamples < MIN_RESAMPLES:
        raise ValueError(
            f"build_leaderboard: n_resamples must be at least {MIN_RESAMPLES}. Got "
            f"{n_resamples} instead."
        )
    kept, arrays = _read_all(records, predictions, on_damage)
    labels = label_variants(kept, _board_of)
    by_task: dict[tuple[str, str, str], list[RunRecord]] = defaultdict(list)
    for record in kept:
        by_task[_board_of(record)].append(record)
    systems = {
        place: _by_system([run for run in runs if run.status == "finished"], labels)
        for place, runs in by_task.items()
    }
    n_resamples = enough_resamples(
        n_resamples, max(map(len, systems.values()), default=0)
    )
    boards: list[TaskBoard] = []
    all_scored: list[tuple[TaskBoard, _Scored]] = []
    for place, runs in by_task.items():
        board = _empty_board(runs, labels, published, n_test_scorings)
        if systems[place]:
            board, scored = _ranked(
                board, systems[place], arrays, seen, n_resamples, seed
            )
            all_scored.append((board, scored))
        boards.append(board)
    overall: list[Overall] = []
    for split in ("test", "cv"):
        alike = [pair for pair in all_scored if pair[0].split == split]
        overall += _overall([b for b, _ in alike], [s for _, s in alike])
    return Leaderboard(
        title, tuple(boards), tuple(overall), tuple(skipped), n_resamples
    )


def _empty_board(
    runs: Sequence[RunRecord],
    labels: Mapping[str, str],
    published: Callable[[TaskFacts], Iterable[PublishedResult]] | None,
    n_test_scorings: Callable[[str, str | None], int] | None,
) -> TaskBoard:
    """Return what is known of a task before its systems are ranked."""
    facts, split = runs[0].spec.task, runs[0].split
    counted = n_test_scorings is not None and split == "test"
    return TaskBoard(
        facts,
        split,
        facts.sizes.get(split, 0),
        (),
        tuple(run for run in runs if run.status != "finished"),
        tuple(published(facts)) if published else (),
        None,
        n_test_scorings(facts.name, facts.data.get("test"))
        if n_test_scorings and counted
        else None,
        {run.key: labels[run.key] for run in runs},
    )
