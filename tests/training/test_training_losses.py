"""Losses against formulas in NumPy, torch and scikit-learn's metrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, jaccard_score, log_loss
from torch.nn import functional

from tweetclf.training.losses import (
    binary_cross_entropy,
    confidence_penalty,
    cross_entropy,
    loss_weight,
    regression_loss,
    soft_jaccard_loss,
    soft_macro_f1_loss,
)

RNG = np.random.default_rng(0)
LOGITS = torch.tensor(RNG.normal(size=(7, 3)))
TARGET = torch.tensor([0, 0, 0, 0, 1, 1, 2])
# TWilBERT's automatic weights of these labels: the largest count over each count.
WEIGHT = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)


def log_p(logits: torch.Tensor = LOGITS) -> np.ndarray:
    x = logits.numpy()
    return x - np.log(np.exp(x).sum(1, keepdims=True))


def test_the_weighted_loss_is_divided_by_the_examples_as_in_keras():
    ours = cross_entropy(LOGITS, TARGET, class_weight=WEIGHT).item()
    each = -log_p()[np.arange(7), TARGET]
    weights = WEIGHT.numpy()[TARGET]
    assert ours == pytest.approx((weights * each).sum() / 7, abs=1e-12)
    sklearn = log_loss(TARGET, np.exp(log_p()), sample_weight=weights)
    assert ours == pytest.approx(sklearn * weights.sum() / 7, abs=1e-7)
    torchs = functional.cross_entropy(LOGITS, TARGET, weight=WEIGHT).item()
    assert abs(ours - torchs) > 0.1


def test_the_weighted_loss_can_be_that_of_torch():
    ours = cross_entropy(LOGITS, TARGET, class_weight=WEIGHT, reduction="weight")
    torchs = functional.cross_entropy(LOGITS, TARGET, weight=WEIGHT)
    assert ours.item() == pytest.approx(torchs.item(), abs=1e-15)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_label_smoothing_is_that_of_torch_and_of_the_formula(smoothing):
    ours = cross_entropy(LOGITS, TARGET, label_smoothing=smoothing).item()
    torchs = functional.cross_entropy(LOGITS, TARGET, label_smoothing=smoothing)
    assert ours == pytest.approx(torchs.item(), abs=1e-15)
    spread = np.full((7, 3), smoothing / 3)
    spread[np.arange(7), TARGET] += 1 - smoothing
    assert ours == pytest.approx(-(spread * log_p()).sum(1).mean(), abs=1e-12)


@pytest.mark.parametrize("reduction", ["sample", "weight"])
def test_micro_batches_add_up(reduction):
    options = {"class_weight": WEIGHT, "reduction": reduction}
    total = weight = 0.0
    for part in (slice(0, 5), slice(5, 7)):
        share = loss_weight(TARGET[part], **options)
        total += cross_entropy(LOGITS[part], TARGET[part], **options) * share
        weight += share
    whole = cross_entropy(LOGITS, TARGET, **options)
    assert (total / weight).item() == pytest.approx(whole.item(), abs=1e-12)


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("reduction", ["sample", "weight"])
def test_ignored_targets_do_not_count(weight, reduction):
    target = TARGET.clone()
    target[2] = -100
    kept = target != -100
    options = {"class_weight": weight, "reduction": reduction, "label_smoothing": 0.1}
    ours = cross_entropy(LOGITS, target, **options)
    assert ours.item() == pytest.approx(
        cross_entropy(LOGITS[kept], target[kept], **options).item(), abs=1e-12
    )
    logits = LOGITS.clone().requires_grad_()
    nothing = cross_entropy(logits, torch.full((7,), -100), **options)
    nothing.backward()
    assert nothing.item() == 0
    assert (logits.grad == 0).all()


def test_binary_cross_entropy_is_the_formula():
    target = torch.tensor(RNG.integers(0, 2, size=(7, 3)))
    weight = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    p = 1 / (1 + np.exp(-LOGITS.numpy()))
    for smoothing in (0.0, 0.2):
        y = target.numpy() * (1 - smoothing) + smoothing / 2
        each = -(weight.numpy() * y * np.log(p) + (1 - y) * np.log(1 - p))
        ours = binary_cross_entropy(
            LOGITS, target, class_weight=weight, label_smoothing=smoothing
        )
        assert ours.item() == pytest.approx(each.mean(), abs=1e-12)


def test_regression_losses_are_the_formulas():
    predicted, target = torch.tensor(RNG.normal(size=(2, 9)) * 2)
    error = np.abs((predicted - target).numpy())
    delta = 1.5
    huber = np.where(error < delta, error**2 / 2, delta * (error - delta / 2))
    for kind, expected in (("mse", error**2), ("mae", error), ("huber", huber)):
        ours = regression_loss(predicted, target, kind=kind, delta=delta)
        assert ours.item() == pytest.approx(expected.mean(), abs=1e-12)
    with pytest.raises(ValueError, match=r"shape \(9, 1\), targets \(9,\)"):
        regression_loss(predicted[:, None], target)
    with pytest.raises(ValueError, match="'kind' parameter"):
        regression_loss(predicted, target, kind="rmse")


@pytest.mark.parametrize("seed", range(5))
def test_soft_f1_of_hard_predictions_is_macro_f1(seed):
    rng = np.random.default_rng(seed)
    # Class 4 is neither predicted nor true.
    true, predicted = rng.integers(0, 4, size=(2, 20))
    one_hot = np.eye(5)
    loss = soft_macro_f1_loss(
        torch.tensor(one_hot[predicted]), torch.tensor(one_hot[true])
    )
    expected = f1_score(
        true, predicted, labels=range(5), average="macro", zero_division=0
    )
    assert 1 - loss.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_soft_jaccard_of_hard_predictions_is_the_metric(seed):
    rng = np.random.default_rng(seed)
    true, predicted = rng.integers(0, 2, size=(2, 20, 4))
    true[0] = predicted[0] = 0
    loss = soft_jaccard_loss(torch.tensor(predicted, dtype=float), torch.tensor(true))
    expected = jaccard_score(true, predicted, average="samples", zero_division=1)
    assert 1 - loss.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("loss", [soft_macro_f1_loss, soft_jaccard_loss])
def test_soft_losses_have_right_and_finite_gradients(loss):
    p = torch.rand(6, 3, generator=torch.Generator().manual_seed(0)).double()
    target = torch.tensor(RNG.integers(0, 2, size=(6, 3)))
    assert torch.autograd.gradcheck(loss, (p.requires_grad_(), target))
    empty = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    loss(empty, torch.zeros(2, 3)).backward()
    assert torch.isfinite(empty.grad).all()


def test_the_confidence_penalty_is_minus_the_entropy():
    entropy = -(np.exp(log_p()) * log_p()).sum(1).mean()
    ours = confidence_penalty(LOGITS, beta=0.3).item()
    assert ours == pytest.approx(-0.3 * entropy, abs=1e-12)


def test_an_unknown_reduction_is_refused():
    with pytest.raises(ValueError, match="'reduction' parameter must be 'sample' or"):
        cross_entropy(LOGITS, TARGET, reduction="mean")
