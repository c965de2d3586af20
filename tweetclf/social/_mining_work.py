"""Unfinished mining on disk: what a run that was killed goes on with.

Layout, in a folder beside the pairs::

    settings.json   what is mined, from what
    index.faiss     the trained and filled index, if it is one of FAISS
    recall.json     what was measured of it
    places.i4       neighbours, a row a post
    scores.f4       their cosines
    done.json       how many rows are known: written after these are on disk

A process that works on it has ``<folder>.lock`` beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf._version import __version__
from tweetclf.exceptions import DataError
from tweetclf.utils.files import check_free, claim_folder, write_text_atomic
from tweetclf.utils.locks import exclusive_lock

__all__ = ["MiningWork", "hash_texts", "mining_work"]

_CALLER = "mine_similar_pairs"

_NAMES = ("places.i4", "scores.f4")
_TYPES = ("<i4", "<f4")


def hash_texts(texts: Sequence[str] | None) -> str | None:
    """Return a hash of texts and their order; None for none."""
    if texts is None:
        return None
    state = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


class MiningWork:
    """Rows of neighbours on disk, as far as they are known.

    Parameters
    ----------
    folder : Path
        Where they are.
    n_posts, k : int
        Rows and columns.
    """

    def __init__(self, folder: Path, n_posts: int, k: int) -> None:
        self.folder = folder
        self.index = folder / "index.faiss"
        self._done, self._kept = folder / "done.json", 0
        if self._done.is_file():
            self._kept = int(json.loads(self._done.read_text("utf-8"))["n_posts"])
        self.n_done = self._kept
        self.places, self.scores = (
            self._table(name, kind, (n_posts, k))
            for name, kind in zip(_NAMES, _TYPES, strict=True)
        )

    def _table(self, name: str, kind: str, shape: tuple[int, int]) -> np.memmap:
        path = self.folder / name
        size = 4 * shape[0] * shape[1]
        if not path.exists() or path.stat().st_size != size:
            self._kept = self.n_done = 0
            # First of all: else the next run would take empty rows for known ones.
            self._done.unlink(missing_ok=True)
            with path.open("wb") as file:
                file.truncate(size)
        return np.memmap(path, dtype=kind, mode="r+", shape=shape)

    def put(self, stop: int, places: np.ndarray, scores: np.ndarray) -> None:
        """Write the rows from the last known one to `stop`."""
        self.places[self.n_done : stop] = places
        self.scores[self.n_done : stop] = scores
        self.n_done = stop

    def keep(self) -> None:
        """Make the known rows outlast the process."""
        if self.n_done > self._kept:
            self.places.flush()
            self.scores.flush()
            write_text_atomic(self._done, json.dumps({"n_posts": self.n_done}))
            self._kept = self.n_done

    def remember(self, name: str) -> Any:
        """Return a state that `note` wrote; None if there is none."""
        path = self.folder / f"{name}.json"
        return json.loads(path.read_text("utf-8")) if path.is_file() else None

    def note(self, name: str, state: Any) -> None:
        """Keep a state of JSON's types."""
        write_text_atomic(self.folder / f"{name}.json", json.dumps(state))


@contextmanager
def mining_work(
    out: str | os.PathLike[str], n_posts: int, k: int, told: dict[str, Any]
) -> Iterator[MiningWork]:
    """Open the unfinished mining of `out`; remove it when all went well.

    What is known is kept when the mining is stopped, whatever stops it; nothing is, if
    nothing is known.

    Parameters
    ----------
    out : path
        Folder of the pairs; the work is in ``<out>.mining``.
    n_posts, k : int
        Posts and neighbours of each.
    told : dict
        All that determines the neighbours.

    Raises
    ------
    FileExistsError
        If `out` exists and is not an empty folder.
    DataError
        If there is unfinished work of something else, or another process works on it.
    """
    target = Path(out)
    place = target.with_name(f"{target.name}.mining")
    # Nothing is made beside a folder that is there.
    check_free(out)
    with exclusive_lock(place.with_name(f"{place.name}.lock"), _CALLER):
        # Who had the lock before may have written the pairs since.
        check_free(out)
        yield from _locked(place, n_posts, k, told)


def _locked(
    place: Path, n_posts: int, k: int, told: dict[str, Any]
) -> Iterator[MiningWork]:
    folder = claim_folder(place, {**told, "tweetclf": __version__})
    if folder is None:
        raise DataError(
            f"{_CALLER}: {place} holds unfinished work of other vectors or "
            "settings. Remove it, or choose another path."
        )
    work = MiningWork(folder, n_posts, k)
    try:
        yield work
    except BaseException:
        work.keep()
        if not work.n_done and not work.index.exists():
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
