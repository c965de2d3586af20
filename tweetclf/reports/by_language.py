"""Scores by language, with averages over groups of languages, as tables of a report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

from tweetclf.exceptions import DataError
from tweetclf.reports.cells import missing, number, number_sources, reference_text
from tweetclf.reports.formatting import format_score
from tweetclf.reports.model import (
    Cell,
    Column,
    Paragraph,
    Row,
    Section,
    Spans,
    Table,
    spans,
)
from tweetclf.tasks.by_language import (
    TWHIN_RESOURCES,
    LanguageTable,
    fullest_rows,
    language_table,
    languages_in_order,
)
from tweetclf.tasks.published import PublishedResult, canonical_system

if TYPE_CHECKING:
    from tweetclf.leaderboard.boards import Leaderboard, TaskBoard

__all__ = [
    "ALL",
    "PublishedScores",
    "average_columns",
    "average_key",
    "language_section",
    "published_scores",
    "tables_of",
]

ALL = "all"
"""Column of the average over all languages."""

# More columns do not stand beside each other on a page.
_PER_TABLE = 8


@dataclass(frozen=True)
class PublishedScores:
    """Published scores on the languages of a report.

    Parameters
    ----------
    rows : tuple of Row of (str, mapping of str to Cell)
        Name of a system, and its cell of each column.
    notes : tuple of tuple of Span
        What one should know of them.
    """

    rows: tuple[tuple[str, Mapping[str, Cell]], ...]
    notes: tuple[Spans, ...]


def published_scores(
    results: Iterable[PublishedResult],
    dataset: str,
    languages: Sequence[str],
    *,
    groups: Mapping[str, Sequence[str]] = TWHIN_RESOURCES,
) -> PublishedScores | None:
    """Return published scores on some languages, and their averages over these.

    Parameters
    ----------
    results : iterable of PublishedResult
        Published rows.
    dataset : str
        As the rows name it.
    languages : sequence of str
        Those of the report.
    groups : mapping of str to sequence of str, default=TWHIN_RESOURCES
        Languages to average over.

    Returns
    -------
    PublishedScores or None
        None if nothing is published on any of these languages.
    """
    chosen = [
        row for row in fullest_rows(results, dataset) if row.language in languages
    ]
    if not chosen:
        return None
    own = {
        name: [one for one in group if one in languages]
        for name, group in groups.items()
    }
    try:
        table = language_table(chosen, dataset, groups=own)
    except DataError:
        # Rows of one's own contradict each other; the report is not worth less.
        return None
    said = {canonical_system(row.system, row.cite): row for row in chosen}
    sources = number_sources(row.source for row in said.values())
    rows = tuple(
        (system, _published_cells(table, system, languages, sources, said[system]))
        for system in table.scores
    )
    listed = "; ".join(f"{sign} {source}" for source, sign in sources.items())
    notes = [spans(f"Sources of published results: {listed}.")]
    remarks = dict.fromkeys(
        f"{row.system}, {row.language}: {row.note}" for row in chosen if row.note
    )
    notes += [spans(f"{remark}.") for remark in remarks]
    return PublishedScores(rows, tuple(notes))


def _published_cells(
    table: LanguageTable,
    system: str,
    languages: Sequence[str],
    sources: Mapping[str, str],
    row: PublishedResult,
) -> dict[str, Cell]:
    why = "not published for all of these languages"
    cells = {
        one: number(table.scores[system].get(one), format_score, "not published")
        for one in languages
    }
    for group in table.groups:
        cells[average_key(group)] = number(
            table.average(system, group), format_score, why
        )
    # Over the report's languages, of which the published table may not have all.
    complete = set(languages) <= set(table.scores[system])
    mean = table.average(system) if complete else None
    cells[average_key(ALL)] = number(mean, format_score, why)
    cells["system"] = Cell(system, system, mark=sources.get(row.source, ""))
    cells["reference"] = Cell(reference_text(row), reference_text(row))
    return cells


def average_key(group: str) -> str:
    """Return the key of the column of an average; no other column has such a one."""
    return f"mean-{group}"


def average_columns(groups: Mapping[str, Sequence[str]], n_all: int) -> list[Column]:
    """Return the columns of averages: all languages, then the groups.

    Parameters
    ----------
    groups : mapping of str to sequence of str
        Name -> languages of it.
    n_all : int
        How many languages there are.
    """
    header = f"All {n_all}" if n_all > 1 else "Score"
    columns = [
        Column(
            average_key(ALL), header, "right", "score", "descending",
            "mean over all languages",
        )
    ]  # fmt: skip
    if n_all > 1:
        columns += [
            Column(
                average_key(name), name.capitalize(), "right", "score", "descending",
                f"mean over {', '.join(languages)}",
            )
            for name, languages in groups.items()
        ]  # fmt: skip
    return columns


def tables_of(
    key: str,
    caption: str,
    languages: Sequence[str],
    rows: Sequence[tuple[str, Mapping[str, Cell]]],
    published: PublishedScores | None,
    notes: Sequence[Spans] = (),
) -> list[Table]:
    """Lay scores out by language, a few languages a table.

    Parameters
    ----------
    key, caption : str
        Name for programs and for people; tables after the first have a number behind.
    languages : sequence of str
        Columns, in order.
    rows : sequence of (str, mapping of str to Cell)
        Name of a system, and its cell of each language; what has none is a dash.
    published : PublishedScores or None
        Rows below those, marked as published.
    notes : sequence of tuple of Span, default=()
        What the signs of the last table mean.
    """
    tables = []
    quoted = () if published is None else published.rows
    for start in range(0, len(languages), _PER_TABLE):
        some = languages[start : start + _PER_TABLE]
        columns = (
            Column("system", "System"),
            *(Column(one, one, "right", "score", "descending") for one in some),
        )
        made = [
            Row(
                (
                    cells.get("system", Cell(name, name)),
                    *(cells.get(one, missing("not scored")) for one in some),
                ),
                kind,
            )
            for kind, group in (("system", rows), ("published", quoted))
            for name, cells in group
        ]
        last = start + _PER_TABLE >= len(languages)
        tables.append(
            Table(
                key if not start else f"{key}-{start // _PER_TABLE + 1}",
                f"{caption}: {', '.join(some)}",
                columns,
                tuple(made),
                tuple(notes) if last else (),
                header_column="system",
            )
        )
    return tables


def language_section(
    leaderboard: Leaderboard,
    dataset: str,
    published: Iterable[PublishedResult] = (),
    *,
    groups: Mapping[str, Sequence[str]] = TWHIN_RESOURCES,
) -> Section:
    """Put the boards of one task in several languages into one table.

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
    boards = {_language(board): board for board in leaderboard.boards if board.entries}
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
    quoted = published_scores(published, dataset, languages, groups=own)
    columns = {**own, ALL: languages}
    rows = _board_rows(scores, languages, columns)
    table = _average_table(rows, quoted, average_columns(own, len(languages)))
    said = spans(
        "Scores are medians over seeds, as TwHIN-BERT\N{RIGHT SINGLE QUOTATION MARK}s "
        "paper reports them; the tables of the tasks have means. Published scores are "
        f"of {dataset}: they compare if these are the same tweets and labels."
    )
    tables = tables_of("by-language", "By language", languages, rows, quoted)
    return Section("by-language", "By language", (Paragraph(said), table, *tables))


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
