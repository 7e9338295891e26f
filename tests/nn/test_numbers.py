"""Encodings of numbers against the same formulas in NumPy."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ShapeError
from chainrule.nn.numbers import quantile_edges

RNG = np.random.default_rng(0)


def piecewise(x: Any, edges: Any, bins: int) -> Any:
    """One number of one column at a time."""
    result = np.zeros((len(x), bins))
    for t, (a, b) in enumerate(pairwise(edges)):
        part = (x - a) / (b - a)
        part = part if t == 0 else np.maximum(part, 0)
        result[:, t] = part if t == len(edges) - 2 else np.minimum(part, 1)
    return result


def test_edges_are_quantiles_that_occur() -> None:
    values = RNG.permutation(np.arange(101.0))
    np.testing.assert_array_equal(quantile_edges(values, 4), [0, 25, 50, 75, 100])
    np.testing.assert_array_equal(quantile_edges(np.repeat([3.0, 1.0], 50), 12), [1, 3])
    np.testing.assert_array_equal(quantile_edges(np.full(9, 2.0), 12), [2])


def test_piecewise_linear() -> None:
    bins = 6
    trained = np.stack(
        [RNG.normal(size=200), RNG.integers(0, 3, 200), RNG.random(200), np.ones(200)], 1
    ).astype(np.float32)
    layer = nn.PiecewiseLinear(4, bins, columns=(0, 1, 3))
    layer.fit(trained)
    x = np.concatenate([trained[:20], trained[:1] + 100, trained[:1] - 100])
    parts = [piecewise(x[:, c], quantile_edges(trained[:, c], bins), bins) for c in (0, 1, 3)]
    expected = np.concatenate([*parts, x[:, 2:3]], 1)
    assert layer.width == expected.shape[1]
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(cr.compile(layer)(x).numpy(), expected, rtol=1e-4, atol=1e-4)
    assert (parts[2] == 0).all()  # a constant says nothing, whatever it is later


def test_borders_are_kept_with_the_weights() -> None:
    layer, other = nn.PiecewiseLinear(2, 4), nn.PiecewiseLinear(2, 4)
    layer.fit(RNG.normal(size=(50, 2)).astype(np.float32))
    other.load_state_dict(layer.state_dict())
    x = RNG.normal(size=(5, 2)).astype(np.float32)
    np.testing.assert_array_equal(layer(x).numpy(), other(x).numpy())


def test_other_columns_are_refused() -> None:
    with pytest.raises(ShapeError, match="does not match 4 columns"):
        nn.PiecewiseLinear(4, 3)(np.zeros((2, 5), np.float32))
