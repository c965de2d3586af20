"""Sources of a configuration: what they hold, and training splits written as files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tweetclf.pretraining.corpus._reading import locate
from tweetclf.pretraining.corpus.plan import CorpusPlan, CorpusSource
from tweetclf.pretraining.pretraining_config import CorpusSettings
from tweetclf.tasks.corpora import TASK_PREFIX
from tweetclf.tasks.loading import load_task
from tweetclf.utils.files import atomic_path, sha256_file

__all__ = ["fingerprint", "materialise"]

DataDir = str | os.PathLike[str] | None


def _task_rows(source: CorpusSource, data_dir: DataDir) -> Iterator[dict[str, str]]:
    """Yield the training texts of a task; never those of its test."""
    task = load_task(source.path.removeprefix(TASK_PREFIX), data_dir=data_dir)
    for text in task.train.texts:
        texts = (text,) if isinstance(text, str) else tuple(text)
        row = dict(zip(("text", "text_b"), texts, strict=False))
        # The first post of a thread answers nothing.
        if all(row.values()):
            yield {**row, "language": task.language}


def _line(row: dict[str, str]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def fingerprint(settings: CorpusSettings, data_dir: DataDir) -> dict[str, Any]:
    """Return what determines a corpus: its plan, and hashes of what is read."""
    if settings.plan is None:
        return {"ready": sha256_file(Path(str(settings.ready), "card.json"))}
    hashes = []
    for source in settings.plan.sources:
        if source.path.startswith(TASK_PREFIX):
            digest = hashlib.sha256()
            for row in _task_rows(source, data_dir):
                digest.update(_line(row).encode())
            hashes.append(digest.hexdigest())
        else:
            hashes.append(sha256_file(locate(source, data_dir).path))
    plan = settings.plan.to_dict()
    # The same texts elsewhere are the same corpus.
    for source in plan["sources"]:
        source["path"] = Path(source["path"]).name
    return {"plan": plan, "sha256": hashes}


def materialise(plan: CorpusPlan, folder: Path, data_dir: DataDir) -> CorpusPlan:
    """Write the training splits of tasks as files, and return the plan that reads them.

    Parameters
    ----------
    plan : CorpusPlan
        Whose sources may be ``"task:NAME"``.
    folder : Path
        Where the files go.
    data_dir : path, optional
        Folder of the registered tasks.
    """
    sources = []
    for source in plan.sources:
        if source.path.startswith(TASK_PREFIX):
            path = folder / f"{source.path.removeprefix(TASK_PREFIX)}.jsonl"
            rows = list(_task_rows(source, data_dir))
            with atomic_path(path) as temporary:
                text = "".join(map(_line, rows))
                temporary.write_text(text, "utf-8", newline="\n")
            are_pairs = bool(rows) and "text_b" in rows[0]
            source = replace(
                source,
                path=str(path),
                text=source.text or "text",
                reply=source.reply or ("text_b" if are_pairs else None),
                language="language",
            )
        sources.append(source)
    return replace(plan, sources=tuple(sources))
