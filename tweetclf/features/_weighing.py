"""From counted rows to the TF-IDF matrix, to the bits that scikit-learn gives.

Sums run from left to right and are not fused with products, as in scikit-learn's
wheels for x86. On other machines scikit-learn itself normalises.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tweetclf.features import _arrays, _row_kernels
from tweetclf.features._arrays import Rows
from tweetclf.utils.jit import has_numba
from tweetclf.utils.threads import in_threads

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Ingredient", "Weighting", "weigh", "weighed_arrays"]

_OWN_NORMS = platform.machine().lower() in {"x86_64", "amd64"}
# Above this, positions need 64 bits; scikit-learn decides likewise.
_MOST_SHORT = np.iinfo(np.int32).max
# So many values are worth a kernel.
_SMALL = 50_000
# For so few rows scikit-learn's checks of the matrix cost more than the norms.
_FEW = 64


class Weighting(NamedTuple):
    """How counts become weights.

    Attributes
    ----------
    dtype : dtype
        float32 or float64.
    binary, sublinear : bool
        Whether counts are taken as 1, and 1 plus their logarithm.
    norm : {"l1", "l2"} or None
        Norm of rows.
    idf : ndarray or None
        Weight of each column.
    """

    dtype: np.dtype
    binary: bool
    sublinear: bool
    norm: str | None
    idf: np.ndarray | None

    def tf(self, counts: np.ndarray) -> np.ndarray:
        """Return the weights of counts."""
        weights = counts.astype(self.dtype)
        if self.sublinear:
            np.log(weights, weights)
            weights += 1.0
        return weights


class Ingredient(NamedTuple):
    """Counted rows of the matrix.

    Attributes
    ----------
    rows : Rows
        ids, counts (empty: all 1) and indptr.
    chosen : ndarray of int64 or None
        Which rows to take; None: all.
    numbers : ndarray of int32 or None
        The number of each id, in the order of which rows are stored, or -1 for one
        to leave out; None: ids are numbers, and rows in order.
    """

    rows: Rows
    chosen: np.ndarray | None
    numbers: np.ndarray | None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        if self.chosen is not None:
            return len(self.chosen)
        return len(self.rows[2]) - 1

    def n_counted(self) -> int:
        """Return how many values were counted, before any is left out."""
        if self.chosen is None:
            return len(self.rows[0])
        return int(np.diff(self.rows[2])[self.chosen].sum())

    def nnz(self) -> int:
        """Return how many values are stored in the end."""
        ids, _, indptr = self.rows
        if self.chosen is None and (
            self.numbers is None or self.numbers.min(initial=0) >= 0
        ):
            return len(ids)
        chosen = np.arange(self.n_rows) if self.chosen is None else self.chosen
        if self.numbers is None:
            return self.n_counted()
        return int(_row_kernels.count_known(ids, indptr, chosen, self.numbers))


def weigh(
    ingredients: list[Ingredient],
    columns: np.ndarray | None,
    n_columns: int,
    weighting: Weighting,
) -> sparse.csr_matrix | sparse.csr_array:
    """Return the matrix of some counted rows.

    Parameters
    ----------
    ingredients : list of Ingredient
        The rows, in order. The list is emptied, so that counts are freed as weights
        are made.
    columns : ndarray of int32 or None
        The column of each number; None: numbers are columns.
    n_columns : int
        Number of columns.
    weighting : Weighting
        How to weigh.

    Returns
    -------
    csr_matrix or csr_array of shape (n_rows, n_columns)
        As scikit-learn is set.
    """
    from scipy import sparse
    from sklearn.preprocessing import normalize

    from tweetclf.utils._sklearn import _align_api_if_sparse

    n_rows = sum(item.n_rows for item in ingredients)
    arrays, normalised = weighed_arrays(ingredients, columns, weighting)
    X = sparse.csr_array(arrays, shape=(n_rows, n_columns))
    if weighting.norm is not None and not normalised:
        X = normalize(X, norm=weighting.norm, copy=False)
    return _align_api_if_sparse(X)


def weighed_arrays(
    ingredients: list[Ingredient],
    columns: np.ndarray | None,
    weighting: Weighting,
    *,
    compiled: bool = True,
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], bool]:
    """Return the arrays of what `weigh` returns, by NumPy and kernels alone.

    Parameters
    ----------
    ingredients, columns, weighting
        As of `weigh`.
    compiled : bool, default=True
        Whether kernels may be used.

    Returns
    -------
    data, indices, indptr : ndarray
        The matrix.
    normalised : bool
        Whether the rows have the norm of `weighting` already.
    """
    idf = weighting.idf
    if idf is not None and columns is not None:
        # By number: rows ascend in it, so that what is read together lies together.
        idf = idf[columns]
    n_rows = sum(item.n_rows for item in ingredients)
    # As many as were counted: scikit-learn decides before any is left out.
    n_counted = sum(item.n_counted() for item in ingredients)
    short = np.int32 if n_counted <= _MOST_SHORT else np.int64
    if compiled and has_numba() and n_counted > _SMALL:
        stored = [item.nnz() for item in ingredients]
        nnz = sum(stored)
        data = np.empty(nnz, dtype=weighting.dtype)
        indices = np.empty(nnz, dtype=short)
        indptr = np.zeros(n_rows + 1, dtype=short)
        _fill(ingredients, stored, columns, idf, weighting, (data, indices, indptr))
        normalised = _OWN_NORMS
    else:
        parts = [_by_arrays(item, columns, idf, weighting) for item in ingredients]
        ingredients.clear()
        data = np.concatenate([part[0] for part in parts])
        indices = np.concatenate([part[1] for part in parts]).astype(short, copy=False)
        sizes = np.concatenate([np.diff(part[2]) for part in parts])
        indptr = np.zeros(n_rows + 1, dtype=short)
        np.cumsum(sizes, out=indptr[1:])
        normalised = _OWN_NORMS and n_rows <= _FEW and weighting.norm is not None
        if normalised:
            norms = _arrays.row_norms(data, indptr, 2 if weighting.norm == "l2" else 1)
            norms[norms == 0] = 1
            data /= np.repeat(norms, sizes)
    return (data, indices, indptr), normalised


def _by_arrays(
    item: Ingredient,
    columns: np.ndarray | None,
    idf: np.ndarray | None,
    weighting: Weighting,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = item.rows
    if item.chosen is not None:
        rows = _arrays.take_rows(rows, item.chosen)
    tf: Callable[[np.ndarray], np.ndarray] | None = weighting.tf
    if weighting.binary or len(rows[1]) == 0:
        tf = None
    return _arrays.weigh_rows(
        rows,
        item.numbers,
        columns,
        tf,
        idf,
        weighting.dtype,
    )


def _fill(
    ingredients: list[Ingredient],
    stored: list[int],
    columns: np.ndarray | None,
    idf: np.ndarray | None,
    weighting: Weighting,
    result: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Write the matrix part by part, by kernels in threads."""
    data, indices, indptr = result
    nothing = np.empty(0, dtype=np.int32)
    weightless = np.empty(0, dtype=weighting.dtype)
    tf = weightless
    if not weighting.binary:
        most = max((int(i.rows[1].max(initial=1)) for i in ingredients), default=1)
        tf = np.concatenate([weightless, [0.0], weighting.tf(np.arange(1, most + 1))])
        tf = tf.astype(weighting.dtype)
    norm = {None: 0, "l1": 1, "l2": 2}[weighting.norm] if _OWN_NORMS else 0
    # Without `columns`, numbers are columns: of a vocabulary of any size.
    tops = [int(i.numbers.max(initial=0)) for i in ingredients if i.numbers is not None]
    top = max(tops, default=0) if columns is None else len(columns)
    at = np.cumsum([0, *stored]).tolist()
    row = np.cumsum([0, *(item.n_rows for item in ingredients)]).tolist()
    # Each is taken out by the thread that uses it, and freed there.
    waiting: list[Ingredient | None] = list(ingredients)
    ingredients.clear()

    def fill(k: int) -> None:
        item, waiting[k] = waiting[k], None
        assert item is not None
        ids, counts, starts = item.rows
        chosen = np.arange(item.n_rows) if item.chosen is None else item.chosen
        end = _row_kernels.weigh_rows(
            (ids, nothing if weighting.binary else counts, starts, chosen),
            nothing if item.numbers is None else item.numbers,
            nothing if columns is None else columns,
            weightless if idf is None else idf,
            top,
            tf,
            norm,
            indices,
            data,
            indptr[row[k] : row[k + 1] + 1],
            at[k],
        )
        assert end == at[k + 1]

    in_threads(fill, range(len(waiting)))
