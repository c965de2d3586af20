"""TWilBERT against BERT, against NumPy, and through the ways models are run."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForPreTraining,
    AutoModelForSequenceClassification,
    BertConfig,
    BertModel,
)

from tweetclf.modules import (
    ProductKeyMemory,
    TWilBertConfig,
    TWilBertForMaskedLM,
    TWilBertForPreTraining,
    TWilBertForSequenceClassification,
    TWilBertModel,
)
from tweetclf.modules.packed import PackedEncoder
from tweetclf.modules.transformer_heads import HeadedModel
from tweetclf.pretraining import make_pretraining_model
from tweetclf.utils.hugging_face import checkpoint_activations

TINY = {
    "vocab_size": 50,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "head_dim": 6,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
    "initializer_range": 0.3,
}
MEMORY = {"memory_key_size": 8, "memory_sub_keys": 8, "memory_heads": 2} | {
    "memory_top_k": 3
}


def tiny(**changes):
    return TWilBertConfig(**(TINY | changes))


def made(model_class, seed=0, **changes):
    torch.manual_seed(seed)
    return model_class(tiny(**changes)).eval()


def batch(n_tokens=9, n_rows=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, 50, (n_rows, n_tokens), generator=generator)
    types = (torch.arange(n_tokens) > n_tokens // 2).long().expand(n_rows, -1)
    return ids, types


@pytest.mark.parametrize(("make", "total"), [("base", 81.7e6), ("large", 131.3e6)])
def test_parameters_are_as_many_as_published(make, total):
    # systems.md 1.6: 81.7 and 131.3 million, with an untied head.
    with torch.device("meta"):
        model = TWilBertForPreTraining(getattr(TWilBertConfig, make)())
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(total, abs=5e4)


def test_equal_to_a_bert_of_the_same_sizes_and_weights():
    # P24: BertModel whose embedding norm does nothing, without biases of attention.
    ours = made(TWilBertModel, head_dim=12)
    bert = BertModel(
        BertConfig(
            **{k: v for k, v in TINY.items() if k != "head_dim"},
            hidden_act="gelu_new",
            layer_norm_eps=1e-12,
        ),
        add_pooling_layer=False,
    ).eval()
    bert.embeddings.LayerNorm = nn.Identity()
    state = ours.state_dict()
    renamed = {}
    for name, weight in state.items():
        for old, new in (
            ("layers.", "encoder.layer."),
            ("attention.output", "attention.output.dense"),
            ("attention_norm", "attention.output.LayerNorm"),
            ("attention.query", "attention.self.query"),
            ("attention.key", "attention.self.key"),
            ("attention.value", "attention.self.value"),
            ("feed_forward.inner", "intermediate.dense"),
            ("feed_forward.outer", "output.dense"),
            ("output_norm", "output.LayerNorm"),
        ):
            name = name.replace(old, new)
        renamed[name] = weight
    lacking = bert.load_state_dict(renamed, strict=False)
    assert not lacking.unexpected_keys
    for name in lacking.missing_keys:
        assert name.endswith(".bias")
        nn.init.zeros_(bert.get_parameter(name))
    ids, types = batch()
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    with torch.no_grad():
        found = ours(ids, mask, types).last_hidden_state
        expected = bert(ids, mask, types).last_hidden_state
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def by_hand(weights, config, ids, types):
    """Return the states of one sequence, in double precision, head after head."""
    weights = {name: value.double().numpy() for name, value in weights.items()}

    def gelu(x):
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    def norm(x, name):
        centred = x - x.mean(1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-12)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    x = (
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][: len(ids)]
        + weights["embeddings.token_type_embeddings.weight"][types]
    )
    if "embeddings.projection.0.weight" in weights:
        x = gelu(
            x @ weights["embeddings.projection.0.weight"].T
            + weights["embeddings.projection.0.bias"]
        )
    for i in range(config.num_hidden_layers):
        layer, d = f"layers.{config.group_of(i)}", config.head_dim
        heads = []
        for head in range(config.num_attention_heads):
            q, k, v = (
                x @ weights[f"{layer}.attention.{p}.weight"][head * d : head * d + d].T
                for p in ("query", "key", "value")
            )
            scores = np.exp(q @ k.T / np.sqrt(d))
            heads.append(scores / scores.sum(1, keepdims=True) @ v)
        mixed = np.concatenate(heads, 1) @ weights[f"{layer}.attention.output.weight"].T
        x = norm(x + mixed, f"{layer}.attention_norm")
        inner, outer = f"{layer}.feed_forward.inner", f"{layer}.feed_forward.outer"
        y = gelu(x @ weights[f"{inner}.weight"].T + weights[f"{inner}.bias"])
        y = y @ weights[f"{outer}.weight"].T + weights[f"{outer}.bias"]
        x = norm(x + y, f"{layer}.output_norm")
    return x


@pytest.mark.parametrize(
    "changes",
    [{}, {"embedding_size": 7}, {"num_hidden_groups": 1}, {"num_hidden_groups": 2}],
)
def test_equal_to_numpy_where_heads_are_narrower_than_states(changes):
    # P24 for A * d != H, which BertModel has not; factorised and shared besides.
    model = made(TWilBertModel, **changes)
    ids, types = batch(n_rows=1)
    with torch.no_grad():
        found = model(ids, token_type_ids=types).last_hidden_state[0]
    expected = by_hand(model.state_dict(), model.config, ids[0], types[0])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_switches_of_embeddings_and_attention():
    linear = made(TWilBertModel, embedding_size=7, embedding_activation="linear")
    assert isinstance(linear.embeddings.projection, nn.Linear)
    biased = made(TWilBertModel, attention_bias=True)
    assert biased.layers[0].attention.output.bias is not None
    assert made(TWilBertModel).layers[0].attention.query.bias is None
    shared = made(TWilBertModel, num_hidden_layers=6, num_hidden_groups=2)
    assert len(shared.layers) == 2
    assert [shared.config.group_of(i) for i in range(6)] == [0, 0, 0, 1, 1, 1]


def test_padding_is_hidden_unless_the_reference_is_asked_for():
    ids, types = batch(n_rows=1)
    padded = torch.cat([ids, torch.zeros(1, 4, dtype=torch.long)], 1)
    mask = (torch.arange(13) < 9).long()[None]
    kinds = torch.cat([types, types.new_zeros(1, 4)], 1)
    ours = made(TWilBertModel)
    with torch.no_grad():
        alone = ours(ids, token_type_ids=types).last_hidden_state
        hidden = ours(padded, mask, kinds).last_hidden_state[:, :9]
        seen = ours(padded, None, kinds).last_hidden_state[:, :9]
        theirs = made(TWilBertModel, attention_masking="none")
        reference = theirs(padded, mask, kinds).last_hidden_state[:, :9]
    torch.testing.assert_close(alone, hidden, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(seen, reference)
    assert (alone - seen).abs().max() > 1e-3


def packed_inputs(sizes=(9, 2, 17, 9, 1), seed=0):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor(sizes)
    ids = torch.randint(5, 50, (int(lengths.sum()),), generator=generator)
    types = torch.cat([(torch.arange(n) > n // 2).long() for n in sizes])
    return ids, lengths, types


ARCHITECTURES = {
    "bert": {"n_heads": 2},
    "albert": {"n_heads": 2, "embedding_size": 8},
    "twilbert": {"n_heads": 2, "head_size": 6},
    "twilbert with memories": {
        "n_heads": 3, "head_size": 6, "n_groups": 2, "memory_layers": [2],
        "memory_sub_keys": 32,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_packed_states_are_those_of_sequences_alone(name):
    # P34: packed CLS = unpacked CLS, for every architecture of pre-training.
    model = make_pretraining_model(
        name.split()[0],
        vocab_size=50,
        hidden_size=24,
        n_layers=3,
        max_positions=40,
        **ARCHITECTURES[name],
    ).base_model.eval()
    ids, lengths, types = packed_inputs()
    with torch.no_grad():
        expected = torch.cat(
            [
                model(part[None], token_type_ids=kinds[None]).last_hidden_state[0]
                for part, kinds in zip(
                    ids.split(lengths.tolist()),
                    types.split(lengths.tolist()),
                    strict=True,
                )
            ]
        )
        encoder = PackedEncoder(copy.deepcopy(model))
        assert encoder.is_packed
        found = encoder(ids, lengths, types)
        padded = PackedEncoder(model, "padded")(ids, lengths, types)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(padded, expected, atol=1e-5, rtol=1e-5)


def test_other_layers_can_be_had_from_packed_sequences():
    model = made(TWilBertModel)
    ids, lengths, types = packed_inputs()
    with torch.no_grad():
        states = PackedEncoder(copy.deepcopy(model))(ids, lengths, types, layer=1)
        single = model(
            ids[None, :9], token_type_ids=types[None, :9], output_hidden_states=True
        ).hidden_states
    assert len(single) == 4
    torch.testing.assert_close(states[:9], single[1][0], atol=1e-5, rtol=1e-5)


def test_attention_weights_come_from_the_eager_implementation():
    model = made(TWilBertModel)
    ids, _ = batch()
    model.set_attn_implementation("sdpa")
    with pytest.raises(ValueError, match="set_attn_implementation"):
        model(ids, output_attentions=True)
    with torch.no_grad():
        fast = model(ids).last_hidden_state
        model.set_attn_implementation("eager")
        output = model(ids, output_attentions=True)
    assert len(output.attentions) == 3
    assert output.attentions[0].shape == (3, 2, 9, 9)
    torch.testing.assert_close(output.attentions[0].sum(-1), torch.ones(3, 2, 9))
    torch.testing.assert_close(output.last_hidden_state, fast, atol=1e-5, rtol=1e-5)
    assert isinstance(model(ids, return_dict=False), tuple)


def test_heads_of_pre_training():
    model = made(TWilBertForPreTraining, pair_hidden_layers=2, pair_hidden_size=10)
    ids, types = batch()
    labels = torch.full_like(ids, -100)
    labels[:, 2] = 7
    pair_labels = torch.tensor([1, 0, 1])
    with torch.no_grad():
        output = model(ids, None, types, labels=labels, pair_labels=pair_labels)
        states = model.twilbert(ids, token_type_ids=types).last_hidden_state
    assert output.prediction_logits.shape == (3, 9, 50)
    head = model.cls.predictions
    torch.testing.assert_close(
        output.prediction_logits, states @ head.weight.T + head.bias
    )
    torch.testing.assert_close(
        output.seq_relationship_logits, model.cls.seq_relationship(states[:, 0])
    )
    expected = nn.functional.cross_entropy(
        output.prediction_logits[:, 2], torch.tensor([7, 7, 7])
    ) + nn.functional.cross_entropy(output.seq_relationship_logits, pair_labels)
    torch.testing.assert_close(output.loss, expected)
    assert head.weight is not model.get_input_embeddings().weight
    assert model(ids).loss is None


def test_heads_are_drawn_as_the_switch_says():
    wide = {"hidden_size": 400, "num_hidden_layers": 1, "initializer_range": 0.02}
    ours = made(TWilBertForPreTraining, **wide).cls.predictions.weight.detach()
    assert float(ours.mean()) == pytest.approx(0, abs=1e-3)
    assert float(ours.std()) == pytest.approx(0.02, rel=0.03)
    theirs = made(TWilBertForPreTraining, head_init="reference", **wide)
    weight = theirs.cls.predictions.weight.detach()
    assert float(weight.mean()) == pytest.approx(0.02, abs=1e-3)
    assert float(weight.std()) == pytest.approx(0.05 * 0.8796, rel=0.03)
    inner = theirs.twilbert.layers[0].feed_forward.inner.weight.detach()
    assert float(inner.mean()) == pytest.approx(0, abs=1e-3)
    assert float(inner.std()) == pytest.approx(0.02, rel=0.03)


@pytest.mark.parametrize("labels", [[0, 2, 1], [[1.0, 0, 1], [0, 0, 0], [1, 1, 1]]])
def test_classification_heads_have_their_losses(labels):
    model = made(TWilBertForSequenceClassification, num_labels=3)
    ids, types = batch()
    labels = torch.tensor(labels)
    output = model(ids, token_type_ids=types, labels=labels)
    if labels.dim() == 1:
        expected = nn.functional.cross_entropy(output.logits, labels)
    else:
        expected = nn.functional.binary_cross_entropy_with_logits(output.logits, labels)
    torch.testing.assert_close(output.loss, expected)
    one = made(TWilBertForSequenceClassification, num_labels=1)
    numbers = torch.tensor([0.5, 1, 2])
    output = one(ids, labels=numbers)
    torch.testing.assert_close(
        output.loss, (output.logits[:, 0] - numbers).square().mean()
    )


def test_models_are_saved_and_found_by_the_auto_classes(tmp_path):
    model = made(
        TWilBertForPreTraining,
        memory_layers=[1],
        embedding_size=7,
        pair_objective="sop",
        **MEMORY,
    )
    model.save_pretrained(tmp_path)
    ids, types = batch()
    config = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(config, TWilBertConfig)
    assert (config.pair_objective, config.memory_layers) == ("sop", [1])
    again = AutoModelForPreTraining.from_pretrained(tmp_path).eval()
    assert isinstance(again, TWilBertForPreTraining)
    assert again.state_dict().keys() == model.state_dict().keys()
    for name, weight in again.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name]), name
    encoder, info = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    masked, info = AutoModelForMaskedLM.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert isinstance(masked, TWilBertForMaskedLM)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    headed, info = AutoModelForSequenceClassification.from_pretrained(
        tmp_path, num_labels=4, output_loading_info=True
    )
    assert set(info["missing_keys"]) == {"classifier.weight", "classifier.bias"}
    with torch.no_grad():
        expected = model(ids, token_type_ids=types)
        states = encoder.eval()(ids, token_type_ids=types).last_hidden_state
        logits = masked.eval()(ids, token_type_ids=types).logits
        assert headed.eval()(ids).logits.shape == (3, 4)
    assert torch.equal(logits, expected.prediction_logits)
    torch.testing.assert_close(logits, model.cls(states))


def test_checkpointed_gradients_are_those_kept():
    gradients = []
    for is_checkpointed in (False, True):
        model = made(TWilBertForMaskedLM, num_hidden_groups=2).train()
        if is_checkpointed:
            checkpoint_activations(model)
            assert all(layer.gradient_checkpointing for layer in model.twilbert.layers)
        ids, types = batch()
        model(ids, token_type_ids=types, labels=ids).loss.backward()
        gradients.append([p.grad for p in model.parameters()])
    for kept, anew in zip(*gradients, strict=True):
        torch.testing.assert_close(kept, anew)


def test_memories_replace_feed_forward_layers():
    model = made(TWilBertModel, memory_layers=[2], memory_variant="twilbert", **MEMORY)
    kinds = [type(layer.feed_forward) for layer in model.layers]
    assert kinds[2] is ProductKeyMemory
    assert ProductKeyMemory not in kinds[:2]
    memory = model.layers[2].feed_forward
    assert memory.values.shape == (64, 24)
    assert memory.query.weight.abs().max() <= 0.04


def test_our_head_is_run_on_packed_sequences():
    model = made(TWilBertForSequenceClassification, num_labels=3)
    assert HeadedModel(model).plan == "packed"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embedding_activation": "relu"}, "'embedding_activation'"),
        ({"head_init": "zeros"}, "'head_init'"),
        ({"attention_masking": "left"}, "'attention_masking'"),
        ({"pair_objective": "nli"}, "'pair_objective'"),
        ({"num_hidden_groups": 4}, "'num_hidden_groups' must be at least 1"),
        ({"memory_layers": [3]}, "from 0 to 2"),
        ({"memory_layers": [2], "num_hidden_groups": 1}, "must all be in"),
        ({"tie_word_embeddings": True}, "'tie_word_embeddings' must be False"),
    ],
)
def test_configurations_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        tiny(**changes)


def test_inputs_are_needed():
    with pytest.raises(ValueError, match="input_ids or inputs_embeds"):
        made(TWilBertModel)()
