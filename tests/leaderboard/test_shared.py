"""What runs store on tweets that they were trained on, and what boards say of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tweetclf.exceptions import RecordError, UnknownNameError
from tweetclf.leaderboard import (
    Protocol,
    RunStore,
    System,
    build_leaderboard,
    run_leaderboard,
)
from tweetclf.leaderboard.checking import check_arrays
from tweetclf.leaderboard.shared import ARRAYS, SeenAtHand, seen_arrays
from tweetclf.tasks import Split, Task

MakeTask = Callable[..., Task]


@pytest.fixture
def leaky(make_task: MakeTask) -> Task:
    """Two test tweets stand in train, one of them with another label, one in dev."""
    task = make_task()
    test, train, dev = task.splits["test"], task.splits["train"], task.splits["dev"]
    labels = test.labels.copy()
    labels[0] = train.labels[0]
    labels[1] = "N" if train.labels[1] == "P" else "P"
    texts = (train.texts[0], f"{train.texts[1]} ", dev.texts[0].upper() + "!")
    changed = Split("test", (*texts, *test.texts[3:]), labels, test.ids)
    return replace(task, splits={**task.splits, "test": changed})


def _without_arrays(store: RunStore) -> Callable[..., dict[str, np.ndarray]]:
    """Read predictions as runs of old stored them."""

    def read(record):
        arrays = store.predictions(record)
        return {name: a for name, a in arrays.items() if name not in ARRAYS}

    return read


def test_runs_store_what_they_were_trained_on(leaky, toy_systems, tmp_path) -> None:
    store = RunStore(tmp_path)
    records = run_leaderboard([leaky], toy_systems, store).records
    for record in records:
        arrays = store.predictions(record)
        assert arrays["seen"].tolist() == [2, 2] + [0] * 38
        assert arrays["contradicted"].tolist() == [0, 2] + [0] * 38
        assert record.spec.task.n_shared == 2
    board = build_leaderboard(records, store.predictions).boards[0]
    assert board.shared is not None
    assert board.shared.counts == {"verbatim": (2, 1), "normalised": (2, 1)}
    assert not board.shared.joined
    (without,) = board.shared.without
    assert (without.level, without.n_left) == ("verbatim", 38)
    for entry in board.entries:
        arrays = store.predictions(entry.records[0])
        score, low, high = without.scores[entry.system]
        gold, pred = arrays["y_true"][2:], arrays["y_pred"][2:]
        assert score == pytest.approx(f1_score(gold, pred, average="macro"))
        assert low <= score <= high


def test_dev_counts_as_trained_on_where_it_was(leaky, toy_systems, tmp_path) -> None:
    store = RunStore(tmp_path)
    records = run_leaderboard([leaky], toy_systems, store).records
    protocol = Protocol(refit_on_dev=True)
    joined = run_leaderboard([leaky], toy_systems, store, protocol=protocol).records
    arrays = store.predictions(joined[0])
    assert arrays["seen"].tolist() == [2, 2, 1] + [0] * 37
    # In one table all systems are scored on the same tweets.
    board = build_leaderboard(records + joined, store.predictions).boards[0]
    assert board.shared is not None
    assert board.shared.joined
    assert board.shared.counts["normalised"][0] == 3
    assert {len(w.scores) for w in board.shared.without} == {4}


def test_records_of_old_are_looked_up_or_not_known(
    leaky, toy_systems, tmp_path
) -> None:
    store = RunStore(tmp_path)
    records = run_leaderboard([leaky], toy_systems, store).records
    old = _without_arrays(store)
    assert build_leaderboard(records, old).boards[0].shared is None
    names: list[str] = []

    def load(name: str) -> Task:
        names.append(name)
        return leaky

    found = build_leaderboard(records, old, seen=SeenAtHand(load))
    now = build_leaderboard(records, store.predictions)
    assert found.boards[0].shared == now.boards[0].shared
    assert names == ["toy"]


def test_other_data_of_the_same_name_tell_nothing(
    leaky, make_task, toy_systems, tmp_path
) -> None:
    store = RunStore(tmp_path)
    records = run_leaderboard([leaky], toy_systems, store).records

    def absent(name: str) -> Task:
        raise UnknownNameError(name)

    for load in (lambda name: make_task(), absent):
        board = build_leaderboard(
            records, _without_arrays(store), seen=SeenAtHand(load)
        ).boards[0]
        assert board.shared is None


def test_folds_share_no_text(make_task, toy_systems, tmp_path) -> None:
    task = make_task(test=False)
    dev = task.splits["dev"]
    twins = Split(
        "dev",
        (task.train.texts[0], *(f"¡{t}!" for t in task.train.texts[1:20])),
        dev.labels,
        dev.ids,
    )
    task = replace(task, splits={"train": task.train, "dev": twins})
    store = RunStore(tmp_path)
    record = run_leaderboard([task], toy_systems[:1], store).records[0]
    arrays = store.predictions(record)
    folds, n = arrays["folds"], len(task.train)
    assert folds[0] == folds[n]
    parted = [i for i in range(1, 20) if folds[i] != folds[n + i]]
    expected = np.zeros(len(folds), dtype=np.uint8)
    expected[[*parted, *(n + i for i in parted)]] = 1
    assert parted
    assert arrays["seen"].tolist() == expected.tolist()


def test_damaged_arrays_are_refused(leaky, toy_systems, tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    record = run_leaderboard([leaky], toy_systems[:1], store).records[0]
    arrays = store.predictions(record)
    for bad in (arrays["seen"][1:], arrays["seen"].astype(int), arrays["seen"] + 1):
        with pytest.raises(RecordError, match="seen"):
            check_arrays(record, {**arrays, "seen": bad}, "here")


def test_a_task_is_looked_at_once(leaky, monkeypatch) -> None:
    from tweetclf.leaderboard import shared

    first = seen_arrays(leaky, Protocol())
    monkeypatch.setattr(shared, "_look", None)
    assert seen_arrays(leaky, Protocol())["seen"] is first["seen"]


def test_systems_are_compared_over_runs(make_task, tmp_path) -> None:
    random = System("stratified", "tweetclf.estimators:stratified", "", "")
    words = System("tfidf-lr", "tweetclf.estimators:tfidf_lr", "", "")
    store = RunStore(tmp_path)
    records = run_leaderboard(
        [make_task()], [random, words], store, seeds=(0, 1, 2)
    ).records
    board = build_leaderboard(records, store.predictions).boards[0]
    (contrast,) = board.contrasts
    assert contrast.comparison.p_adjusted == board.entries[1].p_best
    assert contrast.comparison.names == (board.entries[0].system, "stratified")
    right = {
        entry.system: [
            a["y_pred"] == a["y_true"] for a in map(store.predictions, entry.records)
        ]
        for entry in board.entries
    }
    first, second = (right[name] for name in contrast.comparison.names)
    fixed = [(a & ~b).sum() for a in first for b in second]
    broken = [(b & ~a).sum() for a in first for b in second]
    assert contrast.n_fixed == pytest.approx(np.mean(fixed))
    assert contrast.n_broken == pytest.approx(np.mean(broken))
    assert board.neighbours == ()
