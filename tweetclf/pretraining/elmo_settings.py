"""How ELMo weights are learnt: named sizes, settings, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tweetclf.modules.elmo_config import ElmoConfig

__all__ = ["ELMO_SIZES", "ElmoTraining", "ElmoTrainingResult"]

ELMO_SIZES: Mapping[str, ElmoConfig] = MappingProxyType(
    {
        # Ours, for a CPU and corpora of some 100,000 tweets.
        "tiny": ElmoConfig(
            filters=((1, 16), (2, 16), (3, 32), (4, 64)),
            n_highway=1,
            projection_dim=64,
            cell_dim=256,
        ),
        # AllenNLP's models "small" and "original".
        "small": ElmoConfig(n_highway=1, projection_dim=128, cell_dim=1024),
        "original": ElmoConfig(),
    }
)
"""Sizes of networks by name; "small" and "original" are those of AllenNLP."""


@dataclass(frozen=True, kw_only=True)
class ElmoTraining:
    """How the language model behind ELMo is trained.

    Parameters
    ----------
    max_iter : int, default=10
        Epochs, as bilm-tf has them.
    learning_rate : float, default=1e-3
        Peak rate of Adam: it rises for a fiftieth of the steps, and then falls as half
        a cosine to zero. ELMoForManyLangs takes Adam, bilm-tf Adagrad.
    max_tokens : int, default=2048
        Most tokens in a batch, padding counted.
    batch_size : int, default=128
        Most tweets in a batch.
    dropout : float, default=0.1
        Of the inputs of each layer and of the last outputs.
    clip_norm : float, default=10.0
        Longest gradient.
    max_vocabulary : int, default=50_000
        Most words that are foretold; all others count as one.
    min_count : int, default=2
        Words that occur less often are among these others.
    n_sampled : int or None, default=8192
        Words in the sample that stands for all others in the softmax. None, or a
        vocabulary no larger than that: the full softmax.
    validation_fraction : float, default=0.02
        Share of the tweets that is held out to measure perplexity on. With it, the
        best epoch is kept; with 0, the last.
    n_iter_no_change : int or None, default=None
        Stop after so many epochs without a better perplexity.
    max_length : int, default=100
        Longer tweets are cut into pieces of so many tokens.
    """

    max_iter: int = 10
    learning_rate: float = 1e-3
    max_tokens: int = 2048
    batch_size: int = 128
    dropout: float = 0.1
    clip_norm: float = 10.0
    max_vocabulary: int = 50_000
    min_count: int = 2
    n_sampled: int | None = 8192
    validation_fraction: float = 0.02
    n_iter_no_change: int | None = None
    max_length: int = 100

    def __post_init__(self) -> None:
        counts = ("max_iter", "max_tokens", "batch_size", "max_vocabulary")
        for name in (*counts, "min_count", "max_length"):
            self._check(name, "an int of at least 1", _is_count)
        for name in ("n_sampled", "n_iter_no_change"):
            if getattr(self, name) is not None:
                self._check(name, "an int of at least 1, or None", _is_count)
        for name in ("dropout", "validation_fraction"):
            self._check(
                name, "at least 0 and less than 1", lambda value: 0 <= value < 1
            )
        for name in ("learning_rate", "clip_norm"):
            self._check(name, "above 0", lambda value: value > 0)

    def _check(self, name: str, expected: str, is_good: Any) -> None:
        value = getattr(self, name)
        if not is_good(value):
            raise ValueError(
                f"ElmoTraining: the {name!r} parameter must be {expected}. Got "
                f"{value!r} instead."
            )


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


@dataclass(frozen=True)
class ElmoTrainingResult:
    """What learning ELMo weights gave.

    Parameters
    ----------
    path : Path
        The folder of the weights.
    n_texts, n_tokens, n_words : int
        Tweets and tokens that were learnt from, and words that were foretold.
    perplexity : float or None
        Of the held-out tweets, in the epoch that was kept: the exponential of the mean
        loss of both directions. None if nothing was held out.
    history : list of dict
        One entry an epoch, see `tweetclf.training.TrainingResult`.
    stopped : str
        Why the training ended.
    """

    path: Path
    n_texts: int
    n_tokens: int
    n_words: int
    perplexity: float | None
    history: list[dict[str, Any]] = field(default_factory=list, repr=False)
    stopped: str = "max_epochs"
