"""A lock file: one process has it, and what a killed one leaves is taken over."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tweetclf.exceptions import DataError, TweetclfWarning
from tweetclf.utils import locks
from tweetclf.utils.locks import exclusive_lock, locked

HOLD = (
    "import sys, time\nfrom tweetclf.utils.locks import exclusive_lock\n"
    "with exclusive_lock(sys.argv[1], 'other'):\n"
    "    print('held', flush=True)\n    time.sleep(60)\n"
)


def test_another_process_is_refused_until_it_is_gone(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            refused = pytest.raises(DataError, match=f"me: process {other.pid} on ")
            with refused, exclusive_lock(lock, "me"):
                pass
            assert lock.exists()
        finally:
            other.send_signal(signal.SIGKILL)
    gone = pytest.warns(TweetclfWarning, match=f"process {other.pid} had .* taken over")
    with gone, exclusive_lock(lock, "me"):
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert not list(tmp_path.iterdir())


def test_the_same_process_has_it_once_and_gives_it_back(tmp_path: Path) -> None:
    lock = tmp_path / "new" / "lock"
    with exclusive_lock(lock, "me"):
        with (
            pytest.raises(DataError, match="remove the file"),
            exclusive_lock(lock, ""),
        ):
            pass
        assert lock.exists()
    with pytest.raises(KeyboardInterrupt), exclusive_lock(lock, "me"):
        raise KeyboardInterrupt
    assert not list(lock.parent.iterdir())


def test_who_waits_gets_the_lock_of_a_process_that_is_killed(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    lock = tmp_path / "new" / "lock"
    hold = HOLD.replace("exclusive_lock", "locked").replace(", 'other'", "")
    command = [sys.executable, "-c", hold, str(lock)]
    over = threading.Event()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:

        def end() -> None:
            over.set()
            other.kill()

        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            threading.Timer(0.3, end).start()
            with locked(lock):
                assert over.is_set()
        finally:
            other.kill()
    with locked(lock):
        pass
    assert lock.read_bytes() == b""


@pytest.mark.parametrize(
    "text", [json.dumps({"pid": 2**22 + 1, "host": "elsewhere", "key": ""}), "", "[1]"]
)
def test_of_others_nothing_can_be_told(tmp_path: Path, text: str) -> None:
    lock = tmp_path / "lock"
    lock.write_text(text)
    with pytest.raises(DataError, match="has .*lock"), exclusive_lock(lock, "me"):
        pass
    assert lock.read_text() == text


def test_of_two_that_take_over_one_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else takes over between the look at the file and its removal."""
    lock = tmp_path / "lock"
    host = socket.gethostname()
    lock.write_text(json.dumps({"pid": 2**22 + 1, "host": host, "key": "stale"}))
    faster = json.dumps({"pid": os.getpid(), "host": host, "key": "faster"})

    def look(pid: int) -> bool:
        if lock.read_text() == faster:
            return True
        lock.write_text(faster)
        return False

    monkeypatch.setattr(locks, "_is_alive", look)
    with pytest.raises(DataError, match="has .*lock"), exclusive_lock(lock, "me"):
        pass
    assert [path.read_text() for path in tmp_path.iterdir()] == [faster]
