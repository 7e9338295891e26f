"""Members that share their weights but for scales, against the formula in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ConfigError, ShapeError
from chainrule.testing import check_grads

RNG = np.random.default_rng(0)
MEMBERS, ROWS, FEATURES, OUTPUTS = 3, 6, 5, 4


def numbers(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(ROWS, FEATURES), (MEMBERS, ROWS, FEATURES)])
def test_forward(shape: tuple[int, ...]) -> None:
    layer, x = nn.BatchEnsembleLinear(MEMBERS, FEATURES, OUTPUTS), numbers(*shape)
    values = {"weight": numbers(FEATURES, OUTPUTS), "before": numbers(MEMBERS, FEATURES),
              "after": numbers(MEMBERS, OUTPUTS), "bias": numbers(MEMBERS, OUTPUTS)}  # fmt: skip
    layer.load_state_dict(values)
    own = x if x.ndim == 3 else [x] * MEMBERS
    expected = [
        ((part * values["before"][k]) @ values["weight"]) * values["after"][k] + values["bias"][k]
        for k, part in enumerate(own)
    ]
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(cr.compile(layer)(x).numpy(), expected, rtol=1e-4, atol=1e-5)
    check_grads(lambda v: (layer(v) ** 2).sum(), (x,))


def test_first_scales() -> None:
    signs = nn.BatchEnsembleLinear(8, 50, 2, start="signs").before.numpy()
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert abs(signs.mean()) < 0.2
    normal = nn.BatchEnsembleLinear(8, 50, 2, start="normal").before.numpy()
    assert normal.std() == pytest.approx(1, abs=0.15)
    ones = nn.BatchEnsembleLinear(8, 50, 2)
    assert (ones.before.numpy() == 1).all()
    assert (ones.bias.numpy() == ones.bias.numpy()[0]).all()


def test_refusals() -> None:
    with pytest.raises(ConfigError, match="'ones', 'signs' or 'normal'"):
        nn.BatchEnsembleLinear(2, 3, 4, start="zeros")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="does not match 2 members"):
        nn.BatchEnsembleLinear(2, 3, 4)(numbers(3, 5, 3))
