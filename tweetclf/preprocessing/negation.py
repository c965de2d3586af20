"""Negation marking: ``no me gusta`` -> ``no NOT_me NOT_gusta``."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tweetclf.preprocessing.words import word_key

__all__ = ["MARK", "is_word", "mark_negation"]

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
    marked: list[str] = []
    keys = {word_key(cue) for cue in cues}
    left = 0
    for token in tokens:
        if word_key(token) in keys:
            left = scope
        elif not is_word(token) or token in barriers:
            left = 0
        elif left:
            left -= 1
            token = MARK + token
        marked.append(token)
    return marked
