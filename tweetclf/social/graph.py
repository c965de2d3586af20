"""Who engaged with which post: a bipartite graph on disk, of any size."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.social._build import COLUMNS, FORMAT, Limits, blocks, write_graph
from tweetclf.social._building import build_graph, check_build
from tweetclf.social._ids import IdTable, digests, read_array
from tweetclf.social.edges import Edges
from tweetclf.social.statistics import GraphStatistics, graph_statistics
from tweetclf.tasks.grams import mix
from tweetclf.utils.files import atomic_directory, check_free

__all__ = ["EngagementGraph"]

_SPLIT_BY = ("edge", "pair", "user", "post")

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
Report = Callable[[str, int, int], None]


def _silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""


class EngagementGraph:
    """Users, posts, and who engaged with what, how and when; memory-mapped.

    Make one by `build`, open it again by `open`.

    Parameters
    ----------
    folder : path
        Folder that `build` wrote.

    Attributes
    ----------
    folder : Path
        Where it is.
    manifest : dict
        What the folder says about itself: counts, sources, bad rows, filters.
    n_users, n_posts, n_edges : int
        Counts.
    actions : tuple of str
        Names of the kinds of edges, in order; `types` holds their positions.
    users, posts : ndarray of int32, shape (n_edges,)
        Ends of the edges, which are in order of user, post and action.
    types : ndarray of uint16, shape (n_edges,)
        Kind of each edge.
    weights : ndarray of float32 or None
        Weight of each edge.
    times : ndarray of float64 or None
        Seconds since 1970 of each edge; NaN where it is not known.
    user_degrees, post_degrees : ndarray of int64
        Number of edges of each user and post.
    user_ids, post_ids : IdTable
        Number -> id, and back by ``find``.

    Notes
    -----
    Ids are numbered by the order of a 64-bit hash (BLAKE2b), so the graph, byte for
    byte, does not depend on the order of files and rows. Two ids of one hash are found
    out when the graph is built, which fails then; among 10^8 ids the chance of it is
    0.03 %, and another `salt` helps.

    The paper behind it (Zhang et al. 2023, section 2.1.1) had 200 million users, a
    thousand million posts and the actions Fave, Reply and Retweet.

    References
    ----------
    X. Zhang et al., "TwHIN-BERT: A Socially-Enriched Pre-trained Language Model for
    Multilingual Tweet Representations at Twitter", KDD 2023 (arXiv 2209.07562).

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tweetclf.social import EngagementGraph
    >>> folder = Path(tempfile.mkdtemp())
    >>> log = folder / "log.csv"
    >>> rows = ["user,post,action", "ana,p1,like", "bea,p1,reply"]
    >>> _ = log.write_text(chr(10).join(rows))
    >>> graph = EngagementGraph.build(log, folder / "graph")
    >>> graph.n_users, graph.n_posts, graph.n_edges, graph.actions
    (2, 1, 2, ('like', 'reply'))
    >>> sorted(graph.user_ids)
    ['ana', 'bea']
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.manifest = _read_manifest(self.folder)
        self.n_users = int(self.manifest["n_users"])
        self.n_posts = int(self.manifest["n_posts"])
        self.n_edges = int(self.manifest["n_edges"])
        self.actions = tuple(self.manifest["actions"])
        salt = int(self.manifest["salt"])
        self.users = self._column("users")
        self.posts = self._column("posts")
        self.types = self._column("types")
        self.weights = self._column("weights") if self.has_weights else None
        self.times = self._column("times") if self.has_times else None
        self.user_degrees = read_array(self.folder / "users.degrees", "<i8")
        self.post_degrees = read_array(self.folder / "posts.degrees", "<i8")
        self.user_ids = IdTable(self.folder, "users", salt)
        self.post_ids = IdTable(self.folder, "posts", salt)

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> EngagementGraph:
        """Open a graph that `build` or `subgraph` wrote.

        Parameters
        ----------
        folder : path
            Its folder.

        Raises
        ------
        DataError
            If it is no graph, or damaged.
        """
        return cls(folder)

    @classmethod
    def build(
        cls,
        files: Paths,
        out: str | os.PathLike[str],
        *,
        columns: Mapping[str, str | int | None] | None = None,
        default_action: str = "engage",
        min_user_degree: int = 1,
        max_user_degree: int | None = None,
        min_post_degree: int = 1,
        max_post_degree: int | None = None,
        until_stable: bool = True,
        repeats: str = "max",
        max_bad_rows: int | None = 1000,
        block: int = 1 << 18,
        salt: int = 0,
        report: Report | None = None,
    ) -> EngagementGraph:
        """Read engagement logs of any size and write their graph.

        Parameters
        ----------
        files : path or iterable of paths
            CSV, TSV, JSON Lines (all also ``.gz``) or Parquet, a row an engagement. In
            a table a field may be quoted, but holds no line end.
        out : path
            Folder to write; it appears when it is whole.
        columns : mapping of str to str, int or None, optional
            "user", "post", "action", "weight", "time" -> name of the column, or
            position from 0 where the files have no header, or None to pass by an
            action, a weight or a time that there is. By default columns are found by
            their usual names (user_id, tweet_id, created_at, ...). In JSON Lines each
            row is looked up for itself.
        default_action : str, default="engage"
            Action of rows without such a column.
        min_user_degree, min_post_degree : int, default=1
            Fewest edges of a user and of a post that stay.
        max_user_degree, max_post_degree : int, optional
            Most edges of a user and of a post that stay.
        until_stable : bool, default=True
            Filter again until no one falls out any more, since those who stay lose
            edges; False: once, by the degrees of the whole graph.
        repeats : {"max", "sum"}, default="max"
            Weight of an edge that occurs in several rows. Its time is the earliest.
        max_bad_rows : int or None, default=1000
            Rows without user, post or readable fields are counted and left out, up to
            this many; None: any number. An empty time is no fault: it is not known.
            Times are seconds since 1970, ISO 8601, or as Twitter writes them.
        block : int, default=262144
            Rows held at a time; with less memory, lower it.
        salt : int, default=0
            Salt of the hashes that number ids, if two ids should have the same one.
        report : callable, optional
            Called with stage, what is new of it, and the total.

        Returns
        -------
        EngagementGraph
            The graph.

        Raises
        ------
        DataError
            If a file cannot be read, too many rows are bad, or nothing is left.
        FileExistsError
            If `out` is there and not empty.

        Notes
        -----
        Work files, about 30 bytes a row and each id once a block, lie beside `out`
        until it is whole. A run that was stopped goes on behind the last file that it
        had read to the end.
        """
        limits = Limits(
            (min_user_degree, max_user_degree),
            (min_post_degree, max_post_degree),
            until_stable,
        )
        paths = check_build(files, columns, limits, repeats, max_bad_rows, block)
        target, said = Path(out), report or _silent
        check_free(target)
        build_graph(
            paths,
            target,
            columns=columns,
            default_action=default_action,
            limits=limits,
            repeats=repeats,
            max_bad_rows=max_bad_rows,
            block=block,
            salt=salt,
            report=said,
        )
        return cls(target)

    @property
    def has_weights(self) -> bool:
        """Whether edges have weights."""
        return bool(self.manifest["weights"])

    @property
    def has_times(self) -> bool:
        """Whether edges have times."""
        return bool(self.manifest["times"])

    def __len__(self) -> int:
        return self.n_edges

    def __repr__(self) -> str:
        return (
            f"EngagementGraph({str(self.folder)!r}: {self.n_users:,} users, "
            f"{self.n_posts:,} posts, {self.n_edges:,} edges)"
        )

    def _column(self, name: str) -> np.ndarray:
        try:
            array = read_array(self.folder / f"{name}.bin", COLUMNS[name])
        except (OSError, ValueError) as error:
            raise DataError(f"{self.folder} is damaged: {error}") from error
        if len(array) != self.n_edges:
            raise DataError(
                f"{self.folder / name}.bin holds {len(array):,} values; there must be "
                f"{self.n_edges:,}. Build the graph anew."
            )
        return array

    def edges(self, where: Any = None) -> Edges:
        """Return edges as arrays.

        Parameters
        ----------
        where : slice, mask or positions, optional
            Which ones; by default all, memory-mapped.
        """
        edges = Edges(self.users, self.posts, self.types, self.weights, self.times)
        return edges if where is None else edges.take(where)

    def blocks(self) -> Iterator[slice]:
        """Yield the ranges of edges that fit into memory, in order."""
        return blocks(self.n_edges)

    def assign_splits(
        self,
        valid: float = 0.05,
        test: float = 0.05,
        *,
        by: str = "edge",
        seed: int = 0,
    ) -> np.ndarray:
        """Assign every edge to training, validation or test.

        Parameters
        ----------
        valid, test : float, default=0.05
            Expected shares.
        by : {"edge", "pair", "user", "post"}, default="edge"
            What stays together: with "post", all edges of a post are in one split, with
            "pair" all actions of a user on a post. With "edge" who likes and retweets a
            post may be in training by the one, and in test by the other.
        seed : int, default=0
            Another seed, another split.

        Returns
        -------
        ndarray of uint8, shape (n_edges,)
            0 for training, 1 for validation, 2 for test.

        Notes
        -----
        The split is a hash of the ids: an edge keeps its split when the graph grows or
        is filtered. Shares are met on average only.
        """
        if by not in _SPLIT_BY or not (valid >= 0 and test >= 0 and valid + test < 1):
            raise ValueError(
                f"assign_splits: by must be one of {', '.join(_SPLIT_BY)}, and valid "
                "and test shares that leave something to train on. Got "
                f"{by!r}, {valid!r} and {test!r} instead."
            )
        start = digests([f"split {seed}".encode()])[0, :1]
        types = digests([action.encode() for action in self.actions])[:, 0]
        splits = np.empty(self.n_edges, dtype=np.uint8)
        for part in self.blocks():
            key = np.repeat(start, part.stop - part.start)
            if by != "post":
                key = mix(key ^ self.user_ids.hashes[self.users[part]])
            if by != "user":
                key = mix(key ^ self.post_ids.hashes[self.posts[part]])
            if by == "edge":
                key = mix(key ^ types[self.types[part]])
            # mix may leave the upper bits of a sum poor; once more is cheap.
            place = (mix(key) >> np.uint64(11)) * 2.0**-53
            splits[part] = np.where(
                place < valid, 1, np.where(place < valid + test, 2, 0)
            )
        return splits

    def subgraph(
        self, out: str | os.PathLike[str], where: Any, *, keep_all: bool = False
    ) -> EngagementGraph:
        """Write the graph of some of the edges.

        Parameters
        ----------
        out : path
            Folder to write.
        where : mask or positions
            Which edges.
        keep_all : bool, default=False
            Keep users and posts that lose all their edges, so that everything keeps
            its number.

        Returns
        -------
        EngagementGraph
            The new graph.
        """
        mask = np.zeros(self.n_edges, dtype=bool)
        mask[where] = True
        if not mask.any():
            raise DataError("subgraph: no edge is chosen.")
        alive = []
        for ends, n in ((self.users, self.n_users), (self.posts, self.n_posts)):
            keeps = np.full(n, keep_all)
            for part in self.blocks():
                keeps[ends[part][mask[part]]] = True
            alive.append(keeps)
        source = {n: getattr(self, n) for n in COLUMNS if getattr(self, n) is not None}
        kept = {k: v for k, v in self.manifest.items() if not k.startswith("n_")}
        with atomic_directory(out) as folder:
            write_graph(
                source,
                (self.user_ids, self.post_ids),
                folder,
                alive=(alive[0], alive[1]),
                where=lambda part: mask[part],
                columns=list(source),
                manifest={**kept, "subgraph_of_edges": self.n_edges},
            )
        return type(self)(out)

    def statistics(self) -> GraphStatistics:
        """Return counts, degree distributions and their power laws."""
        return graph_statistics(self)


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / "graph.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder} is no engagement graph ({error}). Make one with "
            "EngagementGraph.build or tweetclf social graph."
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise DataError(
            f"{folder} is no engagement graph of format {FORMAT}; build it anew."
        )
    return manifest
