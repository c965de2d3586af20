"""How published systems fine-tune their transformers, by name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tweetclf.estimators.fine_tuning import TransformerClassifier, TransformerRegressor
from tweetclf.training.options import TrainingOptions
from tweetclf.utils.registry import Registry

if TYPE_CHECKING:
    from numpy.random import RandomState

__all__ = ["TRANSFORMER_PRESETS", "TransformerPreset", "transformer"]


@dataclass(frozen=True)
class TransformerPreset:
    """The fine-tuning of a published system.

    Parameters
    ----------
    name : str
        Its name.
    parameters : mapping of str to object
        Parameters of :class:`TransformerClassifier`.
    grid : mapping of str to tuple
        What the system's authors searched or set by task: parameter -> values.
    source : str
        Where this is written.
    note : str
        What the source leaves open or has otherwise, and what is done here.
    """

    name: str
    parameters: Mapping[str, Any]
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        for name in ("parameters", "grid"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))


_TWHIN = {
    "pooling": "cls",
    "profile": "raw",
    "max_length": 128,
    "max_iter": 30,
    "batch_size": 128,
    "early_stopping": True,
    "scoring": "f1_macro",
}
_TWHIN_SOURCE = (
    "X. Zhang et al. TwHIN-BERT. KDD 2023, section 3.3 and Table 9: a linear layer on "
    "the pooled output, up to 30 epochs, the best on dev, batches of 128"
)
_TWHIN_NOTE = (
    "Warm-up and decay of the rate are not stated: those of the default are taken. The "
    "median of 3 seeds is reported: use SeedEnsemble or seeds of the leaderboard."
)

_PRESETS = (
    TransformerPreset(
        "twilbert",
        {
            "pooling": "mean",
            "profile": "twilbert",
            "max_iter": 15,
            "batch_size": 32,
            "learning_rate": 1e-4,
            "weight_decay": 0.0,
            "warmup": None,
            "class_weight": "balanced",
            "early_stopping": True,
            "validation_fraction": 0.2,
            "scoring": "f1_macro",
            "training": TrainingOptions(optimizer="keras_adam", clip_norm=None),
        },
        {
            "pooling": ("mean", "cls"),
            "batch_size": (16, 32),
            "learning_rate": (1e-5, 5e-5, 1e-4, 5e-4),
        },
        "J. A. Gonzalez, L.-F. Hurtado and F. Pla. TWilBert. Neurocomputing 426, 2021, "
        "section 5; configurations of jogonba2/TWilBert (15 epochs, 10 for pairs; mean "
        "over all tokens; a constant rate; weights by class)",
        "Its weights are not on the hub: give a model. Its optimizer is Keras' Adam "
        "with betas .9 and .98, without clipping. Its class weights are the balanced "
        "ones times a constant, which Adam does not notice.",
    ),
    TransformerPreset(
        "twhin-bert-base",
        {
            **_TWHIN,
            "model": "Twitter/twhin-bert-base",
            "learning_rate": 2e-5,
            "weight_decay": 0.0,
        },
        {"learning_rate": (1e-5, 2e-5, 4e-5)},
        _TWHIN_SOURCE,
        "Rates by task: 4e-5 for hashtags and SE2017, 1e-5 for SE2018 and ASAD, 2e-5 "
        f"for COVID-JA and SE2020. {_TWHIN_NOTE}",
    ),
    TransformerPreset(
        "twhin-bert-large",
        {
            **_TWHIN,
            "model": "Twitter/twhin-bert-large",
            "learning_rate": 1e-5,
            "weight_decay": 5e-4,
        },
        {"learning_rate": (1e-5, 2e-5), "weight_decay": (0.0, 5e-4)},
        _TWHIN_SOURCE,
        "Rates by task: 2e-5 for hashtags and SE2017, else 1e-5. Decay: 5e-4 for "
        f"SE2018, ASAD and SE2020, else 0. {_TWHIN_NOTE}",
    ),
    TransformerPreset(
        "bertweet",
        {
            "model": "vinai/bertweet-base",
            "pooling": "cls",
            "max_length": 128,
            "max_iter": 30,
            "batch_size": 32,
            "learning_rate": 1e-5,
            "warmup": None,
            "early_stopping": True,
            "n_iter_no_change": 5,
            "scoring": "f1_macro",
        },
        {},
        "D. Q. Nguyen, T. Vu and A. T. Nguyen. BERTweet. EMNLP 2020 (demos), section "
        "3: AdamW, a fixed rate of 1e-5, batches of 32, up to 30 epochs, stopped after "
        "5 without improvement on dev",
        "Weight decay is not stated: AdamW's .01 is taken. Its own normalisation of "
        "tweets (@USER, HTTPURL, emoji as words) is not among the profiles: normalise "
        "texts first.",
    ),
)

TRANSFORMER_PRESETS: Registry[TransformerPreset] = Registry(
    "preset", "list(TRANSFORMER_PRESETS) of tweetclf.estimators.transformer_presets"
)
"""Fine-tuning of published systems, by name."""
for _preset in _PRESETS:
    TRANSFORMER_PRESETS.register(_preset.name, _preset)

# What is of classes has no meaning for numbers, nor class weights for several labels.
_OF_CLASSES = ("class_weight", "threshold")


def transformer(
    preset: str | None = None,
    *,
    model: str | os.PathLike[str] | None = None,
    pairs: bool = False,
    multilabel: bool = False,
    regression: bool = False,
    precision: str = "float32",
    random_state: int | RandomState | None = 0,
) -> TransformerClassifier | TransformerRegressor:
    """Make an estimator that fine-tunes a transformer as a published system does.

    Parameters
    ----------
    preset : {"bertweet", "twhin-bert-base", "twhin-bert-large", "twilbert"} or None, \
default=None
        The system; see `TRANSFORMER_PRESETS` for sources and for what they leave open.
        None: the defaults of :class:`TransformerClassifier`.
    model : str or path, optional
        Directory or hub name of the pretrained model, if not the system's own.
    pairs : bool, default=False
        Take text pairs as X.
    multilabel : bool, default=False
        Take an indicator matrix as y.
    regression : bool, default=False
        Take numbers as y.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        As in :class:`TransformerClassifier`.
    random_state : int, RandomState instance or None, default=0
        Seed of the head's weights, dropout and the order of the texts.

    Returns
    -------
    TransformerClassifier or TransformerRegressor
        Not fitted.

    Raises
    ------
    UnknownNameError
        If there is no such preset.

    Examples
    --------
    >>> from tweetclf.estimators import transformer
    >>> clf = transformer("bertweet")
    >>> clf.model, clf.learning_rate, clf.n_iter_no_change
    ('vinai/bertweet-base', 1e-05, 5)
    """
    parameters: dict[str, Any] = {}
    if preset is not None:
        parameters |= TRANSFORMER_PRESETS.get(preset).parameters
    if model is not None:
        parameters["model"] = model
    if pairs:
        parameters["n_segments"] = 2
        if preset == "twilbert":
            parameters["max_iter"] = 10
    parameters |= {"precision": precision, "random_state": random_state}
    if multilabel:
        parameters.pop("class_weight", None)
    if not regression:
        return TransformerClassifier(**parameters)
    for name in _OF_CLASSES:
        parameters.pop(name, None)
    if parameters.get("scoring") == "f1_macro":
        parameters["scoring"] = "loss"
    return TransformerRegressor(**parameters)
