"""Segments of token files, laid out as packed examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tweetclf.exceptions import DataError
from tweetclf.pretraining._layout_kernels import copy_segments, frame, measure, trim

__all__ = ["Layout"]

Shard: TypeAlias = tuple[NDArray[Any], NDArray[np.int64]]


def _as_shard(number: int, tokens: ArrayLike, offsets: ArrayLike) -> Shard:
    # Plain arrays rather than memory maps, which Numba takes longer to look at.
    flat = np.asarray(tokens)
    ends = np.asarray(offsets)
    if flat.ndim != 1 or flat.dtype.kind not in "iu":
        raise DataError(
            f"PretrainingBatches: the tokens of shard {number} must be a flat array of "
            f"ints. Got one of shape {flat.shape} and dtype {flat.dtype}."
        )
    if ends.ndim != 1 or not len(ends) or ends[0] != 0 or ends[-1] != len(flat):
        raise DataError(
            f"PretrainingBatches: the offsets of shard {number} must run from 0 to its "
            f"{len(flat)} tokens. Write the token files again."
        )
    return flat, ends.astype(np.int64, copy=False)


class Layout:
    """Puts segments, by their numbers, between special tokens.

    Parameters
    ----------
    shards, n_segments, special, vocab_size, max_length
        See `PretrainingBatches`.

    Attributes
    ----------
    n_documents : int
        Documents of all shards.
    """

    def __init__(
        self,
        shards: Sequence[tuple[ArrayLike, ArrayLike]],
        *,
        n_segments: int,
        special: Mapping[str, int],
        vocab_size: int,
        max_length: int,
    ) -> None:
        _check(n_segments, special, vocab_size, max_length)
        self.shards = [_as_shard(i, *shard) for i, shard in enumerate(shards)]
        counts = [len(offsets) - 1 for _, offsets in self.shards]
        for i, count in enumerate(counts):
            if count % n_segments:
                raise DataError(
                    f"PretrainingBatches: shard {i} holds {count} segments, no "
                    f"multiple of {n_segments}."
                )
        self.bounds = np.cumsum([0, *counts])
        self.n_documents = sum(counts) // n_segments
        self.n_segments = n_segments
        self.special = dict(special)
        self.vocab_size = vocab_size
        self.max_length = max_length

    def lengths(self) -> NDArray[np.int64]:
        """Return the length of the example that each document makes."""
        sizes = np.concatenate([np.diff(offsets) for _, offsets in self.shards])
        sizes = sizes.reshape(-1, self.n_segments).sum(axis=1)
        return np.minimum(sizes + 1 + self.n_segments, self.max_length)

    def lay_out(self, segments: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
        """Return the tokens of examples, their types, and the examples' lengths.

        Parameters
        ----------
        segments : ndarray of int64, (n, n_segments)
            Numbers of the segments of each example.
        """
        starts, sizes = np.empty_like(segments), np.empty_like(segments)
        shards = self._shards_of(segments)
        for i in shards:
            first, stop = self.bounds[i], self.bounds[i + 1]
            offsets = self.shards[i][1]
            if not measure(offsets, first, stop, segments, starts, sizes):
                raise DataError(
                    f"PretrainingBatches: the offsets of shard {i} fall. Write the "
                    "token files again."
                )
        lengths = np.empty(len(segments), dtype=np.int64)
        total = trim(segments, sizes, self.max_length, lengths)
        ids = np.empty(total, dtype=np.int64)
        types = np.empty(total, dtype=np.int64)
        frame(sizes, self.special["cls"], self.special["sep"], ids, types)
        for i in shards:
            first, stop = self.bounds[i], self.bounds[i + 1]
            bad = copy_segments(
                self.shards[i][0],
                first,
                stop,
                segments,
                starts,
                sizes,
                self.vocab_size,
                ids,
            )
            if bad >= 0:
                raise DataError(
                    f"PretrainingBatches: document {bad // self.n_segments} has a "
                    f"token that is not below the vocab_size of {self.vocab_size}. "
                    "Write the token files with the tokenizer of the model."
                )
        return ids, types, lengths

    def _shards_of(self, segments: NDArray[np.int64]) -> list[int]:
        if len(self.shards) == 1:
            return [0]
        found = np.searchsorted(self.bounds, segments.ravel(), side="right") - 1
        return np.unique(found).tolist()


def _check(
    n_segments: int, special: Mapping[str, int], vocab_size: int, max_length: int
) -> None:
    caller = "PretrainingBatches"
    if n_segments not in (1, 2):
        raise ValueError(
            f"{caller}: 'n_segments' must be 1 or 2. Got {n_segments!r} instead."
        )
    lacking = {"pad", "unk", "cls", "sep", "mask"} - set(special)
    if lacking:
        raise ValueError(f"{caller}: 'special' lacks {sorted(lacking)}.")
    if not 0 <= min(special.values()) <= max(special.values()) < vocab_size:
        raise ValueError(
            f"{caller}: special tokens must be below 'vocab_size', {vocab_size}. Got "
            f"{dict(special)}."
        )
    if max_length < 2 + n_segments:
        raise ValueError(
            f"{caller}: 'max_length' must be at least {2 + n_segments}, one token "
            f"beside the special ones. Got {max_length!r} instead."
        )
