"""Schedules of the learning rate: what each step multiplies the initial rate by.

A schedule is called with the number of a step, from 0, and returns a factor on the
initial rate of every group of the optimizer, or a mapping with ``"lr"``, that factor,
and ``"momentum"``, the momentum (SGD) or first beta (Adam) itself. Nothing is stored
between calls, so training resumes at any step.

References
----------
Howard & Ruder, Universal Language Model Fine-tuning for Text Classification, ACL 2018
(slanted triangular, eq. 3). Vaswani et al., Attention Is All You Need, NeurIPS 2017
(Noam, eq. 3). Smith, A disciplined approach to neural network hyper-parameters,
arXiv:1803.09820 (one-cycle), in the form of fastai 1.0.52.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tweetclf.training._contracts import Batches

__all__ = [
    "Constant",
    "Cosine",
    "Linear",
    "Noam",
    "OneCycle",
    "SlantedTriangular",
    "total_steps",
]


def total_steps(batches: Batches, max_epochs: int, accumulate: int = 1) -> int:
    """Return how many steps the optimizer will take.

    Parameters
    ----------
    batches : Batches
        Where batches come from.
    max_epochs : int
        Passes over them.
    accumulate : int, default=1
        Micro-batches in a step.

    Returns
    -------
    int
        The sum over the epochs, the smaller last step of each counted.
    """
    return sum(
        -(-batches.n_batches(epoch) // accumulate) for epoch in range(max_epochs)
    )


def _check_steps(name: str, n_steps: int, warmup: float = 0) -> None:
    if n_steps < 1:
        raise ValueError(
            f"{name}: the 'n_steps' parameter must be at least 1. Got {n_steps!r} "
            "instead."
        )
    if not 0 <= warmup <= n_steps:
        raise ValueError(
            f"{name}: the 'warmup' parameter must lie between 0 and n_steps "
            f"({n_steps}). Got {warmup!r} instead."
        )


def _warmup_steps(warmup: float, n_steps: int) -> int:
    """Read a float below 1 as a share of the steps, as Hugging Face does."""
    if isinstance(warmup, float) and 0 < warmup < 1:
        return math.ceil(warmup * n_steps)
    return int(warmup)


@dataclass(frozen=True)
class Constant:
    """The initial rate, after a linear warm-up if asked for.

    Parameters
    ----------
    warmup : int, default=0
        Steps in which the rate rises from 0.

    Examples
    --------
    >>> [Constant(warmup=4)(step) for step in (0, 2, 4, 100)]
    [0.0, 0.5, 1.0, 1.0]
    """

    warmup: int = 0

    def __call__(self, step: int) -> float:
        """Return what to multiply the initial rate by, steps counted from 0."""
        return min(1.0, step / self.warmup) if self.warmup else 1.0


@dataclass(frozen=True)
class Linear:
    """Linear warm-up, then linear decay to 0.

    Step for step ``transformers.get_linear_schedule_with_warmup``.

    Parameters
    ----------
    n_steps : int
        Steps of the whole training; see `total_steps`.
    warmup : int or float, default=0
        Steps in which the rate rises from 0; a float below 1 is a share of `n_steps`.

    Examples
    --------
    >>> [Linear(10, warmup=2)(step) for step in (0, 1, 2, 6, 10)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    n_steps: int
    warmup: float = 0

    def __post_init__(self) -> None:
        _check_steps("Linear", self.n_steps, self.warmup)

    def __call__(self, step: int) -> float:
        """Return what to multiply the initial rate by, steps counted from 0."""
        warmup = _warmup_steps(self.warmup, self.n_steps)
        if step < warmup:
            return step / warmup
        return max(0.0, (self.n_steps - step) / max(1, self.n_steps - warmup))


@dataclass(frozen=True)
class Cosine:
    """Linear warm-up, then half a cosine down to 0.

    Step for step ``transformers.get_cosine_schedule_with_warmup``.

    Parameters
    ----------
    n_steps : int
        Steps of the whole training; see `total_steps`.
    warmup : int or float, default=0
        Steps in which the rate rises from 0; a float below 1 is a share of `n_steps`.
    floor : float, default=0.0
        Factor at the end.

    Examples
    --------
    >>> [round(Cosine(10, warmup=2)(step), 3) for step in (0, 2, 6, 10)]
    [0.0, 1.0, 0.5, 0.0]
    """

    n_steps: int
    warmup: float = 0
    floor: float = 0.0

    def __post_init__(self) -> None:
        _check_steps("Cosine", self.n_steps, self.warmup)

    def __call__(self, step: int) -> float:
        """Return what to multiply the initial rate by, steps counted from 0."""
        warmup = _warmup_steps(self.warmup, self.n_steps)
        if step < warmup:
            return step / warmup
        share = min(1.0, (step - warmup) / max(1, self.n_steps - warmup))
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class Noam:
    """Rise for `warmup` steps, then fall with the inverse square root of the step.

    The optimizer's initial rate should be 1: the factor is the rate,
    ``scale * d_model**-0.5 * min(s**-0.5, s * warmup**-1.5)``, s counted from 1.

    Parameters
    ----------
    d_model : int
        Width of the model.
    warmup : int
        Step with the highest rate.
    scale : float, default=1.0
        Factor on everything.
    first_rate : float, optional
        Rate of the first step, with s then counting *completed* steps, as TWilBERT's
        callback has it, which sets a rate only after an update: 1e-4 there.

    Examples
    --------
    >>> f"{Noam(768, 8000)(7999):.6e}"
    '4.034358e-04'
    """

    d_model: int
    warmup: int
    scale: float = 1.0
    first_rate: float | None = None

    def __post_init__(self) -> None:
        if self.d_model < 1 or self.warmup < 1:
            raise ValueError(
                "Noam: the 'd_model' and 'warmup' parameters must be at least 1. Got "
                f"{self.d_model!r} and {self.warmup!r} instead."
            )

    def __call__(self, step: int) -> float:
        """Return what to multiply the initial rate by, steps counted from 0."""
        if self.first_rate is not None and step == 0:
            return self.first_rate
        s = step + 1 if self.first_rate is None else step
        return self.scale * self.d_model**-0.5 * min(s**-0.5, s * self.warmup**-1.5)


def _cosine_between(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (math.cos(math.pi * share) + 1)


@dataclass(frozen=True)
class OneCycle:
    """One cycle as fastai 1.0.52 computes it: cosines up and down, momentum mirrored.

    The rate goes from ``1 / div`` of the initial rate to all of it within
    ``int(n_steps * pct_start)`` steps, then down to ``1 / (div * 1e4)``; the momentum
    from the first of `momenta` to the second and back. torch's ``OneCycleLR`` has its
    peak one step earlier.

    Parameters
    ----------
    n_steps : int
        Steps of the cycle; see `total_steps`.
    div : float, default=25.0
        How many times smaller the first rate is than the highest.
    pct_start : float, default=0.3
        Share of the steps that go up.
    momenta : tuple of float or None, default=(0.95, 0.85)
        Momentum at the ends and at the peak. None leaves it alone.

    Examples
    --------
    >>> cycle = OneCycle(200, div=8, pct_start=0.25, momenta=(0.7, 0.4))
    >>> cycle(0), cycle(50)
    ({'lr': 0.125, 'momentum': 0.7}, {'lr': 1.0, 'momentum': 0.4})
    """

    n_steps: int
    div: float = 25.0
    pct_start: float = 0.3
    momenta: tuple[float, float] | None = (0.95, 0.85)

    def __post_init__(self) -> None:
        _check_steps("OneCycle", self.n_steps)
        if not 0 <= self.pct_start <= 1:
            raise ValueError(
                "OneCycle: the 'pct_start' parameter must lie between 0 and 1. Got "
                f"{self.pct_start!r} instead."
            )

    def __call__(self, step: int) -> dict[str, float]:
        """Return the factor on the initial rate, and the momentum."""
        n_up = int(self.n_steps * self.pct_start)
        n_down = self.n_steps - n_up
        if step < n_up:
            start, end, share = 1 / self.div, 1.0, step / n_up
        else:
            # fastai's learning rate ends at max / (div * 1e4).
            share = min(1.0, (step - n_up) / n_down) if n_down else 0.0
            start, end = 1.0, 1 / (self.div * 1e4)
        said = {"lr": _cosine_between(start, end, share)}
        if self.momenta is not None:
            high, low = self.momenta
            ends = (high, low) if step < n_up else (low, high)
            said["momentum"] = _cosine_between(*ends, share)
        return said


@dataclass(frozen=True)
class SlantedTriangular:
    """A short linear rise and a long linear fall (Howard & Ruder 2018, eq. 3).

    Parameters
    ----------
    n_steps : int
        Steps of the whole training, T; see `total_steps`.
    cut_frac : float, default=0.1
        Share of the steps that go up.
    ratio : float, default=32.0
        How many times smaller the lowest rate is than the highest.

    Examples
    --------
    >>> slanted = SlantedTriangular(100)
    >>> slanted(0), slanted(10), round(slanted(100), 5)
    (0.03125, 1.0, 0.03125)
    """

    n_steps: int
    cut_frac: float = 0.1
    ratio: float = 32.0

    def __post_init__(self) -> None:
        _check_steps("SlantedTriangular", self.n_steps)
        if not 0 < self.cut_frac < 1:
            raise ValueError(
                "SlantedTriangular: the 'cut_frac' parameter must lie within 0 and 1. "
                f"Got {self.cut_frac!r} instead."
            )

    def __call__(self, step: int) -> float:
        """Return what to multiply the initial rate by, steps counted from 0."""
        # A run of fewer steps than 1 / cut_frac has its peak at the first one.
        cut = max(1, math.floor(self.n_steps * self.cut_frac))
        if step < cut:
            p = step / cut
        else:
            p = max(0.0, 1 - (step - cut) / (cut * (1 / self.cut_frac - 1)))
        return (1 + p * (self.ratio - 1)) / self.ratio
