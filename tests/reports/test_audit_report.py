"""The report of an audit, in every format and as text."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from tweetclf.leaderboard import find_label_noise
from tweetclf.reports import FORMATS, make_audit_report, read_json, render
from tweetclf.reports.model import Code, Heading, Report, Section
from tweetclf.reports.to_text import render_text
from tweetclf.tasks import (
    Split,
    Task,
    audit_contamination,
    audit_task,
    get_metric,
    load_task,
)

EVIL = "\x1b[31m<script>alert(1)</script>\u202e $x_1$ \r\n\n" + "muy largo " * 30


@pytest.fixture(scope="module")
def audit():
    rows = {
        "train": [("hola mundo", "N"), (EVIL, "P"), (EVIL, "N"), (" ", "P")],
        "test": [("hola mundo", "P"), (EVIL, "P"), ("n\u00e4chste &amp; Zeile", "N")],
    }
    parts = {
        name: Split(
            name,
            tuple(t for t, _ in found),
            np.array([y for _, y in found]),
            tuple(f"{name}{i}" for i in range(len(found))),
            clusters=tuple(f"t{i}" for i in range(len(found))),
        )
        for name, found in rows.items()
    }
    metric = get_metric("macro_f1", labels=("N", "P"))
    task = Task(
        "evil\x07 task", "1", "und", "binary", "binary", ("N", "P"), metric, parts
    )
    found = audit_contamination(audit_task(task), task, [EVIL], name="c<b>")
    noise = find_label_noise(load_task("sample-humor"))
    return replace(found, label_noise=noise)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_it(audit, format):
    text = render(make_audit_report(audit), format)
    assert "\x1b" not in text
    assert "\u202e" not in text or format == "json"
    assert "<script>alert" not in text or format in {"json", "csv"}


def test_the_model_is_read_back(audit):
    report = make_audit_report(audit)
    assert read_json(render(report, "json")) == report


def test_counts_are_those_of_the_audit(audit):
    report = make_audit_report(audit)
    (counts,) = (t for t in report.tables if t.key == "repeats")
    rows = [[cell.value for cell in row.cells] for row in counts.rows]
    assert ["test", "train", "verbatim", 2, 3, 2] in rows
    assert ["train", "itself", "verbatim", 1, 4, 1] in rows
    assert len({t.key for t in report.tables}) == len(report.tables)


def test_text_has_no_controls_and_short_lines(audit):
    text = render_text(make_audit_report(audit))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert "2 of 3 texts of test (66.7 %) stand verbatim in train" in text
    assert "2 of them have another label there" in text
    assert "HTML entity" in text
    assert "Label-noise candidates" in text
    assert max(map(len, text.splitlines())) < 300
    assert text.endswith("\n")


def test_an_example_shows_the_fault():
    text = "palabra " * 30 + "x &amp; y"
    train = Split("train", (text, "otra"), np.array(["N", "P"]), ("a", "b"))
    metric = get_metric("macro_f1", labels=("N", "P"))
    names = ("N", "P")
    task = Task("t", "1", "und", "binary", "binary", names, metric, {"train": train})
    said = render_text(make_audit_report(audit_task(task)))
    assert "\u2026labra palabra palabra x &amp; y\n" in said


def test_a_clean_task_is_said_to_be_clean():
    text = render_text(make_audit_report(audit_task(load_task("sample-humor"))))
    assert "No text stands verbatim in two splits." in text
    assert text.count("None were found.") >= 2


def test_text_of_other_blocks():
    section = Section("s", "S", (Heading("h"), Code("a\nb\x1b")))
    text = render_text(Report("T", "sub", (), (section,)))
    assert text == "T\n=\nsub\n\nS\n-\n\nh\n\na\nb\u27e8U+001B\u27e9\n"
