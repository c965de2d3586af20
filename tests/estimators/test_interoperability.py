"""The estimators inside the tools that people use them with."""

from __future__ import annotations

import numpy as np
import pytest
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline as ImbalancedPipeline
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import f1_score
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import Pipeline

import tweetclf.estimators as room
from tweetclf.estimators import NBSVMClassifier, atalaya_svm, nbsvm
from tweetclf.testing._data import TEXT_CONTAINERS, make_corpus

TEXTS, LABELS = make_corpus(3)
LABELS = np.array(LABELS)
FACTORIES = ["atalaya_lr", "atalaya_svm", "char_svm", "haha_nbsvm", "nbsvm", "tfidf_lr"]


def make(name):
    options = {"without": "emb"} if name.startswith("atalaya") else {}
    if name == "haha_nbsvm":
        options = {"min_df": 1}
    return getattr(room, name)(**options)


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("atalaya_lr", {"lr__C": [0.1, 1.0]}),
        ("atalaya_svm", {"svm__C": [0.01, 0.1, 1.0]}),
        ("char_svm", {"tfidf__ngram_range": [(1, 3), (2, 4)]}),
        ("haha_nbsvm", {"nbsvm__C": [1.0, 4.0], "tfidf__min_df": [1, 3]}),
        ("nbsvm", {"nbsvm__beta": [0.25, 1.0], "counts__ngram_range": [(1, 1)]}),
        ("tfidf_lr", {"lr__C": [1.0, 10.0]}),
    ],
)
def test_grid_search(name, grid):
    search = GridSearchCV(make(name), grid, scoring="f1_macro", cv=2)
    search.fit(TEXTS, LABELS)
    assert search.best_params_.keys() == grid.keys()
    assert set(search.predict(TEXTS)) <= set(LABELS)


def test_tokenizer_options_can_be_searched():
    grid = {"features__bow__tokenizer__negation": [True, False]}
    search = GridSearchCV(atalaya_svm(without="emb"), grid, cv=2).fit(TEXTS, LABELS)
    assert len(search.cv_results_["params"]) == 2
    sizes = {
        negation: len(
            clone(search.estimator)
            .set_params(features__bow__tokenizer__negation=negation)
            .fit(["no me gusta nada", "me gusta"], [0, 1])["features"]
            .transformer_list[0][1]
            .vocabulary_
        )
        for negation in (True, False)
    }
    assert sizes[True] != sizes[False]


def test_searches_in_processes():
    space = {"nbsvm__C": [0.1, 1.0], "nbsvm__beta": [0.25, 1.0]}
    search = RandomizedSearchCV(nbsvm(), space, n_iter=2, random_state=0, n_jobs=2)
    search.fit(TEXTS, LABELS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("name", FACTORIES)
def test_cross_val_predict_and_cross_validate(name):
    predicted = cross_val_predict(make(name), TEXTS, LABELS, cv=3)
    assert f1_score(LABELS, predicted, average="macro") > 0.8
    scores = cross_validate(make(name), TEXTS, LABELS, cv=2, scoring="f1_macro")
    assert (scores["test_score"] > 0).all()


@pytest.mark.parametrize("ensemble", [True, False])
@pytest.mark.parametrize("name", ["atalaya_svm", "nbsvm"])
def test_calibration_gives_probabilities(name, ensemble):
    calibrated = CalibratedClassifierCV(make(name), ensemble=ensemble, cv=3)
    proba = calibrated.fit(TEXTS, LABELS).predict_proba(TEXTS)
    assert_allclose(proba.sum(axis=1), 1)
    assert (calibrated.classes_[proba.argmax(axis=1)] == LABELS).mean() > 0.9


@pytest.mark.parametrize("sampler", [RandomOverSampler, SMOTE])
@pytest.mark.parametrize("name", FACTORIES)
def test_over_sampling_after_the_features(name, sampler):
    rare = LABELS == "mal"
    kept = np.flatnonzero(~rare | (np.cumsum(rare) <= 5))
    texts, labels = [TEXTS[i] for i in kept], LABELS[kept]
    options = {"k_neighbors": 1} if sampler is SMOTE else {}
    *features, final = make(name).steps
    pipeline = ImbalancedPipeline(
        [*features, ("over", sampler(random_state=0, **options)), final]
    )
    fitted = clone(pipeline).fit(texts, labels)
    assert set(fitted.predict(texts)) == set(labels)
    assert cross_val_predict(pipeline, texts, labels, cv=2).shape == (len(texts),)
    search = GridSearchCV(pipeline, {"over": ["passthrough", pipeline[-2]]}, cv=2)
    assert search.fit(texts, labels).best_estimator_


@pytest.mark.parametrize("name", list(TEXT_CONTAINERS))
def test_grid_search_takes_every_container(name):
    package, build = TEXT_CONTAINERS[name]
    if package:
        pytest.importorskip(package)
    search = GridSearchCV(nbsvm(), {"nbsvm__C": [1.0]}, cv=2)
    expected = search.fit(TEXTS, LABELS).cv_results_["mean_test_score"]
    got = search.fit(build(TEXTS), LABELS).cv_results_["mean_test_score"]
    assert_array_equal(got, expected)


def test_sample_weight_without_routing_goes_to_the_named_step():
    weight = np.where(LABELS == "bien", 5.0, 1.0)
    weighted = nbsvm().fit(TEXTS, LABELS, nbsvm__sample_weight=weight)
    direct = NBSVMClassifier(intercept="none", random_state=0)
    direct.fit(TEXTS, LABELS, sample_weight=weight)
    assert_allclose(weighted[-1].coef_, direct.coef_, atol=1e-10)


def test_sample_weight_with_routing_goes_where_it_is_requested():
    weight = np.where(LABELS == "bien", 5.0, 1.0)
    direct = NBSVMClassifier(intercept="none", random_state=0)
    direct.fit(TEXTS, LABELS, sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        pipeline = nbsvm()
        pipeline[-1].set_fit_request(sample_weight=True)
        pipeline.fit(TEXTS, LABELS, sample_weight=weight)
        assert_allclose(pipeline[-1].coef_, direct.coef_, atol=1e-10)
        step = NBSVMClassifier(intercept="none", random_state=0)
        step.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(step, {"C": [1.0]}, cv=2)
        search.fit(TEXTS, LABELS, sample_weight=weight)
        assert_allclose(search.best_estimator_.coef_, direct.coef_, atol=1e-10)
        silent = Pipeline([("clf", NBSVMClassifier())])
        with pytest.raises(ValueError, match="sample_weight"):
            silent.fit(TEXTS, LABELS, sample_weight=weight)


@pytest.mark.parametrize("name", FACTORIES)
def test_clone_is_equal_and_unfitted(name):
    fitted = make(name).fit(TEXTS, LABELS)
    twin = clone(fitted)
    assert repr(twin) == repr(make(name))
    assert_array_equal(
        twin.fit(TEXTS, LABELS).decision_function(TEXTS),
        fitted.decision_function(TEXTS),
    )


def test_sparse_arrays_in_place_of_matrices():
    expected = nbsvm().fit(TEXTS, LABELS).decision_function(TEXTS)
    with config_context(sparse_interface="sparray"):
        for name in FACTORIES:
            make(name).fit(TEXTS, LABELS).predict(TEXTS)
        got = nbsvm().fit(TEXTS, LABELS).decision_function(TEXTS)
    assert_array_equal(got, expected)
