"""What an attention head looks at in a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tweetclf.reports.displays._base import Display
from tweetclf.reports.displays._style import (
    Margins,
    Style,
    bare,
    text_width,
    title_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tweetclf.analysis.heads import AttentionMap

__all__ = ["AttentionDisplay"]

_WIDTH = 14  # columns of a token


class AttentionDisplay(Display):
    """Lines from each token, on the left, to those that a head looks at, on the right.

    The more attention, the thicker and darker the line. Make one by `from_map` or the
    constructor.

    Parameters
    ----------
    tokens : sequence of str
        Tokens of the text.
    weights : array-like of shape (n_tokens, n_tokens)
        Row: from which token; column: how much at which.
    least : float, optional
        Smaller weights are not drawn; by default those below one and a half times the
        even share, so that a head which looks everywhere shows no line.
    title : str, default=""
        What is said above.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    References
    ----------
    González et al., "TWilBert", Neurocomputing 426, 2021, figure 6.
    """

    def __init__(
        self,
        *,
        tokens: Sequence[str],
        weights: ArrayLike,
        least: float | None = None,
        title: str = "",
    ) -> None:
        self.tokens = tokens
        self.weights = weights
        self.least = least
        self.title = title

    @classmethod
    def from_map(
        cls, found: AttentionMap, *, least: float | None = None, ax: Axes | None = None
    ) -> AttentionDisplay:
        """Draw one head.

        Parameters
        ----------
        found : AttentionMap
            One of `attention_maps`.
        least : float, optional
            Smaller weights are not drawn.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        """
        return cls(
            tokens=found.tokens,
            weights=found.weights,
            least=least,
            title=f"layer {found.layer + 1}, head {found.head + 1}",
        ).plot(ax)

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        side = max(text_width(t, style.size, _WIDTH) for t in self.tokens) / 72 + 0.2
        height = 0.75 + 0.23 * len(self.tokens)
        return 2.2 + 2 * side, height, (side, 0.25, side, 0.4)

    def _paint(self, ax: Axes, style: Style) -> None:
        from matplotlib.transforms import offset_copy

        weights = np.asarray(self.weights, dtype=np.float64)
        n = len(self.tokens)
        if weights.shape != (n, n) or not n:
            raise ValueError(
                f"AttentionDisplay: 'weights' must be of shape ({n}, {n}), one row and "
                f"column a token. Got {weights.shape}."
            )
        bare(ax, style)
        ax.set_xlim(0, 1)
        ax.set_ylim(n - 0.4, -0.6)
        ax.set_xticks([])
        ax.set_yticks([])
        title_axes(ax, style, "", self.title)
        least = 1.5 / n if self.least is None else self.least
        for row, column in np.argwhere(weights >= least).tolist():
            weight = float(weights[row, column])
            ax.plot(
                [0.0, 1.0],
                [row, column],
                color=style.accent,
                alpha=min(1.0, 0.15 + 0.85 * weight),
                linewidth=0.5 + 3.5 * weight,
                solid_capstyle="round",
                clip_on=False,
            )
        for x, shift, align in ((0.0, -5.0, "right"), (1.0, 5.0, "left")):
            where = offset_copy(
                ax.transData,
                ax.figure,  # type: ignore[arg-type]
                shift,
                0,
                units="points",
            )
            for place, token in enumerate(self.tokens):
                style.write(
                    ax,
                    x,
                    place,
                    token,
                    width=_WIDTH,
                    transform=where,
                    ha=align,
                    va="center_baseline",
                    fontsize=style.size - 1,
                    color=style.ink,
                )
