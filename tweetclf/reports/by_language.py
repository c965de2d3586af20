"""Scores by language, with averages over groups of languages, as tables of a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tweetclf.exceptions import DataError
from tweetclf.reports.cells import missing, number, number_sources, reference_text
from tweetclf.reports.formatting import format_score
from tweetclf.reports.model import Cell, Column, Row, Spans, Table, spans
from tweetclf.tasks.by_language import (
    TWHIN_RESOURCES,
    LanguageTable,
    fullest_rows,
    language_table,
)
from tweetclf.tasks.published import PublishedResult, canonical_system

__all__ = ["ALL", "PublishedScores", "average_columns", "published_scores", "tables_of"]

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
        cells[group] = number(table.average(system, group), format_score, why)
    # Over the report's languages, of which the published table may not have all.
    complete = set(languages) <= set(table.scores[system])
    mean = table.average(system) if complete else None
    cells[ALL] = number(mean, format_score, why)
    cells["system"] = Cell(system, system, mark=sources.get(row.source, ""))
    cells["reference"] = Cell(reference_text(row), reference_text(row))
    return cells


def average_columns(groups: Mapping[str, Sequence[str]], n_all: int) -> list[Column]:
    """Return the columns of averages: all languages, then the groups.

    Parameters
    ----------
    groups : mapping of str to sequence of str
        Name -> languages of it.
    n_all : int
        How many languages there are.
    """
    columns = [
        Column(
            ALL, f"All {n_all}" if n_all > 1 else "Score", "right", "score",
            "descending", "mean over all languages",
        )
    ]  # fmt: skip
    if n_all > 1:
        columns += [
            Column(
                name, name.capitalize(), "right", "score", "descending",
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
