"""Exports are what MTEB and the Hub document, and hold hostile names harmlessly."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_boards import HOSTILE, board, entry, facts, funniness, hostile, rich, run

from tweetclf.exceptions import RecordError
from tweetclf.leaderboard.boards import Leaderboard, TaskBoard
from tweetclf.persistence import ModelInfo
from tweetclf.reports.exports import (
    Exported,
    HubDataset,
    all_exported,
    eval_results,
    export_runs,
    hub_dataset,
    model_card,
    mteb_result,
)
from tweetclf.reports.exports._yaml import dump_yaml
from tweetclf.reports.formatting import make_safe

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

HUB = HubDataset("cardiffnlp/tweet_eval", "irony")


def first(of: TaskBoard) -> Exported:
    """Return the best system of a board, with the target that is registered of it."""
    best = of.entries[0]
    target = f"tweetclf.estimators:{best.system.replace('-', '_')}"
    records = tuple(
        replace(record, spec=replace(record.spec, target=target))
        for record in best.records
    )
    return Exported(replace(of, entries=(replace(best, records=records),)))


def parts(card: str) -> tuple[dict[str, Any], str]:
    """Part a card as the Hub does: metadata between two lines of dashes."""
    start, front, body = card.split("---\n", 2)
    assert start == ""
    return yaml.safe_load(front), body


# -- YAML -------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = (
    st.none() | st.booleans() | st.integers() | TEXTS
    | st.floats(allow_nan=False, allow_infinity=False)
)  # fmt: skip
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS)
def test_yaml_is_read_back_as_it_was(document: Any) -> None:
    assert yaml.safe_load(dump_yaml(document)) == document


@pytest.mark.parametrize("text", [*HOSTILE, "no", "1e5", "2026-01-01", "!!x", "---"])
def test_texts_stay_texts_in_yaml(text: str) -> None:
    shown = dump_yaml({"a": [text], text: {"no": text}})
    assert yaml.safe_load(shown) == {"a": [text], text: {"no": text}}
    assert not any(line.startswith("---") for line in shown.splitlines())


def test_yaml_refuses_what_json_cannot_hold() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="no number that JSON knows"):
            dump_yaml([value])
    with pytest.raises(TypeError, match="cannot write a set"):
        dump_yaml({"a": {1}})


# -- MTEB -------------------------------------------------------------------------


def check_task_result(document: Any) -> None:
    """Check the fields and types of ``TaskResult`` of mteb 2 and its validators."""
    json.dumps(document, allow_nan=False)
    assert isinstance(document["dataset_revision"], str)
    assert isinstance(document["task_name"], str)
    assert document["mteb_version"] is None
    assert document["kg_co2_emissions"] is None
    assert document["evaluation_time"] is None or document["evaluation_time"] >= 0
    assert isinstance(document["scores"], dict)
    for split, entries in document["scores"].items():
        assert isinstance(split, str)
        for scores in entries:
            assert math.isfinite(scores["main_score"])
            assert isinstance(scores["hf_subset"], str)
            assert all(isinstance(text, str) for text in scores["languages"])


def test_mteb_result_holds_the_facts() -> None:
    document = mteb_result(first(board()))
    check_task_result(document)
    assert document["task_name"] == "tweeteval-irony"
    assert document["dataset_revision"] == f"1.0-sha256-{'b' * 64}"
    (scores,) = document["scores"]["test"]
    assert scores["main_score"] == 0.652
    assert scores["interval_95"] == pytest.approx([0.622, 0.682])
    assert scores["languages"] == ["eng-Latn"]
    assert scores["accuracy"] == pytest.approx(0.7)
    assert [s["seed"] for s in scores["scores_per_experiment"]] == [0, 1, 2]
    mean = np.mean([s[facts().metric] for s in scores["scores_per_experiment"]])
    assert mean == pytest.approx(scores["main_score"])
    assert document["evaluation_time"] == pytest.approx(3 * (41 + 0.05 + 41 / 40))
    assert document["date"] == "2025-06-01T10:00:00+00:00"


def test_scores_of_seeds_stand_with_their_seed() -> None:
    one = board(n_seeds=3)
    records = list(one.entries[0].records)
    # The second seed has no accuracy, as its store is of another version.
    scores = dict(records[1].scores["test"])
    lacking = next(name for name in scores if name != "official")
    del scores[lacking]
    records[1] = replace(records[1], scores={"test": scores})
    one = replace(one, entries=(replace(one.entries[0], records=tuple(records)),))
    exported = first(one)
    (document,) = mteb_result(exported)["scores"]["test"]
    by_seed = {row["seed"]: row for row in document["scores_per_experiment"]}
    for record in records:
        found = by_seed[record.spec.seed]
        assert found[exported.board.facts.metric] == record.score
        assert found[lacking] == record.scores["test"].get(lacking)
    # No mean of some of the seeds is said to be that of all.
    assert document[lacking] is None
    front, body = parts(model_card(exported))
    (result,) = front["model-index"][0]["results"]
    assert lacking not in {metric["name"] for metric in result["metrics"]}


def test_mteb_result_of_folds_and_of_an_unknown_language() -> None:
    found = funniness()
    data = {"train": "1" * 64, "dev": "2" * 64}
    found = replace(found, facts=replace(found.facts, data=data, language="und"))
    document = mteb_result(first(found))
    check_task_result(document)
    (scores,) = document["scores"]["cv"]
    assert scores["languages"] == []
    assert scores["greater_is_better"] is False
    assert document["dataset_revision"].endswith(f"{'1' * 64}+{'2' * 64}")


# -- The Hub ----------------------------------------------------------------------


def test_eval_results_are_as_the_hub_documents() -> None:
    content = eval_results(first(board()), HUB, source_url="https://example.org/r")
    found = yaml.safe_load(dump_yaml(content))
    assert found == content
    (item,) = found
    assert set(item) == {"dataset", "value", "date", "source", "notes"}
    assert item["dataset"] == {"id": "cardiffnlp/tweet_eval", "task_id": "irony"}
    assert item["value"] == 0.652
    assert item["source"]["url"] == "https://example.org/r"
    assert isinstance(item["date"], str)
    assert item["notes"].startswith(
        "F1 of irony 0.652 (95 % interval 0.622\N{EN DASH}0.682) on 784 test tweets, "
        "mean of 3 runs (seeds 0, 1, 2); f1|average:binary|pos:irony|zero:0|v1; "
    )
    assert "source" not in eval_results(first(board()), HUB)[0]


def test_hub_datasets_are_known_for_tweeteval_only() -> None:
    assert hub_dataset("tweeteval-hate") == HubDataset("cardiffnlp/tweet_eval", "hate")
    assert hub_dataset("tweeteval-stance") is None


# -- Model cards ------------------------------------------------------------------


def test_card_metadata_is_a_model_index() -> None:
    front, body = parts(model_card(first(board()), dataset=HUB))
    assert front["language"] == ["en"]
    assert front["library_name"] == "tweetclf"
    assert front["pipeline_tag"] == "text-classification"
    assert front["datasets"] == ["cardiffnlp/tweet_eval"]
    assert front["metrics"] == ["f1", "accuracy"]
    (model,) = front["model-index"]
    assert model["name"] == "atalaya-svm on tweeteval-irony"
    (result,) = model["results"]
    # Required by modelcard.md: types, names, values.
    assert result["task"]["type"] == "text-classification"
    assert result["dataset"] == {
        "type": "cardiffnlp/tweet_eval",
        "name": "tweeteval-irony 1.0",
        "config": "irony",
        "split": "test",
    }
    official, accuracy = result["metrics"]
    assert official["type"] == "f1"
    assert official["value"] == pytest.approx(0.652)
    assert official["name"] == facts().metric
    assert accuracy["value"] == pytest.approx(0.7)
    assert body.startswith("\n# atalaya-svm on tweeteval-irony\n")


def test_card_says_what_the_runs_were() -> None:
    _, body = parts(model_card(first(board())))
    for fact in (
        "F1 of irony 0.652 (95 % interval 0.622–0.682) on 784 test tweets, mean of 3",
        "Perez & Luque".replace("&", "&amp;"),
        "C=0.1",
        "Bag of words",
        "2,862",
        "41 s",
        "120 MB",
        "Example CPU",
        "1.9.1",
        "sha256 of test",
        "test scored once a run",
        "settings selected on dev",
    ):
        assert fact in body, fact
    assert "tweetclf rerun" in body
    assert "Loading executes no code" not in body


def test_card_names_the_profile_licence_and_citation_of_a_registered_task() -> None:
    from tweetclf.tasks import task_info

    info = task_info("tweeteval-irony")
    task = facts(version=info.version, language=info.language)
    _, body = parts(model_card(first(board(task))))
    assert "atalaya-" in body.split("Preprocessing profile")[1].splitlines()[0]
    assert make_safe(info.licence)[:20] in body
    assert "Where the tweets come from" in body
    assert "not a registered task" not in body


def test_card_scores_each_label_and_names_the_worst() -> None:
    gold = np.array([0] * 150 + [1] * 50, dtype=np.int16)
    predicted = np.array([0] * 140 + [1] * 10 + [0] * 20 + [1] * 30, dtype=np.int16)
    arrays = {"y_true": gold, "y_pred": predicted}
    one = board(n_seeds=1)
    _, body = parts(model_card(first(one), predictions=arrays))
    rows = [line for line in body.splitlines() if line.startswith("| irony |")]
    assert rows == ["| irony | 0.750 | 0.600 | 0.667 | 50 |"]
    assert "fewer than 100 gold tweets, whose scores are uncertain: irony." in body
    assert (
        "Worst label: irony with F1 0.667: 60 % of its tweets are found, and 75 % of "
        "the tweets given it have it."
    ) in body
    assert "One run: how much the score changes" in body


def test_card_repeats_the_warnings_of_the_runs() -> None:
    task = facts()
    text = "12 of 784 evaluated tweets stand verbatim in train"
    one = replace(board(), entries=(entry(task, "nbsvm", 0.6, warnings=(text,)),))
    _, body = parts(model_card(first(one)))
    assert f"> - {text}." in body


def test_card_of_a_saved_model_says_that_it_was_not_scored() -> None:
    model = ModelInfo(
        Path("model"),
        "sklearn.pipeline.Pipeline",
        {"tweetclf": "0.1"},
        ("atalaya-basic@1",),
        {"system": "atalaya-svm", "task": "tweeteval-irony"},
        1_234_567,
    )
    _, body = parts(model_card(first(board()), model=model))
    assert "1.2 MB" in body
    assert "atalaya-basic@1" in body.replace("\\", "")
    assert "was not scored" in body
    assert 'tweetclf.load("FOLDER")' in body
    other = replace(model, metadata={"system": "nbsvm"})
    with pytest.raises(RecordError, match="whose system is 'nbsvm'"):
        model_card(first(board()), model=other)


# -- Hostile names ----------------------------------------------------------------


def test_hostile_names_do_nothing_in_any_export() -> None:
    found = list(all_exported(hostile()))
    assert len(found) == len(HOSTILE) + 2
    for exported in found:
        check_task_result(mteb_result(exported))
        evil = HubDataset(HOSTILE[0] + "\n- x: y", HOSTILE[9])
        content = eval_results(exported, evil)
        assert yaml.safe_load(dump_yaml(content)) == content
        front, body = parts(model_card(exported, dataset=evil))
        name = front["model-index"][0]["name"]
        assert name == make_safe(name)
        assert "<script" not in body
        assert "<img" not in body
        assert "\u202e" not in body
        assert "[x](javascript:" not in body
        body.encode("utf-8")


# -- Files ------------------------------------------------------------------------


def no_predictions(_: object) -> dict[str, Any]:
    labels = np.array([0, 1] * 40, dtype=np.int16)
    return {"y_true": labels, "y_pred": labels}


def test_files_stand_where_mteb_and_the_hub_look(tmp_path: Path) -> None:
    paths, remarks = export_runs(rich(), no_predictions, tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in paths]
    assert len(names) == len(set(names)) == 3 * (12 + 5 + 12)
    assert "mteb/nbsvm/0-1-0/tweeteval-irony.json" in names
    assert "hub/tweeteval-irony/nbsvm/README.md" in names
    assert "hub/tweeteval-irony/nbsvm/.eval_results/tweeteval-irony.yaml" in names
    assert remarks == []
    for path in paths:
        text = path.read_text("utf-8")
        if path.suffix == ".json":
            check_task_result(json.loads(text))
        elif path.suffix == ".yaml":
            assert yaml.safe_load(text)[0]["dataset"]["task_id"] in text


def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    folds = Leaderboard("x", (funniness(), board(facts("my-file"), n_systems=2)))
    paths, remarks = export_runs(
        folds, no_predictions, tmp_path, formats=["eval-results"]
    )
    assert paths == []
    assert len(remarks) == 2
    assert "haha-funniness: it was scored by cross-validation" in remarks[0]
    assert "my-file: its dataset on the Hub is not known" in remarks[1]
    with pytest.raises(ValueError, match="formats must be of mteb"):
        export_runs(folds, no_predictions, tmp_path, formats=["hf"])
    with pytest.raises(RecordError, match="no finished run with a defined score"):
        export_runs(Leaderboard("x", ()), no_predictions, tmp_path)
    model = ModelInfo(Path("model"), "x")
    with pytest.raises(RecordError, match="one system on one task; there are 6"):
        export_runs(folds, no_predictions, tmp_path, model=model)
    nothing = replace(board(), entries=(entry(facts(), "nbsvm", math.nan),))
    assert list(all_exported(Leaderboard("x", (nothing,)))) == []
    assert not any(tmp_path.iterdir())


def test_one_task_in_two_evaluations_has_two_folders(tmp_path: Path) -> None:
    both = Leaderboard("x", (board(n_systems=2), board(n_systems=2, split="cv")))
    paths, _ = export_runs(both, no_predictions, tmp_path, formats=["card", "mteb"])
    assert len(set(paths)) == 8
    assert (tmp_path / "hub/tweeteval-irony-2/nbsvm/README.md").is_file()


def test_a_system_that_is_not_registered_has_a_card_too() -> None:
    task = facts()
    one = replace(board(), entries=(entry(task, "my-own", 0.6),))
    exported = first(one)
    assert exported.system is None
    assert exported.profiles == ()
    assert run(task, "my-own").spec.system in model_card(exported)
