"""The vectors of words: looked up, or made of subwords, without scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import repeat

import numpy as np

from tweetclf.features._average import add_rows
from tweetclf.features.subwords import add_vectors, subword_hashes

__all__ = ["WordRows"]


class WordRows:
    """What `WordVectors` does once it is there; it has the same attributes."""

    words: tuple[str, ...]
    matrix: np.ndarray
    minn: int
    maxn: int
    bucket: int

    @cached_property
    def _index(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words)}

    @property
    def dim(self) -> int:
        """Number of dimensions."""
        return int(self.matrix.shape[1])

    def vectors(self, words: Sequence[str]) -> np.ndarray:
        """Return one vector a word; words without one get zeros.

        Parameters
        ----------
        words : sequence of str
            The words.

        Returns
        -------
        ndarray of float32 of shape (n_words, dim)
            The vectors, whatever the rest of the list is.
        """
        rows = self._rows(words)
        if not self.bucket:
            known = rows >= 0
            result = np.zeros((len(rows), self.dim), dtype=np.float32)
            result[known] = self.matrix[rows[known]]
            return result
        compiled = add_vectors(
            words,
            rows,
            self.matrix,
            bucket=self.bucket,
            minn=self.minn,
            maxn=self.maxn,
        )
        return self._sum_rows(words, rows) if compiled is None else compiled

    def _rows(self, words: Sequence[str]) -> np.ndarray:
        """Return the row of each word; -1 for none."""
        return np.fromiter(
            map(self._index.get, words, repeat(-1)), np.int64, count=len(words)
        )

    def _rows_and_matrix(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return rows of a matrix that are the vectors of words; -1 for none.

        Without subwords it is the whole matrix, so that nothing is copied.
        """
        if self.bucket:
            return np.arange(len(words)), self.vectors(words)
        return self._rows(words), self.matrix

    def _sum_rows(self, words: Sequence[str], rows: np.ndarray) -> np.ndarray:
        """Do what `add_vectors` does, by NumPy alone and with the same bits."""
        known = rows >= 0
        hashes, n_subwords = subword_hashes(words, self.minn, self.maxn)
        n_rows = n_subwords + known
        indptr = np.concatenate([[0], np.cumsum(n_rows)])
        # A word's own row comes first, then its n-grams: fastText's order of adding.
        indices = np.empty(indptr[-1], dtype=np.int64)
        own = np.zeros(len(indices), dtype=bool)
        own[indptr[:-1][known]] = True
        indices[own] = rows[known]
        indices[~own] = len(self.words) + (hashes % np.uint32(self.bucket)).astype(
            np.int64
        )
        ones = np.ones(len(indices), dtype=np.float32)
        total = add_rows(indices, indptr, ones, self.matrix)
        return total * (1.0 / np.maximum(n_rows, 1)).astype(np.float32)[:, None]
