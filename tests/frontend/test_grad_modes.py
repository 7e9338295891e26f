"""What ``no_grad`` around and inside of a transform means, for every transform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.frontend.interpreted import interpreter_backend

X = np.array([0.5, -1.0, 2.0], np.float32)
T = np.array([1.0, 2.0, -1.0], np.float32)

#: a transform of f, as a function of x whose result is arrays
TRANSFORMS: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "grad": lambda f: cr.grad(lambda x: f(x).sum()),
    "value_and_grad": lambda f: cr.value_and_grad(lambda x: f(x).sum()),
    "aux": lambda f: cr.grad(lambda x: (f(x).sum(), f(x)), has_aux=True),
    "second": lambda f: cr.grad(lambda x: (cr.grad(lambda z: f(z).sum())(x) * T).sum()),
    "vjp": lambda f: lambda x: cr.vjp(f, x)[1](T)[0],
    "jvp": lambda f: lambda x: cr.jvp(f, (x,), (T,)),
    "jacobian": lambda f: cr.jacobian(f),
    "hessian": lambda f: cr.hessian(lambda x: f(x).sum()),
}
RUNS: dict[str, Callable[[Callable[[Any], Any]], Any]] = {
    "eager": lambda f: f(cr.tensor(X)),
    "compiled": lambda f: cr.compile(f)(X),
    "interpreted": lambda f: cr.compile(f, backend=interpreter_backend)(X),
}


def cubic(x: Any) -> Any:
    return x**3 + x * x.sum()


def arrays(result: Any) -> list[Any]:
    results = result if isinstance(result, tuple) else (result,)
    return [r.numpy().tolist() for r in results]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_differentiate_inside_no_grad(name: str, run: str) -> None:
    derived = TRANSFORMS[name](cubic)
    wanted = arrays(RUNS[run](derived))
    assert np.any(np.asarray(wanted[-1]) != 0)
    with cr.no_grad():
        assert arrays(RUNS[run](derived)) == wanted
    assert arrays(RUNS[run](cr.no_grad()(derived))) == wanted


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_no_grad_inside_a_function_counts(name: str, run: str) -> None:
    def partly(x: Any) -> Any:
        with cr.no_grad():
            fixed = x * x.sum()
        return x**3 + fixed

    def detached(x: Any) -> Any:
        return x**3 + (x * x.sum()).detach()

    assert arrays(RUNS[run](TRANSFORMS[name](partly))) == arrays(
        RUNS[run](TRANSFORMS[name](detached))
    )


@pytest.mark.parametrize("run", RUNS)
def test_a_derivative_taken_inside_no_grad_is_a_constant_outside(run: str) -> None:
    def outer(x: Any) -> Any:
        with cr.no_grad():
            slope = cr.grad(lambda z: (z**3).sum())(x)
        return (x * slope).sum()

    np.testing.assert_allclose(RUNS[run](cr.grad(outer)).numpy(), 3 * X**2, rtol=1e-6)
    w = cr.tensor(X, requires_grad=True)
    with cr.no_grad():
        assert not cr.grad(lambda x: (x * x * w).sum())(X).requires_grad


@pytest.mark.parametrize("backend", [None, interpreter_backend])
def test_backward_passes_through_transforms_in_compiled_code(backend: Any) -> None:
    w = cr.tensor([1.0, 2.0, 3.0], requires_grad=True)

    @cr.compile(keep_grads=True, backend=backend)
    def step(x: Any) -> Any:
        w.grad = None
        g = cr.grad(lambda z: (z * z * w).sum())(x)
        assert g.requires_grad
        assert not cr.grad(lambda z: (z * z).sum())(x).requires_grad
        g.sum().backward()

    step(X)
    assert w.grad is not None
    assert w.grad.tolist() == (2 * X).tolist()


def test_check_grads_differentiates_inside_no_grad() -> None:
    with cr.no_grad():
        cr.check_grads(cubic, (X,))
