"""Search spaces with a name: those of the papers, and those that systems declare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.spaces import Choice, Integer, LogUniform, Plan, Space
from tweetclf.utils.registry import Registry

if TYPE_CHECKING:
    from tweetclf.leaderboard.systems import System

__all__ = [
    "FITTING",
    "OWN",
    "SPACES",
    "default_space",
    "find_space",
    "register_space",
]

OWN = ("grid", "wide")
"""Names of the spaces that a system declares: its grid, and its distributions."""

_FINE_TUNED = (
    "transformer",
    "transformer-regressor",
    "twhin-bert-base",
    "twhin-bert-large",
)

FITTING: Mapping[str, tuple[str, ...]] = {
    "japanese-bert": _FINE_TUNED,
    "twilbert": _FINE_TUNED,
}
"""Systems that have the parameters of a named space, where only some can have them.

Written down, as to find out all systems would have to be built.
"""

SPACES: Registry[Space] = Registry("search space", '"tweetclf search --spaces"')


def register_space(space: Space) -> None:
    """Add a space, so that searches can name it.

    Parameters
    ----------
    space : Space
        With a name.

    Raises
    ------
    ValueError
        If the name is taken, or is one of those that every system has.
    """
    if space.name in ("", *OWN):
        raise ValueError(
            f"a space cannot be called {space.name!r}; {' and '.join(OWN)} are those "
            "that systems declare."
        )
    SPACES.register(space.name, space)


def find_space(system: System, name: str) -> Space:
    """Return a space by its name, as `system` searches it.

    Parameters
    ----------
    system : System
        The system.
    name : str
        ``"grid"`` or ``"wide"`` for what the system declares, or a registered name.

    Raises
    ------
    DataError
        If the system declares no such space.
    UnknownNameError
        If there is no space of the name.
    """
    if name == "grid" and system.grid:
        grid = {key: Choice(values) for key, values in system.grid.items()}
        return Space(grid, name="grid", source=system.source)
    if name == "wide" and system.space is not None:
        return replace(system.space, name="wide")
    if name in OWN:
        from tweetclf.leaderboard.systems import list_systems

        can = [
            s.name for s in list_systems() if (s.grid if name == "grid" else s.space)
        ]
        other = "wide" if name == "grid" and system.space is not None else None
        other = "grid" if name == "wide" and system.grid else other
        hint = f" It declares {other!r}." if other else ""
        raise DataError(
            f"system {system.name!r} declares no search space {name!r}.{hint} Systems "
            f"that do: {', '.join(can)}."
        )
    space = SPACES.get(name)
    if space.dimensions:
        return space
    if not (system.grid or system.space):
        # Its seeds are all that is searched, as in the paper.
        return space
    own = find_space(system, default_space(system, None))
    return replace(space, dimensions=own.dimensions, conditions=own.conditions)


def default_space(
    system: System, strategy: str | None, *, sampled: bool = False
) -> str:
    """Return which of its own spaces a system is searched in.

    Parameters
    ----------
    system : System
        The system.
    strategy : str or None
        Strategy of the search, if the caller chose one.
    sampled : bool, default=False
        Whether settings are drawn and not listed.
    """
    sampled = sampled or strategy in ("random", "tpe")
    first, second = ("wide", "grid") if sampled else ("grid", "wide")
    declared = {"grid": bool(system.grid), "wide": system.space is not None}
    return second if declared[second] and not declared[first] else first


register_space(
    Space(
        {
            "batch_size": Choice((16, 32)),
            "learning_rate": Choice((1e-5, 5e-5, 1e-4, 5e-4)),
            "pooling": Choice(("mean", "cls")),
        },
        name="twilbert",
        description="Batch size x learning rate x pooling, three repeats, on dev; "
        "pooling 'mean' is the paper's 'avg'",
        source="Gonzalez, Hurtado & Pla, Neurocomputing 2021 (TWilBERT), fine-tuning",
        plan=Plan("grid", evaluation="dev", n_seeds=3),
    )
)
register_space(
    Space(
        {},
        name="haha",
        description="The system's own space, each setting by 5 folds x 20 seeds",
        source="Farzin, Czapla & Howard, IberLEF 2019: KFold(5), 20 seeds",
        plan=Plan(evaluation="cv", n_folds=5, n_seeds=20),
    )
)
register_space(
    Space(
        {
            "learning_rate": LogUniform(1e-6, 1e-4),
            "batch_size": Choice((8, 16, 32, 64)),
            "max_iter": Integer(1, 10),
            "weight_decay": LogUniform(1e-4, 1e-1),
            "warmup": Choice((0.0, 0.06, 0.1)),
        },
        name="japanese-bert",
        description="100 trials of a Bayesian sweep, on dev; the paper publishes no "
        "ranges, these are ours; max_iter is its epochs, warmup its warm-up ratio",
        source="BERT for Japanese Twitter, chapter 6",
        plan=Plan("tpe", n_trials=100, evaluation="dev"),
    )
)
