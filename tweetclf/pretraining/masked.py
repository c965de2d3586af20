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
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tweetclf.exceptions import DataError
from tweetclf.pretraining._keeping import open_checkpoint
from tweetclf.pretraining._masked_batches import (
    Corpus,
    MaskedBatches,
    Masking,
    mask_tokens,
    split_rows,
)
from tweetclf.pretraining._masked_run import PackedMaskedLM, fit_masked
from tweetclf.pretraining._subwords import learn_byte_level
from tweetclf.pretraining.tweet_tokenizer import (
    BERT_TOKENS,
    bert_template,
    wrap_tokenizer,
)
from tweetclf.training.checkpoints import Checkpoints
from tweetclf.training.devices import Precision, choose_device, seeded
from tweetclf.training.loop import TrainingResult
from tweetclf.training.optimizers import adamw, parameter_groups
from tweetclf.training.schedules import Linear, total_steps
from tweetclf.utils.files import atomic_directory, check_free, sha256_bytes
from tweetclf.utils.hugging_face import quiet_transformers
from tweetclf.utils.random import stream

__all__ = ["BertTraining", "BertTrainingResult", "mask_tokens", "train_bert"]


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


def _learn_tokenizer(texts: list[str], training: BertTraining) -> Any:
    from tokenizers import normalizers, pre_tokenizers

    tokenizer = learn_byte_level(
        texts,
        training.vocab_size,
        BERT_TOKENS,
        normalizer=normalizers.NFC(),
        pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=True),
    )
    bert_template(tokenizer)
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
        pad_token_id=BERT_TOKENS.index("[PAD]"),
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
    read = Corpus(tokenizer.encode_batch, texts)
    module = PackedMaskedLM(_make_model(tokenizer, training, random_state), "packed")
    module.to(choose_device(device))
    told = {
        "training": asdict(training),
        "random_state": random_state,
        "corpus": sha256_bytes(read.ids.tobytes() + read.lengths.tobytes()),
    }
    kept = open_checkpoint(checkpoint, told, "train_bert")
    outcome = _fit(module, read, training, random_state, precision, kept, report)
    _write(Path(out), module.unpacked(), tokenizer, training)
    if checkpoint is not None:
        shutil.rmtree(checkpoint)
    return BertTrainingResult(
        Path(out),
        n_texts=len(texts),
        n_tokens=len(read.ids),
        valid_loss=float(outcome.best_score or math.nan),
        history=outcome.history,
    )


def _masking(corpus: Corpus, rate: float) -> Masking:
    n_special = len(BERT_TOKENS)
    n_tokens = int(corpus.ids.max(initial=n_special)) + 1
    return Masking(
        rate=rate,
        mask_id=BERT_TOKENS.index("[MASK]"),
        special=np.arange(n_tokens) < n_special,
        choices=np.arange(n_special, n_tokens),
    )


def _fit(
    module: PackedMaskedLM,
    corpus: Corpus,
    training: BertTraining,
    seed: int,
    precision: Precision,
    checkpoints: Checkpoints | None,
    report: Callable[[dict[str, Any]], bool | None] | None,
) -> TrainingResult:
    held, train = split_rows(len(corpus.lengths), training.validation_fraction, seed)
    masking = _masking(corpus, training.mask_rate)
    sizes = {"batch_size": training.batch_size, "seed": seed}
    batches = MaskedBatches(corpus, train, masking, **sizes)
    return fit_masked(
        module,
        batches,
        MaskedBatches(corpus, held, masking, **sizes),
        optimizer=adamw(
            parameter_groups(
                module, lr=training.learning_rate, weight_decay=training.weight_decay
            ),
            lr=training.learning_rate,
        ),
        schedule=Linear(total_steps(batches, training.max_iter), warmup=0.05),
        max_iter=training.max_iter,
        seed=seed,
        precision=precision,
        checkpoints=checkpoints,
        report=report,
    )


def _write(out: Path, model: Any, tokenizer: Any, training: BertTraining) -> None:
    tokenizer.no_truncation()
    wrapped = wrap_tokenizer(tokenizer, max_length=training.max_length)
    with atomic_directory(out) as folder, quiet_transformers():
        model.save_pretrained(folder)
        wrapped.save_pretrained(folder)
