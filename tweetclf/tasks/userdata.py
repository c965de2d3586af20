"""The user's own file, folder or saved dataset as a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.tasks.base import Split, Task
from tweetclf.tasks.columns import Columns, as_list
from tweetclf.tasks.holdout import cut_rows, text_keys
from tweetclf.tasks.labels import LabelReader
from tweetclf.tasks.metric import METRICS, Metric, get_metric
from tweetclf.tasks.parts import by_split_column, find_parts, split_column, stem_of
from tweetclf.tasks.tables import MISSING, Table

__all__ = ["user_task"]

DEV_FRACTION = 0.1
TEST_FRACTION = 0.2

_DEFAULT_METRICS = {
    "binary": ("macro_f1", ("accuracy",)),
    "multiclass": ("macro_f1", ("accuracy",)),
    "multilabel": ("jaccard", ("multilabel_micro_f1", "multilabel_macro_f1")),
    "regression": ("rmse", ("mae", "pearson")),
}


def _texts(table: Table, column: str, argument: str) -> list[str]:
    values = table.column(column, argument)
    for row, value in enumerate(values):
        if not isinstance(value, str):
            found = (
                repr(value)
                if value is None or value is MISSING
                else (f"{value!r} ({type(value).__name__})")
            )
            raise DataError(
                f"{table.place(row)}: the {argument} (column {column!r}) is {found}; "
                "expected a text. Drop the row or write a text."
            )
        if not value.isascii():
            try:
                value.encode("utf-8")
            except UnicodeEncodeError as error:
                raise DataError(
                    f"{table.place(row)}: the {argument} (column {column!r}) holds "
                    f"half of a surrogate pair at character {error.start}, which is "
                    "no Unicode text. Remove it."
                ) from error
    return list(values)


def _split(name: str, table: Table, columns: Columns, reader: LabelReader) -> Split:
    texts: Any = _texts(table, columns.text, "text")
    if columns.text_b:
        texts = zip(texts, _texts(table, columns.text_b, "text_b"), strict=True)
    ids = (
        [str(value) for value in table.column(columns.id, "id")]
        if columns.id
        else [str(i) for i in range(len(table))]
    )
    clusters = None
    if columns.group is not None and columns.group in table.columns:
        clusters = tuple(map(str, table.columns[columns.group]))
    labels = reader.array(table)
    return Split(name, tuple(texts), labels, tuple(ids), clusters=clusters)


def _fits(name: str, reader: LabelReader) -> bool:
    """Tell whether a metric can score labels of this kind."""
    kind = METRICS[name]
    bits = any(part.startswith("bits") for part in kind.extra)
    if reader.kind == "regression":
        return kind.numeric
    if reader.kind == "multilabel":
        return kind.multilabel or bits
    if bits:
        widths = {len(label) for label in reader.names}
        return len(widths) == 1 and set("".join(reader.names)) <= {"0", "1"}
    if kind.numeric:  # Grades, e.g. 0 to 3, are classes and numbers at once.
        return all(_is_number(label) for label in reader.names)
    return not kind.multilabel


def _is_number(label: str) -> bool:
    try:
        return bool(np.isfinite(float(label)))
    except ValueError:
        return False


def _check_fits(path: Path, metric: Metric, reader: LabelReader) -> None:
    if not _fits(metric.name, reader):
        fitting = ", ".join(sorted(name for name in METRICS if _fits(name, reader)))
        raise DataError(
            f"{path}: the metric {metric.name!r} does not fit a {reader.kind} task. "
            f"Choose one of {fitting}, or pass kind=... if the labels are of another "
            "kind."
        )


def _choose_metric(
    path: Path, metric: str | Metric | None, pos: str | None, reader: LabelReader
) -> tuple[Metric, tuple[Metric, ...]]:
    main, others = _DEFAULT_METRICS[reader.kind]
    if metric is None:
        metric = main
    if isinstance(metric, str):
        metric = get_metric(metric, labels=reader.names, pos=pos)
    elif not metric.labels:
        metric = metric.with_labels(reader.names)
    _check_fits(path, metric, reader)
    secondary = tuple(
        get_metric(name, labels=reader.names)
        for name in (main, *others)
        if name != metric.name
    )
    return metric, secondary


# -- notes ------------------------------------------------------------------------


def _split_notes(split: Split) -> list[str]:
    notes = []
    empty = sum(
        not (text if isinstance(text, str) else text[0]).strip() for text in split.texts
    )
    if empty:
        notes.append(f"{empty} of {len(split)} texts of {split.name} are empty.")
    if repeated := len(split) - len(set(split.ids)):
        notes.append(f"{repeated} ids of {split.name} are repeated.")
    return notes


def _labels_of(split: Split, reader: LabelReader) -> set[str]:
    if split.labels is None or reader.kind == "regression":
        return set()
    if reader.kind == "multilabel":
        return {reader.names[int(i)] for i in np.flatnonzero(split.labels.any(axis=0))}
    return set(split.labels.tolist())


def _comparison_notes(splits: Mapping[str, Split], reader: LabelReader) -> list[str]:
    """Say what makes scores on dev and test doubtful."""
    notes = []
    seen = set(text_keys(splits["train"]))
    known = _labels_of(splits["train"], reader)
    for name, split in splits.items():
        if name == "train":
            continue
        if shared := sum(key in seen for key in text_keys(split)):
            notes.append(
                f"{shared} of {len(split)} texts of {name} are in train too: scores on "
                f"{name} are too good."
            )
        if new := sorted(_labels_of(split, reader) - known):
            notes.append(
                f"Of the labels of {name}, train has no row of "
                f"{', '.join(map(repr, new))}: no system can learn them."
            )
    return notes


# -- splits -----------------------------------------------------------------------


@dataclass
class _Splits:
    """The splits, how dev and test came about, and what there is to say."""

    path: Path
    splits: dict[str, Split]
    notes: list[str] = field(default_factory=list)
    dev_source: str = "the user's own"
    test_source: str = "the user's own"

    def cut_off(self, undivided: bool, group: str | None, cut: _Cut) -> None:
        """Cut dev, and of one undivided table test, off train."""
        how = f"stratified, seed {cut.seed}, rows of {group or 'the same text'} kept "
        how += "together"
        if undivided:
            self._cut("test", TEST_FRACTION, cut)
            self.test_source = f"cut off the data: {TEST_FRACTION:.0%}, {how}"
            self.notes.append(f"There is one table: test was {self.test_source}.")
        if "dev" not in self.splits:
            self._cut("dev", DEV_FRACTION, cut)
            self.dev_source = f"cut off train: {DEV_FRACTION:.0%}, {how}"
            self.notes.append(f"There is no dev part: dev was {self.dev_source}.")

    def _cut(self, name: str, fraction: float, cut: _Cut) -> None:
        """Move rows of train to a new split."""
        train = self.splits["train"]
        try:
            rest, part = cut_rows(
                train, fraction, seed=cut.seed, label_names=cut.label_names
            )
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from None
        self.splits["train"] = train.take(rest)
        self.splits[name] = train.take(part, name)


@dataclass(frozen=True)
class _Cut:
    seed: int
    label_names: tuple[str, ...]


def _tables(
    path: Path, encoding: str, quoting: bool | None, used: set[str]
) -> tuple[dict[str, Table], bool, str | None, list[str]]:
    """Return the tables, whether it is one undivided one, its split column, notes."""
    tables, undivided = find_parts(path, encoding, quoting)
    notes = [note for table in tables.values() for note in table.notes]
    column = split_column(tables["train"], used)
    if undivided and column is not None:
        tables, undivided = by_split_column(tables["train"], column), False
        notes.append(f"The splits are those of the column {column!r}.")
    return tables, undivided, column, notes


def user_task(
    path: Path,
    *,
    text: str | None,
    label: str | Sequence[str] | None,
    id: str | None,
    text_b: str | None,
    group: str | None,
    kind: str | None,
    metric: str | Metric | None,
    pos: str | None,
    language: str,
    encoding: str,
    quoting: bool | None,
    seed: int,
    holdout: bool = True,
) -> Task:
    """Read the user's own data; see `load_task`."""
    used = {name for name in (text, id, text_b, group, *as_list(label or ())) if name}
    tables, undivided, split, table_notes = _tables(path, encoding, quoting, used)
    columns = Columns(tables["train"], text, label, id, text_b, group, split)
    if kind == "pair" and columns.text_b is None:
        raise DataError(
            f"{path}: kind='pair' needs the column of the second text: text_b=..."
        )
    wanted = None if kind == "pair" else kind
    reader = LabelReader(list(tables.values()), columns.label, wanted)
    official, secondary = _choose_metric(path, metric, pos, reader)
    found = {n: _split(n, table, columns, reader) for n, table in tables.items()}
    parts = _Splits(path, found, [*columns.notes, *reader.notes, *table_notes])
    parts.notes += [note for part in found.values() for note in _split_notes(part)]
    if "test" not in found:
        parts.test_source = "There is no test part."
    if "dev" not in found:
        parts.dev_source = "There is no dev part."
    if holdout:
        names = () if reader.kind == "multilabel" else reader.names
        parts.cut_off(undivided, group, _Cut(seed, names))
    parts.notes += _comparison_notes(parts.splits, reader)
    return Task(
        name=stem_of(path)[0] or path.name,
        version="local",
        language=language,
        kind="pair" if columns.text_b else reader.kind,
        target_kind=reader.kind,
        label_names=reader.names,
        metric=official,
        secondary_metrics=secondary,
        splits=parts.splits,
        sha256={name: split.sha256 for name, split in parts.splits.items()},
        source=path.name,
        description=f"Read from {path.name}.",
        dev_source=parts.dev_source,
        test_source=parts.test_source,
        notes=tuple(parts.notes),
    )
