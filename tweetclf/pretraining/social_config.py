"""Social pre-training in stages, as a TOML file says.

.. code-block:: toml

   kind = "social"
   [model]                 # sizes of SocialModel, or path = "a model to go on from"
   [data]
   corpus = "pairs"        # folder of write_pair_corpus
   texts = ["more.txt"]    # of stages without pairs; by default the corpus' tweets
   tokens = "folder"       # or token files of texts, for more than memory holds
   tokenizer = "folder"    # or [tokenizer] vocab_size = 8000, to learn one
   [[stages]]
   name = "mlm"
   pairs = false           # the rest are fields of SocialTraining
   social_weight = 0
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import DataError
from tweetclf.pretraining.social_settings import (
    SocialModel,
    SocialTraining,
    SocialTrainingResult,
)
from tweetclf.tasks.corpora import stream_texts
from tweetclf.tasks.rows import read_jsonl
from tweetclf.utils.documents import check_keys, make_settings, read_toml

__all__ = [
    "SocialConfig",
    "SocialStage",
    "packaged_social_config",
    "read_pair_corpus",
    "read_social_config",
    "run_social_config",
]

_FOLDER = Path(__file__).with_name("configs") / "social"
_TOP = ("kind", "title", "random_state", "model", "data", "tokenizer", "stages")
_DATA = ("corpus", "texts", "tokens", "tokenizer")


@dataclass(frozen=True)
class SocialStage:
    """A stage: what it reads, and how it learns.

    Parameters
    ----------
    name : str
        The folder it is written to.
    training : SocialTraining
        Weights, sizes and rates.
    pairs : bool, default=True
        Read the pairs; otherwise tweets alone.
    """

    name: str
    training: SocialTraining
    pairs: bool = True


@dataclass(frozen=True)
class SocialConfig:
    """A training in stages.

    Parameters
    ----------
    model : SocialModel or str
        Sizes, or the directory of the model to go on from.
    stages : tuple of SocialStage
        In order; each goes on from the one before.
    corpus : Path or None
        Folder of `tweetclf.social.write_pair_corpus`.
    texts : tuple of Path, default=()
        Files for stages without pairs.
    tokens : Path or None, default=None
        Token files of texts for them, in place of `texts`.
    tokenizer : str or None, default=None
        Directory or hub name.
    vocab_size : int or None, default=None
        Subwords of a tokenizer that is learnt from the texts, if there is none.
    random_state : int, default=0
        Seed of all stages.
    title : str, default=""
        What it is.
    """

    model: SocialModel | str
    stages: tuple[SocialStage, ...]
    corpus: Path | None
    texts: tuple[Path, ...] = ()
    tokens: Path | None = None
    tokenizer: str | None = None
    vocab_size: int | None = None
    random_state: int = 0
    title: str = ""
    given: Mapping[str, Any] = field(default_factory=dict, repr=False)


def packaged_social_config(name: str) -> Path:
    """Return the file of a configuration of the package.

    Parameters
    ----------
    name : {"twhin-base", "twhin-large", "twhin-tiny"}
        The first two have the paper's values; the last is for a CPU.

    Examples
    --------
    >>> from tweetclf.pretraining.social_config import packaged_social_config
    >>> packaged_social_config("twhin-tiny").name
    'twhin-tiny.toml'
    """
    path = _FOLDER / f"{name}.toml"
    if not path.is_file():
        known = sorted(file.stem for file in _FOLDER.glob("*.toml"))
        raise DataError(f"There is no configuration {name!r}; there are {known}.")
    return path


def read_social_config(path: str | os.PathLike[str]) -> SocialConfig:
    """Read and check a configuration.

    Parameters
    ----------
    path : path
        A TOML file; paths in it are relative to its folder.

    Returns
    -------
    SocialConfig
        The training.

    Raises
    ------
    DataError
        If it cannot be read, or a setting is unknown or wrong; the message names it.

    Examples
    --------
    >>> from tweetclf.pretraining.social_config import (
    ...     packaged_social_config, read_social_config)
    >>> config = read_social_config(packaged_social_config("twhin-base"))
    >>> [(s.name, s.training.learning_rate) for s in config.stages]
    [('stage1', 0.0002), ('stage2', 0.0001)]
    """
    file = Path(path)
    document = read_toml(file, "configuration")
    check_keys(document, _TOP, str(file))
    if document.get("kind") != "social":
        raise DataError(f"{file}: 'kind' must be \"social\" for social pre-training.")
    table = dict(_table(document, "model", file))
    model = table.pop("path", None) or make_settings(
        SocialModel, table, f"{file} [model]"
    )
    data = _table(document, "data", file)
    check_keys(data, _DATA, f"{file} [data]")
    learnt = _table(document, "tokenizer", file)
    check_keys(learnt, ("vocab_size",), f"{file} [tokenizer]")
    stages = document.get("stages")
    if not isinstance(stages, list) or not stages:
        raise DataError(f"{file}: there is no [[stages]].")
    home = file.parent
    return SocialConfig(
        _resolved(model, home) if isinstance(model, str) else model,
        tuple(_stage(one, number, file) for number, one in enumerate(stages, 1)),
        corpus=home / data["corpus"] if "corpus" in data else None,
        texts=tuple(home / name for name in data.get("texts", ())),
        tokens=home / data["tokens"] if "tokens" in data else None,
        tokenizer=_resolved(data["tokenizer"], home) if "tokenizer" in data else None,
        vocab_size=learnt.get("vocab_size"),
        random_state=int(document.get("random_state", 0)),
        title=str(document.get("title", "")),
        given=document,
    )


def _resolved(name: str, home: Path) -> str:
    """Return a path relative to the file, or a hub name as it is."""
    return str(home / name) if (home / name).exists() else name


def _table(document: dict[str, Any], name: str, file: Path) -> dict[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise DataError(f"{file}: [{name}] must be a table. Got {table!r}.")
    return table


def _stage(given: Any, number: int, file: Path) -> SocialStage:
    if not isinstance(given, dict):
        raise DataError(f"{file}: stage {number} must be a table. Got {given!r}.")
    table = dict(given)
    name = str(table.pop("name", f"stage{number}"))
    pairs = bool(table.pop("pairs", True))
    where = f"{file} [[stages]] {name!r}"
    return SocialStage(name, make_settings(SocialTraining, table, where), pairs)


def read_pair_corpus(
    folder: str | os.PathLike[str],
) -> tuple[list[str], NDArray[np.int32], list[str] | None]:
    """Read texts, pairs and languages that `tweetclf.social.write_pair_corpus` wrote.

    Parameters
    ----------
    folder : path
        The folder.

    Returns
    -------
    texts : list of str
        The tweets.
    pairs : ndarray of int32 of shape (n, 2)
        Mapped into memory.
    languages : list of str or None
        None, if no tweet names one; "und" for those that do not.

    Raises
    ------
    DataError
        If the folder is no such corpus.
    """
    path = Path(folder)
    try:
        card = json.loads((path / "card.json").read_text("utf-8"))
        rows = [row for _, row in read_jsonl(path / "tweets.jsonl")]
        pairs = np.load(path / "pairs.npy", mmap_mode="r", allow_pickle=False)
        texts = [row["text"] for row in rows]
        if card["n_tweets"] != len(texts) or pairs.shape != (card["n_pairs"], 2):
            raise ValueError("its files are not those of its card")
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path} is no corpus that write_pair_corpus wrote ({error})."
        ) from error
    languages = [row.get("lang") for row in rows]
    if not any(languages):
        return texts, pairs, None
    return texts, pairs, [language or "und" for language in languages]


def run_social_config(
    config: SocialConfig,
    out: str | os.PathLike[str],
    *,
    report: Callable[[str, dict[str, Any]], bool | None] | None = None,
    **how: Any,
) -> dict[str, SocialTrainingResult]:
    """Train all stages, each from the one before.

    Parameters
    ----------
    config : SocialConfig
        Of `read_social_config`.
    out : path
        The folder: one directory a stage, and that of a tokenizer that was learnt. A
        stage that is there already is not trained again, and one that was interrupted
        goes on.
    report : callable, optional
        Called with the name of the stage and what happens, see `fit_loop`.
    **how
        `device`, `precision` and `checkpoint_every` of `train_social_encoder`.

    Returns
    -------
    dict of str to SocialTrainingResult
        Of the stages that were trained now.

    Raises
    ------
    DataError
        If there is no corpus or no tokenizer, or what is in `out` is of another
        configuration.
    """
    from tweetclf.pretraining.social import train_social_encoder

    folder = Path(out)
    if config.corpus is None:
        raise DataError(
            "run_social_config: there is no corpus. Write one with "
            "tweetclf.social.write_pair_corpus, and name it in [data] corpus."
        )
    texts, pairs, languages = read_pair_corpus(config.corpus)
    alone = _alone(config)
    _check_same(folder, config)
    tokenizer = _tokenizer(config, folder, alone, texts)
    model: Any = config.model
    done = {}
    for stage in config.stages:
        path = folder / stage.name
        if not (path / "social.json").is_file():
            reads_pairs = stage.pairs or not alone
            done[stage.name] = train_social_encoder(
                texts if reads_pairs else alone,
                pairs if stage.pairs else None,
                path,
                model=model,
                tokenizer=tokenizer,
                training=stage.training,
                languages=languages if reads_pairs else None,
                random_state=config.random_state,
                checkpoint=folder / f"{stage.name}.training",
                report=None if report is None else _of_stage(report, stage.name),
                **how,
            )
        model, tokenizer = path, None
    return done


def _alone(config: SocialConfig) -> Any:
    """Return the texts of stages without pairs: a list, or token files."""
    if config.tokens is None:
        return [t for path in config.texts for t in stream_texts(path) if t.strip()]
    from tweetclf.pretraining.corpus.tokens import TokenFiles

    return TokenFiles.open(config.tokens)


def _tokenizer(
    config: SocialConfig, folder: Path, alone: Any, texts: list[str]
) -> str | None:
    """Return where the tokenizer is; None if it is the model's own."""
    if config.tokenizer is not None or not isinstance(config.model, SocialModel):
        return config.tokenizer
    if config.tokens is not None:
        return str(alone.tokenizer_path)
    return _learn(folder / "tokenizer", [*alone, *texts], config)


def _of_stage(
    report: Callable[[str, dict[str, Any]], bool | None], name: str
) -> Callable[[dict[str, Any]], bool | None]:
    return lambda event: report(name, event)


def _check_same(folder: Path, config: SocialConfig) -> None:
    """Keep the configuration in the folder, or refuse another one."""
    from tweetclf.utils.files import write_text_atomic

    kept = folder / "config.json"
    text = json.dumps(config.given, indent=1, sort_keys=True)
    if kept.is_file() and kept.read_text("utf-8") != text:
        raise DataError(
            f"run_social_config: {folder} holds stages of another configuration, see "
            f"{kept}. Choose another folder, or remove it."
        )
    write_text_atomic(kept, text)


def _learn(path: Path, texts: list[str], config: SocialConfig) -> str:
    """Learn a tokenizer of bytes, unless it is there."""
    from tweetclf.pretraining.tweet_tokenizer import train_tweet_tokenizer
    from tweetclf.utils.files import atomic_directory

    if config.vocab_size is None:
        raise DataError(
            "run_social_config: a model whose weights are drawn needs a tokenizer: "
            "[data] tokenizer, or [tokenizer] vocab_size to learn one."
        )
    if not (path / "tokenizer.json").is_file():
        made = train_tweet_tokenizer(
            texts,
            kind="bpe",
            vocab_size=config.vocab_size,
            # TwHIN-BERT reads tweets as they are.
            user_token=None,
            url_token=None,
            newline_token=None,
            max_length=max(stage.training.max_length for stage in config.stages),
        )
        with atomic_directory(path) as folder:
            made.save_pretrained(folder)
    return str(path)
