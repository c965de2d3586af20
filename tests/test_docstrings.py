"""Docstrings of public names describe what the signatures say."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pytest

PACKAGES = (
    "tweetclf",
    "tweetclf.analysis",
    "tweetclf.analysis.displays",
    "tweetclf.estimators",
    "tweetclf.exceptions",
    "tweetclf.features",
    "tweetclf.leaderboard",
    "tweetclf.leaderboard.budget",
    "tweetclf.leaderboard.statistics",
    "tweetclf.leaderboard.submission_formats",
    "tweetclf.leaderboard.submissions",
    "tweetclf.modules",
    "tweetclf.persistence",
    "tweetclf.preprocessing",
    "tweetclf.pretraining",
    "tweetclf.pretraining.corpus",
    "tweetclf.reports",
    "tweetclf.reports.displays",
    "tweetclf.reports.exports",
    "tweetclf.social",
    "tweetclf.social",
    "tweetclf.tasks",
    "tweetclf.tasks.published",
    "tweetclf.testing",
    "tweetclf.training",
)


def _public() -> list[tuple[str, Any]]:
    found = {}
    for name in PACKAGES:
        module = importlib.import_module(name)
        for attribute in module.__all__:
            thing = getattr(module, attribute)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                found[f"{thing.__module__}.{thing.__qualname__}"] = thing
    return sorted(found.items())


def _methods(thing: Any) -> list[tuple[str, Any]]:
    if not inspect.isclass(thing):
        return []
    return [
        (name, method)
        for name, method in vars(thing).items()
        if not name.startswith("_") and inspect.isfunction(inspect.unwrap(method))
    ]


def _section(doc: str, title: str) -> str:
    match = re.search(
        rf"^{title}\n-+\n(.*?)(?=^\w[\w ]+\n-{{3,}}\n|\Z)",
        doc,
        re.MULTILINE | re.DOTALL,
    )
    return match[1] if match else ""


def _described(doc: str) -> set[str]:
    names: set[str] = set()
    for title in ("Parameters", "Other Parameters"):
        for line in _section(doc, title).splitlines():
            if line and not line[0].isspace():
                names |= {
                    n.strip().lstrip("*") for n in line.split(" : ")[0].split(",")
                }
    return names


def _declared(thing: Any) -> set[str]:
    # A protocol is never made; its signature says *args and **kwargs.
    if getattr(thing, "_is_protocol", False):
        return set()
    parameters = inspect.signature(thing).parameters
    return {name for name in parameters if name not in {"self", "cls"}}


PUBLIC = _public()


@pytest.mark.parametrize(("name", "thing"), PUBLIC, ids=[name for name, _ in PUBLIC])
def test_parameters_are_described(name: str, thing: Any) -> None:
    doc = inspect.getdoc(thing)
    assert doc, f"{name} has no docstring"
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        return
    described, declared = _described(doc), _declared(thing)
    if inspect.isclass(thing) and not declared:
        return
    assert described == declared, f"{name}: {sorted(described ^ declared)}"


@pytest.mark.parametrize(("name", "thing"), PUBLIC, ids=[name for name, _ in PUBLIC])
def test_public_methods_have_docstrings(name: str, thing: Any) -> None:
    for method, function in _methods(thing):
        assert inspect.getdoc(function), f"{name}.{method} has no docstring"


ESTIMATORS = [
    (name, thing)
    for name, thing in PUBLIC
    if inspect.isclass(thing) and hasattr(thing, "get_params")
]


@pytest.mark.parametrize(
    ("name", "thing"), ESTIMATORS, ids=[name for name, _ in ESTIMATORS]
)
def test_estimators_have_examples_and_few_parameters(name: str, thing: Any) -> None:
    doc = inspect.getdoc(thing) or ""
    assert ">>>" in _section(doc, "Examples"), f"{name} shows no example"
    # A drop-in for scikit-learn's vectorizers has theirs, 21 of them.
    limit = 21 if thing.__name__ == "NgramTfidfVectorizer" else 20
    assert len(_declared(thing)) <= limit
