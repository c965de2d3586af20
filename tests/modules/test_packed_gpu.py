"""Packed sequences on a GPU: each gets the states that it gets on a CPU in float64."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tweetclf.modules import _variable_length as kernels  # noqa: E402
from tweetclf.modules.packed import PackedEncoder  # noqa: E402
from tweetclf.training.devices import autocast, to_device  # noqa: E402

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]

LENGTHS = np.array([9, 2, 30, 9, 1, 9, 17])


def relative(one: torch.Tensor, other: torch.Tensor) -> float:
    one, other = (x.detach().double().cpu() for x in (one, other))
    return float((one - other).norm() / other.norm())


def bert() -> transformers.BertModel:
    torch.manual_seed(0)
    return transformers.BertModel(
        transformers.BertConfig(
            vocab_size=50,
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    ).eval()


def by_loops(
    inputs: list[torch.Tensor], causal: bool, window: int | None
) -> torch.Tensor:
    """Attend one sequence at a time, written out, in float64 on the CPU."""
    made = []
    parts = zip(*(x.split(LENGTHS.tolist()) for x in inputs), strict=True)
    for q, k, v in parts:
        repeats = q.shape[1] // k.shape[1]
        k, v = (x.repeat_interleave(repeats, dim=1) for x in (k, v))
        scores = torch.einsum("qhd,khd->hqk", q, k) / q.shape[2] ** 0.5
        places = torch.arange(len(q))
        distance = places[:, None] - places[None, :]
        seen = torch.ones_like(distance, dtype=torch.bool)
        if causal:
            seen &= distance >= 0
        if window is not None:
            seen &= distance.abs() < window
        weights = scores.masked_fill(~seen, -torch.inf).softmax(-1)
        made.append(torch.einsum("hqk,khd->qhd", weights, v))
    return torch.cat(made)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    ("dtype", "heads", "window", "tolerance"),
    [
        (torch.bfloat16, 4, None, 2e-2),
        (torch.bfloat16, 2, None, 2e-2),
        (torch.bfloat16, 4, 5, 2e-2),
        (torch.float32, 4, None, 1e-4),
    ],
)
def test_a_kernel_gives_what_loops_give(dtype, heads, window, tolerance, causal):
    generator = torch.Generator().manual_seed(1)
    total = int(LENGTHS.sum())
    inputs = [
        torch.randn(total, h, 16, generator=generator, dtype=torch.float64)
        .to(dtype)
        .double()
        .requires_grad_()
        for h in (4, heads, heads)
    ]
    expected = by_loops(inputs, causal, window)
    slope = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    wanted = torch.autograd.grad(expected, inputs, slope)
    moved = [x.detach().to("cuda", dtype).requires_grad_() for x in inputs]
    bounds = np.concatenate([[0], np.cumsum(LENGTHS)]).astype(np.int32)
    states = kernels.variable_length_attention(
        *moved,
        kernels.sent(bounds, torch.device("cuda")),
        int(LENGTHS.max()),
        is_causal=causal,
        window=window,
    )
    assert states is not None
    given = torch.autograd.grad(states, moved, slope.to("cuda", dtype))
    assert relative(states, expected) < tolerance
    for one, other in zip(given, wanted, strict=True):
        assert relative(one, other) < tolerance


def test_there_is_no_kernel_for_float64():
    x = torch.randn(5, 2, 16, dtype=torch.float64, device="cuda")
    offsets = torch.tensor([0, 2, 5], dtype=torch.int32, device="cuda")
    assert kernels.variable_length_attention(x, x, x, offsets, 3) is None


@pytest.mark.parametrize(
    ("dtype", "precision", "tolerance"),
    [
        (torch.float64, "float32", 1e-12),
        (torch.float32, "float32", 1e-4),
        (torch.float32, "bfloat16", 3e-2),
    ],
)
def test_an_encoder_answers_as_on_the_cpu(dtype, precision, tolerance):
    model = bert().double()
    ids = torch.randint(5, 50, (int(LENGTHS.sum()),))
    lengths = torch.from_numpy(LENGTHS)
    reference = PackedEncoder(copy.deepcopy(model))
    expected = reference(ids, lengths)
    slope = torch.randn(expected.shape, dtype=torch.float64)
    (expected * slope).sum().backward()
    encoder = PackedEncoder(model.to(dtype)).to("cuda")
    with autocast(precision, torch.device("cuda")):
        states = encoder(ids.to("cuda"), lengths)
    (states.double() * slope.to("cuda")).sum().backward()
    assert encoder.is_packed
    assert relative(states, expected) < tolerance
    names = dict(reference.named_parameters())
    for name, parameter in encoder.named_parameters():
        if name.endswith("query.weight"):
            assert relative(parameter.grad, names[name].grad) < 10 * tolerance


@pytest.mark.filterwarnings("ignore:PyTorch's attention over sequences")
def test_dropout_of_a_kernel_is_drawn_from_the_seed():
    generator = torch.Generator("cuda").manual_seed(0)
    q = torch.randn(40, 2, 16, device="cuda", generator=generator)
    offsets = torch.tensor([0, 15, 40], dtype=torch.int32, device="cuda")
    for dtype in (torch.bfloat16, torch.float32):
        made = []
        for seed in (1, 1, 2):
            torch.cuda.manual_seed(seed)
            x = q.to(dtype)
            state = kernels.variable_length_attention(x, x, x, offsets, 25, dropout=0.5)
            made.append(state)
        if dtype == torch.float32 and made[0] is None:
            continue  # PyTorch 2.11's drops other weights in backward
        assert made[0] is not None
        assert torch.equal(made[0], made[1])
        assert not torch.equal(made[0], made[2])


@pytest.mark.filterwarnings("ignore:PyTorch's attention over sequences")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_biases_of_keys_get_no_gradient_with_dropout(precision):
    config = bert().config
    config.attention_probs_dropout_prob = 0.3
    encoder = PackedEncoder(transformers.BertModel(config)).to("cuda").train()
    ids = torch.randint(5, 50, (int(LENGTHS.sum()),), device="cuda")
    with autocast(precision, torch.device("cuda")):
        states = encoder(ids, torch.from_numpy(LENGTHS))
    if precision == "bfloat16":
        assert kernels._works(
            kernels._flash, torch.bfloat16, torch.device("cuda", 0), True
        )
    states.float().cos().sum().backward()
    for layer in encoder.model.encoder.layer:
        attention = layer.attention.self
        zero, other = attention.key.bias.grad, attention.query.bias.grad
        assert zero.norm() < 0.05 * other.norm()


def test_batches_arrive_whole():
    batch = {"x": torch.arange(1000), "sizes": LENGTHS, "more": [torch.ones(3)]}
    moved = to_device(batch, torch.device("cuda"))
    assert moved["x"].is_cuda
    assert moved["more"][0].is_cuda
    assert torch.equal(moved["x"].cpu(), batch["x"])
    assert moved["sizes"] is LENGTHS
