"""Safe model directories: JSON and arrays, nothing in them is executed."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.persistence import labelling
    from tweetclf.persistence.model import ModelInfo, load, model_info, save
    from tweetclf.persistence.predictor import Predictor, load_predictor

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "ModelInfo": "tweetclf.persistence.model",
        "Predictor": "tweetclf.persistence.predictor",
        "labelling": "tweetclf.persistence.labelling",
        "load": "tweetclf.persistence.model",
        "load_predictor": "tweetclf.persistence.predictor",
        "model_info": "tweetclf.persistence.model",
        "save": "tweetclf.persistence.model",
    },
)

__all__ = [
    "ModelInfo",
    "Predictor",
    "labelling",
    "load",
    "load_predictor",
    "model_info",
    "save",
]
