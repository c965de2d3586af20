"""Text systems for engagement prediction: frozen features under one predictor.

What differs between systems is how a post becomes a vector. Two of them are reference
points: one that does not look at users, and one that does not look at posts.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.utils.validation import check_is_fitted

from tweetclf.estimators.engagement import EngagementPredictor
from tweetclf.features import (
    ElmoVectorizer,
    NgramTfidfVectorizer,
    SIFVectorizer,
    TransformerVectorizer,
)
from tweetclf.utils.random import stream

__all__ = [
    "LatentVectorizer",
    "PopularityPredictor",
    "elmo",
    "popularity",
    "random",
    "sif",
    "tfidf",
    "transformer",
]


class LatentVectorizer(TransformerMixin, BaseEstimator):
    """TF-IDF of n-grams, reduced by a truncated singular value decomposition.

    The maps of `EngagementPredictor` are dense: hundreds of thousands of columns would
    not fit.

    Parameters
    ----------
    analyzer : {"word", "char", "char_wb"}, default="word"
        Of what the n-grams are.
    ngram_range : tuple of (int, int), default=(1, 2)
        Shortest and longest.
    min_df : int or float, default=1
        N-grams found in fewer texts are dropped.
    n_components : int, default=256
        Columns; fewer, where there are not so many texts or n-grams.
    random_state : int, RandomState instance or None, default=0
        Seed of the decomposition.

    Examples
    --------
    >>> from tweetclf.leaderboard.engagements.predictors import LatentVectorizer
    >>> texts = ["gol de penal", "llueve mucho", "gol de cabeza"]
    >>> LatentVectorizer().fit_transform(texts).shape
    (3, 2)
    """

    def __init__(
        self,
        *,
        analyzer: str = "word",
        ngram_range: tuple[int, int] = (1, 2),
        min_df: float = 1,
        n_components: int = 256,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.analyzer = analyzer
        self.ngram_range = ngram_range
        self.min_df = min_df
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> LatentVectorizer:
        """Learn n-grams and components.

        Parameters
        ----------
        X : sequence of str
            Texts.
        y : None
            Not used.
        """
        self.tfidf_ = NgramTfidfVectorizer(
            analyzer=self.analyzer,
            ngram_range=self.ngram_range,
            min_df=self.min_df,
            sublinear_tf=True,
        )
        counts = self.tfidf_.fit_transform(X)
        # One fewer than the smaller side, which the solver always gives.
        most = max(1, min(counts.shape) - 1)
        self.svd_ = TruncatedSVD(
            min(self.n_components, most), random_state=self.random_state
        ).fit(counts)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the vectors of texts.

        Parameters
        ----------
        X : sequence of str
            Texts.
        """
        check_is_fitted(self, "svd_")
        return self.svd_.transform(self.tfidf_.transform(X)).astype(np.float32)


class _NoiseVectorizer(TransformerMixin, BaseEstimator):
    """Numbers that are drawn for each text, whatever it says."""

    def __init__(self, *, n_components: int = 256, random_state: int = 0) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> _NoiseVectorizer:
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        return np.stack(
            [
                stream(self.random_state, "noise", text).standard_normal(
                    self.n_components, dtype=np.float32
                )
                for text in X
            ]
        )

    def __sklearn_is_fitted__(self) -> bool:
        return True


def _alike(user_vectors: ArrayLike) -> NDArray[np.float32]:
    return np.ones((len(np.asarray(user_vectors)), 1), dtype=np.float32)


class PopularityPredictor(EngagementPredictor):
    """The same predictor, blind to users: how much anyone engages with such a post.

    Posts to rank are new, so none has an engagement yet, and their number would be the
    hits of chance. What is left of popularity is what a text tells of it.
    """

    def fit(
        self,
        X: ArrayLike,
        y: None = None,
        *,
        user_vectors: ArrayLike,
        texts: Any,
        X_val: ArrayLike | None = None,
    ) -> PopularityPredictor:
        """Learn from engagements, all users being one.

        Parameters
        ----------
        X, y, user_vectors, texts, X_val
            As in `EngagementPredictor.fit`; of `user_vectors` only the number counts.
        """
        super().fit(X, y, user_vectors=_alike(user_vectors), texts=texts, X_val=X_val)
        return self

    def states(
        self, *, user_vectors: ArrayLike, texts: Any
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the states of users, which are equal, and of posts.

        Parameters
        ----------
        user_vectors, texts
            As in `EngagementPredictor.states`.
        """
        return super().states(user_vectors=_alike(user_vectors), texts=texts)


def transformer(
    model: str | os.PathLike[str],
    *,
    pooling: str = "combined",
    max_length: int = 128,
    precision: str = "float32",
    device: str = "auto",
    profile: str | None = None,
    cache_dir: str | None = None,
) -> EngagementPredictor:
    """Make a predictor on the states of a frozen transformer.

    Parameters
    ----------
    model : str or path
        Directory of a Hugging Face model, or its name on the hub.
    pooling : str, default="combined"
        First state and mean of those of real tokens, as TwHIN-BERT's paper has it.
    max_length, precision, device, profile, cache_dir
        As in `TransformerVectorizer`.
    """
    vectorizer = TransformerVectorizer(
        model,
        pooling=pooling,
        max_length=max_length,
        precision=precision,
        device=device,
        profile=profile,
        cache_dir=cache_dir,
    )
    return EngagementPredictor(vectorizer=vectorizer, device=device)


def tfidf(
    *,
    analyzer: str = "word",
    ngram_range: tuple[int, int] = (1, 2),
    min_df: float = 1,
    n_components: int = 256,
) -> EngagementPredictor:
    """Make a predictor on reduced TF-IDF of n-grams.

    Parameters
    ----------
    analyzer, ngram_range, min_df, n_components
        As in `LatentVectorizer`.
    """
    vectorizer = LatentVectorizer(
        analyzer=analyzer,
        ngram_range=ngram_range,
        min_df=min_df,
        n_components=n_components,
    )
    return EngagementPredictor(vectorizer=vectorizer)


def sif(
    vectors: str | os.PathLike[str],
    *,
    a: float = 1e-3,
    remove_component: bool = False,
) -> EngagementPredictor:
    """Make a predictor on averages of word vectors.

    Parameters
    ----------
    vectors : path
        Word vectors.
    a, remove_component
        As in `SIFVectorizer`.
    """
    vectorizer = SIFVectorizer(
        word_vectors=vectors, a=a, remove_component=remove_component
    )
    return EngagementPredictor(vectorizer=vectorizer)


def elmo(weights: str | os.PathLike[str]) -> EngagementPredictor:
    """Make a predictor on means of ELMo vectors.

    Parameters
    ----------
    weights : path
        The network, as in `ElmoVectorizer`.
    """
    return EngagementPredictor(vectorizer=ElmoVectorizer(weights))


def popularity(
    *, ngram_range: tuple[int, int] = (1, 2), n_components: int = 256
) -> PopularityPredictor:
    """Make a predictor that tells popular texts from others, whoever the user is.

    Parameters
    ----------
    ngram_range, n_components
        As in `LatentVectorizer`.
    """
    vectorizer = LatentVectorizer(ngram_range=ngram_range, n_components=n_components)
    return PopularityPredictor(vectorizer=vectorizer)


def random(*, n_components: int = 256) -> EngagementPredictor:
    """Make a predictor on random vectors in place of posts: what chance gives.

    Parameters
    ----------
    n_components : int, default=256
        Their width.
    """
    return EngagementPredictor(vectorizer=_NoiseVectorizer(n_components=n_components))
