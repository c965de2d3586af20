"""Fixtures of the whole suite."""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# One BLAS thread a process: the suite runs in parallel on small machines.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

# Where compiled files are forbidden, each of the hundred commands that tests start
# would compile all of tweetclf again, and pytest all tests: minutes altogether.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How long an example takes says how busy the machine is. Examples of every run are
# new ones, so that fewer of them a run are tried in time, too.
settings.register_profile(
    "tweetclf",
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tweetclf")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the public datasets; the test is skipped where it is absent."""
    named = os.environ.get("TWEETCLF_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(
            f"the public datasets are not at {folder}; set TWEETCLF_DATA to their "
            "folder to run this test"
        )
    return folder


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else "localhost"
        if host not in {"127.0.0.1", "::1", "localhost"}:
            raise RuntimeError(f"a test tried to reach {address!r}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True, scope="session")
def _no_wait_for_the_disk() -> Iterator[None]:
    """Let files lie in memory until the system writes them: no test cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder the current one, with no public data at hand."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWEETCLF_DATA", str(tmp_path / "no-data"))
    return tmp_path


@pytest.fixture
def growth_of_memory() -> Callable[[Callable[[], object]], float]:
    """Measure by what share 50 calls make the process larger, after 10 others."""
    psutil = pytest.importorskip("psutil")
    process = psutil.Process()

    def measure(call: Callable[[], object]) -> float:
        for _ in range(10):
            call()
        gc.collect()
        before = process.memory_info().rss
        for _ in range(50):
            call()
        gc.collect()
        return process.memory_info().rss / before - 1

    return measure


def _set_aside() -> None:
    # Every run of a leaderboard collects garbage, so that its memory is its own. With
    # all tests and torch, scikit-learn and pandas in one process there are a million
    # objects to look through, which takes longer than the runs.
    gc.collect()
    gc.freeze()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Set the tests themselves aside, and what they import."""
    _set_aside()


@pytest.fixture(autouse=True, scope="module")
def _imports_set_aside() -> Iterator[None]:
    """Set aside what a module has imported on the way."""
    yield
    _set_aside()


# What tiny models with heads are made of.
_TEXTS = [
    "qué risa me da el lunes",
    "no me gusta nada esto @pepe",
    "genial 😂 el partido de hoy http://t.co/x",
    "el lunes no me gusta #lunes",
    "qué risa el partido , 3 a 2 !",
    "hoy no hay nada",
]
_PAIRS = [
    ("¿vienes hoy?", "no , hoy no"),
    ("qué risa", "me da risa"),
    ("el lunes no me gusta nada", "a mí el lunes me gusta"),
    ("genial el partido", "3 a 2 !"),
    ("no hay nada", "hay partido hoy"),
]


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return what makes a tiny model with a head, once for the same arguments."""
    pytest.importorskip("torch")
    import torch
    import transformers

    from tweetclf.testing import make_tiny_transformer
    from tweetclf.training.devices import seeded
    from tweetclf.utils.hugging_face import quiet_transformers

    made: dict[Any, Path] = {}

    def make(
        head: str = "masked", kind: str = "bert", seed: int = 0, **config: Any
    ) -> Path:
        key = head, kind, seed, tuple(sorted(config.items()))
        if key in made:
            return made[key]
        folder = tmp_path_factory.mktemp(f"{kind}-{head}")
        sides = [side for pair in _PAIRS for side in pair]
        make_tiny_transformer(folder, _TEXTS + sides, kind=kind, seed=seed)
        name = {
            "masked": "AutoModelForMaskedLM",
            "pair": "AutoModelForPreTraining",
            "none": "AutoModel",
        }[head]
        with quiet_transformers(), seeded(seed, torch.device("cpu")):
            settings = transformers.AutoConfig.from_pretrained(folder)
            for option, value in config.items():
                setattr(settings, option, value)
            model = getattr(transformers, name).from_config(settings)
            model.save_pretrained(folder)
        made[key] = folder
        return folder

    return make
