from __future__ import annotations

import csv
import io
import json
import resource
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweetclf.exceptions import DataError
from tweetclf.persistence.labelling import label_stream


class LengthClassifier:
    """Labels a text by whether it is long; a stand-in whose output is known."""

    classes_ = np.array(["long", "short"])

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        return np.array(["long" if len(text) > 5 else "short" for text in texts])

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([[1.0, 0.0] if len(t) > 5 else [0.0, 1.0] for t in texts])


def _label(content: str, format: str, **options: object) -> str:
    target = io.StringIO()
    source = io.StringIO(content, newline="")
    for _ in label_stream(
        LengthClassifier(), source, target, format=format, name="in", **options
    ):
        pass
    return target.getvalue()


def test_lines() -> None:
    assert _label("hola\nbuenos días\r\n\n", "lines") == "short\nlong\nshort\n"


def test_csv_keeps_columns_and_line_breaks() -> None:
    text = 'id,tweet\n1,"dos\nlíneas, y ""comillas"""\n2,ya\n'
    rows = list(csv.reader(io.StringIO(_label(text, "csv", proba=True))))
    assert rows == [
        ["id", "tweet", "prediction", "p_long", "p_short"],
        ["1", 'dos\nlíneas, y "comillas"', "long", "1.0", "0.0"],
        ["2", "ya", "short", "0.0", "1.0"],
    ]


def test_jsonl_keeps_other_fields() -> None:
    text = '{"text": "hola", "n": {"a": [1]}}\n\n{"text": "a\u2028bcdefg"}\n'
    rows = [json.loads(line) for line in _label(text, "jsonl").split("\n") if line]
    assert rows == [
        {"text": "hola", "n": {"a": [1]}, "prediction": "short"},
        {"text": "a\u2028bcdefg", "prediction": "long"},
    ]


def test_batches_do_not_change_the_result() -> None:
    text = "".join(f"{'x' * (i % 9)}\n" for i in range(100))
    assert _label(text, "lines", batch_size=7) == _label(text, "lines")


@pytest.mark.parametrize(
    ("text", "format", "options", "message"),
    [
        ("a,b\n1,2\n", "csv", {}, "which column holds the text"),
        ("text,b\n1,2\n", "csv", {"text": "txt"}, "Did you mean 'text'"),
        ("text,b\n1\n", "csv", {}, "in, line 2: 1 fields, but the header has 2"),
        ("text,prediction\na,b\n", "csv", {}, "already has a column 'prediction'"),
        ("", "csv", {}, "in is empty"),
        ('{"text": "a"}\n{"text": 1}\n', "jsonl", {}, "line 2: 'text' must be a str"),
        ('{"text": "a"}\n{"b": 1}\n', "jsonl", {}, "line 2: 'text' .* missing"),
        ("{\n", "jsonl", {}, "line 1: not JSON"),
        ("[1]\n", "jsonl", {}, "line 1: expected a JSON object"),
    ],
)
def test_errors_name_line_and_fix(
    text: str, format: str, options: dict, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        _label(text, format, **options)


def test_proba_needs_a_model_that_has_them() -> None:
    class Hard:
        def predict(self, texts: Sequence[str]) -> list[str]:
            return ["a"] * len(texts)

    with pytest.raises(DataError, match="no predict_proba"):
        next(label_stream(Hard(), io.StringIO("a\n"), io.StringIO(), proba=True))


# A carriage return inside an unquoted field ends it, so the writer must quote it.
texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1
)


@given(st.lists(texts, min_size=1, max_size=8))
def test_any_text_passes_through_csv(values: list[str]) -> None:
    source = io.StringIO(newline="")
    writer = csv.writer(source)
    writer.writerow(["text", "n"])
    writer.writerows([value, "1"] for value in values)
    labelled = _label(source.getvalue(), "csv")
    rows = list(csv.reader(io.StringIO(labelled, newline="")))[1:]
    assert [row[0] for row in rows] == values
    assert [row[2] for row in rows] == [
        "long" if len(v) > 5 else "short" for v in values
    ]


def test_memory_is_flat() -> None:
    class Endless(io.TextIOBase):
        def __init__(self, n: int) -> None:
            self.n = n

        def __iter__(self) -> Iterator[str]:
            return (f"un tweet cualquiera {i}\n" for i in range(self.n))

    class Nowhere(io.TextIOBase):
        def write(self, text: str) -> int:
            return len(text)

    def run(n: int) -> int:
        for _ in label_stream(LengthClassifier(), Endless(n), Nowhere()):  # type: ignore[arg-type]
            pass
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = run(5_000)
    # 200,000 texts held at once would be some 15 MB.
    assert run(200_000) - before < 5_000
