"""The embedding of engagements on a GPU against the one on a CPU."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tweetclf.social import Edges, TwHINEmbedding  # noqa: E402

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]


def edges(n: int = 4003) -> Edges:
    rng = np.random.default_rng(0)
    # Some ends come often, others never.
    users = (rng.random(n) ** 3 * 600).astype(np.int64)
    posts = (rng.random(n) ** 3 * 900).astype(np.int64)
    weights = rng.random(n).astype(np.float32) + 0.5
    return Edges(users, posts, rng.integers(3, size=n), weights)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n_chunk", "batch_size"), [(50, 1000), (0, 300)])
def test_it_learns_what_a_cpu_learns(weighted, n_chunk, batch_size):
    made = {}
    for device in ("cpu", "cuda"):
        made[device] = TwHINEmbedding(
            dim=16,
            max_iter=2,
            batch_size=batch_size,
            n_batch_negatives=n_chunk,
            n_uniform_negatives=20,
            init_scale=0.1,
            n_partitions=2,
            use_weights=weighted,
            device=device,
            random_state=0,
        ).fit(edges(), n_users=3000, n_posts=5000)
    cpu, gpu = made["cpu"], made["cuda"]
    for name in ("user_vectors_", "post_vectors_", "relation_vectors_"):
        one, other = getattr(gpu, name), getattr(cpu, name)
        assert np.linalg.norm(one - other) < 5e-3 * np.linalg.norm(other)
    assert gpu.loss_curve_ == pytest.approx(cpu.loss_curve_, rel=1e-4)


def test_threads_without_locks_learn_on_a_gpu():
    model = TwHINEmbedding(
        dim=16, max_iter=3, deterministic=False, n_jobs=4, batch_size=100, device="cuda"
    ).fit(edges())
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert np.isfinite(model.post_vectors_).all()
