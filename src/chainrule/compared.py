"""Programs whose first step is also done by the interpreter, and compared: ``CHAINRULE_COMPARE=1``.

The interpreter does the step in double precision, and in single precision on the same values and
on values that differ from them by a rounding. How far all these are apart is how much the step
suffers from rounding; native code may be off by four times as much, relative to the largest element
of a result, and by a little for what sums lose. Integers and bools are equal. What is close enough
for a smaller allowance is not interpreted again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from .errors import VerifyError
from .interpret import interpret
from .ir.graph import Graph
from .ir.types import Array, DType, f64
from .runtime.description import ProgramMeta
from .runtime.link import Linked
from .runtime.program import NativeProgram
from .runtime.store import Listener

__all__ = ["ComparedProgram", "compare"]

#: errors of single precision that native code may make, and what the order of a sum may change
FACTOR, SMALLEST = 4.0, 1e-5
#: how often values are moved by a rounding, and how far
MOVED, ROUNDING = 3, 2.0**-23


class ComparedProgram(NativeProgram):
    """A native program of ``graph`` that raises VerifyError if its first step is wrong.

    ``states`` are the arrays of the state inputs, by slot, in the order of ``graph.inputs``.
    """

    def __init__(
        self, linked: Linked, meta: ProgramMeta, states: Mapping[str, Array], graph: Graph
    ) -> None:
        super().__init__(linked, meta, states)
        self._graph = graph
        self._arrays = list(states.values())
        self._compared = False

    def __call__(self, *args: Array, scalars: Sequence[float] | Array = ()) -> tuple[Array, ...]:
        """Run one step; the first is compared."""
        if self._compared:
            return super().__call__(*args, scalars=scalars)
        with self._lock.calls:
            before = [a.copy() for a in self._arrays]
            outputs = super().__call__(*args, scalars=scalars)
            self._compare(args, scalars, before, outputs)
            return outputs

    def run_many(
        self,
        steps: int,
        *args: Array,
        scalars: Array | Sequence[Sequence[float]] = (),
        out: Sequence[Array] | None = None,
        listener: Listener | None = None,
    ) -> tuple[Array, ...]:
        """Run many steps; before, the first alone, to compare it, and back."""
        if not self._compared:
            moves = [s.step_stride > 0 for s in self.meta.slots if s.kind == "arg"]
            first = [a[:1] if m else a for a, m in zip(args, moves, strict=True)]
            rates = np.asarray(scalars, np.float64).reshape(steps, -1)[:1]
            with self._lock.calls:
                before = [a.copy() for a in self._arrays]
                outputs = super().run_many(1, *first, scalars=rates)
                moving = [s.step_stride > 0 for s in self.meta.slots if s.kind == "output"]
                results = [o[0] if m else o for o, m in zip(outputs, moving, strict=True)]
                once = [a[0] if m else a for a, m in zip(first, moves, strict=True)]
                self._compare(once, rates[0], before, results)
                for array, value in zip(self._arrays, before, strict=True):
                    array[...] = value
        return super().run_many(steps, *args, scalars=scalars, out=out, listener=listener)

    def _compare(
        self,
        args: Sequence[Array],
        scalars: Sequence[float] | Array,
        before: Sequence[Array],
        outputs: Sequence[Array],
    ) -> None:
        """Raise VerifyError unless ``outputs`` and the states are what the interpreter gives."""
        self._compared = True
        given = {"arg": iter(args), "state": iter(before), "scalar": iter(map(np.float64, scalars))}
        values = [np.asarray(next(given[n.params["kind"]])) for n in self._graph.inputs]
        states = [n for n in self._graph.inputs if n.params["kind"] == "state"]
        after = dict(zip(states, self._arrays, strict=True))
        updates = [u.inputs[0] for u in self._graph.updates]
        names = [f"result {i}" for i in range(len(outputs))]
        names += [f"the update of {n.params['name']}" for n in updates]
        compare(self._graph, values, [*outputs, *(after[n] for n in updates)], names)


def compare(
    graph: Graph, values: Sequence[Array], native: Sequence[Array], names: Sequence[str]
) -> None:
    """Raise VerifyError with the name of a result that is not what the interpreter says.

    ``native`` are outputs and updated states of one step of ``graph`` from ``values``.
    """
    single = _results(graph, values)
    for value, one, name in zip(native, single, names, strict=True):
        if not _is_real(one) and not np.array_equal(value, one):
            raise VerifyError(f"{name} differs from what the interpreter computes")
    real = [i for i, one in enumerate(single) if _is_real(one)]
    if all(_distance(native[i], single[i]) <= SMALLEST * _scale(single[i]) for i in real):
        return  # nothing needs to be explained by rounding
    exact = _results(graph, values, f64)
    scales = {i: _scale(exact[i]) for i in real}
    errors = {
        i: min(_distance(native[i], exact[i]), _distance(native[i], single[i])) / scales[i]
        for i in real
    }
    allowed = SMALLEST
    for other in _others(graph, values, single):
        off = [_distance(other[i], exact[i]) / scales[i] for i in real]
        explained = FACTOR * max((o for o in off if np.isfinite(o)), default=0.0) + SMALLEST
        allowed = max(allowed, explained)
        wrong = [i for i in real if not errors[i] <= allowed]
        if not wrong:
            return
    raise VerifyError(
        f"{names[wrong[0]]} is off by {errors[wrong[0]]:.2g} of its largest element; rounding "
        f"explains at most {allowed:.2g}",
        help="this is a compiler bug; please report it",
    )


def _others(graph: Graph, values: Sequence[Array], single: list[Array]) -> Iterator[list[Array]]:
    """What single precision may give: on ``values``, and on values a rounding apart."""
    yield single
    for seed in range(MOVED):
        yield _results(graph, _moved(values, seed))


def _is_real(value: Array) -> bool:
    return np.asarray(value).dtype.kind == "f"


def _scale(value: Array) -> float:
    """The largest finite element, if it is larger than 1."""
    return float(np.abs(_finite(value)).max(initial=1.0))


def _results(graph: Graph, values: Sequence[Array], precision: DType | None = None) -> list[Array]:
    outputs, updates = interpret(graph, values, precision)
    return [*outputs, *updates]


def _moved(values: Sequence[Array], seed: int) -> list[Array]:
    """``values``, each real number in single precision up or down by a rounding, or as it was."""
    rng = np.random.default_rng(seed)
    return [
        v + _finite(v) * rng.integers(-1, 2, v.shape, np.int8) * np.float32(ROUNDING)
        if v.dtype == np.float32
        else v
        for v in map(np.asarray, values)
    ]


def _finite(array: Array) -> Array:
    return np.where(np.isfinite(array), array, 0.0)


def _distance(a: Array, b: Array) -> float:
    """The largest difference of two elements; infinite if one alone is no number, or infinite."""
    with np.errstate(all="ignore"):
        equal = (a == b) | (np.isnan(a) & np.isnan(b))
        gaps = np.where(equal, 0.0, np.abs(np.asarray(a, np.float64) - b))
    return float(np.nan_to_num(gaps, nan=np.inf).max(initial=0.0))
