"""``tweetclf export`` and ``tweetclf rerun``, as a user types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tweetclf.cli import main
from tweetclf.leaderboard import RunStore

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

TASK = "sample-humor"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the runs of two systems on a bundled task."""
    folder = tmp_path_factory.mktemp("made")
    argv = ["leaderboard", "--task", TASK, "--system", "majority"]
    argv += ["--system", "tfidf-lr", "--resamples", "100", "--format", "csv"]
    argv += ["--store", str(folder / "runs"), "--output", str(folder / "report")]
    assert main(argv) == 0
    return folder


@pytest.fixture(autouse=True)
def store(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWEETCLF_DATA", str(tmp_path / "no-data"))
    shutil.copytree(made / "runs", tmp_path / "runs")
    return RunStore("runs")


def key_of(store: RunStore, system: str) -> str:
    return next(r.key for r in store.records() if r.spec.system == system)


def test_a_stored_run_is_made_again(
    store: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    key = key_of(store, "tfidf-lr")
    assert store.test_scorings(TASK) == 2
    assert main(["rerun", key[:8]]) == 0
    assert store.test_scorings(TASK) == 3
    printed = capsys.readouterr()
    assert printed.out.startswith(f"equal: tfidf-lr on {TASK}, seed 0: the score 0.")
    assert printed.err == ""
    assert main(["rerun", f"{TASK}/tfidf-lr/{key}.json", "--json"]) == 1
    assert "neither a folder, a file nor the key" in capsys.readouterr().err
    assert main(["rerun", f"runs/runs/{TASK}/tfidf-lr/{key}.json", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["equal"] is True
    assert store.test_scorings(TASK) == 4
    assert document["key"] == key
    assert document["differences"] == document["conditions"] == []
    assert document["score"]["before"] == document["score"]["now"]


def test_damaged_and_forged_records_end_with_one(
    store: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    record = next(r for r in store.records() if r.spec.system == "majority")
    arrays = {k: v.copy() for k, v in store.predictions(record).items()}
    arrays["y_pred"][3] ^= 1
    RunStore("forged").put(record, arrays)
    assert main(["rerun", record.key, "--store", "forged"]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("not equal: majority on sample-humor")
    assert "- y_pred of 1 of " in printed
    path = store.path / record.spec.path
    path.with_suffix(".npz").write_bytes(b"nothing")
    assert main(["rerun", record.key]) == 1
    assert "were changed after they were written" in capsys.readouterr().err
    path.write_text(path.read_text("utf-8").replace('"seed": 0', '"seed": 1'))
    assert main(["rerun", str(path)]) == 1
    assert "was changed after it was written" in capsys.readouterr().err


def test_a_run_on_a_file_of_ones_own_needs_that_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = "".join(f"tuit {i % 7} {i},{'ab'[i % 2]}\n" for i in range(80))
    Path("my.csv").write_text("tweet,class\n" + rows)
    own = ["--text", "tweet", "--label", "class"]
    argv = ["leaderboard", "--task", "my.csv", *own, "--system", "majority"]
    assert main([*argv, "--store", "own", "--resamples", "100", "--format", "csv"]) == 0
    key = next(RunStore("own").records()).key
    capsys.readouterr()
    again = ["rerun", key, "--store", "own"]
    assert main(again) == 1
    assert "Name the file too (--data)" in capsys.readouterr().err
    assert main([*again, "--data", "my.csv", *own]) == 0
    Path("my.csv").write_text("tweet,class\n" + rows.replace("tuit 3", "otro"))
    assert main([*again, "--data", "my.csv", *own]) == 1
    assert "are not those of the run: split" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main([*again, "--text", "tweet"])
    assert stop.value.code == 2


def test_a_store_is_exported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--output", "out", "--resamples", "100"]) == 0
    printed = capsys.readouterr()
    names = [Path(line).relative_to("out").as_posix() for line in printed.out.split()]
    assert len(names) == 4
    assert f"no .eval_results for {TASK}" in printed.err
    card = Path(f"out/hub/{TASK}/tfidf-lr/README.md").read_text("utf-8")
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["model-index"][0]["name"] == f"tfidf-lr on {TASK}"
    assert "CC0" in card
    (path,) = Path("out/mteb/tfidf-lr").glob(f"*/{TASK}.json")
    document = json.loads(path.read_text("utf-8"))
    (scores,) = document["scores"]["test"]
    (metric,) = front["model-index"][0]["results"][0]["metrics"][:1]
    assert scores["main_score"] == metric["value"]


def test_one_record_is_exported_for_the_hub(
    store: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    key = key_of(store, "majority")
    argv = ["export", key, "--format", "eval-results", "--dataset-id", "me/humor"]
    assert main([*argv, "--source-url", "https://example.org", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (name,) = document["files"]
    (found,) = yaml.safe_load(Path(name).read_text("utf-8"))
    assert found["dataset"] == {"id": "me/humor", "task_id": "default"}
    assert found["source"]["url"] == "https://example.org"


def test_a_card_for_a_saved_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "tfidf-lr", TASK, "--output", "model"]) == 0
    argv = ["export", "runs", "--format", "card", "--model", "model", "--output", "out"]
    assert main(argv) == 1
    assert "one system on one task; there are 2" in capsys.readouterr().err
    assert main([*argv, "--system", "majority"]) == 1
    assert "whose system is 'tfidf-lr'" in capsys.readouterr().err
    assert main([*argv, "--system", "tfidf-lr"]) == 0
    card = Path(f"out/hub/{TASK}/tfidf-lr/README.md").read_text("utf-8")
    assert "was not scored" in card


def test_wrong_use_and_nothing_to_export(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["export", "--task-id", "x"])
    assert "--task-id needs --dataset-id" in capsys.readouterr().err
    assert main(["export", "runs", "--system", "nbsvm"]) == 1
    assert "no such finished runs" in capsys.readouterr().err
    Path("empty").mkdir()
    assert main(["export", "empty"]) == 1
    capsys.readouterr()
    assert main(["export", "nofolder"]) == 1
    assert "'nofolder' is neither a folder, a file" in capsys.readouterr().err
    assert not Path("exported").exists()


def test_a_trial_of_a_search_is_refused_in_one_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = ["search", "--task", TASK, "--system", "tfidf-lr", "--store", "searched"]
    assert main(argv) == 0
    path = next(Path("searched/trials").rglob("*.json"))
    capsys.readouterr()
    said = set()
    for command in ("rerun", "export"):
        assert main([command, str(path)]) == 1
        said.add(capsys.readouterr().err.removeprefix(f"tweetclf {command}: "))
    (told,) = said
    assert f"run {path.stem} is a trial of a search" in told
    assert "run it in a leaderboard" in told
