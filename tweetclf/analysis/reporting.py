"""The report of a model's analyses: what was found, drawn and in numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tweetclf.analysis.displays import (
    AttentionDisplay,
    CurvesDisplay,
    EstimatesDisplay,
    HeadMapDisplay,
    TokenMapDisplay,
)
from tweetclf.reports.axes import WIDTH
from tweetclf.reports.displays._style import page_style
from tweetclf.reports.drawing import Drawing, defaults
from tweetclf.reports.formatting import (
    finite,
    format_count,
    format_interval,
    format_score,
    plural,
)
from tweetclf.reports.model import (
    Block,
    Cell,
    Column,
    Figure,
    Note,
    Paragraph,
    Report,
    Row,
    Scalar,
    Section,
    Table,
    spans,
    strong,
)

if TYPE_CHECKING:
    from tweetclf.analysis.curves import PretrainingRun
    from tweetclf.analysis.heads import AttentionMap, HeadRedundancy
    from tweetclf.analysis.pair_coherence import Coherence
    from tweetclf.analysis.projection import TokenProjection
    from tweetclf.analysis.pseudo_likelihood import PseudoLikelihood
    from tweetclf.analysis.topk import TopKAccuracy
    from tweetclf.reports.displays._base import Display

__all__ = ["ModelAnalysis", "make_analysis_report"]

Margins = tuple[float, float, float, float]
_MARGINS: Margins = (58, 30, 26, 50)  # left, top, right and bottom, in pixels
_NAME = Column("name", "Name")


@dataclass(frozen=True, kw_only=True)
class ModelAnalysis:
    """What was found out about one or more models.

    Parameters
    ----------
    models : tuple of str
        Names of the models.
    likelihoods : tuple of PseudoLikelihood, default=()
        One a model.
    coherence : tuple of Coherence, default=()
        Two a model that has a head for pairs.
    top_k : TopKAccuracy, optional
        Of all models on the same words.
    redundancy : tuple of HeadRedundancy, default=()
        One a model.
    attention : tuple of AttentionMap, default=()
        Some heads of each model, on one text.
    projections : tuple of TokenProjection, default=()
        Some of each model.
    runs : tuple of PretrainingRun, default=()
        How models were learnt.
    facts : tuple of (str, str), default=()
        What texts, how many, which seed.
    left_out : tuple of str, default=()
        What was not done, and why.
    """

    models: tuple[str, ...]
    likelihoods: tuple[PseudoLikelihood, ...] = ()
    coherence: tuple[Coherence, ...] = ()
    top_k: TopKAccuracy | None = None
    redundancy: tuple[HeadRedundancy, ...] = ()
    attention: tuple[AttentionMap, ...] = ()
    projections: tuple[TokenProjection, ...] = ()
    runs: tuple[PretrainingRun, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    left_out: tuple[str, ...] = ()


def make_analysis_report(found: ModelAnalysis, *, title: str | None = None) -> Report:
    """Put analyses of models into a report.

    Parameters
    ----------
    found : ModelAnalysis
        What was found out.
    title : str, optional
        Title; by default the names of the models.

    Returns
    -------
    Report
        For :func:`tweetclf.reports.write_report`.
    """
    sections: list[Section] = []
    if found.left_out:
        items = tuple(spans(reason) for reason in found.left_out)
        note = Note("info", "Left out", items)
        sections.append(Section("left-out", "What was not done", (note,)))
    makers: list[tuple[Any, Callable[[Any], Section]]] = [
        (found.likelihoods, _likelihood_section),
        (found.coherence, _coherence_section),
        (found.top_k, _top_k_section),
        (found.redundancy, _redundancy_section),
        (found.attention, _attention_section),
        (found.projections, _projection_section),
        (found.runs, _runs_section),
    ]
    sections += [make(given) for given, make in makers if given]
    names = " and ".join(found.models)
    return Report(
        title or f"Analysis of {names}",
        "What a pretrained model knows, and how its parts differ",
        found.facts,
        tuple(sections),
    )


# -- sections -----------------------------------------------------------------------


def _likelihood_section(found: Sequence[PseudoLikelihood]) -> Section:
    said = "; ".join(
        f"{f.model} {format_score(f.mean)} ({format_interval(f.low, f.high)})"
        for f in found
    )
    table = _table(
        "likelihood-data",
        (
            *("Texts", "Mean, gamma", "Low", "High", "Pseudo-perplexity"),
            *("Tokens", "Texts cut"),
        ),
        [
            (
                f.model,
                len(f.sums),
                f.mean,
                f.low,
                f.high,
                f.perplexity,
                int(f.n_terms.sum()),
                f.n_truncated,
            )
            for f in found
        ],
    )
    below = "its tokens"
    if found[0].divisor == "with_special":
        below = "its tokens and those that the tokenizer adds"
    blocks: list[Block] = [
        Paragraph(
            spans(
                "Each token of each text was hidden in turn. The mean "
                f"log-probability of a hidden token, a text's sum over {below}, is "
                "averaged over texts. Models with different tokenizers foretell "
                "different tokens: their values are not comparable."
            )
        ),
        _figure(
            EstimatesDisplay.from_likelihoods,
            found,
            table,
            key="likelihood",
            title="Mean pseudo-log-likelihood",
            said=said,
            caption="Mean pseudo-log-likelihood of a token in nats, with 95 % "
            "bootstrap intervals over texts.",
            height=90 + 34 * len(found),
            margins=(190, 20, 70, 50),
        ),
    ]
    return Section("likelihood", "Pseudo-log-likelihood", tuple(blocks))


def _coherence_section(found: Sequence[Coherence]) -> Section:
    said = "; ".join(
        f"{f.model}, {f.name}: {format_score(f.accuracy)} "
        f"({format_interval(f.low, f.high)})"
        for f in found
    )
    table = _table(
        "coherence-data",
        ("Pairs", "Accuracy", "Low", "High", "Of right pairs", "Of wrong pairs"),
        [
            (
                f"{f.model}, {f.name}",
                len(f.labels),
                f.accuracy,
                f.low,
                f.high,
                f.accuracy_right,
                f.accuracy_wrong,
            )
            for f in found
        ],
    )
    blocks: list[Block] = [
        Paragraph(
            spans(
                strong("topic"),
                ": right replies against replies to other posts. ",
                strong("order"),
                ": pairs as they were written against exchanged ones. Half of the "
                "pairs are right, so that chance is 0.5.",
            )
        ),
        _figure(
            EstimatesDisplay.from_coherence,
            found,
            table,
            key="coherence",
            title="Accuracy on right and wrong replies",
            said=said,
            caption="Accuracy on both sets, with 95 % bootstrap intervals; dashed: "
            "chance.",
            height=90 + 34 * len(found),
            margins=(190, 20, 70, 50),
        ),
    ]
    return Section("coherence", "Coherence of conversations", tuple(blocks))


def _top_k_section(found: TopKAccuracy) -> Section:
    rows = []
    for i, model in enumerate(found.models):
        for j, k in enumerate(found.ks):
            score, low, high = found.accuracy[i, j], found.low[i, j], found.high[i, j]
            rows.append((model, k, float(score), float(low), float(high)))
    said = "; ".join(f"{m}, K = {k}: {format_score(s)}" for m, k, s, _, _ in rows)
    share = f"{format_count(len(found.words))} of {plural(found.n_texts, 'text')}"
    blocks: list[Block] = [
        Paragraph(
            spans(
                f"In {share} one word was hidden that is one token for "
                f"{'all models' if len(found.models) > 1 else 'the model'}, and each "
                "ranked its whole vocabulary."
            )
        ),
        _figure(
            CurvesDisplay.from_top_k,
            found,
            _table("top-k-data", ("K", "Accuracy", "Low", "High"), rows),
            key="top-k",
            title="Hidden words among the K best",
            said=said,
            caption="Share of hidden words among the K best guesses, with 95 % "
            "bootstrap intervals over texts.",
            height=330,
            margins=(58, 30, 150, 50),
        ),
    ]
    return Section("top-k", "Hidden words", tuple(blocks))


def _redundancy_section(found: Sequence[HeadRedundancy]) -> Section:
    blocks: list[Block] = [
        Paragraph(
            spans(
                "Each mark is an attention head, with the number of its layer; heads "
                "that look at the same tokens are near each other. The divergence of "
                "two heads is 0 where they are equal and at most "
                f"{format_score(math.log(2))}."
            )
        )
    ]
    for number, one in enumerate(found):
        key = f"heads-{number + 1}"
        rows = [
            (
                f"layer {k // one.n_heads + 1}, head {k % one.n_heads + 1}",
                float(x),
                float(y),
                float(np.delete(one.divergences[k], k).mean())
                if len(one.divergences) > 1
                else None,
            )
            for k, (x, y) in enumerate(one.positions)
        ]
        within = "; ".join(
            f"layer {i + 1} {format_score(v)}" for i, v in enumerate(one.mean_within)
        )
        blocks.append(
            _figure(
                HeadMapDisplay.from_redundancy,
                one,
                _table(f"{key}-data", ("x", "y", "Mean divergence"), rows),
                key=key,
                title=f"Attention heads of {one.model}",
                said=f"mean divergence {format_score(one.mean)}; within layers: "
                f"{within}",
                caption=f"Heads of {one.model}: mean divergence of two heads "
                f"{format_score(one.mean)}, over {plural(one.n_texts, 'text')}; "
                f"stress of the map {one.stress:.2f}.",
                height=WIDTH,
                margins=(20, 30, 20, 50),
            )
        )
    return Section("heads", "Redundancy of attention heads", tuple(blocks))


def _attention_section(found: Sequence[AttentionMap]) -> Section:
    blocks: list[Block] = [
        Paragraph(
            spans(
                "Some heads that differ most, on one text: lines go from each token, "
                "on the left, to those that the head looks at. Weights below 0.05 are "
                "not drawn."
            )
        )
    ]
    for number, one in enumerate(found):
        key = f"attention-{number + 1}"
        best = one.weights.argmax(axis=1)
        rows = [
            (token, one.tokens[best[i]], float(one.weights[i, best[i]]))
            for i, token in enumerate(one.tokens)
        ]
        where = f"layer {one.layer + 1}, head {one.head + 1} of {one.model}"
        blocks.append(
            _figure(
                AttentionDisplay.from_map,
                one,
                _table(f"{key}-data", ("Looks most at", "Weight"), rows),
                key=key,
                title=f"Attention of {where}",
                said="; ".join(f"{a} to {b} {format_score(w)}" for a, b, w in rows),
                caption=f"Attention of {where}.",
                height=60 + 20 * len(one.tokens),
                margins=(130, 34, 130, 16),
            )
        )
    return Section("attention", "Attention of single heads", tuple(blocks))


def _projection_section(found: Sequence[TokenProjection]) -> Section:
    blocks: list[Block] = []
    for number, one in enumerate(found):
        key = f"tokens-{number + 1}"
        rows = [
            (token, name, float(x), float(y))
            for token, name, (x, y) in zip(
                one.tokens, one.classes, one.positions, strict=True
            )
        ]
        counts = ", ".join(
            f"{one.classes.count(name)} {name}" for name in sorted(set(one.classes))
        )
        what = "Input embeddings" if one.source == "embeddings" else "Words in texts"
        blocks.append(
            _figure(
                TokenMapDisplay.from_projection,
                one,
                _table(f"{key}-data", ("Class", "x", "y"), rows),
                key=key,
                title=f"{what} of {one.model}",
                said=counts,
                caption=f"{what} of {one.model} by t-SNE: {counts}. Only which tokens "
                "are neighbours means something.",
                height=420,
                margins=(16, 30, 140, 50),
            )
        )
    return Section("tokens", "Classes of tokens", tuple(blocks))


def _runs_section(found: Sequence[PretrainingRun]) -> Section:
    quantities = [
        name
        for name in sorted({key for run in found for key in run.values})
        if name == "loss" or name.startswith("parts.") or name.endswith("loss")
    ]
    blocks: list[Block] = [
        Paragraph(
            spans(
                "Thin: as measured. Thick: a moving average in which the past weighs "
                "0.9."
            )
        )
    ]
    for quantity in quantities:
        own = [r for r in found if quantity in r.values and len(r.known(quantity)[0])]
        if not own:
            continue
        key = f"run-{quantity.replace('.', '-')}"
        rows: list[tuple[Scalar, ...]] = []
        for run in own:
            steps, values = run.known(quantity)
            kept = np.unique(np.linspace(0, len(steps) - 1, 50).round().astype(int))
            rows += [
                (run.name, int(s), float(v))
                for s, v in zip(steps[kept], values[kept], strict=True)
            ]
        last = "; ".join(f"{r.name} {format_score(r.last(quantity))}" for r in own)
        blocks.append(
            _figure(
                lambda runs, ax, q=quantity: CurvesDisplay.from_runs(runs, q, ax=ax),
                own,
                _table(f"{key}-data", ("Step", quantity), rows),
                key=key,
                title=f"{quantity} while learning",
                said=f"at the end: {last}",
                caption=f"{quantity} by step; at the end {last}.",
                height=330,
                margins=(58, 30, 150, 50),
            )
        )
    return Section("runs", "Pre-training", tuple(blocks))


# -- parts --------------------------------------------------------------------------


def _figure(
    draw: Any,
    given: Any,
    data: Table,
    *,
    key: str,
    title: str,
    said: str,
    caption: str,
    height: float,
    margins: Margins = _MARGINS,
) -> Figure:
    """Draw a display in the style of the page."""
    with defaults():
        drawing = Drawing(key, WIDTH, height)
        axes = drawing.axes(*margins)
        display: Display = _undrawn(draw, given)
        display.plot(axes, style=page_style(drawing))
        svg = drawing.svg(title, f"{said}.")
    return Figure(key, svg, f"{title}. {said}.", caption, data)


def _undrawn(draw: Any, given: Any) -> Display:
    """Make a display on axes that are thrown away; the page draws it again."""
    from matplotlib.figure import Figure as Canvas

    made: Display = draw(given, ax=Canvas(figsize=(6, 5)).add_subplot())
    return made


def _table(
    key: str, headers: Sequence[str], rows: Sequence[tuple[Scalar, ...]]
) -> Table:
    """Make the numbers of a figure: the first column names the rows."""
    kinds = [
        any(isinstance(row[i + 1], int | float) for row in rows)
        for i in range(len(headers))
    ]
    columns = [_NAME] + [
        Column(
            f"column-{i + 1}",
            header,
            "right" if is_number else "left",
            "score" if is_number else "",
        )
        for i, (header, is_number) in enumerate(zip(headers, kinds, strict=True))
    ]
    return Table(
        key,
        "Numbers of the figure",
        tuple(columns),
        tuple(Row(tuple(map(_cell, row)), "data") for row in rows),
        header_column="name",
    )


def _cell(value: Scalar) -> Cell:
    if isinstance(value, float):
        return Cell(finite(value), format_score(value))
    if isinstance(value, int):
        return Cell(value, format_count(value))
    return Cell(value, "" if value is None else str(value))
