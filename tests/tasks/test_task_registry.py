"""The registry: complete, cheap to list, near names, and the data behind it."""

from __future__ import annotations

import gzip
import json
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

from tweetclf.exceptions import ChecksumError, DataError, UnknownNameError
from tweetclf.tasks import (
    Split,
    list_corpora,
    list_tasks,
    load_corpus,
    load_task,
    task_info,
)

INFOS = list_tasks()
NAMES = [info.name for info in INFOS]


@pytest.mark.parametrize("info", INFOS, ids=NAMES)
def test_metadata_are_complete(info):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", info.name)
    for field in ("version", "source", "licence", "citation", "description"):
        assert getattr(info, field).strip(), field
    assert len(info.how_to_obtain) > 20
    assert re.fullmatch(r"[a-z]{2}(-[A-Z]{2})?", info.language)
    assert "train" in info.splits
    assert "dev" in info.splits
    assert (info.kind == "pair") == ("text_b" in info.reading)
    if info.target_kind == "regression":
        assert info.label_names == ()
    else:
        assert len(set(info.label_names)) == len(info.label_names) >= 2
        assert info.metric.labels == info.label_names
    assert (info.target_kind == "binary") == (
        len(info.label_names) == 2 and info.target_kind != "multilabel"
    )
    signatures = [m.signature() for m in (info.metric, *info.secondary_metrics)]
    assert len(set(signatures)) == len(signatures)
    assert info.dev_source
    if "test" not in info.splits:
        assert info.test_source != "official"
    if info.sha256:
        assert set(info.sha256) == set(info.rows)
        assert all(re.fullmatch("[0-9a-f]{64}", h) for h in info.sha256.values())


def test_the_datasets_of_the_plan_are_there():
    wanted = """tweeteval-emoji tweeteval-emotion tweeteval-hate tweeteval-irony
    tweeteval-offensive tweeteval-sentiment tweeteval-stance tweeteval-stance-abortion
    hateval-en hateval-en-b hateval-es hateval-es-b haha-2019 haha-2019-funniness
    irosva-es irosva-cu tass-general intertass-mx intertass-uy coset emoevent-es
    emojispace-es umsab-french sentimix-spanglish semeval2018-e-c-en semeval2018-e-c-ar
    semeval2018-ei-reg-en semeval2018-v-oc-ar cic-es stancecat-es rumoureval2017
    figlang-sarcasm jsts jcola wrime-joy news-accounts-es twitter15 topics-es
    sentiment140-100k sample-sentiment sample-humor sample-funniness sample-emotions
    sample-stance"""
    assert set(wanted.split()) <= set(NAMES)
    assert sorted(NAMES) == NAMES


def test_official_metrics():
    signatures = {
        "tweeteval-irony": "f1|average:binary|pos:irony|zero:0|v1",
        "tweeteval-sentiment": "recall|average:macro|zero:0|v1",
        "tweeteval-stance": "f1|average:macro|over:against+favor|zero:0|v1",
        "tweeteval-emoji": "f1|average:macro|zero:0|v1",
        "hateval-es": "f1|average:macro|zero:0|v1",
        "hateval-es-b": "exact_match|bits|v1",
        "haha-2019": "f1|average:binary|pos:humor|zero:0|v1",
        "haha-2019-funniness": "rmse|v1",
        "semeval2018-e-c-en": "jaccard|average:samples|zero:1|v1",
        "semeval2018-ei-reg-en": "pearson|zero:0|groups:mean|v1",
        "wrime-joy": "kappa|weights:quadratic|zero:0|v1",
        "jcola": "accuracy|v1",
        "sample-humor": "f1|average:binary|pos:humor|zero:0|v1",
        "sample-emotions": "jaccard|average:samples|zero:1|v1",
    }
    found = {name: task_info(name).metric.signature() for name in signatures}
    assert found == signatures


def test_near_names_are_suggested():
    with pytest.raises(UnknownNameError, match="Did you mean 'tweeteval-irony'"):
        load_task("tweeteval-irny")
    with pytest.raises(UnknownNameError, match="no file"):
        load_task("zzz")
    with pytest.raises(UnknownNameError, match="conversations"):
        load_corpus("conversation")


def test_listing_is_cheap():
    code = (
        "import sys; from tweetclf.tasks import list_tasks; list_tasks();"
        "heavy = {'sklearn', 'scipy', 'pandas', 'pooch', 'requests', 'torch',"
        "'matplotlib', 'pyarrow'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_absent_data_say_where_and_how(tmp_path, monkeypatch):
    with pytest.raises(DataError) as error:
        load_task("tweeteval-irony", data_dir=tmp_path)
    message = str(error.value)
    assert str(tmp_path / "tweeteval" / "irony" / "train.jsonl.gz") in message
    assert "tweetclf fetch tweeteval" in message
    monkeypatch.setenv("TWEETCLF_DATA", str(tmp_path / "named"))
    with pytest.raises(DataError, match="named"):
        load_task("hateval-es")
    with pytest.raises(DataError, match="looked for"):
        load_corpus("conversations", data_dir=tmp_path)
    assert not task_info("hateval-es").available(tmp_path)


def test_cache_folder_is_the_last_resort(monkeypatch):
    monkeypatch.delenv("TWEETCLF_DATA", raising=False)
    from tweetclf.tasks.locations import data_folder

    assert data_folder().name == "tweetclf"


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()))


@pytest.fixture
def hateval_es(tmp_path):
    """A folder in the layout of a registered task, with U+2028 in the texts."""
    for split, n in (("train", 40), ("dev", 8), ("test", 12)):
        rows = [
            {
                "id": f"{split}{i}",
                "text": f"tuit\u2028 {i}\x85 de {split}",
                "HS": int(i % 4 > 0),
                "TR": int(i % 4 > 1),
                "AG": int(i % 4 > 2),
            }
            for i in range(n)
        ]
        write(tmp_path / "hateval_es" / f"{split}.jsonl.gz", rows)
    return tmp_path


def test_layout_without_registered_checksum_is_read(hateval_es):
    task = load_task("hateval-es-b", data_dir=hateval_es)
    assert task.train.labels[:4].tolist() == ["000", "100", "110", "111"]
    assert len(task.test) == 12
    assert task.train.texts[3] == "tuit\u2028 3\x85 de train"
    assert any("No checksum" in note for note in task.notes)
    assert list(task.splits) == ["train", "dev", "test"]
    again = pickle.loads(pickle.dumps(task))
    assert again.train.sha256 == task.train.sha256
    a = load_task("hateval-es", data_dir=hateval_es)
    assert a.train.labels[:2].tolist() == ["not-hate", "hate"]


def test_broken_files_name_file_line_and_field(hateval_es):
    path = hateval_es / "hateval_es" / "train.jsonl.gz"
    write(path, [{"id": "1", "text": "a", "HS": 0, "TR": 0, "AG": 0}, {"id": "2"}])
    with pytest.raises(DataError, match=r"train.jsonl.gz, line 2: .*'text'"):
        _ = load_task("hateval-es-b", data_dir=hateval_es).train
    write(path, [{"id": "1", "text": "a", "HS": 0, "TR": 1, "AG": 0}])
    with pytest.raises(DataError, match="line 1: '010' is not a label"):
        _ = load_task("hateval-es-b", data_dir=hateval_es).train
    write(path, [{"id": "1", "text": None, "HS": 0, "TR": 0, "AG": 0}])
    with pytest.raises(DataError, match="line 1: the field 'text' is None"):
        _ = load_task("hateval-es", data_dir=hateval_es).train
    path.write_bytes(gzip.compress(b"{}")[:-4])
    with pytest.raises(DataError, match="damaged"):
        _ = load_task("hateval-es", data_dir=hateval_es).train


def test_other_data_under_a_registered_name_are_refused(tmp_path):
    rows = [
        {"id": f"x{i}", "text": f"t {i}", "label_name": ("irony", "non_irony")[i % 2]}
        for i in range(10)
    ]
    for stem in ("train", "val", "test"):
        write(tmp_path / "tweeteval" / "irony" / f"{stem}.jsonl.gz", rows)
    task = load_task("tweeteval-irony", data_dir=tmp_path)
    with pytest.raises(ChecksumError, match="expected sha256 .* found"):
        _ = task.train
    loose = load_task("tweeteval-irony", data_dir=tmp_path, verify=False)
    assert len(loose.train) == 10


def test_sample_tasks_read_the_agreed_format(tmp_path, monkeypatch):
    tweets = [
        {
            "id": f"s{i}",
            "text": f"tuit {i}",
            "sentiment": ("P", "N", "NEU", "NONE")[i % 4],
            "humor": i % 2,
            "funniness": 2.5 if i % 2 else None,
            "emotions": ["joy", "love"] if i % 3 else [],
            "dialect": "es",
            "split": ("train", "dev", "test")[i % 3],
        }
        for i in range(48)
    ]
    pairs = [
        {
            "id": f"p{i}",
            "text": f"tuit {i}",
            "text_b": f"respuesta {i}",
            "stance": ("support", "deny", "query", "comment")[i % 4],
            "dialect": "mx",
            "split": ("train", "dev", "test")[i % 3],
        }
        for i in range(24)
    ]
    for name, rows in (("tweets", tweets), ("pairs", pairs)):
        path = tmp_path / "sample" / f"{name}.jsonl"
        path.parent.mkdir(exist_ok=True)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr("tweetclf.tasks.registry.PACKAGE_DATA", tmp_path)
    sentiment = load_task("sample-sentiment", verify=False)
    assert len(sentiment.train) == len(sentiment.test) == 16
    humor = load_task("sample-humor", verify=False)
    assert set(humor.train.labels.tolist()) == {"humor", "not-humor"}
    funniness = load_task("sample-funniness", verify=False)
    assert len(funniness.train) == 8
    assert funniness.train.labels.dtype == np.float64
    emotions = load_task("sample-emotions", verify=False)
    assert emotions.dev.labels.shape == (16, 7)
    assert emotions.dev.labels[0].tolist() == [1, 0, 0, 0, 0, 0, 1]
    stance = load_task("sample-stance", verify=False)
    assert stance.pair
    assert stance.kind == "pair"
    assert stance.target_kind == "multiclass"
    assert stance.train.texts[0] == ("tuit 0", "respuesta 0")


def test_corpora_are_registered(tmp_path):
    assert {c.name for c in list_corpora()} >= {"conversations", "topics-es"}
    rows = [{"id": 1, "text": "a\u2028b", "text_b": "c"}]
    write(tmp_path / "conversations" / "pairs.jsonl.gz", rows)
    corpus = load_corpus("conversations", data_dir=tmp_path)
    assert isinstance(corpus, Split)
    assert corpus.labels is None
    assert corpus.texts == (("a\u2028b", "c"),)
    for info in list_corpora():
        assert info.licence
        assert info.source
        assert info.description
        assert info.pair == (info.name == "conversations")
