"""Say which of Tables 1 to 7 of TwHIN-BERT can be made here, and make one.

Without options: what each table needs, what of it is at hand and what is missing. With
--table, the table is made of what is there; what is not is named and left out. Folders
are seen from the current one, as in the definitions beside this file.

    python benchmarks/social/tables.py
    python benchmarks/social/tables.py --table 4 --output build/social/table4
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from tweetclf.cli import main as tweetclf
from tweetclf.estimators.transformer_presets import TRANSFORMER_PRESETS
from tweetclf.exceptions import DataError, UnknownNameError
from tweetclf.leaderboard.definitions import read_definition
from tweetclf.leaderboard.engagements import TEXT_SYSTEMS, read_engagement_definition
from tweetclf.leaderboard.given import choose_systems, parse_parameters
from tweetclf.tasks import load_task

HERE = Path(__file__).parent
ENGAGEMENTS = "build/social/engagements"
HASHTAGS = "build/social/hashtags"
# A configuration alone is cached as soon as somebody has looked at a model.
WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
TITLES = {
    1: "engagement prediction, 12 languages",
    2: "the hashtag sets",
    3: "hashtag prediction, 12 languages",
    4: "external benchmarks",
    5: "hashtag prediction from frozen vectors",
    6: "engagement prediction, 50 languages",
    7: "hashtag prediction, 50 languages",
}


@dataclass
class Needs:
    """Data and weights of a table: what is at hand, and what is missing."""

    data: list[str] = field(default_factory=list)
    no_data: list[str] = field(default_factory=list)
    weights: list[str] = field(default_factory=list)
    no_weights: list[str] = field(default_factory=list)


def definition_of(table: int) -> Path:
    """Return the file that defines a table."""
    return HERE / f"table{table}.toml"


def has_weights(model: str) -> bool:
    """Tell whether the weights of a model are in a folder, or in the hub's cache."""
    if Path(model).is_dir():
        return any(Path(model, name).is_file() for name in WEIGHTS)
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return False
    return any(isinstance(try_to_load_from_cache(model, name), str) for name in WEIGHTS)


def models_of(systems: Iterable[Any]) -> list[str]:
    """Return the pretrained models that systems need."""
    found = []
    for system in systems:
        model = system.params.get("model")
        if model is None and "preset" in system.params:
            model = TRANSFORMER_PRESETS.get(system.params["preset"]).parameters["model"]
        found += [model] if model is not None else []
    return list(dict.fromkeys(found))


def given(options: Sequence[str]) -> argparse.Namespace:
    """Return those of the options of the command that change what is needed."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--param", action="append", default=[])
    parser.add_argument("--data-dir")
    return parser.parse_known_args(list(options))[0]


def joined(
    defined: Mapping[str, Mapping[str, Any]], said: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Put parameters of the command line over those of a definition."""
    own = parse_parameters(said)
    names = {**defined, **own}
    return {n: {**defined.get(n, {}), **own.get(n, {})} for n in names}


def needs_of(table: int, options: Sequence[str] = ()) -> Needs:
    """Look for what a table needs."""
    found, args = Needs(), given(options)
    if table == 2:
        there = Path(HASHTAGS, "card.json").is_file()
        (found.data if there else found.no_data).append(HASHTAGS)
        return found
    if table in (1, 6):
        definition = read_engagement_definition(definition_of(table))
        systems = choose_systems(
            definition.systems,
            joined(definition.params, args.param),
            registry=TEXT_SYSTEMS,
        )
        card = Path(ENGAGEMENTS, "card.json")
        own: set[str] = set()
        if card.is_file():
            languages = json.loads(card.read_text("utf-8"))["languages"]
            own = {one["language"] for one in languages}
        for language in definition.languages:
            there = found.data if language in own else found.no_data
            there.append(f"{ENGAGEMENTS} ({language})")
    else:
        board = read_definition(definition_of(table))
        systems = choose_systems(board.systems, joined(board.params, args.param))
        for name in board.tasks:
            try:
                load_task(name, data_dir=args.data_dir)
            except (DataError, UnknownNameError):
                found.no_data.append(name)
            else:
                found.data.append(name)
    for model in models_of(systems):
        (found.weights if has_weights(model) else found.no_weights).append(model)
    return found


def say(table: int, options: Sequence[str] = (), file: TextIO | None = None) -> None:
    """Print what a table needs."""
    found = needs_of(table, options)
    print(f"Table {table}: {TITLES[table]}", file=file)
    for words, there, missing in (
        ("data", found.data, found.no_data),
        ("weights", found.weights, found.no_weights),
    ):
        if there or missing:
            n = len(there) + len(missing)
            print(f"  {words}: {len(there)} of {n} at hand", file=file)
        if missing:
            print(f"    missing: {', '.join(missing)}", file=file)


def make(table: int, options: list[str]) -> int:
    """Make a table of what is at hand; return the exit code."""
    if table == 2:
        card = Path(HASHTAGS, "README.md")
        if not card.is_file():
            print(f"There is no {card}; make it with 'tweetclf social hashtags'.")
            return 1
        print(card.read_text("utf-8"))
        return 0
    config = ["--config", str(definition_of(table)), *options]
    if table in (1, 6):
        return tweetclf(["social", "evaluate", ENGAGEMENTS, *config])
    return tweetclf(["leaderboard", *config])


def main() -> int:
    """Run what is asked for on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Further options go to the command that makes the table.",
    )
    parser.add_argument("--table", type=int, choices=TITLES)
    args, options = parser.parse_known_args()
    if args.table is not None:
        # Standard output is the command's own, which may be JSON.
        try:
            say(args.table, options, sys.stderr)
        except (DataError, UnknownNameError) as error:
            parser.error(str(error))
        return make(args.table, options)
    if options:
        parser.error(f"{' '.join(options)}: only with --table")
    for table in TITLES:
        say(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
