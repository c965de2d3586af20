"""Figures of the analyses, in scikit-learn's Display style.

Each class has methods ``from_...`` that take what an analysis returned and draw it, and
a ``plot(ax=...)`` that draws again; ``ax_`` and ``figure_`` are where it drew last.
"""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.analysis.displays.attention import AttentionDisplay
    from tweetclf.analysis.displays.candidate import CandidatesDisplay
    from tweetclf.analysis.displays.estimates import EstimatesDisplay
    from tweetclf.analysis.displays.lines import CurvesDisplay
    from tweetclf.analysis.displays.maps import HeadMapDisplay, TokenMapDisplay

_MODULES = {
    "attention": ("AttentionDisplay",),
    "candidate": ("CandidatesDisplay",),
    "estimates": ("EstimatesDisplay",),
    "lines": ("CurvesDisplay",),
    "maps": ("HeadMapDisplay", "TokenMapDisplay"),
}

__getattr__, __dir__, _names = attach(
    __name__,
    {
        name: f"tweetclf.analysis.displays.{module}"
        for module, names in _MODULES.items()
        for name in names
    },
)

__all__ = [
    "AttentionDisplay",
    "CandidatesDisplay",
    "CurvesDisplay",
    "EstimatesDisplay",
    "HeadMapDisplay",
    "TokenMapDisplay",
]
