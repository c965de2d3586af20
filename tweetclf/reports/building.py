"""From a leaderboard to a report."""

from __future__ import annotations

from collections.abc import Iterable

from tweetclf.leaderboard.ranking import Entry, Leaderboard, TaskBoard
from tweetclf.reports.confusion import confusion_figure
from tweetclf.reports.contrasted import contrast_blocks
from tweetclf.reports.cost import cost_figure
from tweetclf.reports.forests import forest_figure
from tweetclf.reports.formatting import plural, unique_slugs
from tweetclf.reports.intervals import interval_figure, overall_figure
from tweetclf.reports.language_boards import language_section
from tweetclf.reports.model import (
    Block,
    Figure,
    Heading,
    Paragraph,
    Report,
    Section,
    Span,
    Spans,
    code,
    spans,
)
from tweetclf.reports.overall import overall_table, overall_verdict, why_none
from tweetclf.reports.provenance import (
    protocol_sentence,
    provenance_section,
    sizes_sentence,
)
from tweetclf.reports.ranked import ranked_table
from tweetclf.reports.ranks import rank_blocks
from tweetclf.reports.reliability import reliability_figure
from tweetclf.reports.remarks import (
    all_records,
    failure_note,
    reference_note,
    scorings_note,
    skipped_note,
    warning_note,
)
from tweetclf.reports.runs import published_apart, run_table
from tweetclf.reports.sharing import sharing_blocks
from tweetclf.reports.wording import metric_words, published_sentence, verdict
from tweetclf.tasks.published import PublishedResult

__all__ = ["make_report"]


def _task_titles(leaderboard: Leaderboard) -> list[str]:
    """Name each board; tell those of one task apart by split and data."""
    names = [board.facts.name for board in leaderboard.boards]
    titles = []
    for board in leaderboard.boards:
        title = board.facts.name
        if names.count(title) > 1:
            how = "test" if board.split == "test" else "cross-validation"
            title += f" ({how}, version {board.facts.version})"
        titles.append(title)
    return titles


def _task_facts(board: TaskBoard) -> Spans:
    facts = board.facts
    kind = {
        "multiclass": "multi-class",
        "multilabel": "multi-label",
        "pair": "text pairs",
    }.get(facts.kind, facts.kind)
    if len(facts.label_names) > 2:
        kind += f", {len(facts.label_names)} labels"
    parts: list[str | Span] = [
        f"Version {facts.version}; language ",
        code(facts.language),
        f"; {kind}; ",
    ]
    sizes = sizes_sentence(board)
    parts.append(f"tweets: {sizes}. " if sizes else "")
    parts += protocol_sentence(board)
    if board.n_test_scorings is not None:
        parts.append(
            " Runs that score the test split were started "
            f"{plural(board.n_test_scorings, 'time')} in this store."
        )
    return spans(*parts)


def _task_section(
    board: TaskBoard, key: str, title: str, n_resamples: int, figures: bool
) -> Section:
    words = metric_words(board.facts.metric, board.facts.greater_is_better)
    blocks: list[Block | None] = [
        Paragraph(
            spans(verdict(board, words, n_resamples), published_sentence(board, words)),
            lead=True,
        ),
        Paragraph(_task_facts(board)),
        ranked_table(board, words, n_resamples, f"{key}--ranking"),
        failure_note(board),
        reference_note(board, n_resamples),
        scorings_note(board),
        warning_note(board),
        *sharing_blocks(board, words, key),
        *contrast_blocks(board, words, f"{key}--differences"),
    ]
    if figures:
        drawn: list[Figure | None] = [
            interval_figure(board, words, n_resamples, f"{key}--intervals"),
            forest_figure(
                [contrast.comparison for contrast in board.contrasts],
                words,
                board.facts.name,
                f"{key}--forest",
            ),
            cost_figure(board, words, n_resamples, f"{key}--cost"),
            confusion_figure(board, f"{key}--confusion"),
            reliability_figure(board, f"{key}--reliability"),
        ]
        blocks += drawn
    blocks += [
        published_apart(board, f"{key}--published"),
        run_table(board, f"{key}--runs"),
    ]
    return Section(key, title, tuple(block for block in blocks if block is not None))


def _summary(
    leaderboard: Leaderboard, titles: list[str], figures: bool
) -> Section | None:
    """Return what is said over all tasks; None with a single task."""
    if len(leaderboard.boards) < 2:
        return None
    blocks: list[Block] = []
    for split in ("test", "cv"):
        table = overall_table(leaderboard, split)
        why = why_none(leaderboard, split)
        if table is not None:
            said = overall_verdict(leaderboard, split)
            blocks += [Paragraph(said, lead=True), table]
            key = "summary--intervals" if split == "test" else f"summary--{split}"
            figure = overall_figure(leaderboard, split, key) if figures else None
            blocks += [figure] if figure is not None else []
            blocks += rank_blocks(leaderboard, split, figures=figures)
        elif why is not None:
            blocks.append(Paragraph(spans(why)))
    blocks.append(Heading("Task by task"))
    for board, title in zip(leaderboard.boards, titles, strict=True):
        words = metric_words(board.facts.metric, board.facts.greater_is_better)
        said = verdict(board, words, leaderboard.n_resamples)
        blocks.append(Paragraph(spans(code(title), " \N{EM DASH} ", said)))
    return Section("summary", "Over all tasks", tuple(blocks))


def _meta(leaderboard: Leaderboard) -> tuple[tuple[str, str], ...]:
    records = all_records(leaderboard.boards)
    meta = []
    dates = sorted(record.created for record in records if record.created)
    if dates:
        # Of the runs, not of the writing: the same runs make the same report.
        meta.append(("Last run", dates[-1][:16].replace("T", " ") + " UTC"))
    versions = dict.fromkeys(record.spec.version for record in records)
    if versions:
        meta.append(("tweetclf", ", ".join(versions)))
    seeds = sorted({record.spec.seed for record in records})
    if seeds:
        meta.append(("Seeds", ", ".join(map(str, seeds))))
    return tuple(meta)


def _base_name(entry: Entry) -> str:
    return entry.records[0].spec.system if entry.records else entry.system


def make_report(
    leaderboard: Leaderboard,
    *,
    title: str | None = None,
    command: str | None = None,
    figures: bool = True,
    by_language: str = "",
    published: Iterable[PublishedResult] = (),
) -> Report:
    """Say what a leaderboard shows, in tables, sentences and figures.

    Parameters
    ----------
    leaderboard : Leaderboard
        Ranked systems, as :func:`tweetclf.leaderboard.build_leaderboard` returns
        them.
    title : str, optional
        Title; by default that of the leaderboard.
    command : str, optional
        Command that makes the same numbers, shown at the end.
    figures : bool, default=True
        Whether figures are drawn (by matplotlib).
    by_language : str, default=""
        Where tasks are one thing in several languages: the published dataset, such as
        "TwHIN hashtag prediction", beside whose scores a table of all languages and
        their averages stands.
    published : iterable of PublishedResult, default=()
        Rows that `by_language` is looked for in.

    Returns
    -------
    Report
        The report, the same for the same leaderboard: no clock is read.

    See Also
    --------
    render : The report as text in one of five formats.
    write_report : The report as files.
    """
    boards = leaderboard.boards
    titles = _task_titles(leaderboard)
    keys = [f"task-{key}" for key in unique_slugs(titles)]
    sections: list[Section] = []
    summary = _summary(leaderboard, titles, figures)
    if summary is not None:
        sections.append(summary)
    if by_language:
        sections.append(language_section(leaderboard, by_language, published))
    for board, key, heading in zip(boards, keys, titles, strict=True):
        sections.append(
            _task_section(board, key, heading, leaderboard.n_resamples, figures)
        )
    skipped = skipped_note(leaderboard)
    if skipped is not None:
        sections.append(Section("not-run", "Not run", (skipped,)))
    sections.append(provenance_section(leaderboard, command))
    # A task with two tables is one task, a system in two variants one system.
    n_tasks = len({board.facts.name for board in boards})
    n_systems = len({_base_name(e) for board in boards for e in board.entries})
    n_runs = len(all_records(boards))
    subtitle = (
        f"{plural(n_tasks, 'task')}, {plural(n_systems, 'system')}, "
        f"{plural(n_runs, 'run')}"
    )
    return Report(
        title or leaderboard.title,
        subtitle,
        _meta(leaderboard),
        tuple(sections),
    )
