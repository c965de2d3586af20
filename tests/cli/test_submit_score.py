"""``tweetclf submit`` and ``tweetclf score``, as a user types them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tweetclf.cli import main
from tweetclf.tasks import load_task

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def labels(tmp_path: Path) -> list[str]:
    task = load_task("sample-humor")
    assert task.test is not None
    found = [str(label) for label in task.test.labels]
    (tmp_path / "p.txt").write_text("\n".join(found) + "\n", encoding="utf-8")
    return found


def test_submit_then_score(
    labels: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["submit", "p.txt", "--task", "sample-humor"]
    assert main([*argv, "--output", "s.zip"]) == 0
    printed = capsys.readouterr().out
    assert f"generic: predictions.csv, {len(labels)} rows" in printed
    assert "1.0000" in printed
    assert zipfile.ZipFile("s.zip").namelist() == ["predictions.csv"]
    assert main(["score", "s.zip", "--task", "sample-humor", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["task"] == "sample-humor"
    assert set(document["scores"].values()) == {1.0}
    assert main(["score", "s.zip", "--task", "sample-humor"]) == 0
    assert "f1|average:binary|pos:humor|zero:0|v1" in capsys.readouterr().out


def test_a_dry_run_writes_nothing(
    labels: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["submit", "p.txt", "--task", "sample-humor", "--dry-run"]
    assert main([*argv, "--output", "s.zip", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["output"] is None
    assert document["rows"] == len(labels)
    assert not Path("s.zip").exists()
    with pytest.raises(SystemExit) as stop:
        main(["submit", "p.txt", "--task", "sample-humor"])
    assert stop.value.code == 2
    assert "--output" in capsys.readouterr().err


def test_errors_are_one_line_and_code_one(
    labels: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("p.txt").write_text("humor\n")
    argv = ["submit", "p.txt", "--output", "s.zip", "--task"]
    assert main([*argv, "sample-humor"]) == 1
    said = capsys.readouterr().err
    assert f"1 predictions; the test file has {len(labels)} rows" in said
    assert main([*argv, "sample-humour"]) == 1
    assert "Did you mean 'sample-humor'" in capsys.readouterr().err
    assert main([*argv, "hateval-es"]) == 1
    assert "not there" in capsys.readouterr().err
    assert main(["score", "p.txt", "--task", "sample-humor"]) == 1
    assert "must name the columns" in capsys.readouterr().err
    assert not Path("s.zip").exists()


def test_without_data_the_organisers_files_are_enough(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("test_es.tsv").write_text("id\ttext\n5\thola\n6\tadiós\n", encoding="utf-8")
    Path("p.csv").write_text("id,prediction\n6,1\n5,not-hate\n", encoding="utf-8")
    argv = ["submit", "p.csv", "--task", "hateval-es", "--test", "test_es.tsv"]
    assert main([*argv, "--output", "out"]) == 0
    printed = capsys.readouterr()
    assert "no score" in printed.err
    assert Path("out/es_a.tsv").read_bytes() == b"5\t0\n6\t1\n"
    Path("gold.tsv").write_text("5\t0\n6\t0\n")
    argv = ["score", "out", "--task", "hateval-es", "--gold", "gold.tsv"]
    assert main([*argv, "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert scores["accuracy|v1"] == 0.5


def test_humor_and_funniness_in_one_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("test.csv").write_text("id,text\n5,hola\n6,adiós\n", encoding="utf-8")
    Path("p.csv").write_text("id,prediction,stars\n6,humor,2.5\n5,not-humor,1\n")
    argv = ["submit", "p.csv", "--task", "haha-2019", "--test", "test.csv"]
    argv += ["--output", "out"]
    both = [*argv, "--also", "haha-2019-funniness=p.csv"]
    assert main([*both, "--also-column", "stars"]) == 0
    assert "in every row" not in capsys.readouterr().err
    expected = "id,is_humor,funniness_average\n5,0,1.0\n6,1,2.5\n"
    assert Path("out/predictions.csv").read_text() == expected
    assert main([*argv, "--dry-run"]) == 0
    said = capsys.readouterr().err
    assert "the column funniness_average is 3 in every row" in said
    Path("stars.csv").write_text("id,prediction\n5,1\n7,2\n")
    assert main([*argv, "--also", "haha-2019-funniness=stars.csv"]) == 1
    said = capsys.readouterr().err
    assert "stars.csv: 1 ids of the test file have no prediction" in said
    assert "1 ids are not in the test file, the first is '7'" in said
    assert main([*argv, "--also", "haha-2021=stars.csv"]) == 1
    assert "only haha-2019-funniness stands" in capsys.readouterr().err
    for wrong in (["--also", "stars.csv"], ["--also-column", "stars"]):
        with pytest.raises(SystemExit) as stop:
            main([*argv, *wrong])
        assert stop.value.code == 2


def test_ones_own_file(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"qué {'bueno' if i % 2 else 'malo'} {i},{'NP'[i % 2]}" for i in range(60)]
    Path("my.csv").write_text("text,label\n" + "\n".join(rows) + "\n", "utf-8")
    task = load_task("my.csv")
    assert task.test is not None
    Path("p.txt").write_text("N\n" * len(task.test))
    argv = ["submit", "p.txt", "--task", "my.csv", "--dry-run"]
    assert main(argv) == 0
    printed = capsys.readouterr()
    assert "generic" in printed.out
    assert "never predicted: P" in printed.err
