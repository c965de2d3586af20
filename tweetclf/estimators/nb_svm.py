"""NBSVM: a linear classifier on Naive Bayes log-count ratios."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from tweetclf.estimators._decisions import OneVsRestDecisions, normalise_one_vs_rest
from tweetclf.estimators._labels import (
    check_labels,
    require_texts,
    require_two_classes,
)
from tweetclf.estimators._seeds import inner_seed
from tweetclf.estimators.dual_cd import LIBLINEAR, fit_linear_svc
from tweetclf.features import NBLogCountRatio, NgramTfidfVectorizer
from tweetclf.utils._sklearn import (
    HasMethods,
    Interval,
    StrOptions,
    _check_sample_weight,
    _fit_context,
)
from tweetclf.utils.validation import check_text_pairs, check_texts, is_pairs

__all__ = ["NBSVMClassifier", "binary_counts"]

# Words with their hash or at sign, and runs of other signs (smileys, emoji, "!!!"):
# the paper's tokens hold punctuation too.
TOKEN_PATTERN = r"[#@]?\w+|[^\w\s]+"


def binary_counts(
    *, ngram_range: tuple[int, int] = (1, 2), min_df: float = 1
) -> NgramTfidfVectorizer:
    """Make the binarised n-gram counts of Wang & Manning (2012), section 2.3."""
    return NgramTfidfVectorizer(
        ngram_range=ngram_range,
        min_df=min_df,
        token_pattern=TOKEN_PATTERN,
        binary=True,
        use_idf=False,
        norm=None,
    )


def _has_probabilities(estimator: NBSVMClassifier) -> bool:
    if estimator.learner != "lr":
        raise AttributeError(
            'predict_proba needs learner="lr"; a linear SVM has no probabilities '
            "(CalibratedClassifierCV gives it some)."
        )
    return True


def _with_data(X: Any, data: NDArray[np.float64]) -> Any:
    """Return a copy of the sparse matrix `X` with other stored values."""
    # The index arrays are copied too: learners sort those they get in place.
    copy = X.copy()
    copy.data = data
    return copy


def _scale(X: Any, ratio: NDArray[np.float64]) -> Any:
    """Multiply every column of `X` by its ratio."""
    if not sparse.issparse(X):
        return X * ratio
    matrix: Any = X
    return _with_data(matrix, matrix.data * ratio[matrix.indices])


def _binarize(X: Any) -> Any:
    if not sparse.issparse(X):
        return (X > 0).astype(np.float64)
    matrix: Any = X
    return _with_data(matrix, (matrix.data > 0).astype(np.float64))


class NBSVMClassifier(OneVsRestDecisions, BaseEstimator):
    """Classify texts with an SVM on Naive Bayes features (NBSVM).

    Every n-gram is multiplied by its log-count ratio, that is by how much more often
    it occurs in one class than in the others; a linear classifier is trained on the
    products and its weights are pulled towards their mean. Strong on short texts,
    fast, and hard to beat without pretraining.

    Parameters
    ----------
    vectorizer : estimator, "passthrough" or None, default=None
        Turns texts into a matrix without negative values. None means the paper's
        binarised counts of word 1-2-grams. "passthrough" means that X is such a
        matrix already, as after a feature step of a pipeline. A
        :class:`~tweetclf.features.PairFeatures` takes text pairs.
    alpha : float, default=1.0
        Smoothing of the counts.
    beta : float, default=0.25
        Interpolation: 1 keeps the learner's weights, 0 replaces them by the mean of
        their magnitudes, which is multinomial Naive Bayes up to scale and intercept.
    intercept : {"interpolated", "none", "learner"}, default="interpolated"
        "interpolated" is ours: between the class prior's log odds and the learner's.
        "none" is the system of Wang & Manning, whose released code trains without an
        intercept, and what :func:`nbsvm` makes. "learner" keeps the learner's as it
        is, which goes wrong for classes of unequal size (see Notes).
    learner : {"svm", "lr"}, default="svm"
        Linear SVM with squared hinge loss, or logistic regression (liblinear), which
        has probabilities.
    variant : {"wang-manning", "haha"}, default="wang-manning"
        Ratio of normalised, binarised counts, or that of the HAHA 2019 baseline:
        ratio of the classes' mean values, which are taken as they are.
    binarize : bool or "auto", default="auto"
        Replace positive values by 1. "auto" does so in the variant "wang-manning"
        alone, as published; False keeps the weights of a TF-IDF vectorizer.
    C : float, default=1.0
        Inverse of the strength of the learner's L2 penalty.
    dual : bool or "auto", default="auto"
        Solve the dual problem; "auto" does so where there are more features than
        texts and the learner is an SVM.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the learner; the ratio does not use them.
    max_iter : int, default=10000
        Most iterations of the learner.
    tol : float, default=1e-4
        Tolerance of the learner.
    random_state : int, RandomState instance or None, default=None
        Seed of the learner's dual solver.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order.
    vectorizer_ : estimator or None
        The fitted vectorizer; None after "passthrough".
    log_count_ratio_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        The ratios r; one row for two classes, that of ``classes_[1]``.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights of the features before the ratio: r times the interpolated weights.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts.
    n_features_in_ : int
        Number of columns of X after "passthrough".

    See Also
    --------
    nbsvm : The same as a pipeline.
    haha_nbsvm : The baseline of HAHA 2019.

    Notes
    -----
    With f the binarised counts, p = alpha + sum of f over the texts of a class and
    q = alpha + sum of f over the others (both weighted by `sample_weight`),

    r = log((p / ||p||_1) / (q / ||q||_1)),  w' = (1 - beta) mean(|w|) + beta w,

    where w are the learner's weights on r * f; the decision value is
    ``w' @ (r * f) + b'``. The paper writes an intercept b and does not say what
    becomes of it; the authors' code has none (b' = 0). Naive Bayes, with which w is
    interpolated, has the intercept log(N+ / N-), so that a whole interpolated model
    has b' = (1 - beta) mean(|w|) log(N+ / N-) + beta b. Both serve classes of unequal
    size. With b' = b the shrunken weights no longer reach an intercept of full size,
    and the larger class is nearly always predicted: on the dev split of HAHA 2019
    (39 % positive) F1 is .770 without, .800 interpolated, and .549 with b.
    With three classes or more there is one such problem a class against the rest,
    each text weighed by its own class's weight in all.
    A text of weight 0 is left out altogether, also from the vocabulary. An integer
    weight equals repetition where the vectorizer's features do not depend on how
    often a text occurs (as the default's do not).

    References
    ----------
    S. Wang and C. D. Manning. Baselines and bigrams: simple, good sentiment and
    topic classification. ACL 2012, section 2; alpha = 1, C = 1 and beta = 0.25 are
    those of section 4. Their released code: ``src/trainMNBSVM.m`` of sidaw/nbsvm.

    Examples
    --------
    >>> from tweetclf.estimators import NBSVMClassifier
    >>> texts = ["jaja que risa", "jaja genial", "que triste", "muy triste todo"]
    >>> clf = NBSVMClassifier().fit(texts, ["P", "P", "N", "N"])
    >>> print(*clf.predict(["jaja", "triste"]))
    P N
    """

    vectorizer_: Any
    log_count_ratio_: NDArray[np.float64]
    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "vectorizer": [
            HasMethods(["fit_transform", "transform"]),
            StrOptions({"passthrough"}),
            None,
        ],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "beta": [Interval(Real, 0, 1, closed="both")],
        "intercept": [StrOptions({"interpolated", "none", "learner"})],
        "learner": [StrOptions({"svm", "lr"})],
        "variant": [StrOptions({"wang-manning", "haha"})],
        "binarize": ["boolean", StrOptions({"auto"})],
        "C": [Interval(Real, 0, None, closed="neither")],
        "dual": ["boolean", StrOptions({"auto"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        vectorizer: Any = None,
        *,
        alpha: float = 1.0,
        beta: float = 0.25,
        intercept: str = "interpolated",
        learner: str = "svm",
        variant: str = "wang-manning",
        binarize: bool | str = "auto",
        C: float = 1.0,
        dual: bool | str = "auto",
        class_weight: Mapping[object, float] | str | None = None,
        max_iter: int = 10_000,
        tol: float = 1e-4,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.vectorizer = vectorizer
        self.alpha = alpha
        self.beta = beta
        self.intercept = intercept
        self.learner = learner
        self.variant = variant
        self.binarize = binarize
        self.C = C
        self.dual = dual
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    @property
    def _takes_matrix(self) -> bool:
        return isinstance(self.vectorizer, str)

    def _read(self, X: Any, *, reset: bool) -> Any:
        """Return the rows of `X` in a form that NumPy can select from."""
        caller = type(self).__name__
        if self._takes_matrix:
            return validate_data(
                self,
                X,
                reset=reset,
                accept_sparse="csr",
                dtype=np.float64,
                ensure_non_negative=True,
            )
        texts: list[Any]
        if self.vectorizer is not None and is_pairs(X):
            texts = list(zip(*check_text_pairs(X, caller=caller), strict=True))
        else:
            texts = check_texts(X, caller=caller)
        require_texts(len(texts), caller=caller)
        return texts

    def _binarized(self, X: Any) -> Any:
        binarize = self.binarize
        if binarize == "auto":
            binarize = self.variant == "wang-manning"
        return _binarize(X) if binarize else X

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NBSVMClassifier:
        """Learn the vocabulary, the ratios and the weights.

        Parameters
        ----------
        X : sequence of str of length n_samples
            Training texts; a matrix if `vectorizer` is "passthrough".
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the texts; 0 leaves a text out.

        Returns
        -------
        self : NBSVMClassifier
            The fitted classifier.
        """
        caller = type(self).__name__
        X = self._read(X, reset=True)
        n_texts = X.shape[0] if self._takes_matrix else len(X)
        y = check_labels(y, n_texts, caller=caller)
        weight = _check_sample_weight(
            sample_weight, y, ensure_non_negative=True, dtype=np.float64
        )
        X, y, weight = self._weighed(X, y, weight)
        self.classes_, codes = np.unique(y, return_inverse=True)
        require_two_classes(self.classes_, caller=caller)
        class_weight = compute_class_weight(
            self.class_weight, classes=self.classes_, y=y, sample_weight=weight
        )
        if not self._takes_matrix:
            self.vectorizer_ = (
                binary_counts() if self.vectorizer is None else clone(self.vectorizer)
            )
            X = self.vectorizer_.fit_transform(X, y)
        else:
            self.vectorizer_ = None
        X = self._binarized(X)
        ratio = NBLogCountRatio(alpha=self.alpha, variant=self.variant, binarize=False)
        self.log_count_ratio_ = ratio.fit(X, y, sample_weight=weight).log_ratio_
        self._fit_learners(X, codes, weight, class_weight[codes])
        return self

    def _weighed(
        self, X: Any, y: NDArray[Any], weight: NDArray[np.float64]
    ) -> tuple[Any, NDArray[Any], NDArray[np.float64]]:
        """Leave out what weighs nothing, so that it does not enter the vocabulary."""
        if weight.all():
            return X, y, weight
        kept = np.flatnonzero(weight)
        rows = X[kept] if self._takes_matrix else [X[i] for i in kept]
        return rows, y[kept], weight[kept]

    def _fit_learners(
        self,
        X: Any,
        codes: NDArray[np.intp],
        weight: NDArray[np.float64],
        class_weight: NDArray[np.float64],
    ) -> None:
        seed = inner_seed(self.random_state)
        n_classes = len(self.classes_)
        positives = [1] if n_classes == 2 else range(n_classes)
        coef, intercept = [], []
        for ratio, k in zip(self.log_count_ratio_, positives, strict=True):
            positive = codes == k
            learner = self._make_learner(seed)
            self._fit_learner(
                learner, _scale(X, ratio), positive, weight * class_weight
            )
            weights = learner.coef_[0]
            # Without an intercept LinearSVC has a number here, not an array.
            bias = 0.0 if self.intercept == "none" else learner.intercept_[0]
            mean = np.abs(weights).mean()
            if self.intercept == "interpolated":
                prior = np.log(weight[positive].sum() / weight[~positive].sum())
                bias = (1 - self.beta) * mean * prior + self.beta * bias
            coef.append(ratio * ((1 - self.beta) * mean + self.beta * weights))
            intercept.append(bias)
        self.coef_ = np.array(coef)
        self.intercept_ = np.array(intercept)

    def _fit_learner(
        self, learner: Any, X: Any, positive: Any, weight: NDArray[np.float64]
    ) -> None:
        if self.learner == "svm":
            fit_linear_svc(learner, X, positive, weight)
            return
        with LIBLINEAR:
            learner.fit(X, positive, sample_weight=weight)

    def _make_learner(self, seed: int) -> Any:
        options = {
            "C": self.C,
            "fit_intercept": self.intercept != "none",
            "max_iter": self.max_iter,
            "tol": self.tol,
        }
        if self.learner == "svm":
            return LinearSVC(dual=self.dual, random_state=seed, **options)
        dual = self.dual is True
        return LogisticRegression(
            solver="liblinear", dual=dual, random_state=seed, **options
        )

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return signed distances to the hyperplanes.

        Parameters
        ----------
        X : sequence of str of length n_samples
            Texts, or a matrix as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes one value a text, positive for ``classes_[1]``.
        """
        check_is_fitted(self)
        X = self._read(X, reset=False)
        if self.vectorizer_ is not None:
            X = self.vectorizer_.transform(X)
        scores = np.asarray(self._binarized(X) @ self.coef_.T) + self.intercept_
        return scores.ravel() if len(self.classes_) == 2 else scores

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the sigmoids of the decision values, normalised over the classes.

        Available with ``learner="lr"`` alone.

        Parameters
        ----------
        X : sequence of str of length n_samples
            Texts, or a matrix as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Rows that sum to 1.
        """
        return normalise_one_vs_rest(self.decision_function(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        matrix = self._takes_matrix
        tags.input_tags.string = not matrix
        tags.input_tags.two_d_array = matrix
        tags.input_tags.sparse = matrix
        tags.input_tags.positive_only = matrix
        return tags
