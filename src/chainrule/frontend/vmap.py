"""``vmap``: a function of one member, for all members at once.

The function is recorded once, with placeholders for one member, and what it recorded is batched
(`batching.py`): that is graph like all other, inside a trace or, outside, evaluated at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ..batching import Value, batched, moved, stretched
from ..errors import ShapeError, TraceError
from ..ir.graph import Node
from ..ir.types import is_whole
from ..ops.bodies import placeholder
from .apply import from_node, tensor_of
from .modes import restored, thread, user_line
from .recording import recorded
from .storage import Storage
from .tensor import Tensor
from .traced import is_array
from .tracer import Trace
from .tree import Branch, Leaf, Tree, flatten, paths, unflatten

Function = Callable[..., Any]


def vmap(func: Function, in_dims: Any = 0, out_dims: Any = 0) -> Function:
    """A function that does what ``func`` does for each member, for all of them at once.

        vmap(func)(x)[k] == func(x[k])                      for k = 0 ... members - 1

    ``func`` is called once, with one member of each argument, and sees no axis of members.
    Members may be models of an ensemble (their parameters stacked: `stack_module_state` and
    `functional_call`), rows, seeds or settings. It can be compiled, differentiated by `grad` from
    inside and from outside, and nested; on a row of members a product of matrices is one batched
    product.

    Arguments:
        func:     takes and returns Tensors, or lists, tuples and dicts of them.
        in_dims:  the axis of the members in every argument, None for what is the same for all;
                  or a tuple with an entry for each positional argument, where an entry may be
                  nested like its argument. Keyword arguments have the members in front. Numbers
                  that are no arrays are the same for all.
        out_dims: where the axis of the members goes in the results: one axis, or nested like
                  the result; None for a result that is the same for all.

    Random numbers are drawn for each member. What ``func`` writes to Tensors from outside must
    be the same for all members.

    Raises ShapeError where lengths differ or an axis does not exist, TraceError for what cannot
    be done once for each member.

    >>> import chainrule as cr, numpy as np
    >>> x, w = np.ones((3, 4), "f"), np.arange(8, dtype="f").reshape(2, 4)
    >>> cr.vmap(lambda w: x @ w)(w).numpy().tolist()
    [[6.0, 6.0, 6.0], [22.0, 22.0, 22.0]]
    """

    @restored
    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = flatten((args, kwargs), is_array)
        tensors = [tensor_of(leaf) for leaf in leaves]
        dims = _input_dims(tree, in_dims, len(args))
        members = _Members.of(tensors, dims, paths(tree, ""))
        with recorded() as recording:
            assert thread.trace is not None
            whole = [
                t if d is None else recording.variable(t)
                for t, d in zip(tensors, members.dims, strict=True)
            ]
            nodes, result = members.record(thread.trace, func, tree, whole, out_dims)
        return unflatten(result, recording.results(nodes))

    return mapped


class _Members:
    """A call: its arrays, where each has its members, and how many there are."""

    def __init__(self, tensors: Sequence[Tensor], dims: Sequence[int | None], size: int) -> None:
        self.tensors, self.dims, self.size = tensors, dims, size

    @staticmethod
    def of(tensors: Sequence[Tensor], dims: Sequence[int | None], names: Sequence[str]) -> _Members:
        """With axes counted from the front; ShapeError if the number of members is not clear."""
        axes: list[int | None] = []
        sizes: dict[str, int] = {}
        for tensor, dim, path in zip(tensors, dims, names, strict=True):
            name = "argument " + path.removeprefix("[0]").removeprefix("[1]")
            axes.append(None if dim is None else _axis(dim, tensor.ndim, name, "in_dims"))
            if dim is not None:
                sizes[name] = tensor.shape[axes[-1] or 0]
        if len(set(sizes.values())) != 1 or 0 in sizes.values():
            told = ", ".join(f"{name} has {size}" for name, size in sizes.items())
            raise ShapeError(
                f"the number of members is not clear: {told or 'no argument has any'}",
                where=user_line(),
                help="all mapped axes need the same length, at least 1; in_dims=None is for what "
                "is the same for all members",
            )
        return _Members(tensors, axes, next(iter(sizes.values())))

    def record(
        self, trace: Trace, func: Function, tree: Tree, whole: Sequence[Node | Tensor], dims: Any
    ) -> tuple[list[Node], Tree]:
        """Nodes for the results of all members, and their nesting."""
        env: dict[Node, Value] = {}
        given = []
        for tensor, dim, node in zip(self.tensors, self.dims, whole, strict=True):
            if dim is None or not isinstance(node, Node):
                given.append(tensor)
                continue
            shape = tuple(n for a, n in enumerate(tensor.shape) if a != dim)
            one = placeholder(f"m{len(env)}", shape, tensor.dtype)
            env[one] = moved(node, dim, 0), True
            given.append(from_node(one, tensor.requires_grad))
        before = len(trace.draws)
        with trace.among_members() as member:
            args, kwargs = unflatten(tree, given)
            found, result = flatten(func(*args, **kwargs), _is_result)
            results = [tensor_of(t) for t in found]
            nodes = [trace.node(t) for t in results]
            written = member.written([*given, *results])
            ends = [trace.node(t) for t in written]
        values = batched([*nodes, *ends], env, self.size, trace.draws[before:])
        for tensor, (node, differs) in zip(written, values[len(nodes) :], strict=True):
            if differs:
                raise TraceError(
                    f"a function under vmap writes a Tensor from outside, {tensor.dtype!r}"
                    f"{list(tensor.shape)}, to which each member would give a value of its own",
                    where=user_line(),
                    help="pass it in with an axis of members, and return its new value",
                )
            trace.rebind(tensor, node)
        axes = _output_dims(result, dims)
        names = paths(result, "the result")
        return [
            self._placed(*each) for each in zip(values[: len(nodes)], axes, names, strict=True)
        ], result

    def _placed(self, value: Value, dim: int | None, name: str) -> Node:
        node, differs = value
        if dim is None:
            if differs:
                raise ShapeError(
                    f"out_dims is None for {name}, which differs from member to member",
                    where=user_line(),
                    help="say where its axis of members goes, such as 0",
                )
            return node
        node = stretched(value, self.size)
        return moved(node, 0, _axis(dim, node.ndim, name, "out_dims"))


def _is_result(value: Any) -> bool:
    return isinstance(value, Storage) or is_array(value)


def _axis(dim: int, ndim: int, name: str, what: str) -> int:
    if not -ndim <= dim < ndim:
        axes = f"{ndim} axes" if ndim != 1 else "1 axis"
        raise ShapeError(
            f"{what} is {dim} for {name}, which has {axes}",
            where=user_line(),
            help="use an axis that exists, or None for what is the same for all members",
        )
    return dim % ndim


def _input_dims(tree: Tree, dims: Any, count: int) -> list[int | None]:
    """An axis for each array of a call, (args, kwargs)."""
    assert isinstance(tree, Branch)
    args, kwargs = tree.children
    if isinstance(dims, list | tuple) and len(dims) != count:
        raise ShapeError(
            f"in_dims has {len(dims)} entries, but the function got {count} arguments",
            where=user_line(),
            help="give an entry for each positional argument, or one axis for all",
        )
    return [*_spread(args, dims, "in_dims"), *_spread(kwargs, 0, "in_dims")]


def _output_dims(tree: Tree, dims: Any) -> list[int | None]:
    """An axis for each array of the result."""
    return _spread(tree, dims, "out_dims")


def _spread(tree: Tree, dims: Any, what: str) -> list[int | None]:
    """``dims``, an axis for all leaves of ``tree`` or nested like it, leaf by leaf."""
    if dims is None or is_whole(dims):
        return [None if dims is None else int(dims)] * len(paths(tree))
    inner: list[Any] | None = None
    if isinstance(tree, Branch) and isinstance(dims, dict) and set(dims) == set(tree.keys):
        inner = [dims[k] for k in tree.keys]
    elif isinstance(tree, Branch) and isinstance(dims, list | tuple) and not tree.keys:
        inner = list(dims)
    if isinstance(tree, Leaf) or inner is None or len(inner) != len(tree.children):  # type: ignore[union-attr]
        raise ShapeError(
            f"{what} is nested differently from what it is for: {dims!r}",
            where=user_line(),
            help="give one axis for all, or the same containers with an axis for each array",
        )
    assert isinstance(tree, Branch)
    return [d for t, each in zip(tree.children, inner, strict=True) for d in _spread(t, each, what)]
