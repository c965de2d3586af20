"""What becomes of one piece of text: most are left as they are, at a glance."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tweetclf.preprocessing._steps import Options

__all__ = ["MOST_PASSES", "make_leaves", "make_piece"]

# Of what stands glued together (a@b.com@pepe), the second is found only once the
# first is replaced, and then it is looked for again. Real tweets need one pass; the
# bound keeps the time linear.
MOST_PASSES = 16

Pass = Callable[[str], tuple[str, bool]]

# Pieces that are nothing but a URL or a handle, whatever the options are.
_COMMON = re.compile(
    "(?P<url>https?://t[.]co/[A-Za-z0-9]++)|(?P<handle>@[A-Za-z0-9_]++)"
)


def make_leaves(options: Options) -> Callable[[str], object]:
    """Return what tells pieces that no step changes, or some of them."""
    run = "" if options.max_run is None else rf"(?!.*?(.)\1{{{options.max_run}}})"
    return re.compile(f"{run}(?:{_plain(options)})").fullmatch


def make_piece(
    options: Options, once: Pass, leaves: Callable[[str], object]
) -> Callable[[str], str | None]:
    """Return the function of a piece of text, for options that read no blanks.

    Parameters
    ----------
    options : Options
        The options of the normaliser.
    once : callable
        What one pass makes of a text, and whether another one is due.
    leaves : callable
        What `make_leaves` returns.

    Returns
    -------
    callable
        Piece to what becomes of it, or to None where that depends on the others.
    """
    find_common = _COMMON.fullmatch
    replaced = _replaced(options, once)

    def piece(text: str) -> str | None:
        if leaves(text):
            return text
        if (match := find_common(text)) and match.lastgroup in replaced:
            return replaced[match.lastgroup]
        return _settle(once, text)

    return piece


def _plain(options: Options) -> str:
    """Return a pattern of pieces that no step changes, but for runs of a character.

    Printable characters that all normal forms but NFKC leave alone, and no sign of
    anything that some step looks for.
    """
    if (
        options.lowercase
        or options.accents != "keep"
        or options.unicode_form == "NFKC"
        or options.laughter is not None
    ):
        return "(?!)"
    # ASCII and Latin letters without @, &, #, dot, slash and colon; dashes; emoji.
    ranges = r"!\"$%'-\-;-?A-~¡-\u02ff"
    if options.numbers is None:
        ranges += "0-9"
    if options.unicode_form != "plain":
        ranges += r"\u2010-\u2027"
    if options.emoji == "keep":
        ranges += r"\u2600-\u27bf\ufe0f\U0001f300-\U0001faff"
    if options.hashtags == options.emoji == "keep" and options.numbers is None:
        ranges += "#"
    # What has a slash, and no dot before a word, is no address, nor is what has no
    # slash and does not begin like one.
    with_slash = rf"(?:[{ranges}/]|\.(?![\w-])|:(?![:/]))*+"
    without = rf"(?!.*[wW]{{3}}\.)(?:[{ranges}.]|:(?!:))*+"
    tag = "|#[A-Za-z][A-Za-z0-9_]*+" if options.hashtags == "keep" else ""
    return f"{with_slash}|{without}{tag}"


def _replaced(options: Options, once: Pass) -> dict[str | None, str | None]:
    """Return what becomes of any URL of the service, and of any handle."""
    replacements = {"url": options.urls, "handle": options.handles}
    alike = filter(None, map(_COMMON.fullmatch, options.tokens()))
    if any(match[0] != replacements[match.lastgroup or ""] for match in alike):
        # Some token looks like a handle, and is not replaced.
        return {}
    examples = {"url": "https://t.co/a1", "handle": "@pepe"}
    return {
        name: _settle(once, examples[name])
        for name, token in replacements.items()
        if token is not None
    }


def _settle(once: Pass, piece: str) -> str | None:
    """Apply a pass until nothing changes any more, or return None.

    A text takes as many passes as the worst of its pieces, so that what happens to a
    piece is known without the others only if further passes leave it alone.
    """
    text = piece
    for _ in range(MOST_PASSES):
        found, again = once(text)
        if found == text:
            return found
        text = found
        if not again:
            break
    return text if once(text)[0] == text else None
