"""Optimizers and schedules as `TrainingOptions` name them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer

from tweetclf.training._contracts import Schedule
from tweetclf.training.optimizers import KerasAdam, Lamb, adamw
from tweetclf.training.options import TrainingOptions
from tweetclf.training.schedules import (
    Constant,
    Cosine,
    Linear,
    Noam,
    OneCycle,
    SlantedTriangular,
)

__all__ = ["make_optimizer", "make_schedule"]

_OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adamw": adamw,
    "keras_adam": KerasAdam,
    "lamb": Lamb,
}

# Howard & Ruder 2018 (cut_frac); fastai 1.0.52 (pct_start). Noam's warm-up is a number
# of steps in the paper, most often about a tenth of them.
_USUAL_WARMUP = {"noam": 0.1, "slanted_triangular": 0.1, "one_cycle": 0.3}


def make_optimizer(
    options: TrainingOptions,
    parameters: Any,
    *,
    lr: float,
    own: Callable[..., Optimizer],
) -> Optimizer:
    """Return the optimizer that the options name, or else the estimator's own.

    Parameters
    ----------
    options : TrainingOptions
        `optimizer`, `betas` and `eps` count.
    parameters : iterable
        Parameters, or groups as `parameter_groups` makes them.
    lr : float
        Rate of groups that have none of their own.
    own : callable
        ``own(parameters, lr=lr)``; called with betas and eps, too, if they are given.

    Examples
    --------
    >>> import torch
    >>> from tweetclf.training import TrainingOptions
    >>> weights = [torch.nn.Parameter(torch.ones(2))]
    >>> options = TrainingOptions(optimizer="keras_adam", eps=1e-5)
    >>> made = make_optimizer(options, weights, lr=0.1, own=torch.optim.Adam)
    >>> type(made).__name__, made.defaults["betas"], made.defaults["eps"]
    ('KerasAdam', (0.9, 0.98), 1e-05)
    """
    given: dict[str, Any] = {}
    if options.betas is not None:
        given["betas"] = options.betas
    if options.eps is not None:
        given["eps"] = options.eps
    make = own if options.optimizer is None else _OPTIMIZERS[options.optimizer]
    return make(parameters, lr=lr, **given)


def make_schedule(name: str, n_steps: int, *, warmup: float | None = None) -> Schedule:
    """Return a schedule by name; its factors are at most 1.

    Parameters
    ----------
    name : {"constant", "cosine", "linear", "noam", "one_cycle", "slanted_triangular"}
        As in :class:`~tweetclf.training.TrainingOptions`.
    n_steps : int
        Steps of the whole training.
    warmup : float, optional
        Share of the steps in which the rate rises; by default what is usual.

    Examples
    --------
    >>> noam = make_schedule("noam", 100, warmup=0.25)
    >>> [round(noam(step), 3) for step in (0, 24, 99)]
    [0.04, 1.0, 0.5]
    """
    share = float(_USUAL_WARMUP.get(name, 0.0) if warmup is None else warmup)
    if name == "one_cycle":
        return OneCycle(n_steps, pct_start=share)
    if name == "slanted_triangular":
        return SlantedTriangular(n_steps, cut_frac=share)
    n_rising = math.ceil(share * n_steps)
    if name == "constant":
        return Constant(n_rising)
    if name == "noam":
        # So scaled, step `n_rising` has the optimizer's own rate.
        n_rising = max(1, n_rising)
        return Noam(d_model=1, warmup=n_rising, scale=math.sqrt(n_rising))
    return {"cosine": Cosine, "linear": Linear}[name](n_steps, warmup=n_rising)
