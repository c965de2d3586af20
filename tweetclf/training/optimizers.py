"""Optimisers and groups of parameters with rates and decay of their own.

References
----------
Kingma & Ba, Adam, ICLR 2015 (the "epsilon-hat" form at the end of section 2).
Loshchilov & Hutter, Decoupled Weight Decay Regularization, ICLR 2019. You et al.,
Large Batch Optimization for Deep Learning, ICLR 2020 (LAMB, algorithm 2). Howard &
Ruder, Universal Language Model Fine-tuning for Text Classification, ACL 2018
(discriminative rates, section 3.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

__all__ = [
    "KerasAdam",
    "Lamb",
    "adamw",
    "discriminative_rates",
    "layerwise_rates",
    "parameter_groups",
]

Part: TypeAlias = nn.Module | nn.Parameter


def discriminative_rates(
    highest: float,
    n_groups: int,
    *,
    factor: float = 2.6,
    lowest: float | None = None,
) -> list[float]:
    """Return a rate for each group of layers, the group nearest the input first.

    Parameters
    ----------
    highest : float
        Rate of the last group.
    n_groups : int
        Number of groups.
    factor : float, default=2.6
        How many times smaller the rate of a group is than that of the next: the
        value of Howard & Ruder 2018.
    lowest : float, optional
        Rate of the first group, in place of `factor`; the rates between are
        geometric, as in fastai's ``slice(lowest, highest)``.

    Returns
    -------
    list of float
        `n_groups` rates.

    Examples
    --------
    >>> [round(rate, 6) for rate in discriminative_rates(0.01, 3, factor=10)]
    [0.0001, 0.001, 0.01]
    >>> [round(rate, 6) for rate in discriminative_rates(0.01, 3, lowest=0.0001)]
    [0.0001, 0.001, 0.01]
    """
    if n_groups < 1:
        raise ValueError(
            "discriminative_rates: the 'n_groups' parameter must be at least 1. Got "
            f"{n_groups!r} instead."
        )
    if n_groups == 1:
        return [highest]
    if lowest is not None:
        factor = (highest / lowest) ** (1 / (n_groups - 1))
    return [highest / factor ** (n_groups - 1 - group) for group in range(n_groups)]


def layerwise_rates(highest: float, n_groups: int, decay: float) -> list[float]:
    """Return rates that shrink by `decay` from each layer to the one below.

    Parameters
    ----------
    highest : float
        Rate of the last group, the head.
    n_groups : int
        Number of groups: embeddings, layers, head.
    decay : float
        Share of its rate that the layer below gets, for example 0.95.

    Returns
    -------
    list of float
        `n_groups` rates, the group nearest the input first.

    Examples
    --------
    >>> layerwise_rates(1.0, 3, 0.5)
    [0.25, 0.5, 1.0]
    """
    return [highest * decay ** (n_groups - 1 - group) for group in range(n_groups)]


def _parameters_of(part: Part | Iterable[Part]) -> list[nn.Parameter]:
    if isinstance(part, nn.Parameter):
        return [part]
    if isinstance(part, nn.Module):
        return list(part.parameters())
    return [parameter for item in part for parameter in _parameters_of(item)]


def _check_complete(module: nn.Module, seen: set[int]) -> None:
    missing = [
        name
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and id(parameter) not in seen
    ]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise ValueError(
            f"parameter_groups: {len(missing)} parameters are in no group: {shown}. "
            "Add them to a group, or freeze them (requires_grad=False)."
        )


def parameter_groups(
    module: nn.Module,
    *,
    lr: float | Sequence[float],
    weight_decay: float = 0.0,
    groups: Sequence[Part | Iterable[Part]] | None = None,
    decay_all: bool = False,
) -> list[dict[str, Any]]:
    """Return the groups of an optimizer for a module's parameters.

    Parameters
    ----------
    module : nn.Module
        Frozen parameters are left out.
    lr : float or sequence of float
        Rate of all groups, or one a group.
    weight_decay : float, default=0.0
        Decay of the weights.
    groups : sequence, optional
        Modules, parameters or collections of them, the group nearest the input first.
        A parameter in two groups (tied weights) belongs to the first. By default
        everything is one group.
    decay_all : bool, default=False
        Decay biases and the weights of normalisation layers too, as fastai does. By
        default parameters with fewer than two axes do not decay.

    Returns
    -------
    list of dict
        With ``params``, ``lr``, ``weight_decay`` and ``layer_group``, the number of
        the group. Each group makes two of them where some of it does not decay.

    Examples
    --------
    >>> module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    >>> made = parameter_groups(
    ...     module, lr=[0.1, 0.2], weight_decay=0.01, groups=[module[0], module[1]]
    ... )
    >>> [(group["lr"], group["weight_decay"]) for group in made]
    [(0.1, 0.01), (0.1, 0.0), (0.2, 0.01), (0.2, 0.0)]
    """
    parts = [module] if groups is None else list(groups)
    rates = [float(lr)] * len(parts) if isinstance(lr, int | float) else list(lr)
    if len(rates) != len(parts):
        raise ValueError(
            f"parameter_groups: the 'lr' parameter has {len(rates)} rates for "
            f"{len(parts)} groups."
        )
    made: list[dict[str, Any]] = []
    seen: set[int] = set()
    for number, (part, rate) in enumerate(zip(parts, rates, strict=True)):
        split: dict[float, list[nn.Parameter]] = {weight_decay: [], 0.0: []}
        for parameter in _parameters_of(part):
            if not parameter.requires_grad or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            decays = decay_all or parameter.ndim >= 2
            split[weight_decay if decays else 0.0].append(parameter)
        made += [
            {
                "params": parameters,
                "lr": rate,
                "weight_decay": decay,
                "layer_group": number,
            }
            for decay, parameters in split.items()
            if parameters
        ]
    _check_complete(module, seen)
    return made


def adamw(
    parameters: Iterable[Any],
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> torch.optim.AdamW:
    """Make an Adam with decoupled weight decay, fused where torch has it.

    Parameters
    ----------
    parameters : iterable
        Parameters, or groups as `parameter_groups` makes them.
    lr : float
        Rate of groups that have none of their own.
    betas : tuple of float, default=(0.9, 0.999)
        Decay of the two moments. fastai's default is (0.9, 0.99).
    eps : float, default=1e-8
        Added to the root of the second moment.
    weight_decay : float, default=0.0
        Decay of groups that have none of their own: ``p <- p * (1 - lr * decay)``.

    Returns
    -------
    torch.optim.AdamW
        The optimizer.

    Examples
    --------
    >>> adamw(nn.Linear(2, 1).parameters(), lr=0.1).defaults["lr"]
    0.1
    """
    return torch.optim.AdamW(
        parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True
    )


def _with_gradients(group: dict[str, Any]) -> tuple[list[Tensor], list[Tensor]]:
    parameters = [p for p in group["params"] if p.grad is not None]
    return parameters, [p.grad for p in parameters]


class _Moments(Optimizer):
    """Base of optimizers with Adam's two moments and one count of steps a group."""

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
    ) -> None:
        if not lr >= 0 or not eps >= 0 or not weight_decay >= 0:
            raise ValueError(
                f"{type(self).__name__}: the 'lr', 'eps' and 'weight_decay' parameters "
                f"must not be negative. Got {lr!r}, {eps!r} and {weight_decay!r} "
                "instead."
            )
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(
                f"{type(self).__name__}: the 'betas' parameter must lie in [0, 1). Got "
                f"{betas!r} instead."
            )
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "n_steps": 0,
        }
        super().__init__(parameters, defaults)

    def _moments(
        self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Update and return the moments, without bias correction."""
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter]["mean"] = torch.zeros_like(parameter)
                self.state[parameter]["square"] = torch.zeros_like(parameter)
        means = [self.state[parameter]["mean"] for parameter in parameters]
        squares = [self.state[parameter]["square"] for parameter in parameters]
        beta1, beta2 = group["betas"]
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
        return means, squares

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss and its gradients anew.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters, gradients = _with_gradients(group)
            group["n_steps"] += 1
            if parameters:
                means, squares = self._moments(group, parameters, gradients)
                self._update(group, parameters, means, squares)
        return loss

    def _update(
        self,
        group: dict[str, Any],
        parameters: list[Tensor],
        means: list[Tensor],
        squares: list[Tensor],
    ) -> None:
        raise NotImplementedError


class KerasAdam(_Moments):
    """Adam as Keras writes it: epsilon outside of the bias correction.

    ``p <- p - lr * sqrt(1 - beta2**t) / (1 - beta1**t) * m / (sqrt(v) + eps)``, with
    one count of steps t for all parameters. Where gradients are as small as `eps`,
    torch's Adam, which adds it after the correction, takes quite different steps.

    Parameters
    ----------
    parameters : iterable
        Parameters, or groups as `parameter_groups` makes them.
    lr : float, default=1e-4
        Rate. This and the other defaults are TWilBERT's.
    betas : tuple of float, default=(0.9, 0.98)
        Decay of the two moments.
    eps : float, default=1e-6
        Added to the root of the second moment.
    weight_decay : float, default=0.0
        Decoupled: ``p <- p * (1 - lr * decay)`` before the step.

    Examples
    --------
    >>> weight = nn.Parameter(torch.ones(1))
    >>> optimizer = KerasAdam([weight], lr=0.1)
    >>> weight.sum().backward()
    >>> _ = optimizer.step()
    >>> round(weight.item(), 4)
    0.9
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def _update(
        self,
        group: dict[str, Any],
        parameters: list[Tensor],
        means: list[Tensor],
        squares: list[Tensor],
    ) -> None:
        (beta1, beta2), step = group["betas"], group["n_steps"]
        size = group["lr"] * math.sqrt(1 - beta2**step) / (1 - beta1**step)
        if group["weight_decay"]:
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        roots = torch._foreach_sqrt(squares)
        torch._foreach_add_(roots, group["eps"])
        torch._foreach_addcdiv_(parameters, means, roots, -size)


class Lamb(_Moments):
    """LAMB: Adam whose step in each tensor is as long as the tensor's norm says.

    ``u = m_hat / (sqrt(v_hat) + eps) + decay * p``, then ``p <- p - lr * |p| / |u| *
    u``, with the ratio 1 where a norm is 0. Libraries differ: some leave the bias
    correction out of the ratio, some bound the norm at 10.

    Parameters
    ----------
    parameters : iterable
        Parameters, or groups as `parameter_groups` makes them.
    lr : float, default=1.76e-3
        Rate. This and `eps` are TWilBERT's.
    betas : tuple of float, default=(0.9, 0.999)
        Decay of the two moments.
    eps : float, default=1e-6
        Added to the root of the second moment.
    weight_decay : float, default=0.0
        Decay, part of what the norm is taken of.

    Examples
    --------
    >>> weight = nn.Parameter(torch.full((1,), 2.0))
    >>> optimizer = Lamb([weight], lr=0.1)
    >>> weight.sum().backward()
    >>> _ = optimizer.step()
    >>> round(weight.item(), 4)
    1.8
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 1.76e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def _update(
        self,
        group: dict[str, Any],
        parameters: list[Tensor],
        means: list[Tensor],
        squares: list[Tensor],
    ) -> None:
        (beta1, beta2), step = group["betas"], group["n_steps"]
        roots = torch._foreach_sqrt(squares)
        torch._foreach_div_(roots, math.sqrt(1 - beta2**step))
        torch._foreach_add_(roots, group["eps"])
        updates = torch._foreach_div(means, roots)
        torch._foreach_div_(updates, 1 - beta1**step)
        if group["weight_decay"]:
            torch._foreach_add_(updates, parameters, alpha=group["weight_decay"])
        # One vector of norms, and no fetch from the device: (n_tensors,)
        length = torch.stack(torch._foreach_norm(parameters))
        stride = torch.stack(torch._foreach_norm(updates))
        usable = (length > 0) & (stride > 0)
        ratios = torch.where(usable, length / stride, 1.0) * group["lr"]
        for parameter, update, ratio in zip(
            parameters, updates, ratios.unbind(), strict=True
        ):
            parameter.sub_(update * ratio)
