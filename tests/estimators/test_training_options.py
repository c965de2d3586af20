"""The training options of neural estimators: nested names, steps, divergence."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from neural_options import (  # noqa: E402
    INDICATOR,
    LABELS,
    NUMBERS,
    TEXTS,
    bilstm,
    fine_tuned,
    steps_of,
    ulmfit,
    weights,
)

from tweetclf import load_task  # noqa: E402
from tweetclf.estimators import (  # noqa: E402
    BiLSTMClassifier,
    BiLSTMRegressor,
    TransformerMultipleChoice,
    TransformerQuestionAnswering,
    TransformerRegressor,
    ULMFiTRegressor,
    _objectives,
    transformer,
)
from tweetclf.exceptions import (  # noqa: E402
    DataError,
    DivergenceError,
    ModelFormatError,
    TweetclfWarning,
)
from tweetclf.leaderboard import choose_systems  # noqa: E402
from tweetclf.leaderboard.given import parse_parameters  # noqa: E402
from tweetclf.leaderboard.identity import identity  # noqa: E402
from tweetclf.persistence import load, save  # noqa: E402
from tweetclf.testing import make_tiny_transformer, yield_checks  # noqa: E402
from tweetclf.training import TrainingOptions  # noqa: E402
from tweetclf.training.optimizers import KerasAdam, Lamb  # noqa: E402


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("options") / "bert"
    return str(make_tiny_transformer(folder, TEXTS, n_layers=2, dropout=0.1))


@pytest.fixture(scope="module")
def sober(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a model without dropout, in which all micro-batches are alike."""
    folder = tmp_path_factory.mktemp("options") / "sober"
    return str(make_tiny_transformer(folder, TEXTS, dropout=0.0))


# -- nested names -----------------------------------------------------------------


def test_options_are_parameters_even_where_none_are_given() -> None:
    clf = bilstm()
    assert clf.training is None
    assert clf.get_params()["training__accumulate"] == 1
    assert "training__accumulate" not in clf.get_params(deep=False)
    clf.set_params(training__accumulate=2, training__schedule="cosine")
    assert clf.training == TrainingOptions(accumulate=2, schedule="cosine")
    given = clf.training
    clf.set_params(training__accumulate=3)
    assert given.accumulate == 2  # another estimator may hold it
    pipeline = Pipeline([("clf", clf)]).set_params(clf__training__loss="cross_entropy")
    assert pipeline.get_params()["clf__training__loss"] == "cross_entropy"
    assert "accumulate=3" in repr(clf)
    with pytest.raises(ValueError, match="no option 'depth'"):
        clf.set_params(training__depth=3)


def test_a_grid_searches_a_nested_option() -> None:
    grid = GridSearchCV(bilstm(), {"training__accumulate": [1, 4]}, cv=2)
    grid.fit(TEXTS, LABELS)
    best = grid.best_params_["training__accumulate"]
    assert grid.best_estimator_.training == TrainingOptions(accumulate=best)
    assert set(grid.cv_results_["param_training__accumulate"]) == {1, 4}


def test_options_travel_with_saved_and_pickled_models(tmp_path: Any, tiny: str) -> None:
    options = TrainingOptions(optimizer="keras_adam", betas=(0.8, 0.9), eps=1e-5)
    for number, fitted in enumerate(
        (
            bilstm(training=options).fit(TEXTS, LABELS),
            fine_tuned(tiny, training=options),
        )
    ):
        save(fitted, tmp_path / str(number))
        again = load(tmp_path / str(number))
        assert again.training == options
        assert np.array_equal(again.predict_proba(TEXTS), fitted.predict_proba(TEXTS))
        assert pickle.loads(pickle.dumps(fitted)).training == options


def test_options_that_were_tampered_with_are_not_loaded(tmp_path: Any) -> None:
    options = TrainingOptions(accumulate=2)
    fitted = bilstm(training=options).fit(TEXTS, LABELS)
    vars(options)["accumulate"] = -1
    with pytest.raises(ModelFormatError, match="'accumulate' parameter must be"):
        save(fitted, tmp_path / "model")
    vars(options).update(accumulate=1, momentum=0.9)
    with pytest.raises(ModelFormatError, match="momentum"):
        save(fitted, tmp_path / "model")


def test_models_of_the_time_before_options_are_as_without() -> None:
    fitted = bilstm().fit(TEXTS, LABELS)
    state = fitted.__getstate__()
    del state["training"]
    old = BiLSTMClassifier.__new__(BiLSTMClassifier)
    old.__setstate__(state)
    assert old.get_params()["training"] is None
    assert np.array_equal(old.predict_proba(TEXTS), fitted.predict_proba(TEXTS))


@pytest.mark.parametrize(
    ("make", "y", "smoothing", "expected"),
    [
        (bilstm, LABELS, 0.0, None),
        (bilstm, LABELS, 0.2, TrainingOptions(label_smoothing=0.2)),
        (bilstm, INDICATOR, 0.2, None),  # had no effect
        (ulmfit, LABELS, 0.1, None),
        (ulmfit, LABELS, 0.0, TrainingOptions(label_smoothing=0.0)),
    ],
)
def test_models_of_the_time_before_options_keep_their_smoothing(
    make: Any, y: Any, smoothing: float, expected: Any, tmp_path: Any
) -> None:
    fitted = make().fit(TEXTS, y)
    del fitted.training
    fitted.label_smoothing = smoothing
    save(fitted, tmp_path / "model")
    for old in (pickle.loads(pickle.dumps(fitted)), load(tmp_path / "model")):
        assert old.training == expected
        assert "label_smoothing" not in vars(old)
        assert clone(old).training == expected  # and so does a refit


def test_leaderboards_set_options_by_name(tiny: str) -> None:
    given = parse_parameters(
        [
            "mine.training__optimizer=lamb",
            "mine.training__betas=[0.8, 0.9]",
            f"mine.model={tiny}",
        ]
    )
    (system,) = choose_systems(["mine=transformer"], given)
    made = system.build(load_task("sample-humor"))
    assert made.training == TrainingOptions(optimizer="lamb", betas=(0.8, 0.9))
    with pytest.raises(DataError, match="Did you mean 'training__accumulate'"):
        choose_systems(["transformer"], {"transformer": {"training__acumulate": 2}})


def test_equal_options_make_equal_keys() -> None:
    one = bilstm(training=TrainingOptions(accumulate=2))
    two = bilstm(training__accumulate=2)
    other = bilstm(training__accumulate=3)
    assert identity(one) == identity(two) != identity(other)
    assert repr(one) == repr(two)
    assert "accumulate=2" in one._repr_html_()


@pytest.mark.parametrize(
    "estimator",
    [
        TransformerMultipleChoice(),
        TransformerQuestionAnswering(),
        TransformerRegressor(),
        BiLSTMRegressor(),
        ULMFiTRegressor(),
        transformer("twilbert"),
    ],
)
def test_every_neural_estimator_takes_options(estimator: Any) -> None:
    assert len(estimator.get_params(deep=False)) <= 20
    before = estimator.training or TrainingOptions()
    estimator.set_params(training__clip_norm=0.5)
    assert clone(estimator).training == before.replaced(clip_norm=0.5)


def test_an_estimator_with_options_keeps_the_contract() -> None:
    options = TrainingOptions(accumulate=2, schedule="one_cycle")
    clf = bilstm(hidden_size=8, dense_size=8, max_iter=15, learning_rate=0.02)
    clf.set_params(training=options)
    ran = 0
    for check in yield_checks(clf):
        if check.name.startswith(("check_clone", "check_pa", "check_pe", "sklearn:")):
            check()
            ran += 1
    assert ran >= 15


# -- steps ------------------------------------------------------------------------


def close(one: Any, two: Any) -> None:
    np.testing.assert_allclose(weights(one), weights(two), rtol=0, atol=2e-6)


# A large epsilon, so that rounding of small gradients does not turn steps around.
SMOOTH = TrainingOptions(optimizer="keras_adam", eps=0.1)


@pytest.mark.parametrize("y", [LABELS, INDICATOR, NUMBERS], ids=["c", "l", "n"])
def test_small_batches_of_a_step_equal_one_big_batch(sober: str, y: Any) -> None:
    fits = [
        fine_tuned(
            sober, y, max_iter=2, batch_size=size, learning_rate=0.1, warmup=None,
            training=SMOOTH.replaced(accumulate=k),
        )
        for size, k in ((32, 1), (9, 4), (9, 1))
    ]  # fmt: skip
    close(fits[0], fits[1])  # 9 + 9 + 9 + 5 texts
    assert np.abs(weights(fits[0]) - weights(fits[2])).max() > 1e-4


def test_small_batches_of_weighted_classes_equal_one_in_both_reductions() -> None:
    for reduction in ("sample", "weight"):
        options = SMOOTH.replaced(reduction=reduction, label_smoothing=0.1)
        clf = bilstm(
            dropout=0.0, class_weight={c: k + 1 for k, c in enumerate(set(LABELS))},
            max_iter=3, learning_rate=0.1, training=options,
        )  # fmt: skip
        one = clone(clf).set_params(batch_size=32).fit(TEXTS, LABELS)
        four = clone(clf).set_params(training__accumulate=4).fit(TEXTS, LABELS)
        close(one, four)


def test_accumulation_makes_fewer_steps_and_a_shorter_schedule(tiny: str) -> None:
    clf = fine_tuned(tiny, max_iter=2, warmup=0.5)
    clf.set_params(training__accumulate=2)
    rates = [step["learning_rate"] for step in steps_of(clf)]
    # 4 steps in place of 8; up to the peak in 2 of them
    np.testing.assert_allclose(rates, [0, 5e-4, 1e-3, 5e-4])
    # Two of them are the language model's own.
    assert len(steps_of(ulmfit(training__accumulate=3))) == 2 + 2 + 2


@pytest.fixture
def looped(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return what the training loop is called with, call by call."""
    from tweetclf.estimators import _neural_compute

    calls: list[dict[str, Any]] = []
    real = _neural_compute.fit_loop

    def spy(*args: Any, **kwargs: Any) -> Any:
        calls.append(kwargs)
        return real(*args, **kwargs)

    monkeypatch.setattr(_neural_compute, "fit_loop", spy)
    return calls


def test_by_default_everything_is_the_estimators_own(looped: Any, tiny: str) -> None:
    fine_tuned(tiny)
    bilstm().fit(TEXTS, LABELS)
    ulmfit().fit(TEXTS, LABELS)
    assert [type(call["optimizer"]) for call in looped] == [
        torch.optim.AdamW,
        KerasAdam,
        torch.optim.AdamW,
        torch.optim.AdamW,
    ]
    assert [call["clip_norm"] for call in looped] == [1.0, None, None, None]
    betas = [call["optimizer"].defaults["betas"] for call in looped]
    assert betas == [(0.9, 0.999), (0.9, 0.999), (0.95, 0.99), (0.7, 0.99)]
    assert looped[1]["optimizer"].defaults["eps"] == 1e-7


def test_optimizers_by_name(looped: Any, tiny: str) -> None:
    before = weights(fine_tuned(tiny))
    lamb = fine_tuned(tiny, training__optimizer="lamb", layer_decay=0.5)
    ulmfit(training__optimizer="keras_adam").fit(TEXTS, LABELS)
    bilstm(training__betas=[0.5, 0.9]).fit(TEXTS, LABELS)
    bilstm(training__optimizer="adamw", training__eps=1e-3).fit(TEXTS, LABELS)
    made = [call["optimizer"] for call in looped]
    assert [type(o) for o in made[1:]] == [
        Lamb, KerasAdam, KerasAdam, KerasAdam, torch.optim.AdamW,
    ]  # fmt: skip
    assert made[1].defaults["eps"] == 1e-6
    rates = {group["lr"] for group in made[1].param_groups}
    assert len(rates) == 4  # embeddings, two layers, head
    assert made[2].defaults["betas"] == (0.9, 0.98)
    assert made[4].defaults["betas"] == (0.5, 0.9)
    assert made[4].defaults["eps"] == 1e-7  # Keras's, as without options
    assert made[5].defaults["eps"] == 1e-3
    assert np.isfinite(weights(lamb)).all()
    assert not np.array_equal(weights(lamb), before)


def test_keras_adam_takes_the_step_of_its_formula() -> None:
    options = TrainingOptions(optimizer="keras_adam", betas=(0.8, 0.9), eps=1e-3)
    clf = bilstm(batch_size=32, dropout=0.0, training=options, learning_rate=0.01)
    fitted = clf.fit(TEXTS, LABELS)
    # The first step: m = .2 g, v = .1 g**2, and the bias correction is in the size.
    start = clone(clf).set_params(learning_rate=1e-12).fit(TEXTS, LABELS)
    moved = weights(fitted) - weights(start)
    most = 0.01 * np.sqrt(0.1) / 0.2 * 0.2 / np.sqrt(0.1)
    assert np.abs(moved).max() < most
    assert np.abs(moved).max() > 0.8 * most


SHAPES = {
    "constant": [0.0, 0.5, 1, 1, 1, 1, 1, 1],
    "linear": [0.0, 0.5, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6],
    "cosine": [0.0, 0.5, *((1 + np.cos(np.pi * np.arange(6) / 6)) / 2)],
    "noam": [0.5, 1, *np.sqrt(2 / np.arange(3, 9))],
    "slanted_triangular": [(1 + 31 * p) / 32 for p in (0, 0.5, 1)]
    + [(1 + 31 * (6 - k) / 6) / 32 for k in range(1, 6)],
}


@pytest.mark.parametrize("name", SHAPES)
def test_schedules_by_name_have_their_shape_and_peak(name: str) -> None:
    clf = bilstm(max_iter=2, learning_rate=0.004)
    clf.set_params(training__schedule=name, training__warmup=0.25)
    rates = [step["learning_rate"] for step in steps_of(clf)]
    np.testing.assert_allclose(np.array(rates) / 0.004, SHAPES[name], atol=1e-12)


def test_one_cycle_moves_the_momentum(looped: Any, tiny: str) -> None:
    fine_tuned(tiny, max_iter=2, training__schedule="one_cycle")
    assert looped[0]["schedule"].pct_start == 0.1  # the estimator's own warmup
    fine_tuned(tiny, max_iter=2, training__schedule="one_cycle", warmup=None)
    assert looped[1]["schedule"].pct_start == 0.3
    assert looped[1]["schedule"](0)["momentum"] == 0.95
    # An untouched optimizer afterwards: momenta are put back.
    assert looped[0]["optimizer"].param_groups[0]["betas"] == (0.9, 0.999)


def test_a_named_schedule_has_the_peak_of_each_stage_of_ulmfit() -> None:
    steps = steps_of(ulmfit(learning_rate=0.01, training__schedule="linear"))[2:]
    # The first two are the language model's. The optimizer's first group is the lowest
    # layer that is trained: the head, then the embeddings at a 228th of the rate.
    assert len(steps) == 8
    head, everything = steps[0]["learning_rate"], steps[4]["learning_rate"]
    assert head == pytest.approx(0.02)
    assert everything == pytest.approx(0.01 / 5 / 2.6**4)


def test_the_gradient_is_clipped_where_it_is_asked_for(looped: Any, tiny: str) -> None:
    free = fine_tuned(tiny, training__clip_norm=None, training__eps=1.0)
    short = fine_tuned(tiny, training__clip_norm=1e-3, training__eps=1.0)
    assert [call["clip_norm"] for call in looped] == [None, 1e-3]
    zero = fine_tuned(tiny, learning_rate=1e-12)
    moved = [np.linalg.norm(weights(fit) - weights(zero)) for fit in (free, short)]
    assert moved[1] < moved[0] / 5


# -- divergence -------------------------------------------------------------------


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the cross-entropy be NaN at some of its calls."""

    def plant(*numbers: int) -> None:
        real, calls = _objectives.cross_entropy, iter(range(10**6))

        def sometimes(*args: Any, **kwargs: Any) -> Any:
            loss = real(*args, **kwargs)
            return loss * float("nan") if next(calls) in numbers else loss

        monkeypatch.setattr(_objectives, "cross_entropy", sometimes)

    return plant


@pytest.mark.parametrize("make", [bilstm, ulmfit])
def test_training_goes_back_and_halves_the_rate(make: Any, planted: Any) -> None:
    planted(6)
    with pytest.raises(DivergenceError, match="loss is nan.*training__clip_norm"):
        make(max_iter=2).fit(TEXTS, LABELS)
    planted(6)
    clf = make(max_iter=2, training__on_divergence="rollback")
    with pytest.warns(TweetclfWarning, match="went back to the last good state"):
        steps = steps_of(clf)
    assert np.isfinite(weights(clf)).all()
    assert len(clf.history_) == (2 if make is bilstm else 3)
    if make is bilstm:  # a constant rate otherwise; epoch 2 is begun again
        rates = [step["learning_rate"] for step in steps]
        assert rates == [1e-3] * 6 + [5e-4] * 4


def test_a_transformer_goes_back_too(planted: Any, tiny: str) -> None:
    planted(5)
    with pytest.warns(TweetclfWarning, match="half the learning rate"):
        fitted = fine_tuned(tiny, max_iter=2, training__on_divergence="rollback")
    assert np.isfinite(weights(fitted)).all()


def test_an_epoch_that_is_repeated_counts_once_for_patience(planted: Any) -> None:
    planted(8)  # the first step of the third epoch: back to the second's start
    clf = bilstm(
        max_iter=6, learning_rate=1e-30, scoring="accuracy", n_iter_no_change=2,
        training__on_divergence="rollback",
    )  # fmt: skip
    with pytest.warns(TweetclfWarning, match=r"epoch 2, step 8.*epoch 1, step 4"):
        clf.fit(TEXTS, LABELS, TEXTS, LABELS)
    # The first epoch's loss is the best there will be.
    assert [epoch["epoch"] for epoch in clf.history_] == [0, 1, 2]


def test_going_back_has_an_end(planted: Any) -> None:
    planted(*range(5, 100))
    clf = bilstm(
        max_iter=3,
        training=TrainingOptions(on_divergence="rollback", max_rollbacks=1),
    )
    with (
        pytest.warns(TweetclfWarning, match="went back"),
        pytest.raises(DivergenceError, match="after 1 rollbacks"),
    ):
        clf.fit(TEXTS, LABELS)


# -- compiled, and computed again -------------------------------------------------


def test_layers_are_computed_again_to_the_same_bits(
    tiny: str, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    part = transformers.models.bert.modeling_bert.BertIntermediate
    counts: list[bool] = []
    real = part.forward

    def counting(self: Any, states: Any) -> Any:
        counts.append(self.training)
        return real(self, states)

    monkeypatch.setattr(part, "forward", counting)
    plain = fine_tuned(tiny, max_iter=2)
    n_plain = sum(counts)
    counts.clear()
    again = fine_tuned(tiny, max_iter=2, training__gradient_checkpointing=True)
    assert n_plain == 2 * 2 * 4  # epochs, layers, batches
    assert sum(counts) == 2 * n_plain  # there, and once more on the way back
    assert np.array_equal(weights(plain), weights(again))
    model = again.module_.model
    assert not any(getattr(m, "gradient_checkpointing", False) for m in model.modules())
    assert again.config_ == plain.config_
    assert model.config.to_dict() == plain.module_.model.config.to_dict()
    assert capfd.readouterr() == ("", "")


def test_training_is_compiled_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tiny: str
) -> None:
    seen = []
    monkeypatch.setattr(torch, "compile", lambda m, **kw: seen.append(kw) or m)
    bilstm(training__compile=True).fit(TEXTS, LABELS)
    assert seen == [{"dynamic": True}]
    bilstm().fit(TEXTS, LABELS)
    assert len(seen) == 1
    with pytest.raises(DataError, match="compile=True is for other networks"):
        fine_tuned(tiny, training__compile=True)
    with pytest.raises(DataError, match="compile=True is for other networks"):
        ulmfit(training__compile=True).fit(TEXTS, LABELS)


@pytest.mark.slow
def test_compiled_training_computes_what_plain_training_does() -> None:
    clf = bilstm(dropout=0.0, batch_size=16, training=SMOOTH)
    plain = clone(clf).fit(TEXTS, LABELS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of its compiler
        compiled = clf.set_params(training__compile=True).fit(TEXTS, LABELS)
    np.testing.assert_allclose(weights(compiled), weights(plain), atol=1e-4)
