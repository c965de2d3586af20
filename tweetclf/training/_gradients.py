"""Gradients of one step: micro-batches added up, and halved when memory runs out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tweetclf.training._contracts import Objective
from tweetclf.training.devices import Precision, autocast, seeded, to_device
from tweetclf.utils.random import stream

__all__ = ["Gradients", "StepLoss"]

_OWN_LOGS = frozenset({"weight", "n_examples", "n_tokens"})


@dataclass
class StepLoss:
    """Loss of one step, not yet fetched from the device.

    Parameters
    ----------
    total : Tensor
        Sum over the micro-batches of weight times mean loss.
    weight : float
        Sum of the weights.
    norm : Tensor
        Norm of the gradient, before clipping.
    n_examples, n_tokens : float
        As the objective logged them.
    logs : dict
        Sums over the micro-batches of weight times every other log.
    """

    total: Tensor
    weight: float
    norm: Tensor
    n_examples: float
    n_tokens: float
    logs: dict[str, Any]


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # torch's allocator for the CPU raises a plain RuntimeError.
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _halve(split: Callable[[Any], list[Any]], pieces: Sequence[Any]) -> list[Any]:
    return [part for piece in pieces for part in split(piece)]


class Gradients:
    """Puts the gradients of an effective batch into a module's parameters.

    Parameters
    ----------
    forward : nn.Module
        The module, perhaps compiled.
    objective : Objective
        What is minimised.
    optimizer : torch.optim.Optimizer
        Over the module's parameters.
    device : torch.device
        Where the module is.
    precision : {"float32", "bfloat16", "auto"}
        What the forward pass is computed in.
    clip_norm : float or None
        Longest gradient.
    seed : int
        Of dropout.
    split : callable or None
        Halves a batch.
    """

    def __init__(
        self,
        forward: nn.Module,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        *,
        device: torch.device,
        precision: Precision,
        clip_norm: float | None,
        seed: int,
        split: Callable[[Any], list[Any]] | None,
    ) -> None:
        self.forward = forward
        self.objective = objective
        self.optimizer = optimizer
        self.device = device
        self.precision = precision
        self.clip_norm = clip_norm
        self._stream = int(stream(seed, "training").integers(2**62))
        self.split = split
        self.n_halvings = 0

    def compute(self, batches: Sequence[Any], step: int) -> StepLoss:
        """Compute the gradients of the micro-batches of a step.

        If memory runs out, the gradients so far are dropped, every micro-batch of
        this step and of those to come is halved, and the step is begun again: the
        effective batch stays as it was.
        """
        pieces = list(batches)
        for _ in range(self.n_halvings):
            if self.split is not None:
                pieces = _halve(self.split, pieces)
        before = None
        if self.split is not None and hasattr(self.objective, "state_dict"):
            before = self.objective.state_dict()
        while True:
            try:
                return self._accumulate(pieces, step)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error) or self.split is None:
                    raise
                smaller = _halve(self.split, pieces)
                if len(smaller) == len(pieces):
                    raise
            # Outside of the handler: there the traceback still holds the tensors.
            pieces = smaller
            self.n_halvings += 1
            if before is not None:
                self.objective.load_state_dict(before)  # type: ignore[attr-defined]
            self.optimizer.zero_grad(set_to_none=True)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _accumulate(self, pieces: Sequence[Any], step: int) -> StepLoss:
        self.optimizer.zero_grad(set_to_none=True)
        loss = StepLoss(
            total=torch.zeros((), device=self.device),
            weight=0.0,
            norm=torch.zeros((), device=self.device),
            n_examples=0.0,
            n_tokens=0.0,
            logs={},
        )
        for index, piece in enumerate(pieces):
            self._backward(piece, step, index, len(pieces), loss)
        gradients = self._gradients()
        if len(pieces) > 1:
            # The sum of weight times mean, over the sum of weights, is the mean over
            # the effective batch, remainders and unequal micro-batches included.
            for gradient in gradients:
                gradient.div_(loss.weight)
        if gradients:
            loss.norm = torch.nn.utils.get_total_norm(gradients)
        return loss

    def _seed(self, step: int, index: int) -> int:
        """Return the seed of a micro-batch."""
        # Hashed, for torch looks at 32 bits of it only.
        name = f"{self._stream} {step} {index}".encode()
        return int.from_bytes(hashlib.blake2b(name, digest_size=7).digest(), "little")

    def _backward(
        self, piece: Any, step: int, index: int, n_pieces: int, loss: StepLoss
    ) -> None:
        piece = to_device(piece, self.device)
        with seeded(self._seed(step, index), self.device):
            with autocast(self.precision, self.device):
                value, logs = self.objective(self.forward, piece)
            weight = float(logs.get("weight", 1.0))
            # A single batch needs no weighting, and keeps its exact gradient.
            (value if n_pieces == 1 else value * weight).backward()
        loss.total = loss.total + value.detach() * weight
        loss.weight += weight
        loss.n_examples += float(logs.get("n_examples", 0))
        loss.n_tokens += float(logs.get("n_tokens", 0))
        for name, entry in logs.items():
            if name not in _OWN_LOGS:
                entry = entry.detach() if isinstance(entry, Tensor) else entry
                loss.logs[name] = loss.logs.get(name, 0.0) + entry * weight

    def _parameters(self) -> list[Tensor]:
        return [
            parameter
            for group in self.optimizer.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]

    def _gradients(self) -> list[Tensor]:
        return [p.grad for p in self._parameters() if p.grad is not None]

    def apply(self, norm: Tensor) -> None:
        """Clip the gradients, whose norm is given, and take the step."""
        if self.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(
                self._parameters(), self.clip_norm, norm
            )
        self.optimizer.step()
