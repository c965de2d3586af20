"""One step of the embedding: loss, gradients and row-wise Adagrad, without autograd.

The score of an edge is ``f(u, t, r) = (u + r)^T t`` (Zhang et al. 2023, equation 1). In
a chunk of C edges each one is set against C posts of the chunk and n drawn ones, and
against C users of the chunk and n drawn ones; its own end is masked. Per side

    softplus(-f) + (1 / (C + n)) sum softplus(f')

as PyTorch-BigGraph's ``LogisticLossFunction`` has it, whose divisor is the number of
columns, the masked one included. Both sides count the positive once each.

The gradients are closed forms over matrix products: nothing as large as the tables is
made, only rows that the step touches are read and written.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tweetclf.utils.jit import has_numba, jit

__all__ = ["EPSILON", "Batch", "Table", "row_adagrad", "step"]

EPSILON = np.float32(1e-10)
"""What PyTorch-BigGraph's RowAdagrad adds to the root."""


class Table(NamedTuple):
    """Vectors, and the sums of mean squared gradients of their rows.

    Parameters
    ----------
    rows : ndarray of float32, shape (n, dim)
        Vectors.
    sums : ndarray of float32, shape (n,)
        Sums.
    """

    rows: np.ndarray
    sums: np.ndarray


class Batch(NamedTuple):
    """Edges of one step in K chunks of C, and what they are set against.

    Parameters
    ----------
    users, posts : ndarray of int64, shape (K, C + n)
        The ends of the edges, then drawn users and posts.
    types : ndarray of int64, shape (K, C)
        Kinds of the edges.
    weights : ndarray of float32, shape (K, C), or None
        Weights of the edges.
    in_chunk : bool
        Whether edges of a chunk are set against each other's ends.
    """

    users: np.ndarray
    posts: np.ndarray
    types: np.ndarray
    weights: np.ndarray | None
    in_chunk: bool


def _softplus(scores: np.ndarray) -> np.ndarray:
    """Return ``log(1 + exp(s))`` without overflow."""
    # NumPy has float32 exp and log in vector instructions; log1p it has not.
    return np.maximum(scores, 0) + np.log(1 + np.exp(-np.abs(scores)))


def _sigmoid(scores: np.ndarray) -> np.ndarray:
    """Return ``1 / (1 + exp(-s))``, by the one function that costs no division."""
    result = np.tanh(scores * np.float32(0.5))
    result *= np.float32(0.5)
    result += np.float32(0.5)
    return result


def _negatives(
    scores: np.ndarray, batch: Batch, want_loss: bool
) -> tuple[np.ndarray, float]:
    """Return the gradient by the scores (K, C, C + n) of one side, and its loss."""
    n_edges, n_columns = scores.shape[1:]
    own = np.arange(n_edges)
    share = n_columns if batch.in_chunk else max(n_columns - n_edges, 1)
    # An edge is no negative of its own.
    masked = (slice(None), own, own) if batch.in_chunk else np.s_[:, :, :n_edges]
    total = 0.0
    if want_loss:
        loss = _softplus(scores)
        loss[masked] = 0
        if batch.weights is not None:
            loss *= batch.weights[..., None]
        total = float(loss.sum(dtype=np.float64)) / share
    slope = _sigmoid(scores)
    slope[masked] = 0
    slope *= np.float32(1 / share)
    if batch.weights is not None:
        slope *= batch.weights[..., None]
    return slope, total


def step(
    users: Table,
    posts: Table,
    relations: Table,
    batch: Batch,
    rate: float,
    want_loss: bool = True,
) -> float:
    """Make one step in place, and return the loss of its edges, summed.

    Parameters
    ----------
    users, posts, relations : Table
        Changed where the batch has rows of theirs.
    batch : Batch
        The edges.
    rate : float
        Learning rate.
    want_loss : bool, default=True
        Return nought if not, in less time.
    """
    n = batch.types.shape[1]  # C
    U = np.take(users.rows, batch.users, axis=0)  # (K, C + n, d)
    T = np.take(posts.rows, batch.posts, axis=0)  # (K, C + n, d)
    R = np.take(relations.rows, batch.types, axis=0)  # (K, C, d)
    own = T[:, :n]
    P = U[:, :n] + R  # (K, C, d)
    positive = np.einsum("kcd,kcd->kc", P, own)
    weights = 1 if batch.weights is None else batch.weights
    total = 0.0
    if want_loss:
        total = 2 * float((weights * _softplus(-positive)).sum(dtype=np.float64))
    # Both sides have the positive.
    g = (np.float32(-2) * weights * _sigmoid(-positive))[..., None]  # (K, C, 1)

    right = P @ T.transpose(0, 2, 1)  # (K, C, C + n)
    g_right, said = _negatives(right, batch, want_loss)
    total += said
    left = own @ U.transpose(0, 2, 1)  # (K, C, C + n)
    left += np.einsum("kcd,kcd->kc", R, own)[..., None]
    g_left, said = _negatives(left, batch, want_loss)
    total += said

    dP = g * own + g_right @ T  # (K, C, d)
    by_edge = g_left.sum(axis=2)[..., None]  # (K, C, 1)
    dT = g_right.transpose(0, 2, 1) @ P  # (K, C + n, d)
    dT[:, :n] += g * P + g_left @ U + by_edge * R
    dU = g_left.transpose(0, 2, 1) @ own  # (K, C + n, d)
    dU[:, :n] += dP
    dR = dP + by_edge * own  # (K, C, d)
    for table, indices, gradients in (
        (users, batch.users, dU),
        (posts, batch.posts, dT),
        (relations, batch.types, dR),
    ):
        row_adagrad(table, indices, gradients, rate)
    return total


def row_adagrad(
    table: Table, indices: np.ndarray, gradients: np.ndarray, rate: float
) -> None:
    """Update the rows of a table in place, each once, by all its gradients.

    Parameters
    ----------
    table : Table
        What to change.
    indices : ndarray of int, shape (...)
        Rows, any of them several times.
    gradients : ndarray of float32, shape (..., dim)
        Their gradients, which are summed.
    rate : float
        Learning rate.

    Notes
    -----
    ``G += mean(g^2)``, then ``w -= rate * g / (sqrt(G) + 1e-10)``: one number a row, as
    PyTorch-BigGraph's RowAdagrad keeps it.
    """
    flat = indices.ravel()
    g = gradients.reshape(-1, gradients.shape[-1])
    order = np.argsort(flat, kind="stable")
    if has_numba():
        _update(table.rows, table.sums, flat, order, g, np.float32(rate))
        return
    ranked = flat[order]
    starts = np.flatnonzero(np.diff(ranked, prepend=-1))
    rows = ranked[starts]
    summed = np.add.reduceat(g[order], starts, axis=0)
    table.sums[rows] += np.mean(summed * summed, axis=1)
    root = np.sqrt(table.sums[rows]) + EPSILON
    table.rows[rows] -= np.float32(rate) / root[:, None] * summed


# Sums in any order: vector instructions, the same ones every time.
@jit(cache=True, nogil=True, fastmath={"reassoc"})
def _update(rows, sums, indices, order, gradients, rate):
    """Sum the gradients of each row in order and apply them, one row at a time."""
    n, dim = len(order), rows.shape[1]
    total = np.empty(dim, dtype=np.float32)
    at = 0
    while at < n:
        row = indices[order[at]]
        total[:] = gradients[order[at]]
        at += 1
        while at < n and indices[order[at]] == row:
            g = gradients[order[at]]
            for d in range(dim):
                total[d] += g[d]
            at += 1
        square = np.float32(0)
        for d in range(dim):
            square += total[d] * total[d]
        sums[row] += square / np.float32(dim)
        scale = rate / (np.sqrt(sums[row]) + np.float32(1e-10))
        for d in range(dim):
            rows[row, d] -= scale * total[d]
