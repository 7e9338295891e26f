"""Products against their simulation, bit for bit, and what their tiles promise."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from chainrule import ops
from chainrule.codegen import brgemm_tile
from chainrule.codegen.brgemm import emit_product
from chainrule.codegen.brgemm_tile import (
    Extents,
    choose_registers,
    choose_tile,
    product_granule,
)
from chainrule.codegen.target import emit_assembly, target_for
from chainrule.errors import CompileError
from chainrule.ir.graph import Graph
from chainrule.ir.types import DType
from chainrule.passes import optimize
from chainrule.schedule import InputLayout, schedule, tile
from chainrule.schedule.buffers import Buffer
from chainrule.schedule.nest import (
    Acc,
    Access,
    Affine,
    Apply,
    Const,
    Indirect,
    Load,
    Nest,
    Product,
    Store,
)
from chainrule.schedule.simulate import simulate_nest
from codegen.native import NativeNest, bits, guarded, native_function, nest_text
from codegen.random_nests import EXTENTS, UNARY, Maker
from compiled import run_native
from steps import input_node

F32 = DType.f32
CPUS = (None, "haswell")
TRANSCENDENTAL = UNARY[1:-1]


def check(maker: Maker, nest: Nest, cpu: str | None, *counts: int) -> None:
    """Equal bits in all buffers with so many threads each, and nothing written beside them."""
    expected = {b: x.copy() for b, x in maker.memory.items()}
    simulate_nest(nest, expected, {op: native_function(op, cpu) for op in TRANSCENDENTAL})
    run = NativeNest(nest, cpu)
    extent = nest.dims[nest.split] if nest.split is not None else 0
    unit = product_granule(nest, target_for(cpu))
    blocks = -(-extent // unit)
    for threads in counts:
        guards = {b: guarded(x, aligned=b.aligned) for b, x in maker.memory.items()}
        memory = {b: inside for b, (inside, _) in guards.items()}
        for thread in range(threads if nest.split is not None else 1):
            lo = min(blocks * thread // threads * unit, extent)
            hi = min(blocks * (thread + 1) // threads * unit, extent)
            run(memory, lo, hi)
        for buffer, want in expected.items():
            np.testing.assert_array_equal(bits(memory[buffer]), bits(want), err_msg=str(buffer))
        assert all((around.compressed() == 0xA5).all() for _, around in guards.values())


def operand(maker: Maker, ndim: int, strides: dict[int, int], extents: dict[int, int]) -> Access:
    """A place in a new buffer with the given strides."""
    size = 1 + sum(stride * (extents[d] - 1) for d, stride in strides.items())
    start = maker.pick([0, 0, 16, 3])
    buffer = Buffer(f"m{len(maker.memory)}", F32, size + start, aligned=maker.rng.random() < 0.7)
    maker.memory[buffer] = maker.numbers(F32, size + start)
    return Access(buffer, Affine(start, tuple(strides.get(d, 0) for d in range(ndim))))


def random_product(maker: Maker, shape: tuple[int, ...]) -> Nest:
    """A product of ``shape`` (*batch, m, n, k) with random strides and a random epilogue."""
    ndim = len(shape)
    m, n, k = range(ndim - 3, ndim)
    extents = dict(enumerate(shape))
    row = shape[n] + maker.pick([0, 0, 5, 16])
    a = (
        {m: shape[k], k: 1}
        if maker.rng.random() < 0.5
        else {m: 1, k: shape[m] + maker.pick([0, 3])}
    )
    b = {n: 1, k: row}
    for d in range(ndim - 3):
        a[d] = maker.pick([0, shape[m] * shape[k] + 7])
        b[d] = maker.pick([0, row * shape[k], 9])
    source = Product(operand(maker, ndim, a, extents), operand(maker, ndim, b, extents))
    stores = maker.stores(shape[:-1], ndim, F32)
    split = maker.pick([None, *range(ndim - 1)])
    return Nest(shape, ndim - 1, stores, source, vector=n, split=split)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("seed", range(30))
def test_random_products_have_the_bits_of_the_simulation(seed: int, cpu: str | None) -> None:
    maker = Maker(np.random.default_rng(seed))
    while True:
        batch = tuple(maker.pick([1, 2, 3]) for _ in range(maker.pick([0, 0, 1, 2])))
        shape = (*batch, *(maker.pick(EXTENTS) for _ in range(3)))
        if np.prod(shape) < 100_000:
            break
    check(maker, random_product(maker, shape), cpu, 1 + seed % 3)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize(
    "shape",
    [
        (60, 96, 700),  # blocks of k, panels of B copied
        (61, 100, 701),  # the same with remainders everywhere
        (100, 16, 1500),  # one panel
        (400, 20, 1100),  # several strips of rows
        (2, 200, 9),  # few rows
        (1, 1, 40),
    ],
)
@pytest.mark.parametrize("seed", range(2))
def test_large_products_have_the_bits_of_the_simulation(
    shape: tuple[int, ...], seed: int, cpu: str | None
) -> None:
    maker = Maker(np.random.default_rng(seed))
    check(maker, random_product(maker, shape), cpu, 1 + seed)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize(
    ("shape", "run"),
    [
        ((30, 40, 12), 6),
        ((61, 100, 48), 16),  # three runs, and remainders
        ((60, 96, 650), 130),  # five runs; panels of B copied
        ((300, 70, 112), 16),  # seven runs, several strips of rows
        ((2, 200, 64), 4),  # few rows
        ((1, 1, 40), 5),
        ((2, 30, 20, 36), 9),  # batches
        ((700, 160, 512), 32),  # sixteen runs; panels share blocks of A
    ],
)
@pytest.mark.parametrize("seed", range(2))
def test_products_in_runs_have_the_bits_of_the_simulation(
    shape: tuple[int, ...], run: int, seed: int, cpu: str | None
) -> None:
    maker = Maker(np.random.default_rng(seed))
    nest = random_product(maker, shape)
    assert isinstance(nest.source, Product)
    nest = replace(nest, source=replace(nest.source, run=run))
    assert choose_tile(nest, target_for(cpu)).block == run
    check(maker, nest, cpu, 1 + seed)


def matmul(m: int, n: int, k: int, split: int | None = None, *, turned: bool = False) -> Nest:
    """c = a b, row-major; with ``turned`` c is stored transposed."""
    a, b, c = Buffer("a", F32, m * k), Buffer("b", F32, k * n), Buffer("c", F32, m * n)
    source = Product(Access(a, Affine(0, (k, 0, 1))), Access(b, Affine(0, (0, 1, n))))
    there = Access(c, Affine(0, (1, m, 0) if turned else (n, 1, 0)))
    return Nest((m, n, k), 2, (Store(there, Acc(F32)),), source, vector=1, split=split)


def memory_of(nest: Nest, seed: int) -> Maker:
    """Normal numbers in every buffer that the nest touches."""
    maker = Maker(np.random.default_rng(seed))
    for access in (*nest.reads, *nest.writes):
        if access.buffer not in maker.memory:
            numbers = maker.rng.standard_normal(access.buffer.size, np.float32)
            maker.memory[access.buffer] = numbers
    return maker


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("k", [3, 4, 8])
def test_one_row_that_lies_like_a_window_is_cut_into_runs(k: int, cpu: str | None) -> None:
    """A row stored as a column: a step of k is one of m, as where a kernel slides."""
    nest = matmul(1, 31, k)
    assert isinstance(nest.source, Product)
    a = Access(nest.source.a.buffer, Affine(0, (1, 0, 1)))
    nest = replace(nest, source=replace(nest.source, a=a, run=1))
    check(memory_of(nest, k), nest, cpu, 1)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("split", [None, 0, 1])
def test_any_number_of_threads_and_any_split_give_the_same_bits(
    split: int | None, turned: bool
) -> None:
    nest = matmul(60, 70, 260, split, turned=turned)
    check(memory_of(nest, 0), nest, None, 1, 2, 3, 7)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("split", [None, 0, 1])
def test_panels_that_share_blocks_of_a_give_the_same_bits(
    split: int | None, cpu: str | None
) -> None:
    """The left operand is too large for the second cache, and k for one block."""
    nest = matmul(90, 150, 1100, split)
    assert choose_tile(nest, target_for(cpu)).group > 1
    check(memory_of(nest, 0), nest, cpu, 1, 3)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("split", [None, 0, 1])
def test_bands_of_rows_give_the_same_bits(
    split: int | None, cpu: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All panels pass over some rows, then over the next; lines of the next tile are asked for."""
    monkeypatch.setattr(brgemm_tile, "BAND_BYTES", 12 << 10)
    monkeypatch.setattr(brgemm_tile, "BAND_ROWS", 1)
    nest = matmul(130, 70, 75, split)
    assert choose_tile(nest, target_for(cpu)).band < 60
    check(memory_of(nest, 0), nest, cpu, 1, 3)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize(("piece", "pieces"), [(3, 2), (4, 3), (12, 2), (16, 2), (13, 4)])
def test_pieces_of_rows_are_done_one_by_one(piece: int, pieces: int, cpu: str | None) -> None:
    for k in (33, 700):
        nest = replace(matmul(piece * pieces, 40, k, 0), piece=piece)
        check(memory_of(nest, 0), nest, cpu, pieces)


def sliding(m: int, n: int, channels: int, taps: int, *, down: int = 1) -> Nest:
    """Rows of a convolution: to A, a step along the kernel is a step down, over all channels."""
    a = Buffer("a", F32, (m + taps) * channels * down)
    b, c = Buffer("b", F32, taps * channels * n), Buffer("c", F32, m * n)
    step = channels * down
    left = Access(a, Affine(0, (step, 0, 1, step)))
    right = Access(b, Affine(0, (0, 1, n, channels * n)))
    store = Store(Access(c, Affine(0, (n, 1, 0, 0))), Acc(F32))
    return Nest((m, n, channels, taps), 2, (store,), Product(left, right), vector=1, split=0)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("taps", [2, 3, 4, 5, 9])
@pytest.mark.parametrize(("m", "n"), [(1, 16), (2, 3), (19, 40), (33, 16), (28, 64)])
def test_elements_that_several_rows_read_are_summed_in_the_order_of_k(
    m: int, n: int, taps: int, cpu: str | None
) -> None:
    nest = sliding(m, n, 7, taps)
    assert Extents.of(nest).slides
    check(memory_of(nest, taps), nest, cpu, 2)


def test_the_steps_of_a_convolution_decide_whether_rows_share_elements() -> None:
    for stride, dilation, width, shared in [(1, 1, 9, 1), (2, 2, 9, 1), (2, 1, 9, 0), (1, 1, 3, 0)]:
        x = input_node("arg", "x", (2, 4, width, 1, 16))
        w = input_node("arg", "w", (1, 3, 1, 16, 16))
        y = ops.conv(x, w, strides=(1, stride), dilation=(1, dilation))
        (nest,) = products_of(Graph((x, w), (y,)))
        assert Extents.of(nest).slides == shared
        assert nest.dims[nest.parallel :] == ((16, 3) if shared else (48,))


def test_no_steps_of_k_give_zero() -> None:
    nest = matmul(3, 20, 0)
    maker = memory_of(nest, 0)
    c = nest.stores[0].access.buffer
    memory = {b: guarded(x, aligned=True)[0] for b, x in maker.memory.items()}
    NativeNest(nest)(memory)
    assert not memory[c].any()


def load(buffer: Buffer, m: int, n: int) -> Load:
    return Load(F32, Access(buffer, Affine(0, (m, n, 0))))


@pytest.mark.parametrize("cpu", CPUS)
def test_update_of_the_weights_in_the_epilogue_of_their_gradient(cpu: str | None) -> None:
    """Adam on (m, n) weights whose gradient is the product; three stores, all in place."""
    base = matmul(50, 84, 40, 0)
    p, mean, square = (Buffer(name, F32, 50 * 84) for name in "pmv")
    rate = Buffer("rate", F32, 1)

    def op(name: str, *args: object) -> Apply:
        return Apply(F32, name, args)  # type: ignore[arg-type]

    g = Acc(F32)
    first = op("add", op("mul", Const(F32, 0.9), load(mean, 84, 1)), op("mul", Const(F32, 0.1), g))
    second = op(
        "add",
        op("mul", Const(F32, 0.99), load(square, 84, 1)),
        op("mul", Const(F32, 0.01), op("mul", g, g)),
    )
    step = op("div", first, op("add", op("sqrt", second), Const(F32, 1e-8)))
    weights = op("sub", load(p, 84, 1), op("mul", load(rate, 0, 0), step))
    there = Affine(0, (84, 1, 0))
    stores = tuple(
        Store(Access(buffer, there), value)
        for buffer, value in ((p, weights), (mean, first), (square, second))
    )
    nest = Nest(base.dims, 2, stores, base.source, vector=1, split=0)
    maker = memory_of(nest, 1)
    maker.memory[square] = np.abs(maker.memory[square])
    check(maker, nest, cpu, 2)


@pytest.mark.parametrize("cpu", ["sapphirerapids", "haswell"])
@pytest.mark.parametrize(
    "nest",
    [
        *(matmul(*x) for x in [(128, 512, 784), (128, 64, 256), (130, 48, 128), (99, 16, 64)]),
        *(sliding(*x, 3) for x in [(32, 16, 16), (16, 32, 32), (8, 64, 64)]),
    ],
    ids=lambda nest: "x".join(map(str, nest.dims)),
)
def test_inner_loops_keep_their_accumulators_in_registers(nest: Nest, cpu: str) -> None:
    target = target_for(cpu, "x86_64-unknown-linux-gnu")
    assembly = emit_assembly(nest_text(nest, target), target)
    inner = [x for x in innermost_loops(assembly) if x.count("vfmadd") > 8]
    assert inner
    for body in inner:
        stack = re.findall(r".*\(%r[sb]p.*", body)
        assert not [line for line in stack if "mm" in line]


def innermost_loops(assembly: str) -> list[str]:
    """Blocks that jump back to their own label."""
    blocks = re.split(r"\n(?=\.L\w+:)", assembly)
    loops = []
    for block in blocks:
        head, _, rest = block.partition(":")
        body, back, _ = rest.partition(f"\t{head}\n")
        if back:
            loops.append(body)
    return loops


@pytest.mark.parametrize("cpu", ["haswell", "sapphirerapids", "x86-64", "apple-m1", "neoverse-n1"])
@pytest.mark.parametrize("m", [1, 2, 7, 16, 128, 784])
@pytest.mark.parametrize("n", [1, 10, 16, 48, 64, 512])
def test_tiles_fit_the_registers(cpu: str, m: int, n: int) -> None:
    target = target_for(cpu)
    for k, split in [(64, ""), (64, "m"), (64, "n"), (2, ""), (3, ""), (7, "")]:
        x = Extents(m, n, k, split, slides=k < 64)
        rows, vectors = choose_registers(x, target)
        parts = 64 // target.vector_bytes
        assert rows <= m
        assert vectors <= -(-n // 16)
        assert (rows + x.held(target)) * vectors * parts + 1 <= target.registers


def test_large_tiles_are_near_the_best_ratio_of_arithmetic_to_loads() -> None:
    rows, vectors = choose_registers(Extents(1000, 1000, 1000), target_for("sapphirerapids"))
    assert rows * vectors >= 24
    rows, vectors = choose_registers(Extents(996, 1000, 1000), target_for("haswell"))
    assert (rows, vectors) == (6, 1)


def test_scratch_is_bounded() -> None:
    for cpu in ("haswell", "sapphirerapids", "x86-64"):
        for shape in [(128, 512, 784), (5000, 64, 5000), (64, 5000, 5000), (5000, 16, 50000)]:
            tile = choose_tile(matmul(*shape, 0), target_for(cpu))
            floats = tile.block * tile.width * tile.pack + tile.strip * tile.width
            assert 4 * floats <= 128 << 10
            assert tile.strip % tile.rows == 0
            assert tile.block % tile.unroll == 0


def test_an_operand_read_through_an_index_is_refused() -> None:
    base = matmul(4, 16, 8)
    assert isinstance(base.source, Product)
    rows = Buffer("rows", DType.i32, 4)
    index = Load(DType.i32, Access(rows, Affine(0, (1, 0, 0))))
    a = Access(base.source.a.buffer, Affine(0, (0, 0, 1)), (Indirect(index, 8, 4),))
    nest = Nest(base.dims, 2, base.stores, Product(a, base.source.b), vector=1)
    with pytest.raises(CompileError, match="through an index"):
        emit_product(nest, target_for())


@pytest.mark.parametrize("images", [7, 16], ids=["whole", "shares"])
@pytest.mark.parametrize(("near", "loop"), [(40000, 0), (20000, 0), (14000, 1), (6000, 1)])
@pytest.mark.parametrize("cpu", [None, "haswell"])
def test_parts_of_a_long_sum_leave_the_bits_alone(
    images: int, near: int, loop: int, cpu: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accumulators that wait in memory between images, or rows of one, are the same chains."""
    rng = np.random.default_rng(0)
    shapes = (images, 9, 9, 1, 32), (images, 7, 8, 1, 40)
    values = [rng.normal(size=s).astype(np.float32) for s in shapes]
    x, dy = (input_node("arg", f"x{i}", v.shape) for i, v in enumerate(values))
    graph = Graph((x, dy), (ops.conv_wgrad(x, dy, kernel=(3, 2), strides=(1, 1), dilation=(1, 1)),))
    monkeypatch.setattr(tile, "NEAR", ())
    (whole,), _ = run_native(graph, values)
    monkeypatch.setattr(tile, "NEAR", (near,))
    monkeypatch.setattr(tile, "LONG_ENOUGH", 8)
    (nest,) = products_of(graph)
    if near < 40000 or images == 7:
        assert nest.waiting is not None
        assert nest.waiting.loop - nest.parallel == loop
        assert nest.waiting.apart == (images == 16)
    (parts,), _ = run_native(graph, values, cpu=cpu)
    np.testing.assert_array_equal(parts, whole)


def products_of(graph: Graph) -> list[Nest]:
    """The products of a graph's program."""
    tasks = (task for phase in schedule(optimize(graph), InputLayout()).phases for task in phase)
    return [task.nest for task in tasks if isinstance(task.nest.source, Product)]
