"""NumPy meets Tensors: functions that would drop a gradient say so, operators keep it."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.frontend.interpreted import interpreter_backend

W = np.array([0.5, 1.5, 2.0], np.float32)
UFUNCS = {n: f for n, f in vars(np).items() if isinstance(f, np.ufunc) and f.signature is None}
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "asarray": np.asarray,
    "array": np.array,
    "array of double": lambda w: np.asarray(w, np.float64),
    "array of several": lambda w: np.array([w, w]),
    "concatenate": lambda w: np.concatenate([w, W]),
    "stack": lambda w: np.stack([W, w]),
    "where": lambda w: np.where(W > 1, w, 0.0),
    "dot": lambda w: np.dot(W, w),
    "einsum": lambda w: np.einsum("i,i", w, W),
    "norm": np.linalg.norm,
    "argsort": np.argsort,
    "cumprod": np.cumprod,
    "diff": np.diff,
    "interp": lambda w: np.interp(1.0, W, w),
    "linspace": lambda w: np.linspace(w, 1.0, 3),
    "full": lambda w: np.full(3, w),
    "copyto": lambda w: np.copyto(W.copy(), w),
    "item": lambda w: operator.setitem(W.copy(), slice(None), w),
    "out": lambda w: np.add(W, w, out=W.copy()),
    "reduce": lambda w: np.add.reduce(w),
    "list of Tensors": lambda w: cr.tensor([w, w]),
    "operand that is a list": lambda w: cr.ones(2, 3).add([w, w]),
}


@pytest.mark.parametrize("name", UFUNCS)
def test_no_ufunc_drops_a_gradient(name: str) -> None:
    ufunc = UFUNCS[name]
    w = cr.tensor(W, requires_grad=True)
    for tensor in (w, w * 2):
        for place in range(ufunc.nin):
            operands: list[Any] = [W] * ufunc.nin
            operands[place] = tensor
            with pytest.raises(cr.GradientError, match="would drop the gradient"):
                ufunc(*operands)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_drops_a_gradient(name: str) -> None:
    w = cr.tensor(W, requires_grad=True)
    with pytest.raises(cr.GradientError, match=r"x\.numpy\(\)"):
        FUNCTIONS[name](w)
    with pytest.raises(cr.TraceError, match="no values"):
        cr.compile(FUNCTIONS[name], backend=interpreter_backend)(W)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in ("list of Tensors", "item")])
def test_numpy_takes_what_has_no_gradient(name: str) -> None:
    w = cr.tensor(W, requires_grad=True)
    plain = FUNCTIONS[name](W)
    assert not w.detach().requires_grad
    for given in (cr.tensor(W), w.detach()):
        np.testing.assert_array_equal(FUNCTIONS[name](given), plain)
    with cr.no_grad():
        np.testing.assert_array_equal(FUNCTIONS[name](w), plain)


OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]


@pytest.mark.parametrize(
    "other", [W, W.astype(np.float64), np.float32(2), np.float64(2), np.int64(2)]
)
@pytest.mark.parametrize("apply", OPERATORS)
def test_operators_of_arrays_keep_the_gradient(apply: Any, other: Any) -> None:
    w = cr.tensor(W, requires_grad=True)
    for first, second in ((w, other), (other, w)):
        w.grad = None
        result = apply(first, second)
        assert isinstance(result, cr.Tensor)
        result.sum().backward()
        assert w.grad is not None
    assert (W @ w).requires_grad
    assert operator.iadd(W.copy(), w).requires_grad


def test_ways_out_that_are_meant() -> None:
    w = cr.tensor(W, requires_grad=True)
    assert w.numpy().tolist() == w.tolist() == W.tolist()
    assert float(w[0]) == w[0].item() == 0.5
    array = w.numpy()
    array += 1
    assert w.tolist() == W.tolist()
    with pytest.raises(ValueError, match="as a copy"):
        np.array(cr.tensor(W), copy=False)


def test_a_copy_is_a_leaf_in_eager_and_compiled_code() -> None:
    w = cr.tensor(W, requires_grad=True)
    for make in (cr.tensor, cr.Tensor):
        for run in (lambda f: f, cr.compile):

            def slope(new: Any = make) -> Any:
                copied = new(w)
                assert not copied.requires_grad
                copied += 1
                return cr.grad(lambda x: (x * x * new(x)).sum())(w)

            np.testing.assert_allclose(run(slope)().numpy(), 2 * W * W)
    assert w.tolist() == W.tolist()


def test_gradients_are_real_numbers() -> None:
    w = cr.tensor(W, requires_grad=True)
    with pytest.raises(cr.DTypeError, match="a gradient of dtype i32"):
        w.grad = cr.tensor([1, 2, 3])
    w.grad = np.array([1, 2, 3])
    (w * 0.5).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [1.5, 2.5, 3.5]
