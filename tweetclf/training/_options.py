"""The options of a training run, checked once."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tweetclf.training._contracts import Evaluate, Report, Schedule
from tweetclf.training.devices import Precision
from tweetclf.training.distributed import Replicas

__all__ = ["Options"]

_COUNTS = (
    "max_epochs",
    "accumulate",
    "n_iter_no_change",
    "checkpoint_every",
    "sync_every",
    "max_steps",
    "evaluate_every",
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `fit_loop` was asked for; its docstring describes every entry."""

    max_epochs: int
    schedule: Schedule | None
    accumulate: int
    clip_norm: float | None
    precision: Precision
    compile: bool
    evaluate: Evaluate | None
    monitor: str | None
    greater_is_better: bool
    n_iter_no_change: int | None
    tol: float
    restore_best: bool
    on_divergence: Literal["stop", "rollback"]
    checkpoint: Callable[[dict[str, Any]], Any] | None
    report: Report | None
    seed: int
    checkpoint_every: int | None
    max_rollbacks: int
    sync_every: int | None
    max_steps: int | None
    evaluate_every: int | None
    checkpoint_minutes: float | None
    replicas: Replicas

    def __post_init__(self) -> None:
        for name in _COUNTS:
            value = getattr(self, name)
            if value is None and name not in ("max_epochs", "accumulate"):
                continue
            if not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(
                    f"fit_loop: the {name!r} parameter must be an int of at least 1. "
                    f"Got {value!r} instead."
                )
        for name in ("clip_norm", "checkpoint_minutes"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(
                    f"fit_loop: the {name!r} parameter must be positive or None. Got "
                    f"{value!r} instead."
                )
        if self.on_divergence not in ("stop", "rollback"):
            raise ValueError(
                "fit_loop: the 'on_divergence' parameter must be 'stop' or "
                f"'rollback'. Got {self.on_divergence!r} instead."
            )
