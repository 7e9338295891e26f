"""What is dropped, how often, and which moments stay."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn
from chainrule.errors import ConfigError, DTypeError, ShapeError
from chainrule.frontend import default_generator

ALPHA = -1.7580993408473766


def ones(*shape: int) -> np.ndarray[Any, Any]:
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(
    ("layer", "shape", "unit"),
    [
        (nn.Dropout1d(0.3), (400, 50, 7), (7,)),
        (nn.Dropout1d(0.3), (20_000, 7), (7,)),
        (nn.Dropout2d(0.3), (400, 50, 3, 4), (3, 4)),
        (nn.Dropout3d(0.3), (400, 50, 2, 3, 2), (2, 3, 2)),
        (nn.DropPath(0.3), (20_000, 3, 2), (3, 2)),
    ],
    ids=["1d", "1d-one-example", "2d", "3d", "path"],
)
def test_whole_units_are_dropped_together(
    layer: nn.Module, shape: tuple[int, ...], unit: tuple[int, ...]
) -> None:
    cr.manual_seed(0)
    y = layer(ones(*shape)).numpy().reshape(-1, math.prod(unit))
    assert (y == y[:, :1]).all()
    np.testing.assert_allclose(y[y != 0], 1 / 0.7, rtol=1e-6)
    share = (y[:, 0] == 0).mean()
    assert share == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / len(y)) ** 0.5)
    np.testing.assert_array_equal(layer.eval()(ones(*shape)).numpy(), ones(*shape))


@pytest.mark.parametrize("p", [0.05, 0.2, 0.5])
def test_alpha_dropout_keeps_mean_and_variance(p: float) -> None:
    cr.manual_seed(1)
    n = 1_000_000
    x = cr.randn(1000, n // 1000)
    y = nn.AlphaDropout(p)(x).numpy().astype(np.float64)
    assert y.mean() == pytest.approx(0.0, abs=5 * n**-0.5)
    assert y.var() == pytest.approx(1.0, abs=0.01)
    a = ((1 - p) * (1 + p * ALPHA**2)) ** -0.5
    floor = a * ALPHA - a * p * ALPHA
    dropped = np.isclose(y, floor, rtol=1e-6)
    assert dropped.mean() == pytest.approx(p, abs=5 * (p * (1 - p) / n) ** 0.5 + 1e-4)
    kept = ~dropped
    np.testing.assert_allclose(y[kept], (a * x.numpy() - a * p * ALPHA)[kept], atol=1e-5)


def test_feature_alpha_dropout_drops_channels() -> None:
    cr.manual_seed(2)
    y = nn.FeatureAlphaDropout(0.2)(np.zeros((300, 40, 5), np.float32)).numpy()
    assert (y == y[:, :, :1]).all()
    low, high = np.unique(y)
    assert high - low == pytest.approx(-ALPHA * ((0.8) * (1 + 0.2 * ALPHA**2)) ** -0.5, rel=1e-6)
    assert (y[:, :, 0] == low).mean() == pytest.approx(0.2, abs=0.015)


def test_twenty_layers_of_selu_keep_mean_0_and_variance_1() -> None:
    cr.manual_seed(3)
    layers: list[nn.Module] = []
    for _ in range(20):
        layers += [nn.Linear(256, 256), nn.SELU(), nn.AlphaDropout(0.05)]
    model = nn.init.apply(nn.Sequential(*layers), "lecun_normal", "selu")
    x = cr.randn(256, 256)
    with cr.no_grad():
        for i, layer in enumerate(model):
            x = layer(x)
            if i % 3 == 2:
                y = x.numpy().astype(np.float64)
                assert abs(y.mean()) < 0.12, i
                assert 0.75 < y.var() < 1.25, i
    relu = nn.Sequential(*(m for _ in range(20) for m in (nn.Linear(256, 256), nn.ReLU())))
    with cr.no_grad():
        outputs = relu(cr.randn(256, 256)).numpy()
    assert outputs.var(axis=0).max() < 1e-6  # by default, all inputs end up alike


def test_word_dropout_replaces_tokens_but_no_padding() -> None:
    cr.manual_seed(4)
    tokens = np.random.default_rng(0).integers(0, 50, (500, 100)).astype(np.int32)
    layer = nn.WordDropout(0.1, unk=99, padding_idx=0)
    y = layer(tokens).numpy()
    assert y.dtype == np.int32
    assert (y[tokens == 0] == 0).all()
    real = tokens != 0
    assert (y[real] == 99).mean() == pytest.approx(0.1, abs=4 * (0.09 / real.sum()) ** 0.5)
    assert ((y == tokens) | (y == 99)).all()
    assert (layer.eval()(tokens).numpy() == tokens).all()


def test_noise_has_the_moments_it_says() -> None:
    cr.manual_seed(5)
    n = 400_000
    added = nn.GaussianNoise(0.3)(2 * ones(n)).numpy().astype(np.float64) - 2
    assert added.mean() == pytest.approx(0.0, abs=5 * 0.3 * n**-0.5)
    assert added.std() == pytest.approx(0.3, rel=5 * (2 * n) ** -0.5)
    factor = nn.GaussianDropout(0.2)(2 * ones(n)).numpy().astype(np.float64) / 2
    assert factor.mean() == pytest.approx(1.0, abs=5 * 0.5 * n**-0.5)
    assert factor.var() == pytest.approx(0.25, rel=0.01)  # p / (1 - p), as with dropout


FORMS: list[tuple[str, Callable[[cr.Tensor], cr.Tensor]]] = [
    ("dropout", lambda x: F.dropout(x, 0.4)),
    ("dropout2d", lambda x: F.dropout2d(x, 0.4)),
    ("drop_path", lambda x: F.drop_path(x, 0.4)),
    ("alpha_dropout", lambda x: F.alpha_dropout(x, 0.4)),
    ("feature_alpha_dropout", lambda x: F.feature_alpha_dropout(x, 0.4)),
    ("gaussian_noise", lambda x: F.gaussian_noise(x, 0.4)),
    ("gaussian_dropout", lambda x: F.gaussian_dropout(x, 0.4)),
    ("word_dropout", lambda x: F.word_dropout((x * 10).int(), 0.4, -1).float()),
]


def test_compiled_steps_draw_the_masks_of_the_same_lines_run_one_by_one() -> None:
    cr.manual_seed(6)
    x = cr.randn(8, 6, 3, 5)

    def every(x: cr.Tensor) -> list[cr.Tensor]:
        return [function(x) for _, function in FORMS]

    compiled = cr.compile(every)
    for _ in range(2):
        state = default_generator.get_state()
        native = compiled(x)
        after = default_generator.get_state()
        default_generator.set_state(state)
        eager = every(x)
        assert default_generator.get_state() == after == (*state[:2], state[2] + len(FORMS))
        for (name, _), a, b in zip(FORMS, native, eager, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6, err_msg=name)
            np.testing.assert_array_equal(a.numpy() == 0, b.numpy() == 0, err_msg=name)


def test_derivatives_pass_what_was_kept() -> None:
    cr.manual_seed(7)
    x = cr.tensor(ones(50, 40), requires_grad=True)
    y = F.alpha_dropout(x, 0.3)
    y.sum().backward()
    assert x.grad is not None
    a = (0.7 * (1 + 0.3 * ALPHA**2)) ** -0.5
    high = y.numpy().max()
    np.testing.assert_allclose(x.grad.numpy(), np.where(y.numpy() == high, a, 0.0), rtol=1e-6)


def test_probabilities_0_and_1() -> None:
    x = cr.randn(4, 5, 6)
    for layer in (nn.Dropout, nn.Dropout1d, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.DropPath):
        state = default_generator.get_state()
        assert (layer(1.0)(x).numpy() == 0).all()
        assert layer(0.0)(x) is x
        assert default_generator.get_state() == state


def test_what_cannot_be() -> None:
    for kind in (nn.Dropout2d, nn.AlphaDropout, nn.DropPath):
        with pytest.raises(ConfigError, match=r"dropout is 1\.5"):
            kind(1.5)
    with pytest.raises(ConfigError, match=r"dropout is 1\.0"):
        nn.GaussianDropout(1.0)
    with pytest.raises(ConfigError, match=r"noise is -0\.1"):
        nn.GaussianNoise(-0.1)
    with pytest.raises(ShapeError, match=r"dropout2d got an input of shape \(2, 3, 4\)"):
        nn.Dropout2d()(ones(2, 3, 4))
    with pytest.raises(ShapeError, match="no channels"):
        nn.FeatureAlphaDropout()(ones(3))
    with pytest.raises(DTypeError, match="needs integers"):
        nn.WordDropout(0.1, 0)(ones(3))
