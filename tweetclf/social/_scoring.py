"""Scores of edges by their vectors, and how well they find held-out ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from tweetclf.exceptions import DataError
from tweetclf.social.edges import Edges, as_edges
from tweetclf.social.ranking import LinkPrediction, rank_links

__all__ = ["EdgeScores"]

_BLOCK = 1 << 16


class EdgeScores:
    """What a fitted embedding says about edges."""

    user_vectors_: np.ndarray
    post_vectors_: np.ndarray
    relation_vectors_: np.ndarray

    def score_edges(self, X: Any) -> np.ndarray:
        """Return how well each edge fits: ``(u + r)^T t``.

        Parameters
        ----------
        X : EngagementGraph, Edges or array-like of int, shape (n_edges, 2 or 3)
            Edges between users and posts of the training.

        Returns
        -------
        ndarray of float32, shape (n_edges,)
            Scores; the logistic function makes probabilities against the wrong edges
            of the training of them.
        """
        check_is_fitted(self)
        edges = self._known_edges(X)
        scores = np.empty(len(edges), dtype=np.float32)
        for start in range(0, len(edges), _BLOCK):
            part = edges.take(slice(start, start + _BLOCK))
            scores[start : start + _BLOCK] = np.einsum(
                "nd,nd->n", self._heads(part), self.post_vectors_[part.posts]
            )
        return scores

    def _known_edges(self, X: Any) -> Edges:
        edges = as_edges(X, caller="TwHINEmbedding")
        for name, vectors in (
            ("users", self.user_vectors_),
            ("posts", self.post_vectors_),
            ("types", self.relation_vectors_),
        ):
            if int(getattr(edges, name).max()) >= len(vectors):
                raise DataError(
                    f"TwHINEmbedding was fitted on {len(vectors):,} {name}, numbered "
                    f"from 0; got number {int(getattr(edges, name).max()):,}."
                )
        return edges

    def _heads(self, edges: Edges) -> np.ndarray:
        return self.user_vectors_[edges.users] + self.relation_vectors_[edges.types]

    def _score_posts(self, edges: Edges, candidates: np.ndarray) -> np.ndarray:
        return self._heads(edges) @ self.post_vectors_[candidates].T

    def _score_users(self, edges: Edges, candidates: np.ndarray) -> np.ndarray:
        posts = self.post_vectors_[edges.posts]
        own = np.einsum("nd,nd->n", self.relation_vectors_[edges.types], posts)
        return posts @ self.user_vectors_[candidates].T + own[:, None]

    def link_prediction(
        self,
        X: Any,
        *,
        filtered: Any = None,
        side: str = "post",
        hits: Sequence[int] = (1, 3, 10),
        n_candidates: int | None = None,
        random_state: int = 0,
    ) -> LinkPrediction:
        """Rank the true end of held-out edges among all posts, or all users.

        Parameters
        ----------
        X : EngagementGraph, Edges or array-like
            Edges that were not trained on.
        filtered : EngagementGraph, Edges or array-like, optional
            Edges known to be true (those of the training, say): they and those of `X`
            are no wrong answers. None: every other end is wrong ("raw").
        side : {"post", "user"}, default="post"
            Which end is sought.
        hits : sequence of int, default=(1, 3, 10)
            Values of k.
        n_candidates : int, optional
            Rank among so many drawn ones, at least 1, instead of all.
        random_state : int, default=0
            Seed of the draws.

        Returns
        -------
        LinkPrediction
            MRR, HITS@k, AUC, mean rank.

        Raises
        ------
        DataError
            If an edge is of numbers that were not trained on, or a score not finite.
        ValueError
            If `side` or `n_candidates` is out of range.
        """
        check_is_fitted(self)
        if side not in ("post", "user"):
            raise ValueError(
                f"link_prediction: side must be 'post' or 'user'. Got {side!r} instead."
            )
        posts = side == "post"
        return rank_links(
            self._score_posts if posts else self._score_users,
            self._known_edges(X),
            len(self.post_vectors_ if posts else self.user_vectors_),
            side=side,
            known=None if filtered is None else self._known_edges(filtered),
            hits=hits,
            n_candidates=n_candidates,
            seed=random_state,
        )
