from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from tweetclf.utils import threads
from tweetclf.utils.threads import even_ranges, in_threads, n_threads


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for variable in ("TWEETCLF_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(variable, raising=False)


def test_variables_decide_in_this_order(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert n_threads() == 1
    monkeypatch.setenv("TWEETCLF_THREADS", "3")
    assert n_threads() == 3
    monkeypatch.setenv("TWEETCLF_THREADS", "many")
    assert n_threads() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "0")
    assert n_threads() >= 1


def test_worker_processes_use_one_thread():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(n_threads).result() == 1


@pytest.mark.parametrize("n", ["1", "3"])
def test_results_keep_their_order(monkeypatch, n):
    monkeypatch.setenv("TWEETCLF_THREADS", n)
    assert in_threads(str, range(20)) == list(map(str, range(20)))


@pytest.mark.parametrize("sizes", [[], [0], [5] * 10, [0, 0, 90, 1, 1, 1, 0], [1] * 2])
def test_ranges_cover_each_item_once(monkeypatch, sizes):
    monkeypatch.setenv("TWEETCLF_THREADS", "4")
    ranges = even_ranges(np.cumsum(sizes), cost=threads._PAYS)
    assert [i for a, b in ranges for i in range(a, b)] == list(range(len(sizes)))


def test_ranges_share_the_work(monkeypatch):
    monkeypatch.setenv("TWEETCLF_THREADS", "4")
    sizes = np.random.default_rng(0).integers(0, 30, 10_000)
    ends = np.cumsum(sizes)
    work = [sizes[a:b].sum() for a, b in even_ranges(ends, cost=1000)]
    assert len(work) == 4
    assert max(work) < 1.01 * min(work)
    assert even_ranges(ends, cost=1) == [(0, 10_000)]
