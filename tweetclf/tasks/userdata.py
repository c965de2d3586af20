"""The user's own file, folder or saved dataset as a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.tasks.base import Split, Task
from tweetclf.tasks.columns import Columns
from tweetclf.tasks.holdout import cut_rows
from tweetclf.tasks.labels import LabelReader
from tweetclf.tasks.metric import Metric, get_metric
from tweetclf.tasks.parts import by_split_column, find_parts, stem_of
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
    return Split(name, tuple(texts), reader.array(table), tuple(ids))


def _choose_metric(
    metric: str | Metric | None, pos: str | None, reader: LabelReader
) -> tuple[Metric, tuple[Metric, ...]]:
    main, others = _DEFAULT_METRICS[reader.kind]
    if metric is None:
        metric = main
    if isinstance(metric, str):
        metric = get_metric(metric, labels=reader.names, pos=pos)
    elif not metric.labels:
        metric = metric.with_labels(reader.names)
    secondary = tuple(
        get_metric(name, labels=reader.names)
        for name in (main, *others)
        if name != metric.name
    )
    return metric, secondary


def _data_notes(splits: Mapping[str, Split], tables: Mapping[str, Table]) -> list[str]:
    notes = [note for table in tables.values() for note in table.notes]
    for name, split in splits.items():
        empty = sum(
            not (text if isinstance(text, str) else text[0]).strip()
            for text in split.texts
        )
        if empty:
            notes.append(f"{empty} of {len(split)} texts of {name} are empty.")
        if repeated := len(split) - len(set(split.ids)):
            notes.append(f"{repeated} ids of {name} are repeated.")
    return notes


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
) -> Task:
    """Read the user's own data; see `load_task`."""
    tables, undivided = find_parts(path, encoding, quoting)
    if undivided and (parts := by_split_column(tables["train"])):
        notes = tables["train"].notes
        tables, undivided = parts, False
        split_note = [*notes, "The splits are those of the column 'split'."]
    else:
        split_note = []
    columns = Columns(tables["train"], text, label, id, text_b, group)
    if kind == "pair" and columns.text_b is None:
        raise DataError(
            f"{path}: kind='pair' needs the column of the second text: text_b=..."
        )
    wanted = None if kind == "pair" else kind
    reader = LabelReader(list(tables.values()), columns.label, wanted)
    splits = {n: _split(n, table, columns, reader) for n, table in tables.items()}
    notes_ = [*columns.notes, *reader.notes, *split_note, *_data_notes(splits, tables)]

    by = [str(v) for v in tables["train"].column(group, "group")] if group else None
    how = f"stratified, seed {seed}, rows of {group or 'the same text'} kept together"
    dev_source = test_source = "the user's own"
    if undivided:
        train, test, by = _cut(splits["train"], TEST_FRACTION, seed, by, reader)
        splits.update(train=train, test=replace(test, name="test"))
        test_source = f"cut off the data: {TEST_FRACTION:.0%}, {how}"
        notes_.append(f"There is one table: test was {test_source}.")
    elif "test" not in splits:
        test_source = "There is no test part."
    if "dev" not in splits:
        train, dev, _ = _cut(splits["train"], DEV_FRACTION, seed, by, reader)
        splits.update(train=train, dev=replace(dev, name="dev"))
        dev_source = f"cut off train: {DEV_FRACTION:.0%}, {how}"
        notes_.append(f"There is no dev part: dev was {dev_source}.")
    official, secondary = _choose_metric(metric, pos, reader)
    return Task(
        name=stem_of(path)[0] or path.name,
        version="local",
        language=language,
        kind="pair" if columns.text_b else reader.kind,
        target_kind=reader.kind,
        label_names=reader.names,
        metric=official,
        secondary_metrics=secondary,
        splits=splits,
        sha256={name: split.sha256 for name, split in splits.items()},
        source=path.name,
        description=f"Read from {path.name}.",
        dev_source=dev_source,
        test_source=test_source,
        notes=tuple(notes_),
    )


def _cut(
    split: Split,
    fraction: float,
    seed: int,
    by: Sequence[str] | None,
    reader: LabelReader,
) -> tuple[Split, Split, list[str] | None]:
    """Return the rest, the part, and the groups of the rest."""
    names = () if reader.kind == "multilabel" else reader.names
    rest, part = cut_rows(split, fraction, seed=seed, by=by, label_names=names)
    left = None if by is None else [by[int(i)] for i in rest]
    return split.take(rest), split.take(part), left
