"""ULMFiTNormalizer: the cleaning rules of the HAHA 2019 system."""

from __future__ import annotations

import re
from collections.abc import Callable
from numbers import Integral
from typing import Any

from tweetclf.preprocessing._base import TextNormalizer
from tweetclf.preprocessing._entities import unescape_once
from tweetclf.utils._sklearn import Interval

__all__ = ["ULMFiTNormalizer"]

# Literal replacements, in this order. Because "amp;" comes before unescaping,
# "&amp;lt;" ends as "&<" and "&quot;" as "&'".
_FIXES = (
    ("#39;", "'"),
    ("amp;", "&"),
    ("#146;", "'"),
    ("nbsp;", " "),
    ("#36;", "$"),
    ("\\n", "\n"),
    ("quot;", "'"),
    ("<br />", "\n"),
    ('\\"', '"'),
    ("<unk>", "xxunk"),
    (" @.@ ", "."),
    (" @-@ ", "-"),
    ("\\", " \\ "),
)
_SPACES = re.compile("  ++")
_CHARACTER_RUN = re.compile(r"(\S)(\1{3,}+)")
_WORD_RUN = re.compile(r"\b(\w++\W++)(\1{3,}+)")
_WORD_OR_REST = re.compile(r"\w++|\W++")
_SPACED = re.compile("([/#?!@,])")


def _fix(text: str) -> str:
    for old, new in _FIXES:
        text = text.replace(old, new)
    return _SPACES.sub(" ", unescape_once(text))


def _character_run(match: re.Match[str]) -> str:
    return f" xxrep {len(match[2]) + 1} {match[1]} "


def _word_run(match: re.Match[str]) -> str:
    # The copies are counted as the released code counts them, by white space: five
    # "ja,ja,..." without blanks count as one more than one.
    return f" xxwrep {len(match[2].split()) + 1} {match[1]} "


def _capitals(match: re.Match[str]) -> str:
    word = match[0]
    # OK, RT and the like carry no emphasis: only words of three letters or more.
    if len(word) > 2 and word.isupper():
        return f" xxup {word.lower()}"
    return word.lower()


def clean_once(text: str) -> str:
    """Apply the seven rules once."""
    text = _fix(text)
    text = _CHARACTER_RUN.sub(_character_run, text)
    text = _WORD_RUN.sub(_word_run, text)
    text = _WORD_OR_REST.sub(_capitals, text)
    text = _SPACED.sub(r" \1 ", text)
    text = _SPACES.sub(" ", text)
    return text.replace("\r\n", "\n").replace("\n", "xxnl ")


class ULMFiTNormalizer(TextNormalizer):
    """Apply the cleaning rules of the ULMFiT system of HAHA 2019.

    In order: repair of HTML remains; ``xxrep N c`` for a character repeated four
    times or more; ``xxwrep N word`` for a word repeated four times or more; ``xxup``
    before words of three capitals or more, then lower case; blanks around
    ``/ # ? ! @ ,``; single blanks; ``xxnl`` for line ends.

    Parameters
    ----------
    passes : int, default=1
        How often the rules are applied. The released code applies them twice, once
        on the table of tweets and once in the tokenizer.
    bos : bool, default=False
        Put ``xxbos`` before the text ahead of the last pass, as the tokenizer of
        the released code does.
    profile : str or None, default=None
        The profile the options were taken from; a label that changes nothing. Options
        of a profile are set by ``get_profile(name).make_normalizer()``.

    Notes
    -----
    The rules are not idempotent by construction, whatever `passes` is: what one pass
    lower-cases or sets apart is text for the next (``AMP;`` -> ``amp;`` -> ``&``).
    Apply them once to raw tweets, with the `passes` that the model was trained with.

    The paper prints ``xxrep r 4``; its code, and this class, write ``xxrep 4 r``. The
    paper's example has a blank before ``xxnl``; its code glues it to the word before.

    References
    ----------
    B. Farzin, P. Czapla and J. Howard, "Applying a Pre-trained Language Model to
    Spanish Twitter Humor Prediction", IberLEF 2019, section 3; released code
    ``prod/sp_tok.py``.

    Examples
    --------
    >>> from tweetclf.preprocessing import ULMFiTNormalizer
    >>> ULMFiTNormalizer().normalize("QUE grrrreat!!!!")
    ' xxup que g xxrep 4 r eat xxrep 4 ! '
    >>> ULMFiTNormalizer(passes=2, bos=True).normalize("HOLA que tal")
    'xxbos xxup hola que tal'
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "passes": [Interval(Integral, 1, None, closed="left")],
        "bos": ["boolean"],
        "profile": [str, None],
    }

    def __init__(
        self, *, passes: int = 1, bos: bool = False, profile: str | None = None
    ) -> None:
        self.passes = passes
        self.bos = bos
        self.profile = profile

    def _compile(self) -> Callable[[str], str]:
        passes, bos = self.passes, self.bos

        def run(text: str) -> str:
            for _ in range(passes - 1):
                text = clean_once(text)
            return clean_once(f"xxbos {text}" if bos else text)

        return run
