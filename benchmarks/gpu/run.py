"""Measure on a GPU what issues and notes say of GPUs; see the README beside this.

    python benchmarks/gpu/run.py                    # all rows
    python benchmarks/gpu/run.py finetune-32 lm-64  # some of them
    python benchmarks/gpu/run.py --toy              # tiny sizes, on a CPU too

Rows are measured one after another by another process, which prints each when it is
done. One that fails, crashes or takes too long is noted, and the next one measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import queue
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
_START_LIMIT = 150.0
_MARK = "row: "


def _rows() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return module, function and options of each row."""
    rows: dict[str, tuple[str, str, dict[str, Any]]] = {}
    for size, n_steps, peers in ((32, 80, True), (256, 30, True), (1024, 15, False)):
        options = {"batch_size": size, "n_steps": n_steps, "peers": peers}
        rows[f"finetune-{size}"] = ("gpu_encoders", "fine_tuning", options)
    rows["finetune-32-kernels"] = ("gpu_encoders", "kernels", {"n_steps": 12})
    for short, precision in (("bf16", "bfloat16"), ("fp32", "float32")):
        rows[f"predict-{short}"] = (
            "gpu_encoders",
            "prediction",
            {"precision": precision},
        )
    for size, short in ((64, "bf16"), (104, "bf16"), (64, "fp32")):
        precision = "bfloat16" if short == "bf16" else "float32"
        options = {"batch_size": size, "precision": precision}
        rows[f"lm-{size}-{short}"] = ("gpu_pretraining", "language_model", options)
    for name, large, size in (("base", False, 1024), ("large", True, 512)):
        options = {"large": large, "batch_size": size}
        rows[f"twilbert-{name}"] = ("gpu_pretraining", "twilbert", options)
    rows["social-base"] = ("gpu_pretraining", "social", {"n_pairs": 512})
    rows["twhin-cpu"] = ("gpu_social", "against_numpy", {})
    rows["twhin-peer"] = ("gpu_social", "peer", {"n_edges": 400_000})
    for name, n_edges, size in (
        ("twhin-1e7", 10**7, 1000),
        ("twhin-1e8", 10**8, 20_000),
    ):
        options = {"n_edges": n_edges, "batch_size": size}
        rows[name] = ("gpu_social", "embedding", options)
    return rows


# Seconds after which a row is given up.
_LIMITS = {"twhin-1e8": 150.0}
_LIMIT = 90.0
# Of a CPU that compiles, and is busy with something else.
_TOY_LIMIT = 600.0


def _machine() -> dict[str, Any]:
    import torch
    import transformers

    has_gpu = torch.cuda.is_available()
    return {
        "device": torch.cuda.get_device_name() if has_gpu else "cpu",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }


def _say(found: dict[str, Any]) -> None:
    print(_MARK + json.dumps(found), flush=True)


def child(names: list[str], toy: bool) -> int:
    """Measure rows in this process; stop when the GPU cannot be used any more."""
    import gpu_tools

    sizes = gpu_tools.Sizes(toy)
    machine = _machine()
    ceiling = gpu_tools.ceilings(sizes)
    _say({"name": "machine", **machine, **ceiling})
    rows = _rows()
    for module in dict.fromkeys(rows[name][0] for name in names):
        # What takes long, and is of no row.
        __import__(module)
    for name in names:
        module, function, options = rows[name]
        _say({"name": name, "started": True})
        start = time.perf_counter()
        try:
            found = getattr(sys.modules[module], function)(sizes, ceiling, **options)
        except Exception as error:
            traceback.print_exc()
            _say({"name": name, "error": f"{type(error).__name__}: {error}"[:500]})
            if "CUDA error" in str(error) or "CUBLAS" in str(error):
                return 1
        else:
            _say({"name": name, **found, "row_s": time.perf_counter() - start})
        gpu_tools.free()
    return 0


def _lines(process: subprocess.Popen[str]) -> Iterator[queue.Queue[str | None]]:
    """Yield a queue that the lines of a process come into, and None at their end."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    yield lines
    thread.join()


def measure(
    names: list[str], toy: bool, note: Callable[[dict[str, Any]], None]
) -> list[str]:
    """Let one process measure rows; return those that it did not come to."""
    command = [sys.executable, str(HERE / "run.py"), "--child", *names]
    process = subprocess.Popen(
        command + ["--toy"] * toy, stdout=subprocess.PIPE, text=True
    )
    left, running, limit = list(names), None, _START_LIMIT
    for lines in _lines(process):
        while True:
            try:
                line = lines.get(timeout=limit)
            except queue.Empty:
                line = None
                process.kill()
                note({"name": running or left[0], "error": f"over {limit:.0f} s"})
                running = running or left.pop(0)
            if line is None:
                break
            if not line.startswith(_MARK):
                continue
            found = json.loads(line.removeprefix(_MARK))
            if found.get("started"):
                running = found["name"]
                left.remove(running)
                limit = _TOY_LIMIT if toy else _LIMITS.get(running, _LIMIT)
                continue
            note(found)
            running = None if found["name"] == running else running
    if process.wait() and running is not None and process.returncode > 0:
        note({"name": running, "error": f"exit status {process.returncode}"})
    elif running is None and process.returncode and left == names:
        # It did not even start.
        note({"name": left.pop(0), "error": f"exit status {process.returncode}"})
    return left


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


def to_markdown(machine: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Return the table of all rows: what is common in columns, the rest as words."""
    columns = ("tokens_per_second", "share_of_measured", "share_of_nominal", "peak_gib")
    lines = [
        "# On a GPU",
        "",
        "Written by `benchmarks/gpu/run.py`; the README there says what is measured.",
        "",
        ", ".join(f"{k} {_cell(v)}" for k, v in machine.items() if k != "name") + ".",
        "",
        "| row | tokens/s | share of measured | of 989 TFLOP/s | peak GiB | more |",
        "|" + "---|" * 6,
    ]
    for row in rows:
        cells = [_cell(row[c]) if row.get(c) is not None else "" for c in columns]
        more = [
            f"{k} {_cell(v)}"
            for k, v in row.items()
            if k not in ("name", *columns) and v is not None
        ]
        lines.append(f"| {row['name']} | {' | '.join(cells)} | {'; '.join(more)} |")
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Measure the rows that are asked for and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows; all by default")
    parser.add_argument("--toy", action="store_true", help="tiny sizes")
    parser.add_argument("--out", type=Path, help="the table; results/gpu.md by default")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    known = _rows()
    if unknown := set(args.names) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}; {', '.join(known)}")
    names = args.names or list(known)
    if args.child:
        return child(names, args.toy)
    out = args.out or HERE / "results" / "gpu.md"
    out.parent.mkdir(parents=True, exist_ok=True)
    machine: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []

    def note(found: dict[str, Any]) -> None:
        print(json.dumps(found), flush=True)
        if found["name"] == "machine":
            machine.update(found)
            return
        rows.append(found)
        path = out.parent / f"{found['name']}.json"
        path.write_text(json.dumps({**found, "machine": machine}, indent=1) + "\n")
        out.write_text(to_markdown(machine, rows))

    left = names
    while left:
        left = measure(left, args.toy, note)
    return int(any("error" in row for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
