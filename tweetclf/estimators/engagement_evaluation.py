"""The evaluation of engagement prediction: one split, several runs, their median."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from tweetclf.estimators.engagement import EngagementPredictor
from tweetclf.social.engagement import RankedEngagements, split_by_post

__all__ = ["EngagementEvaluation", "engagement_runs", "evaluate_engagement"]


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


def engagement_runs(
    predictor: EngagementPredictor,
    parts: tuple[ArrayLike, ArrayLike, ArrayLike],
    *,
    user_vectors: ArrayLike,
    texts: Any,
    runs: Iterable[int],
    pool: ArrayLike | None = None,
    seed: int = 0,
) -> Iterator[tuple[EngagementPredictor, RankedEngagements]]:
    """Train once a run, and rank the test engagements.

    Parameters
    ----------
    predictor : EngagementPredictor
        Cloned for each run.
    parts : tuple of array-like of int of shape (n, 2)
        Engagements to train on, to validate on, and to test on.
    user_vectors : array-like of shape (n_users, n_user_features)
        Of all users.
    texts : sequence of str, or matrix of shape (n_posts, n_post_features)
        Of all posts. The features of the first run serve all.
    runs : iterable of int
        Numbers of the runs, each the `random_state` of its predictor.
    pool : array-like of int, optional
        Posts that test candidates are drawn from; by default those of the test
        engagements. No candidate is one that its user engaged with in any part.
    seed : int, default=0
        Of the candidates, which are the same in all runs.

    Yields
    ------
    EngagementPredictor, RankedEngagements
        The fitted predictor of the run, and how it ranks.
    """
    train, valid, test = parts
    known = np.concatenate(
        [np.reshape(part, (-1, 2)) for part in parts if part is not None]
    )
    features = texts
    for number in runs:
        run = clone(predictor).set_params(random_state=number)
        run.fit(train, user_vectors=user_vectors, texts=features, X_val=valid)
        if run.vectorizer_ is not None:
            # Frozen: computed once. The first run has fitted the vectorizer.
            features = run.features(texts)
        ranked = run.rank(
            test,
            user_vectors=user_vectors,
            texts=features,
            pool=pool,
            known=known,
            seed=seed,
        )
        yield run, ranked


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
    parts = split_by_post(rows[:, 1], fractions=fractions, seed=seed)
    train, valid, test = (rows[part] for part in parts)
    found = engagement_runs(
        predictor,
        (train, valid, test),
        user_vectors=user_vectors,
        texts=texts,
        runs=range(n_runs),
        seed=seed,
    )
    runs = tuple(ranked for _, ranked in found)
    return EngagementEvaluation(runs, parts[2], (len(train), len(valid), len(test)))
