"""States updated with functions of themselves: nothing is overwritten before it is read.

An update is stored straight into the state where its unit reads no other element of it. All else
goes through a copy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.frontend.apply import apply
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph, Node, constant
from chainrule.ir.types import f32
from chainrule.nn import functional as F
from chainrule.passes import optimize
from chainrule.schedule import InputLayout, schedule
from chainrule.schedule.nest import Product
from compiled import run_native

Update = Callable[[cr.Tensor], cr.Tensor]

UPDATES: dict[str, Update] = {
    "transposed": lambda s: s.T,
    "plus transposed": lambda s: s + s.T,
    "flipped": lambda s: s.flip(0),
    "flipped along rows": lambda s: s.flip(1) * 0.5,
    "rolled": lambda s: cr.cat([s[1:], s[:1]], 0),
    "shifted": lambda s: F.pad(s, (1, -1)),
    "the first row": lambda s: s + s[0],
    "the last column": lambda s: s * 0.5 + s[:, -1:],
    "gathered": lambda s: s[np.arange(s.shape[0])[::-1].astype(np.int32).copy()],
    "squared as a matrix": lambda s: s @ s * 0.1,
    "from the left": lambda s: s.T @ s * 0.1,
    "softmax": lambda s: F.softmax(s, 1),
    "less its mean": lambda s: s - s.mean(),
    "sums": lambda s: s.cumsum(0) * 0.1,
    "reshaped": lambda s: s.reshape(-1).flip(0).reshape(s.shape),
    "rows replaced": lambda s: scattered(s, s[:2].flip(1) * 0.5),
    "rows replaced by others": lambda s: scattered(s, cr.ones(2, s.shape[1])),
    "rows replaced, and read": lambda s: scattered(s, s[3:5] + s.sum(0) * 0.1) + s[0],
    "rows of another": lambda s: scattered(s * 0.5, cr.ones(2, s.shape[1])),
}


def scattered(x: cr.Tensor, rows: cr.Tensor) -> cr.Tensor:
    """``x`` with two rows in place of its own."""
    places: cr.Tensor = apply(ops.scatter, x, cr.tensor([4, 1]), rows, axis=0)
    return places


@pytest.mark.parametrize("rows", [7, 160])
@pytest.mark.parametrize("name", UPDATES)
def test_a_state_is_not_overwritten_while_it_is_read(name: str, rows: int) -> None:
    value = np.random.default_rng(0).standard_normal((rows, rows), np.float32)
    update = UPDATES[name]
    state = cr.tensor(value)

    @cr.compile
    def step() -> None:
        with cr.no_grad():
            state.assign_(update(state))

    expected = value
    for _ in range(2):
        step()
        expected = update(cr.tensor(expected)).numpy()
        np.testing.assert_allclose(state.numpy(), expected, rtol=2e-4, atol=2e-4)


def test_an_update_element_by_element_needs_no_copy() -> None:
    state = cr.tensor(np.ones((40, 40), np.float32))

    @cr.compile
    def step(x: cr.Tensor) -> None:
        with cr.no_grad():
            state.assign_(state * 0.9 + x.T @ x)

    program = schedule(optimize(step.trace(np.ones((8, 40), np.float32)).graph), InputLayout())
    nests = [task.nest for phase in program.phases for task in phase]
    (product,) = [nest for nest in nests if isinstance(nest.source, Product)]
    assert [access.buffer.kind for access in product.writes] == ["external"]


def test_rows_of_a_state_are_replaced_where_they_lie() -> None:
    state = cr.tensor(np.ones((40, 8), np.float32))

    @cr.compile
    def step(rows: cr.Tensor) -> cr.Tensor:
        with cr.no_grad():
            before = state.sum()
            state.assign_(scattered(state, rows))
            return before + state @ rows.T.sum(1, keepdim=True)

    rows = np.full((2, 8), 2, np.float32)
    program = schedule(optimize(step.trace(rows).graph), InputLayout())
    nests = [task.nest for phase in program.phases for task in phase]
    stores = [n for n in nests if any(a.buffer.kind == "external" for a in n.writes)]
    assert sorted((n.name, n.dims) for n in stores)[-1] == ("scatter", (2, 8))
    assert all(n.dims != (40, 8) and n.dims != (320,) for n in nests if not n.source)
    expected = np.full(40, 320.0 + 8 * 4)
    expected[[1, 4]] = 320.0 + 16 * 4
    np.testing.assert_allclose(step(rows).numpy()[:, 0], expected)


def across(name: str, batch: int, rows: int, columns: int) -> Node:
    """A state whose last two axes lie in the other order."""
    shape, strides = (batch, rows, columns), (rows * columns, 1, rows)
    return ops.input(kind="state", name=name, shape=shape, dtype=f32, strides=strides)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("where", ["an output", "another state", "rows of which are gathered"])
def test_products_read_a_view_that_is_stored_too_as_it_lies(where: str, turned: bool) -> None:
    """A view of a state that lies across has memory of its own as well: as an output, say, where it
    lies in row-major order. A product that read it there took rows for columns."""
    state, other = across("s", 4, 9, 8), across("o", 4, 8, 8)
    x = ops.input(kind="arg", name="x", shape=(4, 8, 8), dtype=f32, strides=(64, 8, 1))
    view = ops.slice(state, start=(0, 1, 0), step=(1, 1, 1), stop=(4, 9, 8))
    product = ops.dot(x, ops.transpose(view, perm=(0, 2, 1)) if turned else view)
    places = constant(np.array([3, 0, 5], np.int32))
    outputs = {
        "an output": (view, product),
        "another state": (product,),
        "rows of which are gathered": (ops.gather(view, places, axis=1), product),
    }[where]
    updates = (ops.assign(other, view),) if where == "another state" else ()
    inputs = (state, x, *([other] if updates else []))
    graph = Graph(inputs, outputs, updates)
    draw = np.random.default_rng(0)
    values = [draw.standard_normal(n.shape, np.float32) for n in inputs]
    for found, expected in zip(run_native(graph, values), interpret(graph, values), strict=True):
        for one, oracle in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, oracle, rtol=1e-5, atol=1e-5)
