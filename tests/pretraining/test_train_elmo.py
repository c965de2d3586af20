"""Learning ELMo weights: batches against loops, what is learnt, resuming."""

from __future__ import annotations

import json
import math
from collections import Counter

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tweetclf.exceptions import DataError, UnknownNameError  # noqa: E402
from tweetclf.features import ElmoVectorizer, ElmoWeights  # noqa: E402
from tweetclf.modules import ElmoConfig, ElmoLanguageModel  # noqa: E402
from tweetclf.preprocessing import get_profile  # noqa: E402
from tweetclf.preprocessing.characters import TokenCharacters  # noqa: E402
from tweetclf.pretraining import ELMO_SIZES, ElmoTraining, train_elmo  # noqa: E402
from tweetclf.pretraining._elmo_corpus import ElmoBatches, _sample, read_corpus  # noqa: E402

CONFIG = ElmoConfig(
    char_dim=4, filters=[(1, 4), (2, 4)], n_highway=1, projection_dim=6, cell_dim=8
)
TOKENS = [
    ["hola", "que", "tal"],
    ["que", "pena"],
    ["<S>", "hola"],
    ["que", "tal", "que", "tal", "que"],
]
# Whoever has read the first word knows the rest, in both directions but for one bit.
TWEETS = [f"{a} el {b}" for a, b in [("risa", "lunes"), ("pena", "martes")]] * 30


def read(tokens=TOKENS, **options):
    defaults = {"min_count": 1, "max_vocabulary": 100, "max_length": 100}
    return read_corpus(tokens, CONFIG, **{**defaults, **options})


def spell(corpus, characters):
    """Return the token whose characters these ids are."""
    ids = [int(i) for i in characters if i != 261]
    assert ids[0] == 259
    assert ids[-1] == 260
    if ids[1:-1] in ([257], [258]):
        return {257: "<S>", 258: "</S>"}[ids[1]]
    return bytes(i - 1 for i in ids[1:-1]).decode()


# -- the corpus -----------------------------------------------------------------------


def test_words_are_numbered_by_how_often_they_occur():
    corpus = read()
    tokens = [spell(corpus, row) for row in corpus.characters]
    numbers = dict(zip(tokens, corpus.words.tolist(), strict=True))
    assert numbers == {
        "<S>": 0,
        "</S>": 1,
        "que": 3,
        "tal": 4,
        "hola": 5,
        "pena": 6,
    }
    assert corpus.n_words == 7
    rarer = read(min_count=2)
    assert rarer.n_words == 6
    fewer = read(max_vocabulary=1)
    assert fewer.n_words == 4
    for corpus in (rarer, fewer):
        words = corpus.words.tolist()
        numbers = dict(zip(tokens, words, strict=True))
        assert numbers["pena"] == 2
        assert numbers["que"] == 3


def test_long_tweets_are_cut_and_empty_ones_left_out():
    corpus = read([["a"] * 5, [], ["b"]], max_length=2)
    assert corpus.lengths.tolist() == [4, 4, 3, 3]
    with pytest.raises(DataError, match="the corpus is empty: it has no token"):
        read([[], []])


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_hold_what_stands_before_and_behind_each_token(shuffle):
    corpus = read(min_count=2)
    numbers = {
        spell(corpus, row): word
        for row, word in zip(corpus.characters, corpus.words.tolist(), strict=True)
    }
    batches = ElmoBatches(
        corpus,
        np.arange(4),
        widest=2,
        batch_size=3,
        max_tokens=100,
        shuffle=shuffle,
    )
    seen = Counter()
    for batch in batches.epoch(0):
        sizes = batch["batch_sizes"]
        starts = np.cumsum([0, *sizes])
        characters = batch["characters"]
        longest = (characters != 261).sum(1).max()
        assert characters.shape[1] == longest + 2
        assert len(characters) == len(set(batch["tokens"].tolist()))
        for row in range(sizes[0]):
            places = [s + row for s, n in zip(starts, sizes, strict=False) if row < n]
            tokens = [
                spell(corpus, characters[batch["tokens"][p]].tolist()) for p in places
            ]
            assert (tokens[0], tokens[-1]) == ("<S>", "</S>")
            seen[tuple(tokens[1:-1])] += 1
            words = [numbers[token] for token in tokens]
            assert batch["next"][places].tolist() == [*words[1:], -1]
            assert batch["previous"][places].tolist() == [-1, *words[:-1]]
    assert seen == Counter(map(tuple, TOKENS))


def test_batches_of_an_epoch_are_always_the_same():
    corpus = read([[f"w{i % 50}"] * (i % 7 + 1) for i in range(200)])
    options = {"widest": 2, "batch_size": 8, "max_tokens": 40, "n_sampled": 10}
    one, two = (ElmoBatches(corpus, np.arange(200), **options) for _ in range(2))
    assert one.n_batches(3) == len(list(one.epoch(3)))
    first = list(one.epoch(3))
    list(one.epoch(4))
    for a, b in zip(first, two.epoch(3), strict=True):
        assert a.keys() == b.keys()
        torch.testing.assert_close(a["next"], b["next"])
        torch.testing.assert_close(a["candidates"], b["candidates"])
    other = next(two.epoch(4))
    assert not torch.equal(
        other["candidates"]["words"], first[0]["candidates"]["words"]
    )


def test_sampled_words_come_as_often_as_is_said():
    corpus = read([[f"w{i}"] for i in range(60)])
    batches = ElmoBatches(
        corpus, np.arange(60), widest=2, batch_size=1, max_tokens=9, n_sampled=20
    )
    drawn, n = Counter(), 0
    for epoch in range(30):
        for batch in batches.epoch(epoch):
            words = batch["candidates"]["words"].tolist()
            assert len(set(words)) == len(words)
            drawn.update(words)
            n += 1
    expected = batch["candidates"]["log_expected"].exp().numpy()
    found = np.array([drawn[word] / n for word in range(corpus.n_words)])
    deviation = np.sqrt(expected * (1 - expected) / n)
    assert np.abs((found - expected) / deviation).max() < 4.5


# -- training -------------------------------------------------------------------------


def train(out, *, tweets=TWEETS, checkpoint=None, report=None, seed=0, **options):
    settings = {"max_iter": 3, "batch_size": 8, "validation_fraction": 0.1}
    return train_elmo(
        tweets,
        out,
        size=CONFIG,
        training=ElmoTraining(**{**settings, **options}),
        random_state=seed,
        checkpoint=checkpoint,
        report=report,
        device="cpu",
    )


def arrays(folder):
    return ElmoWeights.read(folder).arrays


def assert_same_weights(a, b):
    first, second = arrays(a), arrays(b)
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def test_it_learns_what_can_be_known(tmp_path):
    result = train(
        tmp_path / "elmo", max_iter=12, learning_rate=0.05, dropout=0.0, n_sampled=None
    )
    # Of four words a direction foretells one is a coin's throw, and three are certain.
    assert 2 ** (1 / 4) <= result.perplexity < 1.5
    losses = [entry["loss"] for entry in result.history]
    assert losses[-1] < losses[0] / 4
    assert (result.n_texts, result.n_tokens, result.n_words) == (60, 180, 8)
    elmo = ElmoVectorizer(result.path, layers=2).fit(TWEETS)
    risa, pena = elmo.token_vectors([["risa", "el"], ["pena", "el"]])
    # The same word in another context has another vector.
    assert np.abs(risa[1] - pena[1]).max() > 0.1


def test_a_sample_in_place_of_all_words_leads_to_the_same_softmax():
    # The best for the sampled loss is the distribution of the words itself, or would be
    # if the words of a sample were drawn independently of each other.
    shares = np.array([0.02, 0.3, 0.02, 0.2, 0.06, 0.1, 0.2, 0.1])
    targets = torch.from_numpy(
        np.repeat(np.arange(8), np.rint(shares * 50).astype(int))
    )
    model = ElmoLanguageModel(CONFIG, n_words=8)
    bias = model.softmax.bias
    torch.nn.init.zeros_(bias)
    hidden = torch.zeros(len(targets), CONFIG.projection_dim)
    optimizer = torch.optim.Adam([bias], lr=0.1)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, 600)
    rng = np.random.default_rng(0)
    for _ in range(600):
        optimizer.zero_grad()
        candidates = _sample(rng, 8, 8)
        model.sampled_loss(hidden, targets, **candidates).backward()
        optimizer.step()
        schedule.step()
    found = torch.softmax(bias.detach(), dim=0).numpy()
    np.testing.assert_allclose(found, shares, atol=0.03)


def test_training_with_a_sample_learns_too(tmp_path):
    tweets = [f"{w} {w} {w}" for w in "abcdef"] * 10
    options = {"tweets": tweets, "learning_rate": 0.05, "dropout": 0.0, "n_sampled": 6}
    result = train(tmp_path / "elmo", max_iter=8, **options)
    assert result.perplexity < 0.6 * result.n_words


def test_weights_are_the_same_bits_for_the_same_seed(tmp_path):
    state = torch.random.get_rng_state()
    for name in ("a", "b"):
        train(tmp_path / name)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert_same_weights(tmp_path / "a", tmp_path / "b")
    train(tmp_path / "c", seed=1)
    name = "encoder.projection.weight"
    assert not np.array_equal(
        arrays(tmp_path / "a")[name], arrays(tmp_path / "c")[name]
    )


def test_an_interrupted_training_goes_on_to_the_same_weights(tmp_path):
    whole = train(tmp_path / "whole", n_sampled=4)

    def interrupt(event):
        if event["kind"] == "step" and event["epoch"] == 2:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "checkpoint"
    options = {"checkpoint": checkpoint, "n_sampled": 4}
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", report=interrupt, **options)
    assert checkpoint.is_dir()
    assert not (tmp_path / "cut").exists()
    epochs = []
    result = train(
        tmp_path / "cut",
        report=lambda event: epochs.append(event["epoch"]) or None,
        **options,
    )
    assert set(epochs) == {2}
    assert not checkpoint.exists()
    assert result.perplexity == whole.perplexity
    assert_same_weights(tmp_path / "whole", tmp_path / "cut")


def test_the_checkpoint_of_another_training_is_refused(tmp_path):
    def interrupt(event):
        if event["kind"] == "step" and event["epoch"] == 1:
            raise KeyboardInterrupt

    options = {"checkpoint": tmp_path / "checkpoint"}
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "elmo", report=interrupt, **options)
    for change in ({"seed": 1}, {"max_iter": 4}, {"tweets": TWEETS[1:]}):
        with pytest.raises(DataError, match="checkpoint of another training"):
            train(tmp_path / "elmo", **options, **change)


def test_the_best_epoch_is_kept_and_training_may_stop_early(tmp_path):
    result = train(
        tmp_path / "elmo",
        tweets=[f"w{i} x{i}" for i in range(60)],  # nothing can be known
        max_iter=40,
        learning_rate=0.05,
        min_count=1,
        n_iter_no_change=2,
    )
    assert result.stopped == "no_improvement"
    found = [entry["valid_perplexity"] for entry in result.history]
    assert result.perplexity == pytest.approx(min(found))
    assert len(found) == int(np.argmin(found)) + 3


def test_without_held_out_tweets_the_last_epoch_is_kept(tmp_path):
    result = train(tmp_path / "elmo", validation_fraction=0.0)
    assert result.perplexity is None
    assert "valid_loss" not in result.history[-1]
    # A single tweet cannot be divided.
    assert train(tmp_path / "one", tweets=TWEETS[:1]).perplexity is None


def test_weights_remember_how_they_were_learnt(tmp_path):
    result = train_elmo(
        TWEETS,
        tmp_path / "elmo",
        size=CONFIG,
        training=ElmoTraining(max_iter=1),
        tokenizer="atalaya-basic",
        language="en",
        random_state=3,
    )
    metadata = json.loads((tmp_path / "elmo" / "elmo.json").read_text())["metadata"]
    assert metadata["tokenizer"] == {"profile": "atalaya-basic@1", "language": "en"}
    assert metadata["random_state"] == 3
    assert metadata["perplexity"] == result.perplexity
    elmo = ElmoVectorizer(tmp_path / "elmo").fit(["x"])
    expected = get_profile("atalaya-basic").make_tokenizer(language="en")
    assert elmo.tokenize(["@pepe holaaaaa"]) == [expected("@pepe holaaaaa")]


def test_the_perplexity_is_that_of_the_full_softmax(tmp_path):
    result = train(tmp_path / "elmo", n_sampled=4, max_iter=1)
    assert result.perplexity == pytest.approx(
        math.exp(result.history[-1]["valid_loss"])
    )
    # About that of guessing after one epoch, and not that of 4 words.
    assert result.perplexity > 4


def test_bad_arguments_are_named(tmp_path):
    for options, message in (
        ({"max_iter": 0}, "'max_iter' parameter must be an int of at least 1. Got 0"),
        ({"n_sampled": 0}, "'n_sampled' parameter must be an int of at least 1, or"),
        ({"dropout": 1.0}, "'dropout' parameter must be at least 0 and less than 1"),
        ({"learning_rate": 0}, "'learning_rate' parameter must be above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            ElmoTraining(**options)
    with pytest.raises(ValueError, match=r"\['original', 'small', 'tiny'\] or an Elmo"):
        train_elmo(TWEETS, tmp_path / "elmo", size="large")
    with pytest.raises(ValueError, match="characters are bytes"):
        train_elmo(TWEETS, tmp_path / "elmo", size=ElmoConfig(n_characters=300))
    with pytest.raises(UnknownNameError, match="atalya"):
        train_elmo(TWEETS, tmp_path / "elmo", size=CONFIG, tokenizer="atalya-basic")
    (tmp_path / "a").touch()
    with pytest.raises(FileExistsError, match="not an empty folder"):
        train_elmo(TWEETS, tmp_path, size=CONFIG)
    with pytest.raises(DataError, match="no token"):
        train_elmo([], tmp_path / "elmo", size=CONFIG)


def test_sizes_are_the_published_ones():
    # 93.6 and 13.6 million, as AllenNLP says of its models, without the softmax.
    for name, millions in (("original", 93.6), ("small", 13.6)):
        shapes = ELMO_SIZES[name].shapes().values()
        assert sum(map(math.prod, shapes)) / 1e6 == pytest.approx(millions, abs=0.05)
    assert TokenCharacters().encode(["x"], margin=50)[0].shape == (1, 50)
