"""Searches compared at the same budget, and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tweetclf.leaderboard.budget.bands import is_open
from tweetclf.leaderboard.budget.curves import BudgetCurve

__all__ = ["BudgetComparison", "Lead", "compare_budgets"]

# Rounding must not decide between two searches with the same best score.
_TOLERANCE = 1e-12
# More changes of the lead than this are counted, not told.
_MOST_LEADS = 3


@dataclass(frozen=True)
class Lead:
    """Budgets over which one search is ahead.

    Parameters
    ----------
    start, stop : float
        First and last budget that were compared.
    name : str or None
        The search that is ahead; None where several are equal.
    """

    start: float
    stop: float
    name: str | None


@dataclass(frozen=True)
class BudgetComparison:
    """Two or more searches at the same budget.

    Parameters
    ----------
    unit : {"trials", "seconds"}
        Unit of the budget.
    budget : float
        The budget.
    names : tuple of str
        The searches, best first.
    values, low, high : tuple of float
        Best score of each at the budget, and the ends of its band (NaN: no band).
    leads : tuple of Lead
        Who is ahead from the smallest budget that all share to the largest.
    level : float or None
        Confidence with which all bands hold at once.
    bounds : tuple of (float, float)
        Lowest and highest possible score: ends of a band that are known without trials.
    kinds : tuple of str
        How each curve was made, see `BudgetCurve`.
    bands : tuple of str
        How each band was made, see `BudgetCurve`.
    statistic : {"mean", "median"}
        What of the best score was compared.
    greater_is_better : bool
        Direction of the scores.
    """

    unit: str
    budget: float
    names: tuple[str, ...]
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    leads: tuple[Lead, ...]
    level: float | None
    bounds: tuple[float, float]
    kinds: tuple[str, ...]
    bands: tuple[str, ...]
    statistic: str
    greater_is_better: bool

    @property
    def separated(self) -> bool:
        """Whether the band of the first lies beyond the bands of all others."""
        if self.level is None:
            return False
        # What is expected of a grid is known, not estimated.
        ends = [
            (value, value) if math.isnan(low) else (low, high)
            for value, low, high in zip(self.values, self.low, self.high, strict=True)
        ]
        (low, high), others = ends[0], ends[1:]
        if self.greater_is_better:
            return low > max(end for _, end in others)
        return high < min(end for end, _ in others)

    @property
    def tied(self) -> bool:
        """Whether the second is as good as the first."""
        return abs(self.values[0] - self.values[1]) <= _TOLERANCE

    def verdict(self, measure: str = "", where: str = "") -> str:
        """Say who is ahead at the budget, and whether other draws could turn it.

        Parameters
        ----------
        measure : str, default=""
            Name of the metric.
        where : str, default=""
            What the trials were scored on, such as "dev".
        """
        told = [
            _value(self, place, measure if place == 0 else "")
            for place in range(len(self.names))
        ]
        reach = "is expected to reach"
        if self.kinds[0] == "observed":
            reach = "had reached"
        elif self.statistic == "median":
            reach = "reaches in half of all searches"
        place = f" on {where}" if where else ""
        first = f"{self.names[0]} {reach} {told[0]}{place}"
        others = [
            f"{name} {value}"
            for name, value in zip(self.names[1:], told[1:], strict=True)
        ]
        said = f"With {_budget(self)} each, {first}, {_join(others)}; {_order(self)}."
        return f"{said} {_leads(self)}".rstrip()


def _score(value: float) -> str:
    return f"{value:.3f}"


def _value(found: BudgetComparison, place: int, measure: str) -> str:
    """Write a score with its band; an end near that of all scores is left open."""
    text = _score(found.values[place]) + (f" {measure}" if measure else "")
    low, high = found.low[place], found.high[place]
    if math.isnan(low):
        return text
    value = found.values[place]
    known = [
        not is_open(end, bound, value)
        for end, bound in zip((low, high), found.bounds, strict=True)
    ]
    if all(known):
        return f"{text} [{_score(low)}, {_score(high)}]"
    if known[0]:
        return f"{text} [at least {_score(low)}]"
    return f"{text} [at most {_score(high)}]" if known[1] else text


def _budget(found: BudgetComparison) -> str:
    if found.unit == "seconds":
        return f"{_seconds(found.budget)} of fitting"
    return "1 trial" if found.budget == 1 else f"{found.budget:g} trials"


def _seconds(value: float) -> str:
    if value < 100:
        return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"
    if value < 7200:
        return f"{value / 60:.0f} min"
    return f"{value / 3600:.1f} h"


def _order(found: BudgetComparison) -> str:
    """Say how sure the order is."""
    if found.tied:
        return f"{found.names[0]} and {found.names[1]} are level"
    best = found.names[0]
    if "observed" in found.kinds:
        return (
            f"{best} is ahead, but one search in its own order says nothing of how "
            "another would end"
        )
    if set(found.kinds) == {"grid"}:
        return f"{best} is ahead if the cells of the grids are tried in random order"
    if found.level is None:
        return f"{best} is ahead"
    percent = f"{100 * found.level:g} %"
    if not found.separated:
        return (
            f"the {percent} bands overlap, so that other draws of settings may turn "
            "the order"
        )
    if "bootstrap" in found.bands:
        return f"{best} is ahead, and the {percent} bootstrap bands do not overlap"
    return f"{best} is ahead whichever settings are drawn ({percent} bands)"


def _leads(found: BudgetComparison) -> str:
    """Say where the lead changes, if it does."""
    leads = [lead for lead in found.leads if lead.name is not None]
    if len({lead.name for lead in leads}) < 2:
        return ""
    if len(leads) > _MOST_LEADS:
        return (
            f"The lead changes {len(leads) - 1} times between "
            f"{_amount(found, leads[0].start)} and {_amount(found, leads[-1].stop)}."
        )
    told = []
    for place, lead in enumerate(leads):
        if place == len(leads) - 1:
            where = f"from {_amount(found, lead.start)} on"
        elif found.unit == "trials":
            single = lead.start == lead.stop
            where = f"{'with' if single else 'up to'} {_amount(found, lead.stop)}"
        else:
            where = f"under {_amount(found, leads[place + 1].start)} of fitting"
        told.append(f"{lead.name} is ahead {where}")
    return f"{_join(told)}."


def _amount(found: BudgetComparison, value: float) -> str:
    if found.unit == "seconds":
        return _seconds(value)
    return "1 trial" if value == 1 else f"{value:g} trials"


def _join(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def compare_budgets(
    curves: Sequence[BudgetCurve],
    budget: float | None = None,
    *,
    level: float | None = None,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> BudgetComparison:
    """Compare searches at the same budget.

    Parameters
    ----------
    curves : sequence of BudgetCurve
        Two or more, of one unit and direction, with different names.
    budget : float, optional
        The budget; by default the largest that all have spent.
    level : float, optional
        Confidence with which all bands hold at once; by default, by Bonferroni's
        inequality, what those of the curves leave.
    bounds : tuple of (float, float), default=(-inf, inf)
        Lowest and highest possible score.

    Returns
    -------
    BudgetComparison
        Scores at the budget, and who is ahead where.

    Raises
    ------
    ValueError
        If the budget is more than one of the searches has spent, or the curves cannot
        be compared.

    Examples
    --------
    >>> from tweetclf.leaderboard.budget import budget_curve, compare_budgets
    >>> found = compare_budgets(
    ...     [
    ...         budget_curve([0.61, 0.63, 0.62], name="nbsvm", band=None),
    ...         budget_curve([0.2, 0.5, 0.7, 0.6], name="svm", band=None),
    ...     ]
    ... )
    >>> print(found.verdict("macro F1", "dev"))
    With 3 trials each, svm is expected to reach 0.675 macro F1 on dev, nbsvm 0.630; \
svm is ahead. nbsvm is ahead with 1 trial and svm is ahead from 2 trials on.
    """
    names = [curve.name for curve in curves]
    if len(curves) < 2 or len(set(names)) < len(names):
        raise ValueError(
            "compare_budgets: the 'curves' parameter must hold two or more curves of "
            f"different names. Got {names} instead."
        )
    # What one search saw is neither mean nor median.
    expected = [curve for curve in curves if curve.kind != "observed"] or curves
    for what, of in (
        ("unit", curves),
        ("statistic", expected),
        ("greater_is_better", curves),
    ):
        found = {str(getattr(curve, what)) for curve in of}
        if len(found) > 1:
            raise ValueError(
                f"compare_budgets: all curves must have the same {what}. Got "
                f"{' and '.join(sorted(found))} instead."
            )
    shared = min(curve.budgets[-1] for curve in curves)
    asked = shared if budget is None else float(budget)
    at = {curve.name: curve.at(asked) for curve in curves}
    first = curves[0]
    sign = -1.0 if first.greater_is_better else 1.0
    ranked = sorted(curves, key=lambda curve: sign * at[curve.name][0])
    levels = [curve.level for curve in curves if curve.level is not None]
    banded = bool(levels) and all(c.band or c.kind == "grid" for c in curves)
    if banded and level is None:
        level = max(0.0, 1 - sum(1 - one for one in levels))
    order = [curve.name for curve in ranked]
    return BudgetComparison(
        unit=first.unit,
        budget=asked,
        names=tuple(order),
        values=tuple(at[name][0] for name in order),
        low=tuple(at[name][1] for name in order),
        high=tuple(at[name][2] for name in order),
        leads=_find_leads(curves, shared),
        level=level if banded else None,
        bounds=bounds,
        kinds=tuple(curve.kind for curve in ranked),
        bands=tuple(curve.band for curve in ranked),
        statistic=expected[0].statistic,
        greater_is_better=first.greater_is_better,
    )


def _find_leads(curves: Sequence[BudgetCurve], shared: float) -> tuple[Lead, ...]:
    """Return who is ahead, budget by budget, in stretches."""
    starts = [
        next((b for b, v in zip(c.budgets, c.values, strict=True) if not math.isnan(v)))
        for c in curves
    ]
    budgets = np.unique(np.concatenate([curve.budgets for curve in curves]))
    leads: list[Lead] = []
    for budget in budgets[(budgets >= max(starts)) & (budgets <= shared)].tolist():
        values = [curve.at(budget)[0] for curve in curves]
        best = max(values) if curves[0].greater_is_better else min(values)
        ahead = [
            curve.name
            for curve, value in zip(curves, values, strict=True)
            if abs(value - best) <= _TOLERANCE
        ]
        name = ahead[0] if len(ahead) == 1 else None
        if leads and leads[-1].name == name:
            leads[-1] = Lead(leads[-1].start, budget, name)
        else:
            leads.append(Lead(budget, budget, name))
    return tuple(leads)
