"""Coherence of conversations: pairs of posts with their replies, and with others.

References
----------
J. Á. González, L.-F. Hurtado and F. Pla, "TWilBert", Neurocomputing 426, 2021, section
6: the sets D'1 (topic) and D'2 (order) of 15,000 right and 15,000 wrong pairs each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import DataError
from tweetclf.utils.random import stream
from tweetclf.utils.validation import check_text_pairs

__all__ = ["CoherenceSet", "reply_order_set", "topic_coherence_set"]

# Rounds of exchanges before it is given up to find a stranger for each post.
_ROUNDS = 50


@dataclass(frozen=True)
class CoherenceSet:
    """Right pairs and as many wrong ones.

    Parameters
    ----------
    name : {"topic", "order"}
        D'1, wrong replies, or D'2, exchanged sides.
    pairs : tuple of (str, str)
        First the right pairs, then the wrong ones in the same order.
    labels : ndarray of int64 of shape (n,)
        1 for right, 0 for wrong.
    sources : ndarray of int64 of shape (n,)
        The pair that each one was made of.
    """

    name: str
    pairs: tuple[tuple[str, str], ...]
    labels: NDArray[np.int64]
    sources: NDArray[np.int64]


def _balanced(
    name: str, right: list[tuple[str, str]], wrong: list[tuple[str, str]]
) -> CoherenceSet:
    n = len(right)
    labels = np.repeat(np.array([1, 0], dtype=np.int64), n)
    return CoherenceSet(name, (*right, *wrong), labels, np.tile(np.arange(n), 2))


def reply_order_set(pairs: Sequence[tuple[str, str]]) -> CoherenceSet:
    """Make the set D'2: each pair as it was written, and with its sides exchanged.

    Parameters
    ----------
    pairs : sequence of (str, str)
        Posts with their replies; a pair of two equal texts is left out.

    Returns
    -------
    CoherenceSet
        Twice as many pairs.

    Examples
    --------
    >>> from tweetclf.analysis import reply_order_set
    >>> reply_order_set([("¿vienes?", "ya voy")]).pairs
    (('¿vienes?', 'ya voy'), ('ya voy', '¿vienes?'))
    """
    rows = _rows(pairs, "reply_order_set")
    kept = [(a, b) for a, b in rows if a != b]
    if not kept:
        raise DataError("reply_order_set: there are no pairs of two different texts.")
    return _balanced("order", kept, [(b, a) for a, b in kept])


def topic_coherence_set(
    pairs: Sequence[tuple[str, str]], *, random_state: int = 0
) -> CoherenceSet:
    """Make the set D'1: each pair as it was written, and with another post's reply.

    Parameters
    ----------
    pairs : sequence of (str, str)
        Posts with their replies.
    random_state : int, default=0
        Seed of the permutation of the replies. No post keeps its reply, nor gets one
        that reads the same, nor one that answers the same post elsewhere.

    Returns
    -------
    CoherenceSet
        Twice as many pairs.

    Raises
    ------
    DataError
        If there is no such permutation to be found, as when all replies are equal.

    Examples
    --------
    >>> from tweetclf.analysis import topic_coherence_set
    >>> made = topic_coherence_set([("a", "A"), ("b", "B")])
    >>> made.pairs, made.labels.tolist()
    ((('a', 'A'), ('b', 'B'), ('a', 'B'), ('b', 'A')), [1, 1, 0, 0])
    """
    rows = _rows(pairs, "topic_coherence_set")
    written = set(rows)
    generator = stream(random_state, "topic coherence")
    order = generator.permutation(len(rows))

    def is_wrong(row: int, reply: int) -> bool:
        return (rows[row][0], rows[reply][1]) not in written

    for _ in range(_ROUNDS):
        bad = [i for i in range(len(rows)) if not is_wrong(i, order[i])]
        if not bad:
            wrong = [(rows[i][0], rows[j][1]) for i, j in enumerate(order)]
            return _balanced("topic", rows, wrong)
        for i in bad:
            _exchange(i, order, is_wrong, generator)
    raise DataError(
        "topic_coherence_set: some posts have no reply of another post that reads "
        f"differently, as {rows[bad[0]]!r}. Leave out pairs with repeated replies."
    )


def _exchange(
    i: int,
    order: NDArray[np.int64],
    is_wrong: Callable[[int, int], bool],
    generator: np.random.Generator,
) -> None:
    """Give post `i` the reply of another one, so that both are wrong, if one fits."""
    for j in generator.integers(len(order), size=20).tolist():
        if is_wrong(i, order[j]) and is_wrong(j, order[i]):
            order[i], order[j] = order[j], order[i]
            return


def _rows(pairs: Sequence[tuple[str, str]], caller: str) -> list[tuple[str, str]]:
    rows = list(zip(*check_text_pairs(pairs, caller=caller), strict=True))
    if not rows:
        raise DataError(f"{caller}: there are no pairs; give at least one.")
    return rows
