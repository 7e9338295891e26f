"""Recording: what becomes an input, a state or a constant, and what cannot be recorded."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.frontend import Traced, host_scalar, trace_function
from chainrule.frontend.modes import thread
from chainrule.frontend.storage import NotKept

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def ops_of(traced: Traced) -> list[str]:
    return [n.op for n in traced.graph.nodes()]


def test_inputs_come_in_order() -> None:
    w, b = cr.ones(3), cr.zeros(3)

    def f(x: cr.Tensor, y: dict[str, cr.Tensor]) -> cr.Tensor:
        rate = host_scalar(lambda k: 0.5 + k)
        return (x * b + w) * rate + y["a"]

    traced = trace_function(f, (X, {"a": np.float32(1)}), {})
    kinds = [(n.params["kind"], n.shape) for n in traced.graph.inputs]
    assert kinds == [("arg", (2, 3)), ("arg", ()), ("state", (3,)), ("state", (3,)), ("scalar", ())]
    assert [id(t) for t in traced.states] == [id(b), id(w)]
    assert [s(2) for s in traced.scalars] == [2.5]
    assert traced.updated == ()


def test_nodes_carry_the_users_line() -> None:
    def f(x: cr.Tensor) -> cr.Tensor:
        return x.softmax(-1)

    line = f.__code__.co_firstlineno + 1
    nodes = trace_function(f, (X,), {}).graph.nodes()
    places = {n.location for n in nodes if n.op != "input"}
    assert {(p.file.rsplit("/", 1)[-1], p.line) for p in places if p} == {("test_tracer.py", line)}


def test_a_transposed_weight_is_read_where_it_lies() -> None:
    weight = cr.nn.Linear(3, 16).weight
    (state,) = trace_function(lambda: weight * 1, (), {}).state_nodes
    assert state.params["strides"] == (1, 16)


def test_updates_take_effect_together() -> None:
    a, b = cr.tensor([1.0]), cr.tensor([2.0])

    def swap() -> cr.Tensor:
        old = a * 1
        a.assign_(b)
        b.assign_(old)
        return a + b

    traced = trace_function(swap, (), {})
    assert len(traced.graph.updates) == 2
    assert (a.item(), b.item()) == (1.0, 2.0)  # recording runs nothing
    assert cr.compile(swap)().item() == 3.0
    assert (a.item(), b.item()) == (2.0, 1.0)


READS = {
    "if": lambda x: x if x.sum() > 0 else -x,
    "float": lambda x: float(x.sum()),
    "item": lambda x: x.sum().item(),
    "numpy": lambda x: x.numpy(),
    "asarray": lambda x: np.asarray(x),
    "range": lambda x: [x for _ in range(x.int()[0, 0])],
    "iterate": lambda x: x.tolist(),
}


@pytest.mark.parametrize("name", READS)
def test_numbers_cannot_be_read(name: str) -> None:
    with pytest.raises(cr.TraceError, match="no values") as caught:
        cr.compile(READS[name])(X)  # type: ignore[no-untyped-call]
    assert "test_tracer.py:" in str(caught.value)
    assert thread.trace is None


def test_numbers_of_a_state_cannot_be_read_either() -> None:
    w = cr.ones(1)
    with pytest.raises(cr.TraceError, match="no values"):
        cr.compile(lambda x: x * float(w))(X)


def test_a_tensor_of_an_ended_trace() -> None:
    kept = []
    cr.compile(lambda x: kept.append(x * 2))(X)
    with pytest.raises(cr.TraceError, match="has ended"):
        kept[0] + 1
    with pytest.raises(cr.TraceError, match="has ended"):
        kept[0].numpy()


def test_arrays_of_the_closure() -> None:
    small, large = np.ones(3), np.ones((129, 128), np.float32)
    assert "const" in ops_of(trace_function(lambda x: x * small, (X,), {}))
    with pytest.raises(cr.TraceError, match="64 KiB"):
        trace_function(lambda: cr.tensor(large) * 1, (), {})


def test_a_failed_trace_leaves_no_mark() -> None:
    w = cr.tensor([1.0, 2.0], requires_grad=True)
    state = cr.tensor([5.0])
    gradient = cr.ones(2)
    w.grad = gradient

    def f(x: cr.Tensor) -> None:
        state.assign_(state + 1)
        w.requires_grad_(False)
        w.grad = None
        raise KeyError("broken")

    with pytest.raises(KeyError):
        cr.compile(f)(X)
    assert state.item() == 5.0
    assert w.requires_grad
    assert w.grad is gradient
    assert thread.trace is None


def test_gradients_found_at_entry_are_state() -> None:
    w = cr.tensor([1.0, 2.0], requires_grad=True)
    w.grad = cr.tensor([10.0, 10.0])
    gradient = w.grad

    @cr.compile
    def step() -> None:
        (w * w).sum().backward()

    step()
    step()
    assert w.grad is gradient
    assert gradient.tolist() == [14.0, 18.0]


def test_gradients_stay_inside() -> None:
    w = cr.tensor([1.0, 2.0], requires_grad=True)

    def step() -> cr.Tensor:
        w.grad = None
        loss = (w * w).sum()
        loss.backward()
        assert w.grad is not None
        return w.grad * 1

    assert cr.compile(step)().tolist() == [2.0, 4.0]
    with pytest.raises(cr.GradientError, match="keep_grads=True"):
        _ = w.grad
    assert isinstance(w._grad, NotKept)
    kept = cr.compile(keep_grads=True)(step)
    kept()
    assert w.grad is not None
    assert w.grad.tolist() == [2.0, 4.0]
    w.grad = None
    assert w.grad is None


def test_a_gradient_that_was_not_kept_cannot_be_added_to() -> None:
    w = cr.tensor([1.0], requires_grad=True)

    @cr.compile
    def step() -> None:
        (w * w).sum().backward()

    step()
    with pytest.raises(cr.GradientError, match="zero_grad"):
        step()


def test_no_grad_and_detach_stop_derivatives_inside() -> None:
    w = cr.tensor([3.0], requires_grad=True)

    @cr.compile(keep_grads=True)
    def step() -> None:
        w.grad = None
        with cr.no_grad():
            fixed = w * 2
        (fixed * w * w.detach()).sum().backward()

    step()
    assert w.grad is not None
    assert w.grad.tolist() == [18.0]


def test_backward_after_an_update_is_refused() -> None:
    w = cr.tensor([3.0], requires_grad=True)

    def step() -> None:
        loss = (w * w).sum()
        with cr.no_grad():
            w.assign_(w - 1)
        loss.backward()

    with pytest.raises(cr.GradientError, match="changed before backward"):
        cr.compile(step)()
    assert w.item() == 3.0


def test_two_backwards_in_one_step() -> None:
    w = cr.tensor([3.0], requires_grad=True)

    @cr.compile(keep_grads=True)
    def step() -> None:
        w.grad = None
        (w * w).sum().backward()
        with cr.no_grad():
            w.assign_(w - w.grad)
        (w * w * w).sum().backward()

    step()
    assert w.item() == -3.0
    assert w.grad is not None
    assert w.grad.item() == 6.0 + 27.0
