"""No text may stand both in the part that is trained on and in the part predicted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, StratifiedKFold

from tweetclf.exceptions import DataError
from tweetclf.leaderboard import Protocol, RunStore, System, run_leaderboard
from tweetclf.leaderboard.folds import FOLD_SEED, make_folds, rows_together
from tweetclf.tasks import Split, Task, get_metric, load_task
from tweetclf.tasks.holdout import text_keys

KINDS = {
    "classes": np.array(["a", "b", "c"] * 40, dtype=object),
    "labels": np.tile([[0, 1], [1, 0], [1, 1]], (40, 1)).astype(np.int8),
    "numbers": np.linspace(0, 1, 120),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_belong_together_stay_together(kind: str) -> None:
    labels = KINDS[kind]
    together = np.random.default_rng(0).integers(50, size=120)
    folds = make_folds(labels, together, 5)
    seen = np.concatenate([outside for _, outside in folds])
    assert sorted(seen) == list(range(120))
    for inside, outside in folds:
        assert not set(together[inside]) & set(together[outside])
        assert 12 <= len(outside) <= 36


@pytest.mark.parametrize("kind", KINDS)
def test_without_repeated_texts_the_folds_are_the_usual_ones(kind: str) -> None:
    labels = KINDS[kind]
    usual = StratifiedKFold if kind == "classes" else KFold
    splitter = usual(5, shuffle=True, random_state=FOLD_SEED)
    expected = list(
        splitter.split(np.zeros(120), labels if kind == "classes" else None)
    )
    found = make_folds(labels, np.arange(120), 5)
    for ours, theirs in zip(found, expected, strict=True):
        assert np.array_equal(ours[1], theirs[1])


def test_labels_keep_their_shares_within_groups_of_texts() -> None:
    labels = np.array(["a"] * 300 + ["b"] * 100, dtype=object)
    together = np.arange(400) // 2
    for _, outside in make_folds(labels, together, 5):
        assert np.mean(labels[outside] == "b") == pytest.approx(0.25, abs=0.02)


def test_fewer_texts_than_folds_are_refused() -> None:
    with pytest.raises(DataError, match="3 different texts or threads cannot make"):
        make_folds(KINDS["classes"], np.arange(120) % 3, 5)


def _part(texts: list[str], clusters: list[str] | None) -> Split:
    ids = tuple(map(str, range(len(texts))))
    threads = None if clusters is None else tuple(clusters)
    return Split("train", tuple(texts), None, ids, clusters=threads)


def _joined(texts: list[str], clusters: list[str | None]) -> list[set[int]]:
    """Merge rows that share a text or a cluster until nothing changes."""
    units = [{i} for i in range(len(texts))]
    for a in range(len(texts)):
        for b in range(a):
            shared = clusters[a] is not None and clusters[a] == clusters[b]
            if texts[a] == texts[b] or shared:
                one, other = (next(u for u in units if r in u) for r in (a, b))
                if one is not other:
                    units.remove(other)
                    one |= other
    return sorted(units, key=max)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz"))),
    st.lists(st.sampled_from("abcdef"), max_size=8),
)
def test_texts_and_threads_are_followed_to_their_end(
    threaded: list[tuple[str, str]], plain: list[str]
) -> None:
    texts = [text for text, _ in threaded]
    threads = [thread for _, thread in threaded]
    found = rows_together([_part(texts, threads), _part(plain, None)])
    units = _joined(texts + plain, [*threads, *[None] * len(plain)])
    # Each unit is called by its last row, on which recorded folds depend.
    expected = {row: max(unit) for unit in units for row in unit}
    assert found.tolist() == [expected[row] for row in range(len(found))]


def test_a_text_may_be_called_like_a_thread() -> None:
    assert rows_together([_part(["u", "a"], ["v", "u"])]).tolist() == [0, 1]


@pytest.mark.data
@pytest.mark.parametrize("name", ["rumoureval2017", "figlang-sarcasm"])
def test_threads_of_real_tasks_stay_together(name: str, shared_data: Path) -> None:
    task = load_task(name, data_dir=shared_data)
    splits = [task.train, task.dev]
    threads = np.array([t for split in splits for t in split.clusters])
    texts = np.array([key for split in splits for key in text_keys(split)])
    labels = np.concatenate([split.labels for split in splits])
    together = rows_together(splits)
    for inside, outside in make_folds(labels, together, 5):
        assert not set(threads[inside]) & set(threads[outside])
        assert not set(texts[inside]) & set(texts[outside])
        assert 0.1 < len(outside) / len(labels) < 0.3


def test_threads_of_a_task_come_into_one_fold(
    toy_systems: list[System], tmp_path: Path
) -> None:
    """A model that knows a thread knows its labels; none may."""
    rng = np.random.default_rng(2)
    thread = rng.permutation(np.repeat(np.arange(40), 6))
    gold = np.array(["N", "P"], dtype=object)[rng.integers(2, size=40)][thread]
    texts = tuple(f"hilo{t} palabra{i}" for i, t in enumerate(thread))
    ids = tuple(map(str, range(240)))
    split = Split("train", texts, gold, ids, clusters=tuple(map(str, thread)))
    metric = get_metric("accuracy", labels=("N", "P"))
    task = Task(
        "t", "1", "es", "binary", "binary", ("N", "P"), metric, {"train": split}
    )
    store = RunStore(tmp_path)
    outcome = run_leaderboard(
        [task], toy_systems[1:], store, protocol=Protocol("cv", 4)
    )
    folds = store.predictions(outcome.records[0])["folds"]
    assert all(len(set(folds[thread == t])) == 1 for t in range(40))
    assert outcome.records[0].score < 0.75


def _repeated(kind: str) -> Task:
    """Return 150 texts, each three times with one random label."""
    rng = np.random.default_rng(1)
    names = ("N", "P")
    if kind == "binary":
        gold = np.array(names, dtype=object)[rng.integers(2, size=150)]
        metric = get_metric("accuracy", labels=names)
    elif kind == "multilabel":
        gold = rng.integers(2, size=(150, 2)).astype(np.int8)
        metric = get_metric("jaccard", labels=names)
    else:
        gold = rng.normal(size=150)
        metric = get_metric("pearson")
    words = [f"palabra{i} cosa{i}" for i in range(150)]
    texts = words + [word.upper() for word in words] + [f" {word}  " for word in words]
    split = Split(
        "train",
        tuple(texts),
        np.concatenate([gold] * 3),
        tuple(str(i) for i in range(450)),
    )
    return Task(
        name="copies",
        version="1",
        language="es",
        kind=kind,
        target_kind=kind,
        label_names=() if kind == "regression" else names,
        metric=metric,
        splits={"train": split},
    )


@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize("kind", ["binary", "multilabel", "regression"])
def test_copies_with_random_labels_are_not_learnt(
    kind: str, grid: bool, tmp_path: Path
) -> None:
    name, step = (
        ("tfidf_ridge", "ridge__alpha")
        if kind == "regression"
        else (
            "tfidf_lr",
            "lr__C",
        )
    )
    system = System(
        "words",
        f"tweetclf.estimators:{name}",
        "",
        "",
        kinds=(kind,),
        grid={step: (1.0, 10.0)},
    )
    record = run_leaderboard(
        [_repeated(kind)],
        [system],
        RunStore(tmp_path),
        protocol=Protocol("cv", 3, grid=grid),
    ).records[0]
    assert record.status == "finished", record.error
    chance = {"binary": 0.5, "multilabel": 0.4, "regression": 0.0}[kind]
    assert abs(record.score - chance) < 0.2
    if grid:
        # The inner dev part knows none of the texts either.
        inner = [trial["score"] for trial in record.candidates]
        assert abs(np.mean(inner) - chance) < 0.25


def test_the_same_folds_for_every_system(
    make_task: Callable[..., Task], toy_systems: list[System], tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    outcome = run_leaderboard(
        [make_task()], toy_systems, store, protocol=Protocol("cv", 4)
    )
    folds = [store.predictions(record)["folds"] for record in outcome.records]
    assert np.array_equal(folds[0], folds[1])
