"""One kernel is written for nests that are alike, and they are alike only if it fits them all."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

import numpy as np
import pytest

from chainrule import ops
from chainrule.codegen import emit
from chainrule.codegen.emit import emit_nest, emit_program
from chainrule.codegen.structural_key import structural_key
from chainrule.codegen.target import host_target
from chainrule.ir.graph import Graph
from chainrule.ir.types import DType
from chainrule.passes import optimize
from chainrule.schedule import InputLayout, schedule
from chainrule.schedule.nest import Apply, Const, Index, Load, Nest, Store
from codegen.random_nests import Maker
from steps import input_node

F32 = DType.f32


def drawn(seed: int) -> Nest:
    maker = Maker(np.random.default_rng(seed))
    return (maker.map_nest, maker.reduce_nest, maker.scatter_nest)[seed % 3]()


def test_nests_that_are_alike_have_equal_kernels() -> None:
    target = host_target()
    bodies: dict[Hashable, str] = {}
    for seed in [*range(60), *range(60)]:  # the second time in other buffers
        nest = drawn(seed)
        body = emit_nest(nest, target).body
        assert bodies.setdefault(structural_key(nest), body) == body
    assert len(bodies) == 60


def stored(nest: Nest, *values: object) -> Nest:
    return replace(nest, stores=tuple(Store(nest.stores[0].access, v) for v in values))


@pytest.fixture
def base() -> Nest:
    return next(n for n in map(drawn, range(0, 60, 3)) if n.dims[0] > 1)


def test_numbers_that_are_equal_but_not_the_same_make_a_difference(base: Nest) -> None:
    numbers = [0.0, -0.0, 1.0, float("nan")]
    found = {structural_key(stored(base, Const(F32, x))) for x in numbers}
    assert len(found) == len(numbers)
    assert structural_key(stored(base, Const(DType.i32, 1))) not in found


def test_each_part_of_a_nest_makes_a_difference(base: Nest) -> None:
    x, y = Const(F32, 1.5), Const(F32, 1.5)
    own = stored(base, Apply(F32, "add", (x, x)))
    access = base.stores[0].access
    moved = access._replace(offset=access.offset.shift(1))
    wider = access._replace(buffer=replace(access.buffer, size=access.buffer.size + 1))
    others = [
        stored(base, Apply(F32, "add", (x, y))),
        stored(base, Apply(F32, "mul", (x, x))),
        stored(base, Apply(F32, "neg", (Index(DType.i32, access.offset),))),
        stored(base, Load(F32, access)),
        stored(base, Load(F32, moved)),
        stored(base, Load(F32, wider)),
        replace(own, dims=(own.dims[0] + 1, *own.dims[1:])),
        replace(own, split=0 if own.split is None else None),
        replace(own, stores=tuple(replace(s, add=True) for s in own.stores)),
    ]
    assert len({structural_key(n) for n in (own, *others)}) == len(others) + 1


def test_equal_layers_are_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Nest] = []

    def counted(nest: Nest, *rest: object) -> object:
        written.append(nest)
        return emit_nest(nest, *rest)

    monkeypatch.setattr(emit, "emit_nest", counted)
    monkeypatch.setattr(emit, "_WRITTEN", {})
    x, *weights = (input_node("arg", f"x{i}", (64, 64)) for i in range(6))
    y = x
    for w in weights:
        y = ops.tanh(ops.dot(y, w))
    program = schedule(optimize(Graph((x, *weights), (y,))), InputLayout())
    assert sum(len(phase) for phase in program.phases) >= 5
    emit_program(program, host_target())
    assert len(written) <= 3  # from an argument, between, into an output
    known = len(written)
    emit_program(schedule(optimize(Graph((x, *weights), (y,))), InputLayout()), host_target())
    assert len(written) == known  # nor anew for another program of the process
