"""The report of an advice: what to do next, and every figure that it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tweetclf.leaderboard.learning import FLOOR, MAX_RATIO, Extrapolation
from tweetclf.reports.auditing import make_audit_report
from tweetclf.reports.cost import cost_figure
from tweetclf.reports.curves import curve_figure
from tweetclf.reports.formatting import (
    format_count,
    format_interval,
    format_p,
    format_score,
    format_seconds,
    plural,
)
from tweetclf.reports.intervals import interval_figure
from tweetclf.reports.model import (
    Block,
    Cell,
    Code,
    Column,
    Figure,
    Heading,
    Note,
    Paragraph,
    Report,
    Row,
    Section,
    Table,
    spans,
    strong,
)
from tweetclf.reports.provenance import environment_table, protocol_sentence
from tweetclf.reports.ranked import ranked_table
from tweetclf.reports.reliability import reliability_figure
from tweetclf.reports.remarks import all_records, failure_note, warning_note
from tweetclf.reports.wording import MetricWords, metric_words, verdict

if TYPE_CHECKING:
    from tweetclf.leaderboard.advice import Advice
    from tweetclf.leaderboard.statistics import Comparison

__all__ = ["brief_report", "forecast_sentence", "make_advice_report"]

BRIEF = frozenset({"advice", "baselines", "curve", "transformer", "audit-summary"})
"""Sections that a terminal shows."""


def _words(advice: Advice) -> MetricWords:
    assert advice.board is not None
    facts = advice.board.facts
    return metric_words(facts.metric, facts.greater_is_better)


def _amount(value: float, words: MetricWords, signed: bool = False) -> str:
    """Write a difference of scores: points, or the plain number of errors."""
    scaled = 100 * value if words.greater_is_better else value
    sign = "+" if signed else ""
    text = format(scaled, f"{sign}.1f" if words.greater_is_better else f"{sign}.3g")
    return text.replace("-", "\N{MINUS SIGN}")


def forecast_sentence(found: Extrapolation, words: MetricWords) -> str:
    """Say what more labels are expected to bring.

    Parameters
    ----------
    found : Extrapolation
        Of :meth:`FittedCurve.extrapolate`.
    words : MetricWords
        The metric.

    Examples
    --------
    What ``tweetclf advise tweeteval-irony`` says:

    >>> from tweetclf.leaderboard.learning import Extrapolation
    >>> from tweetclf.reports.advising import forecast_sentence
    >>> from tweetclf.reports.wording import metric_words
    >>> words = metric_words("f1|average:binary|pos:irony|zero:0|v1")
    >>> more = Extrapolation(
    ...     2862, 4862, 0.681, 0.645, 0.718, 0.044, 0.017, 0.071, 0.95
    ... )
    >>> forecast_sentence(more, words)
    '2,000 more labels: +4.4 ± 2.7 points of F1 of irony (95 % interval)'
    """
    unit = f"points of {words.short}" if words.greater_is_better else words.short
    if not words.greater_is_better:
        unit = f"off the {unit}"
    return (
        f"{plural(found.n_to - found.n_from, 'more label')}: "
        f"{_amount(found.gain, words, True)} ± {_amount(found.margin, words)} {unit} "
        f"({100 * found.level:g} % interval)"
    )


# -- sections -----------------------------------------------------------------------


def _advice_section(advice: Advice) -> Section:
    first, *others = advice.actions
    blocks: list[Block] = [
        Paragraph(spans(strong(f"{first.title}."), f" {first.reason}"), lead=True)
    ]
    if advice.forecast is not None:
        said = forecast_sentence(advice.forecast, _words(advice))
        blocks.append(Paragraph(spans(f"{said}.")))
    if others:
        items = tuple(spans(strong(f"{a.title}."), f" {a.reason}") for a in others)
        blocks.append(Note("info", "Then", items))
    rows = (
        Row(
            (Cell(i, str(i)), *(Cell(v, v) for v in (a.key, a.title, a.reason))), "data"
        )
        for i, a in enumerate(advice.actions, start=1)
    )
    columns = (
        Column("place", "#", "right", "rank"),
        Column("key", "Action"),
        Column("title", "What to do"),
        Column("reason", "Why"),
    )
    blocks.append(
        Table(
            "actions",
            "What to do, first things first",
            columns,
            tuple(rows),
            folded=True,
        )
    )
    return Section("advice", "What to do next", tuple(blocks))


def _baselines_section(advice: Advice) -> Section:
    title = "Baselines"
    board = advice.board
    if board is None:
        said = f"{advice.no_forecast[:1].upper()}{advice.no_forecast[1:]}."
        return Section("baselines", title, (Paragraph(spans(said)),))
    words, n = _words(advice), advice.n_resamples
    blocks: list[Block | None] = [
        Paragraph(verdict(board, words, n), lead=True),
        Paragraph(protocol_sentence(board)),
        _scorings_note(advice),
        ranked_table(board, words, n, "ranking"),
        failure_note(board),
        warning_note(board),
    ]
    if advice.skipped:
        items = tuple(spans(reason) for _, reason in advice.skipped)
        blocks.append(Note("info", "Not run", items))
    blocks += [
        interval_figure(board, words, n, "intervals"),
        cost_figure(board, words, n, "cost"),
        reliability_figure(board, "reliability"),
    ]
    return Section("baselines", title, tuple(b for b in blocks if b is not None))


def _scorings_note(advice: Advice) -> Note | None:
    """Say how often test was scored, and that the best was chosen on it."""
    n = advice.n_test_scorings
    if not n:
        return None
    said = (
        f"For this report the test split was scored {plural(n, 'time')}: once by each "
        "baseline, and by each smaller model of the learning curve. The best baseline "
        "was chosen on it, so its score flatters a little. A store that was named "
        "(--store) counts these scorings."
    )
    return Note("info", "Test was looked at", (spans(said),))


def _number(value: float, text: str) -> Cell:
    return Cell(float(value), text)


def _forecast_table(advice: Advice, words: MetricWords) -> Table:
    gain = f"Gain in {words.short}"
    columns = (
        Column("more", "More labels", "right", "count"),
        Column("labels", "In all", "right", "count"),
        Column("score", "Expected score", "right", "score"),
        Column("interval", "Its 95 % interval", "center"),
        Column("gain", gain + (", points" if words.greater_is_better else ""), "right"),
        Column("gain_interval", "Its 95 % interval", "center"),
        Column("score_low", "Score low", "right", "score", data_only=True),
        Column("score_high", "Score high", "right", "score", data_only=True),
        Column("gain_low", "Gain low", "right", "score", data_only=True),
        Column("gain_high", "Gain high", "right", "score", data_only=True),
    )
    rows = []
    for found in advice.forecasts:
        more = found.n_to - found.n_from
        ends = (
            f"{_amount(found.gain_low, words, True)} to "
            f"{_amount(found.gain_high, words, True)}"
        )
        cells = (
            Cell(more, format_count(more)),
            Cell(found.n_to, format_count(found.n_to)),
            _number(found.score, format_score(found.score)),
            Cell(None, format_interval(found.score_low, found.score_high)),
            _number(found.gain, _amount(found.gain, words, True)),
            Cell(None, ends),
            *(
                _number(v, format_score(v))
                for v in (
                    found.score_low,
                    found.score_high,
                    found.gain_low,
                    found.gain_high,
                )
            ),
        )
        rows.append(Row(cells, "data"))
    return Table(
        "forecasts",
        f"What more labels are expected to bring to {advice.best}",
        columns,
        tuple(rows),
        header_column="more",
    )


def _curve_section(advice: Advice) -> Section | None:
    if advice.board is None:
        return None
    words = _words(advice)
    blocks: list[Block | None] = []
    if advice.forecast is not None:
        said = forecast_sentence(advice.forecast, words)
        blocks.append(Paragraph(spans(f"{said}."), lead=True))
    elif advice.no_forecast:
        said = f"No forecast: {advice.no_forecast.rstrip('.')}."
        blocks.append(Paragraph(spans(said), lead=True))
    if advice.curve is not None:
        blocks.append(curve_figure(advice, words, "learning"))
    if advice.fitted is not None:
        blocks += [
            _forecast_table(advice, words),
            Paragraph(spans(_how_followed(advice))),
        ]
    return Section(
        "curve",
        "What more labels would bring",
        tuple(b for b in blocks if b is not None),
    )


def _how_followed(advice: Advice) -> str:
    assert advice.fitted is not None
    weights = "; ".join(
        f"{family} {100 * weight:.0f} %"
        for family, weight in advice.fitted.weights.items()
    )
    assert advice.curve is not None
    largest = format_count(int(advice.curve.sizes[-1]))
    text = (
        f"The curve is a weighted average of three families ({weights}), fitted to "
        f"training sets of up to {largest} labels. Its interval holds the spread of "
        "the measured scores, the disagreement of the families, and the error of such "
        f"extrapolations on tasks whose answer was known ({100 * FLOOR:.1f} points a "
        f"doubling). It supposes that further tweets are like these. Beyond "
        f"{MAX_RATIO:g} times the labels nothing is said."
    )
    if advice.no_forecast and advice.forecast is not None:
        text += f" {advice.no_forecast[:1].upper()}{advice.no_forecast[1:]}"
    return text


def _transformer_section(advice: Advice) -> Section | None:
    if not advice.comparisons or advice.rival is None:
        return None
    words = _words(advice)
    found = advice.comparisons[0]
    rival = advice.rival
    said = [f"From {rival.source}, on {plural(found.n_samples, 'tweet')}."]
    if rival.cost is not None:
        said.append(f"It took {format_seconds(rival.cost.fit_seconds)} to train.")
    said.append(
        f"What does not matter was set to {_amount(found.margin or 0.0, words)}"
        f"{' points' if words.greater_is_better else ''}; p-values are adjusted after "
        f"Holm over {plural(found.family_size, 'comparison')}."
    )
    if advice.evaluation == "cv":
        said.append(
            "The baselines' predictions are those of models trained without the row; "
            "the comparison is fair only if the same is true of the other's."
        )
    return Section(
        "transformer",
        "Is the transformer worth it?",
        (
            Paragraph(spans(found.verdict), lead=True),
            Paragraph(spans(" ".join(said))),
            _comparison_table(advice.comparisons, words),
        ),
    )


def _comparison_table(comparisons: Sequence[Comparison], words: MetricWords) -> Table:
    columns = (
        Column("system", "Baseline"),
        Column("score", "Its score", "right", "score"),
        Column("other", comparisons[0].names[0], "right", "score"),
        Column("difference", "Difference", "right", "score"),
        Column("interval", "95 % interval", "center"),
        Column("p", "p of a difference", "right", "p"),
        Column("p_equivalence", "p of equivalence", "right", "p"),
        Column("low", "Low", "right", "score", data_only=True),
        Column("high", "High", "right", "score", data_only=True),
        Column("verdict", "Verdict", data_only=True),
    )
    rows = []
    for found in comparisons:
        low, high = found.interval
        ends = f"{_amount(low, words, True)} to {_amount(high, words, True)}"
        p, q = found.p_adjusted, found.p_equivalence_adjusted
        cells = (
            Cell(found.names[1], found.names[1]),
            _number(found.scores[1], format_score(found.scores[1])),
            _number(found.scores[0], format_score(found.scores[0])),
            _number(found.difference, _amount(found.difference, words, True)),
            Cell(None, ends),
            Cell(p, format_p(p)),
            Cell(q, format_p(q)),
            _number(low, format_score(low)),
            _number(high, format_score(high)),
            Cell(found.verdict, found.verdict),
        )
        rows.append(Row(cells, "data"))
    unit = "in points" if words.greater_is_better else f"in {words.short}"
    return Table(
        "comparisons",
        f"{comparisons[0].names[0]} against each baseline, differences {unit}",
        columns,
        tuple(rows),
        header_column="system",
    )


def _audit_sections(advice: Advice) -> list[Section]:
    found = make_audit_report(advice.audit).sections
    return [
        Section(f"audit-{section.key}", f"Audit: {section.title}", section.blocks)
        for section in found
    ]


def _method_section(advice: Advice, command: str | None) -> Section:
    said = (
        "Fit is the time of one training, alone and from the texts; memory the growth "
        "of the process's peak resident memory meanwhile. No setting was searched for: "
        "each baseline has the values of its paper. Intervals and tests rest on "
        f"{format_count(advice.n_resamples)} bootstrap resamples of the scored tweets; "
        "the best of several baselines is a little flattered by having been chosen on "
        f"them. Seed {advice.seed}."
    )
    blocks: list[Block] = []
    if advice.board is not None:
        blocks.append(Paragraph(spans(said)))
        records = all_records([advice.board])
        table = environment_table(records)
        blocks += [table] if table is not None else []
    if command:
        blocks += [Heading("To reproduce"), Code(command)]
    return Section("method", "How these numbers were made", tuple(blocks))


def make_advice_report(advice: Advice, *, command: str | None = None) -> Report:
    """Turn an advice into a neutral report, for `render` and `write_report`.

    Parameters
    ----------
    advice : Advice
        What was measured.
    command : str, optional
        Command that makes the same numbers, shown at the end.

    Returns
    -------
    Report
        What to do next, the baselines, the learning curve, the transformer, the audit.
    """
    sections = [
        _advice_section(advice),
        _baselines_section(advice),
        _curve_section(advice),
        _transformer_section(advice),
        *_audit_sections(advice),
        _method_section(advice, command),
    ]
    scored = {
        "cv": "every row scored by models trained without it",
        "test": "scored on test",
    }[advice.evaluation]
    meta = [("task", advice.task), ("labels", format_count(advice.n_labels))]
    if advice.best is not None:
        meta.append(("best baseline", advice.best))
    return Report(
        f"Is BERT worth it? {advice.task}",
        f"{plural(advice.n_labels, 'label')} to train on; {scored}",
        tuple(meta),
        tuple(
            section for section in sections if section is not None and section.blocks
        ),
    )


def brief_report(report: Report) -> Report:
    """Return the part of a report that a terminal shows.

    Parameters
    ----------
    report : Report
        Of `make_advice_report`.
    """
    sections = []
    for section in report.sections:
        if section.key in BRIEF:
            blocks = tuple(block for block in section.blocks if _is_brief(block))
            sections.append(Section(section.key, section.title, blocks))
    return Report(report.title, report.subtitle, report.meta, tuple(sections))


def _is_brief(block: Block) -> bool:
    """Leave out what says again what stands beside it."""
    if isinstance(block, Figure):
        return block.key == "learning"
    return not (isinstance(block, Table) and block.folded)
