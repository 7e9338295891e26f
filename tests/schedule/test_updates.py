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
from chainrule.nn import functional as F
from chainrule.passes import optimize
from chainrule.schedule import InputLayout, schedule
from chainrule.schedule.nest import Product

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
