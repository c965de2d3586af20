"""Degrees of an engagement graph: how many users and posts have how many edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tweetclf.reports.displays._base import Display
from tweetclf.reports.displays._style import (
    MARGINS,
    Margins,
    Style,
    bare,
    series,
    title_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tweetclf.social import GraphStatistics

__all__ = ["DegreeDisplay"]

# More points than that are not told apart.
_MOST_POINTS = 400


class DegreeDisplay(Display):
    """Share of nodes with at least so many edges, on logarithmic axes.

    Make one by `from_statistics` or `from_degrees`. A power law is a straight line; the
    dashed ones are the laws that were fitted, over the degrees they hold for.

    Parameters
    ----------
    degrees : dict of str to (array-like, array-like)
        Name of the nodes -> degrees, ascending, and how many nodes have each.
    laws : dict of str to (float, int), optional
        Name of the nodes -> exponent of the distribution, and the degree from which on
        it holds.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    Notes
    -----
    The cumulative share needs no bins, and its slope is ``1 - alpha`` where degrees
    occur in proportion to ``d**-alpha`` (Clauset, Shalizi & Newman, 2009, section 3.1).

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from tweetclf.reports.displays import DegreeDisplay
    >>> display = DegreeDisplay.from_degrees(
    ...     {"posts": ([1, 2, 8], [6, 3, 1])}, ax=Figure().subplots()
    ... )
    >>> display.shares["posts"].tolist()
    [1.0, 0.4, 0.1]
    """

    def __init__(
        self,
        *,
        degrees: Mapping[str, tuple[ArrayLike, ArrayLike]],
        laws: Mapping[str, tuple[float, int]] | None = None,
    ) -> None:
        self.degrees: dict[str, NDArray[np.float64]] = {}
        self.shares: dict[str, NDArray[np.float64]] = {}
        for name, (values, counts) in degrees.items():
            numbers = np.asarray(values, dtype=np.float64)
            nodes = np.asarray(counts, dtype=np.float64)
            if numbers.shape != nodes.shape or not len(numbers) or not nodes.sum() > 0:
                raise ValueError(
                    f"DegreeDisplay: the degrees of {name!r} and their counts must be "
                    f"as many, and not none. Got {numbers.shape} and {nodes.shape}."
                )
            self.degrees[name] = numbers
            self.shares[name] = np.cumsum(nodes[::-1])[::-1] / nodes.sum()
        self.laws = dict(laws or {})

    @classmethod
    def from_degrees(
        cls,
        degrees: Mapping[str, tuple[ArrayLike, ArrayLike]],
        *,
        laws: Mapping[str, tuple[float, int]] | None = None,
        ax: Axes | None = None,
    ) -> DegreeDisplay:
        """Draw degrees that were counted.

        Parameters
        ----------
        degrees, laws
            As of the class.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        """
        return cls(degrees=degrees, laws=laws).plot(ax)

    @classmethod
    def from_statistics(
        cls, statistics: GraphStatistics, *, ax: Axes | None = None
    ) -> DegreeDisplay:
        """Draw the degrees of a graph.

        Parameters
        ----------
        statistics : GraphStatistics
            Of `EngagementGraph.statistics`.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        """
        sides: dict[str, Any] = {"users": statistics.users, "posts": statistics.posts}
        return cls(
            degrees={name: (s.degrees, s.counts) for name, s in sides.items()},
            laws={
                name: (s.power_law.alpha, s.power_law.xmin)
                for name, s in sides.items()
                if s.power_law is not None
            },
        ).plot(ax)

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        return 6.4, 4.2, MARGINS

    def _paint(self, ax: Axes, style: Style) -> None:
        bare(ax, style)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.grid(color=style.line, linewidth=1)
        for place, (name, degrees) in enumerate(self.degrees.items()):
            seen = np.flatnonzero(degrees > 0)
            chosen = seen[_thin(len(seen))]
            look = series(place)
            law = self.laws.get(name)
            said = name if law is None else f"{name}, exponent {law[0]:.2f}"
            ax.plot(
                degrees[chosen],
                self.shares[name][chosen],
                marker=look["marker"],
                color=look["color"],
                linestyle="none",
                markersize=4.5,
                label=said,
            )
            if law is not None:
                self._draw_law(ax, name, law, look["color"])
        ax.legend(frameon=False, fontsize=style.size - 1, labelcolor=style.ink)
        title_axes(
            ax, style, "edges, logarithmic", "share of nodes with at least so many"
        )

    def _draw_law(
        self, ax: Axes, name: str, law: tuple[float, int], color: str
    ) -> None:
        alpha, xmin = law
        tail = self.degrees[name] >= xmin
        if tail.sum() < 2:
            return
        degrees = self.degrees[name][tail]
        line = self.shares[name][tail][0] * (degrees / degrees[0]) ** (1 - alpha)
        ax.plot(degrees, line, color=color, linestyle=(0, (5, 2)), linewidth=1.4)


def _thin(n: int) -> NDArray[np.int64]:
    """Return which of `n` points to draw, denser at the start."""
    if n <= _MOST_POINTS:
        return np.arange(n)
    return np.unique(np.geomspace(1, n, _MOST_POINTS).astype(np.int64) - 1)
