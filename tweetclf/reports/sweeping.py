"""The report of sweeps: best settings, budgets, and how settings and scores go."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from tweetclf.leaderboard.budget import compare_sweeps, sweep_curve
from tweetclf.leaderboard.budget.bands import is_open
from tweetclf.leaderboard.budget.sweeps import (
    comparison_key,
    differences,
    metric_bounds,
    names_of,
)
from tweetclf.leaderboard.trials import Sweep
from tweetclf.reports.formatting import (
    format_count,
    format_score,
    format_seconds,
    plural,
    unique_slugs,
)
from tweetclf.reports.model import (
    Block,
    Figure,
    Note,
    Paragraph,
    Report,
    Section,
    Spans,
    name,
    spans,
    strong,
)
from tweetclf.reports.sweep_figures import (
    curves_figure,
    heatmap_figure,
    parallel_figure,
)
from tweetclf.reports.sweep_tables import (
    failed_table,
    setting_text,
    trial_table,
    varied_and_fixed,
)
from tweetclf.reports.wording import MetricWords, join, metric_words

__all__ = ["make_sweep_report", "write_sweep_report"]

_BEST = 10
_LEVEL = 0.95
# Settings whose expected best score is given beside that of all trials.
_FEW = (5, 10, 20, 50)


def _where(sweep: Sweep) -> str:
    """Say what trials were scored on."""
    if sweep.evaluation != "cv":
        return sweep.evaluation
    folds = "" if sweep.n_folds is None else f"{sweep.n_folds}-fold "
    return f"{folds}cross-validation"


def _lead(sweep: Sweep, words: MetricWords) -> Spans:
    """Say what the search found, and what it took."""
    n_trials = plural(len(sweep.trials), "trial")
    best = sweep.best
    if best is None:
        return spans("None of ", n_trials, " of ", name(sweep.system), " has a score.")
    varied, fixed = varied_and_fixed(sweep)
    parts: list[object] = [
        f"The best of {n_trials} of ",
        name(sweep.system),
        " reaches ",
        strong(f"{format_score(best.score)} {words.short}"),
        f" on {_where(sweep)}",
    ]
    setting = setting_text(best, varied or fixed)
    if setting:
        parts.append(f", with {setting}")
    return spans(*parts, ".")  # type: ignore[arg-type]


def _cost(sweep: Sweep) -> str:
    """Say how the trials were drawn, what failed and what it took."""
    strategies = {
        "grid": "every cell of a grid",
        "random": "random search",
        "halving": "successive halving",
        "tpe": "Bayesian search (TPE)",
    }
    if sweep.whole and sweep.strategy == "random":
        strategies["random"] = "random search, which drew every setting of the space"
    n_failed = sum(not trial.scored for trial in sweep.trials)
    how = strategies.get(sweep.strategy, sweep.strategy)
    said = f"Search space {sweep.space}; {how}; {plural(len(sweep.seeds), 'seed')}. "
    said += f"All fits took {format_seconds(_seconds(sweep))}. "
    return said + (
        f"{plural(n_failed, 'trial')} failed." if n_failed else "No trial failed."
    )


def _expectation(sweep: Sweep, words: MetricWords) -> str:
    """Say what fewer trials would be expected to give."""
    curve = sweep_curve(sweep)
    if curve.kind == "observed" or curve.n_trials < 2:
        return ""
    few = [k for k in _FEW if k <= curve.n_trials // 2][-2:] or [1]
    told = []
    for k in [*few, curve.n_trials]:
        value, low, _ = curve.at(k)
        least = metric_bounds(sweep.metric)[0]
        band = ""
        if sweep.greater_is_better and curve.band and not is_open(low, least, value):
            band = f" (at least {format_score(low)})"
        told.append(f"{format_score(value)} with {plural(k, 'trial')}{band}")
    how = (
        "So many of these cells, drawn at random, would be expected to reach"
        if curve.kind == "grid"
        else "Other random searches of this space are expected to reach"
    )
    if curve.statistic == "median":
        how = "Half of all random searches of this space would reach"
    return f"{how}, in {words.short}, {join(told)}."


def _sweep_section(sweep: Sweep, title: str, key: str, alone: bool) -> Section:
    words = metric_words(sweep.metric, sweep.greater_is_better)
    blocks: list[Block] = [
        Paragraph(_lead(sweep, words), lead=True),
        Paragraph(spans(_cost(sweep))),
    ]
    figures: list[Figure | None] = []
    if sweep.best is not None:
        if said := _expectation(sweep, words):
            blocks.append(Paragraph(spans(said)))
        ranked = sweep.ranked()[:_BEST]
        caption = f"Best {plural(len(ranked), 'trial')}" if len(ranked) > 1 else "Trial"
        blocks.append(trial_table(f"{key}-best", caption, sweep, ranked))
        if alone:
            figures += _curve_figures([sweep], [title], words, key)
        figures.append(heatmap_figure(sweep, words, f"{key}-map"))
        figures.append(parallel_figure(sweep, words, f"{key}-parallel"))
        blocks += [figure for figure in figures if figure is not None]
    failed = failed_table(f"{key}-failed", sweep)
    if failed is not None:
        blocks.append(failed)
    whole = trial_table(f"{key}-trials", "All trials", sweep, sweep.trials, folded=True)
    blocks.append(whole)
    return Section(key, title, tuple(blocks))


def _seconds(sweep: Sweep) -> float:
    """Return the time of all fits, as far as it is known."""
    known = (t.fit_seconds for t in sweep.trials if math.isfinite(t.fit_seconds))
    return math.fsum(known)


def _timed(sweeps: Sequence[Sweep]) -> bool:
    return all(_seconds(sweep) > 0 for sweep in sweeps)


def _curve_figures(
    sweeps: Sequence[Sweep], names: Sequence[str], words: MetricWords, key: str
) -> list[Figure | None]:
    """Draw the curves against trials, and against seconds where they are known."""
    bounds = metric_bounds(sweeps[0].metric)
    level = 1 - (1 - _LEVEL) / len(sweeps)
    found: list[Figure | None] = []
    for unit in ("trials", "seconds"):
        if unit == "seconds" and not _timed(sweeps):
            continue
        curves = [
            sweep_curve(sweep, unit=unit, name=given, level=level)
            for sweep, given in zip(sweeps, names, strict=True)
        ]
        # A curve of one budget is a number, which the tables have.
        if all(len(curve.budgets) < 2 for curve in curves):
            continue
        found.append(curves_figure(curves, words, bounds, f"{key}-{unit}"))
    return found


def _verdicts(
    sweeps: Sequence[Sweep], names: Sequence[str], words: MetricWords
) -> list[str]:
    """Compare sweeps at the largest number of trials, and of seconds, that all have."""
    where = _where(sweeps[0])
    said = []
    # A trial of halving is mostly one on few tweets: such trials cannot be counted.
    counted = [
        (sweep, name)
        for sweep, name in zip(sweeps, names, strict=True)
        if sweep.strategy != "halving"
    ]
    if len(counted) > 1:
        found = compare_sweeps(
            [sweep for sweep, _ in counted], names=[name for _, name in counted]
        )
        said.append(found.verdict(words.short, where))
    if _timed(sweeps):
        shared = min(map(_seconds, sweeps))
        try:
            found = compare_sweeps(sweeps, seconds=shared, names=names)
            said.append(found.verdict(words.short, where))
        except ValueError as error:
            # One trial of a sweep may take longer than all of another.
            why = str(error).removeprefix("BudgetCurve: ")
            said.append(f"They are not compared by time: {why}")
    return said


def _comparison_section(
    sweeps: Sequence[Sweep], names: Sequence[str], key: str, title: str
) -> Section:
    words = metric_words(sweeps[0].metric, sweeps[0].greater_is_better)
    blocks: list[Block] = [
        Paragraph(spans(said), lead=place == 0)
        for place, said in enumerate(_verdicts(sweeps, names, words))
    ]
    blocks += [
        figure
        for figure in _curve_figures(sweeps, names, words, key)
        if figure is not None
    ]
    blocks.append(
        Note(
            "info",
            "What the bands say",
            (
                spans(
                    "They are about other draws of settings, judged on the same "
                    "tweets: what other tweets would say is not in them."
                ),
                spans(
                    "The best of many trials is flattered by the tweets it was chosen "
                    "on. Compare systems on the test set, once."
                ),
            ),
        )
    )
    return Section(key, title, tuple(blocks))


def _not_compared(groups: Sequence[Sequence[tuple[Sweep, str]]]) -> list[Section]:
    """Say of which sweeps of one task the scores cannot be compared, and why."""
    by_task: dict[str, list[Sequence[tuple[Sweep, str]]]] = {}
    for group in groups:
        by_task.setdefault(group[0][0].task, []).append(group)
    items = []
    for task, apart in by_task.items():
        reasons = differences([group[0][0] for group in apart])
        if not reasons:
            continue
        sets = "; ".join(join([given for _, given in group]) for group in apart)
        why = join([f"{what} ({join(values)})" for what, values in reasons.items()])
        items.append(spans(f"On {task}, these stand apart, by {why}: {sets}."))
    if not items:
        return []
    title = "Sweeps that are not compared with each other"
    return [Section("apart", title, (Note("info", "Not compared", tuple(items)),))]


def make_sweep_report(sweeps: Sequence[Sweep], *, title: str | None = None) -> Report:
    """Turn sweeps into a neutral report, for `render` and `write_report`.

    Parameters
    ----------
    sweeps : sequence of Sweep
        One or more. Those of one task, metric, evaluation and number of seeds are
        compared at equal budgets.
    title : str, optional
        Title; by default what was searched.

    Returns
    -------
    Report
        Best trials, curves, heat maps, parallel plots, failed trials, all trials.

    Raises
    ------
    ValueError
        If there is no sweep, or one without trials.
    """
    sweeps = list(sweeps)
    if not sweeps or not all(sweep.trials for sweep in sweeps):
        raise ValueError(
            "make_sweep_report: the 'sweeps' parameter must hold one or more sweeps, "
            f"each with trials. Got {[len(sweep.trials) for sweep in sweeps]} trials "
            "instead."
        )
    titles = names_of(sweeps)
    groups: dict[tuple[str, ...], list[tuple[Sweep, str]]] = {}
    for sweep, given in zip(sweeps, titles, strict=True):
        groups.setdefault(comparison_key(sweep), []).append((sweep, given))
    tasks = list(dict.fromkeys(sweep.task for sweep in sweeps))
    sections: list[Section] = []
    compared: set[int] = set()
    for place, group in enumerate(groups.values(), start=1):
        scored = [pair for pair in group if pair[0].best is not None]
        if len(scored) > 1:
            found = [sweep for sweep, _ in scored]
            compared |= set(map(id, found))
            on = f" on {found[0].task}, {_where(found[0])}" if len(groups) > 1 else ""
            sections.append(
                _comparison_section(
                    found,
                    [given for _, given in scored],
                    f"budget-{place}",
                    f"Equal budgets{on}",
                )
            )
    sections += _not_compared(list(groups.values()))
    if len(tasks) > 1:
        titles = [f"{t} on {s.task}" for t, s in zip(titles, sweeps, strict=True)]
    keys = [f"sweep-{slug}" for slug in unique_slugs(titles)]
    for sweep, heading, key in zip(sweeps, titles, keys, strict=True):
        sections.append(_sweep_section(sweep, heading, key, id(sweep) not in compared))
    systems = list(dict.fromkeys(sweep.system for sweep in sweeps))
    what = ", ".join(systems)
    n_trials = sum(len(sweep.trials) for sweep in sweeps)
    meta = [
        ("task", ", ".join(tasks)),
        ("trials", format_count(n_trials)),
        ("metric", ", ".join(dict.fromkeys(sweep.metric for sweep in sweeps))),
        ("scored on", ", ".join(dict.fromkeys(_where(sweep) for sweep in sweeps))),
    ]
    versions = sorted({sweep.version for sweep in sweeps if sweep.version})
    if versions:
        meta.append(("tweetclf", ", ".join(versions)))
    title = title or f"Search: {what} on {', '.join(tasks)}"
    subtitle = f"{plural(len(sweeps), 'sweep')} of {plural(n_trials, 'trial')}"
    if len(sweeps) > 1:
        subtitle += " in all"
    return Report(title, subtitle, tuple(meta), tuple(sections))


def write_sweep_report(
    sweeps: Sequence[Sweep],
    folder: str | os.PathLike[str],
    *,
    formats: Sequence[str] | None = None,
    title: str | None = None,
) -> list[Path]:
    """Write the report of sweeps.

    Parameters
    ----------
    sweeps : sequence of Sweep
        One or more.
    folder : str or path-like
        As in `write_report`.
    formats : sequence of str, optional
        Any of ``"html"``, ``"markdown"``, ``"latex"``, ``"csv"``, ``"json"``, or
        ``"all"``; by default HTML and JSON.
    title : str, optional
        Title; by default what was searched.

    Returns
    -------
    list of pathlib.Path
        The files written.

    Raises
    ------
    ValueError
        If there is no sweep, one without trials, or no such format.
    """
    from tweetclf.reports.publish import choose_formats
    from tweetclf.reports.rendering import write_report

    chosen = choose_formats(formats)
    report = make_sweep_report(sweeps, title=title)
    return write_report(report, folder, formats=chosen)
