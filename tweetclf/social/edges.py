"""Edges as plain arrays: who engaged with what, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError

__all__ = ["Edges", "as_edges"]


@dataclass(frozen=True, eq=False)
class Edges:
    """Directed, typed edges from users to posts, by their numbers.

    Parameters
    ----------
    users, posts : ndarray of int, shape (n_edges,)
        Ends of the edges.
    types : ndarray of int, shape (n_edges,)
        Number of the action of each edge.
    weights : ndarray of float32, optional
        Weight of each edge.
    times : ndarray of float64, optional
        Seconds since 1970.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.social import Edges
    >>> edges = Edges(np.array([0, 0, 1]), np.array([2, 3, 2]), np.array([0, 0, 1]))
    >>> len(edges), edges.take(edges.posts == 2).users.tolist()
    (3, [0, 1])
    """

    users: np.ndarray
    posts: np.ndarray
    types: np.ndarray
    weights: np.ndarray | None = None
    times: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.users)

    def take(self, where: Any) -> Edges:
        """Return some of the edges.

        Parameters
        ----------
        where : slice, mask or positions
            Which ones.
        """
        return Edges(
            self.users[where],
            self.posts[where],
            self.types[where],
            None if self.weights is None else self.weights[where],
            None if self.times is None else self.times[where],
        )


def as_edges(X: Any, *, caller: str) -> Edges:
    """Return edges from anything that is some.

    Parameters
    ----------
    X : EngagementGraph, Edges or array-like of int, shape (n_edges, 2 or 3)
        Edges; the columns of an array are user, post and, if there is a third, action.
    caller : str
        What asks, for messages.

    Raises
    ------
    DataError
        If `X` is no edges, holds none, or a negative number.
    """
    if hasattr(X, "edges") and callable(X.edges):
        X = X.edges()
    if not isinstance(X, Edges):
        array = np.asarray(X)
        if (
            array.ndim != 2
            or array.shape[1] not in (2, 3)
            or array.dtype.kind not in "iu"
        ):
            raise DataError(
                f"{caller} expected an EngagementGraph, Edges, or an array of whole "
                "numbers with the columns user, post and, optionally, action. Got "
                f"{type(X).__name__} of shape {array.shape} and type {array.dtype}."
            )
        types = array[:, 2] if array.shape[1] == 3 else np.zeros(len(array), np.int64)
        X = Edges(array[:, 0], array[:, 1], types)
    if not len(X):
        raise DataError(f"{caller} got no edges.")
    least = min(int(column.min()) for column in (X.users, X.posts, X.types))
    if least < 0:
        raise DataError(
            f"{caller}: users, posts and actions are numbered from 0; got {least}. "
            "IdTable.find returns -1 for ids that the graph does not have: drop them."
        )
    return X
