"""Layers for windows of series: their numbers, their derivatives, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn
from chainrule.errors import ConfigError, ShapeError
from chainrule.testing import check_grads

RNG = np.random.default_rng(0)


def averages(x: Any, size: int) -> Any:
    """With the ends repeated, one window at a time."""
    before, after = (size - 1) // 2, size // 2
    padded = np.concatenate(
        [np.repeat(x[..., :1], before, -1), x, np.repeat(x[..., -1:], after, -1)], -1
    )
    return np.stack([padded[..., i : i + size].mean(-1) for i in range(x.shape[-1])], -1)


@pytest.mark.parametrize("size", [1, 2, 3, 8, 25])
@pytest.mark.parametrize("shape", [(3, 17), (2, 3, 17)])
def test_moving_average(size: int, shape: tuple[int, ...]) -> None:
    x = RNG.normal(size=shape).astype(np.float32)
    layer = nn.MovingAverage(size)
    np.testing.assert_allclose(layer(x).numpy(), averages(x, size), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(
        cr.compile(layer)(x).numpy(), averages(x, size), rtol=2e-5, atol=1e-6
    )


def test_decomposition_adds_up() -> None:
    x = RNG.normal(size=(4, 20)).astype(np.float32)
    rest, trend = nn.SeriesDecomposition(5)(x)
    np.testing.assert_allclose((rest + trend).numpy(), x, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(trend.numpy(), averages(x, 5), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("center", ["mean", "last"])
@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_instance_normalisation_is_undone(center: str, scaled: bool, affine: bool) -> None:
    x = (RNG.normal(size=(5, 12, 3)) * 7 + 40).astype(np.float32)
    layer = nn.RevIN(3, center=center, scaled=scaled, affine=affine)
    if layer.weight is not None and layer.bias is not None:
        layer.load_state_dict({"weight": np.array([2.0, 0.5, -1.0], np.float32),
                               "bias": np.array([1.0, 0.0, 3.0], np.float32)})  # fmt: skip
    z, middle, scale = layer(x)
    expected = x.mean(1, keepdims=True) if center == "mean" else x[:, -1:]
    np.testing.assert_allclose(middle.numpy(), expected, rtol=1e-5)
    deviation = np.sqrt(x.var(1, keepdims=True) + 1e-5) if scaled else np.ones((5, 1, 3))
    np.testing.assert_allclose(scale.numpy(), deviation, rtol=1e-4)
    np.testing.assert_allclose(layer.restore(z, middle, scale).numpy(), x, rtol=1e-4)


def test_a_causal_convolution_sees_no_future() -> None:
    layer = nn.CausalConv1d(2, 3, 3, dilation=2)
    block = nn.TemporalBlock(2, 3, 3, dilation=2).eval()
    x = RNG.normal(size=(1, 2, 20)).astype(np.float32)
    changed = x.copy()
    changed[:, :, 11:] += 5
    for module, reach in ((layer, 4), (block, 8)):
        before, after = module(x).numpy(), module(changed).numpy()
        assert before.shape == (1, 3, 20)
        np.testing.assert_array_equal(before[:, :, :11], after[:, :, :11])
        assert (before[:, :, 11] != after[:, :, 11]).any()
        early = x.copy()
        early[:, :, 3] += 5
        differs = (module(early).numpy() != before).any((0, 1)).nonzero()[0]
        assert differs.min() == 3
        assert differs.max() <= 3 + reach


def test_a_causal_convolution_is_a_convolution_of_padded_input() -> None:
    layer = nn.CausalConv1d(2, 3, 4, dilation=3)
    x = RNG.normal(size=(2, 2, 15)).astype(np.float32)
    padded = np.concatenate([np.zeros((2, 2, 9), np.float32), x], 2)
    np.testing.assert_allclose(layer(x).numpy(), layer.conv(padded).numpy(), rtol=1e-5, atol=1e-6)


def test_pinball_loss() -> None:
    levels = (0.1, 0.5, 0.9)
    x, target = RNG.normal(size=(4, 5, 3)), RNG.normal(size=(4, 5))
    d = target[..., None] - x
    q = np.array(levels)
    expected = np.maximum(q * d, (q - 1) * d)
    args = x.astype(np.float32), target.astype(np.float32)
    np.testing.assert_allclose(
        F.pinball_loss(*args, levels, reduction="none").numpy(), expected, rtol=1e-4, atol=1e-6
    )
    assert nn.PinballLoss(levels)(*args).item() == pytest.approx(expected.mean(), rel=1e-5)
    assert nn.PinballLoss(levels, reduction="sum")(*args).item() == pytest.approx(
        expected.sum(), rel=1e-5
    )


def test_its_least_is_the_quantile() -> None:
    values = RNG.exponential(size=500).astype(np.float32)
    guesses = np.linspace(0, 4, 401, dtype=np.float32)
    for q in (0.1, 0.5, 0.9):
        losses = [F.pinball_loss(np.full((500, 1), g), values, (q,)).item() for g in guesses]
        assert guesses[int(np.argmin(losses))] == pytest.approx(np.quantile(values, q), abs=0.02)


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (nn.MovingAverage(4), [(2, 9)]),
        (nn.SeriesDecomposition(3), [(2, 2, 8)]),
        (nn.RevIN(), [(3, 8)]),
        (nn.RevIN(2, center="last"), [(3, 8, 2)]),
        (lambda x, w: F.pinball_loss(x, w, (0.2, 0.7)), [(3, 4, 2), (3, 4)]),
    ],
)
def test_derivatives(function: Any, shapes: list[tuple[int, ...]]) -> None:
    check_grads(function, [RNG.normal(size=s) for s in shapes], order=1)


def test_derivatives_of_convolutions() -> None:
    for layer in (nn.CausalConv1d(2, 2, 3, dilation=2), nn.TemporalBlock(2, 3, 2).eval()):
        check_grads(lambda x, layer=layer: layer(x), [RNG.normal(size=(2, 2, 7))], order=1)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.MovingAverage(0), Exception, "kernel_size"),
        (lambda: nn.MovingAverage(3)(np.zeros(4, np.float32)), ShapeError, "MovingAverage got"),
        (lambda: nn.RevIN(center="median"), ConfigError, "'median'"),
        (lambda: nn.RevIN(eps=0), ConfigError, "eps of RevIN"),
        (lambda: nn.PinballLoss((0.5, 0.1)), ConfigError, "ascending|quantiles"),
        (lambda: nn.PinballLoss((0.0, 0.5)), ConfigError, "quantiles"),
        (lambda: F.pinball_loss(np.zeros((2, 3), np.float32), np.zeros(2, np.float32), (0.5,)),
         ShapeError, "1 quantiles got"),
    ],
)  # fmt: skip
def test_what_is_refused(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make()
