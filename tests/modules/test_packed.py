"""Packed encoders: each sequence gets the states that it gets alone."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from transformers import AutoModel, BertConfig, BertModel, GPT2Config, GPT2Model

from tweetclf.modules._variable_length import attend_by_groups
from tweetclf.modules.packed import ATTENTION, PackedEncoder
from tweetclf.testing import make_tiny_transformer

TEXTS = ["qué risa me da", "no me gusta nada esto", "genial 😂 el partido"]
PACKABLE = ("albert", "bert", "distilbert", "electra", "modernbert", "roberta")
KINDS = (*PACKABLE, "xlm-roberta", "deberta-v2")
LENGTHS = torch.tensor([9, 2, 30, 9, 1, 9, 17])


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    made = {}
    for kind in KINDS:
        path = make_tiny_transformer(tmp_path_factory.mktemp(kind), TEXTS, kind=kind)
        made[kind] = AutoModel.from_pretrained(path).eval()
    return made


def tokens_of(model, lengths=LENGTHS, seed=0):
    generator = torch.Generator().manual_seed(seed)
    total = int(lengths.sum())
    return torch.randint(5, model.config.vocab_size, (total,), generator=generator)


def one_by_one(model, ids, lengths=LENGTHS, types=None, layer=-1):
    """Return what the untouched model gives to each sequence alone."""
    states = []
    parts = [None] * len(lengths) if types is None else types.split(lengths.tolist())
    for part, kinds in zip(ids.split(lengths.tolist()), parts, strict=True):
        inputs = {"input_ids": part[None]}
        if kinds is not None:
            inputs["token_type_ids"] = kinds[None]
        with torch.no_grad():
            hidden = model(**inputs, output_hidden_states=True)
        states.append(
            (hidden.last_hidden_state if layer == -1 else hidden.hidden_states[layer])[
                0
            ]
        )
    return torch.cat(states)


@pytest.mark.parametrize("kind", KINDS)
def test_packed_states_are_those_of_sequences_alone(models, kind):
    # P34: block-diagonal attention, so that packed CLS = unpacked CLS.
    model = copy.deepcopy(models[kind])
    encoder = PackedEncoder(model)
    assert encoder.is_packed == (kind != "deberta-v2")
    ids = tokens_of(model)
    expected = one_by_one(models[kind], ids)
    with torch.inference_mode():
        states = encoder(ids, LENGTHS)
    torch.testing.assert_close(states, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_padded_states_are_the_same(models, kind):
    encoder = PackedEncoder(copy.deepcopy(models[kind]), "padded")
    ids = tokens_of(encoder.model)
    with torch.inference_mode():
        states = encoder(ids, LENGTHS)
    expected = one_by_one(models[kind], ids)
    torch.testing.assert_close(states, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("packing", ["packed", "padded"])
def test_segments_reach_the_model(models, packing):
    encoder = PackedEncoder(copy.deepcopy(models["bert"]), packing)
    ids = tokens_of(encoder.model)
    types = (torch.arange(len(ids)) % 3 == 0).long()
    with torch.inference_mode():
        states = encoder(ids, LENGTHS, types)
    expected = one_by_one(models["bert"], ids, types=types)
    torch.testing.assert_close(states, expected, rtol=1e-5, atol=1e-5)
    assert (states - encoder(ids, LENGTHS)).abs().max() > 0.01


def test_segments_are_left_out_where_the_model_knows_one(models):
    encoder = PackedEncoder(copy.deepcopy(models["roberta"]))
    ids = tokens_of(encoder.model)
    with torch.inference_mode():
        states = encoder(ids, LENGTHS, torch.ones_like(ids))
        assert torch.equal(states, encoder(ids, LENGTHS))


@pytest.mark.parametrize("packing", ["packed", "padded"])
@pytest.mark.parametrize("layer", [0, 1, -2])
def test_states_of_other_layers(models, packing, layer):
    encoder = PackedEncoder(copy.deepcopy(models["bert"]), packing)
    ids = tokens_of(encoder.model)
    with torch.inference_mode():
        states = encoder(ids, LENGTHS, layer=layer)
    expected = one_by_one(models["bert"], ids, layer=layer)
    torch.testing.assert_close(states, expected, rtol=1e-5, atol=1e-5)


def test_padding_tokens_in_a_text_count_as_the_model_counts_them(models):
    # A tweet may spell out "<pad>"; RoBERTa gives what follows an earlier position.
    model = models["roberta"]
    ids = tokens_of(model)
    ids[[3, 15, 20]] = model.config.pad_token_id
    encoder = PackedEncoder(copy.deepcopy(model))
    with torch.inference_mode():
        states = encoder(ids, LENGTHS)
    torch.testing.assert_close(states, one_by_one(model, ids), rtol=1e-5, atol=1e-5)


def test_a_sequence_does_not_see_its_neighbours(models):
    encoder = PackedEncoder(copy.deepcopy(models["bert"]))
    ids = tokens_of(encoder.model)
    changed = ids.clone()
    changed[:9] = ids[:9].flip(0)
    with torch.inference_mode():
        before, after = encoder(ids, LENGTHS), encoder(changed, LENGTHS)
    assert torch.equal(before[9:], after[9:])
    assert not torch.equal(before[:9], after[:9])


def test_a_causal_model_stays_causal():
    config = GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2, n_positions=64)
    model = GPT2Model(config).eval()
    encoder = PackedEncoder(copy.deepcopy(model))
    ids = tokens_of(model)
    with torch.inference_mode():
        states = encoder(ids, LENGTHS)
    torch.testing.assert_close(states, one_by_one(model, ids), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["bert", "deberta-v2", "modernbert", "roberta"])
def test_gradients_are_those_of_sequences_alone(models, kind):
    plain = copy.deepcopy(models[kind]).double()
    encoder = PackedEncoder(copy.deepcopy(plain))
    ids = tokens_of(plain)
    weight = torch.randn(
        len(ids), 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    (encoder(ids, LENGTHS) * weight).sum().backward()
    for part, w in zip(
        ids.split(LENGTHS.tolist()), weight.split(LENGTHS.tolist()), strict=True
    ):
        (plain(input_ids=part[None]).last_hidden_state[0] * w).sum().backward()
    ours = dict(encoder.model.named_parameters())
    for name, parameter in plain.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(ours[name].grad, parameter.grad, msg=name)


def test_dropout_also_falls_on_attention(models):
    config = BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.5,
    )
    encoder = PackedEncoder(BertModel(config))
    ids, states = tokens_of(encoder.model), []
    encoder.train()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for seed in (0, 1, 0):
            torch.manual_seed(seed)
            states.append(encoder(ids, LENGTHS))
    assert torch.equal(states[0], states[2])
    assert not torch.equal(states[0], states[1])
    encoder.eval()
    assert torch.equal(encoder(ids, LENGTHS), encoder(ids, LENGTHS))


def test_bfloat16_is_close(models):
    encoder = PackedEncoder(copy.deepcopy(models["bert"]).bfloat16())
    assert encoder.is_packed
    ids = tokens_of(encoder.model)
    with torch.inference_mode():
        states = encoder(ids, LENGTHS)
    assert states.dtype == torch.bfloat16
    difference = (states.float() - one_by_one(models["bert"], ids)).abs()
    assert difference.mean() < 0.03


@pytest.mark.parametrize("autocast", [False, True])
def test_bfloat16_trains_with_attention_in_float32_on_the_cpu(autocast):
    groups = ((2, 1), (5, 3))
    generator = torch.Generator().manual_seed(0)
    parts = torch.randn(3, 1, 4, 17, 16, generator=generator).bfloat16()
    slope = torch.randn(1, 17, 4, 16, generator=generator).bfloat16()
    options = {"dropout": 0.0, "scale": None, "is_causal": False, "window": None}
    found = []
    for dtype in (torch.bfloat16, torch.float32):
        inputs = [x.to(dtype).requires_grad_() for x in parts]
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast and not found):
            states = attend_by_groups(*inputs, groups, **options)
        gradients = torch.autograd.grad(states, inputs, slope.to(dtype))
        found.append([states, *gradients])
    for short, exact in zip(*found, strict=True):
        assert short.dtype == torch.bfloat16
        assert torch.equal(short, exact.bfloat16())


def test_the_model_still_reads_padded_batches_and_is_saved_plain(models, tmp_path):
    model = copy.deepcopy(models["bert"])
    PackedEncoder(model)
    assert model.config._attn_implementation == ATTENTION
    ids = torch.tensor([[5, 6, 7, 8], [5, 6, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    with torch.inference_mode():
        ours = model(ids, mask).last_hidden_state
        theirs = models["bert"](ids, mask).last_hidden_state
    torch.testing.assert_close(ours[mask.bool()], theirs[mask.bool()])
    model.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert "tweetclf" not in str(saved)


def test_a_model_that_cannot_be_packed_keeps_its_attention(models):
    encoder = PackedEncoder(copy.deepcopy(models["deberta-v2"]))
    assert encoder.model.config._attn_implementation == "eager"


def test_the_mode_and_the_generators_are_left_alone(models):
    model = copy.deepcopy(models["bert"]).train()
    before = torch.get_rng_state()
    PackedEncoder(model)
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)


def test_longest_sequence_of_the_family(models):
    assert PackedEncoder(copy.deepcopy(models["bert"])).max_length == 130
    encoder = PackedEncoder(copy.deepcopy(models["roberta"]))
    assert encoder.max_length == 128
    lengths = torch.tensor([128])
    ids = tokens_of(encoder.model, lengths)
    expected = one_by_one(models["roberta"], ids, lengths)
    with torch.inference_mode():
        states = encoder(ids, lengths)
    torch.testing.assert_close(states, expected, rtol=1e-5, atol=1e-5)


def test_nothing_gives_nothing(models):
    encoder = PackedEncoder(copy.deepcopy(models["bert"]))
    empty = torch.zeros(0, dtype=torch.int64)
    assert encoder(empty, empty).shape == (0, 32)


@pytest.mark.parametrize(
    ("ids", "lengths", "message"),
    [
        ([5, 6, 7], [2], "sum to 2, and 3 tokens"),
        ([5, 6, 7], [0, 3], "at least 1"),
        ([5] * 131, [131], "at most 130 tokens"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(models, ids, lengths, message):
    encoder = PackedEncoder(copy.deepcopy(models["bert"]))
    with pytest.raises(ValueError, match=message):
        encoder(torch.tensor(ids), torch.tensor(lengths))


def test_packing_is_checked(models):
    with pytest.raises(ValueError, match="Got 'often' instead"):
        PackedEncoder(models["bert"], "often")


@pytest.mark.parametrize("seed", range(5))
def test_padded_buckets_hold_each_sequence_once_and_little_padding(seed):
    from tweetclf.modules.packed import length_buckets

    generator = np.random.default_rng(seed)
    sizes = np.sort(generator.integers(1, 200, generator.integers(1, 300)))
    buckets = length_buckets(sizes)
    ends = np.cumsum(sizes)
    assert buckets[0][0] == buckets[0][2] == 0
    assert buckets[-1][1] == len(sizes)
    for (_, last, _, stop), (first, _, start, _) in zip(
        buckets[:-1], buckets[1:], strict=True
    ):
        assert (last, stop) == (first, start)
    for first, last, start, stop in buckets:
        assert stop == ends[last - 1]
        padded = sizes[last - 1] * (last - first)
        assert last - first <= 4 or stop - start >= 0.85 * padded
        assert padded <= 8192
