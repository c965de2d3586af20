"""Learning ELMo weights: a bidirectional language model over the characters of tweets.

References
----------
M. E. Peters et al., "Deep contextualized word representations", NAACL 2018, section 3.1
(arXiv:1802.05365); released code: allenai/bilm-tf.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tweetclf.modules.elmo_config import BYTE_CHARACTERS, ElmoConfig
from tweetclf.modules.elmo_files import RawElmo, write_elmo
from tweetclf.modules.elmo_language_model import ElmoLanguageModel
from tweetclf.preprocessing import TweetTokenizer, get_profile
from tweetclf.pretraining._elmo_corpus import ElmoBatches, ElmoCorpus, read_corpus
from tweetclf.pretraining._keeping import open_checkpoint
from tweetclf.pretraining.elmo_settings import (
    ELMO_SIZES,
    ElmoTraining,
    ElmoTrainingResult,
)
from tweetclf.training.checkpoints import Checkpoints
from tweetclf.training.devices import (
    Precision,
    choose_device,
    module_device,
    seeded,
    to_device,
)
from tweetclf.training.loop import TrainingResult, fit_loop
from tweetclf.training.schedules import Cosine, total_steps
from tweetclf.utils.files import atomic_directory, check_free, sha256_bytes
from tweetclf.utils.random import stream

__all__ = ["train_elmo"]

_WARMUP = 0.02


def train_elmo(
    corpus: Iterable[str],
    out: str | os.PathLike[str],
    *,
    size: str | ElmoConfig = "small",
    training: ElmoTraining | None = None,
    tokenizer: str | None = None,
    language: str = "es",
    random_state: int = 0,
    device: str = "auto",
    precision: Precision = "float32",
    checkpoint: str | os.PathLike[str] | None = None,
    report: Callable[[dict[str, Any]], bool | None] | None = None,
) -> ElmoTrainingResult:
    """Learn ELMo weights on tweets, and write them to a folder.

    A network reads the characters of each token and foretells, in both directions, the
    next word. `tweetclf.features.ElmoVectorizer` takes the folder as its `weights`.

    Parameters
    ----------
    corpus : iterable of str
        The tweets; they are read once.
    out : path
        The folder to write; it appears whole or not at all.
    size : {"tiny", "small", "original"} or ElmoConfig, default="small"
        Sizes of the network, see `ELMO_SIZES`. Characters are bytes.
    training : ElmoTraining, optional
        How to train.
    tokenizer : str, optional
        A profile of `tweetclf.preprocessing` that tweets are tokenised by; by default
        ``TweetTokenizer()``. The weights remember it.
    language : str, default="es"
        Language of that profile.
    random_state : int, default=0
        Seed of weights, order, dropout and what is held out. On a CPU the weights are
        the same bits for the same seed.
    device : str, default="auto"
        Where to compute; "auto" is a GPU if there is one.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        See `tweetclf.training.fit_loop`.
    checkpoint : path, optional
        A folder to keep the state in after each epoch. If it holds one of the same
        training, that goes on from there. It is removed when `out` is written.
    report : callable, optional
        Called with what happens, see `tweetclf.training.fit_loop`.

    Returns
    -------
    ElmoTrainingResult
        Perplexity and history.

    Raises
    ------
    DataError
        If the corpus has no token, or `checkpoint` is that of another training.
    FileExistsError
        If `out` exists and is not an empty folder.

    Notes
    -----
    The loss is the mean of the two directions' cross-entropies, whose softmax both
    share. With ``n_sampled``, training takes a sample of the words for the others;
    perplexity is always that of the full softmax.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.features import ElmoVectorizer
    >>> from tweetclf.modules import ElmoConfig
    >>> from tweetclf.pretraining import ElmoTraining, train_elmo
    >>> config = ElmoConfig(
    ...     char_dim=4, filters=[(1, 4), (2, 4)], projection_dim=4, cell_dim=8
    ... )
    >>> tweets = ["qué risa el lunes", "qué pena el lunes"] * 20
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = train_elmo(
    ...         tweets, folder + "/elmo", size=config, training=ElmoTraining(max_iter=2)
    ...     )
    ...     elmo = ElmoVectorizer(result.path).fit(tweets)
    >>> result.n_words, len(result.history), elmo.transform(tweets[:1]).shape
    (8, 2, (1, 8))
    """
    training = training or ElmoTraining()
    config = _config(size)
    check_free(out)  # now, not after hours
    tokenize = TweetTokenizer() if tokenizer is None else None
    if tokenize is None:
        tokenize = get_profile(str(tokenizer)).make_tokenizer(language=language)
    read = read_corpus(
        (tokens for text in corpus if (tokens := tokenize(text))),
        config,
        min_count=training.min_count,
        max_vocabulary=training.max_vocabulary,
        max_length=training.max_length,
    )
    profile = None
    if tokenize.profile is not None:
        profile = {"profile": tokenize.profile, "language": language}
    module = _make_module(config, read.n_words, training.dropout, random_state)
    module.to(choose_device(device))
    told = {
        "network": config.to_dict(),
        "training": asdict(training),
        "tokenizer": profile,
        "random_state": random_state,
        "corpus": _digest(read),
    }
    kept = open_checkpoint(checkpoint, told, "train_elmo")
    outcome = _fit(module, read, training, random_state, precision, kept, report)
    result = ElmoTrainingResult(
        Path(out),
        n_texts=len(read.starts) - 1,
        n_tokens=len(read.tokens),
        n_words=read.n_words,
        perplexity=None if outcome.best_score is None else math.exp(outcome.best_score),
        history=outcome.history,
        stopped=outcome.stopped,
    )
    _write(module, config, result, told)
    if checkpoint is not None:
        shutil.rmtree(checkpoint)
    return result


def _config(size: str | ElmoConfig) -> ElmoConfig:
    if isinstance(size, str):
        if size not in ELMO_SIZES:
            raise ValueError(
                f"train_elmo: the 'size' parameter must be one of {sorted(ELMO_SIZES)} "
                f"or an ElmoConfig. Got {size!r} instead."
            )
        return ELMO_SIZES[size]
    if size.n_characters != BYTE_CHARACTERS or size.n_words:
        raise ValueError(
            f"train_elmo: characters are bytes, so that 'size' must have n_characters="
            f"{BYTE_CHARACTERS} and n_words=0. Got {size.n_characters} and "
            f"{size.n_words} instead."
        )
    return size


def _make_module(
    config: ElmoConfig, n_words: int, dropout: float, seed: int
) -> ElmoLanguageModel:
    start = int(stream(seed, "ELMo weights").integers(2**62))
    with seeded(start, torch.device("cpu")):
        module = ElmoLanguageModel(config, n_words, dropout=dropout)
        module.reset_parameters()
    return module


def _digest(corpus: ElmoCorpus) -> str:
    parts = (corpus.tokens, corpus.starts, corpus.characters, corpus.words)
    return sha256_bytes(
        "".join(sha256_bytes(part.tobytes()) for part in parts).encode()
    )


def _split(
    n_texts: int, fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows to learn from and rows that are held out, if there are enough."""
    order = stream(seed, "held-out tweets").permutation(n_texts)
    n_held = min(max(1, round(fraction * n_texts)), n_texts - 1) if fraction else 0
    return np.sort(order[n_held:]), np.sort(order[:n_held])


def _fit(
    module: ElmoLanguageModel,
    corpus: ElmoCorpus,
    training: ElmoTraining,
    seed: int,
    precision: Precision,
    checkpoints: Checkpoints | None,
    report: Callable[[dict[str, Any]], bool | None] | None,
) -> TrainingResult:
    train, held = _split(len(corpus.starts) - 1, training.validation_fraction, seed)
    widest = max(width for width, _ in module.bilm.config.filters)

    def batches(rows: NDArray[np.intp], **options: Any) -> ElmoBatches:
        return ElmoBatches(
            corpus,
            rows,
            widest=widest,
            batch_size=training.batch_size,
            max_tokens=training.max_tokens,
            **options,
        )

    learnt_from = batches(train, n_sampled=training.n_sampled, seed=seed)
    measured_on = batches(held, shuffle=False) if len(held) else None
    n_steps = total_steps(learnt_from, training.max_iter)
    return fit_loop(
        module,
        _objective,
        learnt_from,
        optimizer=torch.optim.Adam(module.parameters(), lr=training.learning_rate),
        max_epochs=training.max_iter,
        schedule=Cosine(n_steps, warmup=_WARMUP),
        clip_norm=training.clip_norm,
        precision=precision,
        evaluate=None if measured_on is None else _Perplexity(measured_on),
        n_iter_no_change=training.n_iter_no_change if len(held) else None,
        checkpoint=checkpoints,
        resume=None if checkpoints is None else checkpoints.latest(),
        report=report,
        seed=seed,
    )


def _objective(module: nn.Module, batch: Any) -> tuple[Tensor, dict[str, Any]]:
    ahead, back = module(batch)
    # Each direction foretells all tokens of a tweet but one of its ends.
    n_tokens = len(batch["tokens"]) - batch["n_texts"]
    logs = {"weight": n_tokens, "n_tokens": n_tokens, "n_examples": batch["n_texts"]}
    return (ahead + back) / 2, logs


class _Perplexity:
    """Mean loss of the full softmax on held-out tweets, and its exponential."""

    def __init__(self, batches: ElmoBatches) -> None:
        self.batches = batches

    def __call__(self, module: nn.Module) -> dict[str, float]:
        device = module_device(module)
        total, n_tokens = 0.0, 0
        for batch in self.batches.epoch(0):
            loss, logs = _objective(module, to_device(batch, device))
            total += float(loss) * logs["weight"]
            n_tokens += logs["weight"]
        mean = total / n_tokens
        # One that knows nothing of these tweets may leave the range of floats.
        return {"valid_loss": mean, "valid_perplexity": math.exp(min(mean, 700.0))}


def _write(
    module: ElmoLanguageModel,
    config: ElmoConfig,
    result: ElmoTrainingResult,
    told: Mapping[str, Any],
) -> None:
    arrays = {
        name: tensor.detach().cpu().numpy()
        for name, tensor in module.bilm.state_dict().items()
    }
    metadata = {
        **{name: value for name, value in told.items() if name != "network"},
        "n_texts": result.n_texts,
        "n_tokens": result.n_tokens,
        "n_words": result.n_words,
        "n_epochs": len(result.history),
        "perplexity": result.perplexity,
    }
    with atomic_directory(result.path) as folder:
        write_elmo(folder, RawElmo(config, arrays), metadata)
