"""Engagements: splits by post, negatives, ranks with ties, learning (P36)."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from tweetclf.exceptions import DataError
from tweetclf.social import (
    NegativePosts,
    draw_candidates,
    expected_hits,
    rank_engagements,
    split_by_post,
)

RNG = np.random.default_rng(0)


# Splits --------------------------------------------------------------------------


def test_records_follow_their_posts():
    posts = RNG.integers(200, size=3000)
    parts = split_by_post(posts, seed=1)
    assert_array_equal(np.sort(np.concatenate(parts)), np.arange(3000))
    sets = [set(posts[rows].tolist()) for rows in parts]
    assert [len(s) for s in sets] == [160, 20, 20]
    assert not sets[0] & sets[1]
    assert not sets[2] & (sets[0] | sets[1])


def test_a_split_depends_on_the_set_of_posts_alone():
    posts = RNG.integers(50, size=400)
    order = RNG.permutation(400)
    first = [set(posts[rows].tolist()) for rows in split_by_post(posts, seed=3)]
    again = [
        set(posts[order][rows].tolist()) for rows in split_by_post(posts[order], seed=3)
    ]
    assert first == again
    assert first != [set(posts[r].tolist()) for r in split_by_post(posts, seed=4)]


def test_fractions_must_sum_to_one():
    with pytest.raises(ValueError, match="shares that sum to 1"):
        split_by_post([0, 1], fractions=(0.5, 0.4))


# Negatives -----------------------------------------------------------------------


def test_negatives_follow_the_power_of_the_frequencies():
    counts = np.array([1, 16, 0, 81, 5, 256])
    negatives = NegativePosts(counts)
    drawn = negatives.draw(np.random.default_rng(5), 200_000)
    found = np.bincount(drawn, minlength=6)
    law = counts**0.75 / (counts**0.75).sum()
    assert_allclose(negatives.law, law)
    assert found[2] == 0
    there = law > 0
    assert chisquare(found[there], law[there] * drawn.size).pvalue > 1e-3
    # It is not the law of another power.
    other = counts / counts.sum()
    assert chisquare(found[there], other[there] * drawn.size).pvalue < 1e-9


def test_a_power_of_0_is_uniform_over_posts_with_an_engagement():
    assert_allclose(NegativePosts([3, 0, 9], power=0).law, [0.5, 0, 0.5])
    with pytest.raises(DataError, match="no post has an engagement"):
        NegativePosts([0, 0])


# Ranks ---------------------------------------------------------------------------


@pytest.mark.parametrize(("n_posts", "n_candidates"), [(9, 20), (9, 5), (60, 5)])
def test_candidates_are_other_posts_none_twice_all_equally_likely(
    n_posts, n_candidates
):
    positives = np.full(20_000, 3)
    drawn = draw_candidates(np.random.default_rng(1), positives, n_posts, n_candidates)
    assert drawn.shape == (20_000, min(n_candidates, n_posts - 1))
    assert all(len(set(row)) == drawn.shape[1] for row in drawn[:500].tolist())
    counts = np.bincount(drawn.ravel(), minlength=n_posts)
    assert counts[3] == 0
    assert chisquare(np.delete(counts, 3)).pvalue > 1e-3


def _rank_by_sorting(score, others, k, trials, rng):
    """Put equals in random order, many times, and look whether it is among the best."""
    others = others[~np.isnan(others)]
    hits = 0
    for _ in range(trials):
        keys = rng.random(len(others) + 1)
        values = np.append(others, score)
        order = np.lexsort((keys, -values))
        hits += np.flatnonzero(order == len(others))[0] < k
    return hits / trials


def test_hits_with_ties_are_those_of_random_orders():
    rng = np.random.default_rng(2)
    others = rng.integers(4, size=(30, 12)).astype(float)
    others[rng.random(others.shape) < 0.1] = np.nan
    positives = rng.integers(4, size=30).astype(float)
    for k in (1, 4):
        found = expected_hits(positives, others, k)
        for i in range(30):
            share = _rank_by_sorting(positives[i], others[i], k, 400, rng)
            assert found[i] == pytest.approx(share, abs=0.11)


def test_ties_by_hand_are_exact():
    others = np.array([[3.0, 2, 2, 2, 1]])
    assert expected_hits([2.0], others, 2) == pytest.approx(1 / 4)
    assert expected_hits([2.0], others, 3) == pytest.approx(2 / 4)
    assert expected_hits([2.0], others, 2, ties="optimistic") == 1
    assert expected_hits([2.0], others, 4, ties="pessimistic") == 0
    assert expected_hits([2.0], others, 5, ties="pessimistic") == 1
    assert expected_hits([3.5], others, 1) == 1
    assert expected_hits([0.5], others, 5) == 0
    with pytest.raises(ValueError, match="'ties' parameter"):
        expected_hits([0.5], others, 5, ties="mean")


def test_without_ties_hits_are_those_of_a_sorted_ranking():
    rng = np.random.default_rng(4)
    users, posts = rng.normal(size=(30, 8)), rng.normal(size=(80, 8))
    records = np.argwhere(rng.random((30, 80)) < 0.05)
    found = rank_engagements(users, posts, records, k=3, n_candidates=10**6)
    pool = np.unique(records[:, 1])
    known = {tuple(row) for row in records.tolist()}
    for hit, (user, post) in zip(found.hits, records.tolist(), strict=True):
        rivals = [p for p in pool if p != post and (user, p) not in known]
        rank = sum(users[user] @ posts[p] > users[user] @ posts[post] for p in rivals)
        assert hit == (rank < 3)


def test_a_predictor_that_knows_nothing_has_the_hits_of_chance():
    records = np.column_stack([np.arange(50) % 7, np.arange(50)])
    none = np.empty((0, 2), dtype=int)
    ranked = rank_engagements(
        np.ones((7, 3)), np.ones((50, 3)), records, n_candidates=19, known=none
    )
    assert ranked.n_candidates == 19
    assert_allclose(ranked.hits, 0.5)
    assert ranked.mean == pytest.approx(ranked.chance) == pytest.approx(0.5)


def test_known_candidates_are_replaced_as_long_as_there_are_others():
    records = np.array([[u, p] for u in range(3) for p in range(10 * u, 10 * u + 10)])
    few = np.vstack([records, [[3, p] for p in range(27)]])
    users, posts = np.ones((4, 1)), np.ones((30, 1))
    ranked = rank_engagements(users, posts, few, k=2, n_candidates=8,
                              pool=np.arange(30))  # fmt: skip
    # Ten posts each are known, twenty are left; of the last user three are left.
    assert ranked.n_others.tolist() == [8] * 30 + [3] * 27
    assert_allclose(ranked.hits, [2 / 9] * 30 + [2 / 4] * 27)
    assert ranked.mean == pytest.approx(ranked.chance)
    assert ranked.n_candidates == pytest.approx((8 * 30 + 3 * 27) / 57)


def test_what_replaces_known_candidates_is_drawn_fairly():
    # One user with 6 of 20 posts; the score says which one is among the others.
    records = np.array([[0, p] for p in range(6)])
    marked = np.zeros((20, 1))
    marked[13] = 1.0
    found = [
        rank_engagements(np.ones((1, 1)), marked, records, k=1, n_candidates=4,
                         pool=np.arange(20), ties="optimistic", seed=seed).hits
        for seed in range(400)
    ]  # fmt: skip
    assert np.mean(found) == pytest.approx(1 - 4 / 14, abs=0.04)


def test_equal_posts_score_the_same_bits():
    rng = np.random.default_rng(6)
    users = rng.normal(size=(1, 37)).astype(np.float32)
    posts = np.repeat(rng.normal(size=(1, 37)).astype(np.float32), 40, axis=0)
    ranked = rank_engagements(users, posts, [[0, 17]], k=10, pool=np.arange(40))
    assert ranked.hits[0] == 10 / 40


def test_known_engagements_are_no_candidates():
    users, posts = np.ones((1, 1)), np.array([[1.0], [3], [2]])
    records = np.array([[0, 0], [0, 1], [0, 2]])
    assert rank_engagements(users, posts, records, k=1).hits.tolist() == [1, 1, 1]
    none = np.empty((0, 2), dtype=int)
    ranked = rank_engagements(users, posts, records, k=1, known=none)
    assert ranked.hits.tolist() == [0, 1, 0]


def test_candidates_do_not_hang_on_the_predictor():
    rng = np.random.default_rng(7)
    records = np.column_stack([rng.integers(5, size=300), rng.integers(40, size=300)])
    # Scores that say which posts were drawn: only these can be above.
    wide = rank_engagements(np.ones((5, 1)), np.arange(40.0)[:, None], records, k=1,
                            n_candidates=6)  # fmt: skip
    tall = rank_engagements(np.ones((5, 9)), np.tile(np.arange(40.0)[:, None], 9),
                            records, k=1, n_candidates=6)  # fmt: skip
    assert_array_equal(wide.hits, tall.hits)


def test_records_that_cannot_be_are_refused():
    states = np.ones((4, 2))
    with pytest.raises(DataError, match=r"engagement 1 is of post 9, and there are 4"):
        rank_engagements(states, states, [[0, 1], [0, 9]])
    with pytest.raises(DataError, match="no engagement"):
        rank_engagements(states, states, np.empty((0, 2), dtype=int))
    with pytest.raises(DataError, match="integer array of shape"):
        rank_engagements(states, states, [[0.0, 1.0]])
    with pytest.raises(DataError, match="engagement 0, 3, is not in 'pool'"):
        rank_engagements(states, states, [[0, 3]], pool=[0, 1])
    with pytest.raises(DataError, match="no other post to rank among"):
        rank_engagements(states, states, [[0, 3]])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_states_that_are_not_finite_hit_nothing(value):
    posts = np.random.default_rng(0).normal(size=(30, 4))
    users = np.random.default_rng(1).normal(size=(5, 4))
    records = [[k % 4, k] for k in range(30)] * 3
    broken = users.copy()
    broken[3] = value
    with pytest.raises(DataError, match="engagement 3, of user 3, are not finite"):
        rank_engagements(broken, posts, records)
    broken = posts.copy()
    broken[7, 0] = value
    # One of the candidates is enough.
    with pytest.raises(DataError, match="engagement 0, of user 0, are not finite"):
        rank_engagements(users, broken, records, n_candidates=29)
    with pytest.raises(DataError, match=r"positives\[1\] is (nan|inf)"):
        expected_hits([0.5, value], [[0.1], [0.2]], 1)


@pytest.mark.parametrize("n_candidates", [0, -1])
def test_a_hit_among_none_is_refused(n_candidates):
    states = np.ones((4, 2))
    with pytest.raises(ValueError, match="'n_candidates' parameter must be at least 1"):
        rank_engagements(states, states, [[0, 1], [1, 2]], n_candidates=n_candidates)


# The estimator -------------------------------------------------------------------

import torch  # noqa: E402

from tweetclf.estimators.engagement import EngagementPredictor  # noqa: E402
from tweetclf.estimators.engagement_evaluation import (  # noqa: E402
    engagement_runs,
    evaluate_engagement,
)

N_TOPICS = 6


@pytest.fixture(scope="module")
def world():
    """Users and posts of topics; users engage with posts of theirs."""
    rng = np.random.default_rng(11)
    taste, topic = rng.integers(N_TOPICS, size=80), rng.integers(N_TOPICS, size=150)
    users = np.eye(N_TOPICS)[taste] + 0.3 * rng.normal(size=(80, N_TOPICS))
    likes = (taste[:, None] == topic) & (rng.random((80, 150)) < 0.5)
    words = ["gol", "lluvia", "voto", "gato", "pan", "tren"]
    fill = ["hoy", "mucho", "otro", "nunca", "casi"]
    texts = [
        f"{words[t]} {' '.join(rng.choice(fill, 2))} {i}" for i, t in enumerate(topic)
    ]
    features = np.eye(N_TOPICS)[topic] + 0.2 * rng.normal(size=(150, N_TOPICS))
    return users, texts, features, np.argwhere(likes)


def _predictor(**given):
    options = {"n_components": 8, "k": 3, "n_candidates": 30, "learning_rate": 0.03,
               "batch_size": 64, "max_iter": 15, "random_state": 0}  # fmt: skip
    return EngagementPredictor(**{**options, **given})


def test_it_learns_who_likes_what_and_beats_chance(world):
    users, _, features, likes = world
    found = evaluate_engagement(
        _predictor(), likes, user_vectors=users, texts=features, n_runs=3
    )
    assert sum(found.n_records) == len(likes)
    assert len(found.runs) == 3
    assert found.median == sorted(run.mean for run in found.runs)[1]
    # 14 test posts of 6 topics: one of three is right by chance at .23.
    assert found.median > 2 * found.runs[0].chance


def test_engagements_of_no_part_are_wrong_candidates(world):
    users, _, features, likes = world
    parts = [likes[rows] for rows in split_by_post(likes[:, 1])]
    predictor = _predictor(n_candidates=len(features), max_iter=1)
    ((_, ranked),) = engagement_runs(
        predictor,
        tuple(parts),
        user_vectors=users,
        texts=features,
        runs=[0],
        pool=np.arange(len(features)),
    )
    n_liked = np.bincount(likes[:, 0])[parts[2][:, 0]]
    assert_array_equal(ranked.n_others, len(features) - n_liked)


def test_texts_go_through_any_vectorizer_of_ours(world):
    from tweetclf.features import NgramTfidfVectorizer

    users, texts, _, likes = world
    predictor = _predictor(vectorizer=NgramTfidfVectorizer(min_df=1))
    predictor.fit(likes, user_vectors=users, texts=texts)
    check_is_fitted(predictor.vectorizer_)
    assert predictor.post_weights_.shape[1] == 8
    assert predictor.score(likes, user_vectors=users, texts=texts) > 0.3
    probabilities = predictor.predict_proba(likes, user_vectors=users, texts=texts)
    assert_allclose(probabilities.sum(axis=1), 1)
    predicted = predictor.predict(likes, user_vectors=users, texts=texts)
    assert_array_equal(predicted, (probabilities[:, 1] > 0.5).astype(int))
    assert predicted.mean() > 0.8


def test_the_loss_is_that_of_the_paper_negated(world):
    """A step of plain gradient descent by hand, from the same weights."""
    from tweetclf.estimators import _engagement_compute as compute

    users, _, features, likes = world
    job = compute.Job(users.astype(np.float32), features.astype(np.float32),
                      likes, None, 0)  # fmt: skip
    estimator = _predictor(batch_size=10**6, n_negatives=3)
    (batch,) = compute._Batches(estimator, job).epoch(0)
    assert batch["posts"].shape == (len(likes), 4, N_TOPICS)
    with torch.random.fork_rng():
        net = compute._TwoMaps(N_TOPICS, N_TOPICS, 8)
    loss, logs = compute._objective(net, batch)
    w_user, w_post = net.weights()
    scores = np.einsum("nd,npd->np", batch["users"].numpy() @ w_user,
                       batch["posts"].numpy() @ w_post)  # fmt: skip
    sigmoid = 1 / (1 + np.exp(-scores))
    expected = -(np.log(sigmoid[:, 0]) + np.log(1 - sigmoid[:, 1:]).sum(axis=1)).mean()
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert logs["weight"] == len(likes)


def test_the_best_epoch_on_validation_is_kept(world):
    users, _, features, likes = world
    train, valid, _ = split_by_post(likes[:, 1])
    predictor = _predictor(max_iter=8, n_iter_no_change=8)
    predictor.fit(likes[train], user_vectors=users, texts=features, X_val=likes[valid])
    best = max(epoch["valid_hits"] for epoch in predictor.history_)
    now = predictor.rank(likes[valid], user_vectors=users, texts=features, seed=0)
    assert now.mean == pytest.approx(best)


def test_equal_seeds_are_equal_bits_and_others_are_not(world):
    users, _, features, likes = world
    state = torch.random.get_rng_state()
    fits = [
        _predictor(max_iter=2, random_state=seed).fit(
            likes, user_vectors=users, texts=features
        )
        for seed in (1, 1, 2)
    ]
    assert torch.equal(state, torch.random.get_rng_state())
    assert_array_equal(fits[0].post_weights_, fits[1].post_weights_)
    assert fits[0].history_ == fits[1].history_
    assert (fits[0].post_weights_ != fits[2].post_weights_).any()


def test_a_fitted_predictor_can_be_pickled_and_needs_no_torch_to_predict(world):
    import pickle

    users, _, features, likes = world
    fitted = _predictor(max_iter=1).fit(likes, user_vectors=users, texts=features)
    again = pickle.loads(pickle.dumps(fitted))
    given = {"user_vectors": users, "texts": features}
    assert_array_equal(
        again.decision_function(likes, **given),
        fitted.decision_function(likes, **given),
    )
    assert clone(fitted).get_params() == fitted.get_params()


def test_a_saved_predictor_answers_alike(world, tmp_path):
    from tweetclf import load, save
    from tweetclf.features import NgramTfidfVectorizer

    users, texts, _, likes = world
    given = {"user_vectors": users, "texts": texts}
    fitted = _predictor(max_iter=1, vectorizer=NgramTfidfVectorizer(min_df=1))
    fitted.fit(likes, **given)
    save(fitted, tmp_path / "saved")
    assert_array_equal(
        load(tmp_path / "saved").decision_function(likes, **given),
        fitted.decision_function(likes, **given),
    )


def test_what_does_not_fit_is_refused(world):
    users, texts, features, likes = world
    with pytest.raises(DataError, match="is of user 80, and there are 80"):
        _predictor().fit([[80, 1]], user_vectors=users, texts=features)
    with pytest.raises(DataError, match="cannot hold out validation_fraction"):
        _predictor().fit([[0, 1], [1, 1]], user_vectors=users, texts=features)
    fitted = _predictor(max_iter=1).fit(likes, user_vectors=users, texts=features)
    with pytest.raises(DataError, match="fitted on features of posts"):
        fitted.score(likes, user_vectors=users, texts=texts)
    with pytest.raises(DataError, match="'user_vectors' has 2 features"):
        fitted.score(likes, user_vectors=users[:, :2], texts=features)
    with pytest.raises(ValueError, match="'n_negatives' parameter"):
        _predictor(n_negatives=0).fit(likes, user_vectors=users, texts=features)


def test_frozen_transformers_are_the_default_vectors(world, tmp_path):
    from tweetclf.features import TransformerVectorizer
    from tweetclf.testing import make_tiny_transformer

    users, texts, _, likes = world
    path = make_tiny_transformer(tmp_path, texts)
    vectorizer = TransformerVectorizer(path, pooling="combined")
    fitted = _predictor(vectorizer=vectorizer, max_iter=1).fit(
        likes, user_vectors=users, texts=texts
    )
    assert fitted.post_weights_.shape == (64, 8)  # [CLS; mean] of 32 each
