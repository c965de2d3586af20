"""Tokenizers and language models, learnt from unlabelled tweets."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.pretraining.elmo import train_elmo
    from tweetclf.pretraining.elmo_settings import (
        ELMO_SIZES,
        ElmoTraining,
        ElmoTrainingResult,
    )
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
    from tweetclf.pretraining.social import train_social_encoder
    from tweetclf.pretraining.social_config import run_social_config
    from tweetclf.pretraining.social_settings import (
        SocialModel,
        SocialTraining,
        SocialTrainingResult,
    )
    from tweetclf.pretraining.stages import Stage
    from tweetclf.pretraining.tokenizer import SentencePieceTokenizer

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "BertTraining": "tweetclf.pretraining.masked",
        "BertTrainingResult": "tweetclf.pretraining.masked",
        "LanguageModel": "tweetclf.pretraining.language_model",
        "LanguageModelConfig": "tweetclf.pretraining.language_model",
        "LanguageModelTraining": "tweetclf.pretraining.lm_settings",
        "SentencePieceTokenizer": "tweetclf.pretraining.tokenizer",
        "SocialModel": "tweetclf.pretraining.social_settings",
        "SocialTraining": "tweetclf.pretraining.social_settings",
        "SocialTrainingResult": "tweetclf.pretraining.social_settings",
        "Stage": "tweetclf.pretraining.stages",
        "load_language_model": "tweetclf.pretraining.language_model",
        "mask_tokens": "tweetclf.pretraining.masked",
        "perplexity": "tweetclf.pretraining.lm_training",
        "train_bert": "tweetclf.pretraining.masked",
        "train_language_model": "tweetclf.pretraining.lm_training",
        "ELMO_SIZES": "tweetclf.pretraining.elmo_settings",
        "ElmoTraining": "tweetclf.pretraining.elmo_settings",
        "ElmoTrainingResult": "tweetclf.pretraining.elmo_settings",
        "run_social_config": "tweetclf.pretraining.social_config",
        "train_elmo": "tweetclf.pretraining.elmo",
        "train_social_encoder": "tweetclf.pretraining.social",
    },
)

__all__ = [
    "BertTraining",
    "BertTrainingResult",
    "ELMO_SIZES",
    "ElmoTraining",
    "ElmoTrainingResult",
    "LanguageModel",
    "LanguageModelConfig",
    "LanguageModelTraining",
    "SentencePieceTokenizer",
    "SocialModel",
    "SocialTraining",
    "SocialTrainingResult",
    "Stage",
    "load_language_model",
    "mask_tokens",
    "perplexity",
    "run_social_config",
    "train_bert",
    "train_elmo",
    "train_language_model",
    "train_social_encoder",
]
