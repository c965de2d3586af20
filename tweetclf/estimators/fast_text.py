"""fastText's text classifier, on a matrix of counts."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import assert_all_finite
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from tweetclf.estimators._labels import (
    check_indicator,
    check_labels,
    require_two_classes,
)
from tweetclf.estimators._seeds import inner_seed
from tweetclf.estimators._steps import for_pairs
from tweetclf.exceptions import DataError
from tweetclf.features import NgramTfidfVectorizer
from tweetclf.preprocessing import TweetTokenizer
from tweetclf.utils._sklearn import Interval, StrOptions, _fit_context
from tweetclf.utils.jit import has_numba, jit
from tweetclf.utils.random import stream

__all__ = ["FastTextClassifier", "fasttext"]


class FastTextClassifier(ClassifierMixin, BaseEstimator):
    """Averaged feature embeddings and a linear layer, learnt by SGD (fastText).

    A text is the mean of the embeddings of its words and n-grams; a softmax over the
    classes (or a sigmoid a label) reads it. Both layers are learnt together, one text
    at a time, with a rate that falls linearly to 0: Joulin et al. (2017), as the
    fastText program trains it.

    Parameters
    ----------
    n_components : int, default=100
        Dimension of the embeddings (fastText's ``dim``).
    learning_rate : float, default=0.5
        Rate of the first step. The program's own default of 0.1, with 5 epochs, is
        for corpora of millions of texts.
    max_iter : int, default=25
        Epochs.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes: factors of the rate, scaled to a mean of 1 over the
        texts. Not for an indicator matrix.
    random_state : int, RandomState instance or None, default=None
        Seed of the embeddings and of the order of the texts.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order; 0 to n_labels - 1 for an indicator matrix.
    multilabel_ : bool
        Whether y was an indicator matrix.
    embedding_ : ndarray of float32 of shape (n_features + 1, n_components)
        Embedding of each feature, and of the end of the text.
    coef_ : ndarray of float32 of shape (n_classes, n_components)
        The linear layer. It has no intercept: the end of the text, which every text
        has, stands for it (fastText's ``</s>``).
    n_features_in_ : int
        Number of features.
    n_iter_ : int
        Epochs.

    See Also
    --------
    fasttext : The same with its features, from texts.

    Notes
    -----
    Differences from the program: features are a vocabulary, not hash buckets, so none
    collide and those that training has not seen are left out of the mean; one thread,
    so that a seed gives one model; texts are shuffled in every epoch. Time is linear
    in the non-zero counts, in `n_components` and in `max_iter`. With the extra
    ``fast`` it runs in compiled code, some twenty times faster; without, NumPy
    gives the same model up to rounding.

    References
    ----------
    A. Joulin, E. Grave, P. Bojanowski and T. Mikolov. Bag of tricks for efficient text
    classification. EACL 2017, section 2 (ACL Anthology E17-2068).

    Examples
    --------
    >>> from tweetclf.estimators import FastTextClassifier
    >>> X = [[1, 0, 1], [1, 0, 0], [0, 1, 1], [0, 1, 0]]
    >>> clf = FastTextClassifier(random_state=0).fit(X, list("aabb"))
    >>> clf.predict([[2, 0, 0], [0, 1, 0]]).tolist()
    ['a', 'b']
    """

    classes_: NDArray[Any]
    multilabel_: bool
    embedding_: NDArray[np.float32]
    coef_: NDArray[np.float32]
    n_features_in_: int
    n_iter_: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        n_components: int = 100,
        learning_rate: float = 0.5,
        max_iter: int = 25,
        class_weight: Mapping[object, float] | str | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any) -> FastTextClassifier:
        """Learn embeddings and the linear layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Counts; the mean divides by the sum of their absolute values.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels, or an indicator matrix.

        Returns
        -------
        self : FastTextClassifier
            The fitted classifier.
        """
        counts = self._read(X, reset=True)
        targets, weights = self._targets(y, counts.shape[0])
        seed = inner_seed(self.random_state)
        bound = 1.0 / self.n_components
        self.embedding_ = stream(seed, "embedding").uniform(
            -bound, bound, (counts.shape[1], self.n_components)
        ).astype(np.float32)  # fmt: skip
        self.coef_ = np.zeros((len(self.classes_), self.n_components), np.float32)
        shuffled = stream(seed, "order")
        order = np.concatenate(
            [shuffled.permutation(counts.shape[0]) for _ in range(self.max_iter)]
        )
        descend = _descend if has_numba() else _descend_in_numpy
        descend(
            counts.indptr.astype(np.int64),
            counts.indices.astype(np.int64),
            counts.data,
            targets,
            weights,
            order,
            np.float32(self.learning_rate),
            self.multilabel_,
            self.embedding_,
            self.coef_,
        )
        if not np.isfinite(self.coef_).all():
            raise DataError(
                f"FastTextClassifier diverged with learning_rate={self.learning_rate}; "
                "lower it."
            )
        self.n_iter_ = self.max_iter
        return self

    def _read(self, X: Any, *, reset: bool) -> sparse.csr_matrix:
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float32, reset=reset)
        ends = np.ones((X.shape[0], 1), np.float32)
        return sparse.hstack([sparse.csr_matrix(X), ends], format="csr")

    def _targets(
        self, y: Any, n_rows: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the rows of 0 and 1 to learn, and the weight of each row."""
        caller = type(self).__name__
        if y is None:
            raise DataError(
                f"{caller} requires y to be passed, but the target y is None."
            )
        array = np.asarray(y)
        assert_all_finite(array if array.dtype.kind == "f" else 0, input_name="y")
        if array.ndim == 2 and array.shape[1] == 1:
            array = column_or_1d(array, warn=True)
        y = y if isinstance(y, list | tuple) else array
        self.multilabel_ = array.ndim == 2
        if self.multilabel_:
            indicator = check_indicator(y, n_rows, caller=caller)
            self.classes_ = np.arange(indicator.shape[1])
            if self.class_weight is not None:
                raise DataError(
                    f"{caller}: class_weight={self.class_weight!r} is for classes; y "
                    "is an indicator matrix. Set class_weight=None."
                )
            return indicator.astype(np.float32), np.ones(n_rows, np.float32)
        labels = check_labels(y, n_rows, caller=caller)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        require_two_classes(self.classes_, caller=caller)
        by_class = compute_class_weight(
            self.class_weight, classes=self.classes_, y=labels
        )
        targets = np.zeros((n_rows, len(self.classes_)), np.float32)
        targets[np.arange(n_rows), codes] = 1
        weights = by_class[codes]
        return targets, (weights / weights.mean()).astype(np.float32)

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the outputs of the linear layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Counts.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes their difference, positive for ``classes_[1]``.
        """
        scores = self._scores(X)
        if len(self.classes_) == 2 and not self.multilabel_:
            return scores[:, 1] - scores[:, 0]
        return scores

    def _scores(self, X: Any) -> NDArray[np.float64]:
        check_is_fitted(self)
        counts = self._read(X, reset=False).astype(np.float64)
        totals = np.asarray(abs(counts).sum(axis=1)).reshape(-1, 1)
        hidden = (counts @ self.embedding_.astype(np.float64)) / totals
        return hidden @ self.coef_.T.astype(np.float64)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class, or the labels of probability over 1/2.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Counts.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Members of `classes_`, of equally probable ones the first; or an
            indicator matrix.
        """
        scores = self._scores(X)
        if self.multilabel_:
            return (scores > 0).astype(np.int64)
        return self.classes_[scores.argmax(axis=1)]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the softmax of the outputs, or the sigmoid of each.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Counts.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Rows sum to 1, unless y was an indicator matrix.
        """
        scores = self._scores(X)
        return expit(scores) if self.multilabel_ else softmax(scores, axis=1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = True
        return tags


@jit(cache=True, nogil=True)
def _descend(
    indptr: Any,
    indices: Any,
    data: Any,
    targets: Any,
    weights: Any,
    order: Any,
    learning_rate: Any,
    independent: Any,
    embedding: Any,
    coef: Any,
) -> None:
    """Go down the gradient one row at a time, as fastText's Model::update does."""
    n_classes, dim = coef.shape
    hidden = np.empty(dim, np.float32)
    gradient = np.empty(dim, np.float32)
    scores = np.empty(n_classes, np.float32)
    for step in range(len(order)):
        row = order[step]
        begin, end = indptr[row], indptr[row + 1]
        total = np.float32(0)
        hidden[:] = 0
        for p in range(begin, end):
            total += abs(data[p])
            for d in range(dim):
                hidden[d] += data[p] * embedding[indices[p], d]
        for d in range(dim):
            hidden[d] /= total
        highest = np.float32(-np.inf)
        for c in range(n_classes):
            scores[c] = 0
            for d in range(dim):
                scores[c] += coef[c, d] * hidden[d]
            highest = max(highest, scores[c])
        if independent:
            for c in range(n_classes):
                scores[c] = 1 / (1 + np.exp(-scores[c]))
        else:
            mass = np.float32(0)
            for c in range(n_classes):
                scores[c] = np.exp(scores[c] - highest)
                mass += scores[c]
            for c in range(n_classes):
                scores[c] /= mass
        left = np.float32(1 - step / len(order))
        rate = learning_rate * left * weights[row]
        gradient[:] = 0
        for c in range(n_classes):
            alpha = rate * (targets[row, c] - scores[c])
            for d in range(dim):
                gradient[d] += alpha * coef[c, d]
                coef[c, d] += alpha * hidden[d]
        for p in range(begin, end):
            share = data[p] / total
            for d in range(dim):
                embedding[indices[p], d] += share * gradient[d]


def _descend_in_numpy(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int64],
    data: NDArray[np.float32],
    targets: NDArray[np.float32],
    weights: NDArray[np.float32],
    order: NDArray[np.int64],
    learning_rate: np.float32,
    independent: bool,
    embedding: NDArray[np.float32],
    coef: NDArray[np.float32],
) -> None:
    """Do what `_descend` does, without Numba."""
    for step, row in enumerate(order):
        begin, end = indptr[row], indptr[row + 1]
        features, shares = indices[begin:end], data[begin:end]
        total = np.abs(shares).sum()
        shares = shares / total
        hidden = shares @ embedding[features]
        scores = coef @ hidden
        proba = expit(scores) if independent else softmax(scores)
        rate = learning_rate * np.float32(1 - step / len(order)) * weights[row]
        alpha = rate * (targets[row] - proba)
        gradient = alpha @ coef
        coef += np.outer(alpha, hidden)
        # A row of a CSR matrix in canonical form names no feature twice.
        embedding[features] += np.outer(shares, gradient)


def fasttext(
    *,
    ngram_range: tuple[int, int] = (1, 2),
    subwords: tuple[int, int] | None = None,
    min_df: float = 1,
    n_components: int = 100,
    learning_rate: float = 0.5,
    max_iter: int = 25,
    class_weight: Mapping[object, float] | str | None = None,
    pairs: bool = False,
    multilabel: bool = False,
    random_state: int | np.random.RandomState | None = 0,
) -> Pipeline:
    """Make fastText's classifier: word n-grams, embedded and averaged.

    Parameters
    ----------
    ngram_range : tuple of (int, int), default=(1, 2)
        Shortest and longest word n-gram (fastText's ``wordNgrams`` is the longest).
    subwords : tuple of (int, int) or None, default=None
        Shortest and longest character n-gram within words (``minn``, ``maxn``).
    min_df : int or float, default=1
        Features found in fewer texts are dropped.
    n_components : int, default=100
        Dimension of the embeddings.
    learning_rate : float, default=0.5
        Rate of the first step.
    max_iter : int, default=25
        Epochs.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes.
    pairs : bool, default=False
        Take text pairs in place of texts.
    multilabel : bool, default=False
        Take an indicator matrix as y: a sigmoid a label (``-loss ova``). y alone
        decides; the parameter is there for leaderboards.
    random_state : int, RandomState instance or None, default=0
        Seed.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Steps ``features`` (a union of ``words`` and ``subwords``) and ``fasttext``.

    References
    ----------
    A. Joulin, E. Grave, P. Bojanowski and T. Mikolov. Bag of tricks for efficient text
    classification. EACL 2017 (ACL Anthology E17-2068).

    Examples
    --------
    >>> from tweetclf.estimators import fasttext
    >>> texts = ["que se vayan todos", "buen dia a todos"] * 2
    >>> clf = fasttext().fit(texts, [1, 0] * 2)
    >>> clf.predict(["que se vayan", "buen dia"]).tolist()
    [1, 0]
    """
    words = NgramTfidfVectorizer(
        tokenizer=TweetTokenizer(),
        token_pattern=None,
        ngram_range=ngram_range,
        min_df=min_df,
        use_idf=False,
        norm=None,
    )
    within: Any = "drop"
    if subwords is not None:
        within = NgramTfidfVectorizer(
            analyzer="char_wb",
            ngram_range=subwords,
            min_df=min_df,
            use_idf=False,
            norm=None,
        )
    features = FeatureUnion([("words", words), ("subwords", within)])
    learner = FastTextClassifier(
        n_components=n_components,
        learning_rate=learning_rate,
        max_iter=max_iter,
        class_weight=class_weight,
        random_state=random_state,
    )
    return Pipeline([("features", for_pairs(features, pairs)), ("fasttext", learner)])
