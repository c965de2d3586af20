"""`tweetclf fit` and `tweetclf predict`: what is trained on, read and written."""

from __future__ import annotations

import csv
import gzip
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

from tweetclf.cli import main
from tweetclf.persistence import load
from tweetclf.tasks import load_task

pytestmark = pytest.mark.usefixtures("own_folder")

ROWS = [
    row
    for i in range(15)
    for row in ((f"qué lindo día ñ {i}", "P"), (f"qué feo día {i}", "N"))
]


def write_table(path: str, rows: list[tuple[str, ...]], header: str) -> str:
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of single texts and one of pairs."""
    root = tmp_path_factory.mktemp("models")
    table = write_table(str(root / "one.csv"), ROWS, "text,label")
    assert main(["fit", "tfidf-lr", table, "--output", str(root / "one")]) == 0
    pairs = [(a, "sí" if b == "P" else "no", b) for a, b in ROWS]
    table = write_table(str(root / "two.csv"), pairs, "text,text_b,label")
    assert main(["fit", "tfidf-lr", table, "--output", str(root / "two")]) == 0
    return root


def command(*argv: object) -> list[str]:
    return [sys.executable, "-m", "tweetclf", *map(str, argv)]


# -- predict ----------------------------------------------------------------------


def test_output_is_utf8_on_any_console(folder: Path) -> None:
    Path("t.csv").write_text("text\nqué lindo día ñ 🙃\n", encoding="utf-8")
    done = subprocess.run(
        command("predict", folder / "one", "t.csv"),
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert done.stdout.decode("utf-8") == "text,prediction\nqué lindo día ñ 🙃,P\n"


def test_half_surrogates_pass(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = json.dumps({"text": "qué lindo día \ud83d", "otro": "\udc00"})
    Path("t.jsonl").write_text(line + "\n", encoding="utf-8")
    argv = ["predict", str(folder / "one"), "t.jsonl"]
    assert main([*argv, "--output", "out.jsonl"]) == 0
    assert main([*argv, "--proba"]) == 0
    printed = capsys.readouterr().out
    for content in (Path("out.jsonl").read_text("utf-8"), printed):
        row = json.loads(content)
        assert row["text"] == "qué lindo día \ud83d"
        assert row["otro"] == "\udc00"
        assert row["prediction"] == "P"


@pytest.mark.parametrize(
    ("format", "content"),
    [
        ("csv", b'\xef\xbb\xbftext\r\nlindo\r\n"feo\rfeo"\r\n'),
        ("jsonl", b'\xef\xbb\xbf{"text": "lindo"}\r\n{"text": "feo"}\r\n'),
        ("lines", b"\xef\xbb\xbflindo\rlindo\r\nfeo\n"),
    ],
)
def test_standard_input_is_read_like_a_file(
    folder: Path,
    format: str,
    content: bytes,
    capsysbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("t.data").write_bytes(content)
    argv, options = ["predict", str(folder / "one")], ["--format", format]
    assert main([*argv, "t.data", *options]) == 0
    first = capsysbinary.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert main([*argv, *options]) == 0
    assert capsysbinary.readouterr().out == first
    assert re.findall(rb"\b[PN]\b", first) == [b"P", b"N"]


def test_the_file_may_stand_anywhere(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("t.csv", "-t.csv"):
        Path(name).write_text("text,n\nqué lindo día,1\n", encoding="utf-8")
    model, options = str(folder / "one"), ["--format", "csv", "--proba"]
    lines = [
        [model, "t.csv", *options],
        [model, *options, "t.csv"],
        [*options, model, "t.csv"],
        [options[-1], model, *options[:-1], "t.csv"],
        [*options, "--", model, "-t.csv"],
    ]
    for line in lines:
        assert main(["predict", *line]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("text,n,prediction,")
    assert printed == printed[: len(printed) // len(lines)] * len(lines)
    content = "qué lindo día\n".encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert main(["predict", model, "--format", "lines", "-"]) == 0
    assert capsys.readouterr().out == "P\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["m", "--format", "csv", "t.csv", "u"], "unrecognized arguments: u"),
        (["m", "--fromat", "csv"], "unrecognized arguments: --fromat csv"),
        (["--format", "csv"], "the following arguments are required: MODEL"),
    ],
)
def test_arguments_that_nothing_takes(
    line: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["predict", *line])
    printed = capsys.readouterr().err
    assert printed.startswith("usage: tweetclf predict [-h] [--format")
    assert printed.splitlines()[-1] == f"tweetclf predict: error: {said}"


def test_broken_utf8_names_input_and_line(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = b"lindo\n" * 9000 + b"ma\xf1ana\n"
    Path("t.txt").write_bytes(content)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    for files, name in ((["t.txt"], "t.txt"), ([], "standard input")):
        assert main(["predict", str(folder / "one"), *files]) == 1
        said = capsys.readouterr().err
        assert f"error: {name}, line 9001, character 3: byte 0xf1 is" in said


@pytest.mark.parametrize(
    ("model", "content", "options", "message"),
    [
        ("one", "text,b\na,b\n", ["--text-b", "b"], "leave --text-b out"),
        ("two", "text,text_b\na,b\n", [], "name the column of the second text"),
        ("two", "text,text_b\n", [], "name the column of the second text"),
        ("one", "text,text\na,b\n", [], "'text' more than once"),
        ("one", "b,c\n", [], "which column holds the text"),
    ],
)
def test_nothing_is_written_on_a_refusal(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    model: str,
    content: str,
    options: list[str],
    message: str,
) -> None:
    Path("t.csv").write_text(content, encoding="utf-8")
    argv = ["predict", str(folder / model), "t.csv", *options]
    assert main(argv) == 1
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""
    assert main([*argv, "--output", "out.csv"]) == 1
    assert not Path("out.csv").exists()


def test_files_are_unpacked_and_decoded(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(folder / "one")
    text = "n;tweet_text\n1;qué lindo día ñ\n"
    Path("t.csv.gz").write_bytes(gzip.compress(text.encode("cp1252")))
    assert main(["predict", model, "t.csv.gz", "--encoding", "cp1252"]) == 0
    expected = "n;tweet_text;prediction\n1;qué lindo día ñ;P\n"
    assert capsys.readouterr().out == expected
    assert main(["predict", model, "t.csv.gz"]) == 1
    assert "t.csv.gz, line 2, character 5: byte 0xe9" in capsys.readouterr().err
    Path("t.csv.gz").write_bytes(b"text\n")
    assert main(["predict", model, "t.csv.gz"]) == 1
    assert "no gzip file" in capsys.readouterr().err
    assert main(["predict", model, "t.parquet"]) == 1
    assert ".parquet files are not labelled" in capsys.readouterr().err
    assert main(["predict", model, "absent.csv"]) == 1
    assert "no file at absent.csv" in capsys.readouterr().err


def test_quotation_marks_of_raw_tweets(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(
        f'"qué {word} día" {word}\t{label}\n'
        for word, label in [("lindo", "P"), ("feo", "N")] * 8
    )
    Path("t.tsv").write_text(f"text\tlabel\n{rows}", encoding="utf-8")
    argv = ["predict", str(folder / "one"), "t.tsv"]
    assert main(argv) == 1
    printed = capsys.readouterr()
    assert "t.tsv, line 2: " in printed.err
    assert "--no-quotes" in printed.err
    assert printed.out == ""
    assert main([*argv, "--no-quotes"]) == 0
    labelled = capsys.readouterr().out.splitlines()
    assert labelled[1] == '"qué lindo día" lindo\tP\tP'
    assert labelled[2] == '"qué feo día" feo\tN\tN'
    assert main(["fit", "tfidf-lr", "t.tsv", "--no-quotes", "--output", "m"]) == 0


def test_pairs_and_header_only_tables(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("t.csv").write_text("text,text_b\nqué feo día,no\n", encoding="utf-8")
    model = str(folder / "two")
    assert main(["predict", model, "t.csv", "--text-b", "text_b"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[1] == ["qué feo día", "no", "N"]
    Path("t.csv").write_text("text,text_b\n", encoding="utf-8")
    argv = ["predict", model, "t.csv", "--text-b", "text_b", "--output", "o.csv"]
    assert main(argv) == 0
    assert Path("o.csv").read_text("utf-8") == "text,text_b,prediction\n"
    assert "0 rows labelled" in capsys.readouterr().err


def test_proba_of_plain_lines_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("t.txt").write_text("lindo\n", encoding="utf-8")
    assert main(["predict", str(folder / "one"), "t.txt", "--proba"]) == 1
    assert "plain lines have none" in capsys.readouterr().err


@pytest.mark.parametrize("output", [True, False])
def test_interrupted_predict_says_what_is_true(folder: Path, output: bool) -> None:
    options = ["--output", "out.txt"] if output else []
    process = subprocess.Popen(
        # Unbuffered reading, so that the first batch is done when it has been sent.
        command("predict", folder / "one", *options),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(b"lindo\n" * 5000)
    process.stdin.flush()
    if output:
        deadline = time.monotonic() + 60
        while not list(Path().glob(".out.txt.*")):
            assert time.monotonic() < deadline, "predict did not begin in a minute"
            time.sleep(0.05)
    else:
        assert process.stdout is not None
        process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors.decode()
    assert b"Traceback" not in errors
    assert b"finished work is kept" not in errors
    if output:
        assert b"interrupted; nothing was written to out.txt" in errors
        assert list(Path().iterdir()) == []
    else:
        assert re.search(rb"interrupted; the first \d+ rows were written", errors)


# -- fit --------------------------------------------------------------------------


def test_own_table_is_used_whole(capsys: pytest.CaptureFixture[str]) -> None:
    # Each word is in one text alone, so that the vocabulary tells what was read.
    rows = [(f"palabra{i} {['mal', 'bien'][i % 2]}", "NP"[i % 2]) for i in range(60)]
    write_table("mine.csv", rows, "tweet,class")
    assert main(["fit", "tfidf-lr", "mine.csv", "--output", "model"]) == 0
    printed = capsys.readouterr().err
    last = printed.splitlines()[-1]
    assert last == (
        "tfidf-lr trained on 60 texts (all rows of mine.csv), saved in model"
    )
    assert "cut off" not in printed
    names = set(load("model")[0].get_feature_names_out())
    assert {f"palabra{i}" for i in range(60)} <= names
    write_table("four.csv", rows[:4], "tweet,class")
    assert main(["fit", "tfidf-lr", "four.csv", "--output", "small"]) == 0


def test_divided_data_are_trained_on_train(capsys: pytest.CaptureFixture[str]) -> None:
    splits = ["train", "train", "dev", "dev", "test", "test"]
    rows = [
        (f"palabra{i} {splits[i % 6]}", "NP"[i % 2], splits[i % 6]) for i in range(60)
    ]
    write_table("mine.csv", rows, "text,label,split")
    assert main(["fit", "tfidf-lr", "mine.csv", "--output", "a"]) == 0
    assert "trained on 20 texts (train 20), saved in a" in capsys.readouterr().err
    assert main(["fit", "tfidf-lr", "mine.csv", "--output", "b", "--with-dev"]) == 0
    printed = capsys.readouterr().err
    assert "trained on 40 texts (train 20, dev 20), saved in b" in printed
    for model, known in (("a", {"train"}), ("b", {"train", "dev"})):
        names = set(load(model)[0].get_feature_names_out())
        assert names & set(splits) == known


def test_registered_task(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["fit", "majority", "sample-humor", "--output"]
    task = load_task("sample-humor")
    train, dev = len(task.train), len(task.dev)
    assert main([*argv, "a"]) == 0
    assert f"trained on {train} texts (train {train})" in capsys.readouterr().err
    assert main([*argv, "b", "--with-dev"]) == 0
    used = f"{train + dev} texts (train {train}, dev {dev})"
    assert used in capsys.readouterr().err
    multilabel = ["fit", "tfidf-lr", "sample-emotions", "--with-dev", "--output", "c"]
    assert main(multilabel) == 0
    task = load_task("sample-emotions")
    both = len(task.train) + len(task.dev)
    assert f"trained on {both} texts" in capsys.readouterr().err


@pytest.mark.parametrize("seed", ["-1", "4294967296", "x", "1.5", ""])
def test_seeds_are_checked(seed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["fit", "majority", "sample-humor", "--output", "m", f"--seed={seed}"])
    assert stop.value.code == 2
    assert "from 0 to 4294967295" in capsys.readouterr().err


def test_output_is_checked_before_training(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import tweetclf.tasks

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the data were read")

    monkeypatch.setattr(tweetclf.tasks, "load_task", fail)
    Path("model").mkdir()
    Path("model/file").write_text("x")
    argv = ["fit", "majority", "sample-humor", "--output"]
    assert main([*argv, "model"]) == 1
    assert "model exists and is not an empty folder" in capsys.readouterr().err
    assert main([*argv, "model/file/model"]) == 1
    assert "file is no folder" in capsys.readouterr().err


def test_interrupted_fit_says_what_is_true(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import tweetclf.tasks

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tweetclf.tasks, "load_task", interrupt)
    argv = ["fit", "majority", "sample-humor", "--output", "model"]
    assert main(argv) == 130
    printed = capsys.readouterr().err
    assert printed == "tweetclf fit: interrupted; no model was saved.\n"
    with pytest.raises(KeyboardInterrupt):
        main([*argv, "--debug"])
