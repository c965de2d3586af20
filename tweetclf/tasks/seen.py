"""Which texts to be predicted were seen in training, and with which labels.

Two levels, as in an audit (`tweetclf.tasks.duplicates`): a text is seen *verbatim* if
the same characters, white space at the ends aside, were trained on; it is seen
*normalised* if that holds without case, HTML entities, user names, URLs and
punctuation. What is seen verbatim counts as seen normalised, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.tasks.base import Split
from tweetclf.tasks.duplicates import Labels, normalise, text_key

__all__ = ["SEEN_LEVELS", "Seen", "find_seen", "find_seen_in_folds"]

SEEN_LEVELS = {"normalised": 1, "verbatim": 2}
"""Codes of the levels; 0 is a text that was not seen."""

_CHANGES: dict[str, Callable[[str], str]] = {
    "normalised": normalise,
    "verbatim": str.strip,
}


@dataclass(frozen=True)
class Seen:
    """What was seen of each text.

    Parameters
    ----------
    level : ndarray of uint8, shape (n_texts,)
        Highest level at which it was seen: 0 not, 1 normalised, 2 verbatim.
    contradicted : ndarray of uint8, shape (n_texts,)
        Highest level at which it was seen with another label than its own.
    """

    level: NDArray[np.uint8]
    contradicted: NDArray[np.uint8]


@dataclass(frozen=True)
class _Rows:
    """Keys of texts at each level, and their labels."""

    keys: dict[str, list[str]]
    values: list[Any]


def _rows(splits: Mapping[str, Split], names: Sequence[str], labels: Labels) -> _Rows:
    texts = [text for name in names for text in splits[name].texts]
    keys = {
        level: [text_key(text, change) for text in texts]
        for level, change in _CHANGES.items()
    }
    values: list[Any] = []
    for name in names:
        known = labels.of(name)
        values += [None] * len(splits[name]) if known is None else known
    return _Rows(keys, values)


def _mark(
    seen: Seen,
    rows: _Rows,
    asked: Iterable[int],
    known: _Rows,
    places: Iterable[int],
    labels: Labels,
) -> None:
    """Write down what `asked` rows repeat of the `places` of `known` rows."""
    asked, places = list(asked), list(places)
    # From the weaker level to the stronger one, which overwrites it.
    for name, code in SEEN_LEVELS.items():
        index: dict[str, set[Any]] = {}
        for row in places:
            index.setdefault(known.keys[name][row], set()).add(known.values[row])
        for row in asked:
            key, own = rows.keys[name][row], rows.values[row]
            if not key or key not in index:
                continue
            seen.level[row] = code
            others = [value for value in index[key] if value is not None]
            if own is not None and labels.contradict(own, others):
                seen.contradicted[row] = code


def _nothing(n: int) -> Seen:
    return Seen(np.zeros(n, dtype=np.uint8), np.zeros(n, dtype=np.uint8))


def find_seen(
    splits: Mapping[str, Split], asked: str, trained: Sequence[str], labels: Labels
) -> Seen:
    """Find the texts of a split that were trained on.

    Parameters
    ----------
    splits : mapping of str to Split
        The splits of a task.
    asked : str
        Name of the split that is predicted.
    trained : sequence of str
        Names of the splits that were trained on.
    labels : Labels
        Labels of `splits`.

    Returns
    -------
    Seen
        A code for each text.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.tasks import Split
    >>> from tweetclf.tasks.duplicates import Labels
    >>> from tweetclf.tasks.seen import find_seen
    >>> train = Split("train", ("Qué frío", "jaja"), np.array(["N", "P"]), ("0", "1"))
    >>> texts = ("¡qué FRÍO!", "jaja ", "hola")
    >>> test = Split("test", texts, np.array(["N", "N", "P"]), ("2", "3", "4"))
    >>> splits = {"train": train, "test": test}
    >>> seen = find_seen(splits, "test", ["train"], Labels(splits, ("N", "P")))
    >>> seen.level.tolist(), seen.contradicted.tolist()
    ([1, 2, 0], [0, 2, 0])
    """
    rows, known = _rows(splits, [asked], labels), _rows(splits, trained, labels)
    n_asked, n_known = len(rows.values), len(known.values)
    seen = _nothing(n_asked)
    _mark(seen, rows, range(n_asked), known, range(n_known), labels)
    return seen


def find_seen_in_folds(
    splits: Mapping[str, Split],
    names: Sequence[str],
    folds: NDArray[Any],
    labels: Labels,
) -> Seen:
    """Find the texts that stand in another fold than their own as well.

    Parameters
    ----------
    splits : mapping of str to Split
        The splits of a task.
    names : sequence of str
        Splits whose rows, below each other, were cross-validated.
    folds : ndarray of int, shape (n_rows,)
        Fold of each row: it was predicted by a model trained on all others.
    labels : Labels
        Labels of `splits`.

    Returns
    -------
    Seen
        A code for each row.
    """
    rows = _rows(splits, names, labels)
    seen = _nothing(len(rows.values))
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        _mark(seen, rows, outside.tolist(), rows, inside.tolist(), labels)
    return seen
