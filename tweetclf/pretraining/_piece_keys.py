"""Pieces of different tokenizers, made comparable.

WordPiece marks pieces within words (``##``), SentencePiece and byte-level BPE those
that begin one (``▁``, ``Ġ``), and the latter writes bytes as letters. Here a piece is
the bytes of its text, and whether it begins a word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["ROLES", "Key", "Pieces", "read_pieces"]

ROLES = ("pad", "unk", "cls", "sep", "mask", "bos", "eos")
"""What special tokens do, whatever they are called."""

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


class Key(NamedTuple):
    """A piece: its text as bytes, and whether it begins a word."""

    surface: bytes
    initial: bool


class Pieces(NamedTuple):
    """The vocabulary of a tokenizer.

    Parameters
    ----------
    keys : dict of int to Key
        Ordinary pieces by their ids.
    special : dict of int to str
        Special tokens by their ids.
    roles : dict of str to int
        Ids of special tokens by what they do.
    tokens : dict of int to str
        All of them, as the tokenizer writes them.
    """

    keys: dict[int, Key]
    special: dict[int, str]
    roles: dict[str, int]
    tokens: dict[int, str]

    @property
    def n_rows(self) -> int:
        """Rows that an embedding needs for all ids."""
        return max(self.tokens) + 1


def _byte_letters() -> dict[str, int]:
    """Return the byte that each letter of byte-level BPE stands for."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {chr(byte): byte for byte in plain}
    others = (byte for byte in range(256) if byte not in set(plain))
    letters |= {chr(256 + number): byte for number, byte in enumerate(others)}
    return letters


def _convention(tokenizer: Any, tokens: Mapping[int, str]) -> str:
    """Return how a tokenizer marks words: "##", "bytes" or "▁"."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    kind = type(backend.model).__name__ if backend is not None else ""
    if kind == "WordPiece":
        return "##"
    n_marked = {
        mark: sum(token.startswith(mark) for token in tokens.values())
        for mark in ("##", "Ġ", "▁")
    }
    found = max(n_marked, key=n_marked.__getitem__)
    if not n_marked[found]:
        # Nothing is marked: every piece is a word, or bytes of one.
        return "bytes" if kind == "BPE" else "##"
    return "bytes" if found == "Ġ" else found


def read_pieces(tokenizer: Any) -> Pieces:
    """Return the pieces of a tokenizer, made comparable.

    Parameters
    ----------
    tokenizer : transformers tokenizer
        Fast or slow.

    Returns
    -------
    Pieces
        Its vocabulary.
    """
    tokens = {int(i): str(token) for token, i in tokenizer.get_vocab().items()}
    roles = {}
    for role in ROLES:
        number = getattr(tokenizer, f"{role}_token_id", None)
        if number is not None:
            roles[role] = int(number)
    special = {int(i): tokens[int(i)] for i in tokenizer.all_special_ids}
    ordinary = {i: token for i, token in sorted(tokens.items()) if i not in special}
    convention = _convention(tokenizer, ordinary)
    return Pieces(_keys(ordinary, convention), special, roles, tokens)


def _keys(tokens: Mapping[int, str], convention: str) -> dict[int, Key]:
    letters = _byte_letters()
    keys = {}
    for number, token in tokens.items():
        if convention == "##":
            initial = not token.startswith("##") or token == "##"
            surface = (token if initial else token[2:]).encode()
        elif convention == "▁":
            initial = token.startswith("▁")
            byte = _BYTE.fullmatch(token)
            text = token.removeprefix("▁").replace("▁", " ")
            surface = bytes([int(byte[1], 16)]) if byte else text.encode()
        else:
            initial = token.startswith("Ġ")
            rest = token.removeprefix("Ġ")
            if all(c in letters for c in rest):
                surface = bytes(letters[c] for c in rest)
            else:  # added by hand, as it stands
                surface = rest.encode()
        keys[number] = Key(surface, initial)
    return keys
