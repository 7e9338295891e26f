"""Every operation on Tensors passes here: it runs now, or is recorded."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from ..batching import draws
from ..errors import DTypeError
from ..ir.graph import Node, bind, constant, topological
from ..ir.memory import aligned_copy, as_array
from ..ir.primitive import Primitive
from ..ir.types import Array, DType
from ..ops.bodies import parts_of
from ..ops.control import fence
from ..ops.movement import concat, reshape, slice_
from .modes import here, thread, user_line
from .storage import Record, Storage

if TYPE_CHECKING:
    from .tensor import Tensor

Function = TypeVar("Function", bound=Callable[..., Any])


def apply(primitive: Primitive, *operands: Any, **params: Any) -> Tensor:
    """``primitive`` applied to ``operands``, Tensors or arrays.

    Outside of a trace it runs at once through the primitive's reference, and the result remembers
    how it came about if it requires a gradient. Inside, the result is a node with the user's line.
    """
    tensors = tuple(tensor_of(t) for t in operands)
    required = any(t._requires_grad for t in tensors)
    trace = thread.trace
    if trace is None:
        return _run(primitive, tensors, params, required)
    nodes = [trace.node(t) for t in tensors]
    node = bind(primitive.name, *nodes, location=here(), **params)
    if draws(node):
        trace.draws.append(node)
    required = required and node.dtype.is_float
    if required and not thread.grad:
        return from_node(fence(node))
    return from_node(node, required)


def _run(
    primitive: Primitive, tensors: tuple[Tensor, ...], params: dict[str, Any], required: bool
) -> Tensor:
    records = tuple(t.record() for t in tensors)
    required = required and thread.grad
    location = here() if required else None  # what has no derivative needs no line to blame
    node = bind(primitive.name, *(r.node for r in records), location=location, **params)
    array = primitive.reference(*(r.array for r in records), **params)
    required = required and node.dtype.is_float
    result = from_array(array, required)
    if required:
        result._record = Record(node, array, records, None)
        for record in records:
            record.used = True
    for tensor in tensors:
        if np.may_share_memory(array, tensor._array):
            _separate(result, tensor)
    if result._record is not None:
        result.keep_for(result._record)
    return result


def _separate(view: Tensor, base: Tensor) -> None:
    """Make sure that writing ``base`` will not change ``view``, whose array lies in its memory."""
    if not base._writers:
        base.add_view(view)
        return
    assert view._array is not None
    view._array = view._array.copy()  # a compiled program may write base without asking
    if view._record is not None:
        view._record.array = view._array


def from_array(array: Array, requires_grad: bool = False) -> Tensor:
    """A Tensor that holds ``array`` itself."""
    tensor = Storage.tensor_type.__new__(Storage.tensor_type)
    tensor._set(array, None, requires_grad)
    return tensor


def from_node(node: Node, requires_grad: bool = False) -> Tensor:
    """A Tensor of the running trace; one that requires a gradient has it through ``node``."""
    tensor = Storage.tensor_type.__new__(Storage.tensor_type)
    tensor._set(None, node, requires_grad)
    tensor._derived = requires_grad
    return tensor


def separate(function: Function) -> Function:
    """``function`` with a result of its own also where it has nothing to do.

    Who changes the result does not mean the operand.
    """

    @functools.wraps(function)
    def separated(x: Any, *args: Any, **kwargs: Any) -> Any:
        result = function(x, *args, **kwargs)
        return apply(reshape, x, shape=x.shape) if result is x else result

    return cast(Function, separated)


def scalar(value: bool | float, dtype: DType) -> Tensor:
    """A 0-d constant; `DTypeError` for a number that the dtype cannot hold."""
    if isinstance(value, np.generic):
        value = value.item()  # which NumPy would not wrap around
    try:
        if isinstance(value, float) and not (_holds_fractions(dtype) or value.is_integer()):
            raise ValueError
        with np.errstate(over="ignore"):  # too large for a float is inf
            if thread.trace is not None:
                return from_node(constant(value, dtype))
            return from_array(np.asarray(value, dtype.numpy))
    except (OverflowError, ValueError):
        raise DTypeError(
            f"{value} does not fit into {dtype!r}",
            where=user_line(),
            help="use a smaller number, or float32",
        ) from None


def _holds_fractions(dtype: DType) -> bool:
    return dtype.is_float or dtype is DType.bool  # which says whether there is anything


def tensor_of(value: Any) -> Tensor:
    """``value`` as a Tensor: itself, or an array-like in a dtype of the engine, not copied."""
    if isinstance(value, Storage):
        return value._as_tensor()
    array = as_array(value)
    if thread.trace is not None:
        return from_node(thread.trace.constant(array))
    # The owner of an array may write it again: history needs the numbers as they are now.
    return from_array(array if isinstance(value, list | tuple | float) else array.copy())


def new_tensor(value: Any, requires_grad: bool = False) -> Tensor:
    """A Tensor of its own that holds a copy of ``value``, a leaf: no derivative passes."""
    if isinstance(value, Storage):
        if thread.trace is not None:
            result = from_node(fence(thread.trace.node(value)))
        else:
            result = from_array(aligned_copy(value.concrete))
    elif thread.trace is not None:
        result = tensor_of(value)
    else:
        result = from_array(aligned_copy(as_array(value)))
    if requires_grad:
        result.requires_grad = True
    return result


def replay(roots: Iterable[Node], values: dict[Node, Tensor]) -> list[Tensor]:
    """Tensors for ``roots``, computed by applying the nodes' primitives to those in ``values``.

    What is computed is added to ``values``.
    """
    wanted = tuple(roots)
    loops: dict[Node, list[Tensor]] = {}
    for node in topological(wanted, known=values):
        if node.op == "item":
            values[node] = loops[node.inputs[0]][node.params["index"]]
            continue
        inputs = [values[i] for i in node.inputs]
        if node.op == "scan":
            loops[node] = _replay_loop(node.params, inputs)
        else:
            values[node] = apply(node.primitive, *inputs, **node.params)
    return [values[n] for n in wanted]


def _replay_loop(params: Mapping[str, Any], inputs: list[Tensor]) -> list[Tensor]:
    """The results of a loop, step by step."""
    body, count = params["body"], params["carries"]
    carry, xs, consts = parts_of(inputs, count, params["scanned"])
    stacked: list[list[Tensor]] = []
    for t in range(params["length"])[:: -1 if params["reverse"] else 1]:
        rows = (*carry, *(_row(x, t) for x in xs), *consts)
        results = replay(body.outputs, dict(zip(body.inputs, rows, strict=True)))
        carry = results[:count]
        stacked.append([apply(reshape, y, shape=(1, *y.shape)) for y in results[count:]])
    if params["reverse"]:
        stacked.reverse()
    return [*carry, *(apply(concat, *ys, axis=0) for ys in zip(*stacked, strict=True))]


def _row(x: Tensor, t: int) -> Tensor:
    rest = (0,) * (x.ndim - 1)
    cut = apply(slice_, x, start=(t, *rest), stop=(t + 1, *x.shape[1:]), step=(1,) * x.ndim)
    return apply(reshape, cut, shape=x.shape[1:])
