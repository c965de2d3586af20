"""Reading of registered tasks: files become splits, checked by their sha256."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf.exceptions import ChecksumError, DataError
from tweetclf.tasks.base import Split, Task
from tweetclf.tasks.holdout import cut
from tweetclf.tasks.registry import CorpusInfo, TaskInfo
from tweetclf.tasks.rows import read_jsonl

__all__ = ["LazySplits", "described_task", "read_corpus", "registered_task"]


class LazySplits(Mapping[str, Split]):
    """Splits that are read when first asked for.

    Parameters
    ----------
    names : tuple of str
        Names of the splits.
    read : callable
        Called with a name; returns that split and any others that came with it.
    """

    def __init__(
        self, names: tuple[str, ...], read: Callable[[str], dict[str, Split]]
    ) -> None:
        self._names = names
        self._read = read
        self._splits: dict[str, Split] = {}

    def __getitem__(self, name: str) -> Split:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._splits:
            self._splits.update(self._read(name))
        return self._splits[name]

    # Mapping's own test would read the split.
    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class _Reader:
    """Reads the splits of a registered task (a class, so that tasks pickle)."""

    info: TaskInfo
    folders: Mapping[str | None, Path]
    verify: bool

    def __call__(self, name: str) -> dict[str, Split]:
        dev = self.info.reading.get("dev")
        if dev is None or name not in {"train", "dev"}:
            by = None if dev is None else dev.get("by")
            found = {name: self._split(name, cluster_by=by)}
        else:
            rest, part = cut(
                self._split("train", cluster_by=dev.get("by")),
                dev["fraction"],
                seed=dev["seed"],
                label_names=self.info.label_names,
            )
            found = {"train": rest, "dev": part}
        if self.verify:
            for split in found.values():
                self._check(split)
        return found

    def _check(self, split: Split) -> None:
        expected = self.info.sha256.get(split.name)
        if expected is not None and split.sha256 != expected:
            folders = ", ".join(str(folder) for folder in self.folders.values())
            raise ChecksumError(
                f"Split {split.name!r} of task {self.info.name!r}, read from "
                f"{folders}, is not the registered one: expected sha256 {expected}, "
                f"found {split.sha256} ({len(split)} rows, registered "
                f"{self.info.rows.get(split.name)}). Scores on other data are not "
                f"comparable. {self.info.how_to_obtain} To use these data all the "
                "same, pass verify=False."
            )

    def _split(self, name: str, cluster_by: str | None = None) -> Split:
        entry = self.info.reading["files"][name]
        where = entry.get("where", self.info.reading.get("where", {}))
        rule = entry.get("label", self.info.reading["label"])
        group_field = self.info.reading.get("groups", {}).get("field")
        second = self.info.reading.get("text_b")
        texts: list[Any] = []
        labels: list[Any] = []
        ids: list[str] = []
        groups: list[str] = []
        clusters: list[str] = []
        for group, folder in self.folders.items():
            path = folder / entry["file"]
            for line, row in read_jsonl(path):
                try:
                    if not _matches(row, where):
                        continue
                    text = _text(row, "text")
                    texts.append(text if second is None else (text, _text(row, second)))
                    ids.append(str(row[self.info.reading["id"]]))
                    if rule is not None:
                        labels.append(_label(row, rule, self.info))
                    if group is not None or group_field:
                        groups.append(group or str(row[group_field]))
                    if cluster_by is not None:
                        clusters.append(_nested(row, cluster_by))
                except KeyError as error:
                    raise DataError(
                        f"{path}, line {line}: there is no field {error}; the fields "
                        f"are {', '.join(row)}. {self.info.how_to_obtain}"
                    ) from None
                except DataError as error:
                    raise DataError(f"{path}, line {line}: {error}") from None
        return Split(
            name=name,
            texts=tuple(texts),
            labels=None if rule is None else _array(labels, self.info.target_kind),
            ids=tuple(ids),
            groups=tuple(groups) if groups else None,
            clusters=tuple(clusters) if clusters else None,
        )


def _nested(row: Mapping[str, Any], path: str) -> str:
    """Return ``row["a"][0]`` for ``"a.0"``."""
    value: Any = row
    for step in path.split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return str(value)


def _text(row: Mapping[str, Any], column: str) -> str:
    text = row[column]
    if not isinstance(text, str):
        raise DataError(f"the field {column!r} is {text!r}; expected a text.")
    return text


def _matches(row: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    for column, wanted in where.items():
        if isinstance(wanted, dict):
            if row[column] == wanted["not"]:
                return False
        elif row[column] != wanted:
            return False
    return True


def _label(row: Mapping[str, Any], rule: Mapping[str, Any], info: TaskInfo) -> Any:
    """Return a row's label by the task's rule: name, number or 0/1 list."""
    if "bits" in rule:
        name = "".join(str(int(row[column])) for column in rule["bits"])
    else:
        value = row[rule["field"]]
        if "item" in rule:
            value = value[rule["item"]]
        if rule.get("round_mean"):
            value = int(sum(value) / len(value) + 0.5)
        if info.target_kind == "regression":
            return float(value)
        if info.target_kind == "multilabel":
            if rule.get("vector"):
                return [int(v) for v in value]
            unknown = set(value) - set(info.label_names)
            if unknown:
                raise DataError(f"unknown label {sorted(unknown)[0]!r}.")
            return [int(name in value) for name in info.label_names]
        name = str(value)
        if "names" in rule:
            name = rule["names"].get(name, name)
    if name not in info.label_names:
        raise DataError(
            f"{name!r} is not a label of {info.name}; its labels are "
            f"{', '.join(info.label_names)}."
        )
    return name


def _array(labels: list[Any], target_kind: str) -> np.ndarray:
    if target_kind == "regression":
        return np.array(labels, dtype=np.float64)
    if target_kind == "multilabel":
        return np.array(labels, dtype=np.int8)
    return np.array(labels, dtype=np.str_)


def registered_task(info: TaskInfo, data_dir: Any = None, verify: bool = True) -> Task:
    """Return a registered task; its splits are read when first asked for."""
    folders = info.folders(data_dir)
    missing = info.missing(data_dir)
    if missing:
        more = f" and {len(missing) - 1} more files" if len(missing) > 1 else ""
        raise DataError(
            f"The data of task {info.name!r} are not there: looked for "
            f"{missing[0]}{more}. {info.how_to_obtain} Another data folder is named by "
            "data_dir=..., --data-dir or the environment variable TWEETCLF_DATA."
        )
    present = tuple(
        split
        for split in info.splits
        if split not in info.reading["files"]
        or all(
            (folder / info.reading["files"][split]["file"]).is_file()
            for folder in folders.values()
        )
    )
    unknown = [split for split in present if split not in info.sha256]
    notes = (
        (f"No checksum is registered for {', '.join(unknown)}: taken as they are.",)
        if unknown
        else ()
    )
    reader = _Reader(info=info, folders=folders, verify=verify)
    return described_task(info, LazySplits(present, reader), notes=notes)


def described_task(
    info: TaskInfo, splits: Mapping[str, Split], *, notes: tuple[str, ...] = ()
) -> Task:
    """Return a registered task with the splits that are given, be it none.

    Parameters
    ----------
    info : TaskInfo
        What is known of the task.
    splits : mapping of str to Split
        Its splits.
    notes : tuple of str, optional
        What is to be said of them.
    """
    return Task(
        name=info.name,
        version=info.version,
        language=info.language,
        kind=info.kind,
        target_kind=info.target_kind,
        label_names=info.label_names,
        metric=info.metric,
        secondary_metrics=info.secondary_metrics,
        splits=splits,
        sha256=dict(info.sha256),
        source=info.source,
        licence=info.licence,
        citation=info.citation,
        how_to_obtain=info.how_to_obtain,
        description=info.description,
        dev_source=info.dev_source,
        test_source=info.test_source,
        notes=notes,
    )


def read_corpus(info: CorpusInfo, root: Path) -> Split:
    """Return the texts of a registered corpus as an unlabelled split."""
    path = root / info.folder / info.file
    if not path.is_file():
        raise DataError(
            f"The corpus {info.name!r} is not there: looked for {path}. Its source is: "
            f"{info.source}."
        )
    rows = [row for _, row in read_jsonl(path)]
    second = info.text_b
    texts: Any = (
        tuple(row["text"] for row in rows)
        if second is None
        else tuple((row["text"], row[second]) for row in rows)
    )
    return Split("train", texts, None, tuple(str(row["id"]) for row in rows))
