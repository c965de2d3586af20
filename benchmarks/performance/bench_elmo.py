"""ELMo vectors of many tweets against one sentence at a time."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from harness import Benchmark, tweets

from tweetclf.features import ElmoVectorizer, ElmoWeights


class Corpus(NamedTuple):
    """Tweets, and what embeds them."""

    texts: list[str]
    elmo: ElmoVectorizer


@lru_cache(maxsize=1)
def _weights() -> ElmoWeights:
    # AllenNLP's model "small": a random network takes the time of a learnt one.
    return ElmoWeights.random(n_highway=1, projection_dim=128, cell_dim=1024)


def _corpus(n: int) -> Corpus:
    texts = tweets(n)
    return Corpus(texts, ElmoVectorizer(_weights(), device="cpu").fit(texts[:1]))


def _together(data: Corpus) -> np.ndarray:
    return data.elmo.transform(data.texts)


def _one_by_one(data: Corpus) -> np.ndarray:
    """Embed each tweet alone, as a loop over sentences does."""
    return np.concatenate([data.elmo.transform([text]) for text in data.texts])


def _close(ours: np.ndarray, theirs: np.ndarray) -> None:
    difference = float(np.abs(ours - theirs).max())
    assert difference <= 1e-5, f"the largest difference is {difference:.1e}"


BENCHMARKS = [
    Benchmark(
        name="elmo",
        what="ELMo (AllenNLP's small network), vectors of tweets",
        peer="one tweet at a time",
        prepare=_corpus,
        ours=_together,
        theirs=_one_by_one,
        check=_close,
        sizes=(10_000,),
        bar=8,
        aim=12,
        repeats=1,
        memory=(1_000,),
    )
]
