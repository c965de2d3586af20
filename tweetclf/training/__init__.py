"""The one training loop: batches by length, schedules, optimisers, losses, resuming."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.training.batching import LengthBatches, sorted_batches
    from tweetclf.training.loop import Batches, Objective, TrainingResult, fit_loop

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "Batches": "tweetclf.training.loop",
        "LengthBatches": "tweetclf.training.batching",
        "Objective": "tweetclf.training.loop",
        "TrainingResult": "tweetclf.training.loop",
        "fit_loop": "tweetclf.training.loop",
        "sorted_batches": "tweetclf.training.batching",
    },
)

__all__ = [
    "Batches",
    "LengthBatches",
    "Objective",
    "TrainingResult",
    "fit_loop",
    "sorted_batches",
]
