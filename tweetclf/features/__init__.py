"""From text to matrices: n-gram TF-IDF, NB log-count ratios, vectors, SIF, frozen BERT."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.features._vocabulary import NgramVocabulary
    from tweetclf.features.counts import NgramCounts
    from tweetclf.features.nb import NBLogCountRatio
    from tweetclf.features.ngrams import NgramTfidfVectorizer
    from tweetclf.features.pairs import PairFeatures
    from tweetclf.features.sif import SIFVectorizer
    from tweetclf.features.transformer import TransformerVectorizer
    from tweetclf.features.vectors import WordVectors

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "NBLogCountRatio": "tweetclf.features.nb",
        "NgramCounts": "tweetclf.features.counts",
        "NgramTfidfVectorizer": "tweetclf.features.ngrams",
        "NgramVocabulary": "tweetclf.features._vocabulary",
        "PairFeatures": "tweetclf.features.pairs",
        "SIFVectorizer": "tweetclf.features.sif",
        "TransformerVectorizer": "tweetclf.features.transformer",
        "WordVectors": "tweetclf.features.vectors",
    },
)

__all__ = [
    "NBLogCountRatio",
    "NgramCounts",
    "NgramTfidfVectorizer",
    "NgramVocabulary",
    "PairFeatures",
    "SIFVectorizer",
    "TransformerVectorizer",
    "WordVectors",
]
