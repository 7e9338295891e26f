"""Compiled functions: signatures, guards, results, optimizers; with both backends."""

from __future__ import annotations

import threading
import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn, optim
from chainrule.driver import native_backend
from chainrule.frontend import host_effect, host_scalar
from chainrule.frontend.interpreted import interpreter_backend
from effort import effort

X = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
LABELS = np.random.default_rng(1).integers(0, 3, 8)
BACKENDS = pytest.mark.parametrize("backend", [interpreter_backend, native_backend])


class Point(NamedTuple):
    x: Any
    y: Any


def trained(backend: Any, steps: int = 5) -> tuple[list[float], dict[str, Any]]:
    cr.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Dropout(0.3), nn.Linear(16, 3))
    opt = optim.Adam(model.parameters(), lr=0.05)

    def step(x: Any, y: Any) -> cr.Tensor:
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        return loss

    if backend is None:
        losses = [step(cr.tensor(X), cr.tensor(LABELS)).item() for _ in range(steps)]
    else:
        compiled = cr.compile(step, backend=backend)
        losses = [compiled(X, LABELS).item() for _ in range(steps)]
    return losses, model.state_dict()


@BACKENDS
def test_a_training_step_is_the_eager_one(backend: Any) -> None:
    losses, state = trained(backend)
    eager, eager_state = trained(None)
    np.testing.assert_allclose(losses, eager, rtol=2e-5)
    assert losses[-1] < losses[0]
    for name, value in state.items():
        np.testing.assert_allclose(value, eager_state[name], rtol=2e-4, atol=2e-5, err_msg=name)


@BACKENDS
def test_results_are_fresh_and_keep_their_containers(backend: Any) -> None:
    w = cr.tensor([1.0, 2.0])

    @cr.compile(backend=backend)
    def f(p: Point, *, scale: float, extra: list[Any]) -> Any:
        w.assign_(w + 1)
        return {"w": w, "p": Point(p.y, p.x * scale), "same": extra[0], "text": "hi", "x": p.x}

    first = f(Point(X, X[0]), scale=2.0, extra=[np.float32(3)])
    second = f(Point(X, X[0]), scale=2.0, extra=[np.float32(4)])
    assert first["w"].tolist() == [2.0, 3.0]
    assert second["w"].tolist() == [3.0, 4.0] == w.tolist()
    assert (first["p"].y.numpy() == X * 2).all()
    assert (first["same"].item(), second["same"].item()) == (3.0, 4.0)
    assert first["text"] == "hi"
    assert (first["x"].numpy() == X).all()
    assert not np.shares_memory(first["x"].concrete, X)
    assert f.signatures == 1


@BACKENDS
def test_scalars_and_effects_of_the_host(backend: Any) -> None:
    counter = {"n": 0}

    def advance(n: int) -> None:
        counter["n"] += n

    def f() -> Any:
        rate = host_scalar(lambda k: 1.0 / (counter["n"] + k + 1))
        host_effect(advance)
        return rate * cr.ones(1)

    compiled = cr.compile(f, backend=backend)
    assert [compiled().item() for _ in range(3)] == pytest.approx([1, 1 / 2, 1 / 3], rel=1e-7)
    assert f().item() == pytest.approx(1 / 4)
    assert counter["n"] == 4


def test_new_signatures_and_narrowed_arrays() -> None:
    f = cr.compile(lambda x, n: x * n)
    assert f(X, 2).shape == (8, 4)
    assert f(X[:3], 2).shape == (3, 4)
    assert f(X.astype(np.float64), 2).dtype is cr.DType.f32
    assert f(LABELS, 2).numpy().dtype == np.int32
    assert f(LABELS, 2.0).numpy().dtype == np.float32
    assert f(LABELS, True).numpy().dtype == np.int32
    assert f.signatures == 6
    f(X, 2)
    f(cr.tensor(X), 2)
    assert f.signatures == 6
    with pytest.raises(cr.DataError, match="does not fit"):
        f(np.array([2**40]), 2)
    with pytest.raises(cr.TraceError, match="bytearray"):
        f(X, bytearray(1))


def test_narrowing_happens_on_every_call() -> None:
    f = cr.compile(lambda labels: labels + 1)
    assert f(LABELS).tolist() == (LABELS + 1).tolist()
    with pytest.raises(cr.DataError, match="does not fit"):
        f(LABELS + 2**33)


def test_many_signatures_warn_and_name_what_varies() -> None:
    def growing(x: Any) -> Any:
        return x * 2

    f = cr.compile(growing, backend=interpreter_backend)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in range(1, 9):
            f(X[:n])
    with pytest.warns(UserWarning, match=r"growing .* 9 kinds.*argument 0: float32\[1, 4\]"):
        f(np.ones((9, 4), np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f(np.ones((10, 4), np.float32))


def test_modes_are_seen_and_programs_used_again() -> None:
    built = []

    def backend(graph: Any, states: Any) -> Any:
        built.append(graph)
        return interpreter_backend(graph, states)

    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.9))
    f = cr.compile(lambda x: model(x), backend=backend)
    zeros = [(f(X).numpy() == 0).mean() > 0.5]
    for _ in range(3):
        model.eval()
        zeros.append((f(X).numpy() == 0).mean() > 0.5)
        model.train()
        zeros.append((f(X).numpy() == 0).mean() > 0.5)
    assert zeros == [True, False, True, False, True, False, True]
    assert len(built) == 2
    assert f.signatures == 1


def test_learning_rates_change_without_compiling() -> None:
    built = []

    def backend(graph: Any, states: Any) -> Any:
        built.append(graph)
        return interpreter_backend(graph, states)

    w = cr.tensor([1.0], requires_grad=True)
    opt = optim.SGD([w], lr=0.5)

    @cr.compile(backend=backend)
    def step() -> None:
        opt.zero_grad()
        w.sum().backward()
        opt.step()

    step()
    opt.param_groups[0]["lr"] = 0.25
    step()
    assert w.item() == 0.25
    assert len(built) == 1


def test_freezing_a_parameter_is_seen() -> None:
    model = nn.Linear(4, 1)
    opt = optim.SGD(model.parameters(), lr=1.0)

    @cr.compile(backend=interpreter_backend)
    def step(x: Any) -> None:
        opt.zero_grad()
        model(x).sum().backward()
        opt.step()

    step(X)
    model.weight.requires_grad = False
    before = model.state_dict()
    step(X)
    after = model.state_dict()
    assert (before["weight"] == after["weight"]).all()
    assert (before["bias"] != after["bias"]).all()


def test_eager_and_compiled_share_memory() -> None:
    w = cr.tensor([1.0, 2.0])
    view = w[1:]

    @cr.compile
    def double() -> None:
        w.assign_(w * 2)

    double()
    later = w.reshape(2, 1)
    memory = w.concrete
    double()
    assert w.concrete is memory
    assert w.tolist() == [4.0, 8.0]
    assert view.tolist() == [2.0]
    assert later.tolist() == [[2.0], [4.0]]
    with cr.no_grad():
        w += 1
    double()
    assert w.tolist() == [10.0, 18.0]


def test_a_tape_over_memory_that_a_program_wrote() -> None:
    w = cr.tensor([1.0], requires_grad=True)

    @cr.compile
    def step() -> None:
        with cr.no_grad():
            w.assign_(w + 1)

    loss = (w * w).sum()
    loss.backward()
    step()
    loss = (w * w).sum()
    step()
    with pytest.raises(cr.GradientError, match="changed in place"):
        loss.backward()


def test_methods_functions_in_functions_and_decorators() -> None:
    class Model(nn.Module):
        @cr.compile
        def twice(self, x: Any) -> Any:
            return inner(inner(x))

    @cr.compile()
    def inner(x: Any) -> Any:
        """Times two."""
        return x * 2

    assert (Model().twice(X).numpy() == X * 4).all()
    assert inner.__doc__ == "Times two."
    assert inner.__name__ == "inner"


def test_random_numbers_are_the_eager_ones() -> None:
    def draw() -> Any:
        return cr.rand(5), cr.randn(3, 2), F.dropout(cr.ones(20), 0.5)

    cr.manual_seed(3)
    eager = [t.numpy() for _ in range(2) for t in draw()]
    cr.manual_seed(3)
    compiled = cr.compile(draw)
    again = [t.numpy() for _ in range(2) for t in compiled()]
    for a, b in zip(eager, again, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
    assert not (eager[0] == eager[3]).all()


def test_the_python_side_of_a_call_is_short() -> None:
    class Nothing:
        steps_done = 1
        exclusive = threading.RLock()

        def forget_steps(self) -> None:
            pass

        def __call__(self, *args: Any, scalars: Any = ()) -> tuple[Any, ...]:
            return (args[1],)

    f = cr.compile(lambda x, y: y, backend=lambda graph, states: Nothing())
    y = np.zeros(8, np.float32)
    f(X, y)
    assert effort(lambda: f(X, y)) < 4  # about a half


def test_messages_may_show_tensors_while_a_function_is_compiled() -> None:
    seen: list[str] = []

    @cr.compile(backend=interpreter_backend)
    def double(x: Any) -> cr.Tensor:
        seen.append(f"{x} and {x.sum()}")
        return x * 2

    double(X)
    assert seen == [
        "Tensor(traced, shape=(8, 4), dtype=f32) and Tensor(traced, shape=(), dtype=f32)"
    ]
    with pytest.raises(cr.TraceError, match="no values"):
        cr.compile(lambda x: f"{x.sum():.2f}", backend=interpreter_backend)(X)


def test_what_is_no_function_is_not_compiled() -> None:
    with pytest.raises(cr.TraceError, match="3 is not a function"):
        cr.compile(3)  # type: ignore[call-overload]


def test_both_zeros_and_nan_as_settings() -> None:
    divided = cr.compile(lambda x, s: x / (x * s))
    assert divided(np.ones(1), 0.0).item() == np.inf
    assert divided(np.ones(1), -0.0).item() == -np.inf
    for _ in range(3):
        divided(np.ones(1), float("nan"))
    assert divided.signatures == 3


def test_chains_longer_than_pythons_stack() -> None:
    x = np.full((3, 4), 0.5, np.float32)

    def chain(x: Any) -> Any:
        y = x
        for _ in range(700):
            y = y * 0.999 + x
        return y

    np.testing.assert_allclose(cr.compile(chain)(x).numpy(), chain(x), rtol=1e-5)
    slope = cr.compile(cr.grad(lambda x: chain(x).sum()))(x)
    np.testing.assert_allclose(slope.numpy(), cr.grad(lambda x: chain(x).sum())(x), rtol=1e-5)
    many = cr.compile(lambda *xs: sum(xs))
    assert many(*[x] * 300).tolist() == (x * 300).tolist()


def test_a_tensor_of_a_trace_that_ended_cannot_be_written() -> None:
    kept: list[Any] = []
    cr.compile(lambda x: kept.append(x))(np.ones(2))
    with pytest.raises(cr.TraceError, match="belongs to a compiled function that has ended"):
        kept[0].fill_(1.0)
