"""Families of learning curves ``a - b g(n, shape)``, fitted for many curves at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FAMILIES", "Family", "FittedFamily", "solve"]

Floats = NDArray[np.float64]
# A basis that is constant over the sizes has no slope.
_TINY = 1e-12
_FAR = 100.0

Basis = Callable[[Floats, Floats, float], Floats]


def _power(n: Floats, shapes: Floats, largest: float) -> Floats:
    return (n[:, None] / largest) ** -shapes


def _logarithm(n: Floats, shapes: Floats, largest: float) -> Floats:
    # It never levels off; that the best score is not passed is asked for at a hundred
    # times the labels, further than anyone looks.
    return np.repeat(np.log(_FAR * largest / n)[:, None], len(shapes), axis=1)


def _exponential(n: Floats, shapes: Floats, largest: float) -> Floats:
    return np.exp(-(n[:, None] / largest) / shapes)


@dataclass(frozen=True)
class Family:
    """Curves ``a - b g(n, shape)`` with a falling, positive g."""

    basis: Basis
    shapes: Floats
    n_parameters: int


FAMILIES: Mapping[str, Family] = {
    "inverse power law": Family(_power, np.geomspace(0.05, 2.0, 60), 3),
    "logarithm": Family(_logarithm, np.ones(1), 2),
    "exponential": Family(_exponential, np.geomspace(0.03, 3.0, 60), 3),
}


def solve(
    basis: Floats, y: Floats, weights: Floats, bound: float
) -> tuple[Floats, Floats, NDArray[np.int64], Floats]:
    """Fit ``y = a - b g`` for every shape; return a, b, the best shape and its error.

    For a given shape the curve is linear in a and b, so that no start values are
    needed and no local minimum can be met (variable projection). b is at least 0, and a
    at most `bound`.

    Parameters
    ----------
    basis : ndarray of shape (n_sizes, n_shapes)
        g.
    y : ndarray of shape (n_curves, n_sizes)
        Scores, greater is better.
    weights : ndarray of shape (n_sizes,)
        Inverse variances.
    bound : float
        Greatest a.
    """
    share = weights / weights.sum()
    mean_y, mean_g = (y @ share)[:, None], share @ basis
    centred = basis - mean_g
    slope = -((y - mean_y) * share) @ centred / np.maximum(share @ centred**2, _TINY)
    slope = np.maximum(slope, 0.0)
    top = mean_y + slope * mean_g
    capped = bound * mean_g - (y * share) @ basis
    capped /= np.maximum(share @ basis**2, _TINY)
    over = top > bound
    slope = np.where(over, np.maximum(capped, 0.0), slope)
    top = np.where(over, bound, top)
    fitted = top[:, None, :] - slope[:, None, :] * basis[None]
    error = np.einsum("k,dks->ds", weights, (y[:, :, None] - fitted) ** 2)
    best = error.argmin(axis=1)
    rows = np.arange(len(y))
    return top[rows, best], slope[rows, best], best, error[rows, best]


@dataclass(frozen=True, eq=False)
class FittedFamily:
    """A family with its fit and those of the resampled repeats; the fit is first."""

    name: str
    weight: float
    top: Floats
    slope: Floats
    shape: Floats

    def at(self, n: Floats, largest: float) -> Floats:
        """Return the values of all fits, (n_fits, n_sizes)."""
        basis = FAMILIES[self.name].basis(n, self.shape, largest)
        return self.top[:, None] - self.slope[:, None] * basis.T
