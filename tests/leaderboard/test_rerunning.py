"""A record made again: equal, or what is not; other data are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tweetclf.exceptions import DataError, RecordError, UnknownNameError
from tweetclf.leaderboard import (
    Protocol,
    RunRecord,
    RunStore,
    get_system,
    run_leaderboard,
)
from tweetclf.leaderboard.rerunning import rerun
from tweetclf.leaderboard.store import find_run, home_of
from tweetclf.tasks import Task

MakeTask = Callable[..., Task]
Run = tuple[RunRecord, dict[str, np.ndarray]]


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


def _run(task: Task, store: RunStore, system: str = "tfidf-lr", **protocol: Any) -> Run:
    outcome = run_leaderboard(
        [task], [get_system(system)], store, protocol=Protocol(**protocol)
    )
    record = outcome.records[0]
    assert record.status == "finished", record.error
    return record, store.predictions(record)


def _altered(record: RunRecord, **spec: Any) -> RunRecord:
    return replace(record, spec=replace(record.spec, **spec))


@pytest.mark.parametrize(
    ("protocol", "groups"),
    [
        ({}, False),
        ({"refit_on_dev": True, "grid": True}, False),
        ({"evaluation": "cv", "n_folds": 2, "grid": True}, False),
        ({}, True),
    ],
)
def test_an_honest_record_is_equal(
    make_task: MakeTask, store: RunStore, protocol: dict[str, Any], groups: bool
) -> None:
    task = make_task(groups=groups)
    if groups:
        metric = replace(task.metric, by_group=True)
        task = replace(task, metric=metric, secondary_metrics=())
    record, arrays = _run(task, store, **protocol)
    again = rerun(record, arrays, task=task)
    assert again.equal
    assert again.differences == again.conditions == ()
    assert again.n_predictions == len(arrays["y_pred"])
    assert again.verdict.startswith("equal: tfidf-lr on toy, seed 0: the score 0.")
    # The store of the record is left as it was.
    assert [r.key for r in store.records()] == [record.key]
    on_test = record.split == "test"
    assert store.test_scorings("toy") == on_test
    # Unless it is named: then its ledger counts one scoring of test more.
    assert rerun(record, arrays, task=task, store=store).equal
    assert store.test_scorings("toy") == 2 * on_test


def test_a_record_of_old_that_knows_no_shared_tweets_is_equal(
    make_task: MakeTask, store: RunStore
) -> None:
    record, arrays = _run(make_task(), store)
    assert set(arrays) == {"y_true", "y_pred", "proba", "seen", "contradicted"}
    old = {name: arrays[name] for name in ("y_true", "y_pred")}
    assert rerun(record, old, task=make_task()).equal


def test_predictions_that_were_changed_are_told(
    make_task: MakeTask, store: RunStore, tmp_path: Path
) -> None:
    task = make_task()
    record, arrays = _run(task, store)
    arrays["y_pred"] = arrays["y_pred"].copy()
    arrays["y_pred"][[4, 9]] ^= 1
    # Stored anew, so that all hashes fit.
    forged_store = RunStore(tmp_path / "forged")
    forged = forged_store.put(record, arrays)
    again = rerun(*find_run(forged.key, forged_store), task=task)
    assert not again.equal
    assert again.n_different == 2
    (change,) = again.differences
    assert change.what == "y_pred of 2 of 40 tweets differ: that of tweet 5"
    assert {change.before, change.now} == {"N", "P"}
    assert "2 of 40 predictions differ" in again.verdict


def test_a_score_that_was_changed_is_told(make_task: MakeTask, store: RunStore) -> None:
    task = make_task()
    record, arrays = _run(task, store, grid=True)
    scores = {**record.scores, "test": {**record.scores["test"], "official": 0.99}}
    forged = replace(record, scores=scores, selected={"lr__C": 7.0})
    again = rerun(forged, arrays, task=task)
    assert [c.what for c in again.differences] == [
        "the score official on test",
        "the chosen setting",
    ]
    assert again.n_different == 0
    assert again.differences[0].before == 0.99
    assert again.differences[0].now == record.score
    assert "the score was 0.99, is 0." in again.verdict


def test_other_shapes_types_and_folds_are_told(
    make_task: MakeTask, store: RunStore
) -> None:
    task = make_task()
    record, arrays = _run(task, store, evaluation="cv", n_folds=3)
    other = {**arrays, "y_pred": arrays["y_pred"].astype(np.int32)}
    del other["folds"]
    forged = replace(record, fold_scores=record.fold_scores[:2])
    found = [c.what for c in rerun(forged, other, task=task).differences]
    assert found == ["the number of folds", "the type of y_pred", "the shape of folds"]


def test_a_missing_score_equals_itself(make_task: MakeTask, store: RunStore) -> None:
    task = make_task()
    record, arrays = _run(task, store)
    forged = replace(record, scores={"test": {**record.scores["test"], "x": None}})
    changed = rerun(forged, arrays, task=task).differences
    assert {c.what.split(" on ")[-1] for c in changed} == {"dev"}


def test_other_data_are_refused(make_task: MakeTask, store: RunStore) -> None:
    record, arrays = _run(make_task(), store)
    with pytest.raises(DataError, match="'train' had sha256 .*The run cannot be made"):
        rerun(record, arrays, task=make_task(offset=1))
    data = {**record.spec.task.data, "extra": "0" * 64}
    forged = _altered(record, task=replace(record.spec.task, data=data))
    with pytest.raises(DataError, match="split 'extra' is not there now"):
        rerun(forged, arrays, task=make_task())
    local = _altered(record, task=replace(record.spec.task, version="local"))
    with pytest.raises(DataError, match="data of your own, called 'toy'.*--data"):
        rerun(local, arrays)
    with pytest.raises(UnknownNameError, match="Unknown task 'toy'"):
        rerun(record, arrays)


def test_another_system_or_metric_is_refused_and_nothing_is_resolved(
    make_task: MakeTask, store: RunStore, tmp_path: Path
) -> None:
    task = make_task()
    record, arrays = _run(task, store)
    for change, said in [
        ({"arguments": {"C": 3}}, r"its arguments was \{'C': 3\}, is \{\}"),
        ({"target": "os:abort"}, "its target was os:abort"),
        ({"version": "9.9", "grid": {"x": [1]}}, "Use tweetclf 9.9, which made it"),
        (
            {"task": replace(record.spec.task, metric="accuracy|v1")},
            "the task's metric was accuracy",
        ),
    ]:
        with pytest.raises(RecordError, match=said):
            rerun(_altered(record, **change), arrays, task=task)
    with pytest.raises(UnknownNameError, match="Unknown system 'nbsvn'"):
        rerun(_altered(record, system="nbsvn"), arrays, task=task)
    with pytest.raises(RecordError, match="there is nothing to compare"):
        rerun(RunRecord(record.spec, "failed", error="boom"), arrays, task=task)


def test_other_versions_are_named_and_are_no_difference(
    make_task: MakeTask, store: RunStore
) -> None:
    task = make_task()
    record, arrays = _run(task, store, "majority")
    versions = {**record.environment["versions"], "numpy": "1.0"}
    environment = {**record.environment, "versions": versions, "cpu": "Z80"}
    old = _altered(replace(record, environment=environment), version="0.0.1")
    again = rerun(old, arrays, task=task)
    assert again.equal
    assert [c.what for c in again.conditions] == ["tweetclf", "numpy", "cpu"]
    assert str(again.conditions[1]).startswith("numpy was 1.0, is ")


def test_a_run_is_found_by_file_and_by_key(
    make_task: MakeTask, store: RunStore, tmp_path: Path
) -> None:
    record, arrays = _run(make_task(), store)
    path = store.path / record.spec.path
    for name in (str(path), record.key, record.key[:4]):
        found, predictions = find_run(name, store)
        assert found == record
        np.testing.assert_array_equal(predictions["y_pred"], arrays["y_pred"])
    within = str(path.relative_to(store.path))
    assert find_run(within, store)[0] == record
    # A record and its predictions may be moved together.
    for suffix in (".json", ".npz"):
        moved = tmp_path / f"moved{suffix}"
        moved.write_bytes(path.with_suffix(suffix).read_bytes())
    assert find_run(str(tmp_path / "moved.json"), store)[0] == record
    elsewhere = RunStore(tmp_path / "elsewhere")
    for name in (str(path), record.key):
        home = home_of(name, record, store if name == record.key else elsewhere)
        assert home is not None
        assert home.path.resolve() == store.path.resolve()
    assert home_of(str(tmp_path / "moved.json"), record, store) is None
    for name, said in [
        ("nonsense", "neither a folder, a file nor the key"),
        ("*", "neither a folder, a file nor the key"),
        ("0" * 16, "none does"),
        (str(store.path), "is a folder"),
    ]:
        with pytest.raises(RecordError, match=said):
            find_run(name, store)
    (tmp_path / "moved.npz").unlink()
    with pytest.raises(RecordError, match="cannot be read"):
        find_run(str(tmp_path / "moved.json"), store)
    other = path.with_name(f"{record.key[:6]}0000000000.json")
    other.write_bytes(path.read_bytes())
    with pytest.raises(RecordError, match="several do"):
        store.find(record.key[:6])
    failed = tmp_path / "failed.json"
    failed.write_text(RunRecord(record.spec, "failed", error="boom").to_json())
    with pytest.raises(RecordError, match="a failed run: boom"):
        find_run(str(failed), store)
