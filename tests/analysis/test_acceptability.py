"""Acceptability sheets: made, dealt, written, filled in, scored."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from tweetclf.analysis import (
    AcceptabilityItem,
    plan_sheets,
    read_items,
    read_sheets,
    score_judgements,
    write_sheets,
)
from tweetclf.exceptions import DataError

ITEMS = [
    AcceptabilityItem(i, (1, 3, 5, 10, 100)[i % 5], f"@user texto {i}", "antes")
    for i in range(1, 251)
]


def test_sheets_are_dealt_as_in_the_study():
    sheets = plan_sheets(ITEMS, ["ana", "ben"], n_shared=50, random_state=3)
    one, two = ({i.item for i in sheet} for sheet in sheets.values())
    assert len(one & two) == 50
    assert len(one | two) == 250
    assert len(one) == len(two) == 150
    for sheet in sheets.values():
        ranks = [item.k for item in sheet]
        # Each rank has its part of every sheet, in no order.
        assert all(25 <= ranks.count(k) <= 35 for k in (1, 3, 5, 10, 100))
        assert ranks != sorted(ranks)
    shared = [item for item in sheets["ana"] if item.item in two]
    assert all(sum(i.k == k for i in shared) == 10 for k in (1, 3, 5, 10, 100))
    again = plan_sheets(ITEMS, ["ana", "ben"], n_shared=50, random_state=3)
    assert sheets == again
    orders = [[i.item for i in sheet if i in shared] for sheet in sheets.values()]
    assert orders[0] != orders[1]


def test_sheets_are_blind_safe_and_never_overwritten(tmp_path):
    sheets = plan_sheets(ITEMS[:20], n_shared=4)
    paths = write_sheets(sheets, tmp_path / "sheets")
    assert [p.name for p in paths] == ["annotator-1.csv", "annotator-2.csv", "key.json"]
    with paths[0].open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == {"item", "text", "acceptable", "comment"}
    # A spreadsheet must not take "@user" for a formula.
    assert all(row["text"].startswith("'@user") for row in rows)
    assert read_items(tmp_path / "sheets") == ITEMS[:20]
    with pytest.raises(FileExistsError, match="no judgement is lost"):
        write_sheets(sheets, tmp_path / "sheets")
    with pytest.raises(ValueError, match="name of a file"):
        write_sheets({"../a": ITEMS[:2]}, tmp_path)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_filled_sheets_are_read(tmp_path, separator):
    lines = [
        separator.join(("item", "text", "acceptable", "comment")),
        separator.join(("1", '"two\nlines"', "Sí", "")),
        separator.join(("2", "x\u2028y\x85z", "0", "?")),
        separator.join(("3", "x", "", "")),
    ]
    (tmp_path / "ana.csv").write_text("\n".join(lines) + "\n", "utf-8-sig")
    assert read_sheets(tmp_path) == {"ana": {1: True, 2: False}}


def test_what_is_no_judgement_is_named_by_its_line(tmp_path):
    path = tmp_path / "ana.csv"
    path.write_text("item,text,acceptable\n1,x,1\n2,y,maybe\n", "utf-8")
    with pytest.raises(DataError, match="line 3.*'maybe'"):
        read_sheets([path])
    path.write_text("item,text\n1,x\n", "utf-8")
    with pytest.raises(DataError, match="no column 'acceptable'"):
        read_sheets(path)
    with pytest.raises(DataError, match="no sheet"):
        read_sheets([])
    (tmp_path / "key.json").write_text('[{"item": 1}]', "utf-8")
    with pytest.raises(DataError, match="no key"):
        read_items(tmp_path)


def test_scores_and_agreement_are_those_of_scikit_learn():
    generator = np.random.default_rng(0)
    sheets = plan_sheets(ITEMS, ["ana", "ben", "eva"], n_shared=50)
    said = {
        name: {i.item: bool(generator.random() < 1 / (1 + i.k / 10)) for i in sheet}
        for name, sheet in sheets.items()
    }
    found = score_judgements(ITEMS, said)
    assert found.ks == (1, 3, 5, 10, 100)
    assert found.n_items.tolist() == [50] * 5
    for k, score, low, high in zip(
        found.ks, found.scores, found.low, found.high, strict=True
    ):
        own = [
            np.mean([judged[i.item] for judged in said.values() if i.item in judged])
            for i in ITEMS
            if i.k == k
        ]
        assert score == pytest.approx(np.mean(own))
        assert low <= score <= high
    assert len(found.agreements) == 3
    for agreement in found.agreements:
        one, two = said[agreement.first], said[agreement.second]
        both = sorted(one.keys() & two.keys())
        a, b = [one[i] for i in both], [two[i] for i in both]
        assert agreement.n_items == 50
        assert agreement.agreement == np.mean(np.array(a) == np.array(b))
        assert agreement.kappa == pytest.approx(cohen_kappa_score(a, b))


def test_edges_of_scoring():
    same = {"a": {1: True, 2: True}, "b": {1: True, 2: True}}
    assert math.isnan(score_judgements(ITEMS, same).agreements[0].kappa)
    assert score_judgements(ITEMS, {"a": {1: True}, "b": {2: True}}).agreements == ()
    with pytest.raises(DataError, match="item 999 of sheet 'a'"):
        score_judgements(ITEMS, {"a": {999: True}})
    with pytest.raises(DataError, match="no item was judged"):
        score_judgements(ITEMS, {"a": {}})
    with pytest.raises(ValueError, match="n_shared"):
        plan_sheets(ITEMS, n_shared=251)
    with pytest.raises(ValueError, match="different names"):
        plan_sheets(ITEMS, ["a", "a"])


def test_replacements_have_the_rank_that_is_said(make_model):
    torch = pytest.importorskip("torch")
    from tweetclf.analysis import load_model, make_items
    from tweetclf.analysis._models import Sequences

    model = load_model(make_model("masked"), head="masked", device="cpu")
    words = ("hoy", "risa", "lunes", "partido", "nada", "hay", "genial", "a")
    texts = [f"qué risa me da el lunes no me gusta nada {w}" for w in words]
    texts += ["corto"]
    items = make_items(model, texts, ks=[1, 4], n_items=6, min_tokens=8, max_tokens=30)
    assert [item.item for item in items] == [1, 2, 3, 4, 5, 6]
    assert sorted(item.k for item in items) == [1, 1, 1, 4, 4, 4]
    assert len({item.original for item in items}) == 6
    special = set(model.tokenizer.all_special_ids)
    for item in items:
        tokens = model.encode([item.original], 128)
        ids = tokens.ids.astype(np.int64)
        n_text = int((~tokens.special).sum())
        assert len(item.replaced) == max(1, round(0.15 * n_text))
        # Fill in again, one after the other, by sorting all that the model says.
        after = model.encode([item.text], 128).ids
        places = np.flatnonzero(ids != after) if len(after) == len(ids) else []
        if len(places) != len(item.replaced):
            continue
        filled = ids.copy()
        filled[places] = model.mask_id
        for place in places:
            logits = model.masked_logits(
                Sequences(filled[None], np.zeros_like(filled)[None]), np.array([place])
            )[0]
            order = [i for i in torch.argsort(-logits, stable=True).tolist()
                     if i not in special]  # fmt: skip
            assert order[item.k - 1] == after[place]
            filled[place] = after[place]
    assert items == make_items(
        model, texts, ks=[1, 4], n_items=6, min_tokens=8, max_tokens=30
    )
    with pytest.raises(DataError, match="for 5 ranks"):
        make_items(model, texts[-1:])
    with pytest.raises(DataError, match="none of rank"):
        make_items(model, texts, ks=[10**6], min_tokens=8, max_tokens=30)
    with pytest.raises(ValueError, match="mask_rate"):
        make_items(model, texts, mask_rate=0.0)
