"""From tokens to ids of their characters, as the published ELMo networks take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["TokenCharacters"]

# allennlp/data/token_indexers/elmo_indexer.py, all one higher: 0 is no token at all.
_BEGIN_SENTENCE, _END_SENTENCE = 257, 258
_BEGIN_WORD, _END_WORD, _PADDING = 259, 260, 261


class TokenCharacters:
    """Ids of the characters of tokens, and of the tokens themselves.

    Parameters
    ----------
    characters : mapping of str to int, optional
        Ids of the characters, as of ELMoForManyLangs; by default characters are the
        bytes of UTF-8, as AllenNLP has them.
    words : mapping of str to int, optional
        Ids of whole tokens.
    max_characters : int, default=50
        Most ids a token gets, those of its beginning and its end included.

    Attributes
    ----------
    begin, end : str
        The tokens that begin and end a sentence. A token of a text that is written
        like one of them gets its ids, as in the released code.
    padding : int
        The id behind the characters of short tokens.

    Notes
    -----
    In ELMoForManyLangs, the mark before a word is the entry ``<eow>`` of the vocabulary
    and the mark behind it ``<bow>``: its code swaps them, so the published weights
    expect it.

    Examples
    --------
    >>> from tweetclf.preprocessing.characters import TokenCharacters
    >>> ids, words = TokenCharacters().encode(["sí", ""], margin=1)
    >>> ids.tolist()
    [[259, 116, 196, 174, 260, 261], [259, 260, 261, 261, 261, 261]]
    >>> words is None
    True
    """

    def __init__(
        self,
        characters: Mapping[str, int] | None = None,
        words: Mapping[str, int] | None = None,
        *,
        max_characters: int = 50,
    ) -> None:
        self.max_characters = max_characters
        self._words = words
        self._spell: Callable[[str], Sequence[int]]
        if characters is None:
            self.begin, self.end = "<S>", "</S>"
            self._before, self._behind, self.padding = _BEGIN_WORD, _END_WORD, _PADDING
            self._whole = {self.begin: _BEGIN_SENTENCE, self.end: _END_SENTENCE}
            self._spell = _spell_bytes
        else:
            known = characters
            unknown = known["<oov>"]
            self.begin, self.end = "<bos>", "<eos>"
            self._before, self._behind = known["<eow>"], known["<bow>"]
            self.padding = known["<pad>"]
            self._whole = {token: known[token] for token in (self.begin, self.end)}
            self._spell = lambda token: [known.get(c, unknown) for c in token]

    def encode(
        self, tokens: Sequence[str], *, margin: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
        """Return the ids of tokens.

        Parameters
        ----------
        tokens : sequence of str
            The tokens, at least one.
        margin : int
            Columns of padding behind the longest token, as far as there is room for
            them within `max_characters`.

        Returns
        -------
        characters : ndarray of int64, (n_tokens, n_characters)
            Ids of the characters between the marks of beginning and end, padded.
        words : ndarray of int64, (n_tokens,), or None
            Ids of the tokens, if there are any.
        """
        most = self.max_characters - 2
        spelt = [
            [self._whole[token]] if token in self._whole else self._spell(token)[:most]
            for token in tokens
        ]
        longest = max(map(len, spelt)) + 2
        width = min(self.max_characters, longest + margin)
        ids = np.full((len(tokens), width), self.padding, dtype=np.int64)
        ids[:, 0] = self._before
        for row, letters in zip(ids, spelt, strict=True):
            n = len(letters)
            row[1 : n + 1] = letters
            row[n + 1] = self._behind
        if self._words is None:
            return ids, None
        known, unknown = self._words, self._words["<oov>"]
        # What is looked up is the token as it was cut.
        found = [known.get(token[:most], unknown) for token in tokens]
        return ids, np.array(found, dtype=np.int64)


def _spell_bytes(token: str) -> list[int]:
    # Halves of surrogate pairs are left out, as there.
    return [byte + 1 for byte in token.encode("utf-8", "ignore")]
