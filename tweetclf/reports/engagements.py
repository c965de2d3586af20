"""The report of engagement prediction: averages, languages, differences, data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tweetclf.leaderboard.engagements.board import (
    ALL,
    EngagementBoard,
    EngagementScore,
)
from tweetclf.reports.by_language import (
    PublishedScores,
    average_columns,
    average_key,
    published_scores,
    tables_of,
)
from tweetclf.reports.cells import missing, number, text_cell
from tweetclf.reports.formatting import (
    DASH,
    format_count,
    format_interval,
    format_p,
    format_score,
    plural,
)
from tweetclf.reports.intervals import IntervalMark, draw_intervals
from tweetclf.reports.model import (
    Block,
    Cell,
    Code,
    Column,
    Note,
    Paragraph,
    Report,
    Row,
    Section,
    Spans,
    Table,
    code,
    name,
    spans,
)
from tweetclf.reports.ranked import DAGGER
from tweetclf.reports.wording import MetricWords, join_names

if TYPE_CHECKING:
    from tweetclf.tasks.published import PublishedResult

__all__ = ["DATASET", "make_engagement_report"]

DATASET = "TwHIN engagement prediction"
"""What the package calls the data of Tables 1 and 6 of TwHIN-BERT."""

_TIED = spans(f"{DAGGER} cannot be told apart from the best of the column (Holm, 5 %).")
_APART = spans(
    "Published scores are of other posts and users, which are not public: they show "
    "where the paper's systems stand among each other, and do not compare with ours."
)


def _score_cell(score: EngagementScore | None, why: str) -> Cell:
    if score is None:
        return missing(why)
    said = f"95 % {format_interval(score.low, score.high)}"
    if score.least < score.most:
        said += f"; runs {format_interval(score.least, score.most)}"
    tied = score.tied and not score.best
    return Cell(
        score.median,
        format_score(score.median),
        bold=score.best,
        mark=DAGGER if tied else "",
        tooltip=said,
    )


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


def _averages(board: EngagementBoard, published: PublishedScores | None) -> Table:
    columns = [
        Column("rank", "Rank", "right", "rank", "ascending"),
        Column("system", "System"),
        *average_columns(board.groups, len(board.languages)),
        Column("interval", "95 % interval", "center", hint="over test posts"),
        Column("low", "Interval low", "right", "score", data_only=True),
        Column("high", "Interval high", "right", "score", data_only=True),
        Column("runs", "Runs", "center", hint="lowest and highest run"),
        Column("least", "Lowest run", "right", "score", data_only=True),
        Column("most", "Highest run", "right", "score", data_only=True),
        Column(
            "p_best", "p against best", "right", "p", "",
            "over posts and runs, adjusted after Holm",
        ),
        Column("reference", "Reference", data_only=True),
    ]  # fmt: skip
    rows = []
    ranks = 0
    for system in board.systems:
        cells = _average_cells(board, system)
        if ALL in board.scores[system]:
            ranks += 1
            cells["rank"] = Cell(ranks, str(ranks))
        rows.append(_row(columns, cells, "system"))
    notes = _notes(rows, None if published is None else [_APART, *published.notes])
    if published is not None:
        rows += [_row(columns, cells, "published") for _, cells in published.rows]
    runs = plural(board.protocol.n_runs, "run")
    averaged = ", averaged over languages" if len(board.languages) > 1 else ""
    return Table(
        "averages",
        f"HITS@{board.protocol.k}, median of {runs}{averaged}",
        tuple(columns),
        tuple(rows),
        notes,
        header_column="system",
    )


def _notes(rows: Sequence[Row], published: Sequence[Spans] | None) -> tuple[Spans, ...]:
    """Explain the signs that rows have."""
    tied = any(cell.mark == DAGGER for row in rows for cell in row.cells)
    return (*([_TIED] if tied else []), *(published or []))


def _row(columns: Sequence[Column], cells: Mapping[str, Cell], kind: str) -> Row:
    why = "not published" if kind == "published" else "not scored"
    return Row(tuple(cells.get(c.key, missing(why)) for c in columns), kind)


def _average_cells(board: EngagementBoard, system: str) -> dict[str, Cell]:
    own = board.scores[system]
    why = "not scored in all of these languages"
    cells = {
        average_key(column): _score_cell(own.get(column), why)
        for column in (ALL, *board.groups)
    }
    cells["system"] = text_cell(system)
    cells["reference"] = text_cell("")
    score = own.get(ALL)
    if score is None:
        return cells
    cells |= {
        "interval": Cell(None, format_interval(score.low, score.high)),
        "low": number(score.low, format_score, ""),
        "high": number(score.high, format_score, ""),
        "runs": Cell(None, format_interval(score.least, score.most)),
        "least": number(score.least, format_score, ""),
        "most": number(score.most, format_score, ""),
        "p_best": missing("this is the best")
        if score.best
        else number(score.p_best, format_p, ""),
    }
    return cells


def _long_table(board: EngagementBoard) -> Table:
    """Return everything that is known of every language, a row each."""
    columns = (
        Column("language", "Language"),
        Column("system", "System"),
        Column("score", f"HITS@{board.protocol.k}", "right", "score", "descending"),
        Column("low", "Interval low", "right", "score"),
        Column("high", "Interval high", "right", "score"),
        Column("least", "Lowest run", "right", "score"),
        Column("most", "Highest run", "right", "score"),
        Column("p_best", "p against best", "right", "p"),
    )
    rows = []
    for language in board.languages:
        for system in board.systems:
            score = board.scores[system].get(language)
            if score is None:
                continue
            values = (score.median, score.low, score.high, score.least, score.most)
            rows.append(
                Row(
                    (
                        text_cell(language),
                        text_cell(system),
                        *(number(value, format_score, "") for value in values),
                        missing("this is the best")
                        if score.best
                        else number(score.p_best, format_p, ""),
                    ),
                    "data",
                )
            )
    return Table(
        "scores",
        "Every language and system, with intervals over test posts",
        columns,
        tuple(rows),
        folded=len(board.languages) > 1,
    )


def _differences(board: EngagementBoard) -> Section | None:
    if not board.contrasts:
        return None
    columns = (
        Column("first", "System"),
        Column("second", "against"),
        Column("difference", "Difference", "right", "score"),
        Column("low", "Interval low", "right", "score"),
        Column("high", "Interval high", "right", "score"),
        Column("p", "p", "right", "p"),
        Column("p_holm", "p (Holm)", "right", "p"),
    )
    rows = tuple(
        Row(
            (
                text_cell(one.first),
                text_cell(one.second),
                *(
                    number(value, format_score, "")
                    for value in (one.difference, one.low, one.high)
                ),
                number(one.p_value, format_p, ""),
                number(one.p_holm, format_p, ""),
            ),
            "data",
        )
        for one in board.contrasts
    )
    said = (
        "Mean over languages and runs of the first minus that of the second. Resamples "
        "draw test posts with their engagements, the same for both, and of n runs n "
        f"\N{MINUS SIGN} 1 for each, so that they show the variance between runs, too "
        f"({format_count(board.n_resamples)} resamples)."
    )
    table = Table(
        "differences",
        "All pairs of systems",
        columns,
        rows,
        folded=len(rows) > 15,
    )
    return Section("differences", "Differences", (Paragraph(spans(said)), table))


def _data(board: EngagementBoard, facts: Iterable[str]) -> Section:
    """Say what was predicted among what: without it no score means anything."""
    keys = (
        ("users", "Users"),
        ("train_posts", "Train posts"),
        ("train_records", "engagements"),
        ("dev_posts", "Dev posts"),
        ("dev_records", "engagements"),
        ("test_posts", "Test posts"),
        ("test_records", "engagements"),
        ("left_out", "Left out"),
    )
    columns = (
        Column("language", "Language"),
        *(Column(key, header, "right", "count") for key, header in keys),
        Column("candidates", "Candidates", "right", "count"),
        Column("chance", "Chance", "right", "score"),
    )
    rows = []
    for part in board.parts:
        known = part.language in board.candidates
        rows.append(
            Row(
                (
                    text_cell(part.language),
                    *(
                        Cell(part.sizes[key], format_count(part.sizes[key]))
                        for key, _ in keys
                    ),
                    number(
                        board.candidates.get(part.language), format_count, "not scored"
                    ),
                    number(board.chance(part.language), format_score, "")
                    if known
                    else Cell(None, DASH, muted=True, tooltip="not scored"),
                ),
                "data",
            )
        )
    said = spans(
        "Candidates: other posts that each engagement\N{RIGHT SINGLE QUOTATION MARK}s "
        "post is ranked among. Left out: engagements of users without a vector. ",
        " ".join(facts),
    )
    table = Table("data", "What was predicted", columns, tuple(rows))
    return Section("data", "Data", (Paragraph(said), table))


def _warnings(board: EngagementBoard, n_seen: int) -> Note | None:
    items = []
    asked = board.protocol.n_candidates
    few = [one for one, n in board.candidates.items() if n < asked]
    if few:
        items.append(
            spans(
                f"Fewer than {format_count(asked)} other test posts are there in ",
                join_names(few, most=12),
                ": HITS is higher among fewer, so these scores compare with each other "
                "only, and not with the paper.",
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
    if board.damaged:
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
            f"{way.k} best of itself and {format_count(way.n_candidates)} test posts "
            f"that the user did not engage with ({ties}). Posts of test are in no "
            f"other split. Scores are medians of {plural(way.n_runs, 'run')}."
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
        _averages(board, quoted),
        _warnings(board, n_seen),
        _figure(board) if figures else None,
    ]
    sections = [Section("result", "Result", tuple(b for b in blocks if b is not None))]
    sections += _failures(board, skipped)
    sections.append(_by_language(board, languages, quoted))
    differences = _differences(board)
    sections += [differences] if differences is not None else []
    sections.append(_data(board, facts))
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
    first = [one for languages in board.groups.values() for one in languages]
    return [*first, *(one for one in board.languages if one not in first)]


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
                one: _score_cell(board.scores[system].get(one), "not scored")
                for one in languages
            },
        )
        for system in board.systems
    ]
    if len(languages) < 2:
        return Section("languages", "By language", (_long_table(board),))
    cells = [Row(tuple(own.values())) for _, own in rows]
    tables = tables_of(
        "languages",
        f"HITS@{board.protocol.k}, median of runs",
        languages,
        rows,
        quoted,
        _notes(cells, None if quoted is None else [_APART]),
    )
    return Section("languages", "By language", (*tables, _long_table(board)))


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
