"""Systems as a user asks for them: by name, under another name, with parameters."""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.systems import SYSTEMS, System
from tweetclf.utils.registry import Registry, resolve, suggest

__all__ = ["choose_systems", "known_parameters", "parse_parameters"]

Parameters = Mapping[str, Mapping[str, Any]]


def parse_parameters(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Read ``SYSTEM.NAME=VALUE`` texts.

    Parameters
    ----------
    texts : iterable of str
        VALUE is JSON; what is no JSON is text, so that paths need no quotes.

    Returns
    -------
    dict of str to dict
        System -> parameter -> value.

    Raises
    ------
    DataError
        If a text has another form, or a parameter is given twice.

    Examples
    --------
    >>> from tweetclf.leaderboard.given import parse_parameters
    >>> parse_parameters(["bilstm.hidden_size=64", "beto.model=models/beto"])
    {'bilstm': {'hidden_size': 64}, 'beto': {'model': 'models/beto'}}
    """
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        place, equals, value = text.partition("=")
        system, dot, name = place.partition(".")
        if not (equals and dot and system and name.isidentifier()):
            raise DataError(
                f"parameters are written SYSTEM.NAME=VALUE, as in "
                f"transformer.model=models/beto. Got {text!r}."
            )
        if name in found.setdefault(system, {}):
            raise DataError(f"the parameter {system}.{name} is given twice.")
        try:
            found[system][name] = json.loads(value)
        except json.JSONDecodeError:
            found[system][name] = value
    return found


def _named(text: str, registry: Registry[System]) -> System:
    """Return the system of ``NAME`` or ``OWN-NAME=NAME``."""
    own, equals, name = text.partition("=")
    if not equals:
        return registry.get(text)
    if not own or not name:
        raise DataError(
            "a system under a name of your own is written OWN=SYSTEM, as in "
            f"beto=transformer. Got {text!r}."
        )
    if own in registry:
        raise DataError(
            f"{text}: {own!r} is another system already; choose a name of your own."
        )
    return replace(registry.get(name), name=own)


def known_parameters(system: System) -> list[str]:
    """Return the arguments of a system's factory and parameters of its estimator.

    Parameters
    ----------
    system : System
        The system.
    """
    factory = resolve(system.target)
    known = [*inspect.signature(factory).parameters]
    taken = {k: v for k, v in system.params.items() if k in known}
    # A factory may need an argument that is not given; then its own are all.
    with contextlib.suppress(TypeError):
        known += [n for n in factory(**taken).get_params() if n not in known]
    return known


def _with_parameters(system: System, given: Mapping[str, Any]) -> System:
    """Return the system with arguments of its factory, or of its estimator, changed."""
    values = {
        # JSON and TOML have no tuples, and ngram_range is one.
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
    }
    changed = replace(system, params={**system.params, **values})
    known = [*inspect.signature(resolve(system.target)).parameters]
    if not set(given) <= set(known):
        known = known_parameters(changed)
    for name in given:
        if name not in known:
            near = suggest(name, known)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise DataError(
                f"system {system.name!r} has no parameter {name!r}.{hint} It has "
                f"{', '.join(known)}."
            )
    return changed


def choose_systems(
    names: Iterable[str],
    parameters: Parameters = MappingProxyType({}),
    *,
    registry: Registry[System] = SYSTEMS,
) -> list[System]:
    """Return the systems called for, with the parameters given to them.

    Parameters
    ----------
    names : iterable of str
        ``NAME`` of a registered system, or ``OWN=NAME``: the same under a name of
        one's own, so that it can stand in a leaderboard more than once.
    parameters : mapping of str to mapping, default={}
        Name -> keyword arguments of its factory.
    registry : Registry, optional
        Where names are looked up; by default the systems of leaderboards.

    Returns
    -------
    list of System
        In the order of `names`.

    Raises
    ------
    UnknownNameError
        If a system is not registered.
    DataError
        If two have one name, or a parameter belongs to no system or none has it.

    Examples
    --------
    >>> from tweetclf.leaderboard import choose_systems
    >>> wide, narrow = choose_systems(
    ...     ["fasttext", "narrow=fasttext"], {"narrow": {"n_components": 10}}
    ... )
    >>> narrow.name, dict(narrow.params)
    ('narrow', {'n_components': 10})
    """
    systems = [_named(name, registry) for name in names]
    own = [system.name for system in systems]
    twice = [name for name in own if own.count(name) > 1]
    if twice:
        raise DataError(f"two systems are called {twice[0]!r}.")
    stray = [name for name in parameters if name not in own]
    if stray:
        raise DataError(
            f"there are parameters for {stray[0]!r}, which is not among the systems: "
            f"{', '.join(own)}."
        )
    return [
        _with_parameters(system, parameters[system.name])
        if parameters.get(system.name)
        else system
        for system in systems
    ]
