"""However a recording ends, the thread is as it was before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.frontend.modes import grad_mode, paused, thread
from chainrule.frontend.tracer import Trace

X = np.ones(3, np.float32)


def square(x: Any) -> Any:
    with cr.no_grad():
        with paused():
            cr.zeros(1)
        x * 2.0
    return (x * x).sum()


@pytest.mark.parametrize("kind", [Trace, grad_mode, paused])
@pytest.mark.parametrize(
    "record",
    [
        lambda: cr.compile(square)(X),
        lambda: cr.grad(square)(X),
        lambda: cr.vjp(square, X),
        lambda: cr.jvp(square, (X,), (X,)),
    ],
    ids=["compile", "grad", "vjp", "jvp"],
)
def test_an_interrupt_when_a_with_ends(
    record: Callable[[], object], kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a signal that strikes before `__exit__` has done anything."""

    def struck(*args: object) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    record()
    monkeypatch.setattr(kind, "__exit__", struck)
    with pytest.raises(KeyboardInterrupt):
        record()
    assert thread.trace is None
    assert thread.grad
    record()
    assert thread.trace is None
