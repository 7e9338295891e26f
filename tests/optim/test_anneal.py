"""Annealing: its formulas, its distributions, and that it leaves a local minimum."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from chainrule import optim
from chainrule.errors import ConfigError, StateError
from chainrule.frontend import Generator, Tensor, compile
from chainrule.frontend.apply import new_tensor
from chainrule.frontend.random import rand, randn
from chainrule.optim.schedule import Polynomial

SEEDS = range(5)
Function = Callable[[Tensor], Tensor]


def styblinski_tang(x: Tensor) -> Tensor:
    """Four minima in two dimensions: (2.747, 2.747), f = -50.06, is the worst of them."""
    return ((x * x * x * x).sum() - 16 * (x * x).sum() + 5 * x.sum()) / 2


def double_well(x: Tensor) -> Tensor:
    """Minima at 0.930 (f = 0.484) and -1.057 (f = -0.515), a barrier (f = 1.031) between them."""
    return ((x * x - 1) * (x * x - 1)).sum() + 0.5 * x.sum()


def parameter(*values: float) -> Tensor:
    return new_tensor(np.array(values, np.float32), requires_grad=True)


def descending(
    f: Function, x: Tensor, optimizer: optim.Optimizer, way: Callable[..., Any] = compile
) -> Callable[[], Tensor]:
    def step() -> Tensor:
        optimizer.zero_grad()
        loss = f(x)
        loss.backward()
        optimizer.step()
        return loss

    run: Callable[[], Tensor] = way(step)
    return run


def annealing(
    f: Function, x: Tensor, optimizer: optim.SimulatedAnnealing, way: Callable[..., Any] = compile
) -> Callable[[], Tensor]:
    run: Callable[[], Tensor] = way(lambda: optimizer.step(lambda: f(x)))
    return run


def repeat(step: Callable[[], Tensor], times: int) -> None:
    for _ in range(times):
        step()


# ----------------------------------------------------------------------- out of a local minimum


def test_plain_descent_stays_in_the_local_minimum() -> None:
    for f, start, stays in ((styblinski_tang, (2.5, 2.5), 2.7468), (double_well, (1.0,), 0.9304)):
        for lr in (0.001, 0.01):
            for momentum in (0.0, 0.5):
                x = parameter(*start)
                repeat(descending(f, x, optim.SGD([x], lr=lr, momentum=momentum)), 8000)
                np.testing.assert_allclose(x.numpy(), stays, atol=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_simulated_annealing_finds_the_best_of_four(seed: int) -> None:
    x = parameter(2.5, 2.5)
    optimizer = optim.SimulatedAnnealing([x], temperature=50, scale=0.5, rate=0.997, seed=seed)
    repeat(annealing(styblinski_tang, x, optimizer), 2000)
    optimizer.restore_best()
    assert (x.numpy() < -2.6).all()
    assert styblinski_tang(x).item() == pytest.approx(optimizer.best_loss, rel=1e-6)
    repeat(descending(styblinski_tang, x, optim.SGD([x], lr=0.01)), 100)
    np.testing.assert_allclose(x.numpy(), -2.903534, atol=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_gradient_noise_crosses_the_barrier(seed: int) -> None:
    x = parameter(1.0)
    noisy = optim.GradientNoise(optim.SGD([x], lr=0.05), eta=200, gamma=0.55, seed=seed)
    repeat(descending(double_well, x, noisy), 10_000)
    repeat(descending(double_well, x, optim.SGD([x], lr=0.05)), 200)
    assert x.item() == pytest.approx(-1.0575, abs=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_langevin_dynamics_crosses_the_barrier(seed: int) -> None:
    x = parameter(1.0)
    sampler = optim.SGLD([x], lr=Polynomial(0.05, 10_000, 2), temperature=0.3, seed=seed)
    repeat(descending(double_well, x, sampler), 10_000)
    repeat(descending(double_well, x, optim.SGD([x], lr=0.05)), 200)
    assert x.item() == pytest.approx(-1.0575, abs=1e-3)


# --------------------------------------------------------------------------- simulated annealing


@pytest.mark.parametrize("way", [compile, lambda step: step], ids=["compiled", "eager"])
def test_follows_the_rule_of_metropolis(way: Callable[..., Any]) -> None:
    """The same walk in NumPy, from the same random numbers."""
    x = parameter(2.5, 2.5)
    optimizer = optim.SimulatedAnnealing([x], temperature=30, scale=0.4, rate=0.97, seed=8)
    step = annealing(styblinski_tang, x, optimizer, way)
    generator = Generator(8)
    place = np.array([2.5, 2.5], np.float32)
    best, accepted = styblinski_tang(new_tensor(place)).item(), 0
    for t in range(60):
        proposal = place + np.float32(0.4) * randn(2, generator=generator).numpy()
        u = 1 - rand(generator=generator).item()
        losses = [styblinski_tang(new_tensor(q)).item() for q in (place, proposal)]
        if losses[1] - losses[0] <= -30 * 0.97**t * math.log(u):
            place, accepted = proposal, accepted + 1
            best = min(best, losses[1])
        step()
        np.testing.assert_allclose(x.numpy(), place, rtol=1e-6, atol=1e-6)
    assert 10 < accepted < 50
    assert optimizer.acceptance == accepted / 60
    assert optimizer.best_loss == pytest.approx(best, rel=1e-6)


def test_at_a_constant_temperature_it_draws_from_boltzmanns_distribution() -> None:
    """exp(-x²/2T) has variance T; 40 000 steps are some 3000 independent draws."""
    x = parameter(0.0)
    optimizer = optim.SimulatedAnnealing([x], temperature=0.5, scale=1.5, rate=1.0)
    step = annealing(lambda v: (v * v).sum() / 2, x, optimizer)
    seen = np.empty(40_000)
    for i in range(len(seen)):
        step()
        seen[i] = x.item()
    assert seen.mean() == pytest.approx(0.0, abs=0.05)
    assert seen.var() == pytest.approx(0.5, rel=0.08)


def test_at_temperature_zero_nothing_gets_worse() -> None:
    x = parameter(2.5, -1.0)
    optimizer = optim.SimulatedAnnealing([x], temperature=0, scale=0.3)
    step = annealing(styblinski_tang, x, optimizer)
    losses = [step().item() for _ in range(100)]
    assert all(b <= a for a, b in pairwise(losses))
    assert losses[-1] < losses[0] - 10


@pytest.mark.parametrize(
    ("cooling", "expected"),
    [
        ("geometric", [8.0, 4.0, 2.0, 1.0, 0.5]),
        ("linear", [8.0, 6.0, 4.0, 2.0, 0.0]),
        ("logarithmic", [8 * math.log(2) / math.log(2 + t) for t in range(5)]),
    ],
)
def test_temperatures(cooling: str, expected: list[float]) -> None:
    made = optim.SimulatedAnnealing([parameter(1.0)], 8.0, cooling, rate=0.5, steps=4)
    assert [made.temperature_at(t) for t in range(5)] == pytest.approx(expected)
    assert made.temperature_at(100) >= 0


def test_a_loss_that_is_not_a_number_is_never_accepted() -> None:
    x = parameter(0.5)
    optimizer = optim.SimulatedAnnealing([x], temperature=1e6, scale=2.0)
    step = annealing(lambda v: v.sqrt().sum(), x, optimizer)
    for _ in range(50):
        assert math.isfinite(step().item())
    assert 0 < optimizer.acceptance < 1
    assert optimizer.best_loss >= 0


def test_groups_have_scales_of_their_own_and_change_without_a_new_program() -> None:
    a, b = parameter(1.0), parameter(1.0)
    groups = [{"params": a, "scale": 0.0}, {"params": b}]
    optimizer = optim.SimulatedAnnealing(groups, temperature=1.0, scale=0.5)
    step = compile(lambda: optimizer.step(lambda: (a * a + b * b).sum()))
    repeat(step, 10)
    assert a.item() == 1.0
    assert b.item() != 1.0
    optimizer.param_groups[0]["scale"] = 0.5
    repeat(step, 10)
    assert a.item() != 1.0


def test_annealing_continues_with_the_same_bits() -> None:
    x = parameter(2.5, 2.5)
    optimizer = optim.SimulatedAnnealing([x], temperature=50, scale=0.5, seed=3)
    step = annealing(styblinski_tang, x, optimizer)
    repeat(step, 40)
    y = new_tensor(x.numpy(), requires_grad=True)
    resumed = optim.SimulatedAnnealing([y], temperature=50, scale=0.1, seed=4)
    saved = optimizer.state_dict()
    json.dumps(saved["annealing"])
    resumed.load_state_dict(saved)
    again = annealing(styblinski_tang, y, resumed)
    for _ in range(40):
        assert step().item() == again().item()
    assert resumed.best_loss == optimizer.best_loss
    assert resumed.acceptance == optimizer.acceptance
    for each in (optimizer, resumed):
        each.restore_best()
    np.testing.assert_array_equal(x.numpy(), y.numpy())


def test_before_the_first_step() -> None:
    x = parameter(2.5)
    optimizer = optim.SimulatedAnnealing([x])
    optimizer.restore_best()
    assert (x.item(), optimizer.best_loss, optimizer.acceptance) == (2.5, math.inf, 0.0)
    fresh = json.loads(json.dumps(optimizer.state_dict()["annealing"]))
    assert fresh["best_loss"] is None
    with pytest.raises(ConfigError, match="needs a closure"):
        optimizer.step()


@pytest.mark.parametrize(
    "setting",
    [
        {"temperature": -1.0},
        {"temperature": math.inf},
        {"temperature": "hot"},
        {"cooling": "slow"},
        {"rate": 0.0},
        {"rate": 1.5},
        {"rate": "slow"},
        {"steps": 0},
        {"scale": -0.1},
    ],
    ids=str,
)
def test_bad_settings_of_annealing(setting: dict[str, Any]) -> None:
    [(name, value)] = setting.items()
    with pytest.raises(ConfigError, match=f"{name} is {value!r}"):
        optim.SimulatedAnnealing([parameter(1.0)], **setting)


# -------------------------------------------------------------------- noise on top of gradients


@pytest.mark.parametrize("way", [compile, lambda step: step], ids=["compiled", "eager"])
def test_noise_has_the_variance_of_the_paper(way: Callable[..., Any]) -> None:
    """With lr 1 and a gradient of 1, each step moves by 1 plus the noise of the formula."""
    x = parameter(*[0.0] * 4096)
    optimizer = optim.GradientNoise(optim.SGD([x], lr=1.0), eta=0.3, gamma=0.55, seed=2)
    step = descending(lambda v: v.sum(), x, optimizer, way)
    for t in range(4):
        before = x.numpy()
        step()
        noise = 1 - (before - x.numpy()).astype(np.float64)
        assert noise.mean() == pytest.approx(0.0, abs=0.04)
        assert noise.var() == pytest.approx(0.3 / (1 + t) ** 0.55, rel=0.08)


def test_the_gradient_that_is_seen_is_without_noise() -> None:
    x = parameter(1.0, 2.0)
    optimizer = optim.GradientNoise(optim.Adam([x], lr=0.1), eta=100.0)

    @compile(keep_grads=True)
    def step() -> Tensor:
        optimizer.zero_grad()
        loss = (x * x).sum()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(2):
        before = x.numpy()
        step()
        assert x.grad is not None
        np.testing.assert_allclose(x.grad.numpy(), 2 * before, rtol=1e-6)


def test_no_noise_is_the_optimizer_alone() -> None:
    x, y = parameter(1.0, -2.0), parameter(1.0, -2.0)
    steps = [
        descending(double_well, x, optim.GradientNoise(optim.Adam([x], lr=0.1), eta=0.0)),
        descending(double_well, y, optim.Adam([y], lr=0.1)),
    ]
    for _ in range(5):
        assert steps[0]().item() == steps[1]().item()
    np.testing.assert_array_equal(x.numpy(), y.numpy())


def test_a_closure_is_called_once() -> None:
    x = parameter(3.0)
    optimizer = optim.GradientNoise(optim.SGD([x], lr=0.1), eta=0.0)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (x * x).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 9.0
    assert x.item() == pytest.approx(2.4)


@pytest.mark.parametrize(
    "make",
    [
        lambda x, seed: optim.GradientNoise(optim.Adam([x], lr=0.1), eta=1.0, seed=seed),
        lambda x, seed: optim.SGLD([x], lr=0.01, seed=seed),
    ],
    ids=["noise", "sgld"],
)
def test_noise_continues_with_the_same_bits(
    make: Callable[[Tensor, int], optim.Optimizer],
) -> None:
    x = parameter(1.0, 2.0)
    optimizer = make(x, 1)
    step = descending(double_well, x, optimizer)
    repeat(step, 5)
    y = new_tensor(x.numpy(), requires_grad=True)
    resumed = make(y, 9)
    saved = optimizer.state_dict()
    json.dumps(saved["noise"])
    resumed.load_state_dict(saved)
    again = descending(double_well, y, resumed)
    for _ in range(5):
        assert step().item() == again().item()
    np.testing.assert_array_equal(x.numpy(), y.numpy())
    with pytest.raises(StateError, match="not the state of a"):
        resumed.load_state_dict(optim.SGD([y]).state_dict())


@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_langevin_dynamics_draws_from_the_posterior(temperature: float) -> None:
    """5 rows of loss x²/2 and a prior of precision 3: U = 4 x², variance T / 8, and a step of 0.05
    makes it T / 8 / (1 - 0.05 · 8 / 4). 4096 chains at once are as many independent draws.
    """
    x = parameter(*[1.0] * 4096)
    sampler = optim.SGLD(
        [x], lr=0.05, examples=5, temperature=temperature, weight_decay=3.0, seed=1
    )
    repeat(descending(lambda v: (v * v).sum() / 2, x, sampler), 60)
    values = x.numpy().astype(np.float64)
    assert values.mean() == pytest.approx(0.0, abs=0.02)
    assert values.var() == pytest.approx(temperature / 8 / 0.9, rel=0.08)


def test_langevin_dynamics_at_temperature_zero_is_descent() -> None:
    x, y = parameter(1.0, -2.0), parameter(1.0, -2.0)
    steps = [
        descending(double_well, x, optim.SGLD([x], lr=0.02, temperature=0.0)),
        descending(double_well, y, optim.SGD([y], lr=0.01)),
    ]
    for _ in range(5):
        assert steps[0]().item() == steps[1]().item()
    np.testing.assert_array_equal(x.numpy(), y.numpy())


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda x: optim.GradientNoise(optim.SGD([x]), eta=-1.0), r"eta is -1\.0"),
        (lambda x: optim.GradientNoise(optim.SGD([x]), eta="much"), "eta is 'much'"),
        (lambda x: optim.GradientNoise(optim.SGD([x]), gamma=-1.0), r"gamma is -1\.0"),
        (lambda x: optim.GradientNoise([x]), "the optimizer to wrap"),
        (lambda x: optim.SGLD([x], lr=-1.0), r"lr is -1\.0"),
        (lambda x: optim.SGLD([x], temperature=-1.0), r"temperature is -1\.0"),
        (lambda x: optim.SGLD([x], examples=-5), "examples is -5"),
    ],
)
def test_bad_settings_of_noise(make: Callable[[Tensor], Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        make(parameter(1.0))
