"""Bare torch modules, one model a file: they know no text and no scikit-learn."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.modules.bilstm import BiLSTM, BiLSTMNet
    from tweetclf.modules.elmo import ElmoBiLM
    from tweetclf.modules.elmo_config import ElmoConfig
    from tweetclf.modules.elmo_language_model import ElmoLanguageModel
    from tweetclf.modules.scalar_mix import ScalarMix

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "BiLSTM": "tweetclf.modules.bilstm",
        "BiLSTMNet": "tweetclf.modules.bilstm",
        "ElmoBiLM": "tweetclf.modules.elmo",
        "ElmoConfig": "tweetclf.modules.elmo_config",
        "ElmoLanguageModel": "tweetclf.modules.elmo_language_model",
        "ScalarMix": "tweetclf.modules.scalar_mix",
    },
)

__all__ = [
    "BiLSTM",
    "BiLSTMNet",
    "ElmoBiLM",
    "ElmoConfig",
    "ElmoLanguageModel",
    "ScalarMix",
]
