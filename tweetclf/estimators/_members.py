"""What ensembles of one estimator share: a common vote of copies of it."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.metrics import accuracy_score, get_scorer, r2_score
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from tweetclf.estimators._labels import (
    check_indicator,
    check_labels,
    check_targets,
    read_texts,
    require_texts,
)
from tweetclf.estimators._neural import _in_order
from tweetclf.exceptions import DataError

__all__ = ["CopiesEnsemble", "copy_with_seed", "rows_of", "scorer_of"]


def rows_of(X: list[Any], index: NDArray[np.intp]) -> list[Any]:
    """Return the texts at some positions."""
    return [X[i] for i in index]


def copy_with_seed(estimator: Any, seed: int) -> Any:
    """Return an unfitted copy whose every ``random_state`` is `seed`."""
    copy = clone(estimator)
    names = [
        name
        for name in copy.get_params(deep=True)
        if name == "random_state" or name.endswith("__random_state")
    ]
    return copy.set_params(**dict.fromkeys(names, seed)) if names else copy


def scorer_of(scoring: str | None, estimator: Any) -> Any:
    """Return the scorer of that name, or what the estimator's ``score`` is."""
    if scoring is not None:
        return get_scorer(scoring)
    return get_scorer("r2" if is_regressor(estimator) else "accuracy")


def _members_have(method: str) -> Any:
    def check(self: Any) -> bool:
        members = self.__dict__.get("estimators_", [self.estimator])
        return all(hasattr(member, method) for member in members)

    return check


_TRIED = 500


class CopiesEnsemble(BaseEstimator):
    """Base of ensembles that average fitted copies of one estimator.

    A subclass stores `estimator` and, when it is fitted, `estimators_`.

    Attributes
    ----------
    estimators_ : list of estimator
        The fitted copies that vote.
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order; for an indicator matrix 0 to n_labels - 1. Only
        classifiers have it.
    multilabel_ : bool
        Whether y was an indicator matrix.
    votes_ : bool
        Whether members count by their answers, not by their probabilities. Only
        classifiers have it.
    """

    estimators_: list[Any]
    classes_: NDArray[Any]
    multilabel_: bool
    votes_: bool

    def _choose_rule(self, texts: list[Any]) -> None:
        """Find out how the members are joined."""
        if not is_regressor(self.estimator):
            soft = _members_have("predict_proba")(self)
            self.votes_ = not (soft and self._decides_by_probability(texts))

    def _read(self, X: Any, y: Any) -> tuple[list[Any], NDArray[Any]]:
        """Return texts and targets, checked and in an order of their own.

        Cuts and draws are by position: the order that the texts come in must not
        change the model.
        """
        return _in_order(*self._read_as_given(X, y))

    def _read_as_given(self, X: Any, y: Any) -> tuple[list[Any], NDArray[Any]]:
        caller = type(self).__name__
        texts = read_texts(X, caller=caller)
        self.__dict__.pop("classes_", None)
        self.multilabel_ = False
        if is_regressor(self.estimator):
            return texts, check_targets(y, len(texts), caller=caller)
        self.multilabel_ = np.ndim(y) == 2
        if self.multilabel_:
            targets = check_indicator(y, len(texts), caller=caller).astype(np.int64)
            self.classes_ = np.arange(targets.shape[1])
            return texts, targets
        targets = check_labels(y, len(texts), caller=caller)
        self.classes_ = np.unique(targets)
        return texts, targets

    def _fit_copy(self, copy: Any, train: tuple[Any, Any], held: Any) -> Any:
        """Fit a copy, which sees held-out rows if it can stop early by them."""
        parameters = inspect.signature(copy.fit).parameters
        if held is not None and {"X_val", "y_val"} <= set(parameters):
            texts, targets = held
            if targets.ndim == 1 and hasattr(self, "classes_"):
                # A fold may lack a class of the others; it cannot validate on it.
                known = np.flatnonzero(np.isin(targets, train[1]))
                texts, targets = rows_of(texts, known), targets[known]
            if len(texts):
                return copy.fit(*train, X_val=texts, y_val=targets)
        return copy.fit(*train)

    def _probabilities(self, X: list[Any]) -> NDArray[np.float64]:
        total = np.zeros((len(X), len(self.classes_)))
        for member in self.estimators_:
            proba = np.asarray(member.predict_proba(X))
            if self.multilabel_:
                total += proba
            else:
                # A fold may lack a class; it gives it no probability.
                total[:, np.searchsorted(self.classes_, member.classes_)] += proba
        return total / len(self.estimators_)

    def _votes(self, X: list[Any]) -> NDArray[np.float64]:
        """Return which share of the members is for each class or label."""
        total = np.zeros((len(X), len(self.classes_)))
        for member in self.estimators_:
            predicted = np.asarray(member.predict(X))
            if self.multilabel_:
                total += predicted
            else:
                codes = np.searchsorted(self.classes_, predicted)
                total[np.arange(len(X)), codes] += 1
        return total / len(self.estimators_)

    def _decides_by_probability(self, X: list[Any]) -> bool:
        """Tell whether each member answers what its probabilities say by themselves.

        One with a threshold of its own does not, and then counts by its answers: the
        mean of the probabilities would pass over what was tuned. Tried on some of
        the training texts, once, so that no answer depends on the texts beside it.
        """
        X = X[:: max(1, len(X) // _TRIED)]
        for member in self.estimators_:
            proba = np.asarray(member.predict_proba(X))
            predicted = np.asarray(member.predict(X))
            if self.multilabel_:
                plain = (proba > 0.5) == predicted.astype(bool)
                plain |= np.isclose(proba, 0.5)
            else:
                chosen = proba[
                    np.arange(len(proba)),
                    np.searchsorted(member.classes_, predicted),
                ]
                plain = chosen >= proba.max(axis=1) - 1e-9
            if not plain.all():
                return False
        return True

    def _checked(self, X: Any) -> list[Any]:
        check_is_fitted(self, "estimators_")
        caller = type(self).__name__
        texts = read_texts(X, caller=caller)
        require_texts(len(texts), caller=caller)
        return texts

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the mean of numbers, or the class of the highest mean probability.

        Members without probabilities have one vote each, and so have members that
        decide by other thresholds than their highest probability, or 1/2. Of an
        indicator matrix, labels are predicted whose mean is over 1/2.

        Parameters
        ----------
        X : sequence of str, or of pairs of str, of length n_samples
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Predictions; of equally good classes the first.
        """
        texts = self._checked(X)
        if is_regressor(self.estimator):
            return np.mean([m.predict(texts) for m in self.estimators_], axis=0)
        support = self._votes(texts) if self.votes_ else self._probabilities(texts)
        if self.multilabel_:
            return (support > 0.5).astype(np.int64)
        return self.classes_[support.argmax(axis=1)]

    @available_if(_members_have("predict_proba"))
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the mean of the members' probabilities.

        Parameters
        ----------
        X : sequence of str, or of pairs of str, of length n_samples
            As in `fit`.

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_classes)
            A column a class or label.
        """
        return self._probabilities(self._checked(X))

    def score(self, X: Any, y: Any) -> float:
        """Return accuracy, exact match of an indicator matrix, or R2 of numbers.

        Parameters
        ----------
        X : sequence of str, or of pairs of str, of length n_samples
            Texts.
        y : array-like
            Gold labels or numbers.

        Returns
        -------
        float
            1 at best.
        """
        measure = r2_score if is_regressor(self.estimator) else accuracy_score
        return float(measure(y, self.predict(X)))

    def _require_predictor(self) -> None:
        if not is_classifier(self.estimator) and not is_regressor(self.estimator):
            raise DataError(
                f"{type(self).__name__} needs a classifier or regressor; "
                f"{type(self.estimator).__name__} is neither."
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = inner.classifier_tags
        tags.regressor_tags = inner.regressor_tags
        tags.target_tags = inner.target_tags
        tags.input_tags = inner.input_tags
        return tags
