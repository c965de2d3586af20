"""Maps: attention heads by what they look at, tokens by where a model puts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tweetclf.analysis.displays._colours import series_colour
from tweetclf.reports.displays._base import Display
from tweetclf.reports.displays._style import Margins, Style, bare, series, title_axes
from tweetclf.reports.formatting import make_safe, plural, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tweetclf.analysis.heads import HeadRedundancy
    from tweetclf.analysis.projection import TokenProjection

__all__ = ["HeadMapDisplay", "TokenMapDisplay"]

_MARGINS: Margins = (0.2, 0.5, 0.2, 0.4)
_CLASSES = ("word", "user", "url", "hashtag", "emoji", "number", "punctuation")


def _equal_axes(ax: Axes, style: Style, positions: np.ndarray) -> None:
    """Frame points so that a distance is as long in both directions."""
    bare(ax, style)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_facecolor("none")
    for spine in ax.spines.values():
        spine.set_visible(True)
        spine.set_color(style.line)
    # Limits and no fixed aspect, of which matplotlib complains beside fixed limits.
    box = ax.get_window_extent()
    low, high = positions.min(axis=0), positions.max(axis=0)
    middle = (low + high) / 2
    # Data units a pixel, the same in both directions.
    scale = max((high - low) / (box.width, box.height)) or 1.0
    half = 0.58 * scale * np.array([box.width, box.height])
    ax.set_xlim(middle[0] - half[0], middle[0] + half[0])
    ax.set_ylim(middle[1] - half[1], middle[1] + half[1])


class HeadMapDisplay(Display):
    """A map of attention heads: near ones look at the same tokens.

    Each mark is a head and has the number of its layer, from 1; the colour goes from
    light (first layer) to dark (last). Make one by `from_redundancy` or the
    constructor.

    Parameters
    ----------
    positions : array-like of shape (n_layers * n_heads, 2)
        Where the heads are, layer after layer.
    n_layers : int
        Number of layers.
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
    González et al., "TWilBert", Neurocomputing 426, 2021, figures 3-5.
    """

    def __init__(self, *, positions: ArrayLike, n_layers: int, title: str = "") -> None:
        self.positions = positions
        self.n_layers = n_layers
        self.title = title

    @classmethod
    def from_redundancy(
        cls, found: HeadRedundancy, *, ax: Axes | None = None
    ) -> HeadMapDisplay:
        """Draw the heads of a model.

        Parameters
        ----------
        found : HeadRedundancy
            Of `head_redundancy`.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        """
        return cls(
            positions=found.positions,
            n_layers=found.n_layers,
            title=f"{found.model} (stress {found.stress:.2f})",
        ).plot(ax)

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        return 5.2, 5.2, _MARGINS

    def _paint(self, ax: Axes, style: Style) -> None:
        positions = np.asarray(self.positions, dtype=np.float64)
        _equal_axes(ax, style, positions)
        title_axes(ax, style, "numbers are layers, from 1", self.title)
        each = len(positions) // self.n_layers
        for layer in range(self.n_layers):
            depth = layer / max(1, self.n_layers - 1)
            own = positions[layer * each : (layer + 1) * each]
            ax.plot(
                own[:, 0],
                own[:, 1],
                "o",
                markersize=1.35 * style.size,
                markerfacecolor=_shade(depth),
                markeredgecolor="#ffffff",
                markeredgewidth=0.8,
                zorder=2,
            )
            for x, y in own.tolist():
                ax.text(
                    x,
                    y,
                    str(layer + 1),
                    ha="center",
                    va="center_baseline",
                    fontsize=0.75 * style.size,
                    color="#ffffff" if depth > 0.35 else "#1a1a1a",
                    zorder=3,
                )


def _rank_of(name: str) -> tuple[int, str]:
    """Order classes, so that a class looks the same on all maps."""
    known = _CLASSES.index(name) if name in _CLASSES else len(_CLASSES)
    return known, name


def _shade(depth: float) -> str:
    """Return a blue, the darker the deeper: lightness alone tells layers apart."""
    light, dark = np.array([0.72, 0.86, 0.96]), np.array([0.03, 0.15, 0.36])
    red, green, blue = (255 * (light + depth * (dark - light))).round().astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"


class TokenMapDisplay(Display):
    """A map of tokens, each class with a colour and a mark of its own.

    Make one by `from_projection` or the constructor.

    Parameters
    ----------
    positions : array-like of shape (n, 2)
        Where the tokens are.
    classes : sequence of str
        Class of each.
    title : str, default=""
        What is said above.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
        The figure of `ax_`.

    Notes
    -----
    After the seventh class colours come again, with hollow marks.
    """

    def __init__(
        self, *, positions: ArrayLike, classes: Sequence[str], title: str = ""
    ) -> None:
        self.positions = positions
        self.classes = classes
        self.title = title

    @classmethod
    def from_projection(
        cls, found: TokenProjection, *, ax: Axes | None = None
    ) -> TokenMapDisplay:
        """Draw projected tokens.

        Parameters
        ----------
        found : TokenProjection
            Of `project_tokens`.
        ax : matplotlib Axes, optional
            Where to draw; by default new axes.
        """
        what = "input embeddings" if found.source == "embeddings" else "words in texts"
        return cls(
            positions=found.positions,
            classes=found.classes,
            title=f"{found.model}: {what}",
        ).plot(ax)

    def _size(self, style: Style) -> tuple[float, float, Margins]:
        return 6.4, 5.0, (0.2, 0.5, 1.6, 0.4)

    def _paint(self, ax: Axes, style: Style) -> None:
        from matplotlib.transforms import offset_copy

        positions = np.asarray(self.positions, dtype=np.float64)
        classes = np.asarray(self.classes, dtype=object)
        _equal_axes(ax, style, positions)
        title_axes(ax, style, "t-SNE: neighbours are alike, distances say little",
                   self.title)  # fmt: skip
        names = sorted(set(self.classes), key=_rank_of)
        for position, name in enumerate(names):
            look = series(position)
            colour = series_colour(style, position)
            mark = {
                "marker": look["marker"],
                "linestyle": "none",
                "markersize": 5,
                "markeredgecolor": colour,
                "markerfacecolor": colour if position < 7 else style.paper,
                "markeredgewidth": 0.8,
            }
            own = positions[classes == name]
            ax.plot(own[:, 0], own[:, 1], **mark)
            down = -(position + 0.7) * 1.6 * style.size
            at = offset_copy(
                ax.transAxes,
                ax.figure,  # type: ignore[arg-type]
                12,
                down,
                units="points",
            )
            ax.plot([1.0], [1.0], transform=at, clip_on=False, **mark)
            said = f"{shorten(make_safe(name), 16)} ({len(own)})"
            style.write(
                ax,
                1.0,
                1.0,
                said,
                width=24,
                transform=offset_copy(
                    at,
                    ax.figure,  # type: ignore[arg-type]
                    8,
                    0,
                    units="points",
                ),
                va="center_baseline",
                fontsize=style.size - 0.5,
                color=style.ink,
            )

    def __repr__(self) -> str:
        return f"TokenMapDisplay({plural(len(self.classes), 'token')})"
