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
    from tweetclf.modules.concat_pooling import (
        AWDClassifier,
        PoolingClassifierHead,
        concat_pool,
    )
    from tweetclf.modules.dropout import AWDDropout
    from tweetclf.modules.fo_pooling import forget_mult
    from tweetclf.modules.qrnn import QRNN, QRNNLayer

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "AWDClassifier": "tweetclf.modules.concat_pooling",
        "AWDDropout": "tweetclf.modules.dropout",
        "AWDEncoder": "tweetclf.modules.awd",
        "AWDLanguageModel": "tweetclf.modules.awd",
        "PoolingClassifierHead": "tweetclf.modules.concat_pooling",
        "QRNN": "tweetclf.modules.qrnn",
        "QRNNLayer": "tweetclf.modules.qrnn",
        "activation_penalty": "tweetclf.modules.awd",
        "concat_pool": "tweetclf.modules.concat_pooling",
        "detach_state": "tweetclf.modules.awd",
        "forget_mult": "tweetclf.modules.fo_pooling",
    },
)

__all__ = [
    "QRNN",
    "AWDClassifier",
    "AWDDropout",
    "AWDEncoder",
    "AWDLanguageModel",
    "PoolingClassifierHead",
    "QRNNLayer",
    "activation_penalty",
    "concat_pool",
    "detach_state",
    "forget_mult",
]
