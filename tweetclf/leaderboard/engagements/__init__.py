"""Engagement prediction as a leaderboard: text systems x languages x runs."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.leaderboard.engagements.board import (
        EngagementBoard,
        EngagementContrast,
        EngagementScore,
        build_engagement_board,
    )
    from tweetclf.leaderboard.engagements.definitions import (
        EngagementDefinition,
        read_engagement_definition,
    )
    from tweetclf.leaderboard.engagements.records import (
        EngagementProtocol,
        EngagementRecord,
        EngagementSpec,
        EngagementStore,
    )
    from tweetclf.leaderboard.engagements.runner import (
        EngagementRun,
        run_engagements,
    )
    from tweetclf.leaderboard.engagements.sets import (
        LanguagePart,
        UserVectors,
        language_parts,
        learn_user_vectors,
        take_user_vectors,
    )
    from tweetclf.leaderboard.engagements.systems import TEXT_SYSTEMS

_MODULES = {
    "board": (
        "EngagementBoard",
        "EngagementContrast",
        "EngagementScore",
        "build_engagement_board",
    ),
    "definitions": ("EngagementDefinition", "read_engagement_definition"),
    "records": (
        "EngagementProtocol",
        "EngagementRecord",
        "EngagementSpec",
        "EngagementStore",
    ),
    "runner": ("EngagementRun", "run_engagements"),
    "sets": (
        "LanguagePart",
        "UserVectors",
        "language_parts",
        "learn_user_vectors",
        "take_user_vectors",
    ),
    "systems": ("TEXT_SYSTEMS",),
}

__getattr__, __dir__, _names = attach(
    __name__,
    {
        name: f"tweetclf.leaderboard.engagements.{module}"
        for module, names in _MODULES.items()
        for name in names
    },
)

__all__ = [
    "TEXT_SYSTEMS",
    "EngagementBoard",
    "EngagementContrast",
    "EngagementDefinition",
    "EngagementProtocol",
    "EngagementRecord",
    "EngagementRun",
    "EngagementScore",
    "EngagementSpec",
    "EngagementStore",
    "LanguagePart",
    "UserVectors",
    "build_engagement_board",
    "language_parts",
    "learn_user_vectors",
    "read_engagement_definition",
    "run_engagements",
    "take_user_vectors",
]
