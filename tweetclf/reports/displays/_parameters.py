"""Parameters of trials on axes: scales, bins, short names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tweetclf.leaderboard.spaces import looks_logarithmic

if TYPE_CHECKING:
    from tweetclf.leaderboard.trials import Sweep

__all__ = [
    "NOT_SET",
    "Scale",
    "checked",
    "influence",
    "residuals",
    "scale_of",
    "short_names",
    "trials_of",
    "two_of",
    "value_text",
    "varied",
]

Floats = NDArray[np.float64]

NOT_SET = "not set"
"""Stands for a parameter that a trial does not have."""

_BINS = 6


def value_text(value: Any) -> str:
    """Return a value of a parameter as people read it.

    Examples
    --------
    >>> from tweetclf.reports.displays._parameters import value_text
    >>> value_text(0.1), value_text(1e-05), value_text((1, 2)), value_text(None)
    ('0.1', '1e-05', '(1, 2)', 'None')
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else repr(value)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


@dataclass(frozen=True)
class Scale:
    """Places of a parameter's values on an axis.

    Parameters
    ----------
    kind : {"linear", "log", "category"}
        How values are spread.
    texts : tuple of str
        All different values in order, as text.
    numbers : tuple of float
        The same as numbers; empty for categories.
    unset : bool, default=False
        Whether some trials do not have the parameter, which is a number in others.
    """

    kind: str
    texts: tuple[str, ...]
    numbers: tuple[float, ...] = ()
    unset: bool = False

    @property
    def n_values(self) -> int:
        """Number of different values, a missing one included."""
        return len(self.texts) + self.unset

    def place(self, value: Any) -> float:
        """Return where a value stands, from 0 to 1; below 0 if it is not set."""
        if self.kind == "category":
            last = len(self.texts) - 1
            return self.texts.index(value_text(value)) / last if last else 0.5
        if value == NOT_SET:
            return -0.12
        low, high = self._ends()
        return (self._at(float(value)) - low) / (high - low) if high > low else 0.5

    def _at(self, number: float) -> float:
        return math.log10(number) if self.kind == "log" else number

    def _ends(self) -> tuple[float, float]:
        return self._at(self.numbers[0]), self._at(self.numbers[-1])

    def _between(self, n: int) -> list[float]:
        """Return so many numbers, evenly spread over the scale."""
        found = np.linspace(*self._ends(), n).tolist()
        return [10**x for x in found] if self.kind == "log" else found

    def ticks(self, most: int = 7) -> list[tuple[float, str]]:
        """Return places and texts of at most so many values, and of a missing one."""
        if self.kind == "category":
            shown = self.texts[:: math.ceil(len(self.texts) / most)]
            return [(self.place(text), text) for text in shown]
        ticks = [(self.place(NOT_SET), NOT_SET)] if self.unset else []
        if len(self.numbers) <= most:
            pairs = zip(self.numbers, self.texts, strict=True)
            return ticks + [(self.place(number), text) for number, text in pairs]
        return ticks + [(self.place(x), f"{x:.2g}") for x in self._between(4)]

    def bins(
        self, values: Sequence[Any], most: int
    ) -> tuple[NDArray[np.int64], list[str]]:
        """Return the number of each value's column, and what the columns are."""
        if self.kind == "category":
            found = [self.texts.index(value_text(value)) for value in values]
            return np.array(found, dtype=np.int64), list(self.texts)
        texts = list(self.texts)
        if len(texts) > most:
            edges = [f"{edge:.2g}" for edge in self._between(_BINS + 1)]
            pairs = zip(edges, edges[1:], strict=False)
            texts = [f"{low}\N{EN DASH}{high}" for low, high in pairs]
        columns = [
            len(texts) if value == NOT_SET else self._column(float(value), len(texts))
            for value in values
        ]
        return np.array(columns, dtype=np.int64), texts + [NOT_SET] * self.unset

    def _column(self, number: float, n_columns: int) -> int:
        if n_columns == len(self.numbers):
            return self.numbers.index(number)
        return min(int(self.place(number) * n_columns), n_columns - 1)


def scale_of(values: Sequence[Any], declared: str | None = None) -> Scale:
    """Return the scale of a parameter.

    Parameters
    ----------
    values : sequence
        Its value in each trial.
    declared : {"linear", "log", "category"}, optional
        What the search space says; by default what the values look like.

    Examples
    --------
    >>> from tweetclf.reports.displays._parameters import scale_of
    >>> scale_of([10.0, 0.1, 1.0, 1.0]).kind, scale_of(["l1", "l2"]).texts
    ('log', ('l1', 'l2'))
    """
    known = [value for value in values if value != NOT_SET]
    numeric = bool(known) and all(map(_is_number, known)) and declared != "category"
    if not numeric:
        # Numbers in their order, then words in theirs.
        order: dict[str, tuple[Any, ...]] = {}
        for value in values:
            text = value_text(value)
            order[text] = (0, value, "") if _is_number(value) else (1, 0, text)
        return Scale("category", tuple(sorted(order, key=order.__getitem__)))
    texts = {float(value): value_text(value) for value in known}
    numbers = sorted(texts)
    kind = declared or "linear"
    if declared is None and looks_logarithmic(numbers):
        kind = "log"
    if kind == "log" and numbers[0] <= 0:
        kind = "linear"
    unset = len(known) < len(values)
    return Scale(kind, tuple(texts[x] for x in numbers), tuple(numbers), unset)


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Return the shortest end of each parameter's name that no other has.

    Examples
    --------
    >>> from tweetclf.reports.displays._parameters import short_names
    >>> list(short_names(["svm__C", "bow__binary", "boc__binary"]).values())
    ['C', 'bow__binary', 'boc__binary']
    """
    short = {}
    for name in names:
        parts = name.split("__")
        ends = ["__".join(parts[i:]) for i in range(len(parts) - 1, -1, -1)]
        others = [other for other in names if other != name]
        short[name] = next(
            (
                end
                for end in ends
                if not any(
                    other == end or other.endswith(f"__{end}") for other in others
                )
            ),
            name,
        )
    return short


def influence(
    params: Sequence[Mapping[str, Any]],
    scores: NDArray[np.float64],
    scales: Mapping[str, Scale],
) -> dict[str, float]:
    """Return for each parameter the share of the scores' variance between its values.

    What chance alone would give to so many values is taken off (epsilon squared).
    """
    known = ~np.isnan(scores)
    values = scores[known]
    whole = float(((values - values.mean()) ** 2).sum())
    shares = {}
    for name, scale in scales.items():
        columns, _ = scale.bins([p.get(name, NOT_SET) for p in params], 8)
        groups = [values[columns[known] == c] for c in np.unique(columns[known])]
        within = float(sum(((g - g.mean()) ** 2).sum() for g in groups))
        free = len(values) - len(groups)
        shares[name] = 0.0
        if whole > 0 and free > 0:
            chance = (len(groups) - 1) * within / free
            shares[name] = max(0.0, (whole - within - chance) / whole)
    return shares


def residuals(
    params: Sequence[Mapping[str, Any]], scores: Floats, scale: Scale, name: str
) -> Floats:
    """Return what of the scores the values of a parameter do not say."""
    columns, _ = scale.bins([p.get(name, NOT_SET) for p in params], 8)
    rest = scores.copy()
    for column in np.unique(columns[~np.isnan(scores)]):
        rest[columns == column] -= np.nanmean(scores[columns == column])
    return rest


def two_of(
    params: Sequence[Mapping[str, Any]],
    scores: Floats,
    scales: Mapping[str, Scale],
    x: str | None,
    y: str | None,
    most: int,
) -> tuple[str, str]:
    """Return two parameters to draw; the second is empty if one was varied.

    Those that are not given are the ones that go with the score most; of words with
    more than `most` values there is no column each.
    """
    for name in (x, y):
        if name is not None and name not in scales:
            raise ValueError(
                f"SweepHeatmapDisplay: {name!r} is no parameter with several values. "
                f"There are: {', '.join(scales) or 'none'}."
            )
    if x is not None and x == y:
        raise ValueError(f"SweepHeatmapDisplay: x and y are both {x!r}.")
    chosen = [name for name in (x, y) if name is not None]
    while len(chosen) < 2:
        # The second is the one that says most beside the first.
        rest = scores
        for name in chosen:
            rest = residuals(params, rest, scales[name], name)
        shares = influence(params, rest, scales)
        fitting = [
            name
            for name, scale in scales.items()
            if name not in chosen
            and (scale.kind != "category" or scale.n_values <= most)
        ]
        if not fitting:
            break
        chosen.append(max(fitting, key=lambda name: shares[name]))
    if not chosen:
        raise ValueError(
            "SweepHeatmapDisplay: no parameter has two values or more that fit on an "
            "axis."
        )
    if x is None and y is not None:
        chosen.reverse()
    elif x is None and len(chosen) == 2:
        # The one with more values lies along the longer side.
        chosen.sort(key=lambda name: -scales[name].n_values)
    return chosen[0], chosen[1] if len(chosen) > 1 else ""


def trials_of(sweep: Sweep) -> tuple[list[Mapping[str, Any]], Floats]:
    """Return settings and scores of trials, NaN for those that failed.

    Trials on fewer tweets than others are left out, as their scores are not comparable.
    """
    shown = sweep.comparable
    scores = [trial.score if trial.scored else math.nan for trial in shown]
    return [trial.params for trial in shown], np.array(scores, dtype=np.float64)


def varied(
    params: Sequence[Mapping[str, Any]], declared: Mapping[str, str]
) -> dict[str, Scale]:
    """Return the scales of the parameters that have more than one value."""
    names = dict.fromkeys(name for setting in params for name in setting)
    scales = {
        name: scale_of([p.get(name, NOT_SET) for p in params], declared.get(name))
        for name in names
    }
    return {name: scale for name, scale in scales.items() if scale.n_values > 1}


def checked(
    params: Sequence[Mapping[str, Any]], scores: ArrayLike, caller: str
) -> Floats:
    """Return the scores as an array, or say what is wrong with them."""
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != (len(params),) or not np.isfinite(values).any():
        raise ValueError(
            f"{caller}: the 'scores' parameter must hold one number a trial, NaN for "
            f"those that failed, and one that did not. Got an array of shape "
            f"{values.shape} for {len(params)} trials, "
            f"{int(np.isfinite(values).sum())} of them with a score, instead."
        )
    return values
