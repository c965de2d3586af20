"""Tweet embeddings by ELMo."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted

from tweetclf.exceptions import DataError
from tweetclf.features._elmo_tokens import WEIGHTS, TokenEmbedding
from tweetclf.features._tokens import require_texts, tokenize
from tweetclf.features.elmo_weights import ElmoWeights, find_weights, read_once
from tweetclf.preprocessing import get_profile
from tweetclf.utils._sklearn import Interval, StrOptions, _fit_context
from tweetclf.utils.validation import check_texts

__all__ = ["ElmoVectorizer"]


class ElmoVectorizer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, TokenEmbedding
):
    """Turn texts into dense vectors: means of their tokens' ELMo vectors.

    ELMo's vector of a token depends on the whole text. Use the vectors alone, or in a
    FeatureUnion with n-grams, as Atalaya did; or take the vectors of the tokens from
    :meth:`embed_tokens`. Needs torch, and h5py for weights of AllenNLP.

    Parameters
    ----------
    weights : path or ElmoWeights
        The network: a folder made by ``tweetclf pretrain elmo``, weights of AllenNLP
        or a folder of ELMoForManyLangs; see :meth:`ElmoWeights.read`.
    tokenizer : callable, optional
        Text to tokens. By default the tokenizer that the weights were learnt with, if
        they say so, and else :class:`tweetclf.preprocessing.TweetTokenizer`.
    layers : {"average", "all", "mix"} or int, default="average"
        What of the layers is taken: their mean; all, side by side; a weighted mean; or
        one, counted from 0, the layer of the characters.
    mix_weights : sequence of float, optional
        Weights of the layers before a softmax, one each. Read only if `layers` is
        "mix".
    stateful : bool, default=False
        Begin each batch with the states that the batch before left, sentence by
        sentence, as the released code of both formats does. Vectors then depend on
        what else is embedded in the same call, and in which order: the first batch
        of a call begins with zeros.
    n_components : int, optional
        Reduce the vectors to so many principal components of the training texts.
    batch_size : int, default=64
        Most texts in a batch.
    max_tokens : int, default=2048
        Most tokens in a batch, padding counted; not with `stateful`.
    device : str, default="auto"
        Where to compute, as torch names it. "auto" is a GPU if there is one.
    store_weights : bool, default=True
        Keep the weights within a pickled or saved model. Otherwise it keeps their
        path and checksum, and reads them again when it is first used.

    Attributes
    ----------
    weights_ : ElmoWeights
        The network in use.
    pca_ : PCA or None
        The principal components.
    weights_path_, weights_digest_ : str
        Where the weights are, and their checksum; only with ``store_weights=False``.

    See Also
    --------
    SIFVectorizer : Averages vectors that know no context.
    ElmoWeights : Reads and keeps the weights.
    tweetclf.pretraining.train_elmo : Learns weights on a corpus.

    Notes
    -----
    Different texts are embedded once, different words go through the convolutions once,
    and texts of about the same length make a batch, in which nothing is computed for
    padding. A text without tokens gets zeros (before `n_components`).

    By default, weights travel with a saved model: it then predicts on any machine what
    it predicted here, and no file that is replaced can change it in silence. They are
    as large as the network, 375 MB for the published ones, so where many models share
    them ``store_weights=False`` is the better bargain.

    Atalaya's vectors are ``layers="average"`` of the Spanish ELMoForManyLangs; with
    ``n_components=100`` they are the block that its SVM-ELMo adds.

    References
    ----------
    M. E. Peters et al., "Deep contextualized word representations", NAACL 2018
    (arXiv:1802.05365).

    W. Che, Y. Liu, Y. Wang, B. Zheng and T. Liu, "Towards better UD parsing: deep
    contextualized word embeddings, ensemble, and treebank concatenation", CoNLL 2018
    (ELMoForManyLangs).

    J. M. Pérez and F. M. Luque, "Atalaya at SemEval 2019 Task 5: robust embeddings
    for tweet classification", SemEval 2019, section 3 (ACL Anthology S19-2008).

    Examples
    --------
    >>> from tweetclf.features import ElmoVectorizer, ElmoWeights
    >>> weights = ElmoWeights.random(
    ...     char_dim=4, filters=[(1, 4), (2, 4)], projection_dim=3, cell_dim=5
    ... )
    >>> elmo = ElmoVectorizer(weights).fit(["hola, ¿qué tal?"])
    >>> elmo.transform(["qué risa", "qué risa jajaja", ""]).shape
    (3, 6)
    >>> [vectors.shape for vectors in elmo.embed_tokens([["qué", "risa"], []])]
    [(2, 3, 6), (0, 3, 6)]
    """

    _parameter_constraints: dict = {
        "weights": [str, os.PathLike, ElmoWeights, None],
        "tokenizer": [callable, None],
        "layers": [
            StrOptions({"average", "all", "mix"}),
            Interval(Integral, 0, None, closed="left"),
        ],
        "mix_weights": ["array-like", None],
        "stateful": ["boolean"],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_tokens": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "store_weights": ["boolean"],
    }

    pca_: Any

    def __init__(
        self,
        weights: str | os.PathLike[str] | ElmoWeights | None = None,
        *,
        tokenizer: Callable[[str], Sequence[str]] | None = None,
        layers: str | int = "average",
        mix_weights: Sequence[float] | None = None,
        stateful: bool = False,
        n_components: int | None = None,
        batch_size: int = 64,
        max_tokens: int = 2048,
        device: str = "auto",
        store_weights: bool = True,
    ) -> None:
        self.weights = weights
        self.tokenizer = tokenizer
        self.layers = layers
        self.mix_weights = mix_weights
        self.stateful = stateful
        self.n_components = n_components
        self.batch_size = batch_size
        self.max_tokens = max_tokens
        self.device = device
        self.store_weights = store_weights

    def fit(self, X: Any, y: Any = None) -> ElmoVectorizer:
        """Read the weights; with `n_components`, learn the principal components.

        Parameters
        ----------
        X : sequence of str of length n_samples
            The training texts.
        y : None
            Not used.

        Returns
        -------
        ElmoVectorizer
            This object.
        """
        self._fit(X, embed=self.n_components is not None)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Fit and return the vectors of the training texts.

        Parameters
        ----------
        X : sequence of str of length n_samples
            The training texts.
        y : None
            Not used.

        Returns
        -------
        ndarray of float32 of shape (n_samples, n_features)
            One vector a text.
        """
        return self._reduce(self._fit(X, embed=True))

    @_fit_context(prefer_skip_nested_validation=True)
    def _fit(self, X: Any, embed: bool) -> Any:
        caller = type(self).__name__
        texts = require_texts(check_texts(X, caller=caller), caller=caller)
        self._find_weights()
        self.pca_ = None
        n_layers = self.weights_.n_layers if self.layers == "all" else 1
        self._n_features_out = n_layers * self.weights_.dim
        self._layer_shares()  # refuses what the network does not have
        if not embed:
            return None
        embedding = self._embed(tokenize(self._tokenizer(), texts))
        if self.n_components is not None:
            self._fit_components(embedding, int(self.n_components))
        return embedding

    def _find_weights(self) -> None:
        for name in ("weights_path_", "weights_digest_"):
            self.__dict__.pop(name, None)
        if self.weights is None:
            raise DataError(
                "ElmoVectorizer: the 'weights' parameter must be the path of ELMo "
                "weights, or an ElmoWeights. Got None instead. Learn some with "
                '"tweetclf pretrain elmo".'
            )
        if isinstance(self.weights, ElmoWeights):
            if not self.store_weights:
                raise DataError(
                    "ElmoVectorizer: with store_weights=False the 'weights' parameter "
                    "must be a path. Got an ElmoWeights instead."
                )
            self.weights_ = self.weights
            return
        found = find_weights(self.weights, parameter=WEIGHTS)
        self.weights_ = read_once(found)
        if not self.store_weights:
            self.weights_path_ = str(Path(self.weights).resolve())
            self.weights_digest_ = found.digest()

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        if "weights_path_" in state:
            state = {k: v for k, v in state.items() if k != "weights_"}
        return state

    def _tokenizer(self) -> Callable[[str], Sequence[str]] | None:
        named = self._weights().metadata.get("tokenizer")
        if self.tokenizer is not None or not isinstance(named, dict):
            return self.tokenizer
        profile = get_profile(str(named["profile"]))
        return profile.make_tokenizer(language=str(named["language"]))

    def _fit_components(self, embedding: np.ndarray, n_components: int) -> None:
        from sklearn.decomposition import PCA

        most = min(embedding.shape)
        if n_components > most:
            raise DataError(
                f"ElmoVectorizer: the 'n_components' parameter must be at most {most}, "
                f"as {embedding.shape[0]} texts of {embedding.shape[1]} dimensions "
                f"have no more. Got {n_components} instead."
            )
        pca = PCA(n_components, random_state=0)
        self.pca_ = pca.fit(embedding.astype(np.float64))
        self._n_features_out = n_components

    def _reduce(self, embedding: np.ndarray) -> np.ndarray:
        if self.pca_ is None:
            return embedding
        reduced: np.ndarray = self.pca_.transform(embedding.astype(np.float64))
        return reduced.astype(np.float32)

    def transform(self, X: Any) -> np.ndarray:
        """Return the vectors of texts.

        Parameters
        ----------
        X : sequence of str of length n_samples
            The texts.

        Returns
        -------
        ndarray of float32 of shape (n_samples, n_features)
            One vector a text.
        """
        check_is_fitted(self)
        caller = type(self).__name__
        texts = require_texts(check_texts(X, caller=caller), caller=caller)
        return self._reduce(self._embed(tokenize(self._tokenizer(), texts)))

    def tokenize(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the tokens of texts, as `transform` sees them.

        Parameters
        ----------
        texts : sequence of str of length n_samples
            The texts.

        Returns
        -------
        list of list of str
            Tokens of each text.
        """
        check_is_fitted(self)
        found = tokenize(self._tokenizer(), check_texts(texts, caller="tokenize"))
        return [list(tokens) for tokens in found]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = True
        tags.transformer_tags.preserves_dtype = []
        return tags
