"""Tokenizers and language models, learnt from unlabelled tweets."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.pretraining.language_model import (
        LanguageModel,
        LanguageModelConfig,
        load_language_model,
    )
    from tweetclf.pretraining.lm_training import (
        LanguageModelTraining,
        perplexity,
        train_language_model,
    )
    from tweetclf.pretraining.stages import Stage
    from tweetclf.pretraining.tokenizer import SentencePieceTokenizer

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "LanguageModel": "tweetclf.pretraining.language_model",
        "LanguageModelConfig": "tweetclf.pretraining.language_model",
        "LanguageModelTraining": "tweetclf.pretraining.lm_training",
        "SentencePieceTokenizer": "tweetclf.pretraining.tokenizer",
        "Stage": "tweetclf.pretraining.stages",
        "load_language_model": "tweetclf.pretraining.language_model",
        "perplexity": "tweetclf.pretraining.lm_training",
        "train_language_model": "tweetclf.pretraining.lm_training",
    },
)

__all__ = [
    "LanguageModel",
    "LanguageModelConfig",
    "LanguageModelTraining",
    "SentencePieceTokenizer",
    "Stage",
    "load_language_model",
    "perplexity",
    "train_language_model",
]
