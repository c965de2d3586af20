"""Cross-validation folds: stratified, the same for all, no text in two of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tweetclf.exceptions import DataError

__all__ = ["FOLD_SEED", "make_folds"]

FOLD_SEED = 20190313
"""Seed of the cross-validation folds: the same folds for every system and seed.

The value is that of Farzin, Czapla & Howard, IberLEF 2019.
"""

Fold = tuple[np.ndarray, np.ndarray]


def _splitter(n_folds: int, stratified: bool, grouped: bool) -> Any:
    from sklearn import model_selection as ms

    kind = {
        (True, True): ms.StratifiedGroupKFold,
        (True, False): ms.StratifiedKFold,
        (False, True): ms.GroupKFold,
        (False, False): ms.KFold,
    }[stratified, grouped]
    return kind(n_folds, shuffle=True, random_state=FOLD_SEED)


def make_folds(
    labels: np.ndarray,
    together: np.ndarray,
    n_folds: int,
    *,
    groups: np.ndarray | None = None,
) -> list[Fold]:
    """Return the rows inside and outside of each fold.

    Parameters
    ----------
    labels : ndarray
        Label names, which are stratified; indicator rows or numbers, which are not.
    together : ndarray of shape (n_rows,)
        Rows with equal values come into the same fold.
    n_folds : int
        Number of folds.
    groups : ndarray of shape (n_rows,), optional
        Groups that train one model each: labels are stratified within them.

    Returns
    -------
    list of (ndarray, ndarray)
        Positions to train on and to predict, one pair a fold.

    Raises
    ------
    DataError
        If there are fewer different texts than folds.
    """
    n_units = len(np.unique(together))
    if n_units < n_folds:
        raise DataError(
            f"{n_units} different texts cannot make {n_folds} folds; ask for fewer "
            "folds or add data."
        )
    grouped = n_units < len(together)
    stratified = labels.ndim == 1 and labels.dtype.kind != "f"
    strata = labels
    if stratified:
        strata = labels.astype(str)
        if groups is not None:
            strata = np.char.add(np.char.add(strata, "\x1f"), groups.astype(str))
    elif labels.ndim > 1:
        strata = np.zeros(len(labels))
    splitter = _splitter(n_folds, stratified, grouped)
    return list(splitter.split(strata, strata, together if grouped else None))
