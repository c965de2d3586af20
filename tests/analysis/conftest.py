"""Tiny random models with heads, as the analyses read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TEXTS = [
    "qué risa me da el lunes",
    "no me gusta nada esto @pepe",
    "genial 😂 el partido de hoy http://t.co/x",
    "el lunes no me gusta #lunes",
    "qué risa el partido , 3 a 2 !",
    "hoy no hay nada",
]
PAIRS = [
    ("¿vienes hoy?", "no , hoy no"),
    ("qué risa", "me da risa"),
    ("el lunes no me gusta nada", "a mí el lunes me gusta"),
    ("genial el partido", "3 a 2 !"),
    ("no hay nada", "hay partido hoy"),
]


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return what makes a tiny model with a head, once for the same arguments."""
    pytest.importorskip("torch")
    import torch
    import transformers

    from tweetclf.testing import make_tiny_transformer
    from tweetclf.training.devices import seeded
    from tweetclf.utils.hugging_face import quiet_transformers

    made: dict[Any, Path] = {}

    def make(
        head: str = "masked", kind: str = "bert", seed: int = 0, **config: Any
    ) -> Path:
        key = head, kind, seed, tuple(sorted(config.items()))
        if key in made:
            return made[key]
        folder = tmp_path_factory.mktemp(f"{kind}-{head}")
        sides = [side for pair in PAIRS for side in pair]
        make_tiny_transformer(folder, TEXTS + sides, kind=kind, seed=seed)
        name = {
            "masked": "AutoModelForMaskedLM",
            "pair": "AutoModelForPreTraining",
            "none": "AutoModel",
        }[head]
        with quiet_transformers(), seeded(seed, torch.device("cpu")):
            settings = transformers.AutoConfig.from_pretrained(folder)
            for option, value in config.items():
                setattr(settings, option, value)
            model = getattr(transformers, name).from_config(settings)
            model.save_pretrained(folder)
        made[key] = folder
        return folder

    return make
