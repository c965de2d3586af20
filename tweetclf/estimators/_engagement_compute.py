"""What `EngagementPredictor` needs torch for: its two maps, batches and loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from tweetclf.social.engagement import NegativePosts, rank_engagements
from tweetclf.training.devices import choose_device, seeded
from tweetclf.training.loop import fit_loop
from tweetclf.training.optimizers import adamw
from tweetclf.utils.random import stream

__all__ = ["Job", "train"]

Weights = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Job:
    """One training: vectors, features, and engagements by their rows."""

    users: NDArray[np.float32]
    posts: NDArray[np.float32]
    records: NDArray[np.int64]
    valid: NDArray[np.int64] | None
    seed: int


class _TwoMaps(nn.Module):
    def __init__(self, n_user: int, n_post: int, n_components: int) -> None:
        super().__init__()
        self.user = nn.Linear(n_user, n_components, bias=False)
        self.post = nn.Linear(n_post, n_components, bias=False)

    def forward(self, users: Tensor, posts: Tensor) -> Tensor:
        """Return the products of users (B, n_user) and posts (B, p, n_post)."""
        return torch.einsum("bd,bpd->bp", self.user(users), self.post(posts))  # (B, p)

    def weights(self) -> Weights:
        """Return both matrices as they are applied, from the right."""
        return tuple(  # type: ignore[return-value]
            np.ascontiguousarray(layer.weight.detach().cpu().numpy().T)
            for layer in (self.user, self.post)
        )


class _Batches:
    """Engagements in random order, each with fresh negatives."""

    def __init__(self, estimator: Any, job: Job) -> None:
        self.job = job
        self.size = estimator.batch_size
        self.n_negatives = estimator.n_negatives
        counts = np.bincount(job.records[:, 1], minlength=len(job.posts))
        self.negatives = NegativePosts(counts, estimator.power)

    def n_batches(self, epoch: int) -> int:
        return -(-len(self.job.records) // self.size)

    def epoch(self, epoch: int) -> Iterator[dict[str, Tensor]]:
        job = self.job
        order = stream(job.seed, "engagements", epoch).permutation(len(job.records))
        generator = stream(job.seed, "negative posts", epoch)
        for start in range(0, len(order), self.size):
            users, posts = job.records[order[start : start + self.size]].T
            drawn = self.negatives.draw(generator, (len(posts), self.n_negatives))
            read = np.concatenate([posts[:, None], drawn], axis=1)
            yield {
                "users": torch.from_numpy(job.users[users]),
                "posts": torch.from_numpy(job.posts[read]),
            }


def _objective(
    module: nn.Module, batch: dict[str, Tensor]
) -> tuple[Tensor, dict[str, float]]:
    """Sum of the two logarithms of equation 6, negated, an engagement."""
    scores = module(batch["users"], batch["posts"])
    loss = F.softplus(-scores[:, 0]) + F.softplus(scores[:, 1:]).sum(dim=1)
    return loss.mean(), {"weight": len(scores), "n_examples": len(scores)}


def train(estimator: Any, job: Job) -> tuple[Weights, list[dict[str, Any]]]:
    """Train the maps; return their weights and the history, without times."""
    start = int(stream(job.seed, "engagement maps").integers(2**62))
    with seeded(start, torch.device("cpu")):
        module = _TwoMaps(
            job.users.shape[1], job.posts.shape[1], estimator.n_components
        )
    module.to(choose_device(estimator.device))

    def evaluate(net: nn.Module) -> dict[str, float]:
        user, post = net.weights()  # type: ignore[operator]
        ranked = rank_engagements(
            job.users @ user,
            job.posts @ post,
            job.valid,  # type: ignore[arg-type]
            k=estimator.k,
            n_candidates=estimator.n_candidates,
            ties=estimator.ties,
            seed=job.seed,
        )
        return {"valid_hits": ranked.mean}

    watched = job.valid is not None
    result = fit_loop(
        module,
        _objective,
        _Batches(estimator, job),
        optimizer=adamw(
            module.parameters(),
            lr=estimator.learning_rate,
            weight_decay=estimator.weight_decay,
        ),
        max_epochs=estimator.max_iter,
        evaluate=evaluate if watched else None,
        monitor="valid_hits" if watched else None,
        greater_is_better=True,
        n_iter_no_change=estimator.n_iter_no_change if watched else None,
        seed=job.seed,
    )
    return module.weights(), result.untimed_history()
