"""A predictor without scikit-learn says what the estimator says, bit for bit."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from tweetclf.estimators import (
    NBSVMClassifier,
    atalaya_lr,
    atalaya_svm,
    char_svm,
    haha_nbsvm,
    majority,
    nbsvm,
    tfidf_lr,
    tfidf_ridge,
)
from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.features import (
    NBLogCountRatio,
    NgramTfidfVectorizer,
    SIFVectorizer,
    WordVectors,
)
from tweetclf.persistence import load, load_predictor, save
from tweetclf.persistence._lean import _expit
from tweetclf.preprocessing import TweetNormalizer, TweetTokenizer, ULMFiTNormalizer
from tweetclf.tasks import load_task

ODD = ["", " ", "a", "A  b\n\nc", "🙃" * 40, "ÑANDÚ ñandú", "\ud83d", "x" * 3000, "\0"]

WITHOUT_EMBEDDING = ("bow", "emb")


def _vectors(bucket: int = 40) -> WordVectors:
    words = ["que", "hoy", "día", "buen", "no", "más", "😂", "url", "@user", "\n"]
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(len(words) + bucket, 6)).astype(np.float32)
    subwords = {"minn": 3, "maxn": 4, "bucket": bucket} if bucket else {}
    return WordVectors(words, matrix, **subwords)


def _embedding(vectors: WordVectors, **options: Any) -> SIFVectorizer:
    return SIFVectorizer(vectors, tokenizer=TweetTokenizer(), **options)


def _chars(**options: Any) -> NgramTfidfVectorizer:
    return NgramTfidfVectorizer(analyzer="char", **options)


LEAN: dict[str, Callable[[], Any]] = {
    "tfidf_lr": tfidf_lr,
    "char_svm": char_svm,
    "nbsvm": nbsvm,
    "nbsvm-lr": lambda: nbsvm(learner="lr"),
    "NBSVMClassifier": lambda: NBSVMClassifier(learner="lr"),
    "NBSVMClassifier-chars": lambda: NBSVMClassifier(_chars(ngram_range=(1, 3))),
    "boc-svm": lambda: atalaya_svm(without=WITHOUT_EMBEDDING),
    "boc-lr": lambda: atalaya_lr(without=WITHOUT_EMBEDDING),
    "ratios": lambda: make_pipeline(
        NgramTfidfVectorizer(), NBLogCountRatio(), LinearSVC(random_state=0)
    ),
    "union": lambda: make_pipeline(
        make_union(_chars(norm="l1"), NgramTfidfVectorizer(strip_accents="unicode")),
        LogisticRegression(),
    ),
    "float32": lambda: make_pipeline(
        _chars(dtype=np.float32), LinearSVC(random_state=0)
    ),
    "haha_nbsvm": lambda: haha_nbsvm(min_df=1),
    "bow-svm": lambda: atalaya_svm(without=("boc", "emb")),
    "bow-boc-lr": lambda: atalaya_lr(without="emb"),
    "atalaya-svm": lambda: atalaya_svm(vectors=_vectors()),
    "atalaya-lr-code": lambda: atalaya_lr(vectors=_vectors(0), variant="code"),
    "embedding": lambda: atalaya_svm(without=("bow", "boc"), vectors=_vectors()),
    "component": lambda: make_pipeline(
        make_union(
            _embedding(_vectors(), remove_component=True, normalize_words=True),
            _embedding(_vectors(0), weighting="mean", divide_by="weights"),
            _chars(),
        ),
        LinearSVC(random_state=0),
    ),
    "normalizer": lambda: make_pipeline(
        TweetNormalizer(urls="url", handles="@user", hashtags="split"),
        NgramTfidfVectorizer(lowercase=False),
        LogisticRegression(),
    ),
    "preprocessor": lambda: make_pipeline(
        _chars(preprocessor=TweetNormalizer(emoji="text", max_run=2)),
        LogisticRegression(),
    ),
    "tokenizer": lambda: make_pipeline(
        NgramTfidfVectorizer(tokenizer=TweetTokenizer(stem=True), token_pattern=None),
        LogisticRegression(),
    ),
    "counts": lambda: make_pipeline(
        NgramTfidfVectorizer(
            use_idf=False, norm=None, lowercase=False, strip_accents="ascii"
        ),
        LinearSVC(random_state=0, fit_intercept=False),
    ),
    "wide": lambda: make_pipeline(_chars(ngram_range=(1, 9)), LogisticRegression()),
}


@pytest.fixture(scope="module")
def sample() -> tuple[list[str], dict[int, np.ndarray], list[str]]:
    """Texts, labels of two and of three classes, and other texts."""
    task = load_task("sample-sentiment")
    texts = list(task.train.texts)
    gold = np.asarray(task.train.labels)
    two = np.where(gold == "P", "P", "other")
    three = np.where(np.isin(gold, ["P", "N"]), gold, "other")
    return texts, {2: two, 3: three}, [*task.test.texts, *ODD]


@pytest.fixture(scope="module")
def saved(
    sample: tuple[list[str], dict[int, np.ndarray], list[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, int], Path]:
    """Return a maker of saved models, each fitted once."""
    root = tmp_path_factory.mktemp("models")
    texts, labels, _ = sample

    def make(name: str, n_classes: int) -> Path:
        path = root / f"{name}-{n_classes}"
        if not path.exists():
            save(LEAN[name]().fit(texts, labels[n_classes]), path)
        return path

    return make


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", LEAN)
def test_same_bits_as_the_estimator(
    name: str,
    n_classes: int,
    saved: Callable[[str, int], Path],
    sample: tuple[list[str], dict[int, np.ndarray], list[str]],
) -> None:
    path = saved(name, n_classes)
    estimator, predictor = load(path), load_predictor(path)
    assert predictor.is_lean
    assert predictor.takes_pairs is False
    assert np.array_equal(predictor.classes_, estimator.classes_)
    others = sample[2]
    labels = predictor.predict(others)
    assert labels.dtype == estimator.predict(others).dtype
    assert np.array_equal(labels, estimator.predict(others))
    scores = predictor._scores(others)
    expected = estimator.decision_function(others)
    assert np.array_equal(scores, expected.reshape(len(others), -1))
    assert hasattr(predictor, "predict_proba") == hasattr(estimator, "predict_proba")
    if hasattr(estimator, "predict_proba"):
        proba = predictor.predict_proba(others)
        assert np.array_equal(proba, estimator.predict_proba(others))


# The product of a dense matrix is that of BLAS, here as in the estimator.
@pytest.mark.parametrize("name", [name for name in LEAN if name != "embedding"])
def test_a_text_is_predicted_alike_in_any_company(
    name: str,
    saved: Callable[[str, int], Path],
    sample: tuple[list[str], dict[int, np.ndarray], list[str]],
) -> None:
    predictor = load_predictor(saved(name, 3))
    others = sample[2]
    together = predictor._scores(others)
    alone = [predictor._scores([text]) for text in others]
    assert np.array_equal(together, np.concatenate(alone))


@pytest.mark.parametrize("numba", ["0", "1"])
def test_same_bits_with_and_without_kernels(
    numba: str,
    saved: Callable[[str, int], Path],
    sample: tuple[list[str], dict[int, np.ndarray], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tweetclf.utils.jit._PAYS", 0)
    monkeypatch.setenv("TWEETCLF_NUMBA", numba)
    path = saved("atalaya-svm", 3)
    others = sample[2] * 3
    expected = load(path).decision_function(others)
    assert np.array_equal(load_predictor(path)._scores(others), expected)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(texts=st.lists(st.text(), min_size=1, max_size=5))
def test_any_text(texts: list[str], saved: Callable[[str, int], Path]) -> None:
    for name in ("tfidf_lr", "char_svm", "boc-lr"):
        path = saved(name, 3)
        scores = _cached(load_predictor, path)._scores(texts)
        assert np.array_equal(scores, _cached(load, path).decision_function(texts))


_CACHE: dict[Any, Any] = {}


def _cached(function: Callable[[Path], Any], path: Path) -> Any:
    key = function, path
    if key not in _CACHE:
        _CACHE[key] = function(path)
    return _CACHE[key]


@given(st.lists(st.floats(allow_nan=False, width=64), min_size=1))
def test_sigmoid_has_the_bits_of_scipy(values: list[float]) -> None:
    x = np.array([*values, 0.0, -709.0, 709.0, -710.0, 710.0, -math.inf, math.inf])
    with np.errstate(over="ignore"):
        assert np.array_equal(_expit(x), expit(x))


@pytest.mark.parametrize(
    "make",
    [
        majority,
        lambda: make_pipeline(TfidfVectorizer(), LogisticRegression()),
        lambda: make_pipeline(_chars(dtype=np.float32), LogisticRegression()),
        lambda: make_pipeline(
            NgramTfidfVectorizer(preprocessor=ULMFiTNormalizer()), LogisticRegression()
        ),
        lambda: make_pipeline(
            NgramTfidfVectorizer(stop_words=["hola"]), LogisticRegression()
        ),
        lambda: make_pipeline(
            make_union(_chars()).set_params(
                transformer_weights={"ngramtfidfvectorizer": 2.0}
            ),
            LogisticRegression(),
        ),
    ],
    ids=["majority", "scikit-learn", "float32", "ulmfit", "stop-words", "weighted"],
)
def test_all_else_is_left_to_the_estimator(
    make: Callable[[], Any],
    tmp_path: Path,
    sample: tuple[list[str], dict[int, np.ndarray], list[str]],
) -> None:
    texts, labels, others = sample
    path = save(make().fit(texts, labels[2]), tmp_path / "model")
    estimator, predictor = load(path), load_predictor(path)
    assert not predictor.is_lean
    assert np.array_equal(predictor.predict(others), estimator.predict(others))
    proba = predictor.predict_proba(others)
    assert np.array_equal(proba, estimator.predict_proba(others))
    assert np.array_equal(predictor.classes_, estimator.classes_)


def test_regressors_and_pairs(tmp_path: Path) -> None:
    texts = ["hola", "buen dia", "chau"]
    path = save(tfidf_ridge().fit(texts, [1.0, 2.0, 3.0]), tmp_path / "ridge")
    predictor = load_predictor(path)
    assert predictor.predict(texts).tolist() == load(path).predict(texts).tolist()
    assert not hasattr(predictor, "predict_proba")
    assert not hasattr(predictor, "classes_")
    pairs = list(itertools.pairwise([*texts, "hola"]))
    path = save(tfidf_lr(pairs=True).fit(pairs, ["a", "b", "a"]), tmp_path / "pairs")
    predictor = load_predictor(path)
    assert predictor.takes_pairs is True
    assert predictor.predict(pairs).tolist() == load(path).predict(pairs).tolist()


def test_texts_are_checked(saved: Callable[[str, int], Path]) -> None:
    predictor = load_predictor(saved("tfidf_lr", 2))
    for texts, message in (
        ("hola", "single str"),
        ([], "NgramTfidfVectorizer got 0 texts"),
        (["a", None], r"texts\[1\] is None"),
    ):
        with pytest.raises(DataError, match=message):
            predictor.predict(texts)
        with pytest.raises(DataError, match=message):
            predictor.predict_proba(texts)


def _edited(path: Path, target: Path, change: Callable[[dict], None]) -> Path:
    """Return a copy of a model whose manifest is changed and sealed again."""
    from tweetclf.persistence.model import _sealed

    target.mkdir()
    for file in path.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((path / "model.json").read_text("ascii"))
    del manifest["checksum"]
    change(manifest)
    (target / "model.json").write_bytes(_sealed(manifest))
    return target


def _nodes(manifest: dict) -> Iterator[dict]:
    waiting: list[Any] = [manifest["estimator"]]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def test_damaged_and_foreign_models_are_refused_alike(
    saved: Callable[[str, int], Path], tmp_path: Path
) -> None:
    path = saved("char_svm", 2)

    def shrink(manifest: dict) -> None:
        for node in _nodes(manifest):
            if node.get("type") == "sklearn.svm.LinearSVC":
                node["state"]["coef_"]["shape"][1] -= 1

    def rename(manifest: dict) -> None:
        for node in _nodes(manifest):
            if node.get("type") == "sklearn.svm.LinearSVC":
                node["type"] = "os.system"

    for name, change in (("shrunk", shrink), ("renamed", rename)):
        copy = _edited(path, tmp_path / name, change)
        with pytest.raises(ModelFormatError) as expected:
            load(copy)
        with pytest.raises(ModelFormatError) as found:
            load_predictor(copy)
        assert str(found.value) == str(expected.value)
    with pytest.raises(FileNotFoundError):
        load_predictor(tmp_path / "absent")


def test_models_of_other_versions_are_loaded_whole_and_warned_of(
    saved: Callable[[str, int], Path], tmp_path: Path
) -> None:
    def age(manifest: dict) -> None:
        manifest["versions"]["scikit-learn"] = "1.7.2"

    path = _edited(saved("char_svm", 2), tmp_path / "old", age)
    with pytest.warns(UserWarning, match=r"saved with scikit-learn 1.7.2"):
        predictor = load_predictor(path)
    assert not predictor.is_lean


# What a process that labels a few tweets must not import.
SLOW = ("sklearn", "scipy", "pandas", "numba", "joblib", "importlib.metadata")


@pytest.mark.parametrize("name", ["tfidf_lr", "char_svm", "nbsvm-lr", "atalaya-svm"])
def test_the_command_imports_little(
    name: str, saved: Callable[[str, int], Path], tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("text\nqué buen día\nqué mal día\n", "utf-8")
    code = (
        "import sys\nfrom tweetclf.cli import main\n"
        f"code = main(['predict', {str(saved(name, 3))!r}, 't.csv'])\n"
        f"print(code, [m for m in {SLOW!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.splitlines()[-1] == "0 []"
