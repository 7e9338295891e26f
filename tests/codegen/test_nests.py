"""Native nests against their simulation, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.codegen.nests import grain
from chainrule.ir.types import DType
from chainrule.schedule.buffers import Buffer
from chainrule.schedule.nest import Acc, Access, Affine, Apply, Load, Nest, Reduce, Store
from chainrule.schedule.simulate import simulate_nest
from codegen.native import NativeNest, bits, guarded, native_function
from codegen.random_nests import UNARY, Maker

TRANSCENDENTAL = UNARY[1:-1]
CPUS = (None, "haswell", "x86-64")
BINARY = ("add", "sub", "mul", "div", "max")
F32 = DType.f32


def check(maker: Maker, nest: Nest, cpu: str | None, threads: int) -> None:
    """Equal bits in all buffers, and nothing written beside them."""
    expected = {b: x.copy() for b, x in maker.memory.items()}
    functions = {op: native_function(op, cpu) for op in TRANSCENDENTAL}
    simulate_nest(nest, expected, functions)
    memory, canaries = {}, []
    for buffer, data in maker.memory.items():
        memory[buffer], around = guarded(data, aligned=buffer.aligned)
        canaries.append(around)
    run = NativeNest(nest, cpu)
    unit = grain(nest)
    extent = nest.dims[nest.split] if nest.split is not None else 0
    blocks = -(-extent // unit)
    for thread in range(threads if nest.split is not None else 1):
        lo = min(blocks * thread // threads * unit, extent)
        hi = min(blocks * (thread + 1) // threads * unit, extent)
        run(memory, lo, hi)
    for buffer, want in expected.items():
        np.testing.assert_array_equal(bits(memory[buffer]), bits(want), err_msg=str(buffer))
    assert all((around.compressed() == 0xA5).all() for around in canaries)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("kind", ["map_nest", "reduce_nest", "scatter_nest"])
@pytest.mark.parametrize("seed", range(24))
def test_random_nests_have_the_bits_of_the_simulation(
    kind: str, seed: int, cpu: str | None
) -> None:
    maker = Maker(np.random.default_rng(seed))
    nest: Nest = getattr(maker, kind)()
    check(maker, nest, cpu, threads=1 + seed % 3)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("op", [*UNARY, *BINARY])
def test_unused_lanes_stay_out_of_sums(op: str, stride: int, cpu: str | None) -> None:
    """LLVM knows what the unused lanes of short loads hold, and may leave out their mask."""
    for lanes in (2, 3, 18):
        maker = Maker(np.random.default_rng(lanes))
        operands = []
        for _ in range(1 if op in UNARY else 2):
            buffer = Buffer(f"m{len(maker.memory)}", F32, stride * lanes)
            maker.memory[buffer] = np.linspace(0.5, 2, stride * lanes, dtype=np.float32)
            operands.append(Load(F32, Access(buffer, Affine(0, (stride,)))))
        total = Buffer("total", F32, 1)
        maker.memory[total] = np.zeros(1, np.float32)
        store = Store(Access(total, Affine(0, (0,))), Acc(F32))
        check(
            maker,
            Nest((lanes,), 0, (store,), Reduce("sum", Apply(F32, op, tuple(operands)))),
            cpu,
            1,
        )
