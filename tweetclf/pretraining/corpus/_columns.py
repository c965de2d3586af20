"""Numbers of documents, a few bytes each, by which the whole corpus is looked at."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.pretraining.corpus._filters import Document
from tweetclf.pretraining.corpus.plan import CorpusPlan
from tweetclf.tasks.duplicates import normalise
from tweetclf.tasks.grams import mix

__all__ = [
    "Columns",
    "copies",
    "measure",
    "over_cap",
    "repeated",
    "split_codes",
    "uniform",
]


@dataclass(frozen=True, eq=False)
class Columns:
    """What must be known of all documents at once: 28 bytes of each.

    Parameters
    ----------
    keys : ndarray of uint64
        Hashes of the texts as the plan's `duplicates` compares them.
    groups : ndarray of uint64
        Hashes of what decides on the split.
    authors : ndarray of uint64
        Hashes of the authors; 0 where none is known.
    languages : ndarray of uint16
        Positions in `tags`.
    tags : tuple of str
        Languages; "und" where none is known.
    """

    keys: NDArray[np.uint64]
    groups: NDArray[np.uint64]
    authors: NDArray[np.uint64]
    languages: NDArray[np.uint32]
    tags: tuple[str, ...]


def _hash(text: str) -> int:
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _key(texts: Iterable[str], normalised: bool) -> int:
    stripped = [text.strip() for text in texts]
    if normalised:
        stripped = [normalise(text) or text for text in stripped]
    return _hash("\x1f".join(stripped))


def measure(documents: Iterable[Document], plan: CorpusPlan) -> Columns:
    """Go through documents once and note what must be known of all.

    Parameters
    ----------
    documents : iterable of Document
        The documents.
    plan : CorpusPlan
        The plan.
    """
    keys, groups, authors = (array("Q") for _ in range(3))
    languages = array("I")
    tags: dict[str, int] = {}
    normalised = plan.duplicates == "normalised"
    for document in documents:
        keys.append(_key(document.texts, normalised))
        # All replies to one tweet, whatever its case and URLs, are in one split.
        group = document.conversation
        groups.append(
            _key(document.texts[:1], True) if group is None else _hash(f"\x1e{group}")
        )
        author = document.author
        authors.append(0 if author is None else _hash(author) | 1)
        languages.append(tags.setdefault(document.language or "und", len(tags)))
    return Columns(
        np.frombuffer(keys, dtype=np.uint64),
        np.frombuffer(groups, dtype=np.uint64),
        np.frombuffer(authors, dtype=np.uint64),
        np.frombuffer(languages, dtype=np.uint32),
        tuple(tags),
    )


def uniform(keys: NDArray[np.uint64], seed: int, purpose: str) -> NDArray[np.float64]:
    """Return a number from 0 to below 1 for each key: drawn from key and seed alone."""
    salt = np.uint64(_hash(f"{purpose}\x1f{seed}"))
    return (mix(mix(keys ^ salt)) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def repeated(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which keys were there before."""
    result = np.zeros(len(keys), dtype=bool)
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    result[order[1:][ranked[1:] == ranked[:-1]]] = True
    return result


def over_cap(
    authors: NDArray[np.uint64], keys: NDArray[np.uint64], most: int, seed: int
) -> NDArray[np.bool_]:
    """Return which documents are beyond the most that an author may have.

    The hashes of the texts choose, so that the order of the rows does not matter.
    """
    order = np.lexsort((uniform(keys, seed, "authors"), authors))
    ranked = authors[order]
    starts = np.searchsorted(ranked, ranked, side="left")
    result = np.zeros(len(authors), dtype=bool)
    result[order] = (np.arange(len(authors)) - starts >= most) & (ranked != 0)
    return result


def split_codes(columns: Columns, plan: CorpusPlan) -> NDArray[np.uint8]:
    """Return the position of each document's split in the plan.

    A document's split hangs on its own text (or conversation) and the seed: whatever
    is added, left out or put into another order, it stays.
    """
    bounds = np.cumsum(list(plan.splits.values()))[:-1]
    draws = uniform(columns.groups, plan.seed, "splits")
    return np.searchsorted(bounds, draws, side="right").astype(np.uint8)


def copies(
    columns: Columns, kept: NDArray[np.bool_], plan: CorpusPlan
) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Return how often each document is written, by the frequency of its language.

    A language of n documents gets a share in proportion to n**exponent; the whole
    stays as large as it was. A document is written ``floor(w + u)`` times, w being the
    weight of its language and u drawn by its hash.

    Parameters
    ----------
    columns : Columns
        Of all documents.
    kept : ndarray of bool
        Those that are resampled, of the training split.
    plan : CorpusPlan
        The plan.

    Returns
    -------
    copies : ndarray of uint8
        0 or more; 1 where the exponent is 1.
    weights : dict of str to float
        Weight of each language.
    """
    result = np.ones(len(kept), dtype=np.uint8)
    counts = np.bincount(columns.languages[kept], minlength=len(columns.tags))
    if plan.language_exponent == 1 or not kept.any():
        return result, {}
    shares = counts.astype(np.float64) ** plan.language_exponent
    weights = shares / shares.sum() * counts.sum() / np.maximum(counts, 1)
    draws = uniform(columns.keys[kept], plan.seed, "languages")
    times = np.floor(weights[columns.languages[kept]] + draws)
    result[kept] = np.minimum(times, 255).astype(np.uint8)
    told = dict(zip(columns.tags, weights.round(6).tolist(), strict=True))
    return result, {tag: weight for tag, weight in told.items() if weight > 0}
