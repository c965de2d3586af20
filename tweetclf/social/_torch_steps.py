"""The step of `tweetclf.social._steps` on PyTorch tensors: for GPUs.

Partitions are moved to the device as a whole, and back when the next one comes. On a
GPU sums over rows are made by atomic additions, whose order varies: results there
agree to rounding, not to the bit. No step waits for the GPU: nothing that it computes
decides what the CPU does next.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from tweetclf.modules._variable_length import sent
from tweetclf.social._steps import EPSILON, Batch, Table
from tweetclf.training.devices import choose_device

__all__ = ["TorchEngine", "TorchTable"]

# Threads may work on the same rows at once (Hogwild), but not number them.
_NUMBERING = threading.Lock()


class TorchTable(NamedTuple):
    """A `Table` on a device, and for each row room for a number."""

    rows: Tensor
    sums: Tensor
    slots: Tensor


class TorchEngine:
    """Works on a device of PyTorch.

    Parameters
    ----------
    device : str
        "cpu", "cuda", "cuda:1", ...
    """

    def __init__(self, device: str) -> None:
        self.device = choose_device(device)

    def load(self, table: Table) -> TorchTable:
        """Copy a partition to the device."""
        rows, sums = (torch.tensor(array, device=self.device) for array in table)
        return TorchTable(rows, sums, torch.empty_like(sums, dtype=torch.int64))

    def store(self, held: TorchTable, table: Table) -> None:
        """Copy a partition back."""
        torch.from_numpy(table.rows).copy_(held.rows)
        torch.from_numpy(table.sums).copy_(held.sums)

    def step(
        self,
        users: TorchTable,
        posts: TorchTable,
        lane: TorchTable,
        batch: Batch,
        rate: float,
        want_loss: bool = True,
    ) -> Any:
        """Make one step in place; return the loss of its edges, summed."""
        columns = (batch.users, batch.posts, batch.types)
        ids = [sent(column, self.device) for column in columns]
        weights = None
        if batch.weights is not None:
            # A column of records: torch takes no steps of odd numbers of bytes.
            weights = sent(np.ascontiguousarray(batch.weights), self.device)
        with torch.no_grad():
            total = _step(
                users, posts, lane, ids, weights, batch.in_chunk, rate, want_loss
            )
        # To ask for a number makes a GPU wait.
        return 0.0 if total is None else total if total.is_cuda else float(total)


def _negatives(
    scores: Tensor, weights: Tensor | None, in_chunk: bool, want_loss: bool
) -> tuple[Tensor, Tensor | None]:
    """Return the gradient by the scores of one side and, if it is wanted, its loss."""
    n, n_columns = scores.shape[1:]
    mask = torch.eye(n, n_columns, dtype=torch.bool, device=scores.device)
    share = n_columns
    if not in_chunk:
        mask[:, :n] = True
        share = max(n_columns - n, 1)

    def weighed(values: Tensor) -> Tensor:
        values.masked_fill_(mask, 0)
        return values if weights is None else values * weights[..., None]

    loss = weighed(softplus(scores)).sum() / share if want_loss else None
    return weighed(torch.sigmoid(scores)) / share, loss


def _step(
    users: TorchTable,
    posts: TorchTable,
    lane: TorchTable,
    ids: list[Tensor],
    weights: Tensor | None,
    in_chunk: bool,
    rate: float,
    want_loss: bool,
) -> Tensor | None:
    n = ids[2].shape[1]  # C
    U, T, R = users.rows[ids[0]], posts.rows[ids[1]], lane.rows[ids[2]]  # (K, ., d)
    own = T[:, :n]
    P = U[:, :n] + R  # (K, C, d)
    positive = (P * own).sum(dim=2)
    slope = torch.sigmoid(-positive)
    if weights is not None:
        slope = slope * weights
    g = (-2 * slope)[..., None]  # (K, C, 1)
    g_right, right = _negatives(P @ T.mT, weights, in_chunk, want_loss)  # (K, C, C + n)
    scores = own @ U.mT + (R * own).sum(dim=2)[..., None]  # (K, C, C + n)
    g_left, left = _negatives(scores, weights, in_chunk, want_loss)
    dP = g * own + g_right @ T  # (K, C, d)
    by_edge = g_left.sum(dim=2)[..., None]  # (K, C, 1)
    dT = g_right.mT @ P  # (K, C + n, d)
    dT[:, :n] += g * P + g_left @ U + by_edge * R
    dU = g_left.mT @ own  # (K, C + n, d)
    dU[:, :n] += dP
    dR = dP + by_edge * own  # (K, C, d)
    for table, rows, gradients in zip(
        (users, posts, lane), ids, (dU, dT, dR), strict=True
    ):
        _row_adagrad(table, rows, gradients, rate)
    if right is None or left is None:
        return None
    loss = softplus(-positive)
    if weights is not None:
        loss = loss * weights
    return 2 * loss.sum() + right + left


def _row_adagrad(
    table: TorchTable, indices: Tensor, gradients: Tensor, rate: float
) -> None:
    """Update rows in place, each once, by the sum of its gradients."""
    flat, g = indices.flatten(), gradients.flatten(0, -2)
    if len(table.rows) <= len(flat):
        rows = torch.arange(len(table.rows), device=flat.device)
        inverse = flat
    else:
        # Not torch.unique, for whose size the CPU would wait: one of the places where a
        # row stands stands for it, and the others are places of zeros.
        rows, places = flat, torch.arange(len(flat), device=flat.device)
        with _NUMBERING:
            table.slots.scatter_(0, flat, places)
            inverse = table.slots[flat]
    summed = g.new_zeros((len(rows), g.shape[1])).index_add_(0, inverse, g)
    table.sums.index_add_(0, rows, summed.square().mean(dim=1))
    root = table.sums[rows].sqrt() + float(EPSILON)
    table.rows.index_add_(0, rows, summed / root[:, None], alpha=-rate)
