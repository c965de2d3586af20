"""HTML entities to characters, in linear time whatever is nested in what."""

from __future__ import annotations

import html
import re
from html.entities import html5

__all__ = ["unescape_all", "unescape_once"]

_PIECE = re.compile(r"[&;]|[^&;]+")
_BODY = re.compile(r"#[0-9]{1,9}|#[xX][0-9a-fA-F]{1,8}|[A-Za-z][A-Za-z0-9]{1,31}")
_LONG_NUMBER = re.compile(r"&#0*([0-9]++)")


def unescape_once(text: str) -> str:
    """Do what ``html.unescape`` does, without its failure on very long numbers.

    ``html.unescape("&#" + 5000 * "9" + ";")`` raises ValueError, because Python
    limits the digits of an int: a tweet must not be able to do that.
    """
    if "&#" in text:
        text = _LONG_NUMBER.sub(
            # Any number above 0x10FFFF gives the replacement character.
            lambda match: f"&#{match[1] if len(match[1]) < 8 else '9999999'}",
            text,
        )
    return html.unescape(text)


def _character(pieces: list[str]) -> str | None:
    """Return what an entity (its pieces from ``&`` on, without ``;``) stands for."""
    body = "".join(pieces)[1:]
    if not _BODY.fullmatch(body) or (body[0] != "#" and f"{body};" not in html5):
        return None
    return unescape_once(f"&{body};")


def unescape_all(text: str) -> str:
    """Replace HTML entities, also those that hide others (``&amp;lt;``).

    Only entities that end in ``;`` count: tweets that come from the service have no
    others, and ``R&D``, ``&amplitude`` or ``?a=1&copy=2`` shall survive. The result
    holds no entity, so that a second call changes nothing.

    Unfinished entities are kept on a stack, innermost last. Each ``;`` either ends
    the last one or shows that none of them can end, so that the time is linear at
    any depth.
    """
    if "&" not in text or ";" not in text:
        return text
    done: list[str] = []
    stack: list[list[str]] = [[]]
    for match in _PIECE.finditer(text):
        pending = match[0]
        while pending == ";":
            found = _character(stack[-1]) if len(stack) > 1 else None
            if found is None:
                # An entity holds neither "&" nor ";": all open ones are plain text.
                done.extend(piece for pieces in stack for piece in pieces)
                stack = [[]]
                break
            stack.pop()
            pending = found
        if pending == "&":
            stack.append(["&"])
        else:
            stack[-1].append(pending)
    done.extend(piece for pieces in stack for piece in pieces)
    return "".join(done)
