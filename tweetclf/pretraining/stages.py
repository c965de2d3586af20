"""Stages of training: so many epochs of one cycle of the rate, as fastai 1 has it."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["FINE_TUNING", "PRETRAINING", "Stage", "as_stages"]

# Table 1 of HAHA 2019 and its notebooks. Plain tuples, which models can be saved with;
# the momenta of the first stages are fastai's defaults.
PRETRAINING = ((1, 5e-3), (15, 1e-3, (0.6, 0.4), 0.2))
FINE_TUNING = ((5, 3e-3), (10, 1e-4, (0.7, 0.6), 0.2))


class Stage(NamedTuple):
    """Some epochs under one cycle of rate and momentum.

    Parameters
    ----------
    n_epochs : int
        Passes over the data.
    learning_rate : float
        Rate at the peak.
    momentum : tuple of float, default=(0.8, 0.7)
        First beta of Adam at the ends and at the peak of the cycle.
    warmup : float, default=0.3
        Share of the steps before the peak.
    division : float, default=25.0
        The first rate is `learning_rate` divided by this; the last is smaller by
        10,000 again.
    """

    n_epochs: int
    learning_rate: float
    momentum: tuple[float, float] = (0.8, 0.7)
    warmup: float = 0.3
    division: float = 25.0


def as_stages(value: Any, *, caller: str, name: str) -> list[Stage]:
    """Return stages from tuples, or say which of them is none.

    Parameters
    ----------
    value : sequence of tuple
        Leading entries of `Stage`; epochs and rate are a must.
    caller, name : str
        Whose parameter this is, for messages.

    Returns
    -------
    list of Stage
        Those of one epoch or more.

    Raises
    ------
    ValueError
        If an entry is no stage.

    Examples
    --------
    >>> from tweetclf.pretraining.stages import as_stages
    >>> as_stages([(5, 3e-3)], caller="f", name="stages")[0].momentum
    (0.8, 0.7)
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(
            f"{caller}: the {name!r} parameter must be a sequence of stages. Got "
            f"{value!r} instead."
        )
    stages = []
    for index, entry in enumerate(value):
        stage = _as_stage(entry)
        if stage is None:
            raise ValueError(
                f"{caller}: {name}[{index}] must be (epochs, peak rate) and may go on "
                "with ((momentum at the ends, at the peak), share of steps before the "
                f"peak, division of the first rate). Got {entry!r} instead."
            )
        stages.append(stage)
    return [stage for stage in stages if stage.n_epochs]


def _as_stage(entry: Any) -> Stage | None:
    try:
        epochs, rate, (at_ends, at_peak), warmup, division = Stage(*entry)
        rates = [rate, at_ends, at_peak, warmup, division]
        sound = (
            isinstance(epochs, numbers.Integral)
            and all(isinstance(value, numbers.Real) for value in rates)
            and not any(isinstance(value, bool) for value in [epochs, *rates])
            and epochs >= 0
            and 0 < rate < math.inf
            and 0 <= min(at_ends, at_peak) <= max(at_ends, at_peak) < 1
            and 0 < warmup < 1
            and 1 <= division < math.inf
        )
    except (TypeError, ValueError):
        return None
    if not sound:
        return None
    # Plain numbers, which a history in JSON holds; NumPy's come from grids.
    momentum = float(at_ends), float(at_peak)
    return Stage(int(epochs), float(rate), momentum, float(warmup), float(division))
