"""Arrays start where they should, and a guarded arena notices what it should."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from chainrule.errors import VerifyError
from chainrule.runtime.buffer import Arena, address, aligned_copy, aligned_empty


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 5), (16385,), (128, 129)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.bool_])
def test_arrays_are_aligned(shape: tuple[int, ...], dtype: type) -> None:
    for order in ("C", "F"):
        made = aligned_empty(shape, dtype, order)
        large = made.nbytes >= 65536
        assert made.ctypes.data % (4096 if large else 64) == 0
        assert made.shape == shape
        assert made.dtype == dtype
        assert made.flags[f"{order}_CONTIGUOUS"]
        assert made.flags.writeable


def test_copy_keeps_the_numbers_in_either_order() -> None:
    source = np.arange(12.0).reshape(3, 4)[:, ::-1]
    for order, strides in (("C", (32, 8)), ("F", (8, 24))):
        copy = aligned_copy(source, order)
        np.testing.assert_array_equal(copy, source)
        assert copy.strides == strides


def test_address_is_that_of_the_first_element() -> None:
    base = np.arange(100, dtype=np.float32)
    for array in (base, base[3:], base[::-1], base.reshape(10, 10)[2:, 1:], np.float32(2) + base):
        assert address(array) == array.ctypes.data
    assert address(base[7:]) == address(base) + 28


@pytest.mark.parametrize("guarded", [False, True])
def test_arena_is_aligned(guarded: bool) -> None:
    assert Arena(1000, guarded).address % 64 == 0
    assert Arena(1 << 20, guarded).address % 4096 == 0
    Arena(0, guarded).check()


def test_poison_is_not_a_number() -> None:
    arena = Arena(1024, guarded=True)
    assert np.isnan(arena.view.view(np.float32)).all()
    assert np.isnan(arena.view.view(np.float64)).all()
    arena.view.fill(0)
    arena.poison()
    assert np.isnan(arena.view.view(np.float32)).all()


@pytest.mark.parametrize(("offset", "side"), [(-1, "before the start"), (1001, "past the end")])
def test_a_write_outside_is_found(offset: int, side: str) -> None:
    arena = Arena(1001, guarded=True)
    ctypes.c_uint8.from_address(arena.address).value = 1
    ctypes.c_uint8.from_address(arena.address + 1000).value = 1
    arena.check()
    ctypes.c_uint8.from_address(arena.address + offset).value = 1
    with pytest.raises(VerifyError, match=side):
        arena.check()


def test_the_kept_part_of_an_arena_is_zero_and_never_poisoned() -> None:
    arena = Arena(256, guarded=True, kept=128)
    assert not arena.view[:128].any()
    assert arena.view[128:].all()
    arena.view[:128] = 7
    arena.poison()
    assert (arena.view[:128] == 7).all()
