"""Social pre-training: batches, the joint loss, pairs apart, stages, resuming."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare
from sklearn.metrics.pairwise import cosine_similarity
from torch.nn import functional as F

from tweetclf.exceptions import DataError, TweetclfWarning
from tweetclf.features import TransformerVectorizer
from tweetclf.modules import nt_xent
from tweetclf.pretraining import (
    BertTraining,
    SocialModel,
    SocialTraining,
    run_social_config,
    train_bert,
    train_social_encoder,
)
from tweetclf.pretraining import social as module
from tweetclf.pretraining._social_batches import (
    SocialBatches,
    TweetTokens,
    order_by_language,
    tokenize,
)
from tweetclf.pretraining._social_inputs import (
    load_tokenizer,
    read_groups,
    read_tweets,
)
from tweetclf.pretraining._social_net import HeldPairs, SocialObjective
from tweetclf.pretraining.social_config import (
    packaged_social_config,
    read_pair_corpus,
    read_social_config,
)

RNG = np.random.default_rng(0)
WORDS = [["gol", "pase", "red"], ["voto", "ley", "urna"], ["pan", "sal", "olla"]]
TOPIC = RNG.integers(3, size=60)
TEXTS = [f"{' '.join(RNG.choice(WORDS[t], 4))} {k}" for k, t in enumerate(TOPIC)]
PAIRS = np.array(
    [(i, j) for i in range(60) for j in range(i) if TOPIC[i] == TOPIC[j]]
)[::4]  # fmt: skip
SMALL = SocialTraining(
    projection=(16, 8), batch_size=16, max_iter=2, learning_rate=3e-3, max_length=16,
    validation_fraction=0.1,
)  # fmt: skip


@pytest.fixture(scope="module")
def stage1(tmp_path_factory):
    sizes = BertTraining(
        vocab_size=300, hidden_size=16, n_layers=1, n_heads=2, max_length=24,
        max_iter=1, batch_size=16, dropout=0.0,
    )  # fmt: skip
    return train_bert(TEXTS, tmp_path_factory.mktemp("s") / "bert", training=sizes).path


@pytest.fixture(scope="module")
def tokenizer(stage1):
    return load_tokenizer(None, stage1, None)


def _tweets(tokenizer, training=SMALL):
    return read_tweets(TEXTS, tokenizer, training)


def _batch(tokenizer, n=6, **options):
    batches = SocialBatches(_tweets(tokenizer), PAIRS, batch_size=n, mask_rate=0.3,
                            **options)  # fmt: skip
    return next(batches.epoch(0))


TENSORS = ("input_ids", "lengths", "places", "targets", "identities")


# Batches -------------------------------------------------------------------------


def test_both_tweets_of_a_pair_are_in_the_batch_apart(tokenizer):
    batch = _batch(tokenizer)
    firsts, seconds = batch["identities"].reshape(2, 6).tolist()
    pairs = {tuple(pair) for pair in PAIRS.tolist()}
    assert all(pair in pairs for pair in zip(firsts, seconds, strict=True))
    clean = batch["input_ids"].clone()
    clean[batch["places"]] = batch["targets"]
    parts = clean.split(batch["lengths"].tolist())
    for part, tweet in zip(parts, firsts + seconds, strict=True):
        assert part.tolist() == tokenizer(TEXTS[tweet])["input_ids"]
    special = torch.isin(batch["targets"], torch.tensor(tokenizer.all_special_ids))
    assert not special.any()


def _tweets_of_sequences(batch) -> list[list[int]]:
    """Return the numbers of the tweets of each sequence."""
    starts = batch["lengths"].numpy().cumsum() - batch["lengths"].numpy()
    sequence = np.searchsorted(batch["sizes"].cumsum(), starts, side="right")
    found: list[list[int]] = [[] for _ in batch["sizes"]]
    for number, tweet in zip(sequence, batch["identities"].tolist(), strict=True):
        found[number].append(tweet)
    return found


def _check_apart(batch) -> None:
    """Check by who they are that no partners, and no tweet twice, share a sequence."""
    partners = [set(pair) for pair in batch["identities"].reshape(2, -1).T.tolist()]
    for tweets in _tweets_of_sequences(batch):
        assert len(set(tweets)) == len(tweets)
        assert not any(pair <= set(tweets) for pair in partners)


@pytest.mark.parametrize(
    "groups",
    [
        [[1, 2], [0, 1]],
        [[k, k + 1] for k in range(8)],
        [[7 - k, 8 - k] for k in range(8)],
        [[0, k] for k in range(1, 9)],
    ],
    ids=["two", "chain", "chain backwards", "star"],
)
def test_partners_stay_apart_where_pairs_form_a_chain(tokenizer, groups):
    tweets = _tweets(tokenizer, replace(SMALL, max_length=100))
    options = {"batch_size": len(groups), "mask_rate": 0.3, "shuffle": False}
    batch = next(SocialBatches(tweets, np.array(groups), blocked=False,
                               **options).epoch(0))  # fmt: skip
    _check_apart(batch)
    assert batch["sizes"].sum() == batch["lengths"].sum()
    assert len(batch["sizes"]) < len(batch["lengths"]) or len(groups) == 2


def test_a_pair_of_another_process_is_apart_too(tokenizer):
    groups = np.array([[0, 5], [1, 6], [0, 1], [7, 8]])
    tweets = _tweets(tokenizer, replace(SMALL, max_length=100))
    options = {"batch_size": 4, "mask_rate": 0.3, "shuffle": False, "world_size": 2}
    first, second = (
        next(SocialBatches(tweets, groups, blocked=False, rank=r, **options).epoch(0))
        for r in range(2)
    )
    assert _tweets_of_sequences(first) == [[0], [1, 5], [6]]
    assert _tweets_of_sequences(second) == [[0, 7], [1, 8]]


def test_tweets_alone_share_sequences_but_not_with_themselves(tokenizer):
    groups = np.array([[3], [4], [3], [5]])
    tweets = _tweets(tokenizer, replace(SMALL, max_length=100))
    batch = next(SocialBatches(tweets, groups, batch_size=4, mask_rate=0.3,
                               shuffle=False, blocked=False).epoch(0))  # fmt: skip
    assert _tweets_of_sequences(batch) == [[3, 4], [3, 5]]


def test_tweets_may_share_sequences_but_pairs_never_do(tokenizer, stage1):
    """The states are those of a plain BERT on the sequences, one by one."""
    from transformers import AutoModelForMaskedLM

    from tweetclf.pretraining.objectives import PackedPreTraining

    batch = _batch(tokenizer, blocked=False)
    lengths, sizes = batch["lengths"].numpy(), batch["sizes"]
    assert sizes.sum() == lengths.sum()
    assert sizes.max() <= SMALL.max_length
    assert len(sizes) < len(lengths)
    begins, starts = lengths.cumsum() - lengths, sizes.cumsum() - sizes
    assert set(starts) <= set(begins)  # no tweet is cut
    _check_apart(batch)
    model = AutoModelForMaskedLM.from_pretrained(stage1).eval()
    with torch.no_grad():
        plain = [
            model.base_model(part[None]).last_hidden_state[0]
            for part in batch["input_ids"].split(sizes.tolist())
        ]
        states = torch.cat(plain)[begins]
        packed = PackedPreTraining(model).eval()
        _, _, first = packed(batch)
        _, _, apart = packed(_batch(tokenizer))
    assert_allclose(first, states, atol=1e-5)
    assert not np.allclose(first, apart, atol=1e-3)


def test_training_with_shared_sequences_is_another_one(stage1, tokenizer, tmp_path):
    from safetensors.torch import load_file

    found = {}
    for blocked in (True, False):
        training = replace(SMALL, n_steps=3, blocked_attention=blocked)
        out = tmp_path / str(blocked)
        train_social_encoder(TEXTS, PAIRS, out, model=stage1, training=training)
        found[blocked] = (out / "model.safetensors").read_bytes()
        told = json.loads((out / "social.json").read_text("utf-8"))
        assert told["training"]["blocked_attention"] is blocked
        # What is held out is measured as it is trained.
        read, groups = _tweets(tokenizer), read_groups(PAIRS, 60, training)
        held = groups[module._hold_out(len(groups), training, 0)[1]]
        measured = SocialBatches(read, held, batch_size=len(held), mask_rate=0.15,
                                 shuffle=False, blocked=blocked)  # fmt: skip
        net = _net(out, tokenizer, training)
        head = load_file(out / "projection.safetensors")
        net.projection.load_state_dict(head)
        with torch.inference_mode():
            scores = HeldPairs(measured, training)(net)
        assert told["scores"] == pytest.approx(scores, rel=1e-4)
    assert found[True] != found[False]


def test_long_tweets_are_cut_and_shards_are_one_row_of_tweets(tokenizer):
    flat, offsets = tokenize(tokenizer, TEXTS)
    special = {n: getattr(tokenizer, f"{n}_token_id") for n in ("cls", "sep", "mask")}
    options = {"special": special, "never": [], "vocab_size": 300, "max_length": 6}
    one = TweetTokens([(flat, offsets)], **options)
    cut = offsets[20]
    two = TweetTokens(
        [(flat[:cut], offsets[:21]), (flat[cut:], offsets[20:] - cut)], **options
    )
    rows = np.array([19, 20, 59, 0, 21, 20])
    for ours, theirs in zip(one.take(rows), two.take(rows), strict=True):
        assert_array_equal(ours, theirs)
    ids, lengths = one.take(rows)
    assert lengths.max() == 6
    assert ids[0] == special["cls"]
    assert ids[lengths[0] - 1] == special["sep"]
    assert (
        ids[1 : lengths[0] - 1].tolist() == flat[offsets[19] : offsets[19] + 4].tolist()
    )


def test_batches_depend_on_seed_and_epoch_and_processes_share_them(tokenizer):
    options = {"batch_size": 8, "mask_rate": 0.3, "seed": 3}
    tweets = _tweets(tokenizer)
    whole = list(SocialBatches(tweets, PAIRS, **options).epoch(1))
    again = list(SocialBatches(tweets, PAIRS, **options).epoch(1, start=2))
    for a, b in zip(whole[2:], again, strict=True):
        assert all(torch.equal(a[n], b[n]) for n in TENSORS)
    shares = [
        list(SocialBatches(tweets, PAIRS, rank=r, world_size=2, **options).epoch(1))
        for r in range(2)
    ]
    for batch, *parts in zip(whole, *shares, strict=True):
        found = torch.cat([p["identities"].reshape(2, 4) for p in parts], dim=1)
        assert torch.equal(found.reshape(-1), batch["identities"])
        # Masks are those of one process, too.
        pieces = [p["input_ids"].split(p["lengths"].tolist()) for p in parts]
        together = [*pieces[0][:4], *pieces[1][:4], *pieces[0][4:], *pieces[1][4:]]
        assert torch.equal(torch.cat(together), batch["input_ids"])


def test_steps_are_counted_over_epochs(tokenizer):
    batches = SocialBatches(_tweets(tokenizer), PAIRS[:40], batch_size=8, mask_rate=0.2,
                            accumulate=2, n_steps=12)  # fmt: skip
    assert batches.n_epochs == 3
    assert [batches.n_batches(e) for e in range(3)] == [10, 10, 4]
    assert sum(len(list(batches.epoch(e))) for e in range(3)) == 24
    with pytest.raises(DataError, match="cannot be read in 3 equal parts"):
        SocialBatches(_tweets(tokenizer), PAIRS, batch_size=8, mask_rate=0.2,
                      accumulate=3)  # fmt: skip


def test_languages_come_by_the_power_of_their_frequency():
    languages = np.repeat([0, 1, 2], [8000, 1500, 500])
    rows = order_by_language(languages, 0.7, np.random.default_rng(1))
    counts = np.bincount(languages[rows])
    law = np.array([8000, 1500, 500]) ** 0.7
    assert len(rows) == 10_000
    assert np.abs(counts - law / law.sum() * 10_000).max() < 1
    often = np.bincount(rows, minlength=10_000)
    assert often[languages == 0].max() == 1  # no row twice before all have come
    rare = often[languages == 2]
    assert rare.max() - rare.min() == 1
    # Which ones come is chance.
    halves = often[languages == 0].reshape(8, 1000).sum(axis=1)
    assert chisquare(halves).pvalue > 1e-3
    rows = order_by_language(languages, 1, np.random.default_rng(1))
    assert_array_equal(np.sort(rows), np.arange(10_000))


# The loss ------------------------------------------------------------------------


def _net(stage1, tokenizer, training=SMALL):
    return module._make_net(stage1, tokenizer, training, 0).eval()


def test_the_loss_is_the_weighted_sum_computed_tweet_by_tweet(stage1, tokenizer):
    from transformers import BertForMaskedLM

    training = replace(SMALL, social_weight=0.7, mlm_weight=0.3, temperature=0.2)
    net = _net(stage1, tokenizer, training)
    batch = _batch(tokenizer)
    loss, logs = SocialObjective(training)(net, batch)
    plain = BertForMaskedLM.from_pretrained(stage1).eval()
    labels = torch.full_like(batch["input_ids"], -100)
    labels[batch["places"]] = batch["targets"]
    total, first = 0.0, []
    lengths = batch["lengths"].tolist()
    with torch.no_grad():
        for ids, wanted in zip(
            batch["input_ids"].split(lengths), labels.split(lengths), strict=True
        ):
            out = plain(ids[None], output_hidden_states=True)
            total += F.cross_entropy(out.logits[0], wanted, reduction="sum").item()
            first.append(out.hidden_states[-1][0, 0])
        z = net.projection(torch.stack(first))
        ids = batch["identities"]
        social = nt_xent(z[:6], z[6:], temperature=0.2, identities=(ids[:6], ids[6:]))
    mlm = total / len(batch["targets"])
    assert logs["mlm_loss"].item() == pytest.approx(mlm, rel=1e-5)
    assert logs["social_loss"].item() == pytest.approx(social.item(), rel=1e-5)
    assert loss.item() == pytest.approx(0.7 * social.item() + 0.3 * mlm, rel=1e-5)


def test_no_tweet_sees_another(stage1, tokenizer):
    """Parity row P34: packed first states are those of tweets alone, partners too."""
    net = _net(stage1, tokenizer)
    batch = _batch(tokenizer)
    with torch.no_grad():
        _, first, _ = net(batch)
        changed = {**batch, "input_ids": batch["input_ids"].clone()}
        partner = int(batch["lengths"][:6].sum())
        changed["input_ids"][partner + 1] = 7  # a word of the first tweet's partner
        _, other, _ = net(changed)
    assert_allclose(first[:6], other[:6], atol=1e-6)
    assert (first[6] - other[6]).abs().max() > 1e-4


def test_two_micro_batches_or_processes_have_shares_of_a_step(stage1, tokenizer):
    net = _net(stage1, tokenizer)
    whole = SocialObjective(replace(SMALL, social_weight=0))
    net.projection = None
    batches = [_batch(tokenizer, n=n, seed=n) for n in (4, 6)]
    whole.start_step(whole.counts(batches))
    shares = [whole(net, batch)[0].item() for batch in batches]
    sums = [SocialObjective(SMALL)(net, batch)[0].item() * len(batch["targets"])
            for batch in batches]  # fmt: skip
    n = sum(len(batch["targets"]) for batch in batches)
    assert sum(shares) == pytest.approx(sum(sums) / n, rel=1e-5)


def test_clean_states_are_contrasted_if_asked_for(stage1, tokenizer):
    net = _net(stage1, tokenizer)
    batch = _batch(tokenizer, keep_clean=True)
    _, first, _ = net(batch)
    clean = {**batch, "input_ids": batch["clean_ids"]}
    del clean["clean_ids"]
    _, expected, _ = net(clean)
    assert torch.equal(first, expected)


def test_gradients_are_the_same_with_checkpointing(stage1, tokenizer):
    batch = _batch(tokenizer)
    gradients = []
    for checkpointing in (False, True):
        training = replace(SMALL, gradient_checkpointing=checkpointing)
        net = _net(stage1, tokenizer, training).train()
        calls = []
        net.model.bert.encoder.layer[0].attention.register_forward_hook(
            lambda *_, calls=calls: calls.append(1)
        )
        SocialObjective(training)(net, batch)[0].backward()
        assert len(calls) == 1 + checkpointing
        gradients.append([p.grad for p in net.parameters() if p.grad is not None])
    for a, b in zip(*gradients, strict=True):
        assert_allclose(a, b, rtol=1e-4, atol=1e-7)


# Training ------------------------------------------------------------------------


def test_topics_come_apart_and_the_directory_is_a_plain_model(
    stage1, tokenizer, tmp_path
):
    from transformers import AutoModel, AutoTokenizer

    training = replace(SMALL, max_iter=12, temperature=0.2)
    result = train_social_encoder(
        TEXTS, PAIRS, tmp_path / "out", model=stage1, training=training
    )
    assert result.scores["valid_social_loss"] < result.history[0]["valid_social_loss"]
    same = TOPIC[:, None] == TOPIC
    apart = []
    for path in (stage1, result.path):
        vectors = TransformerVectorizer(path, pooling="cls").fit_transform(TEXTS)
        cosines = cosine_similarity(vectors)
        apart.append(cosines[same].mean() - cosines[~same].mean())
    # Pairs share a topic: topics come apart.
    assert apart[1] > apart[0] + 0.05
    AutoModel.from_pretrained(result.path)
    assert AutoTokenizer.from_pretrained(result.path)(TEXTS[0]) == tokenizer(TEXTS[0])
    card = json.loads((result.path / "social.json").read_text("utf-8"))
    assert card["training"]["projection"] == [16, 8]
    assert card["n_pairs"] == len(PAIRS)
    assert (result.path / "projection.safetensors").exists()


def test_the_control_reads_the_same_batches_and_learns_from_masks(stage1, tmp_path):
    seen = {}
    losses = {}
    for weight in (0.0, 1.0):
        training = replace(SMALL, social_weight=weight, max_iter=1)
        read = []
        original = SocialBatches._make

        def spy(self, rows, first, epoch, read=read, original=original):
            batch = original(self, rows, first, epoch)
            read.append(batch["input_ids"].tolist())
            return batch

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SocialBatches, "_make", spy)
            result = train_social_encoder(
                TEXTS, PAIRS, tmp_path / str(weight), model=stage1, training=training
            )
        seen[weight] = read
        losses[weight] = result.history[0]
    assert seen[0.0] == seen[1.0]
    assert losses[0.0]["loss"] == pytest.approx(losses[0.0]["mlm_loss"])
    assert "social_loss" not in losses[0.0]
    assert not (tmp_path / "0.0" / "projection.safetensors").exists()
    assert 0 <= losses[0.0]["valid_found"] <= 1


def _weights(path: Path) -> bytes:
    return (path / "model.safetensors").read_bytes()


def test_an_interrupted_training_ends_with_the_same_bits(stage1, tmp_path):
    training = replace(SMALL, n_steps=9, accumulate=2)
    options = {"model": stage1, "training": training, "checkpoint_every": 2}
    whole = train_social_encoder(TEXTS, PAIRS, tmp_path / "whole", **options)
    assert whole.n_steps == 9

    def stop(event):
        if event["kind"] == "step" and event["step"] == 5:
            raise KeyboardInterrupt

    kept = tmp_path / "kept"
    with pytest.raises(KeyboardInterrupt):
        train_social_encoder(
            TEXTS, PAIRS, tmp_path / "cut", checkpoint=kept, report=stop, **options
        )
    with pytest.raises(DataError, match="checkpoint of another training"):
        train_social_encoder(
            TEXTS, PAIRS[:-1], tmp_path / "cut", checkpoint=kept, **options
        )
    steps = []

    def count(event):
        steps.append(event["step"]) if event["kind"] == "step" else None

    train_social_encoder(
        TEXTS, PAIRS, tmp_path / "cut", checkpoint=kept, report=count, **options
    )
    assert min(steps) > 0
    assert not kept.exists()
    assert _weights(tmp_path / "cut") == _weights(tmp_path / "whole")


def _train_a_share(rank: int, model: str, folder: str) -> None:
    """Be one of two processes that train together."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2
    )
    try:
        train_social_encoder(
            TEXTS, PAIRS, f"{folder}/two", model=model,
            training=replace(SMALL, n_steps=3), checkpoint=f"{folder}/kept",
        )  # fmt: skip
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_take_the_steps_of_one(stage1, tmp_path):
    from safetensors.torch import load_file

    torch.multiprocessing.spawn(_train_a_share, (str(stage1), str(tmp_path)), nprocs=2)
    train_social_encoder(
        TEXTS, PAIRS, tmp_path / "one", model=stage1, training=replace(SMALL, n_steps=3)
    )
    assert not (tmp_path / "kept").exists()
    one, two = (
        {**load_file(tmp_path / name / "model.safetensors"),
         **load_file(tmp_path / name / "projection.safetensors")}
        for name in ("one", "two")
    )  # fmt: skip
    start = load_file(stage1 / "model.safetensors")
    assert one.keys() == two.keys()
    for name in one:
        assert_allclose(one[name], two[name], rtol=1e-3, atol=2e-4, err_msg=name)
    moved = max((one[n] - start[n]).abs().max().item() for n in start)
    assert moved > 1e-3


def test_token_files_are_tweets_on_disk(stage1, tokenizer, tmp_path):
    from tweetclf.pretraining.corpus import write_tokens

    files = write_tokens(TEXTS, tokenizer, tmp_path / "tokens", shard_size=100)
    assert len(files.shards) > 1
    training = replace(SMALL, n_steps=2)
    for name, tweets in (("memory", TEXTS), ("disk", files)):
        train_social_encoder(
            tweets, PAIRS, tmp_path / name, model=stage1, training=training
        )
    assert _weights(tmp_path / "memory") == _weights(tmp_path / "disk")
    pairs = [(text, text) for text in TEXTS]
    two = write_tokens(pairs, tokenizer, tmp_path / "two")
    with pytest.raises(DataError, match="hold no tweets to number"):
        train_social_encoder(two, PAIRS, tmp_path / "x", model=stage1)


def test_stages_without_pairs_read_token_files(stage1, tokenizer, tmp_path):
    from tweetclf.pretraining.corpus import write_tokens

    _corpus(tmp_path / "pairs")
    write_tokens(TEXTS[:30], tokenizer, tmp_path / "tokens")
    text = TOML.replace("[tokenizer]\nvocab_size = 300\n", "")
    text = text.replace('corpus = "pairs"', 'corpus = "pairs"\ntokens = "tokens"')
    (tmp_path / "c.toml").write_text(text, "utf-8")
    config = read_social_config(tmp_path / "c.toml")
    with pytest.warns(
        TweetclfWarning, match="'mlm': .*the token files of .* hold none"
    ):
        done = run_social_config(config, tmp_path / "out")
    assert done["mlm"].n_texts == 30
    assert done["joint"].n_pairs == len(PAIRS)


def test_both_directions_and_repeats_of_a_pair_are_one():
    groups = read_groups([[3, 1], [1, 3], [3, 1], [0, 2]], 4, SMALL)
    assert groups.tolist() == [[0, 2], [1, 3]]


def test_input_that_cannot_serve_is_refused(stage1, tmp_path):
    def train(tweets=TEXTS, pairs=PAIRS, model=stage1, **options):
        train_social_encoder(
            tweets, pairs, tmp_path / "x", model=model,
            **{"training": SMALL, **options},
        )  # fmt: skip

    with pytest.raises(DataError, match=r"pair 1 is \(2, 2\); expected two different"):
        train(pairs=[[0, 1], [2, 2]])
    with pytest.raises(DataError, match=r"pair 0 is \(0, 60\)"):
        train(pairs=[[0, 60], [1, 2]])
    with pytest.raises(DataError, match="no pairs to contrast"):
        train(pairs=None)
    with pytest.raises(DataError, match="there are 2 languages for 60 tweets"):
        train(languages=["es", "pt"])
    with pytest.raises(DataError, match="'max_length' is 128, and the model has 24"):
        train(training=replace(SMALL, max_length=128))
    with pytest.raises(DataError, match="needs a tokenizer"):
        train(model=SocialModel(hidden_size=8, n_heads=2))
    with pytest.raises(ValueError, match="must not both be 0"):
        SocialTraining(social_weight=0, mlm_weight=0)
    with pytest.raises(ValueError, match="multiple of 'accumulate'"):
        SocialTraining(batch_size=10, accumulate=4)
    with pytest.raises(ValueError, match="'temperature' parameter must be positive"):
        SocialTraining(temperature=0.0)


# Stages --------------------------------------------------------------------------


def _corpus(folder: Path) -> Path:
    """Write what `tweetclf.social.write_pair_corpus` writes."""
    folder.mkdir()
    rows = [{"id": str(k), "text": t, "lang": "es"} for k, t in enumerate(TEXTS)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "tweets.jsonl").write_text(lines, "utf-8")
    np.save(folder / "pairs.npy", PAIRS.astype(np.int32))
    card = {"format": 1, "n_tweets": len(TEXTS), "n_pairs": len(PAIRS)}
    (folder / "card.json").write_text(json.dumps(card), "utf-8")
    return folder


TOML = """
kind = "social"
[model]
hidden_size = 16
n_layers = 1
n_heads = 2
max_positions = 24
[tokenizer]
vocab_size = 300
[data]
corpus = "pairs"
[[stages]]
name = "mlm"
pairs = false
social_weight = 0
n_steps = 4
batch_size = 16
max_length = 16
[[stages]]
name = "joint"
projection = [16, 8]
n_steps = 3
batch_size = 16
max_length = 16
"""


def test_stages_go_on_from_each_other_and_are_not_trained_twice(tmp_path):
    _corpus(tmp_path / "pairs")
    (tmp_path / "c.toml").write_text(TOML, "utf-8")
    config = read_social_config(tmp_path / "c.toml")
    events = []
    done = run_social_config(
        config, tmp_path / "out", report=lambda name, event: events.append(name)
    )
    assert [(name, r.n_steps, r.n_pairs) for name, r in done.items()] == [
        ("mlm", 4, 0), ("joint", 3, len(PAIRS)),
    ]  # fmt: skip
    assert set(events) == {"mlm", "joint"}
    before = _weights(tmp_path / "out" / "joint")
    assert run_social_config(config, tmp_path / "out") == {}
    assert _weights(tmp_path / "out" / "joint") == before
    (tmp_path / "c.toml").write_text(TOML.replace("n_steps = 3", "n_steps = 2"))
    with pytest.raises(DataError, match="stages of another configuration"):
        run_social_config(read_social_config(tmp_path / "c.toml"), tmp_path / "out")


def test_stages_of_another_corpus_are_not_taken_for_this_one(tmp_path):
    """As `--corpus` names it: the configuration is the same."""
    one = _corpus(tmp_path / "pairs")
    (tmp_path / "c.toml").write_text(TOML, "utf-8")
    config = read_social_config(tmp_path / "c.toml")
    run_social_config(config, tmp_path / "out")
    moved = one.rename(tmp_path / "moved")
    same = replace(config, corpus=moved)
    assert run_social_config(same, tmp_path / "out") == {}
    for name, before, after in (
        ("tweets.jsonl", b"gol", b"GOL"),
        ("pairs.npy", PAIRS[:1].astype("<i4").tobytes(), b"\0\0\0\0\1\0\0\0"),
    ):
        kept = (moved / name).read_bytes()
        assert before in kept
        (moved / name).write_bytes(kept.replace(before, after, 1))
        with pytest.raises(DataError, match="holds stages of other data than .*moved"):
            run_social_config(same, tmp_path / "out")
        (moved / name).write_bytes(kept)
    (tmp_path / "out" / "config.json").write_text("{", "utf-8")
    with pytest.raises(DataError, match="stages of another configuration"):
        run_social_config(same, tmp_path / "out")


def _tweets_in_four_languages(path: Path) -> list[str]:
    """Write 40 tweets of three languages and of an unknown one, and a blank one."""
    languages = ["es"] * 30 + ["pt"] * 6 + ["ca"] * 3 + [""]
    written = [
        name.upper() if k % 2 else f" {name}" for k, name in enumerate(languages)
    ]
    rows = [f"tuit {k},{name}" for k, name in enumerate(written)]
    path.write_text("\n".join(["text,Lang", " ,es", *rows]), "utf-8")
    return [name or "und" for name in languages]


def test_texts_of_their_own_are_resampled_by_the_languages_they_name(tmp_path):
    _corpus(tmp_path / "pairs")
    languages = _tweets_in_four_languages(tmp_path / "more.csv")
    text = TOML.replace('corpus = "pairs"', 'corpus = "pairs"\ntexts = ["more.csv"]')
    (tmp_path / "c.toml").write_text(text, "utf-8")
    config = read_social_config(tmp_path / "c.toml")
    told = []

    def spy(self, *args, original=SocialBatches.__init__, **options):
        told.append((options.get("languages"), options.get("language_power")))
        original(self, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SocialBatches, "__init__", spy)
        done = run_social_config(config, tmp_path / "out")
    assert done["mlm"].n_texts == 40
    codes, power = told[0]
    assert power == 0.7
    held = 40 - len(codes)
    counts = np.sort(np.bincount(codes, minlength=4))
    expected = np.sort(np.unique(languages, return_counts=True)[1])
    assert (expected - counts >= 0).all()
    assert (expected - counts).sum() == held == 2


@pytest.mark.parametrize("name", ["more.txt", "more.jsonl"])
def test_a_power_of_unknown_languages_is_said_to_have_no_effect(tmp_path, name):
    _corpus(tmp_path / "pairs")
    rows = [f"tuit {k}" for k in range(40)]
    if name == "more.jsonl":
        rows = [json.dumps({"text": row, "lang": None}) for row in rows]
    (tmp_path / name).write_text("\n".join(rows), "utf-8")
    text = TOML.replace('corpus = "pairs"', f'corpus = "pairs"\ntexts = ["{name}"]')
    (tmp_path / "c.toml").write_text(text, "utf-8")
    config = read_social_config(tmp_path / "c.toml")
    message = "no effect on the stage 'mlm': .*column 'lang'; else set language_power"
    with pytest.warns(TweetclfWarning, match=message):
        run_social_config(config, tmp_path / "out")
    # Said once, and not of what is there already.
    assert run_social_config(config, tmp_path / "out") == {}
    text = text.replace("pairs = false", "pairs = false\nlanguage_power = 1")
    (tmp_path / "c.toml").write_text(text, "utf-8")
    config = read_social_config(tmp_path / "c.toml")
    assert run_social_config(config, tmp_path / "other").keys() == {"mlm", "joint"}


def test_the_papers_values_are_in_the_packaged_configurations():
    base, large = (
        read_social_config(packaged_social_config(f"twhin-{size}"))
        for size in ("base", "large")
    )
    assert (base.model.hidden_size, base.model.n_layers) == (768, 12)
    assert (large.model.hidden_size, large.model.n_layers) == (1024, 24)
    for config, projection in ((base, (768, 768)), (large, (1024, 512))):
        one, two = (stage.training for stage in config.stages)
        assert [stage.pairs for stage in config.stages] == [False, True]
        assert (one.social_weight, two.social_weight) == (0, 1)
        assert (two.mlm_weight, two.temperature) == (0.05, 0.1)
        assert two.projection == projection
        assert (one.learning_rate, two.learning_rate) == (2e-4, 1e-4)
        assert one.n_steps == two.n_steps == 500_000
        assert one.warmup == two.warmup == 30_000
        assert one.language_power == two.language_power == 0.7
        assert (two.betas, two.eps, two.weight_decay) == ((0.9, 0.98), 1e-6, 0.01)
    assert base.stages[0].training.batch_size == 6000
    assert large.stages[0].training.batch_size == 8000
    assert large.stages[0].training.accumulate == 4
    assert large.stages[1].training.gradient_checkpointing
    tiny = read_social_config(packaged_social_config("twhin-tiny"))
    assert tiny.vocab_size is not None


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('kind = "social"', 'kind = "lm"', "'kind' must be"),
        ("hidden_size", "hiden_size", "Did you mean 'hidden_size'"),
        (
            "batch_size = 16\nmax_length = 16\n[[",
            "batch = 1\n[[",
            "unknown key 'batch'",
        ),
        ("n_steps = 3", "temperature = -1", "'joint'.*must be positive"),
        ("[[stages]]", "[[parts]]", "unknown key 'parts'"),
        ("[model]", "[model", "is not TOML"),
        ("vocab_size", "n_vocab", "unknown key 'n_vocab'"),
    ],
)
def test_a_wrong_configuration_says_where(tmp_path, before, after, message):
    (tmp_path / "c.toml").write_text(TOML.replace(before, after), "utf-8")
    with pytest.raises(DataError, match=message):
        read_social_config(tmp_path / "c.toml")


def test_a_damaged_pair_corpus_is_refused(tmp_path):
    folder = _corpus(tmp_path / "pairs")
    texts, pairs, languages = read_pair_corpus(folder)
    assert texts == TEXTS
    assert_array_equal(pairs, PAIRS)
    assert set(languages) == {"es"}
    np.save(folder / "pairs.npy", PAIRS[:-1].astype(np.int32))
    with pytest.raises(DataError, match="its files are not those of its card"):
        read_pair_corpus(folder)
