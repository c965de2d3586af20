"""Splits that are cut off where none is published."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.tasks.base import Split

__all__ = ["cut", "cut_rows", "text_keys"]

# Regression targets are stratified by their deciles, small data by fewer quantiles.
_BINS = 10
# Label sets of a multi-label task that occur less often have no stratum of their own.
_MIN_COMBINATION = 10
# Of labels that occur less often, no row is cut off.
_MIN_STRATUM = 3


def cut(
    split: Split,
    fraction: float,
    *,
    seed: int = 0,
    label_names: Sequence[str] = (),
) -> tuple[Split, Split]:
    """Cut a stratified dev split off; see `cut_rows`.

    Returns
    -------
    train, dev : Split
        Both in the order of `split`.
    """
    rest, part = cut_rows(split, fraction, seed=seed, label_names=label_names)
    return split.take(rest, "train"), split.take(part, "dev")


def cut_rows(
    split: Split,
    fraction: float,
    *,
    seed: int = 0,
    label_names: Sequence[str] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Choose a stratified part of a split, the same on every machine.

    Rows of one cluster stay together; where the split has no clusters, rows whose
    texts differ in case and white space alone do, so that no text is on both sides.
    These units are visited in the order of the sha256 of the seed and their smallest
    id, and taken while that brings the label counts nearer to the fraction wanted; a
    second round fills up from labels so rare that their share was rounded to nothing.

    Parameters
    ----------
    split : Split
        A labelled split.
    fraction : float
        Share of the rows to choose, between 0 and 1.
    seed : int, default=0
        Another seed gives another part.
    label_names : sequence of str, optional
        All labels; taken from the labels by default.

    Returns
    -------
    rest, part : ndarray of int
        Positions, ascending.
    """
    if split.labels is None:
        raise DataError(f"Split {split.name!r} has no labels to stratify by.")
    keys = text_keys(split) if split.clusters is None else split.clusters
    members: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        members.setdefault(key, []).append(row)

    def order(item: tuple[str, list[int]]) -> tuple[bytes, str]:
        key, rows = item
        first = min(split.ids[row] for row in rows)
        text = f"{seed}\x1f{first}".encode("utf-8", "surrogatepass")
        return hashlib.sha256(text).digest(), key

    strata = _strata(split.labels, label_names, fraction)
    units = [
        (rows, strata[rows].sum(axis=0))
        for _, rows in sorted(members.items(), key=order)
    ]
    # Bins of numbers are many and small: rounding each one up would add up.
    numbers = split.labels.dtype.kind == "f"
    cap = max(1, round(fraction * len(split))) if numbers else len(split)
    chosen = _choose(units, strata, fraction, cap)
    if chosen.all() or not chosen.any():
        raise DataError(
            f"Split {split.name!r} with {len(split)} rows in {len(members)} groups is "
            f"too small to cut off {fraction:.0%}. Add rows, or say which rows are "
            "train, dev and test: in a column 'split', or in a folder with a file of "
            "that name each."
        )
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _choose(
    units: Sequence[tuple[list[int], np.ndarray]],
    strata: np.ndarray,
    fraction: float,
    cap: int,
) -> np.ndarray:
    """Return which rows are taken: at most `cap`, unless one unit is larger."""
    target = fraction * strata.sum(axis=0)
    counts = np.zeros_like(target)
    chosen = np.zeros(len(strata), dtype=bool)
    taken = 0
    for rows, added in units:
        if taken and taken + len(rows) > cap:
            continue
        # Nearer in squared distance: |c + a - t|^2 < |c - t|^2.
        if added @ (2.0 * (counts - target) + added) < 0:
            counts += added
            taken += len(rows)
            chosen[rows] = True
    # Small strata were rounded down; fill up from those that are still short.
    enough = strata.sum(axis=0) >= _MIN_STRATUM
    short = target.sum() - counts.sum()
    for rows, added in units:
        if chosen[rows[0]] or len(rows) > short or not enough[added > 0].all():
            continue
        if added @ (target - counts) > 0:
            counts += added
            short -= len(rows)
            chosen[rows] = True
    return chosen


def text_keys(split: Split) -> list[str]:
    """Return the texts without differences in case and white space."""
    texts = [t if isinstance(t, str) else "\x1f".join(t) for t in split.texts]
    return [" ".join(text.casefold().split()) for text in texts]


def _strata(
    labels: np.ndarray, label_names: Sequence[str], fraction: float
) -> np.ndarray:
    """Return indicator columns whose sums are to be kept in proportion."""
    if labels.ndim == 2:
        keys = _combinations(labels)
        _, codes = np.unique(keys, return_inverse=True)
        return np.eye(codes.max() + 1)[codes]
    if labels.dtype.kind == "f":
        # Of each bin about one row is to be cut off, or none ever is.
        bins = max(1, min(_BINS, round(fraction * len(labels))))
        edges = np.quantile(labels, np.linspace(0, 1, bins + 1)[1:-1])
        codes = np.searchsorted(edges, labels, side="right")
        return np.eye(bins)[codes]
    names = sorted(label_names or set(labels.tolist()))
    index = {name: i for i, name in enumerate(names)}
    return np.eye(len(names))[[index[label] for label in labels.tolist()]]


def _combinations(labels: np.ndarray) -> list[str]:
    """Return each row's label set; of rare sets the rarest label."""
    totals = labels.sum(axis=0)
    keys = ["".join(map(str, row)) for row in labels.tolist()]
    counts = Counter(keys)
    rarest = np.where(labels > 0, totals, np.inf).argmin(axis=1)
    return [
        key if counts[key] >= _MIN_COMBINATION else f"rarest {label}"
        for key, label in zip(keys, rarest.tolist(), strict=True)
    ]
