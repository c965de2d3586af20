"""Which texts were trained on, against code that looks at every pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tweetclf.tasks import Split, load_task
from tweetclf.tasks.duplicates import Labels, normalise
from tweetclf.tasks.seen import find_seen, find_seen_in_folds

TEXTS = ("hola", "Hola!", " hola", "@pepe hola", "adiós", "ADIÓS", "@pepe", "", "😂")


def _split(name: str, rows: list[tuple[str, str]]) -> Split:
    return Split(
        name,
        tuple(text for text, _ in rows),
        np.array([label for _, label in rows], dtype=object),
        tuple(map(str, range(len(rows)))),
    )


def _slowly(row, others) -> tuple[int, int]:
    """Return the levels of one row by comparing it with each other row."""
    level = contradicted = 0
    for text, label in others:
        same = normalise(text) == normalise(row[0]) != ""
        code = 2 if text.strip() == row[0].strip() != "" else 1 if same else 0
        level = max(level, code)
        if label != row[1]:
            contradicted = max(contradicted, code)
    return level, contradicted


ROWS = st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from("NP")), max_size=12)


@settings(deadline=None)
@given(ROWS, ROWS, ROWS)
def test_levels_are_those_of_all_pairs(train, dev, test):
    splits = {
        name: _split(name, rows)
        for name, rows in (("train", train), ("dev", dev), ("test", test))
    }
    labels = Labels(splits, ("N", "P"))
    for names, known in ((["train"], train), (["train", "dev"], train + dev)):
        seen = find_seen(splits, "test", names, labels)
        expected = [_slowly(row, known) for row in test]
        found = list(zip(seen.level.tolist(), seen.contradicted.tolist(), strict=True))
        assert found == expected


@settings(deadline=None)
@given(ROWS, ROWS, st.randoms(use_true_random=False))
def test_folds_are_compared_with_each_other(train, dev, random):
    splits = {"train": _split("train", train), "dev": _split("dev", dev)}
    rows = train + dev
    folds = np.array([random.randrange(3) for _ in rows], dtype=np.int16)
    labels = Labels(splits, ("N", "P"))
    seen = find_seen_in_folds(splits, ["train", "dev"], folds, labels)
    for row, fold, level, against in zip(
        rows, folds, seen.level, seen.contradicted, strict=True
    ):
        others = [r for r, f in zip(rows, folds, strict=True) if f != fold]
        assert (level, against) == _slowly(row, others)


def test_numbers_contradict_if_far_apart_and_pairs_are_compared_as_pairs():
    texts = (("a", "b"), ("a", "c"), ("b", "a"))
    splits = {
        "train": Split("train", texts, np.array([1.0, 2.0, 5.0]), ("0", "1", "2")),
        "test": Split("test", texts[:2], np.array([1.2, 5.0]), ("3", "4")),
    }
    seen = find_seen(splits, "test", ["train"], Labels(splits, ()))
    assert seen.level.tolist() == [2, 2]
    assert seen.contradicted.tolist() == [0, 2]


@pytest.mark.data
def test_hate_shares_233_tweets_with_train_and_91_have_the_other_label(shared_data):
    task = load_task("tweeteval-hate", data_dir=shared_data)
    splits = {name: task.splits[name] for name in ("train", "test")}
    seen = find_seen(splits, "test", ["train"], Labels(splits, task.label_names))
    assert (int((seen.level == 2).sum()), int((seen.contradicted == 2).sum())) == (
        233,
        91,
    )
    known: dict[str, set[str]] = {}
    for text, label in zip(task.train.texts, task.train.labels, strict=True):
        known.setdefault(text.strip(), set()).add(label)
    shared = [text.strip() in known for text in task.test.texts]
    assert (seen.level == 2).tolist() == shared
