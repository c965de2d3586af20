"""The report of engagement prediction: averages, languages, differences, data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tweetclf.leaderboard.engagements.board import (
    ALL,
    EngagementBoard,
)
from tweetclf.reports.by_language import (
    PublishedScores,
    published_scores,
    tables_of,
)
from tweetclf.reports.engagement_tables import (
    APART,
    averages_table,
    data_section,
    differences_section,
    format_mean,
    long_table,
    score_cell,
    sign_notes,
)
from tweetclf.reports.formatting import (
    format_count,
    format_interval,
    format_score,
    plural,
)
from tweetclf.reports.intervals import IntervalMark, draw_intervals
from tweetclf.reports.model import (
    Block,
    Code,
    Note,
    Paragraph,
    Report,
    Row,
    Section,
    Spans,
    code,
    name,
    spans,
)
from tweetclf.reports.wording import MetricWords, join_names
from tweetclf.tasks.by_language import languages_in_order

if TYPE_CHECKING:
    from tweetclf.tasks.published import PublishedResult

__all__ = ["DATASET", "engagement_cautions", "make_engagement_report"]

DATASET = "TwHIN engagement prediction"
"""What the package calls the data of Tables 1 and 6 of TwHIN-BERT."""


def _verdict(board: EngagementBoard) -> Spans:
    """Say which system is best on the average, and how sure that is."""
    n = len(board.languages)
    where = f"over {plural(n, 'language')}" if n > 1 else f"in {board.languages[0]}"
    ranked = [s for s in board.systems if ALL in board.scores[s]]
    if not ranked:
        return spans(f"No system was scored {where}.")
    best = board.scores[ranked[0]][ALL]
    k = board.protocol.k
    head = spans(
        name(ranked[0]),
        f" has the highest HITS@{k} {where}: {format_score(best.median)} (95 % "
        f"interval {format_interval(best.low, best.high)}).",
    )
    tied = [s for s in ranked[1:] if board.scores[s][ALL].tied]
    if len(ranked) == 1:
        return head
    if not tied:
        return spans(head, " All others are lower by more than chance explains.")
    return spans(head, " It cannot be told apart from ", join_names(tied), ".")


def engagement_cautions(board: EngagementBoard, n_seen: int = 0) -> list[Spans]:
    """Say what makes the scores of a board compare with no others, or too good.

    Parameters
    ----------
    board : EngagementBoard
        What was found.
    n_seen : int, default=0
        Posts of dev and test that the users' vectors know.
    """
    items = []
    asked = board.protocol.n_candidates
    few = [one for one, n in board.candidates.items() if n < asked]
    mean = sum(board.candidates[one] for one in few) / max(1, len(few))
    if few:
        items.append(
            spans(
                f"Fewer than {format_count(asked)} test posts that the user did not "
                "engage with are there in ",
                join_names(few, most=12),
                f" ({format_mean(mean)} on the mean): HITS is higher among fewer, so "
                "these scores compare with each other only, and not with the paper.",
            )
        )
    if n_seen:
        items.append(
            spans(
                f"Users\N{RIGHT SINGLE QUOTATION MARK} vectors were learnt from a "
                f"graph that holds {plural(n_seen, 'post')} of dev and test: they know "
                "who engaged with what is to be predicted."
            )
        )
    return items


def _warnings(board: EngagementBoard, n_seen: int) -> Note | None:
    items = engagement_cautions(board, n_seen)
    items += [spans(f"Left out: {what}") for what in board.damaged]
    return (
        Note("warning", "Read these scores with care", tuple(items)) if items else None
    )


def _failures(
    board: EngagementBoard, skipped: Sequence[tuple[str, str]]
) -> list[Section]:
    notes = []
    if board.failed:
        grouped: dict[tuple[str, str], list[str]] = {}
        for record in board.failed:
            key = record.spec.system, record.error or "no error was recorded"
            grouped.setdefault(key, []).append(record.spec.language)
        items = tuple(
            spans(name(system), f" failed in {', '.join(languages)}: ", code(error))
            for (system, error), languages in grouped.items()
        )
        notes.append(Note("error", "Failed", items))
    if skipped:
        items = tuple(spans(name(what), f": {why}") for what, why in skipped)
        notes.append(Note("info", "Not run", items))
    return [Section("not-run", "What has no score", tuple(notes))] if notes else []


def _protocol(board: EngagementBoard) -> Paragraph:
    way = board.protocol
    ties = {
        "expected": "a tie counts as its expected hit under a random order",
        "optimistic": "of ties the best order counts",
        "pessimistic": "of ties the worst order counts",
    }[way.ties]
    return Paragraph(
        spans(
            "A post\N{RIGHT SINGLE QUOTATION MARK}s text becomes a vector that is not "
            "trained further; vectors of users and posts are mapped to 128 numbers "
            "each, and an engagement is a hit if its post is among the "
            f"{way.k} best of itself and {format_count(way.n_candidates)} test posts, "
            f"or as many as there are, that the user did not engage with ({ties}). "
            "Posts of test are in no other split. Scores are medians of "
            f"{plural(way.n_runs, 'run')}."
        )
    )


def make_engagement_report(
    board: EngagementBoard,
    *,
    title: str = "Engagement prediction",
    published: Iterable[PublishedResult] = (),
    skipped: Sequence[tuple[str, str]] = (),
    facts: Iterable[str] = (),
    n_seen: int = 0,
    command: str | None = None,
    figures: bool = True,
) -> Report:
    """Say what an engagement board shows.

    Parameters
    ----------
    board : EngagementBoard
        What was found.
    title : str, default="Engagement prediction"
        Title.
    published : iterable of PublishedResult, default=()
        Rows to stand beside, marked as published.
    skipped : sequence of (str, str), default=()
        Systems and languages that were not run, and why.
    facts : iterable of str, default=()
        Sentences on the data: where they and the users' vectors are from.
    n_seen : int, default=0
        Posts of dev and test that the users' vectors know.
    command : str, optional
        Command that makes the same numbers.
    figures : bool, default=True
        Whether figures are drawn.

    Returns
    -------
    Report
        The same for the same board.
    """
    languages = _in_order(board)
    quoted = published_scores(published, DATASET, languages, groups=board.groups)
    blocks: list[Block | None] = [
        Paragraph(_verdict(board), lead=True),
        _protocol(board),
        averages_table(board, quoted),
        _warnings(board, n_seen),
        _figure(board) if figures else None,
    ]
    sections = [Section("result", "Result", tuple(b for b in blocks if b is not None))]
    sections += _failures(board, skipped)
    sections.append(_by_language(board, languages, quoted))
    differences = differences_section(board)
    sections += [differences] if differences is not None else []
    sections.append(data_section(board, facts))
    if command:
        sections.append(Section("command", "Command", (Code(command),)))
    return Report(
        title,
        f"{plural(len(board.languages), 'language')}, "
        f"{plural(len(board.systems), 'system')}, "
        f"{plural(board.protocol.n_runs, 'run')} each",
        _meta(board),
        tuple(sections),
    )


def _in_order(board: EngagementBoard) -> list[str]:
    """Return the languages, those of the groups first."""
    return list(languages_in_order(board.groups, board.languages))


def _meta(board: EngagementBoard) -> tuple[tuple[str, str], ...]:
    way = board.protocol
    return (
        ("Languages", ", ".join(board.languages)),
        ("Ranked among", f"1 + {format_count(way.n_candidates)} posts, at most"),
        ("Resamples", format_count(board.n_resamples)),
    )


def _by_language(
    board: EngagementBoard, languages: Sequence[str], quoted: PublishedScores | None
) -> Section:
    rows = [
        (
            system,
            {
                one: score_cell(board.scores[system].get(one), "not scored")
                for one in languages
            },
        )
        for system in board.systems
    ]
    if len(languages) < 2:
        return Section("languages", "By language", (long_table(board),))
    cells = [Row(tuple(own.values())) for _, own in rows]
    tables = tables_of(
        "languages",
        f"HITS@{board.protocol.k}, median of runs",
        languages,
        rows,
        quoted,
        sign_notes(cells, None if quoted is None else [APART]),
    )
    return Section("languages", "By language", (*tables, long_table(board)))


def _figure(board: EngagementBoard) -> Block | None:
    marks = []
    for system in board.systems:
        score = board.scores[system].get(ALL)
        if score is not None:
            kind = "best" if score.best else "tied" if score.tied else "other"
            marks.append(
                IntervalMark(system, score.median, score.low, score.high, kind)
            )
    words = MetricWords(f"HITS@{board.protocol.k}", "", True)
    return draw_intervals(marks, words, f"{words.short}, all languages", "intervals")
