"""What the figures share: colours of systems, margins, limits, ticks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tweetclf.leaderboard.ranking import TaskBoard
from tweetclf.reports.drawing import ACCENT, MUTED, PUBLISHED
from tweetclf.reports.formatting import display_width
from tweetclf.reports.wording import best_entries, tied_entries

if TYPE_CHECKING:
    from matplotlib.ticker import Locator

__all__ = ["WIDTH", "ink", "kinds", "limits", "locator", "margin"]

WIDTH = 480
"""Width of a figure in pixels, and so the size of its letters beside the text."""


def kinds(board: TaskBoard, n_resamples: int) -> dict[str, str]:
    """Return "best", "tied" or "other" for each system."""
    found = {entry.system: "other" for entry in board.entries}
    found |= {entry.system: "tied" for entry in tied_entries(board, n_resamples)}
    found |= {entry.system: "best" for entry in best_entries(board)}
    return found


def ink(kind: str) -> str:
    """Return the colour of a kind of mark."""
    return {"best": ACCENT, "tied": ACCENT, "published": PUBLISHED}.get(kind, MUTED)


def margin(texts: Sequence[str], most: int, size: float) -> float:
    """Pixels that the longest text takes in a system font."""
    longest = max((min(display_width(text), most) for text in texts), default=1)
    return longest * size * 0.66 + 14


def limits(values: Sequence[float], share: float = 0.06) -> tuple[float, float]:
    """Return the ends of an axis with some air around the values."""
    low, high = min(values), max(values)
    pad = (high - low) * share or abs(high) * 0.05 or 0.05
    return low - pad, high + pad


def locator(n: int) -> Locator:
    """Return ticks at about `n` round numbers."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(n, steps=[1, 2, 2.5, 5, 10])
