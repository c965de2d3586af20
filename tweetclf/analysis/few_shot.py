"""How much a system makes of few examples, and of a frozen model's vectors.

References
----------
X. Zhang et al., "TwHIN-BERT", KDD 2023 (arXiv:2209.07562): figure 4, 2 to 32 examples a
class; table 5, logistic regression on frozen vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tweetclf.exceptions import DataError
from tweetclf.utils.progress import track
from tweetclf.utils.random import stream

__all__ = [
    "FeatureScores",
    "FewShotCurve",
    "feature_based_scores",
    "few_shot_curve",
]


@dataclass(frozen=True)
class FewShotCurve:
    """Scores by the number of examples of each class.

    Parameters
    ----------
    systems : tuple of str
        Names.
    sizes : tuple of int
        Examples of each class.
    scores : ndarray of float64 of shape (n_systems, n_repeats, n_sizes)
        Scores on the test texts. In a repeat all systems see the same examples, and
        those of a size are among those of the next.
    metric : str
        What the scores are.
    level : float
        Nominal coverage of the bands.
    """

    systems: tuple[str, ...]
    sizes: tuple[int, ...]
    scores: NDArray[np.float64]
    metric: str
    level: float = 0.95

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean over repeats, (n_systems, n_sizes)."""
        return self.scores.mean(axis=1)

    @property
    def margin(self) -> NDArray[np.float64]:
        """Half the Student interval of `mean`; NaN of one repeat."""
        n = self.scores.shape[1]
        if n < 2:
            return np.full(self.mean.shape, np.nan)
        spread = self.scores.std(axis=1, ddof=1) / np.sqrt(n)
        return spread * float(stats.t.ppf((1 + self.level) / 2, n - 1))


@dataclass(frozen=True)
class FeatureScores:
    """Scores of logistic regression on frozen vectors.

    Parameters
    ----------
    poolings : tuple of str
        How a text's vector was made of its tokens' states.
    scores : ndarray of float64 of shape (n_poolings,)
        Scores on the test texts.
    chosen : tuple of float
        The inverse strength of regularisation, C, that cross-validation chose.
    low, high : ndarray of float64 of shape (n_poolings,)
        Bootstrap intervals of `scores`, over test texts.
    level : float
        Their nominal coverage.
    metric : str
        What the scores are.
    """

    poolings: tuple[str, ...]
    scores: NDArray[np.float64]
    chosen: tuple[float, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    level: float
    metric: str


def few_shot_curve(
    systems: Mapping[str, Callable[[int], Any]],
    train: Any,
    test: Any,
    *,
    metric: Callable[[Any, Any], float],
    sizes: Sequence[int] = (2, 4, 8, 16, 32),
    n_repeats: int = 5,
    level: float = 0.95,
    random_state: int = 0,
    verbose: bool = False,
) -> FewShotCurve:
    """Train systems on ever more examples of each class, and score them.

    Parameters
    ----------
    systems : mapping of str to callable
        Name -> what makes an untrained estimator of texts; called with a seed.
    train, test : Split or (texts, labels)
        Where examples are drawn from, and what is scored.
    metric : Metric or callable
        Called with gold labels and predictions; ``task.metric``.
    sizes : sequence of int, default=(2, 4, 8, 16, 32)
        Examples of each class.
    n_repeats : int, default=5
        Draws of the examples, each with a seed of its own.
    level : float, default=0.95
        Nominal coverage of the bands.
    random_state : int, default=0
        Seed of the draws.
    verbose : bool, default=False
        Show a progress bar on a terminal.

    Returns
    -------
    FewShotCurve
        All scores.

    Raises
    ------
    DataError
        If a class has too few examples.

    Examples
    --------
    >>> from sklearn.metrics import accuracy_score
    >>> from tweetclf.analysis import few_shot_curve
    >>> from tweetclf.estimators import nbsvm
    >>> train = ["qué risa", "qué asco"] * 8, ["P", "N"] * 8
    >>> curve = few_shot_curve(
    ...     {"nbsvm": lambda seed: nbsvm(random_state=seed)}, train, train,
    ...     metric=accuracy_score, sizes=[2, 4], n_repeats=2)
    >>> curve.mean.tolist()
    [[1.0, 1.0]]
    """
    caller = "few_shot_curve"
    (X, y), (X_test, y_test) = _rows(train, caller), _rows(test, caller)
    chosen = tuple(sorted(set(sizes)))
    if not systems or not chosen or chosen[0] < 1 or n_repeats < 1:
        raise ValueError(
            f"{caller}: needs a system, sizes from 1 on and a repeat. Got "
            f"{len(systems)} systems, sizes {list(sizes)!r} and {n_repeats} repeats."
        )
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    if counts.min() < chosen[-1]:
        raise DataError(
            f"{caller}: class {str(classes[counts.argmin()])!r} has {counts.min()} "
            f"examples; 'sizes' go up to {chosen[-1]}."
        )
    scores = np.empty((len(systems), n_repeats, len(chosen)))
    fits = [
        (r, s, name) for r in range(n_repeats) for s in range(len(chosen))
        for name in systems
    ]  # fmt: skip
    names = list(systems)
    for repeat, s, name in track(
        fits, "few examples", enabled=None if verbose else False
    ):
        generator = stream(random_state, "few examples", repeat)
        drawn = np.concatenate(
            [
                generator.permutation(np.flatnonzero(codes == c))[: chosen[s]]
                for c in range(len(classes))
            ]
        )
        seed = int(stream(random_state, "few examples", "seed", repeat).integers(2**31))
        fitted = systems[name](seed).fit([X[i] for i in drawn], y[drawn])
        found = float(metric(y_test, fitted.predict(X_test)))
        scores[names.index(name), repeat, s] = found
    return FewShotCurve(tuple(names), chosen, scores, _name(metric), level)


def feature_based_scores(
    model: Any,
    train: Any,
    test: Any,
    *,
    metric: Callable[[Any, Any], float],
    poolings: Sequence[str] = ("cls", "mean", "combined"),
    C: Sequence[float] = (0.01, 0.1, 1.0, 10.0),
    n_folds: int = 5,
    level: float = 0.95,
    n_resamples: int = 1000,
    random_state: int = 0,
    device: str = "auto",
) -> FeatureScores:
    """Score logistic regression on a model's vectors, the model being left as it is.

    Parameters
    ----------
    model : str or path
        As of :class:`tweetclf.features.TransformerVectorizer`.
    train, test : Split or (texts, labels)
        What is learnt from, and what is scored.
    metric : Metric or callable
        Called with gold labels and predictions; also what chooses `C`.
    poolings : sequence of str, default=("cls", "mean", "combined")
        Of the vectorizer: the first token's state, the mean of all, both (TwHIN-BERT).
    C : sequence of float, default=(0.01, 0.1, 1.0, 10.0)
        Inverse strengths of regularisation; the paper does not say which it used.
    n_folds : int, default=5
        Folds of the training texts by which `C` is chosen; vectors are standardised
        within them.
    level : float, default=0.95
        Nominal coverage of the intervals.
    n_resamples : int, default=1000
        Bootstrap resamples of the test texts.
    random_state : int, default=0
        Seed of folds and resamples.
    device : str, default="auto"
        Where to compute.

    Returns
    -------
    FeatureScores
        One score a pooling.
    """
    from tweetclf.features import TransformerVectorizer
    from tweetclf.leaderboard.statistics import percentile_interval

    caller = "feature_based_scores"
    (X, y), (X_test, y_test) = _rows(train, caller), _rows(test, caller)
    better = bool(getattr(metric, "greater_is_better", True))
    scores, chosen, ends = [], [], []
    for pooling in poolings:
        vectorizer = TransformerVectorizer(model, pooling=pooling, device=device)
        vectors = vectorizer.fit(X).transform(X)
        fitted = _search(vectors, y, metric, better, C, n_folds, random_state)
        predicted = fitted.predict(vectorizer.transform(X_test))
        scores.append(float(metric(y_test, predicted)))
        chosen.append(float(fitted.best_params_["logisticregression__C"]))
        generator = stream(random_state, "frozen vectors")
        drawn = [
            generator.integers(len(y_test), size=len(y_test))
            for _ in range(n_resamples)
        ]
        found = np.array([float(metric(y_test[i], predicted[i])) for i in drawn])
        ends.append(percentile_interval(found, level))
    low, high = np.array(ends).T
    return FeatureScores(
        tuple(poolings),
        np.array(scores),
        tuple(chosen),
        low,
        high,
        level,
        _name(metric),
    )


def _search(
    vectors: NDArray[Any],
    y: NDArray[Any],
    metric: Callable[[Any, Any], float],
    greater_is_better: bool,
    C: Sequence[float],
    n_folds: int,
    seed: int,
) -> Any:
    """Choose C by cross-validation, and fit."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import make_scorer
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    search = GridSearchCV(
        pipeline,
        {"logisticregression__C": list(C)},
        scoring=make_scorer(metric, greater_is_better=greater_is_better),
        cv=folds,
    )
    return search.fit(vectors, y)


def _rows(split: Any, caller: str) -> tuple[list[Any], NDArray[Any]]:
    X, labels = split
    y = np.asarray(labels)
    if y.ndim != 1 or y.dtype.kind == "f" or len(y) != len(X) or not len(y):
        raise DataError(
            f"{caller} expected texts with one class each. Got {len(X)} texts and "
            f"labels of shape {y.shape} and type {y.dtype}."
        )
    return list(X), y


def _name(metric: Any) -> str:
    return str(getattr(metric, "name", getattr(metric, "__name__", "score")))
