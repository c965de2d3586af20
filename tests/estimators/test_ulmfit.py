"""ULMFiT: its language model, its stages, oversampling, epochs, files and errors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

torch = pytest.importorskip("torch")
pytest.importorskip("sentencepiece")

import tweetclf  # noqa: E402
from tweetclf.estimators import (  # noqa: E402
    FoldEnsemble,
    SeedEnsemble,
    ULMFiTClassifier,
    ULMFiTRegressor,
    haha_ulmfit_qrnn,
    haha_ulmfit_qrnn_regressor,
)
from tweetclf.estimators._oversampling import (  # noqa: E402
    bootstrapped_rows,
    repeated_rows,
)
from tweetclf.estimators._ulmfit_compute import group_rates  # noqa: E402
from tweetclf.exceptions import (  # noqa: E402
    DataError,
    MissingDependencyError,
    ModelFormatError,
)
from tweetclf.modules.concat_pooling import concat_pool  # noqa: E402
from tweetclf.persistence._states import check_state  # noqa: E402
from tweetclf.pretraining import (  # noqa: E402
    LanguageModel,
    LanguageModelConfig,
    LanguageModelTraining,
    train_language_model,
)
from tweetclf.testing._data import make_corpus  # noqa: E402

TEXTS, LABELS = make_corpus(2)
SIZES = {"vocab_size": 200, "emb_size": 16, "hidden_size": 12, "n_layers": 2}
HOW: dict[str, Any] = {"batch_size": 4, "bptt": 16, "validation_fraction": 0.0}
OPTIONS: dict[str, Any] = {
    "lm_params": {**SIZES, **HOW, "stages": ((1, 0.02),)},
    "head_iter": 1,
    "max_iter": 3,
    "learning_rate": 0.03,
    "dropout_multiplier": 0.0,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def language_model() -> LanguageModel:
    config = LanguageModelConfig(**SIZES)
    how = LanguageModelTraining(stages=((1, 0.02),), **HOW)
    return train_language_model(TEXTS, config, how)


@pytest.fixture(scope="module")
def folder(language_model: LanguageModel, tmp_path_factory: Any) -> Path:
    path: Path = tmp_path_factory.mktemp("models") / "lm"
    language_model.save(path)
    return path


def _over(folder: Path, **options: Any) -> ULMFiTClassifier:
    given = {**OPTIONS, "lm_params": HOW, "fine_tuning": (), **options}
    return ULMFiTClassifier(language_model=folder, **given)


# The language model


def test_the_encoder_is_that_of_the_language_model(
    language_model: LanguageModel, folder: Path
) -> None:
    # At a rate of nothing, what was loaded is what is left.
    classifier = _over(folder, learning_rate=1e-12).fit(TEXTS, LABELS)
    assert classifier.tokenizer_ == language_model.tokenizer
    assert classifier.config_["emb_size"] == 16
    assert classifier.lm_history_ == language_model.history
    state = classifier.module_.state_dict()
    names = [name for name in language_model.state if name.startswith("encoder.")]
    assert len(names) >= 5
    for name in names:
        np.testing.assert_allclose(
            state[name].numpy(), language_model.state[name], atol=1e-7
        )


def test_a_given_language_model_is_fine_tuned_on_all_texts(folder: Path) -> None:
    extra = ["una risa más", "qué pena tan grande"] * 5
    plain = _over(folder).fit(TEXTS, LABELS)
    tuned = _over(folder, fine_tuning=((1, 0.01), (1, 0.001)), extra_corpus=extra)
    tuned.fit(TEXTS, LABELS)
    assert len(tuned.lm_history_) == len(plain.lm_history_) + 2
    assert tuned.tokenizer_ == plain.tokenizer_
    more = tuned.lm_history_[-1]["n_steps"]
    alone = _over(folder, fine_tuning=((1, 0.01),)).fit(TEXTS, LABELS)
    assert more > alone.lm_history_[-1]["n_steps"]


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_text_of_an_extra_corpus_is_named(folder: Path, missing: Any) -> None:
    clf = _over(folder, fine_tuning=((1, 0.01),), extra_corpus=["hola", missing])
    with pytest.raises(DataError, match=r"extra_corpus\[1\]"):
        clf.fit(TEXTS, LABELS)


def test_an_extra_corpus_may_be_a_file(tmp_path: Path) -> None:
    extra = ["una risa más", "qué pena tan grande"] * 5
    path = tmp_path / "extra.txt"
    path.write_text("\n".join(extra) + "\n", "utf-8")
    listed = ULMFiTClassifier(**OPTIONS, extra_corpus=extra).fit(TEXTS, LABELS)
    read = ULMFiTClassifier(**OPTIONS, extra_corpus=path).fit(TEXTS, LABELS)
    np.testing.assert_array_equal(
        listed.predict_proba(TEXTS), read.predict_proba(TEXTS)
    )


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"lm_params": {"width": 3}}, ValueError, "unknown entry 'width'"),
        ({"lm_params": {"emb_size": 3}}, ValueError, "Drop one of them"),
        ({"lm_params": {"stages": ((1, 0.1),)}}, ValueError, "Drop one of them"),
        ({"fine_tuning": ((1,),)}, ValueError, r"fine_tuning\[0\] must be"),
        ({"language_model": "nowhere"}, FileNotFoundError, "no language model at"),
        ({"dropout_multiplier": 3.0}, ValueError, "'dropout_multiplier'"),
        ({"oversampling": "twice"}, ValueError, "'oversampling'"),
    ],
)
def test_wrong_parameters_are_explained(
    folder: Path, options: dict[str, Any], error: Any, message: str
) -> None:
    classifier = _over(folder).set_params(**options)
    with pytest.raises(error, match=message):
        classifier.fit(TEXTS, LABELS)


# Stages


def test_the_rates_of_the_layers_are_those_of_the_paper() -> None:
    # parity_fixtures.json: haha_layer_group_lrs
    expected = [
        2.1882987290360978e-05,
        8.507901577271395e-05,
        0.0003307792866123949,
        0.0012860390480315808,
        0.005,
    ]
    assert group_rates(5e-3, 5) == pytest.approx(expected, rel=1e-12)


def test_the_head_is_trained_first_then_everything(folder: Path) -> None:
    classifier = _over(folder, head_iter=2, max_iter=3).fit(TEXTS, LABELS)
    # Groups: embedding, two layers, head.
    assert [e["n_groups"] for e in classifier.history_] == [1, 1, 4, 4, 4]
    assert [e["epoch"] for e in classifier.history_] == [0, 1, 2, 3, 4]
    assert classifier.n_iter_ == 5
    gradual = _over(folder, gradual_unfreezing=True, max_iter=1).fit(TEXTS, LABELS)
    assert [e["n_groups"] for e in gradual.history_] == [1, 2, 3, 4]
    at_once = _over(folder, head_iter=0, max_iter=1).fit(TEXTS, LABELS)
    assert [e["n_groups"] for e in at_once.history_] == [4]


def test_only_the_head_changes_while_it_is_alone(
    language_model: LanguageModel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tweetclf.estimators import _ulmfit_compute as compute

    run = compute._Trainer.run

    def only_first(self: Any, *args: Any, **kwargs: Any) -> None:
        if not self.history:
            run(self, *args, **kwargs)

    monkeypatch.setattr(compute._Trainer, "run", only_first)
    classifier = _over(folder, head_iter=3).fit(TEXTS, LABELS)
    state = classifier.module_.state_dict()
    for name, array in language_model.state.items():
        if name.startswith("encoder."):
            np.testing.assert_array_equal(state[name].numpy(), array)
    assert np.ptp(classifier.predict_proba(TEXTS)[:, 0]) > 0.01


def test_the_epoch_of_the_best_score_is_kept(folder: Path) -> None:
    y = np.array([int(label == "bien") for label in LABELS])
    classifier = _over(folder, scoring="f1", max_iter=6, learning_rate=0.1)
    classifier.fit(TEXTS[:20], y[:20], TEXTS[20:], y[20:])
    scores = [e["valid_score"] for e in classifier.history_ if "valid_score" in e]
    assert len(scores) == 6
    kept = f1_score(y[20:], classifier.predict(TEXTS[20:]), zero_division=0)
    assert kept == pytest.approx(max(scores))
    held = _over(folder, early_stopping=True, validation_fraction=0.25)
    history = held.fit(TEXTS, y).history_
    assert "valid_loss" in history[-1]


def test_a_last_batch_of_one_text_is_no_trouble(folder: Path) -> None:
    # Batch normalisation has nothing to norm in it.
    _over(folder, batch_size=8).fit(TEXTS[:17], LABELS[:17])
    regressor = ULMFiTRegressor(
        language_model=folder, **{**OPTIONS, "lm_params": HOW, "fine_tuning": ()}
    )
    assert np.isfinite(regressor.fit(TEXTS[:1], [1.0]).predict(TEXTS[:2])).all()


# Oversampling

CODES = np.array([0] * 30 + [1] * 9 + [2] * 4)


def test_random_oversampling_keeps_every_row_as_imbalanced_learn_does() -> None:
    rows = repeated_rows(CODES, seed=0)
    assert rows[: len(CODES)].tolist() == list(range(len(CODES)))
    assert np.bincount(CODES[rows]).tolist() == [30, 30, 30]
    over_sampling = pytest.importorskip("imblearn.over_sampling")
    sampler = over_sampling.RandomOverSampler(random_state=0)
    sampler.fit_resample(np.arange(len(CODES))[:, None], CODES)
    theirs = sampler.sample_indices_
    assert theirs[: len(CODES)].tolist() == rows[: len(CODES)].tolist()
    assert np.bincount(CODES[theirs]).tolist() == np.bincount(CODES[rows]).tolist()


def test_the_bootstrap_of_the_released_code_loses_some_positives() -> None:
    """P41."""
    codes = CODES[:39]
    rows = bootstrapped_rows(codes, seed=0)
    assert np.bincount(codes[rows]).tolist() == [30, 30]
    assert sorted(rows[codes[rows] == 0]) == list(range(30))
    positives = rows[codes[rows] == 1]
    assert len(set(positives)) < len(positives)
    many = bootstrapped_rows(np.array([0] * 101 + [1] * 100), seed=0)
    drawn = many[many > 100]
    assert len(drawn) == 101
    # With replacement about e^-1 of them are never drawn.
    assert 0.25 < 1 - len(set(drawn)) / 100 < 0.5


@pytest.mark.parametrize("way", ["random", "bootstrap", "smote"])
def test_oversampling_changes_the_model_and_is_reproducible(
    folder: Path, way: str
) -> None:
    if way == "smote":
        pytest.importorskip("imblearn")
    texts, y = TEXTS[:22], np.array(["bien", "mal"] * 6 + ["mal"] * 10)
    first, second = (
        _over(folder, oversampling=way).fit(texts, y).predict_proba(texts) for _ in "ab"
    )
    plain = _over(folder).fit(texts, y).predict_proba(texts)
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - plain).max() > 1e-4


def test_smote_needs_a_package_and_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imblearn.over_sampling", None)
    with pytest.raises(MissingDependencyError, match=r"tweetclf\[resampling\]"):
        _over(folder, oversampling="smote").fit(TEXTS, LABELS)


def test_oversampling_is_for_classes(folder: Path) -> None:
    y = np.array([[i % 2, 1] for i in range(len(TEXTS))])
    with pytest.raises(DataError, match="is for classes; y is an indicator matrix"):
        _over(folder, oversampling="random").fit(TEXTS, y)


# Saving


def test_a_saved_classifier_needs_no_language_model(
    folder: Path, tmp_path: Path
) -> None:
    classifier = _over(folder).fit(TEXTS, LABELS)
    tweetclf.save(classifier, tmp_path / "saved")
    loaded = tweetclf.load(tmp_path / "saved")
    np.testing.assert_array_equal(
        loaded.predict_proba(TEXTS), classifier.predict_proba(TEXTS)
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["config_"].update(n_layers=500),
        lambda s: s["config_"].update(emb_size=17),
        lambda s: s["config_"].update(cell="gru"),
        lambda s: s["config_"].update(more=1),
        lambda s: s.update(module_state_={}),
        lambda s: s.update(module_state_=[1]),
        lambda s: s.update(_module="code"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(folder: Path, change: Any) -> None:
    state = _over(folder).fit(TEXTS[:8], LABELS[:8]).__getstate__()
    name = "tweetclf.estimators.ULMFiTClassifier"
    check_state(name, state)
    change(state)
    with pytest.raises(ModelFormatError):
        check_state(name, state)


def test_pieces_that_are_no_bytes_are_refused() -> None:
    name = "tweetclf.pretraining.SentencePieceTokenizer"
    good = {"model": np.zeros(3, np.uint8), "passes": 2}
    check_state(name, good)
    for bad in ({"model": [1]}, {"model": np.zeros(3)}, {"passes": 0}, {"more": 1}):
        with pytest.raises(ModelFormatError):
            check_state(name, {**good, **bad})


def test_batch_normalisation_ends_with_the_statistics_of_training_texts(
    folder: Path,
) -> None:
    clf = _over(folder, max_iter=2, oversampling=None).fit(TEXTS, LABELS)
    module = clf.module_
    ids = clf._inputs(list(TEXTS)).collate(np.arange(len(TEXTS)))["ids"]
    with torch.inference_mode():
        encoded = module.encode(ids)
        pooled = concat_pool(encoded.hidden, encoded.mask)
    norms = [m for m in module.head.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    assert torch.allclose(norms[0].running_mean, pooled.mean(0), atol=1e-5)
    assert torch.allclose(norms[0].running_var, pooled.var(0), rtol=1e-3, atol=1e-6)


# Recipes


def test_the_recipe_has_tables_1_and_2_of_the_paper() -> None:
    recipe = haha_ulmfit_qrnn(
        variant="code", n_folds=5, n_seeds=20, oversampling="bootstrap", scoring="f1"
    )
    assert isinstance(recipe, SeedEnsemble)
    folds = recipe.estimator
    assert isinstance(folds, FoldEnsemble)
    assert (folds.n_splits, folds.stratify, folds.fold_seed) == (5, False, 20190313)
    classifier = folds.estimator
    sizes = [classifier.lm_params[name] for name in SIZES]
    assert sizes == [30_000, 400, 2304, 3]
    switches = ("passes", "xxnl", "save_prev_x")
    assert [classifier.lm_params[name] for name in switches] == [2, False, False]
    mended = haha_ulmfit_qrnn().lm_params
    assert [mended[name] for name in switches] == [1, True, True]
    assert [stage[:2] for stage in classifier.lm_params["stages"]] == [
        (1, 5e-3),
        (15, 1e-3),
    ]
    assert [stage[:2] for stage in classifier.fine_tuning] == [(5, 3e-3), (10, 1e-4)]
    assert classifier.dropout_multiplier == 0.7
    assert (classifier.head_iter, classifier.max_iter) == (2, 15)
    assert (2 * classifier.learning_rate, classifier.learning_rate) == (1e-2, 5e-3)
    assert (classifier._label_smoothing, classifier.training) == (0.1, None)
    assert classifier.batch_size == 32
    assert classifier.scoring == folds.scoring == "f1"


def test_the_recipe_takes_a_language_model(folder: Path) -> None:
    recipe = haha_ulmfit_qrnn(size="tiny", language_model=folder)
    recipe.set_params(fine_tuning=(), max_iter=1, head_iter=1, random_state=0)
    assert recipe.fit(TEXTS, LABELS).config_["emb_size"] == 16
    regressor = haha_ulmfit_qrnn_regressor(size="paper", language_model=folder)
    assert regressor.lm_params == {}
    with pytest.raises(ValueError, match="must be one of paper, small, tiny"):
        haha_ulmfit_qrnn(size="huge")
    with pytest.raises(ValueError, match="'variant'.*one of paper, code"):
        haha_ulmfit_qrnn(variant="released")
    with pytest.raises(ValueError, match="must be None"):
        haha_ulmfit_qrnn(multilabel=True, oversampling="random")


@pytest.mark.parametrize("kind", [ULMFiTClassifier, ULMFiTRegressor])
def test_constructors_have_20_parameters_at_most(kind: Any) -> None:
    assert len(kind().get_params(deep=False)) <= 20


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("sample-humor", {"pairs": False}),
        ("sample-emotions", {"pairs": False}),
        ("sample-stance", {"pairs": True}),
    ],
)
def test_the_leaderboard_builds_it_for_each_kind_of_task(
    folder: Path, task: str, expected: dict[str, Any]
) -> None:
    from tweetclf.leaderboard import choose_systems

    given = {"haha-ulmfit-qrnn": {"language_model": str(folder)}}
    (system,) = choose_systems(["haha-ulmfit-qrnn"], given)
    loaded = tweetclf.load_task(task)
    estimator = system.build(loaded, seed=4)
    assert isinstance(estimator, ULMFiTClassifier)
    assert estimator.random_state == 4
    assert estimator.language_model == str(folder)
    assert {name: getattr(estimator, name) for name in expected} == expected
    # Runs are named by what the model holds, not by where it lies.
    recorded = system.recorded_arguments(loaded)["language_model"]
    assert set(recorded) == {"name", "sha256"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [ULMFiTClassifier, ULMFiTRegressor])
def test_fifty_fits_leave_no_memory_behind(
    folder: Path, kind: Any, growth_of_memory: Any
) -> None:
    y = LABELS if kind is ULMFiTClassifier else [float(len(text)) for text in TEXTS]
    options = {**OPTIONS, "lm_params": HOW, "fine_tuning": ((1, 0.01),), "max_iter": 1}

    def fit() -> None:
        kind(language_model=folder, **options).fit(TEXTS, y).predict(TEXTS)

    growth = growth_of_memory(fit)
    assert growth < 0.01, f"50 fits made the process {growth:.1%} larger"
