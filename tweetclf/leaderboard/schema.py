"""What a record file must look like, before anything is made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tweetclf.exceptions import RecordError

__all__ = ["check_document"]

Test = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _optional(test: Test) -> Test:
    return lambda value: value is None or test(value)


def _list_of(test: Test) -> Test:
    return lambda value: isinstance(value, list) and all(map(test, value))


def _mapping_of(test: Test) -> Test:
    return lambda value: isinstance(value, Mapping) and all(map(test, value.values()))


def _one_of(*words: str) -> Test:
    return lambda value: isinstance(value, str) and value in words


_SCORE = _optional(_number)

_TASK: Mapping[str, Test] = {
    "name": _text,
    "version": _text,
    "language": _text,
    "kind": _text,
    "metric": _text,
    "metric_options": _mapping,
    "greater_is_better": _flag,
    "label_names": _list_of(_text),
    "data": _mapping_of(_text),
    "sizes": _mapping_of(_count),
    "n_shared": _count,
}
_PROTOCOL: Mapping[str, Test] = {
    "evaluation": _one_of("test", "cv", "dev"),
    "n_folds": _count,
    "grid": _flag,
    "refit_on_dev": _flag,
}
_SPEC: Mapping[str, Test] = {
    "task": _mapping,
    "system": _text,
    "target": _text,
    "arguments": _mapping,
    "grid": _optional(_mapping),
    "seed": _count,
    "protocol": _mapping,
    "version": _text,
}
# Only trials of a search have one.
_TRIAL: Mapping[str, Test] = {"trial": _optional(_mapping)}
_RECORD: Mapping[str, Test] = {
    "status": _one_of("finished", "failed"),
    "scores": _mapping_of(_mapping_of(_SCORE)),
    "fold_scores": _list_of(_SCORE),
    "selected": _optional(_mapping),
    "candidates": _list_of(_mapping),
    "cost": _optional(_mapping),
    "environment": _mapping,
    "warnings": _list_of(_text),
    "error": _optional(_text),
    "created": _text,
    "spec": _mapping,
}
_COST: Mapping[str, Test] = {
    "fit_seconds": _number,
    "select_seconds": _number,
    "predict_seconds": _number,
    "n_predicted": _count,
    "peak_memory": _SCORE,
    "model_bytes": _SCORE,
}
_ENVIRONMENT: Mapping[str, Test] = {
    "cores": _count,
    "memory_bytes": _count,
    "versions": _mapping,
}


def _check(
    found: Mapping[str, Any],
    schema: Mapping[str, Test],
    where: str,
    place: str,
    *,
    optional: bool = False,
) -> None:
    for key, test in schema.items():
        name = f"{where}{key}"
        if key not in found:
            if optional:
                continue
            raise RecordError(
                f"{place} is a damaged run record: {name!r} is missing. Delete the "
                "file to run it again."
            )
        if not test(found[key]):
            shown = repr(found[key])
            shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
            raise RecordError(
                f"{place} is a damaged run record: {name!r} is {shown}. Delete the "
                "file to run it again."
            )


def check_document(document: Mapping[str, Any], place: str) -> None:
    """Refuse a record file with missing values, or values of a wrong type.

    Parameters
    ----------
    document : mapping
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
    _check(spec, _TRIAL, "spec.", place, optional=True)
    _check(spec["task"], _TASK, "spec.task.", place)
    _check(spec["protocol"], _PROTOCOL, "spec.protocol.", place)
    _check(document["environment"], _ENVIRONMENT, "environment.", place, optional=True)
    if document["cost"] is not None:
        _check(document["cost"], _COST, "cost.", place)
    elif document["status"] == "finished":
        raise RecordError(
            f"{place} is a damaged run record: it is finished and has no cost. Delete "
            "the file to run it again."
        )
