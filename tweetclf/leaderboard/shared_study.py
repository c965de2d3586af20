"""A study that many processes and machines share, in one of Optuna's storages.

The storage is a journal file on a disk that all of them see, or an SQL database. All
strategies may use it; the trials are Optuna's, so that its own tools can read them.
What a trial of ours says stands beside its value, as an attribute.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from tweetclf.leaderboard.bayesian import frozen_trial, import_optuna, quiet
from tweetclf.leaderboard.journal import pending
from tweetclf.leaderboard.spaces import Space
from tweetclf.leaderboard.strategies import Proposal, Strategy
from tweetclf.leaderboard.trials import Trial

__all__ = ["SharedStudy", "open_storage"]

POLL_SECONDS = 0.5

TRIAL, PROPOSAL, WORKER = "tweetclf:trial", "tweetclf:proposal", "tweetclf:worker"


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
        raise OSError(
            f"the storage {address} cannot be opened: {type(error).__name__}: {error}. "
            "Give the path of a journal file or an SQL URL, e.g. sqlite:///study.db."
        ) from error


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
        self._storage = open_storage(address)
        self._space = space
        with quiet(self._optuna):
            self._optuna.create_study(
                study_name=name,
                storage=self._storage,
                direction="maximize" if greater_is_better else "minimize",
                load_if_exists=True,
            )
        self._study = self._storage.get_study_id_from_name(name)
        self._me = _this_process()

    def _trials(self) -> list[Any]:
        with quiet(self._optuna):
            found = self._storage.get_all_trials(self._study, deepcopy=False)
        return sorted(found, key=lambda trial: trial.number)

    def finished(self) -> dict[int, Trial]:
        """Return the finished and failed trials by number."""
        return _finished(self._trials())

    def take(self, strategy: Strategy, limit: int) -> list[Proposal]:
        """Claim up to `limit` trials that no other process has.

        Those that a process of this machine began and left when it was killed come
        first.
        """
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
            pass  # another process ran the same trial, to the same record

    def wait(self, strategy: Strategy) -> list[Proposal]:
        """Wait for other processes a moment; return trials that none will finish.

        These are the trials that take more than three times as long as the longest
        so far, and at least a minute: their machine may be gone. To run one twice
        costs time and nothing else, as both runs give the same record.
        """
        lasted = (trial.duration for trial in self._trials())
        slowest = max((d.total_seconds() for d in lasted if d), default=0.0)

        def is_late(trial: Any) -> bool:
            age = (datetime.now() - trial.datetime_start).total_seconds()
            return age > max(60.0, 3 * slowest)

        late = self._adopt(strategy, is_late)
        if not late:
            time.sleep(POLL_SECONDS)
        return late


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
