"""Lengths of documents, and the length that covers a share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("transformers")

from corpus_samples import word_tokenizer

from tweetclf.exceptions import DataError
from tweetclf.pretraining.corpus import (
    LengthCoverage,
    length_coverage,
    write_tokens,
)

WORDS = [f"w{k}" for k in range(10)]
TOKENIZER = word_tokenizer(WORDS)


def texts_of(lengths: list[int]) -> list[str]:
    return [" ".join(["w1"] * n) for n in lengths]


def test_files_and_texts_tell_the_same(tmp_path) -> None:
    lengths = [int(n) for n in np.random.default_rng(0).integers(1, 40, size=200)]
    texts = texts_of(lengths)
    files = write_tokens(texts, TOKENIZER, tmp_path / "t", shard_size=500)
    found = [
        length_coverage(files, share=0.9),
        length_coverage(tmp_path / "t", share=0.9),
        length_coverage(iter(texts), TOKENIZER, share=0.9),
    ]
    for coverage in found:
        assert coverage.n_documents == 200
        assert coverage.mean == pytest.approx(np.mean(lengths) + 2)
        assert coverage.longest == max(lengths) + 2
        assert coverage.max_length == np.sort(lengths)[179] + 2
        assert coverage.covered >= 0.9
        np.testing.assert_array_equal(coverage.counts, found[0].counts)


def test_pairs_have_three_tokens_around_them(tmp_path) -> None:
    pairs = list(zip(texts_of([1, 5, 2]), texts_of([2, 3, 9]), strict=True))
    files = write_tokens(pairs, TOKENIZER, tmp_path / "t")
    assert np.flatnonzero(length_coverage(files).counts).tolist() == [6, 11, 14]
    assert length_coverage(pairs, TOKENIZER, n_special=0).longest == 11


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=60),
    st.floats(0.01, 1),
)
def test_no_shorter_length_covers_the_share(lengths, share) -> None:
    counts = np.bincount(lengths)
    coverage = LengthCoverage(counts, share, 0)
    least = coverage.length_for(share)
    assert np.mean(np.array(lengths) <= least) >= share - 1e-9
    assert least == 0 or np.mean(np.array(lengths) <= least - 1) < share


def test_the_share_of_the_study() -> None:
    counts = np.zeros(141, dtype=np.int64)
    counts[[20, 116, 140]] = 900, 99, 1
    assert LengthCoverage(counts, 0.999, 0).length_for(0.999) == 116


def test_errors() -> None:
    with pytest.raises(DataError, match="no document"):
        length_coverage([], TOKENIZER)
    with pytest.raises(ValueError, match="need a tokenizer"):
        length_coverage(["w1"])
    with pytest.raises(ValueError, match="'share'"):
        length_coverage(["w1"], TOKENIZER, share=0)
