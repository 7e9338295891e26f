"""``Tensor.backward()``: from one value to the ``.grad`` of everything it was computed from."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from ..autodiff import cotangents
from ..errors import GradientError, ShapeError
from ..interpret import evaluate
from ..ir.graph import Node
from ..ir.types import Array
from ..ops.control import fence
from .apply import from_array, from_node, replay, scalar, tensor_of
from .modes import enable_grad, no_grad, thread, user_line
from .operations.arithmetic import cast
from .storage import Record

if TYPE_CHECKING:
    from .tensor import Tensor
    from .tracer import Trace


def backward(root: Tensor, gradient: Tensor | Array | None, create_graph: bool) -> None:
    """Add d(root)/dx, multiplied by ``gradient`` (default 1), to ``x.grad`` of all leaves x.

    `GradientError` if ``root`` depends on no such leaf, depends on a value that was overwritten
    since, or has several elements and no ``gradient``; `ShapeError` if that has another shape.
    """
    if not root.requires_grad:
        raise GradientError(
            "this Tensor does not depend on anything that requires a gradient",
            where=user_line(),
            help="set requires_grad=True on a Tensor it is computed from; results of a compiled "
            "function carry no gradient, so call backward() inside it",
        )
    seed = _seed(root, gradient)
    if thread.trace is not None:
        _record_backward(thread.trace, root, seed, create_graph)
    else:
        _run_backward(root, seed, create_graph)


def retain_grad(tensor: Tensor) -> None:
    """`Tensor.retain_grad`."""
    if not tensor.requires_grad:
        raise GradientError(
            "a Tensor that requires no gradient has none to keep",
            where=user_line(),
            help="set requires_grad=True on a Tensor it is computed from",
        )
    trace = thread.trace
    if trace is not None and tensor.is_traced:
        trace.retain(tensor)
    elif tensor.has_history:
        tensor.record().retainer = weakref.ref(tensor)


def _seed(root: Tensor, gradient: Tensor | Array | None) -> Tensor:
    if gradient is not None:
        seed = cast(tensor_of(gradient), root.dtype)
        if seed.shape != root.shape:
            raise ShapeError(
                f"the gradient has shape {seed.shape}, but the Tensor has shape {root.shape}",
                where=user_line(),
            )
        return seed
    if root.shape not in ((), (1,)):
        raise GradientError(
            f"backward() needs a single number, got shape {root.shape}",
            where=user_line(),
            help="reduce it first, for example loss.mean().backward(), or pass gradient=",
        )
    one = scalar(1.0, root.dtype)
    return one if root.shape == () else one.reshape(1)


def _record_backward(trace: Trace, root: Tensor, seed: Tensor, create_graph: bool) -> None:
    start = trace.node(root)
    trace.check_not_overwritten(start)
    targets = [*trace.gradient_targets(), *trace.retained]
    gradients = cotangents([start], [trace.node(seed)], [trace.node(t) for t in targets])
    for target, g in zip(targets, gradients, strict=True):
        if g is not None:
            if target.has_history:
                raise GradientError(
                    "the loss depends on a Tensor that was computed outside of the compiled "
                    "function from what requires a gradient",
                    where=user_line(),
                    help="compute it inside, or use x.detach()",
                )
            # Without the fence a second backward() would differentiate this gradient as well.
            new = from_node(g, True) if create_graph else from_node(fence(g))
            _accumulate(target, new, create_graph)


def _run_backward(root: Tensor, seed: Tensor, create_graph: bool) -> None:
    tape = _tape(root.record())
    for record in tape.values():
        if record.stale:
            raise GradientError(
                "a Tensor that backward() needs was changed in place after it was used",
                where=user_line(),
                help="call backward() first and change parameters after it",
            )
    owners = {n: r.owner() for n, r in tape.items() if r.owner is not None and not r.inputs}
    targets = [(n, t._as_tensor()) for n, t in owners.items() if t is not None and t.requires_grad]
    retainers = {n: r.retainer() for n, r in tape.items() if r.retainer is not None}
    targets += [(n, t._as_tensor()) for n, t in retainers.items() if t is not None]
    seed_node = seed.record().node
    gradients = cotangents([root.record().node], [seed_node], [n for n, _ in targets])
    pairs = [(t, g) for (_, t), g in zip(targets, gradients, strict=True) if g is not None]
    nodes = [g for _, g in pairs]
    tape[seed_node] = seed.record()
    for (target, _), new in zip(pairs, _values(nodes, tape, create_graph), strict=True):
        _accumulate(target, new, create_graph)


def _values(nodes: list[Node], tape: dict[Node, Record], create_graph: bool) -> list[Tensor]:
    """The numbers of ``nodes``; with their own history if ``create_graph``."""
    if not create_graph:
        arrays = evaluate(nodes, {n: r.array for n, r in tape.items()})
        return [from_array(a.copy()) for a in arrays]  # cotangents may share memory
    known = {}
    for node, record in tape.items():
        owner = None if record.owner is None else record.owner()
        if owner is not None:
            known[node] = owner._as_tensor()
            continue
        known[node] = from_array(record.array, bool(record.inputs))
        known[node]._record = record
    with enable_grad():
        return replay(nodes, known)


def _accumulate(target: Tensor, new: Tensor, create_graph: bool) -> None:
    # A gradient that a compiled call kept to itself is gone; adding to it would be wrong.
    old = target.grad
    if old is None:
        target.grad = new
    elif create_graph:
        target.grad = old + new
    else:
        with no_grad():
            old.assign_(old + new)


def _tape(root: Record) -> dict[Node, Record]:
    """All records that ``root`` was computed from, by node."""
    records: dict[Node, Record] = {}
    stack = [root]
    while stack:
        record = stack.pop()
        if record.node not in records:
            records[record.node] = record
            stack.extend(record.inputs)
    return records
