"""Runs side by side: how many at a time, and through which backend of joblib."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.spaces import Choice, Space
from tweetclf.utils.threads import n_threads

__all__ = ["ALONE", "Workers", "count_places", "unordered"]

Job = TypeVar("Job")
Found = TypeVar("Found")

ALONE = threading.Lock()
"""Held in a process by a run that others beside it would disturb."""

# Workers of a cluster may have to wait in a queue themselves.
_WAIT_SECONDS = 600


def count_places(backend: str | None, *, threads: bool) -> int:
    """Return how many runs a backend can do at the same time.

    Parameters
    ----------
    backend : str or None
        A backend of joblib.
    threads : bool
        Whether several runs may go on in one process.

    Raises
    ------
    DataError
        If the backend is Dask and there is no client.
    """
    if backend != "dask":
        from joblib import cpu_count

        return int(cpu_count())
    from distributed import get_client

    try:
        client = get_client()
    except ValueError as error:
        raise DataError(
            'backend "dask" needs a client in this process: make one first with '
            "distributed.Client(ADDRESS)."
        ) from error
    client.wait_for_workers(1, timeout=_WAIT_SECONDS)
    found = client.nthreads()
    return sum(found.values()) if threads else len(found)


@dataclass(frozen=True)
class Workers:
    """Where the trials of a search are run.

    Parameters
    ----------
    n_jobs : int
        Number of runs at the same time.
    backend : str or None
        Backend of joblib; None for one after the other.
    threads : bool
        Whether several runs may go on in one process.
    """

    n_jobs: int
    backend: str | None
    threads: bool

    @classmethod
    def choose(
        cls,
        estimator: Any,
        space: Space,
        n_jobs: int | None,
        backend: str | None,
        *,
        one_by_one: bool,
    ) -> Workers:
        """Settle what the caller left open.

        Threads share the features, so they are preferred where a system can run in
        them.

        Parameters
        ----------
        estimator : estimator
            The system, unfitted.
        space : Space
            What is searched.
        n_jobs, backend : int, str or None
            What the caller says.
        one_by_one : bool
            Whether what is found depends on how many trials go on together; then it
            is one, unless the caller says otherwise.
        """
        from tweetclf.leaderboard.search import runs_in_threads

        tried = {
            name: dimension.values if isinstance(dimension, Choice) else ()
            for name, dimension in space.dimensions.items()
        }
        threads = runs_in_threads(estimator, tried)
        if n_jobs is None:
            n_jobs = 1
            if backend == "dask" and not one_by_one:
                n_jobs = count_places(backend, threads=threads)
            elif threads and backend is None and not one_by_one:
                n_jobs = n_threads()
        if n_jobs < 0:
            n_jobs = max(1, count_places(backend, threads=threads) + 1 + n_jobs)
        if backend is None and n_jobs > 1:
            backend = "threading" if threads else "loky"
        return cls(n_jobs, backend, threads)


def unordered(
    work: Callable[[Job], Found], jobs: Iterable[Job], n_jobs: int, backend: str | None
) -> Iterator[Found]:
    """Yield what comes of jobs, as soon as each is done.

    Parameters
    ----------
    work : callable
        Job -> result; both can be pickled, unless one job goes on after the other.
    jobs : iterable
        The jobs; they are taken as they are begun.
    n_jobs : int
        Number of jobs at the same time, as in joblib. Dask uses all its workers.
    backend : str or None
        Any backend of joblib; by default processes.
    """
    if n_jobs == 1 and backend is None:
        yield from map(work, jobs)
        return
    from joblib import Parallel, delayed, parallel_config

    options: dict[str, Any] = {}
    if backend == "dask":
        options["wait_for_workers_timeout"] = _WAIT_SECONDS
    # One run a dispatch: runs last seconds to hours, and a batch would only delay
    # the storing of what is finished.
    with parallel_config(backend=backend or "loky", n_jobs=n_jobs, **options):
        parallel = Parallel(batch_size=1, return_as="generator_unordered")
        yield from parallel(delayed(work)(job) for job in jobs)
