"""Where a training run is, and what makes it go back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tweetclf.training._gradients import StepLoss

__all__ = ["NotFiniteError", "Progress", "groups"]


def groups(
    batches: Iterable[Any], size: int, n_groups: int | None = None
) -> Iterator[list[Any]]:
    """Yield lists of `size` batches; the last may be shorter.

    With `n_groups` exactly so many: a process that has run out of batches takes the
    rest of the steps with none.
    """
    iterator = iter(batches)
    if n_groups is None:
        while group := list(islice(iterator, size)):
            yield group
        return
    for _ in range(n_groups):
        yield list(islice(iterator, size))


class NotFiniteError(Exception):
    """The loss, the gradient or a monitored value is not finite."""

    def __init__(self, what: str, epoch: int, step: int, rate: float) -> None:
        super().__init__(what)
        self.what, self.epoch, self.step, self.rate = what, epoch, step, rate


@dataclass
class Progress:
    """Where a run is: plain values only, so that it can be written."""

    epoch: int = 0
    batch: int = 0
    """Micro-batches of the epoch that were used."""
    step: int = 0
    first_step: int = 0
    """Step at which the epoch began."""
    loss: float = 0.0
    """Sums over the epoch so far."""
    weight: float = 0.0
    n_examples: float = 0.0
    n_tokens: float = 0.0
    seconds: float = 0.0
    logs: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int | None = None
    best_score: float | None = None
    n_no_change: int = 0
    rate_scale: float = 1.0
    n_rollbacks: int = 0

    def add(self, loss: StepLoss, value: float) -> None:
        self.loss += value * loss.weight
        self.weight += loss.weight
        self.n_examples += loss.n_examples
        self.n_tokens += loss.n_tokens
        for name, entry in loss.logs.items():
            self.logs[name] = self.logs.get(name, 0.0) + float(entry)

    def close_epoch(self) -> None:
        self.epoch += 1
        self.batch = 0
        self.first_step = self.step
        self.loss = self.weight = self.n_examples = self.n_tokens = self.seconds = 0.0
        self.logs = {}
