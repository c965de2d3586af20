"""ELMo: word vectors from the layers of a bidirectional language model over characters.

References
----------
M. E. Peters, M. Neumann, M. Iyyer, M. Gardner, C. Clark, K. Lee and L. Zettlemoyer,
"Deep contextualized word representations", NAACL 2018, sections 3.1 and 3.2
(arXiv:1802.05365). Released code: allenai/bilm-tf and allennlp/modules/elmo.py; for
other languages HIT-SCIR/ELMoForManyLangs, whose network is the same but for an
embedding of whole words beside the characters.

But:

- Tokens of a batch lie packed, as in torch's PackedSequence: the first tokens of all
  sequences, the longest sequence first, then the second tokens, and so on. Nothing is
  computed for padding.
- The state of the LSTMs is an argument and a result. The released code keeps it within
  the module from one call to the next, so that the vectors of a sentence depend on
  what was embedded before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tweetclf.modules.elmo_config import ElmoConfig

__all__ = [
    "CharacterEncoder",
    "ElmoBiLM",
    "Highway",
    "ProjectedLSTM",
    "State",
    "load_bilm",
    "pack",
]

# Output and memory, (batch, projection_dim) and (batch, cell_dim), of each LSTM:
# forward and backward of the first layer, then of the second ...
State: TypeAlias = list[tuple[Tensor, Tensor]]

# Rows of the four gates that are computed ahead at once: enough for a matrix product
# to run at full speed, and at 4 x 4096 gates 128 MiB.
_ROWS_AHEAD = 2048


def pack(lengths: Tensor) -> tuple[Tensor, Tensor, list[int]]:
    """Return which sequence and position each packed token is of.

    Parameters
    ----------
    lengths : Tensor of int64, (batch,)
        Tokens of each sequence, falling, at least 1.

    Returns
    -------
    rows, positions : Tensor of int64, (n_tokens,)
        Sequence, and place in it, of each packed token.
    batch_sizes : list of int
        How many sequences have a first, a second, ... token.

    Examples
    --------
    >>> import torch
    >>> rows, positions, batch_sizes = pack(torch.tensor([3, 1]))
    >>> rows.tolist(), positions.tolist(), batch_sizes
    ([0, 1, 0, 0], [0, 0, 1, 2], [2, 1, 1])
    """
    steps = torch.arange(int(lengths[0]), device=lengths.device)
    there = steps[:, None] < lengths[None, :]  # (seq, batch)
    positions, rows = there.nonzero(as_tuple=True)
    return rows, positions, there.sum(dim=1).tolist()


def _blocks(steps: Sequence[Tensor], most: int) -> Iterator[list[Tensor]]:
    """Yield runs of steps of at most `most` rows together, or of one step."""
    block: list[Tensor] = []
    n_rows = 0
    for step in steps:
        if block and n_rows + len(step) > most:
            yield block
            block, n_rows = [], 0
        block.append(step)
        n_rows += len(step)
    yield block


class Highway(nn.Linear):
    """A layer that mixes its input with a function of it: ``g x + (1 - g) relu(W x)``.

    Both the function and the gate ``g`` come out of one matrix product, the function
    first. In the published weights of AllenNLP ``g`` is the carry gate of bilm-tf with
    its sign turned.

    Parameters
    ----------
    dim : int
        Size of input and output.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim, 2 * dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output, (n, dim), of inputs (n, dim)."""
        change, gate = super().forward(x).chunk(2, dim=-1)
        # g x + (1 - g) relu(change)
        return torch.lerp(F.relu(change), x, torch.sigmoid(gate))

    def reset_parameters(self) -> None:
        """Draw weights as bilm-tf does: at first, the input is mostly carried on."""
        nn.init.normal_(self.weight, std=math.sqrt(1 / self.in_features))
        with torch.no_grad():
            self.bias.zero_()
            self.bias[self.in_features :].fill_(2.0)  # -2 before the sign is turned


class CharacterEncoder(nn.Module):
    """Turn the characters of a token into a vector that knows no context.

    Parameters
    ----------
    config : ElmoConfig
        The sizes.
    """

    def __init__(self, config: ElmoConfig) -> None:
        super().__init__()
        self.activation = config.activation
        self.characters = nn.Embedding(config.n_characters, config.char_dim)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.char_dim, number, width)
            for width, number in config.filters
        )
        self.highways = nn.ModuleList(
            Highway(config.n_filters) for _ in range(config.n_highway)
        )
        self.words = (
            nn.Embedding(config.n_words, config.word_dim) if config.n_words else None
        )
        self.projection = nn.Linear(
            config.word_dim + config.n_filters, config.projection_dim
        )

    def forward(self, characters: Tensor, words: Tensor | None = None) -> Tensor:
        """Encode tokens.

        Parameters
        ----------
        characters : Tensor of int, (n_tokens, n_characters)
            Ids of the characters, with the marks of beginning and end, padded. Columns
            that are padding in all rows may be cut off, but for as many as the widest
            filter is wide: the maximum is over padding too.
        words : Tensor of int, (n_tokens,), optional
            Ids of the tokens, where the network embeds those.

        Returns
        -------
        Tensor, (n_tokens, projection_dim)
            Their vectors.
        """
        x = self.characters(characters).transpose(1, 2)  # (n, char_dim, n_characters)
        found = []
        for convolution in self.convolutions:
            found.append(convolution(x).amax(dim=-1))  # (n, number of filters)
        x = torch.cat(found, dim=-1)  # (n, n_filters)
        x = F.relu(x) if self.activation == "relu" else torch.tanh(x)
        for highway in self.highways:
            x = highway(x)
        if self.words is not None:
            x = torch.cat([self.words(words), x], dim=-1)  # (n, word_dim + n_filters)
        encoded: Tensor = self.projection(x)
        return encoded

    def reset_parameters(self) -> None:
        """Draw weights as bilm-tf does."""
        nn.init.uniform_(self.characters.weight, -1.0, 1.0)
        for weight, bias in (module.parameters() for module in self.convolutions):
            if self.activation == "relu":
                nn.init.uniform_(weight, -0.05, 0.05)
            else:
                nn.init.normal_(weight, std=math.sqrt(1 / weight[0].numel()))
            nn.init.zeros_(bias)
        for highway in self.highways.children():
            highway.reset_parameters()  # type: ignore[operator]
        if self.words is not None:
            nn.init.normal_(self.words.weight)
        fan_in = self.projection.in_features
        nn.init.normal_(self.projection.weight, std=math.sqrt(1 / fan_in))
        nn.init.zeros_(self.projection.bias)


class ProjectedLSTM(nn.Module):
    """One LSTM layer of one direction whose output is projected and clipped.

    Memory ``c`` and output ``h`` of a step, with the gates in the order i, f, g, o::

        c = clip(sigmoid(i) * tanh(g) + sigmoid(f) * c)
        h = clip(W (sigmoid(o) * tanh(c)))

    torch.nn.LSTM(proj_size=...) is the same only as long as nothing is clipped.

    Parameters
    ----------
    config : ElmoConfig
        The sizes.
    backward : bool, default=False
        Read each sequence from its last token to its first.
    """

    def __init__(self, config: ElmoConfig, *, backward: bool = False) -> None:
        super().__init__()
        size, cell = config.projection_dim, config.cell_dim
        self.backward = backward
        self.cell_clip = config.cell_clip
        self.projection_clip = config.projection_clip
        self.input = nn.Linear(size, 4 * cell, bias=False)
        self.hidden = nn.Linear(size, 4 * cell)
        self.projection = nn.Linear(cell, size, bias=False)

    def forward(
        self,
        tokens: Tensor,
        batch_sizes: Sequence[int],
        state: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run over packed sequences.

        Parameters
        ----------
        tokens : Tensor, (n_tokens, projection_dim)
            Packed vectors.
        batch_sizes : sequence of int
            How many sequences have a first, a second, ... token.
        state : tuple of Tensor, (batch, projection_dim) and (batch, cell_dim), optional
            Output and memory to begin with; by default zeros.

        Returns
        -------
        outputs : Tensor, (n_tokens, projection_dim)
            Packed as the tokens are.
        state : tuple of Tensor
            Output and memory after the last step of each sequence.
        """
        if state is None:
            state = (
                tokens.new_zeros(batch_sizes[0], self.projection.out_features),
                tokens.new_zeros(batch_sizes[0], self.projection.in_features),
            )
        weight = self.hidden.weight.t()
        outputs: list[Tensor] = []
        ended: list[tuple[Tensor, Tensor]] = []
        n_first = batch_sizes[-1] if self.backward else batch_sizes[0]
        h, c = state[0][:n_first], state[1][:n_first]
        for gates_of_input in self._input_gates(tokens, batch_sizes):
            n, running = len(gates_of_input), len(h)
            if n < running:  # forward: the shortest sequences are over
                ended.append((h[n:], c[n:]))
                h, c = h[:n], c[:n]
            elif n > running:  # backward: shorter sequences begin
                h = torch.cat([h, state[0][running:n]])
                c = torch.cat([c, state[1][running:n]])
            h, c = self._step(torch.addmm(gates_of_input, h, weight), c)
            outputs.append(h)
        ended.append((h, c))
        if self.backward:
            outputs.reverse()
        last_h, last_c = (torch.cat(parts[::-1]) for parts in zip(*ended, strict=True))
        return torch.cat(outputs), (last_h, last_c)

    def _step(self, gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = gates.chunk(4, dim=1)  # (batch, cell_dim) each
        c = torch.sigmoid(i) * torch.tanh(g) + torch.sigmoid(f) * c
        if self.cell_clip is not None:
            c = c.clamp(-self.cell_clip, self.cell_clip)
        h = self.projection(torch.sigmoid(o) * torch.tanh(c))
        if self.projection_clip is not None:
            h = h.clamp(-self.projection_clip, self.projection_clip)
        return h, c

    def _input_gates(
        self, tokens: Tensor, batch_sizes: Sequence[int]
    ) -> Iterator[Tensor]:
        """Yield the input's part of the gates, (batch of the step, 4 * cell_dim)."""
        steps = tokens.split(list(batch_sizes))
        if self.backward:
            steps = steps[::-1]
        for block in _blocks(steps, _ROWS_AHEAD):
            gates = F.linear(torch.cat(block), self.input.weight, self.hidden.bias)
            yield from gates.split([len(step) for step in block])

    def reset_parameters(self) -> None:
        """Draw weights as bilm-tf does; forget gates begin open."""
        cell = self.projection.in_features
        bound = math.sqrt(6 / (self.input.in_features + cell))
        for weight in (self.input.weight, self.hidden.weight):
            nn.init.uniform_(weight, -bound, bound)
        nn.init.xavier_uniform_(self.projection.weight)
        with torch.no_grad():
            self.hidden.bias.zero_()
            self.hidden.bias[cell : 2 * cell].fill_(1.0)


class ElmoBiLM(nn.Module):
    """The network whose layers are ELMo's: characters, then LSTMs in both directions.

    The two directions see each other nowhere; from the second layer on, the input of
    a layer is added to its output.

    Parameters
    ----------
    config : ElmoConfig
        The sizes.
    dropout : float, default=0.0
        Share of the inputs of each layer, and of the outputs of the last, that is set
        to zero in training.
    """

    def __init__(self, config: ElmoConfig, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.encoder = CharacterEncoder(config)
        self.forward_layers = nn.ModuleList(
            ProjectedLSTM(config) for _ in range(config.n_layers)
        )
        self.backward_layers = nn.ModuleList(
            ProjectedLSTM(config, backward=True) for _ in range(config.n_layers)
        )
        self.dropout = nn.Dropout(dropout)

    def contextualize(
        self, tokens: Tensor, batch_sizes: Sequence[int], state: State | None = None
    ) -> tuple[list[Tensor], State]:
        """Run the LSTMs over packed tokens.

        Parameters
        ----------
        tokens : Tensor, (n_tokens, projection_dim)
            What `encoder` made of them, packed.
        batch_sizes : sequence of int
            How many sequences have a first, a second, ... token.
        state : list of (output, memory), optional
            Of each LSTM; by default zeros.

        Returns
        -------
        layers : list of Tensor, n_layers + 1 times (n_tokens, 2 * projection_dim)
            The tokens twice, then both directions of each layer, side by side.
        state : list of (output, memory)
            After the last token read of each sequence.
        """
        ahead = back = tokens
        layers = [torch.cat([tokens, tokens], dim=-1)]
        after: State = []
        for k, pair in enumerate(
            zip(self.forward_layers, self.backward_layers, strict=True)
        ):
            outputs = []
            for direction, (lstm, x) in enumerate(
                zip(pair, (ahead, back), strict=True)
            ):
                x = self.dropout(x)
                before = None if state is None else state[2 * k + direction]
                h, ended = lstm(x, batch_sizes, before)
                after.append(ended)
                outputs.append(h if k == 0 else h + x)
            ahead, back = outputs
            layers.append(torch.cat([ahead, back], dim=-1))
        return layers, after

    def forward(
        self,
        characters: Tensor,
        lengths: Tensor,
        words: Tensor | None = None,
        state: State | None = None,
    ) -> tuple[Tensor, State]:
        """Embed padded sequences in any order.

        Parameters
        ----------
        characters : Tensor of int, (batch, seq, n_characters)
            Ids, with the tokens that begin and end a sentence.
        lengths : Tensor of int64, (batch,)
            Tokens of each sequence, at least 1; what lies beyond is never read.
        words : Tensor of int, (batch, seq), optional
            Ids of the tokens, where the network embeds those.
        state : list of (output, memory), optional
            Of each LSTM, rows in the order of the sequences; by default zeros.

        Returns
        -------
        layers : Tensor, (n_layers + 1, batch, seq, 2 * projection_dim)
            Zero where there is no token.
        state : list of (output, memory)
            After each sequence.
        """
        n_rows, n_steps = characters.shape[:2]
        order = torch.argsort(lengths, descending=True, stable=True)
        rows, positions, batch_sizes = pack(lengths[order])
        rows = order[rows]
        packed = self.encoder(
            characters[rows, positions],
            None if words is None else words[rows, positions],
        )
        if state is not None:
            state = [(h[order], c[order]) for h, c in state]
        layers, after = self.contextualize(packed, batch_sizes, state)
        padded = packed.new_zeros(len(layers), n_rows, n_steps, self.config.dim)
        padded[:, rows, positions] = torch.stack(layers)
        back = torch.argsort(order)
        return padded, [(h[back], c[back]) for h, c in after]

    def reset_parameters(self) -> None:
        """Draw weights as bilm-tf does."""
        self.encoder.reset_parameters()
        for lstm in (*self.forward_layers, *self.backward_layers):
            lstm.reset_parameters()


def load_bilm(config: ElmoConfig, arrays: Mapping[str, Any]) -> ElmoBiLM:
    """Return a network in evaluation mode that holds given weights.

    Parameters
    ----------
    config : ElmoConfig
        The sizes.
    arrays : mapping of str to ndarray of float32
        The weights. Writable ones are shared, not copied.

    Returns
    -------
    ElmoBiLM
        The network; its weights take no gradients.
    """
    # Without storage, and so without drawing numbers that nobody needs.
    with torch.device("meta"):
        module = ElmoBiLM(config)
    tensors = {
        name: torch.from_numpy(array if array.flags.writeable else array.copy())
        for name, array in arrays.items()
    }
    module.load_state_dict(tensors, assign=True)
    return module.eval().requires_grad_(False)
