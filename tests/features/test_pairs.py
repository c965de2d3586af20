"""PairFeatures: each side has its own features."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from tweetclf.exceptions import DataError
from tweetclf.features import (
    NgramTfidfVectorizer,
    PairFeatures,
    SIFVectorizer,
    WordVectors,
)

PAIRS = [
    ("llueve mucho", "es mentira"),
    ("hay sol", "es verdad"),
    ("llueve hoy", "es mentira eso"),
    ("hay viento", "verdad que si"),
]
LABELS = ["deny", "support", "deny", "support"]


def dense() -> SIFVectorizer:
    vectors = WordVectors(["llueve", "verdad"], [[1.0, 0.0], [0.0, 1.0]])
    return SIFVectorizer(vectors, tokenizer=str.split)


def test_equals_two_vectorizers_side_by_side():
    features = PairFeatures(NgramTfidfVectorizer())
    X = features.fit_transform(PAIRS)
    first = NgramTfidfVectorizer().fit([a for a, _ in PAIRS])
    second = NgramTfidfVectorizer().fit([b for _, b in PAIRS])
    expected = sparse.hstack(
        [
            first.transform([a for a, _ in PAIRS]),
            second.transform([b for _, b in PAIRS]),
        ]
    )
    assert X.format == "csr"
    np.testing.assert_array_equal(X.toarray(), expected.toarray())
    np.testing.assert_array_equal(features.transform(PAIRS).toarray(), X.toarray())
    assert features.get_feature_names_out().tolist() == [
        *(f"a__{name}" for name in first.get_feature_names_out()),
        *(f"b__{name}" for name in second.get_feature_names_out()),
    ]


@pytest.mark.parametrize(
    "container",
    [
        np.array,
        lambda p: pd.DataFrame(p, columns=["text", "text_b"]),
        lambda p: pl.DataFrame(p, schema=["text", "text_b"], orient="row"),
        lambda p: [list(pair) for pair in p],
    ],
)
def test_containers(container):
    features = PairFeatures(NgramTfidfVectorizer()).fit(PAIRS)
    np.testing.assert_array_equal(
        features.transform(container(PAIRS)).toarray(),
        features.transform(PAIRS).toarray(),
    )


def test_dense_vectorizers_stay_dense_and_support_set_output():
    features = PairFeatures(dense()).set_output(transform="pandas")
    frame = features.fit_transform(PAIRS)
    assert frame.columns.tolist() == [
        f"{side}__sifvectorizer{k}" for side in "ab" for k in range(2)
    ]
    assert frame.shape == (4, 4)


def test_search_reaches_the_vectorizer_and_leaves_it_unfitted():
    vectorizer = NgramTfidfVectorizer()
    pipeline = make_pipeline(PairFeatures(vectorizer), LogisticRegression())
    grid = {"pairfeatures__vectorizer__ngram_range": [(1, 1), (1, 2)]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(PAIRS, LABELS)
    assert list(search.predict(PAIRS)) == LABELS
    assert not hasattr(vectorizer, "vocabulary_")


def test_errors():
    with pytest.raises(DataError, match=r"texts\[1\]\[1\] is None"):
        PairFeatures(NgramTfidfVectorizer()).fit([("a", "b"), ("c", None)])
    with pytest.raises(DataError, match="expected pairs"):
        PairFeatures(NgramTfidfVectorizer()).fit(["a", "b"])
    with pytest.raises(ValueError, match="'vectorizer'"):
        PairFeatures("tfidf").fit(PAIRS)
    with pytest.raises(NotFittedError):
        clone(PairFeatures(NgramTfidfVectorizer())).transform(PAIRS)
