"""Learning curves: fitted, followed to more labels, with an error one can believe.

Pure functions: sizes and scores in, a fit out, a generator for the randomness. Three
families of curves that differ in how they level off are fitted by weighted least
squares and averaged; the error has three parts: that of the measured scores, the
disagreement of the families, and a floor, which is how far off such extrapolations were
on tasks where the answer was known (``benchmarks/advise``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import DataError
from tweetclf.leaderboard._curve_families import FAMILIES, FittedFamily, solve
from tweetclf.leaderboard._curve_flaws import curve_flaw

__all__ = [
    "FLOOR",
    "MAX_RATIO",
    "Extrapolation",
    "FittedCurve",
    "LearningCurve",
    "curve_flaw",
    "fit_learning_curve",
]

Floats = NDArray[np.float64]

FLOOR = 0.0065
"""Error of an extrapolation a doubling of the labels, beside what the curve shows.

A standard deviation in units of the score (of error metrics: a share of the error).
Measured by ``benchmarks/advise/extrapolation.py``, see docs/advise.md.
"""

MAX_RATIO = 4.0
"""Extrapolations to more than this many times the labels seen were not measured."""

# Error of a family's form itself: points are never fitted closer than this.
_FORM_ERROR = 0.01


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Scores of one system by the number of labels that it was trained on.

    Parameters
    ----------
    sizes : array-like of int, shape (n_sizes,)
        Numbers of labels, ascending.
    scores : array-like of shape (n_repeats, n_sizes)
        Scores; a repeat is one order in which labels come, each size holding the
        smaller ones.
    greater_is_better : bool, default=True
        Direction of the metric.
    bound : float, optional
        Best score there is: by default 1, of errors 0.

    Examples
    --------
    >>> from tweetclf.leaderboard.learning import LearningCurve
    >>> LearningCurve([100, 200], [[0.5, 0.6], [0.6, 0.7]]).mean.round(3).tolist()
    [0.55, 0.65]
    """

    sizes: Any
    scores: Any
    greater_is_better: bool = True
    bound: float | None = None

    def __post_init__(self) -> None:
        sizes = np.asarray(self.sizes, dtype=np.int64)
        scores = np.atleast_2d(np.asarray(self.scores, dtype=np.float64))
        if sizes.ndim != 1 or scores.shape[1:] != sizes.shape:
            raise DataError(
                f"LearningCurve: scores of shape {scores.shape} do not fit "
                f"{sizes.size} sizes; expected one row a repeat, one column a size."
            )
        if (sizes < 1).any() or (np.diff(sizes) <= 0).any():
            raise DataError(
                "LearningCurve: sizes must be positive and ascending. Got "
                f"{sizes.tolist()} instead."
            )
        bound = self.bound
        if bound is None:
            bound = 1.0 if self.greater_is_better else 0.0
        object.__setattr__(self, "sizes", sizes)
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "bound", float(bound))

    @property
    def sign(self) -> float:
        """What turns scores into ones of which greater is better."""
        return 1.0 if self.greater_is_better else -1.0

    @property
    def limit(self) -> float:
        """The best score there is, times `sign`."""
        assert self.bound is not None
        return self.sign * self.bound

    @property
    def n_repeats(self) -> int:
        """How many times each size was measured."""
        return len(self.scores)

    @property
    def mean(self) -> Floats:
        """Mean score of each size."""
        return np.asarray(self.scores.mean(axis=0))

    @property
    def standard_error(self) -> Floats:
        """Standard error of each mean, over the repeats; NaN of a single one."""
        if self.n_repeats < 2:
            return np.full(len(self.sizes), math.nan)
        spread = self.scores.std(axis=0, ddof=1)
        return np.asarray(spread / math.sqrt(self.n_repeats))

    @property
    def scale(self) -> float:
        """What errors are shares of: 1 for scores, the last error for errors."""
        return 1.0 if self.greater_is_better else abs(float(self.mean[-1]))

    def upto(self, largest: float) -> LearningCurve:
        """Return the part of the curve with at most so many labels."""
        kept = self.sizes <= largest
        return LearningCurve(
            self.sizes[kept],
            self.scores[:, kept],
            self.greater_is_better,
            self.bound,
        )


@dataclass(frozen=True)
class Extrapolation:
    """What a score is expected to become with more labels.

    Parameters
    ----------
    n_from, n_to : int
        Labels now and then.
    score : float
        Expected score with `n_to` labels.
    score_low, score_high : float
        Its interval.
    gain : float
        Expected improvement from `n_from` to `n_to`; above 0 is better, whatever the
        direction of the metric.
    gain_low, gain_high : float
        Its interval.
    level : float
        Nominal coverage of both intervals.
    """

    n_from: int
    n_to: int
    score: float
    score_low: float
    score_high: float
    gain: float
    gain_low: float
    gain_high: float
    level: float

    @property
    def margin(self) -> float:
        """Half of the width of the interval of the gain."""
        return (self.gain_high - self.gain_low) / 2


@dataclass(frozen=True, eq=False)
class FittedCurve:
    """A learning curve with the families fitted to it; see `fit_learning_curve`.

    Parameters
    ----------
    curve : LearningCurve
        What was fitted.
    floor : float
        Error of an extrapolation a doubling of the labels.
    families : tuple of FittedFamily
        The families with their weights and fits.
    """

    curve: LearningCurve
    floor: float
    families: tuple[FittedFamily, ...] = field(repr=False)

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each family in the average."""
        return {family.name: family.weight for family in self.families}

    def _moments(self, to: Floats, start: Floats | None) -> tuple[Floats, Floats]:
        """Return mean and variance of the curve, or of its rise from `start`."""
        largest = float(self.curve.sizes[-1])
        n = self.curve.n_repeats
        weights = np.array([family.weight for family in self.families])
        means, variances = [], []
        for family in self.families:
            values = family.at(to, largest)
            if start is not None:
                values = values - family.at(start, largest)
            means.append(values[0])
            # Resamples of n repeats show (n - 1) / n of the variance.
            variances.append(values[1:].var(axis=0) * n / (n - 1))
        stacked = np.array(means)
        mean = weights @ stacked
        within = weights @ np.array(variances)
        return mean, within + weights @ (stacked - mean) ** 2

    def _floor_variance(self, n: Floats) -> Floats:
        beyond = np.log2(np.maximum(n / self.curve.sizes[-1], 1.0))
        return np.asarray((self.floor * self.curve.scale * beyond) ** 2)

    def predict(self, sizes: Any) -> Floats:
        """Return the expected scores with so many labels.

        Parameters
        ----------
        sizes : array-like of shape (n_sizes,)
            Numbers of labels.
        """
        return self.curve.sign * self._moments(_positive(sizes), None)[0]

    def band(self, sizes: Any, level: float = 0.95) -> tuple[Floats, Floats]:
        """Return the ends of the intervals of the expected scores.

        Parameters
        ----------
        sizes : array-like of shape (n_sizes,)
            Numbers of labels.
        level : float, default=0.95
            Nominal coverage.
        """
        n = _positive(sizes)
        mean, variance = self._moments(n, None)
        reach = _quantile(level) * np.sqrt(variance + self._floor_variance(n))
        # What is better than the bound cannot be.
        sign = self.curve.sign
        low = sign * (mean - reach)
        high = sign * np.minimum(mean + reach, self.curve.limit)
        return (low, high) if sign > 0 else (high, low)

    @property
    def furthest(self) -> int:
        """Most labels that something is said about."""
        return int(MAX_RATIO * int(self.curve.sizes[-1]))

    def extrapolate(
        self, n_to: int, n_from: int | None = None, level: float = 0.95
    ) -> Extrapolation:
        """Say what more labels are expected to bring.

        Parameters
        ----------
        n_to : int
            Labels then.
        n_from : int, optional
            Labels now; by default the largest size that was measured.
        level : float, default=0.95
            Nominal coverage of the intervals.

        Raises
        ------
        DataError
            If `n_to` is further from the measured sizes than was ever tried.
        """
        largest = int(self.curve.sizes[-1])
        n_from = largest if n_from is None else int(n_from)
        if n_to > self.furthest:
            raise DataError(
                f"a curve up to {largest:,} labels says nothing about {n_to:,}: at "
                f"most {self.furthest:,}, {MAX_RATIO:g} times as many, was "
                "tried."
            )
        if n_to < n_from:
            raise DataError(
                f"extrapolate: n_to must be at least n_from. Got {n_to} and {n_from} "
                "instead."
            )
        start, end = (np.array([float(n)]) for n in (n_from, n_to))
        mean, variance = self._moments(end, start)
        floor = self._floor_variance(end) - self._floor_variance(start)
        reach = _quantile(level) * math.sqrt(float(variance[0] + floor[0]))
        low, high = self.band(end, level)
        gain = float(mean[0])
        return Extrapolation(
            n_from,
            int(n_to),
            float(self.predict(end)[0]),
            float(low[0]),
            float(high[0]),
            gain,
            gain - reach,
            gain + reach,
            level,
        )


def _positive(sizes: Any) -> Floats:
    n = np.atleast_1d(np.asarray(sizes, dtype=np.float64))
    if not (n >= 1).all():
        raise DataError("a learning curve begins at one label; got fewer.")
    return n


def _quantile(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))


def _variances(curve: LearningCurve) -> Floats:
    """Return smooth variances of the means: few repeats show them badly.

    Those of training sets fall as 1 / n.
    """
    ratio = curve.sizes / curve.sizes[-1]
    common = float(np.mean(curve.standard_error**2 * ratio))
    return np.asarray(common / ratio + (_FORM_ERROR * curve.scale) ** 2)


def fit_learning_curve(
    curve: LearningCurve,
    *,
    rng: np.random.Generator,
    n_resamples: int = 400,
    floor: float = FLOOR,
) -> FittedCurve:
    """Fit families of curves to measured scores.

    Parameters
    ----------
    curve : LearningCurve
        Scores by number of labels.
    rng : numpy.random.Generator
        Source of randomness.
    n_resamples : int, default=400
        Bootstrap resamples of the repeats.
    floor : float, default=FLOOR
        Error of an extrapolation a doubling of the labels, added in quadrature.

    Returns
    -------
    FittedCurve
        The weighted average of an inverse power law ``a - b n^-c``, a logarithm
        ``a + b log(n)`` and an exponential ``a - b exp(-n / c)``.

    Raises
    ------
    DataError
        If the curve must not be extrapolated, with the reason in words; see
        `curve_flaw`.

    Notes
    -----
    Sizes are weighted by the inverse of their variances, so that large training sets
    count most (as Figueroa et al. 2012 do). Families are weighted by
    ``exp(-AIC / 2)``. Repeats are resampled as a whole, since the scores of one order
    of the labels go up and down together. Where families fit alike and go on
    differently, the interval is wide, as it should be: no family is best for all
    learners and data (Viering & Loog 2022; Mohr et al. 2022).

    References
    ----------
    R. L. Figueroa et al. Predicting sample size required for classification
    performance. BMC Medical Informatics and Decision Making 12:8, 2012.

    T. Viering and M. Loog. The shape of learning curves: a review. IEEE TPAMI, 2022.

    F. Mohr, T. J. Viering, M. Loog and J. N. van Rijn. LCDB 1.0: an extensive learning
    curves database for classification tasks. ECML PKDD 2022.

    F. Mohr and J. N. van Rijn. Learning curves for decision making in supervised
    machine learning: a survey. 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.leaderboard.learning import LearningCurve, fit_learning_curve
    >>> sizes = np.array([250, 500, 1000, 2000, 4000])
    >>> noise = np.random.default_rng(0).normal(0, 0.002, (5, 5))
    >>> curve = LearningCurve(sizes, 0.8 - 2.0 * sizes**-0.5 + noise)
    >>> fitted = fit_learning_curve(curve, rng=np.random.default_rng(0))
    >>> more = fitted.extrapolate(8000)
    >>> more.gain_low < 2.0 * (4000**-0.5 - 8000**-0.5) < more.gain_high
    True
    """
    flaw = curve_flaw(curve)
    if flaw is not None:
        raise DataError(f"no extrapolation: {flaw}.")
    n = curve.n_repeats
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples) / n
    every = np.vstack([np.full((1, n), 1 / n), drawn])
    y = curve.sign * (every @ curve.scores)
    weights = 1.0 / _variances(curve)
    sizes, largest = curve.sizes.astype(np.float64), float(curve.sizes[-1])
    found, scores = [], []
    for name, family in FAMILIES.items():
        basis = family.basis(sizes, family.shapes, largest)
        top, slope, best, error = solve(basis, y, weights, curve.limit)
        found.append(FittedFamily(name, 0.0, top, slope, family.shapes[best]))
        scores.append(float(error[0]) + 2 * family.n_parameters)
    relative = np.exp(-(np.array(scores) - min(scores)) / 2)
    relative /= relative.sum()
    return FittedCurve(
        curve,
        float(floor),
        tuple(
            FittedFamily(f.name, float(w), f.top, f.slope, f.shape)
            for f, w in zip(found, relative, strict=True)
        ),
    )
