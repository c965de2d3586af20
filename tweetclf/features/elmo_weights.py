"""The weights of an ELMo network, wherever they come from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.features._files import MissingFileError
from tweetclf.modules.elmo_config import ElmoConfig, check_arrays
from tweetclf.modules.elmo_files import (
    ElmoFiles,
    RawElmo,
    check_ids,
    find_elmo,
    read_elmo,
    write_elmo,
)
from tweetclf.preprocessing.characters import TokenCharacters
from tweetclf.utils.files import atomic_directory
from tweetclf.utils.optional import import_optional
from tweetclf.utils.random import stream

if TYPE_CHECKING:
    from tweetclf.modules.elmo import ElmoBiLM

__all__ = ["ElmoWeights", "check_elmo_state", "find_weights", "read_once"]


class ElmoWeights:
    """The weights of an ELMo network, with the vocabularies that belong to them.

    Objects are immutable: copies and scikit-learn clones share the arrays. Most users
    make them with :meth:`read`; `ElmoVectorizer` does so itself if it is given a path.

    Parameters
    ----------
    config : mapping
        The sizes of the network, as of `tweetclf.modules.ElmoConfig`.
    arrays : mapping of str to ndarray of float32
        The weights, by the names of `ElmoConfig.shapes`.
    characters : mapping of str to int, optional
        Ids of the characters; by default characters are bytes.
    words : mapping of str to int, optional
        Ids of whole words, where the network embeds those.
    source : str, default="tweetclf"
        The format the weights were published in.
    metadata : mapping, optional
        What else is known of them; plain values.

    Attributes
    ----------
    config : dict
        As given.
    arrays : dict of str to ndarray
        As given.
    characters, words : dict of str to int or None
        As given.
    source : str
        As given.
    metadata : dict
        As given.
    n_layers : int
        Layers of a token, that of its characters included.
    dim : int
        Size of a token in each layer.

    See Also
    --------
    ElmoVectorizer : Embeds texts with them.
    tweetclf.pretraining.train_elmo : Learns some.

    Examples
    --------
    >>> from tweetclf.features import ElmoWeights
    >>> ElmoWeights.random(char_dim=4, filters=[(1, 4), (2, 4)], projection_dim=3,
    ...                    cell_dim=5)
    ElmoWeights(source='random', n_layers=3, dim=6)
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
        *,
        characters: Mapping[str, int] | None = None,
        words: Mapping[str, int] | None = None,
        source: str = "tweetclf",
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.config = dict(config)
        self.arrays = dict(arrays)
        self.characters = None if characters is None else dict(characters)
        self.words = None if words is None else dict(words)
        self.source = source
        self.metadata = dict(metadata or {})
        check_elmo_state(vars(self))

    @property
    def n_layers(self) -> int:
        """Layers of a token, that of its characters included."""
        return int(self.config["n_layers"]) + 1

    @property
    def dim(self) -> int:
        """Size of a token in each layer."""
        return 2 * int(self.config["projection_dim"])

    # The network is quickly made again, and is no data.
    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if not k.startswith("_")}

    def __copy__(self) -> ElmoWeights:
        return self

    def __deepcopy__(self, memo: dict) -> ElmoWeights:
        return self

    def __repr__(self) -> str:
        return (
            f"ElmoWeights(source={self.source!r}, n_layers={self.n_layers}, "
            f"dim={self.dim})"
        )

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ElmoWeights:
        """Read weights in any of three formats; nothing in the files is executed.

        Parameters
        ----------
        path : path
            A folder made by ``tweetclf pretrain elmo`` or :meth:`save`; a folder of
            ELMoForManyLangs; or, of AllenNLP, the ``.hdf5`` with its options
            (``.json``) beside it, or a folder that holds just these two.

        Returns
        -------
        ElmoWeights
            The weights.

        Raises
        ------
        DataError
            If files are missing, damaged or do not fit each other. If there is nothing
            at the path, it is a FileNotFoundError, too.
        """
        return cls._read(find_weights(path, parameter="path of ElmoWeights.read"))

    @classmethod
    def _read(cls, found: ElmoFiles) -> ElmoWeights:
        raw = read_elmo(found, caller="ElmoWeights.read")
        return cls(
            raw.config.to_dict(),
            raw.arrays,
            characters=raw.characters,
            words=raw.words,
            source=raw.source,
            metadata=raw.metadata,
        )

    @classmethod
    def random(cls, *, seed: int = 0, **sizes: Any) -> ElmoWeights:
        """Make a network that has learnt nothing.

        Averages of what random recurrent networks make of a sentence are a baseline
        that learnt ones have to beat (Wieting and Kiela, ICLR 2019).

        Parameters
        ----------
        seed : int, default=0
            Of the weights.
        **sizes
            Of `tweetclf.modules.ElmoConfig`; by default the original ones.

        Returns
        -------
        ElmoWeights
            Weights of standard deviation ``1 / sqrt(fan in)``, biases of zero.
        """
        config = ElmoConfig(**sizes)
        rng = stream(seed, "random ELMo weights")
        arrays = {}
        for name, shape in config.shapes().items():
            if name.endswith(".bias"):
                arrays[name] = np.zeros(shape, dtype=np.float32)
                continue
            is_embedding = name in (
                "encoder.characters.weight",
                "encoder.words.weight",
            )
            fan_in = 1 if is_embedding else int(np.prod(shape[1:]))
            values = rng.standard_normal(shape, dtype=np.float32)
            arrays[name] = values / np.float32(np.sqrt(fan_in))
        return cls(config.to_dict(), arrays, source="random")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the weights to a new folder that :meth:`read` reads.

        Parameters
        ----------
        path : path
            The folder; it appears whole or not at all.

        Returns
        -------
        Path
            The folder.
        """
        raw = RawElmo(
            ElmoConfig.from_dict(self.config),
            self.arrays,
            self.characters,
            self.words,
            source=self.source,
        )
        with atomic_directory(path) as folder:
            write_elmo(folder, raw, self.metadata)
        return Path(path)

    def network(self, device: str = "cpu") -> ElmoBiLM:
        """Return the network on a device; it is made once.

        Parameters
        ----------
        device : str, default="cpu"
            Any that torch knows.

        Returns
        -------
        ElmoBiLM
            In evaluation mode. On the CPU it shares the arrays.
        """
        made: dict[str, Any] = self.__dict__.setdefault("_networks", {})
        if device not in made:
            import_optional("torch", extra="neural", caller="ElmoVectorizer")
            from tweetclf.modules.elmo import load_bilm

            config = ElmoConfig.from_dict(self.config)
            made[device] = load_bilm(config, self.arrays).to(device)
        network: ElmoBiLM = made[device]
        return network

    def token_characters(self) -> TokenCharacters:
        """Return what turns tokens into the ids that the network takes."""
        return TokenCharacters(
            self.characters, self.words, max_characters=self.config["max_characters"]
        )


def check_elmo_state(state: Mapping[str, Any]) -> None:
    """Refuse attributes of `ElmoWeights` that do not fit each other.

    Raises
    ------
    ModelFormatError
        If they do not.
    """
    config = ElmoConfig.from_dict(state["config"])
    arrays = state["arrays"]
    if not isinstance(arrays, dict):
        raise ModelFormatError("the arrays of ELMo weights are no dict")
    check_arrays(config, arrays)
    for name in ("characters", "words"):
        if not isinstance(state[name], dict | None):
            raise ModelFormatError(f"the {name} of ELMo weights are no dict")
    check_ids(config, state["characters"], state["words"])
    if not isinstance(state["metadata"], dict):
        raise ModelFormatError("the metadata of ELMo weights are no dict")


def find_weights(path: str | os.PathLike[str], *, parameter: str) -> ElmoFiles:
    """Return the files of weights at `path`, or say that `parameter` names none.

    Raises
    ------
    DataError
        If there are none. If there is nothing at all, the message says where to get
        some.
    """
    if not Path(path).exists():
        raise MissingFileError(
            f"{parameter}: there are no ELMo weights at {os.fspath(path)!r}. Learn "
            'some with "tweetclf pretrain elmo", or get published ones: of AllenNLP '
            "(English), or of ELMoForManyLangs (Spanish is model 145 of "
            "http://vectors.nlpl.eu/repository)."
        )
    try:
        return find_elmo(path)
    except DataError as error:
        raise DataError(f"{parameter}: {error}") from error


def read_once(found: ElmoFiles) -> ElmoWeights:
    """Read weights once for all fits of a search, and again if a file changes."""
    stamps = []
    for name, path in found.files.items():
        status = path.stat()
        stamps.append((name, path.resolve(), status.st_mtime_ns, status.st_size))
    return _read_stamped(found.kind, tuple(stamps))


@lru_cache(maxsize=1)
def _read_stamped(kind: str, stamps: tuple[tuple[Any, ...], ...]) -> ElmoWeights:
    return ElmoWeights._read(ElmoFiles(kind, {stamp[0]: stamp[1] for stamp in stamps}))
