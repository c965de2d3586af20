"""Social pre-training in stages, as a TOML file says.

.. code-block:: toml

   kind = "social"
   [model]                 # sizes of SocialModel, or path = "a model to go on from"
   [data]
   corpus = "pairs"        # folder of write_pair_corpus
   texts = ["more.jsonl"]  # of stages without pairs, with their "lang" if they are to
                           # be resampled; by default the corpus' tweets
   tokens = "folder"       # or token files of texts, for more than memory holds; they
                           # know no languages
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
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import DataError
from tweetclf.pretraining._social_data import (
    StageData,
    data_hashes,
    fill_languages,
    read_alone,
    warn_unused,
)
from tweetclf.pretraining.social_settings import (
    SocialModel,
    SocialTraining,
    SocialTrainingResult,
)
from tweetclf.tasks.rows import read_jsonl
from tweetclf.utils.documents import check_keys, make_settings, read_toml

if TYPE_CHECKING:
    from tweetclf.training.distributed import Replicas

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
        Files for stages without pairs; a column "lang" (or "language") has their
        languages.
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
    return texts, pairs, fill_languages([row.get("lang") for row in rows])


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
        configuration or of other data.

    Warns
    -----
    TweetclfWarning
        If a stage is to resample by language and the languages of its texts are not
        known.

    Notes
    -----
    Started by ``torchrun``, the processes train every stage together; what they share,
    the tokenizer above all, the main one makes while the others wait. `out` must be a
    folder that all of them see.
    """
    from tweetclf.training.distributed import join_replicas, local_device

    if config.corpus is None:
        raise DataError(
            "run_social_config: there is no corpus. Write one with "
            "tweetclf.social.write_pair_corpus, and name it in [data] corpus."
        )
    with join_replicas(local_device(how.get("device", "auto"))) as replicas:
        return _run(config, Path(out), replicas, report, how)


def _run(
    config: SocialConfig,
    folder: Path,
    replicas: Replicas,
    report: Callable[[str, dict[str, Any]], bool | None] | None,
    how: Mapping[str, Any],
) -> dict[str, SocialTrainingResult]:
    from tweetclf.pretraining.social import train_social_encoder

    assert config.corpus is not None
    data = StageData(*read_pair_corpus(config.corpus), *read_alone(config))
    tokenizer = replicas.make_once(lambda: _prepare(config, folder, data))
    model: Any = config.model
    done = {}
    for stage in config.stages:
        path = folder / stage.name
        # The main process may be quicker to see what it wrote.
        if replicas.agree(not (path / "social.json").is_file()):
            if replicas.is_main:
                warn_unused(config, stage, data)
            tweets, pairs, languages = data.of(stage)
            done[stage.name] = train_social_encoder(
                tweets,
                pairs,
                path,
                model=model,
                tokenizer=tokenizer,
                training=stage.training,
                languages=languages,
                random_state=config.random_state,
                checkpoint=folder / f"{stage.name}.training",
                report=None if report is None else _of_stage(report, stage.name),
                **how,
            )
        model, tokenizer = path, None
    return done


def _of_stage(
    report: Callable[[str, dict[str, Any]], bool | None], name: str
) -> Callable[[dict[str, Any]], bool | None]:
    return lambda event: report(name, event)


def _prepare(config: SocialConfig, folder: Path, data: StageData) -> str | None:
    """Claim the folder; return where the tokenizer is, None if it is the model's."""
    _claim(folder, config)
    if config.tokenizer is not None or not isinstance(config.model, SocialModel):
        return config.tokenizer
    if config.tokens is not None:
        return str(data.alone.tokenizer_path)
    return _learn(folder / "tokenizer", [*data.alone, *data.texts], config)


def _claim(folder: Path, config: SocialConfig) -> None:
    """Keep in the folder what determines its stages, or refuse if that is another."""
    from tweetclf.utils.files import write_text_atomic

    kept = folder / "config.json"
    told = {"configuration": dict(config.given), "data": data_hashes(config)}
    text = json.dumps(told, indent=1, sort_keys=True)
    if kept.is_file() and (found := kept.read_text("utf-8")) != text:
        # As JSON gives it back: tuples are lists there.
        same = _configuration(found) == json.loads(text)["configuration"]
        what = (
            f"other data than {config.corpus} and what else [data] names"
            if same
            else "another configuration"
        )
        raise DataError(
            f"run_social_config: {folder} holds stages of {what}, see {kept}. Choose "
            "another folder, or remove it."
        )
    write_text_atomic(kept, text)


def _configuration(text: str) -> Any:
    """Return the configuration of a file that `_claim` wrote; None of another."""
    try:
        return json.loads(text)["configuration"]
    except (ValueError, KeyError, TypeError):
        return None


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
