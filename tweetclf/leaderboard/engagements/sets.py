"""What is predicted for a language: its posts, its engagements, its users' vectors."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tweetclf._version import __version__
from tweetclf.exceptions import DataError
from tweetclf.social import TwHINEmbedding, pseudonym
from tweetclf.utils.locks import locked

if TYPE_CHECKING:
    from tweetclf.social import EngagementGraph, EngagementSet

__all__ = [
    "SPLITS",
    "LanguagePart",
    "UserVectors",
    "language_parts",
    "learn_user_vectors",
    "take_user_vectors",
]

SPLITS = ("train", "dev", "test")
# Of fewer posts none can be ranked among others.
_LEAST_POSTS = 2
# Pseudonyms are looked up so many at a time.
_BLOCK = 1 << 16


@dataclass(frozen=True, eq=False)
class UserVectors:
    """Vectors of the users of a set.

    Parameters
    ----------
    values : ndarray of float32 of shape (n_users, d)
        One row a user of the set; rows of users that are not known mean nothing.
    known : ndarray of bool of shape (n_users,)
        Who has a vector.
    source : str
        Where they are from, in words.
    n_seen : int, default=0
        Posts of dev and test whose engagements the vectors were learnt from.
    """

    values: NDArray[np.float32]
    known: NDArray[np.bool_]
    source: str
    n_seen: int = 0


@dataclass(frozen=True, eq=False)
class LanguagePart:
    """The engagements of a language, in numbers of its own.

    Parameters
    ----------
    language : str
        Code of the language.
    texts : tuple of str
        Its posts.
    user_vectors : ndarray of float32 of shape (n_users, d)
        Of the users who engage with them.
    records : dict of str to ndarray of int64 of shape (n, 2)
        User and post of each engagement of "train", "dev" and "test".
    sizes : dict of str to int
        Posts and engagements of each split, users, and engagements left out because
        their user has no vector.
    digest : str
        Hash of all of it.
    pool : ndarray of int64, optional
        Posts of the test split, which candidates are drawn from: those too that no user
        with a vector engages with. By default those of the test engagements.
    """

    language: str
    texts: tuple[str, ...]
    user_vectors: NDArray[np.float32]
    records: dict[str, NDArray[np.int64]]
    sizes: dict[str, int]
    digest: str
    pool: NDArray[np.int64] | None = None

    # What systems are asked for: see System.arguments.
    kind = "engagement"


def learn_user_vectors(
    found: EngagementSet,
    *,
    dim: int = 256,
    max_iter: int = 10,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = None,
) -> UserVectors:
    """Embed the users of a set by what they engage with in training.

    Nothing of dev and test is seen; users who engage there alone have no vector.

    Parameters
    ----------
    found : EngagementSet
        The set.
    dim, max_iter : int
        As in `TwHINEmbedding`; the defaults are the paper's.
    seed : int, default=0
        Seed of the embedding.
    folder : path, optional
        Where embeddings are kept, by a hash of what determines them: one that is there
        is opened, and one that was stopped goes on.

    Returns
    -------
    UserVectors
        Of all users of the set.
    """
    _check_splits(found)
    train = found.records["train"]
    if not len(train):
        raise DataError("learn_user_vectors: the set has no engagement to train on.")
    n_users = len(found.users)
    known = np.zeros(n_users, dtype=bool)
    known[train[:, 0]] = True
    model = TwHINEmbedding(dim=dim, max_iter=max_iter, random_state=seed)
    sizes = {"n_users": n_users, "n_posts": len(found.posts)}
    if folder is None:
        model.fit(train, **sizes)
    else:
        model = _kept_embedding(model, train, sizes, Path(folder))
    values = np.asarray(model.user_vectors_, dtype=np.float32)
    source = (
        f"learnt from the {len(train):,} training engagements of the set (TwHIN, {dim} "
        f"dimensions, {max_iter} epochs)"
    )
    return UserVectors(values, known, source)


def _kept_embedding(
    model: TwHINEmbedding, train: NDArray[np.int64], sizes: dict[str, int], folder: Path
) -> TwHINEmbedding:
    """Open the embedding of these engagements, or make and keep it."""
    told = json.dumps([model.get_params(), sizes, __version__], sort_keys=True)
    state = hashlib.sha256(told.encode())
    state.update(np.ascontiguousarray(train).data)
    place = folder / state.hexdigest()[:16]
    # Of several processes one embeds, the others wait for it.
    with locked(place.with_name(f"{place.name}.lock")):
        if not place.exists():
            checkpoint = place.with_name(f"{place.name}.training")
            model.fit(train, **sizes, checkpoint=checkpoint)
            model.save(place)
            shutil.rmtree(checkpoint, ignore_errors=True)
    return TwHINEmbedding.load(place)


def take_user_vectors(
    found: EngagementSet,
    embedding: TwHINEmbedding,
    graph: EngagementGraph,
    salt: bytes,
) -> UserVectors:
    """Take the vectors that users have in an embedding of a graph.

    Parameters
    ----------
    found : EngagementSet
        A set that was built of the graph with a secret of one's own.
    embedding : TwHINEmbedding
        Of the graph, best without the posts of dev and test.
    graph : EngagementGraph
        What was embedded; it knows the ids of the users.
    salt : bytes
        The secret behind the pseudonyms.

    Returns
    -------
    UserVectors
        Its `n_seen` says whether the graph holds posts of dev and test.

    Raises
    ------
    DataError
        If the embedding is of another graph, or the pseudonyms are of another secret.
    """
    _check_splits(found)
    vectors = embedding.user_vectors_
    if len(vectors) != graph.n_users:
        raise DataError(
            f"the embedding is of {len(vectors):,} users and the graph has "
            f"{graph.n_users:,}; give the graph that was embedded."
        )
    place = {user: i for i, user in enumerate(found.users)}
    values = np.zeros((len(place), vectors.shape[1]), dtype=np.float32)
    known = np.zeros(len(place), dtype=bool)
    for start in range(0, graph.n_users, _BLOCK):
        stop = min(start + _BLOCK, graph.n_users)
        names = (pseudonym(graph.user_ids[i], salt) for i in range(start, stop))
        for row, name in enumerate(names, start):
            at = place.get(name)
            if at is not None:
                values[at], known[at] = vectors[row], True
    if not known.any():
        raise DataError(
            "no user of the set is a user of the graph; its pseudonyms were made with "
            "another secret."
        )
    held_out = np.concatenate([found.records[name][:, 1] for name in ("dev", "test")])
    in_graph = graph.post_ids.find(
        [found.posts[i] for i in np.unique(held_out).tolist()]
    )
    n_seen = int((in_graph >= 0).sum())
    source = f"of an embedding of a graph with {graph.n_edges:,} edges"
    return UserVectors(values, known, source, n_seen)


def _check_splits(found: EngagementSet) -> None:
    missing = [name for name in SPLITS if name not in found.records]
    if missing:
        raise DataError(
            f"the set has no split {missing[0]!r}; train, dev and test are needed, and "
            f"it has {', '.join(found.records)}."
        )


def language_parts(
    found: EngagementSet, users: UserVectors, *, languages: Iterable[str] | None = None
) -> tuple[list[LanguagePart], list[tuple[str, str]]]:
    """Cut a set by the language of the posts.

    Parameters
    ----------
    found : EngagementSet
        The set.
    users : UserVectors
        Of its users.
    languages : iterable of str, optional
        Only these, in this order; by default all, in order of their codes.

    Returns
    -------
    parts : list of LanguagePart
        What can be evaluated.
    left_out : list of (str, str)
        Languages that cannot be, with the reason.
    """
    _check_splits(found)
    codes = np.array(found.languages)
    wanted = sorted(set(found.languages)) if languages is None else list(languages)
    parts, left_out = [], []
    for code in wanted:
        posts = np.flatnonzero(codes == code)
        if not len(posts):
            left_out.append((code, "the set has no post of this language"))
            continue
        made = _part(found, users, code, posts)
        reason = _obstacle(made)
        if reason:
            left_out.append((code, reason))
        else:
            parts.append(made)
    return parts, left_out


def _part(
    found: EngagementSet, users: UserVectors, code: str, posts: NDArray[np.intp]
) -> LanguagePart:
    """Give the posts of a language, and its users with a vector, numbers from 0."""
    number = np.full(len(found.posts), -1)
    number[posts] = np.arange(len(posts))
    chosen, n_left_out = {}, 0
    for name in SPLITS:
        rows = found.records[name]
        rows = rows[number[rows[:, 1]] >= 0]
        if name == "test":
            pool = np.unique(number[rows[:, 1]]).astype(np.int64)
        there = users.known[rows[:, 0]]
        n_left_out += int((~there).sum())
        chosen[name] = rows[there]
    own = np.unique(np.concatenate([rows[:, 0] for rows in chosen.values()]))
    place = np.full(len(found.users), -1)
    place[own] = np.arange(len(own))
    records = {
        name: np.column_stack([place[rows[:, 0]], number[rows[:, 1]]]).astype(np.int64)
        for name, rows in chosen.items()
    }
    sizes = {"users": len(own), "left_out": n_left_out}
    for name, rows in records.items():
        sizes[f"{name}_posts"] = len(np.unique(rows[:, 1]))
        sizes[f"{name}_records"] = len(rows)
    texts = tuple(found.texts[i] for i in posts.tolist())
    vectors = users.values[own]
    digest = _digest(code, texts, vectors, records, pool)
    return LanguagePart(code, texts, vectors, records, sizes, digest, pool)


def _digest(
    code: str,
    texts: tuple[str, ...],
    vectors: NDArray[np.float32],
    records: dict[str, NDArray[np.int64]],
    pool: NDArray[np.int64],
) -> str:
    state = hashlib.sha256(json.dumps([code, *texts]).encode())
    arrays: list[NDArray[Any]] = [vectors, *(records[name] for name in SPLITS), pool]
    for array in arrays:
        state.update(f"{array.dtype}{array.shape}".encode())
        state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()


def _obstacle(part: LanguagePart) -> str | None:
    """Return why a language cannot be evaluated, or None."""
    if not part.sizes["train_records"]:
        return "no engagement to train on is of a user with a vector"
    for name in ("dev", "test"):
        n = part.sizes[f"{name}_posts"]
        if n < _LEAST_POSTS:
            return (
                f"{n} of its {name} posts are engaged with by users with a vector, and "
                "a post is ranked among others"
            )
    return None
