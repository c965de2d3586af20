"""ULMFiT: a language model of tweets, fine-tuned into a classifier or regressor."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, fields
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from tweetclf.estimators._neural import (
    NeuralClassifier,
    NeuralEstimator,
    NeuralRegressor,
)
from tweetclf.estimators._oversampling import bootstrapped_rows, repeated_rows
from tweetclf.exceptions import DataError
from tweetclf.pretraining.stages import FINE_TUNING
from tweetclf.tasks.corpora import stream_texts
from tweetclf.utils._sklearn import Interval, StrOptions
from tweetclf.utils.optional import import_optional
from tweetclf.utils.validation import check_texts

if TYPE_CHECKING:
    from numpy.random import RandomState

    from tweetclf.pretraining import LanguageModel, SentencePieceTokenizer
    from tweetclf.training import TrainingOptions

__all__ = ["ULMFiTClassifier", "ULMFiTRegressor"]


class _ULMFiT(NeuralEstimator):
    """What ULMFiT's classifier and regressor share: their language model.

    Attributes
    ----------
    tokenizer_ : SentencePieceTokenizer
        Pieces of the language model.
    config_ : dict
        Sizes of the language model.
    lm_history_ : list of dict
        What each epoch of its training measured, that of a given model included.
    """

    tokenizer_: SentencePieceTokenizer
    config_: dict[str, Any]
    lm_history_: list[dict[str, Any]]
    _encoder_state: Any

    _moves_momentum: ClassVar[bool] = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NeuralEstimator._parameter_constraints,
        "language_model": [str, os.PathLike, None],
        "extra_corpus": ["array-like", str, os.PathLike, None],
        "lm_params": [dict, None],
        "fine_tuning": [tuple, list],
        "head_iter": [Interval(Integral, 0, None, closed="left")],
        "gradual_unfreezing": ["boolean"],
        "dropout_multiplier": [Interval(Real, 0, 2, closed="left")],
    }

    # The language model

    def _fit_inputs(self, rows: list[Any], seed: int) -> None:
        model = self._language_model(rows, seed)
        self.tokenizer_ = model.tokenizer
        self.config_ = asdict(model.config)
        self.lm_history_ = model.history
        self._encoder_state = model.state

    def _language_model(self, rows: list[Any], seed: int) -> LanguageModel:
        from tweetclf.pretraining.language_model import (
            LanguageModelConfig,
            load_language_model,
        )
        from tweetclf.pretraining.lm_settings import LanguageModelTraining
        from tweetclf.pretraining.lm_training import train_language_model
        from tweetclf.pretraining.stages import as_stages
        from tweetclf.training.progress import watched

        caller = type(self).__name__
        stages = as_stages(self.fine_tuning, caller=caller, name="fine_tuning")
        config, training = self._lm_params(LanguageModelConfig, LanguageModelTraining)
        options: dict[str, Any] = {
            "random_state": seed,
            "device": self.device,
            "precision": self.precision,
            "report": watched(f"{caller}, language model", None),
        }
        corpus = [*rows, *self._read_extra()]
        if self.language_model is None:
            sizes, how = (
                LanguageModelConfig(**config),
                LanguageModelTraining(**training),
            )
            return train_language_model(corpus, sizes, how, **options)
        model = load_language_model(self.language_model)
        if config or "stages" in training:
            raise ValueError(
                f"{caller}: the 'lm_params' parameter says what a new language model "
                f"is like, with {sorted(config) or ['stages']}; language_model="
                f"{str(self.language_model)!r} is given. Drop one of them."
            )
        if not stages:
            return model
        how = LanguageModelTraining(**training, stages=tuple(stages))
        return train_language_model(corpus, training=how, start=model, **options)

    def _lm_params(self, *kinds: Any) -> list[dict[str, Any]]:
        """Return the parts of `lm_params` that each of these classes takes."""
        given = dict(self.lm_params or {})
        parts = []
        known: list[str] = []
        for kind in kinds:
            names = [entry.name for entry in fields(kind)]
            parts.append({name: given.pop(name) for name in names if name in given})
            known += names
        if given:
            raise ValueError(
                f"{type(self).__name__}: the 'lm_params' parameter has the unknown "
                f"entry {next(iter(given))!r}; it may have {', '.join(sorted(known))}."
            )
        return parts

    def _read_extra(self) -> Iterable[str]:
        corpus = self.extra_corpus
        if corpus is None:
            return []
        if isinstance(corpus, str | os.PathLike):
            return stream_texts(Path(corpus))
        return check_texts(corpus, caller=type(self).__name__, name="extra_corpus")

    # The module

    def _inputs(self, rows: list[Any]) -> Any:
        from tweetclf.estimators._ulmfit_compute import EncodedTexts

        return EncodedTexts(self.tokenizer_.encode(rows))

    def _make_module(self, n_outputs: int) -> Any:
        from tweetclf.estimators._ulmfit_compute import make_module
        from tweetclf.pretraining.language_model import LanguageModelConfig

        config = LanguageModelConfig(**self.config_)
        n_pieces = len(self.tokenizer_)
        return make_module(config, n_pieces, n_outputs, self.dropout_multiplier)

    def _train(self, job: Any) -> list[dict[str, Any]]:
        from tweetclf.estimators._ulmfit_compute import train_stages

        return train_stages(self, job, self.__dict__.pop("_encoder_state"))

    def _resampled(self, job: Any) -> tuple[list[Any], NDArray[Any]]:
        """Return the rows to train on, some of them perhaps again."""
        return job.rows, job.targets


class ULMFiTClassifier(_ULMFiT, NeuralClassifier):
    """Fine-tune a language model of tweets into a classifier (ULMFiT).

    The language model (AWD-QRNN or AWD-LSTM over SentencePiece pieces) is read from
    a folder and fine-tuned on the training texts, or trained on them if none is
    given. Then a head over the last, largest and mean output of its last layer is
    trained, first alone, then with all layers, lower ones at lower rates. The
    defaults are those of the winners of HAHA 2019; see :func:`haha_ulmfit_qrnn`.

    Parameters
    ----------
    language_model : path or None, default=None
        Folder of a language model, as "tweetclf pretrain lm" makes it. None: one is
        trained on the training texts and `extra_corpus`.
    extra_corpus : sequence of str, path or None, default=None
        Texts without labels, or a file of them (one a line, CSV, TSV or JSON Lines,
        also ``.gz``), to train or fine-tune the language model on besides.
    lm_params : dict or None, default=None
        Fields of :class:`tweetclf.pretraining.LanguageModelConfig` and of
        :class:`tweetclf.pretraining.LanguageModelTraining`: sizes and stages of a new
        language model, and how it is trained and fine-tuned.
    fine_tuning : sequence of tuple, default=((5, 3e-3), (10, 1e-4, (0.7, 0.6), 0.2))
        Stages of fine-tuning a given language model, see
        :class:`tweetclf.pretraining.Stage`. An empty one leaves it as it is. A model
        that was trained on the training texts just now is not fine-tuned.
    head_iter : int, default=2
        Epochs in which the head is trained alone, at twice `learning_rate`.
    gradual_unfreezing : bool, default=False
        Then train one layer more in each of the next epochs, from the top down.
    max_iter : int, default=15
        Epochs in which all layers are trained.
    learning_rate : float, default=5e-3
        Rate of the head at the peak of the cycle. Those of the layers below are
        geometric, down to a 228th of it: 1e-3 / 2.6^4 of the paper.
    dropout_multiplier : float, default=0.7
        Factor on all dropouts of the classifier but the head's last.
    oversampling : {"random", "smote", "bootstrap"} or None, default=None
        Make classes equally frequent: draw rarer ones again; train the head alone on
        points between pooled texts of them; or draw each but the most frequent class
        anew, with replacement, as the released code did where the paper says SMOTE.
    batch_size : int, default=32
        Texts a step; a few more where the last batch would hold a single text, in which
        batch normalisation has nothing to norm, and at least 2.
    early_stopping : bool, default=False
        Hold texts out and keep the epoch that is best on them.
    validation_fraction : float, default=0.1
        Share of the texts that is held out, of each class.
    n_iter_no_change : int or None, default=None
        Stop after so many epochs without a better one.
    scoring : str, default="loss"
        What is better: "loss", or the name of a score such as "f1".
    random_state : int, RandomState or None, default=None
        Of weights, order, dropout and draws.
    device : str, default="auto"
        Where to compute; "auto" is an accelerator where there is one.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        In what to compute.
    pairs : bool, default=False
        Expect pairs of texts, which are read one after the other.
    training : TrainingOptions or None, default=None
        Optimizer, schedule, loss, label smoothing, batches a step, and what to do when
        training diverges, of the classifier: see
        :class:`tweetclf.training.TrainingOptions`. `lm_params` has the language
        model's. By default AdamW, one cycle a stage, and a smoothing of 0.1.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order; for an indicator matrix 0 to n_labels - 1.
    tokenizer_ : SentencePieceTokenizer
        Pieces of the language model.
    config_ : dict
        Sizes of the language model.
    lm_history_, history_ : list of dict
        One dict an epoch of the language model and of the classifier.
    n_iter_ : int
        Epochs of the classifier that were run, those of the head included.
    module_ : torch.nn.Module
        The trained module, in evaluation mode.

    See Also
    --------
    ULMFiTRegressor : The same for numbers.
    FoldEnsemble : Of copies that keep the best epoch by their own fold.
    tweetclf.pretraining.train_language_model : The first half of it.

    Notes
    -----
    Decay (0.1), the momenta and the shape of the cycles are those of the released code
    and have no parameters. The head normalises over the batch, so that several small
    batches a step (`training`) are not quite one big batch. Its statistics begin as
    those of about a thousand of the training texts, where fastai begins with mean 0 and
    variance 1, which a short training never gets away from. After training without
    validation texts they are measured again: fastai leaves those of the last batches,
    each of texts of about one length (Wu and Johnson, "Rethinking 'Batch' in
    BatchNorm", 2021, section 3).

    :meth:`find_learning_rate` trains all layers with a growing rate after the head.

    With ``oversampling="smote"`` there are new points only while the head is trained
    alone: all layers are trained on texts, and none can be put between two others.

    References
    ----------
    J. Howard and S. Ruder, "Universal Language Model Fine-tuning for Text
    Classification", ACL 2018. B. Farzin, P. Czapla and J. Howard, "Applying a
    Pre-trained Language Model to Spanish Twitter Humor Prediction", IberLEF 2019,
    Tables 1 and 2.

    Examples
    --------
    >>> from tweetclf.estimators import ULMFiTClassifier
    >>> sizes = {"vocab_size": 60, "emb_size": 8, "hidden_size": 8, "n_layers": 1}
    >>> clf = ULMFiTClassifier(
    ...     lm_params={**sizes, "stages": ((2, 0.02),)},
    ...     max_iter=8,
    ...     learning_rate=0.05,
    ...     dropout_multiplier=0.0,  # two texts are learnt by heart here
    ...     random_state=0,
    ... )
    >>> clf = clf.fit(["qué risa jaja", "qué pena, ay"] * 8, ["P", "N"] * 8)
    >>> print(*clf.predict(["qué risa jaja"]))
    P
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NeuralClassifier._parameter_constraints,
        **_ULMFiT._parameter_constraints,
        "oversampling": [StrOptions({"random", "smote", "bootstrap"}), None],
    }

    # Classes are balanced by `oversampling`, not in the loss.
    class_weight = None
    _label_smoothing: ClassVar[float] = 0.1

    def __init__(
        self,
        *,
        language_model: str | os.PathLike[str] | None = None,
        extra_corpus: Any = None,
        lm_params: dict[str, Any] | None = None,
        fine_tuning: Any = FINE_TUNING,
        head_iter: int = 2,
        gradual_unfreezing: bool = False,
        max_iter: int = 15,
        learning_rate: float = 5e-3,
        dropout_multiplier: float = 0.7,
        oversampling: str | None = None,
        batch_size: int = 32,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = None,
        scoring: str = "loss",
        random_state: int | RandomState | None = None,
        device: str = "auto",
        precision: str = "float32",
        pairs: bool = False,
        training: TrainingOptions | None = None,
    ) -> None:
        self.language_model = language_model
        self.extra_corpus = extra_corpus
        self.lm_params = lm_params
        self.fine_tuning = fine_tuning
        self.head_iter = head_iter
        self.gradual_unfreezing = gradual_unfreezing
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.dropout_multiplier = dropout_multiplier
        self.oversampling = oversampling
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.pairs = pairs
        self.training = training

    def _fit_targets(self, y: Any, n_rows: int) -> NDArray[Any]:
        targets = super()._fit_targets(y, n_rows)
        caller = type(self).__name__
        if self.oversampling is not None and self.multilabel_:
            raise DataError(
                f"{caller}: oversampling={self.oversampling!r} is for classes; y is an "
                "indicator matrix. Set oversampling=None."
            )
        if self.oversampling == "smote":
            # Missing, it should be missed before hours of training.
            import_optional("imblearn.over_sampling", extra="resampling", caller=caller)
        return targets

    def _resampled(self, job: Any) -> tuple[list[Any], NDArray[Any]]:
        if self.oversampling in (None, "smote"):
            return job.rows, job.targets
        draw = repeated_rows if self.oversampling == "random" else bootstrapped_rows
        chosen = draw(job.targets, job.seed)
        return [job.rows[i] for i in chosen], job.targets[chosen]


class ULMFiTRegressor(_ULMFiT, NeuralRegressor):
    """Fine-tune a language model of tweets into a regressor (ULMFiT).

    As :class:`ULMFiTClassifier`, with one output and the squared error.

    Parameters
    ----------
    language_model : path or None, default=None
        Folder of a language model; None: one is trained on the training texts.
    extra_corpus : sequence of str, path or None, default=None
        Texts without targets, or a file with one a line.
    lm_params : dict or None, default=None
        Sizes and stages of a new language model, and how it is trained.
    fine_tuning : sequence of tuple, default=((5, 3e-3), (10, 1e-4, (0.7, 0.6), 0.2))
        Stages of fine-tuning a given language model.
    head_iter : int, default=2
        Epochs in which the head is trained alone, at twice `learning_rate`.
    gradual_unfreezing : bool, default=False
        Then train one layer more in each of the next epochs, from the top down.
    max_iter : int, default=15
        Epochs in which all layers are trained.
    learning_rate : float, default=5e-3
        Rate of the head at the peak of the cycle.
    dropout_multiplier : float, default=0.7
        Factor on all dropouts but the head's last.
    batch_size : int, default=32
        Texts a step; a few more where the last batch would hold a single text, in which
        batch normalisation has nothing to norm, and at least 2.
    early_stopping : bool, default=False
        Hold texts out and keep the epoch that is best on them.
    validation_fraction : float, default=0.1
        Share of the texts that is held out.
    n_iter_no_change : int or None, default=None
        Stop after so many epochs without a better one.
    scoring : str, default="loss"
        What is better: "loss", or the name of a score such as "r2".
    random_state : int, RandomState or None, default=None
        Of weights, order and dropout.
    device : str, default="auto"
        Where to compute; "auto" is an accelerator where there is one.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        In what to compute.
    pairs : bool, default=False
        Expect pairs of texts, which are read one after the other.
    training : TrainingOptions or None, default=None
        As in :class:`ULMFiTClassifier`.

    Attributes
    ----------
    tokenizer_ : SentencePieceTokenizer
        Pieces of the language model.
    config_ : dict
        Sizes of the language model.
    lm_history_, history_ : list of dict
        One dict an epoch of the language model and of the regressor.
    n_iter_ : int
        Epochs of the regressor that were run, those of the head included.
    target_mean_, target_scale_ : float
        Taken out of the targets before training.

    See Also
    --------
    ULMFiTClassifier : The same for classes; see there for references.

    Notes
    -----
    The released code fills the missing scores of tweets that are no jokes with 0 and
    trains on all; give such an y to do the same. Predictions are not clipped.

    Examples
    --------
    >>> from tweetclf.estimators import ULMFiTRegressor
    >>> sizes = {"vocab_size": 60, "emb_size": 8, "hidden_size": 8, "n_layers": 1}
    >>> reg = ULMFiTRegressor(
    ...     lm_params={**sizes, "stages": ((1, 0.02),)}, max_iter=2, random_state=0
    ... )
    >>> reg = reg.fit(["qué risa jaja", "qué pena, ay"] * 8, [3.5, 0.0] * 8)
    >>> reg.predict(["qué risa jaja"]).shape
    (1,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_ULMFiT._parameter_constraints,
    }

    def __init__(
        self,
        *,
        language_model: str | os.PathLike[str] | None = None,
        extra_corpus: Any = None,
        lm_params: dict[str, Any] | None = None,
        fine_tuning: Any = FINE_TUNING,
        head_iter: int = 2,
        gradual_unfreezing: bool = False,
        max_iter: int = 15,
        learning_rate: float = 5e-3,
        dropout_multiplier: float = 0.7,
        batch_size: int = 32,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = None,
        scoring: str = "loss",
        random_state: int | RandomState | None = None,
        device: str = "auto",
        precision: str = "float32",
        pairs: bool = False,
        training: TrainingOptions | None = None,
    ) -> None:
        self.language_model = language_model
        self.extra_corpus = extra_corpus
        self.lm_params = lm_params
        self.fine_tuning = fine_tuning
        self.head_iter = head_iter
        self.gradual_unfreezing = gradual_unfreezing
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.dropout_multiplier = dropout_multiplier
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.pairs = pairs
        self.training = training
