"""Batches of pre-training encoders: pairs and single texts together, some held out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tweetclf.exceptions import DataError
from tweetclf.pretraining.corpus.tokens import TokenFiles
from tweetclf.pretraining.encoder_settings import EncoderObjectives, EncoderTraining
from tweetclf.pretraining.objectives import loss_and_hits
from tweetclf.pretraining.pair_batches import PretrainingBatches, split_packed
from tweetclf.pretraining.spans import (
    Masking,
    SpanMasking,
    TokenMasking,
    WholeWordMasking,
    word_continuations,
)
from tweetclf.training.devices import module_device, to_device
from tweetclf.training.distributed import Replicas
from tweetclf.utils.random import stream

__all__ = [
    "HeldOut",
    "MixedBatches",
    "check_files",
    "hold_out",
    "make_batches",
    "make_masking",
]

_MOST_HELD = 10_000


def make_masking(objectives: EncoderObjectives, tokenizer: Any) -> Masking:
    """Return what chooses the tokens to foretell."""
    if objectives.masking == "token":
        return TokenMasking(rate=objectives.mask_rate)
    if objectives.masking == "word":
        return WholeWordMasking(
            continues=word_continuations(tokenizer.get_vocab()),
            rate=objectives.mask_rate,
        )
    return SpanMasking(rate=objectives.mask_rate, max_span=objectives.max_span)


def hold_out(
    n_documents: int, fraction: float, seed: int, name: str
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
    """Return the numbers of the documents to learn from (None: all) and to measure on.

    Parameters
    ----------
    n_documents : int
        How many there are.
    fraction : float
        Share that is held out; at least one, at most 10,000, unless it is 0.
    seed : int
        Of the choice.
    name : str
        Of the files, so that those of two are chosen apart.
    """
    if not fraction:
        return None, np.empty(0, dtype=np.int64)
    if n_documents < 2:
        raise DataError(
            f"train_encoder: there are {n_documents} documents, too few to hold any "
            "out. Give more, or set validation_fraction=0."
        )
    n_held = min(max(1, round(fraction * n_documents)), _MOST_HELD, n_documents - 1)
    order = stream(seed, "held-out documents", name).permutation(n_documents)
    return np.sort(order[n_held:]), np.sort(order[:n_held])


class MixedBatches:
    """Batches of several sources: a part of each in every batch.

    Packed batches do not care whether an example is a pair or a text. Each source is
    read through once an epoch, those of pairs first in the batch, as the objective
    expects.

    Parameters
    ----------
    sources : sequence of PretrainingBatches
        Pairs before texts.
    """

    def __init__(self, sources: Sequence[PretrainingBatches]) -> None:
        self.sources = list(sources)

    def n_batches(self, epoch: int) -> int:
        """Return the number of batches of an epoch."""
        return max(source.n_batches(epoch) for source in self.sources)

    def epoch(self, epoch: int) -> Iterator[dict[str, Any]]:
        """Yield the batches of an epoch: the same for the same number, always."""
        iterators = [source.epoch(epoch) for source in self.sources]
        for _ in range(self.n_batches(epoch)):
            parts = [part for part in (next(i, None) for i in iterators) if part]
            batch = parts[0] if len(parts) == 1 else _join(parts)
            yield _with_sizes(batch)

    def split(self, batch: dict[str, Any]) -> list[dict[str, Any]]:
        """Halve a batch, for the day memory runs out."""
        tensors = {name: v for name, v in batch.items() if isinstance(v, Tensor)}
        return [_with_sizes(half) for half in split_packed(tensors)]


def _with_sizes(batch: dict[str, Tensor]) -> dict[str, Any]:
    # An array stays on the CPU, where the packed encoder looks at it.
    return {**batch, "sizes": batch["lengths"].numpy()}


def _join(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    shift = 0
    places = []
    for part in parts:
        places.append(part["places"] + shift)
        shift += len(part["input_ids"])
    joined = {"places": torch.cat(places)}
    for name in ("input_ids", "token_type_ids", "lengths", "targets"):
        joined[name] = torch.cat([part[name] for part in parts])
    labels = [part["pair_labels"] for part in parts if "pair_labels" in part]
    if labels:
        joined["pair_labels"] = torch.cat(labels)
    return joined


def make_batches(
    files: Sequence[TokenFiles],
    documents: Sequence[NDArray[np.int64] | None],
    training: EncoderTraining,
    masking: Masking,
    replicas: Replicas,
    *,
    shuffle: bool = True,
) -> MixedBatches | None:
    """Return the batches of some documents of token files; None if there are none.

    Parameters
    ----------
    files : sequence of TokenFiles
        Pairs and texts, of the same tokenizer.
    documents : sequence of ndarray or None
        Which documents of each; None stands for all.
    training : EncoderTraining
        Sizes of batches, lengths, seed.
    masking : Masking
        What chooses the tokens.
    replicas : Replicas
        Which of how many processes this is.
    shuffle : bool, default=True
        Draw a new order in every epoch.
    """
    pair = training.objectives.pair
    chosen = []
    for file, numbers in zip(files, documents, strict=True):
        n = file.n_documents if numbers is None else len(numbers)
        asks = pair if file.n_segments == 2 else None
        if n:
            chosen.append((file, numbers, asks, n * (2 if asks == "rop" else 1)))
    if not chosen:
        return None
    # Pairs first: their labels are those of the first examples of a batch.
    chosen.sort(key=lambda one: one[2] is None)
    sizes = _shares(training.batch_size, [n for *_, n in chosen])
    return MixedBatches(
        [
            PretrainingBatches(
                file.shards,
                n_segments=file.n_segments,
                special=file.special,
                vocab_size=file.vocab_size,
                masking=masking,
                pair_objective=asks,
                batch_size=size * replicas.size,
                max_length=training.max_length,
                seed=training.random_state,
                rank=replicas.rank,
                world_size=replicas.size,
                documents=numbers,
                length_pool=training.length_pool,
                shuffle=shuffle,
            )
            for size, (file, numbers, asks, _) in zip(sizes, chosen, strict=True)
        ]
    )


def _shares(total: int, weights: Sequence[int]) -> list[int]:
    """Share a number out in proportion to weights, at least 1 to each.

    Examples
    --------
    >>> _shares(8, [300, 100]), _shares(8, [1000, 1])
    ([6, 2], [7, 1])
    """
    exact = [total * weight / sum(weights) for weight in weights]
    shares = [max(1, int(share)) for share in exact]
    while sum(shares) < total:
        lacking = [e - s for e, s in zip(exact, shares, strict=True)]
        shares[lacking.index(max(lacking))] += 1
    while sum(shares) > max(total, len(shares)):
        shares[shares.index(max(shares))] -= 1
    return shares


class HeldOut:
    """Losses and accuracies on held-out documents, under masks that stay.

    Parameters
    ----------
    batches : MixedBatches
        This process's share of them.
    objectives : EncoderObjectives
        Factors of the losses.
    replicas : Replicas
        The processes that measure together.
    """

    def __init__(
        self, batches: MixedBatches, objectives: EncoderObjectives, replicas: Replicas
    ) -> None:
        self.batches = batches
        self.objectives = objectives
        self.replicas = replicas

    def __call__(self, module: nn.Module) -> dict[str, float]:
        """Measure a module."""
        device = module_device(module)
        sums = torch.zeros(6, dtype=torch.float64)
        for batch in self.batches.epoch(0):
            moved = to_device(batch, device)
            token_logits, pair_logits, _ = module(moved)
            loss, hits = loss_and_hits(token_logits, moved["targets"])
            entries: list[Any] = [loss, hits, len(moved["targets"]), 0.0, 0.0, 0]
            if self.objectives.pair is not None and "pair_labels" in moved:
                labels = moved["pair_labels"]
                loss, hits = loss_and_hits(pair_logits[: len(labels)], labels)
                entries[3:] = [loss, hits, len(labels)]
            sums += torch.tensor([float(entry) for entry in entries]).double()
        return self._scores(self.replicas.add(sums.tolist()))

    def _scores(self, sums: Sequence[float]) -> dict[str, float]:
        loss, hits, n, pair_loss, pair_hits, n_pairs = sums
        objectives = self.objectives
        mlm = loss / max(n, 1)
        scores = {
            "valid_loss": objectives.mlm_weight * mlm,
            "valid_mlm_loss": mlm,
            "valid_mlm_accuracy": hits / max(n, 1),
        }
        if objectives.pair is not None and n_pairs:
            mean = pair_loss / n_pairs
            scores["valid_loss"] += objectives.pair_weight * mean
            scores[f"valid_{objectives.pair}_loss"] = mean
            scores[f"valid_{objectives.pair}_accuracy"] = pair_hits / n_pairs
        return scores


def check_files(files: Mapping[str, TokenFiles], pair: str | None) -> None:
    """Refuse token files that cannot be learnt from together.

    Raises
    ------
    DataError
        If their tokenizers differ, or pairs are to be judged and none are there.
    """
    hashes = {name: f.manifest["tokenizer_sha256"] for name, f in files.items()}
    first, *others = hashes
    for other in others:
        if hashes[other] != hashes[first]:
            raise DataError(
                f"train_encoder: {first} and {other} were cut by different tokenizers. "
                "Write both with the same one."
            )
    if pair is not None and all(file.n_segments == 1 for file in files.values()):
        raise DataError(
            f"train_encoder: {pair!r} is to be learnt from pairs, and there are only "
            f"single texts in {', '.join(files)}. Give pairs, or set pair=None."
        )
