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
from chainrule.nn.parametrize import lora, remove_parametrization, spectral_norm, weight_norm
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


# ---------------------------------------------------------------------------------------- LoRA


def test_an_adapter_starts_with_nothing_and_learns_alone() -> None:
    cr.manual_seed(0)
    model = nn.TransformerEncoderLayer(8, 2, 16, 0.0)
    x = np.random.default_rng(0).standard_normal((5, 3, 8)).astype(np.float32)
    before = model(x).numpy()
    model.requires_grad_(False)
    lora(model.self_attn, "in_proj_weight", rank=2, alpha=4)
    lora(model.linear1, rank=3)
    np.testing.assert_array_equal(model(x).numpy(), before)
    learned = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert {n: p.shape for n, p in learned.items()} == {
        "self_attn.parametrizations.in_proj_weight.lora_A": (2, 8),
        "self_attn.parametrizations.in_proj_weight.lora_B": (24, 2),
        "linear1.parametrizations.weight.lora_A": (3, 8),
        "linear1.parametrizations.weight.lora_B": (16, 3),
    }
    frozen = {n: p.numpy() for n, p in model.named_parameters() if n not in learned}
    adam = optim.Adam(list(learned.values()), lr=0.05)

    @cr.compile
    def step(x: cr.Tensor) -> cr.Tensor:
        adam.zero_grad()
        loss = ((model(x) - 1.0) ** 2).mean()
        loss.backward()
        adam.step()
        return loss

    losses = [step(x).item() for _ in range(20)]
    assert losses[-1] < losses[0]
    for name, parameter in model.named_parameters():
        assert (parameter.numpy() == frozen[name]).all() if name in frozen else True
    after = model(x).numpy()
    low, high = learned["linear1.parametrizations.weight.lora_A"].numpy(), learned[
        "linear1.parametrizations.weight.lora_B"].numpy()  # fmt: skip
    remove_parametrization(model.linear1)
    merged = frozen["linear1.parametrizations.weight.original"] + high @ low
    np.testing.assert_allclose(model.linear1.weight.numpy(), merged, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model(x).numpy(), after, rtol=1e-5, atol=1e-5)
    assert model.linear1.weight.requires_grad
    remove_parametrization(model.self_attn, "in_proj_weight", leave_parametrized=False)
    assert type(model.self_attn) is nn.MultiheadAttention
    assert model.self_attn.in_proj_weight.requires_grad
    np.testing.assert_array_equal(
        model.self_attn.in_proj_weight.numpy(),
        frozen["self_attn.parametrizations.in_proj_weight.original"],
    )


def test_lora_is_the_formula() -> None:
    cr.manual_seed(0)
    layer = lora(nn.Linear(6, 4), rank=2, alpha=6.0)
    parts = {n.rpartition(".")[2]: a for n, a in layer.state_dict().items()}
    assert not parts["lora_B"].any()
    assert parts["lora_A"].any()
    high = np.random.default_rng(1).standard_normal((4, 2)).astype(np.float32)
    with cr.no_grad():
        layer.parametrizations.weight.lora_B.copy_(high)
    expected = parts["original"] + 3.0 * high @ parts["lora_A"]
    np.testing.assert_allclose(layer.weight.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert "rank=2, alpha=6" in repr(layer)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: lora(nn.Linear(6, 4), "bias"), ShapeError, "is not a matrix"),
        (lambda: lora(nn.Linear(6, 4), rank=0), ConfigError, "rank of LoRA is 0"),
        (lambda: lora(nn.Linear(6, 4), rank=5), ConfigError, "at most 4"),
        (lambda: lora(nn.Linear(9, 9), alpha=np.nan), ConfigError, "alpha is nan"),
        (lambda: lora(lora(nn.Linear(6, 4), rank=2), rank=2), StateError, "already parametrized"),
        (lambda: lora(nn.Sequential(nn.Linear(6, 4))), StateError, "has no parameter 'weight'"),
    ],
)
def test_adapters_that_cannot_be(call: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        call()
