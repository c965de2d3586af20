"""NgramTfidfVectorizer against scikit-learn, on good and bad input."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer

from tweetclf.exceptions import DataError
from tweetclf.features import NgramTfidfVectorizer
from tweetclf.preprocessing import TweetTokenizer

TEXTS = ["¡Qué risa! 😂😂 jaja", "RT @user: no, nunca", "qué   día\nlargo", ""]


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(st.text(max_size=30), min_size=1, max_size=6),
    analyzer=st.sampled_from(["char", "char_wb", "word"]),
    binary=st.booleans(),
    sublinear_tf=st.booleans(),
    lowercase=st.booleans(),
    low=st.integers(1, 2),
    high=st.integers(2, 4),
)
def test_equals_scikit_learn(texts, low, high, **parameters):
    ours = NgramTfidfVectorizer(ngram_range=(low, high), **parameters)
    theirs = TfidfVectorizer(ngram_range=(low, high), **parameters)
    try:
        expected = theirs.fit_transform(texts)
    except ValueError as error:
        with pytest.raises(ValueError, match=str(error)[:16]):
            ours.fit(texts)
        return
    X = ours.fit_transform(texts)
    assert ours.vocabulary_ == theirs.vocabulary_
    np.testing.assert_array_equal(X.indptr, expected.indptr)
    np.testing.assert_array_equal(X.indices, expected.indices)
    np.testing.assert_array_equal(X.data, expected.data)
    np.testing.assert_array_equal(
        ours.transform(texts).toarray(), theirs.transform(texts).toarray()
    )


@pytest.mark.parametrize(
    "container",
    [tuple, np.array, pd.Series, pl.Series, lambda t: pd.DataFrame({"text": t})],
)
def test_containers(container):
    vectorizer = NgramTfidfVectorizer().fit(TEXTS)
    np.testing.assert_array_equal(
        vectorizer.transform(container(TEXTS)).toarray(),
        vectorizer.transform(TEXTS).toarray(),
    )


@pytest.mark.parametrize("method", ["fit", "fit_transform", "transform"])
def test_bad_items_are_named(method):
    vectorizer = NgramTfidfVectorizer().fit(TEXTS)
    with pytest.raises(DataError, match=r"texts\[1\] is None"):
        getattr(vectorizer, method)(["hola", None])
    with pytest.raises(DataError, match="single str"):
        getattr(vectorizer, method)("hola")


@pytest.mark.parametrize(
    ("options", "texts", "message"),
    [
        (
            {},
            ["", " !!"],
            "2 texts have no n-gram by token_pattern=.*another token",
        ),
        (
            {"analyzer": "char"},
            ["", ""],
            r"2 texts have no n-gram by ngram_range=\(1",
        ),
        ({"analyzer": "char_wb"}, [""], r"1 texts .* ngram_range"),
        ({"stop_words": ["hola"]}, ["hola"], "token_pattern=.* fewer stop_words"),
        (
            {
                "tokenizer": TweetTokenizer(keep_punctuation=False),
                "token_pattern": None,
            },
            ["!!", "?"],
            "no n-gram by the tokenizer",
        ),
        ({"analyzer": lambda text: []}, ["a"], "no n-gram by the given analyzer"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_texts_without_any_word_are_explained(method, options, texts, message):
    with pytest.raises(DataError, match=rf"(?s)NgramTfidfVectorizer: empty.*{message}"):
        getattr(NgramTfidfVectorizer(**options), method)(texts)


@pytest.mark.parametrize("method", ["fit", "fit_transform", "transform"])
@pytest.mark.parametrize(
    "vectorizer", [NgramTfidfVectorizer(), NgramTfidfVectorizer(analyzer="char")]
)
def test_no_texts_are_refused(method, vectorizer):
    vectorizer = clone(vectorizer).fit(TEXTS)
    with pytest.raises(DataError, match="NgramTfidfVectorizer got 0 texts"):
        getattr(vectorizer, method)([])


def test_files_are_left_to_scikit_learn(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("hola hola", encoding="utf-8")
    vectorizer = NgramTfidfVectorizer(input="filename").fit([str(path)])
    assert vectorizer.get_feature_names_out().tolist() == ["hola"]


def test_clone_keeps_parameters_and_searches_the_tokenizer():
    vectorizer = NgramTfidfVectorizer(tokenizer=TweetTokenizer(), token_pattern=None)
    copy = clone(vectorizer).set_params(tokenizer__lowercase=True, min_df=2)
    assert copy.tokenizer.lowercase
    assert not vectorizer.tokenizer.lowercase
    assert copy.fit(["hola día", "hola noche"]).get_feature_names_out().tolist() == [
        "hola"
    ]


@pytest.mark.data
def test_equals_scikit_learn_on_tweets(shared_data):
    texts = []
    with gzip.open(shared_data / "haha" / "train.jsonl.gz", "rb") as file:
        for line, _ in zip(file, range(300), strict=False):
            texts.append(json.loads(line)["text"])
    parameters = {"analyzer": "char", "ngram_range": (1, 5), "binary": True}
    X = NgramTfidfVectorizer(**parameters).fit_transform(texts)
    expected = TfidfVectorizer(**parameters).fit_transform(texts)
    assert X.shape[1] > 10_000
    assert (expected != X).nnz == 0
