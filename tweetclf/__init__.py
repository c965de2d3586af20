"""Honest, strong, fast baselines for tweet classification.

Importing this package loads no other package: names are resolved when they are
first used.
"""

from typing import TYPE_CHECKING

from tweetclf._version import __version__
from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.persistence import load, save
    from tweetclf.tasks import Metric, Split, Task, load_task

__getattr__, __dir__, _names = attach(
    __name__,
    {
        **{
            name: f"tweetclf.{name}"
            for name in (
                "estimators",
                "exceptions",
                "features",
                "leaderboard",
                "persistence",
                "preprocessing",
                "reports",
                "tasks",
                "testing",
            )
        },
        "Metric": "tweetclf.tasks",
        "Split": "tweetclf.tasks",
        "Task": "tweetclf.tasks",
        "load": "tweetclf.persistence",
        "load_task": "tweetclf.tasks",
        "save": "tweetclf.persistence",
    },
)

__all__ = ["Metric", "Split", "Task", "__version__", "load", "load_task", "save"]
