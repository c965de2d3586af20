"""Run records for other tools: MTEB's results, the Hub's results and model cards."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.reports.exports.card import model_card
    from tweetclf.reports.exports.facts import Exported, all_exported
    from tweetclf.reports.exports.hub import (
        HubDataset,
        eval_results,
        hub_dataset,
        model_index,
    )
    from tweetclf.reports.exports.mteb import mteb_result
    from tweetclf.reports.exports.writing import EXPORTS, export_runs

_MODULES = {
    "card": ("model_card",),
    "facts": ("Exported", "all_exported"),
    "hub": ("HubDataset", "eval_results", "hub_dataset", "model_index"),
    "mteb": ("mteb_result",),
    "writing": ("EXPORTS", "export_runs"),
}

__getattr__, __dir__, _names = attach(
    __name__,
    {
        name: f"tweetclf.reports.exports.{module}"
        for module, names in _MODULES.items()
        for name in names
    },
)

__all__ = [
    "EXPORTS",
    "Exported",
    "HubDataset",
    "all_exported",
    "eval_results",
    "export_runs",
    "hub_dataset",
    "model_card",
    "model_index",
    "mteb_result",
]
