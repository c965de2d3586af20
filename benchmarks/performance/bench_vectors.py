"""Averages of word vectors, and vectors of unknown words, against Python loops."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from harness import Benchmark, tweets

from tweetclf.features import SIFVectorizer, WordVectors
from tweetclf.preprocessing import TweetTokenizer

DIM = 300
_A = 1e-3


class Corpus(NamedTuple):
    """Token lists, and vectors of most of their words."""

    tokens: list[list[str]]
    vectors: WordVectors
    by_word: dict[str, np.ndarray]


def _corpus(n: int) -> Corpus:
    tokens = TweetTokenizer(lowercase=True).transform(tweets(n))
    words = list(dict.fromkeys(token for text in tokens for token in text))
    rng = np.random.default_rng(0)
    # As with vectors of a large corpus, every tenth word has none.
    known = [word for i, word in enumerate(words) if i % 10]
    matrix = rng.standard_normal((len(known), DIM), dtype=np.float32)
    vectors = WordVectors(known, matrix)
    return Corpus(tokens, vectors, dict(zip(known, vectors.matrix, strict=True)))


class _FromTokens(SIFVectorizer):
    """Takes token lists where texts are expected."""

    def average(self, tokens: list[list[str]]) -> np.ndarray:
        self.word_vectors_ = self.word_vectors
        indexed = self._index(tokens)
        self._count(indexed)
        return self._average(indexed)


def _sif(data: Corpus) -> np.ndarray:
    return _FromTokens(data.vectors, a=_A).average(data.tokens)


def _sif_loop(data: Corpus) -> np.ndarray:
    """Count words, then add up each tweet's vectors one by one."""
    counts: dict[str, int] = {}
    for tokens in data.tokens:
        for token in tokens:
            counts[token] = counts.get(token, 0) + 1
    total = sum(counts.values())
    weight = {word: _A / (_A + count / total) for word, count in counts.items()}
    result = np.zeros((len(data.tokens), DIM), dtype=np.float32)
    for row, tokens in zip(result, data.tokens, strict=True):
        known = 0
        for token in tokens:
            vector = data.by_word.get(token)
            if vector is not None:
                row += weight[token] * vector
                known += 1
        if known:
            row /= known
    return result


def _close(ours: np.ndarray, theirs: np.ndarray) -> None:
    difference = float(np.abs(ours - theirs).max())
    assert difference <= 3e-6, f"the largest difference is {difference:.1e}"


class Unknown(NamedTuple):
    """Words, none of which has a row of its own."""

    words: list[str]
    vectors: WordVectors


@lru_cache(maxsize=1)
def _subword_vectors() -> WordVectors:
    rng = np.random.default_rng(0)
    bucket = 200_000
    matrix = rng.standard_normal((bucket + 1, DIM), dtype=np.float32)
    return WordVectors(["</s>"], matrix, minn=3, maxn=6, bucket=bucket)


def _unknown(n: int) -> Unknown:
    words: dict[str, None] = {}
    # Some three new words a tweet.
    for tokens in TweetTokenizer(lowercase=True).transform(tweets(max(n, 200))):
        words.update(dict.fromkeys(tokens))
    if len(words) < n:
        words.update({f"{word}{i}": None for i, word in enumerate(list(words))})
    return Unknown(list(words)[:n], _subword_vectors())


def _subwords(data: Unknown) -> np.ndarray:
    return data.vectors.vectors(data.words)


def _subwords_loop(data: Unknown) -> np.ndarray:
    """Hash each n-gram of each word, then average their rows."""
    matrix, bucket = data.vectors.matrix, data.vectors.bucket
    result = np.zeros((len(data.words), DIM), dtype=np.float32)
    for row, word in zip(result, data.words, strict=True):
        marked = f"<{word}>"
        rows = []
        for start in range(len(marked)):
            for stop in range(start + 3, min(start + 6, len(marked)) + 1):
                state = 2166136261
                for byte in marked[start:stop].encode("utf-8", "surrogatepass"):
                    state ^= byte | 0xFFFFFF00 if byte > 127 else byte
                    state = state * 16777619 & 0xFFFFFFFF
                rows.append(1 + state % bucket)
        for one in rows:
            row += matrix[one]
        row *= np.float32(1.0 / max(len(rows), 1))
    return result


def _equal(ours: Any, theirs: Any) -> None:
    assert np.array_equal(ours, theirs), "the vectors are not the same bits"


BENCHMARKS = [
    Benchmark(
        name="sif",
        what=f"SIF averages of {DIM} dimensions, from token lists",
        peer="loop over tweets, dict of vectors",
        prepare=_corpus,
        ours=_sif,
        theirs=_sif_loop,
        check=_close,
        sizes=(5_000, 50_000),
        bar=7,
        aim=9,
        growth=(5_000, 20_000, 50_000, 150_000),
        memory=(50_000,),
    ),
    Benchmark(
        name="subwords",
        what="subword vectors of unknown words (size: words)",
        peer="loop over n-grams in Python",
        prepare=_unknown,
        ours=_subwords,
        theirs=_subwords_loop,
        check=_equal,
        sizes=(20_000,),
        bar=8,
        aim=15,
        growth=(5_000, 20_000, 100_000),
        memory=(20_000,),
    ),
]
