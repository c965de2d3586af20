"""Question answering: windows, spans, scores, training, saving."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tweetclf.estimators import TransformerQuestionAnswering  # noqa: E402
from tweetclf.estimators._answers import (  # noqa: E402
    Answer,
    answer_f1,
    exact_match,
    read_answers,
)
from tweetclf.estimators._windows import (  # noqa: E402
    Window,
    best_answers,
    make_windows,
    span_in,
)
from tweetclf.exceptions import DataError  # noqa: E402
from tweetclf.persistence import load, save  # noqa: E402
from tweetclf.testing import make_tiny_transformer  # noqa: E402
from tweetclf.utils.hugging_face import quiet_transformers  # noqa: E402

NAMES, DRINKS = ("Ana", "Luis", "Eva"), ("agua", "vino", "té")


def _rows() -> tuple[list[tuple[str, str]], list[tuple[int, str]]]:
    rows, right = [], []
    for k in range(18):
        name, drink = NAMES[k % 3], DRINKS[k // 3 % 3]
        context = f"hoy {name} bebe {drink} en casa"
        question, answer = (("quién", name), ("qué", drink))[k // 9]
        rows.append((question, context))
        right.append((context.index(answer), answer))
    return rows, right


X, Y = _rows()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    texts = [text for row in X for text in row]
    base = tmp_path_factory.mktemp("tiny")
    return {
        kind: str(make_tiny_transformer(base / kind, texts, kind=kind))
        for kind in ("bert", "distilbert", "roberta", "deberta-v2")
    }


def answering(model: str, **options: Any) -> TransformerQuestionAnswering:
    return TransformerQuestionAnswering(
        model=model,
        **{
            "max_iter": 30,
            "learning_rate": 5e-3,
            "max_length": 64,
            "random_state": 0,
            **options,
        },
    )


@pytest.fixture(scope="module")
def fitted(tiny: dict[str, str]) -> TransformerQuestionAnswering:
    return answering(tiny["bert"]).fit(X, Y)


def test_by_default_windows_are_as_long_as_the_model_takes(
    tiny: dict[str, str],
) -> None:
    long = [(X[0][0], " ".join([X[0][1]] * 60))]
    qa = answering(tiny["bert"], max_length=None, max_iter=1).fit(X, Y)
    given = answering(tiny["bert"], max_length=130, max_iter=1).fit(X, Y)
    assert (qa.max_length, qa.max_length_) == (None, 130)
    assert qa.predict(long).tolist() == given.predict(long).tolist()


# -- scores -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "expected", "unit", "exact", "f1"),
    [
        ("The cat", ["a cat!"], "word", 1, 1),
        ("black cat", ["cat"], "word", 0, 2 / 3),
        ("cat cat", ["cat"], "word", 0, 2 / 3),
        ("", [""], "word", 1, 1),
        ("cat", [""], "word", 0, 0),
        ("dog", ["cat", "dog"], "word", 1, 1),
        ("東京都", ["東京"], "character", 0, 0.8),
        ("the cat", ["cat"], "character", 0, 2 * 3 / 9),
    ],
)
def test_scores_are_those_of_squad(
    found: str, expected: list[str], unit: str, exact: float, f1: float
) -> None:
    assert exact_match(found, expected, unit) == exact
    assert answer_f1(found, expected, unit) == pytest.approx(f1)


def test_forms_of_answers() -> None:
    context = "Ana bebe agua"
    forms = [
        (9, "agua"),
        [(9, "agua"), (0, "Ana")],
        {"text": ["agua"], "answer_start": [9]},
        {"text": [], "answer_start": []},
        None,
    ]
    assert read_answers(forms, [context] * 5, caller="X") == [
        ((9, "agua"),),
        ((9, "agua"), (0, "Ana")),
        ((9, "agua"),),
        (),
        (),
    ]
    with pytest.raises(DataError, match=r"y\[0\] is 'agua' at character 8"):
        read_answers([(8, "agua")], [context], caller="X")
    with pytest.raises(DataError, match=r"y\[0\] is a str"):
        read_answers(["agua"], [context], caller="X")
    with pytest.raises(DataError, match="1 texts and 0"):
        read_answers([], [context], caller="X")


# -- windows ----------------------------------------------------------------------


def test_windows_are_the_tokenizers_pairs(tiny: dict[str, str]) -> None:
    for kind in ("bert", "roberta"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(tiny[kind])
        windows = make_windows(tokenizer, X, 64, 8, "X")
        assert [w.row for w in windows] == list(range(len(X)))
        for window, row in zip(windows, X, strict=True):
            assert window.ids == tokenizer(*row)["input_ids"]


def test_long_contexts_are_covered(tiny: dict[str, str]) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny["bert"])
    context = " ".join(f"{n} bebe {d}" for n in NAMES for d in DRINKS * 3)
    windows = make_windows(tokenizer, [("qué", context)], 20, 6, "X")
    assert len(windows) > 3
    assert max(len(w.ids) for w in windows) <= 20
    whole = tokenizer(context, add_special_tokens=False, return_offsets_mapping=True)
    seen = {tuple(o) for w in windows for o in w.offsets.tolist()}
    assert seen == set(whole["offset_mapping"])
    for one, other in zip(windows, windows[1:], strict=False):
        shared = set(map(tuple, one.offsets.tolist()))
        assert len(shared & set(map(tuple, other.offsets.tolist()))) >= 6
    for window in windows:
        for place, (start, stop) in enumerate(window.offsets.tolist()):
            assert span_in(window, start, stop) == (window.first + place,) * 2
    # What stands in another window is not here.
    last = windows[-1].offsets[-1].tolist()
    assert span_in(windows[0], *last) == (0, 0)


def _brute_force(window: Window, values: Any, context: str, most: int) -> Answer:
    best = Answer("", -1, -np.inf)
    for i in range(len(window.offsets)):
        for j in range(i, min(i + most, len(window.offsets))):
            score = values[window.first + i, 0] + values[window.first + j, 1]
            if score > best.score:
                start, stop = window.offsets[i, 0], window.offsets[j, 1]
                best = Answer(context[start:stop], int(start), float(score))
    return best


def test_the_best_span_is_found() -> None:
    rng = np.random.default_rng(0)
    context = "abcdefghij"
    offsets = np.array([[i, i + 1] for i in range(10)])
    window = Window(0, list(range(14)), [0] * 14, 3, offsets)
    for _ in range(50):
        values = rng.normal(size=(14, 2))
        found = best_answers(
            [window], [values], context, n_best=3, max_tokens=4, no_answer=False
        )
        assert found[0] == _brute_force(window, values, context, 4)
        assert [a.score for a in found] == sorted(a.score for a in found)[::-1]
        none = best_answers(
            [window], [values], context, n_best=99, max_tokens=4, no_answer=True
        )
        assert Answer("", -1, pytest.approx(values[0].sum())) in none


# -- the estimator ----------------------------------------------------------------


def test_learns(fitted: TransformerQuestionAnswering) -> None:
    assert fitted.score(X, Y) > 0.8
    scores = fitted.evaluate(X, Y)
    assert set(scores) == {"exact_match", "f1"}
    assert scores["exact_match"] <= scores["f1"] == fitted.score(X, Y)
    spans = fitted.predict_spans(X[:2], n_best=3)
    assert [found[0].text for found in spans] == fitted.predict(X[:2]).tolist()
    for found, (_, context) in zip(spans, X, strict=False):
        for answer in found:
            stop = answer.start + len(answer.text)
            assert context[answer.start : stop] == answer.text


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta", "deberta-v2"])
def test_equals_plain_transformers(tiny: dict[str, str], kind: str) -> None:
    from tweetclf.estimators._answering_compute import numbers_of

    qa = answering(tiny[kind], max_iter=1).fit(X, Y)
    assert qa.plan_ == ("padded" if kind == "deberta-v2" else "packed")
    numbers = numbers_of(qa, qa.module_, qa._windows(X))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny[kind])
    with torch.inference_mode():
        for row, ours in zip(X, numbers, strict=True):
            output = qa.module_.model(**tokenizer(*row, return_tensors="pt"))
            theirs = torch.stack([output.start_logits[0], output.end_logits[0]], 1)
            assert np.allclose(ours, theirs.numpy(), atol=1e-5)


def test_is_saved_and_pickled(
    tmp_path: Path, fitted: TransformerQuestionAnswering
) -> None:
    expected = fitted.predict_spans(X)
    for again in (
        pickle.loads(pickle.dumps(fitted)),
        load(save(fitted, tmp_path / "model")),
    ):
        assert again.predict_spans(X) == expected
    with quiet_transformers():
        fitted.module_.model.save_pretrained(tmp_path / "theirs")
        transformers.AutoModelForQuestionAnswering.from_pretrained(tmp_path / "theirs")


def test_order_of_rows(tiny: dict[str, str]) -> None:
    qa = answering(tiny["bert"], max_iter=2)
    first = clone(qa).fit(X, Y).predict_spans(X)
    assert clone(qa).fit(X[::-1], Y[::-1]).predict_spans(X) == first


def test_no_answer(tiny: dict[str, str]) -> None:
    empty = [(question, "en casa no hay nada") for question, _ in X]
    rows, right = [*X, *empty], [*Y, *[None] * len(X)]
    with pytest.raises(DataError, match=r"y\[18\]; set no_answer=True"):
        answering(tiny["bert"]).fit(rows, right)
    qa = answering(tiny["bert"], no_answer=True).fit(rows, right)
    assert qa.evaluate(rows, right)["exact_match"] > 0.7
    assert (qa.predict(empty) == "").mean() > 0.7


def test_early_stopping(tiny: dict[str, str]) -> None:
    qa = answering(
        tiny["bert"], early_stopping=True, n_iter_no_change=2, validation_fraction=0.3
    ).fit(X, Y)
    assert "valid_f1" in qa.history_[0]
    given = answering(tiny["bert"], scoring="exact_match", max_iter=4).fit(X, Y, X, Y)
    best = max(epoch["valid_exact_match"] for epoch in given.history_)
    assert given.score(X, Y) == pytest.approx(best)


def test_hostile_contexts(fitted: TransformerQuestionAnswering) -> None:
    rows = [
        ("qué", ""),
        ("", "Ana"),
        ("qué", "mal \ud83d cortado"),
        ("qué " * 200, "x"),
    ]
    answers = fitted.predict(rows)
    assert answers[0] == ""
    for answer, (_, context) in zip(answers, rows, strict=True):
        assert answer in context


def test_bad_input(tiny: dict[str, str], fitted: TransformerQuestionAnswering) -> None:
    with pytest.raises(DataError, match="pairs"):
        fitted.predict(["una", "dos"])
    with pytest.raises(DataError, match="requires y"):
        answering(tiny["bert"]).fit(X, None)
    with pytest.raises(DataError, match="0 texts"):
        fitted.predict([])


@pytest.mark.slow
def test_fifty_fits_leave_no_memory_behind(
    tiny: dict[str, str], growth_of_memory: Any
) -> None:
    def fit() -> None:
        answering(tiny["bert"], max_iter=1).fit(X, Y).predict(X)

    growth = growth_of_memory(fit)
    assert growth < 0.01, f"50 fits made the process {growth:.1%} larger"
