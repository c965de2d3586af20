r"""Adapt a masked language model to tweets: a new vocabulary, and more training.

MODEL is a directory that transformers loads (BERT, RoBERTa, XLM-RoBERTa, ALBERT,
ELECTRA, ModernBERT). A tokenizer is learnt from the corpus, or taken (--tokenizer); the
embeddings of tokens that both vocabularies have are kept, the others begin at random or
as the mean of old pieces (--init). Then masked language modelling goes on. The defaults
are those of BERT for Japanese Twitter. DIR is what transformers loads, with
adaptation.json beside it: overlap, losses before and after, history. A run that is
interrupted goes on where it was when it is started again.

examples:
  tweetclf adapt general-bert --corpus tweets.txt --out tweet-bert
  tweetclf adapt general-bert --corpus tweets.txt --keep-tokenizer --out tweet-bert
  tweetclf adapt roberta --corpus a.jsonl.gz --kind wordpiece --vocab-size 32000 \\
    --init mean --whole-words --compare --out adapted
"""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweetclf.cli._output import UsageError, note
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
    from tweetclf.pretraining import AdaptationResult, HeldOutLoss
    from tweetclf.pretraining.adaptation_settings import AdaptationTraining

__all__ = ["add_arguments", "run"]

# Models of these classes of tokenizers get a new one of the same kind.
_KINDS = {"WordPiece": "wordpiece", "BPE": "bpe", "Unigram": "unigram"}

# Option -> field of AdaptationTraining, how it is read, and its default.
_SETTINGS: dict[str, tuple[str, Any, str]] = {
    "--epochs": ("max_iter", positive, "2"),
    "--batch-size": ("batch_size", positive, "55"),
    "--max-length": ("max_length", positive, "116"),
    "--learning-rate": ("learning_rate", rate, "1e-4"),
    "--warmup-steps": ("warmup_steps", positive, "10000"),
    "--weight-decay": ("weight_decay", share, "0.03"),
    "--beta-1": ("beta_1", share, "0.9"),
    "--beta-2": ("beta_2", share, "0.999"),
    "--epsilon": ("epsilon", rate, "1e-8"),
    "--mask-rate": ("mask_rate", share, "0.15"),
    "--validation-fraction": ("validation_fraction", share, "0.05"),
}

# What only a tokenizer that is learnt here has.
_LEARNING = {
    "vocab_size": "--vocab-size",
    "kind": "--kind",
    "lowercase": "--lowercase",
    "alphabet_coverage": "--alphabet-coverage",
    "extra_alphabet": "--extra-alphabet",
}


def _coverage(text: str) -> float:
    """Read a share above 0, all included."""
    if text.strip() in ("1", "1.0"):
        return 1.0
    if not (number := share(text)):
        raise argparse.ArgumentTypeError(f"must be above 0, at most 1, got {text!r}")
    return number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf adapt``."""
    parser.add_argument("model", metavar="MODEL", help="directory of the model")
    add_corpus_arguments(parser)
    _add_vocabulary_arguments(parser.add_argument_group("vocabulary"))
    how = parser.add_argument_group("training")
    for name, (field, read, default) in _SETTINGS.items():
        how.add_argument(name, dest=field, type=read, metavar="N", help=f"({default})")
    how.add_argument(
        "--whole-words", action="store_true", help="hide words, not their pieces"
    )
    how.add_argument(
        "--compare",
        action="store_true",
        help="train with and without migration first; writes comparison.json and .svg",
    )
    add_device_arguments(how)


def _add_vocabulary_arguments(group: Any) -> None:
    chosen = group.add_mutually_exclusive_group()
    chosen.add_argument(
        "--tokenizer", metavar="DIR", help="take this tokenizer; learn none"
    )
    chosen.add_argument(
        "--keep-tokenizer", action="store_true", help="keep the model's own"
    )
    group.add_argument(
        "--init",
        choices=["random", "mean", "none"],
        help="how rows of new tokens begin; none: of all tokens (random)",
    )
    group.add_argument(
        "--kind",
        choices=["wordpiece", "bpe", "unigram"],
        help="tokenizer to learn (as the model's own)",
    )
    group.add_argument(
        "--vocab-size",
        type=positive,
        metavar="N",
        help="tokens to learn (as many as the model's own has)",
    )
    group.add_argument("--lowercase", action="store_true", help="drop case")
    group.add_argument(
        "--alphabet-coverage",
        type=_coverage,
        metavar="SHARE",
        help="share of the texts whose characters are all known (0.99)",
    )
    group.add_argument(
        "--extra-alphabet", metavar="FILE", help="further characters to know"
    )


def _check(args: argparse.Namespace) -> None:
    learnt = [name for field, name in _LEARNING.items() if getattr(args, field)]
    if (args.tokenizer or args.keep_tokenizer) and learnt:
        raise UsageError(f"{learnt[0]} is for a tokenizer that is learnt here")
    if args.keep_tokenizer and (args.init or args.compare):
        name = "--compare" if args.compare else "--init"
        raise UsageError(f"{name} needs a new vocabulary; leave --keep-tokenizer out")


def _training(args: argparse.Namespace) -> AdaptationTraining:
    from tweetclf.pretraining.adaptation_settings import AdaptationTraining

    given = {f.name: getattr(args, f.name, None) for f in fields(AdaptationTraining)}
    try:
        return AdaptationTraining(
            **{name: value for name, value in given.items() if value is not None}
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def _new_tokenizer(args: argparse.Namespace, old: Any, texts: list[str]) -> Any:
    from tweetclf.pretraining import train_tweet_tokenizer

    if args.keep_tokenizer:
        return None
    if args.tokenizer:
        from transformers import AutoTokenizer

        folder = Path(args.tokenizer)
        if not folder.is_dir():
            raise FileNotFoundError(f"There is no directory {folder} of a tokenizer.")
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    model = getattr(getattr(old, "backend_tokenizer", None), "model", None)
    options: dict[str, Any] = {
        "kind": args.kind or _KINDS.get(type(model).__name__, "wordpiece"),
        "vocab_size": args.vocab_size or len(old),
        "lowercase": args.lowercase,
        # Of the model, which may know longer texts than are learnt from.
        "max_length": min(old.model_max_length, 1 << 16),
    }
    if args.alphabet_coverage:
        options["alphabet_coverage"] = args.alphabet_coverage
    if args.extra_alphabet:
        options["extra_alphabet"] = Path(args.extra_alphabet).read_text("utf-8")
    tokenizer = train_tweet_tokenizer(texts, **options)
    note(f"tokenizer ({options['kind']}): {len(tokenizer):,} tokens")
    return tokenizer


def _said(loss: HeldOutLoss) -> str:
    return (
        f"{loss.nats_per_token:.4f} nats a token, {loss.nats_per_character:.4f} a "
        f"character ({loss.accuracy:.1%} foretold)"
    )


def _report_to(show: Any, name: str) -> Any:
    def report(event: dict[str, Any]) -> None:
        show(event)
        if event["kind"] == "epoch":
            note(
                f"{name}epoch {event['epoch'] + 1}: loss {event['loss']:.4f}, on "
                f"held-out texts {event['valid_loss']:.4f} "
                f"({event['valid_accuracy']:.1%} foretold)"
            )

    return report


def _load(args: argparse.Namespace) -> Any:
    """Return model and tokenizer; say it if the head is random."""
    from tweetclf.exceptions import ModelFormatError
    from tweetclf.features._pretrained import load_pretrained

    options = {
        "auto_class": "AutoModelForMaskedLM",
        "seed": args.seed,
        "caller": "tweetclf adapt",
    }
    try:
        return load_pretrained(args.model, whole=True, **options)
    except ModelFormatError:
        loaded = load_pretrained(args.model, **options)
    note(
        f"warning: {args.model} has no head that foretells hidden tokens; it begins "
        "with a random one, so that the loss of the model as given says nothing."
    )
    return loaded


def _adapt(args: argparse.Namespace, checkpoint: Path) -> AdaptationResult:
    from tweetclf.utils.optional import import_optional

    import_optional("torch", extra="neural", caller="tweetclf adapt")
    from tweetclf.pretraining import adapt_language_model
    from tweetclf.training.progress import show_progress

    training = args.training
    loaded = _load(args)
    texts = list(dict.fromkeys(single_texts(args)))
    inputs = (loaded.model, loaded.tokenizer, texts)
    options = {
        "new_tokenizer": _new_tokenizer(args, loaded.tokenizer, texts),
        "training": training,
        "random_state": args.seed,
        "device": args.device,
        "precision": args.precision,
    }
    compared = _compare(inputs, options) if args.compare else None
    with show_progress("adaptation") as show:
        result = adapt_language_model(
            *inputs,
            args.out,
            init=args.init or "random",
            checkpoint=checkpoint,
            report=_report_to(show, ""),
            **options,
        )
    if compared is not None:
        _write_comparison(compared, result.path)
    if result.warmup_steps < training.warmup_steps:
        note(
            f"warm-up: {result.warmup_steps} steps, a tenth of {result.n_steps}, not "
            f"{training.warmup_steps}"
        )
    return result


def _compare(
    inputs: tuple[Any, Any, list[str]], options: dict[str, Any]
) -> dict[str, Any]:
    from tweetclf.pretraining import compare_migrations

    def report(name: str, event: dict[str, Any]) -> None:
        _report_to(lambda event: None, f"{name}: ")(event)

    return compare_migrations(*inputs, report=report, **options)


def _write_comparison(compared: dict[str, Any], folder: Path) -> None:
    from tweetclf.reports.displays import AdaptationCurvesDisplay
    from tweetclf.utils.files import atomic_path, write_text_atomic

    text = json.dumps(compared, ensure_ascii=False, indent=1)
    write_text_atomic(folder / "comparison.json", text + "\n")
    display = AdaptationCurvesDisplay.from_comparison(compared)
    with atomic_path(folder / "comparison.svg") as path:
        display.figure_.savefig(path, format="svg")


def run(args: argparse.Namespace) -> int:
    """Adapt and save."""
    _check(args)
    args.training = _training(args)
    result = train_or_pause(args, _adapt)
    if result is None:
        return 130
    if result.overlap is not None:
        overlap = result.overlap
        note(
            f"vocabulary: {overlap.n_shared:,} of {overlap.n_new:,} tokens "
            f"({overlap.share:.1%}) are shared; rows copied {overlap.n_copied:,}, "
            f"means {overlap.n_mean:,}, random {overlap.n_random:,}"
        )
    note(f"given:   {_said(result.original)}")
    if result.overlap is not None:
        note(f"moved:   {_said(result.start)}")
    note(f"adapted: {_said(result.end)}")
    note(
        f"adapted on {result.n_texts:,} texts ({result.n_tokens:,} tokens, "
        f"{result.n_steps:,} steps), saved in {args.out}"
    )
    return 0
