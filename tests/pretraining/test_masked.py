"""Masked language modelling: the masks' law, batches, learning, resuming, files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binomtest, chisquare

from tweetclf.exceptions import DataError
from tweetclf.pretraining import BertTraining, mask_tokens, train_bert
from tweetclf.pretraining import masked as module
from tweetclf.pretraining._masked_batches import Corpus, MaskedBatches
from tweetclf.pretraining._masked_run import PackedMaskedLM, objective

SMALL = BertTraining(
    vocab_size=300, hidden_size=16, n_layers=1, n_heads=2, max_length=16, max_iter=3,
    batch_size=16, learning_rate=5e-3, validation_fraction=0.1,
)  # fmt: skip
RNG = np.random.default_rng(0)
WORDS = ["hola", "chau", "lunes", "viernes", "risa", "pena", "gol", "mate"]
TEXTS = [" ".join(RNG.choice(WORDS, 5)) + f" {k}" for k in range(120)]


def test_masks_follow_berts_law():
    ids = np.tile(np.arange(5, 105), 400)
    hidden, places = mask_tokens(
        ids, np.zeros(len(ids), bool), rate=0.15, mask_id=4,
        choices=np.arange(5, 105), generator=np.random.default_rng(1),
    )  # fmt: skip
    assert binomtest(len(places), len(ids), 0.15).pvalue > 1e-3
    masked = hidden[places] == 4
    kept = hidden[places] == ids[places]
    counts = [masked.sum(), kept.sum(), (~masked & ~kept).sum()]
    # Of what is replaced one in a hundred is replaced by itself.
    law = np.array([0.8, 0.101, 0.099]) * len(places)
    assert chisquare(counts, law).pvalue > 1e-3
    others = np.delete(hidden, places)
    assert_array_equal(others, np.delete(ids, places))


def test_special_tokens_are_never_chosen_and_one_token_always_is():
    ids = np.array([2, 9, 3])
    for seed in range(50):
        _, places = mask_tokens(
            ids, ids < 5, rate=0.01, mask_id=4, choices=np.array([7]),
            generator=np.random.default_rng(seed),
        )  # fmt: skip
        assert places.tolist() == [1]
    _, none = mask_tokens(
        ids, np.ones(3, bool), rate=0.5, mask_id=4, choices=np.array([7]),
        generator=np.random.default_rng(0),
    )  # fmt: skip
    assert len(none) == 0


def test_whole_words_are_chosen_with_all_of_their_pieces():
    starts = np.array([1, 1, 0, 0, 1, 0, 1], bool)
    ids = np.array([2, 10, 11, 12, 13, 14, 3])
    words = [{1, 2, 3}, {4, 5}]
    n_chosen = np.zeros(2)
    for seed in range(400):
        _, places = mask_tokens(
            ids, ids < 5, rate=0.3, mask_id=4, choices=np.arange(5, 20),
            generator=np.random.default_rng(seed), word_starts=starts,
        )  # fmt: skip
        chosen = set(places.tolist())
        assert chosen  # at least one word
        for number, word in enumerate(words):
            assert chosen & word in (set(), word)
            n_chosen[number] += word <= chosen
    # .3, and half of the cases in which neither was drawn: .3 + .49 / 2.
    for n in n_chosen:
        assert binomtest(int(n), 400, 0.545).pvalue > 1e-3


def _batches(corpus, rows, seed):
    masking = module._masking(corpus, SMALL.mask_rate)
    return MaskedBatches(corpus, rows, masking, batch_size=16, seed=seed)


def test_batches_depend_on_seed_and_epoch_alone():
    corpus = Corpus(module._learn_tokenizer(TEXTS, SMALL).encode_batch, TEXTS)
    rows = np.arange(100)
    first, again = (_batches(corpus, rows, 3) for _ in range(2))
    list(first.epoch(0))  # what ran before changes nothing
    for a, b in zip(first.epoch(2), again.epoch(2), strict=True):
        assert all(torch.equal(a[name], b[name]) for name in a)
    assert sum(len(batch["lengths"]) for batch in first.epoch(1)) == len(rows)


def test_the_packed_loss_is_that_of_transformers():
    """One by one, through BertForMaskedLM as it stands, with labels of -100."""
    tokenizer = module._learn_tokenizer(TEXTS, SMALL)
    corpus = Corpus(tokenizer.encode_batch, TEXTS)
    plain = replace(SMALL, dropout=0.0)
    net = PackedMaskedLM(module._make_model(tokenizer, plain, 0)).eval()
    (batch, *_) = _batches(corpus, np.arange(16), 0).epoch(0)
    loss, logs = objective(net, batch)
    reference = module._make_model(tokenizer, plain, 0).eval()
    labels = torch.full_like(batch["input_ids"], -100)
    labels[batch["places"]] = batch["targets"]
    total = 0.0
    parts = batch["lengths"].tolist()
    for ids, of in zip(
        batch["input_ids"].split(parts), labels.split(parts), strict=True
    ):
        n_chosen = int((of != -100).sum())
        if n_chosen:
            answer = reference(input_ids=ids[None], labels=of[None])
            total += float(answer.loss.detach()) * n_chosen
    assert_allclose(float(loss.detach()), total / logs["weight"], rtol=1e-5)


def test_it_learns_and_transformers_loads_it(tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    training = replace(SMALL, max_iter=12)
    result = train_bert(TEXTS, tmp_path / "bert", training=training)
    losses = [epoch["valid_loss"] for epoch in result.history]
    assert losses[-1] < losses[0] - 0.5
    assert result.valid_loss == min(losses)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "bert")
    encoder = transformers.AutoModel.from_pretrained(tmp_path / "bert")
    assert tokenizer.decode(
        tokenizer("hola 😂 ñandú")["input_ids"], skip_special_tokens=True
    ).strip() == "hola 😂 ñandú"  # fmt: skip
    assert tokenizer.model_max_length == encoder.config.max_position_embeddings == 16


def test_the_same_seed_gives_the_same_files_and_resuming_too(tmp_path: Path):
    state = torch.random.get_rng_state()
    train_bert(TEXTS, tmp_path / "whole", training=SMALL, random_state=5)
    assert torch.equal(torch.random.get_rng_state(), state)

    def interrupt(event):
        if event["kind"] == "epoch" and event["epoch"] == 1:
            raise KeyboardInterrupt

    options = {"training": SMALL, "random_state": 5, "checkpoint": tmp_path / "kept"}
    with pytest.raises(KeyboardInterrupt):
        train_bert(TEXTS, tmp_path / "cut", report=interrupt, **options)
    assert not (tmp_path / "cut").exists()
    with pytest.raises(DataError, match="another training"):
        train_bert(TEXTS[1:], tmp_path / "cut", **options)
    train_bert(TEXTS, tmp_path / "cut", **options)
    assert not (tmp_path / "kept").exists()
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        whole, cut = ((tmp_path / d / name).read_bytes() for d in ("whole", "cut"))
        assert whole == cut, name


def test_what_cannot_be_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="1 texts"):
        train_bert(["hola", "hola", " "], tmp_path / "x", training=SMALL)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(FileExistsError, match="not an empty folder"):
        train_bert(TEXTS, tmp_path / "full", training=SMALL)
    for wrong in ({"mask_rate": 0.0}, {"n_heads": 3}, {"max_iter": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            replace(SMALL, **wrong)
    with pytest.raises(ValueError, match="max_length"):
        replace(SMALL, max_length=2)
