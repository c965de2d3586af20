"""`TrainingOptions` as values."""

from __future__ import annotations

from typing import Any

import numpy as np
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


def test_equal_options_are_written_alike() -> None:
    plain = TrainingOptions(
        optimizer="lamb", betas=(0.5, 0.0), eps=1.0, label_smoothing=0.0,
        huber_delta=2.0, accumulate=2, clip_norm=1.0, max_rollbacks=4, compile=True,
    )  # fmt: skip
    other = TrainingOptions(
        optimizer=np.str_("lamb"), betas=[np.float32(0.5), 0], eps=1,
        label_smoothing=np.int64(0), huber_delta=2, accumulate=np.int64(2),
        clip_norm=np.float64(1), max_rollbacks=np.int8(4), compile=np.True_,
    )  # fmt: skip
    assert plain == other
    assert repr(plain) == repr(other)
    assert plain.__tweetclf_key__() == other.__tweetclf_key__()
    types = [type(value) for value in plain.as_dict().values()]
    assert types == [type(value) for value in other.as_dict().values()]
    assert TrainingOptions(clip_norm=None).clip_norm is None
    assert TrainingOptions().clip_norm == "auto"


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
