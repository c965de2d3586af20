"""Candidates and controls on two tasks, from run records."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tweetclf.analysis import compare_candidates, compare_sweeps
from tweetclf.exceptions import DataError
from tweetclf.leaderboard import RunStore, get_system, run_leaderboard
from tweetclf.leaderboard.records import Protocol, RunRecord, RunSpec, TaskFacts
from tweetclf.leaderboard.trials import Sweep, Trial
from tweetclf.tasks import load_task


def facts(name):
    return TaskFacts(
        name, "1", "es", "binary", "f1|average:macro|zero:0|v1", {}, True,
        ("N", "P"), {"test": "0"}, {"test": 10},
    )  # fmt: skip


def record(task, system, seed, score, **changes):
    spec = RunSpec(
        facts(task), system, "m:f", {"model": system}, None, seed, Protocol(), "1"
    )
    spec = replace(spec, **changes)
    return RunRecord(spec, "finished", {"test": {"official": score}})


METRIC = "f1|average:macro|zero:0|v1"
SCORES = {
    "bert": (0.60, 0.50),
    "small": (0.55, 0.58),
    "twilbert": (0.70, 0.65),
    "half": (0.75, 0.52),
}


def records():
    return [
        record(task, system, seed, pair[side] + 0.01 * (seed - 1))
        for system, pair in SCORES.items()
        for side, task in enumerate(("irony", "humor"))
        for seed in range(3)
    ]


def test_means_are_over_seeds_and_the_better_are_named():
    rows = [*records(), record("irony", "lonely", 0, 0.9)]
    found = compare_candidates(rows, ["irony", "humor"], ["bert", "small"])
    assert found.systems == ("bert", "half", "small", "twilbert")
    assert found.is_control.tolist() == [True, False, True, False]
    np.testing.assert_allclose(found.scores, [SCORES[s] for s in found.systems])
    np.testing.assert_allclose(found.high - found.low, 0.02)
    assert (found.n_seeds == 3).all()
    # "half" is above all controls on one task only.
    assert found.better_than_controls == ("twilbert",)
    assert found.skipped == ("lonely",)
    few = compare_candidates(rows, ["irony", "humor"], ["bert"], systems=["half"])
    assert few.systems == ("bert", "half")


def test_lower_may_be_better():
    rows = []
    for found in records():
        task = replace(found.spec.task, greater_is_better=False, metric="rmse")
        rows.append(replace(found, spec=replace(found.spec, task=task)))
    found = compare_candidates(rows, ["irony", "humor"], ["half", "twilbert"])
    assert found.better_than_controls == ("bert",)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="'tasks' must be two"):
        compare_candidates(records(), ["irony"], [])
    with pytest.raises(DataError, match="of the control 'beto'"):
        compare_candidates(records(), ["irony", "humor"], ["beto"])
    with pytest.raises(DataError, match="no dev scores"):
        compare_candidates(records(), ["irony", "humor"], [], split="dev")
    again = [*records(), record("irony", "bert", 5, 0.5, arguments={"model": "other"})]
    with pytest.raises(DataError, match="'bert' was run in 2 ways on irony"):
        compare_candidates(again, ["irony", "humor"], [])


def test_it_reads_the_records_of_a_leaderboard(tmp_path):
    store = RunStore(tmp_path)
    tasks = [load_task(name) for name in ("sample-humor", "sample-sentiment")]
    systems = [get_system(name) for name in ("majority", "stratified")]
    run_leaderboard(tasks, systems, store, seeds=(0, 1))
    found = compare_candidates(
        store.records(), ["sample-humor", "sample-sentiment"], ["majority"]
    )
    assert found.systems == ("majority", "stratified")
    assert np.isfinite(found.scores).all()
    assert (found.n_seeds == 2).all()


def test_the_best_trials_of_searches_are_compared():
    """One search over models, or one a model; the maximum, as the study reports."""

    def sweep(task, system, *trials):
        made = [
            Trial(i, params, score, "complete" if score is not None else "failed")
            for i, (params, score) in enumerate(trials)
        ]
        return Sweep(task, system, "s", "random", METRIC, "dev", tuple(made))

    sweeps = [
        sweep(
            "irony",
            "transformer",
            ({"model": "runs/a", "lr": 1}, 0.6),
            ({"model": "runs/a", "lr": 2}, 0.7),
            ({"model": "runs/b", "lr": 1}, 0.65),
            ({"model": "runs/b", "lr": 2}, None),
        ),
        sweep(
            "humor",
            "transformer",
            ({"model": "runs/a", "lr": 1}, 0.5),
            ({"model": "runs/b", "lr": 1}, 0.4),
            ({"model": "runs/c", "lr": 1}, 0.9),
        ),
        sweep("irony", "bert", ({"lr": 1}, 0.62), ({"lr": 2}, 0.61)),
        sweep("humor", "bert", ({"lr": 1}, 0.45)),
        sweep("other", "bert", ({"lr": 1}, 0.99)),
    ]
    found = compare_sweeps(sweeps, ["irony", "humor"], ["bert"])
    assert found.systems == ("a", "b", "bert")
    assert found.scores.tolist() == [[0.7, 0.5], [0.65, 0.4], [0.62, 0.45]]
    assert found.better_than_controls == ("a",)
    assert found.skipped == ("c",)
    with pytest.raises(DataError, match="no trials on both"):
        compare_sweeps(sweeps, ["irony", "nothing"], [])
