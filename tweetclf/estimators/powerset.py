"""Several binary labels a text as one class each combination."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from tweetclf.estimators._labels import check_indicator, check_labels
from tweetclf.exceptions import DataError
from tweetclf.utils._sklearn import HasMethods, _check_sample_weight, _fit_context

__all__ = ["LabelPowerset"]


def _estimator_has(method: str) -> Any:
    def check(powerset: LabelPowerset) -> bool:
        fitted = getattr(powerset, "estimator_", powerset.estimator)
        getattr(fitted, method)  # its AttributeError says why it has none
        return True

    return check


class LabelPowerset(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Predict several binary labels as one class for each combination of them.

    This is how most systems of HatEval's subtask B read the triple of hate speech
    (HS), individual target (TR) and aggressiveness (AG): of the eight combinations
    five occur (000, 100, 101, 110 and 111), so that a classifier of five classes
    cannot answer a triple that makes no sense.

    Parameters
    ----------
    estimator : classifier
        Is fitted on the combinations as classes, strings such as ``"101"``.
    labels : sequence of str or None, default=None
        Names of the labels, in order. Needed if y holds joined names such as
        ``"HS+TR"``.
    separator : str, default="+"
        Stands between the names in y.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier of combinations.
    classes_ : list of ndarray
        For each label ``[0, 1]``, as scikit-learn's multi-output classifiers have.
    combinations_ : ndarray of shape (n_combinations, n_labels)
        The combinations seen in training, in the order of ``estimator_.classes_``.
    n_labels_ : int
        Number of labels.
    layout_ : {"indicator", "bits", "names"}
        How y was written and how predictions are.

    Notes
    -----
    y may be an indicator matrix; or strings of 0 and 1, one a text and one character
    a label ("101"); or names joined by `separator` ("HS+AG", and "" for no label).
    Predictions come back in the same form. Only combinations seen in training are
    ever predicted.

    References
    ----------
    V. Basile et al. SemEval-2019 Task 5: multilingual detection of hate speech
    against immigrants and women in Twitter. SemEval 2019, section 4 (exact match
    ratio).

    J. M. Perez and F. M. Luque. Atalaya at SemEval 2019 Task 5: robust embeddings for
    tweet classification. SemEval 2019, section 3.

    Examples
    --------
    >>> from tweetclf.estimators import LabelPowerset, nbsvm
    >>> texts = ["fuera todos", "fuera vos", "buen dia", "buenas"] * 2
    >>> triples = [[1, 0, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]] * 2
    >>> clf = LabelPowerset(nbsvm()).fit(texts, triples)
    >>> clf.predict(["buen dia", "fuera vos"]).tolist()
    [[0, 0, 0], [1, 1, 1]]
    >>> clf.score(texts, triples)
    1.0
    """

    estimator_: Any
    classes_: list[NDArray[Any]]
    combinations_: NDArray[Any]
    n_labels_: int
    layout_: str

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "labels": ["array-like", None],
        "separator": [str],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        labels: Sequence[str] | None = None,
        separator: str = "+",
    ) -> None:
        self.estimator = estimator
        self.labels = labels
        self.separator = separator

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, **fit_params: Any) -> LabelPowerset:
        """Fit the classifier on the combinations of labels.

        Parameters
        ----------
        X : sequence of str of length n_samples
            Whatever the classifier takes.
        y : array-like of shape (n_samples, n_labels) or (n_samples,)
            Indicator matrix, or strings (see Notes).
        **fit_params : dict
            Go to the classifier's fit; through metadata routing where it is on.

        Returns
        -------
        self : LabelPowerset
            The fitted meta-estimator.
        """
        indicator, self.layout_ = self._indicator(y)
        self.n_labels_ = indicator.shape[1]
        self.classes_ = [np.array([0, 1], dtype=indicator.dtype)] * self.n_labels_
        joined = np.array(
            ["".join(row) for row in indicator.astype(int).astype(str).tolist()]
        )
        if get_config()["enable_metadata_routing"]:
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        self.estimator_ = clone(self.estimator).fit(X, joined, **fit_params)
        self.combinations_ = np.array(
            [[int(bit) for bit in bits] for bits in self.estimator_.classes_.tolist()]
        ).astype(indicator.dtype)
        return self

    def _indicator(
        self, y: Any, n_texts: int | None = None
    ) -> tuple[NDArray[Any], str]:
        """Return y as an indicator matrix, and how it was written."""
        caller = type(self).__name__
        if n_texts is None:
            # The classifier compares the lengths: X may be anything it takes.
            n_texts = 0 if y is None else len(y)
        if np.ndim(y) == 2:
            return check_indicator(y, n_texts, caller=caller), "indicator"
        array = check_labels(y, n_texts, caller=caller)
        if not all(isinstance(label, str) for label in array.tolist()):
            raise DataError(
                f"{caller} expected y to be an indicator matrix or strings such as "
                f"'101' or 'HS+AG'; y[0] is {array[0]!r}."
            )
        if self.labels is not None:
            return self._from_names(array.tolist()), "names"
        lengths = {len(label) for label in array.tolist()}
        if len(lengths) != 1 or not all(set(bits) <= {"0", "1"} for bits in array):
            raise DataError(
                f"{caller} expected strings of 0 and 1 of one length in y ('101'), or "
                "names joined by the separator together with the parameter 'labels'; "
                f"y[0] is {array[0]!r}."
            )
        return np.array([[int(bit) for bit in bits] for bits in array.tolist()]), "bits"

    def _from_names(self, y: list[str]) -> NDArray[Any]:
        names = list(self.labels) if self.labels is not None else []
        indicator = np.zeros((len(y), len(names)), dtype=int)
        for index, joined in enumerate(y):
            for name in filter(None, joined.split(self.separator)):
                if name not in names:
                    raise DataError(
                        f"{type(self).__name__}: y[{index}] is {joined!r}, and "
                        f"{name!r} is not one of the labels {names}."
                    )
                indicator[index, names.index(name)] = 1
        return indicator

    def _written(self, indicator: NDArray[Any]) -> NDArray[Any]:
        if self.layout_ == "indicator":
            return indicator
        if self.layout_ == "bits":
            return np.array(
                ["".join(map(str, row)) for row in indicator.astype(int).tolist()]
            )
        names = np.asarray(self.labels, dtype=object)
        return np.array([self.separator.join(names[row == 1]) for row in indicator])

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the labels of each text in the form in which `fit` got them.

        Parameters
        ----------
        X : sequence of str of length n_samples
            Texts.

        Returns
        -------
        ndarray of shape (n_samples, n_labels) or (n_samples,)
            Indicator matrix, or strings.
        """
        check_is_fitted(self)
        joined = self.estimator_.predict(X)
        rows = np.searchsorted(self.estimator_.classes_, joined)
        return self._written(self.combinations_[rows])

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each label: the sum over its combinations.

        Parameters
        ----------
        X : sequence of str of length n_samples
            Texts.

        Returns
        -------
        ndarray of shape (n_samples, n_labels)
            Probabilities. A label can have the more likely value in every single
            combination and not in the most likely one, so that rounding them does
            not always give `predict`.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X) @ self.combinations_.astype(float)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the exact match ratio: the share of texts with all labels right.

        Parameters
        ----------
        X : sequence of str of length n_samples
            Texts.
        y : array-like of shape (n_samples, n_labels) or (n_samples,)
            Gold labels, in any of the forms that `fit` takes.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the texts.

        Returns
        -------
        float
            Between 0 and 1.
        """
        predicted = self.predict(X)
        gold, _ = self._indicator(y, len(predicted))
        if self.layout_ != "indicator":
            predicted, _ = self._indicator(predicted)
        exact = (predicted == gold).all(axis=1)
        weight = _check_sample_weight(sample_weight, exact)
        return float(np.average(exact, weights=weight))

    def get_metadata_routing(self) -> MetadataRouter:
        """Tell which metadata `fit` hands on.

        Returns
        -------
        MetadataRouter
            Routes the metadata of `fit` to the classifier.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(
            estimator=self.estimator, method_mapping=mapping
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        tags.classifier_tags.multi_label = True
        tags.classifier_tags.multi_class = False
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags
