"""Running sentences through an ELMo network: each word once, batches by length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tweetclf.features.elmo_weights import ElmoWeights
from tweetclf.modules.elmo import ElmoBiLM, State, pack
from tweetclf.preprocessing.characters import TokenCharacters
from tweetclf.training.batching import sorted_batches
from tweetclf.training.devices import choose_device

__all__ = ["Embedded", "embed"]

# So many tokens share a table of the vectors of their different words.
_BLOCK_TOKENS = 1 << 16
# So many words go through the convolutions at once; their output is some 200 kB each.
_WORDS_AT_ONCE = 256

Sentence = Sequence[str]


class Embedded(NamedTuple):
    """A batch of sentences as the network leaves it, without their two ends.

    `layers` holds n_layers + 1 tensors (n_tokens, dim), and `rows` (n_tokens,) says
    which sentence of the batch a token is of; the tokens of a sentence are in order,
    but those of others stand between them. `indices` are the places of the batch's
    sentences among all, `lengths` their tokens.
    """

    indices: NDArray[np.intp]
    lengths: Tensor
    rows: Tensor
    layers: list[Tensor]

    def pooled(self, vectors: Tensor) -> Tensor:
        """Return the mean of the vectors of each sentence, zeros if it has no token."""
        # In double precision (which Apple's GPUs do not have): over thousands of tokens
        # rounding adds up, and a text would not be the same beside other ones.
        vectors = vectors.cpu().double()
        sums = vectors.new_zeros(len(self.lengths), vectors.shape[1])
        sums.index_add_(0, self.rows.cpu(), vectors)
        return (sums / self.lengths.cpu().clamp(min=1)[:, None]).float()

    def by_sentence(self, vectors: Tensor) -> list[Tensor]:
        """Return the vectors of each sentence, in the order of its tokens."""
        order = torch.argsort(self.rows, stable=True)
        return list(vectors[order].split(self.lengths.tolist()))


def embed(
    weights: ElmoWeights,
    sentences: Sequence[Sentence],
    *,
    batch_size: int,
    max_tokens: int,
    device: str,
    stateful: bool = False,
) -> Iterator[Embedded]:
    """Yield the layers of sentences, batch by batch.

    Parameters
    ----------
    weights : ElmoWeights
        The network.
    sentences : sequence of sequences of str
        Tokens. Without `stateful`, those of a batch are of about the same length, and
        batches come with the longest sentences first.
    batch_size : int
        Most sentences in a batch.
    max_tokens : int
        Most tokens in a batch, padding and ends counted; not with `stateful`.
    device : str
        Where to compute.
    stateful : bool, default=False
        Take sentences in the order given, and begin each batch with the states that
        the one before left, sentence by sentence.

    Yields
    ------
    Embedded
        A batch.
    """
    network = weights.network(str(choose_device(device)))
    characters = weights.token_characters()
    # Both ends are tokens, too.
    lengths = np.array([len(sentence) + 2 for sentence in sentences])
    if stateful:
        every = np.arange(len(sentences))
        plan = [
            every[start : start + batch_size]
            for start in range(0, len(sentences), batch_size)
        ]
    else:
        plan = sorted_batches(lengths, batch_size, max_tokens)
    state: State | None = None
    for block in _blocks(plan, lengths):
        table = _WordTable(network, characters)
        ids = {index: table.add(sentences[index]) for batch in block for index in batch}
        # The network's weights take no gradients, so that none are prepared for.
        vectors = table.vectors()
        for batch in block:
            rows = [ids[index] for index in batch]
            before = _fitting(state, len(batch)) if stateful else None
            embedded, after = _run(network, vectors, batch, rows, before)
            if stateful:
                state = _kept(state, after)
            yield embedded


def _blocks(
    plan: Sequence[NDArray[np.intp]], lengths: NDArray[np.int64]
) -> Iterator[list[NDArray[np.intp]]]:
    block: list[NDArray[np.intp]] = []
    n_tokens = 0
    for batch in plan:
        if block and n_tokens + lengths[batch].sum() > _BLOCK_TOKENS:
            yield block
            block, n_tokens = [], 0
        block.append(batch)
        n_tokens += int(lengths[batch].sum())
    if block:
        yield block


class _WordTable:
    """Vectors of different words: they know no context, so that each is made once."""

    def __init__(self, network: ElmoBiLM, characters: TokenCharacters) -> None:
        self._network = network
        self._characters = characters
        self._ids = {characters.begin: 0, characters.end: 1}

    def add(self, sentence: Sentence) -> list[int]:
        """Return the rows of a sentence's tokens, ends included."""
        ids = self._ids
        return [0, *(ids.setdefault(token, len(ids)) for token in sentence), 1]

    def vectors(self) -> Tensor:
        """Return the vectors of all words, (n_words, projection_dim)."""
        words = list(self._ids)
        config = self._network.config
        device = self._network.encoder.projection.weight.device
        widest = max(width for width, _ in config.filters)
        table = torch.empty(len(words), config.projection_dim, device=device)
        # Short words together need few columns.
        order = sorted(range(len(words)), key=lambda row: len(words[row]))
        for start in range(0, len(order), _WORDS_AT_ONCE):
            rows = order[start : start + _WORDS_AT_ONCE]
            characters, ids = self._characters.encode(
                [words[row] for row in rows], margin=widest
            )
            table[torch.tensor(rows, device=device)] = self._network.encoder(
                torch.from_numpy(characters).to(device),
                None if ids is None else torch.from_numpy(ids).to(device),
            )
        return table


def _run(
    network: ElmoBiLM,
    vectors: Tensor,
    indices: NDArray[np.intp],
    sentences: Sequence[list[int]],
    state: State | None,
) -> tuple[Embedded, State]:
    """Run one batch, whose sentences may have any order."""
    device = vectors.device
    order = sorted(range(len(sentences)), key=lambda row: -len(sentences[row]))
    lengths = torch.tensor([len(sentences[row]) for row in order])
    rows, positions, batch_sizes = pack(lengths)
    starts = torch.cumsum(lengths, dim=0) - lengths
    flat = torch.tensor([token for row in order for token in sentences[row]])
    tokens = flat[starts[rows] + positions].to(device)
    if state is not None:
        state = [(h[order], c[order]) for h, c in state]
    layers, after = network.contextualize(vectors[tokens], batch_sizes, state)
    back = sorted(range(len(order)), key=order.__getitem__)
    after = [(h[back], c[back]) for h, c in after]
    # The two ends were there for the network, not for the reader.
    inner = ((positions > 0) & (positions < lengths[rows] - 1)).to(device)
    embedded = Embedded(
        indices[np.array(order)],
        (lengths - 2).to(device),
        rows.to(device)[inner],
        [layer[inner] for layer in layers],
    )
    return embedded, after


def _fitting(state: State | None, n_rows: int) -> State | None:
    """Return the states of the first rows; rows that are new begin with zeros."""
    if state is None:
        return None
    return [(_first_rows(h, n_rows), _first_rows(c, n_rows)) for h, c in state]


def _first_rows(x: Tensor, n_rows: int) -> Tensor:
    if len(x) >= n_rows:
        return x[:n_rows]
    return torch.cat([x, x.new_zeros(n_rows - len(x), x.shape[1])])


def _kept(state: State | None, after: State) -> State:
    """Return the states after a batch; rows it did not have keep theirs."""
    if state is None:
        return after
    return [
        (torch.cat([h, old_h[len(h) :]]), torch.cat([c, old_c[len(c) :]]))
        for (h, c), (old_h, old_c) in zip(after, state, strict=True)
    ]
