"""Sweeps that tests report and draw."""

from __future__ import annotations

import math

import numpy as np

from tweetclf.leaderboard.trials import Sweep, Trial

F1 = "f1|average:macro|zero:0|v1"
EVIL = "\x1b[31m<script>alert(1)</script>\u202e $x_1$ & \U0001f643"


def random_sweep(n=40, seed=0, system="atalaya-svm", best=0.72, **more):
    """Return a random search over a number, a category and a tuple."""
    rng = np.random.default_rng(seed)
    trials = []
    for number in range(n):
        C = float(10 ** rng.uniform(-3, 2))
        params = {
            "svm__C": C,
            "features__bow__ngram_range": (1, int(rng.integers(1, 4))),
            "features__bow__binary": bool(rng.integers(2)),
        }
        if params["features__bow__binary"]:
            params["features__bow__cut"] = int(rng.integers(1, 20))
        score = best - 0.04 * (math.log10(C) + 1) ** 2 - 0.02 * rng.exponential()
        failed = number % 13 == 12
        trials.append(
            Trial(
                number,
                params,
                None if failed else max(score, 0.0),
                "failed" if failed else "complete",
                fold_scores=() if failed else (score - 0.02, score + 0.02),
                fit_seconds=float(rng.gamma(2.0, 2.0)),
                error="ConvergenceWarning: <b>did not</b> converge" if failed else None,
            )
        )
    given = {"scales": {"svm__C": "log"}, "n_folds": 5, "version": "1"} | more
    return Sweep("toy-task", system, "wide", "random", F1, "cv", tuple(trials), **given)


def grid_sweep(system="nbsvm", strategy="grid", n_folds=5, evaluation="cv"):
    """Return a small grid."""
    trials = tuple(
        Trial(
            number,
            {"nbsvm__C": C, "nbsvm__beta": b, "counts__min_df": 1},
            0.6 + 0.01 * number,
            "complete",
            fit_seconds=0.5,
        )
        for number, (C, b) in enumerate(
            (C, b) for C in (0.1, 1.0, 10.0) for b in (0, 1)
        )
    )
    return Sweep(
        "toy-task", system, "g", strategy, F1, evaluation, trials, n_folds=n_folds
    )


def evil_sweep():
    """Return a sweep whose every text is hostile."""
    trials = tuple(
        Trial(
            number,
            {EVIL: f"{EVIL}{number % 2}", f"{EVIL}__b": number},
            None if number == 3 else 0.5 + 0.1 * number,
            "failed" if number == 3 else "complete",
            fit_seconds=1.0,
            error=EVIL,
        )
        for number in range(4)
    )
    return Sweep(EVIL, EVIL, EVIL, "random", EVIL, "dev", trials, version=EVIL)
