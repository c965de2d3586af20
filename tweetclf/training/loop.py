"""The one training loop: classification, language models and pre-training alike.

Nothing in here knows texts, labels or tasks. An objective turns a module and a batch
into a loss; batches come from an object that yields the same ones for the same epoch.
Stopping is a return value. There are no files, no prints and no globals inside: what
must be written or shown goes through the callables `checkpoint` and `report`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import nn

from tweetclf.training._contracts import (
    Batches,
    Evaluate,
    Objective,
    Report,
    Schedule,
    TrainingResult,
)
from tweetclf.training._options import Options
from tweetclf.training._run import Run
from tweetclf.training.devices import Precision
from tweetclf.training.distributed import Replicas

__all__ = ["Batches", "Objective", "TrainingResult", "fit_loop"]


def fit_loop(
    module: nn.Module,
    objective: Objective,
    batches: Batches,
    *,
    optimizer: torch.optim.Optimizer,
    max_epochs: int,
    schedule: Schedule | None = None,
    accumulate: int = 1,
    clip_norm: float | None = None,
    precision: Precision = "float32",
    compile: bool = False,
    evaluate: Evaluate | None = None,
    monitor: str | None = "valid_loss",
    greater_is_better: bool = False,
    n_iter_no_change: int | None = None,
    tol: float = 0.0,
    restore_best: bool = True,
    on_divergence: Literal["stop", "rollback"] = "stop",
    checkpoint: Callable[[dict[str, Any]], Any] | None = None,
    resume: Mapping[str, Any] | None = None,
    report: Report | None = None,
    seed: int = 0,
    checkpoint_every: int | None = None,
    max_rollbacks: int = 3,
    sync_every: int | None = None,
    max_steps: int | None = None,
    evaluate_every: int | None = None,
    checkpoint_minutes: float | None = None,
    replicas: Replicas | None = None,
) -> TrainingResult:
    """Train a module in place.

    Parameters
    ----------
    module : nn.Module
        What is trained; left in evaluation mode. Batches are moved to its device.
    objective : Objective
        ``objective(module, batch)`` returns the mean loss of a batch and logs.
    batches : Batches
        Where batches come from.
    optimizer : torch.optim.Optimizer
        Made over the module's parameters. Its rates are put back at the end.
    max_epochs : int
        Passes over the batches.
    schedule : callable, optional
        ``schedule(step)``, steps counted from 0, returns a factor on the initial rate
        of every group, or a mapping that may hold ``"lr"`` (a factor, or one a group)
        and ``"momentum"`` (the value itself).
    accumulate : int, default=1
        Micro-batches in a step. What is left at the end of an epoch makes a step of
        its own.
    clip_norm : float, optional
        Longest gradient.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        "bfloat16" computes the forward pass under autocast; "auto" does so where the
        hardware is fast at it.
    compile : bool, default=False
        Train through `torch.compile`.
    evaluate : callable, optional
        ``evaluate(module)`` returns a mapping of names to numbers; called after each
        epoch, in evaluation and inference mode, without autocast.
    monitor : str or None, default="valid_loss"
        The entry of `evaluate` (or of the epoch's history, for example ``"loss"``)
        that chooses the best epoch. None, or no `evaluate` that could give it: the
        last state is kept.
    greater_is_better : bool, default=False
        Whether `monitor` is a score rather than a loss.
    n_iter_no_change : int, optional
        Stop after so many epochs in a row that were not better than the best by more
        than `tol`. By default never.
    tol : float, default=0.0
        See `n_iter_no_change`. The best epoch itself is chosen without it.
    restore_best : bool, default=True
        Put the state of the best epoch back at the end.
    on_divergence : {"stop", "rollback"}, default="stop"
        On a loss, gradient or monitored value that is not finite: raise, or go back to
        the last good state (the start of the epoch, or of the one before if already
        its first step failed) and halve the rate.
    checkpoint : callable, optional
        Called with the whole state, a dict of tensors and plain values, after each
        epoch. See `tweetclf.training.checkpoints`.
    resume : mapping, optional
        Such a state, to go on from. On a CPU the result is bit-equal to that of a run
        which was never interrupted.
    report : callable, optional
        Called with a dict at each step, evaluation, epoch, rollback and halving; its
        ``"kind"`` says which. Returning True stops the training.
    seed : int, default=0
        Of dropout. torch's global generators are left as they were.
    checkpoint_every : int, optional
        Call `checkpoint` also after every so many steps.
    max_rollbacks : int, default=3
        How often to go back before the divergence is raised after all.
    sync_every : int, optional
        Fetch losses from the device every so many steps: 1 on a CPU, 16 on a GPU,
        where each fetch makes it wait.
    max_steps : int, optional
        Steps after which training ends, within an epoch or not; the epoch is then
        evaluated as it is.
    evaluate_every : int, optional
        Call `evaluate` also after every so many steps, and report what it says as an
        ``"evaluation"``. It chooses nothing: the best epoch is one of whole epochs.
    checkpoint_minutes : float, optional
        Call `checkpoint` also when so much time has passed since the last time.
    replicas : Replicas, optional
        The processes that train together, see `tweetclf.training.join_replicas`. Each
        passes batches of its own, and the rest alike; the main one calls `checkpoint`,
        and all are resumed from the same state.

    Returns
    -------
    TrainingResult
        History, best epoch, the reason it stopped, and what went wrong on the way.

    Raises
    ------
    DivergenceError
        If the loss or the gradient is not finite. The module is then unusable.
    ReplicaError
        If another process has ended or no longer answers.

    Notes
    -----
    Micro-batches are weighted by ``logs["weight"]``, so that k of them equal one big
    batch also where they are not equally long (but for modules that look across the
    batch, as BatchNorm does). Everything that draws from torch's
    global generators inside a step draws from a stream named by `seed`, the step and
    the micro-batch: a run can be cut anywhere without a change of its numbers.

    Examples
    --------
    >>> import torch
    >>> from tweetclf.training import LengthBatches, fit_loop
    >>> from tweetclf.training.devices import seeded
    >>> X = torch.linspace(-1, 1, 64)[:, None]
    >>> with seeded(0, torch.device("cpu")):
    ...     module = torch.nn.Linear(1, 1)
    >>> def squared_error(module, batch):
    ...     loss = (module(batch["x"]) - 3 * batch["x"]).square().mean()
    ...     return loss, {"weight": len(batch["x"])}
    >>> batches = LengthBatches([1] * 64, lambda rows: {"x": X[rows]}, batch_size=8)
    >>> optimizer = torch.optim.SGD(module.parameters(), lr=0.3)
    >>> result = fit_loop(
    ...     module, squared_error, batches, optimizer=optimizer, max_epochs=10
    ... )
    >>> result.n_steps, round(module.weight.item(), 2)
    (80, 3.0)
    """
    options = Options(
        max_epochs=max_epochs,
        schedule=schedule,
        accumulate=accumulate,
        clip_norm=clip_norm,
        precision=precision,
        compile=compile,
        evaluate=evaluate,
        monitor=monitor,
        greater_is_better=greater_is_better,
        n_iter_no_change=n_iter_no_change,
        tol=tol,
        restore_best=restore_best,
        on_divergence=on_divergence,
        checkpoint=checkpoint,
        report=report,
        seed=seed,
        checkpoint_every=checkpoint_every,
        max_rollbacks=max_rollbacks,
        sync_every=sync_every,
        max_steps=max_steps,
        evaluate_every=evaluate_every,
        checkpoint_minutes=checkpoint_minutes,
        replicas=replicas or Replicas(),
    )
    run = Run(module, objective, batches, optimizer, options)
    if resume is not None:
        run.load(resume)
    return run.run()
