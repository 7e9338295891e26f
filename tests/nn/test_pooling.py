"""Pooling where numbers are equal, infinite or not numbers at all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn

INF, NAN = np.inf, np.nan


def pooled(
    function: Callable[[cr.Tensor], cr.Tensor], image: list[list[float]], compiled: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The result for one image of one channel, and the gradient of its sum."""
    x = cr.tensor(np.array(image, np.float32)[None, None], requires_grad=True)

    def run() -> cr.Tensor:
        x.grad = None
        y = function(x)
        y.sum().backward()
        return y

    y = (cr.compile(keep_grads=True)(run) if compiled else run)()
    assert x.grad is not None
    return y.numpy()[0, 0], x.grad.numpy()[0, 0]


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_the_first_of_equal_elements_gets_the_gradient(compiled: bool) -> None:
    tie = [[0, 0, 1, 2], [0, 0, 2, 2], [3, 3, -1, -1], [3, 3, -1, -1]]
    y, dx = pooled(lambda x: F.max_pool2d(x, 2), tie, compiled)
    assert y.tolist() == [[0, 2], [3, -1]]
    assert dx.tolist() == [[1, 0, 0, 1], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    y, dx = pooled(lambda x: F.max_pool2d(x, 3, 1), tie, compiled)
    assert y.tolist() == [[3, 3], [3, 3]]
    assert dx.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [2, 2, 0, 0], [0, 0, 0, 0]]
    y, dx = pooled(lambda x: F.adaptive_max_pool2d(x, 1), tie, compiled)
    assert y.tolist() == [[3]]
    assert dx.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_infinities_stay_and_nan_wins(compiled: bool) -> None:
    image = [[-INF, -INF, INF, 1], [-INF, -INF, INF, 5], [1, NAN, 4, -INF], [9, 2, -INF, -INF]]
    for function in (lambda x: F.max_pool2d(x, 2), lambda x: F.max_pool2d(x, 2, 2, 0, 1, True)):
        y, dx = pooled(function, image, compiled)
        np.testing.assert_array_equal(y, [[-INF, INF], [NAN, 4]])
        assert dx.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    y, dx = pooled(lambda x: F.max_pool2d(x, 3, 2, 1), image, compiled)
    np.testing.assert_array_equal(y, [[-INF, INF], [NAN, NAN]])
    # padding never gets a gradient, although it is as small as the elements beside it
    assert dx.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_an_infinity_does_not_leave_its_windows(compiled: bool) -> None:
    image = [[INF, 1, 2, 3], [4, 5, 6, 7]]
    y, _ = pooled(lambda x: F.adaptive_avg_pool2d(x, (2, 3)), image, compiled)
    np.testing.assert_array_equal(y, [[INF, 1.5, 2.5], [4.5, 5.5, 6.5]])
    y, _ = pooled(lambda x: F.interpolate(x, scale_factor=2), image, compiled)
    assert np.isinf(y).sum() == 4


def test_one_image_needs_no_batch() -> None:
    x = np.arange(32, dtype=np.float32).reshape(2, 4, 4)
    for layer in (nn.MaxPool2d(2), nn.AvgPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(3)):
        np.testing.assert_array_equal(layer(x).numpy(), layer(x[None]).numpy()[0])


def test_windows_by_hand() -> None:
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    assert nn.MaxPool2d(2)(x).tolist() == [[[[5, 7], [13, 15]]]]
    assert nn.AvgPool2d(2)(x).tolist() == [[[[2.5, 4.5], [10.5, 12.5]]]]
    assert nn.AvgPool2d(2, 2, 1)(x).tolist()[0][0][0] == [0, 0.75, 0.75]
    outside = nn.AvgPool2d(2, 2, 1, count_include_pad=False)
    assert outside(x).tolist()[0][0][0] == [0, 1.5, 3]
    assert nn.AdaptiveAvgPool2d(1)(x).tolist() == [[[[7.5]]]]


def test_pixel_shuffle_by_hand() -> None:
    x = np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1)
    assert nn.PixelShuffle(2)(x).tolist() == [[[[0, 1], [2, 3]]]]


def test_group_norm_with_one_group_is_layer_norm_and_instance_norm_with_all() -> None:
    x = np.random.default_rng(0).normal(2, 3, (2, 4, 3, 5)).astype(np.float32)
    layer = nn.LayerNorm((4, 3, 5), elementwise_affine=False)
    np.testing.assert_allclose(nn.GroupNorm(1, 4)(x).numpy(), layer(x).numpy(), atol=1e-6)
    alone = nn.InstanceNorm2d(4)(x).numpy()
    np.testing.assert_array_equal(nn.GroupNorm(4, 4)(x).numpy(), alone)
    np.testing.assert_allclose(alone.mean((2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(alone.var((2, 3)), 1, rtol=1e-4)


def test_instance_norm_uses_running_statistics_in_evaluation() -> None:
    layer = nn.InstanceNorm2d(2, track_running_stats=True, momentum=1.0)
    x = np.random.default_rng(0).normal(2, 3, (3, 2, 4, 4)).astype(np.float32)
    layer(x)
    state = layer.state_dict()
    np.testing.assert_allclose(state["running_mean"], x.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(state["running_var"], x.var((2, 3), ddof=1).mean(0), rtol=1e-5)
    scale = np.sqrt(state["running_var"] + 1e-5)[:, None, None]
    expected = (x - state["running_mean"][:, None, None]) / scale
    np.testing.assert_allclose(layer.eval()(x).numpy(), expected, rtol=1e-5, atol=1e-6)
