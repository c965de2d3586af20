"""What a benchmark is, and how it is measured: interleaved, after a check.

A benchmark file (``bench_*.py``) holds a list ``BENCHMARKS``. For each of them and
each size the results of both sides are compared before anything is timed; then both
run in turn (ours, theirs, theirs, ours, ...), and the ratio is the median of the ratios
of the rounds. Times are wall times; the processor time of the process stands beside
them, since it is the steadier one on a machine that others use.
"""

from __future__ import annotations

import gc
import gzip
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "Benchmark",
    "Measured",
    "Round",
    "data_folder",
    "describe_machine",
    "describe_processor",
    "growth_exponent",
    "measure",
    "measure_growth",
    "measure_memory",
    "noised",
    "peak_memory",
    "tweets",
]

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Benchmark:
    """One row of the table: our code and what a user would run instead.

    Parameters
    ----------
    name : str
        Short name, as given on the command line.
    what : str
        One line for the table.
    peer : str
        What it is compared with.
    prepare : callable
        Size -> data; not timed.
    ours, theirs : callable
        Data -> result; functions of a module, since memory is measured in fresh
        processes.
    check : callable
        (result of ours, result of theirs) -> None; raises AssertionError where they
        differ.
    sizes : tuple of int
        Sizes at which the ratio is measured.
    bar, aim : float
        The ratio that must be reached, and the one hoped for.
    repeats : int, default=5
        Rounds; each runs both sides once.
    growth : tuple of int, default=()
        Sizes at which our side alone is timed, for the exponent of time over size.
    memory : tuple of int, default=()
        Sizes at which the peak memory of each side is measured in a fresh process.
    memory_bar : float or None, default=None
        Most of the peer's peak memory that ours may take.
    """

    name: str
    what: str
    peer: str
    prepare: Callable[[int], Any]
    ours: Callable[[Any], Any]
    theirs: Callable[[Any], Any]
    check: Callable[[Any, Any], None]
    sizes: tuple[int, ...]
    bar: float
    aim: float
    repeats: int = 5
    growth: tuple[int, ...] = ()
    memory: tuple[int, ...] = ()
    memory_bar: float | None = None


@dataclass(frozen=True)
class Round:
    """Seconds of one round: wall and processor time of both sides."""

    ours: float
    theirs: float
    ours_cpu: float
    theirs_cpu: float


@dataclass(frozen=True)
class Measured:
    """All rounds of one benchmark at one size."""

    size: int
    rounds: tuple[Round, ...]

    def ratios(self, *, cpu: bool = False) -> list[float]:
        """Return the peer's time over ours, a round each."""
        if cpu:
            return [r.theirs_cpu / r.ours_cpu for r in self.rounds]
        return [r.theirs / r.ours for r in self.rounds]

    def summary(self) -> dict[str, Any]:
        """Return medians and spreads as plain values."""
        ratios = self.ratios()
        return {
            "size": self.size,
            "rounds": len(self.rounds),
            "ratio": statistics.median(ratios),
            "ratio_min": min(ratios),
            "ratio_max": max(ratios),
            "ratio_cpu": statistics.median(self.ratios(cpu=True)),
            "ours_s": statistics.median(r.ours for r in self.rounds),
            "theirs_s": statistics.median(r.theirs for r in self.rounds),
        }


def data_folder() -> Path | None:
    """Return the folder of public datasets, or None."""
    named = os.environ.get("TWEETCLF_DATA")
    folder = Path(named) if named else HERE.parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None


# Splits of English and Spanish tweets; labels are never read.
_SOURCES = (
    "haha/train",
    "tweeteval/emoji/train",
    "tweeteval/hate/train",
    "tweeteval/offensive/train",
    "tweeteval/irony/train",
    "tweeteval/emotion/train",
    "topics_es/all",
    "sentiment140_100k/train",
)


@lru_cache(maxsize=1)
def _real_tweets() -> list[str]:
    folder = data_folder()
    if folder is None:
        from tweetclf import load_task

        return list(dict.fromkeys(load_task("sample-sentiment").train.texts))
    texts: list[str] = []
    for source in _SOURCES:
        with gzip.open(folder / f"{source}.jsonl.gz", "rt", encoding="utf-8") as file:
            texts += [json.loads(line)["text"] for line in file]
    texts = list(dict.fromkeys(texts))
    random.Random(0).shuffle(texts)
    return texts


def noised(rng: random.Random, texts: list[str]) -> str:
    """Splice two tweets, misspell a word, add a fresh handle and a fresh address."""
    first, second = (rng.choice(texts).split(" ") for _ in range(2))
    words = first[: 1 + len(first) // 2] + second[len(second) // 2 :]
    place = rng.randrange(len(words))
    word = words[place]
    if len(word) > 3:
        at = rng.randrange(len(word) - 1)
        words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if rng.random() < 0.3:
        words.insert(0, f"@u{rng.randrange(10**6)}")
    if rng.random() < 0.2:
        words.append(f"http://t.co/{rng.randrange(16**6):06x}")
    return " ".join(words)


def tweets(n: int) -> list[str]:
    """Return `n` different tweets: real ones, then spliced and noised ones.

    The same for every call; without the public datasets they are made from the
    bundled sample alone.
    """
    real = _real_tweets()
    if n <= len(real):
        return real[:n]
    rng = random.Random(n)
    made = dict.fromkeys(real)
    while len(made) < n:
        made[noised(rng, real)] = None
    return list(made)


def _timed(function: Callable[[Any], Any], data: Any) -> tuple[float, float, Any]:
    """Return wall and processor seconds of a call, and its result."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    result = function(data)
    return time.perf_counter() - wall, time.process_time() - cpu, result


def measure(benchmark: Benchmark, size: int, *, repeats: int | None = None) -> Measured:
    """Compare the results of both sides, then time them in turn.

    Parameters
    ----------
    benchmark : Benchmark
        What to measure.
    size : int
        At which size.
    repeats : int, optional
        Rounds, if not those of the benchmark.

    Raises
    ------
    AssertionError
        If the results differ.
    """
    repeats = repeats or benchmark.repeats
    data = benchmark.prepare(size)
    if repeats > 1:
        # Also the untimed call that compiles and imports.
        benchmark.check(benchmark.ours(data), benchmark.theirs(data))
    else:
        # The peer takes minutes here: what is timed is what is compared.
        benchmark.ours(data)
    rounds = []
    for index in range(repeats):
        sides = [benchmark.ours, benchmark.theirs]
        order = (0, 1) if index % 2 == 0 else (1, 0)
        timed = {side: _timed(sides[side], data) for side in order}
        (ours, ours_cpu, our_result), (theirs, theirs_cpu, their_result) = (
            timed[0],
            timed[1],
        )
        if repeats == 1:
            benchmark.check(our_result, their_result)
        del timed, our_result, their_result
        rounds.append(Round(ours, theirs, ours_cpu, theirs_cpu))
    return Measured(size, tuple(rounds))


def measure_growth(benchmark: Benchmark, *, repeats: int = 3) -> dict[int, float]:
    """Return the least seconds of our side at each size of ``growth``."""
    least = {}
    for size in benchmark.growth:
        data = benchmark.prepare(size)
        benchmark.ours(data)
        least[size] = min(_timed(benchmark.ours, data)[0] for _ in range(repeats))
        del data
    return least


def growth_exponent(seconds: dict[int, float]) -> float:
    """Return the slope of log seconds over log size; 1 is linear."""
    x, y = np.log(list(seconds)), np.log(list(seconds.values()))
    return float(np.polyfit(x, y, 1)[0])


_CHILD = """
import importlib, sys
sys.path.insert(0, {here!r})
import harness
module = importlib.import_module({module!r})
benchmark = {{b.name: b for b in module.BENCHMARKS}}[{name!r}]
# Enough that the kernels pay, so that Numba is loaded before.
small = benchmark.prepare(min(5_000, {size} // 2))
getattr(benchmark, {side!r})(small)
data = benchmark.prepare({size})
print(harness.peak_memory(lambda: getattr(benchmark, {side!r})(data)))
"""


def peak_memory(function: Callable[[], Any]) -> int:
    """Return by how many bytes a call raises the peak memory of this process.

    On Linux the kernel's high-water mark is reset first; elsewhere what was reached
    before counts as a floor.
    """
    import psutil

    gc.collect()
    before = psutil.Process().memory_info().rss
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        before = max(before, _high_water_mark())
    result = function()
    peak = _high_water_mark()
    del result
    return peak - before


def _high_water_mark() -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(kilobytes) * 1024


def measure_memory(benchmark: Benchmark, size: int) -> dict[str, int]:
    """Return the peak bytes of each side, each measured in a process of its own.

    The data and the imports stand in memory before; they are not counted.
    """
    peaks = {}
    for side in ("ours", "theirs"):
        code = _CHILD.format(
            here=str(HERE),
            module=benchmark.ours.__module__,
            name=benchmark.name,
            size=size,
            side=side,
        )
        child = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        if child.returncode:
            raise RuntimeError(
                f"{benchmark.name}, {side}, size {size}: the process that measures "
                f"memory failed:\n{child.stderr}"
            )
        peaks[side] = int(child.stdout.split()[-1])
    return peaks


# Instruction sets that decide how fast integers and bfloat16 are multiplied.
_SETS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "VNNI",
    "avx512_vnni": "VNNI",
    "avx512_bf16": "bfloat16",
    "amx_tile": "AMX",
}


def describe_processor() -> str:
    """Return the processor's name and what it has of the sets that count here."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    facts = {}
    for line in lines:
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    flags = set(facts.get("flags", "").split())
    sets = dict.fromkeys(said for flag, said in _SETS.items() if flag in flags)
    name = facts.get("model name", platform.machine())
    return f"{name} ({', '.join(sets)})" if sets else name


def describe_machine() -> dict[str, Any]:
    """Return what the numbers depend on: processor, cores, memory, versions."""
    from importlib.metadata import PackageNotFoundError, version

    import psutil

    versions = {}
    for name in ("numpy", "scipy", "scikit-learn", "numba", "gensim", "nltk"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return {
        "processor": describe_processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "system": platform.system(),
        "versions": versions,
    }
