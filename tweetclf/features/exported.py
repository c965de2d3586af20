"""Transformers as ONNX graphs with weights of eight bits, run by onnxruntime."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf.exceptions import ModelFormatError
from tweetclf.features._encoding import TokenEncoder, Tokenized
from tweetclf.features._files import MissingFileError
from tweetclf.features.transformer import TransformerVectorizer
from tweetclf.preprocessing import get_profile
from tweetclf.utils.files import atomic_directory, write_text_atomic
from tweetclf.utils.hugging_face import quiet_transformers
from tweetclf.utils.optional import import_optional
from tweetclf.utils.validation import check_text_pairs, check_texts

__all__ = ["OnnxEncoder", "OnnxExport", "export_onnx"]

_GRAPH = "model.onnx"
_SETTINGS = "tweetclf-onnx.json"
_FORMAT = {"format": "tweetclf-onnx", "version": 1}


@dataclass(frozen=True)
class OnnxExport:
    """What an export gave.

    Parameters
    ----------
    path : Path
        The directory, to be read by :class:`OnnxEncoder`.
    n_bytes : int
        Size of the graph's file.
    difference : float or None
        Largest difference of an output from torch's, over the texts that were given.
    scale : float or None
        Largest absolute output of torch, to judge the difference by.
    """

    path: Path
    n_bytes: int
    difference: float | None
    scale: float | None


def export_onnx(
    model: Any,
    path: str | os.PathLike[str],
    *,
    tokenizer: Any = None,
    quantize: str | None = "int8",
    max_length: int = 128,
    texts: Any = None,
) -> OnnxExport:
    """Write a transformer as an ONNX graph that reads batches of any size and length.

    Parameters
    ----------
    model : TransformerVectorizer or transformers.PreTrainedModel
        A fitted vectorizer, whose vectors the graph then gives; or a model with a
        head, as ``AutoModelForSequenceClassification`` loads it, whose logits it
        gives.
    path : path
        The directory to write; it must be empty or missing.
    tokenizer : transformers.PreTrainedTokenizerBase, optional
        Of a model that is no vectorizer.
    quantize : {"int8", None}, default="int8"
        Whether weights of matrix products become integers of eight bits, and their
        inputs too while computing: a quarter as large and faster, most of all where
        the processor has instructions for it (VNNI), with answers that differ.
    max_length : int, default=128
        Most tokens of a text, of a model that is no vectorizer; at most what the
        model has positions for.
    texts : sequence of str or of pairs, optional
        Texts on which to compare the graph with torch.

    Returns
    -------
    OnnxExport
        The path, the size, and the largest difference on `texts`.

    Raises
    ------
    FileExistsError
        If `path` is there and not empty.

    Notes
    -----
    Needs onnx, onnxscript and onnxruntime. Integers of eight bits cost accuracy that
    depends on the trained weights: compare scores on a validation split, not only
    `difference`.

    Examples
    --------
    >>> from tweetclf.features import OnnxEncoder, export_onnx
    >>> export = export_onnx(vectorizer, "fast", texts=texts)  # doctest: +SKIP
    >>> OnnxEncoder("fast").transform(texts)  # doctest: +SKIP
    """
    caller = "export_onnx"
    if quantize not in ("int8", None):
        raise ValueError(
            f"{caller}: the 'quantize' parameter must be 'int8' or None. Got "
            f"{quantize!r} instead."
        )
    for name in ("torch", "transformers"):
        import_optional(name, extra="neural", caller=caller)
    for name in ("onnx", "onnxscript", "onnxruntime"):
        import_optional(name, extra="onnx", caller=caller)
    from tweetclf.features._onnx_graph import whole_model, write_graph
    from tweetclf.modules.packed import longest_sequence

    settings: dict[str, Any] = {**_FORMAT, "max_length": max_length}
    settings |= {"profile": None, "pairs": False}
    if isinstance(model, TransformerVectorizer):
        frozen = model._frozen()
        encoder, tokenizer = frozen.encoder.model, frozen.tokenizer
        longest = frozen.encoder.max_length or model.max_length
        settings["max_length"] = min(model.max_length, longest)
        settings |= {"profile": model.profile_, "pairs": model.pairs}
        module = whole_model(encoder, model.pooling, model.layer)
    elif tokenizer is None:
        raise ValueError(
            f"{caller}: a {type(model).__name__} needs its tokenizer; pass tokenizer=."
        )
    else:
        encoder = model
        module = whole_model(encoder, None, -1)
        longest = longest_sequence(model)
        settings["max_length"] = min(max_length, longest or max_length)
    with atomic_directory(path) as folder:
        with _quiet_export():
            write_graph(module, encoder, folder / _GRAPH, quantize)
        with quiet_transformers():
            tokenizer.save_pretrained(folder)
            encoder.config.save_pretrained(folder)
        settings["has_segments"] = module.has_segments
        write_text_atomic(folder / _SETTINGS, json.dumps(settings, indent=1) + "\n")
    difference = scale = None
    if texts is not None:
        exported = OnnxEncoder(path)
        tokens = exported.tokenize(texts)
        expected = module.by_batches(tokens)
        difference = float(np.abs(exported.run(tokens) - expected).max(initial=0))
        scale = float(np.abs(expected).max(initial=0))
    graph = Path(path) / _GRAPH
    return OnnxExport(Path(path), graph.stat().st_size, difference, scale)


@contextmanager
def _quiet_export() -> Iterator[None]:
    """Silence what torch's exporter and onnxruntime's quantiser say on the way."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "root")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class OnnxEncoder:
    """Run what :func:`export_onnx` wrote; needs onnxruntime and no torch model.

    Parameters
    ----------
    path : path
        The directory.
    n_threads : int, optional
        Threads of one call; by default as many as the machine has cores.
    max_tokens : int, default=1024
        Tokens that are computed at once, padding included.

    Examples
    --------
    >>> from tweetclf.features import OnnxEncoder
    >>> OnnxEncoder("fast").transform(["qué risa"])  # doctest: +SKIP
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        n_threads: int | None = None,
        max_tokens: int = 1024,
    ) -> None:
        caller = type(self).__name__
        runtime = import_optional("onnxruntime", extra="onnx", caller=caller)
        transformers = import_optional("transformers", extra="neural", caller=caller)
        folder = Path(path)
        for name in (_SETTINGS, _GRAPH):
            if not (folder / name).is_file():
                raise MissingFileError(
                    f"{caller}: there is no {name} in {str(folder.absolute())!r}. Give "
                    "the directory that export_onnx wrote."
                )
        self._settings = _read_settings(folder / _SETTINGS)
        self._max_tokens = max_tokens
        with quiet_transformers():
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, trust_remote_code=False, local_files_only=True
            )
        self._tokenizer = tokenizer
        self._filler = tokenizer.pad_token_id or 0
        self._encoder = TokenEncoder(tokenizer, self._settings["max_length"])
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        if n_threads is not None:
            options.intra_op_num_threads = n_threads
        try:
            self._session = runtime.InferenceSession(
                folder / _GRAPH, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has no common error of its own.
            raise ModelFormatError(
                f"{caller}: {str(folder / _GRAPH)!r} cannot be read: {error}"
            ) from error
        self._inputs = {node.name for node in self._session.get_inputs()}

    def tokenize(self, X: Any) -> Tokenized:
        """Return the tokens of texts, or of pairs if pairs were exported."""
        caller = type(self).__name__
        columns = [check_texts(X, caller=caller)] if not self._settings["pairs"] else []
        columns = columns or list(check_text_pairs(X, caller=caller))
        if self._settings["profile"] is not None:
            normalizer = get_profile(self._settings["profile"]).make_normalizer()
            columns = [normalizer.transform(column) for column in columns]
        rows = list(zip(*columns, strict=True))
        return self._encoder.encode(rows)

    def transform(self, X: Any) -> np.ndarray:
        """Return the outputs of texts: vectors, or the logits of a head.

        Parameters
        ----------
        X : sequence of str, or of pairs of str, of length n_samples
            The texts.

        Returns
        -------
        ndarray of float32 of shape (n_samples, n_outputs)
            One row a text.
        """
        return self.run(self.tokenize(X))

    def run(self, tokens: Tokenized) -> np.ndarray:
        """Return the outputs of tokenized texts, a row a text."""
        outputs: np.ndarray | None = None
        for indices, inputs in padded_batches(tokens, self._filler, self._max_tokens):
            chosen = {k: v for k, v in inputs.items() if k in self._inputs}
            (rows,) = self._session.run(None, chosen)
            if outputs is None:
                outputs = np.empty((len(tokens.lengths), rows.shape[1]), np.float32)
            outputs[indices] = rows
        if outputs is None:
            return np.empty((0, self._session.get_outputs()[0].shape[1]), np.float32)
        return outputs


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        fits = (
            all(settings[name] == value for name, value in _FORMAT.items())
            and type(settings["max_length"]) is int
            and type(settings["pairs"]) is bool
            and isinstance(settings["profile"], str | None)
        )
    except (KeyError, OSError, RecursionError, TypeError, ValueError) as error:
        raise ModelFormatError(f"{path} is damaged: {error!r}.") from error
    if not fits:
        raise ModelFormatError(f"{path} is damaged, or of a newer tweetclf.")
    return settings


def padded_batches(
    tokens: Tokenized, filler: int, max_tokens: int
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Yield batches of texts of similar lengths, padded: their places and inputs."""
    from tweetclf.modules.packed import length_buckets

    order = np.argsort(tokens.lengths, kind="stable")
    sizes = tokens.lengths[order]
    for first, last, _, _ in length_buckets(sizes, max_tokens):
        indices = order[first:last]
        part = tokens.take(indices)
        mask = np.arange(part.lengths.max()) < part.lengths[:, None]
        inputs = {
            "input_ids": np.full(mask.shape, filler, np.int64),
            "attention_mask": mask.astype(np.int64),
            "token_type_ids": np.zeros(mask.shape, np.int64),
            "special_tokens_mask": np.ones(mask.shape, np.int64),
        }
        inputs["input_ids"][mask] = part.ids
        inputs["special_tokens_mask"][mask] = part.special
        if part.types is not None:
            inputs["token_type_ids"][mask] = part.types
        yield indices, inputs
