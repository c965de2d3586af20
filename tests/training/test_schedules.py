"""Schedules against published numbers, torch, transformers' formulas and papers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from tweetclf.training.batching import LengthBatches
from tweetclf.training.schedules import (
    Constant,
    Cosine,
    Linear,
    Noam,
    OneCycle,
    SlantedTriangular,
    total_steps,
)

# Computed by TWilBERT's formula and by fastai 1.0.52 itself.
NOAM_BASE = {
    1: 5.04294706537424e-08,
    100: 5.042947065374241e-06,
    4000: 0.00020171788261496963,
    8000: 0.00040343576522993926,
    16000: 0.000285272165367274,
    110000: 0.00010879853497231114,
}
ONE_CYCLE = {
    0: 0.000625,
    1: 0.0006293165315631559,
    25: 0.0028125,
    49: 0.004995683468436844,
    50: 0.005,
    51: 0.004999451715540755,
    125: 0.00250003125,
    198: 2.255397341294631e-06,
    199: 6.1078445924484e-07,
}


def test_noam_is_that_of_the_fixtures():
    schedule = Noam(768, 8000)
    for step, rate in NOAM_BASE.items():
        assert schedule(step - 1) == pytest.approx(rate, abs=1e-9, rel=1e-12)


def test_noam_can_begin_with_the_rate_of_the_optimizer():
    schedule = Noam(768, 8000, first_rate=1e-4)
    assert schedule(0) == 1e-4
    for step, rate in NOAM_BASE.items():
        assert schedule(step) == pytest.approx(rate, rel=1e-12)
    assert Noam(768, 8000, scale=2.0)(99) == pytest.approx(2 * NOAM_BASE[100])


def test_one_cycle_is_that_of_fastai():
    schedule = OneCycle(200, div=8, pct_start=0.25, momenta=(0.7, 0.4))
    for step, rate in ONE_CYCLE.items():
        assert 5e-3 * schedule(step)["lr"] == pytest.approx(rate, abs=1e-12)


def test_the_momentum_of_one_cycle_mirrors_the_rate():
    schedule = OneCycle(200, div=8, pct_start=0.25, momenta=(0.7, 0.4))
    for step in range(200):
        said = schedule(step)
        # Both are the same cosine, between other ends.
        low = 1 / 8 if step < 50 else 1 / 8e4
        share = (said["lr"] - low) / (1 - low)
        assert said["momentum"] == pytest.approx(0.7 - 0.3 * share, abs=1e-12)
    assert OneCycle(200, momenta=None)(3).keys() == {"lr"}


def test_one_cycle_is_torchs_but_for_one_step():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=1.0,
        total_steps=201,
        pct_start=51 / 201,
        div_factor=8,
        final_div_factor=1e4,
        cycle_momentum=False,
    )
    schedule = OneCycle(200, div=8, pct_start=0.25)
    for step in range(200):
        # A total of one step more moves torch's peak to fastai's.
        assert schedule(step)["lr"] == pytest.approx(
            scheduler.get_last_lr()[0], abs=1e-12
        )
        optimizer.step()
        scheduler.step()


def test_one_cycle_survives_short_runs():
    for n_steps in (1, 2, 3):
        for pct_start in (0.0, 0.3, 1.0):
            schedule = OneCycle(n_steps, pct_start=pct_start)
            rates = [schedule(step)["lr"] for step in range(n_steps + 2)]
            assert all(0 < rate <= 1 for rate in rates)


def test_slanted_triangular_is_that_of_the_paper():
    n_steps, cut_frac, ratio = 200, 0.1, 32
    schedule = SlantedTriangular(n_steps)
    cut = math.floor(n_steps * cut_frac)
    for t in range(n_steps + 1):
        p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / cut_frac - 1))
        assert schedule(t) == pytest.approx((1 + p * (ratio - 1)) / ratio, abs=1e-15)
    assert max(range(201), key=schedule) == 20
    assert 0 < SlantedTriangular(3)(2) <= 1


@pytest.mark.parametrize(("n_steps", "warmup"), [(20, 5), (20, 0.1), (7, 0), (5, 5)])
def test_linear_and_cosine_are_those_of_transformers(n_steps, warmup):
    optimization = pytest.importorskip("transformers.optimization")
    n_warmup = math.ceil(warmup * n_steps) if isinstance(warmup, float) else warmup
    for schedule, make in (
        (Linear(n_steps, warmup), optimization.get_linear_schedule_with_warmup),
        (Cosine(n_steps, warmup), optimization.get_cosine_schedule_with_warmup),
    ):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        scheduler = make(optimizer, n_warmup, n_steps)
        for step in range(n_steps + 1):
            expected = scheduler.get_last_lr()[0]
            assert schedule(step) == pytest.approx(expected, abs=1e-12)
            optimizer.step()
            scheduler.step()


def test_constant_and_floor():
    assert Constant()(0) == 1.0
    assert [Constant(2)(step) for step in range(4)] == [0.0, 0.5, 1.0, 1.0]
    assert Cosine(10, floor=0.1)(10) == pytest.approx(0.1)
    assert Cosine(10, floor=0.1)(99) == pytest.approx(0.1)


def test_steps_are_counted():
    batches = LengthBatches([1] * 10, len, batch_size=3)
    assert total_steps(batches, 3) == 12
    assert total_steps(batches, 3, accumulate=3) == 6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linear(0), "Linear: the 'n_steps' parameter"),
        (lambda: Cosine(5, warmup=6), "Cosine: the 'warmup' parameter"),
        (lambda: OneCycle(5, pct_start=2.0), "OneCycle: the 'pct_start' parameter"),
        (lambda: SlantedTriangular(5, cut_frac=0.0), "'cut_frac' parameter"),
        (lambda: Noam(0, 10), "'d_model' and 'warmup' parameters"),
    ],
)
def test_arguments_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.data
def test_the_numbers_are_those_of_the_shared_fixtures(shared_data: Path):
    path = shared_data.parent / "parity_fixtures.json"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    fixtures = json.loads(path.read_text("utf-8"))
    points = fixtures["twilbert_noam_base"]["points"]
    assert {int(step): rate for step, rate in points.items()} == NOAM_BASE
    cycle = fixtures["fastai_one_cycle_n200_max5e-3_div8_pct0.25"]
    assert {int(step): rate for step, rate in cycle.items()} == ONE_CYCLE
