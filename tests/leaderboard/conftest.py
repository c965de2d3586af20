"""Tiny tasks and systems for the tests of the leaderboard."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tweetclf.leaderboard import System
from tweetclf.tasks import Split, Task, get_metric

GOOD = ["qué buen día", "me encanta todo", "gran concierto ayer", "feliz con el gato"]
BAD = ["qué mal día", "odio todo esto", "horrible concierto ayer", "triste sin el gato"]


def _split(name: str, n: int, offset: int, groups: bool) -> Split:
    texts, labels = [], []
    for i in range(n):
        positive = (i * 7 + offset) % 3 != 0
        # Every fifth label is wrong, so that no system is perfect.
        label = positive != (i % 5 == 0)
        base = (GOOD if positive else BAD)[i % 4]
        texts.append(f"{base} {offset}-{i}")
        labels.append("P" if label else "N")
    return Split(
        name,
        tuple(texts),
        np.array(labels, dtype=object),
        tuple(f"{name}{i}" for i in range(n)),
        tuple("ab"[i % 2] for i in range(n)) if groups else None,
    )


@pytest.fixture
def make_task() -> Callable[..., Task]:
    """Return a maker of small binary tasks."""

    def make(
        name: str = "toy",
        *,
        test: bool = True,
        groups: bool = False,
        n: int = 60,
        offset: int = 0,
    ) -> Task:
        splits = {
            "train": _split("train", n, offset, groups),
            "dev": _split("dev", 20, offset + 100, groups),
        }
        if test:
            splits["test"] = _split("test", 40, offset + 200, groups)
        return Task(
            name=name,
            version="1",
            language="es",
            kind="binary",
            target_kind="binary",
            label_names=("N", "P"),
            metric=get_metric("macro_f1", labels=("N", "P")),
            secondary_metrics=(get_metric("accuracy", labels=("N", "P")),),
            splits=splits,
        )

    return make


@pytest.fixture
def toy_systems() -> list[System]:
    """Two systems that need nothing but the core."""
    return [
        System("majority", "tweetclf.estimators:majority", "majority", "reference"),
        System(
            "tfidf-lr",
            "tweetclf.estimators:tfidf_lr",
            "words",
            "usual",
            grid={"lr__C": (0.01, 10.0)},
        ),
    ]
