"""What social pre-training reads: tweets as tokens, groups of them, languages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tweetclf.exceptions import DataError
from tweetclf.pretraining._social_batches import TweetTokens, tokenize
from tweetclf.pretraining.social_settings import SocialModel, SocialTraining
from tweetclf.utils.hugging_face import quiet_transformers

__all__ = [
    "fingerprint",
    "load_tokenizer",
    "read_groups",
    "read_languages",
    "read_tweets",
]

_CALLER = "train_social_encoder"


def _is_token_files(tweets: Any) -> bool:
    return hasattr(tweets, "shards") and hasattr(tweets, "tokenizer_path")


def load_tokenizer(tweets: Any, model: Any, tokenizer: Any) -> Any:
    """Return the tokenizer: the one that is given, or that of tweets or model."""
    from transformers import AutoTokenizer

    source = tokenizer
    if source is None and _is_token_files(tweets):
        source = tweets.tokenizer_path
    if source is None and not isinstance(model, SocialModel):
        source = model
    if source is None:
        raise DataError(
            f"{_CALLER}: a model whose weights are drawn needs a tokenizer. Pass "
            "tokenizer=..., or TokenFiles as tweets."
        )
    with quiet_transformers():
        found = AutoTokenizer.from_pretrained(source)
    missing = [
        name
        for name in ("cls", "sep", "mask", "pad")
        if getattr(found, f"{name}_token_id") is None
    ]
    if missing:
        raise DataError(
            f"{_CALLER}: the tokenizer of {source} has no {', '.join(missing)} token."
        )
    return found


def read_tweets(tweets: Any, tokenizer: Any, training: SocialTraining) -> TweetTokens:
    """Return the tweets as tokens."""
    if _is_token_files(tweets):
        if tweets.n_segments != 1:
            raise DataError(
                f"{_CALLER}: token files of pairs of texts hold no tweets to number. "
                "Write token files of single texts."
            )
        shards: Sequence[Any] = tweets.shards
    else:
        texts = list(tweets)
        if not texts:
            raise DataError(f"{_CALLER}: there are no tweets.")
        shards = [tokenize(tokenizer, texts)]
    special = {
        name: getattr(tokenizer, f"{name}_token_id") for name in ("cls", "sep", "mask")
    }
    return TweetTokens(
        shards,
        special=special,
        never=tokenizer.all_special_ids,
        vocab_size=len(tokenizer),
        max_length=training.max_length,
    )


def read_groups(
    pairs: ArrayLike | None, n_tweets: int, training: SocialTraining
) -> NDArray[np.int64]:
    """Return the tweets that belong together, one group a row."""
    if pairs is None:
        if training.social_weight:
            raise DataError(
                f"{_CALLER}: there are no pairs to contrast. Give some, or set "
                "social_weight=0."
            )
        return np.arange(n_tweets)[:, None]
    groups = np.asarray(pairs)
    if groups.ndim != 2 or groups.shape[1] != 2 or groups.dtype.kind not in "iu":
        raise DataError(
            f"{_CALLER}: pairs must be an integer array of shape (n, 2). Got shape "
            f"{groups.shape} and dtype {groups.dtype}."
        )
    if len(groups) < 2:
        raise DataError(f"{_CALLER}: there are {len(groups)} pairs; give more.")
    wrong = (groups < 0) | (groups >= n_tweets)
    wrong |= (groups[:, 0] == groups[:, 1])[:, None]
    if wrong.any():
        row = int(wrong.any(axis=1).argmax())
        raise DataError(
            f"{_CALLER}: pair {row} is {tuple(groups[row].tolist())}; expected two "
            f"different tweets of the {n_tweets}, numbered from 0."
        )
    # Both directions of a pair are one: else held-out pairs are learnt from.
    return np.unique(np.sort(groups.astype(np.int64, copy=False), axis=1), axis=0)


def read_languages(
    languages: Sequence[str] | None, groups: NDArray[np.int64], n_tweets: int
) -> NDArray[np.int64] | None:
    """Return the language of each group as a number; None if none is known."""
    if languages is None:
        return None
    if len(languages) != n_tweets:
        raise DataError(
            f"{_CALLER}: there are {len(languages)} languages for {n_tweets} tweets; "
            "there must be one a tweet."
        )
    _, codes = np.unique(np.asarray(languages, dtype=str), return_inverse=True)
    return codes[groups[:, 0]].astype(np.int64)


def fingerprint(
    read: TweetTokens, groups: NDArray[np.int64], codes: NDArray[np.int64] | None
) -> str:
    """Return a hash of all that is read."""
    digest = hashlib.sha256()
    arrays: Iterable[Any] = [array for shard in read.shards for array in shard]
    for array in (*arrays, groups, *([] if codes is None else [codes])):
        digest.update(f"{array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
