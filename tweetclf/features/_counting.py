"""Counting n-grams: a corpus in chunks, by threads, merged in order.

Each chunk is counted on its own, over its own alphabet, with a table that stays in
the cache of the processor; sorted vocabularies are then merged one after the other.
The ids of the whole are those of first occurrence in the corpus, wherever it was cut
and however many threads counted.
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from tweetclf.features import _arrays, _kernels
from tweetclf.features._alphabets import Alphabet, read_batch, read_known
from tweetclf.features._arrays import Rows
from tweetclf.features._packing import Keys, Layout, repack
from tweetclf.features._reading import Batch, Reader
from tweetclf.features._vocabulary import NgramVocabulary
from tweetclf.utils.jit import has_numba
from tweetclf.utils.threads import in_threads, n_threads

__all__ = [
    "Grams",
    "Part",
    "count_texts",
    "cut",
    "find_texts",
    "merge_grams",
    "tally",
]


_NO_KEYS = np.empty(0, dtype=np.uint64)
_NO_COUNTS = np.empty(0, dtype=np.int32)
_NO_ROWS = (_NO_COUNTS, _NO_COUNTS, np.zeros(1, dtype=np.int64))
# n-gram occurrences of a chunk: its table then has about the size of a core's cache.
_CHUNK = 8_000_000
# With fewer occurrences than this, a second thread does not pay.
_SPLIT = 400_000
# Up to here NumPy is about as fast, and does not have to import a compiler.
_SMALL = 20_000


def cut(texts: Sequence[str], reader: Reader) -> list[tuple[int, int]]:
    """Return where to cut texts into chunks that cost about the same."""
    n_low, n_high, _ = reader.n_range
    per_point = n_high - n_low + 1
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    # A token has about five characters.
    work = np.cumsum(sizes * per_point // (5 if reader.analyzer == "word" else 1) + 1)
    total = int(work[-1]) if len(work) else 0
    n_chunks = -(-total // _CHUNK)
    # Words are cut by Python, which threads cannot share.
    if total >= _SPLIT and reader.analyzer != "word":
        threads = n_threads()
        n_chunks = -(-n_chunks // threads) * threads
    marks = np.linspace(0, total, n_chunks + 1)[1:-1]
    ends = [0, *np.searchsorted(work, marks).tolist(), len(texts)]
    pairs = zip(ends, ends[1:], strict=False)
    return [(a, b) for a, b in pairs if a < b]


@dataclass(frozen=True, eq=False)
class Grams:
    """The different n-grams of some texts, ascending.

    Attributes
    ----------
    alphabet, layout, keys
        The n-grams, as :class:`tweetclf.features._vocabulary.NgramVocabulary` has
        them.
    first : ndarray of int32
        The id of each: its number in the order of first occurrence.
    df : ndarray of int
        In how many texts each occurs.
    tf : ndarray of int64 or None
        How often each occurs in all, if that was asked for.
    """

    alphabet: Alphabet
    layout: Layout
    keys: Keys
    first: np.ndarray
    df: np.ndarray
    tf: np.ndarray | None

    def __len__(self) -> int:
        return len(self.keys.high)

    def vocabulary(self, kept: np.ndarray, first: np.ndarray) -> NgramVocabulary:
        """Return the vocabulary of the n-grams at the positions `kept`."""
        return NgramVocabulary(
            self.alphabet, self.layout, self.keys.take(kept), None, first[kept]
        )


class Part(NamedTuple):
    """Counted texts: rows of ids, how many texts, and the n-grams of the ids."""

    rows: Rows
    n_texts: int
    grams: Any


def _room(n: int) -> np.ndarray:
    """Return room for `n` ids or counts, of which only the start may be needed.

    Memory that is mapped costs nothing until it is written to, and goes back to the
    system when it is freed; malloc keeps what it got for the next chunk.
    """
    if n < 2**18:
        return np.empty(n, dtype=np.int32)
    pages = mmap.mmap(-1, 4 * n)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):
            pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, dtype=np.int32)


def _low(keys: Keys) -> np.ndarray:
    return _NO_KEYS if keys.low is None else keys.low


def tally(ids: np.ndarray, n_ids: int) -> np.ndarray:
    """Return how often each id is stored."""
    if not has_numba():
        return np.bincount(ids, minlength=n_ids)
    df = np.zeros(n_ids, dtype=np.int32)
    _kernels.tally(ids, df)
    return df


def _compiled_rows(
    batch: Batch, reader: Reader, layout: Layout, counted: bool
) -> tuple[Rows, Keys, np.ndarray]:
    """Do what `_arrays.count_rows` does."""
    most = batch.most_keys(reader.n_range)
    ids = _room(most)
    counts = _room(most if counted else 0)
    indptr = np.empty(batch.n_rows + 1, dtype=np.int64)
    wide = layout.n_words == 2
    slots, n_ids = _kernels.count_rows(
        tuple(batch),
        reader.n_range,
        np.uint64(layout.bits),
        layout.masks(),
        np.zeros((1024, 3 if wide else 2), dtype=np.uint64),
        ids,
        counts,
        indptr,
    )
    taken = np.flatnonzero(slots[:, 0])
    if wide:
        keys = Keys(slots[taken, 0], slots[taken, 1])
        keys = keys.take(keys.argsort())
    else:
        keys = Keys(np.sort(slots[taken, 0]))
    first = _kernels.sorted_ids(slots, keys.high, _low(keys))
    n = indptr[-1]
    # Views: of the memory behind them, only what was written to is real.
    return (ids[:n], counts[:n], indptr), keys, first


def _count_chunk(
    reader: Reader,
    texts: Sequence[str],
    counted: bool,
    totals: bool,
    turn: AbstractContextManager[Any],
) -> Part:
    with turn:
        batch, alphabet = read_batch(reader, texts)
    layout = Layout.of(len(alphabet), batch.widest(reader.n_range[1]))
    if has_numba():
        rows, keys, first = _compiled_rows(batch, reader, layout, counted)
    else:
        rows, keys, first = _arrays.count_rows(batch, reader.n_range, layout)
    ids, counts, indptr = rows
    tf = None
    if totals:
        tf = np.bincount(ids, counts, len(first)).astype(np.int64)[first]
    grams = Grams(alphabet, layout, keys, first, tally(ids, len(first))[first], tf)
    return Part((ids, counts if counted else _NO_COUNTS, indptr), len(texts), grams)


def count_texts(
    reader: Reader,
    texts: Sequence[str],
    *,
    counted: bool = True,
    totals: bool = False,
    kept: bool = True,
) -> list[Part]:
    """Count the n-grams of texts.

    Parameters
    ----------
    reader : Reader
        What reads the texts.
    texts : sequence of str
        The texts.
    counted : bool, default=True
        Whether to count how often an n-gram occurs in a text.
    totals : bool, default=False
        Whether to add that up; needs `counted`.
    kept : bool, default=True
        Whether to keep the rows, and not only the n-grams.

    Returns
    -------
    list of Part
        The texts in order; the ids of each part are its own.

    Raises
    ------
    UnreadableError, TooWideError
        If an analyzer that returns strings must count them.
    """
    # Threads that cut words at the same time take Python's lock from each other, and
    # the caches of the processor: one reads while another counts.
    turn = Lock() if reader.analyzer == "word" else contextlib.nullcontext()

    def count(bounds: tuple[int, int]) -> Part:
        chunk = texts[bounds[0] : bounds[1]]
        part = _count_chunk(reader, chunk, counted, totals, turn)
        return part if kept else part._replace(rows=_NO_ROWS)

    return in_threads(count, cut(texts, reader))


def _merge_two(a: Grams, b: Grams) -> tuple[Grams, np.ndarray]:
    """Merge n-grams over one alphabet; also return the new id of each id of b."""
    if has_numba():
        mine = (a.keys.high, _low(a.keys), a.first)
        other = (b.keys.high, _low(b.keys), b.first)
        high, low, first, df, ids = _kernels.merge((*mine, a.df), (*other, b.df))
        keys = Keys(high, low if len(low) else None)
        tf = None
        if a.tf is not None and b.tf is not None:
            tf = _kernels.merge((*mine, a.tf), (*other, b.tf))[3]
        return Grams(a.alphabet, a.layout, keys, first, df, tf), ids
    source, place = _arrays.merge_sorted(a.keys, b.keys)
    n_a, n_b = len(a), len(b)
    new = source >= n_a
    # New n-grams of b are numbered on in the order in which b met them.
    is_new = np.zeros(n_b, dtype=bool)
    is_new[b.first[source[new] - n_a]] = True
    ids = (np.cumsum(is_new) + (n_a - 1)).astype(np.int32)
    first = np.concatenate([a.first, ids[b.first]])[source]
    ids[b.first] = first[place]

    def total(mine: np.ndarray, other: np.ndarray) -> np.ndarray:
        merged = np.concatenate([mine, np.zeros(n_b, dtype=np.int64)])[source]
        merged[place] += other
        return merged

    low = None
    if a.keys.low is not None and b.keys.low is not None:
        low = np.concatenate([a.keys.low, b.keys.low])[source]
    keys = Keys(np.concatenate([a.keys.high, b.keys.high])[source], low)
    tf = None
    if a.tf is not None and b.tf is not None:
        tf = total(a.tf, b.tf)
    return Grams(a.alphabet, a.layout, keys, first, total(a.df, b.df), tf), ids


def merge_grams(grams: list[Grams]) -> tuple[Grams, list[np.ndarray | None]]:
    """Merge the n-grams of parts of a corpus, in order.

    Parameters
    ----------
    grams : list of Grams
        Those of the parts. The list is emptied, so that they are freed one by one.

    Returns
    -------
    merged : Grams
        Those of the corpus.
    ids : list of ndarray of int32
        For each part, the id in the corpus of each of its ids; None: the same.
    """
    if len(grams) == 1:
        return grams.pop(), [None]
    # All are of one kind: Characters or Tokens.
    alphabets: Any = [own.alphabet for own in grams]
    alphabet = type(alphabets[0]).union(alphabets)
    layout = Layout.of(len(alphabet), max(g.layout.width for g in grams))

    def taken() -> Grams:
        own = grams.pop()
        numbers = own.alphabet.numbers_in(alphabet)
        keys = repack(own.keys, own.layout, numbers, layout)
        return replace(own, alphabet=alphabet, layout=layout, keys=keys)

    grams.reverse()
    merged = taken()
    ids: list[np.ndarray | None] = [None]
    while grams:
        merged, own = _merge_two(merged, taken())
        ids.append(own)
    return merged, ids


def find_texts(
    vocabulary: NgramVocabulary,
    reader: Reader,
    texts: Sequence[str],
    *,
    counted: bool = True,
    compiled: bool = True,
) -> list[Rows]:
    """Look up the n-grams of texts.

    Parameters
    ----------
    vocabulary : NgramVocabulary
        The known n-grams.
    reader : Reader
        What reads the texts.
    texts : sequence of str
        The texts.
    counted : bool, default=True
        Whether to count how often an n-gram occurs in a text.
    compiled : bool, default=True
        Whether kernels may be used.

    Returns
    -------
    list of Rows
        The texts in order: columns, ascending, counts and indptr. Counts are empty
        if `counted` is false.
    """
    chunks = cut(texts, reader)
    small = len(chunks) == 1 and _is_small(texts, reader)
    if small or not (compiled and has_numba()):
        rows = [vocabulary.rows_of(reader, texts[a:b]) for a, b in chunks]
        return rows if counted else [(i, _NO_COUNTS, p) for i, _, p in rows]
    slots = vocabulary.slots()
    layout = vocabulary.layout
    top = len(vocabulary)
    if vocabulary.columns is not None:
        # Of a dict, terms that no text can have were left out.
        top = int(vocabulary.columns.max(initial=0))

    def find(bounds: tuple[int, int]) -> Rows:
        batch = read_known(reader, texts[bounds[0] : bounds[1]], vocabulary.alphabet)
        most = batch.most_keys(reader.n_range)
        ids = _room(most)
        counts = _room(most if counted else 0)
        indptr = np.empty(batch.n_rows + 1, dtype=np.int64)
        _kernels.find_rows(
            tuple(batch),
            reader.n_range,
            np.uint64(layout.bits),
            layout.masks(),
            slots,
            top,
            ids,
            counts,
            indptr,
        )
        n = indptr[-1]
        return ids[:n], counts[:n], indptr

    return in_threads(find, chunks)


def _is_small(texts: Sequence[str], reader: Reader) -> bool:
    n_low, n_high, _ = reader.n_range
    return sum(map(len, texts)) * (n_high - n_low + 1) < _SMALL
