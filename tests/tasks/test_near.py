"""Hashes of n-grams and near duplicates, against brute force."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tweetclf.tasks import near
from tweetclf.tasks.grams import gram_hashes
from tweetclf.tasks.near import banding, near_pairs

TEXTS = st.lists(st.text(alphabet="ab\u00e9\U0001f602 ", max_size=70), max_size=8)


@settings(deadline=None)
@given(TEXTS, st.sampled_from([1, 2, 3, 5, 7, 13, 50]))
def test_equal_n_grams_have_equal_hashes_and_no_others(texts, n):
    hashes, owners = gram_hashes(texts, n)
    grams = [
        (text[i : i + n], row)
        for row, text in enumerate(texts)
        for i in range(len(text) - n + 1)
    ]
    assert owners.tolist() == [row for _, row in grams]
    of = {}
    for (gram, _), found in zip(grams, hashes.tolist(), strict=True):
        assert of.setdefault(gram, found) == found
    assert len(set(of.values())) == len(of)


def test_lone_surrogates_are_characters_like_others():
    hashes, _ = gram_hashes(["\ud800a\ud800a"], 2)
    assert hashes[0] == hashes[2]
    assert hashes[0] != hashes[1]


def all_pairs(
    texts: list[str], threshold: float, n: int
) -> dict[tuple[int, int], float]:
    padded = [text.ljust(n, "\0") for text in texts]
    sets = [{t[i : i + n] for i in range(len(t) - n + 1)} for t in padded]
    found = {}
    for i, j in itertools.combinations(range(len(texts)), 2):
        similarity = len(sets[i] & sets[j]) / len(sets[i] | sets[j])
        if similarity >= threshold:
            found[i, j] = similarity
    return found


def as_dict(pairs: near.NearPairs) -> dict[tuple[int, int], float]:
    keys = zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
    return dict(zip(keys, pairs.similarity.tolist(), strict=True))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.text(alphabet="abc ", max_size=12), max_size=10, unique=True),
    st.sampled_from([0.3, 0.7, 1.0]),
)
def test_pairs_that_are_returned_are_pairs(texts, threshold):
    found, true = as_dict(near_pairs(texts, threshold=threshold)), {}
    true = all_pairs(texts, threshold, 5)
    assert set(found) <= set(true)
    for pair, similarity in found.items():
        assert similarity == pytest.approx(true[pair], abs=1e-12)


def noisy_texts(n: int, seed: int) -> list[str]:
    """Texts with copies in which some words are others, or one letter is."""
    source = random.Random(seed)
    words = ["".join(source.choices("abcdefghij", k=6)) for _ in range(400)]
    texts = []
    for i in range(n):
        text = source.choices(words, k=15)
        texts.append(" ".join(text))
        for place in source.sample(range(15), i % 4):
            text[place] = source.choice(words)
        texts.append(" ".join(text) + ("." if i % 4 == 0 else ""))
    return list(dict.fromkeys(texts))


NOISY = noisy_texts(160, 0)
SIMILAR = all_pairs(NOISY, 0.2, 5)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.9])
def test_recall_is_what_banding_states(threshold):
    true = {pair for pair, s in SIMILAR.items() if s >= threshold}
    found = as_dict(near_pairs(NOISY, threshold=threshold))
    assert set(found) <= true
    assert len(true) > 30
    assert len(found) / len(true) >= 0.99
    bands, rows, recall = banding(threshold)
    assert bands * rows <= near.N_HASHES
    assert recall >= near.RECALL


def test_results_depend_on_the_seed_alone_and_not_on_chunks(monkeypatch):
    texts = noisy_texts(60, 1)
    first = near_pairs(texts, threshold=0.5, seed=3)
    monkeypatch.setattr(near, "_CHUNK", 50)
    again = near_pairs(texts, threshold=0.5, seed=3)
    assert as_dict(again) == as_dict(first)
    assert list(as_dict(first)) == sorted(as_dict(first))


def test_a_large_bucket_is_cut_and_each_text_keeps_neighbours(monkeypatch):
    texts = [f"compre ya el mejor telefono del mundo entero {i:03}" for i in range(60)]
    assert len(near_pairs(texts)) == 60 * 59 // 2
    monkeypatch.setattr(near, "BUCKET", 5)
    found = near_pairs(texts)
    assert set(found.first.tolist()) | set(found.second.tolist()) == set(range(60))
    assert len(found) < 60 * 59 // 2


def test_little_or_nothing_to_compare():
    for texts in ([], ["a"], ["a", "b"]):
        assert len(near_pairs(texts)) == 0
    for threshold in (0, 0.049, -1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="between 0.05 and 1"):
            near_pairs(["a", "b"], threshold=threshold)


@given(st.floats(near.LEAST_SIMILARITY, 1))
def test_the_stated_recall_holds_for_every_threshold_that_is_taken(threshold):
    assert banding(threshold)[2] >= near.RECALL
