"""Small estimators for the tests of training options."""

from __future__ import annotations

from typing import Any

import numpy as np

from tweetclf.estimators import (
    BiLSTMClassifier,
    TransformerClassifier,
    TransformerRegressor,
    ULMFiTClassifier,
)
from tweetclf.estimators._neural_compute import state_of
from tweetclf.testing._data import make_corpus
from tweetclf.training import watch_training

TEXTS, LABELS = make_corpus(2)
TEXTS, LABELS = TEXTS[:32], np.asarray(LABELS)[:32]
NUMBERS = np.array([float(len(text)) for text in TEXTS])
INDICATOR = np.stack([np.median(NUMBERS) < NUMBERS, np.arange(32) % 2], 1).astype(int)


def fine_tuned(model: str, y: Any = LABELS, **params: Any) -> Any:
    settings = {
        "max_iter": 1,
        "batch_size": 8,
        "learning_rate": 1e-3,
        "max_length": 32,
        "random_state": 0,
    }
    kind = TransformerRegressor if y is NUMBERS else TransformerClassifier
    return kind(model=model, **settings).set_params(**params).fit(TEXTS, y)


def bilstm(**params: Any) -> BiLSTMClassifier:
    return BiLSTMClassifier(
        hidden_size=4, dense_size=4, max_iter=1, batch_size=8, random_state=0,
        device="cpu",
    ).set_params(**params)  # fmt: skip


def ulmfit(kind: Any = ULMFiTClassifier, **params: Any) -> Any:
    sizes = {"vocab_size": 80, "emb_size": 8, "hidden_size": 8, "n_layers": 1}
    return kind(
        lm_params={**sizes, "stages": ((1, 0.02),)}, max_iter=1, head_iter=1,
        batch_size=8, random_state=0, device="cpu",
    ).set_params(**params)  # fmt: skip


def weights(estimator: Any) -> np.ndarray:
    state = state_of(estimator.module_)
    return np.concatenate([state[name].ravel() for name in sorted(state)])


def steps_of(estimator: Any, y: Any = LABELS) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    with watch_training(events.append):
        estimator.fit(TEXTS, y)
    return [event for event in events if event["kind"] == "step"]
