"""L-BFGS: PyTorch's iterations in float64, and the optimizer around them in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import chainrule as cr
from chainrule import optim
from chainrule.errors import ConfigError, StateError, TraceError
from chainrule.frontend import Tensor
from chainrule.frontend.apply import new_tensor
from chainrule.optim.lbfgs import Memory, minimize
from reference.problems import load

REFERENCE = load("optimizers")
PROBLEM = {key: np.array(value) for key, value in REFERENCE["problem"].items()}
CASES = REFERENCE["lbfgs"]
VALLEY = [-1.25, 1.0, -0.5, 0.75, 0.25, -0.625]

Vector = NDArray[np.float64]


def label(case: dict[str, Any]) -> str:
    return case["problem"] + "-" + "-".join(f"{k}={v}" for k, v in case["kwargs"].items())


def valley(z: Vector) -> tuple[float, Vector]:
    """Rosenbrock's function and its gradient."""
    bend, side = z[1:] - z[:-1] ** 2, 1 - z[:-1]
    gradient = np.zeros_like(z)
    gradient[1:] += 200 * bend
    gradient[:-1] += -400 * bend * z[:-1] - 2 * side
    return float((100 * bend**2 + side**2).sum()), gradient


def network(z: Vector) -> tuple[float, Vector]:
    """The two layers of the reference, differentiated by hand."""
    w1, b1, w2, b2 = z[:12].reshape(4, 3), z[12:16], z[16:24].reshape(2, 4), z[24:]
    x = PROBLEM["x"]
    h = np.tanh(x @ w1.T + b1)
    error = h @ w2.T + b2 - PROBLEM["y"]
    g = 2 * error / error.size
    before = (g @ w2) * (1 - h**2)
    parts = [before.T @ x, before.sum(0), g.T @ h, g.sum(0)]
    return float((error**2).mean()), np.concatenate([p.ravel() for p in parts])


class Path:
    """A function of a vector as a `Line`."""

    def __init__(self, function: Callable[[Vector], tuple[float, Vector]], z: Vector) -> None:
        self.function, self.z, self.evaluations = function, z, 0

    def here(self) -> tuple[float, Vector]:
        return self.along(np.zeros_like(self.z), 0.0)

    def along(self, d: Vector, t: float) -> tuple[float, Vector]:
        self.evaluations += 1
        return self.function(self.z + t * d)

    def move(self, d: Vector, t: float) -> None:
        self.z = self.z + t * d


@pytest.mark.parametrize("case", CASES, ids=label)
def test_iterations_follow_pytorch_in_double(case: dict[str, Any]) -> None:
    if case["problem"] == "valley":
        path = Path(valley, np.array(VALLEY))
    else:
        names = ("W1", "b1", "W2", "b2")
        path = Path(network, np.concatenate([PROBLEM[name].ravel() for name in names]))
    settings = optim.settings_of("lbfgs") | case["kwargs"]
    settings["max_eval"] = settings["max_eval"] or settings["max_iter"] * 5 // 4
    memory = Memory()
    for step, parameters in enumerate(case["parameters"]):
        loss, _ = path.function(path.z)
        minimize(path, memory, settings, settings["lr"])
        assert loss == pytest.approx(case["losses"][step], rel=1e-8)
        assert memory.func_evals == path.evaluations == case["evaluations"][step]
        expected = np.concatenate([np.ravel(p) for p in parameters])
        np.testing.assert_allclose(path.z, expected, rtol=1e-6, atol=1e-8)


def banana(a: Tensor, b: Tensor) -> Tensor:
    """Rosenbrock's function of pairs, which is 0 at 1."""
    return (100 * (b - a * a) ** 2 + (1 - a) ** 2).sum()


def closures(optimizer: optim.Optimizer, a: Tensor, b: Tensor) -> dict[str, Callable[[], Tensor]]:
    def plain() -> Tensor:
        optimizer.zero_grad()
        loss = banana(a, b)
        loss.backward()
        return loss

    value_and_grad = cr.compile(cr.value_and_grad(banana, argnums=(0, 1)))

    def functional() -> Tensor:
        loss, (a.grad, b.grad) = value_and_grad(a, b)
        return loss  # type: ignore[no-any-return]

    return {"eager": plain, "compiled": cr.compile(keep_grads=True)(plain), "function": functional}


@pytest.mark.parametrize("way", ["eager", "compiled", "function"])
def test_reaches_the_end_of_a_curved_valley(way: str) -> None:
    """With both pairs, in 62 evaluations; gradient descent needs thousands."""
    a = new_tensor(np.array([[-1.2, 0.5]], np.float32), requires_grad=True)
    b = new_tensor(np.array([1.0, -0.5], np.float32), requires_grad=True)
    optimizer = optim.LBFGS([a, b], line_search_fn="strong_wolfe", max_iter=50)
    first = optimizer.step(closures(optimizer, a, b)[way])
    assert first.item() == pytest.approx(100 * (0.44**2 + 0.75**2) + 2.2**2 + 0.25, rel=1e-6)
    np.testing.assert_allclose(a.numpy(), 1, rtol=1e-3)
    np.testing.assert_allclose(b.numpy(), 1, rtol=1e-3)
    assert optimizer.state_dict()["state"][0]["func_evals"] < 80


def test_search_steps_back_from_where_the_loss_is_not_finite() -> None:
    """-log x + x has its minimum at 1 and no value below 0, where a full step would lead."""
    x = new_tensor(np.array([20.0], np.float32), requires_grad=True)
    optimizer = optim.LBFGS([x], lr=100.0, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (x - x.log()).sum()
        loss.backward()
        return loss

    with np.errstate(invalid="ignore"):
        optimizer.step(closure)
        optimizer.step(closure)
    np.testing.assert_allclose(x.numpy(), 1, rtol=1e-3)


def test_state_round_trip_continues_with_the_same_bits() -> None:
    def trained(steps: int) -> tuple[list[Tensor], optim.Optimizer]:
        params = [new_tensor(np.array(v, np.float32), True) for v in ([-1.2, 0.5], [1.0, 0.3])]
        optimizer = optim.LBFGS(params, max_iter=3, line_search_fn="strong_wolfe")
        for _ in range(steps):
            optimizer.step(closures(optimizer, *params)["eager"])
        return params, optimizer

    whole, _ = trained(5)
    part, optimizer = trained(3)
    others = [new_tensor(p.numpy(), requires_grad=True) for p in part]
    resumed = optim.LBFGS(others, max_iter=7)
    resumed.load_state_dict(optimizer.state_dict())
    for _ in range(2):
        resumed.step(closures(resumed, *others)["eager"])
    for p, q in zip(whole, others, strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())
    assert resumed.state_dict()["state"][0]["step"] == 5


def test_state_of_other_parameters_is_refused() -> None:
    small, large = (new_tensor(np.zeros(n, np.float32), requires_grad=True) for n in (2, 3))
    saved, other = optim.LBFGS([small], lr=0.01), optim.LBFGS([large])
    saved.step(closures(saved, small, small)["eager"])
    state = saved.state_dict()
    with pytest.raises(StateError, match="does not hold 3 numbers"):
        other.load_state_dict(state)
    del state["state"][0]["old_dirs"]
    with pytest.raises(StateError, match="lacks old_dirs"):
        saved.load_state_dict(state)
    with pytest.raises(StateError, match="not the state of an optimizer"):
        other.load_state_dict({"weight": 1})


def test_cannot_be_part_of_a_compiled_step() -> None:
    p = new_tensor(np.ones(2, np.float32), requires_grad=True)
    optimizer = optim.LBFGS([p])

    @cr.compile
    def step() -> Tensor:
        optimizer.step(lambda: p.sum())
        return p.sum()

    with pytest.raises(TraceError, match=r"compile the closure instead(.|\n)*keep_grads=True"):
        step()


def test_wrong_uses() -> None:
    p, q = (new_tensor(np.ones(2, np.float32), requires_grad=True) for _ in "12")
    with pytest.raises(ConfigError, match="needs a closure"):
        optim.LBFGS([p]).step()
    with pytest.raises(ConfigError, match="only one parameter group"):
        optim.LBFGS([{"params": [p]}, {"params": [q]}])
    with pytest.raises(ConfigError, match="line_search_fn is 'wolfe'"):
        optim.LBFGS([p], line_search_fn="wolfe")
    with pytest.raises(ConfigError, match=r"max_iter is 0"):
        optim.LBFGS([p], max_iter=0)
