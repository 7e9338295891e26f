"""``Tensor.assign_``: the one way to change what a Tensor holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import GradientError
from ..ops.control import fence
from .apply import scalar, tensor_of
from .modes import thread, where
from .operations.arithmetic import broadcast_to, cast, is_number

if TYPE_CHECKING:
    from .tensor import Tensor


def assign(target: Tensor, value: Any) -> Tensor:
    """Make ``value``, stretched and cast to the type of ``target``, its content.

    `GradientError` for a leaf whose gradient is tracked, `ShapeError` if ``value`` does not fit.
    """
    if target.requires_grad and thread.grad and target.is_leaf:
        raise GradientError(
            "a Tensor that requires a gradient cannot be changed while gradients are tracked",
            where=where(),
            help="write `with cr.no_grad():` around the assignment",
        )
    if target.is_traced and thread.trace is None:
        raise target._no_numbers()
    given = scalar(value, target.dtype) if is_number(value) else tensor_of(value)
    new = broadcast_to(cast(given, target.dtype), target.shape)
    tracked = new.requires_grad and thread.grad
    trace = thread.trace
    if trace is not None:
        node = trace.node(new)
        trace.rebind(target, node if tracked or not new.requires_grad else fence(node))
    else:
        target.write(new.concrete, new.record() if tracked else None)
    if tracked or not target.is_leaf:
        target._requires_grad = tracked
    return target
