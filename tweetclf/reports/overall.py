"""The table over all tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tweetclf.leaderboard.ranking import Leaderboard, Overall, TaskBoard
from tweetclf.reports.cells import (
    comparable,
    missing,
    number,
    number_sources,
    sources_note,
    text_cell,
    track,
    track_domain,
)
from tweetclf.reports.formatting import (
    DASH,
    finite,
    format_interval,
    format_score,
    plural,
    unique_slugs,
)
from tweetclf.reports.model import Cell, Column, Row, Spans, Table, spans, strong
from tweetclf.reports.wording import join_names, metric_words
from tweetclf.tasks.published import PublishedResult

__all__ = [
    "overall_rows",
    "overall_table",
    "overall_verdict",
    "published_means",
    "ranked_boards",
    "scored_boards",
    "why_none",
]


def ranked_boards(leaderboard: Leaderboard, split: str) -> list[TaskBoard]:
    """Return the boards that the table over tasks of an evaluation is about."""
    return [b for b in leaderboard.boards if b.entries and b.split == split]


def overall_rows(leaderboard: Leaderboard, split: str) -> list[Overall]:
    """Return the systems that finished every task of an evaluation."""
    return [row for row in leaderboard.overall if row.split == split]


def scored_boards(
    leaderboard: Leaderboard, split: str
) -> tuple[list[TaskBoard], list[TaskBoard]]:
    """Return the boards that rank the systems over tasks, and those that cannot.

    A task on which the score of one of the systems is not defined ranks none of them.
    """
    rows = overall_rows(leaderboard, split)
    used: list[TaskBoard] = []
    left: list[TaskBoard] = []
    for board in ranked_boards(leaderboard, split):
        scores = [finite(row.scores.get(board.facts.name)) for row in rows]
        (left if None in scores else used).append(board)
    return used, left


def why_none(leaderboard: Leaderboard, split: str) -> str | None:
    """Say why there is no table over the tasks of an evaluation, if one is missed."""
    boards = ranked_boards(leaderboard, split)
    names = [board.facts.name for board in boards]
    if len(boards) < 2 or overall_rows(leaderboard, split):
        return None
    if len(set(names)) < len(names):
        return (
            "A task stands here in several versions of its data, so there is no table "
            "over tasks."
        )
    how = "on test" if split == "test" else "by cross-validation"
    return (
        f"No system finished all {len(names)} tasks that were scored {how} in one and "
        "the same variant, so there is no mean."
    )


def published_means(
    boards: Sequence[TaskBoard],
) -> list[tuple[str, str, dict[str, float]]]:
    """Return published systems with a comparable score on every task.

    Returns
    -------
    list of (system, source, {task: score})
        The best mean first.
    """
    found: dict[str, dict[str, PublishedResult]] = {}
    for board in boards:
        for result in board.published:
            if comparable(board, result):
                found.setdefault(result.system, {}).setdefault(board.facts.name, result)
    means = [
        (
            system,
            "; ".join(dict.fromkeys(str(r.source) for r in results.values())),
            {task: float(r.score) for task, r in results.items()},
        )
        for system, results in found.items()
        if len(results) == len(boards)
    ]
    return sorted(means, key=lambda item: (-sum(item[2].values()), item[0]))


def _best_by_task(
    rows: Sequence[Overall], boards: Sequence[TaskBoard]
) -> dict[str, float]:
    best = {}
    for board in boards:
        known = [
            s for r in rows if (s := finite(r.scores[board.facts.name])) is not None
        ]
        if known:
            pick = max if board.facts.greater_is_better else min
            best[board.facts.name] = pick(known)
    return best


def overall_table(leaderboard: Leaderboard, split: str) -> Table | None:
    """Return systems by mean rank, with their score on every task."""
    rows, boards = overall_rows(leaderboard, split), ranked_boards(leaderboard, split)
    names = [board.facts.name for board in boards]
    # One task on two splits, or in two versions, has no column of its own.
    if not rows or len(set(names)) < len(names):
        return None
    comparable_mean = finite(rows[0].mean_score) is not None
    quoted = published_means(boards) if comparable_mean else []
    sources = number_sources(source for _, source, _ in quoted)
    columns = _columns(boards, comparable_mean)
    lead = max(rows, key=lambda r: finite(r.mean_score) or float("-inf"))
    domain = track_domain(lead.low, lead.mean_score, lead.high)
    table_rows = _own_rows(rows, boards, domain if comparable_mean else None)
    table_rows += [
        _published_row(
            system, source, [scores[task] for task in names], domain, sources
        )
        for system, source, scores in quoted
    ]
    if not quoted:
        columns = columns[:-1]
        table_rows = [Row(row.cells[:-1], row.kind) for row in table_rows]
    how = "" if split == "test" else ", cross-validation"
    return Table(
        "overall" if split == "test" else f"overall-{split}",
        f"Systems over {plural(len(boards), 'task')}, by mean rank{how}",
        tuple(columns),
        tuple(table_rows),
        _notes(rows, boards, comparable_mean, sources if quoted else None),
        header_column="system",
    )


def _own_rows(
    rows: Sequence[Overall],
    boards: Sequence[TaskBoard],
    domain: tuple[float, float] | None,
) -> list[Row]:
    """Return the rows of the systems run here, the best of each column bold."""
    best = _best_by_task(rows, boards)
    top_rank = min(row.mean_rank for row in rows)
    means = [v for row in rows if (v := finite(row.mean_score)) is not None]
    found = []
    for row in rows:
        first = row.mean_rank == top_rank
        cells = [
            Cell(row.system, row.system, first),
            Cell(row.mean_rank, f"{row.mean_rank:.2f}", first),
        ]
        if finite(rows[0].mean_score) is not None:
            cells += _mean_cells(row, row.mean_score == max(means), domain)
        cells += [
            number(
                row.scores[board.facts.name],
                format_score,
                "the metric is not defined for these predictions",
                bold=row.scores[board.facts.name] == best.get(board.facts.name),
            )
            for board in boards
        ]
        found.append(Row((*cells, text_cell(""))))
    return found


def _mean_cells(
    row: Overall, best: bool, domain: tuple[float, float] | None
) -> list[Cell]:
    return [
        number(row.mean_score, format_score, "not defined", bold=best),
        Cell(
            None,
            format_interval(row.low, row.high),
            track=track(row.low, row.mean_score, row.high, domain),
        ),
        number(row.low, format_score, "not defined"),
        number(row.high, format_score, "not defined"),
    ]


def _published_row(
    system: str,
    source: str,
    scores: Sequence[float],
    domain: tuple[float, float] | None,
    sources: Mapping[str, str],
) -> Row:
    mean = sum(scores) / len(scores)
    cells = (
        Cell(system, system, mark=sources.get(source, "")),
        missing("published results are not ranked"),
        Cell(mean, format_score(mean)),
        Cell(
            None,
            DASH,
            muted=True,
            tooltip="not published",
            track=track(None, mean, None, domain),
        ),
        missing("not published"),
        missing("not published"),
        *(Cell(score, format_score(score)) for score in scores),
        text_cell(source),
    )
    return Row(cells, "published")


def _columns(boards: Sequence[TaskBoard], comparable_mean: bool) -> list[Column]:
    up = "\N{UPWARDS ARROW}"
    columns = [
        Column("system", "System"),
        Column(
            "mean_rank",
            "Mean rank",
            "right",
            "rank",
            "ascending",
            "mean of the ranks on each task, 1 is best",
        ),
    ]
    if comparable_mean:
        columns += [
            Column(
                "mean_score", f"Mean score\u00a0{up}", "right", "score", "descending"
            ),
            Column("interval", "95 % interval", "center"),
            Column("low", "Interval low", "right", "score", data_only=True),
            Column("high", "Interval high", "right", "score", data_only=True),
        ]
    keys = unique_slugs([board.facts.name for board in boards])
    for key, board in zip(keys, boards, strict=True):
        words = metric_words(board.facts.metric, board.facts.greater_is_better)
        better = "descending" if words.greater_is_better else "ascending"
        columns.append(
            Column(
                f"task-{key}",
                f"{board.facts.name}\u00a0{words.arrow}",
                "right",
                "score",
                better,  # type: ignore[arg-type]
                f"{words.short}; {words.direction}",
            )
        )
    columns.append(Column("reference", "Reference", data_only=True))
    return columns


def _notes(
    rows: Sequence[Overall],
    boards: Sequence[TaskBoard],
    comparable_mean: bool,
    sources: Mapping[str, str] | None,
) -> tuple[Spans, ...]:
    everyone = {e.system for board in boards for e in board.entries}
    partial = sorted(everyone - {row.system for row in rows})
    notes = []
    if comparable_mean:
        notes.append(
            spans(
                "The mean score is the plain mean of the tasks\u2019 official metrics; "
                "its interval resamples the tweets of every task and holds the seeds "
                "fixed. Bold is the best of "
                "the column among the systems run here."
            )
        )
    else:
        notes.append(
            spans(
                "The tasks\u2019 metrics point in different directions, so there is no "
                "mean score; bold is the best of the column."
            )
        )
    if partial:
        notes.append(
            spans(
                "Left out, because they did not finish every task: ",
                join_names(partial, most=8),
                ".",
            )
        )
    if sources is not None:
        notes.append(
            spans(
                "Rows marked \u201cpublished\u201d hold the published scores of the "
                "same tasks, splits and metrics; their means are computed here, and "
                "they are not ranked."
            )
        )
    if sources:
        notes.append(sources_note(sources))
    return tuple(notes)


def overall_verdict(leaderboard: Leaderboard, split: str) -> Spans:
    """Say in a sentence who leads over all tasks."""
    rows = overall_rows(leaderboard, split)
    over = f"over {plural(len(ranked_boards(leaderboard, split)), 'task')}"
    if split == "cv":
        over += " by cross-validation"
    top = [row for row in rows if row.mean_rank == rows[0].mean_rank]
    rank = f"mean rank {rows[0].mean_rank:.2f}"
    if len(top) > 1:
        head = spans(
            join_names([row.system for row in top]),
            f" share the best {rank} {over}.",
        )
    else:
        head = spans(strong(top[0].system), f" has the best {rank} {over}")
        if finite(top[0].mean_score) is not None:
            interval = format_interval(top[0].low, top[0].high)
            head = spans(
                head,
                f", with a mean score of {format_score(top[0].mean_score)} "
                f"(95 % interval {interval}).",
            )
        else:
            head = spans(head, ".")
    if any(finite(row.mean_score) is None for row in rows):
        return head
    by_mean = max(rows, key=lambda row: row.mean_score)
    if by_mean.mean_score > top[0].mean_score and by_mean not in top:
        head = spans(
            head,
            " The best mean score is that of ",
            strong(by_mean.system),
            f", {format_score(by_mean.mean_score)}.",
        )
    return head
