"""Class weights between none and balanced."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import assert_all_finite
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from tweetclf.estimators._labels import refuse_missing
from tweetclf.utils._sklearn import HasMethods, Interval, _fit_context

__all__ = ["PowerWeightedClassifier"]


class PowerWeightedClassifier(ClassifierMixin, BaseEstimator):
    """Weigh classes by a power of their inverse frequency.

    Balanced weights serve macro averages where classes are few. With many classes of
    very unequal size they let the rare ones take too many texts; the square root lies
    between them and no weights.

    Parameters
    ----------
    estimator : estimator
        Classifier whose ``fit`` takes sample weights.
    power : float, default=0.5
        Exponent of the balanced weights ``n_samples / (n_classes * n_c)``: 1 is
        ``class_weight="balanced"``, 0 no weights.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order.
    estimator_ : estimator
        The fitted classifier.
    n_features_in_ : int
        Number of features, if the classifier counts them.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from tweetclf.estimators import PowerWeightedClassifier
    >>> X, y = [[0.0], [1.0], [1.0], [0.0]], [0, 0, 1, 0]
    >>> half = PowerWeightedClassifier(LogisticRegression()).fit(X, y)
    >>> full = PowerWeightedClassifier(LogisticRegression(), power=1.0).fit(X, y)
    >>> bool(half.predict_proba([[1.0]])[0, 1] < full.predict_proba([[1.0]])[0, 1])
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods("fit")],
        "power": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, estimator: Any, *, power: float = 0.5) -> None:
        self.estimator = estimator
        self.power = power

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any) -> PowerWeightedClassifier:
        """Fit the classifier with weights.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training matrix, or whatever the estimator takes.
        y : array-like of shape (n_samples,)
            Labels.

        Returns
        -------
        self : PowerWeightedClassifier
            The fitted classifier.
        """
        refuse_missing(y, caller=type(self).__name__)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        weights = compute_class_weight("balanced", classes=classes, y=y) ** self.power
        self.estimator_ = clone(self.estimator).fit(X, y, sample_weight=weights[codes])
        self.classes_ = self.estimator_.classes_
        if hasattr(self.estimator_, "n_features_in_"):
            self.n_features_in_ = self.estimator_.n_features_in_
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the predictions of the classifier, of shape (n_samples,)."""
        check_is_fitted(self)
        return self.estimator_.predict(X)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return its probabilities, of shape (n_samples, n_classes)."""
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
