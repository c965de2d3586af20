"""The tables of an engagement report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tweetclf.leaderboard.engagements.board import (
    ALL,
    EngagementBoard,
    EngagementScore,
)
from tweetclf.reports.by_language import (
    PublishedScores,
    average_columns,
    average_key,
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
from tweetclf.reports.ranked import DAGGER

__all__ = [
    "APART",
    "averages_table",
    "data_section",
    "differences_section",
    "format_mean",
    "long_table",
    "score_cell",
    "sign_notes",
]

_TIED = spans(f"{DAGGER} cannot be told apart from the best of the column (Holm, 5 %).")
APART = spans(
    "Published scores are of other posts and users, which are not public: they show "
    "where the paper's systems stand among each other, and do not compare with ours."
)


def format_mean(value: float | None) -> str:
    """Mean of counts, with a decimal where it is not whole."""
    return DASH if value is None else f"{round(value, 1):,.10g}"


def score_cell(score: EngagementScore | None, why: str) -> Cell:
    """Return the cell of a score, with its interval where a pointer rests.

    Parameters
    ----------
    score : EngagementScore or None
        The score.
    why : str
        Why there is none.
    """
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


def averages_table(board: EngagementBoard, published: PublishedScores | None) -> Table:
    """Return the averages over languages, best first, published ones below.

    Parameters
    ----------
    board : EngagementBoard
        What was found.
    published : PublishedScores or None
        Rows to stand below.
    """
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
    notes = sign_notes(rows, None if published is None else [APART, *published.notes])
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


def sign_notes(
    rows: Sequence[Row], published: Sequence[Spans] | None
) -> tuple[Spans, ...]:
    """Explain the signs that rows have.

    Parameters
    ----------
    rows : sequence of Row
        The rows.
    published : sequence of tuple of Span or None
        What is to be said of published ones, if there are any.
    """
    tied = any(cell.mark == DAGGER for row in rows for cell in row.cells)
    return (*([_TIED] if tied else []), *(published or []))


def _row(columns: Sequence[Column], cells: Mapping[str, Cell], kind: str) -> Row:
    why = "not published" if kind == "published" else "not scored"
    return Row(tuple(cells.get(c.key, missing(why)) for c in columns), kind)


def _average_cells(board: EngagementBoard, system: str) -> dict[str, Cell]:
    own = board.scores[system]
    why = "not scored in all of these languages"
    cells = {
        average_key(column): score_cell(own.get(column), why)
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


def long_table(board: EngagementBoard) -> Table:
    """Return everything that is known of every language, a row each.

    Parameters
    ----------
    board : EngagementBoard
        What was found.
    """
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


def differences_section(board: EngagementBoard) -> Section | None:
    """Compare all pairs of systems on the average over all languages.

    Parameters
    ----------
    board : EngagementBoard
        What was found.
    """
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


def data_section(board: EngagementBoard, facts: Iterable[str]) -> Section:
    """Say what was predicted among what: without it no score means anything.

    Parameters
    ----------
    board : EngagementBoard
        What was found.
    facts : iterable of str
        Sentences on where the data are from.
    """
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
                        board.candidates.get(part.language), format_mean, "not scored"
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
        "post is ranked among, on the mean. Chance: HITS of a predictor that says the "
        "same of all posts, equals in random order. Left out: engagements of users "
        "without a vector. ",
        " ".join(facts),
    )
    table = Table("data", "What was predicted", columns, tuple(rows))
    return Section("data", "Data", (Paragraph(said), table))
