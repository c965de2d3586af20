"""How a language model is adapted to a domain."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AdaptationTraining"]


@dataclass(frozen=True, kw_only=True)
class AdaptationTraining:
    """How masked language modelling goes on; by default as the Japanese study has it.

    Parameters
    ----------
    max_iter : int, default=2
        Epochs; 1 to 6 over 28 million tweets, or 2 to 12 over 15, in the study.
    batch_size : int, default=55
        Texts in a step. The study's number filled a GPU of 12 GB, at `max_length`.
    max_length : int, default=116
        Longer texts are cut off. The study's length covers 99.9 % of its tweets.
    learning_rate : float, default=1e-4
        Peak rate of AdamW; it falls linearly to 0.
    warmup_steps : int, default=10000
        Steps in which the rate rises. A tenth of the steps, where that is less.
    weight_decay : float, default=0.03
        Decoupled weight decay, of matrices alone. The study's tables and figures say
        .03; the caption of one prints .3.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Of AdamW. The study tried 0.8 and 0.9, 0.999 and 0.9999, 1e-8 and 1e-5, and does
        not say which one its model has.
    mask_rate : float, default=0.15
        Share of the tokens that is foretold.
    whole_words : bool, default=False
        Hide all pieces of a word, or none. The study does not say which it did.
    validation_fraction : float, default=0.05
        Share of the texts that the loss is measured on; the best epoch is kept.

    References
    ----------
    N. Lone-Wolfgang, "BERT for Japanese Twitter", chapter 6.
    """

    max_iter: int = 2
    batch_size: int = 55
    max_length: int = 116
    learning_rate: float = 1e-4
    warmup_steps: int = 10_000
    weight_decay: float = 0.03
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    mask_rate: float = 0.15
    whole_words: bool = False
    validation_fraction: float = 0.05

    def __post_init__(self) -> None:
        for name in ("mask_rate", "validation_fraction"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(
                    f"AdaptationTraining: the {name!r} parameter must be between 0 and "
                    f"1. Got {getattr(self, name)!r} instead."
                )
        for name, least in (
            ("max_iter", 1),
            ("batch_size", 1),
            ("max_length", 3),
            ("warmup_steps", 0),
        ):
            if getattr(self, name) < least:
                raise ValueError(
                    f"AdaptationTraining: the {name!r} parameter must be at least "
                    f"{least}. Got {getattr(self, name)!r} instead."
                )

    def warmup(self, n_steps: int) -> int:
        """Return the steps of the warm-up in a training of so many steps.

        Parameters
        ----------
        n_steps : int
            Steps of the training.
        """
        return min(self.warmup_steps, n_steps // 10)
