"""Damaged stores: every message names the file and the remedy, none is a traceback."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tweetclf.exceptions import RecordError
from tweetclf.leaderboard import (
    Cost,
    Protocol,
    RunRecord,
    RunSpec,
    RunStore,
    TaskFacts,
    build_leaderboard,
)

FACTS = TaskFacts(
    name="toy",
    version="1",
    language="es",
    kind="binary",
    metric="accuracy|v1",
    metric_options={"name": "accuracy", "labels": ["N", "P"]},
    greater_is_better=True,
    label_names=("N", "P"),
    data={"test": "11"},
    sizes={"test": 4},
)
SPEC = RunSpec(FACTS, "nbsvm", "m:f", {}, None, 0, Protocol(), "0.1")
PREDICTIONS = {"y_true": np.array([0, 1, 0, 1]), "y_pred": np.array([0, 1, 1, 1])}


def _record(score: float = 0.75, seed: int = 0) -> RunRecord:
    return RunRecord(
        replace(SPEC, seed=seed),
        "finished",
        scores={"test": {"official": score}},
        cost=Cost(1.0, 0.0, 0.1, 4, None, 10),
        environment={"cores": 2, "versions": {"numpy": "2"}},
    )


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    made = RunStore(tmp_path)
    made.put(_record(), PREDICTIONS)
    return made


def _edit(store: RunStore, *, keep_digest: bool = False, **changes: Any) -> Path:
    (path,) = store.path.rglob("*.json")
    document = json.loads(path.read_text("utf-8"))
    document |= changes
    if not keep_digest:
        document.pop("digest")
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_a_changed_score_is_found_by_the_digest(store: RunStore) -> None:
    path = _edit(store, scores={"test": {"official": 0.99}}, keep_digest=True)
    with pytest.raises(RecordError, match="changed after it was written") as caught:
        list(store.records())
    assert str(path) in str(caught.value)
    assert "run it again" in str(caught.value)


def test_a_changed_score_is_found_by_scoring_again(store: RunStore) -> None:
    _edit(store, scores={"test": {"official": 0.99}})
    with pytest.raises(
        RecordError, match=r"says a score of 0\.99.*give 0\.75"
    ) as found:
        build_leaderboard(store.records(), store.predictions)
    assert SPEC.path in str(found.value)
    assert "Delete" in str(found.value)


def test_records_of_old_have_no_digests_and_are_read(store: RunStore) -> None:
    (path,) = store.path.rglob("*.json")
    document = json.loads(path.read_text("utf-8"))
    assert document.pop("digest")
    assert document.pop("predictions_sha256")
    path.write_text(json.dumps(document), encoding="utf-8")
    board = build_leaderboard(store.records(), store.predictions).boards[0]
    assert board.entries[0].score == 0.75


def test_exchanged_predictions_are_found(store: RunStore) -> None:
    (path,) = store.path.rglob("*.npz")
    np.savez_compressed(
        path, y_true=PREDICTIONS["y_true"], y_pred=PREDICTIONS["y_true"]
    )
    with pytest.raises(RecordError, match="changed after they were written") as caught:
        build_leaderboard(store.records(), store.predictions)
    assert "run it again" in str(caught.value)


GOLD = PREDICTIONS["y_true"]
BAD_ARRAYS = {
    "there is no y_pred": {"y_true": GOLD},
    "y_pred has shape": {"y_true": GOLD, "y_pred": GOLD[:3]},
    "y_true has shape": {"y_true": np.array(1), "y_pred": np.array(1)},
    "codes outside 0 to 1": {"y_true": GOLD, "y_pred": GOLD + 1},
    "codes outside": {"y_true": GOLD - 1, "y_pred": GOLD},
    "not codes": {"y_true": GOLD, "y_pred": GOLD.astype(float)},
    "2 predictions for 4": {"y_true": GOLD[:2], "y_pred": GOLD[:2]},
    "groups has shape": {"y_true": GOLD, "y_pred": GOLD, "groups": GOLD[:2]},
    "cannot be read": {"y_true": GOLD, "y_pred": np.array([None] * 4)},
}


@pytest.mark.parametrize("message", BAD_ARRAYS)
def test_predictions_that_do_not_fit_are_refused(store: RunStore, message: str) -> None:
    (record,) = store.records()
    (path,) = store.path.rglob("*.npz")
    np.savez(path, **BAD_ARRAYS[message])
    record = replace(record, predictions_sha256=None)
    with pytest.raises(RecordError, match=message) as caught:
        store.predictions(record)
    assert str(path) in str(caught.value)
    assert "to run it again" in str(caught.value)


def test_other_gold_labels_on_the_same_data_are_refused() -> None:
    flipped = {"y_true": 1 - GOLD, "y_pred": 1 - PREDICTIONS["y_pred"]}
    one, two = _record(), _record(seed=1)
    arrays = {one.key: PREDICTIONS, two.key: flipped}
    with pytest.raises(RecordError, match="other values of y_true"):
        build_leaderboard([one, two], lambda record: arrays[record.key])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("status", "done"),
        ("scores", []),
        ("scores", {"test": {"official": "high"}}),
        ("fold_scores", None),
        ("fold_scores", ["x"]),
        ("candidates", [1]),
        ("cost", None),
        ("cost", {"fit_seconds": 1}),
        ("environment", {"versions": 3}),
        ("environment", {"cores": "two"}),
        ("warnings", "no list"),
        ("warnings", [1]),
        ("error", 5),
        ("created", 5),
        ("spec", None),
        ("spec", {"task": 1}),
        ("unknown", 1),
    ],
)
def test_values_of_a_wrong_type_are_named(
    store: RunStore, key: str, value: object
) -> None:
    path = _edit(store, **{key: value})
    with pytest.raises(RecordError) as caught:
        list(store.records())
    assert str(path) in str(caught.value)
    assert "again." in str(caught.value)
    assert key in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe{", b"[" * 100_000, b'{"spec": ' + b"9" * 5000 + b"}", b""]
)
def test_bytes_that_are_no_json_are_refused(store: RunStore, content: bytes) -> None:
    (path,) = store.path.rglob("*.json")
    path.write_bytes(content)
    for read in (lambda: list(store.records()), lambda: store.get(SPEC)):
        with pytest.raises(RecordError, match="run it again") as caught:
            read()
        assert str(path) in str(caught.value)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_is_a_record_error(store: RunStore, data: st.DataObject) -> None:
    # One value somewhere in the document is replaced by anything at all.
    document = json.loads(_record().to_json())
    document.pop("digest")
    place = document
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        break
    scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
    place[key] = data.draw(scalars | st.lists(scalars, max_size=2) | st.just({}))
    said = ""
    try:
        record = RunRecord.from_json(json.dumps(document), place="here.json")
    except RecordError as error:
        said = str(error)
    if said:
        assert "here.json" in said
        return
    build_leaderboard(
        [record], lambda _: PREDICTIONS, n_resamples=100, on_damage=lambda error: None
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_of_predictions_is_a_record_error(
    store: RunStore, data: st.DataObject
) -> None:
    record = replace(next(store.records()), predictions_sha256=None)
    (path,) = store.path.rglob("*.npz")
    whole = path.read_bytes()
    try:
        at = data.draw(st.integers(0, len(whole) - 1))
        put = data.draw(st.binary(max_size=8))
        path.write_bytes(whole[:at] + put + whole[at + data.draw(st.integers(0, 8)) :])
        said = "run it again"
        try:
            store.predictions(record)
        except RecordError as error:
            said = str(error)
        assert "run it again" in said
    finally:
        path.write_bytes(whole)


def test_damaged_runs_do_not_block_the_others(store: RunStore) -> None:
    store.put(_record(seed=1), PREDICTIONS)
    store.put(_record(seed=2), PREDICTIONS)
    files = sorted(store.path.rglob("*.json"))
    files[0].write_text("{")
    files[1].with_suffix(".npz").write_bytes(b"")
    damaged: list[RecordError] = []
    leaderboard = build_leaderboard(
        store.records(on_damage=damaged.append),
        store.predictions,
        on_damage=damaged.append,
    )
    assert len(leaderboard.boards[0].entries[0].records) == 1
    assert [files[0].name in str(damaged[0]), files[1].name in str(damaged[1])] == [
        True,
        True,
    ]


def test_predictions_of_a_finished_run_are_never_replaced(store: RunStore) -> None:
    (path,) = store.path.rglob("*.npz")
    before = path.read_bytes(), path.stat().st_mtime_ns
    other = {"y_true": GOLD, "y_pred": GOLD}
    assert store.put(_record(1.0), other).score == 0.75
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_predictions_left_by_a_killed_call_make_way(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.put(_record(), PREDICTIONS)
    (path,) = tmp_path.rglob("*.json")
    path.unlink()
    other = {"y_true": GOLD, "y_pred": GOLD}
    record = store.put(_record(1.0), other)
    assert np.array_equal(store.predictions(record)["y_pred"], GOLD)


def test_a_failure_beside_a_finished_run_is_not_read(store: RunStore) -> None:
    failed = RunRecord(SPEC, "failed", error="ValueError: no")
    assert store.put(failed).status == "finished"
    (path,) = store.path.rglob("*.json")
    path.with_suffix(".failed.json").write_text(failed.to_json())
    assert [r.status for r in store.records(failed=True)] == ["finished"]
