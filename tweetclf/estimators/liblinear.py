"""Logistic regression as scikit-learn 0.20 fitted it through liblinear."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from tweetclf.estimators._decisions import OneVsRestDecisions, normalise_one_vs_rest
from tweetclf.estimators._labels import refuse_missing, require_two_classes
from tweetclf.estimators._seeds import inner_seed
from tweetclf.estimators.dual_cd import LIBLINEAR
from tweetclf.utils._sklearn import (
    Interval,
    StrOptions,
    _check_sample_weight,
    _fit_context,
)

__all__ = ["OneVsRestLogisticRegression"]


class OneVsRestLogisticRegression(OneVsRestDecisions, BaseEstimator):
    """L2 logistic regression through liblinear, one class against the rest.

    Until scikit-learn 0.21 this was what ``LogisticRegression`` did by default, and
    many published systems mean it. It differs from today's default in two ways: the
    intercept is penalised, and with three classes or more there is one binary
    problem a class, whose probabilities are normalised afterwards. Class weights
    weigh the positive side of each of these problems and leave the rest at 1, as
    liblinear does; ``OneVsRestClassifier(LogisticRegression(class_weight=
    "balanced"))`` weighs both sides and gives other coefficients.

    Parameters
    ----------
    C : float, default=1.0
        Inverse of the strength of the L2 penalty.
    dual : bool, default=False
        Solve the dual problem.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes.
    max_iter : int, default=1000
        Most iterations of the solver.
    tol : float, default=1e-4
        Tolerance of the solver.
    random_state : int, RandomState instance or None, default=None
        Seed of the dual solver.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients; one row for two classes.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts.
    n_features_in_ : int
        Number of features.
    n_iter_ : ndarray of shape (1,) or (n_classes,)
        Iterations of the solver.

    References
    ----------
    R.-E. Fan, K.-W. Chang, C.-J. Hsieh, X.-R. Wang and C.-J. Lin. LIBLINEAR: a
    library for large linear classification. JMLR 9, 2008.

    Examples
    --------
    >>> from tweetclf.estimators import OneVsRestLogisticRegression
    >>> clf = OneVsRestLogisticRegression().fit([[0.0], [1.0], [2.0]], [0, 0, 1])
    >>> clf.predict([[3.0]]).tolist()
    [1]
    """

    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]
    n_features_in_: int
    n_iter_: NDArray[np.int32]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "C": [Interval(Real, 0, None, closed="neither")],
        "dual": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        C: float = 1.0,
        dual: bool = False,
        class_weight: Mapping[object, float] | str | None = None,
        max_iter: int = 1000,
        tol: float = 1e-4,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.C = C
        self.dual = dual
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None
    ) -> OneVsRestLogisticRegression:
        """Fit one binary problem, or one a class.

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
        self : OneVsRestLogisticRegression
            The fitted classifier.
        """
        if y is not None:
            refuse_missing(y, caller=type(self).__name__)
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64)
        check_classification_targets(y)
        weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        kept = np.flatnonzero(weight)
        X, y, weight = X[kept], y[kept], weight[kept]
        self.classes_ = np.unique(y)
        n_classes = require_two_classes(self.classes_, caller=type(self).__name__)
        class_weight = compute_class_weight(
            self.class_weight, classes=self.classes_, y=y, sample_weight=weight
        )
        seed = inner_seed(self.random_state)
        positives = range(1, 2) if n_classes == 2 else range(n_classes)
        rest = class_weight[0] if n_classes == 2 else 1.0
        # liblinear shuffles with one generator for the whole process.
        with LIBLINEAR:
            fits = [
                LogisticRegression(
                    C=self.C,
                    solver="liblinear",
                    dual=self.dual,
                    class_weight={0: rest, 1: class_weight[k]},
                    max_iter=self.max_iter,
                    tol=self.tol,
                    random_state=seed,
                ).fit(X, (y == self.classes_[k]).astype(np.int8), sample_weight=weight)
                for k in positives
            ]
        self.coef_ = np.vstack([fit.coef_ for fit in fits])
        self.intercept_ = np.concatenate([fit.intercept_ for fit in fits])
        self.n_iter_ = np.concatenate([fit.n_iter_ for fit in fits])
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return signed distances to the hyperplanes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Matrix.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes one value a row, positive for ``classes_[1]``.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        scores = safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        return scores.ravel() if len(self.classes_) == 2 else scores

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the sigmoids of the decision values, normalised over the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Matrix.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Rows that sum to 1.
        """
        return normalise_one_vs_rest(self.decision_function(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
