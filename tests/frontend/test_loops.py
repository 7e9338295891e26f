"""Loops: against the same steps written out, eager and compiled, with derivatives; misuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn
from chainrule.driver import native_backend
from chainrule.frontend.interpreted import interpreter_backend

Scan = Callable[..., Any]
RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (5, 3, 4)).astype(np.float32)
W = cr.tensor(RNG.uniform(-0.5, 0.5, (4, 4)).astype(np.float32), requires_grad=True)
BACKENDS = pytest.mark.parametrize("backend", [interpreter_backend, native_backend])


def unrolled(
    body: Any, init: Any, xs: Any = None, *, length: int | None = None, reverse: bool = False
) -> Any:
    """What `scan` means: one step after the other, with leaves of ``xs`` in dicts and tuples."""
    steps = length if length is not None else len(leaves(xs)[0])
    carry, ys = init, [None] * steps
    for t in range(steps)[:: -1 if reverse else 1]:
        carry, ys[t] = body(carry, mapped(lambda x, t=t: x[t], xs))  # type: ignore[misc]
    return carry, stacked(ys)


def mapped(function: Any, tree: Any) -> Any:
    if isinstance(tree, dict):
        return {k: mapped(function, v) for k, v in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(mapped(function, v) for v in tree)
    return None if tree is None else function(tree)


def leaves(tree: Any) -> list[Any]:
    found: list[Any] = []
    mapped(found.append, tree)
    return found


def stacked(ys: list[Any]) -> Any:
    first = ys[0]
    if isinstance(first, dict):
        return {k: stacked([y[k] for y in ys]) for k in first}
    if isinstance(first, tuple | list):
        return type(first)(stacked(list(each)) for each in zip(*ys, strict=True))
    return None if first is None else cr.stack(ys)


# ---------------------------------------------------------------- loops of x [5, 3, 4], as a table


def cell(scan: Scan, x: Any, **options: Any) -> Any:
    """h' = tanh(h W + x), of which every state is kept."""

    def body(h: Any, row: Any) -> Any:
        h = cr.tanh(h @ W + row)
        return h, h

    return scan(body, cr.zeros(3, 4), x, **options)


def in_containers(scan: Scan, x: Any) -> Any:
    """Dicts, tuples and lists, nested, as carry, x and y."""

    def body(carry: Any, row: Any) -> Any:
        a, (b, c) = carry["a"], carry["more"]
        new = {"a": a * 0.5 + row["x"], "more": (b * row["pair"][1], c + a)}
        return new, [new["a"], {"twice": 2 * row["pair"][0]}]

    init = {"a": x[0], "more": (x[1], x[2] * x[2])}
    return scan(body, init, {"x": x, "pair": (x * x, x + 1.0)})


def counting(scan: Scan, x: Any) -> Any:
    """Whole numbers and truths are carried, and say which number is read."""

    def body(carry: Any, row: Any) -> Any:
        n, odd, total = carry
        total = cr.where(odd, total - row[:, n], total + row[:, n] ** 2)
        return (cr.where(n < 3, n + 1, 0), ~odd, total), (n, odd)

    init = cr.tensor(2), cr.tensor(False), cr.zeros(3)
    return scan(body, init, x)


def powers(scan: Scan, x: Any) -> Any:
    """Without xs."""
    return scan(lambda h, _: (h * cr.tanh(h), h), x[0] + 1.0, length=3)


def each_alone(scan: Scan, x: Any) -> Any:
    """Without a carry."""
    return scan(lambda none, row: (none, (row @ W, row.sum())), (), x)


def reading_no_carry(scan: Scan, x: Any) -> Any:
    """The carry is handed in and never read."""
    return scan(lambda h, row: (row * row, row + 1.0), x[0], x)


def handing_on(scan: Scan, x: Any) -> Any:
    """A carry that stays, two that change places, xs that come out as they are, no y."""

    def body(carry: Any, row: Any) -> Any:
        a, b, c = carry
        return (a, c, b + row), (row, a)

    first, ys = scan(body, (x[0], x[1], x[2]), x)
    last, none = scan(lambda c, row: (c * 0.9 + row, None), x[3], x)
    assert none is None
    return first, ys, last


def around_it(scan: Scan, x: Any) -> Any:
    """The body reads what was computed before it, and constants; what it gives goes on."""
    scale = cr.exp(x.mean(0))

    def body(h: Any, row: Any) -> Any:
        h = h * scale * 0.3 + row @ W * cr.tensor([1.0, 2.0, 3.0, 4.0])
        return h, (h * scale).sum(0)

    h, ys = scan(body, cr.ones(3, 4), x)
    return (h @ ys.transpose(0, 1), cr.full((2,), 3.0) * ys.sum())


def nested(scan: Scan, x: Any) -> Any:
    """A loop in the body, over the rows of a step, that reads both carries."""

    def outer(h: Any, row: Any) -> Any:
        def inner(s: Any, r: Any) -> Any:
            s = cr.tanh(s * h.mean(0) + r)
            return s, s * 2.0

        s, ys = scan(inner, h[0], row, reverse=True)
        return h * 0.5 + ys, s

    return scan(outer, x[0], x)


def one_after_another(scan: Scan, x: Any) -> Any:
    """What a loop stacks goes through a product into the next one, which goes the other way."""
    h, ys = cell(scan, x)
    k, zs = cell(scan, ys @ W, reverse=True)
    return h, k, zs + ys


def strided(scan: Scan, x: Any) -> Any:
    """Rows that do not lie side by side, reshaped and turned in the body."""

    def body(h: Any, row: Any) -> Any:
        turned = (h.reshape(2, 5) * row.reshape(2, 5)).transpose(0, 1)
        return cr.tanh(turned.reshape(10) + row.reshape(10)), turned

    start = x[:, 1, ::2].transpose(0, 1).reshape(10)
    return scan(body, start, x[:, ::2].permute(2, 1, 0))


def softly(scan: Scan, x: Any) -> Any:
    """Reductions, selections and joins in the body."""

    def body(h: Any, row: Any) -> Any:
        scores = F.softmax(cr.cat([h, row], 1), 1)
        top = scores.amax(1, keepdim=True)
        h = cr.where(row > 0, scores[:, :4], scores[:, 4:] * top) + h[:, [3, 0, 1, 2]]
        return h, (top, scores.logsumexp(1))

    return scan(body, x[0], x)


def of_constants(scan: Scan, x: Any) -> Any:
    """Results that depend on nothing, and a carry that depends on x through a parameter alone."""
    return scan(lambda h, row: (h @ W, (cr.ones(2), 3.0 * row[0, 0])), cr.ones(1, 4), x)


LOOPS: dict[str, Callable[[Scan, Any], Any]] = {
    f.__name__: f
    for f in (
        cell, in_containers, counting, powers, each_alone, reading_no_carry, handing_on, around_it,
        nested, one_after_another, strided, softly, of_constants,
    )
} | {
    "backwards": lambda scan, x: cell(scan, x, reverse=True),
    "one step": lambda scan, x: cell(scan, x[:1]),
    "numbers": lambda scan, x: scan(lambda s, r: (s * 0.5 + r, s), 1.0, x[:, 0, 0]),
}  # fmt: skip
every_loop = pytest.mark.parametrize("name", LOOPS)


def arrays(results: Any) -> list[Any]:
    return [r.numpy() for r in leaves(results)]


def close(ours: Any, theirs: Any, rtol: float = 2e-5, atol: float = 1e-6) -> None:
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def weighed(results: Any) -> Any:
    """All real results as one number, each element with a weight of its own."""
    total = cr.tensor(0.0)
    for r in leaves(results):
        if r.dtype == cr.tensor(0.0).dtype:
            weights = np.cos(np.arange(math.prod(r.shape)))
            total = total + (r * weights.reshape(r.shape).astype(np.float32)).sum()
    return total


def slopes(scan: Scan, loop: Any) -> Callable[[Any], Any]:
    """The gradients by x and by the parameter."""

    def function(x: Any) -> Any:
        W.grad = None
        leaf = x.detach() if isinstance(x, cr.Tensor) else cr.tensor(x)
        leaf.requires_grad = True
        weighed(loop(scan, leaf)).backward()
        return leaf.grad, cr.zeros(4, 4) if W.grad is None else W.grad

    return function


@every_loop
@BACKENDS
def test_compiled_is_the_steps_written_out(name: str, backend: Any) -> None:
    loop = LOOPS[name]
    wanted = arrays(loop(unrolled, cr.tensor(X)))
    close(arrays(loop(cr.scan, cr.tensor(X))), wanted)
    close(arrays(cr.compile(lambda x: loop(cr.scan, x), backend=backend)(X)), wanted)


@every_loop
@BACKENDS
def test_gradients_are_those_of_the_steps_written_out(name: str, backend: Any) -> None:
    loop = LOOPS[name]
    wanted = arrays(slopes(unrolled, loop)(X))
    close(arrays(slopes(cr.scan, loop)(X)), wanted)
    close(arrays(cr.compile(slopes(cr.scan, loop), backend=backend)(X)), wanted)


@every_loop
def test_derivatives_to_second_order(name: str) -> None:
    cr.check_grads(lambda x: weighed(LOOPS[name](cr.scan, x)), [X], order=2)


@every_loop
def test_transforms(name: str) -> None:
    """jvp, vjp, and the gradient along a direction, compiled, against the steps written out."""
    loop, t = LOOPS[name], np.sin(np.arange(X.size)).reshape(X.shape).astype(np.float32)

    def transforms(scan: Scan) -> Callable[[Any], Any]:
        def f(x: Any) -> Any:
            return weighed(loop(scan, x))

        def function(x: Any) -> Any:
            along = cr.grad(lambda x: (cr.grad(f)(x) * t).sum())(x)
            return [*cr.jvp(f, [x], [t]), along]

        return function

    wanted = arrays(transforms(unrolled)(cr.tensor(X)))
    close(arrays(transforms(cr.scan)(cr.tensor(X))), wanted, rtol=1e-4, atol=1e-5)
    close(arrays(cr.compile(transforms(cr.scan))(X)), wanted, rtol=1e-4, atol=1e-5)


def test_hessian() -> None:
    def f(scan: Scan) -> Callable[[Any], Any]:
        def body(x: Any) -> Callable[[Any, Any], Any]:
            return lambda h, r: (cr.tanh(h * x + r), None)

        return lambda x: scan(body(x), cr.ones(2), X[:, 0, 0])[0].sum()

    x = np.float32([0.3, -0.7])
    wanted = cr.hessian(f(unrolled))(x).numpy()
    assert abs(wanted).max() > 0.01
    for function in (cr.hessian(f(cr.scan)), cr.compile(cr.hessian(f(cr.scan)))):
        np.testing.assert_allclose(function(x).numpy(), wanted, rtol=1e-4, atol=1e-6)


# -------------------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("reverse", [False, True])
@BACKENDS
def test_segments_change_no_number(reverse: bool, backend: Any) -> None:
    def step(checkpoint: int | None) -> Callable[[Any], Any]:
        def loop(scan: Scan, x: Any) -> Any:
            return cell(scan, x, reverse=reverse, checkpoint=checkpoint)

        compiled = cr.compile(
            lambda x: (loop(cr.scan, x), slopes(cr.scan, loop)(x)), backend=backend
        )
        return lambda x: arrays(compiled(x))

    x = RNG.uniform(-1, 1, (11, 3, 4)).astype(np.float32)
    plain = step(None)(x)
    for size in (1, 2, 3, 4, 10, 11, 50):
        found = step(size)(x)
        close(found, plain, rtol=1e-6)
        for a, b in zip(found[:2], plain, strict=False):
            assert a.tobytes() == b.tobytes()  # what is computed forwards is the same


def test_derivatives_of_segments() -> None:
    x = X.repeat(2, 0)[:7]
    cr.check_grads(lambda x: weighed(cell(cr.scan, x, checkpoint=3)), [x], order=2)


def test_checkpoint_is_checked() -> None:
    for wrong in (0, -2, 2.5, "all"):
        with pytest.raises(cr.ShapeError, match=f"checkpoint is {wrong!r}"):
            cell(cr.scan, X, checkpoint=wrong)


# ---------------------------------------------------------------------- states that are written


@BACKENDS
def test_draws_in_the_body_are_those_of_the_steps_written_out(backend: Any) -> None:
    def loop(scan: Scan, x: Any) -> Any:
        def body(h: Any, row: Any) -> Any:
            h = F.dropout(h @ W + row, 0.5)
            return h, cr.rand(2)

        return scan(body, cr.ones(3, 4), x)

    def function(scan: Scan) -> Callable[[Any], Any]:
        return lambda x: (loop(scan, x), slopes(scan, loop)(x), cr.rand(2))

    found = []
    for scan in (unrolled, cr.scan, None):
        cr.manual_seed(3)
        run = cr.compile(function(cr.scan), backend=backend) if scan is None else function(scan)
        found.append([arrays(run(X)) for _ in range(2)])
    for others in found[1:]:
        for a, b in zip(others, found[0], strict=True):
            close(a, b)
    first = found[0][0]
    assert len({first[1][t].tobytes() for t in range(5)}) == 5  # a draw of its own in each step


@BACKENDS
def test_running_statistics_move_in_every_step(backend: Any) -> None:
    norms = [nn.BatchNorm1d(4) for _ in range(3)]

    def function(scan: Scan, norm: nn.Module) -> Callable[[Any], Any]:
        def body(h: Any, row: Any) -> Any:
            h = norm(h + row)
            return h, h

        return lambda x: scan(body, cr.zeros(3, 4), x)

    compiled = cr.compile(function(cr.scan, norms[2]), backend=backend)
    runs = [function(unrolled, norms[0]), function(cr.scan, norms[1]), compiled]
    for _ in range(2):
        results = [arrays(run(X)) for run in runs]
        for other in results[1:]:
            close(other, results[0], rtol=1e-4, atol=1e-5)
    states = [norm.state_dict() for norm in norms]
    assert states[0]["num_batches_tracked"] == 10
    for state in states[1:]:
        for name, value in states[0].items():
            np.testing.assert_allclose(state[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


@BACKENDS
def test_a_state_is_read_written_and_read_again(backend: Any) -> None:
    """In a loop in a loop, before them, and after them."""
    for scan in (unrolled, cr.scan):
        count, total = cr.tensor(0), cr.tensor([1.0, 2.0])

        def inner(h: Any, r: Any, count: Any = count) -> Any:
            count.assign_(count + 1)
            return h + r * count, count * 1

        def outer(h: Any, row: Any, scan: Any = scan, total: Any = total) -> Any:
            h, ys = scan(inner, h, row[:, 0])
            total.assign_(total * 0.5 + h)
            return h, (ys, total * 1.0)

        def function(x: Any, scan: Any = scan, count: Any = count, outer: Any = outer) -> Any:
            count.assign_(count + 10)
            result = scan(outer, cr.tensor(0.0), x)
            return result, count * 1

        run = function if scan is unrolled else cr.compile(function, backend=backend)
        results = arrays(run(X)) + arrays(run(X)) + [count.numpy(), total.numpy()]
        if scan is unrolled:
            wanted = results
    close(results, wanted)
    assert wanted[-2] == 50


@BACKENDS
def test_no_gradient_passes_what_is_detached(backend: Any) -> None:
    def loop(scan: Scan, x: Any) -> Any:
        def body(carry: Any, row: Any) -> Any:
            h, s = carry
            with cr.no_grad():
                still = h * row
            h = cr.tanh(h @ W + row * h.detach()) + still
            return (h, s.detach() + row), h * s

        return scan(body, (x[0], x[1]), x)

    wanted = arrays(slopes(unrolled, loop)(X))
    close(arrays(slopes(cr.scan, loop)(X)), wanted)
    close(arrays(cr.compile(slopes(cr.scan, loop), backend=backend)(X)), wanted)


@BACKENDS
def test_a_gradient_in_the_body_is_one_of_the_step(backend: Any) -> None:
    def loop(scan: Scan, x: Any) -> Any:
        def body(h: Any, row: Any) -> Any:
            g = cr.grad(lambda h: (cr.tanh(h @ W + row) ** 2).sum())(h)
            return h - 0.1 * g, (g * row).sum()

        return scan(body, x[0], x)

    wanted = arrays(slopes(unrolled, loop)(X))
    close(arrays(slopes(cr.scan, loop)(X)), wanted)
    close(arrays(cr.compile(slopes(cr.scan, loop), backend=backend)(X)), wanted)


def test_without_gradients_nothing_is_tracked() -> None:
    with cr.no_grad():
        h, ys = cell(cr.scan, cr.tensor(X, requires_grad=True))
    assert not h.requires_grad
    assert not ys.requires_grad


# ------------------------------------------------------------------------------------- misuse

S = np.zeros((3, 4), np.float32)
MISUSE: dict[str, tuple[Callable[[Any], Any], type, str]] = {
    "shape": (
        lambda x: cr.scan(lambda h, r: (cr.cat([h, r]), None), x[0], x),
        cr.ShapeError,
        r"carry.* is f32\[3, 4\] before a step and f32\[6, 4\] after it",
    ),
    "dtype": (
        lambda x: cr.scan(lambda h, r: ({"n": h["n"] + 0.5}, None), {"n": cr.tensor(0)}, x),
        cr.ShapeError,
        r"n.* is i32\[\] before a step and f32\[\] after it",
    ),
    "broadcast": (
        lambda x: cr.scan(lambda h, r: (h + r, None), 0.0, x),
        cr.ShapeError,
        r"f32\[\] before a step and f32\[3, 4\] after it\n.*\n.*a carry keeps its shape and dtype",
    ),
    "no pair": (lambda x: cr.scan(lambda h, r: h + r, S, x), cr.TraceError, "of type Tensor"),
    "three": (lambda x: cr.scan(lambda h, r: (h, r, r), S, x), cr.TraceError, "a tuple of 3"),
    "nesting": (
        lambda x: cr.scan(lambda h, r: ([h, r], None), S, x),
        cr.TraceError,
        "nested differently from init\n.*\n.*init has 1 leaf, the new carry 2 leaves",
    ),
    "no length": (lambda x: cr.scan(lambda h, r: (h, None), S), cr.ShapeError, "pass length="),
    "lengths": (
        lambda x: cr.scan(lambda h, r: (h, None), S, {"a": x, "b": x[:2]}),
        cr.ShapeError,
        "steps is not clear: .*a.* has 5, .*b.* has 2",
    ),
    "length": (
        lambda x: cr.scan(lambda h, r: (h, None), S, x, length=4),
        cr.ShapeError,
        "has 5, length is 4",
    ),
    "half": (
        lambda x: cr.scan(lambda h, r: (h, None), S, length=2.5),  # type: ignore[arg-type]
        cr.ShapeError,
        "length is 2.5",
    ),
    "none": (lambda x: cr.scan(lambda h, r: (h, None), S, x[:0]), cr.ShapeError, "scan of 0 steps"),
    "negative": (
        lambda x: cr.scan(lambda h, r: (h, None), S, length=-1),
        cr.ShapeError,
        "scan of -1 steps",
    ),
    "number": (
        lambda x: cr.scan(lambda h, r: (h, None), S, (x, 2.0)),
        cr.ShapeError,
        r"is a single number\b",
    ),
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", MISUSE)
def test_misuse_is_named(name: str, compiled: bool) -> None:
    function, error, words = MISUSE[name]
    with pytest.raises(error, match=words) as caught:
        (cr.compile(function) if compiled else function)(cr.tensor(X))
    assert "test_loops.py" in str(caught.value)


def test_what_a_body_may_not_do_in_a_compiled_function() -> None:
    model = nn.Linear(4, 4)
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1)

    def steps(h: Any, row: Any) -> Any:
        (model(h + row) ** 2).sum().backward()
        optimizer.step()
        return h, None

    def leaves_gradients(h: Any, row: Any) -> Any:
        (model(h + row) ** 2).sum().backward()
        return h, None

    def function(body: Any) -> Callable[[Any], Any]:
        return lambda x: cr.scan(body, cr.zeros(3, 4), x)

    before = model.state_dict()
    with pytest.raises(cr.TraceError, match="once in a training step"):
        cr.compile(function(steps))(X)
    with pytest.raises(cr.GradientError, match=r"use cr.grad\(f\)\(x\) in the body"):
        cr.compile(function(leaves_gradients))(X)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_result_of_the_step_around_is_not_written_in_the_body() -> None:
    def function(x: Any) -> Any:
        total = x[0] * 2.0

        def body(h: Any, row: Any) -> Any:
            total.assign_(total + row)
            return h + total, None

        return cr.scan(body, cr.zeros(3, 4), x)[0] + total

    with pytest.raises(cr.TraceError, match="changes a Tensor that was computed outside of it"):
        cr.compile(function)(X)


@pytest.mark.parametrize("transform", [cr.compile, cr.grad])
def test_a_value_of_a_step_does_not_leave_it(transform: Any) -> None:
    """Neither to what follows, nor to another step or another loop."""
    words = "belongs to a step of a scan that has ended\n.*\n.*as part of the carry or as y"
    kept: list[Any] = []

    def keeping(h: Any, row: Any) -> Any:
        kept.append(h * row)
        return h + row, None

    def reading(h: Any, row: Any) -> Any:
        kept.append(h * row)
        return h + kept[0] * row, None

    def function(body: Any, after: Any) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            kept.clear()
            h, _ = cr.scan(keeping, x[0], x)
            return (cr.scan(body, h, x)[0] + after()).sum()

        return run

    for body, after in ((keeping, lambda: kept[-1]), (reading, lambda: 0.0)):
        with pytest.raises(cr.TraceError, match=words):
            transform(function(body, after))(cr.tensor(X))


def test_a_step_has_no_numbers() -> None:
    with pytest.raises(cr.TraceError, match=r"no values while its function is being compiled"):
        cr.compile(lambda x: cr.scan(lambda h, r: (h + r.sum().item(), None), x[0], x))(X)


def test_a_failed_body_leaves_no_mark() -> None:
    state = cr.tensor(1.0)

    def body(h: Any, row: Any) -> Any:
        state.assign_(state + 1.0)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        cr.compile(lambda x: cr.scan(body, cr.zeros(3, 4), x))(X)
    assert state.item() == 1.0
    cr.manual_seed(0)
    np.testing.assert_array_equal(cr.compile(lambda x: x * state)(X).numpy(), X)


def test_the_program_does_not_grow_with_the_steps() -> None:
    step = cr.compile(cr.grad(lambda x: (cell(cr.scan, x)[1] ** 2).sum()))
    shown = [str(cr.show(step, np.zeros((n, 3, 4), np.float32))) for n in (64, 1024)]
    assert len(shown[1]) < 1.02 * len(shown[0])


VIEWS: dict[str, Callable[[cr.Tensor], cr.Tensor]] = {
    "as it lies": lambda x: x.reshape(4, 4, 5),
    "turned, then merged": lambda x: x.transpose(2, 3).reshape(4, 5, 4),
    "merged, then turned": lambda x: x.reshape(4, 4, 5).transpose(1, 2),
    "exchanged, then merged": lambda x: x.transpose(0, 1).reshape(4, 4, 5),
    "cut, then merged": lambda x: x[:, :, 1:3].reshape(4, 2, 5),
    "backwards, then merged": lambda x: x.flip(2).transpose(2, 3).reshape(4, 5, 4),
    "all turned": lambda x: x.permute(3, 2, 1, 0).reshape(5, 4, 4),
}


@pytest.mark.parametrize("returned", [False, True])
@pytest.mark.parametrize("name", VIEWS)
def test_rows_of_views_are_read_as_they_lie(name: str, returned: bool) -> None:
    """Bodies with products, which care how their operands lie; what is returned, too, lies in
    memory of its own."""
    x = np.random.default_rng(0).standard_normal((2, 2, 4, 5)).astype(np.float32)
    a = np.random.default_rng(1).standard_normal((3, 5)).astype(np.float32)

    def run(x: Any, a: Any) -> Any:
        def body(total: Any, row: Any) -> Any:
            left = (a[:, : row.shape[0]] + total) @ row
            right = (a[:, : row.shape[1]] - total) @ row.T
            return F.tanh(left.sum() - right.mean()), (left, right)

        rows = VIEWS[name](x)
        return *cr.scan(body, 0.0, rows), rows if returned else x

    total, ys, rows = cr.compile(run)(x, a)
    expected, others, given = run(cr.tensor(x), cr.tensor(a))
    np.testing.assert_allclose(total.numpy(), expected.numpy(), rtol=1e-4)
    np.testing.assert_array_equal(rows.numpy(), given.numpy())
    for y, other in zip(ys, others, strict=True):
        np.testing.assert_allclose(y.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)
