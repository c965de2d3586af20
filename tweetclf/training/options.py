"""How a network is trained, as one value that estimators take; needs no torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from numbers import Integral, Real
from typing import Any, Literal

from tweetclf.utils.registry import suggest

__all__ = ["TrainingOptions"]

_CHOICES = {
    "optimizer": ("adamw", "keras_adam", "lamb", None),
    "schedule": (
        "constant",
        "cosine",
        "linear",
        "noam",
        "one_cycle",
        "slanted_triangular",
        None,
    ),
    "loss": (
        "cross_entropy",
        "binary_cross_entropy",
        "soft_macro_f1",
        "soft_jaccard",
        "mse",
        "mae",
        "huber",
        None,
    ),
    "reduction": ("sample", "weight"),
    "on_divergence": ("stop", "rollback"),
}


@dataclass(frozen=True, kw_only=True, repr=False)
class TrainingOptions:
    """How a neural estimator is trained, where its own parameters do not say.

    None leaves a choice to the estimator: the default options change nothing. Every
    entry is also a parameter of the estimator, ``training__accumulate`` and so on,
    in `set_params`, grids and search spaces.

    Parameters
    ----------
    optimizer : {"adamw", "keras_adam", "lamb"} or None, default=None
        :func:`~tweetclf.training.adamw`, :class:`~tweetclf.training.KerasAdam` or
        :class:`~tweetclf.training.Lamb`, with betas and epsilon of their own.
    betas : tuple of float or None, default=None
        Decay of the optimizer's two moments. Refused where the schedule sets the
        first of them from step to step: "one_cycle", and ULMFiT's own.
    eps : float or None, default=None
        What the optimizer adds to the root of the second moment.
    schedule : {"constant", "cosine", "linear", "noam", "one_cycle", \
"slanted_triangular"} or None, default=None
        How the rate goes from step to step. `learning_rate` of the estimator is its
        peak, that of "noam" included.
    warmup : float or None, default=None
        Share of the steps in which the rate rises. None: `warmup` of the estimator,
        if it has one that is not None; else 0, but 0.1 for "noam" and
        "slanted_triangular" and 0.3 for "one_cycle". "slanted_triangular" needs more
        than 0.
    loss : str or None, default=None
        What is minimised. Of classes "cross_entropy" or "soft_macro_f1"; of indicator
        matrices "binary_cross_entropy", "soft_macro_f1" or "soft_jaccard"; of numbers
        "mse", "mae" or "huber". The first of each by default. With another one,
        ``scoring="loss"`` means that one.
    reduction : {"sample", "weight"}, default="sample"
        What the cross-entropy with class weights is divided by: the number of texts,
        or the sum of their weights. Refused where there are none.
    label_smoothing : float or None, default=None
        Share of the target that is spread over all classes, or between the two
        answers of each label. None: 0.1 for classes of ULMFiT, else 0.
    confidence_penalty : float, default=0.0
        Strength of the penalty on confident outputs beside the cross-entropy.
    huber_delta : float, default=1.0
        Error at which Huber's loss turns, in standard deviations of the targets. Any
        other is refused beside other losses.
    accumulate : int, default=1
        Batches whose gradients make up a step. A step then has ``accumulate *
        batch_size`` texts.
    clip_norm : float, "auto" or None, default="auto"
        Longest gradient; None: any length. "auto" is 1 for transformers and any
        length for others.
    on_divergence : {"stop", "rollback"}, default="stop"
        Where the loss is not finite: raise, or go back to the last good state and
        halve the rate.
    max_rollbacks : int, default=3
        How often to go back before the divergence is raised after all. Any other is
        refused beside "stop". Each stage of ULMFiT counts anew, and starts again from
        the full rate.
    compile : bool, default=False
        For BiLSTMs: train through `torch.compile`.
    gradient_checkpointing : bool, default=False
        For transformers: compute the states of layers again in the backward pass in
        place of keeping them. Slower, in a fraction of the memory.

    Examples
    --------
    >>> from tweetclf.training import TrainingOptions
    >>> options = TrainingOptions(accumulate=4, schedule="one_cycle")
    >>> options
    TrainingOptions(schedule='one_cycle', accumulate=4)
    >>> options.replaced(accumulate=1)
    TrainingOptions(schedule='one_cycle')
    """

    optimizer: Literal["adamw", "keras_adam", "lamb"] | None = None
    betas: tuple[float, float] | None = None
    eps: float | None = None
    schedule: str | None = None
    warmup: float | None = None
    loss: str | None = None
    reduction: Literal["sample", "weight"] = "sample"
    label_smoothing: float | None = None
    confidence_penalty: float = 0.0
    huber_delta: float = 1.0
    accumulate: int = 1
    clip_norm: float | Literal["auto"] | None = "auto"
    on_divergence: Literal["stop", "rollback"] = "stop"
    max_rollbacks: int = 3
    compile: bool = False
    gradient_checkpointing: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.betas, list):
            # JSON and TOML have no tuples; equal options should be equal.
            self._put("betas", tuple(self.betas))
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise self._error(name, f"one of {', '.join(map(repr, choices))}")
            self._put(name, _as_plain(value, str))
        for name, (is_right, wanted) in _NUMBERS.items():
            value = getattr(self, name)
            if not is_right(value):
                raise self._error(name, wanted)
            # So that equal options have equal keys, 1 and NumPy's 1.0 among them.
            self._put(name, _as_plain(value, _KINDS.get(name, float)))

    def _put(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _error(self, name: str, wanted: str) -> ValueError:
        return ValueError(
            f"TrainingOptions: the {name!r} parameter must be {wanted}. Got "
            f"{getattr(self, name)!r} instead."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the names of all options and their values."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    def replaced(self, **changes: Any) -> TrainingOptions:
        """Return the options with some of them changed.

        Parameters
        ----------
        **changes
            Options and their values.

        Returns
        -------
        TrainingOptions
            New ones; these stay as they are.

        Raises
        ------
        ValueError
            If there is no such option, or it cannot have that value.
        """
        names = [entry.name for entry in fields(self)]
        for name in changes:
            if name not in names:
                near = suggest(name, names)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise ValueError(
                    f"TrainingOptions has no option {name!r}.{hint} It has "
                    f"{', '.join(names)}."
                )
        return replace(self, **changes)

    def __repr__(self) -> str:
        defaults = {entry.name: entry.default for entry in fields(self)}
        changed = (
            f"{name}={value!r}"
            for name, value in self.as_dict().items()
            if value != defaults[name]
        )
        return f"TrainingOptions({', '.join(changed)})"

    # Nothing in it changes, so that clones of an estimator may share it.

    def __sklearn_clone__(self) -> TrainingOptions:
        return self

    def __tweetclf_key__(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, repr(value)) for name, value in self.as_dict().items())


def _as_plain(value: Any, kind: type) -> Any:
    """Return NumPy's numbers and words as Python's, numbers of this kind."""
    if isinstance(value, tuple):
        return tuple(_as_plain(entry, kind) for entry in value)
    if value is None:
        return None
    return str(value) if isinstance(value, str) else kind(value)


def _is_share(value: Any) -> bool:
    return isinstance(value, Real) and 0 <= float(value) < 1


def _is_positive(value: Any) -> bool:
    return isinstance(value, Real) and 0 < float(value) < math.inf


def _are_betas(value: Any) -> bool:
    is_pair = isinstance(value, tuple) and len(value) == 2
    return is_pair and all(map(_is_share, value))


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _at_least(least: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Integral) and int(value) >= least


_SHARE = (_or_none(_is_share), "at least 0 and less than 1, or None")
_FLAG = (lambda value: value in (True, False), "True or False")

# What other options must be, in code and in words.
_NUMBERS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "betas": (_or_none(_are_betas), "two numbers from 0 up to 1, 1 excluded, or None"),
    "eps": (_or_none(_is_positive), "a positive number or None"),
    "warmup": _SHARE,
    "label_smoothing": _SHARE,
    "confidence_penalty": (
        lambda value: isinstance(value, Real) and 0 <= float(value) < math.inf,
        "a number of at least 0",
    ),
    "huber_delta": (_is_positive, "a positive number"),
    "accumulate": (_at_least(1), "an int of at least 1"),
    "clip_norm": (
        lambda value: value in (None, "auto") or _is_positive(value),
        "a positive number, 'auto' or None",
    ),
    "max_rollbacks": (_at_least(0), "an int of at least 0"),
    "compile": _FLAG,
    "gradient_checkpointing": _FLAG,
}

# What the others are, which are no floats.
_KINDS: dict[str, type] = {
    "accumulate": int,
    "max_rollbacks": int,
    "compile": bool,
    "gradient_checkpointing": bool,
}
