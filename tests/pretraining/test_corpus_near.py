"""Near-duplicates of a stream against exact similarities of all pairs (P39)."""

from __future__ import annotations

import itertools
import random
import tracemalloc

import numpy as np
import pytest

from tweetclf.pretraining.corpus import near_stream
from tweetclf.pretraining.corpus.near_stream import choose_bands, find_near, sign


def copies(n: int, seed: int) -> list[str]:
    """Texts of which many are others with more or fewer words changed."""
    source = random.Random(seed)
    words = ["".join(source.choices("abcdefghij", k=6)) for _ in range(900)]
    texts: list[str] = []
    for k in range(n):
        if texts and k % 3:
            text = source.choice(texts).split()
            for place in source.sample(range(14), source.randrange(1, 12)):
                text[place] = source.choice(words)
        else:
            text = source.choices(words, k=14)
        texts.append(" ".join(text))
    return list(dict.fromkeys(texts))


def exact(texts: list[str]) -> np.ndarray:
    grams = [{text[k : k + 5] for k in range(len(text) - 4)} for text in texts]
    similar = np.eye(len(texts))
    for i, j in itertools.combinations(range(len(texts)), 2):
        both = len(grams[i] & grams[j])
        shared = both / (len(grams[i]) + len(grams[j]) - both)
        similar[i, j] = similar[j, i] = shared
    return similar


TEXTS = copies(420, seed=3)
SIMILAR = exact(TEXTS)


@pytest.mark.parametrize("threshold", [0.2, 0.3])
def test_recall_at_twice_the_threshold(threshold: float) -> None:
    """P39: .99 of the pairs of twice the threshold, against all exact pairs."""
    found = n = 0
    for seed in range(3):
        dropped = find_near(sign([(t,) for t in TEXTS], seed=seed), threshold=threshold)
        kept = np.flatnonzero(~dropped)
        # Of each pair that similar whose first text is kept, the second is not.
        first, second = np.nonzero(np.triu(2 * threshold <= SIMILAR, k=1))
        pairs = np.isin(first, kept)
        n += int(pairs.sum())
        found += int(dropped[second[pairs]].sum())
    assert n > 100, n
    assert found / n >= 0.99


def test_what_is_dropped_resembles_something_kept() -> None:
    dropped = find_near(sign([(t,) for t in TEXTS]), threshold=0.2)
    assert 0.3 < dropped.mean() < 0.9
    kept = np.flatnonzero(~dropped)
    best = np.array([SIMILAR[i, kept[kept < i]].max() for i in np.flatnonzero(dropped)])
    # The estimate's standard error is .035 at .2.
    assert (best >= 0.2 - 5 * 0.035).all()
    assert (best >= 0.2).mean() > 0.95


@pytest.mark.parametrize("block_size", [1, 7, 64])
def test_the_size_of_blocks_does_not_matter(block_size: int) -> None:
    signed = sign([(t,) for t in TEXTS])
    expected = find_near(signed)
    assert expected.any()
    np.testing.assert_array_equal(find_near(signed, block_size=block_size), expected)


def test_a_signature_at_hand_equals_brute_force() -> None:
    """Greedy comparison with all that are kept, by the same signatures."""
    signed = sign([(t,) for t in TEXTS])
    dropped = find_near(signed, threshold=0.45)
    bands = choose_bands(0.45)
    cut = signed[:, : bands.bands * bands.rows].reshape(-1, bands.bands, bands.rows)
    kept: list[int] = []
    for i in range(len(TEXTS)):
        alike = (signed[i] == signed[kept]).sum(axis=1) >= 0.45 * 128
        share = (cut[i] == cut[kept]).all(axis=2).any(axis=1)
        assert dropped[i] == (alike & share).any(), i
        if not dropped[i]:
            kept.append(i)


def test_without_numba_the_same_are_found(monkeypatch) -> None:
    signed = sign([(t,) for t in TEXTS[:60]])
    expected = find_near(signed)
    monkeypatch.setenv("TWEETCLF_NUMBA", "0")
    np.testing.assert_array_equal(find_near(signed), expected)


def test_pairs_must_be_alike_on_both_sides() -> None:
    tweet = "menudo lunes el que nos espera hoy en la oficina"
    answers = ["pues sí, qué le vamos a hacer", "yo estoy de vacaciones, jaja"]
    pairs = [(tweet, answers[0]), (tweet, answers[1]), (tweet + "!!", answers[0])]
    assert find_near(sign(pairs), n_sides=2).tolist() == [False, False, True]


def test_case_names_urls_and_punctuation_make_no_difference() -> None:
    texts = [
        "Qué risa el lunes @ana",
        "¡QUÉ RISA, el lunes! https://t.co/x",
        "😂",
        "🙃",
    ]
    assert find_near(sign([(t,) for t in texts])).tolist() == [
        False,
        True,
        False,
        False,
    ]


def test_signatures_obey_the_law_of_minhash() -> None:
    """Columns agree with a chance of the similarity, as those of datasketch do."""
    datasketch = pytest.importorskip("datasketch")
    rng = random.Random(0)
    pairs = rng.sample(
        [p for p in itertools.combinations(range(200), 2) if SIMILAR[p] > 0.1], 60
    )
    chosen = sorted({i for pair in pairs for i in pair})
    signed = {i: sign([(TEXTS[i],)])[0] for i in chosen}
    theirs = {}
    for i in chosen:
        theirs[i] = datasketch.MinHash(num_perm=128, seed=1)
        text = TEXTS[i]
        grams = {text[k : k + 5].encode() for k in range(len(text) - 4)}
        theirs[i].update_batch(sorted(grams))
    true = np.array([SIMILAR[p] for p in pairs])
    sigma = np.sqrt(true * (1 - true) / 128)
    ours = np.array([(signed[i] == signed[j]).mean() for i, j in pairs])
    other = np.array([theirs[i].jaccard(theirs[j]) for i, j in pairs])
    for estimate in (ours, other):
        scores = (estimate - true) / sigma
        # Hashes are shared by the pairs, so that the mean is not of 60 draws.
        assert abs(scores.mean()) < 0.8
        assert 0.4 < scores.std() < 1.6
        assert abs(scores).max() < 5


def test_bands_find_what_they_vouch_for() -> None:
    for threshold in np.arange(0.14, 0.96, 0.02):
        bands = choose_bands(float(threshold))
        assert bands.rows >= 2
        assert bands.recall_at_double >= 0.99
        assert bands.bands * bands.rows <= 128
    assert choose_bands(0.1).rows == 1


def test_crowded_buckets_are_cut(monkeypatch) -> None:
    monkeypatch.setattr(near_stream, "BUCKET", 1)
    signed = sign([(t,) for t in TEXTS])
    some = find_near(signed)
    assert 0 < some.sum() <= find_near(signed).sum()


def test_memory_is_that_of_a_block(monkeypatch) -> None:
    monkeypatch.setattr(near_stream, "_ROWS_AT_ONCE", 512)
    rng = np.random.default_rng(0)

    def peak(n: int) -> int:
        signed = rng.integers(0, 1 << 16, size=(n, 128), dtype=np.uint16)
        tracemalloc.start()
        try:
            assert not find_near(signed, block_size=1024).any()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1_000)
    small, large = peak(2_000), peak(8_000)
    assert large - small < 6_000 * 10
