"""ELMo vectors of many tweets against one sentence at a time.

The peer does what the released code of AllenNLP and ELMoForManyLangs does with a
sentence: all 50 characters of each of its tokens, and two matrix products a step.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from harness import Benchmark, tweets
from torch import Tensor
from torch.nn import functional as F

from tweetclf.features import ElmoVectorizer, ElmoWeights
from tweetclf.modules.elmo import ProjectedLSTM


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


def _step_by_step(lstm: ProjectedLSTM, x: Tensor) -> Tensor:
    """Run one direction over a sentence as the released code does."""
    h = x.new_zeros(1, lstm.projection.out_features)
    c = x.new_zeros(1, lstm.projection.in_features)
    outputs: list[Tensor] = []
    for token in reversed(x.split(1)) if lstm.backward else x.split(1):
        of_input, of_state = F.linear(token, lstm.input.weight), lstm.hidden(h)
        i, f, g, o = (
            a + b
            for a, b in zip(of_input.chunk(4, 1), of_state.chunk(4, 1), strict=True)
        )
        c = torch.sigmoid(i) * torch.tanh(g) + torch.sigmoid(f) * c
        c = torch.clamp(c, -3.0, 3.0)
        h = lstm.projection(torch.sigmoid(o) * torch.tanh(c))
        h = torch.clamp(h, -3.0, 3.0)
        outputs.append(h)
    return torch.cat(outputs[::-1] if lstm.backward else outputs)


def _one_by_one(data: Corpus) -> np.ndarray:
    """Embed each tweet alone, all 50 characters of each token, step by step."""
    weights = _weights()
    network, characters = weights.network("cpu"), weights.token_characters()
    rows = []
    for tokens in data.elmo.tokenize(data.texts):
        whole = [characters.begin, *tokens, characters.end]
        ids, _ = characters.encode(whole, margin=50)
        x = network.encoder(torch.from_numpy(ids))
        layers, streams = [torch.cat([x, x], dim=1)], [x, x]
        pairs = zip(network.forward_layers, network.backward_layers, strict=True)
        for k, pair in enumerate(pairs):
            outputs = [_step_by_step(*p) for p in zip(pair, streams, strict=True)]
            if k:
                outputs = [a + b for a, b in zip(outputs, streams, strict=True)]
            layers.append(torch.cat(outputs, dim=1))
            streams = outputs
        mean = torch.stack(layers).mean(dim=0)[1:-1]
        rows.append(mean.sum(dim=0) / max(len(tokens), 1))
    return torch.stack(rows).numpy()


def _close(ours: np.ndarray, theirs: np.ndarray) -> None:
    difference = float(np.abs(ours - theirs).max())
    assert difference <= 1e-5, f"the largest difference is {difference:.1e}"


BENCHMARKS = [
    Benchmark(
        name="elmo",
        what="ELMo (AllenNLP's small network), vectors of tweets",
        peer="one tweet at a time, as released",
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
