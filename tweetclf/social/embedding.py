"""The TwHIN embedding: users and posts in one space, from who engaged with what."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from tweetclf.exceptions import DataError, DivergenceError
from tweetclf.social._buckets import EdgeBuckets
from tweetclf.social._build import blocks
from tweetclf.social._embedding_files import (
    EpochFiles,
    read_embedding,
    write_embedding,
)
from tweetclf.social._scoring import EdgeScores
from tweetclf.social._tables import Tables
from tweetclf.social._training import Engine, NumpyEngine, Options, train_epoch
from tweetclf.social.edges import Edges, as_edges
from tweetclf.utils._sklearn import Interval, StrOptions, _fit_context
from tweetclf.utils.optional import import_optional

__all__ = ["TwHINEmbedding"]

Report = Callable[[dict[str, Any]], None]

_MOST_SEEDS = 2**31 - 1


def _silent(event: dict[str, Any]) -> None:
    """Report nothing."""


def _hash_edges(edges: Edges) -> str:
    """Return a hash of all that is learnt from, read block by block."""
    state = hashlib.sha256()
    for block in blocks(len(edges)):
        some = edges.take(block)
        columns = [(some.users, "<i4"), (some.posts, "<i4"), (some.types, "<u2")]
        if some.weights is not None:
            columns.append((some.weights, "<f4"))
        for column, kind in columns:
            state.update(np.ascontiguousarray(column, dtype=kind).data)
    return state.hexdigest()


class TwHINEmbedding(EdgeScores, BaseEstimator):
    r"""Embed users and posts so that a user's vector points to what they engage with.

    Parameters
    ----------
    dim : int, default=256
        Length of the vectors.
    max_iter : int, default=10
        Epochs.
    learning_rate : float, default=0.1
        Rate of row-wise Adagrad. The paper does not state it.
    batch_size : int, default=1000
        Edges of a step.
    n_batch_negatives : int, default=50
        Edges are cut into chunks of so many, whose ends are set against each other:
        wrong ends that occur in proportion to their prevalence. 0: none.
    n_uniform_negatives : int, default=50
        Posts and users that are drawn for every chunk, each with the same chance.
    init_scale : float, default=1e-3
        Standard deviation of the first vectors; those of the relations are nought.
    use_weights : bool, default=False
        Let an edge count as much as its weight says.
    n_partitions : int, default=1
        Ranges that users and posts are cut into. Only two of them are in memory, for
        each process, when the tables are on disk; wrong ends are then drawn from the
        same two.
    n_jobs : int, default=1
        Processes, at most one a partition, and threads that draw the first vectors.
        They change no bit of the result.
    deterministic : bool, default=True
        False: `n_jobs` threads work on the same tables without locks (Hogwild), and no
        two runs are the same.
    engine : {"auto", "numpy", "torch"}, default="auto"
        What computes; "auto" is "numpy" on the CPU.
    device : str, default="cpu"
        For "torch": "cpu", "cuda", "cuda:1", "auto".
    random_state : int, RandomState or None, default=None
        Seed of first vectors, order and draws.

    Attributes
    ----------
    user_vectors_ : ndarray of float32, shape (n_users, dim)
        Vectors of users.
    post_vectors_ : ndarray of float32, shape (n_posts, dim)
        Vectors of posts.
    relation_vectors_ : ndarray of float32, shape (n_actions, dim)
        What an action adds to a user.
    actions_ : tuple of str
        Names of the actions; empty if edges came without.
    n_iter_ : int
        Epochs.
    loss_curve_ : list of float
        Mean loss of an edge in each epoch, both sides added, of every fourth step.

    See Also
    --------
    mine_similar_pairs : Finds posts whose vectors are near each other.

    Notes
    -----
    The score of an edge is :math:`f(u, t, r) = (u + r)^\top t`. Its loss is, for the
    posts and for the users in turn,
    :math:`\log(1 + e^{-f}) + \frac{1}{N} \sum_{e'} \log(1 + e^{f(e')})` over N wrong
    edges ``e'`` with another post or user. N counts the columns of a chunk, its own
    (masked) end included, as PyTorch-BigGraph does; the paper states neither N nor a
    weight. Wrong ends may be right by chance, as there.

    Row-wise Adagrad adds the mean of the squared gradient to one sum a row. A step
    touches only the rows it needs, so it costs the same however large the tables are,
    and an epoch is linear in the edges.

    With `n_partitions` = P, pairs of partitions are trained on one after another, or P
    at a time by processes, which then touch different rows. Relations, which all pairs
    share, exist once for each partition of users and are averaged, weighted by their
    edges, once an epoch. The result depends on the seed and on P, and not on `n_jobs`
    nor on where the tables are. On a GPU it agrees to rounding.

    References
    ----------
    X. Zhang et al., "TwHIN-BERT", KDD 2023 (arXiv 2209.07562), section 2.1.2: dim 256,
    10 epochs, uniform and prevalence-proportional negatives.

    A. El-Kishky et al., "TwHIN: Embedding the Twitter Heterogeneous Information Network
    for Personalized Recommendation", KDD 2022.

    A. Lerer et al., "PyTorch-BigGraph: A Large-scale Graph Embedding System", SysML
    2019, sections 3.1 and 4.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.social import TwHINEmbedding
    >>> users = np.repeat(np.arange(20), 5)
    >>> posts = (users % 2) * 10 + np.tile(np.arange(5), 20) * 2 % 10
    >>> edges = np.stack([users, posts], axis=1)
    >>> model = TwHINEmbedding(dim=8, max_iter=30, random_state=0).fit(edges)
    >>> model.user_vectors_.shape, model.post_vectors_.shape
    ((20, 8), (19, 8))
    >>> bool(model.score_edges([[0, 2]]) > model.score_edges([[0, 12]]))
    True
    """

    user_vectors_: np.ndarray
    post_vectors_: np.ndarray
    relation_vectors_: np.ndarray
    actions_: tuple[str, ...]
    n_iter_: int
    loss_curve_: list[float]

    _parameter_constraints = {
        "dim": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "n_batch_negatives": [Interval(Integral, 0, None, closed="left")],
        "n_uniform_negatives": [Interval(Integral, 0, None, closed="left")],
        "init_scale": [Interval(Real, 0, None, closed="neither")],
        "use_weights": ["boolean"],
        "n_partitions": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Interval(Integral, 1, None, closed="left")],
        "deterministic": ["boolean"],
        "engine": [StrOptions({"auto", "numpy", "torch"})],
        "device": [str],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        dim: int = 256,
        max_iter: int = 10,
        learning_rate: float = 0.1,
        batch_size: int = 1000,
        n_batch_negatives: int = 50,
        n_uniform_negatives: int = 50,
        init_scale: float = 1e-3,
        use_weights: bool = False,
        n_partitions: int = 1,
        n_jobs: int = 1,
        deterministic: bool = True,
        engine: str = "auto",
        device: str = "cpu",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.dim = dim
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_batch_negatives = n_batch_negatives
        self.n_uniform_negatives = n_uniform_negatives
        self.init_scale = init_scale
        self.use_weights = use_weights
        self.n_partitions = n_partitions
        self.n_jobs = n_jobs
        self.deterministic = deterministic
        self.engine = engine
        self.device = device
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        n_users: int | None = None,
        n_posts: int | None = None,
        folder: str | os.PathLike[str] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        report: Report | None = None,
    ) -> Self:
        """Learn the vectors.

        Parameters
        ----------
        X : EngagementGraph, Edges or array-like of int, shape (n_edges, 2 or 3)
            Edges; the columns of an array are user, post and, perhaps, action.
        y : None
            Ignored.
        n_users, n_posts : int, optional
            How many there are, if some have no edge here; by default those of the
            graph, or one more than the largest number.
        folder : path, optional
            Keep tables and edges there, on disk, while training; the vectors stay
            memory-mapped. It must be empty. By default all is in memory.
        checkpoint : path, optional
            Folder to write the state to after every epoch; a training that was stopped
            goes on from there to the same result.
        report : callable, optional
            Called with ``{"kind": "edges", "n": ...}`` after every pair of partitions
            and ``{"kind": "epoch", "epoch": ..., "loss": ...}`` after every epoch.

        Returns
        -------
        TwHINEmbedding
            Itself.

        Raises
        ------
        DataError
            If there are no edges, or a checkpoint is of another training or of more
            epochs than `max_iter`.
        DivergenceError
            If the loss is not finite any more.
        """
        edges = as_edges(X, caller="TwHINEmbedding")
        sizes = self._sizes(X, edges, n_users, n_posts)
        edges = self._check(edges, sizes)
        seed = int(check_random_state(self.random_state).randint(_MOST_SEEDS))
        shared = self.deterministic and self.n_jobs > 1 and self.n_partitions > 1
        if folder is None and shared:
            # Processes meet in files; the vectors are copied out of them.
            with tempfile.TemporaryDirectory(prefix="tweetclf-twhin-") as name:
                self._learn(edges, sizes, seed, Path(name), checkpoint, report)
                for kind in ("user", "post", "relation"):
                    vectors = getattr(self, f"{kind}_vectors_")
                    setattr(self, f"{kind}_vectors_", np.array(vectors))
            return self._name_actions(X)
        place = None if folder is None else Path(folder)
        if place is not None:
            place.mkdir(parents=True, exist_ok=True)
            if any(place.iterdir()):
                raise FileExistsError(f"{place} is not empty; choose another folder.")
        self._learn(edges, sizes, seed, place, checkpoint, report)
        return self._name_actions(X)

    def _check(self, edges: Edges, sizes: tuple[int, int, int]) -> Edges:
        """Refuse what does not go together; return the edges as they count."""
        if self.n_partitions > min(sizes[:2]):
            raise ValueError(
                "TwHINEmbedding: the 'n_partitions' parameter must be at most the "
                f"number of users and of posts, {sizes[0]:,} and {sizes[1]:,}. Got "
                f"{self.n_partitions!r} instead."
            )
        if not (self.n_batch_negatives or self.n_uniform_negatives):
            raise ValueError(
                "TwHINEmbedding: one of n_batch_negatives and n_uniform_negatives must "
                "be above 0; without wrong edges all vectors become one."
            )
        if not self.use_weights:
            edges = Edges(edges.users, edges.posts, edges.types)
        elif edges.weights is None:
            raise DataError("TwHINEmbedding: use_weights=True, but edges have none.")
        return edges

    def _name_actions(self, X: Any) -> Self:
        self.actions_ = tuple(getattr(X, "actions", ()))
        return self

    @staticmethod
    def _sizes(
        X: Any, edges: Edges, n_users: int | None, n_posts: int | None
    ) -> tuple[int, int, int]:
        """Return the numbers of users, posts and actions."""
        least = [int(column.max()) + 1 for column in (edges.users, edges.posts)]
        given = [
            getattr(X, "n_users", least[0]) if n_users is None else n_users,
            getattr(X, "n_posts", least[1]) if n_posts is None else n_posts,
        ]
        for name, number, needed in zip(("users", "posts"), given, least, strict=True):
            if number < needed:
                raise DataError(
                    f"TwHINEmbedding: n_{name}={number:,}, but the largest number is "
                    f"{needed - 1:,}; {name} are numbered from 0."
                )
        n_types = max(len(getattr(X, "actions", ())), int(edges.types.max()) + 1)
        return given[0], given[1], n_types

    def _make_engine(self, on_disk: bool) -> Callable[[], Engine]:
        if self.engine == "torch" or (self.engine == "auto" and self.device != "cpu"):
            import_optional("torch", extra="neural", caller="TwHINEmbedding")
            from tweetclf.social._torch_steps import TorchEngine

            return partial(TorchEngine, self.device)
        if self.device != "cpu":
            raise ValueError(
                f"TwHINEmbedding: engine='numpy' has no device {self.device!r}; take "
                "engine='torch'."
            )
        return partial(NumpyEngine, copies=on_disk)

    def _learn(
        self,
        edges: Edges,
        sizes: tuple[int, int, int],
        seed: int,
        folder: Path | None,
        checkpoint: str | os.PathLike[str] | None,
        report: Report | None,
    ) -> None:
        said = report or _silent
        tables = Tables(*sizes, self.dim, n_partitions=self.n_partitions, folder=folder)
        buckets = EdgeBuckets(edges, tables.bounds, sizes[2], seed=seed, folder=folder)
        options = self._options(seed)
        files = None
        if checkpoint is not None:
            files = EpochFiles(Path(checkpoint), self._identity(edges, sizes, seed))
        losses = files.resume(tables) if files else []
        if len(losses) > self.max_iter:
            raise DataError(
                f"TwHINEmbedding: the checkpoint in {checkpoint} is of {len(losses)} "
                f"epochs, more than max_iter={self.max_iter}. Raise max_iter, or "
                "remove the checkpoint to start anew."
            )
        if not losses:
            tables.initialise(seed, self.init_scale, self.n_jobs)
        make_engine = self._make_engine(folder is not None)
        for epoch in range(len(losses), self.max_iter):
            loss = train_epoch(
                tables,
                buckets,
                make_engine,
                options,
                epoch,
                lambda n: said({"kind": "edges", "n": n}),
            )
            if not np.isfinite(loss):
                raise DivergenceError(
                    f"TwHINEmbedding: the loss of epoch {epoch + 1} is {loss}. Lower "
                    f"the learning rate of {self.learning_rate!r}."
                )
            losses.append(loss)
            if files is not None:
                files.write(tables, losses)
            said({"kind": "epoch", "epoch": epoch, "loss": loss})
        self.user_vectors_ = tables.arrays["users"]
        self.post_vectors_ = tables.arrays["posts"]
        self.relation_vectors_ = tables.relations()
        self.n_iter_ = len(losses)
        self.loss_curve_ = losses

    def _options(self, seed: int) -> Options:
        return Options(
            self.batch_size,
            self.n_batch_negatives,
            self.n_uniform_negatives,
            self.learning_rate,
            seed,
            self.n_jobs,
            self.deterministic,
        )

    def _identity(
        self, edges: Edges, sizes: tuple[int, int, int], seed: int
    ) -> dict[str, Any]:
        """Return what a checkpoint must have in common with this training."""
        parameters = self.get_params()
        for name in ("max_iter", "n_jobs", "random_state", "engine", "device"):
            del parameters[name]
        return {
            **parameters,
            "seed": seed,
            "sizes": list(sizes),
            "n_edges": len(edges),
            "edges": _hash_edges(edges),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the vectors as plain arrays and JSON, whole or not at all.

        Parameters
        ----------
        path : path
            Folder to make: ``users.f32``, ``posts.f32`` and ``relations.f32`` hold
            little-endian 32-bit floats, row after row, ``embedding.json`` the rest.
        """
        check_is_fitted(self)
        write_embedding(self, Path(path))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TwHINEmbedding:
        """Open vectors that `save` wrote, memory-mapped.

        Parameters
        ----------
        path : path
            The folder.

        Returns
        -------
        TwHINEmbedding
            Fitted.

        Raises
        ------
        ModelFormatError
            If it is no such folder, or damaged.
        """
        return read_embedding(cls, Path(path))
