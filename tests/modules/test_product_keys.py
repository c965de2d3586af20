"""Product-key memories against all of their slots, looked at one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tweetclf.modules import ProductKeyMemory


def all_slots(memory, states):
    """Return what a memory holds, by the scores of every slot (P28)."""
    queries = memory.query(states)
    if memory.norm is not None:
        queries = memory.norm(queries)
    half, n = memory.key_size // 2, memory.n_sub_keys
    queries = queries.view(len(states), memory.n_heads, memory.key_size)
    result = torch.zeros(len(states), memory.values.shape[1], dtype=states.dtype)
    for head in range(memory.n_heads):
        first, second = memory.keys[head]
        whole = torch.cat(
            [first.repeat_interleave(n, 0), second.repeat(n, 1)], dim=1
        )  # (slots, key): slot i * n + j has the sub-keys i and j
        assert whole.shape == (n * n, 2 * half)
        scores = queries[:, head] @ whole.T
        best, slots = scores.topk(memory.top_k)
        weights = best.softmax(-1)
        result = result + (weights[..., None] * memory.values[slots]).sum(1)
    return result


@pytest.mark.parametrize("variant", ["xlm", "twilbert"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_equal_to_brute_force_over_all_slots(variant, batch_norm):
    torch.manual_seed(0)
    memory = ProductKeyMemory(
        12, 9, key_size=8, n_sub_keys=16, n_heads=3, top_k=5, variant=variant,
        batch_norm=batch_norm,
    )  # fmt: skip
    states = torch.randn(20, 12)
    with torch.no_grad():
        memory.query.weight.mul_(10)
        expected = all_slots(memory, states)
        found = memory(states.view(4, 5, 12)).view(20, 9)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    assert found.abs().max() > 0.01


def test_gradients_flow_to_all_parts_and_to_read_values_alone():
    torch.manual_seed(0)
    memory = ProductKeyMemory(
        6, 4, key_size=4, n_sub_keys=8, n_heads=2, top_k=3
    ).double()
    states = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    slots, weights = memory.read(states)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2))
    memory(states).square().sum().backward()
    touched = memory.values.grad.abs().sum(1).nonzero().ravel()
    assert set(touched.tolist()) == set(slots.ravel().tolist())
    assert memory.keys.grad.abs().sum() > 0
    assert memory.query.weight.grad.abs().sum() > 0
    # Weights are computed in single precision: the gradient against all slots.
    ours = states.grad.clone()
    states.grad = None
    all_slots(memory, states).square().sum().backward()
    torch.testing.assert_close(ours, states.grad, atol=1e-6, rtol=1e-4)


def test_sparse_gradients_are_those_of_dense_ones():
    torch.manual_seed(0)
    sizes = {"key_size": 4, "n_sub_keys": 8, "n_heads": 2, "top_k": 3}
    dense = ProductKeyMemory(6, 4, **sizes)
    sparse = ProductKeyMemory(6, 4, sparse=True, **sizes)
    sparse.load_state_dict(dense.state_dict())
    states = torch.randn(5, 6)
    for memory in (dense, sparse):
        memory(states).sum().backward()
    assert sparse.values.grad.is_sparse
    torch.testing.assert_close(sparse.values.grad.to_dense(), dense.values.grad)


def test_the_default_memory_has_65536_values_drawn_as_the_variants_say():
    memory = ProductKeyMemory(16, 64)
    assert memory.values.shape == (65_536, 64)
    assert memory.keys.shape == (4, 2, 256, 256)
    assert memory.keys.abs().max() <= 1 / 16
    assert float(memory.values.detach().std()) == pytest.approx(64**-0.5, rel=0.01)
    other = ProductKeyMemory(16, 8, variant="twilbert")
    # Cut at two deviations, a normal law of .02 has .88 of its deviation.
    assert float(other.values.detach().std()) == pytest.approx(0.02 * 0.8796, rel=0.01)
    assert other.values.abs().max() <= 0.04
    assert other.query.weight.abs().max() <= 0.04


def test_dropout_of_queries_in_training_alone():
    memory = ProductKeyMemory(
        6, 4, key_size=4, n_sub_keys=8, n_heads=2, top_k=3, query_dropout=0.5
    )
    states = torch.randn(5, 6)
    assert not np.allclose(*(memory(states).detach() for _ in range(2)))
    memory.eval()
    assert torch.equal(memory(states), memory(states))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key_size": 5}, "'key_size' parameter must be even"),
        ({"top_k": 300}, "at most 'n_sub_keys', 256"),
        ({"variant": "pkm"}, "'xlm' or 'twilbert'"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ProductKeyMemory(4, 4, **changes)
