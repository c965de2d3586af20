"""Kernels that put the segments of examples in a row."""

from __future__ import annotations

import numpy as np

from tweetclf.utils.jit import jit

__all__ = ["copy_segments", "frame", "measure", "trim"]


@jit(cache=True, nogil=True)
def measure(offsets, first, stop, segments, starts, sizes):
    """Look up where the segments of one shard lie; True if none is of negative size.

    Parameters
    ----------
    offsets : ndarray of int64
        Where the shard's segments begin, and after the last one its end.
    first, stop : int
        Number of its first segment, and of the one past its last.
    segments : ndarray of int64, (n, k)
        Numbers of segments; those of other shards are passed over.
    starts, sizes : ndarray of int64, (n, k)
        Filled with the first token within the shard, and the number of tokens.
    """
    for row in range(segments.shape[0]):
        for k in range(segments.shape[1]):
            segment = segments[row, k]
            if first <= segment < stop:
                start = offsets[segment - first]
                starts[row, k] = start
                sizes[row, k] = offsets[segment - first + 1] - start
                if sizes[row, k] < 0:
                    return False
    return True


@jit(cache=True, nogil=True)
def trim(segments, sizes, max_length, lengths):
    """Cut examples at their ends to `max_length` tokens, the longer segment first.

    Of two segments that are both too long each keeps half, and the longer one the odd
    token; of equally long ones that of the lower number, so that a pair that is turned
    round keeps the tokens it has.

    Parameters
    ----------
    segments, sizes : ndarray of int64, (n, k)
        Numbers of the segments, and their tokens: changed in place.
    max_length : int
        Most tokens, [CLS] and the [SEP] of each segment included.
    lengths : ndarray of int64, (n,)
        Filled with the tokens of each example.

    Returns
    -------
    int
        Tokens of all examples.
    """
    n_sides = sizes.shape[1]
    room = max_length - 1 - n_sides
    total = 0
    for row in range(sizes.shape[0]):
        if n_sides == 1:
            sizes[row, 0] = min(sizes[row, 0], room)
        elif sizes[row, 0] + sizes[row, 1] > room:
            small, large = 0, 1
            if sizes[row, 0] > sizes[row, 1] or (
                sizes[row, 0] == sizes[row, 1] and segments[row, 0] < segments[row, 1]
            ):
                small, large = 1, 0
            sizes[row, small] = min(sizes[row, small], room // 2)
            sizes[row, large] = room - sizes[row, small]
        length = 1 + n_sides
        for k in range(n_sides):
            length += sizes[row, k]
        lengths[row] = length
        total += length
    return total


@jit(cache=True, nogil=True)
def frame(sizes, cls_id, sep_id, ids, types):
    """Write [CLS] and [SEP] of packed examples, and the segment of every token.

    Parameters
    ----------
    sizes : ndarray of int64, (n, k)
        Tokens of the segments.
    cls_id, sep_id : int
        What is written.
    ids, types : ndarray of int64, (total,)
        Filled: 0 is the type of [CLS], the first segment and its [SEP].
    """
    place = 0
    for row in range(sizes.shape[0]):
        ids[place] = cls_id
        types[place] = 0
        place += 1
        for k in range(sizes.shape[1]):
            end = place + sizes[row, k]
            for i in range(place, end + 1):
                types[i] = k
            ids[end] = sep_id
            place = end + 1


@jit(cache=True, nogil=True)
def copy_segments(tokens, first, stop, segments, starts, sizes, vocab_size, ids):
    """Copy the segments of one shard to their places in packed examples.

    Parameters
    ----------
    tokens : ndarray of uint16 or uint32
        Of the shard.
    first, stop, segments, starts, sizes
        As in `measure`, the sizes trimmed.
    vocab_size : int
        Every token must be below.
    ids : ndarray of int64, (total,)
        Filled.

    Returns
    -------
    int
        Number of a segment with a token that is too great, or -1.
    """
    place = 0
    for row in range(segments.shape[0]):
        for k in range(segments.shape[1]):
            place += 1
            size = sizes[row, k]
            if first <= segments[row, k] < stop:
                start = starts[row, k]
                for i in range(size):
                    token = np.int64(tokens[start + i])
                    if token >= vocab_size:
                        return segments[row, k]
                    ids[place + i] = token
            place += size
        place += 1
    return -1
