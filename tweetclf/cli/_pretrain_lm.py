"""Train a causal language model on tweets: what ULMFiT starts from.

The corpus is one or more files (CSV, TSV, JSON Lines, or one text a line; also .gz)
or names of registered corpora. A tenth of the texts is held out to measure perplexity
on, and the best epoch is kept. The folder holds JSON, a SentencePiece model and
arrays. A run that is interrupted goes on where it was when it is started again.

With --from, a model is fine-tuned: it keeps its pieces and sizes.

examples:
  tweetclf pretrain lm --corpus tweets.txt --out spanish-lm
  tweetclf pretrain lm --corpus haha.csv --from spanish-lm --epochs 3 --out haha-lm
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetclf.cli._output import UsageError, note
from tweetclf.cli._pretraining import (
    add_corpus_arguments,
    add_device_arguments,
    checkpoint_of,
    corpus_texts,
    rate,
    train_or_pause,
)
from tweetclf.cli._running import positive

if TYPE_CHECKING:
    from tweetclf.pretraining import LanguageModel, LanguageModelTraining

__all__ = ["add_arguments", "run"]

# A stage of the paper is one epoch of hours.
_STEPS_A_CHECKPOINT = 500
_SIZES = ("vocab_size", "emb_size", "hidden_size", "layers", "cell")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf pretrain lm``."""
    add_corpus_arguments(parser)
    parser.add_argument(
        "--from", dest="start", metavar="DIR", help="language model to go on from"
    )
    sizes = parser.add_argument_group("sizes, those of the HAHA 2019 winner by default")
    for name, default in (
        ("--vocab-size", 30_000),
        ("--emb-size", 400),
        ("--hidden-size", 2304),
        ("--layers", 3),
    ):
        sizes.add_argument(name, type=positive, metavar="N", help=f"({default})")
    sizes.add_argument("--cell", choices=["qrnn", "lstm"], help="(qrnn)")
    how = parser.add_argument_group("training")
    how.add_argument(
        "--epochs",
        type=positive,
        metavar="N",
        help="epochs of one cycle (those of the HAHA 2019 winner: 1 + 15, or 5 + 10)",
    )
    how.add_argument(
        "--learning-rate", type=rate, metavar="RATE", help="peak of the cycle (5e-3)"
    )
    how.add_argument("--batch-size", type=positive, default=64, metavar="N")
    how.add_argument("--bptt", type=positive, default=70, metavar="N")
    add_device_arguments(how)


def _training(args: argparse.Namespace) -> LanguageModelTraining:
    from tweetclf.pretraining import LanguageModelTraining
    from tweetclf.pretraining.stages import FINE_TUNING, PRETRAINING

    stages: tuple[Any, ...] = FINE_TUNING if args.start else PRETRAINING
    if args.epochs is not None:
        stages = ((args.epochs, args.learning_rate or stages[0][1]),)
    elif args.learning_rate is not None:
        raise UsageError("--learning-rate needs --epochs")
    return LanguageModelTraining(
        stages=stages, batch_size=args.batch_size, bptt=args.bptt
    )


def _report(event: dict[str, Any]) -> None:
    if event["kind"] == "epoch":
        note(
            f"epoch {event['epoch'] + 1}: loss {event['loss']:.4f}, perplexity of the "
            f"held-out texts {event.get('valid_perplexity', float('nan')):.1f}, "
            f"{event['tokens_per_second']:,.0f} tokens/s"
        )


def _train(args: argparse.Namespace, checkpoint: Path) -> LanguageModel:
    from tweetclf.pretraining import (
        LanguageModelConfig,
        load_language_model,
        train_language_model,
    )
    from tweetclf.utils.optional import import_optional

    import_optional("torch", extra="neural", caller="tweetclf pretrain lm")
    given = {
        {"layers": "n_layers"}.get(name, name): getattr(args, name)
        for name in _SIZES
        if getattr(args, name) is not None
    }
    start = load_language_model(args.start) if args.start else None
    return train_language_model(
        corpus_texts(args),
        None if start else LanguageModelConfig(**given),
        _training(args),
        start=start,
        random_state=args.seed,
        device=args.device,
        precision=args.precision,
        checkpoint=checkpoint,
        checkpoint_every=_STEPS_A_CHECKPOINT,
        report=_report,
    )


def run(args: argparse.Namespace) -> int:
    """Train and save."""
    if args.start and any(getattr(args, name) is not None for name in _SIZES):
        raise UsageError("--from brings the sizes of its model; give none with it")
    model = train_or_pause(args, _train)
    if model is None:
        return 130
    model.save(args.out)
    shutil.rmtree(checkpoint_of(args), ignore_errors=True)
    note(f"language model of {len(model.tokenizer)} pieces saved in {args.out}")
    return 0
