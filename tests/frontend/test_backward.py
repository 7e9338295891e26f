"""Eager backpropagation."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import numpy as np
import pytest

import chainrule as cr


def leaf(*values: float) -> cr.Tensor:
    return cr.tensor(values, requires_grad=True)


def test_gradients_add_up() -> None:
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    (3 * x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [5.0, 7.0]
    x.grad = None
    (x * cr.tensor([2.0, 4.0])).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_a_value_used_twice_and_a_tape_used_twice() -> None:
    x = leaf(3.0)
    y = x * x
    z = (y + y * x).sum()
    z.backward()
    z.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2 * (2 * 3 + 3 * 9)]


def test_weights_of_the_elements() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    with pytest.raises(cr.GradientError, match=r"shape \(2,\)"):
        y.backward()
    y.backward(np.array([1.0, 10.0]))
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 20.0]


def test_what_stops_a_gradient() -> None:
    x = leaf(2.0)
    (x.detach() * x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0]
    with cr.no_grad():
        y = x * 3
    assert not y.requires_grad
    with pytest.raises(cr.GradientError, match="does not depend"):
        y.sum().backward()

    @cr.no_grad()
    def frozen(t: cr.Tensor) -> cr.Tensor:
        with cr.enable_grad():
            assert (t * 1).requires_grad
        return t * 1

    assert not frozen(x).requires_grad


def test_in_place_changes_and_the_tape() -> None:
    x = leaf(2.0)
    y = x * x
    with pytest.raises(cr.GradientError, match="no_grad"):
        x += 1
    with cr.no_grad():
        x += 1
    with pytest.raises(cr.GradientError, match="changed in place"):
        y.sum().backward()
    z = x * 2
    w = z * z
    z += 100  # a result: the product keeps the old value
    w.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [8 * 3.0]
    x.grad = None
    z.sum().backward()
    assert x.grad.tolist() == [2.0]


def test_second_derivative_through_backward() -> None:
    x = leaf(2.0)
    (x**3).sum().backward(create_graph=True)
    first = x.grad
    assert first is not None
    x.grad = None
    first.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [12.0]


def test_only_real_numbers_have_gradients() -> None:
    with pytest.raises(cr.GradientError, match="i32"):
        cr.tensor([1, 2], requires_grad=True)


def test_the_tape_goes_with_its_tensors() -> None:
    x = leaf(1.0)
    y = x * 2
    middle = y * 3
    gone = weakref.ref(middle)
    end = middle.sum()
    del middle
    gc.disable()
    try:
        assert gone() is None  # the tape needs numbers, not Tensors
        end.backward()
        record = weakref.ref(end)
        del end, y
        assert record() is None
    finally:
        gc.enable()
    assert x.grad is not None


def test_gradients_of_branches_and_views() -> None:
    x = cr.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    (x[0] * x[1]).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[3.0, 4.0, 5.0], [0.0, 1.0, 2.0]]
    x.grad = None
    x[:, [0, 0, 2]].sum().backward()
    assert x.grad.tolist() == [[2.0, 0.0, 1.0]] * 2


def test_gradients_that_are_set_fit() -> None:
    x = cr.tensor([1.0, 2.0], requires_grad=True)
    (x * 2).backward(np.array([1, 3]))
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 6.0]
    x.grad = np.ones(2, np.float32)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    with pytest.raises(cr.ShapeError, match=r"a gradient of shape \(5,\)"):
        x.grad = cr.ones(5)


TAKEN = {
    "element": lambda t: t[0],
    "slice": lambda t: t[1:],
    "reshape": lambda t: t.view(-1, 1).view(-1),
    "expand": lambda t: t.expand(2, 2),
    "detach": lambda t: t.detach(),
    "clone": lambda t: t.clone(),
    "itself": lambda t: t,
    "slice of a slice": lambda t: t[0:][1:],
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_tape_keeps_the_numbers_it_was_made_with(name: str) -> None:
    def slope(change: Callable[[cr.Tensor], object]) -> list[float]:
        w, x = leaf(1.0, 1.0), cr.tensor([1.0, 2.0])
        loss = (TAKEN[name](x) * w * TAKEN[name](w * 3.0)).sum()
        change(x)
        loss.backward()
        assert w.grad is not None
        return w.grad.tolist()  # type: ignore[no-any-return]

    wanted = slope(lambda x: None)
    assert slope(lambda x: x.fill_(100.0)) == wanted
    assert slope(lambda x: x[0].add_(1.0)) == wanted
    if name != "itself":  # which is refused
        assert slope(lambda x: cr.compile(lambda: x.fill_(100.0))()) == wanted


def test_a_tape_keeps_the_numbers_of_a_leaf_that_was_copied() -> None:
    p, q = leaf(1.0, 2.0), cr.zeros(2)
    q.assign_(p)
    assert q.requires_grad
    assert not q.is_leaf
    with cr.no_grad():
        p.add_(10)
    assert (q * 2).tolist() == [2.0, 4.0]
