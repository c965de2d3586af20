"""Figures in scikit-learn's Display style: computed once, drawn on any axes.

Each class has methods ``from_...`` that compute and draw, and a ``plot(ax=...)`` that
draws again; ``ax_`` and ``figure_`` are where it drew last. matplotlib is imported when
something is drawn.
"""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.reports.displays.adaptation import AdaptationCurvesDisplay
    from tweetclf.reports.displays.critical_difference import CriticalDifferenceDisplay
    from tweetclf.reports.displays.degrees import DegreeDisplay
    from tweetclf.reports.displays.evp import ExpectedPerformanceDisplay
    from tweetclf.reports.displays.forest import ForestDisplay
    from tweetclf.reports.displays.heatmap import SweepHeatmapDisplay
    from tweetclf.reports.displays.learning import LearningCurveDisplay
    from tweetclf.reports.displays.lengths import LengthDisplay
    from tweetclf.reports.displays.parallel import ParallelCoordinatesDisplay
    from tweetclf.reports.displays.pareto import ParetoDisplay
    from tweetclf.reports.displays.reliability import ReliabilityDisplay

_MODULES = {
    "adaptation": ("AdaptationCurvesDisplay",),
    "critical_difference": ("CriticalDifferenceDisplay",),
    "degrees": ("DegreeDisplay",),
    "evp": ("ExpectedPerformanceDisplay",),
    "forest": ("ForestDisplay",),
    "learning": ("LearningCurveDisplay",),
    "lengths": ("LengthDisplay",),
    "heatmap": ("SweepHeatmapDisplay",),
    "parallel": ("ParallelCoordinatesDisplay",),
    "pareto": ("ParetoDisplay",),
    "reliability": ("ReliabilityDisplay",),
}

__getattr__, __dir__, _names = attach(
    __name__,
    {
        name: f"tweetclf.reports.displays.{module}"
        for module, names in _MODULES.items()
        for name in names
    },
)

__all__ = [
    "AdaptationCurvesDisplay",
    "CriticalDifferenceDisplay",
    "DegreeDisplay",
    "ExpectedPerformanceDisplay",
    "ForestDisplay",
    "LearningCurveDisplay",
    "LengthDisplay",
    "ParallelCoordinatesDisplay",
    "ParetoDisplay",
    "ReliabilityDisplay",
    "SweepHeatmapDisplay",
]
