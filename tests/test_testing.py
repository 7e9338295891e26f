"""The public gradient check, and that it finds rules that are wrong by 0.1 %."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn, ops
from chainrule.frontend.apply import apply
from chainrule.ir.graph import _registry, bind
from chainrule.ir.primitive import Primitive

X = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)

FUNCTIONS = {
    "softmax": lambda x: F.softmax(x * x, 1),
    "layer norm": lambda x: F.layer_norm(x, (4,)),
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "selu": F.selu,
    "logsumexp": lambda x: x.logsumexp(1),
    "std": lambda x: x.std(1),
    "power": lambda x: (x * x + 0.5) ** 1.7,
    "products": lambda x: (x @ x.T).prod(1),
    "indexing": lambda x: x[[2, 0, 2], 1:3] * x[::-1, ::2],
    "extremes": lambda x: x.amax(1) - x.amin(0).sum(),
    "pad": lambda x: cr.cat([x, x * x], 1).cumsum(1),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_to_second_order(name: str) -> None:
    cr.check_grads(FUNCTIONS[name], [X], order=2)


def test_a_model_and_a_loss() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    cr.check_grads(lambda x, t: F.cross_entropy(model(x), t), [X, np.array([0, 2, 1])], order=3)


def test_detach_is_respected() -> None:
    with pytest.raises(cr.GradientError, match="order 1"):
        cr.check_grads(lambda x: x * x.detach(), [X])


def test_nothing_to_check() -> None:
    with pytest.raises(cr.GradientError, match="nothing to check"):
        cr.check_grads(lambda x: x + 1, [np.arange(3)])


@pytest.mark.parametrize(("first", "second"), [(1.001, 1.0), (1.0, 1.001)])
def test_a_rule_that_is_wrong_by_a_thousandth(
    first: float, second: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """cos with a wrong first derivative, and with a right first but a wrong second."""
    registry = dict(_registry)
    monkeypatch.setattr("chainrule.ir.graph._registry", registry)

    def declare(name: str, reference: Any, vjp: Any) -> Primitive:
        return Primitive(name, lambda x: (x.shape, x.dtype), reference, vjp, lambda rng: iter(()))

    declare("sine", np.sin, lambda g, y, x: (g * bind("cosine", x),))
    declare("cosine", np.cos, lambda g, y, x: (g * second * -bind("sine", x),))
    start = declare("start", np.sin, lambda g, y, x: (g * first * bind("cosine", x),))
    with pytest.raises(cr.GradientError, match="order 1" if first != 1.0 else "order 2"):
        cr.check_grads(lambda x: apply(start, x), [X], order=2)
    assert "start" not in _registry
    assert ops.exp.name in registry


def test_arguments_and_order_of_the_checker() -> None:
    with pytest.raises(cr.ConfigError, match="are a ndarray"):
        cr.check_grads(lambda x: x.sum(), np.ones(3))
    for order in (0, "2", True):
        with pytest.raises(cr.ConfigError, match="order is"):
            cr.check_grads(lambda x: x.sum(), (np.ones(3),), order=order)
