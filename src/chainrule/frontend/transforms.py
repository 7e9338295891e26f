"""Derivatives of functions: ``grad(f)(x)`` and its relatives.

The function is recorded, its derivative built as a graph, and the graph evaluated; inside a trace
the nodes simply join it. So transforms nest: ``grad(grad(f))`` is the second derivative. They
differentiate inside a `no_grad`, too, where only their results are constants; one inside the
function stops derivatives as ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..autodiff import cotangents
from ..errors import GradientError, ShapeError
from ..ir.graph import Node, bind, full_like
from ..ir.types import DType, is_whole
from .apply import from_node, tensor_of
from .modes import restored, thread, user_line
from .operations.arithmetic import broadcast_to, cast, equal
from .operations.creation import iota
from .operations.shaping import reshape, stack
from .recording import Recording, recorded
from .storage import Storage
from .tensor import Tensor
from .traced import is_array
from .tree import Branch, Tree, flatten, flatten_like, unflatten

Function = Callable[..., Any]


def _is_real(value: Any) -> bool:
    return is_array(value) or isinstance(value, float | int)


def _real_leaves(value: Any, what: str) -> tuple[list[Tensor], Tree]:
    """The Tensors of an argument or result, which must be real."""
    leaves, tree = flatten(value, _is_real)
    return _real(leaves, what), tree


def _like(value: Any, tree: Tree, like: Sequence[Node | Tensor], what: str) -> list[Tensor]:
    """The Tensors of ``value``, nested as ``tree`` and shaped as ``like``."""
    leaves = flatten_like(tree, value, _is_real)
    tensors = None if leaves is None else _real(leaves, what)
    if tensors is None or [t.shape for t in tensors] != [n.shape for n in like]:
        shapes = ", ".join(str(n.shape) for n in like)
        found = "are nested differently" if tensors is None else "have different shapes"
        raise ShapeError(
            f"{what} {found}",
            where=user_line(),
            help=f"pass the same containers, of shapes {shapes}",
        )
    return tensors


def _real(leaves: Sequence[Any], what: str) -> list[Tensor]:
    tensors = [tensor_of(float(v) if isinstance(v, int) else v) for v in leaves]
    for tensor in tensors:
        if not tensor.dtype.is_float:
            raise GradientError(
                f"{what} of dtype {tensor.dtype!r} has no derivative",
                where=user_line(),
                help="use real numbers",
            )
    return tensors


def _nodes(tensors: Sequence[Tensor]) -> list[Node]:
    assert thread.trace is not None
    return [thread.trace.node(t) for t in tensors]


def _filled(xs: Sequence[Node], gradients: Sequence[Node | None]) -> list[Node]:
    return [full_like(x, 0.0) if g is None else g for x, g in zip(xs, gradients, strict=True)]


# --------------------------------------------------------------------------- grad and vjp


def value_and_grad(
    function: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Function:
    """A function that gives ``function``'s value and its derivatives by arguments ``argnums``.

    The value must be one number (else `GradientError`); with ``has_aux`` the function returns
    (value, anything). Arguments may be nested lists, tuples and dicts.
    """

    @restored
    def derived(*args: Any) -> Any:
        chosen = _chosen(argnums, len(args))
        split = [_real_leaves(args[i], f"argument {i}") for i in chosen]
        with recorded() as recording:
            xs = [[recording.variable(t) for t in tensors] for tensors, _ in split]
            called = list(args)
            for i, nodes, (_, tree) in zip(chosen, xs, split, strict=True):
                called[i] = unflatten(tree, [from_node(n, True) for n in nodes])
            flat = [x for nodes in xs for x in nodes]
            returned = recording.call(function, called, flat)
            if has_aux and not (isinstance(returned, tuple) and len(returned) == 2):
                raise GradientError(
                    "with has_aux the function returns two things: the value, and anything else",
                    where=user_line(),
                )
            value, aux = returned if has_aux else (returned, None)
            y = _scalar_node(value)
            grads = _filled(flat, cotangents([y], [full_like(y, 1.0)], flat))
            aux_leaves, aux_tree = flatten(aux, lambda v: isinstance(v, Storage))
            wanted = [y, *grads, *_nodes(aux_leaves)]
        values = recording.results(wanted)
        loss, rest = values[0], values[1:]
        results = []
        for nodes, (_, tree) in zip(xs, split, strict=True):
            results.append(unflatten(tree, rest[: len(nodes)]))
            rest = rest[len(nodes) :]
        out = tuple(results) if isinstance(argnums, Iterable) else results[0]
        return ((loss, unflatten(aux_tree, rest)) if has_aux else loss), out

    return derived


def _chosen(argnums: Any, count: int) -> tuple[int, ...]:
    """Numbers of arguments, counted from the front; `GradientError` if one is none, or is twice."""
    given = tuple(argnums) if isinstance(argnums, Iterable) else (argnums,)
    if not all(is_whole(i) and -count <= i < count for i in given):
        raise GradientError(
            f"argnums is {argnums!r}, but the function got {count} arguments",
            where=user_line(),
            help="count positional arguments from 0",
        )
    chosen = tuple(int(i) % count for i in given)
    if len(set(chosen)) < len(chosen):
        raise GradientError(f"argnums {argnums!r} names an argument twice", where=user_line())
    return chosen


def _scalar_node(value: Any) -> Node:
    assert thread.trace is not None
    y = thread.trace.node(tensor_of(value))
    if math.prod(y.shape) != 1 or not y.dtype.is_float:
        raise GradientError(
            f"grad needs a function that returns one real number, not {y.dtype!r}{list(y.shape)}",
            where=user_line(),
            help="reduce it, for example with .sum(), or use jacobian or vjp",
        )
    return y


def grad(function: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """The derivative of ``function`` by arguments ``argnums``, as a function."""
    both = value_and_grad(function, argnums, has_aux)

    def derived(*args: Any) -> Any:
        value, gradient = both(*args)
        return (gradient, value[1]) if has_aux else gradient

    return derived


@restored
def vjp(function: Function, *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """(y, pull) for y = function(*primals); ``pull(g)`` is the tuple of (dy/dx)ᵀ g for each x.

    The function runs once, so that random numbers in it are the same for y and its derivatives.
    """
    split = [_real_leaves(p, f"argument {i}") for i, p in enumerate(primals)]
    with recorded() as recording:
        xs, called = _variables(recording, split)
        ys, tree = _real_leaves(recording.call(function, called, xs), "the result")
        y_nodes = _nodes(ys)
    value = unflatten(tree, recording.results(y_nodes))

    def pull(g: Any) -> tuple[Any, ...]:
        seeds = _like(g, tree, y_nodes, "the cotangents")
        gs = [recording.variable(s) for s in seeds]
        gradients = _filled(xs, cotangents(y_nodes, gs, xs))
        values = iter(recording.tensors(gradients))
        return tuple(unflatten(t, [next(values) for _ in tensors]) for tensors, t in split)

    return value, pull


def _variables(
    recording: Recording, split: Sequence[tuple[list[Tensor], Tree]]
) -> tuple[list[Node], list[Any]]:
    """Nodes for all leaves of the arguments, and the arguments made of them."""
    flat: list[Node] = []
    called = []
    for tensors, tree in split:
        nodes = [recording.variable(t) for t in tensors]
        flat += nodes
        called.append(unflatten(tree, [from_node(n, True) for n in nodes]))
    return flat, called


# ------------------------------------------------------------------------------------- jvp


def jvp(function: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """(y, dy/dx · tangents) for y = function(*primals): the derivative along a direction.

    By transposing twice: g -> (dy/dx)ᵀ g is linear in g, and the cotangent of that map is the
    product with dy/dx itself. No second table of rules is needed.
    """
    if not (isinstance(primals, list | tuple) and isinstance(tangents, list | tuple)):
        raise GradientError(
            "jvp takes a tuple of arguments and a tuple of directions",
            where=user_line(),
            help="for one argument: jvp(f, (x,), (t,))",
        )
    return _pushed(function, tuple(primals), tuple(tangents))


@restored
def _pushed(
    function: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...] | None
) -> tuple[Any, Any]:
    split = [_real_leaves(p, f"argument {i}") for i, p in enumerate(primals)]
    leaves = [t for tensors, _ in split for t in tensors]
    whole = Branch(tuple, (), tuple(tree for _, tree in split))
    along = [] if tangents is None else _like(tangents, whole, leaves, "the tangents")
    with recorded() as recording:
        xs, called = _variables(recording, split)
        ys, tree = _real_leaves(recording.call(function, called, xs), "the result")
        y_nodes = _nodes(ys)
        directions = [recording.variable(t) for t in along]
        pushed = [] if tangents is None else _push(y_nodes, xs, directions)
    values = recording.results([*y_nodes, *pushed])
    value = unflatten(tree, values[: len(ys)])
    return value, (None if tangents is None else unflatten(tree, values[len(ys) :]))


def _push(ys: Sequence[Node], xs: Sequence[Node], directions: Sequence[Node]) -> list[Node]:
    dummies = [full_like(y, 0.0) for y in ys]
    dummies = [d if d.op != "const" else bind("reshape", d, shape=()) for d in dummies]
    pulled = cotangents(ys, dummies, xs)
    pairs = [(p, t) for p, t in zip(pulled, directions, strict=True) if p is not None]
    return _filled(ys, cotangents([p for p, _ in pairs], [t for _, t in pairs], dummies))


# --------------------------------------------------------------------- jacobian and hessian


def jacobian(function: Function, argnum: int = 0) -> Function:
    """A function that gives dy/dx, of shape (*y.shape, *x.shape), for one array argument."""

    def derived(*args: Any) -> Tensor:
        (number,) = _chosen((argnum,), len(args))

        def partial(x: Any) -> Any:
            return function(*args[:number], x, *args[number + 1 :])

        x = tensor_of(args[number])
        y, pull = vjp(partial, x)
        if not isinstance(y, Storage):
            raise GradientError(
                f"jacobian needs a function that returns one array, not {type(y).__name__}",
                where=user_line(),
                help="use vjp or jvp for several results",
            )
        size = math.prod(y.shape)
        flat = cast(equal(iota((size, size), 0), iota((size, size), 1)), DType.f32)
        rows = [pull(reshape(flat[i], y.shape))[0] for i in range(size)]
        if not rows:
            return broadcast_to(tensor_of(0.0), (*y.shape, *x.shape))
        return reshape(stack(rows), (*y.shape, *x.shape))

    return derived


def hessian(function: Function, argnum: int = 0) -> Function:
    """A function that gives the matrix of second derivatives, (*x.shape, *x.shape)."""
    return jacobian(grad(function, argnum), argnum)
