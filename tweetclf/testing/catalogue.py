"""The public text estimators of tweetclf, as the battery runs them."""

from __future__ import annotations

import functools
import importlib.util
import tempfile
from typing import Any, NamedTuple

from tweetclf.testing._data import make_choices, make_questions
from tweetclf.testing._subject import MakeRows

__all__ = ["Entry", "public_estimators"]


class Entry(NamedTuple):
    """An estimator with its kind and a name that is unique among the entries."""

    name: str
    estimator: Any
    kind: str
    make_rows: MakeRows | None = None


def public_estimators() -> list[Entry]:
    """Return every public text estimator, and every factory in each of its roles."""
    return [
        *_classifiers(),
        *_pairs(),
        *_multilabel(),
        *_regressors(),
        *_features(),
        *_copies(),
        *(_ulmfit() if _has("torch", "sentencepiece") else []),
        *(_transformers() if _has("torch", "transformers") else []),
        *(_bilstm() if _has("torch") else []),
    ]


def _has(*packages: str) -> bool:
    return all(importlib.util.find_spec(package) for package in packages)


def _classifiers() -> list[Entry]:
    from tweetclf import estimators as e

    made = {
        "NBSVMClassifier": e.NBSVMClassifier(),
        "NBSVMClassifier-lr": e.NBSVMClassifier(learner="lr", class_weight="balanced"),
        "OffsetClassifier": e.OffsetClassifier(e.nbsvm(learner="lr"), cv=2),
        "SoftVotingClassifier": e.SoftVotingClassifier(
            [("words", e.tfidf_lr()), ("ratios", e.nbsvm(learner="lr"))]
        ),
        "TextDummyClassifier": e.TextDummyClassifier(),
        "TextDummyClassifier-stratified": e.TextDummyClassifier(strategy="stratified"),
        "atalaya_lr": e.atalaya_lr(),
        "atalaya_svm": e.atalaya_svm(),
        "atalaya_svm-code": e.atalaya_svm(variant="code"),
        "atalaya_svm-without-boc": e.atalaya_svm(without="boc"),
        "atalaya_svm-without-bow": e.atalaya_svm(without="bow"),
        "atalaya_svm-without-emb": e.atalaya_svm(without="emb"),
        "char_svm": e.char_svm(),
        "fasttext": e.fasttext(),
        "haha_nbsvm": e.haha_nbsvm(),
        "majority": e.majority(),
        "nbsvm": e.nbsvm(),
        "ngram_ensemble": e.ngram_ensemble(),
        "stratified": e.stratified(),
        "tfidf_lr": e.tfidf_lr(),
    }
    return [Entry(name, estimator, "classifier") for name, estimator in made.items()]


def _pairs() -> list[Entry]:
    from tweetclf import estimators as e

    made = {
        "atalaya_svm-pairs": e.atalaya_svm(pairs=True, without="emb"),
        "char_svm-pairs": e.char_svm(pairs=True),
        "fasttext-pairs": e.fasttext(pairs=True),
        "haha_nbsvm-pairs": e.haha_nbsvm(pairs=True),
        "majority-pairs": e.majority(pairs=True),
        "nbsvm-pairs": e.nbsvm(pairs=True),
        "stratified-pairs": e.stratified(pairs=True),
        "tfidf_lr-pairs": e.tfidf_lr(pairs=True),
        "tfidf_ridge-pairs": e.tfidf_ridge(pairs=True),
        "mean-pairs": e.mean(pairs=True),
    }
    return [Entry(name, estimator, "pair") for name, estimator in made.items()]


def _multilabel() -> list[Entry]:
    from tweetclf import estimators as e

    made = {
        "LabelPowerset": e.LabelPowerset(e.nbsvm(learner="lr")),
        "LabelPowerset-atalaya_lr": e.LabelPowerset(e.atalaya_lr(without="emb")),
        "atalaya_lr-multilabel": e.atalaya_lr(multilabel=True, without="emb"),
        "char_svm-multilabel": e.char_svm(multilabel=True),
        "fasttext-multilabel": e.fasttext(multilabel=True, subwords=(3, 5)),
        "haha_nbsvm-multilabel": e.haha_nbsvm(multilabel=True),
        "majority-multilabel": e.majority(multilabel=True),
        "nbsvm-multilabel": e.nbsvm(multilabel=True),
        "stratified-multilabel": e.stratified(multilabel=True),
        "tfidf_lr-multilabel": e.tfidf_lr(multilabel=True),
    }
    return [Entry(name, estimator, "multilabel") for name, estimator in made.items()]


def _regressors() -> list[Entry]:
    from tweetclf import estimators as e

    made = {
        "TextDummyRegressor": e.TextDummyRegressor(strategy="median"),
        "mean": e.mean(),
        "tfidf_ridge": e.tfidf_ridge(),
    }
    return [Entry(name, estimator, "regressor") for name, estimator in made.items()]


def _features() -> list[Entry]:
    from tweetclf.features import (
        ElmoVectorizer,
        ElmoWeights,
        NgramTfidfVectorizer,
        PairFeatures,
        SIFVectorizer,
    )
    from tweetclf.preprocessing import TweetNormalizer, TweetTokenizer

    small = ElmoWeights.random(
        char_dim=4, filters=[(1, 8), (2, 8)], projection_dim=4, cell_dim=8
    )
    return [
        Entry("ElmoVectorizer", ElmoVectorizer(small), "transformer"),
        Entry(
            "ElmoVectorizer-pca",
            ElmoVectorizer(small, layers="all", n_components=1),
            "transformer",
        ),
        Entry("NgramTfidfVectorizer", NgramTfidfVectorizer(), "transformer"),
        Entry("PairFeatures", PairFeatures(NgramTfidfVectorizer()), "pair"),
        Entry("SIFVectorizer", SIFVectorizer(dim=8), "transformer"),
        Entry("TweetNormalizer", TweetNormalizer(), "transformer"),
        Entry("TweetTokenizer", TweetTokenizer(), "transformer"),
    ]


def _copies() -> list[Entry]:
    """Ensembles of copies of one estimator, in every kind."""
    from tweetclf import estimators as e

    folds, seeds = e.FoldEnsemble, e.SeedEnsemble
    made = {
        "FoldEnsemble": (folds(e.tfidf_lr(), n_splits=3), "classifier"),
        "FoldEnsemble-votes": (folds(e.nbsvm(), n_splits=3), "classifier"),
        "FoldEnsemble-pairs": (folds(e.tfidf_lr(pairs=True), n_splits=2), "pair"),
        "FoldEnsemble-multilabel": (
            folds(e.tfidf_lr(multilabel=True), n_splits=2),
            "multilabel",
        ),
        "FoldEnsemble-regressor": (folds(e.tfidf_ridge(), n_splits=2), "regressor"),
        "SeedEnsemble": (seeds(e.tfidf_lr(), n_seeds=2), "classifier"),
        "SeedEnsemble-folds": (
            seeds(folds(e.nbsvm(), n_splits=2), n_seeds=2),
            "classifier",
        ),
        "SeedEnsemble-multilabel": (
            seeds(e.tfidf_lr(multilabel=True), n_seeds=2, n_best="all"),
            "multilabel",
        ),
        "SeedEnsemble-regressor": (seeds(e.tfidf_ridge(), n_seeds=2), "regressor"),
    }
    return [Entry(name, *entry) for name, entry in made.items()]


def _ulmfit() -> list[Entry]:
    """ULMFiT in sizes that learn the battery's texts in a fraction of a second."""
    from tweetclf import estimators as e

    language_model = {
        "vocab_size": 300,
        "emb_size": 32,
        "hidden_size": 16,
        "n_layers": 1,
        "batch_size": 4,
        "bptt": 32,
        "stages": ((1, 0.02),),
        "validation_fraction": 0.0,
        "dropout_multiplier": 0.0,
    }
    options: dict[str, Any] = {
        "lm_params": language_model,
        "head_iter": 1,
        "max_iter": 8,
        "learning_rate": 0.03,
        "dropout_multiplier": 0.0,
    }
    classifier, regressor = e.ULMFiTClassifier, e.ULMFiTRegressor
    made = {
        "ULMFiTClassifier": (classifier(**options), "classifier"),
        "ULMFiTClassifier-pairs": (classifier(**options, pairs=True), "pair"),
        "ULMFiTClassifier-multilabel": (classifier(**options), "multilabel"),
        "ULMFiTRegressor": (regressor(**options), "regressor"),
        "haha_ulmfit_qrnn": (
            e.haha_ulmfit_qrnn(size="tiny").set_params(**options),
            "classifier",
        ),
        "haha_ulmfit_qrnn_regressor": (
            e.haha_ulmfit_qrnn_regressor(size="tiny").set_params(**options),
            "regressor",
        ),
    }
    return [Entry(name, *entry) for name, entry in made.items()]


@functools.cache
def _tiny_transformer() -> tempfile.TemporaryDirectory[str]:
    """Write a small BERT of random weights that knows the battery's words."""
    from tweetclf.testing._data import make_corpus
    from tweetclf.testing._models import make_tiny_transformer

    folder = tempfile.TemporaryDirectory(prefix="tweetclf-tiny-")
    texts, _ = make_corpus(3)
    make_tiny_transformer(folder.name, texts, hidden_size=64, n_layers=1, dropout=0.0)
    return folder


def _transformers() -> list[Entry]:
    """Return transformers that learn the battery's texts in a fraction of a second."""
    from tweetclf import estimators as e

    options: dict[str, Any] = {
        "model": _tiny_transformer().name,
        "max_iter": 15,
        "learning_rate": 3e-3,
        "batch_size": 16,
        "max_length": 32,
        "early_stopping": False,
    }
    classifier = e.TransformerClassifier
    made: dict[str, tuple[Any, ...]] = {
        "TransformerClassifier": (classifier(**options), "classifier"),
        "TransformerClassifier-pairs": (classifier(**options, n_segments=2), "pair"),
        "TransformerClassifier-multilabel": (classifier(**options), "multilabel"),
        "TransformerRegressor": (e.TransformerRegressor(**options), "regressor"),
        "transformer-twilbert": (
            e.transformer("twilbert").set_params(**options),
            "classifier",
        ),
        "frozen_lr": (
            e.frozen_lr(options["model"], max_length=32, C=0.1),
            "classifier",
        ),
        "TransformerMultipleChoice": (
            e.TransformerMultipleChoice(**{**options, "max_iter": 4}),
            "rows",
            make_choices,
        ),
        "TransformerQuestionAnswering": (
            e.TransformerQuestionAnswering(**{**options, "max_iter": 8}),
            "rows",
            make_questions,
        ),
    }
    return [Entry(name, *entry) for name, entry in made.items()]


def _bilstm() -> list[Entry]:
    """BiLSTMs in sizes that learn the battery's texts in a fraction of a second."""
    from tweetclf import estimators as e
    from tweetclf.features import ElmoVectorizer, NgramTfidfVectorizer

    options: dict[str, Any] = {
        "hidden_size": 8,
        "dense_size": 8,
        "dropout": 0.1,
        "batch_size": 16,
        "max_iter": 12,
        "learning_rate": 0.02,
    }
    recipe = {**options, "early_stopping": False, "scoring": "loss"}
    weights = _telling_elmo()
    elmo = ElmoVectorizer(weights, layers=0)
    bag = NgramTfidfVectorizer(use_idf=False, norm=None, binary=True)
    classifier, regressor = e.BiLSTMClassifier, e.BiLSTMRegressor
    made = {
        "BiLSTMClassifier": (
            classifier(**{**options, "max_iter": 6}),
            "classifier",
        ),
        "BiLSTMClassifier-bag": (
            classifier(**{**options, "dense_size": (8, 12)}, bag_of_words=bag),
            "classifier",
        ),
        "BiLSTMClassifier-multilabel": (classifier(**options), "multilabel"),
        "BiLSTMClassifier-pairs": (
            classifier(**options, pairs=True, bag_of_words=bag),
            "pair",
        ),
        "BiLSTMClassifier-read-padding": (
            classifier(**options, embeddings=12, mask=False, max_length=20),
            "classifier",
        ),
        "BiLSTMRegressor": (regressor(**options), "regressor"),
        "BiLSTMRegressor-pairs": (regressor(**options, pairs=True), "pair"),
        "atalaya_lstm_elmo": (
            e.atalaya_lstm_elmo(elmo).set_params(**recipe),
            "classifier",
        ),
        "atalaya_lstm_elmo-code": (
            e.atalaya_lstm_elmo(elmo, variant="code").set_params(
                **{**recipe, "max_iter": 25}, max_length=8
            ),
            "classifier",
        ),
        "atalaya_lstm_elmo_bow": (
            e.atalaya_lstm_elmo_bow(weights).set_params(**recipe),
            "classifier",
        ),
        "atalaya_svm-with-elmo": (
            e.atalaya_svm(
                without="emb", with_elmo=ElmoVectorizer(weights, n_components=4)
            ),
            "classifier",
        ),
        "bilstm": (e.bilstm().set_params(**options), "classifier"),
    }
    return [Entry(name, *entry) for name, entry in made.items()]


def _telling_elmo() -> Any:
    """Return random weights of ELMo whose words differ as much as learnt ones do.

    The words of random weights are nearly one: a maximum of random numbers is large
    whatever the word.
    """
    import numpy as np

    from tweetclf.features import ElmoVectorizer, ElmoWeights

    flat = ElmoWeights.random(
        char_dim=8, filters=[(1, 16), (2, 16)], projection_dim=8, cell_dim=8
    )
    vectorizer = ElmoVectorizer(flat, layers=0).fit(["hola"])
    words = vectorizer.token_vectors([["genial", "odio", "triste", "hoy", "risa"]])[0]
    arrays = dict(flat.arrays)
    scale = np.float32(1 / words.std(axis=0).mean())
    half = words.mean(axis=0)[: len(arrays["encoder.projection.bias"])]
    arrays["encoder.projection.bias"] = -scale * half
    arrays["encoder.projection.weight"] = scale * arrays["encoder.projection.weight"]
    return ElmoWeights(flat.config, arrays, source="random")
