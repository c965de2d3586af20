"""Masked language modelling of any encoder: masks, batches, loss, held-out texts.

What `train_bert` and `adapt_language_model` share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tweetclf.modules.packed import PackedEncoder
from tweetclf.training.batching import LengthBatches
from tweetclf.training.checkpoints import Checkpoints
from tweetclf.training.devices import Precision, module_device, to_device
from tweetclf.training.loop import TrainingResult, fit_loop
from tweetclf.utils.random import stream

__all__ = [
    "Corpus",
    "HeldOut",
    "MaskedBatches",
    "Masking",
    "PackedMaskedLM",
    "fit_masked",
    "mask_tokens",
    "objective",
    "split_rows",
]

# What encodes texts: one object a text, with `ids` and, of fast tokenizers, `word_ids`.
Encode = Callable[[list[str]], Iterable[Any]]


def mask_tokens(
    ids: NDArray[np.integer],
    special: NDArray[np.bool_],
    *,
    rate: float,
    mask_id: int,
    choices: NDArray[np.integer],
    generator: np.random.Generator,
    word_starts: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Choose tokens to foretell, and hide most of them.

    Parameters
    ----------
    ids : ndarray of int, (n_tokens,)
        Tokens.
    special : ndarray of bool, (n_tokens,)
        Tokens that are never chosen.
    rate : float
        Probability that a token is chosen.
    mask_id : int
        What stands for 80 % of the chosen.
    choices : ndarray of int
        What 10 % of the chosen are replaced by, uniformly.
    generator : numpy.random.Generator
        Source of the draws.
    word_starts : ndarray of bool, (n_tokens,), optional
        Where words begin. Words are then chosen, with all of their tokens, rather
        than tokens.

    Returns
    -------
    hidden : ndarray of int64, (n_tokens,)
        What the model reads.
    places : ndarray of int, (n_chosen,)
        Positions of the chosen tokens; at least one, or one word, if there is any to
        choose.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.pretraining.masked import mask_tokens
    >>> ids = np.array([2, 9, 9, 9, 3])
    >>> hidden, places = mask_tokens(
    ...     ids, ids < 5, rate=0.9, mask_id=4, choices=np.arange(5, 9),
    ...     generator=np.random.default_rng(0))
    >>> hidden.tolist(), places.tolist()
    ([2, 9, 4, 4, 3], [1, 2, 3])
    """
    if word_starts is None:
        draws = generator.random(len(ids))
    else:
        words = np.cumsum(word_starts) - 1
        draws = generator.random(int(words[-1]) + 1 if len(words) else 0)[words]
    draws[special] = 1.0
    places = np.flatnonzero(draws < rate)
    if not len(places) and not special.all():
        places = np.flatnonzero(draws == draws.min())
    hidden = ids.astype(np.int64)
    kind = generator.random(len(places))
    hidden[places[kind < 0.8]] = mask_id
    replaced = places[(kind >= 0.8) & (kind < 0.9)]
    hidden[replaced] = generator.choice(choices, len(replaced))
    return hidden, places


@dataclass(frozen=True)
class Masking:
    """What is hidden, and how.

    Parameters
    ----------
    rate : float
        Share of the tokens, or words, that is foretold.
    mask_id : int
        What hides them.
    special : ndarray of bool, (vocab_size,)
        Tokens that are never hidden.
    choices : ndarray of int
        Tokens that may stand for another.
    whole_words : bool, default=False
        Whether words are hidden whole.
    """

    rate: float
    mask_id: int
    special: NDArray[np.bool_]
    choices: NDArray[np.integer]
    whole_words: bool = False


class Corpus:
    """Texts as one row of subwords.

    Parameters
    ----------
    encode : callable
        Texts -> one encoding each, with ``ids`` and ``word_ids``.
    texts : list of str
        The texts.
    words : bool, default=False
        Keep where words begin.
    """

    def __init__(
        self, encode: Encode, texts: Sequence[str], words: bool = False
    ) -> None:
        lengths = []
        pieces = []
        starts = []
        for start in range(0, len(texts), 10_000):
            for encoded in encode(list(texts[start : start + 10_000])):
                lengths.append(len(encoded.ids))
                pieces.append(np.array(encoded.ids, dtype=np.int32))
                if words:
                    starts.append(_word_starts(encoded.word_ids))
        self.ids = np.concatenate(pieces)
        self.lengths = np.array(lengths, dtype=np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.word_starts = np.concatenate(starts) if words else None


def _word_starts(word_ids: Sequence[int | None]) -> NDArray[np.bool_]:
    """Tell which tokens begin a word; special ones are words of their own."""
    numbers = np.array([-1 if w is None else w for w in word_ids])
    starts = np.ones(len(numbers), dtype=bool)
    starts[1:] = (numbers[1:] != numbers[:-1]) | (numbers[1:] < 0)
    return starts


class MaskedBatches:
    """Batches of masked texts, the same for the same seed and epoch.

    Parameters
    ----------
    corpus : Corpus
        The texts.
    rows : ndarray of int
        Which of them.
    masking : Masking
        What is hidden.
    batch_size : int
        Texts in a batch.
    seed : int
        Of order and masks.
    """

    def __init__(
        self,
        corpus: Corpus,
        rows: NDArray[np.intp],
        masking: Masking,
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        self.corpus = corpus
        self.rows = rows
        self.masking = masking
        self.seed = seed
        # Packed, so that texts of all lengths may be one batch.
        self.batches = LengthBatches(
            np.ones(len(rows), dtype=np.int64),
            lambda indices: indices,
            batch_size=batch_size,
            seed=seed,
        )

    def n_batches(self, epoch: int) -> int:
        """Return the number of batches of an epoch."""
        return self.batches.n_batches(epoch)

    def epoch(self, epoch: int) -> Iterator[dict[str, Any]]:
        """Yield the batches of an epoch."""
        masking, corpus = self.masking, self.corpus
        for number, indices in enumerate(self.batches.epoch(epoch)):
            rows = self.rows[indices]
            lengths = corpus.lengths[rows]
            ends = np.cumsum(lengths)
            shift = np.repeat(corpus.starts[rows] - (ends - lengths), lengths)
            tokens = np.arange(ends[-1]) + shift
            ids = corpus.ids[tokens]
            hidden, places = mask_tokens(
                ids,
                masking.special[ids],
                rate=masking.rate,
                mask_id=masking.mask_id,
                choices=masking.choices,
                generator=stream(self.seed, "masks", epoch, number),
                word_starts=corpus.word_starts[tokens]
                if masking.whole_words and corpus.word_starts is not None
                else None,
            )
            yield {
                "input_ids": torch.from_numpy(hidden),
                "lengths": torch.from_numpy(lengths),
                "places": torch.from_numpy(places),
                "targets": torch.from_numpy(ids[places].astype(np.int64)),
            }


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
            loss = F.cross_entropy(logits, moved["targets"], reduction="sum")
            total += float(loss)
            n_right += float((logits.argmax(1) == moved["targets"]).sum())
            n_tokens += len(moved["targets"])
        return {"valid_loss": total / n_tokens, "valid_accuracy": n_right / n_tokens}


def split_rows(
    n_texts: int, fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows of held-out texts, at least one, and those of the others.

    Parameters
    ----------
    n_texts : int
        At least two.
    fraction : float
        Share that is held out.
    seed : int
        Of the choice.

    Returns
    -------
    held, train : ndarray of int
        In order.
    """
    order = stream(seed, "held-out texts").permutation(n_texts)
    n_held = min(max(1, round(fraction * n_texts)), n_texts - 1)
    return np.sort(order[:n_held]), np.sort(order[n_held:])


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
