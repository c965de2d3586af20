"""Searches over remembered features give the cells of plain searches."""

from __future__ import annotations

import contextlib
import functools
import pickle
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from joblib.parallel import get_active_backend
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler
from sklearn.svm import LinearSVC

from tweetclf import load_task
from tweetclf.estimators import (
    NBSVMClassifier,
    OneVsRestLogisticRegression,
    SoftVotingClassifier,
    atalaya_svm,
    char_svm,
    haha_nbsvm,
    nbsvm,
    ngram_ensemble,
    tfidf_lr,
)
from tweetclf.estimators.dual_cd import CompiledLinearSVC
from tweetclf.features import NBLogCountRatio, NgramTfidfVectorizer
from tweetclf.leaderboard import (
    CachedGridSearchCV,
    Protocol,
    System,
    execute_run,
    execution,
    fold_cache,
)
from tweetclf.leaderboard import search as search_module
from tweetclf.leaderboard.fold_cache import FoldCache
from tweetclf.leaderboard.identity import identity
from tweetclf.leaderboard.results import Results
from tweetclf.leaderboard.runner import make_spec
from tweetclf.leaderboard.search import prepared, runs_in_threads
from tweetclf.leaderboard.selection import select
from tweetclf.leaderboard.systems import SYSTEMS

COSTS = [0.1, 1.0, 10.0]
N = 160


@pytest.fixture(scope="module")
def split() -> Any:
    return load_task("sample-sentiment").train


@pytest.fixture(scope="module")
def texts(split: Any) -> list[str]:
    return list(split.texts)[:N]


@pytest.fixture(scope="module")
def labels(split: Any) -> np.ndarray:
    return np.asarray(split.labels)[:N]


def _words(**options: Any) -> NgramTfidfVectorizer:
    return NgramTfidfVectorizer(ngram_range=(1, 2), **options)


def _chars(**options: Any) -> NgramTfidfVectorizer:
    settings = {"analyzer": "char", "ngram_range": (1, 4), "binary": True, **options}
    return NgramTfidfVectorizer(**settings)


def _shout(texts: list[str]) -> list[str]:
    return [text.upper() for text in texts]


def _svm() -> LinearSVC:
    return LinearSVC(random_state=0, max_iter=300)


PIPELINES: dict[str, tuple[Callable[[], Pipeline], dict[str, list[Any]]]] = {
    "char-svm": (char_svm, {"svm__C": COSTS}),
    "features and C": (
        lambda: Pipeline([("tfidf", _chars()), ("svm", _svm())]),
        {"tfidf__min_df": [1, 3], "tfidf__use_idf": [True, False], "svm__C": COSTS},
    ),
    "union": (
        lambda: Pipeline(
            [
                ("features", FeatureUnion([("word", _words()), ("char", _chars())])),
                ("svm", _svm()),
            ]
        ),
        {"svm__C": COSTS, "features__word__sublinear_tf": [False, True]},
    ),
    "union with a branch": (
        lambda: make_pipeline(
            FeatureUnion(
                [
                    ("ratio", make_pipeline(_words(norm=None), NBLogCountRatio())),
                    ("svd", make_pipeline(_chars(), TruncatedSVD(5, random_state=0))),
                ]
            ),
            _svm(),
        ),
        {"linearsvc__C": COSTS},
    ),
    "weighted union": (
        lambda: make_pipeline(
            FeatureUnion(
                [("word", _words()), ("char", _chars())],
                transformer_weights={"word": 2.0},
            ),
            _svm(),
        ),
        {"linearsvc__C": COSTS},
    ),
    "without embeddings": (
        lambda: atalaya_svm(without="emb"),
        {"svm__C": [0.1, 1.0]},
    ),
    "nbsvm": (nbsvm, {"nbsvm__C": [0.1, 1.0], "nbsvm__beta": [0.25, 1.0]}),
    "ratios": (
        lambda: make_pipeline(_words(norm=None), NBLogCountRatio(), _svm()),
        {"linearsvc__C": COSTS, "nblogcountratio__alpha": [0.3, 1.0]},
    ),
    "supervised selection": (
        lambda: make_pipeline(_chars(), SelectKBest(k=300), _svm()),
        {"linearsvc__C": COSTS},
    ),
    "scikit-learn's own": (
        lambda: make_pipeline(TfidfVectorizer(), MaxAbsScaler(), _svm()),
        {"linearsvc__C": COSTS},
    ),
    "texts changed first": (
        lambda: make_pipeline(FunctionTransformer(_shout), _chars(), _svm()),
        {"linearsvc__C": COSTS},
    ),
    "tfidf-lr": (tfidf_lr, {"lr__C": COSTS}),
    "lbfgs": (
        lambda: make_pipeline(_words(), LogisticRegression(max_iter=1000)),
        {"logisticregression__C": COSTS},
    ),
    "liblinear": (
        lambda: make_pipeline(_words(), OneVsRestLogisticRegression(random_state=0)),
        {"onevsrestlogisticregression__C": COSTS},
    ),
    "haha-nbsvm": (lambda: haha_nbsvm(min_df=1), {"nbsvm__C": COSTS}),
    "one against the rest": (
        lambda: make_pipeline(_words(), OneVsRestClassifier(_svm())),
        {"onevsrestclassifier__estimator__C": COSTS},
    ),
    "other learners": (
        lambda: Pipeline([("tfidf", _words()), ("clf", _svm())]),
        {"clf": [_svm(), LogisticRegression(), NBSVMClassifier("passthrough")]},
    ),
}


# In threads: what is found, made of parts, fitted on labels, and another step.
IN_THREADS = {"features and C", "union with a branch", "nbsvm", "other learners"}
CELLS = [
    *((name, 1) for name in PIPELINES),
    *(
        pytest.param(name, 3, marks=[] if name in IN_THREADS else pytest.mark.slow)
        for name in PIPELINES
    ),
]


def assert_same_cells(ours: Any, theirs: Any) -> None:
    assert ours.cv_results_.keys() == theirs.cv_results_.keys()
    for name, values in theirs.cv_results_.items():
        if name.endswith("_score") and not name.startswith("rank"):
            np.testing.assert_array_equal(ours.cv_results_[name], values, name)
        elif not name.endswith("_time"):
            assert repr(ours.cv_results_[name]) == repr(values)
    assert ours.best_index_ == theirs.best_index_


def assert_same_models(ours: Any, theirs: Any, texts: list[str]) -> None:
    assert identity(ours) == identity(theirs)
    assert [type(step) for step in ours] == [type(step) for step in theirs]
    mine, other = ours[-1], theirs[-1]
    if hasattr(other, "coef_"):
        np.testing.assert_array_equal(mine.coef_, other.coef_)
    np.testing.assert_array_equal(ours.predict(texts), theirs.predict(texts))


@pytest.fixture(scope="module")
def plain_search(texts: list[str], labels: np.ndarray) -> Callable[..., GridSearchCV]:
    """Return what searches without a cache, once for the same arguments."""

    @functools.cache
    def search(name: str, **options: Any) -> GridSearchCV:
        make, grid = PIPELINES[name]
        return GridSearchCV(make(), grid, cv=3, **options).fit(texts, labels)

    return search


@pytest.mark.filterwarnings("ignore:Liblinear failed to converge")
@pytest.mark.parametrize(("name", "n_jobs"), CELLS)
def test_cells_and_model_are_those_of_scikit_learn(
    name: str,
    n_jobs: int,
    texts: list[str],
    labels: np.ndarray,
    plain_search: Callable[..., GridSearchCV],
) -> None:
    make, grid = PIPELINES[name]
    if n_jobs > 1 and not runs_in_threads(make(), grid):
        pytest.skip("processes have a test of their own")
    theirs = plain_search(name, scoring="f1_macro")
    ours = CachedGridSearchCV(make(), grid, cv=3, scoring="f1_macro", n_jobs=n_jobs)
    ours.fit(texts, labels)
    assert_same_cells(ours, theirs)
    assert_same_models(ours.best_estimator_, theirs.best_estimator_, texts)
    assert ours.estimator.memory is None


@pytest.mark.parametrize("name", ["union", "ratios", "nbsvm", "texts changed first"])
def test_the_cache_serves_scikit_learns_own_search(
    name: str,
    texts: list[str],
    labels: np.ndarray,
    plain_search: Callable[..., GridSearchCV],
) -> None:
    make, grid = PIPELINES[name]
    theirs = plain_search(name, return_train_score=True)
    cached = make().set_params(memory=FoldCache(texts))
    ours = GridSearchCV(cached, grid, cv=3, return_train_score=True)
    ours.fit(texts, labels)
    assert_same_cells(ours, theirs)
    best = ours.best_estimator_.set_params(memory=None)
    assert_same_models(best, theirs.best_estimator_, texts)
    # Nothing of the cache is left in what is kept.
    assert b"fold_cache" not in pickle.dumps(best)


def test_processes_share_by_content(
    texts: list[str], labels: np.ndarray, plain_search: Callable[..., GridSearchCV]
) -> None:
    make, grid = PIPELINES["ratios"]
    theirs = plain_search("ratios")
    cached = make().set_params(memory=FoldCache(texts))
    ours = GridSearchCV(cached, grid, cv=3, n_jobs=2).fit(texts, labels)
    assert_same_cells(ours, theirs)


def test_other_searches_and_several_metrics(
    texts: list[str], labels: np.ndarray
) -> None:
    grid = {"svm__C": COSTS}
    options: dict[str, Any] = {"cv": 3, "n_iter": 2, "random_state": 0}
    theirs = RandomizedSearchCV(char_svm(), grid, **options).fit(texts, labels)
    cached = char_svm().set_params(memory=FoldCache(texts))
    assert_same_cells(
        RandomizedSearchCV(cached, grid, **options).fit(texts, labels), theirs
    )
    options = {"cv": 3, "scoring": ["accuracy", "f1_macro"], "refit": "accuracy"}
    theirs = GridSearchCV(char_svm(), grid, **options).fit(texts, labels)
    ours = CachedGridSearchCV(char_svm(), grid, **options).fit(texts, labels)
    assert_same_cells(ours, theirs)


class Counting(NgramTfidfVectorizer):
    """Counts how often it is used."""

    n_fits = 0
    n_transforms = 0

    def fit_transform(self, raw_documents: Any, y: Any = None) -> Any:
        type(self).n_fits += 1
        return super().fit_transform(raw_documents, y)

    def transform(self, raw_documents: Any) -> Any:
        type(self).n_transforms += 1
        return super().transform(raw_documents)


def test_features_are_computed_once_a_fold(
    texts: list[str], labels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counting, "n_fits", 0)
    monkeypatch.setattr(Counting, "n_transforms", 0)
    pipeline = make_pipeline(Counting(), _svm())
    grid = {"linearsvc__C": COSTS}
    CachedGridSearchCV(pipeline, grid, cv=4).fit(texts, labels)
    assert Counting.n_fits == 5
    assert Counting.n_transforms == 4


def test_texts_are_tokenized_once(texts: list[str], labels: np.ndarray) -> None:
    seen: list[str] = []

    def tokenize(text: str) -> list[str]:
        seen.append(text)
        return text.split()

    vectorizer = NgramTfidfVectorizer(tokenizer=tokenize, token_pattern=None)
    CachedGridSearchCV(
        make_pipeline(vectorizer, _svm()),
        {"linearsvc__C": COSTS, "ngramtfidfvectorizer__min_df": [1, 2]},
        cv=3,
    ).fit(texts, labels)
    assert sorted(seen) == sorted(text.lower() for text in texts)


def test_parameters_that_differ_are_told_apart() -> None:
    def one(text: str) -> list[str]:
        return [text]

    def other(text: str) -> list[str]:
        return [text]

    other.__qualname__ = one.__qualname__
    keys = [
        identity(TfidfVectorizer(**options))
        for options in (
            {},
            {"min_df": 1.0},
            {"min_df": True},
            {"lowercase": False},
            {"tokenizer": one},
            {"tokenizer": other},
            {"stop_words": ["a"]},
            {"vocabulary": {"a": 0}},
            {"vocabulary": {"b": 0}},
        )
    ]
    assert len(set(keys)) == len(keys)
    assert identity(TfidfVectorizer()) in keys
    frame = MaxAbsScaler().set_output(transform="pandas")
    assert identity(frame) != identity(MaxAbsScaler())


def test_labels_and_texts_are_part_of_the_key(texts: list[str]) -> None:
    cache = FoldCache(texts)
    some = texts[:40]
    y = np.arange(40) % 2
    first, _ = cache.fit_transform(NBLogCountRatio(), _ones(some), y)
    second, _ = cache.fit_transform(NBLogCountRatio(), _ones(some), 1 - y)
    assert (first != second).nnz
    again, _ = cache.fit_transform(NBLogCountRatio(), _ones(some), y)
    assert (again != first).nnz == 0
    kept, _ = cache.fit_transform(NBLogCountRatio(), _ones(some), y, shared=True)
    found, _ = cache.fit_transform(NBLogCountRatio(), _ones(some), y, shared=True)
    assert kept is found
    a, _ = cache.fit_transform(_words(), ["ab", "c d"])
    b, _ = cache.fit_transform(_words(), ["ab c", "d"])
    assert a is not b


def _ones(texts: list[str]) -> Any:
    return TfidfVectorizer(binary=True, use_idf=False, norm=None).fit_transform(texts)


def test_memory_stays_below_the_bound(
    texts: list[str], labels: np.ndarray, plain_search: Callable[..., GridSearchCV]
) -> None:
    make, grid = PIPELINES["union"]
    theirs = plain_search("union")
    for max_bytes in (0, 200_000, 2_000_000):
        cache = FoldCache(texts, max_bytes=max_bytes)
        ours = GridSearchCV(make().set_params(memory=cache), grid, cv=3)
        assert_same_cells(ours.fit(texts, labels), theirs)
        kept = cache._results
        assert 0 <= kept._n_bytes <= max_bytes
        assert kept._n_bytes == sum(size for _, size in kept._kept.values())


def test_shared_matrices_cannot_be_changed(texts: list[str]) -> None:
    cache = FoldCache(texts)
    X, _ = cache.fit_transform(_words(), texts[:20], shared=True)
    with pytest.raises(ValueError, match="read-only"):
        X.data[0] = 1.0
    # What is handed out as a copy may be: SciPy sorts indices in place.
    copied, _ = cache.fit_transform(_words(), texts[:20])
    copied.sort_indices()
    copied.data[:] = 0.0
    assert X.data.all()


def test_errors_of_cells_are_recorded_as_scikit_learn_does(
    texts: list[str], labels: np.ndarray
) -> None:
    grid = {"tfidf__min_df": [1, 1000], "svm__C": [1.0]}
    pipeline = Pipeline([("tfidf", _words()), ("svm", _svm())])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ours = CachedGridSearchCV(pipeline, grid, cv=3).fit(texts, labels)
    assert "3 fits failed" in str(caught[0].message)
    assert np.isnan(ours.cv_results_["mean_test_score"]).tolist() == [False, True]
    with pytest.raises(ValueError, match="min_df"):
        CachedGridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(texts, labels)


def test_what_is_no_pipeline_is_searched_as_ever(split: Any) -> None:
    X = TfidfVectorizer().fit_transform(split.texts[:N])
    y = np.asarray(split.labels)[:N]
    theirs = GridSearchCV(_svm(), {"C": COSTS}, cv=3).fit(X, y)
    ours = CachedGridSearchCV(_svm(), {"C": COSTS}, cv=3).fit(X, y)
    assert_same_cells(ours, theirs)
    vote = VotingClassifier([("a", char_svm()), ("b", nbsvm())])
    grid = {"a__svm__C": [0.1, 1.0]}
    assert_same_cells(
        CachedGridSearchCV(vote, grid, cv=2).fit(split.texts[:60], y[:60]),
        GridSearchCV(vote, grid, cv=2).fit(split.texts[:60], y[:60]),
    )


def test_which_learners_run_in_threads() -> None:
    grid = {"svm__C": [1.0]}
    assert runs_in_threads(char_svm(), grid)
    assert runs_in_threads(char_svm(multilabel=True), grid)
    assert runs_in_threads(tfidf_lr(), [{"lr__C": [1.0]}, {"lr__tol": [1e-3]}])
    assert not runs_in_threads(char_svm(), {"svm": [LogisticRegression()]})
    assert not runs_in_threads(tfidf_lr(), {"lr__solver": ["liblinear"]})
    liblinear = make_pipeline(_words(), LogisticRegression(solver="liblinear"))
    assert not runs_in_threads(liblinear, {})


def test_prepared_leaves_the_estimator_as_it_is(texts: list[str]) -> None:
    pipeline = char_svm()
    ready = prepared(pipeline, FoldCache(texts))
    assert type(ready[-1]) is CompiledLinearSVC
    assert type(pipeline[-1]) is LinearSVC
    assert pipeline.memory is None


GRIDS = {
    "char-svm": {"svm__C": (0.1, 1.0, 10.0)},
    "nbsvm": {"nbsvm__C": (0.1, 1.0), "nbsvm__beta": (0.25, 1.0)},
    "tfidf-lr": {"lr__C": (0.1, 10.0)},
}


@pytest.mark.parametrize("groups", [False, True])
@pytest.mark.parametrize("evaluation", ["test", "cv"])
@pytest.mark.parametrize("name", GRIDS)
def test_selection_of_the_leaderboard_is_that_of_plain_fits(
    name: str, evaluation: str, groups: bool, make_task: Callable[..., Any]
) -> None:
    task = make_task(groups=groups)
    system = System(
        "mine",
        SYSTEMS.get(name).target,
        "d",
        "s",
        grid=GRIDS[name],
    )
    protocol = Protocol(grid=True, evaluation=evaluation, n_folds=3)
    spec = make_spec(task, system, 0, protocol)
    record, predictions = execute_run(task, system, spec)
    assert record.status == "finished", record.error
    assert predictions is not None
    if evaluation == "cv" or groups:
        assert len(record.candidates) % len(list(system.candidates(task))) == 0
        return
    train, dev, test = (task.splits[part] for part in ("train", "dev", "test"))
    scores = []
    for params, trial in zip(system.candidates(task), record.candidates, strict=True):
        model = system.build(task).set_params(**params)
        predicted = model.fit(list(train.texts), train.labels).predict(list(dev.texts))
        scores.append(task.metric(dev.labels, predicted))
        assert trial["params"] == params
        assert trial["score"] == scores[-1]
    chosen = list(system.candidates(task))[int(np.argmax(scores))]
    assert record.selected == chosen
    model = system.build(task).set_params(**chosen)
    model.fit(list(train.texts), train.labels)
    assert record.score == task.metric(test.labels, model.predict(list(test.texts)))


def test_a_search_over_weights_fits_each_member_once(monkeypatch) -> None:
    fitted = []
    fit = OneVsRestClassifier.fit
    monkeypatch.setattr(
        OneVsRestClassifier,
        "fit",
        lambda self, X, y: fitted.append(X.shape) or fit(self, X, y),
    )
    task = load_task("sample-sentiment")
    weights = [(1, 1, 0, 0, 0), (1, 0, 0, 0, 0), (1, 1, 0, 0, 0), (0, 1, 0, 0, 0)]
    grid = {"vote__estimator__weights": weights}
    folds = [(np.arange(0, 200), np.arange(200, 300))]
    texts, labels = list(task.train.texts)[:300], np.asarray(task.train.labels)[:300]
    options = {"scoring": "f1_macro", "cv": folds, "refit": False}
    ours = CachedGridSearchCV(ngram_ensemble(), grid, **options).fit(texts, labels)
    assert len(fitted) == 2
    plain = GridSearchCV(ngram_ensemble(), grid, **options).fit(texts, labels)
    assert len(fitted) == 2 + 6
    key = "split0_test_score"
    assert ours.cv_results_[key].tolist() == plain.cv_results_[key].tolist()


class Splitter:
    """A tokenizer as NLTK's are."""

    def tokenize(self, text: str) -> list[str]:
        return text.split()

    def __call__(self, text: str) -> list[str]:
        return self.tokenize(text)


@pytest.mark.parametrize(
    "options",
    [
        {"tokenizer": Splitter().tokenize, "token_pattern": None},
        {"tokenizer": Splitter(), "token_pattern": None},
        {"analyzer": Splitter().tokenize},
        {"analyzer": Splitter()},
    ],
)
def test_callable_objects_and_methods_split_texts(
    options: dict[str, Any], texts: list[str], labels: np.ndarray
) -> None:
    pipeline = Pipeline([("tfidf", NgramTfidfVectorizer(**options)), ("svm", _svm())])
    grid = {"svm__C": [0.1, 1.0]}
    theirs = GridSearchCV(pipeline, grid, cv=2).fit(texts, labels)
    ours = CachedGridSearchCV(pipeline, grid, cv=2).fit(texts, labels)
    assert_same_cells(ours, theirs)
    assert not np.isnan(ours.best_score_)


def test_a_model_of_fewer_texts_than_the_cache_leaves_it_alone(
    texts: list[str], labels: np.ndarray
) -> None:
    pipeline = Pipeline([("t", _words()), ("svm", _svm())])
    plain = Pipeline([("t", _words()), ("svm", _svm())])
    few, y, others, z = texts[:100], labels[:100], texts[100:], labels[100:]
    cached = clone(pipeline).set_params(memory=FoldCache(texts))
    search = GridSearchCV(cached, {"svm__C": [1.0]}, cv=2).fit(few, y)
    expected = plain.fit(few, y).decision_function(texts)
    taken = FoldCache.plain(search.best_estimator_)
    assert type(taken["t"]) is NgramTfidfVectorizer
    assert taken.memory is None
    np.testing.assert_array_equal(taken.decision_function(texts), expected)
    # Fitting the model anew must not touch what the cache shares.
    model = search.best_estimator_.set_params(memory=None)
    model.set_params(t__lowercase=False).fit(others, z)
    fresh = clone(pipeline).set_params(t__lowercase=False).fit(others, z)
    np.testing.assert_array_equal(
        model.decision_function(texts), fresh.decision_function(texts)
    )
    again = clone(cached).fit(few, y)
    np.testing.assert_array_equal(again.decision_function(texts), expected)


def test_the_best_model_of_a_table_is_plain(labels: np.ndarray) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": np.arange(N) % 7, "b": np.arange(N) % 5})
    pipeline = make_pipeline(MaxAbsScaler(), _svm())
    ours = CachedGridSearchCV(pipeline, {"linearsvc__C": [1.0]}, cv=2)
    ours.fit(table, labels)
    assert type(ours.best_estimator_[0]) is MaxAbsScaler


def _double(X: Any) -> Any:
    return X * 2.0


class Scaling(BaseEstimator):
    """Writes on its input; cannot be described, as its `key` has no hash."""

    def __init__(self, factor: float = 1.0, key: Any = None) -> None:
        self.factor = factor
        self.key = key

    def fit(self, X: Any, y: Any = None) -> Scaling:
        return self

    def transform(self, X: Any) -> Any:
        X.data *= self.factor
        return X


def test_a_step_that_cannot_be_described_may_write_on_its_input(
    texts: list[str], labels: np.ndarray
) -> None:
    class Opaque:
        def __reduce__(self) -> Any:
            raise TypeError("no pickle")

        def __deepcopy__(self, memo: Any) -> Opaque:
            return Opaque()

    with pytest.raises(TypeError, match="no pickle"):
        identity(Scaling(key=Opaque()))
    learner = LinearSVC(C=1e-3, random_state=0)
    double = FunctionTransformer(_double)
    steps = [_words(norm=None), Scaling(key=Opaque()), double, learner]
    grid = {"scaling__factor": [1.0, 0.01, 3.0]}
    theirs = GridSearchCV(make_pipeline(*steps), grid, cv=2, return_train_score=True)
    theirs.fit(texts, labels)
    ours = CachedGridSearchCV(
        make_pipeline(*steps), grid, cv=2, return_train_score=True
    ).fit(texts, labels)
    assert_same_cells(ours, theirs)
    assert len(set(theirs.cv_results_["mean_train_score"])) > 1
    assert [type(step) for step in ours.best_estimator_] == [
        type(step) for step in theirs.best_estimator_
    ]


def test_the_class_of_matrices_is_part_of_the_key(
    texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = FoldCache(texts)
    config = {"transform_output": "default", "sparse_interface": "spmatrix"}
    monkeypatch.setattr(fold_cache, "get_config", lambda: config)
    X, fitted = cache.fit_transform(_words(), texts[:20], shared=True)
    Z = fitted.transform(texts[20:40])
    assert cache.fit_transform(_words(), texts[:20], shared=True)[0] is X
    assert fitted.transform(texts[20:40]) is Z
    config["sparse_interface"] = "sparray"
    assert cache.fit_transform(_words(), texts[:20], shared=True)[0] is not X
    assert fitted.transform(texts[20:40]) is not Z


def test_no_part_of_the_best_model_holds_the_cache(
    texts: list[str], labels: np.ndarray
) -> None:
    members = [make_pipeline(_words(), LogisticRegression()) for _ in range(2)]
    vote = SoftVotingClassifier([("a", members[0]), ("b", members[1])])
    pipeline = make_pipeline(
        FunctionTransformer(_shout), CalibratedClassifierCV(vote, cv=2)
    )
    grid = {"calibratedclassifiercv__method": ["sigmoid"]}
    ours = CachedGridSearchCV(pipeline, grid, cv=2).fit(texts, labels)
    assert b"fold_cache" not in pickle.dumps(ours.best_estimator_)


def test_input_that_is_none_gets_scikit_learns_error(labels: np.ndarray) -> None:
    grid = {"svm__C": [1.0]}
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        GridSearchCV(char_svm(), grid, cv=2).fit(None, labels)
    with pytest.raises(type(theirs.value)) as ours:
        CachedGridSearchCV(char_svm(), grid, cv=2).fit(None, labels)
    assert str(ours.value) == str(theirs.value)


def test_a_search_that_fails_early_leaves_joblib_as_it_was(
    texts: list[str], labels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("early")

    monkeypatch.setattr(search_module, "prepared", fail)
    before = get_active_backend()
    with pytest.raises(RuntimeError, match="early"):
        CachedGridSearchCV(char_svm(), {"svm__C": [1.0]}).fit(texts, labels)
    assert type(get_active_backend()[0]) is type(before[0])


def test_costs_are_those_of_the_final_model(
    make_task: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    @contextlib.contextmanager
    def measured() -> Any:
        events.append("measure")
        yield lambda: 7

    def chosen(*args: Any) -> Any:
        events.append("select")
        return select(*args)

    monkeypatch.setattr(execution, "select", chosen)
    monkeypatch.setattr(execution, "clear_caches", lambda: events.append("clear"))
    monkeypatch.setattr(execution, "peak_memory", measured)
    task = make_task()
    target = SYSTEMS.get("char-svm").target
    system = System("mine", target, "d", "s", grid={"svm__C": (0.1, 1.0)})
    spec = make_spec(task, system, 0, Protocol(grid=True, evaluation="test"))
    record, _ = execute_run(task, system, spec)
    assert record.status == "finished", record.error
    assert events == ["select", "clear", "measure"]
    assert record.cost is not None
    assert record.cost.peak_memory == 7


def test_results_keep_no_locks_of_what_is_computed() -> None:
    results = Results(1000)
    running, most = [], []

    def compute() -> np.ndarray:
        running.append(1)
        most.append(len(running))
        time.sleep(0.01)
        running.pop()
        return np.zeros(4)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            found = list(pool.map(lambda key: results.find(key, compute), "aaaa"))
            assert all(value is found[0] for value in found)
    assert most == [1]
    for key in range(200):
        results.find(("too large", key), lambda: np.zeros(1000))
    with pytest.raises(ZeroDivisionError):
        results.find("fails", lambda: 1 / 0)
    assert results._turns == {}
