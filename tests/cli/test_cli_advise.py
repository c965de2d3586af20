"""``tweetclf advise``, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tweetclf.cli import main
from tweetclf.reports import read_json

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def table(tmp_path: Path) -> str:
    rows = ["tweet,class"]
    for i in range(40):
        rows += [f"qu\u00e9 lindo d\u00eda {i},P", f"qu\u00e9 feo es {i * 7},N"]
    (tmp_path / "mine.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return "mine.csv"


COLUMNS = ["--text", "tweet", "--label", "class"]


def test_own_file(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["advise", table, *COLUMNS]) == 0
    printed = capsys.readouterr()
    assert "Label more tweets before anything else" in printed.out
    assert "80 labels, which is too few" in printed.out
    assert "char-svm-balanced" in printed.out
    assert "\x1b" not in printed.err
    assert not Path("report").exists()


def test_json_and_files(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["advise", table, *COLUMNS, "--output", "found", "--json", "--seed", "3"]
    assert main(argv) == 0
    printed = capsys.readouterr().out
    report = read_json(printed)
    assert report.sections[0].key == "advice"
    assert read_json(Path("found/report.json").read_text("utf-8")) == report
    page = Path("found/report.html").read_text("utf-8")
    assert "too few" in page
    assert "tweetclf advise mine.csv" in page
    assert "What to do next" in Path("found/report.md").read_text("utf-8")
    assert json.loads(printed)["title"] == "Is BERT worth it? mine"


@pytest.mark.slow  # docs/advise.md has it as well
def test_a_registered_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["advise", "--task", "sample-humor", "--labels", "300"]) == 0
    out = capsys.readouterr().out
    assert "scored on test" in out
    assert "What more labels would bring" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "one of DATA and --task"),
        (["a", "--task", "b"], "one of DATA and --task"),
        (["a", "--format", "html"], "--format needs --output"),
        (["a", "--margin", "0"], "above 0 and below 100"),
        (["a", "--margin", "x"], "above 0 and below 100"),
        (["a", "--labels", "0"], "from 1 on"),
        (["a", "--seed", "-1"], "from 0 to"),
    ],
)
def test_wrong_usage_is_two(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["advise", *options])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_errors_are_one(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["advise", table, "--text", "nothing"]) == 1
    assert "nothing" in capsys.readouterr().err
    assert main(["advise", "sample-humour"]) == 1
    assert "Did you mean 'sample-humor'" in capsys.readouterr().err
    assert main(["advise", table, *COLUMNS, "--transformer", "bert.csv"]) == 1
    assert "there is no file bert.csv" in capsys.readouterr().err
    Path("one.csv").write_text("text,label\na,P\nb,P\n", "utf-8")
    assert main(["advise", "one.csv"]) == 1
    assert "nothing to learn" in capsys.readouterr().err


def test_a_transformer_without_baselines_is_a_note(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("tiny.csv").write_text("text,label\na,P\nb,N\nc,P\n", "utf-8")
    Path("bert.txt").write_text("P\nN\nP\n", "utf-8")
    assert main(["advise", "tiny.csv", "--transformer", "bert.txt"]) == 0
    assert "was not compared" in capsys.readouterr().err
