"""A leaderboard that can be checked by hand.

Gold: N N N N P P P P. System A errs on none, B on one tweet, C on four.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tweetclf.leaderboard import (
    Cost,
    Protocol,
    RunRecord,
    RunSpec,
    TaskFacts,
    build_leaderboard,
)
from tweetclf.leaderboard.checking import official_score
from tweetclf.tasks import Metric

GOLD = np.array([0, 0, 0, 0, 1, 1, 1, 1])
SYSTEMS = {
    "A": GOLD,
    "B": np.array([0, 0, 0, 1, 1, 1, 1, 1]),
    "C": np.array([1, 1, 0, 0, 0, 0, 1, 1]),
}


def _facts(name: str, metric: str = "accuracy") -> TaskFacts:
    made = Metric(metric, labels=() if metric == "rmse" else ("N", "P"))
    return TaskFacts(
        name=name,
        version="1",
        language="es",
        kind="regression" if metric == "rmse" else "binary",
        metric=made.signature(),
        metric_options={"name": metric, "labels": list(made.labels)},
        greater_is_better=made.greater_is_better,
        label_names=made.labels,
        data={"test": name},
        sizes={"train": 10, "test": 8},
    )


def _record(facts: TaskFacts, system: str, score: float, seed: int = 0) -> RunRecord:
    return RunRecord(
        RunSpec(facts, system, "m:f", {}, None, seed, Protocol(), "0.1"),
        "finished",
        scores={"test": {"official": score}},
        cost=Cost(2.0 + seed, 0.0, 0.5, 8, 100, None),
    )


def _predictions(record: RunRecord) -> dict[str, np.ndarray]:
    if record.spec.task.kind == "regression":
        return {
            "y_true": GOLD.astype(float),
            "y_pred": SYSTEMS[record.spec.system].astype(float),
        }
    return {"y_true": GOLD, "y_pred": SYSTEMS[record.spec.system]}


ACCURACY = {"A": 1.0, "B": 7 / 8, "C": 0.5}


def _classification(name: str = "toy") -> list[RunRecord]:
    return [_record(_facts(name), s, v) for s, v in ACCURACY.items()]


def test_systems_are_ranked_by_score() -> None:
    board = build_leaderboard(_classification()[::-1], _predictions).boards[0]
    assert [(e.rank, e.system, e.score) for e in board.entries] == [
        (1, "A", 1.0),
        (2, "B", 7 / 8),
        (3, "C", 0.5),
    ]
    assert board.n_scored == 8
    assert board.confusion is not None
    assert board.confusion.tolist() == [[4, 0], [0, 4]]


def test_intervals_and_ties() -> None:
    board = build_leaderboard(_classification(), _predictions).boards[0]
    best, second, third = board.entries
    assert (best.low, best.high) == (1.0, 1.0)
    assert second.low < 7 / 8 <= second.high <= 1.0
    assert best.tied
    # Neither one nor four of eight tweets decide anything: an exchange test of four
    # tweets cannot give less than 2 / 2**4, whatever resamples of eight say. Holm
    # doubles it.
    assert second.tied
    assert third.tied
    assert third.p_best == 2 * 2 / 2**4


def test_enough_tweets_decide() -> None:
    facts = replace(_facts("toy"), sizes={"train": 10, "test": 80})
    records = [_record(facts, s, v) for s, v in ACCURACY.items()]
    board = build_leaderboard(
        records,
        lambda r: {k: np.tile(v, 10) for k, v in _predictions(r).items()},
    ).boards[0]
    assert [entry.tied for entry in board.entries] == [True, False, False]


def test_smaller_is_better_for_errors() -> None:
    rmse = {"A": 0.0, "B": math.sqrt(1 / 8), "C": math.sqrt(0.5)}
    facts = _facts("score", "rmse")
    records = [_record(facts, s, v) for s, v in rmse.items()]
    board = build_leaderboard(records, _predictions).boards[0]
    assert [e.system for e in board.entries] == ["A", "B", "C"]
    assert board.confusion is None


def test_seeds_are_averaged_and_spread() -> None:
    facts = _facts("toy")
    records = [_record(facts, "B", 7 / 8, 0), _record(facts, "B", 1.0, 1)]
    arrays = {
        records[0].key: {"y_true": GOLD, "y_pred": SYSTEMS["B"]},
        records[1].key: {"y_true": GOLD, "y_pred": GOLD},
    }
    entry = build_leaderboard(records, lambda r: arrays[r.key]).boards[0].entries[0]
    assert entry.score == pytest.approx(15 / 16)
    assert entry.spread == pytest.approx(np.std([7 / 8, 1.0], ddof=1))
    assert entry.mean_cost("fit_seconds") == 2.5
    assert math.isnan(entry.mean_cost("model_bytes"))


def test_overall_ranks_only_systems_that_finished_everywhere() -> None:
    records = _classification("one") + _classification("two")[:2]
    overall = build_leaderboard(records, _predictions).overall
    assert [(row.system, row.mean_rank) for row in overall] == [("A", 1.0), ("B", 2.0)]
    assert overall[1].mean_score == pytest.approx(7 / 8)
    assert overall[1].low <= 7 / 8 <= overall[1].high
    assert overall[0].scores == {"one": 1.0, "two": 1.0}


def test_equal_scores_share_a_rank() -> None:
    facts = _facts("toy")
    records = [_record(facts, "A", 1.0), _record(facts, "B", 1.0)]
    same = {"y_true": GOLD, "y_pred": GOLD}
    board = build_leaderboard(records, lambda record: same).boards[0]
    assert [e.rank for e in board.entries] == [1, 1]


def test_runs_on_other_data_stand_in_another_table() -> None:
    other = replace(_facts("toy"), data={"test": "changed"})
    records = [*_classification(), _record(other, "A", 1.0)]
    boards = build_leaderboard(records, _predictions).boards
    assert [len(b.entries) for b in boards] == [3, 1]


def test_variants_of_a_system_are_told_apart() -> None:
    facts = _facts("toy")
    plain = _record(facts, "A", 1.0)
    tried = replace(plain.spec, grid={"C": [1]}, protocol=Protocol(grid=True))
    board = build_leaderboard([plain, replace(plain, spec=tried)], _predictions).boards[
        0
    ]
    assert [e.system for e in board.entries] == ["A", "A (grid)"]


def test_many_systems_get_enough_resamples() -> None:
    facts = _facts("toy")
    bad = {"y_true": np.tile(GOLD, 10), "y_pred": np.tile(1 - GOLD, 10)}
    good = {"y_true": np.tile(GOLD, 10), "y_pred": np.tile(GOLD, 10)}
    facts = replace(facts, sizes={"test": 80})
    records = [_record(facts, "A", 1.0)]
    records += [_record(facts, f"bad-{i}", 0.0) for i in range(8)]
    board = build_leaderboard(
        records, lambda r: good if r.score else bad, n_resamples=100
    )
    assert board.n_resamples == 160
    assert not any(entry.tied for entry in board.boards[0].entries[1:])
    with pytest.raises(ValueError, match="n_resamples must be at least 100"):
        build_leaderboard(records, lambda r: good, n_resamples=99)


def test_the_matrix_is_that_of_the_first_entry() -> None:
    # A system without a defined score comes last, and is not the leader.
    facts = _facts("toy")
    options = {**facts.metric_options, "name": "mcc", "zero_division": math.nan}
    facts = replace(facts, metric_options=options)
    constant = {"y_true": GOLD, "y_pred": np.zeros(8, dtype=int)}
    fine = {"y_true": GOLD, "y_pred": SYSTEMS["A"]}
    undefined = official_score(_record(facts, "B", 0.0), constant)
    assert math.isnan(undefined)
    records = [_record(facts, "B", undefined), _record(facts, "A", 1.0)]
    board = build_leaderboard(
        records, lambda r: fine if r.spec.system == "A" else constant
    ).boards[0]
    assert board.entries[0].system == "A"
    assert board.confusion is not None
    assert board.confusion.tolist() == [[4, 0], [0, 4]]


def test_adding_a_task_changes_no_other_number() -> None:
    alone = build_leaderboard(_classification("one"), _predictions).boards[0]
    both = build_leaderboard(
        _classification("zero") + _classification("one"), _predictions
    ).boards[1]
    assert [(e.low, e.high, e.p_best) for e in alone.entries] == [
        (e.low, e.high, e.p_best) for e in both.entries
    ]


def test_failed_runs_stay_visible() -> None:
    facts = _facts("toy")
    failed = RunRecord(_record(facts, "C", 0.0).spec, "failed", error="ValueError: x")
    board = build_leaderboard([_record(facts, "A", 1.0), failed], _predictions).boards[
        0
    ]
    assert [r.error for r in board.failed] == ["ValueError: x"]
    only = build_leaderboard([failed], _predictions).boards[0]
    assert only.entries == ()


@pytest.mark.parametrize("metric", ["accuracy", "rmse"])
def test_the_order_of_the_runs_changes_nothing(metric: str) -> None:
    facts = _facts("toy", metric)
    scores = ACCURACY if metric == "accuracy" else {"A": 0.0, "B": 0.35, "C": 0.71}
    records = [
        _record(facts, name, scores[name], seed)
        for name in ("B", "C", "A")
        for seed in (1, 0)
    ]
    records = [
        replace(r, scores={"test": {"official": official_score(r, _predictions(r))}})
        for r in records
    ]
    one = build_leaderboard(records, _predictions, n_resamples=200)
    other = build_leaderboard(records[::-1], _predictions, n_resamples=200)
    assert repr(one.boards[0].entries) == repr(other.boards[0].entries)
    assert one.boards[0].contrasts == other.boards[0].contrasts
