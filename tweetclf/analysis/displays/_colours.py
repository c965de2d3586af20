"""Colours of series in the figures of the analyses."""

from __future__ import annotations

from tweetclf.reports.displays._style import PALETTE, Style

__all__ = ["series_colour"]


def series_colour(style: Style, position: int) -> str:
    """Return the colour of a series: the page's own ones first, which suit its ground.

    Parameters
    ----------
    style : Style
        Colours and letters.
    position : int
        Which series, from 0.

    Examples
    --------
    >>> from tweetclf.analysis.displays._colours import series_colour
    >>> from tweetclf.reports.displays._style import Style
    >>> series_colour(Style(accent="#123456"), 0), series_colour(Style(), 3)
    ('#123456', '#aa3377')
    """
    own = (style.accent, style.second, style.ink)
    if position < len(own):
        return own[position]
    return PALETTE[position % len(PALETTE)]
