"""``tweetclf search``, as a user types it."""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tweetclf.cli import main
from tweetclf.leaderboard import RunStore, Sweep
from tweetclf.persistence import load

pytestmark = pytest.mark.usefixtures("own_folder")

SAMPLE = ["search", "--task", "sample-humor", "--system"]


def test_the_best_setting_is_printed_and_can_be_used(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*SAMPLE, "char-svm", "--output", "out"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    sweep = Sweep.load("out")
    assert sweep.best is not None
    assert "sample-humor, char-svm: 6 trials of space grid, strategy grid" in (
        printed.out
    )
    assert f"best parameters: {json.dumps(dict(sweep.best.params))}" in printed.out
    first = re.search(r"^-.*\n *(\d+) +([\d.]+)", printed.out, re.MULTILINE)
    assert first is not None
    assert int(first[1]) == sweep.best.number
    # What is printed runs as it is.
    lines = printed.out.partition("from tweetclf import load_task")
    code = (lines[1] + lines[2]).partition("Test was not")[0]
    names: dict[str, object] = {}
    exec(code.partition("or, to train")[0], names)
    assert names["model"].get_params()["svm__C"] == sweep.best.params["svm__C"]
    line = next(x for x in code.splitlines() if x.startswith("tweetclf fit"))
    assert line == (
        "tweetclf fit char-svm sample-humor --param "
        f"char-svm.svm__C={sweep.best.params['svm__C']} --output model"
    )
    assert main(shlex.split(line)[1:]) == 0
    assert load("model").get_params()["svm__C"] == sweep.best.params["svm__C"]
    with Path("out/sweep.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["param_svm__C"] for row in rows][:2] == ["0.01", "0.03"]
    assert RunStore("runs").test_scorings("sample-humor") == 0


def test_a_space_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.toml").write_text("[parameters]\nsvm__C = [0.1, 0.3]\n", "utf-8")
    assert main([*SAMPLE, "char-svm", "--space", "mine.toml"]) == 0
    assert "2 trials of space mine, strategy grid" in capsys.readouterr().out
    Path("mine.toml").write_text("[parameters]\nsvm__D = [0.1]\n", "utf-8")
    assert main([*SAMPLE, "char-svm", "--space", "mine.toml"]) == 1
    assert "svm__D" in capsys.readouterr().err
    assert main([*SAMPLE, "char-svm", "--space", "yours.toml"]) == 1
    assert "there is no search space at yours.toml" in capsys.readouterr().err


def test_json_holds_the_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    argv = [*SAMPLE, "tfidf-lr", "--strategy", "halving", "--trials", "4"]
    assert main([*argv, "--factor", "2", "--folds", "3", "--json"]) == 0
    sweep = Sweep.from_json(capsys.readouterr().out)
    assert (sweep.strategy, sweep.evaluation, sweep.n_folds) == ("halving", "cv", 3)
    assert len(sweep.trials) == 4 + 2 + 1
    assert sweep.space == "wide"


def test_bayesian_search_in_a_shared_study(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("optuna")
    argv = [*SAMPLE, "nbsvm", "--strategy", "tpe", "--trials", "3"]
    assert main([*argv, "--storage", "sqlite:///study.db", "--json"]) == 0
    shared = Sweep.from_json(capsys.readouterr().out)
    assert main([*argv, "--store", "other", "--json"]) == 0
    alone = Sweep.from_json(capsys.readouterr().out)
    assert [t.params for t in alone.trials] == [t.params for t in shared.trials]


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Start two workers, with time to come up where the machine is busy."""
    dask = pytest.importorskip("dask")
    distributed = pytest.importorskip("distributed")
    patience = {
        "distributed.comm.timeouts.connect": "240s",
        "distributed.comm.timeouts.tcp": "240s",
        "distributed.scheduler.worker-ttl": "600s",
        "distributed.admin.tick.limit": "60s",
    }
    with (
        dask.config.set(patience),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None
        ) as started,
    ):
        started.wait_for_workers(2, timeout=240)
        yield started


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True])
def test_the_workers_of_a_dask_cluster(
    capsys: pytest.CaptureFixture[str], cluster: Any, shared: bool
) -> None:
    if shared:
        pytest.importorskip("optuna")
    argv = [*SAMPLE, "tfidf-lr", "--json"]
    there = ["--backend", "dask", "--scheduler", cluster.scheduler_address]
    there += ["--storage", "study.log"] if shared else []
    assert main([*argv, *there, "--store", "remote"]) == 0
    remote = Sweep.from_json(capsys.readouterr().out)
    assert main([*argv, "--store", "local"]) == 0
    local = Sweep.from_json(capsys.readouterr().out)
    assert [t.score for t in remote.trials] == [t.score for t in local.trials]
    assert [t.records for t in remote.trials] == [t.records for t in local.trials]
    if shared:
        # Four threads stand ready, so four trials are handed out before one ends.
        lines = map(json.loads, Path("study.log").read_text("utf-8").splitlines())
        kinds = [
            "claimed" if "datetime_start" in line else "ended"
            for line in lines
            if line["op_code"] == 6
        ]
        assert kinds[:5] == ["claimed"] * 4 + ["ended"]


def test_your_own_file(capsys: pytest.CaptureFixture[str]) -> None:
    rows = ["tweet,class"]
    for i in range(30):
        rows += [f'"qué lindo día, {i}",P', f'"qué feo día, {i}",N']
    Path("mine.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    argv = ["search", "--task", "mine.csv", "--text", "tweet", "--label", "class"]
    assert main([*argv, "--system", "tfidf-lr"]) == 0
    printed = capsys.readouterr().out
    assert "load_task('mine.csv', text='tweet', label='class')" in printed


def test_your_own_file_is_read_as_said(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        f"a{i % 9};año {'sí' if i % 2 else 'no'} {i};{'PN'[i % 2]}" for i in range(90)
    ]
    table = "\n".join(["who;tweet;class", *rows]).replace(";", ",") + "\n"
    Path("mine.csv").write_text(table, encoding="cp1252")
    own = ["--encoding", "cp1252", "--group", "who", "--text", "tweet"]
    argv = ["search", "--task", "mine.csv", "--system", "tfidf-lr", "--trials", "1"]
    assert main([*argv, "--strategy", "random", "--folds", "2", *own]) == 0
    assert "text='tweet', group='who', encoding='cp1252')" in (
        printed := capsys.readouterr().out
    )
    line = next(x for x in printed.splitlines() if x.startswith("tweetclf fit"))
    assert "mine.csv --text tweet --group who --encoding cp1252 --param" in line
    assert main([*shlex.split(line)[1:]]) == 0


def test_several_seeds_that_change_nothing_are_noted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = [*SAMPLE, "tfidf-lr", "--folds", "3", "--seeds", "2"]
    assert main(argv) == 0
    assert "the 2 seeds changed no score" in capsys.readouterr().err
    assert main([*argv, "--new-folds"]) == 0
    printed = capsys.readouterr()
    assert "seeds changed" not in printed.err
    assert "scored on 3 folds, 2 seeds" in printed.out


def test_failed_trials_are_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from tweetclf.leaderboard.systems import SYSTEMS

    system = replace(SYSTEMS.get("tfidf-lr"), grid={"lr__C": (-1.0, 1.0)})
    monkeypatch.setattr(SYSTEMS, "get", lambda name: system)
    assert main([*SAMPLE, "tfidf-lr"]) == 1
    printed = capsys.readouterr()
    assert "failed: trial 0 {'lr__C': -1.0}: InvalidParameterError" in printed.err
    assert 'best parameters: {"lr__C": 1.0}' in printed.out


def test_a_journal_that_was_changed_is_noted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*SAMPLE, "tfidf-lr", "--json"]) == 0
    before = capsys.readouterr().out
    (journal,) = Path("runs/searches").rglob("*.jsonl")
    lines = journal.read_text("utf-8")
    end = json.loads(lines.splitlines()[-1])
    end["end"]["score"] = 1.0
    journal.write_text(f"{lines}{json.dumps(end)}\n", "utf-8")
    assert main([*SAMPLE, "tfidf-lr", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.out == before
    assert re.match(r"warning: runs.*jsonl does not agree.*score 1.0", printed.err)


def test_spaces_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "--spaces"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^twilbert .*learning_rate \{1e-05, .*3 seeds", printed, re.M)
    from tweetclf.leaderboard.named_spaces import FITTING

    for name, systems in FITTING.items():
        fitting = ", ".join(systems)
        assert re.search(rf"^{name} +{fitting} ", printed, re.M)
    assert re.search(r"^haha .*5 folds, 20 seeds.*Farzin", printed, re.M)
    assert re.search(r"^japanese-bert .*100 trials", printed, re.M)
    assert re.search(r"^wide +char-svm +svm__C \[0.003, 10\] log", printed, re.M)
    assert main(["search", "--spaces", "--system", "nbsvm", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    own = [row["space"] for row in listed if row["system"] == "nbsvm"]
    assert own == ["grid", "wide"]
    (haha,) = (row for row in listed if row["space"] == "haha")
    assert (haha["system"], haha["fitting"]) == (None, None)


def test_where_nothing_can_be_written_is_refused_before_anything_is_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("sweep.html").write_text("not a folder", "utf-8")
    for place in ("sweep.html", "sweep.html/deeper", "/proc/out"):
        if place.startswith("/proc") and not Path("/proc/self").exists():
            continue
        for option in ("--output", "--store"):
            assert main([*SAMPLE, "tfidf-lr", option, place]) == 1
            said = capsys.readouterr().err
            assert said.startswith(f"tweetclf search: error: {option} {place}: ")
            assert "Choose another folder with" in said
    assert not Path("runs").exists()
    assert Path("sweep.html").read_text("utf-8") == "not a folder"
    # A report may be one file; what has no ending of a report is a folder.
    argv = ["leaderboard", "--task", "sample-humor", "--system", "majority"]
    assert main([*argv, "--resamples", "200", "--output", "sweep.html"]) == 0
    Path("report.pdf").touch()
    assert main([*argv, "--resamples", "200", "--output", "report.pdf"]) == 1
    assert "report.pdf is not a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "--task and --system are needed"),
        (["--task", "sample-humor"], "--task and --system are needed"),
        ([*SAMPLE[1:], "nbsvm", "--strategy", "grid", "--trials", "3"], "leave"),
        ([*SAMPLE[1:], "nbsvm", "--evaluation", "dev", "--folds", "3"], "need"),
        ([*SAMPLE[1:], "nbsvm", "--factor", "3"], "--strategy halving"),
        ([*SAMPLE[1:], "nbsvm", "--scheduler", "x"], "--backend dask"),
        ([*SAMPLE[1:], "nbsvm", "--storage", "x", "--retry-failed"], "--storage"),
        ([*SAMPLE[1:], "nbsvm", "--folds", "1"], "at least 2"),
    ],
)
def test_wrong_usage(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["search", *argv])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["majority"], "declares no search space"),
        (["nbsvn"], "Did you mean 'nbsvm'"),
        (["nbsvm", "--space", "twilbert"], "no parameter batch_size"),
        (["nbsvm", "--space", "wyde"], "Unknown search space"),
        (["nbsvm", "--space", "wide", "--strategy", "grid"], "has a distribution"),
        (["tfidf-ridge"], "does not do binary tasks"),
        (
            ["nbsvm", "--strategy", "halving", "--min-resources", "3"],
            "from 4 to 868",
        ),
    ],
)
def test_errors(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SAMPLE, *argv]) == 1
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""


def test_the_command_offers_every_strategy_and_export() -> None:
    # The commands name them again, so that --help imports no library.
    from tweetclf.cli import export, search
    from tweetclf.leaderboard.spaces import STRATEGIES
    from tweetclf.reports.exports.writing import EXPORTS

    assert search.STRATEGIES == STRATEGIES
    assert export.FORMATS == EXPORTS
