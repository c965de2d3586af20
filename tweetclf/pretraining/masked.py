"""Masked language modelling: learning a BERT from scratch on tweets.

References
----------
J. Devlin et al., "BERT: pre-training of deep bidirectional transformers for language
understanding", NAACL 2019, section 3.1 (arXiv:1810.04805): 15 % of the tokens are
foretold; of these 80 % are masked, 10 % replaced, 10 % left. Y. Liu et al., "RoBERTa",
2019 (arXiv:1907.11692): drawn anew in every epoch, and no next-sentence prediction.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tweetclf.exceptions import DataError
from tweetclf.modules.packed import PackedEncoder
from tweetclf.pretraining._keeping import open_checkpoint
from tweetclf.training.batching import LengthBatches
from tweetclf.training.checkpoints import Checkpoints
from tweetclf.training.devices import (
    Precision,
    choose_device,
    module_device,
    seeded,
    to_device,
)
from tweetclf.training.loop import TrainingResult, fit_loop
from tweetclf.training.optimizers import adamw, parameter_groups
from tweetclf.training.schedules import Linear, total_steps
from tweetclf.utils.files import atomic_directory, check_free, sha256_bytes
from tweetclf.utils.hugging_face import quiet_transformers
from tweetclf.utils.random import stream

__all__ = [
    "BertTraining",
    "BertTrainingResult",
    "learn_tokenizer",
    "mask_tokens",
    "train_bert",
]

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@dataclass(frozen=True, kw_only=True)
class BertTraining:
    """Sizes of a BERT and how it is learnt; the defaults are for a CPU.

    Parameters
    ----------
    vocab_size : int, default=8000
        Subwords, special tokens included.
    hidden_size, n_layers, n_heads : int, default=256, 4, 4
        Sizes of the encoder; its feed-forward layers are four times as wide.
    max_length : int, default=128
        Longer texts are cut off; the encoder knows as many positions.
    max_iter : int, default=10
        Epochs.
    batch_size : int, default=128
        Texts in a step.
    learning_rate : float, default=5e-4
        Peak rate of AdamW, reached after a twentieth of the steps; it falls linearly.
    weight_decay : float, default=0.01
        Decoupled weight decay, of matrices alone.
    mask_rate : float, default=0.15
        Share of the tokens that is foretold.
    dropout : float, default=0.1
        Of states and attention.
    validation_fraction : float, default=0.02
        Share of the texts that the loss is measured on; the best epoch is kept.
    """

    vocab_size: int = 8000
    hidden_size: int = 256
    n_layers: int = 4
    n_heads: int = 4
    max_length: int = 128
    max_iter: int = 10
    batch_size: int = 128
    learning_rate: float = 5e-4
    weight_decay: float = 0.01
    mask_rate: float = 0.15
    dropout: float = 0.1
    validation_fraction: float = 0.02

    def __post_init__(self) -> None:
        for name in ("mask_rate", "validation_fraction"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(
                    f"BertTraining: the {name!r} parameter must be between 0 and 1. "
                    f"Got {getattr(self, name)!r} instead."
                )
        if self.hidden_size % self.n_heads:
            raise ValueError(
                "BertTraining: 'hidden_size' must be a multiple of 'n_heads'. Got "
                f"{self.hidden_size} and {self.n_heads}."
            )
        for name in ("n_layers", "max_iter", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"BertTraining: the {name!r} parameter must be at least 1. Got "
                    f"{getattr(self, name)!r} instead."
                )
        if self.max_length < 3:
            raise ValueError(
                "BertTraining: 'max_length' must be at least 3: a word between [CLS] "
                f"and [SEP]. Got {self.max_length}."
            )


@dataclass(frozen=True)
class BertTrainingResult:
    """What came out.

    Parameters
    ----------
    path : Path
        The directory, as ``transformers`` loads it.
    n_texts, n_tokens : int
        Size of the corpus, special tokens included.
    valid_loss : float
        Mean cross-entropy of the masked tokens of held-out texts, in nats.
    history : list of dict
        One dict an epoch.
    """

    path: Path
    n_texts: int
    n_tokens: int
    valid_loss: float
    history: list[dict[str, Any]]


def mask_tokens(
    ids: NDArray[np.integer],
    special: NDArray[np.bool_],
    *,
    rate: float,
    mask_id: int,
    choices: NDArray[np.integer],
    generator: np.random.Generator,
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

    Returns
    -------
    hidden : ndarray of int64, (n_tokens,)
        What the model reads.
    places : ndarray of int, (n_chosen,)
        Positions of the chosen tokens; at least one, if there is any to choose.

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
    draws = generator.random(len(ids))
    draws[special] = 1.0
    places = np.flatnonzero(draws < rate)
    if not len(places) and not special.all():
        places = np.array([int(draws.argmin())])
    hidden = ids.astype(np.int64)
    kind = generator.random(len(places))
    hidden[places[kind < 0.8]] = mask_id
    replaced = places[(kind >= 0.8) & (kind < 0.9)]
    hidden[replaced] = generator.choice(choices, len(replaced))
    return hidden, places


class _Corpus:
    """Texts as one row of subwords."""

    def __init__(self, tokenizer: Any, texts: list[str]) -> None:
        lengths = []
        pieces = []
        for start in range(0, len(texts), 10_000):
            for encoded in tokenizer.encode_batch(texts[start : start + 10_000]):
                lengths.append(len(encoded.ids))
                pieces.append(np.array(encoded.ids, dtype=np.int32))
        self.ids = np.concatenate(pieces)
        self.lengths = np.array(lengths, dtype=np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths


class _MaskedBatches:
    """Batches of masked texts, the same for the same seed and epoch."""

    def __init__(
        self, corpus: _Corpus, rows: NDArray[np.intp], training: BertTraining, seed: int
    ) -> None:
        self.corpus = corpus
        self.rows = rows
        self.rate = training.mask_rate
        self.seed = seed
        self.n_special = len(SPECIAL_TOKENS)
        self.choices = np.arange(self.n_special, int(corpus.ids.max(initial=5)) + 1)
        # Packed, so that texts of all lengths may be one batch.
        self.batches = LengthBatches(
            np.ones(len(rows), dtype=np.int64),
            lambda indices: indices,
            batch_size=training.batch_size,
            seed=seed,
        )

    def n_batches(self, epoch: int) -> int:
        return self.batches.n_batches(epoch)

    def epoch(self, epoch: int) -> Iterator[dict[str, Any]]:
        for number, indices in enumerate(self.batches.epoch(epoch)):
            rows = self.rows[indices]
            lengths = self.corpus.lengths[rows]
            ends = np.cumsum(lengths)
            shift = np.repeat(self.corpus.starts[rows] - (ends - lengths), lengths)
            ids = self.corpus.ids[np.arange(ends[-1]) + shift]
            hidden, places = mask_tokens(
                ids,
                ids < self.n_special,
                rate=self.rate,
                mask_id=SPECIAL_TOKENS.index("[MASK]"),
                choices=self.choices,
                generator=stream(self.seed, "masks", epoch, number),
            )
            yield {
                "input_ids": torch.from_numpy(hidden),
                "lengths": torch.from_numpy(lengths),
                "places": torch.from_numpy(places),
                "targets": torch.from_numpy(ids[places].astype(np.int64)),
            }


class _PackedMaskedLM(nn.Module):
    """BertForMaskedLM over packed texts; only what is foretold goes to its head."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.encoder = PackedEncoder(model.bert, packing="packed")

    def forward(self, input_ids: Tensor, lengths: Tensor, places: Tensor) -> Tensor:
        states = self.encoder(input_ids, lengths)  # (total, hidden_size)
        return self.model.cls(states[places])  # (n_chosen, vocab_size)


def _objective(module: nn.Module, batch: Any) -> tuple[Tensor, dict[str, Any]]:
    logits = module(batch["input_ids"], batch["lengths"], batch["places"])
    loss = F.cross_entropy(logits.float(), batch["targets"])
    return loss, {
        "weight": len(batch["targets"]),
        "n_tokens": len(batch["input_ids"]),
        "n_examples": len(batch["lengths"]),
    }


class _Held:
    """Mean loss on held-out texts under masks that stay."""

    def __init__(self, batches: _MaskedBatches) -> None:
        self.batches = batches

    def __call__(self, module: nn.Module) -> dict[str, float]:
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


def _learn_tokenizer(texts: list[str], training: BertTraining) -> Any:
    """Learn byte-level BPE: no text has an unknown token, and ties are broken alike."""
    from tokenizers import (
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=training.vocab_size,
        min_frequency=2,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.enable_truncation(training.max_length)
    return tokenizer


def _make_model(tokenizer: Any, training: BertTraining, seed: int) -> Any:
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=training.hidden_size,
        num_hidden_layers=training.n_layers,
        num_attention_heads=training.n_heads,
        intermediate_size=4 * training.hidden_size,
        max_position_embeddings=training.max_length,
        hidden_dropout_prob=training.dropout,
        attention_probs_dropout_prob=training.dropout,
        pad_token_id=SPECIAL_TOKENS.index("[PAD]"),
    )
    start = int(stream(seed, "BERT weights").integers(2**62))
    with seeded(start, torch.device("cpu")):
        return BertForMaskedLM(config)


def train_bert(
    corpus: Iterable[str],
    out: str | os.PathLike[str],
    *,
    training: BertTraining | None = None,
    random_state: int = 0,
    device: str = "auto",
    precision: Precision = "float32",
    checkpoint: str | os.PathLike[str] | None = None,
    report: Callable[[dict[str, Any]], bool | None] | None = None,
) -> BertTrainingResult:
    """Learn a tokenizer and a BERT from scratch, by masked language modelling.

    Parameters
    ----------
    corpus : iterable of str
        Texts; equal ones are read once.
    out : path
        The directory to write: what ``AutoModel`` and ``AutoTokenizer`` load.
    training : BertTraining, optional
        Sizes and settings.
    random_state : int, default=0
        Seed of weights, masks, order and dropout. On a CPU the weights are the same
        bits for the same seed.
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
    BertTrainingResult
        Loss and history.

    Raises
    ------
    DataError
        If there are fewer than two texts, or `checkpoint` is of another training.
    FileExistsError
        If `out` exists and is not an empty folder.

    Notes
    -----
    Texts are packed, not padded, and only the tokens that are foretold go through the
    head, which is most of the work of a small model with many subwords.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.pretraining import BertTraining, train_bert
    >>> training = BertTraining(
    ...     vocab_size=300, hidden_size=8, n_layers=1, n_heads=2, max_iter=1)
    >>> tweets = [f"qué risa el lunes {k}" for k in range(20)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = train_bert(tweets, folder + "/bert", training=training)
    ...     (result.path / "model.safetensors").exists()
    True
    """
    training = training or BertTraining()
    check_free(out)
    texts = list(dict.fromkeys(text for text in corpus if text.strip()))
    if len(texts) < 2:
        raise DataError(f"train_bert: the corpus holds {len(texts)} texts; give more.")
    tokenizer = _learn_tokenizer(texts, training)
    read = _Corpus(tokenizer, texts)
    module = _PackedMaskedLM(_make_model(tokenizer, training, random_state))
    module.to(choose_device(device))
    told = {
        "training": asdict(training),
        "random_state": random_state,
        "corpus": sha256_bytes(read.ids.tobytes() + read.lengths.tobytes()),
    }
    kept = (
        None
        if checkpoint is None
        else open_checkpoint(Path(checkpoint), told, "train_bert")
    )
    outcome = _fit(module, read, training, random_state, precision, kept, report)
    _write(Path(out), module.model, tokenizer, training)
    if checkpoint is not None:
        shutil.rmtree(checkpoint)
    return BertTrainingResult(
        Path(out),
        n_texts=len(texts),
        n_tokens=len(read.ids),
        valid_loss=float(outcome.best_score or math.nan),
        history=outcome.history,
    )


def _fit(
    module: nn.Module,
    corpus: _Corpus,
    training: BertTraining,
    seed: int,
    precision: Precision,
    checkpoints: Checkpoints | None,
    report: Callable[[dict[str, Any]], bool | None] | None,
) -> TrainingResult:
    n_texts = len(corpus.lengths)
    order = stream(seed, "held-out texts").permutation(n_texts)
    n_held = min(max(1, round(training.validation_fraction * n_texts)), n_texts - 1)
    held, train = np.sort(order[:n_held]), np.sort(order[n_held:])
    batches = _MaskedBatches(corpus, train, training, seed)
    steps = total_steps(batches, training.max_iter)
    return fit_loop(
        module,
        _objective,
        batches,
        optimizer=adamw(
            parameter_groups(
                module, lr=training.learning_rate, weight_decay=training.weight_decay
            ),
            lr=training.learning_rate,
        ),
        max_epochs=training.max_iter,
        schedule=Linear(steps, warmup=0.05),
        clip_norm=1.0,
        precision=precision,
        evaluate=_Held(_MaskedBatches(corpus, held, training, seed)),
        checkpoint=checkpoints,
        resume=None if checkpoints is None else checkpoints.latest(),
        report=report,
        seed=seed,
    )


def learn_tokenizer(texts: list[str], training: BertTraining) -> Any:
    """Learn a tokenizer as `train_bert` does.

    Parameters
    ----------
    texts : list of str
        What it is learnt from.
    training : BertTraining
        `vocab_size` and `max_length` of it are used.

    Returns
    -------
    transformers.PreTrainedTokenizerFast
        Byte-level BPE that wraps texts as ``[CLS] text [SEP]``.
    """
    return _wrap(_learn_tokenizer(texts, training), training)


def _wrap(tokenizer: Any, training: BertTraining) -> Any:
    from transformers import PreTrainedTokenizerFast

    tokenizer.no_truncation()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=training.max_length,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **{f"{t[1:-1].lower()}_token": t for t in SPECIAL_TOKENS},
    )


def _write(out: Path, model: Any, tokenizer: Any, training: BertTraining) -> None:
    wrapped = _wrap(tokenizer, training)
    # Packing is ours; whoever loads the directory chooses an attention of their own.
    model.set_attn_implementation("sdpa")
    with atomic_directory(out) as folder, quiet_transformers():
        model.save_pretrained(folder)
        wrapped.save_pretrained(folder)
