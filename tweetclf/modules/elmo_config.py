"""The sizes of an ELMo network, and the names and shapes of its weights.

Without torch: files are checked, and models saved and loaded, where it is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from tweetclf.exceptions import ModelFormatError

__all__ = ["BYTE_CHARACTERS", "ElmoConfig", "check_arrays"]

# 256 bytes, begin and end of sentence and of word, padding within a word; all one
# higher than in the files, as 0 stands for a token that is not there.
BYTE_CHARACTERS = 262

# No published network comes near; a damaged file must not claim all memory.
_LARGEST = 1 << 24


@dataclass(frozen=True)
class ElmoConfig:
    """Sizes of an ELMo network; the defaults are those of the original one.

    Parameters
    ----------
    n_characters : int, default=262
        Rows of the character embedding.
    char_dim : int, default=16
        Its columns.
    filters : sequence of (int, int)
        Width and number of the filters of each convolution over characters.
    n_highway : int, default=2
        Highway layers on top of the filters.
    activation : {"relu", "tanh"}, default="relu"
        After the maximum over positions.
    n_words, word_dim : int, default=0
        Size of an embedding of whole words that stands before the filters; 0 for none.
    projection_dim : int, default=512
        Size of a token, and of the output of each direction.
    cell_dim : int, default=4096
        Size of the memory cells.
    n_layers : int, default=2
        LSTM layers, of each direction.
    cell_clip, projection_clip : float or None, default=3.0
        Largest magnitude of memory and output; None does not clip.
    max_characters : int, default=50
        Characters of a token, its two marks included; the rest is cut.

    Attributes
    ----------
    n_filters : int
        Filters of all convolutions together.
    dim : int
        Size of a token in every layer: both directions.

    Examples
    --------
    >>> config = ElmoConfig(filters=[(1, 4), (2, 8)], projection_dim=6, cell_dim=10)
    >>> config.n_filters, config.dim
    (12, 12)
    >>> config.shapes()["backward_layers.1.projection.weight"]
    (6, 10)
    """

    n_characters: int = BYTE_CHARACTERS
    char_dim: int = 16
    filters: tuple[tuple[int, int], ...] = (
        (1, 32),
        (2, 32),
        (3, 64),
        (4, 128),
        (5, 256),
        (6, 512),
        (7, 1024),
    )
    n_highway: int = 2
    activation: str = "relu"
    n_words: int = 0
    word_dim: int = 0
    projection_dim: int = 512
    cell_dim: int = 4096
    n_layers: int = 2
    cell_clip: float | None = 3.0
    projection_clip: float | None = 3.0
    max_characters: int = 50

    def __post_init__(self) -> None:
        filters = self.filters
        if not isinstance(filters, list | tuple) or not filters:
            raise _wrong("filters", filters, "at least one (width, number)")
        for pair in filters:
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise _wrong("filters", filters, "pairs of (width, number)")
            for number in pair:
                _check_size("filters", number, 1)
        object.__setattr__(self, "filters", tuple((w, n) for w, n in filters))
        for name in ("n_highway", "n_words", "word_dim"):
            _check_size(name, getattr(self, name), 0)
        for name in (
            "n_characters",
            "char_dim",
            "projection_dim",
            "cell_dim",
            "n_layers",
        ):
            _check_size(name, getattr(self, name), 1)
        # Both marks and a character between them, and a place for the widest filter.
        least = max(3, *(width for width, _ in self.filters))
        _check_size("max_characters", self.max_characters, least)
        if self.activation not in ("relu", "tanh"):
            raise _wrong("activation", self.activation, "'relu' or 'tanh'")
        if (self.n_words == 0) != (self.word_dim == 0):
            raise _wrong("word_dim", self.word_dim, "0 exactly where n_words is")
        for name in ("cell_clip", "projection_clip"):
            value = getattr(self, name)
            if value is not None and not (type(value) in (int, float) and value > 0):
                raise _wrong(name, value, "a positive number or None")

    @property
    def n_filters(self) -> int:
        """Filters of all convolutions together."""
        return sum(number for _, number in self.filters)

    @property
    def dim(self) -> int:
        """Size of a token in every layer: both directions."""
        return 2 * self.projection_dim

    def to_dict(self) -> dict[str, Any]:
        """Return the sizes as plain values, as JSON holds them."""
        plain = asdict(self)
        plain["filters"] = [list(pair) for pair in self.filters]
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> ElmoConfig:
        """Return the sizes that :meth:`to_dict` described.

        Parameters
        ----------
        plain : mapping
            All of the sizes and nothing else.

        Returns
        -------
        ElmoConfig
            The sizes.

        Raises
        ------
        ModelFormatError
            If one is missing, unknown or impossible.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(plain, Mapping) or set(plain) != names:
            found = sorted(plain) if isinstance(plain, Mapping) else plain
            raise ModelFormatError(
                f"an ELMo network is described by {sorted(names)}; got {found!r}"
            )
        return cls(**plain)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the name and the shape of every array of weights."""
        return dict(self._shapes())

    def _shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        n_filters, size, cell = self.n_filters, self.projection_dim, self.cell_dim
        yield "encoder.characters.weight", (self.n_characters, self.char_dim)
        for k, (width, number) in enumerate(self.filters):
            yield f"encoder.convolutions.{k}.weight", (number, self.char_dim, width)
            yield f"encoder.convolutions.{k}.bias", (number,)
        for k in range(self.n_highway):
            yield f"encoder.highways.{k}.weight", (2 * n_filters, n_filters)
            yield f"encoder.highways.{k}.bias", (2 * n_filters,)
        if self.n_words:
            yield "encoder.words.weight", (self.n_words, self.word_dim)
        yield "encoder.projection.weight", (size, self.word_dim + n_filters)
        yield "encoder.projection.bias", (size,)
        for direction in ("forward", "backward"):
            for k in range(self.n_layers):
                prefix = f"{direction}_layers.{k}"
                yield f"{prefix}.input.weight", (4 * cell, size)
                yield f"{prefix}.hidden.weight", (4 * cell, size)
                yield f"{prefix}.hidden.bias", (4 * cell,)
                yield f"{prefix}.projection.weight", (size, cell)


def _wrong(name: str, value: Any, expected: str) -> ModelFormatError:
    return ModelFormatError(
        f"ElmoConfig: the {name!r} parameter must be {expected}. Got {value!r} instead."
    )


def _check_size(name: str, value: Any, least: int) -> None:
    if type(value) is not int or not least <= value <= _LARGEST:
        raise _wrong(name, value, f"whole numbers from {least} to {_LARGEST}")


def check_arrays(config: ElmoConfig, arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse arrays that are not the weights of a network of these sizes.

    Parameters
    ----------
    config : ElmoConfig
        The sizes.
    arrays : mapping of str to ndarray
        The weights, by the names of :meth:`ElmoConfig.shapes`.

    Raises
    ------
    ModelFormatError
        If one is missing, too many, of another shape or type, or not finite.
    """
    shapes = config.shapes()
    missing, extra = (
        sorted(set(shapes) - set(arrays)),
        sorted(set(arrays) - set(shapes)),
    )
    if missing or extra:
        raise ModelFormatError(
            f"the weights of an ELMo network lack {missing[:3]} and have the unknown "
            f"{extra[:3]}"
        )
    for name, shape in shapes.items():
        array = arrays[name]
        if not isinstance(array, np.ndarray) or array.shape != shape:
            raise ModelFormatError(
                f"{name} of an ELMo network has the shape "
                f"{getattr(array, 'shape', None)}; its sizes call for {shape}"
            )
        if array.dtype != np.float32:
            raise ModelFormatError(
                f"{name} of an ELMo network is {array.dtype}; expected float32"
            )
        if not np.isfinite(array).all():
            raise ModelFormatError(f"{name} of an ELMo network holds NaN or infinity")
