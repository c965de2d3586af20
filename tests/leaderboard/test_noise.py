"""Label-noise candidates: the rule, and labels that were flipped on purpose."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tweetclf.exceptions import DataError
from tweetclf.leaderboard import find_label_noise
from tweetclf.leaderboard.noise import confident_suspects
from tweetclf.tasks import Split, Task, get_metric, load_task

ROW = st.tuples(st.integers(0, 2), *[st.integers(1, 9)] * 3)


@settings(deadline=None)
@given(st.lists(ROW, min_size=1, max_size=9))
def test_the_rule_is_that_of_the_paper(rows):
    given_, proba = [r[0] for r in rows], [np.array(r[1:]) / sum(r[1:]) for r in rows]
    thresholds = {
        j: np.mean([p[j] for p, label in zip(proba, given_, strict=True) if label == j])
        for j in set(given_)
    }
    expected = {}
    for row, (p, label) in enumerate(zip(proba, given_, strict=True)):
        above = [j for j, t in thresholds.items() if p[j] >= t - 1e-12]
        best = max(above, key=lambda j: (p[j], -j), default=label)
        if best != label and p[best] > p[label]:
            expected[row] = best
    found, suggested = confident_suspects(np.array(proba), np.array(given_))
    assert dict(zip(found.tolist(), suggested.tolist(), strict=True)) == expected
    margins = [proba[r][given_[r]] - proba[r][expected[r]] for r in found.tolist()]
    assert margins == sorted(margins)


def made_up(n: int = 200, flipped: float = 0.1):
    """A task that word counts solve, with some labels flipped."""
    source = random.Random(0)
    words = {
        label: ["".join(source.choices("abcdefghij", k=5)) for _ in range(30)]
        for label in ("N", "P")
    }
    common = ["".join(source.choices("klmnopqrst", k=5)) for _ in range(60)]
    texts, labels, wrong = [], [], set()
    for row in range(n):
        true = source.choice("NP")
        text = source.choices(words[true], k=7) + source.choices(common, k=4)
        texts.append(" ".join(text))
        if source.random() < flipped:
            wrong.add(row)
            true = "NP"[true == "N"]
        labels.append(true)
    cut = n * 2 // 3
    parts = {
        name: Split(
            name,
            tuple(texts[rows]),
            np.array(labels[rows]),
            tuple(map(str, range(n)[rows])),
        )
        for name, rows in (("train", slice(cut)), ("test", slice(cut, n)))
    }
    metric = get_metric("macro_f1", labels=("N", "P"))
    task = Task("m", "1", "und", "binary", "binary", ("N", "P"), metric, parts)
    return task, wrong


def test_flipped_labels_are_found():
    task, wrong = made_up()
    noise = find_label_noise(task)
    assert (noise.n_of, noise.splits) == (200, ("train", "test"))
    found = [int(s.place.id) for s in noise.suspects]
    assert len(found) == len(set(found))
    # The rule is careful: what it names is flipped, and most flipped ones are named.
    right = wrong.intersection(found)
    assert len(right) / len(found) >= 0.95
    assert len(right) / len(wrong) >= 0.7
    for suspect in noise.suspects:
        split = task.splits[suspect.place.split]
        assert split.texts[suspect.place.row] == suspect.place.texts[0]
        assert split.labels[suspect.place.row] == suspect.place.label
        assert suspect.suggested != suspect.place.label
        assert suspect.p_given < suspect.p_suggested


def test_groups_train_a_model_each():
    task, _ = made_up(60)
    parts = {
        name: replace(part, groups=tuple("ab"[i % 2] for i in range(len(part))))
        for name, part in task.splits.items()
    }
    noise = find_label_noise(replace(task, splits=parts))
    assert noise.n_of == 60
    assert find_label_noise(replace(task, splits=parts)) == noise


def test_what_cannot_be_looked_at_is_refused():
    task, _ = made_up(60)
    with pytest.raises(DataError, match="yields no probabilities"):
        find_label_noise(task, system="nbsvm")
    with pytest.raises(DataError, match="regression task"):
        find_label_noise(load_task("sample-funniness"))
    one = task.train.take(np.flatnonzero(task.train.labels == "N"))
    with pytest.raises(DataError, match="one label only"):
        find_label_noise(replace(task, splits={"train": one}))
