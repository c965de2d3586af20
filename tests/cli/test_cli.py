"""The command line, as a user types it."""

from __future__ import annotations

import configparser
import csv
import io
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tweetclf
from tweetclf._version import __version__
from tweetclf.cli import doctor, main
from tweetclf.cli._main import COMMANDS
from tweetclf.cli._tables import command_line
from tweetclf.leaderboard import RunStore, list_systems
from tweetclf.reports import read_json
from tweetclf.tasks import load_task

pytestmark = pytest.mark.usefixtures("own_folder")

QUICK = ["--system", "majority", "--system", "tfidf-lr", "--resamples", "200"]


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


SAMPLE = ["leaderboard", "--task", "sample-humor", *QUICK]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--jobs", "0"], "at least 1, or -1 for all cores"),
        (["--jobs", "x"], "must be an integer, got 'x'"),
        (["--folds", "0"], "must be at least 2, got 0"),
        (["--folds", "1"], "must be at least 2, got 1"),
        (["--folds", "-2"], "must be at least 2, got -2"),
        (["--seeds", "x"], "must be an integer, got 'x'"),
        (["--resamples", "99"], "must be at least 100, got 99"),
        (["--backend", "magic"], "invalid choice: 'magic'"),
        (["--scheduler", "tcp://x:1"], "--scheduler needs --backend dask"),
        (["--scheduler", "x", "--backend", "loky"], "needs --backend dask"),
        (["--text", "tweet"], "--text applies to files of your own, and none is"),
        (["--no-quotes"], "--no-quotes applies to files of your own"),
        (["--encoding", "cp1252"], "--encoding applies to files of your own"),
    ],
)
def test_wrong_options_are_explained(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*SAMPLE, *options])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert not Path("runs").exists()


def test_an_internal_error_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise TypeError("no\nsense")

    monkeypatch.setattr("tweetclf.tasks.list_tasks", broken)
    assert main(["tasks"]) == 1
    assert capsys.readouterr().err == (
        "tweetclf tasks: internal error: TypeError: no sense; run again with --debug\n"
    )
    with pytest.raises(TypeError):
        main(["tasks", "--debug"])


@pytest.mark.parametrize("command", ["leaderboard", "tasks"])
def test_an_interrupt_promises_nothing_that_is_not_so(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"tweetclf.cli.{command}.run", stop)
    assert main([command]) == 130
    said = capsys.readouterr().err
    assert ("finished runs are stored" in said) == (command == "leaderboard")


@pytest.mark.parametrize("option", ["--output", "--store"])
def test_folders_that_cannot_be_used_are_named_before_anything_runs(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([*SAMPLE, option, "file/below"]) == 1
    said = capsys.readouterr().err
    assert f"{option} file/below" in said
    assert f"Choose another folder with {option}" in said
    assert not Path("runs").exists()


def test_repeated_names_are_run_once(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["leaderboard", "--task", "sample-humor", "--task", "sample-humor"]
    argv += ["--system", "majority", "--system", "majority", "--resamples", "100"]
    assert main(argv) == 0
    assert capsys.readouterr().out.count("sample-humor (test") == 1
    assert len(list(Path("runs").rglob("*.npz"))) == 1


@pytest.mark.parametrize(
    "text",
    [
        'tasks = ["sample-humour"]\nsystems = ["majority"]',
        'tasks = ["sample-humor"]\nsystems = ["majorty"]',
    ],
)
def test_unknown_names_of_a_definition_name_the_file(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d.toml").write_text(text)
    assert main(["leaderboard", "--config", "d.toml"]) == 1
    said = capsys.readouterr().err
    assert "d.toml: " in said
    assert "Did you mean" in said


def test_a_damaged_run_does_not_block_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(SAMPLE) == 0
    (bad,) = (tmp_path / "runs").rglob("runs/*/majority/*.json")
    bad.write_bytes(b"\xff")
    capsys.readouterr()
    assert main(["report", "--resamples", "100"]) == 1
    printed = capsys.readouterr()
    assert bad.name in printed.err
    assert "run it again" in printed.err
    assert "tfidf-lr" in printed.out
    assert "majority" not in printed.out
    (other,) = (tmp_path / "runs").rglob("runs/*/tfidf-lr/*.npz")
    other.write_bytes(b"")
    assert main(["report", "--resamples", "100"]) == 1
    printed = capsys.readouterr()
    assert "no run is left" in printed.err
    assert "Traceback" not in printed.err
    # The leaderboard names the file and says what to do.
    assert main(SAMPLE) == 1
    assert "run it again" in capsys.readouterr().err


def test_the_command_can_be_typed_again_elsewhere() -> None:
    line = command_line(
        ["leaderboard", "--task", "/home/someone/my data.csv", "--title", "A & B"]
        + ["--store=/tmp/runs", "--text", "a=/b"]
    )
    assert line == (
        "tweetclf leaderboard --task 'my data.csv' --title 'A & B' --store=runs "
        "--text a=/b"
    )


def test_mixed_protocols_make_one_true_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [*SAMPLE, "--task", "sample-sentiment"]
    assert main(argv) == 0
    assert main([*argv, "--grid"]) == 0
    assert main([*SAMPLE, "--folds", "3"]) == 0
    capsys.readouterr()
    # Majority has no grid: it is one run a task, and one of cross-validation.
    assert len(list((tmp_path / "runs").rglob("majority/*.npz"))) == 3
    assert main(["report", "--resamples", "100", "--format", "all"]) == 0
    assert "tfidf-lr (grid)" in capsys.readouterr().out
    said = (tmp_path / "report" / "report.md").read_text("utf-8")
    assert "Others:" not in said
    assert "No system finished" not in said
    assert "2 tasks, 2 systems, 8 runs" in said
    assert "has the best mean rank" in said
    assert "over 2 tasks" in said
    assert "over 3 tasks" not in said
    assert re.search(
        r"settings of .{0,4}tfidf-lr \\?\(grid\\?\).{0,4} selected on dev", said
    )


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
    files = [tmp_path / folder / "report.json" for folder in ("report", "again")]
    made, rebuilt = (read_json(file.read_text("utf-8")) for file in files)
    assert rebuilt.tables == made.tables
    keys = {table.key.partition("--")[2] for table in made.tables}
    assert keys >= {"ranking", "differences", "runs"}
    assert rebuilt.figures == made.figures
    assert main(["report", "--store", "nowhere"]) == 1
    assert "tweetclf leaderboard" in capsys.readouterr().err


def test_own_file(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["leaderboard", "--task", str(table), "--text", "tweet", "--label", "class"]
    assert main([*argv, *QUICK]) == 0
    printed = capsys.readouterr().out
    assert "mine" in printed
    assert "tfidf-lr" in printed


def test_authors_of_an_own_file_stay_together(tmp_path: Path) -> None:
    """Options and the [data] table reach `load_task`, and files alone."""
    rows = [
        f"a{i % 7},qué {'lindo' if i % 2 else 'feo'} día {i},{'PN'[i % 2]}"
        for i in range(70)
    ]
    text = "\n".join(["author,tweet,class", *rows]) + "\n"
    Path("mine.csv").write_text(text, encoding="cp1252")
    options = {"text": "tweet", "label": "class", "group": "author"}
    task = load_task("mine.csv", encoding="cp1252", **options)
    plain = load_task(
        "mine.csv", encoding="cp1252", text="tweet", label="class", id="tweet"
    )
    argv = [word for name, column in options.items() for word in (f"--{name}", column)]
    both = ["--task", "mine.csv", "--task", "sample-humor", "--system", "majority"]
    shared = ["--resamples", "100", "--format", "csv"]
    own = ["--encoding", "cp1252", *argv]
    assert main(["leaderboard", *both, *own, *shared, "--store", "a"]) == 0
    lines = [f'{name} = "{column}"' for name, column in options.items()]
    Path("d.toml").write_text(
        'tasks = ["mine.csv", "sample-humor"]\nsystems = ["majority"]\n[data]\n'
        + "\n".join([*lines, 'encoding = "latin-1"'])
    )
    config = ["leaderboard", "--config", "d.toml", "--encoding", "cp1252"]
    assert main([*config, *shared, "--store", "b"]) == 0
    used = [
        {record.spec.task.data["test"] for record in RunStore(store).records()}
        for store in "ab"
    ]
    assert used[0] == used[1]
    assert task.test.sha256 in used[0]
    assert plain.test.sha256 not in used[0]


def test_a_table_of_data_without_a_file_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("d.toml").write_text(
        'tasks = ["sample-humor"]\nsystems = ["majority"]\n[data]\ntext = "tweet"\n'
    )
    with pytest.raises(SystemExit) as stop:
        main(["leaderboard", "--config", "d.toml"])
    assert stop.value.code == 2
    assert "d.toml: [data] applies to files of your own" in capsys.readouterr().err


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


def test_doctor_knows_every_requirement() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg", encoding="utf-8")
    required = setup["options"]["install_requires"].split("\n")
    assert {line.split()[0] for line in required if line} == set(doctor.CORE)
    extras = set(setup["options.extras_require"]) - {"dev", "all"}
    assert extras == set(doctor.EXTRAS)


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
    printed = capsys.readouterr().out
    scores = [record.score for record in RunStore("runs").records()]
    header, _, row = printed.splitlines()[1:4]
    assert re.search(r"95 % interval +seed sd +fit$", header)
    assert float(row.split()[-3]) == pytest.approx(statistics.stdev(scores), abs=5e-4)
    assert len(list(Path("runs").rglob("*.npz"))) == 3
    assert main([*argv, "--folds", "3", "--resamples", "100"]) == 0
    assert "cross-validation" in capsys.readouterr().out


def test_pairs_are_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["leaderboard", "--task", "sample-stance", *QUICK, "--format", "markdown"]
    assert main(argv) == 0
    assert "sample-stance (test, 45 pairs)" in capsys.readouterr().out
    said = Path("report/report.md").read_text("utf-8")
    assert "on these 45 pairs" in said
    assert "45 tweets" not in said


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


def test_one_system_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["systems", "tfidf-lr"]) == 0
    printed = capsys.readouterr().out
    grid = re.search("^grid: +(.*)$", printed, re.MULTILINE)
    assert grid is not None
    assert grid[1].startswith("lr__C {")
    assert re.search("^parameters: .*lr__C", printed, re.MULTILINE)
    assert main(["systems", "tfidf-lr", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["grid"]["lr__C"]
    assert "lr__C" in document["parameters"]
    assert main(["systems", "tfidf-rl"]) == 1
    assert "Did you mean 'tfidf-lr'" in capsys.readouterr().err


def test_every_system_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    for system in list_systems():
        assert main(["systems", system.name]) == 0
        assert system.source in capsys.readouterr().out


def test_a_language_has_its_countries(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "--language", "es", "--json"]) == 0
    found = {task["language"] for task in json.loads(capsys.readouterr().out)}
    assert {"es", "es-MX"} <= found
    assert all(language.partition("-")[0] == "es" for language in found)
    assert main(["tasks", "--language", "ES-mx", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {task["language"] for task in rows} == {"es-MX"}
    assert main(["tasks", "--language", "tlh"]) == 1
    printed = capsys.readouterr()
    assert "no task is like that" in printed.err
    assert not printed.out


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


def test_help_imports_next_to_nothing() -> None:
    # An editable install's finder is loaded by the interpreter itself.
    code = (
        "import sys\nbefore = set(sys.modules)\nfrom tweetclf.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(*sorted(set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(tweetclf.__file__).parents[1])},
    )
    loaded = done.stderr.split()
    ours = [name for name in loaded if name.startswith("tweetclf")]
    assert ours == [
        "tweetclf",
        "tweetclf._version",
        "tweetclf.cli",
        "tweetclf.cli._main",
        "tweetclf.cli._output",
        "tweetclf.exceptions",
        "tweetclf.utils",
        "tweetclf.utils.lazy",
    ]
    for slow in ("json", "difflib", "inspect", "dataclasses", "logging", "numpy"):
        assert slow not in loaded


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


# What costs is to start processes; how many there are makes no difference to ours.
@pytest.mark.parametrize("n_workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_dask_backend_with_worker_processes(
    n_workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
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
