"""Copies of the state of modules and optimizers, apart from what training changes."""

from __future__ import annotations

from typing import Any

from torch import Tensor

__all__ = ["copy_state"]


def copy_state(value: Any) -> Any:
    """Return a copy on the CPU of nested dicts, lists and tuples of tensors.

    Tensors that share their memory (tied weights) share it in the copy too, so that
    they are neither kept nor written twice.

    Examples
    --------
    >>> import torch
    >>> weight = torch.zeros(2)
    >>> copy = copy_state({"encoder": weight, "decoder": weight, "step": 3})
    >>> copy["encoder"] is copy["decoder"], copy["encoder"] is weight, copy["step"]
    (True, False, 3)
    """
    return _copy(value, {})


def _copy(value: Any, seen: dict[tuple[Any, ...], Tensor]) -> Any:
    if isinstance(value, Tensor):
        key = (
            value.device,
            value.data_ptr(),
            value.dtype,
            tuple(value.shape),
            value.stride(),
        )
        # Empty tensors all have the address 0.
        if value.numel() == 0 or key not in seen:
            seen[key] = value.detach().to("cpu", copy=True)
        return seen[key]
    if isinstance(value, dict):
        return {name: _copy(item, seen) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copy(item, seen) for item in value)
    return value
