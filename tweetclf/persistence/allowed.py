"""The types that a model may consist of."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from tweetclf.exceptions import ModelFormatError

__all__ = ["ALLOWED", "DROPPED", "class_named", "finish", "name_of"]

# Public names stay the same when a class moves to another file of its package.
ALLOWED = frozenset(
    [
        "imblearn.over_sampling.RandomOverSampler",
        "imblearn.over_sampling.SMOTE",
        "imblearn.pipeline.Pipeline",
        "imblearn.under_sampling.RandomUnderSampler",
        "sklearn.calibration.CalibratedClassifierCV",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.compose.ColumnTransformer",
        "sklearn.decomposition.PCA",
        "sklearn.decomposition.TruncatedSVD",
        "sklearn.dummy.DummyClassifier",
        "sklearn.dummy.DummyRegressor",
        "sklearn.ensemble.VotingClassifier",
        "sklearn.ensemble.VotingRegressor",
        "sklearn.feature_extraction.text.CountVectorizer",
        "sklearn.feature_extraction.text.TfidfTransformer",
        "sklearn.feature_extraction.text.TfidfVectorizer",
        "sklearn.isotonic.IsotonicRegression",
        "sklearn.linear_model.LinearRegression",
        "sklearn.linear_model.LogisticRegression",
        "sklearn.linear_model.Ridge",
        "sklearn.linear_model.RidgeClassifier",
        "sklearn.linear_model.SGDClassifier",
        "sklearn.linear_model.SGDRegressor",
        "sklearn.model_selection.FixedThresholdClassifier",
        "sklearn.model_selection.TunedThresholdClassifierCV",
        "sklearn.multiclass.OneVsRestClassifier",
        "sklearn.multiclass._ConstantPredictor",
        "sklearn.naive_bayes.BernoulliNB",
        "sklearn.naive_bayes.ComplementNB",
        "sklearn.naive_bayes.MultinomialNB",
        "sklearn.pipeline.FeatureUnion",
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing.FunctionTransformer",
        "sklearn.preprocessing.LabelBinarizer",
        "sklearn.preprocessing.LabelEncoder",
        "sklearn.preprocessing.MaxAbsScaler",
        "sklearn.preprocessing.MultiLabelBinarizer",
        "sklearn.preprocessing.Normalizer",
        "sklearn.preprocessing.StandardScaler",
        "sklearn.svm.LinearSVC",
        "sklearn.svm.LinearSVR",
        "sklearn.svm.SVC",
        "sklearn.svm.SVR",
        "tweetclf.estimators.FoldEnsemble",
        "tweetclf.estimators.BiLSTMClassifier",
        "tweetclf.estimators.BiLSTMRegressor",
        "tweetclf.estimators.DoubleScaler",
        "tweetclf.estimators.EngagementPredictor",
        "tweetclf.estimators.FastTextClassifier",
        "tweetclf.estimators.LabelPowerset",
        "tweetclf.estimators.NBSVMClassifier",
        "tweetclf.estimators.OffsetClassifier",
        "tweetclf.estimators.OneVsRestLogisticRegression",
        "tweetclf.estimators.PowerWeightedClassifier",
        "tweetclf.estimators.SeedEnsemble",
        "tweetclf.estimators.SoftVotingClassifier",
        "tweetclf.estimators.TextDummyClassifier",
        "tweetclf.estimators.TextDummyRegressor",
        "tweetclf.estimators.TransformerClassifier",
        "tweetclf.estimators.TransformerMultipleChoice",
        "tweetclf.estimators.TransformerQuestionAnswering",
        "tweetclf.estimators.TransformerRegressor",
        "tweetclf.features.ElmoVectorizer",
        "tweetclf.features.ElmoWeights",
        "tweetclf.estimators.ULMFiTClassifier",
        "tweetclf.estimators.ULMFiTRegressor",
        "tweetclf.features.NBLogCountRatio",
        "tweetclf.features.NgramTfidfVectorizer",
        "tweetclf.features.PairFeatures",
        "tweetclf.features.SIFVectorizer",
        "tweetclf.features.TransformerVectorizer",
        "tweetclf.features.WordVectors",
        "tweetclf.preprocessing.TweetNormalizer",
        "tweetclf.preprocessing.TweetTokenizer",
        "tweetclf.preprocessing.TwilbertNormalizer",
        "tweetclf.preprocessing.ULMFiTNormalizer",
        "tweetclf.pretraining.SentencePieceTokenizer",
        "tweetclf.training.TrainingOptions",
    ]
)

# What is no data and what prediction does without, or `finish` makes again.
_MEMORY_ADDRESS = frozenset({"_stop_words_id"})
DROPPED: dict[str, frozenset[str]] = {
    "imblearn.over_sampling.SMOTE": frozenset({"nn_k_"}),
    "sklearn.feature_extraction.text.CountVectorizer": _MEMORY_ADDRESS,
    "sklearn.feature_extraction.text.TfidfVectorizer": _MEMORY_ADDRESS,
    "sklearn.isotonic.IsotonicRegression": frozenset({"f_"}),
    "sklearn.linear_model.SGDClassifier": frozenset({"_loss_function_"}),
    "sklearn.linear_model.SGDRegressor": frozenset({"_loss_function_"}),
    "sklearn.model_selection.TunedThresholdClassifierCV": frozenset({"_curve_scorer"}),
    # What partial_fit learnt: a model that is loaded predicts, it does not go on.
    "tweetclf.features.NgramTfidfVectorizer": _MEMORY_ADDRESS
    | {"_matched", "_packed", "_stream"},
}

_HINTS = {
    "GridSearchCV": "Save its best_estimator_.",
    "RandomizedSearchCV": "Save its best_estimator_.",
    "Generator": "Pass an int as random_state.",
    "RandomState": "Pass an int as random_state.",
    "Memory": "Set memory=None first.",
    "_Scorer": "Give the scorer by its name.",
    **dict.fromkeys(
        ("builtin_function_or_method", "function", "method", "method_descriptor"),
        "Functions are code: use a TweetTokenizer for tokens, a name for a score.",
    ),
}


def class_named(name: str) -> type:
    """Import the class that the allow-list calls `name`."""
    if name not in ALLOWED:
        raise ModelFormatError(f"the type {name!r} is not on the list of allowed types")
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ModelFormatError(
            f"the type {name!r} is not available here: {error}"
        ) from error
    if not isinstance(found, type):
        raise ModelFormatError(f"{name!r} is not a type")
    return found


def name_of(cls: type, where: str) -> str:
    """Return the name of `cls` on the allow-list, or say that it has none."""
    for name in ALLOWED:
        module, _, attribute = name.rpartition(".")
        if (
            attribute == cls.__name__
            and module.partition(".")[0] in sys.modules
            and class_named(name) is cls
        ):
            return name
    hint = _HINTS.get(cls.__name__, "")
    raise ModelFormatError(
        f"{where} is a {cls.__module__}.{cls.__qualname__}, which is not on the list "
        f"of types that models may hold. {hint}".rstrip()
    )


def finish(name: str, instance: Any) -> None:
    """Make again what was dropped, from what `instance` holds now."""
    if name.endswith(".IsotonicRegression") and hasattr(instance, "X_thresholds_"):
        instance._build_f(instance.X_thresholds_, instance.y_thresholds_)
    if name.endswith(".TunedThresholdClassifierCV") and hasattr(instance, "estimator_"):
        instance._curve_scorer = instance._get_curve_scorer()
    if name == "tweetclf.features.WordVectors":
        instance.matrix.flags.writeable = False
    if hasattr(instance, "_move_old_parameters"):
        instance._move_old_parameters()
