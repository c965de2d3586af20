"""One corpus, two tokenizers, and trainings on it that differ in nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tweetclf.exceptions import DataError
from tweetclf.pretraining._masked_batches import (
    Corpus,
    MaskedBatches,
    Masking,
    split_rows,
)
from tweetclf.pretraining._masked_run import HeldOut, PackedMaskedLM, fit_masked
from tweetclf.pretraining.adaptation_settings import AdaptationTraining
from tweetclf.pretraining.migration import Init, MigrationReport, migrate_vocabulary
from tweetclf.training.checkpoints import Checkpoints
from tweetclf.training.devices import Precision, choose_device
from tweetclf.training.optimizers import adamw, parameter_groups
from tweetclf.training.schedules import Linear, total_steps
from tweetclf.utils.files import sha256_bytes
from tweetclf.utils.hugging_face import quiet_transformers

__all__ = ["Adaptation", "HeldOutLoss", "Report"]

Report = Callable[[dict[str, Any]], "bool | None"]


@dataclass(frozen=True)
class HeldOutLoss:
    """Loss on held-out texts.

    Parameters
    ----------
    nats_per_token : float
        Mean cross-entropy of the hidden tokens.
    nats_per_character : float
        The same, times the tokens of a text that can be hidden, over its characters.
    accuracy : float
        Share of the hidden tokens that were foretold.
    """

    nats_per_token: float
    nats_per_character: float
    accuracy: float


class _Reader:
    """Texts read by a tokenizer, and what of them may be hidden."""

    def __init__(self, tokenizer: Any, training: AdaptationTraining) -> None:
        self.tokenizer = tokenizer
        self.training = training
        n_tokens = max(tokenizer.get_vocab().values()) + 1
        special = np.zeros(n_tokens, dtype=bool)
        special[list(tokenizer.all_special_ids)] = True
        if tokenizer.mask_token_id is None:
            raise DataError(
                "adapt_language_model: the tokenizer has no token that hides others "
                "(mask_token), so it is no tokenizer of a masked language model."
            )
        if training.whole_words and not tokenizer.is_fast:
            raise DataError(
                f"adapt_language_model: {type(tokenizer).__name__} does not tell where "
                "words begin; set whole_words=False."
            )
        self.masking = Masking(
            rate=training.mask_rate,
            mask_id=int(tokenizer.mask_token_id),
            special=special,
            choices=np.flatnonzero(~special),
            whole_words=training.whole_words,
        )

    def corpus(self, texts: Sequence[str]) -> Corpus:
        """Return texts as tokens, cut off at the longest length."""
        return Corpus(self._encode, texts, words=self.training.whole_words)

    def _encode(self, texts: list[str]) -> list[Any]:
        limit = {"truncation": True, "max_length": self.training.max_length}
        if not self.tokenizer.is_fast:
            return [_Ids(ids) for ids in self.tokenizer(texts, **limit)["input_ids"]]
        # A fast tokenizer would keep the limit, and save it.
        backend = self.tokenizer.backend_tokenizer
        before = backend.truncation
        encoded = list(self.tokenizer(texts, **limit).encodings)
        if before is None:
            backend.no_truncation()
        else:
            backend.enable_truncation(**before)
        return encoded

    def fits(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Tell which texts are not cut off."""
        with quiet_transformers():  # which says which texts are too long
            ids = self.tokenizer(list(texts))["input_ids"]
        return np.array([len(i) for i in ids]) <= self.training.max_length

    def n_hideable(self, corpus: Corpus) -> int:
        """Return how many tokens may be hidden."""
        return int((~self.masking.special[corpus.ids]).sum())


@dataclass(frozen=True)
class _Ids:
    ids: list[int]


class Adaptation:
    """A corpus that is split and read by both tokenizers.

    Parameters
    ----------
    model, tokenizer, texts, new_tokenizer, training, seed, device
        See `adapt_language_model`.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        texts: Iterable[str],
        new_tokenizer: Any | None,
        training: AdaptationTraining,
        seed: int,
        device: str,
    ) -> None:
        unique = list(dict.fromkeys(text for text in texts if text.strip()))
        if len(unique) < 2:
            raise DataError(
                f"adapt_language_model: the corpus holds {len(unique)} texts; give "
                "more."
            )
        self.model = model
        self.training = training
        self.seed = seed
        self.device = choose_device(device)
        self.tokenizer = tokenizer
        self.new_tokenizer = new_tokenizer or tokenizer
        self.migrates = new_tokenizer is not None
        self.old = _Reader(tokenizer, training)
        self.new = _Reader(self.new_tokenizer, training) if self.migrates else self.old
        held, train = split_rows(len(unique), training.validation_fraction, seed)
        self.held = self._whole([unique[row] for row in held])
        self.n_texts = len(unique)
        self.n_characters = sum(map(len, self.held))
        self.corpus = self.new.corpus([unique[row] for row in train])
        self.batches = MaskedBatches(
            self.corpus,
            np.arange(len(train)),
            self.new.masking,
            batch_size=training.batch_size,
            seed=seed,
        )
        self.held_new = self._held(self.new)
        self.n_steps = total_steps(self.batches, training.max_iter)

    def _whole(self, held: list[str]) -> list[str]:
        """Return the texts that neither tokenizer cuts off: losses are of the same."""
        fits = self.old.fits(held) & self.new.fits(held)
        if not fits.any():
            raise DataError(
                f"adapt_language_model: none of {len(held)} held-out texts fits into "
                f"max_length={self.training.max_length}; raise it."
            )
        return [text for text, fit in zip(held, fits, strict=True) if fit]

    def _held(self, reader: _Reader) -> MaskedBatches:
        return MaskedBatches(
            reader.corpus(self.held),
            np.arange(len(self.held)),
            reader.masking,
            batch_size=self.training.batch_size,
            seed=self.seed,
        )

    def original_loss(self) -> HeldOutLoss:
        """Return the loss of the model as it was given."""
        was_training = self.model.training
        module = PackedMaskedLM(self.model).to(self.device)
        loss = self.loss(module, self._held(self.old), self.old)
        module.unpacked().train(was_training)
        return loss

    def loss(
        self, module: PackedMaskedLM, held: MaskedBatches, reader: _Reader
    ) -> HeldOutLoss:
        """Return the loss of a model on held-out texts."""
        module.eval()
        with torch.inference_mode():
            found = HeldOut(held)(module)
        n_hideable = reader.n_hideable(held.corpus)
        return HeldOutLoss(
            nats_per_token=found["valid_loss"],
            nats_per_character=found["valid_loss"] * n_hideable / self.n_characters,
            accuracy=found["valid_accuracy"],
        )

    def start(self, init: Init) -> tuple[PackedMaskedLM, MigrationReport | None]:
        """Return the model that training begins with."""
        model, overlap = self.model, None
        if self.migrates:
            model, overlap = migrate_vocabulary(
                self.model,
                self.tokenizer,
                self.new_tokenizer,
                init=init,
                random_state=self.seed,
            )
        module = PackedMaskedLM(model).to(self.device)
        limit = module.encoder.max_length
        if limit is not None and limit < self.training.max_length:
            raise DataError(
                f"adapt_language_model: the model knows {limit} positions; set "
                f"max_length to at most that. Got {self.training.max_length}."
            )
        return module, overlap

    def fit(
        self,
        module: PackedMaskedLM,
        precision: Precision,
        checkpoints: Checkpoints | None,
        report: Report | None,
    ) -> list[dict[str, Any]]:
        """Train, and return the history."""
        training = self.training
        rate = training.learning_rate
        outcome = fit_masked(
            module,
            self.batches,
            self.held_new,
            optimizer=adamw(
                parameter_groups(module, lr=rate, weight_decay=training.weight_decay),
                lr=rate,
                betas=(training.beta_1, training.beta_2),
                eps=training.epsilon,
            ),
            schedule=Linear(self.n_steps, warmup=training.warmup(self.n_steps)),
            max_iter=training.max_iter,
            seed=self.seed,
            precision=precision,
            checkpoints=checkpoints,
            report=report,
        )
        return outcome.history

    def told(self, module: PackedMaskedLM) -> dict[str, Any]:
        """Return all that determines the training."""
        weights = "".join(
            sha256_bytes(p.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
            for p in module.parameters()
        )
        corpora = (self.corpus, self.held_new.corpus)
        return {
            "training": asdict(self.training),
            "random_state": self.seed,
            "corpus": sha256_bytes(
                b"".join(c.ids.tobytes() + c.lengths.tobytes() for c in corpora)
            ),
            "start": sha256_bytes(weights.encode()),
        }
