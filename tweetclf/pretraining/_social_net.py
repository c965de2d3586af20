"""The network of social pre-training, its two losses, and what is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tweetclf.modules.contrastive import ProjectionHead, nt_xent
from tweetclf.pretraining._social_batches import SocialBatches
from tweetclf.pretraining.objectives import PackedPreTraining, loss_and_hits
from tweetclf.pretraining.social_settings import SocialTraining
from tweetclf.training.devices import module_device, to_device

__all__ = ["HeldPairs", "SocialNet", "SocialObjective"]


class SocialNet(nn.Module):
    """A masked language model whose first states are projected for the contrast.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Bert-like, for masked language modelling.
    projection : ProjectionHead or None
        None: nothing is contrasted.
    """

    def __init__(self, model: Any, projection: ProjectionHead | None) -> None:
        super().__init__()
        self.packed = PackedPreTraining(model)
        self.projection = projection

    @property
    def model(self) -> Any:
        """The masked language model."""
        return self.packed.model

    def forward(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the logits of masked tokens, and first states, bare and projected."""
        logits, _, first = self.packed(batch)  # (m, vocab_size), (2 n, hidden)
        if "clean_ids" in batch:
            clean = {**batch, "input_ids": batch["clean_ids"]}
            # No place is foretold here.
            clean["places"] = batch["places"][:0]
            first = self.packed(clean)[2]
        projected = None if self.projection is None else self.projection(first)
        return logits, first, projected


class SocialObjective:
    """The contrast of pairs and masked language modelling, weighted.

    Both are means over all of a step, of however many micro-batches and processes.

    Parameters
    ----------
    training : SocialTraining
        Weights and temperature.
    """

    def __init__(self, training: SocialTraining) -> None:
        self.training = training
        self._totals: Mapping[str, float] | None = None

    def counts(self, batches: Sequence[Any]) -> dict[str, float]:
        """Return how many masked tokens and tweets there are."""
        return {
            "tokens": float(sum(len(batch["targets"]) for batch in batches)),
            "tweets": float(sum(len(batch["lengths"]) for batch in batches)),
        }

    def start_step(self, totals: Mapping[str, float]) -> None:
        """Take the sums of `counts` that the means of a step are over."""
        self._totals = totals

    def __call__(self, module: nn.Module, batch: Any) -> tuple[Tensor, dict[str, Any]]:
        """Return the batch's share of the loss, and logs."""
        totals = self._totals or self.counts([batch])
        logits, _, projected = module(batch)
        mlm, n_right = loss_and_hits(logits, batch["targets"])
        mlm = mlm / max(totals["tokens"], 1)
        logs: dict[str, Any] = {
            "weight": len(batch["lengths"]),
            "n_examples": len(batch["lengths"]),
            "n_tokens": len(batch["input_ids"]),
            "mlm_loss": mlm,
            "mlm_accuracy": n_right / max(totals["tokens"], 1),
        }
        if projected is None:
            return mlm, logs
        share = len(batch["lengths"]) / totals["tweets"]
        social = share * contrast(projected, batch, self.training)
        logs["social_loss"] = social
        options = self.training
        return options.social_weight * social + options.mlm_weight * mlm, logs


def contrast(
    projected: Tensor,
    batch: Mapping[str, Any],
    training: SocialTraining,
    *,
    gather: bool = True,
) -> Tensor:
    """Return the contrast of the pairs of a batch; repeats are no negatives."""
    n = len(projected) // 2
    ids = batch["identities"]
    return nt_xent(
        projected[:n],
        projected[n:],
        temperature=training.temperature,
        decoupled=training.decoupled,
        identities=(ids[:n], ids[n:]),
        gather=gather,
    )


class HeldPairs:
    """Losses on held-out pairs under masks that stay, and how often a partner is found.

    Tweets share sequences here where they do in training.

    Every process measures all of them by itself.

    Parameters
    ----------
    batches : SocialBatches
        The pairs, or tweets alone.
    training : SocialTraining
        Weights and temperature.
    """

    def __init__(self, batches: SocialBatches, training: SocialTraining) -> None:
        self.batches = batches
        self.training = training

    def __call__(self, module: nn.Module) -> dict[str, float]:
        """Measure a module."""
        device = module_device(module)
        sums = dict.fromkeys(
            ("mlm", "right", "tokens", "social", "found", "tweets"), 0.0
        )
        paired = self.batches.groups.shape[1] == 2
        for batch in self.batches.epoch(0):
            moved = to_device(batch, device)
            logits, first, projected = module(moved)
            n = len(moved["lengths"])
            loss, n_right = loss_and_hits(logits, moved["targets"])
            sums["mlm"] += loss.item()
            sums["right"] += n_right.item()
            sums["tokens"] += len(moved["targets"])
            sums["tweets"] += n
            if projected is not None:
                loss = contrast(projected, moved, self.training, gather=False)
                sums["social"] += loss.item() * n
            if paired:
                sums["found"] += _found(first, moved["identities"]).item()
        return self._scores(sums, paired)

    def _scores(self, sums: Mapping[str, float], paired: bool) -> dict[str, float]:
        mlm = sums["mlm"] / max(sums["tokens"], 1)
        scores = {
            "valid_loss": mlm,
            "valid_mlm_loss": mlm,
            "valid_mlm_accuracy": sums["right"] / max(sums["tokens"], 1),
        }
        if paired:
            scores["valid_found"] = sums["found"] / sums["tweets"]
        if self.training.social_weight and paired:
            social = sums["social"] / sums["tweets"]
            scores["valid_social_loss"] = social
            options = self.training
            scores["valid_loss"] = (
                options.social_weight * social + options.mlm_weight * mlm
            )
        return scores


def _found(first: Tensor, identities: Tensor) -> Tensor:
    """Return how many tweets have their partner nearest, by cosine of first states."""
    n = len(first) // 2
    unit = F.normalize(first.float(), dim=1)
    scores = unit @ unit.T  # (2 n, 2 n)
    partners = torch.arange(2 * n, device=first.device).roll(n)
    # The same tweet once more is neither a right answer nor a wrong one.
    same = identities[:, None] == identities[None, :]
    other = same | (identities[None, :] == identities[partners][:, None])
    near = scores.gather(1, partners[:, None])
    far = scores.masked_fill(other, -torch.inf).amax(dim=1, keepdim=True)
    return (near > far).sum()
