"""Definitions of engagement boards: systems, languages and protocol, in a TOML file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.definitions import MIN_RESAMPLES
from tweetclf.leaderboard.engagements.records import EngagementProtocol
from tweetclf.tasks.by_language import TWHIN_RESOURCES, present_groups
from tweetclf.utils.documents import check_keys, make_settings, read_toml

__all__ = ["EngagementDefinition", "read_engagement_definition"]


@dataclass(frozen=True)
class EngagementDefinition:
    """What ``tweetclf social evaluate`` is to run.

    Parameters
    ----------
    systems : tuple of str
        Names of text systems, or ``"OWN=NAME"``.
    title : str, default="Engagement prediction"
        Title of the report.
    languages : tuple of str, default=()
        Only these, in this order; all of the set if empty.
    protocol : EngagementProtocol
        How systems are evaluated.
    n_resamples : int, default=2000
        Bootstrap resamples, at least 100.
    groups : mapping of str to tuple of str
        Languages to average over; those of TwHIN-BERT's Tables 1 and 3 by default.
    params : mapping of str to mapping, default={}
        System -> keyword arguments of its factory.

    Examples
    --------
    >>> from tweetclf.leaderboard.engagements import EngagementDefinition
    >>> EngagementDefinition().systems
    ('random', 'popularity', 'tfidf')
    """

    systems: tuple[str, ...] = ("random", "popularity", "tfidf")
    title: str = "Engagement prediction"
    languages: tuple[str, ...] = ()
    protocol: EngagementProtocol = EngagementProtocol()
    n_resamples: int = 2000
    groups: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: dict(TWHIN_RESOURCES)
    )
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("systems", "languages"):
            items = getattr(self, name)
            if not all(isinstance(item, str) and item for item in items):
                raise ValueError(f"{name!r} must be a list of strings. Got {items!r}.")
            twice = [item for item in items if items.count(item) > 1]
            if twice:
                raise ValueError(f"{twice[0]!r} stands twice in {name!r}.")
        if not self.systems:
            raise ValueError("'systems' is empty.")
        if not isinstance(self.title, str):
            raise ValueError(f"'title' must be a string. Got {self.title!r}.")
        n = self.n_resamples
        if isinstance(n, bool) or not isinstance(n, int) or n < MIN_RESAMPLES:
            raise ValueError(
                f"'n_resamples' must be an integer from {MIN_RESAMPLES}. Got {n!r}."
            )
        self._check_tables()

    def _check_tables(self) -> None:
        for name in ("groups", "params"):
            if not isinstance(getattr(self, name), Mapping):
                raise ValueError(f"{name!r} must be a table.")
        for name, languages in self.groups.items():
            if not isinstance(languages, list | tuple) or not languages:
                raise ValueError(
                    f"the group {name!r} must be a list of languages. Got "
                    f"{languages!r}."
                )
            twice = [one for one in languages if list(languages).count(one) > 1]
            if twice:
                raise ValueError(f"{twice[0]!r} stands twice in the group {name!r}.")
        grouped = [one for languages in self.groups.values() for one in languages]
        try:
            present_groups(self.groups, [*self.languages, *grouped])
        except DataError as error:
            raise ValueError(str(error)) from None
        for name, given in self.params.items():
            if not isinstance(given, Mapping):
                raise ValueError(
                    f"'params' must hold a table a system, as in [params.{name}]. Got "
                    f"{given!r}."
                )


def read_engagement_definition(
    path: str | os.PathLike[str],
) -> EngagementDefinition:
    """Read a definition from a TOML file.

    Parameters
    ----------
    path : str or path-like
        The file; keys are those of :class:`EngagementDefinition` and
        :class:`EngagementProtocol`, at top level.

    Raises
    ------
    DataError
        If the file is missing, no TOML, or a key is unknown or has a wrong value.
    """
    place = str(path)
    document = read_toml(path, "definition")
    own = {field.name for field in fields(EngagementProtocol)}
    rest = {field.name for field in fields(EngagementDefinition)} - {"protocol"}
    check_keys(document, own | rest, place)
    protocol = make_settings(
        EngagementProtocol, {k: v for k, v in document.items() if k in own}, place
    )
    for key in ("systems", "languages"):
        if not isinstance(document.get(key, []), list):
            raise DataError(f"{place}: {key!r} must be a list of strings.")
    table = {k: v for k, v in document.items() if k in rest}
    if "groups" in table and isinstance(table["groups"], dict):
        table["groups"] = {
            name: tuple(v) if isinstance(v, list) else v
            for name, v in table["groups"].items()
        }
    return make_settings(EngagementDefinition, table, place, protocol=protocol)
