"""Search spaces as commands print them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tweetclf.cli._output import print_json, print_table

if TYPE_CHECKING:
    from tweetclf.leaderboard.spaces import Space

__all__ = ["cell", "dimension_words", "list_spaces"]


def cell(value: Any) -> str:
    """Return a value as it stands in a table."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def list_spaces(args: argparse.Namespace) -> int:
    """Print the spaces of papers and those that systems declare."""
    from tweetclf.leaderboard import get_system, list_systems
    from tweetclf.leaderboard.named_spaces import FITTING, OWN, SPACES, find_space

    systems = [get_system(args.system)] if args.system else list_systems()
    own = [
        (system.name, find_space(system, name))
        for system in systems
        for name in OWN
        if (system.grid if name == "grid" else system.space)
    ]
    rows = [
        (", ".join(FITTING.get(name, ["any that has them"])), space)
        for name in SPACES
        if (space := SPACES.get(name))
    ]
    rows += own
    if args.json:
        print_json(
            [
                {
                    "space": space.name,
                    "system": who if space.name in OWN else None,
                    "fitting": FITTING.get(space.name),
                    "description": space.description,
                    "source": space.source,
                    **space.to_document(),
                }
                for who, space in rows
            ]
        )
        return 0
    print_table(
        ["space", "system", "parameters", "as published", "source"],
        [[s.name, who, dimension_words(s), _plan(s), s.source] for who, s in rows],
    )
    return 0


def _plan(space: Space) -> str:
    plan = space.plan
    said = [
        plan.strategy,
        plan.n_trials and f"{plan.n_trials} trials",
        plan.evaluation if plan.n_folds is None else f"{plan.n_folds} folds",
        plan.n_seeds and f"{plan.n_seeds} seeds",
    ]
    return ", ".join(str(word) for word in said if word)


def dimension_words(space: Space) -> str:
    """Return the parameters of a space with their values and ranges."""
    from tweetclf.leaderboard.spaces import Choice

    said = []
    for name, dimension in space.dimensions.items():
        if isinstance(dimension, Choice):
            said.append(f"{name} {{{', '.join(map(cell, dimension.values))}}}")
        else:
            log = " log" if dimension.scale == "log" else ""
            low, high = cell(dimension.low), cell(dimension.high)
            said.append(f"{name} [{low}, {high}]{log}")
    return "; ".join(said) or "the system's own"
