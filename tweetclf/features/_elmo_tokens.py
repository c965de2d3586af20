"""The part of `ElmoVectorizer` that knows tokens only: layers and their means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from tweetclf.exceptions import DataError
from tweetclf.features.elmo_weights import ElmoWeights, find_weights, read_once
from tweetclf.utils.optional import import_optional

if TYPE_CHECKING:
    from torch import Tensor

    from tweetclf.features._elmo_embedding import Embedded

__all__ = ["WEIGHTS", "TokenEmbedding"]

WEIGHTS = "weights of ElmoVectorizer"


class TokenEmbedding:
    """What a fitted `ElmoVectorizer` does to tokens; it has the same attributes."""

    weights_: ElmoWeights
    weights_path_: str
    weights_digest_: str
    layers: str | int
    mix_weights: Sequence[float] | None
    stateful: bool
    batch_size: int
    max_tokens: int
    device: str

    def _weights(self) -> ElmoWeights:
        """Return the weights, read again if the model was stored without them."""
        if "weights_" not in self.__dict__:
            found = find_weights(self.weights_path_, parameter=WEIGHTS)
            digest = found.digest()
            if digest != self.weights_digest_:
                raise DataError(
                    f"{WEIGHTS}: the weights at {self.weights_path_} are not those "
                    f"that the model was fitted with: expected sha256 "
                    f"{self.weights_digest_}, found {digest}. Put them back, or fit "
                    "again."
                )
            self.weights_ = read_once(found)
        return self.weights_

    def _layer_shares(self) -> list[float]:
        """Return the share of each layer in a token's vector; not of "all"."""
        n_layers = self._weights().n_layers
        if isinstance(self.layers, str):
            if self.layers != "mix":
                return [1 / n_layers] * n_layers
            given = np.asarray(
                [] if self.mix_weights is None else self.mix_weights, dtype=np.float64
            )
            if given.shape != (n_layers,) or not np.isfinite(given).all():
                raise DataError(
                    f"ElmoVectorizer: with layers='mix' the 'mix_weights' parameter "
                    f"must be {n_layers} finite numbers, one a layer. Got "
                    f"{self.mix_weights!r} instead."
                )
            shares = np.exp(given - given.max())
            return list(shares / shares.sum())
        if self.layers >= n_layers:
            raise DataError(
                f"ElmoVectorizer: the 'layers' parameter must be below {n_layers}, as "
                f"there are the layers 0 to {n_layers - 1}. Got {self.layers} instead."
            )
        return [float(k == self.layers) for k in range(n_layers)]

    def _run(self, sentences: Sequence[Sequence[str]]) -> Iterator[Embedded]:
        import_optional("torch", extra="neural", caller=type(self).__name__)
        from tweetclf.features._elmo_embedding import embed

        return embed(
            self._weights(),
            sentences,
            batch_size=self.batch_size,
            max_tokens=self.max_tokens,
            device=self.device,
            stateful=self.stateful,
        )

    def _different(
        self, sentences: Sequence[Sequence[str]]
    ) -> tuple[Sequence[Sequence[str]], list[int]]:
        """Return different sentences, and which of them each sentence is."""
        if self.stateful:  # each is another one
            return sentences, list(range(len(sentences)))
        found: dict[tuple[str, ...], int] = {}
        which = [found.setdefault(tuple(s), len(found)) for s in sentences]
        return list(found), which

    def _choose(self, batch: Embedded) -> Tensor:
        """Return the vectors of a batch's tokens, as `layers` says."""
        import torch

        if self.layers == "all":
            return torch.cat(batch.layers, dim=1)
        if not isinstance(self.layers, str):
            return batch.layers[self.layers]
        chosen = torch.zeros_like(batch.layers[0])
        for share, layer in zip(self._layer_shares(), batch.layers, strict=True):
            chosen.add_(layer, alpha=share)
        return chosen

    def _embed(self, sentences: Sequence[Sequence[str]]) -> np.ndarray:
        different, which = self._different(sentences)
        result = np.empty((len(different), self._n_columns()), dtype=np.float32)
        for batch in self._run(different):
            pooled = batch.pooled(self._choose(batch))
            result[batch.indices] = pooled.cpu().numpy()
        return result[which]

    def _n_columns(self) -> int:
        weights = self._weights()
        return weights.dim * (weights.n_layers if self.layers == "all" else 1)

    def embed_tokens(self, token_lists: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Return all layers of the tokens of texts.

        Parameters
        ----------
        token_lists : sequence of sequence of str
            The tokens of each text.

        Returns
        -------
        list of ndarray of float32, of shape (n_tokens, n_layers, dim)
            One array a text. Texts of the same tokens share one.
        """
        import_optional("torch", extra="neural", caller=type(self).__name__)
        import torch

        # (n_tokens, n_layers, dim)
        return self._by_sentence(
            token_lists, lambda batch: torch.stack(batch.layers, dim=1)
        )

    def token_vectors(self, token_lists: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Return the vectors of the tokens of texts, of the layers chosen.

        Parameters
        ----------
        token_lists : sequence of sequence of str
            The tokens of each text.

        Returns
        -------
        list of ndarray of float32, of shape (n_tokens, n_features)
            One array a text, before `n_components`. Texts of the same tokens share
            one.
        """
        return self._by_sentence(token_lists, self._choose)

    def _by_sentence(
        self,
        token_lists: Sequence[Sequence[str]],
        choose: Callable[[Embedded], Tensor],
    ) -> list[np.ndarray]:
        check_is_fitted(self)
        different, which = self._different(token_lists)
        found: list[Any] = [None] * len(different)
        for batch in self._run(different):
            parts = batch.by_sentence(choose(batch))
            for index, part in zip(batch.indices.tolist(), parts, strict=True):
                # A copy: a view would keep the whole batch alive.
                found[index] = part.cpu().numpy().copy()
        return [found[k] for k in which]
