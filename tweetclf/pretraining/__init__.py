"""Tokenizers and language models, learnt from unlabelled tweets."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.pretraining.elmo import train_elmo
    from tweetclf.pretraining.elmo_settings import (
        ELMO_SIZES,
        ElmoTraining,
        ElmoTrainingResult,
    )

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "ELMO_SIZES": "tweetclf.pretraining.elmo_settings",
        "ElmoTraining": "tweetclf.pretraining.elmo_settings",
        "ElmoTrainingResult": "tweetclf.pretraining.elmo_settings",
        "train_elmo": "tweetclf.pretraining.elmo",
    },
)

__all__ = [
    "ELMO_SIZES",
    "ElmoTraining",
    "ElmoTrainingResult",
    "train_elmo",
]
