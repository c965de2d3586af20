"""Checkpoints on disk: directories of JSON and safetensors that appear whole.

What `fit_loop` hands to `checkpoint` is nested dicts and lists of tensors and plain
values. The tensors go into one safetensors file, everything else, with their names in
their places, into one JSON file. Reading a checkpoint runs no code.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tweetclf.exceptions import ModelFormatError
from tweetclf.utils.files import atomic_directory, sha256_file
from tweetclf.utils.tensors import read_tensors, write_tensors

__all__ = ["Checkpoints", "read_checkpoint", "write_checkpoint"]

_FORMAT = 1
_NAME = re.compile(r"checkpoint-(\d{6,})")


class _Encoder:
    """Plain JSON values, with every tensor put aside under a name."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._names: dict[int, str] = {}

    def encode(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            # JSON knows no NaN and no infinity.
            return value if math.isfinite(value) else {"float": str(value)}
        if isinstance(value, np.generic):
            return self.encode(value.item())
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, Mapping):
            # Optimizers number their parameters; JSON's own keys are all text.
            items = [[self._key(key), self.encode(v)] for key, v in value.items()]
            return {"dict": items}
        if isinstance(value, tuple):
            return {"tuple": [self.encode(item) for item in value]}
        if isinstance(value, list):
            return [self.encode(item) for item in value]
        raise TypeError(
            f"A checkpoint holds tensors and plain values, not {type(value).__name__}."
        )

    @staticmethod
    def _key(key: Any) -> str | int:
        if isinstance(key, str | int):
            return key
        raise TypeError(
            f"The keys of a checkpoint's dicts are str or int. Got {key!r} instead."
        )

    def _tensor(self, tensor: Tensor) -> dict[str, str]:
        # Tied weights are one tensor in a copied state, and one on disk.
        name = self._names.setdefault(id(tensor), f"t{len(self._names)}")
        dtype = str(tensor.dtype).removeprefix("torch.")
        if name not in self.arrays:
            dense = tensor.detach().cpu().contiguous()
            if tensor.dtype == torch.bfloat16:  # which numpy does not have
                dense = dense.view(torch.int16)
            self.arrays[name] = dense.numpy()
        return {"tensor": name, "dtype": dtype}


class _Decoder:
    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = arrays
        self._tensors: dict[str, Tensor] = {}

    def decode(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "dict" in value:
            return {key: self.decode(item) for key, item in value["dict"]}
        if "tuple" in value:
            return tuple(self.decode(item) for item in value["tuple"])
        if "float" in value:
            return float(value["float"])
        return self._tensor(value["tensor"], value["dtype"])

    def _tensor(self, name: str, dtype: str) -> Tensor:
        if name not in self._tensors:
            tensor = torch.from_numpy(self._arrays[name])
            if dtype == "bfloat16":
                tensor = tensor.view(torch.bfloat16)
            self._tensors[name] = tensor
        return self._tensors[name]


def write_checkpoint(folder: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Write a state as a new folder, whole or not at all.

    Parameters
    ----------
    folder : path
        The folder to make; it must not exist, or be empty.
    state : mapping
        Nested dicts, lists and tuples of tensors and plain values.
    """
    encoder = _Encoder()
    encoded = encoder.encode(state)
    with atomic_directory(folder) as temporary:
        tensors = temporary / "tensors.safetensors"
        write_tensors(tensors, encoder.arrays)
        manifest = {
            "format": _FORMAT,
            "sha256": sha256_file(tensors),
            "state": encoded,
        }
        text = json.dumps(manifest, ensure_ascii=False, allow_nan=False)
        (temporary / "checkpoint.json").write_text(text, "utf-8")


def read_checkpoint(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what `write_checkpoint` wrote.

    Parameters
    ----------
    folder : path
        The folder of the checkpoint.

    Returns
    -------
    dict
        The state, equal to what was written, its tensors on the CPU.

    Raises
    ------
    ModelFormatError
        If the folder is no checkpoint, of another format, or damaged.
    """
    place = Path(folder)
    try:
        manifest = json.loads((place / "checkpoint.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFormatError(
            f"{place} is not a checkpoint, or a damaged one: {error}"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise ModelFormatError(
            f"{place} is not a checkpoint of format {_FORMAT}; it was written by "
            "another version. Start the training anew."
        )
    tensors = place / "tensors.safetensors"
    arrays, _ = read_tensors(tensors)
    if sha256_file(tensors) != manifest.get("sha256"):
        raise ModelFormatError(
            f"{tensors} has changed since it was written. Remove {place} to go on from "
            "the checkpoint before it."
        )
    try:
        state = _Decoder(arrays).decode(manifest["state"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFormatError(f"{place} is damaged: {error!r}") from error
    if not isinstance(state, dict):
        raise ModelFormatError(f"{place} is damaged: it holds no state.")
    return state


class Checkpoints:
    """The checkpoints of one training run in one folder, the newest few kept.

    Parameters
    ----------
    folder : path
        Where they are; made when the first one is written.
    keep : int, default=1
        How many to keep.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoints = Checkpoints(folder)
    ...     print(checkpoints.latest())
    ...     checkpoints({"step": 1, "weight": torch.zeros(1)})
    ...     print(checkpoints.latest())
    None
    {'step': 1, 'weight': tensor([0.])}
    """

    def __init__(self, folder: str | os.PathLike[str], *, keep: int = 1) -> None:
        if keep < 1:
            raise ValueError(
                "Checkpoints: the 'keep' parameter must be at least 1. Got "
                f"{keep!r} instead."
            )
        self.folder = Path(folder)
        self.keep = keep

    def _numbered(self) -> list[tuple[int, Path]]:
        if not self.folder.is_dir():
            return []
        found = []
        for path in self.folder.iterdir():
            match = _NAME.fullmatch(path.name)
            if match and path.is_dir():
                found.append((int(match[1]), path))
        return sorted(found)

    def __call__(self, state: Mapping[str, Any]) -> None:
        """Write a state; to be passed to `fit_loop` as `checkpoint`."""
        numbered = self._numbered()
        number = numbered[-1][0] + 1 if numbered else 0
        write_checkpoint(self.folder / f"checkpoint-{number:06d}", state)
        for _, path in numbered[: len(numbered) + 1 - self.keep]:
            # Renamed first: a deletion that is killed leaves no half checkpoint.
            doomed = path.with_name(f".{path.name}.removed")
            path.rename(doomed)
            shutil.rmtree(doomed)

    def latest(self) -> dict[str, Any] | None:
        """Return the newest state, to be passed to `fit_loop` as `resume`."""
        numbered = self._numbered()
        return read_checkpoint(numbered[-1][1]) if numbered else None
