"""What a training run measured: a file of JSON Lines, and TensorBoard if asked for.

References
----------
Kaplan et al., Scaling Laws for Neural Language Models, arXiv:2001.08361, section 2.1
(floating point operations of a transformer: 2 a weight and token forward, and twice
that backward). Peaks are those of NVIDIA's data sheets, dense, not sparse.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from tweetclf.training.devices import Precision, resolve_precision
from tweetclf.utils.files import write_text_atomic
from tweetclf.utils.optional import import_optional

__all__ = ["MetricsLog", "peak_flops", "read_metrics", "tensorboard_writer"]

# Device -> (bfloat16, float32) in 1e12 operations a second. The first that is part of
# a device's name counts, so that longer names stand before shorter ones.
_PEAKS = {
    "H100 PCIe": (756.0, 51.0),
    "H100 NVL": (835.0, 60.0),
    "H100": (989.0, 67.0),
    "H200": (989.0, 67.0),
    "A100": (312.0, 19.5),
    "L40S": (362.0, 91.6),
    "A10G": (70.0, 35.0),
    "A10": (125.0, 31.2),
    "L4": (121.0, 30.3),
    "RTX 4090": (165.2, 82.6),
    "RTX 3090": (71.0, 35.6),
}

Write = Callable[[dict[str, Any]], None]


def peak_flops(
    device: torch.device, precision: Precision, name: str | None = None
) -> float | None:
    """Return how many operations a second a GPU can do at most, if that is known.

    Parameters
    ----------
    device : torch.device
        Where the module is.
    precision : {"float32", "bfloat16", "auto"}
        What it computes in.
    name : str, optional
        The device's name; by default as the driver says.

    Returns
    -------
    float or None
        Floating point operations a second; None for CPUs and GPUs not known here.

    Examples
    --------
    >>> peak_flops(torch.device("cpu"), "float32") is None
    True
    >>> peak_flops(torch.device("cuda"), "bfloat16", "NVIDIA H200")
    989000000000000.0
    """
    if name is None:
        if device.type != "cuda":
            return None
        name = torch.cuda.get_device_name(device)
    for part, (half, single) in _PEAKS.items():
        if part in name:
            is_half = resolve_precision(precision, device) == "bfloat16"
            return 1e12 * (half if is_half else single)
    return None


def read_metrics(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return the records of a file of metrics.

    Parameters
    ----------
    path : path
        As `MetricsLog` writes it.

    Returns
    -------
    list of dict
        One a line; a last line that a killed process left unfinished is left out.
    """
    records = []
    for line in Path(path).read_text("utf-8").split("\n"):
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


class MetricsLog:
    """A `report` of `fit_loop` that writes what happens as JSON Lines.

    Steps are written as means over `every` of them, with ``step`` (the last of them),
    ``epoch``, ``loss`` and its parts, ``learning_rate``, ``gradient_norm``,
    ``tokens_per_second``, ``examples_per_second`` and, where the peak of the device
    is known, ``flops_share``. Evaluations, epochs and rollbacks are written as they
    are. ``kind`` says which.

    Parameters
    ----------
    path : path
        The file. What it holds of steps from `start_step` on is dropped: they are
        taken again by a run that goes on from a checkpoint.
    start_step : int, default=0
        Step at which the run begins.
    every : int, default=10
        Steps that a record is the mean of.
    flops_per_token : float, default=0.0
        Operations for a token, forward and backward.
    peak : float, optional
        See `peak_flops`; of all devices together.
    also : callable, optional
        Called with every record too, see `tensorboard_writer`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> step = {"kind": "step", "epoch": 0, "step": 0, "loss": 2.0, "logs": {},
    ...         "learning_rate": 0.1, "gradient_norm": 1.0, "n_examples": 4,
    ...         "n_tokens": 40}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "metrics.jsonl")
    ...     with MetricsLog(path, every=1) as log:
    ...         log(step)
    ...     read_metrics(path)[0]["loss"]
    2.0
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        start_step: int = 0,
        every: int = 10,
        flops_per_token: float = 0.0,
        peak: float | None = None,
        also: Write | None = None,
    ) -> None:
        self.path = Path(path)
        self.every = every
        self.flops_per_token = flops_per_token
        self.peak = peak
        self.also = also
        kept = []
        if self.path.is_file():
            kept = [r for r in read_metrics(self.path) if r["step"] < start_step]
        write_text_atomic(self.path, "".join(map(_line, kept)))
        self._file = self.path.open("a", encoding="utf-8", newline="\n")
        self._steps: list[dict[str, Any]] = []
        self._since = time.perf_counter()
        self._last_step = start_step - 1

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(self, *exception: object) -> None:
        self._flush()
        self._file.close()

    def __call__(self, event: dict[str, Any]) -> None:
        """Take an event of `fit_loop`."""
        if event["kind"] == "step":
            self._steps.append(event)
            self._last_step = event["step"]
            if (event["step"] + 1) % self.every == 0:
                self._flush()
            return
        self._flush()
        self._write({"step": self._last_step, **event})
        # What the event took (an evaluation, above all) is not training.
        self._since = time.perf_counter()

    def _flush(self) -> None:
        steps, self._steps = self._steps, []
        now = time.perf_counter()
        seconds, self._since = max(now - self._since, 1e-9), now
        if not steps:
            return
        names = ("loss", "gradient_norm")
        record = {
            "kind": "step",
            "step": steps[-1]["step"],
            "epoch": steps[-1]["epoch"],
            **{name: _mean([step[name] for step in steps]) for name in names},
            **{
                name: _mean([step["logs"][name] for step in steps])
                for name in steps[-1]["logs"]
            },
            "learning_rate": steps[-1]["learning_rate"],
            "tokens_per_second": sum(s["n_tokens"] for s in steps) / seconds,
            "examples_per_second": sum(s["n_examples"] for s in steps) / seconds,
        }
        if self.peak is not None:
            rate = record["tokens_per_second"] * self.flops_per_token
            record["flops_share"] = rate / self.peak
        self._write(record)

    def _write(self, record: dict[str, Any]) -> None:
        self._file.write(_line(record))
        # A line is written whole or, by a process that is killed, is the last one.
        self._file.flush()
        if self.also is not None:
            self.also(record)


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


@contextmanager
def tensorboard_writer(
    folder: str | os.PathLike[str], start_step: int = 0
) -> Iterator[Write]:
    """Yield what writes records of `MetricsLog` for TensorBoard.

    Parameters
    ----------
    folder : path
        Folder of the event files.
    start_step : int, default=0
        Step at which the run begins: what TensorBoard had of later ones is not shown.

    Yields
    ------
    callable
        The `also` of `MetricsLog`.

    Raises
    ------
    MissingDependencyError
        If TensorBoard is not installed.
    """
    caller = "tensorboard_writer"
    import_optional("tensorboard", extra="tensorboard", caller=caller)
    module = import_optional(
        "torch.utils.tensorboard", extra="tensorboard", caller=caller
    )
    purge = start_step if start_step else None
    writer = module.SummaryWriter(os.fspath(folder), purge_step=purge)

    def write(record: dict[str, Any]) -> None:
        for name, value in record.items():
            if isinstance(value, float):
                writer.add_scalar(f"{record['kind']}/{name}", value, record["step"])

    try:
        yield write
    finally:
        writer.close()
