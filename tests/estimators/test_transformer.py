"""Transformers behind fit and predict: the battery, the heads, saving, fine-tuning."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tweetclf.estimators import (  # noqa: E402
    TransformerClassifier,
    TransformerRegressor,
    transformer,
)
from tweetclf.estimators._transformer_compute import (  # noqa: E402
    make_optimizer,
    make_schedule,
)
from tweetclf.estimators.transformer_presets import TRANSFORMER_PRESETS  # noqa: E402
from tweetclf.exceptions import DataError, ModelFormatError  # noqa: E402
from tweetclf.persistence import load, model_info, save  # noqa: E402
from tweetclf.testing import make_tiny_transformer, yield_checks  # noqa: E402
from tweetclf.testing._data import make_corpus, make_pairs  # noqa: E402
from tweetclf.training.batching import LengthBatches  # noqa: E402
from tweetclf.utils.hugging_face import quiet_transformers  # noqa: E402

TEXTS, LABELS = make_corpus(2)
KINDS = (
    "albert",
    "bert",
    "deberta-v2",
    "distilbert",
    "electra",
    "modernbert",
    "roberta",
    "xlm-roberta",
)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the directory of a small BERT that knows the words of the battery."""
    folder = tmp_path_factory.mktemp("tiny") / "bert"
    texts, _ = make_corpus(3)
    return str(
        make_tiny_transformer(folder, texts, hidden_size=64, n_layers=1, dropout=0.0)
    )


@pytest.fixture(scope="session")
def two_layers(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tiny") / "two-layers"
    return str(make_tiny_transformer(folder, TEXTS, n_layers=2))


def classifier(model: str | Path, **options: Any) -> TransformerClassifier:
    settings = {
        "max_iter": 15,
        "learning_rate": 3e-3,
        "batch_size": 16,
        "max_length": 32,
        "random_state": 0,
    }
    return TransformerClassifier(model=model, **{**settings, **options})


def regressor(model: str, **options: Any) -> TransformerRegressor:
    settings = {
        "max_iter": 15,
        "learning_rate": 1e-2,
        "batch_size": 16,
        "max_length": 32,
        "random_state": 0,
    }
    return TransformerRegressor(model=model, **{**settings, **options})


@pytest.fixture(scope="session")
def fitted(tiny: str) -> TransformerClassifier:
    return classifier(tiny).fit(TEXTS, LABELS)


# -- the battery ------------------------------------------------------------------

# What a net may get wrong that nothing else in this file looks at.
EVERY_RUN = (
    "check_bad_container",
    "check_bad_item[None]",
    "check_fit_order",
    "check_global_random_state",
    "check_hostile_text",
    "check_learns",
    "check_no_printing",
    "check_no_warnings",
    "check_order_invariance",
    "check_persistence",
    "check_predict_keeps_state",
    "check_refit_overwrites",
    "check_row_independence",
    "check_sample_weight",
    "check_threads",
    "sklearn:",
)


def _estimators(tiny: str) -> dict[str, tuple[Any, str]]:
    return {
        "classifier": (classifier(tiny), "classifier"),
        "multilabel": (classifier(tiny), "multilabel"),
        "pair": (classifier(tiny, n_segments=2), "pair"),
        "pair-regressor": (regressor(tiny, n_segments=2), "pair"),
        "pooled": (classifier(tiny, pooling="concat"), "classifier"),
        "regressor": (regressor(tiny), "regressor"),
    }


@pytest.mark.parametrize("name", ["classifier", "regressor"])
def test_the_checks_of_nets_pass(tiny: str, name: str) -> None:
    estimator, kind = _estimators(tiny)[name]
    ran = 0
    for check in yield_checks(estimator, kind=kind):
        if check.name.startswith(EVERY_RUN):
            check()
            ran += 1
    assert ran >= 50


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "name",
    ["classifier", "multilabel", "pair", "pair-regressor", "pooled", "regressor"],
)
def test_the_battery_passes(tiny: str, name: str) -> None:
    estimator, kind = _estimators(tiny)[name]
    checks = list(yield_checks(estimator, kind=kind))
    assert len(checks) >= 130
    for check in checks:
        check()


# -- heads ------------------------------------------------------------------------


def _their_logits(folder: Path | str, texts: list[Any]) -> Any:
    """Return what plain transformers answers, a text at a time, without padding."""
    with quiet_transformers():
        model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rows = []
    with torch.inference_mode():
        for text in texts:
            sides = (text,) if isinstance(text, str) else text
            encoded = tokenizer(
                *sides, truncation=True, max_length=32, return_tensors="pt"
            )
            rows.append(model.eval()(**encoded).logits[0].numpy())
    return np.array(rows)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_answers_the_same_in_plain_transformers(
    tmp_path: Path, kind: str
) -> None:
    folder = make_tiny_transformer(tmp_path / "tiny", TEXTS, kind=kind)
    clf = classifier(str(folder), max_iter=2).fit(TEXTS, LABELS)
    assert clf.plan_ == ("padded" if kind == "deberta-v2" else "packed")
    clf.save_pretrained(tmp_path / "saved")
    new = ["qué risa", "", "un horror total http://t.co/a", *TEXTS[:5]]
    theirs = _their_logits(tmp_path / "saved", new)
    np.testing.assert_allclose(clf._logits(new), theirs, atol=1e-5)
    config = json.loads((tmp_path / "saved" / "config.json").read_text())
    assert config["id2label"] == {"0": "bien", "1": "mal"}
    again = TransformerClassifier.from_pretrained(tmp_path / "saved")
    np.testing.assert_allclose(
        again.predict_proba(new), clf.predict_proba(new), atol=1e-6
    )
    assert again.predict(new).tolist() == clf.predict(new).tolist()


def test_a_model_whose_head_is_unknown_reads_padded_batches(
    tmp_path: Path, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tweetclf.modules import transformer_heads

    expected = classifier(tiny).fit(TEXTS, LABELS)
    monkeypatch.setattr(transformer_heads, "_find_head", lambda model, answers: None)
    clf = classifier(tiny).fit(TEXTS, LABELS)
    assert (expected.plan_, clf.plan_) == ("packed", "native")
    # As the model itself says, of weights that packed training gave.
    expected.save_pretrained(tmp_path / "saved")
    again = TransformerClassifier.from_pretrained(tmp_path / "saved")
    assert again.plan_ == "native"
    np.testing.assert_allclose(
        again.predict_proba(TEXTS), expected.predict_proba(TEXTS), atol=1e-6
    )


@pytest.mark.parametrize("pooling", ["mean", "max", "concat"])
def test_other_poolings_are_those_of_all_tokens(
    tmp_path: Path, tiny: str, pooling: str
) -> None:
    clf = classifier(tiny, pooling=pooling).fit(TEXTS, LABELS)
    clf.save_pretrained(tmp_path / "saved")
    with quiet_transformers():
        encoder = transformers.AutoModel.from_pretrained(tmp_path / "saved").eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    rows = []
    layer = clf.module_.classifier
    with torch.inference_mode():
        for text in TEXTS[:6]:
            encoded = tokenizer(text, return_tensors="pt")
            states = encoder(**encoded).last_hidden_state[0]
            parts = {"mean": states.mean(0), "max": states.amax(0)}
            if pooling == "concat":
                pooled = torch.cat([states[0], parts["mean"], parts["max"]])
            else:
                pooled = parts[pooling]
            rows.append(layer(pooled).numpy())
    np.testing.assert_allclose(clf._logits(TEXTS[:6]), np.array(rows), atol=1e-5)
    again = TransformerClassifier.from_pretrained(tmp_path / "saved")
    assert again.pooling == pooling
    np.testing.assert_allclose(
        again.predict_proba(TEXTS), clf.predict_proba(TEXTS), atol=1e-6
    )


# -- saving -----------------------------------------------------------------------


def test_a_saved_regressor_answers_in_the_units_of_y(tmp_path: Path, tiny: str) -> None:
    y = np.linspace(100, 300, len(TEXTS))
    reg = regressor(tiny).fit(TEXTS, y)
    reg.save_pretrained(tmp_path / "saved")
    theirs = _their_logits(tmp_path / "saved", TEXTS[:6])[:, 0]
    np.testing.assert_allclose(theirs, reg.predict(TEXTS[:6]), rtol=1e-5)
    again = TransformerRegressor.from_pretrained(tmp_path / "saved")
    np.testing.assert_allclose(again.predict(TEXTS), reg.predict(TEXTS), rtol=1e-5)


def test_what_prediction_depends_on_travels(tmp_path: Path, tiny: str) -> None:
    X, _ = make_pairs()
    y = np.array([[len(a) % 2, len(b) % 2, 0] for a, b in X])
    clf = classifier(
        tiny, n_segments=2, profile="twilbert", threshold=0.3, max_iter=2
    ).fit(X, y)
    clf.save_pretrained(tmp_path / "saved")
    again = TransformerClassifier.from_pretrained(tmp_path / "saved")
    assert again.profile == "twilbert@1"
    assert again.n_segments == 2
    assert again.max_length == 32
    assert again.predict(X).tolist() == clf.predict(X).tolist()
    # A further fine-tuning inherits the profile.
    refit = classifier(str(tmp_path / "saved"), n_segments=2, max_iter=1).fit(X, y)
    assert refit.normalizer_.profile == "twilbert@1"
    path = save(clf, tmp_path / "ours")
    assert model_info(path).profiles == ("twilbert@1",)


@pytest.mark.parametrize(
    "y",
    [[3, 7] * 16, [True, False] * 16, [0.0, 1.0] * 16, ["ñ", "a"] * 16],
    ids=["int", "bool", "float", "str"],
)
def test_labels_keep_their_type(tmp_path: Path, tiny: str, y: list[Any]) -> None:
    clf = classifier(tiny, max_iter=1).fit(TEXTS, y)
    clf.save_pretrained(tmp_path / "saved")
    again = TransformerClassifier.from_pretrained(tmp_path / "saved")
    assert again.classes_.dtype == clf.classes_.dtype
    assert again.classes_.tolist() == clf.classes_.tolist()


def test_a_model_of_others_is_read_with_its_own_labels(
    tmp_path: Path, tiny: str
) -> None:
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(
            tiny, num_labels=3, id2label={0: "z", 1: "a", 2: "k"}
        )
        model.save_pretrained(tmp_path / "theirs")
        transformers.AutoTokenizer.from_pretrained(tiny).save_pretrained(
            tmp_path / "theirs"
        )
    logits = _their_logits(tmp_path / "theirs", TEXTS)
    clf = TransformerClassifier.from_pretrained(tmp_path / "theirs")
    assert clf.classes_.tolist() == ["a", "k", "z"]
    assert clf.predict(TEXTS).tolist() == [
        "zak"[k] for k in logits.argmax(axis=1).tolist()
    ]
    # As pickle and save see it, it is like any other.
    again = pickle.loads(pickle.dumps(clf))
    assert np.array_equal(again.predict_proba(TEXTS), clf.predict_proba(TEXTS))
    with pytest.raises(DataError, match="3 outputs"):
        TransformerRegressor.from_pretrained(tmp_path / "theirs")


def test_a_directory_of_another_estimator_is_refused(
    tmp_path: Path, fitted: TransformerClassifier
) -> None:
    fitted.save_pretrained(tmp_path / "saved")
    with pytest.raises(DataError, match="holds a TransformerClassifier"):
        TransformerRegressor.from_pretrained(tmp_path / "saved")
    with pytest.raises(FileExistsError):
        fitted.save_pretrained(tmp_path / "saved")


def _tampered(path: Path, old: str, new: str) -> None:
    """Change the manifest, and seal it anew."""
    from tweetclf.persistence import model

    manifest = json.loads((path / "model.json").read_text())
    del manifest["checksum"]
    text = json.dumps(manifest)
    assert old in text
    (path / "model.json").write_bytes(model._sealed(json.loads(text.replace(old, new))))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('\\"model_type\\"', '\\"auto_map\\": {}, \\"model_type\\"'),
        ('"tokenizer.json"', '"../tokenizer.json"'),
        ('"plan_": "packed"', '"plan_": "other"'),
    ],
    ids=["code", "path", "plan"],
)
def test_a_state_that_is_not_ours_is_refused(
    tmp_path: Path, fitted: TransformerClassifier, old: str, new: str
) -> None:
    path = save(fitted, tmp_path / "model")
    _tampered(path, old, new)
    with pytest.raises(ModelFormatError):
        load(path)


# -- fine-tuning ------------------------------------------------------------------


def test_equals_the_loop_of_a_textbook(tmp_path: Path) -> None:
    """Padded batches, torch's AdamW, Hugging Face's schedule: the same weights."""
    folder = make_tiny_transformer(tmp_path / "tiny", TEXTS)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    clf = classifier(
        str(folder), max_iter=3, learning_rate=1e-3, weight_decay=0.1, warmup=0.2
    ).fit(TEXTS, LABELS)
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # of the head
        model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    named = list(model.named_parameters())
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for _, p in named if p.ndim > 1], "weight_decay": 0.1},
            {"params": [p for _, p in named if p.ndim == 1], "weight_decay": 0.0},
        ],
        lr=1e-3,
    )
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, 2, 6)
    # Texts in their own order, and then as the batches of the loop are drawn.
    rows = sorted(zip(TEXTS, LABELS, strict=True))
    batches = LengthBatches([1] * len(rows), lambda i: i, batch_size=16, pool=1)
    for epoch in range(3):
        for indices in batches.epoch(epoch):
            chosen = [rows[i] for i in indices.tolist()]
            encoded = tokenizer(
                [text for text, _ in chosen], padding=True, return_tensors="pt"
            )
            labels = torch.tensor([int(label == "mal") for _, label in chosen])
            model.train()(**encoded, labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    for name, parameter in clf.module_.model.named_parameters():
        if not name.endswith("key.bias"):  # Its gradient is 0, but for rounding.
            assert torch.allclose(parameter, model.get_parameter(name), atol=2e-5), name


def test_three_segments(tiny: str) -> None:
    rows = [(a, b, "che") for a, b in make_pairs()[0]]
    y = make_pairs()[1]
    clf = classifier(tiny, n_segments=3).fit(rows, y)
    assert (
        clf.predict(np.array(rows, dtype=object)).tolist() == clf.predict(rows).tolist()
    )
    with pytest.raises(DataError, match=r"X\[1\] has 2"):
        clf.predict([rows[0], ("a", "b")])
    with pytest.raises(DataError, match=r"X\[0\] is a str"):
        clf.predict(["a"])
    with pytest.raises(DataError, match="int"):
        clf.predict([("a", "b", 3)])


def test_the_best_epoch_is_kept(tiny: str) -> None:
    clf = classifier(
        tiny, early_stopping=True, validation_fraction=0.25, scoring="f1_macro"
    )
    clf.fit(TEXTS, LABELS, X_val=TEXTS[:8], y_val=LABELS[:8])
    scores = [epoch["valid_score"] for epoch in clf.history_]
    score = f1_score(LABELS[:8], clf.predict(TEXTS[:8]), average="macro")
    assert len(scores) == clf.n_iter_ == 15
    assert score == pytest.approx(max(scores))
    held_out = clone(clf).fit(TEXTS, LABELS)
    assert "valid_score" in held_out.history_[0]


def test_patience(tiny: str) -> None:
    clf = classifier(
        tiny, early_stopping=True, n_iter_no_change=1, max_iter=50, learning_rate=0.1
    ).fit(TEXTS, LABELS)
    assert clf.n_iter_ < 50


def test_a_regressor_is_scored_in_the_units_of_y(tiny: str) -> None:
    y = np.linspace(50, 90, len(TEXTS))
    reg = regressor(tiny, early_stopping=True, scoring="neg_mean_absolute_error")
    reg.fit(TEXTS, y, X_val=TEXTS, y_val=y)
    best = max(epoch["valid_score"] for epoch in reg.history_)
    assert -best == pytest.approx(np.abs(reg.predict(TEXTS) - y).mean(), rel=1e-5)


def test_thresholds_are_tuned_on_validation_texts(tiny: str) -> None:
    y = np.array([["bien" in t or "genial" in t, "che" in t] for t in TEXTS], int)
    clf = classifier(tiny, threshold="tuned", early_stopping=True, max_iter=2)
    clf.fit(TEXTS, y, X_val=TEXTS, y_val=y)
    assert clf.thresholds_ is not None
    proba = clf.predict_proba(TEXTS)
    for k in range(2):
        found = f1_score(y[:, k], proba[:, k] >= clf.thresholds_[k])
        best = max(
            f1_score(y[:, k], proba[:, k] >= cut, zero_division=0)
            for cut in proba[:, k]
        )
        assert found == pytest.approx(best)
    with pytest.raises(DataError, match="validation"):
        clone(clf).set_params(early_stopping=False).fit(TEXTS, y)


def test_a_model_may_be_a_path(tiny: str, tmp_path: Path) -> None:
    clf = classifier(Path(tiny), max_iter=1).fit(TEXTS, LABELS)
    save(clf, tmp_path / "saved")
    expected = classifier(tiny, max_iter=1).fit(TEXTS, LABELS).predict_proba(TEXTS)
    for same in (clf, load(tmp_path / "saved"), pickle.loads(pickle.dumps(clf))):
        assert np.array_equal(same.predict_proba(TEXTS), expected)


@pytest.mark.parametrize("preset", sorted(TRANSFORMER_PRESETS))
@pytest.mark.parametrize("kind", ["classes", "labels", "numbers"])
def test_presets_fit_targets_of_every_kind(tiny: str, preset: str, kind: str) -> None:
    y = {
        "classes": LABELS,
        "labels": np.array([["bien" in t, "che" in t] for t in TEXTS], dtype=int),
        "numbers": np.linspace(0, 1, len(TEXTS)),
    }[kind]
    estimator = transformer(
        preset, model=tiny, multilabel=kind == "labels", regression=kind == "numbers"
    )
    estimator.set_params(max_iter=2, batch_size=16, max_length=32)
    predicted = estimator.fit(TEXTS, y).predict(TEXTS)
    assert predicted.shape == np.shape(y)
    assert estimator.n_iter_ == 2


def test_a_scorer_of_labels_can_choose_the_epoch(tiny: str) -> None:
    two = np.array([["bien" in t, "che" in t] for t in TEXTS], dtype=int)
    three = np.column_stack([two, 1 - two[:, 0]])
    clf = classifier(tiny, scoring="f1_macro", early_stopping=True, max_iter=2)
    for y in (two, LABELS, three):  # what a fit leaves behind is of no other
        clf.fit(TEXTS, y, X_val=TEXTS, y_val=y)
        scores = [epoch["valid_score"] for epoch in clf.history_]
        score = f1_score(y, clf.predict(TEXTS), average="macro", zero_division=0)
        assert score == pytest.approx(max(scores))


def test_layers_have_their_own_rates(two_layers: str) -> None:
    clf = classifier(two_layers, layer_decay=0.5, learning_rate=0.1, max_iter=1)
    module = clf.fit(TEXTS, LABELS).module_
    rates = {}
    names = {id(p): n for n, p in module.named_parameters()}
    for group in make_optimizer(clf, module).param_groups:
        for p in group["params"]:
            rates[names[id(p)]] = (group["lr"], group["weight_decay"])
    assert len(rates) == len(names)
    prefix = "model.bert."
    assert rates["model.classifier.weight"] == (0.1, 0.01)
    assert rates["model.classifier.bias"] == (0.1, 0.0)
    assert rates[f"{prefix}pooler.dense.weight"] == (0.1, 0.01)
    assert rates[f"{prefix}encoder.layer.1.output.dense.weight"][0] == 0.05
    assert rates[f"{prefix}encoder.layer.0.output.LayerNorm.weight"] == (0.025, 0.0)
    assert rates[f"{prefix}embeddings.word_embeddings.weight"][0] == 0.0125


def test_schedule() -> None:
    clf = TransformerClassifier(max_iter=2, batch_size=10, warmup=0.25)
    schedule = make_schedule(clf, 35)  # 4 steps an epoch
    assert schedule is not None
    steps = [schedule(step) for step in range(9)]
    assert steps[:3] == [0.0, 0.5, 1.0]
    assert steps[8] == 0
    assert np.allclose(np.diff(steps[2:]), -1 / 6)
    assert make_schedule(TransformerClassifier(warmup=None), 35) is None


def test_class_weights_move_the_decision(tiny: str) -> None:
    y = ["mal"] * 4 + ["bien"] * 28
    plain = classifier(tiny, max_iter=2).fit(TEXTS, y)
    weighted = classifier(tiny, max_iter=2, class_weight={"mal": 50.0, "bien": 1.0})
    weighted.fit(TEXTS, y)
    assert plain.class_weight_ is None
    assert (
        weighted.predict_proba(TEXTS)[:, 1].mean()
        > plain.predict_proba(TEXTS)[:, 1].mean()
    )


def test_bfloat16_is_near(tiny: str) -> None:
    exact = classifier(tiny).fit(TEXTS, LABELS)
    short = classifier(tiny, precision="bfloat16").fit(TEXTS, LABELS)
    a, b = exact.predict_proba(TEXTS), short.predict_proba(TEXTS)
    assert not np.array_equal(a, b)
    assert np.abs(a - b).mean() < 0.1


def test_texts_longer_than_the_model_are_refused_at_fit(tiny: str) -> None:
    with pytest.raises(DataError, match="'max_length' parameter must be at most 130"):
        classifier(tiny, max_length=200).fit(TEXTS, LABELS)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_by_default_texts_are_as_long_as_the_model_takes(
    tmp_path: Path, kind: str
) -> None:
    # RoBERTa's first token has position 2.
    positions = 116 + 2 * (kind == "roberta")
    model = str(
        make_tiny_transformer(
            tmp_path / "model", TEXTS, kind=kind, max_positions=positions
        )
    )
    clf = classifier(model, max_length=None, max_iter=1).fit(TEXTS, LABELS)
    given = classifier(model, max_length=116, max_iter=1).fit(TEXTS, LABELS)
    assert clf.max_length is None
    assert clf.max_length_ == given.max_length_ == 116
    long = [" ".join(TEXTS[:80]), *TEXTS[:3]]
    expected = given.predict_proba(long)
    np.testing.assert_array_equal(clf.predict_proba(long), expected)
    again = load(save(clf, tmp_path / "ours"))
    np.testing.assert_array_equal(again.predict_proba(long), expected)
    clf.save_pretrained(tmp_path / "theirs")
    read = TransformerClassifier.from_pretrained(tmp_path / "theirs")
    np.testing.assert_array_equal(read.predict_proba(long), expected)
    # A directory of transformers alone does not say how long texts are.
    (tmp_path / "theirs" / "tweetclf.json").unlink()
    bare = TransformerClassifier.from_pretrained(tmp_path / "theirs")
    assert (bare.max_length, bare.max_length_) == (None, 116)


def test_by_default_a_model_of_many_positions_reads_128_tokens(
    tiny: str,
) -> None:
    clf = regressor(tiny).set_params(max_length=None, max_iter=1)
    assert clf.fit(TEXTS, [float(v) for v in range(len(TEXTS))]).max_length_ == 128


def test_a_model_saved_with_a_number_only_is_read(
    fitted: TransformerClassifier,
) -> None:
    old = pickle.loads(pickle.dumps(fitted))
    del old.max_length_
    np.testing.assert_array_equal(old.predict_proba(TEXTS), fitted.predict_proba(TEXTS))


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        classifier(str(tmp_path / "nowhere")).fit(TEXTS, LABELS)


def test_unknown_profile(tiny: str) -> None:
    with pytest.raises(KeyError, match="no-such"):
        classifier(tiny, profile="no-such").fit(TEXTS, LABELS)


def test_in_a_grid_search(tiny: str) -> None:
    grid = {"learning_rate": [1e-9, 3e-3]}
    everything = np.arange(len(TEXTS))
    search = GridSearchCV(classifier(tiny), grid, cv=[(everything, everything)])
    search.fit(TEXTS, LABELS)
    assert search.best_params_ == {"learning_rate": 3e-3}


def test_the_global_generator_of_torch_is_left_alone(tiny: str) -> None:
    before = torch.random.get_rng_state()
    classifier(tiny, max_iter=1).fit(TEXTS, LABELS).predict(TEXTS)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.slow
@pytest.mark.parametrize("make", [classifier, regressor])
def test_fifty_fits_leave_no_memory_behind(
    two_layers: str, make: Any, growth_of_memory: Any
) -> None:
    y = LABELS if make is classifier else [float(len(text)) for text in TEXTS]

    def fit() -> None:
        make(two_layers, max_iter=1).fit(TEXTS, y).predict(TEXTS)

    growth = growth_of_memory(fit)
    assert growth < 0.01, f"50 fits made the process {growth:.1%} larger"
