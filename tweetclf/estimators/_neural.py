"""What all neural estimators share: targets, validation split, fit and predict.

The shell knows scikit-learn and no torch, so that neural estimators can be imported,
constructed and searched where torch is not installed; `_neural_compute` holds what
needs it. A subclass says how rows become tensors, what module reads them and, where
it differs, how that is trained.
"""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from tweetclf.estimators._labels import (
    check_indicator,
    check_labels,
    check_targets,
    require_texts,
    require_two_classes,
)
from tweetclf.estimators._seeds import inner_seed
from tweetclf.estimators._training_options import TakesTrainingOptions, check_options
from tweetclf.exceptions import DataError
from tweetclf.utils._sklearn import Interval, StrOptions, _fit_context
from tweetclf.utils.optional import import_optional
from tweetclf.utils.random import stream
from tweetclf.utils.validation import check_text_pairs, check_texts

__all__ = ["NeuralClassifier", "NeuralEstimator", "NeuralRegressor"]


class NeuralEstimator(TakesTrainingOptions):
    """Base of the neural estimators; see the module's docstring for the hooks.

    A subclass stores in its constructor at least `max_iter`, `batch_size`,
    `learning_rate`, `early_stopping`, `validation_fraction`, `n_iter_no_change`,
    `scoring`, `random_state` and `device`; `training` (`TrainingOptions` or None) if
    users may say how it is trained; `pairs` if it takes text pairs, `precision` if it
    may compute in less than float32.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained module, in evaluation mode.
    n_iter_ : int
        Epochs that were run.
    history_ : list of dict
        One dict an epoch: mean training loss, rate, and validation values if any.
    """

    n_iter_: int
    history_: list[dict[str, Any]]
    module_state_: dict[str, NDArray[Any]]

    # What is made anew from the rest of the state, and so neither pickled nor saved.
    _restored: ClassVar[tuple[str, ...]] = ("_module",)

    # What a subclass without these parameters does.
    pairs: bool = False
    precision: str = "float32"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TakesTrainingOptions._parameter_constraints,
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), None],
        "scoring": [str],
        "random_state": ["random_state"],
        "device": [str],
        "precision": [StrOptions({"float32", "bfloat16", "auto"})],
        "pairs": ["boolean"],
    }

    # What a subclass has to write.

    def _fit_inputs(self, rows: list[Any], seed: int) -> None:
        """Learn from the training rows what `_inputs` needs; set fitted attributes."""

    def _inputs(self, rows: list[Any]) -> Any:
        """Return the rows as `_neural_compute.Inputs`: `lengths` and `collate`."""
        raise NotImplementedError

    def _make_module(self, n_outputs: int) -> Any:
        """Return the module, randomly initialised; its sizes are fitted attributes."""
        raise NotImplementedError

    def _train(self, job: Any) -> list[dict[str, Any]]:
        """Train ``job.module`` and return the history, a dict an epoch."""
        from tweetclf.estimators._neural_compute import train

        return train(self, job)

    # Fit

    def _require_torch(self) -> None:
        import_optional("torch", extra="neural", caller=type(self).__name__)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, X_val: Any = None, y_val: Any = None) -> Any:
        """Train on texts, stopping early by held-out or given ones if asked to.

        Parameters
        ----------
        X : sequence of str, or of pairs of str, of length n_samples
            The training texts. Their order does not matter.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            What is to be learnt.
        X_val, y_val : optional
            Texts to validate on, and what is true of them, in place of a share of the
            training texts. Given them, training stops early whether or not
            `early_stopping` is set.

        Returns
        -------
        estimator
            This object.
        """
        return self._fit(X, y, X_val, y_val)

    def _read(self, X: Any, *, caller: str) -> list[Any]:
        """Return the rows: texts, or tuples of the two texts of pairs."""
        if self.pairs:
            return list(zip(*check_text_pairs(X, caller=caller), strict=True))
        return check_texts(X, caller=caller)

    def _fit(self, X: Any, y: Any, X_val: Any, y_val: Any) -> Any:
        job = self._job(X, y, X_val, y_val)
        from tweetclf.estimators._neural_compute import finished

        self.history_ = self._train(job)
        self.n_iter_ = len(self.history_)
        self._module = finished(job.module)
        return self

    def _job(self, X: Any, y: Any, X_val: Any, y_val: Any) -> Any:
        """Learn what comes before training; return the `_neural_compute.Job`."""
        caller = type(self).__name__
        self._require_torch()
        from tweetclf.estimators._neural_compute import Job, make_module

        rows = self._read(X, caller=caller)
        rows, targets = _in_order(rows, self._fit_targets(y, len(rows)))
        check_options(self)
        seed = inner_seed(self.random_state)
        train, valid = self._hold_out(rows, targets, X_val, y_val, seed)
        for name in (*self._restored, "module_state_"):
            self.__dict__.pop(name, None)
        if valid is not None and self.scoring != "loss":
            self._check_scoring(*valid)
        self._fit_inputs(train[0], seed)
        return Job(make_module(self, seed), train[0], train[1], valid, seed)

    def _check_scoring(self, rows: list[Any], targets: NDArray[Any]) -> None:
        """Try the scorer on validation rows, before training."""
        from tweetclf.estimators._neural_compute import check_scoring

        check_scoring(self, rows, targets)

    def _hold_out(
        self, rows: list[Any], targets: NDArray[Any], X_val: Any, y_val: Any, seed: int
    ) -> tuple[tuple[list[Any], NDArray[Any]], tuple[list[Any], NDArray[Any]] | None]:
        """Return the rows to train on and those to validate on, if any."""
        caller = type(self).__name__
        if (X_val is None) != (y_val is None):
            raise DataError(f"{caller}.fit needs X_val and y_val, or neither of them.")
        if X_val is not None:
            validation = self._read(X_val, caller=f"{caller} (X_val)")
            require_texts(len(validation), caller=f"{caller} (X_val)")
            encoded = self._encode_targets(y_val, len(validation), f"{caller} (y_val)")
            return (rows, targets), (validation, encoded)
        if not self.early_stopping:
            return (rows, targets), None
        chosen = self._validation_rows(targets, seed)
        if not chosen.any() or chosen.all():
            raise DataError(
                f"{caller} cannot hold out validation_fraction="
                f"{self.validation_fraction} of {len(rows)} texts for early stopping; "
                "give more texts, X_val and y_val, or set early_stopping=False."
            )
        parts = [
            ([rows[i] for i in np.flatnonzero(part)], targets[part])
            for part in (~chosen, chosen)
        ]
        return parts[0], parts[1]

    def _validation_rows(self, targets: NDArray[Any], seed: int) -> NDArray[np.bool_]:
        """Draw the validation rows, of each class its share."""
        generator = stream(seed, "validation")
        chosen = np.zeros(len(targets), dtype=bool)
        classes = targets if targets.dtype.kind == "i" else np.zeros(len(targets))
        for code in np.unique(classes):
            members = generator.permutation(np.flatnonzero(classes == code))
            n_held = int(round(self.validation_fraction * len(members)))
            chosen[members[: min(n_held, len(members) - 1)]] = True
        return chosen

    def _fit_targets(self, y: Any, n_rows: int) -> NDArray[Any]:
        """Learn the targets' form from y and return them encoded."""
        raise NotImplementedError

    def _encode_targets(self, y: Any, n_rows: int, caller: str) -> NDArray[Any]:
        """Encode the targets of validation rows."""
        raise NotImplementedError

    def _decode_targets(self, targets: NDArray[Any]) -> NDArray[Any]:
        """Return encoded targets as they were given, for scorers."""
        raise NotImplementedError

    # Predict

    @property
    def module_(self) -> Any:
        """The trained module, in evaluation mode."""
        # Read before `_module` is looked for: another thread may be restoring it.
        state = self.__dict__.get("module_state_")
        if "_module" not in self.__dict__:
            if state is None:
                raise AttributeError(
                    f"{type(self).__name__!r} object has no attribute 'module_': it is "
                    "not fitted"
                )
            self._require_torch()
            from tweetclf.estimators._neural_compute import restored

            self._module = restored(self, state)
            self.__dict__.pop("module_state_", None)
        return self._module

    def __getstate__(self) -> dict[str, Any]:
        # Arrays in place of the module: they need no torch to be read, and equal
        # models have equal states.
        state = dict(super().__getstate__())
        module = state.get("_module")
        for name in self._restored:
            state.pop(name, None)
        if module is not None:
            from tweetclf.estimators._neural_compute import state_of

            state["module_state_"] = state_of(module)
        return state

    def _logits(self, X: Any) -> NDArray[np.float64]:
        """Return the module's outputs, a row a text."""
        caller = type(self).__name__
        check_is_fitted(self, "history_")
        rows = self._read(X, caller=caller)
        require_texts(len(rows), caller=caller)
        self._require_torch()
        from tweetclf.estimators._neural_compute import outputs_of

        return outputs_of(self, self.module_, rows)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = self.pairs
        tags.requires_fit = True
        return tags


def _in_order(rows: list[Any], targets: NDArray[Any]) -> tuple[list[Any], NDArray[Any]]:
    """Sort rows and targets, so that a fit does not depend on the order of its data.

    Batches are drawn at random anyway; what would depend on the order are the draws.
    """
    keys = targets.tolist()
    order = sorted(range(len(rows)), key=lambda i: (rows[i], keys[i]))
    return [rows[i] for i in order], targets[order]


class NeuralClassifier(ClassifierMixin, NeuralEstimator):
    """Base of neural classifiers: binary, multi-class, or multi-label by the form of y.

    A subclass stores `class_weight` besides.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order; for an indicator matrix 0 to n_labels - 1.
    multilabel_ : bool
        Whether y was an indicator matrix.
    class_weight_ : ndarray of shape (n_classes,) or None
        Weight of each class in the loss.
    """

    classes_: NDArray[Any]
    multilabel_: bool
    class_weight_: NDArray[np.float64] | None
    absent_: NDArray[np.bool_]

    # Of the cross-entropy of classes, where the training options do not say.
    _label_smoothing: ClassVar[float] = 0.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NeuralEstimator._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def _fit_targets(self, y: Any, n_rows: int) -> NDArray[Any]:
        caller = type(self).__name__
        self.multilabel_ = np.ndim(y) == 2
        self.class_weight_ = None
        if self.multilabel_:
            indicator = check_indicator(y, n_rows, caller=caller)
            self.classes_ = np.arange(indicator.shape[1])
            self.absent_ = np.asarray(~indicator.astype(bool).any(axis=0))
            if self.class_weight is not None:
                raise DataError(
                    f"{caller}: class_weight={self.class_weight!r} is for classes; y "
                    "is an indicator matrix. Set class_weight=None."
                )
            return indicator.astype(np.float32)
        labels = check_labels(y, n_rows, caller=caller)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        require_two_classes(self.classes_, caller=caller)
        if self.class_weight is not None:
            from sklearn.utils import compute_class_weight

            self.class_weight_ = compute_class_weight(
                self.class_weight, classes=self.classes_, y=labels
            )
        return codes.astype(np.int64)

    def _encode_targets(self, y: Any, n_rows: int, caller: str) -> NDArray[Any]:
        if self.multilabel_:
            indicator = check_indicator(y, n_rows, caller=caller)
            if indicator.shape[1] != len(self.classes_):
                raise DataError(
                    f"{caller} has {indicator.shape[1]} columns; y has "
                    f"{len(self.classes_)}."
                )
            return indicator.astype(np.float32)
        labels = check_labels(y, n_rows, caller=caller)
        codes = np.searchsorted(self.classes_, labels).clip(0, len(self.classes_) - 1)
        unknown = np.flatnonzero(self.classes_[codes] != labels)
        if len(unknown):
            raise DataError(
                f"{caller} holds the label {labels[unknown].tolist()[0]!r} at row "
                f"{unknown[0]}, which no training text has."
            )
        return codes.astype(np.int64)

    def _decode_targets(self, targets: NDArray[Any]) -> NDArray[Any]:
        return targets.astype(np.int64) if self.multilabel_ else self.classes_[targets]

    @property
    def _n_outputs(self) -> int:
        return len(self.classes_)

    def _loss(self, logits: NDArray[Any], targets: NDArray[Any]) -> float:
        """Return the mean loss without smoothing or weights, for validation."""
        if self.multilabel_:
            signed = np.where(targets > 0, -logits, logits)
            return float(np.logaddexp(0, signed).mean())
        picked = log_softmax(logits, axis=1)[np.arange(len(targets)), targets]
        return float(-picked.mean())

    def _answers(self, logits: NDArray[np.float64]) -> NDArray[Any]:
        """Return what `predict` gives for these outputs of the module."""
        if not self.multilabel_:
            return self.classes_[logits.argmax(axis=1)]
        return ((logits > 0) & ~self.absent_).astype(np.int64)

    def _probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        if not self.multilabel_:
            return softmax(logits, axis=1)
        return np.where(self.absent_, 0.0, expit(logits))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class, or the labels of probability over 1/2.

        Parameters
        ----------
        X : sequence of str, or of pairs of str, of length n_samples
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Members of `classes_`, of equally probable ones the first; or an indicator
            matrix.
        """
        return self._answers(self._logits(X))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class or label.

        Parameters
        ----------
        X : sequence of str, or of pairs of str, of length n_samples
            As in `fit`.

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_classes)
            Rows sum to 1; for an indicator matrix, columns are independent.
        """
        return self._probabilities(self._logits(X))


class NeuralRegressor(RegressorMixin, NeuralEstimator):
    """Base of neural regressors: one number a text, learnt in standard units.

    Attributes
    ----------
    target_mean_, target_scale_ : float
        Mean and standard deviation of the training targets; the module learns
        targets from which they are taken out.
    """

    target_mean_: float
    target_scale_: float
    _n_outputs = 1

    def _fit_targets(self, y: Any, n_rows: int) -> NDArray[Any]:
        targets = check_targets(y, n_rows, caller=type(self).__name__)
        # Sums that do not depend on the order of the targets.
        self.target_mean_ = math.fsum(targets) / n_rows
        squares = math.fsum(np.square(targets - self.target_mean_))
        self.target_scale_ = math.sqrt(squares / n_rows) or 1.0
        return self._scaled(targets)

    def _encode_targets(self, y: Any, n_rows: int, caller: str) -> NDArray[Any]:
        return self._scaled(check_targets(y, n_rows, caller=caller))

    def _decode_targets(self, targets: NDArray[Any]) -> NDArray[np.float64]:
        return targets.astype(np.float64) * self.target_scale_ + self.target_mean_

    def _scaled(self, targets: NDArray[np.float64]) -> NDArray[np.float32]:
        return ((targets - self.target_mean_) / self.target_scale_).astype(np.float32)

    def _loss(self, logits: NDArray[Any], targets: NDArray[Any]) -> float:
        return float(np.square(logits[:, 0] - targets).mean())

    def _answers(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        return logits[:, 0] * self.target_scale_ + self.target_mean_

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the predicted numbers.

        Parameters
        ----------
        X : sequence of str, or of pairs of str, of length n_samples
            As in `fit`.

        Returns
        -------
        ndarray of float64 of shape (n_samples,)
            In the units of y.
        """
        return self._answers(self._logits(X))
