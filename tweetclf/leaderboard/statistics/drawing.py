"""Draws of resampled tweets, as counts of cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.leaderboard.statistics.cells import Cells
from tweetclf.utils.jit import jit, kernels_pay
from tweetclf.utils.threads import in_threads

__all__ = ["resample", "resample_swaps"]

Array = NDArray[Any]
Floats = NDArray[np.float64]

# A tweet is drawn that many times faster than the count of a cell.
_QUICKER = 8
# Numbers held at a time; small enough for the cache of a processor.
_CHUNK = 2**20


def _blocks(n_resamples: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield start and size of blocks; they depend on the data alone, not on threads."""
    step = max(1, _CHUNK // max(width, 1))
    for start in range(0, n_resamples, step):
        yield start, min(step, n_resamples - start)


def resample(
    cells: Cells,
    n_resamples: int,
    rng: np.random.Generator,
    *,
    draw: str | None = None,
) -> Floats:
    """Score bootstrap resamples of the tweets, the same for all systems.

    Parameters
    ----------
    cells : Cells
        The tweets.
    n_resamples : int
        Number of resamples.
    rng : numpy.random.Generator
        Source of randomness.
    draw : {"cells", "tweets"}, optional
        Whether the counts of the cells are drawn, from the multinomial, or the tweets,
        one by one, and then counted; the distribution is the same. By default what is
        quicker: a tweet is drawn some ten times faster than a count, so tweets are
        where cells hold few of them each (many systems, many classes).

    Returns
    -------
    ndarray of shape (n_systems, n_resamples)
        The scores.
    """
    if draw is None:
        few_each = len(cells.counts) * _QUICKER > cells.n_samples
        draw = "tweets" if few_each else "cells"
    if draw == "tweets":
        return _draw_tweets(cells, n_resamples, rng)
    shares = cells.counts / cells.n_samples

    def score(size: int) -> Floats:
        return cells.scores(rng.multinomial(cells.n_samples, shares, size=size))

    return _in_blocks(cells, n_resamples, score)


def resample_swaps(cells: Cells, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Score two systems whose predictions are exchanged on a random half of the tweets.

    Parameters
    ----------
    cells : Cells
        The tweets, with two systems.
    n_resamples : int
        Number of exchanges.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (2, n_resamples)
        The scores.
    """

    def score(size: int) -> Floats:
        swapped = rng.binomial(cells.counts, 0.5, size=(size, len(cells.counts)))
        return cells.swapped_scores(swapped)

    return _in_blocks(cells, n_resamples, score)


def _in_blocks(
    cells: Cells, n_resamples: int, score: Callable[[int], Floats]
) -> Floats:
    """Return scores of blocks, drawn one after the other from one stream."""
    scores = np.empty((cells.n_systems, n_resamples))
    for start, size in _blocks(n_resamples, max(len(cells.counts), cells.width)):
        scores[:, start : start + size] = score(size)
    return scores


def _draw_tweets(cells: Cells, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Draw tweets one by one.

    Each block of resamples has a generator of its own, so that threads can share the
    work and the result does not depend on how many they are.
    """
    n_samples, n_cells = cells.n_samples, len(cells.counts)
    cell_of = np.repeat(np.arange(n_cells, dtype=np.int32), cells.counts)
    short = np.uint16 if n_samples <= 2**16 else np.uint32
    blocks = list(_blocks(n_resamples, max(n_samples, cells.width)))
    seeds = rng.integers(2**63, size=len(blocks)).tolist()
    scores = np.empty((cells.n_systems, n_resamples))
    compiled = kernels_pay(5 * n_samples * n_resamples)

    def draw(number: int) -> None:
        start, size = blocks[number]
        drawn = np.random.default_rng(seeds[number]).integers(
            n_samples, size=(size, n_samples), dtype=short
        )
        counts: Array
        if compiled:
            counts = np.zeros((size, n_cells), dtype=np.int32)
            _count(drawn, cell_of, counts)
        else:
            places = cell_of[drawn] + np.arange(size)[:, None] * n_cells
            flat = np.bincount(places.ravel(), minlength=size * n_cells)
            counts = flat.reshape(size, n_cells)
        scores[:, start : start + size] = cells.scores(counts)

    in_threads(draw, range(len(blocks)))
    return scores


@jit(cache=True, nogil=True)
def _count(drawn: Array, cell_of: Array, counts: Array) -> None:
    for row in range(drawn.shape[0]):
        for place in range(drawn.shape[1]):
            counts[row, cell_of[drawn[row, place]]] += 1
