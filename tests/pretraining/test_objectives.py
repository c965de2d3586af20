"""Masked tokens and pairs over packed batches, against the models' own forward pass."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from torch.nn import functional as F

from tweetclf.pretraining import (
    PackedPreTraining,
    PretrainingBatches,
    PretrainingObjective,
    SpanMasking,
    make_pretraining_model,
)
from tweetclf.training import fit_loop

SPECIAL = {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4}
SIZES = {"vocab_size": 40, "hidden_size": 16, "n_layers": 2, "n_heads": 2}


def batches(n: int = 12, batch_size: int = 8, **options):
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 9, 2 * n)
    tokens = rng.integers(5, 40, lengths.sum()).astype(np.uint16)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    settings = {"masking": SpanMasking(), "batch_size": batch_size, **options}
    return PretrainingBatches(
        [(tokens, offsets)], n_segments=2, special=SPECIAL, vocab_size=40, **settings
    )


def model(architecture: str, pair: str | None = "rop", **sizes):
    return make_pretraining_model(
        architecture, **{**SIZES, **sizes}, pair_objective=pair, max_positions=40
    )


def one_by_one(network, batch):
    """Run each example alone through the model itself; no packing, no picking."""
    ids = batch["input_ids"].split(batch["lengths"].tolist())
    types = batch["token_type_ids"].split(batch["lengths"].tolist())
    tokens, pairs = [], []
    for i, t in zip(ids, types, strict=True):
        out = network(input_ids=i[None], token_type_ids=t[None])
        logits = getattr(out, "prediction_logits", None)
        tokens.append((out.logits if logits is None else logits)[0])
        for name in ("seq_relationship_logits", "sop_logits"):
            if getattr(out, name, None) is not None:
                pairs.append(getattr(out, name))
    picked = torch.cat(tokens)[batch["places"]]
    return picked, torch.cat(pairs) if pairs else None


@pytest.mark.parametrize("architecture", ["twilbert", "bert", "albert"])
@pytest.mark.parametrize("pair", ["rop", None])
def test_logits_are_those_of_the_model(architecture, pair):
    network = model(architecture, pair).eval()
    module = PackedPreTraining(network)
    assert module.encoder.is_packed
    assert module.judges_pairs == (pair is not None)
    batch = next(batches(pair_objective=pair).epoch(0))
    with torch.no_grad():
        tokens, pairs, states = module(batch)
        expected = one_by_one(network, batch)
    assert torch.allclose(tokens, expected[0], atol=1e-5)
    assert states.shape == (8, 16)
    if pair is None:
        assert pairs is expected[1] is None
    else:
        assert torch.allclose(pairs, expected[1], atol=1e-5)


def test_a_roberta_can_be_pre_trained_too():
    from transformers import RobertaConfig, RobertaForMaskedLM, RobertaModel

    config = RobertaConfig(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=40,
        type_vocab_size=1,
    )
    module = PackedPreTraining(RobertaForMaskedLM(config).eval())
    assert not module.judges_pairs
    batch = next(batches(pair_objective=None).epoch(0))
    assert module(batch)[0].shape == (len(batch["places"]), 40)
    with pytest.raises(AttributeError):
        PackedPreTraining(RobertaModel(config)).model.lm_head  # noqa: B018


def test_the_loss_is_the_sum_of_two_means():
    network = model("twilbert").eval()
    batch = next(batches().epoch(0))
    tokens, pairs = one_by_one(network, batch)
    mlm = F.cross_entropy(tokens, batch["targets"])
    rop = F.cross_entropy(pairs, batch["pair_labels"])
    module = PackedPreTraining(network)
    loss, logs = PretrainingObjective()(module, batch)
    assert loss.item() == pytest.approx((mlm + rop).item(), rel=1e-5)
    assert logs["mlm_loss"].item() == pytest.approx(mlm.item(), rel=1e-5)
    right = (pairs.argmax(1) == batch["pair_labels"]).double().mean()
    assert logs["rop_accuracy"].item() == pytest.approx(right.item())
    assert logs["weight"] == len(batch["targets"])
    weighted, _ = PretrainingObjective(mlm_weight=0.5, pair_weight=2)(module, batch)
    assert weighted.item() == pytest.approx((0.5 * mlm + 2 * rop).item(), rel=1e-5)
    alone, logs = PretrainingObjective(pair=None)(module, batch)
    assert alone.item() == pytest.approx(mlm.item(), rel=1e-5)
    assert "rop_loss" not in logs


def test_texts_may_stand_behind_pairs():
    network = model("twilbert").eval()
    module = PackedPreTraining(network)
    batch = next(batches().epoch(0))
    whole, _ = PretrainingObjective()(module, batch)
    labels = batch["pair_labels"]
    batch["pair_labels"] = labels[:3]
    _, logs = PretrainingObjective()(module, batch)
    _, pairs = one_by_one(network, batch)
    expected = F.cross_entropy(pairs[:3], labels[:3]).item()
    assert logs["rop_loss"].item() == pytest.approx(expected, rel=1e-5)


def test_texts_may_be_left_over_at_the_end_of_an_epoch():
    module = PackedPreTraining(model("twilbert"))
    batch = next(batches(pair_objective=None).epoch(0))
    assert "pair_labels" not in batch
    loss, logs = PretrainingObjective()(module, batch)
    assert loss == logs["mlm_loss"]
    assert logs["rop_loss"] == logs["rop_accuracy"] == 0
    loss.backward()


def test_pairs_need_a_head():
    module = PackedPreTraining(model("bert", None))
    with pytest.raises(ValueError, match="the model has no head for them"):
        PretrainingObjective()(module, next(batches().epoch(0)))


def test_a_batch_without_examples_teaches_nothing():
    module = PackedPreTraining(model("bert"))
    batch = {k: v[:0] for k, v in next(batches().epoch(0)).items()}
    objective = PretrainingObjective()
    objective.start_step({"tokens": 7.0, "pairs": 2.0})
    loss, logs = objective(module, batch)
    assert loss.item() == 0
    assert logs["weight"] == 0
    loss.backward()
    assert all(p.grad is None or not p.grad.any() for p in module.parameters())


# P25 of systems.md: k micro-batches of different sizes are one big batch, though masked
# tokens and pairs are shared out among them quite differently.
@pytest.mark.parametrize("batch_size", [3, 8])
def test_micro_batches_equal_one_big_batch(batch_size):
    found = []
    for size in (24, batch_size):
        module = PackedPreTraining(model("twilbert").double())
        source = batches(batch_size=size)
        result = fit_loop(
            module,
            PretrainingObjective(),
            source,
            optimizer=torch.optim.SGD(module.parameters(), lr=0.1),
            max_epochs=2,
            accumulate=-(-24 // size),
            monitor=None,
        )
        assert result.n_steps == 2
        history = result.untimed_history()
        parameters = torch.nn.utils.parameters_to_vector(module.parameters())
        found.append((history, parameters.detach()))
    (one, first), (other, second) = found
    assert torch.allclose(first, second, rtol=0, atol=1e-12)
    for entry, expected in zip(other, one, strict=True):
        assert entry == pytest.approx(expected, rel=1e-6)


def test_what_is_not_masked_is_not_foretold():
    """The head sees the masked places only: that is most of the work it saves."""
    network = model("twilbert")
    seen = []
    network.cls.predictions.register_forward_hook(
        lambda layer, inputs, output: seen.append(len(inputs[0]))
    )
    batch = next(batches().epoch(0))
    PackedPreTraining(network, packing="packed")(batch)
    assert seen == [len(batch["places"])]
    assert len(batch["places"]) < len(batch["input_ids"]) / 3
