"""A soft vote that fits only the members that count, and each of them once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import Bunch
from sklearn.utils.validation import check_memory

from tweetclf.estimators._labels import check_labels, read_texts
from tweetclf.exceptions import DataError

__all__ = ["SoftVotingClassifier", "fit_member"]


def fit_member(member: Any, X: Any, y: Any) -> Any:
    """Fit one member of a vote; what a memory remembers."""
    return member.fit(X, y)


class SoftVotingClassifier(VotingClassifier):
    """Average the probabilities of several text classifiers.

    scikit-learn's ``VotingClassifier(voting="soft")`` in two respects made fit for
    searches over `weights`: members of weight 0 are not fitted, and with a `memory`
    no member is fitted twice on the same data.

    Parameters
    ----------
    estimators : list of (str, estimator or "drop")
        The members, with their names.
    weights : sequence of float or None, default=None
        Weights of the members, none negative and not all 0; equal ones by default.
    memory : str, joblib.Memory-like object or None, default=None
        Where fitted members are remembered, as in :class:`sklearn.pipeline.Pipeline`;
        a member is found again by its parameters and its training data.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order.
    estimators_ : list of estimator
        The fitted members of weight above 0.
    named_estimators_ : Bunch
        The same by name; ``"drop"`` stands for those of weight 0.
    weights_ : ndarray of shape (n_members,)
        The weights in use, 0 for a member that is dropped; float64.

    Raises
    ------
    DataError
        If there is not one weight a member, one is negative or infinite, or all are 0.

    Examples
    --------
    >>> from tweetclf.estimators import SoftVotingClassifier, nbsvm, tfidf_lr
    >>> members = [("words", tfidf_lr()), ("ratios", nbsvm(learner="lr"))]
    >>> vote = SoftVotingClassifier(members, weights=[2, 1])
    >>> vote = vote.fit(["qué risa", "qué pena"] * 3, ["P", "N"] * 3)
    >>> print(*vote.predict(["risa"]))
    P
    """

    def __init__(
        self,
        estimators: list[tuple[str, Any]],
        *,
        weights: Any = None,
        memory: Any = None,
    ) -> None:
        self.estimators = estimators
        self.weights = weights
        self.memory = memory

    # What VotingClassifier has as parameters is settled here.
    voting = "soft"
    n_jobs = None
    flatten_transform = True
    verbose = False

    def _member_weights(self) -> NDArray[np.float64]:
        n_members = len(self.estimators)
        weights = np.asarray(
            np.ones(n_members) if self.weights is None else self.weights,
            dtype=np.float64,
        )
        if weights.shape != (n_members,):
            raise DataError(
                f"{type(self).__name__} has {n_members} members and got "
                f"weights={self.weights!r}; give one weight a member."
            )
        dropped = [member == "drop" for _, member in self.estimators]
        counted = np.where(np.array(dropped, dtype=bool), 0.0, weights)
        if not (np.isfinite(weights) & (weights >= 0)).all() or not counted.any():
            raise DataError(
                f"{type(self).__name__}: weights must be finite, 0 or more and not all "
                f"0, and a member must be left. Got {self.weights!r} for "
                f"{n_members} members, {sum(dropped)} of them dropped."
            )
        return counted

    @property
    def _weights_not_none(self) -> NDArray[np.float64]:
        # Those of the fitted members, whatever the parameter has become since.
        return self.weights_[self.weights_ > 0]

    def fit(self, X: Any, y: Any) -> SoftVotingClassifier:
        """Fit the members whose weight is above 0.

        Parameters
        ----------
        X : sequence of str of length n_samples
            Training texts, or pairs of them.
        y : array-like of shape (n_samples,)
            Labels.

        Returns
        -------
        self : SoftVotingClassifier
            The fitted classifier.
        """
        self._validate_names([name for name, _ in self.estimators])
        self.weights_ = weights = self._member_weights()
        texts = read_texts(X, caller=type(self).__name__)
        y = check_labels(y, len(texts), caller=type(self).__name__)
        fit = check_memory(self.memory).cache(fit_member)
        # The members see codes, as scikit-learn's do.
        self.le_ = LabelEncoder().fit(y)
        self.classes_ = self.le_.classes_
        codes = self.le_.transform(y)
        self.named_estimators_ = Bunch(
            **{
                name: fit(clone(member), texts, codes) if weight > 0 else "drop"
                for (name, member), weight in zip(self.estimators, weights, strict=True)
            }
        )
        self.estimators_ = [
            fitted for fitted in self.named_estimators_.values() if fitted != "drop"
        ]
        return self
