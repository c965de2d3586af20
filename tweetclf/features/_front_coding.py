"""Vocabularies of n-grams as small arrays: what neighbours share is left out.

Sorted n-grams begin as the ones before them do, and in a vocabulary of 1- to 5-grams
almost each one is an earlier one and one symbol more::

    n-gram      shared  length  symbols written
    j           0       1       j
    ja          1       2         a
    jaj         2       3           j
    jaja        3       4             a
    je          1       2         e

A byte holds both numbers, so that an n-gram takes two bytes (three where the alphabet
has more than 255 symbols), whatever its length. Columns are not written: they are in
the order of the n-grams.

This module needs NumPy alone, as :mod:`tweetclf.features._packing` does.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tweetclf.features._alphabets import Alphabet, Characters, Tokens
from tweetclf.features._packing import Keys, Layout, TooWideError, pack, symbols_of_keys
from tweetclf.features._vocabulary import NgramVocabulary

__all__ = ["from_arrays", "to_arrays"]


def to_arrays(vocabulary: NgramVocabulary) -> dict[str, np.ndarray]:
    """Return the arrays that `from_arrays` reads.

    Parameters
    ----------
    vocabulary : NgramVocabulary
        One whose columns are in the order of its n-grams.

    Returns
    -------
    dict of str to ndarray
        ``points``, or ``text`` and ``lengths``: the alphabet; ``heads`` and
        ``symbols``: the n-grams, unless they are the symbols themselves.
    """
    assert vocabulary.columns is None
    symbols = symbols_of_keys(vocabulary.keys_, vocabulary.layout)
    # Symbols of n-grams that were left out are not written.
    used = np.zeros(len(vocabulary.alphabet) + 1, dtype=bool)
    used[symbols] = True
    used[0] = False
    symbols = np.cumsum(used)[symbols]
    arrays = vocabulary.alphabet.chosen(used[1:]).to_arrays()
    if symbols.shape[1] == 1 and len(symbols) == used.sum():
        return arrays
    shared = np.zeros(len(symbols), dtype=np.int64)
    alike = (symbols[1:] == symbols[:-1]) & (symbols[1:] > 0)
    shared[1:] = np.logical_and.accumulate(alike, axis=1).sum(axis=1)
    lengths = (symbols > 0).sum(axis=1)
    step = _step(symbols.shape[1])
    place = np.arange(symbols.shape[1])
    written = (place >= shared[:, None]) & (place < lengths[:, None])
    dtype = np.min_scalar_type(int(used.sum()))
    arrays["heads"] = (shared * step + lengths).astype(np.min_scalar_type(step**2 - 1))
    arrays["symbols"] = symbols[written].astype(dtype)
    return arrays


def _step(width: int) -> int:
    return 16 if width < 16 else 256


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(f"a vocabulary of n-grams is broken: {what}")


def _alphabet(arrays: Mapping[str, np.ndarray]) -> Alphabet:
    if "points" in arrays:
        points = arrays["points"]
        _require(points.dtype == np.uint32 and points.ndim == 1, "its code points")
        _require(bool((points[1:] > points[:-1]).all()), "code points out of order")
        _require(len(points) == 0 or int(points[-1]) < 0x110000, "its code points")
        return Characters(points)
    words = Tokens(arrays["text"], arrays["lengths"])
    tokens = words.tokens
    ascending = all(a < b for a, b in zip(tokens, tokens[1:], strict=False))
    _require(ascending, "tokens out of order")
    _require(bool((arrays["text"] > ord(" ")).all()), "a token holds a space")
    return words


def from_arrays(arrays: Mapping[str, np.ndarray]) -> NgramVocabulary:
    """Return the vocabulary that `to_arrays` wrote.

    Raises
    ------
    ValueError
        If the arrays are not those of any vocabulary. The kernels trust what passes.
    """
    alphabet = _alphabet(arrays)
    if "heads" not in arrays:
        layout = Layout.of(len(alphabet), 1)
        every = np.arange(1, len(alphabet) + 1)
        return NgramVocabulary(alphabet, layout, pack([every], layout, len(every)))
    heads, written = arrays["heads"], arrays["symbols"]
    _require(heads.dtype in (np.uint8, np.uint16) and heads.ndim == 1, "its heads")
    _require(
        written.dtype in (np.uint8, np.uint16, np.uint32) and written.ndim == 1,
        "its symbols",
    )
    step = 16 if heads.dtype == np.uint8 else 256
    shared, lengths = np.divmod(heads.astype(np.int64), step)
    width = int(lengths.max(initial=1))
    before = np.concatenate([[0], lengths[:-1]])
    fits = (lengths > 0) & (shared < lengths) & (shared <= before[: len(shared)])
    _require(bool(fits.all()), "its lengths")
    sizes = lengths - shared
    _require(int(sizes.sum()) == len(written), "the number of its symbols")
    if len(written):
        _require(
            int(written.min()) > 0 and int(written.max()) <= len(alphabet),
            "symbols out of range",
        )
    try:
        layout = Layout.of(len(alphabet), width)
    except TooWideError:
        raise ValueError("a vocabulary of n-grams is broken: too wide") from None
    begins = np.cumsum(sizes) - sizes
    number = np.arange(len(heads))
    columns = []
    for k in range(width):
        # What an n-gram does not write is what the last one that wrote it wrote.
        own = (shared <= k) & (k < lengths)
        last = np.maximum.accumulate(np.where(own, number, 0))
        at = begins[last] + k - shared[last]
        found = written[np.clip(at, 0, max(len(written) - 1, 0))]
        columns.append(np.where(k < lengths, found, 0))
    keys = pack(columns, layout, len(heads))
    _require(_ascend(keys), "n-grams out of order")
    return NgramVocabulary(alphabet, layout, keys)


def _ascend(keys: Keys) -> bool:
    high, low = keys
    after = high[1:] > high[:-1]
    if low is not None:
        after |= (high[1:] == high[:-1]) & (low[1:] > low[:-1])
    return bool(after.all())
