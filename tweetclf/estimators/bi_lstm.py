"""Bidirectional LSTMs over word vectors, as Atalaya built them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

from tweetclf.estimators._neural import NeuralClassifier, NeuralRegressor
from tweetclf.estimators._over_words import OverWords
from tweetclf.preprocessing import get_profile

if TYPE_CHECKING:
    from numpy.random import RandomState

    from tweetclf.features import WordVectors
    from tweetclf.training import TrainingOptions

__all__ = ["BiLSTMClassifier", "BiLSTMRegressor", "bilstm"]


class BiLSTMClassifier(OverWords, NeuralClassifier):
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
        trained further; a word without one is a zero vector. An `ElmoVectorizer` must
        not have `n_components`, which are of texts.
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
        rate ``learning_rate / (1 + decay * t)``. It excludes a schedule.
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
    random_state : int, RandomState or None, default=None
        Seed of weights, batches, dropout and the held-out texts.
    device : str, default="auto"
        Where to compute: "auto" is an accelerator if there is one, else "cpu".
    training : TrainingOptions or None, default=None
        Optimizer, schedule, loss, label smoothing, batches a step, and what to do when
        training diverges: see :class:`tweetclf.training.TrainingOptions`. By default
        Keras's Adam.

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
    tweet classification. SemEval 2019, section 3 and figure 1 (ACL Anthology
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
        **OverWords._parameter_constraints,
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
        random_state: int | RandomState | None = None,
        device: str = "auto",
        training: TrainingOptions | None = None,
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
        self.random_state = random_state
        self.device = device
        self.training = training


class BiLSTMRegressor(OverWords, NeuralRegressor):
    """Predict a number for each text by a bidirectional LSTM.

    The network of :class:`BiLSTMClassifier` with one output; it learns the targets in
    standard units by their squared error.

    Parameters
    ----------
    embeddings, tokenizer, pairs, hidden_size, dense_size, dropout, max_length, mask, \
bag_of_words
        As in :class:`BiLSTMClassifier`.
    max_iter, batch_size, learning_rate, early_stopping, validation_fraction, \
n_iter_no_change, random_state, device, training
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
    >>> reg = BiLSTMRegressor(hidden_size=8, dropout=0.0, learning_rate=0.01)
    >>> texts = ["qué risa", "muy triste"] * 8
    >>> reg = reg.set_params(max_iter=40, random_state=0).fit(texts, [5.0, 1.0] * 8)
    >>> reg.predict(["qué risa", "muy triste"]).round().tolist()
    [5.0, 1.0]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NeuralRegressor._parameter_constraints,
        **OverWords._parameter_constraints,
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
        training: TrainingOptions | None = None,
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
        self.training = training


def bilstm(
    *,
    vectors: str | PathLike[str] | WordVectors | None = None,
    train_vectors: bool = False,
    hidden_size: int = 128,
    max_iter: int = 30,
    learning_rate: float = 1e-3,
    dropout: float = 0.5,
    class_weight: Mapping[Any, float] | str | None = None,
    pairs: bool = False,
    multilabel: bool = False,
    random_state: int | RandomState | None = 0,
    device: str = "auto",
) -> BiLSTMClassifier:
    """Make the usual neural baseline: a BiLSTM over words.

    Training stops when the loss on a tenth of the training texts has not fallen for 5
    epochs.

    Parameters
    ----------
    vectors : path, WordVectors or None, default=None
        Word vectors, such as fastText's ``.bin``. By default 100 dimensions a word
        are learnt with the network.
    train_vectors : bool, default=False
        Train vectors with subwords on the training texts first (needs gensim), in
        place of learning them with the network. Worse on the few thousand tweets we
        tried.
    hidden_size : int, default=128
        Units of the LSTM, each direction.
    max_iter : int, default=30
        Epochs, at most.
    learning_rate : float, default=1e-3
        Of Adam.
    dropout : float, default=0.5
        Share of units that are dropped.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes.
    pairs : bool, default=False
        Take text pairs.
    multilabel : bool, default=False
        Take an indicator matrix as y. y alone decides; the parameter is there for
        leaderboards.
    random_state : int, RandomState or None, default=0
        Seed.
    device : str, default="auto"
        Where to compute.

    Returns
    -------
    BiLSTMClassifier
        Unfitted. Its tokenizer lower-cases, and replaces URLs, e-mail addresses and
        handles.

    References
    ----------
    F. Barbieri et al. TweetEval: unified benchmark and comparative evaluation for
    tweet classification. Findings of EMNLP 2020 (their BLSTM).

    Examples
    --------
    >>> from tweetclf.estimators import bilstm
    >>> clf = bilstm(hidden_size=8, learning_rate=0.01)
    >>> texts = ["que se vayan todos", "buen dia a todos"] * 10
    >>> clf.fit(texts, [1, 0] * 10).predict(["que se vayan", "buen dia"]).tolist()
    [1, 0]
    """
    if vectors is not None and train_vectors:
        raise ValueError(
            "bilstm: vectors are either given or trained; leave out 'vectors' or set "
            "train_vectors=False."
        )
    embeddings = None if train_vectors else "learned"
    return BiLSTMClassifier(
        embeddings=embeddings if vectors is None else vectors,
        tokenizer=get_profile("atalaya-basic").make_tokenizer(lowercase=True),
        pairs=pairs,
        hidden_size=hidden_size,
        dropout=dropout,
        max_iter=max_iter,
        learning_rate=learning_rate,
        early_stopping=True,
        n_iter_no_change=5,
        class_weight=class_weight,
        random_state=random_state,
        device=device,
    )
