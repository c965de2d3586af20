"""Searches at equal budgets: what so many trials, or seconds, are expected to give.

Pure functions: arrays of scores and seconds in, arrays or small results out; and thin
adapters for sweeps.
"""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.leaderboard.budget.bands import band_of_best, cdf_band
    from tweetclf.leaderboard.budget.comparison import (
        BudgetComparison,
        Lead,
        compare_budgets,
    )
    from tweetclf.leaderboard.budget.curves import BudgetCurve, budget_curve
    from tweetclf.leaderboard.budget.estimates import (
        best_so_far,
        expected_best,
        expected_best_in_time,
    )
    from tweetclf.leaderboard.budget.sweeps import compare_sweeps, sweep_curve

_MODULES = {
    "bands": ("band_of_best", "cdf_band"),
    "comparison": ("BudgetComparison", "Lead", "compare_budgets"),
    "curves": ("BudgetCurve", "budget_curve"),
    "estimates": ("best_so_far", "expected_best", "expected_best_in_time"),
    "sweeps": ("compare_sweeps", "sweep_curve"),
}

__getattr__, __dir__, _names = attach(
    __name__,
    {
        name: f"tweetclf.leaderboard.budget.{module}"
        for module, names in _MODULES.items()
        for name in names
    },
)

__all__ = [
    "BudgetComparison",
    "BudgetCurve",
    "Lead",
    "band_of_best",
    "best_so_far",
    "budget_curve",
    "cdf_band",
    "compare_budgets",
    "compare_sweeps",
    "expected_best",
    "expected_best_in_time",
    "sweep_curve",
]
