"""Reader of word vectors as text: word2vec, fastText ``.vec`` and GloVe."""

from __future__ import annotations

import gzip
import os
import warnings
import zlib
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.features._raw import RawVectors

__all__ = ["GZIP_MAGIC", "read_text_vectors"]

GZIP_MAGIC = b"\x1f\x8b"

_BLOCK = 4096  # lines parsed by one call


class _Parser:
    """Turns blocks of lines into words and rows, and knows where each line was."""

    def __init__(self, path: str | os.PathLike[str], dim: int, errors: str) -> None:
        self.path = path
        self.dim = dim
        self.errors = errors

    def parse(self, lines: list[bytes], first: int) -> tuple[list[str], np.ndarray]:
        """Parse lines, the first of which is line `first` of the file."""
        parted = [line.rstrip().partition(b" ") for line in lines]
        numbers = [rest for _, _, rest in parted]
        rows = None
        # Exactly dim - 1 single spaces: no line can lend a number to another.
        if all(rest.count(b" ") == self.dim - 1 for rest in numbers):
            rows = _floats(b" ".join(numbers))
        if rows is None or len(rows) != len(lines) * self.dim:
            return self._parse_slowly(lines, first)
        matrix = rows.reshape(len(lines), self.dim)
        if not np.isfinite(matrix).all():
            bad = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
            self.fail(first + bad, "holds a value that is not finite")
        names = (word for word, _, _ in parted)
        return [self.decode(w, first + k) for k, w in enumerate(names)], matrix

    def _parse_slowly(
        self, lines: list[bytes], first: int
    ) -> tuple[list[str], np.ndarray]:
        """Parse line by line: words that hold spaces, tabs, repeated spaces."""
        rows = []
        words = []
        for k, line in enumerate(lines):
            # The numbers are the last `dim` fields; the word is all before them.
            fields = line.rsplit(None, self.dim)
            if not fields:
                continue
            if line[:1].isspace() and len(fields) == self.dim:
                fields = [b"", *fields]
            if len(fields) < self.dim + 1:
                self.fail(
                    first + k,
                    f"has {len(fields)} fields; expected a word and {self.dim} numbers",
                )
            row = _floats(b" ".join(fields[1:]))
            if row is None or len(row) != self.dim:
                self.fail(first + k, f"does not end in {self.dim} numbers")
            if not np.isfinite(row).all():
                self.fail(first + k, "holds a value that is not finite")
            rows.append(row)
            words.append(self.decode(fields[0], first + k))
        return words, np.array(rows, dtype=np.float32).reshape(-1, self.dim)

    def decode(self, word: bytes, line: int) -> str:
        """Return a word as text."""
        try:
            return word.decode("utf-8", self.errors)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self.path}, line {line}: the word {word!r} is not valid UTF-8. "
                'Pass errors="replace" to read it anyway.'
            ) from error

    def fail(self, line: int, what: str) -> NoReturn:
        """Raise an error that names the line."""
        raise DataError(f"{self.path}, line {line} {what}.")


def _floats(text: bytes) -> np.ndarray | None:
    """Parse white-space separated numbers, or return None if there is other text."""
    with warnings.catch_warnings():
        # NumPy stops at the first word that is no number and only warns.
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, dtype=np.float32, sep=" ")
        except (DeprecationWarning, ValueError):
            return None


def _open(path: str | os.PathLike[str]) -> BinaryIO | gzip.GzipFile:
    with Path(path).open("rb") as file:
        zipped = file.read(2) == GZIP_MAGIC
    return gzip.open(path, "rb") if zipped else Path(path).open("rb")


def _header(line: bytes) -> tuple[int, int] | None:
    fields = line.split()
    if len(fields) == 2 and all(field.isdigit() for field in fields):
        return int(fields[0]), int(fields[1])
    return None


def read_text_vectors(
    path: str | os.PathLike[str], *, limit: int | None = None, errors: str = "strict"
) -> RawVectors:
    """Read word vectors from text, gzipped or not, with or without a header line.

    Words may hold spaces: the numbers are the last fields of a line. Of repeated
    words the first row counts.

    Parameters
    ----------
    path : path
        The file. A first line of two integers is taken as the header "words
        dimensions".
    limit : int, optional
        Read at most this many words.
    errors : {"strict", "replace", "ignore"}, default="strict"
        What to do about words that are not valid UTF-8.

    Raises
    ------
    DataError
        If a line is not a word and the right number of finite numbers; the message
        names the line.
    """
    try:
        with _open(path) as file:
            return _read(file, path, limit, errors)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is a damaged gzip file: {error}.") from error


def _read(
    file: BinaryIO | gzip.GzipFile,
    path: str | os.PathLike[str],
    limit: int | None,
    errors: str,
) -> RawVectors:
    head = file.readline()
    header = _header(head)
    if header is None:
        number = 1
        dim = len(head.split()) - 1
        expected = None
        rest: Iterator[bytes] = chain([head] if head else [], file)
    else:
        number = 2
        expected, dim = header
        rest = iter(file)
    if dim < 1:
        raise DataError(
            f"{path}, line 1 is neither a header nor a word with its vector."
        )
    # Binary files split on the line feed alone: a word may hold U+2028 or U+0085.
    lines = islice(rest, limit)
    parser = _Parser(path, dim, errors)
    words: list[str] = []
    blocks = []
    while block := list(islice(lines, _BLOCK)):
        names, matrix = parser.parse(block, number)
        words += names
        blocks.append(matrix)
        number += len(block)
    if expected is not None and limit is None and len(words) != expected:
        raise DataError(
            f"{path}, line {number - 1}: the file ends after {len(words)} words; its "
            f"header promises {expected}. It is truncated or its header is wrong."
        )
    matrix = np.concatenate(blocks) if blocks else np.empty((0, dim), np.float32)
    first = {word: k for k, word in reversed(list(enumerate(words)))}
    if len(first) < len(words):
        kept = sorted(first.values())
        words, matrix = [words[k] for k in kept], matrix[kept]
    return RawVectors(words=words, matrix=matrix)
