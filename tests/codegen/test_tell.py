"""Native programs tell of outputs that are complete: not before they are, on any number of threads.

Whoever listens copies the outputs at once, while the thread that tells waits and all others go on.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from chainrule.codegen.emit import emit_program
from chainrule.codegen.target import host_target
from chainrule.driver import compile_graph
from chainrule.ir.graph import Graph
from chainrule.ir.memory import aligned_empty
from chainrule.ir.types import Array
from chainrule.passes import optimize
from chainrule.runtime.completions import Completions
from chainrule.runtime.link import link
from chainrule.runtime.processors import get_num_threads, set_num_threads
from chainrule.runtime.program import NativeProgram
from chainrule.schedule import InputLayout, build, schedule
from chainrule.schedule.nest import Milestone
from fuzz import Case, _stored
from schedule.test_milestones import PROGRAMS, groups_of

WRITE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64)
FILE, POISON = 12345, 0xFF
Groups = tuple[tuple[int, ...], ...]


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = get_num_threads()
    yield
    set_num_threads(before)


class Witness:
    """Listens, and copies the outputs of each group that it is told of, once for each step."""

    def __init__(self, groups: Groups, outputs: list[Array]) -> None:
        self._groups, self._outputs = groups, outputs
        self.copies: list[tuple[int, int, bytes]] = []  # output, step, content
        self.calls = self.told = 0
        self._written = WRITE(self._write)
        self.function = ctypes.cast(self._written, ctypes.c_void_p).value or 0
        self.file = FILE

    def _write(self, file: int, start: int, count: int) -> int:
        self.calls += file == FILE
        for number in range(self.told, self.told + count):
            step, group = divmod(number, len(self._groups))
            self.copies += [
                (i, step, self._outputs[i][step].tobytes()) for i in self._groups[group]
            ]
        self.told += count
        return count

    @property
    def premature(self) -> int:
        """How many of the copies are not what the outputs are in the end."""
        return sum(self._outputs[i][step].tobytes() != copy for i, step, copy in self.copies)


@dataclass(frozen=True)
class Told:
    """A program all of whose outputs are awaited, and its arguments."""

    graph: Graph
    values: list[Array]
    groups: Groups
    program: NativeProgram

    @classmethod
    def of(cls, case: Case) -> Told:
        graph, values = case.graph()
        groups = groups_of(graph, np.random.default_rng(case.seed))
        loose = frozenset(range(len(graph.inputs)))
        compiled = compile_graph(graph, InputLayout(unaligned=loose, awaited=groups))
        states = {
            f"in{i}": _stored(np.asarray(v), n.params["strides"])
            for i, (n, v) in enumerate(zip(graph.inputs, values, strict=True))
            if n.params["kind"] == "state"
        }
        linked = link(compiled.objects, [compiled.meta.entry])
        program = NativeProgram(linked, compiled.meta, states, guarded=True)
        program._pace.threads = lambda most: most  # type: ignore[method-assign]
        return cls(graph, values, groups, program)

    def run(self, threads: int, steps: int) -> Witness:
        set_num_threads(threads)
        outputs = [aligned_empty((steps, *n.shape), n.dtype.numpy) for n in self.graph.outputs]
        for output in outputs:
            output.reshape(-1).view(np.uint8)[:] = POISON
        pairs = list(zip(self.graph.inputs, self.values, strict=True))
        args = [np.array(v, n.dtype.numpy) for n, v in pairs if n.params["kind"] == "arg"]
        scalars = [float(v) for n, v in pairs if n.params["kind"] == "scalar"]
        witness = Witness(self.groups, outputs)
        self.program.run_many(
            steps, *args, scalars=[scalars] * steps, out=outputs, listener=witness
        )
        return witness


@pytest.mark.parametrize("case", PROGRAMS, ids=lambda case: str(case.seed))
def test_what_is_told_is_complete(case: Case) -> None:
    told = Told.of(case)
    for threads, steps in ((1, 1), (2, 2), (3, 1)):
        witness = told.run(threads, steps)
        assert witness.premature == 0
        assert witness.told == steps * len(told.groups)


def test_much_is_told_before_the_end() -> None:
    witnesses = [Told.of(case).run(1, 1) for case in PROGRAMS]
    assert sum(witness.calls > 1 for witness in witnesses) > len(PROGRAMS) // 3


def test_a_phase_too_early_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE", "0")
    monkeypatch.setenv("CHAINRULE_VERIFY", "0")
    made = build.milestones

    def early(*args: object) -> tuple[Milestone, ...]:
        return tuple(m._replace(phase=m.phase - 1) for m in made(*args))  # type: ignore[arg-type]

    monkeypatch.setattr(build, "milestones", early)
    noticed = [Told.of(case).run(threads, 1).premature for case in PROGRAMS for threads in (1, 2)]
    assert sum(count > 0 for count in noticed) > len(PROGRAMS) // 3


def test_nothing_is_told_if_nobody_asked_or_listens() -> None:
    case = PROGRAMS[0]
    graph, _ = case.graph()
    plain, asked = (
        "\n".join(emit_program(schedule(optimize(graph), InputLayout(awaited=a)), host_target()))
        for a in ((), ((0,),))
    )
    assert "@tell" not in plain
    assert "@tell" in asked
    told = Told.of(case)
    witness = told.run(1, 1)
    calls = witness.calls
    pairs = list(zip(graph.inputs, told.values, strict=True))
    args = [np.array(v, n.dtype.numpy) for n, v in pairs if n.params["kind"] == "arg"]
    told.program(*args, scalars=[float(v) for n, v in pairs if n.params["kind"] == "scalar"])
    assert witness.calls == calls


def test_completions_are_counted_by_whoever_waits() -> None:
    """By the system's own function, as native code calls it, and from Python."""
    completions = Completions()
    write = WRITE(completions.function)
    assert write(completions.file, ctypes.addressof(ctypes.create_string_buffer(8)), 2) == 2
    completions.tell(1)
    for _ in range(3):
        completions.wait()
    os.set_blocking(completions._heard, False)
    with pytest.raises(BlockingIOError):
        completions.wait()
