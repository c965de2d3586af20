"""Kernels of fo-pooling in the language of Triton; `fo_pooling_triton` calls them."""

# Tuples grow in unrolled loops here.
# mypy: disable-error-code="assignment, var-annotated, attr-defined"

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["layer_backward", "layer_forward", "mix_backward", "mix_forward"]


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
def mix_forward(
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
def mix_backward(
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
def layer_forward(
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
def layer_backward(
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
