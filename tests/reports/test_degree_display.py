"""The figure of degrees shows the shares that were counted."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from tweetclf.reports.displays import DegreeDisplay


def test_points_are_cumulative_shares() -> None:
    sample = np.random.default_rng(0).zipf(2.0, 5000)
    degrees, counts = np.unique(sample, return_counts=True)
    display = DegreeDisplay.from_degrees(
        {"users": (degrees, counts), "posts": ([1, 4], [3, 1])},
        laws={"users": (2.0, 3)},
        ax=Figure().subplots(),
    )
    points, law, others = display.ax_.lines
    x, y = np.asarray(points.get_xdata()), np.asarray(points.get_ydata())
    assert_allclose(y, [(sample >= degree).mean() for degree in x])
    assert np.asarray(others.get_ydata()).tolist() == [1.0, 0.25]
    x, y = np.log(np.asarray(law.get_xdata())), np.log(np.asarray(law.get_ydata()))
    assert_allclose(np.diff(y) / np.diff(x), -1, rtol=1e-9)
    assert np.exp(x[0]) == pytest.approx(3)
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["users, exponent 2.00", "posts"]
    display.figure_.savefig(io.BytesIO(), format="png")


def test_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="'users' and their counts"):
        DegreeDisplay(degrees={"users": ([1, 2], [3])})
    with pytest.raises(ValueError, match="not none"):
        DegreeDisplay(degrees={"users": ([], [])})
