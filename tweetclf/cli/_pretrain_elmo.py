"""Learn ELMo weights on tweets: what ElmoVectorizer embeds texts with.

The corpus is one or more files (CSV, TSV, JSON Lines, or one text a line; also .gz)
or names of registered corpora. A fiftieth of the tweets is held out to measure
perplexity on, and the best epoch is kept. The folder holds JSON and arrays. A run that
is interrupted goes on where it was when it is started again.

examples:
  tweetclf pretrain elmo --corpus tweets.txt --out spanish-elmo
  tweetclf pretrain elmo --corpus a.jsonl.gz --corpus b.csv --size tiny --out elmo
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetclf.cli._output import note
from tweetclf.cli._pretraining import (
    add_corpus_arguments,
    add_device_arguments,
    rate,
    share,
    single_texts,
    train_or_pause,
)
from tweetclf.cli._running import positive

if TYPE_CHECKING:
    from tweetclf.pretraining import ElmoTrainingResult

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf pretrain elmo``."""
    add_corpus_arguments(parser)
    parser.add_argument(
        "--size",
        choices=["tiny", "small", "original"],
        default="small",
        help="AllenNLP's small or original network, or a tiny one for a CPU (small)",
    )
    parser.add_argument(
        "--tokenizer",
        metavar="PROFILE",
        help="preprocessing profile to tokenise by, e.g. atalaya-basic",
    )
    parser.add_argument(
        "--language", default="es", metavar="CODE", help="of that profile (es)"
    )
    how = parser.add_argument_group("training")
    how.add_argument("--epochs", type=positive, default=10, metavar="N", help="(10)")
    how.add_argument(
        "--learning-rate", type=rate, default=1e-3, metavar="RATE", help="(1e-3)"
    )
    how.add_argument(
        "--max-tokens",
        type=positive,
        default=2048,
        metavar="N",
        help="most tokens in a batch (2048)",
    )
    how.add_argument(
        "--vocab-size",
        type=positive,
        default=50_000,
        metavar="N",
        help="most words that are foretold (50000)",
    )
    how.add_argument(
        "--min-count",
        type=positive,
        default=2,
        metavar="N",
        help="rarer words count as one (2)",
    )
    how.add_argument(
        "--patience",
        type=positive,
        metavar="N",
        help="stop after so many epochs without a better perplexity (never)",
    )
    how.add_argument(
        "--validation-fraction",
        type=share,
        default=0.02,
        metavar="SHARE",
        help="of the tweets, held out (0.02)",
    )
    add_device_arguments(how)


def _reporting(
    show: Callable[[dict[str, Any]], Any],
) -> Callable[[dict[str, Any]], None]:
    """Return what draws the bar and prints a line an epoch."""

    def report(event: dict[str, Any]) -> None:
        show(event)
        if event["kind"] == "epoch":
            perplexity = event.get("valid_perplexity")
            held = "" if perplexity is None else f"perplexity {perplexity:.1f}, "
            note(
                f"epoch {event['epoch'] + 1}: loss {event['loss']:.4f}, {held}"
                f"{event['tokens_per_second']:,.0f} tokens/s"
            )

    return report


def _train(args: argparse.Namespace, checkpoint: Path) -> ElmoTrainingResult:
    from tweetclf.utils.optional import import_optional

    import_optional("torch", extra="neural", caller="tweetclf pretrain elmo")
    from tweetclf.pretraining import ElmoTraining, train_elmo
    from tweetclf.training.progress import show_progress

    training = ElmoTraining(
        max_iter=args.epochs,
        learning_rate=args.learning_rate,
        max_tokens=args.max_tokens,
        max_vocabulary=args.vocab_size,
        min_count=args.min_count,
        n_iter_no_change=args.patience,
        validation_fraction=args.validation_fraction,
    )
    with show_progress("ELMo") as show:
        return train_elmo(
            single_texts(args),
            args.out,
            size=args.size,
            training=training,
            tokenizer=args.tokenizer,
            language=args.language,
            random_state=args.seed,
            device=args.device,
            precision=args.precision,
            checkpoint=checkpoint,
            report=_reporting(show),
        )


def run(args: argparse.Namespace) -> int:
    """Train and save."""
    result = train_or_pause(args, _train)
    if result is None:
        return 130
    perplexity = result.perplexity
    held = "" if perplexity is None else f", perplexity {perplexity:.1f}"
    note(
        f"ELMo weights learnt from {result.n_texts:,} tweets "
        f"({result.n_words:,} words{held}), saved in {args.out}"
    )
    return 0
