"""Scaling: by the past alone, and back again."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.data.series import Frequency, Panel, Scaling, fit_scaling
from chainrule.data.series.scaling import filled

NAN = np.nan


def panel_of(*series: list[float]) -> Panel:
    longest = max(map(len, series))
    axis = np.arange(longest).astype("M8[us]")
    last = np.array([len(s) - 1 for s in series])
    values = np.concatenate([np.array(s, float) for s in series]).reshape(-1, 1)
    names = tuple("abc"[: len(series)])
    return Panel(names, Frequency("number"), axis, np.zeros(len(series), int), last, values)


def test_scale_is_the_mean_seasonal_change() -> None:
    scaling = fit_scaling(panel_of([1, 2, 4, 7, 11, 16]), 6, 2, "none")
    assert scaling.error[0] == scaling.scale[0] == pytest.approx((3 + 5 + 7 + 9) / 4)
    assert scaling.center[0] == pytest.approx(41 / 6)


def test_nothing_after_the_cut_off_counts() -> None:
    values = list(np.cumsum(np.random.default_rng(0).normal(1, 1, 60)) + 20)
    changed = [*values[:40], *(v * 100 - 7 for v in values[40:])]
    one, two = (fit_scaling(panel_of(v), 40, 4, "auto") for v in (values, changed))
    for name in ("center", "scale", "soft", "error"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()


@pytest.mark.parametrize("transform", ["none", "log"])
def test_restoring_undoes_it(transform: str) -> None:
    values = [3.0, -1.0, 0.0, 250.0, 1e6, 7.0]
    scaling = fit_scaling(panel_of(values), 6, 1, transform)  # type: ignore[arg-type]
    scaled = scaling.apply(np.array(values), 0)
    np.testing.assert_allclose(scaling.restore(scaled.reshape(1, -1))[0], values, atol=1e-6)


def test_growth_is_seen_and_noise_is_not() -> None:
    rng = np.random.default_rng(1)
    steps = np.arange(96)
    season = np.sin(steps * np.pi / 6)
    growing = list(np.exp(steps / 40 + 0.2 * season + 0.02 * rng.normal(size=96)) * 100)
    steady = list(300 + 2 * steps + 30 * season + 3 * rng.normal(size=96))
    negative = [v - 400 for v in growing]
    soft = fit_scaling(panel_of(growing, steady, negative), 96, 12, "auto").soft
    assert soft[0] > 0
    assert soft[1] == soft[2] == 0


def test_constant_series_have_a_scale_and_no_error() -> None:
    scaling = fit_scaling(panel_of([5.0] * 9), 9, 1, "auto")
    assert (scaling.scale[0], scaling.error[0]) == (0.005, 0.0)  # a thousandth of its level


def test_series_that_begin_later_are_scaled_like_the_others() -> None:
    early = list(100 + np.arange(30.0))
    panel = panel_of(early, [0.0])
    late = Panel(panel.names, panel.frequency, panel.axis, np.array([0, 20]), np.array([29, 29]),
                 np.concatenate([early, np.linspace(1000, 3000, 10)]).reshape(-1, 1))  # fmt: skip
    scaling = fit_scaling(late, 15, 1, "none")
    assert scaling.center[1] == 1000
    assert scaling.scale[1] == pytest.approx(1000 * scaling.scale[0] / scaling.center[0])
    assert scaling.error[1] == 0


def test_gaps_are_filled_from_before() -> None:
    values = np.array([[NAN, 1], [2, NAN], [NAN, NAN], [4, 4]])
    np.testing.assert_array_equal(filled(values), [[NAN, 1], [2, 1], [2, 1], [4, 4]])


def test_scaling_of_some_series() -> None:
    scaling = Scaling(*(np.array([1.0, 2.0, 3.0]) for _ in range(4)))
    assert scaling.take([2, 0]).center.tolist() == [3.0, 1.0]
