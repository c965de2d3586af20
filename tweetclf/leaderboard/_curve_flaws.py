"""What forbids to extrapolate a learning curve."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tweetclf.leaderboard.learning import LearningCurve

__all__ = ["curve_flaw"]

Floats = NDArray[np.float64]

_MIN_SIZES = 4
_MIN_REPEATS = 3
_MIN_LARGEST = 200
# A rise or fall smaller than this share of the scale is none.
_TRIFLE = 0.005


def _mean_and_reach(differences: Floats) -> tuple[float, float]:
    """Return a mean over repeats and half of its 95 % interval (Student)."""
    from scipy.stats import t

    n = len(differences)
    error = differences.std(ddof=1) / math.sqrt(n)
    return float(differences.mean()), float(t.ppf(0.975, n - 1) * error)


def curve_flaw(curve: LearningCurve) -> str | None:
    """Say why a curve must not be extrapolated, or None if it may be.

    Parameters
    ----------
    curve : LearningCurve
        The curve.

    Returns
    -------
    str or None
        A reason in words: too few labels, sizes or repeats, no rise, or a fall.

    Examples
    --------
    >>> from tweetclf.leaderboard.learning import LearningCurve, curve_flaw
    >>> print(curve_flaw(LearningCurve([10, 20, 40, 80], [[0.5, 0.6, 0.7, 0.8]] * 3)))
    the largest training set has 80 labels; a curve needs at least 200
    """
    largest = int(curve.sizes[-1]) if len(curve.sizes) else 0
    if largest < _MIN_LARGEST:
        return (
            f"the largest training set has {largest:,} labels; a curve needs at least "
            f"{_MIN_LARGEST}"
        )
    if len(curve.sizes) < _MIN_SIZES or curve.n_repeats < _MIN_REPEATS:
        return (
            f"there are {len(curve.sizes)} sizes and {curve.n_repeats} repeats; a "
            f"curve needs at least {_MIN_SIZES} and {_MIN_REPEATS}"
        )
    if not np.isfinite(curve.scores).all():
        return "a score is not defined"
    y, trifle = curve.sign * curve.scores, _TRIFLE * curve.scale
    return _flat(curve, y, trifle) or _falling(curve, y, trifle)


def _flat(curve: LearningCurve, y: Floats, trifle: float) -> str | None:
    rise, reach = _mean_and_reach(y[:, -1] - y[:, 0])
    if rise > max(reach, trifle):
        return None
    return (
        f"the curve is flat: from {curve.sizes[0]:,} to {curve.sizes[-1]:,} labels the "
        f"score improved by {_amount(curve, rise)} ± {_amount(curve, reach)}, which "
        "is no trend to follow"
    )


def _falling(curve: LearningCurve, y: Floats, trifle: float) -> str | None:
    n = len(curve.sizes)
    for i in range(n):
        for j in range(i + 1, n):
            fall, reach = _mean_and_reach(y[:, i] - y[:, j])
            if fall > max(reach, 2 * trifle):
                return (
                    f"the curve is not monotone: from {curve.sizes[i]:,} to "
                    f"{curve.sizes[j]:,} labels the score got worse by "
                    f"{_amount(curve, fall)}"
                )
    return None


def _amount(curve: LearningCurve, value: float) -> str:
    if curve.greater_is_better:
        return f"{100 * value:.1f} points"
    return f"{value:.3g}"
