"""The public face of the battery: run it, list it, hand it to pytest."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from unittest import SkipTest

from tweetclf.testing import (
    _checks_api,
    _checks_behaviour,
    _checks_composition,
    _checks_errors,
    _checks_input,
    _checks_targets,
)
from tweetclf.testing._subject import MakeRows, Subject

__all__ = [
    "Check",
    "CheckFailedError",
    "CheckResult",
    "check_text_estimator",
    "parametrize_with_text_checks",
    "yield_checks",
]

_ROOMS = (
    _checks_api,
    _checks_input,
    _checks_targets,
    _checks_behaviour,
    _checks_errors,
    _checks_composition,
)


class CheckFailedError(AssertionError):
    """A check failed; the message names the check and the estimator."""


@dataclass(frozen=True)
class Check:
    """A named check, bound to the estimator it is for.

    Call it without arguments: it returns None, raises :class:`CheckFailedError`, or
    raises :class:`unittest.SkipTest` where it needs a package that is not installed.

    Parameters
    ----------
    name : str
        Name of the check, with the case in brackets.
    subject : Subject
        The estimator and the data it is checked with.
    function : callable
        What is run, with `subject`.
    """

    name: str
    subject: Subject
    function: Any

    def __call__(self) -> None:
        """Run the check."""
        try:
            with warnings.catch_warnings():
                # One check is about warnings, and listens for itself.
                warnings.simplefilter("ignore")
                self.function(self.subject)
        except SkipTest:
            raise
        except Exception as error:
            kind = "" if isinstance(error, AssertionError) else type(error).__name__
            raise CheckFailedError(
                f"{self.name} failed for {self.subject.name}: "
                f"{kind + ': ' if kind else ''}{error}"
            ) from error

    def __repr__(self) -> str:
        return f"<{self.name} for {self.subject.name}>"


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one check.

    Parameters
    ----------
    check, estimator : str
        Names of the check and of the estimator.
    status : {"passed", "skipped", "expected", "failed"}
        Outcome; "expected" is a failure that the caller expected.
    seconds : float
        Wall time.
    message : str, default=""
        Why it was skipped or failed.
    """

    check: str
    estimator: str
    status: str
    seconds: float
    message: str = ""


def _name_of(estimator: Any) -> str:
    steps = getattr(estimator, "steps", None)
    if steps:
        return f"{type(estimator).__name__}({', '.join(name for name, _ in steps)})"
    return type(estimator).__name__


def yield_checks(
    estimator: Any,
    *,
    kind: str = "classifier",
    name: str | None = None,
    make_rows: MakeRows | None = None,
) -> Iterator[Check]:
    """Yield the checks that apply to an estimator.

    Parameters
    ----------
    estimator : estimator
        An instance; every check works on a clone of it.
    kind : {"classifier", "regressor", "multilabel", "pair", "transformer", \
"rows"}, default="classifier"
        What it does. "pair" stands for estimators of text pairs, whose y is read
        off scikit-learn's estimator type; "rows" for those of rows of their own.
    name : str, optional
        Its name in messages; made of the class and step names by default.
    make_rows : callable, optional
        For the kind "rows": returns training rows, a list of 12 or more tuples of str,
        and a list of their targets. Any half of the rows must do to fit, the first
        should teach less than all, and in rows to predict the last str may be any.

    Yields
    ------
    Check
        Bound to the estimator; checks of one call share a fitted clone.
    """
    subject = Subject(estimator, kind, name or _name_of(estimator), make_rows)
    seen: set[str] = set()
    for room in _ROOMS:
        for check_name, function in room.checks(subject):
            # Two checks of one name would hide one another in every report.
            if check_name in seen:
                raise RuntimeError(f"the check {check_name} is defined twice")
            seen.add(check_name)
            yield Check(check_name, subject, function)


def check_text_estimator(
    estimator: Any,
    *,
    kind: str = "classifier",
    name: str | None = None,
    make_rows: MakeRows | None = None,
    expected_failures: Mapping[str, str] | None = None,
    on_fail: str = "raise",
) -> list[CheckResult]:
    """Run the whole battery on a text estimator.

    Parameters
    ----------
    estimator : estimator
        An instance, e.g. ``NBSVMClassifier()`` or a pipeline; it is cloned.
    kind : {"classifier", "regressor", "multilabel", "pair", "transformer", \
"rows"}, default="classifier"
        What it does. "pair" stands for estimators of text pairs, "rows" for those of
        rows of their own, for which fewer checks make sense: none of labels.
    name : str, optional
        Its name in messages; made of the class and step names by default.
    make_rows : callable, optional
        For the kind "rows": see :func:`yield_checks`.
    expected_failures : mapping of str to str, optional
        Names of checks that must fail, with the reason. One that passes is a
        failure: remove it from the mapping.
    on_fail : {"raise", "collect"}, default="raise"
        Stop at the first failure, or list it in the results.

    Returns
    -------
    list of CheckResult
        One a check, in the order in which they ran. "skipped" is a check of a
        container whose package is not installed.

    Raises
    ------
    CheckFailedError
        If a check fails and `on_fail` is "raise".

    Examples
    --------
    >>> from tweetclf.estimators import majority
    >>> from tweetclf.testing import check_text_estimator
    >>> results = check_text_estimator(majority(), on_fail="collect")
    >>> [result.check for result in results if result.status == "failed"]
    []
    >>> len(results) >= 80
    True

    Of rows that only the estimator understands, here questions and contexts:

    >>> def make_rows():
    ...     X = [("quién", f"es {name}") for name in ("Ana", "Eva") * 6]
    ...     return X, [(3, context[3:]) for _, context in X]
    >>> from tweetclf.estimators import TransformerQuestionAnswering
    >>> from tweetclf.testing import yield_checks
    >>> checks = yield_checks(
    ...     TransformerQuestionAnswering(), kind="rows", make_rows=make_rows)
    >>> "check_row_independence[predict]" in [check.name for check in checks]
    True
    """
    if on_fail not in ("raise", "collect"):
        raise ValueError(
            f"The 'on_fail' parameter must be 'raise' or 'collect'. Got {on_fail!r} "
            "instead."
        )
    expected = dict(expected_failures or {})
    results = []
    checks = yield_checks(estimator, kind=kind, name=name, make_rows=make_rows)
    for check in checks:
        reason = expected.pop(check.name, None)
        result = _run(check, reason)
        if result.status == "failed" and on_fail == "raise":
            raise CheckFailedError(result.message)
        results.append(result)
    if expected:
        raise ValueError(f"expected_failures names unknown checks: {sorted(expected)}.")
    return results


def _run(check: Check, reason: str | None) -> CheckResult:
    started = time.perf_counter()
    status, message = "passed", ""
    try:
        check()
    except SkipTest as skip:
        status, message = "skipped", str(skip)
    except CheckFailedError as failure:
        status, message = "failed", str(failure)
    if reason is not None and status == "failed":
        status, message = "expected", reason
    elif reason is not None and status == "passed":
        status = "failed"
        message = (
            f"{check.name} was expected to fail for {check.subject.name} ({reason}) "
            "and passes; remove it from expected_failures."
        )
    seconds = time.perf_counter() - started
    return CheckResult(check.name, check.subject.name, status, seconds, message)


def parametrize_with_text_checks(estimators: Iterable[Any]) -> Any:
    """Make a pytest decorator that runs the battery as one test a check.

    Parameters
    ----------
    estimators : iterable
        Estimators (classifiers then), or tuples ``(estimator, kind)``, ``(estimator,
        kind, name)`` or ``(estimator, kind, name, make_rows)``.

    Returns
    -------
    pytest.MarkDecorator
        Parametrizes the argument ``check`` of the decorated test, which has to call
        it.

    Examples
    --------
    >>> from tweetclf.estimators import nbsvm
    >>> from tweetclf.testing import parametrize_with_text_checks
    >>> @parametrize_with_text_checks([nbsvm()])
    ... def test_nbsvm(check):
    ...     check()
    """
    import pytest

    parameters = []
    for entry in estimators:
        given = entry if isinstance(entry, tuple) else (entry,)
        names = ("kind", "name", "make_rows")
        options = dict(zip(names, given[1:], strict=False))
        for check in yield_checks(given[0], **options):
            identifier = f"{check.subject.name}-{check.name}"
            parameters.append(pytest.param(check, id=identifier))
    return pytest.mark.parametrize("check", parameters)
