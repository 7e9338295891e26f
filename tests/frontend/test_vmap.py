"""Functions of one member, for all at once: against a loop over the members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn

RNG = np.random.default_rng(5)
X = RNG.normal(size=(3, 4)).astype(np.float32)
W = RNG.normal(size=(3, 4, 2)).astype(np.float32)


def member(x: Any, w: Any) -> Any:
    """Products, reductions, indices, a loop and slices."""
    h = (x @ w).tanh()
    carry, ys = cr.scan(lambda c, r: (c * r.sin() + h, c.sum()), h, F.softmax(x, 0).reshape(4, 1))
    order = (x > 0).int().cumsum(0)
    return {"carry": carry, "ys": ys, "picked": x.reshape(2, 2)[order[1:3] & 1]}


def alone(function: Callable[..., Any], *args: Any) -> dict[str, Any]:
    rows = [function(*(cr.tensor(a[i]) for a in args)) for i in range(len(args[0]))]
    return {k: np.stack([r[k].numpy() for r in rows]) for k in rows[0]}


@pytest.mark.parametrize("compiled", [False, True])
def test_all_members_are_each_alone(compiled: bool) -> None:
    mapped = cr.vmap(member)
    found = (cr.compile(mapped) if compiled else mapped)(X, W)
    for name, expected in alone(member, X, W).items():
        np.testing.assert_allclose(found[name].numpy(), expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_derivatives_inside_and_outside(compiled: bool) -> None:
    def loss(x: Any, w: Any) -> Any:
        return (member(x, w)["carry"] ** 2).sum()

    def outside(w: Any) -> Any:
        return cr.vmap(loss)(X, w).sum()

    wrap = cr.compile if compiled else lambda f: f
    inner = wrap(cr.vmap(cr.grad(loss, argnums=1)))(X, W).numpy()
    outer = wrap(cr.grad(outside))(W).numpy()
    rows = [cr.grad(loss, argnums=1)(cr.tensor(X[i]), W[i]).numpy() for i in range(3)]
    np.testing.assert_allclose(inner, np.stack(rows), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outer, np.stack(rows), rtol=1e-5, atol=1e-6)


def test_backward_reaches_the_arguments_and_what_all_share() -> None:
    w, b = cr.tensor(W).requires_grad_(), cr.tensor([1.0, 2.0]).requires_grad_()
    y = cr.vmap(lambda x, w: (x @ w + b).square())(X, w)
    assert y.requires_grad
    y.sum().backward()
    z = np.einsum("ki,kio->ko", X, W) + np.float32([1, 2])
    np.testing.assert_allclose(w.grad.numpy(), 2 * X[:, :, None] * z[:, None], rtol=1e-5)
    np.testing.assert_allclose(b.grad.numpy(), (2 * z).sum(0), rtol=1e-5)
    with cr.no_grad():
        assert not cr.vmap(lambda w: w * 2)(w).requires_grad


def test_axes_of_members_are_where_one_says() -> None:
    double = lambda x: x * 2  # noqa: E731
    assert cr.vmap(double, in_dims=-1, out_dims=1)(X).tolist() == (2 * X).tolist()
    assert cr.vmap(double, 1)(X).tolist() == (2 * X.T).tolist()
    both = cr.vmap(lambda x, p: {"sum": x + p["b"], "b": p["b"]}, (0, {"a": 1, "b": None}))
    b = cr.tensor([1.0, 2.0, 3.0, 4.0])
    found = both(X, {"a": np.ones((2, 3), np.float32), "b": b})
    assert found["sum"].tolist() == (X + b.numpy()).tolist()
    assert found["b"].shape == (3, 4)  # the same for all, repeated
    kept = cr.vmap(lambda x: (x, b), out_dims=(1, None))(X)
    assert kept[0].shape == (4, 3)
    assert kept[1].shape == (4,)
    assert cr.vmap(lambda x, *, scale, power: x**power * scale)(
        X, scale=X[:, 0], power=2
    ).shape == (3, 4)
    table = cr.vmap(cr.vmap(lambda a, b: a * b, (None, 0)), (0, None))(X[0], X[1])
    assert table.tolist() == np.outer(X[0], X[1]).tolist()


@pytest.mark.parametrize("compiled", [False, True])
def test_random_numbers_are_drawn_for_each_member(compiled: bool) -> None:
    def draw(x: Any) -> Any:
        h = F.dropout(x * 0 + 1, 0.5)
        _, ys = cr.scan(lambda c, _: (c, cr.rand(4)), x.sum(), length=2)
        return h, ys

    def weighed(w: Any) -> Any:  # the same weights for all members, dropped for each
        def one(x: Any) -> Any:
            _, ys = cr.scan(lambda c, _: (c, F.dropout(w, 0.5)), 0.0, length=2)
            return ys, ys.sum() + x.sum() * 0

        rows, sums = cr.vmap(one)(np.zeros((6, 1), np.float32))
        return sums.sum(), rows

    wrap = cr.compile if compiled else lambda f: f
    cr.manual_seed(3)
    before = cr.rand(1).item()
    mask, ys = wrap(cr.vmap(draw))(np.ones((6, 4), np.float32))
    assert len({tuple(r) for r in mask.numpy().tolist()}) > 1
    assert len(np.unique(ys.numpy())) == ys.numpy().size
    after = cr.rand(1).item()
    assert after not in (before, *ys.numpy().ravel().tolist())
    slope, rows = wrap(cr.grad(weighed, has_aux=True))(np.ones(8, np.float32))
    np.testing.assert_array_equal(slope.numpy(), rows.numpy().sum((0, 1)))


def test_what_is_the_same_for_all_is_computed_once() -> None:
    def function(w: Any) -> Any:
        return cr.vmap(lambda x: x * (w.exp().sum() + 1))(X)

    ops = [n.op for n in cr.compile(function).trace(W).graph.nodes() if n.shape == W.shape]
    assert ops.count("exp") == 1


def test_members_write_nothing_of_their_own_outside() -> None:
    total, steps = cr.zeros(4), cr.zeros(1)

    def writes(x: Any) -> Any:
        total.assign_(total + x)
        return x

    def counts(x: Any) -> Any:
        steps.assign_(steps + 1)
        return x

    for wrap in (lambda f: f, cr.compile):
        with pytest.raises(cr.TraceError, match="value of its own"):
            wrap(cr.vmap(writes))(X)
        assert total.tolist() == [0, 0, 0, 0]
        wrap(cr.vmap(counts))(X)
    assert steps.tolist() == [2]

    layer = nn.Linear(4, 1)
    optimizer = cr.optim.SGD(layer.parameters(), lr=0.1)

    def learns(x: Any) -> Any:
        layer(x).sum().backward()
        return x

    def walks(x: Any) -> Any:
        optimizer.step()
        return x

    with pytest.raises(cr.GradientError, match="gradient of one member"):
        cr.compile(cr.vmap(learns))(X)
    layer(X).sum().backward()
    with pytest.raises(cr.TraceError, match="once in a training step"):
        cr.compile(cr.vmap(walks))(X)


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "lengths": (lambda: cr.vmap(lambda a, b: a)(X, W[:2]), r"argument \[0\] has 3, .* has 2"),
    "nothing is mapped": (lambda: cr.vmap(lambda a: a, None)(X), "no argument has any"),
    "a number": (lambda: cr.vmap(lambda a: a)(3.0), "no argument has any"),
    "no members": (lambda: cr.vmap(lambda a: a)(X[:0]), "has 0"),
    "axis": (lambda: cr.vmap(lambda a: a, 2)(X), "in_dims is 2 for argument"),
    "axis of the result": (lambda: cr.vmap(lambda a: a.sum(), 0, 1)(X), "out_dims is 1 for"),
    "entries": (lambda: cr.vmap(lambda a: a, (0, 0))(X), "in_dims has 2 entries"),
    "nesting": (lambda: cr.vmap(lambda a: a, ({"x": 0},))(X), "nested differently"),
    "different results": (lambda: cr.vmap(lambda a: a, 0, None)(X), "out_dims is None"),
}


@pytest.mark.parametrize("name", WRONG)
def test_misuse_is_named(name: str) -> None:
    call, words = WRONG[name]
    with pytest.raises(cr.ShapeError, match=words) as caught:
        call()
    assert "test_vmap.py" in str(caught.value)


def test_what_a_member_made_is_gone_afterwards() -> None:
    kept: list[Any] = []

    def keeps(x: Any) -> Any:
        kept.append(x * 2)
        return x

    def function(x: Any) -> Any:
        cr.vmap(keeps)(x)
        return kept[-1] + 1

    with pytest.raises(cr.TraceError, match="a member of a vmap"):
        cr.compile(function)(X)
