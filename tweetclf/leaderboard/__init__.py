"""Many systems x many tasks: runs, their records, statistics and ranking."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.leaderboard.advice import Advice
    from tweetclf.leaderboard.advising import advise
    from tweetclf.leaderboard.boards import Entry, Leaderboard, Overall, TaskBoard
    from tweetclf.leaderboard.definitions import Definition, read_definition
    from tweetclf.leaderboard.execution import execute_run
    from tweetclf.leaderboard.fold_cache import FoldCache
    from tweetclf.leaderboard.learning import (
        Extrapolation,
        FittedCurve,
        LearningCurve,
        fit_learning_curve,
    )
    from tweetclf.leaderboard.noise import find_label_noise
    from tweetclf.leaderboard.ranking import build_leaderboard
    from tweetclf.leaderboard.records import (
        Cost,
        Protocol,
        RunRecord,
        RunSpec,
        TaskFacts,
    )
    from tweetclf.leaderboard.runner import (
        LeaderboardRun,
        Skipped,
        run_leaderboard,
    )
    from tweetclf.leaderboard.search import CachedGridSearchCV
    from tweetclf.leaderboard.store import RunStore
    from tweetclf.leaderboard.systems import (
        System,
        get_system,
        list_systems,
        register_system,
    )

_MODULES = {
    "advice": ("Advice",),
    "advising": ("advise",),
    "boards": ("Entry", "Leaderboard", "Overall", "TaskBoard"),
    "definitions": ("Definition", "read_definition"),
    "execution": ("execute_run",),
    "fold_cache": ("FoldCache",),
    "learning": (
        "Extrapolation",
        "FittedCurve",
        "LearningCurve",
        "fit_learning_curve",
    ),
    "noise": ("find_label_noise",),
    "ranking": ("build_leaderboard",),
    "records": ("Cost", "Protocol", "RunRecord", "RunSpec", "TaskFacts"),
    "runner": ("LeaderboardRun", "Skipped", "run_leaderboard"),
    "search": ("CachedGridSearchCV",),
    "store": ("RunStore",),
    "systems": ("System", "get_system", "list_systems", "register_system"),
}

__getattr__, __dir__, _names = attach(
    __name__,
    {
        **{
            name: f"tweetclf.leaderboard.{module}"
            for module, names in _MODULES.items()
            for name in names
        },
        "statistics": "tweetclf.leaderboard.statistics",
    },
)

__all__ = [
    "Advice",
    "CachedGridSearchCV",
    "Cost",
    "Definition",
    "Entry",
    "Extrapolation",
    "FittedCurve",
    "FoldCache",
    "Leaderboard",
    "LeaderboardRun",
    "LearningCurve",
    "Overall",
    "Protocol",
    "RunRecord",
    "RunSpec",
    "RunStore",
    "Skipped",
    "System",
    "TaskBoard",
    "TaskFacts",
    "advise",
    "build_leaderboard",
    "execute_run",
    "find_label_noise",
    "fit_learning_curve",
    "get_system",
    "list_systems",
    "read_definition",
    "register_system",
    "run_leaderboard",
]
