"""Multiple choice by a pretrained transformer: which of k texts goes with a context."""

from __future__ import annotations

import os
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tweetclf.estimators._labels import require_two_classes
from tweetclf.estimators._neural import NeuralClassifier
from tweetclf.estimators._transformer import TransformerEstimator
from tweetclf.exceptions import DataError
from tweetclf.utils._sklearn import Interval
from tweetclf.utils.validation import check_consistent_length, check_texts, items_of

if TYPE_CHECKING:
    from numpy.random import RandomState

    from tweetclf.training import TrainingOptions

__all__ = ["TransformerMultipleChoice"]


def _read_choices(X: Any, caller: str) -> list[tuple[str, ...]]:
    """Return rows as tuples of a context and its choices."""
    flat = []
    for index, row in enumerate(items_of(X, caller, "X")):
        if isinstance(row, str) or not isinstance(row, list | tuple):
            raise DataError(
                f"{caller} expected rows (context, choice, choice, ...); X[{index}] is "
                f"a {type(row).__name__}."
            )
        if len(row) == 2 and isinstance(row[1], list | tuple):
            row = (row[0], *row[1])
        flat.append(tuple(check_texts(list(row), caller=caller, name=f"X[{index}]")))
        if len(row) < 3 or len(row) != len(flat[0]):
            raise DataError(
                f"{caller} expected as many choices in each row, two at least; "
                f"X[{index}] has {len(row) - 1}, X[0] has {len(flat[0]) - 1}."
            )
    return flat


class TransformerMultipleChoice(NeuralClassifier, TransformerEstimator):
    """Choose one of k texts for each context with a fine-tuned transformer.

    The model (``AutoModelForMultipleChoice``) gives a number to each pair of context
    and choice; the softmax over a row's choices is the probability of each. All pairs
    of a batch are packed into one row of tokens.

    Parameters
    ----------
    model : str or path, default="Twitter/twhin-bert-base"
        Directory or hub name of the pretrained model.
    max_length : int or None, default=None
        Most tokens of a context with one choice; the longer of the two is cut.
        None stands for 128, or as many as the model has positions for, if fewer.
    max_iter : int, default=3
        Epochs.
    batch_size : int, default=32
        Rows in a batch.
    learning_rate, weight_decay, warmup, layer_decay
        As in :class:`TransformerClassifier`.
    profile : str or None, default=None
        Preprocessing profile.
    early_stopping, validation_fraction, n_iter_no_change, scoring
        As in :class:`TransformerClassifier`.
    precision, random_state, training
        As in :class:`TransformerClassifier`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_choices,)
        0 to k - 1.
    module_, max_length_, normalizer_, plan_
        As in :class:`TransformerClassifier`.
    architecture_, config_, tokenizer_files_
        As in :class:`TransformerClassifier`.
    n_iter_, history_
        As in :class:`TransformerClassifier`.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.estimators import TransformerMultipleChoice
    >>> from tweetclf.testing import make_tiny_transformer
    >>> X = [("¿Qué bebes?", "agua", "una silla"), ("¿Qué comes?", "un vaso", "pan")]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = make_tiny_transformer(folder, [text for row in X for text in row])
    ...     mc = TransformerMultipleChoice(
    ...         model=folder, max_iter=30, learning_rate=0.01, random_state=0)
    ...     mc = mc.fit(X * 4, [0, 1] * 4)
    >>> mc.predict(X).tolist()
    [0, 1]
    """

    class_weight = None
    _auto_class: ClassVar[str] = "AutoModelForMultipleChoice"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TransformerEstimator._parameter_constraints,
        "batch_size": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        model: str | os.PathLike[str] = "Twitter/twhin-bert-base",
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

    def fit(self, X: Any, y: Any, X_val: Any = None, y_val: Any = None) -> Any:
        """Train on rows of a context and its choices.

        Parameters
        ----------
        X : sequence of (context, choices) or (context, choice, choice, ...)
            The same number of choices, at least two, in all rows; also as columns.
        y : array-like of int of shape (n_samples,)
            Number of the right choice, from 0.
        X_val, y_val : optional
            Rows to validate on, in place of a share of the training rows.

        Returns
        -------
        estimator
            This object.
        """
        return super().fit(X, y, X_val, y_val)

    def _read(self, X: Any, *, caller: str) -> list[Any]:
        rows = _read_choices(X, caller)
        known = self.__dict__.get("_n_choices")
        if rows and known is not None and len(rows[0]) - 1 != known:
            raise DataError(
                f"{caller} was fitted on rows of {known} choices; X has "
                f"{len(rows[0]) - 1}."
            )
        return rows

    def _job(self, X: Any, y: Any, X_val: Any, y_val: Any) -> Any:
        self.__dict__.pop("_n_choices", None)
        rows = self._read(X, caller=type(self).__name__)
        if rows:
            self._n_choices = len(rows[0]) - 1
        return super()._job(rows, y, X_val, y_val)

    def _fit_targets(self, y: Any, n_rows: int) -> NDArray[Any]:
        caller = type(self).__name__
        check_consistent_length(range(n_rows), y, caller=caller)
        if n_rows == 0:
            raise DataError(f"{caller} got 0 texts; at least one is needed to fit.")
        self.multilabel_ = False
        self.class_weight_ = None
        self.classes_ = np.arange(self._n_choices)
        require_two_classes(self.classes_, caller=caller)
        return self._encode_targets(y, n_rows, caller)

    def _encode_targets(self, y: Any, n_rows: int, caller: str) -> NDArray[Any]:
        check_consistent_length(range(n_rows), y, caller=caller)
        array = np.asarray(y)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise DataError(
                f"{caller} expected y to hold the number of the right choice, an int, "
                f"for each row; it has dtype {array.dtype} and shape {array.shape}."
            )
        bad = np.flatnonzero((array < 0) | (array >= self._n_choices))
        if len(bad):
            raise DataError(
                f"{caller} got y[{bad[0]}] = {array[bad[0]]}; choices are numbered 0 "
                f"to {self._n_choices - 1}."
            )
        return array.astype(np.int64)

    def _model_options(self) -> dict[str, Any]:
        return {}

    def _wrap(self, model: Any, plan: Any) -> Any:
        from tweetclf.modules.transformer_heads import ChoiceModel

        return ChoiceModel(model, self._n_choices, plan)

    def _texts_of(self, rows: list[Any]) -> tuple[list[Any], int]:
        pairs = [(row[0], choice) for row in rows for choice in row[1:]]
        return pairs, self._n_choices

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the number of the chosen text of each row.

        Parameters
        ----------
        X : sequence of (context, choices) or (context, choice, choice, ...)
            As in `fit`.

        Returns
        -------
        ndarray of int64 of shape (n_samples,)
            From 0; of equally probable choices the first.
        """
        return super().predict(X)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each choice.

        Parameters
        ----------
        X : sequence of (context, choices) or (context, choice, choice, ...)
            As in `fit`.

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_choices)
            Rows sum to 1.
        """
        return super().predict_proba(X)
