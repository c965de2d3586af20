"""The display of lengths draws the numbers it is given."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from tweetclf.pretraining.corpus import LengthCoverage
from tweetclf.reports.displays import LengthDisplay

COUNTS = np.zeros(201, dtype=np.int64)
COUNTS[10:61] = 20
COUNTS[200] = 1


def test_bars_line_and_words() -> None:
    coverage = LengthCoverage(COUNTS, 0.999, 60)
    ax = Figure().subplots()
    display = LengthDisplay.from_coverage(coverage, ax=ax)
    assert display.ax_ is ax
    heights = np.array([bar.get_height() for bar in ax.patches])
    np.testing.assert_allclose(heights, COUNTS[: len(heights)] / COUNTS.sum())
    assert 60 < len(heights) <= 77
    (line,) = ax.lines
    assert line.get_xdata()[0] == 60.5
    said = " ".join(text.get_text() for text in ax.texts)
    assert "0.999 of all: at most 60; 1 longer, up to 200" in said
    assert display.n_longer == 1


def test_new_axes_and_nothing_to_draw() -> None:
    import matplotlib.pyplot as plt

    display = LengthDisplay(counts=[0, 0, 3], max_length=2, share=1.0).plot()
    assert "longer" not in " ".join(text.get_text() for text in display.ax_.texts)
    plt.close(display.figure_)
    for ax in (None, Figure().subplots()):
        with pytest.raises(ValueError, match="no document"):
            LengthDisplay(counts=[0, 0], max_length=2, share=1.0).plot(ax)
