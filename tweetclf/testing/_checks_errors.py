"""Checks of degenerate data: it gets an answer or an error that says what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from tweetclf.testing._subject import Subject, assert_refused

__all__ = ["checks"]


_NOTHING = r"empty|\b0\b|at least|no (texts|samples)"


def checks(subject: Subject) -> Iterator[tuple[str, Callable[[Subject], None]]]:
    """Yield the names and functions of the checks in this module."""
    yield "check_empty_fit", check_empty_fit
    yield "check_empty_predict", check_empty_predict
    yield "check_empty_alike", check_empty_alike
    if subject.target != "own":
        yield "check_empty_vocabulary", check_empty_vocabulary
    yield "check_one_sample", check_one_sample
    yield "check_failed_fit_is_clear_after", check_recovers
    if not subject.predicts:
        return
    yield "check_lengths_differ", check_lengths_differ
    yield "check_y_none", check_y_none
    yield "check_y_scalar", check_y_scalar
    if subject.target == "own":
        return
    for name in ("nan", "none"):
        yield f"check_y_missing[{name}]", partial(check_y_missing, name=name)
    if subject.target == "classes":
        yield "check_one_class", check_one_class
        yield "check_y_continuous", check_y_continuous
        yield "check_y_two_columns", check_y_two_columns
    if subject.target == "numbers":
        yield "check_y_infinite", check_y_infinite
        yield "check_y_words", check_y_words


def _answers_or_refuses(call: Callable[[], Any], pattern: str, what: str) -> Any:
    """Return the result of `call`, or None after a ValueError that helps."""
    try:
        return call()
    except (ValueError, TypeError):
        assert_refused(call, pattern, what)
    except Exception as error:
        raise AssertionError(
            f"{what} must work or raise a ValueError; it raised "
            f"{type(error).__name__}: {error}"
        ) from error
    return None


def check_empty_fit(subject: Subject) -> None:
    """Check that no training texts are refused (unless there is nothing to fit)."""
    call = partial(subject.fit, *subject.part([]))
    pattern = r"empty|\b0\b|at least|no (texts|samples|terms)"
    if subject.requires_fit:
        assert_refused(call, pattern, "fit on an empty list")
    else:
        _answers_or_refuses(call, pattern, "fit on an empty list")


def check_empty_predict(subject: Subject) -> None:
    """Check that predicting no texts gives no predictions, or an error that says so."""
    output = _answers_or_refuses(
        lambda: subject.output(subject.fitted, []),
        _NOTHING,
        "predict of an empty list",
    )
    if output is not None:
        n_rows = output.shape[0] if hasattr(output, "shape") else len(output)
        assert n_rows == 0, f"{n_rows} predictions for no texts"


def check_empty_alike(subject: Subject) -> None:
    """Check that of no texts all methods give no rows, or all refuse to go on."""
    outcomes = {}
    for method in subject.methods():
        try:
            output = getattr(subject.fitted, method)([])
        except (ValueError, TypeError) as error:
            helps = re.search(_NOTHING, str(error), flags=re.IGNORECASE)
            outcomes[method] = "refused" if helps else f"refused with: {error}"
        else:
            n_rows = output.shape[0] if hasattr(output, "shape") else len(output)
            outcomes[method] = f"answered with {n_rows} rows"
    found = set(outcomes.values())
    assert found in ({"refused"}, {"answered with 0 rows"}), f"no texts: {outcomes}"


def check_empty_vocabulary(subject: Subject) -> None:
    """Check that training texts without any words are refused, or are no matter."""
    X = subject.of([""] * len(subject.X))
    fitted = _answers_or_refuses(
        lambda: subject.fit(X),
        r"empty|vocabulary|no (terms?|tokens?|words?|texts?)|min_df",
        "fit on empty texts",
    )
    if fitted is not None:
        output = subject.output(fitted, X[:2])
        assert (output.shape[0] if hasattr(output, "shape") else len(output)) == 2


def check_one_sample(subject: Subject) -> None:
    """Check that fitting on one text works, or the error says what is missing."""
    fitted = _answers_or_refuses(
        lambda: subject.fit(*subject.part([0])),
        r"class|sample|text|min_df|\b1\b|\bone\b|label",
        "fit on one text",
    )
    if fitted is not None:
        subject.output(fitted, subject.X[:2])


def check_recovers(subject: Subject) -> None:
    """Check that after a refused fit, a good one works."""
    estimator = subject.clone()
    bad: Any = [*subject.X[:-1], None]
    assert_refused(lambda: estimator.fit(bad, subject.y), r"\[", "fit with None")
    estimator.fit(subject.X, subject.y)
    subject.output(estimator, subject.X_new)


def check_lengths_differ(subject: Subject) -> None:
    """Check that texts and labels of different number are refused."""
    assert_refused(
        lambda: subject.fit(y=subject.targets[:-1]),
        r"inconsistent|length|number|\d+ (texts|rows)",
        "fit with one label less than texts",
    )


def check_y_none(subject: Subject) -> None:
    """Check that supervised estimators refuse to be fitted without y, and say so."""
    estimator = subject.clone()
    assert_refused(
        lambda: estimator.fit(subject.X, None), r"\by\b|None|target|label", "y=None"
    )


def check_y_scalar(subject: Subject) -> None:
    """Check that one label for all texts is refused."""
    y = subject.targets[0]
    if subject.target != "own":
        y = np.reshape(y, -1)[0]
    assert_refused(
        lambda: subject.fit(y=y),
        r"\by\b|1-?d|len\(\)|scalar|0d|target|label|collection|shape|array-like",
        "a single label as y",
    )


def check_y_missing(subject: Subject, name: str) -> None:
    """Check that a missing label is refused."""
    y = np.asarray(subject.y).astype(object)
    y.flat[3] = float("nan") if name == "nan" else None
    if name == "nan" and subject.target != "classes":
        y = y.astype(float)
    assert_refused(
        lambda: subject.fit(y=y),
        r"nan|None|missing|unknown label type|mix of|uniformly|float\(\)|indicator|"
        r"0 and 1",
        f"{name} among the labels",
    )


def check_one_class(subject: Subject) -> None:
    """Check that one class is always predicted, or refused with a reason."""
    fitted = _answers_or_refuses(
        lambda: subject.fit(y=["sola"] * len(subject.X)), "class", "y of one class"
    )
    if fitted is not None:
        assert set(fitted.predict(subject.X_new)) == {"sola"}, "another class appears"


def check_y_continuous(subject: Subject) -> None:
    """Check that a classifier refuses measurements as labels."""
    y = np.linspace(0.1, 0.9, len(subject.X))
    assert_refused(
        lambda: subject.fit(y=y), "continuous|Unknown label type", "continuous y"
    )


def check_y_two_columns(subject: Subject) -> None:
    """Check that a classifier of one label refuses two columns of words."""
    y = np.column_stack([subject.y, subject.y])
    assert_refused(
        lambda: subject.fit(y=y),
        r"1-?d|shape|multioutput|multi-?label|indicator|bad input|supported",
        "y of two columns",
    )


def check_y_infinite(subject: Subject) -> None:
    """Check that an infinite target is refused."""
    y = np.array(subject.y, dtype=float)
    y[3] = np.inf
    assert_refused(lambda: subject.fit(y=y), r"\binf", "an infinite target")


def check_y_words(subject: Subject) -> None:
    """Check that words are no regression targets."""
    assert_refused(
        lambda: subject.fit(y=list(subject.words)),
        r"float|numeric|number|convert|continuous",
        "words as regression targets",
    )
