"""From text to matrices: n-grams, NB ratios, word vectors, SIF, ELMo, transformers."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.features._vocabulary import NgramVocabulary
    from tweetclf.features.counts import NgramCounts
    from tweetclf.features.elmo import ElmoVectorizer
    from tweetclf.features.elmo_weights import ElmoWeights
    from tweetclf.features.exported import OnnxEncoder, OnnxExport, export_onnx
    from tweetclf.features.nb import NBLogCountRatio
    from tweetclf.features.ngrams import NgramTfidfVectorizer
    from tweetclf.features.pairs import PairFeatures
    from tweetclf.features.sif import SIFVectorizer
    from tweetclf.features.transformer import TransformerVectorizer
    from tweetclf.features.vectors import WordVectors

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "ElmoVectorizer": "tweetclf.features.elmo",
        "ElmoWeights": "tweetclf.features.elmo_weights",
        "NBLogCountRatio": "tweetclf.features.nb",
        "NgramCounts": "tweetclf.features.counts",
        "NgramTfidfVectorizer": "tweetclf.features.ngrams",
        "NgramVocabulary": "tweetclf.features._vocabulary",
        "OnnxEncoder": "tweetclf.features.exported",
        "OnnxExport": "tweetclf.features.exported",
        "PairFeatures": "tweetclf.features.pairs",
        "SIFVectorizer": "tweetclf.features.sif",
        "TransformerVectorizer": "tweetclf.features.transformer",
        "WordVectors": "tweetclf.features.vectors",
        "export_onnx": "tweetclf.features.exported",
    },
)

__all__ = [
    "ElmoVectorizer",
    "ElmoWeights",
    "NBLogCountRatio",
    "NgramCounts",
    "NgramTfidfVectorizer",
    "NgramVocabulary",
    "OnnxEncoder",
    "OnnxExport",
    "PairFeatures",
    "SIFVectorizer",
    "TransformerVectorizer",
    "WordVectors",
    "export_onnx",
]
