"""The layout and the weights of the released TWilBERT models."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tweetclf.modules import TWilBertForPreTraining
from tweetclf.modules.twilbert_reference import (
    bucket_of,
    left_padded,
    reference_config,
    reference_state_dict,
)

SPECIAL = {"pad": 0, "cls": 3, "sep": 4}
TINY = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "head_dim": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 30,
}


@pytest.mark.data
def test_buckets_and_padding_are_those_of_the_fixtures(shared_data):
    # P22
    path = shared_data.parent / "parity_fixtures.json"
    fixtures = json.loads(path.read_text(encoding="utf-8"))
    for length, bucket in fixtures["twilbert_bucket_5_45_5"].items():
        assert bucket_of(int(length)) == bucket
    example = fixtures["twilbert_pad_example"]
    names = ["[PAD]", "x", "y", "[CLS]", "[SEP]", "a", "b", "c"]
    rows = left_padded([[[5, 6, 7]]], special=SPECIAL)
    found = [names[i] for i in rows[0].input_ids[0, 1:-1].tolist()]
    assert found == example


def test_buckets_of_fine_tuning_reach_85():
    assert bucket_of(83, maximum=90) == 85
    assert bucket_of(400, maximum=90) == 85


def test_pairs_are_padded_at_the_start_of_each_segment():
    examples = [
        [[7, 8], [9]],
        [list(range(5, 18)), [9, 10, 11, 12, 13, 14]],
        [[5], [6, 7, 8]],
    ]
    rows = left_padded(examples, special=SPECIAL)
    assert [part.rows for part in rows] == [[0, 2], [1]]
    first = rows[0]
    assert first.input_ids.tolist() == [
        [3, 0, 0, 0, 7, 8, 4, 0, 0, 0, 0, 9, 4],
        [3, 0, 0, 0, 0, 5, 4, 0, 0, 6, 7, 8, 4],
    ]
    assert first.token_type_ids.tolist() == [[0] * 7 + [1] * 6] * 2
    assert rows[1].input_ids.shape == (1, 15 + 10 + 3)
    longest = left_padded([[range(100), range(100)]], special=SPECIAL)[0].input_ids
    # 83 tokens at most, not the 128 of the paper; cut at the end.
    assert longest.shape == (1, 83)
    assert longest[0, 1:41].tolist() == list(range(40))


def arrays_of(config, seed=0):
    """Return random arrays as Keras would hold them."""
    rng = np.random.default_rng(seed)
    width, heads, d = config.hidden_size, config.num_attention_heads, config.head_dim
    arrays = {
        "token": rng.normal(size=(config.vocab_size + 1, width)),
        "position": rng.normal(size=(config.max_position_embeddings, width)),
        "segment": rng.normal(size=(2, width)),
        "mlm.kernel": rng.normal(size=(width, config.vocab_size)),
        "mlm.bias": rng.normal(size=config.vocab_size),
        "rop.kernel": rng.normal(size=(width, 2)),
        "rop.bias": rng.normal(size=2),
    }
    for i in range(config.num_hidden_layers):
        for part in ("query", "key", "value"):
            arrays[f"block.{i}.{part}"] = rng.normal(size=(heads, width, d))
        arrays[f"block.{i}.output"] = rng.normal(size=(heads * d, width))
        for norm in ("norm1", "norm2"):
            arrays[f"block.{i}.{norm}.gamma"] = rng.normal(size=width)
            arrays[f"block.{i}.{norm}.beta"] = rng.normal(size=width)
        for name, shape in (("ffn1", (width, 12)), ("ffn2", (12, width))):
            arrays[f"block.{i}.{name}.kernel"] = rng.normal(size=shape)
            arrays[f"block.{i}.{name}.bias"] = rng.normal(size=shape[1])
    return arrays


def forward(arrays, config, ids, types):
    """Return the logits of one left-padded row, as section 1.6 says."""

    def gelu(x):
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    def norm(x, name):
        scaled = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
        return scaled * arrays[f"{name}.gamma"] + arrays[f"{name}.beta"]

    x = arrays["token"][ids] + arrays["position"][: len(ids)] + arrays["segment"][types]
    for i in range(config.num_hidden_layers):
        block = f"block.{i}"
        heads = []
        for head in range(config.num_attention_heads):
            q, k, v = (
                x @ arrays[f"{block}.{p}"][head] for p in ("query", "key", "value")
            )
            scores = q @ k.T / np.sqrt(config.head_dim)
            scores = np.exp(scores - scores.max(1, keepdims=True))
            heads.append(scores / scores.sum(1, keepdims=True) @ v)
        mixed = np.concatenate(heads, 1) @ arrays[f"{block}.output"]
        x = norm(x + mixed, f"{block}.norm1")
        y = gelu(x @ arrays[f"{block}.ffn1.kernel"] + arrays[f"{block}.ffn1.bias"])
        y = y @ arrays[f"{block}.ffn2.kernel"] + arrays[f"{block}.ffn2.bias"]
        x = norm(x + y, f"{block}.norm2")
    return (
        x @ arrays["mlm.kernel"] + arrays["mlm.bias"],
        x[0] @ arrays["rop.kernel"] + arrays["rop.bias"],
    )


def test_plainly_named_arrays_give_the_reference_forward_pass():
    config = reference_config(**TINY)
    arrays = arrays_of(config)
    model = TWilBertForPreTraining(config).eval()
    model.load_state_dict(reference_state_dict(arrays, config))
    part = left_padded([[[7, 8], [9]], [[5, 6, 7], [8, 9]]], special=SPECIAL)[0]
    with torch.no_grad():
        output = model(part.input_ids, token_type_ids=part.token_type_ids)
    for row in range(2):
        tokens, pair = forward(
            arrays,
            config,
            part.input_ids[row].numpy(),
            part.token_type_ids[row].numpy(),
        )
        np.testing.assert_allclose(output.prediction_logits[row], tokens, atol=1e-4)
        np.testing.assert_allclose(output.seq_relationship_logits[row], pair, atol=1e-4)


def test_arrays_that_do_not_fit_are_named():
    config = reference_config(**TINY)
    arrays = arrays_of(config)
    with pytest.raises(ValueError, match="'rop.bias' must have the shape"):
        reference_state_dict(arrays | {"rop.bias": np.zeros(3)}, config)
    del arrays["mlm.bias"]
    with pytest.raises(ValueError, match=r"Missing: \['mlm.bias'\]"):
        reference_state_dict(arrays, config)


def test_reference_configurations():
    config = reference_config("large")
    assert (config.num_hidden_layers, config.head_init) == (12, "reference")
    with pytest.raises(ValueError, match="'base' or 'large'"):
        reference_config("huge")
