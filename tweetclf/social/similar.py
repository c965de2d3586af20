"""Pairs of posts that the same people engage with: neighbours in the embedding."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.social._index import ExactIndex, FaissIndex, plan_index
from tweetclf.social._mining import (
    BLOCK,
    PAIR,
    Rules,
    find_neighbours,
    measure_recall,
    paired,
)
from tweetclf.social._mining_work import MiningWork, hash_texts, mining_work
from tweetclf.utils.files import atomic_directory, atomic_path
from tweetclf.utils.validation import check_texts

__all__ = ["SimilarPairs", "mine_similar_pairs"]

_FORMAT = 1
_BLOCK = 1 << 20
# Blocks of posts after which what is known is put on disk.
_BLOCKS_KEPT = 16


class SimilarPairs:
    """Directed pairs of posts, each with one of its nearest neighbours.

    Made by `mine_similar_pairs`; opened again by `open`.

    Parameters
    ----------
    folder : path
        Folder of ``pairs.json`` and ``pairs.bin``.

    Attributes
    ----------
    manifest : dict
        How the pairs were found: ``k``, ``index``, ``n_probes``, ``recall``, ...
    n_posts : int
        Number of vectors; `first` and `second` are rows of them.
    first, second : ndarray of int32
        A post and one of its neighbours, ordered by `first`, then from the nearest to
        the farthest.
    scores : ndarray of float32
        Cosine of their vectors.

    Notes
    -----
    ``pairs.bin`` is a row of records of 12 bytes: two little-endian 32-bit integers
    and a 32-bit float. ``pairs.json`` is written last.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        try:
            self.manifest = json.loads((self.folder / "pairs.json").read_text("utf-8"))
            known = self.manifest.get("format") == _FORMAT
        except (OSError, ValueError, AttributeError) as error:
            raise DataError(
                f"{folder} holds no similar pairs ({error}). Make them with "
                "mine_similar_pairs or tweetclf social pairs."
            ) from error
        path = self.folder / "pairs.bin"
        n = int(self.manifest.get("n_pairs", -1))
        if not known or not path.is_file() or path.stat().st_size != n * PAIR.itemsize:
            raise DataError(
                f"{folder} holds no similar pairs of format {_FORMAT}, or damaged "
                "ones; mine them anew."
            )
        self._pairs = (
            np.memmap(path, dtype=PAIR, mode="r") if n else np.empty(0, dtype=PAIR)
        )
        self.n_posts = int(self.manifest["n_posts"])
        self.first = self._pairs["first"]
        self.second = self._pairs["second"]
        self.scores = self._pairs["score"]

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> SimilarPairs:
        """Open pairs that `mine_similar_pairs` wrote.

        Parameters
        ----------
        folder : path
            Their folder.

        Raises
        ------
        DataError
            If there are none, or they are damaged.
        """
        return cls(folder)

    def __len__(self) -> int:
        return len(self._pairs)

    def __repr__(self) -> str:
        return (
            f"SimilarPairs({str(self.folder)!r}: {len(self):,} pairs of "
            f"{self.n_posts:,} posts)"
        )

    def unordered(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return each pair once, whoever found whom.

        Returns
        -------
        first, second : ndarray of int64
            Posts, ``first < second``, ascending.
        scores : ndarray of float32
            Their cosine.
        """
        low = np.minimum(self.first, self.second).astype(np.int64)
        high = np.maximum(self.first, self.second).astype(np.int64)
        keys, places = np.unique(low * self.n_posts + high, return_index=True)
        first, second = np.divmod(keys, self.n_posts)
        return first, second, np.asarray(self.scores[places])

    def to_tsv(self, path: str | os.PathLike[str], ids: Sequence[str]) -> None:
        """Write the pairs as a table with the columns first, second and score.

        Parameters
        ----------
        path : path
            File to write, whole or not at all.
        ids : sequence of str
            Id of each post, such as the ``post_ids`` of the graph.
        """
        if len(ids) != self.n_posts:
            raise DataError(
                f"to_tsv: there are {len(ids):,} ids for {self.n_posts:,} posts."
            )
        with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as f:
            f.write("first\tsecond\tscore\n")
            for start in range(0, len(self), _BLOCK):
                block = self._pairs[start : start + _BLOCK]
                ends = np.concatenate([block["first"], block["second"]])
                # Ids may lie on disk: each is looked up once.
                posts, places = np.unique(ends, return_inverse=True)
                names = [ids[post] for post in posts.tolist()]
                first, second = places.reshape(2, -1).tolist()
                for a, b, score in zip(
                    first, second, block["score"].tolist(), strict=True
                ):
                    f.write(f"{names[a]}\t{names[b]}\t{score:.6f}\n")


def mine_similar_pairs(
    vectors: np.ndarray,
    out: str | os.PathLike[str],
    *,
    k: int = 10,
    index: str = "auto",
    n_probes: int | None = None,
    exact_below: int = 20_000,
    exclude_self: bool = True,
    mutual: bool = False,
    min_similarity: float | None = None,
    texts: Sequence[str] | None = None,
    near_duplicates: float | None = 0.7,
    recall_sample: int = 1000,
    random_state: int = 0,
    report: Callable[[int, int], None] | None = None,
) -> SimilarPairs:
    """Find the k nearest neighbours of every post by the cosine of their vectors.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_posts, dim)
        Vectors of the posts, perhaps memory-mapped; of any length, but not nought.
    out : path
        Folder to write; it appears when it is whole.
    k : int, default=10
        Neighbours a post; all others, where there are not so many. The paper does not
        state its number.
    index : str, default="auto"
        A factory string of FAISS; "paper" for the paper's, OPQ64,IVF65536,PQ64 with
        2,000 probes, or what there are points enough for; "exact" to compare all with
        all; "auto" is "exact" up to `exact_below` posts and else "paper".
    n_probes : int, optional
        Lists of an IVF index to look into, at least 1. By default 2,000 of 65,536 for
        "paper", and the same share of fewer lists, but 16 at least; 16 for a factory
        string of yours.
    exact_below : int, default=20000
        See `index`.
    exclude_self : bool, default=True
        Whether a post is no neighbour of itself.
    mutual : bool, default=False
        Keep only pairs whose posts are neighbours of each other.
    min_similarity : float, optional
        Least cosine of a pair.
    texts : sequence of str, optional
        Text of each post, to leave out pairs that say the same.
    near_duplicates : float or None, default=0.7
        Jaccard similarity of the character 5-grams of two texts from which on they are
        no pair; None: all are.
    recall_sample : int, default=1000
        Posts whose neighbours are also sought exactly, to measure the recall of the
        index; 0: none.
    random_state : int, default=0
        Seed of the sample, and of what the index is trained on.
    report : callable, optional
        Called with how many posts are new, and how many there are.

    Returns
    -------
    SimilarPairs
        The pairs. ``manifest["recall"]`` is the share of the exact k nearest
        neighbours (itself left out) that the index finds among its k nearest; 1 for
        "exact".

    Raises
    ------
    DataError
        If a vector is not finite or nought, there are fewer than two, a text is no
        str, there is unfinished work of others, or another process mines into `out`.
    FileExistsError
        If `out` exists and is not an empty folder.
    ValueError
        If an option is out of range, or FAISS does not know the index.

    Notes
    -----
    A run that was stopped goes on where it was, to the same bytes, when it is called
    again with the same vectors and settings: the index and the neighbours found so far
    are in ``<out>.mining`` until the pairs are written. One process at a time has it,
    by ``<out>.mining.lock``.

    2 k + 1 neighbours are sought and, since codes only approximate, ordered by their
    true cosine; a post of which more than k + 1 are left out has fewer than k. Memory:
    the index, a block of queries, and 8 bytes times k a post on disk.

    References
    ----------
    Zhang et al., "TwHIN-BERT", KDD 2023, section 2.1.3.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from tweetclf.social import mine_similar_pairs
    >>> vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], dtype=np.float32)
    >>> pairs = mine_similar_pairs(vectors, tempfile.mkdtemp() + "/pairs", k=1)
    >>> list(zip(pairs.first.tolist(), pairs.second.tolist()))
    [(0, 1), (1, 0), (2, 3), (3, 2)]
    """
    if texts is not None:
        texts = check_texts(texts, caller="mine_similar_pairs")
    rules = Rules(k, exclude_self, min_similarity, texts, near_duplicates)
    _check(vectors, rules, recall_sample, n_probes)
    digest = _hash_vectors(vectors)
    factory, probes = _plan_index(vectors, index, n_probes, exact_below)
    settings = {
        "exclude_self": exclude_self,
        "min_similarity": min_similarity,
        "near_duplicates": None if texts is None else near_duplicates,
        "random_state": random_state,
    }
    told = {
        "vectors": digest,
        "texts": hash_texts(texts),
        "k": k,
        "index": [factory, probes],
        "recall_sample": recall_sample,
        **settings,
    }
    with mining_work(out, len(vectors), k, told) as work:
        chosen = _make_index(vectors, factory, probes, random_state, work)
        recall = _recall(vectors, chosen, k, recall_sample, random_state, work)
        _find_all(vectors, chosen, rules, work, report)
        manifest = {
            "format": _FORMAT,
            "n_posts": len(vectors),
            "k": k,
            "metric": "cosine",
            "index": chosen.name,
            "n_probes": chosen.n_probes,
            "recall": recall,
            "recall_sample": min(recall_sample, len(vectors)),
            "mutual": mutual,
            **settings,
        }
        with atomic_directory(out) as folder:
            _write_pairs(folder, work, mutual, manifest)
    return SimilarPairs(out)


def _find_all(
    vectors: np.ndarray,
    index: ExactIndex | FaissIndex,
    rules: Rules,
    work: MiningWork,
    report: Callable[[int, int], None] | None,
) -> None:
    """Find the neighbours that are not known yet, a block of posts at a time."""
    if report is not None and work.n_done:
        report(work.n_done, len(vectors))
    for number, start in enumerate(range(work.n_done, len(vectors), BLOCK), start=1):
        stop = min(start + BLOCK, len(vectors))
        work.put(stop, *find_neighbours(vectors, index, rules, start, stop))
        if number % _BLOCKS_KEPT == 0:
            work.keep()
        if report is not None:
            report(stop - start, len(vectors))


def _write_pairs(
    folder: Path, work: MiningWork, mutual: bool, manifest: dict[str, Any]
) -> None:
    """Write the pairs of all known neighbours, then what is to be said of them."""
    n_pairs = 0
    with (folder / "pairs.bin").open("wb") as file:
        for pairs in paired(work.places, work.scores, mutual):
            file.write(pairs.tobytes())
            n_pairs += len(pairs)
    text = json.dumps({**manifest, "n_pairs": n_pairs}, indent=1)
    (folder / "pairs.json").write_text(text, "utf-8")


def _check(
    vectors: Any, rules: Rules, recall_sample: int, n_probes: int | None
) -> None:
    """Refuse what cannot be mined, as far as one can tell without reading it."""
    shape: tuple[int, ...] = getattr(vectors, "shape", ())
    if len(shape) != 2 or shape[0] < 2 or shape[1] < 1:
        raise DataError(
            "mine_similar_pairs expected at least two vectors, an array of shape "
            f"(n_posts, dim). Got shape {shape}."
        )
    if rules.k < 1 or recall_sample < 0:
        raise ValueError(
            "mine_similar_pairs: k must be at least 1 and recall_sample at least 0. "
            f"Got {rules.k!r} and {recall_sample!r} instead."
        )
    if n_probes is not None and not (isinstance(n_probes, Integral) and n_probes >= 1):
        raise ValueError(
            "mine_similar_pairs: the 'n_probes' parameter must be an int of at least "
            f"1, or None. Got {n_probes!r} instead."
        )
    near = rules.near_duplicates
    if near is not None and not 0 < near <= 1:
        raise ValueError(
            "mine_similar_pairs: near_duplicates must be above 0, at most 1, or None. "
            f"Got {near!r} instead."
        )
    if rules.texts is not None and len(rules.texts) != shape[0]:
        raise DataError(
            f"mine_similar_pairs got {len(rules.texts):,} texts for {shape[0]:,} "
            "vectors."
        )


def _hash_vectors(vectors: np.ndarray) -> str:
    """Return a hash of the vectors; refuse those that have no cosine."""
    state = hashlib.sha256(f"{vectors.dtype} {vectors.shape}".encode())
    # A large table is on disk: it is read once, in rows.
    rows = max(1, _BLOCK // vectors.shape[1])
    for start in range(0, len(vectors), rows):
        block = np.ascontiguousarray(vectors[start : start + rows])
        bad = ~np.isfinite(block).all(axis=1)
        if bad.any():
            raise DataError(
                f"mine_similar_pairs: vector {start + int(bad.argmax())} is not finite."
            )
        with np.errstate(over="ignore", under="ignore"):
            # As they are scaled for the cosine.
            lengths = np.linalg.norm(block.astype(np.float32), axis=1)
        bad = ~((lengths > 0) & np.isfinite(lengths))
        if bad.any():
            row = int(bad.argmax())
            raise DataError(
                f"mine_similar_pairs: vector {start + row} has the length "
                f"{lengths[row]:g} in float32, and no cosine. Leave out posts whose "
                "vectors are nought, and scale those that are too small or too large."
            )
        state.update(block.data)
    return state.hexdigest()


def _plan_index(
    vectors: np.ndarray, index: str, n_probes: int | None, exact_below: int
) -> tuple[str, int]:
    """Return which index is meant, and how many of its lists are looked into."""
    if index == "exact" or (index == "auto" and len(vectors) <= exact_below):
        return "exact", 0
    if index in ("auto", "paper"):
        index, planned = plan_index(*vectors.shape)
        n_probes = planned if n_probes is None else n_probes
    return index, 16 if n_probes is None else n_probes


def _make_index(
    vectors: np.ndarray, factory: str, n_probes: int, seed: int, work: MiningWork
) -> ExactIndex | FaissIndex:
    if factory == "exact":
        return ExactIndex(vectors)
    return FaissIndex(vectors, factory, n_probes, seed, work.index)


def _recall(
    vectors: np.ndarray,
    index: ExactIndex | FaissIndex,
    k: int,
    n_sample: int,
    seed: int,
    work: MiningWork,
) -> float | None:
    """Measure the recall once, and remember it: it compares with all vectors."""
    known = work.remember("recall")
    if known is None:
        known = {"recall": measure_recall(vectors, index, k, n_sample, seed)}
        work.note("recall", known)
    recall: float | None = known["recall"]
    return recall
