"""Scores by language, with averages over groups of languages, as tables of a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tweetclf.exceptions import DataError
from tweetclf.reports.cells import missing, number, number_sources, reference_text
from tweetclf.reports.formatting import format_score
from tweetclf.reports.model import (
    Cell,
    Column,
    Row,
    Spans,
    Table,
    spans,
)
from tweetclf.tasks.by_language import (
    TWHIN_RESOURCES,
    fullest_rows,
    language_table,
)
from tweetclf.tasks.published import PublishedResult, canonical_system

__all__ = [
    "ALL",
    "PublishedScores",
    "average_columns",
    "average_key",
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
    metrics: Mapping[str, str] | None = None,
) -> PublishedScores | None:
    """Return published scores on some languages, and their averages over these.

    An average is over just the languages that the report averages over: a system of
    which one is not published has none.

    Parameters
    ----------
    results : iterable of PublishedResult
        Published rows.
    dataset : str
        As the rows name it.
    languages : sequence of str
        Those of the report.
    groups : mapping of str to sequence of str, default=TWHIN_RESOURCES
        Languages to average over; those that the report has not are left out.
    metrics : mapping of str to str, optional
        Signature of the report's metric for each language. Rows of another one are
        left out, with a note; by default none is.

    Returns
    -------
    PublishedScores or None
        None if nothing is published on any of these languages. No rows but a note, if
        rows contradict each other or none is of the metric.
    """
    rows, others = _of_metrics(results, dataset, metrics or {})
    notes = [] if not others else [_other_metrics(others)]
    chosen = [row for row in fullest_rows(rows, dataset) if row.language in languages]
    if not chosen:
        return PublishedScores((), tuple(notes)) if notes else None
    own = {
        name: [one for one in group if one in languages]
        for name, group in groups.items()
    }
    try:
        table = language_table(chosen, dataset)
    except DataError as error:
        # Rows of one's own contradict each other; the report is not worth less.
        notes.append(spans(f"Published results are left out. {error}"))
        return PublishedScores((), tuple(notes))
    said = {canonical_system(row.system, row.cite): row for row in chosen}
    sources = number_sources(row.source for row in said.values())
    averages = {**own, ALL: languages}
    cells = tuple(
        (
            system,
            {
                **_published_cells(table.scores[system], languages, averages),
                **_names(system, said[system], sources),
            },
        )
        for system in table.scores
    )
    listed = "; ".join(f"{sign} {source}" for source, sign in sources.items())
    notes.insert(0, spans(f"Sources of published results: {listed}."))
    remarks = dict.fromkeys(
        f"{row.system}, {row.language}: {row.note}" for row in chosen if row.note
    )
    notes += [spans(f"{remark}.") for remark in remarks]
    return PublishedScores(cells, tuple(notes))


def _of_metrics(
    results: Iterable[PublishedResult], dataset: str, metrics: Mapping[str, str]
) -> tuple[list[PublishedResult], list[PublishedResult]]:
    """Return the rows of a dataset that may stand in the report, and the others."""
    kept: list[PublishedResult] = []
    others: list[PublishedResult] = []
    for row in results:
        if row.dataset == dataset:
            wanted = metrics.get(row.language, row.signature)
            (kept if row.signature == wanted else others).append(row)
    return kept, others


def _other_metrics(rows: Sequence[PublishedResult]) -> Spans:
    systems: dict[str, dict[str, None]] = {}
    for row in rows:
        named = systems.setdefault(row.metric or "a metric that is not stated", {})
        named[canonical_system(row.system, row.cite)] = None
    said = "; ".join(f"{metric} of {', '.join(own)}" for metric, own in systems.items())
    return spans(f"Published by another metric than ours, and left out: {said}.")


def _published_cells(
    scores: Mapping[str, float],
    languages: Sequence[str],
    averages: Mapping[str, Sequence[str]],
) -> dict[str, Cell]:
    """Return the cells of a system's scores and of their averages."""
    cells = {
        one: number(scores.get(one), format_score, "not published") for one in languages
    }
    for name, wanted in averages.items():
        complete = wanted and set(wanted) <= set(scores)
        mean = fmean(scores[one] for one in wanted) if complete else None
        cells[average_key(name)] = number(
            mean, format_score, "not published for all of these languages"
        )
    return cells


def _names(
    system: str, row: PublishedResult, sources: Mapping[str, str]
) -> dict[str, Cell]:
    """Return the cells that say what was published, and where."""
    reference = reference_text(row)
    return {
        "system": Cell(system, system, mark=sources.get(row.source, "")),
        "reference": Cell(reference, reference),
    }


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
