"""The systems of the leaderboard, named by lazy strings.

Listing systems imports no estimator: a target is resolved when the system is built.
"""

from __future__ import annotations

from tweetclf.leaderboard.own_systems import OWN_SYSTEMS
from tweetclf.leaderboard.system import System
from tweetclf.utils.registry import Registry

__all__ = ["SYSTEMS", "System", "get_system", "list_systems", "register_system"]

SYSTEMS: Registry[System] = Registry("system", 'Run "tweetclf systems": it')


def register_system(system: System) -> None:
    """Add a system, so that leaderboards can name it.

    Parameters
    ----------
    system : System
        The system.

    Raises
    ------
    ValueError
        If the name is taken.
    """
    SYSTEMS.register(system.name, system)


def get_system(name: str) -> System:
    """Return the system called `name`.

    Parameters
    ----------
    name : str
        Lower-case name with hyphens.

    Raises
    ------
    UnknownNameError
        With near names, if there is none.
    """
    return SYSTEMS.get(name)


def list_systems() -> list[System]:
    """Return all systems in order of name."""
    return [SYSTEMS.get(name) for name in SYSTEMS]


for _system in OWN_SYSTEMS:
    register_system(_system)
