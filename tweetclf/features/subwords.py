"""Hashed character n-grams of words, as fastText computes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["subword_hashes"]

_FNV_OFFSET = np.uint32(2166136261)
_FNV_PRIME = np.uint32(16777619)
# fastText's end-of-sentence token stands for itself (dictionary.cc, EOS).
_EOS = "</s>"


def _encode(word: str) -> bytes:
    try:
        return word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate, as broken emoji leave it
        return word.encode("utf-8", "surrogatepass")


def subword_hashes(
    words: Sequence[str], minn: int, maxn: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes of the character n-grams of words.

    A word is put between ``<`` and ``>``; its n-grams are runs of `minn` to `maxn`
    characters, a lone ``<`` or ``>`` excepted, ordered by start, then by length.

    Parameters
    ----------
    words : sequence of str
        The words. ``"</s>"`` has no n-grams.
    minn, maxn : int
        Shortest and longest n-gram, in characters.

    Returns
    -------
    hashes : ndarray of uint32
        FNV-1a hashes, word after word.
    counts : ndarray of int64, shape (n_words,)
        Number of n-grams of each word.

    Notes
    -----
    fastText's hash is 32-bit FNV-1a with one twist: bytes are *signed* chars, so
    those from 0x80 on flip the upper 24 bits as well (dictionary.cc, ``hash``). All
    n-grams of all words grow together, one byte at a time, so the cost is `maxn`
    (times the bytes of a character) array operations, whatever the number of words.
    """
    marked = [b"" if word == _EOS else b"<" + _encode(word) + b">" for word in words]
    counts = np.zeros(len(words), dtype=np.int64)
    data = np.frombuffer(b"".join(marked), dtype=np.uint8)
    # Characters start at every byte that is no UTF-8 continuation byte (10xxxxxx).
    starts = np.flatnonzero((data & 0xC0) != 0x80)
    sizes = np.diff(starts, append=len(data))
    signed = data.view(np.int8).astype(np.int32).view(np.uint32)

    n_bytes = np.fromiter(map(len, marked), dtype=np.int64, count=len(words))
    word_of_char = np.repeat(np.arange(len(words)), n_bytes)[starts]
    ends_of_word = np.cumsum(np.bincount(word_of_char, minlength=len(words)))
    first_char = np.flatnonzero(np.diff(word_of_char, prepend=-1))
    end = ends_of_word[word_of_char]  # index after the word's last character

    # No n-gram is longer than a word: a damaged file may claim any maxn.
    minn = max(minn, 1)
    maxn = min(maxn, int(np.diff(ends_of_word, prepend=0).max(initial=0)))
    if maxn < minn:
        return np.empty(0, dtype=np.uint32), counts
    shape = (len(starts), maxn - minn + 1)
    hashes = np.zeros(shape, dtype=np.uint32)
    present = np.zeros(shape, dtype=bool)
    state = np.full(len(starts), _FNV_OFFSET, dtype=np.uint32)
    active = np.arange(len(starts))
    for n in range(1, maxn + 1):
        active = active[active + n <= end[active]]
        last = active + n - 1
        for k in range(int(sizes[last].max(initial=0))):
            longer = sizes[last] > k
            grown = active[longer]
            byte = signed[starts[last[longer]] + k]
            state[grown] = (state[grown] ^ byte) * _FNV_PRIME
        if n >= minn:
            hashes[active, n - minn] = state[active]
            present[active, n - minn] = True
    if minn == 1:
        present[first_char, 0] = False
        present[ends_of_word[word_of_char[first_char]] - 1, 0] = False
    counts += np.bincount(
        word_of_char, weights=present.sum(axis=1), minlength=len(words)
    ).astype(np.int64)
    return hashes[present], counts
