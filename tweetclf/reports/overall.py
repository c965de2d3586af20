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

__all__ = ["overall_table", "overall_verdict", "published_means", "ranked_boards"]


def ranked_boards(leaderboard: Leaderboard) -> list[TaskBoard]:
    """Return the boards that the table over tasks is about."""
    return [board for board in leaderboard.boards if board.entries]


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


def overall_table(leaderboard: Leaderboard) -> Table | None:
    """Return systems by mean rank, with their score on every task."""
    rows, boards = leaderboard.overall, ranked_boards(leaderboard)
    names = [board.facts.name for board in boards]
    # One task on two splits, or in two versions, has no column of its own.
    if not rows or len(set(names)) < len(names):
        return None
    comparable_mean = finite(rows[0].mean_score) is not None
    quoted = published_means(boards) if comparable_mean else []
    sources = number_sources(source for _, source, _ in quoted)
    columns = _columns(boards, comparable_mean)
    best = _best_by_task(rows, boards)
    top_rank = min(row.mean_rank for row in rows)
    lead = max(rows, key=lambda r: finite(r.mean_score) or float("-inf"))
    top_mean = lead.mean_score
    domain = track_domain(lead.low, lead.mean_score, lead.high)
    table_rows: list[Row] = []
    for row in rows:
        cells = [
            Cell(row.system, row.system, row.mean_rank == top_rank),
            Cell(row.mean_rank, f"{row.mean_rank:.2f}", row.mean_rank == top_rank),
        ]
        if comparable_mean:
            cells += [
                number(
                    row.mean_score,
                    format_score,
                    "not defined",
                    bold=row.mean_score == top_mean,
                ),
                Cell(
                    None,
                    format_interval(row.low, row.high),
                    track=track(row.low, row.mean_score, row.high, domain),
                ),
                number(row.low, format_score, "not defined"),
                number(row.high, format_score, "not defined"),
            ]
        cells += [
            number(
                row.scores[task],
                format_score,
                "the metric is not defined for these predictions",
                bold=row.scores[task] == best.get(task),
            )
            for task in names
        ]
        cells.append(text_cell(""))
        table_rows.append(Row(tuple(cells)))
    for system, source, scores in quoted:
        mean = sum(scores.values()) / len(scores)
        cells = [
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
            *(Cell(scores[task], format_score(scores[task])) for task in names),
            text_cell(source),
        ]
        table_rows.append(Row(tuple(cells), "published"))
    if not quoted:
        columns = columns[:-1]
        table_rows = [Row(row.cells[:-1], row.kind) for row in table_rows]
    return Table(
        "overall",
        f"Systems over {plural(len(boards), 'task')}, by mean rank",
        tuple(columns),
        tuple(table_rows),
        _notes(leaderboard, boards, comparable_mean, sources if quoted else None),
        header_column="system",
    )


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
    leaderboard: Leaderboard,
    boards: Sequence[TaskBoard],
    comparable_mean: bool,
    sources: Mapping[str, str] | None,
) -> tuple[Spans, ...]:
    everyone = {e.system for board in boards for e in board.entries}
    partial = sorted(everyone - {row.system for row in leaderboard.overall})
    notes = []
    if comparable_mean:
        notes.append(
            spans(
                "The mean score is the plain mean of the tasks\u2019 official metrics; "
                "its interval resamples the tweets of every task. Bold is the best of "
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


def overall_verdict(leaderboard: Leaderboard) -> Spans:
    """Say in a sentence who leads over all tasks."""
    rows = leaderboard.overall
    n = len(ranked_boards(leaderboard))
    top = [row for row in rows if row.mean_rank == rows[0].mean_rank]
    rank = f"mean rank {rows[0].mean_rank:.2f}"
    if len(top) > 1:
        head = spans(
            join_names([row.system for row in top]),
            f" share the best {rank} over {plural(n, 'task')}.",
        )
    else:
        head = spans(
            strong(top[0].system), f" has the best {rank} over {plural(n, 'task')}"
        )
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
