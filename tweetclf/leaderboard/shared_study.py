"""A study that many processes and machines share, in one of Optuna's storages.

The storage is a journal file on a disk that all of them see, or an SQL database. All
strategies may use it; the trials are Optuna's, so that its own tools can read them.
What a trial of ours says stands beside its value, as an attribute.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tweetclf.exceptions import DataError, MissingDependencyError, RecordError
from tweetclf.leaderboard import heartbeat
from tweetclf.leaderboard.bayesian import frozen_trial, import_optuna, quiet
from tweetclf.leaderboard.journal import pending
from tweetclf.leaderboard.spaces import Space
from tweetclf.leaderboard.strategies import Proposal, Strategy
from tweetclf.leaderboard.trials import Trial

__all__ = ["SharedStudy", "open_storage"]

POLL_SECONDS = 0.5

TRIAL, PROPOSAL, WORKER = "tweetclf:trial", "tweetclf:proposal", "tweetclf:worker"
BEAT = "tweetclf:beat"


def open_storage(address: str) -> Any:
    """Open one of Optuna's storages.

    Parameters
    ----------
    address : str
        An SQL URL such as ``"sqlite:///study.db"`` or ``"postgresql://..."``, or the
        path of a journal file.

    Raises
    ------
    MissingDependencyError
        If Optuna is not installed.
    OSError
        If the storage cannot be opened.
    RecordError
        If the journal file is damaged.
    """
    optuna = import_optuna(f"search storage {address!r}")
    try:
        with quiet(optuna):
            if "://" in address:
                return optuna.storages.RDBStorage(address)
            Path(address).absolute().parent.mkdir(parents=True, exist_ok=True)
            backend = optuna.storages.journal.JournalFileBackend(address)
            return optuna.storages.JournalStorage(backend)
    except Exception as error:  # each database has errors of its own
        _refuse_damaged(address, error)
        raise OSError(
            f"the storage {address} cannot be opened: {type(error).__name__}: {error}. "
            "Give the path of a journal file or an SQL URL, e.g. sqlite:///study.db."
        ) from error


class _Lines:
    """A journal that is only read, and knows which line was read last."""

    def __init__(self, path: Path) -> None:
        self.lines = path.read_bytes().splitlines()
        self.place = 0

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        for line in self.lines[log_number_from:]:
            self.place += 1
            yield json.loads(line)


def _refuse_damaged(address: str, error: Exception) -> None:
    """Name the first line of a journal file that Optuna cannot make anything of."""
    path = Path(address)
    if "://" in address or not path.is_file():
        return
    optuna = import_optuna(f"search storage {address!r}")
    journal = _Lines(path)
    try:
        optuna.storages.JournalStorage(journal)
    except Exception:
        line = journal.lines[journal.place - 1]
        raise RecordError(
            f"the storage {address} is damaged, or no journal of Optuna's: line "
            f"{journal.place} says {line[:60].decode('utf-8', 'replace')!r}. {_REMEDY}"
        ) from error


_REMEDY = (
    "Name another storage, or delete this one: runs that are finished stand in the "
    "store and are found again."
)


def _this_process() -> list[Any]:
    """Return what names this process, and no later one with its number."""
    import psutil

    process = psutil.Process()
    return [socket.gethostname(), process.pid, process.create_time()]


def _is_gone(worker: Any) -> bool:
    """Tell whether a process of this machine has ended."""
    import psutil

    if not isinstance(worker, list) or worker[0] != socket.gethostname():
        return False
    try:
        return bool(psutil.Process(worker[1]).create_time() != worker[2])
    except psutil.NoSuchProcess:
        return True


class SharedStudy:
    """The trials of a search in a storage of Optuna's.

    Parameters
    ----------
    address : str
        As in :func:`open_storage`.
    name : str
        Name of the study: the same for the same search.
    space : Space
        The space.
    greater_is_better : bool
        Direction of the metric.
    """

    def __init__(
        self, address: str, name: str, space: Space, greater_is_better: bool
    ) -> None:
        self._optuna = import_optuna(f"search storage {address!r}")
        self._address = address
        self._storage = open_storage(address)
        self._space = space
        with quiet(self._optuna), self._naming_the_place():
            self._optuna.create_study(
                study_name=name,
                storage=self._storage,
                direction="maximize" if greater_is_better else "minimize",
                load_if_exists=True,
            )
            self._study = self._storage.get_study_id_from_name(name)
        self._me = _this_process()
        self._heart = heartbeat.Heart(self._beat, heartbeat.BEAT_SECONDS)
        self._listener = heartbeat.Listener(heartbeat.SILENT_SECONDS)

    @contextlib.contextmanager
    def _naming_the_place(self) -> Iterator[None]:
        """Say of any error of the storage which one it is, and what to do."""
        try:
            yield
        except (DataError, MissingDependencyError):
            raise
        except Exception as error:  # each database has errors of its own
            _refuse_damaged(self._address, error)
            said = f"{type(error).__name__}: {error}"
            if isinstance(error, RecordError):
                said = str(error)
            raise RecordError(
                f"the storage {self._address} cannot be used: {said.rstrip('.')}. "
                f"{_REMEDY}"
            ) from error

    def _beat(self, count: int) -> None:
        try:
            self._storage.set_study_user_attr(self._study, _pulse(self._me), count)
        finally:
            # A connection to SQLite belongs to the thread that opened it.
            self._storage.remove_session()

    def close(self) -> None:
        """Give no more signs of life."""
        self._heart.stop()

    def _trials(self) -> list[Any]:
        with quiet(self._optuna):
            found = self._storage.get_all_trials(self._study, deepcopy=False)
        return sorted(found, key=lambda trial: trial.number)

    def finished(self) -> dict[int, Trial]:
        """Return the finished and failed trials by number."""
        with self._naming_the_place():
            return _finished(self._trials())

    def take(self, strategy: Strategy, limit: int) -> list[Proposal]:
        """Claim up to `limit` trials that no other process has.

        Those that a process of this machine began and left when it was killed come
        first.
        """
        with self._naming_the_place():
            taken = self._take(strategy, limit)
        if taken:
            self._heart.start()
        return taken

    def _take(self, strategy: Strategy, limit: int) -> list[Proposal]:
        waiting = self._optuna.trial.TrialState.WAITING
        self._prepare(strategy.n_trials)
        left = self._adopt(strategy, lambda trial: _is_gone(_worker(trial)))
        if left:
            return left
        taken: dict[int, Proposal] = {}
        trials = self._trials()
        for number in pending(_finished(trials), strategy):
            if len(taken) == limit:
                break
            if trials[number].state == waiting and self._claim(trials[number]):
                taken[number] = self._propose(trials[number], strategy)
        return list(taken.values())

    def _propose(self, trial: Any, strategy: Strategy) -> Proposal:
        trials = self._trials()
        proposal = strategy.propose(trial.number, _finished(trials), _running(trials))
        self._tell(trial, PROPOSAL, proposal.to_document())
        return proposal

    def _adopt(
        self, strategy: Strategy, is_orphan: Callable[[Any], bool]
    ) -> list[Proposal]:
        """Take over trials at work that their process will not finish."""
        adopted = []
        for trial in self._trials()[: strategy.n_trials]:
            begun = trial.state == self._optuna.trial.TrialState.RUNNING
            if not begun or not is_orphan(trial):
                continue
            self._tell(trial, WORKER, self._me)
            if PROPOSAL in trial.user_attrs:
                adopted.append(Proposal.from_document(trial.user_attrs[PROPOSAL]))
            else:
                adopted.append(self._propose(trial, strategy))
        return adopted

    def _prepare(self, total: int) -> None:
        """See to it that there are places for all trials.

        Two processes may make some twice; nobody asks for those beyond the last.
        """
        template = self._optuna.trial.create_trial(
            state=self._optuna.trial.TrialState.WAITING
        )
        for _ in range(len(self._trials()), total):
            self._storage.create_new_trial(self._study, template)

    def _claim(self, trial: Any) -> bool:
        running = self._optuna.trial.TrialState.RUNNING
        try:
            claimed = self._storage.set_trial_state_values(trial._trial_id, running)
        except self._optuna.exceptions.UpdateFinishedTrialError:
            return False
        if claimed:
            self._tell(trial, WORKER, self._me)
        return bool(claimed)

    def _tell(self, trial: Any, name: str, value: Any) -> None:
        self._storage.set_trial_user_attr(trial._trial_id, name, value)

    def finish(self, trial: Trial) -> None:
        """Keep a trial that has ended, unless another process did so first."""
        with self._naming_the_place():
            self._finish(trial)

    def _finish(self, trial: Trial) -> None:
        optuna = self._optuna
        held = self._storage.get_trial_id_from_study_id_trial_number(
            self._study, trial.number
        )
        proposal = Proposal(trial.number, trial.params, trial.resource)
        with quiet(optuna):
            frozen = frozen_trial(self._space, proposal, trial, optuna)
        try:
            for name, distribution in frozen.distributions.items():
                inner = distribution.to_internal_repr(frozen.params[name])
                self._storage.set_trial_param(held, name, inner, distribution)
            self._storage.set_trial_user_attr(held, TRIAL, trial.to_document())
            self._storage.set_trial_state_values(held, frozen.state, frozen.values)
        except optuna.exceptions.UpdateFinishedTrialError:
            # Another process ran the same trial, or a tool of Optuna's ended it. That
            # stands: sweeps are read from the storage and the records, not from here.
            pass

    def wait(self, strategy: Strategy) -> list[Proposal]:
        """Wait for other processes a moment; return trials that none will finish.

        These are the trials of processes that have given no sign of life for two
        minutes, as long as this one has looked: their machine may be gone. To run one
        twice costs time and nothing else, as both runs give the same record.
        """
        with self._naming_the_place():
            pulses = self._storage.get_study_user_attrs(self._study)

            def is_silent(trial: Any) -> bool:
                pulse = _pulse(_worker(trial))
                count = (pulse, pulses.get(pulse))
                return self._listener.is_silent(trial.number, count)

            left = self._adopt(strategy, is_silent)
        if left:
            self._heart.start()
        else:
            time.sleep(POLL_SECONDS)
        return left


def _pulse(worker: Any) -> str:
    """Return the attribute of a study under which a process counts."""
    return f"{BEAT}:{json.dumps(worker)}"


def _worker(trial: Any) -> Any:
    return trial.user_attrs.get(WORKER)


def _finished(trials: list[Any]) -> dict[int, Trial]:
    return {
        trial.number: Trial.from_document(
            # A study is open to all of Optuna's tools, which may end trials, too.
            trial.user_attrs.get(TRIAL)
            or {
                "params": {},
                **trial.user_attrs.get(PROPOSAL, {}),
                "number": trial.number,
                "score": None,
                "state": "failed",
                "error": "it was ended by something else than tweetclf",
            }
        )
        for trial in trials
        if trial.state.is_finished()
    }


def _running(trials: list[Any]) -> dict[int, Proposal]:
    return {
        trial.number: Proposal.from_document(trial.user_attrs[PROPOSAL])
        for trial in trials
        if not trial.state.is_finished() and PROPOSAL in trial.user_attrs
    }
