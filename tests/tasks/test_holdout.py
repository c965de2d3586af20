"""Splits that are cut off: stratified, grouped, the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tweetclf.exceptions import DataError
from tweetclf.tasks import Split
from tweetclf.tasks.holdout import cut, cut_rows


def make(n, labels, texts=None, clusters=None):
    texts = texts or [f"tuit {i}" for i in range(n)]
    clusters = None if clusters is None else tuple(f"g{g}" for g in clusters)
    ids = tuple(map(str, range(n)))
    return Split("train", tuple(texts), np.array(labels), ids, clusters=clusters)


def test_classes_keep_their_shares():
    labels = ["a"] * 600 + ["b"] * 300 + ["c"] * 100
    train, dev = cut(make(1000, labels), 0.1)
    names, counts = np.unique(dev.labels, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        "a": 60,
        "b": 30,
        "c": 10,
    }
    assert len(train) == 900
    assert set(train.ids).isdisjoint(dev.ids)
    assert [int(i) for i in dev.ids] == sorted(int(i) for i in dev.ids)


def test_cut_is_the_same_on_every_machine():
    _, dev = cut(make(200, ["a", "b"] * 100), 0.1, seed=0)
    # Stored: a change here changes every registered dev split.
    assert dev.sha256 == (
        "d06f0ef673cb3c4ba2cf6a37a9f2a1ea5f4c1a2019b2ccd8ca710f3b00f98681"
    )
    assert cut(make(200, ["a", "b"] * 100), 0.1, seed=1)[1].ids != dev.ids


def test_cut_does_not_depend_on_the_order_of_rows():
    split = make(300, ["a", "b", "b"] * 100)
    order = np.random.default_rng(0).permutation(300)
    _, dev = cut(split, 0.2)
    _, shuffled = cut(split.take(order), 0.2)
    assert set(dev.ids) == set(shuffled.ids)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 15)), min_size=30, max_size=120
    )
)
def test_clusters_stay_together(rows):
    labels, groups = zip(*rows, strict=True)
    try:
        rest, part = cut_rows(make(len(rows), labels, clusters=groups), 0.3)
    except DataError:
        return  # too few groups
    kept, cut_off = ({groups[i] for i in side} for side in (rest, part))
    assert kept.isdisjoint(cut_off)
    assert sorted([*rest, *part]) == list(range(len(rows)))


def test_same_text_is_never_on_both_sides():
    texts = [f"Tuit  {i // 3}" if i % 3 else f"tuit {i // 3}" for i in range(300)]
    train, dev = cut(make(300, ["a", "b"] * 150, texts), 0.1)
    fold = [{" ".join(t.casefold().split()) for t in s.texts} for s in (train, dev)]
    assert fold[0].isdisjoint(fold[1])
    assert len(dev) == 30


def test_regression_and_multilabel_keep_their_distribution():
    rng = np.random.default_rng(0)
    numbers = rng.gamma(2.0, size=2000)
    train, dev = cut(make(2000, numbers), 0.1)
    assert len(dev) == 200
    assert abs(train.labels.mean() - dev.labels.mean()) < 0.05
    matrix = (rng.random((2000, 4)) < [0.5, 0.2, 0.1, 0.02]).astype(np.int8)
    _, dev = cut(make(2000, matrix), 0.1)
    assert abs(len(dev) - 200) <= 10
    np.testing.assert_allclose(dev.labels.sum(0), matrix.sum(0) / 10, atol=5)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-5, 5), min_size=20, max_size=150),
    st.sampled_from([0.1, 0.2]),
)
def test_parts_of_numbers_have_the_size_wanted(numbers, fraction):
    _, part = cut_rows(make(len(numbers), numbers), fraction)
    assert abs(len(part) - fraction * len(numbers)) <= 1 + 0.1 * len(numbers) ** 0.5


def test_a_large_group_of_numbers_can_still_be_cut_off():
    numbers = [i / 7 for i in range(30)]
    split = make(30, numbers, clusters=[i % 3 for i in range(30)])
    _, part = cut_rows(split, 0.2)
    assert len(part) == 10


def test_too_small_data_are_refused():
    with pytest.raises(DataError, match="too small"):
        cut(make(2, ["a", "b"]), 0.1)
    with pytest.raises(DataError, match="no labels"):
        cut(Split("train", ("a",), None, ("1",)), 0.1)
