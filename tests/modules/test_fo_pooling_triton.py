"""The kernels of QRNN layers against the loop on a CPU, in float64.

Without a GPU they run in Triton's interpreter, which is slow and needs NumPy before
2.4::

    TRITON_INTERPRET=1 pytest tests/modules/test_fo_pooling_triton.py

On a GPU, ``pytest -m gpu tests/modules/test_fo_pooling_triton.py`` compiles them.
"""

from __future__ import annotations

import copy
import importlib
import os
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from tweetclf.exceptions import TweetclfWarning
from tweetclf.modules import (
    AWDDropout,
    AWDEncoder,
    AWDLanguageModel,
    QRNNLayer,
    fo_pooling,
    forget_mult,
)

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
HAS_TRITON = find_spec("triton") is not None

_skip_interpreted = pytest.mark.skipif(
    not (HAS_TRITON and INTERPRETED and np.lib.NumpyVersion(np.__version__) < "2.4.0"),
    reason="needs Triton, TRITON_INTERPRET=1 and NumPy before 2.4",
)
_skip_gpu = pytest.mark.skipif(
    not (HAS_TRITON and torch.cuda.is_available()) or INTERPRETED,
    reason="needs Triton and a CUDA device",
)
# What Triton itself warns of is not ours to mend.
_let_triton_warn = pytest.mark.filterwarnings("default::DeprecationWarning")


def interpreted(test):
    """Mark a test of kernels in the interpreter."""
    return _skip_interpreted(_let_triton_warn(test))


def on_gpu(test):
    """Mark a test of kernels on a GPU."""
    return pytest.mark.gpu(_skip_gpu(_let_triton_warn(test)))


# One column and step; odd sizes; columns of several programs, stretches with a rest.
SIZES = [(1, 1, 1), (7, 3, 5), (8, 2, 64), (21, 5, 67)]
# So many that fewer steps are read at a time.
MANY, MORE = (13, 64, 700), (11, 64, 2304)
# Of the whole tensor, as a share of its norm. bfloat16 has 8 bits: inputs, weights
# and gradients of products are each rounded to 0.4 %.
# A single number in bfloat16 may be far off where terms cancel.
BOUNDS = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def error(found: Tensor, expected: Tensor) -> float:
    """Return the distance over the norm of what is expected; infinite for NaN."""
    found, expected = found.detach().cpu().double(), expected.detach().double()
    assert found.shape == expected.shape
    distance = (found - expected).norm() / expected.norm().clamp(min=1e-30)
    return distance.nan_to_num(nan=torch.inf).item()


def check(found: list[Tensor], expected: list[Tensor], dtype: torch.dtype) -> None:
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert error(one, other) < BOUNDS[dtype], f"tensor {number}"


def double(tensor: Tensor | None) -> Tensor | None:
    if tensor is None:
        return None
    return tensor.detach().cpu().double().requires_grad_(tensor.requires_grad)


def run(function, inputs, gradients) -> list[Tensor]:
    """Return what a function gives and the gradients of its inputs."""
    outputs = function(*inputs)
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    leaves = [t for t in inputs if isinstance(t, Tensor) and t.requires_grad]
    pairs = zip(outputs, gradients, strict=True)
    used = [(output, g.to(output)) for output, g in pairs if g is not None]
    of_outputs = [gradient for _, gradient in used]
    found = torch.autograd.grad([output for output, _ in used], leaves, of_outputs)
    return [*outputs, *found]


def backwards_in_memory(*shape: int) -> Tensor:
    """Return a tensor that is not contiguous."""
    return torch.randn(*reversed(shape)).permute(*reversed(range(len(shape))))


def check_recurrence(function, size, dtype, device, given) -> None:
    steps, texts, width = size
    z = torch.randn(size, dtype=dtype, device=device, requires_grad=True)
    f = torch.rand(size, dtype=dtype, device=device, requires_grad=True)
    c = torch.randn(texts, width, dtype=dtype, device=device, requires_grad=True)
    inputs = z, f, c if given else None
    gradient = backwards_in_memory(*size).double().to(dtype)
    found = run(function, inputs, [gradient])
    assert {tensor.dtype for tensor in found} == {dtype}
    expected = run(fo_pooling._ForgetMult.apply, [*map(double, inputs)], [gradient])
    check(found, expected, dtype)


def check_layer(function, size, dtype, device, window, n_gates, given) -> None:
    steps, texts, width = size
    exact = torch.promote_types(dtype, torch.float32)

    def make(*shape, dtype=dtype):
        return torch.randn(*shape, dtype=dtype, device=device, requires_grad=True)

    inputs = (
        make(steps, texts, 6),
        make(n_gates * width, 6 * window),
        make(n_gates * width),
        make(texts, width, dtype=exact) if given else None,
        make(texts, 6).detach() if given and window == 2 else None,
    )
    of_hidden, of_last = backwards_in_memory(*size), torch.randn(texts, width)
    for gradients in ([of_hidden, of_last], [of_hidden, None], [None, of_last]):
        if size == MORE and None in gradients:  # seconds each
            continue
        found = run(lambda *t: function(*t, n_gates), inputs, gradients)
        assert found[0].dtype == found[1].dtype == exact
        expected = run(
            lambda *t: fo_pooling._Layer.apply(*t, n_gates),
            [*map(double, inputs)],
            gradients,
        )
        check(found, expected, dtype)


@pytest.fixture
def kernels():
    return importlib.import_module("tweetclf.modules.fo_pooling_triton")


# In the interpreter


@interpreted
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("given", [False, True])
def test_interpreted_recurrence(kernels, size, dtype, given) -> None:
    check_recurrence(kernels.forget_mult, size, dtype, "cpu", given)


@interpreted
@pytest.mark.parametrize("size", SIZES[1:])
@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("window", [1, 2])
@pytest.mark.parametrize("n_gates", [2, 3])
@pytest.mark.parametrize("given", [False, True])
def test_interpreted_layer(kernels, size, dtype, window, n_gates, given) -> None:
    check_layer(kernels.run_layer, size, dtype, "cpu", window, n_gates, given)


@interpreted
def test_interpreted_gates_of_one_and_zero_are_exact(kernels) -> None:
    z, c = torch.randn(9, 3, 5), torch.randn(3, 5)
    assert torch.equal(kernels.forget_mult(z, torch.ones_like(z), c), z)
    kept = kernels.forget_mult(z, torch.zeros_like(z), c)
    assert torch.equal(kept, c.expand_as(z))


# Which path is taken


def fake_kernels(fits: bool, works: bool) -> SimpleNamespace:
    return SimpleNamespace(
        fits=lambda n_columns, *tensors: fits, works=lambda device: works
    )


@pytest.mark.parametrize(
    ("fits", "works"), [(True, True), (True, False), (False, True)]
)
def test_the_loop_remains_where_kernels_cannot_be_used(
    fits, works, monkeypatch
) -> None:
    fake = fake_kernels(fits, works)
    monkeypatch.setattr(fo_pooling, "_load_kernels", lambda: fake)
    there = SimpleNamespace(is_cuda=True, device="cuda:0")
    chosen = fo_pooling._choose_kernels(3, there)
    assert chosen is (fake if fits and works else None)
    assert fo_pooling._choose_kernels(3, torch.zeros(1)) is None


# On a GPU


# Every combination is compiled, a second each: all of them for two sizes alone.
@on_gpu
@pytest.mark.parametrize("size", [SIZES[-1], MORE])
@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("given", [False, True])
def test_recurrence_on_a_gpu(size, dtype, given) -> None:
    check_recurrence(forget_mult, size, dtype, "cuda", given)


@on_gpu
@pytest.mark.parametrize("size", [SIZES[-1], MORE])
@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("n_gates", [2, 3])
def test_layer_on_a_gpu(size, dtype, n_gates) -> None:
    for window in (1, 2):
        run_layer = fo_pooling.run_layer
        check_layer(run_layer, size, dtype, "cuda", window, n_gates, given=True)


@on_gpu
@pytest.mark.parametrize("size", [*SIZES[:-1], MANY])
def test_sizes_on_a_gpu(size) -> None:
    check_recurrence(forget_mult, size, torch.float32, "cuda", given=True)
    for window in (1, 2):
        run_layer = fo_pooling.run_layer
        check_layer(run_layer, size, torch.float32, "cuda", window, 3, given=False)


@on_gpu
def test_kernels_are_what_runs_on_a_gpu(kernels, monkeypatch) -> None:
    layer = QRNNLayer(5, 4).cuda()
    x = torch.randn(7, 3, 5, device="cuda")
    hidden = layer(x)[0]
    assert kernels.works(x.device)
    monkeypatch.setattr(fo_pooling._Layer, "apply", None)
    monkeypatch.setattr(fo_pooling._ForgetMult, "apply", None)
    assert torch.equal(layer(x)[0], hidden)
    forget_mult(x, x.sigmoid())


@on_gpu
def test_gates_of_one_and_zero_are_exact_on_a_gpu() -> None:
    z = torch.randn(9, 3, 5, device="cuda")
    c = torch.randn(3, 5, device="cuda")
    assert torch.equal(forget_mult(z, torch.ones_like(z), c), z)
    assert torch.equal(forget_mult(z, torch.zeros_like(z), c), c.expand_as(z))


@on_gpu
def test_results_on_a_gpu_repeat_to_the_bit() -> None:
    layer = QRNNLayer(64, 96, window=2).cuda()
    x = torch.randn(33, 8, 64, device="cuda", requires_grad=True)
    leaves = [x, *layer.parameters()]

    def compute() -> list[Tensor]:
        hidden, _ = layer(x)
        return [hidden, *torch.autograd.grad(hidden.square().sum(), leaves)]

    for one, other in zip(compute(), compute(), strict=True):
        assert torch.equal(one, other)


@on_gpu
@pytest.mark.parametrize("rule", ["salesforce", "fastai"])
@pytest.mark.parametrize("training", [False, True])
def test_zoneout_on_a_gpu(rule, training, monkeypatch) -> None:
    layer = QRNNLayer(5, 67, window=2, zoneout=0.3, zoneout_rule=rule)
    layer.train(training)
    # One mask for both: the generators of two devices draw different numbers.
    mask = (torch.rand(9, 3, 67) > 0.3).double()
    monkeypatch.setattr(Tensor, "bernoulli_", lambda self, p: self.copy_(mask))
    x, state = torch.randn(9, 3, 5), {"cell": torch.randn(3, 67)}
    gradient = torch.randn(9, 3, 67)

    def compute(layer, x, state) -> list[Tensor]:
        x.requires_grad_()
        hidden, after = layer(x, state)
        leaves = [x, *layer.parameters()]
        gradients = torch.autograd.grad(hidden, leaves, gradient.to(hidden))
        return [hidden, after["cell"], *gradients]

    there = {"cell": state["cell"].cuda()}
    found = compute(copy.deepcopy(layer).cuda(), x.cuda(), there)
    expected = compute(layer.double(), x.double(), {"cell": state["cell"].double()})
    check(found, expected, torch.float32)


@on_gpu
@pytest.mark.parametrize("window", [1, 2])
@pytest.mark.parametrize("output_gate", [False, True])
def test_autocast_on_a_gpu(window, output_gate) -> None:
    layer = QRNNLayer(40, 67, window=window, output_gate=output_gate)
    x, gradient = torch.randn(21, 5, 40), torch.randn(21, 5, 67)
    there = copy.deepcopy(layer).cuda()
    x_there = x.cuda().requires_grad_()
    with torch.autocast("cuda", dtype=torch.bfloat16):
        hidden, after = there(x_there)
    assert hidden.dtype == after["cell"].dtype == torch.float32
    leaves = [x_there, *there.parameters()]
    found = [hidden, *torch.autograd.grad(hidden, leaves, gradient.cuda())]
    assert {tensor.dtype for tensor in found} == {torch.float32}
    layer, x = layer.double(), x.double().requires_grad_()
    hidden, _ = layer(x)
    leaves = [x, *layer.parameters()]
    expected = [hidden, *torch.autograd.grad(hidden, leaves, gradient.double())]
    check(found, expected, torch.bfloat16)


@on_gpu
def test_pieces_with_their_state_equal_the_whole_on_a_gpu() -> None:
    layer = QRNNLayer(5, 67, window=2).cuda()
    x = torch.randn(21, 3, 5, device="cuda")
    whole, after = layer(x)
    first, state = layer(x[:4])
    second, last = layer(x[4:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole, atol=1e-6, rtol=0)
    torch.testing.assert_close(last["cell"], after["cell"], atol=1e-6, rtol=0)


@on_gpu
def test_frozen_parts_on_a_gpu() -> None:
    layer = QRNNLayer(5, 67, window=2).cuda()
    layer.linear.weight.requires_grad_(False)
    x = torch.randn(7, 3, 5, device="cuda")
    hidden, _ = layer(x)
    hidden.sum().backward()
    assert layer.linear.weight.grad is None
    assert layer.linear.bias.grad.isfinite().all()
    with torch.no_grad():
        assert torch.equal(layer(x)[0], hidden)


@on_gpu
def test_a_language_model_step_on_a_gpu() -> None:
    encoder = AWDEncoder(
        300,
        embedding_size=40,
        hidden_size=67,
        dropout=AWDDropout(
            embedding=0.0, input=0.0, hidden=0.0, weight=0.0, output=0.0
        ),
    )
    model = AWDLanguageModel(encoder, output_dropout=0.0)
    there = copy.deepcopy(model).cuda()
    model = model.double()
    state_here, state_there = None, None
    for _ in range(2):  # the second piece is given the state of the first
        ids = torch.randint(2, 300, (5, 22))
        here = model(ids[:, :-1], state_here, ids[:, 1:])
        moved = ids.cuda()
        away = there(moved[:, :-1], state_there, moved[:, 1:])
        assert error(away.loss, here.loss) < 1e-5
        parameters = list(there.parameters())
        found = torch.autograd.grad(away.loss, parameters)
        expected = torch.autograd.grad(here.loss, list(model.parameters()))
        for one, other in zip(found, expected, strict=True):
            assert error(one, other) < 1e-4
        state_here = [{k: t.detach() for k, t in s.items()} for s in here.state]
        state_there = [{k: t.detach() for k, t in s.items()} for s in away.state]


@on_gpu
def test_a_device_that_cannot_run_kernels_gets_the_loop(kernels, monkeypatch) -> None:
    def fail(*arguments, **constants):
        raise RuntimeError("Failed to find C compiler")

    layer = QRNNLayer(5, 67).cuda()
    x = torch.randn(7, 3, 5, device="cuda")
    expected, _ = layer(x)
    monkeypatch.setattr(kernels, "_launch", fail)
    kernels.works.cache_clear()
    try:
        with pytest.warns(TweetclfWarning, match="Failed to find C compiler"):
            hidden, _ = layer(x)
        torch.testing.assert_close(hidden, expected, atol=1e-5, rtol=0)
    finally:
        kernels.works.cache_clear()


def test_what_keeps_triton_from_being_used_is_said_once(monkeypatch):
    fo_pooling._load_kernels.cache_clear()
    monkeypatch.setattr(fo_pooling, "find_spec", lambda name: None)
    try:
        with pytest.warns(TweetclfWarning, match="Triton cannot be used: it is not"):
            assert fo_pooling._load_kernels() is None
        assert fo_pooling._load_kernels() is None
    finally:
        fo_pooling._load_kernels.cache_clear()
