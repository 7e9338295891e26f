"""A Python function as a graph, and what must be known to run it without the function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import TraceError
from ..ir.graph import Graph, Node
from ..ir.memory import narrowed, target_dtype
from ..ir.types import Array, row_major
from .apply import from_array, from_node
from .modes import restored, structure, user_line
from .storage import NOT_KEPT, NotKept, Storage
from .tensor import Tensor
from .tracer import HostEffect, HostScalar, Trace
from .tree import Tree, flatten, paths, statics, unflatten


@dataclass(frozen=True)
class Traced:
    """A recorded step.

    ``graph.inputs`` are the arguments (leaves of the call, from left to right), then the states,
    then the scalars. ``graph.outputs`` are the leaves of the result, then kept gradients. An
    output may be an input or appear twice. ``epoch`` is the `structure` it was recorded under.
    """

    graph: Graph
    #: containers of the call, (args, kwargs), around its array leaves
    call: Tree
    #: what the caller's arrays must be cast to, by leaf; None where nothing is to be done
    casts: tuple[Callable[[Array], Array] | None, ...]
    states: tuple[Tensor, ...]
    scalars: tuple[HostScalar, ...]
    effects: tuple[HostEffect, ...]
    #: containers of the result around its Tensors
    result: Tree
    results: int
    #: gradients as the function leaves them: an output's index, None, or `NotKept`
    grads: tuple[tuple[Tensor, int | NotKept | None], ...]
    #: gradients that were found at entry and used: the recording holds for these alone
    grads_read: tuple[tuple[Tensor, Tensor | NotKept | None], ...]
    epoch: int

    @property
    def arguments(self) -> tuple[Node, ...]:
        """The ``arg`` inputs."""
        return tuple(n for n in self.graph.inputs if n.params["kind"] == "arg")

    @property
    def updated(self) -> tuple[Tensor, ...]:
        """The states that a step writes."""
        state_of = dict(zip(self.state_nodes, self.states, strict=True))
        return tuple(state_of[u.inputs[0]] for u in self.graph.updates)

    @property
    def state_nodes(self) -> tuple[Node, ...]:
        """The ``state`` inputs, in the order of ``states``."""
        return tuple(n for n in self.graph.inputs if n.params["kind"] == "state")

    def environment(self, arrays: Sequence[Array]) -> dict[Node, Array]:
        """The values of all inputs of the graph in a first step on ``arrays``."""
        scalars = (np.asarray(scalar(0), np.float64) for scalar in self.scalars)
        values = (*arrays, *(state.concrete for state in self.states), *scalars)
        return dict(zip(self.graph.inputs, values, strict=True))

    def is_current(self) -> bool:
        """Whether the program outside is still as it was when this was recorded."""
        return self.epoch == structure.epoch and self.gradients_fit()

    def gradients_fit(self) -> bool:
        """Whether the gradients it starts from are still those that were recorded."""
        return all(t._grad is g for t, g in self.grads_read)

    def unpack(self, outputs: Sequence[Array]) -> Any:
        """The result of a call, made of its output arrays."""
        from_outputs = [from_array(a) for a in outputs[: self.results]]
        return unflatten(self.result, from_outputs)


def is_array(value: Any) -> bool:
    """Whether an argument is a leaf: numbers that a call may exchange without a new recording."""
    return isinstance(value, np.ndarray | np.generic | Storage)


def array_of(leaf: Any) -> Array:
    """The array of a leaf of a call."""
    return leaf.concrete if isinstance(leaf, Storage) else np.asarray(leaf)


def flatten_call(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[list[Array], Tree]:
    """The arrays of a call and its containers; `TraceError` for values that cannot be compared."""
    leaves, tree = flatten((args, dict(kwargs)), is_array)
    for value in statics(tree):
        try:
            hash(value)
        except TypeError:
            raise TraceError(
                f"a compiled function cannot take an argument of type {type(value).__name__}",
                where=user_line(),
                help="pass arrays, Tensors, numbers, strings, or lists, tuples and dicts of them",
            ) from None
    return [array_of(leaf) for leaf in leaves], tree


def _argument(trace: Trace, name: str, array: Array, varied: bool) -> Tensor:
    dtype = target_dtype(array.dtype)
    node = trace.argument(name, array.shape, dtype, row_major(array.shape))
    return from_node(node, varied and dtype.is_float)


def _cast(array: Array) -> Callable[[Array], Array] | None:
    return None if target_dtype(array.dtype).numpy == array.dtype else narrowed


@restored
def trace_function(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    keep_grads: bool = False,
    varied: bool = False,
    names: Sequence[str] | None = None,
) -> Traced:
    """Record ``function(*args, **kwargs)``. Arrays and Tensors in the arguments become inputs.

    With ``varied`` real ones require gradients, so that `detach` and `no_grad` stop derivatives.
    ``names`` are those of the inputs, otherwise x0, x1, ...
    Nothing outside is changed. Errors of the function pass through, with what it did undone.
    """
    arrays, call = flatten_call(args, kwargs)
    with Trace() as trace:
        names = [f"x{i}" for i in range(len(arrays))] if names is None else names
        leaves = [_argument(trace, n, a, varied) for n, a in zip(names, arrays, strict=True)]
        trace.variables.extend(trace.node(t) for t in leaves if t.requires_grad)
        new_args, new_kwargs = unflatten(call, leaves)
        returned = function(*new_args, **new_kwargs)
        results, result = flatten(returned, lambda v: isinstance(v, Storage))
        outputs = [trace.node(t) for t in results]
        grads = _final_grads(trace, outputs, keep_grads)
        graph = trace.graph(tuple(outputs))
    return Traced(
        graph=graph,
        call=call,
        casts=tuple(_cast(a) for a in arrays),
        states=tuple(trace.states),
        scalars=tuple(trace.scalars),
        effects=tuple(trace.effects),
        result=result,
        results=len(results),
        grads=grads,
        grads_read=tuple(trace.grads_read),
        epoch=structure.epoch,
    )


def _final_grads(
    trace: Trace, outputs: list[Node], keep_grads: bool
) -> tuple[tuple[Tensor, int | NotKept | None], ...]:
    """What becomes of each gradient; those to be kept are added to ``outputs``."""
    finals: list[tuple[Tensor, int | NotKept | None]] = []
    for tensor, grad in trace.final_grads():
        if grad is None:
            finals.append((tensor, None))
        elif not grad.is_traced and grad is tensor._grad:
            continue  # a state of its own, which the step updates in place
        elif keep_grads:
            finals.append((tensor, len(outputs)))
            outputs.append(trace.node(grad))
        else:
            finals.append((tensor, NOT_KEPT))
    return tuple(finals)


def describe_call(call: Tree, arrays: Sequence[Array]) -> dict[str, str]:
    """Each argument's path and what a recording depends on of it."""
    names = [_argument_name(p) for p in paths(call)]
    parts = {n: f"{a.dtype}{list(a.shape)}" for n, a in zip(names, arrays, strict=True)}
    parts["other arguments"] = ", ".join(repr(v) for v in statics(call)) or "none"
    return parts


def _argument_name(path: str) -> str:
    """``[0][1]`` is argument 1, ``[1]['y']`` is argument y."""
    return "argument " + path.removeprefix("[0]").removeprefix("[1]").strip("[]'")
