"""Ranks of hidden words, against brute force (P40)."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from tweetclf.analysis import load_model, top_k_accuracy
from tweetclf.analysis._models import LoadedModel
from tweetclf.exceptions import DataError
from tweetclf.utils.hugging_face import quiet_transformers

TEXTS = [
    "qué risa me da el lunes",
    "no me gusta nada esto",
    "1 2 3 !",
    "genial el partido de hoy",
    "hoy no hay nada",
]


def rank_of(folder, text, word, start):
    """Return the rank of a word by sorting all that transformers says."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForMaskedLM.from_pretrained(folder).eval()
    inputs = tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
    offsets = inputs.pop("offset_mapping")[0].tolist()
    places = [
        i for i, (a, b) in enumerate(offsets)
        if b == start + len(word) and text[a:b].strip() == word
    ]  # fmt: skip
    assert len(places) == 1, "the word is not one whole token"
    right = int(inputs["input_ids"][0, places[0]])
    inputs["input_ids"][0, places[0]] = tokenizer.mask_token_id
    with torch.no_grad():
        logits = model(**inputs).logits[0, places[0]].numpy()
    return np.argsort(-logits, kind="stable").tolist().index(right) + 1


def test_ranks_equal_brute_force_for_tokenizers_of_two_kinds(make_model):
    folders = [make_model("masked", kind) for kind in ("bert", "roberta")]
    found = top_k_accuracy(folders, TEXTS, ks=[100, 1, 5], device="cpu", max_tokens=20)
    assert found.ks == (1, 5, 100)
    assert 2 not in found.sources
    assert len(found.words) == len(found.sources) >= 3
    with quiet_transformers():
        for i, (word, source) in enumerate(
            zip(found.words, found.sources, strict=True)
        ):
            text = TEXTS[source]
            assert word.isalpha()
            start = text.index(word)
            for k, folder in enumerate(folders):
                assert found.ranks[k, i] == rank_of(folder, text, word, start)
    for k, ranks in enumerate(found.ranks):
        for j, most in enumerate(found.ks):
            share = np.mean([rank <= most for rank in ranks])
            assert found.accuracy[k, j] == share
            assert found.low[k, j] <= share <= found.high[k, j]


def test_words_are_drawn_by_seed_and_batches_change_nothing(make_model):
    model = load_model(make_model("masked"), head="masked", device="cpu")
    one = top_k_accuracy([model], TEXTS)
    again = top_k_accuracy([model], TEXTS, max_tokens=1)
    assert one.words == again.words
    np.testing.assert_array_equal(one.ranks, again.ranks)
    others = {top_k_accuracy([model], TEXTS, random_state=s).words for s in range(6)}
    assert len(others) > 1


def test_of_equal_answers_the_lower_number_comes_first(make_model, monkeypatch):
    model = load_model(make_model("masked"), head="masked", device="cpu")
    n_words = model.model.config.vocab_size

    def equal(self, batch, places):
        return torch.zeros((len(places), n_words))

    monkeypatch.setattr(LoadedModel, "masked_logits", equal)
    found = top_k_accuracy([model], TEXTS)
    ids = model.tokenizer.convert_tokens_to_ids(list(found.words))
    assert found.ranks[0].tolist() == [i + 1 for i in ids]


def test_what_has_no_common_word_is_refused(make_model):
    folder = make_model("masked")
    with pytest.raises(DataError, match="no text has a word"):
        top_k_accuracy([folder], ["1 2 3", "!"], device="cpu")
    with pytest.raises(ValueError, match="a model or more"):
        top_k_accuracy([], TEXTS)
    with pytest.raises(ValueError, match="'ks' must be"):
        top_k_accuracy([folder], TEXTS, ks=[0])
