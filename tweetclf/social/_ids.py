"""Ids of users and posts, numbered by a hash of theirs, on disk.

A number is the rank of an id's hash. So the same set of ids has the same numbers
whatever order they come in, ids are found by binary search without a dictionary in
memory, and any range of numbers is a random sample, as partitions want it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from tweetclf.exceptions import DataError

__all__ = ["IdTable", "IdWriter", "digests", "read_array"]

_BLOCK = 1 << 16


def digests(ids: Iterable[bytes], salt: int = 0) -> np.ndarray:
    """Return two 64-bit hashes of each id: its place, and a check of it.

    Parameters
    ----------
    ids : iterable of bytes
        Ids as UTF-8.
    salt : int, default=0
        Another one gives other hashes.

    Returns
    -------
    ndarray of uint64, shape (n_ids, 2)
        Halves of BLAKE2b-128: nobody can choose ids that all fall in one place.
    """
    key = salt.to_bytes(16, "big")
    joined = b"".join(
        hashlib.blake2b(name, digest_size=16, salt=key).digest() for name in ids
    )
    return np.frombuffer(joined, dtype=">u8").astype(np.uint64).reshape(-1, 2)


def read_array(path: Path, dtype: str) -> np.ndarray:
    """Map a file of numbers into memory; an empty file is an empty array."""
    if path.stat().st_size == 0:
        return np.empty(0, dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="r")


class IdWriter:
    """Writes the files of an `IdTable`, ids in ascending order of their hashes.

    Parameters
    ----------
    folder : Path
        Where to.
    name : str
        Begin of the names of the files.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._files = [
            (folder / f"{name}.{kind}").open("wb")
            for kind in ("hashes", "offsets", "text")
        ]
        self._at = 0
        self._files[1].write(np.zeros(1, dtype="<i8").tobytes())

    def write(self, hashes: np.ndarray, ids: Sequence[bytes]) -> None:
        """Append some ids."""
        lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
        ends = self._at + np.cumsum(lengths)
        self._at = int(ends[-1]) if len(ids) else self._at
        parts = (hashes.astype("<u8").tobytes(), ends.astype("<i8").tobytes())
        for file, data in zip(self._files, (*parts, b"".join(ids)), strict=True):
            file.write(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for file in self._files:
            file.close()


class IdTable(Sequence[str]):
    """The ids of the users or of the posts of a graph: number -> id, and back.

    Parameters
    ----------
    folder : Path
        Folder of the graph.
    name : str
        Begin of the names of its files.
    salt : int, default=0
        Salt of its hashes.
    """

    def __init__(self, folder: Path, name: str, salt: int = 0) -> None:
        self._salt = salt
        self.hashes = read_array(folder / f"{name}.hashes", "<u8")
        self._offsets = read_array(folder / f"{name}.offsets", "<i8")
        self._text = read_array(folder / f"{name}.text", "u1")
        if len(self._offsets) != len(self.hashes) + 1 or self._offsets[-1] != len(
            self._text
        ):
            raise DataError(
                f"{folder / name}: the files of the ids do not fit together; build "
                "the graph anew."
            )

    def __len__(self) -> int:
        return len(self.hashes)

    def bytes_of(self, start: int, stop: int) -> list[bytes]:
        """Return the ids of a range as UTF-8."""
        ends = self._offsets[start : stop + 1].tolist()
        first = ends[0]
        text = self._text[first : ends[-1]].tobytes()
        return [
            text[a - first : b - first] for a, b in zip(ends, ends[1:], strict=False)
        ]

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = int(index)
        if number < 0:
            number += len(self)
        if not 0 <= number < len(self):
            raise IndexError(f"there is no id {index}; there are {len(self)}")
        return self.bytes_of(number, number + 1)[0].decode("utf-8")

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _BLOCK):
            stop = min(start + _BLOCK, len(self))
            yield from (name.decode("utf-8") for name in self.bytes_of(start, stop))

    def find(self, ids: Iterable[str]) -> np.ndarray:
        """Return the number of each id; -1 for those that are not there.

        Parameters
        ----------
        ids : iterable of str
            Ids.

        Returns
        -------
        ndarray of int64
            Their numbers.
        """
        names = [name.encode("utf-8", "surrogatepass") for name in ids]
        hashes = digests(names, self._salt)[:, 0]
        places = np.searchsorted(self.hashes, hashes)
        places[places == len(self)] = 0
        found = np.full(len(names), -1, dtype=np.int64)
        if len(self) == 0:
            return found
        for i in np.flatnonzero(self.hashes[places] == hashes):
            at = int(places[i])
            if self.bytes_of(at, at + 1)[0] == names[i]:
                found[i] = at
        return found
