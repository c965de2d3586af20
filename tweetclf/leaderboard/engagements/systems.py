"""The text systems that predict engagements, named by lazy strings."""

from __future__ import annotations

from typing import Any

from tweetclf.leaderboard.system import System
from tweetclf.utils.registry import Registry

__all__ = ["TEXT_SYSTEMS"]

_PREDICTORS = "tweetclf.leaderboard.engagements.predictors"
_PAPER = "Zhang et al., KDD 2023 (TwHIN-BERT), Tables 1 and 6"
_TRANSFORMER: dict[str, Any] = {
    "target": f"{_PREDICTORS}:transformer",
    "kinds": ("engagement",),
    "extra": "neural",
    "module": "transformers",
    "files": ("model",),
    "needs": "model",
}
# What the paper compares, by the names of the hub.
_PUBLISHED = {
    "bertweet": ("BERTweet", "vinai/bertweet-base"),
    "mbert": ("Multilingual BERT", "bert-base-multilingual-cased"),
    "xlm-r": ("XLM-R Base", "xlm-roberta-base"),
    "xlm-t": ("XLM-T", "cardiffnlp/twitter-xlm-roberta-base"),
    "twhin-bert-base": ("TwHIN-BERT Base", "Twitter/twhin-bert-base"),
    "twhin-bert-large": ("TwHIN-BERT Large", "Twitter/twhin-bert-large"),
}

TEXT_SYSTEMS: Registry[System] = Registry(
    "text system", '"tweetclf social evaluate --systems"'
)
"""Systems for engagement prediction: how a post becomes a vector."""

for _system in (
    System(
        "random",
        f"{_PREDICTORS}:random",
        "Random vectors in place of posts: what chance gives",
        "reference point",
        kinds=("engagement",),
    ),
    System(
        "popularity",
        f"{_PREDICTORS}:popularity",
        "What the words of a post tell of its popularity, whoever the user is",
        "reference point",
        kinds=("engagement",),
    ),
    System(
        "tfidf",
        f"{_PREDICTORS}:tfidf",
        "Word 1-2-gram TF-IDF in 256 components",
        "the usual first baseline",
        kinds=("engagement",),
    ),
    System(
        "char-tfidf",
        f"{_PREDICTORS}:tfidf",
        "Character 2-5-gram TF-IDF in 256 components",
        "the usual baseline for noisy texts",
        kinds=("engagement",),
        params={"analyzer": "char_wb", "ngram_range": (2, 5)},
    ),
    System(
        "sif",
        f"{_PREDICTORS}:sif",
        "Averages of word vectors of yours, weighted by SIF",
        "Arora, Liang & Ma, ICLR 2017",
        kinds=("engagement",),
        files=("vectors",),
        needs="vectors",
    ),
    System(
        "elmo",
        f"{_PREDICTORS}:elmo",
        "Means of ELMo vectors of yours",
        "Peters et al., NAACL 2018",
        kinds=("engagement",),
        extra="neural",
        module="torch",
        files=("weights",),
        needs="weights",
    ),
    System(
        "transformer",
        description="First and mean state of a transformer of yours",
        source=_PAPER,
        **_TRANSFORMER,
    ),
    *(
        System(
            _name,
            description=f"First and mean state of {_said}, from the Hugging Face Hub",
            source=_PAPER,
            params={"model": _model},
            **_TRANSFORMER,
        )
        for _name, (_said, _model) in _PUBLISHED.items()
    ),
):
    TEXT_SYSTEMS.register(_system.name, _system)
