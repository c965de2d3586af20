"""How well scores find the other end of an edge: MRR, HITS@k, AUC."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.social.edges import Edges
from tweetclf.utils.random import stream

__all__ = ["LinkPrediction", "popularity_baseline", "rank_links"]

Scorer = Callable[[Edges, np.ndarray], np.ndarray]

_BLOCK = 256


@dataclass(frozen=True)
class LinkPrediction:
    """Where the true end of held-out edges stands among all candidates.

    Parameters
    ----------
    n_edges, n_candidates : int
        Edges, and the most candidates that one of them had.
    mrr : float
        Mean reciprocal rank.
    hits : dict of int to float
        k -> share of edges whose true end is among the first k.
    auc : float
        Chance that the true end is above a wrong one, mean over the edges that have a
        wrong candidate; NaN, if none has.
    mean_rank : float
        Mean rank.

    Notes
    -----
    Equal scores are taken to be ordered at random, and all numbers are expectations
    over that: a scorer that says the same of all has an AUC of exactly 0.5.
    """

    n_edges: int
    n_candidates: int
    mrr: float
    hits: dict[int, float]
    auc: float
    mean_rank: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def rank_links(
    score: Scorer,
    edges: Edges,
    n: int,
    *,
    side: str = "post",
    known: Edges | None = None,
    hits: Sequence[int] = (1, 3, 10),
    n_candidates: int | None = None,
    seed: int = 0,
) -> LinkPrediction:
    """Rank the true end of each edge among all posts, or all users.

    Parameters
    ----------
    score : callable
        (edges, candidates) -> array of shape (n_edges, n_candidates): the score of
        every candidate in place of the end that `side` names.
    edges : Edges
        Edges that nothing was learnt from.
    n : int
        How many posts or users there are.
    side : {"post", "user"}, default="post"
        Which end is sought.
    known : Edges, optional
        More edges that are true; their ends, and those of `edges`, are no wrong
        candidates for the same other end and action ("filtered"). None: all count.
    hits : sequence of int, default=(1, 3, 10)
        Values of k.
    n_candidates : int, optional
        Draw so many candidates, at least 1, the same for 256 edges, instead of all;
        metrics are then higher, and to be compared with equally many candidates only.
    seed : int, default=0
        Seed of the draws.

    Returns
    -------
    LinkPrediction
        The metrics.

    Raises
    ------
    DataError
        If a score is not finite; the message names the edge.
    ValueError
        If `n_candidates` is less than 1.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.social import Edges, rank_links
    >>> edges = Edges(np.array([0, 1]), np.array([2, 0]), np.array([0, 0]))
    >>> scores = np.array([[0.1, 0.2, 0.9], [0.5, 0.7, 0.1]])
    >>> found = rank_links(lambda some, posts: scores[some.users][:, posts], edges, 3)
    >>> found.mrr, found.hits[1], found.auc
    (0.75, 0.5, 0.75)
    """
    if n_candidates is not None and n_candidates < 1:
        raise ValueError(
            "rank_links: the 'n_candidates' parameter must be at least 1 or None, for "
            f"all. Got {n_candidates!r} instead."
        )
    truth = _Known(edges, known, side) if known is not None else None
    above, ties, rivals = [], [], []
    for start in range(0, len(edges), _BLOCK):
        part = edges.take(slice(start, start + _BLOCK))
        own = np.asarray(part.posts if side == "post" else part.users, dtype=np.int64)
        columns, extra = _candidates(own, n, n_candidates, seed, start)
        scores = np.array(score(part, columns), dtype=np.float64)
        _check_finite(scores, start)
        place = np.searchsorted(columns, own)
        rows = np.arange(len(part))
        right = scores[rows, place]
        # What only other edges of the block brought is no candidate.
        scores[:, extra] = -np.inf
        if truth is not None:
            for row, taken in enumerate(truth.ends(part)):
                scores[row, _places(columns, taken)] = -np.inf
        scores[rows, place] = -np.inf
        above.append((scores > right[:, None]).sum(axis=1))
        ties.append((scores == right[:, None]).sum(axis=1))
        rivals.append(np.isfinite(scores).sum(axis=1))
    return _metrics(
        np.concatenate(above), np.concatenate(ties), np.concatenate(rivals), hits
    )


def _check_finite(scores: np.ndarray, start: int) -> None:
    """Refuse scores that no other is above of: the worst would be the best."""
    bad = ~np.isfinite(scores)
    if bad.any():
        row, column = (int(place[0]) for place in np.nonzero(bad))
        raise DataError(
            f"rank_links: edge {start + row} has a candidate whose score is "
            f"{scores[row, column]}; scores must be finite. Look for NaN or infinity "
            "in the vectors that they come from."
        )


def _candidates(
    own: np.ndarray, n: int, n_candidates: int | None, seed: int, start: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the candidates of a block, ascending, and places of those not drawn."""
    if n_candidates is None or n_candidates >= n:
        return np.arange(n), np.empty(0, dtype=np.int64)
    rng = stream(seed, "twhin", "candidates", start)
    drawn = np.sort(rng.choice(n, size=n_candidates, replace=False, shuffle=False))
    columns = np.union1d(drawn, own)
    return columns, np.flatnonzero(~np.isin(columns, drawn))


def _places(columns: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return where the wanted ones among ascending columns are."""
    at = np.searchsorted(columns, wanted)
    inside = at < len(columns)
    return at[inside][columns[at[inside]] == wanted[inside]]


class _Known:
    """True ends by other end and action."""

    def __init__(self, edges: Edges, known: Edges, side: str) -> None:
        self._side = side
        self._n_types = int(max(edges.types.max(), known.types.max())) + 1
        keys = np.concatenate([self._keys(edges), self._keys(known)])
        ends = np.concatenate([self._ends(edges), self._ends(known)])
        order = np.lexsort((ends, keys))
        self._sorted, self._others = keys[order], ends[order]

    def _keys(self, edges: Edges) -> np.ndarray:
        fixed = edges.users if self._side == "post" else edges.posts
        return fixed.astype(np.int64) * self._n_types + edges.types

    def _ends(self, edges: Edges) -> np.ndarray:
        return np.asarray(edges.posts if self._side == "post" else edges.users)

    def ends(self, edges: Edges) -> Iterator[np.ndarray]:
        """Yield the true ends for each of some edges."""
        keys = self._keys(edges)
        starts = np.searchsorted(self._sorted, keys)
        stops = np.searchsorted(self._sorted, keys, side="right")
        for a, b in zip(starts, stops, strict=True):
            yield self._others[a:b]


def _metrics(
    above: np.ndarray, ties: np.ndarray, rivals: np.ndarray, hits: Sequence[int]
) -> LinkPrediction:
    from scipy.special import digamma

    # With g above and t equal, the rank is g + 1 ... g + t + 1, equally likely.
    reciprocal = (digamma(above + ties + 2) - digamma(above + 1)) / (ties + 1)
    below = rivals - above - ties / 2
    # Without a wrong candidate there is no pair to put in order.
    paired = rivals > 0
    return LinkPrediction(
        n_edges=len(above),
        n_candidates=int(rivals.max()) + 1,
        mrr=float(reciprocal.mean()),
        hits={
            int(k): float(np.clip((k - above) / (ties + 1), 0, 1).mean()) for k in hits
        },
        auc=float((below[paired] / rivals[paired]).mean()) if paired.any() else np.nan,
        mean_rank=float((above + 1 + ties / 2).mean()),
    )


def popularity_baseline(edges: Edges, n: int, *, side: str = "post") -> Scorer:
    """Return a scorer that prefers ends with many edges, whoever asks.

    Parameters
    ----------
    edges : Edges
        Training edges.
    n : int
        How many posts or users there are.
    side : {"post", "user"}, default="post"
        Which end is sought.

    Returns
    -------
    callable
        For `rank_links`.
    """
    ends = edges.posts if side == "post" else edges.users
    counts = np.bincount(np.asarray(ends), minlength=n).astype(np.float64)

    def score(some: Edges, candidates: np.ndarray) -> np.ndarray:
        return np.broadcast_to(counts[candidates], (len(some), len(candidates)))

    return score
