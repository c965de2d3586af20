"""What all displays share: colours, markers, lines, safe text, axes.

Colours are never the only sign: series differ in marker and line style too, and marks
are filled or hollow, so that a grey print and every kind of colour sight read the same.
The colours are blue, vermilion and black of Okabe & Ito, wine-red, indigo and green of
Tol, and a dark brown: each has a contrast of at least 3 : 1 to white (WCAG 2.1,
graphical objects), and the first six are told apart by people without red, green or
blue cones, as far as that can be simulated.

References
----------
Okabe & Ito, Color Universal Design, 2008; Tol, Colour Schemes, SRON technical note
SRON/EPS/TN/09-002, 2021; Machado, Oliveira & Fernandes, A physiologically-based model
for simulation of color vision deficiency, IEEE TVCG 15(6), 2009.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tweetclf.reports.formatting import display_width, make_safe, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tweetclf.reports.drawing import Drawing

__all__ = [
    "LINES",
    "MARGINS",
    "MARKERS",
    "Margins",
    "PALETTE",
    "Style",
    "bare",
    "new_axes",
    "page_style",
    "series",
    "text_width",
    "title_axes",
    "width_in_points",
]

Margins = tuple[float, float, float, float]
MARGINS: Margins = (0.65, 0.65, 0.2, 0.4)
"""Left, bottom, right and top of most figures, in inches."""

PALETTE = ("#0072b2", "#d55e00", "#000000", "#aa3377", "#5b3a00", "#332288", "#117733")
"""Colours of series, in order: blue, vermilion, black, wine, brown, indigo, green."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Markers of series, in the same order."""

LINES: tuple[Any, ...] = (
    "-",
    "--",
    "-.",
    ":",
    (0, (7, 1.5)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (1, 1)),
)
"""Line styles of series, in the same order."""


def series(position: int) -> dict[str, Any]:
    """Return colour, marker and line of a series, as `Axes.plot` takes them.

    Parameters
    ----------
    position : int
        Which series, from 0; after the seventh they come again.

    Examples
    --------
    >>> from tweetclf.reports.displays._style import series
    >>> series(1)
    {'color': '#d55e00', 'marker': 's', 'linestyle': '--'}
    """
    return {
        "color": PALETTE[position % len(PALETTE)],
        "marker": MARKERS[position % len(MARKERS)],
        "linestyle": LINES[position % len(LINES)],
    }


def _write(
    axes: Axes, x: float, y: float, text: str, *, width: int = 24, **how: Any
) -> None:
    # A dollar sign in a name is no formula.
    how.setdefault("clip_on", False)
    axes.text(x, y, shorten(make_safe(text), width), parse_math=False, **how)


@dataclass(frozen=True)
class Style:
    """How a display is drawn.

    Parameters
    ----------
    ink, muted, line : str, optional
        Colours of text and axes, of what matters less, of grids.
    accent, second : str, optional
        Colours of what the display is about, and of what it is compared with.
    paper : str, optional
        Colour of the ground, inside hollow marks.
    size : float, default=10
        Size of the letters, in points.
    write : callable, optional
        Called as ``write(axes, x, y, text, width=..., **how)`` for texts that users
        gave; by default they are cut to `width` columns and drawn by matplotlib.
    """

    ink: str = "#000000"
    muted: str = "#59616b"
    line: str = "#d6dae0"
    accent: str = PALETTE[0]
    second: str = PALETTE[1]
    paper: str = "#ffffff"
    size: float = 10
    write: Callable[..., None] = _write


def page_style(drawing: Drawing) -> Style:
    """Return the style of the figures of a report: the page's colours and fonts."""
    from tweetclf.reports.drawing import ACCENT, INK, LINE, MUTED, PAPER, PUBLISHED

    return Style(INK, MUTED, LINE, ACCENT, PUBLISHED, PAPER, 11.5, drawing.label)


def new_axes(width: float, height: float, margins: Margins) -> Axes:
    """Return the axes of a new figure, of a size in inches.

    pyplot is asked for the figure, as scikit-learn does, so that notebooks show it.
    The margins (left, bottom, right, top) stand from the start and no layout moves
    them: what is placed by the width of the axes stays where it is.
    """
    import matplotlib.pyplot as plt

    left, bottom, right, top = margins
    figure = plt.figure(figsize=(width, height))
    return figure.add_axes(
        (
            left / width,
            bottom / height,
            (width - left - right) / width,
            (height - bottom - top) / height,
        )
    )


def bare(axes: Axes, style: Style) -> None:
    """Take off the frame and tone down the ticks."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, colors=style.muted, labelsize=style.size - 0.5)
    axes.set_axisbelow(True)


def title_axes(axes: Axes, style: Style, x: str, y: str = "") -> None:
    """Write what the axes show: `x` below them, `y` above their left end."""
    from matplotlib.transforms import offset_copy

    places = [
        (0.5, 0.0, -26.0, x, "center", "top"),
        (0.0, 1.0, 8.0, y, "left", "bottom"),
    ]
    for across, up, offset, text, align, side in places:
        if text:
            where = offset_copy(
                axes.transAxes,
                axes.figure,  # type: ignore[arg-type]
                0.0,
                offset,
                units="points",
            )
            style.write(
                axes,
                across,
                up,
                text,
                width=80,
                transform=where,
                ha=align,
                va=side,
                color=style.muted,
                fontsize=style.size - 0.5,
            )


def width_in_points(axes: Axes) -> float:
    """Return the width of axes as they stand now, in points."""
    return float(axes.get_window_extent().width) * 72 / axes.figure.dpi


def text_width(text: str, size: float, most: int = 24) -> float:
    """Return about how many points a text takes that is cut to `most` columns."""
    return min(display_width(text), most) * size * 0.58
