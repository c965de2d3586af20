"""Published results: facts in the package, equal to those beside the data."""

from __future__ import annotations

import json

import pytest

from tweetclf.exceptions import UnknownNameError
from tweetclf.tasks import list_tasks, published_results, task_info

SEVEN = ("emoji", "emotion", "hate", "irony", "offensive", "sentiment", "stance")
SIX = tuple(task for task in SEVEN if task != "sentiment")


def tweeteval(system):
    return {
        task: row.score
        for task in SEVEN
        for row in published_results(f"tweeteval-{task}")
        if row.system == system
    }


@pytest.mark.parametrize(
    ("system", "mean"),
    [("SVM", 52.0), ("BLSTM", 56.2), ("FastText", 57.3), ("RoBERTa-Base", 60.1)],
)
def test_known_means_of_six_tasks(system, mean):
    scores = tweeteval(system)
    assert set(scores) == set(SEVEN)
    assert round(100 * sum(scores[t] for t in SIX) / 6 + 1e-9, 1) == mean


def test_every_result_is_complete_and_plausible():
    rows = [row for info in list_tasks() for row in published_results(info.name)]
    assert len(rows) > 200
    for row in rows:
        assert row.system
        assert row.source
        assert row.split == "test"
        assert row.signature.endswith("|v1")
        if not row.signature.startswith("rmse"):
            assert 0 < row.score < 1
    keys = [(r.task, r.system, r.signature, r.source) for r in rows]
    assert len(set(keys)) == len(keys)


def test_own_metric_first_and_best_first():
    rows = published_results("hateval-es")
    own = task_info("hateval-es").metric.signature()
    mine = [row.score for row in rows if row.signature == own]
    assert [row.signature for row in rows[: len(mine)]] == [own] * len(mine)
    assert mine == sorted(mine, reverse=True)
    errors = [row.score for row in published_results("haha-2019-funniness")]
    assert errors == sorted(errors)
    assert published_results("sample-humor") == []
    with pytest.raises(UnknownNameError, match="hateval-es"):
        published_results("hateval-sp")


def test_scores_on_other_data_have_another_signature():
    own = task_info("irosva-es").metric.signature()
    together = [r for r in published_results("irosva-es") if "variants" in r.note]
    assert together
    assert all(row.signature != own for row in together)


@pytest.mark.data
def test_tweeteval_equals_the_file_beside_the_data(shared_data):
    path = shared_data / "tweeteval" / "published.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    for system, scores in content["results"].items():
        found = tweeteval({"LSTM": "BLSTM"}.get(system, system))
        for task in SEVEN:
            assert round(100 * found[task], 1) == scores[task]


@pytest.mark.data
def test_haha_and_umsab_equal_the_files_beside_the_data(shared_data):
    content = json.loads((shared_data / "haha" / "published.json").read_text("utf-8"))
    part = content["HAHA 2019, test of 6,000 (the dev_unlabelled split)"]
    for column, task in (
        ("detection_f1", "haha-2019"),
        ("funniness_rmse", "haha-2019-funniness"),
    ):
        found = {row.system: row.score for row in published_results(task)}
        assert part[column].items() <= found.items()
    content = json.loads((shared_data / "umsab" / "published.json").read_text("utf-8"))
    for language, scores in content["results"].items():
        if language != "all":
            rows = published_results(f"umsab-{language}")
            found = {row.system: round(100 * row.score, 1) for row in rows}
            assert found == dict(zip(content["columns"], scores, strict=True))
