"""Run the performance benchmarks, print one table, keep it in ``results/``.

``python benchmarks/performance/run.py [NAME ...] [--quick]``; ``--list`` names them.
Rows, and parts of a row, that were not run keep the numbers of their last run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from harness import (
    HERE,
    Benchmark,
    describe_machine,
    describe_processor,
    growth_exponent,
    measure,
    measure_growth,
    measure_memory,
)

RESULTS = HERE / "results"

PARTS = ("ratios", "growth", "memory")


def find_benchmarks() -> list[Benchmark]:
    """Return the benchmarks of all files beside this one, in order of file."""
    found: list[Benchmark] = []
    for path in sorted(HERE.glob("bench_*.py")):
        found += importlib.import_module(path.stem).BENCHMARKS
    return found


def select(benchmarks: list[Benchmark], names: list[str]) -> list[Benchmark]:
    """Return those that are named, or all; a part of a name is enough."""
    chosen = []
    for name in names:
        exact = [b for b in benchmarks if name == b.name]
        fitting = exact or [b for b in benchmarks if name in b.name]
        if not fitting:
            known = ", ".join(b.name for b in benchmarks)
            raise SystemExit(
                f"run.py: no benchmark is called {name!r}; there are {known}"
            )
        chosen += [b for b in fitting if b not in chosen]
    return chosen or benchmarks


def run(
    benchmark: Benchmark, parts: Collection[str], *, quick: bool = False
) -> dict[str, Any]:
    """Measure one benchmark.

    `parts` are those of `PARTS` that are wanted; `quick` leaves out all sizes but the
    first and all rounds but one.
    """
    row: dict[str, Any] = {
        "name": benchmark.name,
        "what": benchmark.what,
        "peer": benchmark.peer,
        "bar": benchmark.bar,
        "aim": benchmark.aim,
    }
    if "ratios" in parts:
        row["processor"] = describe_processor()
        row["load"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        row["sizes"] = [
            measure(benchmark, size, repeats=1 if quick else None).summary()
            for size in (benchmark.sizes[:1] if quick else benchmark.sizes)
        ]
    if "growth" in parts and benchmark.growth:
        seconds = measure_growth(benchmark)
        row["growth"] = {
            "exponent": growth_exponent(seconds),
            "seconds": {str(size): value for size, value in seconds.items()},
        }
    if "memory" in parts and benchmark.memory:
        row["memory"] = [
            {
                "size": size,
                "bar": benchmark.memory_bar,
                **measure_memory(benchmark, size),
            }
            for size in benchmark.memory
        ]
    return row


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 0.1 else f"{value * 1000:.3g} ms"


def _verdict(row: dict[str, Any]) -> str:
    least = min(size["ratio"] for size in row["sizes"])
    if least >= row["aim"]:
        return "aim met"
    return "bar met" if least >= row["bar"] else "**below the bar**"


def _outcome(row: dict[str, Any]) -> str:
    if not row["sizes"]:
        return "no ratio measured"
    best = row["sizes"][-1]
    return f"{best['ratio']:.1f}x at {best['size']:,} ({_verdict(row)})"


def _elsewhere(row: dict[str, Any], machine: dict[str, Any]) -> bool:
    return row.get("processor") != machine["processor"]


def _lines(row: dict[str, Any], machine: dict[str, Any]) -> Iterable[str]:
    what = row["what"] + (" *" if _elsewhere(row, machine) else "")
    exponent = f"{row['growth']['exponent']:.2f}" if "growth" in row else ""
    memory = {m["size"]: m for m in row.get("memory", ())}
    for size in row["sizes"]:
        peaks = memory.pop(size["size"], None)
        share = ""
        if peaks:
            share = (
                f"{peaks['ours'] / peaks['theirs']:.2f}x of "
                f"{peaks['theirs'] / 2**20:,.0f} MiB"
            )
        spread = f"[{size['ratio_min']:.1f}, {size['ratio_max']:.1f}]"
        if size["rounds"] == 1:
            spread = "(one round)"
        yield (
            f"| {what} | {row['peer']} | {size['size']:,} "
            f"| {_seconds(size['ours_s'])} | {_seconds(size['theirs_s'])} "
            f"| **{size['ratio']:.1f}x** {spread}, CPU {size['ratio_cpu']:.1f}x "
            f"| {row['bar']:g} / {row['aim']:g} | {_verdict(row)} "
            f"| {exponent} | {share} |"
        )
    for size, peaks in memory.items():
        yield (
            f"| {what} | {row['peer']} | {size:,} | | | | | | | "
            f"{peaks['ours'] / peaks['theirs']:.2f}x of "
            f"{peaks['theirs'] / 2**20:,.0f} MiB |"
        )


def to_markdown(machine: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Return the table of all rows, with the machine and how it was measured."""
    versions = ", ".join(f"{k} {v}" for k, v in machine["versions"].items() if v)
    others = sorted(
        {
            row.get("processor", "a processor that was not noted")
            for row in rows
            if _elsewhere(row, machine)
        }
    )
    note = [f"\\* measured earlier, on {' or '.join(others)}.", ""] if others else []
    return "\n".join(
        [
            "# Performance",
            "",
            "Written by `make bench`. The ratio is the peer's wall time over ours: the "
            "median of interleaved rounds, with least and largest; the ratio of "
            "processor times stands beside it. Both sides gave the same result before "
            "they were timed. Growth is the exponent of time over size (1 is linear), "
            "memory our growth of peak resident memory against the peer's.",
            "",
            f"{machine['processor']}, {machine['cores']} cores, "
            f"{machine['memory_gib']} GiB, Python {machine['python']}, {versions}.",
            "",
            "| what | peer | size | ours | theirs | ratio | bar / aim | verdict "
            "| growth | peak memory |",
            "|---|---|---|---|---|---|---|---|---|---|",
            *(line for row in rows for line in _lines(row, machine)),
            "",
            *note,
        ]
    )


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _store(rows: dict[str, dict[str, Any]], order: list[str]) -> str:
    machine = describe_machine()
    kept = [rows[name] for name in order if name in rows]
    text = to_markdown(machine, kept)
    RESULTS.mkdir(exist_ok=True)
    record = json.dumps({"machine": machine, "rows": kept}, indent=1)
    _write(RESULTS / "performance.json", record + "\n")
    _write(RESULTS / "performance.md", text)
    return text


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="benchmarks to run; all by default")
    parser.add_argument("--list", action="store_true", help="name the benchmarks")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one round at the first size; nothing is written",
    )
    parser.add_argument(
        "--only", choices=PARTS, action="append", help="measure this part of a row"
    )
    arguments = parser.parse_args(argv)
    known = find_benchmarks()
    if arguments.list:
        for benchmark in known:
            print(f"{benchmark.name:28} {benchmark.what}")
        return 0
    rows: dict[str, dict[str, Any]] = {}
    stored = RESULTS / "performance.json"
    if stored.exists():
        old = json.loads(stored.read_text(encoding="utf-8"))["rows"]
        rows = {row["name"]: row for row in old}
    chosen = select(known, arguments.names)
    parts = ("ratios",) if arguments.quick else arguments.only or PARTS
    failed = []
    for number, benchmark in enumerate(chosen, start=1):
        start = time.perf_counter()
        try:
            row = run(benchmark, parts, quick=arguments.quick)
        except Exception as error:
            failed.append(benchmark.name)
            print(f"{benchmark.name}: {type(error).__name__}: {error}", file=sys.stderr)
            continue
        rows[benchmark.name] = row = rows.get(benchmark.name, {"sizes": []}) | row
        print(
            f"[{number}/{len(chosen)}] {benchmark.name}: {_outcome(row)}, "
            f"{time.perf_counter() - start:.0f} s",
            file=sys.stderr,
        )
        if not arguments.quick:
            _store(rows, [b.name for b in known])
    if arguments.quick:
        measured = [rows[b.name] for b in chosen if b.name not in failed]
        print(to_markdown(describe_machine(), measured))
    elif len(failed) < len(chosen):
        print(_store(rows, [b.name for b in known]))
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
