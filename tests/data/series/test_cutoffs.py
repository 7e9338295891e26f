"""Parts by time alone, and the forecasts that belong to each."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.data.series import Frequency, Panel, cut, origins, usual_window
from chainrule.data.series.cutoffs import Cutoffs
from chainrule.errors import DataError

SHARES = (0.7, 0.15, 0.15)


def panel_of(*spans: tuple[int, int], steps: int = 100) -> Panel:
    first, last = (np.array(ends) for ends in zip(*spans, strict=True))
    values = np.ones((int((last - first + 1).sum()), 1))
    axis = np.arange(steps).astype("M8[us]")
    return Panel(tuple("abc"[: len(spans)]), Frequency("number"), axis, first, last, values)


def test_shares_and_at_least_a_horizon() -> None:
    assert cut(100, 5, SHARES) == Cutoffs(70, 85, 100)
    assert cut(100, 20, SHARES) == Cutoffs(60, 80, 100)


def test_folds_roll_through_the_last_half() -> None:
    folds = [cut(100, 5, SHARES, (k, 5)) for k in range(1, 6)]
    assert [(f.test, f.end) for f in folds] == [(50, 60), (60, 70), (70, 80), (80, 90), (90, 100)]
    assert all(f.validation < f.test for f in folds)


@pytest.mark.parametrize(("steps", "horizon", "fold"), [(30, 10, ()), (30, 5, (1, 5))])
def test_too_few_steps(steps: int, horizon: int, fold: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=f"{steps} steps are too few") as caught:
        cut(steps, horizon, SHARES, fold)
    needed = int(str(caught.value.help).split(" steps together")[0].split()[-1])
    cut(needed, horizon, SHARES, fold)
    with pytest.raises(DataError):
        cut(needed - 1, horizon, SHARES, fold)


def test_every_forecast_lies_in_its_part() -> None:
    panel, cutoffs = panel_of((0, 99), (20, 80)), cut(100, 4, SHARES)
    for name in ("train", "validation", "test"):
        start, stop = cutoffs.part(name)
        chosen = origins(panel, (start, stop), 4, 10, cutoffs.validation)
        assert len(chosen) > 0
        assert (chosen.step >= start).all()
        assert (chosen.step + 4 <= stop).all()
        assert (chosen.step + 4 <= panel.last[chosen.series] + 1).all()
        assert (chosen.step >= panel.first[chosen.series] + 10).all()
    assert set(chosen.series.tolist()) == {0}


def test_short_series_have_one_window_that_reaches_beyond() -> None:
    chosen = origins(panel_of((0, 99), (60, 99)), (0, 70), 4, 20, 70)
    assert chosen.step[chosen.series == 1].tolist() == [66]


def test_forecasts_of_unknown_values_are_left_out() -> None:
    panel = panel_of((0, 99))
    panel.values[40:60] = np.nan
    chosen = origins(panel, (0, 70), 4, 10, 70)
    assert not set(range(40, 57)) & set(chosen.step.tolist())
    assert {37, 38, 39, 57} <= set(chosen.step.tolist())


def test_the_usual_window() -> None:
    assert usual_window(panel_of((0, 99)), Cutoffs(70, 85, 100), 8, 4) == 24
    assert usual_window(panel_of((0, 99)), Cutoffs(70, 85, 100), 2, 12) == 24
    assert usual_window(panel_of((0, 29), steps=30), Cutoffs(20, 25, 30), 5, 12) == 8
