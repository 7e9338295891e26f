"""Whatever is assigned again under its name keeps its place, in every module and container."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.nn import models

X = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)


class Mixed(nn.Module):
    """All kinds of members, in an order of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.b = nn.Linear(3, 3)
        self.register_buffer("shift", cr.ones(3))
        self.w = nn.Parameter(np.ones(3))
        self.a = nn.Tanh()
        self.register_parameter("none", None)
        self.register_buffer("seen", cr.zeros(1), persistent=False)
        self.last = nn.Parameter(np.ones(3))

    def forward(self, x: Any) -> Any:
        for layer in self.children():
            x = layer(x)
        return x * self.w + self.shift


MODELS: dict[str, Callable[[], nn.Module]] = {
    "Sequential": lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)),
    "named Sequential": lambda: nn.Sequential({"z": nn.Linear(3, 3), "a": nn.Tanh()}),
    "ModuleList": lambda: nn.ModuleList([nn.Linear(1, 1), nn.ReLU(), nn.BatchNorm1d(3)]),
    "ModuleDict": lambda: nn.ModuleDict({"b": nn.Linear(1, 1), "a": nn.ReLU(), "c": nn.Tanh()}),
    "Mixed": Mixed,
    "Linear": lambda: nn.Linear(3, 3),
    "BatchNorm": lambda: nn.BatchNorm1d(3),
    "ResNet": models.resnet20,
    "autoencoder": models.ConvAutoencoder,
}
ASSIGNMENTS: dict[str, Callable[[nn.Module, str, Any], None]] = {
    "setattr": setattr,
    "item": lambda m, n, v: _by_item(m, n, v),
    "register": lambda m, n, v: _by_register(m, n, v),
}


def _by_item(module: nn.Module, name: str, value: Any) -> None:
    if isinstance(module, nn.ModuleDict):
        module[name] = value
    elif isinstance(module, nn.Sequential | nn.ModuleList):
        module[[n for n, _ in module.named_children()].index(name)] = value
    else:
        setattr(module, name, value)


def _by_register(module: nn.Module, name: str, value: Any) -> None:
    if isinstance(value, nn.Module):
        module.register_module(name, value)
    elif isinstance(value, nn.Parameter):
        module.register_parameter(name, value)
    else:
        module.register_buffer(name, value, persistent=name in module.state_dict())


def order(model: nn.Module) -> tuple[list[str], ...]:
    walks = (model.named_modules(), model.named_parameters(), model.named_buffers())
    return (*([n for n, _ in walk] for walk in walks), list(model.state_dict()))


@pytest.mark.parametrize("assign", ASSIGNMENTS)
@pytest.mark.parametrize("name", MODELS)
def test_what_is_assigned_again_keeps_its_place(name: str, assign: str) -> None:
    model = MODELS[name]()
    before = order(model)
    for module in list(model.modules()):
        members = (module._parameters, module._buffers, module._modules)
        for member, value in [i for table in members for i in list(table.items())]:
            if value is not None:
                ASSIGNMENTS[assign](module, member, copy.deepcopy(value))
                assert order(model) == before


def test_a_layer_exchanged_in_a_sequential_computes_where_it_stood() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    setattr(model, "0", copy.deepcopy(model[0]))
    assert model(X).shape == (2, 2)
    first = nn.Linear(3, 4)
    model.register_module("0", first)
    assert next(model.children()) is first


def test_a_bias_given_later_stands_where_none_was() -> None:
    mixed = Mixed()
    mixed.none = nn.Parameter(np.ones(1))
    assert [n for n, _ in mixed.named_parameters()][:3] == ["w", "none", "last"]


def test_what_is_persistent_is_said_at_each_registration() -> None:
    mixed = Mixed()
    mixed.register_buffer("seen", cr.zeros(1))
    mixed.register_buffer("shift", cr.ones(3), persistent=False)
    names = [n for n in mixed.state_dict() if "." not in n]
    assert names == ["w", "last", "seen"]
    mixed.seen = cr.ones(1)
    assert "seen" in mixed.state_dict()


WRONG = {
    "a Tensor as parameter": ("w", lambda: cr.ones(3)),
    "an array as parameter": ("w", lambda: np.ones(3)),
    "a Tensor as module": ("a", lambda: cr.ones(3)),
    "a number as buffer": ("shift", lambda: 3.0),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_member_stays_of_its_kind(name: str) -> None:
    member, make = WRONG[name]
    mixed = Mixed()
    with pytest.raises(cr.StateError, match=f"'{member}' of Mixed cannot be set to"):
        setattr(mixed, member, make())
    assert order(mixed) == order(Mixed())
