"""Checks of the estimator contract: parameters, copies, storage, scikit-learn's own."""

from __future__ import annotations

import ast
import copy
import pickle
import re
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import SkipTest

import joblib
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError

from tweetclf.exceptions import ModelFormatError
from tweetclf.testing._subject import Subject, assert_refused, assert_same

__all__ = ["checks"]

# scikit-learn's checks that never touch X, so that they hold for text as they are.
_BORROWED = (
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_mixin_order",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
)


def checks(subject: Subject) -> Iterator[tuple[str, Callable[[Subject], None]]]:
    """Yield the names and functions of the checks in this module."""
    for name in _BORROWED:
        yield f"sklearn:{name}", partial(check_borrowed, name=name)
    yield "check_kind", check_kind
    yield "check_fit_returns_self", check_fit_returns_self
    yield "check_clone_keeps_parameters", check_clone_keeps_parameters
    yield "check_clone_of_fitted_is_unfitted", check_clone_of_fitted
    yield "check_params_round_trip", check_params_round_trip
    yield "check_unknown_parameter_refused", check_unknown_parameter
    yield "check_repr_short", check_repr_short
    yield "check_fit_keeps_parameters", check_fit_keeps_parameters
    yield "check_fitted_attribute_names", check_fitted_attribute_names
    yield "check_deepcopy_fitted", check_deepcopy
    yield "check_pickle[unfitted]", check_pickle_unfitted
    for protocol in (2, pickle.HIGHEST_PROTOCOL):
        yield (
            f"check_pickle[fitted-protocol-{protocol}]",
            partial(check_pickle_fitted, protocol=protocol),
        )
    if _is_ours(subject.estimator):
        yield "check_persistence_output", check_persistence_output
        yield "check_persistence_parameters", check_persistence_parameters
        yield "check_persistence_refit", check_persistence_refit
    if subject.requires_fit:
        for method in subject.methods(subject.estimator):
            yield (
                f"check_not_fitted_error[{method}]",
                partial(check_not_fitted, method=method),
            )
        if hasattr(subject.estimator, "score"):
            yield (
                "check_not_fitted_error[score]",
                partial(check_not_fitted, method="score"),
            )


def _is_ours(estimator: Any) -> bool:
    """Tell whether all types are of packages that persistence stores types of."""
    nested = [estimator, *estimator.get_params(deep=True).values()]
    roots = {
        type(value).__module__.partition(".")[0]
        for value in nested
        if hasattr(value, "get_params")
    }
    return roots <= {"imblearn", "sklearn", "tweetclf"}


def check_borrowed(subject: Subject, name: str) -> None:
    """Check that one of scikit-learn's own checks holds."""
    # A public module, if undocumented; imported late because it is slow.
    from sklearn.utils import estimator_checks

    getattr(estimator_checks, name)(subject.name, subject.clone())


def check_kind(subject: Subject) -> None:
    """Check that the estimator type is the one the battery was told."""
    estimator = subject.estimator
    if subject.target in ("classes", "indicator"):
        assert is_classifier(estimator), "is_classifier(estimator) is False"
    elif subject.target == "numbers":
        assert is_regressor(estimator), "is_regressor(estimator) is False"
    elif subject.target == "own":
        assert hasattr(estimator, "predict"), "the estimator has no predict"
    else:
        assert hasattr(estimator, "transform"), "the transformer has no transform"


def check_fit_returns_self(subject: Subject) -> None:
    """Check that ``fit`` returns the estimator it was called on."""
    estimator = subject.clone()
    assert estimator.fit(subject.X, subject.y) is estimator, "fit did not return self"


def _plain_params(estimator: Any) -> dict[str, str]:
    """Return the deep parameters as hashes; nested estimators count by type."""
    return {
        name: type(value).__name__ if hasattr(value, "get_params") else _hash(value)
        for name, value in estimator.get_params(deep=True).items()
    }


def _hash(value: Any) -> str:
    if isinstance(value, list | tuple) and "Estimator" not in repr(type(value)):
        parts = [
            type(v).__name__ if hasattr(v, "get_params") else _hash(v) for v in value
        ]
        return f"{type(value).__name__}({', '.join(parts)})"
    return str(joblib.hash(value))


def check_clone_keeps_parameters(subject: Subject) -> None:
    """Check that a clone has equal parameters, and nested estimators are copies."""
    a, b = subject.clone(), subject.clone()
    assert_same(_plain_params(a), _plain_params(b), "parameters of two clones")
    for name, value in a.get_params(deep=True).items():
        if hasattr(value, "get_params") and not isinstance(value, type):
            other = b.get_params(deep=True)[name]
            assert other is not value, f"two clones share the estimator {name!r}"


def check_clone_of_fitted(subject: Subject) -> None:
    """Check that a clone of a fitted estimator knows nothing of the fit."""
    estimator = clone(subject.fitted)
    fitted = [name for name in vars(estimator) if name.endswith("_")]
    assert not fitted, f"the clone of a fitted estimator has {fitted}"


def check_params_round_trip(subject: Subject) -> None:
    """Check that ``set_params(**get_params())`` changes nothing and returns self."""
    estimator = subject.clone()
    before = _plain_params(estimator)
    returned = estimator.set_params(**estimator.get_params(deep=False))
    assert returned is estimator, "set_params did not return self"
    assert_same(_plain_params(estimator), before, "parameters after set_params")


def check_unknown_parameter(subject: Subject) -> None:
    """Check that a misspelt parameter is refused by name."""
    assert_refused(
        lambda: subject.clone().set_params(no_such_parameter=1),
        "no_such_parameter",
        "set_params(no_such_parameter=1)",
    )


def check_repr_short(subject: Subject) -> None:
    """Check that the repr fits a page, holds no addresses and reads as Python."""
    text = repr(subject.clone())
    n_characters = len("".join(text.split()))
    assert n_characters <= 1000, f"the repr has {n_characters} characters"
    assert not re.search(r" at 0x[0-9a-f]+", text), f"the repr has an address: {text}"
    assert text.startswith(type(subject.estimator).__name__), f"the repr is {text}"
    if "..." not in text:  # scikit-learn shortens long ones so
        ast.parse(text, mode="eval")


def check_fit_keeps_parameters(subject: Subject) -> None:
    """Check that ``fit`` changes no parameter and fits no estimator it was given."""
    estimator = subject.clone()
    before = _plain_params(estimator)
    shallow = estimator.get_params(deep=False)
    estimator.fit(subject.X, subject.y)
    assert_same(_plain_params(estimator), before, "parameters after fit")
    if hasattr(estimator, "steps"):
        return  # scikit-learn's pipelines fit their steps in place
    for name, value in estimator.get_params(deep=False).items():
        assert shallow[name] is value, f"fit replaced the parameter {name!r}"
        if hasattr(value, "get_params") and not isinstance(value, type):
            fitted = [key for key in vars(value) if key.endswith("_")]
            assert not fitted, f"fit fitted the parameter {name!r} itself: {fitted}"


def check_fitted_attribute_names(subject: Subject) -> None:
    """Check that what ``fit`` sets is private or ends in an underscore."""
    estimator = subject.clone()
    before = set(vars(estimator))
    estimator.fit(subject.X, subject.y)
    new = set(vars(estimator)) - before
    bad = sorted(n for n in new if not n.endswith("_") and not n.startswith("_"))
    assert not bad, f"fit set {bad}; fitted attributes end in an underscore"


def _assert_same_outputs(subject: Subject, other: Any, what: str) -> None:
    mine, theirs = subject.outputs(subject.fitted), subject.outputs(other)
    for method, output in mine.items():
        assert_same(theirs.get(method), output, f"{method} {what}")


def check_deepcopy(subject: Subject) -> None:
    """Check that a deep copy of a fitted estimator gives bit-equal outputs."""
    _assert_same_outputs(subject, copy.deepcopy(subject.fitted), "of a deep copy")


def check_pickle_unfitted(subject: Subject) -> None:
    """Check that an unpickled prototype fits to bit-equal outputs."""
    estimator = pickle.loads(pickle.dumps(subject.clone()))
    fitted = estimator.fit(subject.X, subject.y)
    _assert_same_outputs(subject, fitted, "of an unpickled, then fitted estimator")


def check_pickle_fitted(subject: Subject, protocol: int) -> None:
    """Check that an unpickled fitted estimator gives bit-equal outputs."""
    data = pickle.dumps(subject.fitted, protocol=protocol)
    _assert_same_outputs(subject, pickle.loads(data), "after pickling")


def _save_and_load(subject: Subject, folder: str) -> Any:
    from tweetclf.persistence import load, save

    path = Path(folder) / "model"
    try:
        save(subject.fitted, path)
    except ModelFormatError as error:
        # A type of scikit-learn that is not on the list of those it stores.
        raise SkipTest(f"tweetclf.persistence does not store it: {error}") from error
    return load(path)


def check_persistence_output(subject: Subject) -> None:
    """Check that a saved and loaded estimator gives bit-equal outputs."""
    with tempfile.TemporaryDirectory() as folder:
        loaded = _save_and_load(subject, folder)
    assert type(loaded) is type(subject.fitted), f"loaded a {type(loaded).__name__}"
    _assert_same_outputs(subject, loaded, "after saving and loading")


def check_persistence_parameters(subject: Subject) -> None:
    """Check that a saved and loaded estimator has the same parameters."""
    with tempfile.TemporaryDirectory() as folder:
        loaded = _save_and_load(subject, folder)
    names, expected = (
        {name: repr(value) for name, value in estimator.get_params(deep=True).items()}
        for estimator in (loaded, subject.fitted)
    )
    assert_same(names, expected, "parameters after saving and loading")


def check_persistence_refit(subject: Subject) -> None:
    """Check that a loaded estimator can be cloned and fitted anew."""
    with tempfile.TemporaryDirectory() as folder:
        loaded = _save_and_load(subject, folder)
    refitted = clone(loaded).fit(subject.X, subject.y)
    _assert_same_outputs(subject, refitted, "of a loaded, then refitted estimator")


def check_not_fitted(subject: Subject, method: str) -> None:
    """Check that an unfitted estimator raises NotFittedError."""
    call = getattr(subject.clone(), method)
    arguments = (subject.X, subject.y) if method == "score" else (subject.X,)
    try:
        call(*arguments)
    except NotFittedError:
        return
    except Exception as error:
        raise AssertionError(
            f"{method} of an unfitted estimator must raise NotFittedError; it raised "
            f"{type(error).__name__}: {error}"
        ) from error
    raise AssertionError(f"{method} of an unfitted estimator did not raise")
