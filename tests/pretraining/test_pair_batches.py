"""Batches for pre-training: what examples hold, and what they hang on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from tweetclf.exceptions import DataError
from tweetclf.pretraining import PretrainingBatches, SpanMasking, TokenMasking
from tweetclf.pretraining.pair_batches import split_packed

SPECIAL = {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4}
VOCABULARY = 500


def shard(segments, dtype=np.uint16):
    tokens = np.concatenate([np.asarray(s, dtype) for s in segments] or [[]])
    return tokens.astype(dtype), np.cumsum([0, *map(len, segments)])


def pairs(n, seed=0, longest=12):
    rng = np.random.default_rng(seed)
    return [rng.integers(5, VOCABULARY, rng.integers(1, longest)) for _ in range(2 * n)]


def make(segments=None, shards=None, **changes):
    settings = {
        "n_segments": 2,
        "special": SPECIAL,
        "vocab_size": VOCABULARY,
        "masking": SpanMasking(),
        "batch_size": 4,
        "max_length": 32,
    }
    return PretrainingBatches(
        [shard(segments)] if shards is None else shards, **(settings | changes)
    )


def examples(batches, epoch=0):
    """Return what each example of an epoch looks like, in the order it came."""
    result = []
    for batch in batches.epoch(epoch):
        ids, types = batch["input_ids"].clone(), batch["token_type_ids"]
        sizes = batch["lengths"].tolist()
        ends = np.cumsum([0, *sizes])
        chosen = batch["places"].numpy()
        labels = batch.get("pair_labels", torch.ones(len(sizes))).tolist()
        for row, (start, end) in enumerate(zip(ends[:-1], ends[1:], strict=True)):
            mine = (chosen >= start) & (chosen < end)
            result.append(
                (
                    tuple(ids[start:end].tolist()),
                    tuple(types[start:end].tolist()),
                    tuple((chosen[mine] - start).tolist()),
                    tuple(batch["targets"].numpy()[mine].tolist()),
                    int(labels[row]),
                )
            )
    return result


def restored(example):
    """Return the segments of an example as they were before masking."""
    ids, types, places, targets, _ = example
    ids = list(ids)
    for place, target in zip(places, targets, strict=True):
        ids[place] = target
    assert ids[0] == SPECIAL["cls"]
    assert ids[-1] == SPECIAL["sep"]
    middle = types.index(1) if 1 in types else len(ids)
    assert ids[middle - 1] == SPECIAL["sep"]
    assert set(types[:middle]) == {0}
    first, second = ids[1 : middle - 1], ids[middle:-1]
    return (tuple(first), tuple(second)) if middle < len(ids) else (tuple(first),)


segment_lists = st.lists(
    st.tuples(*[st.lists(st.integers(5, VOCABULARY - 1), max_size=9)] * 2),
    min_size=1,
    max_size=7,
)


@settings(max_examples=30, deadline=None)
@given(segment_lists, st.integers(4, 20), st.integers(0, 3))
def test_both_orders_of_every_pair_come_once(documents, max_length, epoch):
    # P23: two examples a row, mirrored, labels 1 and 0; cut alike.
    flat = [segment for document in documents for segment in document]
    batches = make(flat, max_length=max_length, batch_size=3)
    found = [(restored(e), e[-1]) for e in examples(batches, epoch)]
    assert len(found) == 2 * len(documents) == batches.n_examples
    as_written = sorted(pair for pair, label in found if label == 1)
    turned = sorted(pair[::-1] for pair, label in found if label == 0)
    assert as_written == turned
    assert len(as_written) == len(documents)
    room = max_length - 3
    expected = []
    for first, second in documents:
        first, second = list(first), list(second)
        # One token after the other from the longer; of equals, from what was shorter
        # at first, or else from the second.
        was_longer = len(first) > len(second) - (len(first) == len(second))
        while len(first) + len(second) > room:
            if len(first) == len(second):
                (second if was_longer else first).pop()
            else:
                max(first, second, key=len).pop()
        expected.append((tuple(first), tuple(second)))
    assert as_written == sorted(expected)


def test_single_texts_have_neither_second_segments_nor_labels():
    segments = pairs(10)[:9]
    batches = make(segments, n_segments=1, pair_objective=None, max_length=8)
    batch = next(batches.epoch(0))
    assert set(batch) == {
        "input_ids", "token_type_ids", "lengths", "places", "targets",
    }  # fmt: skip
    assert all(value.dtype == torch.int64 for value in batch.values())
    found = sorted(restored(e)[0] for e in examples(batches))
    assert found == sorted(tuple(s[:6].tolist()) for s in segments)
    assert not any(any(e[1]) for e in examples(batches))


def test_pairs_without_an_objective_stay_as_they_are():
    segments = pairs(9)
    batches = make(segments, pair_objective=None)
    found = sorted(restored(e) for e in examples(batches))
    assert found == sorted(
        (tuple(a.tolist()), tuple(b.tolist()))
        for a, b in zip(segments[::2], segments[1::2], strict=True)
    )


@pytest.mark.parametrize("objective", ["nsp", "sop"])
def test_half_of_the_pairs_are_wrong(objective):
    segments = [[5 + 2 * i % 490] * 3 + [400 + i // 20] for i in range(1600)]
    segments = [np.array(s) for s in segments]
    written = {
        (tuple(a.tolist()), tuple(b.tolist()))
        for a, b in zip(segments[::2], segments[1::2], strict=True)
    }
    firsts, seconds = ({pair[i] for pair in written} for i in (0, 1))
    batches = make(segments, pair_objective=objective, batch_size=100)
    epochs = [examples(batches, epoch) for epoch in (0, 1)]
    for found in epochs:
        assert len(found) == 800
        right = [e for e in found if e[-1] == 1]
        assert binomtest(len(right), 800).pvalue > 0.001
        assert {restored(e) for e in right} <= written
        wrong = [restored(e) for e in found if e[-1] == 0]
        if objective == "sop":
            assert {pair[::-1] for pair in wrong} <= written
        else:
            assert {a for a, _ in wrong} <= firsts
            assert {b for _, b in wrong} <= seconds
            assert not set(wrong) & written
    labels = [{restored(e)[0]: e[-1] for e in found} for found in epochs]
    assert labels[0] != labels[1]


def test_random_replies_come_from_the_documents_that_are_read():
    segments = [np.array([5 + i, 200 + i]) for i in range(40)]
    mine = [3, 8, 11, 19]
    batches = make(segments, pair_objective="nsp", documents=mine)
    allowed = {tuple(segments[2 * d + 1].tolist()) for d in mine}
    for epoch in range(10):
        for example in examples(batches, epoch):
            first, second = restored(example)
            assert second in allowed
            document = (first[0] - 5) // 2
            own = tuple(segments[2 * document + 1].tolist())
            assert (second == own) == (example[-1] == 1)


def test_examples_do_not_hang_on_batches_ranks_shards_or_numba(monkeypatch):
    segments = pairs(23)
    whole = examples(make(segments, batch_size=46))
    assert len(whole) == 46
    assert len(set(whole)) == 46
    for size in (1, 5, 16):
        assert examples(make(segments, batch_size=size)) == whole
    cut = [shard(segments[:10], np.uint32), shard([]), shard(segments[10:])]
    assert examples(make(shards=cut, batch_size=5)) == whole
    # World ranks together see the global batch, in parts that lie side by side.
    ranks = [make(segments, batch_size=10, rank=r, world_size=4) for r in range(4)]
    together = []
    for parts in zip(*(b.epoch(0) for b in ranks), strict=True):
        sizes = [len(part["lengths"]) for part in parts]
        assert max(sizes) - min(sizes) <= 1
        together += [part["input_ids"] for part in parts]
    assert torch.cat(together).tolist() == [i for e in whole for i in e[0]]
    pooled = make(segments, batch_size=5, length_pool=3)
    assert sorted(examples(pooled)) == sorted(whole)
    monkeypatch.setenv("TWEETCLF_NUMBA", "0")
    assert examples(make(segments, batch_size=5)) == whole


def test_shards_may_be_memory_maps_that_cannot_be_written(tmp_path):
    segments = pairs(9)
    maps = []
    for name, array in zip(("tokens", "offsets"), shard(segments), strict=True):
        array.tofile(tmp_path / name)
        maps.append(np.memmap(tmp_path / name, dtype=array.dtype, mode="r"))
    assert examples(make(shards=[tuple(maps)])) == examples(make(segments))


def test_a_part_of_the_documents_has_the_examples_it_has_in_the_whole():
    segments = pairs(12)
    whole = examples(make(segments))
    part = examples(make(segments, documents=[7, 2, 9]))
    assert len(part) == 6
    assert set(part) <= set(whole)


def test_epochs_differ_and_can_be_read_again_or_from_the_middle():
    batches = make(pairs(20))
    first, second = examples(batches, 0), examples(batches, 1)
    assert [restored(e) for e in first] != [restored(e) for e in second]
    # Pairs of two or three tokens may be masked alike by chance.
    assert len(set(first) & set(second)) < len(first) / 4
    assert examples(batches, 0) == first
    late = list(batches.epoch(0, start=7))
    for ours, theirs in zip(late, list(batches.epoch(0))[7:], strict=True):
        assert torch.equal(ours["input_ids"], theirs["input_ids"])
    still = make(pairs(20), shuffle=False)
    assert [restored(e) for e in examples(still, 0)] == [
        restored(e) for e in examples(still, 1)
    ]
    other = examples(make(pairs(20), seed=1))
    assert len(set(other) & set(first)) < len(first) / 4


def test_no_example_is_lost_and_ranks_may_be_left_without():
    batches = make(pairs(5), batch_size=4)
    assert batches.n_batches(0) == 3
    assert [len(b["lengths"]) for b in batches.epoch(0)] == [4, 4, 2]
    last = make(pairs(5), batch_size=4, rank=3, world_size=4)
    sizes = [len(batch["lengths"]) for batch in last.epoch(0)]
    assert sizes == [1, 1, 0]


def test_length_pools_bring_like_lengths_together():
    segments = pairs(60, longest=14)
    spread = {}
    for pool in (1, 15):
        batches = make(segments, batch_size=8, length_pool=pool)
        spans = [b["lengths"].max() - b["lengths"].min() for b in batches.epoch(0)]
        spread[pool] = float(torch.stack(spans).float().mean())
    assert spread[15] < spread[1] / 3


def test_a_batch_is_halved_without_loss():
    batch = next(make(pairs(8), batch_size=5).epoch(0))
    first, second = make(pairs(8)).split(batch)
    assert [len(half["lengths"]) for half in (first, second)] == [3, 2]
    for name in ("input_ids", "token_type_ids", "lengths", "targets", "pair_labels"):
        assert torch.equal(torch.cat([first[name], second[name]]), batch[name])
    shift = len(first["input_ids"])
    assert torch.equal(
        torch.cat([first["places"], second["places"] + shift]), batch["places"]
    )
    single = next(make(pairs(1), batch_size=1).epoch(0))
    assert split_packed(single) == [single]


def test_token_masking_goes_through_batches_too():
    batch = next(make(pairs(30), batch_size=60, masking=TokenMasking()).epoch(0))
    share = len(batch["places"]) / int(batch["lengths"].sum())
    assert 0.08 < share < 0.25


def test_a_token_beyond_the_vocabulary_is_named():
    segments = pairs(6)
    segments[7][0] = VOCABULARY
    with pytest.raises(DataError, match=r"document 3 has a token .* 500"):
        list(make(segments).epoch(0))


def test_damaged_offsets_are_refused():
    tokens, offsets = shard(pairs(3))
    with pytest.raises(DataError, match="must run from 0 to its"):
        make(shards=[(tokens[:-1], offsets)])
    bad = offsets.copy()
    bad[2], bad[3] = bad[3] + 1, bad[2]
    with pytest.raises(DataError, match="offsets of shard 0 fall"):
        list(make(shards=[(tokens, bad)]).epoch(0))
    with pytest.raises(DataError, match="no multiple of 2"):
        make(shards=[shard(pairs(3)[:5])])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"n_segments": 3}, ValueError, "'n_segments' must be 1 or 2"),
        ({"n_segments": 1}, ValueError, "needs 2 segments a document"),
        ({"pair_objective": "order"}, ValueError, "'rop', 'nsp', 'sop' or None"),
        ({"special": {"pad": 0}}, ValueError, r"lacks \['cls', 'mask', 'sep', 'unk'\]"),
        ({"special": SPECIAL | {"user": 500}}, ValueError, "below 'vocab_size'"),
        ({"max_length": 3}, ValueError, "'max_length' must be at least 4"),
        ({"batch_size": 0}, ValueError, "'batch_size'"),
        ({"rank": 2, "world_size": 2}, ValueError, "'rank' must be"),
        ({"documents": [1, 1]}, DataError, "more than once"),
        ({"documents": [9]}, DataError, "below 4"),
        ({"documents": []}, DataError, "non-empty"),
        ({"pair_objective": "nsp", "documents": [1]}, DataError, "at least 2"),
    ],
)
def test_what_cannot_be_read_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        make(pairs(4), **changes)
