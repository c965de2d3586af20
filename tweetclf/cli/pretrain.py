"""Learn a model of language from unlabelled tweets, for estimators to build on.

A configuration (a .toml file, or one of the bundled tiny, twilbert-base,
twilbert-large, twhin-tiny, twhin-base and twhin-large) takes the place of the kind.

examples:
  tweetclf pretrain tiny
  tweetclf pretrain my-model.toml --dry-run
  tweetclf pretrain twhin-tiny --corpus pairs --out twhin
  tweetclf pretrain bert --corpus tweets.txt --out small-bert
  tweetclf pretrain elmo --corpus tweets.txt --out spanish-elmo
  tweetclf pretrain lm --corpus a.jsonl.gz --corpus b.csv --text tweet --out lm

Each kind has its own options: "tweetclf pretrain lm --help".
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Sequence
from pathlib import Path

from tweetclf.cli._subcommands import add_subcommands

__all__ = ["add_arguments", "run", "spell_out"]

# Kind -> what it makes; tweetclf/cli/_pretrain_KIND.py has its options.
KINDS = {
    "config": "what a configuration says: a TWilBERT, BERT or ALBERT, on many GPUs",
    "bert": "a BERT from scratch, for the transformer estimators",
    "elmo": "a bidirectional language model over characters, for ElmoVectorizer",
    "social": "a BERT that brings socially similar tweets together, as TwHIN-BERT",
    "lm": "an AWD-QRNN or AWD-LSTM language model, for ULMFiT",
}


def spell_out(arguments: Sequence[str]) -> list[str]:
    """Put its kind before the name of a configuration.

    Examples
    --------
    >>> spell_out(["--debug", "tiny", "--dry-run"])
    ['--debug', 'config', 'tiny', '--dry-run']
    >>> spell_out(["twhin-tiny"])
    ['social', 'twhin-tiny']
    """
    spelt = list(arguments)
    for place, word in enumerate(spelt):
        if not word.startswith("-"):
            if (kind := _kind_of(word)) is not None:
                spelt.insert(place, kind)
            break
    return spelt


def _kind_of(name: str) -> str | None:
    """Return which kind a configuration is of; None if it is no configuration."""
    # Looked up here, for the package of the configurations imports torch.
    folder = Path(__file__).resolve().parent.parent / "pretraining" / "configs"
    if name.endswith(".toml"):
        return "social" if _is_social(Path(name)) else "config"
    if (folder / "social" / f"{name}.toml").is_file():
        return "social"
    return "config" if (folder / f"{name}.toml").is_file() else None


def _is_social(path: Path) -> bool:
    try:
        return tomllib.loads(path.read_text("utf-8")).get("kind") == "social"
    except (OSError, ValueError):
        # Whoever reads it says what is wrong.
        return False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tweetclf pretrain``."""
    add_subcommands(parser, "pretrain", KINDS, metavar="KIND")


def run(args: argparse.Namespace) -> int:
    """Train and save."""
    code: int = args.run_kind(args)
    return code
