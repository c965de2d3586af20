"""What an encoder is, what it learns and how: the settings of pre-training.

The defaults are those of TWilBERT Base.

References
----------
J. A. González, L.-F. Hurtado & F. Pla, "TWilBert: Pre-trained deep bidirectional
transformers for Spanish Twitter", Neurocomputing 426, 2021, Table 1 and section 4, with
what its released code adds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tweetclf.training.devices import Precision

__all__ = [
    "EncoderModel",
    "EncoderObjectives",
    "EncoderTraining",
    "EncoderTrainingResult",
]


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and value > 0


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value < 1


def _check(
    settings: Any, expected: str, is_good: Callable[[Any], bool], *names: str
) -> None:
    for name in names:
        value = getattr(settings, name)
        if value is not None and not is_good(value):
            caller = type(settings).__name__
            raise ValueError(
                f"{caller}: the {name!r} parameter must be {expected}. Got {value!r} "
                "instead."
            )


def _check_choice(settings: Any, name: str, choices: tuple[Any, ...]) -> None:
    value = getattr(settings, name)
    if value not in choices:
        words = ", ".join(map(repr, choices))
        caller = type(settings).__name__
        raise ValueError(
            f"{caller}: the {name!r} parameter must be one of {words}. Got {value!r} "
            "instead."
        )


@dataclass(frozen=True, kw_only=True)
class EncoderModel:
    """Architecture and sizes of an encoder, as `make_pretraining_model` takes them.

    Parameters
    ----------
    architecture : {"twilbert", "bert", "albert"}, default="twilbert"
        "twilbert" sums embeddings without a layer norm, has attention without biases
        and an output layer of its own. "bert" and "albert" are those of transformers.
    hidden_size : int, default=768
        Width of the states.
    n_layers, n_heads : int, default=6, 6
        Layers, and attention heads of each.
    head_size : int or None, default=None
        Width of a head: 64 for a TWilBERT, whose heads together need not be as wide
        as the states (6 of 64 in 768 in the Base model).
    intermediate_size : int or None, default=None
        Width of the feed-forward layers; four times `hidden_size` by default.
    embedding_size : int or None, default=None
        Width of embeddings that are factorised; by default that of the states, 128 for
        an ALBERT.
    n_groups : int or None, default=None
        Groups of layers that share their weights: 1 shares all. By default none are
        shared, in an ALBERT all.
    max_positions : int, default=260
        Positions that the model knows; TWilBERT's are 2 * 128 + 4.
    dropout : float, default=0.0
        Of states and attention. TWilBERT is pre-trained without.
    pair_hidden_layers : int, default=0
        TWilBERT: layers between [CLS] and the judgement on a pair.
    memory_layers : tuple of int, default=()
        TWilBERT: layers, counted from 0, with a product-key memory.
    memory_sub_keys : int, default=256
        The square root of the number of its values.
    memory_variant : {"xlm", "twilbert"}, default="xlm"
        See `ProductKeyMemory`.
    """

    architecture: Literal["twilbert", "bert", "albert"] = "twilbert"
    hidden_size: int = 768
    n_layers: int = 6
    n_heads: int = 6
    head_size: int | None = None
    intermediate_size: int | None = None
    embedding_size: int | None = None
    n_groups: int | None = None
    max_positions: int = 260
    dropout: float = 0.0
    pair_hidden_layers: int = 0
    memory_layers: tuple[int, ...] = ()
    memory_sub_keys: int = 256
    memory_variant: Literal["xlm", "twilbert"] = "xlm"

    def __post_init__(self) -> None:
        _check_choice(self, "architecture", ("twilbert", "bert", "albert"))
        _check_choice(self, "memory_variant", ("xlm", "twilbert"))
        counts = ("hidden_size", "n_layers", "n_heads", "max_positions", "head_size")
        widths = ("intermediate_size", "embedding_size", "n_groups", "memory_sub_keys")
        _check(self, "an int of at least 1", _is_count, *counts, *widths)
        _check(self, "at least 0 and less than 1", _is_share, "dropout")


@dataclass(frozen=True, kw_only=True)
class EncoderObjectives:
    """What an encoder is asked in pre-training.

    Parameters
    ----------
    pair : {"rop", "nsp", "sop"} or None, default="rop"
        What is to be told of pairs: their order (both orders of each pair are shown),
        whether the reply is another one's, or the order of some. None: nothing.
    masking : {"span", "token", "word"}, default="span"
        Which tokens are foretold: spans of up to `max_span` tokens, tokens one by one,
        or whole words.
    mask_rate : float, default=0.15
        Share of the tokens.
    max_span : int, default=3
        Tokens of the longest span.
    mlm_weight, pair_weight : float, default=1.0, 1.0
        Factors of the two losses in their sum.
    """

    pair: Literal["rop", "nsp", "sop"] | None = "rop"
    masking: Literal["span", "token", "word"] = "span"
    mask_rate: float = 0.15
    max_span: int = 3
    mlm_weight: float = 1.0
    pair_weight: float = 1.0

    def __post_init__(self) -> None:
        _check_choice(self, "pair", ("rop", "nsp", "sop", None))
        _check_choice(self, "masking", ("span", "token", "word"))
        _check(self, "between 0 and 1", lambda v: 0 < v < 1, "mask_rate")
        _check(self, "an int of at least 1", _is_count, "max_span")
        _check(self, "positive", _is_positive, "mlm_weight")
        _check(self, "at least 0", lambda v: v >= 0, "pair_weight")


@dataclass(frozen=True, kw_only=True)
class EncoderTraining:
    """How an encoder is pre-trained; the defaults are TWilBERT Base's.

    Parameters
    ----------
    model : EncoderModel
        Architecture and sizes.
    objectives : EncoderObjectives
        What is learnt.
    optimizer : {"keras-adam", "adamw", "lamb"}, default="keras-adam"
        Adam as Keras has it, with TWilBERT's betas (0.9, 0.98) and epsilon 1e-6; Adam
        with torch's; or LAMB.
    learning_rate : float or None, default=None
        Peak rate. By default that of the schedule with "noam", else 1e-4, of "lamb"
        1.76e-3.
    schedule : {"noam", "linear", "constant"}, default="noam"
        Noam, whose peak follows from width and warm-up; a rise and a linear fall to 0;
        a rise and a constant rate.
    warmup : int or float, default=8000
        Steps in which the rate rises; below 1 a share of all steps.
    weight_decay : float, default=0.0
        Decoupled decay of matrices.
    clip_norm : float or None, default=None
        Longest gradient.
    batch_size : int, default=64
        Examples that a process reads at a time.
    effective_batch_size : int or None, default=2048
        Examples of a step, of all processes; `batch_size` a process by default of None.
    max_length : int, default=83
        Most tokens of an example, special ones included; 40 a tweet in TWilBERT.
    max_steps : int or None, default=None
        Steps; or else `max_iter` epochs.
    max_iter : int, default=1
        Epochs, where `max_steps` does not say otherwise.
    precision : {"float32", "bfloat16", "auto"}, default="auto"
        See `tweetclf.training.fit_loop`.
    gradient_checkpointing : bool, default=False
        Compute the layers' states anew on the way back rather than keep them: less
        memory, a third more work.
    length_pool : int, default=1
        So many batches are sorted by length together. Nothing is padded in any case;
        batches of like lengths are a little faster.
    validation_fraction : float, default=0.01
        Share of the documents that is held out to measure on, at most 10,000.
    evaluate_every : int or None, default=None
        Measure after every so many steps, and not after epochs alone.
    random_state : int, default=0
        Seed of weights, order, masks, dropout and of what is held out.
    """

    model: EncoderModel = EncoderModel()
    objectives: EncoderObjectives = EncoderObjectives()
    optimizer: Literal["keras-adam", "adamw", "lamb"] = "keras-adam"
    learning_rate: float | None = None
    schedule: Literal["noam", "linear", "constant"] = "noam"
    warmup: int | float = 8000
    weight_decay: float = 0.0
    clip_norm: float | None = None
    batch_size: int = 64
    effective_batch_size: int | None = 2048
    max_length: int = 83
    max_steps: int | None = None
    max_iter: int = 1
    precision: Precision = "auto"
    gradient_checkpointing: bool = False
    length_pool: int = 1
    validation_fraction: float = 0.01
    evaluate_every: int | None = None
    random_state: int = 0

    def __post_init__(self) -> None:
        _check_choice(self, "optimizer", ("keras-adam", "adamw", "lamb"))
        _check_choice(self, "schedule", ("noam", "linear", "constant"))
        _check_choice(self, "precision", ("float32", "bfloat16", "auto"))
        counts = ("batch_size", "effective_batch_size", "max_iter", "max_steps")
        more = ("length_pool", "evaluate_every")
        _check(self, "an int of at least 1", _is_count, *counts, *more)
        _check(self, "positive", _is_positive, "learning_rate", "clip_norm")
        _check(self, "at least 0", lambda v: v >= 0, "warmup", "weight_decay")
        _check(self, "at least 0 and less than 1", _is_share, "validation_fraction")
        _check(self, "an int of at least 0", lambda v: v >= 0, "random_state")
        _check(self, "an int of at least 4", lambda v: v >= 4, "max_length")
        if self.max_length > self.model.max_positions:
            raise ValueError(
                f"EncoderTraining: 'max_length' is {self.max_length}, but the model "
                f"has {self.model.max_positions} positions. Give it more "
                "(max_positions)."
            )
        if self.schedule == "noam" and self.warmup < 1:
            raise ValueError(
                "EncoderTraining: the 'noam' schedule needs a 'warmup' in steps. Got "
                f"{self.warmup!r} instead."
            )

    def accumulate(self, n_processes: int = 1) -> int:
        """Return how many times each process reads a batch before a step.

        Raises
        ------
        ValueError
            If they do not add up to the effective batch.
        """
        together = self.batch_size * n_processes
        effective = self.effective_batch_size or together
        if effective % together:
            raise ValueError(
                f"EncoderTraining: 'effective_batch_size' ({effective}) must be a "
                f"multiple of 'batch_size' times the processes ({self.batch_size} * "
                f"{n_processes}). Choose another 'batch_size'."
            )
        return effective // together


@dataclass(frozen=True)
class EncoderTrainingResult:
    """What came out of pre-training.

    Parameters
    ----------
    path : Path
        The directory, as ``transformers`` loads it.
    n_parameters : int
        Numbers that were learnt, shared ones counted once.
    n_steps : int
        Steps of the optimizer.
    scores : dict of str to float
        What was measured last on held-out documents: ``valid_loss``,
        ``valid_mlm_accuracy`` and so on; empty if none were held out.
    history : list of dict
        One entry an epoch.
    """

    path: Path
    n_parameters: int
    n_steps: int
    scores: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list, repr=False)
