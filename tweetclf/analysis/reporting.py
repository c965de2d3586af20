"""The report of a model's analyses: what was found, drawn and in numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tweetclf.analysis import _sections
from tweetclf.reports.model import Note, Report, Section, spans

if TYPE_CHECKING:
    from tweetclf.analysis.curves import PretrainingRun
    from tweetclf.analysis.heads import AttentionMap, HeadRedundancy
    from tweetclf.analysis.pair_coherence import Coherence
    from tweetclf.analysis.projection import TokenProjection
    from tweetclf.analysis.pseudo_likelihood import PseudoLikelihood
    from tweetclf.analysis.topk import TopKAccuracy

__all__ = ["ModelAnalysis", "make_analysis_report"]


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
        (found.likelihoods, _sections.likelihood_section),
        (found.coherence, _sections.coherence_section),
        (found.top_k, _sections.top_k_section),
        (found.redundancy, _sections.redundancy_section),
        (found.attention, _sections.attention_section),
        (found.projections, _sections.projection_section),
        (found.runs, _sections.runs_section),
    ]
    sections += [make(given) for given, make in makers if given]
    names = " and ".join(found.models)
    return Report(
        title or f"Analysis of {names}",
        "What a pretrained model knows, and how its parts differ",
        found.facts,
        tuple(sections),
    )
