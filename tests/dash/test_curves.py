"""Curves and maps in bounded memory: nothing is invented, no peak is lost."""

from __future__ import annotations

import json

import numpy as np
import pytest

from chainrule.dash import curves as module
from chainrule.dash import heat as heat_module
from chainrule.dash.curves import Curves
from chainrule.dash.heat import Heat, Marks


def lines(values: np.ndarray, first: int = 1) -> list[dict[str, object]]:
    return [{"epoch": first + i, "loss": float(v)} for i, v in enumerate(values)]


def test_few_epochs_are_kept_as_they_are() -> None:
    curves = Curves()
    curves.add([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": None, "val_loss": 1.0}])
    curves.add([{"epoch": 3, "loss": 1.0}, {"epoch": 2, "loss": 9.0}, {"epoch": "x"}, {}])
    assert curves.points() == {
        "x": [1, 2, 3], "series": {"loss": [2.0, None, 1.0], "val_loss": [None, 1.0, None]}
    }  # fmt: skip
    assert curves.best["loss"] == (1.0, 3)
    assert curves.last == {"loss": 1.0, "val_loss": None}


@pytest.mark.parametrize("count", [8, 9, 64, 1000])
@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_points_of_many_epochs_are_lowest_and_highest(
    count: int, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 8)
    values = np.random.default_rng(count).normal(size=count)
    curves = Curves()
    for start in range(0, count, piece):
        curves.add(lines(values[start : start + piece], start + 1))
    assert curves.epochs == count
    assert curves.buckets <= 8
    width, points = curves.width, curves.points()["series"]["loss"]
    for i in range(curves.buckets):
        bucket = values[i * width : (i + 1) * width]
        pair = [points[i]] if width == 1 else points[2 * i : 2 * i + 2]
        assert min(pair) == bucket.min()
        assert max(pair) == bucket.max()
        assert (pair[0] <= pair[-1]) == (np.argmin(bucket) <= np.argmax(bucket))
    x = curves.points()["x"]
    assert x == sorted(set(x))


def test_what_is_new_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the bucket that was not full on; unless each stands for more epochs than before."""
    monkeypatch.setattr(module, "MOST", 16)
    curves, known, values = Curves(), [], np.arange(100.0)
    width = epochs = 0
    for start in range(0, 100, 3):
        curves.add(lines(values[start : start + 3], start + 1))
        first = epochs // curves.width if width == curves.width else 0
        per_bucket = 1 if curves.width == 1 else 2
        known = known[: first * per_bucket] + curves.points(first)["series"]["loss"]
        width, epochs = curves.width, curves.epochs
        assert known == curves.points()["series"]["loss"]


def test_a_series_may_begin_late_and_have_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 4)
    curves = Curves()
    curves.add([{"epoch": i, "a": 1.0} for i in range(1, 20)])
    curves.add([{"epoch": i, "a": None, "b": float(i)} for i in range(20, 40)])
    found = curves.points()["series"]
    assert {v for v in found["a"] if v is not None} == {1.0}
    assert max(v for v in found["b"] if v is not None) == 39.0
    json.dumps(found, allow_nan=False)


def observation(step: int, **layers: float) -> dict[str, object]:
    shown = {path: {"kind": "Linear", "gradient": value} for path, value in layers.items()}
    return {"step": step, "epoch": 1, "layers": shown}


def test_columns_of_the_map_are_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heat_module, "MOST", 4)
    heat = Heat()
    heat.add([observation(i, a=float(i)) for i in range(1, 11)])
    document = heat.document(["gradient"])
    assert document["width"] == 4
    assert document["values"] == {"gradient": [[2.5, 6.5, 9.5]]}
    assert document["steps"] == [1, 5, 9]
    heat.add([observation(11, a=11.0, b=3.0)])
    later = heat.document(["gradient"])
    assert [layer["path"] for layer in later["layers"]] == ["a", "b"]
    assert later["values"]["gradient"][1] == [None, None, 3.0]
    assert later["newest"]["gradient"] == [10.0, 3.0]
    assert later["newest"]["dead"] == [None, None]
    assert later["through_time"] == {}


def test_time_steps_of_the_last_observation_are_kept() -> None:
    """What is no list, or too long, troubles nobody; what was not finite is no number."""
    heat = Heat()
    for step, given in enumerate(([1.0, 2.0], [0.5, None, "x"], "damaged", None, [0.1] * 99), 1):
        layers = {"a": {"through_time": [3.0]}, "b": {"through_time": given}}
        heat.add([{"step": step, "epoch": 1, "layers": layers}])
        if step == 2:
            assert heat.document()["through_time"] == {"a": [3.0], "b": [0.5, None, None]}
    assert len(heat.document()["through_time"]["b"]) == 32


def test_the_map_of_a_large_network_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heat_module, "LAYERS", 2)
    heat = Heat()
    heat.add([observation(1, a=1.0, b=1.0, c=1.0), {"step": "x"}, {"step": 2, "epoch": 1}])
    assert (len(heat.layers), heat.left_out, heat.observations) == (2, 1, 2)


def test_marks_are_spread_evenly_with_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heat_module, "MARKS", 8)
    marks = Marks()
    marks.add([{"step": i} for i in range(100)], range(0, 1000, 10))
    steps = [step for step, _ in marks.chosen(5)]
    assert steps[0] == 0
    assert steps[-1] == 99
    assert len(steps) == 5
    assert all(offset == 10 * step for step, offset in marks.chosen(8))
