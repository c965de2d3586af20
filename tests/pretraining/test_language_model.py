"""Causal language models: the stream, the objective, training, resuming, folders."""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sentencepiece")

from tweetclf.exceptions import DataError, ModelFormatError  # noqa: E402
from tweetclf.modules import AWDDropout, AWDLanguageModel  # noqa: E402
from tweetclf.pretraining import (  # noqa: E402
    LanguageModel,
    LanguageModelConfig,
    LanguageModelTraining,
    Stage,
    load_language_model,
    perplexity,
    train_language_model,
)
from tweetclf.pretraining._causal import (  # noqa: E402
    CausalObjective,
    StagedCycles,
    make_encoder,
)
from tweetclf.pretraining._token_stream import TokenStream  # noqa: E402
from tweetclf.pretraining.stages import as_stages  # noqa: E402

TEXTS = [f"hoy {a} y mañana {b}" for a in ("risa", "pena", "sol") for b in "abcdefgh"]
CONFIG = LanguageModelConfig(vocab_size=60, emb_size=8, hidden_size=12, n_layers=2)


def _training(*stages: tuple[Any, ...], **options: Any) -> LanguageModelTraining:
    return LanguageModelTraining(stages=stages, batch_size=4, bptt=8, **options)


def _train(*stages: tuple[Any, ...], **options: Any) -> LanguageModel:
    how = _training(*stages, dropout_multiplier=0.2)
    return train_language_model(TEXTS, CONFIG, how, **options)


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return _train((6, 0.05))


def _module(model: LanguageModel) -> Any:
    encoder = make_encoder(model.config, len(model.tokenizer), AWDDropout())
    module = AWDLanguageModel(encoder)
    module.load_state_dict({k: torch.from_numpy(v) for k, v in model.state.items()})
    return module.eval()


# The stream


def _ids(n_texts: int = 30) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [
        np.arange(n, dtype=np.int32) + 100 * i
        for i, n in enumerate(generator.integers(1, 9, n_texts))
    ]


def test_the_rows_of_the_stream_go_on_from_batch_to_batch() -> None:
    texts = _ids()
    stream = TokenStream(texts, batch_size=3, bptt=5, seed=1)
    batches = list(stream.epoch(0))
    assert len(batches) == stream.n_batches(0) > 2
    ids = torch.cat([batch["ids"] for batch in batches], dim=1)
    following = torch.cat([batch["following"] for batch in batches], dim=1)
    assert torch.equal(ids[:, 1:], following[:, :-1])
    # Row i + 1 goes on where row i ends.
    assert torch.equal(ids[1:, 0], following[:-1, -1])
    flat = np.concatenate([ids.flatten().numpy(), following[-1:, -1].numpy()])
    # Texts are whole in it, in another order, but for the one that is cut at the end.
    starts = flat[flat % 100 == 0] // 100
    assert len(set(starts)) == len(starts)
    assert starts.tolist() != sorted(starts)
    expected = np.concatenate([texts[i] for i in starts])[: len(flat)]
    np.testing.assert_array_equal(flat, expected)
    assert len(flat) > sum(map(len, texts)) - 3 - 1


def test_each_epoch_of_the_stream_has_its_own_order() -> None:
    stream = TokenStream(_ids(), batch_size=3, bptt=5, seed=1)
    first, again, second = (
        torch.cat([batch["ids"] for batch in stream.epoch(e)], dim=1) for e in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert first.shape == second.shape


def test_little_text_makes_few_rows() -> None:
    stream = TokenStream(_ids(4), batch_size=64, bptt=5)
    assert 1 <= stream.n_rows < 5
    with pytest.raises(DataError, match="from 1 tokens"):
        TokenStream([np.array([2])], batch_size=1, bptt=5)


# Stages and the objective


def test_stages_are_cycles_one_after_another() -> None:
    stages = [Stage(2, 5e-3, (0.7, 0.4), 0.25, 8.0), Stage(1, 1e-3)]
    cycles = StagedCycles(stages, 100)
    # fastai 1.0.52 itself, 200 steps, max 5e-3, div 8, pct .25.
    for step, rate in ((0, 0.000625), (25, 0.0028125), (50, 0.005), (51, 0.004999451)):
        assert cycles(step)["lr"] == pytest.approx(rate, abs=1e-9)
    assert cycles(199)["lr"] == pytest.approx(6.1078445924484e-07, abs=1e-12)
    assert cycles(50)["momentum"] == pytest.approx(0.4)
    assert cycles(200) == {
        "lr": pytest.approx(1e-3 / 25),
        "momentum": pytest.approx(0.8),
    }
    assert cycles(230)["lr"] == pytest.approx(1e-3)


@pytest.mark.parametrize(
    "entry",
    [
        (1,),
        (1, 0.0),
        (1, "0.1"),
        (1, math.inf),
        (-1, 0.1),
        (1.5, 0.1),
        (True, 0.1),
        "x",
        3,
        (1, 0.1, 0.9),
        (1, 0.1, (0.9, 1)),
    ],
)
def test_what_is_no_stage_is_refused(entry: Any) -> None:
    with pytest.raises(ValueError, match=r"f: s\[1\] must be \(epochs, peak rate\)"):
        as_stages([(1, 0.1), entry], caller="f", name="s")


def test_the_objective_is_smoothed_cross_entropy_with_two_penalties() -> None:
    """P5, by hand in float64, and the state that is carried to the next batch."""
    torch.manual_seed(0)
    config = LanguageModelConfig(vocab_size=20, emb_size=4, hidden_size=5, n_layers=2)
    module = AWDLanguageModel(make_encoder(config, 20, AWDDropout())).double().eval()
    ids = torch.randint(0, 20, (3, 9))
    objective = CausalObjective(LanguageModelTraining())
    objective.start_epoch(0)
    values = []
    for part in (slice(0, 4), slice(4, 8)):
        following = ids[:, part.start + 1 : part.stop + 1]
        batch = {"ids": ids[:, part], "following": following}
        loss, logs = objective(module, batch)
        assert logs["weight"] == 12
        values.append(loss.item())
    with torch.no_grad():
        whole = module(ids[:, :8])
    log_p = torch.log_softmax(whole.logits, dim=2).numpy()
    raw = whole.raw.numpy()
    for value, part in zip(values, (slice(0, 4), slice(4, 8)), strict=True):
        mine, target = log_p[:, part], ids[:, part.start + 1 : part.stop + 1].numpy()
        picked = np.take_along_axis(mine, target[:, :, None], axis=2)
        entropy = -(0.9 * picked.mean() + 0.1 * mine.mean())
        out = raw[:, part]
        penalty = 2 * np.square(out).mean() + np.square(np.diff(out, axis=1)).mean()
        # A window of two sees nothing before a piece: fastai 1.0.52's slip, so the
        # second piece is near what the whole gives, not equal to it.
        tolerance = 1e-6 if part.start == 0 else 0.2
        assert value == pytest.approx(entropy + penalty, rel=tolerance)


def test_carried_x_makes_pieces_equal_to_the_whole() -> None:
    config = LanguageModelConfig(
        vocab_size=20, emb_size=4, hidden_size=5, n_layers=2, save_prev_x=True
    )
    torch.manual_seed(0)
    module = AWDLanguageModel(make_encoder(config, 20, AWDDropout())).double().eval()
    ids = torch.randint(0, 20, (3, 8))
    objective = CausalObjective(LanguageModelTraining(alpha=0, beta=0))
    losses = [
        objective(module, {"ids": ids[:, a:b], "following": ids[:, a:b]})[0].item()
        for a, b in ((0, 4), (4, 8))
    ]
    objective.start_epoch(1)
    whole = objective(module, {"ids": ids, "following": ids})[0].item()
    assert np.mean(losses) == pytest.approx(whole, rel=1e-6)


# Training


def test_it_learns() -> None:
    how = _training((6, 0.03), dropout_multiplier=0.0)
    model = train_language_model(TEXTS * 6, CONFIG, how)
    first, last = model.history[0], model.history[-1]
    assert last["valid_perplexity"] < first["valid_perplexity"] < 60
    # Of eight names and three nouns nobody can know which comes; the rest is fixed.
    assert last["valid_perplexity"] < 4
    assert last["valid_accuracy"] > 0.6


def test_perplexity_is_e_to_the_mean_cross_entropy(model: LanguageModel) -> None:
    texts = TEXTS[:3]
    flat = np.concatenate(model.tokenizer.encode(texts)).astype(np.int64)
    with torch.no_grad():
        ids = torch.from_numpy(flat[None, :-1])
        log_p = torch.log_softmax(_module(model)(ids).logits[0].double(), dim=1)
    entropy = -log_p[np.arange(len(flat) - 1), flat[1:]].mean().item()
    # In one piece, so that nothing is lost at the borders of pieces.
    measured = perplexity(model, texts, batch_size=1, bptt=1000)
    assert measured == pytest.approx(math.exp(entropy), rel=1e-5)


def _numpy_state() -> bytes:
    legacy: Any = np.random.get_state()  # noqa: NPY002
    return legacy[1].tobytes()


def test_equal_trainings_are_bit_equal_and_leave_generators_alone() -> None:
    states = random.getstate(), _numpy_state(), torch.get_rng_state()
    first, second, other = (_train((1, 0.05), random_state=seed) for seed in (1, 1, 2))
    assert random.getstate() == states[0]
    assert _numpy_state() == states[1]
    assert torch.equal(torch.get_rng_state(), states[2])
    for name, array in first.state.items():
        np.testing.assert_array_equal(array, second.state[name])
    assert any((first.state[n] != other.state[n]).any() for n in first.state)
    assert first.history == second.history


def test_lstm_layers_learn_too() -> None:
    config = LanguageModelConfig(
        vocab_size=60, emb_size=8, hidden_size=8, n_layers=2, cell="lstm"
    )
    model = train_language_model(TEXTS, config, _training((3, 0.05)))
    losses = [epoch["valid_loss"] for epoch in model.history]
    assert losses[-1] < losses[0]


class _Stop:
    """Asks the loop to stop after some steps."""

    def __init__(self, n_steps: int) -> None:
        self.left = n_steps

    def __call__(self, event: dict[str, Any]) -> bool:
        self.left -= event["kind"] == "step"
        return self.left <= 0


def test_a_run_that_is_cut_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    stages = ((1, 0.05), (2, 0.01))
    whole = _train(*stages)
    n_steps = sum(epoch["n_steps"] for epoch in whole.history)
    folder = tmp_path / "checkpoints"
    # In the middle of the second epoch, twice.
    for _ in range(2):
        _train(
            *stages,
            checkpoint=folder,
            checkpoint_every=1,
            report=_Stop(n_steps // 4),
        )
    seen: list[int] = []
    resumed = _train(
        *stages,
        checkpoint=folder,
        report=lambda event: seen.append(event.get("step", -1)),
    )
    assert min(step for step in seen if step >= 0) >= n_steps // 4
    assert resumed.history == whole.history
    for name, array in whole.state.items():
        np.testing.assert_array_equal(array, resumed.state[name])


def test_another_training_does_not_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    alone = _train((1, 0.05), random_state=1)
    _train((1, 0.05), random_state=0, checkpoint=tmp_path)
    beside = _train((1, 0.05), random_state=1, checkpoint=tmp_path)
    for name, array in alone.state.items():
        np.testing.assert_array_equal(array, beside.state[name])


def test_fine_tuning_keeps_the_pieces_and_goes_on_from_the_weights(
    model: LanguageModel,
) -> None:
    texts = [f"el perro {a} la gata {b}" for a in ("ve", "oye") for b in "abcdefgh"]
    before = perplexity(model, texts)
    tuned = train_language_model(texts, training=_training((4, 0.02)), start=model)
    assert tuned.tokenizer == model.tokenizer
    assert tuned.config == model.config
    assert perplexity(tuned, texts) < before
    assert len(tuned.history) == len(model.history) + 4
    still = train_language_model(texts, training=_training(), start=model)
    for name, array in model.state.items():
        np.testing.assert_array_equal(array, still.state[name])
    with pytest.raises(ValueError, match="brings its sizes and pieces"):
        train_language_model(texts, CONFIG, start=model)


def test_pairs_are_read_as_one_text() -> None:
    pairs = [(text, "qué risa") for text in TEXTS]
    model = train_language_model(pairs, CONFIG, _training((1, 0.05)))
    assert len(model.history) == 1


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("hoy", "single str"),
        ([], "without any words"),
        (["hoy", None], r"corpus\[1\] is NoneType"),
    ],
)
def test_what_is_no_corpus_is_refused(texts: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        train_language_model(texts, CONFIG, _training((1, 0.05)))


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"batch_size": 0}, "an int of at least 1"),
        ({"batch_size": True}, "an int of at least 1"),
        ({"bptt": 1.5}, "an int of at least 1"),
        ({"validation_fraction": 1.0}, "at least 0 and less than 1"),
        ({"label_smoothing": -0.1}, "at least 0 and less than 1"),
        ({"label_smoothing": "0.1"}, "at least 0 and less than 1"),
        ({"dropout_multiplier": 5}, "at least 0 and less than 4"),
        ({"weight_decay": -5.0}, "a finite number of at least 0"),
        ({"weight_decay": math.inf}, "a finite number of at least 0"),
        ({"alpha": "x"}, "a finite number of at least 0"),
        ({"beta": math.nan}, "a finite number of at least 0"),
        ({"ar_of": "cooked"}, "'raw' or 'dropped'"),
    ],
)
def test_wrong_options_of_training_are_refused(
    options: dict[str, Any], wanted: str
) -> None:
    ((name, value),) = options.items()
    message = f"LanguageModelTraining: the {name!r} parameter must be .*{wanted}. Got "
    with pytest.raises(ValueError, match=f"{message}{re.escape(repr(value))} instead"):
        LanguageModelTraining(**options)


def test_wrong_stages_of_training_are_refused() -> None:
    with pytest.raises(ValueError, match=r"LanguageModelTraining: stages\[0\] must be"):
        LanguageModelTraining(stages=[(1,)])


def test_the_bound_of_the_multiplier_is_that_of_the_dropouts() -> None:
    texts, how = TEXTS[:6], _training(dropout_multiplier=3.99)
    assert train_language_model(texts, CONFIG, how).history == []
    with pytest.raises(ValueError, match="less than 1"):
        make_encoder(CONFIG, 20, AWDDropout().times(4.0))


@pytest.mark.parametrize(
    "sizes",
    [
        {"emb_size": 0},
        {"vocab_size": True},
        {"n_layers": 2.0},
        {"cell": "gru"},
        {"xxnl": 1},
        {"passes": -1},
    ],
)
def test_wrong_sizes_are_refused(sizes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(sizes))):
        LanguageModelConfig(**sizes)


def test_numbers_of_numpy_are_numbers(model: LanguageModel, tmp_path: Path) -> None:
    """As a grid that was made with NumPy gives them."""
    config = LanguageModelConfig(
        vocab_size=np.int64(60),
        emb_size=np.int32(8),
        hidden_size=np.int64(12),
        n_layers=np.uint8(2),
        xxnl=np.bool_(False),
        cell=np.str_("qrnn"),
    )
    how = LanguageModelTraining(
        stages=[(np.int64(6), np.float64(0.05))],
        batch_size=np.int64(4),
        bptt=np.int16(8),
        dropout_multiplier=np.float64(0.2),
        alpha=np.float32(2),
    )
    assert repr(config) == repr(CONFIG)
    assert repr(how.alpha) == "2.0"
    trained = train_language_model(TEXTS, config, how)
    assert trained.history == model.history
    # JSON has no numbers of NumPy.
    trained.save(tmp_path / "model")
    assert load_language_model(tmp_path / "model").config == CONFIG
    rate = np.float32(0.1)
    (stage,) = as_stages([(np.int64(1), rate, (rate, rate))], caller="f", name="s")
    assert {type(value) for value in (*stage.momentum, *stage[3:])} == {float}
    assert [type(value) for value in stage[:2]] == [int, float]


# Folders


@pytest.fixture
def saved(model: LanguageModel, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    model.save(folder)
    return folder


def test_a_saved_model_comes_back_bit_equal(model: LanguageModel, saved: Path) -> None:
    loaded = load_language_model(saved)
    assert loaded.config == model.config
    assert loaded.tokenizer == model.tokenizer
    assert loaded.history == model.history
    assert loaded.state.keys() == model.state.keys()
    for name, array in model.state.items():
        np.testing.assert_array_equal(array, loaded.state[name])
    assert sorted(path.name for path in saved.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.model",
    ]
    assert perplexity(loaded, TEXTS[:4]) == perplexity(model, TEXTS[:4])
    with pytest.raises(FileExistsError, match="not an empty folder"):
        model.save(saved)


def _edit(folder: Path, change: Any) -> None:
    path = folder / "config.json"
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(format="other"),
        lambda d: d.update(version=99),
        lambda d: d.pop("files"),
        lambda d: d["files"].update({"tokenizer.model": "0" * 64}),
        lambda d: d["config"].update(emb_size=9),
        lambda d: d["config"].update(n_layers="2"),
        lambda d: d["config"].update(extra=1),
        lambda d: d["config"].pop("cell"),
        lambda d: d.update(history=[{"loss": "small"}]),
        lambda d: d.update(config=[1]),
    ],
)
def test_a_changed_document_is_refused(saved: Path, change: Any) -> None:
    _edit(saved, change)
    with pytest.raises(ModelFormatError):
        load_language_model(saved)


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "tokenizer.model"]
)
@pytest.mark.parametrize("damage", ["cut", "flipped", "missing"])
def test_a_damaged_file_is_refused(saved: Path, name: str, damage: str) -> None:
    path = saved / name
    data = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        data[0] ^= 1
        path.write_bytes(data)
    with pytest.raises(ModelFormatError):
        load_language_model(saved)


def test_weights_that_are_no_numbers_or_do_not_fit_are_refused(
    model: LanguageModel, tmp_path: Path
) -> None:
    nan = {**model.state, "bias": np.full_like(model.state["bias"], np.nan)}
    LanguageModel(model.config, model.tokenizer, nan).save(tmp_path / "nan")
    with pytest.raises(ModelFormatError, match="'bias' are not finite"):
        load_language_model(tmp_path / "nan")
    short = {name: a for name, a in model.state.items() if name != "bias"}
    LanguageModel(model.config, model.tokenizer, short).save(tmp_path / "short")
    with pytest.raises(ModelFormatError, match="do not fit its sizes"):
        perplexity(load_language_model(tmp_path / "short"), TEXTS)


def test_a_missing_folder_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="tweetclf pretrain lm"):
        load_language_model(tmp_path / "none")
