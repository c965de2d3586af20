"""The fine-tuning of published systems, against what their papers print."""

from __future__ import annotations

import pytest

from tweetclf.estimators import (
    TransformerClassifier,
    TransformerRegressor,
    transformer,
)
from tweetclf.estimators.transformer_presets import TRANSFORMER_PRESETS
from tweetclf.exceptions import UnknownNameError

NAMES = ["bertweet", "twhin-bert-base", "twhin-bert-large", "twilbert"]


def test_names() -> None:
    assert sorted(TRANSFORMER_PRESETS) == NAMES
    with pytest.raises(UnknownNameError, match="twhin-bert-base"):
        transformer("twhin-bert-bas")


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_makes_every_kind(name: str) -> None:
    preset = TRANSFORMER_PRESETS.get(name)
    clf = transformer(name, model="here", random_state=3)
    assert isinstance(clf, TransformerClassifier)
    params = clf.get_params()
    assert params["model"] == "here"
    assert params["random_state"] == 3
    for key, value in preset.parameters.items():
        assert key == "model" or params[key] == value
    assert set(preset.grid) <= set(params)
    assert preset.source
    assert preset.note
    assert transformer(name, pairs=True).n_segments == 2
    assert transformer(name, multilabel=True).class_weight is None
    reg = transformer(name, regression=True)
    assert isinstance(reg, TransformerRegressor)
    assert reg.scoring == "loss"
    reg._validate_params()
    clf._validate_params()


def test_what_the_papers_say() -> None:
    bertweet = transformer("bertweet")
    assert (bertweet.learning_rate, bertweet.batch_size) == (1e-5, 32)
    assert (bertweet.max_iter, bertweet.n_iter_no_change) == (30, 5)
    assert bertweet.warmup is None  # "a fixed learning rate"
    base = transformer("twhin-bert-base")
    assert (base.max_iter, base.batch_size, base.weight_decay) == (30, 128, 0.0)
    assert TRANSFORMER_PRESETS.get("twhin-bert-base").grid["learning_rate"] == (
        1e-5,
        2e-5,
        4e-5,
    )
    large = transformer("twhin-bert-large")
    assert large.weight_decay == 5e-4
    twilbert = transformer("twilbert")
    assert (twilbert.pooling, twilbert.max_iter) == ("mean", 15)
    options = twilbert.get_params()
    assert options["training__optimizer"] == "keras_adam"  # .9, .98, 1e-6
    assert options["training__clip_norm"] is None
    assert transformer("twilbert", pairs=True).max_iter == 10
    assert transformer().get_params() == {
        **TransformerClassifier().get_params(),
        "random_state": 0,
    }
