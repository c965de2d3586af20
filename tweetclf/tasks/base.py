"""Frozen data of a task: its splits, its labels, its metric."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.tasks.metric import Metric

__all__ = ["KINDS", "TARGET_KINDS", "Split", "Task"]

TARGET_KINDS = ("binary", "multiclass", "multilabel", "regression")
KINDS = (*TARGET_KINDS, "pair")

Texts = tuple[str, ...] | tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Split:
    """Texts and labels of one part of a task.

    Iterating gives ``texts, labels``, so that ``estimator.fit(*task.train)`` works.

    Parameters
    ----------
    name : str
        "train", "dev", "test" or the name of an unlabelled part.
    texts : tuple of str, or of (str, str)
        The texts; for pair tasks ``(text, text_b)``.
    labels : ndarray or None
        Label names (str), an indicator matrix (int8) or numbers (float64), made
        read-only. None where the gold labels are not known.
    ids : tuple of str
        Identifiers as released; not always unique.
    groups : tuple of str, optional
        For tasks that train one model a group and pool the predictions.
    clusters : tuple of str, optional
        Thread, conversation or author of each row. Rows of one cluster know of each
        other: cuts and folds keep them on one side.
    """

    name: str
    texts: Texts
    labels: np.ndarray | None
    ids: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    clusters: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for what in ("labels", "ids", "groups", "clusters"):
            value = getattr(self, what)
            if value is not None and len(value) != len(self.texts):
                raise DataError(
                    f"Split {self.name!r} has {len(self.texts)} texts and "
                    f"{len(value)} {what}; there must be one a text."
                )
        if self.labels is not None:
            labels = np.asarray(self.labels)
            if labels.flags.writeable:
                labels = labels.copy()
                labels.setflags(write=False)
            object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[Any]:
        yield list(self.texts)
        yield self.labels

    def __repr__(self) -> str:
        labelled = "" if self.labels is not None else ", unlabelled"
        return f"Split({self.name!r}, {len(self)} rows{labelled})"

    @property
    def pair(self) -> bool:
        """Whether the texts are pairs."""
        return bool(self.texts) and not isinstance(self.texts[0], str)

    @cached_property
    def sha256(self) -> str:
        """Hash of ids, texts and labels, in order.

        One JSON array a row, ``[id, text, label]``, UTF-8, each ended by a line
        feed; pairs are arrays of two, unlabelled rows have null.
        """
        labels = [None] * len(self) if self.labels is None else self.labels.tolist()
        digest = hashlib.sha256()
        encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
        for row in zip(self.ids, self.texts, labels, strict=True):
            digest.update(encode(row).encode("utf-8", "surrogatepass") + b"\n")
        return digest.hexdigest()

    def take(self, indices: np.ndarray | list[int], name: str | None = None) -> Split:
        """Return the rows at `indices`, in that order."""
        positions = [int(i) for i in indices]

        def chosen(values: tuple[str, ...] | None) -> tuple[str, ...] | None:
            return None if values is None else tuple(values[i] for i in positions)

        return Split(
            name=self.name if name is None else name,
            texts=tuple(self.texts[i] for i in positions),  # type: ignore[arg-type]
            labels=None if self.labels is None else self.labels[positions],
            ids=tuple(self.ids[i] for i in positions),
            groups=chosen(self.groups),
            clusters=chosen(self.clusters),
        )


@dataclass(frozen=True, eq=False)
class Task:
    """A dataset with its splits, labels and official metric. Never edited.

    Parameters
    ----------
    name, version : str
        Registered name and version; for the user's own data the file's name and
        "local".
    language : str
        BCP 47 language tag, "und" if unknown.
    kind : {"binary", "multiclass", "multilabel", "regression", "pair"}
        What is predicted; "pair" where the input is a pair of texts.
    target_kind : {"binary", "multiclass", "multilabel", "regression"}
        What is predicted; differs from `kind` for pair tasks only.
    label_names : tuple of str
        Names in label order (of the columns, if multi-label); empty for regression.
    metric : Metric
        The official metric, by which systems are ranked.
    splits : mapping of str to Split
        Read when first asked for.
    secondary_metrics : tuple of Metric
        Reported, not ranked by.
    sha256 : mapping of str to str
        Registered hash of each split; empty where none is known.
    source, licence, citation, how_to_obtain, description : str
        Where the data come from and on what terms.
    dev_source, test_source : str
        "official", or how the split was cut, or why there is none.
    notes : tuple of str
        What was guessed or noticed while reading.
    """

    name: str
    version: str
    language: str
    kind: str
    target_kind: str
    label_names: tuple[str, ...]
    metric: Metric
    splits: Mapping[str, Split] = field(repr=False)
    secondary_metrics: tuple[Metric, ...] = ()
    sha256: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    source: str = field(default="", repr=False)
    licence: str = field(default="", repr=False)
    citation: str = field(default="", repr=False)
    how_to_obtain: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
    dev_source: str = field(default="official", repr=False)
    test_source: str = field(default="official", repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.target_kind not in TARGET_KINDS:
            raise DataError(
                f"Task {self.name!r}: kind must be one of {KINDS} and target_kind one "
                f"of {TARGET_KINDS}. Got {self.kind!r} and {self.target_kind!r} "
                "instead."
            )

    @property
    def pair(self) -> bool:
        """Whether the input is a pair of texts."""
        return self.kind == "pair"

    @property
    def train(self) -> Split:
        """The training split."""
        return self.splits["train"]

    @property
    def dev(self) -> Split:
        """The development split; cut from train where none is published."""
        return self.splits["dev"]

    @property
    def test(self) -> Split | None:
        """The test split, or None where its gold labels are not at hand."""
        return self.splits.get("test")

    @property
    def grouped(self) -> bool:
        """Whether one model is trained a group and the predictions are pooled."""
        return self.train.groups is not None

    @property
    def scorer(self) -> Any:
        """The official metric as a scikit-learn scorer."""
        from sklearn.metrics import make_scorer

        return make_scorer(self.metric, greater_is_better=self.metric.greater_is_better)
