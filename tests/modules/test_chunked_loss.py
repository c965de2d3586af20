"""The loss in chunks against torch's cross-entropy of all logits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tweetclf.modules import chunked_cross_entropy, chunked_loss

N, E, V = 11, 4, 9


@pytest.fixture(params=[256, 3], ids=["one chunk", "chunks of three"])
def _chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked_loss, "_CHUNK", request.param)


def made(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    hidden, weight, bias = (
        torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()
        for shape in ((N, E), (V, E), (V,))
    )
    return hidden, weight, bias, torch.randint(V, (N,), generator=generator)


@pytest.mark.usefixtures("_chunks")
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_and_gradients_equal_those_of_torch(smoothing) -> None:
    *leaves, target = made()
    loss = chunked_cross_entropy(*leaves, target, label_smoothing=smoothing)
    logits = functional.linear(*leaves)
    expected = functional.cross_entropy(logits, target, label_smoothing=smoothing)
    torch.testing.assert_close(loss, expected)
    ours = torch.autograd.grad(5 * loss, leaves)
    theirs = torch.autograd.grad(5 * expected, leaves)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.usefixtures("_chunks")
def test_the_gradient_by_differences() -> None:
    *leaves, target = made()
    assert torch.autograd.gradcheck(
        lambda *given: chunked_cross_entropy(*given, target, label_smoothing=0.2),
        leaves,
    )


def test_without_gradients_none_are_computed() -> None:
    *leaves, target = made()
    with torch.no_grad():
        loss = chunked_cross_entropy(*leaves, target)
    assert loss.grad_fn is None
    expected = functional.cross_entropy(functional.linear(*leaves), target)
    torch.testing.assert_close(loss, expected.detach())


@pytest.mark.usefixtures("_chunks")
def test_autocast_multiplies_in_half_precision_and_adds_in_single() -> None:
    *leaves, target = made(torch.float32)
    expected = functional.cross_entropy(functional.linear(*leaves), target)
    theirs = torch.autograd.grad(expected, leaves)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = chunked_cross_entropy(*leaves, target)
    ours = torch.autograd.grad(loss, leaves)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, atol=0.02, rtol=0.02)
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, atol=0.02, rtol=0.05)
