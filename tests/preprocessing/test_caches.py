"""What is remembered changes no result, stays within bounds and leaves no trace."""

from __future__ import annotations

import functools
import pickle
import threading
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nasty_texts import UNITS, tweets

from tweetclf.exceptions import DataError
from tweetclf.preprocessing import (
    TweetNormalizer,
    TweetTokenizer,
    get_profile,
    list_profiles,
    transform_parallel,
)
from tweetclf.preprocessing import _cache as cache
from tweetclf.preprocessing._pieces import ByPieces
from tweetclf.preprocessing._pipeline import Pipeline

TOKENIZERS = {
    **{name: get_profile(name).make_tokenizer() for name in list_profiles()},
    "english": get_profile("atalaya-sentiment").make_tokenizer(language="en"),
    "no lemmas": get_profile("atalaya-sentiment").make_tokenizer(lemmatizer=None),
    "no normaliser": TweetTokenizer(
        lowercase=True,
        stem=True,
        negation=True,
        negation_scope=1,
        stop_words="language",
    ),
    "dropping": TweetTokenizer(
        normalizer=TweetNormalizer(urls="", handles="", numbers="0", laughter="jaja"),
        keep_hashtags=False,
        keep_numbers=False,
        negation=True,
        collapse=["0", "jaja", ":v"],
    ),
    "tokens like others": TweetTokenizer(
        normalizer=TweetNormalizer(
            urls="@pepe",
            handles="user",
            emails="a@b.com",
            hashtags="mask",
            hashtag_token="no",
            emoji="mask",
            unicode_form="NFKC",
            accents="strip",
            lowercase=True,
            newlines="<NL>",
        ),
        negation=True,
    ),
    "tokens with blanks": TweetTokenizer(
        normalizer=TweetNormalizer(urls="una url", handles="a b"), negation=True
    ),
    "runs of blanks": TweetTokenizer(
        normalizer=TweetNormalizer(max_run=2, run_scope="everything", emoji="text")
    ),
    "runs of words": TweetTokenizer(
        normalizer=TweetNormalizer(max_word_run=1, max_run=1, hashtags="split")
    ),
    "marks": TweetTokenizer(normalizer=TweetNormalizer(urls="hola,", handles="a.")),
}
NORMALIZERS = {
    name: tokenizer._resolved_normalizer()
    for name, tokenizer in TOKENIZERS.items()
    if tokenizer.normalizer is not None
}


def uncached_normalizer(normalizer: Any) -> Any:
    """Return the function of whole texts, which no piece of text goes into."""
    function = normalizer._compile()
    return function.whole if isinstance(function, ByPieces) else function


def uncached_tokenizer(tokenizer: TweetTokenizer) -> Any:
    function = tokenizer._compile()
    owner = getattr(function, "__self__", function)
    pipeline = owner if isinstance(owner, Pipeline) else owner._pipeline
    normalize = None
    if pipeline.normalize is not None:
        normalize = uncached_normalizer(tokenizer._resolved_normalizer())
    return Pipeline(**{**vars(pipeline), "normalize": normalize}).run


# Made when they are asked for: all processes that collect tests would make them.
@functools.cache
def plain_normalizer(name: str) -> Any:
    return uncached_normalizer(NORMALIZERS[name])


@functools.cache
def plain_tokenizer(name: str) -> Any:
    return uncached_tokenizer(TOKENIZERS[name])


# Hostile fragments glued and set apart, some of them again and again.
several = st.lists(
    st.one_of(
        tweets,
        st.lists(tweets, max_size=4).map(" ".join),
        st.sampled_from(UNITS).map(lambda unit: (unit + " ") * 3 + unit * 20),
        st.sampled_from(["no me gusta nada , eh", "no/sin ya", "NO, @pepe @ana url"]),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(several, st.randoms(use_true_random=False))
@example(["&#x40;a &amp;lt; &amp;#38;"], Random(0))
def test_results_do_not_depend_on_what_was_seen(texts: list[str], random: Any) -> None:
    plan = [(name, text) for name in TOKENIZERS for text in texts + texts[:1]]
    random.shuffle(plan)
    for i, (name, text) in enumerate(plan):
        assert TOKENIZERS[name](text) == plain_tokenizer(name)(text), name
        if name in NORMALIZERS:
            assert NORMALIZERS[name].normalize(text) == plain_normalizer(name)(text)
        if i == 20:
            cache.clear_caches()


def test_one_text_and_many_are_alike() -> None:
    texts = ["no me gusta :v", "@a https://t.co/x", "", " ", "jaja\n\nno"] * 3
    for tokenizer in TOKENIZERS.values():
        assert tokenizer.transform(texts) == [tokenizer(text) for text in texts]


def test_caches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_ENTRIES", 1 << 13)
    cache.clear_caches()
    largest = 0
    for tokenizer in (TweetTokenizer(), TweetTokenizer(lowercase=True, negation=True)):
        for i in range(300):
            text = " ".join(f"Palabra{i}x{j}" for j in range(100))
            assert tokenizer(text)[-1].lower() == f"palabra{i}x99"
            largest = max(largest, cache.cached_entries())
    assert 1 << 11 < largest <= 1 << 13


def test_long_pieces_and_addresses_are_not_kept() -> None:
    tokenize = TweetTokenizer(lowercase=True)
    tokenize("hola")
    before = cache.cached_entries()
    tokenize(f"{'a' * 1000} https://t.co/abc")
    assert cache.cached_entries() == before


def test_estimators_hold_no_results() -> None:
    tokenizer = get_profile("atalaya-sentiment").make_tokenizer(lemmatizer=None)
    before = pickle.dumps(tokenizer)
    tokenizer.transform([f"no me gusta {i}" for i in range(1000)])
    assert pickle.dumps(tokenizer) == before
    assert set(vars(tokenizer)) == set(tokenizer.get_params(deep=False))


def test_a_changed_normalizer_shows_at_once() -> None:
    tokenizer = TweetTokenizer(normalizer=TweetNormalizer(urls="url"))
    assert tokenizer("https://t.co/a") == ["url"]
    tokenizer.normalizer.urls = "enlace"
    assert tokenizer("https://t.co/a") == ["enlace"]
    tokenizer.normalizer.urls = ["url"]
    with pytest.raises(ValueError, match="'urls' parameter"):
        tokenizer("https://t.co/a")


def test_threads_share_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_ENTRIES", 1 << 11)
    tokenizer = get_profile("atalaya-sentiment").make_tokenizer(lemmatizer=None)
    texts = [f"no palabra{i} voy{i % 7}, @u{i} https://t.co/{i}" for i in range(2000)]
    expected = list(map(plain_tokenizer("no lemmas"), texts))
    results: list[Any] = [None] * 4

    def work(k: int) -> None:
        results[k] = tokenizer.transform(texts)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


def test_parallel_is_serial() -> None:
    texts = [f"no me gusta {i} @u{i}, :v" for i in range(50)]
    for transformer in (TweetTokenizer(negation=True), TweetNormalizer(handles="user")):
        expected = transformer.transform(texts)
        for block_size in (7, 1000):
            assert expected == transform_parallel(
                transformer, texts, n_jobs=2, block_size=block_size
            )
    assert transform_parallel(TweetTokenizer(), []) == []
    with pytest.raises(DataError, match="transform_parallel expected"):
        transform_parallel(TweetTokenizer(), [1])
    with pytest.raises(ValueError, match="'transformer' parameter"):
        transform_parallel(str.split, texts)
