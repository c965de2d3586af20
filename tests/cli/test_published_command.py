"""``tweetclf published`` and published rows in leaderboards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tweetclf.cli import main
from tweetclf.tasks import task_info
from tweetclf.tasks.published import references

pytestmark = pytest.mark.usefixtures("own_folder")


def test_a_task_has_results_that_compare_and_others_apart(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["published", "hateval-es"]) == 0
    printed = capsys.readouterr().out
    near, apart = printed.split("Apart, because they do not compare")
    assert near.startswith("hateval-es 2019, test, by f1|average:macro")
    assert "SVM0" in near
    assert "0.730" in near
    assert "scored on dev, here on test" in apart
    assert "[0.709, 0.752]*" in apart
    assert "* reconstructed" in apart
    assert "cannot be right as printed" in apart


def test_as_json_every_fact_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["published", "hateval-es", "--system", "Atalaya-SVM", "--json"]
    assert main(argv) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["system"] for row in rows} == {"SVM0"}
    assert {row["alias"] for row in rows} == {"atalaya-svm"}
    best = rows[0]
    assert best["comparable"]
    assert best["differences"] == []
    assert best["interval"] is None
    assert "needs the predictions" in best["no_interval"]
    accuracy = next(r for r in rows if r["metric"] == "accuracy" and r["n"] == 1600)
    assert accuracy["interval_is"] == "reconstructed"
    assert accuracy["interval"] == pytest.approx([0.7087, 0.7522], abs=1e-4)


def test_all_are_listed_with_datasets_that_are_no_tasks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["published"]) == 0
    printed = capsys.readouterr().out
    assert "tweeteval-irony" in printed
    assert "ASAD" in printed
    assert main(["published", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["tweeteval-irony"]["best"] == "BERTweet"
    assert rows["ASAD"] == {
        "name": "ASAD",
        "registered": False,
        "comparable": 0,
        "apart": 6,
        "best": None,
        "score": None,
    }
    for name in ("ASAD", "TwHIN hashtag prediction"):
        assert main(["published", name, "--cite", "zhang-2023-twhin-bert"]) == 0
    assert "macro-F1" in capsys.readouterr().out


def test_sources_as_bibtex(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["published", "coset", "--bibtex"]) == 0
    assert capsys.readouterr().out.startswith("@article{gonzalez-2021-twilbert,")
    assert main(["published", "--bibtex"]) == 0
    assert capsys.readouterr().out.count("\n@") == len(references()) - 1


def test_unknown_names_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["published", "hateval-sp"]) == 1
    assert "Did you mean 'hateval-es'" in capsys.readouterr().err
    assert main(["published", "coset", "--system", "nobody"]) == 1
    printed = capsys.readouterr()
    assert not printed.out
    assert "no published result of coset" in printed.err
    assert main(["published", "sample-humor"]) == 1
    assert main(["published", "coset", "--file", "nothing.csv"]) == 1
    assert "nothing.csv" in capsys.readouterr().err


def own_file(name: str, version: str) -> str:
    Path("mine.csv").write_text(
        "system,task,version,split,value,signature\n"
        f"Theirs,{name},{version},test,0.5,"
        f"{task_info('sample-humor').metric.signature()}\n",
        encoding="utf-8",
    )
    return "mine.csv"


def test_ones_own_results(capsys: pytest.CaptureFixture[str]) -> None:
    path = own_file("sample-humor", task_info("sample-humor").version)
    assert main(["published", "sample-humor", "--file", path]) == 0
    assert "Theirs" in capsys.readouterr().out
    own_file("my-task", "local")
    assert main(["published", "my-task", "--file", path]) == 0
    assert "Theirs" in capsys.readouterr().out


def test_leaderboards_show_published_rows(capsys: pytest.CaptureFixture[str]) -> None:
    path = own_file("sample-humor", task_info("sample-humor").version)
    argv = ["leaderboard", "--task", "sample-humor", "--system", "majority"]
    argv += ["--resamples", "100", "--format", "markdown"]
    report = Path("report/report.md")
    assert main([*argv, "--published", path]) == 0
    assert "Theirs (published)" in capsys.readouterr().out
    assert "*Theirs* (published)" in report.read_text("utf-8")
    assert main([*argv, "--published"]) == 0
    assert "Theirs" not in capsys.readouterr().out
    store = ["report", "--format", "markdown", "--published", path]
    assert main(store) == 0
    assert "*Theirs* (published)" in report.read_text("utf-8")
    assert main([*argv, "--no-published"]) == 0
    assert "Theirs" not in report.read_text("utf-8")
    own_file("sample-humor", "another")
    capsys.readouterr()
    assert main([*argv, "--published", path]) == 0
    assert "(published)" not in capsys.readouterr().out
    assert "data: version another" in report.read_text("utf-8")
    with pytest.raises(SystemExit) as stop:
        main([*argv, "--published", path, "--no-published"])
    assert stop.value.code == 2
