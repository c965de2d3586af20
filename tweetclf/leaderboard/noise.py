"""Labels that may be wrong: a model trained without the row does not believe them.

The rule is that of confident learning (Northcutt, Jiang & Chuang, JAIR 2021, section
3.1): a row with label i is a suspect if, of the classes j whose out-of-fold probability
is at least the mean probability that rows labelled j have of j, the most probable is
not i. It trains models, so it stands here and not with the rest of the audit.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.folds import make_folds, rows_together
from tweetclf.leaderboard.systems import get_system
from tweetclf.tasks.duplicates import Labels, place
from tweetclf.tasks.findings import LabelNoise, Suspect

if TYPE_CHECKING:
    from tweetclf.leaderboard.systems import System
    from tweetclf.tasks import Split, Task

__all__ = ["confident_suspects", "find_label_noise", "suspects_of"]

_SPLITS = ("train", "dev", "test")


def confident_suspects(
    proba: np.ndarray, given: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows whose labels are doubtful, and what they may be instead.

    Parameters
    ----------
    proba : ndarray of shape (n_rows, n_classes)
        Out-of-fold probabilities.
    given : ndarray of int, shape (n_rows,)
        The labels, as columns of `proba`.

    Returns
    -------
    rows : ndarray of int
        The most doubtful first: by the margin between the two probabilities.
    suggested : ndarray of int
        The other label of each of them.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.leaderboard.noise import confident_suspects
    >>> proba = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.9, 0.1]])
    >>> rows, suggested = confident_suspects(proba, np.array([0, 0, 1, 1]))
    >>> rows.tolist(), suggested.tolist()
    ([3], [0])
    """
    n_classes = proba.shape[1]
    counts = np.bincount(given, minlength=n_classes)
    own = proba[np.arange(len(given)), given]
    sums = np.bincount(given, weights=own, minlength=n_classes)
    # A class without rows is never suggested.
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    # Sums of floats: the mean of equal probabilities may be a bit above them.
    confident = np.where(proba >= thresholds - 1e-12, proba, -1.0)
    suggested = confident.argmax(axis=1)
    best = confident[np.arange(len(given)), suggested]
    # Between equal probabilities the given label stays.
    rows = np.flatnonzero((suggested != given) & (best > own))
    order = np.argsort(own[rows] - best[rows], kind="stable")
    return rows[order], suggested[rows][order]


def suspects_of(
    task: Task,
    splits: Sequence[Split],
    proba: np.ndarray,
    *,
    system: str,
    n_folds: int,
) -> LabelNoise:
    """Find doubtful labels by out-of-fold probabilities that are there already.

    Parameters
    ----------
    task : Task
        The task.
    splits : sequence of Split
        Labelled splits, whose rows stand below each other.
    proba : ndarray of shape (n_rows, n_labels)
        Probabilities of the labels of the task by models without the row.
    system : str
        The system they are of.
    n_folds : int
        Number of folds.

    Returns
    -------
    LabelNoise
        As of `find_label_noise`.
    """
    column = {name: i for i, name in enumerate(task.label_names)}
    values = [str(label) for s in splits for label in np.asarray(s.labels)]
    given = np.array([column[value] for value in values])
    rows, suggested = confident_suspects(proba, given)
    labels = Labels({s.name: s for s in splits}, task.label_names)
    ends = np.cumsum([len(split) for split in splits])
    suspects = []
    for row, other in zip(rows.tolist(), suggested.tolist(), strict=True):
        which = int(np.searchsorted(ends, row, side="right"))
        split: Any = splits[which]
        suspects.append(
            Suspect(
                place(split, row - int(ends[which]) + len(split), labels),
                task.label_names[other],
                float(proba[row, given[row]]),
                float(proba[row, other]),
            )
        )
    return LabelNoise(
        system, n_folds, tuple(s.name for s in splits), len(given), tuple(suspects)
    )


def _out_of_fold(
    task: Task, system: System, splits: Sequence[Split], n_folds: int, seed: int
) -> np.ndarray:
    """Return the probability of each label for each row, by models without it."""
    from threadpoolctl import threadpool_limits

    texts = [text for split in splits for text in split.texts]
    labels = np.concatenate([np.asarray(split.labels) for split in splits])
    groups = np.array([g for s in splits for g in s.groups or ("",) * len(s)])
    column = {name: i for i, name in enumerate(task.label_names)}
    proba = np.zeros((len(texts), len(column)))
    with warnings.catch_warnings(), threadpool_limits(1):
        # Of a rare label there may be fewer rows than folds.
        warnings.filterwarnings("ignore", message="The least populated class")
        folds = make_folds(labels, rows_together(splits), n_folds, groups=groups)
        for inside, outside in folds:
            for group in np.unique(groups):
                fit = inside[groups[inside] == group]
                ask = outside[groups[outside] == group]
                if not len(ask):
                    continue
                if len(np.unique(labels[fit])) < 2:
                    raise DataError(
                        "label noise cannot be looked for: the rows outside of one "
                        "fold have one label only. Ask for fewer folds or add data."
                    )
                model = system.build(task, seed=seed)
                model.fit([texts[i] for i in fit], labels[fit])
                found = model.predict_proba([texts[i] for i in ask])
                columns = [column[str(name)] for name in model.classes_]
                proba[np.ix_(ask, columns)] = found
    return proba


def _check(task: Task, system: System) -> None:
    if task.target_kind not in {"binary", "multiclass"}:
        raise DataError(
            f"label noise is looked for where a row has one label; {task.name!r} is a "
            f"{task.target_kind} task."
        )
    if not system.supports(task.kind):
        raise DataError(f"{system.name} does not do tasks of the kind {task.kind}.")
    if not hasattr(system.build(task), "predict_proba"):
        raise DataError(
            f"{system.name} yields no probabilities, which label noise is found by. "
            "Take tfidf-lr."
        )


def find_label_noise(
    task: Task, *, system: str = "tfidf-lr", n_folds: int = 5, seed: int = 0
) -> LabelNoise:
    """Find rows whose labels a model, trained without them, does not believe.

    Parameters
    ----------
    task : Task
        A task with one label a row. All of its labelled splits are looked at together;
        equal texts, and rows of a thread, are in one fold.
    system : str, default="tfidf-lr"
        A system with probabilities.
    n_folds : int, default=5
        Number of folds.
    seed : int, default=0
        Seed of the models.

    Returns
    -------
    LabelNoise
        Candidates, to be looked at by people: a hard row is one as well as a wrong one,
        and where test is labelled by other rules than train, much of it is.

    Raises
    ------
    DataError
        If the task is multi-label or a regression, or has too few texts.

    Examples
    --------
    >>> from tweetclf import load_task
    >>> from tweetclf.leaderboard import find_label_noise
    >>> noise = find_label_noise(load_task("sample-humor"))
    >>> len(noise.suspects) < noise.n_of / 2
    True
    """
    chosen = get_system(system)
    _check(task, chosen)
    names = [n for n in _SPLITS if n in task.splits]
    splits = [s for n in names if (s := task.splits[n]).labels is not None]
    proba = _out_of_fold(task, chosen, splits, n_folds, seed)
    return suspects_of(task, splits, proba, system=system, n_folds=n_folds)
