"""Learning-rate finder: the loss while the rate grows step by step.

References
----------
Smith, Cyclical Learning Rates for Training Neural Networks, WACV 2017, section 3.3;
with the smoothing, the stop at four times the best loss and the steepest descent as
suggestion that fastai made usual.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tweetclf.training._contracts import Batches, Objective
from tweetclf.training._gradients import Gradients
from tweetclf.training._progress import groups
from tweetclf.training._rates import Rates
from tweetclf.training._state import copy_state
from tweetclf.training.devices import Precision, module_device, resolve_precision

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LRFinderResult", "check_range", "find_learning_rate"]


@dataclass(frozen=True)
class LRFinderResult:
    """What the finder saw.

    Parameters
    ----------
    rates : ndarray of shape (n_steps,)
        Learning rates; of the group with the highest one if there are several.
    losses : ndarray of shape (n_steps,)
        Loss of each step's batch.
    smoothed : ndarray of shape (n_steps,)
        Their exponential mean.
    suggestion : float or None
        Rate at which the smoothed loss falls fastest; None if it never falls.
    diverged : bool
        Whether the loss grew out of bounds before the highest rate.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    suggestion: float | None
    diverged: bool

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the smoothed loss over the rate, with the suggestion marked.

        Parameters
        ----------
        ax : matplotlib axes, optional
            Where to draw; by default a new figure.

        Returns
        -------
        matplotlib axes
            Where it was drawn.
        """
        if ax is None:
            from matplotlib.figure import Figure

            # Not pyplot's: that one would be kept open until someone closes it.
            ax = Figure(layout="constrained").subplots()
        ax.plot(self.rates, self.smoothed)
        ax.set_xscale("log")
        ax.set_xlabel("learning rate")
        ax.set_ylabel("loss (smoothed)")
        if self.suggestion is not None:
            height = np.interp(self.suggestion, self.rates, self.smoothed)
            ax.plot([self.suggestion], [height], "o")
            ax.annotate(
                f"{self.suggestion:.1e}",
                (self.suggestion, float(height)),
                textcoords="offset points",
                xytext=(6, 6),
            )
        return ax


def _forever(batches: Batches) -> Iterator[Any]:
    epoch = 0
    while batches.n_batches(epoch):
        yield from batches.epoch(epoch)
        epoch += 1


def _steepest(rates: NDArray, smoothed: NDArray) -> float | None:
    """Return the rate of the steepest descent before the lowest loss."""
    n_steps = len(rates)
    # The mean over the first few batches is noise, and so is the slope of single
    # steps: it is averaged over a tenth of them.
    start, window = n_steps // 10, max(1, n_steps // 10)
    end = int(np.argmin(smoothed)) + 1 if n_steps else 0
    if end - start < 3:
        return None
    slope = np.gradient(smoothed, np.log(rates))
    slope = np.convolve(slope, np.full(window, 1 / window), mode="same")
    steepest = start + int(np.argmin(slope[start:end]))
    fall = smoothed[start] - smoothed[end - 1]
    if slope[steepest] >= 0 or fall <= 1e-9 * abs(smoothed[start]):
        return None
    return float(rates[steepest])


def _sweep(
    gradients: Gradients,
    rates: Rates,
    batches: Batches,
    n_steps: int,
    smoothing: float,
    accumulate: int,
) -> tuple[list[float], list[float], bool]:
    """Return the losses and smoothed losses of every step, and whether they grew."""
    losses: list[float] = []
    smoothed: list[float] = []
    mean = 0.0
    steps = groups(_forever(batches), accumulate)
    for step, group in zip(range(n_steps), steps, strict=False):
        rates.set(step, 1.0)
        loss = gradients.compute(group, step)
        value = (loss.total / loss.weight).item() if loss.weight else 0.0
        if not math.isfinite(value) or not math.isfinite(loss.norm.item()):
            return losses, smoothed, True
        mean = smoothing * mean + (1 - smoothing) * value
        losses.append(value)
        smoothed.append(mean / (1 - smoothing ** (step + 1)))
        # The loss of a first batch alone is no bound.
        if step and smoothed[-1] > 4 * abs(min(smoothed)):
            return losses, smoothed, True
        gradients.apply(loss.norm)
    return losses, smoothed, False


def check_range(lowest: float, highest: float, n_steps: int) -> None:
    """Refuse rates that cannot be gone through.

    Parameters
    ----------
    lowest, highest, n_steps
        As in `find_learning_rate`.

    Raises
    ------
    ValueError
        If they do not grow, or are not at least two.
    """
    are_rates = 0 < lowest < highest < math.inf
    if not are_rates or not isinstance(n_steps, Integral) or n_steps < 2:
        raise ValueError(
            "find_learning_rate: it needs 0 < lowest < highest and at least 2 steps. "
            f"Got {lowest!r}, {highest!r} and {n_steps!r}."
        )


def find_learning_rate(
    module: nn.Module,
    objective: Objective,
    batches: Batches,
    *,
    optimizer: torch.optim.Optimizer,
    lowest: float = 1e-7,
    highest: float = 10.0,
    n_steps: int = 100,
    smoothing: float = 0.9,
    accumulate: int = 1,
    clip_norm: float | None = None,
    precision: Precision = "float32",
    seed: int = 0,
) -> LRFinderResult:
    """Train with a growing rate for some steps, then put everything back.

    Parameters
    ----------
    module : nn.Module
        What will be trained; unchanged afterwards.
    objective : Objective
        As in `fit_loop`.
    batches : Batches
        As in `fit_loop`; begun again when an epoch is over.
    optimizer : torch.optim.Optimizer
        Made over the module's parameters; unchanged afterwards. The ratios between
        the rates of its groups are kept.
    lowest, highest : float, default=1e-7, 10.0
        Rates to begin and to end with, geometric between.
    n_steps : int, default=100
        Number of rates.
    smoothing : float, default=0.9
        Share of the past in the smoothed loss.
    accumulate : int, default=1
        As in `fit_loop`.
    clip_norm : float, optional
        As in `fit_loop`.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        As in `fit_loop`.
    seed : int, default=0
        Of dropout.

    Returns
    -------
    LRFinderResult
        Rates, losses and a suggestion; ``plot()`` draws them.
    """
    check_range(lowest, highest, n_steps)
    values = np.geomspace(lowest, highest, n_steps)
    device = module_device(module)
    reference = max(group["lr"] for group in optimizer.param_groups)
    rates = Rates(optimizer, lambda step: float(values[step] / reference))
    gradients = Gradients(
        module,
        objective,
        optimizer,
        device=device,
        precision=resolve_precision(precision, device),
        clip_norm=clip_norm,
        seed=seed,
        split=getattr(batches, "split", None),
    )
    before = copy_state((module.state_dict(), optimizer.state_dict()))
    carried = None
    if hasattr(objective, "state_dict"):
        carried = copy_state(objective.state_dict())
    training = module.training
    module.train()
    if hasattr(objective, "start_epoch"):
        objective.start_epoch(0)
    try:
        losses, smoothed, diverged = _sweep(
            gradients, rates, batches, n_steps, smoothing, accumulate
        )
    finally:
        rates.put_back()
        module.load_state_dict(before[0])
        optimizer.load_state_dict(before[1])
        optimizer.zero_grad(set_to_none=True)
        if carried is not None:
            objective.load_state_dict(carried)  # type: ignore[attr-defined]
        module.train(training)
    seen = values[: len(losses)]
    array = np.array(smoothed)
    suggestion = _steepest(seen, array)
    return LRFinderResult(seen, np.array(losses), array, suggestion, diverged)
