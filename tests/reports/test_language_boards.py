"""Boards by language made by hand: what may stand beside what, and what is said."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median

import pytest
from report_boards import IRONY, MACRO, board, facts

from tweetclf.leaderboard.boards import Leaderboard, TaskBoard
from tweetclf.reports.by_language import PublishedScores, published_scores
from tweetclf.reports.language_boards import language_section
from tweetclf.reports.model import Paragraph, Section, Table
from tweetclf.tasks.published import PublishedResult

DATA = "hashtags"
GROUPS = {"high": ("en", "ja", "es"), "low": ("no", "te")}


def published(
    system: str, language: str, score: float, signature: str = MACRO, table: str = "T1"
) -> PublishedResult:
    return PublishedResult(
        system, "", signature, "test", score, "A paper, T1", cite="paper", table=table,
        dataset=DATA, language=language, metric=signature.split("|")[0],
    )  # fmt: skip


def of(language: str, name: str = "", metric: str = MACRO, **how: object) -> TaskBoard:
    task = facts(name or f"sets/{language}", language=language, metric=metric)
    return board(task, n_systems=2, **how)  # type: ignore[arg-type]


def section(
    boards: Sequence[TaskBoard], rows: Sequence[PublishedResult] = ()
) -> Section:
    return language_section(Leaderboard("t", tuple(boards)), DATA, rows, groups=GROUPS)


def tables(made: Section) -> dict[str, Table]:
    return {block.key: block for block in made.blocks if isinstance(block, Table)}


def paragraphs(made: Section) -> list[str]:
    return ["".join(span.text for span in block.spans)
            for block in made.blocks if isinstance(block, Paragraph)]  # fmt: skip


def texts(found: PublishedScores) -> list[str]:
    return ["".join(span.text for span in note) for note in found.notes]


# Published rows ------------------------------------------------------------------


def test_published_averages_are_over_the_languages_of_the_column() -> None:
    rows = [published("A", "en", 0.5), published("A", "es", 0.7),
            published("B", "en", 0.4), published("A", "no", 0.3)]  # fmt: skip
    found = published_scores(rows, DATA, ["en", "es", "no"], groups=GROUPS)
    assert found is not None
    cells = dict(found.rows)
    # "ja" and "te" are not in the report, and our averages are without them, too.
    assert cells["A"]["mean-high"].value == pytest.approx(fmean([0.5, 0.7]))
    assert cells["A"]["mean-low"].value == 0.3
    assert cells["A"]["mean-all"].value == pytest.approx(0.5)
    assert cells["B"]["mean-high"].value is None
    # No system at all has "ja": there is no mean of "high" over fewer than ours.
    found = published_scores(rows, DATA, ["en", "ja", "es", "no"], groups=GROUPS)
    assert found is not None
    for _, own in found.rows:
        assert own["mean-high"].value is None
        assert own["mean-all"].value is None
    assert dict(found.rows)["A"]["mean-low"].value == 0.3


def test_rows_that_contradict_each_other_are_left_out_with_a_note() -> None:
    rows = [published("A", "en", 0.5), published("A", "en", 0.6)]
    found = published_scores(rows, DATA, ["en"], groups=GROUPS)
    assert found is not None
    assert found.rows == ()
    (note,) = texts(found)
    assert note.startswith("Published results are left out.")
    assert "A has two scores for en: 0.5 and 0.6" in note
    averages = tables(section([of("en")], rows))["by-language--averages"]
    assert {row.kind for row in averages.rows} == {"system"}
    assert "two scores" in averages.notes[0][0].text


def test_rows_of_another_metric_are_left_out_with_a_note() -> None:
    rows = [published("A", "en", 0.5), published("B", "en", 0.9, IRONY),
            published("C", "en", 0.8, "")]  # fmt: skip
    averages = tables(section([of("en")], rows))["by-language--averages"]
    names = [r.cells[0].value for r in averages.rows if r.kind == "published"]
    assert names == ["A"]
    notes = ["".join(span.text for span in note) for note in averages.notes]
    assert "Sources of published results" in notes[0]
    assert notes[1] == (
        "Published by another metric than ours, and left out: f1 of B; a metric that "
        "is not stated of C."
    )
    only = tables(section([of("en")], rows[1:]))["by-language--averages"]
    assert {row.kind for row in only.rows} == {"system"}
    assert len(only.notes) == 1
    # Who asks for no metric has them all, where they are of one.
    found = published_scores(rows[1:2], DATA, ["en"])
    assert found is not None
    assert [name for name, _ in found.rows] == ["B"]


# Our boards ----------------------------------------------------------------------


def test_a_language_has_one_board_and_the_others_are_named() -> None:
    first, second = of("en", best=0.6), of("en", "more/en", best=0.7)
    folds = of("es", best=0.5, split="cv")
    test = of("es", best=0.4)
    made = section([folds, first, second, test])
    said = paragraphs(made)[1:]
    assert said == [
        "Not in this table: more/en (test). Scores on en are those of sets/en (test).",
        "Not in this table: sets/es (cv). Scores on es are those of sets/es (test).",
    ]
    table = tables(made)["by-language"]
    for language, chosen in (("en", first), ("es", test)):
        best = median(chosen.entries[0].seed_scores)
        assert table.column(language)[0].value == pytest.approx(best)
    assert len(paragraphs(section([first, test]))) == 1


def test_averages_over_several_metrics_are_said_to_be() -> None:
    made = section([of("en"), of("es", metric=IRONY)])
    assert paragraphs(made)[1] == (
        f"Averages are over scores of several metrics: en by {MACRO}; es by {IRONY}."
    )
