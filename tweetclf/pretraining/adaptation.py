"""Adapt a masked language model to tweets: another vocabulary, and more of the same.

References
----------
BERT for Japanese Twitter, chapter 6. S. Gururangan et al., "Don't stop
pretraining", ACL 2020, section 3 (arXiv:2004.10964).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tweetclf.pretraining._adaptation_run import Adaptation, HeldOutLoss, Report
from tweetclf.pretraining._keeping import open_checkpoint
from tweetclf.pretraining.adaptation_settings import AdaptationTraining
from tweetclf.pretraining.migration import Init, MigrationReport
from tweetclf.training.devices import Precision
from tweetclf.utils.files import atomic_directory, check_free
from tweetclf.utils.hugging_face import quiet_transformers

__all__ = ["AdaptationResult", "HeldOutLoss", "adapt_language_model"]

_FORMAT = 1


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
    run = Adaptation(
        model, tokenizer, corpus, new_tokenizer, training, random_state, device
    )
    original = run.original_loss()
    module, overlap = run.start(init)
    kept = open_checkpoint(checkpoint, run.told(module), "adapt_language_model")
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
