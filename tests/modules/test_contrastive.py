"""NT-Xent against a library, by hand, and over processes (P33)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn import functional as F

from tweetclf.modules import ProjectionHead, gather_rows, nt_xent


def _pairs(n, d=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, n, d, generator=generator).unbind(0)


def _by_hand(first, second, temperature, decoupled=False, ids=None):
    """Loop over anchors, in float64."""
    rows = np.concatenate([first.numpy(), second.numpy()]).astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    n = len(first)
    losses = []
    for i in range(2 * n):
        j = (i + n) % (2 * n)
        total = 0.0
        for k in range(2 * n):
            if k == i or (k == j and decoupled):
                continue
            if k != j and ids is not None and ids[k] in (ids[i], ids[j]):
                continue
            total += math.exp(rows[i] @ rows[k] / temperature)
        losses.append(math.log(total) - rows[i] @ rows[j] / temperature)
    return np.mean(losses)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
@pytest.mark.parametrize("n", [1, 2, 33])
def test_it_is_the_loss_of_pytorch_metric_learning(n, temperature):
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    first, second = _pairs(n)
    labels = torch.arange(n).repeat(2)
    expected = losses.NTXentLoss(temperature)(torch.cat([first, second]), labels)
    found = nt_xent(first, second, temperature=temperature)
    # One pair alone has no negatives: the library then gives up and says 0, as we do.
    assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_gradients_are_those_of_pytorch_metric_learning():
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    rows = torch.cat(_pairs(9)).requires_grad_()
    losses.NTXentLoss(0.1)(rows, torch.arange(9).repeat(2)).backward()
    expected, rows.grad = rows.grad, None
    nt_xent(rows[:9], rows[9:]).backward()
    assert_allclose(rows.grad, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("decoupled", [False, True])
def test_it_is_the_loss_by_hand(decoupled):
    first, second = _pairs(6)
    found = nt_xent(first, second, temperature=0.2, decoupled=decoupled)
    assert_allclose(found, _by_hand(first, second, 0.2, decoupled), rtol=1e-5)


@pytest.mark.parametrize("decoupled", [False, True])
def test_repeats_of_anchor_or_partner_are_no_negatives(decoupled):
    first, second = _pairs(5)
    second[3] = first[0]
    ids = (torch.tensor([7, 1, 2, 3, 2]), torch.tensor([10, 11, 12, 7, 10]))
    found = nt_xent(first, second, temperature=0.3, decoupled=decoupled, identities=ids)
    expected = _by_hand(first, second, 0.3, decoupled, torch.cat(ids).tolist())
    assert_allclose(found, expected, rtol=1e-5)
    assert abs(float(found) - _by_hand(first, second, 0.3, decoupled)) > 1e-3


def test_anchors_without_any_negative_are_left_out_when_decoupled():
    first, second = _pairs(2)
    ids = torch.tensor([1, 1]), torch.tensor([2, 2])
    loss = nt_xent(first.requires_grad_(), second, decoupled=True, identities=ids)
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(first.grad, torch.zeros_like(first))


def test_length_and_common_scale_do_not_matter():
    first, second = _pairs(4)
    scaled = nt_xent(first * torch.rand(4, 1).add(0.5), second * 1e3)
    assert_allclose(scaled, nt_xent(first, second), rtol=1e-5)


def test_it_is_computed_in_float32_under_autocast():
    first, second = _pairs(8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = nt_xent(first, second)
    assert found.dtype == torch.float32
    assert torch.equal(found, nt_xent(first, second))


def test_impossible_input_is_refused():
    first, second = _pairs(3)
    with pytest.raises(ValueError, match=r"same shape.*\(3, 7\) and \(2, 7\)"):
        nt_xent(first, second[:2])
    with pytest.raises(ValueError, match="at least one row"):
        nt_xent(first[:0], second[:0])
    with pytest.raises(ValueError, match="'temperature' parameter must be positive"):
        nt_xent(first, second, temperature=0.0)
    with pytest.raises(ValueError, match="at least two pairs"):
        nt_xent(first[:1], second[:1], decoupled=True)


def test_the_head_is_two_layers_with_a_relu():
    head = ProjectionHead(6, 8, 4)
    states = torch.randn(3, 6)
    hidden = (states @ head.hidden.weight.T + head.hidden.bias).clamp(min=0)
    expected = hidden @ head.output.weight.T + head.output.bias
    assert_allclose(head(states).detach(), expected.detach(), rtol=1e-5, atol=1e-6)


# Two processes ------------------------------------------------------------------


def _share(rank: int, sizes: list[int], folder: str) -> None:
    """Compute loss and gradients of one process' share of the pairs."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=len(sizes)
    )
    try:
        net, first, second, ids = _problem(sum(sizes))
        own = slice(sum(sizes[:rank]), sum(sizes[: rank + 1]))
        a, b = (F.normalize(net(part[own]), dim=1) for part in (first, second))
        loss = nt_xent(a, b, identities=(ids[0][own], ids[1][own]))
        alone = nt_xent(a, b, gather=False)
        (loss * len(first[own])).backward()
        for parameter in net.parameters():
            torch.distributed.all_reduce(parameter.grad)
        gathered, start = gather_rows(first[own])
        torch.save(
            {
                "loss": loss.item(),
                "alone": alone.item(),
                "gradients": [p.grad / sum(sizes) for p in net.parameters()],
                "gathered": torch.equal(gathered, first) and start == own.start,
            },
            f"{folder}/{rank}.pt",
        )
    finally:
        torch.distributed.destroy_process_group()


def _problem(n):
    first, second = _pairs(n, seed=3)
    net = torch.nn.Linear(7, 5)
    with torch.no_grad():
        net.weight.copy_(torch.arange(35.0).reshape(5, 7).sin())
        net.bias.zero_()
    ids = torch.arange(n), torch.arange(n) + n
    ids[1][0] = 3  # a repeat that lies in another process
    return net, first, second, ids


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("sizes", [[4, 4], [5, 3]])
def test_two_processes_have_the_loss_and_the_gradients_of_one(
    sizes: list[int], tmp_path: Path
) -> None:
    torch.multiprocessing.spawn(_share, (sizes, str(tmp_path)), nprocs=len(sizes))
    shares = [torch.load(tmp_path / f"{rank}.pt") for rank in range(len(sizes))]
    net, first, second, ids = _problem(sum(sizes))
    loss = nt_xent(net(first), net(second), identities=ids)
    loss.backward()
    weighted = sum(n * share["loss"] for n, share in zip(sizes, shares, strict=True))
    assert_allclose(weighted / sum(sizes), loss.item(), rtol=1e-5)
    for share in shares:
        assert share["gathered"]
        assert share["alone"] < share["loss"]  # fewer negatives
        for found, parameter in zip(share["gradients"], net.parameters(), strict=True):
            assert_allclose(found, parameter.grad, rtol=1e-4, atol=1e-6)
