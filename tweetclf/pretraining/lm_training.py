"""Training of causal language models: AWD-QRNN and AWD-LSTM on a stream of tweets.

As the HAHA 2019 system did it with fastai 1.0.52 (systems.md 4.3): texts shuffled in
each epoch and read as one stream, back-propagation through 70 tokens, label smoothing,
penalties on activations and their changes, one cycle of rate and momentum a stage,
Adam with decoupled decay of all parameters.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.modules.awd import (
    AWDEncoder,
    AWDLanguageModel,
    activation_penalty,
    detach_state,
)
from tweetclf.modules.dropout import AWDDropout
from tweetclf.pretraining._token_stream import TokenStream
from tweetclf.pretraining.language_model import LanguageModel, LanguageModelConfig
from tweetclf.pretraining.stages import (
    FINE_TUNING,
    PRETRAINING,
    Stage,
    as_stages,
)
from tweetclf.pretraining.tokenizer import SentencePieceTokenizer
from tweetclf.training.checkpoints import Checkpoints
from tweetclf.training.devices import Precision, module_device, seeded, to_device
from tweetclf.training.loop import fit_loop
from tweetclf.training.optimizers import adamw, parameter_groups
from tweetclf.training.schedules import OneCycle
from tweetclf.utils.random import stream

__all__ = [
    "BETA2",
    "CausalObjective",
    "LanguageModelTraining",
    "StagedCycles",
    "make_encoder",
    "perplexity",
    "train_language_model",
]

BETA2 = 0.99  # fastai 1.0.52, basic_train.py


@dataclass(frozen=True, kw_only=True)
class LanguageModelTraining:
    """How a language model is trained; the defaults are those of HAHA 2019.

    Parameters
    ----------
    stages : sequence of Stage, default=PRETRAINING
        Epochs and their rates; plain tuples will do.
    batch_size : int, default=64
        Rows of the stream.
    bptt : int, default=70
        Tokens a row and step.
    validation_fraction : float, default=0.1
        Share of the texts that is held out to measure perplexity on. With it, the
        best epoch is kept; with 0, the last.
    label_smoothing : float, default=0.1
        Of the cross-entropy.
    dropout_multiplier : float, default=1.0
        Factor on all dropouts.
    weight_decay : float, default=0.1
        Decoupled, of all parameters.
    alpha, beta : float, default=2.0 and 1.0
        Weights of the penalties on activations and on their changes.
    ar_of : {"raw", "dropped"}, default="raw"
        What the first penalty is of; see `tweetclf.modules.activation_penalty`.
    """

    stages: Sequence[Any] = PRETRAINING
    batch_size: int = 64
    bptt: int = 70
    validation_fraction: float = 0.1
    label_smoothing: float = 0.1
    dropout_multiplier: float = 1.0
    weight_decay: float = 0.1
    alpha: float = 2.0
    beta: float = 1.0
    ar_of: str = "raw"

    def __post_init__(self) -> None:
        as_stages(self.stages, caller="LanguageModelTraining", name="stages")
        for name in ("batch_size", "bptt"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise ValueError(
                    f"LanguageModelTraining: the {name!r} parameter must be an int of "
                    f"at least 1. Got {getattr(self, name)!r} instead."
                )
        for name in ("validation_fraction", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"LanguageModelTraining: the {name!r} parameter must be at least 0 "
                    f"and less than 1. Got {getattr(self, name)!r} instead."
                )


class StagedCycles:
    """The rates of several stages, one cycle each, as the schedule of one run.

    Parameters
    ----------
    stages : sequence of Stage
        In order.
    steps_per_epoch : int
        Steps of each epoch.

    Notes
    -----
    It gives absolute rates: the optimizer's own rate must be 1, or what a group has
    of the rate.

    Examples
    --------
    >>> from tweetclf.pretraining.stages import Stage
    >>> cycles = StagedCycles([Stage(1, 0.1), Stage(2, 0.2, warmup=0.5)], 10)
    >>> cycles(3)["lr"], cycles(20)["lr"]
    (0.1, 0.2)
    """

    def __init__(self, stages: Sequence[Stage], steps_per_epoch: int) -> None:
        self._cycles: list[tuple[int, float, OneCycle]] = []
        start = 0
        for stage in stages:
            n_steps = stage.n_epochs * steps_per_epoch
            cycle = OneCycle(
                n_steps,
                div=stage.division,
                pct_start=stage.warmup,
                momenta=stage.momentum,
            )
            self._cycles.append((start, stage.learning_rate, cycle))
            start += n_steps

    def __call__(self, step: int) -> dict[str, float]:
        """Return rate and momentum of a step, counted from 0."""
        start, rate, cycle = next(c for c in reversed(self._cycles) if c[0] <= step)
        said = cycle(step - start)
        return {**said, "lr": said["lr"] * rate}


class CausalObjective:
    """Cross-entropy of the next token, with the penalties of AWD models.

    The state of the layers is carried from batch to batch, without gradients, and
    dropped at the start of an epoch.

    Parameters
    ----------
    training : LanguageModelTraining
        Smoothing and penalties.
    """

    def __init__(self, training: LanguageModelTraining) -> None:
        self.training = training
        self._state: Any = None
        self._epoch = 0

    def start_epoch(self, epoch: int) -> None:
        """Forget the state of the layers."""
        self._state = None
        self._epoch = epoch

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the layers."""
        return {"epoch": self._epoch, "layers": self._state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned."""
        # A state from the end of an epoch is not carried into the next.
        same = state["epoch"] == self._epoch
        self._state = state["layers"] if same else None

    def __call__(
        self, module: nn.Module, batch: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Any]]:
        """Return the loss of a batch and logs."""
        ids, following = batch["ids"], batch["following"]
        state = to_device(self._state, ids.device)
        output = module(ids, state)
        self._state = detach_state(output.state)
        options = self.training
        entropy = F.cross_entropy(
            output.logits.flatten(0, 1).float(),  # (B * T, V)
            following.flatten(),
            label_smoothing=options.label_smoothing,
        )
        penalty = activation_penalty(
            output.raw,
            output.dropped,
            alpha=options.alpha,
            beta=options.beta,
            ar_of=options.ar_of,  # type: ignore[arg-type]
        )
        n_tokens = ids.numel()
        logs = {"weight": n_tokens, "n_tokens": n_tokens, "n_examples": len(ids)}
        return entropy + penalty, logs


def make_encoder(
    config: LanguageModelConfig, n_pieces: int, dropout: AWDDropout
) -> AWDEncoder:
    """Return the encoder that a configuration describes, its weights drawn."""
    return AWDEncoder(
        n_pieces,
        embedding_size=config.emb_size,
        hidden_size=config.hidden_size,
        n_layers=config.n_layers,
        cell=config.cell,  # type: ignore[arg-type]
        pad_id=SentencePieceTokenizer.pad_id,
        dropout=dropout,
        save_prev_x=config.save_prev_x,
    )


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


def _device(name: str) -> torch.device:
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _measure(module: nn.Module, batches: TokenStream) -> dict[str, float]:
    """Return loss, perplexity and accuracy of the next token, without smoothing."""
    device, state = module_device(module), None
    loss, n_right, n_tokens = 0.0, 0, 0
    for batch in batches.epoch(0):
        ids, following = batch["ids"].to(device), batch["following"].to(device)
        output = module(ids, state)
        state = output.state
        logits = output.logits.flatten(0, 1).float()
        loss += float(F.cross_entropy(logits, following.flatten(), reduction="sum"))
        n_right += int((logits.argmax(dim=1) == following.flatten()).sum())
        n_tokens += ids.numel()
    mean = loss / n_tokens
    # A model that knows nothing of these texts may leave the range of floats.
    return {
        "valid_loss": mean,
        "valid_perplexity": math.exp(min(mean, 700.0)),
        "valid_accuracy": n_right / n_tokens,
    }


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
    module.to(_device(device)).eval()
    with torch.inference_mode():
        return _measure(module, batches)["valid_perplexity"]


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
    identity = [asdict(config), asdict(training), random_state, bool(start)]
    history = _run(
        module.to(_device(device)),
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

        def evaluate(module: nn.Module) -> dict[str, float]:
            return _measure(module, validation)

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
    return [
        {name: v for name, v in epoch.items() if "second" not in name}
        for epoch in result.history
    ]
