"""The steps of `TweetTokenizer`, and how few of them a text needs.

Everything but negation, collapsing and TreeTagger looks at one token, and no token
reaches beyond a space. So the tokens of what lies between two spaces are found once
and kept; a text is cut at its spaces, and the tokens of the pieces are put in a row.
Only from a negation cue to the end of its scope are they looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from tweetclf.preprocessing._cache import Memo
from tweetclf.preprocessing._pieces import ByPieces
from tweetclf.preprocessing.negation import mark_from
from tweetclf.preprocessing.words import word_key

__all__ = ["Change", "Pipeline", "changed"]

Change = Callable[[str], str | None]

# Stands in a row of tokens for some that are not known without their neighbours. With
# its blank it is no token itself.
_SIGN = "\0 "
# The piece holds a negation cue; or what becomes of it depends on the whole text.
_CUE = (_SIGN,)
_UNKNOWN = (_SIGN, _SIGN)
_NOTHING: tuple[str, ...] = ()


class Words(NamedTuple):
    """What is done to most words, told in a few lines rather than in many steps.

    Attributes
    ----------
    lowercase : bool
        Whether they are lower-cased; else they stay as they are.
    special : frozenset of str
        Words, in lower case, to which something else may happen.
    hashtags : bool
        Whether the same is done to hashtags.
    opening, closing : str
        Marks before and behind a word that are tokens of their own.
    """

    lowercase: bool
    special: frozenset[str]
    hashtags: bool
    opening: str
    closing: str


@dataclass(frozen=True)
class Pipeline:
    """What is done to a text, in the order of the parameters.

    Parameters
    ----------
    normalize : callable or None
        Text to text.
    scan : callable
        Text to raw tokens.
    before : sequence of callable
        Each changes a token, or drops it by returning None.
    tag : callable or None
        Tokens to tokens, where neighbours matter.
    cues : frozenset of str
        Negation cues by their key; empty where negation is not marked.
    scope : int
        Most words that are marked after a cue.
    literals : frozenset of str
        Tokens that `normalize` puts into the text; they end the scope.
    after : sequence of callable
        As `before`.
    collapse : frozenset of str
        Tokens of which only the first in a row is kept.
    words : Words or None
        What all of this is for most words, if it can be told.
    """

    normalize: Callable[[str], str] | None
    scan: Callable[[str], list[str]]
    before: tuple[Change, ...]
    tag: Callable[[list[str]], list[str]] | None
    cues: frozenset[str]
    scope: int
    literals: frozenset[str]
    after: tuple[Change, ...]
    collapse: frozenset[str]
    words: Words | None

    def run(self, text: str) -> list[str]:
        """Return the tokens of a text, step by step."""
        if self.normalize is not None:
            text = self.normalize(text)
        tokens = changed(self.scan(text), self.before)
        if self.tag is not None:
            tokens = self.tag(tokens)
        return self._collapsed(self._marked(tokens, 0)[0])

    def _marked(self, tokens: Iterable[str], left: int) -> tuple[list[str], int]:
        """Mark negation, `left` words of a scope being left; apply what comes after."""
        if self.cues:
            tokens, left = mark_from(tokens, self.cues, self.scope, self.literals, left)
        return changed(tokens, self.after), left

    def _collapsed(self, tokens: list[str]) -> list[str]:
        for twice in self.collapse:
            if tokens.count(twice) > 1:
                return [
                    token
                    for i, token in enumerate(tokens)
                    if token not in self.collapse or i == 0 or tokens[i - 1] != token
                ]
        return tokens

    def compiled(self) -> Callable[[str], list[str]]:
        """Return a function that gives what `run` gives, and remembers pieces."""
        if self.tag is not None or any(" " in token for token in self.literals):
            return self.run
        return _ByPieces(self).tokenize


class _ByPieces:
    """A pipeline that works on what lies between spaces."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        normalize = pipeline.normalize
        self._normalize_piece: Callable[[str], str | None] | None = None
        self._normalize_text = normalize
        self._leaves: Callable[[str], object] = _always
        if isinstance(normalize, ByPieces):
            self._normalize_piece, self._normalize_text = normalize.piece, None
            self._leaves = normalize.leaves
        self._token = Memo(self._find_token).__getitem__
        self._tokens = Memo(self._find_tokens).__getitem__
        self._before = Memo(self._find_before).__getitem__
        self._changed = Memo(self._split).__getitem__
        if (words := pipeline.words) is not None:
            self._strip = words.opening + words.closing
            find = self._find_marks
            self._opening = Memo(lambda marks: find(marks, words.opening)).__getitem__
            self._closing = Memo(lambda marks: find(marks, words.closing)).__getitem__

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of a text."""
        if self._normalize_text is not None:
            text = self._normalize_text(text)
        pieces = text.split(" ")
        found = list(map(self._tokens, pieces))
        tokens = list(chain.from_iterable(found))
        if _SIGN in tokens:
            return self._look_closer(text, pieces, found)
        return self._pipeline._collapsed(tokens) if self._pipeline.collapse else tokens

    def _find_before(self, piece: str) -> tuple[str, ...]:
        """Return the tokens of a piece before negation is marked."""
        if piece.isalpha() and (word := self._find_word(piece)) is not None:
            return word
        text: str | None = piece
        if self._normalize_piece is not None:
            text = self._normalize_piece(piece)
        pipeline = self._pipeline
        return tuple(changed(pipeline.scan(text or ""), pipeline.before))

    def _find_tokens(self, piece: str) -> tuple[str, ...]:
        """Return the tokens of a piece outside the scope of any cue."""
        if (word := self._find_word(piece)) is not None:
            return word
        if self._normalize_piece is None:
            return self._split(piece)
        text = self._normalize_piece(piece)
        if text is None:
            return _UNKNOWN
        # All URLs become one text, which is split once.
        return self._split(piece) if text == piece else self._changed(text)

    def _find_word(self, piece: str) -> tuple[str, ...] | None:
        """Return the tokens of a piece if it is but a word, perhaps among marks."""
        words = self._pipeline.words
        if words is None:
            return None
        core, before, behind = piece, _NOTHING, _NOTHING
        if not piece.isalpha():
            core = piece.strip(self._strip)
            if not (core.isalpha() or (words.hashtags and _is_hashtag(core))):
                return None
            start = piece.find(core)
            before = self._opening(piece[:start])
            behind = self._closing(piece[start + len(core) :])
            if before is _CUE or behind is _CUE:
                return None
        lower = core.lower()
        if lower in words.special or not self._leaves(piece):
            return None
        return (*before, lower if words.lowercase else core, *behind)

    def _find_marks(self, marks: str, allowed: str) -> tuple[str, ...]:
        """Return the tokens of marks beside a word, if they are its own."""
        return self._split(marks) if set(marks).issubset(allowed) else _CUE

    def _split(self, text: str) -> tuple[str, ...]:
        """Return the tokens of a normalised piece."""
        tokens = tuple(
            [
                token
                for raw in self._pipeline.scan(text)
                if (token := self._token(raw)) is not None
            ]
        )
        return _CUE if _SIGN in tokens else tokens

    def _find_token(self, token: str) -> str | None:
        """Return what becomes of a raw token outside the scope of any cue."""
        pipeline = self._pipeline
        if (words := pipeline.words) is not None and token.isalpha():
            lower = token.lower()
            if lower not in words.special:
                return lower if words.lowercase else token
        for change in pipeline.before:
            token = change(token)  # type: ignore[assignment]
            if token is None:
                return None
        if pipeline.cues and word_key(token) in pipeline.cues:
            return _SIGN
        for change in pipeline.after:
            token = change(token)  # type: ignore[assignment]
            if token is None:
                return None
        return token

    def _look_closer(
        self, text: str, pieces: list[str], found: list[tuple[str, ...]]
    ) -> list[str]:
        """Return the tokens of a text with a negation cue."""
        if _UNKNOWN in found:
            return self._pipeline.run(text)
        tokens: list[str] = []
        left = 0
        for piece, outside in zip(pieces, found, strict=True):
            if left or outside == _CUE:
                marked, left = self._pipeline._marked(self._before(piece), left)
                tokens += marked
            else:
                tokens += outside
        return self._pipeline._collapsed(tokens)


def changed(tokens: Iterable[str], changes: tuple[Change, ...]) -> list[str]:
    """Apply changes of one token, each to all tokens."""
    for change in changes:
        tokens = [new for token in tokens if (new := change(token)) is not None]
    return list(tokens)


def _always(piece: str) -> bool:
    return True


def _is_hashtag(text: str) -> bool:
    return text[:1] == "#" and text[1:].isidentifier() and text.isascii()
