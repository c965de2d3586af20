"""NBLogCountRatio against counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.utils.estimator_checks import parametrize_with_checks

from tweetclf.exceptions import DataError
from tweetclf.features import NBLogCountRatio

TEXTS = [
    "jaja que risa",
    "que risa risa",
    "noticia del dia",
    "dia de noticia",
    "que dia",
]
LABELS = np.array(["joke", "joke", "news", "news", "joke"])


def counts() -> tuple[sparse.csr_matrix, np.ndarray]:
    vectorizer = CountVectorizer()
    X = vectorizer.fit_transform(TEXTS).astype(np.float64)
    return X, vectorizer.get_feature_names_out()


@parametrize_with_checks(
    [NBLogCountRatio(), NBLogCountRatio(variant="haha", binarize=False)]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_wang_manning_equals_hand_counts():
    X, _ = counts()
    ratio = NBLogCountRatio(alpha=0.5).fit(X, LABELS)
    binary = (X.toarray() > 0).astype(float)
    p = 0.5 + binary[LABELS == "news"].sum(axis=0)
    q = 0.5 + binary[LABELS == "joke"].sum(axis=0)
    expected = np.log((p / np.abs(p).sum()) / (q / np.abs(q).sum()))
    np.testing.assert_allclose(ratio.log_ratio_, [expected], rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        ratio.transform(X).toarray(), binary * expected, rtol=0, atol=1e-12
    )


def test_haha_equals_hand_sums():
    X, _ = counts()
    X = X.multiply(0.3).tocsr()
    ratio = NBLogCountRatio(variant="haha").fit(X, LABELS)
    dense, positive = X.toarray(), LABELS == "news"
    p = (dense[positive].sum(axis=0) + 1) / (positive.sum() + 1)
    q = (dense[~positive].sum(axis=0) + 1) / ((~positive).sum() + 1)
    np.testing.assert_allclose(ratio.log_ratio_[0], np.log(p / q), rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        ratio.transform(X).toarray(), dense * np.log(p / q), rtol=0, atol=1e-12
    )


def test_more_classes_give_one_block_a_class():
    X, names = counts()
    y = np.array([0, 0, 1, 2, 2])
    ratio = NBLogCountRatio().fit(X, y)
    out = ratio.transform(X).toarray()
    assert out.shape == (5, 3 * X.shape[1])
    features = ratio.get_feature_names_out(names)
    assert features[0] == f"0:{names[0]}"
    assert features[-1] == f"2:{names[-1]}"
    for k in range(3):
        one = NBLogCountRatio().fit(X, y == k)
        block = out[:, k * X.shape[1] : (k + 1) * X.shape[1]]
        np.testing.assert_allclose(block, one.transform(X).toarray(), atol=1e-12)


@pytest.mark.parametrize("variant", ["wang-manning", "haha"])
def test_weight_zero_is_leaving_out_and_two_is_twice(variant):
    X, _ = counts()
    weight = np.array([1, 2, 1, 1, 0])
    weighted = NBLogCountRatio(variant=variant).fit(X, LABELS, sample_weight=weight)
    rows = [0, 1, 1, 2, 3]
    repeated = NBLogCountRatio(variant=variant).fit(X[rows], LABELS[rows])
    np.testing.assert_allclose(weighted.log_ratio_, repeated.log_ratio_, atol=1e-12)


def test_sparse_dense_and_float32_agree():
    X, _ = counts()
    ratio = NBLogCountRatio().fit(X, LABELS)
    dense = ratio.transform(X.toarray())
    np.testing.assert_array_equal(ratio.transform(X).toarray(), dense)
    np.testing.assert_array_equal(ratio.transform(sparse.csr_array(X)).toarray(), dense)
    assert ratio.transform(X.astype(np.float32)).dtype == np.float32
    assert X.data.max() == 2, "the input must not be changed"


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a"] * 5, r"at least 2 classes; .* hold 1 class"),
        (["a", "b"], "5 rows and 2 labels"),
    ],
)
def test_bad_labels(y, message):
    X, _ = counts()
    with pytest.raises(DataError, match=message):
        NBLogCountRatio().fit(X, y)


def test_bad_input():
    X, _ = counts()
    with pytest.raises(ValueError, match="Negative values"):
        NBLogCountRatio().fit(-X, LABELS)
    with pytest.raises(ValueError, match="'alpha'"):
        NBLogCountRatio(alpha=0).fit(X, LABELS)
    with pytest.raises(NotFittedError):
        NBLogCountRatio().transform(X)


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(np.float64, (6, 4), elements=st.floats(0, 1e6)),
    hnp.arrays(np.int64, (6,), elements=st.integers(0, 1)),
    st.sampled_from(["wang-manning", "haha"]),
)
def test_ratios_are_finite_and_change_sign_with_the_classes(X, y, variant):
    y[:2] = [0, 1]
    ratio = NBLogCountRatio(variant=variant).fit(X, y).log_ratio_
    swapped = NBLogCountRatio(variant=variant).fit(X, 1 - y).log_ratio_
    assert np.isfinite(ratio).all()
    np.testing.assert_allclose(ratio, -swapped, rtol=1e-9, atol=1e-9)


def test_learner_that_sorts_the_output_in_place_leaves_the_input_alone():
    # TfidfVectorizer's rows are not in the order of their columns.
    X = TfidfVectorizer().fit_transform(["bb aa cc", "cc bb", "aa cc bb dd", "dd aa"])
    before = X.toarray()
    scaled = NBLogCountRatio(variant="haha").fit_transform(X, [0, 1, 0, 1])
    scaled.sort_indices()
    assert (X.toarray() == before).all()
