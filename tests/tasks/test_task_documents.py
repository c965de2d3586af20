"""The documentation page, the maintenance command, the bundled sample."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tweetclf.exceptions import DataError
from tweetclf.tasks import list_tasks, load_task
from tweetclf.tasks._document import update
from tweetclf.tasks._maintenance import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tasks.md"


def test_tables_of_the_page_are_up_to_date():
    assert update(PAGE, write=False) == PAGE.read_text(encoding="utf-8"), (
        "run: python -m tweetclf.tasks._maintenance --docs docs/tasks.md"
    )
    for info in list_tasks():
        assert f"| `{info.name}` |" in PAGE.read_text(encoding="utf-8")


def test_code_of_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), {})
    assert "'tweet' was taken as the text" in capsys.readouterr().out


def test_maintenance_refuses_to_change_a_released_task(tmp_path, monkeypatch, capsys):
    (tmp_path / "hateval_es").mkdir()
    path = tmp_path / "hateval_es" / "train.jsonl.gz"
    import gzip

    def write(text):
        row = {"id": "1", "text": text, "HS": 1, "TR": 0, "AG": 0}
        for stem in ("train", "dev", "test"):
            file = path.with_name(f"{stem}.jsonl.gz")
            file.write_bytes(gzip.compress(json.dumps(row).encode()))

    package = tmp_path / "package"
    package.mkdir()
    facts = package / "checksums.json"
    facts.write_text('{"other": {"train": {"rows": 1, "sha256": "x"}}}', "utf-8")
    monkeypatch.setattr("tweetclf.tasks._maintenance.PACKAGE_DATA", package)
    write("hola")
    command = ["--data-dir", str(tmp_path), "hateval-es"]
    assert main(command) == 0
    first = json.loads(facts.read_text("utf-8"))
    assert first["hateval-es"]["train"]["rows"] == 1
    assert "other" in first
    assert main(command) == 0
    write("adiós")
    with pytest.raises(SystemExit):
        main(command)
    assert "--force" in capsys.readouterr().err
    assert json.loads(facts.read_text("utf-8")) == first
    assert main([*command, "--force"]) == 0
    assert json.loads(facts.read_text("utf-8")) != first


def test_options_of_own_files_do_not_change_registered_tasks():
    with pytest.raises(DataError, match=r"label=\.\.\. \(--label\) applies to files"):
        load_task("sample-humor", label="x")


@pytest.mark.parametrize(
    "name", ["sentiment", "humor", "funniness", "emotions", "stance"]
)
def test_bundled_sample_is_the_registered_one(name):
    task = load_task(f"sample-{name}")
    assert not task.notes
    assert task.licence == "CC0 1.0"
    texts = []
    for split_name in ("train", "dev", "test"):
        split = task.splits[split_name]  # its sha256 is checked
        assert len(split) >= 20
        texts += split.texts
    assert len(set(texts)) == len(texts)
    if task.target_kind in {"binary", "multiclass"}:
        shares = Counter(task.train.labels.tolist())
        assert set(shares) == set(task.label_names)
        assert set(task.test.labels.tolist()) == set(task.label_names)
