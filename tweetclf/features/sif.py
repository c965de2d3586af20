"""Tweet embeddings: weighted averages of word vectors."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from tweetclf.features._embedding import Averaging, IndexedTokens
from tweetclf.features._files import MissingFileError
from tweetclf.features._kept import read_vectors
from tweetclf.features._tokens import require_texts, tokenize
from tweetclf.features.vectors import WordVectors
from tweetclf.utils._sklearn import Interval, StrOptions, _fit_context
from tweetclf.utils.validation import check_texts

__all__ = ["SIFVectorizer"]


class SIFVectorizer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, Averaging
):
    r"""Turn texts into dense vectors: averages of their words' vectors.

    Rare words say more than frequent ones: smooth inverse frequency (SIF) weighs a
    word by ``a / (a + p)``. Use the vectors alone, or in a FeatureUnion with n-grams.

    Parameters
    ----------
    word_vectors : path, WordVectors or None, default=None
        Where the words' vectors come from. None trains skip-gram vectors with
        subwords on the training texts and `extra_corpus` (needs gensim).
    tokenizer : callable, optional
        Text to tokens; by default :class:`tweetclf.preprocessing.TweetTokenizer`.
    weighting : {"sif", "mean"}, default="sif"
        Smooth inverse frequency, or equal weights.
    a : float, default=1e-3
        Smoothing of "sif": words much rarer than `a` weigh 1.
    per : {"token", "text"}, default="token"
        What a word's occurrences in training are divided by to give ``p``: the number
        of all tokens, which makes a probability, or the number of texts, as Atalaya's
        code did: occurrences a text, which may exceed 1.
    divide_by : {"nonzero", "tokens", "weights"}, default="nonzero"
        What the weighted sum is divided by: the number of tokens that have a vector,
        the number of all tokens, or the sum of the weights of those with a vector.
    normalize_words : bool, default=False
        Scale every word vector to unit length first, as fastText's sentence vectors
        do.
    newline_token : bool, default=False
        Add the token ``"\n"`` to every text, in `fit` too, as Atalaya's code did.
    remove_component : bool, default=False
        Subtract the projection on the first right singular vector of the training
        embedding.
    extra_corpus : sequence of str or path, optional
        More texts to train vectors on; of a file, one text a line. Used only if
        `word_vectors` is None.
    training_tokenizer : callable, optional
        Tokenizer for training vectors; by default `tokenizer`.
    dim, window, epochs, min_count, bucket, engine
        Training of vectors, see :meth:`WordVectors.train`. Used only if
        `word_vectors` is None.
    random_state : int, RandomState or None, default=None
        Seed of training vectors.

    Attributes
    ----------
    word_vectors_ : WordVectors
        The vectors in use.
    vocabulary_ : dict of str to int
        Row of `probabilities_` of each training token; empty for "mean".
    probabilities_ : ndarray of float64
        ``p`` of each training token.
    component_ : ndarray of shape (dim,) or None
        The direction that is removed.

    See Also
    --------
    WordVectors : Reads and trains the vectors.

    Notes
    -----
    A text's vector is ``sum_t w(t) v(t) / n`` over its tokens ``t``, with ``n`` as
    `divide_by` says and ``w(t) = a / (a + p(t))``; tokens unseen in training weigh 1.
    A text without any vector gets zeros. A whole batch is summed at once, by a compiled
    kernel if Numba is there and else by a sparse product, with the same bits.

    Arora et al. remove the first component of the very batch they embed; here it is
    that of the training texts, so that a text's vector never depends on its
    neighbours. There is no centring, as in their code.

    Published settings: "sif" with ``a=1e-3, divide_by="nonzero",
    remove_component=True`` (Arora et al.); ``a=0.1, divide_by="tokens"`` (Atalaya's
    paper); ``a=1.0, per="text", divide_by="tokens", newline_token=True`` (Atalaya's
    code); ``weighting="mean", normalize_words=True, divide_by="nonzero"`` (fastText's
    sentence vectors).

    References
    ----------
    S. Arora, Y. Liang and T. Ma, "A simple but tough-to-beat baseline for sentence
    embeddings", ICLR 2017, algorithm 1.

    J. M. Pérez and F. M. Luque, "Atalaya at SemEval 2019 Task 5: robust embeddings
    for tweet classification", SemEval 2019, section 3.1 (ACL Anthology S19-2008).

    Examples
    --------
    >>> from tweetclf.features import SIFVectorizer, WordVectors
    >>> vectors = WordVectors(["hola", "chau"], [[1.0, 0.0], [0.0, 1.0]])
    >>> sif = SIFVectorizer(vectors, tokenizer=str.split, weighting="mean")
    >>> sif.fit_transform(["hola chau", "hola", "nada"])
    array([[0.5, 0.5],
           [1. , 0. ],
           [0. , 0. ]], dtype=float32)
    >>> sif.get_feature_names_out().tolist()
    ['sifvectorizer0', 'sifvectorizer1']
    """

    _parameter_constraints: dict = {
        "word_vectors": [str, os.PathLike, WordVectors, None],
        "tokenizer": [callable, None],
        "weighting": [StrOptions({"sif", "mean"})],
        "a": [Interval(Real, 0, None, closed="neither")],
        "per": [StrOptions({"token", "text"})],
        "divide_by": [StrOptions({"nonzero", "tokens", "weights"})],
        "normalize_words": ["boolean"],
        "newline_token": ["boolean"],
        "remove_component": ["boolean"],
        "extra_corpus": ["array-like", str, os.PathLike, None],
        "training_tokenizer": [callable, None],
        "dim": [Interval(Integral, 1, None, closed="left")],
        "window": [Interval(Integral, 1, None, closed="left")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "min_count": [Interval(Integral, 1, None, closed="left")],
        "bucket": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "engine": [StrOptions({"gensim", "fasttext"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        word_vectors: str | os.PathLike[str] | WordVectors | None = None,
        *,
        tokenizer: Callable[[str], Sequence[str]] | None = None,
        weighting: str = "sif",
        a: float = 1e-3,
        per: str = "token",
        divide_by: str = "nonzero",
        normalize_words: bool = False,
        newline_token: bool = False,
        remove_component: bool = False,
        extra_corpus: Sequence[str] | str | os.PathLike[str] | None = None,
        training_tokenizer: Callable[[str], Sequence[str]] | None = None,
        dim: int = 50,
        window: int = 5,
        epochs: int = 5,
        min_count: int = 1,
        bucket: int | str = "auto",
        engine: str = "gensim",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.word_vectors = word_vectors
        self.tokenizer = tokenizer
        self.weighting = weighting
        self.a = a
        self.per = per
        self.divide_by = divide_by
        self.normalize_words = normalize_words
        self.newline_token = newline_token
        self.remove_component = remove_component
        self.extra_corpus = extra_corpus
        self.training_tokenizer = training_tokenizer
        self.dim = dim
        self.window = window
        self.epochs = epochs
        self.min_count = min_count
        self.bucket = bucket
        self.engine = engine
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> SIFVectorizer:
        """Get or train the word vectors; learn token frequencies.

        Parameters
        ----------
        X : sequence of str of length n_samples
            The training texts.
        y : None
            Not used.

        Returns
        -------
        SIFVectorizer
            This object.
        """
        self._fit(X, embed=self.remove_component)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Fit and return the vectors of the training texts.

        Parameters
        ----------
        X : sequence of str of length n_samples
            The training texts.
        y : None
            Not used.

        Returns
        -------
        ndarray of float32 of shape (n_samples, dim)
            One vector a text.
        """
        return self._remove_component(self._fit(X, embed=True))

    @_fit_context(prefer_skip_nested_validation=True)
    def _fit(self, X: Any, embed: bool) -> Any:
        caller = type(self).__name__
        texts = require_texts(check_texts(X, caller=caller), caller=caller)
        tokens = tokenize(self.tokenizer, texts)
        self.word_vectors_ = self._find_vectors(texts, tokens)
        self._n_features_out = self.word_vectors_.dim
        indexed = self._index(tokens)
        self._count(indexed)
        self.component_ = None
        if not embed:
            return None
        embedding = self._average(indexed)
        if self.remove_component:
            self.component_ = _first_right_singular_vector(embedding)
        return embedding

    def _find_vectors(
        self, texts: list[str], tokens: Sequence[Sequence[str]]
    ) -> WordVectors:
        if isinstance(self.word_vectors, WordVectors):
            return self.word_vectors
        if self.word_vectors is not None:
            return read_vectors(
                self.word_vectors,
                parameter="word_vectors of SIFVectorizer (vectors of a recipe)",
            )
        tokenizer = self.training_tokenizer
        if tokenizer is None:
            tokenizer = self.tokenizer
        else:
            tokens = tokenize(tokenizer, texts)
        extra = tokenize(tokenizer, self._extra_texts())
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        return WordVectors.train(
            [*tokens, *extra],
            dim=self.dim,
            window=self.window,
            epochs=self.epochs,
            min_count=self.min_count,
            bucket=self.bucket,
            engine=self.engine,
            seed=seed,
        )

    def _extra_texts(self) -> list[str]:
        if self.extra_corpus is None:
            return []
        if isinstance(self.extra_corpus, str | os.PathLike):
            path = Path(self.extra_corpus)
            if not path.is_file():
                raise MissingFileError(
                    "extra_corpus of SIFVectorizer: a str is the path of a file with "
                    f"one text a line, and there is none at {os.fspath(path)!r}. Pass "
                    "the path of one, or the texts themselves as a list."
                )
            with path.open(encoding="utf-8", newline="\n") as file:
                return [line.rstrip("\r\n") for line in file if line.strip()]
        return check_texts(
            self.extra_corpus, caller=type(self).__name__, name="extra_corpus"
        )

    def _count(self, tokens: IndexedTokens) -> None:
        if self.weighting == "mean":
            self.vocabulary_: dict[str, int] = {}
            self.probabilities_ = np.empty(0)
            return
        self.vocabulary_ = tokens.words
        counts = np.bincount(tokens.ids, minlength=len(tokens.words))
        n_texts = len(tokens.indptr) - 1
        total = len(tokens.ids) if self.per == "token" else n_texts
        self.probabilities_ = counts / max(total, 1)

    def transform(self, X: Any) -> np.ndarray:
        """Return the vectors of texts.

        Parameters
        ----------
        X : sequence of str of length n_samples
            The texts.

        Returns
        -------
        ndarray of float32 of shape (n_samples, dim)
            One vector a text; zeros for a text without any known word.
        """
        check_is_fitted(self)
        caller = type(self).__name__
        texts = require_texts(check_texts(X, caller=caller), caller=caller)
        return self._embed(tokenize(self.tokenizer, texts))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _first_right_singular_vector(embedding: np.ndarray) -> np.ndarray:
    """Return it as float32; its sign does not matter to a projection."""
    rows = embedding.astype(np.float64)
    # The Gram matrix is dim x dim: exact to rounding and needs no iteration.
    _, vectors = np.linalg.eigh(rows.T @ rows)
    return vectors[:, -1].astype(np.float32)
