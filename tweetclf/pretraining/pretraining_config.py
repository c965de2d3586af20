"""Configurations of pre-training: TOML files from corpus to model.

Sections are ``[corpus.pairs]`` and ``[corpus.texts]`` (the fields of `CorpusPlan`),
``[tokenizer]`` (those of `train_tweet_tokenizer`), ``[model]``, ``[objectives]`` and
``[training]`` (those of `EncoderModel`, `EncoderObjectives` and `EncoderTraining`) and
``[out]``. As TOML has no null, "none" stands for it.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.pretraining.corpus.plan import CorpusPlan, CorpusSource
from tweetclf.pretraining.encoder_settings import (
    EncoderModel,
    EncoderObjectives,
    EncoderTraining,
)
from tweetclf.utils.documents import check_keys, make_settings, read_toml
from tweetclf.utils.registry import suggest

__all__ = [
    "CORPORA",
    "CorpusSettings",
    "OutSettings",
    "PretrainingConfig",
    "TokenizerSettings",
    "bundled_configs",
    "read_pretraining_config",
]

CORPORA = ("pairs", "texts")

_FOLDER = Path(__file__).resolve().parent / "configs"
_SECTIONS = ("corpus", "tokenizer", "model", "objectives", "training", "out")


@dataclass(frozen=True, kw_only=True)
class CorpusSettings:
    """A corpus: one to be built, or one that is ready.

    Parameters
    ----------
    plan : CorpusPlan or None, default=None
        How it is built. A source ``"task:NAME"`` is the training split of a registered
        task.
    ready : str or None, default=None
        Folder that `build_corpus` wrote, to be used as it is.
    """

    plan: CorpusPlan | None = None
    ready: str | None = None


@dataclass(frozen=True, kw_only=True)
class TokenizerSettings:
    """Where the tokenizer comes from.

    Parameters
    ----------
    path : str or None, default=None
        Directory of a tokenizer of transformers, to be used as it is.
    max_texts : int, default=2_000_000
        Most texts that it is learnt from, evenly spread over the corpora.
    options : mapping, default={}
        Of `train_tweet_tokenizer`.
    """

    path: str | None = None
    max_texts: int = 2_000_000
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path is not None and self.options:
            raise ValueError("a tokenizer with a 'path' is not learnt; give no more.")
        if self.max_texts < 1:
            raise ValueError(f"'max_texts' must be at least 1. Got {self.max_texts!r}.")


@dataclass(frozen=True, kw_only=True)
class OutSettings:
    """Where everything goes.

    Parameters
    ----------
    folder : str
        Folder of all stages.
    checkpoint_minutes : float, default=30
        The state of the training is kept so often.
    tensorboard : bool, default=False
        Write for TensorBoard too, into ``folder/tensorboard``.
    """

    folder: str
    checkpoint_minutes: float = 30.0
    tensorboard: bool = False

    def __post_init__(self) -> None:
        if not self.checkpoint_minutes > 0:
            got = self.checkpoint_minutes
            raise ValueError(f"'checkpoint_minutes' must be above 0. Got {got!r}.")


@dataclass(frozen=True, kw_only=True)
class PretrainingConfig:
    """What ``tweetclf pretrain CONFIG`` is to do.

    Parameters
    ----------
    name : str
        Of the file, without its ending.
    corpora : mapping of str to CorpusSettings
        "pairs", "texts" or both.
    tokenizer : TokenizerSettings
        The tokenizer.
    training : EncoderTraining
        Model, objectives and training.
    out : OutSettings
        Where it goes.
    start : str or None, default=None
        Directory of a model to go on from; the sizes in ``[model]`` are then not
        looked at.
    """

    name: str
    corpora: Mapping[str, CorpusSettings]
    tokenizer: TokenizerSettings
    training: EncoderTraining
    out: OutSettings
    start: str | None = None

    def with_sources(
        self, pairs: Sequence[str] = (), texts: Sequence[str] = ()
    ) -> PretrainingConfig:
        """Return the configuration with files of the user's own in place of others.

        Parameters
        ----------
        pairs, texts : sequence of str
            Files or names. Where either is given, corpora of the other kind that are
            not are left out.
        """
        given = {"pairs": pairs, "texts": texts}
        if not pairs and not texts:
            return self
        corpora = {}
        for kind, names in given.items():
            if not names:
                continue
            sources = tuple(CorpusSource(path=name) for name in names)
            before = self.corpora.get(kind, CorpusSettings()).plan
            if before is not None:
                plan = replace(before, sources=sources)
            else:
                plan = CorpusPlan(sources=sources, documents=kind)
            corpora[kind] = CorpusSettings(plan=_with_replies(plan))
        training = self.training
        if "pairs" not in corpora and training.objectives.pair is not None:
            # Single texts have no order to tell.
            objectives = replace(training.objectives, pair=None)
            training = replace(training, objectives=objectives)
        return replace(self, corpora=corpora, training=training)


def bundled_configs() -> list[str]:
    """Return the names of the configurations that come with tweetclf.

    Examples
    --------
    >>> bundled_configs()
    ['tiny', 'twilbert-base', 'twilbert-large']
    """
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def read_pretraining_config(name_or_path: str | os.PathLike[str]) -> PretrainingConfig:
    """Read a configuration.

    Parameters
    ----------
    name_or_path : str or path
        One of `bundled_configs`, or a TOML file.

    Returns
    -------
    PretrainingConfig
        The configuration.

    Raises
    ------
    DataError
        If there is no such file, it is no TOML, or a key or value is wrong; the message
        names it, and what may have been meant.

    Examples
    --------
    >>> config = read_pretraining_config("twilbert-base")
    >>> config.training.model.n_layers, config.training.objectives.pair
    (6, 'rop')
    """
    name = os.fspath(name_or_path)
    path = Path(name)
    if name in bundled_configs():
        path = _FOLDER / f"{name}.toml"
    elif path.suffix != ".toml":
        near = suggest(name, bundled_configs())
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise DataError(
            f"{name!r} is no configuration.{hint} Give a .toml file or one of "
            f"{', '.join(bundled_configs())}."
        )
    document = read_toml(path, "configuration")
    place = path.name
    check_keys(document, _SECTIONS, place)
    for section, table in document.items():
        if not isinstance(table, dict):
            raise DataError(f"{place}: [{section}] must be a table. Got {table!r}.")
    return _config(_without_none(document), path.stem, place)


def _config(document: dict[str, Any], name: str, place: str) -> PretrainingConfig:
    model = dict(document.get("model", {}))
    start = model.pop("start", None)
    training = make_settings(
        EncoderTraining,
        document.get("training", {}),
        f"{place} [training]",
        model=make_settings(EncoderModel, model, f"{place} [model]"),
        objectives=make_settings(
            EncoderObjectives, document.get("objectives", {}), f"{place} [objectives]"
        ),
    )
    out = {"folder": f"{name}-pretraining", **document.get("out", {})}
    return PretrainingConfig(
        name=name,
        corpora=_corpora(document.get("corpus", {}), place),
        tokenizer=_tokenizer(document.get("tokenizer", {}), f"{place} [tokenizer]"),
        training=training,
        out=make_settings(OutSettings, out, f"{place} [out]"),
        start=start,
    )


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return None if value == "none" else value


def _corpora(tables: Mapping[str, Any], place: str) -> dict[str, CorpusSettings]:
    check_keys(tables, CORPORA, f"{place} [corpus]")
    corpora = {}
    for kind, table in tables.items():
        where = f"{place} [corpus.{kind}]"
        if not isinstance(table, dict):
            raise DataError(f"{where} must be a table. Got {table!r}.")
        if "ready" in table:
            corpora[kind] = make_settings(CorpusSettings, table, where)
            continue
        known = {entry.name for entry in fields(CorpusSource)}
        for source in table.get("sources", ()):
            if isinstance(source, dict):
                check_keys(source, known, f"{where} sources")
        # What is not named here is named on the command line.
        unnamed = {"sources": [_UNNAMED], **table}
        plan = make_settings(CorpusPlan, unnamed, where, documents=kind)
        corpora[kind] = CorpusSettings(plan=_with_replies(plan))
    return corpora


_UNNAMED = "(not named)"


def check_named(config: PretrainingConfig) -> None:
    """Refuse a configuration that does not say what to read.

    Raises
    ------
    DataError
        If a corpus has no sources, or there is no corpus.
    """
    plans = [corpus.plan for corpus in config.corpora.values()]
    named = plans and all(
        plan is None or plan.sources[0].path != _UNNAMED for plan in plans
    )
    if not named:
        raise DataError(
            f"{config.name} does not name what to learn from. Name files or registered "
            "corpora with --pairs and --texts, or as 'sources' in a copy of it: "
            f"{_FOLDER / config.name}.toml."
        )


def _with_replies(plan: CorpusPlan) -> CorpusPlan:
    """Look for replies in the column `text_b`, where sources of pairs name none."""
    if plan.documents != "pairs":
        return plan
    sources = tuple(
        source
        if source.reply or source.parent
        else replace(source, reply="text_b", text=source.text or "text")
        for source in plan.sources
    )
    return replace(plan, sources=sources)


def _tokenizer(table: Mapping[str, Any], place: str) -> TokenizerSettings:
    from tweetclf.pretraining.tweet_tokenizer import train_tweet_tokenizer

    known = set(inspect.signature(train_tweet_tokenizer).parameters) - {"texts"}
    own = {"path", "max_texts"}
    check_keys(table, known | own, place)
    options = {k: v for k, v in table.items() if k not in own}
    given = {k: v for k, v in table.items() if k in own}
    return make_settings(TokenizerSettings, given, place, options=options)
