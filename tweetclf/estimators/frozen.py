"""Logistic regression on the vectors of a frozen transformer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from tweetclf.estimators._steps import one_vs_rest
from tweetclf.features import TransformerVectorizer

if TYPE_CHECKING:
    from numpy.random import RandomState

__all__ = ["DoubleScaler", "frozen_lr"]


class DoubleScaler(StandardScaler):
    """A `StandardScaler` of dense columns that answers in double precision.

    Vectors of networks are in single precision, in which logistic regression stops
    early and gives probabilities that do not sum to 1.

    Parameters
    ----------
    copy : bool, default=True
        Whether what is given is left as it is.
    with_mean : bool, default=True
        Subtract the mean of each column.
    with_std : bool, default=True
        Divide each column by its standard deviation.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.estimators import DoubleScaler
    >>> DoubleScaler().fit_transform(np.array([[1], [3]], dtype=np.float32)).dtype
    dtype('float64')
    """

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> DoubleScaler:
        """Compute mean and standard deviation of columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Vectors.
        y : None
            Not used.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows.
        """
        return super().fit(np.asarray(X, dtype=np.float64), y, sample_weight)

    def transform(self, X: Any, copy: bool | None = None) -> Any:
        """Return the columns with mean 0 and standard deviation 1.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Vectors.
        copy : bool, optional
            As in StandardScaler.
        """
        return super().transform(np.asarray(X, dtype=np.float64), copy)


def frozen_lr(
    model: str | os.PathLike[str] = "Twitter/twhin-bert-base",
    *,
    pooling: str = "combined",
    max_length: int = 128,
    precision: str = "float32",
    device: str = "auto",
    profile: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    C: float = 0.01,
    class_weight: Mapping[object, float] | str | None = None,
    pairs: bool = False,
    multilabel: bool = False,
    random_state: int | RandomState | None = 0,
) -> Pipeline:
    """Make the cheapest use of a transformer: its vectors, and logistic regression.

    Nothing of the transformer is trained. What it scores says what its pre-training
    has put into the vectors, which is what Table 5 of TwHIN-BERT compares.

    Parameters
    ----------
    model : str or path, default="Twitter/twhin-bert-base"
        Directory of a Hugging Face model, or its name on the hub.
    pooling : str, default="combined"
        From the states of tokens to a vector; see
        :class:`~tweetclf.features.TransformerVectorizer`. The paper does not say which
        it took; "combined" is what it takes for engagements.
    max_length, precision, device, profile, cache_dir
        As in :class:`~tweetclf.features.TransformerVectorizer`.
    C : float, default=0.01
        Inverse of the strength of the L2 penalty; vectors are standardised before. The
        paper does not say it: the system's grid chooses it on dev.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes.
    pairs : bool, default=False
        Take text pairs, which the model reads as one input.
    multilabel : bool, default=False
        Take an indicator matrix as y (then ``lr__estimator__C``).
    random_state : int, RandomState instance or None, default=0
        Seed of the learner.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Steps ``vectors``, ``scale`` and ``lr``.

    References
    ----------
    X. Zhang et al. TwHIN-BERT. KDD 2023, section 3.3 and Table 5 (arXiv:2209.07562).

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.estimators import frozen_lr
    >>> from tweetclf.testing import make_tiny_transformer
    >>> texts = ["jaja que risa", "que triste dia"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = make_tiny_transformer(folder, texts)
    ...     clf = frozen_lr(path).fit(texts, ["P", "N"])
    >>> print(*clf.predict(texts))
    P N
    """
    vectorizer = TransformerVectorizer(
        model,
        pooling=pooling,
        max_length=max_length,
        precision=precision,
        device=device,
        profile=profile,
        cache_dir=cache_dir,
        pairs=pairs,
    )
    learner = LogisticRegression(
        C=C, class_weight=class_weight, max_iter=2000, random_state=random_state
    )
    return Pipeline(
        [
            ("vectors", vectorizer),
            ("scale", DoubleScaler()),
            ("lr", one_vs_rest(learner, multilabel)),
        ]
    )
