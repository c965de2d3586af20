"""What makes a class a display: it is drawn on axes, and knows where."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from tweetclf.reports.displays._style import Style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tweetclf.reports.displays._style import Margins

__all__ = ["Display"]


class Display(ABC):
    """A figure that is computed once and drawn on any axes."""

    ax_: Axes
    figure_: Figure

    def plot(self, ax: Axes | None = None, *, style: Style | None = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        style : Style, optional
            Colours and letters.

        Returns
        -------
        Display
            Itself.

        Raises
        ------
        ValueError
            If there is nothing that can be drawn.
        """
        style = style or Style()
        if ax is None:
            ax = new_axes(*self._size(style))
        self._paint(ax, style)
        self.ax_, self.figure_ = ax, ax.figure  # type: ignore[assignment]
        return self

    @abstractmethod
    def _size(self, style: Style) -> tuple[float, float, Margins]:
        """Return width, height and margins of new axes, in inches."""

    @abstractmethod
    def _paint(self, ax: Axes, style: Style) -> None:
        """Draw on these axes."""
