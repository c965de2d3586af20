"""From one-vs-rest decision values to classes and probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import ClassifierMixin

__all__ = ["OneVsRestDecisions", "normalise_one_vs_rest"]


def normalise_one_vs_rest(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn one-vs-rest decision values into rows of probabilities that sum to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.estimators._decisions import normalise_one_vs_rest
    >>> normalise_one_vs_rest(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    if scores.ndim == 1:
        positive = expit(scores)
        return np.column_stack([1.0 - positive, positive])
    proba = expit(scores)
    total = proba.sum(axis=1, keepdims=True)
    # All sigmoids may underflow to 0; nothing is then known about the row.
    safe = np.where(total > 0, total, 1.0)
    return np.where(total > 0, proba / safe, 1.0 / scores.shape[1])


class OneVsRestDecisions(ClassifierMixin):
    """Base of linear classifiers: a subclass has `classes_` and decision values."""

    classes_: NDArray[Any]

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class of the highest decision value, of ties the first.

        Parameters
        ----------
        X : sequence of str, or matrix, of length n_samples
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Members of `classes_`.
        """
        scores = self.decision_function(X)
        index = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[index]
