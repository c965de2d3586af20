"""Whether the labels of two splits are distributed differently, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from tweetclf.tasks.base import Split
from tweetclf.tasks.findings import ClassShift
from tweetclf.utils.random import stream

__all__ = ["find_shifts"]

# Cochran 1954: below, the chi-squared distribution does not fit the statistic.
_MIN_EXPECTED = 5.0
_SIMULATIONS = 9_999


def _chi_squared(counts: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the statistic of a table, and the counts expected in it."""
    totals = counts.sum(axis=-1, keepdims=True), counts.sum(axis=-2, keepdims=True)
    expected = totals[0] * totals[1] / counts.sum(axis=(-1, -2), keepdims=True)
    statistic = ((counts - expected) ** 2 / expected).sum(axis=(-1, -2))
    return statistic, expected


def _homogeneity(counts: np.ndarray, seed: int) -> tuple[str, float, float]:
    """Return the test, its statistic and p-value for a table of two rows."""
    from scipy import stats

    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] < 2:
        return "chi-squared", 0.0, 1.0
    statistic, expected = _chi_squared(counts)
    if expected.min() >= _MIN_EXPECTED:
        p = stats.chi2.sf(statistic, counts.shape[1] - 1)
        return "chi-squared", float(statistic), float(p)
    tables = stats.random_table(counts.sum(axis=1), counts.sum(axis=0)).rvs(
        _SIMULATIONS, random_state=stream(seed, "shift")
    )
    simulated, _ = _chi_squared(tables)
    # Equal tables must count as equal, whatever the order of the sums.
    least = statistic - 1e-9 * max(1.0, statistic)
    extreme = int(np.count_nonzero(simulated >= least))
    p = (1 + extreme) / (1 + _SIMULATIONS)
    return "chi-squared, simulated", float(statistic), p


def _classes(a: Split, b: Split, names: Sequence[str], seed: int) -> ClassShift:
    found = [np.asarray(split.labels).astype(str) for split in (a, b)]
    counts = np.array([[(labels == n).sum() for n in names] for labels in found])
    test, statistic, p = _homogeneity(counts, seed)
    shares = counts / counts.sum(axis=1, keepdims=True)
    size = float(np.abs(shares[0] - shares[1]).sum() / 2)
    return ClassShift(
        a.name,
        b.name,
        test,
        statistic,
        p,
        "total variation",
        size,
        {n: (float(x), float(y)) for n, x, y in zip(names, *shares, strict=True)},
    )


def _multilabel(a: Split, b: Split, names: Sequence[str], seed: int) -> ClassShift:
    ones = [np.asarray(split.labels).sum(axis=0) for split in (a, b)]
    sizes = [len(a), len(b)]
    tested = []
    for column in range(len(names)):
        table = [[o[column], n - o[column]] for o, n in zip(ones, sizes, strict=True)]
        tested.append(_homogeneity(np.array(table), seed))
    _, statistic, p = min(tested, key=lambda test: test[2])
    shares = [o / n for o, n in zip(ones, sizes, strict=True)]
    return ClassShift(
        a.name,
        b.name,
        "chi-squared, Holm",
        statistic,
        # The least of k p-values, by Holm's rule.
        min(1.0, p * len(names)),
        "difference of shares",
        float(np.abs(shares[0] - shares[1]).max()),
        {n: (float(x), float(y)) for n, x, y in zip(names, *shares, strict=True)},
    )


def _numbers(a: Split, b: Split) -> ClassShift:
    from scipy import stats

    values = [np.asarray(split.labels, dtype=float) for split in (a, b)]
    # Grades are tied: the exact distribution is for numbers that are not.
    result = stats.ks_2samp(*values, method="asymp")
    return ClassShift(
        a.name,
        b.name,
        "Kolmogorov-Smirnov",
        float(result.statistic),
        float(result.pvalue),
        "Kolmogorov-Smirnov distance",
        float(result.statistic),
        {
            "mean": (float(values[0].mean()), float(values[1].mean())),
            "standard deviation": (float(values[0].std()), float(values[1].std())),
        },
    )


def find_shifts(
    splits: Mapping[str, Split], names: Sequence[str], *, seed: int = 0
) -> tuple[ClassShift, ...]:
    """Compare the labels of each two splits.

    Parameters
    ----------
    splits : mapping of str to Split
        The splits; those without labels or rows are left out.
    names : sequence of str
        Names of the labels in order; empty for numbers.
    seed : int, default=0
        Seed of simulated p-values.

    Returns
    -------
    tuple of ClassShift
        One a pair of splits.

    Notes
    -----
    Classes: chi-squared test of homogeneity; where a count below 5 is expected, its
    p-value comes from 9,999 random tables with the same sums. Multi-label: that test
    for each label, Holm's correction. Numbers: the two-sample Kolmogorov-Smirnov test,
    which is conservative for grades. On large splits a difference that matters to
    nobody has a tiny p-value: look at the size first.
    """
    known = [s for s in splits.values() if s.labels is not None and len(s)]
    found = []
    for a, b in combinations(known, 2):
        labels = np.asarray(a.labels)
        if labels.ndim == 2:
            found.append(_multilabel(a, b, names, seed))
        elif labels.dtype.kind == "f":
            found.append(_numbers(a, b))
        else:
            found.append(_classes(a, b, names, seed))
    return tuple(found)
