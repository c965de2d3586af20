"""What is particular to networks over words: their vectors, and bags of words."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from tweetclf.estimators._neural import NeuralEstimator
from tweetclf.estimators._training_options import options_of
from tweetclf.exceptions import DataError
from tweetclf.features import PairFeatures, WordVectors
from tweetclf.features._files import MissingFileError, find_vectors
from tweetclf.features._kept import read_vectors
from tweetclf.features._tokens import tokenize
from tweetclf.training.options import TrainingOptions
from tweetclf.utils._sklearn import HasMethods, Interval

__all__ = ["OverWords"]

# Dimensions of vectors that are learnt or trained where none are given.
_DIM = 100
# Words that occur less often share the vector of unknown ones, which is learnt so.
_MIN_COUNT = 2
# Numbers below are padding and unknown words.
_FIRST_WORD = 2
# Figure 1 of Perez & Luque (2019).
_BAG_SIZE = 512


def _is(kind: type, value: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _are_sizes(*values: Any) -> bool:
    return all(_is(Integral, value) and value >= 1 for value in values)


def _are_shares(*values: Any) -> bool:
    return all(_is(Real, value) and 0 <= value < 1 for value in values)


def _are_rate_and_decay(rate: Any, decay: Any) -> bool:
    numbers = _is(Real, rate) and _is(Real, decay)
    return numbers and 0 < rate < math.inf and 0 <= decay < math.inf


# What the two values of a parameter must be, in code and in words.
_PAIRS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "dense_size": (_are_sizes, "an int of at least 1, or two of them"),
    "dropout": (_are_shares, "at least 0 and less than 1, or two such numbers"),
    "learning_rate": (
        _are_rate_and_decay,
        "a positive rate, or one with a decay of at least 0",
    ),
}


class OverWords:
    """What `BiLSTMClassifier` and `BiLSTMRegressor` share."""

    embeddings: Any
    tokenizer: Any
    hidden_size: int
    dense_size: int | tuple[int, int]
    dropout: float | tuple[float, float]
    max_length: int
    mask: bool
    bag_of_words: Any
    learning_rate: float | tuple[float, float]
    pairs: bool

    _can: ClassVar[tuple[str, ...]] = ("compile",)

    vocabulary_: dict[str, int] | None
    word_vectors_: WordVectors | None
    embedder_: Any
    input_size_: int
    bag_of_words_: Any
    n_terms_: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NeuralEstimator._parameter_constraints,
        "embeddings": [
            str,
            os.PathLike,
            Interval(Integral, 1, None, closed="left"),
            WordVectors,
            HasMethods("token_vectors"),
            None,
        ],
        "tokenizer": [callable, None],
        "hidden_size": [Interval(Integral, 1, None, closed="left")],
        "dense_size": [Interval(Integral, 1, None, closed="left"), tuple, list],
        "dropout": [Interval(Real, 0, 1, closed="left"), tuple, list],
        "max_length": [Interval(Integral, 1, None, closed="left")],
        "mask": ["boolean"],
        "bag_of_words": [HasMethods(["fit_transform", "transform"]), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), tuple, list],
    }

    # Words

    def _tokenize(self, texts: list[str]) -> list[list[str]]:
        if self.tokenizer is None and self.embedder_ is not None:
            tokens = self.embedder_.tokenize(texts)
        else:
            tokens = tokenize(self.tokenizer, texts)
        return [list(row[: self.max_length]) for row in tokens]

    def _fit_inputs(self, rows: list[Any], seed: int) -> None:
        self.vocabulary_ = self.word_vectors_ = self.embedder_ = None
        texts = [text for row in rows for text in row] if self.pairs else rows
        if hasattr(self.embeddings, "token_vectors"):
            self.embedder_ = clone(self.embeddings).fit(texts)
            self.input_size_ = self.embedder_.token_vectors([["a"]])[0].shape[1]
        else:
            self._fit_words(self._tokenize(texts), seed)
        self._fit_bag(rows)

    def _fit_words(self, tokens: list[list[str]], seed: int) -> None:
        if self.embeddings == "learned" or isinstance(self.embeddings, Integral):
            counts = Counter(token for row in tokens for token in row)
            kept = sorted(word for word, n in counts.items() if n >= _MIN_COUNT)
            self.vocabulary_ = {w: k for k, w in enumerate(kept, start=_FIRST_WORD)}
            learnt = isinstance(self.embeddings, Integral)
            self.input_size_ = int(self.embeddings) if learnt else _DIM
        else:
            self.word_vectors_ = self._find_vectors(tokens, seed)
            self.input_size_ = self.word_vectors_.dim

    def _find_vectors(self, tokens: list[list[str]], seed: int) -> WordVectors:
        if isinstance(self.embeddings, WordVectors):
            return self.embeddings
        if self.embeddings is None:
            trained = WordVectors.train(tokens, dim=_DIM, seed=seed % 2**31)
            return _rescaled(trained, tokens)
        caller = type(self).__name__
        return read_vectors(self.embeddings, parameter=f"embeddings of {caller}")

    def _fit_bag(self, rows: list[Any]) -> None:
        self.bag_of_words_, self.n_terms_ = None, 0
        if self.bag_of_words is None:
            return
        bag = clone(self.bag_of_words)
        self.bag_of_words_ = PairFeatures(bag) if self.pairs else bag
        self.n_terms_ = int(self.bag_of_words_.fit_transform(rows).shape[1])

    def _token_rows(self, texts: list[str]) -> Any:
        """Return the words of texts as `TokenRows`."""
        from tweetclf.estimators._token_inputs import TokenRows

        tokens = self._tokenize(texts)
        if not self.mask:
            # What the released code did: all texts are of one length, and what is
            # missing are empty words, looked up and read as others are.
            tokens = [row + [""] * (self.max_length - len(row)) for row in tokens]
        if self.embedder_ is not None:
            vectors = self.embedder_.token_vectors(tokens)
            ends = np.cumsum([len(row) for row in vectors])
            numbers = [
                np.arange(end - len(row), end)
                for row, end in zip(vectors, ends.tolist(), strict=True)
            ]
            empty = np.empty((0, self.input_size_), dtype=np.float32)
            return TokenRows(numbers, np.concatenate([empty, *vectors]))
        if self.vocabulary_ is not None:
            known = {"": 0, **self.vocabulary_}
            return TokenRows([_numbers(row, known, 1) for row in tokens])
        words: dict[str, int] = {}
        for row in tokens:
            for word in row:
                words.setdefault(word, len(words))
        assert self.word_vectors_ is not None
        vectors = self.word_vectors_.vectors(list(words))
        return TokenRows([_numbers(row, words, 0) for row in tokens], vectors)

    def _inputs(self, rows: list[Any]) -> Any:
        from tweetclf.estimators._token_inputs import TokenInputs

        sides = list(zip(*rows, strict=True)) if self.pairs else [rows]
        bag = None
        if self.bag_of_words_ is not None:
            bag = self.bag_of_words_.transform(rows)
        return TokenInputs([self._token_rows(list(side)) for side in sides], bag)

    # Network

    def _make_module(self, n_outputs: int) -> Any:
        from tweetclf.modules.bilstm import BiLSTMNet

        n_words = None
        if self.vocabulary_ is not None:
            n_words = _FIRST_WORD + len(self.vocabulary_)
        dense_size, bag_size = self._pair("dense_size", second=_BAG_SIZE)
        return BiLSTMNet(
            n_outputs,
            input_size=self.input_size_,
            n_words=n_words,
            hidden_size=self.hidden_size,
            dense_size=dense_size,
            dropout=self._pair("dropout"),
            masked=self.mask,
            n_terms=self.n_terms_,
            bag_size=bag_size,
            pairs=self.pairs,
        )

    def _pair(self, name: str, second: Any = None) -> tuple[Any, Any]:
        """Return the two values of a parameter of which one may stand for both."""
        value = getattr(self, name)
        if not isinstance(value, tuple | list):
            return value, value if second is None else second
        are_right, wanted = _PAIRS[name]
        if len(value) != 2 or not are_right(*value):
            raise DataError(
                f"{type(self).__name__}: the {name!r} parameter must be {wanted}. Got "
                f"{value!r} instead."
            )
        return value[0], value[1]

    def _train(self, job: Any) -> list[dict[str, Any]]:
        from functools import partial

        from tweetclf.estimators._neural_compute import train
        from tweetclf.modules.bilstm import keras_decay
        from tweetclf.training.by_name import make_optimizer
        from tweetclf.training.optimizers import KerasAdam

        rate, decay = self._pair("learning_rate", second=0.0)
        optimizer = make_optimizer(
            options_of(self),
            job.module.parameters(),
            lr=rate,
            own=partial(KerasAdam, betas=(0.9, 0.999), eps=1e-7),
        )
        return train(
            self,
            job,
            optimizer=optimizer,
            schedule=partial(keras_decay, decay=decay),
            stop_by_loss=True,
        )

    def _check_own_options(self, options: TrainingOptions) -> None:
        super()._check_own_options(options)  # type: ignore[misc]
        for name in _PAIRS:
            self._pair(name)
        self._check_embeddings()
        _, decay = self._pair("learning_rate", second=0.0)
        if decay and options.schedule is not None:
            raise DataError(
                f"{type(self).__name__}: learning_rate={self.learning_rate!r} has a "
                f"decay, and schedule={options.schedule!r} says what the rate does, "
                "too. Give one of them."
            )

    def _check_embeddings(self) -> None:
        """Refuse vectors that cannot be had, before the texts are read for words."""
        caller, given = type(self).__name__, self.embeddings
        if getattr(given, "n_components", None) is not None:
            raise DataError(
                f"{caller}: embeddings={type(given).__name__}(n_components="
                f"{given.n_components!r}) would not be followed: principal components "
                "are of the means of texts, and the network reads the vectors of their "
                "words. Set n_components=None."
            )
        if isinstance(given, str | os.PathLike) and given != "learned":
            try:
                find_vectors(given, parameter=f"embeddings of {caller}")
            except MissingFileError as error:
                raise MissingFileError(
                    f'{error} embeddings="learned" learns vectors with the network.'
                ) from None


def _rescaled(trained: WordVectors, tokens: list[list[str]]) -> WordVectors:
    """Return vectors whose entries have mean square 1 over the words of a corpus.

    Skip-gram starts from tiny vectors, and on few texts they stay so tiny that the
    network would take them for one.
    """
    words = [word for row in tokens for word in row]
    square = float(np.square(trained.vectors(words), dtype=np.float64).mean())
    factor = np.float32(1.0 / np.sqrt(square)) if square > 0 else np.float32(1.0)
    return WordVectors(
        trained.words,
        trained.matrix * factor,
        counts=trained.counts,
        minn=trained.minn,
        maxn=trained.maxn,
        bucket=trained.bucket,
    )


def _numbers(
    words: list[str], known: Mapping[str, int], default: int
) -> NDArray[np.int64]:
    return np.array([known.get(word, default) for word in words], dtype=np.int64)
