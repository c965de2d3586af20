"""Features of text pairs: each side is turned into features by its own vectorizer."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from tweetclf.utils._sklearn import HasMethods, _fit_context
from tweetclf.utils.validation import check_text_pairs

__all__ = ["PairFeatures"]


class PairFeatures(TransformerMixin, BaseEstimator):
    """Turn (text, text_b) pairs into the features of both sides, side by side.

    Use it for replies, premises and other pairs, in front of any classifier.

    Parameters
    ----------
    vectorizer : transformer
        Text to matrix. It is cloned and fitted once for each side.

    Attributes
    ----------
    vectorizer_a_ : transformer
        Fitted on the first texts.
    vectorizer_b_ : transformer
        Fitted on the second texts.

    Examples
    --------
    >>> from tweetclf.features import NgramTfidfVectorizer, PairFeatures
    >>> pairs = [("llueve", "mentira"), ("hay sol", "es verdad")]
    >>> features = PairFeatures(NgramTfidfVectorizer()).fit(pairs)
    >>> features.get_feature_names_out().tolist()
    ['a__hay', 'a__llueve', 'a__sol', 'b__es', 'b__mentira', 'b__verdad']
    >>> features.transform(pairs).shape
    (2, 6)
    """

    _parameter_constraints: dict = {
        "vectorizer": [HasMethods(["fit_transform", "transform"])],
    }

    def __init__(self, vectorizer: Any) -> None:
        self.vectorizer = vectorizer

    def fit(self, X: Any, y: Any = None) -> PairFeatures:
        """Fit one clone of the vectorizer on each side.

        Parameters
        ----------
        X : sequence of pairs of str, of length n_samples
            2-tuples, or two columns of a table.
        y : array of shape (n_samples,), optional
            Passed on to the vectorizer.

        Returns
        -------
        PairFeatures
            This object.
        """
        self.fit_transform(X, y)
        return self

    # The vectorizer checks its own parameters.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Fit on pairs and return their features.

        Parameters
        ----------
        X : sequence of pairs of str, of length n_samples
            2-tuples, or two columns of a table.
        y : array of shape (n_samples,), optional
            Passed on to the vectorizer.

        Returns
        -------
        {ndarray, sparse matrix} of shape (n_samples, n_features)
            Features of the first texts, then of the second ones.
        """
        first, second = check_text_pairs(X, caller=type(self).__name__)
        self.vectorizer_a_ = clone(self.vectorizer)
        self.vectorizer_b_ = clone(self.vectorizer)
        return _hstack(
            self.vectorizer_a_.fit_transform(first, y),
            self.vectorizer_b_.fit_transform(second, y),
        )

    def transform(self, X: Any) -> Any:
        """Return the features of pairs.

        Parameters
        ----------
        X : sequence of pairs of str, of length n_samples
            2-tuples, or two columns of a table.

        Returns
        -------
        {ndarray, sparse matrix} of shape (n_samples, n_features)
            Features of the first texts, then of the second ones.
        """
        check_is_fitted(self)
        first, second = check_text_pairs(X, caller=type(self).__name__)
        return _hstack(
            self.vectorizer_a_.transform(first), self.vectorizer_b_.transform(second)
        )

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return ``a__name`` and ``b__name`` for the names of both vectorizers.

        Parameters
        ----------
        input_features : None
            Not used.

        Returns
        -------
        ndarray of str
            Names of the output columns.
        """
        check_is_fitted(self)
        return np.array(
            [f"a__{name}" for name in self.vectorizer_a_.get_feature_names_out()]
            + [f"b__{name}" for name in self.vectorizer_b_.get_feature_names_out()],
            dtype=object,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = True
        return tags


def _hstack(first: Any, second: Any) -> Any:
    if sparse.issparse(first) or sparse.issparse(second):
        return sparse.hstack([first, second], format="csr")
    return np.hstack([np.asarray(first), np.asarray(second)])
