"""`TrainingOptions` as values."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.base import clone

from tweetclf.training import TrainingOptions


def test_options_have_a_short_repr_and_never_change() -> None:
    options = TrainingOptions(optimizer="lamb", accumulate=2)
    assert repr(options) == "TrainingOptions(optimizer='lamb', accumulate=2)"
    assert options.replaced(optimizer=None) == TrainingOptions(accumulate=2)
    assert clone(options, safe=False) is options
    assert TrainingOptions(betas=[0.8, 0.9]) == TrainingOptions(betas=(0.8, 0.9))
    with pytest.raises(AttributeError):
        options.accumulate = 3  # type: ignore[misc]
    with pytest.raises(ValueError, match="no option 'acumulate'. Did you mean 'acc"):
        options.replaced(acumulate=3)


@pytest.mark.parametrize(
    "bad",
    [
        {"optimizer": "sgd"},
        {"betas": (0.9, 1.0)},
        {"betas": 0.9},
        {"eps": 0.0},
        {"schedule": "triangular"},
        {"warmup": 1.0},
        {"loss": "hinge"},
        {"label_smoothing": -0.1},
        {"confidence_penalty": -1},
        {"huber_delta": float("inf")},
        {"accumulate": 0},
        {"accumulate": 1.5},
        {"clip_norm": 0},
        {"on_divergence": "ignore"},
        {"max_rollbacks": -1},
        {"compile": "yes"},
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(bad: dict[str, Any]) -> None:
    (name,) = bad
    with pytest.raises(ValueError, match=f"'{name}' parameter must be"):
        TrainingOptions(**bad)
