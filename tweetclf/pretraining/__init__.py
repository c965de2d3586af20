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
    from tweetclf.pretraining.pair_batches import PretrainingBatches
    from tweetclf.pretraining.pretraining_models import make_pretraining_model
    from tweetclf.pretraining.spans import (
        SpanMasking,
        TokenMasking,
        WholeWordMasking,
        word_continuations,
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
        "PretrainingBatches": "tweetclf.pretraining.pair_batches",
        "SentencePieceTokenizer": "tweetclf.pretraining.tokenizer",
        "SpanMasking": "tweetclf.pretraining.spans",
        "Stage": "tweetclf.pretraining.stages",
        "TokenMasking": "tweetclf.pretraining.spans",
        "WholeWordMasking": "tweetclf.pretraining.spans",
        "load_language_model": "tweetclf.pretraining.language_model",
        "make_pretraining_model": "tweetclf.pretraining.pretraining_models",
        "mask_tokens": "tweetclf.pretraining.masked",
        "perplexity": "tweetclf.pretraining.lm_training",
        "train_bert": "tweetclf.pretraining.masked",
        "train_language_model": "tweetclf.pretraining.lm_training",
        "word_continuations": "tweetclf.pretraining.spans",
        "ELMO_SIZES": "tweetclf.pretraining.elmo_settings",
        "ElmoTraining": "tweetclf.pretraining.elmo_settings",
        "ElmoTrainingResult": "tweetclf.pretraining.elmo_settings",
        "train_elmo": "tweetclf.pretraining.elmo",
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
    "PretrainingBatches",
    "SentencePieceTokenizer",
    "SpanMasking",
    "Stage",
    "TokenMasking",
    "WholeWordMasking",
    "load_language_model",
    "make_pretraining_model",
    "mask_tokens",
    "perplexity",
    "train_bert",
    "train_elmo",
    "train_language_model",
    "word_continuations",
]
