"""The step of `tweetclf.social._steps` on PyTorch tensors: for GPUs.

Partitions are moved to the device as a whole, and back when the next one comes. On a
GPU sums over rows are made by atomic additions, whose order varies: results there
agree to rounding, not to the bit.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from tweetclf.social._steps import EPSILON, Batch, Table
from tweetclf.training.devices import choose_device

__all__ = ["TorchEngine", "TorchTable"]


class TorchTable(NamedTuple):
    """A `Table` on a device."""

    rows: Tensor
    sums: Tensor


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
        return TorchTable(*(torch.tensor(array, device=self.device) for array in table))

    def store(self, held: TorchTable, table: Table) -> None:
        """Copy a partition back."""
        table.rows[:] = held.rows.cpu().numpy()
        table.sums[:] = held.sums.cpu().numpy()

    def step(
        self,
        users: TorchTable,
        posts: TorchTable,
        lane: TorchTable,
        batch: Batch,
        rate: float,
        want_loss: bool = True,
    ) -> float:
        """Make one step in place; return the loss of its edges, summed."""
        ids = [torch.from_numpy(batch[i]).to(self.device) for i in range(3)]
        weights = None
        if batch.weights is not None:
            weights = torch.from_numpy(batch.weights).to(self.device)
        with torch.no_grad():
            total = _step(users, posts, lane, ids, weights, batch.in_chunk, rate)
        # To ask for a number makes a GPU wait.
        return float(total) if want_loss else 0.0


def _negatives(
    scores: Tensor, weights: Tensor | None, in_chunk: bool
) -> tuple[Tensor, Tensor]:
    n, n_columns = scores.shape[1:]
    loss, slope = softplus(scores), torch.sigmoid(scores)
    share = n_columns
    if in_chunk:
        mask = torch.eye(n, n_columns, dtype=torch.bool, device=scores.device)
        loss, slope = loss.masked_fill(mask, 0), slope.masked_fill(mask, 0)
    else:
        loss[:, :, :n], slope[:, :, :n] = 0, 0
        share = max(n_columns - n, 1)
    if weights is not None:
        loss, slope = loss * weights[..., None], slope * weights[..., None]
    return slope / share, loss.sum() / share


def _step(
    users: TorchTable,
    posts: TorchTable,
    lane: TorchTable,
    ids: list[Tensor],
    weights: Tensor | None,
    in_chunk: bool,
    rate: float,
) -> Tensor:
    n = ids[2].shape[1]  # C
    U, T, R = users.rows[ids[0]], posts.rows[ids[1]], lane.rows[ids[2]]  # (K, ., d)
    own = T[:, :n]
    P = U[:, :n] + R  # (K, C, d)
    positive = (P * own).sum(dim=2)
    loss, slope = softplus(-positive), torch.sigmoid(-positive)
    if weights is not None:
        loss, slope = loss * weights, slope * weights
    g = (-2 * slope)[..., None]  # (K, C, 1)
    g_right, right = _negatives(P @ T.mT, weights, in_chunk)  # (K, C, C + n)
    scores = own @ U.mT + (R * own).sum(dim=2)[..., None]  # (K, C, C + n)
    g_left, left = _negatives(scores, weights, in_chunk)
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
    return 2 * loss.sum() + right + left


def _row_adagrad(
    table: TorchTable, indices: Tensor, gradients: Tensor, rate: float
) -> None:
    """Update rows in place, each once, by the sum of its gradients."""
    rows, inverse = torch.unique(indices, return_inverse=True)
    summed = gradients.new_zeros((len(rows), gradients.shape[-1]))
    summed.index_add_(0, inverse.flatten(), gradients.flatten(0, -2))
    sums = table.sums[rows] + summed.square().mean(dim=1)
    table.sums[rows] = sums
    root = sums.sqrt() + float(EPSILON)
    table.rows.index_add_(0, rows, summed / root[:, None], alpha=-rate)
