"""A causal language model at rest: its sizes, pieces and weights, and their folder.

Nothing here needs torch. A folder holds ``config.json``, which names the other files
with their sha256, ``tokenizer.model`` (SentencePiece) and ``model.safetensors``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tweetclf.exceptions import ModelFormatError
from tweetclf.pretraining._setting_checks import (
    check_choice,
    check_count,
    check_flag,
)
from tweetclf.pretraining.tokenizer import SentencePieceTokenizer
from tweetclf.utils.files import atomic_directory, sha256_file
from tweetclf.utils.tensors import read_tensors, write_tensors

__all__ = ["LanguageModel", "LanguageModelConfig", "load_language_model"]

_FORMAT = "tweetclf-language-model"
_VERSION = 1
_WEIGHTS = "model.safetensors"
_PIECES = "tokenizer.model"
_MAX_SIZE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class LanguageModelConfig:
    """Sizes of a language model; the defaults are those of the HAHA 2019 system.

    Parameters
    ----------
    vocab_size : int, default=30000
        Most pieces of the tokenizer, if one is to be learnt.
    emb_size : int, default=400
        Width of the embedding, and of the last layer, which shares its weights.
    hidden_size : int, default=2304
        Width of the layers between.
    n_layers : int, default=3
        Recurrent layers.
    cell : {"qrnn", "lstm"}, default="qrnn"
        What they are.
    save_prev_x : bool, default=False
        Let the first QRNN layer see, at the start of a piece of the stream, the last
        token of the piece before. fastai 1.0.52 meant to and did not.
    passes : int, default=2
        How often the cleaning rules are applied.
    xxnl : bool, default=False
        Whether the mark of line ends is a symbol of the tokenizer.
    """

    vocab_size: int = 30_000
    emb_size: int = 400
    hidden_size: int = 2304
    n_layers: int = 3
    cell: str = "qrnn"
    save_prev_x: bool = False
    passes: int = 2
    xxnl: bool = False

    def __post_init__(self) -> None:
        owner = type(self).__name__
        for name in ("vocab_size", "emb_size", "hidden_size", "n_layers", "passes"):
            self._put(name, check_count(owner, name, getattr(self, name), _MAX_SIZE))
        for name in ("save_prev_x", "xxnl"):
            self._put(name, check_flag(owner, name, getattr(self, name)))
        self._put("cell", check_choice(owner, "cell", self.cell, ("qrnn", "lstm")))

    def _put(self, name: str, value: Any) -> None:
        # Plain values, which JSON has: NumPy's come from grids.
        object.__setattr__(self, name, value)


@dataclass(eq=False)
class LanguageModel:
    """A trained language model.

    Parameters
    ----------
    config : LanguageModelConfig
        Its sizes.
    tokenizer : SentencePieceTokenizer
        Its pieces.
    state : dict of str to ndarray
        Weights of a :class:`tweetclf.modules.awd.AWDLanguageModel`, by name.
    history : list of dict, default=[]
        What its training measured, one dict an epoch, without timings.
    """

    config: LanguageModelConfig
    tokenizer: SentencePieceTokenizer
    state: Mapping[str, NDArray[Any]]
    history: list[dict[str, Any]] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"LanguageModel({self.config}, {len(self.history)} epochs)"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model as a folder, whole or not at all.

        Parameters
        ----------
        path : path
            A folder that does not exist, or is empty.

        Raises
        ------
        FileExistsError
            If there is something at `path`.
        """
        with atomic_directory(path) as folder:
            write_tensors(folder / _WEIGHTS, self.state)
            (folder / _PIECES).write_bytes(self.tokenizer.model.tobytes())
            document = {
                "format": _FORMAT,
                "version": _VERSION,
                "config": asdict(self.config),
                "history": self.history,
                "files": {
                    name: sha256_file(folder / name) for name in (_WEIGHTS, _PIECES)
                },
            }
            text = json.dumps(document, indent=2, allow_nan=False) + "\n"
            (folder / "config.json").write_text(text, "utf-8", newline="\n")


def load_language_model(path: str | os.PathLike[str]) -> LanguageModel:
    """Read a folder that :meth:`LanguageModel.save` wrote.

    Parameters
    ----------
    path : path
        The folder.

    Returns
    -------
    LanguageModel
        The model. No code of the folder is run.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ModelFormatError
        If it is no language model, or a file of it is damaged.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no language model at {folder}. Make one with "
            '"tweetclf pretrain lm --corpus FILE --out DIR".'
        )
    document = _read_document(folder)
    try:
        config = _config(document["config"])
        history = document["history"]
        _check_history(history)
        for name in (_WEIGHTS, _PIECES):
            if sha256_file(folder / name) != document["files"][name]:
                raise ModelFormatError(f"{name} is not the file that was written")
        pieces = (folder / _PIECES).read_bytes()
        tokenizer = SentencePieceTokenizer(pieces, passes=config.passes)
        state, _ = read_tensors(folder / _WEIGHTS)
        _check_state(state, config, len(tokenizer))
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise ModelFormatError(
            f"{folder} cannot be read as a language model: {error}"
        ) from error
    return LanguageModel(config, tokenizer, state, history)


def _read_document(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFormatError(
            f"{folder} is no language model of tweetclf: {path.name}: {error}"
        ) from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise ModelFormatError(
            f"{folder} is no language model of tweetclf: {path.name} is of another "
            "format."
        )
    if document.get("version") != _VERSION:
        raise ModelFormatError(
            f"{folder} has version {document.get('version')!r} of the format; this "
            f"tweetclf reads {_VERSION}."
        )
    return document


def _config(values: Any) -> LanguageModelConfig:
    known = {entry.name for entry in fields(LanguageModelConfig)}
    if not isinstance(values, dict) or set(values) != known:
        raise ModelFormatError(f"its config does not hold {', '.join(sorted(known))}")
    return LanguageModelConfig(**values)


def _check_history(history: Any) -> None:
    sound = isinstance(history, list) and all(
        isinstance(epoch, dict)
        and all(isinstance(value, int | float) for value in epoch.values())
        for epoch in history
    )
    if not sound:
        raise ModelFormatError("its history is no list of numbers by name")


def _check_state(
    state: Mapping[str, NDArray[Any]], config: LanguageModelConfig, n_pieces: int
) -> None:
    """Refuse weights that are no numbers, or of another vocabulary.

    What else has to fit is seen when the weights are put into a module.
    """
    for name, array in state.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ModelFormatError(f"the weights {name!r} are not finite numbers")
    shape = (n_pieces, config.emb_size)
    if not any(array.shape == shape for array in state.values()):
        raise ModelFormatError(
            f"it has no embedding of {n_pieces} pieces and width {config.emb_size}"
        )
