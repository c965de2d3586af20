"""Learning curves: the fit against SciPy, intervals in simulation, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import curve_fit

from tweetclf.exceptions import DataError
from tweetclf.leaderboard._curve_families import FAMILIES, solve
from tweetclf.leaderboard.learning import (
    FLOOR,
    LearningCurve,
    curve_flaw,
    fit_learning_curve,
)

SIZES = np.array([250, 500, 1000, 2000, 4000, 8000])
RESULTS = (
    Path(__file__).resolve().parents[2]
    / "benchmarks"
    / "advise"
    / "results"
    / "extrapolation.json"
)


def _noisy(
    truth: np.ndarray, rng: np.random.Generator, noise: float = 0.01, repeats: int = 5
) -> LearningCurve:
    """Return a curve whose noise falls with the size, as that of training sets does."""
    spread = noise * np.sqrt(SIZES[0] / SIZES)
    return LearningCurve(SIZES, truth + rng.normal(0, spread, (repeats, len(SIZES))))


def _fit(curve: LearningCurve, **options: float):
    return fit_learning_curve(curve, rng=np.random.default_rng(0), **options)


def test_the_power_law_is_the_one_scipy_finds() -> None:
    rng = np.random.default_rng(1)
    y = 0.8 - 3.0 * SIZES**-0.45 + rng.normal(0, 0.002, len(SIZES))
    weights = SIZES / SIZES[-1]

    def law(n: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
        return a - b * (n / SIZES[-1]) ** -c

    found, _ = curve_fit(
        law, SIZES, y, p0=(0.8, 0.05, 0.5), sigma=weights**-0.5, maxfev=20_000
    )
    family = FAMILIES["inverse power law"]
    basis = family.basis(SIZES.astype(float), family.shapes, float(SIZES[-1]))
    top, slope, best, error = solve(basis, y[None], weights, 1.0)
    shape = family.shapes[best[0]]
    ours = law(np.array([16_000.0]), top[0], slope[0], shape)
    assert ours == pytest.approx(law(np.array([16_000.0]), *found), abs=5e-4)
    theirs = float(weights @ (y - law(SIZES, *found)) ** 2)
    # The shapes are a grid, so that the optimum is missed by a trifle.
    assert theirs - 1e-12 <= error[0] <= 1.05 * theirs + 1e-9


@pytest.mark.parametrize(
    "law",
    [
        lambda n: 0.8 - 3.0 * n**-0.45,
        lambda n: 0.3 + 0.04 * np.log(n),
        lambda n: 0.7 - 0.2 * np.exp(-n / 3000),
    ],
    ids=list(FAMILIES),
)
def test_exact_curves_are_followed(law) -> None:
    fitted = _fit(_noisy(law(SIZES), np.random.default_rng(2), noise=1e-5))
    more = fitted.extrapolate(16_000)
    assert more.score == pytest.approx(law(16_000), abs=0.006)
    assert more.gain == pytest.approx(law(16_000) - law(8000), abs=0.006)
    assert more.gain_low < law(16_000) - law(8000) < more.gain_high
    assert fitted.predict(SIZES) == pytest.approx(law(SIZES), abs=0.004)


def test_intervals_hold_the_truth_in_simulation() -> None:
    rng = np.random.default_rng(3)
    held_score, held_gain, n = 0, 0, 0
    for _ in range(200):
        top, rate = rng.uniform(0.6, 0.95), rng.uniform(0.25, 0.8)
        start = rng.uniform(0.1, 0.3)

        def law(n, top=top, rate=rate, start=start):
            return top - start * (np.asarray(n) / 250) ** -rate

        try:
            fitted = _fit(_noisy(law(SIZES), rng), n_resamples=100)
        except DataError:
            continue
        n += 1
        more = fitted.extrapolate(12_000, 10_000)
        held_score += more.score_low <= law(12_000) <= more.score_high
        held_gain += more.gain_low <= law(12_000) - law(10_000) <= more.gain_high
    assert n > 180
    assert held_score / n > 0.92
    assert held_gain / n > 0.92


def test_the_floor_is_what_was_measured() -> None:
    measured = json.loads(RESULTS.read_text("utf-8"))
    assert pytest.approx(measured["floor"], abs=5e-4) == FLOOR
    whole = measured["summary"]["a quarter to the whole"]
    assert whole["n_tasks"] >= 10
    assert whole["coverage"] >= 0.85


def test_uncertainty_grows_with_the_distance() -> None:
    truth = 0.8 - 3.0 * SIZES**-0.45
    fitted = _fit(_noisy(truth, np.random.default_rng(4)))
    margins = [fitted.extrapolate(n).margin for n in (9000, 12_000, 16_000, 32_000)]
    assert margins == sorted(margins)
    none = fitted.extrapolate(8000)
    assert none.gain == 0
    assert none.margin == 0
    assert none.score == pytest.approx(float(fitted.predict(8000)[0]))


def test_no_score_is_better_than_the_best() -> None:
    truth = 0.999 - 0.3 * (SIZES / 250) ** -0.3
    fitted = _fit(_noisy(truth, np.random.default_rng(5)))
    low, high = fitted.band([8000, 16_000, 32_000])
    assert (high <= 1).all()
    assert (low <= high).all()


def test_errors_are_scores_turned_round() -> None:
    truth = 0.5 + 2.0 * SIZES**-0.4
    rng = np.random.default_rng(6)
    scores = truth + rng.normal(0, 0.003, (5, len(SIZES)))
    curve = LearningCurve(SIZES, scores, greater_is_better=False)
    turned = LearningCurve(SIZES, -scores, bound=0.0)
    more, same = _fit(curve, floor=0.0), _fit(turned, floor=0.0)
    assert more.extrapolate(16_000).gain == pytest.approx(
        same.extrapolate(16_000).gain, rel=0.1
    )
    found = _fit(curve).extrapolate(16_000)
    assert found.gain > 0
    assert found.score_low < found.score < found.score_high
    assert found.score < curve.mean[-1]


def test_the_result_hangs_on_the_generator_alone() -> None:
    curve = _noisy(0.8 - 3.0 * SIZES**-0.45, np.random.default_rng(7))
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (_fit(curve).extrapolate(16_000) for _ in range(2))
    assert first == second
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


RISING = 0.8 - 3.0 * SIZES**-0.45


@pytest.mark.parametrize(
    ("sizes", "scores", "said"),
    [
        ([10, 20, 40, 80], [[0.1, 0.2, 0.3, 0.4]] * 3, "at least 200"),
        ([100, 200, 400], [[0.1, 0.2, 0.3]] * 3, "at least 4 and 3"),
        (SIZES, [RISING] * 2, "at least 4 and 3"),
        (SIZES, [RISING, RISING, np.full(6, np.nan)], "not defined"),
        (SIZES, np.full((4, 6), 0.7), "the curve is flat"),
        (SIZES, np.tile(RISING[::-1], (4, 1)), "the curve is flat"),
        (SIZES, np.tile([0.5, 0.7, 0.6, 0.6, 0.65, 0.7], (4, 1)), "not monotone"),
    ],
)
def test_what_cannot_be_followed_is_refused_in_words(sizes, scores, said) -> None:
    curve = LearningCurve(sizes, scores)
    assert said in curve_flaw(curve)
    with pytest.raises(DataError, match="no extrapolation"):
        _fit(curve)


def test_noise_alone_is_no_trend() -> None:
    rng = np.random.default_rng(8)
    flat = [
        curve_flaw(LearningCurve(SIZES, rng.normal(0.7, 0.01, (5, 6)))) is not None
        for _ in range(100)
    ]
    assert np.mean(flat) > 0.9


def test_further_than_was_tried_is_refused() -> None:
    fitted = _fit(_noisy(RISING, np.random.default_rng(9)))
    with pytest.raises(DataError, match=r"at most 32,000, 4 times"):
        fitted.extrapolate(32_001)
    with pytest.raises(DataError, match="at least n_from"):
        fitted.extrapolate(8000, 9000)


@pytest.mark.parametrize(
    ("sizes", "scores", "said"),
    [
        ([1, 2, 3], [[0.1, 0.2]], "do not fit 3 sizes"),
        ([2, 1], [[0.1, 0.2]], "ascending"),
        ([0, 1], [[0.1, 0.2]], "positive"),
    ],
)
def test_a_curve_is_checked(sizes, scores, said) -> None:
    with pytest.raises(DataError, match=said):
        LearningCurve(sizes, scores)
