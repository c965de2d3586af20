"""Probabilities that runs store beside their predictions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tweetclf.exceptions import RecordError
from tweetclf.leaderboard import (
    Protocol,
    RunRecord,
    RunStore,
    build_leaderboard,
    get_system,
    run_leaderboard,
)
from tweetclf.leaderboard.checking import check_arrays
from tweetclf.leaderboard.execution import execute_run
from tweetclf.leaderboard.probabilities import join_probabilities, probabilities_of
from tweetclf.leaderboard.rerunning import rerun
from tweetclf.leaderboard.runner import make_spec
from tweetclf.leaderboard.selection import GroupedModel, Rows
from tweetclf.leaderboard.shared_runs import Trials, lay_out
from tweetclf.leaderboard.statistics import measure_calibration
from tweetclf.tasks import Task, load_task

MakeTask = Callable[..., Task]


def stored(
    task: Task, store: RunStore, system: str = "tfidf-lr", **protocol: Any
) -> tuple[RunRecord, dict[str, np.ndarray]]:
    ran = run_leaderboard(
        [task], [get_system(system)], store, protocol=Protocol(**protocol)
    )
    (record,) = ran.records
    assert record.status == "finished", record.error
    return record, store.predictions(record)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


# -- what is stored -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["sample-humor", "sample-sentiment"])
def test_columns_are_the_labels_of_the_task(name: str, store: RunStore) -> None:
    from tweetclf.estimators import tfidf_lr

    task = load_task(name)
    assert task.test is not None
    _, arrays = stored(task, store)
    model = tfidf_lr().fit(*task.train)
    found = model.predict_proba(list(task.test.texts))
    order = [model.classes_.tolist().index(label) for label in task.label_names]
    assert arrays["proba"].dtype == np.float16
    np.testing.assert_array_equal(
        arrays["proba"], found[:, order].astype(np.float16), strict=True
    )
    assert (arrays["proba"].argmax(axis=1) == arrays["y_pred"]).mean() > 0.99


def test_of_label_sets_each_label_has_its_own(store: RunStore) -> None:
    from tweetclf.estimators import tfidf_lr

    task = load_task("sample-emotions")
    assert task.test is not None
    _, arrays = stored(task, store)
    model = tfidf_lr(multilabel=True).fit(*task.train)
    found = model.predict_proba(list(task.test.texts)).astype(np.float16)
    np.testing.assert_array_equal(arrays["proba"], found, strict=True)


@pytest.mark.parametrize(
    ("name", "system"),
    [
        ("sample-humor", "char-svm"),
        ("sample-funniness", "tfidf-ridge"),
        ("sample-funniness", "mean"),
    ],
)
def test_linear_svms_and_numbers_have_none(
    name: str, system: str, store: RunStore
) -> None:
    record, arrays = stored(load_task(name), store, system)
    assert "proba" not in arrays
    assert not any("probabilities" in message for message in record.warnings)
    board = build_leaderboard([record], store.predictions, n_resamples=100).boards[0]
    assert board.calibration == {}


def test_under_cross_validation_they_are_out_of_fold(
    make_task: MakeTask, store: RunStore
) -> None:
    from tweetclf.estimators import tfidf_lr

    task = make_task(test=False)
    _, arrays = stored(task, store, evaluation="cv", n_folds=3)
    texts = [*task.train.texts, *task.splits["dev"].texts]
    labels = np.concatenate([task.train.labels, task.splits["dev"].labels])
    for fold in range(3):
        outside = arrays["folds"] == fold
        model = tfidf_lr().fit(
            [t for t, out in zip(texts, outside, strict=True) if not out],
            labels[~outside],
        )
        asked = [t for t, out in zip(texts, outside, strict=True) if out]
        np.testing.assert_array_equal(
            arrays["proba"][outside], model.predict_proba(asked).astype(np.float16)
        )


def test_a_label_that_a_group_lacks_is_not_probable(
    make_task: MakeTask, store: RunStore
) -> None:
    task = make_task(groups=True)
    groups = np.array(task.train.groups)
    labels = task.train.labels.copy()
    labels[(groups == "b") & (np.arange(len(labels)) % 4 == 1)] = "Z"
    train = replace(task.train, labels=labels)
    names = ("N", "P", "Z")
    task = replace(
        task,
        splits={**task.splits, "train": train},
        label_names=names,
        kind="multiclass",
        target_kind="multiclass",
        metric=replace(task.metric, labels=names),
        secondary_metrics=(),
    )
    assert task.test is not None
    record, arrays = stored(task, store)
    in_a = np.array(task.test.groups) == "a"
    assert (arrays["proba"][in_a, 2] == 0).all()
    assert (arrays["proba"][~in_a, 2] > 0).all()
    assert record.warnings == ()


class Stub:
    """Predicts one label, and says of the others what it is told to."""

    def __init__(self, found: Any) -> None:
        self.found = found

    def fit(self, texts: list[str], labels: np.ndarray) -> Stub:
        self.classes_ = np.unique(labels)
        return self

    def predict(self, texts: list[str]) -> np.ndarray:
        return np.repeat(self.classes_[:1], len(texts))

    def predict_proba(self, texts: list[str]) -> np.ndarray:
        if isinstance(self.found, Exception):
            raise self.found
        return np.repeat([self.found], len(texts), axis=0)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([0.5, 0.6], "must add up to 1"),
        ([1.5, -0.5], "must lie within 0 and 1"),
        ([np.nan, 1.0], "must lie within 0 and 1"),
        ([0.2, 0.3, 0.5], "predict_proba failed: ValueError"),
        (RuntimeError("no weights"), "predict_proba failed: RuntimeError: no weights"),
    ],
)
def test_what_is_none_costs_no_predictions(
    found: Any, said: str, make_task: MakeTask
) -> None:
    task = make_task()
    rows = Rows(list(task.train.texts), task.train.labels, None)
    model = GroupedModel(lambda: Stub(found)).fit(rows)
    with pytest.warns(RuntimeWarning, match=f"no probabilities are stored: .*{said}"):
        assert probabilities_of(model, rows, task) is None


def test_sums_of_floats_may_be_a_bit_above_one(make_task: MakeTask) -> None:
    task = make_task()
    rows = Rows(list(task.train.texts), task.train.labels, None)
    model = GroupedModel(lambda: Stub([1.0 + 2e-16, 0.0])).fit(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert probabilities_of(model, rows, task) is not None


def test_the_record_says_why_there_are_none(
    make_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.linear_model import LogisticRegression

    def broken(self: Any, X: Any) -> Any:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(LogisticRegression, "predict_proba", broken)
    task, system = make_task(), get_system("tfidf-lr")
    record, arrays = execute_run(task, system, make_spec(task, system, 0, Protocol()))
    assert record.status == "finished"
    assert arrays is not None
    assert "proba" not in arrays
    (said,) = [m for m in record.warnings if "probabilities" in m]
    assert said.endswith("predict_proba failed: RuntimeError: out of luck")


def test_a_fold_without_leaves_none() -> None:
    rows = np.array([0, 2]), np.array([1])
    half = np.full((2, 2), 0.5)
    assert join_probabilities([(rows[0], half), (rows[1], None)], 3) is None
    joined = join_probabilities([(rows[0], half), (rows[1], np.eye(2)[:1])], 3)
    assert joined is not None
    assert joined.tolist() == [[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]]


@pytest.mark.parametrize("name", ["sample-humor", "sample-emotions"])
def test_the_trials_of_an_advice_have_them(name: str) -> None:
    task = load_task(name)
    trials = Trials(task, lay_out(task), seed=0)
    record = trials.run(get_system("tfidf-lr"))
    system = get_system("tfidf-lr")
    _, plain = execute_run(task, system, make_spec(task, system, 0, Protocol()))
    assert plain is not None
    arrays = trials.predictions[record.key]
    np.testing.assert_array_equal(arrays["proba"], plain["proba"], strict=True)


# -- what is read -------------------------------------------------------------------


def test_records_of_old_have_none_and_are_read(
    make_task: MakeTask, store: RunStore, tmp_path: Path
) -> None:
    task = make_task()
    record, arrays = stored(task, store)
    old = {name: array for name, array in arrays.items() if name != "proba"}
    older = RunStore(tmp_path / "old")
    older.put(record, old)
    board = build_leaderboard(
        older.records(), older.predictions, n_resamples=100
    ).boards[0]
    assert board.calibration == {}
    assert rerun(record, old, task=task).equal
    # A finished run is never written again, to add them either.
    again = run_leaderboard([task], [get_system("tfidf-lr")], older)
    assert again.n_reused == 1
    assert "proba" not in older.predictions(again.records[0])


def test_those_of_a_rerun_are_compared(make_task: MakeTask, store: RunStore) -> None:
    task = make_task()
    record, arrays = stored(task, store)
    arrays["proba"] = arrays["proba"].copy()
    arrays["proba"][4] = arrays["proba"][4, ::-1]
    again = rerun(record, arrays, task=task)
    (change,) = again.differences
    assert change.what == "proba of 1 of 40 tweets differ: that of tweet 5"
    assert again.n_different == 0


def changed(proba: np.ndarray, row: list[float]) -> np.ndarray:
    found = proba.copy()
    found[1] = row
    return found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p[:3], r"proba has shape \(3, 2\), not \(40, 2\)"),
        (lambda p: p[:, :1], r"shape \(40, 1\)"),
        (lambda p: p[:, 0], r"shape \(40,\)"),
        (lambda p: p.round().astype(np.int8), "proba holds int8, not fractions"),
        (lambda p: changed(p, [1.5, -0.5]), "proba: probabilities must lie within"),
        (lambda p: changed(p, [np.nan, 1]), "proba: probabilities must lie within"),
        (lambda p: changed(p, [0.5, 0.505]), "those of tweet 2 add up to 1.005"),
    ],
)
def test_damaged_ones_are_found(
    change: Callable[[np.ndarray], np.ndarray],
    said: str,
    make_task: MakeTask,
    store: RunStore,
) -> None:
    record, arrays = stored(make_task(), store)
    check_arrays(record, arrays, "x.npz")
    check_arrays(
        record, {**arrays, "proba": changed(arrays["proba"], [0.5, 0.501])}, ""
    )
    bad = {**arrays, "proba": change(arrays["proba"])}
    with pytest.raises(RecordError, match=rf"x\.npz are damaged: .*{said}.*Delete"):
        check_arrays(record, bad, "x.npz")


def test_numbers_have_no_probabilities(store: RunStore) -> None:
    record, arrays = stored(load_task("sample-funniness"), store, "mean")
    n = len(arrays["y_true"])
    with pytest.raises(RecordError, match="no label that is probable"):
        check_arrays(record, {**arrays, "proba": np.ones((n, 1))}, "x")


def test_label_sets_need_not_add_up(store: RunStore) -> None:
    record, arrays = stored(load_task("sample-emotions"), store)
    all_sure = np.ones_like(arrays["proba"])
    check_arrays(record, {**arrays, "proba": all_sure}, "x")


# -- what is made of them -----------------------------------------------------------


def test_boards_measure_each_run(make_task: MakeTask, store: RunStore) -> None:
    task = make_task()
    systems = [get_system(name) for name in ("tfidf-lr", "char-svm", "majority")]
    ran = run_leaderboard([task], systems, store, seeds=(0, 1))
    board = build_leaderboard(ran.records, store.predictions, n_resamples=100).boards[0]
    assert set(board.calibration) == {"tfidf-lr", "majority"}
    for record in ran.records:
        if record.spec.system not in board.calibration:
            continue
        arrays = store.predictions(record)
        expected = measure_calibration(arrays["y_true"], arrays["proba"])
        found = board.calibration[record.spec.system][record.spec.seed]
        assert found.ece == expected.ece
        assert found.brier == expected.brier

    def without(record: RunRecord) -> Mapping[str, np.ndarray]:
        arrays = store.predictions(record)
        if record.spec.system == "majority" and record.spec.seed:
            arrays.pop("proba")
        return arrays

    # A mean over seeds needs all of them.
    board = build_leaderboard(ran.records, without, n_resamples=100).boards[0]
    assert set(board.calibration) == {"tfidf-lr"}
