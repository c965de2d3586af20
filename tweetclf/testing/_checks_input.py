"""Checks of X: containers, hostile tweets, items and containers to refuse."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any
from unittest import SkipTest

import numpy as np

from tweetclf.testing._data import (
    BAD_ITEMS,
    HOSTILE,
    PAIR_CONTAINERS,
    TEXT_CONTAINERS,
)
from tweetclf.testing._subject import Subject, assert_refused, assert_same

__all__ = ["checks", "require"]

# Places of a text in a batch may change the last bits of a sum.
_ROUNDING = 1e-6


def checks(subject: Subject) -> Iterator[tuple[str, Callable[[Subject], None]]]:
    """Yield the names and functions of the checks in this module."""
    for name in _containers(subject):
        yield f"check_text_containers[{name}]", partial(check_container, name=name)
    for name in HOSTILE:
        yield f"check_hostile_text[{name}]", partial(check_hostile, name=name)
    if subject.target != "own":
        yield "check_fit_on_hostile_texts", check_fit_on_hostile
    for name in BAD_ITEMS:
        yield f"check_bad_item[{name}]", partial(check_bad_item, name=name)
    for name in _bad_containers(subject):
        yield f"check_bad_container[{name}]", partial(check_bad_container, name=name)
    yield "check_input_not_changed", check_input_not_changed


def _containers(subject: Subject) -> Mapping[str, Any]:
    """Return the containers of X: what they need, and what makes them of a list."""
    if subject.target == "own":
        # How many columns there are, and their names, the estimator alone knows.
        return {k: made for k, made in PAIR_CONTAINERS.items() if made[0] is None}
    return PAIR_CONTAINERS if subject.pairs else TEXT_CONTAINERS


def require(package: str | None) -> None:
    """Skip a check whose optional package is not installed."""
    if package is not None and importlib.util.find_spec(package) is None:
        raise SkipTest(f"{package} is not installed")


def check_container(subject: Subject, name: str) -> None:
    """Check that the container gives the same model and predictions as a list."""
    package, build = _containers(subject)[name]
    require(package)
    fitted = subject.fit(X=build(subject.X))
    expected = subject.outputs(subject.fitted)
    for method, output in subject.outputs(fitted).items():
        assert_same(output, expected[method], f"{method} after fit on {name}")
    for method, output in subject.outputs(subject.fitted, build(subject.X_new)).items():
        assert_same(output, expected[method], f"{method} of {name}")


def _n_rows(output: Any) -> int:
    return int(output.shape[0]) if hasattr(output, "shape") else len(output)


def check_hostile(subject: Subject, name: str) -> None:
    """Check that a hostile tweet gets an answer and leaves its neighbours' alone."""
    text, tame = subject.of([HOSTILE[name]]), subject.X_new[:3]
    together = subject.outputs(subject.fitted, [*tame, *text])
    alone = subject.outputs(subject.fitted, text)
    quiet = subject.outputs(subject.fitted, tame)
    for method, output in together.items():
        assert _n_rows(output) == 4, f"{method} of 4 texts gives {_n_rows(output)} rows"
        assert_same(output[:3], quiet[method], f"{method} beside {name}", _ROUNDING)
        assert_same(output[3:], alone[method], f"{method} of {name}", _ROUNDING)
        _assert_finite(output, method)


def _assert_finite(output: Any, method: str) -> None:
    values = getattr(output, "data", output) if hasattr(output, "tocsr") else output
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        assert np.isfinite(values).all(), f"{method} gives NaN or infinity"


def check_fit_on_hostile(subject: Subject) -> None:
    """Check that training texts may be hostile too."""
    hostile = subject.of(list(HOSTILE.values()))
    n = min(len(hostile), len(subject.X))
    y = [*subject.y, *subject.y[:n]]
    estimator = subject.fit([*subject.X, *hostile[:n]], np.asarray(y))
    assert _n_rows(subject.output(estimator, hostile)) == len(hostile)


def check_bad_item(subject: Subject, name: str) -> None:
    """Check that an item that is no text is refused, with its index."""
    require("pandas" if name.startswith("pandas") else None)
    item = BAD_ITEMS[name]()
    bad: Any = list(subject.X)
    pattern = r"\[3\]"
    if not isinstance(bad[3], str):
        pattern += rf"\[{len(bad[3]) - 1}\]"
        item = (*bad[3][:-1], item)
    bad[3] = item
    assert_refused(lambda: subject.fit(X=bad), pattern, f"fit with {name} at index 3")
    assert_refused(
        lambda: subject.output(subject.fitted, bad),
        pattern,
        f"{'predict' if subject.predicts else 'transform'} with {name} at index 3",
    )


def _bad_containers(subject: Subject) -> dict[str, Callable[[list[Any]], Any]]:
    """Return what X must not be, as functions of the training X."""
    bad: dict[str, Callable[[list[Any]], Any]] = {
        "str": lambda X: "un solo tuit",
        "bytes": lambda X: b"un solo tuit",
        "dict": lambda X: {"text": X},
        "set": lambda X: set(X),
        "generator": lambda X: (x for x in X),
        "scalar-array": lambda X: np.array("un solo tuit"),
        "int": lambda X: len(X),
        "None": lambda X: None,
        "numbers": lambda X: np.zeros((len(X), 1)),
        "cube": lambda X: np.array([[["a", "b"]]] * len(X), object),
    }
    if subject.target == "own":
        bad["flat-list"] = lambda X: [row[-1] for row in X]
        return bad
    bad["three-columns"] = lambda X: np.array([["a", "b", "c"]] * len(X), object)
    if subject.pairs:
        bad["flat-list"] = lambda X: [text for _, text in X]
        bad["one-column"] = lambda X: np.array([[b] for _, b in X], object)
        bad["triples"] = lambda X: [(a, b, b) for a, b in X]
    else:
        bad["two-columns"] = lambda X: np.array([[x, x] for x in X], object)
        bad["two-column-frame"] = _two_column_frame
        bad["list-of-lists"] = lambda X: [[x] for x in X]
    return bad


def _two_column_frame(X: list[Any]) -> Any:
    require("pandas")
    return importlib.import_module("pandas").DataFrame({"id": X, "text": X})


def check_bad_container(subject: Subject, name: str) -> None:
    """Check that what is no sequence of texts is refused by fit and predict."""
    build = _bad_containers(subject)[name]
    pattern = (
        r"text|pair|str\b|string|sequence|1-D|column|shape|iterable|None|"
        r"required|Expected|rows"
    )
    assert_refused(lambda: subject.fit(X=build(subject.X)), pattern, f"fit on {name}")
    assert_refused(
        lambda: subject.output(subject.fitted, build(subject.X)),
        pattern,
        f"{'predict' if subject.predicts else 'transform'} of {name}",
    )


def check_input_not_changed(subject: Subject) -> None:
    """Check that neither fit nor predict changes what it is given."""
    X, y = list(subject.pristine), subject.targets
    frozen_y = copy.deepcopy(y)
    estimator = subject.fit(X, y)
    subject.outputs(estimator, X)
    assert tuple(X) == subject.pristine, "X was changed in place"
    assert_same(y, frozen_y, "y after fit")
