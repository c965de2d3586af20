"""What neural estimators minimise, against formulas, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from neural_options import (  # noqa: E402
    INDICATOR,
    LABELS,
    NUMBERS,
    TEXTS,
    bilstm,
    fine_tuned,
    ulmfit,
)

from tweetclf.estimators import (  # noqa: E402
    TransformerQuestionAnswering,
    TransformerRegressor,
    ULMFiTClassifier,
    ULMFiTRegressor,
)
from tweetclf.estimators._objectives import make_objective  # noqa: E402
from tweetclf.exceptions import DataError  # noqa: E402
from tweetclf.testing import make_tiny_transformer  # noqa: E402
from tweetclf.training import TrainingOptions  # noqa: E402


@pytest.fixture(scope="module")
def sober(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a model without dropout, in which all micro-batches are alike."""
    folder = tmp_path_factory.mktemp("options") / "sober"
    return str(make_tiny_transformer(folder, TEXTS, dropout=0.0))


def loss_of(estimator: Any, logits: Any, targets: Any) -> tuple[float, float]:
    objective = make_objective(estimator)
    batch = {"targets": torch.as_tensor(targets)}
    loss, logs = objective(lambda: torch.as_tensor(logits), batch)
    return loss.item(), float(logs["weight"])


def softmax(logits: Any) -> Any:
    rows = np.exp(logits)
    return rows / rows.sum(axis=1, keepdims=True)


LOGITS = np.random.default_rng(0).normal(size=(6, 3))
CODES = np.array([0, 2, 1, 1, 2, 0])
FLAGS = np.random.default_rng(1).integers(2, size=(6, 3)).astype(float)


def soft_f1(p: Any, y: Any) -> float:
    columns = range(p.shape[1])
    scores = [2 * (p * y)[:, k].sum() / (p[:, k] + y[:, k]).sum() for k in columns]
    return 1 - float(np.mean(scores))


def test_losses_by_hand() -> None:
    p, sigmoid = softmax(LOGITS), 1 / (1 + np.exp(-LOGITS))
    nll = -np.log(p[np.arange(6), CODES])
    entropy = -(p * np.log(p)).sum(axis=1)

    def loss(logits: Any = LOGITS, targets: Any = CODES, **options: Any) -> float:
        return loss_of(bilstm(training=TrainingOptions(**options)), logits, targets)[0]

    assert loss() == pytest.approx(nll.mean())
    assert loss(loss="soft_macro_f1") == pytest.approx(soft_f1(p, np.eye(3)[CODES]))
    assert loss(confidence_penalty=0.3) == pytest.approx((nll - 0.3 * entropy).mean())
    smooth = loss(label_smoothing=0.3)
    assert smooth == pytest.approx(0.7 * nll.mean() - 0.3 * np.log(p).mean())
    assert loss(targets=FLAGS, loss="soft_macro_f1") == pytest.approx(
        soft_f1(sigmoid, FLAGS)
    )
    both, either = (sigmoid * FLAGS).sum(1), (sigmoid + FLAGS).sum(1)
    assert loss(targets=FLAGS, loss="soft_jaccard") == pytest.approx(
        1 - (both / (either - both)).mean()
    )
    target = FLAGS * 0.8 + 0.1
    expected = -(target * np.log(sigmoid) + (1 - target) * np.log(1 - sigmoid)).mean()
    assert loss(targets=FLAGS, label_smoothing=0.2) == pytest.approx(expected)
    error = LOGITS[:, 0] - CODES
    numbers = {"targets": CODES.astype(float)}
    assert loss(**numbers, loss="mae") == pytest.approx(np.abs(error).mean())
    huber = np.where(np.abs(error) < 0.5, error**2 / 2, 0.5 * (np.abs(error) - 0.25))
    assert loss(**numbers, loss="huber", huber_delta=0.5) == pytest.approx(huber.mean())


def test_ulmfit_smooths_classes_by_itself_and_only_them() -> None:
    p = softmax(LOGITS)
    nll = -np.log(p[np.arange(6), CODES]).mean()
    smooth = 0.9 * nll - 0.1 * np.log(p).mean()
    assert loss_of(ulmfit(), LOGITS, CODES)[0] == pytest.approx(smooth)
    plain = ulmfit(training__label_smoothing=0.0)
    assert loss_of(plain, LOGITS, CODES)[0] == pytest.approx(nll)
    assert loss_of(ulmfit(), LOGITS, FLAGS)[0] == loss_of(bilstm(), LOGITS, FLAGS)[0]


def test_the_reduction_by_weight_divides_by_the_weights() -> None:
    clf = bilstm(training__reduction="weight")
    clf.class_weight_ = np.array([1.0, 2.0, 5.0])
    nll = -np.log(softmax(LOGITS)[np.arange(6), CODES])
    w = clf.class_weight_[CODES]
    loss, weight = loss_of(clf, LOGITS, CODES)
    assert loss == pytest.approx((w * nll).sum() / w.sum())
    assert weight == w.sum()


@pytest.mark.parametrize(
    ("y", "loss"),
    [
        (LABELS, "soft_macro_f1"),
        (INDICATOR, "soft_macro_f1"),
        (INDICATOR, "soft_jaccard"),
        (NUMBERS, "mae"),
        (NUMBERS, "huber"),
    ],
)
def test_losses_teach(sober: str, y: Any, loss: str) -> None:
    fitted = fine_tuned(
        sober, y, max_iter=5, learning_rate=5e-3, warmup=None, batch_size=16,
        training__loss=loss, early_stopping=True,
    )  # fmt: skip
    losses = [epoch["loss"] for epoch in fitted.history_]
    assert losses[-1] < 0.8 * losses[0]


def test_what_is_watched_is_the_loss_itself(sober: str) -> None:
    texts, y = TEXTS[:8], NUMBERS[:8]
    huber = TransformerRegressor(
        model=sober, max_iter=1, random_state=0,
        training=TrainingOptions(loss="huber", huber_delta=0.5),
    ).fit(TEXTS, NUMBERS, texts, y)  # fmt: skip
    error = np.abs(huber.predict(texts) - y) / huber.target_scale_
    expected = np.where(error < 0.5, error**2 / 2, 0.5 * (error - 0.25)).mean()
    assert huber.history_[0]["valid_loss"] == pytest.approx(expected, rel=1e-5)
    soft = bilstm(training__loss="soft_macro_f1").fit(TEXTS, LABELS, TEXTS, LABELS)
    y_true = (np.asarray(LABELS)[:, None] == soft.classes_).astype(float)
    expected = soft_f1(soft.predict_proba(TEXTS), y_true)
    assert soft.history_[0]["valid_loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (NUMBERS, {"loss": "soft_macro_f1"}, "not for y of numbers. Choose one of 'ms"),
        (LABELS, {"loss": "mae"}, "loss 'mae' is not for y of classes"),
        (LABELS, {"loss": "soft_jaccard"}, "not for y of classes. Choose one of 'cro"),
        (INDICATOR, {"loss": "cross_entropy"}, "not for y of an indicator matrix"),
        (NUMBERS, {"label_smoothing": 0.1}, "label_smoothing=0.1 is for a cross-ent"),
        (INDICATOR, {"confidence_penalty": 0.1}, "the loss is 'binary_cross_entropy'"),
        (LABELS, {"warmup": 0.1}, "schedule is None. Name one"),
        (
            LABELS,
            {"confidence_penalty": 0.1, "reduction": "weight"},
            "Set reduction='sample'",
        ),
        (LABELS, {"betas": (0.8, 0.9)}, r"betas=\(0.8, 0.9\) would not be used: with"),
        (
            LABELS,
            {"reduction": "weight"},
            "class_weight is None and the loss is 'cr",
        ),
        (INDICATOR, {"reduction": "weight"}, "the loss is 'binary_cross_entropy'. Set"),
        (
            NUMBERS,
            {"reduction": "weight"},
            "class_weight is None and the loss is 'ms",
        ),
        (NUMBERS, {"huber_delta": 2.0}, "it is 'mse'. Set huber_delta=1.0, or loss"),
        (LABELS, {"max_rollbacks": 9}, "it is 'stop'. Set max_rollbacks=3, or on_div"),
        (
            LABELS,
            {"warmup": 0.0, "schedule": "slanted_triangular"},
            "rise, which warmup=0.0 leaves no steps for. Set a warmup above 0",
        ),
        (NUMBERS, {"betas": (0.8, 0.9), "schedule": "one_cycle"}, "Set betas=None"),
    ],
)
def test_options_that_do_not_go_with_y_are_refused_before_training(
    y: Any, options: dict[str, Any], message: str
) -> None:
    kind = ULMFiTRegressor if y is NUMBERS else ULMFiTClassifier
    # A language model that would take years: the error comes first.
    huge = {"lm_params": {"hidden_size": 10**6, "vocab_size": 10**6}}
    with pytest.raises(DataError, match=message):
        ulmfit(kind, **huge, training=TrainingOptions(**options)).fit(TEXTS, y)


def test_what_an_estimator_cannot_follow_is_refused(sober: str) -> None:
    with pytest.raises(DataError, match="class_weight='balanced' is for the cross-e"):
        fine_tuned(sober, class_weight="balanced", training__loss="soft_macro_f1")
    with pytest.raises(DataError, match="gradient_checkpointing=True is for other"):
        bilstm(training__gradient_checkpointing=True).fit(TEXTS, LABELS)
    with pytest.raises(DataError, match="has a decay, and schedule='cosine'"):
        bilstm(learning_rate=(1e-3, 0.1), training__schedule="cosine").fit(
            TEXTS, LABELS
        )
    cycle = TrainingOptions(schedule="one_cycle", betas=(0.8, 0.9))
    with pytest.raises(DataError, match="with schedule='one_cycle' the momentum"):
        bilstm(training=cycle).fit(TEXTS, LABELS)
    with pytest.raises(DataError, match="which warmup=0.0 leaves no steps for"):
        fine_tuned(sober, warmup=0.0, training__schedule="slanted_triangular")
    answering = TransformerQuestionAnswering(model=sober)
    answering.set_params(training__loss="mse")
    with pytest.raises(DataError, match="loss='mse' is for classes, labels and num"):
        answering.fit([("¿qué?", "esto")], [(0, "esto")])
    with pytest.raises(ValueError, match="'training' parameter of BiLSTMClassifier"):
        bilstm(training={"accumulate": 2}).fit(TEXTS, LABELS)
