"""Is BERT worth it? Audit, baselines, learning curve and the next best action."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.actions import choose_actions
from tweetclf.leaderboard.advice import (
    Advice,
    count_labels,
    labelled_splits,
    make_facts,
)
from tweetclf.leaderboard.boards import TaskBoard
from tweetclf.leaderboard.folds import rows_together
from tweetclf.leaderboard.learning import curve_flaw, fit_learning_curve
from tweetclf.leaderboard.noise import find_label_noise, suspects_of
from tweetclf.leaderboard.ranking import build_leaderboard
from tweetclf.leaderboard.records import RunRecord, RunSpec
from tweetclf.leaderboard.rivals import Rival, find_rival, read_rival
from tweetclf.leaderboard.runner import check_runs
from tweetclf.leaderboard.shared_runs import N_REPEATS, Layout, Trials, lay_out
from tweetclf.leaderboard.statistics import Comparison, compare_pairs
from tweetclf.leaderboard.store import RunStore
from tweetclf.leaderboard.systems import System, get_system
from tweetclf.tasks.audit import audit_task
from tweetclf.utils.random import stream

if TYPE_CHECKING:
    from tweetclf.tasks import Task
    from tweetclf.tasks.findings import Audit

__all__ = ["BASELINES", "REGRESSION_BASELINES", "advise", "advise_systems"]

BASELINES = (
    "majority",
    "tfidf-lr",
    "nbsvm",
    "haha-nbsvm",
    "char-svm",
    "char-svm-balanced",
)
"""The baselines of classification, from what must be beaten to what is hard to beat."""

REGRESSION_BASELINES = ("mean", "tfidf-ridge")
"""Those of graded targets."""

_REFERENCES = {"majority", "mean"}
_NOISE_SYSTEM = "tfidf-lr"
# Fewer rows, or rows of the second class, than this: nothing is trained.
_MIN_ROWS = 20
_MIN_SECOND = 5
_TOO_FEW = (
    f"nothing was trained: that takes {_MIN_ROWS} different texts and {_MIN_SECOND} "
    "rows of a second label"
)
_N_RESAMPLES = 2000
_MOST_LABELS = 2000


def advise_systems(task: Task) -> tuple[list[System], list[tuple[str, str]]]:
    """Return the baselines that do a task, and the others with the reason.

    Raises
    ------
    DataError
        If none does.
    """
    regression = task.target_kind == "regression"
    names = REGRESSION_BASELINES if regression else BASELINES
    fitting, skipped = [], []
    for name in names:
        system = get_system(name)
        try:
            check_runs(task, system)
        except DataError as error:
            skipped.append((name, str(error)))
        else:
            fitting.append(system)
    if not any(system.name not in _REFERENCES for system in fitting):
        raise DataError(
            f"{task.name!r} is a {task.kind} task of {task.target_kind} targets, which "
            "no baseline of advise does. Audit it with tweetclf audit."
        )
    return fitting, skipped


class _Steps:
    """Counts what is done for a progress bar."""

    def __init__(self, report: Callable[[str, int, int], None] | None) -> None:
        self._report = report
        self.done = 0
        self.total = 1

    def __call__(self, description: str) -> None:
        self.done += 1
        if self._report is not None:
            self._report(description, self.done, max(self.total, self.done))


class _Scorings:
    """Counts models that are scored on test, also in the ledger of a store."""

    def __init__(self, store: str | Path | None) -> None:
        self._store = None if store is None else RunStore(store)
        self.n = 0

    def __call__(self, spec: RunSpec) -> None:
        self.n += 1
        if self._store is not None:
            self._store.count_test_scoring(spec)


def advise(
    task: Task,
    *,
    transformer: str | None = None,
    store: str | Path | None = None,
    margin: float = 1.0,
    labels: int | None = None,
    seed: int = 0,
    on_step: Callable[[str, int, int], None] | None = None,
) -> Advice:
    """Audit a task, score baselines, follow the learning curve, say what to do next.

    Parameters
    ----------
    task : Task
        The task. A single table is best loaded with ``holdout=False``: all its rows
        are cross-validated. Where there is a test split, it is scored.
    transformer : str, optional
        Predictions to compare with; see `tweetclf.leaderboard.rivals.read_rival`.
    store : path, optional
        Folder of stored runs: of records named by key, and, if `transformer` is not
        given, of neural runs on the same data. Every model that is scored on a test
        split is counted in its ledger.
    margin : float, default=1.0
        Largest difference that does not matter: in points (hundredths of the score),
        of error metrics in hundredths of the best baseline's error.
    labels : int, optional
        How many more labels are thought of. By default 2,000, or as many as the
        learning curve can be followed to, if they are fewer.
    seed : int, default=0
        Seed of the systems, of the orders of labels and of the bootstrap.
    on_step : callable, optional
        Called with a description, the steps done and all steps.

    Returns
    -------
    Advice
        What was measured, and the actions.

    Raises
    ------
    DataError
        If no baseline does this kind of task, or the predictions do not fit it.

    Examples
    --------
    >>> from tweetclf import load_task
    >>> from tweetclf.leaderboard.advising import advise
    >>> advice = advise(load_task("sample-funniness"), labels=500)
    >>> [entry.system for entry in advice.board.entries]
    ['tfidf-ridge', 'mean']
    >>> advice.actions[0].key in {"label-more", "clean-labels", "try-transformer"}
    True
    """
    if not margin > 0 or (labels is not None and labels < 1):
        raise ValueError(
            f"advise: margin must be above 0 and labels at least 1. Got {margin} and "
            f"{labels} instead."
        )
    systems, skipped = advise_systems(task)
    steps = _Steps(on_step)
    advice = Advice(
        task.name,
        sum(map(len, labelled_splits(task))),
        "cv" if task.test is None else "test",
        audit_task(task, seed=seed, n_examples=3),
        margin / 100,
        _MOST_LABELS if labels is None else labels,
        seed,
        tuple(skipped),
    )
    steps("audit")
    if _too_few(task):
        advice = replace(advice, no_forecast=_TOO_FEW)
    else:
        layout = lay_out(task)
        rival = _rival(transformer, store, task, layout)
        ledger = _Scorings(store)
        trials = Trials(
            task,
            layout,
            seed=seed,
            proba_of=_NOISE_SYSTEM,
            on_fit=steps,
            on_test=ledger,
        )
        n_curve = (len(trials.curve_sizes()) - 1) * N_REPEATS
        steps.total += len(systems) * len(layout.folds) + n_curve
        advice = _measured(
            replace(advice, rival=rival), systems, trials, reachable=labels is None
        )
        advice = replace(advice, n_test_scorings=ledger.n)
    return replace(advice, actions=choose_actions(make_facts(advice, task)))


def _measured(
    advice: Advice, systems: Sequence[System], trials: Trials, *, reachable: bool
) -> Advice:
    """Add all that is measured by training models."""
    records = {system.name: trials.run(system) for system in systems}
    board, n_resamples = _board(records.values(), trials)
    audit = _with_noise(advice.audit, trials)
    best = _best(board)
    margin = advice.margin
    if board.entries and not trials.task.metric.greater_is_better:
        margin *= abs(board.entries[0].score)
    advice = replace(
        advice,
        audit=audit,
        board=board,
        n_resamples=n_resamples,
        best=best,
        margin=margin,
        no_forecast="no baseline could be trained",
    )
    if best is None:
        return advice
    advice = _followed(
        advice, trials, get_system(best), records[best], reachable=reachable
    )
    if advice.rival is None:
        return advice
    return replace(advice, comparisons=_compared(advice, trials))


# -- the parts ----------------------------------------------------------------------


def _too_few(task: Task) -> bool:
    """Tell whether there is too little to train anything on."""
    splits = labelled_splits(task)
    if len(np.unique(rows_together(splits))) < _MIN_ROWS:
        return True
    counts = count_labels(task)
    if counts is None:
        return False
    # Of several labels a row may have none: one label is enough to learn something.
    place = -1 if task.target_kind == "multilabel" else -2
    return counts[place][1] < _MIN_SECOND


def _rival(
    transformer: str | None, store: str | Path | None, task: Task, layout: Layout
) -> Rival | None:
    if transformer is not None:
        return read_rival(transformer, task, layout, store=store)
    if store is not None and Path(store).is_dir():
        return find_rival(task, layout, store)
    return None


def _board(records: Iterable[RunRecord], trials: Trials) -> tuple[TaskBoard, int]:
    built = build_leaderboard(
        records,
        lambda record: trials.predictions[record.key],
        n_resamples=_N_RESAMPLES,
        seed=trials.seed,
    )
    return built.boards[0], built.n_resamples


def _best(board: TaskBoard) -> str | None:
    """Return the best system that learns from texts."""
    for entry in board.entries:
        if entry.system not in _REFERENCES and math.isfinite(entry.score):
            return entry.system
    return None


def _with_noise(audit: Audit, trials: Trials) -> Audit:
    """Add doubtful labels; the probabilities of a cross-validation are there."""
    task, layout = trials.task, trials.layout
    try:
        if trials.proba is not None and task.target_kind in {"binary", "multiclass"}:
            noise = suspects_of(
                task,
                layout.splits,
                trials.proba,
                system=_NOISE_SYSTEM,
                n_folds=len(layout.folds),
            )
        else:
            noise = find_label_noise(task, system=_NOISE_SYSTEM, seed=trials.seed)
    except DataError as error:
        said = f"Label noise was not looked for: {error}"
        return replace(audit, notes=(*audit.notes, said))
    return replace(audit, label_noise=noise)


def _followed(
    advice: Advice,
    trials: Trials,
    system: System,
    record: RunRecord,
    *,
    reachable: bool,
) -> Advice:
    """Add the learning curve of a system, and where it leads.

    With `reachable` no more labels are thought of than the curve can be followed to.
    """
    try:
        curve = trials.curve(system, record)
    except DataError as error:
        return replace(advice, no_forecast=str(error))
    flaw = curve_flaw(curve)
    if flaw is not None:
        return replace(advice, curve=curve, no_forecast=flaw)
    fitted = fit_learning_curve(curve, rng=stream(advice.seed, "learning curve"))
    n, reach = advice.n_labels, fitted.furthest - advice.n_labels
    if reachable and 0 < reach < advice.labels:
        advice = replace(advice, labels=_round_down(reach))
    found, why = [], ""
    labels = advice.labels
    for more in dict.fromkeys((max(labels // 2, 1), labels, 2 * labels)):
        if reachable and labels <= reach < more:
            break  # Nobody asked for it.
        try:
            found.append(fitted.extrapolate(n + more, n))
        except DataError as error:
            why = why or (
                f"{more:,} more labels cannot be forecast from {n:,} labels, which is "
                f"no reason against them: {error}"
            )
    return replace(
        advice, curve=curve, fitted=fitted, forecasts=tuple(found), no_forecast=why
    )


def _round_down(n: int) -> int:
    """Return a number with two digits and zeros, as people think of labels."""
    size = 10 ** max(len(str(n)) - 2, 0)
    return n // size * size


def _compared(advice: Advice, trials: Trials) -> tuple[Comparison, ...]:
    """Compare the rival with every baseline on its rows; the best comes first."""
    rival, board, best = advice.rival, advice.board, advice.best
    assert rival is not None
    assert board is not None
    assert best is not None
    task, layout = trials.task, trials.layout
    place = np.full(len(layout.rows), -1)
    place[layout.scored] = np.arange(len(layout.scored))
    rows = place[rival.rows]
    arrays = {e.system: trials.predictions[e.records[0].key] for e in board.entries}
    first = arrays[best]
    theirs = rival.y_pred
    if task.target_kind in {"binary", "multiclass"}:
        code = {name: i for i, name in enumerate(task.label_names)}
        theirs = np.array([code[str(label)] for label in theirs], dtype=np.int16)
    name = rival.name if rival.name not in arrays else f"{rival.name} (given)"
    ours = [best, *(s for s in arrays if s != best and s not in _REFERENCES)]
    groups = first.get("groups")
    return compare_pairs(
        task.metric,
        first["y_true"][rows],
        {name: theirs, **{s: arrays[s]["y_pred"][rows] for s in ours}},
        reference=name,
        label_names=task.label_names,
        groups=None if groups is None else groups[rows],
        margin=advice.margin,
        rng=stream(advice.seed, "transformer"),
    )
