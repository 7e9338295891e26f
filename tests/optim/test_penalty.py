"""Penalties: values, derivatives, what they fall on; the bound on weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import ConfigError
from chainrule.optim import penalty

W = np.float32([[1.0, -2.0], [0.0, 4.0]])
B = np.float32([10.0, -10.0])


def parameters() -> list[cr.Tensor]:
    return [cr.tensor(W, requires_grad=True), cr.tensor(B, requires_grad=True)]


def test_values_and_derivatives() -> None:
    for term, value, slope in (
        (lambda p: penalty.l1(p, 0.5), 3.5, 0.5 * np.sign(W)),
        (lambda p: penalty.l2(p, 0.1), 0.05 * 21, 0.1 * W),
        (lambda p: penalty.elastic_net(p, 0.5, 0.1), 3.5 + 1.05, 0.5 * np.sign(W) + 0.1 * W),
        (penalty.make({"l1": 0.5, "l2": 0.1}), 3.5 + 1.05, 0.5 * np.sign(W) + 0.1 * W),
    ):
        w, b = parameters()
        found = term([w, b])
        assert (found.shape, found.dtype) == ((), cr.DType.f32)
        assert found.item() == pytest.approx(value, rel=1e-6)
        found.backward()
        assert w.grad is not None
        np.testing.assert_allclose(w.grad.numpy(), slope, rtol=1e-6)
        assert b.grad is None


def test_what_it_falls_on() -> None:
    w, b = parameters()
    assert penalty.make({"l1": 1.0, "on": "all"})([w, b]).item() == 27.0
    assert penalty.Penalty(l1=1.0, on=lambda p: p.ndim == 1)([w, b]).item() == 20.0
    model = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    expected = np.abs(model.state_dict()["0.weight"]).sum()
    assert penalty.l1(model.parameters(), 1.0).item() == pytest.approx(float(expected))
    assert penalty.make({})(model.parameters()).item() == 0.0
    assert penalty.l2([b], 1.0).item() == 0.0


def trained(optimizer: optim.Optimizer, w: cr.Tensor, term: penalty.Penalty | None) -> Any:
    target = cr.tensor(np.float32([[0.5, 0.5], [0.5, 0.5]]))

    @cr.compile
    def step() -> cr.Tensor:
        optimizer.zero_grad()
        loss = ((w - target) ** 2).sum()
        if term is not None:
            loss = loss + term(w)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(5):
        step()
    return w.numpy()


def test_l2_is_the_weight_decay_of_sgd_but_not_of_adamw() -> None:
    def after(kind: Any, decay: float, l2: float) -> Any:
        w = cr.tensor(W, requires_grad=True)
        term = penalty.make({"l2": l2}) if l2 else None
        return trained(kind([w], lr=0.05, weight_decay=decay), w, term)

    np.testing.assert_allclose(after(optim.SGD, 0.0, 0.3), after(optim.SGD, 0.3, 0.0), rtol=1e-6)
    np.testing.assert_allclose(after(optim.Adam, 0.0, 0.3), after(optim.Adam, 0.3, 0.0), rtol=1e-5)
    assert np.abs(after(optim.AdamW, 0.0, 0.3) - after(optim.AdamW, 0.3, 0.0)).max() > 0.01


def test_l1_finds_the_inputs_that_matter() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 10)).astype(np.float32)
    y = x[:, :2] @ np.float32([[2.0], [-3.0]]) + 0.1 * rng.normal(size=(200, 1)).astype(np.float32)
    cr.manual_seed(0)
    model, term = nn.Linear(10, 1), penalty.make({"l1": 0.2})
    optimizer = optim.SGD(model.parameters(), lr=0.05)

    @cr.compile
    def step(x: cr.Tensor, y: cr.Tensor) -> cr.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y) + term(model.parameters())
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(300):
        step(x, y)
    weights = np.abs(model.state_dict()["weight"][0])
    assert weights[:2].min() > 1.5
    assert weights[2:].max() < 0.02  # plain descent hovers about 0 by lr · l1


def test_a_changed_factor_compiles_nothing_anew_unless_a_term_comes_or_goes() -> None:
    w, term, recorded = cr.tensor(W), penalty.make({"l2": 2.0}), []

    @cr.compile
    def value() -> cr.Tensor:
        recorded.append(1)
        return term(w)

    assert value().item() == pytest.approx(21.0)
    term.l2 = 4.0
    assert (value().item(), len(recorded)) == (pytest.approx(42.0), 1)
    term.l1 = 1.0
    assert (value().item(), len(recorded)) == (pytest.approx(49.0), 2)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_max_norm(compiled: bool) -> None:
    w, b = parameters()

    def bounded() -> None:
        penalty.max_norm_([w, b], 3.0)

    (cr.compile(bounded) if compiled else bounded)()
    expected = W * np.float32([[1.0], [0.75]])
    np.testing.assert_array_equal(w.numpy()[0], W[0])  # √5 is short enough
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-6)
    np.testing.assert_array_equal(b.numpy(), B)
    columns = cr.tensor(W)
    penalty.max_norm_(columns, 2.0, axis=0)
    np.testing.assert_allclose(columns.numpy(), W * [1.0, 2 / 20**0.5], rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"L1": 1.0}, "did you mean 'l1'"),
        ({"l1": -1.0}, "l1 is -1.0"),
        ({"l2": float("nan")}, "l2 is nan"),
        ({"l2": 1.0, "on": "biases"}, "on 'biases'"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        penalty.make(settings)
    term = penalty.make({"l1": 1.0})
    with pytest.raises(ConfigError, match="l1 is -1"):
        term.l1 = -1.0
