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
    from tweetclf.leaderboard.given import choose_systems
    from tweetclf.leaderboard.learning import (
        Extrapolation,
        FittedCurve,
        LearningCurve,
        fit_learning_curve,
    )
    from tweetclf.leaderboard.named_spaces import register_space
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
    from tweetclf.leaderboard.search_protocol import SearchProtocol
    from tweetclf.leaderboard.space_files import read_space
    from tweetclf.leaderboard.spaces import (
        Choice,
        Integer,
        LogUniform,
        Space,
        Uniform,
    )
    from tweetclf.leaderboard.store import RunStore
    from tweetclf.leaderboard.study import run_search
    from tweetclf.leaderboard.systems import (
        System,
        get_system,
        list_systems,
        register_system,
    )
    from tweetclf.leaderboard.trials import Sweep, Trial

_MODULES = {
    "advice": ("Advice",),
    "advising": ("advise",),
    "boards": ("Entry", "Leaderboard", "Overall", "TaskBoard"),
    "definitions": ("Definition", "read_definition"),
    "execution": ("execute_run",),
    "fold_cache": ("FoldCache",),
    "given": ("choose_systems",),
    "learning": (
        "Extrapolation",
        "FittedCurve",
        "LearningCurve",
        "fit_learning_curve",
    ),
    "named_spaces": ("register_space",),
    "noise": ("find_label_noise",),
    "ranking": ("build_leaderboard",),
    "records": ("Cost", "Protocol", "RunRecord", "RunSpec", "TaskFacts"),
    "runner": ("LeaderboardRun", "Skipped", "run_leaderboard"),
    "search": ("CachedGridSearchCV",),
    "search_protocol": ("SearchProtocol",),
    "space_files": ("read_space",),
    "spaces": ("Choice", "Integer", "LogUniform", "Space", "Uniform"),
    "study": ("run_search",),
    "store": ("RunStore",),
    "systems": ("System", "get_system", "list_systems", "register_system"),
    "trials": ("Sweep", "Trial"),
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
    "Choice",
    "Cost",
    "Definition",
    "Entry",
    "Extrapolation",
    "FittedCurve",
    "FoldCache",
    "Integer",
    "Leaderboard",
    "LeaderboardRun",
    "LearningCurve",
    "LogUniform",
    "Overall",
    "Protocol",
    "RunRecord",
    "RunSpec",
    "RunStore",
    "SearchProtocol",
    "Skipped",
    "Space",
    "Sweep",
    "System",
    "TaskBoard",
    "TaskFacts",
    "advise",
    "Trial",
    "Uniform",
    "build_leaderboard",
    "choose_systems",
    "execute_run",
    "find_label_noise",
    "fit_learning_curve",
    "get_system",
    "list_systems",
    "read_definition",
    "read_space",
    "register_space",
    "register_system",
    "run_leaderboard",
    "run_search",
]
