"""Normalising or tokenising many texts in several processes, in order."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any

from tweetclf.preprocessing._base import StatelessTextTransformer
from tweetclf.utils._sklearn import Interval, validate_params
from tweetclf.utils.validation import check_texts

__all__ = ["transform_parallel"]

# Fewer texts are done before the processes have started.
_BLOCK = 25_000


@validate_params(
    {
        "transformer": [StatelessTextTransformer],
        "X": "no_validation",
        "n_jobs": [Integral, None],
        "block_size": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def transform_parallel(
    transformer: Any, X: Any, *, n_jobs: int | None = None, block_size: int = _BLOCK
) -> list[Any]:
    """Return ``transformer.transform(X)``, computed by several processes.

    Parameters
    ----------
    transformer : TweetTokenizer or a normaliser
        It learns nothing, so that each process has all there is to know.
    X : sequence of str
        Texts.
    n_jobs : int or None, default=None
        Number of processes, as joblib counts them: None is 1 unless a
        ``joblib.parallel_config`` says otherwise, -1 one for each core.
    block_size : int, default=25_000
        Texts handed to a process at a time. No process is started for a single
        block.

    Returns
    -------
    list
        What each text becomes, in order.

    Notes
    -----
    Texts travel to the processes and results back, which costs about as much as
    tokenising tweets without lemmas, and starting the processes takes a second or
    two. A gain was not measured yet.

    Examples
    --------
    >>> from tweetclf.preprocessing import TweetTokenizer, transform_parallel
    >>> transform_parallel(TweetTokenizer(), ["hola @pepe", ":v"], n_jobs=2)
    [['hola', '@pepe'], [':v']]
    """
    texts = check_texts(X, caller="transform_parallel")
    if len(texts) <= block_size:
        return list(transformer.transform(texts))
    from joblib import Parallel, delayed

    def blocks() -> Iterator[Any]:
        for start in range(0, len(texts), block_size):
            yield delayed(_transform)(transformer, texts[start : start + block_size])

    results: list[Any] = []
    # One block at a time comes back, and none is kept twice.
    for block in Parallel(n_jobs=n_jobs, return_as="generator")(blocks()):
        results += block
    return results


def _transform(transformer: Any, texts: list[str]) -> list[Any]:
    return list(transformer.transform(texts))
