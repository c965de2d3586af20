"""fo-pooling and the QRNN layer on a GPU: the whole recurrence in one kernel.

A loop of operations costs a launch a step, and each step reads from memory the state
that the one before wrote. Here a thread owns a column, one unit of one text, and goes
through its steps with the state in a register; every element is read once and written
once. What a step must wait for is memory alone, so several steps are read before the
first of them is computed: that many reads are on their way together.

The arithmetic is that of `tweetclf.modules.fo_pooling`, the oracle of the tests, in
float32 (float64 for float64) whatever the tensors hold. Importing this module needs
Triton, which comes with PyTorch for CUDA; `fo_pooling` imports it for tensors on a
CUDA device alone.
"""

# Kernels are in the language of Triton, where tuples grow in unrolled loops.
# mypy: disable-error-code="assignment, var-annotated, attr-defined"

from __future__ import annotations

import functools
import warnings
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from tweetclf.exceptions import TweetclfWarning

__all__ = ["fits", "forget_mult", "run_layer", "works"]

# Columns of a program: few, so that there are programs for all multiprocessors.
_BLOCK = 64
# Steps of all columns to read before computing: with few columns each must read
# further ahead to keep memory busy, with many the registers for it would leave some of
# them waiting for a place. (An H100 needs about 20 KB on the way a multiprocessor.)
_MOST_STEPS = 8
_READ_AHEAD = 2**18
# Offsets within a stretch of steps, of three gates each, are of 32 bits.
_MAX_COLUMNS = 2**26
_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@triton.jit
def _read(at, there, EXACT: tl.constexpr):
    return tl.load(at, mask=there, other=0.0).to(EXACT)


@triton.jit
def _sigmoid(x):
    return 1.0 / (1.0 + tl.exp(-x))


@triton.jit
def _tanh(x, EXACT: tl.constexpr):
    # The quotient loses digits near zero; the odd series is exact to rounding there.
    square = x * x
    decay = tl.exp(-2.0 * tl.abs(x))
    far = (1.0 - decay) / (1.0 + decay)
    far = tl.where(x < 0.0, -far, far)
    series = 21844.0 / 6081075.0
    series = square * series - 1382.0 / 155925.0
    series = square * series + 62.0 / 2835.0
    series = square * series - 17.0 / 315.0
    series = square * series + 2.0 / 15.0
    series = square * series - 1.0 / 3.0
    near = x + x * (square * series)
    limit: tl.constexpr = 0.0025 if EXACT == tl.float64 else 0.0625  # noqa: SIM300
    return tl.where(square < limit, near, far)


@triton.jit(do_not_specialize=["n_steps"])
def _mix_forward(
    z,
    f,
    initial,
    cells,
    n_steps,
    n_columns,
    STEPS: tl.constexpr,
    BLOCK: tl.constexpr,
    EXACT: tl.constexpr,
):
    """Write c_t = f_t z_t + (1 - f_t) c_{t-1} of (T, columns)."""
    column = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = column < n_columns
    c = tl.zeros((BLOCK,), dtype=EXACT)
    if initial is not None:
        c = _read(initial + column, inside, EXACT)
    for start in range(0, n_steps, STEPS):
        zs, fs = (), ()
        for step in tl.static_range(STEPS):
            there = inside & (start + step < n_steps)
            zs += (_read(z + step * n_columns + column, there, EXACT),)
            fs += (_read(f + step * n_columns + column, there, EXACT),)
        for step in tl.static_range(STEPS):
            # A gate of one gives z itself and of zero c, to the bit.
            c = fs[step] * zs[step] + (1.0 - fs[step]) * c
            there = inside & (start + step < n_steps)
            tl.store(cells + step * n_columns + column, c, mask=there)
        z += STEPS * n_columns
        f += STEPS * n_columns
        cells += STEPS * n_columns


@triton.jit(do_not_specialize=["n_steps"])
def _mix_backward(
    z,
    f,
    initial,
    cells,
    gradient,
    of_z,
    of_f,
    of_initial,
    n_steps,
    n_columns,
    STEPS: tl.constexpr,
    BLOCK: tl.constexpr,
    EXACT: tl.constexpr,
):
    """Write the gradients of z, f and the initial state, from the last step down."""
    column = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = column < n_columns
    first = tl.zeros((BLOCK,), dtype=EXACT)
    if initial is not None:
        first = _read(initial + column, inside, EXACT)
    carry = tl.zeros((BLOCK,), dtype=EXACT)
    last = (n_steps - 1).to(tl.int64) * n_columns
    z += last
    f += last
    cells += last
    gradient += last
    of_z += last
    of_f += last
    for start in range(0, n_steps, STEPS):
        zs, fs, gs, befores = (), (), (), ()
        for step in tl.static_range(STEPS):
            there = inside & (start + step < n_steps)
            zs += (_read(z - step * n_columns + column, there, EXACT),)
            fs += (_read(f - step * n_columns + column, there, EXACT),)
            gs += (_read(gradient - step * n_columns + column, there, EXACT),)
            there = inside & (start + step + 1 < n_steps)
            at = cells - (step + 1) * n_columns + column
            befores += (_read(at, there, EXACT),)
        for step in tl.static_range(STEPS):
            there = inside & (start + step < n_steps)
            before = tl.where(start + step + 1 < n_steps, befores[step], first)
            flow = gs[step] + carry
            tl.store(of_z - step * n_columns + column, flow * fs[step], mask=there)
            at = of_f - step * n_columns + column
            tl.store(at, flow * (zs[step] - before), mask=there)
            # Beyond the first step f and g read as zero: the carry passes through.
            carry = (1.0 - fs[step]) * flow
        z -= STEPS * n_columns
        f -= STEPS * n_columns
        cells -= STEPS * n_columns
        gradient -= STEPS * n_columns
        of_z -= STEPS * n_columns
        of_f -= STEPS * n_columns
    if of_initial is not None:
        tl.store(of_initial + column, carry, mask=inside)


@triton.jit(do_not_specialize=["n_steps"])
def _layer_forward(
    gates,
    initial,
    cells,
    hidden,
    n_steps,
    n_columns,
    width,
    N_GATES: tl.constexpr,
    STEPS: tl.constexpr,
    BLOCK: tl.constexpr,
    EXACT: tl.constexpr,
):
    """Write c and h from the gates before their activation, (T, B, n_gates, H)."""
    column = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = column < n_columns
    gate = column // width * (N_GATES * width) + column % width
    row = N_GATES * n_columns
    c = tl.zeros((BLOCK,), dtype=EXACT)
    if initial is not None:
        c = _read(initial + column, inside, EXACT)
    for start in range(0, n_steps, STEPS):
        zs, fs, os = (), (), ()
        for step in tl.static_range(STEPS):
            there = inside & (start + step < n_steps)
            at = gates + step * row + gate
            zs += (_read(at, there, EXACT),)
            fs += (_read(at + width, there, EXACT),)
            if N_GATES == 3:
                os += (_read(at + 2 * width, there, EXACT),)
        for step in tl.static_range(STEPS):
            there = inside & (start + step < n_steps)
            f = _sigmoid(fs[step])
            c = f * _tanh(zs[step], EXACT) + (1.0 - f) * c
            tl.store(cells + step * n_columns + column, c, mask=there)
            if N_GATES == 3:
                h = _sigmoid(os[step]) * c
                tl.store(hidden + step * n_columns + column, h, mask=there)
        gates += STEPS * row
        cells += STEPS * n_columns
        hidden += STEPS * n_columns


@triton.jit(do_not_specialize=["n_steps"])
def _layer_backward(
    gates,
    cells,
    gradient,
    of_last,
    of_gates,
    of_bias,
    of_initial,
    n_steps,
    n_columns,
    width,
    N_GATES: tl.constexpr,
    STEPS: tl.constexpr,
    BLOCK: tl.constexpr,
    EXACT: tl.constexpr,
):
    """Write the gradients before the activations, and their sums over the time.

    Activations are computed again: to keep them, the forward pass would have to write
    as much as it reads.
    """
    column = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = column < n_columns
    gate = column // width * (N_GATES * width) + column % width
    row = N_GATES * n_columns
    carry = tl.zeros((BLOCK,), dtype=EXACT)
    if of_last is not None:
        carry = _read(of_last + column, inside, EXACT)
    sum_z = tl.zeros((BLOCK,), dtype=EXACT)
    sum_f = tl.zeros((BLOCK,), dtype=EXACT)
    sum_o = tl.zeros((BLOCK,), dtype=EXACT)
    last = (n_steps - 1).to(tl.int64)
    gates += last * row
    of_gates += last * row
    cells += last * n_columns
    gradient += last * n_columns
    for start in range(0, n_steps, STEPS):
        zs, fs, os, cs, gs = (), (), (), (), ()
        for step in tl.static_range(STEPS):
            there = inside & (start + step < n_steps)
            at = gates - step * row + gate
            zs += (_read(at, there, EXACT),)
            fs += (_read(at + width, there, EXACT),)
            if N_GATES == 3:
                os += (_read(at + 2 * width, there, EXACT),)
            cs += (_read(cells - step * n_columns + column, there, EXACT),)
            gs += (_read(gradient - step * n_columns + column, there, EXACT),)
        for step in tl.static_range(STEPS):
            there = inside & (start + step < n_steps)
            at = of_gates - step * row + gate
            z = _tanh(zs[step], EXACT)
            # Beyond the first step g reads as zero. With f zero as well nothing is
            # added to the sums, and the carry passes through.
            f = tl.where(there, _sigmoid(fs[step]), 0.0)
            g = gs[step]
            if N_GATES == 3:
                o = _sigmoid(os[step])
                grad_o = g * cs[step] * o * (1.0 - o)
                sum_o += grad_o
                tl.store(at + 2 * width, grad_o, mask=there)
                g = g * o
            flow = g + carry
            carry = (1.0 - f) * flow
            flow = flow * f
            # f' (z_t - c_{t-1}) = f (1 - f) (z_t - c_{t-1}) = f (z_t - c_t)
            grad_f = flow * (z - cs[step])
            grad_z = flow * (1.0 - z * z)
            sum_z += grad_z
            sum_f += grad_f
            tl.store(at, grad_z, mask=there)
            tl.store(at + width, grad_f, mask=there)
        gates -= STEPS * row
        of_gates -= STEPS * row
        cells -= STEPS * n_columns
        gradient -= STEPS * n_columns
    tl.store(of_bias + gate, sum_z, mask=inside)
    tl.store(of_bias + gate + width, sum_f, mask=inside)
    if N_GATES == 3:
        tl.store(of_bias + gate + 2 * width, sum_o, mask=inside)
    if of_initial is not None:
        tl.store(of_initial + column, carry, mask=inside)


def _choose_steps(n_columns: int, least: int) -> int:
    """Return how many steps a program reads at a time."""
    steps = _MOST_STEPS
    while steps > least and steps * n_columns > _READ_AHEAD:
        steps //= 2
    return steps


def _launch(
    kernel: Any, cells: Tensor, *arguments: Any, least: int = 4, **constants: Any
) -> None:
    """Run a kernel over the columns of `cells`, (T, ...)."""
    n_columns = cells[0].numel()
    # Triton launches on the current device, which need not be that of the tensors.
    with torch.cuda.device_of(cells):
        kernel[(triton.cdiv(n_columns, _BLOCK),)](
            *arguments,
            STEPS=_choose_steps(n_columns, least),
            BLOCK=_BLOCK,
            EXACT=tl.float64 if cells.dtype == torch.float64 else tl.float32,
            num_warps=_BLOCK // 32,
            **constants,
        )


class _ForgetMult(torch.autograd.Function):
    """`forget_mult` in two kernels."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, f: Tensor, initial: Tensor | None) -> Tensor:
        z, f = z.contiguous(), f.contiguous()
        initial = None if initial is None else initial.contiguous()
        cells = torch.empty_like(z)
        sizes = len(z), z[0].numel()
        _launch(_mix_forward, cells, z, f, initial, cells, *sizes)
        ctx.save_for_backward(z, f, initial, cells)
        return cells

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        z, f, initial, cells = ctx.saved_tensors
        of_z, of_f = torch.empty_like(z), torch.empty_like(f)
        of_initial = None if initial is None else torch.empty_like(initial)
        given = z, f, initial, cells, gradient.contiguous()
        sizes = len(z), z[0].numel()
        _launch(_mix_backward, cells, *given, of_z, of_f, of_initial, *sizes)
        return of_z, of_f, of_initial


class _Layer(torch.autograd.Function):
    """A whole layer: products of all gates together, and one kernel either way."""

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
        n_steps, n_texts, _ = x.shape
        width = len(bias) // n_gates
        gates = _multiply(x, weight, bias, before)  # (T * B, n_gates * H)
        exact = torch.promote_types(x.dtype, torch.float32)
        cells = x.new_empty(n_steps, n_texts, width, dtype=exact)
        hidden = torch.empty_like(cells) if n_gates == 3 else cells
        initial = None if cell is None else cell.contiguous()
        sizes = n_steps, n_texts * width, width
        given = gates, initial, cells, hidden
        _launch(_layer_forward, cells, *given, *sizes, N_GATES=n_gates)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, weight, before, gates, cells)
        ctx.n_gates, ctx.has_cell = n_gates, cell is not None
        # A copy, or the last state would keep all of them in memory.
        return hidden, cells[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, of_hidden: Tensor | None, of_last: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        x, weight, before, gates, cells = ctx.saved_tensors
        n_steps, n_texts, width = cells.shape
        of_gates = torch.empty_like(gates)
        of_bias = cells.new_empty(n_texts, gates.size(1))
        of_cell = torch.empty_like(cells[0]) if ctx.has_cell else None
        given = (
            gates,
            cells,
            torch.zeros_like(cells) if of_hidden is None else of_hidden.contiguous(),
            None if of_last is None else of_last.contiguous(),
        )
        sizes = n_steps, n_texts * width, width
        arguments = *given, of_gates, of_bias, of_cell, *sizes
        # Two steps fit into 32 registers, four need 124.
        _launch(_layer_backward, cells, *arguments, least=2, N_GATES=ctx.n_gates)
        # Each is a third of the work: nothing is done for what is frozen.
        of_x, of_weight, *_ = ctx.needs_input_grad
        return (
            _gradient_of_x(of_gates, x, weight) if of_x else None,
            _gradient_of_weight(of_gates, x, weight, before) if of_weight else None,
            of_bias.sum(dim=0).to(x.dtype),
            of_cell,
            None,
            None,
        )


def _multiply(x: Tensor, weight: Tensor, bias: Tensor, before: Tensor | None) -> Tensor:
    """Return all gates of all steps before their activation, (T * B, n_gates * H)."""
    _, n_texts, width = x.shape
    rows = x.view(-1, width)
    gates = torch.addmm(bias, rows, weight[:, :width].t())
    if weight.size(1) > width:
        of_before = weight[:, width:].t()  # (I, n_gates * H)
        gates[n_texts:].addmm_(rows[:-n_texts], of_before)
        if before is not None:
            gates[:n_texts].addmm_(before, of_before)
    return gates


def _gradient_of_x(of_gates: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient of x from that of the gates, (T * B, n_gates * H)."""
    _, n_texts, width = x.shape
    gradient = torch.mm(of_gates, weight[:, :width])
    if weight.size(1) > width:
        gradient[:-n_texts].addmm_(of_gates[n_texts:], weight[:, width:])
    return gradient.view_as(x)


def _gradient_of_weight(
    of_gates: Tensor, x: Tensor, weight: Tensor, before: Tensor | None
) -> Tensor:
    """Return the gradient of the matrix from that of the gates."""
    _, n_texts, width = x.shape
    rows = x.view(-1, width)
    of_now = torch.mm(of_gates.t(), rows)
    if weight.size(1) == width:
        return of_now
    of_before = torch.mm(of_gates[n_texts:].t(), rows[:-n_texts])
    if before is not None:
        of_before.addmm_(of_gates[:n_texts].t(), before)
    return torch.cat([of_now, of_before], dim=1)


def fits(n_columns: int, *tensors: Tensor | None) -> bool:
    """Tell whether the kernels take these tensors.

    Parameters
    ----------
    n_columns : int
        Texts times hidden units: what the kernels go through the steps of.
    *tensors : Tensor or None
        Of one device. The first two, inputs and gates or inputs and matrix, are never
        None and have one dtype.

    Returns
    -------
    bool
        False if there is nothing to compute, or too much for offsets of 32 bits
        within a stretch of steps, or if devices or dtypes are not as they should be.
    """
    given = [tensor for tensor in tensors if tensor is not None]
    return (
        0 < n_columns <= _MAX_COLUMNS
        and given[0].dtype == given[1].dtype
        and all(tensor.dtype in _DTYPES for tensor in given)
        and len({tensor.device for tensor in given}) == 1
    )


@functools.cache
def works(device: torch.device) -> bool:
    """Tell whether kernels can be compiled for a device and run on it.

    Triton needs a C compiler and Python's headers, and a GPU of compute capability 8
    or later. Where something is missing the layers work all the same, slower.

    Parameters
    ----------
    device : torch.device
        A CUDA device.

    Returns
    -------
    bool
        Whether a tiny recurrence ran. If not, a warning says why, once.
    """
    one = torch.ones(1, 1, 1, device=device)
    try:
        return bool(forget_mult(one, one, None).item() == 1.0)
    except Exception as error:
        warnings.warn(
            f"The kernels of QRNN layers cannot be used on {device}: {error!r}. They "
            "run as a loop over the time instead, which is slow on a GPU. Triton "
            "needs a C compiler and Python's headers (gcc and python3-dev), and a GPU "
            "of compute capability 8 or later.",
            TweetclfWarning,
            stacklevel=2,
        )
        return False


def forget_mult(z: Tensor, f: Tensor, initial: Tensor | None) -> Tensor:
    """Run `tweetclf.modules.forget_mult` in one kernel.

    Parameters
    ----------
    z, f : Tensor of shape (time, batch, width)
        See there; one dtype, on one device.
    initial : Tensor of shape (batch, width) or None
        See there.

    Returns
    -------
    Tensor of shape (time, batch, width)
        The states, in the dtype of `z`, summed in float32 at least.
    """
    return _ForgetMult.apply(z, f, initial)


def run_layer(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    cell: Tensor | None,
    before: Tensor | None,
    n_gates: int,
) -> tuple[Tensor, Tensor]:
    """Run `tweetclf.modules.fo_pooling.run_layer` in one product and one kernel.

    Products of half precision stay so in memory; what is computed of them, and h and
    c, are in float32.

    Parameters
    ----------
    x, weight, bias, cell, before, n_gates : optional
        See there.

    Returns
    -------
    hidden : Tensor of shape (time, batch, hidden_size)
        h of each step, at least in float32.
    last : Tensor of shape (batch, hidden_size)
        c of the last one.
    """
    return _Layer.apply(x, weight, bias, cell, before, n_gates)
