"""What `TweetTokenizer` does, as a function of its options, without scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tweetclf.exceptions import UnknownNameError
from tweetclf.preprocessing import lemmas
from tweetclf.preprocessing._pipeline import Change, Pipeline, Words, changed
from tweetclf.preprocessing._scan import free_marks, make_scanner
from tweetclf.preprocessing.negation import MARK, is_word
from tweetclf.preprocessing.words import negation_cues as cues_of
from tweetclf.preprocessing.words import stop_words as stop_words_of
from tweetclf.preprocessing.words import word_key

__all__ = ["compile_tokenizer"]

# Atalaya's code drops the tokens that start with one of these.
_PUNCTUATION = frozenset("!(),.…-:;?¿¡\"'`´^*+=_%")
# Atalaya's code adds these to the stop words when it lemmatises Spanish.
_SPANISH_AUXILIARIES = frozenset({"haber", "ser", "hacer"})


def compile_tokenizer(
    options: Any, normalize: Callable[[str], str] | None, tokens: tuple[str, ...]
) -> Callable[[str], list[str]]:
    """Return the function from text to tokens that the options describe.

    Parameters
    ----------
    options : object
        The parameters of a `TweetTokenizer`, valid, as attributes; its normaliser is
        not looked at.
    normalize : callable or None
        What is applied to the text first.
    tokens : tuple of str
        The replacement tokens of `normalize`, which stay whole.
    """
    literals = frozenset(tokens)
    cues = _cues(options)
    before, tag = _before(options, literals, cues)
    return Pipeline(
        normalize=normalize,
        scan=make_scanner(options.scheme, tokens),
        before=tuple(before),
        tag=tag,
        cues=cues if options.negation else frozenset(),
        scope=options.negation_scope,
        literals=literals,
        after=tuple(_after(options, literals)),
        collapse=frozenset(options.collapse),
        words=_words(options, tokens, cues),
    ).compiled()


def _words(options: Any, tokens: tuple[str, ...], cues: frozenset[str]) -> Words | None:
    """Return what is done to most words, unless each has to be looked at."""
    if options.scheme != "tweet" or options.letters_only:
        return None
    if options.lemmatizer is not None or options.stem:
        return None
    special = frozenset(token.lower() for token in tokens)
    if options.stop_words is not None:
        special |= _stop_words(options)
    opening, closing = free_marks(tokens)
    return Words(
        lowercase=options.lowercase,
        special=special | cues,
        hashtags=options.keep_hashtags and not any("#" in token for token in tokens),
        opening=opening,
        closing=closing,
    )


def _before(
    options: Any, literals: frozenset[str], cues: frozenset[str]
) -> tuple[list[Change], Callable[[list[str]], list[str]] | None]:
    """Return what is done before negation, by token and, if so, by text."""
    changes: list[Change] = []
    if not options.keep_hashtags:
        changes.append(lambda token: None if _is_hashtag(token) else token)
    if not options.keep_numbers:
        changes.append(lambda token: None if token[0].isdigit() else token)
    if options.letters_only:
        changes.append(lambda token: token if token.isalpha() else None)

    def lower(token: str) -> str:
        return token if token in literals else token.lower()

    if options.lowercase:
        changes.append(lower)
    lemmatized: list[Change] = []
    if options.lemmatizer is not None and options.lowercase:
        # Dictionaries capitalise names: europa -> Europa.
        lemmatized.append(lower)
    if options.stop_words is not None:
        stop = _stop_words(options) - cues if options.negation else _stop_words(options)
        lemmatized.append(lambda token: None if word_key(token) in stop else token)

    def is_kept(token: str) -> bool:
        return token in literals or word_key(token) in cues or not is_word(token)

    language, folder = options.language, options.treetagger_dir
    if options.lemmatizer == "treetagger":

        def tag(tokens: list[str]) -> list[str]:
            found = lemmas.tree_tagger_lemmas(tokens, language, folder)
            lemmas_or_tokens = [
                lemma
                for token, own in zip(tokens, found, strict=True)
                for lemma in ((token,) if is_kept(token) else own)
            ]
            return changed(lemmas_or_tokens, tuple(lemmatized))

        return changes, tag
    if options.lemmatizer == "simplemma":
        lemmas.check_simplemma(language)
        changes.append(
            lambda token: (
                token if is_kept(token) else lemmas.simple_lemma(token, language)
            )
        )
    return changes + lemmatized, None


def _after(options: Any, literals: frozenset[str]) -> list[Change]:
    """Return what is done after negation, by token."""
    changes: list[Change] = []
    if not options.keep_punctuation:
        changes.append(lambda token: None if token[0] in _PUNCTUATION else token)
    if options.stem:
        language = options.language
        lemmas.stemmer(language)

        def stem(token: str) -> str:
            if token in literals or not is_word(token):
                return token
            if token.startswith(MARK):
                return MARK + lemmas.stem(token[len(MARK) :], language)
            return lemmas.stem(token, language)

        changes.append(stem)
    return changes


def _cues(options: Any) -> frozenset[str]:
    if options.negation_cues is not None:
        return frozenset(map(word_key, options.negation_cues))
    try:
        return cues_of(options.language)
    except UnknownNameError:
        if options.negation:
            raise
        return frozenset()


def _stop_words(options: Any) -> frozenset[str]:
    if isinstance(options.stop_words, str):
        stop = stop_words_of(options.language, negators=options.stop_negators)
        if options.lemmatizer is not None and options.language == "es":
            stop |= _SPANISH_AUXILIARIES
        return stop
    return frozenset(map(word_key, options.stop_words or ()))


def _is_hashtag(token: str) -> bool:
    return len(token) > 1 and token[0] in "#＃" and token[1] not in "\ufe0f\u20e3"
