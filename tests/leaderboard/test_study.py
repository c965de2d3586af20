"""Searches: trials, their records, what a killed one does, what many share."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tweetclf.estimators import tfidf_lr
from tweetclf.exceptions import (
    DataError,
    MissingDependencyError,
    RecordError,
    TweetclfWarning,
)
from tweetclf.leaderboard import (
    Choice,
    LogUniform,
    Protocol,
    RunStore,
    SearchProtocol,
    Space,
    Sweep,
    System,
    Trial,
    heartbeat,
    run_leaderboard,
    run_search,
    shared_study,
    warming,
)
from tweetclf.leaderboard import search as search_module
from tweetclf.leaderboard import study as study_module
from tweetclf.leaderboard.checking import check_score
from tweetclf.leaderboard.folds import FOLD_SEED
from tweetclf.leaderboard.outcomes import failed_record
from tweetclf.leaderboard.selection import rows_of
from tweetclf.leaderboard.shared_study import SharedStudy
from tweetclf.leaderboard.strategies import Listed
from tweetclf.leaderboard.trial_runs import _stratified_order
from tweetclf.leaderboard.workers import Workers
from tweetclf.tasks import Task

MakeTask = Callable[..., Task]

SPACE = Space({"lr__C": LogUniform(0.01, 100.0), "tfidf__min_df": Choice((1, 2))})


@pytest.fixture
def system(toy_systems: list[System]) -> System:
    return replace(toy_systems[1], space=SPACE)


def _facts(sweep: Sweep) -> list[Any]:
    """What must be equal in two sweeps: all but the time."""
    return [
        (t.number, dict(t.params), t.score, t.state, t.fold_scores, t.records)
        for t in sweep.trials
    ]


def test_scores_on_dev_are_those_of_scikit_learn(
    make_task: MakeTask, system: System, tmp_path: Path
) -> None:
    task = make_task()
    sweep = run_search(task, system, RunStore(tmp_path))
    assert (sweep.strategy, sweep.space, sweep.evaluation) == ("grid", "grid", "dev")
    for trial, C in zip(sweep.trials, (0.01, 10.0), strict=True):
        assert trial.params == {"lr__C": C}
        predicted = tfidf_lr(C=C).fit(*task.train).predict(list(task.dev.texts))
        expected = f1_score(task.dev.labels, predicted, average="macro")
        assert trial.score == pytest.approx(expected, abs=1e-12)
        assert trial.fold_scores == (trial.score,)
        assert trial.fit_seconds > 0
    assert sweep.scales == {"lr__C": "log"}


def test_scores_of_folds_are_those_of_the_leaderboard(
    make_task: MakeTask, system: System, tmp_path: Path
) -> None:
    task = make_task()
    fixed = replace(system, params={"C": 10.0}, grid={})
    protocol = Protocol(evaluation="cv", n_folds=3)
    record = run_leaderboard(
        [task], [fixed], RunStore(tmp_path / "a"), protocol=protocol
    ).records[0]
    store = RunStore(tmp_path / "b")
    sweep = run_search(task, system, store, SearchProtocol(evaluation="cv", n_folds=3))
    trial = sweep.trials[1]
    assert trial.score == record.score
    assert trial.fold_scores == record.fold_scores
    stored = next(r for r in store.records(trials=True) if r.key == trial.record)
    ours, theirs = store.predictions(stored), RunStore(tmp_path / "a")
    for name in ("y_true", "y_pred", "folds"):
        assert (ours[name] == theirs.predictions(record)[name]).all()


def test_one_model_a_group(make_task: MakeTask, system: System, tmp_path: Path) -> None:
    task = make_task(groups=True)
    for evaluation in ("dev", "cv"):
        sweep = run_search(
            task, system, RunStore(tmp_path), SearchProtocol(evaluation=evaluation)
        )
        assert all(trial.state == "complete" for trial in sweep.trials)


def test_every_trial_is_a_run_record_apart_from_the_leaderboards(
    make_task: MakeTask, system: System, tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    sweep = run_search(make_task(), system, store, SearchProtocol(seeds=(0, 1)))
    assert list(store.records()) == []
    records = {record.key: record for record in store.records(trials=True)}
    assert set(records) == {key for trial in sweep.trials for key in trial.records}
    assert len(records) == 4
    for trial in sweep.trials:
        assert trial.record == trial.records[0]
        for seed, key in enumerate(trial.records):
            record = records[key]
            assert record.spec.seed == seed
            assert record.selected == dict(trial.params)
            assert record.split == "dev"
            check_score(record, store.predictions(record))
            assert record.spec.path.startswith("trials/toy/tfidf-lr/")
    run_leaderboard([make_task()], [system], store)
    assert len(list(store.records())) == 1


class _NoTest(Mapping[str, Any]):
    """Splits of which the test split must not be asked for."""

    def __init__(self, task: Task) -> None:
        self._splits = dict(task.splits)

    def __getitem__(self, name: str) -> Any:
        assert name != "test", "the search looked at the test split"
        return self._splits[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._splits)

    def __len__(self) -> int:
        return len(self._splits)


@pytest.mark.parametrize("strategy", ["grid", "random", "halving"])
@pytest.mark.parametrize("evaluation", ["dev", "cv"])
def test_the_test_split_is_never_touched(
    make_task: MakeTask, system: System, tmp_path: Path, strategy: str, evaluation: str
) -> None:
    task = make_task()
    guarded = replace(task, splits=_NoTest(task))
    store = RunStore(tmp_path / "guarded")
    n_trials = None if strategy == "grid" else 4
    protocol = SearchProtocol(
        strategy=strategy, evaluation=evaluation, n_trials=n_trials, n_folds=3
    )
    sweep = run_search(guarded, system, store, protocol)
    assert sweep.failed == ()
    assert store.test_scorings("toy") == 0
    for record in store.records(trials=True):
        assert set(record.spec.task.data) == {"train", "dev"}
    # Nor does what stands in it decide where a trial is stored.
    other = replace(task, splits={**task.splits, "test": task.splits["dev"]})
    assert _facts(run_search(other, system, RunStore(tmp_path), protocol)) == _facts(
        sweep
    )


def test_seeds_share_the_folds_of_the_leaderboard_unless_new_ones_are_cut(
    make_task: MakeTask, system: System, tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    common = SearchProtocol(evaluation="cv", n_folds=3, seeds=(0, 1, 2))
    same = run_search(make_task(), system, store, common)
    new = run_search(make_task(), system, store, replace(common, new_folds=True))
    for trial, other in zip(same.trials, new.trials, strict=True):
        assert len(trial.fold_scores) == len(other.fold_scores) == 9
        first = trial.fold_scores[:3]
        assert trial.fold_scores == first * 3, "this system has no use for a seed"
        assert other.fold_scores[:3] == first
        # The runs of seed 0 are one and the same.
        assert trial.records[0] == other.records[0]
        assert trial.records[1] != other.records[1]
    # The first setting is so weak that it answers one class on all folds.
    assert new.trials[1].fold_scores[3:6] != new.trials[1].fold_scores[:3]
    records = {record.key: record for record in store.records(trials=True)}
    trial = new.trials[1]
    runs = [records[key] for key in trial.records]
    assert [run.spec.trial["fold_seed"] - FOLD_SEED for run in runs] == [0, 1, 2]
    assert trial.score == pytest.approx(np.mean([run.score for run in runs]))


def test_the_plan_of_a_paper_is_followed(
    make_task: MakeTask, system: System, tmp_path: Path
) -> None:
    sweep = run_search(
        make_task(n=30),
        replace(system, grid={"lr__C": (0.01,)}),
        RunStore(tmp_path),
        SearchProtocol(space="haha", new_folds=True),
    )
    assert (sweep.evaluation, sweep.n_folds, len(sweep.seeds)) == ("cv", 5, 20)
    assert [len(trial.fold_scores) for trial in sweep.trials] == [100]
    with pytest.raises(DataError, match="no parameter batch_size, learning_rate"):
        run_search(
            make_task(), system, RunStore(tmp_path), SearchProtocol(space="twilbert")
        )


def test_halving_gives_the_best_more_tweets(
    make_task: MakeTask, system: System, tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    protocol = SearchProtocol(strategy="halving", n_trials=9, min_resources=6)
    sweep = run_search(make_task(), system, store, protocol)
    assert [t.resource for t in sweep.trials] == [6] * 9 + [18] * 3 + [54]
    first = sorted(sweep.trials[:9], key=lambda t: (-(t.score or 0), t.number))
    assert [t.params for t in sweep.trials[9:12]] == [t.params for t in first[:3]]
    assert sweep.best == sweep.trials[-1]
    assert Sweep.from_json(sweep.to_json()).best == sweep.best
    # A round on all tweets is the plain run.
    whole = run_search(
        make_task(n=54),
        system,
        store,
        SearchProtocol(space=Space({"lr__C": Choice((1.0, 2.0))})),
    )
    halved = run_search(
        make_task(n=54),
        system,
        store,
        SearchProtocol(
            space=Space({"lr__C": Choice((1.0, 2.0))}),
            strategy="halving",
            min_resources=54,
        ),
    )
    assert [t.record for t in halved.trials] == [t.record for t in whole.trials]


def test_beginnings_of_the_training_tweets_keep_the_labels(
    make_task: MakeTask,
) -> None:
    rows = rows_of(make_task(n=300).train)
    order = _stratified_order(rows, np.arange(300), 0)
    assert sorted(order) == list(range(300))
    share = np.mean(rows.labels == "P")
    for n in (10, 30, 100):
        assert abs(np.mean(rows.labels[order[:n]] == "P") - share) < 0.1
    assert len(set(rows.labels[order[:2]])) == 2
    assert list(_stratified_order(rows, np.arange(300), 1)) != list(order)


def test_more_trials_go_on_from_fewer(
    make_task: MakeTask,
    system: System,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = RunStore(tmp_path)
    few = SearchProtocol(strategy="random", n_trials=3)
    first = run_search(make_task(), system, store, few)
    calls: list[Any] = []
    execute = study_module.execute_trial

    def counted(*args: Any) -> Any:
        calls.append(args)
        return execute(*args)

    monkeypatch.setattr(study_module, "execute_trial", counted)
    more = run_search(make_task(), system, store, replace(few, n_trials=5))
    assert _facts(more)[:3] == _facts(first)
    assert len(calls) == 2
    again = run_search(make_task(), system, store, few)
    assert again == first
    assert len(calls) == 2
    assert run_search(make_task(), system, store, replace(few, seed=1)) != first


def test_failed_trials_are_recorded_and_kept(
    make_task: MakeTask, system: System, tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    protocol = SearchProtocol(space=Space({"lr__C": Choice((-1.0, 1.0))}))
    seen: list[tuple[str, int, int]] = []

    def note(trial: Trial, done: int, total: int) -> None:
        seen.append((trial.state, done, total))

    sweep = run_search(make_task(), system, store, protocol, n_jobs=1, on_trial=note)
    assert [trial.state for trial in sweep.trials] == ["failed", "complete"]
    assert seen == [("failed", 1, 2), ("complete", 2, 2)]
    assert "InvalidParameterError" in (sweep.failed[0].error or "")
    assert sweep.best == sweep.trials[1]
    assert sweep.failed[0].score is None
    records = list(store.records(failed=True, trials=True))
    assert sorted(r.status for r in records) == ["failed", "finished"]
    path = next(tmp_path.rglob("*.failed.json"))
    before = path.stat().st_mtime_ns
    assert run_search(make_task(), system, store, protocol) == sweep
    assert path.stat().st_mtime_ns == before
    retried = run_search(make_task(), system, store, protocol, retry_failed=True)
    assert path.stat().st_mtime_ns > before
    assert _facts(retried) == _facts(sweep)


class _Cold:
    """A classifier of which the first fit of a process takes long, and warns."""

    cold = True

    def fit(self, texts: Any, labels: Any) -> _Cold:
        if _Cold.cold:
            _Cold.cold = False
            time.sleep(0.5)
            warnings.warn("read once", UserWarning, stacklevel=2)
        self.label_ = labels[0]
        return self

    def predict(self, texts: Any) -> Any:
        return np.full(len(texts), self.label_, dtype=object)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {"size": 1}

    def set_params(self, **params: Any) -> _Cold:
        return self


def make_cold() -> Any:
    """Return a classifier that is not ready at once."""
    return _Cold()


def test_what_a_process_pays_once_is_in_no_trial(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Cold, "cold", True)
    monkeypatch.setattr(warming, "_WARM", set())
    monkeypatch.setattr(search_module, "prepared", lambda estimator, cache: estimator)
    system = System("cold", f"{__name__}:make_cold", "cold", "none")
    protocol = SearchProtocol(space=Space({"size": Choice((1, 2, 3))}))
    store = RunStore(tmp_path)
    sweep = run_search(make_task(), system, store, protocol)
    assert [trial.state for trial in sweep.trials] == ["complete"] * 3
    assert max(trial.fit_seconds for trial in sweep.trials) < 0.4
    # Nor is what was warned of then said of a trial.
    records = list(store.records(trials=True))
    assert not any("read once" in said for r in records for said in r.warnings)


class _Busy(_Cold):
    """A classifier that knows how many of them are fitted at the same time."""

    now = most = 0

    def fit(self, texts: Any, labels: Any) -> _Busy:
        _Busy.now += 1
        _Busy.most = max(_Busy.most, _Busy.now)
        time.sleep(0.05)
        _Busy.now -= 1
        self.label_ = labels[0]
        return self


def make_busy() -> Any:
    """Return a classifier that cannot run in threads."""
    return _Busy()


def test_what_cannot_run_in_threads_takes_turns_in_them(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Workers of Dask have several threads, and anyone may ask for the backend.
    monkeypatch.setattr(_Busy, "most", 0)
    monkeypatch.setattr(search_module, "prepared", lambda estimator, cache: estimator)
    system = System("busy", f"{__name__}:make_busy", "busy", "none")
    protocol = SearchProtocol(space=Space({"size": Choice((1, 2, 3, 4))}))
    sweep = run_search(
        make_task(),
        system,
        RunStore(tmp_path),
        protocol,
        n_jobs=4,
        backend="threading",
    )
    assert len(sweep.trials) == 4
    assert _Busy.most == 1


def test_a_dask_cluster_has_as_many_jobs_as_it_can_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    distributed = pytest.importorskip("distributed")

    class Client:
        def wait_for_workers(self, n: int, timeout: float) -> None:
            assert n == 1

        def nthreads(self) -> dict[str, int]:
            return {"a": 3, "b": 4}

    monkeypatch.setattr(distributed, "get_client", Client)

    def chosen(estimator: Any, n_jobs: int | None, one_by_one: bool = False) -> int:
        workers = Workers.choose(
            estimator, SPACE, n_jobs, "dask", one_by_one=one_by_one
        )
        assert workers.backend == "dask"
        return workers.n_jobs

    in_threads, alone = tfidf_lr(), _Busy()
    assert chosen(in_threads, None) == 7
    assert chosen(alone, None) == 2
    assert chosen(in_threads, -2) == 6
    assert chosen(alone, 5) == 5
    assert chosen(in_threads, None, one_by_one=True) == 1

    def without() -> None:
        raise ValueError("No clients found")

    monkeypatch.setattr(distributed, "get_client", without)
    with pytest.raises(DataError, match=r"distributed.Client\(ADDRESS\)"):
        chosen(in_threads, None)


def test_a_random_search_knows_when_it_has_tried_everything(
    make_task: MakeTask, system: System, tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    space = Space({"lr__C": Choice((0.1, 1.0, 9.0))})
    for n_trials, whole in ((2, False), (3, True), (9, True)):
        protocol = SearchProtocol(space=space, strategy="random", n_trials=n_trials)
        sweep = run_search(make_task(), system, store, protocol)
        assert (sweep.strategy, sweep.whole) == ("random", whole)
        assert Sweep.from_json(sweep.to_json()) == sweep
    drawn = SearchProtocol(strategy="random", n_trials=3)
    assert not run_search(make_task(), system, store, drawn).whole


def _failing_once(
    monkeypatch: pytest.MonkeyPatch, fails: Callable[[dict[str, Any]], bool]
) -> list[dict[str, Any]]:
    """Let trials fail whose setting is said to; return all settings that are run."""
    ran: list[dict[str, Any]] = []
    execute = study_module.execute_trial

    def maybe(task: Task, system: System, spec: Any) -> Any:
        ran.append({**spec.trial["params"], "resource": spec.trial.get("resource")})
        if fails(spec.trial["params"]):
            return failed_record(spec, MemoryError("out of memory")), None
        return execute(task, system, spec)

    monkeypatch.setattr(study_module, "execute_trial", maybe)
    return ran


HALVING = SearchProtocol(strategy="halving", n_trials=9, min_resources=6)


@pytest.mark.parametrize(
    "protocol", [HALVING, SearchProtocol(strategy="tpe", n_trials=14)]
)
@pytest.mark.parametrize("killed", [False, True])
def test_failed_trials_that_are_retried_change_what_followed(
    make_task: MakeTask,
    system: System,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    protocol: SearchProtocol,
    killed: bool,
) -> None:
    if protocol.strategy == "tpe":
        pytest.importorskip("optuna")
    fresh = run_search(
        make_task(), system, RunStore(tmp_path / "fresh"), protocol, n_jobs=1
    )
    assert fresh.best is not None
    # The setting that wins fails at first, so that others go on in its place.
    best = fresh.best.params
    store = RunStore(tmp_path / "retried")
    with monkeypatch.context() as patch:
        _failing_once(patch, lambda params: params == best)
        crippled = run_search(make_task(), system, store, protocol, n_jobs=1)
    assert crippled.failed
    assert crippled.best is not None
    assert crippled.best.params != best
    retry: dict[str, Any] = {"n_jobs": 1, "retry_failed": True}
    if killed:

        def stop(trial: Trial, done: int, total: int) -> None:
            if trial.number == crippled.failed[0].number and trial.state == "complete":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_search(make_task(), system, store, protocol, on_trial=stop, **retry)
        # Nothing has failed any more: the plain command ends what was begun.
        retry = {"n_jobs": 1}
    retried = run_search(make_task(), system, store, protocol, **retry)
    assert _facts(retried) == _facts(fresh)
    # What was run before is found, and all of it is in the journal.
    ran = _failing_once(monkeypatch, lambda params: True)
    assert run_search(make_task(), system, store, protocol, **retry) == retried
    assert ran == []


def test_a_retry_that_fails_again_costs_nothing_else(
    make_task: MakeTask,
    system: System,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = RunStore(tmp_path)
    sweep = run_search(make_task(), system, store, HALVING, n_jobs=1)
    other = RunStore(tmp_path / "other")
    weak = sweep.trials[3].params
    ran = _failing_once(monkeypatch, lambda params: params == weak)
    first = run_search(make_task(), system, other, HALVING, n_jobs=1)
    ran.clear()
    again = run_search(make_task(), system, other, HALVING, n_jobs=1, retry_failed=True)
    assert _facts(again) == _facts(first)
    assert [params["lr__C"] for params in ran] == [weak["lr__C"]]


def _edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the lines of a journal that say how a trial ended."""
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for line in lines:
        if "end" in line:
            change(line["end"])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def _raise_score(end: dict[str, Any]) -> None:
    if end["number"] == 5:
        end["score"] = 0.99


def _fail(end: dict[str, Any]) -> None:
    if end["number"] == 2:
        end.update(state="failed", score=None, error="no")


def _swap(end: dict[str, Any]) -> None:
    if end["number"] == 1:
        end["params"] = {**end["params"], "lr__C": 77.0}


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_raise_score, r"trial 5: the journal says score 0.99, the records say score"),
        (_fail, r"trial 2: the journal says failed, the records say score"),
        (_swap, r"trial 1: another setting ended than was begun"),
        (lambda end: end.update(fit_seconds=0.0), r"trial 0: the journal says other"),
    ],
)
def test_what_a_journal_says_of_a_score_does_not_count(
    make_task: MakeTask,
    system: System,
    tmp_path: Path,
    edit: Callable[[dict[str, Any]], None],
    said: str,
) -> None:
    store = RunStore(tmp_path)
    sweep = run_search(make_task(), system, store, HALVING, n_jobs=1)
    _edit(next(tmp_path.glob("searches/toy/tfidf-lr/*.jsonl")), edit)
    with pytest.warns(TweetclfWarning, match=said):
        again = run_search(make_task(), system, store, HALVING, n_jobs=1)
    assert again == sweep
    # It is put right, and not said twice.
    assert run_search(make_task(), system, store, HALVING, n_jobs=1) == sweep


def test_a_damaged_journal_is_named_with_its_line(
    make_task: MakeTask, system: System, tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    run_search(make_task(), system, store, HALVING, n_jobs=1)
    journal = next(tmp_path.glob("searches/toy/tfidf-lr/*.jsonl"))
    whole = journal.read_text("utf-8")
    for line in (
        {"end": {"number": 3}},
        {"end": {"number": "x", "params": {}, "score": 1, "state": "complete"}},
        {"end": {"number": 0, "params": {}, "score": [], "state": "complete"}},
        {"begin": 4},
        {"begin": [{"number": 0, "params": {}, "resource": "many"}]},
        {"begin": ["x"]},
        {"forget": 3},
    ):
        journal.write_text(f"{whole}{json.dumps(line)}\n", "utf-8")
        n = len(whole.splitlines()) + 1
        with pytest.raises(RecordError, match=rf"\.jsonl, line {n}, .*Delete the file"):
            run_search(make_task(), system, store, HALVING, n_jobs=1)


def test_a_damaged_record_of_a_trial_is_named(
    make_task: MakeTask, system: System, tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    sweep = run_search(make_task(), system, store, n_jobs=1)
    path = store.path / f"trials/toy/tfidf-lr/{sweep.trials[0].record}.json"
    path.write_text(path.read_text("utf-8").replace('"finished"', '"finishes"'))
    with pytest.raises(RecordError, match=rf"{path.stem}.*Delete the file to run it"):
        run_search(make_task(), system, store, n_jobs=1)


def test_a_shared_study_keeps_what_failed(
    make_task: MakeTask, system: System, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="retry_failed does not go with a storage"):
        run_search(
            make_task(), system, RunStore(tmp_path), storage="x", retry_failed=True
        )


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_trials_side_by_side_are_those_one_after_the_other(
    make_task: MakeTask, system: System, tmp_path: Path, backend: str
) -> None:
    protocol = SearchProtocol(evaluation="cv", n_folds=3, seeds=(0, 1), new_folds=True)
    alone = run_search(
        make_task(), system, RunStore(tmp_path / "a"), protocol, n_jobs=1
    )
    store = RunStore(tmp_path / "b")
    both = run_search(make_task(), system, store, protocol, n_jobs=2, backend=backend)
    assert _facts(both) == _facts(alone)


def test_warnings_of_threads_are_told_apart(
    make_task: MakeTask, system: System, tmp_path: Path
) -> None:
    filters = list(warnings.filters)
    store = RunStore(tmp_path)
    # One iteration does not converge; a thousand do.
    space = Space({"lr__max_iter": Choice((1, 1000)), "lr__C": Choice((50.0, 60.0))})
    run_search(make_task(), system, store, SearchProtocol(space=space), n_jobs=4)
    warned = {
        (
            r.spec.trial["params"]["lr__max_iter"],
            any("onverge" in w for w in r.warnings),
        )
        for r in store.records(trials=True)
    }
    assert warned == {(1, True), (1000, False)}
    assert warnings.filters == filters


def test_a_journal_with_half_a_line_is_read(
    make_task: MakeTask, system: System, tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    protocol = SearchProtocol(strategy="random", n_trials=4)
    sweep = run_search(make_task(), system, store, protocol, n_jobs=1)
    journal = next(tmp_path.glob("searches/toy/tfidf-lr/*.jsonl"))
    lines = journal.read_text("utf-8").splitlines()
    assert json.loads(lines[0])["search"]["search"]["strategy"] == "random"
    journal.write_text("\n".join([*lines[:-1], lines[-1][:20]]), encoding="utf-8")
    assert run_search(make_task(), system, store, protocol) == sweep
    assert run_search(make_task(), system, store, protocol) == sweep
    # A record that was deleted is made again, and a lost journal costs no run.
    path = store.path / f"trials/toy/tfidf-lr/{sweep.trials[2].record}.json"
    path.unlink()
    assert _facts(run_search(make_task(), system, store, protocol)) == _facts(sweep)
    assert path.is_file()
    journal.unlink()
    lost = run_search(make_task(), system, store, protocol)
    assert _facts(lost) == _facts(sweep)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strategy": "annealing"}, "grid, random, halving, tpe"),
        ({"evaluation": "test"}, "dev, cv"),
        ({"n_trials": 0}, "at least 1"),
        ({"n_folds": 1}, "at least 2"),
        ({"factor": 1}, "at least 2"),
        ({"strategy": "grid", "n_trials": 3}, "all settings"),
        ({"seeds": ()}, "seeds is empty"),
    ],
)
def test_a_protocol_that_makes_no_sense_is_refused(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        SearchProtocol(**changes)


def test_a_task_without_dev_is_cross_validated(
    make_task: MakeTask, system: System, tmp_path: Path
) -> None:
    task = make_task()
    bare = replace(task, splits={"train": task.train})
    assert run_search(bare, system, RunStore(tmp_path)).evaluation == "cv"
    with pytest.raises(DataError, match="no dev split"):
        run_search(bare, system, RunStore(tmp_path), SearchProtocol(evaluation="dev"))


def test_without_optuna_the_extra_is_named(
    make_task: MakeTask,
    system: System,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = importlib.import_module

    def without(name: str, *rest: Any) -> Any:
        if name == "optuna":
            raise ModuleNotFoundError("No module named 'optuna'", name="optuna")
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without)
    store = RunStore(tmp_path)
    with pytest.raises(MissingDependencyError, match=r"tweetclf\[search\]"):
        run_search(make_task(), system, store, SearchProtocol(strategy="tpe"))
    with pytest.raises(MissingDependencyError, match=r"tweetclf\[search\]"):
        run_search(make_task(), system, store, storage=str(tmp_path / "s.log"))


class TestWithOptuna:
    """Bayesian searches, and those that processes share."""

    @pytest.fixture(autouse=True)
    def _optuna(self) -> None:
        pytest.importorskip("optuna")

    TPE = SearchProtocol(strategy="tpe", n_trials=14)

    def test_a_search_goes_on_as_if_it_had_not_stopped(
        self, make_task: MakeTask, system: System, tmp_path: Path
    ) -> None:
        whole = run_search(make_task(), system, RunStore(tmp_path / "a"), self.TPE)
        assert len({t.params["lr__C"] for t in whole.trials}) == 14

        def stop(trial: Trial, done: int, total: int) -> None:
            if done in {5, 12}:
                raise KeyboardInterrupt

        store = RunStore(tmp_path / "b")
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                run_search(make_task(), system, store, self.TPE, on_trial=stop)
        resumed = run_search(make_task(), system, store, self.TPE)
        assert _facts(resumed) == _facts(whole)

    def test_a_block_of_trials_does_not_depend_on_the_machine(
        self, make_task: MakeTask, system: System, tmp_path: Path
    ) -> None:
        first, second = (
            run_search(
                make_task(), system, RunStore(tmp_path / name), self.TPE, n_jobs=3
            )
            for name in "ab"
        )
        assert _facts(first) == _facts(second)

    @pytest.mark.parametrize(
        ("strategy", "address"),
        [("halving", "study.log"), ("tpe", "sqlite:///{}/study.db")],
    )
    def test_a_shared_study_of_one_process_is_the_search_alone(
        self,
        make_task: MakeTask,
        system: System,
        tmp_path: Path,
        address: str,
        strategy: str,
    ) -> None:
        protocol = replace(self.TPE, n_trials=12, strategy=strategy)
        alone = run_search(
            make_task(), system, RunStore(tmp_path / "a"), protocol, n_jobs=1
        )
        storage = (
            address.format(tmp_path) if "://" in address else str(tmp_path / address)
        )
        arguments: dict[str, Any] = {"storage": storage, "n_jobs": 1}
        store = RunStore(tmp_path / "b")
        shared = run_search(make_task(), system, store, protocol, **arguments)
        assert _facts(shared) == _facts(alone)
        again = run_search(make_task(), system, store, protocol, **arguments)
        assert again == shared

    def test_a_shared_study_is_one_of_optuna(
        self, make_task: MakeTask, system: System, tmp_path: Path
    ) -> None:
        import optuna

        url = f"sqlite:///{tmp_path}/study.db"
        protocol = SearchProtocol(
            space=Space({"lr__C": Choice((-1.0, 1.0, 9.0))}), seed=0
        )
        sweep = run_search(
            make_task(), system, RunStore(tmp_path), protocol, storage=url
        )
        (name,) = optuna.get_all_study_names(url)
        assert name.startswith("toy tfidf-lr ")
        study = optuna.load_study(study_name=name, storage=url)
        assert sweep.best is not None
        assert study.best_value == sweep.best.score
        assert study.best_trial.number == sweep.best.number
        assert study.trials[0].state == optuna.trial.TrialState.FAIL

    def test_a_trial_that_another_tool_ended_has_failed(
        self, make_task: MakeTask, system: System, tmp_path: Path
    ) -> None:
        import optuna

        url = f"sqlite:///{tmp_path}/study.db"

        def meddle(trial: Trial, done: int, total: int) -> None:
            (name,) = optuna.get_all_study_names(url)
            study = optuna.load_study(study_name=name, storage=url)
            if done == 1:
                # Takes the trial that waits.
                study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)

        sweep = run_search(
            make_task(),
            system,
            RunStore(tmp_path),
            storage=url,
            n_jobs=1,
            on_trial=meddle,
        )
        assert [trial.state for trial in sweep.trials] == ["complete", "failed"]
        assert "something else" in (sweep.failed[0].error or "")

    def test_a_trial_is_taken_over_when_its_process_is_silent_and_not_by_the_clock(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.05)
        monkeypatch.setattr(heartbeat, "SILENT_SECONDS", 0.5)
        monkeypatch.setattr(shared_study, "POLL_SECONDS", 0.01)
        path = tmp_path / "study.log"
        strategy = Listed([{"lr__C": 1.0}, {"lr__C": 2.0}])
        arguments = (str(path), "toy", Space({"lr__C": LogUniform(0.1, 9.0)}), True)
        monkeypatch.setattr(shared_study, "_this_process", lambda: ["far", 1, 0.0])
        far = SharedStudy(*arguments)
        assert [p.number for p in far.take(strategy, 1)] == [0]
        # The clock of that machine is a quarter of a century late.
        text = path.read_text("utf-8")
        path.write_text(text.replace('"datetime_start":"20', '"datetime_start":"19'))
        monkeypatch.undo()
        monkeypatch.setattr(shared_study, "POLL_SECONDS", 0.01)
        monkeypatch.setattr(heartbeat, "SILENT_SECONDS", 0.5)
        here = SharedStudy(*arguments)
        (mine,) = here.take(strategy, 2)
        here.finish(Trial(mine.number, mine.params, 0.5, "complete"))

        def waited(seconds: float) -> list[Any]:
            until = time.monotonic() + seconds
            left: list[Any] = []
            while time.monotonic() < until and not left:
                left = here.wait(strategy)
            return left

        assert waited(1.5) == []
        far.close()
        assert [proposal.number for proposal in waited(30.0)] == [0]
        here.close()
        # Those who look later see that the trial is in work again.
        assert here.wait(strategy) == []

    @pytest.mark.parametrize("kind", ["file", "database"])
    def test_a_study_that_says_other_scores_than_the_records_is_put_right(
        self, make_task: MakeTask, system: System, tmp_path: Path, kind: str
    ) -> None:
        path = tmp_path / "study"
        storage = str(path) if kind == "file" else f"sqlite:///{path}"
        store = RunStore(tmp_path / "runs")
        sweep = run_search(make_task(), system, store, storage=storage)
        assert sweep.best is not None
        worse = sweep.trials[1 - sweep.best.number]
        if kind == "file":
            text = path.read_text("utf-8")
            told = f'"score":{worse.score!r}'
            assert text.count(told) == 1
            path.write_text(text.replace(told, '"score":0.999'), "utf-8")
        else:
            told = f'"score": {worse.score!r}'
            with closing(sqlite3.connect(path)) as database, database:
                changed = database.execute(
                    "UPDATE trial_user_attributes SET value_json = "
                    "replace(value_json, ?, '\"score\": 0.999') "
                    "WHERE instr(value_json, ?)",
                    (told, told),
                )
                assert changed.rowcount == 1
        with pytest.warns(TweetclfWarning, match="the study says score 0.999"):
            again = run_search(make_task(), system, store, storage=storage)
        assert again == sweep

    @pytest.mark.parametrize(
        "line",
        [
            "half a li",
            "[1]",
            '{"op_code": 99, "worker_id": "x"}',
            '{"op_code": 8, "worker_id": "x"}',
        ],
    )
    def test_a_damaged_journal_of_optuna_is_named_with_its_line(
        self, make_task: MakeTask, system: System, tmp_path: Path, line: str
    ) -> None:
        path = tmp_path / "study.log"
        run_search(make_task(), system, RunStore(tmp_path), n_jobs=1, storage=str(path))
        lines = path.read_text("utf-8").splitlines()
        lines.insert(2, line)
        path.write_text("\n".join(lines) + "\n", "utf-8")
        said = re.escape(f"line 3 says {line!r}")
        with pytest.raises(
            RecordError, match=rf"study\.log is damaged.*{said}.*delete"
        ):
            run_search(
                make_task(), system, RunStore(tmp_path), n_jobs=1, storage=str(path)
            )

    def test_a_damaged_trial_of_a_study_is_named(
        self, make_task: MakeTask, system: System, tmp_path: Path
    ) -> None:
        path = tmp_path / "study.log"
        store = RunStore(tmp_path)
        run_search(make_task(), system, store, n_jobs=1, storage=str(path))
        text = path.read_text("utf-8")
        path.write_text(text.replace('"state":"complete"', '"state":"done"'), "utf-8")
        said = r"study\.log cannot be used.*trial 0.*'state' is 'done'.*delete this one"
        with pytest.raises(RecordError, match=said):
            run_search(make_task(), system, store, n_jobs=1, storage=str(path))

    def test_a_storage_that_cannot_be_opened_is_named(
        self, make_task: MakeTask, system: System, tmp_path: Path
    ) -> None:
        with pytest.raises(OSError, match="nosuchdb://x.*journal file or an SQL URL"):
            run_search(make_task(), system, RunStore(tmp_path), storage="nosuchdb://x")


# What a killed or a second process runs: a search that takes its time.
SLOW = """
import os, sys, time
from dataclasses import replace
from pathlib import Path
from tweetclf import load_task
from tweetclf.estimators import tfidf_lr
from tweetclf.leaderboard import *

def make(random_state=0):
    time.sleep(float(os.environ.get("SLOW", "0")))
    return tfidf_lr(random_state=random_state)

def search(strategy, store, storage=None):
    space = Space({"lr__C": LogUniform(0.01, 100.0), "tfidf__min_df": Choice((1, 2))})
    task = load_task("sample-humor")
    few = {name: split.take(range(80)) for name, split in task.splits.items()}
    return run_search(
        replace(task, splits=few),
        System("slow", "slow_system:make", "slow", "none", space=space),
        RunStore(store),
        SearchProtocol(strategy=strategy, n_trials=14),
        storage=storage,
        n_jobs=1,
        on_trial=lambda trial, done, total: print(trial.number, flush=True),
    )

if __name__ == "__main__":
    strategy, store, storage, together = sys.argv[1:]
    Path(f"ready-{os.getpid()}").touch()
    while len(list(Path().glob("ready-*"))) < int(together):
        time.sleep(0.01)
    search(strategy, store, storage or None).save(Path(store) / "sweep.json")
"""


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Sweep]:
    """Write the program, and return its search to be run here."""
    (tmp_path / "slow_system.py").write_text(SLOW, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "slow_system", raising=False)
    found: Callable[..., Sweep] = importlib.import_module("slow_system").search
    monkeypatch.delitem(sys.modules, "slow_system")
    return found


def _start(*argv: str, slow: float, together: int = 1) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "slow_system.py", *argv, str(together)],
        env={**os.environ, "SLOW": str(slow)},
        stdout=subprocess.PIPE,
        text=True,
    )


# A search that is interrupted in this process, and half a line of its journal, are
# tested above.
@pytest.mark.parametrize(
    "storage", [pytest.param("", marks=pytest.mark.slow), "study.log"]
)
def test_a_search_that_is_killed_goes_on_with_the_same_result(
    search: Callable[..., Sweep], tmp_path: Path, storage: str
) -> None:
    pytest.importorskip("optuna")
    process = _start("tpe", "killed", storage, slow=0.1)
    assert process.stdout is not None
    # In the middle of the trial after these, beyond the random ones of the start.
    assert [process.stdout.readline() for _ in range(11)][-1] == "10\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    n_stored = len(list(tmp_path.glob("killed/trials/*/*/*.json")))
    assert 11 <= n_stored < 14
    resumed = search("tpe", "killed", storage or None)
    assert _facts(resumed) == _facts(search("tpe", "whole"))
    assert len(resumed.trials) == 14


def test_processes_share_the_trials_of_a_study(
    search: Callable[..., Sweep], tmp_path: Path
) -> None:
    pytest.importorskip("optuna")
    started = [
        _start("random", store, "study.log", slow=0.1, together=2) for store in "ab"
    ]
    for process in started:
        process.communicate(timeout=250)
        assert process.returncode == 0
    sweeps = [Sweep.load(tmp_path / store) for store in "ab"]
    assert _facts(sweeps[0]) == _facts(sweeps[1]) == _facts(search("random", "alone"))
    runs = [set(tmp_path.glob(f"{store}/trials/*/*/*.json")) for store in "ab"]
    names = [{path.name for path in found} for found in runs]
    assert names[0] | names[1] == {f"{t.record}.json" for t in sweeps[0].trials}
    assert all(names), "one process did everything"
    # A journal file is locked: nothing is run twice.
    assert not names[0] & names[1]
