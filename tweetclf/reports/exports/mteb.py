"""Results as the JSON of MTEB's ``TaskResult``."""

from __future__ import annotations

from typing import Any

from tweetclf.reports.exports.facts import Exported
from tweetclf.reports.formatting import finite

__all__ = ["mteb_result"]

# ISO 639-3 and ISO 15924, as MTEB writes languages.
_LANGUAGES = {
    "ar": "ara-Arab",
    "ca": "cat-Latn",
    "de": "deu-Latn",
    "en": "eng-Latn",
    "es": "spa-Latn",
    "eu": "eus-Latn",
    "fr": "fra-Latn",
    "gl": "glg-Latn",
    "hi": "hin-Deva",
    "it": "ita-Latn",
    "ja": "jpn-Jpan",
    "nl": "nld-Latn",
    "pt": "por-Latn",
}


def mteb_result(exported: Exported) -> dict[str, Any]:
    """Return the runs of a system on a task as MTEB stores results.

    Parameters
    ----------
    exported : Exported
        The runs.

    Returns
    -------
    dict
        Fields of ``TaskResult`` of mteb 2: ``task_name``, ``dataset_revision``,
        ``mteb_version``, ``scores`` (split -> one entry), ``evaluation_time``,
        ``kg_co2_emissions``, ``date``.

    Notes
    -----
    ``mteb_version`` is null: MTEB did not run. The task's name is ours, and its
    revision the registered version with the sha256 of the scored data. Of several
    seeds ``main_score`` is the mean, and ``scores_per_experiment`` holds each.
    ``evaluation_time`` is selection, training and prediction of all runs together.

    References
    ----------
    ``mteb/results/task_result.py``, class ``TaskResult``, of
    https://github.com/embeddings-benchmark/mteb.
    """
    board, entry = exported.board, exported.entry
    facts = board.facts
    language = facts.language.partition("-")[0]
    costs = [record.cost for record in entry.records if record.cost is not None]
    scores: dict[str, Any] = {
        "main_score": entry.score,
        "hf_subset": "default",
        # MTEB has no word for a language that is not known.
        "languages": [_LANGUAGES[language]] if language in _LANGUAGES else [],
        "metric": facts.metric,
        "greater_is_better": facts.greater_is_better,
        "interval_95": [finite(entry.low), finite(entry.high)],
        "n_samples": board.n_scored,
        "tweetclf_version": exported.spec.version,
        **{name: m for name, m in exported.means.items() if name != facts.metric},
        "scores_per_experiment": [
            {
                "seed": seed,
                **{name: values[i] for name, values in exported.metrics.items()},
            }
            for i, seed in enumerate(exported.seeds)
        ],
    }
    seconds = sum(c.select_seconds + c.fit_seconds + c.predict_seconds for c in costs)
    return {
        "dataset_revision": f"{facts.version}-sha256-{exported.data_sha256}",
        "task_name": facts.name,
        "mteb_version": None,
        "scores": {board.split: [scores]},
        "evaluation_time": finite(seconds),
        "kg_co2_emissions": None,
        "date": exported.created or None,
    }
