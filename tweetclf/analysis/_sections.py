"""The sections of the report of a model's analyses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tweetclf.analysis._figures import draw_figure, numbers_table
from tweetclf.analysis.displays import (
    AttentionDisplay,
    CurvesDisplay,
    EstimatesDisplay,
    HeadMapDisplay,
    TokenMapDisplay,
)
from tweetclf.reports.axes import WIDTH
from tweetclf.reports.formatting import (
    format_count,
    format_interval,
    format_score,
    plural,
)
from tweetclf.reports.model import Block, Paragraph, Scalar, Section, spans, strong

if TYPE_CHECKING:
    from tweetclf.analysis.curves import PretrainingRun
    from tweetclf.analysis.heads import AttentionMap, HeadRedundancy
    from tweetclf.analysis.pair_coherence import Coherence
    from tweetclf.analysis.projection import TokenProjection
    from tweetclf.analysis.pseudo_likelihood import PseudoLikelihood
    from tweetclf.analysis.topk import TopKAccuracy

__all__ = [
    "attention_section",
    "coherence_section",
    "likelihood_section",
    "projection_section",
    "redundancy_section",
    "runs_section",
    "top_k_section",
]


def likelihood_section(found: Sequence[PseudoLikelihood]) -> Section:
    """Say how well models foretell the tokens of texts."""
    said = "; ".join(
        f"{f.model} {format_score(f.mean)} ({format_interval(f.low, f.high)})"
        for f in found
    )
    table = numbers_table(
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
        draw_figure(
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


def coherence_section(found: Sequence[Coherence]) -> Section:
    """Say how often models are right about replies."""
    said = "; ".join(
        f"{f.model}, {f.name}: {format_score(f.accuracy)} "
        f"({format_interval(f.low, f.high)})"
        for f in found
    )
    table = numbers_table(
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
        draw_figure(
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


def top_k_section(found: TopKAccuracy) -> Section:
    """Say where models rank hidden words."""
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
        draw_figure(
            CurvesDisplay.from_top_k,
            found,
            numbers_table("top-k-data", ("K", "Accuracy", "Low", "High"), rows),
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


def redundancy_section(found: Sequence[HeadRedundancy]) -> Section:
    """Show which attention heads do the same."""
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
            draw_figure(
                HeadMapDisplay.from_redundancy,
                one,
                numbers_table(f"{key}-data", ("x", "y", "Mean divergence"), rows),
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


def attention_section(found: Sequence[AttentionMap]) -> Section:
    """Show what single heads look at."""
    blocks: list[Block] = [
        Paragraph(
            spans(
                "Some heads that differ most, on one text: lines go from each token, "
                "on the left, to those that the head looks at. Weights below one and a "
                "half times the even share are not drawn."
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
        is_even = one.weights.max() * len(one.tokens) < 1.5  # no line is drawn
        blocks.append(
            draw_figure(
                AttentionDisplay.from_map,
                one,
                numbers_table(f"{key}-data", ("Looks most at", "Weight"), rows),
                key=key,
                title=f"Attention of {where}",
                said="; ".join(f"{a} to {b} {format_score(w)}" for a, b, w in rows),
                caption=f"Attention of {where}"
                + (": nearly even, so that no line is drawn." if is_even else "."),
                height=60 + 20 * len(one.tokens),
                margins=(130, 34, 130, 16),
            )
        )
    return Section("attention", "Attention of single heads", tuple(blocks))


def projection_section(found: Sequence[TokenProjection]) -> Section:
    """Show where models put classes of tokens."""
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
            draw_figure(
                TokenMapDisplay.from_projection,
                one,
                numbers_table(f"{key}-data", ("Class", "x", "y"), rows),
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


def runs_section(found: Sequence[PretrainingRun]) -> Section:
    """Show how models were learnt."""
    quantities = [
        name
        for name in sorted({key for run in found for key in run.values})
        if name == "loss" or name.startswith("parts.") or name.endswith("loss")
    ]
    blocks: list[Block] = [
        Paragraph(
            spans(
                "Thin: as measured. Thick: a moving average in which the past weighs "
                "0.9. What was measured on held-out documents is drawn as it is."
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
            draw_figure(
                lambda runs, ax, q=quantity: CurvesDisplay.from_runs(
                    runs, q, smoothing=0.0 if q.startswith("valid_") else 0.9, ax=ax
                ),
                own,
                numbers_table(f"{key}-data", ("Step", quantity), rows),
                key=key,
                title=f"{quantity} while learning",
                said=f"at the end: {last}",
                caption=f"{quantity} by step; at the end {last}.",
                height=330,
                margins=(58, 30, 150, 50),
            )
        )
    return Section("runs", "Pre-training", tuple(blocks))
