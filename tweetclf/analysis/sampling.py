"""Texts in which a model replaces tokens by what it holds for the k-th best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tweetclf.analysis._models import LoadedModel, ModelLike, Sequences, load_model
from tweetclf.analysis.acceptability import AcceptabilityItem
from tweetclf.exceptions import DataError
from tweetclf.utils.progress import track
from tweetclf.utils.random import stream
from tweetclf.utils.validation import check_texts

__all__ = ["make_items"]


def make_items(
    model: ModelLike,
    texts: Sequence[str],
    *,
    ks: Sequence[int] = (1, 3, 5, 10, 100),
    n_items: int = 250,
    mask_rate: float = 0.15,
    min_tokens: int = 20,
    max_tokens: int = 40,
    random_state: int = 0,
    device: str = "auto",
    verbose: bool = False,
) -> list[AcceptabilityItem]:
    """Replace hidden tokens of texts by the model's k-th best guess, for several k.

    Parameters
    ----------
    model : str, path or LoadedModel
        A model that foretells masked tokens.
    texts : sequence of str
        What texts are drawn from; the model's preprocessing profile is applied.
    ks : sequence of int, default=(1, 3, 5, 10, 100)
        Ranks; each is that of as many texts, and no text is used twice.
    n_items : int, default=250
        Texts in all; where fewer are long enough, as many as there are for each rank.
    mask_rate : float, default=0.15
        Share of a text's tokens that is replaced, at least one.
    min_tokens, max_tokens : int
        Lengths of the texts, the tokens left out that the tokenizer adds.
    random_state : int, default=0
        Seed of texts, ranks and places.
    device : str, default="auto"
        Where to compute.
    verbose : bool, default=False
        Show a progress bar on a terminal.

    Returns
    -------
    list of AcceptabilityItem
        For `plan_sheets`.

    Raises
    ------
    DataError
        If there are fewer texts of that length than ranks.

    Notes
    -----
    The tokens of a text are all hidden at first and filled in from the left, each with
    those before it in sight. Tokens with a role, as [UNK] and [MASK], are never said.
    """
    caller = "make_items"
    chosen_ks = tuple(sorted(set(ks)))
    if not chosen_ks or chosen_ks[0] < 1:
        raise ValueError(f"{caller}: 'ks' must be numbers from 1 on. Got {ks!r}.")
    if not 0 < mask_rate < 1:
        raise ValueError(
            f"{caller}: the 'mask_rate' parameter must be between 0 and 1. Got "
            f"{mask_rate!r} instead."
        )
    rows = check_texts(texts, caller=caller)
    loaded = load_model(model, head="masked", device=device, caller=caller)
    tokens = loaded.encode(rows, 2 * max_tokens + 8)
    counts = np.bincount(
        np.repeat(np.arange(len(rows)), tokens.lengths),
        weights=~tokens.special,
        minlength=len(rows),
    )
    fitting = np.flatnonzero((counts >= min_tokens) & (counts <= max_tokens))
    each = min(n_items, len(fitting)) // len(chosen_ks)
    if not each:
        raise DataError(
            f"{caller}: {len(fitting)} texts have from {min_tokens} to {max_tokens} "
            f"tokens; for {len(chosen_ks)} ranks as many are needed."
        )
    generator = stream(random_state, "acceptability", "texts")
    drawn = generator.permutation(fitting)[: each * len(chosen_ks)]
    ranks = generator.permutation(np.repeat(chosen_ks, each))
    items = []
    pairs = list(zip(drawn.tolist(), ranks.tolist(), strict=True))
    shown = track(pairs, "replacing tokens", enabled=None if verbose else False)
    for number, (row, k) in enumerate(shown, start=1):
        part = tokens.take(np.array([row]))
        types = None if part.types is None else part.types[None].astype(np.int64)
        maskable = np.flatnonzero(~part.special)
        n_hidden = max(1, round(mask_rate * len(maskable)))
        places = np.sort(generator.permutation(maskable)[:n_hidden])
        before = part.ids.astype(np.int64)
        after = _fill(loaded, before, types, places, k)
        items.append(_item(loaded, number, k, before, after, places))
    return items


def _fill(
    loaded: LoadedModel,
    ids: NDArray[np.int64],
    types: NDArray[np.int64] | None,
    places: NDArray[np.int64],
    k: int,
) -> NDArray[np.int64]:
    """Return the tokens with the k-th best guess at each place."""
    filled = ids.copy()
    filled[places] = loaded.mask_id
    never = sorted({i for i in loaded.tokenizer.all_special_ids if i is not None})
    for place in places:
        batch = Sequences(filled[None], types)
        logits = loaded.masked_logits(batch, np.array([place]))[0]
        roles = torch.tensor(never, device=logits.device)
        logits = logits.index_fill(0, roles, -torch.inf)
        if k > len(logits) - len(never):
            raise DataError(
                f"make_items: {loaded.name!r} knows {len(logits) - len(never)} tokens; "
                f"there is none of rank {k}."
            )
        # Stable, so that of equal guesses the lower number comes first.
        filled[place] = int(logits.argsort(descending=True, stable=True)[k - 1])
    return filled


def _item(
    loaded: LoadedModel,
    number: int,
    k: int,
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    places: NDArray[np.int64],
) -> AcceptabilityItem:
    tokenizer = loaded.tokenizer
    names = [
        tuple(tokenizer.convert_ids_to_tokens(ids[places].tolist()))
        for ids in (before, after)
    ]
    texts = [
        tokenizer.decode(ids.tolist(), skip_special_tokens=False)
        for ids in (_without_frame(tokenizer, before), _without_frame(tokenizer, after))
    ]
    return AcceptabilityItem(
        number, k, texts[1], texts[0], tuple(zip(*names, strict=True))
    )


def _without_frame(tokenizer: object, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Leave out what the tokenizer put around the text; [USER] and [URL] stay."""
    names = ("cls_token_id", "sep_token_id", "bos_token_id", "eos_token_id")
    frame = [getattr(tokenizer, name, None) for name in names]
    return ids[~np.isin(ids, [i for i in frame if i is not None])]
