"""Text to raw tokens: one scan of one pattern a scheme."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable

from tweetclf.preprocessing import patterns

__all__ = ["SCHEMES", "free_marks", "make_scanner"]

SCHEMES = ("tweet", "punctuation", "whitespace")

# HAHA 2019, NBSVM notebook: what is surrounded by blanks before splitting.
_HAHA_PUNCTUATION = string.punctuation + "“”¨«»®´·º½¾¿¡§£₤‘’"

_EMOTICON = "|".join(
    (
        # Eyes, nose, mouth of brackets and the like, as many as there are: :-)))
        r"(?<!\d)[<>]?[:;=][-o*'^]?(?:\)++|\(++|\]++|\[++|\}++|\{++|\|++|[/\\@*$])",
        # A mouth that is a letter must end the word: :D, ;P, :o, :v, >:c
        r"(?<!\w)[<>]?[:;=][-o*'^]?(?:D++|[vV]++|[cC]++|[dpPoOsSbBLxX3])(?!\w)",
        # Of those that begin with it, the two that are no list marks, set apart.
        r"(?<!\S)[cD]'?:(?!\S)",
        r"(?<!\w)\(-?[:;=](?![\w()])",
        r"<3++|</3++",
        r"\^[_.-]{0,3}\^",
        r"-[_.]{1,5}-",
        r"(?<!\w)[oO0][_.][oO0](?!\w)",
        r"\\o/",
        r"¯\\_\(ツ\)_/¯",
    )
)
# No token but the mark itself begins with one of these, or goes on with it.
_MARKS = ',!?…"”»)'
# Nothing else begins with one of these before a letter.
_OPENING = "¡¿\"“«('*"
# Replacement tokens in brackets, ours and those of others: <url>, [USER].
_MARKUP = r"<[A-Za-z_/]{1,32}>|\[[A-Z]{2,32}\]"
_TAGS = re.compile(r"[#＃]+[^#＃]+")


def free_marks(literals: Iterable[str]) -> tuple[str, str]:
    """Return marks that are tokens of their own before and behind a word.

    Parameters
    ----------
    literals : iterable of str
        Replacement tokens that stay whole; none of them may have such a mark.
    """
    opening, closing = _OPENING, _MARKS + "."
    taken = set().union(*literals).intersection(opening + closing + ";")
    return ("", "") if taken else (opening, closing)


def _tweet_pattern(literals: tuple[str, ...]) -> str:
    chars = patterns.word_chars()
    # The zero-width non-joiner is spelling in Persian; tod@s is todos y todas.
    word = rf"[{chars}]++(?:['’\u200c-][{chars}]++)*+(?:@[sS]?(?![\w@]))?"
    # First the plain word before a blank, which most tokens are and nothing below
    # would read otherwise.
    alternatives = [r"[^\W\d_]++(?=\s|\Z)"]
    if all(free_marks(literals)):
        # Then the word before a mark that neither an address nor a word goes on with,
        # and such marks.
        alternatives += [
            rf"[^\W\d_]++(?=[{_MARKS};]|\.++(?:\s|\Z))",
            rf"[{_MARKS}](?=[\x00-\x7f]|\Z)",
            r"\.(?=\s|\Z)",
            r"\.{2,}+",
            rf"[{_OPENING}](?=[^\W\d_])",
        ]
    alternatives += [patterns.URL, patterns.EMAIL]
    if literals:
        alternatives.append(patterns.literal_pattern(literals))
    alternatives += [
        _MARKUP,
        patterns.ENTITY,
        patterns.HANDLE,
        patterns.hashtag_pattern(),
        _EMOTICON,
        patterns.emoji_pattern(),
        rf"{patterns.NUMBER}%?",
        word,
        r"\.{2,}+",
        # Anything else stands alone, with the marks and selectors it carries.
        rf"\S(?:(?!\w)[{chars}\ufe00-\ufe0f\u200d])*+",
    ]
    return "|".join(alternatives)


def make_scanner(
    scheme: str, literals: tuple[str, ...] = ()
) -> Callable[[str], list[str]]:
    """Return the function from text to raw tokens.

    Parameters
    ----------
    scheme : {"tweet", "punctuation", "whitespace"}
        How to split.
    literals : tuple of str, default=()
        Replacement tokens that stay whole.
    """
    if scheme == "whitespace":
        return str.split
    if scheme == "punctuation":
        marks = re.escape(_HAHA_PUNCTUATION)
        return re.compile(rf"[{marks}]|[^{marks}\s]+").findall
    findall = re.compile(_tweet_pattern(literals)).findall

    ends = frozenset(free_marks(literals)[1])

    def scan(text: str) -> list[str]:
        # What the first alternatives of the pattern say of a word, and of a word with
        # a mark.
        if text.isalpha():
            return [text]
        if text[-1:] in ends and text[:-1].isalpha():
            return [text[:-1], text[-1]]
        tokens: list[str] = findall(text)
        if "#" not in text and "＃" not in text:
            return tokens
        # Hashtags glued together (#uno#dos) are found as one.
        return [
            piece
            for token in tokens
            for piece in (
                _TAGS.findall(token)
                if len(token) > 1 and token[0] in "#＃" and token not in literals
                else (token,)
            )
        ]

    return scan
