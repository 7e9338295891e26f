"""Arrays start where they should, and a guarded arena notices what it should."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from chainrule.errors import VerifyError
from chainrule.runtime.buffer import Arena


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
