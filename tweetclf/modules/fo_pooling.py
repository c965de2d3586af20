"""fo-pooling and the whole QRNN layer as functions with gradients written by hand.

The loop over the time is the only one. It is `torch.lerp` a step: indexing in a loop
under autograd costs a gradient of the size of the whole sequence a step, and scans do
more work than they save on a CPU. Everything else runs over blocks of steps. Tensors
are time-major, (time, batch, width); gradients are of first order only.

On a CUDA device the loop would be one launch a step: there `fo_pooling_triton` runs
all of it in one kernel, if Triton is installed and works.

`torch.compile` gives the same numbers but unrolls the loop for every length, minutes
each: leave these layers out of it.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tweetclf.exceptions import TweetclfWarning

__all__ = ["forget_mult", "run_layer"]

# Elements of a block of steps: what is computed of it stays in a core's cache.
_BLOCK = 2**16


def _blocks(steps: Tensor) -> list[slice]:
    """Return the spans of steps of (T, ...) that are worked on together."""
    n_steps = steps.size(0)
    if steps.is_cuda:
        # Launches cost more there than traffic.
        return [slice(0, n_steps)]
    length = max(1, _BLOCK // max(1, steps[0].numel()))
    return [slice(a, a + length) for a in range(0, n_steps, length)]


def _recur(z: Tensor, f: Tensor, previous: Tensor, out: Tensor) -> Tensor:
    """Write c_t = f_t z_t + (1 - f_t) c_{t-1} into `out`; return the last c_t."""
    for z_t, f_t, c_t in zip(z.unbind(), f.unbind(), out.unbind(), strict=True):
        torch.lerp(previous, z_t, f_t, out=c_t)
        previous = c_t
    return previous


def _flow_back(
    gradient: Tensor, keep: Tensor, carry: Tensor | None, out: Tensor
) -> Tensor:
    """Write the gradient of each c_t into `out`; return that of the c before them.

    `gradient` holds what comes to c_t from outside, `carry` what comes to the last of
    them from the steps after, `keep` is 1 - f. `out` may be `gradient`.
    """
    coming, keeps, flows = gradient.unbind(), keep.unbind(), out.unbind()
    if carry is None:
        if out is not gradient:
            flows[-1].copy_(coming[-1])
    else:
        torch.add(coming[-1], carry, out=flows[-1])
    for t in range(len(flows) - 2, -1, -1):
        torch.addcmul(coming[t], keeps[t + 1], flows[t + 1], out=flows[t])
    return keeps[0] * flows[0]


def _subtract_previous(
    z: Tensor, cells: Tensor, initial: Tensor | None, span: slice, out: Tensor
) -> None:
    """Write z_t - c_{t-1} of the steps of `span` into `out`."""
    start, steps = span.start, z[span]
    torch.sub(steps[1:], cells[start : start + len(steps) - 1], out=out[1:])
    if start > 0:
        torch.sub(steps[0], cells[start - 1], out=out[0])
    elif initial is not None:
        torch.sub(steps[0], initial, out=out[0])
    else:
        out[0] = steps[0]


@functools.cache
def _load_kernels() -> ModuleType | None:
    """Import the kernels, if Triton is installed: never for tensors on a CPU."""
    reason = "it is not installed"
    if find_spec("triton") is not None:
        try:
            return importlib.import_module("tweetclf.modules.fo_pooling_triton")
        except Exception as error:
            reason = repr(error)
    warnings.warn(
        f"Triton cannot be used: {reason}. QRNN layers run as a loop over the time "
        "instead, which is slow on a GPU. PyTorch's builds for CUDA come with Triton.",
        TweetclfWarning,
        stacklevel=2,
    )
    return None


def _choose_kernels(n_columns: int, *tensors: Tensor | None) -> ModuleType | None:
    """Return the kernels for these tensors, or None for the loop."""
    first = tensors[0]
    if first is None or not first.is_cuda:
        return None
    kernels = _load_kernels()
    if kernels is None or not kernels.fits(n_columns, *tensors):
        return None
    return kernels if kernels.works(first.device) else None


class _ForgetMult(torch.autograd.Function):
    """`forget_mult` with its gradient written by hand."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, f: Tensor, initial: Tensor | None) -> Tensor:
        cells = torch.empty_like(z, memory_format=torch.contiguous_format)
        _recur(z, f, torch.zeros_like(z[0]) if initial is None else initial, cells)
        ctx.save_for_backward(z, f, initial, cells)
        return cells

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        z, f, initial, cells = ctx.saved_tensors
        grad_z, grad_f = torch.empty_like(cells), torch.empty_like(cells)
        carry = None
        for span in reversed(_blocks(cells)):
            # The flow is built where the gradient of z goes.
            flow, f_block = grad_z[span], f[span]
            carry = _flow_back(gradient[span], 1 - f_block, carry, flow)
            _subtract_previous(z, cells, initial, span, grad_f[span])
            grad_f[span].mul_(flow)
            flow.mul_(f_block)
        return grad_z, grad_f, carry if initial is not None else None


def forget_mult(z: Tensor, f: Tensor, initial: Tensor | None = None) -> Tensor:
    """Mix each input into the state: ``c_t = f_t * z_t + (1 - f_t) * c_{t-1}``.

    The gate weighs the new input. Gradients are exact and of first order only.

    Parameters
    ----------
    z : Tensor of shape (time, batch, width)
        Inputs, at least one step.
    f : Tensor of shape (time, batch, width)
        Gates.
    initial : Tensor of shape (batch, width), optional
        The state before the first step; zeros if it is not given.

    Returns
    -------
    Tensor of shape (time, batch, width)
        The states.

    Examples
    --------
    >>> import torch
    >>> from tweetclf.modules import forget_mult
    >>> z, f = torch.tensor([[[4.0]], [[2.0]]]), torch.tensor([[[0.5]], [[0.25]]])
    >>> forget_mult(z, f).flatten().tolist()  # 0.5 * 4; 0.25 * 2 + 0.75 * 2
    [2.0, 2.0]
    """
    if z.shape != f.shape or z.dim() < 2 or z.size(0) == 0:
        raise ValueError(
            "forget_mult: z and f must have one shape, (time, batch, width), with at "
            f"least one step. Got {tuple(z.shape)} and {tuple(f.shape)} instead."
        )
    if initial is not None and initial.shape != z.shape[1:]:
        raise ValueError(
            f"forget_mult: 'initial' must have shape {tuple(z.shape[1:])}, that of a "
            f"step. Got {tuple(initial.shape)} instead."
        )
    kernels = _choose_kernels(z[0].numel(), z, f, initial)
    if kernels is not None:
        return kernels.forget_mult(z, f, initial)
    return _ForgetMult.apply(z, f, initial)


def _multiply(
    x: Tensor, weight: Tensor, bias: Tensor, before: Tensor | None, n_gates: int
) -> Tensor:
    """Return all gates before their activation, (n_gates, T, B, H).

    Each gate has its own product, so that what follows runs over whole stretches of
    memory; a window of two is two products, of x and of x a step later, so that
    nothing is copied beside itself.
    """
    n_steps, n_texts, width = x.shape
    rows = x.view(-1, width)  # (T * B, I)
    gates = x.new_empty(n_gates, n_steps * n_texts, len(bias) // n_gates)
    for gate, matrix, b in zip(
        gates, weight.chunk(n_gates), bias.chunk(n_gates), strict=True
    ):
        torch.addmm(b, rows, matrix[:, :width].t(), out=gate)
        if matrix.size(1) > width:
            of_before = matrix[:, width:].t()  # (I, H)
            gate[n_texts:].addmm_(rows[:-n_texts], of_before)
            if before is not None:
                gate[:n_texts].addmm_(before, of_before)
    # The product is cheap in half precision, but the sum over time inexact.
    exact = torch.promote_types(x.dtype, torch.float32)
    return gates.view(n_gates, n_steps, n_texts, -1).to(exact)


def _gradient_of_x(grads: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient of x from those of the gates, (n_gates, T * B, H)."""
    _, n_texts, width = x.shape
    gradient = x.new_zeros(grads.size(1), width)
    for grad, matrix in zip(grads, weight.chunk(len(grads)), strict=True):
        gradient.addmm_(grad, matrix[:, :width])
        if matrix.size(1) > width:
            gradient[:-n_texts].addmm_(grad[n_texts:], matrix[:, width:])
    return gradient.view_as(x)


def _gradient_of_weight(
    grads: Tensor, x: Tensor, weight: Tensor, before: Tensor | None
) -> Tensor:
    """Return the gradient of the matrix from those of the gates."""
    _, n_texts, width = x.shape
    rows, gradient = x.view(-1, width), torch.empty_like(weight)
    for grad, out in zip(grads, gradient.chunk(len(grads)), strict=True):
        torch.mm(grad.t(), rows, out=out[:, :width])
        if out.size(1) > width:
            torch.mm(grad[n_texts:].t(), rows[:-n_texts], out=out[:, width:])
            if before is not None:
                out[:, width:].addmm_(grad[:n_texts].t(), before)
    return gradient


def _pool_back(
    gates: Tensor,
    cells: Tensor,
    grad_hidden: Tensor,
    carry: Tensor | None,
    out: Tensor,
) -> Tensor | None:
    """Write the gradients before the activations into `out`; return that of c_0.

    `gates` holds activations. Every line is one pass over a block of steps; what a
    pass needs lies in `out` already.
    """
    for span in reversed(_blocks(cells)):
        z, f, c, g = gates[0, span], gates[1, span], cells[span], grad_hidden[span]
        flow, grad_f = out[0, span], out[1, span]
        if len(gates) == 3:
            o, grad_o = gates[2, span], out[2, span]
            torch.mul(g, c, out=grad_o)
            torch.ops.aten.sigmoid_backward.grad_input(grad_o, o, grad_input=grad_o)
            g = torch.mul(g, o, out=flow)
        carry = _flow_back(g, 1 - f, carry, flow)
        flow.mul_(f)
        # f' (z_t - c_{t-1}) = f (1 - f) (z_t - c_{t-1}) = f (z_t - c_t)
        torch.sub(z, c, out=grad_f).mul_(flow)
        torch.ops.aten.tanh_backward.grad_input(flow, z, grad_input=flow)
    return carry


class _Layer(torch.autograd.Function):
    """A whole layer without zoneout: product, activations, pooling, output gate.

    One function, because at these sizes memory that was never touched costs as much
    as the arithmetic: the gates are computed in place, and no gradient is padded.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        cell: Tensor | None,
        before: Tensor | None,
        n_gates: int,
    ) -> tuple[Tensor, Tensor]:
        gates = _multiply(x, weight, bias, before, n_gates)
        cells = torch.empty_like(gates[0])  # (T, B, H)
        hidden = torch.empty_like(cells) if n_gates == 3 else cells
        previous = torch.zeros_like(cells[0]) if cell is None else cell
        for span in _blocks(cells):
            z, f = gates[0, span].tanh_(), gates[1, span].sigmoid_()
            previous = _recur(z, f, previous, cells[span])
            if n_gates == 3:
                o = gates[2, span].sigmoid_()
                torch.mul(o, cells[span], out=hidden[span])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, weight, before, gates, cells)
        ctx.has_cell = cell is not None
        # A copy, or the last state would keep all of them in memory.
        return hidden, previous.clone()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_hidden: Tensor | None, grad_last: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        x, weight, before, gates, cells = ctx.saved_tensors
        if grad_hidden is None:
            grad_hidden = torch.zeros_like(cells)
        grads = torch.empty_like(gates)
        carry = _pool_back(gates, cells, grad_hidden, grad_last, grads)
        grads = grads.flatten(1, 2)  # (n_gates, T * B, H)
        grad_bias = grads.sum(dim=1).flatten().to(x.dtype)
        grads = grads.to(x.dtype)
        # Each is a third of the work: nothing is done for what is frozen.
        of_x, of_weight, *_ = ctx.needs_input_grad
        return (
            _gradient_of_x(grads, x, weight) if of_x else None,
            _gradient_of_weight(grads, x, weight, before) if of_weight else None,
            grad_bias,
            carry if ctx.has_cell else None,
            None,
            None,
        )


def run_layer(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    cell: Tensor | None,
    before: Tensor | None,
    n_gates: int,
) -> tuple[Tensor, Tensor]:
    """Run a QRNN layer without zoneout over a sequence.

    Parameters
    ----------
    x : Tensor of shape (time, batch, input_size)
        Contiguous, at least one step, in the precision of the products.
    weight : Tensor of shape (n_gates * hidden_size, window * input_size)
        Of z, f and, with three gates, o; the same dtype as `x`.
    bias : Tensor of shape (n_gates * hidden_size,)
        The same dtype as `x`.
    cell : Tensor of shape (batch, hidden_size) or None
        c before the first step, at least in float32; None for zeros.
    before : Tensor of shape (batch, input_size) or None
        x before it, for a window of 2; gets no gradient. None for zeros.
    n_gates : {2, 3}
        Whether there is an output gate.

    Returns
    -------
    hidden : Tensor of shape (time, batch, hidden_size)
        h of each step, at least in float32.
    last : Tensor of shape (batch, hidden_size)
        c of the last one.
    """
    n_columns = x.size(1) * (len(bias) // n_gates)
    kernels = _choose_kernels(n_columns, x, weight, bias, cell, before)
    if kernels is not None:
        return kernels.run_layer(x, weight, bias, cell, before, n_gates)
    return _Layer.apply(x, weight, bias, cell, before, n_gates)
