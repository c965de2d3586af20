"""Who engages with which post: splits, negatives and ranks, on arrays alone.

An engagement is a pair of numbers, a user's and a post's. What is learnt from them is
`tweetclf.estimators.EngagementPredictor`.

References
----------
X. Zhang et al. TwHIN-BERT. KDD 2023, section 3.2 (arXiv:2209.07562).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tweetclf.exceptions import DataError
from tweetclf.utils.random import stream

__all__ = [
    "NegativePosts",
    "RankedEngagements",
    "check_engagements",
    "draw_candidates",
    "expected_hits",
    "rank_engagements",
    "split_by_post",
]

Ties = Literal["expected", "optimistic", "pessimistic"]
# Rows that are ranked together: 999 candidates of 128 numbers are 33 MB for so many.
_ROWS_AT_ONCE = 64


def check_engagements(
    records: ArrayLike, n_users: int, n_posts: int, *, caller: str
) -> NDArray[np.int64]:
    """Return engagements as an array, or say which one cannot be.

    Parameters
    ----------
    records : array-like of int of shape (n, 2)
        User and post of each.
    n_users, n_posts : int
        How many there are of each.
    caller : str
        Who asks, for the message.

    Raises
    ------
    DataError
        If they are no pairs of numbers, there are none, or one is of a user or a post
        that is not there.
    """
    array = np.asarray(records)
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu":
        raise DataError(
            f"{caller}: engagements must be an integer array of shape (n, 2), the "
            f"numbers of user and post. Got shape {array.shape} and dtype "
            f"{array.dtype}."
        )
    if not len(array):
        raise DataError(f"{caller}: there is no engagement.")
    for column, (what, n) in enumerate((("user", n_users), ("post", n_posts))):
        bad = (array[:, column] < 0) | (array[:, column] >= n)
        if bad.any():
            row = int(bad.argmax())
            raise DataError(
                f"{caller}: engagement {row} is of {what} {array[row, column]}, and "
                f"there are {n} {what}s, numbered from 0."
            )
    return array.astype(np.int64)


def split_by_post(
    posts: ArrayLike,
    *,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
) -> tuple[NDArray[np.intp], ...]:
    """Split engagements so that no post is in two parts.

    Posts are drawn, and their engagements follow them: parts have their shares of the
    posts, and only about theirs of the engagements.

    Parameters
    ----------
    posts : array-like of shape (n,)
        The post of each engagement.
    fractions : sequence of float, default=(0.8, 0.1, 0.1)
        Shares of the posts, which sum to 1: training, validation and test.
    seed : int, default=0
        Of the draw, which depends on the set of posts and not on their order.

    Returns
    -------
    tuple of ndarray of int
        Rows of the engagements of each part, in ascending order.

    Examples
    --------
    >>> from tweetclf.social import split_by_post
    >>> train, valid, test = split_by_post([0, 0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9])
    >>> len(train) + len(valid) + len(test)
    12
    """
    shares = np.asarray(fractions, dtype=float)
    if (shares < 0).any() or abs(shares.sum() - 1) > 1e-9:
        raise ValueError(
            "split_by_post: the 'fractions' parameter must be shares that sum to 1. "
            f"Got {tuple(fractions)!r} instead."
        )
    unique, inverse = np.unique(np.asarray(posts), return_inverse=True)
    order = stream(seed, "posts of each part").permutation(len(unique))
    ends = np.rint(shares.cumsum() * len(unique)).astype(np.int64)
    part = np.empty(len(unique), dtype=np.int64)
    part[order] = np.searchsorted(ends, np.arange(len(unique)), side="right")
    return tuple(np.flatnonzero(part[inverse] == k) for k in range(len(shares)))


class NegativePosts:
    """Posts drawn by a power of their frequency.

    Parameters
    ----------
    counts : array-like of shape (n_posts,)
        Engagements of each post; posts without any are never drawn.
    power : float, default=0.75
        0 is uniform over the posts that have an engagement.

    Attributes
    ----------
    law : ndarray of float64 of shape (n_posts,)
        Probability of each post.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.social import NegativePosts
    >>> NegativePosts([16, 1, 0]).law.round(3).tolist()
    [0.889, 0.111, 0.0]
    >>> NegativePosts([16, 1, 0]).draw(np.random.default_rng(0), (2, 3)).shape
    (2, 3)
    """

    def __init__(self, counts: ArrayLike, power: float = 0.75) -> None:
        frequencies = np.asarray(counts, dtype=np.float64)
        weights = np.where(frequencies > 0, frequencies, 1.0) ** power
        weights[frequencies <= 0] = 0.0
        if not weights.sum() > 0:
            raise DataError("NegativePosts: no post has an engagement.")
        self._posts = np.flatnonzero(weights)
        cumulated = weights[self._posts].cumsum()
        self._cumulated = cumulated / cumulated[-1]
        self.law = weights / weights.sum()

    def draw(
        self, generator: np.random.Generator, shape: int | tuple[int, ...]
    ) -> NDArray[np.int64]:
        """Return numbers of posts, independently drawn.

        Parameters
        ----------
        generator : numpy.random.Generator
            Source of the draws.
        shape : int or tuple of int
            How many.
        """
        at = np.searchsorted(self._cumulated, generator.random(shape), side="right")
        return self._posts[at]


def draw_candidates(
    generator: np.random.Generator,
    positives: NDArray[np.int64],
    n_posts: int,
    n_candidates: int,
) -> NDArray[np.int64]:
    """Draw for each post others of 0 to `n_posts` - 1, none of them twice.

    Parameters
    ----------
    generator : numpy.random.Generator
        Source of the draws.
    positives : ndarray of int of shape (n,)
        The posts.
    n_posts : int
        How many posts there are.
    n_candidates : int
        How many to draw for each; where there are not so many others, all are taken.

    Returns
    -------
    ndarray of int64 of shape (n, min(n_candidates, n_posts - 1))
        All sets of others are equally likely. In no order that means anything.
    """
    n, others = len(positives), n_posts - 1
    if n_candidates >= others:
        drawn = np.broadcast_to(np.arange(others), (n, others)).copy()
    elif others < 4 * n_candidates:
        drawn = generator.random((n, others)).argpartition(n_candidates, axis=1)
        drawn = drawn[:, :n_candidates]
    else:
        drawn = generator.integers(others, size=(n, n_candidates))
        while True:
            drawn.sort(axis=1)
            again = np.zeros(drawn.shape, dtype=bool)
            again[:, 1:] = drawn[:, 1:] == drawn[:, :-1]
            n_again = int(again.sum())
            if not n_again:
                break
            drawn[again] = generator.integers(others, size=n_again)
    # Numbers from the positive on stand for the post after them.
    return drawn + (drawn >= positives[:, None])


def expected_hits(
    positives: ArrayLike,
    others: ArrayLike,
    k: int,
    *,
    ties: Ties = "expected",
) -> NDArray[np.float64]:
    """Return whether each positive is among the `k` best, ties counted fairly.

    Parameters
    ----------
    positives : array-like of float of shape (n,)
        Score of the positive of each row, finite.
    others : array-like of float of shape (n, m)
        Scores of what it is ranked among; NaN is no candidate.
    k : int
        How many of the best count.
    ties : {"expected", "optimistic", "pessimistic"}, default="expected"
        Where others score exactly what the positive does: the probability of being
        among the best when equals are put in random order, or what the best or the
        worst order gives. A predictor that knows nothing and says the same of all
        gets k / (m + 1), 1, or 0.

    Returns
    -------
    ndarray of float64 of shape (n,)
        1, 0, or for a tie across the `k`-th place a number between.

    Raises
    ------
    DataError
        If a positive's score is not finite: nothing would be above NaN.

    Examples
    --------
    >>> from tweetclf.social import expected_hits
    >>> expected_hits([0.5, 0.5], [[0.9, 0.1], [0.5, 0.1]], 1).tolist()
    [0.0, 0.5]
    """
    scores = np.asarray(positives)[:, None]
    if not np.isfinite(scores).all():
        row = int((~np.isfinite(scores)).argmax())
        raise DataError(
            f"expected_hits: positives[{row}] is {scores[row, 0]}; scores must be "
            "finite. Look for NaN or infinity in what they come from."
        )
    rivals = np.asarray(others)
    better = (rivals > scores).sum(axis=1)
    equal = (rivals == scores).sum(axis=1)
    if ties == "expected":
        return np.clip((k - better) / (equal + 1), 0.0, 1.0)
    if ties not in ("optimistic", "pessimistic"):
        raise ValueError(
            "expected_hits: the 'ties' parameter must be 'expected', 'optimistic' or "
            f"'pessimistic'. Got {ties!r} instead."
        )
    above = better if ties == "optimistic" else better + equal
    return (above < k).astype(np.float64)


def _draw_unknown(
    generators: tuple[np.random.Generator, np.random.Generator],
    users: NDArray[np.int64],
    positives: NDArray[np.int64],
    known: NDArray[np.int64],
    n_posts: int,
    n_candidates: int,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Draw candidates that are no known engagements of their users.

    `known` holds the sorted ``user * n_posts + post``. Returns candidates, and which of
    them are none, since the user has no others: at the end of their row.
    """
    generator, again = generators
    drawn = draw_candidates(generator, positives, n_posts, n_candidates)
    unfit = np.isin(users[:, None] * n_posts + drawn, known)
    for row in np.flatnonzero(unfit.any(axis=1)).tolist():
        first = users[row] * n_posts
        start, stop = np.searchsorted(known, [first, first + n_posts])
        true, had = known[start:stop] - first, drawn[row].copy()
        fit, lost = had[~unfit[row]], had[unfit[row]]
        if len(had) < n_posts - 1:
            # Enough that as many as were lost remain without `had` and `true`. Of those
            # all sets are equally likely, and so they are with `fit`.
            n_asked = len(had) + len(true) + len(lost)
            more = draw_candidates(again, positives[row : row + 1], n_posts, n_asked)[0]
            more = again.permutation(more[~np.isin(more, np.append(had, true))])
            n_more = min(len(more), len(lost))
            fit, lost = np.append(fit, more[:n_more]), lost[n_more:]
        drawn[row] = np.append(fit, lost)
        unfit[row] = np.arange(len(had)) >= len(fit)
    return drawn, unfit


def _check_finite(
    scores: NDArray[np.floating], users: NDArray[np.int64], start: int
) -> None:
    """Refuse scores that no other is above of: the worst would be the best."""
    finite = np.isfinite(scores).all(axis=1)
    if not finite.all():
        row = int((~finite).argmax())
        raise DataError(
            f"rank_engagements: scores of engagement {start + row}, of user "
            f"{users[row]}, are not finite. Look for NaN or infinity in the states of "
            "the user and of the posts."
        )


@dataclass(frozen=True, eq=False)
class RankedEngagements:
    """How well engagements were found among other posts.

    Parameters
    ----------
    hits : ndarray of float64 of shape (n,)
        Whether each was among the `k` best, see `expected_hits`.
    k : int
        How many count as best.
    n_others : ndarray of int64 of shape (n,)
        How many other posts each was ranked among.
    """

    hits: NDArray[np.float64]
    k: int
    n_others: NDArray[np.int64]

    @property
    def mean(self) -> float:
        """HITS@k."""
        return float(self.hits.mean())

    @property
    def n_candidates(self) -> float:
        """Mean of the numbers of other posts."""
        return float(self.n_others.mean())

    @property
    def chance(self) -> float:
        """HITS@k of a predictor that says the same of all, equals in random order."""
        return float(np.minimum(1.0, self.k / (self.n_others + 1)).mean())


def rank_engagements(
    user_states: NDArray[Any],
    post_states: NDArray[Any],
    records: ArrayLike,
    *,
    k: int = 10,
    n_candidates: int = 999,
    pool: ArrayLike | None = None,
    known: ArrayLike | None = None,
    ties: Ties = "expected",
    seed: int = 0,
) -> RankedEngagements:
    """Rank the post of each engagement among posts drawn at random.

    Parameters
    ----------
    user_states : ndarray of shape (n_users, d)
        States of the users.
    post_states : ndarray of shape (n_posts, d)
        States of the posts; the score is the product of both.
    records : array-like of int of shape (n, 2)
        User and post of each engagement.
    k : int, default=10
        How many of the best count.
    n_candidates : int, default=999
        Other posts to rank among, at least 1; all of the pool that are no known
        engagements of the user, where there are not so many.
    pool : array-like of int, optional
        Posts to draw from; by default the different posts of `records`, so that all
        candidates are as new to the predictor as the positive is. The paper says
        "random tweets", and not whose.
    known : array-like of int of shape (m, 2), optional
        Engagements that are true as well: their posts are no candidates for their
        users ("filtered"), and others are drawn in their place. By default `records`;
        an empty array filters nothing. The paper does not say.
    ties : {"expected", "optimistic", "pessimistic"}, default="expected"
        See `expected_hits`; the paper does not say.
    seed : int, default=0
        Of the candidates, which depend on it and on `records` alone.

    Returns
    -------
    RankedEngagements
        Two numbers an engagement: its hit, and how many it was ranked among.

    Raises
    ------
    DataError
        If an engagement is of nobody or of a post that cannot be ranked, or a score is
        not finite; the message names the engagement.
    ValueError
        If `n_candidates` is less than 1.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.social import rank_engagements
    >>> ranked = rank_engagements(np.eye(20), np.eye(20), [[3, 3], [4, 5]], k=1,
    ...                           pool=np.arange(20))
    >>> ranked.hits.tolist(), ranked.n_candidates
    ([1.0, 0.0], 19.0)
    """
    caller = "rank_engagements"
    if n_candidates < 1:
        raise ValueError(
            f"{caller}: the 'n_candidates' parameter must be at least 1. Got "
            f"{n_candidates!r} instead."
        )
    n_posts = len(post_states)
    rows = check_engagements(records, len(user_states), n_posts, caller=caller)
    posts = np.unique(rows[:, 1] if pool is None else np.asarray(pool))
    places = np.searchsorted(posts, rows[:, 1])
    there = posts[np.minimum(places, len(posts) - 1)] == rows[:, 1]
    if not there.all():
        row = int((~there).argmax())
        raise DataError(
            f"{caller}: the post of engagement {row}, {rows[row, 1]}, is not in "
            "'pool'. Add the posts of the engagements to it."
        )
    if len(posts) < 2:
        raise DataError(f"{caller}: there is no other post to rank among; give more.")
    true = rows if known is None else np.asarray(known, dtype=np.int64).reshape(-1, 2)
    at = np.minimum(np.searchsorted(posts, true[:, 1]), len(posts) - 1)
    true, at = true[posts[at] == true[:, 1]], at[posts[at] == true[:, 1]]
    codes = np.unique(true[:, 0] * len(posts) + at)
    generators = stream(seed, "candidates"), stream(seed, "candidates again")
    hits, n_others = [], []
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        users, wanted = rows[some].T
        drawn, unfit = _draw_unknown(
            generators, users, places[some], codes, len(posts), n_candidates
        )
        # The positive among them: so equal posts score the same bits.
        ranked = np.concatenate([wanted[:, None], posts[drawn]], axis=1)
        scores = np.einsum("nd,nmd->nm", user_states[users], post_states[ranked])
        _check_finite(scores, users, start)
        others = np.where(unfit, np.nan, scores[:, 1:])
        hits.append(expected_hits(scores[:, 0], others, k, ties=ties))
        n_others.append((~unfit).sum(axis=1))
    return RankedEngagements(np.concatenate(hits), k, np.concatenate(n_others))
