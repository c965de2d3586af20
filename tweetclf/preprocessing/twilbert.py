"""TwilbertNormalizer: the preprocessing of TWilBERT, repaired or as released."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tweetclf.preprocessing._base import TextNormalizer
from tweetclf.preprocessing._entities import unescape_once
from tweetclf.preprocessing._pieces import ByPieces
from tweetclf.preprocessing._shortcuts import MOST_PASSES
from tweetclf.preprocessing.normalizer import TweetNormalizer
from tweetclf.utils._sklearn import StrOptions

__all__ = ["TwilbertNormalizer"]

# The released patterns (https?://\S+ and @+\w+), with possessive runs.
_RELEASED_URL = re.compile(r"https?://\S++")
_RELEASED_HANDLE = re.compile(r"(?<!@)@++\w++")
_RT_TOKEN = re.compile(r"(?<!\w)RT(?!\w)")


def _strip(text: str, strip_rt: str | None) -> str:
    if strip_rt == "token":
        return _RT_TOKEN.sub(" ", text)
    return text.replace("RT", " ") if strip_rt == "substring" else text


def _single_blanks(text: str) -> str:
    return " ".join(text.split())


def _released(strip_rt: str | None) -> Callable[[str], str]:
    def once(text: str) -> str:
        text = _RELEASED_URL.sub("url", text)
        text = _RELEASED_HANDLE.sub("user", text)
        return unescape_once(_strip(text, strip_rt)).replace("…", " ")

    # No pattern and no entity reaches beyond a space.
    return ByPieces(once, lambda text: _single_blanks(once(text)), _single_blanks)


def _safe(strip_rt: str | None) -> Callable[[str], str]:
    normalize = TweetNormalizer(
        unicode_form=None, urls="url", handles="user"
    )._compiled()
    assert isinstance(normalize, ByPieces)

    def strip(text: str) -> str:
        return _strip(text, strip_rt).replace("…", " ")

    def run(text: str) -> str:
        # What is glued to a mark (RT@pepe) shows once the mark is gone. One pass does
        # for real tweets; the bound keeps the time linear.
        for _ in range(MOST_PASSES):
            before = normalize(text)
            text = strip(before)
            if text == before:
                break
        return _single_blanks(text)

    def piece(text: str) -> str | None:
        # As `run`; what it ends with is left alone by both steps, so that it does not
        # matter if other pieces of the text take more passes.
        for _ in range(MOST_PASSES):
            before = normalize.piece(text)
            if before is None:
                return None
            text = strip(before)
            if text == before:
                return text
        return None

    return ByPieces(piece, run, _single_blanks)


class TwilbertNormalizer(TextNormalizer):
    """Apply the preprocessing of TWilBERT, repaired or as its code does it.

    URLs become ``url``, handles become ``user``, HTML entities what they stand for,
    ``…`` and runs of white space a blank. Case is kept.

    Parameters
    ----------
    strip_rt : {"token", "substring"} or None, default="token"
        Remove the retweet mark where it is a word of its own; or every ``RT``, also
        within words (``MUERTE`` -> ``MUE E``), as the released fine-tuning code
        does; or nowhere, as the released corpus script does.
    patterns : {"safe", "released"}, default="safe"
        What URLs and handles are: as in `TweetNormalizer`, which keeps e-mail
        addresses whole; or the patterns of the released code, which make
        ``auser.com`` of ``a@b.com`` and unescape entities once, last.
    profile : str or None, default=None
        The profile the options were taken from; a label that changes nothing. Options
        of a profile are set by ``get_profile(name).make_normalizer()``.

    Notes
    -----
    With ``patterns="safe"`` and ``strip_rt="token"`` or ``None`` normalising twice is
    normalising once. The released code is not idempotent: what it unescapes last
    (``&amp;lt;``, ``&#64;pepe``) is text for the next pass.

    References
    ----------
    J. A. Gonzalez, L.-F. Hurtado and F. Pla, "TWilBert: Pre-trained deep
    bidirectional transformers for Spanish Twitter", Neurocomputing 426 (2021),
    section 4; released code ``scripts/preprocess_corpora.py`` and
    ``Utils.preprocessing``.

    Examples
    --------
    >>> from tweetclf.preprocessing import TwilbertNormalizer
    >>> TwilbertNormalizer().normalize("RT @pepe: mira esto… https://t.co/abc &amp; ya")
    'user: mira esto url & ya'
    >>> TwilbertNormalizer(strip_rt="substring").normalize("MUERTE")
    'MUE E'
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "strip_rt": [StrOptions({"token", "substring"}), None],
        "patterns": [StrOptions({"safe", "released"})],
        "profile": [str, None],
    }

    def __init__(
        self,
        *,
        strip_rt: str | None = "token",
        patterns: str = "safe",
        profile: str | None = None,
    ) -> None:
        self.strip_rt = strip_rt
        self.patterns = patterns
        self.profile = profile

    def _compile(self) -> Callable[[str], str]:
        make = _safe if self.patterns == "safe" else _released
        return make(self.strip_rt)

    def replacement_tokens(self) -> tuple[str, ...]:
        """Return the tokens that the options put in place of something."""
        return ("url", "user")
