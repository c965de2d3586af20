"""Pre-training of encoders on token files, by one process or many.

References
----------
J. A. González, L.-F. Hurtado & F. Pla, "TWilBert", Neurocomputing 426, 2021, sections 3
and 4.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tweetclf.pretraining._encoder_batches import (
    HeldOut,
    MixedBatches,
    check_files,
    hold_out,
    make_batches,
    make_masking,
)
from tweetclf.pretraining._encoder_model import (
    load_start,
    make_model,
    make_optimizer,
    make_schedule,
)
from tweetclf.pretraining._encoder_outcome import (
    LOG_EVERY,
    METRICS,
    EncoderRun,
    Report,
    make_outcome,
    watch,
    write_model,
)
from tweetclf.pretraining._keeping import open_checkpoint_together
from tweetclf.pretraining.corpus.tokens import TokenFiles
from tweetclf.pretraining.encoder_settings import (
    EncoderTraining,
    EncoderTrainingResult,
)
from tweetclf.pretraining.objectives import PackedPreTraining, PretrainingObjective
from tweetclf.training.checkpoints import Checkpoints
from tweetclf.training.distributed import join_replicas, local_device
from tweetclf.training.loop import TrainingResult, fit_loop
from tweetclf.training.schedules import total_steps
from tweetclf.utils.files import check_free
from tweetclf.utils.hugging_face import checkpoint_activations, quiet_transformers

__all__ = ["train_encoder"]

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def train_encoder(
    tokens: Paths,
    out: str | os.PathLike[str],
    *,
    training: EncoderTraining | None = None,
    validation: Paths | None = None,
    start: str | os.PathLike[str] | None = None,
    device: str = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_minutes: float | None = 30.0,
    tensorboard: str | os.PathLike[str] | None = None,
    facts: Mapping[str, Any] | None = None,
    report: Report | None = None,
) -> EncoderTrainingResult:
    """Pre-train an encoder on token files, from nothing or from another one.

    Parameters
    ----------
    tokens : path or sequence of path
        Folders that `write_tokens` wrote, of pairs and of texts, with one tokenizer:
        every batch holds a part of each.
    out : path
        The directory to write: model and tokenizer as ``AutoModel`` and
        ``AutoTokenizer`` load them (a TWilBERT once ``tweetclf.modules.twilbert`` is
        imported), ``metrics.jsonl`` and ``pretraining.json``.
    training : EncoderTraining, optional
        Model, objectives, optimizer, length.
    validation : path or sequence of path, optional
        Token files to measure on, in place of a share of `tokens`.
    start : path, optional
        Directory of a model of transformers to go on from, whose vocabulary is that of
        `tokens`; the sizes in `training` are then not looked at.
    device : str, default="auto"
        Where to compute; "auto" is a GPU if there is one.
    checkpoint : path, optional
        A folder to keep the state in. If it holds one of the same training, that goes
        on from there, on a CPU to the same bits. It is removed when `out` is written.
    checkpoint_minutes : float or None, default=30.0
        Write the state so often, and after every epoch.
    tensorboard : path, optional
        Folder for TensorBoard.
    facts : mapping, optional
        Of JSON's types; goes into ``pretraining.json`` as it is (the hash of the data
        card, above all).
    report : callable, optional
        Called with what happens, by the main process; see
        `tweetclf.training.fit_loop`.

    Returns
    -------
    EncoderTrainingResult
        Scores and history.

    Raises
    ------
    DataError
        If the token files do not fit together or the objectives, or `checkpoint` is of
        another training.
    FileExistsError
        If `out` exists and is not an empty folder.

    Notes
    -----
    Started by ``torchrun``, each process reads its part of every batch, and the main
    one writes. N processes take the steps that one process takes with the same
    `effective_batch_size`.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.pretraining import (
    ...     EncoderModel, EncoderTraining, train_encoder, train_tweet_tokenizer)
    >>> from tweetclf.pretraining.corpus import write_tokens
    >>> pairs = [(f"hoy hay sol {k}", f"pues aquí llueve {k}") for k in range(20)]
    >>> tokenizer = train_tweet_tokenizer([a for pair in pairs for a in pair])
    >>> training = EncoderTraining(  # TWilBERT Base: the defaults, 110,000 steps
    ...     model=EncoderModel(hidden_size=8, n_layers=1, n_heads=1, head_size=8),
    ...     batch_size=8, effective_batch_size=8, max_length=32, max_steps=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = write_tokens(pairs, tokenizer, folder + "/tokens")
    ...     result = train_encoder(
    ...         folder + "/tokens", folder + "/model", training=training)
    >>> result.n_steps
    2
    """
    training = training or EncoderTraining()
    check_free(out)
    place = local_device(device)
    with join_replicas(place) as replicas:
        files, measured = _open(tokens), _open(validation)
        check_files({**files, **measured}, training.objectives.pair)
        run = EncoderRun(
            files=files,
            validation=measured,
            training=training,
            tokenizer=_tokenizer(next(iter(files.values()))),
            replicas=replicas,
            device=place,
            start=start,
            began=time.perf_counter(),
        )
        with _work_folder(run, checkpoint) as (folder, checkpoints):
            module = _make_module(run)
            result = _fit(
                run,
                module,
                folder,
                checkpoints,
                checkpoint_minutes,
                tensorboard,
                report,
            )
            outcome = make_outcome(out, module.model, result)
            if replicas.is_main:
                write_model(run, module.model, outcome, folder / METRICS, facts or {})
            # No process leaves before the directory is there.
            replicas.wait()
            if checkpoint is not None and replicas.is_main:
                shutil.rmtree(checkpoint)
    return outcome


def _open(paths: Paths | None) -> dict[str, TokenFiles]:
    if paths is None:
        return {}
    folders = [paths] if isinstance(paths, str | os.PathLike) else paths
    return {os.fspath(folder): TokenFiles.open(folder) for folder in folders}


def _tokenizer(files: TokenFiles) -> Any:
    from transformers import AutoTokenizer

    with quiet_transformers():
        return AutoTokenizer.from_pretrained(
            os.fspath(files.tokenizer_path), local_files_only=True
        )


@contextmanager
def _work_folder(
    run: EncoderRun, checkpoint: str | os.PathLike[str] | None
) -> Iterator[tuple[Path, Checkpoints | None]]:
    """Yield a folder for the metrics, and the checkpoints in it if they are kept."""
    if checkpoint is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder), None
        return
    yield (
        Path(checkpoint),
        open_checkpoint_together(checkpoint, run.told(), "train_encoder", run.replicas),
    )


def _make_module(run: EncoderRun) -> PackedPreTraining:
    first, training = run.first, run.training
    if run.start is None:
        model = make_model(training, first.vocab_size, first.special["pad"])
    else:
        model = load_start(run.start, training, first.vocab_size)
    if training.gradient_checkpointing:
        checkpoint_activations(model)
    return PackedPreTraining(model).to(run.device)


def _sources(run: EncoderRun) -> tuple[MixedBatches, MixedBatches | None]:
    """Return the batches to learn from and those to measure on."""
    training = run.training
    masking = make_masking(training.objectives, run.tokenizer)
    files = list(run.files.values())
    if run.validation:
        others = list(run.validation.values())
        kept: list[Any] = [None] * len(files)
        held: list[Any] = [None] * len(others)
    else:
        others = files
        fraction, seed = training.validation_fraction, training.random_state
        chosen = [
            hold_out(file.n_documents, fraction, seed, f"{number}")
            for number, file in enumerate(files)
        ]
        kept, held = map(list, zip(*chosen, strict=True))
    batches = make_batches(files, kept, training, masking, run.replicas)
    measured = make_batches(
        others, held, training, masking, run.replicas, shuffle=False
    )
    assert batches is not None
    return batches, measured


def _fit(
    run: EncoderRun,
    module: PackedPreTraining,
    folder: Path,
    checkpoints: Checkpoints | None,
    checkpoint_minutes: float | None,
    tensorboard: str | os.PathLike[str] | None,
    report: Report | None,
) -> TrainingResult:
    training, objectives = run.training, run.training.objectives
    batches, measured = _sources(run)
    accumulate = training.accumulate(run.replicas.size)
    a_epoch = total_steps(batches, 1, accumulate)
    n_epochs = training.max_iter
    if training.max_steps is not None:
        n_epochs = -(-training.max_steps // a_epoch)
    n_steps = training.max_steps or a_epoch * n_epochs
    resume = None if checkpoints is None else checkpoints.latest()
    done = 0 if resume is None else int(resume["progress"]["step"])
    model = module.model
    evaluate = None
    if measured is not None:
        evaluate = HeldOut(measured, objectives, run.replicas)
    with watch(run, model, folder, done, tensorboard, report) as told:
        return fit_loop(
            module,
            PretrainingObjective(
                pair=objectives.pair,
                mlm_weight=objectives.mlm_weight,
                pair_weight=objectives.pair_weight,
            ),
            batches,
            optimizer=make_optimizer(module, training),
            max_epochs=n_epochs,
            max_steps=training.max_steps,
            schedule=make_schedule(training, n_steps, model.config.hidden_size),
            accumulate=accumulate,
            clip_norm=training.clip_norm,
            precision=training.precision,
            evaluate=evaluate,
            evaluate_every=training.evaluate_every,
            monitor=None,
            checkpoint=checkpoints,
            checkpoint_minutes=checkpoint_minutes,
            resume=resume,
            report=told,
            seed=training.random_state,
            sync_every=1 if run.device.type == "cpu" else LOG_EVERY,
            replicas=run.replicas,
        )
