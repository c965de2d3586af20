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
    from tweetclf.pretraining.encoder import train_encoder
    from tweetclf.pretraining.encoder_settings import (
        EncoderModel,
        EncoderObjectives,
        EncoderTraining,
        EncoderTrainingResult,
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
    from tweetclf.pretraining.objectives import (
        PackedPreTraining,
        PretrainingObjective,
    )
    from tweetclf.pretraining.pair_batches import PretrainingBatches
    from tweetclf.pretraining.pipeline import (
        PretrainingPipeline,
        PretrainingStage,
    )
    from tweetclf.pretraining.pretraining_config import (
        PretrainingConfig,
        bundled_configs,
        read_pretraining_config,
    )
    from tweetclf.pretraining.pretraining_models import make_pretraining_model
    from tweetclf.pretraining.social import train_social_encoder
    from tweetclf.pretraining.social_config import run_social_config
    from tweetclf.pretraining.social_settings import (
        SocialModel,
        SocialTraining,
        SocialTrainingResult,
    )
    from tweetclf.pretraining.spans import (
        SpanMasking,
        TokenMasking,
        WholeWordMasking,
        word_continuations,
    )
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
        "ELMO_SIZES": "tweetclf.pretraining.elmo_settings",
        "ElmoTraining": "tweetclf.pretraining.elmo_settings",
        "ElmoTrainingResult": "tweetclf.pretraining.elmo_settings",
        "EncoderModel": "tweetclf.pretraining.encoder_settings",
        "EncoderObjectives": "tweetclf.pretraining.encoder_settings",
        "EncoderTraining": "tweetclf.pretraining.encoder_settings",
        "EncoderTrainingResult": "tweetclf.pretraining.encoder_settings",
        "HeldOutLoss": "tweetclf.pretraining.adaptation",
        "LanguageModel": "tweetclf.pretraining.language_model",
        "LanguageModelConfig": "tweetclf.pretraining.language_model",
        "LanguageModelTraining": "tweetclf.pretraining.lm_settings",
        "MigrationReport": "tweetclf.pretraining.migration",
        "PackedPreTraining": "tweetclf.pretraining.objectives",
        "PretrainingBatches": "tweetclf.pretraining.pair_batches",
        "PretrainingConfig": "tweetclf.pretraining.pretraining_config",
        "PretrainingObjective": "tweetclf.pretraining.objectives",
        "PretrainingPipeline": "tweetclf.pretraining.pipeline",
        "PretrainingStage": "tweetclf.pretraining.pipeline",
        "SentencePieceTokenizer": "tweetclf.pretraining.tokenizer",
        "SocialModel": "tweetclf.pretraining.social_settings",
        "SocialTraining": "tweetclf.pretraining.social_settings",
        "SocialTrainingResult": "tweetclf.pretraining.social_settings",
        "SpanMasking": "tweetclf.pretraining.spans",
        "Stage": "tweetclf.pretraining.stages",
        "TokenMasking": "tweetclf.pretraining.spans",
        "WholeWordMasking": "tweetclf.pretraining.spans",
        "adapt_language_model": "tweetclf.pretraining.adaptation",
        "bundled_configs": "tweetclf.pretraining.pretraining_config",
        "compare_migrations": "tweetclf.pretraining.comparison",
        "load_language_model": "tweetclf.pretraining.language_model",
        "make_pretraining_model": "tweetclf.pretraining.pretraining_models",
        "mask_tokens": "tweetclf.pretraining.masked",
        "migrate_vocabulary": "tweetclf.pretraining.migration",
        "perplexity": "tweetclf.pretraining.lm_training",
        "read_pretraining_config": "tweetclf.pretraining.pretraining_config",
        "run_social_config": "tweetclf.pretraining.social_config",
        "train_bert": "tweetclf.pretraining.masked",
        "train_elmo": "tweetclf.pretraining.elmo",
        "train_encoder": "tweetclf.pretraining.encoder",
        "train_language_model": "tweetclf.pretraining.lm_training",
        "train_social_encoder": "tweetclf.pretraining.social",
        "train_tweet_tokenizer": "tweetclf.pretraining.tweet_tokenizer",
        "twilbert_tokenizer": "tweetclf.pretraining.inverted_wordpiece",
        "word_continuations": "tweetclf.pretraining.spans",
    },
)

__all__ = [
    "AdaptationResult",
    "AdaptationTraining",
    "BertTraining",
    "BertTrainingResult",
    "ELMO_SIZES",
    "ElmoTraining",
    "ElmoTrainingResult",
    "EncoderModel",
    "EncoderObjectives",
    "EncoderTraining",
    "EncoderTrainingResult",
    "HeldOutLoss",
    "LanguageModel",
    "LanguageModelConfig",
    "LanguageModelTraining",
    "MigrationReport",
    "PackedPreTraining",
    "PretrainingBatches",
    "PretrainingConfig",
    "PretrainingObjective",
    "PretrainingPipeline",
    "PretrainingStage",
    "SentencePieceTokenizer",
    "SocialModel",
    "SocialTraining",
    "SocialTrainingResult",
    "SpanMasking",
    "Stage",
    "TokenMasking",
    "WholeWordMasking",
    "adapt_language_model",
    "bundled_configs",
    "compare_migrations",
    "load_language_model",
    "make_pretraining_model",
    "mask_tokens",
    "migrate_vocabulary",
    "perplexity",
    "read_pretraining_config",
    "run_social_config",
    "train_bert",
    "train_elmo",
    "train_encoder",
    "train_language_model",
    "train_social_encoder",
    "train_tweet_tokenizer",
    "twilbert_tokenizer",
    "word_continuations",
]
