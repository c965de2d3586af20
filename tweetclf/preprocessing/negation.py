"""Negation marking: ``no me gusta`` -> ``no NOT_me NOT_gusta``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from tweetclf.preprocessing.words import word_key

__all__ = ["MARK", "is_word", "mark_from", "mark_negation"]

MARK = "NOT_"


def is_word(token: str) -> bool:
    """Tell whether a token is a word: it starts with a letter and is no URL."""
    return token[:1].isalpha() and "://" not in token and not token.startswith("www.")


def mark_negation(
    tokens: Sequence[str],
    cues: Collection[str],
    *,
    scope: int = 3,
    barriers: Collection[str] = (),
) -> list[str]:
    """Prefix the words after a negation cue with ``NOT_``.

    At most `scope` words are marked after a cue; a token that is no word
    (punctuation, emoji, number, handle, hashtag, URL) ends the scope. A cue within
    the scope is not marked and opens a new one.

    Parameters
    ----------
    tokens : sequence of str
        Tokens of one text.
    cues : collection of str
        Negation cues; case and the form of apostrophes do not matter.
    scope : int, default=3
        Most words marked after a cue.
    barriers : collection of str, default=()
        Further tokens that end the scope, such as the word that replaces URLs.

    Returns
    -------
    list of str
        The tokens, as many as before.

    References
    ----------
    J. M. Pérez and F. M. Luque, "Atalaya at SemEval 2019 Task 5: Robust Embeddings
    for Tweet Classification", section 2 (negation handling).

    Examples
    --------
    >>> from tweetclf.preprocessing.negation import mark_negation
    >>> mark_negation("no me gusta nada , eh".split(), {"no", "nada"})
    ['no', 'NOT_me', 'NOT_gusta', 'nada', ',', 'eh']
    """
    keys = frozenset(map(word_key, cues))
    return mark_from(tokens, keys, scope, barriers, 0)[0]


def mark_from(
    tokens: Iterable[str],
    keys: frozenset[str],
    scope: int,
    barriers: Collection[str],
    left: int,
) -> tuple[list[str], int]:
    """Do what `mark_negation` does, in a text that has begun before.

    Parameters
    ----------
    tokens : iterable of str
        The next tokens of the text.
    keys : frozenset of str
        Negation cues, as `word_key` gives them.
    scope, barriers
        As in `mark_negation`.
    left : int
        How many words the scope of an earlier cue still takes.

    Returns
    -------
    list of str, int
        The tokens, and how many words are left then.
    """
    marked: list[str] = []
    for token in tokens:
        if word_key(token) in keys:
            left = scope
        elif not is_word(token) or token in barriers:
            left = 0
        elif left:
            left -= 1
            token = MARK + token
        marked.append(token)
    return marked, left
