"""Native nests against their simulation, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.codegen.nests import grain
from chainrule.schedule.nest import Nest
from chainrule.schedule.simulate import simulate_nest
from codegen.native import NativeNest, bits, guarded, native_function
from codegen.random_nests import UNARY, Maker

TRANSCENDENTAL = UNARY[1:-1]
CPUS = (None, "haswell")


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
@pytest.mark.parametrize("seed", range(40))
def test_random_nests_have_the_bits_of_the_simulation(
    kind: str, seed: int, cpu: str | None
) -> None:
    maker = Maker(np.random.default_rng(seed))
    nest: Nest = getattr(maker, kind)()
    check(maker, nest, cpu, threads=1 + seed % 3)
