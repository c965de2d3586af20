"""Naive Bayes log-count ratios as feature weights."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_is_fitted,
    check_non_negative,
    column_or_1d,
    validate_data,
)

from tweetclf.exceptions import DataError
from tweetclf.utils._sklearn import (
    Interval,
    StrOptions,
    _check_feature_names_in,
    _check_sample_weight,
    _fit_context,
)

__all__ = ["NBLogCountRatio"]


class NBLogCountRatio(TransformerMixin, BaseEstimator):
    """Scale features by their naive Bayes log-count ratio.

    Each column is multiplied by the logarithm of how much more often it occurs in
    one class than in the others; a linear classifier on top is an "NBSVM".

    Parameters
    ----------
    alpha : float, default=1.0
        Added to every count; above 0.
    variant : {"wang-manning", "haha"}, default="wang-manning"
        How the ratio is computed, see Notes.
    binarize : bool or "auto", default="auto"
        Replace positive values by 1 before counting and in the output. "auto" does
        so in the variant "wang-manning" alone, as published.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.
    log_ratio_ : ndarray of shape (n_blocks, n_features_in_)
        The weights: one row for two classes (of ``classes_[1]`` against
        ``classes_[0]``), else one row a class, against all others.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if `X` had any.

    See Also
    --------
    NgramTfidfVectorizer : Makes the matrix that this transformer scales.

    Notes
    -----
    With ``f`` the (binarised) rows, ``w`` the sample weights, and P and N the rows
    of the class and of the others:

    - "wang-manning": ``p = alpha + sum_P w f``, ``q = alpha + sum_N w f`` and
      ``r = log((p / |p|_1) / (q / |q|_1))``;
    - "haha": ``r = log(((sum_P w f + alpha) / (sum_P w + alpha)) / ((sum_N w f +
      alpha) / (sum_N w + alpha)))``, on the values as they are (TF-IDF there).

    More than two classes give one block of columns a class, side by side, in the
    order of `classes_`; their names are ``label:feature``. The cost is linear in the
    number of stored values.

    References
    ----------
    S. Wang and C. D. Manning, "Baselines and bigrams: simple, good sentiment and
    topic classification", ACL 2012, section 2 (ACL Anthology P12-2018).

    B. Farzin, P. Czapla and J. Howard, "Applying a pre-trained language model to
    Spanish Twitter humor prediction", IberLEF 2019: the NBSVM baseline.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.features import NBLogCountRatio
    >>> X = np.array([[1.0, 0.0], [2.0, 1.0], [0.0, 3.0]])
    >>> ratio = NBLogCountRatio().fit(X, ["joke", "joke", "news"])
    >>> ratio.log_ratio_.round(3)
    array([[-0.588,  0.511]])
    >>> ratio.transform(X).round(3)[1]
    array([-0.588,  0.511])
    """

    _parameter_constraints: dict = {
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "variant": [StrOptions({"wang-manning", "haha"})],
        "binarize": ["boolean", StrOptions({"auto"})],
    }

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        variant: str = "wang-manning",
        binarize: bool | str = "auto",
    ) -> None:
        self.alpha = alpha
        self.variant = variant
        self.binarize = binarize

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NBLogCountRatio:
        """Compute the log-count ratios.

        Parameters
        ----------
        X : {array, sparse matrix} of shape (n_samples, n_features)
            Counts or weights, none negative.
        y : array of shape (n_samples,)
            Class labels.
        sample_weight : array of shape (n_samples,), optional
            Weight of each row; 0 is the same as leaving the row out.

        Returns
        -------
        NBLogCountRatio
            This object.
        """
        X = self._check(X, reset=True)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if len(y) != X.shape[0]:
            raise DataError(
                f"{type(self).__name__} got {X.shape[0]} rows and {len(y)} labels; "
                "there must be one a row."
            )
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        kept = weight > 0
        self.classes_ = np.unique(y[kept])
        if len(self.classes_) < 2:
            raise DataError(
                f"{type(self).__name__} needs at least 2 classes; the training "
                f"labels hold {len(self.classes_)} class(es): "
                f"{self.classes_.tolist()}."
            )
        blocks = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        # (n_samples, n_blocks): the weighted membership of each row.
        member = (y[:, None] == blocks[None, :]) * weight[:, None]
        inside = np.asarray((X.T @ member).T, dtype=np.float64)
        total = np.asarray(X.T @ weight, dtype=np.float64)
        # Rounding of differences must not turn a zero count negative.
        outside = np.maximum(total - inside, 0.0)
        self.log_ratio_ = self._ratio(
            inside, outside, member.sum(axis=0)[:, None], weight.sum()
        )
        return self

    def _ratio(
        self, inside: np.ndarray, outside: np.ndarray, n_inside: np.ndarray, n: float
    ) -> np.ndarray:
        p, q = inside + self.alpha, outside + self.alpha
        if self.variant == "haha":
            return np.log(p / (n_inside + self.alpha)) - np.log(
                q / (n - n_inside + self.alpha)
            )
        return np.log(p / p.sum(axis=1, keepdims=True)) - np.log(
            q / q.sum(axis=1, keepdims=True)
        )

    def _check(self, X: Any, *, reset: bool) -> Any:
        X = validate_data(
            self,
            X,
            reset=reset,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
        )
        check_non_negative(X, type(self).__name__)
        binarize = self.binarize
        if binarize == "auto":
            binarize = self.variant == "wang-manning"
        if not binarize:
            return X
        if sparse.issparse(X):
            X = X.copy()
            X.data = (X.data > 0).astype(X.dtype)
            return X
        return (X > 0).astype(X.dtype)

    def transform(self, X: Any) -> Any:
        """Multiply each column by its log-count ratio.

        Parameters
        ----------
        X : {array, sparse matrix} of shape (n_samples, n_features)
            Counts or weights, none negative.

        Returns
        -------
        {ndarray, sparse matrix} of shape (n_samples, n_blocks * n_features)
            Sparse if `X` is; of the floating type of `X`.
        """
        check_is_fitted(self)
        X = self._check(X, reset=False)
        ratio = self.log_ratio_.astype(X.dtype, copy=False)
        if not sparse.issparse(X):
            return np.hstack([X * row for row in ratio])
        blocks = []
        for row in ratio:
            # Scaling the stored values keeps explicit zeros. The index arrays are
            # copies: who sorts those of the result in place, as liblinear's wrapper
            # does, must not tear X's values from their columns.
            block = X.copy()
            block.data = X.data * row[X.indices]
            blocks.append(block)
        if len(blocks) == 1:
            return blocks[0]
        return sparse.hstack(blocks, format="csr")

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the output columns.

        Parameters
        ----------
        input_features : array of str, optional
            Names of the input columns.

        Returns
        -------
        ndarray of str
            The input names; with more than two classes ``label:name``, block by
            block.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        if len(self.log_ratio_) == 1:
            return names
        return np.array(
            [f"{label}:{name}" for label in self.classes_ for name in names],
            dtype=object,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
