"""Given vocabularies, empty chunks and infinite weights, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from ngrams_oracles import TEXTS, assert_same_matrix, check
from sklearn.feature_extraction.text import TfidfVectorizer

from tweetclf.features import NgramTfidfVectorizer
from tweetclf.features._lookup import NgramLookup, UnknownOptionError

BOTH = (NgramTfidfVectorizer, TfidfVectorizer)


@pytest.mark.parametrize(
    ("vocabulary", "changes"),
    [
        (
            ["a", "b"],
            [{"analyzer": "word", "token_pattern": r"\w+"}, {"analyzer": "char_wb"}],
        ),
        (["a", "ab", "a b"], [{"ngram_range": (1, 2)}, {"ngram_range": (2, 3)}]),
        (["a", "ab"], [{"analyzer": "word"}, {"analyzer": "char"}]),
    ],
)
def test_other_parameters_with_a_given_vocabulary(mode, vocabulary, changes):
    texts = ["aab a", "ab ab a", "b", ""]
    vectorizers = [c(vocabulary=vocabulary, analyzer="char") for c in BOTH]
    ours, theirs = (vectorizer.fit(texts) for vectorizer in vectorizers)
    assert_same_matrix(ours.transform(texts), theirs.transform(texts))
    for change in changes:
        ours.set_params(**change)
        theirs.set_params(**change)
        assert_same_matrix(ours.transform(texts), theirs.transform(texts))


@pytest.mark.parametrize("splits", [str.split, lambda t: iter(t.split())])
def test_from_words_to_characters_and_back(mode, splits):
    options = {"tokenizer": splits, "token_pattern": None}
    ours, theirs = (c(**options).fit(TEXTS) for c in BOTH)
    for analyzer in ("word", "char", "word", "char_wb"):
        ours.set_params(analyzer=analyzer)
        theirs.set_params(analyzer=analyzer)
        assert_same_matrix(ours.transform(TEXTS), theirs.transform(TEXTS))


def test_given_terms_that_no_text_can_have(mode):
    """Columns are larger numbers than there are terms to look up."""
    letters = [chr(point) for point in range(0x4E00, 0x4E00 + 100)]
    vocabulary = [f"none {i}" for i in range(200)] + letters
    texts = ["".join(letters[::-1]), "".join(letters[10:80])]
    ours, theirs = (c(analyzer="char", vocabulary=vocabulary) for c in BOTH)
    assert_same_matrix(ours.fit_transform(texts), theirs.fit_transform(texts))


@pytest.mark.parametrize("analyzer", ["char", "char_wb", "word"])
@pytest.mark.parametrize("where", ["first", "last", "between"])
def test_chunks_without_ngrams(mode, analyzer, where):
    # More than a chunk of the ways that have small ones.
    empty = [""] * 100
    texts = {
        "first": [*empty, *TEXTS],
        "last": [*TEXTS, *empty],
        "between": [*TEXTS[:3], *empty, *TEXTS[3:]],
    }[where]
    for more in ({}, {"binary": True}, {"min_df": 2}, {"max_features": 4}):
        check(texts, empty, analyzer=analyzer, ngram_range=(1, 2), **more)
    check(texts, empty, analyzer=analyzer, vocabulary=["a", "jaja"])


@pytest.mark.parametrize("norm", ["l1", "l2", None])
def test_infinite_weights(mode, norm):
    options = {"analyzer": "char", "smooth_idf": False, "norm": norm}
    vectorizers = [c(vocabulary=["a", "z"], **options) for c in BOTH]
    for vectorizer in vectorizers:
        with pytest.warns(RuntimeWarning, match="divide by zero"):
            vectorizer.fit(["aa"])
    ours, theirs = vectorizers
    assert np.isinf(ours.idf_[1])
    for texts in (["a"], ["a", "b", "aaaa"]):
        assert_same_matrix(ours.transform(texts), theirs.transform(texts))
    counts = ours.count(["a", "az"])
    if norm is None:
        for texts in (["z"], ["a", "az"]):
            assert_same_matrix(ours.transform(texts), theirs.transform(texts))
    else:
        for vectorizer in vectorizers:
            for texts in (["z"], ["a", "az"]):
                with pytest.raises(ValueError, match="contains infinity"):
                    vectorizer.transform(texts)
        with pytest.raises(ValueError, match="contains infinity"):
            ours.transform_counts(counts)
    with pytest.raises(UnknownOptionError):
        NgramLookup(ours)
    ours.idf_ = np.ones(2)
    assert NgramLookup(ours).n_columns == 2
