"""Initial values: bounds and deviations of PyTorch's, drawn reproducibly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.nn import init
from reference.problems import load

REFERENCE = load("initializers")


def close(array: np.ndarray[Any, Any], stats: dict[str, Any]) -> None:
    """Means within five standard errors, deviations within 5 %, extremes alike."""
    spread = stats["std"]
    error = 5 * spread * (2 / array.size) ** 0.5 + 1e-12
    assert abs(array.mean() - stats["mean"]) <= error
    assert array.std() == pytest.approx(spread, rel=max(0.05, 4 / array.size**0.5))
    if array.size > 10_000:
        width = stats["max"] - stats["min"]
        assert array.min() == pytest.approx(stats["min"], abs=0.15 * width + 1e-12)
        assert array.max() == pytest.approx(stats["max"], abs=0.15 * width + 1e-12)


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=lambda c: c["name"])
def test_distribution(case: dict[str, Any]) -> None:
    cr.manual_seed(1)
    tensor = getattr(init, case["name"])(cr.zeros(*case["shape"]), **case["kwargs"])
    array = tensor.numpy()
    close(array, case)
    if case["name"] == "sparse_":
        zeros = sorted({int(n) for n in (array == 0).sum(0)})
        assert zeros == case["zeros"]


@pytest.mark.parametrize("case", REFERENCE["defaults"], ids=lambda c: c["name"])
def test_default_of_each_layer(case: dict[str, Any]) -> None:
    cr.manual_seed(2)
    kwargs = case.get("kwargs", {})
    state = getattr(nn, case["name"])(*case["args"], **kwargs).state_dict()
    assert set(state) - {"num_batches_tracked"} == set(case["state"])
    for name, stats in case["state"].items():
        assert list(state[name].shape) == stats["shape"]
        close(state[name].astype(np.float64), stats)


def test_gains_and_fans() -> None:
    for name, gain in REFERENCE["gains"].items():
        kind, _, slope = name.partition(" ")
        assert init.calculate_gain(kind, float(slope) if slope else None) == pytest.approx(gain)
    for case in REFERENCE["fans"]:
        fans = init.fan_in_and_fan_out(cr.zeros(*case["shape"]))
        assert fans == (case["fan_in"], case["fan_out"])


def test_orthogonal_rows() -> None:
    q = init.orthogonal_(cr.zeros(5, 8)).numpy()
    np.testing.assert_allclose(q @ q.T, np.eye(5), atol=1e-6)


def test_same_seed_same_values() -> None:
    def first() -> np.ndarray[Any, Any]:
        cr.manual_seed(7)
        return nn.Linear(30, 20).state_dict()["weight"]

    a, b = first(), first()
    assert (a == b).all()
    cr.manual_seed(8)
    assert (nn.Linear(30, 20).state_dict()["weight"] != a).any()


def test_lecun() -> None:
    values = init.lecun_normal_(cr.zeros(200, 400)).numpy()
    assert values.std() == pytest.approx(0.05, rel=0.02)
    assert np.abs(init.lecun_uniform_(cr.zeros(200, 400)).numpy()).max() <= (3 / 400) ** 0.5
