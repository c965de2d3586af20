"""A small fitted model of every kind of part."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.svm import LinearSVC

from tweetclf.features import NgramTfidfVectorizer, SIFVectorizer, WordVectors
from tweetclf.preprocessing import TweetTokenizer

WORDS = [
    "hola",
    "chau",
    "que",
    "risa",
    "día",
    "noche",
    "de",
    "la",
    "pena",
    "😂",
    "jaja",
    "RT",
    "llueve",
    "sol",
    "gol",
]


def make_texts(n: int = 60, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(2, 9))) for _ in range(n)]


def make_vectors() -> WordVectors:
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(len(WORDS) + 40, 6)).astype(np.float32)
    return WordVectors(WORDS, matrix, minn=3, maxn=4, bucket=40)


@pytest.fixture(scope="session")
def texts() -> list[str]:
    return make_texts()


@pytest.fixture(scope="session")
def atalaya(texts):
    """Bag of words, bag of characters, embedding; linear SVM."""
    union = FeatureUnion(
        [
            (
                "bow",
                NgramTfidfVectorizer(
                    tokenizer=TweetTokenizer(), token_pattern=None, binary=True
                ),
            ),
            ("boc", NgramTfidfVectorizer(analyzer="char", ngram_range=(1, 4))),
            ("emb", SIFVectorizer(make_vectors(), a=0.1, remove_component=True)),
        ]
    )
    model = make_pipeline(union, LinearSVC(class_weight="balanced", random_state=0))
    return model.fit(texts, np.arange(len(texts)) % 3)
