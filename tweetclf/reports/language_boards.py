"""Boards of one task in several languages, as a section of a report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import TYPE_CHECKING

from tweetclf.reports.by_language import (
    ALL,
    PublishedScores,
    average_columns,
    average_key,
    published_scores,
    tables_of,
)
from tweetclf.reports.cells import missing, number
from tweetclf.reports.formatting import format_score
from tweetclf.reports.model import (
    Cell,
    Column,
    Paragraph,
    Row,
    Section,
    Table,
    spans,
)
from tweetclf.tasks.by_language import TWHIN_RESOURCES, languages_in_order
from tweetclf.tasks.published import PublishedResult

if TYPE_CHECKING:
    from tweetclf.leaderboard.boards import Leaderboard, TaskBoard

__all__ = ["language_section"]


def language_section(
    leaderboard: Leaderboard,
    dataset: str,
    published: Iterable[PublishedResult] = (),
    *,
    groups: Mapping[str, Sequence[str]] = TWHIN_RESOURCES,
) -> Section:
    """Put the boards of one task in several languages into one table.

    A language has one board: the first on a test split, else the first. Others are left
    out of the table, and named.

    Parameters
    ----------
    leaderboard : Leaderboard
        Its boards; the language of a task without one is its name.
    dataset : str
        The published dataset.
    published : iterable of PublishedResult, default=()
        Where its rows are looked for.
    groups : mapping of str to sequence of str, default=TWHIN_RESOURCES
        Languages to average over.
    """
    boards, remarks = _one_a_language(leaderboard.boards)
    own = {
        name: found
        for name, wanted in groups.items()
        if (found := [one for one in wanted if one in boards])
    }
    languages = list(languages_in_order(own, sorted(boards)))
    scores: dict[str, dict[str, float]] = {}
    for language in languages:
        for entry in boards[language].entries:
            value = median(entry.seed_scores)
            if math.isfinite(value):
                scores.setdefault(entry.system, {})[language] = value
    metrics = {language: board.facts.metric for language, board in boards.items()}
    quoted = published_scores(
        published, dataset, languages, groups=own, metrics=metrics
    )
    columns = {**own, ALL: languages}
    rows = _board_rows(scores, languages, columns)
    table = _average_table(rows, quoted, average_columns(own, len(languages)))
    said = spans(
        "Scores are medians over seeds, as TwHIN-BERT\N{RIGHT SINGLE QUOTATION MARK}s "
        "paper reports them; the tables of the tasks have means. Published scores are "
        f"of {dataset}: they compare if these are the same tweets and labels."
    )
    tables = tables_of("by-language", "By language", languages, rows, quoted)
    if len(set(metrics.values())) > 1:
        each = "; ".join(f"{one} by {metrics[one]}" for one in languages)
        remarks.append(f"Averages are over scores of several metrics: {each}.")
    told = [Paragraph(spans(remark)) for remark in remarks]
    return Section(
        "by-language", "By language", (Paragraph(said), *told, table, *tables)
    )


def _average_table(
    rows: Sequence[tuple[str, Mapping[str, Cell]]],
    published: PublishedScores | None,
    averages: Sequence[Column],
) -> Table:
    columns = (
        Column("system", "System"),
        *averages,
        Column("reference", "Reference", data_only=True),
    )
    quoted = () if published is None else published.rows
    made = [
        Row(
            tuple(
                cells.get(column.key, missing("not scored in all of them"))
                for column in columns[:-1]
            )
            + (cells.get("reference", Cell("", "")),),
            kind,
        )
        for kind, group in (("system", rows), ("published", quoted))
        for _, cells in group
    ]
    return Table(
        "by-language--averages",
        "Averages over languages, of medians over seeds",
        columns,
        tuple(made),
        () if published is None else published.notes,
        header_column="system",
    )


def _one_a_language(
    boards: Iterable[TaskBoard],
) -> tuple[dict[str, TaskBoard], list[str]]:
    """Return the board of each language, and what is to be said of any others."""
    found: dict[str, TaskBoard] = {}
    remarks = []
    scored = [board for board in boards if board.entries]
    for board in sorted(scored, key=lambda board: board.split != "test"):
        language = _language(board)
        first = found.setdefault(language, board)
        if first is not board:
            remarks.append(
                f"Not in this table: {_title(board)}. Scores on {language} are those "
                f"of {_title(first)}."
            )
    return found, remarks


def _title(board: TaskBoard) -> str:
    return f"{board.facts.name} ({board.split})"


def _language(board: TaskBoard) -> str:
    known = board.facts.language not in ("", "und")
    return board.facts.language if known else board.facts.name


def _board_rows(
    scores: Mapping[str, Mapping[str, float]],
    languages: Sequence[str],
    averages: Mapping[str, Sequence[str]],
) -> list[tuple[str, dict[str, Cell]]]:
    """Return the cells of systems, the best average first; the best are bold."""
    values: dict[str, dict[str, float]] = {}
    for system, own in scores.items():
        values[system] = dict(own)
        for name, wanted in averages.items():
            if all(one in own for one in wanted):
                values[system][average_key(name)] = fmean(own[one] for one in wanted)
    best = {
        column: max((v[column] for v in values.values() if column in v), default=0.0)
        for column in (*languages, *map(average_key, averages))
    }
    total = average_key(ALL)
    order = sorted(values, key=lambda name: -values[name].get(total, float("-inf")))
    return [
        (
            system,
            {
                "system": Cell(system, system),
                **{
                    column: number(value, format_score, "", bold=value == best[column])
                    for column, value in values[system].items()
                },
            },
        )
        for system in order
    ]
