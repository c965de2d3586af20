"""The registered tasks: data, not classes, read when first asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from tweetclf.tasks.locations import PACKAGE_DATA, data_folder
from tweetclf.tasks.metric import Metric, get_metric
from tweetclf.utils.registry import Registry

__all__ = [
    "CorpusInfo",
    "TaskInfo",
    "corpus_info",
    "list_corpora",
    "list_tasks",
    "task_info",
]


@dataclass(frozen=True)
class TaskInfo:
    """What is known of a registered task without reading its data.

    Parameters
    ----------
    name, version, language, kind, target_kind, label_names : str or tuple of str
        As in `Task`.
    metric, secondary_metrics : Metric, tuple of Metric
        As in `Task`.
    source, licence, citation, how_to_obtain, description : str
        As in `Task`.
    dev_source, test_source : str
        "official", or how the split is cut, or why there is none.
    splits : tuple of str
        Names of the splits; some are there only if their file is.
    rows, sha256 : mapping of str to int, str
        Rows and registered hash of each split, where known.
    reading : mapping
        How files become rows: folder, files, columns, label rule.
    """

    name: str
    version: str
    language: str
    kind: str
    target_kind: str
    label_names: tuple[str, ...]
    metric: Metric
    secondary_metrics: tuple[Metric, ...]
    source: str
    licence: str
    citation: str
    how_to_obtain: str
    description: str
    dev_source: str
    test_source: str
    splits: tuple[str, ...]
    rows: Mapping[str, int] = field(repr=False)
    sha256: Mapping[str, str] = field(repr=False)
    reading: Mapping[str, Any] = field(repr=False)

    @property
    def bundled(self) -> bool:
        """Whether the data are part of the package."""
        return bool(self.reading.get("package"))

    def folders(
        self, data_dir: str | os.PathLike[str] | None = None
    ) -> dict[str | None, Path]:
        """Return the folder of the files, or one a group."""
        root = PACKAGE_DATA if self.bundled else data_folder(data_dir)
        groups = self.reading.get("groups", {}).get("folders")
        if groups:
            return {group: root / folder for group, folder in groups.items()}
        return {None: root / self.reading["folder"]}

    def missing(self, data_dir: str | os.PathLike[str] | None = None) -> list[Path]:
        """Return the files that are needed and not there."""
        needed = [
            entry["file"]
            for entry in self.reading["files"].values()
            if not entry.get("optional")
        ]
        paths = [
            folder / file
            for folder in self.folders(data_dir).values()
            for file in dict.fromkeys(needed)
        ]
        return [path for path in paths if not path.is_file()]

    def available(self, data_dir: str | os.PathLike[str] | None = None) -> bool:
        """Whether all files are there."""
        return not self.missing(data_dir)


@dataclass(frozen=True)
class CorpusInfo:
    """A registered collection of texts without labels, for pretraining.

    Parameters
    ----------
    name, language : str
        Registered name and BCP 47 language tag.
    folder, file : str
        Where the texts are within the data folder.
    licence, source, description : str
        On what terms, where from, and what they are.
    text_b : str, optional
        Column of the second texts, where the corpus holds pairs.
    """

    name: str
    language: str
    folder: str
    file: str
    licence: str
    source: str
    description: str
    text_b: str | None = None

    @property
    def pair(self) -> bool:
        """Whether the texts are pairs."""
        return self.text_b is not None


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _metric(spec: Mapping[str, Any], labels: tuple[str, ...]) -> Metric:
    return get_metric(
        spec["name"],
        labels=labels,
        pos=spec.get("pos"),
        over=tuple(spec.get("over", ())),
        by_group=spec.get("by_group", False),
    )


def _info(name: str, spec: Mapping[str, Any], facts: Mapping[str, Any]) -> TaskInfo:
    labels = tuple(spec.get("label_names", ()))
    files = {
        split: entry if isinstance(entry, dict) else {"file": entry}
        for split, entry in spec["files"].items()
    }
    dev = spec.get("dev")
    dev_source = spec.get("dev_source", "official")
    if dev:
        together = f"one {dev['by']}" if "by" in dev else "the same text"
        dev_source = (
            f"cut off train: {dev['fraction']:.0%}, stratified, seed {dev['seed']}, "
            f"rows of {together} kept together"
        )
    return TaskInfo(
        name=name,
        version=spec["version"],
        language=spec["language"],
        kind=spec["kind"],
        target_kind=spec.get("target_kind", spec["kind"]),
        label_names=labels,
        metric=_metric(spec["metric"], labels),
        secondary_metrics=tuple(_metric(m, labels) for m in spec["secondary"]),
        source=spec["source"],
        licence=spec["licence"],
        citation=spec["citation"],
        how_to_obtain=spec["how_to_obtain"],
        description=spec["description"],
        dev_source=dev_source,
        test_source=spec.get("test_source", "official"),
        splits=tuple(dict.fromkeys([*files, *(["dev"] if dev else [])])),
        rows=spec.get("rows") or {k: v["rows"] for k, v in facts.items()},
        sha256={k: v["sha256"] for k, v in facts.items()},
        reading={
            **{
                key: spec[key]
                for key in ("folder", "package", "groups", "where", "dev", "text_b")
                if key in spec
            },
            "files": files,
            "label": spec["label"],
            "id": spec.get("id", "id"),
        },
    )


@lru_cache(maxsize=1)
def _tasks() -> Registry[TaskInfo]:
    registry: Registry[TaskInfo] = Registry("task", '"tweetclf tasks"')
    facts = _read(PACKAGE_DATA / "checksums.json")
    for path in sorted((PACKAGE_DATA / "registry").glob("*.json")):
        family = _read(path)
        for name, spec in family["tasks"].items():
            merged = {**family["defaults"], **spec}
            registry.register(name, _info(name, merged, facts.get(name, {})))
    return registry


@lru_cache(maxsize=1)
def _corpora() -> Registry[CorpusInfo]:
    registry: Registry[CorpusInfo] = Registry("corpus", "list_corpora()")
    for name, spec in _read(PACKAGE_DATA / "corpora.json").items():
        registry.register(name, CorpusInfo(name=name, **spec))
    return registry


def list_tasks() -> list[TaskInfo]:
    """Return all registered tasks by name. No data are read.

    Examples
    --------
    >>> from tweetclf.tasks import list_tasks
    >>> [task.name for task in list_tasks() if task.name.startswith("haha-2019")]
    ['haha-2019', 'haha-2019-funniness']
    """
    registry = _tasks()
    return [registry.get(name) for name in registry]


def task_info(name: str) -> TaskInfo:
    """Return what is registered of the task called `name`.

    Parameters
    ----------
    name : str
        One of the names that `list_tasks` gives.

    Raises
    ------
    UnknownNameError
        If there is no such task; the message suggests near names.
    """
    return _tasks().get(name)


def list_corpora() -> list[CorpusInfo]:
    """Return all registered corpora without labels, by name."""
    registry = _corpora()
    return [registry.get(name) for name in registry]


def corpus_info(name: str) -> CorpusInfo:
    """Return what is registered of the corpus called `name`."""
    return _corpora().get(name)
