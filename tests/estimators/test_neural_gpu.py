"""Neural estimators on a GPU against what they answer on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tweetclf.estimators import TransformerClassifier, ULMFiTClassifier  # noqa: E402
from tweetclf.testing import make_tiny_transformer  # noqa: E402
from tweetclf.testing._data import make_corpus  # noqa: E402

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]

TEXTS, LABELS = make_corpus(2)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tiny") / "bert"
    texts, _ = make_corpus(3)
    return str(make_tiny_transformer(folder, texts, hidden_size=64, dropout=0.0))


def at(device: str, **options: Any) -> TransformerClassifier:
    """Return a classifier that is not left to choose its device."""
    clf = TransformerClassifier(
        batch_size=8, learning_rate=1e-3, random_state=0, **options
    )
    clf.device = device
    return clf


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_transformer_learns_what_it_learns_on_a_cpu(tiny: str, pooling: str) -> None:
    made = [
        at(device, model=tiny, pooling=pooling, max_iter=2).fit(TEXTS, LABELS)
        for device in ("cpu", "cuda")
    ]
    assert {clf.plan_ for clf in made} == {"packed"}
    answers = [clf.predict_proba(TEXTS) for clf in made]
    np.testing.assert_allclose(*answers, atol=5e-3)
    # The same weights answer the same.
    made[0].module_.load_state_dict(
        {name: t.cpu() for name, t in made[1].module_.state_dict().items()}
    )
    np.testing.assert_allclose(made[0].predict_proba(TEXTS), answers[1], atol=1e-4)


def test_a_transformer_learns_in_bfloat16_with_dropout(tmp_path: Path) -> None:
    folder = make_tiny_transformer(tmp_path / "bert", TEXTS, hidden_size=64)
    before = torch.cuda.get_rng_state()
    clf = at("cuda", model=str(folder), max_iter=15, precision="bfloat16")
    clf.fit(TEXTS, LABELS)
    assert clf.score(TEXTS, LABELS) > 0.6
    assert clf.history_[-1]["loss"] < clf.history_[0]["loss"]
    assert torch.equal(before, torch.cuda.get_rng_state())


def test_ulmfit_learns_on_a_gpu() -> None:
    pytest.importorskip("sentencepiece")
    clf = ULMFiTClassifier(
        lm_params={
            "vocab_size": 200,
            "emb_size": 16,
            "hidden_size": 12,
            "n_layers": 2,
            "batch_size": 4,
            "bptt": 16,
            "validation_fraction": 0.0,
            "stages": ((1, 0.02),),
        },
        head_iter=1,
        max_iter=3,
        learning_rate=0.03,
        dropout_multiplier=0.0,
        device="cuda",
        random_state=0,
    ).fit(TEXTS, LABELS)
    answers = clf.predict_proba(TEXTS)
    clf.module_.to("cpu")
    clf.set_params(device="cpu")
    np.testing.assert_allclose(clf.predict_proba(TEXTS), answers, atol=1e-4)
    assert clf.history_[-1]["loss"] < clf.history_[0]["loss"]
