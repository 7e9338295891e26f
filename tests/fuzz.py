"""Random programs through the whole compiler: ``python -m fuzz 2000``.

Half are graphs of joins (`joins.py`), half of all primitives (`graphs.py`); with ``--turns``, all
are of states that lie otherwise than they are read (`turns.py`). Half have the derivatives of their
outputs as outputs, too. Each is proved sound (`schedule/verify.py`) and run in
native code with and without fusion (and what LLVM does for speed), with vectors of each width that
this processor has and on 1, 2, 3 and 7 threads, with temporaries that are NaN before every call and
states that go on for three steps. All runs must have the same bits, and the values of the
interpreter. Only what is not a number may have another sign in code made in another way: of two
operands that are none, IEEE 754 leaves open which one is the result.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from chainrule.autodiff import cotangents
from chainrule.codegen.target import target_for
from chainrule.compared import compare
from chainrule.driver import Options, compile_graph
from chainrule.ir.graph import Graph, full_like
from chainrule.ir.memory import aligned_empty
from chainrule.ir.types import Array
from chainrule.runtime.link import link
from chainrule.runtime.processors import set_num_threads
from chainrule.runtime.program import NativeProgram
from chainrule.schedule import InputLayout
from graphs import random_graph
from joins import random_joins
from turns import random_turns

THREADS = (1, 2, 3, 7)
STEPS = 3
#: a state beyond which no step is compared with the interpreter
GROWN = 1e6


@dataclass(frozen=True)
class Case:
    """One program of fewer than ``most`` operations: its seed says everything about it, and whether
    it is one of ``turns``."""

    seed: int
    most: int = 18
    turns: bool = False

    def graph(self) -> tuple[Graph, list[Array]]:
        """The graph and values of its inputs."""
        rng = np.random.default_rng(self.seed)
        make = random_joins if self.seed % 2 else random_graph
        if self.turns:
            make = random_turns
        graph, values = make(rng, int(rng.integers(3, self.most)))
        return (_with_slopes(graph) if self.seed % 4 > 1 else graph), values


def _with_slopes(graph: Graph) -> Graph:
    """``graph`` with the derivatives of its real outputs beside them."""
    ys = [y for y in graph.outputs if y.dtype.is_float]
    xs = [x for x in graph.inputs if x.dtype.is_float and x.params["kind"] != "scalar"]
    if not ys or not xs:
        return graph
    slopes = cotangents(ys, [full_like(y, y.size**-0.5) for y in ys], xs)
    extra = tuple(g for g in slopes if g is not None and g.op != "input")
    return Graph(graph.inputs, (*graph.outputs, *extra), graph.updates)


def cpus() -> tuple[str | None, ...]:
    """This processor, and others whose code it runs: with vectors of 64, 32 and 16 bytes."""
    host = target_for(None)
    if not host.is_x86:
        return (None,)
    narrower = {64: ("x86-64-v3",), 32: ()}.get(host.vector_bytes, ())
    return (None, *narrower)


def others() -> tuple[Options, ...]:
    """Each way to compile that must leave the bits as they are."""
    narrower = [Options(cpu=cpu) for cpu in cpus() if cpu is not None]
    return (*narrower, Options(fusion=False, hasty=True))


def check(case: Case, others: tuple[Options, ...], threads: tuple[int, ...]) -> None:
    """Raise AssertionError for other bits, and VerifyError or whatever the compiler raises."""
    graph, values = case.graph()
    if any(node.size == 0 for node in graph.nodes()):
        return  # the interpreter runs these
    first = _run(graph, values, Options(), threads)
    _agree(first, graph, values)
    for options in others:
        other = _run(graph, values, options, threads[-1:] if options.fusion else threads[:1])
        _same(_one_nan(first), _one_nan(other))


def _run(
    graph: Graph, values: list[Array], options: Options, threads: tuple[int, ...]
) -> list[list[Array]]:
    """Outputs and states after each step, the same for all numbers of threads."""
    compiled = compile_graph(
        graph, InputLayout(unaligned=frozenset(range(len(graph.inputs)))), options
    )
    linked = link(compiled.objects, [compiled.meta.entry])
    found: list[list[list[Array]]] = []
    for count in threads:
        set_num_threads(count)
        states = {
            f"in{i}": _stored(np.asarray(v), n.params["strides"])
            for i, (n, v) in enumerate(zip(graph.inputs, values, strict=True))
            if n.params["kind"] == "state"
        }
        program = NativeProgram(linked, compiled.meta, states, guarded=True)
        program._pace.threads = lambda most: most  # type: ignore[method-assign]
        found.append(list(_steps(program, graph, values, states)))
    for other in found[1:]:
        _same(found[0], other)
    return found[0]


def _steps(
    program: NativeProgram, graph: Graph, values: list[Array], states: dict[str, Array]
) -> Iterator[list[Array]]:
    pairs = list(zip(graph.inputs, values, strict=True))
    args = [np.array(v, n.dtype.numpy, order="C") for n, v in pairs if n.params["kind"] == "arg"]
    scalars = [float(v) for n, v in pairs if n.params["kind"] == "scalar"]
    for _ in range(STEPS):
        outputs = program(*args, scalars=scalars)
        yield [*outputs, *(s.copy() for s in states.values())]


def _stored(value: Array, strides: tuple[int, ...]) -> Array:
    """``value`` in memory with its axes in the order of ``strides``."""
    order = sorted(range(value.ndim), key=lambda a: -strides[a])
    flat = aligned_empty(tuple(value.shape[a] for a in order), value.dtype)
    copy = flat.transpose(np.argsort(order).tolist())
    copy[...] = value
    return copy


def _same(first: list[list[Array]], other: list[list[Array]]) -> None:
    for step, (a, b) in enumerate(zip(first, other, strict=True)):
        for number, (x, y) in enumerate(zip(a, b, strict=True)):
            assert x.tobytes() == y.tobytes(), f"step {step}, result {number}: other bits"


def _one_nan(found: list[list[Array]]) -> list[list[Array]]:
    """The same with one pattern of bits for all that is not a number."""

    def plain(value: Array) -> Array:
        if value.dtype.kind != "f":
            return value
        return np.where(np.isnan(value), value.dtype.type(np.nan), value)

    return [[plain(np.asarray(value)) for value in results] for results in found]


def _agree(found: list[list[Array]], graph: Graph, values: list[Array]) -> None:
    """The values of the interpreter, step by step, from the states that native code had, until a
    state has grown beyond all bounds: then infinite and undefined values differ by a rounding."""
    states = [i for i, n in enumerate(graph.inputs) if n.params["kind"] == "state"]
    updated = [graph.inputs.index(u.inputs[0]) for u in graph.updates]
    now = list(values)
    for step, results in enumerate(found):
        count = len(graph.outputs)
        after = dict(zip(states, results[count:], strict=True))
        names = [f"step {step}, result {i}" for i in range(count + len(updated))]
        compare(graph, now, [*results[:count], *(after[i] for i in updated)], names)
        for i in states:
            if i not in updated:
                assert after[i].tobytes() == np.asarray(now[i]).tobytes(), f"step {step}: state {i}"
            now[i] = after[i]
        real = [now[i] for i in updated if now[i].dtype.kind == "f"]
        if not all(np.abs(state).max(initial=0) <= GROWN for state in real):
            return


def _try(turns: bool, seed: int) -> str | None:
    """What is wrong with the program of ``seed``, if anything."""
    try:
        check(Case(seed, turns=turns), others(), THREADS)
    except Exception as error:  # whatever it is, it is a finding
        return f"seed {seed}: {type(error).__name__}: {str(error).splitlines()[0]}"
    return None


def main() -> int:
    """Run the programs of so many seeds in as many processes as there are processors."""
    parser = argparse.ArgumentParser(prog="fuzz")
    parser.add_argument("programs", type=int, nargs="?", default=2000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--turns", action="store_true", help="states that lie otherwise")
    options = parser.parse_args()
    os.environ |= {"CHAINRULE_VERIFY": "1", "CHAINRULE_CACHE": "0"}
    began, findings = time.monotonic(), []
    seeds = range(options.first, options.first + options.programs)
    with ProcessPoolExecutor() as pool:
        tried = pool.map(functools.partial(_try, options.turns), seeds, chunksize=10)
        for number, finding in enumerate(tried, 1):
            if finding:
                findings.append(finding)
                print(finding, flush=True)
            if number % 100 == 0:
                spent = time.monotonic() - began
                print(f"{number} programs, {len(findings)} differences, {spent:.0f} s", flush=True)
    kinds = ", ".join(cpu or "this processor" for cpu in cpus())
    print(f"{options.programs} programs on {kinds}: {len(findings)} differences")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
