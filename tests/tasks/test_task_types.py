"""Split and Task: frozen, hashed, iterable."""

from __future__ import annotations

import dataclasses
import json
from hashlib import sha256

import numpy as np
import pytest

from tweetclf.exceptions import DataError
from tweetclf.tasks import Split, Task, get_metric


def make_task(**changes):
    split = Split("train", ("hola", "adiós"), np.array(["a", "b"]), ("1", "2"))
    fields = {
        "name": "t",
        "version": "1",
        "language": "es",
        "kind": "binary",
        "target_kind": "binary",
        "label_names": ("a", "b"),
        "metric": get_metric("macro_f1", labels=("a", "b")),
        "splits": {"train": split, "dev": split},
        **changes,
    }
    return Task(**fields)


def test_split_unpacks_into_fit():
    task = make_task()
    texts, labels = task.train
    assert texts == ["hola", "adiós"]
    assert labels.tolist() == ["a", "b"]
    assert len(task.train) == 2
    assert task.test is None
    assert not task.pair
    assert not task.grouped
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(*task.train)
    assert task.scorer(model, *task.dev) == 1.0


def test_split_and_task_are_frozen():
    task = make_task()
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.name = "x"
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.train.texts = ()
    with pytest.raises(ValueError, match="read-only"):
        task.train.labels[0] = "z"


def test_labels_given_stay_writeable():
    labels = np.array([1.0, 2.0])
    split = Split("train", ("a", "b"), labels, ("1", "2"))
    labels[0] = 5.0
    assert split.labels.tolist() == [1.0, 2.0]


def test_hash_is_the_documented_one():
    split = Split("dev", (("a", "b"),), np.array([0.5]), ("é",))
    row = json.dumps(["é", ["a", "b"], 0.5], ensure_ascii=False, separators=(",", ":"))
    assert split.sha256 == sha256(row.encode() + b"\n").hexdigest()
    assert split.pair
    other = Split("dev", (("a", "c"),), np.array([0.5]), ("é",))
    assert other.sha256 != split.sha256
    unlabelled = Split("dev", (("a", "b"),), None, ("é",))
    assert unlabelled.sha256 != split.sha256
    assert "unlabelled" in repr(unlabelled)


def test_take_keeps_rows_together():
    split = Split(
        "s",
        ("a", "b", "c"),
        np.array([1.0, 2.0, 3.0]),
        tuple("123"),
        tuple("xyz"),
        tuple("uuv"),
    )
    part = split.take([2, 0], "part")
    assert part.texts == ("c", "a")
    assert part.labels.tolist() == [3.0, 1.0]
    assert part.ids == ("3", "1")
    assert part.groups == ("z", "x")
    assert part.clusters == ("v", "u")
    assert part.name == "part"


def test_lengths_and_kinds_are_checked():
    with pytest.raises(DataError, match="2 texts and 1 labels"):
        Split("s", ("a", "b"), np.array([1.0]), ("1", "2"))
    with pytest.raises(DataError, match="2 texts and 1 ids"):
        Split("s", ("a", "b"), None, ("1",))
    with pytest.raises(DataError, match="2 texts and 1 clusters"):
        Split("s", ("a", "b"), None, ("1", "2"), clusters=("u",))
    with pytest.raises(DataError, match="kind must be one of"):
        make_task(kind="ternary")
