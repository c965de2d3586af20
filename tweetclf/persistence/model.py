"""Save fitted estimators to directories and load them without running their code."""

from __future__ import annotations

import json
import os
import platform
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from tweetclf._version import __version__
from tweetclf.exceptions import ModelFormatError, TweetclfWarning
from tweetclf.utils.files import atomic_directory, sha256_bytes, sha256_file
from tweetclf.utils.tensors import read_tensors, write_tensors

__all__ = [
    "FORMAT_VERSION",
    "ModelInfo",
    "StoredModel",
    "load",
    "model_info",
    "open_model",
    "save",
]

FORMAT = "tweetclf-model"
FORMAT_VERSION = 1
MANIFEST = "model.json"
ARRAYS = "arrays.safetensors"
_KEYS = {
    "checksum",
    "estimator",
    "files",
    "format",
    "format_version",
    "metadata",
    "profiles",
    "versions",
}
# The manifest holds no arrays: one larger than this is not ours.
_MAX_MANIFEST = 256 * 1024 * 1024


@dataclass(frozen=True)
class ModelInfo:
    """What a model directory says of itself.

    Parameters
    ----------
    path : Path
        The directory.
    estimator : str
        Type of the estimator.
    versions : mapping of str to str
        Versions of tweetclf, scikit-learn, NumPy, SciPy and Python it was saved with.
    profiles : tuple of str
        Preprocessing profiles of its parts, as ``name@version``.
    metadata : mapping
        As given to :func:`save`.
    n_bytes : int
        Size of its files.
    """

    path: Path
    estimator: str
    versions: Mapping[str, str] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    n_bytes: int = 0


def save(
    estimator: Any,
    path: str | os.PathLike[str],
    *,
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Save an estimator to a directory that :func:`load` reads.

    The directory holds ``model.json`` (versions, parameters, preprocessing options,
    the tree of parts) and ``arrays.safetensors``. It appears whole or not at all.

    Parameters
    ----------
    estimator : estimator
        A pipeline or estimator made of the types that tweetclf and scikit-learn
        offer for text; own functions and classes are refused.
    path : path
        The directory to make. If it exists, it must be empty.
    metadata : mapping, optional
        Anything that JSON can hold, to be kept with the model.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    ModelFormatError
        If a part is of a type that models may not hold; the message names it.
    FileExistsError
        If `path` exists and is not an empty directory.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from tweetclf.features import NgramTfidfVectorizer
    >>> from tweetclf.persistence import load, save
    >>> model = make_pipeline(NgramTfidfVectorizer(), LogisticRegression())
    >>> model = model.fit(["jaja", "qué pena"], ["P", "N"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = load(save(model, folder + "/model"))
    >>> again.predict(["jaja jaja"]).tolist()
    ['P']
    """
    # NumPy, SciPy and scikit-learn are loaded by whoever saves or loads.
    from tweetclf.persistence.encode import Encoder

    encoder = Encoder()
    try:
        node = encoder.encode(estimator, "estimator")
    except RecursionError:
        raise ModelFormatError("the estimator is nested too deeply") from None
    if not isinstance(node, dict) or node.get("$") != "object":
        raise ModelFormatError(
            f"save expected an estimator; got a {type(estimator).__name__}."
        )
    with atomic_directory(path) as folder:
        arrays = folder / ARRAYS
        write_tensors(arrays, encoder.arrays)
        manifest = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "versions": _versions(),
            "profiles": sorted(encoder.profiles),
            "metadata": _plain(dict(metadata or {})),
            "files": {
                ARRAYS: {
                    "sha256": sha256_file(arrays),
                    "bytes": arrays.stat().st_size,
                }
            },
            "estimator": node,
        }
        (folder / MANIFEST).write_bytes(_sealed(manifest))
    return Path(path)


def load(path: str | os.PathLike[str]) -> Any:
    """Load an estimator that :func:`save` saved; nothing in it is executed.

    Only types of a fixed list are built, and they are filled, not called. Checksums
    of all files are compared first.

    Parameters
    ----------
    path : path
        The directory.

    Returns
    -------
    estimator
        It predicts what the saved one did, bit for bit, with the same versions of
        scikit-learn, NumPy and SciPy.

    Raises
    ------
    ModelFormatError
        If the directory is damaged, is no model, or was saved by a newer tweetclf;
        the message names the file and the reason.
    FileNotFoundError
        If there is no such directory.

    Warns
    -----
    TweetclfWarning
        If the model was saved with another version of scikit-learn.
    """
    return open_model(path).decode()


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A model directory, read and checked, from which nothing is built yet.

    Parameters
    ----------
    folder : Path
        The directory.
    manifest : dict
        Its manifest.
    arrays : dict of str to ndarray
        Its arrays.
    """

    folder: Path
    manifest: dict[str, Any] = field(repr=False)
    arrays: dict[str, Any] = field(repr=False)

    def decode(self) -> Any:
        """Build the estimator; see :func:`load`."""
        from tweetclf.persistence.decode import Decoder

        _warn_about_versions(self.folder, self.manifest["versions"])
        try:
            return Decoder(self.arrays).decode_model(self.manifest["estimator"])
        except ModelFormatError as error:
            raise ModelFormatError(f"{self.folder / MANIFEST}: {error}.") from error


def open_model(path: str | os.PathLike[str]) -> StoredModel:
    """Read a model directory and compare its checksums; see :func:`load`."""
    folder = _folder(path)
    manifest = _read_manifest(folder)
    _check_file(folder, manifest)
    arrays, _ = read_tensors(folder / ARRAYS)
    return StoredModel(folder, manifest, arrays)


def model_info(path: str | os.PathLike[str]) -> ModelInfo:
    """Read what a model directory says of itself, without building the estimator.

    Parameters
    ----------
    path : path
        The directory.

    Returns
    -------
    ModelInfo
        Versions, preprocessing profiles, metadata, size.

    Raises
    ------
    ModelFormatError
        If the manifest is damaged or is not one.
    """
    folder = _folder(path)
    manifest = _read_manifest(folder)
    n_bytes = sum((folder / name).stat().st_size for name in (MANIFEST, ARRAYS))
    return ModelInfo(
        path=folder,
        estimator=manifest["estimator"]["type"],
        versions=manifest["versions"],
        profiles=tuple(manifest["profiles"]),
        metadata=manifest["metadata"],
        n_bytes=n_bytes,
    )


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("scikit-learn", "numpy", "scipy")
    return {
        "tweetclf": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def _plain(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        return json.loads(json.dumps(metadata, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ModelFormatError(
            f"save: the 'metadata' parameter must be what JSON can hold: {error}"
        ) from error


def _dump(manifest: Mapping[str, Any]) -> bytes:
    # ASCII keeps lone surrogates, which tweets do hold.
    return (json.dumps(manifest, indent=1, allow_nan=False) + "\n").encode("ascii")


def _sealed(manifest: dict[str, Any]) -> bytes:
    """Return the manifest with the checksum of itself as its last entry."""
    return _dump({**manifest, "checksum": sha256_bytes(_dump(manifest))})


def _folder(path: str | os.PathLike[str]) -> Path:
    folder = Path(path)
    if not folder.exists():
        raise FileNotFoundError(f"There is no model at {folder}.")
    if not (folder / MANIFEST).is_file():
        raise ModelFormatError(
            f"{folder} is not a model directory of tweetclf: it has no {MANIFEST}."
        )
    return folder


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if path.stat().st_size > _MAX_MANIFEST:
        raise ModelFormatError(f"{path} is too large to be a manifest of tweetclf.")
    data = path.read_bytes()
    try:
        manifest = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ModelFormatError(f"{path} is damaged: {error}.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelFormatError(f"{path} is not a manifest of a tweetclf model.")
    found = manifest.get("format_version")
    if type(found) is not int or found < 1:
        raise ModelFormatError(f"{path} is damaged: its format version is {found!r}.")
    if found > FORMAT_VERSION:
        raise ModelFormatError(
            f"{path} has format version {found}; this tweetclf ({__version__}) reads "
            f"versions up to {FORMAT_VERSION}. Upgrade tweetclf."
        )
    # The seal covers every byte, white space and order of keys included.
    body = {key: value for key, value in manifest.items() if key != "checksum"}
    try:
        intact = data == _sealed(body)
    except (ValueError, RecursionError):
        intact = False
    if not intact or set(manifest) != _KEYS:
        raise ModelFormatError(
            f"{path} is damaged: it does not match the checksum that it holds."
        )
    estimator = manifest["estimator"]
    if not isinstance(estimator, dict) or not isinstance(estimator.get("type"), str):
        raise ModelFormatError(f"{path} describes no estimator.")
    if not _is_flat(manifest):
        raise ModelFormatError(f"{path} is damaged: an entry has the wrong type.")
    return manifest


def _is_flat(manifest: dict[str, Any]) -> bool:
    versions, profiles = manifest["versions"], manifest["profiles"]
    return (
        isinstance(manifest["metadata"], dict)
        and isinstance(versions, dict)
        and all(isinstance(v, str) for v in versions.values())
        and isinstance(profiles, list)
        and all(isinstance(p, str) for p in profiles)
    )


def _check_file(folder: Path, manifest: dict[str, Any]) -> None:
    # The only name is ours: the manifest cannot point to any other file.
    path = folder / ARRAYS
    expected = manifest["files"]
    if not isinstance(expected, dict) or set(expected) != {ARRAYS}:
        raise ModelFormatError(f"{folder / MANIFEST} lists other files than {ARRAYS}.")
    if not path.is_file():
        raise ModelFormatError(f"{folder} is incomplete: it has no {ARRAYS}.")
    found = {"sha256": sha256_file(path), "bytes": path.stat().st_size}
    if found != expected[ARRAYS]:
        raise ModelFormatError(
            f"{path} is damaged: expected {expected[ARRAYS]}, found {found}."
        )


def _warn_about_versions(folder: Path, versions: Mapping[str, str]) -> None:
    from importlib.metadata import version

    name = "scikit-learn"
    saved, here = versions.get(name), version(name)
    if saved != here:
        warnings.warn(
            f"{folder} was saved with {name} {saved}; this is {here}. Predictions may "
            "differ: compare them, or fit again.",
            TweetclfWarning,
            stacklevel=4,
        )
