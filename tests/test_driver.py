"""Native programs against the interpreter, and the bits that must never change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.codegen.emit import emit_program
from chainrule.codegen.target import small_tiles, target_for
from chainrule.driver import Options, compile_graph, load, native_backend, stages
from chainrule.frontend.interpreted import InterpretedProgram
from chainrule.interpret import interpret
from chainrule.ir.graph import Graph
from chainrule.ir.memory import aligned_empty
from chainrule.ir.types import Array
from chainrule.passes import optimize
from chainrule.runtime.processors import get_num_threads, set_num_threads
from chainrule.schedule import InputLayout
from chainrule.schedule.build import schedule
from graphs import random_graph
from steps import input_node, layerwise_step, perceptron_step, step_values

FRESH = Options(use_cache=False)


def memory(value: Array, strides: tuple[int, ...]) -> Array:
    """``value`` in aligned memory of its own, with its axes in the order of ``strides``."""
    order = sorted(range(value.ndim), key=lambda a: -strides[a])
    flat = aligned_empty(tuple(value.shape[a] for a in order), value.dtype)
    copy = flat.transpose(np.argsort(order).tolist())
    copy[...] = value
    return copy


def run(
    graph: Graph, values: list[Array], options: Options = FRESH, steps: int = 1
) -> tuple[list[Array], list[Array]]:
    """Outputs of the last step and the states after ``steps`` steps."""
    kinds = [n.params["kind"] for n in graph.inputs]
    args = [np.array(v, order="C") for v, k in zip(values, kinds, strict=True) if k == "arg"]
    scalars = [float(v) for v, k in zip(values, kinds, strict=True) if k == "scalar"]
    states = {
        n: memory(np.asarray(v), n.params["strides"])
        for n, v, k in zip(graph.inputs, values, kinds, strict=True)
        if k == "state"
    }
    program = load(graph, list(states.values()), options=options)
    outputs: tuple[Array, ...] = ()
    for _ in range(steps):
        outputs = program(*args, scalars=scalars)
    return list(outputs), [states[u.inputs[0]] for u in graph.updates]


def close(got: list[Array], want: list[Array]) -> None:
    for a, b in zip(got, want, strict=True):
        assert a.shape == b.shape
        if np.asarray(b).dtype.kind == "f":
            scale = float(np.max(np.abs(b), initial=1.0))
            np.testing.assert_allclose(a, b, rtol=3e-5, atol=3e-6 * scale)
        else:
            np.testing.assert_array_equal(a, b)


def same(got: list[Array], want: list[Array]) -> None:
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", range(12))
def test_random_graphs(seed: int) -> None:
    graph, values = random_graph(np.random.default_rng(1000 + seed), 16)
    want = interpret(graph, values)
    got = run(graph, values)
    close(got[0], want[0])
    close(got[1], want[1])


@pytest.mark.parametrize("seed", [1, 2])
def test_fusion_vector_width_and_haste_leave_the_bits_alone(seed: int) -> None:
    graph, values = random_graph(np.random.default_rng(2000 + seed), 16)
    want = run(graph, values)
    for options in (
        Options(cpu="haswell", use_cache=False),
        Options(fusion=False, hasty=True, use_cache=False),
    ):
        got = run(graph, values, options)
        same(got[0], want[0])
        same(got[1], want[1])


def test_haste_writes_products_out_less_often_and_gives_the_same_bits() -> None:
    graph = perceptron_step((50, 70, 33, 10), 37)
    values = step_values(graph)
    program, target = schedule(optimize(graph), InputLayout()), target_for()
    usual, hasty = (emit_program(program, t) for t in (target, small_tiles(target)))
    assert sum(map(len, hasty)) < 0.7 * sum(map(len, usual))
    got, want = (run(graph, values, Options(hasty=h, use_cache=False)) for h in (True, False))
    for ours, theirs in zip(got, want, strict=True):
        same(ours, theirs)


def test_haste_turns_nothing_over_in_registers_and_gives_the_same_bits() -> None:
    x = input_node("arg", "x", (48, 40))
    graph = Graph((x,), (ops.exp(ops.transpose(x, perm=(1, 0))),))
    program, target = schedule(optimize(graph), InputLayout()), target_for()
    usual, hasty = (emit_program(program, t)[0] for t in (target, small_tiles(target)))
    assert usual.count("shufflevector") >= 64 > hasty.count("shufflevector")
    values = [np.random.default_rng(3).normal(size=x.shape).astype(np.float32)]
    got, want = (run(graph, values, Options(hasty=h, use_cache=False)) for h in (True, False))
    same(got[0], want[0])


@pytest.mark.parametrize(("sizes", "batch"), [((30, 32, 16, 1), 32), ((50, 70, 33, 10), 37)])
def test_a_training_step(sizes: tuple[int, ...], batch: int) -> None:
    graph = perceptron_step(sizes, batch)
    values = step_values(graph)
    want = interpret(graph, values)
    got = run(graph, values)
    close(got[0], want[0])
    close(got[1], want[1])


@pytest.mark.parametrize(
    "graph",
    [perceptron_step((200, 300, 120, 10), 96), layerwise_step((200, 300), (1, 0))],
    ids=["perceptron", "layerwise"],
)
def test_any_number_of_threads_gives_the_same_bits(
    graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE_DIR", str(tmp_path / "cache"))  # one program for all
    values = step_values(graph)
    before = get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3, 7):
            set_num_threads(threads)
            found.append(run(graph, values, Options(), steps=12))
    finally:
        set_num_threads(before)
    for other in found[1:]:
        same(other[0], found[0][0])
        same(other[1], found[0][1])


def test_the_cache_gives_the_same_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE_DIR", str(tmp_path / "cache"))
    graph = perceptron_step((8, 9, 3), 4)
    fresh = compile_graph(graph, InputLayout())
    again = compile_graph(perceptron_step((8, 9, 3), 4), InputLayout())
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert again == fresh
    compile_graph(perceptron_step((8, 9, 4), 4), InputLayout())
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_every_stage_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = stages(perceptron_step((8, 9, 3), 4), InputLayout(), FRESH)
    names = [name for name, _ in dump.stages]
    assert names[0] == "trace"
    assert names[-2:] == ["program", "llvm"]
    monkeypatch.setenv("CHAINRULE_DUMP", str(tmp_path))
    compile_graph(perceptron_step((8, 9, 3), 4), InputLayout())
    written = {f.name[4:] for f in tmp_path.iterdir()}
    assert written >= {"00_trace.txt", f"{len(names) - 1:02}_llvm.ll"}


def test_show_prints_every_stage_of_a_function() -> None:
    @cr.compile
    def double(x: cr.Tensor) -> cr.Tensor:
        return x * 2.0

    text = str(cr.show(double, np.ones(3, np.float32)))
    for part in ("=== trace ===", "mul(", "nest mul", "@run("):
        assert part in text


def test_empty_arrays_run_in_the_interpreter() -> None:
    @cr.compile
    def double(x: cr.Tensor) -> cr.Tensor:
        return x * 2.0

    nothing = np.ones((2, 0), np.float32)
    assert isinstance(native_backend(double.trace(nothing).graph, []), InterpretedProgram)
    assert double(nothing).shape == (2, 0)
