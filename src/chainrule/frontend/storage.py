"""What a Tensor holds, below its operators: an array, or a node of the trace being recorded."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..errors import DTypeError, GradientError, ShapeError, TraceError
from ..ir.graph import Node
from ..ir.memory import aligned_copy, element_strides, is_dense
from ..ir.types import Array, DType, Shape
from ..ops.sources import input_
from .modes import structure, thread, user_line

if TYPE_CHECKING:
    from .pieces import Cut
    from .tensor import Tensor
    from .tracer import LoopBody, Trace


class NotKept:
    """The ``.grad`` of a parameter whose gradient stayed inside a compiled call."""


NOT_KEPT = NotKept()


class Writer:
    """A compiled program that writes states; ``runs`` counts its executions."""

    __slots__ = ("runs",)

    def __init__(self) -> None:
        self.runs = 0


class GradClock:
    """``ticks`` counts gradients set outside of compiled programs."""

    ticks = 0


grad_clock = GradClock()


class Record:
    """One value of eager history: its node, its array, and the records it was computed from.

    A chain of records is the tape, which the tensors that were computed hold. ``stale``: the array
    was overwritten since. ``used``: a tape goes on from here. ``retainer``: a computed Tensor that
    keeps the gradient of this value.
    """

    __slots__ = ("__weakref__", "_stamp", "_written", "array", "inputs", "node", "owner",
                 "retainer", "used")  # fmt: skip

    def __init__(
        self, node: Node, array: Array, inputs: tuple[Record, ...], owner: Storage | None
    ) -> None:
        self.node = node
        self.array = array
        self.inputs = inputs
        self.owner = None if owner is None else weakref.ref(owner)  # strong: a cycle
        self.retainer: weakref.ref[Storage] | None = None
        self.used = self._written = False
        self._stamp = 0 if owner is None else owner.runs()

    @property
    def stale(self) -> bool:
        """Whether ``array`` no longer holds the value that was recorded."""
        owner = None if self.owner is None else self.owner()
        return self._written or (owner is not None and owner.runs() != self._stamp)

    def overwrite(self, keep: bool) -> None:
        """The array is about to hold another value. The tape may ``keep`` the old one."""
        if not keep:
            self._written = True
        elif self.used:
            self.array = self.array.copy()


class Storage:
    """The state of a Tensor. `Tensor` is its one concrete class."""

    __slots__ = (
        "__weakref__",
        "_array",
        "_base",
        "_cuts",
        "_derived",
        "_grad",
        "_node",
        "_pieces",
        "_pinned",
        "_record",
        "_requires_grad",
        "_tapes",
        "_trace",
        "_views",
        "_writers",
    )

    tensor_type: ClassVar[type[Tensor]]

    _array: Array | None
    _node: Node | None
    _trace: Trace | LoopBody | None
    _record: Record | None
    _requires_grad: bool
    _grad: Tensor | NotKept | None
    _writers: tuple[Writer, ...]
    #: whose memory this array lies in, if it is not its own
    _base: weakref.ref[Storage] | None
    _pinned: bool
    _views: weakref.WeakSet[Storage] | None
    #: what tapes hold of this memory, also where the view is gone that they have it from
    _tapes: weakref.WeakSet[Record] | None
    #: whether an operation of the running trace made the value, tracking gradients
    _derived: bool
    #: what this was cut from, nearest first, and what was cut from this
    _cuts: tuple[Cut, ...]
    _pieces: weakref.WeakSet[Storage] | None

    def _set(self, array: Array | None, node: Node | None, requires_grad: bool) -> None:
        self._array = array
        self._node = node
        self._trace = None if node is None or thread.trace is None else thread.trace.scope
        self._record = None
        self._requires_grad = requires_grad
        self._grad = None
        self._writers = ()
        self._base = None
        self._pinned = False
        self._views = None
        self._tapes = None
        self._derived = False
        self._cuts = ()
        self._pieces = None

    # ------------------------------------------------------------------------- what it is

    @property
    def shape(self) -> Shape:
        """Lengths of the axes."""
        return self.array_or_node.shape

    @property
    def dtype(self) -> DType:
        """Element type."""
        value = self.array_or_node
        return value.dtype if isinstance(value, Node) else DType.of(value.dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def array_or_node(self) -> Array | Node:
        """The NumPy array, or the current node while traced."""
        if self._array is not None:
            return self._array
        assert self._node is not None
        return self._node

    @property
    def is_traced(self) -> bool:
        """Whether this is a value of a trace, without numbers."""
        return self._array is None

    @property
    def concrete(self) -> Array:
        """The array itself, not a copy; `TraceError` where there are no numbers to read."""
        array = self._array
        if array is None or thread.trace is not None:
            raise self._no_numbers()
        return array

    @property
    def single(self) -> Array:
        """`concrete`, if it has one element; else `ShapeError`."""
        array = self.concrete
        if array.size != 1:
            raise ShapeError(
                f"a Tensor of shape {array.shape} is not a single number",
                where=user_line(),
                help="reduce it first, for example with x.sum(), or x.any() and x.all() for truth; "
                "x.tolist() has all numbers",
            )
        return array

    def _no_numbers(self) -> TraceError:
        if self._array is None and (self._trace is None or self._trace.ended):
            kind, end = ("a compiled function", "it") if self._trace is None else self._trace.named
            return TraceError(
                f"this Tensor belongs to {kind} that has ended",
                where=user_line(),
                help=f"return it from {end} instead of storing it",
            )
        return TraceError(
            "a Tensor has no values while its function is being compiled",
            where=user_line(),
            help="use cr.where(condition, a, b) instead of `if`, return the Tensor and read it "
            "outside, or take this line out of the compiled function",
        )

    # ------------------------------------------------------------------------------ memory

    def record(self) -> Record:
        """This value on the eager tape."""
        record = self._record
        if record is None or (self._writers and record.stale):
            array = self.concrete
            node = input_(
                kind="arg",
                name="value",
                shape=array.shape,
                dtype=DType.of(array.dtype),
                strides=element_strides(array),
            )
            record = self._record = Record(node, array, (), self)
            self.keep_for(record)
        return record

    def keep_for(self, record: Record) -> None:
        """The array of ``record`` is this one; its owner will not write over it."""
        owner = None if self._base is None else self._base()
        if owner is not None:
            if owner._tapes is None:
                owner._tapes = weakref.WeakSet()
            owner._tapes.add(record)

    def runs(self) -> int:
        """How often compiled programs have written this memory."""
        return sum(w.runs for w in self._writers)

    def settle(self) -> Array:
        """Make the memory fit to be a state: dense, aligned, its own. From here it never moves."""
        assert self._array is not None
        self.part_from_views()  # those taken since another program read it, too
        if not self._pinned:
            if self._base is not None or not is_dense(self._array):
                self._move(aligned_copy(self._array))
            self._pinned = True
        return self._array

    def _move(self, array: Array) -> None:
        """The same value in other memory. The tape, if any, keeps the old."""
        self._array = array
        self._base = None
        if self._record is not None and not self._record.inputs:
            self._record = None

    def add_view(self, view: Storage) -> None:
        """``view`` lies in this memory; it gets its own before this is written.

        The owner of the memory keeps the list, so that it is whole when views of views remain
        alone. Where the owner is gone nobody writes: a view moves to memory of its own before.
        """
        owner = self if self._base is None else self._base()
        if owner is None:
            view._base = self._base
        elif view._base is None or view._base() is not owner:
            if owner._views is None:
                owner._views = weakref.WeakSet()
            owner._views.add(view)
            view._base = weakref.ref(owner)

    def part_from_views(self) -> None:
        """Give every view of this memory, and every tape, memory of its own."""
        tapes, self._tapes = self._tapes, None
        for record in tapes or ():
            record.array = record.array.copy()
        views, self._views = self._views, None
        for view in views or ():
            if view._base is not None and view._array is not None:
                view.part_from_views()
                view._array = view._array.copy()
                view._base = None
                if view._record is not None:
                    view._record.array = view._array

    def write(self, values: Array, record: Record | None) -> None:
        """Make ``values`` the content; ``record`` is how they came about, if a tape needs it.

        Tensors that share this memory keep their values. A result of other operations moves to
        new memory instead, because its tape may still need the old numbers.
        """
        assert self._array is not None
        old = self._record
        if self._pinned or old is None or not old.inputs:
            self.part_from_views()
            if self._base is not None or not self._array.flags.writeable:
                self._move(aligned_copy(self._array))
            elif old is not None and old.array is self._array:
                # The gradient of a leaf would be that of a value it no longer has.
                old.overwrite(keep=not self._requires_grad)
            self._array[...] = values
        else:
            self._array, self._base = aligned_copy(values), None
        self._record = record

    # --------------------------------------------------------------------------- gradients

    @property
    def requires_grad(self) -> bool:
        """Whether ``backward()`` computes a gradient with respect to this Tensor."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        value = bool(value)
        if value and not self.dtype.is_float:
            raise GradientError(
                f"a Tensor of dtype {self.dtype!r} cannot require a gradient",
                where=user_line(),
                help="derivatives exist for real numbers only: use dtype float32",
            )
        if value == self._requires_grad:
            return
        if not self.is_leaf:
            raise GradientError(
                "requires_grad of a computed Tensor cannot be turned off",
                where=user_line(),
                help="x.detach() is the same value without a gradient",
            )
        trace = thread.trace
        if trace is None:
            structure.touch()
        else:
            trace.remember_requires_grad(self._as_tensor())
        if value and trace is None:
            self._record = None  # what it was computed from is cut off: from here on it is a leaf
        self._requires_grad = value

    @property
    def has_history(self) -> bool:
        """Whether operations outside of any trace made this, tracking gradients."""
        return self._record is not None and bool(self._record.inputs)

    @property
    def is_leaf(self) -> bool:
        """Whether no operation that tracks gradients made this Tensor."""
        return not self._derived and not self.has_history

    def _as_tensor(self) -> Tensor:
        assert isinstance(self, Storage.tensor_type)
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient that ``backward()`` added up, or None."""
        trace = thread.trace
        value = self._grad
        if trace is not None and self._array is not None:
            value = trace.read_grad(self._as_tensor())
        if isinstance(value, NotKept):
            raise not_kept()
        return value

    @grad.setter
    def grad(self, value: Tensor | Array | None) -> None:
        new = value if value is None or isinstance(value, Storage) else _real(value)
        if new is not None and not new.dtype.is_float:
            raise DTypeError(
                f"a gradient of dtype {new.dtype!r}", where=user_line(), help="pass real numbers"
            )
        if new is not None and new.shape != self.shape:
            raise ShapeError(
                f"a gradient of shape {new.shape} does not match a Tensor of shape {self.shape}",
                where=user_line(),
                help="both must have the same shape",
            )
        trace = thread.trace
        if trace is not None and self._array is not None:
            trace.write_grad(self._as_tensor(), None if new is None else new._as_tensor())
            return
        grad_clock.ticks += 1
        self._grad = None if new is None else new._as_tensor()


def _real(value: Any) -> Tensor:
    return Storage.tensor_type(np.asarray(value))


def not_kept() -> GradientError:
    """The error of reading a gradient that a compiled function did not hand out."""
    return GradientError(
        "this gradient stayed inside a compiled function",
        where=user_line(),
        help="write @cr.compile(keep_grads=True) to keep gradients after each call, or call "
        "zero_grad() before backward() inside the function to start from none",
    )


def value_of(tensor: Storage) -> Any:
    """The array behind ``tensor`` without any check: for code that moves arrays around."""
    return tensor._array
