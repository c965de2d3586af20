"""The whole Atalaya pipeline on HAHA: fit on train, predict the unlabelled part."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
from bench_text import nltk_pipeline
from harness import Benchmark, data_folder
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.svm import LinearSVC

from tweetclf.estimators import atalaya_svm
from tweetclf.features import WordVectors

DIM = 50


def nltk_tokens(text: str) -> list[str]:
    """Return the tokens of one text."""
    return nltk_pipeline([text])[0]


def _read(split: str) -> list[dict[str, Any]]:
    folder = data_folder()
    if folder is None:
        raise FileNotFoundError("the HAHA data: set TWEETCLF_DATA")
    path = folder / "haha" / f"{split}.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def prepare(size: int) -> tuple[list[str], np.ndarray, list[str], WordVectors]:
    """Return `size` training tweets with labels, tweets to label, and word vectors."""
    train = _read("train")[:size]
    texts = [row["text"] for row in train]
    new = [row["text"] for row in _read("dev_unlabelled")]
    words = sorted({word for text in texts for word in nltk_tokens(text)})
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(len(words), DIM)).astype(np.float32)
    labels = np.array([row["label"] for row in train])
    return texts, labels, new, WordVectors(words, matrix)


class LoopSIF(TransformerMixin, BaseEstimator):
    """Weighted averages, tweet by tweet, as one writes them without a library."""

    def __init__(self, vectors: WordVectors) -> None:
        self.vectors = vectors

    def fit(self, X: list[str], y: Any = None) -> LoopSIF:
        """Count tokens."""
        counts: dict[str, int] = {}
        for text in X:
            for token in nltk_tokens(text):
                counts[token] = counts.get(token, 0) + 1
        total = sum(counts.values())
        self.weight_ = {w: 0.1 / (0.1 + n / total) for w, n in counts.items()}
        self.vector_ = dict(
            zip(
                self.vectors.words,
                self.vectors.vectors(self.vectors.words),
                strict=True,
            )
        )
        return self

    def transform(self, X: list[str]) -> np.ndarray:
        """Average the vectors of each tweet."""
        rows = []
        for text in X:
            tokens = nltk_tokens(text)
            row = np.zeros(DIM, dtype=np.float32)
            for token in tokens:
                if token in self.vector_:
                    row += (
                        np.float32(self.weight_.get(token, 1.0)) * self.vector_[token]
                    )
            rows.append(row / max(len(tokens), 1))
        return np.array(rows)


def ours(data: Any) -> np.ndarray:
    """Fit and predict with the recipe; the peer does not lemmatise, nor does it."""
    texts, labels, new, vectors = data
    clf = atalaya_svm(vectors=vectors)
    clf.set_params(features__bow__tokenizer__lemmatizer=None)
    return clf.fit(texts, labels).predict(new)


def theirs(data: Any) -> np.ndarray:
    """Fit and predict with scikit-learn and NLTK."""
    texts, labels, new, vectors = data
    bow = TfidfVectorizer(
        tokenizer=nltk_tokens,
        token_pattern=None,
        ngram_range=(1, 2),
        binary=True,
    )
    boc = TfidfVectorizer(analyzer="char", ngram_range=(1, 5), binary=True)
    features = FeatureUnion([("bow", bow), ("boc", boc), ("emb", LoopSIF(vectors))])
    svm = LinearSVC(C=0.1, class_weight="balanced", max_iter=10_000, random_state=0)
    clf = Pipeline([("features", features), ("svm", svm)])
    return clf.fit(texts, labels).predict(new)


def check(mine: np.ndarray, other: np.ndarray) -> None:
    """Tokenizers differ, so a few decisions may; not more than 2 in 100."""
    assert mine.shape == other.shape
    assert np.mean(mine == other) > 0.98


BENCHMARKS = [
    Benchmark(
        name="atalaya-haha",
        what="Atalaya pipeline without lemmas, fit and predict, HAHA",
        peer="scikit-learn, NLTK, a loop over tweets",
        prepare=prepare,
        ours=ours,
        theirs=theirs,
        check=check,
        sizes=(24_000,),
        bar=5,
        aim=10,
        repeats=2,
    )
]
