from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tweetclf.estimators import OffsetClassifier, majority, ngram_ensemble, tfidf_lr
from tweetclf.estimators.offsets import GRID, tune_offsets
from tweetclf.exceptions import DataError, UnknownNameError
from tweetclf.tasks import get_metric, load_task


def _noisy_probabilities(seed: int, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = rng.choice(k, p=[0.7, 0.2, 0.1], size=400)
    logits = rng.normal(size=(400, k)) + 1.2 * np.eye(k)[codes] + [1.5, 0.3, 0.0]
    proba = np.exp(logits)
    return codes, proba / proba.sum(axis=1, keepdims=True)


def test_tuned_offsets_raise_the_metric() -> None:
    codes, proba = _noisy_probabilities(0)
    metric = get_metric("macro_f1", labels=("0", "1", "2"))
    offsets = tune_offsets(codes, proba, metric)
    plain = f1_score(codes, proba.argmax(1), average="macro")
    tuned = f1_score(codes, (np.log(proba) + offsets).argmax(1), average="macro")
    assert tuned > plain + 0.02


def test_two_classes_equal_a_search_over_the_grid() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(2, size=300)
    positive = 1 / (1 + np.exp(-(rng.normal(size=300) + codes - 1.2)))
    proba = np.column_stack([1 - positive, positive])
    metric = get_metric("binary_f1", labels=("0", "1"), pos="1")
    offsets = tune_offsets(codes, proba, metric)
    reached = f1_score(codes, (np.log(proba) + offsets).argmax(1))
    best = max(
        f1_score(codes, (np.log(proba) + [a, b]).argmax(1))
        for a, b in itertools.product(GRID, GRID)
    )
    # Only the difference of two offsets counts, so one sweep finds all but ties.
    assert reached == pytest.approx(best, abs=0.01)


def test_a_perfect_classifier_is_left_alone() -> None:
    codes = np.array([0, 1, 2] * 10)
    proba = np.eye(3)[codes] * 0.9 + 0.05
    metric = get_metric("macro_f1", labels=("0", "1", "2"))
    assert tune_offsets(codes, proba, metric).tolist() == [0.0, 0.0, 0.0]


TEXTS = ["qué bien", "muy bien", "bien", "qué mal", "bien o mal", "mal"] * 4
LABELS = ["P", "P", "P", "N", "P", "N"] * 4


def test_no_share_means_the_plain_classifier() -> None:
    clf = OffsetClassifier(tfidf_lr(), shrink=0).fit(TEXTS, LABELS)
    assert clf.offsets_.tolist() == [0.0, 0.0]
    plain = tfidf_lr().fit(TEXTS, LABELS)
    assert np.allclose(clf.predict_proba(TEXTS), plain.predict_proba(TEXTS))


def test_the_share_shrinks_the_offsets() -> None:
    task = load_task("sample-humor")
    options = {"metric": "binary_f1", "pos": "humor", "random_state": 0}
    whole = OffsetClassifier(tfidf_lr(), **options).fit(*task.train)
    half = OffsetClassifier(tfidf_lr(), shrink=0.5, **options).fit(*task.train)
    assert np.abs(whole.offsets_).max() > 0
    assert half.offsets_ == pytest.approx(whole.offsets_ / 2)
    # Humour is the rarer class, and its F1 wants it predicted more often.
    plain = tfidf_lr().fit(*task.train)
    texts = list(task.dev.texts)
    assert (whole.predict(texts) == "humor").sum() > (
        plain.predict(texts) == "humor"
    ).sum()


def test_decisions_are_the_largest_probability() -> None:
    clf = OffsetClassifier(tfidf_lr(), random_state=0).fit(TEXTS, LABELS)
    proba = clf.predict_proba(TEXTS)
    assert np.allclose(proba.sum(axis=1), 1)
    assert (clf.classes_[proba.argmax(axis=1)] == clf.predict(TEXTS)).all()


def test_a_class_of_one_text_is_not_tuned() -> None:
    clf = OffsetClassifier(tfidf_lr()).fit([*TEXTS, "único"], [*LABELS, "raro"])
    assert clf.offsets_.tolist() == [0.0, 0.0, 0.0]


def test_metrics_that_cannot_be_tuned_are_refused() -> None:
    with pytest.raises(DataError, match="metric of the confusion matrix"):
        OffsetClassifier(tfidf_lr(), metric="jaccard").fit(TEXTS, LABELS)
    with pytest.raises(UnknownNameError, match="Did you mean"):
        OffsetClassifier(tfidf_lr(), metric="macrof1").fit(TEXTS, LABELS)


def test_offsets_of_integer_labels_know_their_positive_class() -> None:
    codes = [1 if label == "P" else 0 for label in LABELS]
    clf = OffsetClassifier(tfidf_lr(), metric="binary_f1", pos=1).fit(TEXTS, codes)
    assert set(clf.predict(TEXTS).tolist()) <= {0, 1}


def test_ensemble_takes_the_metric_of_a_task() -> None:
    humor, sentiment = load_task("sample-humor"), load_task("sample-sentiment")
    vote = ngram_ensemble(metric=humor.metric).named_steps["vote"]
    assert (vote.metric, vote.pos, vote.shrink) == ("binary_f1", "humor", 0.7)
    vote = ngram_ensemble(metric=sentiment.metric).named_steps["vote"]
    assert (vote.metric, vote.shrink) == ("macro_f1", 0.0)


def test_ensemble_averages_its_members() -> None:
    task = load_task("sample-stance")
    texts = [b for _, b in task.train.texts]
    clf = ngram_ensemble().fit(texts, task.train.labels)
    vote = clf.named_steps["vote"].estimator_
    clean = clf.named_steps["normalizer"].transform(texts[:5])
    members = [
        vote.named_estimators_[n].predict_proba(clean)
        for n in ("words", "chars", "ratios")
    ]
    assert np.allclose(clf.predict_proba(texts[:5]), np.mean(members, axis=0))


def test_ensemble_beats_the_majority_on_the_sample() -> None:
    task = load_task("sample-sentiment")
    assert task.test is not None
    texts = list(task.test.texts)
    scores = [
        task.metric(task.test.labels, make().fit(*task.train).predict(texts))
        for make in (ngram_ensemble, majority)
    ]
    assert scores[0] > scores[1] + 0.3


def test_label_marks_are_made_equal() -> None:
    """Double blanks and variation selectors stand where a label was cut out."""
    normalizer = ngram_ensemble().named_steps["normalizer"]
    assert normalizer.transform(["hola  a\ufe0f todos"]) == ["hola a todos"]
    assert normalizer.transform(["“don’t”"]) == ['"don\'t"']
