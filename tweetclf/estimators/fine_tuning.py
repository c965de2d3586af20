"""Fine-tuning of pretrained transformers: classification and regression of texts."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tweetclf.estimators._neural import NeuralClassifier, NeuralRegressor
from tweetclf.estimators._transformer import TransformerEstimator, read_segments
from tweetclf.exceptions import DataError
from tweetclf.utils._sklearn import Interval, StrOptions

if TYPE_CHECKING:
    from numpy.random import RandomState

    from tweetclf.training import TrainingOptions

__all__ = ["TransformerClassifier", "TransformerRegressor"]


class _SequenceEstimator(TransformerEstimator):
    """Base of estimators whose model gives outputs a text."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TransformerEstimator._parameter_constraints,
        "pooling": [StrOptions({"cls", "mean", "max", "concat"})],
        "n_segments": [Interval(Integral, 1, None, closed="left")],
    }

    @property
    def _auto_class(self) -> str:  # type: ignore[override]
        if self.pooling == "cls":
            return "AutoModelForSequenceClassification"
        return "AutoModel"

    def _wrap(self, model: Any, plan: Any) -> Any:
        if self.pooling == "cls":
            return super()._wrap(model, plan)
        from tweetclf.modules.transformer_heads import PooledModel

        return PooledModel(model, self.pooling, self._n_outputs, plan)

    def _read(self, X: Any, *, caller: str) -> list[Any]:
        return read_segments(X, self.n_segments, caller=caller)

    def save_pretrained(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model to a directory that transformers loads.

        It holds the configuration with the names of the labels, the weights, the
        tokenizer, and ``tweetclf.json``: the preprocessing profile, and what
        :meth:`from_pretrained` needs. With ``pooling="cls"``
        ``AutoModelForSequenceClassification`` gives the same outputs to texts that
        went through the profile; with another pooling, for which transformers has no
        head, ``AutoModel`` reads the encoder.

        Parameters
        ----------
        path : path
            The directory to make. If it exists, it must be empty.
        """
        from tweetclf.estimators._transformer_files import write_directory

        write_directory(self, path)

    @classmethod
    def from_pretrained(cls, path: str | os.PathLike[str]) -> Self:
        """Return a fitted estimator from a fine-tuned model.

        Parameters
        ----------
        path : path
            A directory that :meth:`save_pretrained` wrote, or any with a head for
            sequence classification, or the name of such a model on the hub. The names
            of its labels are the classes then.

        Returns
        -------
        estimator
            Fitted. Its parameters are those that prediction depends on; the others
            have their defaults.
        """
        from tweetclf.estimators._transformer_files import read_directory

        estimator: Self = read_directory(cls, path)
        return estimator


class TransformerClassifier(NeuralClassifier, _SequenceEstimator):
    """Fine-tune a pretrained transformer for the classification of texts.

    The model is any directory or hub name that ``AutoModel`` reads; code in it is never
    run. Sequences are packed where the architecture allows it: linear layers see real
    tokens only, nothing is padded, and batches are drawn as they come. The optimizer is
    AdamW (biases and normalisation weights do not decay) on gradients clipped at 1, if
    `training` does not say otherwise.

    Parameters
    ----------
    model : str or path, default="Twitter/twhin-bert-base"
        Directory or hub name of the pretrained model. A hub name is looked for in the
        cache first, and downloaded by `fit` if it is not there.
    pooling : {"cls", "mean", "max", "concat"}, default="cls"
        "cls" is the architecture's own head for sequence classification (BERT: pooler,
        dropout, linear layer). The others put dropout and a linear layer over the mean
        or maximum of the states of all tokens, or over first, mean and maximum.
    n_segments : int, default=1
        1: X holds texts; 2: pairs; k: rows of k texts.
    max_length : int or None, default=None
        Most tokens of a row. Longer ones are cut, the longest segment first.
        None stands for 128, or as many as the model has positions for, if fewer.
    max_iter : int, default=3
        Epochs.
    batch_size : int, default=32
        Rows in a batch.
    learning_rate : float, default=2e-5
        Highest rate.
    weight_decay : float, default=0.01
        Decoupled decay of the weights.
    warmup : float or None, default=0.1
        Share of the steps in which the rate rises from 0; then it falls to 0. None: a
        constant rate.
    layer_decay : float, default=1.0
        Share of its rate that the layer below gets; the head has `learning_rate`.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss, which is the mean over the texts of weight
        times cross-entropy.
    threshold : float or "tuned", default=0.5
        For indicator matrices: labels of at least this probability are predicted.
        "tuned" takes for each label the threshold with the highest F1 on the
        validation texts.
    profile : str or None, default=None
        Preprocessing profile (``tweetclf.preprocessing.list_profiles()``). None: what
        the model's directory names, else "raw".
    early_stopping : bool, default=False
        Hold out texts, and keep the epoch that is best on them.
    validation_fraction : float, default=0.1
        Share of the texts to hold out.
    n_iter_no_change : int or None, default=None
        Stop after so many epochs in a row without improvement. None: run all.
    scoring : str, default="loss"
        What "best" means: "loss", or the name of a scorer of scikit-learn.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        "bfloat16" computes fitting and prediction under autocast; "auto" does so where
        the hardware is fast at it.
    random_state : int, RandomState instance or None, default=None
        Seed of the head's weights, dropout and the order of the texts.
    training : TrainingOptions or None, default=None
        Optimizer, schedule, loss, label smoothing, batches a step, and what to do when
        training diverges: see :class:`tweetclf.training.TrainingOptions`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order; for an indicator matrix 0 to n_labels - 1.
    multilabel_ : bool
        Whether y was an indicator matrix.
    class_weight_ : ndarray of shape (n_classes,) or None
        Weight of each class in the loss.
    thresholds_ : ndarray of shape (n_labels,) or None
        Least probability at which a label is predicted.
    module_ : torch.nn.Module
        The trained module; ``module_.model`` is the model of transformers.
    max_length_ : int
        Most tokens of a row.
    normalizer_ : TextNormalizer
        What texts go through before the tokenizer.
    plan_ : {"packed", "padded", "native"}
        How sequences are read: packed; padded, where attention of the architecture
        cannot be packed; or by the model itself, where its head is unknown to us.
    architecture_, config_ : str
        Class of the model in transformers, and its configuration as JSON.
    tokenizer_files_ : dict of str to ndarray of uint8
        Files of the tokenizer.
    n_iter_ : int
        Epochs that were run.
    history_ : list of dict
        One dict an epoch: mean training loss, rate, and validation values if any.

    See Also
    --------
    tweetclf.estimators.transformer : The fine-tuning of published systems, by name.
    TransformerRegressor : For numbers.

    Notes
    -----
    Training texts are put into an order of their own first, so that their order in X
    does not matter. There is no ``sample_weight``. The model runs on a GPU where there
    is one; ``CUDA_VISIBLE_DEVICES=""`` hides it. Dropout is what the model's
    configuration says.

    References
    ----------
    J. Devlin, M.-W. Chang, K. Lee and K. Toutanova. BERT. NAACL 2019, section 4.
    J. A. Gonzalez, L.-F. Hurtado and F. Pla. TWilBert. Neurocomputing 426, 2021
    (poolings). X. Zhang et al. TwHIN-BERT. KDD 2023, Table 9.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.estimators import TransformerClassifier
    >>> from tweetclf.testing import make_tiny_transformer
    >>> texts = ["qué risa jajaja", "qué pena triste"] * 8
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = make_tiny_transformer(folder, texts)
    ...     clf = TransformerClassifier(
    ...         model=folder, max_iter=20, learning_rate=0.01, random_state=0)
    ...     clf = clf.fit(texts, ["P", "N"] * 8)
    >>> clf.predict(texts[:2]).tolist()
    ['P', 'N']
    """

    thresholds_: NDArray[np.float64] | None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_SequenceEstimator._parameter_constraints,
        **NeuralClassifier._parameter_constraints,
        "threshold": [Interval(Real, 0, 1, closed="neither"), StrOptions({"tuned"})],
    }

    def __init__(
        self,
        *,
        model: str | os.PathLike[str] = "Twitter/twhin-bert-base",
        pooling: str = "cls",
        n_segments: int = 1,
        max_length: int | None = None,
        max_iter: int = 3,
        batch_size: int = 32,
        learning_rate: float = 2e-5,
        weight_decay: float = 0.01,
        warmup: float | None = 0.1,
        layer_decay: float = 1.0,
        class_weight: dict[Any, float] | str | None = None,
        threshold: float | str = 0.5,
        profile: str | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = None,
        scoring: str = "loss",
        precision: str = "float32",
        random_state: int | RandomState | None = None,
        training: TrainingOptions | None = None,
    ) -> None:
        self.model = model
        self.pooling = pooling
        self.n_segments = n_segments
        self.max_length = max_length
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.layer_decay = layer_decay
        self.class_weight = class_weight
        self.threshold = threshold
        self.profile = profile
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.precision = precision
        self.random_state = random_state
        self.training = training

    def _model_options(self) -> dict[str, Any]:
        if self.pooling != "cls":
            return {}
        names = {k: str(label) for k, label in enumerate(self.classes_.tolist())}
        return {
            "id2label": names,
            "label2id": {name: k for k, name in names.items()},
            "problem_type": "multi_label_classification"
            if self.multilabel_
            else "single_label_classification",
        }

    def _fit_targets(self, y: Any, n_rows: int) -> NDArray[Any]:
        targets = super()._fit_targets(y, n_rows)
        # Before a scorer is tried, which predicts; tuned ones come after training.
        self.thresholds_ = None
        if self.multilabel_:
            fixed = 0.5 if self.threshold == "tuned" else float(self.threshold)
            self.thresholds_ = np.full(len(self.classes_), fixed)
        return targets

    def _train(self, job: Any) -> list[dict[str, Any]]:
        tuned = self.multilabel_ and self.threshold == "tuned" and job.sweep is None
        if tuned and job.validation is None:
            raise DataError(
                f"{type(self).__name__}: threshold='tuned' needs validation texts; set "
                "early_stopping=True or give X_val and y_val."
            )
        history = super()._train(job)
        if tuned:
            from tweetclf.estimators._neural_compute import outputs_of
            from tweetclf.training.thresholds import best_thresholds

            rows, targets = job.validation
            proba = self._probabilities(outputs_of(self, job.module, rows))
            self.thresholds_ = best_thresholds(targets, proba)
        return history

    def _answers(self, logits: NDArray[np.float64]) -> NDArray[Any]:
        if not self.multilabel_:
            return super()._answers(logits)
        assert self.thresholds_ is not None
        chosen = self._probabilities(logits) >= self.thresholds_
        return (chosen & ~self.absent_).astype(np.int64)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class, or the labels at or above their threshold.

        Parameters
        ----------
        X : sequence of str, or of rows of texts, of length n_samples
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Members of `classes_`, of equally probable ones the first; or an indicator
            matrix.
        """
        return super().predict(X)


class TransformerRegressor(NeuralRegressor, _SequenceEstimator):
    """Fine-tune a pretrained transformer to give a number a text.

    As :class:`TransformerClassifier`, with squared error as loss. Targets are learnt in
    standard units; ``save_pretrained`` puts mean and scale into the last layer.

    Parameters
    ----------
    model, pooling, n_segments, max_length, max_iter, batch_size
        As in :class:`TransformerClassifier`.
    learning_rate, weight_decay, warmup, layer_decay, profile
        As in :class:`TransformerClassifier`.
    early_stopping, validation_fraction, n_iter_no_change, scoring
        As in :class:`TransformerClassifier`; "loss" is the mean squared error.
    precision, random_state, training
        As in :class:`TransformerClassifier`.

    Attributes
    ----------
    target_mean_, target_scale_ : float
        Mean and standard deviation of the training targets.
    module_, max_length_, normalizer_, plan_
        As in :class:`TransformerClassifier`.
    architecture_, config_, tokenizer_files_
        As in :class:`TransformerClassifier`.
    n_iter_, history_
        As in :class:`TransformerClassifier`.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.estimators import TransformerRegressor
    >>> from tweetclf.testing import make_tiny_transformer
    >>> texts = ["qué risa jajaja", "qué pena triste"] * 8
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = make_tiny_transformer(folder, texts)
    ...     reg = TransformerRegressor(
    ...         model=folder, max_iter=20, learning_rate=0.01, random_state=0)
    ...     reg = reg.fit(texts, [4.0, 0.5] * 8)
    >>> bool(reg.predict(texts)[0] > reg.predict(texts)[1])
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = (
        _SequenceEstimator._parameter_constraints
    )

    def __init__(
        self,
        *,
        model: str | os.PathLike[str] = "Twitter/twhin-bert-base",
        pooling: str = "cls",
        n_segments: int = 1,
        max_length: int | None = None,
        max_iter: int = 3,
        batch_size: int = 32,
        learning_rate: float = 2e-5,
        weight_decay: float = 0.01,
        warmup: float | None = 0.1,
        layer_decay: float = 1.0,
        profile: str | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = None,
        scoring: str = "loss",
        precision: str = "float32",
        random_state: int | RandomState | None = None,
        training: TrainingOptions | None = None,
    ) -> None:
        self.model = model
        self.pooling = pooling
        self.n_segments = n_segments
        self.max_length = max_length
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.layer_decay = layer_decay
        self.profile = profile
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.precision = precision
        self.random_state = random_state
        self.training = training

    def _model_options(self) -> dict[str, Any]:
        if self.pooling != "cls":
            return {}
        return {"num_labels": 1, "problem_type": "regression"}
