"""First pass over engagement logs: hash the ids, deal rows to files by hash.

Every shard holds a range of hashes, so that shards read one after another are in the
order of hashes, and all rows of a user are in one shard.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.social._ids import digests
from tweetclf.social._reading import BadRows, Rows, read_rows
from tweetclf.utils.files import sha256_bytes, write_text_atomic

__all__ = ["EDGE", "Spool"]

EDGE = np.dtype(
    [
        ("user", "<u8"),
        ("post", "<u8"),
        ("type", "<u2"),
        ("weight", "<f4"),
        ("time", "<f8"),
    ]
)
_MOST_ACTIONS = 1_000
_SIDES = ("users", "posts")
# A packed file may hold so many times its size, and a row takes about so many bytes.
_PACKED, _ROW = 6, 40


class Spool:
    """Rows of all files, dealt to shards on disk; goes on where it was stopped.

    Parameters
    ----------
    folder : Path
        Working folder.
    files : sequence of Path
        The logs.
    options : mapping
        What else determines the result; another run with the same files and options
        takes over what this one has done.
    max_bad_rows : int or None
        See `BadRows`.
    block : int
        Rows that are held at a time.
    """

    def __init__(
        self,
        folder: Path,
        files: Sequence[Path],
        options: Mapping[str, Any],
        *,
        max_bad_rows: int | None,
        block: int,
    ) -> None:
        self.folder = folder
        self._files = files
        self._block = block
        self.bits = _bits(files, block)
        sizes = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
        said = json.dumps([sizes, dict(options), self.bits], sort_keys=True)
        self._key = sha256_bytes(said.encode())
        self._salt = int(options["salt"])
        self._columns = options["columns"]
        self._default_action = options["default_action"]
        self.bad = BadRows(max_bad_rows)
        self.actions: dict[str, int] = {}
        self.roles: set[str] = set()
        self.n_rows = 0
        self._done = 0

    @property
    def n_shards(self) -> int:
        """How many shards there are."""
        return 1 << self.bits

    @property
    def n_files_read(self) -> int:
        """How many files were read to their ends."""
        return self._done

    def path(self, kind: str, shard: int) -> Path:
        """Return the file of a shard."""
        return self.folder / f"{kind}-{shard:04d}"

    def fill(self, report: Callable[[str, int, int], None]) -> None:
        """Read all files that have not been read yet."""
        self._resume()
        total = sum(file.stat().st_size for file in self._files)
        for file in self._files[: self._done]:
            report("read", file.stat().st_size, total)
        for file in self._files[self._done :]:
            for rows, roles in read_rows(
                file,
                columns=self._columns,
                default_action=self._default_action,
                bad=self.bad,
                block=self._block,
            ):
                self.roles |= roles
                self._add(rows)
            self._done += 1
            self._remember()
            report("read", file.stat().st_size, total)

    def _add(self, rows: Rows) -> None:
        if not len(rows):
            return
        edges = np.empty(len(rows), dtype=EDGE)
        for side, ids in zip(_SIDES, (rows.users, rows.posts), strict=True):
            places: dict[str, int] = {}
            of_row = [places.setdefault(name, len(places)) for name in ids]
            names = [name.encode("utf-8") for name in places]
            hashes = digests(names, self._salt)
            edges[side.removesuffix("s")] = hashes[of_row, 0]
            self._deal_ids(side, hashes, names)
        codes = self.actions
        edges["type"] = [codes.setdefault(a, len(codes)) for a in rows.actions]
        if len(codes) > _MOST_ACTIONS:
            raise DataError(
                f"there are more than {_MOST_ACTIONS:,} different actions, such as "
                f"{', '.join(map(repr, list(codes)[:3]))}; is the column the right one?"
            )
        edges["weight"], edges["time"] = rows.weights, rows.times
        for shard, chosen in self._deal(edges["user"]):
            with self.path("edges", shard).open("ab") as file:
                file.write(edges[chosen].tobytes())
        self.n_rows += len(rows)

    def _deal(self, hashes: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """Return which rows go to which shard, in the order of the rows."""
        shards = self.shard_of(hashes)
        order = np.argsort(shards, kind="stable")
        found, starts = np.unique(shards[order], return_index=True)
        return list(zip(found.tolist(), np.split(order, starts[1:]), strict=True))

    def shard_of(self, hashes: np.ndarray) -> np.ndarray:
        """Return the shard of each hash."""
        # A shift by all 64 bits is undefined.
        return (hashes >> np.uint64(32)) >> np.uint64(32 - self.bits)

    def _deal_ids(self, side: str, hashes: np.ndarray, names: list[bytes]) -> None:
        lengths = np.fromiter(map(len, names), dtype="<u4", count=len(names))
        for shard, chosen in self._deal(hashes[:, 0]):
            parts = (
                hashes[chosen].astype("<u8").tobytes(),
                lengths[chosen].tobytes(),
                b"".join([names[i] for i in chosen.tolist()]),
            )
            for kind, data in zip(("hashes", "lengths", "text"), parts, strict=True):
                with self.path(f"{side}-{kind}", shard).open("ab") as file:
                    file.write(data)

    def _remember(self) -> None:
        sizes = {p.name: p.stat().st_size for p in self.folder.glob("*-[0-9]*")}
        state = {
            "key": self._key,
            "done": self._done,
            "n_rows": self.n_rows,
            "actions": list(self.actions),
            "roles": sorted(self.roles),
            "reasons": dict(self.bad.reasons),
            "examples": self.bad.examples,
            "sizes": sizes,
        }
        write_text_atomic(self.folder / "read.json", json.dumps(state))

    def _resume(self) -> None:
        """Take over what a stopped run has read; files after that are cut off."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            state = json.loads((self.folder / "read.json").read_text("utf-8"))
        except (OSError, ValueError):
            state = {}
        if state.get("key") != self._key:
            state = {}
        sizes = state.get("sizes", {})
        for path in self.folder.glob("*-[0-9]*"):
            if path.name not in sizes:
                path.unlink()
            elif path.stat().st_size != sizes[path.name]:
                with path.open("r+b") as file:
                    file.truncate(sizes[path.name])
        if not state:
            return
        self._done, self.n_rows = state["done"], state["n_rows"]
        self.actions = {name: i for i, name in enumerate(state["actions"])}
        self.roles = set(state["roles"])
        self.bad.reasons.update(state["reasons"])
        self.bad.examples = state["examples"]


def _bits(files: Sequence[Path], block: int) -> int:
    """Return of how many bits a shard's number has, so that one holds a few blocks."""
    size = sum(
        file.stat().st_size * (_PACKED if file.suffix in {".gz", ".parquet"} else 1)
        for file in files
    )
    shards = size / _ROW / (4 * block)
    return int(min(max(np.ceil(np.log2(max(shards, 1))), 0), 10))
