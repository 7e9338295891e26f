"""Layers of RealMLP against the same formulas in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.frontend import no_grad
from chainrule.nn import functional as F
from chainrule.testing import check_grads

RNG = np.random.default_rng(0)
MEMBERS, ROWS, FEATURES, OUTPUTS = 2, 40, 5, 4


def numbers(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def test_linear() -> None:
    layer, x = nn.NTKLinear(MEMBERS, FEATURES, OUTPUTS), numbers(MEMBERS, ROWS, FEATURES)
    product = x @ layer.weight.numpy() / np.sqrt(FEATURES)
    expected = product + layer.bias.numpy()[:, None]
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(cr.compile(layer)(x).numpy(), expected, rtol=1e-4, atol=1e-5)
    check_grads(lambda v: (layer(v) ** 2).sum(), (x,))


def test_first_weights_adapt_to_rows() -> None:
    """Outputs have the variance 1; each bias lies within the outputs of a few rows."""
    layer, x = nn.NTKLinear(MEMBERS, FEATURES, OUTPUTS), numbers(MEMBERS, ROWS, FEATURES) * 7
    mixing = layer.draw_mixing(ROWS)
    np.testing.assert_allclose(mixing.sum(1), 1, rtol=1e-5)
    assert (np.count_nonzero(mixing, axis=1) <= 5).all()
    with no_grad():
        adapted = layer.adapted(cr.tensor(x), cr.tensor(mixing)).numpy()
    product = x @ layer.weight.numpy() / np.sqrt(FEATURES)
    np.testing.assert_allclose(product.std(1), 1, rtol=1e-4)
    np.testing.assert_allclose(layer.bias.numpy(), -(mixing * product).sum(1), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(layer(x).numpy(), adapted, rtol=1e-3, atol=1e-4)


def test_a_unit_that_never_varies_stays_finite() -> None:
    layer, x = nn.NTKLinear(1, FEATURES, OUTPUTS), np.zeros((1, ROWS, FEATURES), np.float32)
    with no_grad():
        layer.adapted(cr.tensor(x), cr.tensor(layer.draw_mixing(ROWS)))
    assert np.isfinite(layer.weight.numpy()).all()


def test_scale_and_learned_activation() -> None:
    x = numbers(MEMBERS, ROWS, FEATURES)
    scale = nn.MemberScale(MEMBERS, FEATURES)
    np.testing.assert_array_equal(scale(x).numpy(), x)
    factors = numbers(MEMBERS, 1, FEATURES)
    scale.load_state_dict({"weight": factors})
    np.testing.assert_allclose(scale(x).numpy(), x * factors, rtol=1e-6)
    activation = nn.LearnedActivation(F.relu, MEMBERS, FEATURES)
    np.testing.assert_allclose(activation(x).numpy(), np.maximum(x, 0), atol=1e-6)
    activation.load_state_dict({"weight": factors})
    expected = x + factors * (np.maximum(x, 0) - x)
    np.testing.assert_allclose(activation(x).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_clipping_is_smooth() -> None:
    trained = np.stack([RNG.normal(7, 3, 401), np.full(401, 2.0), RNG.random(401) < 0.1], 1)
    trained = np.concatenate([trained, RNG.random((401, 1))], 1).astype(np.float32)
    layer = nn.SmoothClip(4, columns=(0, 1, 2))
    layer.fit(trained)
    low, middle, high = np.sort(trained[:, 0])[[100, 200, 300]]
    z = (trained[:, 0] - middle) / (high - low)
    y = layer(trained).numpy()
    np.testing.assert_allclose(y[:, 0], z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-4, atol=1e-5)
    assert (y[:, 1] == 0).all()
    z = trained[:, 2] / 0.5  # no quartiles: half of the range
    np.testing.assert_allclose(y[:, 2], z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-5)
    np.testing.assert_array_equal(y[:, 3], trained[:, 3])
    assert abs(layer(np.full((1, 4), 1e6, np.float32)).numpy()[0, 0]) == pytest.approx(3, rel=1e-4)


@pytest.mark.parametrize("columns", [(0, 2), (0, 1, 2)])
def test_waves(columns: tuple[int, ...]) -> None:
    layer, x = nn.PeriodicEmbedding(MEMBERS, 3, columns, frequencies=4, embedded=2), numbers(6, 3)
    w = {name: np.asarray(v) for name, v in layer.state_dict().items()}
    parts = [np.broadcast_to(x, (MEMBERS, 6, 3))]
    for i, c in enumerate(columns):
        angles = 2 * np.pi * x[:, c, None] * w["frequency"][:, i] + w["phase"][:, i]
        parts.append(np.cos(angles) @ w["weight"][:, i] + w["bias"][:, i])
    expected = np.concatenate(parts, -1)
    assert layer.width == expected.shape[-1]
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(cr.compile(layer)(x).numpy(), expected, rtol=1e-4, atol=1e-5)
    check_grads(lambda v: (layer(v) ** 2).sum(), (x,))
