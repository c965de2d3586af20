"""Arrays in safetensors files: the only place that writes or reads them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tweetclf.exceptions import ModelFormatError

__all__ = ["is_storable", "read_tensors", "write_tensors"]

_DTYPES = frozenset(
    f"{kind}{size}"
    for kind, sizes in (
        ("int", (8, 16, 32, 64)),
        ("uint", (8, 16, 32, 64)),
        ("float", (16, 32, 64)),
    )
    for size in sizes
) | {"bool"}


def is_storable(dtype: np.dtype) -> bool:
    """Tell whether arrays of `dtype` can be written."""
    return dtype.name in _DTYPES


def write_tensors(
    path: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays to a safetensors file.

    Arrays of any memory layout come back equal and in C order: safetensors 0.8
    itself writes wrong values, silently, for arrays that are not C-contiguous.

    Parameters
    ----------
    path : path
        The file to write.
    arrays : mapping of str to ndarray
        Boolean, integer and floating arrays.
    metadata : mapping of str to str, optional
        Kept in the header of the file.
    """
    from safetensors.numpy import save_file

    dense = {}
    for name, array in arrays.items():
        native = array.dtype.newbyteorder("=")
        # ascontiguousarray makes scalars 1-D; reshape gives them their shape back.
        dense[name] = np.ascontiguousarray(array, dtype=native).reshape(array.shape)
    save_file(dense, Path(path), metadata=dict(metadata) if metadata else None)


def read_tensors(
    path: str | os.PathLike[str],
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read all arrays of a safetensors file.

    Returns
    -------
    arrays : dict of str to ndarray
        Writable, in C order.
    metadata : dict of str to str
        Of the header; empty if there is none.

    Raises
    ------
    ModelFormatError
        If the file is missing, truncated or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    arrays = {}
    try:
        with safe_open(Path(path), framework="np") as file:
            metadata = dict(file.metadata() or {})
            for name in file.keys():  # noqa: SIM118 - not a mapping
                arrays[name] = file.get_tensor(name)
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise ModelFormatError(
            f"{path} cannot be read as a safetensors file: {error}"
        ) from error
    return arrays, metadata
