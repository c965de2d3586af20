"""Tables 1 to 7 of TwHIN-BERT: definitions that are read, and what is missing."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

from tweetclf.leaderboard.definitions import read_definition
from tweetclf.leaderboard.engagements import TEXT_SYSTEMS, read_engagement_definition
from tweetclf.leaderboard.given import choose_systems
from tweetclf.tasks import read_published

FOLDER = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "social"
ROWS = [row for row in read_published() if row.cite == "zhang-2023-twhin-bert"]


def _languages(table: str) -> list[str]:
    found = dict.fromkeys(row.language for row in ROWS if row.table == table)
    return [one for one in found if not one.startswith("all")]


@pytest.mark.parametrize("number", [1, 6])
def test_engagement_tables_have_the_languages_of_the_paper(number: int) -> None:
    found = read_engagement_definition(FOLDER / f"table{number}.toml")
    assert list(found.languages) == _languages(f"Table {number}")
    assert (found.protocol.n_runs, found.protocol.n_candidates) == (6, 999)
    choose_systems(found.systems, found.params, registry=TEXT_SYSTEMS)


@pytest.mark.parametrize("number", [3, 5, 7])
def test_hashtag_tables_have_the_languages_of_the_paper(number: int) -> None:
    found = read_definition(FOLDER / f"table{number}.toml")
    assert [Path(task).name for task in found.tasks] == _languages(f"Table {number}")
    choose_systems(found.systems, found.params)
    assert any(row.dataset == found.by_language for row in ROWS)


def test_external_benchmarks_are_seven() -> None:
    found = read_definition(FOLDER / "table4.toml")
    assert len(found.tasks) == 7
    assert found.protocol.grid
    choose_systems(found.systems, found.params)


def _tables(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tables.py", *options])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(FOLDER / "tables.py"), run_name="__main__")
    return int(stop.value.code or 0)


def test_what_is_missing_is_named(
    own_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(own_folder / "no-hub"))
    card = Path("build/social/engagements/card.json")
    card.parent.mkdir(parents=True)
    card.write_text(json.dumps({"languages": [{"language": "en"}]}))
    assert _tables(monkeypatch) == 0
    said = capsys.readouterr().out
    for number in range(1, 8):
        assert f"Table {number}: " in said
    assert "data: 1 of 12 at hand" in said
    assert "missing: build/social/engagements (ja)" in said
    assert "tweeteval-sentiment" in said
    assert "Twitter/twhin-bert-large" in said
    assert _tables(monkeypatch, "--table", "2") == 1
    assert _tables(monkeypatch, "--table", "5", "--store", "s", "--output", "o") == 1
    printed = capsys.readouterr()
    assert "no task can be run" in printed.err
    assert "Table 5: " in printed.err
    assert "Table 5: " not in printed.out


def test_folders_of_weights_are_at_hand(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(own_folder / "hub"))
    needs_of = runpy.run_path(str(FOLDER / "tables.py"))["needs_of"]
    folder = own_folder / "weights"
    folder.mkdir()
    given = ["--output", "o", "--param", f"twhin-bert-base.model={folder}"]
    assert str(folder) in needs_of(1, given).no_weights  # it is empty
    (folder / "model.safetensors").touch()
    assert str(folder) in needs_of(1, given).weights
    assert "Twitter/twhin-bert-base" not in needs_of(1, given).no_weights
    # A configuration alone is no weights.
    model = own_folder / "hub" / "models--Twitter--twhin-bert-base"
    snapshot = model / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")
    (snapshot / "config.json").touch()
    assert "Twitter/twhin-bert-base" in needs_of(1).no_weights
    (snapshot / "model.safetensors").touch()
    assert "Twitter/twhin-bert-base" in needs_of(1).weights
