"""Which texts of a task stand, in part, in a corpus of any size.

As in TwHIN-BERT (Zhang et al., KDD 2023, section 3.3) a text counts as seen if it
shares a character 50-gram with the corpus. The n-grams of the task are held as sorted
64-bit hashes; the corpus goes by in batches and is never held. Case and repeated white
space make no difference. A text that is shorter than an n-gram counts as seen if the
whole of it is a text of the corpus.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tweetclf.tasks.base import Split
from tweetclf.tasks.duplicates import Labels, place
from tweetclf.tasks.findings import Contamination
from tweetclf.tasks.grams import gram_hashes

__all__ = ["GramIndex", "find_contamination"]

# Characters of the corpus in memory at a time: 60 MB with all that is made of them.
_BATCH = 1 << 19
_FILTER_BITS = 24


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())


def _parts(text: Any) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


class GramIndex:
    """The n-grams of all splits, and which of them were seen.

    Parameters
    ----------
    splits : mapping of str to Split
        The splits.
    n : int
        Characters in an n-gram.

    Attributes
    ----------
    starts : dict of str to int
        Number of the first row of each split.
    short, found : ndarray of bool, shape (n_rows,)
        Rows that are shorter than an n-gram, and rows that were seen.
    first : dict of int to str
        The text in which a row was seen first.
    """

    def __init__(self, splits: Mapping[str, Split], n: int) -> None:
        self._n = n
        texts: list[str] = []
        rows: list[int] = []
        self.starts: dict[str, int] = {}
        self._whole: dict[str, list[int]] = {}
        short: list[int] = []
        n_rows = 0
        for name, split in splits.items():
            self.starts[name] = n_rows
            for row, text in enumerate(split.texts, start=n_rows):
                parts = [_fold(part) for part in _parts(text)]
                if all(len(part) < n for part in parts):
                    short.append(row)
                    if any(parts):
                        self._whole.setdefault("\x1f".join(parts), []).append(row)
                    continue
                texts += parts
                rows += [row] * len(parts)
            n_rows += len(split)
        hashes, owners = gram_hashes(texts, n)
        order = np.argsort(hashes, kind="stable")
        hashes = hashes[order]
        # Equal n-grams are next to each other; `_bounds` cuts them into groups.
        new = np.ones(len(hashes), dtype=bool)
        new[1:] = hashes[1:] != hashes[:-1]
        self._grams = hashes[new]
        self._bounds = np.append(np.flatnonzero(new), len(hashes))
        self._rows = np.array(rows, dtype=np.int32)[owners[order]]
        self._seen = np.zeros(len(self._grams), dtype=bool)
        # Most n-grams of a corpus are not here: one look tells, without a search.
        self._filter = np.zeros(1 << _FILTER_BITS, dtype=bool)
        self._filter[self._grams >> np.uint64(64 - _FILTER_BITS)] = True
        self.short = np.zeros(n_rows, dtype=bool)
        self.short[short] = True
        self.found = np.zeros(n_rows, dtype=bool)
        self.first: dict[int, str] = {}

    def look(self, texts: list[Any]) -> list[int]:
        """Mark what some texts of the corpus have in common with the splits.

        Parameters
        ----------
        texts : list of str, or of (str, str)
            Texts or pairs.

        Returns
        -------
        list of int
            Positions of those texts that have something.
        """
        parts: list[str] = []
        owners: list[int] = []
        hits: set[int] = set()
        for i, text in enumerate(texts):
            folded = [_fold(part) for part in _parts(text)]
            parts += folded
            owners += [i] * len(folded)
            whole = "\x1f".join(folded)
            if whole in self._whole:
                hits.add(i)
                self._mark(self._whole[whole], text)
        hashes, of = gram_hashes(parts, self._n)
        likely = np.flatnonzero(self._filter[hashes >> np.uint64(64 - _FILTER_BITS)])
        hashes, of = hashes[likely], of[likely]
        at = np.searchsorted(self._grams, hashes)
        at[at == len(self._grams)] = 0
        true = self._grams[at] == hashes if len(self._grams) else at > 0
        at, of = at[true], of[true]
        hits.update(owners[i] for i in np.unique(of).tolist())
        fresh = ~self._seen[at]
        grams, where = np.unique(at[fresh], return_index=True)
        for gram, part in zip(grams.tolist(), of[fresh][where].tolist(), strict=True):
            rows = self._rows[self._bounds[gram] : self._bounds[gram + 1]].tolist()
            self._mark(rows, texts[owners[part]])
        self._seen[grams] = True
        return sorted(hits)

    def _mark(self, rows: list[int], text: Any) -> None:
        for row in rows:
            if not self.found[row]:
                self.found[row] = True
                self.first[row] = " | ".join(_parts(text))


def _batches(corpus: Iterable[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    size = 0
    for text in corpus:
        batch.append(text)
        size += sum(map(len, _parts(text))) + 1
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def find_contamination(
    splits: Mapping[str, Split],
    corpus: Iterable[Any],
    labels: Labels,
    *,
    name: str = "corpus",
    n: int = 50,
    n_examples: int = 5,
) -> tuple[Contamination, ...]:
    """Find the texts that share a character n-gram with a corpus.

    Parameters
    ----------
    splits : mapping of str to Split
        The splits, all of which are compared in one pass.
    corpus : iterable of str, or of (str, str)
        Texts or pairs; gone through once.
    labels : Labels
        The labels of the splits, for the examples.
    name : str, default="corpus"
        Name of the corpus.
    n : int, default=50
        Characters in an n-gram.
    n_examples : int, default=5
        Examples of each finding.

    Returns
    -------
    tuple of Contamination
        One a split, also where nothing was found.

    Raises
    ------
    ValueError
        If `n` is less than 1.

    Notes
    -----
    Memory is that of the n-grams of the splits, at most 22 bytes each while they are
    sorted, of one batch of the corpus (half a million characters), and of the first
    text of the corpus for each row found; it does not grow with the corpus.
    """
    if n < 1:
        raise ValueError(
            f"find_contamination: the 'n' parameter must be at least 1. Got {n!r} "
            "instead."
        )
    index = GramIndex(splits, n)
    n_corpus = n_found = 0
    for batch in _batches(corpus):
        n_corpus += len(batch)
        n_found += len(index.look(batch))
    results = []
    for split_name, split in splits.items():
        start = index.starts[split_name]
        own = slice(start, start + len(split))
        rows = np.flatnonzero(index.found[own]).tolist()
        examples = tuple(
            (place(split, row, labels), index.first[start + row])
            for row in rows[:n_examples]
        )
        results.append(
            Contamination(
                name,
                split_name,
                n,
                len(split),
                int(index.short[own].sum()),
                tuple(rows),
                tuple(row for row in rows if index.short[start + row]),
                n_corpus,
                n_found,
                examples,
            )
        )
    return tuple(results)
