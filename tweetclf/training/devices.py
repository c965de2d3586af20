"""Devices and precision: where a module lives and in which numbers it computes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from tweetclf.modules._variable_length import sent

__all__ = [
    "choose_device",
    "Precision",
    "autocast",
    "has_fast_bfloat16",
    "module_device",
    "resolve_precision",
    "seeded",
    "to_device",
]

Precision: TypeAlias = Literal["float32", "bfloat16", "auto"]


def module_device(module: nn.Module) -> torch.device:
    """Return the device of a module's first parameter or buffer.

    Parameters
    ----------
    module : nn.Module
        Any module.

    Returns
    -------
    torch.device
        The CPU if the module has neither.

    Examples
    --------
    >>> module_device(nn.Linear(1, 1)).type
    'cpu'
    """
    for parameter in module.parameters():
        return parameter.device
    for buffer in module.buffers():
        return buffer.device
    return torch.device("cpu")


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called `name`; "auto" is an accelerator where there is one.

    Raises
    ------
    ValueError
        If PyTorch knows no such device.

    Examples
    --------
    >>> choose_device("cpu").type
    'cpu'
    """
    if name != "auto":
        try:
            return torch.device(name)
        except RuntimeError:
            raise ValueError(
                "The 'device' must be 'auto', 'cpu', 'cuda', 'cuda:1' or another of "
                f"PyTorch's devices. Got {name!r} instead."
            ) from None
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def to_device(value: Any, device: torch.device) -> Any:
    """Return `value` with every tensor in it on `device`.

    Parameters
    ----------
    value : object
        A tensor or dicts, lists and (named) tuples of tensors, nested at will;
        anything else is returned as it is.
    device : torch.device
        Where the tensors shall be.

    Returns
    -------
    object
        Of the same structure.

    Examples
    --------
    >>> import torch
    >>> batch = to_device({"x": torch.ones(2), "n": 2}, torch.device("cpu"))
    >>> batch["x"].device.type, batch["n"]
    ('cpu', 2)
    """
    if isinstance(value, Tensor):
        return sent(value, device)
    if isinstance(value, dict):
        return {key: to_device(item, device) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(to_device(item, device) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(to_device(item, device) for item in value)
    return value


def _cpu_flags() -> set[str]:
    """Return what the processor says it can do, where the system tells."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", errors="replace")
    except OSError:
        return set()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            return set(value.split())
    return set()


def has_fast_bfloat16(device: torch.device) -> bool:
    """Tell whether `device` multiplies bfloat16 in hardware.

    On a CPU these are AVX512-BF16, AMX and Arm's BF16 instructions; on an NVIDIA GPU
    compute capability 8.0 and above.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return bool(_cpu_flags() & {"avx512_bf16", "amx_bf16", "bf16"})
    return False


def resolve_precision(
    precision: Precision, device: torch.device
) -> Literal["float32", "bfloat16"]:
    """Return the precision to compute in.

    Parameters
    ----------
    precision : {"float32", "bfloat16", "auto"}
        "auto" is bfloat16 where `device` is fast at it.
    device : torch.device
        Where the module is.

    Returns
    -------
    {"float32", "bfloat16"}
        What was asked for, or what "auto" means here.
    """
    if precision == "auto":
        return "bfloat16" if has_fast_bfloat16(device) else "float32"
    if precision in ("float32", "bfloat16"):
        return precision
    raise ValueError(
        "The 'precision' parameter must be 'float32', 'bfloat16' or 'auto'. Got "
        f"{precision!r} instead."
    )


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context in which a module computes in `precision`.

    Parameters
    ----------
    precision : {"float32", "bfloat16", "auto"}
        See `resolve_precision`.
    device : torch.device
        Where the module is.

    Returns
    -------
    context manager
        torch's autocast, or one that does nothing.
    """
    if resolve_precision(precision, device) == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


_DRAWING = threading.RLock()


def _seed_here(seed: int, device: torch.device) -> None:
    # torch.manual_seed would seed the generators of all devices, also those that
    # fork_rng was not told to put back.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Let what draws from torch's global generators draw from `seed` for a while.

    Dropout and initialisers take no generator; within this context they are
    reproducible, and afterwards the generators are as they were.

    Parameters
    ----------
    seed : int
        At least 0 and below 2**63.
    device : torch.device
        The device that is drawn on, beside the CPU.
    """
    devices = [device] if device.type == "cuda" else []
    # The generators belong to the process: of threads that train at once, one draws
    # at a time, or none would be reproducible.
    with _DRAWING, torch.random.fork_rng(devices=devices):
        if device.type == "cuda":
            with torch.cuda.device(device):
                _seed_here(seed, device)
        else:
            _seed_here(seed, device)
        yield
