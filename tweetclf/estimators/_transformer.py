"""What the estimators on pretrained transformers share; knows no torch."""

from __future__ import annotations

import os
import threading
from numbers import Integral, Real
from typing import Any, ClassVar

from numpy.typing import NDArray

from tweetclf.estimators._neural import NeuralEstimator
from tweetclf.exceptions import DataError
from tweetclf.utils._sklearn import Interval
from tweetclf.utils.optional import import_optional
from tweetclf.utils.validation import check_text_pairs, check_texts, items_of

__all__ = ["TransformerEstimator", "read_segments"]

# Of threads that predict with a model that was just unpickled, one makes the tokenizer.
_MAKING = threading.Lock()


def read_segments(X: Any, n_segments: int, *, caller: str) -> list[Any]:
    """Return texts, or tuples of `n_segments` of them, or say what is wrong with X."""
    if n_segments == 1:
        return check_texts(X, caller=caller)
    if n_segments == 2:
        return list(zip(*check_text_pairs(X, caller=caller), strict=True))
    rows = items_of(X, caller, "X")
    for index, row in enumerate(rows):
        if isinstance(row, str) or not isinstance(row, list | tuple):
            raise DataError(
                f"{caller} expected rows of {n_segments} texts; X[{index}] is a "
                f"{type(row).__name__}."
            )
        if len(row) != n_segments:
            raise DataError(
                f"{caller} expected rows of {n_segments} texts; X[{index}] has "
                f"{len(row)}."
            )
    columns = [
        check_texts([row[k] for row in rows], caller=caller, name=f"X[:, {k}]")
        for k in range(n_segments)
    ]
    return list(zip(*columns, strict=True))


class TransformerEstimator(NeuralEstimator):
    """Base of the estimators that fine-tune a Hugging Face model.

    Attributes
    ----------
    architecture_ : str
        Class of the model in transformers.
    config_ : str
        The model's configuration, as JSON.
    tokenizer_files_ : dict of str to ndarray of uint8
        The files of the tokenizer, by name.
    max_length_ : int
        Most tokens of a row.
    normalizer_ : TextNormalizer
        What texts go through before the tokenizer.
    plan_ : str
        How sequences are read: "packed", "padded" or "native".
    """

    architecture_: str
    config_: str
    tokenizer_files_: dict[str, NDArray[Any]]
    max_length_: int
    normalizer_: Any
    plan_: str

    _restored: ClassVar[tuple[str, ...]] = ("_module", "_encoder", "_loaded")
    _auto_class: ClassVar[str] = "AutoModelForSequenceClassification"

    # Most tokens of a row where max_length is None and the model has as many positions.
    _default_length: ClassVar[int] = 128

    # Not "compile": how sequences are packed depends on their lengths, and compiled
    # training has not been seen to give what plain training gives.
    _can: ClassVar[tuple[str, ...]] = ("gradient_checkpointing",)

    # A GPU where there is one; CUDA_VISIBLE_DEVICES="" hides them.
    device: str = "auto"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **NeuralEstimator._parameter_constraints,
        "model": [str, os.PathLike],
        "max_length": [Interval(Integral, 4, None, closed="left"), None],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "warmup": [Interval(Real, 0, 1, closed="left"), None],
        "layer_decay": [Interval(Real, 0, 1, closed="right")],
        "profile": [str, None],
    }

    # What differs between the estimators.

    def _model_options(self) -> dict[str, Any]:
        """Return what the configuration says of the outputs."""
        raise NotImplementedError

    def _wrap(self, model: Any, plan: Any) -> Any:
        """Return the module around a model of transformers."""
        from tweetclf.modules.transformer_heads import HeadedModel

        return HeadedModel(model, plan)

    def _texts_of(self, rows: list[Any]) -> tuple[list[Any], int]:
        """Return what the tokenizer reads, and how many of them make a row."""
        return rows, 1

    # Fit

    def _require_torch(self) -> None:
        caller = type(self).__name__
        for package in ("torch", "transformers"):
            import_optional(package, extra="neural", caller=caller)

    def _fit_inputs(self, rows: list[Any], seed: int) -> None:
        from tweetclf.estimators._transformer_compute import (
            choose_length,
            describe,
            load,
        )
        from tweetclf.features._encoding import TokenEncoder
        from tweetclf.preprocessing import get_profile

        loaded = load(self, seed, **self._model_options())
        profile = self.profile or loaded.profile or "raw"
        self.normalizer_ = get_profile(profile).make_normalizer()
        self.architecture_, self.config_, self.tokenizer_files_ = describe(loaded)
        self.max_length_ = choose_length(self, loaded.model)
        self._encoder = (
            self.max_length_,
            TokenEncoder(loaded.tokenizer, self.max_length_),
        )
        self._loaded = loaded

    def _make_module(self, n_outputs: int) -> Any:
        from tweetclf.estimators._transformer_compute import remake

        loaded = self.__dict__.pop("_loaded", None)
        if loaded is None:
            return self._wrap(remake(self), self.plan_)
        module = self._wrap(loaded.model, None)
        self.plan_ = module.plan
        return module

    def _inputs(self, rows: list[Any]) -> Any:
        from tweetclf.estimators._packed_inputs import PackedInputs

        texts, per_row = self._texts_of(rows)
        tokens = self._token_encoder().encode(self._normalized(texts))
        return PackedInputs(tokens, per_row)

    @property
    def _row_length(self) -> int:
        # Models saved before None was a choice have no max_length_.
        return self.max_length_ if self.max_length is None else self.max_length

    def _token_encoder(self) -> Any:
        """Return what turns texts into tokens, made anew after unpickling."""
        with _MAKING:
            made = self.__dict__.get("_encoder")
            if made is None or made[0] != self._row_length:
                from tweetclf.estimators._transformer_compute import token_encoder

                made = self._encoder = (self._row_length, token_encoder(self))
            return made[1]

    def _normalized(self, texts: list[Any]) -> list[Any]:
        """Return texts, or tuples of texts, after preprocessing."""
        if not texts or isinstance(texts[0], str):
            return self.normalizer_.transform(texts)
        columns = [
            self.normalizer_.transform(list(c)) for c in zip(*texts, strict=True)
        ]
        return list(zip(*columns, strict=True))

    def _train(self, job: Any) -> list[dict[str, Any]]:
        from tweetclf.estimators._transformer_compute import fine_tune

        return fine_tune(self, job)
