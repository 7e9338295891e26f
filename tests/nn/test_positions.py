"""Positions: their formulas, offsets, and what lies beyond their end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn


def drawn(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_waves() -> None:
    waves = nn.SinusoidalPositions(50, 6, batch_first=True)(np.zeros((1, 50, 6), np.float32))
    t, i = np.mgrid[:50, :3]
    angles = t / 10000 ** (2 * i / 6)
    np.testing.assert_allclose(waves.numpy()[0, :, ::2], np.sin(angles), atol=1e-7)
    np.testing.assert_allclose(waves.numpy()[0, :, 1::2], np.cos(angles), atol=1e-7)
    odd = nn.SinusoidalPositions(7, 5)(np.zeros((7, 5), np.float32))
    assert odd.shape == (7, 5)
    assert nn.SinusoidalPositions(7, 5).state_dict() == {}


@pytest.mark.parametrize("kind", [nn.LearnedPositions, nn.SinusoidalPositions])
def test_offsets_and_batches(kind: Any) -> None:
    cr.manual_seed(0)
    layer, x = kind(9, 4), drawn(1, 9, 3, 4)
    whole = layer(x).numpy()
    swapped = kind(9, 4, batch_first=True)
    swapped.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(swapped(x.swapaxes(0, 1)).numpy(), whole.swapaxes(0, 1))
    np.testing.assert_array_equal(layer(x[:, 0]).numpy(), whole[:, 0])
    compiled = cr.compile(lambda x, offset: layer(x, offset))
    for offset in (0, 2, 5):
        part = x[offset : offset + 4]
        for found in (layer(part, offset), layer(part, cr.tensor(offset)),
                      compiled(part, cr.tensor(offset))):  # fmt: skip
            np.testing.assert_array_equal(found.numpy(), whole[offset : offset + 4])
    # Nobody can be told: what lies beyond is not a number.
    beyond = compiled(x[5:], cr.tensor(7)).numpy()
    np.testing.assert_array_equal(beyond[:2], layer(x[5:7], 7).numpy())
    assert np.isnan(beyond[2:]).all()


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotations_are_products_of_complex_numbers(interleaved: bool) -> None:
    rotary = nn.RotaryPositions(20, 6, 100.0, interleaved=interleaved)
    x = drawn(2, 2, 3, 20, 6)
    a, b = (x[..., ::2], x[..., 1::2]) if interleaved else (x[..., :3], x[..., 3:])
    t, i = np.mgrid[:20, :3]
    turned = (a + 1j * b) * np.exp(1j * t / 100.0 ** (2 * i / 6))
    y = rotary(x).numpy()
    real, imaginary = (y[..., ::2], y[..., 1::2]) if interleaved else (y[..., :3], y[..., 3:])
    np.testing.assert_allclose(real, turned.real, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(imaginary, turned.imag, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(rotary(x[..., 4:9, :], 4).numpy(), y[..., 4:9, :])


def test_rotated_products_depend_on_the_distance_alone() -> None:
    rotary = nn.RotaryPositions(30, 8)
    q, k = drawn(3, 1, 8), drawn(4, 1, 8)
    products = {
        (s, t): (rotary(q, s).numpy() @ rotary(k, t).numpy().T).item()
        for s, t in ((5, 2), (8, 5), (29, 26), (5, 3))
    }
    assert products[5, 2] == pytest.approx(products[8, 5], rel=1e-4)
    assert products[5, 2] == pytest.approx(products[29, 26], rel=1e-4)
    assert products[5, 2] != pytest.approx(products[5, 3], rel=1e-2)


def test_learned_positions_learn() -> None:
    cr.manual_seed(0)
    layer = nn.LearnedPositions(6, 4)
    assert layer.weight.numpy().std() == pytest.approx(0.02, rel=0.4)
    (layer(drawn(0, 4, 2, 4)) * 2.0).sum().backward()
    assert layer.weight.grad is not None
    np.testing.assert_array_equal(layer.weight.grad.numpy()[:, 0], [4.0] * 4 + [0.0] * 2)
