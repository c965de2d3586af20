"""Readers of the two formats that ELMo weights are published in."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.modules._elmo_raw import RawElmo, check_ids, read_json
from tweetclf.modules.elmo_config import BYTE_CHARACTERS, ElmoConfig, check_arrays
from tweetclf.utils.optional import import_optional

__all__ = ["read_allennlp", "read_manylangs"]

_FORWARD_BACKWARD = ("forward", "backward")
_ID = re.compile(r"[0-9]{1,9}")


def _section(settings: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    section = settings.get(name)
    if not isinstance(section, dict):
        raise DataError(f"{path} has no section {name!r}.")
    return section


def _get(section: Mapping[str, Any], name: str, path: Path) -> Any:
    if name not in section:
        raise DataError(f"{path} does not say {name!r}.")
    return section[name]


def _checked_config(path: Path, **sizes: Any) -> ElmoConfig:
    # 0 and nothing mean in the released code that there is no clipping.
    for name in ("cell_clip", "projection_clip"):
        sizes[name] = sizes[name] or None
    try:
        return ElmoConfig(**sizes)
    except ModelFormatError as error:
        raise DataError(f"{path}: {error}") from error


def read_allennlp(files: Mapping[str, Path], *, caller: str) -> RawElmo:
    """Read AllenNLP's ``options.json`` and ``weights.hdf5``, as bilm-tf writes them.

    Parameters
    ----------
    files : mapping of str to Path
        ``options`` and ``weights``.
    caller : str
        Who needs them, for the error if h5py is missing.

    Returns
    -------
    RawElmo
        The network.

    Raises
    ------
    DataError
        If a file is damaged or does not fit the other.
    """
    options_path, path = files["options"], files["weights"]
    config = _allennlp_config(options_path)
    h5py = import_optional("h5py", extra="neural", caller=caller)
    try:
        with h5py.File(path, "r") as file:
            arrays = _allennlp_arrays(config, _Datasets(h5py, file, path))
    except OSError as error:
        raise DataError(f"{path} cannot be read as HDF5: {error}.") from error
    return _finish(path, config, arrays, source="allennlp")


def _allennlp_config(path: Path) -> ElmoConfig:
    options = read_json(path)
    lstm, cnn = _section(options, "lstm", path), _section(options, "char_cnn", path)
    if not lstm.get("use_skip_connections"):
        raise DataError(
            f"{path}: a network without 'use_skip_connections' was never published "
            "and cannot be read."
        )
    return _checked_config(
        path,
        n_characters=BYTE_CHARACTERS,
        char_dim=_get(_section(cnn, "embedding", path), "dim", path),
        filters=_get(cnn, "filters", path),
        n_highway=_get(cnn, "n_highway", path),
        activation=_get(cnn, "activation", path),
        projection_dim=_get(lstm, "projection_dim", path),
        cell_dim=_get(lstm, "dim", path),
        n_layers=_get(lstm, "n_layers", path),
        cell_clip=lstm.get("cell_clip"),
        projection_clip=lstm.get("proj_clip"),
        max_characters=_get(cnn, "max_characters_per_token", path),
    )


class _Datasets:
    """Reads datasets of an HDF5 file, of a given shape only."""

    def __init__(self, h5py: Any, file: Any, path: Path) -> None:
        self._h5py, self._file, self._path = h5py, file, path

    def read(self, name: str, *shape: int) -> np.ndarray:
        try:
            dataset = self._file[name]
        except KeyError:
            raise DataError(f"{self._path} has no dataset {name!r}.") from None
        if not isinstance(dataset, self._h5py.Dataset):
            raise DataError(f"{self._path}: {name!r} is no dataset.")
        if dataset.shape != shape or dataset.dtype.kind != "f":
            raise DataError(
                f"{self._path}: {name!r} is {dataset.dtype} of shape {dataset.shape}; "
                f"the options call for floats of shape {shape}."
            )
        return np.asarray(dataset[...], dtype=np.float32)


def _allennlp_arrays(config: ElmoConfig, file: _Datasets) -> dict[str, np.ndarray]:
    n, size, cell = config.n_filters, config.projection_dim, config.cell_dim
    # The file has no row for 0, the id of what is not there.
    known = file.read("char_embed", config.n_characters - 1, config.char_dim)
    arrays = {"encoder.characters.weight": np.pad(known, ((1, 0), (0, 0)))}
    for k, (width, number) in enumerate(config.filters):
        weight = file.read(f"CNN/W_cnn_{k}", 1, width, config.char_dim, number)
        arrays[f"encoder.convolutions.{k}.weight"] = weight[0].transpose(2, 1, 0)
        arrays[f"encoder.convolutions.{k}.bias"] = file.read(f"CNN/b_cnn_{k}", number)
    for k in range(config.n_highway):
        layer = f"CNN_high_{k}"
        # bilm-tf: t h + (1 - t) x with t = sigmoid(W_carry x + b_carry); ours is
        # g x + (1 - g) h, and sigmoid(-z) = 1 - sigmoid(z).
        arrays[f"encoder.highways.{k}.weight"] = np.concatenate(
            [
                file.read(f"{layer}/W_transform", n, n).T,
                -file.read(f"{layer}/W_carry", n, n).T,
            ]
        )
        arrays[f"encoder.highways.{k}.bias"] = np.concatenate(
            [
                file.read(f"{layer}/b_transform", n),
                -file.read(f"{layer}/b_carry", n),
            ]
        )
    arrays["encoder.projection.weight"] = file.read("CNN_proj/W_proj", n, size).T
    arrays["encoder.projection.bias"] = file.read("CNN_proj/b_proj", size)
    for number, direction in enumerate(_FORWARD_BACKWARD):
        for k in range(config.n_layers):
            source = f"RNN_{number}/RNN/MultiRNNCell/Cell{k}/LSTMCell"
            prefix = f"{direction}_layers.{k}"
            weight = file.read(f"{source}/W_0", 2 * size, 4 * cell)
            weight = _torch_gates(weight.T, cell)
            bias = _torch_gates(file.read(f"{source}/B", 4 * cell), cell)
            # TensorFlow adds 1 to the forget gate when it computes.
            bias[cell : 2 * cell] += 1.0
            arrays[f"{prefix}.input.weight"] = weight[:, :size]
            arrays[f"{prefix}.hidden.weight"] = weight[:, size:]
            arrays[f"{prefix}.hidden.bias"] = bias
            arrays[f"{prefix}.projection.weight"] = file.read(
                f"{source}/W_P_0", cell, size
            ).T
    return arrays


def _torch_gates(rows: np.ndarray, cell: int) -> np.ndarray:
    """Put the gates of TensorFlow, i, g, f, o, into torch's order i, f, g, o."""
    i, g, f, o = (rows[k * cell : (k + 1) * cell] for k in range(4))
    return np.concatenate([i, f, g, o])


def read_manylangs(files: Mapping[str, Path], *, caller: str) -> RawElmo:
    """Read a folder of ELMoForManyLangs.

    Parameters
    ----------
    files : mapping of str to Path
        ``config``, ``char.dic``, ``token_embedder.pkl``, ``encoder.pkl``, and
        ``word.dic`` where there is one. The pickles are read by torch, with
        ``weights_only=True``: nothing in them is executed.
    caller : str
        Who needs them, for the error if torch is missing.

    Returns
    -------
    RawElmo
        The network.

    Raises
    ------
    DataError
        If a file is damaged or does not fit the others.
    """
    path = files["config"]
    settings = read_json(path)
    encoder = _section(settings, "encoder", path)
    embedder = _section(settings, "token_embedder", path)
    for section, name in ((encoder, "elmo"), (embedder, "cnn")):
        if str(section.get("name")).lower() != name:
            raise DataError(
                f"{path} describes a {section.get('name')!r} network; only "
                f"{name!r} can be read."
            )
    torch = import_optional("torch", extra="neural", caller=caller)
    characters = _read_dictionary(files["char.dic"])
    words = None
    if embedder.get("word_dim"):
        if "word.dic" not in files:
            raise DataError(
                f"{path.parent} has no word.dic, which {path.name} asks for."
            )
        words = _read_dictionary(files["word.dic"])
    tokens = _StateDict(torch, files["token_embedder.pkl"])
    lstms = _StateDict(torch, files["encoder.pkl"])
    config = _checked_config(
        path,
        n_characters=tokens.n_rows("char_emb_layer.embedding.weight"),
        char_dim=_get(embedder, "char_dim", path),
        filters=_get(embedder, "filters", path),
        n_highway=_get(embedder, "n_highway", path),
        activation=_get(embedder, "activation", path),
        n_words=tokens.n_rows("word_emb_layer.embedding.weight") if words else 0,
        word_dim=embedder.get("word_dim") or 0,
        projection_dim=_get(encoder, "projection_dim", path),
        cell_dim=_get(encoder, "dim", path),
        n_layers=_get(encoder, "n_layers", path),
        cell_clip=encoder.get("cell_clip"),
        projection_clip=encoder.get("proj_clip"),
        max_characters=_get(embedder, "max_characters_per_token", path),
    )
    arrays = {}
    for name in config.shapes():
        their_name, of_lstm = _manylangs_name(name)
        arrays[name] = (lstms if of_lstm else tokens).read(their_name)
    return _finish(path.parent, config, arrays, characters, words, source="manylangs")


_RENAMED: tuple[tuple[str, str], ...] = (
    ("encoder.characters.", "char_emb_layer.embedding."),
    ("encoder.words.", "word_emb_layer.embedding."),
    ("encoder.highways.", "highways._layers."),
    ("encoder.", ""),
    ("forward_layers.", "forward_layer_"),
    ("backward_layers.", "backward_layer_"),
)
_PARTS = (
    (".input.", ".input_linearity."),
    (".hidden.", ".state_linearity."),
    (".projection.", ".state_projection."),
)


def _manylangs_name(name: str) -> tuple[str, bool]:
    """Return what ELMoForManyLangs calls an array, and whether it is of an LSTM."""
    of_lstm = not name.startswith("encoder.")
    for ours, theirs in _RENAMED:
        if name.startswith(ours):
            name = theirs + name.removeprefix(ours)
            break
    for ours, theirs in _PARTS if of_lstm else ():
        name = name.replace(ours, theirs)
    return name, of_lstm


class _StateDict:
    """Tensors of a file that torch.save wrote."""

    def __init__(self, torch: Any, path: Path) -> None:
        self._path = path
        try:
            with warnings.catch_warnings():
                # Of pickle protocols that it may not know all of; it then refuses.
                warnings.simplefilter("ignore", UserWarning)
                loaded = torch.load(path, map_location="cpu", weights_only=True)
        except (
            pickle.UnpicklingError,
            AttributeError,
            EOFError,
            KeyError,
            OSError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataError(
                f"{path} cannot be read as the tensors of a network: {said}"
            ) from error
        if not isinstance(loaded, Mapping) or not all(
            isinstance(tensor, torch.Tensor) for tensor in loaded.values()
        ):
            raise DataError(f"{path} holds something else than named tensors.")
        self._tensors = loaded

    def read(self, name: str) -> np.ndarray:
        if name not in self._tensors:
            raise DataError(f"{self._path} has no tensor {name!r}.")
        tensor = self._tensors[name]
        if not tensor.is_floating_point():
            raise DataError(f"{self._path}: {name!r} holds {tensor.dtype}.")
        array: np.ndarray = tensor.detach().float().numpy()
        return array

    def n_rows(self, name: str) -> int:
        return len(self.read(name))


def _read_dictionary(path: Path) -> dict[str, int]:
    """Read lines of a text, a tab and its id, as ELMoForManyLangs does.

    A text that is white space loses it there, and is then taken for U+3000.
    """
    ids: dict[str, int] = {}
    try:
        # Not read_text: characters that end a line elsewhere are entries here.
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        fields = line.strip().split("\t")
        if len(fields) == 1:
            fields.insert(0, "\u3000")
        if len(fields) != 2 or not _ID.fullmatch(fields[1]):
            raise DataError(
                f"{path}, line {number}: {line!r} is not a text, a tab and its id."
            )
        ids[fields[0]] = int(fields[1])
    return ids


def _finish(
    path: Path,
    config: ElmoConfig,
    arrays: dict[str, np.ndarray],
    characters: dict[str, int] | None = None,
    words: dict[str, int] | None = None,
    *,
    source: str,
) -> RawElmo:
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    try:
        check_arrays(config, arrays)
        check_ids(config, characters, words)
    except ModelFormatError as error:
        raise DataError(f"{path}: {error}.") from error
    return RawElmo(config, arrays, characters, words, source=source)
