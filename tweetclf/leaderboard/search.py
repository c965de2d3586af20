"""Search that computes features once a fold and solves in threads."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
from joblib import parallel_config
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from tweetclf.estimators import (
    NBSVMClassifier,
    OneVsRestLogisticRegression,
    SoftVotingClassifier,
)
from tweetclf.estimators.dual_cd import CompiledLinearSVC
from tweetclf.leaderboard.fold_cache import FoldCache, parts_of
from tweetclf.leaderboard.remembering import is_wrapper

__all__ = ["CachedGridSearchCV", "FoldCache", "prepared", "runs_in_threads"]

# Solvers of LogisticRegression that share no state between threads.
_REENTRANT = ("lbfgs", "newton-cg", "newton-cholesky")
# Learners that leave the matrix they are fitted on as it is.
_READERS = (LinearSVC, LogisticRegression, OneVsRestLogisticRegression, NBSVMClassifier)


class CachedGridSearchCV(GridSearchCV):
    """``GridSearchCV`` that computes features once a fold and solves in threads.

    A drop-in for texts and pipelines: the same ``cv_results_``, the same scores, the
    same ``best_estimator_``. Each feature step is fitted once a fold and a setting of
    that step (see :class:`FoldCache`), ``LinearSVC`` is solved by a compiled kernel
    that gives scikit-learn's bits, BLAS keeps to one thread (on sparse matrices more
    only wait for each other), and ``n_jobs`` threads share the matrices.

    Parameters
    ----------
    estimator : estimator
        A pipeline whose first steps make features of texts. Anything else is searched
        as scikit-learn does.
    param_grid : dict or list of dict
        As in :class:`sklearn.model_selection.GridSearchCV`.
    scoring, n_jobs, refit, cv, verbose, pre_dispatch, error_score, return_train_score
        As there. ``n_jobs`` are threads where the learner can run in several
        (``LinearSVC``, logistic regression, :class:`NBSVMClassifier`), and processes
        elsewhere.
    max_bytes : int, default=2**30
        Most memory of the features that are kept, as in :class:`FoldCache`.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, \
n_splits_, refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_
        As in :class:`sklearn.model_selection.GridSearchCV`. Fit and score times are
        those that were spent, with the features of a fold in the first cell that
        needs them.

    See Also
    --------
    FoldCache : The same features within scikit-learn's own searches.

    Examples
    --------
    >>> from tweetclf.estimators import char_svm
    >>> from tweetclf.leaderboard import CachedGridSearchCV
    >>> texts = ["jaja que risa", "que triste dia", "jajaja", "triste"] * 3
    >>> search = CachedGridSearchCV(char_svm(), {"svm__C": [0.1, 1.0]}, cv=3)
    >>> search.fit(texts, ["P", "N"] * 6).best_params_
    {'svm__C': 0.1}
    """

    estimator: Any

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
        max_bytes: int = 2**30,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.max_bytes = max_bytes

    def fit(self, X: Any, y: Any = None, **params: Any) -> CachedGridSearchCV:
        """Run the search.

        Parameters
        ----------
        X : sequence of str of length n_samples
            All texts.
        y : array-like of shape (n_samples,), optional
            Labels.
        **params
            As in :class:`sklearn.model_selection.GridSearchCV`.

        Returns
        -------
        self : CachedGridSearchCV
            The fitted search.
        """
        original = self.estimator
        if not isinstance(original, Pipeline):
            with threadpool_limits(1):
                super().fit(X, y, **params)
            return self
        cache = FoldCache(X, max_bytes=self.max_bytes)
        in_threads = runs_in_threads(original, self.param_grid)
        try:
            self.estimator = prepared(original, cache)
            # A configuration is in force from the moment it is made.
            with (
                threadpool_limits(1),
                parallel_config("threading") if in_threads else nullcontext(),
            ):
                super().fit(X, y, **params)
        finally:
            self.estimator = original
        if self.refit:
            _restore(self.best_estimator_, original, cache)
        return self


def prepared(estimator: Any, cache: FoldCache) -> Any:
    """Return a clone that takes features from a cache and solves by the kernel.

    Parameters
    ----------
    estimator : estimator
        Any; other than pipelines are cloned as they are.
    cache : FoldCache
        The memory of a pipeline that has none yet.
    """
    estimator = clone(estimator)
    if not isinstance(estimator, Pipeline) or not estimator.steps:
        return estimator
    if estimator.memory is None:
        estimator.memory = cache.sharing() if _write_on_nothing(estimator) else cache
    for part in estimator.get_params(deep=True).values():
        if type(part) is SoftVotingClassifier and part.memory is None:
            part.memory = cache
    name, learner = estimator.steps[-1]
    if type(learner) is LinearSVC:
        estimator.steps[-1] = (name, _compiled(learner))
    elif type(learner) is OneVsRestClassifier and type(learner.estimator) is LinearSVC:
        learner.estimator = _compiled(learner.estimator)
    return estimator


def _write_on_nothing(pipeline: Pipeline) -> bool:
    """Tell whether no step behind the first writes on the matrix it gets."""
    learner = pipeline.steps[-1][1]
    if type(learner) is OneVsRestClassifier:
        learner = learner.estimator
    return len(pipeline.steps) == 2 and type(learner) in _READERS


def _compiled(learner: LinearSVC) -> CompiledLinearSVC:
    compiled = clone(learner)
    compiled.__class__ = CompiledLinearSVC
    return compiled


def _restore(fitted: Pipeline, original: Pipeline, cache: FoldCache) -> None:
    """Make a prepared pipeline one of scikit-learn's own objects again."""
    # A fit on what are no texts leaves wrappers, which copies are free of.
    if any(is_wrapper(part) for part in parts_of(fitted)):
        fitted.steps = copy.deepcopy(fitted.steps)
    fitted.memory = original.memory
    for part in parts_of(fitted):
        if part is not fitted and cache.is_memory_of(part):
            part.memory = None
    learner = fitted.steps[-1][1]
    for found in (
        learner,
        getattr(learner, "estimator", None),
        getattr(learner, "estimator_", None),
        *getattr(learner, "estimators_", ()),
    ):
        if type(found) is CompiledLinearSVC:
            found.__class__ = LinearSVC


def runs_in_threads(
    estimator: Any, grid: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> bool:
    """Tell whether cells of a search may run in threads with the same results.

    Parameters
    ----------
    estimator : estimator
        The estimator, before it is :func:`prepared`.
    grid : mapping or sequence of mapping
        The search space; one that puts other estimators or solvers in place is not
        run in threads.

    Returns
    -------
    bool
        False for learners that call liblinear themselves: its generator is one for
        the process. True for those that are known not to, or to take turns.
    """
    grids = [grid] if isinstance(grid, Mapping) else grid
    for name, values in (item for one in grids for item in one.items()):
        if name.rpartition("__")[2] in ("solver", "steps"):
            return False
        if any(hasattr(value, "fit") or value == "passthrough" for value in values):
            return False
    learner = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    if type(learner) is OneVsRestClassifier and learner.n_jobs is None:
        learner = learner.estimator
    if type(learner) is LogisticRegression:
        return learner.solver in _REENTRANT
    return type(learner) in (LinearSVC, NBSVMClassifier, OneVsRestLogisticRegression)
