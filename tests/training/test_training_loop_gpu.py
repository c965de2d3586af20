"""The training loop on a GPU: bfloat16, and going on from a checkpoint on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tweetclf.training import LengthBatches, adamw, fit_loop  # noqa: E402
from tweetclf.training.checkpoints import Checkpoints  # noqa: E402
from tweetclf.training.devices import seeded  # noqa: E402

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]

GPU = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def network() -> torch.nn.Module:
    with seeded(1, torch.device("cpu")):
        return torch.nn.Sequential(
            torch.nn.Linear(16, 32),
            torch.nn.Tanh(),
            torch.nn.Dropout(0.2),
            torch.nn.Linear(32, 1),
        ).to(GPU)


def batches() -> LengthBatches:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 16, generator=generator)
    y = x.sum(1, keepdim=True).sin()

    def collate(rows):
        chosen = torch.from_numpy(rows)
        return {"x": x[chosen], "y": y[chosen]}

    return LengthBatches([1] * 64, collate, batch_size=8)


def squared_error(module, batch):
    answers = module(batch["x"])
    # Under autocast the last layer answers in bfloat16.
    dtypes.add(answers.dtype)
    return (answers.float() - batch["y"]).square().mean(), {"weight": len(batch["y"])}


dtypes: set[torch.dtype] = set()


def train(module: torch.nn.Module, max_epochs: int, **options):
    return fit_loop(
        module,
        squared_error,
        batches(),
        optimizer=adamw(module.parameters(), lr=1e-2),
        max_epochs=max_epochs,
        precision="bfloat16",
        clip_norm=1.0,
        **options,
    )


def test_a_training_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    dtypes.clear()
    whole, stopped, resumed = network(), network(), network()
    result = train(whole, 4)
    kept = Checkpoints(tmp_path / "kept")
    train(stopped, 2, checkpoint=kept)
    train(resumed, 4, resume=Checkpoints(tmp_path / "kept").latest())
    assert dtypes == {torch.bfloat16}
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    for one, other in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert one.is_cuda
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
