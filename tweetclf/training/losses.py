"""Losses of classifiers and regressors.

Every loss is a mean, and an objective tells the loop over how much (`loss_weight`),
so that micro-batches add up to the loss of the whole batch.

References
----------
Szegedy et al., Rethinking the Inception Architecture, CVPR 2016 (label smoothing).
Pereyra et al., Regularizing Neural Networks by Penalizing Confident Output
Distributions, arXiv:1701.06548 (confidence penalty, eq. 2). Gonzalez, Hurtado & Pla,
TWilBert, Neurocomputing 2021 (losses that approximate metrics).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "binary_cross_entropy",
    "confidence_penalty",
    "cross_entropy",
    "loss_weight",
    "regression_loss",
    "soft_jaccard_loss",
    "soft_macro_f1_loss",
]

Reduction: TypeAlias = Literal["sample", "weight"]


def _check_reduction(reduction: str) -> None:
    if reduction not in ("sample", "weight"):
        raise ValueError(
            "The 'reduction' parameter must be 'sample' or 'weight'. Got "
            f"{reduction!r} instead."
        )


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    class_weight: Tensor | None = None,
    reduction: Reduction = "sample",
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
) -> Tensor:
    """Return the mean cross-entropy of a batch.

    Parameters
    ----------
    logits : Tensor of shape (batch, n_classes)
        Before the softmax.
    target : Tensor of shape (batch,)
        Class numbers.
    class_weight : Tensor of shape (n_classes,), optional
        Weight of each class.
    reduction : {"sample", "weight"}, default="sample"
        What the sum of weighted losses is divided by: the number of examples, as Keras
        does (and TWilBERT's results were computed with), or the sum of their weights,
        as torch does. The same without weights.
    label_smoothing : float, default=0.0
        Share of the target's mass that is spread over all classes.
    ignore_index : int, default=-100
        Examples with this target do not count.

    Returns
    -------
    Tensor
        A scalar; 0, with a gradient of 0, if no example counts.

    Examples
    --------
    >>> logits, weight = torch.zeros(2, 2), torch.tensor([1.0, 3.0])
    >>> target = torch.tensor([0, 1])
    >>> round(cross_entropy(logits, target, class_weight=weight).item(), 4)
    1.3863
    >>> loss = cross_entropy(
    ...     logits, target, class_weight=weight, reduction="weight"
    ... )
    >>> round(loss.item(), 4)
    0.6931
    """
    total = functional.cross_entropy(
        logits,
        target,
        weight=class_weight,
        reduction="sum",
        label_smoothing=label_smoothing,
        ignore_index=ignore_index,
    )
    weight = loss_weight(
        target,
        class_weight=class_weight,
        reduction=reduction,
        ignore_index=ignore_index,
    )
    # An empty sum is 0, and 0 / 0 would be the NaN that ends the training.
    return total / torch.where(weight > 0, weight, 1.0).to(total.dtype)


def loss_weight(
    target: Tensor,
    *,
    class_weight: Tensor | None = None,
    reduction: Reduction = "sample",
    ignore_index: int = -100,
) -> Tensor:
    """Return what `cross_entropy` divides by: ``logs["weight"]`` of an objective.

    Parameters
    ----------
    target : Tensor of shape (batch,)
        Class numbers.
    class_weight : Tensor of shape (n_classes,), optional
        Weight of each class.
    reduction : {"sample", "weight"}, default="sample"
        As in `cross_entropy`.
    ignore_index : int, default=-100
        Examples with this target do not count.

    Returns
    -------
    Tensor
        A scalar on the device of `target`.

    Examples
    --------
    >>> target, weight = torch.tensor([0, 1, -100]), torch.tensor([1.0, 3.0])
    >>> loss_weight(target, class_weight=weight).item()
    2.0
    >>> loss_weight(target, class_weight=weight, reduction="weight").item()
    4.0
    """
    _check_reduction(reduction)
    counts = target != ignore_index
    if class_weight is None or reduction == "sample":
        return counts.sum().to(torch.get_default_dtype())
    return class_weight[target.clamp(min=0)].mul(counts).sum()


def binary_cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    class_weight: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the mean binary cross-entropy over examples and labels.

    Parameters
    ----------
    logits : Tensor of shape (batch, n_labels)
        Before the sigmoid.
    target : Tensor of shape (batch, n_labels)
        0 or 1.
    class_weight : Tensor of shape (n_labels,), optional
        Factor on the loss of each label where it is present.
    label_smoothing : float, default=0.0
        Targets become ``y * (1 - s) + s / 2``.

    Returns
    -------
    Tensor
        A scalar. Its weight is the number of examples.

    Examples
    --------
    >>> logits, target = torch.zeros(1, 2), torch.tensor([[0.0, 1.0]])
    >>> round(binary_cross_entropy(logits, target).item(), 4)
    0.6931
    """
    target = target.to(logits.dtype)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / 2
    return functional.binary_cross_entropy_with_logits(
        logits, target, pos_weight=class_weight
    )


def regression_loss(
    predicted: Tensor,
    target: Tensor,
    *,
    kind: Literal["mse", "mae", "huber"] = "mse",
    delta: float = 1.0,
) -> Tensor:
    """Return the mean loss of a regression.

    Parameters
    ----------
    predicted, target : Tensor of the same shape
        Values.
    kind : {"mse", "mae", "huber"}, default="mse"
        Squared error, absolute error, or half the squared error up to `delta` and
        ``delta * (|error| - delta / 2)`` beyond.
    delta : float, default=1.0
        Where Huber's loss turns.

    Returns
    -------
    Tensor
        A scalar.

    Examples
    --------
    >>> predicted, target = torch.tensor([0.0, 3.0]), torch.tensor([0.0, 1.0])
    >>> [
    ...     regression_loss(predicted, target, kind=kind).item()
    ...     for kind in ("mse", "mae", "huber")
    ... ]
    [2.0, 1.0, 0.75]
    """
    if predicted.shape != target.shape:
        # torch would broadcast (n, 1) against (n,) to (n, n), with a warning at most.
        raise ValueError(
            f"regression_loss: predictions have shape {tuple(predicted.shape)}, "
            f"targets {tuple(target.shape)}."
        )
    target = target.to(predicted.dtype)
    if kind == "mse":
        return functional.mse_loss(predicted, target)
    if kind == "mae":
        return functional.l1_loss(predicted, target)
    if kind == "huber":
        return functional.huber_loss(predicted, target, delta=delta)
    raise ValueError(
        f"The 'kind' parameter must be 'mse', 'mae' or 'huber'. Got {kind!r} instead."
    )


def _share(part: Tensor, whole: Tensor, empty: float) -> Tensor:
    """Return part / whole, and `empty` where the whole is 0."""
    usable = whole > 0
    return torch.where(usable, part / torch.where(usable, whole, 1.0), empty)


def soft_macro_f1_loss(probabilities: Tensor, target: Tensor) -> Tensor:
    """Return 1 minus macro-F1 of soft counts.

    A probability p counts as p of a prediction: with probabilities that are 0 or 1
    this is exactly the metric. The counts are over the batch, so the mean over
    micro-batches is not that of the whole batch: use large ones.

    Parameters
    ----------
    probabilities : Tensor of shape (batch, n_classes)
        After the softmax or the sigmoid.
    target : Tensor of shape (batch, n_classes)
        One-hot or indicator rows.

    Returns
    -------
    Tensor
        A scalar. A class without examples and predictions has an F1 of 0.

    Examples
    --------
    >>> target = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> soft_macro_f1_loss(target, target).item()
    0.0
    """
    target = target.to(probabilities.dtype)
    hits = (probabilities * target).sum(0)  # (n_classes,)
    # 2 tp + fp + fn: everything predicted and everything true.
    total = probabilities.sum(0) + target.sum(0)  # (n_classes,)
    return 1 - _share(2 * hits, total, 0.0).mean()


def soft_jaccard_loss(probabilities: Tensor, target: Tensor) -> Tensor:
    """Return 1 minus the mean Jaccard index of the examples, of soft counts.

    TWilBERT's code divides the sum by 16 whatever the batch size; this is the mean.

    Parameters
    ----------
    probabilities : Tensor of shape (batch, n_labels)
        After the sigmoid.
    target : Tensor of shape (batch, n_labels)
        Indicator rows.

    Returns
    -------
    Tensor
        A scalar. An example with neither true nor predicted labels has an index of 1.

    Examples
    --------
    >>> target = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    >>> soft_jaccard_loss(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), target).item()
    0.25
    """
    target = target.to(probabilities.dtype)
    both = (probabilities * target).sum(1)  # (batch,)
    either = probabilities.sum(1) + target.sum(1) - both  # (batch,)
    return 1 - _share(both, either, 1.0).mean()


def confidence_penalty(logits: Tensor, beta: float = 0.1) -> Tensor:
    """Return minus `beta` times the mean entropy: what to add to the cross-entropy.

    Parameters
    ----------
    logits : Tensor of shape (batch, n_classes)
        Before the softmax.
    beta : float, default=0.1
        Strength.

    Returns
    -------
    Tensor
        A scalar, lowest where every class is equally likely.

    Examples
    --------
    >>> round(confidence_penalty(torch.zeros(3, 2), beta=1.0).item(), 4)
    -0.6931
    """
    log_p = functional.log_softmax(logits, dim=-1)
    return beta * (log_p.exp() * log_p).sum(-1).mean()
