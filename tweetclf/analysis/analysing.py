"""All analyses of some models on the same texts, one after another."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal

from tweetclf.analysis._models import LoadedModel, load_model
from tweetclf.analysis.curves import PretrainingRun
from tweetclf.analysis.heads import (
    AttentionMap,
    HeadRedundancy,
    attention_maps,
    head_redundancy,
)
from tweetclf.analysis.naming import ANALYSES
from tweetclf.analysis.pair_coherence import Coherence, measure_coherence
from tweetclf.analysis.projection import TokenProjection, project_tokens
from tweetclf.analysis.pseudo_likelihood import PseudoLikelihood, pseudo_log_likelihood
from tweetclf.analysis.reporting import ModelAnalysis
from tweetclf.analysis.topk import TopKAccuracy, top_k_accuracy
from tweetclf.exceptions import DataError, ModelFormatError

__all__ = ["analyse_models"]

_N_MAPS = 3
_HEAD_TEXTS = 100


class _Analysis:
    """What is found out, step by step; what cannot be is written down with its reason.

    A model without a head for pairs must not cost the rest of the report.
    """

    def __init__(self, on_step: Callable[[str], None], options: dict[str, Any]) -> None:
        self.on_step = on_step
        self.options = options
        self.left_out: list[str] = []

    def open(self, model: Any, head: Any, what: str) -> LoadedModel | None:
        """Open a model with a head, or say why not."""
        try:
            return load_model(
                model, head=head, device=self.options["device"], caller=what
            )
        except ModelFormatError as error:
            if head == "none":
                raise
            self.left_out.append(str(error))
            return None

    def attempt(
        self, what: str, function: Callable[..., Any], *given: Any, **options: Any
    ) -> Any:
        """Do a step, or say why it cannot be done with these texts."""
        self.on_step(f"{what} ...")
        try:
            return function(*given, **options)
        except (DataError, ModelFormatError) as error:
            self.left_out.append(f"{what}: {error}")
            return None


def analyse_models(
    models: Sequence[str | os.PathLike[str]],
    texts: Sequence[str],
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    runs: Sequence[PretrainingRun] = (),
    kinds: Collection[str] = ANALYSES,
    divisor: Literal["tokens", "with_special"] = "tokens",
    max_length: int = 128,
    random_state: int = 0,
    device: str = "auto",
    facts: Sequence[tuple[str, str]] = (),
    on_step: Callable[[str], None] | None = None,
) -> ModelAnalysis:
    """Run all analyses that are asked for and that the models allow.

    Parameters
    ----------
    models : sequence of str or path
        Directories of Hugging Face models with their tokenizers.
    texts : sequence of str
        What they are analysed on.
    pairs : sequence of (str, str), optional
        Posts with their replies, for coherence.
    runs : sequence of PretrainingRun, default=()
        Metrics of pre-trainings.
    kinds : collection of str, default=ANALYSES
        Which analyses.
    divisor : {"tokens", "with_special"}, default="tokens"
        See `pseudo_log_likelihood`.
    max_length : int, default=128
        Most tokens of a text or pair.
    random_state : int, default=0
        Seed of all that is drawn.
    device : str, default="auto"
        Where to compute.
    facts : sequence of (str, str), default=()
        What the report says of texts and settings.
    on_step : callable, optional
        Called with words before each step.

    Returns
    -------
    ModelAnalysis
        For `make_analysis_report`; what a model has no head for, and what the texts
        are too few for, stands in its ``left_out`` with the reason.

    Raises
    ------
    ValueError
        If one of `kinds` is unknown.
    MissingFileError
        If there is no such model.
    ModelFormatError
        If a model cannot be read.
    """
    unknown = sorted(set(kinds) - set(ANALYSES))
    if unknown:
        raise ValueError(
            f"analyse_models: the 'kinds' parameter must be of {ANALYSES}. Got "
            f"{unknown[0]!r} among them."
        )
    shared: dict[str, Any] = {
        "max_length": max_length,
        "random_state": random_state,
        "device": device,
        "verbose": True,
    }
    steps = _Analysis(on_step or (lambda words: None), shared)
    plain = [steps.open(model, "none", "tweetclf analyze") for model in models]
    names = _names([p.name for p in plain if p is not None], models)
    likelihoods, top_k = _foretold(steps, models, names, texts, kinds, divisor)
    coherence: list[Coherence] = []
    if "coherence" in kinds and pairs is not None:
        coherence = _coherent(steps, models, names, pairs)
    redundancy, attention, projections = _inner(steps, plain, names, texts, kinds)
    return ModelAnalysis(
        models=tuple(names),
        likelihoods=tuple(likelihoods),
        coherence=tuple(coherence),
        top_k=top_k,
        redundancy=tuple(redundancy),
        attention=tuple(attention),
        projections=tuple(projections),
        runs=tuple(runs) if "runs" in kinds else (),
        facts=tuple(facts),
        left_out=tuple(steps.left_out),
    )


def _names(names: list[str], models: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Return what models are called: their folders, or whole paths if these agree."""
    if len(set(names)) == len(names):
        return names
    return [os.fspath(model) for model in models]


def _renamed(model: LoadedModel, name: str) -> LoadedModel:
    from dataclasses import replace

    return replace(model, name=name)


def _foretold(
    steps: _Analysis,
    models: Sequence[Any],
    names: Sequence[str],
    texts: Sequence[str],
    kinds: Collection[str],
    divisor: Any,
) -> tuple[list[PseudoLikelihood], TopKAccuracy | None]:
    """Do what needs heads for masked tokens."""
    if not {"likelihood", "top-k"} & set(kinds):
        return [], None
    opened = [
        _renamed(model, name)
        for path, name in zip(models, names, strict=True)
        if (model := steps.open(path, "masked", "hidden tokens")) is not None
    ]
    likelihoods = []
    if "likelihood" in kinds:
        for model in opened:
            found = steps.attempt(
                f"{model.name}: pseudo-log-likelihood",
                pseudo_log_likelihood,
                model,
                texts,
                divisor=divisor,
                **steps.options,
            )
            likelihoods += [found] if found is not None else []
    top_k = None
    if "top-k" in kinds and opened:
        top_k = steps.attempt(
            "hidden words", top_k_accuracy, opened, texts, **steps.options
        )
    return likelihoods, top_k


def _coherent(
    steps: _Analysis,
    models: Sequence[Any],
    names: Sequence[str],
    pairs: Sequence[tuple[str, str]],
) -> list[Coherence]:
    """Do what needs heads for pairs."""
    found: list[Coherence] = []
    for path, name in zip(models, names, strict=True):
        model = steps.open(path, "pair", "coherence of conversations")
        if model is None:
            continue
        measured = steps.attempt(
            f"{name}: coherence",
            measure_coherence,
            _renamed(model, name),
            pairs,
            **steps.options,
        )
        found += measured or []
    return found


def _inner(
    steps: _Analysis,
    models: Sequence[LoadedModel | None],
    names: Sequence[str],
    texts: Sequence[str],
    kinds: Collection[str],
) -> tuple[list[HeadRedundancy], list[AttentionMap], list[TokenProjection]]:
    """Do what needs no head."""
    redundancy: list[HeadRedundancy] = []
    attention: list[AttentionMap] = []
    projections: list[TokenProjection] = []
    options = steps.options
    few = texts[:_HEAD_TEXTS]
    for given, name in zip(models, names, strict=True):
        if given is None:
            continue
        model = _renamed(given, name)
        if {"heads", "attention"} & set(kinds):
            found = steps.attempt(
                f"{name}: attention heads, on {len(few)} texts",
                head_redundancy,
                model,
                few,
                **options,
            )
            if found is not None and "heads" in kinds:
                redundancy.append(found)
            if found is not None and "attention" in kinds:
                attention += attention_maps(
                    model, _shown(model, few), found.distinct(_N_MAPS)
                )
        if "tokens" in kinds:
            for source in (None, texts):
                made = steps.attempt(
                    f"{name}: map of {'words' if source else 'tokens'}",
                    project_tokens,
                    model,
                    source,
                    random_state=options["random_state"],
                )
                projections += [made] if made is not None else []
    return redundancy, attention, projections


def _shown(model: LoadedModel, texts: Sequence[str]) -> str:
    """Return the text whose attention is drawn: the first of 8 to 20 tokens, if any."""
    lengths = model.encode(texts, 128).lengths
    fitting = [t for t, n in zip(texts, lengths, strict=True) if 8 <= n <= 20]
    return fitting[0] if fitting else texts[0]
