"""What neural estimators minimise: losses by the kind of their targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tweetclf.estimators._training_options import options_of
from tweetclf.training.losses import (
    binary_cross_entropy,
    confidence_penalty,
    cross_entropy,
    loss_weight,
    regression_loss,
    soft_jaccard_loss,
    soft_macro_f1_loss,
)
from tweetclf.training.options import TrainingOptions

__all__ = ["make_objective", "plain_loss"]

_SOFT = {"soft_macro_f1": soft_macro_f1_loss, "soft_jaccard": soft_jaccard_loss}


def _soft_loss(name: str, logits: Tensor, targets: Tensor) -> Tensor:
    """Return a loss of probabilities; targets are class numbers or indicator rows."""
    if targets.ndim == 2:
        return _SOFT[name](logits.sigmoid(), targets)
    rows = functional.one_hot(targets, logits.shape[1])
    return _SOFT[name](logits.softmax(dim=1), rows)


def _loss_of_numbers(
    options: TrainingOptions, logits: Tensor, targets: Tensor
) -> Tensor:
    kind: Any = options.loss or "mse"
    return regression_loss(logits[:, 0], targets, kind=kind, delta=options.huber_delta)


def _loss_of_classes(
    estimator: Any, options: TrainingOptions, logits: Tensor, targets: Tensor
) -> tuple[Tensor, Any]:
    """Return the cross-entropy, and what its mean is over."""
    weight = None
    # Set by `fit`; there are none in a multiple choice.
    weights = getattr(estimator, "class_weight_", None)
    if weights is not None:
        weight = torch.as_tensor(weights, dtype=logits.dtype, device=logits.device)
    smoothing = options.label_smoothing
    loss = cross_entropy(
        logits,
        targets,
        class_weight=weight,
        reduction=options.reduction,
        label_smoothing=estimator._label_smoothing if smoothing is None else smoothing,
    )
    if options.confidence_penalty:
        loss = loss + confidence_penalty(logits, options.confidence_penalty)
    over: Any = len(targets)
    if options.reduction == "weight":
        over = loss_weight(targets, class_weight=weight, reduction="weight")
    return loss, over


def make_objective(estimator: Any) -> Callable[..., tuple[Tensor, dict[str, Any]]]:
    """Return the objective of the estimator's options and kind of targets.

    By default, classes: cross-entropy, smoothed, its class weights in the reduction
    (1/N) sum w CE, so that a rare class weighs the same in every batch. Indicator
    matrices: binary cross-entropy. Numbers: squared error.
    """
    options = options_of(estimator)

    def objective(
        module: nn.Module, batch: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Any]]:
        inputs = dict(batch)
        targets = inputs.pop("targets")
        logits = module(**inputs)
        if logits.dtype == torch.bfloat16:
            logits = logits.float()
        weight: Any = len(targets)
        if options.loss in _SOFT:
            loss = _soft_loss(options.loss, logits, targets)
        elif targets.dtype == torch.int64:
            loss, weight = _loss_of_classes(estimator, options, logits, targets)
        elif targets.ndim == 2:
            loss = binary_cross_entropy(
                logits, targets, label_smoothing=options.label_smoothing or 0.0
            )
        else:
            loss = _loss_of_numbers(options, logits, targets)
        return loss, {"weight": weight, "n_examples": len(targets)}

    return objective


def plain_loss(estimator: Any, logits: NDArray[Any], targets: NDArray[Any]) -> float:
    """Return the mean loss of validation texts, without smoothing, weights, penalty."""
    options = options_of(estimator)
    numbers, answers = torch.from_numpy(logits), torch.from_numpy(targets)
    if options.loss in _SOFT:
        return _soft_loss(options.loss, numbers, answers).item()
    if options.loss in ("mae", "huber"):
        return _loss_of_numbers(options, numbers, answers).item()
    loss: float = estimator._loss(logits, targets)
    return loss
