"""Runs of one system under several protocols."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tweetclf.leaderboard import (
    Cost,
    Protocol,
    RunRecord,
    RunSpec,
    RunStore,
    System,
    TaskFacts,
    build_leaderboard,
    run_leaderboard,
)
from tweetclf.leaderboard.runner import make_spec
from tweetclf.tasks import Task

GOLD = np.array([0, 1] * 10)
GRID = {"lr__C": [1, 2]}


def _run(task: str = "one", system: str = "tfidf-lr", **changes: Any) -> RunRecord:
    protocol = Protocol(**changes.pop("protocol", {}))
    facts = TaskFacts(
        name=task,
        version="1",
        language="es",
        kind="binary",
        metric="accuracy|v1",
        metric_options={"name": "accuracy", "labels": ["N", "P"]},
        greater_is_better=True,
        label_names=("N", "P"),
        data={"train": "0", "dev": "1", "test": "2"},
        sizes={"test": 20, "cv": 20},
    )
    spec = RunSpec(
        facts,
        system,
        "m:f",
        {"language": "es"},
        GRID if protocol.grid else None,
        0,
        protocol,
        "0.1",
    )
    return RunRecord(
        replace(spec, **changes),
        "finished",
        scores={protocol.evaluation: {"official": 1.0}},
        cost=Cost(1.0, 0.0, 0.1, 20, None, None),
    )


def _names(records: list[RunRecord]) -> list[list[str]]:
    board = build_leaderboard(
        records, lambda _: {"y_true": GOLD, "y_pred": GOLD}, n_resamples=100
    )
    return [[entry.system for entry in task.entries] for task in board.boards]


def test_what_differs_is_said_in_words() -> None:
    both = {"grid": True, "refit_on_dev": True}
    records = [
        _run(),
        _run(protocol={"grid": True}),
        _run(protocol={"refit_on_dev": True}),
        _run(protocol=both),
    ]
    assert _names(records) == [
        [
            "tfidf-lr",
            "tfidf-lr (grid)",
            "tfidf-lr (grid, refit on dev)",
            "tfidf-lr (refit on dev)",
        ]
    ]
    cv = [
        _run(protocol={"evaluation": "cv", "n_folds": 3}),
        _run(protocol={"evaluation": "cv"}),
    ]
    assert _names(cv) == [["tfidf-lr (3 folds)", "tfidf-lr (5 folds)"]]
    assert _names([_run(), _run(version="0.2")]) == [
        ["tfidf-lr (version 0.1)", "tfidf-lr (version 0.2)"]
    ]
    assert _names([_run(), _run(arguments={"language": "es", "C": 2.0})]) == [
        ["tfidf-lr", "tfidf-lr (C=2.0)"]
    ]


def test_a_variant_has_one_name_over_all_tasks() -> None:
    records = [
        _run("one"),
        _run("one", protocol={"grid": True}),
        _run("two", protocol={"grid": True}),
        _run("two", "majority"),
        _run("one", "majority"),
    ]
    leaderboard = build_leaderboard(
        records, lambda _: {"y_true": GOLD, "y_pred": GOLD}, n_resamples=100
    )
    assert [e.system for e in leaderboard.boards[1].entries] == [
        "majority",
        "tfidf-lr (grid)",
    ]
    # Without a grid it ran on one task only, so it has no mean over both.
    assert {row.system for row in leaderboard.overall} == {
        "majority",
        "tfidf-lr (grid)",
    }


def test_arguments_that_tasks_fill_make_no_variant() -> None:
    records = [_run("one"), _run("two", arguments={"language": "en"})]
    assert _names(records) == [["tfidf-lr"], ["tfidf-lr"]]


def test_options_without_effect_make_no_variant() -> None:
    # Records of old have protocols that say more than was done.
    idle = _run(system="majority", grid=None, protocol={"grid": True})
    assert _names([_run(system="majority"), idle]) == [["majority"]]


def test_test_and_cross_validation_are_not_averaged() -> None:
    cv = {"evaluation": "cv"}
    records = [_run(task, protocol=cv) for task in ("one", "two")]
    records += [_run(task) for task in ("one", "two", "three")]
    leaderboard = build_leaderboard(
        records, lambda _: {"y_true": GOLD, "y_pred": GOLD}, n_resamples=100
    )
    assert [(row.split, sorted(row.scores)) for row in leaderboard.overall] == [
        ("test", ["one", "three", "two"]),
        ("cv", ["one", "two"]),
    ]


def test_options_without_effect_are_dropped_from_the_spec(
    make_task: Callable[..., Task], toy_systems: list[System]
) -> None:
    task, (majority, words) = make_task(), toy_systems

    def key(system: System, **options: Any) -> str:
        return make_spec(task, system, 0, Protocol(**options)).key

    assert key(majority, grid=True) == key(majority)
    assert key(words, grid=True) != key(words)
    assert key(words, n_folds=3) == key(words)
    assert key(words, evaluation="cv", n_folds=3) != key(words, evaluation="cv")
    assert key(words, refit_on_dev=True) != key(words)
    folded = {"evaluation": "cv", "refit_on_dev": True}
    assert key(words, **folded) == key(words, evaluation="cv")
    assert key(words, grid=True, **folded) != key(words, evaluation="cv", grid=True)


def test_a_protocol_in_normal_form_stays_as_it_is() -> None:
    for protocol in (
        Protocol(),
        Protocol(grid=True),
        Protocol(grid=True, refit_on_dev=True),
        Protocol("cv", 3),
        Protocol("cv", 3, grid=True, refit_on_dev=True),
    ):
        assert protocol.normalise(has_grid=True, has_dev=True) == protocol


def test_the_key_of_a_run_is_fixed() -> None:
    # Stores are searched by it: a change would run everything again.
    assert _run().key == "db4e235cb43839e2"
    assert _run(protocol={"grid": True}).key == "13d9cd4783c1a6c8"


def test_majority_is_not_run_again_for_a_grid(
    make_task: Callable[..., Task], toy_systems: list[System], tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    run_leaderboard([make_task()], toy_systems, store)
    again = run_leaderboard(
        [make_task()], toy_systems, store, protocol=Protocol(grid=True)
    )
    assert again.n_reused == 1
    assert store.test_scorings("toy") == 3


def test_the_ledger_is_written_before_the_run(
    make_task: Callable[..., Task],
    toy_systems: list[System],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tweetclf.leaderboard import runner

    store = RunStore(tmp_path)

    def killed(*args: object) -> None:
        assert store.test_scorings("toy") == 1
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "execute_run", killed)
    with pytest.raises(KeyboardInterrupt):
        run_leaderboard([make_task()], toy_systems, store)
    assert store.test_scorings("toy") == 1


def test_the_ledger_knows_versions_of_the_data(
    make_task: Callable[..., Task], toy_systems: list[System], tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    tasks = [make_task(), make_task(offset=1)]
    run_leaderboard(tasks, toy_systems, store, n_jobs=2)
    hashes = [task.splits["test"].sha256 for task in tasks]
    assert [store.test_scorings("toy", data) for data in hashes] == [2, 2]
    assert store.test_scorings("toy") == 4
    boards = build_leaderboard(
        store.records(), store.predictions, n_test_scorings=store.test_scorings
    ).boards
    assert [board.n_test_scorings for board in boards] == [2, 2]
