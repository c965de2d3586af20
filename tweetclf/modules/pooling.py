"""From the states of tokens to one vector a sequence."""

from __future__ import annotations

import torch
from torch import Tensor

from tweetclf.modules._variable_length import sent

__all__ = ["POOLINGS", "pool"]

POOLINGS: dict[str, tuple[str, ...]] = {
    "cls": ("cls",),
    "mean": ("mean",),
    "mean_tokens": ("mean_tokens",),
    "max": ("max",),
    # TWilBERT, section 1.9 of the notes: over all places, those of CLS and SEP too.
    "concat": ("cls", "mean", "max"),
    # TwHIN-BERT (Zhang et al. 2023), section 3.2: "Combined".
    "combined": ("cls", "mean_tokens"),
}
"""Names of the poolings, and the parts of which their vectors consist."""


def pool(
    hidden: Tensor,
    lengths: Tensor,
    special_tokens_mask: Tensor | None = None,
    how: str = "cls",
) -> Tensor:
    """Return one vector a sequence from the states of packed sequences.

    Parameters
    ----------
    hidden : tensor of shape (total, hidden_size)
        States of all tokens, one sequence after the other.
    lengths : int64 tensor of shape (n,)
        Tokens of each sequence, at least 1.
    special_tokens_mask : bool tensor of shape (total,), optional
        Tokens that are not of the text; needed by "mean_tokens" and "combined".
    how : {"cls", "mean", "mean_tokens", "max", "concat", "combined"}, default="cls"
        The first token; the mean of all tokens or of those of the text (of a
        sequence that has none: the first token); the maximum of all tokens;
        first, mean and maximum; first and mean of those of the text.

    Returns
    -------
    tensor of shape (n, k * hidden_size)
        The vectors; `k` is 3 for "concat", 2 for "combined" and else 1.

    Examples
    --------
    >>> import torch
    >>> from tweetclf.modules.pooling import pool
    >>> hidden = torch.tensor([[1.0], [2.0], [6.0], [5.0]])
    >>> pool(hidden, torch.tensor([3, 1]), how="mean").tolist()
    [[3.0], [5.0]]
    """
    if how not in POOLINGS:
        raise ValueError(
            f"pool: the 'how' parameter must be one of {sorted(POOLINGS)}. Got {how!r} "
            "instead."
        )
    lengths = sent(lengths, hidden.device)
    starts = lengths.cumsum(0) - lengths  # (n,)
    first = hidden[starts]  # (n, hidden_size)
    parts = []
    for name in POOLINGS[how]:
        if name == "cls":
            parts.append(first)
        elif name == "max":
            parts.append(torch.segment_reduce(hidden, "max", lengths=lengths))
        elif name == "mean":
            parts.append(_sums(hidden, lengths) / lengths[:, None])
        else:
            if special_tokens_mask is None:
                raise ValueError(f"pool: how={how!r} needs the special_tokens_mask.")
            kept = ~special_tokens_mask.bool()[:, None]  # (total, 1)
            counts = _sums(kept.float(), lengths)  # (n, 1)
            means = _sums(hidden * kept, lengths) / counts.clamp(min=1)
            parts.append(torch.where(counts > 0, means, first))
    return torch.cat(parts, dim=1).to(hidden.dtype)


def _sums(values: Tensor, lengths: Tensor) -> Tensor:
    """Return the sums of each sequence, in float32 at least."""
    wide = values if values.dtype == torch.float64 else values.float()
    rows = torch.arange(len(lengths), device=lengths.device)
    # Four times as fast as segment_reduce on a CPU.
    return wide.new_zeros((len(lengths), wide.shape[1])).index_add(
        0, rows.repeat_interleave(lengths), wide
    )
