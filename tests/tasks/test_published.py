"""Published results: facts in the package, equal to those beside the data."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from tweetclf.exceptions import DataError, UnknownNameError
from tweetclf.tasks import (
    list_tasks,
    published_results,
    read_published,
    task_info,
)
from tweetclf.tasks._published_csv import COLUMNS, aliases
from tweetclf.tasks.published import (
    PublishedResult,
    canonical_system,
    filter_published,
    references,
    wilson_interval,
    write_published,
)

SEVEN = ("emoji", "emotion", "hate", "irony", "offensive", "sentiment", "stance")
SIX = tuple(task for task in SEVEN if task != "sentiment")


def compares(row):
    info = task_info(row.task)
    signature = info.metric.signature()
    return not row.differences(version=info.version, split="test", signature=signature)


def tweeteval(system):
    return {
        task: row.score
        for task in SEVEN
        for row in published_results(f"tweeteval-{task}")
        if row.system == system and compares(row)
    }


@pytest.mark.parametrize(
    ("system", "mean"),
    [("SVM", 52.0), ("BLSTM", 56.2), ("FastText", 57.3), ("RoBERTa-Base", 60.1)],
)
def test_known_means_of_six_tasks(system, mean):
    scores = tweeteval(system)
    assert set(scores) == set(SEVEN)
    assert round(100 * sum(scores[t] for t in SIX) / 6 + 1e-9, 1) == mean


def test_every_result_is_complete_and_plausible():
    rows = [row for info in list_tasks() for row in published_results(info.name)]
    assert len(rows) > 300
    for row in rows:
        assert row.system
        assert row.source
        assert row.cite in references()
        assert row.split
        assert not row.signature or row.signature.endswith("|v1")
        if row.signature and not row.signature.startswith("rmse"):
            assert 0 < row.score < 1
    keys = Counter(
        (r.task, r.system, r.signature, r.metric, r.split, r.version, r.source)
        for r in rows
    )
    assert [key for key, times in keys.items() if times > 1] == []


def test_signatures_are_those_of_metrics_of_the_task():
    # A typo in a signature would set a row apart without a word.
    for info in list_tasks():
        own = {m.signature() for m in (info.metric, *info.secondary_metrics)}
        for row in published_results(info.name):
            if row.split == "test" and row.version == info.version and row.signature:
                known = row.signature in own or row.signature.startswith(
                    ("precision|", "recall|", "accuracy|", "spearman|")
                )
                assert known, (info.name, row.signature)


def test_results_that_compare_first_and_best_first():
    rows = published_results("hateval-es")
    near = [row for row in rows if compares(row)]
    assert rows[: len(near)] == near
    assert [row.score for row in near] == sorted((r.score for r in near), reverse=True)
    assert {row.split for row in near} == {"test"}
    assert "dev" in {row.split for row in rows}
    errors = [r.score for r in published_results("haha-2019-funniness") if compares(r)]
    assert errors == sorted(errors)
    assert published_results("sample-humor") == []
    with pytest.raises(UnknownNameError, match="hateval-es"):
        published_results("hateval-sp")


@pytest.mark.parametrize(
    ("task", "version"),
    [
        ("irosva-es", "2019, all variants together"),
        ("emoevent-es", "2021, labels as released"),
        ("intertass-es", "2019"),
        ("haha-2019", "2018"),
        ("jsts", ""),
    ],
)
def test_scores_on_other_data_stand_apart_and_say_why(task, version):
    rows = [row for row in published_results(task) if row.version == version]
    assert rows
    info = task_info(task)
    for row in rows:
        why = row.differences(
            version=info.version, split=row.split, signature=row.signature
        )
        assert len(why) == 1
        assert (version or "not stated") in why[0]


def test_a_number_printed_twice_stands_once():
    f1 = task_info("haha-2019").metric.signature()
    rows = filter_published(published_results("haha-2019"), system="NBSVM")
    rows = [row for row in rows if row.signature == f1]
    assert len(rows) == 1
    assert "Section 4.4" in rows[0].source
    assert "Table 3" in rows[0].source
    everything = filter_published(read_published(), system="NBSVM", signature=f1)
    assert len(everything) == 2


def test_errata_are_said():
    rows = filter_published(
        read_published(), task="hateval-es", system="TW-Base", split="test"
    )
    assert rows
    assert all("cannot be right as printed" in row.note for row in rows)
    (mean,) = filter_published(
        read_published(),
        dataset="average over the 14 configurations of Tables 2-14",
        system="TW-Large (w/o ROP)",
    )
    assert "counts twice" in mean.note


def test_aliases_lead_to_one_name():
    assert canonical_system("M-BERT") == "mBERT"
    assert canonical_system("NBSVM") == "NBSVM"
    assert canonical_system("NBSVM", "farzin-2019-haha") == "haha-nbsvm"
    printed = {(row.cite, row.system) for row in read_published()}
    for (cite, name), common in aliases().items():
        assert name != common
        assert ("", common) not in aliases(), "an alias of an alias"
        assert not cite or (cite, name) in printed or name == "LSTM"
    from tweetclf.leaderboard import get_system

    for name in ("atalaya-svm", "atalaya-lr", "haha-nbsvm"):
        assert name in aliases().values()
        assert get_system(name).name == name
    by_alias = filter_published(read_published(), system="betO")
    assert {row.system for row in by_alias} > {"S-BERT"}


# -- intervals --------------------------------------------------------------------


@given(
    share=st.floats(0, 1),
    n=st.integers(1, 100_000),
    level=st.sampled_from([0.8, 0.95, 0.99]),
)
def test_wilson_equals_statsmodels(share, n, level):
    expected = proportion_confint(share * n, n, alpha=1 - level, method="wilson")
    assert wilson_interval(share, n, level=level) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("share", "n"), [(1.5, 10), (-0.1, 10), (0.5, 0)])
def test_wilson_refuses_what_is_no_share(share, n):
    with pytest.raises(ValueError, match=r"share must be within 0 and 1"):
        wilson_interval(share, n)


def test_intervals_are_reconstructed_for_shares_alone():
    with_interval = [row for row in read_published() if row.interval]
    assert len(with_interval) > 40
    for row in with_interval:
        assert row.signature.startswith(("accuracy|", "exact_match|"))
        low, high = row.interval
        assert low < row.score < high
        assert row.why_no_interval == ""
    (svm,) = [
        row
        for row in published_results("hateval-es")
        if row.system == "SVM0" and row.metric == "accuracy" and row.split == "test"
    ]
    assert svm.n == 1600
    assert svm.interval == pytest.approx((0.7087, 0.7522), abs=1e-4)
    f1 = published_results("tweeteval-irony")[0]
    assert f1.interval is None
    assert "needs the predictions" in f1.why_no_interval
    assert "not known" in replace(svm, n=None).why_no_interval
    assert replace(svm, score=1.5).interval is None


# -- files ------------------------------------------------------------------------


def test_rows_come_back_from_a_file(tmp_path):
    rows = read_published()
    write_published(rows, tmp_path / "all.csv")
    assert read_published(tmp_path / "all.csv") == rows
    data = (tmp_path / "all.csv").read_bytes()
    assert b"\r" not in data
    assert not data.startswith(b"\xef\xbb\xbf")


def test_ones_own_rows_stand_among_the_others(tmp_path):
    path = tmp_path / "mine.csv"
    info = task_info("coset")
    path.write_text(
        "\ufeffsystem,task,version,split,value,scale,signature,cite,n\n"
        f"Mine,coset,{info.version},test,99.5,100,{info.metric.signature()},Me 2026,\n"
        "Mine,coset,,test,0.7035,1,accuracy|v1,Me 2026,624\n",
        encoding="utf-8",
    )
    mine = read_published(path)
    assert [row.score for row in mine] == [0.995, 0.7035]
    assert mine[0].source == "Me 2026"
    rows = published_results("coset", mine)
    assert rows[0] == mine[0]
    assert len(rows) == len(published_results("coset")) + 2
    assert mine[1].interval


HEADER = "system,task,split,value"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("system,task,split\na,b,c\n", "no column value"),
        ("system,split,value\na,b,1\n", r"task \(or dataset\)"),
        (f"{HEADER},sytem\n", "Did you mean 'system'"),
        (f"{HEADER},system\n", "stands twice"),
        ("", "no column system, split, value"),
        (f"{HEADER}\na,b,test,x\n", "line 2: value is 'x'"),
        (f"{HEADER}\na,b,test,nan\n", "expected a number"),
        (f'{HEADER}\na,b,test,"0,7"\n', "with a point"),
        (f"{HEADER}\na,b,test\n", "line 2: the line has not as many fields"),
        (f"{HEADER}\na,b,test,1,2\n", "line 2: the line has not as many fields"),
        (f"{HEADER}\n,b,test,1\n", "'system' is empty"),
        (f"{HEADER}\na,,test,1\n", "'task' and 'dataset' is needed"),
        (f"{HEADER},scale\na,b,test,1,10\n", "scale is '10'"),
        (f"{HEADER},n\na,b,test,1,0\n", "n is '0'"),
        (f"{HEADER},n\na,b,test,1,-5\n", "n is '-5'"),
    ],
)
def test_errors_of_files_name_line_and_fix(text, message, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        read_published(path)
    assert "mine.csv" in str(caught.value)


def test_other_encodings_are_refused(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(f"{HEADER}\nPérez,b,test,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        read_published(path)


cells = st.text(
    st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=8
).filter(lambda text: text.strip() == text)


@given(system=cells, note=cells, split=cells, value=st.floats(0, 1))
def test_any_text_survives_a_file(tmp_path_factory, system, note, split, value):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    row = PublishedResult(system, "coset", "", split, value, "", note, value=value)
    write_published([row], path)
    assert read_published(path) == [row]


# -- the collections --------------------------------------------------------------


@pytest.mark.data
def test_every_number_of_the_collection_is_here(shared_data):
    path = shared_data.parent / "published_results.json"
    if not path.is_file():
        pytest.skip(f"the collection of published results is not at {path}")
    numbers = json.loads(path.read_text(encoding="utf-8"))
    assert len(numbers) == 1293
    keys = ("cite", "table", "dataset", "language", "system", "metric", "split")
    expected = Counter((*(n[k] for k in keys), float(n["value"])) for n in numbers)
    found = Counter((*(getattr(r, k) for k in keys), r.value) for r in read_published())
    assert expected - found == Counter()
    by_key = {(*(getattr(r, k) for k in keys), r.value): r for r in read_published()}
    for number in numbers:
        row = by_key[(*(number[k] for k in keys), float(number["value"]))]
        assert number.get("caveat", "") in row.note
        # The label of the reference is the collection's own name of the source.
        assert row.source.startswith(number["source"].removesuffix(" (LaTeX source)"))


@pytest.mark.data
def test_tweeteval_equals_the_file_beside_the_data(shared_data):
    path = shared_data / "tweeteval" / "published.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    means = filter_published(read_published(), dataset="TweetEval all")
    for system, scores in content["results"].items():
        name = {"LSTM": "BLSTM"}.get(system, system)
        found = tweeteval(name)
        for task in SEVEN:
            assert round(100 * found[task], 1) == scores[task]
        assert [r.value for r in means if r.system == name] == [scores["all"]]
    key = "scores_recomputed_from_the_published_predictions_of_RoBERTa-Retrained"
    shipped = tweeteval("RoBERTa-Retrained (shipped predictions)")
    assert {k: round(100 * v, 2) for k, v in shipped.items()} == content[key]


@pytest.mark.data
def test_haha_and_umsab_equal_the_files_beside_the_data(shared_data):
    content = json.loads((shared_data / "haha" / "published.json").read_text("utf-8"))
    everything = read_published()
    for edition, columns in content.items():
        rows = filter_published(everything, dataset=edition[:9])
        numbers = [
            (system, value)
            for column, scores in columns.items()
            if column != "status"
            for system, value in scores.items()
        ]
        assert Counter(numbers) == Counter((r.system, r.value) for r in rows)
    content = json.loads((shared_data / "umsab" / "published.json").read_text("utf-8"))
    for language, scores in content["results"].items():
        rows = filter_published(everything, dataset=f"UMSAB {language}")
        found = {row.system: row.value for row in rows}
        assert found == dict(zip(content["columns"], scores, strict=True))


@pytest.mark.data
def test_tass_equals_the_file_beside_the_data(shared_data):
    path = shared_data / "intertass" / "published.json"
    (content,) = json.loads(path.read_text("utf-8")).values()
    for task in ("intertass-mx", "intertass-es"):
        rows = filter_published(
            read_published(), task=task, dataset="TASS 2020, all variants"
        )
        found = {row.system: row.value for row in rows}
        assert {k: v for k, v in content.items() if k != "status"} == found


def test_the_package_files_are_tidy():
    from tweetclf.tasks._published_csv import FOLDER

    for name in ("papers.csv", "leaderboards.csv"):
        with (FOLDER / name).open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        assert tuple(header) == COLUMNS
        assert all(len(row) == len(COLUMNS) for row in rows)
        assert all(cell == cell.strip() for row in rows for cell in row)
    keys = list(references())
    assert len(set(keys)) == len(keys)
    cited = {row.cite for row in read_published()}
    assert cited == set(keys)
    assert {row.task for row in read_published()} <= {
        "",
        *(info.name for info in list_tasks()),
    }
