"""The base of neural estimators, by a network that counts letters."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, f1_score, log_loss, r2_score

torch = pytest.importorskip("torch")

from tweetclf.estimators._neural import (  # noqa: E402
    NeuralClassifier,
    NeuralRegressor,
)
from tweetclf.estimators._neural_compute import make_objective  # noqa: E402
from tweetclf.exceptions import DataError, MissingDependencyError  # noqa: E402
from tweetclf.training import TrainingOptions  # noqa: E402

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class LetterInputs:
    def __init__(self, rows):
        texts = ["".join(row) for row in rows]
        self.lengths = np.array([len(text) for text in texts])
        counts = [[text.count(letter) for letter in LETTERS] for text in texts]
        self.counts = torch.tensor(counts, dtype=torch.float32)

    def collate(self, indices):
        return {"counts": self.counts[indices]}


class Linear(torch.nn.Linear):
    def forward(self, counts):
        return super().forward(counts)


class _Letters:
    def __init__(
        self,
        max_iter=8,
        batch_size=30,
        learning_rate=0.1,
        early_stopping=False,
        validation_fraction=0.2,
        n_iter_no_change=None,
        scoring="loss",
        random_state=0,
        device="cpu",
        pairs=False,
    ):
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.random_state = random_state
        self.device = device
        self.pairs = pairs

    def _inputs(self, rows):
        return LetterInputs(rows)

    def _make_module(self, n_outputs):
        return Linear(len(LETTERS), n_outputs)


class LetterRegressor(_Letters, NeuralRegressor):
    pass


class LetterClassifier(_Letters, NeuralClassifier):
    def __init__(
        self,
        max_iter=8,
        batch_size=30,
        learning_rate=0.1,
        early_stopping=False,
        validation_fraction=0.2,
        n_iter_no_change=None,
        scoring="loss",
        random_state=0,
        device="cpu",
        pairs=False,
        class_weight=None,
        training=None,
    ):
        super().__init__(
            max_iter,
            batch_size,
            learning_rate,
            early_stopping,
            validation_fraction,
            n_iter_no_change,
            scoring,
            random_state,
            device,
            pairs,
        )
        self.class_weight = class_weight
        self.training = training


def _corpus(n, seed=0):
    """Return texts with many or few "a", which are noisily what their labels say."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    texts = [
        "a" * rng.poisson(2 + 3 * label) + "".join(rng.choice(list(LETTERS), 6))
        for label in y
    ]
    return texts, np.array(["no", "yes"])[y]


X, Y = _corpus(60)
X_VAL, Y_VAL = _corpus(40, seed=1)


# Losses


def _log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def _loss(estimator, logits, targets):
    module = torch.nn.Identity()
    module.forward = lambda logits: logits  # called with the batch's keywords
    batch = {"logits": torch.tensor(logits), "targets": torch.tensor(targets)}
    loss, logs = make_objective(estimator)(module, batch)
    assert logs["weight"] == len(targets)
    return loss.item()


def test_class_weights_are_in_the_reduction_by_n():
    logits = np.random.default_rng(0).normal(size=(7, 3))
    codes = np.array([0, 0, 0, 0, 1, 1, 2])
    estimator = LetterClassifier(class_weight="balanced")
    estimator._fit_targets(codes, 7)
    weights = 7 / (3 * np.array([4, 2, 1]))
    np.testing.assert_allclose(estimator.class_weight_, weights)
    losses = -_log_softmax(logits)[np.arange(7), codes]
    expected = (weights[codes] * losses).sum() / 7
    assert _loss(estimator, logits, codes) == pytest.approx(expected, abs=1e-12)
    torchs = torch.nn.functional.cross_entropy(
        torch.tensor(logits), torch.tensor(codes), torch.tensor(weights)
    )
    # P29: torch divides by the sum of the weights, which is 7 in a whole epoch but
    # not in a batch.
    part = _loss(estimator, logits[4:], codes[4:])
    theirs = torch.nn.functional.cross_entropy(
        torch.tensor(logits[4:]), torch.tensor(codes[4:]), torch.tensor(weights)
    )
    assert torchs.item() == pytest.approx(expected)
    assert part == pytest.approx(theirs.item() * weights[codes[4:]].sum() / 3)


def test_class_weights_may_be_given():
    estimator = LetterClassifier(class_weight={"no": 1.0, "yes": 5.0}).fit(X, Y)
    assert estimator.class_weight_.tolist() == [1.0, 5.0]
    plain = LetterClassifier().fit(X, Y)
    assert (estimator.predict(X) == "yes").sum() > (plain.predict(X) == "yes").sum()


def test_label_smoothing_by_hand():
    logits = np.random.default_rng(1).normal(size=(5, 4))
    codes = np.array([0, 3, 1, 1, 2])
    estimator = LetterClassifier(training=TrainingOptions(label_smoothing=0.1))
    estimator._fit_targets(codes, 5)
    target = np.full((5, 4), 0.1 / 4)
    target[np.arange(5), codes] += 0.9
    expected = -(target * _log_softmax(logits)).sum() / 5
    assert _loss(estimator, logits, codes) == pytest.approx(expected, abs=1e-12)


def test_indicator_matrices_have_binary_cross_entropy():
    logits = np.random.default_rng(2).normal(size=(5, 3))
    indicator = np.random.default_rng(3).integers(2, size=(5, 3)).astype(float)
    indicator[0] = 1
    estimator = LetterClassifier()
    estimator._fit_targets(indicator.astype(int), 5)
    p = 1 / (1 + np.exp(-logits))
    expected = -(indicator * np.log(p) + (1 - indicator) * np.log(1 - p)).mean()
    assert _loss(estimator, logits, indicator) == pytest.approx(expected, abs=1e-12)
    assert estimator._loss(logits, indicator) == pytest.approx(expected, abs=1e-12)


def test_numbers_have_the_squared_error():
    logits = np.random.default_rng(4).normal(size=(5, 1))
    targets = np.arange(5.0)
    expected = ((logits[:, 0] - targets) ** 2).mean()
    assert _loss(LetterRegressor(), logits, targets) == pytest.approx(expected)


# Targets


def test_a_label_that_no_text_has_is_never_predicted():
    indicator = np.zeros((60, 3), dtype=int)
    indicator[:, 0] = Y == "yes"
    indicator[:, 2] = 1
    clf = LetterClassifier().fit(X, indicator)
    assert clf.multilabel_
    assert clf.classes_.tolist() == [0, 1, 2]
    assert not clf.predict(X)[:, 1].any()
    assert not clf.predict_proba(X)[:, 1].any()
    assert clf.predict(X)[:, 2].all()


def test_numbers_are_learnt_in_standard_units_and_predicted_in_their_own():
    y = np.array([1000.0 + 50 * text.count("a") for text in X])
    reg = LetterRegressor(max_iter=60).fit(X, y)
    assert reg.target_mean_ == pytest.approx(y.mean(), rel=1e-12)
    assert reg.target_scale_ == pytest.approx(y.std(), rel=1e-12)
    np.testing.assert_allclose(reg.predict(X), y, atol=60)
    assert LetterRegressor(max_iter=1).fit(X, np.full(60, 3.0)).target_scale_ == 1.0


def test_scores_of_numbers_are_in_their_own_units():
    y = np.array([1000.0 + 50 * text.count("a") for text in X])
    y_val = np.array([1000.0 + 50 * text.count("a") for text in X_VAL])
    scoring = "neg_mean_absolute_error"
    reg = LetterRegressor(max_iter=20, scoring=scoring).fit(X, y, X_VAL, y_val)
    best = max(epoch["valid_score"] for epoch in reg.history_)
    assert best == pytest.approx(-np.abs(reg.predict(X_VAL) - y_val).mean(), rel=1e-5)
    assert reg.score(X_VAL, y_val) == r2_score(y_val, reg.predict(X_VAL))


def test_class_weights_are_not_for_indicator_matrices():
    indicator = np.eye(2, dtype=int)[[0, 1] * 30]
    with pytest.raises(DataError, match="class_weight='balanced' is for classes"):
        LetterClassifier(class_weight="balanced").fit(X, indicator)


# Validation


def test_the_best_epoch_on_given_texts_is_kept():
    clf = LetterClassifier(learning_rate=0.5, max_iter=25).fit(X, Y, X_VAL, Y_VAL)
    losses = [epoch["valid_loss"] for epoch in clf.history_]
    assert min(losses) < losses[-1] - 0.01  # it was not the last
    found = log_loss(Y_VAL, clf.predict_proba(X_VAL))
    assert found == pytest.approx(min(losses), rel=1e-6)


def test_the_best_epoch_by_a_score_is_kept():
    clf = LetterClassifier(learning_rate=0.5, max_iter=12, scoring="accuracy")
    clf.fit(X, Y, X_VAL, Y_VAL)
    best = max(epoch["valid_score"] for epoch in clf.history_)
    assert accuracy_score(Y_VAL, clf.predict(X_VAL)) == best
    indicator = np.column_stack([Y == "yes", Y == "no"]).astype(int)
    valid = np.column_stack([Y_VAL == "yes", Y_VAL == "no"]).astype(int)
    clf = clone(clf).set_params(scoring="f1_macro").fit(X, indicator, X_VAL, valid)
    best = max(epoch["valid_score"] for epoch in clf.history_)
    assert f1_score(valid, clf.predict(X_VAL), average="macro") == best


def test_training_stops_when_nothing_gets_better():
    clf = LetterClassifier(learning_rate=0.5, max_iter=500, n_iter_no_change=4)
    clf.fit(X, Y, X_VAL, Y_VAL)
    losses = [epoch["valid_loss"] for epoch in clf.history_]
    assert clf.n_iter_ == len(losses) < 500
    assert int(np.argmin(losses)) == len(losses) - 5


def test_held_out_texts_are_a_share_of_every_class():
    clf = LetterClassifier(early_stopping=True, validation_fraction=0.25)
    codes = np.array([0] * 40 + [1] * 8 + [2])
    chosen = clf._validation_rows(codes, seed=5)
    assert [int(chosen[codes == k].sum()) for k in range(3)] == [10, 2, 0]
    assert (chosen == clf._validation_rows(codes, seed=5)).all()
    assert (chosen != clf._validation_rows(codes, seed=6)).any()


def test_early_stopping_trains_on_what_is_not_held_out(monkeypatch):
    seen = []
    original = LetterClassifier._fit_inputs

    def spy(self, rows, seed):
        seen.extend(rows)
        return original(self, rows, seed)

    monkeypatch.setattr(LetterClassifier, "_fit_inputs", spy)
    clf = LetterClassifier(early_stopping=True, max_iter=3).fit(X, Y)
    assert len(seen) == 48
    assert set(seen) < set(X)
    assert "valid_loss" in clf.history_[0]
    assert "valid_loss" not in LetterClassifier(max_iter=1).fit(X, Y).history_[0]


@pytest.mark.parametrize(
    ("y_val", "message"),
    [
        (["si"] * 40, r"y_val\) holds the label 'si' at row 0"),
        (None, "needs X_val and y_val, or neither"),
        (Y_VAL[:3], "40 texts and 3 values"),
    ],
)
def test_wrong_validation_texts_are_refused(y_val, message):
    with pytest.raises(DataError, match=message):
        LetterClassifier().fit(X, Y, X_VAL, y_val)


def test_validation_columns_must_be_those_of_y():
    with pytest.raises(DataError, match="has 3 columns; y has 2"):
        LetterClassifier().fit(X, np.eye(2)[[0, 1] * 30], X_VAL, np.ones((40, 3)))


def test_too_few_texts_to_hold_some_out():
    with pytest.raises(DataError, match="cannot hold out validation_fraction=0.2 of 2"):
        LetterClassifier(early_stopping=True).fit(["a", "b"], [0, 1])


# Order, seeds, generators


def test_a_fit_does_not_depend_on_the_order_of_its_texts():
    order = np.random.default_rng(7).permutation(60)
    clf = LetterClassifier(early_stopping=True)
    first = clone(clf).fit(X, Y).predict_proba(X_VAL)
    second = clone(clf).fit([X[i] for i in order], Y[order]).predict_proba(X_VAL)
    assert (first == second).all()


def test_seeds():
    def fitted(seed):
        clf = LetterClassifier(random_state=seed, max_iter=2)
        return clf.fit(X, Y).predict_proba(X_VAL).tobytes()

    assert fitted(3) == fitted(3) == fitted(np.int64(3))
    assert fitted(3) != fitted(4)
    assert fitted(None) != fitted(None)
    assert fitted(np.random.RandomState(3)) == fitted(np.random.RandomState(3))


def test_global_generators_are_left_alone():
    torch_state = torch.get_rng_state()
    numpy_state = np.random.get_state()[1].tobytes()  # noqa: NPY002
    clf = LetterClassifier(max_iter=2).fit(X, Y, X_VAL, Y_VAL)
    clf.predict(X)
    pickle.loads(pickle.dumps(clf)).predict(X)
    assert (torch.get_rng_state() == torch_state).all()
    assert np.random.get_state()[1].tobytes() == numpy_state  # noqa: NPY002


# State


def test_a_pickle_holds_arrays_and_no_module():
    clf = LetterClassifier(max_iter=2).fit(X, Y)
    data = pickle.dumps(clf)
    assert b"torch" not in data
    loaded = pickle.loads(data)
    assert "_module" not in vars(loaded)
    assert set(loaded.module_state_) == {"weight", "bias"}
    assert (loaded.predict_proba(X) == clf.predict_proba(X)).all()
    assert pickle.dumps(loaded) == pickle.dumps(pickle.loads(data))
    assert not loaded.module_.training


def test_threads_may_restore_the_module_at_once():
    clf = LetterClassifier(max_iter=2).fit(X, Y)
    expected = clf.predict_proba(X)
    data = pickle.dumps(clf)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            loaded = pickle.loads(data)
            calls = [pool.submit(loaded.predict_proba, X) for _ in range(8)]
            assert all((call.result() == expected).all() for call in calls)


def test_a_refit_forgets_the_module():
    clf = pickle.loads(pickle.dumps(LetterClassifier(max_iter=2).fit(X, Y)))
    swapped = np.where(Y == "yes", "no", "yes")
    clf.fit(X, swapped)
    assert "module_state_" not in vars(clf)
    expected = LetterClassifier(max_iter=2).fit(X, swapped).predict_proba(X)
    assert (clf.predict_proba(X) == expected).all()


def test_equal_texts_are_read_once(monkeypatch):
    clf = LetterClassifier(max_iter=1).fit(X, Y)
    n_read = []
    original = LetterClassifier._inputs
    monkeypatch.setattr(
        LetterClassifier,
        "_inputs",
        lambda self, rows: n_read.append(len(rows)) or original(self, rows),
    )
    proba = clf.predict_proba(["aab", "b", "aab", "aab"])
    assert n_read == [2]
    assert (proba[0] == proba[2]).all()


def test_histories_of_equal_fits_are_equal():
    a, b = (LetterClassifier(max_iter=3).fit(X, Y, X_VAL, Y_VAL) for _ in range(2))
    assert a.history_ == b.history_
    assert [epoch["epoch"] for epoch in a.history_] == [0, 1, 2]
    assert a.history_[0]["loss"] > a.history_[-1]["loss"]


def test_pairs_are_asked_for():
    pairs = [(text, "a") for text in X]
    clf = LetterClassifier(max_iter=2, pairs=True).fit(pairs, Y)
    assert clf.predict(pairs).shape == (60,)
    with pytest.raises(DataError, match="expected pairs of texts"):
        clf.predict(X)
    with pytest.raises(DataError, match=r"texts\[0\] is tuple"):
        LetterClassifier().fit(pairs, Y)


def test_not_fitted():
    with pytest.raises(NotFittedError):
        LetterClassifier().predict(X)
    with pytest.raises(AttributeError, match="it is not fitted"):
        _ = LetterClassifier().module_


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="'max_iter' parameter"):
        LetterClassifier(max_iter=0).fit(X, Y)


# Without torch


def test_without_torch_the_error_names_the_extra(monkeypatch):
    from tweetclf.estimators import BiLSTMClassifier

    fitted = pickle.dumps(BiLSTMClassifier(hidden_size=4, max_iter=1).fit(X, Y))
    monkeypatch.setitem(sys.modules, "torch", None)
    clf = clone(BiLSTMClassifier(hidden_size=4))
    for call in (partial(clf.fit, X, Y), partial(pickle.loads(fitted).predict, X)):
        with pytest.raises(MissingDependencyError, match=r'"tweetclf\[neural\]"'):
            call()


def test_constructing_loads_no_torch():
    code = (
        "import sys; import tweetclf.estimators as e; "
        "e.BiLSTMClassifier(); e.BiLSTMRegressor(); e.bilstm(); "
        "e.atalaya_lstm_elmo_bow('elmo'); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_scorer_that_cannot_score_is_refused_before_training(monkeypatch):
    from tweetclf.estimators import BiLSTMClassifier, _neural_compute

    def trained(*_):
        raise AssertionError("training began")

    monkeypatch.setattr(_neural_compute, "train", trained)
    texts, labels = ["qué risa", "qué pena"] * 10, ["P", "N"] * 10
    for scoring in ("f1", "f1_macroo"):
        net = BiLSTMClassifier(early_stopping=True, scoring=scoring, random_state=0)
        with pytest.raises(ValueError, match=r"pos_label|f1_macroo"):
            net.fit(texts, labels)
