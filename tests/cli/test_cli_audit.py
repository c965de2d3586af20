"""``tweetclf audit``, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tweetclf.cli import main
from tweetclf.tasks import Audit

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def table(tmp_path: Path) -> str:
    rows = ["tweet,class,split,author"]
    for i in range(20):
        rows += [
            f"qu\u00e9 lindo d\u00eda {i},P,train,a{i}",
            f"qu\u00e9 feo {i},N,train,b{i}",
        ]
    rows += ["qu\u00e9 feo 3,N,test,b3", "qu\u00e9 lindo d\u00eda 4,N,test,z"]
    rows += ["sin par &amp; solo,P,test,y"]
    (tmp_path / "mine.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return "mine.csv"


COLUMNS = ["--text", "tweet", "--label", "class", "--group", "author"]


def test_own_file(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", table, *COLUMNS]) == 0
    said = capsys.readouterr().out
    assert "2 of 3 texts of test (66.7 %) stand verbatim in train; 1 of them" in said
    assert "cluster" in said
    assert "HTML entity" in said
    assert "Label-noise candidates" in said
    assert not Path("report").exists()


def test_json_is_the_audit(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.txt").write_text("nada\nsin par &amp; solo\n", "utf-8")
    argv = ["audit", table, *COLUMNS, "--corpus", "c.txt", "--no-label-noise"]
    assert main([*argv, "--json"]) == 0
    audit = Audit.from_json(capsys.readouterr().out)
    assert audit.shared("test", "train").rows == (0, 1)
    assert audit.overlaps[0].rows == (0,)
    assert audit.label_noise is None
    found = {item.split: item for item in audit.contamination}
    assert found["test"].rows == (2,)
    assert found["test"].corpus == "c.txt"


def test_a_report_is_written(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["audit", table, *COLUMNS, "--no-label-noise", "--output", "found"]
    assert main([*argv, "--format", "html", "--format", "markdown"]) == 0
    assert "found/report.html" in capsys.readouterr().out
    assert "stand verbatim" in Path("found/report.md").read_text("utf-8")


def test_what_cannot_be_looked_at_is_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "sample-funniness"]) == 0
    assert "Label noise was not looked for" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--near", "0.04"], "a number from 0.05 to 1"),
        (["--near", "x"], "a number from 0.05 to 1"),
        (["--examples", "-1"], "whole number from 0 on"),
        (["--format", "html"], "--format needs --output"),
        (["--corpus-text", "x"], "--corpus-text needs --corpus"),
    ],
)
def test_wrong_usage_is_two(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["audit", "sample-humor", *options])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_errors_are_one(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "sample-humour"]) == 1
    assert "Did you mean 'sample-humor'" in capsys.readouterr().err
    assert main(["audit", table, *COLUMNS, "--corpus", "nowhere.txt"]) == 1
    assert "There is no file nowhere.txt" in capsys.readouterr().err


def test_no_examples_are_shown_where_none_are_asked_for(
    table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["audit", table, *COLUMNS, "--examples", "0", "--no-label-noise"]
    assert main([*argv, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert all(not found["examples"] for found in document["duplicates"])
    assert main(argv) == 0
    assert "qu\u00e9 feo 3" not in capsys.readouterr().out
