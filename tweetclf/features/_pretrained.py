"""Pretrained models: found by directory or name, loaded and written."""

from __future__ import annotations

import importlib
import json
import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

from tweetclf.exceptions import ModelFormatError
from tweetclf.features._files import MissingFileError
from tweetclf.utils.files import write_text_atomic
from tweetclf.utils.hugging_face import quiet_transformers
from tweetclf.utils.optional import import_optional

__all__ = [
    "PROFILE_FILE",
    "Pretrained",
    "load_pretrained",
    "save_pretrained",
]

PROFILE_FILE = "tweetclf.json"
"""Beside a model: which preprocessing its texts had."""

_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_TOKENIZERS = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
    "tokenizer.model",
)
# What transformers and torch raise on damaged files, or on those that hold code.
LOAD_ERRORS = (
    AttributeError,
    ImportError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    UnpicklingError,
    ValueError,
)
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?", re.ASCII)


class Pretrained(NamedTuple):
    """A model with its tokenizer.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        In evaluation mode.
    tokenizer : transformers.PreTrainedTokenizerBase
        Of the model.
    profile : str or None
        Name of the preprocessing profile that the directory asks for.
    """

    model: Any
    tokenizer: Any
    profile: str | None


def load_pretrained(
    name_or_path: str | os.PathLike[str],
    *,
    auto_class: str = "AutoModel",
    dtype: str = "float32",
    seed: int = 0,
    whole: bool = False,
    caller: str = "load_pretrained",
    **options: Any,
) -> Pretrained:
    """Load a model and its tokenizer, from a directory or by their name on the hub.

    No code of the directory is run. A directory is read as it is; only a name that
    is none, and is not in the hub's cache on this machine, is asked for.

    Parameters
    ----------
    name_or_path : str or path
        A directory as ``save_pretrained`` writes it (or an older one with
        ``pytorch_model.bin`` and ``vocab.txt``), or ``"owner/name"``.
    auto_class : str, default="AutoModel"
        Class of transformers that reads the weights, e.g.
        ``"AutoModelForSequenceClassification"``.
    dtype : str, default="float32"
        Of the weights.
    seed : int, default=0
        Of weights that the checkpoint lacks, as those of a new head.
    whole : bool, default=False
        Whether a head or pooler that the checkpoint lacks is refused, too.
    caller : str, default="load_pretrained"
        Who asks, for messages.
    **options
        Handed on to ``from_pretrained`` of the model, e.g. ``num_labels``.

    Returns
    -------
    Pretrained
        Model, tokenizer and the name of the preprocessing profile or None.

    Raises
    ------
    MissingFileError
        If there is no such model; it is also a FileNotFoundError.
    ModelFormatError
        If it cannot be read, or lacks weights of the encoder (or, if `whole`, any).
    """
    torch = import_optional("torch", extra="neural", caller=caller)
    transformers = import_optional("transformers", extra="neural", caller=caller)
    source, is_directory = _locate(name_or_path, caller)
    from tweetclf.training.devices import seeded

    if is_directory:
        _register_own(Path(source))
    reader = getattr(transformers, auto_class)
    shared = {"trust_remote_code": False}

    def read(**where: Any) -> tuple[Any, dict[str, Any], Any]:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            source, **shared, **where
        )
        # What is drawn anew comes from `seed`; the generator is put back.
        with seeded(seed, torch.device("cpu")):
            model, info = reader.from_pretrained(
                source,
                dtype=getattr(torch, dtype),
                output_loading_info=True,
                **shared,
                **where,
                **options,
            )
        return model, info, tokenizer

    with quiet_transformers():
        if is_directory:
            model, info, tokenizer = _read_directory(read, source, caller)
        else:
            model, info, tokenizer = _read_by_name(read, source, caller)
    _check_loaded(model, info, tokenizer, source, caller)
    if whole and info["missing_keys"]:
        # The head's own weights tell more than a pooler's.
        lacking = min(info["missing_keys"], key=lambda key: ("pooler" in key, key))
        raise ModelFormatError(
            f"{caller}: the model at {source!r} was not learnt as {auto_class} reads "
            f"it: it has no {lacking!r}, which would be random."
        )
    profile = _read_profile(Path(source)) if is_directory else None
    return Pretrained(model.eval(), tokenizer, profile)


def _register_own(folder: Path) -> None:
    """Let transformers know the model of a directory if it is of tweetclf itself."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, RecursionError, ValueError):
        return  # What reads the model says what is wrong.
    if isinstance(config, dict) and config.get("model_type") == "twilbert":
        importlib.import_module("tweetclf.modules.twilbert")


def _locate(name_or_path: str | os.PathLike[str], caller: str) -> tuple[str, bool]:
    """Return the directory, and True; or the name on the hub, and False."""
    name = os.fspath(name_or_path)
    path = Path(name).expanduser()
    if path.is_dir():
        _check_directory(path, caller)
        return str(path), True
    looked_at = path.absolute()
    if path.exists():
        raise MissingFileError(
            f"{caller}: {name!r} is a file; give the directory of the model, with "
            "config.json, the weights and the tokenizer in it."
        )
    if not isinstance(name_or_path, str) or not _HUB_NAME.fullmatch(name):
        raise MissingFileError(
            f"{caller}: there is no directory of a model at {str(looked_at)!r}. Give "
            "one that save_pretrained wrote, or the name of a model on the hub, as "
            '"owner/name".'
        )
    return name, False


def _check_directory(path: Path, caller: str) -> None:
    """Say what a directory lacks."""
    missing = []
    if not (path / "config.json").is_file():
        missing.append("config.json")
    if not any((path / name).is_file() for name in _WEIGHTS):
        missing.append("weights (model.safetensors or pytorch_model.bin)")
    if not any((path / name).is_file() for name in _TOKENIZERS):
        missing.append(
            "a tokenizer (tokenizer.json, vocab.txt or a SentencePiece model)"
        )
    if missing:
        raise MissingFileError(
            f"{caller}: the directory {str(path.absolute())!r} lacks "
            f"{' and '.join(missing)}. A whole one comes from model.save_pretrained "
            "and tokenizer.save_pretrained, or from: hf download OWNER/NAME "
            "--local-dir DIRECTORY."
        )


def _read_directory(read: Any, source: str, caller: str) -> tuple[Any, Any, Any]:
    try:
        return read(local_files_only=True)
    except LOAD_ERRORS as error:
        raise ModelFormatError(
            f"{caller}: the model at {str(Path(source).absolute())!r} cannot be read "
            f"({type(error).__name__}: {first_line(error)})."
        ) from error


def _read_by_name(read: Any, name: str, caller: str) -> tuple[Any, Any, Any]:
    try:
        return read(local_files_only=True)
    # Whatever the hub's client raises, here and below: it has errors of four
    # libraries. This one says that the cache lacks the model.
    except Exception as error:
        cause: Exception = error
    try:
        _require_hub()
        return read()
    except Exception as error:
        cause = error
    raise MissingFileError(
        f"{caller}: {name!r} is no directory (looked at "
        f"{str(Path(name).absolute())!r}) and could not be had from the model hub "
        f"({type(cause).__name__}: {first_line(cause)}). Check the name; where there "
        f"is no network, run elsewhere: hf download {name} --local-dir DIRECTORY, and "
        "give that directory."
    ) from cause


def _require_hub() -> None:
    """Raise OSError at once if the hub is out of reach: its client tries for a minute.

    Where a proxy is set, only the client knows.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise OSError("HF_HUB_OFFLINE is set")
    if not getproxies():
        address = urlsplit(constants.ENDPOINT)
        port = address.port or (80 if address.scheme == "http" else 443)
        with socket.create_connection((address.hostname, port), timeout=10):
            pass


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, without its full stop."""
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".")[:300] if text else "no message"


def _check_loaded(
    model: Any, info: Mapping[str, Any], tokenizer: Any, source: str, caller: str
) -> None:
    """Refuse an encoder that is partly random, and a tokenizer of another model."""
    prefix = f"{model.base_model_prefix}."
    has_head = model.base_model is not model
    lacking = sorted(
        key
        for key in info["missing_keys"]
        # Poolers and heads may be new; the encoder may not.
        if "pooler" not in key and (not has_head or key.startswith(prefix))
    )
    mismatched = sorted(str(key) for key in info.get("mismatched_keys", ()))
    if lacking or mismatched:
        raise ModelFormatError(
            f"{caller}: the weights at {source!r} do not fit its config.json: "
            f"{len(lacking) + len(mismatched)} are missing or of another shape, as "
            f"{(lacking or mismatched)[0]!r}. The encoder would be random."
        )
    n_known = model.get_input_embeddings().num_embeddings
    special = {i for i in tokenizer.all_special_ids if i is not None}
    if len(tokenizer) <= len(special):
        raise ModelFormatError(
            f"{caller}: the tokenizer at {source!r} knows special tokens only; its "
            "vocabulary is missing or in another place."
        )
    if max(special, default=0) >= n_known:
        raise ModelFormatError(
            f"{caller}: the tokenizer at {source!r} has tokens up to number "
            f"{max(special)}; the model knows {n_known}. They do not belong together."
        )


def _read_profile(folder: Path) -> str | None:
    path = folder / PROFILE_FILE
    if not path.is_file():
        return None
    try:
        profile = json.loads(path.read_text(encoding="utf-8"))["profile"]
    except (KeyError, OSError, RecursionError, TypeError, ValueError) as error:
        raise ModelFormatError(f"{path} is damaged: {error!r}.") from error
    if profile is not None and not isinstance(profile, str):
        raise ModelFormatError(f"{path} is damaged: its profile is {profile!r}.")
    return profile


def save_pretrained(
    folder: str | os.PathLike[str],
    model: Any,
    tokenizer: Any,
    profile: str | None = None,
) -> None:
    """Write a directory that transformers loads, with the profile beside the model."""
    with quiet_transformers():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    text = json.dumps({"profile": profile}, indent=1) + "\n"
    write_text_atomic(Path(folder) / PROFILE_FILE, text)
