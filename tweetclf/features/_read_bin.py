"""Reader of fastText's binary model files."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import NoReturn

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.features._raw import RawVectors

__all__ = ["FASTTEXT_MAGIC", "read_fasttext_bin"]

# fasttext.cc: FASTTEXT_FILEFORMAT_MAGIC_INT32, FASTTEXT_VERSION.
FASTTEXT_MAGIC = struct.pack("<i", 793712314)
_VERSIONS = (11, 12)
_SUPERVISED = 3
_ARGUMENTS = struct.Struct("<12id")
_DICTIONARY = struct.Struct("<3iqq")
_ENTRY = struct.Struct("<qb")
_SHAPE = struct.Struct("<?qq")
_BLOCK = 1 << 24


class _Cursor:
    """Reads structures one after another and knows where the file ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = np.memmap(path, dtype=np.uint8, mode="r")
        self.view = memoryview(self.data)  # type: ignore[arg-type]
        self.at = 0

    def fail(self, what: str) -> NoReturn:
        raise DataError(
            f"{self.path} is not a whole fastText .bin file: {what} (at byte "
            f"{self.at} of {len(self.data)}). Fetch or copy it again."
        )

    def unpack(self, layout: struct.Struct, what: str) -> tuple:
        if self.at + layout.size > len(self.data):
            self.fail(f"it ends within {what}")
        values = layout.unpack_from(self.view, self.at)
        self.at += layout.size
        return values


def _read_entries(cursor: _Cursor, n_entries: int) -> tuple[list[bytes], np.ndarray]:
    """Read the words of the dictionary and their counts; labels are left out."""
    words: list[bytes] = []
    counts: list[int] = []
    # The dictionary is a small part of the file; 16 MiB at a time is enough for
    # bytes.find, which a memory map of NumPy does not offer.
    start, at = cursor.at, 0
    block = bytes(cursor.view[start : start + _BLOCK])
    read, size = _ENTRY.unpack_from, 1 + _ENTRY.size
    for index in range(n_entries):
        if len(block) - at < (1 << 16) and start + len(block) < len(cursor.data):
            start, at = start + at, 0
            block = bytes(cursor.view[start : start + _BLOCK])
        stop = block.find(b"\0", at)
        if stop < 0 or stop + size > len(block):
            cursor.at = start + at
            cursor.fail(f"it ends within word {index} of {n_entries}")
        count, kind = read(block, stop + 1)
        if kind == 0:
            words.append(block[at:stop])
            counts.append(count)
        at = stop + size
    cursor.at = start + at
    return words, np.array(counts, dtype=np.int64)


def read_fasttext_bin(path: str | os.PathLike[str]) -> RawVectors:
    """Read the words, counts and input matrix of a fastText ``.bin`` file.

    The matrix is mapped into memory, not read: only rows in use cost memory.

    Raises
    ------
    DataError
        If the file is damaged, quantised or of an unknown version.
    """
    cursor = _Cursor(Path(path))
    magic, version = cursor.unpack(struct.Struct("<4si"), "its header")
    if magic != FASTTEXT_MAGIC or version not in _VERSIONS:
        raise DataError(
            f"{path} is not a fastText .bin file of version 11 or 12 (found magic "
            f"{magic!r}, version {version})."
        )
    arguments = cursor.unpack(_ARGUMENTS, "its arguments")
    dim, model, bucket, minn, maxn = (arguments[k] for k in (0, 7, 8, 9, 10))
    if version == 11 and model == _SUPERVISED:
        maxn = 0  # fasttext.cc: old supervised models use no character n-grams
    n_entries, n_words, _, _, pruned = cursor.unpack(_DICTIONARY, "its dictionary")
    if not 0 <= n_words <= n_entries <= len(cursor.data):
        cursor.fail(f"it claims {n_words} words in {n_entries} entries")
    words, counts = _read_entries(cursor, n_entries)
    if len(words) != n_words:
        cursor.fail(f"it holds {len(words)} words and claims {n_words}")
    if pruned > 0:
        raise DataError(f"{path} has a pruned dictionary; use the full .bin file.")
    quantised, n_rows, n_columns = cursor.unpack(_SHAPE, "the shape of its matrix")
    if quantised:
        raise DataError(f"{path} is quantised (.ftz); use the full .bin file.")
    subwords = 0 < minn <= maxn and pruned != 0
    if n_columns != dim or dim < 1 or not 0 <= n_rows - n_words <= bucket:
        cursor.fail(
            f"its matrix is {n_rows} x {n_columns} for {n_words} words, {bucket} "
            f"buckets and {dim} dimensions"
        )
    if cursor.at + 4 * n_rows * n_columns > len(cursor.data):
        cursor.fail("it ends within its matrix")
    if subwords and n_rows != n_words + bucket:
        cursor.fail(f"its matrix has {n_rows - n_words} rows for {bucket} buckets")
    kept = n_rows if subwords else n_words
    matrix = np.memmap(
        path, dtype="<f4", mode="r", offset=cursor.at, shape=(kept, n_columns)
    )
    return RawVectors(
        words=[word.decode("utf-8", "surrogateescape") for word in words],
        matrix=matrix,
        counts=counts,
        minn=minn if subwords else 0,
        maxn=maxn if subwords else 0,
        bucket=bucket if subwords else 0,
    )
