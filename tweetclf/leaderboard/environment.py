"""What a run is measured on: hardware, versions, memory, size of the model."""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from tweetclf._version import __version__

__all__ = ["describe_environment", "model_bytes", "peak_memory"]

_PACKAGES = ("numpy", "scipy", "scikit-learn", "gensim", "torch", "transformers")


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()


def _usable_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


@cache
def _versions() -> dict[str, str]:
    # Every run asks, and each answer is a file of metadata that is parsed.
    found = {"python": platform.python_version(), "tweetclf": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def describe_environment() -> dict[str, Any]:
    """Return hardware and versions as plain values.

    Nothing that names the machine or its user is in it.
    """
    return {
        "cpu": _cpu_name(),
        "cores": _usable_cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.machine()}",
        "versions": dict(_versions()),
    }


class _CountingSink:
    """A file that only counts what is written to it."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, data: Any) -> int:
        n = memoryview(data).nbytes
        self.size += n
        return n


def model_bytes(estimator: Any) -> int | None:
    """Return the size in bytes of the pickled estimator; None if it has no pickle."""
    sink = _CountingSink()
    try:
        pickle.Pickler(sink, protocol=5).dump(estimator)
    except (pickle.PicklingError, TypeError, AttributeError):
        return None
    return sink.size


def _reset_high_water_mark() -> bool:
    """Ask Linux to forget the peak resident memory of this process."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _high_water_mark() -> int:
    for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("the kernel gives no VmHWM")


def _return_freed_memory() -> None:
    """Give memory that earlier runs freed back to the system, where libc can.

    Without this a run that reuses it would seem to need none.
    """
    gc.collect()
    trim = (
        getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    )
    if trim is not None:
        trim(0)


@contextmanager
def peak_memory() -> Iterator[Callable[[], int]]:
    """Measure by how much peak resident memory grows within the block.

    On Linux the kernel's own high-water mark is reset and read; elsewhere resident
    memory is sampled every 10 ms. The figure is that of the whole process, so runs
    must not share one at the same time.

    Yields
    ------
    callable
        Returns the growth in bytes so far, at least 0.
    """
    process = psutil.Process()
    _return_freed_memory()
    start = process.memory_info().rss
    if _reset_high_water_mark():
        yield lambda: max(_high_water_mark() - start, 0)
        return
    peak = start
    done = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, process.memory_info().rss)
            time.sleep(0.01)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield lambda: max(peak - start, 0)
    finally:
        done.set()
        thread.join()
