"""Displays show the numbers they were made from, on any axes, in any print."""

from __future__ import annotations

import html
import io
import math
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.testing import assert_allclose
from report_boards import board, entry, facts, funniness, overall, rich
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from tweetclf.leaderboard.boards import Leaderboard
from tweetclf.leaderboard.statistics import compare_over_tasks, compare_pairs
from tweetclf.reports import FORMATS, Paragraph, Table, make_report, render
from tweetclf.reports.displays import (
    CriticalDifferenceDisplay,
    ForestDisplay,
    ParetoDisplay,
    ReliabilityDisplay,
)
from tweetclf.reports.displays._costs import time_ticks
from tweetclf.reports.displays._style import LINES, MARKERS, PALETTE, Style, series
from tweetclf.reports.forests import forest_figure
from tweetclf.reports.formatting import format_seconds
from tweetclf.reports.over_tasks import pair_blocks
from tweetclf.reports.ranks import rank_blocks
from tweetclf.reports.wording import metric_words
from tweetclf.tasks import get_metric

SYSTEMS = ("svm", "nbsvm", "lr", "majority")
ODD = ("$\\frac{1", "a_b^{c", "50% & #1", "x" * 300, "")


def axes() -> Axes:
    return Figure(figsize=(6.4, 4.8), dpi=150).subplots()


def drawn(ax: Axes) -> list[str]:
    """Return the texts of axes, after drawing them for good."""
    ax.figure.savefig(io.BytesIO(), format="png")  # type: ignore[union-attr]
    return [text.get_text() for text in ax.texts]


def points(ax: Axes, marker: str = "o") -> list[tuple[float, float]]:
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in ax.lines
        if line.get_marker() == marker and len(line.get_xdata()) == 1
    ]


def scores(n_tasks: int = 14, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    level = rng.uniform(0.5, 0.8, size=(n_tasks, 1))
    return level + [0.03, 0.02, 0.0, -0.05] + rng.normal(0, 0.02, size=(n_tasks, 4))


# -- Colours ----------------------------------------------------------------------


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(
        channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
    )


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def lab(rgb: np.ndarray) -> np.ndarray:
    """Return CIELAB (D65) of linear sRGB."""
    xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    ) @ np.clip(rgb, 0, 1)
    f = np.cbrt(np.maximum(xyz / [0.95047, 1.0, 1.08883], 216 / 24389))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


# Machado, Oliveira & Fernandes 2009, severity 1: protanopia, deuteranopia, tritanopia.
SIGHTS = {
    "full": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def test_every_colour_stands_out_from_paper() -> None:
    for colour in PALETTE:
        assert 1.05 / (luminance(colour) + 0.05) >= 3.0, colour


@pytest.mark.parametrize("sight", SIGHTS)
def test_the_first_colours_are_told_apart_by_every_sight(sight: str) -> None:
    seen = [lab(SIGHTS[sight] @ linear(colour)) for colour in PALETTE[:6]]
    for a, b in combinations(seen, 2):
        assert np.linalg.norm(a - b) > 19


def test_series_differ_without_colour() -> None:
    signs = {(series(i)["marker"], str(series(i)["linestyle"])) for i in range(7)}
    assert len(signs) == len(PALETTE) == len(MARKERS) == len(LINES) == 7
    assert series(7) == series(0)


@pytest.mark.parametrize("name", ["", ".critical_difference", ".pareto", ".forest"])
def test_no_display_imports_matplotlib_before_it_draws(name: str) -> None:
    code = (
        f"import sys, tweetclf.reports.displays{name}\n"
        "print([m for m in ('matplotlib', 'sklearn', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# -- Critical differences ---------------------------------------------------------


def test_diagram_shows_ranks_groups_and_critical_difference() -> None:
    table = scores()
    result = compare_over_tasks(table, SYSTEMS)
    display = CriticalDifferenceDisplay.from_scores(table, SYSTEMS, ax=axes())
    assert display.result == result
    assert display.bars == result.groups
    assert display.figure_ is display.ax_.figure
    x = sorted(x for x, _ in points(display.ax_))
    assert_allclose(x, sorted(result.mean_ranks))
    texts = drawn(display.ax_)
    assert f"critical difference {result.critical_difference:.2f}" in texts
    ranked = sorted(zip(result.mean_ranks, SYSTEMS, strict=True))
    for rank, name in ranked:
        assert f"{name}  {rank:.2f}" in texts
    lines = [line for line in display.ax_.lines if line.get_linewidth() == 4]
    assert len(lines) == len(result.groups)
    (ruler,) = (
        line
        for line in display.ax_.lines
        if line.get_linewidth() == 1.6 and line.get_ydata()[0] == line.get_ydata()[-1]
    )
    assert np.diff(ruler.get_xdata()) == pytest.approx(result.critical_difference)


def test_diagram_equals_autorank() -> None:
    autorank = pytest.importorskip("autorank", reason="autorank is not installed")
    pandas = pytest.importorskip("pandas")
    table = scores(20, seed=5)
    theirs = autorank.autorank(
        pandas.DataFrame(table, columns=SYSTEMS),
        alpha=0.05,
        force_mode="nonparametric",
        approach="frequentist",
    )
    ours = CriticalDifferenceDisplay.from_scores(table, SYSTEMS, ax=axes())
    assert ours.result.critical_difference == pytest.approx(theirs.cd, rel=1e-3)
    ranks = [theirs.rankdf["meanrank"][name] for name in SYSTEMS]
    assert_allclose(sorted(x for x, _ in points(ours.ax_)), sorted(ranks))
    # Two systems share a bar just where their ranks are nearer than the difference.
    for (i, a), (j, b) in combinations(enumerate(SYSTEMS), 2):
        together = any({a, b} <= set(bar) for bar in ours.bars)
        assert together == (abs(ranks[i] - ranks[j]) < theirs.cd)


def test_without_a_difference_one_bar_joins_all() -> None:
    table = np.random.default_rng(3).normal(size=(6, 4))
    display = CriticalDifferenceDisplay.from_scores(table, SYSTEMS, ax=axes())
    assert display.result.friedman_p > 0.05
    (bar,) = display.bars
    assert set(bar) == set(SYSTEMS)


def test_the_level_is_that_of_friedmans_test_too() -> None:
    # Over five tasks p is 0.17.
    table = [[4, 3, 2, 1], [4, 3, 2, 1], [1, 4, 3, 2], [4, 2, 3, 1], [2, 3, 4, 1]]
    strict, mild = (
        CriticalDifferenceDisplay.from_scores(table, SYSTEMS, alpha=alpha, ax=axes())
        for alpha in (0.05, 0.2)
    )
    assert 0.05 < strict.result.friedman_p < 0.2
    (bar,) = strict.bars
    assert set(bar) == set(SYSTEMS)
    assert mild.bars == mild.result.groups
    assert len(mild.bars) > 1


def test_a_difference_longer_than_the_scale_is_cut_without_an_end() -> None:
    table = [[0.9, 0.5, 0.1], [0.9, 0.5, 0.1]]
    display = CriticalDifferenceDisplay.from_scores(table, SYSTEMS[:3], ax=axes())
    assert display.result.critical_difference > 2
    (ruler,) = (
        line
        for line in display.ax_.lines
        if line.get_linewidth() == 1.6 and line.get_ydata()[0] == line.get_ydata()[-1]
    )
    assert list(ruler.get_xdata()) == [1, 3]


def test_names_of_any_kind_fit_into_the_axes() -> None:
    table = np.column_stack([scores(12), scores(12, seed=9)[:, :1]])
    display = CriticalDifferenceDisplay.from_scores(table, ODD, ax=axes())
    drawn(display.ax_)
    box = display.ax_.get_window_extent()
    for text in display.ax_.texts:
        place = text.get_window_extent()
        assert box.x0 - 2 <= place.x0
        assert place.x1 <= box.x1 + 2


def test_leaderboards_need_three_systems_and_two_tasks() -> None:
    with pytest.raises(ValueError, match="has 0 such systems and 0 such tasks"):
        CriticalDifferenceDisplay.from_leaderboard(Leaderboard("x", ()), ax=axes())
    display = CriticalDifferenceDisplay.from_leaderboard(rich(), ax=axes())
    assert len(display.result.systems) == 5
    assert display.result.n_tasks == 3


def five_tasks(n_systems: int = 6, shuffle: bool = False) -> Leaderboard:
    rng = np.random.default_rng(1)
    boards = []
    for number in range(5):
        task = facts(f"task-{number}")
        one = board(task, n_systems=n_systems, n_seeds=1)
        if shuffle:
            order = rng.permutation(n_systems)
            found = [
                replace(one.entries[i], score=0.6 - place / 50)
                for place, i in enumerate(order)
            ]
            one = replace(one, entries=tuple(found))
        boards.append(one)
    return Leaderboard("Five", tuple(boards), overall(boards), (), 2000)


def test_report_tests_the_ranks_over_enough_tasks() -> None:
    leaderboard = five_tasks()
    paragraph, figure, *_ = rank_blocks(leaderboard, "test")
    said = "".join(span.text for span in paragraph.spans)
    result = CriticalDifferenceDisplay.from_leaderboard(leaderboard, ax=axes()).result
    assert result.friedman_p < 0.001
    assert "6 systems over 5 tasks differ by Friedman" in said
    assert f"chi-squared {result.friedman_statistic:.1f}, p < 0.001" in said
    assert f"less than {result.critical_difference:.2f} apart" in said
    assert "The p-value is approximate" in said
    assert figure.data.column("mean_rank")[0].value == min(result.mean_ranks)
    assert figure.svg.startswith("<svg")
    few = five_tasks(n_systems=3)
    summary = make_report(few).sections[0]
    assert [b for b in rank_blocks(few, "test") if b not in summary.blocks] == []
    unseen = rank_blocks(leaderboard, "test", figures=False)
    assert unseen == [b for b in rank_blocks(leaderboard, "test") if b != figure]
    # Fewer tasks, fewer systems, no such evaluation.
    assert rank_blocks(rich(), "test") == []
    assert rank_blocks(five_tasks(n_systems=2), "test") == []
    assert rank_blocks(leaderboard, "cv") == []


def test_a_task_without_a_score_of_some_system_ranks_nobody_anywhere() -> None:
    whole = five_tasks()
    extra = board(facts("undefined"), n_systems=6, n_seeds=1)
    worst = replace(extra.entries[-1], score=math.nan)
    extra = replace(extra, entries=(*extra.entries[:-1], worst))
    boards = (*whole.boards, extra)
    six = replace(whole, boards=boards, overall=overall(boards))
    display = CriticalDifferenceDisplay.from_leaderboard(six, ax=axes())
    assert display.result.n_tasks == 5
    paragraph, figure, *_ = rank_blocks(six, "test")
    before, *_ = rank_blocks(whole, "test")
    said, told = (
        "".join(span.text for span in block.spans) for block in (paragraph, before)
    )
    assert said.startswith(told)
    assert said.endswith(
        "Left out, as the score of a system is not defined there: undefined."
    )
    assert figure.data.column("mean_rank")[0].value == min(display.result.mean_ranks)


def test_report_compares_no_pairs_where_friedman_finds_nothing() -> None:
    paragraph, _, pairs, *rest = rank_blocks(five_tasks(shuffle=True), "test")
    said = "".join(span.text for span in paragraph.spans)
    assert "finds no difference" in said
    assert "pairs are not compared" in said
    assert "6 systems cannot be told apart over 5 tasks" in _words(pairs)
    # Only the Bayesian test of the best two has a table.
    assert [b.key for b in rest if isinstance(b, Table)] == ["summary--ranks-practical"]


def _words(paragraph: Paragraph) -> str:
    return "".join(span.text for span in paragraph.spans)


def test_pairs_over_tasks_are_read_by_wilcoxons_test() -> None:
    _, _, said, table, practical, shares = rank_blocks(five_tasks(), "test")
    assert "under 6 tasks it cannot fall below 0.05" in _words(said)
    assert "told apart after Holm over 15 comparisons: no single pair" in _words(said)
    assert len(table.rows) == 15
    assert min(cell.value for cell in table.column("wilcoxon_p")) >= 0.05
    assert "\N{PLUS-MINUS SIGN}1 point of the official metrics" in _words(practical)
    for row in shares.rows:
        assert sum(cell.value for cell in row.cells[1:4]) == pytest.approx(1)
    report = make_report(five_tasks())
    for format in FORMATS:
        page = " ".join(html.unescape(render(report, format)).split())
        assert ("p after Holm" in page) or ("holm_p" in page), format
        assert ("practically equivalent" in page) or ("p_equivalent" in page), format
    # An error of one point is not the same on every task.
    down = replace(
        five_tasks(),
        boards=tuple(
            replace(b, facts=replace(b.facts, greater_is_better=False))
            for b in five_tasks().boards
        ),
    )
    keys = [b.key for b in rank_blocks(down, "test") if isinstance(b, Table)]
    assert keys == ["summary--ranks-pairs"]


def test_many_pairs_are_left_to_the_table() -> None:
    names = tuple("abcdefgh")
    result = compare_over_tasks(
        [np.linspace(0.8, 0.5, 8) + k / 100 for k in range(12)], names
    )
    said, table = pair_blocks(result, "x")
    assert "28 of 28 comparisons tell two systems apart" in _words(said)
    assert "cannot fall" not in _words(said)
    assert len(table.rows) == 28


# -- Score against cost -----------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=9),
    st.booleans(),
)
def test_the_front_is_what_nothing_dominates(
    found: list[tuple[int, int]], greater: bool
) -> None:
    cost, score = (np.array(column, float) for column in zip(*found, strict=True))
    names = [f"s{i}" for i in range(len(found))]
    display = ParetoDisplay(
        systems=names, cost=cost, score=score, greater_is_better=greater
    )
    value = score if greater else -score
    expected = {
        names[i]
        for i in range(len(found))
        if not (
            (value >= value[i])
            & (cost <= cost[i])
            & ((value > value[i]) | (cost < cost[i]))
        ).any()
    }
    assert set(display.front) == expected


def test_points_whiskers_and_names_are_those_of_the_board() -> None:
    one = board(n_systems=6)
    display = ParetoDisplay.from_board(one, ax=axes())
    expected = {(e.mean_cost("fit_seconds"), e.score) for e in one.entries}
    assert set(points(display.ax_)) == expected
    texts = drawn(display.ax_)
    assert {e.system for e in one.entries} <= set(texts)
    assert "F1 of irony (higher is better)" in texts
    assert "time to train, logarithmic" in texts
    whiskers = {
        tuple(line.get_ydata())
        for line in display.ax_.lines
        if len(line.get_xdata()) == 2 and line.get_linewidth() == 1.6
    }
    assert whiskers == {(e.low, e.high) for e in one.entries}
    assert display.front == ("tfidf-lr", "nbsvm", "atalaya-svm")


def test_boards_with_other_costs_directions_and_gaps() -> None:
    sizes = ParetoDisplay.from_board(board(), cost="model_bytes", ax=axes())
    assert "size of the model, logarithmic" in drawn(sizes.ax_)
    errors = ParetoDisplay.from_board(funniness(), ax=axes())
    assert errors.greater_is_better is False
    assert "RMSE (lower is better)" in drawn(errors.ax_)
    one = board(n_systems=3)
    gap = replace(one, entries=(*one.entries[:2], entry(facts(), "x", np.nan)))
    assert len(ParetoDisplay.from_board(gap, ax=axes()).systems) == 2
    with pytest.raises(ValueError, match="must be one of fit_seconds"):
        ParetoDisplay.from_board(one, cost="price")


def test_predictions_are_scored_with_intervals() -> None:
    metric = get_metric("macro_f1", labels=("no", "yes"))
    gold = np.array(["no", "yes"] * 50, dtype=object)
    good = gold.copy()
    good[:10] = "yes"
    display = ParetoDisplay.from_predictions(
        gold,
        {"good": good, "poor": np.array(["yes"] * 100, dtype=object)},
        {"good": 12.0, "poor": 0.01},
        metric=metric,
        n_resamples=200,
        ax=axes(),
    )
    assert_allclose(display.score, [metric(gold, good), 1 / 3])
    for low, score, high in zip(display.low, display.score, display.high, strict=True):
        assert low <= score <= high
    with pytest.raises(ValueError, match="no entry for 'good'"):
        ParetoDisplay.from_predictions(gold, {"good": good}, {}, metric=metric)


def test_costs_must_fit_a_logarithmic_axis() -> None:
    for cost, score in ([0.0, 1.0], [0.1, 0.2]), ([1.0, 2.0], [np.nan, 0.2]):
        display = ParetoDisplay(systems=["a", "b"], cost=cost, score=score)
        with pytest.raises(ValueError, match="costs above 0"):
            display.plot(axes())


def test_odd_names_are_written_as_they_are() -> None:
    display = ParetoDisplay(
        systems=ODD, cost=[1, 20, 30, 4, 5], score=[0.1, 0.2, 0.3, 0.35, 0.4]
    ).plot(axes(), style=Style(size=8))
    texts = drawn(display.ax_)
    assert set(ODD[:3]) <= set(texts)
    assert format_seconds not in (display.format_cost,)
    assert [text for _, text in time_ticks(0.9, 100)][0] == "1 s"


# -- Differences ------------------------------------------------------------------


def predictions() -> tuple[list[str], dict[str, list[str]]]:
    gold = ["no", "yes"] * 60
    return gold, {
        "svm": ["yes"] * 10 + gold[10:],
        "lr": ["yes"] * 50 + gold[50:],
        "nbsvm": ["yes"] * 12 + gold[12:],
    }


@pytest.mark.parametrize("margin", [None, 0.03])
def test_rows_are_the_paired_comparisons(margin: float | None) -> None:
    gold, found = predictions()
    metric = get_metric("macro_f1", labels=("no", "yes"))
    display = ForestDisplay.from_predictions(
        gold, found, metric=metric, n_resamples=500, margin=margin, ax=axes()
    )
    # The best is the reference; the others stand best first.
    assert display.names == ["nbsvm", "lr"]
    expected = {
        c.names[1]: c
        for c in compare_pairs(
            metric,
            gold,
            found,
            reference="svm",
            n_resamples=500,
            margin=margin,
            rng=np.random.default_rng(0),
        )
    }
    for place, name in enumerate(display.names):
        comparison = expected[name]
        assert display.difference[place] == -comparison.difference
        low, high = comparison.interval
        assert (display.low[place], display.high[place]) == (-high, -low)
        assert display.told_apart[place] == (comparison.p_adjusted < 0.05)
        difference = metric(gold, found[name]) - metric(gold, found["svm"])
        assert display.difference[place] == pytest.approx(difference)
    at = [(x, int(y)) for x, y in points(display.ax_, "s")]
    assert at == [(d, i) for i, d in enumerate(display.difference)]
    texts = drawn(display.ax_)
    assert "difference in macro F1 from svm, 95 % interval (right is better)" in texts
    assert display.margin == margin


def test_comparisons_without_a_reference_are_named_in_full() -> None:
    gold, found = predictions()
    metric = get_metric("accuracy", labels=("no", "yes"))
    pairs = compare_pairs(
        metric, gold, found, n_resamples=300, rng=np.random.default_rng(0)
    )
    display = ForestDisplay.from_comparisons(pairs, ax=axes())
    assert display.names[0] == "svm \N{MINUS SIGN} lr"
    assert display.difference[0] == pairs[0].difference
    with pytest.raises(ValueError, match="without the reference 'svm'"):
        ForestDisplay.from_comparisons(pairs, reference="svm")
    with pytest.raises(ValueError, match="no comparisons"):
        ForestDisplay.from_comparisons([])


def test_the_figure_of_a_report_holds_the_same_rows() -> None:
    gold, found = predictions()
    metric = get_metric("macro_f1", labels=("no", "yes"))
    comparisons = compare_pairs(
        metric,
        gold,
        {**found, "<b>$x$": found["lr"]},
        reference="svm",
        n_resamples=300,
        rng=np.random.default_rng(0),
    )
    words = metric_words(metric.signature())
    figure = forest_figure(comparisons, words, "irony", "task--forest")
    assert figure is not None
    values = [cell.value for cell in figure.data.column("difference")]
    assert values == [-c.difference for c in comparisons]
    apart = [cell.value for cell in figure.data.column("apart")]
    assert apart == [c.p_adjusted < 0.05 for c in comparisons]
    assert "&lt;b&gt;$x$" in figure.svg
    assert "<b>" not in figure.svg
    undefined = replace(comparisons[0], scores=(np.nan, 0.5))
    assert forest_figure([undefined], words, "irony", "x") is None


def test_words_stand_beside_the_rows_and_not_on_them() -> None:
    display = ForestDisplay(
        names=ODD,
        difference=[0.1, -0.02, 0.0, 0.3, np.nan],
        low=[0.05, -0.1, -0.1, 0.1, np.nan],
        high=[0.2, 0.1, 0.1, 0.5, np.nan],
        label="$x$",
    ).plot(axes())
    drawn(display.ax_)
    inverse = display.ax_.transData.inverted()
    rows = [
        text
        for text in display.ax_.texts
        if text.get_text() and text.get_ha() == "left"
    ]
    for text in rows[:3]:
        right = inverse.transform((text.get_window_extent().x1, 0))[0]
        assert right <= -0.1 + 1e-9


# -- Reliability ------------------------------------------------------------------


def binary(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    p = rng.beta(2, 2, size=n)
    y = np.where(rng.random(n) < p**1.5, "yes", "no").astype(object)
    return y, p


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_bins_equal_scikit_learn(strategy: str) -> None:
    y, p = binary()
    display = ReliabilityDisplay.from_predictions(
        y, p, labels=("no", "yes"), n_bins=8, strategy=strategy, ax=axes()
    )
    right, mean = calibration_curve(y, p, pos_label="yes", n_bins=8, strategy=strategy)
    assert_allclose(display.accuracy, right)
    assert_allclose(display.confidence, mean)
    assert display.count.sum() == len(y)
    assert display.ece == pytest.approx(
        float(np.average(np.abs(right - mean), weights=display.count))
    )
    assert display.brier == pytest.approx(brier_score_loss(y, p, pos_label="yes"))
    if strategy == "quantile":
        assert np.ptp(display.count) <= 1
    texts = drawn(display.ax_)
    assert f"ECE {display.ece:.3f}, Brier score {display.brier:.3f}" in texts
    assert "predicted probability of yes" in texts


def test_of_many_labels_the_predicted_one_is_shown() -> None:
    rng = np.random.default_rng(4)
    proba = rng.dirichlet([1, 1, 1], size=300)
    labels = ("a", "b", "c")
    y = np.array([rng.choice(labels, p=row) for row in proba], dtype=object)
    display = ReliabilityDisplay.from_predictions(y, proba, labels=labels, ax=axes())
    assert display.brier == pytest.approx(
        brier_score_loss(y, proba, labels=list(labels))
    )
    top = proba.max(axis=1)
    right = np.array(labels)[proba.argmax(axis=1)] == y
    expected = sum(
        inside.mean() * abs(right[inside].mean() - top[inside].mean())
        for low in np.arange(10) / 10
        if (inside := (top > low) & (top <= low + 0.1)).any()
    )
    assert display.ece == pytest.approx(expected)
    # Two columns and one say the same of the Brier score.
    y2, p = binary()
    both = np.column_stack([1 - p, p])
    two = ReliabilityDisplay.from_predictions(y2, both, labels=("no", "yes"), ax=axes())
    one = ReliabilityDisplay.from_predictions(y2, p, labels=("no", "yes"), ax=axes())
    assert two.brier == pytest.approx(one.brier)


def test_estimators_need_probabilities() -> None:
    from tweetclf.estimators import char_svm, tfidf_lr

    texts = ["qué bien", "qué mal", "genial", "horrible"] * 6
    y = ["P", "N", "P", "N"] * 6
    model = tfidf_lr().fit(texts, y)
    display = ReliabilityDisplay.from_estimator(model, texts, y, ax=axes())
    assert display.name == "Pipeline"
    assert display.count.sum() == 24
    with pytest.raises(TypeError, match="has no predict_proba"):
        ReliabilityDisplay.from_estimator(char_svm().fit(texts, y), texts, y)


@pytest.mark.parametrize(
    ("y", "p", "changes", "said"),
    [
        (["x"], [0.5], {}, "gold label 'x' is none of"),
        (["no"], [1.5], {}, "within 0 and 1"),
        (["no"], [np.nan], {}, "within 0 and 1"),
        (["no", "no"], [[0.5, 0.5], [0.5, 0.4]], {}, "those of tweet 2 add up to 0.9"),
        (["no"], [[0.9, 0.9]], {}, "must add up to 1"),
        (["no"], [0.5, 0.6], {}, r"shape \(2,\); for 1 tweets"),
        ([], [], {}, "not empty"),
        (["no"], [0.5], {"strategy": "x"}, "strategy must be"),
        (["no"], [0.5], {"n_bins": 0}, "n_bins at least 1"),
    ],
)
def test_what_are_no_probabilities_is_refused(
    y: Any, p: Any, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        ReliabilityDisplay.from_predictions(y, p, labels=("no", "yes"), **changes)


def test_new_axes_are_made_where_none_are_given(monkeypatch: Any) -> None:
    import matplotlib

    monkeypatch.setattr(matplotlib, "rcParams", matplotlib.rcParams.copy())
    matplotlib.use("agg")
    from matplotlib import pyplot

    display = ForestDisplay(names=["a"], difference=[0.1], low=[0.0], high=[0.2])
    assert display.plot() is display
    assert display.ax_.figure is display.figure_
    for other in (
        CriticalDifferenceDisplay(result=compare_over_tasks(scores(), SYSTEMS)).plot(),
        ParetoDisplay(systems=["a"], cost=[1], score=[0.3]).plot(),
        ReliabilityDisplay.from_predictions(*binary(), labels=("no", "yes")),
    ):
        assert other.figure_ is not display.figure_
        drawn(other.ax_)
    pyplot.close("all")
