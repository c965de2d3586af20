"""Hashed character n-grams of words, as fastText computes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tweetclf.utils.jit import jit, kernels_pay
from tweetclf.utils.threads import even_ranges, in_threads

__all__ = ["add_vectors", "encode_words", "subword_hashes"]

_FNV_OFFSET = np.uint32(2166136261)
_FNV_PRIME = np.uint32(16777619)
# fastText's end-of-sentence token stands for itself (dictionary.cc, EOS).
_EOS = "</s>"


def _encode(word: str) -> bytes:
    try:
        return word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate, as broken emoji leave it
        return word.encode("utf-8", "surrogatepass")


def encode_words(words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the bytes of words between ``<`` and ``>``, and where each one ends."""
    marked = [b"" if word == _EOS else b"<" + _encode(word) + b">" for word in words]
    lengths = np.fromiter(map(len, marked), dtype=np.int64, count=len(words))
    return np.frombuffer(b"".join(marked), dtype=np.uint8), np.cumsum(lengths)


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
    data, ends = encode_words(words)
    counts = np.zeros(len(words), dtype=np.int64)
    # Characters start at every byte that is no UTF-8 continuation byte (10xxxxxx).
    starts = np.flatnonzero((data & 0xC0) != 0x80)
    sizes = np.diff(starts, append=len(data))
    signed = data.view(np.int8).astype(np.int32).view(np.uint32)

    n_bytes = np.diff(ends, prepend=0)
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


def add_vectors(
    words: Sequence[str],
    rows: np.ndarray,
    matrix: np.ndarray,
    *,
    bucket: int,
    minn: int,
    maxn: int,
) -> np.ndarray | None:
    """Return the mean of the rows of each word and of its n-grams.

    Parameters
    ----------
    words : sequence of str
        The words.
    rows : ndarray of int64, shape (n_words,)
        The own row of each word; -1 for none.
    matrix : ndarray of float32
        Rows of words, then of the buckets.
    bucket, minn, maxn : int
        Number of buckets, shortest and longest n-gram.

    Returns
    -------
    ndarray of float32, shape (n_words, dim), or None
        The vectors: rows are added in fastText's order, the own one first. None where
        Numba is missing, or does not pay for so few words.
    """
    # A word has about six characters.
    if not kernels_pay(6 * len(words) * (maxn - minn + 1) * matrix.shape[1]):
        return None
    data, ends = encode_words(words)
    result = np.empty((len(words), matrix.shape[1]), dtype=np.float32)
    # A plain view: a memory map is a type of its own to Numba.
    plain = matrix.view(np.ndarray)
    bounds = np.append(0, ends)

    def add(part: tuple[int, int]) -> None:
        a, b = part
        _add_vectors(
            data,
            bounds[a : b + 1],
            rows[a:b],
            plain,
            bucket,
            max(minn, 1),
            maxn,
            result[a:b],
        )

    in_threads(add, even_ranges(ends, cost=(maxn - minn + 1) * matrix.shape[1]))
    return result


@jit(cache=True, nogil=True)
def _add_vectors(data, bounds, rows, matrix, bucket, minn, maxn, result):
    """Hash each n-gram and add its row; nothing is stored in between."""
    first_bucket = matrix.shape[0] - bucket
    for word in range(len(rows)):
        begin, end = bounds[word], bounds[word + 1]
        total = result[word]
        total[:] = 0
        added = 0
        if rows[word] >= 0:
            added = 1
            own = matrix[rows[word]]
            for d in range(len(total)):
                total[d] += own[d]
        for start in range(begin, end):
            if data[start] & 0xC0 == 0x80:
                continue  # Within a character.
            state = np.uint32(2166136261)
            at = start
            for n in range(1, maxn + 1):
                if at == end:
                    break
                while True:
                    # A signed char: bytes from 0x80 on flip the upper bits as well.
                    byte = np.uint32(data[at])
                    if byte >= 0x80:
                        byte |= np.uint32(0xFFFFFF00)
                    state = np.uint32((state ^ byte) * np.uint32(16777619))
                    at += 1
                    if at == end or data[at] & 0xC0 != 0x80:
                        break
                if n < minn or (n == 1 and (start == begin or at == end)):
                    continue
                added += 1
                gram = matrix[first_bucket + state % np.uint32(bucket)]
                for d in range(len(total)):
                    total[d] += gram[d]
        scale = np.float32(1.0 / max(added, 1))
        for d in range(len(total)):
            total[d] *= scale
