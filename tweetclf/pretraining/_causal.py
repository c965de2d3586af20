"""The causal objective: the next token of a stream, its schedule, its measures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from tweetclf.modules.awd import AWDEncoder, activation_penalty, detach_state
from tweetclf.modules.dropout import AWDDropout
from tweetclf.pretraining._token_stream import TokenStream
from tweetclf.pretraining.language_model import LanguageModelConfig
from tweetclf.pretraining.lm_settings import LanguageModelTraining
from tweetclf.pretraining.stages import Stage
from tweetclf.pretraining.tokenizer import SentencePieceTokenizer
from tweetclf.training.devices import module_device, to_device
from tweetclf.training.schedules import OneCycle

__all__ = ["BETA2", "CausalObjective", "StagedCycles", "make_encoder", "measure"]

BETA2 = 0.99  # fastai 1.0.52, basic_train.py


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
        options = self.training
        # In chunks: all logits of a batch would be most of the memory of a training.
        output = module(ids, state, following, options.label_smoothing)
        self._state = detach_state(output.state)
        penalty = activation_penalty(
            output.raw,
            output.dropped,
            alpha=options.alpha,
            beta=options.beta,
            ar_of=options.ar_of,  # type: ignore[arg-type]
        )
        n_tokens = ids.numel()
        logs = {"weight": n_tokens, "n_tokens": n_tokens, "n_examples": len(ids)}
        return output.loss + penalty, logs


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


def measure(module: nn.Module, batches: TokenStream) -> dict[str, float]:
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
