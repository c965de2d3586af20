"""Masked language modelling of any encoder: the model, its loss, held-out texts.

What `train_bert` and `adapt_language_model` share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tweetclf.modules.packed import PackedEncoder
from tweetclf.pretraining._masked_batches import MaskedBatches
from tweetclf.pretraining.objectives import loss_and_hits
from tweetclf.training.checkpoints import Checkpoints
from tweetclf.training.devices import Precision, module_device, to_device
from tweetclf.training.loop import TrainingResult, fit_loop

__all__ = ["HeldOut", "PackedMaskedLM", "fit_masked", "objective"]


class PackedMaskedLM(nn.Module):
    """A masked language model over packed texts; its head sees what is foretold only.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        A ``...ForMaskedLM`` whose head is a chain of its modules beside the encoder:
        BERT, RoBERTa, XLM-RoBERTa, ALBERT, ELECTRA, ModernBERT and others.
    packing : str, default="auto"
        See `tweetclf.modules.packed.PackedEncoder`.

    Raises
    ------
    ValueError
        If the head is another: what comes out differs from what the model says.
    """

    def __init__(self, model: Any, packing: str = "auto") -> None:
        super().__init__()
        self.model = model
        base = model.base_model
        # Children beside the encoder, in order; the model holds them already.
        self._names = [name for name, m in model.named_children() if m is not base]
        self._attention = model.config._attn_implementation
        self.encoder = PackedEncoder(base, packing=packing)
        _check_head(self)

    def head(self, states: Tensor) -> Tensor:
        """Return the logits of states, (n, vocab_size)."""
        for name in self._names:
            states = getattr(self.model, name)(states)
        return states

    def forward(self, input_ids: Tensor, lengths: Tensor, places: Tensor) -> Tensor:
        """Return the logits of chosen tokens, (n_chosen, vocab_size)."""
        states = self.encoder(input_ids, lengths)  # (total, hidden_size)
        return self.head(states[places])

    def unpacked(self) -> Any:
        """Return the model, for whoever loads it to choose an attention."""
        if self.model.config._attn_implementation != self._attention:
            self.model.set_attn_implementation(self._attention)
        return self.model


def _check_head(module: PackedMaskedLM) -> None:
    """Refuse a model whose logits are not what its modules make of its states."""
    model = module.model
    size = min(6, model.config.vocab_size, module.encoder.max_length or 6)
    ids = torch.arange(model.config.vocab_size - size, model.config.vocab_size)
    ids = ids.to(model.device)
    was_training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            theirs = model(input_ids=ids[None]).logits[0]
            ours = module(ids, torch.tensor([size]), torch.arange(size))
        same = ours.shape == theirs.shape and torch.allclose(
            ours, theirs, rtol=1e-3, atol=1e-3
        )
    except (AttributeError, NotImplementedError, RuntimeError, TypeError) as error:
        raise ValueError(_unknown_head(model)) from error
    finally:
        module.train(was_training)
    if not same:
        raise ValueError(_unknown_head(model))


def _unknown_head(model: Any) -> str:
    return (
        f"The head of {type(model).__name__} is not a chain of its modules, so it "
        "cannot be trained here. BERT, RoBERTa, XLM-RoBERTa, ALBERT, ELECTRA and "
        "ModernBERT for masked language modelling can."
    )


def objective(module: nn.Module, batch: Any) -> tuple[Tensor, dict[str, Any]]:
    """Return the mean loss of a batch, and what `fit_loop` wants to know of it.

    Parameters
    ----------
    module : PackedMaskedLM
        The model.
    batch : dict
        As `MaskedBatches` yields them.

    Returns
    -------
    loss : tensor
        Mean cross-entropy of the hidden tokens, in nats.
    logs : dict
        Weight and sizes.
    """
    logits = module(batch["input_ids"], batch["lengths"], batch["places"])
    loss = F.cross_entropy(logits.float(), batch["targets"])
    return loss, {
        "weight": len(batch["targets"]),
        "n_tokens": len(batch["input_ids"]),
        "n_examples": len(batch["lengths"]),
    }


class HeldOut:
    """Mean loss on held-out texts under masks that stay.

    Parameters
    ----------
    batches : MaskedBatches
        The texts.
    """

    def __init__(self, batches: MaskedBatches) -> None:
        self.batches = batches

    def __call__(self, module: nn.Module) -> dict[str, float]:
        """Return loss in nats, and share of tokens that are foretold."""
        device = module_device(module)
        total = n_tokens = n_right = 0.0
        for batch in self.batches.epoch(0):
            moved = to_device(batch, device)
            logits = module(moved["input_ids"], moved["lengths"], moved["places"])
            loss, hits = loss_and_hits(logits, moved["targets"])
            total += float(loss)
            n_right += float(hits)
            n_tokens += len(moved["targets"])
        return {"valid_loss": total / n_tokens, "valid_accuracy": n_right / n_tokens}


def fit_masked(
    module: nn.Module,
    batches: MaskedBatches,
    held: MaskedBatches,
    *,
    optimizer: torch.optim.Optimizer,
    schedule: Callable[[int], Any],
    max_iter: int,
    seed: int,
    precision: Precision,
    checkpoints: Checkpoints | None,
    report: Callable[[dict[str, Any]], bool | None] | None,
) -> TrainingResult:
    """Train; the epoch of the lowest loss on held-out texts is kept.

    Parameters
    ----------
    module : PackedMaskedLM
        Trained in place.
    batches, held : MaskedBatches
        What is learnt from, and what the loss is measured on.
    optimizer, schedule, max_iter, seed, precision, report
        See `tweetclf.training.fit_loop`.
    checkpoints : Checkpoints or None
        Where the state is kept, and where it goes on from.

    Returns
    -------
    TrainingResult
        History and best epoch.
    """
    return fit_loop(
        module,
        objective,
        batches,
        optimizer=optimizer,
        max_epochs=max_iter,
        schedule=schedule,
        clip_norm=1.0,
        precision=precision,
        evaluate=HeldOut(held),
        checkpoint=checkpoints,
        resume=None if checkpoints is None else checkpoints.latest(),
        report=report,
        seed=seed,
    )
