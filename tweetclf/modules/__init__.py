"""Bare torch modules, one model a file: they know no text and no scikit-learn."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.modules.awd import (
        AWDEncoder,
        AWDLanguageModel,
        activation_penalty,
        detach_state,
    )
    from tweetclf.modules.bilstm import BiLSTM, BiLSTMNet
    from tweetclf.modules.chunked_loss import chunked_cross_entropy
    from tweetclf.modules.concat_pooling import (
        AWDClassifier,
        PoolingClassifierHead,
        concat_pool,
    )
    from tweetclf.modules.contrastive import ProjectionHead, gather_rows, nt_xent
    from tweetclf.modules.dropout import AWDDropout
    from tweetclf.modules.elmo import ElmoBiLM
    from tweetclf.modules.elmo_config import ElmoConfig
    from tweetclf.modules.elmo_language_model import ElmoLanguageModel
    from tweetclf.modules.fo_pooling import forget_mult
    from tweetclf.modules.product_keys import ProductKeyMemory
    from tweetclf.modules.qrnn import QRNN, QRNNLayer
    from tweetclf.modules.scalar_mix import ScalarMix
    from tweetclf.modules.twilbert import (
        TWilBertForMaskedLM,
        TWilBertForPreTraining,
        TWilBertForSequenceClassification,
        TWilBertModel,
    )
    from tweetclf.modules.twilbert_config import TWilBertConfig

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "AWDClassifier": "tweetclf.modules.concat_pooling",
        "AWDDropout": "tweetclf.modules.dropout",
        "AWDEncoder": "tweetclf.modules.awd",
        "AWDLanguageModel": "tweetclf.modules.awd",
        "BiLSTM": "tweetclf.modules.bilstm",
        "BiLSTMNet": "tweetclf.modules.bilstm",
        "ElmoBiLM": "tweetclf.modules.elmo",
        "ElmoConfig": "tweetclf.modules.elmo_config",
        "ElmoLanguageModel": "tweetclf.modules.elmo_language_model",
        "PoolingClassifierHead": "tweetclf.modules.concat_pooling",
        "ProductKeyMemory": "tweetclf.modules.product_keys",
        "ProjectionHead": "tweetclf.modules.contrastive",
        "QRNN": "tweetclf.modules.qrnn",
        "QRNNLayer": "tweetclf.modules.qrnn",
        "ScalarMix": "tweetclf.modules.scalar_mix",
        "TWilBertConfig": "tweetclf.modules.twilbert_config",
        "TWilBertForMaskedLM": "tweetclf.modules.twilbert",
        "TWilBertForPreTraining": "tweetclf.modules.twilbert",
        "TWilBertForSequenceClassification": "tweetclf.modules.twilbert",
        "TWilBertModel": "tweetclf.modules.twilbert",
        "activation_penalty": "tweetclf.modules.awd",
        "chunked_cross_entropy": "tweetclf.modules.chunked_loss",
        "concat_pool": "tweetclf.modules.concat_pooling",
        "detach_state": "tweetclf.modules.awd",
        "forget_mult": "tweetclf.modules.fo_pooling",
        "gather_rows": "tweetclf.modules.contrastive",
        "nt_xent": "tweetclf.modules.contrastive",
    },
)

__all__ = [
    "AWDClassifier",
    "AWDDropout",
    "AWDEncoder",
    "AWDLanguageModel",
    "BiLSTM",
    "BiLSTMNet",
    "ElmoBiLM",
    "ElmoConfig",
    "ElmoLanguageModel",
    "PoolingClassifierHead",
    "ProductKeyMemory",
    "ProjectionHead",
    "QRNN",
    "QRNNLayer",
    "ScalarMix",
    "TWilBertConfig",
    "TWilBertForMaskedLM",
    "TWilBertForPreTraining",
    "TWilBertForSequenceClassification",
    "TWilBertModel",
    "activation_penalty",
    "chunked_cross_entropy",
    "concat_pool",
    "detach_state",
    "forget_mult",
    "gather_rows",
    "nt_xent",
]
