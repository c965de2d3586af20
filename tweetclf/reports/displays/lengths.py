"""Lengths of documents in tokens, and the length that covers a share of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tweetclf.reports.axes import locator
from tweetclf.reports.displays._base import Display
from tweetclf.reports.displays._style import MARGINS, Margins, Style, bare, title_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LengthDisplay"]

# How far beyond the chosen length lengths are drawn, as a multiple of it.
_BEYOND = 1.25


class LengthDisplay(Display):
    """A histogram of lengths, with a line at the one that covers a share of them.

    Parameters
    ----------
    counts : array-like of int, shape (longest + 1,)
        Number of documents of each length, from 0.
    max_length : int
        The length that covers so many.
    share : float
        The share that was asked for.
    label : str, default="tokens a document"
        What is counted, under the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    See Also
    --------
    tweetclf.pretraining.corpus.length_coverage : The numbers behind it.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from tweetclf.reports.displays import LengthDisplay
    >>> display = LengthDisplay(counts=[0, 0, 0, 90, 9, 1], max_length=4, share=0.99)
    >>> display.plot(Figure().subplots()).n_longer
    1
    """

    def __init__(
        self,
        *,
        counts: ArrayLike,
        max_length: int,
        share: float,
        label: str = "tokens a document",
    ) -> None:
        self.counts = np.asarray(counts)
        self.max_length = max_length
        self.share = share
        self.label = label

    @classmethod
    def from_coverage(
        cls, coverage: Any, *, ax: Axes | None = None, **options: Any
    ) -> LengthDisplay:
        """Draw what was measured.

        Parameters
        ----------
        coverage : LengthCoverage
            Of `tweetclf.pretraining.corpus.length_coverage`.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        **options
            Of the constructor.

        Returns
        -------
        LengthDisplay
            The display.
        """
        display = cls(
            counts=coverage.counts,
            max_length=coverage.max_length,
            share=coverage.share,
            **options,
        )
        return display.plot(ax)

    @property
    def n_longer(self) -> int:
        """Number of documents that are longer than `max_length`."""
        return int(self.counts[self.max_length + 1 :].sum())

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        if self.counts.ndim != 1 or not self.counts.any():
            raise ValueError("LengthDisplay: there is no document to draw.")
        return 6.4, 3.6, MARGINS

    def _paint(self, ax: Axes, style: Style) -> None:
        self._size(style)  # what cannot be drawn is refused on given axes, too
        bare(ax, style)
        ax.grid(axis="y", color=style.line, linewidth=1)
        title_axes(ax, style, self.label, "share of the documents")
        stop = int(max(self.max_length * _BEYOND, self.max_length + 2))
        shown = self.counts[: stop + 1] / self.counts.sum()
        places = np.arange(len(shown))
        ax.bar(places, shown, width=1.0, color=style.accent, linewidth=0)
        ax.axvline(
            self.max_length + 0.5, color=style.second, linewidth=1.8, linestyle="--"
        )
        ax.set_xlim(-0.5, stop + 0.5)
        ax.set_ylim(0, 1.12 * float(shown.max()))
        ax.xaxis.set_major_locator(locator(8))
        ax.yaxis.set_major_locator(locator(5))
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:.2%}".replace(".00", ""))
        longest = int(np.flatnonzero(self.counts)[-1])
        said = f"{self.share:.4g} of all: at most {self.max_length:,}"
        if self.n_longer:
            said += f"; {self.n_longer:,} longer, up to {longest:,}"
        style.write(
            ax,
            1.0,
            1.02,
            said,
            width=70,
            transform=ax.transAxes,
            ha="right",
            va="bottom",
            color=style.ink,
            fontsize=style.size - 0.5,
        )
