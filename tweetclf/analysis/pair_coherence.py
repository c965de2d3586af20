"""How often a model's pair head is right about replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tweetclf.analysis._intervals import mean_interval
from tweetclf.analysis._models import (
    LoadedModel,
    ModelLike,
    equal_length_batches,
    load_model,
    take_sequences,
)
from tweetclf.analysis.coherence import (
    CoherenceSet,
    reply_order_set,
    topic_coherence_set,
)
from tweetclf.utils.progress import track

__all__ = ["Coherence", "measure_coherence"]


@dataclass(frozen=True)
class Coherence:
    """What a pair head says of a set of right and wrong pairs.

    Parameters
    ----------
    model : str
        Name of the model.
    name : {"topic", "order"}
        Which set: wrong replies, or exchanged sides.
    labels : ndarray of int64 of shape (n,)
        1 for right pairs, 0 for wrong ones.
    probabilities : ndarray of float64 of shape (n,)
        That a pair is right, as the model says.
    low, high : float
        Bootstrap interval of `accuracy`. Both pairs that were made of one are drawn
        together.
    level : float
        Its nominal coverage.
    """

    model: str
    name: str
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    low: float
    high: float
    level: float

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the model is right about each pair."""
        return (self.probabilities > 0.5) == (self.labels == 1)

    @property
    def accuracy(self) -> float:
        """Share of pairs that it is right about; 0.5 is chance."""
        return float(self.correct.mean())

    @property
    def accuracy_right(self) -> float:
        """Share of the right pairs that it takes for right."""
        return float(self.correct[self.labels == 1].mean())

    @property
    def accuracy_wrong(self) -> float:
        """Share of the wrong pairs that it takes for wrong."""
        return float(self.correct[self.labels == 0].mean())


def measure_coherence(
    model: ModelLike,
    pairs: Sequence[tuple[str, str]],
    *,
    max_length: int = 128,
    max_tokens: int = 4096,
    level: float = 0.95,
    n_resamples: int = 2000,
    random_state: int = 0,
    device: str = "auto",
    verbose: bool = False,
) -> tuple[Coherence, Coherence]:
    """Ask a model which replies belong to their posts, and which of two came first.

    Parameters
    ----------
    model : str, path or LoadedModel
        A model with a head for pairs: reply order (its configuration then names a
        ``pair_objective`` and class 1 is the order as written), BERT's next sentence
        or ALBERT's sentence order (class 0).
    pairs : sequence of (str, str)
        Posts with their replies; the model's preprocessing profile is applied.
    max_length : int, default=128
        Most tokens of a pair; the longer side is cut first.
    max_tokens : int, default=4096
        Tokens that are computed at once.
    level : float, default=0.95
        Nominal coverage of the intervals.
    n_resamples : int, default=2000
        Bootstrap resamples of the pairs.
    random_state : int, default=0
        Seed of the wrong replies and of the resamples.
    device : str, default="auto"
        Where to compute.
    verbose : bool, default=False
        Show a progress bar on a terminal.

    Returns
    -------
    topic : Coherence
        On D'1, right replies against those of other posts.
    order : Coherence
        On D'2, pairs as written against exchanged ones.

    Raises
    ------
    ModelFormatError
        If the model has no head for pairs, or one that was never learnt.

    Notes
    -----
    A head that was learnt on reply order alone has seen no wrong reply; what it says
    of topics is transfer, as in the paper.
    """
    caller = "measure_coherence"
    sets = (
        topic_coherence_set(pairs, random_state=random_state),
        reply_order_set(pairs),
    )
    loaded = load_model(model, head="pair", device=device, caller=caller)
    found = []
    for made in sets:
        given = _probabilities(loaded, made, max_length, max_tokens, verbose)
        coherence = Coherence(
            loaded.name, made.name, made.labels, given, np.nan, np.nan, level
        )
        right = np.bincount(made.sources, weights=coherence.correct)
        low, high = mean_interval(
            right / 2, level=level, n_resamples=n_resamples, random_state=random_state
        )
        found.append(
            Coherence(loaded.name, made.name, made.labels, given, low, high, level)
        )
    return found[0], found[1]


def _probabilities(
    loaded: LoadedModel,
    made: CoherenceSet,
    max_length: int,
    max_tokens: int,
    verbose: bool,
) -> NDArray[np.float64]:
    tokens = loaded.encode(made.pairs, max_length)
    found = np.empty(len(made.pairs))
    batches = equal_length_batches(tokens.lengths, max_tokens)
    shown = track(batches, f"{made.name} coherence", enabled=None if verbose else False)
    for rows in shown:
        logits = loaded.pair_logits(take_sequences(tokens, rows))
        given = logits.softmax(dim=1)[:, loaded.coherent_class]
        found[rows] = given.double().cpu().numpy()
    return found
