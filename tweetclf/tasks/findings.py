"""What an audit finds, as plain frozen data with a JSON form."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any

from tweetclf.exceptions import DataError

__all__ = [
    "Audit",
    "ClassShift",
    "Contamination",
    "Contradictions",
    "Duplicates",
    "LabelNoise",
    "Match",
    "Overlap",
    "Place",
    "Suspect",
    "TextFault",
]

_FORMAT = "tweetclf-audit-1"


@dataclass(frozen=True)
class Place:
    """A row of a split, as an example.

    Parameters
    ----------
    split : str
        Name of the split.
    row : int
        Position in the split, from 0.
    id : str
        Identifier as released.
    texts : tuple of str
        The text, or the two of a pair.
    label : str or None
        Its label; several joined by ", "; None where it is not known.
    """

    split: str
    row: int
    id: str
    texts: tuple[str, ...]
    label: str | None


@dataclass(frozen=True)
class Match:
    """Two rows with the same text, or nearly so.

    Parameters
    ----------
    place, other : Place
        The row that was found, and the one it repeats.
    similarity : float
        Jaccard similarity of their character 5-grams; 1 where the texts are the same
        at the level of the comparison.
    contradicting : bool
        Whether a text that `place` repeats has another label (not always `other`).
    """

    place: Place
    other: Place
    similarity: float
    contradicting: bool


@dataclass(frozen=True)
class Duplicates:
    """Rows of one split whose texts stand in another one, or earlier in the same.

    Parameters
    ----------
    level : {"verbatim", "normalised", "near"}
        What counts as the same text; each level includes those before it.
    split : str
        The split with the rows.
    other : str
        The split that they repeat; the same one for repeats within it.
    n_of : int
        Rows of `split`.
    rows : tuple of int
        Positions of the rows in `split`.
    contradicting : tuple of int
        Those of them for which some row that they repeat has another label.
    examples : tuple of Match
        Some of them, those with another label first.
    """

    level: str
    split: str
    other: str
    n_of: int
    rows: tuple[int, ...]
    contradicting: tuple[int, ...]
    examples: tuple[Match, ...]


@dataclass(frozen=True)
class Contradictions:
    """Texts that have more than one label, in whatever splits.

    Parameters
    ----------
    level : {"verbatim", "normalised"}
        What counts as the same text.
    n_texts : int
        Texts with more than one label.
    n_rows : int
        Their rows.
    n_of : int
        Labelled rows of all splits.
    examples : tuple of tuple of Place
        Some of the texts, each with one row a label.
    """

    level: str
    n_texts: int
    n_rows: int
    n_of: int
    examples: tuple[tuple[Place, ...], ...]


@dataclass(frozen=True)
class Overlap:
    """Identifiers, or threads or authors, that stand in two splits.

    Parameters
    ----------
    what : {"id", "cluster"}
        What is shared; a cluster is a thread, a conversation or an author.
    split, other : str
        The two splits.
    n_values : int
        Values that stand in both.
    n_of : int
        Rows of `split`.
    rows : tuple of int
        Rows of `split` with such a value.
    examples : tuple of str
        Some of the values.
    """

    what: str
    split: str
    other: str
    n_values: int
    n_of: int
    rows: tuple[int, ...]
    examples: tuple[str, ...]


@dataclass(frozen=True)
class ClassShift:
    """How far the labels of two splits are distributed differently.

    Parameters
    ----------
    split, other : str
        The two splits.
    test : str
        "chi-squared"; "chi-squared, simulated" where a count below 5 is expected;
        "chi-squared, Holm" over the labels of a multi-label task;
        "Kolmogorov-Smirnov" for numbers.
    statistic, p_value : float
        Of the test; for multi-label tasks of the label with the least p-value.
    effect : {"total variation", "Kolmogorov-Smirnov distance", "difference of shares"}
        What `size` is: share of the rows that would have to change their label; of
        multi-label tasks the largest difference of a label's shares.
    size : float
        Size of the effect, 0 to 1.
    shares : mapping of str to (float, float)
        Share of each label in `split` and `other`; of numbers their mean and standard
        deviation.
    """

    split: str
    other: str
    test: str
    statistic: float
    p_value: float
    effect: str
    size: float
    shares: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class TextFault:
    """Texts that are empty, or were damaged on their way.

    Parameters
    ----------
    kind : str
        "empty", "no words", "U+FFFD", "mojibake", "HTML entity", "escape sequence",
        "control character", "invisible mark" or "lone surrogate".
    split : str
        The split.
    n_of : int
        Its rows.
    rows : tuple of int
        The rows.
    examples : tuple of Place
        Some of them.
    """

    kind: str
    split: str
    n_of: int
    rows: tuple[int, ...]
    examples: tuple[Place, ...]


@dataclass(frozen=True)
class Contamination:
    """Texts of a split that share a long character n-gram with a corpus.

    Parameters
    ----------
    corpus : str
        Name of the corpus.
    split : str
        The split.
    n_gram : int
        Characters in an n-gram.
    n_of : int
        Rows of the split.
    n_short : int
        Those that are shorter than an n-gram; they count as found where the whole
        text is a text of the corpus.
    rows : tuple of int
        The rows found.
    short_rows : tuple of int
        Those of them that are shorter than an n-gram.
    n_corpus : int
        Texts of the corpus.
    n_corpus_found : int
        Those of them that share something with this or another split.
    examples : tuple of (Place, str)
        Some of the rows, each with the first text of the corpus found for it.
    """

    corpus: str
    split: str
    n_gram: int
    n_of: int
    n_short: int
    rows: tuple[int, ...]
    short_rows: tuple[int, ...]
    n_corpus: int
    n_corpus_found: int
    examples: tuple[tuple[Place, str], ...]


@dataclass(frozen=True)
class Suspect:
    """A row whose label may be wrong.

    Parameters
    ----------
    place : Place
        The row.
    suggested : str
        The label that the model gives it.
    p_given, p_suggested : float
        Out-of-fold probabilities of its label and of the suggested one.
    """

    place: Place
    suggested: str
    p_given: float
    p_suggested: float


@dataclass(frozen=True)
class LabelNoise:
    """Rows whose labels a model, trained without them, does not believe.

    Parameters
    ----------
    system : str
        The model.
    n_folds : int
        Number of folds.
    splits : tuple of str
        The splits that were looked at.
    n_of : int
        Their rows.
    suspects : tuple of Suspect
        All of them, the most doubtful first.
    """

    system: str
    n_folds: int
    splits: tuple[str, ...]
    n_of: int
    suspects: tuple[Suspect, ...]


@dataclass(frozen=True)
class Audit:
    """All that was found in a task.

    Parameters
    ----------
    task, version : str
        The task.
    sizes : mapping of str to int
        Split -> rows.
    sha256 : mapping of str to str
        Split -> hash of its content.
    threshold : float
        Least similarity of near duplicates.
    duplicates : tuple of Duplicates
        Within and across splits; only those with rows.
    contradictions : tuple of Contradictions
        Equal texts with different labels; only levels with some.
    overlaps : tuple of Overlap
        Shared identifiers, threads and authors; only those with rows.
    shifts : tuple of ClassShift
        One a pair of labelled splits.
    faults : tuple of TextFault
        Empty and damaged texts; only those with rows.
    contamination : tuple of Contamination
        One a corpus and split.
    label_noise : LabelNoise or None
        Label-noise candidates, if they were asked for.
    notes : tuple of str
        What could not be looked at, and why.
    """

    task: str
    version: str
    sizes: Mapping[str, int]
    sha256: Mapping[str, str]
    threshold: float
    duplicates: tuple[Duplicates, ...]
    contradictions: tuple[Contradictions, ...]
    overlaps: tuple[Overlap, ...]
    shifts: tuple[ClassShift, ...]
    faults: tuple[TextFault, ...]
    contamination: tuple[Contamination, ...] = ()
    label_noise: LabelNoise | None = None
    notes: tuple[str, ...] = field(default=())

    def shared(self, split: str, other: str, level: str = "verbatim") -> Duplicates:
        """Return what `split` repeats of `other`; without rows if it is nothing.

        Raises
        ------
        DataError
            If there is no such split.
        """
        for name in (split, other):
            if name not in self.sizes:
                raise DataError(
                    f"The audit of {self.task!r} knows no split {name!r}; its splits "
                    f"are {', '.join(self.sizes)}."
                )
        for found in self.duplicates:
            if (found.level, found.split, found.other) == (level, split, other):
                return found
        return Duplicates(level, split, other, self.sizes[split], (), (), ())

    def to_json(self) -> str:
        """Return the audit as JSON, from which `from_json` makes it again."""
        document = {"format": _FORMAT, **asdict(self)}
        return json.dumps(document, ensure_ascii=True, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Audit:
        """Return the audit that `to_json` wrote.

        Raises
        ------
        DataError
            If it is no such document.
        """
        try:
            document = json.loads(text)
            if document.pop("format") != _FORMAT:
                raise ValueError(f"the format is not {_FORMAT!r}")
            return _revive(cls, document)
        # A document of another shape fails in one of these ways.
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"This is no audit in JSON: {error}.") from error


def _revive(kind: Any, value: Any) -> Any:
    """Return what a JSON value was, by the type of the field it is read for."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return None if value is None else _revive(inner[0], value)
    if origin is tuple:
        if inner[-1] is Ellipsis:
            return tuple(_revive(inner[0], item) for item in value)
        return tuple(_revive(k, v) for k, v in zip(inner, value, strict=True))
    if origin is Mapping:
        return {key: _revive(inner[1], item) for key, item in value.items()}
    if is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        names = {f.name for f in fields(kind)}
        if unknown := sorted(set(value) - names):
            raise ValueError(f"{kind.__name__} has no field {unknown[0]!r}")
        return kind(
            **{name: _revive(hints[name], item) for name, item in value.items()}
        )
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value
