"""``@compile``: a function recorded once per kind of arguments, then run as a program.

Between calls the function must not change what it does in ways a recording cannot see; what it can
see, through `structure`, arguments and gradients at entry, makes a new recording when it changes.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import MethodType
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

import numpy as np

from ..errors import TraceError
from ..ir.graph import Graph
from ..ir.text import canonical
from ..ir.types import Array
from .apply import from_array
from .interpreted import interpreter_backend
from .modes import structure, thread
from .ranges import check_first_call
from .storage import Storage, Writer, grad_clock
from .traced import Traced, describe_call, flatten_call, trace_function
from .tracer import HostEffect
from .tree import LEAF, Branch, Tree

P = ParamSpec("P")
R = TypeVar("R")
Program = TypeVar("Program", bound="Executable")

#: more kinds of arguments than this are worth a warning: each costs a compilation
MANY_SIGNATURES = 8
#: recordings kept for one kind of arguments, so that train() and eval() may take turns
KEPT = 4

Key = tuple[Tree, tuple[tuple[tuple[int, ...], Any], ...], bool]


class Executable(Protocol):
    """A program for one graph, bound to its states, which it updates in place."""

    @property
    def exclusive(self) -> AbstractContextManager[Any]:
        """Inside, no other thread runs a program that writes any of these states."""

    @property
    def steps_done(self) -> int:
        """Whole steps that the latest call has done, also when it was interrupted."""

    def forget_steps(self) -> None:
        """`steps_done` is 0 until the next call has done some."""

    def __call__(self, *args: Array, scalars: Sequence[float] = ()) -> tuple[Array, ...]:
        """One step: the graph's outputs as fresh arrays."""


class Backend(Protocol):
    """Makes an `Executable`; ``states`` are the arrays of the graph's state inputs, in order."""

    def __call__(self, graph: Graph, states: Sequence[Array]) -> Executable: ...


class _Engine:
    """The backend that compiled functions use unless they are given another."""

    backend: Backend = staticmethod(interpreter_backend)


engine = _Engine()


def install(backend: Backend) -> None:
    """Let functions compiled from now on use ``backend``."""
    engine.backend = backend


class Call(Generic[Program]):
    """A recording with the program that runs it."""

    def __init__(
        self,
        traced: Traced,
        run: Program,
        arrays: Sequence[Array],
        writer: Writer | None = None,
    ) -> None:
        self.traced, self.run = traced, run
        self.scalars, self.epoch = traced.scalars, traced.epoch
        self.grads_read = traced.grads_read
        self.wants = _wants(traced, arrays)
        self.single = traced.result is LEAF
        self.grad_mode = thread.grad
        self.writer = writer or Writer()
        self._last_first = traced.effects[::-1]
        self._keeps = any(isinstance(k, int) for _, k in traced.grads)
        self._ticks = -1
        for tensor in traced.updated:
            if self.writer not in tensor._writers:
                tensor._writers = (*tensor._writers, self.writer)

    def __call__(self, arrays: Sequence[Array]) -> Any:
        """Run a step and hand out its result."""
        run = self.run
        with run.exclusive:  # as in `perform`, which would take a tenth of a short step
            owed = list(self._last_first)
            run.forget_steps()
            try:
                values = run(*arrays, scalars=[f(0) for f in self.scalars])
                self._finish(1, owed, values)
            except KeyboardInterrupt:
                self._finish(run.steps_done, owed, None)
                raise
        if self.single:
            return from_array(values[0])
        return self.traced.unpack(values)

    @functools.cached_property
    def fingerprint(self) -> tuple[Any, ...]:
        """Equal for recordings that one program can serve."""
        return fingerprint(self.traced)

    def perform(self, execute: Callable[[], tuple[Array, ...]]) -> tuple[Array, ...]:
        """``execute()``, which computes the scalars and runs the program, and what follows outside.

        The steps done are counted, also if Ctrl-C ends it, before another thread can run the next.
        """
        run = self.run
        with run.exclusive:
            owed = list(self._last_first)
            run.forget_steps()
            try:
                values = execute()
                self._finish(run.steps_done, owed, values)
            except KeyboardInterrupt:
                self._finish(run.steps_done, owed, None)
                raise
            return values

    def _finish(self, steps: int, owed: list[HostEffect], outputs: Sequence[Array] | None) -> None:
        """What remains to be done outside after ``steps`` executions: the effects ``owed``, from
        last to first. A Ctrl-C finds in ``owed`` those that have not happened.
        """
        if not steps:
            return
        self.writer.runs += 1
        while owed:
            # Python looks for signals at calls and jumps: not from the effect's end to here.
            owed[-1](steps)
            del owed[-1]
        if self._keeps or self._ticks != grad_clock.ticks:
            self._set_grads(outputs)
            self._ticks = grad_clock.ticks

    def _set_grads(self, outputs: Sequence[Array] | None) -> None:
        for tensor, kept in self.traced.grads:
            if isinstance(kept, int):
                tensor._grad = None if outputs is None else from_array(outputs[kept])
            else:
                tensor._grad = kept


def _wants(traced: Traced, arrays: Sequence[Array]) -> tuple[Any, ...] | None:
    """(shape, dtype, cast) of each argument if all are positional arrays; None otherwise."""
    call = traced.call
    assert isinstance(call, Branch)
    positional, named = call.children
    assert isinstance(positional, Branch)
    assert isinstance(named, Branch)
    if named.children or any(c is not LEAF for c in positional.children):
        return None
    return tuple((a.shape, a.dtype, c) for a, c in zip(arrays, traced.casts, strict=True))


def fingerprint(traced: Traced) -> tuple[Any, ...]:
    """Equal for recordings that one program can serve."""
    states = tuple(id(t) for t in traced.states)
    grads = tuple((id(t), k) for t, k in traced.grads)
    return canonical(traced.graph), states, grads, traced.result


class Recordings(Generic[Program]):
    """The latest recordings for one kind of arguments, each with a program that can serve it."""

    def __init__(self) -> None:
        self._calls: list[Call[Program]] = []

    def current(self) -> Call[Program] | None:
        """One that still says what the function says, if there is any."""
        return next((c for c in self._calls if c.traced.is_current()), None)

    def add(
        self,
        traced: Traced,
        arrays: Sequence[Array],
        backend: Callable[[Graph, Sequence[Array]], Program],
    ) -> Call[Program]:
        """``traced`` with the program of an equal recording, or with a new one of ``backend``."""
        mark = fingerprint(traced) if self._calls else None
        call = next((c for c in self._calls if c.fingerprint == mark), None)
        if call is None:
            new = Call(traced, backend(traced.graph, [t.settle() for t in traced.states]), arrays)
        else:
            new = Call(traced, call.run, arrays, call.writer)
        self._calls = [new, *(c for c in self._calls if c.run is not new.run)][:KEPT]
        return new


class CompiledFunction(Generic[P, R]):
    """A function whose calls run as one native program each; made by `compile`.

    ``function(*args)`` records the function the first time it meets arguments of these shapes and
    dtypes, and compiles the recording. Tensors outside that the function reads or assigns are
    updated in place. Results are new Tensors without history. `ShapeError` if an index among the
    arguments of that first call is out of range (see `ranges`).
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        keep_grads: bool = False,
        backend: Backend | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._keep_grads = keep_grads
        self._backend = backend
        self._calls: dict[Key, Recordings[Executable]] = {}
        self._descriptions: list[dict[str, str]] = []
        self._last: Call[Executable] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if thread.trace is not None:
            return self._function(*args, **kwargs)
        last = self._last
        if (
            last is None
            or kwargs
            or last.wants is None
            or len(args) != len(last.wants)
            or last.epoch != structure.epoch
            or last.grad_mode is not thread.grad
            or (last.grads_read and not last.traced.gradients_fit())
        ):
            return self._general(args, kwargs)
        arrays = []
        for value, (shape, dtype, cast) in zip(args, last.wants):  # noqa: B905 (lengths agree)
            array: Any = value
            if type(array) is not np.ndarray:
                if not isinstance(array, Storage):
                    return self._general(args, kwargs)
                array = array.concrete
            if array.shape != shape or array.dtype is not dtype:
                return self._general(args, kwargs)
            arrays.append(array if cast is None else cast(array))
        return last(arrays)  # type: ignore[no-any-return]  # as the function gave it: R

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def _general(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        """Find or make the program for any arguments, and run it."""
        arrays, tree = flatten_call(args, kwargs)
        call = self._find(args, kwargs, arrays, tree)
        self._last = call
        casts = call.traced.casts
        ready = [a if c is None else c(a) for a, c in zip(arrays, casts, strict=True)]
        return call(ready)  # type: ignore[no-any-return]  # as the function gave it: R

    def _find(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], arrays: list[Array], tree: Tree
    ) -> Call[Executable]:
        key = (tree, tuple((a.shape, a.dtype) for a in arrays), thread.grad)
        known = self._calls.get(key)
        call = None if known is None else known.current()
        if call is not None:
            return call
        traced = trace_function(self._function, args, kwargs, self._keep_grads)
        check_first_call(traced, arrays)
        recordings: Recordings[Executable] = known or Recordings()
        call = recordings.add(traced, arrays, self._backend or engine.backend)
        if known is None:
            self._calls[key] = recordings
            self._remember_signature(tree, arrays)
        return call

    def _remember_signature(self, tree: Tree, arrays: Sequence[Array]) -> None:
        self._descriptions.append(describe_call(tree, arrays))
        if len(self._descriptions) == MANY_SIGNATURES + 1:
            names = dict.fromkeys(name for d in self._descriptions for name in d)
            seen = {n: {d.get(n, "absent") for d in self._descriptions} for n in names}
            varied = [f"{n}: {', '.join(sorted(s))}" for n, s in seen.items() if len(s) > 1]
            warnings.warn(
                f"{getattr(self._function, '__name__', 'a function')} was compiled for "
                f"{len(self._descriptions)} kinds of arguments. What varied: {'; '.join(varied)}. "
                "Pad batches to one shape, and pass changing numbers as arrays.",
                stacklevel=5,
            )

    def trace(self, *args: P.args, **kwargs: P.kwargs) -> Traced:
        """A recording of the function for these arguments; nothing is compiled or run."""
        return trace_function(self._function, args, kwargs, self._keep_grads)

    @property
    def signatures(self) -> int:
        """For how many kinds of arguments the function has been compiled."""
        return len(self._descriptions)


@overload
def compile(function: Callable[P, R], /) -> CompiledFunction[P, R]: ...
@overload
def compile(
    *, keep_grads: bool = ..., backend: Backend | None = ...
) -> Callable[[Callable[P, R]], CompiledFunction[P, R]]: ...
def compile(
    function: Callable[..., Any] | None = None,
    /,
    *,
    keep_grads: bool = False,
    backend: Backend | None = None,
) -> Any:
    """Compile ``function``: ``@compile`` or ``@compile(keep_grads=True)``.

    The function is run once, on Tensors without numbers, for each combination of shapes and dtypes
    of its arguments. ``keep_grads`` leaves ``.grad`` of parameters readable after each call.
    """
    if function is not None and not callable(function):
        raise TraceError(
            f"{function!r} is not a function, so it cannot be compiled",
            help="decorate a function with @cr.compile, or pass one",
        )
    if function is None:
        return lambda f: CompiledFunction(f, keep_grads=keep_grads, backend=backend)
    return CompiledFunction(function, keep_grads=keep_grads, backend=backend)
