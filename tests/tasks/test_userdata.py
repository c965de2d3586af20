"""The user's own files: any text comes back, every mistake is named."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tweetclf.exceptions import DataError
from tweetclf.tasks import get_metric, load_task

files = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# Everything a text file can hold: line separators, quotes, tabs, line breaks.
texts = st.text(
    st.one_of(
        st.sampled_from(list("\u2028\u2029\x85\x0b\x0c\x1c\"'\n\r\t,;|\\ 🙃ñ\ufeff")),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=30,
)
tweets = st.lists(
    st.tuples(texts, st.sampled_from(["P", "N"])), min_size=12, max_size=30
)


def with_both_labels(rows):
    return [*rows, *((f"relleno {i}", "PN"[i % 2]) for i in range(20))]


def everything(task):
    """All rows of all splits, in the order of the file."""
    rows = []
    for split in task.splits.values():
        rows += zip(
            map(int, split.ids), split.texts, split.labels.tolist(), strict=True
        )
    return [(text, label) for _, text, label in sorted(rows)]


@pytest.mark.parametrize(
    ("suffix", "dialect"), [("csv", "excel"), ("tsv", "excel-tab")]
)
@files
@given(rows=tweets)
def test_any_text_survives_csv_and_tsv(tmp_path, suffix, dialect, rows):
    rows = with_both_labels(rows)
    path = tmp_path / f"a.{suffix}"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, dialect=dialect)
        writer.writerow(["text", "label"])
        writer.writerows(rows)
    assert everything(load_task(path)) == rows


@pytest.mark.parametrize("packed", [False, True])
@files
@given(rows=tweets, ascii_only=st.booleans())
def test_any_text_survives_jsonl(tmp_path, packed, rows, ascii_only):
    rows = with_both_labels(rows)
    lines = [
        json.dumps({"text": text, "label": label}, ensure_ascii=ascii_only)
        for text, label in rows
    ]
    data = ("\n".join(lines) + "\n").encode()
    path = tmp_path / ("a.jsonl.gz" if packed else "a.jsonl")
    path.write_bytes(gzip.compress(data) if packed else data)
    assert everything(load_task(path)) == rows


@files
@given(data=st.binary(max_size=300), suffix=st.sampled_from(["csv", "tsv", "jsonl"]))
def test_any_bytes_give_a_task_or_a_data_error(tmp_path, data, suffix):
    path = tmp_path / f"junk.{suffix}"
    path.write_bytes(data)
    with pytest.raises(DataError):
        load_task(path)
    path = tmp_path / f"head.{suffix}.gz"
    path.write_bytes(gzip.compress(b"text,label\n" + data))
    with contextlib.suppress(DataError):
        load_task(path)


def save(tmp_path, text, name="my.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def rows_of(n, columns="tweet,y", label=lambda i: "PN"[i % 2]):
    return columns + "\n" + "".join(f"hola {i},{label(i)}\n" for i in range(n))


def test_columns_are_guessed_and_said(tmp_path):
    task = load_task(save(tmp_path, rows_of(100)))
    assert task.name == "my"
    assert task.version == "local"
    assert task.kind == "binary"
    assert task.label_names == ("N", "P")
    assert task.metric.name == "macro_f1"
    notes = " ".join(task.notes)
    assert "'tweet' was taken as the text" in notes
    assert "'y' was taken as the label" in notes
    assert "20%" in task.test_source
    assert "10%" in task.dev_source
    assert (len(task.train), len(task.dev), len(task.test)) == (72, 8, 20)
    assert task.sha256["train"] == task.train.sha256
    again = load_task(save(tmp_path, rows_of(100)))
    assert again.sha256 == task.sha256
    assert load_task(save(tmp_path, rows_of(100)), seed=1).sha256 != task.sha256


def test_named_columns_and_options(tmp_path):
    rows = "".join(f"{i},hola {i},{'ab'[i % 2]},u{i // 10}\n" for i in range(200))
    path = save(tmp_path, "nr,tw,klass,author\n" + rows)
    task = load_task(
        path,
        text="tw",
        label="klass",
        id="nr",
        group="author",
        metric="binary_f1",
        pos="a",
        language="es",
    )
    assert task.metric.signature() == "f1|average:binary|pos:a|zero:0|v1"
    assert task.language == "es"
    author = [int(i) // 10 for i in task.train.ids]
    assert set(author).isdisjoint(int(i) // 10 for i in task.test.ids)
    assert set(author).isdisjoint(int(i) // 10 for i in task.dev.ids)
    for split in task.splits.values():
        assert split.clusters == tuple(f"u{int(i) // 10}" for i in split.ids)
    metric = get_metric("accuracy")
    assert load_task(path, text="tw", label="klass", metric=metric).metric.labels == (
        "a",
        "b",
    )


def test_pairs_regression_and_multilabel(tmp_path):
    rows = "".join(f"a{i},b{i},{i / 10}\n" for i in range(60))
    path = save(tmp_path, "text,text_b,label\n" + rows)
    task = load_task(path)
    assert (task.kind, task.target_kind) == ("pair", "regression")
    assert task.metric.name == "rmse"
    assert task.train.labels.dtype == np.float64
    assert any("'text_b'" in note for note in task.notes)
    rows = "".join(f"a{i},{i % 2},{i % 3 % 2}\n" for i in range(60))
    path = save(tmp_path, "text,joy,fear\n" + rows)
    task = load_task(path, label=["joy", "fear"])
    assert task.kind == "multilabel"
    assert task.label_names == ("joy", "fear")
    assert task.train.labels.shape[1] == 2
    lines = [{"text": f"t{i}", "label": ["a", "b"][: i % 3]} for i in range(60)]
    path = save(tmp_path, "\n".join(map(json.dumps, lines)), "m.jsonl")
    task = load_task(path)
    assert task.kind == "multilabel"
    assert task.metric.name == "jaccard"
    rows = "".join(f"a{i},x|y\n" if i % 2 else f"a{i},x\n" for i in range(60))
    path = save(tmp_path, "text,label\n" + rows)
    assert load_task(path, kind="multilabel").label_names == ("x", "y")
    path = save(tmp_path, rows_of(60, "text,label", lambda i: str(i % 3 - 1)))
    assert load_task(path).label_names == ("-1", "0", "1")
    assert load_task(path, kind="regression").target_kind == "regression"


def test_folder_and_split_column(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, n in (("train.csv", 40), ("valid.tsv", 8), ("test.jsonl", 6)):
        if name.endswith("jsonl"):
            rows = [json.dumps({"tweet": f"t{i}", "y": "PN"[i % 2]}) for i in range(n)]
            save(folder, "\n".join(rows), name)
        else:
            text = rows_of(n)
            save(folder, text.replace(",", "\t") if "tsv" in name else text, name)
    task = load_task(folder)
    assert task.name == "mine"
    assert [len(task.splits[s]) for s in ("train", "dev", "test")] == [40, 8, 6]
    assert task.dev_source == "the user's own"
    rows = "".join(
        f"t{i},{'PN'[i % 2]},{('train', 'train', 'Validation')[i % 3]}\n"
        for i in range(60)
    )
    task = load_task(save(tmp_path, "text,label,split\n" + rows))
    assert (len(task.train), len(task.dev), task.test) == (40, 20, None)
    assert "no test part" in task.test_source


def divided(values, column="split"):
    """A table of 60 rows whose split column holds the values in turn."""
    rows = (
        f"t{i},{'PN'[i // len(values) % 2]},{values[i % len(values)]}\n"
        for i in range(60)
    )
    return f"text,label,{column}\n" + "".join(rows)


@pytest.mark.parametrize("column", ["split", "Split", " SPLIT "])
def test_split_column_in_any_case(tmp_path, column):
    values = ["train", " Training ", "VAL", "valid", "dev", "Test"]
    path = save(tmp_path, divided(values, column))
    task = load_task(path)
    assert [len(task.splits[s]) for s in ("train", "dev", "test")] == [20, 30, 10]
    assert all(int(i) % 6 < 2 for i in (t[1:] for t in task.train.texts))
    assert all(int(text[1:]) % 6 == 5 for text in task.test.texts)
    assert any("splits are those of the column" in note for note in task.notes)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["train", "tset", "dev"], r"my.csv, line 3: the split .*'tset'; known are .*"),
        (["train", "test", ""], "my.csv, line 4: the split .*''; known are train,"),
        (["train", "  "], "my.csv, line 3: the split"),
        (["1"], "line 2: .* rename the column if it does not name splits"),
        (["dev", "test"], "no row is of the split train; .* dev, test only"),
    ],
)
def test_bad_split_column_is_refused(tmp_path, values, message):
    with pytest.raises(DataError, match=message):
        load_task(save(tmp_path, divided(values)))


def test_split_column_of_numbers_or_twice_is_refused(tmp_path):
    lines = [{"text": f"t{i}", "label": "PN"[i % 2], "split": i % 2} for i in range(40)]
    path = save(tmp_path, "\n".join(map(json.dumps, lines)), "n.jsonl")
    with pytest.raises(DataError, match="n.jsonl, line 1: the split .* is 0"):
        load_task(path)
    text = divided(["train", "test"]).replace("label,split", "label,split,Split")
    text = text.replace("train\n", "train,dev\n").replace("test\n", "test,dev\n")
    with pytest.raises(DataError, match="'split', 'Split', and only one"):
        load_task(save(tmp_path, text))


def test_split_column_used_as_label_divides_nothing(tmp_path):
    task = load_task(save(tmp_path, divided(["a", "b"])), label="split")
    assert task.label_names == ("a", "b")
    assert "cut off the data" in task.test_source


def test_without_holdout_every_row_is_train(tmp_path):
    path = save(tmp_path, rows_of(100))
    task = load_task(path, holdout=False)
    assert list(task.splits) == ["train"]
    assert task.train.texts == tuple(f"hola {i}" for i in range(100))
    assert not any("cut off" in note for note in task.notes)
    assert task.test is None
    path = save(tmp_path, divided(["train", "test"]))
    assert list(load_task(path, holdout=False).splits) == ["train", "test"]


@pytest.mark.parametrize("n", [20, 21, 25, 35, 60, 99])
def test_small_regression_files(tmp_path, n):
    path = save(tmp_path, rows_of(n, "text,label", lambda i: str(i * 7 % 11 + i / 97)))
    task = load_task(path)
    assert task.kind == "regression"
    assert abs(len(task.test) - 0.2 * n) <= 1
    assert abs(len(task.dev) - 0.08 * n) <= 1


def test_too_small_file_is_named_with_a_way_out(tmp_path):
    path = save(tmp_path, "text,label\na,P\nb,N\n")
    with pytest.raises(DataError, match=r"my.csv: .*too small .* column 'split'"):
        load_task(path)
    path = save(tmp_path, "text,label,split\na,P,train\nb,N,train\na,P,dev\na,N,test\n")
    assert len(load_task(path).train) == 2


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ("PN", {"metric": "rmse"}, "'rmse' does not fit a binary task.*macro_f1"),
        ("PN", {"metric": "jaccard"}, "'jaccard' does not fit a binary"),
        ("PN", {"metric": "exact_match"}, "'exact_match' does not fit"),
        ("PN", {"metric": get_metric("pearson")}, "'pearson' does not fit"),
        ("012", {"metric": "macro_f1", "kind": "regression"}, "Choose one of mae, pea"),
        ("012", {"metric": "jaccard", "kind": "regression"}, "fit a regression task"),
        ("xy", {"metric": "accuracy", "kind": "multilabel"}, "fit a multilabel task"),
        ("xy", {"metric": "mae", "kind": "multilabel"}, "fit a multilabel task"),
    ],
)
def test_metric_must_fit_the_labels(tmp_path, labels, options, message):
    path = save(tmp_path, rows_of(60, label=lambda i: labels[i % len(labels)]))
    with pytest.raises(DataError, match=rf"my.csv: the metric .*{message}"):
        load_task(path, **options)


@pytest.mark.parametrize("metric", ["rmse", "pearson", "spearman", "qwk", "macro_f1"])
def test_grades_are_classes_and_numbers(tmp_path, metric):
    path = save(tmp_path, rows_of(60, label=lambda i: str(i % 3)))
    task = load_task(path, metric=metric)
    assert task.kind == "multiclass"
    assert np.isfinite(task.metric(task.test.labels, task.test.labels[::-1]))


def test_bits_and_multilabel_metrics(tmp_path):
    rows = [{"text": f"t{i}", "label": ["01", "10", "11"][i % 3]} for i in range(60)]
    path = save(tmp_path, "\n".join(map(json.dumps, rows)), "b.jsonl")
    task = load_task(path, metric="exact_match", kind="multiclass")
    assert task.metric(task.test.labels, task.test.labels) == 1.0
    rows = [{"text": f"t{i}", "label": ["a", "b"][: i % 3]} for i in range(60)]
    path = save(tmp_path, "\n".join(map(json.dumps, rows)), "m.jsonl")
    for name in ("exact_match", "multilabel_micro_f1"):
        task = load_task(path, metric=name)
        assert task.metric(task.test.labels, task.test.labels) == 1.0


def own_folder(tmp_path, train, test):
    folder = tmp_path / "own"
    folder.mkdir()
    for name, rows in (("train", train), ("dev", train[:4]), ("test", test)):
        lines = "".join(f"{text},{label}\n" for text, label in rows)
        save(folder, "text,label\n" + lines, f"{name}.csv")
    return folder


def test_doubtful_tests_are_noted(tmp_path):
    train = [(f"t{i}", "PN"[i % 2]) for i in range(20)]
    test = [("T1", "N"), ("t2 ", "P"), ("nuevo", "P"), ("otro", "NEU")]
    folder = own_folder(tmp_path, train, test)
    notes = " ".join(load_task(folder).notes)
    assert "2 of 4 texts of test are in train too" in notes
    assert "4 of 4 texts of dev are in train too" in notes
    assert "Of the labels of test, train has no row of 'NEU'" in notes
    assert "labels of dev" not in notes
    assert "Not read" not in notes
    task = load_task(save(tmp_path, rows_of(100)))
    assert not any("too" in note or "no row" in note for note in task.notes)


def test_files_left_out_of_a_folder_are_noted(tmp_path):
    train = [(f"t{i}", "PN"[i % 2]) for i in range(20)]
    folder = own_folder(tmp_path, train, train)
    for name in ("train2.csv", "gold.jsonl.gz", "test.txt", "README.md", ".hidden"):
        (folder / name).write_bytes(b"x")
    left = [note for note in load_task(folder).notes if "Not read" in note]
    assert len(left) == 1
    assert left[0].startswith("Not read: gold.jsonl.gz, test.txt, train2.csv. Of a")


def test_empty_list_of_labels_is_refused(tmp_path):
    path = save(tmp_path, rows_of(60))
    with pytest.raises(DataError, match=r"my.csv: label=\[\] names no column"):
        load_task(path, label=[])


def test_tsv_of_raw_tweets_keeps_quotes(tmp_path):
    rows = "".join(f'"hola" dijo {i}\t{"ab"[i % 2]}\n' for i in range(40))
    task = load_task(save(tmp_path, "text\tlabel\n" + rows, "raw.tsv"))
    assert task.train.texts[0].startswith('"hola" dijo')
    assert any("Quotation marks" in note for note in task.notes)


def test_semicolons_marks_and_cp1252(tmp_path):
    text = rows_of(60).replace(",", ";")
    path = save(tmp_path, text, encoding="utf-8-sig")
    assert load_task(path).train.texts[0].startswith("hola")
    path = save(tmp_path, text.replace("hola", "añil"), encoding="cp1252")
    assert "añil" in load_task(path, encoding="cp1252").train.texts[0]
    path = save(tmp_path, text, encoding="utf-16")
    assert load_task(path, encoding="utf-16").train.texts[0].startswith("hola")


def test_blank_texts_and_repeated_ids_are_noted(tmp_path):
    rows = "".join(
        f"{i // 2},{f't{i}' if i % 5 else ' '},{'PN'[i % 2]}\n" for i in range(80)
    )
    task = load_task(save(tmp_path, "id,text,label\n" + rows))
    notes = " ".join(task.notes)
    assert "texts of train are empty" in notes
    assert "ids of train are repeated" in notes


GOOD = "".join(f"hola {i},{'PN'[i % 2]}\n" for i in range(20))


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("a.csv", "text,label\nhola\n", {}, "line 2: 1 fields, but the header has 2"),
        ("a.csv", f"text,label\n{GOOD}a,b,c\n", {}, "line 22: 3 fields"),
        ("a.csv", 'text,label\n"abc\nx,1\n', {}, "line 2: unexpected end of data"),
        ("a.csv", 'text,label\n"a"b,1\n', {}, "must be doubled"),
        ("a.csv", f"text,label\n{GOOD}adios,\n", {}, r"line 22: the label .* is empty"),
        ("a.csv", "text,label\na\0b,P\n", {}, "line 2: a NUL"),
        ("a.csv", "text,text,label\na,b,c\n", {}, "'text' more than once"),
        ("a.csv", "text,label\n", {}, "no rows"),
        ("a.csv", "", {}, "is empty"),
        ("a.csv", f"tuits,etiq\n{GOOD}", {}, "no column looks like the text"),
        ("a.csv", f"text,b,c\n{GOOD.replace(',', ',x,')}", {}, "looks like the label"),
        (
            "a.csv",
            f"tweets,label\n{GOOD}",
            {"text": "tweet"},
            "no column 'tweet' .*'tweets', 'label'.* Did you mean 'tweets'",
        ),
        ("a.csv", f"text,label\n{GOOD}", {"label": "Label"}, "Did you mean 'label'"),
        ("a.csv", f"text,label\n{GOOD}", {"label": "text"}, "both text and label"),
        ("a.csv", f"text,label\n{GOOD}", {"kind": "pair"}, "text_b="),
        ("a.csv", f"text,label\n{GOOD}", {"kind": "x"}, "kind must be one of"),
        ("a.csv", f"text,label\n{GOOD}", {"kind": "regression"}, "line 2: .* 'P'"),
        (
            "a.csv",
            "text,label\n" + "".join(f"t,{i}\n" for i in range(9)),
            {"kind": "binary"},
            "9 different labels",
        ),
        ("a.csv", "text,label\n" + "a,x\n" * 9, {}, "all labels .* are 'x'"),
        (
            "a.csv",
            "text,label\n" + "".join(f"t{i},name{i}\n" for i in range(50)),
            {},
            "too many for labels",
        ),
        ("a.csv", "text,label\n" + 'a,"1,5"\n' * 5, {"kind": "regression"}, "a point"),
        ("a.csv", f"text,label\n{GOOD}", {"label": ["label"]}, "hold 0 and 1"),
        ("a.csv", "text,label\na,P\nb,N\n", {}, "too small"),
        ("a.jsonl", '{"text": "a", "label": "P"}\n{"text": \n', {}, "line 2, column"),
        ("a.jsonl", '[{"text": "a"}]\n', {}, "expected a JSON object"),
        ("a.jsonl", '[\n{"text": "a"}]\n', {}, "not JSON Lines"),
        (
            "a.jsonl",
            '{"text": "a", "label": 1}\n{"label": 0}\n',
            {},
            "line 2: the text",
        ),
        (
            "a.jsonl",
            '{"text": "a", "label": 1}\n{"text": "a"}\n',
            {},
            "line 2: the lab",
        ),
        ("a.jsonl", '{"text": 1, "label": 1}\n{"text": 2, "label": 2}', {}, "1 .int."),
        (
            "a.jsonl",
            '{"text": "\\ud83d", "label": 1}\n{"text": "a", "label": 2}',
            {},
            "surrogate",
        ),
        ("a.jsonl", '{"text": "a", "label": []}', {}, "no row has a label"),
        ("a.jsonl", "[" * 100_000, {}, "line 1"),
        ("a.xlsx", "x", {}, "are not read"),
        ("a.csv", f"text,label\n{GOOD}", {"encoding": "klingon"}, "not an encoding"),
    ],
)
def test_mistakes_name_place_and_remedy(tmp_path, name, content, options, message):
    path = save(tmp_path, content, name)
    with pytest.raises(DataError, match=message) as error:
        load_task(path, **options)
    assert name in str(error.value) or "kind" in message


def test_wrong_encoding_names_the_byte(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes(b"text,label\nbien,P\nma\xf1ana,N\n")
    with pytest.raises(DataError, match=r"line 3, character 3: byte 0xf1 is .*cp1252"):
        load_task(path)
    path.write_bytes("text,label\n".encode("utf-16"))
    with pytest.raises(DataError, match="UTF-16"):
        load_task(path)


def test_absent_and_odd_paths(tmp_path):
    with pytest.raises(DataError, match="no file or folder"):
        load_task(tmp_path / "nope.csv")
    with pytest.raises(DataError, match="no file called train"):
        load_task(tmp_path)
    save(tmp_path, rows_of(20), "test.csv")
    with pytest.raises(DataError, match="no train part"):
        load_task(tmp_path)
    save(tmp_path, rows_of(20), "train.csv")
    save(tmp_path, rows_of(20), "train.csv.gz")
    with pytest.raises(DataError, match="both"):
        load_task(tmp_path)
    (tmp_path / "x.csv.gz").write_bytes(b"text,label\n")
    with pytest.raises(DataError, match="no gzip file"):
        load_task(tmp_path / "x.csv.gz")


def test_parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = arrow.table(
        {
            "tweet": [f"t\u2028{i}" for i in range(60)],
            "label": [i % 3 for i in range(60)],
        }
    )
    path = tmp_path / "a.parquet"
    parquet.write_table(table, path)
    task = load_task(path)
    assert task.label_names == ("0", "1", "2")
    assert "\u2028" in task.train.texts[0]
    path.write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="no Parquet file or damaged"):
        load_task(path)
    bad = arrow.table({"text": ["a", None], "label": [0, 1]})
    parquet.write_table(bad, path)
    with pytest.raises(DataError, match="row 1: the text .* is None"):
        load_task(path)


def write_hf(folder, columns, features):
    """Write what `save_to_disk` writes: Arrow stream, state and info."""
    arrow = pytest.importorskip("pyarrow")
    folder.mkdir(parents=True)
    table = arrow.table(columns)
    halves = table.slice(0, 25), table.slice(25)
    names = [f"data-0000{i}-of-00002.arrow" for i in range(2)]
    for name, half in zip(names, halves, strict=True):
        with arrow.ipc.new_stream(str(folder / name), half.schema) as stream:
            stream.write_table(half)
    state = {"_data_files": [{"filename": name} for name in names], "_split": "train"}
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    info = json.dumps({"features": features})
    (folder / "dataset_info.json").write_text(info, encoding="utf-8")


FEATURES = {
    "text": {"dtype": "string", "_type": "Value"},
    "label": {"names": ["no", "irony"], "_type": "ClassLabel"},
}


def test_hugging_face_on_disk(tmp_path):
    columns = {
        "text": [f"t{i}" for i in range(50)],
        "label": [i % 2 for i in range(50)],
    }
    write_hf(tmp_path / "one", columns, FEATURES)
    task = load_task(tmp_path / "one")
    assert task.label_names == ("no", "irony")
    assert task.train.labels[0] in {"no", "irony"}
    assert len(task.train) + len(task.dev) + len(task.test) == 50
    folder = tmp_path / "many"
    for split in ("train", "validation", "test"):
        write_hf(folder / split, columns, FEATURES)
    (folder / "dataset_dict.json").write_text(
        json.dumps({"splits": ["train", "validation", "test"]}), encoding="utf-8"
    )
    task = load_task(folder)
    assert [len(task.splits[s]) for s in ("train", "dev", "test")] == [50, 50, 50]
    assert task.train.texts[49] == "t49"


def test_hugging_face_mistakes(tmp_path):
    columns = {
        "text": [f"t{i}" for i in range(50)],
        "label": [i % 2 - 1 for i in range(50)],
    }
    write_hf(tmp_path / "unlabelled", columns, FEATURES)
    with pytest.raises(DataError, match="is -1, which is not one of the 2 classes"):
        load_task(tmp_path / "unlabelled")
    state = tmp_path / "unlabelled" / "state.json"
    content = json.loads(state.read_text(encoding="utf-8"))
    selected = {**content, "_indices_data_files": [{"filename": "indices.arrow"}]}
    state.write_text(json.dumps(selected), encoding="utf-8")
    with pytest.raises(DataError, match="flatten_indices"):
        load_task(tmp_path / "unlabelled")
    content["_data_files"][0]["filename"] = "../../etc/passwd"
    state.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match="passwd is no Arrow file"):
        load_task(tmp_path / "unlabelled")
    outside = tmp_path / "dict"
    outside.mkdir()
    (outside / "dataset_dict.json").write_text('{"splits": ["../unlabelled"]}', "utf-8")
    with pytest.raises(DataError, match="not the name of a split"):
        load_task(outside)


def test_lists_of_class_labels(tmp_path):
    columns = {
        "text": [f"t{i}" for i in range(50)],
        "label": [[0, 1][: i % 3] for i in range(50)],
    }
    features = {"label": {"feature": FEATURES["label"], "_type": "Sequence"}}
    write_hf(tmp_path / "multi", columns, features)
    task = load_task(tmp_path / "multi")
    assert task.kind == "multilabel"
    assert task.label_names == ("no", "irony")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


def _check_that_no_row_is_lost(path, n_rows, kind):
    """Whatever the rows hold, they are a task, every one of them, or an error."""
    try:
        task = load_task(path, kind=kind)
    except DataError:
        return
    assert sum(len(split) for split in task.splits.values()) == n_rows
    for split in task.splits.values():
        assert len(split.texts) == len(split.labels)
    if kind is not None:
        assert task.target_kind == kind


@files
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {"text": st.just("hola") | json_values, "label": json_values},
            optional={"text_b": json_values, "split": json_values, "id": json_values},
        ),
        min_size=1,
        max_size=12,
    ),
    kind=st.sampled_from([None, "binary", "multiclass", "multilabel", "regression"]),
)
def test_any_json_gives_a_task_or_a_data_error(tmp_path, rows, kind):
    path = tmp_path / "odd.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    _check_that_no_row_is_lost(path, len(rows), kind)


@files
@given(label=st.lists(json_values, min_size=30, max_size=30), kind=st.booleans())
def test_any_labels_give_a_task_or_a_data_error(tmp_path, label, kind):
    path = tmp_path / "odd.jsonl"
    rows = [{"text": f"t{i}", "label": value} for i, value in enumerate(label)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    _check_that_no_row_is_lost(path, len(rows), "multilabel" if kind else None)
