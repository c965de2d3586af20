"""Texts that stand in a task more than once: the same, or nearly so.

Three levels, each of which includes those before it:

- verbatim: the same characters, white space at the ends aside;
- normalised: the same without case, HTML entities, user names, URLs, punctuation and
  differences of white space; emoji count;
- near: a Jaccard similarity of the normalised texts' character 5-grams of a threshold
  or more (see `tweetclf.tasks.near`); of pairs of texts both must be so similar, that
  many short answers to one long tweet are not taken for one answer.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from tweetclf.tasks.base import Split
from tweetclf.tasks.findings import Contradictions, Duplicates, Match, Place
from tweetclf.tasks.near import jaccard, near_pairs

__all__ = [
    "LEVELS",
    "Labels",
    "find_contradictions",
    "find_duplicates",
    "normalise",
    "place",
    "text_key",
]

LEVELS = {
    "verbatim": "the same characters, white space at the ends aside",
    "normalised": "the same words and emoji, whatever case, names, URLs, punctuation",
    "near": "similarity of the normalised texts' character 5-grams",
}
"""Levels of repetition, and what they mean."""

# Between the texts of a pair; `normalise` leaves no such character in a text.
_BETWEEN = "\x1f"
_DROPPED = re.compile(r"https?:\S*|www\.\S+|@\w+")


class _WordsAndSigns(dict[int, str]):
    """Table for `str.translate`: punctuation becomes a blank; emoji stay."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kind = unicodedata.category(character)
        # Variation selectors (Mn) and joiners (Cf) differ between clients.
        invisible = kind == "Cf" or 0xFE00 <= code <= 0xFE0F
        drop = kind[0] in "PZC" or kind in {"Sm", "Sc", "Sk"}
        # Skin tones are Sk, and part of the emoji.
        drop &= not 0x1F3FB <= code <= 0x1F3FF
        self[code] = "" if invisible else " " if drop else character
        return self[code]


_TABLE = _WordsAndSigns()


def normalise(text: str) -> str:
    """Return a text without what does not make it another one.

    Parameters
    ----------
    text : str
        A tweet.

    Returns
    -------
    str
        Without case, HTML entities, user names, URLs, punctuation and repeated white
        space; empty if nothing else was there.

    Examples
    --------
    >>> from tweetclf.tasks.duplicates import normalise
    >>> normalise("RT @pepe: ¡Qué DÍA! &amp; 😂  https://t.co/x")
    'rt qué día 😂'
    """
    if "&" in text:
        text = html.unescape(text)
    text = unicodedata.normalize("NFC", _DROPPED.sub(" ", text).casefold())
    return " ".join(text.translate(_TABLE).split())


class Labels:
    """The labels of a task, for comparison and for people.

    Parameters
    ----------
    splits : mapping of str to Split
        The splits of the task.
    names : sequence of str
        Names of the labels; of multi-label tasks in the order of the columns.
    """

    def __init__(self, splits: Mapping[str, Split], names: Sequence[str]) -> None:
        self._names = names
        self._values = {
            name: None if split.labels is None else self._hashable(split.labels)
            for name, split in splits.items()
        }
        numbers = [s.labels for s in splits.values() if s.labels is not None]
        numbers = [n for n in numbers if n.dtype.kind == "f"]
        # Numbers contradict each other if they are further apart than they are from
        # their mean, usually.
        self._tolerance = float(np.concatenate(numbers).std()) if numbers else None

    @staticmethod
    def _hashable(labels: np.ndarray) -> list[Any]:
        values = labels.tolist()
        return [tuple(v) for v in values] if labels.ndim == 2 else values

    def of(self, split: str) -> list[Any] | None:
        """Return the labels of a split; None if they are not known."""
        return self._values[split]

    def contradict(self, label: Any, others: Iterable[Any]) -> bool:
        """Tell whether one of several labels is another one."""
        if self._tolerance is None:
            return any(other != label for other in others)
        return any(abs(other - label) > self._tolerance for other in others)

    def text(self, split: str, row: int) -> str | None:
        """Return a label for people."""
        values = self._values[split]
        if values is None:
            return None
        value = values[row]
        if isinstance(value, tuple):
            chosen = [n for n, on in zip(self._names, value, strict=True) if on]
            return ", ".join(chosen) or "none"
        return f"{value:g}" if isinstance(value, float) else str(value)


def place(split: Split, row: int, labels: Labels) -> Place:
    """Return a row as an example.

    Parameters
    ----------
    split : Split
        The split.
    row : int
        Position in it.
    labels : Labels
        The labels of the task.
    """
    text: Any = split.texts[row]
    texts = (text,) if isinstance(text, str) else tuple(text)
    return Place(split.name, row, split.ids[row], texts, labels.text(split.name, row))


def text_key(text: Any, change: Callable[[str], str]) -> str:
    """Return what equal texts have in common; empty if there is nothing.

    Parameters
    ----------
    text : str or (str, str)
        A text, or a pair of texts.
    change : callable
        Takes out of a text what does not make it another one.
    """
    if isinstance(text, str):
        return change(text)
    parts = [change(part) for part in text]
    return _BETWEEN.join(parts) if any(parts) else ""


Index = dict[str, dict[Any, int]]


@dataclass(frozen=True)
class _Level:
    """What counts as the same text: a key each row, and keys that are alike.

    For each key of a split, `firsts` has the first row with each label, so that a text
    that stands there ten thousand times costs no more than another.
    """

    name: str
    keys: Mapping[str, list[str]]
    firsts: Mapping[str, Index]
    alike: Mapping[str, Mapping[str, float]]

    def matches(self, split: str, row: int, other: str) -> list[_Found]:
        """Return what a row repeats of another split, or of the rows before it."""
        key = self.keys[split][row]
        if not key:
            return []
        index = self.firsts[other]
        near = {key: 1.0, **self.alike.get(key, {})}
        found = [
            _Found(similarity, first, label)
            for text, similarity in near.items()
            for label, first in index.get(text, {}).items()
            if split != other or first < row
        ]
        return sorted(found, key=lambda match: (-match.similarity, match.row))


@dataclass(frozen=True)
class _Found:
    """The first row with a text and a label."""

    similarity: float
    row: int
    label: Any


def _firsts(keys: list[str], values: list[Any] | None) -> Index:
    index: Index = {}
    for row, key in enumerate(keys):
        if key:
            index.setdefault(key, {}).setdefault(values[row] if values else None, row)
    return index


def _alike(distinct: list[str], threshold: float, seed: int) -> Any:
    pairs = near_pairs(distinct, threshold=threshold, seed=seed)
    alike: dict[str, dict[str, float]] = {}
    columns = (pairs.first, pairs.second, pairs.similarity)
    for i, j, similarity in zip(*(c.tolist() for c in columns), strict=True):
        one, other = distinct[i], distinct[j]
        parts = zip(one.split(_BETWEEN), other.split(_BETWEEN), strict=True)
        if _BETWEEN in one:
            similarity = min(similarity, *(jaccard(a, b) for a, b in parts))
        if similarity >= threshold:
            alike.setdefault(one, {})[other] = similarity
            alike.setdefault(other, {})[one] = similarity
    return alike


def _levels(
    splits: Mapping[str, Split], labels: Labels, threshold: float, seed: int
) -> list[_Level]:
    def keys(change: Callable[[str], str]) -> dict[str, list[str]]:
        return {n: [text_key(t, change) for t in s.texts] for n, s in splits.items()}

    def firsts(keys: dict[str, list[str]]) -> dict[str, Index]:
        return {n: _firsts(found, labels.of(n)) for n, found in keys.items()}

    verbatim, plain = keys(str.strip), keys(normalise)
    index = firsts(plain)
    distinct = sorted({key for found in index.values() for key in found})
    return [
        _Level("verbatim", verbatim, firsts(verbatim), {}),
        _Level("normalised", plain, index, {}),
        _Level("near", plain, index, _alike(distinct, threshold, seed)),
    ]


def _compare(
    level: _Level,
    splits: Mapping[str, Split],
    labels: Labels,
    names: tuple[str, str],
    n_examples: int,
) -> Duplicates | None:
    """Return the rows of the first split that repeat the second; None if there is none.

    Within a split, rows that repeat an earlier one.
    """
    name, other = names
    own, known = labels.of(name), labels.of(other) is not None
    best: dict[int, _Found] = {}
    contradicting: list[int] = []
    for row in range(len(splits[name])):
        found = level.matches(name, row, other)
        if not found:
            continue
        best[row] = found[0]
        if own is None or not known:
            continue
        differ = [f for f in found if labels.contradict(own[row], [f.label])]
        if differ:
            contradicting.append(row)
            best[row] = differ[0]
    if not best:
        return None
    against = set(contradicting)
    shown = sorted(best, key=lambda row: (row not in against, row))[:n_examples]
    examples = tuple(
        Match(
            place(splits[name], row, labels),
            place(splits[other], best[row].row, labels),
            best[row].similarity,
            row in against,
        )
        for row in shown
    )
    n_of = len(splits[name])
    return Duplicates(
        level.name, name, other, n_of, tuple(best), tuple(contradicting), examples
    )


def find_duplicates(
    splits: Mapping[str, Split],
    labels: Labels,
    *,
    threshold: float = 0.7,
    seed: int = 0,
    n_examples: int = 5,
) -> tuple[Duplicates, ...]:
    """Find repeated texts across splits and within them.

    Parameters
    ----------
    splits : mapping of str to Split
        The splits; each is compared with those before it, and with itself.
    labels : Labels
        Their labels.
    threshold : float, default=0.7
        Least similarity of near duplicates.
    seed : int, default=0
        Seed of the hashes that near duplicates are found by.
    n_examples : int, default=5
        Examples of each finding.

    Returns
    -------
    tuple of Duplicates
        Those across splits first; level by level.
    """
    names = list(splits)
    pairs = [(later, earlier) for earlier, later in combinations(names, 2)]
    pairs += [(name, name) for name in names]
    levels = _levels(splits, labels, threshold, seed)
    found = [
        _compare(level, splits, labels, pair, n_examples)
        for pair in pairs
        for level in levels
    ]
    return tuple(item for item in found if item is not None)


def find_contradictions(
    splits: Mapping[str, Split], labels: Labels, *, n_examples: int = 5
) -> tuple[Contradictions, ...]:
    """Find equal texts that have different labels, in whatever splits.

    Parameters
    ----------
    splits : mapping of str to Split
        The splits; those without labels are left out.
    labels : Labels
        Their labels. Two numbers are different if they are more than the standard
        deviation of all labels apart.
    n_examples : int, default=5
        Examples a level.

    Returns
    -------
    tuple of Contradictions
        One a level at which there are some.
    """
    known = {n: split for n, split in splits.items() if labels.of(n) is not None}
    found = []
    changes: dict[str, Callable[[str], str]]
    changes = {"verbatim": str.strip, "normalised": normalise}
    for level, change in changes.items():
        groups: dict[str, list[tuple[str, int]]] = {}
        for name, split in known.items():
            for row, text in enumerate(split.texts):
                if key := text_key(text, change):
                    groups.setdefault(key, []).append((name, row))
        bad = [rows for rows in groups.values() if _disagree(rows, labels)]
        if not bad:
            continue
        examples = tuple(
            tuple(place(splits[n], r, labels) for n, r in _one_a_label(rows, labels))
            for rows in bad[:n_examples]
        )
        n_rows = sum(map(len, bad))
        n_of = sum(map(len, known.values()))
        found.append(Contradictions(level, len(bad), n_rows, n_of, examples))
    return tuple(found)


def _values(rows: list[tuple[str, int]], labels: Labels) -> list[Any]:
    return [(labels.of(name) or [])[row] for name, row in rows]


def _disagree(rows: list[tuple[str, int]], labels: Labels) -> bool:
    if len(rows) < 2:
        return False
    values = _values(rows, labels)
    if isinstance(values[0], float):
        return labels.contradict(min(values), [max(values)])
    return labels.contradict(values[0], values[1:])


def _one_a_label(rows: list[tuple[str, int]], labels: Labels) -> list[tuple[str, int]]:
    firsts: dict[Any, tuple[str, int]] = {}
    for value, row in zip(_values(rows, labels), rows, strict=True):
        firsts.setdefault(value, row)
    return list(firsts.values())
