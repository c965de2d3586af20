"""McNemar's test and flips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from tweetclf.exceptions import DataError
from tweetclf.leaderboard.statistics import FEW_DISCORDANT, flips, mcnemar


def _discordant(only_a: int, only_b: int, both: int = 5) -> tuple[list[int], ...]:
    gold = [1] * (only_a + only_b + both)
    a = [1] * only_a + [0] * only_b + [1] * both
    b = [0] * only_a + [1] * only_b + [1] * both
    return gold, a, b


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_equals_the_binomial_test(only_a: int, only_b: int) -> None:
    result = mcnemar(*_discordant(only_a, only_b))
    assert (result.only_a, result.only_b) == (only_a, only_b)
    n = only_a + only_b
    exact = binomtest(only_a, n).pvalue if n else 1.0
    assert result.p_exact == pytest.approx(exact, rel=1e-9)
    assert result.p_mid <= result.p_exact
    few = n < FEW_DISCORDANT
    assert result.p_value == (result.p_mid if few else result.p_exact)
    swapped = mcnemar(*_discordant(only_b, only_a))
    assert swapped[2:] == result[2:]
    if only_a == only_b:
        assert result.p_mid == pytest.approx(1.0)


def test_mcnemar_equals_statsmodels() -> None:
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    for only_a, only_b in ((3, 11), (40, 22), (0, 4)):
        theirs = tables.mcnemar([[5, only_a], [only_b, 0]], exact=True)
        ours = mcnemar(*_discordant(only_a, only_b))
        assert ours.p_exact == pytest.approx(theirs.pvalue, rel=1e-9)


def _level(n: int) -> float:
    """Return how often equally good systems with n discordant tweets are told apart."""
    p = [mcnemar(*_discordant(i, n - i, both=0)).p_value for i in range(n + 1)]
    return float(binom.pmf(np.flatnonzero(np.array(p) < 0.05), n, 0.5).sum())


def test_level_is_kept_over_samples_of_tweets_if_not_given_their_discordance() -> None:
    levels = np.array([_level(n) if n else 0.0 for n in range(61)])
    # Which share of 400 tweets is discordant is unknown; how many are is random.
    shares = np.linspace(0.5, 30, 60)[:, None] / 400
    over_samples = binom.pmf(np.arange(61), 400, shares) @ levels
    assert over_samples.max() < 0.047
    # Given their number, mid-p may err more often; the exact version never does.
    assert levels.max() == levels[16] == pytest.approx(0.0768, abs=5e-5)
    assert levels[FEW_DISCORDANT:].max() < 0.05


def test_mid_p_equals_the_published_example() -> None:
    # Fagerland et al. 2013, table 1 (Bentur et al.): 1 and 7 discordant pairs.
    result = mcnemar(*_discordant(1, 7, both=13))
    assert round(result.p_exact, 4) == 0.0703
    assert round(result.p_mid, 4) == 0.0391


def test_label_sets_are_right_as_a_whole() -> None:
    gold = np.array([[1, 0], [1, 1], [0, 0]])
    a = np.array([[1, 0], [1, 1], [0, 1]])
    b = np.array([[1, 1], [1, 1], [1, 0]])
    assert mcnemar(gold, a, b)[:2] == (1, 0)
    assert flips(gold, a, b).broken == (0,)
    assert flips(gold, a, b).moved == (2,)


labels = st.sampled_from("abc")


@given(st.lists(st.tuples(labels, labels, labels), min_size=1, max_size=50))
def test_flips_balance(rows: list[tuple[str, str, str]]) -> None:
    gold, before, after = (np.array(column) for column in zip(*rows, strict=True))
    found = flips(gold, before, after)
    gain = int((after == gold).sum()) - int((before == gold).sum())
    assert len(found.fixed) - len(found.broken) == gain
    changed = sorted(found.fixed + found.broken + found.moved)
    assert changed == np.flatnonzero(before != after).tolist()
    back = flips(gold, after, before)
    assert (back.fixed, back.broken) == (found.broken, found.fixed)
    test = mcnemar(gold, before, after)
    assert (test.only_b, test.only_a) == (len(found.fixed), len(found.broken))


def test_shapes_must_agree() -> None:
    with pytest.raises(DataError, match=r"y_pred_b has shape \(2,\)"):
        mcnemar([1, 0, 1], [1, 0, 1], [1, 0])
