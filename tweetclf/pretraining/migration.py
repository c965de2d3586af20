"""Vocabulary migration: put a masked language model on another tokenizer.

References
----------
BERT for Japanese Twitter, chapter 6: the embeddings of shared tokens
are copied, those of the others start at random, everything else is copied. The mean of
old sub-tokens: J. Hewitt, "Initializing new word embeddings for pretrained language
models", 2021; A. Gee et al., "Fast vocabulary transfer", EMNLP 2022 industry track.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tweetclf.pretraining._piece_keys import ROLES, Key, Pieces, read_pieces
from tweetclf.training.devices import seeded
from tweetclf.utils.random import stream

__all__ = ["MigrationReport", "migrate_vocabulary"]

Init: TypeAlias = Literal["random", "mean", "none"]

_EXAMPLES = 12


@dataclass(frozen=True)
class MigrationReport:
    """What the two vocabularies share.

    Parameters
    ----------
    n_old, n_new : int
        Tokens of either.
    n_shared : int
        New tokens that the old vocabulary has too.
    share : float
        `n_shared` of `n_new`.
    n_copied, n_mean, n_random : int
        Rows that were copied, that are the mean of old pieces, and drawn ones.
    init : str
        As given to `migrate_vocabulary`.
    by_type : dict
        For "special", "word-initial" and "continuing" tokens, and "punctuation"
        (pieces without letters and digits): how many are new, and how many shared.
    shared_examples, new_examples : dict
        For each type, the first few tokens, as the new tokenizer writes them.
    """

    n_old: int
    n_new: int
    n_shared: int
    share: float
    n_copied: int
    n_mean: int
    n_random: int
    init: str
    by_type: dict[str, dict[str, int]]
    shared_examples: dict[str, list[str]]
    new_examples: dict[str, list[str]]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, for JSON."""
        return asdict(self)

    def to_markdown(self) -> str:
        """Return the report as a table."""
        rows = [
            f"Of {self.n_new:,} tokens {self.n_shared:,} ({self.share:.1%}) are also "
            f"among the {self.n_old:,} old ones. Rows copied: {self.n_copied:,}, means "
            f"of old pieces: {self.n_mean:,}, random: {self.n_random:,}.",
            "",
            "| tokens | number | shared | share | shared ones | new ones |",
            "|---|--:|--:|--:|---|---|",
        ]
        for name, counts in self.by_type.items():
            n, shared = counts["n"], counts["shared"]
            share = f"{shared / n:.1%}" if n else ""
            examples = (
                ", ".join(_code(t) for t in kept[name][:5])
                for kept in (self.shared_examples, self.new_examples)
            )
            rows.append(
                f"| {name} | {n:,} | {shared:,} | {share} | {' | '.join(examples)} |"
            )
        return "\n".join(rows) + "\n"


def _code(token: str) -> str:
    ticks = "``" if "`" in token else "`"
    pad = " " if "`" in token else ""
    return f"{ticks}{pad}{token.replace('|', chr(92) + '|')}{pad}{ticks}"


def migrate_vocabulary(
    model: Any,
    old_tokenizer: Any,
    new_tokenizer: Any,
    *,
    init: Init = "random",
    random_state: int = 0,
) -> tuple[Any, MigrationReport]:
    """Put a masked language model on another tokenizer.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        With input embeddings and, as masked language models have, a layer over the
        vocabulary; left as it is.
    old_tokenizer, new_tokenizer : transformers tokenizers
        The one the model was trained with, and the one it is to read from now on.
    init : {"random", "mean", "none"}, default="random"
        How rows of tokens begin that the old vocabulary lacks: drawn from a normal
        distribution with the deviation of the configuration's ``initializer_range``;
        or as the mean of the rows of the old pieces that make up the token. "none"
        takes no row over at all, to see what the rows are worth.
    random_state : int, default=0
        Seed of what is drawn.

    Returns
    -------
    model : transformers.PreTrainedModel
        A new model of the same class.
    report : MigrationReport
        What the vocabularies share.

    Raises
    ------
    ValueError
        If the model has no embeddings for all ids of the old tokenizer.

    Notes
    -----
    A token is shared if both vocabularies have it with the same text, letter for
    letter, and the same place, at the start of a word or within: ``##s`` of WordPiece
    is ``s`` of SentencePiece and byte-level BPE, ``s`` of the first is ``▁s`` or ``Ġs``
    of the others. Of pieces without letters and digits the place is not looked at,
    if need be: byte-level BPE writes a full stop as within a word, WordPiece as a word.
    Special tokens match by what they do (``<s>`` and ``[CLS]`` both begin a text), or
    by their name.

    Copied are the rows of the input embeddings, of the output layer where it is not
    tied to them, and its biases. Biases of other tokens are 0, or the mean. Tied
    weights stay tied, since the class of the model ties them. "mean" cuts a token by
    the longest old pieces from left to right, after the old tokenizer's own
    normalisation, so that a cased token has the mean of uncased pieces; where a part of
    it is no old piece, its row is drawn.

    RoBERTa's family counts positions from the number of its padding token. Where that
    changes, the table of positions moves along, so that each place of a text keeps its
    row.

    Examples
    --------
    >>> import tempfile
    >>> from transformers import AutoModelForMaskedLM, AutoTokenizer
    >>> from tweetclf.pretraining import migrate_vocabulary, train_tweet_tokenizer
    >>> from tweetclf.testing import make_tiny_transformer
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = make_tiny_transformer(folder, ["qué risa", "qué asco"])
    ...     old = AutoTokenizer.from_pretrained(path)
    ...     new = train_tweet_tokenizer(["qué día", "qué risa"] * 3, vocab_size=40)
    ...     model = AutoModelForMaskedLM.from_pretrained(path)
    ...     migrated, report = migrate_vocabulary(model, old, new)
    >>> report.n_new == migrated.config.vocab_size == len(new)
    True
    """
    if init not in ("random", "mean", "none"):
        raise ValueError(
            "migrate_vocabulary: the 'init' parameter must be 'random', 'mean' or "
            f"'none'. Got {init!r} instead."
        )
    old, new = read_pieces(old_tokenizer), read_pieces(new_tokenizer)
    n_rows = model.get_input_embeddings().weight.shape[0]
    if n_rows < old.n_rows:
        raise ValueError(
            f"migrate_vocabulary: the model has {n_rows} embeddings, the old tokenizer "
            f"ids up to {old.n_rows - 1}; it is not the model's."
        )
    shared = _match(old, new)
    rows = _Rows(
        new.n_rows,
        copied={} if init == "none" else shared,
        means=_means(old, new, shared, old_tokenizer) if init == "mean" else {},
    )
    migrated = _rebuild(model, new, rows, random_state)
    return migrated, _report(old, new, shared, rows, init)


# Which tokens are which ---------------------------------------------------------------


def _is_mark(surface: bytes) -> bool:
    """Tell whether a piece has neither letters nor digits."""
    try:
        return not any(c.isalnum() for c in surface.decode("utf-8"))
    except UnicodeDecodeError:  # a part of a letter
        return False


def _match(old: Pieces, new: Pieces) -> dict[int, int]:
    """Return the old id of each new id that has one."""
    found: dict[int, int] = {}
    for role in ROLES:
        if role in old.roles and role in new.roles:
            found.setdefault(new.roles[role], old.roles[role])
    names = {token: i for i, token in old.special.items()}
    for number, token in new.special.items():
        if token in names:
            found.setdefault(number, names[token])
    by_key: dict[Key, int] = {}
    for number, key in old.keys.items():
        by_key.setdefault(key, number)
    for number, key in new.keys.items():
        match = by_key.get(key)
        if match is None and _is_mark(key.surface):
            match = by_key.get(Key(key.surface, not key.initial))
        if match is not None:
            found[number] = match
    return found


def _means(
    old: Pieces, new: Pieces, shared: Mapping[int, int], old_tokenizer: Any
) -> dict[int, list[int]]:
    """Return the old pieces that each other new piece is made of."""
    by_key: dict[Key, int] = {}
    for number, key in old.keys.items():
        by_key.setdefault(key, number)
    longest = max((len(key.surface) for key in by_key), default=0)
    backend = getattr(old_tokenizer, "backend_tokenizer", None)
    normalizer = getattr(backend, "normalizer", None)
    found = {}
    for number, key in new.keys.items():
        if number in shared:
            continue
        surface = _normal(key.surface, normalizer)
        parts = _cut(surface, key.initial, by_key, longest)
        if parts:
            found[number] = parts
    return found


def _normal(surface: bytes, normalizer: Any) -> bytes:
    """Return a text as the old tokenizer reads it."""
    try:
        text = surface.decode("utf-8")
    except UnicodeDecodeError:  # a part of a letter
        return surface
    if normalizer is None:
        return surface
    # Some normalisers write the blank before a word themselves.
    return str(normalizer.normalize_str(text)).strip(" ▁").encode()


def _cut(
    surface: bytes, initial: bool, by_key: Mapping[Key, int], longest: int
) -> list[int]:
    """Return the longest pieces from left to right; none if a part is no piece."""
    parts: list[int] = []
    start = 0
    while start < len(surface):
        for stop in range(min(len(surface), start + longest), start, -1):
            part = surface[start:stop]
            here = initial and start == 0
            number = by_key.get(Key(part, here))
            if number is None and (here or _is_mark(part)):
                # A word that the old tokenizer begins in the middle of one, or a mark.
                number = by_key.get(Key(part, not here))
            if number is not None:
                parts.append(number)
                start = stop
                break
        else:
            return []
    return parts


# Their rows ---------------------------------------------------------------------------


class _Rows:
    """Where the rows of a new table come from."""

    def __init__(
        self, n_rows: int, *, copied: Mapping[int, int], means: Mapping[int, list[int]]
    ) -> None:
        self.n_rows = n_rows
        self.copied = copied
        self.means = means

    def fill(self, old: Tensor, fresh: NDArray[np.float64]) -> Tensor:
        """Return the new table, `fresh` rows for those that come from nowhere."""
        table = torch.from_numpy(fresh).to(old.dtype)
        to = torch.tensor(list(self.copied), dtype=torch.long)
        of = torch.tensor(list(self.copied.values()), dtype=torch.long)
        table[to] = old[of]
        for number, parts in self.means.items():
            table[number] = old[parts].float().mean(0).to(old.dtype)
        return table


def _vocabulary_tensors(model: Any) -> tuple[set[int], set[int]]:
    """Return the ids of the tensors that have a row, and a number, a token."""
    tables = {id(model.get_input_embeddings().weight)}
    biases = set()
    output = model.get_output_embeddings()
    if output is not None:
        tables.add(id(output.weight))
        n_tokens = len(output.weight)
        # The bias is the layer's own, that of the head around it, or both.
        around = [m for m in model.modules() if any(c is output for c in m.children())]
        for module in (output, *around):
            bias = getattr(module, "bias", None)
            if isinstance(bias, nn.Parameter) and bias.shape == (n_tokens,):
                biases.add(id(bias))
    return tables, biases


def _rebuild(model: Any, new: Pieces, rows: _Rows, seed: int) -> Any:
    """Return a new model with the old one's weights, on the new vocabulary."""
    config = copy.deepcopy(model.config)
    config.vocab_size = rows.n_rows
    for role in ROLES:
        if getattr(config, f"{role}_token_id", None) is not None:
            setattr(config, f"{role}_token_id", new.roles.get(role))
    deviation = float(getattr(config, "initializer_range", 0.02))
    tables, biases = _vocabulary_tensors(model)
    shift = _position_shift(model, config)
    if shift:
        config.max_position_embeddings += shift
    state: dict[str, Tensor] = {}
    filled: dict[int, Tensor] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        value = tensor.detach().cpu()
        if id(tensor) in tables | biases:
            if id(tensor) not in filled:
                shape = (rows.n_rows, *value.shape[1:])
                # Untied tables are drawn one by one.
                drawn = stream(seed, "new vocabulary", len(filled)).normal(
                    0.0, deviation, shape
                )
                fresh = drawn if id(tensor) in tables else np.zeros(shape)
                filled[id(tensor)] = rows.fill(value, fresh)
            value = filled[id(tensor)]
        elif shift and name.endswith("position_embeddings.weight"):
            value = _moved(value, shift, int(config.pad_token_id))
        state[name] = value
    # What the class draws is overwritten, but it must not come from the global stream.
    with seeded(0, torch.device("cpu")):
        migrated = type(model)(config)
    migrated.to(model.dtype)
    migrated.load_state_dict(state)
    return migrated.train(model.training)


def _position_shift(model: Any, config: Any) -> int:
    """Return by how much the first position of a text moves: RoBERTa's family only."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            if module.padding_idx is None or config.pad_token_id is None:
                return 0
            return int(config.pad_token_id) - module.padding_idx
    return 0


def _moved(table: Tensor, shift: int, padding: int) -> Tensor:
    """Return a table of positions whose rows begin earlier or later."""
    if shift < 0:
        return table[-shift:]
    moved = torch.cat([table.new_zeros((shift, table.shape[1])), table])
    moved[padding] = table[padding - shift]
    return moved


def _kind(key: Key) -> str:
    if _is_mark(key.surface):
        return "punctuation"
    return "word-initial" if key.initial else "continuing"


def _report(
    old: Pieces, new: Pieces, shared: Mapping[int, int], rows: _Rows, init: str
) -> MigrationReport:
    kinds = ("special", "word-initial", "continuing", "punctuation")
    counts = {name: {"n": 0, "shared": 0} for name in kinds}
    kept: dict[str, list[str]] = {name: [] for name in kinds}
    fresh: dict[str, list[str]] = {name: [] for name in kinds}
    for number, token in sorted(new.tokens.items()):
        name = "special" if number in new.special else _kind(new.keys[number])
        counts[name]["n"] += 1
        counts[name]["shared"] += number in shared
        examples = (kept if number in shared else fresh)[name]
        if len(examples) < _EXAMPLES:
            examples.append(token)
    return MigrationReport(
        n_old=len(old.tokens),
        n_new=len(new.tokens),
        n_shared=len(shared),
        share=len(shared) / len(new.tokens),
        n_copied=len(rows.copied),
        n_mean=len(rows.means),
        n_random=rows.n_rows - len(rows.copied) - len(rows.means),
        init=init,
        by_type=counts,
        shared_examples=kept,
        new_examples=fresh,
    )
