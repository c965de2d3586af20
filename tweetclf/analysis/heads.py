"""Attention heads: which do the same as others, and what single ones look at.

References
----------
J. Á. González, L.-F. Hurtado and F. Pla, "TWilBert", Neurocomputing 426, 2021, section
6, figures 3-6. K. Clark et al., "What does BERT look at?", BlackboxNLP 2019, section 6
(arXiv:1906.04341): sums of Jensen-Shannon divergences, and their map in the plane.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tweetclf.analysis._models import (
    LoadedModel,
    ModelLike,
    equal_length_batches,
    load_model,
    require_some,
    take_sequences,
)
from tweetclf.exceptions import ModelFormatError
from tweetclf.features._encoding import Tokenized
from tweetclf.utils.progress import track
from tweetclf.utils.validation import check_texts

__all__ = [
    "AttentionMap",
    "HeadRedundancy",
    "attention_maps",
    "head_redundancy",
    "map_distances",
]

# Attention weights that are compared at once: about 100 MB of working memory.
_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class HeadRedundancy:
    """How much the attention heads of a model differ.

    Heads are numbered layer after layer: number `k` is head ``k % n_heads`` of layer
    ``k // n_heads``, both from 0.

    Parameters
    ----------
    model : str
        Name of the model.
    divergences : ndarray of float64 of shape (n_layers * n_heads,) * 2
        Mean Jensen-Shannon divergence of the attention of two heads, in nats: 0 for
        equal ones, at most log 2.
    positions : ndarray of float64 of shape (n_layers * n_heads, 2)
        Map of the heads, on which distances are near the divergences.
    stress : float
        How far they are off (Kruskal's stress-1): 0 is exact, 0.2 poor.
    n_layers, n_heads : int
        Layers, and heads of each.
    n_texts, n_tokens : int
        What the mean is over: the tokens, in all texts, that the heads look from.
    """

    model: str
    divergences: NDArray[np.float64]
    positions: NDArray[np.float64]
    stress: float
    n_layers: int
    n_heads: int
    n_texts: int
    n_tokens: int

    @property
    def mean(self) -> float:
        """Mean divergence of two different heads: the lower, the more redundant."""
        above = self.divergences[np.triu_indices(len(self.divergences), 1)]
        return float(above.mean()) if len(above) else 0.0

    @property
    def mean_within(self) -> NDArray[np.float64]:
        """Mean divergence of two different heads of each layer; NaN of one head."""
        blocks = [
            self.divergences[i : i + self.n_heads, i : i + self.n_heads]
            for i in range(0, len(self.divergences), self.n_heads)
        ]
        if self.n_heads < 2:
            return np.full(self.n_layers, np.nan)
        pairs = self.n_heads * (self.n_heads - 1)
        return np.array([block.sum() / pairs for block in blocks])

    def distinct(self, n: int) -> list[tuple[int, int]]:
        """Return (layer, head) of `n` heads that are far from each other.

        The two that differ most, then always the one farthest from those chosen.
        """
        first, second = np.unravel_index(
            int(self.divergences.argmax()), self.divergences.shape
        )
        chosen = list(dict.fromkeys([int(first), int(second)]))[:n]
        while len(chosen) < min(n, len(self.divergences)):
            nearest = self.divergences[chosen].min(axis=0)
            nearest[chosen] = -1.0
            chosen.append(int(nearest.argmax()))
        return [divmod(k, self.n_heads) for k in chosen]


@dataclass(frozen=True)
class AttentionMap:
    """What one head looks at in one text.

    Parameters
    ----------
    model : str
        Name of the model.
    layer, head : int
        Which head, from 0.
    tokens : tuple of str
        Tokens of the text.
    weights : ndarray of float64 of shape (n_tokens, n_tokens)
        Row: from which token; column: how much at which; rows sum to 1.
    """

    model: str
    layer: int
    head: int
    tokens: tuple[str, ...]
    weights: NDArray[np.float64]


def head_redundancy(
    model: ModelLike,
    texts: Sequence[str],
    *,
    max_length: int = 128,
    random_state: int = 0,
    device: str = "auto",
    verbose: bool = False,
) -> HeadRedundancy:
    """Compare what all attention heads of a model look at.

    Parameters
    ----------
    model : str, path or LoadedModel
        Any encoder with attention.
    texts : sequence of str
        The texts; the model's preprocessing profile is applied.
    max_length : int, default=128
        Most tokens of a text; longer ones are cut.
    random_state : int, default=0
        Seed of the map.
    device : str, default="auto"
        Where to compute.
    verbose : bool, default=False
        Show a progress bar on a terminal.

    Returns
    -------
    HeadRedundancy
        Divergences of all pairs of heads, and their map.

    Notes
    -----
    The divergence of two heads is the mean, over all tokens of all texts, of the
    Jensen-Shannon divergence of where the two look from there: the sum of Clark et al.,
    divided by the number of tokens. Texts are gone through in a stream; memory does not
    grow with their number. Time grows with the square of the number of heads.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.analysis import head_redundancy
    >>> from tweetclf.testing import make_tiny_transformer
    >>> texts = ["qué risa", "qué asco de lunes"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = make_tiny_transformer(folder, texts)
    ...     found = head_redundancy(path, texts, device="cpu")
    >>> found.divergences.shape, found.positions.shape, 0 < found.mean < 0.7
    ((4, 4), (4, 2), True)
    """
    caller = "head_redundancy"
    rows = check_texts(texts, caller=caller)
    require_some(rows, caller)
    loaded = load_model(model, head="none", device=device, caller=caller)
    tokens = loaded.encode(rows, max_length)
    total: Tensor | None = None
    n_layers = 0
    for weights in _attention(loaded, tokens, verbose):
        n_layers, n_heads = weights.shape[:2]
        found = _divergence_sums(weights.flatten(0, 1).flatten(1, 2))
        total = found if total is None else total + found
    assert total is not None
    n_tokens = int(tokens.lengths.sum())
    divergences = (total / n_tokens).cpu().numpy()
    positions, stress = map_distances(divergences, random_state=random_state)
    return HeadRedundancy(
        loaded.name,
        divergences,
        positions,
        stress,
        n_layers,
        n_heads,
        len(rows),
        n_tokens,
    )


def _attention(
    loaded: LoadedModel, tokens: Tokenized, verbose: bool
) -> Iterator[Tensor]:
    """Yield attention weights, (n_layers, n_heads, n_texts, length, length)."""
    config = loaded.model.config
    n_heads = int(config.num_hidden_layers) * int(config.num_attention_heads)
    lengths = tokens.lengths
    before = config._attn_implementation
    # Only the plain implementation gives its weights away.
    loaded.model.set_attn_implementation("eager")
    try:
        # A text takes n_heads * length ** 2 weights.
        size = int(_AT_ONCE // (n_heads * max(1, int(lengths.max()))))
        batches: Iterable[NDArray[np.int64]] = track(
            equal_length_batches(lengths, max(1, size)),
            "attention",
            enabled=None if verbose else False,
        )
        for rows in batches:
            batch = take_sequences(tokens, rows)
            found = loaded.run(batch, output_attentions=True).attentions
            if not found or found[0] is None:
                raise ModelFormatError(
                    f"{loaded.name!r} ({type(loaded.model).__name__}) does not give "
                    "its attention weights away."
                )
            yield torch.stack([w.double() for w in found]).transpose(1, 2)
    finally:
        loaded.model.set_attn_implementation(before)


def _divergence_sums(rows: Tensor) -> Tensor:
    """Return the summed divergences of distributions, (heads, rows, length), by pair.

    JS(p, q) = H((p + q) / 2) - (H(p) + H(q)) / 2, with the entropy H in nats.
    """
    n_heads = len(rows)
    entropies = torch.special.entr(rows).sum(dim=(1, 2))  # (heads,)
    sums = rows.new_zeros((n_heads, n_heads))
    for i in range(n_heads - 1):
        mixed = (rows[i] + rows[i + 1 :]) / 2
        between = torch.special.entr(mixed).sum(dim=(1, 2))
        sums[i, i + 1 :] = between - (entropies[i] + entropies[i + 1 :]) / 2
    # Rounding may leave equal heads a little below 0.
    return (sums + sums.T).clamp_(min=0)


def map_distances(
    distances: NDArray[np.float64], *, random_state: int = 0
) -> tuple[NDArray[np.float64], float]:
    """Place things in the plane so that they are as far apart as they should be.

    Parameters
    ----------
    distances : ndarray of float64 of shape (n, n)
        Symmetric, with zeros on the diagonal.
    random_state : int, default=0
        Seed; the placement starts from classical scaling and hardly depends on it.

    Returns
    -------
    positions : ndarray of float64 of shape (n, 2)
        Metric multidimensional scaling, by scikit-learn.
    stress : float
        Kruskal's stress-1.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.analysis.heads import map_distances
    >>> points = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    >>> distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    >>> map_distances(distances)[1] < 1e-3
    True
    """
    from sklearn.manifold import MDS

    if not distances.any():
        return np.zeros((len(distances), 2)), 0.0
    found = MDS(
        n_components=2,
        metric="precomputed",
        init="classical_mds",
        n_init=1,
        random_state=random_state,
    ).fit_transform(distances)
    apart = np.linalg.norm(found[:, None] - found[None], axis=2)
    stress = np.sqrt(((distances - apart) ** 2).sum() / (distances**2).sum())
    return found.astype(np.float64), float(stress)


def _letters(tokenizer: Any, number: int) -> str:
    """Return a token as it reads; byte-level tokenizers spell letters otherwise."""
    token: str = tokenizer.convert_ids_to_tokens(number)
    if number in tokenizer.all_special_ids or token.startswith("##"):
        return token
    letters: str = tokenizer.convert_tokens_to_string([token]).strip()
    # A byte that is a part of a letter stays as the tokenizer spells it.
    return letters if letters and "\ufffd" not in letters else token


def attention_maps(
    model: ModelLike,
    text: str,
    heads: Sequence[tuple[int, int]],
    *,
    max_length: int = 32,
    device: str = "auto",
) -> list[AttentionMap]:
    """Return what chosen heads look at in a text.

    Parameters
    ----------
    model : str, path or LoadedModel
        Any encoder with attention.
    text : str
        The text.
    heads : sequence of (int, int)
        Layer and head, from 0.
    max_length : int, default=32
        Most tokens; the text is cut there.
    device : str, default="auto"
        Where to compute.

    Returns
    -------
    list of AttentionMap
        In the order of `heads`.

    Raises
    ------
    ValueError
        If there is no such head.
    """
    caller = "attention_maps"
    loaded = load_model(model, head="none", device=device, caller=caller)
    tokens = loaded.encode([text], max_length)
    (weights,) = _attention(loaded, tokens, verbose=False)
    n_layers, n_heads = weights.shape[:2]
    names = [_letters(loaded.tokenizer, number) for number in tokens.ids.tolist()]
    maps = []
    for layer, head in heads:
        if not (0 <= layer < n_layers and 0 <= head < n_heads):
            raise ValueError(
                f"{caller}: heads go from (0, 0) to ({n_layers - 1}, {n_heads - 1}). "
                f"Got ({layer}, {head})."
            )
        found = weights[layer, head, 0].cpu().numpy()
        maps.append(AttentionMap(loaded.name, layer, head, tuple(names), found))
    return maps
