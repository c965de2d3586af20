"""Submissions: exact bytes, checks with clear errors, scores of the files."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import f1_score, jaccard_score

from tweetclf import load_task
from tweetclf.exceptions import DataError
from tweetclf.leaderboard._submission_files import archive_bytes, read_files
from tweetclf.leaderboard.submission_formats import submission_format
from tweetclf.leaderboard.submissions import (
    make_submission,
    read_predictions,
    read_test_file,
    score_submission,
    submission_rows,
    task_for,
    write_submission,
)
from tweetclf.tasks import Split, list_tasks, task_info


def bare(name):
    return task_for(name, "/nowhere", needs_data=False)


def split(labels, *, ids=None, groups=None):
    n = len(labels)
    ids = tuple(str(100 + i) for i in range(n)) if ids is None else tuple(ids)
    texts = tuple(f"qué\ttuit\n{i}" for i in range(n))
    labels = np.asarray(labels)
    return Split("test", texts, labels, ids, None if groups is None else tuple(groups))


# -- the exact files --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "labels", "files"),
    [
        ("tweeteval-irony", ["irony", "non_irony"], {"irony.txt": "1\n0\n"}),
        (
            "tweeteval-stance-hillary",
            ["favor", "none"],
            {"stance/hillary.txt": "2\n0\n"},
        ),
        ("hateval-es", ["hate", "not-hate"], {"es_a.tsv": "100\t1\n101\t0\n"}),
        ("hateval-en", ["hate", "not-hate"], {"en_a.tsv": "100\t1\n101\t0\n"}),
        (
            "hateval-es-b",
            ["110", "000"],
            {"es_b.tsv": "100\t1\t1\t0\n101\t0\t0\t0\n"},
        ),
        (
            "haha-2019",
            ["humor", "not-humor"],
            {
                "predictions.csv": "id,is_humor,funniness_average\n100,1,3\n101,0,3\n",
            },
        ),
        (
            "haha-2019-funniness",
            [2.5, 3.0],
            {
                "predictions.csv": "id,is_humor,funniness_average\n"
                "100,1,2.5\n101,1,3.0\n",
            },
        ),
        (
            "irosva-mx",
            ["ironic", "not-ironic"],
            {"irosva.mx.test.csv": "ID,IS_IRONIC\n100,1\n101,0\n"},
        ),
        ("intertass-pe", ["NEU", "P"], {"pe.tsv": "100\tNEU\n101\tP\n"}),
        (
            "tass-general",
            ["NONE", "P"],
            {"general.tsv": "100\tNONE\n101\tP\n"},
        ),
        (
            "semeval2018-v-oc-ar",
            ["-3", "2"],
            {
                "V-oc_ar_pred.txt": "ID\tTweet\tAffect Dimension\tIntensity Class\n"
                "100\tqué tuit 0\tvalence\t-3\n101\tqué tuit 1\tvalence\t2\n"
            },
        ),
        (
            "semeval2018-ei-reg-en-joy",
            [0.25, 1.0],
            {
                "EI-reg_en_joy_pred.txt": "ID\tTweet\tAffect Dimension\t"
                "Intensity Score\n100\tqué tuit 0\tjoy\t0.25\n101\tqué tuit 1\tjoy\t"
                "1.0\n"
            },
        ),
        (
            "semeval2018-e-c-en",
            [[1, *[0] * 10], [0] * 11],
            {
                "E-C_en_pred.txt": "ID\tTweet\tanger\tanticipation\tdisgust\tfear\tjoy"
                "\tlove\toptimism\tpessimism\tsadness\tsurprise\ttrust\n"
                "100\tqué tuit 0\t1\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\n"
                "101\tqué tuit 1\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\n"
            },
        ),
        ("coset", ["other issues"] * 2, {"predictions.csv": None}),
    ],
)
def test_files_are_those_the_organisers_ask_for(name, labels, files):
    made = make_submission(bare(name), labels, split(labels))
    assert list(made.files) == list(files)
    for file, text in files.items():
        content = made.files[file]
        assert not content.startswith(b"\xef\xbb\xbf")
        assert b"\r" not in content
        assert content.endswith(b"\n")
        if text is not None:
            assert content.decode() == text
    # The files say what was predicted: read back, they score as the gold labels do.
    gold = np.asarray(labels)
    assert next(iter(made.scores.values())) == pytest.approx(
        bare(name).metric(gold, gold)
    )


def test_groups_have_a_file_each():
    emotions = ("anger", "fear", "joy", "sadness")
    groups = [e for e in emotions for _ in range(3)]
    labels = np.linspace(0, 1, 12)
    # One tweet may be in several files.
    ids = ["7", "8", "9"] * 4
    made = make_submission(
        bare("semeval2018-ei-reg-en"), labels, split(labels, ids=ids, groups=groups)
    )
    assert list(made.files) == [f"EI-reg_en_{e}_pred.txt" for e in emotions]
    for content in made.files.values():
        assert len(content.decode().splitlines()) == 4
    assert made.scores["pearson|zero:0|groups:mean|v1"] == pytest.approx(1)
    stance = ["abortion", "atheism", "climate", "feminist", "hillary"]
    names = ["favor"] * 5
    made = make_submission(bare("tweeteval-stance"), names, split(names, groups=stance))
    assert list(made.files) == [f"stance/{target}.txt" for target in stance]
    with pytest.raises(DataError, match="one by one"):
        make_submission(bare("tweeteval-stance"), names, split(names))


@pytest.mark.parametrize("info", list_tasks(), ids=lambda info: info.name)
def test_every_task_has_a_layout(info):
    layout = submission_format(info)
    assert layout.source
    assert len(set(layout.files.values())) == len(layout.files)
    assert set(layout.codes) in (set(), set(info.label_names))
    assert submission_format(info, generic=True).family == "generic"


def test_texts_with_commas_and_quotes_are_quoted():
    rows = split(["humor", "humor"], ids=['a,"b', "ñ"])
    task = load_task("sample-humor")
    made = make_submission(task, ["humor", "not-humor"], rows)
    text = made.files["predictions.csv"].decode()
    assert text == 'id,label\n"a,""b",humor\nñ,not-humor\n'
    assert made.scores[task.metric.signature()] == pytest.approx(2 / 3)


# -- archives ---------------------------------------------------------------------


def test_archives_are_flat_and_the_same_bytes_every_day(tmp_path):
    task = load_task("sample-humor")
    made = make_submission(task, task.test.labels)
    first = write_submission(made, tmp_path / "a.zip").read_bytes()
    assert write_submission(made, tmp_path / "b.zip").read_bytes() == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.testzip() is None
        (entry,) = archive.infolist()
        assert entry.filename == "predictions.csv"
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)
        assert entry.external_attr >> 16 == 0o644
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "b.zip"]
    # A zip file, a folder and the file itself have the same score.
    folder = write_submission(made, tmp_path / "folder")
    scores = [
        score_submission(task, path)
        for path in (tmp_path / "a.zip", folder, folder / "predictions.csv")
    ]
    assert scores[0] == scores[1] == scores[2] == dict(made.scores)
    assert next(iter(scores[0].values())) == 1.0
    with pytest.raises(FileExistsError):
        write_submission(made, folder)


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    task = load_task("sample-humor")
    made = make_submission(task, task.test.labels)

    def broken(*args, **options):
        raise OSError("disk full")

    (tmp_path / "a.zip").write_bytes(b"before")
    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        write_submission(made, tmp_path / "a.zip")
    with pytest.raises(OSError, match="disk full"):
        write_submission(made, tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]
    assert (tmp_path / "a.zip").read_bytes() == b"before"


# -- checks -----------------------------------------------------------------------


def predictions_file(tmp_path, text, name="p.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def read(path, task, rows, **options):
    return read_predictions(path, task, submission_format(task), rows, **options)


def test_predictions_are_matched_by_id_or_order(tmp_path):
    task, rows = bare("hateval-es"), split(["hate"] * 3)
    by_id = predictions_file(
        tmp_path, "ID,prediction\n102,hate\n100,not-hate\n101,not-hate\n"
    )
    assert read(by_id, task, rows) == ["not-hate", "not-hate", "hate"]
    codes = predictions_file(tmp_path, "1\n0\n1\n", "p.txt")
    assert read(codes, task, rows) == ["hate", "not-hate", "hate"]
    named = predictions_file(tmp_path, '{"k": 1, "y": "hate"}\n' * 3, "p.jsonl")
    assert read(named, task, rows, column="y") == ["hate"] * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prediction\nhate\nhate\n", "2 predictions; the test file has 3 rows"),
        ("id,prediction\n100,hate\n101,hate\n", "1 ids of the test file have no"),
        (
            "id,prediction\n100,hate\n101,hate\n102,hate\n7,hate\n",
            "1 ids are not in the test file, the first is '7'",
        ),
        (
            "id,prediction\n100,hate\n101,hate\n101,hate\n",
            "'101' stands twice among the predictions",
        ),
        ("prediction\nhate\nhat\nhate\n", r"line 3: 'hat' is not .* mean 'hate'"),
        ("prediction\nhate\n2\nhate\n", "or as codes 0, 1"),
        ("label\nhate\nhate\nhate\n", "no column 'prediction'"),
    ],
)
def test_wrong_predictions_are_explained(text, message, tmp_path):
    path = predictions_file(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        read(path, bare("hateval-es"), split(["hate"] * 3))
    assert "p.csv" in str(caught.value)


def test_numbers_and_sets_are_checked(tmp_path):
    rows = split([0.5, 0.5])
    task = bare("semeval2018-v-reg-en")
    for bad in ("x", "nan", "inf", '"0,5"'):
        path = predictions_file(tmp_path, f"prediction\n0.1\n{bad}\n")
        with pytest.raises(DataError, match=r"line 3: .* is no finite number"):
            read(path, task, rows)
    task, rows = bare("semeval2018-e-c-en"), split(np.zeros((2, 11), int))
    path = predictions_file(tmp_path, "prediction\njoy love\nanger|fear\n")
    sets = read(path, task, rows)
    assert [sum(row) for row in sets] == [2, 2]
    assert sets[1][0] == sets[1][3] == 1
    header = ",".join(task.label_names)
    flags = predictions_file(tmp_path, f"{header}\n{'1,' * 10}0\n{'0,' * 10}1\n")
    assert read(flags, task, rows) == [[1] * 10 + [0], [0] * 10 + [1]]
    flags = predictions_file(tmp_path, f"{header}\n{'1,' * 10}2\n{'0,' * 10}1\n")
    with pytest.raises(DataError, match="hold 0 and 1"):
        read(flags, task, rows)
    lists = predictions_file(
        tmp_path, '{"prediction": ["joy"]}\n{"prediction": []}\n', "p.jsonl"
    )
    assert [sum(row) for row in read(lists, task, rows)] == [1, 0]


def test_arrays_are_checked_too():
    task, rows = bare("hateval-es"), split(["hate"] * 2)
    with pytest.raises(DataError, match="1 predictions for 2 test rows"):
        make_submission(task, ["hate"], rows)
    with pytest.raises(DataError, match=r"predictions\[1\] is 'no'"):
        make_submission(task, ["hate", "no"], rows)
    with pytest.raises(DataError, match=r"predictions\[0\] is nan"):
        make_submission(bare("semeval2018-v-reg-en"), [np.nan, 0.5], split([0.5, 0.6]))
    with pytest.raises(DataError, match="0 and 1 of shape"):
        make_submission(bare("semeval2018-e-c-en"), [[0, 1]] * 2, rows)
    with pytest.raises(DataError, match="has no test rows at hand"):
        submission_rows(task)


def test_remarks_say_what_to_look_at():
    rows = split(["hate", "hate"])
    made = make_submission(bare("hateval-es"), ["hate"] * 2, rows)
    assert made.remarks == ("never predicted: not-hate",)
    made = make_submission(bare("irosva-cu"), ["ironic", "not-ironic"], rows_of(2))
    assert "could not be checked" in made.remarks[0]
    made = make_submission(bare("semeval2018-v-reg-en"), [0.5] * 2, rows_of(2))
    assert made.remarks == ("all predictions are the same number",)
    assert made.scores == {}


def test_both_tasks_of_haha_go_into_one_file(tmp_path):
    humor, funniness = bare("haha-2019"), bare("haha-2019-funniness")
    labels, stars = ["humor", "not-humor"], [2.5, 1.0]
    made = make_submission(humor, labels, rows_of(2), also=(funniness, stars))
    expected = b"id,is_humor,funniness_average\n100,1,2.5\n101,0,1.0\n"
    assert made.files == {"predictions.csv": expected}
    assert made.remarks == ()
    turned = make_submission(funniness, stars, rows_of(2), also=(humor, labels))
    assert turned.files == made.files
    # The scorer of either task reads its own column.
    path = write_submission(made, tmp_path / "s.zip")
    (tmp_path / "gold.csv").write_bytes(expected.replace(b"101,0,1", b"101,1,3"))
    for task, score in ((humor, 2 / 3), (funniness, np.sqrt(2))):
        scores = score_submission(task, path, gold=tmp_path / "gold.csv")
        assert next(iter(scores.values())) == pytest.approx(score)
    alone = make_submission(funniness, stars, rows_of(2))
    assert alone.remarks == (
        "no predictions of haha-2019 were given (--also): the column is_humor is 1 in "
        "every row",
    )
    with pytest.raises(DataError, match="1 predictions for 2 test rows"):
        make_submission(humor, labels, rows_of(2), also=(funniness, [2.0]))
    irony = bare("tweeteval-irony")
    with pytest.raises(DataError, match="only haha-2019-funniness stands in the same"):
        make_submission(humor, labels, rows_of(2), also=(irony, ["irony"] * 2))
    for task, generic in ((humor, True), (bare("haha-2021"), False)):
        with pytest.raises(DataError, match=r"no other task .* \(generic format\)"):
            make_submission(
                task, labels, rows_of(2), generic=generic, also=(funniness, stars)
            )


def rows_of(n):
    return replace(split(["x"] * n), labels=None)


def test_the_organisers_test_file_gives_the_ids(tmp_path):
    path = tmp_path / "test_es.tsv"
    path.write_text("id\ttext\n31\thola\n32\t¿qué?\n", encoding="utf-8")
    rows = read_test_file(path)
    assert rows.ids == ("31", "32")
    assert rows.texts == ("hola", "¿qué?")
    made = make_submission(bare("hateval-es"), ["hate", "not-hate"], rows)
    assert made.files["es_a.tsv"] == b"31\t1\n32\t0\n"
    path.write_text("k\ttext\n31\thola\n", encoding="utf-8")
    with pytest.raises(DataError, match="which column holds the ids"):
        read_test_file(path)
    assert read_test_file(path, id="k").ids == ("31",)


# -- scores -----------------------------------------------------------------------


def test_scores_equal_those_of_independent_scorers(tmp_path):
    rng = np.random.default_rng(3)
    labels = rng.choice(["hate", "not-hate"], 60)
    predicted = rng.choice(["hate", "not-hate"], 60)
    made = make_submission(bare("hateval-es"), predicted, split(labels))
    expected = f1_score(labels, predicted, average="macro")
    assert next(iter(made.scores.values())) == pytest.approx(expected, abs=1e-12)
    gold, guess = rng.random(50), rng.random(50)
    made = make_submission(bare("semeval2018-v-reg-en"), guess, split(gold))
    expected = pearsonr(gold, guess)[0]
    assert next(iter(made.scores.values())) == pytest.approx(expected, abs=1e-12)
    gold, guess = rng.integers(0, 2, (40, 11)), rng.integers(0, 2, (40, 11))
    made = make_submission(bare("semeval2018-e-c-en"), guess, split(gold))
    expected = jaccard_score(gold, guess, average="samples", zero_division=1)
    assert next(iter(made.scores.values())) == pytest.approx(expected, abs=1e-12)


def test_gold_labels_may_be_a_file_in_any_order(tmp_path):
    task = bare("hateval-es-b")
    (tmp_path / "es_b.tsv").write_text("1\t1\t1\t0\n2\t0\t0\t0\n3\t0\t1\t0\n")
    gold = tmp_path / "gold.tsv"
    gold.write_text("3\t0\t0\t0\n2\t0\t0\t0\n1\t1\t1\t0\n")
    scores = score_submission(task, tmp_path / "es_b.tsv", gold=gold)
    # A combination that no label has is scored, not refused.
    assert scores[task.metric.signature()] == pytest.approx(2 / 3)
    with pytest.raises(DataError, match="are not at hand"):
        score_submission(task, tmp_path / "es_b.tsv")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"1\t1\n2\t0\n", "1 of 3 ids are missing, the first is '3'"),
        (b"1\t1\n2\t0\n3\t1\n4\t1\n", "not among the gold labels"),
        (b"1\t1\n2\t0\n2\t1\n", "'2' stands twice"),
        (b"1\t1\n2\t0\n3\n", "line 3: 1 fields; expected 2: id, HS"),
        (b"id\tHS\n1\t1\n2\t0\n3\t1\n", "line 1: 'HS' is not a label"),
        (b"1\t1\n2\t0\n3\t7\n", "line 3: '7' is not a label"),
        ("1\t1\n2\t0\n3\té".encode("latin-1"), "not UTF-8"),
        (b"", "ids are missing"),
    ],
)
def test_files_that_are_not_as_asked_for_are_explained(data, message, tmp_path):
    gold, path = tmp_path / "gold.tsv", tmp_path / "es_a.tsv"
    gold.write_text("1\t1\n2\t0\n3\t1\n")
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        score_submission(bare("hateval-es"), path, gold=gold)


def test_other_line_ends_and_a_byte_order_mark_are_read(tmp_path):
    gold, path = tmp_path / "gold.tsv", tmp_path / "es_a.tsv"
    gold.write_bytes(b"1\t1\n2\t0\n")
    path.write_bytes(b"\xef\xbb\xbf1\t1\r\n2\t0")
    scores = score_submission(bare("hateval-es"), path, gold=gold)
    assert set(scores.values()) == {1.0}


def test_headers_and_archives_are_checked(tmp_path):
    task = bare("haha-2019")
    path = tmp_path / "predictions.csv"
    path.write_text("id,is_humor\n1,1\n")
    with pytest.raises(DataError, match="the first line must name the columns"):
        score_submission(task, path, gold=path)
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr("inner/predictions.csv", "x")
    with pytest.raises(DataError, match="in no folder of their own"):
        score_submission(task, tmp_path / "s.zip", gold=path)
    with pytest.raises(DataError, match="no file or folder"):
        score_submission(task, tmp_path / "none.zip", gold=path)
    with pytest.raises(DataError, match="has 5 files"):
        score_submission(bare("tweeteval-stance"), path, gold=path)


def test_damaged_encrypted_and_huge_archives_are_refused(tmp_path, monkeypatch):
    task = load_task("sample-humor")
    made = make_submission(task, task.test.labels)
    path = write_submission(made, tmp_path / "s.zip")
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[60] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="no zip file that can be read"):
        score_submission(task, path)
    encrypted = bytearray(whole)
    encrypted[6] |= 1
    encrypted[whole.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(encrypted)
    with pytest.raises(DataError, match="encrypted"):
        score_submission(task, path)
    path.write_bytes(whole)
    monkeypatch.setattr("tweetclf.leaderboard._submission_files._MAX_BYTES", 100)
    with pytest.raises(DataError, match="too large"):
        score_submission(task, path)


def test_files_of_a_folder_may_stand_side_by_side(tmp_path):
    layout = submission_format(bare("tweeteval-stance"))
    flat, deep = tmp_path / "flat", tmp_path / "deep"
    for name in layout.files.values():
        for path in (flat / name.replace("/", "_"), deep / name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"0\n{len(name)}\n".encode())
    archive = tmp_path / "flat.zip"
    archive.write_bytes(
        archive_bytes({path.name: path.read_bytes() for path in flat.iterdir()})
    )
    expected = read_files(layout, deep)
    assert set(expected) == set(layout.files.values())
    assert read_files(layout, flat) == read_files(layout, archive) == expected
    (flat / "stance_atheism.txt").unlink()
    with pytest.raises(DataError, match="no file 'stance/atheism.txt'"):
        read_files(layout, flat)


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["emoji", "emotion", "hate", "irony", "offensive", "stance"]
)
def test_shipped_predictions_of_tweeteval_give_the_published_figures(
    name, shared_data, tmp_path
):
    path = shared_data / "tweeteval" / "published.json"
    key = "scores_recomputed_from_the_published_predictions_of_RoBERTa-Retrained"
    expected = json.loads(path.read_text("utf-8"))[key][name]
    shipped = shared_data / "tweeteval" / "predictions_roberta_retrained"
    task = load_task(f"tweeteval-{name}", data_dir=shared_data)
    source = shipped / f"{name}.txt"
    if name == "stance":
        # Its five files stand beside the others, as stance_abortion.txt and so on.
        source = shipped
    score = next(iter(score_submission(task, source).values()))
    assert round(100 * score, 2) == expected


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    [
        "tweeteval-irony",
        "tweeteval-stance",
        "hateval-en",
        "hateval-en-b",
        "irosva-es",
        "semeval2018-ei-oc-en",
        "semeval2018-ei-reg-ar",
        "semeval2018-e-c-en",
        "umsab-french",
        "jsts",
    ],
)
def test_gold_as_submission_is_perfect_and_reads_back(name, shared_data, tmp_path):
    task = load_task(name, data_dir=shared_data)
    made = make_submission(task, task.test.labels)
    path = write_submission(made, tmp_path / "s.zip")
    scores = score_submission(task, path)
    assert scores == dict(made.scores)
    assert next(iter(scores.values())) == pytest.approx(1.0)
    assert made.n_rows == task_info(name).rows["test"]


@pytest.mark.data
def test_unlabelled_test_rows_are_submitted_without_a_score(shared_data):
    task = load_task("haha-2019", data_dir=shared_data)
    made = make_submission(task, ["humor"] * 6000)
    assert made.n_rows == 6000
    assert made.scores == {}
    assert len(made.files["predictions.csv"].splitlines()) == 6001
