"""Estimators that never read the words: the floor of every leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from tweetclf.estimators._labels import (
    check_indicator,
    check_labels,
    check_targets,
    require_texts,
)
from tweetclf.estimators._seeds import inner_seed
from tweetclf.utils._sklearn import StrOptions, _check_sample_weight, _fit_context
from tweetclf.utils.validation import check_text_pairs, check_texts

__all__ = ["TextDummyClassifier", "TextDummyRegressor"]


def _read(X: Any, pairs: bool, caller: str) -> list[str]:
    """Check texts or pairs; a pair becomes one string, its sides kept apart."""
    if pairs:
        sides = check_text_pairs(X, caller=caller)
        texts = [f"{len(a)} {a}{b}" for a, b in zip(*sides, strict=True)]
    else:
        texts = check_texts(X, caller=caller)
    require_texts(len(texts), caller=caller)
    return texts


def _uniform(texts: Sequence[str], key: int, column: int) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each text that depends on it and `key` alone."""
    # A text may hold lone surrogates, which strict UTF-8 refuses.
    salt = f"{key} {column} ".encode()
    digests = b"".join(
        blake2b(salt + text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for text in texts
    )
    # 53 bits, as many as a double keeps.
    integers = np.frombuffer(digests, "<u8") >> np.uint64(11)
    return integers.astype(np.float64) * 2.0**-53


class TextDummyClassifier(ClassifierMixin, BaseEstimator):
    """Guess labels from their training frequencies, whatever the text says.

    Unlike :class:`sklearn.dummy.DummyClassifier`, texts are validated as any other
    estimator of tweetclf validates them, and a stratified guess depends on the text
    and the seed alone: it does not change with the order or the number of texts.

    Parameters
    ----------
    strategy : {"most_frequent", "stratified"}, default="most_frequent"
        Always the most frequent label (of several, the first in sorted order), or a
        guess drawn with the labels' training frequencies.
    pairs : bool, default=False
        Take text pairs in place of texts.
    random_state : int, RandomState instance or None, default=None
        Seed of the guesses.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order; 0 and 1 for every column of an indicator matrix.
    class_prior_ : ndarray of shape (n_classes,) or (n_labels,)
        Frequency of each class, or of the 1s of each column.
    multilabel_ : bool
        Whether y was an indicator matrix.
    key_ : int
        Key of the guesses.

    Examples
    --------
    >>> from tweetclf.estimators import TextDummyClassifier
    >>> clf = TextDummyClassifier().fit(["jaja", "meh", "bah"], [1, 0, 0])
    >>> clf.predict(["hola"]).tolist()
    [0]
    """

    classes_: NDArray[Any]
    class_prior_: NDArray[np.float64]
    multilabel_: bool
    key_: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "strategy": [StrOptions({"most_frequent", "stratified"})],
        "pairs": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        strategy: str = "most_frequent",
        pairs: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.strategy = strategy
        self.pairs = pairs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TextDummyClassifier:
        """Count the labels.

        Parameters
        ----------
        X : sequence of str, or of pairs of str
            Training texts; they are checked and otherwise ignored.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels, or an indicator matrix.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the texts.

        Returns
        -------
        self : TextDummyClassifier
            The fitted classifier.
        """
        caller = type(self).__name__
        texts = _read(X, self.pairs, caller)
        # Two columns in any container NumPy can read; a column of labels is refused.
        several = y is not None and np.ndim(y) == 2 and np.shape(y)[1] > 1
        check = check_indicator if several else check_labels
        y = check(y, len(texts), caller=caller)
        weight = _check_sample_weight(
            sample_weight, texts, ensure_non_negative=True, dtype=np.float64
        )
        if several:
            self.classes_ = np.array([0, 1], dtype=y.dtype)
            prior = weight @ (y == 1) / weight.sum()
        else:
            # A class whose every text weighs nothing is as good as absent.
            y, kept = y[weight > 0], weight[weight > 0]
            self.classes_, codes = np.unique(y, return_inverse=True)
            prior = np.bincount(codes, weights=kept) / kept.sum()
        self.class_prior_ = prior
        self.multilabel_ = several
        self.key_ = inner_seed(self.random_state)
        return self

    def _guess(self, X: Any) -> NDArray[np.intp]:
        """Return the index of the guessed class of each text (and column)."""
        texts = _read(X, self.pairs, type(self).__name__)
        prior = self.class_prior_
        stratified = self.strategy == "stratified"
        if not self.multilabel_:
            if not stratified:
                return np.full(len(texts), np.argmax(prior))
            steps = np.cumsum(prior)[:-1]
            return np.searchsorted(steps, _uniform(texts, self.key_, 0), side="right")
        if not stratified:
            return np.tile((prior > 0.5).astype(np.intp), (len(texts), 1))
        columns = [
            _uniform(texts, self.key_, column) < share
            for column, share in enumerate(prior)
        ]
        return np.column_stack(columns).astype(np.intp)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return a label for each text.

        Parameters
        ----------
        X : sequence of str, or of pairs of str
            Texts.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Members of `classes_`.
        """
        check_is_fitted(self)
        return self.classes_[self._guess(X)]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return 1 for the guessed class of each text and 0 for the others.

        Parameters
        ----------
        X : sequence of str, or of pairs of str
            Texts.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Probabilities as :class:`sklearn.dummy.DummyClassifier` gives them; for
            an indicator matrix those of the 1s.
        """
        check_is_fitted(self)
        guess = self._guess(X)
        if self.multilabel_:
            return guess.astype(np.float64)
        return np.eye(len(self.classes_))[guess]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = self.pairs
        tags.classifier_tags.poor_score = True
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags


class TextDummyRegressor(RegressorMixin, BaseEstimator):
    """Answer the mean or the median of the training targets.

    Parameters
    ----------
    strategy : {"mean", "median"}, default="mean"
        The mean has the least squared error, the median the least absolute error.
    pairs : bool, default=False
        Take text pairs in place of texts.

    Attributes
    ----------
    constant_ : float
        The answer.

    Examples
    --------
    >>> from tweetclf.estimators import TextDummyRegressor
    >>> reg = TextDummyRegressor().fit(["jaja", "meh"], [4.0, 1.0])
    >>> reg.predict(["hola", "chau"]).tolist()
    [2.5, 2.5]
    """

    constant_: float

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "strategy": [StrOptions({"mean", "median"})],
        "pairs": ["boolean"],
    }

    def __init__(self, *, strategy: str = "mean", pairs: bool = False) -> None:
        self.strategy = strategy
        self.pairs = pairs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TextDummyRegressor:
        """Compute the constant.

        Parameters
        ----------
        X : sequence of str, or of pairs of str
            Training texts; they are checked and otherwise ignored.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the texts.

        Returns
        -------
        self : TextDummyRegressor
            The fitted regressor.
        """
        caller = type(self).__name__
        texts = _read(X, self.pairs, caller)
        y = check_targets(y, len(texts), caller=caller)
        weight = _check_sample_weight(
            sample_weight, texts, ensure_non_negative=True, dtype=np.float64
        )
        if self.strategy == "mean":
            self.constant_ = float(np.average(y, weights=weight))
        else:
            # The lower and the upper weighted median, averaged as np.median does.
            order = np.argsort(y)
            reached = np.cumsum(weight[order])
            half = reached[-1] / 2
            lower, upper = (
                np.searchsorted(reached, half, side=side) for side in ("left", "right")
            )
            self.constant_ = float((y[order][lower] + y[order][upper]) / 2)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the constant for each text.

        Parameters
        ----------
        X : sequence of str, or of pairs of str
            Texts.

        Returns
        -------
        ndarray of shape (n_samples,)
            The constant, repeated.
        """
        check_is_fitted(self)
        n_texts = len(_read(X, self.pairs, type(self).__name__))
        return np.full(n_texts, self.constant_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = self.pairs
        tags.regressor_tags.poor_score = True
        return tags
