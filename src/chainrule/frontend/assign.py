"""``assign``: the one way to change what a Tensor holds.

A Tensor stands for a value; changing it makes it stand for another one, which has a history of its
own. So a result may be changed like any other Tensor: what was computed from its old value keeps
that, and its derivative. A piece is written together with what it was cut from.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from ..errors import GradientError
from ..ops.control import detour, fence
from .apply import apply, scalar, tensor_of
from .modes import enable_grad, no_grad, thread, user_line
from .operations.arithmetic import broadcast_to, cast, is_number
from .pieces import Place, cuts_to_write, outdate

if TYPE_CHECKING:
    from .tensor import Tensor


def assign(target: Tensor, value: Any, place: Place | None = None) -> Tensor:
    """Make ``value``, stretched and cast to the type of ``target``, its content.

    Where it differs from the old one is ``place``, if that is known. `GradientError` for a leaf
    whose gradient is tracked, `ShapeError` if ``value`` does not fit.
    """
    if target.is_traced and thread.trace is None:
        raise target._no_numbers()
    _check(target)
    given = scalar(value, target.dtype) if is_number(value) else tensor_of(value)
    new = broadcast_to(cast(given, target.dtype), target.shape)
    if thread.trace is not None:
        thread.trace.node(target)  # a state leaves the memory it shared, and maybe its source
    writes = list(_writes(target, new))
    for written, content, constant, _ in writes:
        with no_grad() if constant else nullcontext():
            _store(written, content)
    spared = [t for t, *_ in writes]
    outdate(target, place, spared)
    for source, _, _, at in writes[1:]:
        outdate(source, at, spared)
    return target


def _writes(target: Tensor, new: Tensor) -> Iterator[tuple[Tensor, Tensor, bool, Place | None]]:
    """``target`` and everything it was cut from, with their new contents: where no gradient is
    tracked on the way, True; where the content changes.
    """
    yield target, new, False, None
    for each in cuts_to_write(target):
        source = each()
        if source is not None:
            with no_grad() if each.constant else nullcontext():
                _check(source)
                content = each.put(source, new)
            yield source, content, each.constant, each.place


def _check(target: Tensor) -> None:
    if target.requires_grad and thread.grad and target.is_leaf:
        raise GradientError(
            "a Tensor that requires a gradient cannot be changed while gradients are tracked",
            where=user_line(),
            help="put the assignment inside `with cr.no_grad():`, or compute a new Tensor, "
            "as x = x + 1 does",
        )


def _store(target: Tensor, new: Tensor) -> None:
    if not thread.grad and target.requires_grad and not target.is_leaf:
        # Unrecorded, the change is none to derivatives: they pass as through the old value.
        with enable_grad():
            new = apply(detour, apply(fence, new), target)
    tracked = new.requires_grad and (thread.grad or not target.is_leaf)
    trace = thread.trace
    if trace is not None:
        node = trace.node(new)
        trace.rebind(target, node if tracked or not new.requires_grad else fence(node))
        if tracked or not target.is_leaf:
            trace.derive(target, tracked)
        return
    if tracked and target._writers:
        raise GradientError(
            "a compiled function updates this Tensor, so it cannot be differentiated outside of it",
            where=user_line(),
            help="assign the value without its gradient: x.detach()",
        )
    leaf = target.is_leaf
    if tracked and new.is_leaf:
        new = new.clone()  # a leaf may be changed later, and this is not to be one
    target.write(new.concrete, new.record() if tracked else None)
    if tracked or not leaf:
        target._requires_grad = tracked
