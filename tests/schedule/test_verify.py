"""The proof that programs read what they have stored: every rule refuses what breaks it."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.errors import VerifyError
from chainrule.ir.types import f32
from chainrule.passes import optimize
from chainrule.schedule import InputLayout, schedule
from chainrule.schedule.buffers import Buffer
from chainrule.schedule.nest import (
    Access,
    Affine,
    Apply,
    Chain,
    Const,
    Indirect,
    Load,
    Nest,
    Program,
    Store,
    Task,
)
from chainrule.schedule.simulate import simulate_program
from chainrule.schedule.verify import image, verify_program
from graphs import random_graph
from joins import random_joins

X = Buffer("in0", f32, 64, "external", 0)
Y = Buffer("out0", f32, 64, "external", 1)
T = Buffer("t0", f32, 64)
U = Buffer("t1", f32, 64)


def at(buffer: Buffer, const: int, *coeffs: int) -> Access:
    return Access(buffer, Affine(const, coeffs))


def copy(target: Access, source: Access, *dims: int, split: int | None = None) -> Nest:
    dims = dims or (64,)
    stores = (Store(target, Load(f32, source)),)
    return Nest(dims, len(dims), stores, split=split, name="copy")


def program(*phases: tuple[Nest, ...], offsets: dict[Buffer, int] | None = None) -> Program:
    offsets = {T: 0, U: 256} if offsets is None else offsets
    tasks = tuple(tuple(Task(nest) for nest in phase) for phase in phases)
    kept = sum(b.nbytes for b in offsets if b.kept)
    return Program(tasks, offsets, 512, ("in0", "out0"), kept, inputs=1)


THROUGH_T = (copy(at(T, 0, 1), at(X, 0, 1)),), (copy(at(Y, 0, 1), at(T, 0, 1)),)


def test_what_was_stored_before_may_be_read() -> None:
    verify_program(program(*THROUGH_T))


BROKEN = {
    "of %t0 that nobody stored": program((copy(at(Y, 0, 1), at(T, 0, 1)),)),
    "63 elements of %t0": program(
        (copy(at(T, 1, 1), at(X, 0, 1), 1),), (copy(at(Y, 0, 1), at(T, 0, 1)),)
    ),
    "stored while it is read": program(THROUGH_T[0], (THROUGH_T[0][0], THROUGH_T[1][0])),
    "64 elements of %t0": program(
        *THROUGH_T[:1],
        (copy(at(U, 0, 1), at(X, 0, 1)),),
        *THROUGH_T[1:],
        offsets={T: 0, U: 0},
    ),
    "nobody stores all of out0": program((copy(at(Y, 0, 1), at(X, 0, 1), 63),)),
    "stored by two nests": program(
        (copy(at(Y, 0, 1), at(X, 0, 1)), copy(at(Y, 60, 1), at(X, 0, 1), 4))
    ),
    "stored by two threads": program((copy(at(Y, 0, 0, 1), at(X, 0, 0, 1), 2, 64, split=0),)),
    "is read and stored apart": program(
        THROUGH_T[0], (copy(at(T, 1, 1), at(T, 0, 1), 63),), THROUGH_T[1]
    ),
    "an access leaves %in0": program((copy(at(Y, 0, 1), at(X, 1, 1)),)),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_broken_programs_are_refused(reason: str) -> None:
    with pytest.raises(VerifyError, match=reason):
        verify_program(BROKEN[reason])


def test_an_update_in_place_is_no_race() -> None:
    double = Apply(f32, "mul", (Load(f32, at(X, 0, 1)), Const(f32, 2.0)))
    update = Nest((64,), 1, (Store(at(X, 0, 1), double),), split=0)
    verify_program(program((update,), (copy(at(Y, 0, 1), at(X, 0, 1)),)))


@pytest.mark.parametrize("zeros", [2, 3])
def test_zeros_are_kept_where_no_nest_stores(zeros: int) -> None:
    padded = Buffer("p", f32, 64, kept=zeros)
    made = program(
        (copy(at(padded, 1, 1), at(X, 0, 1), 62),),
        (copy(at(Y, 0, 1), at(padded, 0, 1)),),
        offsets={padded: 0},
    )
    if zeros == 2:
        verify_program(made)
    else:
        with pytest.raises(VerifyError, match="2 elements of %p are never stored, 3 may"):
            verify_program(made)


def test_a_piece_of_a_chain_needs_its_own_piece_only() -> None:
    chain = Chain(8, 1, {})
    first = copy(at(T, 0, 8, 1), at(X, 0, 8, 1), 8, 8, split=0)
    same = copy(at(Y, 0, 8, 1), at(T, 0, 8, 1), 8, 8, split=0)
    other = copy(at(Y, 0, 8, 1), at(T, 56, -8, 1), 8, 8, split=0)  # piece p reads 7 - p
    for second in (same, other):
        tasks = (Task(first, chain=chain), Task(second, chain=chain))
        made = Program((tasks,), {T: 0}, 256, ("in0", "out0"), inputs=1)
        if second is same:
            verify_program(made)
        else:
            with pytest.raises(VerifyError, match="8 elements of %t0 that nobody stored"):
                verify_program(made)


def test_an_index_from_memory_may_be_any_in_its_extent() -> None:
    row = Load(f32, at(X, 0, 0))
    access = Access(T, Affine(0, (1,)), (Indirect(row, 8, 8),))
    gathered = Nest((8,), 1, (Store(at(Y, 0, 1), Load(f32, access)),), name="gather")
    rest = copy(at(Y, 8, 1), at(X, 0, 1), 56)
    verify_program(program(THROUGH_T[0], (gathered, rest)))
    half = copy(at(T, 0, 1), at(X, 0, 1), 32)
    with pytest.raises(VerifyError, match="32 elements of %t0"):
        verify_program(program((half,), (gathered, rest)))


@pytest.mark.parametrize("seed", range(20))
def test_images_are_what_loops_touch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dims = tuple(int(n) for n in rng.integers(1, 6, int(rng.integers(0, 5))))
    coeffs = tuple(int(c) for c in rng.integers(-7, 8, len(dims)))
    access = at(X, 200, *coeffs)
    points = np.ndindex(dims)
    touched = {200 + sum(c * i for c, i in zip(coeffs, point, strict=True)) for point in points}
    elements = image(access, dims)
    assert [elements.number(i) for i in range(len(touched))] == sorted(touched)
    assert elements.of(np.zeros(elements.first + elements.size)).size == len(touched)


@pytest.mark.parametrize("fusion", [True, False])
@pytest.mark.parametrize("seed", range(10))
def test_programs_of_random_graphs_are_sound(seed: int, fusion: bool) -> None:
    make = random_joins if seed % 2 else random_graph
    graph, _ = make(np.random.default_rng(seed), 20)
    verify_program(schedule(optimize(graph), InputLayout(), fusion=fusion))


def test_the_simulation_refuses_what_was_not_stored() -> None:
    made = program((copy(at(T, 1, 1), at(X, 0, 1), 62),), (copy(at(Y, 0, 1), at(T, 0, 1)),))
    with pytest.raises(VerifyError, match="2 elements of %t0 that nobody stored, the first at 0"):
        simulate_program(made, [np.zeros(64, np.float32), np.zeros(64, np.float32)])
