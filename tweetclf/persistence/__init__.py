"""Safe model directories: JSON and arrays, nothing in them is executed."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.persistence import labelling
    from tweetclf.persistence.model import ModelInfo, load, model_info, save

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "ModelInfo": "tweetclf.persistence.model",
        "labelling": "tweetclf.persistence.labelling",
        "load": "tweetclf.persistence.model",
        "model_info": "tweetclf.persistence.model",
        "save": "tweetclf.persistence.model",
    },
)

__all__ = ["ModelInfo", "labelling", "load", "model_info", "save"]
