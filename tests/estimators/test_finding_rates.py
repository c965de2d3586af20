"""The learning-rate finder of neural estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from neural_options import (
    INDICATOR,
    LABELS,
    NUMBERS,
    TEXTS,
    bilstm,
    ulmfit,
    weights,
)
from sklearn.base import clone

from tweetclf.estimators import (
    TransformerClassifier,
    TransformerMultipleChoice,
    TransformerQuestionAnswering,
    TransformerRegressor,
)
from tweetclf.testing import make_tiny_transformer


@pytest.fixture(scope="module")
def sober(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a model without dropout, in which all micro-batches are alike."""
    folder = tmp_path_factory.mktemp("options") / "sober"
    return str(make_tiny_transformer(folder, TEXTS, dropout=0.0))


@pytest.mark.parametrize("y", [LABELS, INDICATOR, NUMBERS], ids=["c", "l", "n"])
def test_a_learning_rate_is_found_without_a_fit(sober: str, y: Any) -> None:
    kind = TransformerRegressor if y is NUMBERS else TransformerClassifier
    estimator = kind(model=sober, batch_size=32, random_state=0, early_stopping=True)
    before = set(vars(estimator))
    found = estimator.find_learning_rate(TEXTS, y, lowest=1e-5, highest=0.1, n_steps=20)
    assert set(vars(estimator)) == before
    assert found.rates[0] == pytest.approx(1e-5)
    assert len(found.rates) == len(found.losses) == 20
    assert np.isfinite(found.smoothed).all()
    assert 1e-5 < found.suggestion < 0.1
    axes = found.plot()
    assert axes.get_xscale() == "log"
    assert np.array_equal(axes.lines[0].get_ydata(), found.smoothed)


def test_the_finder_follows_the_options() -> None:
    plain = bilstm().find_learning_rate(TEXTS, LABELS, n_steps=10)
    soft = bilstm(training__loss="soft_macro_f1")
    soft = soft.find_learning_rate(TEXTS, LABELS, n_steps=10)
    assert soft.losses[0] < 1
    assert not np.allclose(plain.losses, soft.losses)
    whole = bilstm(batch_size=32, dropout=0.0, learning_rate=(0.1, 0.01))
    parts = clone(whole).set_params(batch_size=8, training__accumulate=4)
    one, four = (
        clf.find_learning_rate(TEXTS, LABELS, n_steps=5, highest=1e-5)
        for clf in (whole, parts)
    )
    np.testing.assert_allclose(one.losses, four.losses, rtol=1e-5)


def test_the_finder_trains_all_layers_of_ulmfit_after_the_head() -> None:
    fitted = ulmfit().fit(TEXTS, LABELS)
    before = weights(fitted)
    found = fitted.find_learning_rate(TEXTS, LABELS, n_steps=4)
    again = fitted.find_learning_rate(TEXTS, LABELS, n_steps=4)
    assert np.array_equal(found.losses, again.losses)
    no_head = ulmfit(head_iter=0).find_learning_rate(TEXTS, LABELS, n_steps=4)
    assert found.losses[0] != no_head.losses[0]
    assert np.array_equal(weights(fitted), before)


@pytest.mark.parametrize(
    "sweep", [{"lowest": 1.0, "highest": 0.1}, {"n_steps": 1}, {"n_steps": 2.5}]
)
def test_wrong_rates_are_refused_before_a_language_model_is_trained(
    sweep: dict[str, Any],
) -> None:
    huge = {"hidden_size": 10**6, "vocab_size": 10**6}
    clf = ulmfit(lm_params=huge)
    with pytest.raises(ValueError, match="0 < lowest < highest and at least 2 steps"):
        clf.find_learning_rate(TEXTS, LABELS, **sweep)


def test_thresholds_need_no_validation_texts_to_find_a_rate(sober: str) -> None:
    clf = TransformerClassifier(model=sober, threshold="tuned", random_state=0)
    found = clf.find_learning_rate(TEXTS, INDICATOR, n_steps=5)
    assert len(found.losses) == 5


def test_questions_and_choices_have_a_finder(sober: str) -> None:
    questions = [("¿qué?", text) for text in TEXTS[:8]]
    answers = [(0, text.split()[0]) for text in TEXTS[:8]]
    answering = TransformerQuestionAnswering(
        model=sober, max_length=32, overlap=4, batch_size=4, random_state=0
    )
    assert len(answering.find_learning_rate(questions, answers, n_steps=6).losses) == 6
    choosing = TransformerMultipleChoice(model=sober, max_length=32, random_state=0)
    rows = [(text, "uno", "dos") for text in TEXTS[:8]]
    found = choosing.find_learning_rate(rows, [0, 1] * 4, n_steps=6)
    assert len(found.losses) == 6
    fitted = answering.set_params(training__accumulate=2, max_iter=1)
    assert fitted.fit(questions, answers).n_iter_ == 1
