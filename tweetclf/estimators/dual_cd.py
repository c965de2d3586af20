"""LinearSVC's dual solver as a compiled kernel: the same bits, less memory, no lock.

scikit-learn hands the matrix to liblinear, which copies it into nodes of 16 bytes a
stored value and shuffles with one generator for the whole process. The kernel reads
the CSR arrays as they are (12 bytes a value), keeps its generator to itself and
releases the interpreter lock, so that folds and values of C run in threads that share
one matrix, and each gets the numbers that it would get alone.

One epoch of dual coordinate descent (Hsieh et al. 2008, algorithm 3)::

    index   | 5 | 0 | 7 | 2 | 1 | 3 | 4 | 6 |     texts by class, then shuffled
            |<----- active ----->|<-shrunk->|
              |
              +-- G = y (w . x) - 1 + alpha diag  gradient of the text's dual variable
                  a bound that G pushes against   -> swap behind the active ones
                  else alpha moves to its optimum -> w += (change of alpha) y x

Every sum runs in the order of liblinear's, so that every rounding is the same.
"""

from __future__ import annotations

import threading
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from tweetclf.utils._sklearn import _check_sample_weight, _fit_context
from tweetclf.utils.jit import has_numba, jit

__all__ = ["LIBLINEAR", "CompiledLinearSVC", "fit_linear_svc", "runs_compiled"]

LIBLINEAR = threading.Lock()
"""Held while liblinear works: its generator is one for the whole process."""

# The period of the generator's recurrence and its middle word: MT19937.
_N = 624
_M = 397


def runs_compiled(model: LinearSVC, shape: tuple[int, int]) -> bool:
    """Tell whether :func:`fit_linear_svc` runs its own kernel on a CSR matrix.

    Parameters
    ----------
    model : LinearSVC
        The classifier.
    shape : tuple of (int, int)
        Shape of the training matrix.

    Returns
    -------
    bool
        False where Numba is missing, for the primal problem, for the penalty "l1",
        for Crammer and Singer's problem and for subclasses.

    Examples
    --------
    >>> from sklearn.svm import LinearSVC
    >>> from tweetclf.estimators.dual_cd import runs_compiled
    >>> runs_compiled(LinearSVC(dual=False), (10, 100))
    False
    """
    if not has_numba() or model.verbose:
        return False
    if type(model) not in (LinearSVC, CompiledLinearSVC):
        return False
    if model.penalty != "l2" or model.multi_class != "ovr":
        return False
    if model.loss == "squared_hinge":
        return shape[0] < shape[1] if model.dual == "auto" else model.dual is True
    # The plain hinge has no primal solver in liblinear: "auto" means dual.
    return model.loss == "hinge" and (model.dual == "auto" or model.dual is True)


def fit_linear_svc(
    model: LinearSVC, X: Any, y: Any, sample_weight: Any = None
) -> LinearSVC:
    """Fit a ``LinearSVC`` as its own ``fit`` would, bit for bit.

    Parameters
    ----------
    model : LinearSVC
        The classifier; it is fitted in place.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Training matrix. A CSR matrix of float64 takes the kernel where
        :func:`runs_compiled` says so; all else is left to scikit-learn.
    y : array-like of shape (n_samples,)
        Labels.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows.

    Returns
    -------
    LinearSVC
        The classifier, with the attributes and the warning of its own ``fit``.

    Notes
    -----
    Unlike scikit-learn's it may run in several threads at once: liblinear's generator
    is one for the process, and threads that draw from it in turn get other models.

    References
    ----------
    C.-J. Hsieh, K.-W. Chang, C.-J. Lin, S. S. Keerthi and S. Sundararajan. A dual
    coordinate descent method for large-scale linear SVM. ICML 2008, algorithm 3.

    D. Lemire. Fast random integer generation in an interval. ACM TOMACS 29(1), 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> from sklearn.svm import LinearSVC
    >>> from tweetclf.estimators.dual_cd import fit_linear_svc
    >>> X = sparse.csr_array(np.eye(4, 6))
    >>> svm = fit_linear_svc(LinearSVC(random_state=0), X, [0, 1, 0, 1])
    >>> bool((svm.coef_ == LinearSVC(random_state=0).fit(X, [0, 1, 0, 1]).coef_).all())
    True
    """
    readable = sparse.issparse(X) and X.format == "csr" and X.dtype == np.float64
    if not (readable and X.nnz and runs_compiled(model, X.shape)):
        return _fit_by_liblinear(model, X, y, sample_weight)
    return _fit(model, X, y, sample_weight)


class CompiledLinearSVC(LinearSVC):
    """scikit-learn's ``LinearSVC``, fitted by :func:`fit_linear_svc`.

    Parameters, attributes and results are those of
    :class:`sklearn.svm.LinearSVC`; the search puts it in its place for the time of the
    search.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> CompiledLinearSVC:
        """Fit as :func:`fit_linear_svc` does.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training matrix.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows.

        Returns
        -------
        CompiledLinearSVC
            This object.
        """
        fit_linear_svc(self, X, y, sample_weight)
        return self


def _fit_by_liblinear(model: LinearSVC, X: Any, y: Any, sample_weight: Any) -> Any:
    fit = LinearSVC.fit if type(model) is CompiledLinearSVC else type(model).fit
    with LIBLINEAR:
        return fit(model, X, y, sample_weight)


@_fit_context(prefer_skip_nested_validation=True)
def _fit(model: LinearSVC, X: Any, y: Any, sample_weight: Any) -> LinearSVC:
    checked, labels = validate_data(
        model,
        X,
        y,
        accept_sparse="csr",
        dtype=np.float64,
        order="C",
        accept_large_sparse=False,
    )
    check_classification_targets(labels)
    classes, codes = np.unique(labels, return_inverse=True)
    weight = _check_sample_weight(sample_weight, checked, dtype=np.float64)
    kept = np.flatnonzero(weight > 0)
    no_scale = model.fit_intercept and model.intercept_scaling <= 0
    if len(classes) < 2 or no_scale or len(np.unique(codes[kept])) < len(classes):
        # Its errors, and its way with classes that weigh nothing, are its own.
        return _fit_by_liblinear(model, X, y, sample_weight)
    class_weight = compute_class_weight(
        model.class_weight, classes=classes, y=labels, sample_weight=weight
    )
    # liblinear works on the texts class by class.
    rows = kept[np.argsort(codes[kept], kind="stable")]
    seed = check_random_state(model.random_state).randint(np.iinfo(np.intc).max)
    raw, n_iter = _one_vs_rest(
        model, checked, rows, codes[rows], weight[rows], class_weight, seed
    )
    if n_iter >= model.max_iter:
        warnings.warn(
            "Liblinear failed to converge, increase the number of iterations.",
            ConvergenceWarning,
            stacklevel=3,
        )
    model.classes_ = classes
    model.n_iter_ = n_iter
    model.coef_, model.intercept_ = raw, 0.0
    if model.fit_intercept:
        model.coef_ = raw[:, :-1]
        model.intercept_ = model.intercept_scaling * raw[:, -1]
    return model


def _one_vs_rest(
    model: LinearSVC,
    X: Any,
    rows: NDArray[np.intp],
    codes: NDArray[np.intp],
    weight: NDArray[np.float64],
    class_weight: NDArray[np.float64],
    seed: int,
) -> tuple[NDArray[np.float64], int]:
    """Solve one problem a class with one stream of random numbers."""
    n_classes = len(class_weight)
    positives = [1] if n_classes == 2 else range(n_classes)
    bias = float(model.intercept_scaling) if model.fit_intercept else 0.0
    raw = np.empty((len(positives), X.shape[1] + (bias > 0)), order="F")
    # numpy seeds this state as the C++ library does.
    words: Any = np.random.RandomState(seed).get_state()
    state = np.append(words[1], np.uint32(_N))
    w = np.empty(raw.shape[1])
    n_iter = 0
    for place, positive in enumerate(positives):
        sign = np.where(codes == positive, 1.0, -1.0)
        rest = model.C * class_weight[0] if n_classes == 2 else model.C
        cost = weight * np.where(sign > 0, model.C * class_weight[positive], rest)
        done = _solve(
            _unsigned(X.indptr),
            _unsigned(X.indices),
            _frozen(X.data),
            rows,
            sign,
            cost,
            model.loss == "squared_hinge",
            bias,
            float(model.tol),
            int(model.max_iter),
            state,
            w,
        )
        raw[place] = w
        n_iter = max(n_iter, int(done))
    return raw, n_iter


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view, so that there is one compiled kernel for all arrays."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def _unsigned(index: NDArray[np.int32]) -> NDArray[np.uint32]:
    """Return a view of an index array without negative values.

    Compiled code asks of every signed index whether it counts from the end.
    """
    return _frozen(np.asarray(index, dtype=np.int32)).view(np.uint32)


@jit(cache=True, nogil=True)
def _refill(state: Any) -> None:
    """Advance the generator by one period; the last item counts words used."""
    for k in range(_N):
        word = (state[k] & 0x80000000) | (state[(k + 1) % _N] & 0x7FFFFFFF)
        mixed = state[(k + _M) % _N] ^ (word >> 1)
        if word & 1:
            mixed ^= 0x9908B0DF
        state[k] = mixed
    state[_N] = 0


@jit(cache=True, nogil=True)
def _draw(state: Any) -> Any:
    """Return the next 32 random bits."""
    if state[_N] >= _N:
        _refill(state)
    word = state[state[_N]]
    state[_N] += 1
    word ^= word >> 11
    word ^= (word << 7) & 0x9D2C5680
    word ^= (word << 15) & 0xEFC60000
    return word ^ (word >> 18)


@jit(cache=True, nogil=True)
def _shuffle(index: Any, active: int, state: Any) -> None:
    """Shuffle the first `active` items."""
    for i in range(active):
        bound = np.uint64(active - i)
        product = np.uint64(_draw(state)) * bound
        low = product & np.uint64(0xFFFFFFFF)
        if low < bound:
            least = (np.uint64(0x100000000) - bound) % bound
            while low < least:
                product = np.uint64(_draw(state)) * bound
                low = product & np.uint64(0xFFFFFFFF)
        j = i + np.int64(product >> np.uint64(32))
        index[i], index[j] = index[j], index[i]


# Division by 0 (empty rows, weights of 0) gives infinity here as in liblinear.
@jit(cache=True, nogil=True, error_model="numpy")
def _scales(
    indptr: Any, data: Any, rows: Any, cost: Any, squared: bool, bias: float
) -> Any:
    """Return of each row its diagonal term, upper bound and second derivative."""
    diagonal = np.zeros(len(rows))
    upper = cost.copy()
    second = np.empty(len(rows))
    for i in range(len(rows)):
        if squared:
            diagonal[i] = 0.5 / cost[i]
            upper[i] = np.inf
        total = diagonal[i]
        for k in range(indptr[rows[i]], indptr[rows[i] + 1]):
            total += data[k] * data[k]
        if bias > 0:
            total += bias * bias
        second[i] = total
    return diagonal, upper, second


@jit(cache=True, nogil=True, error_model="numpy")
def _epoch(
    indptr: Any,
    indices: Any,
    data: Any,
    rows: Any,
    sign: Any,
    bias: float,
    scales: Any,
    alpha: Any,
    w: Any,
    index: Any,
    active: int,
    ceiling: float,
    floor: float,
) -> Any:
    """Visit the active rows once; return how many are left and the gradient's range."""
    diagonal, upper, second = scales
    last = len(w) - 1
    highest, lowest = -np.inf, np.inf
    s = 0
    while s < active:
        i = index[s]
        start, stop = indptr[rows[i]], indptr[rows[i] + 1]
        gradient = 0.0
        for k in range(start, stop):
            gradient += w[indices[k]] * data[k]
        if bias > 0:
            gradient += w[last] * bias
        old = alpha[i]
        gradient = gradient * sign[i] - 1.0
        gradient += old * diagonal[i]
        projected = gradient
        if old == 0.0:
            shrink = gradient > ceiling
            projected = min(gradient, 0.0)
        elif old == upper[i]:
            shrink = gradient < floor
            projected = max(gradient, 0.0)
        else:
            shrink = False
        if shrink:
            active -= 1
            index[s], index[active] = index[active], i
            continue
        highest, lowest = max(highest, projected), min(lowest, projected)
        if abs(projected) > 1e-12:
            alpha[i] = min(max(old - gradient / second[i], 0.0), upper[i])
            step = (alpha[i] - old) * sign[i]
            for k in range(start, stop):
                w[indices[k]] += step * data[k]
            if bias > 0:
                w[last] += step * bias
        s += 1
    return active, highest, lowest


@jit(cache=True, nogil=True)
def _solve(
    indptr: Any,
    indices: Any,
    data: Any,
    rows: Any,
    sign: Any,
    cost: Any,
    squared: bool,
    bias: float,
    tol: float,
    max_iter: int,
    state: Any,
    w: Any,
) -> int:
    """Solve the problem of one class; weights go to `w`, epochs are returned."""
    scales = _scales(indptr, data, rows, cost, squared, bias)
    n = len(rows)
    index = np.arange(n)
    alpha = np.zeros(n)
    w[:] = 0.0
    active, ceiling, floor = n, np.inf, -np.inf
    for epoch in range(1, max_iter + 1):
        _shuffle(index, active, state)
        active, highest, lowest = _epoch(
            indptr,
            indices,
            data,
            rows,
            sign,
            bias,
            scales,
            alpha,
            w,
            index,
            active,
            ceiling,
            floor,
        )
        if highest - lowest <= tol:
            if active == n:
                return epoch
            # Converged on what is left: look at all rows once more.
            active, ceiling, floor = n, np.inf, -np.inf
            continue
        ceiling = highest if highest > 0 else np.inf
        floor = lowest if lowest < 0 else -np.inf
    return max_iter
