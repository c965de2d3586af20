"""Weighted sums of rows, a text each: a compiled kernel, and SciPy with equal bits."""

from __future__ import annotations

import itertools

import numpy as np

from tweetclf.utils.jit import jit, kernels_pay
from tweetclf.utils.threads import even_ranges, in_threads

__all__ = ["add_rows", "sum_rows", "which_are_nonzero"]

# Up to so many products, loops of NumPy are done before SciPy is imported.
_FEW = 10_000_000


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
    if kernels_pay(ids.size * matrix.shape[1]):
        result = np.empty((len(indptr) - 1, matrix.shape[1]), dtype=np.float32)
        # A plain view: a memory map is a type of its own to Numba.
        plain = matrix.view(np.ndarray)

        def add(part: tuple[int, int]) -> None:
            a, b = part
            _sum_rows(ids, indptr[a : b + 1], weights, rows, plain, result[a:b])

        in_threads(add, even_ranges(indptr[1:], cost=matrix.shape[1]))
        return result
    there = rows[ids] >= 0
    before = np.zeros(len(ids) + 1, dtype=np.int64)
    np.cumsum(there, out=before[1:])
    ids = ids[there]
    return add_rows(rows[ids], before[indptr], weights[ids], matrix)


def add_rows(
    rows: np.ndarray, indptr: np.ndarray, weights: np.ndarray, matrix: np.ndarray
) -> np.ndarray:
    """Return ``sum_k weights[k] * matrix[rows[k]]`` over each range of `indptr`.

    By NumPy alone if there is little to do, else by SciPy; both add one row after the
    other, in float32.

    Parameters
    ----------
    rows : ndarray of int
        Rows of all sums, one sum after another.
    indptr : ndarray of int, shape (n_sums + 1,)
        The rows of sum i are ``rows[indptr[i]:indptr[i + 1]]``.
    weights : ndarray of float32
        As many as `rows`.
    matrix : ndarray of float32
        The rows; only those in use are read.
    """
    lengths = np.diff(indptr)
    if rows.size * matrix.shape[1] > _FEW:
        from scipy import sparse

        used, position = np.unique(rows, return_inverse=True)
        member = sparse.csr_array(
            (weights, position, indptr), shape=(len(lengths), len(used))
        )
        return member @ np.ascontiguousarray(matrix[used])
    longest = int(lengths.max(initial=0))
    total = np.zeros((len(lengths), matrix.shape[1]), dtype=np.float32)
    if len(lengths) < longest:
        for i, (a, b) in enumerate(itertools.pairwise(indptr.tolist())):
            if a < b:
                products = weights[a:b, None] * matrix[rows[a:b]]
                # Not sum, which adds in pairs: the last bit differs. Like the others
                # it begins at 0, which makes 0 of -0.
                total[i] = np.add.accumulate(products)[-1] + np.float32(0)
        return total
    # Long sums first, so that those with a k-th row are the first ones.
    order = np.argsort(-lengths, kind="stable")
    begin = indptr[:-1][order]
    n_left = len(lengths) - np.searchsorted(
        lengths[order][::-1], np.arange(longest), side="right"
    )
    for k, n in enumerate(n_left.tolist()):
        at = begin[:n] + k
        total[:n] += weights[at, None] * matrix[rows[at]]
    result = np.empty_like(total)
    result[order] = total
    return result


@jit(cache=True, nogil=True)
def _sum_rows(ids, indptr, weights, rows, matrix, result):
    for text in range(len(indptr) - 1):
        total = result[text]
        total[:] = 0
        for k in range(indptr[text], indptr[text + 1]):
            row = rows[ids[k]]
            if row >= 0:
                weight = weights[ids[k]]
                vector = matrix[row]
                for d in range(len(total)):
                    total[d] += weight * vector[d]


def which_are_nonzero(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Tell which of `rows` are there (not -1) and hold any number but zero."""
    if kernels_pay(len(rows) * matrix.shape[1]):
        result = np.zeros(len(rows), dtype=np.bool_)
        _which_are_nonzero(rows, matrix.view(np.ndarray), result)
        return result
    nonzero = np.zeros(len(rows), dtype=np.bool_)
    nonzero[rows >= 0] = np.any(matrix[rows[rows >= 0]], axis=1)
    return nonzero


@jit(cache=True, nogil=True)
def _which_are_nonzero(rows, matrix, result):
    for i in range(len(rows)):
        if rows[i] >= 0:
            vector = matrix[rows[i]]
            for d in range(len(vector)):
                if vector[d] != 0:
                    result[i] = True
                    break
