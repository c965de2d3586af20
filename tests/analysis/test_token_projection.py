"""Classes of tokens, and what is projected of them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tweetclf.analysis import load_model, project_tokens, token_class
from tweetclf.analysis import projection as module
from tweetclf.exceptions import DataError

TEXTS = [
    "qué risa me da el lunes @pepe",
    "no me gusta nada esto @ana http://t.co/x",
    "genial 😂 el partido de hoy #lunes 3",
]


@pytest.mark.parametrize(
    ("token", "name"),
    [
        ("@user", "user"),
        ("[USER]", "user"),
        ("user", "user"),
        ("[URL]", "url"),
        ("url", "url"),
        ("https://t.co/abc", "url"),
        ("#risa", "hashtag"),
        ("#", "punctuation"),
        ("👩‍👩‍👧", "emoji"),
        ("1.000", "number"),
        ("¿¡", "punctuation"),
        ("ñandú", "word"),
        ("東京", "word"),
        ("  ", None),
    ],
)
def test_tokens_have_a_class(token, name):
    assert token_class(token) == name


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta"])
def test_embeddings_of_the_vocabulary_are_projected(kind, make_model):
    model = load_model(make_model("none", kind), head="none", device="cpu")
    found = project_tokens(model, n_per_class=5)
    assert found.source == "embeddings"
    assert found.positions.shape == (len(found.tokens), 2)
    assert np.isfinite(found.positions).all()
    assert not set(found.tokens) & set(model.tokenizer.all_special_tokens)
    assert max(found.classes.count(c) for c in set(found.classes)) <= 5
    assert all(
        token_class(token) == name
        for token, name in zip(found.tokens, found.classes, strict=True)
    )
    again = project_tokens(model, n_per_class=5)
    np.testing.assert_array_equal(found.positions, again.positions)


def test_words_in_texts_have_the_mean_state_of_their_tokens(make_model, monkeypatch):
    import torch

    seen = {}

    def keep(*args):
        seen["found"] = states(*args)
        return seen["found"]

    states = module._states
    monkeypatch.setattr(module, "_states", keep)
    model = load_model(make_model("none"), head="none", device="cpu")
    found = project_tokens(model, TEXTS, max_tokens=1)
    assert found.source == "contextual"
    assert set(found.classes) == {"user", "url", "hashtag", "emoji", "number", "word"}
    kept = seen["found"]
    for text in TEXTS:
        batch = model.tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
        offsets = batch.pop("offset_mapping")[0].tolist()
        with torch.no_grad():
            hidden = model.model(**batch).last_hidden_state[0]
        start = 0
        for word in text.split():
            start = text.index(word, start)
            end = start + len(word)
            own = [i for i, (a, b) in enumerate(offsets) if b > a and start <= a < end]
            expected = hidden[own].mean(dim=0).numpy()
            same = [i for i, token in enumerate(kept.tokens) if token == word]
            apart = [np.abs(kept.vectors[i] - expected).max() for i in same]
            assert min(apart) < 1e-5
            start = end


def test_classes_may_be_ones_own(make_model):
    folder = make_model("none")
    found = project_tokens(
        folder,
        TEXTS,
        classify=lambda word: "long" if len(word) > 4 else "short",
        n_per_class=4,
        device="cpu",
    )
    assert found.classes == ("long",) * 4 + ("short",) * 4
    with pytest.raises(DataError, match="a map needs five"):
        project_tokens(folder, TEXTS, classify=lambda word: None, device="cpu")
    with pytest.raises(ValueError, match="n_per_class"):
        project_tokens(folder, n_per_class=0)
