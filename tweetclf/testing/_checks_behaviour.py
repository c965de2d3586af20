"""Checks of how fit and predict behave: independence, determinism, side effects."""

from __future__ import annotations

import contextlib
import io
import random
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import joblib
import numpy as np
from scipy import sparse

from tweetclf.testing._subject import Subject, assert_same

__all__ = ["checks"]

_ROUNDING = 1e-6


def checks(subject: Subject) -> Iterator[tuple[str, Callable[[Subject], None]]]:
    """Yield the names and functions of the checks in this module."""
    for method in subject.methods(subject.estimator):
        yield f"check_row_independence[{method}]", partial(check_rows, method=method)
        yield f"check_order_invariance[{method}]", partial(check_order, method=method)
    yield "check_repeated_texts_agree", check_repeated_texts
    yield "check_predict_repeats", check_predict_repeats
    yield "check_large_batch", check_large_batch
    yield "check_predict_keeps_state", check_predict_keeps_state
    yield "check_fit_twice_is_the_same", check_fit_twice
    yield "check_refit_overwrites", check_refit_overwrites
    yield "check_same_seed_reproduces", check_same_seed
    if subject.predicts:
        yield "check_fit_order", check_fit_order
    yield "check_clones_are_independent", check_clones_independent
    yield "check_global_random_state[fit]", check_random_state_of_fit
    yield "check_global_random_state[predict]", check_random_state_of_predict
    yield "check_global_random_state[is-not-used]", check_random_state_not_used
    yield "check_no_warnings", check_no_warnings
    yield "check_no_printing", check_no_printing
    yield "check_threads", check_threads
    yield "check_processes", check_processes
    if not subject.predicts:
        yield "check_fit_transform", check_fit_transform
        yield "check_y_is_optional", check_y_optional
        if hasattr(subject.estimator, "get_feature_names_out"):
            yield "check_feature_names_out", check_feature_names
        if hasattr(subject.estimator, "set_output"):
            yield "check_set_output[default]", check_set_output


def _stack(parts: list[Any]) -> Any:
    if sparse.issparse(parts[0]):
        return sparse.vstack(parts)
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return [row for part in parts for row in part]


def check_rows(subject: Subject, method: str) -> None:
    """Check that texts one by one give what they give together."""
    call = getattr(subject.fitted, method)
    together = call(subject.X_new)
    one_by_one = _stack([call([x]) for x in subject.X_new])
    assert_same(one_by_one, together, f"{method} one by one", _ROUNDING)


def check_order(subject: Subject, method: str) -> None:
    """Check that texts in another order give the same answers in that order."""
    call = getattr(subject.fitted, method)
    order = np.random.default_rng(0).permutation(len(subject.X_new))
    shuffled = call([subject.X_new[i] for i in order])
    original = call(subject.X_new)
    if isinstance(original, list):
        expected: Any = [original[i] for i in order]
    else:
        expected = original[order]
    assert_same(shuffled, expected, f"{method} in another order", _ROUNDING)


def check_repeated_texts(subject: Subject) -> None:
    """Check that the same text twice in a batch gets the same answer twice."""
    output = subject.output(subject.fitted, [subject.X[0]] * 3)
    assert_same(output[1:2], output[0:1], "the second answer", _ROUNDING)
    assert_same(output[2:3], output[0:1], "the third answer", _ROUNDING)


def check_predict_repeats(subject: Subject) -> None:
    """Check that a second call gives bit-equal outputs."""
    first, second = (subject.outputs(subject.fitted) for _ in range(2))
    assert_same(second, first, "outputs of the second call")


def check_large_batch(subject: Subject) -> None:
    """Check that a thousand texts are answered as a few are."""
    n = len(subject.X_new)
    repeats = 1000 // n + 1
    output = subject.output(subject.fitted, subject.X_new * repeats)
    n_rows = output.shape[0] if hasattr(output, "shape") else len(output)
    assert n_rows == n * repeats, f"{n_rows} rows for {n * repeats} texts"
    few = subject.output(subject.fitted, subject.X_new)
    assert_same(output[-n:], few, "the last rows of a large batch", _ROUNDING)


def _state(estimator: Any) -> str:
    return str(joblib.hash(estimator))


def check_predict_keeps_state(subject: Subject) -> None:
    """Check that no output method changes the fitted estimator."""
    estimator = subject.fit()
    before = _state(estimator)
    for method in subject.methods(estimator):
        getattr(estimator, method)(subject.X_new)
        assert _state(estimator) == before, f"{method} changed the estimator"
    if hasattr(estimator, "score"):
        estimator.score(subject.X, subject.y)
        assert _state(estimator) == before, "score changed the estimator"


def check_fit_twice(subject: Subject) -> None:
    """Check that a second fit on the same data gives bit-equal outputs."""
    estimator = subject.fit()
    first = subject.outputs(estimator)
    estimator.fit(subject.X, subject.y)
    assert_same(subject.outputs(estimator), first, "outputs after the second fit")


def check_refit_overwrites(subject: Subject) -> None:
    """Check that nothing of an earlier fit on other data survives."""
    estimator = subject.fit(*subject.other_data())
    estimator.fit(subject.X, subject.y)
    expected = subject.outputs(subject.fitted)
    assert_same(subject.outputs(estimator), expected, "outputs after a refit")


def check_same_seed(subject: Subject) -> None:
    """Check that two clones fitted on the same data give bit-equal outputs."""
    first, second = (subject.outputs(subject.fit()) for _ in range(2))
    assert_same(second, first, "outputs of two fits with the same random_state")


def check_fit_order(subject: Subject) -> None:
    """Check that training texts in another order give nearly the same predictions."""
    order = np.random.default_rng(1).permutation(len(subject.X))
    shuffled = subject.fit(*subject.part(order))
    a, b = (e.predict(subject.X) for e in (shuffled, subject.fitted))
    if subject.target == "numbers":
        assert_same(a, b, "predictions after fit in another order", 1e-3)
        return
    agreement = float(np.mean(a == b))
    assert agreement >= 0.9, (
        f"only {agreement:.0%} of the predictions on the training texts are the same "
        "after fit in another order"
    )


def check_clones_independent(subject: Subject) -> None:
    """Check that fitting one clone changes no other."""
    first = subject.fit()
    before = subject.outputs(first)
    subject.fit(*subject.other_data())
    assert_same(subject.outputs(first), before, "outputs after fitting another clone")


@contextlib.contextmanager
def _global_seed(seed: int) -> Iterator[None]:
    """Seed the global generators, and put their states back afterwards."""
    saved = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(saved[0])
        np.random.set_state(saved[1])  # noqa: NPY002


def _global_states() -> tuple[Any, ...]:
    legacy: Any = np.random.get_state()  # noqa: NPY002
    return random.getstate(), legacy[1].tobytes(), *legacy[2:]


def _assert_leaves_generators_alone(call: Callable[[], Any], what: str) -> None:
    # Under a seed that nobody else takes: setting one to 0 must show every time.
    with _global_seed(480_213_779):
        before = _global_states()
        call()
        assert _global_states() == before, f"{what} touched a global random generator"


def check_random_state_of_fit(subject: Subject) -> None:
    """Check that ``fit`` leaves the global generators of random and NumPy alone."""
    _assert_leaves_generators_alone(subject.fit, "fit")


def check_random_state_of_predict(subject: Subject) -> None:
    """Check that outputs leave the global generators of random and NumPy alone."""
    estimator = subject.fitted
    _assert_leaves_generators_alone(lambda: subject.outputs(estimator), "predict")


def check_random_state_not_used(subject: Subject) -> None:
    """Check that the global generators' seeds have no influence."""
    outputs = []
    for seed in (1, 2):
        with _global_seed(seed):
            outputs.append(subject.outputs(subject.fit()))
    assert_same(outputs[1], outputs[0], "outputs under another global seed")


def check_no_warnings(subject: Subject) -> None:
    """Check that an ordinary fit and its outputs warn of nothing."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        subject.outputs(subject.fit())
    messages = [f"{w.category.__name__}: {w.message}" for w in caught]
    assert not messages, f"it warned: {messages[:3]}"


def check_no_printing(subject: Subject) -> None:
    """Check that neither fit nor predict prints."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        subject.outputs(subject.fit())
    printed = out.getvalue() + err.getvalue()
    assert not printed, f"it printed {printed[:80]!r}"


def check_threads(subject: Subject) -> None:
    """Check that threads that predict at once get what each gets alone."""
    estimator = subject.fitted
    batches = [subject.X_new[i:] + subject.X_new[:i] for i in range(8)]
    expected = [subject.output(estimator, batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(partial(subject.output, estimator), batches))
    for output, alone in zip(outputs, expected, strict=True):
        assert_same(output, alone, "the answer in a thread")


def _output_of(estimator: Any, X: Any, predicts: bool) -> Any:
    return estimator.predict(X) if predicts else estimator.transform(X)


def check_processes(subject: Subject) -> None:
    """Check that a joblib worker process gives the same answers."""
    with warnings.catch_warnings():
        # A worker that stops when idle says so; that is not the estimator's doing.
        warnings.simplefilter("ignore", UserWarning)
        (output,) = joblib.Parallel(n_jobs=2, backend="loky")(
            [
                joblib.delayed(_output_of)(
                    subject.fitted, subject.X_new, subject.predicts
                )
            ]
        )
    expected = subject.output(subject.fitted, subject.X_new)
    assert_same(output, expected, "the answer of another process")


def check_fit_transform(subject: Subject) -> None:
    """Check that ``fit_transform`` gives what ``fit`` and then ``transform`` give."""
    at_once = subject.clone().fit_transform(subject.X, subject.y)
    in_turn = subject.fitted.transform(subject.X)
    assert_same(at_once, in_turn, "fit_transform", _ROUNDING)


def check_y_optional(subject: Subject) -> None:
    """Check that a transformer that does not require y is fitted without."""
    from sklearn.utils import get_tags

    if not get_tags(subject.estimator).target_tags.required:
        estimator = subject.clone().fit(subject.X)
        assert len(subject.X_new) == _length(estimator.transform(subject.X_new))


def _length(output: Any) -> int:
    return int(output.shape[0]) if hasattr(output, "shape") else len(output)


def check_feature_names(subject: Subject) -> None:
    """Check that there is one distinct str a column."""
    names = subject.fitted.get_feature_names_out()
    n_columns = subject.fitted.transform(subject.X[:2]).shape[1]
    assert len(names) == n_columns, f"{len(names)} names for {n_columns} columns"
    assert len(set(names)) == len(names), "feature names repeat"
    assert all(isinstance(name, str) for name in names), "a name is not a str"


def check_set_output(subject: Subject) -> None:
    """Check that ``set_output(transform="default")`` changes nothing."""
    estimator = subject.clone().set_output(transform="default")
    output = estimator.fit(subject.X, subject.y).transform(subject.X_new)
    assert_same(output, subject.fitted.transform(subject.X_new), "transform")
