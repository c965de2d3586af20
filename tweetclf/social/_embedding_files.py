"""Embeddings and the states of their training on disk: plain arrays and JSON."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.utils.files import atomic_directory

if TYPE_CHECKING:
    from tweetclf.social._tables import Tables
    from tweetclf.social.embedding import TwHINEmbedding

__all__ = ["EpochFiles", "read_embedding", "write_embedding"]

_FORMAT = 1
_ROWS = 1 << 16
_KINDS = ("user", "post", "relation")


class EpochFiles:
    """The state after the last epoch that was finished; older ones are removed.

    Parameters
    ----------
    folder : Path
        Where it is.
    identity : dict
        What a training must have in common with it to go on from it.
    """

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self._folder = folder
        # As JSON gives it back: tuples are lists there.
        self._identity = json.loads(json.dumps(identity))

    def _epochs(self) -> list[Path]:
        return sorted(self._folder.glob("epoch-[0-9]*"))

    def resume(self, tables: Tables) -> list[float]:
        """Fill the tables with the last state; return the losses so far, or none."""
        found = self._epochs()
        if not found:
            return []
        state = _read_json(found[-1] / "state.json")
        if state.get("identity") != self._identity:
            theirs = state.get("identity") or {}
            differ = [k for k, v in self._identity.items() if theirs.get(k) != v]
            raise DataError(
                f"{self._folder} holds the checkpoint of another training; they differ "
                f"in {', '.join(differ)}. Remove it to start anew."
            )
        tables.read(found[-1])
        return [float(loss) for loss in state["losses"]]

    def write(self, tables: Tables, losses: list[float]) -> None:
        """Write the state after an epoch."""
        older = self._epochs()
        with atomic_directory(self._folder / f"epoch-{len(losses):06d}") as folder:
            tables.write(folder)
            state = {"identity": self._identity, "losses": losses}
            (folder / "state.json").write_text(json.dumps(state), "utf-8")
        for path in older:
            # Renamed first: a deletion that is killed leaves no half checkpoint.
            doomed = path.with_name(f".{path.name}.removed")
            path.rename(doomed)
            shutil.rmtree(doomed)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFormatError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ModelFormatError(f"{path} is damaged: expected a JSON object.")
    return content


def write_embedding(model: TwHINEmbedding, path: Path) -> None:
    """Write a fitted embedding; see `TwHINEmbedding.save`."""
    parameters = model.get_params()
    if not isinstance(parameters["random_state"], int | np.integer):
        parameters["random_state"] = None
    else:
        parameters["random_state"] = int(parameters["random_state"])
    shapes = {}
    with atomic_directory(path) as folder:
        for kind in _KINDS:
            vectors = getattr(model, f"{kind}_vectors_")
            shapes[f"{kind}s"] = list(vectors.shape)
            with (folder / f"{kind}s.f32").open("wb") as file:
                for start in range(0, len(vectors), _ROWS):
                    block = np.asarray(vectors[start : start + _ROWS], dtype="<f4")
                    file.write(np.ascontiguousarray(block).data)
        manifest = {
            "format": _FORMAT,
            "parameters": parameters,
            "actions": list(model.actions_),
            "loss_curve": model.loss_curve_,
            "shapes": shapes,
        }
        text = json.dumps(manifest, ensure_ascii=False, indent=1)
        (folder / "embedding.json").write_text(text, "utf-8")


def read_embedding(cls: type[TwHINEmbedding], path: Path) -> TwHINEmbedding:
    """Open an embedding; see `TwHINEmbedding.load`."""
    if not (path / "embedding.json").is_file():
        raise ModelFormatError(
            f"{path} holds no embedding: there is no embedding.json. Make one with "
            "TwHINEmbedding.save or tweetclf social embed."
        )
    manifest = _read_json(path / "embedding.json")
    if manifest.get("format") != _FORMAT:
        raise ModelFormatError(
            f"{path} is no embedding of format {_FORMAT}; it was written by another "
            "version. Train it anew."
        )
    try:
        model = cls(**manifest["parameters"])
        model.actions_ = tuple(map(str, manifest["actions"]))
        model.loss_curve_ = [float(loss) for loss in manifest["loss_curve"]]
        model.n_iter_ = len(model.loss_curve_)
        for kind in _KINDS:
            n, dim = map(int, manifest["shapes"][f"{kind}s"])
            file = path / f"{kind}s.f32"
            if file.stat().st_size != 4 * n * dim:
                raise ModelFormatError(
                    f"{file} has not the size of {n} x {dim} floats."
                )
            vectors = np.memmap(file, dtype="<f4", mode="r", shape=(n, dim))
            setattr(model, f"{kind}_vectors_", vectors)
    except (OSError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, ModelFormatError):
            raise
        raise ModelFormatError(f"{path} is damaged: {error!r}") from error
    return model
