from __future__ import annotations

import csv
import io
import json
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tweetclf.exceptions import DataError
from tweetclf.persistence.labelling import label_stream, open_source, takes_pairs
from tweetclf.tasks.tables import read_table


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
        ("{\n", "jsonl", {}, "line 1, column 2: no valid JSON"),
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

    source = io.StringIO("text\na\n")
    with pytest.raises(DataError, match="no predict_proba"):
        next(label_stream(Hard(), source, io.StringIO(), format="csv", proba=True))


@pytest.mark.parametrize(
    ("text", "format", "options", "message"),
    [
        ("text,n,n,text\na,1,2,b\n", "csv", {}, "'text', 'n' more than once"),
        (" text,text \na,b\n", "csv", {}, "'text' more than once"),
        ("\n \n,,\n", "csv", {}, "in is empty; a header"),
        ("b,c\n", "csv", {}, "which column holds the text"),
        ("text,b\n", "csv", {"text": "txt"}, "Did you mean 'text'"),
        ("text,prediction\n", "csv", {}, "in already has a column 'prediction'"),
        ("a\n", "lines", {"proba": True}, "plain lines have none"),
        ("a\n", "lines", {"text_b": "b"}, "plain lines hold one text"),
        ("a\n", "lines", {"pair": True}, "plain lines hold one text"),
        ("text\na\n", "csv", {"pair": True}, "reads pairs .* with --text-b"),
        (
            "text,b\na,b\n",
            "csv",
            {"pair": False, "text_b": "b"},
            "single texts; leave --text-b out",
        ),
        (
            '{"text": "a"}\n\n{"text": "b", "prediction": 1}\n',
            "jsonl",
            {},
            "in, line 3 already has a column 'prediction'",
        ),
        (
            '{"text": "a"}\n{"text": "b", "p_long": 1}\n',
            "jsonl",
            {"proba": True},
            "in, line 2 already has a column 'p_long'",
        ),
        ("[" * 100_000, "jsonl", {}, "in, line 1, column 1: no valid JSON .nested"),
        (
            '{"text": ' + "1" * 5000 + "}",
            "jsonl",
            {},
            "in, line 1, column 1: no valid JSON",
        ),
    ],
)
def test_refused_before_anything_is_written(
    text: str, format: str, options: dict, message: str
) -> None:
    target = io.StringIO()
    source = io.StringIO(text, newline="")
    options = {"format": format, "name": "in", **options}
    with pytest.raises(DataError, match=message):
        list(label_stream(LengthClassifier(), source, target, **options))
    assert target.getvalue() == ""


def test_a_model_that_refuses_its_texts_leaves_nothing() -> None:
    class Pairs(LengthClassifier):
        def predict(self, texts: Sequence[str]) -> np.ndarray:
            raise DataError("expected pairs")

    target = io.StringIO()
    with pytest.raises(DataError, match="expected pairs"):
        list(label_stream(Pairs(), io.StringIO("text\na\n"), target, format="csv"))
    assert target.getvalue() == ""


def test_header_without_rows() -> None:
    assert (
        _label("id,text\n", "csv", proba=True) == "id,text,prediction,p_long,p_short\n"
    )
    assert _label("id\ttext\n", "tsv") == "id\ttext\tprediction\n"


@pytest.mark.parametrize("start", ["\n", "\r\n\r\n", "  \n", ",\n", "\ufeff\n"])
def test_blank_lines_before_the_header(start: str) -> None:
    assert _label(f"{start}n,text\n1,a\n", "csv") == "n,text,prediction\n1,a,short\n"


def test_long_fields_are_read_up_to_a_limit() -> None:
    long = "x" * 200_000
    assert _label(f"text\n{long}\n", "csv").endswith(f"{long},long\n")
    never_closed = 'text\na\n"' + "x" * (2**24 + 1)
    with pytest.raises(DataError, match="in, line 3: a field has more than 16,777,216"):
        _label(never_closed, "csv")


@pytest.mark.parametrize("text", ["\ud83d", "hola \udc00 \ud83d", "ñ \udcff"])
def test_half_surrogates_in_jsonl_stay_escapes(text: str) -> None:
    # As the fields of others, and as the text itself.
    source = json.dumps({"text": text, "ñ": "ñ"}) + "\n" + json.dumps({"text": "ñ"})
    labelled = _label(source, "jsonl")
    rows = [json.loads(line) for line in labelled.encode("utf-8").splitlines()]
    assert [row["text"] for row in rows] == [text, "ñ"]
    assert rows[0]["ñ"] == "ñ"
    assert '"ñ"' in labelled.splitlines()[1]


def _label_bytes(content: bytes, format: str) -> str:
    target = io.StringIO()
    with open_source(io.BytesIO(content), format) as source:
        list(label_stream(LengthClassifier(), source, target, format=format, name="in"))
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "format", "expected"),
    [
        ("text\nñ\n", "csv", "text,prediction\nñ,short\n"),
        ('{"text": "ñ"}\n', "jsonl", '{"text": "ñ", "prediction": "short"}\n'),
        ("12345\n", "lines", "short\n"),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_byte_order_mark_is_no_part_of_the_data(
    content: str, format: str, expected: str, mark: bytes
) -> None:
    assert _label_bytes(mark + content.encode(), format) == expected


@pytest.mark.parametrize(
    ("content", "format", "place"),
    [
        (b"hola\n\xc3\xb1\nma\xf1ana\n", "lines", "in, line 3, character 3: byte 0xf1"),
        (
            b"a\n" * 20_000 + b"\xed\xa0\xbd\n",
            "lines",
            "in, line 20001, character 1: byte 0xed",
        ),
        (b'text,n\n"a\nb",1\n\xff,2\n', "csv", "in, line 4, character 1: byte 0xff"),
        (b"te\xe9t\n", "csv", "in, line 1, character 3: byte 0xe9"),
        (
            b'{"text": "a"}\n{"text": "\x80"}\n',
            "jsonl",
            "in, line 2, character 11: byte 0x80",
        ),
        (
            "text\n".encode("utf-16"),
            "csv",
            "in, line 1, character 1: .* mark of UTF-16",
        ),
    ],
)
def test_broken_utf8_names_the_line(content: bytes, format: str, place: str) -> None:
    with pytest.raises(DataError, match=place):
        _label_bytes(content, format)


@given(st.binary(max_size=60), st.sampled_from(["csv", "tsv", "jsonl", "lines"]))
def test_any_bytes_are_labelled_or_a_data_error(content: bytes, format: str) -> None:
    start = b"text\n" if format in {"csv", "tsv"} else b""
    try:
        written = _label_bytes(start + content, format)
    except DataError:
        return
    assert written.encode("utf-8").decode("utf-8") == written
    if format in {"csv", "tsv"}:
        delimiter = {"csv": ",", "tsv": "\t"}[format]
        rows = csv.reader(io.StringIO(written, newline=""), delimiter=delimiter)
        found = [row[-1] for row in rows if row]
        assert found.pop(0) == "prediction"
    elif format == "jsonl":
        found = [json.loads(line)["prediction"] for line in written.split("\n")[:-1]]
    else:
        found = written.split("\n")[:-1]
    # Whatever else is in the file, each row that is written ends in a label.
    assert set(found) <= {"short", "long"}


FILES = st.one_of(
    st.binary(max_size=60),
    st.lists(
        st.sampled_from(
            ["hola", "ñ", '"', '""', ",", ";", "\t", "\n", "\r\n", " ", "\0", "\u2028"]
            + ['{"text": ', '"a"', "}", "[", "1"]
        ),
        max_size=20,
    ).map(lambda parts: "".join(parts).encode()),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=FILES,
    format=st.sampled_from(["csv", "tsv", "jsonl"]),
    encoding=st.sampled_from(["utf-8", "utf-16", "cp1252"]),
    quoted=st.booleans(),
)
def test_read_as_strictly_as_training_data(
    tmp_path: Path, content: bytes, format: str, encoding: str, quoted: bool
) -> None:
    """The same texts, or the same refusal, as of the file that is trained on."""
    start = {"csv": "text,n\n", "tsv": "text\tn\n", "jsonl": ""}[format]
    path = tmp_path / f"t.{format}"
    path.write_bytes(start.encode(encoding) + content)
    try:
        table = read_table(path, encoding=encoding, quoting=quoted)
        expected: object = list(table.column("text", "text"))
    except DataError as error:
        if "has no rows" in str(error):  # Training needs some, prediction does not.
            return
        expected = str(error)

    class Echo(LengthClassifier):
        def predict(self, texts: Sequence[str]) -> list[str]:
            seen.extend(texts)
            return texts

    seen: list[str] = []
    found: object = seen
    options = {"format": format, "encoding": encoding, "name": str(path)}
    try:
        with path.open("rb") as file:
            source = open_source(file, format, encoding=encoding)
            list(
                label_stream(
                    Echo(), source, io.StringIO(), text="text", quoted=quoted, **options
                )
            )
    except DataError as error:
        # What a text is, and that columns are there, each says in words of its own.
        if any(w in str(error) for w in ("must be a string", "has no column", "label")):
            return
        found = str(error)
    assert found == expected


def test_header_is_written_as_it_stands() -> None:
    text = ' text ,,"n ""x"""\nhola,1,2\n'
    written = _label(text, "csv").splitlines()
    assert written == [' text ,,"n ""x""",prediction', "hola,1,2,short"]


def test_without_quotes_fields_stay_as_they_are() -> None:
    text = 'text\tn\n"hola" dijo\t"\n"\t""\n'
    labelled = _label(text, "tsv", quoted=False)
    assert labelled == ('text\tn\tprediction\n"hola" dijo\t"\tlong\n"\t""\tshort\n')
    with pytest.raises(DataError, match="in, line 2: .*--no-quotes"):
        _label(text, "tsv")

    class Tabs(LengthClassifier):
        def predict(self, texts: Sequence[str]) -> list[str]:
            return ["a\tb"] * len(texts)

    with pytest.raises(DataError, match="a label holds the delimiter"):
        list(
            label_stream(
                Tabs(), io.StringIO(text), io.StringIO(), format="tsv", quoted=False
            )
        )


def test_carriage_returns() -> None:
    assert _label_bytes(b"hola\rque tal\r\nb\n", "lines") == "long\nshort\n"
    table = b'text,n\r\n"a\rb",1\rc,2\n'
    rows = list(csv.reader(io.StringIO(_label_bytes(table, "csv"), newline="")))
    assert rows[1:] == [["a\rb", "1", "short"], ["c", "2", "short"]]


def test_models_say_whether_they_take_pairs() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    from tweetclf.estimators import TextDummyClassifier, nbsvm
    from tweetclf.features import NgramTfidfVectorizer, PairFeatures

    words, logistic = NgramTfidfVectorizer(), LogisticRegression()
    assert takes_pairs(make_pipeline(PairFeatures(words), logistic)) is True
    assert takes_pairs(TextDummyClassifier(pairs=True)) is True
    assert takes_pairs(make_pipeline(words, logistic)) is False
    assert takes_pairs(TextDummyClassifier()) is False
    assert takes_pairs(nbsvm()) is False
    assert takes_pairs(make_pipeline(FunctionTransformer(), logistic)) is None


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
