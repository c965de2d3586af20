"""Weighted sums of rows, a text each: a compiled kernel, and SciPy with equal bits."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from tweetclf.utils.jit import has_numba, jit

__all__ = ["sum_rows", "which_are_nonzero"]


def sum_rows(
    ids: np.ndarray,
    indptr: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    matrix: np.ndarray,
) -> np.ndarray:
    """Return ``sum_k weights[ids[k]] * matrix[rows[ids[k]]]`` for each text.

    Parameters
    ----------
    ids : ndarray of int
        Words of all texts, one text after another.
    indptr : ndarray of int, shape (n_texts + 1,)
        The words of text i are ``ids[indptr[i]:indptr[i + 1]]``.
    weights : ndarray of float32, shape (n_words,)
        Weight of each word.
    rows : ndarray of int, shape (n_words,)
        Row of each word; -1 for none, which adds nothing.
    matrix : ndarray of float32
        The rows. It may be a memory map: only rows in use are read, and none is
        copied.

    Returns
    -------
    ndarray of float32, shape (n_texts, dim)
        The sums, added in the order of the words: a text has the same bits whatever
        the others are.
    """
    result = np.zeros((len(indptr) - 1, matrix.shape[1]), dtype=np.float32)
    if has_numba():
        # A plain view: a memory map is a type of its own to Numba.
        _sum_rows(ids, indptr, weights, rows, matrix.view(np.ndarray), result)
        return result
    used = np.unique(rows)
    used = used[used >= 0]
    position = np.full(len(rows), -1, dtype=np.int64)
    position[rows >= 0] = np.searchsorted(used, rows[rows >= 0])
    vectors = np.vstack([matrix[used], np.zeros((1, matrix.shape[1]), np.float32)])
    position[position < 0] = len(used)
    member = sparse.csr_array(
        (weights[ids], position[ids], indptr), shape=(len(result), len(vectors))
    )
    return member @ vectors


@jit(cache=True, nogil=True)
def _sum_rows(ids, indptr, weights, rows, matrix, result):  # type: ignore[no-untyped-def]
    for text in range(len(indptr) - 1):
        total = result[text]
        for k in range(indptr[text], indptr[text + 1]):
            row = rows[ids[k]]
            if row >= 0:
                weight = weights[ids[k]]
                vector = matrix[row]
                for d in range(len(total)):
                    total[d] += weight * vector[d]


def which_are_nonzero(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Tell which of `rows` are there (not -1) and hold any number but zero."""
    if has_numba():
        result = np.zeros(len(rows), dtype=np.bool_)
        _which_are_nonzero(rows, matrix.view(np.ndarray), result)
        return result
    nonzero = np.zeros(len(rows), dtype=np.bool_)
    nonzero[rows >= 0] = np.any(matrix[rows[rows >= 0]], axis=1)
    return nonzero


@jit(cache=True, nogil=True)
def _which_are_nonzero(rows, matrix, result):  # type: ignore[no-untyped-def]
    for i in range(len(rows)):
        if rows[i] >= 0:
            vector = matrix[rows[i]]
            for d in range(len(vector)):
                if vector[d] != 0:
                    result[i] = True
                    break
