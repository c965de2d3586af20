"""Later passes of building a graph: number ids, drop repeats, filter, write.

Memory is bounded by a block of rows, the largest shard, and nine bytes a user or post
for the degrees; all else is on disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.social._ids import IdTable, IdWriter, read_array
from tweetclf.social._spool import EDGE, Spool

__all__ = [
    "COLUMNS",
    "FORMAT",
    "Limits",
    "blocks",
    "degree_filter",
    "number_edges",
    "number_ids",
    "write_graph",
]

COLUMNS = {
    "users": "<i4",
    "posts": "<i4",
    "types": "<u2",
    "weights": "<f4",
    "times": "<f8",
}
"""Column of the edges -> type of its file."""

FORMAT = 1
"""Of the folder of a graph."""

BLOCK = 1 << 20
_MOST_IDS = 2**31 - 1


@dataclass(frozen=True)
class Limits:
    """Least and largest degree that users and posts may have.

    Parameters
    ----------
    users, posts : tuple of (int, int or None)
        Least and largest number of edges.
    until_stable : bool
        Repeat until no one else falls out, not once.
    """

    users: tuple[int, int | None]
    posts: tuple[int, int | None]
    until_stable: bool

    @property
    def drop_nothing(self) -> bool:
        """Whether all pass: who is in the graph has at least one edge."""
        return all(low <= 1 and high is None for low, high in (self.users, self.posts))


def number_ids(spool: Spool, side: str, folder: Path) -> int:
    """Write the distinct ids of a side in the order of their hashes; return how many.

    Raises
    ------
    DataError
        If two ids have one hash, or there are too many.
    """
    n = 0
    with IdWriter(folder, side) as writer:
        for shard in range(spool.n_shards):
            for hashes, ids in _distinct_ids(spool, side, shard):
                writer.write(hashes, ids)
                n += len(ids)
    if n > _MOST_IDS:
        raise DataError(f"There are {n:,} {side}; at most {_MOST_IDS:,} are numbered.")
    return n


def _distinct_ids(
    spool: Spool, side: str, shard: int
) -> Iterator[tuple[np.ndarray, list[bytes]]]:
    """Yield the ids of a shard, if it has any, in the order of their hashes."""
    path = spool.path(f"{side}-hashes", shard)
    if not path.exists():
        return
    hashes = np.fromfile(path, dtype="<u8").reshape(-1, 2)
    lengths = np.fromfile(spool.path(f"{side}-lengths", shard), dtype="<u4")
    text = spool.path(f"{side}-text", shard).read_bytes()
    order = np.argsort(hashes[:, 0], kind="stable")
    hashes = hashes[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = hashes[1:, 0] != hashes[:-1, 0]
    if (hashes[1:, 1] != hashes[:-1, 1])[~new[1:]].any():
        raise DataError(
            f"Two of the {side} have the same 64-bit hash; build the graph with "
            "another salt, e.g. salt=1."
        )
    ends = np.cumsum(lengths, dtype=np.int64)[order[new]]
    begins = ends - lengths[order[new]]
    pairs = zip(begins.tolist(), ends.tolist(), strict=True)
    yield hashes[new, 0], [text[a:b] for a, b in pairs]


def number_edges(spool: Spool, folder: Path, repeats: str) -> int:
    """Write all edges, numbered, each once, ordered by user, post and action.

    Returns
    -------
    int
        How many there are.
    """
    order = {name: i for i, name in enumerate(sorted(spool.actions))}
    codes = np.array([order[name] for name in spool.actions], dtype=np.uint16)
    hashes = {s: read_array(folder / f"{s}.hashes", "<u8") for s in ("users", "posts")}
    n = 0
    files = {name: (folder / f"{name}.bin").open("wb") for name in COLUMNS}
    try:
        for shard in range(spool.n_shards):
            path = spool.path("edges", shard)
            if not path.exists():
                continue
            rows = np.fromfile(path, dtype=EDGE)
            edges = {
                "users": _rank(rows["user"], hashes["users"]),
                "posts": _rank(rows["post"], hashes["posts"]),
                "types": codes[rows["type"]],
                "weights": rows["weight"],
                "times": rows["time"],
            }
            edges = _distinct(edges, repeats)
            n += len(edges["users"])
            for name, file in files.items():
                file.write(edges[name].astype(COLUMNS[name]).tobytes())
    finally:
        for file in files.values():
            file.close()
    return n


def _rank(hashes: np.ndarray, table: np.ndarray) -> np.ndarray:
    # Sorted, so that the table, which may be larger than memory, is read in order.
    distinct, inverse = np.unique(hashes, return_inverse=True)
    return np.searchsorted(table, distinct)[inverse]


def _distinct(edges: dict[str, np.ndarray], repeats: str) -> dict[str, np.ndarray]:
    """Keep each edge once: the earliest time, and the largest or summed weight."""
    keys = ("users", "posts", "types")
    # The weights too: sums then do not depend on the order of the rows.
    order = np.lexsort([edges[name] for name in ("weights", *reversed(keys))])
    edges = {name: values[order] for name, values in edges.items()}
    new = np.ones(len(order), dtype=bool)
    new[1:] = np.logical_or.reduce([edges[k][1:] != edges[k][:-1] for k in keys])
    starts = np.flatnonzero(new)
    merge = np.add if repeats == "sum" else np.maximum
    return {
        **{name: edges[name][starts] for name in keys},
        "weights": merge.reduceat(edges["weights"].astype(np.float64), starts),
        # fmin: a time that is known is earlier than none.
        "times": np.fmin.reduceat(edges["times"], starts),
    }


def blocks(n: int) -> Iterator[slice]:
    """Yield the ranges that `n` rows are worked on in."""
    for start in range(0, n, BLOCK):
        yield slice(start, min(start + BLOCK, n))


def degree_filter(
    users: np.ndarray, posts: np.ndarray, n_users: int, n_posts: int, limits: Limits
) -> tuple[np.ndarray, np.ndarray, int]:
    """Tell which users and posts have a degree within the limits.

    Returns
    -------
    users, posts : ndarray of bool
        Who stays.
    rounds : int
        How often the degrees were counted.
    """
    alive = [np.ones(n_users, dtype=bool), np.ones(n_posts, dtype=bool)]
    rounds = 0
    while not limits.drop_nothing:
        degrees = [np.zeros(n_users, dtype=np.int64), np.zeros(n_posts, dtype=np.int64)]
        for part in blocks(len(users)):
            kept = alive[0][users[part]] & alive[1][posts[part]]
            for counts, ends in zip(degrees, (users[part], posts[part]), strict=True):
                np.add.at(counts, ends[kept], 1)
        rounds += 1
        before = sum(int(a.sum()) for a in alive)
        for side, (low, high) in enumerate((limits.users, limits.posts)):
            fits = degrees[side] >= low
            if high is not None:
                fits &= degrees[side] <= high
            alive[side] &= fits
        if not limits.until_stable or sum(int(a.sum()) for a in alive) == before:
            break
    return alive[0], alive[1], rounds


def write_graph(
    source: Mapping[str, np.ndarray],
    ids: tuple[IdTable, IdTable],
    folder: Path,
    *,
    alive: tuple[np.ndarray, np.ndarray],
    where: Callable[[slice], np.ndarray] | None,
    columns: list[str],
    manifest: Mapping[str, Any],
) -> int:
    """Write the edges between those who stay, with new numbers, and the manifest.

    Parameters
    ----------
    source : mapping of str to ndarray
        Columns of the edges.
    ids : tuple of IdTable
        Users and posts.
    folder : Path
        The folder of the new graph; it exists.
    alive : tuple of ndarray of bool
        Which users and posts stay.
    where : callable, optional
        A range of edges -> which of them are wanted.
    columns : list of str
        Which columns to write.
    manifest : mapping
        What the manifest says besides the counts.

    Returns
    -------
    int
        Edges written.
    """
    numbers = [np.cumsum(a, dtype=np.int64) - 1 for a in alive]
    degrees = [np.zeros(int(a.sum()), dtype="<i8") for a in alive]
    n_edges = 0
    files = {name: (folder / f"{name}.bin").open("wb") for name in columns}
    try:
        for part in blocks(len(source["users"])):
            block = {name: np.asarray(source[name][part]) for name in columns}
            kept = alive[0][block["users"]] & alive[1][block["posts"]]
            if where is not None:
                kept &= where(part)
            for side, name in enumerate(("users", "posts")):
                block[name] = numbers[side][block[name][kept]]
                np.add.at(degrees[side], block[name], 1)
            n_edges += int(kept.sum())
            for name, file in files.items():
                values = (
                    block[name] if name in ("users", "posts") else block[name][kept]
                )
                file.write(values.astype(COLUMNS[name]).tobytes())
    finally:
        for file in files.values():
            file.close()
    for side, name in enumerate(("users", "posts")):
        (folder / f"{name}.degrees").write_bytes(degrees[side].tobytes())
        with IdWriter(folder, name) as writer:
            _copy_ids(ids[side], alive[side], writer)
    counts = {
        "n_users": len(degrees[0]),
        "n_posts": len(degrees[1]),
        "n_edges": n_edges,
    }
    text = json.dumps({**manifest, **counts}, ensure_ascii=False, indent=1)
    (folder / "graph.json").write_text(text, "utf-8")
    return n_edges


def _copy_ids(table: IdTable, alive: np.ndarray, writer: IdWriter) -> None:
    for part in blocks(len(table)):
        chosen = np.flatnonzero(alive[part])
        names = table.bytes_of(part.start, part.stop)
        hashes = np.asarray(table.hashes[part])[chosen]
        writer.write(hashes, [names[i] for i in chosen.tolist()])
