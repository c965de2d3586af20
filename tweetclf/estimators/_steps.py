"""Wrapping that the factories share: text pairs and several labels a text."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.multiclass import OneVsRestClassifier

from tweetclf.features import PairFeatures

__all__ = ["for_pairs", "one_vs_rest"]


def for_pairs(vectorizer: BaseEstimator, pairs: bool) -> BaseEstimator:
    """Return `vectorizer`, or one that applies it to both sides of text pairs."""
    if not pairs:
        return vectorizer
    return PairFeatures(vectorizer)


def one_vs_rest(classifier: Any, multilabel: bool) -> Any:
    """Return `classifier`, or one copy of it a column of an indicator matrix."""
    return OneVsRestClassifier(classifier) if multilabel else classifier
