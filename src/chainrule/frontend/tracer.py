"""Recording: what a trace knows while a Python function runs under it.

Tensors that exist outside and are read inside become *states*, by identity. The trace keeps the
node that stands for each of them at this moment; assigning to a state only exchanges that node.
Nothing outside is changed until the trace has succeeded, so a failed one leaves no mark.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from ..errors import GradientError, TraceError
from ..ir.graph import Graph, Node, at, constant, topological
from ..ir.memory import element_strides
from ..ir.types import Array, DType, Shape
from ..ops.control import assign, fence
from ..ops.sources import input_
from .modes import here, thread, user_line
from .storage import NotKept, Storage, not_kept

if TYPE_CHECKING:
    from .tensor import Tensor

HostScalar = Callable[[int], float]
HostEffect = Callable[[int], None]

#: bytes; larger arrays of the closure would be copied into the program
LARGEST_CONSTANT = 64 * 1024


class Trace(AbstractContextManager["Trace"]):
    """One recording. Inside ``with Trace() as trace`` operations bind nodes instead of running."""

    def __init__(self) -> None:
        self.arguments: list[Node] = []
        self.states: list[Tensor] = []
        self.state_nodes: list[Node] = []
        self.scalar_nodes: list[Node] = []
        self.scalars: list[HostScalar] = []
        self.effects: list[HostEffect] = []
        #: gradients found at entry and read: (tensor, what was there)
        self.grads_read: list[tuple[Tensor, Tensor | NotKept | None]] = []
        self.leaves: list[Tensor] = []
        #: computed Tensors that keep their gradients
        self.retained: list[Tensor] = []
        #: what transforms that are under way differentiate by
        self.variables: list[Node] = []
        #: random draws, and loops in which there are some
        self.draws: list[Node] = []
        self._current: dict[int, Node] = {}
        self._grads: dict[int, tuple[Tensor, Tensor | NotKept | None]] = {}
        self._requires: list[tuple[Tensor, bool]] = []
        #: those that hold results of the trace, and require a gradient while it lasts
        self._borrowed: dict[int, tuple[Tensor, bool]] = {}
        self._overwritten: set[Node] = set()
        #: the bodies of loops being recorded, the innermost last
        self._bodies: list[LoopBody] = []

    #: what has ended with the trace, and what its values are returned from
    named = "a compiled function", "the function"

    @property
    def ended(self) -> bool:
        """Whether nobody can use the values of this trace any more."""
        return thread.trace is not self

    @property
    def scope(self) -> Trace | LoopBody:
        """What the values that are made now belong to."""
        return self._bodies[-1] if self._bodies else self

    def __enter__(self) -> Trace:
        if thread.trace is not None:
            raise TraceError("a trace cannot start inside another", where=user_line())
        thread.trace = self
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if thread.trace is self:
            thread.trace = None
        for tensor, required in self._borrowed.values():
            tensor._requires_grad, tensor._derived = required, False
        if kind is not None:
            for tensor, required in reversed(self._requires):
                tensor._requires_grad = required

    # -------------------------------------------------------------------------------- inputs

    def argument(self, name: str, shape: Shape, dtype: DType, strides: Shape) -> Node:
        """A new ``arg`` input."""
        node = input_(kind="arg", name=name, shape=shape, dtype=dtype, strides=strides)
        self.arguments.append(node)
        return node

    def node(self, tensor: Storage) -> Node:
        """The node that stands for ``tensor`` now."""
        if tensor._array is None:
            if tensor._trace is None or tensor._trace.ended or tensor._node is None:
                raise tensor._no_numbers()
            return tensor._node
        current = self._current.get(id(tensor))
        return current if current is not None else self._capture(tensor._as_tensor())

    def _capture(self, tensor: Tensor) -> Node:
        """``tensor`` becomes a state of this trace, which keeps it alive."""
        array = tensor.settle()
        node = input_(
            kind="state",
            name=f"s{len(self.states)}",
            shape=array.shape,
            dtype=DType.of(array.dtype),
            strides=element_strides(array),
        )
        self.states.append(tensor)
        self.state_nodes.append(node)
        self._current[id(tensor)] = node
        return node

    def rebind(self, tensor: Storage, value: Node) -> None:
        """From here on ``tensor`` stands for ``value``."""
        before = self.node(tensor)
        if tensor.has_history:
            raise GradientError(
                "a Tensor that was computed outside, with a gradient, is updated in a compiled "
                "function",
                where=user_line(),
                help="compute it inside of the function, or let it write x.detach().clone()",
            )
        if tensor._requires_grad and tensor.is_leaf:
            self._overwritten.add(before)
        if self._bodies:
            self._bodies[-1].note(tensor, before)
        self.stand_for(tensor, value)

    def stand_for(self, tensor: Storage, node: Node) -> None:
        """``node`` stands for ``tensor`` from here on, and nobody is told."""
        if tensor._array is None:
            tensor._node = node
        else:
            self._current[id(tensor)] = node

    def inside(self, carried: Mapping[Tensor, Node]) -> LoopBody:
        """The body of a loop is being recorded, where nodes stand for states that it carries."""
        return LoopBody(self, carried)

    def among_members(self) -> LoopBody:
        """What one member of a `vmap` does is being recorded."""
        return Member(self, {})

    def scalar(self, compute: HostScalar) -> Node:
        """A new ``scalar`` input that the host computes before each step."""
        name = f"h{len(self.scalars)}"
        node = input_(kind="scalar", name=name, shape=(), dtype=DType.f64, strides=())
        self.scalars.append(compute)
        self.scalar_nodes.append(node)
        return node

    def constant(self, array: Array) -> Node:
        """An array of the closure, copied into the program; `TraceError` if it is large."""
        if array.nbytes > LARGEST_CONSTANT:
            raise TraceError(
                f"an array of {array.nbytes // 1024} KiB would become a constant of the program",
                where=user_line(),
                help="pass it to the compiled function as an argument, or wrap it once outside: "
                "t = cr.tensor(array)",
            )
        with at(here()):
            return constant(array)

    # ---------------------------------------------------------------------------- gradients

    def derive(self, tensor: Tensor, derived: bool) -> None:
        """``tensor`` holds a result that requires a gradient, or one that does not.

        One from outside does so until the trace ends, as its memory carries no gradient.
        """
        if not tensor.is_traced:
            self._borrowed.setdefault(id(tensor), (tensor, tensor._requires_grad))
        tensor._requires_grad = tensor._derived = derived

    def remember_requires_grad(self, tensor: Tensor) -> None:
        """``requires_grad`` of ``tensor`` is about to change; a traced one becomes a leaf."""
        if tensor.is_traced:
            if all(t is not tensor for t in self.leaves):
                self.leaves.append(tensor)
        else:
            self._requires.append((tensor, tensor._requires_grad))

    def read_grad(self, tensor: Tensor) -> Tensor | None:
        """The gradient of a state as the trace sees it."""
        entry = self._grads.get(id(tensor))
        if entry is None:
            self.grads_read.append((tensor, tensor._grad))
            entry = (tensor, tensor._grad)
        value = entry[1]
        if isinstance(value, NotKept):
            raise not_kept()
        return value

    def write_grad(self, tensor: Tensor, value: Tensor | None) -> None:
        """The gradient of a state from here on."""
        self._grads[id(tensor)] = (tensor, value)

    def final_grads(self) -> list[tuple[Tensor, Tensor | None]]:
        """Gradients that were set, as the function left them."""
        return [(t, g) for t, g in self._grads.values() if not isinstance(g, NotKept)]

    def retain(self, tensor: Tensor) -> None:
        """``tensor``, a value of this trace, keeps the gradient that ``backward()`` computes."""
        if self._bodies:
            raise GradientError(
                "a value in the body of a scan cannot keep its gradient",
                where=user_line(),
                help="return it as y, and keep the gradient of the stacked values",
            )
        if tensor._derived and all(t is not tensor for t in self.retained):
            self.retained.append(tensor)

    def gradient_targets(self) -> list[Tensor]:
        """Tensors with respect to which ``backward()`` computes gradients."""
        return [t for t in (*self.states, *self.leaves) if t._requires_grad and not t._derived]

    def depend_on_gradients(self, nodes: Sequence[Node]) -> list[bool]:
        """For each node, whether a derivative by anything tracked passes through it."""
        targets = [self.node(t) for t in self.gradient_targets()]
        reached = {*targets, *self._overwritten, *self.variables}
        for n in topological(nodes):
            if n.primitive is not fence and n.dtype.is_float and not reached.isdisjoint(n.inputs):
                reached.add(n)
        return [n in reached for n in nodes]

    def check_not_overwritten(self, root: Node) -> None:
        """`GradientError` if ``root`` depends on a value that was assigned over since."""
        if not self._overwritten:
            return
        # No derivative passes a fence: an update of parameters may depend on their old values.
        fences = {n for n in topological((root,)) if n.primitive is fence}
        if any(n in self._overwritten for n in topological((root,), known=fences)):
            raise GradientError(
                "a Tensor that the loss depends on was changed before backward()",
                where=user_line(),
                help="call backward() first and update parameters after it",
            )

    # -------------------------------------------------------------------------------- result

    def updates(self) -> tuple[Node, ...]:
        """An ``assign`` for each state that stands for another value than at the start."""
        changed = []
        for tensor, node in zip(self.states, self.state_nodes, strict=True):
            value = self._current[id(tensor)]
            if value is not node:
                changed.append(assign(node, value))
        return tuple(changed)

    def graph(self, outputs: tuple[Node, ...]) -> Graph:
        """The recording as a graph: inputs are arguments, states, scalars."""
        inputs = (*self.arguments, *self.state_nodes, *self.scalar_nodes)
        return Graph(inputs, outputs, self.updates())


class LoopBody(AbstractContextManager["LoopBody"]):
    """Inside, a trace records the body of a loop. When it ends, all is as it was before.

    What the body writes to Tensors from outside is noted: it has to be carried from step to step.
    """

    def __init__(self, trace: Trace, carried: Mapping[Tensor, Node]) -> None:
        self._trace, self._carried = trace, carried
        self._before: list[tuple[Tensor, Node]] = []
        self._written: list[tuple[weakref.ref[Storage], Node, Tensor | None]] = []

    named = "a step of a scan", "the body, as part of the carry or as y,"
    who, what, one, inside = "the body of a scan", "scan", "step", "the body"
    instead = "pass it in as part of init, and return its new value"

    @property
    def ended(self) -> bool:
        """Whether the step is over, or the trace around it."""
        return self._trace.ended or self not in self._trace._bodies

    def __enter__(self) -> LoopBody:
        trace = self._trace
        self._grads = dict(trace._grads)
        self._host = len(trace.scalars), len(trace.effects)
        self._overwritten = set(trace._overwritten)
        for tensor, node in self._carried.items():
            self._before.append((tensor, trace.node(tensor)))
            trace.stand_for(tensor, node)
        trace._bodies.append(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        trace = self._trace
        trace._bodies.pop()
        for reference, node, _ in reversed(self._written):
            tensor = reference()
            if tensor is not None:
                trace.stand_for(tensor, node)
        for tensor, node in self._before:
            trace.stand_for(tensor, node)
        trace._overwritten = self._overwritten
        left = trace._grads != self._grads
        trace._grads = self._grads
        if kind is not None:
            return
        if len(trace.effects) > self._host[1]:
            del trace.effects[self._host[1] :]
            raise TraceError(
                f"{self.who} does something that happens once in a training step, such as "
                "an optimizer's step()",
                where=user_line(),
                help=f"do it outside of the {self.what}",
            )
        if left:
            raise GradientError(
                f"backward() in {self.who} would leave the gradient of one {self.one} behind",
                where=user_line(),
                help=f"use cr.grad(f)(x) in {self.inside}, or call backward() on the result of the "
                f"{self.what}",
            )

    def note(self, tensor: Storage, before: Node) -> None:
        """``tensor``, for which ``before`` stood, is written for the first time or once more."""
        if all(reference() is not tensor for reference, _, _ in self._written):
            kept = tensor._as_tensor() if tensor._array is not None else None
            self._written.append((weakref.ref(tensor), before, kept))

    def written(self, own: Iterable[Tensor]) -> list[Tensor]:
        """States that the body wrote. ``own`` are the Tensors that it got and returned.

        `TraceError` if it wrote a result of the step around the loop.
        """
        mine = {id(t) for t in own}
        for reference, _, state in self._written:
            tensor = reference()
            if state is None and tensor is not None and id(tensor) not in mine:
                raise TraceError(
                    f"{self.who} changes a Tensor that was computed outside of it",
                    where=user_line(),
                    help=self.instead,
                )
        return [state for _, _, state in self._written if state is not None]

    def forget(self) -> None:
        """The body will be recorded again: numbers that the host computes for it are dropped."""
        del self._trace.scalars[self._host[0] :], self._trace.scalar_nodes[self._host[0] :]


class Member(LoopBody):
    """Inside, a trace records what one member of a `vmap` does."""

    named = "a member of a vmap", "the function,"
    who, what, one, inside = "a function under vmap", "vmap", "member", "the function"
    instead = "pass it in as an argument, and return its new value"
