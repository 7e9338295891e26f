"""Weight and spectral normalisation against PyTorch's numbers, and as structure of a model."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import ConfigError, ShapeError, StateError
from chainrule.nn import parametrize
from chainrule.nn.parametrize import remove_parametrization, spectral_norm, weight_norm
from precise import agree, in_double, parameters_of
from reference.problems import load

CASES = load("parametrized")["cases"]


@pytest.mark.parametrize(
    "case", CASES, ids=lambda c: "-".join(map(str, [c["name"], *c["kwargs"].values(), c["mode"]]))
)
def test_is_pytorchs(case: dict[str, Any]) -> None:
    layer = getattr(parametrize, case["name"])(nn.Linear(5, 3), **case["kwargs"])
    assert set(layer.state_dict()) == set(case["state"])
    layer.load_state_dict(case["state"])
    layer.train(case["mode"] == "train")
    tensors = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
    state = dict(case["state"])
    for call in case["calls"]:
        inputs = [np.asarray(x) for x in call["inputs"]]
        result = in_double(layer, inputs, call["g"], parameters_of(tensors, state))
        agree(result.y, call["y"])
        agree(result.dinputs[0], call["dinputs"][0])
        for name, theirs in call["dparameters"].items():
            agree(result.dstates[id(tensors[name])], theirs)
        for name, theirs in call["state_after"].items():
            agree(result.after.get(id(tensors[name]), np.asarray(state[name])), theirs)
        state = {**state, **call["state_after"]}


def test_the_weight_starts_as_it_was() -> None:
    layer = nn.Linear(6, 4)
    before = layer.weight.numpy()
    weight_norm(layer)
    np.testing.assert_allclose(layer.weight.numpy(), before, rtol=1e-6)
    spectral = spectral_norm(nn.Linear(6, 4))
    assert np.linalg.norm(spectral.weight.numpy(), 2) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("how", [weight_norm, spectral_norm])
def test_trains_inside_the_compiled_step_as_outside(how: Any) -> None:
    x = np.random.default_rng(0).normal(size=(32, 6)).astype(np.float32)
    y = x[:, :2] - x[:, 2:4]

    def trained(compiled: bool) -> tuple[list[float], dict[str, Any]]:
        cr.manual_seed(0)
        model = nn.Sequential(how(nn.Linear(6, 8)), nn.Tanh(), how(nn.Linear(8, 2)))
        optimizer = optim.SGD(model.parameters(), lr=0.2)

        def step(x: cr.Tensor, y: cr.Tensor) -> cr.Tensor:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        run = cr.compile(step) if compiled else step
        losses = [run(cr.tensor(x), cr.tensor(y)).item() for _ in range(20)]
        return losses, model.state_dict()

    (eager, state), (native, compiled_state) = trained(False), trained(True)
    assert native[-1] < 0.7 * native[0]
    np.testing.assert_allclose(native, eager, rtol=1e-4)
    for name, value in state.items():
        np.testing.assert_allclose(compiled_state[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


def test_spectral_norm_finds_the_largest_singular_value() -> None:
    cr.manual_seed(1)
    layer = spectral_norm(nn.Linear(20, 10))
    forward = cr.compile(layer)
    x = np.zeros((1, 20), np.float32)
    for _ in range(50):
        forward(x)
    assert np.linalg.norm(layer.weight.numpy(), 2) == pytest.approx(1.0, abs=1e-4)
    moved = layer.state_dict()["parametrizations.weight.0._u"]
    layer.eval()
    forward(x)
    layer.weight.numpy()
    np.testing.assert_array_equal(layer.state_dict()["parametrizations.weight.0._u"], moved)


def test_removed_again() -> None:
    layer = nn.Linear(6, 4)
    original = layer.weight
    spectral_norm(layer)
    assert type(layer).__name__ == "ParametrizedLinear"
    assert isinstance(layer, nn.Linear)
    value = layer.weight.numpy()
    remove_parametrization(layer)
    assert type(layer) is nn.Linear
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    np.testing.assert_array_equal(layer.weight.numpy(), value)
    other = spectral_norm(nn.Linear(6, 4))
    original = other.parametrizations.weight.original
    remove_parametrization(other, leave_parametrized=False)
    assert other.weight is original


def test_two_weights_of_one_layer() -> None:
    layer = nn.Linear(6, 4)
    weight_norm(layer)
    weight_norm(layer, "bias")
    assert layer(np.zeros((1, 6), np.float32)).shape == (1, 4)
    remove_parametrization(layer, "bias")
    assert sorted(layer.state_dict()) == [
        "bias",
        "parametrizations.weight.original0",
        "parametrizations.weight.original1",
    ]


def test_a_copy_is_a_layer_of_its_own() -> None:
    layer = weight_norm(nn.Linear(3, 2))
    other = copy.deepcopy(layer)
    with cr.no_grad():
        other.parametrizations.weight.original0.mul_(2.0)
    np.testing.assert_allclose(other.weight.numpy(), 2 * layer.weight.numpy(), rtol=1e-6)


def test_what_cannot_be() -> None:
    layer = weight_norm(nn.Linear(3, 2))
    with pytest.raises(StateError, match="already parametrized"):
        spectral_norm(layer)
    with pytest.raises(StateError, match="computed and cannot be assigned"):
        layer.weight = nn.Parameter(np.zeros((2, 3), np.float32))
    with pytest.raises(StateError, match="no single original"):
        remove_parametrization(layer, leave_parametrized=False)
    with pytest.raises(StateError, match="no parameter 'weight'"):
        weight_norm(nn.Sequential(nn.Linear(3, 2)))
    with pytest.raises(StateError, match="'bias' of Linear is not parametrized"):
        remove_parametrization(nn.Linear(3, 2), "bias")
    with pytest.raises(ConfigError, match="n_power_iterations is 0"):
        spectral_norm(nn.Linear(3, 2), n_power_iterations=0)
    with pytest.raises(ShapeError, match="not a matrix"):
        spectral_norm(nn.Linear(3, 2), "bias")
