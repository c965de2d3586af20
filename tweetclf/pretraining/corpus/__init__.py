"""Corpora of any size: filtered, split, described, and cut into token files."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.pretraining.corpus.builder import (
        BuiltCorpus,
        build_corpus,
        corpus_documents,
    )
    from tweetclf.pretraining.corpus.lengths import LengthCoverage, length_coverage
    from tweetclf.pretraining.corpus.plan import CorpusPlan, CorpusSource
    from tweetclf.pretraining.corpus.tokens import TokenFiles, write_tokens

_MODULES = {
    "builder": ("BuiltCorpus", "build_corpus", "corpus_documents"),
    "lengths": ("LengthCoverage", "length_coverage"),
    "plan": ("CorpusPlan", "CorpusSource"),
    "tokens": ("TokenFiles", "write_tokens"),
}

__getattr__, __dir__, _names = attach(
    __name__,
    {
        name: f"tweetclf.pretraining.corpus.{module}"
        for module, names in _MODULES.items()
        for name in names
    },
)

__all__ = [
    "BuiltCorpus",
    "CorpusPlan",
    "CorpusSource",
    "LengthCoverage",
    "TokenFiles",
    "build_corpus",
    "corpus_documents",
    "length_coverage",
    "write_tokens",
]
