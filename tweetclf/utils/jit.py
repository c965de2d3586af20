"""Kernels compiled by Numba, if it is there: the only place that imports it.

Numba is the optional extra ``fast``. It takes a quarter of a second to import, so it
is imported when the first kernel is called, never with a module of kernels.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import types
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

__all__ = ["has_numba", "jit", "kernels_pay"]

_VARIABLE = "TWEETCLF_NUMBA"
_PAYS = 20_000_000


@functools.cache
def _is_installed() -> bool:
    return find_spec("numba") is not None


def has_numba() -> bool:
    """Tell whether kernels are compiled.

    Returns
    -------
    bool
        False if Numba is not installed or ``TWEETCLF_NUMBA=0`` is in the environment.
    """
    return os.environ.get(_VARIABLE) != "0" and _is_installed()


def kernels_pay(work: int) -> bool:
    """Tell whether to use kernels for so much work, where NumPy can do it too.

    Parameters
    ----------
    work : int
        About how many nanoseconds NumPy would take.

    Returns
    -------
    bool
        Whether kernels are compiled, and Numba is in memory or the work is worth the
        third of a second that it takes to import Numba and load a kernel.
    """
    return has_numba() and ("numba" in sys.modules or work > _PAYS)


def jit(**options: Any) -> Callable[[Callable[..., Any]], Kernel]:
    """Return a decorator that compiles a function when it is first called.

    Parameters
    ----------
    **options
        Of ``numba.njit``: ``cache=True`` keeps the machine code beside the module,
        ``nogil=True`` lets threads run the kernel side by side.

    Returns
    -------
    callable
        The decorator. What it decorates may call other kernels of its module.

    Notes
    -----
    Without Numba the function runs as it stands, at the speed of Python: ask
    :func:`has_numba` first where there is a faster way.

    Examples
    --------
    >>> from tweetclf.utils.jit import jit
    >>> @jit(cache=False)
    ... def add(a, b):
    ...     return a + b
    >>> add(1, 2)
    3
    """
    return lambda function: Kernel(function, options)


class Kernel:
    """A function that Numba compiles when it is first called.

    Parameters
    ----------
    function : callable
        What to compile.
    options : dict
        Of ``numba.njit``.
    """

    __name__: str
    __qualname__: str

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._options = options
        self._dispatcher: Any = None
        # Not one lock for all: compiling a kernel compiles those it calls.
        self._lock = threading.Lock()

    def __call__(self, *args: Any) -> Any:
        if not has_numba():
            return self._function(*args)
        return self.dispatcher(*args)

    def __reduce__(self) -> str:
        return self.__qualname__

    @property
    def dispatcher(self) -> Any:
        """What ``numba.njit`` makes of the function."""
        with self._lock:
            if self._dispatcher is None:
                self._dispatcher = self._compile()
        return self._dispatcher

    def _compile(self) -> Any:
        from numba import njit

        function = self._function
        names = {
            name: found.dispatcher
            for name in function.__code__.co_names
            if isinstance(found := function.__globals__.get(name), Kernel)
            and found is not self
        }
        if names:
            # Numba looks up what a function calls in its globals; there it must find
            # compiled functions, not this class.
            copy = types.FunctionType(
                function.__code__,
                {**function.__globals__, **names},
                function.__name__,
                function.__defaults__,
                function.__closure__,
            )
            function = functools.update_wrapper(copy, function)
        try:
            return njit(**self._options)(function)
        except RuntimeError:
            # Numba finds no folder to write its cache to: compile in each process.
            if not self._options.get("cache"):
                raise
            return njit(**{**self._options, "cache": False})(function)
