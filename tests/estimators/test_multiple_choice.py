"""Multiple choice: rows, training, saving, and what plain transformers answers."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tweetclf.estimators import TransformerMultipleChoice  # noqa: E402
from tweetclf.exceptions import DataError  # noqa: E402
from tweetclf.persistence import load, save  # noqa: E402
from tweetclf.testing import make_tiny_transformer  # noqa: E402

DRINKS, FOODS = ("agua", "té", "vino"), ("pan", "sopa", "queso")


def _rows() -> tuple[list[tuple[str, ...]], list[int]]:
    rows, right = [], []
    for k in range(36):
        drink, food = DRINKS[k % 3], FOODS[k // 3 % 3]
        first = k % 2
        question = ("bebe", "come")[k // 9 % 2]
        choices = (drink, food) if first == 0 else (food, drink)
        rows.append((f"qué {question} Ana", *choices, "una silla"))
        right.append(choices.index(drink if question == "bebe" else food))
    return rows, right


X, Y = _rows()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    texts = [text for row in X for text in row]
    base = tmp_path_factory.mktemp("tiny")
    return {
        kind: str(make_tiny_transformer(base / kind, texts, kind=kind))
        for kind in ("bert", "distilbert", "electra", "roberta", "deberta-v2")
    }


def choice(model: str, **options: Any) -> TransformerMultipleChoice:
    return TransformerMultipleChoice(
        model=model,
        **{
            "max_iter": 15,
            "learning_rate": 5e-3,
            "max_length": 32,
            "random_state": 0,
            **options,
        },
    )


@pytest.fixture(scope="module")
def fitted(tiny: dict[str, str]) -> TransformerMultipleChoice:
    return choice(tiny["bert"]).fit(X, Y)


def test_learns(fitted: TransformerMultipleChoice) -> None:
    assert fitted.score(X, Y) > 0.9
    proba = fitted.predict_proba(X)
    assert proba.shape == (36, 3)
    assert np.allclose(proba.sum(axis=1), 1)
    assert fitted.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "kind", ["bert", "distilbert", "electra", "roberta", "deberta-v2"]
)
def test_equals_plain_transformers(tiny: dict[str, str], kind: str) -> None:
    clf = choice(tiny[kind], max_iter=1).fit(X, Y)
    model = clf.module_.model
    with torch.inference_mode():
        tokenizer = transformers.AutoTokenizer.from_pretrained(tiny[kind])
        for row in X[:4]:
            encoded = tokenizer(
                [row[0]] * 3, list(row[1:]), padding=True, return_tensors="pt"
            )
            logits = model(**{k: v[None] for k, v in encoded.items()}).logits[0]
            expected = torch.softmax(logits.double(), 0).numpy()
            assert np.allclose(clf.predict_proba([row])[0], expected, atol=1e-5)


def test_forms_of_rows(fitted: TransformerMultipleChoice) -> None:
    expected = fitted.predict_proba(X).tolist()
    nested = [(row[0], list(row[1:])) for row in X]
    for form in (nested, np.array(X, dtype=object), [list(row) for row in X]):
        assert fitted.predict_proba(form).tolist() == expected
    columns = {f"c{k}": [row[k] for row in X] for k in range(4)}
    for library, make in (
        ("pandas", "DataFrame"),
        ("polars", "DataFrame"),
        ("pyarrow", "table"),
    ):
        frame = getattr(pytest.importorskip(library), make)(columns)
        assert fitted.predict_proba(frame).tolist() == expected


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("una fila", "a single str"),
        (["una fila"], r"X\[0\] is a str"),
        ([("a", "b")], "two at least"),
        ([X[0], ("a", "b", "c")], r"X\[1\] has 2, X\[0\] has 3"),
        ([("a", "b", None, "d")], "NoneType|None"),
        ([("a", "b", "c")], "rows of 3 choices"),
        ([], "0 texts"),
    ],
)
def test_bad_rows(fitted: TransformerMultipleChoice, rows: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fitted.predict(rows)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([3] + Y[1:], r"y\[0\] = 3"),
        ([-1] + Y[1:], r"y\[0\] = -1"),
        (["0"] * 36, "an int"),
        (Y[1:], "36 texts and 35"),
        (None, "requires y"),
    ],
)
def test_bad_answers(tiny: dict[str, str], y: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        choice(tiny["bert"]).fit(X, y)


def test_is_saved_and_pickled(
    tmp_path: Path, fitted: TransformerMultipleChoice
) -> None:
    expected = fitted.predict_proba(X)
    for again in (
        pickle.loads(pickle.dumps(fitted)),
        load(save(fitted, tmp_path / "model")),
    ):
        assert np.array_equal(again.predict_proba(X), expected)
        with pytest.raises(DataError, match="rows of 3 choices"):
            again.predict([("a", "b", "c")])


def test_order_and_seed(tiny: dict[str, str]) -> None:
    clf = choice(tiny["bert"], max_iter=2)
    first = clone(clf).fit(X, Y).predict_proba(X)
    assert np.array_equal(clone(clf).fit(X[::-1], Y[::-1]).predict_proba(X), first)


def test_in_cross_validation_and_early_stopping(tiny: dict[str, str]) -> None:
    clf = choice(tiny["bert"], max_iter=2, early_stopping=True, scoring="accuracy")
    assert np.isfinite(cross_val_score(clf, X, Y, cv=2)).all()


@pytest.mark.slow
def test_fifty_fits_leave_no_memory_behind(
    tiny: dict[str, str], growth_of_memory: Any
) -> None:
    def fit() -> None:
        choice(tiny["bert"], max_iter=1).fit(X, Y).predict(X)

    growth = growth_of_memory(fit)
    assert growth < 0.01, f"50 fits made the process {growth:.1%} larger"
