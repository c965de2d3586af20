"""Advice: rules over facts, tiny data, and the transformer's predictions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tweetclf import load_task
from tweetclf.exceptions import DataError, RecordError
from tweetclf.leaderboard import (
    RunStore,
    advise,
    execute_run,
    get_system,
)
from tweetclf.leaderboard.actions import Facts, choose_actions
from tweetclf.leaderboard.advice import make_facts
from tweetclf.leaderboard.advising import BASELINES, _followed, advise_systems
from tweetclf.leaderboard.records import Protocol
from tweetclf.leaderboard.rivals import find_rival, read_rival
from tweetclf.leaderboard.runner import make_spec
from tweetclf.leaderboard.shared_runs import lay_out
from tweetclf.reports import make_advice_report, render

# -- rules --------------------------------------------------------------------------

FACTS = Facts(
    n_labels=10_000,
    smallest=("yes", 3000),
    metric="macro F1",
    unit="points",
    scale=100.0,
    margin=0.01,
    best="char-svm",
    n_scored=10_000,
    n_leaked=0,
    n_contradicting=0,
    n_rows=10_000,
    n_suspects=0,
    n_believed=10_000,
    labels=2000,
    gain=(0.007, 0.013, 0.019),
)


@pytest.mark.parametrize(
    ("changes", "keys", "said"),
    [
        ({}, ["label-more"], "+1.3 ± 0.6 points of macro F1"),
        ({"n_labels": 50}, ["label-more"], "50 labels, which is too few"),
        ({"smallest": ("yes", 4)}, ["label-more", "label-more"], "'yes'"),
        ({"n_leaked": 800}, ["remove-duplicates", "label-more"], "800 of 10,000"),
        ({"n_contradicting": 500}, ["clean-labels", "label-more"], "500 of 10,000"),
        ({"n_suspects": 500}, ["clean-labels", "label-more"], "nearly sure"),
        ({"gain": (-0.004, 0.001, 0.006)}, ["try-transformer"], "less than matters"),
        (
            {"gain": None, "no_gain": "the curve is flat"},
            ["try-transformer"],
            "the curve is flat",
        ),
        (
            {"rival": "bert", "rival_difference": (0.03, 0.05, 0.07), "rival_n": 2000},
            ["use-transformer", "label-more"],
            "better than char-svm by 5.0 points",
        ),
        (
            {
                "rival": "bert",
                "rival_difference": (-0.008, 0.0, 0.008),
                "rival_equivalent": True,
                "rival_n": 2000,
            },
            ["stop-here", "label-more"],
            "is not worth it here",
        ),
        (
            {
                "rival": "bert",
                "rival_difference": (-0.02, 0.01, 0.04),
                "rival_n": 500,
                "rival_detectable": 0.04,
            },
            ["compare-longer", "label-more"],
            "About 8,000 scored tweets",
        ),
    ],
)
def test_rules(changes, keys, said) -> None:
    actions = choose_actions(replace(FACTS, **changes))
    assert [action.key for action in actions] == keys
    assert any(said in f"{a.title} {a.reason}" for a in actions)


def test_too_few_labels_leave_nothing_else_to_say() -> None:
    facts = replace(FACTS, n_labels=60, n_contradicting=30, n_rows=60)
    keys = [action.key for action in choose_actions(facts)]
    assert keys == ["label-more", "clean-labels"]


def test_errors_are_said_in_their_own_unit() -> None:
    facts = replace(
        FACTS, metric="RMSE", unit="RMSE", scale=1.0, gain=(0.02, 0.03, 0.04)
    )
    (action,) = choose_actions(facts)
    assert "+0.03 ± 0.01 RMSE" in action.reason


# -- whole tasks --------------------------------------------------------------------


def _write(path: Path, n: int, *, twist: int = 5) -> str:
    """Write a labelled table; every `twist`-th label is wrong."""
    rng = np.random.default_rng(0)
    good = ["lindo", "feliz", "genial", "me encanta"]
    bad = ["feo", "triste", "horrible", "odio"]
    lines = ["id,text,label"]
    for i in range(n):
        positive = bool(rng.integers(2))
        words = good if positive else bad
        label = positive != (i % twist == 0)
        noise = " ".join(f"w{rng.integers(300)}" for _ in range(6))
        text = f"{words[int(rng.integers(4))]} {noise}"
        lines.append(f"r{i},{text},{'P' if label else 'N'}")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return str(path)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _write(tmp_path_factory.mktemp("advise") / "mine.csv", 400)


@pytest.fixture(scope="module")
def task(table: str):
    return load_task(table, holdout=False)


SEEN: list[tuple[int, int]] = []


@pytest.fixture(scope="module")
def advice(task):
    return advise(task, on_step=lambda _, done, total: SEEN.append((done, total)))


def test_a_file_is_cross_validated(advice) -> None:
    assert advice.evaluation == "cv"
    assert advice.n_labels == 400
    assert {entry.system for entry in advice.board.entries} == set(BASELINES)
    assert advice.board.n_scored == 400
    assert all(e.low <= e.score <= e.high for e in advice.board.entries)
    assert all(e.mean_cost("fit_seconds") > 0 for e in advice.board.entries)
    assert advice.audit.label_noise.n_of == 400
    assert advice.curve is not None
    assert advice.actions


def test_small_files_are_asked_for_what_can_be_forecast(task, advice) -> None:
    # Four times the 320 labels that models of the folds have, less the 400 there are.
    assert advice.fitted.furthest == 4 * 320
    assert advice.labels == 880
    assert advice.forecast.n_to == 400 + 880
    assert [f.n_to for f in advice.forecasts] == [400 + 440, 400 + 880]
    assert not advice.no_forecast
    assert "not known" not in str(advice.actions)


def test_what_cannot_be_forecast_is_no_reason_against_labels(task, advice) -> None:
    trials = SimpleNamespace(curve=lambda *_: advice.curve)
    asked = {
        labels: _followed(
            replace(advice, labels=labels), trials, None, None, reachable=False
        )
        for labels in (1000, 50_000)
    }
    half, none = asked[1000], asked[50_000]
    assert half.forecast is None
    assert half.no_forecast.startswith("1,000 more labels cannot be forecast from 400")
    facts = make_facts(half, task)
    assert (facts.labels, facts.gain[1]) == (500, half.forecasts[0].gain)
    assert none.forecasts == ()
    (action,) = choose_actions(
        replace(FACTS, gain=None, no_gain=make_facts(none, task).no_gain)
    )
    assert action.key == "try-transformer"
    assert "forecast from 400 labels, which is no reason against them" in action.reason


@pytest.mark.parametrize("n", [4, 12, 50])
def test_tiny_data_are_said_to_be_too_few(tmp_path, n) -> None:
    task = load_task(_write(tmp_path / "tiny.csv", n), holdout=False)
    advice = advise(task)
    assert advice.actions[0].key == "label-more"
    assert "too few" in advice.actions[0].reason
    assert advice.fitted is None
    assert advice.forecasts == ()
    assert (advice.board is None) == (n < 20)


def test_one_class_is_refused(tmp_path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("text,label\n" + "".join(f"t{i},P\n" for i in range(30)), "utf-8")
    with pytest.raises(DataError, match="nothing to learn"):
        load_task(path, holdout=False)


def test_a_second_class_of_a_few_rows_trains_nothing(tmp_path) -> None:
    path = tmp_path / "rare.csv"
    rows = [f"t{i},{'P' if i > 2 else 'N'}\n" for i in range(60)]
    path.write_text("text,label\n" + "".join(rows), "utf-8")
    advice = advise(load_task(path, holdout=False))
    assert advice.board is None
    assert "second label" in advice.no_forecast


def _few(name: str):
    task = load_task(name)
    few = {k: s.take(range(min(len(s), 150))) for k, s in task.splits.items()}
    return replace(task, splits=few)


@pytest.mark.parametrize("name", ["sample-emotions", "sample-funniness"])
def test_other_kinds_of_targets(name) -> None:
    advice = advise(_few(name))
    assert advice.best is not None
    assert advice.actions
    assert advice.evaluation == "test"


def test_what_no_baseline_does_is_refused() -> None:
    task = load_task("sample-stance")
    odd = replace(task, target_kind="multilabel", kind="pair")
    with pytest.raises(DataError, match="no baseline of advise"):
        advise_systems(odd)


def test_steps_are_counted(advice) -> None:
    assert [done for done, _ in SEEN] == list(range(1, len(SEEN) + 1))
    assert SEEN[-1][0] == SEEN[-1][1]


@pytest.mark.parametrize("options", [{"margin": 0}, {"labels": 0}])
def test_options_are_checked(task, options) -> None:
    with pytest.raises(ValueError, match="margin must be above 0"):
        advise(task, **options)


# -- the transformer ----------------------------------------------------------------


def _predictions(path: Path, ids, labels) -> str:
    lines = ["id,prediction", *(f"{i},{y}" for i, y in zip(ids, labels, strict=True))]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return str(path)


def test_perfect_predictions_are_to_be_used(task, advice, tmp_path) -> None:
    best = advice.board.entries[0]
    gold = np.asarray(task.train.labels)
    path = _predictions(tmp_path / "bert.csv", task.train.ids, gold)
    better = advise(task, transformer=path)
    assert better.actions[0].key == "use-transformer"
    assert better.comparisons[0].names == ("bert.csv", better.best)
    assert better.comparisons[0].scores[0] == 1.0
    assert better.comparisons[0].scores[1] == pytest.approx(best.score)
    assert len(better.comparisons) == len(BASELINES) - 1
    # The rest is that of the same seed.
    assert [e.score for e in better.board.entries] == [
        e.score for e in advice.board.entries
    ]
    assert better.forecasts == advice.forecasts


def test_files_are_matched_by_id_or_by_number(task, tmp_path) -> None:
    layout = lay_out(task)
    ids, labels = np.array(task.train.ids), np.asarray(task.train.labels)
    chosen = np.array([5, 3, 200, 17])
    path = _predictions(tmp_path / "some.csv", ids[chosen], labels[chosen])
    rival = read_rival(path, task, layout)
    assert rival.rows.tolist() == chosen.tolist()
    assert rival.y_pred.tolist() == labels[chosen].tolist()
    lines = tmp_path / "all.txt"
    lines.write_text("\n".join(labels) + "\n", "utf-8")
    assert read_rival(str(lines), task, layout).rows.tolist() == list(range(400))
    cut = load_task(str(task_path(task, tmp_path)))
    lines.write_text("\n".join(cut.test.labels) + "\n", "utf-8")
    rival = read_rival(str(lines), task, layout)
    assert [task.train.texts[i] for i in rival.rows] == list(cut.test.texts)


def task_path(task, folder: Path) -> Path:
    path = folder / "again.csv"
    rows = zip(task.train.ids, task.train.texts, task.train.labels, strict=True)
    path.write_text(
        "id,text,label\n" + "".join(f"{i},{t},{y}\n" for i, t, y in rows), "utf-8"
    )
    return path


@pytest.mark.parametrize(
    ("ids", "labels", "said"),
    [
        (["r1", "x9"], ["P", "N"], "1 ids are none of the 400 rows"),
        (["r1", "r1"], ["P", "N"], "stands twice"),
        (["r1"], ["Q"], "'Q' is not a label"),
    ],
)
def test_files_that_do_not_fit_are_refused(task, tmp_path, ids, labels, said) -> None:
    path = _predictions(tmp_path / "odd.csv", ids, labels)
    with pytest.raises(DataError, match=said):
        read_rival(path, task, lay_out(task))


def test_lines_of_another_number_are_refused(task, tmp_path) -> None:
    path = tmp_path / "three.txt"
    path.write_text("P\nN\nP\n", "utf-8")
    with pytest.raises(DataError, match="3 predictions for 400 rows"):
        read_rival(str(path), task, lay_out(task))
    with pytest.raises(DataError, match="there is no file nowhere"):
        read_rival("nowhere", task, lay_out(task))


def _stored(task, store: RunStore, name: str = "nbsvm", evaluation: str = "test"):
    system = get_system(name)
    spec = make_spec(task, system, 0, Protocol(evaluation))
    return store.put(*execute_run(task, system, spec))


@pytest.mark.parametrize("evaluation", ["test", "cv"])
def test_a_stored_run_of_the_same_file(table, task, tmp_path, evaluation) -> None:
    store = RunStore(tmp_path / "runs-of-mine")
    cut = load_task(table)
    record = _stored(cut, store, evaluation=evaluation)
    layout = lay_out(task)
    rival = read_rival(record.key[:6], task, layout, store=store.path)
    gold = store.predictions(record)["y_true"]
    names = np.array(task.label_names)
    assert (np.asarray(task.train.labels)[rival.rows] == names[gold]).all()
    assert rival.cost == record.cost
    by_file = read_rival(str(store.path / record.spec.path), task, layout)
    assert by_file.rows.tolist() == rival.rows.tolist()


def test_runs_of_other_data_are_refused(task, tmp_path) -> None:
    store = RunStore(tmp_path / "s")
    record = _stored(load_task("sample-humor"), store)
    with pytest.raises(DataError, match="is of other data than these"):
        read_rival(record.key, task, lay_out(task), store=store.path)
    alone = tmp_path / f"{record.key}.json"
    alone.write_bytes((store.path / record.spec.path).read_bytes())
    with pytest.raises(DataError, match="outside of a store"):
        read_rival(str(alone), task, lay_out(task))
    alone.write_text(json.dumps({"spec": 1}), "utf-8")
    with pytest.raises(RecordError):
        read_rival(str(alone), task, lay_out(task))


def test_a_registered_task_takes_a_run_on_test(tmp_path) -> None:
    task = _few("sample-humor")
    store = RunStore(tmp_path / "s")
    record = _stored(task, store, "nbsvm")
    advice = advise(task, transformer=record.key, store=store.path)
    found = {c.names[1]: c for c in advice.comparisons}
    assert found["nbsvm"].difference == 0
    assert found["nbsvm"].names[0] == "nbsvm (given)"
    # Six baselines, and all but the largest size of the curve in each of five orders.
    n_curve = 0 if advice.curve is None else 5 * (len(advice.curve.sizes) - 1)
    assert len(advice.board.entries) == 6
    assert advice.n_test_scorings >= 6 + n_curve
    assert (advice.n_test_scorings - 6) % 5 == 0
    assert store.test_scorings(task.name) == advice.n_test_scorings
    report = render(make_advice_report(advice), "markdown")
    assert f"the test split was scored {advice.n_test_scorings} times" in report
    # A store without neural runs gives nothing to compare with.
    assert find_rival(task, lay_out(task), store.path) is None
