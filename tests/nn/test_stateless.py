"""Modules as functions of their parameters, and ensembles of them as one program."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn, optim

RNG = np.random.default_rng(1)
X = RNG.normal(size=(32, 6)).astype(np.float32)
Y = RNG.integers(0, 3, 32).astype(np.int32)


def model(seed: int, dropout: float = 0.0) -> nn.Module:
    cr.manual_seed(seed)
    drop = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), *drop, nn.Linear(16, 3))


@pytest.mark.parametrize("compiled", [False, True])
def test_members_learn_the_same_bits_as_each_alone(compiled: bool) -> None:
    """Batch norm's running means, Adam's moments and all."""
    models = [model(seed) for seed in range(3)]
    params, buffers = cr.stack_module_state(models)
    together = optim.AdamW(list(params.values()), lr=0.01)
    wrap = cr.compile if compiled else lambda f: f

    def loss(params: Any, buffers: Any) -> Any:
        return F.cross_entropy(cr.functional_call(models[0], (params, buffers), X), Y), buffers

    def step() -> Any:
        together.zero_grad()
        losses, after = cr.vmap(loss)(params, buffers)
        losses.sum().backward()
        together.step()
        with cr.no_grad():
            for name, buffer in buffers.items():
                buffer.assign_(after[name])
        return losses

    def alone(model: nn.Module) -> Any:
        optimizer = optim.AdamW(model.parameters(), lr=0.01)

        def step() -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(X), Y)
            loss.backward()
            optimizer.step()
            return loss

        return wrap(step)

    steps, run = [alone(m) for m in models], wrap(step)
    for _ in range(3):
        expected = np.stack([s().numpy() for s in steps])
        np.testing.assert_array_equal(run().numpy(), expected)
    for number, each in enumerate(models):
        for name, array in each.state_dict().items():
            mine = {**params, **buffers}[name].numpy()[number]
            np.testing.assert_array_equal(mine, array)


def test_the_module_is_as_before() -> None:
    layer = nn.Linear(6, 3)
    before = layer.weight
    compiled = cr.compile(lambda: layer(X).sum())
    first = compiled().item()
    zeros = {"weight": cr.zeros(3, 6), "bias": cr.zeros(3)}
    assert cr.functional_call(layer, zeros, X).numpy().any() == False  # noqa: E712
    with pytest.raises(cr.ShapeError):
        cr.functional_call(layer, zeros, X[:, :5])
    assert layer.weight is before
    assert compiled().item() == first
    assert cr.functional_call(layer, {}, (X,)).tolist() == layer(X).tolist()


def test_derivatives_pass_to_what_is_given() -> None:
    layer = nn.Linear(6, 3)
    given = {n: p.numpy() for n, p in layer.named_parameters()}
    gradient = cr.grad(lambda p: cr.functional_call(layer, p, X).square().sum())(given)
    layer(X).square().sum().backward()
    for name, parameter in layer.named_parameters():
        np.testing.assert_array_equal(gradient[name].numpy(), parameter.grad.numpy())


def test_a_shared_parameter_is_given_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Linear(6, 6, bias=False)
            self.two = self.one

        def forward(self, x: Any) -> Any:
            return self.two(self.one(x))

    eye = {"two.weight": cr.eye(6)}
    assert cr.functional_call(Tied(), eye, X, strict=True).tolist() == X.tolist()


def test_misfits_are_named() -> None:
    layer = nn.Linear(6, 3)
    with pytest.raises(cr.StateError, match="unknown wieght"):
        cr.functional_call(layer, {"wieght": cr.zeros(3, 6)}, X)
    with pytest.raises(cr.StateError, match=r"shape of weight: \(6, 3\) instead of \(3, 6\)"):
        cr.functional_call(layer, {"weight": cr.zeros(6, 3)}, X)
    with pytest.raises(cr.StateError, match="missing bias"):
        cr.functional_call(layer, {"weight": cr.zeros(3, 6)}, X, strict=True)
    with pytest.raises(cr.StateError, match="model 1 differs from the first one in weight"):
        cr.stack_module_state([layer, nn.Linear(5, 3)])
    with pytest.raises(cr.StateError, match="no models"):
        cr.stack_module_state([])


def test_members_drop_for_themselves() -> None:
    net = model(0, dropout=0.5)
    params, buffers = cr.stack_module_state([net] * 4)
    call = lambda p, b: cr.functional_call(net, (p, b), X)  # noqa: E731
    different = cr.vmap(call)(params, buffers).numpy()
    assert not np.array_equal(different[0], different[1])
    net.eval()
    same = cr.vmap(call)(params, buffers).numpy()
    assert np.array_equal(same[0], same[1])
