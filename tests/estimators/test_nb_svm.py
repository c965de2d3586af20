"""NBSVMClassifier against NumPy and scikit-learn's learners."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from tweetclf.estimators import NBSVMClassifier, nbsvm
from tweetclf.exceptions import DataError
from tweetclf.features import NgramTfidfVectorizer, PairFeatures
from tweetclf.tasks import load_task

TEXTS = [
    "jaja qué risa el partido",
    "jaja me muero de risa",
    "gracias por todo, te amo",
    "qué triste el partido",
    "odio los lunes, qué asco",
    "me muero de pena",
    "la reunión es a las 10",
    "el partido empieza a las 9",
]
BINARY = np.array(["P", "P", "P", "N", "N", "N", "N", "P"])
THREE = np.array(["P", "P", "P", "N", "N", "N", "0", "0"])


def counts_of(texts, ngrams=2):
    """Binarised n-gram counts by hand: rows of 0 and 1 and the sorted vocabulary."""
    documents = []
    for text in texts:
        tokens = re.findall(r"[#@]?\w+|[^\w\s]+", text.lower())
        documents.append(
            {
                " ".join(tokens[i : i + n])
                for n in range(1, ngrams + 1)
                for i in range(len(tokens) - n + 1)
            }
        )
    vocabulary = sorted(set().union(*documents))
    return np.array([[float(t in d) for t in vocabulary] for d in documents])


def ratio_of(F, positive, weight=None, alpha=1.0):
    """Wang & Manning (2012), equation of section 2.1."""
    weight = np.ones(len(F)) if weight is None else weight
    p = alpha + weight[positive] @ F[positive]
    q = alpha + weight[~positive] @ F[~positive]
    return np.log((p / p.sum()) / (q / q.sum()))


def intercept_of(b, w, positive, beta, weight=1.0):
    """Interpolate the SVM's intercept with that of Naive Bayes, log(N+ / N-)."""
    weight = np.broadcast_to(weight, positive.shape)
    prior = np.log(weight[positive].sum() / weight[~positive].sum())
    return (1 - beta) * np.abs(w).mean() * prior + beta * b


def test_ratio_equals_the_papers_by_hand():
    F = counts_of(TEXTS)
    clf = NBSVMClassifier(random_state=0).fit(TEXTS, BINARY)
    expected = ratio_of(F, BINARY == "P")
    assert clf.log_count_ratio_.shape == (1, F.shape[1])
    assert_allclose(clf.log_count_ratio_[0], expected, atol=1e-8, rtol=0)


@pytest.mark.parametrize("beta", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_svm_and_interpolation_equal_the_oracle(beta, alpha):
    F = counts_of(TEXTS)
    r = ratio_of(F, BINARY == "P", alpha=alpha)
    svm = LinearSVC(C=1.0, max_iter=10_000, random_state=0).fit(F * r, BINARY == "P")
    w = svm.coef_[0]
    b = intercept_of(svm.intercept_, w, BINARY == "P", beta)
    w = (1 - beta) * np.abs(w).mean() + beta * w
    clf = NBSVMClassifier(alpha=alpha, beta=beta, random_state=0).fit(TEXTS, BINARY)
    assert_allclose(clf.coef_[0], r * w, atol=1e-8)
    assert_allclose(clf.intercept_, b, atol=1e-8)
    scores = (F * r) @ w + b
    assert_allclose(clf.decision_function(TEXTS), scores, atol=1e-8)
    assert_array_equal(clf.predict(TEXTS), np.where(scores > 0, "P", "N"))
    clf.set_params(intercept="learner").fit(TEXTS, BINARY)
    assert_allclose(clf.coef_[0], r * w, atol=1e-8)
    assert_allclose(clf.intercept_, svm.intercept_, atol=1e-8)


def test_unequal_classes_need_the_interpolated_intercept():
    rng = np.random.default_rng(0)
    y = rng.random(400) < 0.15
    words = [f"p{i}" for i in range(60)], [f"n{i}" for i in range(60)]
    texts = [
        " ".join(rng.choice(words[int(rng.random() > (0.6 if t else 0.4))], size=6))
        for t in y
    ]
    none, interpolated, learner = (
        NBSVMClassifier(intercept=which, random_state=0).fit(texts, y)
        for which in ("none", "interpolated", "learner")
    )
    n_found = learner.predict(texts).sum()
    assert interpolated.predict(texts).sum() > 2 * n_found
    assert none.predict(texts).sum() > 2 * n_found


@pytest.mark.parametrize("learner", ["svm", "lr"])
@pytest.mark.parametrize("labels", [BINARY, THREE])
def test_no_intercept_equals_the_oracle(labels, learner):
    F = counts_of(TEXTS)
    clf = NBSVMClassifier(intercept="none", learner=learner, random_state=0)
    clf.fit(TEXTS, labels)
    positives = ["P"] if len(clf.classes_) == 2 else clf.classes_
    for k, label in enumerate(positives):
        r = ratio_of(F, labels == label)
        if learner == "svm":
            oracle = LinearSVC(fit_intercept=False, max_iter=10_000, random_state=0)
        else:
            oracle = LogisticRegression(
                fit_intercept=False, solver="liblinear", random_state=0
            )
        w = oracle.fit(F * r, labels == label).coef_[0]
        w = 0.75 * np.abs(w).mean() + 0.25 * w
        scores = np.atleast_2d(clf.decision_function(TEXTS).T)[k]
        assert_allclose(clf.coef_[k], r * w, atol=1e-4)
        assert_allclose(scores, (F * r) @ w, atol=1e-4)
    assert clf.intercept_.tolist() == [0.0] * len(positives)


def test_binarize_false_keeps_the_values_of_tfidf():
    X = TfidfVectorizer().fit_transform(TEXTS)
    clf = NBSVMClassifier("passthrough", binarize=False, random_state=0)
    clf.fit(X, BINARY)
    F = X.toarray()
    r = ratio_of(F, BINARY == "P")
    svm = LinearSVC(max_iter=10_000, random_state=0).fit(F * r, BINARY == "P")
    w = 0.75 * np.abs(svm.coef_[0]).mean() + 0.25 * svm.coef_[0]
    b = intercept_of(svm.intercept_, svm.coef_[0], BINARY == "P", 0.25)
    assert_allclose(clf.log_count_ratio_[0], r, atol=1e-8)
    assert_allclose(clf.decision_function(X), (F * r) @ w + b, atol=1e-6)
    assert np.abs(clf.decision_function(2 * X) - clf.decision_function(X)).max() > 0.01
    binary = clone(clf).set_params(binarize="auto").fit(X, BINARY)
    assert np.abs(binary.coef_ - clf.coef_).max() > 0.01


@pytest.mark.slow
@pytest.mark.data
def test_intercepts_on_haha_score_as_the_guide_says(shared_data):
    task = load_task("haha-2019", data_dir=shared_data)
    scores = {
        which: task.metric(
            task.dev.labels,
            nbsvm(intercept=which).fit(*task.train).predict(list(task.dev.texts)),
        )
        for which in ("none", "interpolated", "learner")
    }
    expected = {"none": 0.770, "interpolated": 0.800, "learner": 0.549}
    assert scores == pytest.approx(expected, abs=0.002)


def test_intercepts_on_the_sample_score_as_the_guide_says():
    task = load_task("sample-humor")
    scores = {
        which: task.metric(
            task.dev.labels,
            nbsvm(intercept=which).fit(*task.train).predict(list(task.dev.texts)),
        )
        for which in ("none", "interpolated", "learner")
    }
    expected = {"none": 0.619, "interpolated": 0.575, "learner": 0.040}
    # One of 124 tweets more or less moves the score by .02.
    assert scores == pytest.approx(expected, abs=0.03)


def test_beta_0_ranks_texts_as_multinomial_naive_bayes():
    F = counts_of(TEXTS)
    clf = NBSVMClassifier(beta=0.0, random_state=0).fit(TEXTS, BINARY)
    scores = clf.decision_function(TEXTS) - clf.intercept_[0]
    bayes = F @ ratio_of(F, BINARY == "P")
    factor = scores @ bayes / (bayes @ bayes)
    assert factor > 0
    assert_allclose(scores, factor * bayes, atol=1e-10)


def test_three_classes_are_one_against_the_rest():
    F = counts_of(TEXTS)
    clf = NBSVMClassifier(random_state=0).fit(TEXTS, THREE)
    assert clf.classes_.tolist() == ["0", "N", "P"]
    for k, label in enumerate(clf.classes_):
        r = ratio_of(F, label == THREE)
        assert_allclose(clf.log_count_ratio_[k], r, atol=1e-8)
        svm = LinearSVC(max_iter=10_000, random_state=0).fit(F * r, label == THREE)
        b = intercept_of(svm.intercept_, svm.coef_[0], label == THREE, 0.25)
        w = 0.75 * np.abs(svm.coef_[0]).mean() + 0.25 * svm.coef_[0]
        scores = (F * r) @ w + b
        assert_allclose(clf.decision_function(TEXTS)[:, k], scores, atol=1e-8)
    assert_array_equal(clf.predict(TEXTS), THREE)


def test_logistic_learner_equals_the_oracle_and_has_probabilities():
    F = counts_of(TEXTS)
    clf = NBSVMClassifier(learner="lr", beta=1.0, C=4.0, random_state=0)
    clf.fit(TEXTS, BINARY)
    r = ratio_of(F, BINARY == "P")
    lr = LogisticRegression(C=4.0, solver="liblinear", random_state=0)
    lr.fit(F * r, BINARY)
    assert_allclose(clf.predict_proba(TEXTS), lr.predict_proba(F * r), atol=1e-8)
    assert_array_equal(clf.predict(TEXTS), lr.predict(F * r))


def test_probabilities_exist_only_where_the_learner_has_them():
    assert not hasattr(NBSVMClassifier(), "predict_proba")
    assert hasattr(NBSVMClassifier(learner="lr"), "predict_proba")
    with pytest.raises(AttributeError) as caught:
        NBSVMClassifier().predict_proba  # noqa: B018 - the access is the test
    assert 'learner="lr"' in str(caught.value.__cause__)


def test_sample_weight_enters_ratio_and_learner():
    F = counts_of(TEXTS)
    weight = np.array([1.0, 2.0, 1.0, 3.0, 1.0, 1.0, 2.0, 1.0])
    clf = NBSVMClassifier(random_state=0).fit(TEXTS, BINARY, sample_weight=weight)
    r = ratio_of(F, BINARY == "P", weight)
    assert_allclose(clf.log_count_ratio_[0], r, atol=1e-8)
    svm = LinearSVC(max_iter=10_000, random_state=0)
    svm.fit(F * r, BINARY == "P", sample_weight=weight)
    b = intercept_of(svm.intercept_, svm.coef_[0], BINARY == "P", 0.25, weight)
    w = 0.75 * np.abs(svm.coef_[0]).mean() + 0.25 * svm.coef_[0]
    assert_allclose(clf.coef_[0], r * w, atol=1e-8)
    assert_allclose(clf.intercept_, b, atol=1e-8)


def test_weight_zero_leaves_the_text_out_of_the_vocabulary():
    weight = [1.0] * len(TEXTS) + [0.0]
    clf = NBSVMClassifier(random_state=0)
    clf.fit([*TEXTS, "jamás vista"], [*BINARY, "P"], sample_weight=weight)
    plain = NBSVMClassifier(random_state=0).fit(TEXTS, BINARY)
    assert "jamás" not in clf.vectorizer_.vocabulary_
    assert_array_equal(clf.coef_, plain.coef_)


def test_class_of_weight_zero_is_absent():
    weight = (THREE != "0").astype(float)
    clf = NBSVMClassifier(random_state=0).fit(TEXTS, THREE, sample_weight=weight)
    assert clf.classes_.tolist() == ["N", "P"]


def test_class_weight_equals_that_of_the_learner():
    F = counts_of(TEXTS)
    r = ratio_of(F, BINARY == "P")
    for class_weight in ("balanced", {"P": 3.0, "N": 0.5}):
        clf = NBSVMClassifier(class_weight=class_weight, random_state=0, dual=False)
        clf.fit(TEXTS, BINARY)
        svm = LinearSVC(class_weight=class_weight, dual=False, max_iter=10_000)
        svm.fit(F * r, BINARY)
        w = 0.75 * np.abs(svm.coef_[0]).mean() + 0.25 * svm.coef_[0]
        assert_allclose(clf.coef_[0], r * w, atol=1e-6)


def test_haha_variant_takes_values_as_they_are():
    X = TfidfVectorizer().fit_transform(TEXTS)
    clf = NBSVMClassifier(
        "passthrough", variant="haha", learner="lr", beta=1.0, C=4.0, dual=True,
        random_state=0,
    ).fit(X, BINARY)  # fmt: skip
    positive = BINARY == "P"
    dense = X.toarray()
    p = (dense[positive].sum(0) + 1) / (positive.sum() + 1)
    q = (dense[~positive].sum(0) + 1) / ((~positive).sum() + 1)
    r = np.log(p / q)
    assert_allclose(clf.log_count_ratio_[0], r, atol=1e-8)
    lr = LogisticRegression(C=4, dual=True, solver="liblinear", random_state=0)
    lr.set_params(max_iter=10_000).fit(X.multiply(r).tocsr(), BINARY)
    assert_allclose(clf.coef_, lr.coef_ * r, atol=1e-8)
    assert_array_equal(clf.predict(X), lr.predict(X.multiply(r).tocsr()))


@pytest.mark.parametrize("learner", ["svm", "lr"])
@pytest.mark.parametrize("variant", ["haha", "wang-manning"])
def test_matrix_with_unsorted_rows_is_left_alone_and_read_right(variant, learner):
    # TfidfVectorizer's rows are not in the order of their columns, and liblinear's
    # wrapper sorts them in place.
    X = TfidfVectorizer().fit_transform(TEXTS)
    before = X.toarray()
    options = {"variant": variant, "learner": learner, "random_state": 0}
    unsorted = NBSVMClassifier("passthrough", **options).fit(X, THREE)
    assert_array_equal(X.toarray(), before)
    dense = NBSVMClassifier("passthrough", dual=False, **options).fit(before, THREE)
    unsorted.set_params(dual=False).fit(X, THREE)
    assert_allclose(unsorted.coef_, dense.coef_, atol=1e-8)
    for k, label in enumerate(unsorted.classes_):
        one = NBSVMClassifier("passthrough", dual=False, **options)
        one.fit(before, label == THREE)
        assert_allclose(unsorted.coef_[k], one.coef_[0], atol=1e-8)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix, sparse.csr_array])
def test_passthrough_equals_the_text_estimator(container):
    F = container(counts_of(TEXTS))
    matrix = NBSVMClassifier("passthrough", random_state=0).fit(F, THREE)
    text = NBSVMClassifier(random_state=0).fit(TEXTS, THREE)
    assert_allclose(matrix.coef_, text.coef_, atol=1e-12)
    assert_array_equal(matrix.predict(F), text.predict(TEXTS))
    assert matrix.n_features_in_ == F.shape[1]
    assert matrix.vectorizer_ is None


def test_factory_equals_the_estimator():
    pipeline = nbsvm().fit(TEXTS, THREE)
    clf = NBSVMClassifier(intercept="none", random_state=0).fit(TEXTS, THREE)
    assert_array_equal(pipeline.decision_function(TEXTS), clf.decision_function(TEXTS))
    assert list(pipeline.named_steps) == ["counts", "nbsvm"]
    assert pipeline.named_steps["nbsvm"].intercept_.tolist() == [0.0, 0.0, 0.0]


def test_counts_are_binarised_also_behind_passthrough():
    counts = CountVectorizer().fit_transform(["a1 a1 b1", "b1 c1", "a1", "c1 c1"])
    once = NBSVMClassifier("passthrough", random_state=0).fit(counts, [1, 0, 1, 0])
    binary = NBSVMClassifier("passthrough", random_state=0)
    binary.fit((counts > 0).astype(float), [1, 0, 1, 0])
    assert_array_equal(once.coef_, binary.coef_)
    assert_array_equal(
        once.decision_function(counts), once.decision_function(counts * 5)
    )
    assert counts.max() == 2


def test_own_vectorizer_is_cloned_and_searchable():
    vectorizer = NgramTfidfVectorizer(analyzer="char", ngram_range=(1, 3))
    clf = NBSVMClassifier(vectorizer, random_state=0).fit(TEXTS, BINARY)
    assert not hasattr(vectorizer, "vocabulary_")
    assert "ja" in clf.vectorizer_.vocabulary_
    assert "vectorizer__ngram_range" in clf.get_params()


def test_text_pairs_through_pair_features():
    pairs = [("hola", text) for text in TEXTS]
    clf = NBSVMClassifier(PairFeatures(NgramTfidfVectorizer()), random_state=0)
    assert_array_equal(clf.fit(pairs, BINARY).predict(pairs), BINARY)
    weight = [1.0] * 7 + [0.0]
    assert clf.fit(pairs, BINARY, sample_weight=weight).classes_.tolist() == ["N", "P"]


def test_same_integer_seed_gives_the_same_model_and_none_is_fresh():
    a, b = (NBSVMClassifier(random_state=3).fit(TEXTS, THREE) for _ in range(2))
    assert_array_equal(a.coef_, b.coef_)
    state = np.random.RandomState(0)
    NBSVMClassifier(random_state=state).fit(TEXTS, THREE)
    assert state.randint(10**9) != np.random.RandomState(0).randint(10**9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0}, "'alpha' parameter"),
        ({"beta": 1.5}, "'beta' parameter"),
        ({"learner": "nb"}, "'learner' parameter"),
        ({"intercept": True}, "'intercept' parameter"),
        ({"variant": "paper"}, "'variant' parameter"),
        ({"C": -1.0}, "'C' parameter"),
        ({"vectorizer": "tfidf"}, "'vectorizer' parameter"),
        ({"class_weight": "even"}, "'class_weight' parameter"),
    ],
)
def test_parameters_are_validated_in_fit(options, message):
    clf = NBSVMClassifier(**options)
    with pytest.raises(ValueError, match=message):
        clf.fit(TEXTS, BINARY)


def test_errors_name_what_is_wrong():
    clf = NBSVMClassifier()
    with pytest.raises(DataError, match=r"needs at least 2 classes; y holds 1 class"):
        clf.fit(TEXTS, ["P"] * 8)
    with pytest.raises(DataError, match=r"texts\[2\] is None"):
        clf.fit([*TEXTS[:2], None, *TEXTS[3:]], BINARY)
    with pytest.raises(DataError, match="8 texts and 7 values of y"):
        clf.fit(TEXTS, BINARY[:7])
    with pytest.raises(DataError, match=r"missing value.*y\[1\]"):
        clf.fit(TEXTS, ["P", None, *BINARY[2:]])
    # NumPy would make a third class of it, called "nan".
    with pytest.raises(DataError, match=r"missing value.*y\[2\]"):
        clf.fit(TEXTS, ["P", "N", float("nan"), *BINARY[3:]])
    with pytest.raises(DataError, match="got 0 texts"):
        clf.fit(TEXTS, BINARY).predict([])
    with pytest.raises(ValueError, match="Negative values"):
        NBSVMClassifier("passthrough").fit([[-1.0], [1.0]], [0, 1])
    with pytest.raises(ValueError, match="features"):
        NBSVMClassifier("passthrough").fit(np.eye(4), [0, 1, 0, 1]).predict(np.eye(3))


def test_dense_vectorizer():
    vectorizer = make_pipeline(NgramTfidfVectorizer(), _Dense())
    clf = NBSVMClassifier(vectorizer, random_state=0).fit(TEXTS, BINARY)
    sparse_clf = NBSVMClassifier(NgramTfidfVectorizer(), random_state=0)
    sparse_clf.fit(TEXTS, BINARY)
    assert_allclose(clf.coef_, sparse_clf.coef_, atol=1e-10)


class _Dense:
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X.toarray()

    def fit_transform(self, X, y=None):
        return X.toarray()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.text(max_size=30), st.sampled_from(["a", "b", "c"])), min_size=1
    ),
    st.lists(st.text(max_size=30), min_size=1, max_size=5),
)
def test_any_texts_are_answered_or_refused(rows, new):
    texts, labels = zip(*rows, strict=True)
    clf = NBSVMClassifier(random_state=0)
    try:
        clf.fit(texts, labels)
    except ValueError as refusal:
        message = str(refusal)
    else:
        message = ""
    if message:
        assert re.search("2 classes|empty vocabulary", message)
        return
    assert set(clf.predict(new)) <= set(labels)
    assert np.isfinite(clf.decision_function(texts)).all()
