"""How a language model is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tweetclf.pretraining._setting_checks import (
    check_choice,
    check_count,
    check_number,
)
from tweetclf.pretraining.stages import PRETRAINING, as_stages

__all__ = ["LanguageModelTraining"]

# What numbers must be less than, if anything; all are at least 0.
_NUMBERS: dict[str, float | None] = {
    "validation_fraction": 1.0,
    "label_smoothing": 1.0,
    # Four times the largest dropout of a language model, 0.25 (`AWDDropout`), is 1.
    "dropout_multiplier": 4.0,
    "weight_decay": None,
    "alpha": None,
    "beta": None,
}


@dataclass(frozen=True, kw_only=True)
class LanguageModelTraining:
    """How a language model is trained; the defaults are those of HAHA 2019.

    Parameters
    ----------
    stages : sequence of Stage, default=PRETRAINING
        Epochs and their rates; plain tuples will do.
    batch_size : int, default=64
        Rows of the stream.
    bptt : int, default=70
        Tokens a row and step.
    validation_fraction : float, default=0.1
        Share of the texts that is held out to measure perplexity on. With it, the
        best epoch is kept; with 0, the last.
    label_smoothing : float, default=0.1
        Of the cross-entropy.
    dropout_multiplier : float, default=1.0
        Factor on all dropouts, less than 4: the largest of them is 0.25.
    weight_decay : float, default=0.1
        Decoupled, of all parameters.
    alpha, beta : float, default=2.0 and 1.0
        Weights of the penalties on activations and on their changes.
    ar_of : {"raw", "dropped"}, default="raw"
        What the first penalty is of; see `tweetclf.modules.activation_penalty`.
    """

    stages: Sequence[Any] = PRETRAINING
    batch_size: int = 64
    bptt: int = 70
    validation_fraction: float = 0.1
    label_smoothing: float = 0.1
    dropout_multiplier: float = 1.0
    weight_decay: float = 0.1
    alpha: float = 2.0
    beta: float = 1.0
    ar_of: str = "raw"

    def __post_init__(self) -> None:
        owner = type(self).__name__
        as_stages(self.stages, caller=owner, name="stages")
        for name in ("batch_size", "bptt"):
            self._put(name, check_count(owner, name, getattr(self, name)))
        for name, below in _NUMBERS.items():
            self._put(name, check_number(owner, name, getattr(self, name), below))
        self._put("ar_of", check_choice(owner, "ar_of", self.ar_of, ("raw", "dropped")))

    def _put(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
