"""What the states of some types must be like beside being plain data."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from tweetclf.exceptions import ModelFormatError
from tweetclf.features import NgramVocabulary
from tweetclf.features._captured import check_captured

__all__ = ["check_state"]


def check_state(name: str, state: dict[str, Any]) -> None:
    """Refuse a state that holds code, or that native code would trip over.

    Raises
    ------
    ModelFormatError
        If it does.
    """
    check = _CHECKS.get(name)
    if check is not None:
        try:
            check(state)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise ModelFormatError(f"a {name} is broken: {error!r}") from error


def _require(condition: Any, what: str) -> None:
    if not condition:
        raise ModelFormatError(what)


def _check_function_transformer(state: dict[str, Any]) -> None:
    _require(
        state["func"] is None and state["inverse_func"] is None,
        "a FunctionTransformer with a function cannot be saved; only the identity can",
    )


def _check_vocabulary(state: dict[str, Any]) -> None:
    vocabulary = state.get("vocabulary_", {})
    if isinstance(vocabulary, NgramVocabulary):
        return
    _require(isinstance(vocabulary, dict), "a vocabulary_ is not a dict")
    rows = np.fromiter(vocabulary.values(), np.int64, count=len(vocabulary))
    _require(
        len(rows) == 0 or (rows.min() >= 0 and rows.max() < len(rows)),
        "a vocabulary_ has column numbers out of range",
    )


def _check_support_vectors(state: dict[str, Any]) -> None:
    # libsvm is C++ and trusts these shapes.
    from scipy import sparse

    if "support_vectors_" not in state:
        return
    vectors, dual = state["support_vectors_"], state["_dual_coef_"]
    n_vectors = len(state["support_"])
    n_classes = len(state["_n_support"])
    classes = state.get("classes_")
    pairs = n_classes * (n_classes - 1) // 2 if classes is not None else 1
    values = state["_probA"], state["_probB"]
    shape = (n_vectors, state["shape_fit_"][1])
    if state["kernel"] == "precomputed":
        shape = (0, 0)
        _require(
            np.max(state["support_"], initial=-1) < state["shape_fit_"][0],
            "the support vectors of a machine are out of range",
        )
    _require(
        sparse.issparse(vectors) == sparse.issparse(dual) == bool(state["_sparse"])
        and vectors.shape == shape
        and dual.shape == (n_classes - 1 if classes is not None else 1, n_vectors)
        and (classes is None or len(classes) == n_classes)
        and state["_intercept_"].shape == (pairs,)
        and np.min(state["_n_support"], initial=0) >= 0
        and (int(np.sum(state["_n_support"])) == n_vectors or classes is None)
        and all(v.shape in {(0,), (pairs,)} for v in values),
        "the arrays of a support vector machine do not fit together",
    )


def _check_word_vectors(state: dict[str, Any]) -> None:
    words, matrix, bucket = state["words"], state["matrix"], state["bucket"]
    _require(
        isinstance(words, tuple)
        and isinstance(bucket, int)
        and matrix.ndim == 2
        and matrix.dtype == np.float32
        and bucket >= 0
        and len(matrix) == len(words) + bucket,
        "word vectors do not fit their words",
    )


def _check_elmo_weights(state: dict[str, Any]) -> None:
    from tweetclf.features.elmo_weights import check_elmo_state

    check_elmo_state(state)


def _check_elmo_vectorizer(state: dict[str, Any]) -> None:
    if "weights_path_" in state:
        _require(
            isinstance(state["weights_path_"], str)
            and isinstance(state["weights_digest_"], str),
            "an ElmoVectorizer without weights does not say where they are",
        )


def _check_transformer_vectorizer(state: dict[str, Any]) -> None:
    profile = state.get("profile_")
    _require(
        profile is None or isinstance(profile, str),
        "the profile of a TransformerVectorizer is no name",
    )
    _require("_encoder" not in state, "a TransformerVectorizer holds more than data")
    if "pretrained_" in state:
        check_captured(state["pretrained_"])


def _check_transformer(state: dict[str, Any]) -> None:
    if "architecture_" not in state:
        return  # It is not fitted.
    check_captured(
        {
            "architecture": state["architecture_"],
            "config": state["config_"],
            "files": state["tokenizer_files_"],
            "weights": state["module_state_"],
        }
    )
    _require(
        state["plan_"] in ("packed", "padded", "native")
        and hasattr(state["normalizer_"], "transform"),
        "a transformer's plan_ or normalizer_ is of no known kind",
    )
    _require(
        state["max_length"] is not None or type(state.get("max_length_")) is int,
        "a transformer does not say how long its rows are",
    )
    _require(
        not {"_encoder", "_loaded", "_module"} & set(state),
        "a transformer holds more than data",
    )
    # A small file must not ask for a model that no memory holds.
    config, arrays = json.loads(state["config_"]), state["module_state_"]
    longest = max(max(a.shape, default=1) for a in arrays.values())
    sizes = (config.get(name) for name in _SIZES)
    layers = (config.get(name) for name in _LAYERS)
    _require(
        all(size is None or size <= longest for size in sizes)
        and all(n is None or n <= len(arrays) for n in layers),
        "the weights of a transformer do not fit its configuration",
    )


# In configurations of transformers.
_SIZES = (
    "dim",
    "embedding_size",
    "hidden_dim",
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
    "vocab_size",
)
_LAYERS = ("n_layers", "num_hidden_layers")


def _check_pieces(state: dict[str, Any]) -> None:
    model, passes = state["model"], state["passes"]
    _require(
        set(state) == {"model", "passes"}
        and isinstance(model, np.ndarray)
        and model.ndim == 1
        and model.dtype == np.uint8
        and type(passes) is int
        and 1 <= passes <= 100,
        "a SentencePiece tokenizer is no model in bytes and a number of passes",
    )


def _check_module(state: dict[str, Any]) -> None:
    # What the module is made of, before torch reads it; its names and shapes are
    # compared with the module's when it is made.
    arrays = state.get("module_state_", {})
    _require(
        "_module" not in state
        and isinstance(arrays, dict)
        and all(
            type(name) is str and isinstance(array, np.ndarray)
            for name, array in arrays.items()
        ),
        "the weights of a neural estimator are no arrays by name",
    )


def _check_ulmfit(state: dict[str, Any]) -> None:
    _check_module(state)
    if "config_" not in state:
        return
    from tweetclf.pretraining import LanguageModelConfig

    try:
        config = LanguageModelConfig(**state["config_"])
    except ValueError as error:
        raise ModelFormatError(str(error)) from error
    # A small file must not ask for a module that no memory holds.
    embedding = state["module_state_"]["encoder.embedding.weight"]
    _require(
        embedding.ndim == 2
        and embedding.shape[1] == config.emb_size
        and sum(k.endswith("weight") for k in state["module_state_"])
        >= config.n_layers,
        "the weights of a language model do not fit its sizes",
    )


def _check_bilstm(state: dict[str, Any]) -> None:
    _check_module(state)
    if "module_state_" not in state:
        return
    arrays, words = state["module_state_"], state["vocabulary_"]
    # A small file must not ask for a module that no memory holds, nor words for rows
    # that are not there.
    n_gates, n_inputs = 4 * state["hidden_size"], state["input_size_"]
    expected = {"encoder.ahead.weight_ih_l0": (n_gates, n_inputs)}
    if words is not None:
        numbers = sorted(words.values())
        _require(
            numbers == list(range(2, len(words) + 2)),
            "the words of a BiLSTM are not numbered in a row",
        )
        expected["embedding.weight"] = (len(words) + 2, n_inputs)
    if state["n_terms_"]:
        expected["bag.0.weight"] = (len(arrays["bag.0.bias"]), state["n_terms_"])
    _require(
        all(arrays[name].shape == shape for name, shape in expected.items()),
        "the weights of a BiLSTM do not fit its sizes",
    )


def _check_training_options(state: dict[str, Any]) -> None:
    from tweetclf.training import TrainingOptions

    try:
        TrainingOptions(**state)
    except ValueError as error:
        raise ModelFormatError(str(error)) from error


_CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "sklearn.feature_extraction.text.CountVectorizer": _check_vocabulary,
    "sklearn.feature_extraction.text.TfidfVectorizer": _check_vocabulary,
    "sklearn.preprocessing.FunctionTransformer": _check_function_transformer,
    "sklearn.svm.SVC": _check_support_vectors,
    "sklearn.svm.SVR": _check_support_vectors,
    "tweetclf.estimators.TransformerClassifier": _check_transformer,
    "tweetclf.estimators.TransformerMultipleChoice": _check_transformer,
    "tweetclf.estimators.TransformerQuestionAnswering": _check_transformer,
    "tweetclf.estimators.TransformerRegressor": _check_transformer,
    "tweetclf.features.ElmoVectorizer": _check_elmo_vectorizer,
    "tweetclf.features.ElmoWeights": _check_elmo_weights,
    "tweetclf.estimators.BiLSTMClassifier": _check_bilstm,
    "tweetclf.estimators.BiLSTMRegressor": _check_bilstm,
    "tweetclf.features.NgramTfidfVectorizer": _check_vocabulary,
    "tweetclf.features.TransformerVectorizer": _check_transformer_vectorizer,
    "tweetclf.estimators.ULMFiTClassifier": _check_ulmfit,
    "tweetclf.estimators.ULMFiTRegressor": _check_ulmfit,
    "tweetclf.features.WordVectors": _check_word_vectors,
    "tweetclf.pretraining.SentencePieceTokenizer": _check_pieces,
    "tweetclf.training.TrainingOptions": _check_training_options,
}
