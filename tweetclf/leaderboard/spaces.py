"""Search spaces: the settings that a system may be given, declared as data.

A space names parameters and, for each, values or a distribution. Grids, random samples
and Bayesian search draw from the same declaration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tweetclf.exceptions import DataError

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = [
    "EVALUATIONS",
    "STRATEGIES",
    "Choice",
    "Dimension",
    "Integer",
    "LogUniform",
    "Plan",
    "Space",
    "Uniform",
    "looks_logarithmic",
]

EVALUATIONS = ("dev", "cv")
STRATEGIES = ("grid", "random", "halving", "tpe")


@dataclass(frozen=True)
class Choice:
    """One of a few values, in order.

    Parameters
    ----------
    values : tuple
        Plain values (None, bool, int, float, str, tuples of these); lists become
        tuples.

    Examples
    --------
    >>> Choice([0.1, 1.0]).values
    (0.1, 1.0)
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(map(_plain, self.values)))
        if not self.values:
            raise DataError("Choice() has no values; give at least one.")

    def sample(self, rng: Generator) -> Any:
        """Draw a value; all have the same chance."""
        return self.values[int(rng.integers(len(self.values)))]

    @property
    def scale(self) -> str:
        """How an axis shows it: ``"linear"`` or ``"log"`` for numbers."""
        numbers = [v for v in self.values if isinstance(v, int | float)]
        if len(numbers) < len(self.values) or any(
            isinstance(v, bool) for v in self.values
        ):
            return "category"
        return "log" if looks_logarithmic(numbers) else "linear"


@dataclass(frozen=True)
class Uniform:
    """A number, uniform between two bounds.

    Parameters
    ----------
    low, high : float
        Bounds.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(self, self.low, self.high)

    def sample(self, rng: Generator) -> float:
        """Draw a number."""
        return float(rng.uniform(self.low, self.high))

    @property
    def scale(self) -> str:
        """How an axis shows it."""
        return "linear"


@dataclass(frozen=True)
class LogUniform:
    """A number whose logarithm is uniform between those of two bounds.

    Parameters
    ----------
    low, high : float
        Bounds, above 0.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(self, self.low, self.high, positive=True)

    def sample(self, rng: Generator) -> float:
        """Draw a number."""
        drawn = math.exp(float(rng.uniform(math.log(self.low), math.log(self.high))))
        return min(max(drawn, self.low), self.high)

    @property
    def scale(self) -> str:
        """How an axis shows it."""
        return "log"


@dataclass(frozen=True)
class Integer:
    """A whole number between two bounds, both included.

    Parameters
    ----------
    low, high : int
        Bounds.
    log : bool, default=False
        Draw uniformly on the scale of the logarithm; then `low` is at least 1.
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self, self.low, self.high, positive=self.log)

    def sample(self, rng: Generator) -> int:
        """Draw a number."""
        if not self.log:
            return int(rng.integers(self.low, self.high + 1))
        low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
        drawn = round(math.exp(float(rng.uniform(low, high))))
        return min(max(drawn, self.low), self.high)

    @property
    def scale(self) -> str:
        """How an axis shows it."""
        return "log" if self.log else "linear"


Dimension = Choice | Uniform | LogUniform | Integer


def looks_logarithmic(numbers: Sequence[float]) -> bool:
    """Tell whether numbers belong on a logarithmic scale.

    A grid over nearly two orders of magnitude is meant as a logarithmic one.

    Examples
    --------
    >>> from tweetclf.leaderboard.spaces import looks_logarithmic
    >>> looks_logarithmic([0.1, 1, 10]), looks_logarithmic([1, 2, 3])
    (True, False)
    """
    return min(numbers) > 0 and max(numbers) >= 50 * min(numbers)


def _check_bounds(
    dimension: Any, low: float, high: float, *, positive: bool = False
) -> None:
    sound = math.isfinite(low) and math.isfinite(high) and low < high
    if not sound or (positive and low <= 0):
        above = ", the lower one above 0" if positive else ""
        raise DataError(
            f"{dimension} has no proper bounds: they must be finite and rise{above}."
        )


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    found = type(value).__name__
    if value is None or isinstance(value, bool | int | float | str):
        if not isinstance(value, float) or math.isfinite(value):
            return value
        found = repr(float(value))
    raise DataError(
        f"a value of a search space must be None, a bool, a finite number, a str or a "
        f"tuple of these, so that runs can be recorded; got {found}."
    )


@dataclass(frozen=True)
class Plan:
    """How a published search was run; what the caller says goes before it.

    Parameters
    ----------
    strategy : {"grid", "random", "halving", "tpe"}, optional
        Strategy of the search.
    n_trials : int, optional
        Number of trials.
    evaluation : {"dev", "cv"}, optional
        What trials are scored on.
    n_folds : int, optional
        Number of folds.
    n_seeds : int, optional
        How often each setting is run, with seeds from 0.
    """

    strategy: str | None = None
    n_trials: int | None = None
    evaluation: str | None = None
    n_folds: int | None = None
    n_seeds: int | None = None

    def __post_init__(self) -> None:
        for name, known in (("strategy", STRATEGIES), ("evaluation", EVALUATIONS)):
            word = getattr(self, name)
            if word is not None and word not in known:
                raise DataError(f"{name} must be {' or '.join(known)}, got {word!r}.")
        for name in ("n_trials", "n_folds", "n_seeds"):
            number = getattr(self, name)
            whole = isinstance(number, int) and not isinstance(number, bool)
            if number is not None and not (whole and number >= 1):
                raise DataError(f"{name} must be an integer above 0, got {number!r}.")


@dataclass(frozen=True)
class Space:
    """A search space.

    Parameters
    ----------
    dimensions : mapping of str to Dimension
        Estimator parameter -> values or distribution, in order; empty for a space
        that stands for any system's own.
    conditions : mapping of str to (str, tuple), default={}
        Parameter -> an earlier parameter and its values for which the parameter is
        there at all.
    name : str, default=""
        Name, for named spaces.
    description : str, default=""
        One line for people.
    source : str, default=""
        Paper, section or table.
    plan : Plan, optional
        How it was searched there.

    Examples
    --------
    >>> space = Space(
    ...     {"kernel": Choice(("linear", "rbf")), "gamma": Choice((0.1, 1.0))},
    ...     conditions={"gamma": ("kernel", ("rbf",))},
    ... )
    >>> for setting in space.settings():
    ...     print(setting)
    {'kernel': 'linear'}
    {'kernel': 'rbf', 'gamma': 0.1}
    {'kernel': 'rbf', 'gamma': 1.0}
    """

    dimensions: Mapping[str, Dimension]
    conditions: Mapping[str, tuple[str, tuple[Any, ...]]] = field(default_factory=dict)
    name: str = ""
    description: str = ""
    source: str = ""
    plan: Plan = Plan()

    def __post_init__(self) -> None:
        frozen = {
            name: (parent, tuple(map(_plain, values)))
            for name, (parent, values) in self.conditions.items()
        }
        object.__setattr__(self, "dimensions", MappingProxyType(dict(self.dimensions)))
        object.__setattr__(self, "conditions", MappingProxyType(frozen))
        order = list(self.dimensions)
        for name, (parent, _) in frozen.items():
            if name not in order or parent not in order[: order.index(name)]:
                raise DataError(
                    f"the condition of {name!r} on {parent!r} needs both in the space, "
                    f"{parent!r} first; the space has {', '.join(order) or 'nothing'}."
                )

    # A mapping proxy cannot be pickled, and spaces travel with their system.
    def __reduce__(self) -> tuple[Any, ...]:
        return Space, (
            dict(self.dimensions),
            dict(self.conditions),
            self.name,
            self.description,
            self.source,
            self.plan,
        )

    @property
    def conditional(self) -> bool:
        """Whether some parameters are there for some values of others only."""
        return bool(self.conditions)

    @property
    def finite(self) -> bool:
        """Whether all settings can be listed."""
        return all(isinstance(d, Choice) for d in self.dimensions.values())

    def has(self, name: str, params: Mapping[str, Any]) -> bool:
        """Tell whether a parameter is there, given those before it."""
        if name not in self.conditions:
            return True
        parent, values = self.conditions[name]
        return parent in params and params[parent] in values

    def walk(self, suggest: Callable[[str, Dimension], Any]) -> dict[str, Any]:
        """Return a setting of which each value is suggested by a function."""
        params: dict[str, Any] = {}
        for name, dimension in self.dimensions.items():
            if self.has(name, params):
                params[name] = suggest(name, dimension)
        return params

    def sample(self, rng: Generator) -> dict[str, Any]:
        """Draw a setting."""
        return self.walk(lambda _, dimension: dimension.sample(rng))

    def settings(self) -> Iterator[dict[str, Any]]:
        """Yield all settings; the last parameter varies fastest.

        Raises
        ------
        DataError
            If a parameter has a distribution in place of values.
        """
        endless = [n for n, d in self.dimensions.items() if not isinstance(d, Choice)]
        if endless:
            raise DataError(
                f"a grid needs values, and {', '.join(endless)} of space "
                f"{self.name or 'without a name'!r} has a distribution; search it by "
                'strategy "random" or "tpe", or choose space "grid".'
            )
        yield from self._from({}, list(self.dimensions.items()))

    def _from(
        self, params: dict[str, Any], rest: list[tuple[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        if not rest:
            yield params
            return
        (name, dimension), rest = rest[0], rest[1:]
        if not self.has(name, params):
            yield from self._from(params, rest)
            return
        for value in dimension.values:
            yield from self._from({**params, name: value}, rest)

    @property
    def scales(self) -> dict[str, str]:
        """Parameter -> ``"linear"``, ``"log"`` or ``"category"``."""
        return {name: d.scale for name, d in self.dimensions.items()}

    def to_document(self) -> dict[str, Any]:
        """Return what determines the settings, as what JSON knows."""
        return {
            "dimensions": {
                name: {"kind": type(d).__name__, **asdict(d)}
                for name, d in self.dimensions.items()
            },
            "conditions": {
                name: [parent, list(values)]
                for name, (parent, values) in self.conditions.items()
            },
        }
