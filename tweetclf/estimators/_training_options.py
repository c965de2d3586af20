"""The parameter `training` of neural estimators, and its nested names; no torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sklearn.base import BaseEstimator, clone

from tweetclf.exceptions import DataError
from tweetclf.training.options import TrainingOptions
from tweetclf.utils._sklearn import _fit_context

if TYPE_CHECKING:
    from tweetclf.training.lr_finder import LRFinderResult

__all__ = ["TakesTrainingOptions", "check_options", "options_of", "warmup_of"]

_PREFIX = "training__"

# The first of each is what the estimators minimise by themselves.
_LOSSES = {
    "classes": ("cross_entropy", "soft_macro_f1"),
    "an indicator matrix": ("binary_cross_entropy", "soft_macro_f1", "soft_jaccard"),
    "numbers": ("mse", "mae", "huber"),
}


class TakesTrainingOptions(BaseEstimator):
    """Base of estimators whose parameter `training` holds `TrainingOptions`.

    The options cannot be changed. `set_params` with a nested name puts others in
    their place, and there need be none before: scikit-learn allows no object as a
    default.
    """

    # Of subclasses without the parameter, and of models saved before there was one.
    training: TrainingOptions | None = None

    # Of "compile" and "gradient_checkpointing", what the network can do.
    _can: ClassVar[tuple[str, ...]] = ()

    # Whether the estimator's own schedule moves the momentum as well.
    _moves_momentum: ClassVar[bool] = False

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "training": [TrainingOptions, None],
    }

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters.

        Parameters
        ----------
        deep : bool, default=True
            Return those of nested estimators and the training options, too.

        Returns
        -------
        dict
            Parameter -> value.
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        if deep and "training" in params:
            for name, value in options_of(self).as_dict().items():
                params[_PREFIX + name] = value
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of nested estimators and training options included.

        Parameters
        ----------
        **params
            Parameters and their values.

        Returns
        -------
        estimator
            This object.
        """
        takes_options = "training" in self.get_params(deep=False)
        nested = {
            name.removeprefix(_PREFIX): params.pop(name)
            for name in list(params)
            if takes_options and name.startswith(_PREFIX)
        }
        super().set_params(**params)
        if nested:
            self.training = options_of(self).replaced(**nested)
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._move_old_parameters()

    def _move_old_parameters(self) -> None:
        """Put what models had before there were options into the options."""
        smoothing = self.__dict__.pop("label_smoothing", None)
        # Labels of an indicator matrix were not smoothed then, whatever it was.
        if smoothing is None or getattr(self, "multilabel_", False):
            return
        if smoothing != getattr(self, "_label_smoothing", 0.0):
            self.training = options_of(self).replaced(label_smoothing=smoothing)

    def _check_own_options(self, options: TrainingOptions) -> None:
        """Refuse options that this estimator cannot follow."""
        for name in ("compile", "gradient_checkpointing"):
            if getattr(options, name) and name not in self._can:
                raise DataError(
                    f"{type(self).__name__}: {name}=True is for other networks than "
                    f"this one; see TrainingOptions. Set it to False."
                )

    @_fit_context(prefer_skip_nested_validation=True)
    def find_learning_rate(
        self,
        X: Any,
        y: Any,
        *,
        lowest: float = 1e-7,
        highest: float = 10.0,
        n_steps: int = 100,
    ) -> LRFinderResult:
        """Train a clone with a growing rate; tell what its loss does.

        Take a rate somewhat below the one where the loss is lowest, or `suggestion`,
        where it falls fastest. What comes before that training is done as in `fit`:
        ULMFiT trains or fine-tunes its language model first, which costs most of a
        fit unless it has a `language_model` and ``fine_tuning=()``.

        Parameters
        ----------
        X : sequence of length n_samples
            As in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            As in `fit`.
        lowest, highest : float, default=1e-7, 10.0
            Rates to begin and to end with, geometric between.
        n_steps : int, default=100
            Number of rates, each a step of the optimizer. Texts are read again when
            all have been seen.

        Returns
        -------
        LRFinderResult
            `rates`, `losses`, `smoothed` and `suggestion`; ``plot()`` draws them. The
            estimator is as it was, fitted or not.
        """
        other = clone(self)
        other._require_torch()
        from tweetclf.training.lr_finder import check_range

        # Before what comes before training, which may take hours.
        check_range(lowest, highest, n_steps)
        job = other._job(X, y, None, None)
        job.sweep = {"lowest": lowest, "highest": highest, "n_steps": n_steps}
        other._train(job)
        found: LRFinderResult = job.found
        return found


def options_of(estimator: Any) -> TrainingOptions:
    """Return the training options of an estimator; the default ones if it has none."""
    given = getattr(estimator, "training", None)
    return given if isinstance(given, TrainingOptions) else TrainingOptions()


def warmup_of(estimator: Any) -> float | None:
    """Return the warm-up of a schedule by name: of the options, or the estimator's."""
    warmup = options_of(estimator).warmup
    return getattr(estimator, "warmup", None) if warmup is None else warmup


def _kind_of_targets(estimator: Any) -> str:
    if not hasattr(estimator, "classes_"):
        return "numbers"
    return "an indicator matrix" if estimator.multilabel_ else "classes"


# Whether options conflict, what is wrong then, and what to do.
_Conflict = tuple[Any, str, str]


def _of_the_loss(estimator: Any, loss: str) -> Iterator[_Conflict]:
    """Yield conflicts between what is minimised and what is said of it."""
    options = options_of(estimator)
    weights = getattr(estimator, "class_weight", None)
    yield (
        options.label_smoothing and "cross_entropy" not in loss,
        f"label_smoothing={options.label_smoothing!r} is for a cross-entropy; the "
        f"loss is {loss!r}",
        "Set it to None",
    )
    yield (
        options.confidence_penalty and loss != "cross_entropy",
        f"confidence_penalty={options.confidence_penalty!r} is for the cross-entropy "
        f"of classes; the loss is {loss!r}",
        "Set it to 0",
    )
    yield (
        weights is not None and loss != "cross_entropy",
        f"class_weight={weights!r} is for the cross-entropy; the loss is {loss!r}",
        "Set class_weight=None",
    )
    yield (
        options.confidence_penalty and options.reduction == "weight",
        "confidence_penalty is a mean over texts, which reduction='weight' is not",
        "Set reduction='sample'",
    )
    yield (
        options.reduction == "weight" and (weights is None or loss != "cross_entropy"),
        "reduction='weight' is for a cross-entropy with class weights; class_weight is "
        f"{weights!r} and the loss is {loss!r}",
        "Set reduction='sample'",
    )
    delta = TrainingOptions.huber_delta
    yield (
        options.huber_delta != delta and loss != "huber",
        f"huber_delta={options.huber_delta!r} is for the loss 'huber'; it is {loss!r}",
        f"Set huber_delta={delta!r}, or loss='huber'",
    )


def _of_the_steps(estimator: Any) -> Iterator[_Conflict]:
    """Yield conflicts between options of the optimizer, its rates and momenta."""
    options = options_of(estimator)
    name = options.schedule
    yield (
        options.warmup is not None and name is None,
        f"warmup={options.warmup!r} is that of a schedule named beside it; schedule "
        "is None",
        "Name one, such as schedule='linear'",
    )
    n_usual = TrainingOptions.max_rollbacks
    yield (
        options.max_rollbacks != n_usual and options.on_divergence == "stop",
        f"max_rollbacks={options.max_rollbacks!r} is for on_divergence='rollback'; it "
        "is 'stop'",
        f"Set max_rollbacks={n_usual!r}, or on_divergence='rollback'",
    )
    moved = estimator._moves_momentum if name is None else name == "one_cycle"
    yield (
        options.betas is not None and moved,
        f"betas={options.betas!r} would not be used: with schedule={name!r} the "
        "momentum goes down and up with the rate",
        "Set betas=None, or name another schedule, such as schedule='linear'",
    )
    yield (
        name == "slanted_triangular" and warmup_of(estimator) == 0,
        "schedule='slanted_triangular' has to rise, which warmup="
        f"{warmup_of(estimator)!r} leaves no steps for",
        "Set a warmup above 0, such as 0.1, or schedule='linear'",
    )


def check_options(estimator: Any) -> None:
    """Refuse options that do not go with y, or with one another, before training.

    Parameters
    ----------
    estimator : NeuralEstimator
        It has read y.

    Raises
    ------
    DataError
        Naming the option and what may stand in its place.
    """
    options, caller = options_of(estimator), type(estimator).__name__
    estimator._check_own_options(options)
    kind = _kind_of_targets(estimator)
    losses = _LOSSES[kind]
    if options.loss is not None and options.loss not in losses:
        raise DataError(
            f"{caller}: the loss {options.loss!r} is not for y of {kind}. Choose one "
            f"of {', '.join(map(repr, losses))}, or None."
        )
    of_the_loss = _of_the_loss(estimator, options.loss or losses[0])
    for is_wrong, what, remedy in (*of_the_loss, *_of_the_steps(estimator)):
        if is_wrong:
            raise DataError(f"{caller}, training options: {what}. {remedy}.")
