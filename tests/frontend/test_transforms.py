"""grad, vjp, jvp, jacobian and hessian of functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F

X = np.array([0.5, -1.0, 2.0], np.float32)


def test_grad_and_its_iterates() -> None:
    f = lambda x: x**4 + 2 * x  # noqa: E731
    assert cr.grad(f)(2.0).item() == 34.0
    assert cr.grad(cr.grad(f))(2.0).item() == 48.0
    assert cr.grad(cr.grad(cr.grad(f)))(2.0).item() == 48.0
    assert cr.grad(lambda x, y: (x * y).sum(), argnums=1)(X, X * 3).tolist() == X.tolist()


def test_containers_and_aux() -> None:
    def loss(p: dict[str, Any], x: Any) -> Any:
        y = x * p["w"] + p["b"]
        return (y * y).sum(), y

    params = {"w": cr.tensor(2.0), "b": cr.tensor(1.0)}
    (value, y), g = cr.value_and_grad(loss, has_aux=True)(params, X)
    assert y.tolist() == (2 * X + 1).tolist()
    assert value.item() == pytest.approx(float(((2 * X + 1) ** 2).sum()))
    assert g["w"].item() == pytest.approx(float((2 * (2 * X + 1) * X).sum()))
    assert g["b"].item() == pytest.approx(float((2 * (2 * X + 1)).sum()))
    assert cr.grad(loss, has_aux=True)(params, X)[1].tolist() == y.tolist()


def test_an_argument_is_not_what_the_function_reads_elsewhere() -> None:
    def outer(x: Any) -> Any:
        return x * cr.grad(lambda z: z * x)(x)

    assert cr.grad(outer)(3.0).item() == 6.0


def test_jvp_and_vjp_are_transposes() -> None:
    f = lambda x: F.softmax(x.tanh() * 2, 0)  # noqa: E731
    t, u = np.array([1.0, 2.0, -1.0], np.float32), np.array([0.3, 0.1, -2.0], np.float32)
    y, pushed = cr.jvp(f, [X], [t])
    z, pull = cr.vjp(f, X)
    assert y.tolist() == z.tolist()
    assert float(pushed.numpy() @ u) == pytest.approx(float(pull(u)[0].numpy() @ t), rel=1e-5)
    step = 1e-3
    ends = [f(cr.tensor(X + s * step * t)).numpy().astype(np.float64) for s in (1, -1)]
    np.testing.assert_allclose(pushed.numpy(), (ends[0] - ends[1]) / (2 * step), atol=2e-4)


def test_vjp_draws_once() -> None:
    cr.manual_seed(0)
    y, pull = cr.vjp(lambda x: F.dropout(x, 0.5), cr.ones(100))
    np.testing.assert_array_equal(pull(np.ones(100, np.float32))[0].numpy(), y.numpy())


def test_jacobian_and_hessian() -> None:
    j = cr.jacobian(lambda x: x.reshape(3, 1) * x)(X).numpy()
    assert j.shape == (3, 3, 3)
    wanted = np.einsum("ik,j->ijk", np.eye(3), X) + np.einsum("jk,i->ijk", np.eye(3), X)
    np.testing.assert_allclose(j, wanted, rtol=1e-6)
    h = cr.hessian(lambda x: (x**3).sum() + x[0] * x[1])(X).numpy()
    np.testing.assert_allclose(h, np.diag(6 * X) + np.eye(3)[[1, 0, 2]] * [1, 1, 0], rtol=1e-6)


def test_inside_compiled_functions() -> None:
    compiled = cr.compile(cr.value_and_grad(lambda x: (x * x).sum()))
    value, g = compiled(X)
    assert value.item() == pytest.approx(float((X * X).sum()))
    assert g.tolist() == (2 * X).tolist()
    h = cr.compile(cr.hessian(lambda x: x.exp().sum()))(X).numpy()
    np.testing.assert_allclose(h, np.diag(np.exp(X)), rtol=1e-5, atol=1e-7)


def test_derivatives_by_parameters_pass_through_transforms() -> None:
    w = cr.tensor([1.0, 2.0, 3.0], requires_grad=True)
    g = cr.grad(lambda x: (x * x * w).sum())(X)
    g.sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == (2 * X).tolist()


def test_what_a_function_assigns_takes_effect_once() -> None:
    count = cr.zeros()

    def f(x: Any) -> Any:
        count.assign_(count + 1)
        return (x * count).sum()

    assert cr.grad(f)(X).tolist() == [1.0, 1.0, 1.0]
    assert count.item() == 1.0


def test_errors() -> None:
    with pytest.raises(cr.GradientError, match=r"f32\[3\]"):
        cr.grad(lambda x: x * 2)(X)
    with pytest.raises(cr.GradientError, match="i32"):
        cr.grad(lambda x: x.sum())(np.arange(3))
    with pytest.raises(cr.ShapeError, match="tangents"):
        cr.jvp(lambda x: x, [X], [X[:2]])


@pytest.mark.parametrize("argnums", [1, -2, (0, 3)])
def test_arguments_that_were_not_given(argnums: Any) -> None:
    with pytest.raises(cr.GradientError, match="the function got 1 arguments"):
        cr.grad(lambda x: x.sum(), argnums=argnums)(cr.ones(2))


def test_cotangents_and_tangents_go_by_name() -> None:
    _, pull = cr.vjp(lambda x: {"a": x, "b": x * 10}, X)
    assert pull({"b": X * 0, "a": X})[0].tolist() == X.tolist()
    swapped = {"b": X * 0, "a": X}
    _, pushed = cr.jvp(lambda d: d["a"] + d["b"] * 10, [{"a": X, "b": X}], [swapped])
    assert pushed.tolist() == X.tolist()
    for wrong in (X, (X, X), {"a": X}, {"a": X, "c": X}, {"a": X, "b": X[:2]}):
        with pytest.raises(cr.ShapeError, match="cotangents"):
            pull(wrong)


@pytest.mark.parametrize("argnums", [(0, 0), (1, -1)])
def test_no_argument_is_derived_by_twice(argnums: Any) -> None:
    with pytest.raises(cr.GradientError, match="names an argument twice"):
        cr.grad(lambda x, y: (x * y).sum(), argnums=argnums)(X, X)


def test_the_last_argument_is_minus_one() -> None:
    f = lambda x, y: (x * y * y).sum()  # noqa: E731
    assert cr.hessian(f, -1)(X, X).tolist() == cr.hessian(f, 1)(X, X).tolist()
    g = lambda x, y: x * y  # noqa: E731
    assert cr.jacobian(g, -1)(X, X).tolist() == cr.jacobian(g, 1)(X, X).tolist()
    with pytest.raises(cr.GradientError, match="the function got 2 arguments"):
        cr.jacobian(g, 2)(X, X)


MISUSED = {
    "one result": (lambda: cr.grad(lambda x: x.sum(), has_aux=True)(X), "returns two things"),
    "argument by name": (lambda: cr.grad(lambda x: x.sum(), "x")(X), "argnums is 'x'"),
    "two results": (lambda: cr.jacobian(lambda x: (x, x))(X), "returns one array, not tuple"),
    "bare array": (lambda: cr.jvp(lambda x: x, X, X), "a tuple of arguments"),
}


@pytest.mark.parametrize("name", MISUSED)
def test_misuse_is_an_error_in_words(name: str) -> None:
    call, words = MISUSED[name]
    with pytest.raises(cr.GradientError, match=words):
        call()
