"""The systems of this project, with their sources, grids and search spaces."""

from __future__ import annotations

from typing import Any

from tweetclf.leaderboard.spaces import (
    Choice,
    Dimension,
    Integer,
    LogUniform,
    Space,
    Uniform,
)
from tweetclf.leaderboard.system import System

__all__ = ["OWN_SYSTEMS"]

_ESTIMATORS = "tweetclf.estimators"
_LANGUAGE = {"language": "language"}
_EMBEDDINGS: dict[str, Any] = {
    "extra": "embeddings",
    "module": "gensim",
    "files": ("vectors", "extra_corpus"),
}
_NEURAL: dict[str, Any] = {"extra": "neural", "module": "torch"}
_C = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_TERMS: dict[str, Dimension] = {
    "tfidf__ngram_range": Choice(((1, 1), (1, 2), (1, 3))),
    "tfidf__min_df": Integer(1, 5),
}
_WEIGHTS = Choice((None, "balanced"))
_ATALAYA_SVM = Space({"svm__C": LogUniform(0.003, 10.0), "svm__class_weight": _WEIGHTS})
_FASTTEXT = Space(
    {
        "fasttext__learning_rate": LogUniform(0.03, 3.0),
        "fasttext__max_iter": Integer(3, 50),
        "fasttext__n_components": Choice((20, 50, 100, 200)),
        "fasttext__class_weight": _WEIGHTS,
    }
)
_BILSTM = Space(
    {
        "learning_rate": LogUniform(3e-4, 1e-2),
        "hidden_size": Choice((64, 128, 256)),
        "dropout": Uniform(0.0, 0.8),
        "class_weight": _WEIGHTS,
    }
)
_ATALAYA = "Perez & Luque, SemEval-2019 Task 5 (Atalaya)"

OWN_SYSTEMS = (
    System(
        "majority",
        f"{_ESTIMATORS}:majority",
        "Always the most frequent class",
        "reference point",
        kinds=("binary", "multiclass", "multilabel", "pair"),
    ),
    System(
        "stratified",
        f"{_ESTIMATORS}:stratified",
        "Random labels in the proportions of the training set",
        "reference point",
        kinds=("binary", "multiclass", "multilabel", "pair"),
    ),
    System(
        "tfidf-lr",
        f"{_ESTIMATORS}:tfidf_lr",
        "Word 1-2-gram TF-IDF, logistic regression",
        "the usual first baseline",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        grid={"lr__C": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)},
        space=Space(
            {
                "lr__C": LogUniform(0.03, 100.0),
                "lr__class_weight": _WEIGHTS,
                **_TERMS,
            }
        ),
    ),
    System(
        "char-svm",
        f"{_ESTIMATORS}:char_svm",
        "Character n-gram TF-IDF, linear SVM",
        "the usual strong baseline of shared tasks",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        grid={"svm__C": _C},
        space=Space(
            {
                "svm__C": LogUniform(0.003, 10.0),
                "svm__class_weight": _WEIGHTS,
                "tfidf__ngram_range": Choice(((1, 4), (2, 4), (2, 5), (2, 6), (3, 6))),
                "tfidf__min_df": Integer(1, 5),
            }
        ),
    ),
    System(
        "char-svm-balanced",
        f"{_ESTIMATORS}:char_svm",
        "Character n-gram TF-IDF, linear SVM, rare classes weighted up",
        "the same, for skewed classes",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        params={"class_weight": "balanced"},
        grid={"svm__C": _C},
    ),
    System(
        "nbsvm",
        f"{_ESTIMATORS}:nbsvm",
        "Linear SVM on binary n-grams scaled by NB log-count ratios",
        "Wang & Manning, ACL 2012",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        grid={"nbsvm__C": (0.01, 0.1, 1.0), "nbsvm__beta": (0.25, 1.0)},
        space=Space(
            {
                "nbsvm__C": LogUniform(0.003, 10.0),
                "nbsvm__alpha": LogUniform(0.1, 10.0),
                "nbsvm__intercept": Choice(("none", "interpolated", "learner")),
                "nbsvm__beta": Uniform(0.0, 1.0),
                "counts__ngram_range": Choice(((1, 1), (1, 2), (1, 3))),
            }
        ),
    ),
    System(
        "fasttext",
        f"{_ESTIMATORS}:fasttext",
        "Averaged embeddings of word 1-2-grams, softmax, learnt by SGD",
        "Joulin et al., EACL 2017",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        grid={
            "fasttext__learning_rate": (0.1, 0.3, 1.0),
            "fasttext__max_iter": (5, 15, 40),
        },
        space=_FASTTEXT,
    ),
    System(
        "fasttext-subwords",
        f"{_ESTIMATORS}:fasttext",
        "The same with character 3-6-grams within words",
        "Joulin et al., EACL 2017; Bojanowski et al., TACL 2017",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        params={"subwords": (3, 6)},
        grid={
            "fasttext__learning_rate": (0.1, 0.3, 1.0),
            "fasttext__max_iter": (5, 15, 40),
        },
        space=_FASTTEXT,
    ),
    System(
        "haha-nbsvm",
        f"{_ESTIMATORS}:haha_nbsvm",
        "NB-scaled TF-IDF, logistic regression",
        "Farzin, Czapla & Howard, IberLEF 2019, baseline of Table 3",
        kinds=("binary", "multiclass", "multilabel"),
        space=Space({"nbsvm__C": LogUniform(0.1, 100.0), **_TERMS}),
    ),
    System(
        "atalaya-svm",
        f"{_ESTIMATORS}:atalaya_svm",
        "Bag of words + bag of characters + SIF tweet embedding, linear SVM",
        f"{_ATALAYA}, SVM0 of Table 1",
        kinds=("binary", "multiclass", "multilabel"),
        task_params=_LANGUAGE,
        grid={"svm__C": (0.01, 0.03, 0.1, 0.3, 1.0)},
        space=_ATALAYA_SVM,
        **_EMBEDDINGS,
    ),
    System(
        "atalaya-lr",
        f"{_ESTIMATORS}:atalaya_lr",
        "The same features, logistic regression",
        f"{_ATALAYA}, section 3.1",
        kinds=("binary", "multiclass", "multilabel"),
        task_params=_LANGUAGE,
        grid={"lr__C": (0.1, 0.3, 1.0, 3.0, 10.0)},
        space=Space({"lr__C": LogUniform(0.03, 30.0), "lr__class_weight": _WEIGHTS}),
        **_EMBEDDINGS,
    ),
    System(
        "atalaya-svm-no-bow",
        f"{_ESTIMATORS}:atalaya_svm",
        "Ablation: without the bag of words",
        f"{_ATALAYA}, SVM without BoW",
        params={"without": "bow"},
        task_params=_LANGUAGE,
        grid={"svm__C": (0.01, 0.03, 0.1, 0.3, 1.0)},
        space=_ATALAYA_SVM,
        **_EMBEDDINGS,
    ),
    System(
        "atalaya-svm-no-boc",
        f"{_ESTIMATORS}:atalaya_svm",
        "Ablation: without the bag of characters",
        f"{_ATALAYA}, SVM without BoC",
        params={"without": "boc"},
        task_params=_LANGUAGE,
        grid={"svm__C": (0.01, 0.03, 0.1, 0.3, 1.0)},
        space=_ATALAYA_SVM,
        **_EMBEDDINGS,
    ),
    System(
        "atalaya-svm-no-emb",
        f"{_ESTIMATORS}:atalaya_svm",
        "Ablation: without the tweet embedding",
        f"{_ATALAYA}, SVM without embeddings",
        params={"without": "emb"},
        task_params=_LANGUAGE,
        grid={"svm__C": (0.01, 0.03, 0.1, 0.3, 1.0)},
        space=_ATALAYA_SVM,
    ),
    System(
        "atalaya-svm-elmo",
        f"{_ESTIMATORS}:atalaya_svm",
        "The same with the mean of ELMo vectors, reduced to 100 dimensions",
        f"{_ATALAYA}, SVM with ELMo",
        kinds=("binary", "multiclass", "multilabel"),
        task_params=_LANGUAGE,
        grid={"svm__C": (0.01, 0.03, 0.1, 0.3, 1.0)},
        space=_ATALAYA_SVM,
        files=("with_elmo", "vectors", "extra_corpus"),
        needs="with_elmo",
        **_NEURAL,
    ),
    System(
        "atalaya-lstm-elmo",
        f"{_ESTIMATORS}:atalaya_lstm_elmo",
        "BiLSTM over ELMo vectors",
        f"{_ATALAYA}, LSTM-ELMo",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        task_params=_LANGUAGE,
        files=("weights",),
        needs="weights",
        **_NEURAL,
    ),
    System(
        "atalaya-lstm-elmo-bow",
        f"{_ESTIMATORS}:atalaya_lstm_elmo_bow",
        "The same beside a bag of words",
        f"{_ATALAYA}, LSTM-ELMo+BoW, figure 1",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        task_params=_LANGUAGE,
        files=("weights",),
        needs="weights",
        **_NEURAL,
    ),
    System(
        "bilstm",
        f"{_ESTIMATORS}:bilstm",
        "BiLSTM over word vectors learnt with it",
        "the usual neural baseline, as in TweetEval (Barbieri et al., 2020)",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        space=_BILSTM,
        files=("vectors", "embeddings"),
        **_NEURAL,
    ),
    System(
        "transformer",
        f"{_ESTIMATORS}:transformer",
        "A pretrained transformer of yours, fine-tuned",
        "Devlin et al., NAACL 2019; the presets cite their own",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        grid={"learning_rate": (1e-5, 3e-5, 1e-4)},
        space=Space(
            {
                "learning_rate": LogUniform(5e-6, 5e-4),
                "max_iter": Integer(2, 10),
                "pooling": Choice(("cls", "mean")),
            }
        ),
        files=("model",),
        needs="model",
        **{**_NEURAL, "module": "transformers"},
    ),
    System(
        "transformer-regressor",
        f"{_ESTIMATORS}:transformer",
        "The same for numbers",
        "Devlin et al., NAACL 2019",
        kinds=("regression", "pair-regression"),
        params={"regression": True},
        grid={"learning_rate": (1e-5, 3e-5, 1e-4)},
        files=("model",),
        needs="model",
        **{**_NEURAL, "module": "transformers"},
    ),
    System(
        "twhin-bert-base",
        f"{_ESTIMATORS}:transformer",
        "TwHIN-BERT Base from the Hugging Face Hub, fine-tuned as its paper does",
        "Zhang et al., KDD 2023 (TwHIN-BERT), Tables 3, 4, 7 and 9",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        params={"preset": "twhin-bert-base"},
        grid={"learning_rate": (1e-5, 2e-5, 4e-5)},
        files=("model",),
        **{**_NEURAL, "module": "transformers"},
    ),
    System(
        "twhin-bert-large",
        f"{_ESTIMATORS}:transformer",
        "TwHIN-BERT Large from the Hugging Face Hub, fine-tuned as its paper does",
        "Zhang et al., KDD 2023 (TwHIN-BERT), Tables 3, 4, 7 and 9",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        params={"preset": "twhin-bert-large"},
        grid={"learning_rate": (1e-5, 2e-5), "weight_decay": (0.0, 5e-4)},
        files=("model",),
        **{**_NEURAL, "module": "transformers"},
    ),
    System(
        "frozen-lr",
        f"{_ESTIMATORS}:frozen_lr",
        "Vectors of a frozen transformer of yours, logistic regression",
        "Zhang et al., KDD 2023 (TwHIN-BERT), Table 5",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        grid={"lr__C": (0.001, 0.01, 0.1, 1.0)},
        space=Space({"lr__C": LogUniform(1e-4, 10.0), "lr__class_weight": _WEIGHTS}),
        files=("model",),
        needs="model",
        **{**_NEURAL, "module": "transformers"},
    ),
    System(
        "ngram-ensemble",
        f"{_ESTIMATORS}:ngram_ensemble",
        "Soft vote of word, character and NB-ratio models, decisions tuned",
        "this project; chosen on the dev splits of TweetEval",
        task_params={**_LANGUAGE, "metric": "metric"},
        grid={
            "vote__estimator__weights": (
                (1, 1, 1, 0, 0),
                (1, 1, 0, 0, 0),
                (1, 1, 1, 1, 0),
                (0, 0, 0, 0, 1),
                (1, 0, 1, 0, 1),
                (0, 0, 1, 0, 1),
            )
        },
    ),
    System(
        "haha-ulmfit-qrnn",
        f"{_ESTIMATORS}:haha_ulmfit_qrnn",
        "QRNN language model of the training tweets, fine-tuned (ULMFiT), tiny",
        "Farzin, Czapla & Howard, IberLEF 2019, Table 3, in a size for a CPU",
        kinds=("binary", "multiclass", "multilabel", "pair"),
        params={"size": "tiny"},
        grid={"learning_rate": (2e-3, 5e-3, 1e-2)},
        space=Space(
            {
                "learning_rate": LogUniform(1e-3, 3e-2),
                "dropout_multiplier": Uniform(0.0, 1.0),
                "max_iter": Integer(4, 20),
            }
        ),
        files=("language_model", "extra_corpus"),
        **_NEURAL,
    ),
    System(
        "haha-ulmfit-qrnn-regressor",
        f"{_ESTIMATORS}:haha_ulmfit_qrnn_regressor",
        "The same for numbers",
        "Farzin, Czapla & Howard, IberLEF 2019, task 2, in a size for a CPU",
        kinds=("regression",),
        params={"size": "tiny"},
        grid={"learning_rate": (2e-3, 5e-3, 1e-2)},
        files=("language_model", "extra_corpus"),
        **_NEURAL,
    ),
    System(
        "mean",
        f"{_ESTIMATORS}:mean",
        "Always the mean of the training targets",
        "reference point",
        kinds=("regression", "pair-regression"),
    ),
    System(
        "tfidf-ridge",
        f"{_ESTIMATORS}:tfidf_ridge",
        "Word 1-2-gram TF-IDF, ridge regression",
        "the usual first baseline",
        kinds=("regression", "pair-regression"),
        grid={"ridge__alpha": (0.3, 1.0, 3.0, 10.0)},
        space=Space({"ridge__alpha": LogUniform(0.03, 100.0), **_TERMS}),
    ),
)
"""The systems that leaderboards know without being told."""
