"""Several processes that train one module: each reads its share, all take one step.

Started by ``torchrun``, which tells every process its rank. In a step each process
computes the gradients of its own micro-batches; their sum over all processes, divided
by the weight of them all, is the gradient of the global batch, whatever each of them
read. What was decided by one process (to stop, to save) is told to the others, so that
all always do the same.

Numbers travel between CPUs (gloo), so that none of them waits for a GPU; gradients
travel between the devices they are on (gloo or NCCL). Nothing is pickled.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from tweetclf.exceptions import ReplicaError
from tweetclf.training.devices import choose_device

__all__ = ["Replicas", "is_main_process", "join_replicas", "local_device"]

T = TypeVar("T")

_BUCKET = 64 * 2**20
"""Bytes of gradients that travel at a time: few messages, and little memory."""

_PATIENCE = timedelta(days=365)
"""How long the others wait for the main process to make something."""


@dataclass(frozen=True)
class Replicas:
    """The processes that train a module together, seen from one of them.

    Alone, which is the default, nothing is sent. Every method is called by all
    processes at the same point, or all of them wait.

    Parameters
    ----------
    rank : int, default=0
        Number of this process.
    size : int, default=1
        How many there are.

    Examples
    --------
    >>> alone = Replicas()
    >>> alone.is_main, alone.add([1.0, 2.0]), alone.agree({"stop": False})
    (True, [1.0, 2.0], {'stop': False})
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes and reports."""
        return self.rank == 0

    def add(self, values: Sequence[float]) -> list[float]:
        """Return the sums of numbers over all processes."""
        if self.size == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64)
        with self._talking():
            dist.all_reduce(sums)
        return sums.tolist()

    def gather(self, value: float) -> list[float]:
        """Return the number of every process, in the order of their ranks."""
        return self.add([value if r == self.rank else 0.0 for r in range(self.size)])

    def agree(self, value: Any) -> Any:
        """Return what the main process says: numbers, words, lists and dicts."""
        if self.size == 1:
            return value
        text = json.dumps(value).encode() if self.is_main else b""
        length = int(self.add([len(text)])[0])
        data = torch.zeros(length, dtype=torch.uint8)
        if self.is_main:
            data[:] = torch.tensor(list(text), dtype=torch.uint8)
        with self._talking():
            dist.broadcast(data, src=0)
        return json.loads(bytes(data.tolist()))

    def add_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their sums over all processes."""
        if self.size > 1:
            self._each_bucket(tensors, dist.all_reduce)

    def share_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by those of the main process."""
        if self.size > 1:
            self._each_bucket(tensors, lambda flat: dist.broadcast(flat, src=0))

    def wait(self) -> None:
        """Return when all processes have come here."""
        self.add([0.0])

    def make_once(self, make: Callable[[], T]) -> T:
        """Let the main process make what all need, while the others wait.

        However long it takes: only a process that has ended is taken for dead.

        Parameters
        ----------
        make : callable
            Called by the main process alone, so that it may call no method of this.
            What it returns goes to all, and is made of what `agree` sends.

        Returns
        -------
        object
            What `make` returned.

        Raises
        ------
        ReplicaError
            In the other processes, if `make` fails; it says how. The main process has
            the error itself.
        """
        if self.size == 1:
            return make()
        said: dict[str, Any] = {}
        failure = None
        if self.is_main:
            try:
                made_here = make()
                json.dumps(made_here)  # what cannot be sent fails here, and is told
                said["made"] = made_here
            except Exception as error:
                failure = error
                said["failed"] = f"{type(error).__name__}: {error}"
        try:
            self._wait_for_main()
            said = self.agree(said)
        except ReplicaError:
            # That the others are gone, too, must not hide why.
            if failure is None:
                raise
        if failure is not None:
            raise failure
        if "failed" in said:
            raise ReplicaError(
                f"process {self.rank} of {self.size}: the main process could not make "
                f"what all of them need. It says {said['failed']}"
            )
        made: T = said["made"]
        return made

    def _wait_for_main(self) -> None:
        """Return when the main process has come here, be it after hours."""
        sign = torch.zeros(1)
        with self._talking():
            if self.is_main:
                for rank in range(1, self.size):
                    dist.send(sign, rank)
                return
            # A sum over all would give up after the time for which one may be silent.
            coming = dist.irecv(sign, src=0)
            assert coming is not None
            coming.wait(_PATIENCE)

    def _each_bucket(self, tensors: Sequence[Tensor], send: Any) -> None:
        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.detach().reshape(-1) for tensor in bucket])
            with self._talking():
                send(flat)
            parts = flat.split([tensor.numel() for tensor in bucket])
            for tensor, part in zip(bucket, parts, strict=True):
                tensor.detach().copy_(part.view_as(tensor))

    @contextmanager
    def _talking(self) -> Iterator[None]:
        """Say in our words that another process does not answer."""
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            first = str(error).strip().partition("\n")[0]
            raise ReplicaError(
                f"process {self.rank} of {self.size}: another process of this training "
                f"has ended or no longer answers ({first}). What it says itself is the "
                "cause; started again, the training goes on from its last checkpoint."
            ) from error


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield runs of tensors of one kind, each not much longer than a message."""
    bucket: list[Tensor] = []
    n_bytes = 0
    for tensor in tensors:
        kind = (tensor.dtype, tensor.device)
        full = n_bytes >= _BUCKET
        if bucket and (full or kind != (bucket[0].dtype, bucket[0].device)):
            yield bucket
            bucket, n_bytes = [], 0
        bucket.append(tensor)
        n_bytes += tensor.numel() * tensor.element_size()
    if bucket:
        yield bucket


def is_main_process() -> bool:
    """Tell whether this is the process that speaks for all, joined yet or not.

    Returns
    -------
    bool
        True without ``torchrun``.
    """
    return int(os.environ.get("RANK", "0")) == 0


def local_device(name: str = "auto") -> torch.device:
    """Return the device of this process: of several GPUs, the one of its local rank.

    Parameters
    ----------
    name : str, default="auto"
        "auto" is a GPU where there is one; "cuda" without a number is the GPU of the
        rank that ``torchrun`` gave this process on its machine.

    Returns
    -------
    torch.device
        The device.

    Examples
    --------
    >>> local_device("cpu").type
    'cpu'
    """
    device = choose_device(name)
    if device.type == "cuda" and device.index is None and "LOCAL_RANK" in os.environ:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    return device


class _Meetings:
    """Where the processes of this program meet, and how often they did."""

    place: dist.Store | None = None
    n: int = 0


def _meeting_place(timeout: timedelta) -> dist.Store:
    """Return a place where no address of an earlier meeting is left.

    Processes that met, parted and read the addresses of the first meeting in the second
    would knock at doors that are closed.
    """
    if _Meetings.place is None:
        _Meetings.place = next(dist.rendezvous("env://", timeout=timeout))[0]
    _Meetings.n += 1
    place = dist.PrefixStore(f"meeting {_Meetings.n}", _Meetings.place)
    place.set_timeout(timeout)
    return place


@contextmanager
def join_replicas(
    device: torch.device | None = None, *, timeout_minutes: float = 30.0
) -> Iterator[Replicas]:
    """Join the processes that ``torchrun`` started, for the time of a block.

    Without ``torchrun`` the process is alone, and nothing happens. A block within a
    block is part of the outer one; blocks one after another meet anew.

    Parameters
    ----------
    device : torch.device, optional
        What is trained on, see `local_device`: NCCL where it is a GPU.
    timeout_minutes : float, default=30.0
        A process that does not answer for so long is taken for dead. A dead one is
        noticed at once on one machine.

    Yields
    ------
    Replicas
        To be passed to `fit_loop`.

    Raises
    ------
    ReplicaError
        If the processes do not find each other.
    """
    if dist.is_available() and dist.is_initialized():
        yield Replicas(dist.get_rank(), dist.get_world_size())
        return
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Replicas()
        return
    rank = int(os.environ["RANK"])
    on_gpu = device is not None and device.type == "cuda"
    timeout = timedelta(minutes=timeout_minutes)
    # Imported later, its default arguments would be these very processes: they would
    # outlive the block, and their threads abort programs that end soon after it.
    importlib.import_module("torch.distributed.nn.functional")
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
            store=_meeting_place(timeout),
            rank=rank,
            world_size=size,
            timeout=timeout,
        )
    except (RuntimeError, ValueError) as error:
        raise ReplicaError(
            f"process {rank} of {size} does not find the others: {error}. Start them "
            "with torchrun, on several machines with the same --rdzv-endpoint."
        ) from error
    try:
        yield Replicas(rank, size)
    finally:
        dist.destroy_process_group()
