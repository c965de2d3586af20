"""Tables of sweeps: trials with their settings, and those that failed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from tweetclf.leaderboard.trials import Sweep, Trial
from tweetclf.reports.displays._parameters import NOT_SET, short_names, value_text
from tweetclf.reports.formatting import (
    format_count,
    format_score,
    format_seconds,
    plural,
    shorten,
)
from tweetclf.reports.model import Cell, Column, Row, Spans, Table, spans

__all__ = [
    "failed_table",
    "setting_text",
    "trial_table",
    "varied_and_fixed",
]

# Parameters that get a column of their own; more stand in one.
_COLUMNS = 7


def varied_and_fixed(sweep: Sweep) -> tuple[list[str], list[str]]:
    """Return the parameters that were varied, and those that were not."""
    varied: list[str] = []
    fixed: list[str] = []
    for parameter in sweep.parameters:
        found = {value_text(t.params.get(parameter, NOT_SET)) for t in sweep.trials}
        (varied if len(found) > 1 else fixed).append(parameter)
    return varied, fixed


def setting_text(trial: Trial, names: Sequence[str]) -> str:
    """Write a setting in a line."""
    short = short_names(names)
    return ", ".join(
        f"{short[n]} = {value_text(trial.params[n])}"
        for n in names
        if n in trial.params
    )


def trial_table(
    key: str, caption: str, sweep: Sweep, trials: Sequence[Trial], folded: bool = False
) -> Table:
    """Make a table of trials: score, cost, and a column for each varied parameter."""
    varied, fixed = varied_and_fixed(sweep)
    # Columns that would be empty are left out.
    ranges = any(len(trial.fold_scores) > 1 for trial in trials)
    tweets = any(trial.resource is not None for trial in trials)
    columns = _columns(sweep, varied, ranges=ranges, tweets=tweets)
    best = sweep.best
    rows = []
    for trial in trials:
        cells = {
            "trial": Cell(trial.number, format_count(trial.number)),
            "score": _score_cell(trial, best is not None and trial == best),
            "range": _range_cell(trial),
            "fit_seconds": Cell(trial.fit_seconds, format_seconds(trial.fit_seconds)),
            "resource": Cell(trial.resource, format_count(trial.resource)),
            "setting": _text_cell(setting_text(trial, varied)),
        }
        for place, parameter in enumerate(varied):
            value = trial.params.get(parameter, NOT_SET)
            cells[f"param_{place}"] = _text_cell(value_text(value))
        rows.append(Row(tuple(cells[column.key] for column in columns), "data"))
    notes: list[Spans] = []
    if fixed:
        said = setting_text(_all_of(sweep, fixed), fixed)
        notes.append(spans(f"The same in all trials: {said}."))
    return Table(
        key,
        caption,
        columns,
        tuple(rows),
        tuple(notes),
        folded=folded,
        header_column="trial",
    )


def _columns(
    sweep: Sweep, varied: Sequence[str], *, ranges: bool, tweets: bool
) -> tuple[Column, ...]:
    first: Literal["ascending", "descending"] = (
        "descending" if sweep.greater_is_better else "ascending"
    )
    columns = [
        Column("trial", "Trial", "left", "count"),
        Column("score", "Score", "right", "score", first),
    ]
    if ranges:
        hint = "lowest and highest score of the folds or seeds"
        columns.append(Column("range", "Range", "right", hint=hint))
    columns.append(Column("fit_seconds", "Fits", "right", "seconds", "ascending"))
    if tweets:
        columns.append(Column("resource", "Tweets", "right", "count"))
    if len(varied) > _COLUMNS:
        return (*columns, Column("setting", "Setting"))
    short = short_names(varied)
    return (
        *columns,
        *(Column(f"param_{i}", short[n], hint=n) for i, n in enumerate(varied)),
    )


def _all_of(sweep: Sweep, names: Sequence[str]) -> Trial:
    """Return a trial that has all of these parameters, which are all the same."""
    return next(t for t in sweep.trials if all(n in t.params for n in names))


def _text_cell(text: str) -> Cell:
    return Cell(text, text)


def _score_cell(trial: Trial, bold: bool) -> Cell:
    if not trial.scored:
        why = trial.error or "the metric is not defined for its predictions"
        return Cell(None, "failed", muted=True, tooltip=shorten(why, 200))
    return Cell(trial.score, format_score(trial.score), bold=bold)


def _range_cell(trial: Trial) -> Cell:
    known = [score for score in trial.fold_scores if math.isfinite(score)]
    if not known:
        return Cell(None, "")
    text = f"{format_score(min(known))} to {format_score(max(known))}"
    return Cell(text, text)


def failed_table(key: str, sweep: Sweep) -> Table | None:
    """Make the table of trials without a score, with the reason; None without any."""
    failed = [trial for trial in sweep.trials if not trial.scored]
    if not failed:
        return None
    varied, _ = varied_and_fixed(sweep)
    rows = tuple(
        Row(
            (
                Cell(trial.number, format_count(trial.number)),
                _text_cell(setting_text(trial, varied)),
                _text_cell(_score_cell(trial, False).tooltip),
            ),
            "data",
        )
        for trial in failed
    )
    columns = (
        Column("trial", "Trial", "left", "count"),
        Column("setting", "Setting"),
        Column("error", "Error"),
    )
    caption = f"{plural(len(failed), 'trial')} without a score"
    return Table(key, caption, columns, rows, header_column="trial")
