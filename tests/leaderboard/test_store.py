from __future__ import annotations

import json
import multiprocessing
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tweetclf.exceptions import RecordError
from tweetclf.leaderboard import Cost, Protocol, RunRecord, RunSpec, RunStore, TaskFacts

FACTS = TaskFacts(
    name="toy",
    version="1",
    language="es",
    kind="binary",
    metric="f1|average:macro|zero:0|v1",
    metric_options={"name": "macro_f1", "labels": ["N", "P"]},
    greater_is_better=True,
    label_names=("N", "P"),
    data={"train": "00", "test": "11"},
    sizes={"train": 3, "test": 2},
)
SPEC = RunSpec(
    FACTS, "nbsvm", "m:f", {"C": 1.0}, {"C": [0.1, 1.0]}, 0, Protocol(), "0.1"
)
PREDICTIONS = {"y_true": np.array([0, 1]), "y_pred": np.array([1, 1])}


def _record(spec: RunSpec = SPEC, score: float = 0.5) -> RunRecord:
    return RunRecord(
        spec,
        "finished",
        scores={"test": {"official": score}},
        cost=Cost(1.0, 0.0, 0.1, 2, None, 10),
        created="2026-01-01T00:00:00+00:00",
    )


def test_a_record_survives_the_store(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    assert store.get(SPEC) is None
    stored = store.put(_record(), PREDICTIONS)
    again = store.get(SPEC)
    assert again == stored
    assert again is not None
    assert again.key == SPEC.key
    assert again.score == 0.5
    arrays = store.predictions(again)
    assert arrays["y_pred"].tolist() == [1, 1]
    assert [r.key for r in store.records()] == [SPEC.key]


def test_a_finished_run_is_never_replaced(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.put(_record(score=0.5), PREDICTIONS)
    assert store.put(_record(score=0.9), PREDICTIONS).score == 0.5
    assert len(list(tmp_path.rglob("*.json"))) == 1


def test_a_failed_run_is_kept_apart_and_makes_way(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    failed = RunRecord(SPEC, "failed", error="ValueError: no")
    store.put(failed)
    assert store.get(SPEC) is None
    assert [r.error for r in store.records(failed=True)] == ["ValueError: no"]
    assert list(store.records()) == []
    store.put(_record(), PREDICTIONS)
    assert [r.status for r in store.records(failed=True)] == ["finished"]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"version": "0.2"},
        {"arguments": {"C": 2.0}},
        {"grid": None},
        {"target": "m:g"},
        {"protocol": Protocol(refit_on_dev=True)},
        {"task": replace(FACTS, data={"train": "00", "test": "12"})},
        {"task": replace(FACTS, metric="accuracy|v1")},
    ],
)
def test_whatever_determines_the_numbers_changes_the_key(change: dict) -> None:
    assert replace(SPEC, **change).key != SPEC.key


def test_what_follows_from_the_data_does_not_change_the_key() -> None:
    assert replace(SPEC, task=replace(FACTS, n_shared=7)).key == SPEC.key


def test_a_changed_record_is_refused(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.put(_record(), PREDICTIONS)
    (path,) = tmp_path.rglob("*.json")
    path.write_text(path.read_text("utf-8").replace('"seed": 0', '"seed": 3'))
    with pytest.raises(RecordError, match="changed after it was written"):
        store.get(SPEC)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "not a run record"),
        ('{"spec": {}, "format": 99}', "format 99"),
        ('{"spec": {}, "format": 1}', "damaged"),
    ],
)
def test_damaged_records_name_the_place(text: str, message: str) -> None:
    with pytest.raises(RecordError, match=message) as caught:
        RunRecord.from_json(text, place="here.json")
    assert "here.json" in str(caught.value)


def test_missing_or_damaged_predictions_name_the_remedy(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    record = store.put(_record(), PREDICTIONS)
    (path,) = tmp_path.rglob("*.npz")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(RecordError, match="Delete .*json to run it again"):
        store.predictions(record)
    with pytest.raises(RecordError, match="no predictions"):
        store.put(_record(replace(SPEC, seed=5)))


def test_nan_scores_are_null_in_the_file(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.put(_record(score=float("nan")), PREDICTIONS)
    (path,) = tmp_path.rglob("*.json")
    document = json.loads(path.read_text("utf-8"))
    assert document["scores"]["test"]["official"] is None
    record = store.get(SPEC)
    assert record is not None
    assert np.isnan(record.score)


def test_test_scorings_are_counted_for_good(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    assert store.test_scorings("toy") == 0
    record = _record()
    store.count_test_scoring(record.spec)
    store.count_test_scoring(record.spec)
    with (tmp_path / "test_scorings.jsonl").open("a") as ledger:
        ledger.write('{"task": "to')
    assert store.test_scorings("toy") == 2
    assert store.test_scorings("other") == 0


def _put_many(path: str, worker: int) -> None:
    store = RunStore(path)
    for seed in range(10):
        store.put(_record(replace(SPEC, seed=seed), score=float(worker)), PREDICTIONS)


def test_processes_share_a_store(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_put_many, args=(str(tmp_path), n)) for n in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    records = list(RunStore(tmp_path).records())
    assert len(records) == 10
    assert {record.score for record in records} <= {0.0, 1.0}
    assert not [p for p in tmp_path.rglob("*") if p.name.startswith(".")]


names = st.text(min_size=1, max_size=20)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    task=names,
    system=names,
    error=st.text(),
    arguments=st.dictionaries(st.text(), st.one_of(st.floats(), st.text(), st.none())),
)
def test_any_name_and_any_text_can_be_stored(
    tmp_path: Path, task: str, system: str, error: str, arguments: dict
) -> None:
    spec = replace(
        SPEC, task=replace(FACTS, name=task), system=system, arguments=arguments
    )
    folder = tempfile.mkdtemp(dir=tmp_path)
    store = RunStore(folder)
    store.put(replace(_record(spec), warnings=(error,)), PREDICTIONS)
    stored = store.get(spec)
    assert stored is not None
    assert stored.warnings == (error,)
    assert len(list(Path(folder).glob("runs/*/*/*"))) == 2
