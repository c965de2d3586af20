"""Cross-entropy over a vocabulary without the logits of all words in memory at once.

Over 64 x 70 tokens and 30,000 words the logits take half a gigabyte, and what autograd
keeps and makes of them several times that; filling such memory for the first time takes
longer than the arithmetic. Here decoder, loss and gradient are computed a chunk of
tokens at a time, in the forward pass, so that nothing is computed twice.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["chunked_cross_entropy"]

# Tokens of a chunk. With fewer, the gradient of the decoder's matrix is added to more
# often; with more, logits leave the cache between one pass and the next.
_CHUNK = 256


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        target: Tensor,
        smoothing: float,
    ) -> Tensor:
        n_words = len(weight)
        exact = torch.promote_types(hidden.dtype, torch.float32)
        total = hidden.new_zeros((), dtype=exact)
        grads = None
        if any(ctx.needs_input_grad):
            grads = [torch.zeros_like(t, dtype=exact) for t in (hidden, weight, bias)]
        for start in range(0, len(hidden), _CHUNK):
            span = slice(start, start + _CHUNK)
            h, words = hidden[span], target[span].unsqueeze(1)
            logits = torch.addmm(bias, h, weight.t()).to(exact)  # (n, V)
            log_sum = logits.logsumexp(dim=1, keepdim=True)
            loss = log_sum - (1.0 - smoothing) * logits.gather(1, words)
            if smoothing:
                loss -= smoothing * logits.mean(dim=1, keepdim=True)
            total += loss.sum()
            if grads is None:
                continue
            # Softmax less the smoothed target, in the place of the logits.
            error = logits.sub_(log_sum).exp_()
            if smoothing:
                error -= smoothing / n_words
            error.scatter_add_(1, words, error.new_full(words.shape, smoothing - 1.0))
            error /= len(hidden)
            _add_gradients(grads, error, span, h, weight)
        ctx.dtype, ctx.grads = hidden.dtype, grads
        return total / len(hidden)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        scaled = [(gradient * grad).to(ctx.dtype) for grad in ctx.grads]
        return scaled[0], scaled[1], scaled[2], None, None


def _add_gradients(
    grads: list[Tensor], error: Tensor, span: slice, hidden: Tensor, weight: Tensor
) -> None:
    """Add what a chunk brings to the gradients of hidden, weight and bias."""
    of_hidden, of_weight, of_bias = grads
    of_bias += error.sum(dim=0)
    if weight.dtype == error.dtype:
        torch.mm(error, weight, out=of_hidden[span])
        of_weight.addmm_(error.t(), hidden)
    else:
        # Sums over chunks stay exact where products are in half precision.
        error = error.to(weight.dtype)
        of_hidden[span] = error @ weight
        of_weight += error.t() @ hidden


def chunked_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    target: Tensor,
    *,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the mean cross-entropy of ``hidden @ weight.T + bias``.

    Equal to `torch.nn.functional.cross_entropy` of these logits; gradients are of
    first order only.

    Parameters
    ----------
    hidden : Tensor of shape (n_tokens, width)
        What the decoder reads.
    weight : Tensor of shape (n_words, width)
        The decoder's matrix.
    bias : Tensor of shape (n_words,)
        Its bias.
    target : Tensor of shape (n_tokens,)
        int64, the words.
    label_smoothing : float, default=0.0
        Share of the target that is spread evenly over all words.

    Returns
    -------
    Tensor
        A scalar, at least in float32.

    Examples
    --------
    >>> import torch
    >>> from tweetclf.modules import chunked_cross_entropy
    >>> hidden, words = torch.zeros(3, 2), torch.tensor([0, 1, 2])
    >>> loss = chunked_cross_entropy(hidden, torch.ones(4, 2), torch.zeros(4), words)
    >>> round(loss.item(), 4)  # log(4)
    1.3863
    """
    kind = hidden.device.type
    if torch.is_autocast_enabled(kind):
        dtype = torch.get_autocast_dtype(kind)
        hidden, weight, bias = (t.to(dtype) for t in (hidden, weight, bias))
    return _ChunkedCrossEntropy.apply(
        hidden.contiguous(), weight, bias, target, label_smoothing
    )
