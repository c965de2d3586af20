"""QRNN layers against loops in NumPy and the recursions of both released codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tweetclf.modules import QRNN, QRNNLayer, fo_pooling, forget_mult

T, B, D, H = 7, 3, 5, 4


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(params=[2**16, 2 * B * H], ids=["one block", "blocks of two steps"])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work on all steps together, or on two at a time (and one left over)."""
    monkeypatch.setattr(fo_pooling, "_BLOCK", request.param)


def double(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def pool_by_loop(z: np.ndarray, f: np.ndarray, c: np.ndarray) -> np.ndarray:
    states = []
    for z_t, f_t in zip(z, f, strict=True):
        c = f_t * z_t + (1.0 - f_t) * c
        states.append(c)
    return np.stack(states)


def layer_by_loop(
    layer: QRNNLayer,
    x: Tensor,
    cell: Tensor | None = None,
    before: Tensor | None = None,
) -> np.ndarray:
    """Return h, word by word, from the weights of a layer."""
    weight, bias = (p.detach().numpy() for p in layer.linear.parameters())
    zeros = np.zeros((x.size(1), layer.hidden_size))
    c = zeros if cell is None else cell.detach().numpy()
    last = np.zeros(x.shape[1:]) if before is None else before.numpy()
    outputs = []
    for x_t in x.detach().numpy():
        source = np.hstack([x_t, last]) if layer.window == 2 else x_t
        gates = np.split(source @ weight.T + bias, layer.n_gates, axis=1)
        f = sigmoid(gates[1])
        c = f * np.tanh(gates[0]) + (1.0 - f) * c
        outputs.append(sigmoid(gates[2]) * c if layer.n_gates == 3 else c)
        last = x_t
    return np.stack(outputs)


def recursion_of_salesforce(f: Tensor, x: Tensor, hidden: Tensor | None) -> Tensor:
    """pytorch-qrnn, forget_mult.py: f * x first, then (1 - f) of the state before."""
    result = []
    for step, new in enumerate(f * x):
        if hidden is not None:
            new = new + (1 - f[step]) * hidden
        result.append(new)
        hidden = new
    return torch.stack(result)


def recursion_of_fastai(x: Tensor, f: Tensor, hidden: Tensor | None) -> Tensor:
    """fastai 1.0.52, forget_mult_CPU with batch_first=True: (B, T, H)."""
    result = []
    hidden = None if hidden is None else hidden.unsqueeze(1)
    for x_t, f_t in zip(x.split(1, dim=1), f.split(1, dim=1), strict=True):
        new = x_t * f_t
        if hidden is not None:
            new = new + (1 - f_t) * hidden
        result.append(new)
        hidden = new
    return torch.cat(result, dim=1)


# The recurrence


@pytest.mark.parametrize("given", [False, True])
def test_the_recurrence_equals_the_loop(given: bool) -> None:
    z, f, c = double(T, B, H), torch.rand(T, B, H, dtype=torch.float64), double(B, H)
    found = forget_mult(z, f, c if given else None)
    expected = pool_by_loop(
        z.numpy(), f.numpy(), c.numpy() if given else np.zeros((B, H))
    )
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-14)


@pytest.mark.parametrize("given", [False, True])
def test_the_recurrence_is_that_of_both_codes(given: bool) -> None:
    z, f = torch.randn(T, B, H), torch.rand(T, B, H)
    c = torch.randn(B, H) if given else None
    found = forget_mult(z, f, c)
    torch.testing.assert_close(
        found, recursion_of_salesforce(f, z, c), atol=1e-6, rtol=0
    )
    batch_first = recursion_of_fastai(z.transpose(0, 1), f.transpose(0, 1), c)
    torch.testing.assert_close(found, batch_first.transpose(0, 1), atol=1e-6, rtol=0)


def test_a_gate_of_one_takes_the_new_input_and_of_zero_keeps_the_state() -> None:
    z, c = torch.randn(T, B, H), torch.randn(B, H)
    assert torch.equal(forget_mult(z, torch.ones(T, B, H), c), z)
    assert torch.equal(forget_mult(z, torch.zeros(T, B, H), c), c.expand(T, B, H))


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("given", [False, True])
def test_gradients_of_the_recurrence(given: bool) -> None:
    z, f = double(T, B, H).requires_grad_(), double(T, B, H).sigmoid().requires_grad_()
    c = double(B, H).requires_grad_() if given else None
    assert torch.autograd.gradcheck(forget_mult, (z, f, c))


@pytest.mark.usefixtures("blocks")
def test_gradients_of_the_recurrence_equal_those_of_autograd() -> None:
    z, f, c = torch.randn(T, B, H), torch.rand(T, B, H), torch.randn(B, H)
    weights = torch.randn(T, B, H)
    leaves = [t.requires_grad_() for t in (z, f, c)]
    (forget_mult(*leaves) * weights).sum().backward()
    ours = [t.grad for t in leaves]
    theirs = torch.autograd.grad(
        (recursion_of_salesforce(f, z, c) * weights).sum(), leaves
    )
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_gradients_are_of_first_order() -> None:
    z, f = double(T, B, H).requires_grad_(), torch.rand(T, B, H, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(
        forget_mult(z, f).square().sum(), z, create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize(
    ("z", "f", "initial", "message"),
    [
        ((T, B, H), (T, B, 1), None, "z and f must have one shape"),
        ((0, B, H), (0, B, H), None, "at least one step"),
        ((T, B, H), (T, B, H), (1, B, H), "'initial' must have shape"),
    ],
)
def test_shapes_are_checked(z, f, initial, message) -> None:
    state = None if initial is None else torch.zeros(initial)
    with pytest.raises(ValueError, match=message):
        forget_mult(torch.zeros(z), torch.zeros(f), state)


# The layer


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("window", [1, 2])
@pytest.mark.parametrize("output_gate", [True, False])
@pytest.mark.parametrize("given", [False, True])
def test_a_layer_equals_the_closed_form(window, output_gate, given) -> None:
    layer = QRNNLayer(D, H, window=window, output_gate=output_gate)
    x, state = torch.randn(T, B, D), {}
    if given:
        state = {"cell": torch.randn(B, H), "previous_x": torch.randn(B, D)}
    hidden, after = layer(x, state)
    expected = layer_by_loop(layer, x, state.get("cell"), state.get("previous_x"))
    np.testing.assert_allclose(hidden.detach().numpy(), expected, atol=1e-6)
    with torch.no_grad():
        assert torch.equal(layer(x, state)[0], hidden)
    assert list(after) == (["cell", "previous_x"] if window == 2 else ["cell"])


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("window", [1, 2])
@pytest.mark.parametrize("output_gate", [True, False])
def test_gradients_of_a_layer(window, output_gate) -> None:
    layer = QRNNLayer(D, H, window=window, output_gate=output_gate).double()
    weight, bias = (p.detach().requires_grad_() for p in layer.linear.parameters())

    def run(x, cell, weight, bias):
        parameters = {"linear.weight": weight, "linear.bias": bias}
        hidden, after = torch.func.functional_call(
            layer, parameters, (x, {"cell": cell})
        )
        return hidden, after["cell"]

    x, cell = double(T, B, D).requires_grad_(), double(B, H).requires_grad_()
    assert torch.autograd.gradcheck(run, (x, cell, weight, bias))


def test_the_last_state_alone_has_a_gradient() -> None:
    layer = QRNNLayer(D, H).double()
    x = double(T, B, D).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: layer(x)[1]["cell"], (x,))


def test_one_pass_equals_activations_and_recurrence_one_by_one() -> None:
    layer = QRNNLayer(D, H, window=2)
    x, cell = torch.randn(T, B, D), torch.randn(B, H)
    product = layer.linear(layer._source(x, None))
    z, f, o = product.chunk(3, dim=2)
    expected = o.sigmoid() * forget_mult(z.tanh(), f.sigmoid(), cell)
    weights = torch.randn(T, B, H)
    theirs = torch.autograd.grad(
        (expected * weights).sum(), tuple(layer.linear.parameters())
    )
    hidden, _ = layer(x, {"cell": cell})
    ours = torch.autograd.grad(
        (hidden * weights).sum(), tuple(layer.linear.parameters())
    )
    torch.testing.assert_close(hidden, expected, atol=1e-6, rtol=0)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_pieces_with_their_state_equal_the_whole() -> None:
    layer = QRNNLayer(D, H, window=2)
    x = torch.randn(T, B, D)
    whole, after = layer(x)
    first, state = layer(x[:4])
    second, last = layer(x[4:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole, atol=1e-6, rtol=0)
    torch.testing.assert_close(last["cell"], after["cell"], atol=1e-6, rtol=0)
    assert torch.equal(last["previous_x"], x[-1])


def test_without_save_prev_x_every_piece_starts_from_zeros() -> None:
    layer = QRNNLayer(D, H, window=2, save_prev_x=False)
    x = torch.randn(T, B, D)
    _, state = layer(x[:4])
    assert list(state) == ["cell"]
    second, _ = layer(x[4:], state)
    expected = layer_by_loop(layer, x[4:], state["cell"])
    np.testing.assert_allclose(second.detach().numpy(), expected, atol=1e-6)
    assert not np.allclose(expected, layer_by_loop(layer, x)[4:], atol=1e-3)


def test_no_gradient_flows_through_the_remembered_x() -> None:
    layer = QRNNLayer(D, H, window=2)
    x = torch.randn(T, B, D, requires_grad=True)
    _, state = layer(x)
    assert state["cell"].requires_grad
    assert not state["previous_x"].requires_grad


def zoned_out(rule: str, zoneout: float) -> QRNNLayer:
    """Return a layer of which z is 1 and f one half, whatever x is."""
    layer = QRNNLayer(1, 2000, output_gate=False, zoneout=zoneout, zoneout_rule=rule)
    nn.init.zeros_(layer.linear.weight)
    with torch.no_grad():
        layer.linear.bias[:2000] = 20.0
        layer.linear.bias[2000:] = 0.0
    return layer


@pytest.mark.parametrize(
    ("rule", "trained", "evaluated"),
    [("salesforce", 0.5, 0.5 * 0.75), ("fastai", 0.5 / 0.75, 0.5)],
)
def test_zoneout_in_the_reading_of_both_codes(rule, trained, evaluated) -> None:
    layer = zoned_out(rule, 0.25)
    gates, _ = layer(torch.zeros(1, 3, 1))  # from a state of zeros c_1 is f
    kept = gates == 0.0
    # 6,000 draws of probability 1/4: 3 sigma is 0.017.
    assert abs(kept.float().mean().item() - 0.25) < 0.017
    torch.testing.assert_close(gates[~kept], torch.full_like(gates[~kept], trained))
    gates, _ = layer.eval()(torch.zeros(1, 3, 1))
    torch.testing.assert_close(gates, torch.full_like(gates, evaluated))


def test_zoneout_keeps_the_state_of_a_unit() -> None:
    layer = zoned_out("salesforce", 0.25)
    cell = torch.randn(3, 2000)
    hidden, _ = layer(torch.zeros(1, 3, 1), {"cell": cell})
    kept = hidden[0] == cell
    assert abs(kept.float().mean().item() - 0.25) < 0.017


@pytest.mark.parametrize("output_gate", [True, False])
def test_a_zoneout_of_nearly_nothing_equals_none(output_gate) -> None:
    plain = QRNNLayer(D, H, window=2, output_gate=output_gate)
    zoned = QRNNLayer(D, H, window=2, output_gate=output_gate, zoneout=1e-30)
    zoned.load_state_dict(plain.state_dict())
    x, state = torch.randn(T, B, D), {"cell": torch.randn(B, H)}
    for one, other in zip(plain(x, state), zoned(x, state), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_autocast_keeps_the_recurrence_in_single_precision() -> None:
    layer = QRNNLayer(D, H, window=2)
    x = torch.randn(T, B, D)
    expected, _ = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden, after = layer(x)
    hidden.sum().backward()
    assert hidden.dtype == after["cell"].dtype == torch.float32
    torch.testing.assert_close(hidden, expected, atol=0.03, rtol=0)
    assert layer.linear.weight.grad is not None


def test_a_frozen_layer_and_a_saved_one() -> None:
    layer = QRNNLayer(D, H).requires_grad_(False)
    x = torch.randn(T, B, D)
    hidden, _ = layer(x)
    assert not hidden.requires_grad
    other = QRNNLayer(D, H)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x)[0], hidden)
    assert sorted(layer.state_dict()) == ["linear.bias", "linear.weight"]


@pytest.mark.parametrize("frozen", ["input", "linear.weight", "linear.bias"])
def test_gradients_where_a_part_is_frozen(frozen) -> None:
    layer = QRNNLayer(D, H, window=2)
    x, weights = torch.randn(T, B, D, requires_grad=True), torch.randn(T, B, H)
    leaves = {"input": x, **dict(layer.named_parameters())}
    whole = torch.autograd.grad((layer(x)[0] * weights).sum(), list(leaves.values()))
    leaves[frozen].requires_grad_(False)
    (layer(x)[0] * weights).sum().backward()
    for (name, leaf), expected in zip(leaves.items(), whole, strict=True):
        if name == frozen:
            assert leaf.grad is None
        else:
            assert torch.equal(leaf.grad, expected)


def test_backward_may_run_twice() -> None:
    layer = QRNNLayer(D, H)
    loss = layer(torch.randn(T, B, D))[0].sum()
    loss.backward(retain_graph=True)
    once = layer.linear.weight.grad.clone()
    loss.backward()
    torch.testing.assert_close(layer.linear.weight.grad, 2 * once)


def test_bad_parameters_of_a_layer() -> None:
    with pytest.raises(ValueError, match="'window' parameter must be 1 or 2. Got 3"):
        QRNNLayer(D, H, window=3)
    with pytest.raises(ValueError, match="'zoneout' parameter must be at least 0"):
        QRNNLayer(D, H, zoneout=1.0)
    with pytest.raises(ValueError, match="'zoneout_rule' parameter"):
        QRNNLayer(D, H, zoneout_rule="inverted")
    with pytest.raises(ValueError, match=r"must have shape \(3, 4\), \(batch"):
        QRNNLayer(D, H)(torch.randn(T, B, D), {"cell": torch.zeros(2, H)})


# The stack


@pytest.mark.parametrize(
    ("window", "windows"), [(None, [2, 1, 1]), (2, [2, 2, 2]), ((1, 2, 1), [1, 2, 1])]
)
def test_a_stack_equals_its_layers(window, windows) -> None:
    stack = QRNN(D, H, n_layers=3, window=window, dropout=0.3).eval()
    assert [layer.window for layer in stack.layers] == windows
    x = torch.randn(T, B, D)
    expected = x
    for layer in stack.layers:
        expected = torch.from_numpy(layer_by_loop(layer, expected)).float()
    hidden, state = stack(x)
    torch.testing.assert_close(hidden.detach(), expected, atol=1e-6, rtol=0)
    assert len(state) == 3
    first, state = stack(x[:3])
    second, _ = stack(x[3:], state)
    torch.testing.assert_close(torch.cat([first, second]), hidden, atol=1e-6, rtol=0)


def test_a_stack_drops_between_layers_only() -> None:
    stack = QRNN(D, 500, n_layers=2, dropout=0.5)
    seen = []
    stack.layers[1].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    hidden, _ = stack(torch.randn(T, B, D))
    # 10,500 draws: 3 sigma is 0.015.
    assert abs((seen[0] == 0).float().mean().item() - 0.5) < 0.015
    assert (hidden != 0).all()


def test_windows_must_fit_the_layers() -> None:
    with pytest.raises(ValueError, match="names 2 windows for 3 layers"):
        QRNN(D, H, n_layers=3, window=(2, 1))
