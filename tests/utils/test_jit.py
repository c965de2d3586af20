"""Kernels: compiled on the first call, plain Python without Numba."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tweetclf.utils import jit as module
from tweetclf.utils.jit import has_numba, jit, kernels_pay


@jit(cache=True, nogil=True)
def _square(x):
    return x * x


@jit(nogil=True)
def _sum_of_squares(values):
    """Add squares."""
    total = 0.0
    for value in values:
        total += _square(value)
    return total


@pytest.fixture(params=["numba", "python"])
def mode(request, monkeypatch):
    if request.param == "python":
        monkeypatch.setenv("TWEETCLF_NUMBA", "0")
    elif not has_numba():
        pytest.skip("numba is not installed")
    return request.param


def test_kernels_call_kernels(mode):
    assert _sum_of_squares(np.arange(4.0)) == 14.0
    assert _sum_of_squares.__doc__ == "Add squares."
    assert has_numba() == (mode == "numba")


def test_threads_compile_once():
    @jit(nogil=True)
    def double(x):
        return 2 * x

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(double, range(8))) == [2 * x for x in range(8)]


def test_pickled_by_name():
    assert pickle.loads(pickle.dumps(_square)) is _square


def test_no_folder_for_the_cache(monkeypatch):
    numba = pytest.importorskip("numba")

    def refuse(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(numba, "njit", refuse)
    assert jit(cache=True)(lambda x: x + 1)(1) == 2

    def broken(**options):
        raise RuntimeError("broken")

    monkeypatch.setattr(numba, "njit", broken)
    with pytest.raises(RuntimeError, match="broken"):
        jit()(lambda x: x)(1)


def test_not_installed(monkeypatch):
    monkeypatch.setattr(module, "_is_installed", lambda: False)
    assert not has_numba()
    assert _square(3) == 9


def test_numba_is_imported_by_the_first_call():
    code = (
        "import sys\nfrom tweetclf.utils.jit import jit, has_numba\n"
        "k = jit()(lambda x: x + 1)\nhas_numba()\nassert 'numba' not in sys.modules\n"
        "print(k(1))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "2\n"


def test_kernels_pay_for_much_work_or_if_numba_is_there() -> None:
    code = (
        "import sys\nfrom tweetclf.utils.jit import kernels_pay\n"
        "print(kernels_pay(1), kernels_pay(10**10), 'numba' in sys.modules)\n"
        "import numba\nprint(kernels_pay(1))"
    )
    if not has_numba():
        assert not kernels_pay(10**10)
        return
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True", "False", "True"]
