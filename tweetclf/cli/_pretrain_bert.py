r"""Learn a BERT from scratch on tweets, by masked language modelling.

The corpus is one or more files (CSV, TSV, JSON Lines, or one text a line; also .gz)
or names of registered corpora. A fiftieth of the texts is held out, and the epoch of
the lowest loss on them is kept. The folder is what transformers loads, and what
--param transformer.model=DIR takes. A run that is interrupted goes on where it was
when it is started again.

examples:
  tweetclf pretrain bert --corpus tweets.txt --out small-bert
  tweetclf pretrain bert --corpus a.jsonl.gz --corpus b.csv --epochs 20 \\
    --layers 6 --hidden-size 384 --heads 6 --out bert
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetclf.cli._output import note
from tweetclf.cli._pretraining import (
    add_corpus_arguments,
    add_device_arguments,
    rate,
    single_texts,
    train_or_pause,
)
from tweetclf.cli._running import positive

if TYPE_CHECKING:
    from tweetclf.pretraining import BertTrainingResult

__all__ = ["add_arguments", "run"]

# Option -> field of BertTraining and its default.
_SIZES = {
    "--vocab-size": ("vocab_size", 8000),
    "--hidden-size": ("hidden_size", 256),
    "--layers": ("n_layers", 4),
    "--heads": ("n_heads", 4),
    "--max-length": ("max_length", 128),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf pretrain bert``."""
    add_corpus_arguments(parser)
    sizes = parser.add_argument_group("sizes")
    for name, (field, default) in _SIZES.items():
        sizes.add_argument(
            name,
            dest=field,
            type=positive,
            default=default,
            metavar="N",
            help=f"({default})",
        )
    how = parser.add_argument_group("training")
    how.add_argument("--epochs", type=positive, default=10, metavar="N", help="(10)")
    how.add_argument("--batch-size", type=positive, default=128, metavar="N")
    how.add_argument(
        "--learning-rate", type=rate, default=5e-4, metavar="RATE", help="(5e-4)"
    )
    add_device_arguments(how)


def _train(args: argparse.Namespace, checkpoint: Path) -> BertTrainingResult:
    from tweetclf.utils.optional import import_optional

    import_optional("torch", extra="neural", caller="tweetclf pretrain bert")
    from tweetclf.pretraining import BertTraining, train_bert
    from tweetclf.training.progress import show_progress

    training = BertTraining(
        **{field: getattr(args, field) for field, _ in _SIZES.values()},
        max_iter=args.epochs,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
    )
    with show_progress("BERT") as show:

        def report(event: dict[str, Any]) -> None:
            show(event)
            if event["kind"] == "epoch":
                note(
                    f"epoch {event['epoch'] + 1}: loss {event['loss']:.4f}, on "
                    f"held-out texts {event['valid_loss']:.4f} "
                    f"({event['valid_accuracy']:.1%} foretold), "
                    f"{event['tokens_per_second']:,.0f} tokens/s"
                )

        return train_bert(
            single_texts(args),
            args.out,
            training=training,
            random_state=args.seed,
            device=args.device,
            precision=args.precision,
            checkpoint=checkpoint,
            report=report,
        )


def run(args: argparse.Namespace) -> int:
    """Train and save."""
    result = train_or_pause(args, _train)
    if result is None:
        return 130
    note(
        f"BERT learnt from {result.n_texts:,} texts ({result.n_tokens:,} tokens, loss "
        f"{result.valid_loss:.4f} on held-out ones), saved in {args.out}"
    )
    return 0
