"""Masked language modelling and judgements on pairs, over packed batches.

References
----------
J. A. González, L.-F. Hurtado & F. Pla, "TWilBert", Neurocomputing 426, 2021, section
3: the loss is the sum of that of the masked tokens and that of the reply order, each a
mean over the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tweetclf.modules.packed import PackedEncoder

__all__ = ["PackedPreTraining", "PretrainingObjective"]

_TOKEN_HEADS = ("cls.predictions", "predictions", "lm_head", "cls")
_PAIR_HEADS = ("cls.seq_relationship", "seq_relationship", "sop_classifier")


def _find(model: nn.Module, names: Sequence[str]) -> nn.Module | None:
    for name in names:
        found: Any = model
        for part in name.split("."):
            found = getattr(found, part, None)
        if isinstance(found, nn.Module):
            return found
    return None


class PackedPreTraining(nn.Module):
    """A model with pre-training heads, over the packed batches of pre-training.

    Only the states of masked places go through the head that foretells tokens, which
    is most of the work of a small model, and only those of first tokens through the
    head that judges pairs.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        A Bert, Albert or TWilBERT for pre-training or for masked language modelling, or
        one that is built like them.
    packing : {"auto", "packed", "padded"}, default="auto"
        See `PackedEncoder`.

    Attributes
    ----------
    judges_pairs : bool
        Whether the model has a head for pairs.

    Examples
    --------
    >>> import torch
    >>> from transformers import BertConfig, BertForPreTraining
    >>> from tweetclf.pretraining.objectives import PackedPreTraining
    >>> config = BertConfig(
    ...     vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
    ...     intermediate_size=8)
    >>> module = PackedPreTraining(BertForPreTraining(config))
    >>> tokens, pairs, states = module({
    ...     "input_ids": torch.tensor([2, 4, 3, 2, 4, 3]),
    ...     "token_type_ids": torch.zeros(6, dtype=torch.int64),
    ...     "lengths": torch.tensor([3, 3]), "places": torch.tensor([1])})
    >>> tokens.shape, pairs.shape, states.shape
    (torch.Size([1, 9]), torch.Size([2, 2]), torch.Size([2, 8]))
    """

    def __init__(self, model: Any, packing: str = "auto") -> None:
        super().__init__()
        base = getattr(model, model.base_model_prefix)
        token_head = _find(model, _TOKEN_HEADS)
        if token_head is None:
            raise ValueError(
                "PackedPreTraining: the 'model' parameter must have a head for masked "
                f"language modelling. Got {type(model).__name__}; take its ForMaskedLM "
                "or ForPreTraining class."
            )
        self.model = model
        self.encoder = PackedEncoder(base, packing)
        # In lists, for they are parts of the model already.
        self._token_head = [token_head]
        self._pair_head = [_find(model, _PAIR_HEADS)]

    @property
    def judges_pairs(self) -> bool:
        """Whether the model has a head for pairs."""
        return self._pair_head[0] is not None

    def forward(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return logits of the masked places and of the pairs, and states.

        Parameters
        ----------
        batch : mapping
            ``input_ids`` and ``token_type_ids`` of shape (total,), ``lengths`` (n,),
            ``places`` (m,), as `PretrainingBatches` yields them. ``sizes``, the lengths
            as an array on the CPU, saves waiting for a GPU.

        Returns
        -------
        token_logits : tensor of shape (m, vocab_size)
            Of what stands at the masked places.
        pair_logits : tensor of shape (n, 2) or None
            None if the model has no head for pairs.
        cls_states : tensor of shape (n, hidden_size)
            Of the first token of each example.
        """
        lengths = batch["lengths"]
        sizes = batch.get("sizes")
        states = self.encoder(
            batch["input_ids"],
            lengths if sizes is None else torch.from_numpy(sizes),
            batch["token_type_ids"],
        )  # (total, hidden_size)
        first = states[lengths.cumsum(0) - lengths]  # (n, hidden_size)
        token_logits = self._token_head[0](states[batch["places"]])
        pair_head = self._pair_head[0]
        pair_logits = None if pair_head is None else pair_head(self._pool(first))
        return token_logits, pair_logits, first

    def _pool(self, first: Tensor) -> Tensor:
        """Return what the model's own pooler makes of first tokens' states."""
        base: Any = self.encoder.model
        pooler = getattr(base, "pooler", None)
        if pooler is None:
            return first
        if isinstance(pooler, nn.Linear):  # ALBERT's
            return base.pooler_activation(pooler(first))
        return pooler(first[:, None])


class PretrainingObjective:
    """The weighted sum of the mean losses of masked tokens and of pairs.

    The means are over all masked tokens and all pairs of a step: of its micro-batches
    and of all processes.

    Parameters
    ----------
    pair : str or None, default="rop"
        What the logs of the pairs are called; None: nothing is asked of pairs.
    mlm_weight, pair_weight : float, default=1.0, 1.0
        Factors of the losses.

    Examples
    --------
    >>> import torch
    >>> from tweetclf.pretraining.objectives import PretrainingObjective
    >>> def module(batch):
    ...     return torch.zeros(1, 4), torch.zeros(2, 2), torch.zeros(2, 8)
    >>> batch = {
    ...     "targets": torch.tensor([3]), "pair_labels": torch.tensor([1, 0]),
    ...     "input_ids": torch.zeros(9), "lengths": torch.tensor([4, 5])}
    >>> loss, logs = PretrainingObjective()(module, batch)
    >>> round(loss.item(), 3), round(logs["rop_loss"].item(), 3)
    (2.079, 0.693)
    """

    def __init__(
        self,
        *,
        pair: str | None = "rop",
        mlm_weight: float = 1.0,
        pair_weight: float = 1.0,
    ) -> None:
        self.pair = pair
        self.mlm_weight = mlm_weight
        self.pair_weight = pair_weight
        self._totals: Mapping[str, float] | None = None

    def counts(self, batches: Sequence[Any]) -> dict[str, float]:
        """Return how many masked tokens and pairs there are."""
        return {
            "tokens": float(sum(len(batch["targets"]) for batch in batches)),
            "pairs": float(sum(len(batch.get("pair_labels", ())) for batch in batches)),
        }

    def start_step(self, totals: Mapping[str, float]) -> None:
        """Take the sums of `counts` that the means of a step are over."""
        self._totals = totals

    def __call__(self, module: Any, batch: Any) -> tuple[Tensor, dict[str, Any]]:
        """Return the batch's share of the loss, and logs."""
        totals = self._totals or self.counts([batch])
        token_logits, pair_logits, _ = module(batch)
        parts = {"mlm": (token_logits, batch["targets"], totals["tokens"])}
        if self.pair is not None:
            if pair_logits is None:
                raise ValueError(
                    "PretrainingObjective: pairs are to be judged, and the model has "
                    "no head for them. Take its ForPreTraining class, or pair=None."
                )
            # Single texts, which have no label, stand behind the pairs; the last
            # batches of an epoch may hold nothing else.
            labels = batch.get("pair_labels", batch["targets"][:0])
            parts[self.pair] = (pair_logits[: len(labels)], labels, totals["pairs"])
        logs: dict[str, Any] = {
            "weight": len(batch["targets"]),
            "n_tokens": len(batch["input_ids"]),
            "n_examples": len(batch["lengths"]),
        }
        for name, (logits, targets, total) in parts.items():
            loss, n_right = loss_and_hits(logits, targets)
            logs[f"{name}_loss"] = loss / max(total, 1)
            logs[f"{name}_accuracy"] = n_right / max(total, 1)
        value = self.mlm_weight * logs["mlm_loss"]
        if self.pair is not None:
            value = value + self.pair_weight * logs[f"{self.pair}_loss"]
        return value, logs


def loss_and_hits(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the summed cross-entropy, and how often the highest logit is right."""
    loss = F.cross_entropy(logits.float(), targets, reduction="sum")
    return loss, (logits.argmax(-1) == targets).sum()
