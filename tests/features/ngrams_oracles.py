"""Compares the n-gram engine with scikit-learn, to every bit."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer

from tweetclf.exceptions import DataError
from tweetclf.features import NgramTfidfVectorizer, _counting
from tweetclf.features import _weighing as weighing
from tweetclf.utils.jit import has_numba

TEXTS = [
    "¡Qué risa! 😂😂 jaja",
    "RT @user: no, nunca http://t.co/x",
    "qué   día\nlargo",
    "",
    " \t\u3000 ",
    "a",
    "é è ê",
    "\ud83d lone \udc00 surrogates \ud83d\ude00",
    "nul\0 and \x1f control\x1c \x85",
    "日本語のツイート、長い文",
    "مرحبا بالعالم",
    "jaja jaja JAJA jaja",
]
MODES = ["kernels", "threads", "arrays"]


def set_mode(monkeypatch, mode):
    monkeypatch.setenv("TWEETCLF_THREADS", "2" if mode == "threads" else "1")
    if mode == "arrays":
        monkeypatch.setenv("TWEETCLF_NUMBA", "0")
        monkeypatch.setattr(_counting, "_CHUNK", 60)
        return
    if not has_numba():
        pytest.skip("numba is not installed")
    monkeypatch.setattr(_counting, "_SMALL", 0)
    monkeypatch.setattr(weighing, "_SMALL", 0)
    if mode == "threads":
        monkeypatch.setattr(_counting, "_CHUNK", 60)
        monkeypatch.setattr(_counting, "_SPLIT", 0)


def assert_same_matrix(ours, theirs):
    assert type(ours) is type(theirs)
    assert ours.shape == theirs.shape
    for part in ("indptr", "indices", "data"):
        a, b = getattr(ours, part), getattr(theirs, part)
        assert a.dtype == b.dtype, part
        np.testing.assert_array_equal(a, b, err_msg=part)


def assert_same_state(ours, theirs):
    assert ours.vocabulary_ == theirs.vocabulary_
    assert list(ours.vocabulary_) == list(theirs.vocabulary_)
    assert ours.fixed_vocabulary_ == theirs.fixed_vocabulary_
    np.testing.assert_array_equal(
        ours.get_feature_names_out(), theirs.get_feature_names_out()
    )
    assert hasattr(ours, "idf_") == hasattr(theirs, "idf_")
    if hasattr(theirs, "idf_"):
        assert ours.idf_.dtype == theirs.idf_.dtype
        np.testing.assert_array_equal(ours.idf_, theirs.idf_)


def check(texts, others=(), **parameters):
    """Compare everything on texts, and on others where the vocabulary is known."""
    ours = NgramTfidfVectorizer(**parameters)
    theirs = TfidfVectorizer(**parameters)
    try:
        expected = theirs.fit_transform(texts)
    except ValueError as error:
        for method in ("fit", "fit_transform"):
            with pytest.raises(ValueError, match=str(error)[:16]):
                getattr(ours, method)(texts)
        return
    others = [*others, *texts]
    again = theirs.transform(others)
    assert_same_matrix(ours.fit_transform(texts), expected)
    assert_same_state(ours, theirs)
    assert_same_matrix(ours.transform(others), again)
    fitted = clone(ours).fit(texts)
    assert_same_state(fitted, theirs)
    assert_same_matrix(fitted.transform(others), again)
    counts = ours.count(others)
    rows = range(len(others) - len(texts), len(others))
    counted = clone(ours)
    assert_same_matrix(counted.fit_transform_counts(counts, rows), expected)
    assert_same_state(counted, theirs)
    assert_same_matrix(counted.transform_counts(counts), again)
    assert_same_matrix(fitted.transform_counts(counts), again)
    if len(texts) > 1:
        streamed = clone(ours)
        step = max(5, len(texts) // 8)
        for start in range(0, len(texts), step):
            with contextlib.suppress(DataError):  # Nothing is left so far.
                streamed.partial_fit(texts[start : start + step])
        assert_same_state(streamed, theirs)
        assert_same_matrix(streamed.transform(others), again)
