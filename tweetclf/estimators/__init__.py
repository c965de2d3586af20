"""Text to labels: classical classifiers, baselines and published recipes.

Estimators follow scikit-learn's contract with texts in place of a matrix; the
factories return plain :class:`sklearn.pipeline.Pipeline` objects, whose steps can
be searched, replaced and recombined. One estimator is of another kind:
`EngagementPredictor` reads who engaged with which text.
"""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.estimators.atalaya import atalaya_lr, atalaya_svm
    from tweetclf.estimators.atalaya_neural import (
        atalaya_lstm_elmo,
        atalaya_lstm_elmo_bow,
    )
    from tweetclf.estimators.baselines import (
        char_svm,
        majority,
        mean,
        nbsvm,
        stratified,
        tfidf_lr,
        tfidf_ridge,
    )
    from tweetclf.estimators.bi_lstm import BiLSTMClassifier, BiLSTMRegressor, bilstm
    from tweetclf.estimators.class_weights import PowerWeightedClassifier
    from tweetclf.estimators.dummy import TextDummyClassifier, TextDummyRegressor
    from tweetclf.estimators.engagement import EngagementPredictor
    from tweetclf.estimators.ensemble import ngram_ensemble
    from tweetclf.estimators.fast_text import FastTextClassifier, fasttext
    from tweetclf.estimators.fine_tuning import (
        TransformerClassifier,
        TransformerRegressor,
    )
    from tweetclf.estimators.fold_ensemble import FoldEnsemble, SeedEnsemble
    from tweetclf.estimators.frozen import DoubleScaler, frozen_lr
    from tweetclf.estimators.haha import haha_nbsvm
    from tweetclf.estimators.haha_ulmfit import (
        haha_ulmfit_qrnn,
        haha_ulmfit_qrnn_regressor,
    )
    from tweetclf.estimators.liblinear import OneVsRestLogisticRegression
    from tweetclf.estimators.multiple_choice import TransformerMultipleChoice
    from tweetclf.estimators.nb_svm import NBSVMClassifier
    from tweetclf.estimators.offsets import OffsetClassifier
    from tweetclf.estimators.powerset import LabelPowerset
    from tweetclf.estimators.question_answering import TransformerQuestionAnswering
    from tweetclf.estimators.transformer_presets import transformer
    from tweetclf.estimators.ulmfit import ULMFiTClassifier, ULMFiTRegressor
    from tweetclf.estimators.voting import SoftVotingClassifier

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "BiLSTMClassifier": "tweetclf.estimators.bi_lstm",
        "BiLSTMRegressor": "tweetclf.estimators.bi_lstm",
        "DoubleScaler": "tweetclf.estimators.frozen",
        "EngagementPredictor": "tweetclf.estimators.engagement",
        "FastTextClassifier": "tweetclf.estimators.fast_text",
        "FoldEnsemble": "tweetclf.estimators.fold_ensemble",
        "LabelPowerset": "tweetclf.estimators.powerset",
        "NBSVMClassifier": "tweetclf.estimators.nb_svm",
        "OffsetClassifier": "tweetclf.estimators.offsets",
        "OneVsRestLogisticRegression": "tweetclf.estimators.liblinear",
        "PowerWeightedClassifier": "tweetclf.estimators.class_weights",
        "SeedEnsemble": "tweetclf.estimators.fold_ensemble",
        "SoftVotingClassifier": "tweetclf.estimators.voting",
        "TextDummyClassifier": "tweetclf.estimators.dummy",
        "TextDummyRegressor": "tweetclf.estimators.dummy",
        "TransformerClassifier": "tweetclf.estimators.fine_tuning",
        "TransformerMultipleChoice": "tweetclf.estimators.multiple_choice",
        "TransformerQuestionAnswering": "tweetclf.estimators.question_answering",
        "TransformerRegressor": "tweetclf.estimators.fine_tuning",
        "ULMFiTClassifier": "tweetclf.estimators.ulmfit",
        "ULMFiTRegressor": "tweetclf.estimators.ulmfit",
        "atalaya_lr": "tweetclf.estimators.atalaya",
        "atalaya_lstm_elmo": "tweetclf.estimators.atalaya_neural",
        "atalaya_lstm_elmo_bow": "tweetclf.estimators.atalaya_neural",
        "atalaya_svm": "tweetclf.estimators.atalaya",
        "bilstm": "tweetclf.estimators.bi_lstm",
        "char_svm": "tweetclf.estimators.baselines",
        "fasttext": "tweetclf.estimators.fast_text",
        "frozen_lr": "tweetclf.estimators.frozen",
        "haha_nbsvm": "tweetclf.estimators.haha",
        "haha_ulmfit_qrnn": "tweetclf.estimators.haha_ulmfit",
        "haha_ulmfit_qrnn_regressor": "tweetclf.estimators.haha_ulmfit",
        "majority": "tweetclf.estimators.baselines",
        "mean": "tweetclf.estimators.baselines",
        "nbsvm": "tweetclf.estimators.baselines",
        "ngram_ensemble": "tweetclf.estimators.ensemble",
        "stratified": "tweetclf.estimators.baselines",
        "tfidf_lr": "tweetclf.estimators.baselines",
        "tfidf_ridge": "tweetclf.estimators.baselines",
        "transformer": "tweetclf.estimators.transformer_presets",
    },
)

__all__ = [
    "BiLSTMClassifier",
    "BiLSTMRegressor",
    "DoubleScaler",
    "EngagementPredictor",
    "FastTextClassifier",
    "FoldEnsemble",
    "LabelPowerset",
    "NBSVMClassifier",
    "OffsetClassifier",
    "OneVsRestLogisticRegression",
    "PowerWeightedClassifier",
    "SeedEnsemble",
    "SoftVotingClassifier",
    "TextDummyClassifier",
    "TextDummyRegressor",
    "TransformerClassifier",
    "TransformerMultipleChoice",
    "TransformerQuestionAnswering",
    "TransformerRegressor",
    "ULMFiTClassifier",
    "ULMFiTRegressor",
    "atalaya_lr",
    "atalaya_lstm_elmo",
    "atalaya_lstm_elmo_bow",
    "atalaya_svm",
    "bilstm",
    "char_svm",
    "fasttext",
    "frozen_lr",
    "haha_nbsvm",
    "haha_ulmfit_qrnn",
    "haha_ulmfit_qrnn_regressor",
    "majority",
    "mean",
    "nbsvm",
    "ngram_ensemble",
    "stratified",
    "tfidf_lr",
    "tfidf_ridge",
    "transformer",
]
