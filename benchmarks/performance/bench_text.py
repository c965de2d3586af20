"""Preprocessing against NLTK: the tokenizer alone, and a whole pipeline.

The pipeline is what one writes with NLTK to do the steps of ``atalaya-sentiment``: its
tweet tokenizer, then a loop over the tokens. What a word or a URL is differs between
the two in details, so that not every tweet gives the same tokens; the check says how
many may differ. "cold" starts with empty caches, as a script does that is run once;
"warm" has seen the tweets before, as the folds of a cross-validation have.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Any

from harness import Benchmark, tweets

from tweetclf.preprocessing import (
    TweetTokenizer,
    get_profile,
    negation_cues,
    stop_words,
    transform_parallel,
)
from tweetclf.preprocessing._cache import clear_caches

Tokens = list[list[str]]

_PUNCTUATION = frozenset("!(),.…-:;?¿¡\"'`´^*+=_%")


@lru_cache(maxsize=1)
def _nltk() -> Any:
    from nltk.tokenize import TweetTokenizer as NltkTokenizer

    return NltkTokenizer(reduce_len=True)


def nltk_pipeline(texts: list[str]) -> Tokens:
    """Tokenise with NLTK and do the steps of ``atalaya-sentiment`` in a loop."""
    tokenize = _nltk().tokenize
    stop, cues = stop_words("es"), negation_cues("es")
    results = []
    for text in texts:
        tokens: list[str] = []
        left = 0
        for token in tokenize(text):
            if token.startswith(("http://", "https://", "www.")):
                token = "url"
            elif token[0] == "@" and len(token) > 1:
                token = "@user"
            elif token[0].isdigit():
                continue
            else:
                token = token.lower()
            if token in stop:
                continue
            if token in cues:
                left = 3
            elif token == "url" or not token[0].isalpha():
                left = 0
            elif left:
                left -= 1
                token = "NOT_" + token
            if token[0] in _PUNCTUATION:
                continue
            if token in ("url", "@user") and tokens and tokens[-1] == token:
                continue
            tokens.append(token)
        results.append(tokens)
    return results


def _ours(**options: Any) -> TweetTokenizer:
    return get_profile("atalaya-sentiment").make_tokenizer(**options)


def _warm(texts: list[str]) -> Tokens:
    return _ours(lemmatizer=None).transform(texts)


def _cold(texts: list[str]) -> Tokens:
    clear_caches()
    return _warm(texts)


def _tokens_cold(texts: list[str]) -> Tokens:
    clear_caches()
    return TweetTokenizer().transform(texts)


def _nltk_tokens(texts: list[str]) -> Tokens:
    return list(map(_nltk().tokenize, texts))


def _simplemma_loop(texts: list[str]) -> Tokens:
    import simplemma

    cues = negation_cues("es")
    return [
        [
            token
            if token in cues or not token[0].isalpha()
            else simplemma.lemmatize(token, lang="es").lower()
            for token in tokens
        ]
        for tokens in nltk_pipeline(texts)
    ]


def _lemmas_cold(texts: list[str]) -> Tokens:
    clear_caches()
    return _ours().transform(texts)


def _cold_processes(texts: list[str]) -> Tokens:
    from joblib.externals.loky import get_reusable_executor

    clear_caches()
    try:
        return transform_parallel(_ours(lemmatizer=None), texts, n_jobs=2)
    finally:
        # The next round starts its processes as well, with empty caches.
        get_reusable_executor().shutdown(wait=True)


def _equal(ours: Tokens, theirs: Tokens) -> None:
    assert ours == theirs


def overlap(ours: Tokens, theirs: Tokens) -> float:
    """Return the share of tokens that both sides give, over all tweets."""
    common = total = 0
    for a, b in zip(ours, theirs, strict=True):
        both = Counter(a) & Counter(b)
        common += 2 * both.total()
        total += len(a) + len(b)
    return common / max(total, 1)


def _nearly_equal(ours: Tokens, theirs: Tokens) -> None:
    share = overlap(ours, theirs)
    assert share > 0.95, f"only {share:.1%} of the tokens are the same"


def _lemmas_nearly_equal(ours: Tokens, theirs: Tokens) -> None:
    share = overlap(ours, theirs)
    # The loop lemmatises after negation: NOT_gusta has no lemma there.
    assert share > 0.85, f"only {share:.1%} of the tokens are the same"


BENCHMARKS = [
    Benchmark(
        name="sentiment-tokens-cold",
        what="atalaya-sentiment without lemmas, empty caches",
        peer="NLTK TweetTokenizer and a loop over tokens",
        prepare=tweets,
        ours=_cold,
        theirs=nltk_pipeline,
        check=_nearly_equal,
        sizes=(5_000, 50_000),
        bar=6,
        aim=12,
        growth=(5_000, 50_000, 500_000),
        memory=(50_000,),
    ),
    Benchmark(
        name="sentiment-tokens-warm",
        what="the same, tweets seen before",
        peer="NLTK TweetTokenizer and a loop over tokens",
        prepare=tweets,
        ours=_warm,
        theirs=nltk_pipeline,
        check=_nearly_equal,
        sizes=(5_000,),
        bar=6,
        aim=12,
    ),
    Benchmark(
        name="tweet-tokenizer-cold",
        what="TweetTokenizer alone, empty caches",
        peer="NLTK TweetTokenizer",
        prepare=tweets,
        ours=_tokens_cold,
        theirs=_nltk_tokens,
        check=_nearly_equal,
        sizes=(5_000, 50_000),
        bar=6,
        aim=10,
        growth=(5_000, 50_000, 500_000),
        memory=(50_000,),
    ),
    Benchmark(
        name="lemmas-cold",
        what="atalaya-sentiment with lemmas, empty caches",
        peer="NLTK, a loop over tokens, simplemma.lemmatize",
        prepare=tweets,
        ours=_lemmas_cold,
        theirs=_simplemma_loop,
        check=_lemmas_nearly_equal,
        sizes=(50_000,),
        bar=2,
        aim=4,
        growth=(5_000, 50_000, 500_000),
    ),
    Benchmark(
        name="transform-parallel",
        what="transform_parallel in two new processes, empty caches",
        peer="the same transformer in one process",
        prepare=tweets,
        ours=_cold_processes,
        theirs=_cold,
        check=_equal,
        sizes=(100_000, 400_000),
        bar=1,
        aim=1.6,
        repeats=3,
    ),
]
