"""Uncertainty of scores and of their differences, from stored predictions.

Pure functions: arrays in, arrays or small results out, a generator for the randomness.
Nothing here knows a system, reads a file or touches the global random state.
"""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.leaderboard.statistics.bootstrap import (
        ALPHA,
        bca_interval,
        bootstrap_scores,
        enough_resamples,
        holm,
        paired_p_values,
        percentile_interval,
    )
    from tweetclf.leaderboard.statistics.calibration import (
        BINNINGS,
        Calibration,
        brier_score,
        expected_calibration_error,
        measure_calibration,
        proba_flaw,
        top_label,
    )
    from tweetclf.leaderboard.statistics.comparison import (
        Comparison,
        adjust_family,
        compare_pairs,
        compare_systems,
    )
    from tweetclf.leaderboard.statistics.discordance import (
        FEW_DISCORDANT,
        Flips,
        McNemar,
        flips,
        mcnemar,
    )
    from tweetclf.leaderboard.statistics.many_tasks import (
        ManyTasks,
        SignedRank,
        bayesian_signed_rank,
        compare_over_tasks,
        nemenyi_critical_difference,
    )
    from tweetclf.leaderboard.statistics.power import (
        equivalence_p_value,
        minimal_detectable_difference,
    )
    from tweetclf.leaderboard.statistics.randomisation import (
        Randomisation,
        approximate_randomisation,
    )
    from tweetclf.leaderboard.statistics.runs import (
        MIN_RUNS,
        HierarchicalBootstrap,
        StochasticOrder,
        almost_stochastic_order,
        hierarchical_bootstrap,
    )

_MODULES = {
    "bootstrap": (
        "ALPHA",
        "bca_interval",
        "bootstrap_scores",
        "enough_resamples",
        "holm",
        "paired_p_values",
        "percentile_interval",
    ),
    "calibration": (
        "BINNINGS",
        "Calibration",
        "brier_score",
        "expected_calibration_error",
        "measure_calibration",
        "proba_flaw",
        "top_label",
    ),
    "comparison": (
        "Comparison",
        "adjust_family",
        "compare_pairs",
        "compare_systems",
    ),
    "discordance": ("FEW_DISCORDANT", "Flips", "McNemar", "flips", "mcnemar"),
    "many_tasks": (
        "ManyTasks",
        "SignedRank",
        "bayesian_signed_rank",
        "compare_over_tasks",
        "nemenyi_critical_difference",
    ),
    "power": ("equivalence_p_value", "minimal_detectable_difference"),
    "randomisation": ("Randomisation", "approximate_randomisation"),
    "runs": (
        "MIN_RUNS",
        "HierarchicalBootstrap",
        "StochasticOrder",
        "almost_stochastic_order",
        "hierarchical_bootstrap",
    ),
}

__getattr__, __dir__, _names = attach(
    __name__,
    {
        name: f"tweetclf.leaderboard.statistics.{module}"
        for module, names in _MODULES.items()
        for name in names
    },
)

__all__ = [
    "ALPHA",
    "BINNINGS",
    "FEW_DISCORDANT",
    "MIN_RUNS",
    "Calibration",
    "Comparison",
    "Flips",
    "HierarchicalBootstrap",
    "ManyTasks",
    "McNemar",
    "Randomisation",
    "SignedRank",
    "StochasticOrder",
    "adjust_family",
    "almost_stochastic_order",
    "approximate_randomisation",
    "bayesian_signed_rank",
    "bca_interval",
    "bootstrap_scores",
    "brier_score",
    "compare_over_tasks",
    "compare_pairs",
    "compare_systems",
    "enough_resamples",
    "equivalence_p_value",
    "expected_calibration_error",
    "flips",
    "hierarchical_bootstrap",
    "holm",
    "mcnemar",
    "measure_calibration",
    "minimal_detectable_difference",
    "nemenyi_critical_difference",
    "paired_p_values",
    "percentile_interval",
    "proba_flaw",
    "top_label",
]
