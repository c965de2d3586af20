"""The ranked table of a task, and the published results beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tweetclf.leaderboard.ranking import Entry, TaskBoard
from tweetclf.reports.cells import (
    RECONSTRUCTED_NOTE,
    comparable,
    missing,
    number,
    number_sources,
    reconstructed,
    settings,
    sources_note,
    text_cell,
    track,
    track_domain,
)
from tweetclf.reports.formatting import (
    DASH,
    finite,
    format_bytes,
    format_count,
    format_interval,
    format_p,
    format_rate,
    format_score,
    format_seconds,
)
from tweetclf.reports.model import Cell, Column, Row, Spans, Table, spans
from tweetclf.reports.reliability import (
    CALIBRATION_COLUMNS,
    calibration_cells,
    calibration_note,
)
from tweetclf.reports.wording import (
    MetricWords,
    best_entries,
    noun_of,
    signature_note,
    tied_entries,
    where_scored,
)
from tweetclf.tasks.published import PublishedResult

__all__ = ["DAGGER", "fold_spread", "ranked_table"]

DAGGER = "\N{DAGGER}"


def _settings_cell(entry: Entry) -> Cell:
    chosen = list(dict.fromkeys(settings(run.selected) for run in entry.records))
    tried = [run for run in entry.records if run.candidates]
    if chosen == [""]:
        if tried:
            return Cell(None, "selected in every fold", muted=True)
        return Cell("", "")
    if len(chosen) == 1:
        return Cell(chosen[0], chosen[0])
    shown = f"{len(chosen)} settings, by seed"
    return Cell("; ".join(chosen), shown, tooltip="; ".join(chosen))


def _columns(board: TaskBoard, words: MetricWords) -> list[Column]:
    better = "descending" if words.greater_is_better else "ascending"
    n_seeds = {len(e.seed_scores) for e in board.entries}
    seeds = f"{n_seeds.pop()} seeds" if len(n_seeds) == 1 else "seeds"
    spread = f"standard deviation over {seeds}"
    return [
        Column("rank", "Rank", "right", "rank", "ascending"),
        Column("system", "System"),
        Column(
            "score",
            f"{words.short}\u00a0{words.arrow}",
            "right",
            "score",
            better,  # type: ignore[arg-type]
            f"{words.short}, mean over seeds; {words.direction}",
        ),
        Column("interval", "95 % interval", "center"),
        Column("low", "Interval low", "right", "score", data_only=True),
        Column("high", "Interval high", "right", "score", data_only=True),
        Column("spread", "Seed sd", "right", "score", "ascending", spread),
        *_TEST_COLUMNS,
        *CALIBRATION_COLUMNS,
        *_COST_COLUMNS,
        Column("settings", "Selected settings", under="system"),
        Column("remark", "Remark", under="system"),
        Column("reference", "Reference", data_only=True),
    ]


_TEST_COLUMNS = (
    Column(
        "fold_spread",
        "Fold sd",
        "right",
        "score",
        "ascending",
        "standard deviation over the folds of the first seed",
    ),
    Column(
        "p_best",
        "p against best",
        "right",
        "p",
        "",
        "p-value of the difference from the best, adjusted after Holm",
    ),
)
_COST_COLUMNS = (
    Column("fit_seconds", "Fit", "right", "seconds", "ascending", "time to train"),
    Column(
        "tweets_per_second",
        "Tweets/s",
        "right",
        "rate",
        "descending",
        "tweets predicted a second",
    ),
    Column(
        "peak_memory",
        "Memory",
        "right",
        "bytes",
        "ascending",
        "growth of the peak memory of the process",
    ),
    Column(
        "model_bytes",
        "Model",
        "right",
        "bytes",
        "ascending",
        "size of the pickled model",
    ),
)


def fold_spread(entry: Entry) -> float:
    """Return the standard deviation over folds; NaN with fewer than two."""
    if len(entry.fold_scores) < 2:
        return math.nan
    return float(np.std(entry.fold_scores, ddof=1))


_UNDEFINED = "the metric is not defined for these predictions"
_ONE_SEED = "one seed has no spread"
_NO_INTERVAL = "no resample has a defined score"


def _entry_cells(
    entry: Entry, board: TaskBoard, tied: bool, domain: tuple[float, float] | None
) -> dict[str, Cell]:
    best = entry in best_entries(board)
    spread = number(entry.spread, format_score, _ONE_SEED)
    known = finite(entry.low) is not None and finite(entry.high) is not None
    lead = board.entries[0]
    costs = {
        key: number(entry.mean_cost(key), show, "not measured")
        for key, show in (
            ("fit_seconds", format_seconds),
            ("tweets_per_second", format_rate),
            ("peak_memory", format_bytes),
            ("model_bytes", format_bytes),
        )
    }
    return {
        "rank": Cell(entry.rank, str(entry.rank)),
        "system": Cell(
            entry.system,
            entry.system,
            best,
            DAGGER if tied else "",
            tooltip="cannot be told apart from the best" if tied else "",
        ),
        "score": number(entry.score, format_score, _UNDEFINED, bold=best),
        "interval": Cell(
            None,
            format_interval(entry.low, entry.high),
            muted=not known,
            tooltip="" if known else _NO_INTERVAL,
            track=track(entry.low, entry.score, entry.high, domain),
        ),
        "low": number(entry.low, format_score, _NO_INTERVAL),
        "high": number(entry.high, format_score, _NO_INTERVAL),
        "spread": spread,
        "fold_spread": number(fold_spread(entry), format_score, "no folds"),
        "p_best": missing("this is the best")
        if entry is lead
        else number(entry.p_best, format_p, "not tested"),
        **calibration_cells(entry, board),
        **costs,
        "settings": _settings_cell(entry),
        "remark": text_cell(""),
        "reference": text_cell(""),
    }


def _published_cells(
    result: PublishedResult,
    columns: Sequence[Column],
    domain: tuple[float, float] | None,
    sources: Mapping[str, str],
) -> dict[str, Cell]:
    cells = {c.key: missing("not published") for c in columns}
    score = float(result.score)
    cells["rank"] = missing("published results are not ranked")
    cells["system"] = Cell(
        result.system, result.system, mark=sources.get(str(result.source), "")
    )
    cells["score"] = Cell(score, format_score(score))
    low, high = result.interval or (math.nan, math.nan)
    cells["interval"] = replace(
        reconstructed(result), track=track(low, score, high, domain)
    )
    cells["settings"] = text_cell("")
    cells["remark"] = text_cell(str(result.note))
    cells["reference"] = text_cell(str(result.source))
    return cells


def _by_score(
    entries: Sequence[tuple[float, Row]],
    published: Sequence[tuple[float, Row]],
    greater_is_better: bool,
) -> list[Row]:
    """Put published rows where their score belongs, after systems of equal score."""
    sign = -1.0 if greater_is_better else 1.0
    rows = []
    waiting = sorted(published, key=lambda pair: sign * pair[0])
    for score, row in entries:
        while waiting and (
            not math.isfinite(score) or sign * waiting[0][0] < sign * score
        ):
            rows.append(waiting.pop(0)[1])
        rows.append(row)
    return [*rows, *(row for _, row in waiting)]


def _shown(columns: Sequence[Column], rows: Sequence[Row]) -> list[int]:
    """Positions of the columns that say something about a system."""
    always = {"rank", "system", "score", "interval"}
    return [
        position
        for position, column in enumerate(columns)
        if column.key in always
        or any(
            row.cells[position].value not in (None, "")
            or row.cells[position].text not in ("", DASH)
            for row in rows
        )
    ]


def _table_notes(
    board: TaskBoard,
    words: MetricWords,
    n_resamples: int,
    sources: Mapping[str, str] | None,
) -> tuple[Spans, ...]:
    notes = [signature_note(words)]
    n_seeds = sorted({len(e.seed_scores) for e in board.entries})
    if n_seeds and n_seeds[-1] > 1:
        counts = " or ".join(map(str, n_seeds))
        notes.append(
            spans(f"Each score is the mean of {counts} runs with different seeds.")
        )
    elif n_seeds:
        notes.append(spans("Each system ran once, so there is no spread over seeds."))
    if n_resamples and board.entries:
        notes.append(
            spans(
                "The interval says how far the score would move on other "
                f"{_kind(board)} of this sort ({format_count(n_resamples)} bootstrap "
                f"resamples of the {where_scored(board)}, the same for all systems). "
                "The runs and their seeds are held fixed: it says nothing about other "
                "seeds."
            )
        )
    if tied_entries(board, n_resamples):
        notes.append(
            spans(
                f"{DAGGER} Cannot be told apart from the best on these "
                f"{where_scored(board)}, for these runs: the difference could be "
                "chance (paired "
                "bootstrap, p of at least 0.05 after Holm's adjustment for the number "
                "of comparisons, "
                f"{len(board.entries) - 1})."
            )
        )
    believed = calibration_note(board)
    if believed is not None:
        notes.append(believed)
    if sources is not None:
        notes.append(
            spans(
                "Rows marked \u201cpublished\u201d are copied from the literature "
                "(same data, same split, same metric): not run here, not ranked, not "
                "tested."
            )
        )
    if any(r.interval for r in board.published if comparable(board, r)):
        notes.append(spans(RECONSTRUCTED_NOTE))
    if sources:
        notes.append(sources_note(sources))
    return tuple(notes)


def _kind(board: TaskBoard) -> str:
    return f"{noun_of(board)}s"


def ranked_table(
    board: TaskBoard, words: MetricWords, n_resamples: int, key: str
) -> Table | None:
    """Return the ranked table of a task; None where there is nothing to show."""
    published = [r for r in board.published if comparable(board, r)]
    published.sort(key=lambda r: -r.score if words.greater_is_better else r.score)
    sources = number_sources(str(result.source) for result in published)
    if not board.entries and not published:
        return None
    lead = board.entries[0] if board.entries else None
    domain = track_domain(lead.low, lead.score, lead.high) if lead else None
    columns = _columns(board, words)
    tied = tied_entries(board, n_resamples)
    ranked = []
    for entry in board.entries:
        cells = _entry_cells(entry, board, entry in tied, domain)
        ranked.append((entry.score, Row(tuple(cells[c.key] for c in columns))))
    quoted = []
    for result in published:
        cells = _published_cells(result, columns, domain, sources)
        row = Row(tuple(cells[c.key] for c in columns), "published")
        quoted.append((float(result.score), row))
    rows = _by_score(ranked, quoted, words.greater_is_better)
    keep = _shown(columns, rows)
    return Table(
        key,
        f"Systems on {board.facts.name}, best first",
        tuple(columns[i] for i in keep),
        tuple(Row(tuple(row.cells[i] for i in keep), row.kind) for row in rows),
        _table_notes(board, words, n_resamples, sources if published else None),
        header_column="system",
    )
