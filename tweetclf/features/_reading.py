"""From texts to rows of symbols: what is counted, before anything is counted.

This module needs NumPy alone, as :mod:`tweetclf.features._packing` does.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Batch", "Reader", "UnreadableError", "code_points", "split_tokens"]

_SPACE = ord(" ")
# re's \s and str.split: the same characters.
_SPACES = np.array(
    [point for point in range(0x3001) if chr(point).isspace()], dtype=np.uint32
)
_IS_SPACE = np.zeros(0x3001, dtype=bool)
_IS_SPACE[_SPACES] = True


class UnreadableError(Exception):
    """The engine cannot count what an analyzer returns; a dictionary can."""


class Batch(NamedTuple):
    """Texts as symbols.

    Attributes
    ----------
    symbols : ndarray of uint32
        The symbols of all texts: numbers of code points or of tokens, from 1 on.
    units : ndarray of int64
        Where in `symbols` each token starts, and the end; empty: one symbol each.
        A token that holds spaces is the symbols of its parts: as n-grams, the token
        "a b" and the tokens "a", "b" are the same string.
    bounds : ndarray of int64
        Where segments begin, in tokens or code points, and the end. No n-gram
        reaches over the end of a segment.
    rows : ndarray of int64
        Where the texts begin, in segments, and the end.
    """

    symbols: np.ndarray
    units: np.ndarray
    bounds: np.ndarray
    rows: np.ndarray

    @property
    def n_rows(self) -> int:
        """Number of texts."""
        return len(self.rows) - 1

    def most_keys(self, n_range: tuple[int, int, bool]) -> int:
        """Return a bound for the number of n-grams of all texts."""
        units = len(self.units) - 1 if len(self.units) else len(self.symbols)
        return units * (n_range[1] - n_range[0] + 1)

    def widest(self, n_high: int) -> int:
        """Return the most symbols of an n-gram of any text."""
        if len(self.units) == 0:
            longest = int(np.diff(self.bounds).max(initial=0))
            return max(min(longest, n_high), 1)
        last = np.repeat(self.bounds[1:], np.diff(self.bounds))
        first = np.arange(len(last))
        ends = np.minimum(first + n_high, last)
        return max(int((self.units[ends] - self.units[first]).max(initial=0)), 1)


def code_points(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the code points of all texts and where each text begins, and the end."""
    joined = "".join(texts).encode("utf-32-le", "surrogatepass")
    bounds = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)), out=bounds[1:])
    return np.frombuffer(joined, dtype=np.uint32), bounds


def _are_spaces(points: np.ndarray) -> np.ndarray:
    return _IS_SPACE[np.minimum(points, len(_IS_SPACE) - 1)] & (points <= 0x3000)


def _collapse(points: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn two or more characters of white space into one space, in each text."""
    space = _are_spaces(points)
    repeated = np.zeros(len(points), dtype=bool)
    repeated[1:] = space[1:] & space[:-1]
    repeated[bounds[:-1][bounds[:-1] < len(points)]] = False
    if not repeated.any():
        return points, bounds
    points = points.copy()
    points[:-1][repeated[1:]] = _SPACE
    gone = np.zeros(len(points) + 1, dtype=np.int64)
    np.cumsum(repeated, out=gone[1:])
    return points[~repeated], bounds - gone[bounds]


def _padded_words(
    points: np.ndarray, bounds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the words between white space, a space before and after each.

    Returns
    -------
    points, bounds, rows : ndarray
        The words as segments.
    """
    letter = ~_are_spaces(points)
    starts = letter.copy()
    starts[1:] &= ~letter[:-1]
    heads = bounds[:-1][bounds[:-1] < len(points)]
    starts[heads] = letter[heads]
    first = np.flatnonzero(starts)
    number = np.cumsum(starts)  # of the word of each letter, from 1 on
    kept = points[letter]
    word = number[letter]
    padded = np.full(len(kept) + 2 * len(first), _SPACE, dtype=np.uint32)
    # Before a letter stand one space for its own word and two for each earlier one.
    padded[np.arange(len(kept)) + 2 * word - 1] = kept
    sizes = np.bincount(word, minlength=len(first) + 1)[1:] + 2
    segments = np.zeros(len(first) + 1, dtype=np.int64)
    np.cumsum(sizes, out=segments[1:])
    return padded, segments, np.searchsorted(first, bounds)


class Reader:
    """Turns texts into what is counted, as scikit-learn's analyzers do.

    Parameters
    ----------
    analyzer : {"char", "char_wb", "word"}
        Kind of n-grams.
    n_low, n_high : int
        Range of n.
    preprocess : callable or None
        Text to text; None leaves texts as they are.
    tokenize : callable or None
        List of texts to the tokens of each, for words.
    stop_words : frozenset of str
        Tokens to leave out.
    """

    def __init__(
        self,
        analyzer: str,
        n_low: int,
        n_high: int,
        *,
        preprocess: Callable[[str], str] | None = None,
        tokenize: Callable[[Sequence[str]], Iterable[Any]] | None = None,
        stop_words: frozenset[str] = frozenset(),
    ) -> None:
        self.analyzer = analyzer
        self.n_range = (n_low, n_high, analyzer == "char_wb")
        self.preprocess = preprocess
        self.tokenize = tokenize
        self.stop_words = stop_words

    def _preprocessed(self, texts: Sequence[str]) -> Sequence[str]:
        if self.preprocess is None:
            return texts
        done = list(map(self.preprocess, texts))
        if not set(map(type, done)) <= {str}:
            raise UnreadableError
        return done

    def read_points(self, texts: Sequence[str]) -> Batch:
        """Return the code points of texts as a batch that has no alphabet yet."""
        points, bounds = _collapse(*code_points(self._preprocessed(texts)))
        if self.analyzer == "char_wb":
            points, bounds, rows = _padded_words(points, bounds)
        else:
            rows = np.arange(len(bounds))
        return Batch(points, np.empty(0, np.int64), bounds, rows)

    def read_tokens(
        self, texts: Sequence[str], numbers: dict[str, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a number for each token of each text, stop words left out.

        Parameters
        ----------
        texts : sequence of str
            The texts.
        numbers : dict of str to int
            The number of each token. What is not in it is added by its
            ``__missing__``.

        Returns
        -------
        tokens, bounds : ndarray of int64
            The numbers, and where each text begins, and the end.
        """
        assert self.tokenize is not None
        # Text after text: strings that are freed at once stay in the cache.
        found = array("q")
        ends = array("q", [0])
        number, stop = numbers.__getitem__, self.stop_words
        try:
            for tokens in self.tokenize(self._preprocessed(texts)):
                if type(tokens) is not list and type(tokens) is not tuple:
                    raise UnreadableError
                if stop:
                    tokens = [token for token in tokens if token not in stop]
                found.extend(map(number, tokens))
                ends.append(len(found))
            return np.array(found, dtype=np.int64), np.array(ends, dtype=np.int64)
        except TypeError:  # A token that cannot be hashed.
            raise UnreadableError from None


def split_tokens(
    tokens: np.ndarray, parts: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return symbols and units for tokens, some of which are several symbols.

    Parameters
    ----------
    tokens : ndarray of int64
        Numbers of tokens.
    parts : sequence of ndarray of uint32
        The symbols of each number.
    """
    sizes = np.fromiter(map(len, parts), np.int64, len(parts))
    flat = np.concatenate([*parts, np.empty(0, np.uint32)]).astype(np.uint32)
    begins = np.cumsum(sizes) - sizes
    units = np.zeros(len(tokens) + 1, dtype=np.int64)
    np.cumsum(sizes[tokens], out=units[1:])
    which = np.repeat(begins[tokens] - units[:-1], sizes[tokens])
    return flat[which + np.arange(units[-1])], units
