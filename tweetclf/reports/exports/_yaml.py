"""Plain values as YAML that every parser reads alike, without a YAML library.

Block style for mappings and lists, JSON's double quotes for all texts: nothing that
looks like a number, a date, a tag or "no" is taken for one, and no text can end its
own quotes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["dump_yaml"]

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
# Words that YAML 1.1 takes for booleans or null, as keys too.
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
# What may stand in a double-quoted text as it is; all else is escaped by number.
_UNPRINTABLE = re.compile(
    "[^\x20-\x7e\xa0-\u1fff\u2010-\u2027\u2030-\u205f\u2070-\ud7ff\ue000-\ufefe"
    "\uff00-\ufffd\U00010000-\U0010ffff]"
)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _text(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{_UNPRINTABLE.sub(_escape, quoted)}"'


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"dump_yaml: {value!r} is no number that JSON knows.")
        text = repr(value)
        # YAML 1.1 wants a dot and a sign: 1e-05 would be a text.
        mantissa, e, exponent = text.partition("e")
        mantissa += "" if "." in mantissa else ".0"
        return f"{mantissa}{e}{exponent}"
    raise TypeError(f"dump_yaml cannot write a {type(value).__name__}.")


def _key(key: str) -> str:
    plain = _PLAIN_KEY.fullmatch(key) and key.lower() not in _WORDS
    return key if plain else _text(key)


def _lines(value: Any, indent: str) -> list[str]:
    if isinstance(value, Mapping) and value:
        lines = []
        for key, item in value.items():
            if isinstance(item, Mapping | list | tuple) and item:
                deeper = indent if isinstance(item, list | tuple) else f"{indent}  "
                lines += [f"{indent}{_key(key)}:", *_lines(item, deeper)]
            else:
                lines.append(f"{indent}{_key(key)}: {_inline(item)}")
        return lines
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        lines = []
        for item in value:
            inner = _lines(item, f"{indent}  ")
            # The dash takes the place of the first line's indentation.
            lines += [f"{indent}- {inner[0].lstrip()}", *inner[1:]]
        return lines
    return [indent + _inline(value)]


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    return _scalar(value)


def dump_yaml(document: Any) -> str:
    """Return plain values as YAML.

    Parameters
    ----------
    document : mapping, sequence, str, int, float, bool or None
        What JSON can hold; keys are texts.

    Returns
    -------
    str
        YAML 1.1 and 1.2, ended by a line feed.

    Raises
    ------
    ValueError
        For NaN and infinities.
    TypeError
        For anything else.

    Examples
    --------
    >>> from tweetclf.reports.exports._yaml import dump_yaml
    >>> print(dump_yaml({"name": "no: #1", "tags": ["a", "b"], "value": 1e-5}), end="")
    name: "no: #1"
    tags:
    - "a"
    - "b"
    value: 1.0e-05
    """
    return "\n".join(_lines(document, "")) + "\n"
