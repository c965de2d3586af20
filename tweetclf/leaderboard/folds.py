"""Cross-validation folds: stratified, the same for all; what belongs together stays.

Equal texts are in one fold, and so are the rows of one thread (or author), so that no
fold is predicted by a model that has seen its texts or the talk around them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.tasks.holdout import text_keys

if TYPE_CHECKING:
    from tweetclf.tasks import Split

__all__ = ["FOLD_SEED", "make_folds", "rows_together"]

FOLD_SEED = 20190313
"""Seed of the cross-validation folds: the same folds for every system and seed.

The value is that of Farzin, Czapla & Howard, IberLEF 2019.
"""

Fold = tuple[np.ndarray, np.ndarray]


def _splitter(n_folds: int, stratified: bool, grouped: bool, seed: int) -> Any:
    from sklearn import model_selection as ms

    kind = {
        (True, True): ms.StratifiedGroupKFold,
        (True, False): ms.StratifiedKFold,
        (False, True): ms.GroupKFold,
        (False, False): ms.KFold,
    }[stratified, grouped]
    return kind(n_folds, shuffle=True, random_state=seed)


def rows_together(splits: Sequence[Split]) -> np.ndarray:
    """Give rows that must not be parted one number.

    As in the cuts of dev splits, texts that differ in case and white space alone are
    one text. Both relations are followed to their end: if a text stands in two
    threads, all rows of both threads stay together.

    Parameters
    ----------
    splits : sequence of Split
        The splits, whose rows are put below each other.

    Returns
    -------
    ndarray of int, shape (n_rows,)
        Equal numbers for rows that belong together.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # A graph whose nodes are the rows and, after them, their texts and clusters.
    nodes: dict[tuple[str, str], int] = {}
    n_rows = sum(map(len, splits))
    edges: list[tuple[int, int]] = []
    row = 0
    for split in splits:
        relations = {"text": text_keys(split), "cluster": split.clusters or ()}
        for kind, keys in relations.items():
            for offset, key in enumerate(keys):
                node = nodes.setdefault((kind, key), n_rows + len(nodes))
                edges.append((row + offset, node))
        row += len(split)
    pairs = np.array(edges, dtype=np.int64).reshape(-1, 2)
    size = n_rows + len(nodes)
    graph = coo_array((np.ones(len(pairs), np.int8), pairs.T), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    component = component[:n_rows]
    # Folds depend on the order of these numbers. A component is called by its last
    # row, as texts were before there were clusters: recorded folds stay what they are.
    last = np.zeros(size, dtype=np.int64)
    last[component] = np.arange(n_rows)
    return last[component]


def make_folds(
    labels: np.ndarray,
    together: np.ndarray,
    n_folds: int,
    *,
    groups: np.ndarray | None = None,
    seed: int = FOLD_SEED,
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
    seed : int, default=FOLD_SEED
        Seed of the cut; another one cuts other folds.

    Returns
    -------
    list of (ndarray, ndarray)
        Positions to train on and to predict, one pair a fold.

    Raises
    ------
    DataError
        If there are fewer different texts or threads than folds.
    """
    n_units = len(np.unique(together))
    if n_units < n_folds:
        raise DataError(
            f"{n_units} different texts or threads cannot make {n_folds} folds; ask "
            "for fewer folds or add data."
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
    splitter = _splitter(n_folds, stratified, grouped, seed)
    return list(splitter.split(strata, strata, together if grouped else None))
