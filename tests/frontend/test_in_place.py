"""Changing Tensors in place: dtypes, and derivatives against the same thing said without it."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule.frontend.interpreted import interpreter_backend
from chainrule.ir.types import DType

OPERATORS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    "+=": (operator.iadd, operator.add),
    "-=": (operator.isub, operator.sub),
    "*=": (operator.imul, operator.mul),
    "/=": (operator.itruediv, operator.truediv),
    "**=": (operator.ipow, operator.pow),
    "&=": (operator.iand, operator.and_),
    "|=": (operator.ior, operator.or_),
    "^=": (operator.ixor, operator.xor),
    "add_": (lambda t, o: t.add_(o, alpha=2), lambda t, o: t + o * 2),
    "sub_": (lambda t, o: t.sub_(o, alpha=2), lambda t, o: t - o * 2),
    "mul_": (lambda t, o: t.mul_(o), operator.mul),
    "div_": (lambda t, o: t.div_(o), operator.truediv),
    "pow_": (lambda t, o: t.pow_(o), operator.pow),
    "clamp_": (lambda t, o: t.clamp_(o), lambda t, o: t.clamp(o)),
}
NUMBERS: dict[str, Any] = {
    "bool": np.array([True, False, True]),
    "u8": np.array([1, 2, 3], np.uint8),
    "i16": np.array([1, 2, 3], np.int16),
    "u32": np.array([1, 2, 3], np.uint32),
    "i32": np.array([1, 2, 3], np.int32),
    "f32": np.array([1.5, 2.5, 0.5], np.float32),
}
OTHERS = {**NUMBERS, "True": True, "2": 2, "0.7": 0.7, "NumPy's 0.7": np.float32(0.7)}
KINDS = {DType.bool: 0, DType.f32: 2} | dict.fromkeys(
    (DType.u8, DType.i16, DType.u32, DType.i32), 1
)


@pytest.mark.parametrize("mine", NUMBERS)
@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_keeps_all_that_it_computes_or_refuses(name: str, mine: str) -> None:
    change, plain = OPERATORS[name]
    for other in OTHERS.values():
        target = cr.tensor(NUMBERS[mine])
        given = cr.tensor(other) if isinstance(other, np.ndarray) else other
        try:
            wanted = plain(target, given)
        except (cr.DTypeError, cr.ChainruleError):
            with pytest.raises(cr.ChainruleError):
                change(target, given)
            continue
        if KINDS[wanted.dtype] > KINDS[target.dtype]:
            with pytest.raises(cr.DTypeError, match=r"cannot hold .* in place"):
                change(target, given)
            assert target.tolist() == NUMBERS[mine].tolist()
        else:
            dtype = target.dtype
            assert change(target, given) is target
            assert target.tolist() == wanted.to(dtype).tolist()
            assert target.dtype is dtype


def test_no_fraction_is_lost_on_the_way_into_whole_numbers() -> None:
    t = cr.tensor([1, 2])
    for write in (
        lambda: t.fill_(0.7),
        lambda: t.assign_(0.7),
        lambda: operator.setitem(t, 0, 0.7),
        lambda: operator.setitem(t, 0, cr.tensor(0.7)),
        lambda: operator.setitem(t, 0, np.array([0.7])),
        lambda: cr.full((2,), 0.7, dtype="int32"),
    ):
        with pytest.raises(cr.DTypeError):
            write()
    t[0] = 3.0
    assert t.tolist() == [3, 2]
    byte = cr.tensor(np.zeros(2, np.uint8))
    for large in (300, np.int64(300), 300.0, np.float32(300), -1):
        with pytest.raises(cr.DTypeError, match="does not fit"):
            byte.fill_(large)


def test_the_class_makes_real_numbers_as_pytorchs_does() -> None:
    for data in ([0], [True], np.array([0, 1]), cr.tensor([0]), [[1, 2], [3, 4]], [], 2.5):
        assert cr.Tensor(data).dtype is DType.f32
        assert cr.Tensor(data).tolist() == np.asarray(data, np.float32).tolist()
    with pytest.raises(cr.DTypeError, match=r"cr.zeros\(3\)"):
        cr.Tensor(3)
    with pytest.raises(TypeError):
        cr.Tensor(2.0, 3.0)  # type: ignore[misc]


# ---------------------------------------------------------------------------- derivatives

W = np.array([0.5, -1.5, 2.0], np.float32)
V = np.array([1.5, 0.5, -0.5], np.float32)


def _loop(w: Any) -> Any:
    total = cr.zeros(())
    for i in range(3):
        total += (w[i] * w).sum()
    return total


def _loop_plain(w: Any) -> Any:
    return sum(((w[i] * w).sum() for i in range(3)), start=cr.zeros(()))


def _fill(w: Any) -> Any:
    out = cr.zeros(3)
    out[0] = w[1] * 2
    out[1] = out[0] * w[0]
    out[2:] = w[2:].exp()
    return (out * out).sum()


def _fill_plain(w: Any) -> Any:
    a = w[1] * 2
    out = cr.stack([a, a * w[0], w[2].exp()])
    return (out * out).sum()


def _keeps(w: Any) -> Any:
    y = w * 2
    z = y * y  # needs the old value
    y += w
    y *= y
    return (z * y).sum()


def _silent(w: Any) -> Any:
    y = w * w
    with cr.no_grad():
        y *= 3
        y += w
    return (y * w).sum()


def _silent_plain(w: Any) -> Any:
    y = w * w
    return (((y * 3 + w - y).detach() + y) * w).sum()


def _replaced(w: Any) -> Any:
    y = w * w
    z = y.sum()
    y.zero_()
    return z + (y * w).sum() + w.sum()


def _rows(w: Any) -> Any:
    y = w.reshape(3, 1) * w
    for i, row in enumerate(y):
        row *= i + 1
    y[0] += w
    y.T[1] -= w
    y.view(-1)[2:4].mul_(w[:2])
    return (y * y).sum()


def _rows_plain(w: Any) -> Any:
    y = w.reshape(3, 1) * w * np.array([[1.0], [2.0], [3.0]], np.float32)
    y = y + cr.stack([w, w * 0, w * 0])
    y = y - cr.stack([w * 0, w, w * 0], 1)
    ones = cr.ones(5)
    y = y * cr.cat([ones[:2], w[:2], ones]).reshape(3, 3)
    return (y * y).sum()


def _in(change: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    def function(w: Any) -> Any:
        y = (w * 1.5).exp()
        other = y
        y = change(y, w * w + 1)
        assert y is other
        return (y * w).sum()

    return function


def _out(plain: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    return lambda w: (plain((w * 1.5).exp(), w * w + 1) * w).sum()


PAIRS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    **{n: (_in(c), _out(p)) for n, (c, p) in OPERATORS.items() if n not in ("&=", "|=", "^=")},
    "total in a loop": (_loop, _loop_plain),
    "written piece by piece": (_fill, _fill_plain),
    "old values stay": (_keeps, lambda w: ((w * 2) ** 2 * (w * 3) ** 2).sum()),
    "unrecorded changes": (_silent, _silent_plain),
    "replaced by a constant": (_replaced, lambda w: (w * w).sum() + w.sum()),
    "through pieces": (_rows, _rows_plain),
    "copied": (lambda w: (cr.zeros(3).copy_(w * w) * w).sum(), lambda w: (w * w * w).sum()),
    "filled": (lambda w: ((w * 2).fill_(3.0) * w).sum(), lambda w: (3 * w).sum()),
    "argument": (lambda w: ((w * 1).mul_(w) * w).sum(), lambda w: (w * w * w).sum()),
}  # fmt: skip


def _eager(function: Callable[[Any], Any]) -> tuple[Any, Any]:
    w = cr.tensor(W, requires_grad=True)
    loss = function(w)
    loss.backward()
    assert w.grad is not None
    return loss.item(), w.grad.tolist()


def _recorded(function: Callable[[Any], Any], backend: Any) -> tuple[Any, Any]:
    w = cr.tensor(W, requires_grad=True)

    @cr.compile(keep_grads=True, backend=backend)
    def step() -> Any:
        w.grad = None
        loss = function(w)
        loss.backward()
        return loss

    loss = step()
    assert step().item() == loss.item()  # nothing is left over from the first
    assert w.grad is not None
    return loss.item(), w.grad.tolist()


def _transformed(both: Callable[[Any], Any]) -> tuple[Any, Any]:
    value, gradient = both(W)
    return value.item(), gradient.tolist()


RUNS: dict[str, Callable[[Callable[[Any], Any]], tuple[Any, Any]]] = {
    "eager": _eager,
    "compiled": lambda f: _recorded(f, None),
    "interpreted": lambda f: _recorded(f, interpreter_backend),
    "grad": lambda f: _transformed(cr.value_and_grad(f)),
    "compiled grad": lambda f: _transformed(cr.compile(cr.value_and_grad(f))),
}


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", PAIRS)
def test_in_place_is_as_the_functional_form(name: str, run: str) -> None:
    changed, plain = PAIRS[name]
    value, gradient = RUNS[run](changed)
    wanted, slope = _eager(plain)
    np.testing.assert_allclose(value, wanted, rtol=2e-5)
    np.testing.assert_allclose(gradient, slope, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["+=", "*=", "clamp_", "through pieces", "old values stay"])
def test_second_derivatives_of_in_place_code(name: str) -> None:
    changed, plain = PAIRS[name]
    np.testing.assert_allclose(
        cr.hessian(changed)(W).numpy(), cr.hessian(plain)(W).numpy(), rtol=1e-4, atol=1e-4
    )


def test_the_argument_of_a_transform_can_be_changed() -> None:
    def f(x: Any) -> Any:
        x *= x
        with cr.no_grad():
            x += 1
        return (x * x).sum()

    x = cr.tensor(W)
    np.testing.assert_allclose(cr.grad(f)(x).numpy(), 2 * (W**2 + 1) * 2 * W, rtol=1e-6)
    assert x.tolist() == W.tolist()


@pytest.mark.parametrize("backend", [None, interpreter_backend])
def test_a_total_outside_of_compiled_code(backend: Any) -> None:
    w = cr.tensor(W, requires_grad=True)
    total = cr.zeros(())

    @cr.compile(keep_grads=True, backend=backend)
    def step(x: Any) -> Any:
        w.grad = None
        total.add_((w * x).sum())
        total.add_((w * w).sum())
        assert total.requires_grad
        total.backward()

    for i in range(1, 3):
        step(V)
        assert w.grad is not None
        np.testing.assert_allclose(w.grad.numpy(), V + 2 * W, rtol=1e-6)
        assert total.item() == pytest.approx(i * float((W * V).sum() + (W * W).sum()), rel=1e-5)
        assert not total.requires_grad
        assert total.grad is None
        total += 0.0
    step(V[:1])  # another recording
    with pytest.raises(cr.GradientError, match="a compiled function updates this"):
        total += (w * w).sum()


def test_a_failed_trace_gives_back_what_it_wrote_to() -> None:
    w, total = cr.tensor(W, requires_grad=True), cr.zeros(())

    def step() -> None:
        total.add_((w * w).sum())
        raise KeyError("broken")

    with pytest.raises(KeyError):
        cr.compile(step)()
    assert not total.requires_grad
    assert total.is_leaf
    total += 1
    assert total.item() == 1.0


def test_leaves_are_still_protected() -> None:
    w = cr.tensor(W, requires_grad=True)
    for write in (
        lambda: w.add_(1),
        lambda: w[0].add_(1),
        lambda: operator.setitem(w, 0, 1.0),
        lambda: operator.setitem(w.view(-1), 0, 1.0),
        lambda: operator.iadd(w, 1),
    ):
        with pytest.raises(cr.GradientError, match="while gradients are tracked"):
            write()
        with pytest.raises(cr.GradientError, match="while gradients are tracked"):
            cr.compile(write)()
    assert w.tolist() == W.tolist()


def test_what_has_a_history_outside_is_not_written_inside() -> None:
    w = cr.tensor(W, requires_grad=True)
    y = w * 2
    z = (y * y).sum()
    with pytest.raises(cr.GradientError, match="computed outside"):
        cr.compile(lambda: y.add_(1))()
    with pytest.raises(cr.GradientError, match="computed outside"):
        cr.compile(lambda: (y * 3).sum().backward())()
    z.backward()
    assert w.grad is not None
    assert w.grad.tolist() == (8 * W).tolist()


def test_requires_grad_of_a_result_stays() -> None:
    w = cr.tensor(W, requires_grad=True)
    with pytest.raises(cr.GradientError, match="detach"):
        (w * 2).requires_grad_(False)
    with pytest.raises(cr.GradientError, match="detach"):
        cr.compile(lambda: (w * 2).requires_grad_(False))()


def test_a_leaf_that_was_declared_twice_is_counted_once() -> None:
    def slope(x: Any) -> Any:
        for flag in (True, False, True):
            x.requires_grad_(flag)
        (x * x).sum().backward()
        return x.grad

    assert cr.compile(slope)(W).tolist() == (2 * W).tolist()


def test_results_are_no_operands_even_if_there_is_nothing_to_do() -> None:
    for plain in (
        lambda x: x**1,
        lambda x: x.pow(1.0),
        lambda x: x.clamp(),
        lambda x: cr.flip(x, ()),
        lambda x: x.flip(),
        lambda x: F.pad(x, (0, 0)),
        lambda x: cr.tensor(x),
        lambda x: cr.Tensor(x),
        lambda x: cr.cat([x]),
        lambda x: x + 0,
        lambda x: cr.clamp(x),
    ):
        for run in (lambda f: f, cr.compile):

            def kept(f: Any = plain) -> Any:
                x = cr.tensor(W) * 1
                y = f(x)
                y += 1
                return x

            assert run(kept)().tolist() == W.tolist()
