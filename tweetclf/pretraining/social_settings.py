"""How a socially enriched encoder is learnt: the settings of TwHIN-BERT.

References
----------
X. Zhang et al. TwHIN-BERT. KDD 2023, section 2.3, Table 8 (arXiv:2209.07562). "The rest
as RoBERTa" (appendix B) is read from Y. Liu et al. RoBERTa, 2019 (arXiv:1907.11692),
Table 9.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["SocialModel", "SocialTraining", "SocialTrainingResult"]


def _check(settings: Any, expected: str, names: tuple[str, ...], low: float) -> None:
    for name in names:
        value = getattr(settings, name)
        if value is not None and not value >= low:
            raise ValueError(
                f"{type(settings).__name__}: the {name!r} parameter must be "
                f"{expected}. Got {value!r} instead."
            )


@dataclass(frozen=True, kw_only=True)
class SocialModel:
    """Sizes of a BERT whose weights are drawn anew; the defaults are for a CPU.

    Parameters
    ----------
    hidden_size, n_layers, n_heads : int, default=256, 4, 4
        Sizes of the encoder.
    intermediate_size : int, optional
        Width of the feed-forward layers; four times `hidden_size` by default.
    max_positions : int, default=128
        Positions that it knows.
    dropout : float, default=0.1
        Of states and attention, as RoBERTa's.
    """

    hidden_size: int = 256
    n_layers: int = 4
    n_heads: int = 4
    intermediate_size: int | None = None
    max_positions: int = 128
    dropout: float = 0.1

    def __post_init__(self) -> None:
        sizes = ("hidden_size", "n_layers", "n_heads", "intermediate_size")
        _check(self, "at least 1", (*sizes, "max_positions"), 1)
        if self.hidden_size % self.n_heads:
            raise ValueError(
                "SocialModel: 'hidden_size' must be a multiple of 'n_heads'. Got "
                f"{self.hidden_size} and {self.n_heads}."
            )


@dataclass(frozen=True, kw_only=True)
class SocialTraining:
    """One stage of the training; the defaults are the paper's, sizes aside.

    Parameters
    ----------
    social_weight : float, default=1.0
        Factor of the contrast of pairs. 0 learns masked tokens alone, unscaled: stage
        1, or the control that reads the very same batches as a joint training.
    mlm_weight : float, default=0.05
        Factor of masked language modelling, which is the one that the paper weighs.
    temperature : float, default=0.1
        Of the contrast, see `tweetclf.modules.nt_xent`.
    decoupled : bool, default=False
        Leave the partner out of the contrast's denominator.
    projection : tuple of int, default=(768, 768)
        Widths of the two layers between encoder and contrast.
    clean_contrast : bool, default=False
        Contrast the states of tweets that are not masked, for a second pass of the
        encoder a step. By default masked tweets serve both losses.
    batch_size : int, default=64
        Pairs (or texts, where there are no pairs) of a step, of all processes.
    accumulate : int, default=1
        Parts that a batch is read in. Only pairs of one part contrast.
    learning_rate : float, default=1e-4
        Peak rate of AdamW.
    warmup : int or float, default=0.06
        Steps in which the rate rises; below 1 a share of all. It then falls linearly.
    betas : tuple of float, default=(0.9, 0.98)
        Of AdamW.
    eps : float, default=1e-6
        Of AdamW.
    weight_decay : float, default=0.01
        Decoupled decay of matrices.
    clip_norm : float or None, default=None
        Longest gradient.
    max_iter : int, default=1
        Epochs, where `n_steps` does not say otherwise.
    n_steps : int or None, default=None
        Steps; pairs are read as often as need be.
    max_length : int, default=128
        Most tokens of a tweet, special ones included, and of tweets that share a
        sequence.
    blocked_attention : bool, default=True
        Whether each tweet attends to itself alone. Else as many as fit share a sequence
        of `max_length` tokens, see each other, and have positions one after the other;
        two tweets that are a pair of the batch are never in one, nor is one tweet
        twice. Held-out losses are measured as trained. The paper packs tweets and does
        not say which. With several processes the sequences are those of each.
    mask_rate : float, default=0.15
        Share of the tokens that is foretold, drawn anew in every epoch.
    language_power : float, default=0.7
        Pairs are drawn by this power of the frequency of their language; 1 leaves it.
    gradient_checkpointing : bool, default=False
        Compute states anew on the way back rather than keep them.
    validation_fraction : float, default=0.02
        Share of the pairs that is held out to measure on, at most 10,000. Nothing is
        chosen by them: the last state is what comes out, as in the paper.

    Notes
    -----
    Printed in Table 8: weight, temperature, projection, rates, batches, warm-up, steps.
    Inferred from "as RoBERTa": AdamW's betas, epsilon and decay, linear decay, dropout,
    dynamic masks of 15 %, no clipping. Chosen here: that a batch of the paper is one of
    pairs; that one pass over masked tweets serves both losses.
    """

    social_weight: float = 1.0
    mlm_weight: float = 0.05
    temperature: float = 0.1
    decoupled: bool = False
    projection: tuple[int, int] = (768, 768)
    clean_contrast: bool = False
    batch_size: int = 64
    accumulate: int = 1
    learning_rate: float = 1e-4
    warmup: int | float = 0.06
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-6
    weight_decay: float = 0.01
    clip_norm: float | None = None
    max_iter: int = 1
    n_steps: int | None = None
    max_length: int = 128
    blocked_attention: bool = True
    mask_rate: float = 0.15
    language_power: float = 0.7
    gradient_checkpointing: bool = False
    validation_fraction: float = 0.02

    def __post_init__(self) -> None:
        for name in ("projection", "betas"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        counts = ("batch_size", "accumulate", "max_iter", "n_steps")
        _check(self, "at least 1", counts, 1)
        zero = ("social_weight", "mlm_weight", "warmup", "weight_decay")
        _check(self, "at least 0", (*zero, "language_power"), 0)
        tiny = math.ulp(0.0)
        _check(
            self,
            "positive",
            ("temperature", "learning_rate", "eps", "clip_norm"),
            tiny,
        )
        _check(self, "at least 3: a token between [CLS] and [SEP]", ("max_length",), 3)
        if self.social_weight == self.mlm_weight == 0:
            raise ValueError(
                "SocialTraining: 'social_weight' and 'mlm_weight' must not both be 0: "
                "there would be nothing to learn."
            )
        if not 0 < self.mask_rate < 1 or not 0 <= self.validation_fraction < 1:
            raise ValueError(
                "SocialTraining: 'mask_rate' must be between 0 and 1, and "
                "'validation_fraction' at least 0 and less than 1. Got "
                f"{self.mask_rate!r} and {self.validation_fraction!r}."
            )
        if self.batch_size % self.accumulate:
            raise ValueError(
                "SocialTraining: 'batch_size' must be a multiple of 'accumulate'. Got "
                f"{self.batch_size} and {self.accumulate}."
            )
        if len(self.projection) != 2:
            raise ValueError(
                "SocialTraining: 'projection' must be the widths of two layers. Got "
                f"{self.projection!r}."
            )


@dataclass(frozen=True)
class SocialTrainingResult:
    """What came out of a stage.

    Parameters
    ----------
    path : Path
        The directory, as ``transformers`` loads it; beside the model are
        ``projection.safetensors``, if pairs were contrasted, and ``social.json``.
    n_texts, n_pairs : int
        Different tweets, and pairs of them, that were learnt from.
    n_steps : int
        Steps of the optimizer.
    scores : dict of str to float
        What was measured last on held-out pairs; empty if none were held out.
    history : list of dict
        One entry an epoch.
    """

    path: Path
    n_texts: int
    n_pairs: int
    n_steps: int
    scores: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list, repr=False)
