"""Prediction with saved models: cold starts, files, and one tweet at a time.

The first three rows start a process for each run, and time it whole: their processor
time, which is that of this process, means nothing.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from harness import Benchmark, tweets
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC

from tweetclf.estimators import char_svm, tfidf_lr
from tweetclf.persistence import Predictor, load_predictor, save
from tweetclf.persistence.labelling import label_stream

N_TRAIN = 3000
ONE = "menos mal que hoy es lunes"
_FOLDER = tempfile.TemporaryDirectory(prefix="tweetclf-bench-")


def _labels(texts: list[str]) -> list[str]:
    return ["odd" if len(text) % 2 else "even" for text in texts]


def _char_svm() -> Pipeline:
    """Make `char_svm` of scikit-learn's parts."""
    tfidf = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    return make_pipeline(tfidf, LinearSVC(max_iter=10_000, random_state=0))


def _tfidf_lr() -> Pipeline:
    """Make `tfidf_lr` of scikit-learn's parts."""
    tfidf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    learner = LogisticRegression(
        solver="newton-cg", tol=1e-7, max_iter=1000, random_state=0
    )
    return make_pipeline(tfidf, learner)


@lru_cache
def _saved(name: str) -> str:
    """Fit a recipe on a few thousand tweets, and save it."""
    texts = tweets(N_TRAIN)
    model = {"char-svm": char_svm, "tfidf-lr": tfidf_lr}[name]()
    return str(save(model.fit(texts, _labels(texts)), Path(_FOLDER.name) / name))


class Models(NamedTuple):
    """A saved model, the same of scikit-learn's parts, and what is labelled."""

    path: str
    predictor: Predictor
    plain: Pipeline
    texts: list[str]
    file: Path


def _models(name: str, n: int) -> Models:
    train = tweets(N_TRAIN)
    plain = {"char-svm": _char_svm, "tfidf-lr": _tfidf_lr}[name]()
    path = _saved(name)
    texts = [" ".join(text.split()) for text in tweets(n)]
    file = Path(_FOLDER.name) / f"{n}.txt"
    file.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    plain.fit(train, _labels(train))
    return Models(path, load_predictor(path), plain, texts, file)


def _chars(n: int) -> Models:
    return _models("char-svm", n)


def _words(n: int) -> Models:
    return _models("tfidf-lr", n)


# -- whole processes --------------------------------------------------------------


def _python(*arguments: str, text: str = "") -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def _cold(data: Models) -> str:
    return _python("-m", "tweetclf", "predict", data.path, text=ONE)


def _cold_estimator(data: Models) -> str:
    code = f"import tweetclf\nprint(tweetclf.load({data.path!r}).predict([{ONE!r}])[0])"
    return _python("-c", code)


def _cold_import(data: Models) -> str:
    _python("-c", "import sklearn.pipeline, sklearn.feature_extraction.text")
    return str(data.plain.predict([ONE])[0])


def _help(data: Models) -> str:
    return _python("-m", "tweetclf", "--help")[:15]


def _bare_python(data: Models) -> str:
    return _python("-c", "print('usage: tweetclf')")


# -- in this process --------------------------------------------------------------


def _one_by_one(data: Models) -> list[str]:
    return [data.predictor.predict([text])[0] for text in data.texts]


def _one_by_one_plain(data: Models) -> list[str]:
    return [data.plain.predict([text])[0] for text in data.texts]


def _stream(data: Models) -> str:
    target = data.file.with_suffix(".labels")
    with data.file.open(encoding="utf-8") as source, target.open("w") as file:
        for _ in label_stream(data.predictor, source, file):
            pass
    return target.read_text()


def _whole(data: Models) -> str:
    target = data.file.with_suffix(".plain")
    texts = data.file.read_text(encoding="utf-8").splitlines()
    target.write_text("".join(f"{label}\n" for label in data.plain.predict(texts)))
    return target.read_text()


def _equal(ours: object, theirs: object) -> None:
    assert ours == theirs


BENCHMARKS = [
    Benchmark(
        name="predict-cold",
        what="tweetclf predict, one tweet, char-svm, a process each time",
        peer="load the estimator and predict",
        prepare=_chars,
        ours=_cold,
        theirs=_cold_estimator,
        check=_equal,
        sizes=(1,),
        bar=2,
        aim=4,
        repeats=9,
    ),
    Benchmark(
        name="predict-cold-import",
        what="the same",
        peer="import scikit-learn, and do nothing",
        prepare=_chars,
        ours=_cold,
        theirs=_cold_import,
        check=_equal,
        sizes=(1,),
        bar=1.5,
        aim=3,
        repeats=9,
    ),
    Benchmark(
        name="help",
        what="tweetclf --help, a process each time",
        peer="start Python, and do nothing",
        prepare=_chars,
        ours=_help,
        theirs=_bare_python,
        check=_equal,
        sizes=(1,),
        bar=0.2,
        aim=0.33,
        repeats=9,
    ),
    *(
        Benchmark(
            name=f"predict-one-{name}",
            what=f"one tweet at a time, {name}",
            peer="the same pipeline of scikit-learn's parts",
            prepare=prepare,
            ours=_one_by_one,
            theirs=_one_by_one_plain,
            check=_equal,
            sizes=(300,),
            bar=1,
            aim=2,
        )
        for name, prepare in (("char-svm", _chars), ("tfidf-lr", _words))
    ),
    *(
        Benchmark(
            name=f"predict-file-{name}",
            what=f"label a file, {name}",
            peer="read the file, predict it whole with scikit-learn's parts",
            prepare=prepare,
            ours=_stream,
            theirs=_whole,
            check=_equal,
            sizes=(20_000,),
            bar=bar,
            aim=aim,
            growth=(5_000, 20_000, 80_000),
            memory=(5_000, 20_000, 80_000),
            memory_bar=0.65,
        )
        for name, prepare, bar, aim in (
            ("char-svm", _chars, 5.0, 10.0),
            ("tfidf-lr", _words, 1.2, 2.0),
        )
    ),
]
