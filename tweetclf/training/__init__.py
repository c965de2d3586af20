"""The one training loop: batches by length, schedules, optimisers, losses, resuming."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.training.batching import (
        LengthBatches,
        halve_batch,
        sorted_batches,
    )
    from tweetclf.training.checkpoints import (
        Checkpoints,
        read_checkpoint,
        write_checkpoint,
    )
    from tweetclf.training.devices import (
        autocast,
        module_device,
        resolve_precision,
        seeded,
        to_device,
    )
    from tweetclf.training.distributed import (
        Replicas,
        join_replicas,
        local_device,
    )
    from tweetclf.training.loop import (
        Batches,
        Objective,
        TrainingResult,
        fit_loop,
    )
    from tweetclf.training.losses import (
        binary_cross_entropy,
        confidence_penalty,
        cross_entropy,
        loss_weight,
        regression_loss,
        soft_jaccard_loss,
        soft_macro_f1_loss,
    )
    from tweetclf.training.lr_finder import (
        LRFinderResult,
        find_learning_rate,
    )
    from tweetclf.training.metrics import (
        MetricsLog,
        peak_flops,
        read_metrics,
        tensorboard_writer,
    )
    from tweetclf.training.optimizers import (
        KerasAdam,
        Lamb,
        adamw,
        discriminative_rates,
        layerwise_rates,
        parameter_groups,
    )
    from tweetclf.training.options import TrainingOptions
    from tweetclf.training.progress import (
        show_progress,
        watch_training,
    )
    from tweetclf.training.schedules import (
        Constant,
        Cosine,
        Linear,
        Noam,
        OneCycle,
        SlantedTriangular,
        total_steps,
    )
    from tweetclf.training.thresholds import (
        best_threshold,
        best_thresholds,
    )

_MODULES = {
    "batching": (
        "LengthBatches",
        "halve_batch",
        "sorted_batches",
    ),
    "checkpoints": (
        "Checkpoints",
        "read_checkpoint",
        "write_checkpoint",
    ),
    "devices": (
        "autocast",
        "module_device",
        "resolve_precision",
        "seeded",
        "to_device",
    ),
    "distributed": (
        "Replicas",
        "join_replicas",
        "local_device",
    ),
    "loop": (
        "Batches",
        "Objective",
        "TrainingResult",
        "fit_loop",
    ),
    "losses": (
        "binary_cross_entropy",
        "confidence_penalty",
        "cross_entropy",
        "loss_weight",
        "regression_loss",
        "soft_jaccard_loss",
        "soft_macro_f1_loss",
    ),
    "lr_finder": (
        "LRFinderResult",
        "find_learning_rate",
    ),
    "metrics": (
        "MetricsLog",
        "peak_flops",
        "read_metrics",
        "tensorboard_writer",
    ),
    "optimizers": (
        "KerasAdam",
        "Lamb",
        "adamw",
        "discriminative_rates",
        "layerwise_rates",
        "parameter_groups",
    ),
    "options": ("TrainingOptions",),
    "progress": ("show_progress", "watch_training"),
    "schedules": (
        "Constant",
        "Cosine",
        "Linear",
        "Noam",
        "OneCycle",
        "SlantedTriangular",
        "total_steps",
    ),
    "thresholds": (
        "best_threshold",
        "best_thresholds",
    ),
}

__getattr__, __dir__, _names = attach(
    __name__,
    {
        name: f"tweetclf.training.{module}"
        for module, names in _MODULES.items()
        for name in names
    },
)

__all__ = [
    "Batches",
    "Checkpoints",
    "Constant",
    "Cosine",
    "KerasAdam",
    "LRFinderResult",
    "Lamb",
    "LengthBatches",
    "Linear",
    "MetricsLog",
    "Noam",
    "Objective",
    "OneCycle",
    "Replicas",
    "SlantedTriangular",
    "TrainingOptions",
    "TrainingResult",
    "adamw",
    "autocast",
    "best_threshold",
    "best_thresholds",
    "binary_cross_entropy",
    "confidence_penalty",
    "cross_entropy",
    "discriminative_rates",
    "find_learning_rate",
    "fit_loop",
    "halve_batch",
    "join_replicas",
    "layerwise_rates",
    "local_device",
    "loss_weight",
    "module_device",
    "parameter_groups",
    "peak_flops",
    "read_checkpoint",
    "read_metrics",
    "regression_loss",
    "resolve_precision",
    "seeded",
    "show_progress",
    "soft_jaccard_loss",
    "soft_macro_f1_loss",
    "sorted_batches",
    "tensorboard_writer",
    "to_device",
    "total_steps",
    "watch_training",
    "write_checkpoint",
]
