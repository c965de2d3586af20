"""Bidirectional LSTMs over word vectors, as Atalaya built them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from tweetclf.estimators._neural import (
    NeuralClassifier,
    NeuralEstimator,
    NeuralRegressor,
)
from tweetclf.exceptions import DataError
from tweetclf.features import PairFeatures, WordVectors
from tweetclf.features._kept import read_vectors
from tweetclf.features._tokens import tokenize
from tweetclf.utils._sklearn import HasMethods, Interval

if TYPE_CHECKING:
    from numpy.random import RandomState

__all__ = ["BiLSTMClassifier", "BiLSTMRegressor"]

# Dimensions of vectors that are learnt or trained where none are given.
_DIM = 100
# Words that occur less often share the vector of unknown ones, which is learnt so.
_MIN_COUNT = 2
# Numbers below are padding and unknown words.
_FIRST_WORD = 2
# Figure 1 of Perez & Luque (2019).
_BAG_SIZE = 512


class _OverWords:
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
        dropout = self._pair("dropout")
        if not all(0 <= rate < 1 for rate in dropout):
            raise self._no_pair("dropout", "between 0 and 1, 1 excluded")
        return BiLSTMNet(
            n_outputs,
            input_size=self.input_size_,
            n_words=n_words,
            hidden_size=self.hidden_size,
            dense_size=dense_size,
            dropout=dropout,
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
        if len(value) != 2 or not all(isinstance(v, Real) and v >= 0 for v in value):
            raise self._no_pair(name, "a number or two of them, not negative")
        return value[0], value[1]

    def _no_pair(self, name: str, wanted: str) -> DataError:
        return DataError(
            f"{type(self).__name__}: the {name!r} parameter must be {wanted}. Got "
            f"{getattr(self, name)!r} instead."
        )

    def _train(self, job: Any) -> list[dict[str, Any]]:
        from functools import partial

        import torch

        from tweetclf.estimators._neural_compute import train
        from tweetclf.modules.bilstm import keras_decay

        rate, decay = self._pair("learning_rate", second=0.0)
        # Keras's Adam differs from torch's in its epsilon alone.
        optimizer = torch.optim.Adam(job.module.parameters(), lr=rate, eps=1e-7)
        return train(
            self,
            job,
            optimizer=optimizer,
            schedule=partial(keras_decay, decay=decay),
            stop_by_loss=True,
        )


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


class BiLSTMClassifier(_OverWords, NeuralClassifier):
    """Classify texts by a bidirectional LSTM over the vectors of their words.

    The words are read in both directions; the two last states go through dropout, a
    dense layer with ReLU, dropout and the output layer. A bag of words may stand
    beside it, with two dense layers of its own: Atalaya's LSTM-ELMo and
    LSTM-ELMo+BoW, over any vectors. Binary and multi-class (softmax), or multi-label
    (a sigmoid a column) where y is an indicator matrix.

    Parameters
    ----------
    embeddings : "learned", int, path, WordVectors, ElmoVectorizer or None, \
default="learned"
        The words' vectors. "learned" trains 100 dimensions with the network, an int
        as many as it says. None trains skip-gram vectors with subwords on the
        training texts first (needs gensim) and scales them to mean square 1. Those,
        and vectors of a file, of `WordVectors` or of an `ElmoVectorizer`, are not
        trained further; a word without one is a zero vector.
    tokenizer : callable, optional
        Text to tokens; by default that of an `ElmoVectorizer`, and else
        :class:`tweetclf.preprocessing.TweetTokenizer`.
    pairs : bool, default=False
        Take text pairs. One LSTM reads both sides; the dense layer sees both states,
        their absolute difference and their product. A bag of words has columns for
        each side.
    hidden_size : int, default=256
        Units of the LSTM, each direction.
    dense_size : int or (int, int), default=64
        Units of the dense layer. The second of two is the size of the first layer
        over the bag of words, 512 by default.
    dropout : float or (float, float), default=0.5
        Shares of units that are *dropped* after the LSTM and after the dense layer,
        and after the two layers over the bag. (Atalaya's paper gives the shares that
        are kept.)
    max_length : int, default=50
        Words beyond these are not read.
    mask : bool, default=True
        Read every text up to its end. If false, texts are filled up to `max_length`
        with empty words, which are looked up and read as others are, as Atalaya's
        code did.
    bag_of_words : transformer or None, default=None
        Texts to counts or weights of terms, such as a CountVectorizer; it is cloned
        and fitted. The second branch of the network, if given.
    max_iter : int, default=20
        Epochs, at most.
    batch_size : int, default=32
        Texts a step.
    learning_rate : float or (float, float), default=1e-3
        Of Adam. The second of two is Keras's decay: step t, counted from 0, has the
        rate ``learning_rate / (1 + decay * t)``.
    early_stopping : bool, default=False
        Stop when the loss on held-out texts no longer falls.
    validation_fraction : float, default=0.1
        Share of the training texts, of every class, that is held out then.
    n_iter_no_change : int or None, default=15
        Epochs without a lower loss after which to stop; None never stops.
    scoring : str, default="loss"
        What chooses the best epoch, whose weights are kept: "loss" or the name of a
        scorer of scikit-learn, such as "accuracy". It needs validation texts.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss, which is (1/N) sum w CE.
    label_smoothing : float, default=0.0
        Share of the target that is spread evenly over the classes.
    random_state : int, RandomState or None, default=None
        Seed of weights, batches, dropout and the held-out texts.
    device : str, default="auto"
        Where to compute: "auto" is an accelerator if there is one, else "cpu".

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order; for an indicator matrix 0 to n_labels - 1.
    multilabel_ : bool
        Whether y was an indicator matrix.
    vocabulary_ : dict of str to int, or None
        Numbers of the words whose vectors are learnt. A word that occurs once shares
        the vector of unknown words.
    word_vectors_ : WordVectors or None
        Vectors that are looked up.
    embedder_ : ElmoVectorizer or None
        The fitted one.
    bag_of_words_ : transformer or None
        The fitted one; of pairs a :class:`~tweetclf.features.PairFeatures`.
    module_ : torch.nn.Module
        The trained network.
    n_iter_ : int
        Epochs that were run.
    history_ : list of dict
        Loss and rate of every epoch, with the values of validation if there was any.

    See Also
    --------
    BiLSTMRegressor : The same for numbers.
    tweetclf.estimators.atalaya_lstm_elmo : The published settings.

    Notes
    -----
    Weights are drawn as Keras draws them, for CuDNNLSTM: see
    :func:`tweetclf.modules.bilstm.init_as_keras_`. With masks a batch is as long as
    its longest text. The vectors of all words are held in memory: one a distinct
    word, but for ELMo one a word of every text, 4 * dim bytes each.

    References
    ----------
    J. M. Perez and F. M. Luque. Atalaya at SemEval 2019 Task 5: robust embeddings for
    tweet classification. SemEval 2019, section 3.3 and figure 1 (ACL Anthology
    S19-2008).

    Examples
    --------
    >>> from tweetclf.estimators import BiLSTMClassifier
    >>> clf = BiLSTMClassifier(hidden_size=8, dense_size=8, random_state=0)
    >>> texts = ["qué risa", "muy triste"] * 8
    >>> clf.fit(texts, ["bien", "mal"] * 8).predict(["qué risa", "triste"]).tolist()
    ['bien', 'mal']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NeuralClassifier._parameter_constraints,
        **_OverWords._parameter_constraints,
    }

    def __init__(
        self,
        *,
        embeddings: Any = "learned",
        tokenizer: Callable[[str], Sequence[str]] | None = None,
        pairs: bool = False,
        hidden_size: int = 256,
        dense_size: int | tuple[int, int] = 64,
        dropout: float | tuple[float, float] = 0.5,
        max_length: int = 50,
        mask: bool = True,
        bag_of_words: Any = None,
        max_iter: int = 20,
        batch_size: int = 32,
        learning_rate: float | tuple[float, float] = 1e-3,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = 15,
        scoring: str = "loss",
        class_weight: Mapping[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
        random_state: int | RandomState | None = None,
        device: str = "auto",
    ) -> None:
        self.embeddings = embeddings
        self.tokenizer = tokenizer
        self.pairs = pairs
        self.hidden_size = hidden_size
        self.dense_size = dense_size
        self.dropout = dropout
        self.max_length = max_length
        self.mask = mask
        self.bag_of_words = bag_of_words
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.random_state = random_state
        self.device = device


class BiLSTMRegressor(_OverWords, NeuralRegressor):
    """Predict a number for each text by a bidirectional LSTM.

    The network of :class:`BiLSTMClassifier` with one output; it learns the targets in
    standard units by their squared error.

    Parameters
    ----------
    embeddings, tokenizer, pairs, hidden_size, dense_size, dropout, max_length, mask, \
bag_of_words
        As in :class:`BiLSTMClassifier`.
    max_iter, batch_size, learning_rate, early_stopping, validation_fraction, \
n_iter_no_change, random_state, device
        As in :class:`BiLSTMClassifier`.
    scoring : str, default="loss"
        What chooses the best epoch, whose weights are kept: "loss", the squared error,
        or the name of a scorer of scikit-learn, such as "r2".

    Attributes
    ----------
    target_mean_, target_scale_ : float
        Mean and standard deviation of the training targets.
    vocabulary_, word_vectors_, bag_of_words_, module_, n_iter_, history_
        As in :class:`BiLSTMClassifier`.

    See Also
    --------
    BiLSTMClassifier : The same for labels.

    Examples
    --------
    >>> from tweetclf.estimators import BiLSTMRegressor
    >>> reg = BiLSTMRegressor(hidden_size=8, dense_size=8, dropout=0.0, random_state=0)
    >>> texts = ["qué risa", "muy triste"] * 8
    >>> reg = reg.set_params(max_iter=60).fit(texts, [5.0, 1.0] * 8)
    >>> reg.predict(["qué risa", "muy triste"]).round().tolist()
    [5.0, 1.0]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NeuralRegressor._parameter_constraints,
        **_OverWords._parameter_constraints,
    }

    def __init__(
        self,
        *,
        embeddings: Any = "learned",
        tokenizer: Callable[[str], Sequence[str]] | None = None,
        pairs: bool = False,
        hidden_size: int = 256,
        dense_size: int | tuple[int, int] = 64,
        dropout: float | tuple[float, float] = 0.5,
        max_length: int = 50,
        mask: bool = True,
        bag_of_words: Any = None,
        max_iter: int = 20,
        batch_size: int = 32,
        learning_rate: float | tuple[float, float] = 1e-3,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = 15,
        scoring: str = "loss",
        random_state: int | RandomState | None = None,
        device: str = "auto",
    ) -> None:
        self.embeddings = embeddings
        self.tokenizer = tokenizer
        self.pairs = pairs
        self.hidden_size = hidden_size
        self.dense_size = dense_size
        self.dropout = dropout
        self.max_length = max_length
        self.mask = mask
        self.bag_of_words = bag_of_words
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.random_state = random_state
        self.device = device
