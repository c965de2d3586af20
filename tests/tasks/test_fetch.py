"""Downloads against a local server: whole, checked, resumed, never half-written."""

from __future__ import annotations

import copy
import gzip
import hashlib
import http.server
import json
import socket
import threading
from collections import Counter
from pathlib import Path

import pytest

from tweetclf.exceptions import ChecksumError, DataError, UnknownNameError
from tweetclf.tasks import fetch, load_task
from tweetclf.tasks.download import _parts
from tweetclf.tasks.locations import PACKAGE_DATA

# Emoji are the only task whose mapping has a third column (and ends in a tab).
EMOJI = "❤ 😍 😂 💕 🔥 😊 😎 ✨ 💙 😘 📷 🇺🇸 ☀ 💜 😉 💯 😁 🎄 📸 😜"


KNOWN = json.loads((PACKAGE_DATA / "tweeteval_files.json").read_text("utf-8"))


def rebuild(shared_data: Path, file: str) -> bytes:
    """Make a file of the benchmark again from the JSON Lines."""
    folder, name = file.rsplit("/", 1)
    local = "stance_abortion" if file == "stance/mapping.txt" else folder
    local = local.replace("/", "_")
    stem = "train" if name == "mapping.txt" else name.split("_")[0]
    path = shared_data / "tweeteval" / local / f"{stem}.jsonl.gz"
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")[:-1]
    rows = [json.loads(line) for line in lines]
    if name != "mapping.txt":
        column = "text" if name.endswith("text.txt") else "label"
        return "".join(f"{row[column]}\n" for row in rows).encode()
    names = [n for _, n in sorted({(r["label"], r["label_name"]) for r in rows})]
    if folder == "emoji":
        both = zip(EMOJI.split(), names, strict=True)
        return "".join(f"{i}\t{e}\t{n}\t\n" for i, (e, n) in enumerate(both)).encode()
    return "".join(f"{i}\t{n}\n" for i, n in enumerate(names)).encode()


class Server:
    """Serves bytes by path, and misbehaves on demand."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.broken: dict[str, list[str]] = {}
        self.asked: Counter[str] = Counter()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.removeprefix("/")
                outer.asked[path] += 1
                how = outer.broken.get(path)
                fault = how.pop(0) if how else ""
                body = outer.files.get(path)
                if body is None or fault == "500":
                    self.send_error(404 if body is None else 500)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if fault == "truncated":
                    body = body[: len(body) // 2]
                elif fault == "corrupt":
                    body = bytes([body[0] ^ 1]) + body[1:]
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(
            target=self.server.serve_forever, args=(0.01,), daemon=True
        ).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


def publish(server: Server, shared_data: Path, *tasks: str) -> None:
    """Serve the files of tasks, byte for byte as the benchmark's."""
    for name in tasks:
        for part in _parts(name):
            for file in part.files.values():
                body = rebuild(shared_data, file)
                # A last line feed is not kept in the JSON Lines.
                for candidate in (body, body[:-1]):
                    if hashlib.sha256(candidate).hexdigest() == KNOWN["files"][file]:
                        server.files[file] = candidate
                assert file in server.files, file


@pytest.fixture
def upstream(shared_data, server):
    publish(server, shared_data, "tweeteval-irony", "tweeteval-stance")
    return server


def leftovers(root: Path) -> list[str]:
    """Files that are neither finished data nor whole downloads."""
    return [p.name for p in root.rglob("*") if p.is_file() and "tmp" in p.name]


@pytest.mark.data
def test_fetched_tasks_are_the_registered_ones(tmp_path, upstream):
    folder = fetch("tweeteval-irony", tmp_path, base_url=upstream.url, progress=False)
    assert folder == tmp_path / "tweeteval"
    fetch("tweeteval-stance", tmp_path, base_url=upstream.url)
    for name in ("tweeteval-irony", "tweeteval-stance", "tweeteval-stance-hillary"):
        task = load_task(name, data_dir=tmp_path)
        for split in task.splits.values():
            assert split.sha256 == task.sha256[split.name]
    assert not (folder / ".partial").exists()
    assert max(upstream.asked.values()) == 1
    fetch("tweeteval-irony", tmp_path, base_url=upstream.url)
    assert max(upstream.asked.values()) == 1  # nothing is downloaded again


@pytest.mark.data
def test_fetched_file_equals_the_shared_one(tmp_path, upstream, shared_data):
    fetch("tweeteval-irony", tmp_path, base_url=upstream.url)
    for stem in ("train", "val", "test"):
        paths = (
            root / "tweeteval" / "irony" / f"{stem}.jsonl.gz"
            for root in (tmp_path, shared_data)
        )
        ours, theirs = (gzip.decompress(path.read_bytes()) for path in paths)
        assert [json.loads(line) for line in ours.split(b"\n") if line] == [
            json.loads(line) for line in theirs.split(b"\n") if line
        ]


@pytest.mark.data
@pytest.mark.parametrize("fault", ["truncated", "corrupt", "500"])
def test_one_fault_is_tried_again(tmp_path, upstream, fault, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    upstream.broken["irony/train_text.txt"] = [fault]
    fetch("tweeteval-irony", tmp_path, base_url=upstream.url, retries=1)
    assert upstream.asked["irony/train_text.txt"] == 2
    assert len(load_task("tweeteval-irony", data_dir=tmp_path).train) == 2862


@pytest.mark.data
@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("truncated", DataError, "run the same again"),
        ("corrupt", ChecksumError, "expected sha256"),
        ("500", DataError, "500"),
    ],
)
def test_lasting_fault_leaves_nothing_half_written(
    tmp_path, upstream, fault, error, message
):
    upstream.broken["irony/val_text.txt"] = [fault] * 9
    with pytest.raises(error, match=message) as raised:
        fetch("tweeteval-irony", tmp_path, base_url=upstream.url, retries=0)
    assert f"{upstream.url}irony/val_text.txt" in str(raised.value)
    irony = tmp_path / "tweeteval" / "irony"
    assert [path.name for path in irony.iterdir()] == ["train.jsonl.gz"]
    assert not leftovers(tmp_path)
    with pytest.raises(DataError, match=r"val\.jsonl\.gz"):
        load_task("tweeteval-irony", data_dir=tmp_path)
    upstream.broken.clear()
    before = upstream.asked.copy()
    fetch("tweeteval-irony", tmp_path, base_url=upstream.url, retries=0)
    again = upstream.asked - before
    assert again["irony/val_text.txt"] == 1
    assert not [file for file in again if "train" in file or "mapping" in file]
    assert len(load_task("tweeteval-irony", data_dir=tmp_path).dev) == 955


@pytest.mark.data
def test_interrupt_keeps_what_is_finished(tmp_path, upstream, monkeypatch):
    import pooch

    call = pooch.HTTPDownloader.__call__

    def interrupted(self, url, output, *args, **kwargs):
        if url.endswith("test_text.txt"):
            Path(output).write_bytes(b"half a fi")
            raise KeyboardInterrupt
        return call(self, url, output, *args, **kwargs)

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch("tweeteval-irony", tmp_path, base_url=upstream.url)
    found = sorted(p.name for p in (tmp_path / "tweeteval" / "irony").iterdir())
    assert found == ["train.jsonl.gz", "val.jsonl.gz"]
    assert not leftovers(tmp_path)
    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", call)
    fetch("tweeteval-irony", tmp_path, base_url=upstream.url)
    assert len(load_task("tweeteval-irony", data_dir=tmp_path).test) == 784
    assert upstream.asked["irony/train_text.txt"] == 1


@pytest.mark.data
def test_damaged_local_file_is_fetched_again(tmp_path, upstream):
    fetch("tweeteval-irony", tmp_path, base_url=upstream.url)
    path = tmp_path / "tweeteval" / "irony" / "val.jsonl.gz"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match="damaged"):
        _ = load_task("tweeteval-irony", data_dir=tmp_path).dev
    fetch("tweeteval-irony", tmp_path, base_url=upstream.url)
    assert len(load_task("tweeteval-irony", data_dir=tmp_path).dev) == 955
    assert upstream.asked["irony/train_text.txt"] == 1


def test_files_are_those_of_all_seven_tasks():
    parts = _parts("tweeteval")
    assert len(parts) == 11 * 3
    files = {file for part in parts for file in part.files.values()}
    assert "stance/mapping.txt" in files
    assert "stance/hillary/val_text.txt" in files
    assert "sentiment/train_text.txt" in files
    assert files == set(KNOWN["files"])
    assert [file for file, known in KNOWN["files"].items() if known is None] == [
        "sentiment/train_text.txt"
    ]


@pytest.mark.data
@pytest.mark.slow
def test_emoji_mapping_has_a_third_column(tmp_path, server, shared_data):
    publish(server, shared_data, "tweeteval-emoji")
    fetch("tweeteval-emoji", tmp_path, base_url=server.url)
    assert len(load_task("tweeteval-emoji", data_dir=tmp_path).test) == 50000


def serve_sentiment(server, monkeypatch, n_lines):
    """Serve a made-up sentiment task, whose train texts have no known hash."""
    files = {"sentiment/mapping.txt": b"0\tnegative\n1\tneutral\n2\tpositive\n"}
    for stem, rows in (("train", 45615), ("val", 2000), ("test", 12284)):
        labels = "".join(f"{i % 3}\n" for i in range(rows))
        files[f"sentiment/{stem}_labels.txt"] = labels.encode()
        n = n_lines if stem == "train" else rows
        text = "".join(f"tweet\x85 {i} \n" for i in range(n))
        files[f"sentiment/{stem}_text.txt"] = text.encode()
    server.files.update(files)
    known = copy.deepcopy(KNOWN)
    for file, body in files.items():
        if known["files"][file] is not None:
            known["files"][file] = hashlib.sha256(body).hexdigest()
    monkeypatch.setattr("tweetclf.tasks.download._source", lambda: known)


def test_file_without_known_hash_is_checked_by_its_lines(tmp_path, server, monkeypatch):
    with monkeypatch.context() as patch:
        serve_sentiment(server, patch, n_lines=45615)
        fetch("tweeteval-sentiment", tmp_path, base_url=server.url)
    task = load_task("tweeteval-sentiment", data_dir=tmp_path)
    assert len(task.train) == 45615
    assert task.train.texts[1] == "tweet\x85 1 "
    assert task.train.labels[:3].tolist() == ["negative", "neutral", "positive"]
    with monkeypatch.context() as patch:
        serve_sentiment(server, patch, n_lines=45000)
        with pytest.raises(ChecksumError, match="45000 lines"):
            fetch("tweeteval-sentiment", tmp_path / "b", base_url=server.url)


def test_what_cannot_be_fetched_says_how_to_get_it(tmp_path, server):
    with pytest.raises(DataError, match="has no download. Ask the organisers"):
        fetch("hateval-es", tmp_path)
    with pytest.raises(UnknownNameError, match="Did you mean 'tweeteval'"):
        fetch("tweetevil", tmp_path)
    with pytest.raises(UnknownNameError, match="Did you mean"):
        fetch("tweeteval-irny", tmp_path)
    with pytest.raises(DataError, match="could not be downloaded"):
        fetch("tweeteval-irony", tmp_path, base_url=server.url, retries=0)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be written"):
        fetch("tweeteval-irony", tmp_path / "file", base_url=server.url, retries=0)


def test_no_network_is_one_clear_line(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(DataError) as caught:
        fetch("tweeteval-irony", tmp_path, base_url=f"http://{host}/", retries=2)
    said = str(caught.value)
    assert f"no connection to {host}" in said
    assert "--base-url" in said
    assert "urllib3" not in said
    # pooch has a logger of its own, which says each of its retries.
    assert capfd.readouterr().err == ""
