"""Tokenizers and language models, learnt from unlabelled tweets."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.pretraining.adaptation import (
        AdaptationResult,
        HeldOutLoss,
        adapt_language_model,
    )
    from tweetclf.pretraining.adaptation_settings import AdaptationTraining
    from tweetclf.pretraining.comparison import compare_migrations
    from tweetclf.pretraining.elmo import train_elmo
    from tweetclf.pretraining.elmo_settings import (
        ELMO_SIZES,
        ElmoTraining,
        ElmoTrainingResult,
    )
    from tweetclf.pretraining.inverted_wordpiece import twilbert_tokenizer
    from tweetclf.pretraining.language_model import (
        LanguageModel,
        LanguageModelConfig,
        load_language_model,
    )
    from tweetclf.pretraining.lm_settings import LanguageModelTraining
    from tweetclf.pretraining.lm_training import perplexity, train_language_model
    from tweetclf.pretraining.masked import (
        BertTraining,
        BertTrainingResult,
        mask_tokens,
        train_bert,
    )
    from tweetclf.pretraining.migration import MigrationReport, migrate_vocabulary
    from tweetclf.pretraining.stages import Stage
    from tweetclf.pretraining.tokenizer import SentencePieceTokenizer
    from tweetclf.pretraining.tweet_tokenizer import train_tweet_tokenizer

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "AdaptationResult": "tweetclf.pretraining.adaptation",
        "AdaptationTraining": "tweetclf.pretraining.adaptation_settings",
        "BertTraining": "tweetclf.pretraining.masked",
        "BertTrainingResult": "tweetclf.pretraining.masked",
        "HeldOutLoss": "tweetclf.pretraining.adaptation",
        "LanguageModel": "tweetclf.pretraining.language_model",
        "LanguageModelConfig": "tweetclf.pretraining.language_model",
        "LanguageModelTraining": "tweetclf.pretraining.lm_settings",
        "MigrationReport": "tweetclf.pretraining.migration",
        "SentencePieceTokenizer": "tweetclf.pretraining.tokenizer",
        "Stage": "tweetclf.pretraining.stages",
        "adapt_language_model": "tweetclf.pretraining.adaptation",
        "compare_migrations": "tweetclf.pretraining.comparison",
        "load_language_model": "tweetclf.pretraining.language_model",
        "mask_tokens": "tweetclf.pretraining.masked",
        "migrate_vocabulary": "tweetclf.pretraining.migration",
        "perplexity": "tweetclf.pretraining.lm_training",
        "train_bert": "tweetclf.pretraining.masked",
        "train_language_model": "tweetclf.pretraining.lm_training",
        "train_tweet_tokenizer": "tweetclf.pretraining.tweet_tokenizer",
        "twilbert_tokenizer": "tweetclf.pretraining.inverted_wordpiece",
        "ELMO_SIZES": "tweetclf.pretraining.elmo_settings",
        "ElmoTraining": "tweetclf.pretraining.elmo_settings",
        "ElmoTrainingResult": "tweetclf.pretraining.elmo_settings",
        "train_elmo": "tweetclf.pretraining.elmo",
    },
)

__all__ = [
    "ELMO_SIZES",
    "AdaptationResult",
    "AdaptationTraining",
    "BertTraining",
    "BertTrainingResult",
    "ElmoTraining",
    "ElmoTrainingResult",
    "HeldOutLoss",
    "LanguageModel",
    "LanguageModelConfig",
    "LanguageModelTraining",
    "MigrationReport",
    "SentencePieceTokenizer",
    "Stage",
    "adapt_language_model",
    "compare_migrations",
    "load_language_model",
    "mask_tokens",
    "migrate_vocabulary",
    "perplexity",
    "train_bert",
    "train_elmo",
    "train_language_model",
    "train_tweet_tokenizer",
    "twilbert_tokenizer",
]
