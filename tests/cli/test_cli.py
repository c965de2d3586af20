"""The command line, as a user types it."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tweetclf._version import __version__
from tweetclf.cli import main
from tweetclf.cli._main import COMMANDS

QUICK = ["--system", "majority", "--system", "tfidf-lr", "--resamples", "200"]


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWEETCLF_DATA", str(tmp_path / "no-data"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    rows = ["tweet,class"]
    for i in range(30):
        rows += [f'"qué lindo día, {i}",P', f'"qué feo día, {i}",N']
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", printed, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"usage: tweetclf {command}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"tweetclf {__version__}\n"


def test_wrong_usage_is_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["leaderbord"])
    assert stop.value.code == 2
    assert "Did you mean 'leaderboard'?" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["leaderboard", "--seeds", "0"])
    assert stop.value.code == 2
    assert "must be at least 1" in capsys.readouterr().err
    assert main([]) == 2


def test_leaderboard_on_the_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", "--task", "sample-humor", *QUICK]) == 0
    printed = capsys.readouterr()
    assert "sample-humor (test," in printed.out
    assert "tfidf-lr" in printed.out
    assert printed.out.rstrip().splitlines()[-1].startswith("report")
    assert "\x1b[" not in printed.out + printed.err
    html = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "tfidf-lr" in html
    # A second call computes nothing and says so.
    assert main(["leaderboard", "--task", "sample-humor", *QUICK]) == 0
    assert "2 of 2 runs were stored before" in capsys.readouterr().err


def test_report_is_rebuilt_from_the_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["leaderboard", "--task", "sample-humor", *QUICK, "--format", "all"])
    first = {p.name for p in (tmp_path / "report").iterdir()}
    assert {Path(name).suffix for name in first} >= {
        ".html",
        ".md",
        ".tex",
        ".csv",
        ".json",
    }
    capsys.readouterr()
    assert main(["report", "--output", "again", "--resamples", "200"]) == 0
    again = json.loads((tmp_path / "again" / "report.json").read_text("utf-8"))
    assert "tfidf-lr" in json.dumps(again)
    assert main(["report", "--store", "nowhere"]) == 1
    assert "tweetclf leaderboard" in capsys.readouterr().err


def test_own_file(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["leaderboard", "--task", str(table), "--text", "tweet", "--label", "class"]
    assert main([*argv, *QUICK]) == 0
    printed = capsys.readouterr().out
    assert "mine" in printed
    assert "tfidf-lr" in printed


def test_json_is_nothing_but_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "--task", "sample-humor", *QUICK, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)
    assert main(["tasks", "--json"]) == 0
    tasks = json.loads(capsys.readouterr().out)
    assert {"sample-humor", "tweeteval-irony"} <= {task["name"] for task in tasks}
    assert main(["systems", "--json"]) == 0
    assert "nbsvm" in {row["name"] for row in json.loads(capsys.readouterr().out)}
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["packages"]["numpy"]


def test_errors_have_no_traceback_unless_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["leaderboard", "--task", "sample-humour"]) == 1
    printed = capsys.readouterr().err
    assert "Did you mean 'sample-humor'" in printed
    assert "Traceback" not in printed
    with pytest.raises(KeyError):
        main(["leaderboard", "--task", "sample-humour", "--debug"])


def test_absent_data_of_a_named_task_is_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["leaderboard", "--task", "tweeteval-irony", *QUICK]) == 1
    assert "tweetclf fetch tweeteval" in capsys.readouterr().err


def test_absent_data_of_a_definition_are_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d.toml").write_text(
        'tasks = ["tweeteval-irony", "sample-humor"]\nsystems = ["majority"]\n'
        "n_resamples = 100\n"
    )
    assert main(["leaderboard", "--config", "d.toml"]) == 0
    printed = capsys.readouterr()
    assert "skipped tweeteval-irony" in printed.err
    assert "sample-humor" in printed.out
    assert "tweeteval-irony" in (tmp_path / "report" / "report.html").read_text("utf-8")


def test_a_failed_run_is_exit_code_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # haha-nbsvm wants terms in three tweets; here there are none.
    path = tmp_path / "odd.csv"
    rows = [f"palabra{i} distinta{i},{'PN'[i % 2]}" for i in range(40)]
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    argv = ["leaderboard", "--task", str(path), "--resamples", "100"]
    assert main([*argv, "--system", "majority", "--system", "haha-nbsvm"]) == 1
    printed = capsys.readouterr()
    assert "failed: haha-nbsvm" in printed.err
    assert "majority" in printed.out


def test_seeds_and_folds(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["leaderboard", "--task", "sample-humor", "--system", "stratified"]
    assert main([*argv, "--seeds", "3", "--resamples", "100"]) == 0
    capsys.readouterr()
    assert len(list(Path("runs").rglob("*.npz"))) == 3
    assert main([*argv, "--folds", "3", "--resamples", "100"]) == 0
    assert "cross-validation" in capsys.readouterr().out


def test_fit_and_predict(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = ["--text", "tweet", "--label", "class"]
    assert main(["fit", "tfidf-lr", str(table), *columns, "--output", "model"]) == 0
    assert main(["predict", "model", str(table), "--text", "tweet", "--proba"]) == 0
    capsys.readouterr()
    assert main(["predict", "model", str(table), "--text", "tweet", "--proba"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == ["tweet", "class", "prediction", "p_N", "p_P"]
    assert all(row["class"] == row["prediction"] for row in rows)
    # The same through a file, whole or not at all.
    argv = ["predict", "model", str(table), "--text", "tweet", "--output", "out.csv"]
    assert main(argv) == 0
    assert len((tmp_path / "out.csv").read_text("utf-8").splitlines()) == 61
    # An existing model is never overwritten.
    assert main(["fit", "tfidf-lr", str(table), *columns, "--output", "model"]) == 1
    assert "exists" in capsys.readouterr().err


def test_predict_reads_standard_input(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(
        ["fit", "tfidf-lr", str(table), "--text", "tweet", "--label", "class"]
        + ["--output", "model"]
    )
    done = subprocess.run(
        [sys.executable, "-m", "tweetclf", "predict", "model"],
        input="qué lindo día\nqué feo día\n".encode(),
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().splitlines() == ["P", "N"]


def test_systems_can_be_filtered(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["systems", "--kind", "regression"]) == 0
    printed = capsys.readouterr().out
    assert "tfidf-ridge" in printed
    assert "nbsvm" not in printed


def test_one_task_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "sample-humor"]) == 0
    printed = capsys.readouterr().out
    assert "f1|average:binary|pos:humor" in printed
    assert "CC0" in printed
    assert main(["tasks", "sample-humour"]) == 1


def test_interrupt_is_130_and_keeps_finished_runs(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tweetclf", "leaderboard", "--seeds", "2000"]
        + ["--task", "sample-humor", "--system", "stratified"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
    )
    deadline = time.monotonic() + 60
    while not list((tmp_path / "runs").rglob("*.json")):
        assert time.monotonic() < deadline, "no run was finished in a minute"
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors.decode()
    assert b"interrupted" in errors
    assert b"Traceback" not in errors
    records = list((tmp_path / "runs").rglob("*.json"))
    assert records
    for path in records:
        json.loads(path.read_text("utf-8"))


def test_help_is_quick() -> None:
    # CPU time of the whole process, best of three, so that load does not matter.
    used = []
    for _ in range(3):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import resource, subprocess, sys\n"
                "subprocess.run([sys.executable, '-m', 'tweetclf', '--help'],"
                " stdout=subprocess.DEVNULL, check=True)\n"
                "u = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
                "print(u.ru_utime + u.ru_stime)",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        used.append(float(done.stdout))
    assert min(used) < 0.3


def test_dask_backend_with_two_worker_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        argv = ["leaderboard", "--task", "sample-humor", *QUICK, "--seeds", "2"]
        code = main(
            [*argv, "--jobs", "2", "--backend", "dask", "--scheduler"]
            + [cluster.scheduler_address, "--store", "remote"]
        )
    assert code == 0
    here = main([*argv, "--store", "local"])
    assert here == 0

    def scores(store: str) -> dict[str, float]:
        return {
            path.name: json.loads(path.read_text("utf-8"))["scores"]["test"]["official"]
            for path in Path(store).rglob("runs/*/*/*.json")
        }

    assert len(scores("remote")) == 4
    assert scores("remote") == scores("local")
