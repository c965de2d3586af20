"""The battery: how many checks run on each public estimator, and that they pass."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest
from deaf_normalizer import DeafNormalizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from triple_classifier import TripleClassifier, make_triples

from tweetclf.estimators import (
    LabelPowerset,
    NBSVMClassifier,
    majority,
    nbsvm,
    stratified,
    tfidf_ridge,
)
from tweetclf.exceptions import DataError
from tweetclf.testing import (
    CheckFailedError,
    check_text_estimator,
    parametrize_with_text_checks,
    yield_checks,
)
from tweetclf.testing.__main__ import main
from tweetclf.testing._subject import Subject
from tweetclf.testing.catalogue import public_estimators

# How many checks run on each. A number that falls is a hole in the battery; one that
# rises is entered here, so that nobody takes a silent skip for a pass.
N_CHECKS = {
    "BiLSTMClassifier": 159,
    "BiLSTMClassifier-bag": 159,
    "BiLSTMClassifier-multilabel": 139,
    "BiLSTMClassifier-pairs": 155,
    "BiLSTMClassifier-read-padding": 159,
    "BiLSTMRegressor": 141,
    "BiLSTMRegressor-pairs": 137,
    "ElmoVectorizer": 120,
    "ElmoVectorizer-pca": 120,
    "LabelPowerset": 138,
    "LabelPowerset-atalaya_lr": 138,
    "NBSVMClassifier": 165,
    "NBSVMClassifier-lr": 170,
    "NgramTfidfVectorizer": 119,
    "OffsetClassifier": 159,
    "PairFeatures": 116,
    "SIFVectorizer": 120,
    "SoftVotingClassifier": 162,
    "TextDummyClassifier": 163,
    "TextDummyClassifier-stratified": 163,
    "TextDummyRegressor": 146,
    "TransformerClassifier": 159,
    "TransformerClassifier-multilabel": 139,
    "TransformerClassifier-pairs": 155,
    "TransformerMultipleChoice": 115,
    "TransformerQuestionAnswering": 112,
    "TransformerRegressor": 141,
    "TweetNormalizer": 117,
    "TweetTokenizer": 117,
    "atalaya_lr": 166,
    "atalaya_lr-multilabel": 144,
    "atalaya_lstm_elmo": 159,
    "atalaya_lstm_elmo-code": 159,
    "atalaya_lstm_elmo_bow": 159,
    "atalaya_svm": 161,
    "atalaya_svm-code": 161,
    "atalaya_svm-pairs": 157,
    "atalaya_svm-without-boc": 161,
    "atalaya_svm-without-bow": 161,
    "atalaya_svm-without-emb": 161,
    "atalaya_svm-with-elmo": 161,
    "bilstm": 159,
    "char_svm": 161,
    "char_svm-multilabel": 141,
    "char_svm-pairs": 157,
    "fasttext": 166,
    "fasttext-multilabel": 144,
    "fasttext-pairs": 162,
    "haha_nbsvm": 166,
    "haha_nbsvm-multilabel": 144,
    "haha_nbsvm-pairs": 162,
    "majority": 158,
    "majority-multilabel": 139,
    "majority-pairs": 154,
    "mean": 141,
    "mean-pairs": 137,
    "nbsvm": 161,
    "nbsvm-multilabel": 141,
    "nbsvm-pairs": 157,
    "ngram_ensemble": 159,
    "stratified": 158,
    "stratified-multilabel": 139,
    "stratified-pairs": 154,
    "tfidf_lr": 166,
    "tfidf_lr-multilabel": 144,
    "tfidf_lr-pairs": 162,
    "tfidf_ridge": 142,
    "tfidf_ridge-pairs": 138,
    "FoldEnsemble": 159,
    "FoldEnsemble-votes": 154,
    "FoldEnsemble-pairs": 155,
    "FoldEnsemble-multilabel": 139,
    "FoldEnsemble-regressor": 141,
    "SeedEnsemble": 159,
    "SeedEnsemble-folds": 154,
    "SeedEnsemble-multilabel": 139,
    "SeedEnsemble-regressor": 141,
    "ULMFiTClassifier": 159,
    "ULMFiTClassifier-pairs": 155,
    "ULMFiTClassifier-multilabel": 139,
    "ULMFiTRegressor": 141,
    "haha_ulmfit_qrnn": 159,
    "haha_ulmfit_qrnn_regressor": 141,
    "frozen_lr": 166,
    "transformer-twilbert": 159,
}
# Variants that the default run has in another form: a recipe of the class, the class of
# a recipe, the same recipe for other targets. `majority`, `mean` and `stratified-pairs`
# run in it through the other ways of running checks, below.
_SLOW = {
    "NBSVMClassifier",
    "TextDummyClassifier-stratified",
    "atalaya_lr",
    "majority",
    "majority-pairs",
    "mean",
    "mean-pairs",
    "stratified-multilabel",
    "stratified-pairs",
    "ElmoVectorizer-pca",
    "BiLSTMClassifier-bag",
    "BiLSTMClassifier-multilabel",
    "BiLSTMClassifier-pairs",
    "BiLSTMClassifier-read-padding",
    "BiLSTMRegressor",
    "BiLSTMRegressor-pairs",
    "LabelPowerset-atalaya_lr",
    "TransformerClassifier",
    "TransformerClassifier-multilabel",
    "TransformerClassifier-pairs",
    "TransformerMultipleChoice",
    "TransformerQuestionAnswering",
    "TransformerRegressor",
    "atalaya_lstm_elmo",
    "atalaya_lstm_elmo-code",
    "atalaya_lstm_elmo_bow",
    "atalaya_svm-code",
    "atalaya_svm-pairs",
    "atalaya_svm-with-elmo",
    "atalaya_svm-without-boc",
    "atalaya_svm-without-bow",
    "atalaya_svm-without-emb",
    "bilstm",
    "char_svm-multilabel",
    "char_svm-pairs",
    "fasttext-multilabel",
    "fasttext-pairs",
    "haha_nbsvm-multilabel",
    "haha_nbsvm-pairs",
    "nbsvm-multilabel",
    "nbsvm-pairs",
    "ngram_ensemble",
    "tfidf_ridge-pairs",
    "FoldEnsemble",
    "FoldEnsemble-votes",
    "FoldEnsemble-pairs",
    "FoldEnsemble-multilabel",
    "SeedEnsemble",
    "SeedEnsemble-folds",
    "SeedEnsemble-multilabel",
    "SeedEnsemble-regressor",
    "ULMFiTClassifier",
    "ULMFiTClassifier-pairs",
    "ULMFiTClassifier-multilabel",
    "ULMFiTRegressor",
    "haha_ulmfit_qrnn",
    "haha_ulmfit_qrnn_regressor",
    "frozen_lr",
    "transformer-twilbert",
}
ENTRIES = [
    pytest.param(e, id=e.name, marks=[pytest.mark.slow] if e.name in _SLOW else [])
    for e in public_estimators()
]


@pytest.mark.parametrize("entry", ENTRIES)
def test_public_estimators_refuse_to_predict_for_no_texts(entry):
    """One rule; only what makes text of text, fitting nothing, gives an empty list."""
    subject = Subject(entry.estimator, entry.kind, entry.name, entry.make_rows)
    for method in subject.methods():
        call = getattr(subject.fitted, method)
        if not subject.requires_fit:
            assert call([]) == []
            continue
        with pytest.raises(DataError, match=r"got 0 texts; pass at least one"):
            call([])


@pytest.mark.parametrize("entry", ENTRIES)
def test_public_estimator_passes_all_its_checks(entry):
    results = check_text_estimator(
        entry.estimator,
        kind=entry.kind,
        name=entry.name,
        make_rows=entry.make_rows,
        on_fail="collect",
    )
    problems = [f"{r.status}: {r.message}" for r in results if r.status != "passed"]
    assert not problems
    assert len(results) == N_CHECKS[entry.name]
    # The prototype is not fitted.
    parts = [entry.estimator, *getattr(entry.estimator, "named_steps", {}).values()]
    learnt = [name for part in parts for name in getattr(part, "__dict__", {})]
    assert not [name for name in learnt if name[-1] == "_" and name[0] != "_"]


def test_every_entry_has_a_count_and_classifiers_80_or_more():
    entries = {entry.name: entry for entry in public_estimators()}
    assert entries.keys() == N_CHECKS.keys()
    assert min(N_CHECKS.values()) >= 80


def test_every_public_name_of_the_estimators_is_in_the_catalogue():
    import tweetclf.estimators as room

    covered = {entry.name.partition("-")[0] for entry in public_estimators()}
    # They take a matrix: scikit-learn's own battery is for them.
    assert set(room.__all__) - covered == {
        "DoubleScaler",
        "FastTextClassifier",
        "OneVsRestLogisticRegression",
        "PowerWeightedClassifier",
        # Its rows are engagements: numbers, and no texts.
        "EngagementPredictor",
    }


def test_rows_of_ones_own_are_checked():
    results = check_text_estimator(
        TripleClassifier(), kind="rows", make_rows=make_triples, on_fail="collect"
    )
    assert [r.message for r in results if r.status != "passed"] == []
    names = {result.check for result in results}
    assert {
        "sklearn:check_estimator_cloneable",
        "check_repr_short",
        "check_pickle[fitted-protocol-2]",
        "check_not_fitted_error[predict]",
        "check_text_containers[list-of-lists]",
        "check_hostile_text[lone-surrogate]",
        "check_bad_item[None]",
        "check_row_independence[predict]",
        "check_same_seed_reproduces",
        "check_threads",
        "check_one_sample",
        "check_grid_search",
    } <= names
    assert len(names) >= 80


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("place", {"check_bad_item[None]", "check_bad_item[bytes]"}),
        (
            "order",
            {"check_order_invariance[predict]", "check_row_independence[predict]"},
        ),
        ("seed", {"check_global_random_state[fit]"}),
        ("state", {"check_predict_keeps_state"}),
        ("leftover", {"check_refit_overwrites"}),
    ],
)
def test_a_fault_with_rows_of_ones_own_is_found(fault, expected):
    results = check_text_estimator(
        TripleClassifier(fault=fault),
        kind="rows",
        make_rows=make_triples,
        on_fail="collect",
    )
    assert expected <= {r.check for r in results if r.status == "failed"}
    assert sum(r.status == "failed" for r in results) < 30


def test_parametrize_takes_what_makes_rows():
    entry = TripleClassifier(), "rows", "triples", make_triples
    parameters = parametrize_with_text_checks([entry]).mark.args[1]
    (check,) = [
        parameter.values[0]
        for parameter in parameters
        if parameter.id == "triples-check_order_invariance[predict]"
    ]
    check()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "rows"}, "needs the 'make_rows' parameter.*make_rows=None"),
        ({"make_rows": make_triples}, "needs the 'make_rows' parameter.*'classifier'"),
        (
            {"kind": "rows", "make_rows": lambda: ([("a", "b")] * 3, [1, 0, 1])},
            "12 or more tuples of str.*Got 3 rows and 3 targets",
        ),
        (
            {"kind": "rows", "make_rows": lambda: (["a"] * 12, [1] * 12)},
            "tuples of str",
        ),
        ({"kind": "rows", "make_rows": lambda: None}, r"as \(X, y\). Got a NoneType"),
        (
            {"kind": "rows", "make_rows": lambda: (iter([("a", "b")]), iter([1]))},
            "Got 1 rows and 1 targets",
        ),
    ],
)
def test_rows_of_ones_own_have_to_be_made(options, message):
    with pytest.raises(ValueError, match=message):
        check_text_estimator(TripleClassifier(), **options)


def test_names_of_checks_are_unique_and_say_what_is_checked():
    names = [check.name for check in yield_checks(nbsvm())]
    assert len(set(names)) == len(names)
    for expected in (
        "check_text_containers[pandas-odd-index]",
        "check_text_containers[numpy-StringDType]",
        "check_hostile_text[lone-surrogate]",
        "check_bad_item[pandas-NA]",
        "check_bad_container[two-column-frame]",
        "check_labels[float-coded-int]",
        "check_persistence_output",
        "sklearn:check_get_params_invariance",
    ):
        assert expected in names


def test_all_ten_borrowed_checks_run():
    names = [check.name for check in yield_checks(nbsvm())]
    assert sum(name.startswith("sklearn:") for name in names) == 10


@parametrize_with_text_checks(
    [(stratified(pairs=True), "pair", "stratified-pairs"), majority()]
)
def test_parametrize_makes_one_test_a_check(check):
    check()


def test_parametrize_takes_kinds():
    mark = parametrize_with_text_checks([(tfidf_ridge(), "regressor")]).mark
    assert mark.args[0] == "check"
    identifiers = [parameter.id for parameter in mark.args[1]]
    assert identifiers[0].startswith("Pipeline(tfidf, ridge)-")
    assert len(identifiers) == N_CHECKS["tfidf_ridge"]


def test_failure_names_the_check_and_the_estimator():
    with pytest.raises(CheckFailedError, match=r"check_\w+.* failed for the-deaf: "):
        check_text_estimator(DeafNormalizer(), kind="transformer", name="the-deaf")


def test_expected_failures_are_strict():
    failing = {
        result.check: "it is deaf"
        for result in check_text_estimator(
            DeafNormalizer(), kind="transformer", on_fail="collect"
        )
        if result.status == "failed"
    }
    assert failing
    results = check_text_estimator(
        DeafNormalizer(), kind="transformer", expected_failures=failing
    )
    expected = [result for result in results if result.status == "expected"]
    assert {result.check for result in expected} == failing.keys()
    assert {result.message for result in expected} == {"it is deaf"}
    with pytest.raises(CheckFailedError, match="was expected to fail"):
        check_text_estimator(majority(), expected_failures={"check_threads": "x"})
    with pytest.raises(ValueError, match="unknown checks: .'check_thread'"):
        check_text_estimator(majority(), expected_failures={"check_thread": "x"})


def test_scikit_learns_own_pipeline_fails_where_texts_are_not_validated():
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression())
    results = check_text_estimator(pipeline, on_fail="collect")
    failed = {result.check for result in results if result.status == "failed"}
    assert {
        "check_bad_item[None]",
        "check_bad_item[bytes]",
        "check_bad_container[generator]",
        "check_text_containers[pandas-frame]",
        "check_text_containers[pyarrow-array]",
    } <= failed
    assert not any(name.startswith("check_labels") for name in failed)


def test_weights_of_a_meta_estimator_are_left_to_the_one_inside():
    checks = [*yield_checks(LabelPowerset(NBSVMClassifier()), kind="multilabel")]
    assert checks
    assert not any("sample_weight" in check.name for check in checks)
    single = yield_checks(NBSVMClassifier())
    assert any("sample_weight" in check.name for check in single)


def test_missing_package_is_a_skip_with_a_reason(monkeypatch):
    find_spec = importlib.util.find_spec

    def without_polars(name, *rest):
        return None if name == "polars" else find_spec(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without_polars)
    results = check_text_estimator(majority())
    skipped = {r.check: r.message for r in results if r.status == "skipped"}
    assert skipped == dict.fromkeys(
        [
            "check_text_containers[polars-series]",
            "check_text_containers[polars-frame]",
            "check_label_containers[polars]",
        ],
        "polars is not installed",
    )


def test_unknown_kind_and_on_fail_are_refused():
    with pytest.raises(ValueError, match="'kind' of a text estimator must be one of"):
        check_text_estimator(majority(), kind="clusterer")
    with pytest.raises(ValueError, match="'on_fail' parameter must be"):
        check_text_estimator(majority(), on_fail="warn")


def test_module_prints_a_table(capsys):
    assert main(["mean"]) == 0
    out = capsys.readouterr().out
    assert "estimator" in out.splitlines()[0]
    assert out.splitlines()[1].split()[:3] == [
        "mean",
        "regressor",
        str(N_CHECKS["mean"]),
    ]
    assert main(["no-such"]) == 2
    assert "Unknown: ['no-such']" in capsys.readouterr().err


_HASHES = """
import hashlib
from tweetclf.estimators import *
from tweetclf.testing._data import make_corpus
texts, labels = make_corpus(3)
for make in (nbsvm, char_svm, haha_nbsvm, stratified, atalaya_svm):
    fitted = make().fit(texts, labels)
    scores = getattr(fitted, "decision_function", fitted.predict)(texts)
    print(make.__name__, hashlib.sha256(scores.tobytes()).hexdigest())
"""


def test_outputs_do_not_depend_on_the_hash_seed(capsys):
    # This process has its imports behind it, and some seed or other.
    other = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    there = subprocess.run(
        [sys.executable, "-c", _HASHES],
        env=os.environ | {"PYTHONHASHSEED": other},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    exec(_HASHES, {"__name__": "__main__"})
    here = capsys.readouterr().out
    assert here.count("\n") == 5
    assert here == there
