"""Masking: which tokens, how many, and what becomes of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare

from tweetclf.pretraining import (
    SpanMasking,
    TokenMasking,
    WholeWordMasking,
    word_continuations,
)
from tweetclf.pretraining._batch_kernels import choose_spans
from tweetclf.pretraining.spans import Masker, epoch_key

VOCABULARY = 200
SPECIAL = range(5)
CLS, SEP, MASK, UNK = 2, 3, 4, 1


def masker(masking, max_length=128):
    return Masker(
        masking,
        special=SPECIAL,
        mask_id=MASK,
        vocab_size=VOCABULARY,
        max_length=max_length,
    )


def masked(masking, examples, epoch=0, seed=0):
    """Return originals, what is read, and the chosen places of each example."""
    ids = np.concatenate(examples).astype(np.int64)
    lengths = np.array([len(example) for example in examples])
    hidden = ids.copy()
    places, targets = masker(masking, max(lengths)).mask(
        hidden, lengths, np.arange(len(examples)), epoch_key(seed, epoch)
    )
    np.testing.assert_array_equal(ids[places], targets)
    assert (np.diff(places) > 0).all()
    ends = np.cumsum(lengths)
    chosen = np.split(places, np.searchsorted(places, ends[:-1]))
    starts = ends - lengths
    return ids, hidden, [c - s for c, s in zip(chosen, starts, strict=True)]


def texts(n_examples, n_tokens, seed=0):
    draws = np.random.default_rng(seed).integers(5, VOCABULARY, (n_examples, n_tokens))
    return [np.concatenate([[CLS], row, [SEP]]) for row in draws]


def test_sizes_of_spans_follow_the_law():
    # P21: p(l) proportional to 1 / l. The first span of each draw, so that draws are
    # independent and there is room for all sizes.
    n = 200
    where, law = np.arange(n), np.cumsum(SpanMasking().probabilities)
    counts, starts_seen = np.zeros(3), np.zeros(n)
    starts, sizes = np.empty(n, np.int64), np.empty(n, np.int64)
    with np.errstate(over="ignore"):
        for draw in range(4000):
            state = np.array([draw * 7919], dtype=np.uint64)
            chosen = np.zeros(n, np.uint8)
            assert choose_spans(where, n, 1, law, state, chosen, starts, sizes) == 1
            counts[sizes[0] - 1] += 1
            starts_seen[starts[0]] += 1
            assert chosen.sum() == sizes[0]
    assert chisquare(counts, 4000 * np.array([6, 3, 2]) / 11).pvalue > 0.001
    assert chisquare(starts_seen[:198]).pvalue > 0.001


def test_probabilities_are_those_of_the_fixture():
    np.testing.assert_allclose(
        SpanMasking().probabilities, [0.5454545454545454, 0.2727272727272727, 2 / 11]
    )


@pytest.mark.parametrize("n_tokens", [1, 2, 3, 4, 7, 20, 22, 100, 140])
def test_spans_keep_to_the_budget(n_tokens):
    # P21: at least ceil(.15 n), at most two more, and never all but by need.
    _, _, chosen = masked(SpanMasking(), texts(300, n_tokens))
    counts = np.array([len(places) for places in chosen])
    budget = math.ceil(round(0.15 * n_tokens, 9))
    assert counts.min() == budget
    assert counts.max() <= min(budget + 2, n_tokens)
    _, _, chosen = masked(SpanMasking(max_span=1), texts(50, n_tokens))
    assert {len(places) for places in chosen} == {budget}


def test_counts_follow_from_the_law_of_sizes():
    # Spans are drawn until 4 of 22 tokens are chosen: a renewal process. The released
    # code has 67 % at 4, 25 % at 5 and 7.5 % at 6, since its spans overlap.
    law = [6 / 11, 3 / 11, 2 / 11]
    reached = [1.0]
    for total in range(1, 4):
        reached.append(
            sum(
                law[size - 1] * reached[total - size]
                for size in (1, 2, 3)
                if size <= total
            )
        )
    expected = [
        sum(law[end - s - 1] * reached[s] for s in range(4) if 1 <= end - s <= 3)
        for end in (4, 5, 6)
    ]
    _, _, chosen = masked(SpanMasking(), texts(4000, 22))
    counts = np.bincount([len(places) for places in chosen], minlength=7)
    assert counts[:4].sum() == 0
    assert chisquare(counts[4:], 4000 * np.array(expected)).pvalue > 0.001


@pytest.mark.parametrize("masking", [SpanMasking(), TokenMasking()])
def test_eight_of_ten_are_masked_and_one_replaced(masking):
    ids, hidden, chosen = masked(masking, texts(3000, 60))
    starts = 62 * np.arange(3000)
    places = np.concatenate([c + s for c, s in zip(chosen, starts, strict=True)])
    was, now = ids[places], hidden[places]
    n_masked, n_kept = (now == MASK).sum(), (now == was).sum()
    n_replaced = len(places) - n_masked - n_kept
    # A random token is the old one now and then.
    share = 0.1 / (VOCABULARY - len(SPECIAL))
    expected = len(places) * np.array([0.8, 0.1 - share, 0.1 + share])
    assert chisquare([n_masked, n_replaced, n_kept], expected).pvalue > 0.001
    replaced = now[(now != MASK) & (now != was)]
    assert not np.isin(replaced, SPECIAL).any()
    assert set(replaced) == set(range(5, VOCABULARY))
    untouched = np.setdiff1d(np.arange(len(ids)), places)
    np.testing.assert_array_equal(ids[untouched], hidden[untouched])


@pytest.mark.parametrize(
    "masking",
    [
        SpanMasking(rate=0.6),
        TokenMasking(rate=0.6),
        WholeWordMasking(rate=0.6, continues=np.arange(VOCABULARY) % 2 == 0),
    ],
)
def test_special_tokens_are_never_chosen_nor_spanned(masking):
    rng = np.random.default_rng(1)
    examples = []
    for _ in range(400):
        body = rng.integers(5, VOCABULARY, 30)
        body[rng.integers(0, 30, 6)] = UNK
        body[12] = SEP
        examples.append(np.concatenate([[CLS], body, [SEP]]))
    ids, hidden, _ = masked(masking, examples)
    special = ids < 5
    np.testing.assert_array_equal(ids[special], hidden[special])


def test_spans_are_runs_within_a_segment():
    # Every other token is unknown: no span of two fits anywhere.
    example = np.array([CLS, 9, UNK, 10, UNK, 11, SEP, 12, SEP])
    _, _, chosen = masked(SpanMasking(rate=0.4), [example] * 200)
    assert {len(places) for places in chosen} == {2}
    # Two runs of two, the budget four: all are chosen, however spans are drawn.
    example = np.array([CLS, 9, 10, SEP, 11, 12, SEP])
    _, _, chosen = masked(SpanMasking(rate=0.99), [example] * 200)
    assert all(places.tolist() == [1, 2, 4, 5] for places in chosen)


def test_an_example_of_one_token_is_masked_and_one_of_none_is_left():
    examples = [[CLS, 9, SEP], [CLS, UNK, SEP], [CLS, SEP]]
    for masking in (SpanMasking(), TokenMasking()):
        _, _, chosen = masked(masking, [np.array(e) for e in examples])
        assert [places.tolist() for places in chosen] == [[1], [], []]


def test_single_tokens_are_as_those_of_transformers(tmp_path):
    # P37: what is chosen, masked, replaced and kept, against transformers' collator.
    from tokenizers import Tokenizer, models
    from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    names += [f"w{i}" for i in range(5, VOCABULARY)]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(
            models.WordLevel({name: i for i, name in enumerate(names)}, "[UNK]")
        ),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    examples = texts(600, 100)
    ids, hidden, chosen = masked(TokenMasking(), examples)
    places = np.concatenate([c + 102 * row for row, c in enumerate(chosen)])
    collate = DataCollatorForLanguageModeling(tokenizer, seed=3)
    theirs = collate([{"input_ids": example.tolist()} for example in examples])
    labels, read = theirs["labels"].numpy().ravel(), theirs["input_ids"].numpy().ravel()
    at = np.flatnonzero(labels != -100)

    def tally(was, now, total):
        n_masked, n_kept = (now == MASK).sum(), (was == now).sum()
        return [total - len(was), n_masked, n_kept, len(was) - n_masked - n_kept]

    table = [
        tally(ids[places], hidden[places], 60_000),
        tally(labels[at], read[at], 60_000),
    ]
    assert chi2_contingency(table).pvalue > 0.001
    sizes = [[len(c) for c in chosen], (labels.reshape(600, -1) != -100).sum(1)]
    binned = [np.bincount(np.clip(size, 10, 20), minlength=21)[10:] for size in sizes]
    assert chi2_contingency(binned).pvalue > 0.001


def test_at_least_one_token_has_the_law_of_drawing_anew():
    # Of three tokens at rate .2: all subsets but the empty one, renormalised.
    _, _, chosen = masked(TokenMasking(rate=0.2), texts(8000, 3))
    counts = np.zeros(8)
    for places in chosen:
        counts[sum(1 << (place - 1) for place in places)] += 1
    assert counts[0] == 0
    sizes = np.array([bin(i).count("1") for i in range(1, 8)])
    expected = 0.2**sizes * 0.8 ** (3 - sizes)
    assert chisquare(counts[1:], 8000 * expected / expected.sum()).pvalue > 0.001


def test_whole_words_are_chosen_whole_and_within_the_budget():
    continues = np.zeros(VOCABULARY, bool)
    continues[100:] = True
    # Words of 1, 2, 3 and 4 pieces, twice; the second segment begins with a piece
    # that could go on a word, but not across [SEP].
    words = [[9], [10, 101], [11, 102, 103], [12, 104, 105, 106]]
    body = [piece for word in words for piece in word]
    example = np.array([CLS, *body, SEP, 107, *body, SEP])
    ids, _, chosen = masked(WholeWordMasking(continues=continues), [example] * 500)
    starts = [i for i, x in enumerate(example) if x >= 5 and not continues[x]] + [12]
    ends = {s: s for s in starts}
    for s in starts:
        while ends[s] + 1 < len(example) and continues[example[ends[s] + 1]]:
            ends[s] += 1
    seen = set()
    for places in chosen:
        left = set(places.tolist())
        assert 1 <= len(left) <= 4  # ceil(.15 * 21)
        for s in starts:
            if s in left:
                whole = set(range(s, ends[s] + 1))
                assert whole <= left
                left -= whole
                seen.add(s)
        assert not left
    assert seen == set(starts)
    # Where no word fits, one is taken all the same.
    _, _, chosen = masked(
        WholeWordMasking(continues=continues), [np.array([CLS, 9, 101, 102, 103, SEP])]
    )
    assert chosen[0].tolist() == [1, 2, 3, 4]


def test_masks_change_with_epoch_seed_and_example_alone():
    examples = texts(50, 40)
    _, first, _ = masked(SpanMasking(), examples)
    _, again, _ = masked(SpanMasking(), examples)
    np.testing.assert_array_equal(first, again)
    for changes in ({"epoch": 1}, {"seed": 1}):
        _, other, _ = masked(SpanMasking(), examples, **changes)
        assert (first != other).any()
    _, _, chosen = masked(SpanMasking(), [examples[0]] * 50)
    assert len({tuple(places) for places in chosen}) > 40


@pytest.mark.parametrize(
    ("vocabulary", "expected"),
    [
        ({"[CLS]": 0, "##": 1, "##a": 2, "b": 3}, [0, 0, 1, 0]),
        ({"<s>": 0, "▁a": 1, "b": 2, "▁": 3, "[USER]": 4}, [0, 0, 1, 0, 0]),
        ({"[CLS]": 0, "Ġa": 1, "b": 2, "]": 3}, [0, 0, 1, 1]),
    ],
)
def test_word_continuations_are_told_from_the_marks(vocabulary, expected):
    assert word_continuations(vocabulary).astype(int).tolist() == expected


def test_a_vocabulary_without_marks_is_refused():
    with pytest.raises(ValueError, match="no piece begins with '##'"):
        word_continuations({"a": 0, "b": 1})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpanMasking(rate=1.0), "SpanMasking: the 'rate' parameter"),
        (lambda: TokenMasking(rate=0), "TokenMasking: the 'rate' parameter"),
        (lambda: SpanMasking(max_span=0), "'max_span'"),
        (lambda: SpanMasking(mask_share=0.8, random_share=0.3), "more than 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
