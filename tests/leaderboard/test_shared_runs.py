"""Runs with shared features: the same predictions, nested curves, doubtful labels."""

from __future__ import annotations

import numpy as np
import pytest

from tweetclf import load_task
from tweetclf.leaderboard import (
    Protocol,
    System,
    execute_run,
    find_label_noise,
    get_system,
)
from tweetclf.leaderboard.noise import suspects_of
from tweetclf.leaderboard.runner import make_spec
from tweetclf.leaderboard.selection import Rows
from tweetclf.leaderboard.shared_runs import Trials, lay_out
from tweetclf.leaderboard.warming import nested_order


@pytest.mark.parametrize(
    ("name", "test"),
    [("tfidf-lr", False), ("char-svm-balanced", False), ("haha-nbsvm", True)],
)
def test_predictions_are_those_of_a_plain_run(make_task, name, test) -> None:
    task = make_task(test=test)
    system = get_system(name)
    trials = Trials(task, lay_out(task))
    record = trials.run(system)
    protocol = Protocol("test" if test else "cv")
    plain, predictions = execute_run(task, system, make_spec(task, system, 0, protocol))
    assert record.key == plain.key
    assert record.scores[record.split] == plain.scores[plain.split]
    assert record.fold_scores == plain.fold_scores
    found = trials.predictions[record.key]
    assert set(found) == set(predictions)
    for key, array in predictions.items():
        np.testing.assert_array_equal(found[key], array)


def test_groups_train_a_model_each(make_task) -> None:
    task = make_task(groups=True)
    trials = Trials(task, lay_out(task))
    record = trials.run(get_system("tfidf-lr"))
    assert record.status == "finished"
    assert "groups" in trials.predictions[record.key]


def test_a_failure_is_a_record(make_task) -> None:
    task = make_task()
    broken = System("broken", "tweetclf.estimators:nowhere", "none", "test")
    record = Trials(task, lay_out(task)).run(broken)
    assert record.status == "failed"
    assert "nowhere" in record.error


def test_every_beginning_of_an_order_is_stratified() -> None:
    rng = np.random.default_rng(0)
    labels = np.array(["a"] * 700 + ["b"] * 250 + ["c"] * 50, dtype=object)
    rows = Rows([str(i) for i in range(1000)], labels, None)
    order = nested_order(rows, np.arange(1000), rng)
    assert sorted(order.tolist()) == list(range(1000))
    for size in (40, 100, 300, 500):
        counts = {name: int((labels[order[:size]] == name).sum()) for name in "abc"}
        for name, share in (("a", 0.7), ("b", 0.25), ("c", 0.05)):
            assert abs(counts[name] - share * size) <= 1
    other = nested_order(rows, np.arange(1000), np.random.default_rng(1))
    assert other.tolist() != order.tolist()


@pytest.mark.parametrize("test", [True, False])
def test_the_last_point_of_a_curve_is_the_run(make_task, test) -> None:
    task = make_task(test=test, n=200)
    done = []
    trials = Trials(task, lay_out(task), on_fit=done.append)
    system = get_system("tfidf-lr")
    record = trials.run(system)
    before = len(done)
    curve = trials.curve(system, record)
    assert curve.n_repeats == 5
    assert curve.sizes[-1] == trials.curve_sizes()[-1]
    assert len(done) - before == 5 * (len(trials.curve_sizes()) - 1)
    if test:
        assert curve.scores[:, -1].tolist() == [record.score] * 5
    else:
        assert curve.scores[:, -1].tolist() == list(record.fold_scores)
    again = Trials(task, lay_out(task))
    repeated = again.curve(system, again.run(system))
    np.testing.assert_array_equal(repeated.scores, curve.scores)


def test_threads_change_nothing(make_task, monkeypatch) -> None:
    task = make_task(test=False, n=120)
    system = get_system("char-svm")
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("TWEETCLF_THREADS", threads)
        trials = Trials(task, lay_out(task))
        record = trials.run(system)
        found.append((record.scores, trials.curve(system, record).scores.tolist()))
    assert found[0] == found[1]


def test_doubtful_labels_are_those_of_the_audit() -> None:
    task = load_task("sample-humor")
    parts = {"train": task.train, "dev": task.dev}
    from dataclasses import replace

    task = replace(task, splits=parts)
    layout = lay_out(task)
    trials = Trials(task, layout, proba_of="tfidf-lr")
    trials.run(get_system("tfidf-lr"))
    found = suspects_of(task, layout.splits, trials.proba, system="tfidf-lr", n_folds=5)
    assert found == find_label_noise(task)
