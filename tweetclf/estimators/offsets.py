"""Decisions tuned for a metric: class offsets from out-of-fold probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.validation import check_is_fitted

from tweetclf.estimators._labels import check_labels, read_texts
from tweetclf.estimators._seeds import inner_seed
from tweetclf.exceptions import DataError
from tweetclf.tasks.metric import Metric, get_metric
from tweetclf.utils._sklearn import HasMethods, Interval, _fit_context

__all__ = ["OffsetClassifier"]

# Offsets are log odds: e stands for 2.7 times the odds. Eleven steps to either side of
# it are finer than what a few hundred tweets can tell apart.
GRID = np.linspace(-1.0, 1.0, 11)
SWEEPS = 2
TINY = 1e-9


class OffsetClassifier(ClassifierMixin, BaseEstimator):
    """Shift the decisions of a probabilistic classifier towards a metric.

    The most probable class maximises accuracy; macro-F1, or the F1 of one class, ask
    for other decisions. This classifier adds one offset a class to the logarithms of
    the probabilities. The offsets are those that maximise the metric on out-of-fold
    probabilities of the training texts, shrunk towards 0.

    Parameters
    ----------
    estimator : estimator
        Text classifier with ``predict_proba``.
    metric : str, default="macro_f1"
        A metric of the confusion matrix, see :func:`tweetclf.tasks.list_metrics`.
    pos : label, optional
        Positive class of the binary metrics; by default the last one.
    over : sequence of labels, optional
        Classes that a macro average is over; by default all.
    shrink : float, default=1.0
        Factor of the tuned offsets: 1 takes them as they are, 0 tunes nothing. Values
        between hedge against a test set unlike the training set.
    cv : int, default=5
        Number of stratified folds, fewer where a class is smaller. With a class of
        one text nothing is tuned.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order.
    estimator_ : estimator
        The classifier, fitted on all texts.
    offsets_ : ndarray of shape (n_classes,)
        Offsets of the logarithms of the probabilities; float64.

    See Also
    --------
    sklearn.model_selection.TunedThresholdClassifierCV : One threshold, two classes.

    Notes
    -----
    Offsets are found by coordinate ascent, two sweeps over the classes and eleven
    values each; of equally good ones the smallest is taken. Fitting costs
    ``cv + 1`` fits of the estimator.

    Examples
    --------
    >>> from tweetclf.estimators import OffsetClassifier, tfidf_lr
    >>> texts = ["qué bien", "muy bien", "bien", "qué mal", "bien o mal", "mal"] * 3
    >>> labels = ["P", "P", "P", "N", "P", "N"] * 3
    >>> clf = OffsetClassifier(tfidf_lr(), random_state=0).fit(texts, labels)
    >>> clf.predict(["qué bien", "qué mal"]).tolist()
    ['P', 'N']
    """

    classes_: NDArray[Any]
    estimator_: Any
    offsets_: NDArray[np.float64]

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "metric": [str],
        "pos": "no_validation",
        "over": ["array-like", None],
        "shrink": [Interval(Real, 0, None, closed="left")],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        metric: str = "macro_f1",
        pos: Any = None,
        over: Sequence[Any] | None = None,
        shrink: float = 1.0,
        cv: int = 5,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.metric = metric
        self.pos = pos
        self.over = over
        self.shrink = shrink
        self.cv = cv
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags

    def _read(self, X: Any) -> list[Any]:
        return read_texts(X, caller=type(self).__name__)

    def _metric(self) -> Metric:
        """Return the metric over the labels seen in training."""
        names = tuple(str(label) for label in self.classes_)
        metric = get_metric(
            self.metric,
            labels=names,
            pos=None if self.pos is None else str(self.pos),
            over=() if self.over is None else tuple(str(label) for label in self.over),
        )
        if not metric.supports_confusion:
            raise DataError(
                f"{type(self).__name__}: the 'metric' parameter must be a metric of "
                f"the confusion matrix, like 'macro_f1'. Got {self.metric!r} instead."
            )
        return metric

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any) -> OffsetClassifier:
        """Tune the offsets out of fold, then fit the estimator on all texts.

        Parameters
        ----------
        X : sequence of str of length n_samples
            Training texts, or pairs of them.
        y : array-like of shape (n_samples,)
            Labels.

        Returns
        -------
        self : OffsetClassifier
            The fitted classifier.
        """
        texts = self._read(X)
        y = check_labels(y, len(texts), caller=type(self).__name__)
        self.classes_, codes = np.unique(y, return_inverse=True)
        metric = self._metric()
        self.offsets_ = np.zeros(len(self.classes_))
        n_folds = min(self.cv, int(np.bincount(codes).min()))
        if self.shrink > 0 and n_folds > 1 and len(self.classes_) > 1:
            proba = self._out_of_fold(texts, y, codes, n_folds)
            self.offsets_ = self.shrink * tune_offsets(codes, proba, metric)
        self.estimator_ = clone(self.estimator).fit(texts, y)
        return self

    def _out_of_fold(
        self, texts: list[Any], y: NDArray[Any], codes: NDArray[np.intp], n_folds: int
    ) -> NDArray[np.float64]:
        folds = StratifiedKFold(
            n_folds, shuffle=True, random_state=inner_seed(self.random_state)
        )
        proba = np.zeros((len(texts), len(self.classes_)))
        for inside, outside in folds.split(codes, codes):
            model = clone(self.estimator).fit([texts[i] for i in inside], y[inside])
            proba[outside] = model.predict_proba([texts[i] for i in outside])
        return proba

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the shifted probabilities, whose largest one is the decision.

        Parameters
        ----------
        X : sequence of str of length n_samples
            Texts, or pairs of them.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Rows sum to 1; float64.
        """
        check_is_fitted(self)
        proba = np.asarray(self.estimator_.predict_proba(self._read(X)), dtype=float)
        shifted = proba * np.exp(self.offsets_)
        return shifted / shifted.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class with the largest shifted probability.

        Parameters
        ----------
        X : sequence of str of length n_samples
            Texts, or pairs of them.

        Returns
        -------
        ndarray of shape (n_samples,)
            Members of ``classes_``; of equal ones the first.
        """
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def tune_offsets(
    codes: NDArray[np.intp], proba: NDArray[np.float64], metric: Metric
) -> NDArray[np.float64]:
    """Return offsets of log probabilities that maximise a metric.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        Gold labels as columns of `proba`.
    proba : ndarray of shape (n_samples, n_classes)
        Probabilities.
    metric : Metric
        A metric of the confusion matrix, its labels in the order of the columns.

    Returns
    -------
    ndarray of shape (n_classes,)
        Offsets in [-1, 1].
    """
    n_classes = proba.shape[1]
    logs = np.log(proba + TINY)
    sign = 1.0 if metric.greater_is_better else -1.0

    def score(offsets: NDArray[np.float64]) -> float:
        cells = codes * n_classes + (logs + offsets).argmax(axis=1)
        counts = np.bincount(cells, minlength=n_classes**2)
        return sign * float(metric.from_confusion(counts.reshape(n_classes, n_classes)))

    offsets = np.zeros(n_classes)
    best = score(offsets)
    for _ in range(SWEEPS):
        for column in range(n_classes):
            trials = np.tile(offsets, (len(GRID), 1))
            trials[:, column] = GRID
            scores = np.array([score(trial) for trial in trials])
            good = np.flatnonzero(scores >= scores.max() - TINY)
            chosen = good[np.abs(GRID[good]).argmin()]
            if scores[chosen] > best + TINY:
                best, offsets = scores[chosen], trials[chosen]
    return offsets
