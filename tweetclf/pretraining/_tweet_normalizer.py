"""What tweet tokenizers do to a text, as normalisers of ``tokenizers``.

They live in ``tokenizer.json``, so that whoever loads the file does the same. The
regular expressions are those of `tweetclf.preprocessing`, which Oniguruma reads too,
but for one look-behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tweetclf.preprocessing import patterns

__all__ = ["tweet_normalizer"]

# Oniguruma has no negative look-behind within a look-behind. In the look-behind of a
# retweet mark (RT@pepe), "no word character before" may be spelt as a boundary.
_HANDLE = patterns.HANDLE.replace(r"(?<=(?<!\w)[Rr][Tt])", r"(?<=\b[Rr][Tt])")

# The three that Twitter's API writes; the ampersand last, since it may begin others.
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def tweet_normalizer(
    *,
    url: str | None,
    user: str | None,
    newline: str | None,
    unicode_form: str,
    lowercase: bool,
    strip_accents: bool,
    tokens: Sequence[str] = (),
) -> Any:
    """Return the normaliser.

    Parameters
    ----------
    url, user, newline : str or None
        What stands for each of them, between blanks. None: URLs and handles stay,
        and the end of a line is a blank.
    unicode_form : {"NFC", "NFKC"}
        Form of the characters.
    lowercase, strip_accents : bool
        Whether case and accents go.
    tokens : sequence of str, default=()
        Those whose case and accents stay.

    Returns
    -------
    tokenizers.normalizers.Sequence
        The steps.
    """
    from tokenizers import Regex, normalizers

    def replace(pattern: str, token: str | None) -> Any:
        return normalizers.Replace(Regex(pattern), f" {token} ")

    steps: list[Any] = [
        normalizers.NFKC() if unicode_form == "NFKC" else normalizers.NFC()
    ]
    steps += [normalizers.Replace(name, char) for name, char in _ENTITIES]
    if url is not None:
        steps.append(replace(patterns.URL, url))
    if user is not None:
        steps.append(replace(_HANDLE, user))
    if newline is not None:
        steps.append(replace(r"\r\n?|\n", newline))
    steps += [normalizers.Replace(Regex(r"[\s\p{Cc}]+"), " "), normalizers.Strip()]
    folds: list[Any] = [normalizers.Lowercase()] if lowercase else []
    if strip_accents:
        folds += [normalizers.NFD(), normalizers.StripAccents(), normalizers.NFC()]
    folded = ((normalizers.Sequence(folds).normalize_str(t), t) for t in tokens)
    back = [normalizers.Replace(low, token) for low, token in folded if low != token]
    return normalizers.Sequence([*steps, *folds, *back])
