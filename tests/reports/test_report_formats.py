from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from report_boards import HOSTILE, board, facts, funniness, hostile, published, rich

from tweetclf.exceptions import DataError, UnknownNameError
from tweetclf.leaderboard.ranking import Leaderboard
from tweetclf.reports import (
    FORMATS,
    Cell,
    Code,
    Column,
    Listing,
    Note,
    Paragraph,
    Report,
    Row,
    Section,
    Span,
    Table,
    make_report,
    read_json,
    render,
    write_report,
)
from tweetclf.reports.formatting import make_safe
from tweetclf.reports.to_csv import COLUMNS, guard, unguard
from tweetclf.reports.to_latex import escape_latex
from tweetclf.reports.to_markdown import escape_markdown

ANY = st.text(alphabet=st.characters(), max_size=30)


def small(texts: list[str]) -> Report:
    a, b, c = texts
    table = Table(
        "table",
        a,
        (
            Column("x", b),
            Column("y", c, "right", "score"),
            Column("z", a, data_only=True),
        ),
        (
            Row((Cell(a, a, bold=True, mark=b), Cell(0.5, "0.500"), Cell(b, b))),
            Row((Cell(c, c), Cell(None, "–", tooltip=a), Cell(True, b)), "published"),
        ),
        ((Span(c), Span(a, "code")),),
        header_column="x",
    )
    blocks = (
        Paragraph((Span(a, "strong"), Span(b, "name"), Span(c, "code")), lead=True),
        Note("warning", a, ((Span(b),), (Span(c, "code"),))),
        Listing(b, ((Span(c),), (Span(a, "strong"), Span(b, "name"))), folded=True),
        Listing(c, ((Span(a),),)),
        Code(c),
        table,
    )
    return Report(a, b, ((c, a),), (Section("s", b, blocks),))


@pytest.fixture(scope="module")
def rich_report() -> Report:
    return make_report(rich(), command="tweetclf leaderboard")


@pytest.fixture(scope="module")
def hostile_report() -> Report:
    return make_report(hostile(), command="\n".join(HOSTILE))


# -- JSON -------------------------------------------------------------------------


def test_json_gives_the_same_report_back(rich_report, hostile_report):
    for report in (rich_report, hostile_report):
        text = render(report, "json")
        text.encode("utf-8")
        assert read_json(text) == report
        assert "NaN" not in text
        assert render(read_json(text), "html") == render(report, "html")


@settings(deadline=None)
@given(st.lists(ANY, min_size=3, max_size=3))
def test_json_of_any_text_gives_the_same_report_back(texts):
    report = small(texts)
    assert read_json(render(report, "json")) == report


def test_json_keeps_kinds_of_values_apart():
    cells = (Cell(0, "0"), Cell(False, "no"), Cell(0.0, "0"), Cell("", ""), Cell(None))
    columns = tuple(Column(k, k) for k in "abcde")
    section = Section("s", "S", (Table("t", "T", columns, (Row(cells),)),))
    back = read_json(render(Report("T", "", (), (section,)), "json"))
    values = [cell.value for cell in back.tables[0].rows[0].cells]
    assert [(v, type(v)) for v in values] == [(c.value, type(c.value)) for c in cells]


def test_json_holds_enough_to_compute_the_means_again(rich_report):
    tables = {t.key: t for t in read_json(render(rich_report, "json")).tables}
    runs = tables["task-tweeteval-irony--runs"]
    scores: dict[str, list[float]] = {}
    for row in runs.rows:
        system, _, status, score = (cell.value for cell in row.cells[:4])
        if status == "finished":
            scores.setdefault(system, []).append(score)
    ranking = tables["task-tweeteval-irony--ranking"]
    for system, score in zip(
        ranking.column("system"), ranking.column("score"), strict=True
    ):
        if system.value in scores:
            assert score.value == pytest.approx(sum(scores[system.value]) / 3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"format": 99}',
        '{"format": 1}',
        '{"format": 1, "meta": 3}',
    ],
)
def test_foreign_json_is_refused(text):
    with pytest.raises(DataError):
        read_json(text)


def test_damaged_json_is_refused(rich_report):
    document = json.loads(render(rich_report, "json"))
    document["sections"][0]["blocks"][0]["block"] = "video"
    with pytest.raises(DataError, match="not a report"):
        read_json(json.dumps(document))


# -- CSV --------------------------------------------------------------------------


def cells_of(report: Report) -> list[tuple[str, Cell]]:
    tables = [
        getattr(block, "data", block)
        for section in report.sections
        for block in section.blocks
    ]
    return [
        (column.key, cell)
        for table in tables
        if isinstance(table, Table)
        for row in table.rows
        for column, cell in zip(table.columns, row.cells, strict=True)
        if cell.value is not None or cell.text
    ]


def read_csv(text: str) -> list[dict[str, str]]:
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert {len(row) for row in rows} == {len(COLUMNS)}
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows[1:]]


def check_csv(report: Report) -> None:
    lines = read_csv(render(report, "csv"))
    cells = cells_of(report)
    assert len(lines) == len(cells)
    for line, (key, cell) in zip(lines, cells, strict=True):
        assert line["quantity"] == key
        assert unguard(line["text"]) == make_safe(cell.text)
        if isinstance(cell.value, float):
            assert float(line["value"]) == cell.value
        elif isinstance(cell.value, str):
            assert unguard(line["value"]) == make_safe(cell.value)
        for field in ("section", "name", "text"):
            assert not line[field].lstrip().startswith(("=", "+", "-", "@"))


def test_csv_has_every_cell(rich_report, hostile_report):
    check_csv(rich_report)
    check_csv(hostile_report)


@settings(deadline=None)
@given(st.lists(ANY, min_size=3, max_size=3))
def test_csv_of_any_text_reads_back(texts):
    check_csv(small(texts))


@given(ANY)
@example("=1+1")
@example(" \t=1+1")
@example("'quoted")
@example("\uff1dcmd")
def test_guarded_text_is_no_formula_and_comes_back(raw):
    guarded = guard(raw)
    assert unguard(guarded) == raw
    assert not guarded.lstrip().startswith(("=", "+", "-", "@", "\uff1d", "\uff0b"))


def test_negative_numbers_stay_numbers():
    table = Table("t", "T", (Column("x", "x"),), (Row((Cell(-0.5, "-0.500"),)),))
    report = Report("T", "", (), (Section("s", "S", (table,)),))
    (line,) = read_csv(render(report, "csv"))
    assert float(line["value"]) == -0.5
    assert line["text"] == "'-0.500"


# -- Markdown ---------------------------------------------------------------------


def bars(line: str) -> int:
    return len(re.findall(r"(?<!\\)(?:\\\\)*\|", line))


def check_markdown(text: str) -> None:
    text.encode("utf-8")
    fence = None
    width = None
    for line in text.split("\n"):
        assert "\r" not in line
        ticks = re.match(r"^(`{3,})$", line)
        if ticks and fence in {None, ticks[1]}:
            fence = None if fence else ticks[1]
            continue
        if fence:
            continue
        if line.startswith("| "):
            width = width or bars(line)
            assert bars(line) == width, line
        else:
            width = None
        # An escaped tick opens no code.
        outside = re.sub(r"\\.|(`+)(?!`).+?(?<!`)\1(?!`)", "", line)
        allowed = r"</?details>|</?summary>"
        assert not re.search(r"<(?!/?details>|/?summary>)", outside), (line, allowed)
    assert fence is None


def test_markdown_tables_have_equal_rows(rich_report, hostile_report):
    for report in (rich_report, hostile_report):
        check_markdown(render(report, "markdown"))


@settings(deadline=None)
@given(st.lists(ANY, min_size=3, max_size=3))
def test_markdown_of_any_text_keeps_its_tables(texts):
    check_markdown(render(small(texts), "markdown"))


def test_markdown_says_what_html_says(rich_report):
    text = render(rich_report, "markdown")
    assert text.startswith("# TweetEval, classical systems\n")
    assert "| 1 | **atalaya-svm** | **0.652** | 0.622–0.682 |" in text
    assert "nbsvm † |" in text
    assert "*BERTweet* (published)" in text
    assert "`f1|average:binary|pos:irony|zero:0|v1`" in text
    assert "```\ntweetclf leaderboard\n```" in text


@pytest.mark.parametrize(
    ("raw", "escaped"),
    [
        ("a|b", r"a\|b"),
        ("<b>", "&lt;b&gt;"),
        ("*x* _y_", r"\*x\* \_y\_"),
        ("svm-bow", "svm-bow"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("2) item", r"2\) item"),
        ("0.652", "0.652"),
        ("= x", r"\= x"),
        ("ngram_range=(1, 2)", "ngram_range=(1, 2)"),
        ("__init__", r"\_\_init\_\_"),
        ("# head", r"\# head"),
        ("[x](javascript:alert(1))", r"\[x\](javascript:alert(1))"),
        ("http://evil.example", "http&#58;//evil.example"),
        ("www.evil.example", "www&#46;evil.example"),
        ("@user &amp;", r"\@user &amp;amp;"),
        ("two\nlines", "two lines"),
        ("back\\slash", "back\\\\slash"),
    ],
)
def test_markdown_is_escaped(raw, escaped):
    assert escape_markdown(raw) == escaped


# -- LaTeX ------------------------------------------------------------------------


def check_latex(text: str) -> None:
    text.encode("utf-8")
    body = text[text.index(r"\begin{document}") :]
    lines = [line for line in body.split("\n") if not line.startswith("%")]
    # What is left after all escapes: only signs that LaTeX acts on.
    plain = re.sub(r"\\[\\{}$&#%_]", "", "\n".join(lines))
    assert not re.search(r"[#_^~\x00-\x08]", plain.replace("\\ifdim\\width>", ""))
    assert plain.count("$") % 2 == 0
    depth = 0
    for sign in plain:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0
    stack = []
    for kind, environment in re.findall(r"\\(begin|end)\{(\w+)\}", plain):
        if kind == "begin":
            stack.append(environment)
        else:
            assert stack.pop() == environment
    assert not stack
    for align, rows in re.findall(
        r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", body, re.DOTALL
    ):
        for row in rows.split("\n"):
            if row.endswith(r"\\"):
                found = len(re.findall(r"(?<!\\)&", row.replace(r"\\", "")))
                assert found == len(align) - 1, row
    commands = set(re.findall(r"\\([A-Za-z]+)", plain))
    assert not commands & {"input", "write", "include", "def", "immediate", "href"}


def test_latex_is_balanced_and_escaped(rich_report, hostile_report):
    for report in (rich_report, hostile_report):
        check_latex(render(report, "latex"))


@settings(deadline=None)
@given(st.lists(ANY, min_size=3, max_size=3))
def test_latex_of_any_text_is_balanced(texts):
    check_latex(render(small(texts), "latex"))


def test_latex_says_what_html_says(rich_report):
    text = render(rich_report, "latex")
    assert r"\toprule" in text
    assert r"1 & \textbf{atalaya-{}svm} & \textbf{0.652} & 0.622--0.682" in text
    assert r"nbsvm\textsuperscript{\textdagger}" in text
    assert r"\textit{BERTweet} (published)" in text
    assert r"F1 of irony\nobreakspace{}$\uparrow$" in text


def test_latex_signs():
    assert escape_latex("a_b & c% #1 $x$ {y} ~ ^ \\") == (
        r"a\_b \& c\% \#1 \$x\$ \{y\} \textasciitilde{} \textasciicircum{} "
        r"\textbackslash{}"
    )
    assert escape_latex("--[x]*") == "-{}-{}{[}x{]}{*}"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not here")
def test_latex_compiles(tmp_path, rich_report):
    report = make_report(Leaderboard("T", (funniness(),)), figures=False)
    (path,) = write_report(report, tmp_path / "report.tex")
    subprocess.run(
        ["pdflatex", "-interaction=batchmode", "-halt-on-error", path.name],
        cwd=tmp_path,
        check=True,
        timeout=120,
    )


# -- files ------------------------------------------------------------------------


def test_files_are_named_by_folder_or_stem(tmp_path, rich_report):
    assert write_report(rich_report, tmp_path / "a") == [tmp_path / "a" / "report.html"]
    assert write_report(rich_report, tmp_path / "b.json") == [tmp_path / "b.json"]
    both = write_report(rich_report, tmp_path / "c.html", formats=("csv", "latex"))
    assert both == [tmp_path / "c.csv", tmp_path / "c.tex"]
    folder = write_report(rich_report, tmp_path / "v1.2", formats=["json"])
    assert folder == [tmp_path / "v1.2" / "report.json"]
    for path in [*both, *folder]:
        assert path.read_bytes()
    assert not [p for p in tmp_path.rglob("*") if p.name.endswith(".tmp")]


def test_files_hold_what_render_returns(tmp_path, hostile_report):
    for path in write_report(hostile_report, tmp_path, formats=tuple(FORMATS)):
        name = {ending: name for name, ending in FORMATS.items()}.get(path.suffix)
        if name and name != "markdown":
            assert path.read_bytes() == render(hostile_report, name).encode("utf-8")


def test_markdown_files_come_with_their_figures(tmp_path, rich_report):
    paths = write_report(rich_report, tmp_path, formats=["markdown"])
    text = paths[0].read_text("utf-8")
    found = re.findall(r"\]\(([^)]+\.svg)\)", text)
    assert [tmp_path / name for name in found] == paths[1:]
    assert len(found) == len(rich_report.figures)
    assert all(Path(p).read_text("utf-8").startswith("<svg") for p in paths[1:])
    check_markdown(text)


def test_unknown_formats_write_nothing(tmp_path, rich_report):
    with pytest.raises(UnknownNameError, match="Did you mean 'html'"):
        render(rich_report, "htm")
    with pytest.raises(UnknownNameError):
        write_report(rich_report, tmp_path, formats=["html", "docx"])
    assert not list(tmp_path.iterdir())


def test_published_rows_are_marked_in_every_format():
    task = facts()
    one = Leaderboard("T", (board(task, n_systems=2, published=published(task)),))
    report = make_report(replace(one, n_resamples=10), figures=False)
    for name in FORMATS:
        assert "published" in render(report, name)
