"""What the readers of ELMo weights hand on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.modules.elmo_config import BYTE_CHARACTERS, ElmoConfig

__all__ = ["MARKS", "RawElmo", "check_ids", "read_json"]

# Entries of a vocabulary of characters that stand for no character.
MARKS = ("<bos>", "<eos>", "<bow>", "<eow>", "<oov>", "<pad>")


@dataclass(frozen=True)
class RawElmo:
    """An ELMo network as it comes from a file.

    Parameters
    ----------
    config : ElmoConfig
        Its sizes.
    arrays : dict of str to ndarray of float32
        Its weights, by the names of `ElmoConfig.shapes`.
    characters : dict of str to int or None, default=None
        Ids of the characters; None for bytes.
    words : dict of str to int or None, default=None
        Ids of whole words, where the network embeds those.
    source : str, default="tweetclf"
        The format it was published in.
    metadata : dict
        What else is known of it.
    """

    config: ElmoConfig
    arrays: dict[str, np.ndarray]
    characters: dict[str, int] | None = None
    words: dict[str, int] | None = None
    source: str = "tweetclf"
    metadata: dict[str, Any] = field(default_factory=dict)


def check_ids(
    config: ElmoConfig,
    characters: Mapping[str, int] | None,
    words: Mapping[str, int] | None,
) -> None:
    """Refuse vocabularies that do not fit the embeddings.

    Raises
    ------
    ModelFormatError
        If an id is out of range or a mark is missing.
    """
    if characters is None and config.n_characters != BYTE_CHARACTERS:
        raise ModelFormatError(
            f"the network knows {config.n_characters} characters; one of bytes knows "
            f"{BYTE_CHARACTERS}"
        )
    if (words is None) != (config.n_words == 0):
        raise ModelFormatError(
            f"the network embeds {config.n_words} whole words, and there is "
            f"{'no' if words is None else 'a'} list of them"
        )
    for what, ids, size, marks in (
        ("characters", characters, config.n_characters, MARKS),
        ("words", words, config.n_words, ("<oov>",)),
    ):
        if ids is None:
            continue
        missing = [mark for mark in marks if mark not in ids]
        if missing:
            raise ModelFormatError(f"the list of {what} lacks {missing}")
        for text, number in ids.items():
            if (
                type(text) is not str
                or type(number) is not int
                or not 0 <= number < size
            ):
                raise ModelFormatError(
                    f"the list of {what} gives {text!r} the id {number!r}; there are "
                    f"{size} vectors"
                )


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object, or say what is wrong with the file."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"There is no file at {path}.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise DataError(f"{path} holds a {type(value).__name__}; expected an object.")
    return value
