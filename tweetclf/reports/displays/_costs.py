"""Costs on an axis: what they are, and ticks at round amounts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from tweetclf.reports.formatting import format_bytes, format_rate, format_seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["COSTS", "cost_scales", "time_ticks"]

COSTS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "fit_seconds": ("time to train", format_seconds),
    "select_seconds": ("time to select settings", format_seconds),
    "predict_seconds": ("time to predict", format_seconds),
    "peak_memory": ("memory of the run", format_bytes),
    "model_bytes": ("size of the model", format_bytes),
}
"""Costs of a run record that a display may show: what and how they are written."""

_TIMES = (
    *((m * 10.0**e / 1000, f"{m * 10**e} ms") for e in range(3) for m in (1, 2, 5)),
    *((float(s), f"{s} s") for s in (1, 2, 5, 10, 20, 30)),
    *((60.0 * m, f"{m} min") for m in (1, 2, 5, 10, 20, 30)),
    *((3600.0 * h, f"{h} h") for h in (1, 2, 5, 10, 24, 48, 120, 240)),
)


def time_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return at most six round times between two, evenly thinned.

    Examples
    --------
    >>> from tweetclf.reports.displays._costs import time_ticks
    >>> time_ticks(0.4, 11)
    [(0.5, '500 ms'), (1.0, '1 s'), (2.0, '2 s'), (5.0, '5 s'), (10.0, '10 s')]
    """
    inside = [tick for tick in _TIMES if low <= tick[0] <= high]
    step = max(1, math.ceil(len(inside) / 6))
    return inside[::step]


def cost_scales(
    ax: Axes, rows: np.ndarray, format_cost: Callable[[float], str] | None
) -> None:
    """Set up the axes for rows of cost, score, low and high."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    from tweetclf.reports.axes import limits, locator

    logs = np.log10(rows[0])
    low, high = float(logs.min()), float(logs.max())
    pad = max((high - low) * 0.1, 0.15)
    ends = 10 ** (low - pad), 10 ** (high + pad)
    ax.set_xscale("log")
    ax.set_xlim(*ends)
    values = rows[1:][np.isfinite(rows[1:])]
    ax.set_ylim(*limits(values.tolist(), 0.08))
    if format_cost is format_seconds:
        ticks = time_ticks(*ends)
        ax.set_xticks([t for t, _ in ticks], [text for _, text in ticks], minor=False)
    else:
        written = format_cost or format_rate
        ax.xaxis.set_major_locator(LogLocator(10, (1.0, 2.0, 5.0), numticks=7))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value)))
    ax.minorticks_off()
    ax.yaxis.set_major_locator(locator(5))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.4g}")
