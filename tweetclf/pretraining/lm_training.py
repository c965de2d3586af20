"""Training of causal language models: AWD-QRNN and AWD-LSTM on a stream of tweets.

As the HAHA 2019 system did it with fastai 1.0.52: texts shuffled in
each epoch and read as one stream, back-propagation through 70 tokens, label smoothing,
penalties on activations and their changes, one cycle of rate and momentum a stage,
Adam with decoupled decay of all parameters.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.modules.awd import AWDLanguageModel
from tweetclf.modules.dropout import AWDDropout
from tweetclf.pretraining._causal import (
    BETA2,
    CausalObjective,
    StagedCycles,
    make_encoder,
    measure,
)
from tweetclf.pretraining._token_stream import TokenStream
from tweetclf.pretraining.language_model import LanguageModel, LanguageModelConfig
from tweetclf.pretraining.lm_settings import LanguageModelTraining
from tweetclf.pretraining.stages import FINE_TUNING, PRETRAINING, as_stages
from tweetclf.pretraining.tokenizer import SentencePieceTokenizer
from tweetclf.training.checkpoints import Checkpoints
from tweetclf.training.devices import Precision, choose_device, seeded
from tweetclf.training.loop import fit_loop
from tweetclf.training.optimizers import adamw, parameter_groups
from tweetclf.utils.files import sha256_bytes
from tweetclf.utils.random import stream

__all__ = ["perplexity", "train_language_model"]


def _make_module(
    config: LanguageModelConfig, n_pieces: int, dropout: AWDDropout, seed: int
) -> AWDLanguageModel:
    with seeded(seed, torch.device("cpu")):
        encoder = make_encoder(config, n_pieces, dropout)
        return AWDLanguageModel(encoder, output_dropout=dropout.output)


def _load(module: nn.Module, state: Mapping[str, NDArray[Any]]) -> None:
    tensors = {name: torch.from_numpy(np.array(a)) for name, a in state.items()}
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelFormatError(
            f"the weights of the language model do not fit its sizes: {error}"
        ) from error


def perplexity(
    model: LanguageModel,
    texts: Iterable[str],
    *,
    batch_size: int = 64,
    bptt: int = 70,
    device: str = "auto",
) -> float:
    """Return the perplexity a piece of texts, read as one stream.

    Parameters
    ----------
    model : LanguageModel
        The model.
    texts : iterable of str
        Raw tweets.
    batch_size, bptt : int, default=64 and 70
        Rows of the stream, and tokens a row and step.
    device : str, default="auto"
        Where to compute.

    Returns
    -------
    float
        e to the mean cross-entropy, over the model's own pieces: models of different
        vocabularies cannot be compared by it.
    """
    encoded = model.tokenizer.encode(list(texts))
    batches = TokenStream(encoded, batch_size=batch_size, bptt=bptt, shuffle=False)
    module = _make_module(model.config, len(model.tokenizer), AWDDropout(), 0)
    _load(module, model.state)
    module.to(choose_device(device)).eval()
    with torch.inference_mode():
        return measure(module, batches)["valid_perplexity"]


def _hold_out(
    encoded: list[NDArray[np.int32]], fraction: float, seed: int
) -> tuple[list[NDArray[np.int32]], list[NDArray[np.int32]]]:
    order = stream(seed, "validation texts").permutation(len(encoded))
    n_held = round(fraction * len(encoded))
    held, kept = order[:n_held], order[n_held:]
    return [encoded[i] for i in kept], [encoded[i] for i in held]


def _fingerprint(parts: Any, encoded: Sequence[NDArray[np.int32]]) -> str:
    """Return what tells this training from any other."""
    digest = hashlib.sha256(json.dumps(parts, default=str, sort_keys=True).encode())
    for ids in encoded:
        digest.update(len(ids).to_bytes(4, "little"))
        digest.update(ids.tobytes())
    return digest.hexdigest()


def _read_corpus(texts: Iterable[Any]) -> list[Any]:
    if isinstance(texts, str):
        raise DataError("A corpus is a sequence of texts; it is a single str.")
    corpus = list(texts)
    for index, text in enumerate(corpus):
        sides = (text,) if isinstance(text, str) else text
        if not isinstance(sides, tuple) or not all(isinstance(s, str) for s in sides):
            raise DataError(
                f"A corpus holds str; corpus[{index}] is {type(text).__name__}."
            )
    return corpus


def _sides(corpus: Iterable[Any]) -> Iterable[str]:
    for text in corpus:
        if isinstance(text, str):
            yield text
        else:
            yield from text


def train_language_model(
    texts: Iterable[Any],
    config: LanguageModelConfig | None = None,
    training: LanguageModelTraining | None = None,
    *,
    start: LanguageModel | None = None,
    tokenizer: SentencePieceTokenizer | None = None,
    random_state: int = 0,
    device: str = "auto",
    precision: Precision = "float32",
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    report: Callable[[dict[str, Any]], bool | None] | None = None,
) -> LanguageModel:
    """Train a language model on texts, from nothing or from another one.

    Parameters
    ----------
    texts : iterable of str
        Raw tweets; pairs of them are read as one text each.
    config : LanguageModelConfig, optional
        Sizes; not with `start`, which has its own.
    training : LanguageModelTraining, optional
        Stages, batches, penalties. With `start` the stages are FINE_TUNING by
        default.
    start : LanguageModel, optional
        The model to go on from: its pieces and weights are kept.
    tokenizer : SentencePieceTokenizer, optional
        Pieces to use; learnt from `texts` by default.
    random_state : int, default=0
        Of weights, order, dropout and the texts held out.
    device : str, default="auto"
        Where to compute.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        See :func:`tweetclf.training.fit_loop`.
    checkpoint : path, optional
        Folder whose state is brought up to date after each epoch. If it has one of
        the same training, that goes on from there, to the same numbers.
    checkpoint_every : int, optional
        Bring it up to date after every so many steps too.
    report : callable, optional
        See :func:`tweetclf.training.fit_loop`.

    Returns
    -------
    LanguageModel
        The trained model.

    Raises
    ------
    DataError
        If there is too little text.
    """
    if start is not None and (config is not None or tokenizer is not None):
        raise ValueError(
            "train_language_model: a model to start from brings its sizes and pieces; "
            "give no config and no tokenizer with it."
        )
    if training is None:
        training = LanguageModelTraining(stages=FINE_TUNING if start else PRETRAINING)
    corpus = _read_corpus(texts)
    if start is not None:
        config, tokenizer = start.config, start.tokenizer
    config = config or LanguageModelConfig()
    if tokenizer is None:
        tokenizer = SentencePieceTokenizer.train(
            _sides(corpus),
            vocab_size=config.vocab_size,
            passes=config.passes,
            xxnl=config.xxnl,
        )
    encoded = tokenizer.encode(corpus)
    dropout = AWDDropout().times(training.dropout_multiplier)
    module = _make_module(config, len(tokenizer), dropout, random_state)
    if start is not None:
        _load(module, start.state)
    begun = start and sha256_bytes(b"".join(a.tobytes() for a in start.state.values()))
    identity = [asdict(config), asdict(training), random_state, begun]
    history = _run(
        module.to(choose_device(device)),
        encoded,
        training,
        identity=identity,
        seed=random_state,
        precision=precision,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        report=report,
    )
    state = {name: t.cpu().numpy().copy() for name, t in module.state_dict().items()}
    before = start.history if start is not None else []
    return LanguageModel(config, tokenizer, state, [*before, *history])


def _run(
    module: nn.Module,
    encoded: list[NDArray[np.int32]],
    training: LanguageModelTraining,
    *,
    identity: Any,
    seed: int,
    precision: Precision,
    checkpoint: str | os.PathLike[str] | None,
    checkpoint_every: int | None,
    report: Callable[[dict[str, Any]], bool | None] | None,
) -> list[dict[str, Any]]:
    """Train the module in place; return what each epoch measured."""
    stages = as_stages(training.stages, caller="train_language_model", name="stages")
    if not stages:
        return []
    kept, held = _hold_out(encoded, training.validation_fraction, seed)
    sizes: dict[str, Any] = {"batch_size": training.batch_size, "bptt": training.bptt}
    batches = TokenStream(kept, seed=seed, **sizes)
    evaluate = None
    if held and sum(map(len, held)) > 1:
        validation = TokenStream(held, shuffle=False, **sizes)
        evaluate = partial(measure, batches=validation)

    optimizer = adamw(
        # fastai decays everything, biases and normalisation layers too.
        parameter_groups(
            module, lr=1.0, weight_decay=training.weight_decay, decay_all=True
        ),
        lr=1.0,
        betas=(stages[0].momentum[0], BETA2),
    )
    checkpoints = None
    if checkpoint is not None:
        # A folder a training: nothing goes on from what another one left.
        name = _fingerprint(identity, encoded)[:16]
        checkpoints = Checkpoints(Path(checkpoint) / name)
    result = fit_loop(
        module,
        CausalObjective(training),
        batches,
        optimizer=optimizer,
        max_epochs=sum(stage.n_epochs for stage in stages),
        schedule=StagedCycles(stages, batches.n_batches(0)),
        precision=precision,
        evaluate=evaluate,
        monitor="valid_loss" if evaluate else None,
        checkpoint=checkpoints,
        checkpoint_every=checkpoint_every,
        resume=checkpoints.latest() if checkpoints else None,
        report=report,
        seed=seed,
    )
    return result.untimed_history()
