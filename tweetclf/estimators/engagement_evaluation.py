"""The evaluation of engagement prediction: one split, several runs, their median."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from tweetclf.estimators.engagement import EngagementPredictor
from tweetclf.social.engagement import RankedEngagements, split_by_post

__all__ = ["EngagementEvaluation", "evaluate_engagement"]


@dataclass(frozen=True, eq=False)
class EngagementEvaluation:
    """HITS@k of several runs on the same split.

    Parameters
    ----------
    runs : tuple of RankedEngagements
        One a run: the same test engagements and candidates in each.
    test : ndarray of int
        Rows of the test engagements.
    n_records : tuple of int
        Engagements to train on, to validate on, and to test on.
    """

    runs: tuple[RankedEngagements, ...]
    test: NDArray[np.intp]
    n_records: tuple[int, int, int]

    @property
    def median(self) -> float:
        """Median of the runs' HITS@k: what the paper reports, of six."""
        return float(np.median([run.mean for run in self.runs]))


def evaluate_engagement(
    predictor: EngagementPredictor,
    records: ArrayLike,
    *,
    user_vectors: ArrayLike,
    texts: Any,
    n_runs: int = 6,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
) -> EngagementEvaluation:
    """Split by post, train several times, and rank the test engagements.

    Parameters
    ----------
    predictor : EngagementPredictor
        Cloned for each run, with `random_state` 0 to ``n_runs - 1``.
    records : array-like of int of shape (n, 2)
        All engagements.
    user_vectors : array-like of shape (n_users, n_user_features)
        Of all users. They must not have been learnt from test engagements: leave
        those of the test posts out of the graph.
    texts : sequence of str, or matrix of shape (n_posts, n_post_features)
        Of all posts. The features of one run serve all.
    n_runs : int, default=6
        Runs, of which the median is taken.
    fractions : sequence of float, default=(0.8, 0.1, 0.1)
        Shares of the posts: training, validation, test.
    seed : int, default=0
        Of split and candidates.

    Returns
    -------
    EngagementEvaluation
        All runs.
    """
    rows = np.asarray(records)
    train, valid, test = split_by_post(rows[:, 1], fractions=fractions, seed=seed)
    features = texts
    runs = []
    for number in range(n_runs):
        run = clone(predictor).set_params(random_state=number)
        run.fit(
            rows[train], user_vectors=user_vectors, texts=features, X_val=rows[valid]
        )
        if run.vectorizer_ is not None:
            # Frozen: computed once. The first run has fitted the vectorizer.
            features = run.features(texts)
        runs.append(
            run.rank(rows[test], user_vectors=user_vectors, texts=features, seed=seed)
        )
    sizes = (len(train), len(valid), len(test))
    return EngagementEvaluation(tuple(runs), test, sizes)
