"""Contrast of paired states: the NT-Xent loss and the head before it.

Of two texts that belong together each shall be found by the other among all texts of
the batch, those of other processes included.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ProjectionHead", "gather_rows", "nt_xent"]


class ProjectionHead(nn.Module):
    """Two linear layers with a ReLU between: what the contrast looks at.

    Parameters
    ----------
    input_size : int
        Width of the states.
    hidden_size, output_size : int
        Widths of the two layers.

    Notes
    -----
    Zhang et al. (2023), Table 8 print "[768, 768]" for the base and "[1024, 512]" for
    the large model: read here as the widths of these two layers. The function between
    them is not stated; ReLU is that of SimCLR (Chen et al. 2020, section 2.1).

    References
    ----------
    X. Zhang et al. TwHIN-BERT. KDD 2023, equation 4 (arXiv:2209.07562).

    Examples
    --------
    >>> import torch
    >>> from tweetclf.modules import ProjectionHead
    >>> ProjectionHead(6, 8, 4)(torch.zeros(2, 6)).shape
    torch.Size([2, 4])
    """

    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(input_size, hidden_size)
        self.output = nn.Linear(hidden_size, output_size)

    def forward(self, states: Tensor) -> Tensor:
        """Return the projections.

        Parameters
        ----------
        states : tensor of shape (n, input_size)
            States.

        Returns
        -------
        tensor of shape (n, output_size)
            Not normalised.
        """
        return self.output(F.relu(self.hidden(states)))


class _GatherRows(torch.autograd.Function):
    """All processes' rows; each process' gradient is the sum of what all ask of it."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, sizes: tuple[int, ...]) -> Tensor:
        ctx.first = sum(sizes[: dist.get_rank()])
        ctx.n_own = len(rows)
        longest = max(sizes)
        # The collective wants equal shapes.
        filled = rows.new_zeros((longest, *rows.shape[1:]))
        filled[: len(rows)] = rows
        parts = [torch.empty_like(filled) for _ in sizes]
        dist.all_gather(parts, filled)
        return torch.cat([part[:n] for part, n in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total[ctx.first : ctx.first + ctx.n_own], None


def _n_processes() -> int:
    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size()
    return 1


def gather_rows(rows: Tensor) -> tuple[Tensor, int]:
    """Return the rows of all processes, in order of their rank, with gradients.

    Every process must call it, and must go backward through it. The gradient that
    arrives at a row is the sum of those of all processes.

    Parameters
    ----------
    rows : tensor of shape (n, ...)
        The rows of this process; `n` may differ between processes.

    Returns
    -------
    everything : tensor of shape (n_total, ...)
        `rows` itself where there is one process.
    first : int
        Where the rows of this process begin.

    Examples
    --------
    >>> import torch
    >>> from tweetclf.modules import gather_rows
    >>> everything, first = gather_rows(torch.ones(2, 3))
    >>> everything.shape, first
    (torch.Size([2, 3]), 0)
    """
    n_processes = _n_processes()
    if n_processes == 1:
        return rows, 0
    size = torch.tensor([len(rows)], device=rows.device)
    sizes = [torch.empty_like(size) for _ in range(n_processes)]
    dist.all_gather(sizes, size)
    counts = tuple(int(n) for n in torch.cat(sizes).tolist())
    return _GatherRows.apply(rows, counts), sum(counts[: dist.get_rank()])


def _alone(rows: Tensor) -> tuple[Tensor, int]:
    return rows, 0


def nt_xent(
    first: Tensor,
    second: Tensor,
    *,
    temperature: float = 0.1,
    decoupled: bool = False,
    identities: tuple[Tensor, Tensor] | None = None,
    gather: bool = True,
) -> Tensor:
    r"""Return the NT-Xent loss of pairs, each against all others of the batch.

    Parameters
    ----------
    first, second : tensor of shape (n, d)
        Row k of the one belongs with row k of the other.
    temperature : float, default=0.1
        What cosines are divided by, in numerator and denominator alike.
    decoupled : bool, default=False
        Leave the partner out of the denominator (Yeh et al. 2022).
    identities : tuple of two int64 tensors of shape (n,), optional
        Which text each row is. A further row of the same text as an anchor, or as its
        partner, is then no negative of it.
    gather : bool, default=True
        Take the rows of all processes; with False each process is alone, for example
        where one of them measures what the others do not.

    Returns
    -------
    tensor, a scalar
        Mean over all 2n anchors of this process, in float32.

    Raises
    ------
    ValueError
        If shapes differ, there is no pair, `temperature` is not positive, or
        `decoupled` is asked of a single pair.

    Notes
    -----
    With z the 2n rows, i an anchor, j its partner and s the cosine,

    .. math:: l_i = -s_{ij}/t + \log \sum_{k \ne i} \exp(s_{ik}/t)

    and the loss is the mean of l over both directions. The sum is over 2n - 1 rows,
    the partner included; `decoupled` leaves the partner out. Equation 5 of Zhang et
    al. (2023) prints the temperature outside of the exponential in the numerator, and
    2n - 1 negatives, of which there are 2n - 2: neither is offered.

    Under torch.distributed the rows of all processes are in the denominator. The mean
    of the losses of processes that hold equally many pairs is then the loss of one
    process that holds them all, and likewise the gradients. Memory is that of 2n times
    2 n_total cosines.

    References
    ----------
    T. Chen et al. A simple framework for contrastive learning of visual
    representations. ICML 2020, equation 1 (arXiv:2002.05709). X. Zhang et al.
    TwHIN-BERT. KDD 2023, equation 5 (arXiv:2209.07562). C.-H. Yeh et al. Decoupled
    contrastive learning. ECCV 2022 (arXiv:2110.06848).

    Examples
    --------
    >>> import torch
    >>> from tweetclf.modules import nt_xent
    >>> z = torch.eye(3)
    >>> round(float(nt_xent(z, z, temperature=1.0)), 4)  # log(e + 4) - 1
    0.9048
    """
    _check(first, second, temperature)
    # Cosines of bfloat16 would differ by as much as neighbours do.
    with torch.autocast(first.device.type, enabled=False):
        a = F.normalize(first.float(), dim=1)  # (n, d)
        b = F.normalize(second.float(), dim=1)
        collect = gather_rows if gather else _alone
        (all_a, start), (all_b, _) = collect(a), collect(b)  # (n_total, d)
        n, total = len(a), len(all_a)
        if decoupled and total < 2:
            raise ValueError(
                "nt_xent: decoupled=True needs at least two pairs in a batch, for the "
                "denominator holds other pairs alone. Got one."
            )
        keys = torch.cat([all_a, all_b])  # (2 n_total, d)
        scores = torch.cat([a, b]) @ keys.T / temperature  # (2 n, 2 n_total)
        own = torch.arange(start, start + n, device=a.device)
        selves = torch.cat([own, own + total])  # (2 n,)
        partners = torch.cat([own + total, own])
        hidden = torch.zeros_like(scores, dtype=torch.bool)
        if identities is not None:
            ids = torch.cat([collect(part)[0] for part in identities])  # (2 n_total,)
            hidden = (ids == ids[selves, None]) | (ids == ids[partners, None])
        hidden.scatter_(1, selves[:, None], True)
        hidden.scatter_(1, partners[:, None], decoupled)
        near = scores.gather(1, partners[:, None])[:, 0]  # (2 n,)
        scores = scores.masked_fill(hidden, -torch.inf)
        if decoupled:
            # Where all others are repeats, there is nothing to be told from.
            told = ~hidden.all(dim=1)
            near, scores = near[told], scores[told]
        return (scores.logsumexp(dim=1) - near).sum() / max(1, len(near))


def _check(first: Tensor, second: Tensor, temperature: float) -> None:
    if first.ndim != 2 or first.shape != second.shape or not len(first):
        raise ValueError(
            "nt_xent: 'first' and 'second' must be two matrices of the same shape, "
            f"with at least one row. Got {tuple(first.shape)} and "
            f"{tuple(second.shape)}."
        )
    if not temperature > 0:
        raise ValueError(
            "nt_xent: the 'temperature' parameter must be positive. Got "
            f"{temperature!r} instead."
        )
