"""Files of ELMo weights: our own, and finding out whose another one is.

Our own are a folder with ``elmo.json`` (sizes, where the weights come from, the
checksum of the arrays) and ``elmo.safetensors``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.modules._elmo_published import read_allennlp, read_manylangs
from tweetclf.modules._elmo_raw import RawElmo, check_ids, read_json
from tweetclf.modules.elmo_config import ElmoConfig, check_arrays
from tweetclf.utils.files import sha256_bytes, sha256_file
from tweetclf.utils.strings import pack_strings, unpack_strings
from tweetclf.utils.tensors import read_tensors, write_tensors

__all__ = [
    "ElmoFiles",
    "RawElmo",
    "check_ids",
    "find_elmo",
    "read_elmo",
    "write_elmo",
]

_FORMAT = "tweetclf-elmo"
_FORMAT_VERSION = 1
_MANIFEST = "elmo.json"
_ARRAYS = "elmo.safetensors"
_VOCABULARIES = ("characters", "words")


@dataclass(frozen=True)
class ElmoFiles:
    """Where the weights of an ELMo network are.

    Parameters
    ----------
    kind : {"tweetclf", "allennlp", "manylangs"}
        In which format.
    files : mapping of str to Path
        The files, by what they hold.
    """

    kind: str
    files: Mapping[str, Path] = field(default_factory=dict)

    def digest(self) -> str:
        """Return the sha256 of the sha256s of all files."""
        sums = [f"{name} {sha256_file(path)}" for name, path in self.files.items()]
        return sha256_bytes("\n".join(sums).encode())


def find_elmo(path: str | os.PathLike[str]) -> ElmoFiles:
    """Find out in which format the weights at `path` are.

    Parameters
    ----------
    path : path
        A folder made by ``tweetclf pretrain elmo``; a folder of ELMoForManyLangs; or,
        of AllenNLP, the file of weights (``.hdf5``) with the options (``.json``)
        beside it, or a folder that holds just these two.

    Returns
    -------
    ElmoFiles
        The format and its files.

    Raises
    ------
    DataError
        If there is nothing, or nothing of the kind.
    """
    target = Path(path)
    if target.is_file():
        return _allennlp(target.parent, weights=target)
    if not target.is_dir():
        raise DataError(
            f"There are no ELMo weights at {target}: no such file or folder."
        )
    if (target / _MANIFEST).is_file():
        names = (_MANIFEST, _ARRAYS)
        return ElmoFiles("tweetclf", {name: target / name for name in names})
    if (target / "encoder.pkl").is_file() or (target / "char.dic").is_file():
        return _manylangs(target)
    if any(_with_ending(target, ".hdf5", ".h5")):
        return _allennlp(target)
    raise DataError(
        f"{target} holds no ELMo weights. Expected {_MANIFEST} (tweetclf pretrain "
        "elmo), char.dic and encoder.pkl (ELMoForManyLangs), or a .hdf5 and an options "
        ".json (AllenNLP)."
    )


def _with_ending(folder: Path, *endings: str) -> list[Path]:
    return sorted(
        p for p in folder.iterdir() if p.suffix.lower() in endings and p.is_file()
    )


def _allennlp(folder: Path, weights: Path | None = None) -> ElmoFiles:
    if weights is None:
        found = _with_ending(folder, ".hdf5", ".h5")
        if len(found) != 1:
            raise DataError(
                f"{folder} holds {len(found)} files of ELMo weights: "
                f"{[p.name for p in found]}. Pass the path of one of them."
            )
        weights = found[0]
    options = _with_ending(folder, ".json")
    # Published pairs differ in one word: ..._weights.hdf5 and ..._options.json.
    named = [p for p in options if p.stem == weights.stem.replace("weights", "options")]
    if len(named or options) != 1:
        raise DataError(
            f"{weights} needs its options beside it: one .json, or one whose name is "
            f"that of the weights with 'options' for 'weights'. Found "
            f"{[p.name for p in options]}."
        )
    return ElmoFiles("allennlp", {"options": (named or options)[0], "weights": weights})


def _manylangs(folder: Path) -> ElmoFiles:
    settings = read_json(folder / "config.json")
    named = settings.get("config_path")
    if not isinstance(named, str) or not named:
        raise DataError(f"{folder / 'config.json'} has no 'config_path'.")
    # Published folders name a path on the machine that made them; nothing outside of
    # this one is read.
    name = Path(named.replace("\\", "/")).name
    places = [folder / "configs" / name, folder / name]
    config = next((p for p in places if p.is_file()), None)
    if config is None:
        raise DataError(
            f"{folder / 'config.json'} names the configuration {named!r}, and there is "
            f"neither {places[0]} nor {places[1]}. It is in the folder configs of "
            "HIT-SCIR/ELMoForManyLangs; put it at the first of these."
        )
    files = {"config": config}
    for name in ("char.dic", "word.dic", "token_embedder.pkl", "encoder.pkl"):
        # Some networks know no whole words, and have no list of them.
        if (folder / name).is_file() or name != "word.dic":
            files[name] = folder / name
    missing = [str(p) for p in files.values() if not p.is_file()]
    if missing:
        raise DataError(f"{folder} is incomplete: there is no {', '.join(missing)}.")
    return ElmoFiles("manylangs", files)


def read_elmo(found: ElmoFiles, *, caller: str) -> RawElmo:
    """Read weights; nothing in the files is executed.

    Parameters
    ----------
    found : ElmoFiles
        Where they are.
    caller : str
        Who needs them, for the error of a missing package.

    Returns
    -------
    RawElmo
        Sizes, weights and vocabularies, checked.

    Raises
    ------
    DataError
        If a file is damaged or does not fit the others; the message names it.
    """
    if found.kind == "allennlp":
        return read_allennlp(found.files, caller=caller)
    if found.kind == "manylangs":
        return read_manylangs(found.files, caller=caller)
    return _read_own(found.files)


def write_elmo(
    folder: str | os.PathLike[str], raw: RawElmo, metadata: Mapping[str, Any]
) -> None:
    """Write weights to an existing folder, in our own format.

    Parameters
    ----------
    folder : path
        The folder.
    raw : RawElmo
        The weights.
    metadata : mapping
        What else to keep: how they were learnt. Anything that JSON can hold.
    """
    arrays = dict(raw.arrays)
    for name in _VOCABULARIES:
        vocabulary = getattr(raw, name)
        if vocabulary is not None:
            text, lengths = pack_strings(list(vocabulary))
            ids = np.fromiter(vocabulary.values(), np.int64, count=len(vocabulary))
            arrays |= {
                f"{name}.text": text,
                f"{name}.lengths": lengths,
                f"{name}.ids": ids,
            }
    path = Path(folder) / _ARRAYS
    write_tensors(path, arrays)
    manifest = {
        "format": _FORMAT,
        "format_version": _FORMAT_VERSION,
        "source": raw.source,
        "network": raw.config.to_dict(),
        "metadata": dict(metadata),
        "files": {_ARRAYS: {"sha256": sha256_file(path), "bytes": path.stat().st_size}},
    }
    written = json.dumps(manifest, indent=1, allow_nan=False) + "\n"
    (Path(folder) / _MANIFEST).write_text(written, encoding="ascii")


def _read_own(files: Mapping[str, Path]) -> RawElmo:
    path, arrays_path = files[_MANIFEST], files[_ARRAYS]
    manifest = read_json(path)
    if manifest.get("format") != _FORMAT:
        raise DataError(f"{path} does not describe ELMo weights of tweetclf.")
    version = manifest.get("format_version")
    if version != _FORMAT_VERSION:
        raise DataError(
            f"{path} has version {version} of the format of ELMo weights; this "
            f"tweetclf reads version {_FORMAT_VERSION}. Upgrade tweetclf."
        )
    if not arrays_path.is_file():
        raise DataError(f"{path.parent} is incomplete: it has no {_ARRAYS}.")
    expected = manifest.get("files")
    found = {
        _ARRAYS: {
            "sha256": sha256_file(arrays_path),
            "bytes": arrays_path.stat().st_size,
        }
    }
    if expected != found:
        raise DataError(
            f"{arrays_path} is damaged: expected {expected}, found {found}."
        )
    try:
        arrays, _ = read_tensors(arrays_path)
        config = ElmoConfig.from_dict(manifest.get("network", {}))
        vocabularies = {name: _vocabulary(arrays, name) for name in _VOCABULARIES}
        check_arrays(config, arrays)
        check_ids(config, **vocabularies)
        metadata = manifest.get("metadata")
        if not isinstance(metadata, dict):
            raise ValueError(f"its metadata are {metadata!r}")
    except (ModelFormatError, KeyError, ValueError) as error:
        raise DataError(f"{path.parent} is damaged: {error}.") from error
    return RawElmo(
        config,
        arrays,
        source=str(manifest.get("source")),
        metadata=metadata,
        **vocabularies,
    )


def _vocabulary(arrays: dict[str, np.ndarray], name: str) -> dict[str, int] | None:
    """Take a vocabulary out of the arrays, if there is one."""
    if f"{name}.text" not in arrays:
        return None
    text, lengths, ids = (
        arrays.pop(f"{name}.{part}") for part in ("text", "lengths", "ids")
    )
    return dict(zip(unpack_strings(text, lengths), ids.tolist(), strict=True))
