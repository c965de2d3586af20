"""Quasi-recurrent layers, forward and backward: the recurrence, and whole layers.

The peers of whole layers compute something else: an LSTM is another model, and the
matrix product is only a part of ours, the floor under it. There, shapes are compared,
not values. Shapes are (time, batch, width).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from harness import Benchmark
from torch import Tensor, nn

from tweetclf.modules import QRNNLayer, forget_mult

INPUT = 512


class Gates(NamedTuple):
    """Inputs, gates, and the gradient that comes back from the states."""

    z: Tensor
    f: Tensor
    gradient: Tensor


class Layers(NamedTuple):
    """A layer of ours, one of theirs, their input and the gradient that comes back.

    `source` and `product_gradient` are those of our matrix product.
    """

    ours: QRNNLayer
    lstm: nn.LSTM
    x: Tensor
    gradient: Tensor
    source: Tensor
    product_gradient: Tensor


def prepare_gates(width: int) -> Gates:
    """Return 128 steps of 64 texts."""
    generator = torch.Generator().manual_seed(0)
    z, f, gradient = (
        torch.randn(128, 64, width, generator=generator) for _ in range(3)
    )
    return Gates(z.requires_grad_(), f.sigmoid_().requires_grad_(), gradient)


def our_recurrence(data: Gates) -> list[Tensor]:
    """Return states and gradients."""
    states = forget_mult(data.z, data.f)
    gradients = torch.autograd.grad(states, (data.z, data.f), data.gradient)
    return [states.detach(), *gradients]


def looped_recurrence(data: Gates) -> list[Tensor]:
    """Index each step, and leave the gradient to autograd."""
    state = torch.zeros_like(data.z[0])
    states = []
    for step in range(len(data.z)):
        state = data.f[step] * data.z[step] + (1 - data.f[step]) * state
        states.append(state)
    stacked = torch.stack(states)
    gradients = torch.autograd.grad(stacked, (data.z, data.f), data.gradient)
    return [stacked.detach(), *gradients]


def check_recurrence(ours: list[Tensor], theirs: list[Tensor]) -> None:
    """Compare states and gradients."""
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def prepare_layers(width: int) -> Layers:
    """Return layers of a width, and 64 steps of 32 texts."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ours, lstm = QRNNLayer(INPUT, width, window=2), nn.LSTM(INPUT, width)
        x = torch.randn(64, 32, INPUT, requires_grad=True)
        source = torch.randn(64, 32, 2 * INPUT, requires_grad=True)
        gradient = torch.randn(64, 32, width)
        return Layers(ours, lstm, x, gradient, source, gradient.repeat(1, 1, 3))


def _with_gradients(
    hidden: Tensor, inputs: list[Tensor], gradient: Tensor
) -> list[Tensor]:
    return [hidden.detach(), *torch.autograd.grad(hidden, inputs, gradient)]


def our_layer(data: Layers) -> list[Tensor]:
    """Return the output of ours, and gradients of input and weights."""
    inputs = [data.x, *data.ours.parameters()]
    return _with_gradients(data.ours(data.x)[0], inputs, data.gradient)


def lstm_layer(data: Layers) -> list[Tensor]:
    """Return those of torch's LSTM."""
    inputs = [data.x, *data.lstm.parameters()]
    return _with_gradients(data.lstm(data.x)[0], inputs, data.gradient)


def matrix_product(data: Layers) -> list[Tensor]:
    """Return our layer's product of input and matrix, and its gradients, alone."""
    inputs = [data.source, *data.ours.parameters()]
    product = data.ours.linear(data.source)
    return _with_gradients(product, inputs, data.product_gradient)


def check_shapes(ours: list[Tensor], theirs: list[Tensor]) -> None:
    """Both are of as many steps and texts, and nothing overflowed."""
    assert ours[0].shape[:2] == theirs[0].shape[:2]
    for tensor in (*ours, *theirs):
        assert tensor.isfinite().all()


BENCHMARKS = [
    Benchmark(
        name="qrnn-recurrence",
        what="QRNN recurrence, forward and backward, 128 x 64 x width",
        peer="loop over indexed steps, autograd",
        prepare=prepare_gates,
        ours=our_recurrence,
        theirs=looped_recurrence,
        check=check_recurrence,
        sizes=(512, 2304),
        bar=40.0,
        aim=55.0,
        repeats=3,
    ),
    Benchmark(
        name="qrnn-layer-wide",
        what="QRNN layer of window 2, forward and backward, 64 x 32 x 512 to width",
        peer="nn.LSTM (another model)",
        prepare=prepare_layers,
        ours=our_layer,
        theirs=lstm_layer,
        check=check_shapes,
        sizes=(2304,),
        bar=2.5,
        aim=3.0,
    ),
    Benchmark(
        name="qrnn-layer-narrow",
        what="QRNN layer of window 2, forward and backward, 64 x 32 x 512 to width",
        peer="nn.LSTM (another model)",
        prepare=prepare_layers,
        ours=our_layer,
        theirs=lstm_layer,
        check=check_shapes,
        sizes=(512,),
        bar=1.0,
        aim=1.2,
    ),
    Benchmark(
        name="qrnn-layer-product",
        what="QRNN layer of window 2, forward and backward, 64 x 32 x 512 to width",
        peer="its matrix product alone (a part of it)",
        prepare=prepare_layers,
        ours=our_layer,
        theirs=matrix_product,
        check=check_shapes,
        sizes=(512, 2304),
        bar=0.9,
        aim=0.95,
    ),
]
