r"""What a handle, a URL, a hashtag ... is: the pattern strings of the room.

Every pattern is linear in the length of the text: runs are possessive (``++``) and a
match can start only at the head of its run (the look-behinds), so that no stretch of
text is read more than a few times. Each is also closed under shortening of repeated
letters (``htttps://`` is a URL, too), so that a second normalisation finds what the
first one found.

Rules that were decided rather than found:

- A URL starts with ``http://`` or ``https://`` anywhere, or with ``www.`` or
  ``ftp://`` at the start of a word. A bare domain is a URL only with a path and
  under one of the endings of `_TLD` (``t.co/abc``, ``bit.ly/x``,
  ``pic.twitter.com/x``); ``hola.no``, ``fin.de`` and ``elpais.com`` are words with a
  missing space as often as addresses.
  It ends before white space, quotes, closing punctuation, kana, Han, Arabic, emoji.
- An e-mail address needs a dot and two letters after the ``@``; its parts are no
  handles.
- A handle is Latin letters, digits and ``_`` after ``@`` or the full-width ``＠``, not
  within a Latin word, so that ``こんにちは@pepe`` and ``RT@pepe`` hold one, ``a@b``
  and ``tod@s`` none.
  Handles glued together (``@a@b``) are one.
- A hashtag has at least one character that is no digit (``#1`` is a rank) and may
  hold letters and combining marks of any script.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = [
    "EMAIL",
    "ENTITY",
    "FACE_OF_3",
    "HANDLE",
    "NO_NUMBER",
    "NUMBER",
    "NUMBER_TO_REPLACE",
    "URL",
    "emoji_pattern",
    "hashtag_pattern",
    "laughter_pattern",
    "literal_pattern",
    "word_chars",
]

_LATIN = "A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ"
_NAME = f"[{_LATIN}0-9_]"
_LABEL = f"[{_LATIN}0-9-]++"
_URL_CHAR = rf"[!#-;=?-~{_LATIN}]"
_URL_REST = rf"{_URL_CHAR}*(?<![.,;:!?')\]}}*])"
# No ending here is a Spanish or English word after a missing space (es, de, no, la,
# me, to, is, it, in), and none has a double letter, which shortening could make.
_TLD = (
    r"(?:(?<=\.com|\.net|\.org|\.edu|\.gov|\.gob|\.biz)|(?<=\.co|\.ly|\.io|\.gl|\.tv|\.uk)"
    r"|(?<=\.info)|(?<=youtu\.be)|(?<=\.com\.[a-z][a-z]))"
)
_NOT_IN_DOMAIN = rf"(?<![{_LATIN}0-9_.@/-])"

URL = (
    r"(?:(?:(?<![hH])[hH]++[tT]{2,}+[pP]++[sS]*+:++/{2,}+"
    rf"|(?<![{_LATIN}0-9_@/])[sS]*+[fF]++[tT]++[pP]++[sS]*+:++/{{2,}}+"
    rf"|{_NOT_IN_DOMAIN}[wW]{{3,}}+\.[{_LATIN}0-9])"
    rf"{_URL_REST}"
    rf"|(?i:{_NOT_IN_DOMAIN}{_LABEL}(?:\.{_LABEL})++{_TLD}/){_URL_REST})"
)

_LOCAL = rf"[{_LATIN}0-9_+%-]"
_MAIL_LABEL = f"[{_LATIN}0-9]++(?:-++[{_LATIN}0-9]++)*+"
EMAIL = (
    rf"(?<!{_LOCAL})(?<!{_LOCAL}\.){_LOCAL}++(?:\.{_LOCAL}++)*+"
    rf"@{_MAIL_LABEL}(?:\.{_MAIL_LABEL})+(?<=[{_LATIN}][{_LATIN}])"
)

# Old-style retweets put no blank between the mark and the handle: RT@pepe
_HANDLE_START = rf"(?:(?<![{_LATIN}0-9_@＠])|(?<=(?<!\w)[Rr][Tt]))"
HANDLE = rf"{_HANDLE_START}(?:[@＠]++{_NAME}++)++"

NUMBER = r"(?<!\w)(?<!\d[.,:/-])\d++(?:[.,:/-]\d++)*+(?!\w)"

_KEYCAP = "\ufe0f?\u20e3"
_NOT_IN_NUMBER = r"(?!\w)(?![.,:/-]\d)"
# The cat :3.
FACE_OF_3 = rf"(?<!\w)[<>]?[:;=][-o*'^]?3{_NOT_IN_NUMBER}"
# Digits that are no numbers: the keycap 1️⃣, the hearts <3 and </3, the cat.
NO_NUMBER = rf"[0-9]{_KEYCAP}|</?3++{_NOT_IN_NUMBER}|{FACE_OF_3}"
NUMBER_TO_REPLACE = rf"{NUMBER}(?!{_KEYCAP})"

# What is left of an HTML entity that stays (html_entities=False, or unknown).
ENTITY = r"&#?\w{1,32};"


@lru_cache(maxsize=1)
def word_chars() -> str:
    r"""Return the inside of a character class: ``\w`` and combining marks.

    ``\w`` alone has no Arabic vowel sign, no Hindi matra and no half-width voicing.
    """
    ranges: list[list[int]] = []
    for code in (*range(0x300, 0x3100), *range(0xFE20, 0xFE30)):
        # Enclosing marks (Me) are left out: the keycap of an emoji is one.
        if unicodedata.category(chr(code)) in {"Mn", "Mc"}:
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return r"\w" + "".join(f"{chr(low)}-{chr(high)}" for low, high in ranges)


@lru_cache(maxsize=1)
def hashtag_pattern() -> str:
    """Return the pattern of a hashtag, or of several glued together."""
    tag = rf"[#＃]++(?=\d*+[^\W\d])[{word_chars()}]++"
    return rf"(?<![\w&#＃/])(?:{tag})++"


# Emoji of old, which are text unless a variation selector says otherwise.
_TEXT_FIRST = set("©®™‼⁉ℹⓂ〰〽㊗㊙↔↕↖↗↘↙↩↪▪▫▶◀◻◼◽◾")


@lru_cache(maxsize=1)
def emoji_pattern() -> str:
    """Return the pattern of one whole emoji: flags, keycaps, tones, joined families."""
    from emoji import EMOJI_DATA

    single = {key for key in EMOJI_DATA if len(key) == 1}
    text_first = "".join(sorted(single & _TEXT_FIRST))
    base = "".join(sorted(single - _TEXT_FIRST))
    dressed = "\ufe0f?[\U0001f3fb-\U0001f3ff]?\ufe0f?"
    tags = "(?:[\U000e0020-\U000e007e]{1,16}+\U000e007f)?"
    one = f"(?:[{base}]|[{text_first}](?=\ufe0f)){dressed}{tags}"
    # No emoji has more than four parts; longer chains are not one.
    joined = f"(?:\u200d[{base}{text_first}]{dressed}){{0,8}}+"
    # A first look, since a class of so many ranges takes its time to say no.
    first = "(?=[#*0-9©®\u203c-\u303d\u3297-\u3299\U0001f000-\U0001ffff])"
    return f"{first}(?:[\U0001f1e6-\U0001f1ff]{{2}}|[#*0-9]\ufe0f?\u20e3|{one}{joined})"


def _syllables(consonant: str, vowels: str) -> str:
    v, c = f"[{vowels}]", f"[{consonant}]"
    return f"{v}*+(?:{c}++{v}++){{2,}}+{c}*+|(?:{v}++{c}++){{2,}}+{v}*+"


def _mashed(vowels: str) -> str:
    """Return the pattern of laughter typed in haste: jajajsj, jajskaj, jkajkaj.

    Nothing but j, s, k and one vowel, with three j or runs of j.
    """
    rest = f"[{vowels}sSkK]"
    return f"{rest}*+[jJ]++(?:{rest}++[jJ]++){{2,}}+{rest}*+"


_LAUGHTER_OF = {
    "ja": ["[wWｗ]{2,}+", "草++"],
    "ko": ["[ㅋㅎ]{2,}+"],
    # Elsewhere kkk is a hate group as often as a laugh.
    "pt": ["[kK]{3,}+"],
}


@lru_cache(maxsize=16)
def laughter_pattern(language: str) -> str:
    """Return the pattern of written laughter.

    Always: two or more syllables of one vowel (jajaja, jejeje, hahaha, ajaj, JAJAJ),
    also mistyped (jajajsj, jkajkaj), jsjs, ksks, lol, lmao, xd and Arabic ههه. By
    language: www and 草 for Japanese, kkkk for Portuguese, ㅋㅋ and ㅎㅎ for Korean.
    """
    kinds = [
        _syllables(consonant, vowels)
        for consonant in ("jJ", "hH")
        for vowels in ("aAáÁ", "eEéÉ", "iIíÍ", "oOóÓ", "uUúÚ")
    ]
    kinds += [
        _mashed("aAáÁ"),
        _mashed("eEéÉ"),
        "(?:[jJkK]++[sS]++){2,}+[jJkK]*+",
        "[lL]++[oO]++[lL]++(?:[oO]++[lL]++)*+",
        "[lL]++[mM]++[aA]++[oO]++",
        "[xX]++[dD]++",
        "ه{3,}+",
    ]
    kinds += _LAUGHTER_OF.get(language, [])
    before, after = (r"(?<!\w)", r"(?!\w)")
    if language == "ja":
        # Japanese puts no space before it: おもしろいwww
        before = f"(?<![{_LATIN}0-9_wｗ草])"
    return f"{before}(?:{'|'.join(kinds)}){after}"


def literal_pattern(tokens: tuple[str, ...]) -> str:
    """Return the pattern of replacement tokens that stand as words of their own."""
    parts = []
    for token in sorted(set(tokens), key=lambda token: (-len(token), token)):
        before = r"(?<!\w)" if re.match(r"\w", token) else ""
        after = r"(?!\w)" if re.search(r"\w\Z", token) else ""
        parts.append(before + re.escape(token) + after)
    return "|".join(parts)
