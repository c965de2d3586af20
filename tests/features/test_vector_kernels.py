"""The compiled kernels against NumPy and SciPy: the same bits; and memory maps."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tweetclf.features import SIFVectorizer, WordVectors
from tweetclf.features._average import add_rows
from tweetclf.utils.jit import has_numba


@pytest.fixture(autouse=True, scope="module")
def _kernels_however_little_there_is_to_do():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tweetclf.utils.jit._PAYS", -1)
        patch.setattr("tweetclf.utils.threads._PAYS", 1)
        patch.setenv("TWEETCLF_THREADS", "3")
        yield


needs_numba = pytest.mark.skipif(not has_numba(), reason="there is one path only")
words_or_broken = st.text(max_size=10) | st.sampled_from(
    ["</s>", "<", ">", "<>", "ñandú", "👩‍👩‍👧", "\ud83d", "日本語", "\n", "a" * 60]
)


def without_numba(function):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWEETCLF_NUMBA", "0")
        return function()


@needs_numba
@settings(max_examples=100, deadline=None)
@given(
    words=st.lists(words_or_broken, max_size=8),
    known=st.lists(words_or_broken, max_size=4, unique=True),
    minn=st.integers(1, 4),
    extra=st.sampled_from([0, 1, 3, 10**6]),
)
def test_subword_vectors_are_the_same_bits(words, known, minn, extra):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(len(known) + 97, 5)).astype(np.float32)
    vectors = WordVectors(known, matrix, minn=minn, maxn=minn + extra, bucket=97)
    ours = vectors.vectors([*words, *known])
    plain = without_numba(lambda: vectors.vectors([*words, *known]))
    assert ours.dtype == plain.dtype == np.float32
    np.testing.assert_array_equal(ours.view(np.uint32), plain.view(np.uint32))


@needs_numba
@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.text("abcd  é\n", max_size=30), min_size=1, max_size=6),
    bucket=st.sampled_from([0, 20]),
    options=st.fixed_dictionaries(
        {
            "weighting": st.sampled_from(["sif", "mean"]),
            "divide_by": st.sampled_from(["nonzero", "tokens", "weights"]),
            "normalize_words": st.booleans(),
            "newline_token": st.booleans(),
            "remove_component": st.booleans(),
        }
    ),
)
def test_averages_are_the_same_bits(texts, bucket, options):
    rng = np.random.default_rng(1)
    words = ["a", "ab", "c", "zero", "é"]
    matrix = rng.normal(size=(len(words) + bucket, 7)).astype(np.float32)
    matrix[[2, 3]] = 0
    vectors = WordVectors(words, matrix, minn=2, maxn=3, bucket=bucket)
    sif = SIFVectorizer(vectors, tokenizer=str.split, **options)
    ours = sif.fit_transform(texts)
    plain = without_numba(lambda: sif.fit_transform(texts))
    np.testing.assert_array_equal(ours, plain)
    np.testing.assert_array_equal(sif.fit(texts).transform(texts), plain)


@settings(max_examples=80, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 12), max_size=20),
    zeros=st.booleans(),
    seed=st.integers(0, 5),
)
def test_few_sums_have_the_bits_of_scipy(lengths, zeros, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(9, 5)).astype(np.float32)
    if zeros:
        matrix[rng.random(matrix.shape) < 0.7] = -0.0
    indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    rows = rng.integers(9, size=indptr[-1])
    weights = rng.normal(size=indptr[-1]).astype(np.float32)
    few = add_rows(rows, indptr, weights, matrix)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tweetclf.features._average._FEW", -1)
        many = add_rows(rows, indptr, weights, matrix)
    assert few.dtype == many.dtype == np.float32
    np.testing.assert_array_equal(few.view(np.uint32), many.view(np.uint32))


@pytest.fixture
def large_bin(tmp_path: Path) -> tuple[Path, int]:
    """A fastText .bin file whose matrix is a hole of 256 MB, but for one row."""
    words, dim, bucket = [f"palabra{i}" for i in range(1000)], 64, 1_000_000
    arguments = (dim, 5, 5, 1, 5, 1, 1, 2, bucket, 3, 6, 100, 1e-4)
    head = struct.pack("<ii", 793712314, 12) + struct.pack("<12id", *arguments)
    head += struct.pack("<3iqq", len(words), len(words), 0, 10**6, -1)
    for word in words:
        head += word.encode() + b"\0" + struct.pack("<qb", 7, 0)
    rows = len(words) + bucket
    head += struct.pack("<?qq", False, rows, dim)
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.write(head)
        file.write(np.ones(dim, dtype="<f4").tobytes())
        file.truncate(len(head) + 4 * rows * dim)
    return path, 4 * rows * dim


@pytest.mark.parametrize("numba", ["0", "1"])
def test_a_bin_file_takes_memory_for_rows_in_use_only(large_bin, numba, monkeypatch):
    monkeypatch.setenv("TWEETCLF_NUMBA", numba)
    path, size = large_bin
    WordVectors(["a"], [[1.0]] * 3, minn=3, maxn=6, bucket=2).vectors(["warm", "up"])
    memory = psutil.Process().memory_info
    before = memory().rss
    vectors = WordVectors.read(path)
    sif = SIFVectorizer(vectors, tokenizer=str.split)
    found = sif.fit_transform(["palabra0 desconocida", "palabra0 palabra999"])
    assert memory().rss - before < size / 8
    assert len(vectors) == 1000
    assert vectors.counts.tolist() == [7] * 1000
    # Its own row of ones and the zeros of its 26 n-grams of 10 characters.
    np.testing.assert_allclose(vectors["palabra0"], 1 / 27, rtol=1e-6)
    assert found.shape == (2, 64)
    assert found.all()
