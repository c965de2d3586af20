"""The public datasets: rows, hashes, official scores of shipped predictions."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter

import numpy as np
import pytest

from tweetclf.tasks import list_tasks, load_task

pytestmark = pytest.mark.data

INFOS = list_tasks()
PUBLIC = [info for info in INFOS if not info.bundled]


@pytest.mark.parametrize("info", PUBLIC, ids=[info.name for info in PUBLIC])
def test_splits_are_the_registered_ones(info, shared_data):
    if not info.available(shared_data):
        assert not info.sha256, f"{info.name} has a checksum and no data"
        return
    task = load_task(info.name, data_dir=shared_data)  # checks every sha256
    for name in task.splits:
        split = task.splits[name]
        assert len(split) == info.rows[name]
        assert task.sha256[name] == split.sha256
        assert split.pair == task.pair
        if split.labels is None:
            assert name.endswith("_unlabelled")
        elif task.target_kind in {"binary", "multiclass"}:
            assert set(split.labels.tolist()) <= set(task.label_names)
        elif task.target_kind == "multilabel":
            assert split.labels.shape == (len(split), len(task.label_names))
        else:
            assert np.isfinite(split.labels).all()
    assert not task.notes
    if "cut off train" in task.dev_source:
        share = len(task.dev) / (len(task.dev) + len(task.train))
        assert abs(share - 0.1) < 0.003
        sides = [{str(t).casefold() for t in s.texts} for s in (task.train, task.dev)]
        if "text" in task.dev_source:
            assert sides[0].isdisjoint(sides[1])


def readme_rows(shared_data):
    """Rows of each folder, from the table of the datasets' README."""
    rows, folder = {}, ""
    for line in (shared_data / "README.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 7:
            name = re.sub(r"^— |\[|\].*", "", cells[0])
            folder = name
            found = re.findall(r"([a-z_]+) ([\d,]+)", cells[4])
            rows[folder] = {k: int(v.replace(",", "")) for k, v in found}
    return rows


def test_row_counts_are_those_of_the_readme(shared_data):
    expected = readme_rows(shared_data)
    assert expected["tweeteval/irony"] == {"train": 2862, "val": 955, "test": 784}
    compared = 0
    for info in PUBLIC:
        if "folder" not in info.reading or not info.sha256:
            continue
        if info.reading.get("where") or "twitter15" in info.name:
            continue  # a part of the rows
        stated = expected[info.reading["folder"]]
        cut = "cut off" in info.dev_source
        for split, entry in info.reading["files"].items():
            stem = entry["file"].removesuffix(".jsonl.gz")
            if split in info.rows:
                rows = info.rows[split]
                rows += info.rows["dev"] if cut and split == "train" else 0
                assert rows == stated[stem], (info.name, split)
                compared += 1
    assert compared > 100


def predictions(shared_data, name, labels):
    path = shared_data / "tweeteval" / "predictions_roberta_retrained" / f"{name}.txt"
    return [labels[int(line)] for line in path.read_text("utf-8").split()]


@pytest.mark.parametrize(
    "name", ["emoji", "emotion", "hate", "irony", "offensive", "stance"]
)
def test_official_scores_of_the_shipped_predictions(name, shared_data):
    path = shared_data / "tweeteval" / "published.json"
    key = "scores_recomputed_from_the_published_predictions_of_RoBERTa-Retrained"
    expected = json.loads(path.read_text("utf-8"))[key][name]
    task = load_task(f"tweeteval-{name}", data_dir=shared_data)
    if name == "stance":
        # One file a target, pooled in the order of the task's groups.
        pred = [
            label
            for target in dict.fromkeys(task.test.groups)
            for label in predictions(shared_data, f"stance_{target}", task.label_names)
        ]
    else:
        pred = predictions(shared_data, name, task.label_names)
    assert round(100 * task.metric(task.test.labels, pred), 2) == expected


def test_macro_averages_equal_the_official_scorer_on_real_predictions(shared_data):
    # The benchmark's script takes the macro average of a classification report.
    from sklearn.metrics import classification_report

    for name in ("emoji", "hate"):
        task = load_task(f"tweeteval-{name}", data_dir=shared_data)
        pred = predictions(shared_data, name, task.label_names)
        report = classification_report(task.test.labels, pred, output_dict=True)
        expected = report["macro avg"]["f1-score"]
        assert task.metric(task.test.labels, pred) == pytest.approx(expected, abs=1e-12)


def test_stance_pools_five_targets(shared_data):
    task = load_task("tweeteval-stance", data_dir=shared_data)
    assert task.grouped
    assert Counter(task.test.groups) == {
        "abortion": 280,
        "atheism": 220,
        "climate": 169,
        "feminist": 285,
        "hillary": 295,
    }
    for target in ("abortion", "hillary"):
        single = load_task(f"tweeteval-stance-{target}", data_dir=shared_data)
        rows = [i for i, group in enumerate(task.test.groups) if group == target]
        assert task.test.take(rows).texts == single.test.texts


def test_haha_has_no_gold_test(shared_data):
    task = load_task("haha-2019", data_dir=shared_data)
    assert task.test is None
    assert len(task.splits["test_unlabelled"]) == 6000
    everything = [*task.train.labels, *task.dev.labels]
    assert Counter(everything) == {"not-humor": 14747, "humor": 9253}
    funniness = load_task("haha-2019-funniness", data_dir=shared_data)
    ratings = np.concatenate([funniness.train.labels, funniness.dev.labels])
    assert len(ratings) == 9253
    assert ratings.mean() == pytest.approx(2.046, abs=5e-4)


def test_hateval_b_joins_three_labels(shared_data):
    task = load_task("hateval-en-b", data_dir=shared_data)
    assert Counter(task.train.labels.tolist()) == {
        "000": 5217,
        "100": 1350,
        "101": 1092,
        "110": 874,
        "111": 467,
    }
    majority = ["000"] * len(task.test)
    assert task.metric(task.test.labels, majority) == pytest.approx(1719 / 2971)


def test_threads_and_conversations_are_not_divided(shared_data):
    task = load_task("rumoureval2017", data_dir=shared_data)
    path = shared_data / "rumoureval2017" / "train.jsonl.gz"
    lines = gzip.decompress(path.read_bytes()).split(b"\n")
    thread = {row["id"]: row["thread"] for row in map(json.loads, filter(None, lines))}
    sides = [{thread[i] for i in split.ids} for split in (task.train, task.dev)]
    assert sides[0].isdisjoint(sides[1])
    assert set(task.dev.labels.tolist()) == set(task.label_names)


def test_mean_over_emotions_uses_groups(shared_data):
    task = load_task("semeval2018-ei-reg-en", data_dir=shared_data)
    rng = np.random.default_rng(0)
    pred = task.test.labels + rng.normal(0, 0.2, len(task.test))
    pooled = task.metric(task.test.labels, pred, groups=task.test.groups)
    groups = np.array(task.test.groups)
    singles = []
    for emotion in ("anger", "fear", "joy", "sadness"):
        single = load_task(f"semeval2018-ei-reg-en-{emotion}", data_dir=shared_data)
        rows = groups == emotion
        np.testing.assert_array_equal(task.test.labels[rows], single.test.labels)
        singles.append(single.metric(single.test.labels, pred[rows]))
    assert pooled == pytest.approx(np.mean(singles), abs=1e-12)
