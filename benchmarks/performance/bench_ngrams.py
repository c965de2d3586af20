"""N-gram TF-IDF against scikit-learn's vectorizers: the same matrix, bit for bit.

The rows over words with a tweet tokenizer compare with NLTK's, which cuts tweets
otherwise: there only the shapes of the results are looked at, and the same vectorizer
takes both tokenizers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from harness import Benchmark, tweets
from sklearn.feature_extraction.text import TfidfVectorizer

from tweetclf.features import NgramTfidfVectorizer
from tweetclf.preprocessing import TweetTokenizer
from tweetclf.preprocessing._cache import clear_caches

CHARS = {
    "analyzer": "char",
    "ngram_range": (1, 5),
    "binary": True,
    "lowercase": False,
}
WORDS = {"ngram_range": (1, 2)}
# Vectorizers of `transform` are fitted on as many other tweets.
_MOST_FITTED = 50_000


def same_matrix(ours: Any, theirs: Any) -> None:
    """Compare two CSR matrices bit for bit."""
    assert ours.shape == theirs.shape
    for part in ("indptr", "indices", "data"):
        a, b = getattr(ours, part), getattr(theirs, part)
        assert a.dtype == b.dtype, part
        assert np.array_equal(a, b), part


def similar_shape(ours: Any, theirs: Any) -> None:
    """Compare two matrices of tokenizers that differ."""
    assert ours.shape[0] == theirs.shape[0]
    assert 0.5 < ours.shape[1] / theirs.shape[1] < 2


def char_fit_ours(texts: list[str]) -> Any:
    """Fit and transform."""
    return NgramTfidfVectorizer(**CHARS).fit_transform(texts)


def char_fit_theirs(texts: list[str]) -> Any:
    """Fit and transform."""
    return TfidfVectorizer(**CHARS).fit_transform(texts)


@lru_cache(maxsize=2)
def _fitted(cls: type, n: int) -> Any:
    return cls(**CHARS).fit(tweets(2 * n)[n:])


def char_transform_ours(texts: list[str]) -> Any:
    """Transform by a vectorizer that was fitted on other tweets."""
    return _fitted(NgramTfidfVectorizer, min(len(texts), _MOST_FITTED)).transform(texts)


def char_transform_theirs(texts: list[str]) -> Any:
    """Transform by a vectorizer that was fitted on other tweets."""
    return _fitted(TfidfVectorizer, min(len(texts), _MOST_FITTED)).transform(texts)


def word_fit_ours(texts: list[str]) -> Any:
    """Fit and transform words by the default pattern."""
    return NgramTfidfVectorizer(**WORDS).fit_transform(texts)


def word_fit_theirs(texts: list[str]) -> Any:
    """Fit and transform words by the default pattern."""
    return TfidfVectorizer(**WORDS).fit_transform(texts)


def token_fit_ours(texts: list[str]) -> Any:
    """Fit and transform words of our tokenizer, as a script does that is run once."""
    clear_caches()
    tokenizer = TweetTokenizer(lowercase=True)
    return NgramTfidfVectorizer(
        **WORDS, tokenizer=tokenizer, token_pattern=None, lowercase=False
    ).fit_transform(texts)


def token_fit_theirs(texts: list[str]) -> Any:
    """Fit and transform words of NLTK's tokenizer."""
    from nltk.tokenize import TweetTokenizer as NltkTokenizer

    tokenizer = NltkTokenizer(preserve_case=False)
    return TfidfVectorizer(
        **WORDS, tokenizer=tokenizer.tokenize, token_pattern=None, lowercase=False
    ).fit_transform(texts)


BENCHMARKS = [
    Benchmark(
        name="char-tfidf-fit",
        what="char (1,5) binary TF-IDF, fit_transform",
        peer="scikit-learn TfidfVectorizer",
        prepare=tweets,
        ours=char_fit_ours,
        theirs=char_fit_theirs,
        check=same_matrix,
        sizes=(5_000, 50_000),
        bar=15,
        aim=25,
        growth=(5_000, 50_000, 500_000),
    ),
    Benchmark(
        name="char-tfidf-fit-500k",
        what="the same, 500k tweets",
        peer="scikit-learn TfidfVectorizer",
        prepare=tweets,
        ours=char_fit_ours,
        theirs=char_fit_theirs,
        check=same_matrix,
        sizes=(500_000,),
        bar=15,
        aim=25,
        repeats=1,
        memory=(500_000,),
        memory_bar=0.65,
    ),
    Benchmark(
        name="char-tfidf-transform",
        what="char (1,5) binary TF-IDF, transform",
        peer="scikit-learn TfidfVectorizer",
        prepare=tweets,
        ours=char_transform_ours,
        theirs=char_transform_theirs,
        check=same_matrix,
        sizes=(5_000, 50_000),
        bar=15,
        aim=25,
        growth=(5_000, 50_000, 500_000),
    ),
    Benchmark(
        name="word-tfidf-fit",
        what="word (1,2) TF-IDF, default pattern, fit_transform",
        peer="scikit-learn TfidfVectorizer",
        prepare=tweets,
        ours=word_fit_ours,
        theirs=word_fit_theirs,
        check=same_matrix,
        sizes=(5_000, 50_000),
        bar=4,
        aim=6,
        growth=(5_000, 50_000, 500_000),
    ),
    Benchmark(
        name="tweet-word-tfidf-fit",
        what="word (1,2) TF-IDF, tweet tokenizer, empty caches, fit_transform",
        peer="scikit-learn with NLTK's TweetTokenizer",
        prepare=tweets,
        ours=token_fit_ours,
        theirs=token_fit_theirs,
        check=similar_shape,
        sizes=(5_000, 50_000),
        bar=6,
        aim=12,
        growth=(5_000, 50_000, 500_000),
    ),
]
