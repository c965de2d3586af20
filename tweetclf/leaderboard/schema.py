"""What a record file must look like, before anything is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tweetclf.exceptions import RecordError
from tweetclf.leaderboard.shapes import (
    Test,
    first_flaw,
    is_count,
    is_flag,
    is_mapping,
    is_number,
    is_text,
    list_of,
    mapping_of,
    one_of,
    optional,
)

__all__ = ["check_document"]

_SCORE = optional(is_number)

_TASK: Mapping[str, Test] = {
    "name": is_text,
    "version": is_text,
    "language": is_text,
    "kind": is_text,
    "metric": is_text,
    "metric_options": is_mapping,
    "greater_is_better": is_flag,
    "label_names": list_of(is_text),
    "data": mapping_of(is_text),
    "sizes": mapping_of(is_count),
    "n_shared": is_count,
}
_PROTOCOL: Mapping[str, Test] = {
    "evaluation": one_of("test", "cv", "dev"),
    "n_folds": is_count,
    "grid": is_flag,
    "refit_on_dev": is_flag,
}
_SPEC: Mapping[str, Test] = {
    "task": is_mapping,
    "system": is_text,
    "target": is_text,
    "arguments": is_mapping,
    "grid": optional(is_mapping),
    "seed": is_count,
    "protocol": is_mapping,
    "version": is_text,
}
# Only trials of a search have one.
_TRIAL: Mapping[str, Test] = {"trial": optional(is_mapping)}
_RECORD: Mapping[str, Test] = {
    "status": one_of("finished", "failed"),
    "scores": mapping_of(mapping_of(_SCORE)),
    "fold_scores": list_of(_SCORE),
    "selected": optional(is_mapping),
    "candidates": list_of(is_mapping),
    "cost": optional(is_mapping),
    "environment": is_mapping,
    "warnings": list_of(is_text),
    "error": optional(is_text),
    "created": is_text,
    "spec": is_mapping,
}
_COST: Mapping[str, Test] = {
    "fit_seconds": is_number,
    "select_seconds": is_number,
    "predict_seconds": is_number,
    "n_predicted": is_count,
    "peak_memory": _SCORE,
    "model_bytes": _SCORE,
}
_ENVIRONMENT: Mapping[str, Test] = {
    "cores": is_count,
    "memory_bytes": is_count,
    "versions": is_mapping,
}


def _check(
    found: Mapping[str, Any],
    schema: Mapping[str, Test],
    where: str,
    place: str,
    *,
    needed: bool = True,
) -> None:
    flaw = first_flaw(found, schema, where, needed=needed)
    if flaw:
        raise RecordError(
            f"{place} is a damaged run record: {flaw}. Delete the file to run it again."
        )


def check_document(document: Mapping[str, Any], place: str) -> None:
    """Refuse a record file with missing values, or values of a wrong type.

    Parameters
    ----------
    document : is_mapping
        The JSON object of the file.
    place : str
        The file, for messages.

    Raises
    ------
    RecordError
        With the name of the first bad value, and the remedy.
    """
    _check(document, _RECORD, "", place)
    spec = document["spec"]
    _check(spec, _SPEC, "spec.", place)
    _check(spec, _TRIAL, "spec.", place, needed=False)
    _check(spec["task"], _TASK, "spec.task.", place)
    _check(spec["protocol"], _PROTOCOL, "spec.protocol.", place)
    _check(document["environment"], _ENVIRONMENT, "environment.", place, needed=False)
    if document["cost"] is not None:
        _check(document["cost"], _COST, "cost.", place)
    elif document["status"] == "finished":
        raise RecordError(
            f"{place} is a damaged run record: it is finished and has no cost. Delete "
            "the file to run it again."
        )
