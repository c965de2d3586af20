"""Vocabularies of n-grams in arrays.

This module needs NumPy alone, as :mod:`tweetclf.features._packing` does: a saved
vocabulary is read and a tweet looked up without scikit-learn, SciPy or Numba.
"""

from __future__ import annotations

from collections.abc import (
    ItemsView,
    Iterator,
    KeysView,
    Mapping,
    Sequence,
    ValuesView,
)
from typing import Any

import numpy as np

from tweetclf.features import _arrays
from tweetclf.features._alphabets import Alphabet, Characters, Tokens, read_known
from tweetclf.features._packing import (
    Keys,
    Layout,
    TooWideError,
    find_keys,
    keys_of_windows,
    repack,
    symbols_of_keys,
    windows,
)
from tweetclf.features._reading import Reader

__all__ = ["NgramVocabulary"]

# So many single look-ups are worth a dict, which dict(vocabulary) asks for, too.
_MANY = 200


class NgramVocabulary(Mapping[str, int]):
    """The column of each n-gram: equal to the dict that scikit-learn makes.

    The n-grams are held as sorted integers, 8 bytes each (16 where they need two
    words), and become strings only when they are asked for. Look up many at a time
    with `find`; whoever asks for hundreds one by one makes a dict of all.

    Parameters
    ----------
    alphabet : Characters or Tokens
        What n-grams are made of.
    layout : Layout
        How keys hold symbols of `alphabet`.
    keys : Keys
        The n-grams, ascending.
    columns : ndarray of int32, optional
        The column of each key; without it, columns are in the order of keys.
    first : ndarray of int32, optional
        A number for each key, ascending in the order of iteration, which is that of
        columns without it.

    Examples
    --------
    >>> from tweetclf.features import NgramTfidfVectorizer
    >>> vectorizer = NgramTfidfVectorizer(analyzer="char").fit(["jaja!"])
    >>> vectorizer.vocabulary_
    NgramVocabulary(of 3 n-grams)
    >>> dict(vectorizer.vocabulary_)
    {'j': 2, 'a': 1, '!': 0}
    >>> vectorizer.vocabulary_["a"]
    1
    """

    def __init__(
        self,
        alphabet: Alphabet,
        layout: Layout,
        keys: Keys,
        columns: np.ndarray | None = None,
        first: np.ndarray | None = None,
    ) -> None:
        self.alphabet = alphabet
        self.layout = layout
        self.keys_ = keys
        self.columns = columns
        self.first = first
        # Made when needed, and left out of pickles.
        self._slots: np.ndarray | None = None
        self._dict: dict[str, int] | None = None
        self._n_lookups = 0

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_slots": None, "_dict": None}

    @classmethod
    def of_terms(cls, terms: Mapping[Any, int], reader: Reader) -> NgramVocabulary:
        """Return a vocabulary for looking up the terms of any dict.

        Parameters
        ----------
        terms : mapping to int
            Column of each term. Whatever no text can have is left out.
        reader : Reader
            What reads the texts.

        Raises
        ------
        TooWideError
            If a term is too long to be packed.
        """
        kept = {str(t): c for t, c in terms.items() if isinstance(t, str)}
        alphabet: Alphabet
        if reader.analyzer == "word":
            alphabet = Tokens.of_terms(list(kept))
        else:
            longest = reader.n_range[1]
            kept = {t: c for t, c in kept.items() if 0 < len(t) <= longest}
            alphabet = Characters.of_terms(list(kept))
        symbols, bounds = alphabet.parse(list(kept))
        layout = Layout.of(len(alphabet), int(np.diff(bounds).max(initial=1)))
        keys = _pack(symbols, bounds, layout)
        order = keys.argsort()
        columns = np.fromiter(kept.values(), np.int32, len(kept))
        return cls(alphabet, layout, keys.take(order), columns[order])

    def __len__(self) -> int:
        return len(self.keys_.high)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(of {len(self)} n-grams)"

    def __getitem__(self, term: str) -> int:
        if self._dict is None:
            self._n_lookups += 1
            if self._n_lookups > _MANY:
                self._dict = self.to_dict()
        if self._dict is not None:
            return self._dict[term]
        at = -1
        if isinstance(term, str):
            at = int(self.find([term])[0])
        if at < 0:
            raise KeyError(term)
        return at

    def __iter__(self) -> Iterator[str]:
        order = self._order()
        terms = self.terms()
        return iter(terms if order is None else [terms[i] for i in order.tolist()])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, NgramVocabulary):
            return len(self) == len(other) and self._equals(other)
        if not isinstance(other, Mapping):
            return NotImplemented
        return len(self) == len(other) and self.to_dict() == dict(other)

    __hash__ = None  # type: ignore[assignment]

    def _equals(self, other: NgramVocabulary) -> bool:
        return bool((self.match(other) == np.arange(len(self))).all())

    def _order(self) -> np.ndarray | None:
        """Return the columns in the order of iteration."""
        if self.first is None:
            return None
        return np.argsort(self.first)

    def keys(self) -> KeysView[str]:
        """Return the n-grams."""
        return self.to_dict().keys()

    def values(self) -> ValuesView[int]:
        """Return the columns."""
        return self.to_dict().values()

    def items(self) -> ItemsView[str, int]:
        """Return n-grams and columns."""
        return self.to_dict().items()

    def terms(self) -> list[str]:
        """Return the n-grams in the order of the columns."""
        terms = self.alphabet.spell(symbols_of_keys(self.keys_, self.layout))
        if self.columns is None:
            return terms
        return [terms[i] for i in np.argsort(self.columns).tolist()]

    def to_dict(self) -> dict[str, int]:
        """Return a dict of the same items, in the same order."""
        terms, order = self.terms(), self._order()
        if order is None:
            return {term: column for column, term in enumerate(terms)}
        return {terms[column]: column for column in order.tolist()}

    def find(self, terms: Sequence[str]) -> np.ndarray:
        """Return the column of each term, -1 for those that are not there."""
        symbols, bounds = self.alphabet.parse(terms)
        sizes = np.diff(bounds)
        fits = (sizes > 0) & (sizes <= self.layout.width)
        found = find_keys(self.keys_, _pack(symbols, bounds, self.layout))
        return np.where(fits, self._columns(found), -1)

    def match(self, other: NgramVocabulary) -> np.ndarray:
        """Return the column in this vocabulary of each key of another one, or -1."""
        if type(self.alphabet) is not type(other.alphabet):
            return self.find(other.terms())
        numbers = other.alphabet.numbers_in(self.alphabet)  # type: ignore[arg-type]
        width = max(self.layout.width, other.layout.width)
        try:
            layout = Layout.of(len(self.alphabet), width)
        except TooWideError:
            return self.find(other.terms())
        same = np.arange(len(self.alphabet) + 1)
        mine = repack(self.keys_, self.layout, same, layout)
        return self._columns(
            find_keys(mine, repack(other.keys_, other.layout, numbers, layout))
        )

    def _columns(self, found: np.ndarray) -> np.ndarray:
        if self.columns is None or len(self) == 0:
            return found
        return np.where(found < 0, -1, self.columns[found])

    def is_read_by(self, reader: Reader) -> bool:
        """Tell whether what `reader` reads are symbols of this kind of alphabet."""
        return isinstance(self.alphabet, Tokens) == (reader.analyzer == "word")

    def slots(self) -> np.ndarray:
        """Return the hash table of the kernels, made when it is first needed."""
        if self._slots is None:
            from tweetclf.features._kernels import make_slots

            columns = self.columns
            if columns is None:
                columns = np.arange(len(self), dtype=np.int32)
            low = self.keys_.low
            if low is None:
                low = np.empty(0, dtype=np.uint64)
            self._slots = make_slots(self.keys_.high, low, columns)
        return self._slots

    def rows_of(self, reader: Reader, texts: Sequence[str]) -> _arrays.Rows:
        """Look up the n-grams of some texts.

        Parameters
        ----------
        reader : Reader
            What reads the texts.
        texts : sequence of str
            The texts; many are quicker with the kernels.

        Returns
        -------
        columns, counts, indptr : ndarray
            The columns of each row, ascending, and how often each occurs.
        """
        batch = read_known(reader, texts, self.alphabet)
        return _arrays.find_rows(
            batch, reader.n_range, self.layout, self.keys_, self.columns
        )


def _pack(symbols: np.ndarray, bounds: np.ndarray, layout: Layout) -> Keys:
    """Return a key for each run of symbols; of what is too long, only the start."""
    sizes = np.diff(bounds)
    room = np.repeat(bounds[1:], sizes) - np.arange(len(symbols))
    words = windows(symbols, room, layout)
    if len(words) == 0:
        words = np.zeros(1, dtype=np.uint64)
    starts = np.minimum(bounds[:-1], len(words) - 1)
    return keys_of_windows(words, starts, np.minimum(sizes, layout.width), layout)
