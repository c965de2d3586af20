"""What the kinds of ``tweetclf pretrain`` share: corpora, options, interruption."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tweetclf.cli._data import add_reading_arguments, seed
from tweetclf.cli._output import check_output, note

__all__ = [
    "add_corpus_arguments",
    "add_device_arguments",
    "checkpoint_of",
    "corpus_texts",
    "rate",
    "share",
    "single_texts",
    "train_or_pause",
]

T = TypeVar("T")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


def share(text: str) -> float:
    """Read a share, from 0 to below 1."""
    number = _number(text)
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to below 1, got {text!r}")
    return number


def rate(text: str) -> float:
    """Read a learning rate."""
    number = _number(text)
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"must be above 0, at most 1, got {text!r}")
    return number


def add_corpus_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what is read and where the result goes."""
    parser.add_argument(
        "--corpus",
        action="append",
        required=True,
        metavar="FILE|NAME",
        help="texts to learn from: a file, a registered corpus, or task:NAME for the "
        "training split of a task; may be given several times",
    )
    parser.add_argument("--text", metavar="COLUMN", help="column of the texts")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    add_reading_arguments(parser)
    parser.add_argument(
        "--data-dir", metavar="DIR", help="folder of the public datasets"
    )


def add_device_arguments(group: Any) -> None:
    """Declare seed, device and precision."""
    group.add_argument("--seed", type=seed, default=0, metavar="N", help="seed (0)")
    group.add_argument(
        "--device", default="auto", metavar="NAME", help="cpu, cuda, ... (auto)"
    )
    group.add_argument(
        "--precision", choices=["float32", "bfloat16", "auto"], default="float32"
    )


def corpus_texts(args: argparse.Namespace) -> Iterator[Any]:
    """Yield the texts of all corpora, as a stream."""
    from tweetclf.tasks.corpora import stream_corpus

    for name in args.corpus:
        yield from stream_corpus(
            name,
            data_dir=args.data_dir,
            text=args.text,
            encoding=args.encoding,
            quoted=not args.no_quotes,
        )


def single_texts(args: argparse.Namespace) -> Iterator[str]:
    """Yield the texts of all corpora; both sides of a pair are texts by themselves."""
    for item in corpus_texts(args):
        yield from (item,) if isinstance(item, str) else item


def checkpoint_of(args: argparse.Namespace) -> Path:
    """Return the folder of the checkpoints, beside the one that is to be written."""
    out = Path(args.out)
    return out.with_name(f"{out.name}.training")


def train_or_pause(
    args: argparse.Namespace, train: Callable[[argparse.Namespace, Path], T]
) -> T | None:
    """Train; None, with a word on how to go on, if the user interrupts it.

    Parameters
    ----------
    args : argparse.Namespace
        The command's options.
    train : callable
        Options and folder of the checkpoint -> what came out.
    """
    check_output(args.out)
    checkpoint = checkpoint_of(args)
    try:
        return train(args, checkpoint)
    except KeyboardInterrupt:
        if args.debug:
            raise
        if any(checkpoint.rglob("*.safetensors")):
            rest = (
                f"what was learnt is in {checkpoint}, and the same command goes on "
                "from there."
            )
        else:
            rest = "there was no checkpoint yet, so nothing is kept."
        note(f"tweetclf {args.argv[0]}: interrupted; {rest}")
        return None
