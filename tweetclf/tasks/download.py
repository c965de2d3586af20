"""Download of public datasets, when the user asks for it."""

from __future__ import annotations

import gzip
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from tweetclf.exceptions import ChecksumError, DataError, UnknownNameError
from tweetclf.tasks.base import Split
from tweetclf.tasks.locations import PACKAGE_DATA, data_folder
from tweetclf.tasks.registry import TaskInfo, list_tasks, task_info
from tweetclf.tasks.rows import read_jsonl
from tweetclf.utils.files import atomic_path
from tweetclf.utils.progress import track
from tweetclf.utils.registry import suggest

__all__ = ["fetch"]

_PARTIAL = ".partial"
_TIMEOUT = 60.0


@dataclass(frozen=True)
class _Part:
    """One split of one folder: what is downloaded, and what it becomes."""

    info: TaskInfo
    folder: str
    split: str
    stem: str

    @property
    def upstream(self) -> str:
        """The benchmark's own folder: stance targets lie in one of their own."""
        return self.folder.replace("stance_", "stance/")

    @property
    def files(self) -> dict[str, str]:
        """Names of the benchmark's files."""
        return {
            "text": f"{self.upstream}/{self.stem}_text.txt",
            "labels": f"{self.upstream}/{self.stem}_labels.txt",
            "mapping": f"{self.upstream.split('/')[0]}/mapping.txt",
        }

    def target(self, root: Path) -> Path:
        """Return the file that `load_task` reads."""
        return root / "tweeteval" / self.folder / f"{self.stem}.jsonl.gz"


def fetch(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    base_url: str | None = None,
    progress: bool | None = None,
    retries: int = 3,
) -> Path:
    """Download a dataset into the data folder.

    Finished files are kept and not downloaded again; an interrupted call is taken up
    by calling again. Every file is checked by its sha256 and appears whole or not at
    all.

    Parameters
    ----------
    name : str
        "tweeteval", or one of its tasks.
    data_dir : path, optional
        Data folder; by default ``TWEETCLF_DATA``, else the user's cache folder.
    base_url : str, optional
        Another place that serves the same files (a mirror).
    progress : bool, optional
        Show a progress bar; by default if standard error is a terminal.
    retries : int, default=3
        How often a failed download is tried again.

    Returns
    -------
    Path
        The folder of the dataset.

    Raises
    ------
    UnknownNameError
        If there is no such task.
    DataError
        If the task cannot be downloaded, the network fails or the folder cannot be
        written; the message names the remedy.
    ChecksumError
        If a file is not the registered one.
    """
    parts = _parts(name)
    root = data_folder(data_dir)
    source = _source()
    try:
        missing = [part for part in parts if not _is_complete(part, root)]
        partial = root / "tweeteval" / _PARTIAL
        if missing:
            keeper = _keeper(
                partial, base_url or source["base_url"], source["files"], retries
            )
            with _quiet_pooch():
                for part in track(missing, f"Fetching {name}", enabled=progress):
                    for file in part.files.values():
                        _download(keeper, file)
                    _convert(part, partial, root)
        shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise DataError(
            f"{root} cannot be written: {error}. Name another folder with "
            "data_dir=..., --data-dir or the environment variable TWEETCLF_DATA."
        ) from error
    return root / "tweeteval"


def _source() -> dict[str, Any]:
    """Return the URL and the files of the benchmark, with their sha256."""
    path = PACKAGE_DATA / "tweeteval_files.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _info(name: str, at_hand: list[str]) -> TaskInfo:
    """Return a task; if there is none, say which downloads have such a name."""
    try:
        return task_info(name)
    except UnknownNameError as error:
        near = suggest(name, at_hand)
        if not near:
            raise
        raise UnknownNameError(
            f"Unknown dataset {name!r}. Did you mean {near[0]!r}?"
        ) from error


def _parts(name: str) -> list[_Part]:
    whole = [i for i in list_tasks() if i.name.startswith("tweeteval-")]
    if name == "tweeteval":
        infos = whole
    else:
        infos = [_info(name, ["tweeteval", *(i.name for i in whole)])]
        if not name.startswith("tweeteval-"):
            how = infos[0].how_to_obtain
            raise DataError(f"Task {name!r} has no download. {how}")
    found = {}
    for info in infos:
        for group, path in info.folders("").items():
            # The pooled stance task shares its folders with the single targets.
            owner = info if group is None else task_info(f"{info.name}-{group}")
            for split, entry in info.reading["files"].items():
                stem = entry["file"].removesuffix(".jsonl.gz")
                found[path.name, split] = _Part(owner, path.name, split, stem)
    return list(found.values())


def _keeper(
    partial: Path, base_url: str, registry: dict[str, str | None], retries: int
) -> Any:
    import pooch

    return pooch.create(
        path=partial,
        base_url=base_url if base_url.endswith("/") else base_url + "/",
        registry=registry,
        retry_if_failed=retries,
    )


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Silence pooch's own messages; ours name file and remedy."""
    import pooch

    # It is in no hierarchy: logging.getLogger("pooch") is another one.
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _download(keeper: Any, file: str) -> None:
    import pooch
    import requests

    downloader = pooch.HTTPDownloader(progressbar=False, timeout=_TIMEOUT)
    url = keeper.get_url(file)
    again = "Finished files are kept: run the same again to go on."
    try:
        keeper.fetch(file, downloader=downloader)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise DataError(
            f"{url} could not be downloaded: no connection to {urlsplit(url).netloc}, "
            "or it broke off. Check the network, or name a mirror with base_url=..., "
            f"--base-url. {again}"
        ) from error
    except requests.RequestException as error:
        raise DataError(f"{url} could not be downloaded: {error}. {again}") from error
    except ValueError as error:
        raise ChecksumError(
            f"{url} is not the registered file: expected sha256 "
            f"{keeper.registry[file]} ({error}). It was not kept. {again}"
        ) from error


def _is_complete(part: _Part, root: Path) -> bool:
    """Whether the target is there with the registered content."""
    target = part.target(root)
    if not target.is_file():
        return False
    try:
        rows = [row for _, row in read_jsonl(target)]
        return _is_registered(part, rows)
    except (DataError, KeyError):
        return False


def _is_registered(part: _Part, rows: list[dict[str, Any]]) -> bool:
    expected = part.info.sha256.get(part.split)
    if expected is None:
        return len(rows) == part.info.rows.get(part.split, len(rows))
    split = Split(
        name=part.split,
        texts=tuple(row["text"] for row in rows),
        labels=np.array([row["label_name"] for row in rows], dtype=np.str_),
        ids=tuple(row["id"] for row in rows),
    )
    return split.sha256 == expected


def _lines(path: Path) -> list[str]:
    # Texts may hold other Unicode line separators: the line feed alone ends a line.
    lines = path.read_bytes().decode("utf-8").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _convert(part: _Part, partial: Path, root: Path) -> None:
    """Join texts, labels and label names into one JSON Lines file."""
    raw = {what: partial / file for what, file in part.files.items()}
    names = {}
    for line in _lines(raw["mapping"]):
        if line.strip():
            # Emoji have three columns: number, emoji, short name.
            number, *rest = line.split()
            names[int(number)] = rest[-1]
    texts, labels = _lines(raw["text"]), _lines(raw["labels"])
    if len(texts) != len(labels):
        raise ChecksumError(
            f"{raw['text'].name} of {part.upstream} has {len(texts)} lines and "
            f"{raw['labels'].name} {len(labels)}. Remove {partial} and fetch again."
        )
    rows = [
        {
            "id": f"{part.folder}-{part.stem}-{i}",
            "text": text,
            "label": int(label),
            "label_name": names[int(label)],
            "split": part.stem,
        }
        for i, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    if not _is_registered(part, rows):
        raise ChecksumError(
            f"The {part.split} split of {part.info.name} is not the registered one "
            f"after conversion: {len(rows)} rows, registered "
            f"{part.info.rows.get(part.split)}. Remove {partial} and fetch again."
        )
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    with atomic_path(part.target(root)) as temporary:
        temporary.write_bytes(gzip.compress(content.encode("utf-8"), mtime=0))
    raw["text"].unlink()
    raw["labels"].unlink()
