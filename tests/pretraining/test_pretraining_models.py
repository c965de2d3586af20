"""Models to pre-train, and what becomes of them: estimators load and keep them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import (
    AlbertForMaskedLM,
    AlbertForPreTraining,
    BertForMaskedLM,
    BertForPreTraining,
)

from tweetclf.estimators import TransformerClassifier
from tweetclf.features import TransformerVectorizer
from tweetclf.modules import TWilBertForMaskedLM, TWilBertForPreTraining
from tweetclf.persistence import load, save
from tweetclf.pretraining import make_pretraining_model
from tweetclf.testing import make_tiny_transformer

TEXTS = ["qué risa me da", "no me gusta nada", "genial el partido", "vaya día"] * 3
LABELS = ["sí", "no", "sí", "no"] * 3
SIZES = {"vocab_size": 60, "hidden_size": 16, "n_layers": 2, "n_heads": 2}


@pytest.mark.parametrize(
    ("architecture", "with_pairs", "without"),
    [
        ("bert", BertForPreTraining, BertForMaskedLM),
        ("albert", AlbertForPreTraining, AlbertForMaskedLM),
        ("twilbert", TWilBertForPreTraining, TWilBertForMaskedLM),
    ],
)
def test_architectures_are_what_they_are_called(architecture, with_pairs, without):
    model = make_pretraining_model(architecture, pair_objective="nsp", **SIZES)
    assert type(model) is with_pairs
    assert model.training
    assert model.config.to_dict()["pair_objective"] == "nsp"
    assert type(make_pretraining_model(architecture, pair_objective=None, **SIZES)) is (
        without
    )
    before = torch.random.get_rng_state()
    same = make_pretraining_model(architecture, pair_objective="nsp", **SIZES)
    other = make_pretraining_model(architecture, random_state=1, **SIZES)
    assert torch.equal(torch.random.get_rng_state(), before)
    name = next(n for n, p in model.named_parameters() if "word_embeddings" in n)
    assert torch.equal(model.get_parameter(name), same.get_parameter(name))
    assert not torch.equal(model.get_parameter(name), other.get_parameter(name))


def test_gradient_checkpointing_can_be_asked_for():
    for architecture in ("bert", "twilbert"):
        model = make_pretraining_model(
            architecture, gradient_checkpointing=True, **SIZES
        )
        layers = [m for m in model.modules() if type(m).__name__.endswith("Layer")]
        assert all(m.gradient_checkpointing for m in layers if len(list(m.children())))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "roberta"}, "must be 'bert', 'albert' or 'twilbert'"),
        ({"architecture": "bert", "head_size": 64}, "does not have 'head_size'"),
        ({"architecture": "bert", "n_groups": 1}, "does not have 'n_groups'"),
        ({"architecture": "albert", "memory_layers": [1]}, "'memory_layers'"),
        ({"architecture": "albert", "gradient_checkpointing": True}, "'gradient_"),
        ({"architecture": "bert", "n_heads": 3}, "multiple of 'n_heads'"),
    ],
)
def test_what_an_architecture_lacks_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_pretraining_model(**(SIZES | changes))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a directory of a small random TWilBERT with a tokenizer."""
    path = tmp_path_factory.mktemp("twilbert")
    make_tiny_transformer(path, TEXTS)  # For its tokenizer.
    model = make_pretraining_model(
        "twilbert", head_size=6, **(SIZES | {"vocab_size": 400})
    )
    model.save_pretrained(path)
    return path


def test_vectors_of_texts_come_from_it(folder):
    vectors = TransformerVectorizer(folder, pooling="mean").fit_transform(TEXTS)
    assert vectors.shape == (12, 16)
    np.testing.assert_array_equal(vectors[0], vectors[4])
    assert not np.allclose(vectors[0], vectors[1])


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_fine_tuned_one_is_kept_and_loaded(folder, tmp_path, pooling):
    classifier = TransformerClassifier(
        model=str(folder), pooling=pooling, max_iter=2, random_state=0
    ).fit(TEXTS, LABELS)
    expected = classifier.predict_proba(TEXTS)
    save(classifier, tmp_path / "kept")
    np.testing.assert_array_equal(
        load(tmp_path / "kept").predict_proba(TEXTS), expected
    )
