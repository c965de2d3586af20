from __future__ import annotations

import base64
import hashlib
import re
import threading
import warnings
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_boards import (
    EMOJI,
    HOSTILE,
    board,
    entry,
    facts,
    funniness,
    hostile,
    rich,
    twenty,
)

from tweetclf.leaderboard.ranking import Leaderboard, TaskBoard
from tweetclf.reports import (
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
    render,
)
from tweetclf.reports.confusion import DEEPEST
from tweetclf.reports.drawing import COLOURS
from tweetclf.reports.formatting import make_safe
from tweetclf.reports.placement import place_labels
from tweetclf.reports.to_html import is_safe_svg

VOID = {"meta", "br", "link", "img", "input", "hr"}
SVG = {
    "svg",
    "g",
    "path",
    "text",
    "tspan",
    "use",
    "defs",
    "clippath",
    "desc",
    "circle",
    "rect",
}
HTML = {
    *("html", "head", "meta", "title", "style", "body", "a", "header", "h1", "h2"),
    *("h3", "p", "dl", "div", "dt", "dd", "nav", "ul", "li", "main", "section"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "span", "bdi", "strong"),
    *("code", "pre", "figure", "figcaption", "details", "summary", "sup", "script"),
}


class Page(HTMLParser):
    """A strict reader: every tag known and closed, every attribute kept."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.raw: dict[str, str] = {}
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        assert tag in HTML | SVG, f"unexpected element {tag}"
        assert len(dict(attrs)) == len(attrs), f"repeated attribute in {tag}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in SVG, f"{tag} closes itself"
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in {"style", "script"}:
            self.raw[self.open[-1]] = self.raw.get(self.open[-1], "") + data
        else:
            self.said.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data!r}")

    @property
    def text(self) -> str:
        return "".join(self.said)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def check_page(text: str) -> Page:
    assert text.startswith("<!DOCTYPE html>")
    page = Page(text)
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(set(ids)) == len(ids)
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in {"style", "src", "srcset", "action", "xlink:href"}
            if name == "href":
                assert value.startswith("#")
                assert value[1:] in ids
            if name == "aria-labelledby":
                assert set(value.split()) <= set(ids)
            if "url(" in (value or "") and name not in {
                "title",
                "aria-label",
                "data-value",
            }:
                assert value[5:-1] in ids
    assert [a.get("lang") for a in page.of("html")] == ["en"]
    assert len(page.of("h1")) == 1
    assert all(a.get("scope") in {"col", "row"} for a in page.of("th"))
    assert len(page.of("caption")) == len(page.of("table"))
    for attributes in page.of("svg"):
        assert attributes.get("aria-hidden") == "true" or (
            attributes["role"] == "img" and attributes["aria-labelledby"]
        )
    policy = next(a["content"] for a in page.of("meta") if "http-equiv" in a)
    for tag in ("style", "script"):
        digest = hashlib.sha256(page.raw[tag].encode()).digest()
        assert f"{tag}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(
        r"url\(|@import|https?:", page.raw["style"] + page.raw["script"]
    )
    return page


@pytest.fixture(scope="module")
def rich_page() -> Page:
    return check_page(
        render(make_report(rich(), command="tweetclf leaderboard"), "html")
    )


def test_a_rich_report_is_a_sound_page(rich_page):
    assert len(rich_page.of("figure")) == 9 + 1
    for wanted in (
        "atalaya-svm is best with F1 of irony 0.652",
        "f1|average:binary|pos:irony|zero:0|v1",
        "word-vectors failed",
        "tweetclf fetch tweeteval",
        "Example CPU",
        "57 times",
    ):
        assert wanted in rich_page.text


def test_sections_can_be_reached_from_the_contents(rich_page):
    links = {a["href"] for a in rich_page.of("a")}
    assert "#task-tweeteval-irony" in links
    assert "#content" in links


def test_hidden_texts_do_not_widen_the_page(rich_page):
    # They are placed absolutely: without a positioned container they would stand
    # beyond the right edge of a phone wherever a table scrolls.
    assert re.search(r"\.scroll \{ position: relative;", rich_page.raw["style"])


def test_hostile_names_are_text_and_nothing_else():
    page = check_page(
        render(make_report(hostile(), command="\n".join(HOSTILE)), "html")
    )
    for attack in HOSTILE:
        assert make_safe(attack) in page.text
    assert not set(page.text) & set("\x00\x1b\u202e")


def test_a_report_of_one_system_and_one_without_figures():
    check_page(render(make_report(Leaderboard("T", (board(n_systems=1),))), "html"))
    page = check_page(render(make_report(rich(), figures=False), "html"))
    assert not page.of("figure")


ANY = st.text(alphabet=st.characters(), max_size=30)


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY, min_size=6, max_size=6))
def test_any_text_anywhere_stays_text(texts):
    a, b, c, d, e, f = texts
    table = Table(
        "table",
        a,
        (Column("x", b, hint=c), Column("y", d, under="x")),
        (
            Row((Cell(e, f, mark=a, tooltip=b), Cell(c, d))),
            Row((Cell(None, "–", tooltip=e), Cell(1.5, f)), "published"),
        ),
        ((Span(f),),),
        header_column="x",
    )
    blocks = (
        Paragraph((Span(a, "strong"), Span(b, "name"), Span(c, "code"))),
        Note("error", d, ((Span(e),),)),
        Listing(c, ((Span(d), Span(e, "strong")),)),
        Listing(d, ((Span(f, "name"),),), folded=True),
        Code(f),
        table,
    )
    report = Report(a, b, ((c, d),), (Section("s", e, blocks),))
    page = check_page(render(report, "html"))
    for text in texts:
        assert make_safe(text) in page.text


# -- figures ----------------------------------------------------------------------


def drawings(leaderboard: Leaderboard) -> list:
    return list(make_report(leaderboard).figures)


def labels_of(svg: str) -> list[str]:
    return [e.text for e in ET.fromstring(svg).iter() if e.tag.endswith("}text")]


def test_drawings_stand_by_themselves_and_beside_each_other():
    figures = drawings(rich())
    ids: list[str] = []
    for figure in figures:
        root = ET.fromstring(figure.svg)
        own = [e.get("id") for e in root.iter() if e.get("id")]
        assert all(i.startswith(figure.key) for i in own)
        ids += own
        assert is_safe_svg(figure.svg)
        assert root[0].tag.endswith("title")
        assert root[1].tag.endswith("desc")
        assert not re.search(
            r"(?<!-)style=|<style|<image|date|DejaVu|#0[1-6]0", figure.svg
        )
    assert len(set(ids)) == len(ids)


def test_drawings_have_the_same_bytes_every_time():
    assert [f.svg for f in drawings(rich())] == [f.svg for f in drawings(rich())]


def test_a_users_style_changes_no_drawing():
    import matplotlib

    one = Leaderboard("T", (board(),))
    plain = [f.svg for f in drawings(one)]
    with matplotlib.rc_context({"lines.linewidth": 9, "svg.fonttype": "path"}):
        assert [f.svg for f in drawings(one)] == plain
        assert matplotlib.rcParams["lines.linewidth"] == 9


def test_no_global_figure_is_left_behind():
    import sys

    drawings(rich())
    assert "matplotlib.pyplot" not in sys.modules or not (
        sys.modules["matplotlib.pyplot"].get_fignums()
    )


def test_every_script_is_drawn_without_a_warning():
    names = ("日本語", "نموذج", "👩‍👩‍👧", "$x_1$", "कक्षा")
    task = facts(label_names=names, kind="multiclass")
    entries = tuple(
        entry(task, n, 0.5 - i / 9, rank=i + 1) for i, n in enumerate(names)
    )
    one = TaskBoard(task, "test", 784, entries, confusion=np.eye(5, dtype=np.int64))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = drawings(Leaderboard("T", (one,)))
    for figure in figures[:2]:
        assert set(names) <= set(labels_of(figure.svg))
    assert "日本語 (1)" in labels_of(figures[2].svg)


def test_twenty_labels_fit():
    figure = drawings(Leaderboard("T", (twenty(),)))[-1]
    assert figure.wide
    shown = labels_of(figure.svg)
    assert [name for name in EMOJI if name in shown] == list(EMOJI)
    # Shares of a row, in whole percent.
    counts = twenty().confusion
    assert str(round(100 * counts[0, 0] / counts[0].sum())) in shown


def test_labels_without_tweets_and_too_many_labels():
    task = facts(label_names=("a", "b"))
    empty = replace(board(task, n_systems=2), confusion=np.array([[5, 0], [0, 0]]))
    assert "b: none of 0" in drawings(Leaderboard("T", (empty,)))[-1].alt
    many = facts(label_names=tuple(map(str, range(60))))
    keys = [f.key for f in drawings(Leaderboard("T", (board(many, n_systems=2),)))]
    assert not any(key.endswith("confusion") for key in keys)


def test_systems_without_score_or_time_are_left_out_of_drawings():
    task = facts()
    entries = (
        entry(task, "a", 0.7),
        entry(task, "b", 0.6, rank=2, fit=float("nan")),
        entry(task, "c", float("nan"), rank=3),
    )
    figures = drawings(Leaderboard("T", (TaskBoard(task, "test", 784, entries),)))
    assert [f.key.rpartition("--")[2] for f in figures] == ["intervals"]
    assert [c.text for c in figures[0].data.column("system")] == ["a", "b"]


def test_equal_scores_and_times_are_drawn():
    task = facts()
    entries = tuple(entry(task, name, 0.5, half=0.0) for name in "abc")
    figures = drawings(Leaderboard("T", (TaskBoard(task, "test", 784, entries),)))
    assert len(figures) == 2


def test_systems_far_off_are_named_below_the_cost_figure():
    figure = drawings(Leaderboard("T", (board(),)))[1]
    assert "Beyond the frame: majority" in figure.caption
    assert "majority" not in labels_of(figure.svg)
    assert "majority" in [c.text for c in figure.data.column("system")]


def test_regression_has_no_confusion_matrix():
    keys = [f.key for f in drawings(Leaderboard("T", (funniness(),)))]
    assert [k.rpartition("--")[2] for k in keys] == ["intervals", "cost"]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12))
def test_labels_stay_in_the_frame_and_off_each_other(seed, n):
    rng = np.random.default_rng(seed)
    # Points on a jittered grid: there is room for every label, if it is found.
    spots = [(80 + 130 * i, 40 + 45 * j) for i in range(3) for j in range(6)]
    chosen = rng.permutation(len(spots))[:n]
    points = [
        (spots[i][0] + rng.uniform(-9, 9), spots[i][1] + rng.uniform(-9, 9))
        for i in chosen
    ]
    sizes = [(float(rng.uniform(25, 70)), 14.0)] * n
    boxes = []
    for placed, (width, height) in zip(
        place_labels(points, sizes, (0, 0, 480, 330)), sizes, strict=True
    ):
        left = {"left": 0, "right": -width, "center": -width / 2}[
            placed.align
        ] + placed.x
        box = (left, placed.y - height / 2, left + width, placed.y + height / 2)
        assert box[0] >= 0
        assert box[1] >= 0
        assert box[2] <= 480
        assert box[3] <= 330
        boxes.append(box)
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert min(a[2], b[2]) <= max(a[0], b[0]) or min(a[3], b[3]) <= max(
                a[1], b[1]
            )


@pytest.mark.parametrize(
    "svg",
    [
        "<svg><script>alert(1)</script></svg>",
        '<svg onload="alert(1)"></svg>',
        '<svg><use href="http://evil.example/x"/></svg>',
        '<svg><path fill="url(http://evil.example)"/></svg>',
        '<svg><image href="#x"/></svg>',
        '<svg><g style="fill: red"/></svg>',
        '<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>',
        '<svg xmlns="http://www.w3.org/1999/xhtml"></svg>',
        "<svg><svg></svg></svg>",
        "<p>not a drawing</p>",
        "<svg>",
    ],
)
def test_foreign_drawings_are_refused(svg):
    assert not is_safe_svg(svg)
    report = make_report(Leaderboard("T", (board(n_systems=2),)))
    section = report.sections[0]
    blocks = tuple(
        replace(b, svg=svg) if b in report.figures else b for b in section.blocks
    )
    page = check_page(
        render(replace(report, sections=(replace(section, blocks=blocks),)), "html")
    )
    assert report.figures[0].alt in page.text


def test_drawing_in_threads_gives_the_same():
    one = Leaderboard("T", (board(),))
    plain = [f.svg for f in drawings(one)]
    found: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: found.append([f.svg for f in drawings(one)]))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [plain] * 3


# -- colours ----------------------------------------------------------------------


def schemes(css: str) -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    assert len(blocks) == 3
    names = ("light", "dark", "print")
    return {
        name: dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", block))
        for name, block in zip(names, blocks, strict=True)
    }


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def contrast(a: np.ndarray, b: np.ndarray) -> float:
    """Ratio of WCAG 2.1."""

    def luminance(colour: np.ndarray) -> float:
        linear = np.where(
            colour <= 0.03928, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ [0.2126, 0.7152, 0.0722])

    bright, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_has_contrast_in_every_scheme(rich_page, scheme):
    colours = {k: rgb(v) for k, v in schemes(rich_page.raw["style"])[scheme].items()}
    for ground in ("paper", "wash"):
        for ink in ("ink", "muted", "accent", "published", "warning", "error"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for share in np.linspace(0, DEEPEST, 12):
        shade = share * colours["accent"] + (1 - share) * colours["paper"]
        assert contrast(colours["ink"], shade) >= 4.5


def test_drawings_use_the_variables_of_the_page(rich_page):
    defined = schemes(rich_page.raw["style"])["light"]
    for colour in COLOURS.values():
        for name, fallback in re.findall(r"var\(--(\w+), (#\w+)\)", colour):
            assert defined[name] == fallback
