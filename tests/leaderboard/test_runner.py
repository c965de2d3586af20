from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import f1_score

from tweetclf.exceptions import MissingDependencyError, UnknownNameError
from tweetclf.leaderboard import (
    Protocol,
    RunStore,
    System,
    get_system,
    list_systems,
    register_system,
    run_leaderboard,
)
from tweetclf.leaderboard import runner as runner_module
from tweetclf.leaderboard.environment import model_bytes, peak_memory
from tweetclf.leaderboard.runner import check_runs, make_spec
from tweetclf.tasks import Task, load_task

MakeTask = Callable[..., Task]


def test_scores_are_those_of_scikit_learn(
    make_task: MakeTask, toy_systems: list[System], tmp_path: Path
) -> None:
    from tweetclf.estimators import tfidf_lr

    task = make_task()
    assert task.test is not None
    store = RunStore(tmp_path)
    outcome = run_leaderboard([task], toy_systems, store)
    record = outcome.records[1]
    predicted = tfidf_lr().fit(*task.train).predict(list(task.test.texts))
    expected = f1_score(task.test.labels, predicted, average="macro")
    assert record.score == pytest.approx(expected, abs=1e-12)
    assert record.scores["test"]["accuracy|v1"] == np.mean(
        predicted == task.test.labels
    )
    assert "official" in record.scores["dev"]
    arrays = store.predictions(record)
    names = np.array(task.label_names)
    assert names[arrays["y_pred"]].tolist() == predicted.tolist()
    assert names[arrays["y_true"]].tolist() == task.test.labels.tolist()


def test_cost_and_environment_are_recorded(
    make_task: MakeTask, toy_systems: list[System], tmp_path: Path
) -> None:
    record = run_leaderboard([make_task()], toy_systems, RunStore(tmp_path)).records[1]
    assert record.cost is not None
    assert record.cost.fit_seconds > 0
    assert record.cost.n_predicted == 40
    assert record.cost.tweets_per_second > 0
    assert record.cost.model_bytes is not None
    assert record.cost.model_bytes > 1000
    assert record.environment["versions"]["scikit-learn"]


class _Noting(DummyClassifier):
    """Notes how many rows each of its fits has seen."""

    fitted: ClassVar[list[int]] = []

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> _Noting:
        self.fitted.append(len(X))
        warnings.warn(f"fitted on {len(X)} rows", UserWarning, stacklevel=2)
        super().fit(X, y, sample_weight)
        return self


def test_a_process_warms_up_before_what_it_pays_once_is_measured(
    make_task: MakeTask, tmp_path: Path
) -> None:
    task = make_task(name="warm", n=90)
    assert task.train is not None
    system = System("noting", f"{__name__}:_Noting", "notes", "this test")
    _Noting.fitted.clear()
    outcome = run_leaderboard([task], [system], RunStore(tmp_path), seeds=(0, 1))
    n_train = len(task.train)
    few = _Noting.fitted[0]
    assert few < n_train
    assert _Noting.fitted == [few, n_train, n_train]
    # What warming up warns of is no remark on the run.
    remarks = [" ".join(record.warnings) for record in outcome.records]
    assert all(f"{n_train} rows" in remark for remark in remarks)
    assert not any(f"on {few} rows" in remark for remark in remarks)


def test_finished_runs_are_reused(
    make_task: MakeTask,
    toy_systems: list[System],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = RunStore(tmp_path)
    first = run_leaderboard([make_task()], toy_systems, store, seeds=(0, 1))
    assert first.n_reused == 0
    assert store.test_scorings("toy") == 4

    def forbidden(*args: object) -> None:
        raise AssertionError("a finished run was computed again")

    monkeypatch.setattr(runner_module, "execute_run", forbidden)
    second = run_leaderboard([make_task()], toy_systems, store, seeds=(0, 1))
    assert second.n_reused == 4
    assert second.records == first.records
    assert store.test_scorings("toy") == 4


def test_a_killed_call_goes_on_where_it_stopped(
    make_task: MakeTask, toy_systems: list[System], tmp_path: Path
) -> None:
    store = RunStore(tmp_path)

    def interrupt(record: object, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_leaderboard(
            [make_task()], toy_systems, store, seeds=(0, 1), on_record=interrupt
        )
    resumed = run_leaderboard([make_task()], toy_systems, store, seeds=(0, 1))
    assert resumed.n_reused == 2
    whole = run_leaderboard(
        [make_task()], toy_systems, RunStore(tmp_path / "other"), seeds=(0, 1)
    )
    assert [r.score for r in resumed.records] == [r.score for r in whole.records]


def test_a_failing_system_does_not_stop_the_others(
    make_task: MakeTask, toy_systems: list[System], tmp_path: Path
) -> None:
    broken = System(
        "broken",
        "tweetclf.estimators:tfidf_lr",
        "wrong",
        "none",
        params={"C": -1.0},
    )
    store = RunStore(tmp_path)
    outcome = run_leaderboard([make_task()], [broken, *toy_systems], store)
    assert [r.status for r in outcome.records] == ["failed", "finished", "finished"]
    assert "InvalidParameterError" in (outcome.failed[0].error or "")
    assert "C" in (outcome.failed[0].error or "")
    # It is tried again, and only it.
    again = run_leaderboard([make_task()], [broken, *toy_systems], store)
    assert again.n_reused == 2


def test_grid_is_selected_on_dev_alone(
    make_task: MakeTask, toy_systems: list[System], tmp_path: Path
) -> None:
    from tweetclf.estimators import tfidf_lr

    task = make_task()
    protocol = Protocol(grid=True)
    record = run_leaderboard(
        [task], toy_systems[1:], RunStore(tmp_path), protocol=protocol
    ).records[0]
    scores = {}
    for C in (0.01, 10.0):
        clf = tfidf_lr().set_params(lr__C=C).fit(*task.train)
        scores[C] = task.metric(task.dev.labels, clf.predict(list(task.dev.texts)))
    best = max(scores, key=lambda C: scores[C])
    assert record.selected == {"lr__C": best}
    assert [c["params"]["lr__C"] for c in record.candidates] == [0.01, 10.0]
    assert [c["score"] for c in record.candidates] == pytest.approx(
        [scores[0.01], scores[10.0]]
    )
    assert record.scores["dev"]["official"] == pytest.approx(scores[best])


def test_refit_on_dev_trains_on_both_and_does_not_score_dev(
    make_task: MakeTask, toy_systems: list[System], tmp_path: Path
) -> None:
    from tweetclf.estimators import tfidf_lr

    task = make_task()
    assert task.test is not None
    record = run_leaderboard(
        [task],
        toy_systems[1:],
        RunStore(tmp_path),
        protocol=Protocol(refit_on_dev=True),
    ).records[0]
    both = tfidf_lr().fit(
        [*task.train.texts, *task.dev.texts],
        np.concatenate([task.train.labels, task.dev.labels]),
    )
    predicted = both.predict(list(task.test.texts))
    assert record.score == task.metric(task.test.labels, predicted)
    assert "dev" not in record.scores


def test_withheld_test_labels_lead_to_cross_validation(
    make_task: MakeTask, toy_systems: list[System], tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    task = make_task(test=False)
    outcome = run_leaderboard([task], toy_systems, store)
    record = outcome.records[1]
    assert record.split == "cv"
    assert len(record.fold_scores) == 5
    arrays = store.predictions(record)
    assert len(arrays["y_true"]) == len(task.train) + len(task.dev)
    assert np.bincount(arrays["folds"]).tolist() == [16] * 5
    other = store.predictions(outcome.records[0])
    assert (arrays["folds"] == other["folds"]).all()
    assert store.test_scorings("toy") == 0


def test_groups_are_trained_apart_and_scored_together(
    make_task: MakeTask, toy_systems: list[System], tmp_path: Path
) -> None:
    from tweetclf.estimators import tfidf_lr

    task = make_task(groups=True)
    assert task.test is not None
    store = RunStore(tmp_path)
    record = run_leaderboard([task], toy_systems[1:], store).records[0]
    predicted = np.empty(len(task.test), dtype=object)
    for group in "ab":
        inside = [i for i, g in enumerate(task.train.groups or ()) if g == group]
        outside = [i for i, g in enumerate(task.test.groups or ()) if g == group]
        clf = tfidf_lr().fit(*task.train.take(inside))
        predicted[outside] = clf.predict(list(task.test.take(outside).texts))
    assert record.score == task.metric(task.test.labels, predicted)


def test_systems_that_cannot_run_are_skipped_with_a_reason(
    make_task: MakeTask, tmp_path: Path
) -> None:
    absent = System(
        "absent", "nowhere:f", "", "", extra="embeddings", module="no_such_module"
    )
    outcome = run_leaderboard(
        [make_task()], [get_system("mean"), absent], RunStore(tmp_path)
    )
    assert outcome.records == []
    assert [s.reason for s in outcome.skipped] == [
        "does not do binary tasks",
        "needs no_such_module, which is not installed; run: pip install "
        '"tweetclf[embeddings]"',
    ]
    with pytest.raises(MissingDependencyError, match="absent needs no_such_module"):
        check_runs(make_task(), absent)


def test_constant_predictions_and_shared_tweets_are_remarked(
    make_task: MakeTask, toy_systems: list[System], tmp_path: Path
) -> None:
    task = make_task()
    leaky = Task(
        **{
            **{f: getattr(task, f) for f in task.__dataclass_fields__},
            "splits": {**task.splits, "test": task.train},
        }
    )
    record = run_leaderboard([leaky], toy_systems[:1], RunStore(tmp_path)).records[0]
    assert any("constant predictions" in w for w in record.warnings)
    assert any("60 of 60 evaluated tweets stand verbatim" in w for w in record.warnings)


def test_parallel_runs_give_the_same_records(
    make_task: MakeTask, toy_systems: list[System], tmp_path: Path
) -> None:
    serial = run_leaderboard([make_task()], toy_systems, RunStore(tmp_path / "1"))
    parallel = run_leaderboard(
        [make_task()], toy_systems, RunStore(tmp_path / "2"), n_jobs=2
    )
    assert [r.key for r in serial.records] == [r.key for r in parallel.records]
    assert [r.score for r in serial.records] == [r.score for r in parallel.records]


def test_seed_reaches_every_random_state(make_task: MakeTask) -> None:
    estimator = get_system("char-svm").build(make_task(), seed=7)
    states = {
        value
        for name, value in estimator.get_params(deep=True).items()
        if name.endswith("random_state")
    }
    assert states == {7}


@pytest.mark.parametrize(
    "name",
    ["sample-humor", "sample-emotions", "sample-stance", "sample-funniness"],
)
def test_every_system_builds_and_its_grid_can_be_set(name: str) -> None:
    task = load_task(name)
    supported = [system for system in list_systems() if system.supports(task.kind)]
    assert supported
    for system in supported:
        for params in system.candidates(task):
            system.build(task).set_params(**params)


def test_names_are_found_or_suggested() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'atalaya-svm'"):
        get_system("atalaya_svm")
    with pytest.raises(ValueError, match="already registered"):
        register_system(get_system("nbsvm"))


def test_spec_does_not_depend_on_the_order_of_parameters(make_task: MakeTask) -> None:
    a = System("s", "m:f", "", "", params={"a": 1, "b": 2})
    b = System("s", "m:f", "", "", params={"b": 2, "a": 1})
    task = make_task()
    key = make_spec(task, a, 0, Protocol()).key
    assert key == make_spec(task, b, 0, Protocol()).key


def test_peak_memory_sees_an_array() -> None:
    with peak_memory() as peak:
        block = np.ones(8_000_000)
        grown = peak()
    assert grown == pytest.approx(block.nbytes, rel=0.2)


def test_model_bytes_counts_the_pickle() -> None:
    import pickle

    model = {"coef": np.arange(1000.0)}
    assert model_bytes(model) == len(pickle.dumps(model, protocol=5))
    assert model_bytes(lambda: None) is None
