"""Alphabets of n-grams: code points or tokens, numbered from 1 in their order.

This module needs NumPy alone, as :mod:`tweetclf.features._packing` does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from tweetclf.features._reading import (
    Batch,
    Reader,
    UnreadableError,
    code_points,
    split_tokens,
)
from tweetclf.utils.strings import pack_strings, unpack_strings

__all__ = ["Alphabet", "Characters", "Tokens", "read_batch", "read_known"]

# "a b" sorts before "ab" as ("a", "b") before ("ab",) does, because nothing that
# tokens hold sorts before the space. With one of these it might.
_BELOW_SPACE = re.compile("[\x00-\x1f]")
_MOST_POINTS = 0x110000


class Characters:
    """An alphabet of code points.

    Parameters
    ----------
    points : ndarray of uint32
        The code points, ascending.
    """

    def __init__(self, points: np.ndarray) -> None:
        self.points = points

    def __len__(self) -> int:
        return len(self.points)

    def number(self, points: np.ndarray) -> np.ndarray:
        """Return the symbol of each code point; unknown ones are the last plus 1."""
        unknown = len(self.points) + 1
        if len(points) < 2048 or len(self.points) == 0:
            at = np.searchsorted(self.points, points)
            known = self.points[np.minimum(at, unknown - 2)] if unknown > 1 else at
            return np.where(known == points, at + 1, unknown).astype(np.uint32)
        table = np.full(int(self.points[-1]) + 2, unknown, dtype=np.uint32)
        table[self.points] = np.arange(1, unknown)
        return table[np.minimum(points, len(table) - 1)]

    def numbers_in(self, other: Characters) -> np.ndarray:
        """Return the symbol in `other` of each symbol of this alphabet and of 0."""
        return np.concatenate([np.zeros(1, np.uint32), other.number(self.points)])

    def equals(self, other: Characters) -> bool:
        """Tell whether both hold the same."""
        return self is other or np.array_equal(self.points, other.points)

    def chosen(self, which: np.ndarray) -> Characters:
        """Return the alphabet of some of these."""
        return Characters(self.points[which])

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return what to save."""
        return {"points": self.points}

    def spell(self, symbols: np.ndarray) -> list[str]:
        """Return the string of each row of symbols, of which 0 are none."""
        kept = symbols > 0
        flat = self.points[symbols[kept] - 1].astype("<u4")
        text = flat.tobytes().decode("utf-32-le", "surrogatepass")
        bounds = [0, *np.cumsum(kept.sum(axis=1)).tolist()]
        return [text[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]

    def parse(self, terms: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the symbols of all terms and where each begins, and the end."""
        points, bounds = code_points(terms)
        return self.number(points), bounds

    @staticmethod
    def union(alphabets: Sequence[Characters]) -> Characters:
        """Return the alphabet of all code points of some alphabets."""
        points = np.concatenate([alphabet.points for alphabet in alphabets])
        return Characters(np.unique(points))

    @staticmethod
    def of_terms(terms: Sequence[str]) -> Characters:
        """Return the alphabet of some terms."""
        return Characters(np.unique(code_points(terms)[0]))


class Tokens:
    """An alphabet of tokens without spaces.

    Parameters
    ----------
    text, lengths : ndarray
        The tokens in order, as `tweetclf.utils.strings.pack_strings` packs them.
    """

    def __init__(self, text: np.ndarray, lengths: np.ndarray) -> None:
        self.text = text
        self.lengths = lengths

    @classmethod
    def of(cls, tokens: list[str]) -> Tokens:
        """Return the alphabet of sorted tokens."""
        alphabet = cls(*pack_strings(tokens))
        alphabet.__dict__["tokens"] = tokens
        return alphabet

    def __len__(self) -> int:
        return len(self.lengths)

    def __getstate__(self) -> dict[str, np.ndarray]:
        return {"text": self.text, "lengths": self.lengths}

    @cached_property
    def tokens(self) -> list[str]:
        """The tokens, made when they are first needed."""
        return unpack_strings(self.text, self.lengths)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens, 1)}

    def number(self, tokens: Sequence[str]) -> np.ndarray:
        """Return the symbol of each token; unknown ones are the last plus 1."""
        get, unknown = self._numbers.get, len(self) + 1
        found = (get(token, unknown) for token in tokens)
        return np.fromiter(found, np.uint32, len(tokens))

    def numbers_in(self, other: Tokens) -> np.ndarray:
        """Return the symbol in `other` of each symbol of this alphabet and of 0."""
        return np.concatenate([np.zeros(1, np.uint32), other.number(self.tokens)])

    def equals(self, other: Tokens) -> bool:
        """Tell whether both hold the same."""
        return self is other or (
            np.array_equal(self.lengths, other.lengths)
            and np.array_equal(self.text, other.text)
        )

    def chosen(self, which: np.ndarray) -> Tokens:
        """Return the alphabet of some of these."""
        if which.all():
            return self
        return Tokens.of([self.tokens[i] for i in np.flatnonzero(which).tolist()])

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return what to save."""
        return {"text": self.text, "lengths": self.lengths}

    def spell(self, symbols: np.ndarray) -> list[str]:
        """Return the string of each row of symbols, of which 0 are none."""
        tokens = ["", *self.tokens]
        lengths = (symbols > 0).sum(axis=1).tolist()
        return [
            " ".join([tokens[s] for s in row[:n]])
            for row, n in zip(symbols.tolist(), lengths, strict=True)
        ]

    def parse(self, terms: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the symbols of all terms and where each begins, and the end."""
        lists = [term.split(" ") for term in terms]
        bounds = np.zeros(len(terms) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, lists), np.int64, len(lists)), out=bounds[1:])
        return self.number([token for tokens in lists for token in tokens]), bounds

    @staticmethod
    def union(alphabets: Sequence[Tokens]) -> Tokens:
        """Return the alphabet of all tokens of some alphabets."""
        if len(alphabets) == 1:
            return alphabets[0]
        known: set[str] = set()
        return Tokens.of(sorted(known.union(*(a.tokens for a in alphabets))))

    @staticmethod
    def of_terms(terms: Sequence[str]) -> Tokens:
        """Return the alphabet of some terms."""
        return Tokens.of(sorted({part for term in terms for part in term.split(" ")}))


Alphabet = Characters | Tokens


class _Numbering(dict[str, int]):
    """Numbers keys from 0 on in the order of their first use."""

    def __missing__(self, key: str) -> int:
        number = self[key] = len(self)
        return number


def _read_tokens(
    reader: Reader, texts: Sequence[str]
) -> tuple[list[str], np.ndarray, np.ndarray]:
    numbering = _Numbering()
    tokens, bounds = reader.read_tokens(texts, numbering)
    if not set(map(type, numbering)) <= {str}:
        raise UnreadableError
    return list(numbering), tokens, bounds


def _token_batch(
    alphabet: Tokens, different: list[str], tokens: np.ndarray, bounds: np.ndarray
) -> Batch:
    """Return texts of tokens as symbols; tokens with spaces as several."""
    rows = np.arange(len(bounds))
    if not any(" " in token for token in different):
        symbols = alphabet.number(different)[tokens]
        return Batch(symbols, np.empty(0, np.int64), bounds, rows)
    flat, ends = alphabet.parse(different)
    parts = np.split(flat, ends[1:-1])
    return Batch(*split_tokens(tokens, parts), bounds, rows)


def read_batch(reader: Reader, texts: Sequence[str]) -> tuple[Batch, Alphabet]:
    """Return texts as symbols of their own alphabet.

    Raises
    ------
    UnreadableError
        If tokens are no strings, or hold characters that sort before the space.
    """
    if reader.analyzer == "word":
        different, tokens, bounds = _read_tokens(reader, texts)
        if _BELOW_SPACE.search("".join(different)):
            raise UnreadableError
        if any(" " in token for token in different):
            words = Tokens.of_terms(different)
            return _token_batch(words, different, tokens, bounds), words
        order = sorted(range(len(different)), key=different.__getitem__)
        words = Tokens.of([different[i] for i in order])
        symbols = np.empty(len(order), dtype=np.uint32)
        symbols[order] = np.arange(1, len(order) + 1)
        rows = np.arange(len(bounds))
        return Batch(symbols[tokens], np.empty(0, np.int64), bounds, rows), words
    batch = reader.read_points(texts)
    occurs = np.zeros(_MOST_POINTS, dtype=bool)
    occurs[batch.symbols] = True
    alphabet = Characters(np.flatnonzero(occurs).astype(np.uint32))
    return batch._replace(symbols=alphabet.number(batch.symbols)), alphabet


def read_known(reader: Reader, texts: Sequence[str], alphabet: Alphabet) -> Batch:
    """Return texts as symbols of a known alphabet."""
    if isinstance(alphabet, Tokens):
        return _token_batch(alphabet, *_read_tokens(reader, texts))
    batch = reader.read_points(texts)
    return batch._replace(symbols=alphabet.number(batch.symbols))
