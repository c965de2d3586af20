"""Pseudo-log-likelihood of texts: how well a model foretells each of their tokens.

References
----------
J. Á. González, L.-F. Hurtado and F. Pla, "TWilBert: Pre-trained deep bidirectional
transformers for Spanish Twitter", Neurocomputing 426, 2021, equations 9-12. J. Salazar
et al., "Masked language model scoring", ACL 2020 (arXiv:1910.14659).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from tweetclf.analysis._intervals import mean_interval
from tweetclf.analysis._models import (
    LoadedModel,
    ModelLike,
    equal_length_batches,
    load_model,
    require_some,
    take_sequences,
)
from tweetclf.features._encoding import Tokenized
from tweetclf.utils.progress import track
from tweetclf.utils.validation import check_texts

__all__ = ["PseudoLikelihood", "pseudo_log_likelihood"]

Divisor = Literal["tokens", "with_special"]


@dataclass(frozen=True)
class PseudoLikelihood:
    """Pseudo-log-likelihoods of texts under a model.

    Parameters
    ----------
    model : str
        Name of the model.
    sums : ndarray of float64 of shape (n_texts,)
        Sum of the log-probabilities of a text's tokens, each hidden in turn, in nats.
    n_terms : ndarray of int64 of shape (n_texts,)
        Tokens that were hidden: all but those that the tokenizer adds.
    n_tokens : ndarray of int64 of shape (n_texts,)
        Tokens, those that the tokenizer adds included.
    divisor : {"tokens", "with_special"}
        What a sum is divided by.
    low, high : float
        Bootstrap interval of `mean`, over texts.
    level : float
        Its nominal coverage.
    n_truncated : int
        Texts that were cut.
    """

    model: str
    sums: NDArray[np.float64]
    n_terms: NDArray[np.int64]
    n_tokens: NDArray[np.int64]
    divisor: str
    low: float
    high: float
    level: float
    n_truncated: int

    @property
    def values(self) -> NDArray[np.float64]:
        """Each text's mean, alpha(X); NaN for a text without a token."""
        below = self.n_terms if self.divisor == "tokens" else self.n_tokens
        known = self.n_terms > 0
        values = np.full(len(self.sums), np.nan)
        values[known] = self.sums[known] / below[known]
        return values

    @property
    def mean(self) -> float:
        """Mean of `values`, gamma(D)."""
        values = self.values
        known = np.isfinite(values)
        return float(values[known].mean()) if known.any() else math.nan

    @property
    def perplexity(self) -> float:
        """Pseudo-perplexity of all tokens together, that of Salazar et al."""
        return float(np.exp(-self.sums.sum() / self.n_terms.sum()))


def pseudo_log_likelihood(
    model: ModelLike,
    texts: Sequence[str],
    *,
    divisor: Divisor = "tokens",
    max_length: int = 128,
    max_tokens: int = 8192,
    level: float = 0.95,
    n_resamples: int = 2000,
    random_state: int = 0,
    device: str = "auto",
    verbose: bool = False,
) -> PseudoLikelihood:
    """Hide each token of each text in turn, and ask the model for it.

    Parameters
    ----------
    model : str, path or LoadedModel
        A model that foretells masked tokens.
    texts : sequence of str
        The texts; the model's preprocessing profile is applied.
    divisor : {"tokens", "with_special"}, default="tokens"
        A text's sum is divided by the number of its terms, or, as TWilBERT's code has
        it, by the number of its tokens with those that the tokenizer adds.
    max_length : int, default=128
        Most tokens of a text; longer ones are cut.
    max_tokens : int, default=8192
        Tokens that are computed at once: more take more memory.
    level : float, default=0.95
        Nominal coverage of the interval.
    n_resamples : int, default=2000
        Bootstrap resamples of the texts.
    random_state : int, default=0
        Their seed.
    device : str, default="auto"
        Where to compute.
    verbose : bool, default=False
        Show a progress bar on a terminal.

    Returns
    -------
    PseudoLikelihood
        Of each text and of all.

    Notes
    -----
    A text of T tokens is read T - 2 times, as copies with one hidden token each; many
    copies are computed at once, those of texts of one length together, and the layer
    over the vocabulary sees one state a copy. Values of models with different
    tokenizers are not comparable: their terms are different tokens.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.analysis import pseudo_log_likelihood
    >>> from tweetclf.pretraining import BertTraining, train_bert
    >>> tweets = [f"qué risa el lunes {k}" for k in range(20)]
    >>> small = BertTraining(
    ...     vocab_size=300, hidden_size=8, n_layers=1, n_heads=2, max_iter=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = train_bert(tweets, folder + "/bert", training=small).path
    ...     found = pseudo_log_likelihood(path, tweets[:3], device="cpu")
    >>> found.values.shape, found.low <= found.mean <= found.high < 0
    ((3,), True)
    """
    caller = "pseudo_log_likelihood"
    if divisor not in ("tokens", "with_special"):
        raise ValueError(
            f"{caller}: the 'divisor' parameter must be 'tokens' or 'with_special'. "
            f"Got {divisor!r} instead."
        )
    rows = check_texts(texts, caller=caller)
    require_some(rows, caller)
    loaded = load_model(model, head="masked", device=device, caller=caller)
    tokens = loaded.encode(rows, max_length)
    sums, n_terms = _sums(loaded, tokens, max_tokens, verbose)
    found: dict[str, Any] = {
        "model": loaded.name,
        "sums": sums,
        "n_terms": n_terms,
        "n_tokens": tokens.lengths,
        "divisor": divisor,
        "level": level,
        "n_truncated": tokens.n_truncated,
    }
    values = PseudoLikelihood(**found, low=math.nan, high=math.nan).values
    low, high = mean_interval(
        values, level=level, n_resamples=n_resamples, random_state=random_state
    )
    return PseudoLikelihood(**found, low=low, high=high)


def _sums(
    loaded: LoadedModel, tokens: Tokenized, max_tokens: int, verbose: bool
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the sums of log-probabilities, and how many terms each has."""
    owners = np.repeat(np.arange(len(tokens.lengths)), tokens.lengths)
    starts = np.cumsum(tokens.lengths) - tokens.lengths
    hidden = np.flatnonzero(~tokens.special)
    rows = owners[hidden]
    places = hidden - starts[rows]
    sums = np.zeros(len(tokens.lengths))
    batches = equal_length_batches(tokens.lengths[rows], max_tokens)
    shown = track(batches, "hiding tokens", enabled=None if verbose else False)
    for chosen in shown:
        batch = take_sequences(tokens, rows[chosen])
        at = np.arange(len(chosen)), places[chosen]
        targets = torch.from_numpy(batch.ids[at]).to(loaded.device)
        batch.ids[at] = loaded.mask_id
        logits = loaded.masked_logits(batch, places[chosen])
        found = logits.log_softmax(dim=1).gather(1, targets[:, None])[:, 0]
        np.add.at(sums, rows[chosen], found.double().cpu().numpy())
    return sums, np.bincount(rows, minlength=len(sums)).astype(np.int64)
