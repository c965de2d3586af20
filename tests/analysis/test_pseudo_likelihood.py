"""Pseudo-log-likelihood: equal to a loop over transformers' own models (P32)."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from tweetclf.analysis import load_model, pseudo_log_likelihood
from tweetclf.exceptions import DataError, ModelFormatError
from tweetclf.utils.hugging_face import quiet_transformers

TEXTS = ["qué risa me da el lunes", "no me gusta", "", "el partido de hoy " * 4]


def loop(folder, text):
    """Return sum, terms and tokens of a text: one masked copy at a time."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForMaskedLM.from_pretrained(folder).eval()
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    special = tokenizer.get_special_tokens_mask(
        ids[0].tolist(), already_has_special_tokens=True
    )
    total, n_terms = 0.0, 0
    for place in range(ids.shape[1]):
        if special[place]:
            continue
        hidden = ids.clone()
        hidden[0, place] = tokenizer.mask_token_id
        with torch.no_grad():
            logits = model(hidden).logits[0, place].double()
        total += float(logits.log_softmax(0)[ids[0, place]])
        n_terms += 1
    return total, n_terms, ids.shape[1]


@pytest.mark.parametrize(
    "kind", ["bert", "roberta", "albert", "distilbert", "electra", "modernbert"]
)
def test_it_equals_a_loop(kind, make_model):
    folder = make_model("masked", kind)
    with quiet_transformers():
        expected = [loop(folder, text) for text in TEXTS]
    found = pseudo_log_likelihood(folder, TEXTS, device="cpu", max_tokens=60)
    sums, n_terms, n_tokens = (
        np.array(column) for column in zip(*expected, strict=True)
    )
    np.testing.assert_allclose(found.sums, sums, atol=1e-5, rtol=1e-6)
    np.testing.assert_array_equal(found.n_terms, n_terms)
    np.testing.assert_array_equal(found.n_tokens, n_tokens)
    known = n_terms > 0
    alpha = sums[known] / n_terms[known]
    np.testing.assert_allclose(found.values[known], alpha, rtol=1e-6)
    assert found.mean == pytest.approx(alpha.mean(), rel=1e-6)


def test_both_divisors_and_the_text_without_a_token(make_model):
    folder = make_model("masked")
    found = pseudo_log_likelihood(folder, TEXTS, device="cpu")
    reference = pseudo_log_likelihood(
        folder, TEXTS, divisor="with_special", device="cpu"
    )
    # [CLS] and [SEP] count as in TWilBERT's code: T terms below, T - 2 above.
    np.testing.assert_allclose(
        reference.values, found.values * found.n_terms / (found.n_terms + 2)
    )
    assert np.isnan(found.values[2])
    assert np.isfinite([found.mean, reference.mean]).all()
    assert found.perplexity == pytest.approx(
        np.exp(-found.sums.sum() / found.n_terms.sum())
    )


def test_batches_change_nothing_and_intervals_are_seeded(make_model):
    model = load_model(make_model("masked"), head="masked", device="cpu")
    one = pseudo_log_likelihood(model, TEXTS, max_tokens=1)
    many = pseudo_log_likelihood(model, TEXTS, max_tokens=10_000)
    np.testing.assert_allclose(one.sums, many.sums, rtol=1e-6)
    again = pseudo_log_likelihood(model, TEXTS, max_tokens=10_000)
    assert (many.low, many.high) == (again.low, again.high)
    assert many.low <= many.mean <= many.high
    some = TEXTS * 3 + ["qué risa", "el lunes no me gusta nada"]
    ends = {
        (found.low, found.high)
        for seed in (0, 1, 2)
        for found in [pseudo_log_likelihood(model, some, random_state=seed)]
    }
    assert len(ends) > 1


def test_the_interval_is_that_of_the_mean(make_model):
    """Against the normal interval of many values."""
    from tweetclf.analysis._intervals import mean_interval

    values = np.random.default_rng(0).normal(2.0, 3.0, size=4000)
    low, high = mean_interval(values)
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert all(np.isnan(mean_interval(np.array([np.nan]))))


def test_what_cannot_be_scored_is_refused(make_model, tmp_path):
    encoder = make_model("none")
    with pytest.raises(ModelFormatError, match="would be random"):
        pseudo_log_likelihood(encoder, TEXTS, device="cpu")
    with pytest.raises(FileNotFoundError, match="no directory of a model"):
        pseudo_log_likelihood(tmp_path / "none", TEXTS)
    with pytest.raises(ValueError, match="'divisor'"):
        pseudo_log_likelihood(encoder, TEXTS, divisor="T")
    with pytest.raises(DataError, match="there are no texts"):
        pseudo_log_likelihood(encoder, [])
    model = load_model(encoder, head="none", device="cpu")
    with pytest.raises(ValueError, match="opened with 'none'"):
        pseudo_log_likelihood(model, TEXTS)
    with pytest.raises(ValueError, match="'head' parameter"):
        load_model(encoder, head="tail")


def test_cut_texts_are_counted_and_the_profile_is_applied(make_model, tmp_path):
    import shutil

    folder = make_model("masked")
    found = pseudo_log_likelihood(folder, TEXTS, max_length=8, device="cpu")
    assert found.n_truncated == 1
    assert found.n_tokens.max() == 8
    profiled = tmp_path / "profiled"
    shutil.copytree(folder, profiled)
    (profiled / "tweetclf.json").write_text('{"profile": "twilbert"}', "utf-8")
    raw = ["no me gusta http://t.co/x"]
    same = ["no me gusta url"]
    np.testing.assert_array_equal(
        pseudo_log_likelihood(profiled, raw, device="cpu").sums,
        pseudo_log_likelihood(folder, same, device="cpu").sums,
    )
