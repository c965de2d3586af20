"""Whole models: bit-equal predictions, sizes, what is written beside them."""

from __future__ import annotations

import importlib
import inspect
import json
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.feature_extraction.text import (
    CountVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.linear_model import (
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    LabelBinarizer,
    LabelEncoder,
    MaxAbsScaler,
    Normalizer,
    StandardScaler,
)
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

from tweetclf.exceptions import ModelFormatError, TweetclfWarning
from tweetclf.features import (
    NBLogCountRatio,
    NgramTfidfVectorizer,
    PairFeatures,
    SIFVectorizer,
)
from tweetclf.persistence import load, model_info, save
from tweetclf.persistence.allowed import ALLOWED, class_named
from tweetclf.preprocessing import TweetTokenizer, get_profile

OUTPUTS = ("predict", "predict_proba", "decision_function", "transform")


def outputs(model, X):
    found = {}
    for method in OUTPUTS:
        if hasattr(model, method):
            value = getattr(model, method)(X)
            found[method] = value.toarray() if hasattr(value, "toarray") else value
    assert found
    return found


def assert_equal_outputs(again, model, X):
    assert type(again) is type(model)
    expected, found = outputs(model, X), outputs(again, X)
    assert found.keys() == expected.keys()
    for method, value in expected.items():
        np.testing.assert_array_equal(found[method], value)
        assert np.asarray(found[method]).dtype == np.asarray(value).dtype


def svd():
    return TruncatedSVD(3, random_state=0)


TWO = {
    "logistic": LogisticRegression(),
    "linear_svc": LinearSVC(random_state=0),
    "svc": SVC(random_state=0),
    "sgd": SGDClassifier(loss="log_loss", random_state=0),
    "sgd_early": SGDClassifier(early_stopping=True, average=True, random_state=0),
    "ridge_classifier": RidgeClassifier(),
    "complement_nb": ComplementNB(),
    "nb_ratio": make_pipeline(NBLogCountRatio(), LinearSVC(random_state=0)),
    "haha_ratio": make_pipeline(NBLogCountRatio(variant="haha"), LogisticRegression()),
    "ovr": OneVsRestClassifier(LogisticRegression(solver="liblinear")),
    "sigmoid": CalibratedClassifierCV(LinearSVC(random_state=0), cv=3),
    "isotonic": CalibratedClassifierCV(
        LinearSVC(random_state=0), cv=3, method="isotonic", ensemble=False
    ),
    "temperature": CalibratedClassifierCV(
        LinearSVC(random_state=0), cv=3, method="temperature"
    ),
    "voting": VotingClassifier(
        [("a", LogisticRegression()), ("b", ComplementNB())], voting="soft"
    ),
    "dummy": DummyClassifier(strategy="stratified", random_state=0),
    "svd": make_pipeline(svd(), StandardScaler(), LogisticRegression()),
    "rbf_dense": make_pipeline(svd(), SVC(random_state=0)),
    "scaled": make_pipeline(MaxAbsScaler(), Normalizer(), LogisticRegression()),
    "identity": make_pipeline(FunctionTransformer(), LogisticRegression()),
}
BINARY_ONLY = {
    "tuned": TunedThresholdClassifierCV(LogisticRegression(), scoring="f1_macro"),
    "fixed": FixedThresholdClassifier(LogisticRegression(), threshold=0.3),
}
REGRESSORS = {
    "ridge": Ridge(random_state=0),
    "linear_svr": LinearSVR(random_state=0),
    "svr": SVR(),
    "sgd_regressor": SGDRegressor(random_state=0),
    "dummy": DummyRegressor(),
    "voting": VotingRegressor([("a", Ridge()), ("b", DummyRegressor())]),
}


@pytest.mark.parametrize("labels", ["two", "three_strings"])
@pytest.mark.parametrize("name", TWO)
def test_classifiers(tmp_path, texts, name, labels):
    y = np.arange(60) % 2
    if labels == "three_strings":
        y = np.array(["P", "N", "NEU"])[np.arange(60) % 3]
    model = make_pipeline(TfidfVectorizer(), clone(TWO[name])).fit(texts, y)
    again = load(save(model, tmp_path / "m"))
    assert_equal_outputs(again, model, texts)
    refitted = clone(again).fit(texts, y)
    np.testing.assert_array_equal(refitted.predict(texts), model.predict(texts))


@pytest.mark.parametrize("name", BINARY_ONLY)
def test_thresholds(tmp_path, texts, name):
    y = (np.arange(60) % 3 == 0).astype(int)
    model = make_pipeline(CountVectorizer(), TfidfTransformer(), BINARY_ONLY[name])
    model.fit(texts, y)
    assert_equal_outputs(load(save(model, tmp_path / "m")), model, texts)


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(tmp_path, texts, name):
    y = np.linspace(1, 5, 60)
    model = make_pipeline(NgramTfidfVectorizer(), REGRESSORS[name]).fit(texts, y)
    assert_equal_outputs(load(save(model, tmp_path / "m")), model, texts)


def test_partial_fit_goes_on(tmp_path, texts):
    X = CountVectorizer().fit_transform(texts)
    y = np.arange(60) % 2
    model = SGDClassifier(random_state=0).fit(X, y)
    again = load(save(model, tmp_path / "m"))
    np.testing.assert_array_equal(
        again.partial_fit(X, y).coef_, model.partial_fit(X, y).coef_
    )


def test_atalaya(tmp_path, texts, atalaya):
    again = load(save(atalaya, tmp_path / "m"))
    assert_equal_outputs(again, atalaya, [*texts, "palabra nueva 😂😂", "", "\ud83d"])
    assert repr(again.get_params()["featureunion__bow__tokenizer"]) == repr(
        atalaya.get_params()["featureunion__bow__tokenizer"]
    )
    vectors = again[0].transformer_list[2][1]
    assert vectors.word_vectors_ is vectors.word_vectors, "shared, saved once"
    with pytest.raises(ValueError, match="read-only"):
        vectors.word_vectors_.matrix[0] = 0
    refitted = clone(again).fit(texts, np.arange(60) % 3)
    np.testing.assert_array_equal(
        refitted.decision_function(texts), atalaya.decision_function(texts)
    )


def test_pairs_and_columns(tmp_path, texts):
    pairs = list(zip(texts, texts[::-1], strict=True))
    y = np.arange(60) % 2
    model = make_pipeline(PairFeatures(TfidfVectorizer()), LogisticRegression())
    model.fit(pairs, y)
    assert_equal_outputs(load(save(model, tmp_path / "a")), model, pairs)

    frame = pd.DataFrame({"text": texts, "n": np.arange(60.0), "m": np.arange(60.0)})
    columns = make_column_transformer(
        (TfidfVectorizer(), "text"), (StandardScaler(), ["n"]), remainder="passthrough"
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(frame, y)
    assert_equal_outputs(load(save(model, tmp_path / "b")), model, frame)
    assert isinstance(model[0], ColumnTransformer)


def test_multilabel(tmp_path, texts):
    y = np.stack([np.arange(60) % 2, np.arange(60) % 3 == 0], axis=1).astype(int)
    model = make_pipeline(
        TfidfVectorizer(), OneVsRestClassifier(LinearSVC(random_state=0))
    ).fit(texts, y)
    assert_equal_outputs(load(save(model, tmp_path / "m")), model, texts)


def test_labels_of_any_type(tmp_path):
    for k, labels in enumerate(
        [[2.5, -1.0, 2.5], [True, False, True], ["á", "b", "á"], [7, -3, 7]]
    ):
        encoder = LabelEncoder().fit(labels)
        again = load(save(encoder, tmp_path / f"e{k}"))
        assert again.classes_.dtype == encoder.classes_.dtype
        np.testing.assert_array_equal(again.inverse_transform([0, 1]), encoder.classes_)
    binarizer = LabelBinarizer(sparse_output=True).fit(["a", "b"])
    assert load(save(binarizer, tmp_path / "b")).sparse_output
    y = np.array(["a", "b"] * 3, dtype=object)
    model = DummyClassifier().fit(y, y)
    assert load(save(model, tmp_path / "o")).classes_.dtype == object


def test_resampling_pipelines(tmp_path, texts):
    over_sampling = pytest.importorskip("imblearn.over_sampling")
    imblearn_pipeline = pytest.importorskip("imblearn.pipeline")
    y = (np.arange(60) % 4 == 0).astype(int)
    for k, sampler in enumerate(
        [
            over_sampling.RandomOverSampler(random_state=0),
            over_sampling.SMOTE(random_state=0),
        ]
    ):
        model = imblearn_pipeline.make_pipeline(
            TfidfVectorizer(), sampler, LinearSVC(random_state=0)
        ).fit(texts, y)
        again = load(save(model, tmp_path / f"m{k}"))
        assert_equal_outputs(again, model, texts)
        np.testing.assert_array_equal(
            again.fit(texts, y).decision_function(texts),
            model.decision_function(texts),
        )


def test_metadata_requests_and_output_settings(tmp_path, texts):
    weight = np.linspace(0, 1, 60)
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_pipeline(
            CountVectorizer(), LogisticRegression().set_fit_request(sample_weight=True)
        )
        model.fit(texts, np.arange(60) % 2, sample_weight=weight)
        again = load(save(model, tmp_path / "m"))
        again.fit(texts, np.arange(60) % 2, sample_weight=weight)
        np.testing.assert_array_equal(again[-1].coef_, model[-1].coef_)
        assert (
            again[-1].get_metadata_routing().fit.requests
            == model[-1].get_metadata_routing().fit.requests
        )
    scaler = StandardScaler().set_output(transform="pandas").fit([[1.0], [2.0]])
    assert isinstance(
        load(save(scaler, tmp_path / "s")).transform([[1.0]]), pd.DataFrame
    )


def test_unfitted_estimators_keep_their_parameters(tmp_path):
    union = make_union(TfidfVectorizer(ngram_range=(1, 3), max_df=0.5), SIFVectorizer())
    again = load(save(union, tmp_path / "m"))
    assert repr(again) == repr(union)
    again = load(save(CountVectorizer(dtype=np.float32), tmp_path / "c"))
    assert again.dtype is np.float32


def test_trained_vectors_are_kept_whole_and_small(tmp_path, texts):
    pytest.importorskip("gensim")
    model = SIFVectorizer(dim=8, epochs=1, random_state=0).fit(texts)
    path = save(model, tmp_path / "m")
    assert model_info(path).n_bytes < 100_000
    unknown = ["ñoqui", "riso nochecita"]
    np.testing.assert_array_equal(
        load(path).transform(unknown), model.transform(unknown)
    )
    assert model.transform(unknown).any(axis=1).all()


def test_size_is_near_that_of_a_pickle(tmp_path):
    rng = np.random.default_rng(0)
    letters = list("abcdefghijklmnopqrstuvwxyzñá ")
    texts = ["".join(rng.choice(letters, 90)) for _ in range(300)]
    model = make_pipeline(
        NgramTfidfVectorizer(analyzer="char", ngram_range=(1, 5)),
        LinearSVC(random_state=0),
    ).fit(texts, np.arange(300) % 2)
    assert len(model[0].vocabulary_) > 50_000
    path = save(model, tmp_path / "m")
    assert model_info(path).n_bytes < 1.1 * len(pickle.dumps(model))
    assert (path / "model.json").stat().st_size < 10_000
    assert load(path)[0].vocabulary_ == model[0].vocabulary_


def test_saving_twice_gives_the_same_bytes(tmp_path, atalaya):
    first = save(atalaya, tmp_path / "a")
    second = save(load(first), tmp_path / "b")
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes()


def test_info(tmp_path, texts):
    tokenizer = get_profile("atalaya-basic").make_tokenizer()
    model = make_pipeline(
        NgramTfidfVectorizer(tokenizer=tokenizer, token_pattern=None),
        LogisticRegression(),
    ).fit(texts, np.arange(60) % 2)
    metadata = {"task": "haha", "scores": [0.5, None], "ñ": {"a": 1}}
    path = save(model, tmp_path / "m", metadata=metadata)
    info = model_info(path)
    assert info.metadata == metadata
    assert info.estimator == "sklearn.pipeline.Pipeline"
    assert info.versions["scikit-learn"] == sklearn.__version__
    assert info.versions["numpy"] == np.__version__
    assert info.profiles == (tokenizer.profile,)
    assert info.profiles[0].startswith("atalaya-basic@")
    assert info.n_bytes == sum(f.stat().st_size for f in path.iterdir())
    with pytest.raises(ModelFormatError, match="'metadata' parameter"):
        save(model, tmp_path / "n", metadata={"a": {1, 2}})


def test_a_directory_in_use_is_left_alone(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "thesis.txt").write_text("x")
    with pytest.raises(FileExistsError):
        save(LogisticRegression(), tmp_path / "m")
    assert [p.name for p in (tmp_path / "m").iterdir()] == ["thesis.txt"]
    (tmp_path / "empty").mkdir()
    save(LogisticRegression(), tmp_path / "empty")


class Own(BaseEstimator):
    """An estimator of a user."""


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Own(), "Own, which is not on the list"),
        (TfidfVectorizer(tokenizer=str.split), r"\(TfidfVectorizer\).tokenizer is a"),
        (FunctionTransformer(np.log1p), "only the identity can"),
        (GridSearchCV(LogisticRegression(), {"C": [1]}), "Save its best_estimator_"),
        (LogisticRegression(random_state=np.random.RandomState(0)), "Pass an int"),
        (make_pipeline(Own(), memory=None), r"steps\[0\]\[1\] is a"),
        (
            TunedThresholdClassifierCV(
                LogisticRegression(), scoring=make_scorer(f1_score)
            ),
            "Give the scorer by its name",
        ),
        ([LogisticRegression()], "expected an estimator; got a list"),
        (3, "expected an estimator; got a int"),
    ],
)
def test_what_cannot_be_saved(tmp_path, model, message):
    with pytest.raises(ModelFormatError, match=message):
        save(model, tmp_path / "m")
    assert list(tmp_path.iterdir()) == [], "nothing half-written"


def test_another_scikit_learn_warns(tmp_path, monkeypatch):
    path = save(LogisticRegression(), tmp_path / "m")
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99.1")
    with pytest.warns(TweetclfWarning, match=r"saved with scikit-learn .* is 99.1"):
        load(path)


def test_every_allowed_type_exists():
    for name in ALLOWED:
        assert isinstance(class_named(name), type), name


@pytest.mark.parametrize("room", ["estimators", "features", "preprocessing"])
def test_every_public_estimator_is_allowed(room):
    package = importlib.import_module(f"tweetclf.{room}")
    for name in package.__all__:
        member = getattr(package, name)
        if inspect.isclass(member) and issubclass(member, BaseEstimator):
            assert f"tweetclf.{room}.{name}" in ALLOWED


def test_the_manifest_can_be_read_by_people(tmp_path, atalaya):
    path = save(atalaya, tmp_path / "m")
    manifest = json.loads((path / "model.json").read_text(encoding="utf-8"))
    steps = manifest["estimator"]["state"]["steps"]["items"]
    assert steps[1]["items"][1]["state"]["class_weight"] == "balanced"
    assert isinstance(TweetTokenizer(), BaseEstimator)
