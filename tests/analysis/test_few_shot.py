"""Few examples a class, and logistic regression on frozen vectors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score

from tweetclf.analysis import feature_based_scores, few_shot_curve
from tweetclf.exceptions import DataError

CLASSES = ("N", "P", "U")
TRAIN = (
    [f"{c.lower()} tuit {i}" for c in CLASSES for i in range(9)],
    [c for c in CLASSES for _ in range(9)],
)
TEST = (["n tuit", "p tuit", "u tuit", "n otro"], ["N", "P", "U", "N"])


class Recorder:
    """Remembers what it was trained on; foretells one class."""

    def __init__(self, log, name, seed):
        self.log, self.name, self.seed = log, name, seed

    def fit(self, X, y):
        self.log.append((self.name, self.seed, tuple(X), tuple(y)))
        return self

    def predict(self, X):
        return np.array(["N"] * len(X))


def test_examples_are_paired_nested_and_balanced():
    log: list = []
    curve = few_shot_curve(
        {
            "a": lambda seed: Recorder(log, "a", seed),
            "b": lambda seed: Recorder(log, "b", seed),
        },
        TRAIN,
        TEST,
        metric=accuracy_score,
        sizes=[8, 2, 4],
        n_repeats=3,
    )
    assert curve.sizes == (2, 4, 8)
    assert curve.scores.shape == (2, 3, 3)
    assert (curve.scores == 0.5).all()
    by_system = {n: [row for row in log if row[0] == n] for n in "ab"}
    for one, two in zip(by_system["a"], by_system["b"], strict=True):
        assert one[1:] == two[1:]
    texts = [set(row[2]) for row in by_system["a"]]
    for repeat in range(3):
        small, middle, large = texts[3 * repeat : 3 * repeat + 3]
        assert small < middle < large
        assert [len(s) for s in (small, middle, large)] == [6, 12, 24]
    assert len({row[1] for row in by_system["a"]}) == 3
    for row in log:
        counts = [row[3].count(c) for c in CLASSES]
        assert len(set(counts)) == 1


def test_bands_are_student_intervals():
    curve = few_shot_curve(
        {"most": lambda seed: DummyClassifier(strategy="uniform", random_state=seed)},
        TRAIN,
        (TRAIN[0], TRAIN[1]),
        metric=accuracy_score,
        sizes=[2, 4],
        n_repeats=6,
    )
    scores = curve.scores[0, :, 0]
    low, high = stats.t.interval(0.95, 5, scores.mean(), stats.sem(scores))
    assert curve.mean[0, 0] == pytest.approx((low + high) / 2)
    assert curve.margin[0, 0] == pytest.approx((high - low) / 2)
    one = few_shot_curve(
        {"most": lambda seed: DummyClassifier()},
        TRAIN, TEST, metric=accuracy_score, sizes=[2], n_repeats=1,
    )  # fmt: skip
    assert np.isnan(one.margin).all()


def test_too_few_examples_are_refused():
    make = {"most": lambda seed: DummyClassifier()}
    with pytest.raises(DataError, match="class 'N' has 9 examples"):
        few_shot_curve(make, TRAIN, TEST, metric=accuracy_score, sizes=[10])
    with pytest.raises(ValueError, match="needs a system"):
        few_shot_curve({}, TRAIN, TEST, metric=accuracy_score)
    with pytest.raises(DataError, match="one class each"):
        few_shot_curve(
            make, (TRAIN[0], np.eye(27)), TEST, metric=accuracy_score, sizes=[2]
        )


def test_frozen_vectors_are_scored_as_by_hand(make_model):
    pytest.importorskip("torch")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from tweetclf.features import TransformerVectorizer
    from tweetclf.tasks import load_task

    task = load_task("sample-humor")
    train = task.train.take(range(60))
    test = task.splits["test"].take(range(40))
    folder = make_model("none")
    found = feature_based_scores(
        folder, train, test, metric=task.metric, C=[0.1, 1.0], n_folds=3,
        n_resamples=50, device="cpu",
    )  # fmt: skip
    assert found.poolings == ("cls", "mean", "combined")
    for pooling, score, C in zip(
        found.poolings, found.scores, found.chosen, strict=True
    ):
        pipeline = make_pipeline(
            TransformerVectorizer(folder, pooling=pooling, device="cpu"),
            StandardScaler(),
            LogisticRegression(C=C, max_iter=2000),
        ).fit(list(train.texts), train.labels)
        expected = task.metric(test.labels, pipeline.predict(list(test.texts)))
        assert score == pytest.approx(expected, abs=1e-6)
    assert (found.low <= found.high).all()
