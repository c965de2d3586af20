"""Lemmas by simplemma or TreeTagger, stems by Snowball."""

from __future__ import annotations

import atexit
import os
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from tweetclf.exceptions import MissingDependencyError, UnknownNameError
from tweetclf.utils.optional import import_optional

__all__ = [
    "check_simplemma",
    "simple_lemma",
    "stem",
    "stemmer",
    "stop_tree_taggers",
    "tree_tagger_folder",
    "tree_tagger_lemmas",
]

# TreeTagger looks at a token's neighbours, so that tokens go in whole texts; the
# other two look at one word, and words repeat.
_CACHE = 1 << 17
# No word is longer; what is, is noise that would fill the cache.
_LONGEST = 64

_HOW_TO_INSTALL = (
    "TreeTagger is a program of its own that pip cannot install. Get the tagger, its "
    "scripts and the parameter file of your language from "
    "https://www.cis.uni-muenchen.de/~schmid/tools/TreeTagger/ and unpack them in one "
    "folder (bin/tree-tagger, lib/spanish.par), then pass treetagger_dir=FOLDER or set "
    'TAGDIR=FOLDER. Or use lemmatizer="simplemma", which needs nothing more.'
)


@lru_cache(maxsize=_CACHE)
def _simple_lemma(word: str, language: str) -> str:
    import simplemma

    return str(simplemma.lemmatize(word, lang=language))


def simple_lemma(word: str, language: str) -> str:
    """Return the lemma of a word by the dictionary of simplemma."""
    return word if len(word) > _LONGEST else _simple_lemma(word, language)


@lru_cache(maxsize=32)
def check_simplemma(language: str) -> None:
    """Refuse a language without a dictionary."""
    import simplemma

    try:
        simplemma.lemmatize("a", lang=language)
    except ValueError as error:
        raise UnknownNameError(
            f"simplemma has no lemmas for the language {language!r}."
        ) from error


@lru_cache(maxsize=32)
def stemmer(language: str) -> Any:
    """Return the Snowball stemmer of a language."""
    import Stemmer

    try:
        return Stemmer.Stemmer(language)
    except KeyError as error:
        raise UnknownNameError(
            f"Snowball has no stemmer for the language {language!r}; it has: "
            f"{', '.join(Stemmer.algorithms())}."
        ) from error


@lru_cache(maxsize=_CACHE)
def _stem(word: str, language: str) -> str:
    return str(stemmer(language).stemWord(word))


def stem(word: str, language: str) -> str:
    """Return the Snowball stem of a word."""
    return word if len(word) > _LONGEST else _stem(word, language)


def import_wrapper() -> Any:
    """Import treetaggerwrapper, which is older than Python 3.12."""
    import configparser

    with warnings.catch_warnings():
        # Invalid escape sequences in its source.
        warnings.simplefilter("ignore")
        if "SafeConfigParser" not in vars(configparser):
            # Removed in 3.12; ConfigParser is the same class by its new name.
            vars(configparser)["SafeConfigParser"] = configparser.ConfigParser
        return import_optional(
            "treetaggerwrapper",
            extra="treetagger",
            caller='TweetTokenizer(lemmatizer="treetagger")',
        )


def _folder(named: str | None) -> Path:
    """Return the folder of TreeTagger, as given or from the environment.

    The search of treetaggerwrapper is not used: it walks through the home folder
    and writes what it finds into a configuration file.
    """
    source = named or tree_tagger_folder()
    if source:
        return Path(source).absolute()
    raise MissingDependencyError(
        'TweetTokenizer(lemmatizer="treetagger") found no TreeTagger: neither '
        f"treetagger_dir nor the variable TAGDIR is set. {_HOW_TO_INSTALL}"
    )


def tree_tagger_folder() -> str | None:
    """Return the folder that the environment names, if it names one."""
    variables = ("TAGDIR", "TREETAGGER", "TREETAGGER_HOME")
    return next((value for v in variables if (value := os.environ.get(v))), None)


# One running TreeTagger for each process, folder and language: starting it takes a
# second, and a forked child must not read its parent's pipe.
_TAGGERS: dict[tuple[int, Path, str], Any] = {}


def _tagger(folder: Path, language: str) -> Any:
    key = (os.getpid(), folder, language)
    if key in _TAGGERS:
        return _TAGGERS[key]
    wrapper = import_wrapper()
    try:
        tagger = wrapper.TreeTagger(
            TAGLANG=language,
            TAGDIR=str(folder),
            TAGOPT="-token -lemma -sgml -quiet",
        )
    except wrapper.TreeTaggerError as error:
        raise MissingDependencyError(
            f'TweetTokenizer(lemmatizer="treetagger") cannot use the TreeTagger of '
            f"{folder}: {error}. {_HOW_TO_INSTALL}"
        ) from error
    _TAGGERS[key] = tagger
    return tagger


def stop_tree_taggers() -> None:
    """End the TreeTagger processes of this process; they start again if needed."""
    for key in [key for key in _TAGGERS if key[0] == os.getpid()]:
        tagger = _TAGGERS.pop(key)
        process = tagger.tagpopen
        # The wrapper closes the pipes and ends the process, but does not wait for it.
        tagger.__del__()
        if process is not None:
            process.wait()


atexit.register(stop_tree_taggers)


def _lemmas_of(line: str, token: str) -> list[str]:
    """Read the lemmas in a line ``token<TAB>tag<TAB>lemma`` of TreeTagger.

    Unknown words, numbers and lemmas with ``_`` fall back to the form, and a compound
    lemma (``dar-se``) gives its parts, as in Atalaya's code.
    """
    fields = line.split("\t")
    lemma = fields[2] if len(fields) == 3 else ""
    if not lemma or lemma in {"<unknown>", "@card@"} or "_" in lemma:
        return [token]
    return [part for part in lemma.split("-") if part] or [token]


def tree_tagger_lemmas(
    tokens: Sequence[str], language: str, folder: str | None = None
) -> list[list[str]]:
    """Return the lemmas of each token by TreeTagger, given our tokens.

    Parameters
    ----------
    tokens : sequence of str
        All tokens of one text, in order: the tagger reads words in context.
    language : str
        Language code, e.g. ``"es"``.
    folder : str, optional
        Folder of TreeTagger; by default the environment variable ``TAGDIR``.

    Returns
    -------
    list of list of str
        The lemmas of each token: one, or the parts of a compound lemma.

    Raises
    ------
    MissingDependencyError
        If treetaggerwrapper, the program or its parameter file is missing.
    """
    tagger = _tagger(_folder(folder), language)
    if not tokens:
        return []
    # A line in angle brackets would be taken for markup and given back as it is.
    lines = ["." if token.startswith("<") else token for token in tokens]
    try:
        tagged = tagger.tag_text(lines, tagonly=True)
    except Exception:
        stop_tree_taggers()
        raise
    if len(tagged) != len(tokens):
        raise RuntimeError(
            f"TreeTagger gave {len(tagged)} lines for {len(tokens)} tokens; is "
            f"{_folder(folder)} a complete installation?"
        )
    return [
        [token] if token.startswith("<") else _lemmas_of(line, token)
        for line, token in zip(tagged, tokens, strict=True)
    ]
