"""Made-up systems whose quality is known, for simulations of tests and intervals."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

ERROR_RATE = 0.3


def simulated_runs(
    gold: np.ndarray, n_runs: int, spread: float, rng: np.random.Generator
) -> list[list[np.ndarray]]:
    """Return runs of two equally good systems on tweets of two classes.

    Half of what makes a tweet hard is the same for all, a quarter is the system's, a
    quarter the run's; the error rates of the runs have a standard deviation of
    `spread` besides.
    """
    n = len(gold)
    hard = np.sqrt(0.5) * rng.normal(size=n)
    systems = []
    for _ in range(2):
        own = hard + 0.5 * rng.normal(size=n)
        runs = []
        for _ in range(n_runs):
            rate = np.clip(ERROR_RATE + spread * rng.normal(), 0.01, 0.6)
            wrong = own + 0.5 * rng.normal(size=n) > ndtri(1 - rate)
            runs.append(np.where(wrong, 1 - gold, gold))
        systems.append(runs)
    return systems
