"""Features of a frozen transformer."""

from __future__ import annotations

import hashlib
import os
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted

from tweetclf._version import __version__
from tweetclf.exceptions import DataError
from tweetclf.features._tokens import require_texts
from tweetclf.features._vector_cache import VectorCache
from tweetclf.preprocessing import get_profile
from tweetclf.utils._sklearn import Interval, StrOptions, _fit_context
from tweetclf.utils.optional import import_optional
from tweetclf.utils.validation import check_text_pairs, check_texts

__all__ = ["TransformerVectorizer"]

_POOLINGS = {"cls", "mean", "mean_tokens", "max", "concat", "combined"}


class TransformerVectorizer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Turn texts into dense vectors with a pretrained encoder that is not trained.

    Put logistic regression or a linear SVM on top: the cheapest use of BERT, and the
    baseline that fine-tuning has to beat. Nothing is learnt from the training texts.

    Parameters
    ----------
    model : str or path
        Directory of a Hugging Face model with its tokenizer, or the name of one on
        the hub. No code of it is run.
    pooling : {"cls", "mean", "mean_tokens", "max", "concat", "combined"}, \
default="mean"
        From the states of a text's tokens to one vector: the first token's; the mean
        of all; the mean of those that are not special; the maximum of all; first,
        mean and maximum side by side (TWilBERT); first and mean of not special ones
        side by side (TwHIN-BERT's "Combined").
    layer : int, default=-1
        Whose states: -1 is the last layer, 0 the embeddings.
    max_length : int, default=128
        Most tokens of a text, or as many as the model has positions for, if fewer;
        longer ones are cut, of a pair the longer side first.
    max_tokens : int, default=4096
        Tokens that are computed at once: more take more memory.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        Of weights and states. "auto" is bfloat16 where the device has it; elsewhere
        bfloat16 is slower than float32.
    device : str, default="auto"
        Where to compute, e.g. "cpu" or "cuda"; "auto" is an accelerator where there
        is one.
    profile : str or None, default=None
        Name of the preprocessing profile whose normaliser the texts go through, e.g.
        "twilbert"; None stands for the one that the model's directory names, if any.
    cache_dir : path or None, default=None
        Folder in which vectors are kept from one run to the next. Its files are named
        after a hash of weights, tokenizer and options, so that nothing stale is read.
    pairs : bool, default=False
        Whether X holds (text, text_b) pairs, which the model reads as one input.

    Attributes
    ----------
    profile_ : str or None
        The profile in use, with its version.
    n_truncated_ : int
        How many of the training texts were cut.

    See Also
    --------
    SIFVectorizer : Weighted averages of word vectors.

    Notes
    -----
    Texts are packed, not padded: the tokens of many texts form one row, linear layers
    read real tokens only and attention runs within texts, for those of one length at
    a time. A model that cannot do so (as DeBERTa-v2) reads padded batches of similar
    lengths; vectors are the same, to rounding. Equal texts are computed once.

    A fitted vectorizer carries the model itself: it can be pickled, copied and saved,
    and needs the directory no more.

    References
    ----------
    X. Zhang et al., "TwHIN-BERT: A Socially-Enriched Pre-trained Language Model for
    Multilingual Tweet Representations", KDD 2023, section 3.2 (arXiv:2209.07562).

    J. Á. González, L.-F. Hurtado and F. Pla, "TWilBert: Pre-trained deep bidirectional
    transformers for Spanish Twitter", Neurocomputing 426, 2021.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.features import TransformerVectorizer
    >>> from tweetclf.testing import make_tiny_transformer
    >>> texts = ["qué risa", "qué asco", "qué risa"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = make_tiny_transformer(folder, texts)
    ...     vectorizer = TransformerVectorizer(path, pooling="combined").fit(texts)
    >>> vectorizer.transform(texts).shape
    (3, 64)
    """

    profile_: str | None
    n_truncated_: int

    _parameter_constraints: dict = {
        "model": [str, os.PathLike],
        "pooling": [StrOptions(_POOLINGS)],
        "layer": [Integral],
        "max_length": [Interval(Integral, 1, None, closed="left")],
        "max_tokens": [Interval(Integral, 1, None, closed="left")],
        "precision": [StrOptions({"float32", "bfloat16", "auto"})],
        "device": [str],
        "profile": [str, None],
        "cache_dir": [str, os.PathLike, None],
        "pairs": ["boolean"],
    }

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        pooling: str = "mean",
        layer: int = -1,
        max_length: int = 128,
        max_tokens: int = 4096,
        precision: str = "float32",
        device: str = "auto",
        profile: str | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        pairs: bool = False,
    ) -> None:
        self.model = model
        self.pooling = pooling
        self.layer = layer
        self.max_length = max_length
        self.max_tokens = max_tokens
        self.precision = precision
        self.device = device
        self.profile = profile
        self.cache_dir = cache_dir
        self.pairs = pairs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> TransformerVectorizer:
        """Load the model; nothing is learnt from the texts.

        Parameters
        ----------
        X : sequence of str, or of pairs of str, of length n_samples
            The training texts.
        y : None
            Not used.

        Returns
        -------
        TransformerVectorizer
            This object.
        """
        rows = self._read(X)
        caller = type(self).__name__
        for module in ("torch", "transformers"):
            import_optional(module, extra="neural", caller=caller)
        from tweetclf.features._frozen import load_frozen

        encoder = load_frozen(self.model, self.precision, self.device, caller)
        if not -encoder.n_layers - 1 <= self.layer <= encoder.n_layers:
            raise ValueError(
                f"{caller}: the 'layer' parameter must be from "
                f"{-encoder.n_layers - 1} to {encoder.n_layers}, since the model has "
                f"{encoder.n_layers} layers. Got {self.layer} instead."
            )
        profile = self.profile if self.profile is not None else encoder.profile
        self.profile_ = None if profile is None else get_profile(profile).id
        self.__dict__.pop("pretrained_", None)
        self._encoder = encoder
        self._n_features_out = encoder.n_features(self.pooling)
        unique = list(dict.fromkeys(self._normalize(rows)))
        self.n_truncated_ = encoder.tokenize(unique, self.max_length).n_truncated
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the vectors of texts.

        Parameters
        ----------
        X : sequence of str, or of pairs of str, of length n_samples
            The texts.

        Returns
        -------
        ndarray of float32 of shape (n_samples, k * hidden_size)
            One vector a text; `k` is 3 for "concat", 2 for "combined", else 1.
        """
        check_is_fitted(self, "profile_")
        rows = self._normalize(self._read(X))
        numbers: dict[Any, int] = {}
        inverse = np.array([numbers.setdefault(row, len(numbers)) for row in rows])
        encoder = self._frozen()

        def compute(some: list[Any]) -> np.ndarray:
            return encoder.vectors(
                some,
                pooling=self.pooling,
                layer=self.layer,
                max_length=self.max_length,
                max_tokens=self.max_tokens,
            )

        if self.cache_dir is None:
            return compute(list(numbers))[inverse]
        # The version, since what is mended in between must not come from the cache.
        made_of = (
            __version__,
            encoder.fingerprint,
            self.pooling,
            self.layer,
            self.max_length,
        )
        fingerprint = hashlib.sha256(repr(made_of).encode()).hexdigest()
        cache = VectorCache(self.cache_dir, fingerprint, self._n_features_out)
        return cache.get(list(numbers), compute)[inverse]

    def _read(self, X: Any) -> list[Any]:
        caller = type(self).__name__
        if self.pairs:
            rows: list[Any] = list(
                zip(*check_text_pairs(X, caller=caller), strict=True)
            )
        else:
            rows = list(check_texts(X, caller=caller))
        return require_texts(rows, caller=caller)

    def _normalize(self, rows: list[Any]) -> list[Any]:
        if self.profile_ is None:
            return rows
        normalizer = get_profile(self.profile_).make_normalizer()
        if not self.pairs:
            return normalizer.transform(rows)
        sides = zip(*rows, strict=True)
        return list(zip(*(normalizer.transform(list(s)) for s in sides), strict=True))

    def _frozen(self) -> Any:
        """Return the encoder; after loading it is made again when first needed."""
        encoder = self.__dict__.get("_encoder")
        if encoder is None:
            caller = type(self).__name__
            for module in ("torch", "transformers"):
                import_optional(module, extra="neural", caller=caller)
            from tweetclf.features._frozen import restore_frozen

            if "pretrained_" not in self.__dict__:
                raise DataError(f"{caller} holds no model; fit it again.")
            encoder = restore_frozen(
                self.pretrained_, self.precision, self.device, caller
            )
            self._encoder = encoder
            del self.pretrained_
        return encoder

    def __getstate__(self) -> dict[str, Any]:
        # Plain data in place of the model: it needs no torch to be read.
        state = dict(super().__getstate__())
        encoder = state.pop("_encoder", None)
        if encoder is not None:
            state["pretrained_"] = encoder.captured
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = True
        tags.transformer_tags.preserves_dtype = []
        return tags
