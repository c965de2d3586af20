"""QRNN on a GPU: whole layers beside cuDNN's LSTM, the recurrence beside the loop.

``python benchmarks/gpu/bench_qrnn.py`` prints a line of JSON a row. Times are medians
of interleaved rounds between CUDA events, in milliseconds, forward and backward. An
LSTM is another model: only shapes agree. The matrix product alone is what our layer
cannot be faster than; a copy on the device is what a kernel cannot outrun.
"""

from __future__ import annotations

import contextlib
import json
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from tweetclf.modules import QRNNLayer, fo_pooling, forget_mult

ROUNDS = 20
# Steps, texts, width of the input and of the layer.
LAYERS = [(70, 64, 2304, 2304), (70, 64, 512, 512), (400, 64, 400, 2304)]
RECURRENCES = [(70, 64, 2304), (70, 64, 512)]
PRECISIONS = ["float32", "tf32", "bfloat16"]


def time_all(candidates: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the median milliseconds of each, taken in turns."""
    for run in candidates.values():
        for _ in range(3):
            run()
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(ROUNDS):
        for name, run in candidates.items():
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            run()
            end.record()
            end.synchronize()
            times[name].append(start.elapsed_time(end))
    return {name: statistics.median(values) for name, values in times.items()}


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Compute in a precision, of products and of cuDNN alike."""
    tf32 = "tf32" if name == "tf32" else "ieee"
    torch.backends.cuda.matmul.fp32_precision = tf32
    torch.backends.cudnn.rnn.fp32_precision = tf32
    with torch.autocast("cuda", dtype=torch.bfloat16, enabled=name == "bfloat16"):
        yield


def error(found: Tensor, expected: Tensor) -> float:
    """Return the distance over the norm of what is expected."""
    distance = (found.double() - expected.double()).norm()
    return (distance / expected.double().norm()).item()


def pass_through(
    model: nn.Module, x: Tensor, gradient: Tensor, name: str
) -> list[Tensor]:
    """Return output and gradients of a layer."""
    with precision(name):
        output = model(x)[0]
    leaves = [x, *model.parameters()]
    return [output, *torch.autograd.grad(output, leaves, gradient.to(output.dtype))]


def measure_layer(sizes: tuple[int, int, int, int], name: str) -> dict[str, Any]:
    """Compare a layer with an LSTM and with its matrix products."""
    steps, texts, width, hidden = sizes
    torch.manual_seed(0)
    layer, lstm = QRNNLayer(width, hidden).cuda(), nn.LSTM(width, hidden).cuda()
    x = torch.randn(steps, texts, width, device="cuda", requires_grad=True)
    gradient = torch.randn(steps, texts, hidden, device="cuda")
    dtype = torch.bfloat16 if name == "bfloat16" else torch.float32
    rows, matrix = x.detach().flatten(0, 1).to(dtype), layer.linear.weight.to(dtype)
    matrix = matrix.detach()
    of_gates = torch.randn(len(rows), len(matrix), device="cuda", dtype=dtype)

    def multiply() -> None:
        with precision(name):
            rows @ matrix.t(), of_gates @ matrix, of_gates.t() @ rows

    def loop(model: nn.Module) -> list[Tensor]:
        chosen = fo_pooling._choose_kernels
        fo_pooling._choose_kernels = lambda *arguments: None
        try:
            return pass_through(model, x, gradient, name)
        finally:
            fo_pooling._choose_kernels = chosen

    errors = [
        error(one, other)
        for one, other in zip(
            pass_through(layer, x, gradient, name), loop(layer), strict=True
        )
    ]
    times = time_all(
        {
            "ours": lambda: pass_through(layer, x, gradient, name),
            "lstm": lambda: pass_through(lstm, x, gradient, name),
            "loop": lambda: loop(layer),
            "product": multiply,
        }
    )
    return {
        "what": "layer",
        "sizes": sizes,
        "precision": name,
        "ms": times,
        "lstm_over_ours": times["lstm"] / times["ours"],
        "loop_over_ours": times["loop"] / times["ours"],
        "share_of_product": times["product"] / times["ours"],
        "tflops": 18 * len(rows) * width * hidden / times["ours"] / 1e9,
        "largest_error": max(errors),
    }


def measure_recurrence(sizes: tuple[int, int, int]) -> dict[str, Any]:
    """Compare the kernels of the recurrence with the loop and with a copy."""
    torch.manual_seed(0)
    z, f, gradient = (torch.randn(sizes, device="cuda") for _ in range(3))
    f.sigmoid_()
    z.requires_grad_()
    f.requires_grad_()
    source = torch.randn(2**28, device="cuda")  # 1 GiB: more than any cache
    target = torch.empty_like(source)

    def run(function: Callable[..., Tensor]) -> list[Tensor]:
        states = function(z, f, None)
        return [states, *torch.autograd.grad(states, (z, f), gradient)]

    loop = fo_pooling._ForgetMult.apply
    errors = [error(a, b) for a, b in zip(run(forget_mult), run(loop), strict=True)]
    states = forget_mult(z, f)
    times = time_all(
        {
            "ours": lambda: run(forget_mult),
            "forward": lambda: forget_mult(z, f),
            "backward": lambda: torch.autograd.grad(
                states, (z, f), gradient, retain_graph=True
            ),
            "loop": lambda: run(loop),
            "copy": lambda: target.copy_(source),
        }
    )
    # Two reads and a write forward, four and two backward.
    moved = z.numel() * z.element_size()
    copied = 2 * source.numel() * source.element_size()
    speed = {
        "forward": 3 * moved / times["forward"] / 1e6,
        "backward": 6 * moved / times["backward"] / 1e6,
        "copy": copied / times["copy"] / 1e6,
    }
    return {
        "what": "recurrence",
        "sizes": sizes,
        "ms": times,
        "loop_over_ours": times["loop"] / times["ours"],
        "gigabytes_per_second": speed,
        "share_of_copy": {
            name: speed[name] / speed["copy"] for name in ("forward", "backward")
        },
        "largest_error": max(errors),
    }


def measure() -> list[dict[str, Any]]:
    """Return all rows."""
    rows = [measure_recurrence(sizes) for sizes in RECURRENCES]
    rows += [measure_layer(sizes, name) for sizes in LAYERS for name in PRECISIONS]
    for row in rows:
        row["device"] = torch.cuda.get_device_name()
    return rows


if __name__ == "__main__":
    for row in measure():
        print(json.dumps(row), flush=True)
