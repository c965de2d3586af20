"""The arithmetic of tweet embeddings, without scikit-learn or SciPy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, count, repeat
from typing import Any, NamedTuple

import numpy as np

from tweetclf.features._average import sum_rows, which_are_nonzero
from tweetclf.features._word_rows import WordRows

__all__ = ["Averaging", "IndexedTokens"]

_NEWLINE = "\n"


class IndexedTokens(NamedTuple):
    """Tokens of many texts as ids; the ids of text i are ids[indptr[i]:indptr[i+1]].

    The keys of `words` are in the order of their ids.
    """

    words: dict[str, int]
    ids: np.ndarray
    indptr: np.ndarray


class Averaging:
    """What a fitted `SIFVectorizer` does to tokens; it has the same attributes."""

    word_vectors_: WordRows
    vocabulary_: dict[str, int]
    probabilities_: np.ndarray
    component_: np.ndarray | None
    weighting: str
    a: float
    divide_by: str
    normalize_words: bool
    newline_token: bool

    def _embed(self, tokens: Sequence[Sequence[str]]) -> np.ndarray:
        """Return the vectors of texts, given the tokens of each."""
        return self._remove_component(self._average(self._index(tokens)))

    def _index(self, tokens: Sequence[Sequence[str]]) -> IndexedTokens:
        if self.newline_token:
            tokens = [[*text, _NEWLINE] for text in tokens]
        indptr = np.zeros(len(tokens) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, tokens), np.int64), out=indptr[1:])
        # A word that is not there yet gets the next number; no Python code runs for
        # a token, and looking them up is what takes the time.
        row: defaultdict[str, int] = defaultdict(count().__next__)
        ids = np.fromiter(
            map(row.__getitem__, chain.from_iterable(tokens)),
            np.int32,
            count=int(indptr[-1]),
        )
        # One width for both, or SciPy makes copies.
        if indptr[-1] > np.iinfo(np.int32).max:
            return IndexedTokens(dict(row), ids.astype(np.int64), indptr)
        return IndexedTokens(dict(row), ids, indptr.astype(np.int32))

    def _weights(self, words: dict[str, int]) -> np.ndarray:
        if self.weighting == "mean":
            return np.ones(len(words), dtype=np.float32)
        p = self.probabilities_
        if words is not self.vocabulary_:
            get = self.vocabulary_.get
            rows = np.fromiter(map(get, words, repeat(-1)), np.int64, count=len(words))
            # The last value, which row -1 finds, is that of unseen tokens.
            p = np.append(p, 0.0)[rows]
        return (self.a / (self.a + p)).astype(np.float32)

    def _average(self, tokens: IndexedTokens) -> np.ndarray:
        """Return the weighted averages, before any component is removed."""
        weights = self._weights(tokens.words)
        words = list(tokens.words)
        rows, matrix = self.word_vectors_._rows_and_matrix(words)
        if self.normalize_words:
            vectors = self.word_vectors_.vectors(words)
            norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
            matrix = vectors / np.where(norms > 0, norms, 1)
            rows = np.arange(len(matrix))
        divisor = self._divisor(tokens, weights, which_are_nonzero(rows, matrix))
        total = sum_rows(tokens.ids, tokens.indptr, weights, rows, matrix)
        total /= np.where(divisor > 0, divisor, 1).astype(np.float32)[:, None]
        return total

    def _divisor(
        self, tokens: IndexedTokens, weights: np.ndarray, has_vector: Any
    ) -> np.ndarray:
        if self.divide_by == "tokens":
            return np.diff(tokens.indptr)
        if self.divide_by == "nonzero":
            before = np.zeros(len(tokens.ids) + 1, dtype=tokens.indptr.dtype)
            np.cumsum(has_vector[tokens.ids], out=before[1:])
            return np.diff(before[tokens.indptr])
        share = has_vector * weights.astype(np.float64)
        lengths = np.diff(tokens.indptr)
        row = np.repeat(np.arange(len(lengths)), lengths)
        return np.bincount(row, weights=share[tokens.ids], minlength=len(lengths))

    def _remove_component(self, embedding: np.ndarray) -> np.ndarray:
        if self.component_ is None:
            return embedding
        # einsum, unlike BLAS, treats every row alike whatever the number of rows.
        projection = np.einsum("ij,j->i", embedding, self.component_)
        return embedding - projection[:, None] * self.component_
