"""A pretrained model opened for analysis: checked, frozen, read by equal lengths."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tweetclf.analysis.naming import model_name
from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.features._encoding import TokenEncoder, Tokenized
from tweetclf.features._pretrained import load_pretrained
from tweetclf.modules.packed import longest_sequence
from tweetclf.preprocessing import get_profile
from tweetclf.training.devices import choose_device

__all__ = [
    "Head",
    "LoadedModel",
    "ModelLike",
    "Sequences",
    "equal_length_batches",
    "load_model",
    "require_some",
    "take_sequences",
]

Head = Literal["masked", "pair", "none"]

_AUTO_CLASS: dict[str, str] = {
    "masked": "AutoModelForMaskedLM",
    "pair": "AutoModelForPreTraining",
    "none": "AutoModel",
}
_MASKED_FIELDS = ("logits", "prediction_logits")
_PAIR_FIELDS = ("seq_relationship_logits", "sop_logits")


@dataclass(frozen=True)
class Sequences:
    """Token sequences of one length.

    Parameters
    ----------
    ids : ndarray of int64 of shape (n, length)
        Token numbers.
    types : ndarray of int64 of shape (n, length) or None
        Segments, for models that have them.
    """

    ids: NDArray[np.int64]
    types: NDArray[np.int64] | None


@dataclass(frozen=True)
class LoadedModel:
    """A model with its tokenizer that is read and never trained; see `load_model`.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        In evaluation mode, on `device`.
    tokenizer : transformers.PreTrainedTokenizerBase
        Of the model.
    profile : str or None
        The preprocessing that the model's directory asks for.
    name : str
        What the model is called in results.
    head : {"masked", "pair", "none"}
        What it foretells.
    device : torch.device
        Where it is.
    """

    model: Any
    tokenizer: Any
    profile: str | None
    name: str
    head: Head
    device: torch.device

    @cached_property
    def max_length(self) -> int | None:
        """Tokens of the longest sequence that the model has positions for."""
        return longest_sequence(self.model.base_model)

    @cached_property
    def mask_id(self) -> int:
        """Number of the token that hides others."""
        if self.tokenizer.mask_token_id is None:
            raise ModelFormatError(
                f"the tokenizer of {self.name!r} has no mask token: the model was not "
                "learnt by masked language modelling."
            )
        return int(self.tokenizer.mask_token_id)

    @property
    def coherent_class(self) -> int:
        """Class of the pair head that says: in order, and of one conversation.

        Models of this library name their objective and call it 1; BERT's "is next" and
        ALBERT's sentence order call it 0.
        """
        return 1 if getattr(self.model.config, "pair_objective", None) else 0

    def limit(self, max_length: int) -> int:
        """Return the most tokens of a sequence."""
        longest = self.max_length
        return max_length if longest is None else min(max_length, longest)

    def normalize(self, rows: Sequence[Any]) -> list[Any]:
        """Return texts or pairs as the model's preprocessing profile leaves them."""
        if self.profile is None or not rows:
            return list(rows)
        normalizer = get_profile(self.profile).make_normalizer()
        if isinstance(rows[0], str):
            return list(normalizer.transform(list(rows)))
        sides = zip(*rows, strict=True)
        return list(zip(*(normalizer.transform(list(s)) for s in sides), strict=True))

    def encode(self, rows: Sequence[Any], max_length: int) -> Tokenized:
        """Return the tokens of texts or pairs, normalised."""
        encoder = TokenEncoder(self.tokenizer, self.limit(max_length))
        tokens = encoder.encode(self.normalize(rows))
        n_known = self.model.get_input_embeddings().num_embeddings
        if tokens.ids.max(initial=0) >= n_known:
            raise ModelFormatError(
                f"the tokenizer gave token {tokens.ids.max()}; {self.name!r} knows "
                f"{n_known}. They do not belong together."
            )
        return tokens

    def masked_logits(self, batch: Sequences, places: NDArray[np.int64]) -> Tensor:
        """Return what the model foretells at one place of each sequence.

        Parameters
        ----------
        batch : Sequences
            Tokens, masked already.
        places : ndarray of int64 of shape (n,)
            A position in each sequence.

        Returns
        -------
        tensor of shape (n, vocab_size)
            In float32, on the model's device.
        """
        rows = torch.arange(len(places), device=self.device)
        columns = torch.from_numpy(places).to(self.device)

        def choose(states: Tensor) -> Tensor:
            return states[rows, columns]

        # The vocabulary is the most of the work, and wanted at one place of each.
        with self._reading(choose, batch.ids.shape):
            logits = _field(self.run(batch), _MASKED_FIELDS, self.name)
        if logits.dim() == 3:
            logits = choose(logits)
        return logits.float()

    def pair_logits(self, batch: Sequences) -> Tensor:
        """Return what the pair head says, (n, 2)."""
        with self._reading(lambda states: states[:, :1], batch.ids.shape):
            return _field(self.run(batch), _PAIR_FIELDS, self.name).float()

    def run(self, batch: Sequences, **options: Any) -> Any:
        """Run the model on sequences of one length."""
        inputs = {"input_ids": torch.from_numpy(batch.ids).to(self.device)}
        if "attention_mask" in self._arguments:
            inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        known = getattr(self.model.config, "type_vocab_size", 0) > 1
        if batch.types is not None and known and "token_type_ids" in self._arguments:
            inputs["token_type_ids"] = torch.from_numpy(batch.types).to(self.device)
        with torch.inference_mode():
            return self.model(**inputs, **options)

    @cached_property
    def _arguments(self) -> frozenset[str]:
        return frozenset(inspect.signature(self.model.forward).parameters)

    @contextmanager
    def _reading(
        self, choose: Callable[[Tensor], Tensor], shape: tuple[int, ...]
    ) -> Iterator[None]:
        """Hand the layer over the vocabulary only the states that are chosen."""
        decoder = self.model.get_output_embeddings()
        if decoder is None:
            yield
            return

        def hook(_: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            states, *others = inputs
            # A head that arranged its states in another way gets all of them.
            if tuple(states.shape[:-1]) != shape:
                return inputs
            return (choose(states), *others)

        handle = decoder.register_forward_pre_hook(hook)
        try:
            yield
        finally:
            handle.remove()


ModelLike = str | os.PathLike[str] | LoadedModel


def _field(output: Any, names: tuple[str, ...], model: str) -> Tensor:
    for name in names:
        found = getattr(output, name, None)
        if found is not None:
            return found
    raise ModelFormatError(
        f"{model!r} has no head for pairs of texts: it was learnt without reply order, "
        "next-sentence or sentence-order prediction."
        if names is _PAIR_FIELDS
        else f"{model!r} foretells no masked tokens."
    )


def load_model(
    model: ModelLike,
    *,
    head: Head,
    device: str = "auto",
    caller: str = "load_model",
) -> LoadedModel:
    """Open a pretrained model for analysis, with the head that an analysis needs.

    Parameters
    ----------
    model : str, path or LoadedModel
        Directory of a Hugging Face model with its tokenizer, or the name of one on the
        hub; no code of it is run. What is open already is handed back.
    head : {"masked", "pair", "none"}
        Foretells masked tokens; says whether two texts are a post and its reply, in
        order; none at all.
    device : str, default="auto"
        Where to compute; "auto" is an accelerator where there is one.
    caller : str, default="load_model"
        Who asks, for messages.

    Returns
    -------
    LoadedModel
        For one analysis or many.

    Raises
    ------
    MissingFileError
        If there is no such model; it is also a FileNotFoundError.
    ModelFormatError
        If it cannot be read, or its head was never learnt: the numbers of a random
        head would say nothing.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.analysis import load_model
    >>> from tweetclf.testing import make_tiny_transformer
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = make_tiny_transformer(folder, ["qué risa", "qué asco"])
    ...     load_model(path, head="none", device="cpu").max_length
    130
    """
    if head not in _AUTO_CLASS:
        raise ValueError(
            f"{caller}: the 'head' parameter must be one of {sorted(_AUTO_CLASS)}. Got "
            f"{head!r} instead."
        )
    if isinstance(model, LoadedModel):
        if model.head != head:
            raise ValueError(
                f"{caller} needs a model with head {head!r}; {model.name!r} was opened "
                f"with {model.head!r}. Open it again by load_model."
            )
        return model
    found = load_pretrained(
        model, auto_class=_AUTO_CLASS[head], whole=head != "none", caller=caller
    )
    place = choose_device(device)
    loaded = LoadedModel(
        found.model.to(place).requires_grad_(False),
        found.tokenizer,
        found.profile,
        model_name(model),
        head,
        place,
    )
    if head == "pair":
        # A class for pre-training may lack the head; better said now than in an hour.
        cls = loaded.tokenizer.cls_token_id or 0
        loaded.pair_logits(Sequences(np.full((1, 3), cls, dtype=np.int64), None))
    return loaded


def equal_length_batches(
    lengths: NDArray[np.int64], max_tokens: int
) -> list[NDArray[np.int64]]:
    """Return the numbers of sequences that are computed at once.

    Those of a batch are of one length: nothing is padded, so that models which know no
    attention mask give the same answers.

    Parameters
    ----------
    lengths : ndarray of int64 of shape (n,)
        Tokens of each sequence.
    max_tokens : int
        Most tokens of a batch, of which one sequence may have more.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.analysis._models import equal_length_batches
    >>> [b.tolist() for b in equal_length_batches(np.array([3, 2, 3, 3]), 6)]
    [[1], [0, 2], [3]]
    """
    if max_tokens < 1:
        raise ValueError(
            f"the 'max_tokens' parameter must be at least 1. Got {max_tokens!r} "
            "instead."
        )
    order = np.argsort(lengths, kind="stable")
    cuts = np.flatnonzero(np.diff(lengths[order])) + 1
    batches = []
    for group in np.split(order, cuts):
        if len(group):
            size = max(1, max_tokens // max(1, int(lengths[group[0]])))
            batches += [group[i : i + size] for i in range(0, len(group), size)]
    return batches


def take_sequences(tokens: Tokenized, rows: NDArray[np.int64]) -> Sequences:
    """Return texts of one length as a matrix; a text may be asked for several times."""
    length = int(tokens.lengths[rows[0]])
    starts = (np.cumsum(tokens.lengths) - tokens.lengths)[rows]
    places = starts[:, None] + np.arange(length)
    types = None if tokens.types is None else tokens.types[places].astype(np.int64)
    return Sequences(tokens.ids[places].astype(np.int64), types)


def require_some(rows: Sequence[Any], caller: str, what: str = "texts") -> None:
    """Refuse to analyse nothing."""
    if not len(rows):
        raise DataError(f"{caller}: there are no {what}; give at least one.")
