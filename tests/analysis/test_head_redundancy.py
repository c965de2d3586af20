"""Attention heads: divergences as SciPy's, a map, and what single heads look at."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from scipy.spatial.distance import jensenshannon
from transformers import AutoModel, AutoTokenizer

from tweetclf.analysis import attention_maps, head_redundancy, load_model
from tweetclf.analysis import heads as module
from tweetclf.analysis.heads import HeadRedundancy, map_distances
from tweetclf.utils.hugging_face import quiet_transformers

TEXTS = ["qué risa me da el lunes", "no me gusta", "el partido de hoy"]


def attention_of(folder, text):
    """Return the weights of all heads, (heads, tokens, tokens), by transformers."""
    with quiet_transformers():
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    with torch.no_grad():
        output = model(**tokenizer(text, return_tensors="pt"), output_attentions=True)
    return torch.cat([a[0] for a in output.attentions]).double().numpy()


@pytest.mark.parametrize("kind", ["bert", "albert", "roberta"])
def test_divergences_are_those_of_scipy(kind, make_model):
    folder = make_model("none", kind)
    weights = [attention_of(folder, text) for text in TEXTS]
    n_heads = len(weights[0])
    expected = np.zeros((n_heads, n_heads))
    for i in range(n_heads):
        for j in range(n_heads):
            rows = [jensenshannon(w[i], w[j], axis=1) ** 2 for w in weights]
            expected[i, j] = np.concatenate(rows).mean()
    found = head_redundancy(folder, TEXTS, device="cpu")
    np.testing.assert_allclose(found.divergences, expected, atol=1e-7)
    assert found.n_layers * found.n_heads == n_heads
    assert found.n_tokens == sum(w.shape[1] for w in weights)
    assert found.mean == pytest.approx(expected[np.triu_indices(n_heads, 1)].mean())


def test_streaming_changes_nothing_and_the_model_is_put_back(make_model, monkeypatch):
    model = load_model(make_model("none"), head="none", device="cpu")
    before = model.model.config._attn_implementation
    whole = head_redundancy(model, TEXTS * 3)
    again = head_redundancy(model, TEXTS * 3)
    np.testing.assert_array_equal(whole.positions, again.positions)
    monkeypatch.setattr(module, "_AT_ONCE", 1)
    streamed = head_redundancy(model, TEXTS * 3)
    np.testing.assert_allclose(whole.divergences, streamed.divergences, atol=1e-7)
    assert model.model.config._attn_implementation == before


def test_distances_become_a_map():
    points = np.random.default_rng(0).normal(size=(9, 2))
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    positions, stress = map_distances(distances)
    found = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    np.testing.assert_allclose(found, distances, atol=1e-2)
    assert stress < 1e-3
    same, none = map_distances(np.zeros((3, 3)))
    assert none == 0
    assert not same.any()


def test_distinct_heads_are_far_from_each_other():
    places = np.array([0.0, 0.1, 1.0, 0.5])
    distances = np.abs(places[:, None] - places[None])
    found = HeadRedundancy("m", distances, np.zeros((4, 2)), 0.0, 2, 2, 1, 1)
    assert found.distinct(3) == [(0, 0), (1, 0), (1, 1)]
    assert len(found.distinct(9)) == 4
    np.testing.assert_allclose(found.mean_within, [0.1, 0.5])


def test_maps_of_single_heads_are_those_of_transformers(make_model):
    folder = make_model("none")
    maps = attention_maps(folder, TEXTS[0], [(1, 0), (0, 1)], device="cpu")
    weights = attention_of(folder, TEXTS[0])
    np.testing.assert_allclose(maps[0].weights, weights[2], atol=1e-7)
    np.testing.assert_allclose(maps[1].weights, weights[1], atol=1e-7)
    assert maps[0].tokens[0] == "[CLS]"
    assert len(maps[0].tokens) == len(weights[0])
    with pytest.raises(ValueError, match=r"\(0, 0\) to \(1, 1\)"):
        attention_maps(folder, TEXTS[0], [(2, 0)], device="cpu")
