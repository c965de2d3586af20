"""What migration is worth: trainings with and without it, at equal steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from tweetclf.pretraining._adaptation_run import Adaptation, HeldOutLoss
from tweetclf.pretraining.adaptation_settings import AdaptationTraining
from tweetclf.pretraining.migration import Init
from tweetclf.training.devices import Precision

__all__ = ["compare_migrations"]

_FORMAT = 1
# Points of a curve of the training loss.
_N_POINTS = 60


def compare_migrations(
    model: Any,
    tokenizer: Any,
    corpus: Iterable[str],
    new_tokenizer: Any,
    *,
    inits: Sequence[Init] = ("none", "random", "mean"),
    training: AdaptationTraining | None = None,
    random_state: int = 0,
    device: str = "auto",
    precision: Precision = "float32",
    report: Callable[[str, dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Train with and without migration, at equal steps, and return the curves.

    Parameters
    ----------
    model, tokenizer, corpus, new_tokenizer, training, random_state, device, precision
        As in `adapt_language_model`; the model is left as it is.
    inits : sequence of str, default=("none", "random", "mean")
        How rows of tokens begin: all at random, or shared ones copied and the others
        at random or the mean of old pieces. See `migrate_vocabulary`.
    report : callable, optional
        Called with the name of a variant and what happens in it.

    Returns
    -------
    dict
        Plain values: ``n_steps``, and for each variant ``held_out`` (losses at the
        steps of the epochs' ends, step 0 first), ``training`` (mean losses of
        stretches of steps) and the ``overlap``.

    Notes
    -----
    Order, masks, dropout and schedule are the same in all variants: only the rows of
    the vocabulary differ at the start.
    """
    run = Adaptation(
        model,
        tokenizer,
        corpus,
        new_tokenizer,
        training or AdaptationTraining(),
        random_state,
        device,
    )
    variants = {}
    for init in inits:
        module, overlap = run.start(init)
        curve = _Curve(run.n_steps, report, init)
        held = [(0, run.loss(module, run.held_new, run.new))]
        history = run.fit(module, precision, None, curve)
        per_token = run.new.n_hideable(run.held_new.corpus) / run.n_characters
        steps = run.n_steps // run.training.max_iter
        for number, epoch in enumerate(history, 1):
            loss = epoch["valid_loss"]
            found = HeldOutLoss(loss, loss * per_token, epoch["valid_accuracy"])
            held.append((number * steps, found))
        assert overlap is not None
        variants[init] = {
            "held_out": [{"step": step, **asdict(loss)} for step, loss in held],
            "training": curve.points(),
            "overlap": overlap.to_dict(),
        }
    return {
        "format": _FORMAT,
        "n_steps": run.n_steps,
        "original": asdict(run.original_loss()),
        "training": asdict(run.training),
        "random_state": random_state,
        "variants": variants,
    }


class _Curve:
    """Losses of the steps of a training, summed over stretches of them."""

    def __init__(
        self,
        n_steps: int,
        report: Callable[[str, dict[str, Any]], None] | None,
        name: str,
    ) -> None:
        self.width = max(1, math.ceil(n_steps / _N_POINTS))
        self.losses: list[float] = []
        self._report = report
        self._name = name

    def __call__(self, event: dict[str, Any]) -> None:
        if event["kind"] == "step":
            self.losses.append(float(event["loss"]))
        if self._report is not None:
            self._report(self._name, event)

    def points(self) -> list[dict[str, float]]:
        """Return the mean loss of each stretch, at its last step."""
        stretches = range(0, len(self.losses), self.width)
        return [
            {
                "step": min(first + self.width, len(self.losses)),
                "loss": float(np.mean(self.losses[first : first + self.width])),
            }
            for first in stretches
        ]
