"""Social pre-training: tweets that the same people engage with come close together.

References
----------
X. Zhang et al. TwHIN-BERT: A Socially-Enriched Pre-trained Language Model for
Multilingual Tweet Representations. KDD 2023, section 2 (arXiv:2209.07562).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors.torch import save_file
from torch import nn

from tweetclf._version import __version__
from tweetclf.exceptions import DataError
from tweetclf.modules.contrastive import ProjectionHead
from tweetclf.pretraining._keeping import open_checkpoint_together
from tweetclf.pretraining._social_batches import SocialBatches, TweetTokens
from tweetclf.pretraining._social_inputs import (
    fingerprint,
    load_tokenizer,
    read_groups,
    read_languages,
    read_tweets,
)
from tweetclf.pretraining._social_net import HeldPairs, SocialNet, SocialObjective
from tweetclf.pretraining.social_settings import (
    SocialModel,
    SocialTraining,
    SocialTrainingResult,
)
from tweetclf.training.checkpoints import Checkpoints
from tweetclf.training.devices import Precision, seeded
from tweetclf.training.distributed import Replicas, join_replicas, local_device
from tweetclf.training.loop import TrainingResult, fit_loop
from tweetclf.training.optimizers import adamw, parameter_groups
from tweetclf.training.schedules import Linear, total_steps
from tweetclf.utils.files import atomic_directory, check_free
from tweetclf.utils.hugging_face import checkpoint_activations, quiet_transformers
from tweetclf.utils.random import stream

__all__ = ["train_social_encoder"]

_CALLER = "train_social_encoder"
_MOST_HELD = 10_000


def train_social_encoder(
    tweets: Any,
    pairs: ArrayLike | None,
    out: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | SocialModel,
    tokenizer: str | os.PathLike[str] | None = None,
    training: SocialTraining | None = None,
    languages: Sequence[str] | None = None,
    random_state: int = 0,
    device: str = "auto",
    precision: Precision = "float32",
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    report: Callable[[dict[str, Any]], bool | None] | None = None,
) -> SocialTrainingResult:
    """Go on training a masked language model with pairs of socially similar tweets.

    Parameters
    ----------
    tweets : sequence of str, or TokenFiles
        The tweets that `pairs` number; `TokenFiles` of texts are read from disk.
    pairs : array-like of int of shape (n, 2), or None
        Tweets that belong together, as `mine_similar_pairs` finds them; repeats and
        both directions of a pair are one. None: tweets alone, for stage 1.
    out : path
        The directory to write: what ``AutoModel`` and ``AutoTokenizer`` load.
    model : path or SocialModel
        Directory (or hub name) of a Bert-like model, for example what stage 1 or
        `train_bert` wrote; or sizes of one whose weights are drawn.
    tokenizer : path, optional
        Directory (or hub name) of the tokenizer; by default that of `tweets` or of
        `model`.
    training : SocialTraining, optional
        Weights, sizes and rates. ``social_weight=0`` is the control of equal budget:
        it reads the same batches, masked alike, and learns from masks alone.
    languages : sequence of str, optional
        Language of each tweet, to resample by; of a pair, the one with the lower number
        counts.
    random_state : int, default=0
        Seed of weights, masks, order, dropout and held-out pairs. On a CPU the weights
        are the same bits for the same seed.
    device : str, default="auto"
        Where to compute; "auto" is a GPU if there is one.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        See `tweetclf.training.fit_loop`. The contrast itself is float32 always.
    checkpoint : path, optional
        A folder to keep the state in after each epoch. If it holds one of the same
        training, that goes on from there. It is removed when `out` is written.
    checkpoint_every : int, optional
        Keep the state also after so many steps.
    report : callable, optional
        Called with what happens, see `tweetclf.training.fit_loop`.

    Returns
    -------
    SocialTrainingResult
        Sizes, scores on held-out pairs, history.

    Raises
    ------
    DataError
        If there is nothing to learn from, pairs number tweets that are not there, the
        model is not built like a BERT, or `checkpoint` is of another training.
    FileExistsError
        If `out` exists and is not an empty folder.

    Notes
    -----
    The loss is ``social_weight * NT-Xent + mlm_weight * MLM`` over batches of pairs.
    The vector of a tweet is the last state of its first token, through a projection
    that later use has no need of.

    The paper packs several tweets into a sequence and does not say whether they see
    each other; if a pair did, it would be told by its own words. Here every tweet is a
    sequence of its own in the packed row: it attends to itself alone and its positions
    restart. Padding there is none.

    Started by ``torchrun``, each process reads its share of every batch and contrasts
    it with the pairs of all; together they take the steps that one process takes with
    the same `batch_size`, dropout aside.

    Memory is that of the tokens, where they are no token files, and of some 50 bytes a
    pair while repeats are looked for. Tokens and pairs are read through once before
    training begins, for the name of the checkpoint.

    A tweet that comes into a batch with two partners is no negative of itself. The
    paper does not say; mined pairs of a small graph overlap often.

    Examples
    --------
    >>> import tempfile
    >>> from tweetclf.pretraining import (
    ...     BertTraining, SocialTraining, train_bert, train_social_encoder)
    >>> tweets = [f"qué risa el lunes {k}" for k in range(20)]
    >>> pairs = [(k, (k + 7) % 20) for k in range(20)]
    >>> sizes = BertTraining(
    ...     vocab_size=300, hidden_size=8, n_layers=1, n_heads=2, max_iter=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first = train_bert(tweets, folder + "/stage1", training=sizes)
    ...     result = train_social_encoder(
    ...         tweets, pairs, folder + "/stage2", model=first.path,
    ...         training=SocialTraining(projection=(8, 4), n_steps=3, batch_size=8))
    ...     sorted(file.name for file in result.path.iterdir())[:3]
    ['config.json', 'model.safetensors', 'projection.safetensors']
    >>> result.n_steps, result.n_pairs
    (3, 20)
    """
    training = training or SocialTraining()
    check_free(out)
    spelling = load_tokenizer(tweets, model, tokenizer)
    read = read_tweets(tweets, spelling, training)
    groups = read_groups(pairs, len(read), training)
    codes = read_languages(languages, groups, len(read))
    net = _make_net(model, spelling, training, random_state)
    _check_sizes(net, read, training)
    place = local_device(device)
    net.to(place)
    told = {
        "training": asdict(training),
        "random_state": random_state,
        "model": asdict(model) if isinstance(model, SocialModel) else _weights(net),
        "data": fingerprint(read, groups, codes),
    }
    with join_replicas(place) as replicas:
        outcome = _fit(
            net,
            read,
            groups,
            codes,
            training=training,
            seed=random_state,
            precision=precision,
            checkpoints=open_checkpoint_together(checkpoint, told, _CALLER, replicas),
            checkpoint_every=checkpoint_every,
            report=report,
            replicas=replicas,
        )
        result = _result(Path(out), groups, outcome)
        if replicas.is_main:
            history = outcome.untimed_history()
            _write(net, spelling, training, result, random_state, history)
        # No process leaves before the directory is there.
        replicas.wait()
        if checkpoint is not None and replicas.is_main:
            shutil.rmtree(checkpoint)
    return result


def _result(
    path: Path, groups: NDArray[np.int64], outcome: TrainingResult
) -> SocialTrainingResult:
    last = (outcome.history or [{}])[-1]
    return SocialTrainingResult(
        path,
        n_texts=len(np.unique(groups)),
        n_pairs=len(groups) if groups.shape[1] == 2 else 0,
        n_steps=outcome.n_steps,
        scores={k: v for k, v in last.items() if k.startswith("valid_")},
        history=outcome.history,
    )


# The network --------------------------------------------------------------------


def _make_net(
    model: Any, tokenizer: Any, training: SocialTraining, seed: int
) -> SocialNet:
    from transformers import AutoModelForMaskedLM

    start = int(stream(seed, "social encoder weights").integers(2**62))
    # Heads that a directory does not hold are drawn, too.
    with seeded(start, torch.device("cpu")), quiet_transformers():
        if isinstance(model, SocialModel):
            made = _fresh(model, tokenizer)
        else:
            made = AutoModelForMaskedLM.from_pretrained(model)
        if training.gradient_checkpointing:
            checkpoint_activations(made)
        projection = None
        if training.social_weight:
            width = made.config.hidden_size
            projection = ProjectionHead(width, *training.projection)
        return SocialNet(made, projection)


def _fresh(model: SocialModel, tokenizer: Any) -> Any:
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=model.hidden_size,
        num_hidden_layers=model.n_layers,
        num_attention_heads=model.n_heads,
        intermediate_size=model.intermediate_size or 4 * model.hidden_size,
        max_position_embeddings=model.max_positions,
        hidden_dropout_prob=model.dropout,
        attention_probs_dropout_prob=model.dropout,
        pad_token_id=tokenizer.pad_token_id,
    )
    return BertForMaskedLM(config)


def _check_sizes(net: SocialNet, read: TweetTokens, training: SocialTraining) -> None:
    vocabulary = net.model.config.vocab_size
    if vocabulary < read.vocab_size:
        raise DataError(
            f"{_CALLER}: the tokenizer knows {read.vocab_size} tokens, and the "
            f"model {vocabulary}. Take the tokenizer of the model."
        )
    longest = net.packed.encoder.max_length
    if longest is not None and training.max_length > longest:
        raise DataError(
            f"{_CALLER}: 'max_length' is {training.max_length}, and the model has "
            f"{longest} positions. Lower it."
        )


def _weights(net: SocialNet) -> str:
    """Return a hash of the weights that training begins with."""
    digest = hashlib.sha256()
    for name, tensor in sorted(net.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().float().cpu().contiguous().numpy().data)
    return digest.hexdigest()


# Training -----------------------------------------------------------------------


def _hold_out(
    n_groups: int, training: SocialTraining, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the groups to learn from, and those to measure on."""
    share = training.validation_fraction
    order = stream(seed, "held-out pairs").permutation(n_groups)
    n_held = min(max(2, round(share * n_groups)), _MOST_HELD) if share else 0
    if n_groups - n_held < 2:
        raise DataError(
            f"{_CALLER}: {n_groups} are too few to hold any out. Give more, or set "
            "validation_fraction=0."
        )
    return np.sort(order[n_held:]), np.sort(order[:n_held])


def _batches(
    read: TweetTokens,
    groups: NDArray[np.int64],
    codes: NDArray[np.int64] | None,
    training: SocialTraining,
    seed: int,
    replicas: Replicas,
) -> tuple[SocialBatches, HeldPairs | None]:
    """Return what is learnt from, and what measures on the groups held out."""
    chosen, held = _hold_out(len(groups), training, seed)
    options: dict[str, Any] = {
        "mask_rate": training.mask_rate,
        "keep_clean": training.clean_contrast and training.social_weight > 0,
        "seed": seed,
    }
    accumulate = training.accumulate
    batches = SocialBatches(
        read,
        groups[chosen],
        batch_size=training.batch_size,
        accumulate=accumulate,
        languages=None if codes is None else codes[chosen],
        language_power=training.language_power,
        blocked=training.blocked_attention,
        n_steps=training.n_steps,
        rank=replicas.rank,
        world_size=replicas.size,
        **options,
    )
    evaluate = None
    if len(held):
        measured = SocialBatches(
            read,
            groups[held],
            batch_size=min(training.batch_size // accumulate, len(held)),
            # Losses are of the model as it is trained.
            blocked=training.blocked_attention,
            shuffle=False,
            **options,
        )
        evaluate = HeldPairs(measured, training)
    return batches, evaluate


def _fit(
    net: SocialNet,
    read: TweetTokens,
    groups: NDArray[np.int64],
    codes: NDArray[np.int64] | None,
    *,
    training: SocialTraining,
    seed: int,
    precision: Precision,
    checkpoints: Checkpoints | None,
    checkpoint_every: int | None,
    report: Callable[[dict[str, Any]], bool | None] | None,
    replicas: Replicas,
) -> TrainingResult:
    batches, evaluate = _batches(read, groups, codes, training, seed, replicas)
    n_epochs = batches.n_epochs or training.max_iter
    accumulate = training.accumulate
    groups_of = parameter_groups(
        net, lr=training.learning_rate, weight_decay=training.weight_decay
    )
    return fit_loop(
        net,
        SocialObjective(training),
        batches,
        optimizer=adamw(
            groups_of, lr=training.learning_rate, betas=training.betas, eps=training.eps
        ),
        max_epochs=n_epochs,
        schedule=Linear(
            total_steps(batches, n_epochs, accumulate), warmup=training.warmup
        ),
        accumulate=accumulate,
        clip_norm=training.clip_norm,
        precision=precision,
        evaluate=evaluate,
        monitor=None,
        checkpoint=checkpoints,
        checkpoint_every=checkpoint_every,
        resume=None if checkpoints is None else checkpoints.latest(),
        report=report,
        seed=seed,
        replicas=replicas,
    )


def _write(
    net: SocialNet,
    tokenizer: Any,
    training: SocialTraining,
    result: SocialTrainingResult,
    seed: int,
    history: list[dict[str, Any]],
) -> None:
    card = {
        "format": 1,
        "tweetclf": __version__,
        "training": asdict(training),
        "random_state": seed,
        "n_texts": result.n_texts,
        "n_pairs": result.n_pairs,
        "n_steps": result.n_steps,
        "scores": result.scores,
        "history": history,
    }
    # Packing is ours; whoever loads the directory chooses an attention of their own.
    net.model.set_attn_implementation("sdpa")
    with atomic_directory(result.path) as folder, quiet_transformers():
        net.model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        if net.projection is not None:
            weights = {
                name: tensor.detach().cpu().contiguous()
                for name, tensor in _plain(net.projection).items()
            }
            save_file(weights, folder / "projection.safetensors")
        text = json.dumps(card, indent=1)
        (folder / "social.json").write_text(f"{text}\n", "utf-8")


def _plain(module: nn.Module) -> dict[str, torch.Tensor]:
    return dict(module.state_dict())
