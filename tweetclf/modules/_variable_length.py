"""Attention within sequences of many lengths that stand in one row.

On any device sequences of one length can be read at a time. On GPUs PyTorch has kernels
that read all of them; they are called without its nested tensors, which cost more time
on the CPU than a short batch takes on the GPU.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from tweetclf.exceptions import TweetclfWarning

__all__ = ["Groups", "attend_by_groups", "sent", "variable_length_attention"]

# Runs of equally long sequences, one after the other in a row: (length, sequences).
Groups = tuple[tuple[int, int], ...]
Kernel = Callable[..., Tensor]


def sent(values: Tensor | NDArray[Any], device: torch.device) -> Tensor:
    """Return numbers on `device`, without making the CPU wait for it.

    Copied through pinned memory: from elsewhere a copy begins when all that the GPU
    was told before is done.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> sent(np.array([3, 1]), torch.device("cpu")).tolist()
    [3, 1]
    """
    tensor = values if isinstance(values, Tensor) else torch.from_numpy(values)
    if device.type != "cuda":
        return tensor.to(device, non_blocking=True)
    if tensor.device.type == "cpu" and tensor.numel():
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def variable_length_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    offsets: Tensor,
    longest: int,
    *,
    dropout: float = 0.0,
    scale: float | None = None,
    is_causal: bool = False,
    window: int | None = None,
) -> Tensor | None:
    """Attend within each sequence of a row by one kernel, whatever the lengths.

    Parameters
    ----------
    query, key, value : tensor of shape (total, n_heads, d_head)
        Of all tokens, on a GPU; keys and values may have fewer heads.
    offsets : int32 tensor of shape (n + 1,)
        Where each sequence starts, and the number of tokens; on the same GPU.
    longest : int
        Tokens of the longest sequence.
    dropout : float, default=0.0
        Probability that an attention weight is dropped.
    scale : float, optional
        What scores are multiplied by; by default 1 / sqrt(d_head).
    is_causal : bool, default=False
        Whether tokens see only those before them.
    window : int, optional
        Tokens see those less than so many places away.

    Returns
    -------
    tensor of shape (total, n_heads, d_head), or None
        None if PyTorch has no kernel for these numbers here.
    """
    kind = query.device.type
    if torch.is_autocast_enabled(kind):
        dtype = torch.get_autocast_dtype(kind)
        query, key, value = (x.to(dtype) for x in (query, key, value))
    kernel = _choose(query, key, window)
    if kernel is None or not _works(kernel, query.dtype, query.device, dropout > 0):
        return None
    return kernel(
        query,
        key,
        value,
        offsets,
        longest,
        dropout=dropout,
        scale=scale,
        is_causal=is_causal,
        window=window,
    )


def attend_by_groups(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    groups: Groups,
    *,
    dropout: float,
    scale: float | None,
    is_causal: bool,
    window: int | None,
) -> Tensor:
    """Attend within the sequences of one length at a time: on any device.

    Parameters
    ----------
    query, key, value : tensor of shape (1, n_heads, total, d_head)
        Of all tokens, the shortest sequences first.
    groups : tuple of (int, int)
        Length and number of the sequences of each group, in the order of the row.
    dropout, scale, is_causal, window
        As in `variable_length_attention`.

    Returns
    -------
    tensor of shape (1, total, n_heads, d_head)
        The states.

    Notes
    -----
    Where gradients are wanted on the CPU, bfloat16 is attended to in float32: the
    backward pass of PyTorch's kernel for bfloat16 takes five times as long there.
    """
    if (
        query.device.type == "cpu"
        and query.dtype == torch.bfloat16
        and torch.is_grad_enabled()
        and any(x.requires_grad for x in (query, key, value))
    ):
        with torch.autocast("cpu", enabled=False):
            wide = attend_by_groups(
                query.float(),
                key.float(),
                value.float(),
                groups,
                dropout=dropout,
                scale=scale,
                is_causal=is_causal,
                window=window,
            )
        return wide.to(query.dtype)
    grouped = key.shape[1] != query.shape[1]
    # Split, not sliced: the gradient of a slice is as long as the row, for each group.
    tokens = [length * n_sequences for length, n_sequences in groups]
    parts = zip(
        *(x[0].transpose(0, 1).split(tokens) for x in (query, key, value)),  # (t, h, d)
        strict=True,
    )
    states = []
    for (length, n_sequences), part in zip(groups, parts, strict=True):
        q, k, v = (
            x.unflatten(0, (n_sequences, length)).transpose(1, 2) for x in part
        )  # (sequences, heads, length, d)
        mask = None
        if window is not None and length > window:
            mask = _window_mask(length, window, is_causal, query.device)
        state = scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=mask,
            dropout_p=dropout,
            scale=scale,
            is_causal=is_causal and mask is None and length > 1,
            enable_gqa=grouped,
        )
        states.append(state.transpose(1, 2).flatten(0, 1))  # (tokens, heads, d)
    return torch.cat(states)[None]


def _window_mask(
    length: int, window: int, is_causal: bool, device: torch.device
) -> Tensor:
    places = torch.arange(length, device=device)
    distance = places[:, None] - places[None, :]  # (length, length)
    seen = distance.abs() < window
    return seen & (distance >= 0) if is_causal else seen


def _flash(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    offsets: Tensor,
    longest: int,
    *,
    dropout: float,
    scale: float | None,
    is_causal: bool,
    window: int | None,
) -> Tensor:
    sides: dict[str, int] = {}
    if window is not None:
        right = 0 if is_causal else window - 1
        sides = {"window_size_left": window - 1, "window_size_right": right}
    return torch.ops.aten._flash_attention_forward(
        query,
        key,
        value,
        offsets,
        offsets,
        longest,
        longest,
        dropout,
        is_causal,
        False,
        scale=scale,
        **sides,
    )[0]


def _efficient(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    offsets: Tensor,
    longest: int,
    *,
    dropout: float,
    scale: float | None,
    is_causal: bool,
    window: int | None,
) -> Tensor:
    assert window is None
    return torch.ops.aten._efficient_attention_forward(
        query[None],
        key[None],
        value[None],
        None,
        offsets,
        offsets,
        longest,
        longest,
        dropout,
        int(is_causal),
        True,
        scale=scale,
    )[0].squeeze(0)


def _choose(query: Tensor, key: Tensor, window: int | None) -> Kernel | None:
    """Return the kernel for such tensors, or None."""
    width = query.shape[2]
    if query.dtype in (torch.float16, torch.bfloat16):
        return _flash if width % 8 == 0 and width <= 256 else None
    grouped = key.shape[1] != query.shape[1]
    if query.dtype == torch.float32 and window is None and not grouped:
        return _efficient if width % 4 == 0 else None
    return None


# These operators are not PyTorch's public ones, and not in all of its builds: what they
# answer is looked at once before they are used. With dropout, a training in float32 on
# an H200 (PyTorch 2.11) grew the biases of keys, whose gradient is zero, and learnt
# nothing.
@lru_cache
def _works(
    kernel: Kernel, dtype: torch.dtype, device: torch.device, drops: bool
) -> bool:
    """Tell whether a kernel gives what attention of each sequence gives.

    It is tried on short sequences with heads of width 16, each of which sees the whole
    of its own; tests on a GPU try the rest.
    """
    checks = (_agrees, _drops_alike) if drops else (_agrees,)
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(device.type, enabled=False),
        # Within a checkpointed layer what is saved here would be counted as the
        # layer's, and missed when it is computed again.
        torch.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: x),
    ):
        try:
            if all(check(kernel, dtype, device) for check in checks):
                return True
            reason = "its answers or gradients are not those of each sequence alone"
        except torch.OutOfMemoryError:
            raise  # says nothing of the kernel
        except (AttributeError, NotImplementedError, RuntimeError, TypeError) as error:
            reason = repr(error)
    kind = str(dtype).removeprefix("torch.") + (" with dropout" if drops else "")
    warnings.warn(
        f"PyTorch's attention over sequences of many lengths cannot be used in {kind} "
        f"on {device}: {reason}. Sequences are read length by length instead, which "
        "is slower on a GPU. Where it is float32, try precision='bfloat16'.",
        TweetclfWarning,
        stacklevel=3,
    )
    return False


def _probe(
    dtype: torch.dtype, device: torch.device, sizes: list[int]
) -> tuple[list[Tensor], Tensor]:
    """Return queries, keys and values, and where sequences start."""
    shape = (sum(sizes), 2, 16)
    numbers = torch.arange(3 * int(np.prod(shape)), device=device).sin()
    parts = numbers.to(dtype).view(3, *shape).unbind()
    bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return [part.clone().requires_grad_() for part in parts], sent(bounds, device)


def _tolerance(dtype: torch.dtype) -> float:
    return 1e-4 if dtype == torch.float32 else 5e-2


def _agrees(kernel: Kernel, dtype: torch.dtype, device: torch.device) -> bool:
    sizes = [2, 5, 9]
    inputs, offsets = _probe(dtype, device, sizes)
    answers = []
    states = kernel(
        *inputs,
        offsets,
        max(sizes),
        dropout=0.0,
        scale=None,
        is_causal=False,
        window=None,
    )
    answers.append([states, *torch.autograd.grad(states.square().sum(), inputs)])
    single = [
        scaled_dot_product_attention(*(x.transpose(0, 1) for x in one)).transpose(0, 1)
        for one in zip(*(x.split(sizes) for x in inputs), strict=True)
    ]
    states = torch.cat(single)
    answers.append([states, *torch.autograd.grad(states.square().sum(), inputs)])
    return all(
        bool(
            (one - other).abs().max() <= _tolerance(dtype) * other.abs().max().clamp(1)
        )
        for one, other in zip(*answers, strict=True)
    )


def _drops_alike(kernel: Kernel, dtype: torch.dtype, device: torch.device) -> bool:
    """Tell whether forward and backward drop the same weights.

    Which ones is not known, but states are linear in the values, so that values times
    their gradient add up to states times theirs; and the same vector added to all keys
    of a sequence changes no weight, so that the gradients of its keys add up to zero.
    """
    # Of several blocks, and of lengths that are no multiples of anything.
    sizes = [7, 150, 33]
    inputs, offsets = _probe(dtype, device, sizes)
    value = inputs[2]
    options = {"scale": None, "is_causal": False, "window": None}
    # A probe must not move what the training draws from.
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        states = kernel(*inputs, offsets, max(sizes), dropout=0.5, **options)
        whole = kernel(*inputs, offsets, max(sizes), dropout=0.0, **options)
    if torch.allclose(states, whole):
        return False
    slope = torch.arange(states.numel(), device=device).cos().to(dtype).view_as(states)
    _, of_keys, of_values = torch.autograd.grad(states, inputs, slope)
    given, back = (states * slope).double(), (value * of_values).double()
    drift = (given.sum((0, 2)) - back.sum((0, 2))).abs() / given.abs().sum((0, 2))
    sums = torch.stack([x.double().sum(0) for x in of_keys.split(sizes)])
    scale = torch.stack([x.double().abs().sum(0) for x in of_keys.split(sizes)])
    unbalanced = sums.abs() / scale.clamp(1e-12)
    bound = 1e-3 if dtype == torch.float32 else 0.05
    return bool(drift.max() <= bound / 10) and bool(unbalanced.max() <= bound)
