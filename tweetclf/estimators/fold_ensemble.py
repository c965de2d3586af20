"""FoldEnsemble and SeedEnsemble: the votes of copies that saw other folds or seeds."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from tweetclf.estimators._members import (
    CopiesEnsemble,
    copy_with_seed,
    rows_of,
    scorer_of,
)
from tweetclf.estimators._seeds import inner_seed
from tweetclf.exceptions import DataError
from tweetclf.utils._sklearn import HasMethods, Interval, StrOptions, _fit_context
from tweetclf.utils.random import stream

if TYPE_CHECKING:
    from numpy.random import RandomState
    from numpy.typing import NDArray

__all__ = ["FoldEnsemble", "SeedEnsemble"]


class FoldEnsemble(CopiesEnsemble):
    """Fit a copy on all folds but one, for each fold, and average the copies.

    Copies whose ``fit`` takes ``X_val`` and ``y_val`` see the fold that they were not
    trained on, and can keep the best epoch by it; so do the neural estimators.

    Parameters
    ----------
    estimator : estimator
        A classifier or regressor of texts.
    n_splits : int, default=5
        Number of folds, and of copies.
    stratify : bool, default=True
        Give each fold its share of each class. The released code of HAHA 2019 did
        not. Folds of indicator matrices and numbers are not stratified.
    scoring : str or None, default=None
        Name of the score of a copy on its fold; accuracy or R2 by default.
    fold_seed : int or None, default=None
        Of the folds; by default they are drawn with `random_state` too. With a seed
        of their own, runs of other seeds have the same folds.
    random_state : int, RandomState or None, default=None
        Seed of all copies. None leaves them their own.

    Attributes
    ----------
    scores_ : ndarray of shape (n_splits,)
        Score of each copy on the fold it was not trained on. Of copies that choose
        an epoch by that very fold, it is too good.
    validation_score_ : float
        Their mean.

    See Also
    --------
    SeedEnsemble : Copies that differ in their seed alone.

    References
    ----------
    B. Farzin, P. Czapla and J. Howard, "Applying a Pre-trained Language Model to
    Spanish Twitter Humor Prediction", IberLEF 2019, section 3.4.

    Examples
    --------
    >>> from tweetclf.estimators import FoldEnsemble, tfidf_lr
    >>> texts = ["qué risa", "qué pena", "risa jaja", "pena, ay"] * 3
    >>> clf = FoldEnsemble(tfidf_lr(), n_splits=3, random_state=0)
    >>> clf = clf.fit(texts, ["P", "N", "P", "N"] * 3)
    >>> print(*clf.predict(["risa"]), len(clf.estimators_))
    P 3
    """

    scores_: NDArray[np.float64]
    validation_score_: float

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "n_splits": [Interval(Integral, 2, None, closed="left")],
        "stratify": ["boolean"],
        "scoring": [str, None],
        "fold_seed": [Interval(Integral, 0, None, closed="left"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        n_splits: int = 5,
        stratify: bool = True,
        scoring: str | None = None,
        fold_seed: int | None = None,
        random_state: int | RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_splits = n_splits
        self.stratify = stratify
        self.scoring = scoring
        self.fold_seed = fold_seed
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any) -> FoldEnsemble:
        """Fit one copy a fold.

        Parameters
        ----------
        X : sequence of str, or of pairs of str, of length n_samples
            Training texts.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels, an indicator matrix, or numbers.

        Returns
        -------
        self : FoldEnsemble
            The fitted ensemble.
        """
        self._require_predictor()
        texts, targets = self._read(X, y)
        seed = inner_seed(self.random_state)
        scorer = scorer_of(self.scoring, self.estimator)
        members, scores = [], []
        cut = seed if self.fold_seed is None else self.fold_seed
        for inside, outside in self._folds(targets, cut):
            held = rows_of(texts, outside), targets[outside]
            copy = clone(self.estimator)
            if self.random_state is not None:
                copy = copy_with_seed(self.estimator, seed)
            train = rows_of(texts, inside), targets[inside]
            members.append(self._fit_copy(copy, train, held))
            scores.append(float(scorer(members[-1], *held)))
        self.estimators_ = members
        self._choose_rule(texts)
        self.scores_ = np.array(scores)
        self.validation_score_ = float(self.scores_.mean())
        return self

    def _folds(self, targets: NDArray[Any], seed: int) -> list[tuple[Any, Any]]:
        if len(targets) < self.n_splits:
            raise DataError(
                f"FoldEnsemble cannot cut {len(targets)} texts into n_splits="
                f"{self.n_splits} folds; give more texts or fewer folds."
            )
        kind: Any = KFold
        if self.stratify and hasattr(self, "classes_") and targets.ndim == 1:
            codes = np.searchsorted(self.classes_, targets)
            if np.bincount(codes).min() >= self.n_splits:
                kind = StratifiedKFold
        splitter = kind(self.n_splits, shuffle=True, random_state=seed)
        labels = targets if targets.ndim == 1 else np.zeros(len(targets))
        folds = list(splitter.split(labels, labels))
        if targets.ndim == 1 and hasattr(self, "classes_"):
            for inside, _ in folds:
                if len(np.unique(targets[inside])) < min(2, len(self.classes_)):
                    raise DataError(
                        "FoldEnsemble: in a fold all training texts are of one class; "
                        "give more texts of the others or fewer folds."
                    )
        return folds


class SeedEnsemble(CopiesEnsemble):
    """Fit copies that differ in their seed, choose the best, average those.

    HAHA 2019 trained its folds with 20 seeds and handed in the seed of the best
    validation score: ``SeedEnsemble(FoldEnsemble(...), n_seeds=20)``.

    Parameters
    ----------
    estimator : estimator
        A classifier or regressor of texts with a ``random_state`` somewhere.
    n_seeds : int, default=3
        Number of copies that are fitted.
    seeds : sequence of int or None, default=None
        Their seeds; by default drawn from 1 to a million, as in the released code.
    n_best : int or "all", default=1
        How many copies are kept, by their validation scores.
    validation_fraction : float, default=0.1
        Share of the texts that copies without a ``validation_score_`` of their own
        are compared on. It is not trained on.
    scoring : str or None, default=None
        Name of that score; accuracy or R2 by default.
    random_state : int, RandomState or None, default=None
        What the seeds, and the texts to compare on, are drawn with.

    Attributes
    ----------
    seeds_ : list of int
        Seeds of all copies.
    scores_ : ndarray of shape (n_seeds,)
        Their validation scores; NaN if all copies are kept without being compared.
    chosen_ : list of int
        Positions of those that are kept, the best first.
    validation_score_ : float
        Mean score of those.

    See Also
    --------
    FoldEnsemble : Copies that differ in their training texts.

    Notes
    -----
    The score of the best of many seeds is too good an estimate; see
    ``tweetclf.leaderboard.budget`` for how much of it is luck.

    Examples
    --------
    >>> from tweetclf.estimators import SeedEnsemble, tfidf_lr
    >>> texts = ["qué risa", "qué pena", "risa jaja", "pena, ay"] * 5
    >>> clf = SeedEnsemble(tfidf_lr(), seeds=[3, 4], n_best="all")
    >>> clf = clf.fit(texts, ["P", "N", "P", "N"] * 5)
    >>> print(*clf.predict(["risa"]), clf.seeds_)
    P [3, 4]
    """

    seeds_: list[int]
    scores_: NDArray[np.float64]
    chosen_: list[int]
    validation_score_: float

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "n_seeds": [Interval(Integral, 1, None, closed="left")],
        "seeds": ["array-like", None],
        "n_best": [Interval(Integral, 1, None, closed="left"), StrOptions({"all"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "scoring": [str, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        n_seeds: int = 3,
        seeds: Any = None,
        n_best: int | str = 1,
        validation_fraction: float = 0.1,
        scoring: str | None = None,
        random_state: int | RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_seeds = n_seeds
        self.seeds = seeds
        self.n_best = n_best
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any) -> SeedEnsemble:
        """Fit one copy a seed and keep the best.

        Parameters
        ----------
        X : sequence of str, or of pairs of str, of length n_samples
            Training texts.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels, an indicator matrix, or numbers.

        Returns
        -------
        self : SeedEnsemble
            The fitted ensemble.
        """
        self._require_predictor()
        texts, targets = self._read(X, y)
        seed = inner_seed(self.random_state)
        self.seeds_ = self._seeds(seed)
        n_best = len(self.seeds_) if self.n_best == "all" else int(self.n_best)
        if n_best > len(self.seeds_):
            raise ValueError(
                f"SeedEnsemble: n_best={n_best} of {len(self.seeds_)} seeds cannot be "
                "kept. Lower n_best or raise n_seeds."
            )
        compared = n_best < len(self.seeds_) and not self._scores_itself()
        train, held = (texts, targets), None
        if compared:
            train, held = self._hold_out(texts, targets, seed)
        prototype = self.estimator
        if self._scores_itself() and prototype.fold_seed is None:
            # Scores of other folds would compare the folds, not the seeds.
            prototype = clone(prototype).set_params(fold_seed=seed)
        members = [
            self._fit_copy(copy_with_seed(prototype, number), train, held)
            for number in self.seeds_
        ]
        self.scores_ = np.array([self._score_of(member, held) for member in members])
        # A score that is not defined is worse than any that is.
        known = np.where(np.isnan(self.scores_), -np.inf, self.scores_)
        order = np.argsort(-known, kind="stable")
        self.chosen_ = [int(i) for i in order[:n_best]]
        self.estimators_ = [members[i] for i in self.chosen_]
        self._choose_rule(texts)
        self.validation_score_ = float(self.scores_[self.chosen_].mean())
        return self

    def _seeds(self, seed: int) -> list[int]:
        if self.seeds is None:
            drawn = stream(seed, "seeds").choice(10**6, self.n_seeds, replace=False)
            return [int(number) + 1 for number in drawn]
        seeds = [int(number) for number in self.seeds]
        if not seeds or len(set(seeds)) < len(seeds):
            raise ValueError(
                "SeedEnsemble: the 'seeds' parameter must be distinct ints, one or "
                f"more. Got {self.seeds!r} instead."
            )
        return seeds

    def _scores_itself(self) -> bool:
        return isinstance(self.estimator, FoldEnsemble)

    def _score_of(self, member: Any, held: Any) -> float:
        if held is not None:
            return float(scorer_of(self.scoring, self.estimator)(member, *held))
        return float(getattr(member, "validation_score_", np.nan))

    def _hold_out(
        self, texts: list[Any], targets: NDArray[Any], seed: int
    ) -> tuple[tuple[list[Any], Any], tuple[list[Any], Any]]:
        """Cut the texts to compare on, of each class its share where that can be."""
        n_held = round(self.validation_fraction * len(texts))
        strata = None
        if hasattr(self, "classes_") and targets.ndim == 1:
            counts = np.bincount(np.searchsorted(self.classes_, targets))
            if counts.min() >= 2 and n_held >= len(counts):
                strata = targets
        if not 0 < n_held < len(texts):
            raise DataError(
                "SeedEnsemble cannot hold out validation_fraction="
                f"{self.validation_fraction} of {len(texts)} texts to compare seeds "
                'on; give more texts, or keep all seeds with n_best="all".'
            )
        inside, outside = train_test_split(
            np.arange(len(texts)), test_size=n_held, random_state=seed, stratify=strata
        )
        return (
            (rows_of(texts, inside), targets[inside]),
            (rows_of(texts, outside), targets[outside]),
        )
