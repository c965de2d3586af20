"""Adapt a masked language model to tweets: another vocabulary, and more of the same.

References
----------
BERT for Japanese Twitter, chapter 6 (systems.md 3a). S. Gururangan et al., "Don't stop
pretraining", ACL 2020, section 3 (arXiv:2004.10964).
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tweetclf.exceptions import DataError
from tweetclf.pretraining._keeping import open_checkpoint
from tweetclf.pretraining._masked_run import (
    Corpus,
    HeldOut,
    MaskedBatches,
    Masking,
    PackedMaskedLM,
    fit_masked,
    split_rows,
)
from tweetclf.pretraining.adaptation_settings import AdaptationTraining
from tweetclf.pretraining.migration import Init, MigrationReport, migrate_vocabulary
from tweetclf.training.checkpoints import Checkpoints
from tweetclf.training.devices import Precision, choose_device
from tweetclf.training.optimizers import adamw, parameter_groups
from tweetclf.training.schedules import Linear, total_steps
from tweetclf.utils.files import atomic_directory, check_free, sha256_bytes
from tweetclf.utils.hugging_face import quiet_transformers

__all__ = [
    "AdaptationResult",
    "HeldOutLoss",
    "adapt_language_model",
    "compare_migrations",
]

_FORMAT = 1
# Points of a curve of the training loss.
_N_POINTS = 60

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


@dataclass(frozen=True)
class AdaptationResult:
    """What came out.

    Parameters
    ----------
    path : Path
        The directory, as ``transformers`` loads it.
    overlap : MigrationReport or None
        What the vocabularies share; None where the tokenizer was kept.
    original, start, end : HeldOutLoss
        Of the model that was given, with its own tokenizer; of the model on the new
        vocabulary, before and after training.
    n_texts, n_tokens : int
        Size of the corpus, special tokens included.
    n_steps, warmup_steps : int
        Steps that were taken, and those in which the rate rose.
    history : list of dict
        One dict an epoch.
    """

    path: Path
    overlap: MigrationReport | None
    original: HeldOutLoss
    start: HeldOutLoss
    end: HeldOutLoss
    n_texts: int
    n_tokens: int
    n_steps: int
    warmup_steps: int
    history: list[dict[str, Any]]


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
        return int((~self.masking.special[corpus.ids]).sum())


@dataclass(frozen=True)
class _Ids:
    ids: list[int]


class _Adaptation:
    """One corpus, two tokenizers, and trainings on it that differ in nothing else."""

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


def adapt_language_model(
    model: Any,
    tokenizer: Any,
    corpus: Iterable[str],
    out: str | os.PathLike[str],
    *,
    new_tokenizer: Any | None = None,
    init: Init = "random",
    training: AdaptationTraining | None = None,
    random_state: int = 0,
    device: str = "auto",
    precision: Precision = "float32",
    checkpoint: str | os.PathLike[str] | None = None,
    report: Report | None = None,
) -> AdaptationResult:
    """Go on with masked language modelling on tweets, on a new vocabulary if given.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        A masked language model: BERT, RoBERTa, XLM-RoBERTa, ALBERT, ELECTRA or
        ModernBERT. With a new tokenizer it is left as it is, else trained in place.
    tokenizer : transformers tokenizer
        The model's.
    corpus : iterable of str
        Texts; equal ones are read once.
    out : path
        The directory to write: what ``AutoModelForMaskedLM`` and ``AutoTokenizer``
        load, and ``adaptation.json`` with overlap, losses, settings and history.
    new_tokenizer : transformers tokenizer, optional
        What the model is put on, see `migrate_vocabulary` and `train_tweet_tokenizer`.
        By default it keeps its own.
    init : {"random", "mean", "none"}, default="random"
        How rows of new tokens begin, see `migrate_vocabulary`.
    training : AdaptationTraining, optional
        Settings; by default those of BERT for Japanese Twitter.
    random_state : int, default=0
        Seed of new rows, masks, order and dropout. On a CPU the weights are the same
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
    AdaptationResult
        Overlap, losses and history.

    Raises
    ------
    DataError
        If there are fewer than two texts, no held-out text is short enough, the model
        knows too few positions, or `checkpoint` is of another training.
    FileExistsError
        If `out` exists and is not an empty folder.
    ValueError
        If the model's head is of an unknown kind.

    Notes
    -----
    A loss per token says little across tokenizers: longer tokens are harder. So it is
    also given per character of the raw held-out texts: the mean loss times the tokens
    that could be hidden, over the characters. It still flatters tokenizers that make a
    token of each URL and mention, which are special, never hidden, and so never paid
    for; and each tokenizer hides other stretches of a text. Texts that either tokenizer
    would cut off are left out of it.

    Examples
    --------
    >>> import tempfile
    >>> from transformers import AutoModelForMaskedLM, AutoTokenizer
    >>> from tweetclf.pretraining import AdaptationTraining, adapt_language_model
    >>> from tweetclf.testing import make_tiny_transformer
    >>> tweets = [f"qué risa el lunes {k}" for k in range(20)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = make_tiny_transformer(folder + "/general", tweets)
    ...     result = adapt_language_model(
    ...         AutoModelForMaskedLM.from_pretrained(path),
    ...         AutoTokenizer.from_pretrained(path), tweets, folder + "/adapted",
    ...         training=AdaptationTraining(max_iter=1))
    ...     (result.path / "adaptation.json").exists()
    True
    """
    training = training or AdaptationTraining()
    check_free(out)
    run = _Adaptation(
        model, tokenizer, corpus, new_tokenizer, training, random_state, device
    )
    original = run.original_loss()
    module, overlap = run.start(init)
    kept = (
        None
        if checkpoint is None
        else open_checkpoint(Path(checkpoint), run.told(module), "adapt_language_model")
    )
    start = run.loss(module, run.held_new, run.new)
    history = run.fit(module, precision, kept, report)
    result = AdaptationResult(
        path=Path(out),
        overlap=overlap,
        original=original,
        start=start,
        end=run.loss(module, run.held_new, run.new),
        n_texts=run.n_texts,
        n_tokens=len(run.corpus.ids) + len(run.held_new.corpus.ids),
        n_steps=run.n_steps,
        warmup_steps=training.warmup(run.n_steps),
        history=history,
    )
    _write(result, module.unpacked(), run.new_tokenizer, training, random_state)
    if checkpoint is not None:
        shutil.rmtree(checkpoint)
    return result


def _write(
    result: AdaptationResult,
    model: Any,
    tokenizer: Any,
    training: AdaptationTraining,
    random_state: int,
) -> None:
    told = asdict(result) | {
        "format": _FORMAT,
        "training": asdict(training),
        "random_state": random_state,
    }
    del told["path"]
    with atomic_directory(result.path) as folder, quiet_transformers():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        text = json.dumps(told, ensure_ascii=False, indent=1)
        (folder / "adaptation.json").write_text(text + "\n", "utf-8")


def compare_migrations(
    model: Any,
    tokenizer: Any,
    corpus: Iterable[str],
    new_tokenizer: Any,
    *,
    inits: Sequence[Init] = ("none", "random", "mean"),
    training: AdaptationTraining | None = None,
    random_state: int = 0,
    device: str = "auto",
    precision: Precision = "float32",
    report: Callable[[str, dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Train with and without migration, at equal steps, and return the curves.

    Parameters
    ----------
    model, tokenizer, corpus, new_tokenizer, training, random_state, device, precision
        As in `adapt_language_model`; the model is left as it is.
    inits : sequence of str, default=("none", "random", "mean")
        How rows of tokens begin: all at random, or shared ones copied and the others
        at random or the mean of old pieces. See `migrate_vocabulary`.
    report : callable, optional
        Called with the name of a variant and what happens in it.

    Returns
    -------
    dict
        Plain values: ``n_steps``, and for each variant ``held_out`` (losses at the
        steps of the epochs' ends, step 0 first), ``training`` (mean losses of
        stretches of steps) and the ``overlap``.

    Notes
    -----
    Order, masks, dropout and schedule are the same in all variants: only the rows of
    the vocabulary differ at the start.
    """
    run = _Adaptation(
        model,
        tokenizer,
        corpus,
        new_tokenizer,
        training or AdaptationTraining(),
        random_state,
        device,
    )
    variants = {}
    for init in inits:
        module, overlap = run.start(init)
        curve = _Curve(run.n_steps, report, init)
        held = [(0, run.loss(module, run.held_new, run.new))]
        history = run.fit(module, precision, None, curve)
        per_token = run.new.n_hideable(run.held_new.corpus) / run.n_characters
        steps = run.n_steps // run.training.max_iter
        for number, epoch in enumerate(history, 1):
            loss = epoch["valid_loss"]
            found = HeldOutLoss(loss, loss * per_token, epoch["valid_accuracy"])
            held.append((number * steps, found))
        assert overlap is not None
        variants[init] = {
            "held_out": [{"step": step, **asdict(loss)} for step, loss in held],
            "training": curve.points(),
            "overlap": overlap.to_dict(),
        }
    return {
        "format": _FORMAT,
        "n_steps": run.n_steps,
        "original": asdict(run.original_loss()),
        "training": asdict(run.training),
        "random_state": random_state,
        "variants": variants,
    }


class _Curve:
    """Losses of the steps of a training, summed over stretches of them."""

    def __init__(
        self,
        n_steps: int,
        report: Callable[[str, dict[str, Any]], None] | None,
        name: str,
    ) -> None:
        self.width = max(1, math.ceil(n_steps / _N_POINTS))
        self.losses: list[float] = []
        self._report = report
        self._name = name

    def __call__(self, event: dict[str, Any]) -> None:
        if event["kind"] == "step":
            self.losses.append(float(event["loss"]))
        if self._report is not None:
            self._report(self._name, event)

    def points(self) -> list[dict[str, float]]:
        """Return the mean loss of each stretch, at its last step."""
        stretches = range(0, len(self.losses), self.width)
        return [
            {
                "step": min(first + self.width, len(self.losses)),
                "loss": float(np.mean(self.losses[first : first + self.width])),
            }
            for first in stretches
        ]
