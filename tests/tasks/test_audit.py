"""The audit: what it finds in made-up tasks, against brute force, and in real ones."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tweetclf.exceptions import DataError
from tweetclf.tasks import (
    Audit,
    Split,
    Task,
    audit_contamination,
    audit_task,
    get_metric,
    load_task,
)
from tweetclf.tasks.duplicates import Labels, find_duplicates, normalise
from tweetclf.tasks.shift import find_shifts


def split(name, rows, **more):
    """Rows of (text, label); a label of None makes an unlabelled split."""
    labels = [label for _, label in rows]
    known = None if None in labels else np.array(labels)
    ids = more.pop("ids", tuple(f"{name}-{i}" for i in range(len(rows))))
    return Split(name, tuple(t for t, _ in rows), known, ids, **more)


def task_of(*splits, names=("N", "P"), kind="binary"):
    metric = get_metric("macro_f1", labels=names) if names else get_metric("rmse")
    return Task(
        "made-up",
        "1",
        "und",
        kind,
        kind,
        tuple(names),
        metric,
        {part.name: part for part in splits},
    )


LEAKY = task_of(
    split("test", [("hola mundo", "N"), ("HOLA, @ana mundo!", "P"), ("nada", "P")]),
    split("train", [("hola mundo ", "P"), ("otra cosa", "N"), ("otra cosa", "P")]),
)


def test_what_test_shares_with_train():
    audit = audit_task(LEAKY)
    assert list(audit.sizes) == ["train", "test"]
    found = audit.shared("test", "train")
    assert (found.rows, found.contradicting, found.n_of) == ((0,), (0,), 3)
    assert found.examples[0].other.texts == ("hola mundo ",)
    normalised = audit.shared("test", "train", "normalised")
    assert normalised.rows == (0, 1)
    assert normalised.contradicting == (0,)
    assert audit.shared("train", "train").rows == (2,)
    assert audit.shared("train", "train").contradicting == (2,)
    assert audit.shared("test", "test").rows == ()
    verbatim, plain = audit.contradictions
    assert (verbatim.level, verbatim.n_texts, verbatim.n_rows) == ("verbatim", 2, 4)
    assert (plain.level, plain.n_texts, plain.n_rows) == ("normalised", 2, 5)
    assert [{p.label for p in group} for group in verbatim.examples] == [{"N", "P"}] * 2
    with pytest.raises(DataError, match="knows no split 'dev'"):
        audit.shared("dev", "train")


ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "A ", "b!", "b", "", "@x", "c d", "c  d"]),
              st.sampled_from("NP")),
    max_size=8,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS)
def test_repeats_are_those_of_brute_force(train, test):
    splits = {"train": split("train", train), "test": split("test", test)}
    if not train or not test:
        splits = {n: s for n, s in splits.items() if len(s)}
    found = find_duplicates(splits, Labels(splits, ("N", "P")), threshold=1.0)
    by_name = {(f.level, f.split, f.other): f for f in found}
    changes = {"verbatim": str.strip, "normalised": normalise}
    for level, change in changes.items():
        for name, other in [("test", "train"), ("test", "test"), ("train", "train")]:
            if not {name, other} <= set(splits):
                continue
            own, theirs = ({"train": train, "test": test}[n] for n in (name, other))
            rows, against = [], []
            for i, (text, label) in enumerate(own):
                before = theirs[:i] if name == other else theirs
                same = [y for t, y in before if change(text) == change(t) != ""]
                rows += [i] if same else []
                against += [i] if any(y != label for y in same) else []
            item = by_name.get((level, name, other))
            assert (list(item.rows) if item else []) == rows
            assert (list(item.contradicting) if item else []) == against


def test_near_repeats_include_those_before_and_name_the_best():
    text = "menos mal que hoy es lunes y empieza otra semana"
    train = [("algo muy distinto de todo lo dem\u00e1s", "N"), (text, "P")]
    test = [(f"{text} m\u00e1s", "N"), (text.upper(), "P")]
    audit = audit_task(task_of(split("train", train), split("test", test)))
    assert audit.shared("test", "train").rows == ()
    assert audit.shared("test", "train", "normalised").rows == (1,)
    near = audit.shared("test", "train", "near")
    assert (near.rows, near.contradicting) == ((0, 1), (0,))
    first, second = near.examples
    assert first.contradicting
    assert not second.contradicting
    assert 0.7 <= first.similarity < 1 == second.similarity
    assert first.other.row == second.other.row == 1


def test_many_equal_texts_take_no_quadratic_time():
    rows = [("lol", "NP"[i % 2]) for i in range(4_000)]
    audit = audit_task(task_of(split("train", rows), split("test", rows)), n_examples=1)
    assert len(audit.shared("test", "train", "near").rows) == 4_000
    assert len(audit.shared("train", "train").rows) == 3_999


def test_only_names_urls_and_punctuation_are_no_text():
    rows = [("@ana http://t.co/1", "N"), ("@eva http://t.co/2 !", "P"), (" ", "N")]
    audit = audit_task(task_of(split("train", rows)))
    assert audit.contradictions == ()
    assert audit.duplicates == ()
    assert {f.kind: f.rows for f in audit.faults} == {"empty": (2,), "no words": (0, 1)}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("\u00a1Qu\u00e9 D\u00cdA!", "que\u0301 di\u0301a", True),
        ("Cafe\u0301", "CAF\u00c9", True),
        ("a &amp; b", "a & b", True),
        ("hola \u2764\ufe0f", "hola \u2764", True),
        ("hola \U0001f44d", "hola \U0001f44e", False),
        ("hola \U0001f44d\U0001f3fb", "hola \U0001f44d\U0001f3ff", False),
        ("#tag", "tag", True),
        ("mira https://t.co/x", "mira www.b.es", True),
        ("stra\u00dfe", "STRASSE", True),
    ],
)
def test_normalisation(one, other, same):
    assert (normalise(one) == normalise(other)) == same


def test_pairs_are_the_same_if_both_texts_are():
    pairs = [(("a b", "c d"), "N"), (("a b", "e f"), "P"), (("A b", "C d!"), "P")]
    audit = audit_task(task_of(split("train", pairs)))
    assert audit.shared("train", "train", "normalised").rows == (2,)
    assert audit.shared("train", "train", "normalised").examples[0].place.texts == (
        "A b",
        "C d!",
    )


def test_pairs_are_nearly_the_same_if_both_texts_are():
    context = "un tuit bastante largo que much\u00edsima gente contesta hoy mismo"
    pairs = [((answer, context), "N") for answer in ("jaja", "s\u00ed", "nunca")]
    pairs += [(("nunca jam\u00e1s de los jamases", context), "P")]
    pairs += [(("nunca jam\u00e1s de los jamases x", f"{context} y"), "N")]
    audit = audit_task(task_of(split("train", pairs)))
    found = audit.shared("train", "train", "near")
    assert (found.rows, found.contradicting) == ((4,), (4,))
    assert found.examples[0].other.row == 3


def test_sets_of_labels_and_numbers_contradict_too():
    rows = [("a b", [1, 0]), ("a b", [1, 1]), ("c d", [0, 0]), ("c d", [0, 0])]
    audit = audit_task(
        task_of(split("train", rows), names=("x", "y"), kind="multilabel")
    )
    assert audit.contradictions[0].n_texts == 1
    assert [p.label for p in audit.contradictions[0].examples[0]] == ["x", "x, y"]
    assert audit.shared("train", "train").contradicting == (1,)
    rows = [("a b", 1.0), ("a b", 1.25), ("c d", 0.0), ("c d", 5.0)]
    audit = audit_task(task_of(split("train", rows), names=(), kind="regression"))
    assert audit.contradictions[0].n_texts == 1
    assert audit.shared("train", "train").rows == (1, 3)
    assert audit.shared("train", "train").contradicting == (3,)


def test_an_unlabelled_split_is_compared_by_text():
    audit = audit_task(
        task_of(split("train", [("a b", "N")]), split("x_unlabelled", [("a b", None)]))
    )
    found = audit.shared("x_unlabelled", "train")
    assert (found.rows, found.contradicting) == ((0,), ())
    assert found.examples[0].place.label is None
    assert audit.shifts == ()
    assert "x_unlabelled" in audit.notes[0]


def test_threads_and_identifiers_that_are_shared():
    train = split("train", [("a", "N"), ("b", "P")], clusters=("t1", "t2"))
    test = split(
        "test",
        [("c", "N"), ("d", "P"), ("e", "P")],
        clusters=("t2", "t3", "t2"),
        ids=("x", "train-1", "y"),
    )
    audit = audit_task(task_of(train, test))
    cluster, identifier = audit.overlaps
    assert (cluster.what, cluster.rows, cluster.n_values) == ("cluster", (0, 2), 1)
    assert (identifier.what, identifier.rows) == ("id", (1,))
    assert identifier.examples == ("train-1",)
    assert audit.notes == ()


def test_numbers_of_rows_are_no_identifiers():
    parts = [
        split(n, [("a", "N"), ("b", "P")], ids=("0", "1")) for n in ("train", "dev")
    ]
    audit = audit_task(task_of(*parts))
    assert audit.overlaps == ()
    assert any("row numbers" in note for note in audit.notes)


def test_json_gives_the_same_audit_back():
    corpus = ["nada de esto", "hola   MUNDO"]
    audit = audit_contamination(audit_task(LEAKY), LEAKY, corpus, name="c")
    again = Audit.from_json(audit.to_json())
    assert again == audit
    assert audit.shifts
    assert audit.contamination[1].rows == (0,)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("task"),
        lambda d: d.update(task=1),
        lambda d: d.update(extra=1),
        lambda d: d.update(format="other"),
        lambda d: d["duplicates"][0].update(rows=["x"]),
        lambda d: d["duplicates"][0].update(n_of=True),
    ],
)
def test_other_json_is_refused(change):
    document = json.loads(audit_task(LEAKY).to_json())
    change(document)
    with pytest.raises(DataError, match="no audit in JSON"):
        Audit.from_json(json.dumps(document))
    for text in ("", "[]", "3", "null"):
        with pytest.raises(DataError, match="no audit in JSON"):
            Audit.from_json(text)


# -- shift ------------------------------------------------------------------------


def test_class_shift_is_that_of_scipy():
    from scipy import stats

    rng = np.random.default_rng(0)
    parts = {}
    for name, shares in (("train", [0.6, 0.4]), ("test", [0.5, 0.5])):
        labels = rng.choice(["N", "P"], 400, p=shares)
        parts[name] = split(name, [(str(i), y) for i, y in enumerate(labels)])
    (shift,) = find_shifts(parts, ("N", "P"))
    counts = [[(s.labels == n).sum() for n in "NP"] for s in parts.values()]
    expected = stats.chi2_contingency(counts, correction=False)
    assert shift.test == "chi-squared"
    assert shift.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert shift.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert shift.size == pytest.approx(abs(counts[0][0] - counts[1][0]) / 400)


def test_small_counts_are_simulated_with_the_exact_p_value():
    from scipy import stats

    parts = {
        "train": split("train", [(str(i), "NP"[i < 9]) for i in range(10)]),
        "test": split("test", [(str(i), "NP"[i < 3]) for i in range(8)]),
    }
    (shift,) = find_shifts(parts, ("N", "P"))
    assert shift.test == "chi-squared, simulated"
    exact = stats.fisher_exact([[1, 9], [5, 3]]).pvalue
    assert shift.p_value == pytest.approx(exact, abs=0.02)
    assert find_shifts(parts, ("N", "P")) == (shift,)


def test_shift_of_numbers_and_of_sets_of_labels():
    from scipy import stats

    rng = np.random.default_rng(1)
    numbers = {n: rng.normal(m, 1, 90) for n, m in (("train", 0), ("test", 0.7))}
    parts = {n: split(n, [("t", y) for y in v]) for n, v in numbers.items()}
    (shift,) = find_shifts(parts, ())
    assert shift.size == pytest.approx(stats.ks_2samp(*numbers.values()).statistic)
    assert shift.shares["mean"][0] == pytest.approx(numbers["train"].mean())
    bits = {n: rng.random((200, 3)) < p for n, p in (("train", 0.2), ("test", 0.6))}
    parts = {
        n: split(n, [("t", list(map(int, y))) for y in v]) for n, v in bits.items()
    }
    (shift,) = find_shifts(parts, ("x", "y", "z"))
    tables = [
        [[b[:, k].sum(), 200 - b[:, k].sum()] for b in bits.values()] for k in range(3)
    ]
    p = min(stats.chi2_contingency(t, correction=False).pvalue for t in tables)
    assert shift.p_value == pytest.approx(3 * p)
    means = [b.mean(axis=0) for b in bits.values()]
    assert shift.size == pytest.approx(np.abs(means[0] - means[1]).max())


def test_equal_distributions_have_no_shift():
    rows = [(str(i), "NP"[i % 2]) for i in range(60)]
    parts = {n: split(n, rows) for n in ("train", "dev", "test")}
    found = find_shifts(parts, ("N", "P", "never"))
    assert [(f.split, f.other) for f in found] == list(combinations(parts, 2))
    assert all(f.p_value == 1 and f.size == 0 for f in found)
    one = {n: split(n, [("a", "N")]) for n in ("train", "test")}
    assert find_shifts(one, ("N", "P"))[0].p_value == 1


# -- real tasks -------------------------------------------------------------------


@pytest.mark.data
def test_the_leak_of_tweeteval_hate_is_found(shared_data):
    audit = audit_task(load_task("tweeteval-hate", data_dir=shared_data))
    found = audit.shared("test", "train")
    assert (len(found.rows), found.n_of, len(found.contradicting)) == (233, 2970, 91)
    normalised = audit.shared("test", "train", "normalised")
    near = audit.shared("test", "train", "near")
    assert set(found.rows) < set(normalised.rows) < set(near.rows)
    (shift,) = (s for s in audit.shifts if {s.split, s.other} == {"train", "dev"})
    assert shift.p_value > 0.05
    assert Audit.from_json(audit.to_json()) == audit


@pytest.mark.data
def test_threads_of_rumoureval_stay_in_one_split(shared_data):
    task = load_task("rumoureval2017", data_dir=shared_data)
    assert all(part.clusters for part in task.splits.values())
    audit = audit_task(task)
    assert audit.overlaps == ()
    assert audit.notes == ()


def test_the_sample_has_no_leak():
    audit = audit_task(load_task("sample-humor"))
    assert not [f for f in audit.duplicates if f.split != f.other]
    assert {f.kind for f in audit.faults} == {"HTML entity"}
