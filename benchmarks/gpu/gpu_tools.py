"""What the measurements on a GPU share: ceilings, clocks, tweets and shares of peak."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

# Dense bfloat16 products of an H100 or H200 SXM, as NVIDIA states them.
NOMINAL_TFLOPS = 989.0
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
PRECISION = "bfloat16" if DEVICE.type == "cuda" else "float32"


@dataclass(frozen=True)
class Sizes:
    """How large to measure: as a GPU wants it, or as a test on a CPU can."""

    toy: bool

    def __call__(self, full: Any, toy: Any) -> Any:
        """Return one of the two."""
        return toy if self.toy else full


def synchronize() -> None:
    """Wait until the GPU has done all that it was told."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def now() -> float:
    """Return the time at which the GPU has done all that it was told."""
    synchronize()
    return time.perf_counter()


def free() -> None:
    """Give back what the allocator keeps, and forget the peak."""
    if DEVICE.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_gib() -> float | None:
    """Return the most memory that tensors took since `free`."""
    if DEVICE.type != "cuda":
        return None
    return round(torch.cuda.max_memory_allocated() / 2**30, 2)


def _median_seconds(run: Callable[[], Any], repeats: int) -> float:
    for _ in range(3):
        run()
    seconds = []
    for _ in range(repeats):
        start = now()
        run()
        seconds.append(now() - start)
    return statistics.median(seconds)


def ceilings(sizes: Sizes) -> dict[str, float]:
    """Return what the device does at best: products, and bytes copied."""
    n = sizes(8192, 256)
    left, right = (
        torch.randn(n, n, device=DEVICE, dtype=torch.bfloat16) for _ in range(2)
    )
    seconds = _median_seconds(lambda: left @ right, sizes(20, 3))
    tflops = 2 * n**3 / seconds / 1e12
    source = torch.ones(sizes(1 << 30, 1 << 16), device=DEVICE)
    target = torch.empty_like(source)
    seconds = _median_seconds(lambda: target.copy_(source), sizes(10, 3))
    return {
        "tflops_bf16": tflops,
        "copy_gb_per_second": 2 * source.nbytes / seconds / 1e9,
    }


def share(
    tokens_per_second: float, flops_per_token: float, ceiling: dict[str, float]
) -> dict[str, float]:
    """Return the rate of the model's own operations, and its share of the ceilings."""
    tflops = tokens_per_second * flops_per_token / 1e12
    return {
        "tokens_per_second": tokens_per_second,
        "model_tflops": tflops,
        "share_of_measured": tflops / ceiling["tflops_bf16"],
        "share_of_nominal": tflops / NOMINAL_TFLOPS,
    }


class Meter:
    """Takes the time of the steps that `fit_loop` reports, the first ones left out.

    Losses are fetched, and reported, several steps at a time; `skip` must be a multiple
    of that number, so that the clock starts when the GPU has caught up.

    Parameters
    ----------
    skip : int
        Steps that are not counted.
    """

    def __init__(self, skip: int) -> None:
        self.skip = skip
        self.times: list[float] = []
        self.tokens: list[float] = []
        self.started: Callable[[], None] | None = None

    def __call__(self, event: dict[str, Any]) -> None:
        """Note a step."""
        if event["kind"] != "step":
            return
        self.times.append(time.perf_counter())
        self.tokens.append(event["n_tokens"])
        if len(self.times) == self.skip and self.started is not None:
            self.started()

    @property
    def seconds(self) -> float:
        """Return how long the counted steps took."""
        return self.times[-1] - self.times[self.skip - 1]

    @property
    def tokens_per_second(self) -> float:
        """Return the rate of the counted steps."""
        return sum(self.tokens[self.skip :]) / self.seconds

    @property
    def ms_per_step(self) -> float:
        """Return how long one of the counted steps took."""
        return 1000 * self.seconds / (len(self.times) - self.skip)


class TimedBatches:
    """Batches, and how long the loop waited for them.

    Parameters
    ----------
    batches : Batches
        Where they come from.
    """

    def __init__(self, batches: Any) -> None:
        self.batches = batches
        self.seconds = 0.0

    def n_batches(self, epoch: int) -> int:
        """Return the number of batches of an epoch."""
        return self.batches.n_batches(epoch)

    def epoch(self, epoch: int) -> Any:
        """Yield the batches of an epoch."""
        batches = iter(self.batches.epoch(epoch))
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            self.seconds += time.perf_counter() - start
            if batch is None:
                return
            yield batch

    def split(self, batch: Any) -> Any:
        """Halve a batch."""
        return self.batches.split(batch)


def tweet_lengths(n: int, seed: int = 0, most: int = 126) -> np.ndarray:
    """Return lengths like those of tweets, without special tokens."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.gamma(2.5, 11.0, n), 3, most).astype(np.int64)


def seen_length(lengths: np.ndarray) -> float:
    """Return how many tokens a token attends to, on average."""
    return float((lengths.astype(np.float64) ** 2).sum() / lengths.sum())
