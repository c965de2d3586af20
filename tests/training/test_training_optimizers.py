"""Optimisers against formulas written out, torch, optax and pytorch_optimizer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from tweetclf.training.devices import seeded
from tweetclf.training.optimizers import (
    KerasAdam,
    Lamb,
    adamw,
    discriminative_rates,
    layerwise_rates,
    parameter_groups,
)

# Rates of the five groups of haha_2019's classifier: slice(1e-3 / 2.6**4, 5e-3).
HAHA_RATES = [
    2.1882987290360978e-05,
    8.507901577271395e-05,
    0.0003307792866123949,
    0.0012860390480315808,
    0.005,
]


def gradients(scale: float, n_steps: int = 20) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(3, 2)) * scale for _ in range(n_steps)]


START = np.random.default_rng(1).normal(size=(3, 2))


def run(make, steps: list[np.ndarray]) -> np.ndarray:
    weight = nn.Parameter(torch.tensor(START))
    optimizer = make([weight])
    for gradient in steps:
        weight.grad = torch.tensor(gradient)
        optimizer.step()
    return weight.detach().numpy()


@pytest.mark.parametrize("scale", [1.0, 1e-5])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_keras_adam_is_kerass_formula(scale, decay):
    lr, beta1, beta2, eps = 1e-2, 0.9, 0.98, 1e-6
    p, m, v = START.copy(), 0.0, 0.0
    for t, g in enumerate(gradients(scale), 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        p = p - lr * decay * p
        p = p - lr * math.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (np.sqrt(v) + eps)
    ours = run(lambda ps: KerasAdam(ps, lr=lr, weight_decay=decay), gradients(scale))
    np.testing.assert_allclose(ours, p, rtol=0, atol=1e-14)


@pytest.mark.parametrize("scale", [1.0, 1e-5])
def test_keras_adam_is_torchs_with_another_epsilon_every_step(scale):
    weight = nn.Parameter(torch.tensor(START))
    optimizer = torch.optim.Adam([weight], lr=1e-2, betas=(0.9, 0.98))
    for t, gradient in enumerate(gradients(scale), 1):
        optimizer.param_groups[0]["eps"] = 1e-6 / math.sqrt(1 - 0.98**t)
        weight.grad = torch.tensor(gradient)
        optimizer.step()
    ours = run(lambda ps: KerasAdam(ps, lr=1e-2), gradients(scale))
    np.testing.assert_allclose(ours, weight.detach().numpy(), rtol=0, atol=1e-14)
    plain = run(
        lambda ps: torch.optim.Adam(ps, lr=1e-2, betas=(0.9, 0.98), eps=1e-6),
        gradients(scale),
    )
    assert np.abs(ours - plain).max() > (1e-7 if scale == 1.0 else 1e-3)


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_lamb_is_the_textbook(decay):
    lr, beta1, beta2, eps = 1e-2, 0.9, 0.999, 1e-6
    p, m, v = START.copy(), 0.0, 0.0
    for t, g in enumerate(gradients(1.0), 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        u = (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps) + decay * p
        p = p - lr * np.linalg.norm(p) / np.linalg.norm(u) * u
    ours = run(lambda ps: Lamb(ps, lr=lr, weight_decay=decay), gradients(1.0))
    np.testing.assert_allclose(ours, p, rtol=0, atol=1e-14)


# optax 0.2.8 (jax 0.10.2 in float64, NumPy 2.4.6), decay and step -> both tensors:
#     made = optax.lamb(1e-2, weight_decay=decay)
#     p = (START, np.zeros(2))
#     state = made.init(p)
#     for t, g in enumerate(gradients(1.0), 1):
#         updates, state = made.update((g, g[0]), state, p)
#         p = optax.apply_updates(p, updates)
#         if t in (1, 2, 20): print([np.asarray(leaf).ravel().tolist() for leaf in p])
# with its defaults b1=0.9, b2=0.999, eps=1e-6, eps_root=0.
OPTAX_LAMB = {
    (0.0, 1): (
        [
            [0.33781588909307536, 0.8293864494542686],
            [0.32266872355622966, -1.3109255223073928],
            [0.9131242169281794, 0.4386062290903574],
        ],
        [-0.009999920465259838, 0.009999924303132724],
    ),
    (0.0, 2): (
        [
            [0.32909321680710013, 0.822402883399307],
            [0.32374820135266885, -1.3034892244240393],
            [0.9239718324062295, 0.43047655578790167],
        ],
        [-0.010110317613338032, 0.009911537883167934],
    ),
    (0.0, 20): (
        [
            [0.3205228008257277, 0.6801697181495691],
            [0.2843056799181544, -1.2233939990939677],
            [1.0678620792489728, 0.24853317656296864],
        ],
        [-0.010114776627813947, 0.007664828226116507],
    ),
    (0.01, 1): (
        [
            [0.33776437628361966, 0.8293470028187757],
            [0.32261839099629447, -1.3108485495397901],
            [0.9130782447968468, 0.43854686161288714],
        ],
        [-0.009999920465259838, 0.009999924303132724],
    ),
    (0.01, 2): (
        [
            [0.3290366883122088, 0.8222990749994268],
            [0.323659143937425, -1.3032975355463712],
            [0.9237881627887853, 0.430399153105839],
        ],
        [-0.010110305564215336, 0.009911522835573776],
    ),
    (0.01, 20): (
        [
            [0.3195727527044981, 0.6785278716919524],
            [0.2839143192208246, -1.2197628120788349],
            [1.0637820041427128, 0.2485729993182047],
        ],
        [-0.010114294705477192, 0.0076647968113112445],
    ),
}


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_lamb_is_that_of_optax(decay):
    """P27. Nothing has to be undone: both correct the moments within the ratio.

    Neither bounds the ratio or a norm, and both take 1 for the ratio where a norm is
    0, as in the first step of the tensor of zeros.
    """
    tensors = [nn.Parameter(torch.tensor(a)) for a in (START, np.zeros(2))]
    optimizer = Lamb(tensors, lr=1e-2, weight_decay=decay)
    for t, gradient in enumerate(gradients(1.0), 1):
        for tensor, g in zip(tensors, (gradient, gradient[0]), strict=True):
            tensor.grad = torch.tensor(g)
        optimizer.step()
        if (decay, t) not in OPTAX_LAMB:
            continue
        for tensor, expected in zip(tensors, OPTAX_LAMB[decay, t], strict=True):
            found = tensor.detach().numpy()
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert t == 20


def test_lamb_is_that_of_pytorch_optimizer_once_its_correction_is_undone():
    # Theirs leaves the bias corrections out of the ratio, where they would cancel
    # (without decay and epsilon), and divides the rate by the first one instead.
    other = pytest.importorskip("pytorch_optimizer")
    weight = nn.Parameter(torch.tensor(START))
    optimizer = other.Lamb([weight], lr=1e-2, eps=1e-15)
    for t, gradient in enumerate(gradients(1.0), 1):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - 0.9**t)
        weight.grad = torch.tensor(gradient)
        optimizer.step()
    ours = run(lambda ps: Lamb(ps, lr=1e-2, eps=1e-15), gradients(1.0))
    np.testing.assert_allclose(ours, weight.detach().numpy(), rtol=0, atol=1e-12)


def test_lamb_moves_weights_that_are_zero():
    weight = nn.Parameter(torch.zeros(2, 2))
    optimizer = Lamb([weight], lr=0.1)
    weight.grad = torch.ones(2, 2)
    optimizer.step()
    assert torch.allclose(weight, torch.full((2, 2), -0.1), atol=1e-5)
    weight.grad = torch.zeros(2, 2)
    optimizer.step()
    assert torch.isfinite(weight).all()


def test_adamw_is_decoupled_as_in_fastai():
    lr, beta1, beta2, eps, decay = 1e-2, 0.9, 0.99, 1e-8, 0.1
    p, m, v = START.copy(), 0.0, 0.0
    steps = gradients(1.0, 50)
    for t, g in enumerate(steps, 1):
        p = p * (1 - lr * decay)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        p = p - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
    ours = run(
        lambda ps: adamw(ps, lr=lr, betas=(beta1, beta2), weight_decay=decay), steps
    )
    np.testing.assert_allclose(ours, p, rtol=0, atol=1e-14)


def test_parameters_without_gradient_stay():
    for make in (KerasAdam, Lamb):
        used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
        optimizer = make([used, unused], lr=0.1)
        used.sum().backward()
        assert optimizer.step(lambda: 5.0) == 5.0
        assert (unused == 1).all()
        assert (used < 1).all()


@pytest.mark.parametrize("make", [KerasAdam, Lamb])
@pytest.mark.parametrize(
    ("options", "message"),
    [({"lr": -1.0}, "must not be negative"), ({"betas": (0.9, 1.0)}, "in \\[0, 1\\)")],
)
def test_arguments_are_checked(make, options, message):
    with pytest.raises(ValueError, match=message):
        make([nn.Parameter(torch.ones(1))], **options)


def test_the_rates_of_haha():
    rates = discriminative_rates(5e-3, 5, lowest=1e-3 / 2.6**4)
    np.testing.assert_allclose(rates, HAHA_RATES, rtol=0, atol=1e-12)


def test_rates_by_layer():
    rates = discriminative_rates(0.01, 4)
    np.testing.assert_allclose(np.divide(rates[1:], rates[:-1]), 2.6)
    assert rates[-1] == 0.01
    assert discriminative_rates(0.01, 1, lowest=1e-5) == [0.01]
    assert layerwise_rates(1.0, 3, 0.9) == pytest.approx([0.81, 0.9, 1.0])
    with pytest.raises(ValueError, match="'n_groups' parameter"):
        discriminative_rates(0.01, 0)


def model() -> nn.ModuleDict:
    with seeded(0, torch.device("cpu")):
        module = nn.ModuleDict(
            {
                "embedding": nn.Embedding(5, 4),
                "layer": nn.Linear(4, 4),
                "norm": nn.LayerNorm(4),
                "decoder": nn.Linear(4, 5),
            }
        )
    module["decoder"].weight = module["embedding"].weight
    return module


def test_groups_hold_every_parameter_once():
    module = model()
    groups = parameter_groups(module, lr=0.1, weight_decay=0.01)
    decays = {
        name: group["weight_decay"]
        for group in groups
        for parameter in group["params"]
        for name, other in module.named_parameters()
        if parameter is other
    }
    assert decays == {
        "embedding.weight": 0.01,
        "layer.weight": 0.01,
        "layer.bias": 0.0,
        "norm.weight": 0.0,
        "norm.bias": 0.0,
        "decoder.bias": 0.0,
    }
    whole = parameter_groups(module, lr=0.1, weight_decay=0.01, decay_all=True)
    assert [len(group["params"]) for group in whole] == [6]


def test_groups_have_rates_of_their_own():
    module = model()
    module["norm"].requires_grad_(False)
    groups = parameter_groups(
        module,
        lr=[0.1, 0.2, 0.3],
        groups=[
            module["embedding"],
            [module["layer"], module["norm"]],
            module["decoder"],
        ],
    )
    assert [(g["lr"], g["layer_group"], len(g["params"])) for g in groups] == [
        (0.1, 0, 1),
        (0.2, 1, 2),
        (0.3, 2, 1),
    ]
    optimizer = adamw(groups, lr=1.0)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.2, 0.3]


def test_groups_that_do_not_fit():
    module = model()
    with pytest.raises(ValueError, match="2 rates for 1 groups"):
        parameter_groups(module, lr=[0.1, 0.2])
    with pytest.raises(ValueError, match=r"4 parameters are in no group: layer\.w"):
        parameter_groups(
            module, lr=0.1, groups=[module["embedding"], module["decoder"]]
        )
