"""Sets of right and wrong replies, and what pair heads say of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from transformers import AutoModelForPreTraining, AutoTokenizer

from tweetclf.analysis import (
    measure_coherence,
    reply_order_set,
    topic_coherence_set,
)
from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.utils.hugging_face import quiet_transformers

PAIRS = [
    ("¿vienes hoy?", "no , hoy no"),
    ("qué risa", "me da risa"),
    ("el lunes no me gusta nada", "a mí el lunes me gusta"),
    ("genial el partido", "3 a 2 !"),
    ("no hay nada", "hay partido hoy"),
]
MANY = st.lists(
    st.tuples(st.integers(0, 30).map(str), st.integers(0, 30).map(str)),
    min_size=12,
    max_size=40,
    unique_by=(lambda pair: pair[0], lambda pair: pair[1]),
)


@settings(max_examples=25, deadline=None)
@given(pairs=MANY, seed=st.integers(0, 5))
def test_topic_sets_are_derangements(pairs, seed):
    made = topic_coherence_set(pairs, random_state=seed)
    n = len(pairs)
    right, wrong = made.pairs[:n], made.pairs[n:]
    assert list(right) == pairs
    assert [post for post, _ in wrong] == [post for post, _ in pairs]
    assert sorted(r for _, r in wrong) == sorted(r for _, r in pairs)
    assert not set(wrong) & set(pairs)
    assert made.labels.tolist() == [1] * n + [0] * n
    assert made.sources.tolist() == [*range(n), *range(n)]


def test_a_reply_that_reads_the_same_is_no_wrong_one():
    pairs = [("a", "sí"), ("b", "sí"), ("c", "no"), ("d", "no")]
    for seed in range(20):
        made = topic_coherence_set(pairs, random_state=seed)
        assert made.pairs[4:] == (("a", "no"), ("b", "no"), ("c", "sí"), ("d", "sí"))
    with pytest.raises(DataError, match="repeated replies"):
        topic_coherence_set([("a", "sí"), ("b", "sí")])
    with pytest.raises(DataError, match="there are no pairs"):
        topic_coherence_set([])


def test_order_sets_exchange_sides():
    made = reply_order_set([*PAIRS, ("igual", "igual")])
    assert made.pairs == (*PAIRS, *((b, a) for a, b in PAIRS))
    with pytest.raises(DataError, match="two different texts"):
        reply_order_set([("igual", "igual")])


def loop(folder, pairs, field, index):
    """Return the probability of `index`, one pair at a time."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForPreTraining.from_pretrained(folder).eval()
    found = []
    for first, second in pairs:
        with torch.no_grad():
            output = model(**tokenizer(first, second, return_tensors="pt"))
        logits = getattr(output, field)[0]
        found.append(float(logits.double().softmax(0)[index]))
    return np.array(found)


@pytest.mark.parametrize(
    ("kind", "objective", "field", "index"),
    [
        ("bert", None, "seq_relationship_logits", 0),
        ("bert", "rop", "seq_relationship_logits", 1),
        ("albert", None, "sop_logits", 0),
    ],
)
def test_heads_say_what_they_say_one_by_one(kind, objective, field, index, make_model):
    extra = {} if objective is None else {"pair_objective": objective}
    folder = make_model("pair", kind, **extra)
    found = measure_coherence(folder, PAIRS, device="cpu", max_tokens=30)
    for one, made in zip(
        found, (topic_coherence_set(PAIRS), reply_order_set(PAIRS)), strict=True
    ):
        assert one.name == made.name
        with quiet_transformers():
            expected = loop(folder, made.pairs, field, index)
        np.testing.assert_allclose(one.probabilities, expected, atol=1e-6)
        right = (expected > 0.5) == (made.labels == 1)
        assert one.accuracy == pytest.approx(right.mean())
        assert one.accuracy == pytest.approx(
            (one.accuracy_right + one.accuracy_wrong) / 2
        )
        assert one.low <= one.accuracy <= one.high


def test_pairs_of_one_source_are_drawn_together(make_model):
    """Where one of two is right always, the accuracy cannot vary."""
    import tweetclf.analysis.pair_coherence as module
    from tweetclf.analysis._models import LoadedModel

    def always(self, batch):
        return torch.tensor([[5.0, 0.0]]).repeat(len(batch.ids), 1)

    folder = make_model("pair", "bert")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LoadedModel, "pair_logits", always)
        _, order = module.measure_coherence(folder, PAIRS, device="cpu")
    assert (order.accuracy, order.low, order.high) == (0.5, 0.5, 0.5)
    assert (order.accuracy_right, order.accuracy_wrong) == (1.0, 0.0)


def test_a_model_without_a_head_for_pairs_is_refused(make_model):
    with pytest.raises(ModelFormatError, match="would be random"):
        measure_coherence(make_model("masked"), PAIRS, device="cpu")
    with pytest.raises(ModelFormatError, match="no head for pairs"):
        measure_coherence(make_model("masked", "roberta"), PAIRS, device="cpu")
