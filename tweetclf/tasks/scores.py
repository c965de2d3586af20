"""Formulas of the metrics, vectorised over leading axes.

Every function takes counts or means whose last axes are described, and scores all
leading axes at once, so that thousands of bootstrap samples cost one call.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = [
    "accuracy",
    "average_ranks",
    "bit_rows",
    "bits_score",
    "jaccard_rows",
    "mcc",
    "moment_rows",
    "multilabel_f1",
    "multilabel_rows",
    "numeric_from_confusion",
    "numeric_rows",
    "pearson_from_moments",
    "precision_recall_f1",
    "quadratic_kappa",
]

# Below this share of the variance of all rows, the rows of a sample are constant.
_CONSTANT = 1e-12


def divide(
    numerator: np.ndarray, denominator: np.ndarray, zero_division: float
) -> np.ndarray:
    """Divide, with an explicit value where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    result = np.full(numerator.shape, zero_division, dtype=np.float64)
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Share of the diagonal; counts (..., k, k)."""
    diagonal = np.einsum("...ii->...", counts)
    return divide(diagonal, counts.sum(axis=(-2, -1)), 0.0)


def precision_recall_f1(
    formula: str,
    counts: np.ndarray,
    *,
    average: str,
    positions: Sequence[int] | None = None,
    zero_division: float = 0.0,
) -> np.ndarray:
    """Precision, recall or F1 of classes, averaged.

    Parameters
    ----------
    formula : {"precision", "recall", "f1"}
        What to compute.
    counts : ndarray of shape (..., k, k)
        Rows gold, columns predicted.
    average : {"macro", "micro", "weighted"}
        How classes are averaged.
    positions : sequence of int, optional
        Classes averaged over; all by default.
    zero_division : float, default=0
        Value of a class whose denominator is 0.

    Returns
    -------
    ndarray of shape (...)
        The scores.
    """
    true = counts.sum(axis=-1)
    predicted = counts.sum(axis=-2)
    hits = np.einsum("...ii->...i", counts)
    if positions is not None:
        chosen = list(positions)
        true, predicted, hits = (a[..., chosen] for a in (true, predicted, hits))
    support = true
    if average == "micro":
        true, predicted, hits = (
            a.sum(axis=-1, keepdims=True) for a in (true, predicted, hits)
        )
    if formula == "precision":
        values = divide(hits, predicted, zero_division)
    elif formula == "recall":
        values = divide(hits, true, zero_division)
    else:
        values = divide(2.0 * hits, true + predicted, zero_division)
    if average == "weighted":
        weighted = (values * support).sum(axis=-1)
        return divide(weighted, support.sum(axis=-1), zero_division)
    return values.mean(axis=-1)


def mcc(counts: np.ndarray, zero_division: float = 0.0) -> np.ndarray:
    """Matthews correlation (R_k of Gorodkin 2004); counts (..., k, k)."""
    total = counts.sum(axis=(-2, -1))
    true, predicted = counts.sum(axis=-1), counts.sum(axis=-2)
    hits = np.einsum("...ii->...", counts)
    covariance = hits * total - (true * predicted).sum(axis=-1)
    spread_true = total**2 - (true**2).sum(axis=-1)
    spread_predicted = total**2 - (predicted**2).sum(axis=-1)
    return divide(
        covariance, np.sqrt(spread_true) * np.sqrt(spread_predicted), zero_division
    )


def quadratic_kappa(counts: np.ndarray, zero_division: float = 0.0) -> np.ndarray:
    """Cohen's kappa with quadratic weights over the label order."""
    k = counts.shape[-1]
    order = np.arange(k, dtype=np.float64)
    weights = (order[:, None] - order[None, :]) ** 2
    true, predicted = counts.sum(axis=-1), counts.sum(axis=-2)
    total = counts.sum(axis=(-2, -1))
    observed = (counts * weights).sum(axis=(-2, -1))
    expected = np.einsum("...i,ij,...j->...", true, weights, predicted)
    disagreement = divide(observed * total, expected, 1.0 - zero_division)
    return 1.0 - disagreement


def numeric_from_confusion(
    formula: str, counts: np.ndarray, values: np.ndarray, zero_division: float
) -> np.ndarray:
    """RMSE, MAE or Pearson's r of labels that are numbers; counts (..., k, k)."""
    total = counts.sum(axis=(-2, -1))
    difference = values[:, None] - values[None, :]
    if formula == "mae":
        return divide((counts * np.abs(difference)).sum(axis=(-2, -1)), total, 0.0)
    if formula == "rmse":
        return np.sqrt(divide((counts * difference**2).sum(axis=(-2, -1)), total, 0.0))
    centred = values - values.mean()
    true = counts.sum(axis=-1) / total[..., None]
    predicted = counts.sum(axis=-2) / total[..., None]
    moments = np.stack(
        [
            true @ centred,
            predicted @ centred,
            true @ centred**2,
            predicted @ centred**2,
            np.einsum("...ij,i,j->...", counts, centred, centred) / total,
        ],
        axis=-1,
    )
    return pearson_from_moments(moments, zero_division)


def numeric_rows(formula: str, true: np.ndarray, pred: np.ndarray) -> np.ndarray:
    """Row statistics of RMSE, MAE or Pearson's r."""
    if formula == "rmse":
        return ((true - pred) ** 2)[:, None]
    if formula == "mae":
        return np.abs(true - pred)[:, None]
    return moment_rows(true, pred)


def _standardise(values: np.ndarray) -> np.ndarray:
    if values.min() == values.max():
        return np.zeros_like(values)
    scaled = values / np.abs(values).max()  # no overflow in the squares
    centred = scaled - scaled.mean()
    return centred / centred.std()


def moment_rows(true: np.ndarray, pred: np.ndarray) -> np.ndarray:
    """First and second moments of standardised numbers, (n, 5).

    Correlation does not change under shift and scale; standardising keeps the
    difference of moments exact to rounding.
    """
    x, y = _standardise(true), _standardise(pred)
    return np.stack([x, y, x * x, y * y, x * y], axis=1)


def pearson_from_moments(moments: np.ndarray, zero_division: float = 0.0) -> np.ndarray:
    """Pearson's r of the means of `moment_rows`; constants give `zero_division`."""
    x, y, xx, yy, xy = np.moveaxis(moments, -1, 0)
    variance_x, variance_y = xx - x * x, yy - y * y
    constant = (variance_x <= _CONSTANT * np.maximum(xx, 1.0)) | (
        variance_y <= _CONSTANT * np.maximum(yy, 1.0)
    )
    scale = np.sqrt(np.where(constant, 1.0, variance_x)) * np.sqrt(
        np.where(constant, 1.0, variance_y)
    )
    r = np.clip((xy - x * y) / scale, -1.0, 1.0)
    return np.where(constant, zero_division, r)


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; ties get the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[inverse]


def jaccard_rows(
    true: np.ndarray, pred: np.ndarray, zero_division: float = 1.0
) -> np.ndarray:
    """Jaccard index of each row's label sets, (n, 1)."""
    both = (true & pred).sum(axis=1)
    either = (true | pred).sum(axis=1)
    return divide(both, either, zero_division)[:, None]


def multilabel_rows(true: np.ndarray, pred: np.ndarray) -> np.ndarray:
    """Hits, gold and predicted of each label, (n, 3 k)."""
    return np.concatenate([true & pred, true, pred], axis=1).astype(np.float64)


def multilabel_f1(
    means: np.ndarray, average: str, zero_division: float = 0.0
) -> np.ndarray:
    """Micro or macro F1 of the means of `multilabel_rows`."""
    hits, true, predicted = np.split(means, 3, axis=-1)
    if average == "micro":
        hits, true, predicted = (
            a.sum(axis=-1, keepdims=True) for a in (hits, true, predicted)
        )
    return divide(2.0 * hits, true + predicted, zero_division).mean(axis=-1)


def bit_rows(true: np.ndarray, pred: np.ndarray) -> np.ndarray:
    """Exact match, then hits, gold and predicted of each bit's 1 and 0, (n, 1 + 6 b).

    Both values are counted, not one from the other, so that an empty class has
    means of exactly 0.
    """
    match = (true == pred).all(axis=1, keepdims=True)
    ones = (true & pred, true, pred)
    zeros = (~true & ~pred, ~true, ~pred)
    return np.concatenate([match, *ones, *zeros], axis=1).astype(np.float64)


def bits_score(
    formula: str, means: np.ndarray, zero_division: float = 0.0
) -> np.ndarray:
    """Exact match ratio, or the mean over bits of the macro F1 of 1 and 0."""
    if formula == "exact_match":
        return means[..., 0]
    hits_1, true_1, pred_1, hits_0, true_0, pred_0 = np.split(
        means[..., 1:], 6, axis=-1
    )
    ones = divide(2.0 * hits_1, true_1 + pred_1, zero_division)
    zeros = divide(2.0 * hits_0, true_0 + pred_0, zero_division)
    return ((ones + zeros) / 2.0).mean(axis=-1)
