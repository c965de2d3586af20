"""Results as the Hugging Face Hub reads them: ``.eval_results`` and ``model-index``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tweetclf.reports.exports.facts import Exported
from tweetclf.reports.formatting import make_safe

__all__ = ["HubDataset", "eval_results", "hub_dataset", "model_index"]


@dataclass(frozen=True)
class HubDataset:
    """Where a task's data are on the Hub.

    Parameters
    ----------
    id : str
        Dataset, ``"owner/name"``.
    task_id : str
        Task within it: of ``eval.yaml``, or the name of the configuration.
    """

    id: str
    task_id: str


# The copies that the authors of the data keep there.
_KNOWN = {
    f"tweeteval-{name}": HubDataset("cardiffnlp/tweet_eval", name)
    for name in ("emoji", "emotion", "hate", "irony", "offensive", "sentiment")
}

# Our formula -> metric of https://huggingface.co/metrics, where it has one.
_METRICS = {
    "mcc": "matthews_correlation",
    "pearson": "pearsonr",
    "spearman": "spearmanr",
}


def hub_dataset(task: str) -> HubDataset | None:
    """Return where the data of a registered task are on the Hub, where that is known.

    Parameters
    ----------
    task : str
        Name of the task.

    Returns
    -------
    HubDataset or None
        The dataset and the configuration; None where it is not known.

    Examples
    --------
    >>> from tweetclf.reports.exports import hub_dataset
    >>> hub_dataset("tweeteval-irony")
    HubDataset(id='cardiffnlp/tweet_eval', task_id='irony')
    """
    return _KNOWN.get(task)


def metric_id(signature: str) -> str:
    """Return the Hub's name of a metric."""
    formula = signature.partition("|")[0]
    return _METRICS.get(formula, formula)


def eval_results(
    exported: Exported, dataset: HubDataset, *, source_url: str | None = None
) -> list[dict[str, Any]]:
    """Return the content of a file of ``.eval_results/``.

    Parameters
    ----------
    exported : Exported
        The runs.
    dataset : HubDataset
        Where the data are on the Hub.
    source_url : str, optional
        Page with the records, shown beside the score.

    Returns
    -------
    list of dict
        One entry: ``dataset`` (``id``, ``task_id``), ``value``, ``date``, ``notes`` and
        perhaps ``source``.

    References
    ----------
    https://huggingface.co/docs/hub/eval-results and ``eval_results.yaml`` of
    https://github.com/huggingface/hub-docs.
    """
    entry: dict[str, Any] = {
        "dataset": {"id": dataset.id, "task_id": dataset.task_id},
        "value": exported.entry.score,
    }
    if exported.created:
        entry["date"] = exported.created
    if source_url:
        entry["source"] = {"url": source_url, "name": "tweetclf run records"}
    facts = exported.board.facts
    entry["notes"] = make_safe(
        f"{exported.score_text}; {facts.metric}; {facts.name} {facts.version}, sha256 "
        f"{exported.data_sha256}; tweetclf {exported.spec.version}"
    )
    return [entry]


def model_index(
    exported: Exported, dataset: HubDataset | None, name: str
) -> list[dict[str, Any]]:
    """Return the ``model-index`` of a model card.

    Parameters
    ----------
    exported : Exported
        The runs.
    dataset : HubDataset or None
        Where the data are on the Hub; without, the task is named by our name.
    name : str
        Name of the model.

    Returns
    -------
    list of dict
        One model with one result: task, dataset, metrics, the official one first.

    References
    ----------
    ``modelcard.md`` of https://github.com/huggingface/hub-docs.
    """
    facts, split = exported.board.facts, exported.board.split
    about: dict[str, Any] = {
        "type": dataset.id if dataset else facts.name,
        "name": f"{facts.name} {facts.version}",
    }
    if dataset:
        about["config"] = dataset.task_id
    about["split"] = split if split == "test" else "train"
    metrics = []
    for signature, value in exported.means.items():
        if value is not None:
            name_of = f"{signature}{' by cross-validation' if split == 'cv' else ''}"
            metrics.append(
                {
                    "type": metric_id(signature),
                    "value": value,
                    "name": make_safe(name_of),
                }
            )
    result = {
        "task": {"type": "text-classification", "name": "Text classification"},
        "dataset": {key: make_safe(value) for key, value in about.items()},
        "metrics": metrics,
    }
    return [{"name": make_safe(name), "results": [result]}]
