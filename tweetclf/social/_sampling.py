"""Samples by hash: of a stream of any size, the same whatever its order."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["Sample", "cut", "split_sizes"]


class Sample:
    """The items of the smallest hashes of a stream.

    A hash of key and seed is as good as a draw, and does not depend on what came
    before: the sample is the same for any order of the stream, and items of equal keys
    are one.

    Parameters
    ----------
    size : int
        Most items that are kept: memory is that of so many.
    seed : int
        Another one draws another sample.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._salt = seed.to_bytes(8, "big", signed=True)
        self._heap: list[int] = []
        self._items: dict[int, tuple[Any, ...]] = {}

    def add(self, key: str, item: tuple[Any, ...]) -> None:
        """Take an item, or leave it; of equal keys the smallest item stays."""
        digest = hashlib.blake2b(
            key.encode("utf-8", "surrogatepass"), digest_size=8, salt=self._salt
        )
        number = int.from_bytes(digest.digest(), "big")
        if number in self._items:
            self._items[number] = min(self._items[number], item)
            return
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, -number)
        elif self._heap and number < -self._heap[0]:
            del self._items[-heapq.heappushpop(self._heap, -number)]
        else:
            return
        self._items[number] = item

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Yield the items in order of their hashes, which is a random one."""
        for number in sorted(self._items):
            yield self._items[number]


def split_sizes(n: int, sizes: Mapping[str, int]) -> dict[str, int]:
    """Return how many of `n` items go into each split.

    Parameters
    ----------
    n : int
        Items that there are.
    sizes : mapping of str to int
        Items that are wished for each split. Where there are fewer, each gets its
        share, and the first what is left over.

    Examples
    --------
    >>> split_sizes(15, {"train": 16, "dev": 2, "test": 2})
    {'train': 13, 'dev': 1, 'test': 1}
    """
    wished = sum(sizes.values())
    if n >= wished:
        return dict(sizes)
    given = {name: n * size // wished for name, size in sizes.items()}
    first = next(iter(given))
    given[first] += n - sum(given.values())
    return given


def cut(items: Sequence[Any], sizes: Mapping[str, int]) -> dict[str, list[Any]]:
    """Cut items into splits of these sizes, in order; what is over is left out."""
    parts, start = {}, 0
    for name, size in sizes.items():
        parts[name] = list(items[start : start + size])
        start += size
    return parts
