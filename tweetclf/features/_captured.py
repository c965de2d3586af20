"""Pretrained models kept in memory as plain data, and made again from it."""

from __future__ import annotations

import importlib
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import ModelFormatError
from tweetclf.features._pretrained import LOAD_ERRORS, Pretrained, first_line
from tweetclf.utils.hugging_face import quiet_transformers
from tweetclf.utils.optional import import_optional

__all__ = [
    "capture",
    "check_captured",
    "rebuild",
    "rebuild_model",
    "rebuild_tokenizer",
]

# Names that transformers writes for tokenizers; none of them can hold code.
_TOKENIZER_FILE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_.-]*\.(?:json|txt|model|bpe|spm|jinja)", re.ASCII
)


def capture(model: Any, tokenizer: Any) -> dict[str, Any]:
    """Return a model and its tokenizer as plain data: text, bytes and arrays.

    Returns
    -------
    dict
        "architecture" (name of the class), "config" (JSON), "files" (name -> uint8
        array) and "weights" (name -> array), to be given to `rebuild`.
    """
    with tempfile.TemporaryDirectory(prefix="tweetclf-") as name, quiet_transformers():
        tokenizer.save_pretrained(name)
        files = {
            path.name: np.frombuffer(_file_bytes(path), np.uint8).copy()
            for path in sorted(Path(name).iterdir())
            if path.is_file()
        }
    weights = {}
    for key, tensor in model.state_dict().items():
        tensor = tensor.detach().cpu()
        if tensor.is_floating_point() and tensor.itemsize < 4:
            tensor = tensor.float()
        weights[key] = tensor.numpy()
    return {
        "architecture": type(model).__name__,
        "config": model.config.to_json_string(use_diff=False),
        "files": files,
        "weights": weights,
    }


def _file_bytes(path: Path) -> bytes:
    """Return a tokenizer's file without the padding and cutting of its last call."""
    data = path.read_bytes()
    if path.name != "tokenizer.json":
        return data
    values = json.loads(data)
    if values.get("padding") is None and values.get("truncation") is None:
        return data
    values |= {"padding": None, "truncation": None}
    return json.dumps(values, indent=2, ensure_ascii=False).encode("utf-8")


def check_captured(state: Any) -> None:
    """Refuse data that `capture` would not have made.

    Raises
    ------
    ModelFormatError
        If the parts are of other types, files have odd names, or the configuration
        asks for code.
    """
    fits = (
        isinstance(state, dict)
        and set(state) == {"architecture", "config", "files", "weights"}
        and isinstance(state["architecture"], str)
        and isinstance(state["config"], str)
        and isinstance(state["files"], dict)
        and isinstance(state["weights"], dict)
        and all(
            isinstance(name, str)
            and _TOKENIZER_FILE.fullmatch(name)
            and isinstance(data, np.ndarray)
            and data.dtype == np.uint8
            and data.ndim == 1
            for name, data in state["files"].items()
        )
        and all(
            isinstance(name, str) and isinstance(array, np.ndarray)
            for name, array in state["weights"].items()
        )
    )
    if not fits:
        raise ModelFormatError("a pretrained model is not as tweetclf keeps it")
    texts = [state["config"]]
    texts += [
        data.tobytes().decode("utf-8", "replace")
        for name, data in state["files"].items()
        if name.endswith("config.json")
    ]
    for text in texts:
        try:
            values = json.loads(text)
        except (RecursionError, ValueError) as error:
            raise ModelFormatError(
                f"the configuration of a pretrained model is no JSON: {error}"
            ) from error
        if not isinstance(values, dict) or "auto_map" in values:
            raise ModelFormatError(
                "the configuration of a pretrained model asks for code of its own"
            )


def rebuild(state: Mapping[str, Any], *, caller: str = "rebuild") -> Pretrained:
    """Make the model and tokenizer again that `capture` was given.

    Raises
    ------
    ModelFormatError
        If the data are damaged or of an unknown architecture.
    """
    check_captured(state)
    import_optional("transformers", extra="neural", caller=caller)
    try:
        return _rebuild(state)
    except LOAD_ERRORS as error:
        raise ModelFormatError(
            f"{caller}: a pretrained model of class {state['architecture']!r} cannot "
            f"be made again ({type(error).__name__}: {first_line(error)})."
        ) from error


def _rebuild(state: Mapping[str, Any]) -> Pretrained:
    import torch

    tokenizer = rebuild_tokenizer(state["files"])
    model = rebuild_model(state["architecture"], state["config"])
    weights = {k: torch.from_numpy(np.array(v)) for k, v in state["weights"].items()}
    model.load_state_dict(weights)
    return Pretrained(model.eval(), tokenizer, None)


def rebuild_tokenizer(files: Mapping[str, NDArray[Any]]) -> Any:
    """Make the tokenizer again whose files `capture` kept."""
    import transformers

    with tempfile.TemporaryDirectory(prefix="tweetclf-") as name, quiet_transformers():
        for file, data in files.items():
            (Path(name) / file).write_bytes(data.tobytes())
        return transformers.AutoTokenizer.from_pretrained(
            name, trust_remote_code=False, local_files_only=True
        )


def rebuild_model(architecture: str, config: str) -> Any:
    """Make a model again whose class and configuration `capture` kept.

    Its weights are drawn at random, and are to be replaced.
    """
    import torch
    import transformers

    home: Any = transformers
    if architecture.startswith("TWilBert"):
        home = importlib.import_module("tweetclf.modules.twilbert")
    cls: Any = getattr(home, architecture)
    if not (isinstance(cls, type) and issubclass(cls, transformers.PreTrainedModel)):
        raise TypeError(f"{architecture} is no model")
    # fork_rng puts the generator back that weights are drawn from.
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        config_class: Any = cls.config_class
        return cls(config_class.from_dict(json.loads(config)))
