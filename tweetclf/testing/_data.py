"""The battery's small corpus, its containers, hostile tweets and bad input."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BAD_ITEMS",
    "HOSTILE",
    "PAIR_CONTAINERS",
    "TEXT_CONTAINERS",
    "Y_CONTAINERS",
    "make_choices",
    "make_corpus",
    "make_pairs",
    "make_questions",
]

_OPENINGS = ("hoy", "@pepe mira,", "che", "la verdad que", "RT @ana:", "ay no")
_WORDS = {
    "bien": ("genial", "qué risa jajaja", "te amo", "gracias 😂", "muy feliz"),
    "mal": ("qué asco", "lo odio", "muy triste 😭", "pésimo", "un horror total"),
    "ni": ("el martes", "hay reunión", "según informan", "a las 10", "el horario"),
}
_ENDINGS = (
    "este partido",
    "mi trabajo!!",
    "con la lluvia...",
    "en casa http://t.co/a1",
    "#finde",
)


def make_corpus(n_classes: int, n_each: int = 16) -> tuple[list[str], list[str]]:
    """Return distinct tweets of up to three classes, in turn, and their labels.

    Every word occurs in several tweets, so that ``min_df=3`` leaves a vocabulary.
    """
    texts, labels = [], []
    for i in range(n_each):
        for label in list(_WORDS)[:n_classes]:
            word = _WORDS[label][i % 5]
            opening, ending = _OPENINGS[i % 6], _ENDINGS[(i + i // 5) % 5]
            texts.append(f"{opening} {word} {ending}")
            labels.append(label)
    return texts, labels


def make_pairs(n_each: int = 16) -> tuple[list[tuple[str, str]], list[str]]:
    """Return (tweet, reply) pairs whose label is that of the reply."""
    replies, labels = make_corpus(2, n_each)
    tweets, _ = make_corpus(3, n_each)
    return list(zip(tweets, replies, strict=False)), labels


_NAMES, _DRINKS, _FOODS = ("Ana", "Eva"), ("agua", "vino", "té"), ("pan", "sopa")


def make_choices() -> tuple[list[tuple[str, ...]], list[int]]:
    """Return 24 rows of a context and three choices, and the number of the right one.

    The verb of the context says which is right; it stands first or second.
    """
    rows: list[tuple[str, ...]] = []
    right = []
    for k in range(24):
        drink, food = _DRINKS[k % 3], _FOODS[k // 3 % 2]
        verb = ("bebe", "come")[k // 6 % 2]
        choices = (drink, food) if k // 12 else (food, drink)
        rows.append((f"qué {verb} {_NAMES[k % 2]}", *choices, "una silla"))
        right.append(choices.index(drink if verb == "bebe" else food))
    return rows, right


def make_questions() -> tuple[list[tuple[str, ...]], list[tuple[int, str]]]:
    """Return 12 pairs of question and context, and the answers in those."""
    rows: list[tuple[str, ...]] = []
    right = []
    for name in _NAMES:
        for drink in _DRINKS:
            context = f"hoy {name} bebe {drink} en casa"
            for question, answer in (("quién", name), ("qué", drink)):
                rows.append((question, context))
                right.append((context.index(answer), answer))
    return rows, right


# Tweets that break programs. All are valid str and must get an answer.
HOSTILE: dict[str, str] = {
    "empty": "",
    "blanks": "   \t ",
    "only-emoji": "😂🔥💀",
    "zwj-family": "👩‍👩‍👧‍👦 👩🏽‍💻",
    "flags-and-skin-tones": "🇦🇷🇲🇽 👍🏿👍🏻",
    "lone-surrogate": "mal \ud83d cortado",
    "nul": "genial\x00risa",
    "right-to-left": "\u202eمرحبا بالعالم\u202c genial",
    "combining-marks": "ZA" + "\u0301\u0322\u0353" * 40 + "LGO",
    "decomposed": "que\u0301 pe\u0301simo man\u0303ana",
    "one-character-10kB": "a" * 10_000,
    "one-emoji-10kB": "😂" * 2_500,
    "html": "<script>alert('x')</script> &amp;lt; &#128514; <b>genial</b>",
    "only-url": "https://t.co/AbC123?x=1&y=%20#z",
    "only-handle": "@pepe",
    "only-punctuation": "?!.,;:(){}[]'\"\\/",
    "crlf": "qué risa\r\n\r\nte amo\r",
    "line-separators": "genial\u2028pésimo\u2029triste\x85\x0b\x0c",
    "unknown-words": "xyzzy plugh 日本語 ñandú",
    "zero-width": "\ufeffge\u200bni\u200dal\u00ad",
    "format-strings": "%s %(x)s {0} {x} $HOME ${x} \\1 \\g<0>",
}


def _missing_of_pandas() -> Any:
    return importlib.import_module("pandas").NA


# Items that are no text, made when needed: pandas is optional.
BAD_ITEMS: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "nan": lambda: float("nan"),
    "numpy-nan": lambda: np.float64("nan"),
    "int": lambda: 7,
    "float": lambda: 1.5,
    "bool": lambda: True,
    "bytes": lambda: b"genial",
    "list": lambda: ["genial", "risa"],
    "dict": lambda: {"text": "genial"},
    "pandas-NA": _missing_of_pandas,
}


def _object_array(items: Any) -> NDArray[Any]:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def _odd_index(n: int) -> list[int]:
    return [7 * i % 101 - 50 for i in range(n)]


def _pandas(items: Any, **options: Any) -> Any:
    return importlib.import_module("pandas").Series(list(items), **options)


def _arrow_chunked(items: list[str]) -> Any:
    pa = importlib.import_module("pyarrow")
    half = len(items) // 2
    return pa.chunked_array([items[:half], items[half:]], type=pa.string())


# Name -> (package it needs or None, list of str -> container).
TEXT_CONTAINERS: dict[str, tuple[str | None, Callable[[list[str]], Any]]] = {
    "list": (None, list),
    "tuple": (None, tuple),
    "numpy-object": (None, _object_array),
    "numpy-str": (None, np.array),
    "numpy-StringDType": (None, lambda t: np.array(t, dtype=np.dtypes.StringDType())),
    "numpy-column": (None, lambda t: _object_array(t).reshape(-1, 1)),
    "numpy-read-only": (None, lambda t: _read_only(_object_array(t))),
    "pandas-object": ("pandas", lambda t: _pandas(t, dtype=object)),
    "pandas-str": ("pandas", lambda t: _pandas(t, dtype="str")),
    "pandas-odd-index": ("pandas", lambda t: _pandas(t, index=_odd_index(len(t)))),
    "pandas-frame": ("pandas", lambda t: _pandas(t, name="tweet").to_frame()),
    "polars-series": ("polars", lambda t: importlib.import_module("polars").Series(t)),
    "polars-frame": (
        "polars",
        lambda t: importlib.import_module("polars").DataFrame({"tweet": t}),
    ),
    "pyarrow-array": (
        "pyarrow",
        lambda t: importlib.import_module("pyarrow").array(t),
    ),
    "pyarrow-chunked": ("pyarrow", _arrow_chunked),
}


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _pairs_array(pairs: list[tuple[str, str]], dtype: Any) -> NDArray[Any]:
    return np.array([list(pair) for pair in pairs], dtype=dtype)


def _pairs_pandas(pairs: list[tuple[str, str]], **options: Any) -> Any:
    pd = importlib.import_module("pandas")
    return pd.DataFrame(pairs, columns=["text", "text_b"], **options)


PAIR_CONTAINERS: dict[str, tuple[str | None, Callable[[Any], Any]]] = {
    "list-of-tuples": (None, list),
    "tuple-of-tuples": (None, tuple),
    "list-of-lists": (None, lambda p: [list(pair) for pair in p]),
    "numpy-object": (None, lambda p: _pairs_array(p, object)),
    "numpy-str": (None, lambda p: _pairs_array(p, str)),
    "numpy-StringDType": (
        None,
        lambda p: _pairs_array(p, np.dtypes.StringDType()),
    ),
    "numpy-read-only": (None, lambda p: _read_only(_pairs_array(p, object))),
    "pandas-object": ("pandas", lambda p: _pairs_pandas(p, dtype=object)),
    "pandas-str": ("pandas", lambda p: _pairs_pandas(p, dtype="str")),
    "pandas-odd-index": (
        "pandas",
        lambda p: _pairs_pandas(p, index=_odd_index(len(p))),
    ),
    "polars-frame": (
        "polars",
        lambda p: importlib.import_module("polars").DataFrame(
            {"text": [a for a, _ in p], "text_b": [b for _, b in p]}
        ),
    ),
}

Y_CONTAINERS: dict[str, tuple[str | None, Callable[[Any], Any]]] = {
    "list": (None, list),
    "tuple": (None, tuple),
    "numpy": (None, np.array),
    "numpy-read-only": (None, lambda y: _read_only(np.array(y))),
    "pandas-odd-index": ("pandas", lambda y: _pandas(y, index=_odd_index(len(y)))),
    "polars": (
        "polars",
        lambda y: importlib.import_module("polars").Series(np.asarray(y).tolist()),
    ),
    "pyarrow": (
        "pyarrow",
        lambda y: importlib.import_module("pyarrow").array(np.asarray(y).tolist()),
    ),
}
