"""Kernels of packed attention are looked at before they are used."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.utils.checkpoint import checkpoint  # noqa: E402

from tweetclf.exceptions import TweetclfWarning  # noqa: E402
from tweetclf.modules import _variable_length as kernels  # noqa: E402

CPU = torch.device("cpu")


def attend(
    parts: tuple[torch.Tensor, ...], offsets: torch.Tensor, dropout: float, seed: int
) -> list[tuple[torch.Tensor, ...]]:
    """Return weights, what is kept of them and states of each sequence."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    sizes = offsets.diff().tolist()
    for q, k, v in zip(*(x.split(sizes) for x in parts), strict=True):
        weights = (torch.einsum("qhd,khd->hqk", q, k) / q.shape[2] ** 0.5).softmax(-1)
        kept = torch.rand(weights.shape, generator=generator) >= dropout
        kept = kept.to(weights.dtype) / (1 - dropout)
        made.append((weights, kept, torch.einsum("hqk,khd->qhd", weights * kept, v)))
    return made


class Attention(torch.autograd.Function):
    """Written as kernels are: backward draws what is dropped a second time."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> torch.Tensor:
        *parts, offsets, dropout, backward_seed = inputs
        states = torch.cat([s for *_, s in attend(tuple(parts), offsets, dropout, 0)])
        ctx.save_for_backward(*parts, offsets, states)
        ctx.drawn = dropout, backward_seed
        return states

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[Any, ...]:
        *parts, offsets, states = ctx.saved_tensors
        sizes = offsets.diff().tolist()
        rows = zip(*(x.split(sizes) for x in (*parts, slope, states)), strict=True)
        gradients = []
        drawn = attend(tuple(parts), offsets, *ctx.drawn)
        for (q, k, v, g, o), (weights, kept, _) in zip(rows, drawn, strict=True):
            of_weights = torch.einsum("qhd,khd->hqk", g, v) * kept
            delta = (g * o).sum(2).T[..., None]
            of_scores = weights * (of_weights - delta) / q.shape[2] ** 0.5
            gradients.append(
                (
                    torch.einsum("hqk,khd->qhd", of_scores, k),
                    torch.einsum("hqk,qhd->khd", of_scores, q),
                    torch.einsum("hqk,qhd->khd", weights * kept, g),
                )
            )
        return (*map(torch.cat, zip(*gradients, strict=True)), None, None, None)


def kernel_of(backward_seed: int) -> Any:
    def kernel(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        offsets: torch.Tensor,
        longest: int,
        *,
        dropout: float,
        **others: Any,
    ) -> torch.Tensor:
        return Attention.apply(query, key, value, offsets, dropout, backward_seed)

    return kernel


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("drops", [False, True])
def test_a_right_kernel_is_used(dtype: torch.dtype, drops: bool) -> None:
    assert kernels._works(kernel_of(0), dtype, CPU, drops)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_that_drops_others_in_backward_is_not_used_with_dropout(
    dtype: torch.dtype,
) -> None:
    kernel = kernel_of(1)
    assert kernels._works(kernel, dtype, CPU, False)
    with pytest.warns(TweetclfWarning, match="with dropout on cpu.*length by length"):
        assert not kernels._works(kernel, dtype, CPU, True)
    assert not kernels._works(kernel, dtype, CPU, True)  # said once


def test_one_that_fails_is_not_used() -> None:
    def kernel(*inputs: Any, **options: Any) -> torch.Tensor:
        raise RuntimeError("no such operator")

    with pytest.warns(TweetclfWarning, match="no such operator"):
        assert not kernels._works(kernel, torch.float32, CPU, False)


def test_one_that_never_drops_or_is_wrong_is_not_used_with_dropout() -> None:
    right = kernel_of(0)

    def deaf(*inputs: Any, dropout: float, **options: Any) -> torch.Tensor:
        return right(*inputs, dropout=0.0, **options)

    def steep(query: torch.Tensor, *inputs: Any, **options: Any) -> torch.Tensor:
        return right(5 * query, *inputs, **options)

    for kernel in (deaf, steep):
        with pytest.warns(TweetclfWarning):
            assert not kernels._works(kernel, torch.float32, CPU, True)


def test_want_of_memory_says_nothing_of_a_kernel() -> None:
    right, calls = kernel_of(0), []

    def kernel(*inputs: Any, **options: Any) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("full")
        return right(*inputs, **options)

    with pytest.raises(torch.OutOfMemoryError):
        kernels._works(kernel, torch.float32, CPU, False)
    assert kernels._works(kernel, torch.float32, CPU, False)


def test_a_kernel_is_tried_within_a_layer_that_is_computed_again() -> None:
    kernel = kernel_of(0)

    def layer(x: torch.Tensor) -> torch.Tensor:
        assert kernels._works(kernel, x.dtype, CPU, True)
        return x.sin().cos()

    x = torch.ones(3, requires_grad=True)
    state = torch.random.get_rng_state()
    checkpoint(layer, x, use_reentrant=False).sum().backward()
    assert x.grad is not None
    assert torch.equal(state, torch.random.get_rng_state())
